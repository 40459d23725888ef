r"""Descent by linear minimization oracles, with momentum, free or inside a ball.

    m_{k+1} = momentum m_k + (1 - momentum) g_k,        m_0 = 0
    d_k     = m_{k+1},   or with nesterov   momentum m_{k+1} + (1 - momentum) g_k
    x_{k+1} = x_k + a_k lmo(d_k)                                 without radius
    x_{k+1} = (1 - a_k) x_k + a_k radius lmo(d_k)                with radius

The step has length a_k whatever the gradient (0 where d_k = 0). Without momentum it is normalized gradient descent in
l_2 and sign descent in l_inf; in the spectral norm it is Muon with exact U V^T, a step of torch's convention: an average
that starts at 0 and is not corrected, as the LMO does not see the scale.

With radius it is the stochastic conditional gradient method (Frank-Wolfe for momentum = 0): a convex combination, so it
stays in the ball {||x|| <= radius} if x_0 lies there and 0 <= a_k <= 1. It is also the free form with the step a_k radius
and the decoupled weight decay 1/radius. Scion calls 1 - momentum its momentum.

Hypothesis for the constrained form, not checked: x_0 in the ball. A gradient that is not finite makes its own replicate
NaN and leaves the others alone.

T. Pethick, W. Xie, K. Antonakopoulos, Z. Zhu, A. Silveti-Falls and V. Cevher (2025), arXiv:2502.07529; M. Frank and
P. Wolfe (1956); A. Mokhtari, H. Hassani and A. Karbasi (2020), arXiv:1804.09554.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from ratewitness.solvers.norms.lmo import Norm, check_norm
from ratewitness.solvers.ranges import at_least_zero, below_one, holds, shown
from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


@dataclass(frozen=True, eq=False)
class LMODescent:
    """x + lr * lmo(m), or (1 - lr) x + lr * radius * lmo(m); the trailing `norm.ndim` axes of x form one point.

    Raises ValueError for a negative lr, a norm that is no `Norm`, a momentum outside [0, 1), a radius that is not positive
    and, with a radius, an lr that is found outside [0, 1].
    """

    lr: Schedule
    norm: Norm
    momentum: float | Tensor = 0.0
    nesterov: bool = False
    radius: float | Tensor | None = None

    def __post_init__(self):
        at_least_zero(lr=self.lr)
        check_norm(norm=self.norm)
        below_one(momentum=self.momentum)
        if self.radius is not None and not holds(self.radius, lambda radius: radius > 0):
            raise ValueError(f"radius is {shown(self.radius)}; accepted are positive numbers, or None for no ball")
        if not callable(self.lr):
            self._step_size(0)

    def _step_size(self, k: int) -> float | Tensor:
        lr = step_size(self.lr, k)
        if self.radius is not None and not holds(lr, lambda lr: (lr >= 0) & (lr <= 1)):
            raise ValueError(f"lr is {shown(lr)} at step {k}; accepted are numbers from 0 to 1, which keep x in the ball")
        return lr

    def init(self, x: Tensor) -> tuple[Tensor, int]:
        return torch.zeros_like(x), 0

    def step(self, x: Tensor, state: tuple[Tensor, int], oracle) -> tuple[Tensor, tuple[Tensor, int]]:
        (m, k), g = state, oracle.grad(x)
        m = self.momentum * m + (1 - self.momentum) * g
        d = self.momentum * m + (1 - self.momentum) * g if self.nesterov else m
        lr, best = self._step_size(k), self.norm.lmo(d, strict=False)
        if self.radius is None:
            return x + lr * best, (m, k + 1)
        return (1 - lr) * x + lr * self.radius * best, (m, k + 1)
