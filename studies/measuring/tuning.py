"""Equal tuning for every method: as many steps on a grid as wide, run on the same minibatches, and a flag for its edges.

A coarse grid spans four decades around a centre that a study states by rule, before the run; a fine one fills the interval
between the neighbours of its best step. Every step of both grids is run on the same seeds, each seed with the same
minibatches for all of them. The step with the least mean loss over the seeds is chosen; a diverged run counts as infinite.
A best step on the edge of the coarse grid says that the grid was misplaced, and nothing about the method, even where a
neighbour on the fine grid is better: such a comparison is inconclusive.

Where every seed tunes for itself (`each_chosen`), what the choice of a step leaves open is in the interval over seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.schedules import Schedule
from ratewitness.solvers.solver import Solver, run
from ratewitness.studies.claims import Verdict
from torch import Tensor

DECADES = 4.0

Build = Callable[[Schedule], Solver]  # a method without its step
Decay = Callable[[float | Tensor], Schedule]  # the step of every iteration from the step that is tuned


@dataclass(frozen=True, eq=False)
class Tuned:
    """The mean loss after the last step, over the tuning seeds, for every step of the grid; inf where a run diverged."""

    grid: np.ndarray  # (points,)
    losses: np.ndarray  # (points,)
    misplaced: bool = False  # the best step of the coarse grid was its first or last

    @property
    def best(self) -> int:
        return int(self.losses.argmin())

    @property
    def lr(self) -> float:
        return float(self.grid[self.best])

    @property
    def on_edge(self) -> bool:
        return self.misplaced or self.best in (0, len(self.grid) - 1) or not np.isfinite(self.losses[self.best])


@dataclass(frozen=True, eq=False)
class Chosen:
    """The step that each seed chose for itself, and the loss that it was chosen for."""

    lr: np.ndarray  # (seeds,)
    losses: np.ndarray  # (seeds,)
    edges: np.ndarray  # (seeds,): the best step of its coarse grid is the first or the last, or no step is any good

    @property
    def on_edge(self) -> int:
        return int(self.edges.sum())

    def of(self, seeds: slice) -> Chosen:
        return Chosen(self.lr[seeds], self.losses[seeds], self.edges[seeds])


class Paired:
    """An oracle that gives every x[i] of x (points, seeds, *shape) the same samples, one for each seed."""

    calls = component_gradients = values = 0  # what tuning costs is not counted

    def __init__(self, oracle: Oracle):
        self._oracle = oracle

    def grad(self, x: Tensor, redraw: bool = True) -> Tensor:
        """The gradient at x (points, seeds, *shape) on a fresh sample for every seed, or on the last one again."""
        if redraw:
            self._oracle.grad(x[:1])
        return self._oracle.grad(x, redraw=False)


def refined(losses: Callable[[np.ndarray], np.ndarray], grid: np.ndarray, finer: int | Sequence[float]) -> Tuned:
    """The losses of every step of a coarse grid (points,), and of finer ones between the neighbours of its best.

    losses: steps (points,) -> losses (points,), where NaN and inf are runs that diverged. finer: as in `between`.
    """

    def finite(steps):
        return np.nan_to_num(losses(steps), nan=np.inf, posinf=np.inf)

    coarse = Tuned(grid, finite(grid))
    fine = between(grid, coarse.losses, finer)
    order = np.argsort(both := np.concatenate([grid, fine]), kind="stable")
    return Tuned(both[order], np.concatenate([coarse.losses, finite(fine)])[order], coarse.on_edge)


def tried(
    runs: Callable[[np.ndarray], np.ndarray], grid: np.ndarray, finer: int | Sequence[float], score: Callable, axis: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """What runs on a coarse grid (points,) and on finer steps of each replicate give, with these steps, the coarse first.

    runs: steps (points, replicates or 1) -> an array with the points on `axis`; score: of such an array -> (points,
    replicates), whose least says where the finer steps lie, as in `between`. Returns (all points, replicates) and the runs.
    """
    coarse = runs(grid[:, None])
    fine = between(grid, score(coarse), finer)
    steps = np.concatenate([np.broadcast_to(grid[:, None], (len(grid), fine.shape[1])), fine])
    return steps, np.concatenate([coarse, runs(fine)], axis)


def each_chosen(losses: Callable[[np.ndarray], np.ndarray], grid: np.ndarray, finer: int | Sequence[float]) -> Chosen:
    """Every seed chooses for itself, out of a coarse grid (points,) and finer steps between the neighbours of its best.

    losses: steps (points, seeds or 1) -> (points, seeds), where NaN and inf are runs that diverged. finer: as in `between`.
    """

    def finite(steps):
        return np.nan_to_num(losses(steps), nan=np.inf, posinf=np.inf)

    steps, found = tried(finite, grid, finer, lambda coarse: coarse)
    least, seeds = found.argmin(0), np.arange(found.shape[1])
    edges = np.isin(found[: len(grid)].argmin(0), (0, len(grid) - 1)) | ~np.isfinite(found.min(0))
    return Chosen(steps[least, seeds], found[least, seeds], edges)


def between(grid: np.ndarray, losses: np.ndarray, finer: int | Sequence[float]) -> np.ndarray:
    """Finer steps between the neighbours of the best of a grid (points,), for each replicate that tunes for itself.

    losses: (points, *replicates) -> steps (finer, *replicates). finer: how many, evenly spaced in the logarithm, without the
    ends; or where they lie, as powers from 0 at the lower neighbour to 1 at the upper one.
    """
    best = losses.argmin(0)
    low, high = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, len(grid) - 1)]
    if isinstance(finer, int):
        return np.geomspace(low, high, finer + 2)[1:-1]
    return low * (high / low) ** np.reshape(finer, (-1, *[1] * best.ndim))


def around(centre: float, points: int, decades: float = DECADES) -> np.ndarray:
    """So many steps, evenly spaced in the logarithm over four decades, around a centre that is stated before the run."""
    return centre * np.logspace(-decades / 2, decades / 2, points)


def tune(
    build: Build,
    decay: Decay,
    centre: float,
    points: tuple[int, int],
    problem: FiniteSum,
    oracle: Callable[[], Oracle],
    steps: int,
    seeds: int,
) -> Tuned:
    """Run a coarse grid of points[0] and a fine one of points[1] steps, each as one batch of (points, seeds) replicates.

    The loss is problem.gap after `steps` iterations. `oracle` starts the same stream of samples whenever it is called.
    """

    def losses(grid):
        lr = torch.as_tensor(grid, device=problem.start.device).reshape(-1, *[1] * (1 + len(problem.shape)))
        x0 = problem.starts(len(grid), seeds)
        trace = run(build(decay(lr)), Paired(oracle()), x0, steps, problem.gap, at=[steps])
        return np.nan_to_num(trace.values[-1].cpu().numpy(), nan=np.inf, posinf=np.inf).mean(1)

    return refined(losses, around(centre, points[0]), points[1])


def unless_on_edge(verdict: Verdict, *compared) -> Verdict:
    """The same verdict, but inconclusive where a method's best step lies on the edge of its grid.

    compared: what has an `on_edge`, a truth or a number of seeds."""
    edges = sum(tuned.on_edge for tuned in compared)
    verdict = verdict.noting(steps_on_an_edge=float(edges))
    return replace(verdict, outcome="inconclusive") if edges else verdict
