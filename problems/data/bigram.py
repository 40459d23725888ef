r"""Bigram models: softmax regression on one-hot inputs with prescribed frequencies of inputs and of labels.

    full rank    f(W) = sum_i r_i KL(q_i || softmax(W_i)),      a joint table P: r_i = sum_j P_ij, q_ij = P_ij/r_i
    low rank     the same with W_i = e_i O,                     e_i in R^k an embedding of input i, O of shape (k, J)

This is full-batch softmax regression with inputs i of frequency r_i, less the entropy of the labels given the input, which
is its infimum. A diagonal table is the deterministic case, in which input and label are one class; a table of word pairs is
a bigram model of a text. Along V, with probabilities p_i, f'' = sum_i r_i Var_{p_i}(v_i), and a variance is at most half the
squares: L = max_i r_i/2, attained at p_i = (1/2, 1/2, 0, ...). Strong convexity is 0, and there is no PL constant on the
whole space. At low rank f is not convex, and nothing is certified but that f* >= 0. Leading axes of P are
instances, for which x has axes as well.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from ratewitness.problems.data.text import king_james
from ratewitness.problems.layout import Layout
from ratewitness.problems.problem import FiniteSum, deterministic
from torch import Generator, Tensor

ROUNDING = 1e-13  # of a mean of logarithms of probabilities that are not astronomically small


def zipf(count: int) -> Tensor:
    """Frequencies 1/k over their sum, k = 1, ..., count."""
    weights = 1 / torch.arange(1, count + 1, dtype=torch.float64)
    return weights / weights.sum()


def balanced(count: int) -> Tensor:
    """Equal frequencies."""
    return torch.full((count,), 1 / count, dtype=torch.float64)


def with_marginals(table: Tensor, inputs: Tensor, labels: Tensor) -> Tensor:
    """The positive table (*batch, I, J) with rows and columns scaled to sum to `inputs` (I,) and `labels` (J,): Sinkhorn.

    Raises ValueError for a table or marginals that are not positive, for marginals of different sums, and for a table that
    10 000 rounds of scaling do not bring within 1e-12 of its marginals.
    """
    if not ((table > 0).all() and (inputs > 0).all() and (labels > 0).all()):
        raise ValueError("the table or a marginal has entries that are not positive; accepted are positive ones")
    if not torch.isclose(inputs.sum(), labels.sum(), rtol=1e-9):
        raise ValueError(f"the marginals sum to {inputs.sum():.9g} and {labels.sum():.9g}; accepted are equal sums")
    for _ in range(10_000):
        table = table * (labels / table.sum(-2)).unsqueeze(-2)
        off = inputs / table.sum(-1)
        table = table * off.unsqueeze(-1)
        if ((off - 1).abs() < 1e-12).all():
            return table
    error = float((off - 1).abs().max())
    raise ValueError(
        f"after 10 000 rounds rows of the table are off by {error:.1g}; accepted are tables with larger least entries"
    )


def random_table(inputs: Tensor, labels: Tensor, generator: Generator, count: int = 1, shape: float = 0.3) -> Tensor:
    """Joint tables (count, I, J) with the given marginals: Gamma(shape) noise, scaled."""
    size = (count, len(inputs), len(labels))
    noise = torch.empty(size, dtype=torch.float64, device=generator.device)
    noise = torch._standard_gamma(noise.fill_(shape), generator=generator)
    return with_marginals(noise.clamp(min=1e-12), inputs.to(noise), labels.to(noise))


@cache
def word_windows(vocabulary: int, length: int) -> tuple[list[str], Tensor]:
    """The most frequent words of the King James Bible, in this order, and all runs of neighbouring words (n, length) that
    are among them, as numbers. Words are runs of letters in lower case. Remembered: do not change them in place."""
    text = king_james()
    words = re.findall(r"[a-z]+", text.decode(torch.cat([text.train, text.validation])).lower())
    common = [word for word, _ in Counter(words).most_common(vocabulary)]
    number = {word: k for k, word in enumerate(common)}
    windows = torch.tensor([number.get(word, -1) for word in words]).unfold(0, length, 1)
    return common, windows[(windows >= 0).all(-1)]


def word_pairs(vocabulary: int) -> tuple[list[str], Tensor]:
    """The most frequent words of the King James Bible and the counts (V, V) of pairs of neighbours among them."""
    common, windows = word_windows(vocabulary, 2)
    flat = torch.bincount(windows[:, 0] * vocabulary + windows[:, 1], minlength=vocabulary**2)
    return common, flat.view(vocabulary, vocabulary).to(torch.float64)


def levelled(windows: Tensor, places: Sequence[int]) -> Tensor:
    """Weights (n,) of sum 1 under which each number is equally frequent at these places of windows (n, length): Sinkhorn.

    Raises ValueError where a number below the largest one never occurs at such a place.
    """
    weights = torch.full((len(windows),), 1 / len(windows), dtype=torch.float64, device=windows.device)
    for place in places:
        if (torch.bincount(windows[:, place], minlength=int(windows.max()) + 1) == 0).any():
            raise ValueError(f"a number never occurs at place {place}; accepted are windows where each occurs")
    for _ in range(50 if len(places) > 1 else 1):
        for place in places:
            frequencies = torch.bincount(windows[:, place], weights)
            weights = weights / frequencies[windows[:, place]]
            weights = weights / weights.sum()
    return weights


def _conditional(P: Tensor) -> tuple[Tensor, Tensor]:
    """Marginal of the inputs (*batch, I) and labels given the input (*batch, I, J) of a joint table."""
    total = P.sum((-2, -1))
    if not ((P >= 0).all() and (P.sum(-1) > 0).all() and ((total - 1).abs() < 1e-9).all()):
        raise ValueError("P is no joint table; accepted are entries >= 0 that sum to 1, in every row some that are positive")
    r = P.sum(-1)
    return r, P / r.unsqueeze(-1)


def divergences(P: Tensor, scores: Tensor) -> Tensor:
    """KL(q_i || softmax(scores_i)) of every input: (*batch, I, J) -> (*batch, I)."""
    q = P / P.sum(-1, keepdim=True)
    return torch.special.xlogy(q, q).sum(-1) - (q * scores.log_softmax(-1)).sum(-1)


def population_softmax(P: Tensor, name: str = "softmax, population") -> FiniteSum:
    """One-hot inputs with the joint table P (*batch, I, J) of inputs and labels, from 0. Raises ValueError for no table."""
    r, q = _conditional(P := P.to(torch.float64))
    log_q = q.log()
    return deterministic(
        name=name,
        shape=tuple(P.shape[-2:]),
        gap=lambda x: (r * divergences(P, x)).sum(-1),
        grad=lambda x: r.unsqueeze(-1) * (x.softmax(-1) - q),
        start=torch.zeros_like(P),
        minimizer=log_q - log_q.mean(-1, keepdim=True) if (P > 0).all() else None,
        smoothness=r.amax(-1) / 2 if P.ndim > 2 else float(r.amax()) / 2,
        convex=True,
        certificate="L: half the largest frequency of an input, as a variance is at most half the squares; mu: none; "
        "sigma2: one component; f*: 0 by Gibbs' inequality, at log q, a limit where entries of P are 0",
        floor=ROUNDING,
    )


@dataclass(frozen=True)
class LowRank:
    """Scores e_i O: embeddings (I, k) and an output matrix (k, J) in one flat vector."""

    inputs: int
    labels: int
    width: int

    @property
    def layout(self) -> Layout:
        return Layout({"embedding": (self.inputs, self.width), "output": (self.width, self.labels)})

    def scores(self, x: Tensor) -> Tensor:
        """(*batch, P) -> (*batch, I, J)."""
        return torch.matmul(*self.layout.split(x).values())

    def initial(self, generator: Generator, *replicates: int) -> Tensor:
        """Gaussian weights of variance 1/k: scores of variance 1/k."""
        options = {"generator": generator, "device": generator.device, "dtype": torch.float64}
        return torch.randn(*replicates, self.layout.size, **options) / self.width**0.5


def low_rank_softmax(P: Tensor, model: LowRank, start: Tensor, name: str = "softmax, low rank") -> FiniteSum:
    """The population softmax of the scores of `model`, from `start` (P,). Raises ValueError for no fitting table."""
    if tuple(P.shape[-2:]) != (model.inputs, model.labels):
        raise ValueError(f"P has shape {tuple(P.shape)}; accepted is (*batch, {model.inputs}, {model.labels})")
    r, q = _conditional(P := P.to(torch.float64))

    def grad(x):
        parts = model.layout.split(x)
        error = r.unsqueeze(-1) * (model.scores(x).softmax(-1) - q)
        slopes = {"embedding": error @ parts["output"].mT, "output": parts["embedding"].mT @ error}
        return model.layout.join(slopes)

    return deterministic(
        name=name,
        shape=(model.layout.size,),
        gap=lambda x: (r * divergences(P, model.scores(x))).sum(-1),
        grad=grad,
        start=start,
        minimizer=None,
        smoothness=math.inf,
        convex=False,
        certificate="L: none, the scores are a product; mu: none; sigma2: one component; f*: at least 0 by Gibbs' "
        "inequality, attained by scores log q where k >= J, else the gap shown is too large by f*",
        floor=ROUNDING,
    )
