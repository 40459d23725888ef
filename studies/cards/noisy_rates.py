r"""Rates of an optimizer on noisy gradients, each with lr tuned for its horizon and falling linearly to 0.

    strongly convex   x^2/2 + N(0, 1), the minimizer a distance N(0, 1) away:    gap ~ 1/N, at least 1/(2 (1 + N)) (Bayes)
    convex            c/(2 sqrt N) x^2 +- x, the worst c:                        gap ~ N^-1/2
    nonconvex         two modes, the worst curvature of the quiet one:           mean ||grad f||^2 ~ N^-1/2
    floor             x^2/2 + N(0, sigma^2), a constant lr:                      SGD lr sigma^2/4, sign descent ~ lr sigma

A method with a train and an eval mode is judged at its output, and with a constant lr as well: the better schedule counts.
The lr is chosen on one stream of noise, and what it gives is measured on another. In the strongly convex cell the optimal
SGD runs on the same noise, and its exact second moments take most of the sampling error away.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from ratewitness.problems.noisy_quadratics import horizon_parabola, noisy_parabola, two_mode
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.studies.cards.bench import AGREEMENT, SHIFT, Bench, Undecided, exponent, gradient_descent, one_power, tuned
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.cards.subject import F64, swaps
from ratewitness.studies.judges import interval
from ratewitness.theory.moments import second_moments
from scipy.optimize import minimize_scalar
from torch import Tensor

GROUPS = 10
HORIZONS = (64, 256, 1024)
CURVATURES = (0.5, 1.0, 2.0, 4.0)  # c of the convex cell, around the worst one for SGD
SHARES = (0.1, 0.4, 1.5, 6.0)  # of N^-1/2: the quiet curvature of the nonconvex cell, around the worst one for SGD
LRS = np.array([0.1, 0.03, 0.01])  # of the floor
SIGMAS = np.array([0.1, 1.0, 10.0])
MOVING = 1.15  # a floor whose later half is higher or lower by more is none


@dataclass(frozen=True, eq=False)
class Cell:
    """A noisy problem for a horizon, with minimizer SHIFT: x is (lrs, cases, replicates, d)."""

    problem: FiniteSum
    oracle: Callable[[torch.Generator], Oracle]
    offsets: Callable[[int, torch.Generator], Tensor]  # replicates, generator -> starts (1, cases, replicates, d)
    measure: Callable[[Tensor], Tensor]  # (lrs, cases, replicates, d) -> (lrs, cases, replicates)
    average: bool = False  # of the measure over x_0, ..., x_{N-1}, instead of its last value
    turn: Tensor | None = None  # the coordinates of the problem are (x - SHIFT) @ turn, (d, d)


class AboveBayes(ArithmeticError):
    """No method can be better than the Bayes bound: the measurement is wrong."""


def strongly_convex(bench: Bench) -> Fact:
    """The exponent of N on x^2/2 + N(0, 1), and the gap as a share of what the Bayes bound leaves."""
    parabola = noisy_parabola(1.0, 1.0)
    cell = Cell(
        parabola,
        lambda generator: Oracle.gaussian(parabola, 1.0, generator),
        lambda count, generator: torch.randn(1, 1, count, 1, generator=generator, dtype=F64),
        parabola.gap,
    )
    return _rate("strongly convex, noisy", bench, lambda N: cell, 1.0, bayes=True)


def convex(bench: Bench) -> Fact:
    """The exponent of N on parabolas whose curvature is the worst for the horizon."""

    def cell(N):
        c = torch.tensor(CURVATURES, dtype=F64).reshape(-1, 1, 1)
        problem = horizon_parabola(float(N), c=c)
        return Cell(problem, _minibatch(problem), lambda count, generator: problem.start.unsqueeze(0), problem.gap)

    return _rate("convex, noisy", bench, cell, 0.5)


def nonconvex(bench: Bench) -> Fact:
    """The exponent of N in the mean squared gradient, on two modes of which the worst carries the distance. They lie across
    the axes, so that no entry is without noise."""
    across = torch.tensor([[1.0, 1.0], [-1.0, 1.0]], dtype=F64) / math.sqrt(2)

    def cell(N):
        lam = (torch.tensor(SHARES, dtype=F64) / math.sqrt(N)).reshape(-1, 1, 1)
        problem = two_mode(lam, 1.0, 1.0, 1.0)
        start = problem.start.unsqueeze(0)
        return Cell(problem, _minibatch(problem), lambda *_: start, lambda x: problem.grad(x).square().sum(-1), True, across)

    return _rate("nonconvex, noisy", bench, cell, 0.5)


def _minibatch(problem: FiniteSum) -> Callable[[torch.Generator], Oracle]:
    return lambda generator: Oracle.minibatch(problem, 1, generator)


def _rate(name: str, bench: Bench, cell: Callable[[int], Cell], theory: float, bayes: bool = False) -> Fact:
    horizons = HORIZONS if bench.entrywise else HORIZONS[:2]
    found = [_measured(bench, cell(N), N, f"{name} {N}", paired=bayes) for N in horizons]
    values = np.array([groups for groups, _, _ in found])
    efficiency = _efficiency(horizons, values) if bayes else ("", {})
    slope, low, high = exponent(horizons, values)
    if high >= 0:
        raise Undecided(f"it does not fall with N, its exponent is between {low:.2f} and {high:.2f}")
    if -high > theory + AGREEMENT:
        raise Undecided(
            f"N^{slope:.2f} is steeper than N^-{theory:g}, the least of the class: its worst case is none of these"
        )
    if len(horizons) > 2:
        one_power(horizons, values, "N", flat=-math.inf)
    _, lr, schedule = found[-1]
    words = f"{'mean |grad|^2' if cell(horizons[0]).average else 'gap'} ~ N^{slope:.2f} [{low:.2f}, {high:.2f}]"
    words += f" over {horizons[0]}..{horizons[-1]} (theory N^-{theory:g}), eps^-{1 / -slope:.2f}{efficiency[0]}; "
    words += f"lr {lr:.2g}{' falling to 0' * (schedule == 'linear')} at N = {horizons[-1]}" if lr == lr else "its own lr"
    series = {"N": list(map(float, horizons)), "value": values.mean(-1).tolist(), "lr": [lr for _, lr, _ in found]}
    return Fact(name, words, -slope, series=series | efficiency[1])


def _efficiency(horizons: tuple[int, ...], values: np.ndarray) -> tuple[str, dict]:
    bayes = 0.5 / (1 + np.array(horizons))
    mean, low, high = interval(values)
    if (high < bayes).any():
        raise AboveBayes(f"gaps of {mean} with intervals up to {high} are below the Bayes bound {bayes}, which none can be")
    least, most = bayes[1] / high[1], bayes[1] / max(low[1], 1e-300)
    words = f", at N = {horizons[1]} {bayes[1] / mean[1]:.3f} [{least:.3f}, {most:.3f}] as efficient as the Bayes estimate"
    return words, {"efficiency": (bayes / mean).tolist()}


def _paired(bench: Bench, cell: Cell, N: int, count: int, groups: np.ndarray, stream: str) -> np.ndarray:
    """The groups, less what the error of SGD's mean on the same noise lets expect, whose exact mean is known."""

    def exact(log_lr):
        return second_moments(1.0, [math.exp(log_lr) * (1 - k / N) for k in range(N)], 1.0, 1.0, N)[-1] / 2

    best = minimize_scalar(exact, bounds=(-math.log(N) - 2, 0.5), method="bounded")
    lrs = np.array([math.exp(best.x)])
    sgd = _runs(gradient_descent(bench), cell, N, count, lrs, "linear", stream)[0, 0]
    return groups - groups.mean() / sgd.mean() * (sgd - best.fun)


def _measured(bench: Bench, cell: Cell, N: int, stream: str, paired: bool) -> tuple[np.ndarray, float, str]:
    """What the best lr and schedule give on fresh noise in the worst case (groups,), and which they are."""
    few, many = bench.budget.pick((200, 2000), (1000, 20_000)) if bench.entrywise else bench.budget.pick((10, 40), (20, 100))
    chosen = []
    for schedule in _schedules(bench):
        best = tuned(lambda lrs, s=schedule: _worst(_runs(bench, cell, N, few, lrs, s, f"{stream}, tuning")), bench.grid)
        chosen.append((best.reached(), schedule))
    best, schedule = min(chosen, key=lambda pair: pair[0].groups.mean())
    groups = _worst(_runs(bench, cell, N, many, best.lr, schedule, f"{stream}, measured"))[0, 0]
    if paired and bench.entrywise:  # in groups of a few the difference can be negative
        groups = _paired(bench, cell, N, many, groups, f"{stream}, measured")
    return groups, float(best.lr[0]), schedule


def _schedules(bench: Bench) -> tuple[str, ...]:
    if bench.obeys != "later":
        return ("constant",)
    output = swaps(bench.subject.build([torch.nn.Parameter(torch.ones(bench.subject.shape, dtype=F64))]))
    return ("linear", "constant") if output else ("linear",)


def _runs(bench: Bench, cell: Cell, N: int, count: int, lrs: np.ndarray, schedule: str, stream: str) -> np.ndarray:
    """The measure of every lr on the same noise, (lrs, cases, groups)."""
    starts, noise = (bench.budget.generator("rates of a card", stream, what) for what in ("start", "noise"))
    oracle, d = cell.oracle(noise), cell.problem.shape[-1]
    turn = torch.eye(d, dtype=F64) if cell.turn is None else cell.turn
    offsets = cell.offsets(count, starts)
    offsets = offsets.expand(1, offsets.shape[1], count, d)
    fleet = bench.fleet(lrs, offsets @ turn.T, bench.shape(d))

    def inside(x):
        return (x - SHIFT).reshape(len(x), *offsets.shape[1:]) @ turn

    total = torch.zeros(len(lrs), *offsets.shape[1:-1], dtype=F64)
    for k in bench.clock.steps(fleet, N - 1, known=True):
        if cell.average:
            total += cell.measure(inside(fleet.read())) / N
        if schedule == "linear":
            fleet.scale(1 - k / N)
        oracle.grad(inside(fleet.x[:1]))  # draws what all of them see
        fleet.step(
            lambda x: (oracle.grad(inside(x), redraw=False) @ turn.T).reshape(x.shape),
            lambda x: cell.problem.gap(inside(x)),
        )
    total = total if cell.average else cell.measure(inside(fleet.read()))
    return total.reshape(*total.shape[:2], GROUPS, -1).mean(-1).numpy()


def _worst(values: np.ndarray) -> np.ndarray:
    """The groups of the worst case of each lr: (lrs, cases, groups) -> (lrs, 1, groups)."""
    worst = np.nan_to_num(values.mean(-1), nan=np.inf).argmax(1)
    return np.take_along_axis(values, worst[:, None, None], 1)


def floor(bench: Bench) -> Fact:
    """The exponents of lr and of sigma in the mean gap of x^2/2 + N(0, sigma^2), begun at the minimizer, after a while."""
    if bench.obeys == "no":
        raise Undecided("it obeys no lr")
    lrs = np.concatenate([LRS, np.full(len(SIGMAS) - 1, LRS[1])])
    sigma = torch.tensor([1.0] * len(LRS) + [s for s in SIGMAS if s != 1.0], dtype=F64).reshape(-1, 1, 1)
    count, steps = (
        bench.budget.pick((200, 6000), (1000, 20_000)) if bench.entrywise else bench.budget.pick((10, 2000), (20, 8000))
    )
    early, late = _plateau(bench, lrs, sigma, count, steps)
    moved = late.mean(-1) / early.mean(-1)
    if not (np.isfinite(moved) & (late.mean(-1) < 0.5e4 * sigma.flatten().numpy() ** 2)).all():
        raise Undecided("some run diverges at lr = 0.01 to 0.1")
    if (np.abs(np.log(moved)) > math.log(MOVING)).any():
        raise Undecided(f"after {steps // 2} steps the gap still {'rises' if moved.max() > MOVING else 'falls'}")
    in_lr, in_sigma = exponent(LRS, late[: len(LRS)]), exponent(SIGMAS, late[[3, 1, 4]])
    one_power(LRS, late[: len(LRS)], "lr", flat=-math.inf)
    one_power(SIGMAS, late[[3, 1, 4]], "sigma", flat=-math.inf)
    words = "floor ~ " + " ".join(
        f"{of}^{e:.2f} [{low:.2f}, {high:.2f}]" for of, (e, low, high) in (("lr", in_lr), ("sigma", in_sigma))
    )
    words += f", {late[1].mean():.3g} at lr = 0.03, sigma = 1 (SGD lr sigma^2/4 = 0.0076, sign descent ~ lr sigma)"
    series = {"lr": LRS.tolist(), "floor": late[: len(LRS)].mean(-1).tolist(), "sigma": SIGMAS.tolist()}
    return Fact("noise floor", words, in_lr[0], series=series | {"floor in sigma": late[[3, 1, 4]].mean(-1).tolist()})


def _power(of: str, slope: float, low: float, high: float) -> str:
    return f"{of}^{slope:.2f} [{low:.2f}, {high:.2f}]"


def _plateau(bench: Bench, lrs: np.ndarray, sigma: Tensor, count: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean gaps of the third and of the last quarter of the steps, (lrs, groups) each."""
    generator = bench.budget.generator("rates of a card", "floor")
    fleet = bench.fleet(lrs, torch.zeros(1, count, 1, dtype=F64), bench.shape(1))
    sums = torch.zeros(4, len(lrs), count, dtype=F64)
    for k in bench.clock.steps(fleet, steps - 1, known=True):
        sums[4 * k // steps] += (fleet.read() - SHIFT).reshape(len(lrs), count).square() / 2
        noise = sigma * torch.randn(1, count, 1, generator=generator, dtype=F64)
        fleet.step(
            lambda x, noise=noise: x - SHIFT + noise.reshape(len(lrs), *x.shape[1:]),
            lambda x: (x - SHIFT).reshape(len(lrs), count).square() / 2,
        )
    means = (4 / steps * sums).reshape(4, len(lrs), GROUPS, -1).mean(-1).numpy()
    return means[2], means[3]
