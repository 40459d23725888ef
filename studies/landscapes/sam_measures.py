r"""How flat the training loss is where the runs of `sam_runs` end, or at equal training loss, and how they compare.

    lambda_max(Hessian)        rise = max_{||e|| <= 0.4} L(w + e) - L(w)        test error

of the training loss L without penalty, in float64. Equal loss: the weights at the first record, every second epoch of SGD,
at which L is at most the least loss that all methods that are compared reach in this seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from numpy.typing import ArrayLike
from ratewitness.problems.curvature import hessian_vector, lanczos
from ratewitness.problems.problem import FiniteSum
from ratewitness.studies.claims import Budget, Check, Verdict, measured, planted
from ratewitness.studies.judges import all_of, exceeds
from ratewitness.studies.landscapes.sam_runs import CONTROLS, METHODS, NOISE, OTHERS, data, error, runs, seeds, training_loss
from ratewitness.studies.measuring.drawing import canvas, legend_below, look, whiskers
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.measuring.tuning import unless_on_edge
from torch import Tensor

SOURCE = "S44; Foret et al. (2021), arXiv:2010.01412"
AGAIN = "all comparisons of SAM on the digits are asked of the same, later seeds, of which only some had been"
RADIUS = 0.4  # of the ball in which the loss is raised
KRYLOV, RESIDUAL = 80, 1e-3  # steps of Lanczos' method at most, and the error that is allowed, relative


def null_controls(check: Check) -> Check:
    """Stands under @claim, as `planted` does: what has no effect, or nearly none, in the place of SAM."""
    for name, method in (
        ("a third of the least radius", "SAM, small radius"),
        ("SGD on other seeds in the place of SAM", "SGD, other seeds"),
    ):
        check = planted(name, method=method)(check)
    return check


@measured("sam_runs")
def losses(budget: Budget, name: str, labels: str) -> np.ndarray:
    """The training loss along the chosen runs (records, seeds)."""
    stream = (METHODS | OTHERS)[name].stream
    return training_loss(budget, labels, stream).gap(runs(budget, name, labels).path).double().cpu().numpy()


def errors(budget: Budget, name: str, labels: str, record: ArrayLike = -1) -> np.ndarray:
    """The test error of the chosen runs at these records, the last one unless others are named: (seeds,)."""
    found, stream = runs(budget, name, labels), (METHODS | OTHERS)[name].stream
    return error(found.path[record, np.arange(seeds(budget))], data(budget, labels, stream).test)


def common_level(budget: Budget, names: Sequence[str], labels: str) -> np.ndarray:
    """The least training loss that all of these methods reach (seeds,)."""
    return np.max([losses(budget, name, labels).min(0) for name in names], 0)


@measured("sam_runs")
def measures(budget: Budget, name: str, labels: str, reached_by: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """At the end, or at the first record of at most the `common_level` of these: each (seeds,), NaN where there is none.

    loss on the training data, its top Hessian eigenvalue and its rise in the ball; error on the test data.
    """
    path, stream, along = runs(budget, name, labels).path, (METHODS | OTHERS)[name].stream, losses(budget, name, labels)
    below = np.isfinite(along[-1:])
    if reached_by:
        below = along <= common_level(budget, reached_by, labels) * (1 + 1e-6)
    record, each = below.argmax(0) if reached_by else -1, np.arange(along.shape[1])
    x = path[record, each].double()
    problem = training_loss(budget, labels, stream, torch.float64)
    found = {
        "loss": along[record, each],
        "error": errors(budget, name, labels, record),
        "eigenvalue": top_eigenvalue(problem, x, budget.generator(stream, "lanczos")),
        "rise": rise(problem, x, budget.generator(stream, "ascent")),
    }
    return {key: np.where(below.any(0), value, np.nan) for key, value in found.items()}


def rise(problem: FiniteSum, x: Tensor, generator: torch.Generator, starts: int = 3, steps: int = 20) -> np.ndarray:
    """The largest loss found in the ball of RADIUS around x minus the loss at x: (seeds, P) -> (seeds,).

    By normalized gradient ascent, projected to the ball, from x along its gradient and from random points on the sphere: a
    lower bound of the sharpness.
    """
    away = torch.randn(starts - 1, *x.shape, generator=generator, device=x.device, dtype=x.dtype)
    e = torch.cat([torch.zeros_like(x).unsqueeze(0), away * RADIUS / away.norm(dim=-1, keepdim=True)])
    largest = problem.gap(x + e)
    for _ in range(steps):
        g = problem.grad(x + e)
        e = e + RADIUS / 4 * g / g.norm(dim=-1, keepdim=True).clamp(min=1e-300)
        e = e * (RADIUS / e.norm(dim=-1, keepdim=True)).clamp(max=1)
        largest = torch.maximum(largest, problem.gap(x + e))
    return (largest.amax(0) - problem.gap(x)).cpu().numpy()


def top_eigenvalue(problem: FiniteSum, x: Tensor, generator: torch.Generator) -> np.ndarray:
    """Of the Hessian: (seeds, P) -> (seeds,); NaN where the residual is not below RESIDUAL of it."""
    start = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    found = lanczos(lambda v: hessian_vector(problem.grad, x, v), start, KRYLOV, RESIDUAL / 10)
    return found.value.where(found.residual <= RESIDUAL * found.value, torch.nan).cpu().numpy()


def flatter(budget: Budget, name: str, measure: str, labels: str, factor: float, equal: bool = False) -> Verdict:
    """Whether every control has `factor` times as much of a measure, in the geometric mean over the seeds."""
    compared = (name, *CONTROLS)
    reached_by = tuple(sorted(compared)) if equal else ()
    ours, verdicts = measures(budget, name, labels, reached_by), {}
    for control in CONTROLS:
        theirs = measures(budget, control, labels, reached_by)
        effect = exceeds(np.log(theirs[measure] / ours[measure]), math.log(factor))
        verdicts[control] = effect.noting(ratio=float(np.exp(effect.evidence["effect"])))
        if equal:
            verdicts[control] = verdicts[control].noting(loss_ratio=float(np.median(theirs["loss"] / ours["loss"])))
    return tuned(all_of(verdicts), budget, compared, labels)


def lower(budget: Budget, name: str, controls: Sequence[str], labels: str, points: float) -> Verdict:
    """Whether the mean test error over the seeds is lower than that of all controls by more than so many hundredths."""
    ours = errors(budget, name, labels)
    verdicts = {each: exceeds(100 * (errors(budget, each, labels) - ours), points) for each in controls}
    return tuned(all_of(verdicts), budget, (name, *controls), labels)


def tuned(verdict: Verdict, budget: Budget, names: Sequence[str], labels: str) -> Verdict:
    """The verdict with the number of tuning runs that diverged; inconclusive where a best setting lies on an edge."""
    found = [runs(budget, name, labels) for name in names]
    diverged = sum(int(np.isinf(each.errors).sum()) for each in found)
    return unless_on_edge(verdict.noting(tuning_runs_diverged=float(diverged)), *found)


def ends(budget: Budget, equal: bool = False) -> pd.DataFrame:
    """Means over the seeds of every measure of METHODS, geometric ones but for the error."""
    parts = [
        rows(values, geometric=measure != "error").assign(method=name, labels=labels, measure=measure)
        for labels in NOISE
        for name in METHODS
        for measure, values in measures(budget, name, labels, tuple(sorted(METHODS)) if equal else ()).items()
    ]
    return pd.concat(parts, ignore_index=True)


FLATNESS = {"eigenvalue": "top eigenvalue", "rise": "rise of the loss"}


def draw_ends(caption: str, table: pd.DataFrame, ylabels: Mapping[str, str] = FLATNESS) -> Figure:
    """A panel for each of these measures of `ends`: a place on the axis for each method, a look for the labels."""
    figure, axes = canvas(caption, len(ylabels))
    for ax, (measure, ylabel) in zip(axes, ylabels.items(), strict=True):
        for shift, (labels, style) in zip((-0.1, 0.1), {"clean": "C0o", "noisy": "C1s"}.items(), strict=True):
            part = table[(table["measure"] == measure) & (table["labels"] == labels)]
            name = {"clean": "clean labels", "noisy": "a fifth of the labels wrong"}[labels]
            ax.errorbar(np.arange(len(part)) + shift, part["measured"], whiskers(part), ms=4, label=name, **look(style))
        names = [each.replace(", ", ",\n").replace(" with", "\nwith") for each in METHODS]
        ax.set(ylabel=ylabel, xticks=range(len(names)), xticklabels=names, xlim=(-0.5, len(names) - 0.5))
        if measure != "error":
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_formatter("")
        ax.tick_params(axis="x", labelsize="x-small")
    legend_below(figure)
    return figure
