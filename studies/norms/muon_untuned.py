r"""Muon against AdamW on binary logistic regression: what do the steps in circulation show?

    Muon with 0.02, AdamW with 3e-4, constant;   training accuracy after 15 epochs and after the first

and the training loss gap f(w) - f* against that with tuned steps. The set-up is in `studies/norms/circulated_runs.py`; what
is left of the comparison once both are tuned: `muon_tuned`.

Sources: K. Jordan et al. (2024); I. Loshchilov and F. Hutter (2019), arXiv:1711.05101.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted, revised
from ratewitness.studies.judges import exceeds
from ratewitness.studies.measuring.drawing import Panel, legend_below, panels
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.measuring.tuning import unless_on_edge
from ratewitness.studies.norms.circulated_runs import AGAIN, DRAWN_AGAIN, EPOCHS, IN_CIRCULATION, found, tuned

LOOKS = {("Muon", "in circulation"): "C0o--", ("AdamW", "in circulation"): "C1s--"}
LOOKS |= {("Muon", "tuned"): "C0o-", ("AdamW", "tuned"): "C1s-"}


def records(budget: Budget) -> pd.DataFrame:
    """Gap (geometric means) and accuracy (means) after every epoch, with intervals over groups."""
    parts = []
    for name, step in LOOKS:
        lr = IN_CIRCULATION[name] if step == "in circulation" else np.median([t.lr for t in tuned(budget, name)])
        for what, groups in zip(("gap", "accuracy"), found(budget, name, step), strict=True):
            part = rows(groups, geometric=what == "gap", epoch=np.arange(EPOCHS + 1))
            parts.append(part.assign(what=what, method=name, choice=step, lr=lr))
    return pd.concat(parts, ignore_index=True)


def grids(budget: Budget) -> pd.DataFrame:
    """The loss for every step of both grids, in every group."""
    parts = []
    for name in IN_CIRCULATION:
        for group, chosen in enumerate(tuned(budget, name)):
            part = {"method": name, "group": group, "lr": chosen.grid, "measured": chosen.losses}
            parts.append(pd.DataFrame(part | {"on an edge": chosen.on_edge}))
    return pd.concat(parts, ignore_index=True)


def more_accurate(budget: Budget, first: tuple[str, ...], second: tuple[str, ...], epoch: int, by: float = 0.0) -> Verdict:
    one, other = (found(budget, name, "in circulation", *stage)[1][epoch] for name, *stage in (first, second))
    return exceeds(one - other, by).noting(first=one.mean(), second=other.mean())


@claim(
    "phenomenon", "S36; the comparison in circulation", unit="fraction", units={"first": "accuracy", "second": "accuracy"}
)
@revised(1, "judged by the direction that is shown, without the margin of a percentage point, which nobody stated")
@planted("AdamW is ahead", first=("AdamW",), second=("Muon",))
@planted("AdamW on other minibatches in the place of Muon", first=("AdamW", AGAIN))
def as_shown(budget: Budget, first: tuple[str, ...] = ("Muon",), second: tuple[str, ...] = ("AdamW",)) -> Verdict:
    """S36, as stated: Repeated on Gaussian rows, with the steps in circulation, the comparison shows Muon ahead of AdamW in
    training accuracy after 15 epochs.

    The sentence shows a comparison, which is repeated, and judged by the direction that it shows: Muon's training accuracy
    with step 0.02 is above AdamW's with step 3e-4, by a 99 % interval of the difference over 20 (quick: 6) draws of
    Gaussian rows. An earlier version of this claim asked for a percentage point, which no sentence states, and was refuted;
    that margin is judged by `ahead_by_a_percentage_point`."""
    return more_accurate(budget, first, second, EPOCHS).showing(records(budget))


@claim(
    "phenomenon", "S36; the comparison in circulation", unit="fraction", units={"first": "accuracy", "second": "accuracy"}
)
@planted("after one epoch", epoch=1)
@planted("AdamW on other minibatches in the place of Muon", first=("AdamW", AGAIN))
def ahead_by_a_percentage_point(budget: Budget, first: tuple[str, ...] = ("Muon",), epoch: int = EPOCHS) -> Verdict:
    """S36, read as: Repeated on Gaussian rows, with the steps in circulation, Muon is ahead of AdamW in training accuracy by
    a percentage point.

    As in `as_shown`, with a margin of 0.01."""
    return more_accurate(budget, first, ("AdamW",), epoch, 0.01)


@claim(
    "phenomenon", "S36; the comparison in circulation", unit="fraction", units={"first": "accuracy", "second": "accuracy"}
)
@revised(1, "judged by the direction that is shown, without the margin of a percentage point, which nobody stated")
@planted("AdamW is ahead", first=("AdamW",), second=("Muon",))
@planted("AdamW on other minibatches in the place of Muon", first=("AdamW", AGAIN))
def as_shown_early(budget: Budget, first: tuple[str, ...] = ("Muon",), second: tuple[str, ...] = ("AdamW",)) -> Verdict:
    """S36, read as: Repeated on Gaussian rows, with the steps in circulation, the comparison shows Muon ahead of AdamW in
    training accuracy after one epoch.

    As in `as_shown`, after the first epoch."""
    return more_accurate(budget, first, second, 1)


def tuning_pays(budget: Budget, name: str, factor: float, after: tuple[str, ...]) -> Verdict:
    effect = np.log(found(budget, name, "in circulation")[0][-1] / found(budget, name, *after)[0][-1])
    verdict = exceeds(effect, float(np.log(factor))).noting(ratio=float(np.exp(effect.mean())))
    return unless_on_edge(verdict, *tuned(budget, name))


UNTUNED_AGAIN = ("in circulation", AGAIN)


@claim("phenomenon", "S36; equal tuning", unit="ln ratio")
@revised(1, DRAWN_AGAIN)
@planted("a thousand times smaller", factor=1e3)
@planted("the same step on other minibatches", after=UNTUNED_AGAIN)
def adamw_was_untuned(budget: Budget, factor: float = 2.0, after: tuple[str, ...] = ("tuned",)) -> Verdict:
    """S36, refined: On logistic regression with Gaussian rows, tuning AdamW's step of 3e-4 makes the training loss gap
    at least twice smaller.

    After 15 epochs, tuned on every draw of rows (and the decay of 0.01 left out), in the geometric mean over draws."""
    return tuning_pays(budget, "AdamW", factor, after).showing(grids(budget))


@claim("phenomenon", "S36; equal tuning", unit="ln ratio")
@revised(1, DRAWN_AGAIN)
@planted("twenty times smaller", factor=20.0)
@planted("the same step on other minibatches", after=UNTUNED_AGAIN)
def muon_was_untuned(budget: Budget, factor: float = 2.0, after: tuple[str, ...] = ("tuned",)) -> Verdict:
    """S36, refined: On logistic regression with Gaussian rows, tuning Muon's step of 0.02 as well makes the training
    loss gap at least twice smaller.

    After 15 epochs, tuned on every draw of rows, in the geometric mean over draws."""
    return tuning_pays(budget, "Muon", factor, after)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    last = verdicts["as_shown"].table.query("epoch == @EPOCHS").set_index(["what", "method", "choice"])
    tried, table = verdicts["adamw_was_untuned"].table.groupby("method"), []
    for name, step in LOOKS:
        (gap, right), grid = (last.loc[(what, name, step)] for what in ("gap", "accuracy")), tried.get_group(name)
        row = {"method": name, "step (tuned: median)": f"{gap['lr']:.2g}, {step}"}
        row["grid"] = f"{grid['lr'].min():.2g} to {grid['lr'].max():.2g}"
        row["best on an edge"] = "yes" if grid["on an edge"].any() else "no"
        row |= {"$f - f^*$": f"{gap['measured']:.3g}", "training accuracy": f"{right['measured']:.4f}"}
        table.append(row | {"99 % interval": f"[{right['low']:.4f}, {right['high']:.4f}]"})
    return {"end": pd.DataFrame(table)}


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    path, tried = verdicts["as_shown"].table, verdicts["adamw_was_untuned"].table
    steps = path.groupby(["method", "choice"])["lr"].first()
    names = {key: f"{key[0]}, {steps[key]:.2g} ({key[1]})" for key in LOOKS}
    path = path.assign(by=[names[key] for key in zip(path["method"], path["choice"], strict=True)])
    gap, right = path[path["what"] == "gap"], path[(path["what"] == "accuracy") & (path["epoch"] > 0)]
    ticks = {"xticks": range(0, EPOCHS + 1, 5)}
    shown = (  # at the start every margin is 0: there is no accuracy to speak of
        Panel(gap, "epoch", "epoch", "$f(w) - f^*$", by="by", log="y", title="training loss gap", options=ticks),
        Panel(right, "epoch", "epoch", "training accuracy", by="by", log="", title="training accuracy", options=ticks),
    )
    caption = (
        "Binary logistic regression, Muon (on the weights reshaped 10 by 10) against AdamW, each with the step in "
        "circulation and with the tuned one. Means over draws of rows (of the gap geometric) with 99 % intervals; "
        "of the tuned steps the median is given."
    )
    epochs = panels(caption, {names[key]: look for key, look in LOOKS.items()}, shown)
    one = Panel(tried[tried["group"] == 0], "lr", "step size", "$f(w) - f^*$", title="after 15 epochs")
    caption = "Training loss gap after 15 epochs against the step size, all steps tried on one draw of rows."
    sensitivity = panels(caption, {"Muon": "C0o-", "AdamW": "C1s-"}, [one], legend="none")
    for (name, lr), look in zip(IN_CIRCULATION.items(), (("C0", "--"), ("C1", ":")), strict=True):
        sensitivity.axes[0].axvline(lr, color=look[0], ls=look[1], lw=1.2, label=f"{name}'s step in circulation")
    legend_below(sensitivity, 2)
    return {"epochs": epochs, "sensitivity": sensitivity}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
