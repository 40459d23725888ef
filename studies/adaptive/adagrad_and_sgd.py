"""AdaGrad beside methods with one step for all coordinates: the steps that their bounds recommend, and those they take.

The effective step of a coordinate is what a solver would multiply a small gradient by: lr/sqrt(sum of its squared gradients)
for AdaGrad, one number for all coordinates for AdaGradNorm (the sum over all of them) and SGD. It is found by asking the
solver for one more step on such a gradient.

The recommended steps minimize the regret bounds of theory/adagrad.py and of SGD, for distances D_inf and D_2 and gradients
with E||g||^2 = energy: D_inf/sqrt 2, D_2/sqrt 2, and D_2/sqrt(energy T) constant or D_2/sqrt(2 energy t) for SGD.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from ratewitness.solvers.adagrad import AdaGrad, AdaGradNorm
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.schedules import InversePower
from ratewitness.solvers.solver import Solver
from torch import Tensor

METHODS: dict[str, Callable[[float | Tensor], Solver]] = {
    "AdaGrad": AdaGrad,
    "AdaGradNorm": AdaGradNorm,
    "SGD, a": GradientDescent,
    "SGD, a/sqrt(t)": lambda lr: GradientDescent(InversePower(lr)),
}
SGD = ("SGD, a", "SGD, a/sqrt(t)")


def recommended(method: str, D_inf: float, D_2: float, energy: float | Tensor, T: int) -> float | Tensor:
    """The step that the regret bound recommends for E||g||^2 = energy and T rounds."""
    return {
        "AdaGrad": D_inf / 2**0.5,
        "AdaGradNorm": D_2 / 2**0.5,
        "SGD, a": D_2 / (energy * T) ** 0.5,
        "SGD, a/sqrt(t)": D_2 / (2 * energy) ** 0.5,
    }[method]


@dataclass(frozen=True, eq=False)
class Probe:
    """An oracle that answers with the same small number in every coordinate."""

    size: float = 1e-8

    def grad(self, x: Tensor) -> Tensor:
        return torch.full_like(x, self.size)


def effective_steps(solver: Solver, oracle, x: Tensor, at: tuple[int, ...]) -> Tensor:
    """What the solver would multiply a small gradient by after each number `at` of steps from x: (len(at), *x.shape)."""
    state, found, probe = solver.init(x), [], Probe()
    for k in range(1, max(at) + 1):
        x, state = solver.step(x, state, oracle)
        if k in at:
            found.append(-solver.step(torch.zeros_like(x), state, probe)[0] / probe.size)
    return torch.stack(found)
