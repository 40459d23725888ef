r"""Shampoo: a matrix gradient between inverse fourth roots of its second moments from both sides.

    sum       L_k = L_{k-1} + G_k G_k^T,                            R_k = R_{k-1} + G_k^T G_k
    average   L_k = beta L_{k-1} + (1 - beta) G_k G_k^T,            R_k alike
    step      X_{k+1} = X_k - a_k L_k^{-1/4} G_k R_k^{-1/4},        L_{-1} = eps I, R_{-1} = eps I,   k = 0, 1, ...

The sum (beta = None) is the paper's: L_k = eps I + sum_{j<=k} G_j G_j^T. The average starts from the same eps I and
forgets it like beta^{k+1}, so that with beta = 0 every step is -a U V^T, G = U S V^T, whatever eps: the step of the
spectral norm; with eps = 0 the first step is -a U V^T for the sum and -a (1-beta)^{-1/2} U V^T for the average. Pinned:

- eps is absolute, and enters once, as the initial value. `ridge` (0) is added at every root instead,
  (L_k + ridge I)^{-1/4}, and is not forgotten: the Newton root needs it where an average may become singular.
- bias_correction divides the average L_k by 1 - beta^{k+1} before the root; the first step is then -a U V^T for eps = 0.
  L_{-1} counts as part of the average: at k = 0 the root is that of G_0 G_0^T + beta/(1-beta) eps I.
- Singular L_k or R_k: the pseudo-inverse root, solvers/norms/inverse_root.py. Since G G^T squares singular values, those of
G
  below about 1e-8 of the largest (float64; 3e-4 in float32) then count as zero or come out inexact.
- With interval T the roots are renewed at k = 0, T, 2T, ... and kept in between, the statistics at every step.
- `power` p replaces both roots by L^{-1/p}, R^{-1/p}: 4 is Shampoo's. X is one matrix, (*batch, m, n); a *batch* of
  vectors cannot be told from a matrix, and is taken for one.

Left out: tensors of more than two axes, momentum, weight decay, grafting and blocks of large matrices, none of which
the paper's algorithm 1 for matrices has.

V. Gupta, T. Koren and Y. Singer (2018), arXiv:1802.09568; the average and the coupled Newton root in practice: R. Anil
et al. (2020), arXiv:2002.09018.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from ratewitness.solvers.norms.inverse_root import Method, check_method, inverse_root
from ratewitness.solvers.ranges import at_least_zero, below_one, matrices, positive_integer
from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


class Statistics(NamedTuple):
    L: Tensor  # (*batch, m, m)
    R: Tensor  # (*batch, n, n)
    left: Tensor  # the last L^{-1/p}
    right: Tensor  # the last R^{-1/p}
    k: int


@dataclass(frozen=True, eq=False)
class Shampoo:
    """x - lr * L^{-1/power} g R^{-1/power}, for points that are matrices: the last two axes of x.

    beta None sums the statistics, a number averages them. Tensor hyperparameters other than lr are constant over a
    point, (*batch, 1, 1). Raises ValueError for a negative lr, eps or ridge, a beta outside [0, 1), an interval or
    power < 1, an unknown root and an x that is no matrix of float32 or float64; the Newton root also for singular
    statistics.
    """

    lr: Schedule
    eps: float | Tensor = 1e-6
    beta: float | Tensor | None = None
    root: Method = "eigh"
    interval: int = 1
    power: int = 4
    bias_correction: bool = False
    ridge: float | Tensor = 0.0

    def __post_init__(self):
        at_least_zero(lr=self.lr, eps=self.eps, ridge=self.ridge)
        positive_integer(interval=self.interval, power=self.power)
        check_method(root=self.root)
        if self.beta is not None:
            below_one(beta=self.beta)
        elif self.bias_correction:
            raise ValueError("bias_correction is True; accepted with beta = None, the sum, is False")

    def init(self, x: Tensor) -> Statistics:
        matrices(x=x)
        if x.dtype not in (torch.float32, torch.float64):  # those of the roots
            raise ValueError(f"x has dtype {x.dtype}; accepted are float32 and float64")
        L, R = ((self.eps * torch.eye(d, dtype=x.dtype, device=x.device)).expand(*x.shape[:-2], d, d) for d in x.shape[-2:])
        return Statistics(L, R, L, R, 0)  # the roots are renewed before their first use

    def step(self, x: Tensor, state: Statistics, oracle) -> tuple[Tensor, Statistics]:
        g = oracle.grad(x)
        old, new = (1, 1) if self.beta is None else (self.beta, 1 - self.beta)
        L, R = old * state.L + new * (g @ g.mT), old * state.R + new * (g.mT @ g)
        left, right = state.left, state.right
        if state.k % self.interval == 0:
            left, right = self._root(L, state.k), self._root(R, state.k)
        return x - step_size(self.lr, state.k) * (left @ g @ right), Statistics(L, R, left, right, state.k + 1)

    def _root(self, A: Tensor, k: int) -> Tensor:
        if self.bias_correction:
            A = A / (1 - self.beta ** (k + 1))
        return inverse_root(A, self.power, self.ridge, self.root, strict=False)
