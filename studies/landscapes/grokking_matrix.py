r"""The referee's matrix of grokking: which remedy generalizes in the fewest steps, each tuned alike?

    remedy      decay: decoupled, l2 penalty, none;  Grokfast;  OrthoGrad;  StableMax;  float64 in the place of float32
    measure     steps until 95 % of the validation pairs are right, addition modulo 23, cross-entropy, full batch

The network is that of `grokking`, on 70 % of the pairs, the base is Adam with betas 0.9 and 0.98, in float32. Each group
tunes every remedy for itself, on grids of as many points (`grokking_contest`), and runs what it chose on a fresh split and
start, the same for all remedies. So groups are independent and remedies are compared in pairs. Times are looked at every 5
steps.

A fresh run that does not generalize within the limit is censored. As the slower of two it counts as the limit, a lower bound
that may support and never refutes; as the faster it decides nothing. Where a group's choice for the slower lies on an end of
a grid what was supported is inconclusive, and what was refuted where that for the faster does. Where no setting generalizes
in tuning, nothing can be chosen by time: the verdict then speaks of all settings of the grid, of which the most accurate one
runs, and it is inconclusive if an end of the grid is by 0.05 more accurate than all inside. Where all runs of a remedy are
censored its effect is a lower bound set by the limit, and its interval the spread of AdamW alone.

On the quick budget there is one group, which decides nothing.

Each row answers a question that was put in public (the table says which). With large steps and decays the delay is short:
AdamW is best where decay shrinks the weights by about half at every step. Nothing here is about other tasks, larger
networks, squared losses, or how late a remedy is that needs more than the limit: modulo 113, untuned, OrthoGrad is ahead of
decay (`orthograd_at_113`). With six groups most planted variants are undecided, not refuted: factors below 2 are not seen.

Sources: I. Loshchilov and F. Hutter (2019), arXiv:1711.05101; J. Lee et al. (2024), arXiv:2405.20233 (Grokfast); L. Prieto
et al. (2025), arXiv:2501.04697 (OrthoGrad, StableMax, and rounding as the reason).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, exceeds
from ratewitness.studies.landscapes.grokking_contest import REMEDIES, contest, limit, tuned
from ratewitness.studies.landscapes.grokking_runs import bounded
from ratewitness.studies.measuring.drawing import canvas, legend_below, whiskers
from ratewitness.studies.measuring.groups import rows

AHEAD = 1.5  # times fewer steps
LEVEL = 1.25  # at most so many times fewer
BOOST = "Grokfast, AdamW"
LEE = "S47; Lee et al. (2024), arXiv:2405.20233; github.com/ironjr/grokfast, issue 12"
PRIETO = "S47; Prieto et al. (2025), arXiv:2501.04697"


def slower(budget: Budget, remedy: str, reference: str = "AdamW", times: float = AHEAD, stream: str = "fresh") -> Verdict:
    """`remedy` needs more than `times` the steps of `reference`, in the geometric mean over the groups."""
    late, early = contest(budget, remedy, stream).generalized, contest(budget, reference).generalized
    slow, fast = tuned(budget, remedy), tuned(budget, reference)
    censored = np.isnan(late)
    verdict = exceeds(np.log(bounded(late, limit(budget)) / early), np.log(times))
    spoiled = {"supported": slow.edge, "refuted": censored | fast.edge | fast.none}.get(verdict.outcome, censored)
    counts = {"censored": censored, "never_in_tuning": slow.none, "on_an_edge": slow.edge}
    verdict = verdict.noting(**{name: float(part.sum()) for name, part in counts.items()})
    return replace(verdict, outcome="inconclusive") if spoiled.any() else verdict


def everything(budget: Budget) -> pd.DataFrame:
    parts = []
    for name, remedy in REMEDIES.items():
        found, choice = contest(budget, name), tuned(budget, name)
        second = choice.settings[remedy.second] if remedy.second else np.full(len(found.learnt), np.nan)
        columns = {"group": np.arange(len(second)), "steps": found.generalized, "learnt": found.learnt}
        columns |= {
            "accuracy": found.accuracy,
            "limit": limit(budget),
            "lr": choice.settings["lr"],
            "second setting": second,
        }
        columns |= {"at an end of a grid": choice.edge, "none in tuning": choice.none, "diverged in tuning": choice.diverged}
        parts.append(pd.DataFrame(columns).assign(remedy=name))
    return pd.concat(parts, ignore_index=True)


@claim("phenomenon", LEE, unit="ln ratio")
@planted("AdamW on other splits and starts", remedies=("AdamW",), stream="again")
@planted("AdamW with Grokfast instead, three times as slow", remedies=(BOOST,), times=3.0)
@planted("Adam with Grokfast ahead", lambda budget: slower(budget, "AdamW", "Grokfast, l2 penalty"))
def adamw_is_faster_than_adam_with_grokfast(
    budget: Budget,
    remedies: tuple[str, ...] = ("Grokfast", "Grokfast, l2 penalty"),
    times: float = AHEAD,
    stream: str = "fresh",
) -> Verdict:
    """S47, refined: On addition modulo 23 tuned AdamW generalizes in fewer steps than Adam with tuned Grokfast, with or
    without l2, by a factor of 1.5.

    The geometric mean over 6 groups (quick: 1), each of which tunes for itself, of the steps of Adam with Grokfast (alpha
    0.98; its strength tuned, or 2 and the penalty tuned) over those of AdamW is above 1.5, in 99 % intervals; a censored run
    of Grokfast counts as the limit of 350 steps (quick: 100)."""
    return all_of({name: slower(budget, name, times=times, stream=stream) for name in remedies}).showing(everything(budget))


@claim("phenomenon", LEE, unit="ln ratio")
@planted("AdamW saves a third against itself with Grokfast on top", remedy="AdamW", reference=BOOST, times=AHEAD)
@planted("three times as slow with it", times=3.0)
def grokfast_adds_little_to_decay(
    budget: Budget, remedy: str = BOOST, reference: str = "AdamW", times: float = 1 / LEVEL
) -> Verdict:
    """S47, refined: On addition modulo 23, beside tuned decoupled decay, Grokfast as published saves at most a fifth of the
    steps.

    The geometric mean over 6 groups (quick: 1), each of which tunes step and decay of both for itself, of the steps of AdamW
    with Grokfast (alpha 0.98, strength 2) over those of AdamW alone is above 0.8, in a 99 % interval."""
    return slower(budget, remedy, reference, times)


@claim("phenomenon", f"{PRIETO}; github.com/LucasPrietoAl/grokking-at-the-edge-of-numerical-stability, issue 8", "ln ratio")
@planted("AdamW on other splits and starts", remedies=("AdamW",), stream="again")
@planted("OrthoGrad ahead", lambda budget: slower(budget, "AdamW", "OrthoGrad, AdamW"))
def orthograd_is_slower_than_decay(
    budget: Budget, remedies: tuple[str, ...] = ("OrthoGrad", "OrthoGrad, AdamW"), stream: str = "fresh"
) -> Verdict:
    """S47, refined: On addition modulo 23 OrthoGrad, with or without decay, generalizes later than AdamW, each tuned, by a
    factor of 1.5 or more.

    The geometric mean over 6 groups (quick: 1), each of which tunes for itself, of the steps of Adam with OrthoGrad on each
    of A, B and V, without decay and with a tuned one, over those of AdamW is above 1.5, in 99 % intervals; a censored run
    counts as the limit of 350 steps (quick: 100)."""
    return all_of({name: slower(budget, name, stream=stream) for name in remedies})


@claim("phenomenon", f"{PRIETO}; github.com/openai/grok; github.com/danielmamay/grokking, issue 1", unit="ln ratio")
@planted("AdamW on other splits and starts", remedies=("AdamW",), stream="again")
@planted("AdamW in float64 in their place", remedies=("AdamW, float64",))
def remedies_without_decay_are_slower(
    budget: Budget, remedies: tuple[str, ...] = ("no decay", "no decay, float64", "StableMax"), stream: str = "fresh"
) -> Verdict:
    """S47, refined: On addition modulo 23, at all steps tried, Adam without decay is later than tuned AdamW by a factor of
    1.5, also in float64 and with StableMax.

    The geometric mean over 6 groups (quick: 1), each of which tunes for itself, of the steps of Adam without decay over
    those of AdamW is above 1.5, in 99 % intervals; a censored run counts as the limit of 350 steps (quick: 100). Steps were
    from 0.1 to 10, with StableMax from 0.001 to 0.1; others are not excluded."""
    return all_of({name: slower(budget, name, stream=stream) for name in remedies})


@claim("phenomenon", "S47; Loshchilov and Hutter (2019), arXiv:1711.05101", unit="ln ratio")
@planted("decoupled decay on other splits and starts", remedy="AdamW", stream="again")
@planted("the penalty ahead", lambda budget: slower(budget, "AdamW", "l2 penalty"))
def l2_penalty_is_slower(budget: Budget, remedy: str = "l2 penalty", stream: str = "fresh") -> Verdict:
    """S47, refined: On addition modulo 23 Adam generalizes later with a tuned l2 penalty than with tuned decoupled decay, by
    a factor of 1.5 or more.

    The geometric mean over 6 groups (quick: 1), each of which tunes for itself, of the steps of Adam with an l2 penalty in
    its gradient over those of AdamW is above 1.5, in a 99 % interval; a censored run with the penalty counts as the limit of
    350 steps (quick: 100)."""
    return slower(budget, remedy, stream=stream)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each remedy: the geometric mean of its steps, none where a run is censored, and the question it answers."""
    parts = []
    for name, own in table.groupby("remedy", sort=False):
        labels = {"censored": int(own["steps"].isna().sum()), "of": len(own), "median lr": own["lr"].median()}
        labels |= {"median second setting": own["second setting"].median(), "question": REMEDIES[name].question}
        parts.append(rows(own["steps"].to_numpy(), geometric=True, remedy=name).assign(**labels))
    return pd.concat(parts, ignore_index=True)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    return {"matrix": summary(verdicts["adamw_is_faster_than_adam_with_grokfast"].table)}


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["adamw_is_faster_than_adam_with_grokfast"].table
    means = summary(table)
    end = table["limit"].iloc[0]
    figure, (ax,) = canvas(
        "Steps to 95 % validation accuracy on addition modulo 23, each remedy tuned by each group for itself: small markers "
        "are groups, open where the run did not generalize within the limit (dotted), large ones geometric means with 99 % "
        "intervals. A row with an open marker has no mean.",
        1,
        height=3.8,
    )
    ax.axvline(end, color="0.5", ls=":", lw=1, label="limit")
    for k, row in means.iterrows():
        own = table[table["remedy"] == row["remedy"]]
        for censored, face, label in ((False, "C0", "generalized"), (True, "white", "not within the limit")):
            shown = own[own["steps"].isna() == censored]
            heights = k + 0.12 * (shown["group"] - (len(own) - 1) / 2)
            ax.plot(shown["steps"].fillna(end), heights, "o", color="C0", mfc=face, ms=3, label=label)
        if not row["censored"]:
            label = "geometric mean" if k == 0 else "_"
            half = whiskers(means.loc[[k]]) if "low" in means else None  # one group has no interval
            ax.errorbar(row["measured"], k, xerr=half, fmt="s", color="C3", ms=5, lw=1.2, label=label)
    ax.set(xscale="log", xlabel="steps", yticks=range(len(means)), yticklabels=means["remedy"])
    ax.set_xticks([20, 50, 100, 200], ["20", "50", "100", "200"])
    ax.xaxis.set_minor_formatter("")
    ax.set_xlim(15, 1.3 * end)
    ax.invert_yaxis()
    legend_below(figure)
    return {"matrix": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
