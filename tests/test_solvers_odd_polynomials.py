"""The derived polynomials against closed forms, a linear program, alternation and exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from numpy.testing import assert_allclose
from ratewitness.solvers.norms.odd_polynomials import CUSHION, greedy_composition, optimal_odd_polynomial, pade_polynomial
from scipy.optimize import linprog

LOWS = [1e-8, 1e-3, 0.05, 0.4, 0.9]


def value(p, x):
    return x * np.polyval(p[::-1], x * x)


def cubic(low, high):
    """beta p(alpha x), p = (3x - x^3)/2, in extended precision: the closed form of the optimal cubic."""
    with mp.workdps(40):
        l, u = mpf(low), mpf(high)
        alpha = mp.sqrt(3 / (u**2 + l * u + l**2))
        beta = 4 / (2 + l * u * (l + u) * alpha**3)
        return [float(beta * alpha * 3 / 2), float(-beta * alpha**3 / 2)]


@pytest.mark.parametrize("degree", [3, 5, 7, 9, 15])
def test_pade_polynomials_are_one_at_one_with_a_zero_of_order_q_there(degree):
    coefficients = [Fraction(c) for c in pade_polynomial(degree)]  # dyadic rationals: exact in float64
    assert sum(coefficients) == 1
    derivatives = [(2 * j + 1, c) for j, c in enumerate(coefficients)]
    for _ in range((degree - 1) // 2):
        derivatives = [(power - 1, power * c) for power, c in derivatives]
        assert sum(c for _, c in derivatives) == 0
    derivatives = [(power - 1, power * c) for power, c in derivatives]
    assert sum(c for _, c in derivatives) != 0


@given(st.floats(1e-8, 1), st.floats(1e-8, 1), st.floats(0.01, 100))
@example(0.985, 1.0, 1.0)
@example(1e-14, 1.0, 1.0)
def test_the_optimal_cubic_is_the_closed_form(a, b, scale):
    low, high = min(a, b) * scale, max(a, b) * scale
    assert_allclose(optimal_odd_polynomial(low, high, 3), cubic(low, high), rtol=1e-13 if low < 0.999 * high else 1e-9)


@pytest.mark.parametrize("degree", [3, 5, 7, 9])
@pytest.mark.parametrize("low", LOWS)
def test_the_error_alternates_q_plus_2_times(degree, low):
    q, p = (degree - 1) // 2, optimal_odd_polynomial(low, 1.0, degree)
    grid = np.unique(np.concatenate([low + (1 - low) * (1 - np.cos(np.linspace(0, np.pi, 20001))) / 2, [low, 1.0]]))
    error = 1 - value(p, grid)
    E = np.abs(error).max()
    extreme = np.sign(error[np.abs(error) > E - 1e-5 * E])
    assert 1 + np.count_nonzero(np.diff(extreme)) == q + 2
    assert error[0] == pytest.approx(E, rel=1e-6)


@pytest.mark.parametrize("degree", [3, 5, 7, 9])
@pytest.mark.parametrize("low", [0.02, 0.2, 0.6])
def test_the_error_is_that_of_a_linear_program(degree, low):
    x = low + (1 - low) * (1 - np.cos(np.linspace(0, np.pi, 1000))) / 2
    powers, ones = x[:, None] ** np.arange(1, degree + 1, 2), np.ones(len(x))
    A = np.block([[powers, -ones[:, None]], [-powers, -ones[:, None]]])
    cost = np.eye(A.shape[1])[-1]
    program = linprog(cost, A, np.concatenate([ones, -ones]), bounds=(None, None), method="highs").fun
    mine = np.abs(1 - value(optimal_odd_polynomial(low, 1.0, degree), x)).max()
    assert mine == pytest.approx(program, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("degree", [3, 5, 7])
def test_a_scaled_interval_has_the_scaled_polynomial(degree):
    p, scaled = optimal_odd_polynomial(0.1, 1.0, degree), optimal_odd_polynomial(0.4, 4.0, degree)
    assert_allclose(scaled, [c / 4 ** (2 * j + 1) for j, c in enumerate(p)], rtol=1e-12)


@pytest.mark.parametrize("degree", [3, 5, 7, 9])
def test_the_narrow_limit_is_the_pade_polynomial(degree):
    assert_allclose(optimal_odd_polynomial(1.0, 1.0, degree), pade_polynomial(degree), rtol=1e-14)
    assert_allclose(optimal_odd_polynomial(1 - 1e-12, 1.0, degree), pade_polynomial(degree), rtol=1e-9)
    assert_allclose(optimal_odd_polynomial(1 - 1e-6, 1.0, degree), pade_polynomial(degree), rtol=1e-4)


@pytest.mark.parametrize(("degree", "low", "steps"), [(3, 1e-8, 4), (3, 0.01, 6), (5, 1e-3, 6), (7, 1e-4, 4), (9, 0.01, 2)])
@pytest.mark.parametrize("cushion", [0.0, CUSHION, 0.1])
def test_the_error_of_a_composition_is_what_it_says(degree, low, steps, cushion):
    made = greedy_composition(steps, degree, low, cushion=cushion)
    x = np.geomspace(low, 1, 20001)
    for polynomial, predicted in zip(made.polynomials, made.errors, strict=True):
        x = value(polynomial, x)
        assert np.abs(1 - x).max() == pytest.approx(predicted, rel=1e-5, abs=1e-12)
        assert 1 - x[0] == pytest.approx(predicted, rel=1e-7, abs=1e-12)
        assert x.max() - 1 == pytest.approx(predicted, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("steps", [3, 5])
def test_a_composition_that_has_reached_one_stays_there(steps):
    """From the third polynomial on the interval is narrower than a rounding, which may lift its lower end above 1."""
    made, x = greedy_composition(steps, 7, 0.99), np.linspace(0.99, 1, 101)
    for polynomial in made.polynomials:
        x = value(polynomial, x)
    assert_allclose(x, 1, rtol=0, atol=1e-15)
    assert made.errors[-1] < 1e-18


def test_the_cushion_costs_error_and_changes_nothing_where_it_is_not_active():
    plain, cushioned = greedy_composition(5, 5, 1e-3), greedy_composition(5, 5, 1e-3, cushion=CUSHION)
    assert 1.05 * plain.errors[-1] < cushioned.errors[-1] < 1.2 * plain.errors[-1]
    assert greedy_composition(3, 5, 0.1).polynomials == greedy_composition(3, 5, 0.1, cushion=CUSHION).polynomials


def test_the_cushioned_quintics_lift_the_smallest_value_as_published():
    # what the solve on [max(l, c u), u] and the rescaling by 2/(p(l) + p(u)) must satisfy, written with numpy alone
    l, u = 1e-3, 1.0
    for p in greedy_composition(4, 5, l, cushion=CUSHION).polynomials:
        raw = optimal_odd_polynomial(max(l, CUSHION * u), u, 5)
        scale = 2 / (value(raw, l) + value(raw, u))
        assert_allclose(p, [scale * c for c in raw], rtol=1e-9)
        l = value(p, l)
        u = 2 - l


def test_the_safety_factor_divides_all_but_the_last():
    plain, safe = (greedy_composition(4, 5, 1e-3, safety=safety).polynomials for safety in (1.0, 1.01))
    for p, cautious in zip(plain[:-1], safe[:-1], strict=True):
        assert_allclose(cautious, np.divide(p, [1.01, 1.01**3, 1.01**5]), rtol=1e-14)
    assert plain[-1] == safe[-1]


def test_greedy_polynomials_do_not_depend_on_how_many_follow():
    assert greedy_composition(3, 5, 1e-3).polynomials == greedy_composition(6, 5, 1e-3).polynomials[:3]


@settings(max_examples=8)
@given(st.sampled_from([3, 5, 7, 9]), st.floats(-8, -0.01))
def test_no_composition_of_pade_polynomials_is_better(degree, exponent):
    x = 10**exponent
    for error in greedy_composition(4, degree, x).errors:  # of the compositions of 1, 2, 3 and 4 polynomials
        x = value(pade_polynomial(degree), x)
        assert error <= (1 - x) * (1 + 1e-9) + 1e-15
