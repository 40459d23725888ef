"""AdaGrad's analysis: the regret on exact rational plays, the bounds by hand."""

import math
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.theory import adagrad
from ratewitness.theory.adagrad import heterogeneity
from ratewitness.theory.kronecker import diagonal_adagrad

SLOPES = st.lists(st.integers(-20, 20).filter(bool), min_size=1, max_size=12)


@given(
    slopes=SLOPES, start=st.integers(-4, 4), c=st.sampled_from([0.05, 0.3, 1.0, 3.0, 20.0]), eps=st.sampled_from([0, 1, 9])
)
def test_regret_of_linear_losses_on_an_interval(slopes, start, c, eps):
    """Played in 40 digits on [-1, 1]: the exact regret against the best end stays below the bound with eps taken off."""
    with mpmath.workdps(40):
        x, squares, won, eta = mpmath.mpf(start) / 4, mpmath.mpf(eps), mpmath.mpf(0), c * 2 / mpmath.sqrt(2)
        for g in slopes:
            won, squares = won + g * x, squares + g * g
            x = max(min(x - eta * g / mpmath.sqrt(squares), 1), -1)
        regret = won + abs(sum(slopes))
        sharper = (4 / (2 * eta) + eta) * mpmath.sqrt(squares) - eta * mpmath.sqrt(eps)
        assert regret <= sharper * (1 + mpmath.mpf(10) ** -30)
        bound = adagrad.diagonal_any_step(D_inf=2, eta=float(eta), column_norms=math.sqrt(float(squares)))
        assert float(regret) <= bound * (1 + 1e-12)


@given(roots=st.lists(st.integers(1, 50), min_size=2, max_size=10))
def test_growing_root_on_exact_roots(roots):
    """With rational h_t the sum of g_t^2/h_t is a fraction, and at most 2 (h_T - h_0)."""
    h = sorted(roots)
    total = sum(Fraction(b * b - a * a, b) for a, b in pairwise(h))
    assert total <= 2 * (h[-1] - h[0])
    assert total >= h[-1] - h[0]


def test_any_step_at_the_best_step_is_the_bound_with_sqrt_2():
    eta = 3 / math.sqrt(2)
    assert adagrad.diagonal_any_step(D_inf=3, eta=eta, column_norms=5) == pytest.approx(math.sqrt(2) * 15)
    assert diagonal_adagrad(D_inf=3, column_norms=5) == pytest.approx(math.sqrt(2) * 15)
    assert adagrad.norm_any_step(D=3, eta=10 * eta, gradient_norm=5) == pytest.approx(5.05 * math.sqrt(2) * 15)
    assert adagrad.norm_adagrad(D=3, gradient_norm=5) == pytest.approx(math.sqrt(2) * 15)


def test_bounds_with_exact_gradients_by_hand():
    assert adagrad.largest_gap(Delta=1, L=2, eta=1, count=3, epsilon=1) == 1  # eta L <= 2 sqrt epsilon: no rise
    assert adagrad.largest_gap(Delta=1, L=2, eta=math.e, count=3, epsilon=1) == pytest.approx(1 + 6 * math.e**2)
    assert adagrad.largest_root(Delta=1, L=2, eta=1, count=3, epsilon=1) == 4


@given(p=st.lists(st.floats(0.001, 1), min_size=1, max_size=20), scale=st.floats(1e-6, 1e6))
def test_heterogeneity(p, scale):
    found = heterogeneity(p)
    assert 1 / math.sqrt(len(p)) - 1e-12 <= found <= 1 + 1e-12
    assert heterogeneity(scale * np.array(p)) == pytest.approx(found)
    columns = np.sqrt(p)  # the ratio of the two bounds on the cube [-1, 1]^d
    by_norm = adagrad.norm_adagrad(D=2 * math.sqrt(len(p)), gradient_norm=np.linalg.norm(columns))
    assert diagonal_adagrad(D_inf=2, column_norms=columns.sum()) / by_norm == pytest.approx(found)


def test_heterogeneity_is_one_for_equal_frequencies_only():
    assert heterogeneity([0.3] * 7) == pytest.approx(1, abs=1e-15)
    assert heterogeneity([0.3] * 6 + [0.2]) < 1 - 1e-3
    np.testing.assert_allclose(heterogeneity([[1, 1], [4, 0]]), [1, math.sqrt(0.5)])
