"""What the oracle promises a solver: the sampling laws, the counts and the repeated sample."""

import itertools

import pytest
import torch
from ratewitness.problems.catalogue import catalogue
from ratewitness.problems.data.least_squares import random_least_squares
from ratewitness.problems.huber import huber
from ratewitness.problems.noisy_quadratics import noisy_parabola
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import norm
from ratewitness.problems.quadratics import quadratic
from scipy.stats import chisquare
from scripted import seeded

PROBLEMS = catalogue()


@pytest.fixture
def problem():
    return random_least_squares(6, 3, seeded())


def drawn(problem, b, sampling, replicates, calls, seed=0):
    oracle, x = Oracle.minibatch(problem, b, seeded(seed), sampling), problem.starts(replicates)
    samples = []
    for _ in range(calls):
        oracle.grad(x)
        samples.append(oracle.sample)
    return torch.stack(samples)  # (calls, replicates, b)


@pytest.mark.parametrize("sampling", ["with replacement", "without replacement", "reshuffled"])
@pytest.mark.parametrize("b", [1, 2, 4])
def test_every_component_is_equally_likely(problem, sampling, b):
    counts = drawn(problem, b, sampling, 2000, 6).flatten().bincount(minlength=6).numpy()
    assert chisquare(counts).pvalue > 1e-3


def test_every_subset_is_equally_likely(problem):
    samples = drawn(problem, 3, "without replacement", 4000, 2).sort(-1).values.flatten(0, 1).tolist()
    counts = [samples.count(list(subset)) for subset in itertools.combinations(range(6), 3)]
    assert sum(counts) == len(samples)  # never a component twice
    assert chisquare(counts).pvalue > 1e-3


def test_the_whole_sum_without_replacement_is_the_full_gradient(problem):
    x = problem.starts(5) + 1
    for sampling in ("without replacement", "reshuffled"):
        torch.testing.assert_close(Oracle.minibatch(problem, 6, seeded(), sampling).grad(x), problem.grad(x))


def test_independent_draws_repeat_components(problem):
    pairs = drawn(problem, 2, "with replacement", 3000, 1)[0]
    assert (pairs[:, 0] == pairs[:, 1]).double().mean() == pytest.approx(1 / 6, abs=0.03)


@pytest.mark.parametrize("b", [1, 2, 3])
def test_a_reshuffled_epoch_covers_each_component_once(problem, b):
    samples = drawn(problem, b, "reshuffled", 50, 3 * 6 // b)
    epochs = samples.unflatten(0, (3, 6 // b)).permute(0, 2, 1, 3).flatten(2)  # (epoch, replicate, 6)
    assert (epochs.sort(-1).values == torch.arange(6)).all()
    assert not torch.equal(epochs[0], epochs[1])  # a new permutation each time
    assert not (epochs[0] == epochs[0, 0]).all()  # and for every replicate


def test_reshuffling_follows_the_batch_of_x(problem):
    oracle = Oracle.minibatch(problem, 2, seeded(), "reshuffled")
    for replicates in ((3,), (5,), (), (2, 2)):
        x = problem.starts(*replicates)
        assert oracle.grad(x).shape == x.shape


def test_a_reshuffled_remainder_is_dropped(problem):
    samples = drawn(problem, 4, "reshuffled", 500, 10)
    assert all(len(set(batch)) == 4 for batch in samples.flatten(0, 1).tolist())


def test_the_sample_mean_is_unbiased_for_every_sampling(problem):
    x = problem.starts(40_000) + 1
    for sampling in ("with replacement", "without replacement", "reshuffled"):
        g = Oracle.minibatch(problem, 2, seeded(3), sampling).grad(x)
        error = (g.mean(0) - problem.grad(x[0])) / (g.std(0) / len(x) ** 0.5)
        assert error.abs().max() < 4.5


def test_gaussian_noise_has_its_variance_and_leaves_the_gradient(problem):
    x = problem.starts(40_000) + 1
    noise = Oracle.gaussian(problem, 2.0, seeded()).grad(x) - problem.grad(x)
    assert norm(noise, (3,)).square().mean() == pytest.approx(4.0, rel=0.03)
    assert (noise.mean(0).abs() < 4.5 * noise.std(0) / len(x) ** 0.5).all()
    assert torch.corrcoef(noise.mT).fill_diagonal_(0).abs().max() < 0.03


def test_gaussian_noise_takes_a_sweep_of_sigmas():
    problem = quadratic(torch.ones(1, 1, 2), torch.ones(1, 1, 2))
    sigma = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64).reshape(3, 1, 1)
    x = torch.ones(3, 20_000, 2, dtype=torch.float64)
    noise = Oracle.gaussian(problem, sigma, seeded()).grad(x) - problem.grad(x)
    measured = norm(noise, (2,)).square().mean(-1)
    torch.testing.assert_close(measured, sigma.flatten() ** 2, rtol=0.05, atol=0)


def test_what_is_counted(problem):
    x = problem.starts(7)
    cases = [
        (Oracle.full(problem), 6),
        (Oracle.minibatch(problem, 2, seeded()), 2),
        (Oracle.minibatch(problem, 9, seeded()), 9),  # more draws than components, with replacement
        (Oracle.gaussian(problem, 1.0, seeded()), 1),
    ]
    for oracle, cost in cases:
        assert (oracle.calls, oracle.component_gradients, oracle.values) == (0, 0, 0)
        oracle.grad(x)
        oracle.grad(x, redraw=False)
        assert (oracle.calls, oracle.component_gradients) == (2, 2 * cost)
        oracle.full_grad(x)
        assert (oracle.calls, oracle.component_gradients) == (3, 2 * cost + 6)
        oracle.component_grads(x)
        assert (oracle.calls, oracle.component_gradients, oracle.values) == (4, 2 * cost + 12, 0)
        oracle.value(x)
        assert (oracle.calls, oracle.component_gradients, oracle.values) == (4, 2 * cost + 12, 1)


def test_what_parts_and_hessians_cost(problem):
    x = problem.starts(7)
    for oracle, cost in ((Oracle.full(problem), 6), (Oracle.minibatch(problem, 2, seeded()), 2)):
        oracle.part_grads(x.unsqueeze(0), 2)
        assert (oracle.calls, oracle.component_gradients) == (1, cost)
        oracle.hessian_vector(x, x)
        oracle.hessian_vector(x.unsqueeze(0), x, part=1)
        assert (oracle.calls, oracle.component_gradients, oracle.values) == (5, 5 * cost, 0)


def test_parts_are_runs_of_the_sample_each_at_its_point(problem):
    x = problem.starts(2, 3) + torch.arange(3.0).unsqueeze(-1)
    oracle = Oracle.minibatch(problem, 4, seeded())
    shared = oracle.part_grads(x.unsqueeze(0), 2)
    assert shared.shape == (2, 2, 3, 3)
    torch.testing.assert_close(shared.mean(0), oracle.grad(x, redraw=False))
    points = torch.stack([x, 2 * x])
    found = oracle.part_grads(points, 2, redraw=False)
    for i in range(2):
        torch.testing.assert_close(found[i], problem.sample_grad(points[i], oracle.sample[..., 2 * i : 2 * i + 2]))
    assert not torch.equal(oracle.part_grads(points, 2), found)  # a new sample
    every = Oracle.full(problem).part_grads(x.unsqueeze(0), 1)
    torch.testing.assert_close(every.movedim(0, -2), Oracle.full(problem).component_grads(x))


def test_products_with_the_hessian_of_the_sample(problem):
    """Least squares: those of X_S^T X_S / b, from second differences of the gradient, which are exact."""
    x, v = problem.starts(5), torch.randn(5, 3, generator=seeded(1), dtype=torch.float64)
    for oracle in (Oracle.full(problem), Oracle.minibatch(problem, 4, seeded()), Oracle.gaussian(problem, 1.0, seeded())):
        before = oracle.grad(x)
        found = oracle.hessian_vector(x, v)
        torch.testing.assert_close(found, oracle.grad(x + v, redraw=False) - before, rtol=1e-10, atol=1e-12)
    oracle = Oracle.minibatch(problem, 4, seeded())
    before = oracle.part_grads(x.unsqueeze(0), 2)
    found = oracle.hessian_vector(x.unsqueeze(0), torch.stack([v, 2 * v]), part=2)
    after = oracle.part_grads(torch.stack([x + v, x + 2 * v]), 2, redraw=False)
    torch.testing.assert_close(found, after - before, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_products_with_hessians_of_every_problem(name):
    """Against central differences of the gradient, at points where it is smooth."""
    f = PROBLEMS[name]
    generator = seeded(2)
    x = f.starts(2, 2) if f.start.ndim == len(f.shape) else f.start
    x = x + 0.1 * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    v = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        found = Oracle.full(f).hessian_vector(x, v)
        h = 1e-6
        expected = (f.grad(x + h * v) - f.grad(x - h * v)) / (2 * h)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().amax() + 1))


def test_redraw_false_repeats_the_sample(problem):
    x = problem.starts(50) + 1
    for oracle in (Oracle.minibatch(problem, 2, seeded()), Oracle.gaussian(problem, 1.0, seeded())):
        first = oracle.grad(x)
        assert torch.equal(oracle.grad(x, redraw=False), first)
        oracle.full_grad(2 * x)  # asks for nothing random, and so keeps the sample
        assert torch.equal(oracle.grad(x, redraw=False), first)
        assert not torch.equal(oracle.grad(x), first)


def test_redraw_false_draws_when_there_is_no_sample_yet(problem):
    x = problem.starts(4)
    for before in (lambda oracle: None, lambda oracle: oracle.full_grad(x), lambda oracle: oracle.component_grads(x)):
        oracle = Oracle.minibatch(problem, 2, seeded())
        before(oracle)
        assert oracle.grad(x, redraw=False).shape == x.shape


def test_seeds_reproduce(problem):
    for sampling in ("with replacement", "without replacement", "reshuffled"):
        same = [drawn(problem, 2, sampling, 5, 7, seed=s) for s in (1, 1, 2)]
        assert torch.equal(same[0], same[1])
        assert not torch.equal(same[0], same[2])


def test_component_grads_is_the_table_of_all(problem):
    x = problem.starts(2, 3) + torch.arange(3.0).unsqueeze(-1)
    table = Oracle.full(problem).component_grads(x)
    assert table.shape == (2, 3, 6, 3)
    torch.testing.assert_close(table.mean(-2), problem.grad(x))
    index = torch.full((2, 3, 1), 4)
    torch.testing.assert_close(table[..., 4, :], problem.sample_grad(x, index))


def test_full_and_value_are_those_of_the_problem():
    problem = huber(1.0, 0.2, 1.0)
    x = problem.starts(4) * torch.linspace(0, 1, 4, dtype=torch.float64).unsqueeze(-1)
    assert torch.equal(Oracle.full(problem).grad(x), problem.grad(x))
    assert torch.equal(Oracle.full(problem).value(x), problem.gap(x))
    assert torch.equal(Oracle.full(problem).full_grad(x), problem.grad(x))


def test_noise_of_a_sweep_is_independent_over_replicates():
    problem = noisy_parabola(1.0, 1.0)
    x = problem.starts(3000)
    noise = (Oracle.minibatch(problem, 1, seeded()).grad(x) - problem.grad(x)).squeeze(-1)
    signs = noise.sign()
    torch.testing.assert_close(noise, signs, rtol=1e-15, atol=0)  # 1, of two gradients of size 1: each is rounded
    assert set(signs.tolist()) == {-1.0, 1.0}
    assert abs(float(signs.mean())) < 4.5 / 3000**0.5


def test_gaussian_sigma_broadcasts_against_x():
    sigma = torch.tensor([0.0, 5.0], dtype=torch.float64).reshape(2, 1, 1)
    problem = quadratic(torch.ones(2, 1, 3), torch.ones(2, 1, 3))
    x = problem.starts(4000)
    noise = Oracle.gaussian(problem, sigma, seeded()).grad(x) - problem.grad(x)
    measured = norm(noise, (3,)).square().mean(-1)
    assert measured[0] == 0
    assert measured[1] == pytest.approx(25, rel=0.1)
