r"""Old or New Testament? Logistic regression on the words of a paragraph: real features that are sparse.

    f(x) = (1/n) sum_i log(1 + exp(-y_i a_i^T x)) + (l2/2) ||x||^2

A row is one of the 4635 paragraphs of the King James Bible (`problems/data/text.py`), in its weights over the `words` most
frequent words: tf-idf, of norm 1; or the plain counts; or 1 for a word that is there, where words are counted once a
paragraph. The label is 1 for a paragraph of the New Testament and -1 for one of the Old: it is where the paragraph stands,
after "The book of the generation of Jesus Christ" begins or before, and no word of it. Nothing is centred or scaled by
column, and there is no intercept, so that a column is zero wherever its word is missing: its *frequency* is the share of
paragraphs in which it is not. With 1000 words a row has 62 entries, and the frequencies range from 0.0006 to 0.98.

The tf-idf weights are those of scikit-learn's TfidfVectorizer: count in the paragraph times 1 + log((1 + n)/(1 + m)), m of
the n paragraphs having the word. The constants are those of `problems/data/logistic.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from ratewitness.problems.data.logistic import logistic
from ratewitness.problems.data.tables import DataError
from ratewitness.problems.data.text import king_james
from ratewitness.problems.problem import FiniteSum
from torch import Tensor

SECOND_PART = "The book of the generation of Jesus Christ"  # the first words of the New Testament, Matthew 1:1


@dataclass(frozen=True, eq=False)
class Words:
    """A problem over words: coordinate i of a point belongs to words[i]."""

    problem: FiniteSum
    words: list[str]
    frequencies: Tensor  # (d,) share of the rows in which the column is not zero
    mean_squares: Tensor  # (d,) mean over the rows of the squared entry


@cache
def paragraphs() -> tuple[list[str], Tensor]:
    """The paragraphs in their order, and 1 for those of the New Testament, -1 for the others: (n,)."""
    text = king_james()
    lines = [line for line in text.decode(torch.cat([text.train, text.validation])).split("\n") if line.strip()]
    starts = [i for i, line in enumerate(lines) if line.startswith(SECOND_PART)]
    if len(starts) != 1:
        raise DataError(f"{len(starts)} paragraphs begin with {SECOND_PART!r}; accepted is a text in which one does")
    return lines, torch.where(torch.arange(len(lines)) < starts[0], -1.0, 1.0).double()


WEIGHTS = ("tf-idf", "counts", "presence")


@cache
def which_testament(words: int = 1000, l2: float = 1e-4, weights: str = "tf-idf") -> Words:
    """The problem over the most frequent `words` words, starting at 0. weights: one of WEIGHTS.

    Raises ValueError for a number of words below 1, other weights, and for l2 that is not above 0: without it paragraphs of
    many words are separable, and the minimizer is at infinity.
    """
    if isinstance(words, bool) or not isinstance(words, int) or words < 1:
        raise ValueError(f"words is {words}; accepted are integers from 1 on")
    if not l2 > 0:
        raise ValueError(f"l2 is {l2}; accepted are numbers > 0")
    if weights not in WEIGHTS:
        raise ValueError(f"weights is {weights!r}; accepted are {', '.join(WEIGHTS)}")
    lines, y = paragraphs()
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    if weights == "tf-idf":
        vectorizer = TfidfVectorizer(max_features=words)
    else:
        vectorizer = CountVectorizer(max_features=words, binary=weights == "presence", dtype=float)
    A = torch.as_tensor(vectorizer.fit_transform(lines).toarray(), device=y.device)
    problem = logistic(A, y, l2, name=f"which testament, {A.shape[1]} words" + f", {weights}" * (weights != "tf-idf"))
    return Words(problem, [*vectorizer.get_feature_names_out()], (A != 0).double().mean(0), A.square().mean(0))
