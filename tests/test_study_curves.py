"""What the paths between networks rest on: where training stops, and which second ends and bends there are."""

import numpy as np
import pytest
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.studies.claims import QUICK
from ratewitness.studies.landscapes import curve_runs, edge_runs
from ratewitness.studies.landscapes.curve_runs import Pairs, bent, ends, free_point, network, second_end, trained_to

PAIRS = Pairs(8)


@pytest.fixture(scope="module")
def budget():
    return QUICK.shared("mode_connectivity")


def test_training_stops_at_the_first_iterate_that_is_as_low_and_says_where_none_is():
    problem = quadratic([1.0], [1.0])
    x0 = torch.tensor([[1.0], [0.5], [1e6]], dtype=torch.float64)
    found = trained_to(0.1, 400, Oracle.full(problem), x0, problem.gap)
    assert (problem.gap(found[:2]) <= 0.1).all()
    assert (problem.gap(found[:2]) > 0.09).all()
    assert found[2].isnan().all()


def test_exchanged_neurons_compute_the_same_and_are_two_a_layer(budget):
    net, first = network(8), ends(budget, PAIRS)[0]
    other = second_end(budget, PAIRS, "two exchanged")
    inputs = curve_runs.digits(budget).inputs
    assert torch.allclose(net.outputs(first, inputs), net.outputs(other, inputs), atol=1e-4)
    moved = [net.layout.split(a)["b1"] != net.layout.split(b)["b1"] for a, b in zip(first, other, strict=True)]
    assert [int(each.sum()) for each in moved] == [2] * len(first)


def test_bends_of_controls_are_as_far_from_half_way(budget):
    half_way, theta = (free_point(budget, PAIRS, shape, "independent") for shape in ("line", "bezier"))
    length = (theta - half_way).norm(dim=-1)
    for bend in ("random", "of another"):
        away = bent(budget, PAIRS, "bezier", "independent", bend) - half_way
        assert torch.allclose(away.norm(dim=-1).sort().values, length.sort().values, rtol=1e-4)
        assert ((away * (theta - half_way)).sum(-1).abs() < 0.5 * length**2).all()


def test_a_sharpness_with_a_large_residual_is_left_out(monkeypatch):
    budget = QUICK.shared("edge_of_stability")
    monkeypatch.setattr(edge_runs, "steps", lambda budget, method, time=None: 20)
    monkeypatch.setattr(edge_runs, "LANCZOS", 2)
    run = edge_runs.trained.__wrapped__(budget, "gradient descent")
    assert (np.isnan(run.sharpness) == (run.residual > edge_runs.RESIDUAL)).all()
    assert np.isnan(run.sharpness).any()
