r"""Diagonal networks beta = u^2 - v^2 on sparse regression: the data, gradient flow, and the gradient that solvers see.

    y = X beta*,    X (n, d) standard normal,    two of the d entries of beta* are 1 and -1,    risk |beta - beta*|^2

Flow is integrated by LSODA with its Jacobian, one seed after the other, as its steps are adaptive; gradient descent trains
all seeds and scales at once. Everything is in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from ratewitness.studies.measuring.streams import normal
from ratewitness.theory.lazy_to_rich import interpolator
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, linprog
from torch import Tensor

N, D = 20, 40
FITTED, LEARNT = 0.01, 0.1  # mean squared residual, risk; both are near 2 at beta = 0


@dataclass(frozen=True, eq=False)
class Diagonal:
    """One regression per seed: X (seeds, n, d), beta* (seeds, d). Points are (u, v) of shape (*sweep, seeds, 2 d)."""

    X: Tensor
    teacher: Tensor

    calls = component_gradients = values = 0  # nothing is counted

    @classmethod
    def drawn(cls, generator: torch.Generator, seeds: int, sparse: bool = True) -> Diagonal:
        """With a sparse teacher, or one of equal entries +-sqrt(2/d), which has the same length."""
        X = normal(generator, seeds, N, D)
        teacher = torch.zeros_like(X[:, 0])
        teacher[:, :2] = torch.tensor([1.0, -1.0])
        dense = normal(generator, seeds, D).sign() * (2 / D) ** 0.5
        return cls(X, teacher if sparse else dense)

    def start(self, *scales: float) -> Tensor:
        """(scales, seeds, 2 d), every entry the scale."""
        alpha = torch.tensor(scales, dtype=self.X.dtype, device=self.X.device)
        return alpha.reshape(-1, 1, 1).expand(-1, len(self.X), 2 * D).clone()

    def residual(self, w: Tensor) -> Tensor:
        return ((beta(w) - self.teacher).unsqueeze(-2) @ self.X.mT).squeeze(-2)

    def grad(self, w: Tensor) -> Tensor:
        g = (self.residual(w).unsqueeze(-2) @ self.X).squeeze(-2) / N
        u, v = w.chunk(2, -1)
        return torch.cat([2 * u * g, -2 * v * g], -1)

    def training(self, w: Tensor) -> Tensor:
        return self.residual(w).square().mean(-1)

    def risk(self, w: Tensor) -> Tensor:
        return (beta(w) - self.teacher).square().sum(-1)

    def each(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """X and beta* of every seed."""
        return list(zip(self.X.cpu().numpy(), self.teacher.cpu().numpy(), strict=True))


def beta(w):
    """u^2 - v^2 of points (..., 2 d)."""
    return w[..., :D] ** 2 - w[..., D:] ** 2


def flow(X: np.ndarray, teacher: np.ndarray, alpha: float, decay: float, end: float, learnt: float = 0.0, at=None):
    """scipy's solution of the flow until `end`, at the times `at`; with `learnt` until the risk is that, and then its events
    are the times of a mean squared residual of FITTED and of that risk."""
    S = X.T @ X / N
    twice = np.tile(S, (2, 2))

    def slope(_, w):
        u, v, g = w[:D], w[D:], 2 * (S @ (w[:D] ** 2 - w[D:] ** 2 - teacher))
        return np.concatenate([(-g - decay) * u, (g - decay) * v])

    def jacobian(_, w):
        signed, g = np.concatenate([w[:D], -w[D:]]), 2 * (S @ (w[:D] ** 2 - w[D:] ** 2 - teacher))
        J = -4 * signed[:, None] * twice * signed
        J[np.diag_indices(2 * D)] -= np.concatenate([g, -g]) + decay
        return J

    def fits(_, w):
        return np.mean((X @ (beta(w) - teacher)) ** 2) - FITTED

    def learns(_, w):
        return ((beta(w) - teacher) ** 2).sum() - learnt

    learns.terminal = True
    options = {"method": "LSODA", "jac": jacobian, "rtol": 1e-8, "atol": 1e-12, "t_eval": at}
    return solve_ivp(slope, (0.0, end), np.full(2 * D, alpha), events=[fits, learns] if learnt else None, **options)


def critical_scale(X: np.ndarray, teacher: np.ndarray, risk: float) -> float:
    """The scale at which the interpolator has this risk."""

    def excess(logarithm):
        return ((interpolator(X, X @ teacher, np.exp(logarithm)) - teacher) ** 2).sum() - risk

    return float(np.exp(brentq(excess, np.log(1e-5), np.log(10.0))))


def least_l1(X: np.ndarray, teacher: np.ndarray) -> float:
    """The least l1 norm of an interpolator."""
    return linprog(np.ones(2 * D), A_eq=np.hstack([X, -X]), b_eq=X @ teacher).fun
