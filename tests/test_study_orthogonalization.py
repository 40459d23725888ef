"""What the studies of orthogonalization compute on the way to their verdicts."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from ratewitness.solvers.norms.polar import NewtonSchulz
from ratewitness.studies.claims import QUICK
from ratewitness.studies.measuring import timing
from ratewitness.studies.norms import (
    newton_schulz_order,
    orthogonalizers,
    polar_factor,
    products_to_accuracy,
    svd_bottleneck,
)


def test_an_error_that_is_nan_is_judged(monkeypatch):
    judged = newton_schulz_order.order_is_exact.check
    assert judged(QUICK).outcome == "supported"
    measured = newton_schulz_order.errors
    monkeypatch.setattr(newton_schulz_order, "errors", lambda x, y: np.where(np.arange(len(x)) == 5, np.nan, measured(x, y)))
    table = newton_schulz_order.on_two_values.__wrapped__(QUICK)
    monkeypatch.setattr(newton_schulz_order, "on_two_values", lambda budget: table)
    assert judged(QUICK).outcome == "inconclusive"


def test_the_rival_from_qr_has_a_positive_diagonal():
    g = torch.randn(6, 7, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    Q = polar_factor.by_qr(g)
    R = Q.mT @ g
    assert torch.allclose(Q @ R, g)
    assert torch.allclose(R.tril(-1), torch.zeros_like(R), atol=1e-12)
    assert (R.diagonal(dim1=-2, dim2=-1) > 0).all()


def test_the_error_sees_what_is_not_a_polar_factor():
    g, least = orthogonalizers.matrices(QUICK, 100.0, 3)
    s = torch.linalg.svdvals(g)
    assert s[:, 0].tolist() == pytest.approx([1.0] * 3)
    assert s[:, -1].tolist() == pytest.approx([0.01] * 3)
    assert least == pytest.approx(float(s[0, -1] / s[0].norm()))
    g = g[..., :5]  # tall, with orthonormal columns for a factor
    U, _, Vh = torch.linalg.svd(g, full_matrices=False)
    assert orthogonalizers.error(U @ Vh, g).max() < 1e-13
    assert orthogonalizers.error(1.1 * U @ Vh, g) == pytest.approx([0.21] * 3)
    assert orthogonalizers.error(U, g).min() > 1e-3  # orthonormal columns, another rotation
    assert np.isinf(orthogonalizers.error(U * math.nan, g)).all()


@pytest.mark.parametrize("least", [0.3, 1e-2, 1e-5])
@pytest.mark.parametrize("degree", [3, 5])
def test_steps_needed_are_those_of_a_matrix_of_one_entry(least, degree):
    found = orthogonalizers.newton_schulz_steps(degree, least)
    g = torch.tensor([[1.0, 0.0], [0.0, least / (1 - least**2) ** 0.5]], dtype=torch.float64)  # least, once divided
    reached = [torch.linalg.svdvals(NewtonSchulz(t, degree)(g))[-1] for t in (found - 1, found)]
    assert abs(1 - reached[0]) > orthogonalizers.DONE >= abs(1 - reached[1])


def test_polar_express_takes_the_fewest_steps_that_its_bound_allows():
    f = orthogonalizers.polar_express(1e-3)
    assert f.steps < orthogonalizers.newton_schulz_steps(5, 1e-3)
    g, least = orthogonalizers.matrices(QUICK, 1e2, 1)
    assert products_to_accuracy.worst(orthogonalizers.polar_express(least)(g)) <= orthogonalizers.DONE


def rounds(*ratios):
    """Seconds of "fast" 1 and of "slow" as given, one tuple of rounds for each size."""
    rows = [
        [k, 1, 64 * 2**j, "float64", method, seconds, 1.0]
        for j, cell in enumerate(ratios)
        for k, ratio in enumerate(cell)
        for method, seconds in (("fast", 1.0), ("slow", ratio))
    ]
    return pd.DataFrame(rows, columns=["round", "aspect", "n", "dtype", "method", "seconds", "digits"])


@pytest.mark.parametrize(
    ("ratios", "word"),
    [
        ([(1.4, 2.0, 9.0), (1.31, 1.31, 1.31)], "supported"),
        ([(1.4, 2.0, 9.0), (1.31, 1.2, 1.31)], "inconclusive"),
        ([(1.4, 2.0, 9.0), (1.2, 1.2, 1.2)], "refuted"),
        ([(1.4, 2.0, 9.0), (1.2, math.nan, 1.2)], "inconclusive"),
        ([(math.nan, math.nan, math.nan)], "inconclusive"),
        ([(0.5, 0.5, 0.5)], "refuted"),
    ],
)
def test_each_word_of_the_clock(ratios, word, monkeypatch):
    monkeypatch.setattr(svd_bottleneck, "seconds", lambda budget: rounds(*ratios))
    verdict = svd_bottleneck.faster(QUICK, "fast", "slow")
    assert verdict.outcome == word
    assert set(verdict.evidence) == {"factor", "rounds", "cells", "n_to"}  # no measured time


def test_every_cell_is_timed_with_every_method_it_can_take(monkeypatch):
    monkeypatch.setattr(svd_bottleneck, "cells", lambda budget: [(1, 8, "float64"), (4, 8, "bfloat16")])
    found = svd_bottleneck.seconds.__wrapped__(QUICK)
    assert len(found) == timing.ROUNDS * (6 + 3)
    assert (found["seconds"] > 0).all()
