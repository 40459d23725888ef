r"""Do AdaGrad's steps on real sparse features follow their frequency, as on drawn ones (`rare_features`)?

The Old and the New Testament are told apart by the words of a paragraph (`problems/data/which_testament.py`), one paragraph
a step, from 0. A gradient is not of the same size in every word. With q_i the mean square of the word's weights, and
residuals that do not depend on the word, sum_t g_{t,i}^2 would be proportional to q_i, and AdaGrad's effective step to
q_i^{-1/2}; to p_i^{-1/2}, p_i the share of paragraphs with the word, only as far as q_i is proportional to p_i. Residuals do
depend on the word: the falling of the steps with q is judged, and so is whether q alone explains them.

Intervals are over draws of paragraphs; there is one text.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.problems.data.which_testament import Words, which_testament
from ratewitness.problems.oracle import Oracle
from ratewitness.studies.adaptive.adagrad_and_sgd import METHODS, effective_steps
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import exceeds, exponent_is
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.measuring.groups import rows

GROUPS, MOST = 10, 0.1  # MOST: of a power that counts as 0


def text(budget: Budget) -> Words:
    return which_testament(budget.pick(300, 600))


@measured("sparse_text")
def word_steps(budget: Budget, method: str = "AdaGrad") -> np.ndarray:
    """Effective steps of a method with step 1 for every word (d, groups) after T steps on single paragraphs."""
    problem, T = text(budget).problem, budget.pick(1_500, 15_000)
    oracle = Oracle.minibatch(problem, 1, budget.generator("words"))
    return effective_steps(METHODS[method](1.0), oracle, problem.starts(GROUPS), (T,))[0].mT.cpu().numpy()


def shares(budget: Budget) -> dict[str, np.ndarray]:
    """Of every word the share p of paragraphs with it, and the mean square q of its weights."""
    words = text(budget)
    return {"p": words.frequencies.cpu().numpy(), "q": words.mean_squares.cpu().numpy()}


@claim("phenomenon", "S17; King James Bible, tf-idf", unit="ln ratio")
@planted("tenths drawn at random", tenths="drawn")
@planted("tenths of nearly equal frequency", tenths="middle")
def rare_words_keep_larger_steps(budget: Budget, tenths: str = "ends") -> Verdict:
    """S17, as stated: Of 600 frequent words of a text AdaGrad's steps for the rarest tenth have decreased at most half as
    much as for the commonest.

    All start alike. No word is rare: they are the most frequent ones, and the rarest tenth stands in 1.8 to 4 % of
    paragraphs. After 15000 (quick: 1500) paragraphs of the text the effective steps of the rarest tenth of 600 (quick: 300)
    words, those in the smallest share of paragraphs, are at least 2 times as large as those of the commonest tenth;
    geometric means over words, and over 10 groups of draws. Where one step is common to all words the factor is 1."""
    order, steps = np.argsort(shares(budget)["p"]), np.log(word_steps(budget))
    tenth = len(order) // 10
    if tenths == "drawn":
        generator = budget.generator("tenths")
        order = torch.randperm(len(order), generator=generator, device=budget.device).cpu().numpy()
    elif tenths == "middle":  # the two next to the median
        order = order[len(order) // 2 - tenth : len(order) // 2 + tenth]
    return exceeds(steps[order[:tenth]].mean(0) - steps[order[-tenth:]].mean(0), np.log(2))


def falls_with(budget: Budget, column: str, exponent: float, method: str = "AdaGrad") -> Verdict:
    """Steps go as a column to the power -exponent; the verdict is on the slope, the scatter of words around it is noted."""
    found, columns = word_steps(budget, method), shares(budget)
    size = float(np.polyfit(np.log(columns["p"]), np.log(columns["q"]), 1)[0])
    scatter = float(np.log(found.mean(-1) * np.sqrt(columns[column])).std())
    verdict = exponent_is(columns[column], found, exponent, 0.1, decades=1.5).noting(slope_of_q_in_p=size, scatter=scatter)
    return verdict.showing(rows(found, word=text(budget).words, **columns))


@claim("law", "S17; King James Bible, tf-idf", units={"scatter": "ratio"})
@planted("of AdaGradNorm too", method="AdaGradNorm")
def frequency_decides_as_stated(budget: Budget, method: str = "AdaGrad") -> Verdict:
    """S17, read as: AdaGrad's effective steps on a real text follow the frequency p of a word alone, as p^-0.5.

    For real features by frequency alone. The steps after 15000 (quick: 1500) paragraphs of the text follow p^-0.5 (slope
    +- 0.1, and no other simple law fits as well) over 600 (quick: 300) words, p the share of paragraphs with the word."""
    return falls_with(budget, "p", 0.5, method)


@claim("law", "S17; King James Bible, tf-idf; derived in studies/adaptive/rare_words.py", units={"scatter": "ratio"})
@planted("to the power -0.7", exponent=0.7)
@planted("to the power -0.3", exponent=0.3)
def falls_with_the_mean_square(budget: Budget, exponent: float = 0.5) -> Verdict:
    """S17, refined: AdaGrad's effective steps on a real text follow the mean square q of a word's weights, as q^-0.5.

    Refined for gradients of different sizes: the steps after 15000 (quick: 1500) paragraphs of the text follow q^-0.5
    (slope +- 0.1, and no other simple law fits as well) over 600 (quick: 300) words; single words scatter around it."""
    return falls_with(budget, "q", exponent)


@claim("law", "S17; King James Bible, tf-idf; for residuals free of the word, studies/adaptive/rare_words.py")
@planted("the frequency alone", given="p", other="q")
def mean_square_alone_decides(budget: Budget, given: str = "q", other: str = "p") -> Verdict:
    """S17, read as: At equal mean square of a word's weights AdaGrad's effective steps on a real text do not depend on
    its frequency.

    As derived for residuals that do not depend on the word: in the regression of log step on log q and log p, q the mean
    square and p the frequency, the power of p is within 0.1 of 0, in a 99 % bootstrap interval over words (1000 samples
    of words)."""
    mean, columns = np.log(word_steps(budget).mean(-1)), shares(budget)
    X = np.stack([np.log(columns[given]), np.log(columns[other]), np.ones_like(mean)], -1)
    generator = budget.shared("sparse_text.mean_square_alone_decides").generator("bootstrap")
    samples = torch.randint(len(mean), (1000, len(mean)), generator=generator, device=budget.device).cpu().numpy()
    powers = np.array([np.linalg.lstsq(X[words], mean[words], rcond=None)[0] for words in samples])
    low, high = np.quantile(powers[:, 1], [0.005, 0.995])
    outcome = "supported" if low >= -MOST and high <= MOST else "inconclusive"
    outcome = "refuted" if low > MOST or high < -MOST else outcome
    evidence = {f"power of {given}": powers[:, 0].mean(), f"power of {other}": powers[:, 1].mean()}
    return Verdict(outcome, {k: float(v) for k, v in (evidence | {"low": low, "high": high}).items()})


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["falls_with_the_mean_square"].table
    figure, axes = canvas("AdaGrad's effective step on the text over lr, a point a word.", 2, shared="y")
    labels = {"p": "share $p$ of paragraphs with the word", "q": "mean square $q$ of its weights"}
    for ax, (column, label) in zip(axes, labels.items(), strict=True):
        ends = np.array([table[column].min(), table[column].max()])
        level = np.exp(np.mean(np.log(table["measured"] * np.sqrt(table[column]))))
        ax.plot(table[column], table["measured"], "C0.", ms=2, label="a word")
        ax.plot(ends, level / np.sqrt(ends), color="k", lw=1, label="slope $-1/2$ through the mean")
        ax.set(xscale="log", yscale="log", xlabel=label, ylabel="effective step / lr")
    legend_below(figure)
    return {"steps": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
