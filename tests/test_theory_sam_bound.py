"""The bound behind SAM against the divergence, the tail and the binomials of scipy, and on data that are known."""

import numpy as np
import pytest
import ratewitness.theory.sam_bound as bound
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize_scalar

K = st.integers(1, 10_000)
N = st.integers(8, 100_000)
V = st.floats(1e-6, 1e8)


@given(K, N)
def test_the_perturbation_leaves_the_ball_with_a_probability_of_at_most_one_over_sqrt_n(k, n):
    assert stats.chi2.sf(1 / bound.perturbation(1.0, k, n) ** 2, k) <= 1 / np.sqrt(n)


@given(K, N, V)
def test_the_complexity_is_twice_the_least_divergence_over_priors(k, n, v):
    s2 = bound.perturbation(1.0, k, n) ** 2

    def twice(log_t2):
        t2 = np.exp(log_t2)
        return k * s2 / t2 + v / t2 - k + k * np.log(t2 / s2)

    best = np.log(s2 + v / k)
    found = minimize_scalar(twice, bracket=(best - 1, best + 1), tol=1e-12).fun
    assert bound.complexity(v, k, n) == pytest.approx(found, rel=1e-6, abs=1e-9 * k)


@pytest.mark.parametrize("n", [8, 1000, 100_000])
def test_the_exponential_moment_is_at_most_two_roots_of_n(n):
    m = np.arange(n + 1)
    assert np.sqrt(n) <= stats.binom.pmf(m, n, m / n).sum() <= 2 * np.sqrt(n)


@given(K, N, V, st.floats(1.001, 10))
def test_h_increases_and_falls_with_the_samples(k, n, v, factor):
    assert bound.h(v, k, n, 0.01) < bound.h(factor * v, k, n, 0.01)
    assert bound.h(v, k, 4 * n, 0.01) < bound.h(v, k, n, 0.01)


@given(st.integers(1, 30), st.integers(8, 1000), st.floats(0.001, 1e4))
def test_no_radius_brings_the_right_side_below_its_least(k, n, rho):
    classes, least = 10, bound.least_right_side(k, n, 0.05, 10)
    largest_loss = 1 - 1 / classes if rho > 1 else 0.0  # for ||w|| = 1
    assert largest_loss + bound.h(1 / rho**2, k, n, 0.05) >= least * (1 - 1e-12)
