"""Runs that leave a batch as they generalize, and what is read off a path."""

import numpy as np
import torch
from ratewitness.problems.networks.modular_addition import TwoHot, on_table
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.solver import run
from ratewitness.studies.landscapes import grokking_runs
from ratewitness.studies.landscapes.grokking_contest import misplaced
from ratewitness.studies.landscapes.grokking_walks import LAGS, LOOK, paths
from scripted import seeded


def test_a_run_arrives_when_it_would_by_itself(monkeypatch):
    """Whoever else is in the batch, and has left it before."""
    monkeypatch.setattr(grokking_runs, "NETWORK", TwoHot(5, 16))
    drawn = grokking_runs.drawn(seeded(), 2, dtype=torch.float64)
    settings = [{"lr": 0.1, "decay": decay} for decay in (0.1, 1.0)]
    knobs, runs = grokking_runs.repeated(settings, drawn)
    found = grokking_runs.arrivals(grokking_runs.grokfast_with_decay, knobs, runs, 30)
    assert np.isnan(found.generalized).any() or len(set(found.generalized)) > 1
    for j, (start, *table) in enumerate(zip(runs.start, *runs.table, strict=True)):
        own = type(runs.table)(*table)
        solver = grokking_runs.grokfast_with_decay({name: knob[j].double() for name, knob in knobs.items()})
        oracle = Oracle.full(on_table(grokking_runs.NETWORK, own, start))
        trace = run(solver, oracle, start, 30, lambda x, own=own: grokking_runs.NETWORK.accuracies(x, own), range(0, 31, 5))
        for times, part, threshold in ((found.learnt, 0, 0.99), (found.generalized, 1, 0.95)):
            hit = np.flatnonzero(trace.values[:, part].numpy() >= threshold)
            expected = 5.0 * hit[0] if len(hit) else np.nan
            np.testing.assert_equal(times[j], expected)


def test_a_run_leaves_when_another_of_its_group_has_generalized(monkeypatch):
    monkeypatch.setattr(grokking_runs, "GENERALIZED", 0.0)  # at once
    drawn = grokking_runs.drawn(seeded(), 2)
    knobs, runs = grokking_runs.repeated([{"lr": 0.01, "decay": 1.0}], drawn)
    found = grokking_runs.arrivals(grokking_runs.adamw, knobs, runs, 5, groups=torch.tensor([0, 0]))
    assert found.generalized.tolist() == [0.0, 0.0]
    assert np.isnan(found.learnt).all()


def test_the_first_of_a_group_is_its_least_time():
    times, groups = torch.tensor([torch.nan, 10.0, torch.nan, 5.0]), torch.tensor([0, 1, 1, 1])
    assert grokking_runs.firsts(times, groups).tolist() == [torch.inf, 5.0]


def test_a_grid_is_misplaced_where_an_end_is_more_accurate_than_all_inside():
    accuracy = np.full((5, 4, 2), 0.5)
    assert not misplaced(accuracy)
    accuracy[2, 0] = 0.6  # an end of the second setting
    assert misplaced(accuracy)
    accuracy[1, 2] = 0.56
    assert not misplaced(accuracy)
    assert not misplaced(accuracy[..., :0])  # every group generalized


def test_straight_lines_and_independent_steps_have_their_exponents():
    steps = torch.randn(400, 3, 500, generator=seeded(), dtype=torch.float64)
    for walk, cosine, power in ((steps, 0.0, 1.0), (steps[:1].expand_as(steps), 1.0, 2.0)):
        cosines, squares = paths(walk.cumsum(0))
        np.testing.assert_allclose(cosines, cosine, atol=0.05)
        np.testing.assert_allclose(squares / squares[0], (np.array(LAGS)[:, None] / LOOK) ** power * np.ones(3), rtol=0.1)
