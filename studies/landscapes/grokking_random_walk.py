r"""After zero training error: do the weights walk at random, is their minimum wider, and does grokking confirm it?

    cosine of successive displacements, exponent of E ||x_{t+s} - x_t||^2 ~ s^alpha        random walk: 0 and alpha = 1
    width       top eigenvalue and trace of the Hessian of the training loss, raw and divided by the loss

The seminar says "perhaps", and three things, which are judged one by one. Network and data are those of `grokking`, in
float64, step 0.01: full batch and minibatches of 64 pairs, with decay 1 and without, and as a control that never generalizes
shuffled labels with the same decay. The walk begins at step 150, where at least 99 % of the training pairs are right, and
ends at step 800; weights are looked at every 50 steps, which the momentum of AdamW, beta1 = 0.9, does not remember; lags s
are 50 to 200 steps.

With cross-entropy the Hessian follows the loss, which without decay goes on falling: the raw width of a minimum at infinity
says how far a run has come. So curvature divided by the loss stands beside it. Adam moves each coordinate by a step of about
the same size whatever the gradient: its displacements say more of Adam than of the landscape.

Sources: the seminar; A. Power et al. (2022), arXiv:2201.02177; curvature as in `curvature_estimators`.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, exceeds, mean_is
from ratewitness.studies.landscapes.grokking_walks import CONDITIONS, LAGS, Walk, fall, simulated, walk
from ratewitness.studies.measuring.drawing import Panel, canvas, draw, legend_below
from ratewitness.studies.measuring.groups import rows, stacked

GROKS, NEVER = "full batch, decay", ("full batch, no decay", "shuffled labels, decay")
TOLERANCE, WIDER = 0.25, 2.0
LOOKS = dict(zip(CONDITIONS, ("C0o-", "C1s-", "C2^-", "C3v-", "C4D-"), strict=True))


def is_random(found: Walk) -> Verdict:
    parts = {"exponent": mean_is(found.exponent, 1.0, TOLERANCE)}
    return all_of(parts | {"cosine": exceeds(-np.abs(found.cosine), -TOLERANCE)})


@claim("phenomenon", "S48; Power et al. (2022), arXiv:2201.02177, as the seminar tells it", unit="cosine")
@planted("straight lines in the place of the runs", lambda budget: is_random(simulated(budget, 2)))
def walks_at_random_as_stated(budget: Budget) -> Verdict:
    """S48, as stated: After zero training error the weights of a small network go on changing in a manner like a random
    walk.

    In each of the four cases the squared displacement grows with the lag to a power of 1 +- 0.25, and the mean cosine of
    successive displacements of 50 steps lies within 0.25 of 0, in 99 % intervals over 4 seeds (quick: 2, to step 350). The
    sentence names no case; it fails in each of the four (`walks_persist`)."""
    parts = {name: is_random(walk(budget, name, "walk")) for name in CONDITIONS if not name.startswith("shuffled")}
    table = {}
    for name in CONDITIONS:
        found = walk(budget, name, "walk")
        table[name] = rows(found.displacement, geometric=True, lag=np.array(LAGS)).assign(
            cosine=found.cosine.mean(), exponent=found.exponent.mean()
        )
    return all_of(parts).showing(stacked(table, "run"))


@claim("phenomenon", "S48; refined here", unit="cosine", units={f"{name}.exponent": "exponent" for name in CONDITIONS})
@planted("independent displacements in the place of the runs", lambda budget: persists(simulated(budget, 1)))
@planted("a cosine above 0.75", cosine=0.75)
def walks_persist(budget: Budget, cosine: float = 0.25) -> Verdict:
    """S48, refined: After zero training error the weights do not walk at random, in minibatches either: successive
    displacements of 50 steps point the same way.

    The mean cosine of successive displacements of 50 steps is above 0.25 and the exponent of the squared displacement above
    1.25, in full batch and in minibatches of 64, with decay 1 and without, in 99 % intervals over 4 seeds (quick: 2, to step
    350). Independent displacements through the same pipeline have neither."""
    return all_of(
        {name: persists(walk(budget, name, "walk"), cosine) for name in CONDITIONS if not name.startswith("shuffled")}
    )


def persists(found: Walk, cosine: float = 0.25) -> Verdict:
    return all_of({"cosine": exceeds(found.cosine, cosine), "exponent": exceeds(found.exponent, 1 + TOLERANCE)})


@claim("phenomenon", "S48; the seminar says perhaps", unit="ln ratio")
@planted("step 150 on other seeds in the place of the end", lambda budget: exceeds(beside(budget), np.log(WIDER)))
@planted("runs backwards", sign=-1)
def drifts_to_wider_minima(budget: Budget, sign: int = 1) -> Verdict:
    """S48, as stated: From zero training error on minima get wider: the top eigenvalue of the Hessian falls by a factor of 2
    or more, with decay and without.

    In full batch the top eigenvalue at step 150 over that at step 800 is above 2, with decay 1 and without, in 99 %
    intervals of the geometric mean over 4 seeds (quick: 2, to step 350): raw curvature, as the sentence has it. What becomes
    of curvature over the loss, of trace and norm stands in the table. The sentence says perhaps, and that grokking confirms
    it: the runs with decay grok."""
    runs = ("full batch, decay", "full batch, no decay")
    parts = {name: exceeds(sign * fall(budget, name), np.log(WIDER)) for name in runs}
    table = {}
    for name in CONDITIONS:
        found = walk(budget, name, "walk")
        seen = {key: rows(value, geometric="eigenvalue" in key, at=np.array(found.at)) for key, value in found.seen.items()}
        table[name] = stacked(seen, "measure")
    return all_of(parts).showing(stacked(table, "run"))


def beside(budget: Budget) -> np.ndarray:
    """Logarithm of the top eigenvalue at step 150 over that of runs on other seeds at the same step (seeds,)."""
    one, two = (walk(budget, GROKS, stream).seen["top eigenvalue"][0] for stream in ("walk", "again"))
    return np.log(one / two)


@claim("phenomenon", "S48; the seminar says that grokking confirms it", unit="ln ratio")
@planted(
    "runs that grok on other seeds in the place of those that never do", lambda budget: falls_more(budget, (GROKS,), "again")
)
def grokking_confirms_it(budget: Budget, never: tuple[str, ...] = NEVER) -> Verdict:
    """S48, read as: Grokking confirms that minima get wider: the top eigenvalue falls more in runs that generalize than in
    those that never do.

    From step 150 to 800 the top eigenvalue falls in runs with decay 1, which generalize, by a factor at least twice that in
    runs without decay and in runs with shuffled labels, which do not, in 99 % intervals of the geometric mean over 4 paired
    seeds (quick: 2, to step 350). The sentence says that grokking confirms the drift; that runs without it drift less is
    read into it."""
    return falls_more(budget, never)


def falls_more(budget: Budget, never: tuple[str, ...], stream: str = "walk") -> Verdict:
    one = fall(budget, GROKS)
    return all_of({name: exceeds(one - fall(budget, name, stream=stream), np.log(2)) for name in never})


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    moved, seen = (verdicts[name].table for name in ("walks_at_random_as_stated", "drifts_to_wider_minima"))
    figure, axes = canvas(
        "After zero training error on addition modulo 23, with 99 % intervals over seeds. First: mean squared displacement "
        "against lag, dotted a random walk. Then the top eigenvalue of the Hessian of the training loss, the same divided "
        "by the loss, and validation accuracy along the runs.",
        2,
        2,
    )
    guide = {1.0: "random walk"}
    ticks = {"xticks": LAGS, "xticklabels": LAGS}
    draw(axes[0], Panel(moved, "lag", "lag (steps)", "squared distance", by="run", guides=guide, options=ticks), LOOKS)
    shown = ("top eigenvalue", "top eigenvalue / loss", "validation")
    for ax, measure in zip(axes[1:], shown, strict=True):
        log, label, options = "y", measure, {}
        if measure == "validation":
            log, label, options = "", "validation accuracy", {"ylim": (-0.05, 1.05)}
        draw(ax, Panel(seen[seen["measure"] == measure], "at", "steps", label, by="run", log=log, options=options), LOOKS)
    legend_below(figure)
    return {"random_walk": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
