r"""The referee's matrix of grokking: which remedy generalizes in the fewest steps, each tuned alike?

    remedy      decay: decoupled, coupled, none;  Grokfast;  OrthoGrad;  StableMax;  float64 in the place of float32
    measure     steps until 95 % of the validation pairs are right, addition modulo 23, cross-entropy, full batch

Network, splits and starts are drawn as in `grokking`. Every remedy has the same grid of 6 steps, and one of 4 values of
a second setting where it has one. Each group tunes for itself: all settings run on one split and start of its own, and
the one that generalizes first is chosen (where none does, that of the highest validation accuracy at the limit). It then
runs on a fresh split and start, the same for all remedies. So groups are independent and pairs of remedies are paired.

A run that does not generalize within the limit is censored. As the slower of two it counts as the limit, a lower bound; as
the faster it decides nothing. Nobody loses for want of tuning: where in a group no setting of the slower generalized, or its
choice lies on an end of a grid, what was supported is inconclusive. That the faster might be tuned better only adds to it.

Each row answers a question that was put in public (the table says which). Nothing here is about other tasks, larger networks
or squared losses.

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
from ratewitness.studies.landscapes.grokking_contest import REMEDIES, contest, limit
from ratewitness.studies.landscapes.grokking_runs import bounded
from ratewitness.studies.measuring.drawing import canvas, legend_below, whiskers
from ratewitness.studies.measuring.groups import rows

AHEAD = 1.5  # times fewer steps
LEVEL = 1.25  # at most so many times fewer
BOOST = "Grokfast, AdamW"


def slower(budget: Budget, remedy: str, reference: str = "AdamW", times: float = AHEAD, fresh: str = "fresh") -> Verdict:
    """`remedy` needs more than `times` the steps of `reference`, in the geometric mean over the groups."""
    late, early = contest(budget, remedy, fresh), contest(budget, reference, "fresh")
    ratio = np.log(bounded(late.steps, limit(budget)) / early.steps)
    counts = {"censored": np.isnan(late.steps), "never_in_tuning": late.none, "on_an_edge": late.edge}
    verdict = exceeds(ratio, np.log(times)).noting(**{name: float(part.sum()) for name, part in counts.items()})
    untuned = verdict.outcome == "supported" and (late.none | late.edge).any()
    return replace(verdict, outcome="inconclusive") if untuned else verdict


def everything(budget: Budget) -> pd.DataFrame:
    parts = []
    for name in REMEDIES:
        found = contest(budget, name, "fresh")
        columns = {"remedy": name, "group": np.arange(len(found.steps)), "steps": found.steps, "learnt": found.learnt}
        columns |= {"accuracy": found.accuracy, "limit": limit(budget), **found.chosen, "at an end of a grid": found.edge}
        columns |= {"diverged in tuning": found.diverged}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


@claim("phenomenon", "S47; Lee et al. (2024), arXiv:2405.20233; github.com/ironjr/grokfast, issue 12")
@planted("AdamW on other splits and starts", remedy="AdamW", fresh="again")
@planted("Grokfast ahead", lambda budget: slower(budget, "AdamW", "Grokfast"))
def decay_is_faster_than_grokfast_alone(budget: Budget, remedy: str = "Grokfast", fresh: str = "fresh") -> Verdict:
    """S47, refined: Adam with tuned decoupled decay generalizes in fewer steps than Grokfast without decay, by a factor of
    1.5 or more.

    The geometric mean over 4 groups (quick: 2), each of which tunes for itself, of the steps of Adam with Grokfast (alpha
    0.98, strength tuned) over those of AdamW is above 1.5, in a 99 % interval; a censored run of Grokfast counts as the
    limit of 1000 steps (quick: 150), and tuning that ends on an edge or finds nothing supports nothing."""
    return slower(budget, remedy, fresh=fresh).showing(everything(budget))


@claim("phenomenon", "S47; Lee et al. (2024), arXiv:2405.20233; github.com/ironjr/grokfast, issue 12")
@planted("decay against itself without", remedy="AdamW", reference=BOOST, times=1.5)
@planted("three times as slow with it", times=3.0)
def grokfast_adds_little_to_decay(
    budget: Budget, remedy: str = BOOST, reference: str = "AdamW", times: float = 1 / LEVEL
) -> Verdict:
    """S47, refined: Beside tuned decoupled decay Grokfast saves at most a fifth of the steps.

    The geometric mean over 4 groups (quick: 2), each of which tunes for itself, of the steps of AdamW with Grokfast (alpha
    0.98, strength 2, as published) over those of AdamW alone is above 0.8, in a 99 % interval. That AdamW would save a
    third against itself with Grokfast is not supported."""
    return slower(budget, remedy, reference, times)


@claim("phenomenon", "S47; Loshchilov and Hutter (2019), arXiv:1711.05101")
@planted("decoupled decay on other splits and starts", remedy="AdamW", fresh="again")
@planted("coupled ahead", lambda budget: slower(budget, "AdamW", "coupled decay"))
def coupled_decay_is_slower(budget: Budget, remedy: str = "coupled decay", fresh: str = "fresh") -> Verdict:
    """S47, refined: With cross-entropy Adam generalizes later with a tuned l2 penalty than with tuned decoupled decay, by a
    factor of 1.5 or more.

    The geometric mean over 4 groups (quick: 2), each of which tunes for itself, of the steps of Adam with an l2 penalty in
    its gradient over those of AdamW is above 1.5, in a 99 % interval; a censored run with the penalty counts as the limit of
    1000 steps (quick: 150), and tuning that ends on an edge or finds nothing supports nothing."""
    return slower(budget, remedy, fresh=fresh)


@claim("phenomenon", "S47; Prieto et al. (2025), arXiv:2501.04697; github.com/LucasPrietoAl/grokking-at-the-edge, issue 8")
@planted("AdamW on other splits and starts", remedies=("AdamW",), fresh="again")
@planted("with decay as well", remedies=("AdamW, float64",))
def remedies_of_rounding_are_slower_than_decay(
    budget: Budget, remedies: tuple[str, ...] = ("no decay, float64", "OrthoGrad"), fresh: str = "fresh"
) -> Verdict:
    """S47, refined: Without decay neither float64 nor OrthoGrad generalizes as early as tuned decoupled decay, by a factor
    of 1.5 or more.

    The geometric mean over 4 groups (quick: 2), each of which tunes for itself, of the steps of either over those of AdamW
    is above 1.5, in 99 % intervals; a censored run counts as the limit of 1000 steps (quick: 150), and tuning that ends on
    an edge or finds nothing supports nothing. AdamW in float64 is not that much slower."""
    return all_of({name: slower(budget, name, fresh=fresh) for name in remedies})


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each remedy: steps with intervals, censored runs at the limit, and the question that it answers."""
    parts = []
    for name, own in table.groupby("remedy", sort=False):
        times = own["steps"].fillna(own["limit"]).to_numpy()
        labels = {"censored": int(own["steps"].isna().sum()), "of": len(own), "question": REMEDIES[name].question}
        parts.append(rows(times, geometric=True, remedy=name).assign(**labels))
    return pd.concat(parts, ignore_index=True)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    return {"matrix": summary(verdicts["decay_is_faster_than_grokfast_alone"].table)}


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["decay_is_faster_than_grokfast_alone"].table
    means = summary(table)
    figure, (ax,) = canvas(
        "Steps to 95 % validation accuracy on addition modulo 23, each remedy tuned by each group for itself: small markers "
        "are groups, open where the run did not generalize within the limit (dotted), large ones geometric means with 99 % "
        "intervals, lower bounds where a group is open.",
        1,
        height=3.4,
    )
    ax.axvline(table["limit"].iloc[0], color="0.5", ls=":", lw=1, label="limit")
    for k, row in means.iterrows():
        own = table[table["remedy"] == row["remedy"]]
        for censored, face, label in ((False, "C0", "generalized"), (True, "white", "not within the limit")):
            shown = own[own["steps"].isna() == censored]
            heights = k + 0.25 + np.zeros(len(shown))
            ax.plot(shown["steps"].fillna(shown["limit"]), heights, "o", color="C0", mfc=face, ms=3, label=label)
        bars = whiskers(means.loc[[k]])
        face = "white" if row["censored"] else "C3"
        ax.errorbar(
            row["measured"], k, xerr=bars, fmt="s", color="C3", mfc=face, ms=5, lw=1, label="mean" if k == 0 else "_"
        )
    frame = table["limit"].iloc[0] * np.array([0.01, 3.0])  # an interval of few groups may end outside
    ax.set(xscale="log", xlabel="steps", xlim=frame, yticks=range(len(means)), yticklabels=means["remedy"])
    ax.invert_yaxis()
    legend_below(figure)
    return {"matrix": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
