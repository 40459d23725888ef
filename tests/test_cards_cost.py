"""What a step costs, of methods whose cost is known, and of planted ones that keep or read more than they should."""

import pytest
import torch
from ratewitness.studies.cards.cost import cost, counted, timed
from ratewitness.studies.cards.subject import subject
from torch.optim import Optimizer


class Wide(Optimizer):
    """Momentum in float64, whatever the parameters are."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p, dtype=torch.float64))
                m.mul_(0.9).add_(p.grad)
                p.sub_(group["lr"] * m)


class Reads(Wide):
    """Waits for the norm of every gradient."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(p.grad, alpha=group["lr"] / (1 + p.grad.norm().item()))


class Hides(Wide):
    """Keeps a copy of the parameters where state_dict does not see it."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.slow = {"copies": [p.detach().clone() for group in self.param_groups for p in group["params"]]}

    @torch.no_grad()
    def step(self):
        for p, slow in zip(self.param_groups[0]["params"], self.slow["copies"], strict=True):
            p.sub_(0.1 * p.grad)
            slow.lerp_(p, 0.5)


class NoSingle(Wide):
    def step(self):
        if self.param_groups[0]["params"][0].dtype != torch.float64:
            raise TypeError("float64 only")
        super().step()


def facts(cls, **kwargs):
    return {fact.name: fact for fact in counted(subject(cls, kwargs))}


@pytest.mark.parametrize(
    ("cls", "kwargs", "state"),
    [
        (torch.optim.SGD, {}, 0),
        (torch.optim.SGD, {"momentum": 0.9}, 1),
        (torch.optim.Adam, {}, 2),
        (torch.optim.Adam, {"amsgrad": True}, 3),
        (torch.optim.Muon, {}, 1),
        (torch.optim.LBFGS, {"history_size": 3}, 8),  # 3 pairs, direction and last gradient
        (Hides, {}, 1),
    ],
)
def test_state_is_counted_wherever_it_is_kept(cls, kwargs, state):
    assert facts(cls, **kwargs)["state"].number == pytest.approx(state, abs=0.01)  # and some scalars


def test_state_that_is_wider_than_its_parameters_shows():
    state = facts(Wide)["state"]
    assert state.number == 1
    assert "float64" in state.finding
    assert "2.00 x the memory" in state.finding


def test_passes_and_calls():
    sgd = facts(torch.optim.SGD)
    assert (sgd["passes"].number, sgd["calls"].number) == (3, 1)
    heavy_ball = facts(torch.optim.SGD, momentum=0.9)
    assert (heavy_ball["passes"].number, heavy_ball["calls"].number) == (8, 3)  # m *= b: 2, m += g: 3, x -= lr m: 3
    adam = facts(torch.optim.Adam)
    assert adam["passes"].number > 15
    assert adam["calls"].number > 5


def test_reads_of_the_host_are_not_those_of_step_counters():
    assert facts(torch.optim.SGD)["host reads"].finding == "0.0 a step"
    adam = facts(torch.optim.Adam)["host reads"]
    assert adam.number == 0
    assert "4.0 of its own step counters" in adam.finding
    assert facts(Reads)["host reads"].number == 4


def test_time_stands_beside_that_of_sgd():
    (time,) = timed(subject(Reads))
    assert time.number > 0
    assert "x SGD" in time.finding
    assert "of this machine" in time.finding


def test_what_float32_raises_is_told():
    found = list(cost(subject(NoSingle)))
    assert all(fact.part == "cost" and "TypeError: float64 only" in fact.finding for fact in found)
