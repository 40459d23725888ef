r"""Muon: momentum, then the polar factor of it.

    m_{k+1} = mu m_k + (1 - mu) g_k,  m_0 = 0
    u_k = (1 - mu) g_k + mu m_{k+1}  (Nesterov),  or m_{k+1}
    x_{k+1} = (1 - a_k lambda) x_k - a_k s orthogonalize(u_k)

for matrices x of m rows and n columns. `orthogonalize` returns U V^T of u = U S V^T, or what a few matrix products make of
it (`solvers/norms/polar.py`); it does not see the size of u, so the average may be normalized, as here, or a sum. Two
scalings s are in use: "original" sqrt(max(1, m/n)), and "match_rms_adamw" 0.2 sqrt(max(m, n)), after which an entry of the
step has root mean square 0.2 a_k, like one of AdamW, when u has full rank; None is s = 1. The decay multiplies the step
before it is scaled. With mu = 0 this is steepest descent in the spectral norm without the factor ||g||_*.

The gradient need not have full rank: rows of a softmax gradient add up to zero, and there U V^T leaves the missing
directions alone only if `orthogonalize` does.

K. Jordan et al. (2024), https://kellerjordan.github.io/posts/muon (its scaling is the default); J. Liu et al. (2025),
arXiv:2502.16982 (decay, and matching AdamW). torch.optim.Muon is this with MuonQuintic(dtype=torch.bfloat16).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from ratewitness.solvers.norms.polar import ExactPolar
from ratewitness.solvers.ranges import at_least_zero, below_one, matrices
from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor

SCALES: dict[str | None, Callable[[int, int], float]] = {
    "original": lambda rows, columns: max(1.0, rows / columns) ** 0.5,
    "match_rms_adamw": lambda rows, columns: 0.2 * max(rows, columns) ** 0.5,
    None: lambda rows, columns: 1.0,
}


class Averaged(NamedTuple):
    m: Tensor  # the average of the gradients
    k: int


@dataclass(frozen=True, eq=False)
class Muon:
    """x - lr * scale * orthogonalize(momentum), for points that are matrices: the last two axes of x.

    Raises ValueError for a negative lr or weight_decay, a momentum outside [0, 1), an unknown scale, and an x that is no
    real floating-point matrix; a *batch* of vectors cannot be told from a matrix, and is taken for one.
    """

    lr: Schedule
    momentum: float | Tensor = 0.95
    nesterov: bool = True
    weight_decay: float | Tensor = 0.0
    orthogonalize: Callable[[Tensor], Tensor] = ExactPolar()  # noqa: RUF009
    scale: Literal["original", "match_rms_adamw"] | None = "original"

    def __post_init__(self):
        at_least_zero(lr=self.lr, weight_decay=self.weight_decay)
        below_one(momentum=self.momentum)
        if self.scale not in SCALES:
            raise ValueError(f"scale is {self.scale!r}; accepted are {', '.join(map(repr, SCALES))}")

    def init(self, x: Tensor) -> Averaged:
        matrices(x=x)
        return Averaged(torch.zeros_like(x), 0)

    def step(self, x: Tensor, state: Averaged, oracle) -> tuple[Tensor, Averaged]:
        g, lr = oracle.grad(x), step_size(self.lr, state.k)
        m = torch.lerp(state.m, g, 1 - self.momentum)
        u = torch.lerp(g, m, self.momentum) if self.nesterov else m
        step = lr * SCALES[self.scale](*x.shape[-2:])
        return x * (1 - lr * self.weight_decay) - step * self._orthogonalized(u), Averaged(m, state.k + 1)

    def _orthogonalized(self, u: Tensor) -> Tensor:
        """NaN for a replicate that is not finite: one that diverges must not stop the others of a sweep."""
        finite = u.isfinite().all(-1, keepdim=True).all(-2, keepdim=True)
        if finite.all():
            return self.orthogonalize(u)
        return self.orthogonalize(u.where(finite, 0)).where(finite, math.nan)
