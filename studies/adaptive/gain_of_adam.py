r"""The gain of Adam: how many times as many steps gradient descent needs. What the studies of class imbalance measure with.

Like is compared with like: Adam without momentum (beta1 = 0) and sign descent with gradient descent, and Adam (beta1 = 0.9)
with gradient descent with momentum 0.9, on exact gradients. Every method takes its best constant step on every instance: out
of 13 (quick: 9) over four decades, around a centre that the setting states, and 6 (quick: 4) more between the neighbours of
the best of these; where that is an end of its grid the comparison is inconclusive. The *gain* of a method is how many times
as many steps gradient descent needs as it does, until the least loss is as low as the larger of both least losses after N
steps; numbers of steps are interpolated in the logarithm of the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.sign_descent import SignSGD
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, measured
from ratewitness.studies.judges import all_of, exceeds
from ratewitness.studies.measuring.drawing import Panel
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.measuring.tuning import around, tried
from torch import Tensor
from torch.nn.functional import one_hot

KUNSTNER = "S28; Kunstner et al. (2024), arXiv:2402.19449"
METHODS = {  # step -> solver, and whether its step is one of a coordinate
    "GD": (GradientDescent, False),
    "GD, momentum": (lambda lr: HeavyBall(lr, 0.9), False),
    "Adam, no momentum": (lambda lr: Adam(lr, beta1=0.0), True),
    "Adam": (Adam, True),
    "sign descent": (SignSGD, True),
}
PAIRS = (("Adam, no momentum", "GD"), ("Adam", "GD, momentum"))
SIGN = (("sign descent", "GD"),)
LOOKS = {"with momentum": "C1s", "without momentum": "C0o"}


@dataclass(frozen=True, eq=False)
class Setting:
    """Where methods are compared. `losses` gives the loss of each group, which sum to f - f*: x (points, replicates, *shape)
    -> (points, replicates, groups)."""

    problem: FiniteSum
    x0: Tensor  # (replicates, *shape)
    losses: Callable[[Tensor], Tensor]
    steps: int
    refined_at: int  # the iteration whose losses decide where the finer grid lies
    centres: tuple[Tensor | float, float]  # of the grids of gradient descent, (replicates, 1, ..., 1) or one, and of Adam


def octaves(count: int, device: str) -> Tensor:
    """Memberships (count, groups) of the ranks 1, 2-3, 4-7, ..."""
    return one_hot(torch.arange(1, count + 1, device=device).log2().floor().long()).to(torch.float64)


def ends(budget: Budget) -> tuple[int, int]:
    """Where the first and the last step of the coarse grid are among all."""
    return 0, budget.pick(9, 13) - 1


@measured("class_imbalance")
def descended(budget: Budget, setting: Callable, names: tuple[str, ...], method: str) -> np.ndarray:
    """Losses (N + 1, points, replicates, groups), the coarse grid first; inf where a run diverged."""
    at, (build, coordinate) = setting(budget, *names), METHODS[method]
    shape, oracle = at.problem.shape, Oracle.full(at.problem)

    def losses(grid):  # (points, replicates or 1)
        lr = torch.as_tensor(grid, device=budget.device).reshape(*grid.shape, *[1] * len(shape)) * at.centres[coordinate]
        x0 = at.x0.expand(len(grid), *at.x0.shape)
        trace = run(build(lr), oracle, x0, at.steps, at.losses, at=range(at.steps + 1))
        return np.nan_to_num(trace.values.cpu().numpy(), nan=np.inf)

    grid = around(1.0, ends(budget)[1] + 1)
    return tried(losses, grid, budget.pick(4, 6), lambda coarse: coarse[at.refined_at].sum(-1), axis=1)[1]


def least(budget: Budget, losses: np.ndarray, steps: int) -> np.ndarray:
    """The losses (replicates, groups) with the best step after `steps` steps; nan where it is an end of the grid."""
    last = losses[steps]
    best = last.sum(-1).argmin(0)
    chosen = last[best, np.arange(len(best))]
    return np.where(np.isin(best, ends(budget))[:, None], np.nan, chosen)


def arrivals(losses: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The first k at which the losses (N + 1, points, replicates) are at the target (replicates,), interpolated in the
    logarithm of the loss; inf where they never are: (points, replicates)."""
    reached = losses <= target
    k = np.maximum(reached.argmax(0), 1)
    before, after = (np.log(np.take_along_axis(losses, at[None], 0)[0]) for at in (k - 1, k))
    return np.where(reached.any(0), k - 1 + (before - np.log(target)) / (before - after), np.inf)


def gain(budget: Budget, setting: Callable, names: tuple[str, ...], method: str, other: str) -> np.ndarray:
    """Logarithm of the steps of `other` for each of `method`, to the larger of both least losses after N steps:
    (replicates,), nan where an end of the grid is the first to arrive."""
    losses = {name: descended(budget, setting, names, name).sum(-1) for name in (method, other)}
    target = np.maximum(*(each[-1].min(0) for each in losses.values()))
    steps = {}
    for name, each in losses.items():
        times = arrivals(each, target)
        first = times.argmin(0)
        steps[name] = np.where(np.isin(first, ends(budget)), np.nan, times.min(0))
    return np.log(steps[other] / steps[method])


def gains(budget: Budget, setting: Callable, cells: tuple[tuple[str, ...], ...]) -> pd.DataFrame:
    """The gain of Adam with momentum on both sides and with none, in every cell: geometric means over replicates."""
    tables = []
    for (at, names), (method, other) in product(enumerate(cells), PAIRS):
        part = rows(np.exp(gain(budget, setting, names, method, other))[None], geometric=True, at=at, cell=", ".join(names))
        tables.append(part.assign(method=method))
    return pd.concat(tables, ignore_index=True)


def larger(
    budget: Budget, setting: Callable, first: tuple[str, ...], second: tuple[str, ...], factor: float, compared=PAIRS
) -> Verdict:
    """The gains are `factor` times as large in the first cell as in the second, in the geometric mean over replicates."""
    judged = {}
    for method, other in compared:
        one, two = (gain(budget, setting, names, method, other) for names in (first, second))
        judged[method] = exceeds(one - two, np.log(factor))
    return all_of(judged)


def gains_panel(table: pd.DataFrame, xlabel: str) -> Panel:
    """The gains of all cells beside one another."""
    momentum = table["method"] == "Adam"
    shown = table.assign(method=np.where(momentum, *LOOKS), at=table["at"] + np.where(momentum, 0.1, -0.1))
    cells = table["cell"].unique()
    ticks = {"xticks": range(len(cells)), "xticklabels": [cell.replace(", ", "\n") for cell in cells]}
    levels, options = {"as many steps": 1.0}, {**ticks, "xlim": (-0.5, len(cells) - 0.5)}
    return Panel(shown, "at", xlabel, "gain of Adam", levels=levels, log="y", options=options)
