r"""Adam and AdamW: a step in each coordinate relative to the size of its gradients.

    m_k = beta1 m_{k-1} + (1 - beta1) g_k,      v_k = beta2 v_{k-1} + (1 - beta2) g_k^2,      m_{-1} = v_{-1} = 0
    mhat_k = m_k / (1 - beta1^{k+1}),           vhat_k = v_k / (1 - beta2^{k+1}),             k = 0, 1, 2, ...

    Adam     x_{k+1} = x_k - a_k mhat_k / (sqrt(vhat_k) + eps)
    AdamW    x_{k+1} = (1 - a_k lambda) x_k - a_k mhat_k / (sqrt(vhat_k) + eps)

Pinned as in torch: eps stands outside the root and is added after the bias correction; the decay of AdamW is decoupled
from the gradient and *multiplied by the step*. The paper of AdamW decays by a factor 1 - lambda that the step does not
enter: its lambda is a_k lambda here. A denominator that is 0 (eps = 0, and gradients that are 0 or whose squares are
below the smallest number) makes a step of 0, where torch gives NaN.

With eps = 0 the first step is -a sign(g), whatever the betas; with beta1 = beta2 = 0 every step is: sign descent, the
normalized step of the l_inf norm.

D. P. Kingma and J. Ba (2015), arXiv:1412.6980, algorithm 1; I. Loshchilov and F. Hutter (2019), arXiv:1711.05101.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from solvers.ranges import at_least_zero, below_one
from solvers.schedules import Schedule, step_size


class Moments(NamedTuple):
    m: Tensor  # average of the gradients
    v: Tensor  # average of their squares
    k: int


def normalized(
    g: Tensor, state: Moments, beta1: float | Tensor, beta2: float | Tensor, eps: float | Tensor
) -> tuple[Tensor, Moments]:
    """mhat / (sqrt(vhat) + eps) and the moments after the gradient g: (*batch, *shape) -> (*batch, *shape)."""
    t = state.k + 1
    m, v = beta1 * state.m + (1 - beta1) * g, beta2 * state.v + (1 - beta2) * g**2
    scale = (v / (1 - beta2**t)).sqrt() + eps
    return torch.where(scale == 0, 0, m / (1 - beta1**t) / scale), Moments(m, v, t)


@dataclass(frozen=True, eq=False)
class Adam:
    """x - lr * mhat / (sqrt(vhat) + eps). Raises ValueError for a negative lr or eps, and a beta outside [0, 1)."""

    lr: Schedule
    beta1: float | Tensor = 0.9
    beta2: float | Tensor = 0.999
    eps: float | Tensor = 1e-8

    def __post_init__(self):
        at_least_zero(lr=self.lr, eps=self.eps)
        below_one(beta1=self.beta1, beta2=self.beta2)

    def init(self, x: Tensor) -> Moments:
        return Moments(torch.zeros_like(x), torch.zeros_like(x), 0)

    def step(self, x: Tensor, state: Moments, oracle) -> tuple[Tensor, Moments]:
        direction, moments = normalized(oracle.grad(x), state, self.beta1, self.beta2, self.eps)
        return x - step_size(self.lr, state.k) * direction, moments


@dataclass(frozen=True, eq=False)
class AdamW:
    """(1 - lr * weight_decay) x - lr * mhat / (sqrt(vhat) + eps).

    Raises ValueError for a negative lr, eps or weight_decay, and a beta outside [0, 1).
    """

    lr: Schedule
    beta1: float | Tensor = 0.9
    beta2: float | Tensor = 0.999
    eps: float | Tensor = 1e-8
    weight_decay: float | Tensor = 0.01

    def __post_init__(self):
        at_least_zero(lr=self.lr, eps=self.eps, weight_decay=self.weight_decay)
        below_one(beta1=self.beta1, beta2=self.beta2)

    def init(self, x: Tensor) -> Moments:
        return Moments(torch.zeros_like(x), torch.zeros_like(x), 0)

    def step(self, x: Tensor, state: Moments, oracle) -> tuple[Tensor, Moments]:
        direction, moments = normalized(oracle.grad(x), state, self.beta1, self.beta2, self.eps)
        lr = step_size(self.lr, state.k)
        return (1 - lr * self.weight_decay) * x - lr * direction, moments
