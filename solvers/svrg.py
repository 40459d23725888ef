r"""SVRG: stochastic gradients corrected by a full gradient at an anchor.

    every m steps:  w = x_k,  G = grad f(w)
    x_{k+1} = x_k - a (g_B(x_k) - g_B(w) + G),
    g_B = mean of grad f_i over a minibatch B, drawn afresh at every step

The correction has mean zero and vanishes as x_k and w approach the minimizer: with a constant step the
convergence is linear on a smooth strongly convex finite sum. The anchor is the *last* iterate of the inner
loop (option I of the paper, the practical one; the theorem is for a random one). A step here is one inner
step: n component gradients per m steps for the anchor and 2b for each step.

It needs exact full gradients and two gradients on one sample: lower bounds for oracles that only answer with
fresh noise do not concern it.

R. Johnson and T. Zhang (2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


class Anchor(NamedTuple):
    w: Tensor
    full: Tensor  # grad f(w), replaced before its first use
    k: int


@dataclass(frozen=True, eq=False)
class SVRG:
    """x - lr * (g_B(x) - g_B(w) + grad f(w)), the anchor w renewed every `period` steps (2n or so)."""

    lr: Schedule
    period: int

    def init(self, x: Tensor) -> Anchor:
        return Anchor(x, x, 0)

    def step(self, x: Tensor, state: Anchor, oracle) -> tuple[Tensor, Anchor]:
        w, full = (x, oracle.full_grad(x)) if state.k % self.period == 0 else (state.w, state.full)
        g = oracle.grad(x) - oracle.grad(w, redraw=False) + full
        return x - step_size(self.lr, state.k) * g, Anchor(w, full, state.k + 1)
