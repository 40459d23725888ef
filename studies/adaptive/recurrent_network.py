r"""Why is RMSProp used for recurrent networks?

    f(x) = (1/n) sum_i (o_i - y_i)^2,        the adding problem of `problems/networks/recurrent_model.py`

A tanh network of 16 units reads 30 (quick: 10) pairs and must add two marked numbers far apart; ignoring the sequence costs
Var y, about 1/6. "Often used" says what people do, which no run can check; what can be checked is whether it pays. An
*advantage* is stated before the run as half the training loss, in the geometric mean over seeds, after equally many steps.
The methods, and how they are tuned: `studies/adaptive/recurrent_runs.py`. Whether it trains them at all, and another task:
`recurrent_tasks`.

T. Tieleman and G. Hinton (2012); R. Pascanu, T. Mikolov and Y. Bengio (2013), arXiv:1211.5063, for clipping.
"""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.adaptive.recurrent_runs import ADVANTAGE, CLIPPED, LOOKS, lower, trained
from ratewitness.studies.claims import Budget, Verdict, claim, planted, revised
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import stacked

WHY = (
    "tuned for each seed by itself and drawn again: two of these claims were inconclusive with 3 tuning seeds and their "
    "arithmetic mean, and supported with 6 and the geometric mean"
)


@claim("phenomenon", "S23; Tieleman and Hinton (2012)", unit="ln ratio")
@revised(1, WHY)
@planted("SGD has it", first="SGD", second="RMSProp")
@planted("a twentieth of the loss", by=math.log(20))
def advantage_over_sgd(budget: Budget, first: str = "RMSProp", second: str = "SGD", by: float = ADVANTAGE) -> Verdict:
    """S23, read as: On the adding problem tuned RMSProp ends at half the training loss of tuned SGD, or less, for a
    recurrent network.

    RMSProp is often used for recurrent networks, read as a statement that can be checked: after equally many steps tuned
    RMSProp has at most half the training loss of tuned SGD, without momentum or clipping, on the adding problem, in the
    geometric mean over seeds. The evidence has the ratio to SGD with momentum, which is not judged."""
    momentum = lower(budget, "adding", first, "SGD, momentum", by).evidence["ratio"]
    return lower(budget, "adding", first, second, by).noting(ratio_to_momentum=momentum)


@claim("phenomenon", "S23; Pascanu, Mikolov and Bengio (2013), arXiv:1211.5063", unit="ln ratio")
@revised(1, WHY)
@planted("half of clipped SGD's loss", first="RMSProp", second=CLIPPED, by=ADVANTAGE)
def no_factor_of_two_over_clipped_momentum(budget: Budget, first=CLIPPED, second="RMSProp", by=-ADVANTAGE) -> Verdict:
    """S23, refined: On the adding problem tuned RMSProp has more than half the training loss of tuned SGD with momentum
    and clipped gradients.

    Over the older remedy no advantage of a factor 2 remains: RMSProp's training loss is more than half that of SGD with
    momentum and clipped gradients, both tuned, in the geometric mean over seeds."""
    return lower(budget, "adding", first, second, by)


@claim("phenomenon", "S23; Kingma and Ba (2015), arXiv:1412.6980", unit="ln ratio")
@revised(1, WHY)
@planted("half of Adam's loss", first="RMSProp", second="Adam", by=ADVANTAGE)
def no_factor_of_two_over_adam(budget: Budget, first="Adam", second="RMSProp", by=-ADVANTAGE) -> Verdict:
    """S23, refined: On the adding problem tuned RMSProp has more than half the training loss of tuned Adam.

    There is no advantage of a factor 2 over Adam: both are tuned, in the geometric mean over seeds."""
    return lower(budget, "adding", first, second, by)


@claim("phenomenon", "S23; Pascanu, Mikolov and Bengio (2013), arXiv:1211.5063", unit="ln ratio")
@revised(1, WHY)
@planted("the other way round", first="SGD", second=CLIPPED)
def momentum_and_clipping_have_it_too(budget: Budget, first: str = CLIPPED, second: str = "SGD") -> Verdict:
    """S23, contrast: On the adding problem SGD with momentum and clipped gradients ends at half the training loss of
    plain SGD, or less.

    No adaptive step is needed for the advantage: both train the recurrent network with tuned steps; in the geometric
    mean over seeds."""
    verdict = lower(budget, "adding", first, second, ADVANTAGE)
    unclipped = stacked({"SGD, momentum": trained(budget, "adding", "SGD, momentum").table()})
    return verdict.showing(pd.concat([verdict.table, unclipped], ignore_index=True))


def runs(verdicts: dict[str, Verdict]) -> pd.DataFrame:
    return pd.concat([v.table for v in verdicts.values()], ignore_index=True).drop_duplicates(["method", "step"])


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    seen = runs(verdicts)
    last = seen[seen["step"] == seen["step"].max()].rename(columns={"lr": "tuned step", "measured": "training loss"})
    return {"end": last[["method", "tuned step", "on an edge", "diverged", "training loss", "low", "high"]]}


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "The adding problem for a tanh network of 16 units: training loss of every method with its tuned step. Geometric "
        "means over seeds with 99 % intervals. Dashed: the loss of the best constant answer, about 1/6."
    )
    seen, levels = runs(verdicts), {"best constant": 1 / 6}
    panel = Panel(seen[seen["step"] > 0], "step", "steps (minibatches of 32)", "training loss", levels=levels, log="y")
    return {"losses": panels(caption, LOOKS, [panel], height=3.6)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
