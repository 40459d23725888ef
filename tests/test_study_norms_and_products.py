"""What the study descent_in_a_norm computes on the way to its verdicts."""

import numpy as np
import pandas as pd
import pytest
import torch
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.norms.lmo import L1, L2, LINF
from ratewitness.studies.claims import QUICK
from ratewitness.studies.norms import descent_in_a_norm


@pytest.mark.parametrize("norm", [L1, L2, LINF], ids=lambda norm: norm.name)
def test_strong_convexity_is_the_least_curvature_on_the_unit_sphere(norm):
    lam = torch.tensor([2.0, 0.5, 1.0], dtype=torch.float64)
    mu = descent_in_a_norm._strong_convexity(quadratic(lam, torch.ones(3)), norm)
    grid = torch.cartesian_prod(*[torch.linspace(-1, 1, 41, dtype=torch.float64)] * 3)
    u = grid[norm.value(grid) > 0]
    least = ((lam * u**2).sum(-1) / norm.value(u) ** 2).min()
    assert mu <= least * (1 + 1e-12)
    assert mu == pytest.approx(float(least), rel=5e-3)


def test_the_other_norm_swaps_l_inf_and_l_2_and_leaves_l_1():
    found = pd.DataFrame({"problem": "p", "d": 2, "norm": ["l_inf", "l_2", "l_1", "l_2"], "L": [5.0, 2.0, 1.0, 2.0]})
    assert descent_in_a_norm.other_norm(found, "L").tolist() == [2.0, 5.0, 1.0, 5.0]


def spoiled(table, column, row=7):
    """A copy with one number replaced by nan."""
    return table.assign(**{column: table[column].where(np.arange(len(table)) != row)})


@pytest.mark.parametrize("column", ["gap", "Delta", "after"])
def test_a_gap_that_is_nan_is_judged(column, monkeypatch):
    table = descent_in_a_norm.watched(QUICK)
    row = table.query("problem == 'spike' and d == 16 and norm == 'l_inf' and k == 7").index[0]
    monkeypatch.setattr(descent_in_a_norm, "watched", lambda budget: spoiled(table, column, row))
    assert descent_in_a_norm.sign_descent_attains(QUICK).outcome == ("supported" if column == "Delta" else "inconclusive")
    if column != "Delta":
        assert descent_in_a_norm.descends(QUICK).outcome == "inconclusive"
    if column != "after":
        assert descent_in_a_norm.stays_below(QUICK).outcome == "inconclusive"


@pytest.mark.parametrize("column", ["density", "ratio", "l_inf", "l_2"])
def test_a_step_that_is_nan_decides_nothing(column, monkeypatch):
    table = descent_in_a_norm.both_steps(*torch.rand(2, 20, 3, generator=torch.Generator().manual_seed(0)).double())
    monkeypatch.setattr(descent_in_a_norm, "single_steps", lambda budget: table)
    assert descent_in_a_norm.decided(QUICK).outcome == "supported"
    monkeypatch.setattr(descent_in_a_norm, "single_steps", lambda budget: spoiled(table, column))
    assert descent_in_a_norm.decided(QUICK).outcome == "inconclusive"


def test_zeros_of_the_gradient_can_leave_sign_descent_the_better_step():
    lam, g = np.repeat([1, 1e-9, 1], [1, 10_000, 125]), np.repeat([1, 1e-3, 0], [1, 10_000, 125])
    (row,) = descent_in_a_norm.many_zeros(QUICK).to_dict("records")
    gap = (g**2 / lam).sum() / 2
    assert row["density"] == pytest.approx(g.sum() ** 2 / (g**2).sum())
    assert row["ratio"] == pytest.approx(lam.sum())
    assert row["l_inf"] * gap == pytest.approx(
        g.sum() ** 2 * (1 / lam.sum() - lam[g > 0].sum() / lam.sum() ** 2 / 2), rel=1e-6
    )
    assert row["l_2"] * gap == pytest.approx((g**2 * (1 - lam / 2)).sum(), rel=1e-6)
    assert row["density"] < row["ratio"]
    assert row["l_inf"] > row["l_2"]


def test_one_start_is_judged_by_its_slope(monkeypatch):
    for power, word in ((0.0, "supported"), (-1.0, "refuted")):
        monkeypatch.setattr(
            descent_in_a_norm, "advantage", lambda b, n, p=power: np.array(descent_in_a_norm.dimensions(b, n))[:, None] ** p
        )
        assert descent_in_a_norm.advantage_grows_like(QUICK, {"flat, one axis": 0}).outcome == word
