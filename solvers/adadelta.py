r"""AdaDelta: RMSProp with the size of its own steps in place of a step size.

    v_k = rho v_{k-1} + (1 - rho) g_k^2,                   v_{-1} = 0
    d_k = sqrt(u_{k-1} + eps) / sqrt(v_k + eps) g_k,       u_{-1} = 0
    u_k = rho u_{k-1} + (1 - rho) d_k^2
    x_{k+1} = x_k - a_k d_k                                a_k = 1 in the paper

The units of x cancel where those of a gradient method do not. eps stands inside both roots, and is what starts the method:
with eps = 0 it never moves, so that eps must be positive.

M. D. Zeiler (2012), arXiv:1212.5701, algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from ratewitness.solvers.division import over_root
from ratewitness.solvers.ranges import at_least_zero, below_one, holds, shown
from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


class Averages(NamedTuple):
    v: Tensor  # of the squared gradients
    u: Tensor  # of the squared steps
    k: int


@dataclass(frozen=True, eq=False)
class AdaDelta:
    """x - lr * sqrt(u + eps) / sqrt(v + eps) * g.

    Raises ValueError for a negative lr, a rho outside [0, 1), and an eps that is not positive.
    """

    lr: Schedule = 1.0
    rho: float | Tensor = 0.9
    eps: float | Tensor = 1e-6

    def __post_init__(self):
        at_least_zero(lr=self.lr)
        below_one(rho=self.rho)
        if not holds(self.eps, lambda v: v > 0):
            raise ValueError(f"eps is {shown(self.eps)}; accepted are numbers > 0, without which the method never moves")

    def init(self, x: Tensor) -> Averages:
        return Averages(torch.zeros_like(x), torch.zeros_like(x), 0)

    def step(self, x: Tensor, state: Averages, oracle) -> tuple[Tensor, Averages]:
        g = oracle.grad(x)
        v = torch.lerp(state.v, g * g, 1 - self.rho)
        d = (state.u + self.eps).sqrt() * over_root(g, v, self.eps, eps_inside=True)
        u = torch.lerp(state.u, d * d, 1 - self.rho)
        return x - step_size(self.lr, state.k) * d, Averages(v, u, state.k + 1)
