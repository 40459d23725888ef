"""Averages and random iterates against the plain sequence of the inner solver."""

import numpy as np
import pytest
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.around.averaging import PolyakRuppert, RandomIterate
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.schedule_free import ScheduleFree
from scripted import Scripted, gradients, normal, walk

STEPS, INNER = 40, HeavyBall(0.3, 0.5)


def path(solver):
    """Iterates (STEPS + 1, 6, 2) on noise that is the same for every solver."""
    problem = perturbed(quadratic(torch.tensor([1.0, 0.3]), torch.ones(2)), 1.0, n=4)
    oracle = Oracle.minibatch(problem, 1, torch.Generator().manual_seed(0))
    return walk(solver, oracle, problem.starts(6), STEPS).numpy()


@pytest.mark.parametrize("skip", [0, 1, 13])
def test_the_average_is_the_cumulative_mean(skip):
    plain, averaged = path(INNER), path(PolyakRuppert(INNER, skip_start=skip))
    np.testing.assert_array_equal(averaged[: skip + 1], plain[: skip + 1])
    for k in range(skip + 1, STEPS + 1):
        np.testing.assert_allclose(averaged[k], plain[skip + 1 : k + 1].mean(0), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("skip", [0, 1, 13])
def test_the_average_from_the_start_is_the_cumulative_mean(skip):
    plain, averaged = path(INNER), path(PolyakRuppert(INNER, skip_start=skip, include_start=True))
    np.testing.assert_array_equal(averaged[0], plain[0])
    for k in range(1, skip + 1):
        np.testing.assert_array_equal(averaged[k], plain[k - 1])
    for k in range(skip + 1, STEPS + 1):
        np.testing.assert_allclose(averaged[k], plain[skip:k].mean(0), rtol=1e-12, atol=1e-13)


def test_a_random_iterate_stops_at_its_index():
    index = torch.tensor([0, 1, 5, 20, 39, 100])[:, None]
    plain, stopped = path(INNER), path(RandomIterate(INNER, index))
    for g, R in enumerate(index[:, 0].tolist()):
        for k in range(STEPS + 1):
            np.testing.assert_array_equal(stopped[k, g], plain[min(k, R), g])


def test_schedule_free_is_the_mean_of_its_run_and_without_interpolation_that_of_sgd():
    plain, free = path(GradientDescent(0.3)), path(ScheduleFree(0.3, 0.0))
    for k in range(STEPS + 1):
        np.testing.assert_allclose(free[k], plain[: k + 1].mean(0), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 1.0])
def test_schedule_free_takes_its_gradients_between_the_mean_and_the_run(beta):
    g, x0 = gradients(12, 3), normal(3)
    asked = []

    class Watching(Scripted):
        def grad(self, x, redraw=True):
            asked.append(x)
            return super().grad(x)

    found = walk(ScheduleFree(0.1, beta), Watching(g), x0, len(g))
    run = torch.stack([x0 - 0.1 * g[:k].sum(0) for k in range(len(g) + 1)])
    means = torch.stack([run[: k + 1].mean(0) for k in range(len(g) + 1)])
    torch.testing.assert_close(found, means)
    torch.testing.assert_close(torch.stack(asked), ((1 - beta) * run + beta * means)[:-1])


def test_the_index_is_uniform():
    solver = RandomIterate.uniform(INNER, 5, (3, 4000), torch.Generator().manual_seed(0), ndim=2)
    assert solver.index.shape == (3, 4000, 1, 1)
    counts = torch.bincount(solver.index.flatten(), minlength=5)
    assert len(counts) == 5
    assert ((counts - 2400).abs() < 5 * (12000 * 0.2 * 0.8) ** 0.5).all()
