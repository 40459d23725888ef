"""L-BFGS against the dense BFGS formula, Newton's method and the refusal of bad pairs."""

import numpy as np
import pytest
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import quadratic, random_rotation
from ratewitness.solvers.lbfgs import LBFGS, inverse_hessian_times


def rotated(spectrum, seed=0):
    generator = torch.Generator().manual_seed(seed)
    d = len(spectrum)
    return quadratic(torch.tensor(spectrum), torch.randn(d, generator=generator), random_rotation(d, generator))


def dense(pairs, gamma):
    """H of the BFGS update H+ = (I - rho s y^T) H (I - rho y s^T) + rho s s^T, from gamma I."""
    d = len(pairs[0][0])
    H = gamma * np.eye(d)
    for s, y in pairs:
        rho = 1 / (s @ y)
        V = np.eye(d) - rho * np.outer(y, s)
        H = V.T @ H @ V + rho * np.outer(s, s)
    return H


@pytest.mark.parametrize("memory", [1, 3, 20])
def test_the_direction_is_that_of_dense_bfgs(memory):
    problem = perturbed(rotated([3.0, 1.0, 0.7, 0.2, 0.1]), 0.5, n=4)
    oracle = Oracle.minibatch(problem, 1, torch.Generator().manual_seed(1))
    solver, x = LBFGS(0.4, memory=memory, scale=0.3), problem.starts(2)
    x = x * torch.tensor([[1.0], [-2.0]])
    state, pairs = solver.init(x), [[], []]
    probe = torch.randn(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for _ in range(8):
        direction = inverse_hessian_times(probe, state)
        for i in range(2):
            s, y = pairs[i][-1] if pairs[i] else (None, None)
            gamma = 0.3 if s is None else (s @ y) / (y @ y)
            H = dense(pairs[i][-memory:], gamma) if pairs[i] else gamma * np.eye(5)
            np.testing.assert_allclose(direction[i], H @ probe[i].numpy(), rtol=1e-8, atol=1e-10)
        new, state = solver.step(x, state, oracle)
        for i in range(2):  # additive noise: y on one sample is the curvature of the mean, without noise
            s = (new - x)[i]
            pairs[i].append((s.numpy(), (problem.grad(new) - problem.grad(x))[i].numpy()))
        x = new


def test_the_first_step_is_a_scaled_gradient_step():
    problem = rotated([2.0, 1.0])
    solver = LBFGS(0.5, scale=0.2)
    x, _ = solver.step(problem.start, solver.init(problem.start), Oracle.full(problem))
    torch.testing.assert_close(x, problem.start - 0.5 * 0.2 * problem.grad(problem.start), rtol=1e-14, atol=0)


def test_exact_steps_end_after_d_steps():
    """The step along p that minimizes a quadratic, found from one probing step; d steps with memory d, not before."""
    spectrum = [5.0, 2.0, 1.0, 0.3, 0.1, 0.02]
    problem, memory = rotated(spectrum), len(spectrum)
    oracle, x = Oracle.full(problem), problem.start
    state, gaps = LBFGS(memory=memory, scale=0.2).init(x), []
    for _ in spectrum:
        p = LBFGS(1.0, memory).step(x, state, oracle)[0] - x
        exact = -(problem.grad(x) @ p) / (p @ (problem.grad(x + p) - problem.grad(x)))
        x, state = LBFGS(exact, memory).step(x, state, oracle)
        gaps.append(float(problem.gap(x)))
    assert gaps[-1] < 1e-20 * gaps[0]
    assert gaps[-2] > 1e-8 * gaps[0]


def test_unit_steps_converge_superlinearly():
    """The contraction per step itself tends to 0 with a full memory, and settles with a short one."""
    problem = rotated([5.0, 2.0, 1.0, 0.3])
    start, rates = problem.initial_gap, {}
    for memory in (1, 40):
        solver, x = LBFGS(1.0, memory=memory, scale=0.2), problem.start
        state, gaps = solver.init(x), [float(start)]
        while gaps[-1] > 1e-22 * gaps[0] and len(gaps) < 400:
            x, state = solver.step(x, state, Oracle.full(problem))
            gaps.append(float(problem.gap(x)))
        rates[memory] = np.array(gaps[1:]) / np.array(gaps[:-1]), len(gaps)
    assert rates[40][1] < 30
    assert rates[40][0][-3:].max() < 0.01
    assert rates[40][1] < rates[1][1]


def test_a_bad_pair_is_refused_by_its_replicate_alone():
    """Two parabolas at once, one of them upside down: only the convex one learns."""
    sign = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)

    class Saddle:
        def grad(self, x, redraw=True):
            return sign * torch.tensor([2.0, 0.5], dtype=torch.float64) * x

    x = torch.ones(2, 2, dtype=torch.float64)
    solver = LBFGS(0.1, memory=3, scale=0.7)
    state = solver.init(x)
    for _ in range(5):
        x, state = solver.step(x, state, Saddle())
    assert (state.rho[:, 0] > 0).all()
    assert (state.rho[:, 1] == 0).all()
    assert float(state.gamma[1]) == 0.7
    expected = torch.tensor([1 + 0.07 * 2.0, 1 + 0.07 * 0.5], dtype=torch.float64) ** 5  # gradient steps 0.1 * 0.7
    torch.testing.assert_close(x[1], expected)


def test_a_refused_pair_leaves_the_older_ones_in_place():
    class Turning:
        """Curvature 1, then -1 from the third step on: the third and later pairs are refused."""

        asked = 0

        def grad(self, x, redraw=True):
            self.asked += redraw
            return x if self.asked <= 2 else -x

    x, oracle = torch.tensor([1.0, 2.0], dtype=torch.float64), Turning()
    solver = LBFGS(0.3, memory=2)
    state = solver.init(x)
    for _ in range(2):
        x, state = solver.step(x, state, oracle)
    held = state
    for _ in range(4):
        x, state = solver.step(x, state, oracle)
    for part in ("s", "y", "rho", "gamma"):
        assert torch.equal(getattr(state, part), getattr(held, part))


def test_damping_adds_to_the_curvature():
    problem = rotated([2.0, 2.0])
    solver = LBFGS(0.5, damping=3.0)
    _, state = solver.step(problem.start, solver.init(problem.start), Oracle.full(problem))
    assert float(state.gamma) == pytest.approx(1 / (2 + 3))


def test_arriving_and_failing_leave_no_nan_behind():
    problem = rotated([1.0, 1.0])
    solver, x = LBFGS(1.0, scale=1.0), problem.start
    state = solver.init(x)
    for _ in range(20):  # the minimizer is reached at once, later steps are 0 or rounding
        x, state = solver.step(x, state, Oracle.full(problem))
    assert torch.isfinite(x).all()
    assert all(torch.isfinite(t).all() for t in state[:4])
    zero = torch.zeros(2, dtype=torch.float64)
    arrived, state = solver.step(zero, solver.init(zero), Oracle.full(problem))
    assert torch.equal(arrived, zero)
    assert float(state.gamma) == 1.0


def test_both_gradients_of_a_pair_share_a_sample():
    asked = []

    class Watched:
        def grad(self, x, redraw=True):
            asked.append(redraw)
            return x

    x = torch.ones(2, dtype=torch.float64)
    solver = LBFGS(0.1)
    state = solver.init(x)
    for _ in range(3):
        x, state = solver.step(x, state, Watched())
    assert asked == [True, False] * 3
