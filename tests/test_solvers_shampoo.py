"""Shampoo against the formula in scipy, against pytorch_optimizer, and against what symmetry demands."""

import math

import numpy as np
import pytest
import pytorch_optimizer
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.solvers.norms.shampoo import Shampoo
from scipy.linalg import fractional_matrix_power
from scripted import Scripted, gradients, path, torch_path
from threadpoolctl import threadpool_limits

ROOTS = ["eigh", "newton"]
both = pytest.mark.parametrize("root", ROOTS)


def polar(g):
    U, _, Vh = torch.linalg.svd(g, full_matrices=False)
    return U @ Vh


@threadpool_limits.wrap(limits=1)  # scipy's own threads wait for each other on a busy machine
def by_the_formula(g, lr, eps, beta=None, interval=1, p=4, bias_correction=False, ridge=0.0):
    """The iterates from zero, statement by statement in numpy, with scipy's fractional power."""
    m, n = g.shape[-2:]
    L, R, x, seen = eps * np.eye(m), eps * np.eye(n), np.zeros((m, n)), []
    for k, G in enumerate(g.numpy()):
        if beta is None:
            L, R = L + G @ G.T, R + G.T @ G
        else:
            L, R = beta * L + (1 - beta) * G @ G.T, beta * R + (1 - beta) * G.T @ G
        if k % interval == 0:
            c = 1 - beta ** (k + 1) if bias_correction else 1
            left = fractional_matrix_power(L / c + ridge * np.eye(m), -1 / p)
            right = fractional_matrix_power(R / c + ridge * np.eye(n), -1 / p)
        x = x - lr * left @ G @ right
        seen.append(x)
    return np.stack(seen)


@both
@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"beta": 0.9},
        {"beta": 0.9, "bias_correction": True},
        {"beta": 0.8, "ridge": 0.05},
        {"interval": 3},
        {"beta": 0.7, "interval": 4, "bias_correction": True},
        {"p": 2},
        {"p": 3, "beta": 0.5},
    ],
    ids=str,
)
def test_a_run_follows_the_formula(root, setting):
    g = gradients(12, 5, 3)
    expected = by_the_formula(g, 0.1, 0.02, **setting)
    power = setting.get("p", 4)
    solver = Shampoo(0.1, 0.02, root=root, power=power, **{k: v for k, v in setting.items() if k != "p"})
    np.testing.assert_allclose(path(solver, g), expected, rtol=0, atol=1e-11 * np.abs(expected).max())


@both
@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 3), (5, 1)])
def test_the_sum_is_that_of_pytorch_optimizer(root, shape):
    """To rounding: both start the statistics at eps I, add the gradient first, and take the root at once.

    Deviations that do not show here: its root comes from an SVD and divides by rounding or by 0 where eps = 0 and the
    statistics are singular (here: the pseudo-inverse), and its momentum, off by default, averages the gradient with the
    last *preconditioned* one, which is neither the paper's nor ours: there is none.
    """
    g = gradients(30, *shape)
    expected = torch_path(pytorch_optimizer.Shampoo, g, lr=0.1, matrix_eps=1e-6)
    torch.testing.assert_close(
        path(Shampoo(0.1, 1e-6, root=root), g), expected, rtol=0, atol=1e-12 * float(expected.abs().max())
    )


@both
def test_the_average_is_that_of_pytorch_optimizer_on_growing_gradients(root):
    """It has no average. With h_k = beta^{-k/2} g_k, k from 1, and eps' = eps/(1-beta) its sums are

        eps' I + sum_{j<=k} beta^{-j} g_j g_j^T = L_k beta^{-k}/(1-beta),   L_k our average of g started at eps I,

    so that its step on h with lr' = lr/sqrt(1-beta) is lr' (1-beta)^{1/2} beta^{k/2} L^{-1/4} h R^{-1/4} = ours on g.
    """
    beta, g = 0.9, gradients(30, 6, 4)
    growth = beta ** (-torch.arange(1, 31, dtype=torch.float64) / 2)
    settings = {"lr": 0.1 / (1 - beta) ** 0.5, "matrix_eps": 1e-6 / (1 - beta)}
    expected = torch_path(pytorch_optimizer.Shampoo, growth[:, None, None] * g, **settings)
    ours = path(Shampoo(0.1, 1e-6, beta, root), g)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12 * float(expected.abs().max()))


def test_the_interval_is_that_of_pytorch_optimizer_after_its_idle_first_steps():
    """It takes its first root at step T and stands still before; ours takes it at the first step.

    With T - 1 zero gradients in front, its roots are taken where ours are. Old roots meet gradients outside the range of
    their statistics, where the roots carry a relative error u ||G||^2/eps: hence the larger eps.
    """
    g, T = gradients(13, 6, 4), 4
    expected = torch_path(
        pytorch_optimizer.Shampoo,
        torch.cat([torch.zeros(T - 1, 6, 4, dtype=torch.float64), g]),
        lr=0.1,
        matrix_eps=1e-3,
        preconditioning_compute_steps=T,
    )
    assert not expected[: T - 1].any()
    ours = path(Shampoo(0.1, 1e-3, interval=T), g)
    torch.testing.assert_close(ours, expected[T - 1 :], rtol=0, atol=1e-11 * float(expected.abs().max()))


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (2, 5, 4), (1, 5)])
def test_without_accumulation_a_step_is_the_polar_factor(shape):
    """beta = 0 at every step and for any eps; a fresh state with eps = 0, up to the factor of the average."""
    g = gradients(5, *shape)
    every = path(Shampoo(0.1, 0.3, beta=0.0), g)
    torch.testing.assert_close(every, -0.1 * polar(g).cumsum(0), rtol=0, atol=1e-12)
    for solver, factor in (
        (Shampoo(0.1, 0.0), 1.0),
        (Shampoo(0.1, 0.0, beta=0.96), 5.0),
        (Shampoo(0.1, 0.0, beta=0.96, bias_correction=True), 1.0),
    ):
        torch.testing.assert_close(path(solver, g[:1]), -0.1 * factor * polar(g[:1]), rtol=0, atol=1e-12)


def test_rank_deficient_and_zero_gradients_move_their_own_directions_only():
    left, right = gradients(1, 6, 2, seed=1)[0], gradients(1, 2, 4, seed=2)[0]
    g = left @ right
    U, _, Vh = torch.linalg.svd(g)
    expected = -0.1 * U[:, :2] @ Vh[:2]
    torch.testing.assert_close(path(Shampoo(0.1, 0.0), g[None])[0], expected, rtol=0, atol=1e-12)
    for solver in (Shampoo(0.1, 0.0), Shampoo(0.1, 0.0, beta=0.9), Shampoo(0.1, 1e-3, root="newton")):
        assert not path(solver, torch.zeros(3, 4, 2, dtype=torch.float64)).any()


@both
@settings(max_examples=8)
@given(m=st.integers(1, 5), n=st.integers(1, 5), seed=st.integers(0, 1000), beta=st.sampled_from([None, 0.5, 0.9]))
def test_rotating_the_gradients_rotates_the_run(root, m, n, seed, beta):
    """eps I does not choose a basis: P G Q gives P X Q for orthogonal P and Q; five runs at once."""
    g = gradients(20, m, n, seed=seed).view(4, 5, m, n)
    P, Q = (torch.linalg.qr(gradients(1, d, d, seed=seed + 1)[0])[0] for d in (m, n))
    solver = Shampoo(0.1, 0.05, beta, root)
    torch.testing.assert_close(path(solver, P @ g @ Q), P @ path(solver, g) @ Q, rtol=0, atol=1e-11)


@both
@settings(max_examples=8)
@given(exponents=st.lists(st.floats(-6.0, 6.0), min_size=5, max_size=5), beta=st.sampled_from([None, 0.9]))
def test_the_step_does_not_know_the_scale_of_the_gradients(root, exponents, beta):
    """c g with c^2 eps gives the same run; that is what the powers -1/4 from both sides are for. Five c at once."""
    g, scale = gradients(20, 4, 3).view(4, 5, 4, 3), 10 ** torch.tensor(exponents, dtype=torch.float64)[:, None, None]
    torch.testing.assert_close(
        path(Shampoo(0.1, scale**2 * 0.05, beta, root), scale * g),
        path(Shampoo(0.1, 0.05, beta, root), g),
        rtol=1e-9,
        atol=1e-12,
    )


@both
def test_a_sweep_equals_single_runs(root):
    """Two leading axes, and tensors for lr, eps, beta and ridge that differ along the first."""
    g, values = gradients(6, 3, 2, 4, 3), [(0.1, 0.01, 0.5, 0.01), (0.2, 0.1, 0.8, 0.0), (0.3, 1.0, 0.95, 0.1)]
    lr, eps, beta, ridge = torch.tensor(values, dtype=torch.float64).T[..., None, None, None]
    together = path(Shampoo(lr, eps, beta, root, 2, 4, True, ridge), g)
    for i, (lr, eps, beta, ridge) in enumerate(values):
        for j in range(2):
            alone = path(Shampoo(lr, eps, beta, root, 2, 4, True, ridge), g[:, i, j])
            torch.testing.assert_close(together[:, i, j], alone, rtol=1e-11, atol=1e-12)


def test_a_schedule_is_followed():
    g = gradients(4, 3, 2)
    together = path(Shampoo(lambda k: 0.1 * (k + 1), beta=0.0), g)
    steps = 0.1 * torch.arange(1, 5, dtype=torch.float64)[:, None, None]
    torch.testing.assert_close(together, -(steps * polar(g)).cumsum(0), rtol=0, atol=1e-12)


@both
def test_a_step_is_pure_and_keeps_the_precision(root):
    solver, g = Shampoo(0.1, 0.01, 0.9, root), gradients(3, 2, 4, 3).float()
    x = torch.ones(2, 4, 3)
    state = solver.init(x)
    for G in g:
        held = [t.clone() for t in (x, *state[:4])]
        new, after = solver.step(x, state, Scripted([G]))
        again, _ = solver.step(x, state, Scripted([G]))
        assert torch.equal(new, again)
        assert all(torch.equal(a, b) for a, b in zip((x, *state[:4]), held, strict=True))
        x, state = new, after
    assert {t.dtype for t in (x, *state[:4])} == {torch.float32}


def test_a_diverged_replicate_is_nan_alone():
    g = gradients(2, 3, 4, 2)
    g[0, 1, 2, 1] = math.inf
    seen = path(Shampoo(0.1, 0.01), g)
    assert seen[:, 1].isnan().all()
    torch.testing.assert_close(seen[:, [0, 2]], path(Shampoo(0.1, 0.01), g[:, [0, 2]]), rtol=1e-13, atol=1e-14)


def test_newton_refuses_statistics_that_became_singular():
    """A row that is always 0: the average forgets eps I, and `ridge` is what helps."""
    g = gradients(40, 3, 2)
    g[:, 2] = 0
    with pytest.raises(ValueError, match="A \\+ eps I is singular"):
        path(Shampoo(0.1, 1e-3, beta=0.1, root="newton"), g)
    assert path(Shampoo(0.1, 1e-3, beta=0.1, root="newton", ridge=1e-6), g).isfinite().all()
    assert path(Shampoo(0.1, 1e-3, beta=0.1), g).isfinite().all()


def test_integers_of_numpy_count():
    g, three = gradients(5, 4, 2), np.int64(3)
    assert torch.equal(path(Shampoo(0.1, interval=three, power=three), g), path(Shampoo(0.1, interval=3, power=3), g))
