"""Layerwise against its solvers on their own, against torch.optim; the schedule of networks."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.adam import AdamW
from ratewitness.solvers.around.layerwise import Layerwise, Part
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.norms.muon import Muon
from ratewitness.solvers.norms.polar import ExactPolar
from ratewitness.solvers.schedules import Trapezoid
from ratewitness.solvers.solver import iterates, run

D = 14  # two 2 x 3 matrices, then a vector of 2
PROBLEM = perturbed(
    quadratic(torch.linspace(0.1, 1.0, D, dtype=torch.float64), torch.ones(D, dtype=torch.float64)), 0.5, n=6
)
MATRICES, REST = slice(0, 12), slice(12, 14)
STEPS = 8


def oracle(seed=3):
    return Oracle.minibatch(PROBLEM, 2, torch.Generator().manual_seed(seed))


def start(*batch):
    return torch.randn(*batch, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def path(solver, x, answers):
    return torch.stack([x for _, x in zip(range(STEPS + 1), iterates(solver, answers, x), strict=False)])


def mixed(lr=0.05):
    return Layerwise([Part(REST, (2,), AdamW(0.1, 0.9, 0.95)), Part(MATRICES, (2, 2, 3), Muon(lr, 0.9))])


@pytest.mark.parametrize("solver", [GradientDescent(0.3), HeavyBall(0.2, 0.8), AdamW(0.1)], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("batch", [(), (3,)])
def test_one_solver_in_parts_is_the_solver_itself(solver, batch):
    parts = Layerwise([Part(REST, (2,), solver), Part(slice(0, 6), (2, 3), solver), Part(slice(6, 12), (6,), solver)])
    seen, expected = path(parts, start(*batch), oracle()), path(solver, start(*batch), oracle())
    # to rounding: torch fuses multiply-adds in some places of a tensor and not in others, with its length
    torch.testing.assert_close(seen, expected, rtol=0, atol=1e-13)


def test_each_part_moves_as_its_solver_does_on_the_same_gradients():
    points, answers = path(mixed(), start(), oracle()), oracle()
    gradients = iter([answers.grad(x) for x in points[:-1]])
    matrices, rest = points[0, MATRICES].view(2, 2, 3), torch.nn.Parameter(points[0, REST].clone())
    optimizer = torch.optim.AdamW([rest], 0.1, (0.9, 0.95), weight_decay=0.01)
    m = torch.zeros_like(matrices)
    for g, x in zip(gradients, points[1:], strict=True):
        rest.grad = g[REST]
        optimizer.step()
        m = 0.9 * m + 0.1 * g[MATRICES].view(2, 2, 3)
        U, _, Vh = torch.linalg.svd(0.1 * g[MATRICES].view(2, 2, 3) + 0.9 * m, full_matrices=False)
        matrices = matrices - 0.05 * U @ Vh
        torch.testing.assert_close(x[REST], rest.detach(), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(x[MATRICES], matrices.flatten(), rtol=1e-10, atol=1e-10)


def test_the_gradient_is_asked_once_a_step():
    asked = oracle()
    trace = run(mixed(), asked, start(), STEPS, PROBLEM.gap, at=[0, 1, STEPS])
    assert trace.calls == [0, 1, STEPS]
    assert trace.component_gradients == [0, 2, 2 * STEPS]


def test_a_step_changes_nothing_in_place():
    x = start()
    state = mixed().init(x)
    mixed().step(x, state, oracle())
    assert torch.equal(x, start())
    assert not state[0].m.any()
    assert state[0].k == 0


def test_a_batch_is_its_single_runs():
    x, solver = start(2, 3), mixed()
    together = path(solver, x, Oracle.full(PROBLEM))
    for i in range(2):
        for j in range(3):
            single = path(solver, x[i, j], Oracle.full(PROBLEM))
            torch.testing.assert_close(together[:, i, j], single, rtol=1e-12, atol=1e-13)


def test_a_sweep_of_steps_is_its_single_runs():
    lr = torch.tensor([0.02, 0.1], dtype=torch.float64)
    swept = path(mixed(lr.reshape(2, 1, 1, 1)), start().expand(2, D), Oracle.full(PROBLEM))
    for i in range(2):
        torch.testing.assert_close(swept[:, i], path(mixed(lr[i]), start(), Oracle.full(PROBLEM)), rtol=1e-12, atol=1e-13)


def test_float32_stays_float32():
    x = start().float()
    g = PROBLEM.grad(start()).float()

    class Constant:
        def grad(self, x):
            return g

    assert mixed().step(x, mixed().init(x), Constant())[0].dtype == torch.float32


def test_a_second_sample_is_refused_and_the_same_one_is_not():
    class Twice:
        def __init__(self, redraw):
            self.redraw = redraw

        def init(self, x):
            return None

        def step(self, x, state, oracle):
            return x - oracle.grad(x) + oracle.grad(x, redraw=self.redraw), None

    same = Layerwise([Part(slice(0, D), (D,), Twice(False))])
    torch.testing.assert_close(same.step(start(), same.init(start()), oracle())[0], start(), rtol=0, atol=1e-14)
    fresh = Layerwise([Part(slice(0, D), (D,), Twice(True))])
    with pytest.raises(ValueError, match="second gradient"):
        fresh.step(start(), fresh.init(start()), oracle())


def test_the_polar_factor_of_each_matrix_of_a_stack():
    x, orthogonal = start(), ExactPolar()
    solver = Layerwise([Part(MATRICES, (2, 2, 3), Muon(1.0, 0.0, scale=None)), Part(REST, (2,), GradientDescent(0.0))])
    new, _ = solver.step(x, solver.init(x), Oracle.full(PROBLEM))
    for where in (slice(0, 6), slice(6, 12)):
        g = PROBLEM.grad(x)[where].view(2, 3)
        torch.testing.assert_close(new[where], x[where] - orthogonal(g).flatten(), rtol=1e-12, atol=1e-12)


# Trapezoid


@given(warm_up=st.integers(0, 20), plateau=st.integers(0, 20), decay=st.integers(0, 20))
def test_the_trapezoid_rises_stays_and_falls(warm_up, plateau, decay):
    steps = warm_up + plateau + decay
    a = [Trapezoid(3.0, steps, warm_up, decay)(k) for k in range(steps + 3)]
    assert a[steps:] == [0.0] * 3
    assert a[warm_up : warm_up + plateau] == [3.0] * plateau
    assert a[:warm_up] == pytest.approx([3.0 * (k + 1) / warm_up for k in range(warm_up)])
    assert a[warm_up + plateau : steps] == pytest.approx([3.0 * (decay - j) / decay for j in range(decay)])


def test_the_trapezoid_takes_a_sweep_of_peaks():
    peaks = torch.tensor([[1.0], [2.0]])
    assert torch.equal(Trapezoid(peaks, 10, 4, 5)(1), peaks / 2)
    assert torch.equal(replace(Trapezoid(peaks, 10, 4, 5), warm_up=0)(1), peaks)
