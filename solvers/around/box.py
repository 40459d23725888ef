r"""Projection onto a box after every step of another solver.

    x_{k+1} = argmin_{low <= y <= high} sum_i w_i (y_i - z_i)^2 = min(max(z, low), high),    z the step of `inner` from x_k

The minimizer is the same for all weights w_i > 0: for a method with a diagonal denominator, such as Adam, whose projection
is in the metric sqrt(v), it is that projection as well. For a full matrix it is not: there this is the Euclidean one.

What `inner` remembers of its own iterates (a running average, an extrapolated point) is not projected, only x is.

S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237, for the metric.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from ratewitness.solvers.around.inner import solvers
from ratewitness.solvers.ranges import holds, shown
from ratewitness.solvers.solver import Solver, State
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Box:
    """The step of `inner`, clipped to [low, high]; both numbers, or tensors that broadcast against x.

    Raises ValueError for an `inner` that is no solver, and where low is above high, or one is NaN or no number.
    """

    inner: Solver
    low: float | Tensor
    high: float | Tensor

    def __post_init__(self):
        solvers(inner=self.inner)
        ends = holds(self.low, lambda v: v == v) and holds(self.high, lambda v: v == v)
        if not (ends and (torch.as_tensor(self.low) <= torch.as_tensor(self.high)).all()):
            raise ValueError(f"low is {shown(self.low)} and high {shown(self.high)}; accepted are low <= high")

    def init(self, x: Tensor) -> State:
        return self.inner.init(x)

    def step(self, x: Tensor, state: State, oracle) -> tuple[Tensor, State]:
        z, state = self.inner.step(x, state, oracle)
        if isinstance(self.low, Tensor) == isinstance(self.high, Tensor):
            return z.clamp(self.low, self.high), state
        return z.clamp(min=self.low).clamp(max=self.high), state  # clamp takes two numbers or two tensors
