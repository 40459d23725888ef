r"""Does AdaGrad need no tuning of its step, and what does a wrong step cost?

    x_{k+1} = x_k - c eta g_k/h_k,    h_k = (eps + sum_{j<=k} g_j^2)^{1/2},    eta = ||x_0 - x*||_inf/sqrt 2 (by norm: l_2)

The step by theory, c = 1, takes a distance, and neither L nor the size of the noise nor the number of steps N. What a wrong
c costs (theory/adagrad.py): a factor (c + 1/c)/2 in the bound on the regret on a box, for AdaGrad as for SGD. Without a box
the first step alone leads c eta away, and on a quadratic with exact gradients x/c has a limit as c grows: an overshoot of
the order c^2, of which a run forgets much or little, as the problem has it. But no c makes AdaGrad diverge there; GD does
beyond 2/L.

The family: s times the rotated quadratic of `studies/adaptive/rotated_family.py`, L = R = 1 at s = 1, with Gaussian noise
xi, E ||xi||^2 = s^2 sigma^2. The noise level nu = sigma sqrt N/(R L) says whether noise or curvature limits a step: the step
by theory of SGD is 1/(L + sigma sqrt N/R) = 1/(L (1 + nu)), and with a/sqrt(k+1) 1/(L + sigma/R). Data: least squares on
diabetes, l2-regularized logistic regression on digits. All steps c of a method see the same noise. The *width* of a method
is the length, in decades of c between 1e-3 and 1e3, of the steps whose last gap is at most 10 times its least, or that need
at most 10 times as many iterations to a target.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12; R. Ward, X. Wu and L. Bottou (2019), arXiv:1806.01811.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.data import tables as data
from ratewitness.problems.data.least_squares import random_least_squares
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.adagrad import AdaGrad, AdaGradNorm
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.schedules import InversePower, horizon_tuned
from ratewitness.solvers.solver import CENSORED, Solver, hitting_times, run
from ratewitness.studies.adaptive.rotated_family import rotated_family
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, bound_holds, exceeds, interval, mean_is
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.studies.measuring.tuning import Paired
from torch import Tensor

ADAPTIVE, SGD = ("AdaGrad", "AdaGradNorm"), ("SGD, a", "SGD, a/sqrt(k+1)")
PER_DECADE, EPS = 6, 1e-24
FACTORS = np.logspace(-3, 3, 6 * PER_DECADE + 1)  # c
LEVELS = (0.0, 3.0, 10.0, 30.0)  # nu
SCALES = (1e-3, 1.0, 1e3)  # s
WITHIN, TARGET, ROTATIONS = 10.0, 1e-2, 20
FLOOR = 1e-25  # what float64 leaves of the gap of the rotated family
DIVERGED = 1e100
SOURCE = "Duchi, Hazan and Singer (2011)"


def method(name: str, lr: Tensor, eps: float = EPS) -> Solver:
    builds = {
        "AdaGrad": lambda: AdaGrad(lr, eps=eps),
        "AdaGradNorm": lambda: AdaGradNorm(lr, eps=eps),
        "SGD, a": lambda: GradientDescent(lr),
        "SGD, a/sqrt(k+1)": lambda: GradientDescent(InversePower(lr)),
    }
    return builds[name]()


def by_theory(name: str, problem: FiniteSum, sigma: float | Tensor, N: int) -> float | Tensor:
    """The step c = 1, which broadcasts against x where sigma does."""
    L, away = problem.constants.smoothness, problem.start - problem.minimizer
    R = away.norm(dim=-1, keepdim=True)
    return {
        "AdaGrad": away.abs().amax(-1, keepdim=True) / 2**0.5,
        "AdaGradNorm": R / 2**0.5,
        "SGD, a": horizon_tuned(L, R, sigma, N),
        "SGD, a/sqrt(k+1)": 1 / (L + sigma / R),
    }[name]


def horizon(budget: Budget) -> int:
    return budget.pick(1_000, 10_000)


def against(values: tuple[float, ...] | np.ndarray, axis: int, device: str) -> Tensor:
    """Values along one of the axes (c, nu, s, seeds, d) of x."""
    return torch.as_tensor(values, dtype=torch.float64, device=device).reshape([-1 if i == axis else 1 for i in range(5)])


@cache
def last_gaps(name: str, budget: Budget, scales: tuple[float, ...] = (1.0,), absolute: bool = False) -> np.ndarray:
    """(f - f*)/s after N/10 and N steps: (2, c, nu, s, seeds). absolute: c times 1/L at s = 1, for SGD."""
    N, factors = horizon(budget), np.logspace(-6, 4, 10 * PER_DECADE + 1) if absolute else FACTORS
    c, nu, s = (against(v, i, budget.device) for i, v in enumerate((factors, LEVELS, scales)))
    problem, unit, seeds = (
        rotated_family(budget, s),
        rotated_family(budget),
        budget.pick(50, 100) if scales == (1.0,) else 10 if absolute else 20,
    )
    sigma = nu / N**0.5
    lr = c * (1.0 if absolute else by_theory(name, unit, sigma, N))
    x0 = unit.start.expand(len(factors), len(LEVELS), len(scales), seeds, 12).clone()
    oracle = Oracle.gaussian(problem, sigma * s, budget.generator("noise"))
    trace = run(method(name, lr), Paired(oracle), x0, N, lambda x: problem.gap(x) / s[..., 0], at=[N // 10, N])
    return judged(trace.values)


def judged(gap: Tensor) -> np.ndarray:
    """What float64 can tell of a gap; DIVERGED where it is more, or no number."""
    return np.nan_to_num(gap.cpu().numpy(), nan=DIVERGED, posinf=DIVERGED).clip(FLOOR, DIVERGED)


def gaps(name: str, budget: Budget) -> np.ndarray:
    """The last gaps of the family with s = 1, as means over 10 groups of seeds: (c, nu, groups)."""
    found = last_gaps(name, budget.shared("adagrad_tuning"))[1, :, :, 0]
    return found.reshape(*found.shape[:-1], 10, -1).mean(-1)


@cache
def on_data(name: str, noisy: bool, budget: Budget) -> dict[str, np.ndarray]:
    """The last gaps on data, with minibatches of one example, (c, 10 seeds), or exact gradients, (c, 1)."""
    found, steps = {}, horizon(budget) if noisy else 300
    for problem in (data.diabetes(), data.digits(l2=0.01)):
        sigma = problem.constants.variance_at_minimizer**0.5 if noisy else 0.0
        oracle = Oracle.minibatch(problem, 1, budget.generator(problem.name)) if noisy else Oracle.full(problem)
        lr = torch.as_tensor(FACTORS).reshape(-1, 1, 1) * by_theory(name, problem, sigma, steps)
        x0 = problem.starts(len(FACTORS), 10 if noisy else 1)
        trace = run(method(name, lr), Paired(oracle), x0, steps, problem.gap, at=[steps])
        found[problem.name] = judged(trace.values[-1])
    return found


def within_factor(budget: Budget, name: str, factor: float) -> Verdict:
    """The worst over the best gap for c from 1/100 to 100, on every problem, against a factor."""
    shared = budget.shared("adagrad_tuning")
    measured = dict(zip((f"family, nu = {nu:g}" for nu in LEVELS), gaps(name, budget).transpose(1, 0, 2), strict=True))
    measured |= on_data(name, True, shared)
    rows, inside = [], np.abs(np.log10(FACTORS)) <= 2 + 1e-9
    for problem, gap in measured.items():
        ratio = gap[inside] / gap[inside].mean(-1).min()
        for c, row in zip(FACTORS[inside], ratio, strict=True):
            mean, low, high = interval(row)
            rows.append({"problem": problem, "c": c, "measured": mean, "low": low, "high": high, "groups": row})
    table = pd.DataFrame(rows)
    verdict = bound_holds(np.stack(table["groups"]), np.full(len(table), factor))
    return verdict.noting(mildest_problem=table.groupby("problem")["measured"].max().min()).showing(
        table.drop(columns="groups")
    )


@claim(
    kind="phenomenon",
    source=f"S16; {SOURCE}",
    planted={
        "SGD needs no tuning": lambda budget: within_factor(budget, "SGD, a", 2.0),
        "by norm, within a factor 1.1": lambda budget: within_factor(budget, "AdaGradNorm", 1.1),
    },
)
def no_tuning_as_stated(budget: Budget) -> Verdict:
    """S16, as stated (AdaGrad needs no tuning of the step): Over four decades of steps, c from 1/100 to 100, AdaGrad's last
    gap stays within a factor 2 of its least, on the family at every noise level and on diabetes and digits with minibatches
    of one."""
    return within_factor(budget, "AdaGrad", 2.0)


def one_step(budget: Budget, names: tuple[str, ...], factor: float, sizes: slice = slice(None)) -> Verdict:
    """The gap of one step over the least of the method's own: c = 1 of an adaptive method, the best compromise of SGD."""
    shared, parts, exact = budget.shared("one step"), [], []
    for name in names:
        absolute = name not in ADAPTIVE
        found = last_gaps(name, shared, SCALES, absolute)[..., sizes, :]  # (2, c, nu, s, seeds)
        groups = found.reshape(*found.shape[:-1], 10, -1).mean(-1)
        ratio = (groups / groups.mean(-1).min(1)[:, None, ..., None]).clip(max=DIVERGED)
        chosen = int(ratio[:, :, 1:].mean(-1).max((0, 2, 3)).argmin()) if absolute else len(FACTORS) // 2
        parts.append(ratio[:, chosen, 1:].reshape(-1, 10))
        exact.append(ratio[:, chosen, 0].max())
    measured = np.concatenate(parts)
    verdict = bound_holds(measured, np.full(len(measured), factor))
    return verdict.noting(configurations=float(len(parts[0])), worst_with_exact_gradients=max(exact))


@claim(
    kind="phenomenon",
    source=f"S16; {SOURCE}; theory/adagrad.py",
    planted={
        "one constant step of SGD, the best compromise": lambda budget: one_step(budget, ("SGD, a",), WITHIN),
        "one a of SGD with a/sqrt(k+1)": lambda budget: one_step(budget, ("SGD, a/sqrt(k+1)",), WITHIN),
    },
)
def one_step_for_all(budget: Budget) -> Verdict:
    """S16, refined, in noise: What need not be tuned to is the size of the gradients, the noise and the number of steps: the
    one step D/sqrt 2 leaves AdaGrad, diagonal and by norm, within a factor 10 of its least last gap over all steps, for the
    loss multiplied by 1/1000, 1 and 1000, noise levels 3, 10 and 30, after N/10 and after N steps. No single step of SGD
    does that for all three sizes; at one size, one step of SGD does as well (the evidence has its worst factor). With exact
    gradients it is not so, and not judged: their worst factor is there, too."""
    at_one_size = {f"{name} at one size": one_step(budget, (name,), WITHIN, slice(1, 2)).evidence["power"] for name in SGD}
    return one_step(budget, ADAPTIVE, WITHIN).noting(**at_one_size)


def width(gap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decades of c with a gap of at most 10 times the least, and whether an end of the grid is among them: (c, *batch)."""
    log = np.log(np.minimum(gap, DIVERGED))
    fine, at = np.linspace(0, len(log) - 1, 100 * (len(log) - 1) + 1), np.arange(len(log))
    each = np.stack([np.interp(fine, at, column) for column in log.reshape(len(log), -1).T], -1)
    good = (each <= each.min(0) + np.log(WITHIN)).reshape(len(fine), *gap.shape[1:])
    return good.mean(0) * (len(log) - 1) / PER_DECADE, good[0] | good[-1]


def exact_gaps(name: str, budget: Budget) -> dict[str, np.ndarray]:
    """The last gaps with exact gradients by problem, (c, 1)."""
    return {"family": gaps(name, budget)[:, 0, :1], **on_data(name, False, budget)}


@cache
def iterations(name: str, budget: Budget) -> dict[str, np.ndarray]:
    """Iterations with exact gradients until the gap is 1/100 of the first, (c, instances); inf beyond 1000."""
    drawn = random_least_squares(60, 20, budget.shared("rows").generator(), condition=100.0)
    found = {}
    for problem in (rotated_family(budget, rotations=ROTATIONS), data.diabetes(), drawn):
        lr = torch.as_tensor(FACTORS).reshape(-1, *[1] * problem.start.ndim) * by_theory(name, problem, 0.0, 1)
        x0, target = problem.start.expand(len(FACTORS), *problem.start.shape).clone(), TARGET * problem.initial_gap
        times = hitting_times(method(name, lr), Oracle.full(problem), x0, 1_000, problem.gap, target).numpy()
        found[problem.name] = np.where(times == CENSORED, np.inf, times).reshape(len(FACTORS), -1)
    return found


Measure = Callable[[str, Budget], dict[str, np.ndarray]]


def wider(budget: Budget, measure: Measure, names: tuple[str, ...] = ADAPTIVE, than: str = "SGD, a") -> Verdict:
    """Each method's width is a decade more than that of `than`, on every problem; of many instances, in the mean."""
    shared = budget.shared("adagrad_tuning")
    other = {problem: width(values) for problem, values in measure(than, shared).items()}
    verdicts, rows = {}, []
    for name in names:
        for problem, values in measure(name, shared).items():
            (own, _), (compared, _) = width(values), other[problem]
            many = len(own) > 1
            verdicts[f"{name}, {problem}"] = exceeds(own - compared, 1.0) if many else bound_holds(compared + 1, own)
            rows += [
                {"problem": problem, "method": name, "width": a, "other": b} for a, b in zip(own, compared, strict=True)
            ]
    table, cut = pd.DataFrame(rows), sum(int(edge.sum()) for _, edge in other.values())
    gains = (table["width"] - table["other"]).groupby([table["method"], table["problem"]]).min()
    least = {f"least_gain, {name}, {problem}": gain for (name, problem), gain in gains.items()}
    verdict = Verdict(all_of(verdicts).outcome, {**least, "cut_off": float(cut)}).showing(table)
    return replace(verdict, outcome="inconclusive") if cut else verdict


@claim(
    kind="phenomenon",
    source="S16; the range of good steps",
    planted={"GD is wider than AdaGrad": lambda budget: wider(budget, exact_gaps, ("SGD, a",), "AdaGrad")},
)
def wider_range_of_gaps(budget: Budget) -> Verdict:
    """S16, as stated for the last gap on any smooth convex problem: With exact gradients the steps whose last gap is within
    a factor 10 of the least span at least one decade more for AdaGrad, diagonal and by norm, than for GD: on the family
    after N steps, on diabetes and on digits after 300. Gaps fall like e^{-rate N}: this width depends on N, and on digits
    the least gaps are rounding."""
    return wider(budget, exact_gaps)


@claim(
    kind="phenomenon",
    source="S16; Ward, Wu and Bottou (2019), arXiv:1806.01811",
    planted={"GD is wider than AdaGrad": lambda budget: wider(budget, iterations, ("SGD, a",), "AdaGradNorm")},
)
def wider_range_of_times(budget: Budget) -> Verdict:
    """S16, refined, exact gradients of a quadratic: The steps c that bring the gap to 1/100 of the first in at most 10 times
    the least number of iterations span at least one decade more for AdaGrad, diagonal and by norm, than for GD, which
    diverges beyond 2/L: on diabetes, on random least squares of condition 100, and on the family in the mean over 20
    rotations (by norm the rotation does not matter, to the diagonal method it does)."""
    return wider(budget, iterations)


def no_wider(budget: Budget, by: float, levels: tuple[int, ...] = (2, 3)) -> Verdict:
    widths = {name: width(gaps(name, budget)) for name in (*ADAPTIVE, *SGD)}
    other, _ = widths["SGD, a"]
    verdicts = {
        f"{name}, nu = {LEVELS[i]:g}": exceeds(other[i] - widths[name][0][i], -by) for name in ADAPTIVE for i in levels
    }
    rows = []
    for name, (own, _) in widths.items():
        for nu, row in zip(LEVELS, own, strict=True):
            mean, low, high = interval(row)
            rows.append({"method": name, "nu": nu, "measured": mean, "low": low, "high": high})
    cut = float(sum(widths[name][1][list(levels)].sum() for name in (*ADAPTIVE, "SGD, a")))
    verdict = all_of(verdicts).noting(cut_off=cut).showing(rows)
    return replace(verdict, outcome="inconclusive") if cut else verdict


@claim(
    kind="phenomenon",
    source="S16; theory/adagrad.py",
    planted={
        "SGD is wider by half a decade": lambda budget: no_wider(budget, -0.5),
        "without noise": lambda budget: no_wider(budget, 0.5, (0,)),
    },
)
def no_wider_in_noise(budget: Budget) -> Verdict:
    """S16, refined, noise: On rotated quadratics where noise limits the step by far (nu = sigma sqrt N/(R L) = 10 and 30),
    the steps within a factor 10 of the least last gap span no more than half a decade more for AdaGrad, diagonal and by
    norm, than for SGD with constant steps. Nothing is said of weaker noise. The regret bounds of both grow alike."""
    return no_wider(budget, 0.5)


def price(budget: Budget, power: float) -> Verdict:
    """Powers of c in the last gap in noise, for c up to nu/3, where a step c eta/h is small against 1/L."""
    part = (FACTORS > 0.99) & (FACTORS < 10.1)
    slopes = {name: np.polyfit(np.log(FACTORS[part]), np.log(gaps(name, budget)[part, 3]), 1)[0] for name in ADAPTIVE}
    return all_of({name: mean_is(slopes[name], power, 0.25) for name in ADAPTIVE})


@claim(
    kind="law",
    source="S16; theory/adagrad.py",
    planted={
        "quadratic": lambda budget: price(budget, 2.0),
        "a root": lambda budget: price(budget, 0.5),
    },
)
def price_of_an_overestimated_distance(budget: Budget) -> Verdict:
    """S16, refined, D unknown: In noise (nu = sigma sqrt N/(R L) = 30) a distance overestimated c times, c from 1 to 10,
    multiplies the last gap on rotated quadratics by c^p, p = 1 within 25 %, diagonal and by norm. That is about linear, and
    on these c steeper than the factor (c + 1/c)/2 of the regret bound, whose slope is 0.73."""
    return price(budget, 1.0)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.4), layout="constrained")
    figure.set_label(
        "AdaGrad with the step c D/sqrt 2. Left: last gap over the least, with 99 % intervals over groups of seeds; line: "
        "the factor (c + 1/c)/2 of the bound. Right: width, the decades of steps whose last gap is within 10 times the "
        "least, against the noise level."
    )
    gaps_found = verdicts["no_tuning_as_stated"].table
    for k, (name, part) in enumerate(gaps_found.groupby("problem", sort=False)):
        look = {"ms": 3, "lw": 0.8, "elinewidth": 0.8, "label": name, "color": f"C{k}"}
        left.errorbar(part["c"], part["measured"], whiskers(part), marker="osv^D<"[k], **look)
    c = np.logspace(-2, 2, 50)
    left.plot(c, (c + 1 / c) / 2, "k-", lw=1)
    left.set(xscale="log", yscale="log", ylim=(0.7, 1e6), xlabel="c", ylabel="last gap / least last gap")
    left.legend(frameon=False, fontsize=6.5)
    widths = verdicts["no_wider_in_noise"].table
    for marker, (name, part) in zip("osv^", widths.groupby("method", sort=False), strict=True):
        right.errorbar(part["nu"], part["measured"], whiskers(part), marker=marker, ms=4, lw=0.8, label=name)
    right.set_xscale("symlog", linthresh=3)
    right.set(ylim=(0, 6), xlabel=r"noise level $\nu = \sigma\sqrt{N}/(RL)$", ylabel="width (decades of c)")
    right.legend(frameon=False, fontsize=8)
    return {"steps": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
