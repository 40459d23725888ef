r"""RMSProp: steps relative to a moving average of the squared gradients.

    v_k = beta2 v_{k-1} + (1 - beta2) g_k^2,     v_{-1} = 0
    x_{k+1} = x_k - a_k g_k / sqrt(eps + v_k)

centered       v_k - w_k^2 >= 0 in place of v_k, w_k = beta2 w_{k-1} + (1 - beta2) g_k: an estimate of the variance
momentum mu    x_{k+1} = x_k - a_k b_k,  b_k = mu b_{k-1} + g_k / sqrt(eps + v_k),  b_{-1} = 0

eps stands *inside* the root; with eps_inside=False it is added to the root, as torch's RMSprop does. There is no bias
correction: v starts at 0, so that the first step has length a/sqrt(1 - beta2) for eps = 0, and centered
a/sqrt(beta2 (1 - beta2)). With eps = 0 a gradient that has
always been 0 gives 0/0, which is refused.

T. Tieleman and G. Hinton (2012), lecture 6.5 of Neural Networks for Machine Learning; centered: A. Graves (2013),
arXiv:1308.0850.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from ratewitness.solvers.division import over_root
from ratewitness.solvers.ranges import at_least_zero, below_one
from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


class Squares(NamedTuple):
    v: Tensor  # average of the squared gradients
    w: Tensor | None  # average of the gradients, where centered
    b: Tensor | None  # the momentum, where there is some
    k: int


@dataclass(frozen=True, eq=False)
class RMSProp:
    """x - lr * g / sqrt(eps + v).

    Raises ValueError for a negative lr or eps, and a beta2 or momentum outside [0, 1); a step does for 0/0.
    """

    lr: Schedule
    beta2: float | Tensor = 0.9
    eps: float | Tensor = 1e-6
    eps_inside: bool = True
    centered: bool = False
    momentum: float | Tensor = 0.0

    def __post_init__(self):
        at_least_zero(lr=self.lr, eps=self.eps)
        below_one(beta2=self.beta2, momentum=self.momentum)

    def init(self, x: Tensor) -> Squares:
        has_momentum = isinstance(self.momentum, Tensor) or self.momentum > 0
        zero = torch.zeros_like(x)
        return Squares(zero, zero if self.centered else None, zero if has_momentum else None, 0)

    def step(self, x: Tensor, state: Squares, oracle) -> tuple[Tensor, Squares]:
        g = oracle.grad(x)
        v = torch.lerp(state.v, g * g, 1 - self.beta2)
        w = None if state.w is None else torch.lerp(state.w, g, 1 - self.beta2)
        variance = v if w is None else (v - w * w).clamp(min=0)  # below 0 by rounding only
        direction = over_root(g, variance, self.eps, self.eps_inside)
        b = None if state.b is None else self.momentum * state.b + direction
        return x - step_size(self.lr, state.k) * (direction if b is None else b), Squares(v, w, b, state.k + 1)
