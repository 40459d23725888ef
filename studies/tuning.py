"""Equal tuning for every method: as many steps on a grid as wide, run on the same seeds, and a flag for its edges.

A coarse grid spans four decades around a centre that a study states by rule, before the run; a fine one fills the interval
between the neighbours of its best step. The step with the least mean loss over the tuning seeds is chosen; a diverged run
counts as infinite. A best step on the edge of the coarse grid says that the grid was misplaced, and nothing about the
method: such a comparison is inconclusive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from problems.oracle import Oracle
from problems.problem import FiniteSum
from solvers.schedules import Schedule
from solvers.solver import Solver, run
from studies.claims import Verdict

DECADES = 4.0

Build = Callable[[Schedule], Solver]  # a method without its step
Decay = Callable[[float | Tensor], Schedule]  # the step of every iteration from the step that is tuned


@dataclass(frozen=True, eq=False)
class Tuned:
    """The mean loss after the last step, over the tuning seeds, for every step of the grid; inf where a run diverged."""

    grid: np.ndarray  # (points,)
    losses: np.ndarray  # (points,)

    @property
    def best(self) -> int:
        return int(self.losses.argmin())

    @property
    def lr(self) -> float:
        return float(self.grid[self.best])

    @property
    def on_edge(self) -> bool:
        return self.best in (0, len(self.grid) - 1) or not np.isfinite(self.losses[self.best])


def tune(
    build: Build,
    decay: Decay,
    centre: float,
    points: tuple[int, int],
    problem: FiniteSum,
    oracle: Oracle,
    steps: int,
    seeds: tuple[int, int],
) -> Tuned:
    """Run a coarse grid of points[0] and a fine one of points[1] steps, each as one batch of (points, seeds) replicates.

    The loss is problem.gap after `steps` iterations; its mean is over seeds[0] and seeds[1] fresh seeds.
    """

    def losses(grid, seeds):
        lr = torch.as_tensor(grid, device=problem.start.device).reshape(-1, *[1] * (1 + len(problem.shape)))
        trace = run(build(decay(lr)), oracle, problem.starts(len(grid), seeds), steps, problem.gap, at=[steps])
        return np.nan_to_num(trace.values[-1].cpu().numpy(), nan=np.inf, posinf=np.inf).mean(1)

    grid = centre * np.logspace(-DECADES / 2, DECADES / 2, points[0])
    coarse = Tuned(grid, losses(grid, seeds[0]))
    low, high = grid[max(coarse.best - 1, 0)], grid[min(coarse.best + 1, len(grid) - 1)]
    fine = np.geomspace(low, high, points[1] + 2)[1:-1]
    order = np.argsort(grid := np.concatenate([grid, fine]), kind="stable")
    return Tuned(grid[order], np.concatenate([coarse.losses, losses(fine, seeds[1])])[order])


def unless_on_edge(verdict: Verdict, *compared: Tuned) -> Verdict:
    """The same verdict, but inconclusive where a method's best step lies on the edge of its grid."""
    edges = sum(tuned.on_edge for tuned in compared)
    verdict = verdict.noting(steps_on_an_edge=float(edges))
    return replace(verdict, outcome="inconclusive") if edges else verdict
