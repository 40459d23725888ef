r"""Do more steps do well for AdaGrad than for GD and SGD?

The methods, the problems and the step by theory, c = 1: `studies/adaptive/adagrad_steps.py`. The *width* of a method is the
length, in decades of c between 1e-3 and 1e3, of the steps whose last gap is at most 10 times its least, or that need at most
10 times as many iterations to a target. With exact gradients no c makes AdaGrad diverge; GD does beyond 2/L. In noise the
regret bounds of AdaGrad and of SGD grow alike with a wrong step (`adagrad_tuning`).

R. Ward, X. Wu and L. Bottou (2019), arXiv:1806.01811.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.data import tables as data
from ratewitness.problems.data.least_squares import random_least_squares
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.solver import CENSORED, hitting_times
from ratewitness.studies.adaptive import adagrad_steps as steps
from ratewitness.studies.adaptive.adagrad_steps import ADAPTIVE, FACTORS, LEVELS, SGD, WITHIN, by_theory, gaps
from ratewitness.studies.adaptive.rotated_family import rotated_family
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, exceeds
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked

TARGET, ROTATIONS = 1e-2, 20

Measure = Callable[[Budget, str], dict[str, np.ndarray]]


def width(gap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decades of c with a gap of at most 10 times the least, and whether an end of the grid is among them: (c, *batch)."""
    log = np.log(np.minimum(gap, steps.DIVERGED))
    fine, at = np.linspace(0, len(log) - 1, 100 * (len(log) - 1) + 1), np.arange(len(log))
    each = np.stack([np.interp(fine, at, column) for column in log.reshape(len(log), -1).T], -1)
    good = (each <= each.min(0) + np.log(WITHIN)).reshape(len(fine), *gap.shape[1:])
    return good.mean(0) * (len(log) - 1) / steps.PER_DECADE, good[0] | good[-1]


def exact_gaps(budget: Budget, name: str) -> dict[str, np.ndarray]:
    """The last gaps with exact gradients by problem, (c, 1)."""
    return {"family": gaps(budget, name)[:, 0, :1], **steps.on_data(budget, name, noisy=False)}


@measured("adagrad_tuning")
def iterations(budget: Budget, name: str) -> dict[str, np.ndarray]:
    """Iterations with exact gradients until the gap is 1/100 of the first, (c, instances); inf beyond 1000."""
    drawn = random_least_squares(60, 20, budget.shared("rows").generator(), condition=100.0)
    found = {}
    for problem in (rotated_family(budget, rotations=ROTATIONS), data.diabetes(), drawn):
        lr = torch.as_tensor(FACTORS).reshape(-1, *[1] * problem.start.ndim) * by_theory(name, problem, 0.0, 1)
        x0, target = problem.start.expand(len(FACTORS), *problem.start.shape).clone(), TARGET * problem.initial_gap
        times = hitting_times(steps.METHODS[name](lr), Oracle.full(problem), x0, 1_000, problem.gap, target).numpy()
        found[problem.name] = np.where(times == CENSORED, np.inf, times).reshape(len(FACTORS), -1)
    return found


def wider(budget: Budget, measure: Measure, names: tuple[str, ...], than: str) -> Verdict:
    """Each method's width is a decade more than that of `than`, on every problem; of many instances, in the mean."""
    other = {problem: width(values) for problem, values in measure(budget, than).items()}
    verdicts, tables = {}, []
    for name in names:
        for problem, values in measure(budget, name).items():
            (own, _), (compared, _) = width(values), other[problem]
            many = len(own) > 1
            verdicts[f"{name}, {problem}"] = exceeds(own - compared, 1.0) if many else bound_holds(compared + 1, own)
            tables.append(pd.DataFrame({"problem": problem, "method": name, "width": own, "other": compared}))
    table, cut = pd.concat(tables, ignore_index=True), sum(int(edge.sum()) for _, edge in other.values())
    gains = (table["width"] - table["other"]).groupby([table["method"], table["problem"]]).min()
    least = {f"{name}, {problem}.least_gain": gain for (name, problem), gain in gains.items()}
    verdict = Verdict(all_of(verdicts).outcome, {**least, "cut_off": float(cut)}).showing(table)
    return replace(verdict, outcome="inconclusive") if cut else verdict


@claim("phenomenon", "S16; the range of good steps", units={"least_gain": "decades"})
@planted("GD is wider than AdaGrad", names=("SGD, a",), than="AdaGrad")
def wider_range_of_gaps(budget: Budget, names: tuple[str, ...] = ADAPTIVE, than: str = "SGD, a") -> Verdict:
    """S16, read as: On any smooth convex problem AdaGrad has a decade more of steps with a good last gap than GD.

    For the last gap on any smooth convex problem, with exact gradients. The steps whose last gap is within a factor 10
    of the least span at least one decade more for AdaGrad, diagonal and by norm, than for GD: on the family after N =
    10000 (quick: 1000) steps, on diabetes and on digits after 300. Gaps fall like e^{-rate N}: this width depends on N,
    and on digits the least gaps are rounding."""
    return wider(budget, exact_gaps, names, than)


@claim("phenomenon", "S16; Ward, Wu and Bottou (2019), arXiv:1806.01811", units={"least_gain": "decades"})
@planted("GD is wider than AdaGrad", names=("SGD, a",), than="AdaGradNorm")
def wider_range_of_times(budget: Budget, names: tuple[str, ...] = ADAPTIVE, than: str = "SGD, a") -> Verdict:
    """S16, refined: AdaGrad has a decade more of steps that reach a target in good time than GD, with exact gradients of
    a quadratic.

    The steps c that bring the gap to 1/100 of the first in at most 10 times the least number of iterations span at least
    one decade more for AdaGrad, diagonal and by norm, than for GD, which diverges beyond 2/L: on diabetes, on random
    least squares of condition 100, and on the family in the mean over 20 rotations (by norm the rotation does not
    matter, to the diagonal method it does)."""
    return wider(budget, iterations, names, than)


@claim("phenomenon", "S16; theory/adagrad.py", unit="decades")
@planted("SGD is wider by half a decade", by=-0.5)
@planted("without noise", levels=(0,))
def no_wider_in_noise(budget: Budget, by: float = 0.5, levels: tuple[int, ...] = (2, 3)) -> Verdict:
    """S16, refined: AdaGrad's range of good steps is at most half a decade wider than SGD's where noise limits the step
    by far.

    Noise: on rotated quadratics with nu = sigma sqrt N/(R L) = 10 and 30, the steps within a factor 10 of the least last
    gap span no more than half a decade more for AdaGrad, diagonal and by norm, than for SGD with constant steps. Nothing
    is said of weaker noise. The regret bounds of both grow alike."""
    widths = {name: width(gaps(budget, name)) for name in (*ADAPTIVE, *SGD)}
    other, _ = widths["SGD, a"]
    verdict = all_of(
        {f"{name}, nu = {LEVELS[i]:g}": exceeds(other[i] - widths[name][0][i], -by) for name in ADAPTIVE for i in levels}
    )
    cut = float(sum(widths[name][1][list(levels)].sum() for name in (*ADAPTIVE, "SGD, a")))
    verdict = verdict.noting(cut_off=cut).showing(stacked({name: rows(own, nu=LEVELS) for name, (own, _) in widths.items()}))
    return replace(verdict, outcome="inconclusive") if cut else verdict


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["no_wider_in_noise"].table
    table = table.assign(method=table["method"].replace("SGD, a/sqrt(k+1)", r"SGD, $a/\sqrt{k+1}$"))
    looks = dict(zip(table["method"].unique(), ("C0o-", "C1s-", "C2v-", "C3^-"), strict=True))
    caption = "Width: decades of steps whose last gap is within 10 times the least, against the noise level; 99 % intervals."
    axes = (r"noise level $\nu = \sigma\sqrt{N}/(RL)$", "width (decades of $c$)")
    figure = panels(caption, looks, [Panel(table, "nu", *axes, log="", options={"ylim": (0, None)})], height=3.0)
    figure.axes[0].set_xscale("symlog", linthresh=3)
    figure.axes[0].set_xlim(-1, 40)  # the limits of a linear scale cut the last points
    return {"widths": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
