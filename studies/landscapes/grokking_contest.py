r"""The remedies of grokking, tuned by every group for itself, and the steps that each then needs (`grokking_matrix`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from ratewitness.problems.networks.mlp import cross_entropy
from ratewitness.problems.networks.stablemax import stablemax_cross_entropy
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.landscapes.grokking_runs import (
    Method,
    adam,
    adamw,
    arrivals,
    coupled,
    drawn,
    grokfast,
    grokfast_with_decay,
    orthogonal,
    repeated,
)

STEPS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
DECAYS = (0.5, 1.0, 2.0, 4.0)
PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3)
STRENGTHS = (0.5, 1.0, 2.0, 5.0)
SMALLER = (0.003, 0.01, 0.03, 0.1)  # decays beside OrthoGrad, under which nothing makes the weights grow
EDGE = "github.com/LucasPrietoAl/grokking-at-the-edge-of-numerical-stability"
DEFAULT = "openai/grok's default decay is 0: does it generalize without? (danielmamay/grokking, issue 1)"
GROKFAST = "ironjr/grokfast, issue 12: Grokfast, or the decay beside it?"
TUNING = "LucasPrietoAl/grokking-at-the-edge-of-numerical-stability, issue 8: is the baseline with decay tuned?"
BETAS_SET = "LucasPrietoAl/grokking-at-the-edge-of-numerical-stability, issue 11: OrthoGrad with its betas set"


@dataclass(frozen=True, eq=False)
class Remedy:
    method: Method
    question: str
    second: Mapping[str, tuple[float, ...]]  # a second setting beside the step, by name
    loss: Callable = cross_entropy
    dtype: torch.dtype = torch.float32


REMEDIES = {
    "AdamW": Remedy(adamw, TUNING, {"decay": DECAYS}),
    "AdamW, float64": Remedy(
        adamw, "is the rounding of float32 in the way of decay?", {"decay": DECAYS}, dtype=torch.float64
    ),
    "coupled decay": Remedy(coupled, "is it the form of the decay?", {"decay": PENALTIES}),
    "no decay": Remedy(adam, DEFAULT, {}),
    "no decay, float64": Remedy(adam, "is rounding the reason that it does not?", {}, dtype=torch.float64),
    "StableMax": Remedy(adam, "is the softmax the reason?", {}, loss=stablemax_cross_entropy),
    "Grokfast": Remedy(grokfast, GROKFAST, {"strength": STRENGTHS}),
    "Grokfast, AdamW": Remedy(grokfast_with_decay, GROKFAST, {"decay": DECAYS}),
    "OrthoGrad": Remedy(orthogonal(adam), BETAS_SET, {}),
    "OrthoGrad, AdamW": Remedy(orthogonal(adamw), TUNING, {"decay": SMALLER}),
}


@dataclass(frozen=True, eq=False)
class Contest:
    """Of the fresh run of each group (groups,): steps to learn and to generalize, NaN where censored; validation accuracy at
    its end; what was chosen in tuning, by name; whether that is an end of a grid; and of tuning, whether no setting
    generalized there, and how many diverged."""

    learnt: np.ndarray
    steps: np.ndarray
    accuracy: np.ndarray
    chosen: dict[str, np.ndarray]
    edge: np.ndarray
    none: np.ndarray
    diverged: np.ndarray


def limit(budget: Budget) -> int:
    return budget.pick(150, 1000)


@measured("grokking_matrix")
def contest(budget: Budget, name: str, fresh: str) -> Contest:
    """Tuning and fresh runs of a remedy, on streams that all remedies share. fresh: names that of the fresh runs."""
    remedy, groups = REMEDIES[name], budget.pick(2, 4)
    grid = {"lr": STEPS, **remedy.second}
    grid = {key: values[budget.pick(slice(-3, -1), slice(None))] for key, values in grid.items()}
    cells = [dict(zip(grid, cell, strict=True)) for cell in product(*grid.values())]
    tuning, judged = (
        drawn(budget.generator(stream), groups, dtype=remedy.dtype) for stream in ("matrix, tuning", f"matrix, {fresh}")
    )
    # a setting leaves as soon as another of its group has generalized
    knobs, runs = repeated(cells, tuning)
    same = torch.arange(groups, device=tuning.start.device).repeat(len(cells))
    tried = arrivals(remedy.method, knobs, runs, limit(budget), remedy.loss, same)
    times, accuracy = (part.reshape(len(cells), groups) for part in (tried.generalized, tried.accuracy))
    none = np.isnan(times).all(0)
    best = np.where(none, accuracy.argmax(0), np.nan_to_num(times, nan=np.inf).argmin(0))
    chosen = {key: np.array([cells[j][key] for j in best]) for key in grid}
    settings = {key: torch.tensor(values, device=tuning.start.device) for key, values in chosen.items()}
    found = arrivals(remedy.method, settings, judged, limit(budget), remedy.loss)
    edge = np.any([np.isin(chosen[key], (min(grid[key]), max(grid[key]))) for key in grid], axis=0)
    kept = {"lr": chosen["lr"], "second": chosen[(*grid,)[-1]] if remedy.second else np.full(groups, np.nan)}
    return Contest(
        found.learnt, found.generalized, found.accuracy, kept, edge, none, tried.diverged.reshape(-1, groups).sum(0)
    )
