"""The second entry of the study: its norms against numpy and cvxpy, its exact scaling, its 50 digits."""

import cvxpy as cp
import numpy as np
import pytest
import torch
from ratewitness.solvers.norms.lmo import NORMS
from ratewitness.studies.claims import QUICK
from ratewitness.studies.norms import hard_matrices, lmo_closed_forms, lmo_value_by_value
from ratewitness.studies.norms.norm_forms import ARGMAX, DTYPES, FORMS
from ratewitness.theory import norms

G = np.random.default_rng(0).standard_normal((3, 4))
VALUES = {
    "l1": lambda A: np.linalg.norm(A.ravel(), 1), "l1.5": lambda A: np.linalg.norm(A.ravel(), 1.5),
    "l3": lambda A: np.linalg.norm(A.ravel(), 3), "linf": lambda A: np.abs(A).max(), "l2": np.linalg.norm,
    "frobenius": np.linalg.norm, "spectral": lambda A: np.linalg.norm(A, 2), "nuclear": lambda A: np.linalg.norm(A, "nuc"),
    "schatten_3": lambda A: np.linalg.norm(np.linalg.svd(A)[1], 3),
    "schatten_1.5": lambda A: np.linalg.norm(np.linalg.svd(A)[1], 1.5),
    "ky_fan_2": lambda A: np.sort(np.abs(A).ravel())[-2:].sum(),
    "ky_fan_spectral_2": lambda A: np.linalg.svd(A)[1][:2].sum(), "max_abs": lambda A: np.abs(A).max(),
    "column": lambda A: np.linalg.norm(A, axis=0).max(), "row": lambda A: np.linalg.norm(A, axis=1).max(),
    "rms_to_rms": lambda A: np.linalg.norm(A, 2) * np.sqrt(4 / 3),
    "l1_to_rms": lambda A: np.linalg.norm(A, axis=0).max() / np.sqrt(3),
    "rms_to_linf": lambda A: np.linalg.norm(A, axis=1).max() * 2, "sign": lambda A: 4 * np.abs(A).max(),
}  # fmt: skip
CVX = {
    "l1": cp.norm1, "linf": cp.norm_inf, "l2": lambda x: cp.norm(x, "fro"), "spectral": cp.sigma_max, "nuclear": cp.normNuc,
    "ky_fan_2": lambda x: cp.sum_largest(cp.abs(x), 2), "l1.5": lambda x: cp.pnorm(cp.vec(x, order="C"), 1.5),
    "column": lambda x: cp.max(cp.norm(x, 2, axis=0)), "rms_to_linf": lambda x: 2 * cp.max(cp.norm(x, 2, axis=1)),
    "rms_to_rms": lambda x: np.sqrt(4 / 3) * cp.sigma_max(x),
}  # fmt: skip


def test_every_norm_of_the_solvers_is_in_the_table():
    assert set(FORMS) == set(NORMS) == set(VALUES)
    theory = lmo_value_by_value.VECTORS | lmo_value_by_value.SPECTRA | lmo_value_by_value.BLOCKS
    assert set(theory) == set(FORMS) == set(NORMS)


@pytest.mark.parametrize("name", VALUES)
def test_values_are_those_of_numpy(name):
    form = FORMS[name]
    assert float(form.value(form.parts(G), 3, 4)) == pytest.approx(VALUES[name](G), rel=1e-13)


@pytest.mark.parametrize("name", CVX)
def test_cvxpy_finds_the_same_dual_norms(name):
    x, form = cp.Variable((3, 4)), FORMS[name]
    problem = cp.Problem(cp.Maximize(cp.sum(cp.multiply(G, x))), [CVX[name](x) <= 1])
    problem.solve(solver="CLARABEL" if name not in {"spectral", "nuclear", "rms_to_rms"} else "SCS", **tight(name))
    assert float(form.dual(form.parts(G), 3, 4)) == pytest.approx(problem.value, rel=1e-5)


def tight(name):
    return {"eps": 1e-8} if name in {"spectral", "nuclear", "rms_to_rms"} else {}


def test_scaling_is_exact_and_reaches_one():
    for factor in (1e300, 1.0, 1e-300, 5e-324 * 3):
        g = torch.tensor([[1.0, -0.5]], dtype=torch.float64) * factor
        A, exponent = hard_matrices.scaled(g)
        assert 0.5 <= np.abs(A).max() < 1
        assert np.ldexp(A, exponent).astype(float).tolist() == g.tolist()


def test_no_input_is_zero_or_infinite():
    for dtype in DTYPES:
        for kind, batch in hard_matrices.inputs(QUICK, dtype, 5, 5).items():
            assert batch.isfinite().all(), kind
            assert (batch != 0).flatten(1).any(1).all(), kind
    assert 0 < hard_matrices.inputs(QUICK, "float64", 5, 5)["denormal"].abs().max() < torch.finfo(torch.float64).tiny


def test_theory_at_a_diagonal_matrix_is_plain():
    A = np.array([[0.0, -2.0], [1.0, 0.0]])
    polar, condition = lmo_value_by_value.in_theory("spectral", A)
    assert polar == pytest.approx(np.array([[0.0, 1.0], [-1.0, 0.0]]))
    assert condition == pytest.approx(2)
    assert lmo_value_by_value.in_theory("nuclear", A)[0] == pytest.approx(np.array([[0.0, 1.0], [0.0, 0.0]]))
    assert lmo_value_by_value.in_theory("column", A)[0] == pytest.approx(np.array([[0.0, 1.0], [-1.0, 0.0]]))
    roots = -np.sign(A) * np.sqrt(np.abs(A)) / np.linalg.norm(A.ravel(), 1.5) ** 0.5
    assert lmo_value_by_value.in_theory("l3", A)[0] == pytest.approx(roots)


def test_zeros_stay_zero_in_fifty_digits():
    assert lmo_value_by_value.of_moduli(norms.LINF, [0, 2, 1e-300]) == [0, -1, 0]


def test_a_verdict_needs_every_answer(monkeypatch):
    """One NaN among the answers is not outvoted by the others."""
    table = lmo_closed_forms.errors(QUICK, "float64", ARGMAX).copy()
    table[lmo_closed_forms.MEASURES] = 0.0
    monkeypatch.setattr(lmo_closed_forms, "errors", lambda *_: table)
    assert lmo_closed_forms.attained_in_float64.check(QUICK).outcome == "supported"
    table.loc[3, "length"] = np.nan
    assert lmo_closed_forms.attained_in_float64.check(QUICK).outcome == "inconclusive"
