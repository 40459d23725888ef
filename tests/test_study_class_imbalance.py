"""What the studies of class imbalance measure with: gains in steps, losses at the best step, groups that sum to the gap."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ratewitness.studies.adaptive import adam_transformer, gain_of_adam
from ratewitness.studies.adaptive.class_imbalance import bigram
from ratewitness.studies.adaptive.gain_of_adam import arrivals, gain, least, octaves
from ratewitness.studies.adaptive.learnt_by_heart import by_heart
from ratewitness.studies.claims import QUICK
from ratewitness.studies.measuring.tuning import around, between

torch.set_num_threads(1)


def test_octaves():
    assert octaves(8, "cpu").argmax(-1).tolist() == [0, 1, 1, 2, 2, 2, 2, 3]


@pytest.mark.parametrize(("setting", "names"), [(bigram, ("Zipf", "equal")), (by_heart, ("unequal",))])
def test_losses_of_groups_sum_to_the_gap(setting, names):
    at = setting(QUICK, *names)
    x = at.x0 + 0.1 * torch.randn(at.x0.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(at.losses(x).sum(-1), at.problem.gap(x))


def paths(*rates, steps=100):
    """Losses e^(-rate k) of one replicate in one group, a rate a step of the grid: (steps + 1, points, 1, 1)."""
    return np.exp(-np.outer(np.arange(steps + 1), rates))[..., None, None]


@pytest.fixture
def three_steps(monkeypatch):
    """A coarse grid of three steps; what comes after them is finer."""
    monkeypatch.setattr(gain_of_adam, "ends", lambda budget: (0, 2))


def test_the_best_step_and_its_edge(three_steps):
    assert least(QUICK, paths(0.1, 0.3, 0.2), 10) == pytest.approx(np.exp(-3.0))
    assert least(QUICK, paths(0.1, 0.3, 0.2, 0.4), 10) == pytest.approx(np.exp(-4.0))
    assert np.isnan(least(QUICK, paths(0.1, 0.2, 0.3), 10)).all()
    assert np.isnan(least(QUICK, paths(0.3, 0.2, 0.1), 10)).all()


def test_arrivals_are_interpolated_and_never_at_what_is_not_reached():
    losses = paths(0.3, 0.01, steps=10)[..., 0]
    found = arrivals(losses, np.array([np.exp(-1.0)]))
    assert found[0, 0] == pytest.approx(10 / 3)
    assert np.isinf(found[1, 0])


@pytest.mark.parametrize("method", ["GD", "Adam"])
def test_the_finer_grid_lies_beside_the_best_step(method):
    """Its losses after the judged number of steps are not above the coarse ones by more than a bend of the curve."""
    losses = gain_of_adam.descended(QUICK, by_heart, ("equal",), method)[8].sum(-1)
    coarse, fine = losses[:9].min(0), losses[9:].min(0)
    assert losses.shape[0] == 13
    assert (fine < 1.5 * coarse).all()


def test_every_replicate_has_a_finer_grid_of_its_own():
    grid, losses = np.array([0.1, 1.0, 10.0, 100.0]), np.array([[3.0, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    together = between(grid, losses, 3)
    np.testing.assert_allclose(together[:, 0], [0.1 * 10**0.5, 1.0, 10**0.5])
    np.testing.assert_allclose(together[:, 1], 0.1 * 10 ** np.array([0.25, 0.5, 0.75]))
    np.testing.assert_allclose(between(grid, losses, (0.25, 0.5, 0.75)), together)
    np.testing.assert_allclose(between(grid, losses[:, 0], 3), together[:, 0])


@pytest.mark.parametrize(
    ("fast", "slow", "expected"),
    [
        (paths(0.1, 0.4, 0.2), paths(0.05, 0.1, 0.01), 4.0),  # 25 steps to where the slower one is after 100
        (paths(0.1, 0.2, 0.1), paths(0.1, 0.2, 0.1), 1.0),
        (paths(0.05, 0.1, 0.01), paths(0.1, 0.4, 0.2), 0.25),  # in the other direction
        (paths(0.1, 0.2, 0.4), paths(0.05, 0.1, 0.01), np.nan),  # first to arrive at the edge
    ],
)
def test_gain_counts_steps_to_the_larger_loss(three_steps, monkeypatch, fast, slow, expected):
    found = {"fast": fast, "slow": slow}
    monkeypatch.setattr(gain_of_adam, "descended", lambda budget, setting, names, method: found[method])
    assert np.exp(gain(QUICK, bigram, (), "fast", "slow")) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(("best", "outcome"), [(2, "supported"), (0, "inconclusive"), (4, "inconclusive")])
def test_a_step_at_the_end_of_its_grid_supports_nothing(monkeypatch, best, outcome):
    """Runs that are made up: Adam ends at 1 nat, the other at 2, each at its best step, the same index in both grids."""

    budget, (centre, points) = replace(QUICK, seed=best + 1), (1, 5)  # a seed of its own, so that nothing is kept

    def made_up(budget, method, lr, stream, seeds):
        steps = around(adam_transformer.METHODS[method][centre], points)
        away = abs(np.log(lr / steps[best]) / np.log(steps[1] / steps[0]))
        end = 1.0 + (method != "Adam") + away + 1e-3 * np.arange(seeds) * (method == "Adam")
        return np.tile(end, (len(adam_transformer.records(budget)), 1))

    monkeypatch.setattr(adam_transformer, "losses", made_up)
    verdict = adam_transformer.adam_ends_lower.check(budget)
    assert verdict.outcome == outcome
    assert verdict.evidence["loss_SGD, momentum"] == pytest.approx(2.0)
