"""Instances whose minimizer is drawn, so that no method can profit from where its author put it, and who is tried on them.

Shared by the studies of lower bounds: the prior x* ~ N(x_0, R^2), parabolas and Le Cam's two Huber functions moved there,
and every solver of the package that lives on stochastic gradients. An interval may reach 10 % (full: 5 %) below a bound,
since a method that attains it cannot be told from one slightly below.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from ratewitness.problems.huber import huber
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.around.averaging import PolyakRuppert
from ratewitness.solvers.catalogue import catalogue
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.lbfgs import LBFGS
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.schedules import InverseTime
from ratewitness.solvers.solver import Solver, run
from ratewitness.studies.claims import Budget

GROUPS = 10
SIGMA, R, MU = 2.0, 3.0, 0.5
L = 10 * MU  # what the solvers are told: the parabola of curvature mu is one member of the class
STEPS = np.logspace(-1, 1, 8)  # in units of R/(sigma sqrt N), the same for every solver
FLAT = R / 20  # half the width of the Huber function's parabola


def normal(budget: Budget, count: int, *stream) -> torch.Tensor:
    """So many draws from the prior N(0, R^2), (groups, size, 1)."""
    generator = budget.generator("prior", *stream)
    return R * torch.randn(GROUPS, count // GROUPS, 1, generator=generator, device=generator.device, dtype=torch.float64)


def moved(problem: FiniteSum, minimizer: torch.Tensor) -> FiniteSum:
    """`problem`, whose minimizer is 0, with another minimizer for every replicate."""
    gap, grad = problem.gap, problem.grad
    return replace(problem, gap=lambda x: gap(x - minimizer), grad=lambda x: grad(x - minimizer), minimizer=minimizer)


def two_functions(slope: float, like: torch.Tensor) -> FiniteSum:
    """slope |x - v R|, v = +-1 in halves of every group of `like` (groups, size, 1), rounded for |x - v R| <= FLAT."""
    v = torch.ones_like(like) - 2 * (torch.arange(like.shape[1], device=like.device) % 2).unsqueeze(-1)
    return moved(huber(slope / FLAT, FLAT, 0.0), R * v)


def gaps(solver: Solver, problem: FiniteSum, oracle, at, x0: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Component gradients asked for (len(at),) and E f(x_k) - f* (len(at), ..., groups) at the iterations `at`."""
    trace = run(solver, oracle, x0, at[-1], lambda x: problem.gap(x).mean(-1), at=at)
    return np.array(trace.component_gradients), trace.values.cpu().numpy()


def solvers(n: int | None = None) -> dict[str, Solver]:
    """Every solver of the package that needs nothing but stochastic gradients, with decreasing and constant steps."""
    constant = {f"{name}, constant": s for name, s in catalogue(L, MU).items() if name != "armijo"}
    return catalogue(L, MU, noisy=True, n=n) | constant


def untuned() -> dict[str, Solver]:
    """Those solvers, and the one that attains the Bayes risk."""
    return solvers() | {"least squares": least_squares(MU)}


def tuned(unit: float, curvature: float | None = None) -> dict[str, Solver]:
    """Solvers with constant steps on the grid, (8, 1, 1, 1) against x (8, groups, size, 1)."""
    lr = unit * torch.as_tensor(STEPS).reshape(-1, 1, 1, 1)
    found = {
        "gradient descent": GradientDescent(lr),
        "averaged gradient descent": PolyakRuppert(GradientDescent(lr)),
        "heavy ball": HeavyBall(0.1 * lr, 0.9),  # moves like the step lr
        "nesterov": Nesterov(0.1 * lr, 0.9),
    }
    if curvature:
        found["lbfgs"] = LBFGS(curvature * lr, memory=1, scale=1 / curvature)
        found["least squares"] = least_squares(curvature)
    return found


def least_squares(mu: float) -> GradientDescent:
    """SGD with a_k = mu/(sigma^2/R^2 + (k+1) mu^2): the mean of the posterior, that is recursive least squares."""
    return GradientDescent(InverseTime(mu, 1.0, 1 + (SIGMA / (mu * R)) ** 2))
