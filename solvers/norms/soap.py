r"""SOAP: Adam in the eigenbasis of Shampoo's statistics.

    L_k = beta L_{k-1} + (1 - beta) G_k G_k^T,      R_k = beta R_{k-1} + (1 - beta) G_k^T G_k,      L_{-1} = R_{-1} = 0
    m_k = beta1 m_{k-1} + (1 - beta1) G_k                                          (in the basis of X)
    v_k = beta2 v_{k-1} + (1 - beta2) (Q_L^T G_k Q_R)^2                            (in the eigenbasis)
    X_{k+1} = (1 - a_k lambda) X_k - a_k Q_L [ Q_L^T mhat_k Q_R / (sqrt(vhat_k) + eps) ] Q_R^T,      k = 1, 2, ...

for matrices X of m rows and n columns; mhat = m / (1 - beta1^k) and vhat = v / (1 - beta2^k) as in Adam. Pinned:

- The first gradient, k = 0, is spent on L_0 and R_0, whose eigenvectors are the first Q_L and Q_R; X does not move, and the
  moments begin with the second gradient. So does the code that its authors published.
- A step uses the bases of the steps before it. Afterwards L and R take G_k in, and every `interval` steps, at k = T, 2T,
  ..., each basis is renewed by one power iteration and a QR decomposition: columns of Q in the order of falling q^T L q,
  then Q <- qr(L Q). v follows that order, and is otherwise carried over as if it were of the new basis.
- m stays in the basis of X and is turned at every step; v alone is tied to a basis.
- The beta of the statistics is beta2. Signs of eigenvectors do not matter; where eigenvalues coincide, as those of a
  singular G_0 G_0^T at 0, the basis in their space is what the decomposition makes of it.

Left out: tensors of other than two axes, one-sided bases and blocks for large axes, and normalization of the gradient.

N. Vyas et al. (2024), arXiv:2409.11321, algorithm 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from ratewitness.solvers.division import over_root
from ratewitness.solvers.ranges import at_least_zero, below_one, matrices, positive_integer
from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


class Turned(NamedTuple):
    m: Tensor  # average of the gradients
    v: Tensor  # average of their squares in the eigenbasis
    L: Tensor  # (*batch, m, m)
    R: Tensor  # (*batch, n, n)
    left: Tensor  # Q_L
    right: Tensor  # Q_R
    k: int


@dataclass(frozen=True, eq=False)
class SOAP:
    """x - lr * (Adam's direction in the eigenbasis), for points that are matrices: the last two axes of x.

    Tensor hyperparameters are constant over a point, (*batch, 1, 1). Raises ValueError for a negative lr, eps or
    weight_decay, a beta outside [0, 1), an interval < 1, and an x that is no matrix of float32 or float64; a step does for
    0/0.
    """

    lr: Schedule
    beta1: float | Tensor = 0.95
    beta2: float | Tensor = 0.95
    eps: float | Tensor = 1e-8
    weight_decay: float | Tensor = 0.0
    interval: int = 10

    def __post_init__(self):
        at_least_zero(lr=self.lr, eps=self.eps, weight_decay=self.weight_decay)
        below_one(beta1=self.beta1, beta2=self.beta2)
        positive_integer(interval=self.interval)

    def init(self, x: Tensor) -> Turned:
        matrices(x=x)
        if x.dtype not in (torch.float32, torch.float64):  # those of the decompositions
            raise ValueError(f"x has dtype {x.dtype}; accepted are float32 and float64")
        L, R = (torch.zeros(*x.shape[:-2], d, d, dtype=x.dtype, device=x.device) for d in x.shape[-2:])
        return Turned(torch.zeros_like(x), torch.zeros_like(x), L, R, L, R, 0)  # the bases begin with the first gradient

    def step(self, x: Tensor, state: Turned, oracle) -> tuple[Tensor, Turned]:
        g, k = oracle.grad(x), state.k
        L, R = torch.lerp(state.L, g @ g.mT, 1 - self.beta2), torch.lerp(state.R, g.mT @ g, 1 - self.beta2)
        if k == 0:
            return x.clone(), Turned(state.m, state.v, L, R, _eigenbasis(L), _eigenbasis(R), 1)
        left, right = state.left, state.right
        m = torch.lerp(state.m, g, 1 - self.beta1)
        v = torch.lerp(state.v, (left.mT @ g @ right).square(), 1 - self.beta2)
        mhat, vhat = left.mT @ m @ right / (1 - self.beta1**k), v / (1 - self.beta2**k)
        direction = left @ over_root(mhat, vhat, self.eps, eps_inside=False) @ right.mT
        if k % self.interval == 0:
            left, rows = _renewed(L, left)
            right, columns = _renewed(R, right)
            v = v.gather(-2, rows.unsqueeze(-1).expand_as(v)).gather(-1, columns.unsqueeze(-2).expand_as(v))
        lr = step_size(self.lr, k)
        return (1 - lr * self.weight_decay) * x - lr * direction, Turned(m, v, L, R, left, right, k + 1)


def _eigenbasis(A: Tensor) -> Tensor:
    """Eigenvectors in the order of falling eigenvalues, NaN for what is not finite: one replicate must not stop a sweep."""
    finite = A.isfinite().all(-1, keepdim=True).all(-2, keepdim=True)
    return torch.linalg.eigh(A.where(finite, 0)).eigenvectors.flip(-1).where(finite, torch.nan)


def _renewed(A: Tensor, Q: Tensor) -> tuple[Tensor, Tensor]:
    """The basis after one power iteration, and the order in which it takes its columns."""
    order = (Q * (A @ Q)).sum(-2).argsort(stable=True, dim=-1, descending=True)
    return torch.linalg.qr(A @ Q.gather(-1, order.unsqueeze(-2).expand_as(Q))).Q, order
