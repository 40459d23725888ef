"""Steps in a norm: a general minimizer and the polar factor, by other ways, find what the closed forms say."""

import math

import numpy as np
import pytest
import scipy.optimize
import sympy as sp
from ratewitness.theory import muon_grid, norms, words


@pytest.mark.parametrize(
    ("norm", "order"),
    [(norms.L1, 1), (norms.L2, 2), (norms.LINF, np.inf), (norms.lp(3), 3), (norms.lp(sp.Rational(3, 2)), 1.5)],
)
def test_the_regularized_step_is_the_minimizer_a_general_solver_finds(norm, order):
    """No point near the closed form, and none that a derivative-free search reaches, has a smaller model."""
    g, a = np.array([3.0, 2.0, 0.5]), 0.7

    def model(d):
        return g @ d + np.linalg.norm(d, order) ** 2 / (2 * a)

    exact = list(map(sp.nsimplify, g))
    dual, step = float(norm.dual(exact)), np.array([float(e) for e in norm.lmo(exact)])
    best = model(a * dual * step)
    assert best == pytest.approx(-a / 2 * dual**2, rel=1e-12)
    options = {"xatol": 1e-10, "fatol": 1e-12, "maxiter": 4000}
    found = scipy.optimize.minimize(model, a * dual * step + 0.3, method="Nelder-Mead", options=options)
    assert found.fun >= best * (1 + 1e-9)
    assert found.fun == pytest.approx(best, rel=0.05)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2)])
def test_shampoo_and_muon_without_memory_are_the_polar_factor(shape):
    """The powers by eigendecomposition: of G G^T on its range, of G^T G everywhere."""
    G = np.random.default_rng(0).standard_normal(shape)
    polar = np.linalg.svd(G, full_matrices=False)[0] @ np.linalg.svd(G, full_matrices=False)[2]

    def power(A, exponent):
        values, vectors = np.linalg.eigh(A)
        kept = values > 1e-12 * values[-1]
        return (vectors[:, kept] * values[kept] ** exponent) @ vectors[:, kept].T

    assert power(G @ G.T, -1 / 4) @ G @ power(G.T @ G, -1 / 4) == pytest.approx(polar, abs=1e-12)
    assert G @ power(G.T @ G, -1 / 2) == pytest.approx(polar, abs=1e-12)


def test_words_that_do_not_commute_are_reduced_by_orthonormality_alone():
    U, Ut, V, Vt, S = words.U, words.Ut, words.V, words.Vt, words.S
    assert words.reduced(V * S * Ut * U * S * Vt * V - V * S**2) == 0
    assert words.reduced(U * Ut - 1) != 0  # the columns of U need not be complete
    assert words.reduced(U * Vt - V * Ut) != 0


LETTERS = {words.X: (3, 4), words.Y: (3, 4), words.U: (3, 2), words.V: (4, 2), words.S: (2, 2)}


def test_the_trace_of_words_is_that_of_matrices():
    """Random matrices in place of the letters: a trace that is zero as a word is zero as a number, and others are not."""
    generator = np.random.default_rng(0)
    drawn = {letter: generator.standard_normal(shape) for letter, shape in LETTERS.items()}
    drawn |= {each: np.linalg.qr(drawn[each])[0] for each in (words.U, words.V)} | {words.S: np.diag([2.0, 0.5])}
    drawn |= {words.transposed(each): matrix.T for each, matrix in drawn.items()}
    U, Ut, V, Vt, S, X, Xt, Y = words.U, words.Ut, words.V, words.Vt, words.S, words.X, words.Xt, words.Y

    def number(letters):
        matrix = np.eye(drawn[letters[0]].shape[0])
        for letter in letters:
            matrix = matrix @ drawn[letter]
        return np.trace(matrix)

    pairs = (  # of words with the same trace
        ((Xt, Y), (words.Yt, X)), ((V, S, Ut, X), (Xt, U, S, Vt)), ((X, V, Vt, Xt, U, S, Ut), (U, S, Ut, X, V, Vt, Xt)),
        ((V, S, Ut, U, Vt), (S,)),
    )  # fmt: skip
    for one, other in pairs:
        assert words.trace(sp.Mul(*one) - sp.Mul(*other)) == 0
        assert number(one) == pytest.approx(number(other), rel=1e-12)
    assert words.trace(Xt * Y - Xt * X) != 0
    assert words.trace(V * S * Ut * X - V * Ut * X) != 0


def test_no_trace_of_an_identity_is_known():
    """Of U U^T it is k, and 1 - U U^T, which is not 0, has the square m - k: as numbers they would say 1 and 0."""
    U, Ut, S = words.U, words.Ut, words.S
    for one, other in ((1 - U * Ut, 1 - U * Ut), (U, U)):
        with pytest.raises(ValueError, match="identity of unknown size"):
            words.inner(one, other)
    for expression in (U * Ut, 1 - Ut * U, S + 1 - U * Ut):
        with pytest.raises(ValueError, match="identity of unknown size"):
            words.trace(expression)


def test_adam_without_averages_in_a_run():
    """Five steps of Adam's recursion with beta1 = beta2 = eps = 0 against five of sign descent, on x^2/2 from 1."""
    x, y, lr = 1.0, 1.0, 0.3
    for _ in range(5):
        m, v = x, x * x
        x, y = x - lr * m / math.sqrt(v), y - lr * np.sign(y)
        assert x == pytest.approx(y, abs=1e-15)


@pytest.mark.parametrize("d", [1.7, -0.33, 0.5, 0.0, 1e-3])
def test_the_walk_on_the_grid_is_its_recursion(d):
    a, x = 0.25, d
    for k in range(20):
        assert muon_grid.on_the_grid(d, a, k) == pytest.approx(x, abs=1e-12)
        x -= a * (abs(x) > 1e-12) * np.sign(x)
