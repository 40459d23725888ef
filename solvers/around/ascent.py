r"""Ascent: another solver on -f, which maximizes f.

torch's maximize is Ascent(CoupledDecay(...)): the gradient changes its sign, and the penalty keeps its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from ratewitness.solvers.around.altered import Altered
from ratewitness.solvers.around.inner import solvers
from ratewitness.solvers.solver import Solver, State
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Ascent:
    """The step of `inner` on -g. Raises ValueError for an `inner` that is no solver."""

    inner: Solver

    def __post_init__(self):
        solvers(inner=self.inner)

    def init(self, x: Tensor) -> State:
        return self.inner.init(x)

    def step(self, x: Tensor, state: State, oracle) -> tuple[Tensor, State]:
        return self.inner.step(x, state, Altered(oracle, lambda x, g: -g))
