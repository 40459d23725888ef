r"""Schedule-free SGD: the average of a run, whose gradients are taken between the average and the run.

    y_k = (1 - beta) z_k + beta x_k,    z_{k+1} = z_k - a_k g(y_k),    x_{k+1} = x_k + (z_{k+1} - x_k)/(k + 2),    z_0 = x_0

x_k is the mean of z_0, ..., z_k. beta = 0 is Polyak averaging of SGD, beta = 1 takes gradients at the average. The
output is x_k; the gradient is taken at y_k. For convex f with E ||g||^2 <= B^2, a = R/(B sqrt(N + 1)) and every beta in
[0, 1]: E f(x_N) - f* <= B R/sqrt(N + 1). This is the method without warm-up and without the weights of its published
optimizer.

A. Defazio, X. Yang, H. Mehta, K. Mishchenko, A. Khaled and A. Cutkosky (2024), arXiv:2405.15682.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ratewitness.solvers.ranges import at_least_zero, holds, shown
from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


class Run(NamedTuple):
    z: Tensor  # of plain steps
    k: int


@dataclass(frozen=True, eq=False)
class ScheduleFree:
    """A step of z, and its mean x. Raises ValueError for a negative lr or an interpolation outside [0, 1]."""

    lr: Schedule
    interpolation: float | Tensor = 0.9  # beta

    def __post_init__(self):
        at_least_zero(lr=self.lr)
        if not holds(self.interpolation, lambda v: (v >= 0) & (v <= 1)):
            raise ValueError(f"interpolation is {shown(self.interpolation)}; accepted are numbers in [0, 1]")

    def init(self, x: Tensor) -> Run:
        return Run(x, 0)

    def step(self, x: Tensor, state: Run, oracle) -> tuple[Tensor, Run]:
        z, k = state
        z = z - step_size(self.lr, k) * oracle.grad(z + self.interpolation * (x - z))
        return x + (z - x) / (k + 2), Run(z, k + 1)
