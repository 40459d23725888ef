r"""Adam and AdamW: a step in each coordinate relative to the size of its gradients.

    m_k = beta1 m_{k-1} + (1 - beta1) g_k,      v_k = beta2 v_{k-1} + (1 - beta2) g_k^2,      m_{-1} = v_{-1} = 0
    mhat_k = m_k / (1 - beta1^{k+1}),           vhat_k = v_k / (1 - beta2^{k+1}),             k = 0, 1, 2, ...

    Adam         x_{k+1} = x_k - a_k mhat_k / (sqrt(vhat_k) + eps)
    AdamW        x_{k+1} = (1 - a_k lambda) x_k - a_k mhat_k / (sqrt(vhat_k) + eps)
    AdamWPaper   x_{k+1} = (1 - s_k lambda) x_k - s_k a mhat_k / (sqrt(vhat_k) + eps)

Pinned as in torch: eps stands outside the root and is added after the bias correction. Without bias correction mhat = m and
vhat = v. Decoupled decay comes in two forms: AdamW multiplies it by the step a_k, as torch does; the paper multiplies
it by the schedule s_k only, so that its lambda is a times the lambda of torch at the same schedule. With eps = 0 a gradient
that has always been 0 gives 0/0, which is refused where torch goes on with NaN.

With eps = 0 the first step of Adam with bias correction is -a sign(g), whatever the betas; with beta1 = beta2 = 0 every
step is: sign descent, the normalized step of the l_inf norm.

D. P. Kingma and J. Ba (2015), arXiv:1412.6980, algorithm 1; I. Loshchilov and F. Hutter (2019), arXiv:1711.05101.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from ratewitness.solvers.division import over_root
from ratewitness.solvers.ranges import at_least_zero, below_one
from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


class Moments(NamedTuple):
    m: Tensor  # average of the gradients
    v: Tensor  # average of their squares
    k: int

    @classmethod
    def zero(cls, x: Tensor) -> Moments:
        return cls(torch.zeros_like(x), torch.zeros_like(x), 0)

    def after(self, g: Tensor, beta1: float | Tensor, beta2: float | Tensor) -> Moments:
        """The moments with the gradient g (*batch, *shape) in them."""
        return Moments(torch.lerp(self.m, g, 1 - beta1), torch.lerp(self.v, g * g, 1 - beta2), self.k + 1)

    def corrected(self, beta1: float | Tensor, beta2: float | Tensor) -> tuple[Tensor, Tensor]:
        """mhat and vhat after k gradients."""
        return self.m / (1 - beta1**self.k), self.v / (1 - beta2**self.k)


def normalized(
    g: Tensor,
    state: Moments,
    beta1: float | Tensor,
    beta2: float | Tensor,
    eps: float | Tensor,
    bias_correction: bool = True,
) -> tuple[Tensor, Moments]:
    """mhat / (sqrt(vhat) + eps) and the moments after the gradient g: (*batch, *shape) -> (*batch, *shape)."""
    moments = state.after(g, beta1, beta2)
    m, v = moments.corrected(beta1, beta2) if bias_correction else (moments.m, moments.v)
    return over_root(m, v, eps, eps_inside=False), moments


@dataclass(frozen=True, eq=False)
class Adam:
    """x - lr * mhat / (sqrt(vhat) + eps).

    Raises ValueError for a negative lr or eps, and a beta outside [0, 1); a step does for 0/0.
    """

    lr: Schedule
    beta1: float | Tensor = 0.9
    beta2: float | Tensor = 0.999
    eps: float | Tensor = 1e-8
    bias_correction: bool = True

    def __post_init__(self):
        at_least_zero(lr=self.lr, eps=self.eps)
        below_one(beta1=self.beta1, beta2=self.beta2)

    def init(self, x: Tensor) -> Moments:
        return Moments.zero(x)

    def step(self, x: Tensor, state: Moments, oracle) -> tuple[Tensor, Moments]:
        g = oracle.grad(x)
        direction, moments = normalized(g, state, self.beta1, self.beta2, self.eps, self.bias_correction)
        return x - step_size(self.lr, state.k) * direction, moments


@dataclass(frozen=True, eq=False)
class AdamW:
    """(1 - lr * weight_decay) x - lr * mhat / (sqrt(vhat) + eps).

    Raises ValueError for a negative lr, eps or weight_decay, and a beta outside [0, 1); a step does for 0/0.
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
        return Moments.zero(x)

    def step(self, x: Tensor, state: Moments, oracle) -> tuple[Tensor, Moments]:
        direction, moments = normalized(oracle.grad(x), state, self.beta1, self.beta2, self.eps)
        lr = step_size(self.lr, state.k)
        return (1 - lr * self.weight_decay) * x - lr * direction, moments


@dataclass(frozen=True, eq=False)
class AdamWPaper:
    """(1 - schedule * weight_decay) x - schedule * lr * mhat / (sqrt(vhat) + eps), lr a number.

    Raises ValueError for a negative lr, eps, weight_decay or schedule, an lr that is a rule, and a beta outside [0, 1); a
    step does for 0/0.
    """

    lr: float | Tensor
    beta1: float | Tensor = 0.9
    beta2: float | Tensor = 0.999
    eps: float | Tensor = 1e-8
    weight_decay: float | Tensor = 1e-5
    schedule: Schedule = 1.0

    def __post_init__(self):
        if callable(self.lr):
            raise ValueError("lr is a rule k -> a_k; accepted are numbers, and the rule as `schedule`")
        at_least_zero(lr=self.lr, eps=self.eps, weight_decay=self.weight_decay, schedule=self.schedule)
        below_one(beta1=self.beta1, beta2=self.beta2)

    def init(self, x: Tensor) -> Moments:
        return Moments.zero(x)

    def step(self, x: Tensor, state: Moments, oracle) -> tuple[Tensor, Moments]:
        direction, moments = normalized(oracle.grad(x), state, self.beta1, self.beta2, self.eps)
        share = step_size(self.schedule, state.k)
        return (1 - share * self.weight_decay) * x - share * self.lr * direction, moments
