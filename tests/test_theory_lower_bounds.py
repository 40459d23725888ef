"""Lower bounds against Bayes' rule computed by linear algebra, and against the methods they bound."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.theory import lower_bounds, moments, stochastic_gradient
from scipy.optimize import minimize_scalar
from scipy.stats import binom, norm

calm = settings(deadline=None, derandomize=True)  # time limits measure the machine, not the theory
positive = st.floats(0.1, 5)


@calm
@given(mu=positive, R=positive, sigma=positive, N=st.integers(1, 20))
def test_bayes_risk_by_gaussian_conditioning(mu, R, sigma, N):
    """Schur complement of the joint covariance of x* and the N observations."""
    covariance = R**2 * mu**2 * np.ones((N, N)) + sigma**2 * np.eye(N)
    cross = R**2 * mu * np.ones(N)
    posterior = R**2 - cross @ np.linalg.solve(covariance, cross)
    bound = lower_bounds.pl_any_method(mu=mu, R=R, sigma=sigma, N=N)
    assert mu / 2 * posterior == pytest.approx(bound, rel=1e-8, abs=1e-10)


def test_recursive_least_squares_attains_it_in_rationals():
    mu, R, sigma, N = Fraction(2, 3), Fraction(5), Fraction(7, 2), 30
    steps = [mu / (sigma**2 / R**2 + (k + 1) * mu**2) for k in range(N)]
    end = moments.second_moments(mu, steps, sigma, R, N)[-1]
    assert mu / 2 * end == Fraction(str(lower_bounds.pl_any_method.exactly(mu=mu, R=R, sigma=sigma, N=N)))


@calm
@given(mu=positive, R=positive, sigma=positive, steps=st.lists(st.floats(0, 3), min_size=1, max_size=8))
def test_no_step_sequence_beats_bayes(mu, R, sigma, steps):
    N = len(steps)
    assert mu / 2 * moments.second_moments(mu, steps, sigma, R, N)[-1] >= (
        lower_bounds.pl_any_method(mu=mu, R=R, sigma=sigma, N=N) * (1 - 1e-12)
    )


def test_convex_supremum_by_search_and_order_of_bounds():
    N, sigma, R = 50, 2.0, 3.0
    search = minimize_scalar(
        lambda lam: -lower_bounds.pl_any_method(mu=lam, R=R, sigma=sigma, N=N),
        bounds=(1e-3, 10),
        method="bounded",
        options={"xatol": 1e-12},
    )
    bound = lower_bounds.convex_any_method(sigma=sigma, R=R, N=N)
    assert -search.fun == pytest.approx(bound, rel=1e-9)
    assert bound < stochastic_gradient.convex_tuned(L=1, R=R, sigma=sigma, N=N)
    assert lower_bounds.count_convex_any_method(sigma=sigma, R=R, eps=bound) == pytest.approx(N)


@pytest.mark.parametrize("N", [1, 10, 100])
def test_two_point_risk_is_below_the_true_testing_risk(N):
    """With the exact total variation of N Gaussian slopes, in place of Pinsker's bound, the risk is larger."""
    sigma, R = 1.5, 2.0
    slopes = np.linspace(0, 3, 10_000) * sigma / math.sqrt(N)
    exact = np.max(slopes * R * 2 * norm.sf(math.sqrt(N) * slopes / sigma))
    bound = lower_bounds.convex_any_method(sigma=sigma, R=R, N=N)
    assert bound <= exact <= 1.5 * bound


def test_chain_lengths_and_exponents():
    assert lower_bounds.nonconvex_chain(L=1, Delta=12 * 152 * 7.5, eps=1) == 7
    assert math.isnan(lower_bounds.nonconvex_chain(L=1, Delta=1000, eps=1))
    noisy = {"L": 1, "Delta": 1e9, "sigma": 1e3}
    ratio = lower_bounds.nonconvex_noisy_chain(eps=0.5, **noisy) / lower_bounds.nonconvex_noisy_chain(eps=1, **noisy)
    assert ratio == pytest.approx(4, rel=1e-4)
    T, p = 137_061, 2116 / 1e6
    assert lower_bounds.nonconvex_noisy_chain(eps=1, **noisy) == pytest.approx(T / (2 * p))


@pytest.mark.parametrize(("T", "p"), [(5, 0.1), (40, 0.01), (1, 0.5)])
def test_half_of_the_links_argument_by_the_exact_binomial(T, p):
    assert binom.sf(T - 1, math.floor(T / (2 * p)), p) <= 0.5
