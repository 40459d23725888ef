"""Deterministic bounds against performance estimation: the worst case as a semidefinite program, solved anew.

The interpolation conditions of PEPit know nothing of the closed forms, so agreement to solver accuracy checks
both that a bound holds and that it cannot be improved.  Everything is scaled to L = 1 and R = 1 or Delta = 1.
"""

import math

import pytest
from ratewitness.theory import gradient_descent, silver

pepit = pytest.importorskip("PEPit")
pytest.importorskip("clarabel")

from PEPit.functions import (  # noqa: E402  after the skip, as PEPit is an optional dependency
    SmoothConvexFunction,
    SmoothFunction,
    SmoothQuadraticLojasiewiczFunctionCheap,
    SmoothQuadraticLojasiewiczFunctionExpensive,
    SmoothStronglyConvexFunction,
)

COUNTS = [1, 2, 4, 8]
# The solver may stop just short of its own tolerance and say so; the accuracy that counts is the 1e-6 below.
pytestmark = pytest.mark.filterwarnings("ignore:Solution may be inaccurate:UserWarning")


def worst_gap(function_class, h, N, measure, **constants):
    """Largest f(x_N) - f* of gradient descent, from ||x_0 - x*|| <= 1 or from f(x_0) - f* <= 1."""
    problem = pepit.PEP()
    f = problem.declare_function(function_class, L=1.0, **constants)
    minimizer = f.stationary_point()
    x = problem.set_initial_point()
    start = (x - minimizer) ** 2 if measure == "distance" else f(x) - f(minimizer)
    problem.set_initial_condition(start <= 1)
    for step in h if isinstance(h, list) else [h] * N:
        x = x - step * f.gradient(x)
    problem.set_performance_metric(f(x) - f(minimizer))
    return problem.solve(wrapper="cvxpy", solver="CLARABEL", verbose=0)


def worst_gradient(h, N):
    """Largest min_k ||grad f(x_k)||^2 over smooth functions with f(x_0) - f* <= 1, f* a lower bound of f."""
    problem = pepit.PEP()
    f = problem.declare_function(SmoothFunction, L=1.0)
    lowest = f(f.stationary_point())
    x = problem.set_initial_point()
    problem.set_initial_condition(f(x) - lowest <= 1)
    for k in range(N + 1):
        gradient, value = f.oracle(x)
        problem.set_performance_metric(gradient**2)
        # a gradient step of length 1 from x_k cannot fall below f*
        problem.add_constraint(value - lowest >= gradient**2 / 2)
        x = x - h * gradient if k < N else x
    return problem.solve(wrapper="cvxpy", solver="CLARABEL", verbose=0)


@pytest.mark.parametrize("m", [1, 2])
def test_silver_steps_are_worst_on_their_huber_function(m):
    steps = [1 + (1 + math.sqrt(2)) ** (((k & -k).bit_length() - 1) - 1) for k in range(1, 2**m)]
    found = worst_gap(SmoothConvexFunction, steps, 2**m - 1, "distance")
    assert found == pytest.approx(silver.silver_huber(L=1, R=1, m=m), rel=1e-4)
    assert found < silver.silver(L=1, R=1, m=m)


@pytest.mark.parametrize("h", [0.5, 1.0, 1.5, 1.8])
@pytest.mark.parametrize("N", COUNTS)
def test_convex(N, h):
    worst = worst_gap(SmoothConvexFunction, h, N, "distance")
    assert gradient_descent.convex(L=1, R=1, h=h, N=N) == pytest.approx(worst, rel=1e-6)


@pytest.mark.parametrize("N", COUNTS)
def test_convex_at_its_best_step(N):
    h = float(gradient_descent.best_step(N))
    ((_, _, rate),) = gradient_descent.best_step_table([N])
    assert float(rate) == pytest.approx(worst_gap(SmoothConvexFunction, h, N, "distance"), rel=1e-6)


@pytest.mark.parametrize("h", [0.5, 1.0, 2 / math.sqrt(3), 1.5])
@pytest.mark.parametrize("N", COUNTS)
def test_nonconvex(N, h):
    assert gradient_descent.nonconvex(L=1, Delta=1, h=h, N=N) == pytest.approx(worst_gradient(h, N), rel=1e-6)


@pytest.mark.parametrize("h", [0.5, 1.0, 1.7])
@pytest.mark.parametrize("N", [1, 2, 4])
@pytest.mark.parametrize("mu", [0.1, 0.4])
def test_strongly_convex(mu, N, h):
    numbers = {"L": 1, "mu": mu, "h": h, "N": N}
    gap = worst_gap(SmoothStronglyConvexFunction, h, N, "gap", mu=mu)
    assert gradient_descent.strongly_convex_gap(**numbers, Delta=1) == pytest.approx(gap, rel=1e-6)
    distance = worst_gap(SmoothStronglyConvexFunction, h, N, "distance", mu=mu)
    assert gradient_descent.strongly_convex_distance(**numbers, R=1) == pytest.approx(distance, rel=1e-6)


@pytest.mark.parametrize("h", [0.3, 0.7, 1.0, 1.4, 1.73, 1.74, 1.9])
@pytest.mark.parametrize("mu", [0.05, 0.2, 0.5])
def test_pl_one_step(mu, h):
    """The three step ranges are the optimum of the plain discretized conditions (not of the class itself)."""
    worst = worst_gap(SmoothQuadraticLojasiewiczFunctionCheap, h, 1, "gap", mu=mu)
    assert gradient_descent.pl_step_ranges(mu=mu, L=1, h=h, N=1, Delta=1) == pytest.approx(worst, rel=1e-6)


@pytest.mark.parametrize("mu", [0.05, 0.2, 0.5])
def test_pl_rates_in_several_dimensions_are_not_tight(mu):
    """Stronger necessary conditions (Rubbens, Hendrickx and Taylor 2025) leave less, yet more than a parabola."""
    stronger = worst_gap(SmoothQuadraticLojasiewiczFunctionExpensive, 1.0, 1, "gap", mu=mu)
    numbers = {"L": 1, "mu": mu, "h": 1, "N": 1, "Delta": 1}
    assert gradient_descent.pl_line(**numbers) - 1e-6 < stronger
    assert stronger < gradient_descent.pl_step_ranges(**numbers) - 0.01 * mu
    assert gradient_descent.pl_step_ranges(**numbers) < gradient_descent.pl_polyak(**numbers)
