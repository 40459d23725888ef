r"""Lion: the sign of one average of the gradients, while another is remembered.

    x_{k+1} = (1 - a_k lambda) x_k - a_k sign(beta1 m_{k-1} + (1 - beta1) g_k)
    m_k     = beta2 m_{k-1} + (1 - beta2) g_k,        m_{-1} = 0

With beta1 = beta2 and lambda = 0 it is Signum (`solvers/sign_descent.py`).

X. Chen et al. (2023), arXiv:2302.06675, algorithm 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from ratewitness.solvers.ranges import at_least_zero, below_one
from ratewitness.solvers.schedules import Schedule, step_size
from ratewitness.solvers.sign_descent import Average, sign
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Lion:
    """(1 - lr * weight_decay) x - lr * sign(beta1 m + (1 - beta1) g).

    Raises ValueError for a negative lr or weight_decay, and a beta outside [0, 1).
    """

    lr: Schedule
    beta1: float | Tensor = 0.9
    beta2: float | Tensor = 0.99
    weight_decay: float | Tensor = 0.0

    def __post_init__(self):
        at_least_zero(lr=self.lr, weight_decay=self.weight_decay)
        below_one(beta1=self.beta1, beta2=self.beta2)

    def init(self, x: Tensor) -> Average:
        return Average(torch.zeros_like(x), 0)

    def step(self, x: Tensor, state: Average, oracle) -> tuple[Tensor, Average]:
        g, lr = oracle.grad(x), step_size(self.lr, state.k)
        direction, m = sign(torch.lerp(state.m, g, 1 - self.beta1)), torch.lerp(state.m, g, 1 - self.beta2)
        return (1 - lr * self.weight_decay) * x - lr * direction, Average(m, state.k + 1)
