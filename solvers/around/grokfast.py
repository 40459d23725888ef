r"""Grokfast: another solver on gradients whose slow part is amplified.

    s_k = alpha s_{k-1} + (1 - alpha) g_k,      s_{-1} = g_0,      g_k + strength s_k  in place of  g_k

The moving average is a low-pass filter, which starts at the first gradient, as in the published code. A method that divides
by the size of its gradients divides by that of the amplified ones.

J. Lee, B. G. Kang, K. Kim and K. M. Lee (2024), arXiv:2405.20233 (Grokfast-EMA; their lambda is `strength`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from ratewitness.solvers.around.altered import Altered
from ratewitness.solvers.around.inner import solvers
from ratewitness.solvers.ranges import at_least_zero, below_one
from ratewitness.solvers.solver import Solver, State
from torch import Tensor


class Filtered(NamedTuple):
    slow: Tensor  # s, the average of the gradients
    state: State  # of the solver inside
    k: int


@dataclass(frozen=True, eq=False)
class Grokfast:
    """The step of `inner`, which asks for one gradient a step, on g + strength * s.

    Raises ValueError for an `inner` that is no solver, an alpha outside [0, 1), and a negative strength; a step does where
    `inner` asks for a second gradient, whose place in the average is not defined.
    """

    inner: Solver
    alpha: float | Tensor = 0.98
    strength: float | Tensor = 2.0

    def __post_init__(self):
        solvers(inner=self.inner)
        below_one(alpha=self.alpha)
        at_least_zero(strength=self.strength)

    def init(self, x: Tensor) -> Filtered:
        return Filtered(torch.zeros_like(x), self.inner.init(x), 0)

    def step(self, x: Tensor, state: Filtered, oracle) -> tuple[Tensor, Filtered]:
        slow = None

        def amplified(x, g):
            nonlocal slow
            if slow is not None:
                raise ValueError(
                    "a solver inside Grokfast asked for a second gradient; accepted are those that ask once a step"
                )
            slow = torch.lerp(state.slow, g, 1 - self.alpha) if state.k else g
            return g + self.strength * slow

        x, inner = self.inner.step(x, state.state, Altered(oracle, amplified))
        return x, Filtered(slow, inner, state.k + 1)
