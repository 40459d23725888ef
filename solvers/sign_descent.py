r"""Sign descent: signSGD and, with an average, Signum.

    m_k = beta1 m_{k-1} + (1 - beta1) g_k,  m_{-1} = 0;        x_{k+1} = x_k - a_k sign(m_k),  sign(0) = 0

With beta1 = 0 it is the normalized step of the l_inf norm, and Adam with beta1 = beta2 = eps = 0 where no entry is 0.

J. Bernstein, Y.-X. Wang, K. Azizzadenesheli and A. Anandkumar (2018), arXiv:1802.04434.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from ratewitness.solvers.ranges import at_least_zero, below_one
from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


class Average(NamedTuple):
    m: Tensor  # of the gradients
    k: int


def sign(m: Tensor) -> Tensor:
    """The signs of the entries; torch gives 0 for NaN, and a diverged run would stand still."""
    return torch.where(m.isnan(), m, m.sign())


@dataclass(frozen=True, eq=False)
class SignSGD:
    """x - lr * sign(m). Raises ValueError for a negative lr and a beta1 outside [0, 1)."""

    lr: Schedule
    beta1: float | Tensor = 0.0

    def __post_init__(self):
        at_least_zero(lr=self.lr)
        below_one(beta1=self.beta1)

    def init(self, x: Tensor) -> Average:
        return Average(torch.zeros_like(x), 0)

    def step(self, x: Tensor, state: Average, oracle) -> tuple[Tensor, Average]:
        m = torch.lerp(state.m, oracle.grad(x), 1 - self.beta1)
        return x - step_size(self.lr, state.k) * sign(m), Average(m, state.k + 1)
