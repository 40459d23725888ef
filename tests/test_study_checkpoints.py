"""A run with a checkpoint: killed in the middle it ends as if it had not been, and it refuses files that are not its own."""

import os

import numpy as np
import pytest
import torch
from ratewitness.problems.networks.character_model import Transformer
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.studies.claims import QUICK
from ratewitness.studies.landscapes.killed_runs import differing, killed
from ratewitness.studies.landscapes.language_model_runs import (
    HIDDEN,
    TUNING,
    Setting,
    chosen,
    fresh,
    losses,
    method,
    own_shards,
    tuned,
)
from ratewitness.studies.measuring.checkpoints import leaves, refilled, trained


class Parabola:
    """g = x + xi, and a counter in the place of a stream."""

    def __init__(self):
        self.state = {"position": 0}

    def grad(self, x, redraw=True):
        self.state["position"] += 1
        return x + torch.tensor([np.sin(self.state["position"])])

    def restore(self, state):
        self.state = dict(state)


def ran(solver, file=None, at=(0, 7, 20), named="it", x0=1.0):
    start = torch.full((3, 1), x0, dtype=torch.float64)
    return trained(solver, Parabola(), start, lambda x: x.square().sum(-1), list(at), file, every=4, named=named)


def test_a_process_that_was_killed_goes_on_bit_for_bit():
    """By SIGKILL, in the gradient of a step; the claim kills in the middle of a write as well."""
    assert killed(QUICK, "Muon", "drawn", "step") is not None
    assert differing(QUICK, "Muon", "drawn", "step") == 0
    assert differing(QUICK, "Muon", "drawn", "step", lost="moments") > 1000


def test_a_write_that_broke_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    file, count = tmp_path / "run.pt", []
    with monkeypatch.context() as broken:
        broken.setattr("os.replace", lambda *names, rename=os.replace: 1 / (len(count) < 2) and count.append(rename(*names)))
        with pytest.raises(ZeroDivisionError):
            ran(Adam(0.1), file)
    assert len(count) == 2
    assert torch.equal(ran(Adam(0.1), file).x, ran(Adam(0.1)).x)


def test_a_run_that_broke_goes_on(tmp_path, monkeypatch):
    file, whole = tmp_path / "deep" / "run.pt", ran(Adam(0.1))
    with monkeypatch.context() as broken:
        broken.setattr(Adam, "step", lambda *given, step=Adam.step: 1 / 0 if given[2].k == 11 else step(*given))
        with pytest.raises(ZeroDivisionError):
            ran(Adam(0.1), file)
    on = ran(Adam(0.1), file)
    assert torch.equal(on.x, whole.x)
    assert torch.equal(on.values, whole.values)
    assert [*map(str, leaves(on.state))] == [*map(str, leaves(whole.state))]
    assert on.steps == [0, 7, 20]
    assert sorted(on.seconds) == on.seconds
    again = ran(Adam(0.1), file)
    assert torch.equal(again.values, whole.values)
    assert again.x is None  # at its end it holds measures alone


def test_another_run_and_a_damaged_file_are_refused(tmp_path):
    file = tmp_path / "run.pt"
    ran(Adam(0.1), file)
    with pytest.raises(ValueError, match="is a checkpoint of 'it'; accepted is one of 'another'"):
        ran(Adam(0.1), file, named="another")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"is no whole checkpoint .*; accepted is to remove it"):
        ran(Adam(0.1), file)


def test_a_run_that_diverged_stops_and_counts_as_infinite():
    found = ran(GradientDescent(1e9), at=(0, 40, 80, 10**9))
    assert found.values[0].isfinite().all()
    assert not found.values[1:].isfinite().any()
    assert found.x is not None


def test_states_are_rebuilt_from_their_leaves():
    state = (Adam(0.1).init(torch.ones(2)), {"a": torch.zeros(1), "b": 3})
    again = refilled(state, iter([*leaves(state)]))
    assert type(again[0]) is type(state[0])
    assert again[1]["b"] == 3
    assert len([*leaves(state)]) == 5


TINY = Setting(Transformer(68, 8, 8, 2, 1), 2, 2, 2, 4, 2, 2, 2, 3, 5, 0.01, (("AdamW", 0.01), ("Muon", 0.01)))


def test_each_start_has_the_best_of_its_own_grids():
    found = tuned(QUICK, TINY, "Muon")
    assert len(found) == 20
    for part in ("hidden", "elsewhere"):
        for seed, step in enumerate(chosen(QUICK, TINY, "Muon", part)):
            own = found[(found["seed"] == seed) & (found["part"] == part)]
            assert step == own.loc[own["measured"].idxmin(), "step"]
            assert own["on_edge"].iloc[0] == (step in (own["step"].min(), own["step"].max()))
    middle = TINY.elsewhere
    again = losses(QUICK, TINY, "Muon", (chosen(QUICK, TINY, "Muon"),), ((middle,),), 2, TUNING, 2).values[-1, 0].double()
    at_the_middle = found[(found["part"] == "elsewhere") & (found["step"] == middle)]
    np.testing.assert_allclose(at_the_middle["measured"], again.cpu().numpy(), rtol=1e-6)  # at the chosen a
    assert fresh(QUICK, TINY, "Muon", 4).values.shape == (3, 1, 2)


def test_a_sweep_is_its_single_runs():
    """Steps (points, seeds) move each network as its own step would, and in proportion to it."""
    x, g = torch.randn(2, TINY.network.layout.size)

    class Fixed:
        def grad(self, x, redraw=True):
            return g.expand(x.shape)

    def twice(solver, x):
        state = solver.init(x)
        for _ in range(2):  # SOAP spends its first gradient
            x, state = solver.step(x, state, Fixed())
        return x

    lr = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]) * 1e-3
    for rule in ("AdamW", "Muon", "SOAP"):
        moved = twice(method(TINY, rule, lr, 2 * lr, 25), x.expand(2, 3, -1))
        alone = twice(method(TINY, rule, lr[1, 2], 2 * lr[1, 2], 25), x)
        hidden = TINY.network.layout.slices[HIDDEN[0]].start
        for part in (slice(0, hidden), slice(hidden, None)):
            lengths = (moved - x)[..., part].norm(dim=-1)
            torch.testing.assert_close(lengths / lr, lengths[0, 0].expand(2, 3) / lr[0, 0], rtol=1e-3, atol=0)
            if rule != "SOAP":  # where statistics are singular its basis is the decomposition's choice
                torch.testing.assert_close(lengths[1, 2], (alone - x)[part].norm(), rtol=1e-3, atol=0)


def test_its_own_shards_hold_the_whole_text():
    from ratewitness.problems.data.shards import Shards
    from ratewitness.problems.data.text import king_james

    with own_shards() as at:
        shards = Shards.in_folder(at, vocabulary=68)
        assert len(shards.paths) == 4
        assert torch.equal(torch.from_numpy(np.concatenate([*shards.scan()]).astype(np.int64)), king_james().train)
        assert len(Shards.in_folder(at, "val", 68)) == 418_190
    assert not at.exists()
