"""The study of recurrent networks: its clipping against torch's, and how it counts edges and diverged runs."""

import math
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.studies.adaptive import recurrent_runs as study
from ratewitness.studies.claims import QUICK
from ratewitness.studies.measuring.tuning import Chosen

from tests.scripted import gradients, path

torch.set_num_threads(1)


SEEDS = count(1)


@pytest.fixture
def tiny(monkeypatch):
    """A network of two units, so that a whole comparison takes a moment; and a seed of its own, so that nothing is kept."""
    monkeypatch.setattr(study, "HIDDEN", 2)
    return replace(QUICK, seed=next(SEEDS))


def test_clipping_is_torchs():
    g = gradients(20, 7, spread=2.0)
    assert (g.norm(dim=-1) > 1).any()
    assert (g.norm(dim=-1) < 1).any()
    x = torch.nn.Parameter(torch.zeros(7, dtype=torch.float64))
    optimizer, seen = torch.optim.SGD([x], lr=0.1, momentum=0.9), []
    for each in g:
        x.grad = each.clone()
        torch.nn.utils.clip_grad_norm_([x], 1.0)
        optimizer.step()
        seen.append(x.detach().clone())
    torch.testing.assert_close(path(study.Clipped(HeavyBall(0.1, 0.9)), g), torch.stack(seen), rtol=1e-5, atol=1e-5)


def test_clipping_treats_every_network_of_a_batch_by_its_own_norm_and_leaves_a_zero_alone():
    g = torch.tensor([[[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]]])
    moved = -path(study.Clipped(GradientDescent(1.0)), g)[0]
    torch.testing.assert_close(moved, torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]]))


def test_all_methods_start_at_the_same_points_and_each_seed_has_its_step(tiny):
    sgd, adam = study.trained(tiny, "adding", "SGD"), study.trained(tiny, "adding", "Adam")
    assert sgd.losses.shape == (len(sgd.steps), 8)
    np.testing.assert_array_equal(sgd.losses[0], adam.losses[0])
    assert sgd.chosen.lr.shape == adam.chosen.lr.shape == (8,)
    verdict = study.lower(tiny, "adding", "SGD", "SGD", -0.1)  # not by a factor below exp(-0.1): of equal losses
    assert verdict.evidence["ratio"] == 1.0


def test_a_run_that_diverged_supports_nothing_and_its_grid_is_misplaced(tiny, monkeypatch):
    monkeypatch.setitem(study.METHODS, "SGD", (GradientDescent, 1e20))
    sgd = study.trained(tiny, "adding", "SGD")
    assert sgd.on_edge == sgd.diverged == 8
    assert np.isnan(sgd.losses[-1]).all()
    assert study.lower(tiny, "adding", "Adam", "SGD", 0.0).outcome == "inconclusive"
    assert (sgd.table()["on an edge"] == 8).all()


@pytest.mark.parametrize(("on_edge", "outcome"), [(0, "supported"), (1, "inconclusive")])
def test_a_comparison_is_paired_and_an_edge_makes_it_inconclusive(monkeypatch, on_edge, outcome):
    rng = np.random.default_rng(0)
    common = np.exp(rng.normal(size=10))
    noise = 1 + 0.01 * rng.random(10)
    found = {"Adam": common, "SGD": 3 * common * noise}
    monkeypatch.setattr(
        study,
        "trained",
        lambda budget, task, method: study.Trained(
            Chosen(np.ones(10), np.ones(10), np.arange(10) < on_edge), [0], found[method][None], 1.0
        ),
    )
    assert study.lower(QUICK, "adding", "Adam", "SGD", study.ADVANTAGE).outcome == outcome
    assert study.lower(QUICK, "adding", "SGD", "Adam", study.ADVANTAGE).outcome == ("inconclusive" if on_edge else "refuted")
    assert study.lower(QUICK, "adding", "Adam", "SGD", math.log(4)).outcome == ("inconclusive" if on_edge else "refuted")
