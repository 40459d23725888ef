r"""AMSGrad: Adam with the largest v so far in its denominator.

    m_k, v_k as in Adam
    raw maximum         u_k = max(u_{k-1}, v_k)                             divided by 1 - beta2^{k+1} afterwards
    corrected maximum   u_k = max(u_{k-1}, v_k / (1 - beta2^{k+1}))
    x_{k+1} = x_k - a_k mhat_k / (sqrt(uhat_k) + eps),                      u_{-1} = 0

The paper takes the maximum over the raw v and has neither bias correction nor eps: `bias_correction=False`, eps = 0. With
bias correction and the raw maximum, the default, it is torch's Adam(amsgrad=True). The corrected maximum (optax) is
another method: the corrected average of the first gradient is all of g_0^2, so that a large one keeps later steps small.
u never decreases. Nor does the denominator, in the paper's form and with the corrected maximum; in the default form it may
fall at first, by a factor (1 - beta2)^{1/2} at most, while the correction fades.

S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237, algorithm 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from ratewitness.solvers.adam import Moments
from ratewitness.solvers.division import over_root
from ratewitness.solvers.ranges import at_least_zero, below_one
from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


class Largest(NamedTuple):
    moments: Moments
    u: Tensor  # the largest v so far
    k: int


@dataclass(frozen=True, eq=False)
class AMSGrad:
    """x - lr * mhat / (sqrt(uhat) + eps).

    Raises ValueError for a negative lr or eps, a beta outside [0, 1), an unknown maximum, and the corrected maximum without
    bias correction; a step does for 0/0.
    """

    lr: Schedule
    beta1: float | Tensor = 0.9
    beta2: float | Tensor = 0.999
    eps: float | Tensor = 1e-8
    bias_correction: bool = True
    maximum: Literal["raw", "corrected"] = "raw"

    def __post_init__(self):
        at_least_zero(lr=self.lr, eps=self.eps)
        below_one(beta1=self.beta1, beta2=self.beta2)
        if self.maximum not in ("raw", "corrected"):
            raise ValueError(f"maximum is {self.maximum!r}; accepted are 'raw' and 'corrected'")
        if self.maximum == "corrected" and not self.bias_correction:
            raise ValueError("maximum is 'corrected' without bias correction; accepted is 'raw'")

    def init(self, x: Tensor) -> Largest:
        return Largest(Moments.zero(x), torch.zeros_like(x), 0)

    def step(self, x: Tensor, state: Largest, oracle) -> tuple[Tensor, Largest]:
        moments = state.moments.after(oracle.grad(x), self.beta1, self.beta2)
        m, v = moments.corrected(self.beta1, self.beta2) if self.bias_correction else (moments.m, moments.v)
        u = torch.maximum(state.u, v if self.maximum == "corrected" else moments.v)
        uhat = u / (1 - self.beta2**moments.k) if self.bias_correction and self.maximum == "raw" else u
        direction = over_root(m, uhat, self.eps, eps_inside=False)
        return x - step_size(self.lr, state.k) * direction, Largest(moments, u, moments.k)
