"""Equal tuning finds the best step, flags the edge of a grid, and lets no comparison pass that rests on one."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.studies.claims import Verdict
from ratewitness.studies.measuring.tuning import Tuned, each_chosen, tried, tune, unless_on_edge
from ratewitness.studies.norms.logreg_runs import flops

PROBLEM = quadratic([1.0, 0.1], [1.0, 1.0])  # GD is best with 2/(L + mu) = 1.82


def tuned(centre, points=(9, 8)):
    return tune(GradientDescent, lambda lr: lr, centre, points, PROBLEM, lambda: Oracle.full(PROBLEM), 40, 2)


def test_the_best_step_of_gradient_descent_is_found():
    found = tuned(0.3)
    assert found.grid.shape == (17,)
    assert found.losses.shape == (17,)
    assert (np.diff(found.grid) > 0).all()
    assert found.grid[0] == pytest.approx(0.003)
    assert found.grid[-1] == pytest.approx(30)
    assert found.lr == pytest.approx(2 / 1.1, rel=0.15)
    assert not found.on_edge
    alone = PROBLEM.start
    for _ in range(40):
        alone = alone - found.lr * PROBLEM.grad(alone)
    assert found.losses[found.best] == pytest.approx(PROBLEM.gap(alone).item(), rel=1e-9)


@pytest.mark.parametrize("centre", [2e-3, 500.0])
def test_a_misplaced_grid_is_flagged(centre):
    assert tuned(centre).on_edge


def test_a_diverged_seed_spoils_its_step():
    """Noise that sends one of four seeds to infinity."""
    shaken = replace(PROBLEM, sample_grad=lambda x, index: PROBLEM.grad(x) * (1 + 1e160 * (index == 0)))
    oracle = Oracle(shaken, lambda batch: torch.arange(batch[-1]).expand(*batch).unsqueeze(-1), shaken.sample_grad, 1)
    found = tune(GradientDescent, lambda lr: lr, 0.3, (9, 8), shaken, lambda: oracle, 40, 4)
    assert np.isinf(found.losses).all()
    assert found.on_edge


def test_every_step_meets_the_same_samples():
    """The loss of a step with noise is that of a run alone with the same stream, on the coarse grid and on the fine one."""

    def noisy():
        return Oracle.gaussian(PROBLEM, 1.0, torch.Generator().manual_seed(0))

    found = tune(GradientDescent, lambda lr: lr, 0.03, (5, 4), PROBLEM, noisy, 40, 3)
    for lr, loss in zip(found.grid[found.grid < 1], found.losses[found.grid < 1], strict=True):
        x, alone = PROBLEM.starts(1, 3), noisy()
        for _ in range(40):
            x = x - lr * alone.grad(x)
        assert loss == pytest.approx(PROBLEM.gap(x).mean().item(), rel=1e-9)


def test_a_better_neighbour_on_the_fine_grid_does_not_hide_a_coarse_edge():
    """The last coarse step, 1.95, is the best of its grid; 1.51 on the fine one is better still."""
    found = tuned(0.0195, (5, 8))
    assert found.grid[-1] == pytest.approx(1.95)
    assert 0 < found.best < len(found.grid) - 1
    assert found.on_edge


def test_each_seed_chooses_for_itself():
    """Losses (log lr - best)^2 with another best for each seed: the nearest of the steps, coarse or fine; and an edge."""
    grid, best = np.logspace(-2, 2, 5), np.array([0.0, 0.3, -0.5, 2.0])

    def losses(steps):
        found = (np.log10(steps) - best) ** 2
        return np.where(steps * np.ones_like(best) > 99, np.nan, found)

    chosen = each_chosen(losses, grid, 3)
    np.testing.assert_allclose(np.log10(chosen.lr), [0.0, 0.5, -0.5, 1.5])
    np.testing.assert_allclose(chosen.losses, [0.0, 0.04, 0.0, 0.25], atol=1e-12)
    assert chosen.on_edge == 0  # the last seed's best, 100, diverged: 10 is not an end
    assert each_chosen(lambda steps: losses(steps / 100), grid, 3).on_edge == 3
    assert chosen.of(slice(1, 3)).lr.tolist() == chosen.lr[1:3].tolist()


def test_what_was_tried_stands_beside_its_steps():
    """With the points on another axis, and the coarse steps first."""
    grid = np.array([1.0, 10.0, 100.0])
    steps, runs = tried(
        lambda s: np.stack([0 * s * np.ones(2), s * np.ones(2)]), grid, 2, lambda r: abs(np.log10(r[1]) - 0.9), 1
    )
    np.testing.assert_allclose(steps[:3], grid[:, None] * np.ones(2))
    np.testing.assert_allclose(runs[1], steps)
    np.testing.assert_allclose(steps[3:, 0], 10 ** np.array([2 / 3, 4 / 3]))


def test_on_an_edge_nothing_is_supported():
    inside = Tuned(np.arange(3.0), np.array([2.0, 1.0, 3.0]))
    edge = Tuned(np.arange(3.0), np.array([0.0, 1.0, 3.0]))
    verdict = Verdict("supported", {"effect": 1.0})
    assert unless_on_edge(verdict, inside, inside).outcome == "supported"
    spoiled = unless_on_edge(verdict, inside, edge)
    assert spoiled.outcome == "inconclusive"
    assert spoiled.evidence == {"effect": 1.0, "steps_on_an_edge": 1.0}


def test_the_cost_of_a_step_counts_its_products():
    """Of the quintic: gram matrix, its square, and the product with the matrix, each 2 flops a multiply-add."""
    d, K = 100, 10
    gradient = 2 * (2 * 128 * d * K)  # the scores of a batch and their product with the rows
    step = sum(2 * math.prod(sizes) for sizes in ((K, d, K), (K, K, K), (K, K, d)))
    assert flops("normalized GD", (d, K)) == gradient
    assert flops("Muon, quintic", (d, K)) == flops("Muon, quintic", (K, d)) == gradient + 5 * step
    assert flops("AdamW", (d, K)) - gradient < 0.05 * gradient
