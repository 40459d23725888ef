r"""Coupled weight decay: an l2 penalty in the gradient that another solver sees.

    g + lambda x  in place of  g:        minimizes f + (lambda/2) ||x||^2

It is torch's weight_decay in SGD, Adam, RMSprop, Adagrad and Adadelta (not with decoupled_weight_decay, and not in AdamW). A
method that divides by the size of its gradients divides the penalty as
well, and shrinks a coordinate with large gradients less.

I. Loshchilov and F. Hutter (2019), arXiv:1711.05101.
"""

from __future__ import annotations

from dataclasses import dataclass

from ratewitness.solvers.around.altered import Altered
from ratewitness.solvers.around.inner import solvers
from ratewitness.solvers.ranges import at_least_zero
from ratewitness.solvers.solver import Solver, State
from torch import Tensor


@dataclass(frozen=True, eq=False)
class CoupledDecay:
    """The step of `inner` on g + weight_decay * x.

    Raises ValueError for an `inner` that is no solver, and a negative weight_decay.
    """

    inner: Solver
    weight_decay: float | Tensor

    def __post_init__(self):
        solvers(inner=self.inner)
        at_least_zero(weight_decay=self.weight_decay)

    def init(self, x: Tensor) -> State:
        return self.inner.init(x)

    def step(self, x: Tensor, state: State, oracle) -> tuple[Tensor, State]:
        return self.inner.step(x, state, Altered(oracle, lambda x, g: g + self.weight_decay * x))
