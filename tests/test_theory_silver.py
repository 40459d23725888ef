"""Silver steps and Nesterov's method on Huber functions, and the best PL constant, against runs and minimizers."""

import math

import numpy as np
import pytest
from ratewitness.solvers.schedules import Silver
from ratewitness.theory import silver, sine_pl
from scipy.optimize import minimize_scalar


def schedule(m):
    return [math.sqrt(2)] if m == 1 else [*schedule(m - 1), 1 + (1 + math.sqrt(2)) ** (m - 2), *schedule(m - 1)]


def test_the_schedule_is_the_recursive_one():
    np.testing.assert_allclose([Silver(1.0)(k) for k in range(63)], schedule(6), rtol=1e-14)
    assert Silver(4.0)(5) == pytest.approx(0.5)


@pytest.mark.parametrize("m", [1, 2, 5])
def test_no_threshold_of_the_huber_function_is_worse_than_the_named_one(m):
    steps = schedule(m)

    def gap(tau):
        x = 1.0
        for step in steps:
            x -= step * min(max(x, -tau), tau)
        return x**2 / 2 if abs(x) <= tau else tau * (abs(x) - tau / 2)

    named = 1 / (2 * (1 + math.sqrt(2)) ** m - 1)
    assert gap(named) == pytest.approx(silver.silver_huber(L=1, R=1, m=m), rel=1e-10)
    assert max(gap(tau) for tau in np.geomspace(named / 10, 1, 400)) <= gap(named) * (1 + 1e-9)
    assert gap(named) < silver.silver(L=1, R=1, m=m)


def test_nesterov_moves_as_its_recursion_says():
    x, y, t = 0.0, 0.0, 1.0
    for k in range(40):
        assert silver.nesterov_displacement(k) == pytest.approx(-x, abs=1e-12)
        before, x = x, y - 1
        after = (1 + math.sqrt(1 + 4 * t**2)) / 2
        y, t = x + (t - 1) / after * (x - before), after


@pytest.mark.parametrize("amplitude", [0.5, 1, 3, 4.3])
def test_the_enclosure_holds_the_least_ratio(amplitude):
    def ratio(x):
        return (2 * x + amplitude * math.sin(2 * x)) ** 2 / (2 * (x**2 + amplitude * math.sin(x) ** 2))

    start = min(np.linspace(0.2, 9, 2000), key=ratio)
    least = minimize_scalar(ratio, bounds=(start - 0.01, start + 0.01), method="bounded", options={"xatol": 1e-10}).fun
    low, high = sine_pl.best_pl(amplitude)
    assert low <= least * (1 + 1e-12)
    assert high == pytest.approx(least, rel=1e-9)


@pytest.mark.parametrize("amplitude", [0, -1, 4.61, math.nan])
def test_what_is_not_pl_is_refused(amplitude):
    with pytest.raises(ValueError, match=r"accepted are numbers between 0 and 4\.6033"):
        sine_pl.best_pl(amplitude)


def test_a_loss_too_small_to_prove_is_said():
    with pytest.raises(ValueError, match="no proof that mu is within 0 of"):
        sine_pl.best_pl(3, loss=0.0)
