r"""DoG, distance over gradients: AdaGrad by norm, with the distance that it has come in the place of a step.

    x_{k+1} = x_k - r_k g_k/(eps + sum_{j<=k} ||g_j||_2^2)^{1/2},      r_k = max(r_eps, max_{j<=k} ||x_j - x_0||_2)

There is no step to tune: r_eps is a first move, far below the distance to a minimizer, which r_k finds by growing.
Multiplied by c and started with c r_eps, a problem is solved by the same iterates times c. What is guaranteed is so for
iterates weighted by r_k (theory/distance_over_gradients.py); noise that outweighs the gradients keeps r_k from growing.

With eps = 0 a gradient that has always been 0 gives 0/0, which is refused.

M. Ivgi, O. Hinder and Y. Carmon (2023), arXiv:2302.12022, whose eps is 0; their code adds one inside the root and takes
r_eps = 1e-6 (1 + ||x_0||).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from ratewitness.solvers.division import over_root
from ratewitness.solvers.ranges import at_least_zero, holds, positive_integer, shown
from ratewitness.solvers.solver import dot
from torch import Tensor


class Seen(NamedTuple):
    start: Tensor  # x_0
    r: Tensor  # the largest distance from it, and at least r_eps, (*batch, 1, ..., 1)
    G: Tensor  # sum of ||g||^2, (*batch, 1, ..., 1)


@dataclass(frozen=True, eq=False)
class DoG:
    """x - r * g / sqrt(eps + sum ||g||^2); `ndim` trailing axes of x form one point.

    Raises ValueError for an r_eps that is not above 0, a negative eps, and an ndim that is no integer from 1 to the axes of
    x; a step does for 0/0.
    """

    r_eps: float | Tensor = 1e-6
    eps: float | Tensor = 1e-10
    ndim: int = 1

    def __post_init__(self):
        if not holds(self.r_eps, lambda v: v > 0):
            raise ValueError(f"r_eps is {shown(self.r_eps)}; accepted are numbers > 0")
        at_least_zero(eps=self.eps)
        positive_integer(ndim=self.ndim)

    def init(self, x: Tensor) -> Seen:
        if x.ndim < self.ndim:
            raise ValueError(f"ndim is {self.ndim}; accepted are 1 to {x.ndim} for x of shape {tuple(x.shape)}")
        none = torch.zeros_like(dot(x, x, self.ndim))
        return Seen(x, none + self.r_eps, none)

    def step(self, x: Tensor, state: Seen, oracle) -> tuple[Tensor, Seen]:
        g = oracle.grad(x)
        G = state.G + dot(g, g, self.ndim)
        away = x - state.start
        r = torch.maximum(state.r, dot(away, away, self.ndim).sqrt())
        return x - r * over_root(g, G, self.eps, True), Seen(state.start, r, G)
