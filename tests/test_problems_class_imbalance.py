"""Bigram models and classes learnt by heart: formulas against autograd and PyTorch, certificates, marginals."""

from functools import partial

import pytest
import scripted
import torch
from hypothesis import given, reject
from hypothesis import strategies as st
from ratewitness.problems.certify.certify import violations
from ratewitness.problems.data.bigram import (
    LowRank,
    balanced,
    divergences,
    levelled,
    low_rank_softmax,
    population_softmax,
    random_table,
    with_marginals,
    word_pairs,
    word_windows,
    zipf,
)
from ratewitness.problems.data.class_imbalance import group_labels, grouped_rows, grouped_softmax, sample_losses
from ratewitness.problems.data.softmax import softmax
from scripted import seeded
from torch.nn.functional import cross_entropy

normal = partial(scripted.normal, seed=5)


def table(count=1, inputs=5, labels=4):
    return random_table(zipf(inputs), zipf(labels), seeded(), count)


def low_rank():
    model = LowRank(5, 4, 2)
    return low_rank_softmax(table()[0], model, model.initial(seeded(1)))


def grouped(m=2):
    return grouped_softmax(grouped_rows(m, seeded())[0], group_labels(m)[0])


PROBLEMS = {
    "bigram": lambda: population_softmax(table()[0]),
    "diagonal": lambda: population_softmax(torch.diag(zipf(4))),
    "low rank": low_rank,
    "groups": grouped,
}
every_problem = pytest.mark.parametrize("build", PROBLEMS.values(), ids=PROBLEMS.keys())


@every_problem
def test_the_gradient_is_the_derivative_of_the_gap_in_batches(build):
    problem = build()
    x = normal(2, 3, *problem.shape).requires_grad_()
    (derivative,) = torch.autograd.grad(problem.gap(x).sum(), x)
    torch.testing.assert_close(derivative, problem.grad(x.detach()), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(problem.gap(x)[1, 2], problem.gap(x[1, 2]))


@pytest.mark.parametrize("name", ["bigram", "diagonal", "groups"])
def test_nothing_breaks_the_certificate(name):
    assert violations(PROBLEMS[name](), seeded(), points=12, climbs=10) == []


def test_the_smoothness_of_a_bigram_is_attained():
    P = with_marginals(torch.ones(3, 4, dtype=torch.float64), zipf(3), balanced(4))
    problem = population_softmax(P)
    x = torch.zeros(3, 4, dtype=torch.float64)
    x[0, 2:] = -200.0  # probabilities (1/2, 1/2, 0, 0) in the most frequent row
    v = torch.zeros_like(x)
    v[0, 0], v[0, 1] = 0.5**0.5, -(0.5**0.5)
    slope = (problem.grad(x + 1e-6 * v) - problem.grad(x - 1e-6 * v)) / 2e-6
    assert float((slope * v).sum()) == pytest.approx(problem.constants.smoothness, rel=1e-6)


def test_instances_are_their_singles():
    P = table(3)
    many, x = population_softmax(P), normal(2, 3, 5, 4)
    for k in range(3):
        one = population_softmax(P[k])
        torch.testing.assert_close(many.gap(x)[:, k], one.gap(x[:, k]))
        torch.testing.assert_close(many.grad(x)[:, k], one.grad(x[:, k]))
        torch.testing.assert_close(many.minimizer[k], one.minimizer)
        assert float(many.constants.smoothness[k]) == pytest.approx(one.constants.smoothness)


def test_a_table_of_counts_is_softmax_regression_on_one_hot_rows():
    """Against the regression on rows, one for each count: the same gaps and gradients."""
    counts = torch.tensor([[3, 1, 2], [1, 4, 1]])
    pairs = counts.nonzero().repeat_interleave(counts.flatten(), 0)
    rows = softmax(torch.eye(2, dtype=torch.float64)[pairs[:, 0]], pairs[:, 1])
    problem, x = population_softmax(counts.double() / counts.sum()), normal(4, 2, 3)
    torch.testing.assert_close(problem.gap(x), rows.gap(x))
    torch.testing.assert_close(problem.grad(x), rows.grad(x))
    torch.testing.assert_close(problem.minimizer, rows.minimizer)
    assert float(problem.gap(problem.minimizer)) == pytest.approx(0, abs=problem.floor)


def test_low_rank_at_full_rank_reaches_the_infimum():
    model, P = LowRank(5, 4, 4), table()[0]
    problem = low_rank_softmax(P, model, model.initial(seeded()))
    x = model.layout.join({"embedding": P.log(), "output": torch.eye(4, dtype=torch.float64)})
    assert float(problem.gap(x)) == pytest.approx(0, abs=problem.floor)
    assert model.initial(seeded(), 2, 3).shape == (2, 3, 36)


def test_divergences_where_entries_are_zero():
    scores = normal(3, 3)
    expected = cross_entropy(scores, torch.arange(3), reduction="none")
    torch.testing.assert_close(divergences(torch.diag(zipf(3)), scores), expected)


@given(inputs=st.integers(2, 8), labels=st.integers(2, 8), seed=st.integers(0, 99))
def test_tables_have_their_marginals(inputs, labels, seed):
    try:
        P = random_table(zipf(inputs), balanced(labels), seeded(seed), 2)
    except ValueError:  # entries of 1e-12 in a small table, which Sinkhorn's rounds hardly move
        reject()
    torch.testing.assert_close(P.sum(-1), zipf(inputs).expand(2, -1), rtol=1e-9, atol=0)
    torch.testing.assert_close(P.sum(-2), balanced(labels).expand(2, -1), rtol=1e-9, atol=0)
    assert (P > 0).all()


def test_a_table_that_scaling_does_not_bring_to_its_marginals_is_refused():
    with pytest.raises(ValueError, match="after 10 000 rounds rows of the table are off by"):
        random_table(zipf(2), balanced(3), seeded(39), 2)


def test_scaling_keeps_the_odds_ratios():
    P = table()[0]
    Q = with_marginals(P, balanced(5), balanced(4))
    odds = [T[0, 0] * T[1, 1] / (T[0, 1] * T[1, 0]) for T in (P, Q)]
    assert float(odds[0]) == pytest.approx(float(odds[1]), rel=1e-9)


def test_word_pairs_of_the_bible():
    words, counts = word_pairs(6)
    assert words[:3] == ["the", "and", "of"]
    assert counts.shape == (6, 6)
    assert counts[words.index("of"), words.index("the")] > 10_000  # "of the"
    assert counts[0, 0] < 10  # "the the"


def test_windows_are_runs_of_common_words_and_pairs_count_them():
    words, windows = word_windows(6, 3)
    assert windows.shape[1] == 3
    assert 0 <= int(windows.min()) <= int(windows.max()) < 6
    assert words == word_pairs(6)[0]
    assert (word_windows(6, 2)[1] == 0).all(-1).sum() == word_pairs(6)[1][0, 0]


@pytest.mark.parametrize("places", [(0,), (2,), (0, 2), (0, 1, 2)])
def test_levelled_windows_have_equal_frequencies_there(places):
    windows = torch.randint(5, (3000, 3), generator=seeded()).square() % 5  # 0, 1 and 4: not equally frequent
    windows = torch.unique(windows, return_inverse=True)[1]
    weights = levelled(windows, places)
    assert float(weights.sum()) == pytest.approx(1.0)
    for place in places:
        found = torch.bincount(windows[:, place], weights)
        torch.testing.assert_close(found, torch.full((3,), 1 / 3, dtype=torch.float64), rtol=1e-4, atol=0)


@pytest.mark.parametrize("m", [1, 2, 4])
def test_groups_have_their_sizes(m):
    y, group = group_labels(m)
    assert len(y) == m * 2**m
    for i in range(1, m + 1):
        counts = torch.bincount(y[group == i - 1])
        assert (counts > 0).sum() == 2**i
        assert (counts[counts > 0] == 2 ** (m - i)).all()
    even, places = group_labels(m, even=True)
    sizes = torch.bincount(even)
    assert torch.equal(places, group)
    assert len(sizes) == int(y.max()) + 1
    assert sizes.max() - sizes.min() <= 1


def test_losses_of_samples_are_those_of_torch():
    A, (y, _) = grouped_rows(2, seeded(), 3), group_labels(2)
    problem, W = grouped_softmax(A, y), normal(2, 3, 12, 6)
    losses = sample_losses(A, y, W)
    assert losses.shape == (2, 3, 8)
    torch.testing.assert_close(losses[1, 2], cross_entropy(A[2] @ W[1, 2], y, reduction="none"))
    torch.testing.assert_close(problem.gap(W), losses.mean(-1))
    rows = softmax(A[0], y)
    assert float(problem.constants.smoothness[0]) == pytest.approx(rows.constants.smoothness)
    assert rows.constants.optimum == 0.0  # its search finds the data separable, too
