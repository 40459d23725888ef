r"""Does Adam train a small transformer further than gradient descent with momentum? On characters of a text.

S27 says that Adam works exceptionally well on some hard problems. A decoder-only transformer on the King James Bible
(`problems/networks/character_model.py`) is one. Adam (betas 0.9 and 0.999, no decay) and stochastic gradient descent
(momentum 0.9) warm up over a tenth of the steps and decay linearly over the last half. Each takes one of 7 (quick: 5) steps
over four decades, around 0.01 and 0.1, or one of 2 beside the best of these, chosen by the loss of a full-length run from
one start on every second window held out; an end of the grid as the best of its steps supports nothing. Judged are the other
windows, with fresh starts and batches, the same for both. Nothing here is about larger models or longer runs.

Sources: D. P. Kingma and J. Ba (2015), arXiv:1412.6980; J. Zhang et al. (2020), arXiv:1912.03194, for transformers.
"""

from __future__ import annotations

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.data.text import king_james
from ratewitness.problems.networks.character_model import Transformer, character_model, windows
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.schedules import Trapezoid
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import exceeds, interval
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.studies.measuring.tuning import Tuned, unless_on_edge

LOWER = 0.1  # nats a character
RECORDS = 20
METHODS = {"Adam": (Adam, 0.01), "SGD, momentum": (lambda lr: HeavyBall(lr, 0.9), 0.1)}  # with the centre of the grid


def network(budget: Budget) -> Transformer:
    small = Transformer(vocabulary=68, context=32, width=32, heads=2, layers=1)
    return budget.pick(small, Transformer(vocabulary=68))


def length(budget: Budget) -> int:
    return budget.pick(60, 200)


def grid(budget: Budget, method: str) -> np.ndarray:
    return METHODS[method][1] * np.logspace(-2, 2, budget.pick(5, 7))


@cache
def reading(budget: Budget) -> tuple[FiniteSum, torch.Tensor]:
    """The problem, and evenly spaced windows of the last tenth of the text to judge by."""
    text, model = king_james(), network(budget)
    kept = windows(text.validation.to(budget.device), model.context)
    problem = character_model(model, text.train.to(budget.device), budget.generator("model"))
    return problem, kept[:: len(kept) // budget.pick(16, 128)]


@cache
def losses(budget: Budget, method: str, lr: float, stream: str, seeds: int) -> np.ndarray:
    """Validation loss (records, seeds) in nats a character; the stream alone decides on starts and batches."""
    (problem, held_out), model, steps = reading(budget), network(budget), length(budget)
    x0 = model.initial(budget.generator(stream, "start"), seeds)
    oracle = Oracle.minibatch(problem, budget.pick(8, 16), budget.generator(stream, "batches"))
    solver = METHODS[method][0](Trapezoid(lr, steps, warm_up=steps // 10, decay=steps // 2))
    at = range(0, steps + 1, steps // RECORDS) if stream == "fresh" else [steps]
    kept = held_out[stream == "fresh" :: 2]
    return run(solver, oracle, x0, steps, lambda x: model.cross_entropy(x, kept), at).values.double().cpu().numpy()


@cache
def tuned(budget: Budget, method: str) -> Tuned:
    """The losses of the coarse and the finer steps; inf where a run diverged."""

    def found(steps):
        ends = np.array([losses(budget, method, lr, "tuning", 1)[-1, 0] for lr in steps.tolist()])
        return np.nan_to_num(ends, nan=np.inf, posinf=np.inf)

    coarse = Tuned(steps := grid(budget, method), found(steps))
    low, high = steps[max(coarse.best - 1, 0)], steps[min(coarse.best + 1, len(steps) - 1)]
    fine = np.geomspace(low, high, 5)[[1, 3]]
    order = np.argsort(every := np.concatenate([steps, fine]))
    return Tuned(every[order], np.concatenate([coarse.losses, found(fine)])[order], coarse.on_edge)


def fresh(budget: Budget, method: str) -> np.ndarray:
    return losses(budget, method, tuned(budget, method).lr, "fresh", budget.pick(3, 8))


def lower(budget: Budget, method: str, other: str, by: float = LOWER) -> Verdict:
    """By how much `method` ends below `other`, with the steps that were chosen; inconclusive where one is an end."""
    shared = budget.shared("adam_transformer")
    verdict = exceeds(fresh(shared, other)[-1] - fresh(shared, method)[-1], by)
    verdict = verdict.noting(
        **{f"step_{name}": tuned(shared, name).lr for name in METHODS},
        **{f"loss_{name}": float(fresh(shared, name)[-1].mean()) for name in METHODS},
    )
    return unless_on_edge(verdict, *(tuned(shared, name) for name in METHODS))


@claim(
    kind="phenomenon",
    source="S27; Kingma and Ba (2015), arXiv:1412.6980; Zhang et al. (2020), arXiv:1912.03194",
    planted={
        "the methods swapped": lambda budget: lower(budget, "SGD, momentum", "Adam"),
        "two nats lower": lambda budget: lower(budget, "Adam", "SGD, momentum", 2.0),
    },
)
def adam_ends_lower(budget: Budget) -> Verdict:
    """S27: On a character transformer of 111104 weights, 200 steps of 16 windows of 64 characters with Adam end at a
    validation loss at least 0.1 nats a character below that with stochastic gradient descent with momentum 0.9, both with
    tuned steps, in a 99 % interval over 8 paired fresh starts and batches (quick: a model of one layer of width 32, 60 steps
    of 8 windows of 32, 3 starts)."""
    shared, rows = budget.shared("adam_transformer"), []
    for method in METHODS:
        at = range(0, length(budget) + 1, length(budget) // RECORDS)
        rows += [("run", method, *row) for row in zip(at, *interval(fresh(shared, method)), strict=True)]
        points = zip(tuned(shared, method).grid, tuned(shared, method).losses, strict=True)
        rows += [("tuning", method, lr, loss, loss, loss) for lr, loss in points]
    table = pd.DataFrame(rows, columns=["part", "method", "at", "measured", "low", "high"])
    return lower(budget, "Adam", "SGD, momentum").showing(table)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    table = verdicts["adam_ends_lower"].table
    figure, (paths, steps) = plt.subplots(1, 2, figsize=(7.2, 3.4), layout="constrained")
    figure.set_label(
        "A character transformer on the King James Bible. Left: validation loss along the run at the tuned step, with 99 % "
        "intervals over fresh starts and batches. Right: the loss of the tuning runs by step; the ring marks the choice."
    )
    for colour, marker, method in zip(("C0", "C1"), "os", METHODS, strict=True):
        curve = table[(table["part"] == "run") & (table["method"] == method)]
        look = {"color": colour, "marker": marker, "label": method}
        paths.errorbar(curve["at"], curve["measured"], whiskers(curve), ms=3, lw=1.2, **look)
        tuning = table[(table["part"] == "tuning") & (table["method"] == method)]
        steps.plot(tuning["at"], tuning["measured"], ms=4, **look)
        chosen = tuning.loc[tuning["measured"].idxmin()]
        steps.plot(chosen["at"], chosen["measured"], color=colour, marker="o", ms=11, mfc="none")
    paths.set(xlabel="steps", ylabel="validation loss (nats a character)")
    steps.set(xlabel="step size", ylabel="loss after tuning run (nats)", xscale="log", ylim=(1.5, 5))
    for ax in (paths, steps):
        ax.legend(frameon=False)
    return {"adam": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
