"""Gradient descent, heavy ball and Nesterov against torch.optim, matrix powers and their bounds; step-size rules."""

import numpy as np
import pytest
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import log_spaced, quadratic
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.schedules import InversePower, InverseTime, horizon_tuned, step_size
from ratewitness.solvers.solver import run
from scripted import walk

LAM = torch.tensor([1.0, 0.4, 0.05], dtype=torch.float64)
X0 = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)


class Noisy:
    """lam x plus noise read from a list, so that two implementations see the same gradients."""

    def __init__(self):
        self.noise = iter(torch.randn(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5)))

    def grad(self, x):
        return LAM * x + next(self.noise)


def torch_path(steps, **options):
    """The parameter of torch.optim.SGD along a run on the same noise."""
    x, oracle = torch.nn.Parameter(X0.clone()), Noisy()
    optimizer, seen = torch.optim.SGD([x], **options), [X0]
    for _ in range(steps):
        x.grad = oracle.grad(x.detach())
        optimizer.step()
        seen.append(x.detach().clone())
    return torch.stack(seen)


def test_gradient_descent_is_torch_sgd():
    ours = walk(GradientDescent(0.3), Noisy(), X0, 60)
    torch.testing.assert_close(ours, torch_path(60, lr=0.3), rtol=1e-13, atol=1e-13)


def test_heavy_ball_is_torch_momentum():
    ours = walk(HeavyBall(0.3, 0.8), Noisy(), X0, 60)
    torch.testing.assert_close(ours, torch_path(60, lr=0.3, momentum=0.8), rtol=1e-12, atol=1e-12)


def test_heavy_ball_with_a_varying_step_is_not_torch_momentum():
    rule = InverseTime(1.0, 1.0, 2.0)
    x, v, oracle = X0, torch.zeros(3, dtype=torch.float64), Noisy()
    for k in range(10):
        v = 0.8 * v + oracle.grad(x)
        x = x - rule(k) * v
    assert (walk(HeavyBall(rule, 0.8), Noisy(), X0, 10)[-1] - x).abs().max() > 1e-2


def test_the_lookahead_of_nesterov_is_the_parameter_of_torch():
    solver, oracle, x = Nesterov(0.3, 0.8), Noisy(), X0
    state, seen = solver.init(x), [X0]
    for _ in range(60):
        x, state = solver.step(x, state, oracle)
        seen.append(state.y)
    expected = torch_path(60, lr=0.3, momentum=0.8, nesterov=True)
    torch.testing.assert_close(torch.stack(seen), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("lam", [1.0, 0.4, 0.05])
def test_heavy_ball_on_a_parabola_is_a_matrix_power(lam):
    a, beta = 0.7, 0.6
    problem = quadratic(torch.tensor([lam], dtype=torch.float64), torch.ones(1))
    ours = walk(HeavyBall(a, beta), Oracle.full(problem), problem.start, 30)[:, 0]
    companion = np.array([[1 + beta - a * lam, -beta], [1, 0]])
    expected = [(np.linalg.matrix_power(companion, k) @ [1, 1])[0] for k in range(31)]
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("lam", [1.0, 0.4, 0.05])
def test_nesterov_on_a_parabola_is_a_matrix_power(lam):
    a, beta = 0.7, 0.6
    problem = quadratic(torch.tensor([lam], dtype=torch.float64), torch.ones(1))
    ours = walk(Nesterov(a, beta), Oracle.full(problem), problem.start, 30)[:, 0]
    q = 1 - a * lam
    companion = np.array([[q * (1 + beta), -q * beta], [1, 0]])
    expected = [(np.linalg.matrix_power(companion, k) @ [1, 1])[0] for k in range(31)]
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-14)


def test_nesterov_momentum_follows_the_sequence_of_the_convex_case():
    """beta_k read off the iterates, against t_k computed apart; and t_k >= (k+2)/2, from which the rate follows."""
    problem = quadratic(LAM, X0)
    solver, oracle, x = Nesterov(0.5), Oracle.full(problem), X0
    state, t = solver.init(x), 1.0
    for k in range(40):
        new, state = solver.step(x, state, oracle)
        after = 0.5 + np.sqrt(0.25 + t**2)
        beta = float(((state.y - new) @ (new - x)) / ((new - x) @ (new - x)))
        assert beta == pytest.approx((t - 1) / after, rel=1e-8, abs=1e-10)
        assert after >= (k + 3) / 2
        x, t = new, after


def test_heavy_ball_for_a_quadratic_contracts_by_the_root_of_its_momentum():
    mu, L = 0.01, 1.0
    rate = (1 - mu**0.5) / (1 + mu**0.5)
    solver = HeavyBall.for_quadratic(mu, L)
    assert solver.momentum == pytest.approx(rate**2)
    spectrum = torch.linspace(mu, L, 7)
    x = walk(solver, Oracle.full(quadratic(spectrum, torch.ones(7))), torch.ones(7, dtype=torch.float64), 200)
    k = torch.arange(201)
    # double roots at both ends of the spectrum: a factor of order k
    assert (x.norm(dim=-1) <= 3 * (1 + k) * rate**k * 7**0.5).all()
    assert x[200].norm() > 0.1 * rate**200


@pytest.mark.parametrize("kappa", [2.0, 100.0, 1e4])
def test_nesterov_meets_its_strongly_convex_bound(kappa):
    mu = 1 / kappa
    problem = quadratic(torch.logspace(np.log10(mu), 0, 20), torch.ones(20))
    solver = Nesterov.strongly_convex(mu, 1.0)
    assert solver.momentum == pytest.approx((kappa**0.5 - 1) / (kappa**0.5 + 1))
    trace = run(solver, Oracle.full(problem), problem.start, 300, problem.gap)
    potential = problem.initial_gap + mu * problem.radius**2 / 2
    assert (trace.values <= potential * (1 - kappa**-0.5) ** torch.tensor(trace.steps) + 1e-25).all()


def test_nesterov_meets_its_convex_bound_where_gradient_descent_does_not():
    problem = log_spaced()
    traces = {
        solver: run(solver(1.0), Oracle.full(problem), problem.start, 1000, problem.gap, at=range(1, 1001))
        for solver in (Nesterov, GradientDescent)
    }
    bound = 2 / (torch.arange(1, 1001) + 1.0) ** 2  # L = R = 1
    assert (traces[Nesterov].values <= bound).all()
    assert (traces[GradientDescent].values > bound).any()


def test_schedules():
    assert step_size(0.3, 5) == 0.3
    assert step_size(lambda k: 1 / (k + 1), 4) == 0.2
    lr = torch.tensor([0.1, 0.2])
    assert step_size(lr, 7) is lr
    assert [InverseTime(2.0)(k) for k in range(3)] == [1 / 2, 1 / 4, 1 / 6]
    assert [InversePower(3.0)(k) for k in (0, 3, 8)] == pytest.approx([3, 1.5, 1])
    assert InversePower(8.0, 2 / 3)(7) == pytest.approx(2)
    assert horizon_tuned(L=2.0, R=0.5, sigma=3.0, N=100) == 1 / 62


def test_steps_for_pl_never_exceed_the_inverse_of_l():
    mu, L = 0.1, 2.0
    rule = InverseTime.for_pl(mu, L)
    for k in range(200):
        assert rule(k) == pytest.approx(2 / (mu * (2 * L / mu + k + 1)))
        assert rule(k) <= 1 / L
    swept = InverseTime.for_pl(torch.tensor([[0.1], [0.2]]), L)
    assert swept(3).shape == (2, 1)
    assert float(swept(3)[0]) == pytest.approx(rule(3))
