r"""Rates of an optimizer on exact gradients, each with lr tuned for itself.

    accuracy         steps to f - f* <= eps at kappa = 100:          GD kappa/4 ln(1/eps)
    conditioning     exponent of kappa, up to 1e4:                   GD 1, optimal 1/2
    convex           exponent of 1/eps on a fixed quadratic:         GD 1, optimal 1/2
    zero-chain       steps a link:                                   at least 1 where zero gradients move nothing
    stability        largest lr on L x^2/2:                          GD 2/L, methods blind to scale free of L
    drift            (n, -1, ..., -1): the best point is on the left
    frequencies      exponent of 1/pi_k in the time of class k:      GD 1, sign descent 0
    matrix           f(W) = ||A^T (W - W*) B||^2/2, kappa = 100

They are exponents over the range that stands beside them, not limits: a fixed momentum of 0.99 has not met its limit at
kappa = 1e4, and is told so by exponents that still rise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from ratewitness.problems.data.bigram import divergences, population_softmax, zipf
from ratewitness.problems.data.matrix_regression import matrix_regression
from ratewitness.problems.online.slopes import negative_family
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.quadratics import log_spaced, random_rotation
from ratewitness.problems.zero_chain import LIPSCHITZ, zero_chain
from ratewitness.studies.cards.bench import (
    GRID,
    SHIFT,
    Bench,
    Undecided,
    exponent,
    fastest,
    gradient_descent,
    one_power,
    times,
    tuned,
    turned,
)
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.cards.subject import F64, MATRIX
from ratewitness.studies.judges import interval, is_logarithmic
from torch import Tensor

MODES = 12
LOG_TOLERANCE = 0.25  # of late over early steps a decade: a power of 0.1 has 3 over five decades
NEXT = math.sqrt(10)
KAPPAS = (10.0, 100.0, 1000.0, 1000.0 * NEXT, 10_000.0)  # the last three make the exponent
PERIODS = (3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 28, 40, 56, 80, 101, 128, 200)
SAME = 4.0  # times: the drift of AdaGrad still halves from T to 2 T, and keeps its sign
STILL = 1e-9  # of the way of a period: a drift that rounding makes


def spectrum(kappa: float) -> tuple[Tensor, Tensor]:
    """Eigenvalues from 1 to 1/kappa, evenly in the logarithm, and a start with equal energies: (MODES,) twice."""
    lam = torch.logspace(0, -math.log10(kappa), MODES, dtype=F64)
    return lam, lam.rsqrt()


def accuracy(bench: Bench) -> Fact:
    """Whether a digit more costs equally many steps at 1e-12 as at 1e-2, kappa = 100."""
    eps = 10.0 ** -np.arange(2.0, 12.1, 0.5)
    place = turned(bench, *spectrum(100.0), _turns(bench), "accuracy")
    found = fastest(bench, place, eps, 3000, bench.grid)
    reached = np.isfinite(found.groups).all(-1)
    if reached.sum() < 8:
        raise Undecided(f"{_to(eps, reached)} in 3000 steps")
    if found.on_edge[reached].any():
        raise Undecided(f"the best lr, {found.lr[found.on_edge][0]:.1e}, is at the edge of its grid")
    eps, steps, lr = eps[reached], found.groups[reached], found.lr[reached]
    verdict = is_logarithmic(eps, steps, LOG_TOLERANCE)
    ratio = verdict.evidence["late_over_early"]
    late = len(eps) // 2
    series = {"eps": eps.tolist(), "steps": steps.mean(-1).tolist(), "lr": lr.tolist()}
    if verdict.outcome == "supported":
        decade = float(np.polyfit(np.log10(1 / eps[late:]), steps[late:].mean(-1), 1)[0])
        gd = math.log(10) / (2 * math.log((100 + 1) / (100 - 1)))
        words = f"steps ~ log(1/eps) to {eps[-1]:.0e}, {decade:.1f} a decade (GD {gd:.1f}), late over early {ratio:.2f}"
        return Fact("accuracy", words, ratio, LOG_TOLERANCE, series=series)
    if verdict.outcome != "refuted":
        low, high = verdict.evidence["low"], verdict.evidence["high"]
        raise Undecided(f"late over early steps a decade are {ratio:.2f} [{low:.2f}, {high:.2f}]: a logarithm or a power")
    if ratio < 1:
        words = f"steps grow slower than log(1/eps), to {eps[-1]:.0e}: late over early {ratio:.2f} (GD 1)"
        return Fact("accuracy", words, ratio, LOG_TOLERANCE, series=series)
    slope, low, high = exponent(1 / eps[late:], steps[late:])
    words = f"steps ~ eps^-{slope:.2f} [{low:.2f}, {high:.2f}] from {eps[late]:.0e} to {eps[-1]:.0e} (GD: log(1/eps))"
    words += f", late over early {ratio:.2f}; the best lr falls by {math.log10(lr[0] / lr[-1]):.1f} decades"
    return Fact("accuracy", words, ratio, LOG_TOLERANCE, series=series)


def conditioning(bench: Bench, kappas: tuple[float, ...] = KAPPAS) -> Fact:
    """The exponent of kappa in the steps to 1e-3, on rotated quadratics, from the last three kappas."""
    grid, steps, lrs = bench.grid, [], []
    for kappa in kappas:
        place = turned(bench, *spectrum(kappa), _turns(bench), f"conditioning {kappa:.0f}")
        found = fastest(bench, place, [1e-3], round(4 * kappa) + 1000, grid).reached()
        steps.append(found.groups[0])
        lrs.append(float(found.lr[0]))
        if bench.obeys != "no":
            grid = lrs[-1] * 10.0 ** np.linspace(-1, 1, 7)
    steps = np.array(steps)
    words = "; steps to 1e-3: " + _listed(steps.mean(-1), kappas)
    settled = one_power(kappas[-3:], steps[-3:], "kappa", words)
    slope, low, high = exponent(kappas[-3:], steps[-3:])
    words = f"kappa^{slope:.2f} [{low:.2f}, {high:.2f}] over {kappas[-3]:.0f}..{kappas[-1]:.0f} (GD 1, optimal 1/2){words}"
    series = {"kappa": list(kappas), "steps": steps.mean(-1).tolist(), "lr": lrs, "local": settled}
    return Fact("conditioning", words, slope, series=series)


def convex(bench: Bench) -> Fact:
    """The exponent of 1/eps on a quadratic without a smallest eigenvalue in reach, lam_j = 2^-j."""
    witness = log_spaced()
    eps = np.logspace(-1.5, -4, 9)
    lam = witness.grad(torch.ones_like(witness.start))
    place = turned(bench, lam, witness.start, _turns(bench), "convex")
    found = fastest(bench, place, eps, 8000, bench.grid).reached()
    steps = found.groups
    local = one_power(1 / eps, steps, "1/eps", f"; steps: {_listed(steps.mean(-1)[::4], eps[::4])}")
    slope, low, high = exponent(1 / eps, steps)
    words = f"eps^-{slope:.2f} [{low:.2f}, {high:.2f}] from {eps[0]:.0e} to {eps[-1]:.0e} (GD 1, optimal 1/2)"
    series = {"eps": eps.tolist(), "steps": steps.mean(-1).tolist(), "lr": found.lr.tolist(), "local": local}
    return Fact("convex", words, slope, series=series)


@dataclass(frozen=True, eq=False)
class Moved:
    """f(x - SHIFT) of a problem that may have a sweep; x is (lrs, replicates, *shape)."""

    problem: FiniteSum
    shape: tuple[int, ...]

    def gap(self, x: Tensor) -> Tensor:
        return self.problem.gap(self._inside(x))

    def grad(self, x: Tensor) -> Tensor:
        return self.problem.grad(self._inside(x)).reshape(x.shape)

    @property
    def offsets(self) -> Tensor:
        return self.problem.start.reshape(1, -1, math.prod(self.shape))

    def _inside(self, x: Tensor) -> Tensor:
        return (x - SHIFT).reshape(*x.shape[:2], *self.problem.shape)


class Chain(Moved):
    """The zero-chain, judged by the norm of its gradient."""

    def gap(self, x: Tensor) -> Tensor:
        return self.problem.grad(self._inside(x)).norm(dim=-1)


def links(bench: Bench) -> Fact:
    """Steps a link of the zero-chain, until its gradient is at most 1."""
    lengths, steps = bench.budget.pick((5, 10, 20, 40), (5, 10, 20, 40, 80)), []
    for T in lengths:
        place = Chain(zero_chain(T, LIPSCHITZ), bench.shape(T))
        steps.append(tuned(times(bench, place, [1.0], 40 * T), bench.grid).reached().groups[0, 0])
    each = np.array(steps) / lengths
    words = f"{each[-1]:.2f} steps a link at T = {lengths[-1]} (at least 1 where a zero gradient moves nothing)"
    series = {"T": list(map(float, lengths)), "steps": [float(s) for s in steps]}
    return Fact("zero-chain", f"{words}; {_listed(each, lengths)}", float(each[-1]), series=series)


def stability(bench: Bench) -> Fact:
    """The lr up to which all end nearer to the minimizer of L x^2/2 than they began, for L = 1 and 100."""
    if bench.obeys == "no":
        raise Undecided("it obeys no lr")
    one, hundred = (_limit(bench, L) for L in (1.0, 100.0))
    if math.isinf(max(one, hundred)):
        without = " and ".join(f"L = {L}" for L, limit in ((1, one), (100, hundred)) if math.isinf(limit))
        return Fact("stability", f"no limit: at {without} it comes nearer at every lr up to 1e+04 (GD: up to 2/L)")
    power = math.log(one / hundred) / math.log(100)
    words = f"lr < {one:.3g} at L = 1, < {hundred:.3g} at L = 100"
    law = f"lr L < {one:.3g} (GD 2)" if abs(power - 1) < 0.01 else "free of L" if abs(power) < 0.01 else f"L^-{power:.2f}"
    return Fact("stability", f"{law}; {words}", power, series={"L": [1.0, 100.0], "lr": [one, hundred]})


def _limit(bench: Bench, L: float) -> float:
    low, high = -8.0, 4.0
    for _ in range(3):  # each narrows it 24-fold: to 0.2 %
        lrs = np.logspace(low, high, 25)
        fails = np.flatnonzero(~_nearer(bench, lrs, L))
        if not len(fails):
            return math.inf
        if fails[0] == 0:
            raise Undecided(f"at L = {L:.0f} it does not come nearer even at lr = {lrs[0]:.0e}")
        low, high = np.log10(lrs[fails[0] - 1]), np.log10(lrs[fails[0]])
    return float(10**low)


def _nearer(bench: Bench, lrs: np.ndarray, L: float, steps: int = 600, last: int = 100) -> np.ndarray:
    """Whether all of the last distances are at most the first: (lrs,)."""
    fleet = bench.fleet(lrs, torch.ones(1, 1, 1, dtype=F64), bench.shape(1))
    farthest = torch.zeros(len(lrs), dtype=F64)
    for k in bench.clock.steps(fleet, steps, known=True):
        if k > steps - last:
            farthest = torch.maximum(farthest, (fleet.read() - SHIFT).abs().reshape(len(lrs)).nan_to_num(torch.inf))
        fleet.step(lambda x: L * (x - SHIFT), lambda x: L * (x - SHIFT).flatten(1).square() / 2)
    return (farthest <= 1).numpy()


def drift(bench: Bench) -> Fact:
    """To which end of a line the slopes (n, -1, ..., -1) take it, whose sum says to the left; linear losses need no lr."""
    periods = np.array(PERIODS if bench.entrywise else PERIODS[::5])
    shares = _shares(_path(bench, periods, 2 * bench.budget.pick(6000, 24_000)), periods)
    settled = np.isfinite(shares)
    if settled.mean() < 0.75:
        raise Undecided(f"the drift is not yet the same later, as at n = {periods[~settled][0]}")
    wrong, right = periods[shares > STILL], periods[shares < -STILL]
    still = periods[np.abs(shares) <= STILL]
    words = f"right end at all n from {periods[0]} to {periods[-1]}"
    if len(wrong):
        on = len(right) + len(still) == 0 or wrong[0] > max([*right, *still])
        words = (
            f"wrong end from n = {wrong[0]} on, of {periods[0]} to {periods[-1]}"
            if on
            else f"wrong end at n = {_row(wrong)}"
        )
    elif len(still):
        words = f"right end at n = {_row(right)}" if len(right) else "no end"
    words += f"; no drift at n = {_row(still)}" * bool(len(still))
    words += f"; not settled at n = {_row(periods[~settled])}" * bool((~settled).any())
    series = {"n": periods.astype(float).tolist(), "drift": shares.tolist()}
    return Fact("drift", f"{words} (SGD, AMSGrad: right end)", float(wrong[0]) if len(wrong) else None, series=series)


def _path(bench: Bench, periods: np.ndarray, steps: int) -> np.ndarray:
    """The points after every step, (steps + 1, periods), from SHIFT on."""
    family = negative_family(torch.as_tensor(periods).reshape(-1, 1))
    fleet = bench.fleet(np.array([np.nan]), torch.zeros(1, len(periods), 1, dtype=F64), bench.shape(1))
    path = torch.empty(steps + 1, len(periods), dtype=F64)
    for t in bench.clock.steps(fleet, steps, known=True):
        path[t] = fleet.read().flatten()
        fleet.step(lambda x, t=t: family.grad(t, x.reshape(1, -1, 1)).reshape(x.shape))
    return path.numpy()


def _shares(path: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """Of each n, how far it gets a period over how far it goes; NaN where halfway it was another share."""
    half, shares = len(path) // 2, []
    for piece, n in zip(path.T, periods, strict=True):
        window = half // (2 * n) * n  # whole periods
        early, late = (piece[end - window : end + 1] for end in (half, 2 * half))
        early, late = ((part[-1] - part[0]) / max(np.abs(np.diff(part)).sum(), 1e-300) for part in (early, late))
        still = max(abs(early), abs(late)) <= STILL
        shares.append(late if still or (early * late > 0 and 1 / SAME < late / early < SAME) else np.nan)
    return np.array(shares)


def frequencies(bench: Bench) -> Fact:
    """The exponent of 1/pi_k in the time of class k, at the largest lr for which the most frequent takes 10 or more."""
    pi = zipf(20)
    P = torch.diag(pi)
    place = Moved(population_softmax(P), (20, 20) if bench.subject.takes_shape(MATRIX) else (400,))
    lrs = bench.grid if len(bench.grid) == 1 else np.logspace(-3, 3, 13)
    learnt = _learnt(bench, place, lambda x: divergences(P, (x - SHIFT).reshape(len(lrs), 20, 20)), lrs, 3000)
    fit = np.flatnonzero(np.isfinite(learnt).all(-1) & (learnt[:, 0] >= 10))
    if not len(fit):
        raise Undecided("at no lr does the first class take 10 steps, and the last at most 3000")
    steps, x = learnt[fit[-1]], 1 / pi.numpy()
    ends = f"; {steps[0]:.0f} steps for the most frequent of 20 classes, {steps[-1]:.0f} for the rarest"
    local = one_power(x, steps[:, None], "1/pi", ends, flat=-math.inf)
    slope = np.polyfit(np.log(x), np.log(steps), 1)[0]
    words = f"steps ~ pi^-{abs(slope):.2f}, locally {local[0]:.2f} to {local[1]:.2f} (GD 1, sign descent 0){ends}"
    return Fact("frequencies", words, float(slope), series={"pi": pi.tolist(), "steps": steps.tolist()})


def _learnt(bench: Bench, place: Moved, losses, lrs: np.ndarray, limit: int) -> np.ndarray:
    """When the loss of each class is a tenth of that at the start: (lrs, classes), as far as the choice of lr needs it."""
    fleet = bench.fleet(lrs, place.offsets, place.shape)
    found = torch.full((len(lrs), 20), torch.inf, dtype=F64)
    for k in bench.clock.steps(fleet, limit):
        found[(losses(fleet.read()) <= 0.1 * math.log(20)) & found.isinf()] = k
        slow = (found[:, 0] >= 10).nonzero().flatten()
        if k >= 10 and (not len(slow) or found[slow[-1]].isfinite().all()):
            break
        fleet.step(place.grad, place.gap)
    return found.numpy()


def matrices(bench: Bench) -> Fact:
    """Steps on matrix regression (8, 6), kappa = 10 on each side, against tuned gradient descent on the same instances."""
    if not bench.subject.takes_shape(MATRIX):
        raise Undecided("it takes no matrices")
    generator = bench.budget.generator("rates of a card", "matrices")
    A, B = (_factors(d, _turns(bench), generator) for d in (8, 6))
    target = torch.randn(8, 6, generator=generator, dtype=F64)
    problem = matrix_regression(A, B, target)
    scale = problem.initial_gap.pow(-0.25).reshape(-1, 1, 1)  # of each factor: a gap of 1 at the start
    place = Moved(matrix_regression(A * scale, B * scale, target), (8, 6))
    eps = np.array([1e-1, 1e-2, 1e-3])
    steps = tuned(times(bench, place, eps, 3000), bench.grid).reached().groups
    own = tuned(times(gradient_descent(bench), place, eps, 3000), GRID).reached()
    ratio, low, high = (float(value) for value in interval(np.log(steps[-1] / own.groups[-1])))
    words = f"{_listed(steps.mean(-1), eps)} of the first gap, at 1e-3 {_factor(ratio, low, high)} of the steps of GD"
    series = {"eps": eps.tolist(), "steps": steps.mean(-1).tolist(), "of GD": own.groups.mean(-1).tolist()}
    return Fact("matrix", words, math.exp(ratio), series=series)


def _factors(d: int, count: int, generator: torch.Generator) -> Tensor:
    """Symmetric (count, d, d) of condition number sqrt(10), so that A A^T has 10."""
    Q = torch.stack([random_rotation(d, generator) for _ in range(count)])
    return (Q * torch.logspace(0, -0.5, d, dtype=F64)) @ Q.mT


def good_range(bench: Bench) -> Fact:
    """Over how many decades of lr the steps to 1e-4 are at most twice the least, for kappa = 100."""
    if bench.obeys == "no":
        raise Undecided("it obeys no lr")
    place = turned(bench, *spectrum(100.0), _turns(bench), "good range")
    found = tuned(times(bench, place, [1e-4], 2000, patience=4.0), bench.grid).reached()
    width, cut = found.width()
    words = f"at most twice the least steps over {_decades(width, cut)} around lr = {found.lr[0]:.2g} (GD 0.3 decades)"
    series = {"lr": found.tried.tolist(), "steps": found.means[:, 0].tolist()}
    return Fact("range of lr", words, None if cut else width, series=series)


def _decades(width: float, cut: bool) -> str:
    return f"{width:.1f} decades" + " or more, to an edge of the grid" * cut


def _factor(ratio: float, low: float, high: float) -> str:
    return f"{math.exp(ratio):.2f} [{math.exp(low):.2f}, {math.exp(high):.2f}]"


def _row(values: np.ndarray) -> str:
    return ", ".join(map(str, values))


def _turns(bench: Bench) -> int:
    """Rotations of a quadratic, over which intervals are taken."""
    return bench.budget.pick(16, 32) if bench.entrywise else 5


def _to(eps: np.ndarray, reached: np.ndarray) -> str:
    return (
        f"f - f* = {eps[reached][-1]:.0e} is reached, and no less," if reached.any() else f"not even {eps[0]:.0e} is reached"
    )


def _listed(values: np.ndarray, at) -> str:
    return ", ".join(f"{value:.3g} at {place:.3g}" for value, place in zip(values, at, strict=True))
