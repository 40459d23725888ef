r"""The six cells of the complexity table: the witness of each, and its hitting times N(eps) as a solver meets them.

All in units L = R = Delta = sigma = 1 (and mu = 1 in the stochastic PL cell, whose only scale is sigma^2/mu):

    GD, PL           f = mu x^2/2, one fixed function                          step 1/L
    SGD, PL          f_+- = mu x^2/2 +- sigma x, one fixed function            step 1/(mu (k+1))
    GD, convex       Huber function, threshold chosen for eps                  step 1/L
    SGD, convex      f_+- = lam x^2/2 +- sigma x, lam chosen for eps           step R/(sigma sqrt N), average of x_1..x_N
    GD, nonconvex    sawtooth gradient, number of teeth chosen for eps         step 1/L
    SGD, nonconvex   two-mode quadratic, lam chosen for eps                    step sqrt(2 Delta/(L N sigma^2))

On each the exponent of the class is attained. So is the constant, of the class for GD, and for SGD of the family named
here: a noisy Huber function is worse for averaged SGD than any parabola (`bounds_on_every_problem`).

"Chosen for eps" is essential: on one fixed function of these classes the exponents are smaller (study
`fixed_functions`). Accuracy is f - f* in the PL and convex rows and ||grad f||^2 in the nonconvex row; with eps on
||grad f|| the exponents of that row double.

A cell takes accuracies (E,) and gives hitting times (E, groups), NaN where a run was censored; groups are independent and
`size` replicates are averaged in each, so that a time is that of an expectation. GD, where nothing is drawn, has one group.
"""

from __future__ import annotations

import numpy as np
import torch
from ratewitness.problems.huber import huber_witness
from ratewitness.problems.noisy_quadratics import noisy_parabola, two_mode
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.problems.sawtooth import sawtooth
from ratewitness.solvers.around.averaging import PolyakRuppert
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.schedules import InverseTime
from ratewitness.studies.judges import ROUNDING
from ratewitness.studies.measuring.groups import group_times
from ratewitness.theory import gradient_descent as gd
from ratewitness.theory import stochastic_gradient as sgd
from ratewitness.theory.moments import second_moments
from ratewitness.theory.parabola_family import averaged_parabola, worst_parabola
from scipy.optimize import brentq, minimize_scalar

MU = 0.01  # of the deterministic PL cell: kappa = 100
PATIENCE = 4  # a run may take this many times the predicted number of steps before it is censored


def count(cell: str, eps: np.ndarray) -> np.ndarray:
    """The closed form N(eps) in these units: exact integers for GD, leading terms (not rounded) for SGD."""
    eps = np.asarray(eps, dtype=float)
    match cell:
        case "gd_pl":
            return _exact(gd.count_pl, eps, Delta=1, mu=MU, L=1, h=1)
        case "gd_convex":
            return _exact(gd.count_convex, eps, L=1, R=1, h=1)
        case "gd_nonconvex":
            return _exact(gd.count_nonconvex, eps, L=1, Delta=1, h=1)
        case "sgd_pl":
            return 1 / (2 * eps)
        case "sgd_convex":
            return float(worst_parabola()[1]) ** 2 / eps**2
        case "sgd_nonconvex":
            return sgd.count_nonconvex_two_mode(L=1, Delta=1, sigma=1, eps=eps)
    raise ValueError(f"cell is {cell!r}; accepted are {', '.join(map(repr, (*GD, *SGD)))}")


def expected_time(cell: str, eps: float) -> float:
    """N(eps) of the expectation itself, from the exact second moments, as a real number where they are smooth in N; of GD,
    where nothing is drawn, its count."""
    N = float(count(cell, np.array([eps]))[0])
    if cell in GD:
        return N
    if cell == "sgd_pl":
        steps = [1 / (k + 1) for k in range(int(2 * N) + 2)]
        gaps = np.array(second_moments(1.0, steps, 1.0, 1.0, len(steps))) / 2
        return float(np.argmax(gaps <= eps * (1 + ROUNDING)))
    if cell == "sgd_convex":
        numbers = {"a": N**-0.5, "lam": convex_curvature(N), "sigma": 1, "R": 1}
        return brentq(lambda k: averaged_parabola(N=k, **numbers) - eps, N / 4, 4 * N)
    numbers = {"a": (2 / N) ** 0.5, "lam": two_mode_curvature(N), "L": 1, "Delta": 1, "sigma": 1}
    return brentq(lambda k: sgd.nonconvex_two_mode(N=k, **numbers) - eps, N / 4, 4 * N)


def slope(eps: np.ndarray, times: np.ndarray) -> float:
    """Of log N in log 1/eps, by least squares: what an exponent comes to over a finite range of accuracies."""
    return float(np.polyfit(np.log(1 / np.asarray(eps)), np.log(times), 1)[0])


def gd_pl(eps: np.ndarray) -> np.ndarray:
    problem = quadratic([MU], [(2 / MU) ** 0.5])
    return _descent("gd_pl", problem, eps)


def gd_convex(eps: np.ndarray) -> np.ndarray:
    problem = huber_witness(_column(count("gd_convex", eps)))
    return _descent("gd_convex", problem, eps)


def gd_nonconvex(eps: np.ndarray) -> np.ndarray:
    problem = sawtooth(_column(count("gd_nonconvex", eps) - 1))
    thresholds = eps * problem.initial_gap.cpu().numpy()  # in its units L = g = 1, eps and Delta grow together
    return _descent("gd_nonconvex", problem, eps, thresholds, squared_gradient(problem))


def sgd_pl(eps: np.ndarray, groups: int, size: int, generator: torch.Generator) -> np.ndarray:
    problem = noisy_parabola(1.0, 1.0)
    limit = PATIENCE * int(count("sgd_pl", eps).max())
    oracle = Oracle.minibatch(problem, 1, generator)
    return group_times(GradientDescent(InverseTime(1.0)), oracle, problem, eps, (groups, size), limit)


def sgd_convex(eps: np.ndarray, groups: int, size: int, generator: torch.Generator) -> np.ndarray:
    times = []
    for e, N in zip(eps, count("sgd_convex", eps), strict=True):
        problem = noisy_parabola(convex_curvature(N), 1.0)
        oracle, solver = Oracle.minibatch(problem, 1, generator), PolyakRuppert(GradientDescent(N**-0.5))
        times.append(group_times(solver, oracle, problem, [e], (groups, size), PATIENCE * int(N) + 1))
    return np.concatenate(times)


def sgd_nonconvex(eps: np.ndarray, groups: int, size: int, generator: torch.Generator) -> np.ndarray:
    times = []
    for e, N in zip(eps, count("sgd_nonconvex", eps), strict=True):
        problem = two_mode(two_mode_curvature(N), 1.0, 1.0, 1.0)
        oracle, solver = Oracle.minibatch(problem, 1, generator), GradientDescent((2 / N) ** 0.5)
        limit, square = PATIENCE * int(N) + 1, squared_gradient(problem)
        times.append(1 + group_times(solver, oracle, problem, [e], (groups, size), limit, square, over="mean"))
    return np.concatenate(times)  # one more: the mean over x_0, ..., x_k has k + 1 terms


GD = {"gd_pl": gd_pl, "gd_convex": gd_convex, "gd_nonconvex": gd_nonconvex}
SGD = {"sgd_pl": sgd_pl, "sgd_convex": sgd_convex, "sgd_nonconvex": sgd_nonconvex}


def convex_curvature(N: float) -> float:
    """The curvature lam for which the step R/(sigma sqrt N) does worst in N steps, to leading order in N."""
    return float(worst_parabola()[0]) / N**0.5


def two_mode_curvature(N: float) -> float:
    """The curvature lam <= L for which the step sqrt(2 Delta/(L N sigma^2)) does worst in N steps."""

    def average(log_lam):
        return -sgd.nonconvex_two_mode(a=(2 / N) ** 0.5, lam=np.exp(log_lam), L=1, Delta=1, sigma=1, N=N)

    return float(np.exp(minimize_scalar(average, bounds=(-np.log(N), 0), method="bounded").x))


def squared_gradient(problem):
    """x -> ||grad f(x)||^2, (*batch, d) -> (*batch,)."""
    return lambda x: problem.grad(x).square().sum(-1)


def _descent(cell: str, problem, eps: np.ndarray, thresholds=None, measure=None) -> np.ndarray:
    limit, thresholds = PATIENCE * int(count(cell, eps).max()), eps if thresholds is None else thresholds
    return group_times(GradientDescent(1.0), Oracle.full(problem), problem, thresholds, (), limit, measure)


def _exact(bound, eps: np.ndarray, **numbers) -> np.ndarray:
    return np.array([int(bound.exactly(eps=float(e), **numbers)) for e in eps])


def _column(values) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float64).unsqueeze(-1)
