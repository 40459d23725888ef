"""Steepest and LMO descent: the methods they must be, their models, momentum against plain loops, and the ball."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.norms import lmo
from ratewitness.solvers.norms.lmo_descent import LMODescent
from ratewitness.solvers.norms.steepest_descent import SteepestDescent
from ratewitness.solvers.schedules import InverseTime
from ratewitness.solvers.solver import run
from scripted import Scripted, normal, shape_of, walk

every_norm = pytest.mark.parametrize("norm", lmo.NORMS.values(), ids=lmo.NORMS)


def test_in_l2_it_is_gradient_descent():
    problem = quadratic(torch.logspace(-2, 0, 6, dtype=torch.float64), torch.ones(6, dtype=torch.float64))
    ours = walk(SteepestDescent(0.9, lmo.L2), Oracle.full(problem), problem.start, 50)
    torch.testing.assert_close(ours, walk(GradientDescent(0.9), Oracle.full(problem), problem.start, 50), rtol=1e-12, atol=0)
    rule = InverseTime(1.0)
    matrix = walk(SteepestDescent(rule, lmo.FROBENIUS), Scripted(normal(9, 4, 3)), torch.zeros(4, 3), 9)
    plain = walk(GradientDescent(rule), Scripted(normal(9, 4, 3)), torch.zeros(4, 3), 9)
    torch.testing.assert_close(matrix, plain, rtol=1e-12, atol=1e-14)


def test_in_l1_it_is_greedy_coordinate_descent():
    lam, x = torch.tensor([1.0, 0.5, 0.1], dtype=torch.float64), torch.tensor([1.0, -3.0, 20.0], dtype=torch.float64)
    ours = walk(SteepestDescent(1.0, lmo.L1), Oracle.full(quadratic(lam, x)), x, 30)
    for seen in ours:
        torch.testing.assert_close(seen, x, rtol=1e-12, atol=1e-14)
        g, x = lam * x, x.clone()
        i = g.abs().argmax()
        x[i] -= g[i]


def test_in_linf_and_the_spectral_norm_it_is_the_scaled_sign():
    g = normal(4, 3)
    (_, x) = walk(SteepestDescent(0.5, lmo.LINF), Scripted([g[0]]), torch.zeros(3, dtype=torch.float64), 1)
    torch.testing.assert_close(x, -0.5 * g[0].abs().sum() * g[0].sign())
    (_, x) = walk(SteepestDescent(0.5, lmo.SPECTRAL), Scripted([g]), torch.zeros(4, 3, dtype=torch.float64), 1)
    u, s, vh = torch.linalg.svd(g, full_matrices=False)
    torch.testing.assert_close(x, -0.5 * s.sum() * u @ vh)


@every_norm
def test_a_step_minimizes_the_model(norm):
    """<g, d> + ||d||^2/(2 a) has the minimum -(a/2) ||g||_*^2, at the step and nowhere lower."""
    g, a = normal(*shape_of(norm)), 0.7

    def model(d):
        return (g * d).flatten(-norm.ndim).sum(-1) + norm.value(d) ** 2 / (2 * a)

    (_, d) = walk(SteepestDescent(a, norm), Scripted([g]), torch.zeros_like(g), 1)
    torch.testing.assert_close(model(d), -a / 2 * norm.dual(g) ** 2, rtol=1e-12, atol=0)
    distances = torch.logspace(-4, 0, 500, dtype=torch.float64)[(..., *[None] * norm.ndim)]
    around = d + distances * normal(500, *g.shape, seed=1)
    assert (model(around) > model(d)).all()
    torch.testing.assert_close(norm.value(d), a * norm.dual(g), rtol=1e-12, atol=0)


@every_norm
@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_that_of_a_plain_loop(norm, nesterov):
    g, x, m = normal(12, *shape_of(norm)), normal(*shape_of(norm), seed=1), 0.0
    ours = walk(LMODescent(lambda k: 1 / (k + 3), norm, 0.8, nesterov), Scripted(g), x, 12)
    for k in range(12):
        m = 0.8 * m + 0.2 * g[k]
        d = 0.8 * m + 0.2 * g[k] if nesterov else m
        x = x + norm.lmo(d) / (k + 3)
        torch.testing.assert_close(ours[k + 1], x, rtol=1e-12, atol=1e-13)


def test_the_first_step_and_the_special_cases():
    g, x = normal(2, 3), torch.zeros(3, dtype=torch.float64)
    for norm, direction in ((lmo.LINF, g[0].sign()), (lmo.L2, g[0] / g[0].norm())):
        (_, one) = walk(LMODescent(0.1, norm, momentum=0.9), Scripted(g), x, 1)
        torch.testing.assert_close(one, -0.1 * direction)
    p = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    for k in range(2):  # sign descent with averages is torch's Adam only without them
        p.grad = g[k]
        torch.optim.Adam([p], lr=0.1, betas=(0.0, 0.0), eps=0.0).step()
    ours = walk(LMODescent(0.1, lmo.LINF), Scripted(g), x, 2)[-1]
    torch.testing.assert_close(ours, p.detach(), rtol=1e-12, atol=1e-14)


def test_the_spectral_one_is_torch_muon_up_to_its_approximate_polar_factor():
    """torch iterates a quintic in bfloat16: the sign pattern of the steps and their size, not their digits."""
    g = normal(5, 4, 4)
    x = torch.zeros(4, 4, dtype=torch.float64)
    ours = walk(LMODescent(0.1, lmo.SPECTRAL, 0.9, nesterov=True), Scripted(g), x, 5)[-1]
    p = torch.nn.Parameter(x.clone())
    muon = torch.optim.Muon([p], lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.0)
    for k in range(5):
        p.grad = g[k]
        muon.step()
    assert (ours * p.detach()).sum() / (ours.norm() * p.detach().norm()) > 0.95


def test_the_constrained_form_is_the_free_one_with_decay():
    g, x = normal(6, 4, 3), 0.1 * normal(4, 3, seed=2)
    constrained = walk(LMODescent(0.05, lmo.SPECTRAL, 0.5, radius=3.0), Scripted(g), x, 6)[-1]
    m = torch.zeros(4, 3, dtype=torch.float64)
    for k in range(6):
        m = 0.5 * m + 0.5 * g[k]
        x = (1 - 0.15 * (1 / 3.0)) * x + 0.15 * lmo.SPECTRAL.lmo(m)
    torch.testing.assert_close(constrained, x, rtol=1e-12, atol=1e-13)


@every_norm
@settings(max_examples=8)
@given(lr=st.floats(0, 1), momentum=st.floats(0, 0.99), radius=st.floats(1e-3, 1e3), inside=st.floats(0, 1))
def test_the_constrained_form_stays_in_the_ball(norm, lr, momentum, radius, inside):
    x0 = normal(3, *shape_of(norm), seed=1)
    x0 = x0 * (inside * radius / norm.value(x0))[(..., *[None] * norm.ndim)]
    gradients = normal(6, 3, *shape_of(norm))
    gradients[2] = 0
    seen = walk(LMODescent(lr, norm, momentum, True, radius), Scripted(gradients), x0, 6)
    assert (norm.value(seen) <= radius * (1 + 1e-12)).all()


def test_frank_wolfe_converges_at_its_rate():
    """Steps 2/(k+2) on f(x) = ||x - c||^2/2 over the l1 ball: f - f* <= 2 L diameter^2/(k+2)."""
    c = torch.tensor([0.7, 0.7, -0.1, 0.05], dtype=torch.float64)
    best = torch.tensor([0.5, 0.5, 0, 0], dtype=torch.float64)

    class Oracle:
        def grad(self, x):
            return x - c

    seen = walk(LMODescent(lambda k: 2 / (k + 2), lmo.L1, radius=1.0), Oracle(), torch.zeros(4, dtype=torch.float64), 200)
    gap = ((seen - c) ** 2).sum(-1) / 2 - ((best - c) ** 2).sum() / 2
    assert (gap[1:] <= 2 * 4 / (torch.arange(1, 201) + 2)).all()
    assert (gap[1:] > -1e-15).all()


@every_norm
def test_a_batch_equals_its_singles_and_sweeps(norm):
    g, x0 = normal(5, 3, 2, *shape_of(norm)), normal(3, 2, *shape_of(norm), seed=1)
    lr = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)

    def solvers(lr):
        return SteepestDescent(lr, norm), LMODescent(lr, norm, 0.6, True), LMODescent(lr, norm, 0.6, radius=2.0)

    for j, together in enumerate(solvers(lr.reshape(3, 1, *[1] * norm.ndim))):
        seen = walk(together, Scripted(g), x0, 5)
        for i in range(3):
            for r in range(2):
                alone = walk(solvers(lr[i].item())[j], Scripted(g[:, i, r]), x0[i, r], 5)
                torch.testing.assert_close(seen[:, i, r], alone, rtol=1e-10, atol=1e-12)


@every_norm
def test_a_diverged_replicate_takes_no_other_with_it(norm):
    g = normal(3, 2, *shape_of(norm))
    g[1, 0].view(-1)[1] = math.inf
    for solver in (SteepestDescent(0.1, norm), LMODescent(0.1, norm, 0.5), LMODescent(0.1, norm, radius=1.0)):
        seen = walk(solver, Scripted(g), torch.zeros(2, *shape_of(norm), dtype=torch.float64), 3)
        assert seen[:2].isfinite().all()
        assert seen[2:, 0].isnan().all()
        alone = walk(solver, Scripted(g[:, 1]), torch.zeros(shape_of(norm), dtype=torch.float64), 3)
        torch.testing.assert_close(seen[:, 1], alone, rtol=1e-12, atol=1e-15)


def test_a_zero_gradient_moves_nothing():
    x = normal(4, 3)
    for solver in (SteepestDescent(0.1, lmo.SPECTRAL), LMODescent(0.1, lmo.NUCLEAR, 0.5)):
        assert (walk(solver, Scripted(torch.zeros(3, 4, 3, dtype=torch.float64)), x, 3) == x).all()


def test_a_run_with_a_step_that_is_too_long_diverges_quietly():
    problem = quadratic(torch.tensor([1.0, 0.5], dtype=torch.float64), torch.ones(2, dtype=torch.float64))
    lr = torch.tensor([0.5, 5.0], dtype=torch.float64).reshape(2, 1)
    trace = run(SteepestDescent(lr, lmo.LINF), Oracle.full(problem), problem.starts(2), 2000, problem.gap)
    assert trace.values[-1, 0] < 1
    assert not trace.values[-1, 1].isfinite()
