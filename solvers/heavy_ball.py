r"""Heavy ball: gradient descent with momentum.

    x_{k+1} = x_k - a_k g_k + beta (x_k - x_{k-1}),        x_{-1} = x_0

Equivalent for a constant step: v_{k+1} = beta v_k + g_k, x_{k+1} = x_k - a v_{k+1} with v_0 = 0, which is
torch's SGD(momentum=beta, dampening=0). With a varying step the two differ: Polyak's form remembers the
displacement, torch's the gradients.

`for_quadratic` is optimal on quadratics with spectrum in [mu, L]: the iteration matrix has spectral radius
sqrt(beta), sqrt(beta) = (sqrt kappa - 1)/(sqrt kappa + 1). It is *not* safe beyond quadratics: there are
smooth strongly convex functions on which it cycles (Lessard, Recht and Packard 2016, arXiv:1408.3595).

B. T. Polyak (1964).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


class Previous(NamedTuple):
    x: Tensor  # x_{k-1}
    k: int


@dataclass(frozen=True, eq=False)
class HeavyBall:
    """x - lr * gradient + momentum * (x - previous x)."""

    lr: Schedule
    momentum: float | Tensor = 0.9

    @classmethod
    def for_quadratic(cls, mu: float | Tensor, L: float | Tensor) -> HeavyBall:
        """lr = 4/(sqrt L + sqrt mu)^2, momentum = ((sqrt L - sqrt mu)/(sqrt L + sqrt mu))^2."""
        total, difference = L**0.5 + mu**0.5, L**0.5 - mu**0.5
        return cls(4 / total**2, (difference / total) ** 2)

    def init(self, x: Tensor) -> Previous:
        return Previous(x, 0)

    def step(self, x: Tensor, state: Previous, oracle) -> tuple[Tensor, Previous]:
        new = x - step_size(self.lr, state.k) * oracle.grad(x) + self.momentum * (x - state.x)
        return new, Previous(x, state.k + 1)
