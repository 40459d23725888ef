r"""Limited-memory BFGS, online or deterministic.

    p_k = -H_k g(x_k; z_k),    x_{k+1} = x_k + a_k p_k
    s_k = x_{k+1} - x_k,       y_k = g(x_{k+1}; z_k) - g(x_k; z_k) + damping s_k

H_k g is the two-loop recursion over the last m accepted pairs (s, y), started from gamma I with gamma = s^T y
/ y^T y of the newest pair, and gamma = `scale` before there is one (1/L makes the first step a gradient
step). Both gradients of y_k are taken on the *same* sample z_k, so that y_k is the curvature of one function
and additive noise cancels; a step costs two gradient queries, on a full oracle too.

A pair is accepted where s^T y > curvature ||s||^2, for each replicate on its own; the others keep their old
pairs. Since all eigenvalues of H_k then stay positive, p_k is a descent direction of the sampled function. On
a convex function damping > 0 accepts every pair with s != 0. There is no line search: a_k is a schedule (1
for a full oracle near the minimizer, decreasing for a sampled one); with exact steps, m >= d and a quadratic
it ends after d steps.

N. N. Schraudolph, J. Yu and S. Guenter (2007): the same-sample pairs. Theirs averages gamma over the memory;
here it is the newest. R. H. Byrd, S. L. Hansen, J. Nocedal and Y. Singer (2016), arXiv:1401.7020, instead
take y from Hessian-vector products on a larger sample every so many steps: not this. Two-loop recursion: J.
Nocedal (1980); skipping: D.-H. Li and M. Fukushima (2001).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from ratewitness.solvers.schedules import Schedule, step_size
from ratewitness.solvers.solver import dot
from torch import Tensor


class Memory(NamedTuple):
    """Pairs from the oldest to the newest, filled from the end; rho = 0 marks an empty place: no effect."""

    s: Tensor  # (m, *batch, *shape)
    y: Tensor  # (m, *batch, *shape)
    rho: Tensor  # (m, *batch, 1, ..., 1), 1/s^T y
    gamma: Tensor  # (*batch, 1, ..., 1)
    k: int


def inverse_hessian_times(g: Tensor, memory: Memory, ndim: int = 1) -> Tensor:
    """H g by the two-loop recursion, without forming H: (*batch, *shape) -> (*batch, *shape)."""
    filled = range(max(0, len(memory.rho) - memory.k), len(memory.rho))
    alpha = {}
    for j in reversed(filled):
        alpha[j] = memory.rho[j] * dot(memory.s[j], g, ndim)
        g = g - alpha[j] * memory.y[j]
    g = memory.gamma * g
    for j in filled:
        beta = memory.rho[j] * dot(memory.y[j], g, ndim)
        g = g + (alpha[j] - beta) * memory.s[j]
    return g


@dataclass(frozen=True, eq=False)
class LBFGS:
    """x - lr * H gradient, with `memory` curvature pairs; `ndim` trailing axes of x form one point."""

    lr: Schedule = 1.0
    memory: int = 10
    scale: float | Tensor = 1.0
    damping: float = 0.0
    curvature: float = 1e-8
    ndim: int = 1

    def init(self, x: Tensor) -> Memory:
        one = torch.ones_like(x[(..., *[slice(1)] * self.ndim)])
        none = torch.zeros_like(x).expand(self.memory, *x.shape)
        return Memory(none, none, torch.zeros_like(one).expand(self.memory, *one.shape), self.scale * one, 0)

    def step(self, x: Tensor, state: Memory, oracle) -> tuple[Tensor, Memory]:
        g = oracle.grad(x)
        new = x - step_size(self.lr, state.k) * inverse_hessian_times(g, state, self.ndim)
        s = new - x
        y = oracle.grad(new, redraw=False) - g + self.damping * s
        sy, ss, yy = dot(s, y, self.ndim), dot(s, s, self.ndim), dot(y, y, self.ndim)
        smallest = torch.finfo(x.dtype).tiny  # below it 1/s^T y overflows: the run has ended in rounding
        good = (sy > self.curvature * ss) & (sy > smallest) & (yy > smallest)

        def pushed(old, newest):
            return torch.where(good, torch.cat([old[1:], newest.unsqueeze(0)]), old)

        # where a pair is refused, 1 stands in for s^T y so that no division by zero is left behind
        rho, gamma = 1 / torch.where(good, sy, 1), sy / torch.where(good, yy, 1)
        return new, Memory(
            pushed(state.s, s),
            pushed(state.y, y),
            pushed(state.rho, rho),
            torch.where(good, gamma, state.gamma),
            state.k + 1,
        )
