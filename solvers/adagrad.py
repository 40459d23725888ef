r"""AdaGrad, diagonal, by norm and full-matrix: steps that shrink with the gradients seen so far.

    diagonal       x_{k+1} = x_k - a_k g_k / sqrt(eps + sum_{j<=k} g_j^2)                        (entrywise)
    norm           x_{k+1} = x_k - a_k g_k / sqrt(eps + sum_{j<=k} ||g_j||_2^2)                  (one number a point)
    full matrix    x_{k+1} = x_k - a_k (eps I + sum_{j<=k} g_j g_j^T)^{-1/2} g_k,                g_k flattened row by row

eps stands *inside* the root, so that the diagonal method is the full one with the off-diagonal sums left out; with
eps_inside=False it is added to the root, as torch's Adagrad does. With eps = 0 a gradient that has always been 0 gives 0/0,
which the first two refuse; the root of the full method then is the pseudo-inverse, and it moves within the span of the
gradients seen.

The full method costs O(D^3) time and O(D^2) memory a step for D numbers a point.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12: there delta is added outside the root. By norm: M. Streeter and H. B.
McMahan (2010), arXiv:1002.4862; R. Ward, X. Wu and L. Bottou (2019), arXiv:1806.01811.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from ratewitness.solvers.division import over_root
from ratewitness.solvers.norms.inverse_root import inverse_root
from ratewitness.solvers.ranges import at_least_zero, positive_integer
from ratewitness.solvers.schedules import Schedule, step_size
from ratewitness.solvers.solver import dot
from torch import Tensor


class Sums(NamedTuple):
    G: Tensor  # sum of g^2, (*batch, *shape), of ||g||^2, (*batch, 1, ..., 1), or of g g^T, (*batch, D, D)
    k: int


@dataclass(frozen=True, eq=False)
class AdaGrad:
    """x - lr * g / sqrt(eps + sum g^2). Raises ValueError for a negative lr or eps; a step does for 0/0."""

    lr: Schedule
    eps: float | Tensor = 1e-10
    eps_inside: bool = True

    def __post_init__(self):
        at_least_zero(lr=self.lr, eps=self.eps)

    def init(self, x: Tensor) -> Sums:
        return Sums(torch.zeros_like(x), 0)

    def step(self, x: Tensor, state: Sums, oracle) -> tuple[Tensor, Sums]:
        g = oracle.grad(x)
        G = state.G + g * g
        return x - step_size(self.lr, state.k) * over_root(g, G, self.eps, self.eps_inside), Sums(G, state.k + 1)


@dataclass(frozen=True, eq=False)
class AdaGradNorm:
    """x - lr * g / sqrt(eps + sum ||g||^2); `ndim` trailing axes of x form one point.

    Raises ValueError for a negative lr or eps, and an ndim that is no integer from 1 to the axes of x; a step does for 0/0.
    """

    lr: Schedule
    eps: float | Tensor = 1e-10
    eps_inside: bool = True
    ndim: int = 1

    def __post_init__(self):
        at_least_zero(lr=self.lr, eps=self.eps)
        positive_integer(ndim=self.ndim)

    def init(self, x: Tensor) -> Sums:
        _has_axes(x, self.ndim)
        return Sums(torch.zeros_like(dot(x, x, self.ndim)), 0)

    def step(self, x: Tensor, state: Sums, oracle) -> tuple[Tensor, Sums]:
        g = oracle.grad(x)
        G = state.G + dot(g, g, self.ndim)
        return x - step_size(self.lr, state.k) * over_root(g, G, self.eps, self.eps_inside), Sums(G, state.k + 1)


@dataclass(frozen=True, eq=False)
class FullAdaGrad:
    """x - lr * (eps I + sum g g^T)^{-1/2} g; `ndim` trailing axes of x form one point.

    Raises ValueError for a negative lr or eps, and for an ndim that is no integer from 1 to the axes of x.
    """

    lr: Schedule
    eps: float | Tensor = 1e-10  # a tensor broadcasts against x and is constant over a point
    ndim: int = 1

    def __post_init__(self):
        at_least_zero(lr=self.lr, eps=self.eps)
        positive_integer(ndim=self.ndim)

    def init(self, x: Tensor) -> Sums:
        _has_axes(x, self.ndim)
        flat = x.flatten(-self.ndim)
        return Sums(torch.zeros_like(flat.unsqueeze(-1) * flat.unsqueeze(-2)), 0)

    def step(self, x: Tensor, state: Sums, oracle) -> tuple[Tensor, Sums]:
        g = oracle.grad(x).flatten(-self.ndim).unsqueeze(-1)
        G = state.G + g @ g.mT
        eps = self.eps
        if isinstance(eps, Tensor) and eps.ndim:  # (*batch, 1, ..., 1) -> (*batch, 1, 1)
            eps = eps[(..., *[0] * self.ndim)][..., None, None]
        direction = (inverse_root(G, 2, eps, strict=False) @ g).reshape(x.shape)
        return x - step_size(self.lr, state.k) * direction, Sums(G, state.k + 1)


def _has_axes(x: Tensor, ndim: int) -> None:
    if x.ndim < ndim:
        raise ValueError(f"ndim is {ndim}; accepted are 1 to {x.ndim} for x of shape {tuple(x.shape)}")
