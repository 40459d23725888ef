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

Each function takes accuracies (E,) and returns integer times (E, groups); groups are independent and `size` replicates
are averaged in each, so that a time is that of an expectation. The deterministic ones return (E,).
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
from ratewitness.solvers.solver import hitting_times
from ratewitness.theory import gradient_descent as gd
from ratewitness.theory import stochastic_gradient as sgd
from ratewitness.theory.parabola_family import worst_parabola
from scipy.optimize import minimize_scalar

MU = 0.01  # of the deterministic PL cell: kappa = 100
PATIENCE = 4  # a run may take this many times the predicted number of steps before it is censored


def gd_pl(eps: np.ndarray) -> np.ndarray:
    problem = quadratic([MU], [(2 / MU) ** 0.5])
    limit = PATIENCE * int(gd_pl_count(eps).max())
    return _times(GradientDescent(1.0), Oracle.full(problem), problem.start, limit, problem.gap, eps)


def gd_convex(eps: np.ndarray) -> np.ndarray:
    count = gd_convex_count(eps)
    problem = huber_witness(_column(count))
    limit = PATIENCE * int(count.max())
    return _times(GradientDescent(1.0), Oracle.full(problem), problem.start, limit, problem.gap, eps)


def gd_nonconvex(eps: np.ndarray) -> np.ndarray:
    count = gd_nonconvex_count(eps)
    problem = sawtooth(_column(count - 1))  # in its units L = g = 1, eps and Delta grow together
    thresholds = torch.as_tensor(eps) * problem.initial_gap
    limit = PATIENCE * int(count.max())
    measure = squared_gradient(problem)
    return _times(GradientDescent(1.0), Oracle.full(problem), problem.start, limit, measure, thresholds)


def sgd_pl(eps: np.ndarray, groups: int, size: int, generator: torch.Generator) -> np.ndarray:
    problem = noisy_parabola(1.0, 1.0)
    oracle = Oracle.minibatch(problem, 1, generator)
    limit = PATIENCE * int(sgd_pl_count(eps).max())
    solver, x0 = GradientDescent(InverseTime(1.0)), problem.starts(groups, size)
    return _times(solver, oracle, x0, limit, lambda x: problem.gap(x).mean(-1), _column(eps))


def sgd_convex(eps: np.ndarray, groups: int, size: int, generator: torch.Generator) -> np.ndarray:
    times = []
    for e, N in zip(eps, sgd_convex_count(eps), strict=True):
        problem = noisy_parabola(convex_curvature(N), 1.0)
        oracle = Oracle.minibatch(problem, 1, generator)
        solver, x0 = PolyakRuppert(GradientDescent(N**-0.5)), problem.starts(groups, size)
        times.append(_times(solver, oracle, x0, PATIENCE * int(N) + 1, lambda x, f=problem: f.gap(x).mean(-1), [e]))
    return np.stack(times)


def sgd_nonconvex(eps: np.ndarray, groups: int, size: int, generator: torch.Generator) -> np.ndarray:
    times = []
    for e, N in zip(eps, sgd_nonconvex_count(eps), strict=True):
        problem = two_mode(two_mode_curvature(N), 1.0, 1.0, 1.0)
        oracle = Oracle.minibatch(problem, 1, generator)
        solver, x0 = GradientDescent((2 / N) ** 0.5), problem.starts(groups, size)
        square = squared_gradient(problem)
        limit = PATIENCE * int(N) + 1
        times.append(1 + _times(solver, oracle, x0, limit, lambda x, s=square: s(x).mean(-1), [e], over="mean"))
    return np.stack(times)  # one more: the mean over x_0, ..., x_k has k + 1 terms


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


# The closed forms N(eps) in these units: exact integers for GD, leading terms (not rounded) for SGD.
def gd_pl_count(eps: np.ndarray) -> np.ndarray:
    return _exact(gd.count_pl, eps, Delta=1, mu=MU, L=1, h=1)


def gd_convex_count(eps: np.ndarray) -> np.ndarray:
    return _exact(gd.count_convex, eps, L=1, R=1, h=1)


def gd_nonconvex_count(eps: np.ndarray) -> np.ndarray:
    return _exact(gd.count_nonconvex, eps, L=1, Delta=1, h=1)


def sgd_pl_count(eps: np.ndarray) -> np.ndarray:
    return 1 / (2 * np.asarray(eps, dtype=float))


def sgd_convex_count(eps: np.ndarray) -> np.ndarray:
    return float(worst_parabola()[1]) ** 2 / np.asarray(eps, dtype=float) ** 2


def sgd_nonconvex_count(eps: np.ndarray) -> np.ndarray:
    return sgd.count_nonconvex_two_mode(L=1, Delta=1, sigma=1, eps=np.asarray(eps))


def _exact(bound, eps: np.ndarray, **numbers) -> np.ndarray:
    return np.array([int(bound.exactly(eps=float(e), **numbers)) for e in eps])


def _column(values) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float64).unsqueeze(-1)


def _times(solver, oracle, x0, limit, measure, thresholds, over="last") -> np.ndarray:
    thresholds = torch.as_tensor(thresholds, dtype=torch.float64, device=x0.device)
    return hitting_times(solver, oracle, x0, limit, measure, thresholds, over).cpu().numpy()
