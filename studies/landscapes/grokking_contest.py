r"""The remedies of grokking, tuned by every group for itself, and the steps that each then needs (`grokking_matrix`).

A group has splits and starts of its own: all settings of a remedy run on two of them, the best over both is chosen, and what
was chosen runs on a third, which is the same for all remedies. The best has the least geometric mean of the steps, of which
the limit counts where it did not generalize, or needed more than 3 times the steps of the first one.

Grids have 5 steps, and 4 values of a second setting where a remedy has one, a factor of about 3 apart; a pilot run with
another seed has centred them for every remedy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import torch
from ratewitness.problems.networks.mlp import cross_entropy
from ratewitness.problems.networks.stablemax import stablemax_cross_entropy
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.landscapes.grokking_runs import (
    Arrivals,
    Method,
    adam,
    adamw,
    arrivals,
    bounded,
    coupled,
    drawn,
    grokfast,
    grokfast_with_decay,
    grokfast_with_penalty,
    orthogonal,
    repeated,
)

SHARE = 0.7  # of the pairs for training
AROUND = (0.1, 0.3, 1.0, 3.0, 10.0)  # times the centre of a grid
PATIENCE = 3.0
PROMISING = 0.05  # an end of a grid is that much more accurate than all inside
PRIETO = "LucasPrietoAl/grokking-at-the-edge-of-numerical-stability"
DEFAULT = "openai/grok has decay 0 by default: does it generalize so? (danielmamay/grokking, issue 1)"
FILTER = "ironjr/grokfast, issue 12: is AdamW better than Grokfast with Adam?"
BASELINE = f"{PRIETO}, issue 8: is the baseline with decay tuned?"


@dataclass(frozen=True, eq=False)
class Remedy:
    """step, centre: where the grids of the step and of the second setting have their 1, which is third of 5 and of 4.

    Where the second setting has no name, there is but the step.
    """

    method: Method
    question: str
    step: float = 0.1
    second: str = ""
    centre: float = 1.0
    loss: Callable = cross_entropy
    dtype: torch.dtype = torch.float32

    def grid(self, budget: Budget) -> dict[str, tuple[float, ...]]:
        grid = {"lr": tuple(self.step * part for part in AROUND[budget.pick(slice(1, 4), slice(None))])}
        return grid | (
            {self.second: tuple(self.centre * part for part in AROUND[budget.pick(1, 0) : 4])} if self.second else {}
        )


decayed = partial(Remedy, second="decay")
REMEDIES = {
    "AdamW": decayed(adamw, BASELINE, centre=2.0),
    "AdamW, float64": decayed(adamw, "is the rounding of float32 in the way of decay?", centre=2.0, dtype=torch.float64),
    "l2 penalty": decayed(coupled, "is it decay, or its decoupled form?", centre=1e-3),
    "Grokfast, AdamW": decayed(grokfast_with_decay, "ironjr/grokfast, issue 12: Grokfast, or the decay?", centre=2.0),
    "Grokfast, l2 penalty": decayed(grokfast_with_penalty, FILTER, centre=3e-3),
    "Grokfast": Remedy(grokfast, FILTER, step=1.0, second="strength", centre=1.0),
    "OrthoGrad, AdamW": decayed(orthogonal(adamw), f"{PRIETO}, issue 8: and OrthoGrad with decay?", centre=0.1),
    "OrthoGrad": Remedy(orthogonal(adam), BASELINE, step=0.03),
    "StableMax": Remedy(adam, "is the softmax the reason?", step=0.01, loss=stablemax_cross_entropy),
    "no decay": Remedy(adam, DEFAULT, step=1.0),
    "no decay, float64": Remedy(adam, "is rounding the reason that it does not?", step=1.0, dtype=torch.float64),
}


@dataclass(frozen=True, eq=False)
class Choice:
    """What each group chose, by name (groups,), and of its tuning: whether no setting generalized, whether the grid may be
    misplaced, and how many settings diverged.

    Where some generalized, a grid is misplaced if the first one lies on its end; where none did, if an end is more accurate
    than all inside by 0.05, in the mean over the groups.
    """

    settings: dict[str, np.ndarray]
    none: np.ndarray
    edge: np.ndarray
    diverged: np.ndarray


def groups_of(budget: Budget) -> int:
    return budget.pick(1, 6)


def limit(budget: Budget) -> int:
    return budget.pick(100, 350)


@measured("grokking_matrix")
def tuned(budget: Budget, name: str) -> Choice:
    remedy, groups, splits = REMEDIES[name], groups_of(budget), budget.pick(1, 2)
    grid = remedy.grid(budget)
    cells = [dict(zip(grid, cell, strict=True)) for cell in product(*grid.values())]
    knobs, runs = repeated(cells, drawn(budget.generator("tuning"), splits * groups, SHARE, dtype=remedy.dtype))
    same = torch.arange(splits * groups, device=runs.start.device).repeat(len(cells))
    tried = arrivals(remedy.method, knobs, runs, limit(budget), remedy.loss, same, PATIENCE)
    shape = (len(cells), splits, groups)
    times, accuracy = tried.generalized.reshape(shape), tried.accuracy.reshape(shape).mean(1)
    none = np.isnan(times).all((0, 1))
    late = np.log(bounded(times, limit(budget))).mean(1)
    best = np.where(none, accuracy.argmax(0), late.argmin(0))
    chosen = {key: np.array([cells[j][key] for j in best]) for key in grid}
    edge = none & misplaced(accuracy.reshape(*map(len, grid.values()), groups)[..., none])
    for key, values in grid.items():
        edge |= ~none & np.isin(chosen[key], (values[0], values[-1]))
    return Choice(chosen, none, edge, tried.diverged.reshape(-1, groups).sum(0))


def misplaced(accuracy: np.ndarray) -> bool:
    """Whether an end of an axis of a grid is more promising than all inside of it: accuracies (*axes, groups)."""
    for axis in range(accuracy.ndim - 1):
        others = tuple(j for j in range(accuracy.ndim - 1) if j != axis)
        best = accuracy.max(others).sum(1)
        if best[[0, -1]].max() > best[1:-1].max() + PROMISING * accuracy.shape[-1]:
            return True
    return False


@measured("grokking_matrix")
def contest(budget: Budget, name: str, stream: str = "fresh") -> Arrivals:
    """The fresh runs (groups,) of what was chosen. stream: names their splits and starts."""
    remedy, chosen = REMEDIES[name], tuned(budget, name).settings
    runs = drawn(budget.generator(stream), groups_of(budget), SHARE, dtype=remedy.dtype)
    settings = {key: torch.tensor(values, device=runs.start.device) for key, values in chosen.items()}
    return arrivals(remedy.method, settings, runs, limit(budget), remedy.loss)
