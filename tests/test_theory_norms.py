"""The formulas of norms, dual norms and oracles against numpy, brute force over signed permutations, and cvxpy."""

import itertools

import cvxpy as cp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.theory import hoelder, induced, norms

LP = {"l1.5": norms.lp(sp.Rational(3, 2)), "l2": norms.L2, "l3": norms.lp(3)}
VECTORS = LP | {"l1": norms.L1, "linf": norms.LINF, "kf1": norms.ky_fan(1), "kf2": norms.ky_fan(2), "kf3": norms.ky_fan(3)}
ORDERS = {"l1.5": 1.5, "l2": 2, "l3": 3, "l1": 1, "linf": np.inf, "kf1": np.inf, "kf3": 1}
CVX = {name: lambda x, p=p: cp.norm(x, p) for name, p in ORDERS.items()} | {"kf2": lambda x: cp.sum_largest(cp.abs(x), 2)}
entry = st.integers(-20, 20).map(lambda n: n / 4)
vectors = st.lists(entry, min_size=3, max_size=3).filter(any)


def digits(values) -> list[sp.Float]:
    """Floats as sympy's, with digits to spare."""
    return [sp.Float(float(v), 25) for v in values]


def numbers(values) -> np.ndarray:
    return np.array([float(v) for v in values])


def oracle(norm: norms.Norm, g: np.ndarray) -> np.ndarray:
    """lmo(g) by the reduction: sort the moduli, put back order and signs."""
    order = np.argsort(-np.abs(g), kind="stable")
    x = np.empty(len(g))
    x[order] = numbers(norm.lmo(digits(abs(g[order])))) * np.sign(g[order])
    return x


@pytest.mark.parametrize("name", ORDERS)
@given(x=vectors)
def test_values_are_those_of_numpy(name, x):
    assert float(VECTORS[name].value(digits(x))) == pytest.approx(np.linalg.norm(x, ORDERS[name]), rel=1e-12)


@given(x=vectors)
def test_ky_fan_sums_the_largest(x):
    assert float(norms.ky_fan(2).value(digits(x))) == pytest.approx(sum(sorted(map(abs, x))[1:]))


@pytest.mark.parametrize("name", VECTORS)
@given(g=vectors, x=vectors)
def test_no_point_of_the_ball_does_better(name, g, x):
    norm, g, x = VECTORS[name], np.array(g), np.array(x)
    value, dual = float(norm.value(digits(x))), float(norm.dual(digits(g)))
    best = oracle(norm, g)
    assert g @ best == pytest.approx(-dual, rel=1e-12)
    assert float(norm.value(digits(best))) <= 1 + 1e-12
    assert g @ x / value >= -dual * (1 + 1e-12)


@pytest.mark.parametrize("name", VECTORS)
def test_cvxpy_finds_the_same_dual_norm(name):
    g = np.array([1.25, -3.0, 0.5, 2.0])
    x = cp.Variable(4)
    problem = cp.Problem(cp.Minimize(g @ x), [CVX[name if name != "kf3" else "kf3_of_4"](x) <= 1])
    problem.solve(solver="CLARABEL")
    assert problem.value == pytest.approx(-float(VECTORS[name].dual(digits(g))), rel=1e-5)


CVX["kf3_of_4"] = lambda x: cp.sum_largest(cp.abs(x), 3)


def test_the_chamber_is_ordered_and_positive():
    g = norms.chamber(4)
    assert all((a - b).is_positive for a, b in itertools.pairwise(g))
    assert g[-1].is_positive


@pytest.mark.parametrize("name", VECTORS)
def test_no_signed_permutation_of_the_oracle_pairs_better(name):
    g = np.array([3.0, 2.0, 0.5])
    x = numbers(VECTORS[name].lmo(digits(g)))
    pairings = [
        g @ (np.array(signs) * x[list(order)])
        for signs in itertools.product((1, -1), repeat=3)
        for order in itertools.permutations(range(3))
    ]
    assert min(pairings) == pytest.approx(g @ x)


def test_a_certificate_needs_the_identity_and_the_signs():
    s, t = sp.symbols("s t", positive=True)
    assert hoelder.certified(s * t + s, s, [(s, t)])
    assert not hoelder.certified(s * t + s, s, [(s, s)])
    assert not hoelder.certified(-s * t, sp.Integer(0), [(s, -t)])


@given(seed=st.integers(0, 2**32 - 1), m=st.integers(1, 5), n=st.integers(1, 5))
def test_von_neumann_on_random_matrices(seed, m, n):
    A, B = np.random.default_rng(seed).standard_normal((2, m, n))
    assert abs(np.sum(A * B)) <= np.linalg.svd(A)[1] @ np.linalg.svd(B)[1] * (1 + 1e-12)


MATRICES = {
    "column": (induced.COLUMN, lambda A: max(np.linalg.norm(A, axis=0))),
    "row": (induced.ROW, lambda A: max(np.linalg.norm(A, axis=1))),
    "max_abs": (induced.MAX_ABS, lambda A: np.abs(A).max()),
    "l1_to_rms": (induced.L1_TO_RMS, lambda A: max(np.linalg.norm(A, axis=0)) / np.sqrt(A.shape[0])),
    "rms_to_linf": (induced.RMS_TO_LINF, lambda A: max(np.linalg.norm(A, axis=1)) * np.sqrt(A.shape[1])),
    "sign": (induced.SIGN, lambda A: A.shape[1] * np.abs(A).max()),
}


def symbolic(A: np.ndarray) -> sp.Matrix:
    return sp.Matrix(*A.shape, digits(A.ravel()))


@pytest.mark.parametrize("name", MATRICES)
@given(entries=st.lists(st.integers(1, 20), min_size=6, max_size=6), tall=st.booleans())
def test_matrix_norms_and_their_oracles(name, entries, tall):
    norm, value = MATRICES[name]
    G = np.array(entries, dtype=float).reshape((3, 2) if tall else (2, 3)) / 4
    x = numbers(norm.lmo(symbolic(G))).reshape(G.shape)
    assert float(norm.value(symbolic(G))) == pytest.approx(value(G), rel=1e-12)
    assert value(x) == pytest.approx(1, rel=1e-12)
    assert np.sum(G * x) == pytest.approx(-float(norm.dual(symbolic(G))), rel=1e-12)


@pytest.mark.parametrize(("name", "p", "q"), [("column", 1, 2), ("row", 2, np.inf), ("max_abs", 1, np.inf)])
@given(seed=st.integers(0, 2**32 - 1))
def test_induced_norms_bound_every_image(name, p, q, seed):
    generator = np.random.default_rng(seed)
    A, x = generator.standard_normal((3, 4)), generator.standard_normal((4, 50))
    stretch = np.linalg.norm(A @ x, q, axis=0) / np.linalg.norm(x, p, axis=0)
    assert stretch.max() <= MATRICES[name][1](A) * (1 + 1e-12)


@pytest.mark.parametrize(("p", "q"), [(1.5, 3.0), (3.0, 1.5)])
def test_the_image_in_linf_is_the_largest_row(p, q):
    A = np.random.default_rng(1).standard_normal((3, 4))
    x = cp.Variable(4)
    best = max(cp.Problem(cp.Maximize(row @ x), [cp.norm(x, p) <= 1]).solve(solver="CLARABEL") for row in A)
    assert best == pytest.approx(max(np.linalg.norm(A, q, axis=1)), rel=1e-5)
