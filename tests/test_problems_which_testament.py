"""Old or New Testament: labels, weights and frequencies counted by hand, and constants that hold."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from ratewitness.problems.certify.certify import violations
from ratewitness.problems.data import which_testament as leaf
from ratewitness.problems.data.tables import DataError
from ratewitness.problems.data.text import tokenized
from ratewitness.problems.data.which_testament import paragraphs, which_testament
from sklearn.linear_model import LogisticRegression

SMALL = 40


def rows(found):
    """y_i a_i, from the gradients of the components at 0: -y_i a_i/2."""
    problem = found.problem
    index = torch.arange(problem.n).unsqueeze(-1)
    return -2 * problem.sample_grad(problem.start.expand(problem.n, -1), index)


def test_the_labels_tell_where_a_paragraph_stands():
    lines, y = paragraphs()
    first = int((y < 0).sum())
    assert len(lines) == len(y) == 4635
    assert (y[:first] == -1).all()
    assert (y[first:] == 1).all()
    assert "smite the earth with a curse" in lines[first - 1]  # the end of Malachi
    assert lines[first].startswith("The book of the generation of Jesus Christ, the son of David")
    assert "In the beginning God created" in lines[0]
    assert "grace of our Lord Jesus Christ" in lines[-1]


def test_weights_and_frequencies_are_those_counted_by_hand():
    found, (lines, y) = which_testament(SMALL), paragraphs()
    counts = [Counter(re.findall(r"\w\w+", line.lower())) for line in lines]
    total = Counter()
    for one in counts:
        total.update(one)
    assert sorted(found.words) == found.words
    assert min(total[w] for w in found.words) >= max(c for w, c in total.items() if w not in found.words)
    having = np.array([sum(w in c for c in counts) for w in found.words])
    np.testing.assert_allclose(found.frequencies, having / len(lines))
    idf = 1 + np.log((1 + len(lines)) / (1 + having))
    A = np.array([[c[w] for w in found.words] for c in counts]) * idf
    A /= np.maximum(np.linalg.norm(A, axis=1, keepdims=True), 1e-300)
    np.testing.assert_allclose(rows(found), y.numpy()[:, None] * A, atol=1e-14)
    np.testing.assert_allclose(found.mean_squares, (A**2).mean(0))


@pytest.mark.parametrize("weights", ["counts", "presence"])
def test_other_weights_are_those_counted_by_hand(weights):
    found, (lines, y) = which_testament(SMALL, 0.01, weights), paragraphs()
    assert (found.words == which_testament(SMALL).words) == (weights == "counts")
    counts = [Counter(re.findall(r"\w\w+", line.lower())) for line in lines]
    A = np.array([[c[w] for w in found.words] for c in counts], dtype=float)
    A = A if weights == "counts" else A.clip(max=1)
    np.testing.assert_allclose(rows(found), y.numpy()[:, None] * A, atol=1e-12)
    np.testing.assert_allclose(found.mean_squares, (A**2).mean(0))


def test_the_minimizer_is_that_of_scikit_learn():
    found, (_, y) = which_testament(SMALL), paragraphs()
    A = (y.unsqueeze(-1) * rows(found)).numpy()
    theirs = LogisticRegression(C=1 / (1e-4 * len(y)), fit_intercept=False, tol=1e-10, max_iter=1000).fit(A, y.numpy())
    np.testing.assert_allclose(found.problem.minimizer, theirs.coef_[0], atol=1e-4)


def test_constants_hold_and_false_ones_are_found():
    problem = which_testament(SMALL).problem
    assert violations(problem, torch.Generator().manual_seed(7), points=16, climbs=10) == []
    c = problem.constants
    lie = replace(c, smoothness=0.95 * c.smoothness, component_smoothness=0.95 * c.component_smoothness)
    told = violations(replace(problem, constants=lie), torch.Generator().manual_seed(7), points=8, climbs=2)
    assert any(": smoothness is violated" in line for line in told)
    assert any(": component smoothness is violated" in line for line in told)


def test_a_text_without_the_second_part_is_named(monkeypatch):
    monkeypatch.setattr(leaf, "king_james", lambda: tokenized("In the beginning\nwas no other book\n"))
    with pytest.raises(DataError, match="0 paragraphs begin with 'The book of the generation"):
        paragraphs.__wrapped__()
