"""Gradient descent; on a minibatch oracle it is stochastic gradient descent.

    x_{k+1} = x_k - a_k g_k,        g_k = grad f(x_k) or an unbiased estimate of it.

A. Cauchy (1847); H. Robbins and S. Monro (1951).
"""

from __future__ import annotations

from dataclasses import dataclass

from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


@dataclass(frozen=True, eq=False)
class GradientDescent:
    """x - lr * gradient."""

    lr: Schedule

    def init(self, x: Tensor) -> int:
        return 0

    def step(self, x: Tensor, k: int, oracle) -> tuple[Tensor, int]:
        return x - step_size(self.lr, k) * oracle.grad(x), k + 1
