"""Armijo backtracking: what each accepted step satisfies, and when a search ends."""

import pytest
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.line_search import Armijo
from ratewitness.solvers.solver import run


class Given:
    """A function by its value and gradient; counts values."""

    n = 1

    def __init__(self, value, grad):
        self.values, self._value, self.grad = 0, value, grad

    def value(self, x):
        self.values += 1
        return self._value(x)


def cosh(scale):
    """sum cosh(scale_j x_j): smoothness grows with x, so that replicates backtrack differently."""
    return Given(lambda x: torch.cosh(scale * x).sum(-1), lambda x: scale * torch.sinh(scale * x))


@pytest.mark.parametrize("growth", [None, 1.0, 1.7])
@pytest.mark.parametrize(("c", "shrink"), [(0.5, 0.5), (1e-4, 0.8), (0.7, 0.3)])
def test_each_accepted_step_is_the_first_that_decreases_enough(c, shrink, growth):
    scale = torch.tensor([1.0, 0.3], dtype=torch.float64)
    oracle = cosh(scale)
    x = torch.tensor([[3.0, 3.0], [0.1, 0.1], [6.0, -2.0]], dtype=torch.float64)
    solver = Armijo(2.0, c, shrink, growth)
    state = solver.init(x)
    for k in range(15):
        for i in range(3):  # the same search, written as a loop over one point
            f, g = torch.cosh(scale * x[i]).sum(), scale * torch.sinh(scale * x[i])
            a = 2.0 if growth is None else float(growth * state.lr[i])
            trials = 1
            while torch.cosh(scale * (x[i] - a * g)).sum() > f - c * a * (g @ g):
                a, trials = a * shrink, trials + 1
            if i == 0:
                expected = []
            expected.append((x[i] - a * g, a, trials))
        before, counted = state.values, oracle.values
        x, state = solver.step(x, state, oracle)
        for i, (point, a, trials) in enumerate(expected):
            torch.testing.assert_close(x[i], point, rtol=1e-12, atol=1e-15)
            assert float(state.lr[i]) == pytest.approx(a, rel=1e-12)
            assert int(state.values[i] - before[i]) == (k == 0) + trials
        assert torch.equal(state.value.squeeze(-1), torch.cosh(scale * x).sum(-1))
        # one query per trial of the replicate that needs most, and f(x_0)
        assert oracle.values - counted == (k == 0) + max(trials for *_, trials in expected)


@pytest.mark.parametrize("growth", [None, 1.0, 3.0])
@pytest.mark.parametrize(("c", "shrink"), [(0.5, 0.5), (0.1, 0.9), (0.9, 0.2)])
def test_accepted_steps_are_bounded_below(c, shrink, growth):
    L = 4.0
    problem = quadratic(torch.tensor([L, 1.0, 0.2]), torch.randn(3, generator=torch.Generator().manual_seed(0)))
    solver, oracle, x = Armijo(5.0, c, shrink, growth), Oracle.full(problem), problem.starts(6)
    x = x * torch.linspace(0.5, 2, 6, dtype=torch.float64)[:, None]
    state = solver.init(x)
    for _ in range(30):
        x, state = solver.step(x, state, oracle)
        assert (state.lr >= min(5.0, 2 * (1 - c) * shrink / L) * (1 - 1e-9)).all()


def test_the_lower_bound_is_nearly_attained():
    """Along the stiffest axis every a > 2(1-c)/L is refused, so a trial just above it ends at shrink times that."""
    problem = quadratic(torch.tensor([4.0]), torch.ones(1))
    initial = 0.25 * 1.001
    solver = Armijo(initial, c=0.5, shrink=0.5)
    _, state = solver.step(problem.start, solver.init(problem.start), Oracle.full(problem))
    assert float(state.lr) == initial / 2


def test_steep_start_then_longer_steps():
    """With growth the step recovers where the curvature falls; without it never exceeds `initial`."""
    x0 = torch.tensor([[8.0]], dtype=torch.float64)
    oracle = cosh(torch.tensor([1.0], dtype=torch.float64))
    longest = {}
    for growth in (None, 2.0):
        solver, x = Armijo(1e-3, growth=growth), x0
        state = solver.init(x)
        steps = []
        for _ in range(40):
            x, state = solver.step(x, state, oracle)
            steps.append(float(state.lr))
        longest[growth] = max(steps)
    assert longest[None] == 1e-3
    assert longest[2.0] > 0.2


@pytest.mark.parametrize("growth", [None, 2.0])
def test_a_zero_gradient_passes_the_first_trial(growth):
    problem = quadratic(torch.tensor([1.0, 0.1]), torch.zeros(2))
    oracle = Oracle.full(problem)
    solver = Armijo(3.0, growth=growth)
    x, state = solver.step(problem.start, solver.init(problem.start), oracle)
    assert torch.equal(x, problem.start)
    assert oracle.values == 2
    assert float(state.lr) == 3.0


def test_nan_and_ascent_end_at_the_cap_and_leave_the_others_alone():
    def grad(x):
        sign = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)[:, None]
        return sign * x + torch.tensor([0.0, 0.0, torch.nan], dtype=torch.float64)[:, None]

    oracle = Given(lambda x: (x**2).sum(-1) / 2, grad)
    x0 = torch.ones(3, 2, dtype=torch.float64)
    solver = Armijo(0.5, trials=20)
    x, state = solver.step(x0, solver.init(x0), oracle)
    assert torch.equal(x[1:], x0[1:])  # ascent direction, NaN gradient: no step
    assert torch.equal(x[0], x0[0] / 2)
    assert oracle.values == 21
    assert state.values.flatten().tolist() == [2, 21, 21]
    assert state.lr.flatten().tolist() == [0.5, 0.5, 0.5]
    assert state.value.flatten().tolist() == [0.25, 1.0, 1.0]  # of the points kept, not of the trials refused
    x, state = solver.step(x, state, oracle)
    assert torch.equal(x, torch.tensor([[0.25], [1.0], [1.0]], dtype=torch.float64).expand(3, 2))
    assert oracle.values == 41
    assert state.values.flatten().tolist() == [3, 41, 41]
    assert state.value.flatten().tolist() == [0.0625, 1.0, 1.0]


def test_a_search_that_gave_up_goes_on_from_the_value_it_kept():
    """Two trials are too few from x = 5; the shorter step that the state then asks for is judged against f(5) = 12.5."""
    oracle = Given(lambda x: (x**2).sum(-1) / 2, lambda x: x)
    x0 = torch.tensor([[5.0]], dtype=torch.float64)
    solver = Armijo(8.0, c=0.25, trials=2)
    x, state = solver.step(x0, solver.init(x0), oracle)
    assert torch.equal(x, x0)
    assert state.value.tolist() == [[12.5]]
    assert oracle.values == 3
    x, state = Armijo(1.0, c=0.25).step(x, state, oracle)
    assert x.tolist() == [[0.0]]
    assert state.value.tolist() == [[0.0]]
    assert oracle.values == 4


def test_the_first_step_asks_for_the_start_and_no_other_does():
    """Where f is asked: at x_0 once, then at trials only; a step made twice from one state asks the same twice."""
    asked = []

    def value(x):
        asked.append(x.clone())
        return (x**2).sum(-1) / 2

    x = torch.tensor([[4.0], [1.0]], dtype=torch.float64)
    solver = Armijo(0.5, c=0.25)  # f falls by 3/8 x^2 along x/2: every first trial is accepted
    state, points = solver.init(x), [x]
    for _ in range(4):
        held = state
        x, state = solver.step(x, held, Given(value, lambda x: x))
        points.append(x)
    assert torch.equal(torch.stack(asked), torch.stack(points))
    again, other = solver.step(points[-2], held, Given(value, lambda x: x))
    assert torch.equal(again, x)
    assert torch.equal(other.value, state.value)
    assert torch.equal(other.values, state.values)
    assert len(asked) == len(points) + 1


@pytest.mark.parametrize("growth", [None, 2.0])
def test_a_replicate_needs_in_a_batch_what_it_needs_alone(growth):
    scale = torch.tensor([1.0, 0.3], dtype=torch.float64)
    x = torch.tensor([[3.0, 3.0], [0.1, 0.1], [6.0, -2.0]], dtype=torch.float64)
    solver = Armijo(2.0, growth=growth, trials=4)  # so few that the third gives up

    def after(x, steps=8):
        oracle, state = cosh(scale), solver.init(x)
        for _ in range(steps):
            x, state = solver.step(x, state, oracle)
        return x, state, oracle.values

    together, state, queries = after(x)
    assert torch.equal(together[2], x[2])
    assert state.values[2] > state.values[1]
    for i in range(3):
        alone, single, count = after(x[i : i + 1])
        # the same decisions, and the numbers to rounding: cosh is not rounded alike in tensors of other lengths; where the
        # curvature is 200, 8 steps that are not too long for it pass an error on hardly larger
        assert torch.equal(single.values[0], state.values[i])
        for one, whole in ((alone, together), (single.lr, state.lr), (single.value, state.value)):
            torch.testing.assert_close(one[0], whole[i], rtol=1e-11, atol=1e-14)
        assert count == single.values.item() <= queries


def test_an_overflowing_trial_is_shortened():
    oracle = cosh(torch.tensor([1.0], dtype=torch.float64))
    x0 = torch.tensor([[20.0]], dtype=torch.float64)
    solver = Armijo(1.0)
    x, _ = solver.step(x0, solver.init(x0), oracle)
    assert oracle.value(x) < oracle.value(x0)
    assert torch.isfinite(x).all()


def test_values_reach_the_trace():
    problem = quadratic(torch.tensor([1.0, 0.1]), torch.ones(2))
    trace = run(Armijo(1.0), Oracle.full(problem), problem.start, 5, problem.gap, at=range(6))
    assert trace.value_queries == [0] + [1 + k for k in range(1, 6)]
