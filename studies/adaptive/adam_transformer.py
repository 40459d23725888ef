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

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.data.text import king_james
from ratewitness.problems.networks.character_model import Transformer, character_model, windows
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.schedules import Trapezoid
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import exceeds
from ratewitness.studies.measuring.drawing import Panel, canvas, draw, legend_below
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.tuning import Tuned, around, refined, unless_on_edge

LOWER = 0.1  # nats a character
RECORDS = 20
METHODS = {"Adam": (Adam, 0.01), "SGD, momentum": (lambda lr: HeavyBall(lr, 0.9), 0.1)}  # with the centre of the grid
LOOKS = {"Adam": "C0o-", "SGD, momentum": "C1s-"}


def network(budget: Budget) -> Transformer:
    small = Transformer(vocabulary=68, context=32, width=32, heads=2, layers=1)
    return budget.pick(small, Transformer(vocabulary=68))


def length(budget: Budget) -> int:
    return budget.pick(60, 200)


def records(budget: Budget) -> range:
    return range(0, length(budget) + 1, length(budget) // RECORDS)


@measured
def reading(budget: Budget) -> tuple[FiniteSum, torch.Tensor]:
    """The problem, and evenly spaced windows of the last tenth of the text to judge by."""
    text, model = king_james(), network(budget)
    kept = windows(text.validation.to(budget.device), model.context)
    problem = character_model(model, text.train.to(budget.device), budget.generator("model"))
    return problem, kept[:: len(kept) // budget.pick(16, 128)]


@measured
def losses(budget: Budget, method: str, lr: float, stream: str, seeds: int) -> np.ndarray:
    """Validation loss (records, seeds) in nats a character; the stream alone decides on starts and batches."""
    (problem, held_out), model, steps = reading(budget), network(budget), length(budget)
    x0 = model.initial(budget.generator(stream, "start"), seeds)
    oracle = Oracle.minibatch(problem, budget.pick(8, 16), budget.generator(stream, "batches"))
    solver = METHODS[method][0](Trapezoid(lr, steps, warm_up=steps // 10, decay=steps // 2))
    judged = stream != "tuning"
    at = records(budget) if judged else [steps]
    kept = held_out[judged::2]
    return run(solver, oracle, x0, steps, lambda x: model.cross_entropy(x, kept), at).values.double().cpu().numpy()


@measured
def tuned(budget: Budget, method: str) -> Tuned:
    """The losses of the coarse and the finer steps; inf where a run diverged."""

    def found(steps):
        return np.array([losses(budget, method, lr, "tuning", 1)[-1, 0] for lr in steps.tolist()])

    return refined(found, around(METHODS[method][1], budget.pick(5, 7)), (0.25, 0.75))


def fresh(budget: Budget, method: str, stream: str = "fresh") -> np.ndarray:
    """Losses (records, seeds) with the tuned step."""
    return losses(budget, method, tuned(budget, method).lr, stream, budget.pick(3, 8))


@claim("phenomenon", "S27; Kingma and Ba (2015), arXiv:1412.6980; Zhang et al. (2020), arXiv:1912.03194", unit="nats")
@planted("the methods swapped", method="SGD, momentum", other="Adam")
@planted("gradient descent on other starts and batches in Adam's place", method="SGD, momentum", stream="fresh, again")
def adam_ends_lower(budget: Budget, method: str = "Adam", other: str = "SGD, momentum", stream: str = "fresh") -> Verdict:
    """S27, as stated: Adam trains a character transformer to a loss at least 0.1 nats a character below that of gradient
    descent with momentum.

    On a character transformer of 111104 weights, 200 steps of 16 windows of 64 characters with Adam end at a validation
    loss at least 0.1 nats a character below that with stochastic gradient descent with momentum 0.9, both with tuned
    steps, in a 99 % interval over 8 paired fresh starts and batches (quick: a model of one layer of width 32, 60 steps
    of 8 windows of 32, 3 starts)."""
    effects, tables = fresh(budget, other)[-1] - fresh(budget, method, stream)[-1], {"run": {}, "tuning": {}}
    verdict = exceeds(effects, LOWER)
    for name in METHODS:
        chosen, found = tuned(budget, name), fresh(budget, name)
        verdict = verdict.noting(**{f"step_{name}": chosen.lr, f"loss_{name}": float(found[-1].mean())})
        tables["run"][name] = rows(found, at=records(budget))
        tables["tuning"][name] = pd.DataFrame({"at": chosen.grid, "measured": chosen.losses})
    table = stacked({part: stacked(found) for part, found in tables.items()}, "part")
    return unless_on_edge(verdict, *(tuned(budget, name) for name in METHODS)).showing(table)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["adam_ends_lower"].table
    runs, tuning = (table[table["part"] == part] for part in ("run", "tuning"))
    figure, (left, right) = canvas(
        "A character transformer on the King James Bible. Left: validation loss along the run at the tuned step, with 99 % "
        "intervals over fresh starts and batches. Right: the loss of the tuning runs by step. In nats a character.",
        2,
    )
    draw(left, Panel(runs, "at", "steps", "validation loss (nats)", log=""), LOOKS)
    labels, options = ("step size", "loss in tuning (nats)"), {"ylim": (1.5, 5)}
    draw(right, Panel(tuning.drop(columns=["low", "high"]), "at", *labels, log="x", options=options), LOOKS)
    best = tuning.loc[tuning.groupby("method")["measured"].idxmin()]
    right.plot(best["at"], best["measured"], "o", color="0.3", ms=9, mfc="none", label="chosen")
    legend_below(figure)
    return {"adam": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
