"""SVRG and SAGA on ridge regression: unbiased, linearly convergent, equal to a plain numpy reference."""

import numpy as np
import pytest
import torch
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.saga import SAGA
from ratewitness.solvers.svrg import SVRG
from scripted import walk

N, D, RIDGE = 12, 3, 0.1
_rng = np.random.default_rng(0)
A, B = _rng.standard_normal((N, D)), _rng.standard_normal(N)
L_MAX = float((A**2).sum(1).max() + RIDGE)
SOLUTION = np.linalg.solve(A.T @ A / N + RIDGE * np.eye(D), A.T @ B / N)
START = np.array([2.0, -1.0, 3.0])


def component(i, x):
    """grad of (1/2)(<a_i, x> - b_i)^2 + (ridge/2)||x||^2 for one x, in numpy."""
    return A[i] * (A[i] @ x - B[i]) + RIDGE * x


class Ridge:
    """The finite sum with draws given in advance, (T, *batch, 1)."""

    n = N

    def __init__(self, draws):
        self.draws, self.sample = iter(draws), None

    def at(self, x, index):
        a, b = torch.from_numpy(A)[index], torch.from_numpy(B)[index]
        return a * ((a * x).sum(-1, keepdim=True) - b[..., None]) + RIDGE * x

    def grad(self, x, redraw=True):
        if redraw:
            self.sample = next(self.draws)
        return self.at(x, self.sample[..., 0])

    def component_grads(self, x):
        return self.at(x.unsqueeze(-2), torch.arange(N).expand(*x.shape[:-1], N))

    def full_grad(self, x):
        return self.component_grads(x).mean(-2)


def draws(steps, *batch, seed=0):
    return torch.randint(N, (steps, *batch, 1), generator=torch.Generator().manual_seed(seed))


def numpy_svrg(index, lr, period):
    x, seen = START, [START]
    for k, i in enumerate(index):
        if k % period == 0:
            w = x
            full = np.mean([component(j, w) for j in range(N)], axis=0)
        x = x - lr * (component(i, x) - component(i, w) + full)
        seen.append(x)
    return np.array(seen)


def numpy_saga(index, lr, batch):
    x, seen = START, [START]
    table = np.array([component(j, x) for j in range(N)])
    for group in index.reshape(-1, batch):
        fresh = np.array([component(i, x) for i in group])
        x = x - lr * ((fresh - table[group]).mean(0) + table.mean(0))
        for i, g in zip(group, fresh, strict=True):
            table[i] = g
        seen.append(x)
    return np.array(seen)


def test_svrg_is_the_reference():
    index = draws(100, 3)
    ours = walk(SVRG(0.1, period=7), Ridge(index), torch.from_numpy(START).expand(3, D), 100)
    for r in range(3):
        np.testing.assert_allclose(ours[:, r], numpy_svrg(index[:, r, 0].numpy(), 0.1, 7), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("batch", [1, 3])
def test_saga_is_the_reference(batch):
    index = draws(120, 4)  # with 3 of 12 at a time, one component is often drawn twice in a step
    steps = 120 // batch
    if batch == 3:
        assert any(len(set(row)) < 3 for row in index[:, 0, 0].reshape(-1, 3).tolist())
    ours = walk(SAGA(0.05, batch=batch), Ridge(index), torch.from_numpy(START).expand(4, D), steps)
    for r in range(4):
        expected = numpy_saga(index[:, r, 0].numpy(), 0.05, batch)
        np.testing.assert_allclose(ours[:, r], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("solver", [SVRG(0.1, period=50), SAGA(0.1)], ids=["svrg", "saga"])
def test_the_direction_is_unbiased(solver):
    """From one state, the mean of the step over all n draws is the full gradient step; single draws differ from it."""
    x = torch.from_numpy(START)
    state, oracle = solver.init(x), Ridge(draws(9))
    for _ in range(9):
        x, state = solver.step(x, state, oracle)
    steps = torch.stack([solver.step(x, state, Ridge(torch.tensor([[i]])))[0] - x for i in range(N)])
    expected = -0.1 * Ridge([]).full_grad(x)
    torch.testing.assert_close(steps.mean(0), expected, rtol=1e-11, atol=1e-13)
    assert (steps - expected).norm(dim=-1).max() > 1e-3


@pytest.mark.parametrize("solver", [SVRG(0.2 / L_MAX, 2 * N), SAGA(1 / (3 * L_MAX))], ids=["svrg", "saga"])
def test_a_constant_step_converges_linearly_where_sgd_stalls(solver):
    steps = 6000
    x0 = torch.from_numpy(START).expand(20, D)
    solution = torch.from_numpy(SOLUTION)
    distance = (walk(solver, Ridge(draws(steps, 20)), x0, steps) - solution).norm(dim=-1).square().mean(-1)
    assert distance[steps] < 1e-20 * distance[0]
    # geometric decay: the logarithm falls by like amounts over like stretches, until rounding
    logs = distance[distance > 1e-22].log()
    third = len(logs) // 3
    falls = logs[0] - logs[third], logs[third] - logs[2 * third], logs[2 * third] - logs[3 * third - 1]
    assert min(falls) > 0.6 * max(falls)
    plain = walk(GradientDescent(0.2 / L_MAX), Ridge(draws(steps, 20)), x0, steps)
    assert (plain[-1] - solution).norm(dim=-1).square().mean() > 1e-4


def test_the_mean_of_the_table_does_not_drift():
    solver, x = SAGA(0.05, batch=2), torch.from_numpy(START).expand(3, D)
    state, oracle = solver.init(x), Ridge(draws(4000, 3))
    for _ in range(2000):
        x, state = solver.step(x, state, oracle)
    torch.testing.assert_close(state.mean, state.rows.mean(-2), rtol=0, atol=1e-12)
