r"""OrthoGrad: another solver on the part of the gradient that is orthogonal to the weights, at the length of the gradient.

    u = g - x <x, g> / <x, x>,      ||g|| u / ||u||  in place of  g

To first order a step of gradient descent then leaves ||x|| as it is, so that a loss is not lowered by scaling alone; a step
of a method that rescales coordinates need not be orthogonal. x = 0 leaves g as it is, and u = 0 gives 0.

A point has `ndim` trailing axes. The published method takes each array of weights as a point of its own: here that is
`Layerwise` with an OrthoGrad for every part.

L. Prieto, M. Barsbey, P. A. M. Mediano and T. Birdal (2025), arXiv:2501.04697.
"""

from __future__ import annotations

from dataclasses import dataclass

from ratewitness.solvers.around.altered import Altered
from ratewitness.solvers.around.inner import solvers
from ratewitness.solvers.ranges import positive_integer
from ratewitness.solvers.solver import Solver, State, dot
from torch import Tensor


@dataclass(frozen=True, eq=False)
class OrthoGrad:
    """The step of `inner` on projected gradients of the same length.

    Raises ValueError for an `inner` that is no solver, and an ndim that is no integer >= 1.
    """

    inner: Solver
    ndim: int = 1

    def __post_init__(self):
        solvers(inner=self.inner)
        positive_integer(ndim=self.ndim)

    def init(self, x: Tensor) -> State:
        return self.inner.init(x)

    def step(self, x: Tensor, state: State, oracle) -> tuple[Tensor, State]:
        return self.inner.step(x, state, Altered(oracle, self.projected))

    def projected(self, x: Tensor, g: Tensor) -> Tensor:
        """The gradient that `inner` sees: (*batch, *shape) twice -> (*batch, *shape)."""
        square = dot(x, x, self.ndim)
        u = g - x * (dot(x, g, self.ndim) / square.where(square > 0, 1))
        length = dot(u, u, self.ndim).sqrt()
        return u * (dot(g, g, self.ndim).sqrt() / length.where(length > 0, 1))
