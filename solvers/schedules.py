"""Step-size rules: a number, a tensor that broadcasts against x, or a rule k -> a_k for k = 0, 1, 2, ...

    constant            a_k = a
    InverseTime         a_k = scale / (mu (k + shift))
    InversePower        a_k = scale / (k + 1)^power
    Trapezoid           a_k = peak min(1, (k + 1)/warm_up, (steps - k)/decay)
    Silver              a_k = (1 + rho^(nu(k + 1) - 1)) / L,   rho = 1 + sqrt 2,  nu = how often 2 divides
    horizon_tuned       a   = 1 / (L + sigma sqrt(N) / R)      for N steps, smooth convex

scale 1, shift 1 is the classical 1/(mu (k+1)); `InverseTime.for_pl` is 2/(mu (2 kappa + k)) counted from k = 1, which
never exceeds 1/L. InversePower with a power between 1/2 and 1 is the long step that iterate averaging asks for. Silver
is for exact gradients of a convex function and for 2^m - 1 steps: longer ones between shorter ones, J. Altschuler and
P. Parrilo (2024), arXiv:2309.16530. Trapezoid is the schedule of networks: a linear warm-up, a plateau, a linear decay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Schedule = float | Tensor | Callable[[int], float | Tensor]


def step_size(lr: Schedule, k: int) -> float | Tensor:
    """The step of iteration k."""
    return lr(k) if callable(lr) else lr


@dataclass(frozen=True, eq=False)
class InverseTime:
    """a_k = scale / (mu (k + shift)), k = 0, 1, ..."""

    mu: float | Tensor
    scale: float | Tensor = 1.0
    shift: float | Tensor = 1.0

    @classmethod
    def for_pl(cls, mu: float | Tensor, L: float | Tensor) -> InverseTime:
        """2/(mu (2 kappa + k)) with k counted from 1, so that a_k <= 1/L."""
        return cls(mu, 2.0, 2 * L / mu + 1)

    def __call__(self, k: int) -> float | Tensor:
        return self.scale / (self.mu * (k + self.shift))


@dataclass(frozen=True, eq=False)
class InversePower:
    """a_k = scale / (k + 1)^power, k = 0, 1, ..."""

    scale: float | Tensor
    power: float = 0.5

    def __call__(self, k: int) -> float | Tensor:
        return self.scale / (k + 1) ** self.power


@dataclass(frozen=True, eq=False)
class Trapezoid:
    """Up to `peak` over the first `warm_up` of exactly `steps` steps, and down over the last `decay`; 0 after them.

    Raises ValueError for numbers of steps below 0, or a warm-up and a decay that overlap.
    """

    peak: float | Tensor
    steps: int
    warm_up: int = 0
    decay: int = 0

    def __post_init__(self):
        if not (min(self.warm_up, self.decay) >= 0 and self.warm_up + self.decay <= self.steps):
            raise ValueError(
                f"warm_up is {self.warm_up} and decay {self.decay}; accepted are integers from 0 on that together do not "
                f"exceed the {self.steps} steps"
            )

    def __call__(self, k: int) -> float | Tensor:
        left = max(self.steps - k, 0)
        return self.peak * min(1.0, (k + 1) / max(self.warm_up, 1), left / max(self.decay, 1))


@dataclass(frozen=True, eq=False)
class Silver:
    """a_k = (1 + rho^(nu(k + 1) - 1)) / L, rho = 1 + sqrt 2, where 2^nu divides k + 1: in units of 1/L


    >>> [round(Silver(1.0)(k), 4) for k in range(8)]
    [1.4142, 2.0, 1.4142, 3.4142, 1.4142, 2.0, 1.4142, 6.8284]
    """

    L: float | Tensor

    def __call__(self, k: int) -> float | Tensor:
        divisible = ((k + 1) & -(k + 1)).bit_length() - 1
        return (1 + (1 + 2**0.5) ** (divisible - 1)) / self.L


def horizon_tuned(L: float | Tensor, R: float | Tensor, sigma: float | Tensor, N: int) -> float | Tensor:
    """The constant step 1/(L + sigma sqrt(N)/R) for exactly N steps on a smooth convex problem."""
    return 1 / (L + sigma * N**0.5 / R)
