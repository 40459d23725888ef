"""Bounds of steepest descent in a norm, against runs in plain NumPy with constants found by trying every sign."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.theory import norm_descent

calm = settings(deadline=None, derandomize=True)
DUAL = {"l_inf": 1, "l_2": 2, "l_1": np.inf}
PRIMAL = {"l_inf": np.inf, "l_2": 2, "l_1": 1}


def lmo(norm, g):
    if norm == "l_inf":
        return -np.sign(g)
    if norm == "l_2":
        return -g / np.linalg.norm(g)
    i = np.abs(g).argmax()
    return -np.sign(g[i]) * np.eye(len(g))[i]


def smoothness(norm, H):
    signs = np.array(list(product((-1.0, 1.0), repeat=len(H))))
    return {
        "l_inf": np.abs(signs @ H).sum(1).max(),
        "l_2": np.linalg.eigvalsh(H)[-1],
        "l_1": np.abs(H).max(),
    }[norm]


def descend(norm, H, L, x, steps):
    path = [x]
    for _ in range(steps):
        g = H @ path[-1]
        path.append(path[-1] + np.linalg.norm(g, DUAL[norm]) / L * lmo(norm, g) if g.any() else path[-1])
    return np.array(path)


def gap(H, x):
    return np.einsum("...i,ij,...j->...", x, H, x) / 2


@calm
@given(st.integers(0, 2**31), st.sampled_from(list(DUAL)), st.integers(1, 5), st.booleans())
def test_bounds_hold_on_random_quadratics(seed, norm, d, diagonal):
    rng = np.random.default_rng(seed)
    A = np.diag(rng.standard_normal(d)) if diagonal else rng.standard_normal((d, d))
    H, x0 = A @ A.T * np.outer(*[10 ** rng.uniform(-1, 1, d)] * 2), rng.standard_normal(d)
    L = smoothness(norm, H)
    x = descend(norm, H, L, x0, 30)
    f, R = gap(H, x), np.maximum.accumulate(np.linalg.norm(x, PRIMAL[norm], axis=1))
    duals = np.linalg.norm(x @ H, DUAL[norm], axis=1)
    slack = 1e-12 * f[0]
    assert (np.diff(f) <= norm_descent.decrease(dual=duals[:-1], L=L) + slack).all()
    assert (f <= norm_descent.convex(L=L, R=R, N=np.arange(31)) + slack).all()
    if diagonal:
        lam = np.diag(H)
        mu = 1 / (1 / lam).sum() if norm == "l_1" else lam.min()
        assert (f <= norm_descent.strongly_convex(L=L, mu=min(mu, L), N=np.arange(31), Delta=f[0]) + slack).all()


@calm
@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=6), st.integers(0, 2**31))
def test_sign_descent_attains_the_decrease_on_diagonal_quadratics(lam, seed):
    H, x = np.diag(lam), np.random.default_rng(seed).uniform(0.1, 1, len(lam))
    after = descend("l_inf", H, sum(lam), x, 1)[-1]
    expected = norm_descent.decrease(dual=np.abs(H @ x).sum(), L=sum(lam))
    assert gap(H, after) - gap(H, x) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@calm
@given(st.lists(st.floats(0.01, 10), min_size=2, max_size=6), st.integers(0, 2**31))
def test_density_decides_which_step_gains_more(lam, seed):
    H, x = np.diag(lam), np.random.default_rng(seed).standard_normal(len(lam))
    g, ratio = H @ x, sum(lam) / max(lam)
    quotient = np.abs(g).sum() ** 2 / (g @ g) / ratio
    gains = {norm: gap(H, x) - gap(H, descend(norm, H, smoothness(norm, H), x, 1)[-1]) for norm in ("l_inf", "l_2")}
    assert quotient <= 2 * (1 + 1e-9) or gains["l_inf"] > gains["l_2"]
    assert quotient >= 1 - 1e-9 or gains["l_inf"] < gains["l_2"]


def test_the_convex_bound_is_attained_at_the_start():
    assert norm_descent.convex(L=3, R=2, N=0) == 6.0  # L R^2/2, as of L x^2/2 at R
