"""What rates are measured on: fleets of an optimizer within a share of time, tuned, on problems that are moved away from 0.

A minimizer at 0 would pay whoever shrinks: here every minimizer is at SHIFT or around it, so that 0 is farther from it than
the start is. lr is tuned from coarse to fine by `tuned`; a subject that does not obey it, or has none, runs as it stands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.quadratics import quadratic, random_rotation
from ratewitness.studies.cards.fleet import Fleet
from ratewitness.studies.cards.subject import F64, MATRIX, VECTOR, Subject, gap, normal, play, subject
from ratewitness.studies.claims import Budget
from ratewitness.studies.judges import interval
from ratewitness.studies.measuring.tuning import between
from torch import Tensor

SHIFT = 3.0  # of every entry of a minimizer: starts are about 1 from it
GRID = 10.0 ** np.linspace(-4.5, 1.5, 19)  # of lr, where distances and gradients are about 1
COARSE = 10.0 ** np.linspace(-4, 1.5, 12)  # where every run is a parameter of its own
FINER = (5, 3)  # further values between the neighbours of the best, and then again: neighbours differ by 14 % at last
FARTHER = 2  # times that a best lr on the edge is followed by two decades
AGREEMENT = 0.15  # of the exponents of the two halves of a range: else they are no one power
FLAT = 0.4  # an exponent that no method of gradients has: the optimal one is 1/2
WIDE = 0.15  # half an interval of an exponent that says too little
SAME = 1e-9  # of two paths: rounding of six steps
FINE = 256  # a time is read to one part in so many: to look at every step costs as much as to take it
LOOK = 16  # steps between two looks at whether a run is decided
FEW = 50  # steps that any tuning takes


class Undecided(Exception):
    """Why a rate is not told."""


class Clock:
    """Processor time of this thread, of which a rate may use so many seconds."""

    def __init__(self, seconds: float, pace: float = 0.0):
        self.seconds, self.pace, self.begin = seconds, pace, time.thread_time()

    @property
    def used(self) -> float:
        return time.thread_time() - self.begin

    def steps(self, fleet: Fleet, count: int, known: bool = False) -> Iterator[int]:
        """0, ..., count. Raises Undecided when the time is used up or, where all steps are `known` to be taken, will be."""
        least = self.pace * len(fleet.parameters) * (count if known else min(count, FEW))
        for k in range(count + 1):
            if max(self.used, k == 0 and self.used + least) > self.seconds:
                raise Undecided(f"too slow, {1e6 * self.pace:.0f} us a step of one run")
            yield k


@dataclass(frozen=True, eq=False)
class Bench:
    """A subject without its weight decay, how many of its runs fit into one optimizer, and what may be spent."""

    subject: Subject
    entrywise: bool
    apart: bool
    budget: Budget
    obeys: Literal["later", "argument", "no"]  # lr as the entry of a param group, as an argument only, or not at all
    pace: float  # seconds of a step of one run
    asks: int  # gradients that a step asks for
    clock: Clock

    def within(self, seconds: float) -> Bench:
        return replace(self, clock=Clock(seconds, self.pace))

    @property
    def grid(self) -> np.ndarray:
        """The coarse grid of lr; NaN for an lr that is left as it is."""
        return np.array([np.nan]) if self.obeys == "no" else GRID if self.entrywise else COARSE

    def shape(self, entries: int) -> tuple[int, ...]:
        """Of a point with so many entries: a vector, or where only matrices are taken, the one that is nearest to square."""
        if self.subject.takes_shape(VECTOR):
            return (entries,)
        if not self.subject.takes_shape(MATRIX):
            raise Undecided("it takes neither vectors nor matrices")
        rows = max(d for d in range(1, entries + 1) if entries % d == 0 and d * d <= entries)
        return (rows, entries // rows)

    def fleet(self, lrs: np.ndarray, offsets: Tensor, shape: tuple[int, ...]) -> Fleet:
        """Runs from SHIFT + offsets (lrs or 1, *replicates, entries), with points of this shape."""
        x0 = SHIFT + offsets.expand(len(lrs), *offsets.shape[1:])
        given = [None if np.isnan(lr) else float(lr) for lr in lrs]
        apart = self.apart and self.obeys != "argument"  # read by the constructor: groups share one
        return Fleet(self.subject, given, x0.reshape(*x0.shape[:-1], *shape), len(shape), self.entrywise, apart)


def bench(examined: Subject, entrywise: bool, apart: bool, budget: Budget, seconds: float = 60.0) -> Bench:
    """A bench for this subject, whose first rate may take so many seconds."""
    bare = examined.bare
    pace, asks = _pace(bare)
    return Bench(bare, entrywise, apart, budget, _obeys(bare), pace, asks, Clock(seconds, pace))


class Place(Protocol):
    """A function of x (lrs, replicates, *shape), and where its runs begin; shape is () where it does not matter."""

    shape: tuple[int, ...]
    offsets: Tensor  # of the starts from SHIFT: (1, replicates, entries)

    def gap(self, x: Tensor) -> Tensor: ...

    def grad(self, x: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Turned:
    """f(Q^T (x - SHIFT)), for a rotation Q (replicates, d, d) of each replicate; x is (lrs, replicates, *shape)."""

    problem: FiniteSum
    rotation: Tensor
    shape: tuple[int, ...] = ()

    def gap(self, x: Tensor) -> Tensor:
        return self.problem.gap(self._inside(x))

    def grad(self, x: Tensor) -> Tensor:
        return _turn(self.problem.grad(self._inside(x)), self.rotation.mT).reshape(x.shape)

    @property
    def offsets(self) -> Tensor:
        """Of the starts from SHIFT: (1, replicates, entries)."""
        replicates, d, _ = self.rotation.shape
        return _turn(self.problem.start.expand(1, replicates, d), self.rotation.mT)

    def _inside(self, x: Tensor) -> Tensor:
        return _turn((x - SHIFT).reshape(*x.shape[:2], -1), self.rotation)


def turned(bench: Bench, spectrum: Tensor, start: Tensor, replicates: int, stream: str) -> Turned:
    """The quadratic of this spectrum (d,), scaled to a gap of 1 at the start, in so many rotations."""
    start = start / quadratic(spectrum, start).initial_gap.sqrt()
    generator = bench.budget.generator("rates of a card", stream)
    rotations = torch.stack([random_rotation(len(spectrum), generator) for _ in range(replicates)])
    return Turned(quadratic(spectrum, start), rotations)


def gradient_descent(given: Bench) -> Bench:
    """A bench for torch's SGD, with the same budget and clock."""
    return replace(bench(subject(torch.optim.SGD), True, True, given.budget), clock=given.clock)


@dataclass(frozen=True, eq=False)
class Tuned:
    """Of each of several cells, the lr that is best in the mean over groups; inf where no run got anywhere."""

    lr: np.ndarray  # (cells,)
    groups: np.ndarray  # (cells, groups), at that lr
    on_edge: np.ndarray  # (cells,): the best of the coarse grid is its first or last
    tried: np.ndarray  # (points,), rising
    means: np.ndarray  # (points, cells)

    def reached(self) -> Tuned:
        """The same, if every run of every cell got there and no lr is on an edge; else raises Undecided."""
        if not np.isfinite(self.groups).all():
            raise Undecided(
                f"{int(np.isfinite(self.groups).all(-1).sum())} of {len(self.groups)} cells are reached at any lr"
            )
        if self.on_edge.any():
            raise Undecided(f"the best lr, {self.lr[self.on_edge][0]:.1e}, is at the edge of its grid")
        return self

    def width(self, cell: int = 0, factor: float = 2.0) -> tuple[float, bool]:
        """Decades of lr around the best over which the mean is at most this multiple of the least, and whether they reach to
        an edge of the grid. The ends are interpolated in the logarithm."""
        lr, mean = np.log10(self.tried), self.means[:, cell]
        most, best = factor * mean.min(), int(mean.argmin())
        ends, cut = [], False
        for way in (-1, 1):
            k = best
            while 0 <= k + way < len(lr) and mean[k + way] <= most:
                k += way
            if not 0 <= k + way < len(lr):
                ends, cut = [*ends, lr[k]], True
                continue
            beyond = mean[k + way]
            share = np.log(most / mean[k]) / np.log(beyond / mean[k]) if np.isfinite(beyond) else 0.5
            ends.append(lr[k] + share * (lr[k + way] - lr[k]))
        return float(ends[1] - ends[0]), cut


Run = Callable[[np.ndarray], np.ndarray]  # lrs (points,) -> costs (points, cells, groups), inf where unreached


def tuned(run: Run, grid: np.ndarray, finer: tuple[int, ...] = FINER, scout: Run | None = None) -> Tuned:
    """The best lr of each cell, coarse to fine. scout: a cheaper run for the coarse grid, whose costs are then left out."""
    coarse = scout or run
    costs = _finite(coarse(grid))
    if len(grid) == 1:
        costs = costs if scout is None else _finite(run(grid))
        return _chosen(grid, costs, np.zeros(costs.shape[1], dtype=bool))
    for _ in range(FARTHER):
        further = _beyond(grid, costs.mean(-1))
        if not len(further):
            break
        grid, costs = _joined(grid, costs, further, _finite(coarse(further)))
    best, decided = costs.mean(-1).argmin(0), np.isfinite(costs.mean(-1).min(0))
    on_edge = decided & np.isin(best, (0, len(grid) - 1))
    for count in finer if decided.any() else ():
        fine = np.unique([float(f"{lr:.6g}") for lr in between(grid, costs.mean(-1)[:, decided], count).ravel()])
        if scout is not None:
            fine = np.union1d(fine, grid[best[decided]])
            grid, costs, scout = fine, _finite(run(fine)), None
            continue
        fine = fine[~np.isclose(fine[:, None], grid, rtol=1e-6).any(1)]
        if len(fine):
            grid, costs = _joined(grid, costs, fine, _finite(run(fine)))
    return _chosen(grid, costs, on_edge)


def _finite(costs: np.ndarray) -> np.ndarray:
    return np.nan_to_num(costs, nan=np.inf, posinf=np.inf)


def _beyond(grid: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Two decades more on each side where a cell is best at the end of the grid."""
    best = means.argmin(0)[np.isfinite(means.min(0))]
    ratio, steps = grid[1] / grid[0], np.arange(1, 1 + round(2 / np.log10(grid[1] / grid[0])))
    low = grid[0] / ratio ** steps[::-1] if (best == 0).any() else []
    high = grid[-1] * ratio**steps if (best == len(grid) - 1).any() else []
    return np.concatenate([low, high])


def _joined(grid: np.ndarray, costs: np.ndarray, more: np.ndarray, further: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(both := np.concatenate([grid, more]), kind="stable")
    return both[order], np.concatenate([costs, further])[order]


def _chosen(grid: np.ndarray, costs: np.ndarray, on_edge: np.ndarray) -> Tuned:
    means = costs.mean(-1)
    best = means.argmin(0)
    return Tuned(grid[best], costs[best, np.arange(len(best))], on_edge, grid, means)


def times(bench: Bench, place: Place, eps: ArrayLike, limit: int, patience: float = 1.0) -> Callable:
    """A run for `tuned`: lrs (points,) -> the first step with a gap of at most eps: (points, E, replicates), inf where none.

    It ends when no other lr can be better in the mean over replicates, for any accuracy (E,), by less than the factor
    `patience`: the times of the others are inf.
    """
    accuracies = torch.as_tensor(np.asarray(eps, dtype=float)).unsqueeze(-1)
    _, replicates, entries = place.offsets.shape
    shape = place.shape or bench.shape(entries)

    def run(lrs):
        fleet = bench.fleet(lrs, place.offsets, shape)
        found = torch.full((len(lrs), len(accuracies), replicates), torch.inf, dtype=F64)
        for k in bench.clock.steps(fleet, limit):
            if k % max(1, k // FINE) == 0:
                new = (place.gap(fleet.read()).unsqueeze(1) <= accuracies) & found.isinf()
                if new.any():
                    found[new] = k
            if k % LOOK == 0 and _settled(found, k, patience):
                break
            fleet.step(place.grad, place.gap)
        return found.numpy()

    return run


def fastest(
    bench: Bench, place: Turned, eps: ArrayLike, limit: int, grid: np.ndarray, finer: tuple[int, ...] = FINER
) -> Tuned:
    """The least steps to each accuracy (E,) over all lr: groups are the rotations, of which one chooses the coarse lr where
    each run is a parameter of its own."""
    one = None if bench.entrywise else times(bench, replace(place, rotation=place.rotation[:1]), eps, limit)
    return tuned(times(bench, place, eps, limit), grid, finer, one)


def _settled(found: Tensor, k: int, patience: float) -> bool:
    means, least = found.mean(-1), torch.where(found.isinf(), float(k + 1), found).mean(-1)
    best = means.amin(0)
    return bool((best.isfinite() & ((least > patience * best) | means.isfinite()).all(0)).all())


def exponent(x: ArrayLike, y: np.ndarray) -> tuple[float, float, float]:
    """The slope of log y (points, groups) in log x (points,), with its interval over groups. Raises Undecided if wide."""
    slopes = np.polyfit(np.log(np.asarray(x, dtype=float)), np.log(np.maximum(y, 1e-300)), 1)[0]
    slope, low, high = (float(value) for value in interval(slopes))
    if not high - low <= 2 * WIDE:
        raise Undecided(f"its interval is wide, {low:.2f} to {high:.2f}")
    return slope, low, high


def one_power(x: ArrayLike, y: np.ndarray, name: str, words: str = "", flat: float = FLAT) -> list[float]:
    """The exponents of y (points, groups) in both halves of a range of x (points,).

    Raises Undecided where they are not about the same, or below `flat`: no method of gradients has that on all problems, and
    one that has it here, as with a long momentum, has not met its own law.
    """
    x, half = np.log(np.asarray(x, dtype=float)), len(x) // 2
    mean = np.log(np.maximum(y.mean(-1), 1e-300))
    local = [float(np.polyfit(x[part], mean[part], 1)[0]) for part in (slice(half + 1), slice(half, None))]
    if abs(local[1] - local[0]) > AGREEMENT:
        raise Undecided(f"not one power of {name}, local exponents {local[0]:.2f} and then {local[1]:.2f}{words}")
    if max(local) < flat:
        raise Undecided(
            f"flatter than the optimal 1/2, {name}^{max(local):.2f}: its law shows beyond this range only{words}"
        )
    return local


def _pace(examined: Subject) -> tuple[float, int]:
    """Seconds of a step of one run on x^2/2 with noise, and the gradients that it asks for, in the median."""
    x0 = torch.full((1, *examined.shape), SHIFT, dtype=F64)
    fleet, seconds, asked = Fleet(examined, [None], x0, len(examined.shape), False, False), [], []
    for k in range(25):
        noise, calls = normal(*x0.shape, seed=k), []

        def gradient(x, noise=noise, calls=calls):
            calls.append(x)
            return x + noise

        begin = time.thread_time()
        fleet.step(gradient, lambda x, noise=noise: (x.square() / 2 + x * noise).flatten(1).sum(-1))
        seconds.append(time.thread_time() - begin)
        asked.append(len(calls) - examined.closure)  # the one before a closure is asked is shown to no one
    return float(np.median(seconds)), int(np.median(asked))


def _obeys(examined: Subject) -> str:
    grads = [normal(*examined.shape, seed=k) for k in range(6)]
    x0 = torch.full(examined.shape, SHIFT, dtype=F64)
    lr = examined.lr or 1e-2

    def doubled(t, optimizer, params):
        for group in optimizer.param_groups:
            group["lr"] = 2 * lr

    try:
        once = play(examined, x0, grads, lr=lr)[-1]
        if gap(once - x0, play(examined, x0, grads, lr=2 * lr)[-1] - x0) < SAME:
            return "no"
        later = play(examined, x0, grads, hook=doubled, lr=lr)[-1]
    except Exception:  # whatever the class raises, lr is no argument that it takes
        return "no"
    return "later" if gap(once - x0, later - x0) > SAME else "argument"


def _turn(x: Tensor, rotation: Tensor) -> Tensor:
    """(lrs, replicates, d) by (replicates, d, d)."""
    return torch.bmm(x.transpose(0, 1), rotation).transpose(0, 1)
