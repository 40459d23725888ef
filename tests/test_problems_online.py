"""Sequences of losses against sums round by round, autograd, and the frequencies they promise."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.problems.online.slopes import (
    drifting_minimizer,
    dropping_scale,
    experiment,
    experiment_stochastic,
    negative_family,
    periodic,
    play,
    reddi_stochastic,
    regret,
    sparse_features,
    three_periodic,
    two_slopes,
)
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import run
from scripted import seeded


def column(*numbers):
    return torch.tensor(numbers, dtype=torch.float64).unsqueeze(-1)


EVERY = {
    "three-periodic": three_periodic(3.5),
    "C-periodic": periodic(7),
    "periods": periodic(torch.tensor([[2], [5], [101]])),
    "family": negative_family(10),
    "experiment": experiment(),
    "stochastic": reddi_stochastic(column(3.0, 40.0, 2.0), 0.5),
    "experiment drawn": experiment_stochastic(),
    "absolute": sparse_features(torch.tensor([1.0, 0.5, 0.01]), D=2.0, pull=torch.tensor([0.5, -1.0, 0.0])),
    "linear": sparse_features(torch.tensor([1.0, 0.5, 0.01]), "linear", D=2.0, pull=torch.tensor([0.5, -1.0, 0.1])),
    "jump": drifting_minimizer(column(4, 9, 30), noise=0.5),
    "move": drifting_minimizer(5, before=-1.0, after=2.0, over=6, curvature=3.0, low=-1.0, high=0.5),
    "drop": dropping_scale(column(3, 8, 12), 10.0, after=column(0.0, 1.0, -1.0), noise=1.0),
}
every_problem = pytest.mark.parametrize("problem", EVERY.values(), ids=EVERY.keys())


def point(problem, seed=0):
    batch = torch.broadcast_shapes(problem.start.shape[:-1], (3,))
    return torch.randn(*batch, *problem.shape, generator=seeded(seed), dtype=torch.float64)


@every_problem
@pytest.mark.parametrize("t", [0, 1, 5, 9, 101])
def test_the_gradient_is_that_of_the_loss(problem, t):
    x = point(problem).requires_grad_()
    loss = problem.loss(t, x)
    assert loss.shape == x.shape[:-1]
    gradient = problem.grad(t, x.detach())
    assert gradient.shape == x.shape
    torch.testing.assert_close(gradient, torch.autograd.grad(loss.sum(), x)[0], rtol=1e-13, atol=1e-14)


@every_problem
@pytest.mark.parametrize("T", [0, 1, 2, 3, 7, 14, 31, 102])
def test_the_best_point_is_the_best_and_its_loss_the_sum_over_the_rounds(problem, T):
    best, total = problem.best(T)
    low = -5.0 if problem.low is None else problem.low
    high = 5.0 if problem.high is None else problem.high
    assert (best >= low).all()
    assert (best <= high).all()

    def loss(x):
        return sum((problem.loss(t, x) for t in range(T)), torch.zeros(problem.start.shape[:-1], dtype=torch.float64))

    torch.testing.assert_close(total.expand(problem.start.shape[:-1]), loss(best), rtol=1e-11, atol=1e-11)
    for share in torch.linspace(0, 1, 41, dtype=torch.float64):  # every point of a grid, coordinate by coordinate
        for i in range(problem.shape[0]):
            other = best.expand(problem.start.shape).clone()
            other[..., i] = low + share * (high - low)
            assert (loss(other) >= loss(best) - 1e-9).all()


@given(C=st.integers(1, 50), period=st.integers(2, 20), T=st.integers(0, 10**9))
def test_periodic_sums_in_exact_fractions(C, period, T):
    big = Fraction(C, 4)
    total = big * len(range(0, T, period)) - (T - len(range(0, T, period)))
    best, loss = two_slopes("any", C / 4, -1.0, period).best(T)
    assert loss.item() == -abs(total)
    assert total == 0 or best.item() == (-1 if total > 0 else 1)


@pytest.mark.parametrize("C", [2.0001, 3.0, 100.0])
def test_minus_one_is_best_for_large_slopes(C):
    assert all(three_periodic(C).best(T)[0].item() == -1 for T in range(1, 40))
    assert all(periodic(int(C) + 2).best(T)[0].item() == -1 for T in range(1, 120))


def test_named_where_it_is_not_unique():
    assert three_periodic(2.0).best(300)[0].item() == -1
    assert sparse_features(torch.tensor([0.5]), "linear", pull=0.0).best(9)[0].item() == 0


def test_rounds_of_the_paper():
    problem, x = three_periodic(3.0), torch.zeros(1, dtype=torch.float64)
    assert [problem.grad(t, x).item() for t in range(7)] == [3, -1, -1, 3, -1, -1, 3]  # t + 1 = 1, 4, 7 there
    assert [experiment().grad(t, x).item() for t in (0, 1, 100, 101)] == [1010, -10, -10, 1010]
    slopes = [negative_family(4).grad(t, x).item() for t in range(8)]
    assert slopes == [4, -1, -1, -1] * 2


@pytest.mark.parametrize("name", ["three-periodic", "C-periodic", "periods", "experiment"])
def test_the_losses_have_their_period(name):
    problem = EVERY[name]
    x = point(problem)
    for t in range(3):
        for row, period in enumerate(torch.as_tensor(problem.period).flatten().tolist()):
            assert (problem.grad(t, x) == problem.grad(t + period, x))[row].all()


def test_a_batch_of_periods_is_its_single_problems():
    problem = EVERY["periods"]
    x = point(problem)
    for T in (1, 4, 100, 12345):
        best, total = problem.best(T)
        for row, C in enumerate((2, 5, 101)):
            alone = periodic(C)
            assert torch.equal(problem.grad(T, x)[row], alone.grad(T, x[row]))
            assert torch.equal(problem.loss(T, x)[row], alone.loss(T, x[row]))
            assert best[row] == alone.best(T)[0]
            assert total[row] == alone.best(T)[1]


def test_a_constant_gradient_follows_the_shape_and_type_of_x():
    problem = three_periodic(column(3.0, 4.0))
    for x in (torch.zeros(2, 5, 1, dtype=torch.float64)[:, 0], torch.zeros(4, 2, 1), torch.zeros(2, 1)):
        gradient = problem.grad(3, x)
        assert (gradient.shape, gradient.dtype) == (x.shape, x.dtype)
        assert torch.equal(gradient[..., 0], torch.tensor([3.0, 4.0], dtype=x.dtype).expand(x.shape[:-1]))


@pytest.mark.parametrize("name", ["stochastic", "experiment drawn", "absolute", "linear", "jump", "drop"])
def test_drawn_gradients_have_the_mean_gradient(name):
    problem, count = EVERY[name], 40_000
    x = problem.start + 0.3
    sweep = problem.start.shape[:-1]
    seen = problem.sample_grad(6, x.expand(count, *x.shape), problem.draw((count, *sweep), seeded(3)))
    error = (seen.mean(0) - problem.grad(6, x)).abs()
    assert (error <= 5 * seen.std(0) / count**0.5 + 1e-9 * seen.abs().mean(0)).all()


@pytest.mark.parametrize("losses", ["absolute", "linear"])
def test_coordinates_take_part_at_their_frequencies(losses):
    p = torch.tensor([1.0, 0.3, 0.05], dtype=torch.float64)
    problem = sparse_features(p, losses, pull=0.4)
    x = torch.zeros(50_000, 3, dtype=torch.float64)
    seen = problem.sample_grad(0, x, problem.draw((50_000,), seeded()))
    assert set(seen.unique().tolist()) <= {-1.0, 0.0, 1.0}
    assert ((seen != 0).double().mean(0) - p).abs().max() < 0.01


def test_the_mean_slopes_of_the_paper():
    x = torch.zeros(1, dtype=torch.float64)
    for C, delta in ((3.0, 0.1), (50.0, 2.0)):
        torch.testing.assert_close(reddi_stochastic(C, delta).grad(0, x).item(), delta, rtol=1e-12, atol=0)
    torch.testing.assert_close(experiment_stochastic().grad(0, x).item(), 0.2, rtol=1e-12, atol=0)


def test_noise_is_bounded_and_scales_with_the_gradient():
    problem, x = dropping_scale(5, 10.0, noise=2.0), torch.zeros(100, 1, dtype=torch.float64)
    for t, size in ((4, 2.0), (5, 0.2)):
        seen = problem.sample_grad(t, x, problem.draw((100,), seeded()))
        torch.testing.assert_close(seen.abs(), torch.full_like(x, size), rtol=1e-12, atol=0)
        assert seen.unique().numel() == 2


def test_the_minimizer_moves_when_it_should():
    def centres(problem, rounds):
        return [round(-problem.grad(t, torch.zeros(1, dtype=torch.float64)).item(), 12) for t in range(rounds)]

    assert centres(drifting_minimizer(2), 4) == [0, 0, 1, 1]
    assert centres(drifting_minimizer(2, after=3.0, over=3), 6) == [0, 0, 1, 2, 3, 3]


def test_every_query_is_a_round_and_redraw_repeats_it():
    oracle, measure = play(three_periodic(3.0))
    x = torch.ones(2, 1, dtype=torch.float64)
    assert [oracle.grad(x)[0].item() for _ in range(4)] == [3, -1, -1, 3]
    assert oracle.grad(x, redraw=False)[0].item() == 3
    assert (oracle.sample, oracle.calls) == (3, 5)
    assert oracle.full_grad(x)[0].item() == oracle.component_grads(x)[0].item() == oracle.value(x)[0].item() == 3
    assert oracle.grad(x)[0].item() == -1
    assert [measure(x)[0].item() for _ in range(2)] == [-1, -1]  # of round 5, the next one
    oracle.grad(x)
    assert measure(x)[0].item() == 3


def test_a_drawn_round_is_repeated_as_well():
    problem = experiment_stochastic()
    oracle, measure = play(problem, seeded())
    x = torch.ones(2000, 1, dtype=torch.float64)
    first = oracle.grad(x)
    assert torch.equal(oracle.grad(x, redraw=False), first)
    assert not torch.equal(oracle.grad(x), first)
    assert 0 < (first == 1010).sum() < 60  # the replicates draw for themselves
    torch.testing.assert_close(measure(x), torch.full((2000,), 0.2, dtype=torch.float64))
    torch.testing.assert_close(oracle.full_grad(x), torch.full((2000, 1), 0.2, dtype=torch.float64))


@pytest.mark.parametrize("name", ["three-periodic", "periods", "move", "experiment drawn"])
def test_regret_of_a_run_is_its_sum(name):
    problem = EVERY[name]
    generator = None if problem.draw is None else seeded(4)
    oracle, measure = play(problem, generator)
    x0 = problem.start.expand(3, *problem.start.shape[-1:]).clone()
    solver = Box(GradientDescent(0.05), problem.low, problem.high)
    trace = run(solver, oracle, x0, 40, measure, over="mean", at=[0, 3, 40])
    x, state, total = x0, solver.init(x0), 0
    again, _ = play(problem, None if generator is None else seeded(4))
    sums = []
    for t in range(41):
        total = total + problem.loss(t, x)
        sums.append(total)
        x, state = solver.step(x, state, again)
    for row, k in enumerate((0, 3, 40)):
        expected = (sums[k] - problem.best(k + 1)[1]) / (k + 1)
        torch.testing.assert_close(regret(problem, trace.steps, trace.values)[row], expected, rtol=1e-12, atol=1e-12)


def test_the_measure_is_of_the_round_that_comes_next_whenever_it_is_asked():
    """Records at some iterations only, over="last", are those of a run that records all."""
    records = []
    for at in (range(31), [0, 7, 13, 30]):
        oracle, loss = play(three_periodic(3.0))
        trace = run(GradientDescent(0.1), oracle, torch.zeros(1, dtype=torch.float64), 30, loss, at=at)
        records.append(dict(zip(trace.steps, trace.values.tolist(), strict=True)))
    assert all(records[0][k] == value for k, value in records[1].items())
