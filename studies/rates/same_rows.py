r"""Least squares with the same rows and any noise in the targets, for `sublinear_rate`; this file states no claims.

f(w) = (1/(2n)) ||A w - y||^2,        y = A w* + noise,        A Gaussian, n = 40
"""

from __future__ import annotations

import numpy as np
import torch
from ratewitness.problems.data.least_squares import least_squares
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.saga import SAGA
from ratewitness.solvers.schedules import InverseTime
from ratewitness.solvers.svrg import SVRG
from ratewitness.studies.claims import Budget
from ratewitness.theory.moments import least_squares_moments

ROWS, FEATURES = 40, 4
CONSTANT = "sgd, constant step"


def normal(budget: Budget, *stream: object) -> torch.Tensor:
    """Standard normal numbers (40, 5), the same for every claim: rows and targets."""
    generator = budget.shared("sublinear_rate").generator(*stream)
    return torch.randn(ROWS, FEATURES + 1, generator=generator, device=generator.device, dtype=torch.float64)


def problem(budget: Budget, noise: float, draw: int = 0) -> FiniteSum:
    """Least squares with the same Gaussian rows whatever the noise; `draw` numbers the realizations of the noise."""
    A, w = normal(budget, "rows")[:, :FEATURES], normal(budget, "w")[0, :FEATURES]
    return least_squares(A, A @ w + noise * normal(budget, "noise", draw)[:, 0])


def method(name: str, f: FiniteSum):
    """A solver with the step of its theory, from L_max and mu; for SVRG, the practical 1/(10 L_max) and 2n."""
    L, mu = f.constants.component_smoothness, f.constants.pl
    return {
        "sgd, decreasing step": GradientDescent(InverseTime.for_pl(mu, L)),
        CONSTANT: GradientDescent(1 / L),
        "saga": SAGA(1 / (3 * L)),
        "svrg": SVRG(1 / (10 * L), 2 * f.n),
    }[name]


def exact_moments(f: FiniteSum, budget: Budget, noise: float, steps, count: int) -> tuple[np.ndarray, np.ndarray]:
    """E ||x_k - x*||^2 and E f(x_k) - f* of SGD for k = 0, ..., count, from the exact recursion."""
    A, best = normal(budget, "rows")[:, :FEATURES].cpu().numpy(), f.minimizer.cpu().numpy()
    # around the minimizer: the start is x_0 - x*, the targets are the residuals
    w = normal(budget, "w")[0, :FEATURES].cpu().numpy()
    targets = A @ (w - best) + noise * normal(budget, "noise", 0)[:, 0].cpu().numpy()
    _, square = least_squares_moments(A, targets, f.start.cpu().numpy() - best, steps, 1, count)
    return np.einsum("kii->k", square), np.einsum("ij,kji->k", A.T @ A / ROWS, square) / 2
