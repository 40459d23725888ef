"""Shampoo's analysis: the inequality on exact rational instances, the bounds by hand."""

import math

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.theory.kronecker import (
    diagonal_adagrad,
    full_adagrad,
    one_matrix,
    shampoo,
    shampoo_any_step,
)

# rows (s, t, eps) with eps + s^2 + t^2 a square
SQUARES = [(2, 2, 1), (4, 8, 1), (6, 18, 1), (2, 8, 13), (2, 3, 36), (4, 4, 32)]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_one_matrix_for_every_rank_up_to_three(rank):
    assert one_matrix(rank=rank, factor=rank) is True
    assert one_matrix(rank=rank, factor=rank + 1) is False  # an identity, not an inequality


def is_positive_semidefinite(matrix: sp.Matrix) -> bool:
    """Whether a symmetric rational matrix is, by LDL^T in exact arithmetic."""
    rest = matrix.copy()
    while rest.rows:
        pivot, column = rest[0, 0], rest[1:, 0]
        if pivot < 0 or (pivot == 0 and not column.is_zero_matrix):
            return False
        rest = rest[1:, 1:] - (column * column.T / pivot if pivot else sp.zeros(*rest[1:, 1:].shape))
    return True


def test_ldl_tells_definite_from_indefinite():
    assert is_positive_semidefinite(sp.Matrix([[1, 1], [1, 1]]))
    assert is_positive_semidefinite(sp.Matrix([[0, 0], [0, 3]]))
    assert not is_positive_semidefinite(sp.Matrix([[0, 1], [1, 0]]))
    assert not is_positive_semidefinite(sp.Matrix([[1, 2], [2, 3]]))


def rotation(p, q):
    """A rational rotation by Pythagoras."""
    c, s = sp.Rational(p * p - q * q, p * p + q * q), sp.Rational(2 * p * q, p * p + q * q)
    return sp.Matrix([[c, -s], [s, c]])


def instance(first, second, U, V, crossed):
    """Two 2 x 2 gradients with common singular vectors, and the rational square roots of L and R.

    first, second: (s, t) of the two singular directions; crossed: they sit off the diagonal, where R has them swapped.
    """
    swap = sp.Matrix([[0, 1], [1, 0]]) if crossed else sp.eye(2)
    diagonals = [sp.diag(first[0], second[0]), sp.diag(first[1], second[1])]
    gradients = [U * d * swap * V.T for d in diagonals]
    eps = first[2]
    roots = sp.diag(*(sp.sqrt(eps + s * s + t * t) for s, t, _ in (first, second)))
    assert all(entry.is_rational for entry in roots)
    return gradients, eps, U * roots * U.T, V * swap * roots * swap * V.T


EQUAL_EPS = [(a, b) for a in SQUARES for b in SQUARES if a[2] == b[2]]


@pytest.mark.parametrize("crossed", [False, True])
@pytest.mark.parametrize(("first", "second"), EQUAL_EPS)
def test_loewner_inequality_on_exact_instances(first, second, crossed):
    U, V = rotation(2, 1), rotation(4, 3)
    gradients, eps, root_L, root_R = instance(first, second, U, V, crossed)
    vectors = [sp.Matrix(list(g)) for g in gradients]  # by rows
    gram = sum((v * v.T for v in vectors), sp.zeros(4, 4))
    right = sp.kronecker_product(root_L, root_R)
    assert root_L**2 == eps * sp.eye(2) + sum((g * g.T for g in gradients), sp.zeros(2, 2))
    assert root_R**2 == eps * sp.eye(2) + sum((g.T * g for g in gradients), sp.zeros(2, 2))
    assert is_positive_semidefinite(right - eps * sp.eye(4) - gram / 2)  # r = 2
    assert not is_positive_semidefinite(right - eps * sp.eye(4) - gram)  # without the 1/r
    swapped = sp.kronecker_product(root_R, root_L)
    by_columns = [sp.Matrix(list(g.T)) for g in gradients]
    gram_by_columns = sum((v * v.T for v in by_columns), sp.zeros(4, 4))
    assert is_positive_semidefinite(swapped - eps * sp.eye(4) - gram_by_columns / 2)


@given(
    D=st.floats(1e-3, 1e3),
    r=st.integers(1, 9),
    left=st.floats(1e-2, 1e2),
    right=st.floats(1e-2, 1e2),
    eta=st.floats(1e-3, 1e3),
)
def test_no_step_has_a_better_bound_than_the_best(D, r, left, right, eta):
    traces = {"trace_L": left, "trace_R": right}
    best = shampoo(D=D, r=r, **traces)
    assert best == pytest.approx(math.sqrt(2 * r) * D * left * right)
    assert shampoo_any_step(D=D, r=r, eta=D / math.sqrt(2 * r), **traces) == pytest.approx(best)
    assert shampoo_any_step(D=D, r=r, eta=eta, **traces) >= best * (1 - 1e-12)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_full_matrix_adagrad_has_the_better_bound(rank):
    """Tr (r eps I + sum g g^T)^{1/2} <= sqrt r Tr(L^{1/4}) Tr(R^{1/4}), the trace of the square root of the inequality."""
    rng = np.random.default_rng(rank)
    gradients = [rng.normal(size=(4, rank)) @ rng.normal(size=(rank, 3)) for _ in range(7)]
    eps = 0.1
    L = eps * np.eye(4) + sum(g @ g.T for g in gradients)
    R = eps * np.eye(3) + sum(g.T @ g for g in gradients)
    gram = rank * eps * np.eye(12) + sum(np.outer(g, g) for g in gradients)
    traces = [(np.linalg.eigvalsh(m) ** p).sum() for m, p in ((L, 0.25), (R, 0.25), (gram, 0.5))]
    kronecker = shampoo(D=2.0, r=rank, trace_L=traces[0], trace_R=traces[1])
    assert full_adagrad(D=2.0, trace_full=traces[2]) <= kronecker * (1 + 1e-12)


def test_adagrad_bounds_by_hand():
    assert diagonal_adagrad(D_inf=3.0, column_norms=2.0) == pytest.approx(6 * math.sqrt(2))
    assert full_adagrad(D=3.0, trace_full=2.0) == pytest.approx(6 * math.sqrt(2))
