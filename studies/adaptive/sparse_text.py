r"""Does AdaGrad do on real sparse features what it does on drawn ones?

The Old and the New Testament are told apart by the words of a paragraph (`problems/data/which_testament.py`), one paragraph
a step, from 0. Two things differ from the features that `sparse_features` draws.

A gradient is not of the same size in every word. With q_i the mean square of the word's weights, and residuals that do not
depend on the word, sum_t g_{t,i}^2 would be proportional to q_i, and AdaGrad's effective step to q_i^{-1/2}; to p_i^{-1/2},
p_i the share of paragraphs with the word, only as far as q_i is proportional to p_i. Residuals do depend on the word: the
falling of the steps with q is judged, and so is whether q alone explains them.

The minimizer is much farther away in some words than in others. The bound of AdaGrad over that of methods with one step for
all words is

    D_inf sum_i sqrt(q_i) / (D_2 sqrt(sum_i q_i)),

which is h(q) = sum_i sqrt(q_i) / sqrt(d sum_i q_i) = 0.85 where D_2 = sqrt(d) D_inf; with the distances of the minimizer
from 0 it is 5 and more. On the text the bounds promise nothing.

They are about the average iterate; the last one is judged beside it. Tuning is that of `studies/measuring/tuning.py`, around
the steps that the bounds recommend for the distances of the minimizer from 0. All methods see the same paragraphs. Intervals
are over draws of paragraphs; there is one text.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.data.which_testament import Words, which_testament
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.solvers.around.averaging import PolyakRuppert
from ratewitness.solvers.solver import Solver, run
from ratewitness.studies.adaptive.adagrad_and_sgd import METHODS, SGD, effective_steps, recommended
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, exceeds, exponent_is, interval
from ratewitness.studies.measuring.tuning import Tuned, tune, unless_on_edge
from ratewitness.theory.adagrad import heterogeneity

GROUPS = 10


def text(budget: Budget) -> Words:
    return which_testament(budget.pick(300, 600))


@cache
def word_steps(budget: Budget) -> np.ndarray:
    """Effective steps of AdaGrad with step 1 for every word (d, groups) after T steps on single paragraphs."""
    problem, T = text(budget).problem, budget.pick(1_500, 15_000)
    oracle = Oracle.minibatch(problem, 1, budget.generator("words"))
    return effective_steps(AdaGrad(1.0), oracle, problem.starts(GROUPS), (T,))[0].mT.cpu().numpy()


def slope(budget: Budget, against: str, exponent: float = 0.5) -> Verdict:
    words, found = text(budget), word_steps(budget.shared("sparse_text"))
    columns = {"p": words.frequencies.cpu().numpy(), "q": words.mean_squares.cpu().numpy()}
    mean, low, high = interval(found)
    size = float(np.polyfit(np.log(columns["p"]), np.log(columns["q"]), 1)[0])
    scatter = float(np.log(mean * np.sqrt(columns[against])).std())  # of words around the law; the verdict is on the slope
    verdict = exponent_is(columns[against], found, exponent, 0.1, decades=1.5).noting(slope_of_q_in_p=size, scatter=scatter)
    return verdict.showing({"word": words.words, **columns, "measured": mean, "low": low, "high": high})


def beyond(budget: Budget, given: str, other: str, exponent: float = 0.1) -> Verdict:
    """Whether steps go, at equal `given`, as `other` to a power within -exponent and exponent: least squares of log step on
    both logarithms, and the power in each of 1000 bootstrap samples of words; the interval is that of 99 % of them."""
    words, mean = text(budget), np.log(word_steps(budget.shared("sparse_text")).mean(-1))
    columns = {"p": words.frequencies.cpu().numpy(), "q": words.mean_squares.cpu().numpy()}
    X = np.stack([np.log(columns[given]), np.log(columns[other]), np.ones_like(mean)], -1)
    shape = (1000, len(mean))
    samples = torch.randint(len(mean), shape, generator=budget.generator("bootstrap"), device=budget.device).cpu().numpy()
    powers = np.array([np.linalg.lstsq(X[rows], mean[rows], rcond=None)[0] for rows in samples])
    low, high = np.quantile(powers[:, 1], [0.005, 0.995])
    outcome = "supported" if -exponent <= low and high <= exponent else "inconclusive"
    outcome = "refuted" if low > exponent or high < -exponent else outcome
    evidence = {f"power of {given}": powers[:, 0].mean(), f"power of {other}": powers[:, 1].mean()}
    return Verdict(outcome, {k: float(v) for k, v in (evidence | {"low": low, "high": high}).items()})


@claim(
    kind="law",
    source="S17; King James Bible, tf-idf",
    planted={"as 1/p": lambda budget: slope(budget, "p", 1.0)},
)
def frequency_decides_as_stated(budget: Budget) -> Verdict:
    """S17, as stated for real features by frequency alone: AdaGrad's effective steps after 15000 (quick: 1500) paragraphs of
    the text follow p^-0.5 (slope +- 0.1, and no other simple law fits as well) over 600 (quick: 300) words, p the share of
    paragraphs with the word."""
    return slope(budget, "p")


@claim(
    kind="law",
    source="S17; King James Bible, tf-idf; derived above",
    planted={
        "as 1/q": lambda budget: slope(budget, "q", 1.0),
        "the same for every q": lambda budget: slope(budget, "q", 0.0),
    },
)
def falls_with_the_mean_square(budget: Budget) -> Verdict:
    """S17, refined for gradients of different sizes: AdaGrad's effective steps after 15000 (quick: 1500) paragraphs of the
    text follow q^-0.5 (slope +- 0.1, and no other simple law fits as well) over 600 (quick: 300) words, q the mean square of
    a word's weights; single words scatter around it."""
    return slope(budget, "q")


@claim(
    kind="law",
    source="S17; King James Bible, tf-idf; derived above for residuals that do not depend on the word",
    planted={"the frequency alone": lambda budget: beyond(budget, "p", "q", 0.01)},
)
def mean_square_alone_decides(budget: Budget) -> Verdict:
    """S17, refined, as derived for residuals that do not depend on the word: At equal mean square q of a word's weights
    AdaGrad's effective steps on the text do not depend on the frequency p: in the regression of log step on log q and log p
    the power of p is within 0.1 of 0, in a 99 % bootstrap interval over words."""
    return beyond(budget, "q", "p")


OUTPUTS: dict[str, Callable[[Solver], Solver]] = {"average": PolyakRuppert, "last": lambda solver: solver}


@cache
def gaps(method: str, output: str, budget: Budget) -> tuple[Tuned, np.ndarray]:
    """What tuning found on the text, and the gap with the chosen step on fresh draws of paragraphs: (seeds,)."""
    problem, T = text(budget).problem, budget.pick(1_000, 2 * 4_635)
    D_inf, D_2 = float(problem.minimizer.abs().max()), float(problem.radius)
    centre = recommended(method, D_inf, D_2, 0.25, T)  # ||a_i|| = 1, and at the start a weight of 1/2

    def build(lr):
        return OUTPUTS[output](METHODS[method](lr))

    def oracle(stage):
        return Oracle.minibatch(problem, 1, budget.generator(stage))

    tuned = tune(build, lambda lr: lr, centre, (7, 6), problem, lambda: oracle("tuning"), T, seeds=budget.pick(2, 4))
    trace = run(build(tuned.lr), oracle("test"), problem.starts(GROUPS), T, problem.gap, at=[T])
    return tuned, trace.values[0].cpu().numpy()


def gain(budget: Budget, output: str, ahead: str, behind: tuple[str, ...], threshold: float) -> Verdict:
    """The gap of the best of some methods, chosen by the tuning, over that of another, against a threshold."""
    (first, gap), *others = (gaps(method, output, budget.shared("sparse_text")) for method in (ahead, *behind))
    rival = min(others, key=lambda other: other[0].losses.min())[1]
    return unless_on_edge(exceeds(np.log(rival / gap), np.log(threshold)), first, *(tuned for tuned, _ in others))


def far_ahead(budget: Budget, ahead: str = "AdaGrad") -> Verdict:
    return all_of({output: gain(budget, output, ahead, SGD, 2.0) for output in OUTPUTS})


@claim(
    kind="phenomenon",
    source="S18; King James Bible, tf-idf",
    planted={"AdaGradNorm as well": lambda budget: far_ahead(budget, "AdaGradNorm")},
)
def far_ahead_as_stated(budget: Budget) -> Verdict:
    """S18, as stated, on real sparse features: After two passes over the text (quick: 1000 paragraphs) the training loss gap
    of AdaGrad is at least 2 times smaller than that of SGD, constant or a/sqrt(t), whichever is better, all tuned; both for
    the average and for the last iterate; geometric means over seeds."""
    shared, rows = budget.shared("sparse_text"), []
    for output in OUTPUTS:
        for method in METHODS:
            tuned, gap = gaps(method, output, shared)
            mean, low, high = map(np.exp, interval(np.log(gap)))
            row = {"output": output, "method": method, "lr": tuned.lr, "on an edge": tuned.on_edge}
            rows.append(row | {"measured": mean, "low": low, "high": high})
    return far_ahead(budget).showing(pd.DataFrame(rows))


def diagonal_pays(budget: Budget, ahead: str = "AdaGrad", behind: str = "AdaGradNorm") -> Verdict:
    words = text(budget)
    promised, x = 1 / float(heterogeneity(words.mean_squares.cpu().numpy())), words.problem.minimizer
    flatness = float(x.norm() / (len(x) ** 0.5 * x.abs().max()))  # 1 where D_2 = sqrt(d) D_inf
    verdict = gain(budget, "average", ahead, (behind,), promised**0.5)
    last = gain(budget, "last", ahead, (behind,), promised**0.5).evidence["effect"]
    return verdict.noting(effect_of_last_iterates=last, h=1 / promised, ratio_of_bounds=1 / (promised * flatness))


@claim(
    kind="phenomenon",
    source="S18; King James Bible, tf-idf; the ratio derived above",
    planted={
        "ahead of constant steps": lambda budget: diagonal_pays(budget, behind="SGD, a"),
        "AdaGradNorm is ahead": lambda budget: diagonal_pays(budget, "AdaGradNorm", "AdaGrad"),
    },
)
def the_diagonal_pays(budget: Budget) -> Verdict:
    """S18, refined, on real sparse features: Against the method that differs in nothing but one step for all words,
    AdaGradNorm, AdaGrad's gap is smaller by at least the factor h^{-1/2}, h from the mean squares of the columns, for the
    averages of two passes (quick: 1000 paragraphs) and both tuned; geometric mean over seeds."""
    return diagonal_pays(budget)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    table = verdicts["falls_with_the_mean_square"].table
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.2), sharey=True, layout="constrained")
    figure.set_label("AdaGrad's effective step on the text, a point a word, over lr. Lines: slope -1/2 through the mean.")
    labels = {"p": "share p of paragraphs with the word", "q": "mean square q of its weights"}
    for ax, (column, label) in zip(axes, labels.items(), strict=True):
        ends = np.array([table[column].min(), table[column].max()])
        level = np.exp(np.mean(np.log(table["measured"] * np.sqrt(table[column]))))
        ax.plot(table[column], table["measured"], "C0.", ms=2)
        ax.plot(ends, level / np.sqrt(ends), color="k", lw=1)
        ax.set(xscale="log", yscale="log", xlabel=label)
    axes[0].set(ylabel="effective step / lr")
    return {"steps": figure}


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = verdicts["far_ahead_as_stated"].table
    gaps = pd.DataFrame(
        {
            "iterate": found["output"],
            "method": found["method"],
            "step": found["lr"].map("{:.2g}".format),
            "on an edge": np.where(found["on an edge"], "yes", "no"),
            "$f - f^*$": found["measured"].map("{:.2g}".format),
            "99 % interval": [f"[{low:.2g}, {high:.2g}]" for low, high in zip(found["low"], found["high"], strict=True)],
        }
    )
    return {"gaps": gaps}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
