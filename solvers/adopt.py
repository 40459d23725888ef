r"""ADOPT: Adam whose gradient is divided by the average of the squares before it, and averaged after that.

    v_0 = g_0^2                                         the first gradient only fills v, and x_1 = x_0
    u_k = g_k / max(sqrt(v_{k-1}), eps),      m_1 = u_1,      m_k = beta1 m_{k-1} + (1 - beta1) u_k
    x_{k+1} = x_k - a_k m_k,                  v_k = beta2 v_{k-1} + (1 - beta2) g_k^2,            k = 1, 2, ...

Where gradients are independent draws, v_{k-1} does not depend on g_k, so that E u_k points where E g_k does: Adam's g_k /
sqrt(v_k) need not. No bias correction is needed: v_0 and m_1 are no zeros.

Pinned: the algorithm of the paper, as recalled. The authors' code, published since in several versions, also limits u_k:
by an eps that falls with k in one, by clipping at k^{1/4} in another. Neither is done here.

S. Taniguchi et al. (2024), arXiv:2411.02853.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from ratewitness.solvers.adam import Moments
from ratewitness.solvers.division import over_root
from ratewitness.solvers.ranges import at_least_zero, below_one
from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ADOPT:
    """x - lr * m, m the average of g / max(sqrt(v before it), eps).

    Raises ValueError for a negative lr or eps, and a beta outside [0, 1); a step does for 0/0.
    """

    lr: Schedule
    beta1: float | Tensor = 0.9
    beta2: float | Tensor = 0.9999
    eps: float | Tensor = 1e-6

    def __post_init__(self):
        at_least_zero(lr=self.lr, eps=self.eps)
        below_one(beta1=self.beta1, beta2=self.beta2)

    def init(self, x: Tensor) -> Moments:
        return Moments.zero(x)

    def step(self, x: Tensor, state: Moments, oracle) -> tuple[Tensor, Moments]:
        g = oracle.grad(x)
        if state.k == 0:
            return x + 0 * g, Moments(state.m, g * g, 1)  # NaN where the gradient is
        eps = torch.as_tensor(self.eps, dtype=g.dtype, device=g.device)
        u = over_root(g, torch.maximum(state.v, eps * eps), 0.0, eps_inside=False)
        m = u if state.k == 1 else torch.lerp(state.m, u, 1 - self.beta1)
        return x - step_size(self.lr, state.k) * m, Moments(m, torch.lerp(state.v, g * g, 1 - self.beta2), state.k + 1)
