r"""Nesterov's accelerated gradient method.

    x_{k+1} = y_k - a_k grad f(y_k)
    y_{k+1} = x_{k+1} + beta_k (x_{k+1} - x_k),        y_0 = x_0

convex (momentum None):      beta_k = (t_k - 1)/t_{k+1},  t_0 = 1,  t_{k+1} = (1 + sqrt(1 + 4 t_k^2))/2;
                             step 1/L: f(x_k) - f* <= 2 L R^2/(k+1)^2            (L-smooth, convex)
strongly convex:             beta = (sqrt kappa - 1)/(sqrt kappa + 1);
                             step 1/L: f(x_k) - f* <= (1 - 1/sqrt kappa)^k (f(x_0) - f* + mu R^2/2)

The output is x_k; the gradient is taken at y_k, which lives in the state. torch's SGD(nesterov=True) is the
same method with y_k in its parameter: x_{k+1} - x_k = -a v_{k+1}, v_{k+1} = beta v_k + grad f(y_k), constant
step and momentum.

Yu. Nesterov (1983); A. Beck and M. Teboulle (2009) for the sequence t_k, Yu. Nesterov (2004) for the constant
momentum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


class Lookahead(NamedTuple):
    y: Tensor  # where the next gradient is taken
    t: float
    k: int


@dataclass(frozen=True, eq=False)
class Nesterov:
    """A gradient step from y, then y moves on along x_{k+1} - x_k."""

    lr: Schedule
    momentum: float | Tensor | None = None  # None: the increasing sequence of the convex case

    @classmethod
    def strongly_convex(cls, mu: float | Tensor, L: float | Tensor) -> Nesterov:
        """lr = 1/L and the constant momentum (sqrt kappa - 1)/(sqrt kappa + 1)."""
        return cls(1 / L, (L**0.5 - mu**0.5) / (L**0.5 + mu**0.5))

    def init(self, x: Tensor) -> Lookahead:
        return Lookahead(x, 1.0, 0)

    def step(self, x: Tensor, state: Lookahead, oracle) -> tuple[Tensor, Lookahead]:
        new = state.y - step_size(self.lr, state.k) * oracle.grad(state.y)
        t = (1 + (1 + 4 * state.t**2) ** 0.5) / 2
        beta = (state.t - 1) / t if self.momentum is None else self.momentum
        return new, Lookahead(new + beta * (new - x), t, state.k + 1)
