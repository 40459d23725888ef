"""Adam's failure: enclosures against mpmath, the drift against plain loops and fractions."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.theory import adam_counterexample
from ratewitness.theory.adam_counterexample import (
    exact_run,
    limit_of_regret,
    positive,
    reciprocal_root,
    three_periodic_regret,
)
from ratewitness.theory.adam_drift import (
    clipped_path,
    cycle,
    drift,
    drift_bounds,
    drift_range,
    first_failing,
    frozen_maximum,
    regret_in_cycle,
    regret_in_motion,
    relative_steps,
    roots,
    spike,
    steady_average,
    steps_from_rest,
    theorem_2,
)
from ratewitness.theory.bounds import C
from scipy import optimize

fractions = st.fractions(0, Fraction(49, 50), max_denominator=50)
slopes = st.lists(st.integers(-9, 9).filter(bool), min_size=2, max_size=7)


def test_positive_tells_signs():
    c, w = adam_counterexample._c, adam_counterexample._w
    assert positive((1 + c) / (2 + w))
    assert positive(c * w, strict=False)
    assert not any((positive(c * w), positive(1 - c), positive(c - w, strict=False)))


@given(st.fractions(Fraction(1, 1000), 1000))
def test_reciprocal_root_encloses(q):
    low, high = reciprocal_root(q, 20)
    assert low**2 * q <= 1 < high**2 * q
    assert high - low == Fraction(1, 10**20)


@settings(max_examples=25, deadline=None)
@given(
    st.fractions(1, 12, max_denominator=9),
    st.fractions(Fraction(1, 9), 3, max_denominator=9),
    st.fractions(-1, 1, max_denominator=9),
    st.integers(1, 40),
)
def test_exact_run_encloses_the_run_in_50_digits(C, a, start, rounds):
    path = exact_run(C, a, start, rounds)
    with mpmath.workdps(50):
        big, step, x = (mpmath.mpf(q.numerator) / q.denominator for q in (C, a, start))
        v, b, slack = mpmath.mpf(0), 1 / (1 + big**2), mpmath.mpf(10) ** -45
        for t, (low, high) in enumerate(path[1:], 1):
            g = big if t % 3 == 1 else mpmath.mpf(-1)
            v = b * v + (1 - b) * g * g
            x = min(1, max(-1, x - step / mpmath.sqrt(t) * g / mpmath.sqrt(v)))
            assert mpmath.mpf(low.numerator) / low.denominator <= x + slack
            assert x - slack <= mpmath.mpf(high.numerator) / high.denominator
            assert high - low < Fraction(1, 10**20)


@settings(max_examples=25, deadline=None)
@given(st.fractions(1, 30, max_denominator=9), st.fractions(Fraction(1, 9), 5, max_denominator=9))
def test_theorem_1_in_fractions(C, a):
    assert all(ends == (1, 1) for ends in exact_run(C, a, Fraction(1), 45)[::3])


def test_theorem_1_is_left_above_the_critical_beta2():
    (critical,), _ = roots(spike(3.0, 3), 0.0)
    for beta2, returns in ((critical[0] - 0.1, True), (critical[1] + 0.1, False)):
        path = exact_run(Fraction(3), Fraction(1, 10), Fraction(1), 900, Fraction(beta2).limit_denominator(1000))
        assert (path[-1] == (1, 1)) is returns


def test_the_regret_bound_holds_in_a_plain_loop():
    c, a, x, v, total = 4.0, 0.7, 1.0, 0.0, 0.0
    b = 1 / (1 + c * c)
    for t in range(1, 3001):
        g = c if t % 3 == 1 else -1.0
        total += g * (x + 1)
        v = b * v + (1 - b) * g * g
        x = min(1.0, max(-1.0, x - a / t**0.5 * g / v**0.5))
        if t % 3 == 0:
            excess = total / t - float(limit_of_regret.subs(C, c))
            assert 0 < excess < three_periodic_regret(C=c, a=a, T=t // 3) - float(limit_of_regret.subs(C, c))
    assert np.isnan(three_periodic_regret(C=2.0, a=a, T=1))


@given(slopes, fractions)
def test_steady_average_is_the_limit_of_the_recursion(g, beta):
    averages = steady_average(list(map(Fraction, g)), beta)
    for before, slope, after in zip([averages[-1], *averages], g, averages, strict=False):
        assert after == beta * before + (1 - beta) * slope
    assert sum(averages) == sum(g)


def test_drift_in_floats_arrays_and_symbols():
    beta1, beta2 = np.array([[0.0], [0.5]]), np.array([0.1, 0.5, 0.9])
    table = drift(spike(4.0, 4), beta1, beta2)
    b2 = sp.Symbol("beta2", positive=True)
    symbolic = drift(spike(sp.Integer(4), 4), sp.Rational(1, 2), b2, root=sp.sqrt)
    for j, b in enumerate(beta2):
        assert table[0, j] == pytest.approx(drift(spike(4.0, 4), 0.0, b), rel=1e-12)
        assert table[1, j] == pytest.approx(float(symbolic.subs(b2, b)), rel=1e-12)
    assert drift(spike(4.0, 4), 0.3, beta2, amsgrad=True).shape == (3,)


@given(slopes, fractions, fractions)
def test_drift_bounds_enclose_the_float(g, beta1, beta2):
    low, high = drift_bounds(list(map(Fraction, g)), beta1, beta2)
    value = drift(list(map(float, g)), float(beta1), float(beta2))
    assert high - low < Fraction(1, 10**30)
    assert float(low) - 1e-9 <= value <= float(high) + 1e-9


@given(slopes, fractions, fractions, fractions)
def test_drift_range_encloses(g, beta1, one, other):
    g = list(map(float, g))
    low, high = sorted((float(one), float(other)))
    least, most = drift_range(g, float(beta1), np.array([low]), np.array([high]))
    for beta2 in np.linspace(low, high, 5):
        assert least[0] - 1e-12 <= drift(g, float(beta1), beta2) <= most[0] + 1e-12


@pytest.mark.parametrize(
    ("beta1", "n", "values", "signs"),
    [
        (0.0, 3, [0.472313], [-1, 1]),
        (0.5, 3, [], [1]),
        (0.9, 8, [0.287883, 0.519737], [1, -1, 1]),
        (0.0, 2, [0.0], [0, 1]),
    ],
)
def test_roots_and_signs(beta1, n, values, signs):
    found, between = roots(spike(float(n), n), beta1)
    assert [low for low, _ in found] == pytest.approx(values, abs=1e-6)
    assert between == signs
    for low, high in found[1:] if values[:1] == [0.0] else found:
        exact = [drift_bounds(spike(Fraction(n), n), Fraction(str(beta1)), Fraction(end)) for end in (low, high)]
        assert (exact[0][0] > 0) != (exact[1][0] > 0)


def test_the_critical_constant_is_approached():
    for beta1 in (0.0, 0.5):
        scaled = [n**2 * (1 - roots(spike(float(n), n), beta1, 1e-7)[0][-1][0]) for n in (20, 40, 80)]
        assert scaled[0] > scaled[1] > scaled[2] > 4
        assert scaled[2] - 4 < (scaled[1] - 4) / 1.8


def reflected(g, steps, a, rounds):
    """x and the average regret of the last period, round by round."""
    x, costs = 0.3, []
    for t in range(rounds):
        costs.append(g[t % len(g)] * (x + 1))
        x = min(1.0, max(-1.0, x - a * steps[t % len(g)]))
    return x, np.mean(costs[-len(g) :])


@pytest.mark.parametrize("beta2", [0.2, 0.95])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_the_cycle_is_where_a_plain_loop_ends(beta2, amsgrad):
    g = spike(5.0, 5)
    steps = relative_steps(g, 0.3, beta2, amsgrad)
    end, distances = cycle(steps)
    x, cost = reflected(g, steps, 0.05, 5 * 2000)
    assert end == (-1 if sum(steps) > 0 else 1)
    assert x == pytest.approx(end * (1 - 0.05 * distances[0]), abs=1e-12)
    assert cost == pytest.approx(float(regret_in_cycle(g, steps, 0.05)), rel=1e-10)
    limit = float(regret_in_cycle(g, steps))
    assert limit == (2 * sum(g) / 5 if end > 0 else 0)


def test_regret_in_motion_is_what_a_free_period_costs():
    g = spike(5.0, 5)
    steps = relative_steps(g, 0.3, 0.5)
    x, cost, a = 0.1, 0.0, 1e-3
    for slope, step in zip(g, steps, strict=True):
        cost += slope * (x + 1)
        x -= a * step
    assert cost / 5 == pytest.approx(sum(g) / 5 * 1.1 + a * regret_in_motion(g, steps), rel=1e-12)


def test_steps_from_rest_tend_to_the_periodic_ones():
    g = spike(5.0, 5)
    for maximum, bias in ((None, False), (None, True), ("raw", False), ("raw", True)):
        last = steps_from_rest(g, 0.3, 0.5, 500, bias, maximum)[-5:]
        assert last == pytest.approx(relative_steps(g, 0.3, 0.5, amsgrad=maximum == "raw"), abs=1e-12)
    frozen = steps_from_rest(g, 0.3, 0.5, 500, True, "corrected")[-5:]
    assert sum(frozen) == pytest.approx(sum(g) / frozen_maximum(g), rel=1e-12)


def test_theorem_2_and_the_first_that_fails():
    pairs = ((0.0, 0.5), (0.9, 0.99), (0.9, 0.999))
    assert [first_failing(lambda c, b=b: theorem_2(*b, c)) for b in pairs] == [19, 3217, 42622]
    assert first_failing(lambda n: n >= 17) == 17
    assert not theorem_2(0.9, 0.5, 10**4)  # beta1 >= sqrt(beta2)
    assert drift(spike(19.0, 19), 0.0, 0.5) < 0  # what it guarantees does fail


@given(g=slopes, start=st.floats(-1, 1), lr=st.floats(0.01, 0.5))
def test_a_clipped_path_is_a_plain_loop(g, start, lr):
    steps, x, cost = [0.1 * slope for slope in g] * 3, start, 0.0
    found, total = clipped_path(g, steps, lambda t: lr / (t + 1), np.array([start]))
    for t, step in enumerate(steps):
        cost += g[t % len(g)] * (x + 1)
        x = min(1.0, max(-1.0, x - lr / (t + 1) * step))
    assert (float(found[0]), float(total[0])) == pytest.approx((x, cost), abs=1e-9)


@pytest.mark.parametrize(("beta2", "C"), [(0.1, 6), (0.2, 8), (0.3, 10)])
def test_theorem_2_ends_where_its_last_condition_does(beta2, C):
    """As beta1 grows; its geometric series are summed term by term here."""

    def excess(beta1):
        jump = 3 * (1 - beta1) / (2 * (1 - beta2) ** 0.5) * sum((beta1 / beta2**0.5) ** j for j in range(C))
        return jump + sum(beta1 ** (C / 2 - 1 + j) for j in range(99)) - C / 3

    end = optimize.brentq(excess, 0.0, 0.9 * beta2**0.5)
    assert theorem_2(end - 1e-6, beta2, C)
    assert not theorem_2(end + 1e-6, beta2, C)
