r"""Muon against AdamW on binary logistic regression: what the steps in circulation show, and what tuned ones do

    f(w) = (1/n) sum_i log(1 + exp(-y_i a_i^T w)),    n = 5000, w in R^100 reshaped to 10 by 10 for Muon

A comparison in circulation: minibatches of 128, 15 epochs of 39 whole minibatches, constant steps, Muon with 0.02 and AdamW
with 3e-4, judged by training accuracy. The rows are not stated with it; here they are standard Gaussian, with labels drawn
from a logistic model. Both start at 0. Muon: momentum 0.95, Nesterov, five quintic steps; AdamW: betas 0.9 and 0.999, decay
0.01, and none where it is tuned, as Muon has none. A weight vector has no rows and columns: the reshaping is arbitrary, and
Muon sees it.

The contrast tunes both steps, constant as before, on equal grids (`studies/measuring/tuning.py`): four decades around the
step that is in circulation, chosen by the training loss on minibatches of its own.

A replicate is a group: rows and labels drawn afresh, both steps tuned on them, and one run of each on minibatches that all
methods share. Intervals are over 20 (quick: 6) groups.

Sources: K. Jordan et al. (2024); I. Loshchilov and F. Hutter (2019), arXiv:1711.05101.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.data.logistic import logistic
from ratewitness.problems.data.softmax import random_rows
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.adam import AdamW
from ratewitness.solvers.norms.muon import Muon
from ratewitness.solvers.norms.polar import MuonQuintic
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import exceeds, interval, mean_is
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.studies.measuring.tuning import Tuned, tune, unless_on_edge

N, D, BATCH, EPOCHS = 5000, 100, 128, 15
EPOCH = N // BATCH
STEPS = EPOCHS * EPOCH
METHODS = {"Muon": (lambda lr: Muon(lr, orthogonalize=MuonQuintic(5)), 0.02), "AdamW": (AdamW, 3e-4)}
TUNED = METHODS | {"AdamW": (lambda lr: AdamW(lr, weight_decay=0.0), 3e-4)}


@cache
def data(group: int, budget: Budget) -> tuple[torch.Tensor, FiniteSum]:
    """Rows times labels (n, d), and the problem with its point as a 10 by 10 matrix."""
    A, y = random_rows(N, D, 2, budget.generator("rows", group))
    f = logistic(A, 2.0 * y - 1)
    return (2.0 * y - 1).unsqueeze(-1) * A, replace(
        f,
        shape=(10, 10),
        gap=lambda x: f.gap(x.flatten(-2)),
        grad=lambda x: f.grad(x.flatten(-2)).unflatten(-1, (10, 10)),
        sample_grad=lambda x, index: f.sample_grad(x.flatten(-2), index).unflatten(-1, (10, 10)),
        start=f.start.unflatten(-1, (10, 10)),
        minimizer=f.minimizer.unflatten(-1, (10, 10)),
    )


def groups(budget: Budget) -> range:
    return range(budget.pick(6, 20))


def oracle(stage: str, group: int, budget: Budget) -> Oracle:
    return Oracle.minibatch(data(group, budget)[1], BATCH, budget.generator(stage, group), "reshuffled")


@cache
def tuned(method: str, group: int, budget: Budget) -> Tuned:
    (build, centre), problem = TUNED[method], data(group, budget)[1]
    return tune(build, lambda lr: lr, centre, (7, 6), problem, lambda: oracle("tuning", group, budget), STEPS, seeds=1)


@cache
def tested(method: str, step: str, group: int, budget: Budget) -> np.ndarray:
    """Gap and training accuracy (2, epochs) after each epoch, with the step "in circulation" or the "tuned" one."""
    signed, problem = data(group, budget)
    build, lr = METHODS[method] if step == "in circulation" else (TUNED[method][0], tuned(method, group, budget).lr)

    def measure(x):
        return torch.stack([problem.gap(x), (x.flatten(-2) @ signed.mT > 0).double().mean(-1)])

    at = range(0, STEPS + 1, EPOCH)
    trace = run(build(lr), oracle("test", group, budget), problem.starts(1), STEPS, measure, at=at)
    return trace.values[..., 0].mT.cpu().numpy()


def found(method: str, step: str, budget: Budget) -> np.ndarray:
    """Gap and training accuracy (2, epochs, groups)."""
    shared = budget.shared("muon_untuned")
    return np.stack([tested(method, step, group, shared) for group in groups(budget)], -1)


def all_tuned(method: str, budget: Budget) -> list[Tuned]:
    return [tuned(method, group, budget.shared("muon_untuned")) for group in groups(budget)]


def more_accurate(budget: Budget, first: str, second: str, epoch: int = EPOCHS) -> Verdict:
    (_, one), (_, other) = found(first, "in circulation", budget), found(second, "in circulation", budget)
    return exceeds(one[epoch] - other[epoch], 0.01).noting(first=one[epoch].mean(), second=other[epoch].mean())


@claim(
    kind="phenomenon",
    source="S36; the comparison in circulation",
    planted={"AdamW is ahead": lambda budget: more_accurate(budget, "AdamW", "Muon")},
)
def as_shown(budget: Budget) -> Verdict:
    """S36, as shown: After 15 epochs the training accuracy of Muon with step 0.02 is at least one percentage point above
    AdamW's with step 3e-4, in the mean over draws of Gaussian rows."""
    return more_accurate(budget, "Muon", "AdamW").showing(records(budget))


@claim(
    kind="phenomenon",
    source="S36; the comparison in circulation",
    planted={"AdamW is ahead": lambda budget: more_accurate(budget, "AdamW", "Muon", 1)},
)
def as_shown_early(budget: Budget) -> Verdict:
    """S36, as shown, early: After the first epoch the training accuracy of Muon with step 0.02 is at least one percentage
    point above AdamW's with step 3e-4, in the mean over draws of Gaussian rows."""
    return more_accurate(budget, "Muon", "AdamW", 1)


def equally_accurate(budget: Budget, ratio: float) -> Verdict:
    (_, adamw), (_, muon) = found("AdamW", "tuned", budget), found("Muon", "tuned", budget)
    verdict = mean_is(adamw[-1] / muon[-1], ratio, 0.005).noting(AdamW=adamw[-1].mean(), Muon=muon[-1].mean())
    return unless_on_edge(verdict, *all_tuned("Muon", budget), *all_tuned("AdamW", budget))


@claim(
    kind="phenomenon",
    source="S36; equal tuning",
    planted={
        "AdamW stays a percentage point behind": lambda budget: equally_accurate(budget, 0.99),
        "AdamW is a percentage point ahead": lambda budget: equally_accurate(budget, 1.01),
    },
)
def tuned_they_are_equally_accurate(budget: Budget) -> Verdict:
    """S36, refined: With both steps tuned on every draw of rows, the training accuracies after 15 epochs agree within half a
    per cent, in the mean over draws."""
    return equally_accurate(budget, 1.0).showing(grids(budget))


def tuning_pays(budget: Budget, method: str, factor: float) -> Verdict:
    before, after = found(method, "in circulation", budget)[0], found(method, "tuned", budget)[0]
    effect = np.log(before[-1] / after[-1])
    verdict = exceeds(effect, float(np.log(factor))).noting(ratio=float(np.exp(effect.mean())))
    return unless_on_edge(verdict, *all_tuned(method, budget))


@claim(
    kind="phenomenon",
    source="S36; equal tuning",
    planted={"a thousand times smaller": lambda budget: tuning_pays(budget, "AdamW", 1e3)},
)
def adamw_was_untuned(budget: Budget) -> Verdict:
    """S36, refined: AdamW's 3e-4 is a poor step here: tuning it on every draw of rows (and leaving out the decay of 0.01)
    makes the training loss gap after 15 epochs at least twice smaller, in the geometric mean over draws."""
    return tuning_pays(budget, "AdamW", 2.0)


@claim(
    kind="phenomenon",
    source="S36; equal tuning",
    planted={"a thousand times smaller": lambda budget: tuning_pays(budget, "Muon", 1e3)},
)
def muon_was_untuned(budget: Budget) -> Verdict:
    """S36, refined: Muon's 0.02 is a poor step here as well: tuning it on every draw of rows makes the training loss gap
    after 15 epochs at least twice smaller, in the geometric mean over draws."""
    return tuning_pays(budget, "Muon", 2.0)


def ahead(budget: Budget, by: float) -> Verdict:
    effect = np.log(found("AdamW", "tuned", budget)[0][-1] / found("Muon", "tuned", budget)[0][-1])
    verdict = exceeds(effect, float(np.log(by))).noting(ratio=float(np.exp(effect.mean())))
    return unless_on_edge(verdict, *all_tuned("Muon", budget), *all_tuned("AdamW", budget))


@claim(
    kind="phenomenon",
    source="S36; equal tuning",
    planted={"twice smaller": lambda budget: ahead(budget, 2.0)},
)
def tuned_muon_is_ahead(budget: Budget) -> Verdict:
    """S36, as stated, tuned: With both steps tuned on every draw of rows, Muon's training loss gap after 15 epochs is at
    least 1.1 times smaller than AdamW's, in the geometric mean over draws."""
    return ahead(budget, 1.1)


def records(budget: Budget) -> pd.DataFrame:
    """Gap (geometric means) and accuracy (means) after every epoch, with intervals over groups."""
    parts = []
    for method, (_, circulated) in METHODS.items():
        for step in ("in circulation", "tuned"):
            steps = [t.lr for t in all_tuned(method, budget)] if step == "tuned" else [circulated]
            lr = float(np.median(steps))
            part = {"method": method, "choice": step, "lr": lr, "epoch": np.arange(EPOCHS + 1)}
            gap, accuracy = found(method, step, budget)
            for name, values in (("gap", np.exp(interval(np.log(gap)))), ("accuracy", interval(accuracy))):
                mean, low, high = values
                part |= {name: mean, f"{name}, low": low, f"{name}, high": high}
            parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def grids(budget: Budget) -> pd.DataFrame:
    """The loss for every step of both grids, in every group."""
    parts = []
    for method in METHODS:
        for group, chosen in enumerate(all_tuned(method, budget)):
            part = {"method": method, "group": group, "lr": chosen.grid, "gap": chosen.losses}
            parts.append(pd.DataFrame(part | {"on an edge": chosen.on_edge}))
    return pd.concat(parts, ignore_index=True)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    last = verdicts["as_shown"].table.query("epoch == @EPOCHS")
    tried = verdicts["tuned_they_are_equally_accurate"].table.groupby("method")
    rows = [
        {
            "method": row["method"],
            "step (tuned: median)": f"{row['lr']:.2g}, {row['choice']}",
            "grid": f"{tried.get_group(row['method'])['lr'].min():.2g} to {tried.get_group(row['method'])['lr'].max():.2g}",
            "best on an edge": "yes" if tried.get_group(row["method"])["on an edge"].any() else "no",
            "$f - f^*$": f"{row['gap']:.3g}",
            "training accuracy": f"{row['accuracy']:.4f}",
            "99 % interval": f"[{row['accuracy, low']:.4f}, {row['accuracy, high']:.4f}]",
        }
        for _, row in last.iterrows()
    ]
    return {"end": pd.DataFrame(rows)}


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    path, tried = verdicts["as_shown"].table, verdicts["tuned_they_are_equally_accurate"].table
    epochs, axes = plt.subplots(1, 2, figsize=(7.2, 3.6), layout="constrained")
    epochs.set_label(
        "Binary logistic regression, Muon (on the weights reshaped 10 by 10) against AdamW, each with the step in "
        "circulation and with the tuned one. Means over draws of rows (of the gap geometric) with 99 % intervals; "
        "of the tuned steps the median is given."
    )
    for (method, choice), part in path.groupby(["method", "choice"], sort=False):
        label = f"{method}, {part['lr'].iloc[0]:.2g} ({choice})"
        look = {"color": "C0" if method == "Muon" else "C1", "ls": "-" if choice == "tuned" else "--", "marker": "o"}
        for ax, name in zip(axes, ("gap", "accuracy"), strict=True):
            # at the start every margin is 0: there is no accuracy to speak of
            seen = part[part["epoch"] > 0] if name == "accuracy" else part
            bars = whiskers(seen.assign(low=seen[f"{name}, low"], high=seen[f"{name}, high"]), name)
            ax.errorbar(seen["epoch"], seen[name], bars, ms=3, lw=1, elinewidth=0.8, label=label, **look)
    axes[0].set(yscale="log", xlabel="epoch", ylabel="$f(w) - f^*$", title="training loss gap")
    axes[1].set(xlabel="epoch", ylabel="training accuracy", title="training accuracy")
    epochs.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    steps, ax = plt.subplots(figsize=(4.8, 3.6), layout="constrained")
    steps.set_label(
        "Training loss gap after 15 epochs against the step size, all steps tried on one draw of rows. Vertical lines: the "
        "steps in circulation."
    )
    for colour, (method, part) in zip(("C1", "C0"), tried[tried["group"] == 0].groupby("method"), strict=True):
        ax.plot(part["lr"], part["gap"], "o-", ms=3, lw=1, color=colour, label=method)
        ax.axvline(METHODS[method][1], color=colour, ls="--", lw=1)
    ax.set(xscale="log", yscale="log", xlabel="step size", ylabel="$f(w) - f^*$ after 15 epochs")
    ax.legend(frameon=False)
    return {"epochs": epochs, "sensitivity": steps}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
