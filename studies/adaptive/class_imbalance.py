r"""Does class imbalance explain where Adam helps? Tuned methods on problems with unequal and with equal frequencies.

    bigram tables           frequencies of contexts and of labels, each Zipf's or equal: which of the two matters?
    learnt by heart         2^i classes of 2^(m-i) samples, i = 1, ..., m, with labels independent of the rows
    the King James Bible    a bigram model of low rank, words as frequent as they are or made equally frequent

Like is compared with like: Adam without momentum (beta1 = 0) and sign descent with gradient descent, and Adam (beta1 = 0.9)
with gradient descent with momentum 0.9, on exact gradients. Every method takes its best constant step on every instance: out
of 13 (quick: 9) over four decades, around 1/L for gradient descent (by heart: 10/L; text: 10) and around a change of a score
by 0.1 for Adam and sign descent (text: 0.03), and 6 (quick: 4) more between the neighbours of the best of these; where that
is an end of its grid the comparison is inconclusive. The *gain* of a method is how many times as many steps gradient descent
needs as it does, until the least loss is as low as the larger of both least losses after N steps; numbers of steps are
interpolated in the logarithm of the loss.

What theory says beforehand (`theory/class_imbalance.py`, `frequency_laws`): the row of a context of frequency r_i moves at
the pace r_i with gradient descent, and at one free of r_i with Adam, so that the frequencies of contexts must matter. On
frequencies of labels where rows are shared or contexts equally frequent it is silent.

Source: Kunstner, Yadav, Milligan, Schmidt and Bietti (2024), arXiv:2402.19449.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.data import bigram as pairs
from ratewitness.problems.data import class_imbalance as groups_of_classes
from ratewitness.problems.data.bigram import balanced, divergences, zipf
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.sign_descent import SignSGD
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, exceeds, interval
from ratewitness.studies.measuring.drawing import whiskers
from torch import Tensor
from torch.nn.functional import one_hot

KUNSTNER = "S28; Kunstner et al. (2024), arXiv:2402.19449"
METHODS = {  # step -> solver, and whether its step is one of a coordinate
    "GD": (GradientDescent, False),
    "GD, momentum": (lambda lr: HeavyBall(lr, 0.9), False),
    "Adam, no momentum": (lambda lr: Adam(lr, beta1=0.0), True),
    "Adam": (Adam, True),
    "sign descent": (SignSGD, True),
}
PAIRS = (("Adam, no momentum", "GD"), ("Adam", "GD, momentum"))
SIGN = (("sign descent", "GD"),)
FREQUENCIES = {"Zipf": zipf, "equal": balanced}


@dataclass(frozen=True, eq=False)
class Setting:
    """Where methods are compared. `losses` gives the loss of each group, which sum to f - f*: x (points, replicates, *shape)
    -> (points, replicates, groups)."""

    problem: FiniteSum
    x0: Tensor  # (replicates, *shape)
    losses: Callable[[Tensor], Tensor]
    steps: int
    refined_at: int  # the iteration whose losses decide where the finer grid lies
    centres: tuple[Tensor | float, float]  # of the grids of gradient descent, (replicates, 1, ..., 1) or one, and of Adam


def octaves(count: int, device: str) -> Tensor:
    """Memberships (count, groups) of the ranks 1, 2-3, 4-7, ..."""
    return one_hot(torch.arange(1, count + 1, device=device).log2().floor().long()).to(torch.float64)


@cache
def bigram(budget: Budget, contexts: str, labels: str) -> Setting:
    c = budget.pick(48, 100)
    marginals = (FREQUENCIES[name](c) for name in (contexts, labels))
    P = pairs.random_table(*marginals, budget.generator("tables"), budget.pick(4, 8))
    problem, groups, steps = pairs.population_softmax(P), octaves(c, budget.device), budget.pick(100, 200)

    def losses(x):
        return (P.sum(-1) * divergences(P, x)) @ groups

    return Setting(problem, problem.start, losses, steps, steps, (1 / problem.constants.smoothness.reshape(-1, 1, 1), 0.1))


@cache
def by_heart(budget: Budget, sizes: str) -> Setting:
    m = budget.pick(4, 5)
    y, group = (each.to(budget.device) for each in groups_of_classes.group_labels(m, even=sizes == "equal"))
    A = groups_of_classes.grouped_rows(m, budget.generator("rows"), budget.pick(3, 5))
    problem, groups = groups_of_classes.grouped_softmax(A, y), one_hot(group).to(torch.float64) / len(y)
    centres = (10 / problem.constants.smoothness.reshape(-1, 1, 1), 0.1 / float(A.sum(-1).mean()))

    def losses(x):
        return groups_of_classes.sample_losses(A, y, x) @ groups

    return Setting(problem, problem.start, losses, 100, budget.pick(8, 16), centres)


@cache
def text(budget: Budget, marginals: str) -> Setting:
    V = budget.pick(40, 120)
    P = (pairs.word_pairs(V)[1] + 0.1).to(budget.device)  # 0.1 of a pair for those that never occur
    P = P / P.sum()
    if marginals == "made equal":
        P = pairs.with_marginals(P, balanced(V).to(P), balanced(V).to(P))
    model = pairs.LowRank(V, V, budget.pick(8, 16))
    x0 = model.initial(budget.generator("starts"), budget.pick(3, 8))
    groups = octaves(V, budget.device)
    problem = pairs.low_rank_softmax(P, model, x0[0])

    def losses(x):
        return (P.sum(-1) * divergences(P, model.scores(x))) @ groups

    return Setting(problem, x0, losses, 200, 200, (10.0, 0.03))


def ends(budget: Budget) -> tuple[int, int]:
    """Where the first and the last step of the coarse grid are among all."""
    return 0, budget.pick(9, 13) - 1


@cache
def descended(budget: Budget, setting: Callable, names: tuple[str, ...], method: str) -> np.ndarray:
    """Losses (N + 1, points, replicates, groups), the coarse grid first; inf where a run diverged."""
    at, (build, coordinate) = setting(budget, *names), METHODS[method]
    shape, oracle = at.problem.shape, Oracle.full(at.problem)

    def losses(grid):  # (points, replicates or 1)
        lr = torch.as_tensor(grid, device=budget.device).reshape(*grid.shape, *[1] * len(shape)) * at.centres[coordinate]
        x0 = at.x0.expand(len(grid), *at.x0.shape)
        trace = run(build(lr), oracle, x0, at.steps, at.losses, at=range(at.steps + 1))
        return np.nan_to_num(trace.values.cpu().numpy(), nan=np.inf)

    grid = np.logspace(-2, 2, ends(budget)[1] + 1)
    coarse = losses(grid[:, None])
    best = coarse[at.refined_at].sum(-1).argmin(0)
    low, high = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, len(grid) - 1)]
    fine = np.geomspace(low, high, budget.pick(4, 6) + 2)[1:-1]
    return np.concatenate([coarse, losses(fine)], axis=1)


def least(budget: Budget, losses: np.ndarray, steps: int) -> np.ndarray:
    """The losses (replicates, groups) with the best step after `steps` steps; nan where it is an end of the grid."""
    last = losses[steps]
    best = last.sum(-1).argmin(0)
    chosen = last[best, np.arange(len(best))]
    return np.where(np.isin(best, ends(budget))[:, None], np.nan, chosen)


def arrivals(losses: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The first k at which the losses (N + 1, points, replicates) are at the target (replicates,), interpolated in the
    logarithm of the loss; inf where they never are: (points, replicates)."""
    reached = losses <= target
    k = np.maximum(reached.argmax(0), 1)
    before, after = (np.log(np.take_along_axis(losses, at[None], 0)[0]) for at in (k - 1, k))
    return np.where(reached.any(0), k - 1 + (before - np.log(target)) / (before - after), np.inf)


def gain(budget: Budget, setting: Callable, names: tuple[str, ...], method: str, other: str) -> np.ndarray:
    """Logarithm of the steps of `other` for each of `method`, to the larger of both least losses after N steps:
    (replicates,), nan where an end of the grid is the first to arrive."""
    shared = budget.shared("class_imbalance")
    losses = {name: descended(shared, setting, names, name).sum(-1) for name in (method, other)}
    target = np.maximum(*(each[-1].min(0) for each in losses.values()))
    steps = {}
    for name, each in losses.items():
        times = arrivals(each, target)
        first = times.argmin(0)
        steps[name] = np.where(np.isin(first, ends(budget)), np.nan, times.min(0))
    return np.log(steps[other] / steps[method])


def gains(budget: Budget, setting: Callable, cells: tuple[tuple[str, ...], ...]) -> pd.DataFrame:
    rows = []
    for names in cells:
        for method, other in PAIRS:
            mean, low, high = np.exp(interval(gain(budget, setting, names, method, other)))
            rows.append({"cell": ", ".join(names), "method": method, "measured": mean, "low": low, "high": high})
    return pd.DataFrame(rows)


def larger(
    budget: Budget, setting: Callable, first: tuple[str, ...], second: tuple[str, ...], factor: float, compared=PAIRS
) -> Verdict:
    """The gains are `factor` times as large in the first cell as in the second, in the geometric mean over replicates."""
    judged = {}
    for method, other in compared:
        one, two = (gain(budget, setting, names, method, other) for names in (first, second))
        judged[method] = exceeds(one - two, np.log(factor))
    return all_of(judged)


CELLS = (("Zipf", "Zipf"), ("Zipf", "equal"), ("equal", "Zipf"), ("equal", "equal"))


def contexts(budget: Budget, factor: float = 2.0, compared=PAIRS) -> Verdict:
    cells = {names: (("Zipf", names), ("equal", names)) for names in FREQUENCIES}
    return all_of({f"labels {names}": larger(budget, bigram, *pair, factor, compared) for names, pair in cells.items()})


def labels(budget: Budget, factor: float = 2.0) -> Verdict:
    cells = {names: ((names, "Zipf"), (names, "equal")) for names in FREQUENCIES}
    return all_of({f"contexts {names}": larger(budget, bigram, *pair, factor) for names, pair in cells.items()})


@claim(
    kind="phenomenon",
    source=KUNSTNER,
    planted={"fifty times": lambda budget: labels(budget, 50.0)},
)
def frequencies_of_labels_as_stated(budget: Budget) -> Verdict:
    """S28, as stated (heavy-tailed class frequencies are why Adam helps), read for one-hot contexts, whose rows share
    nothing: On bigram tables of 100 (quick: 48) contexts and labels, N = 200 (quick: 100), the gain of Adam is at least
    twice as large with Zipf's frequencies of the labels as with equal ones, for either frequencies of the contexts, with
    momentum on both sides and with none: geometric means over tables."""
    return labels(budget).showing(gains(budget, bigram, CELLS))


@claim(
    kind="phenomenon",
    source=KUNSTNER + "; the pace r_i of theory/class_imbalance.py",
    planted={"fifty times": lambda budget: contexts(budget, 50.0)},
)
def frequencies_of_contexts_and_momentum(budget: Budget) -> Verdict:
    """S28, refined (frequencies of contexts, and momentum does not explain it): On the same tables the gain of Adam is at
    least twice as large with Zipf's frequencies of the contexts as with equal ones, for either frequencies of the labels,
    with momentum on both sides and with none: geometric means over tables."""
    return contexts(budget)


@claim(
    kind="phenomenon",
    source=KUNSTNER + "; the pace r_i of theory/class_imbalance.py",
    planted={
        "fifty times": lambda budget: contexts(budget, 50.0, PAIRS[:1]),
        "of labels in place of contexts": lambda budget: larger(budget, bigram, CELLS[2], CELLS[3], 2.0, PAIRS[:1]),
    },
)
def frequencies_of_contexts_matter(budget: Budget) -> Verdict:
    """S28, refined (frequencies of contexts, without momentum): On the bigram tables of these claims Adam without momentum
    needs fewer steps than gradient descent without, by a factor, its gain, that is at least twice as large with Zipf's
    frequencies of the contexts as with equal ones, for either frequencies of the labels."""
    return contexts(budget, compared=PAIRS[:1])


@claim(
    kind="phenomenon",
    source=KUNSTNER + "; sign flow in theory/class_imbalance.py",
    planted={
        "twenty times": lambda budget: contexts(budget, 20.0, SIGN),
    },
)
def the_sign_is_enough(budget: Budget) -> Verdict:
    """S28, refined (sign descent): On the same bigram tables the gain of tuned sign descent over gradient descent is at
    least twice as large with Zipf's frequencies of the contexts as with equal ones, for either frequencies of the labels."""
    return contexts(budget, compared=SIGN)


def lag(budget: Budget, frequencies: str, method: str) -> np.ndarray:
    """Logarithm of the share of its loss that the rarest octave of contexts has left, over that of ranks 4 to 7."""
    losses = descended(budget.shared("class_imbalance"), bigram, (frequencies, "equal"), method)
    start, end = losses[0, 0], least(budget, losses, len(losses) - 1)
    return np.log(end[:, -1] / start[:, -1]) - np.log(end[:, 2] / start[:, 2])


def rare_lag(budget: Budget, frequencies: str = "Zipf", lagging=("GD", "GD, momentum"), level=PAIRS) -> Verdict:
    behind = {method: exceeds(lag(budget, frequencies, method), np.log(3)) for method in lagging}
    return all_of(behind | {method: exceeds(-lag(budget, frequencies, method), -np.log(2)) for method, _ in level})


@claim(
    kind="phenomenon",
    source=KUNSTNER + "; the pace r_i of theory/class_imbalance.py",
    planted={
        "with Adam as well": lambda budget: rare_lag(budget, lagging=("Adam", "Adam, no momentum"), level=()),
        "where contexts are equally frequent": lambda budget: rare_lag(budget, "equal"),
    },
)
def rare_contexts_lag(budget: Budget) -> Verdict:
    """S28, refined (what lags): On the tables with Zipf's frequencies of contexts and equal ones of labels, the rarest
    contexts (ranks from 64 on; quick: 32) have after N steps with gradient descent at least three times as large a share of
    their loss left as ranks 4 to 7, with momentum and without; with Adam, either way, less than twice as large a share.
    Geometric means over tables, each method at the step that is best for the whole loss. Ranks 1 to 3 would not say how far
    a method has come: the best step of gradient descent is at the edge of their stability."""
    rows = []
    for method in METHODS:
        losses = descended(budget.shared("class_imbalance"), bigram, ("Zipf", "equal"), method)
        best = losses[-1].sum(-1).argmin(0)
        path = losses[:, best, np.arange(len(best))].mean(1)
        for k, share in enumerate((path / path[0]).T):
            rows.append(pd.DataFrame({"method": method, "group": k, "step": np.arange(len(share)), "share": share}))
    return rare_lag(budget).showing(pd.concat(rows, ignore_index=True))


def lead(budget: Budget, sizes: str, steps: int) -> dict[str, np.ndarray]:
    """By how large a share of the initial loss Adam is below gradient descent after `steps` steps, for both pairs."""
    shared = budget.shared("class_imbalance")
    left = {}
    for method in (name for pair in PAIRS for name in pair):
        losses = descended(shared, by_heart, (sizes,), method)
        left[method] = least(budget, losses, steps).sum(-1) / losses[0, 0].sum(-1)
    return {method: left[other] - left[method] for method, other in PAIRS}


def by_heart_earlier(budget: Budget, steps: int, sizes: tuple[str, str] = ("unequal", "equal")) -> Verdict:
    one, two = (lead(budget, size, steps) for size in sizes)
    leads = {f"{method}, {size}": of[method].mean() for size, of in zip(sizes, (one, two), strict=True) for method in one}
    ahead = {f"{method}, unequal": exceeds(one[method], 0.0) for method in one}
    return all_of(ahead | {method: exceeds(one[method] - two[method], 0.1) for method in one}).noting(**leads)


@claim(
    kind="phenomenon",
    source=KUNSTNER,
    planted={
        "after 100 steps as well": lambda budget: by_heart_earlier(budget, 100),
        "equal classes against themselves": lambda budget: by_heart_earlier(budget, budget.pick(8, 16), ("equal", "equal")),
    },
)
def learns_unequal_classes_by_heart_earlier(budget: Budget) -> Verdict:
    """S28, as stated for classes and dense rows: Of groups i = 1, ..., 5 (quick: 4) of 2^i classes with 2^(5-i) samples
    each, labels independent of the rows, Adam has learnt more by heart after 16 (quick: 8) steps than gradient descent, and
    by a share of the initial loss that is at least 0.1 larger than on as many classes of equal size; with momentum on both
    sides and with none, in the mean over draws of rows. This is a statement on the first steps: the rows are separable, and
    after 100 steps gradient descent with the largest steps has little left to learn (`left_by_GD_after_100`, a share)."""
    losses = descended(budget.shared("class_imbalance"), by_heart, ("unequal",), "GD").sum(-1)
    left = float((losses[100].min(0) / losses[0, 0]).mean())
    return by_heart_earlier(budget, budget.pick(8, 16)).noting(left_by_GD_after_100=left)


TEXTS = (("as they are",), ("made equal",))


def on_words(budget: Budget, factor: float, first: int = 0, second: int = 1) -> Verdict:
    return larger(budget, text, TEXTS[first], TEXTS[second], factor).showing(gains(budget, text, TEXTS))


@claim(
    kind="phenomenon",
    source=KUNSTNER,
    planted={
        "fifty times": lambda budget: on_words(budget, 50.0),
        "the frequencies swapped": lambda budget: on_words(budget, 2.0, 1, 0),
    },
)
def frequencies_of_words_matter(budget: Budget) -> Verdict:
    """S28, as stated for a text: For a bigram model of rank 16 (quick: 8) of the 120 (quick: 40) most frequent words of the
    King James Bible, N = 200, the gain of Adam is at least twice as large with the frequencies of the words as they are as
    with the same table scaled to equal ones of first and second words; with momentum on both sides and with none, geometric
    means over starts."""
    return on_words(budget, 2.0)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    two, axes = plt.subplots(1, 2, figsize=(7.2, 3.4), layout="constrained", sharey=True)
    two.set_label(
        "Gain of Adam: how many times as many steps gradient descent needs, with momentum on both sides and with none; "
        "geometric means with 99 % intervals over tables or starts. Left: bigram tables by the frequencies of contexts and "
        "of labels. Right: words of the King James Bible. Dotted: as many steps."
    )
    for ax, name in zip(axes, ("frequencies_of_labels_as_stated", "frequencies_of_words_matter"), strict=True):
        for k, (method, part) in enumerate(verdicts[name].table.groupby("method", sort=False)):
            label = "with momentum" if method == "Adam" else "without momentum"
            x = np.arange(len(part)) + 0.12 * (2 * k - 1)
            ax.errorbar(x, part["measured"], whiskers(part), fmt="os"[k], color=f"C{k}", ms=5, label=label)
        ax.set(yscale="log", xticks=range(len(part)), xlim=(-0.5, len(part) - 0.5))
        ax.set_xticklabels([cell.replace(", ", "\n") for cell in part["cell"]])
        ax.axhline(1, color="k", lw=1, ls=":")
    axes[0].set(xlabel="contexts (above) and labels (below)", ylabel="gain of Adam (ratio of steps)")
    axes[1].set(xlabel="frequencies of the words")
    axes[0].legend(frameon=False)
    lags, axes = plt.subplots(1, len(METHODS), figsize=(8.2, 2.8), layout="constrained", sharey=True)
    lags.set_label(
        "Share of its loss that each octave of contexts has left, most frequent (dark) to rarest (light), Zipf's "
        "frequencies of contexts and equal ones of labels: every method at its best step, means over tables."
    )
    table = verdicts["rare_contexts_lag"].table
    for ax, (method, part) in zip(axes, table.groupby("method", sort=False), strict=True):
        for k, path in part.groupby("group"):
            ax.plot(path["step"], path["share"], lw=1.2, color=plt.cm.viridis(k / (part["group"].max() + 1)))
        ax.set(yscale="log", xlabel="steps", title=method)
        ax.title.set_fontsize("medium")
    axes[0].set(ylabel="share of the loss left")
    return {"gains": two, "lags": lags}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
