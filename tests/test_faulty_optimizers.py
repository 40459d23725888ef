"""The corpus itself is right: the faulty class of every pair gives the wrong numbers, the other what its report asks for."""

import inspect
import math
import pickle
from functools import partial

import pytest
import torch
from faulty_optimizers import FAULTS, corrected, faulty
from ratewitness.studies.cards.subject import MATRIX, gap, normal, play, subject

ROUNDED = 1e-6  # the numbers of the table have six digits after the point
RULES = {
    "SGD": torch.optim.SGD,
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "AMSGrad": partial(torch.optim.Adam, amsgrad=True),
    "NAdam": torch.optim.NAdam,
    "Adagrad": torch.optim.Adagrad,
    "Adafactor": torch.optim.Adafactor,
    "Adamax": torch.optim.Adamax,
    "RMSprop": torch.optim.RMSprop,
}


def claimed(claim):
    """The class of torch that a claim names, with its arguments; None where torch has none of that name."""
    rule, arguments = claim[: claim.find("(")], claim[claim.find("(") + 1 : -1]
    return rule in RULES and partial(RULES[rule], **eval(f"dict({arguments})", {"dict": dict}))


TORCH = [name for name, fault in FAULTS.items() if claimed(fault.claim)]


@pytest.mark.parametrize("name", FAULTS)
def test_each_gives_its_numbers(name):
    fault = FAULTS[name]
    expected = partial(pytest.approx, abs=ROUNDED, nan_ok=True)
    assert fault.outcome(corrected(name), fault.kwargs) == expected(fault.right)
    if isinstance(fault.wrong, type):
        with pytest.raises(fault.wrong):
            fault.outcome(faulty(name), fault.kwargs)
    else:
        assert fault.outcome(faulty(name), fault.kwargs) == expected(fault.wrong)
        assert len(fault.wrong) == len(fault.right)
        assert any(not math.isclose(a, b, abs_tol=5 * ROUNDED) for a, b in zip(fault.wrong, fault.right, strict=True))


@pytest.mark.parametrize("name", TORCH)
def test_a_corrected_one_is_what_it_claims_to_be(name):
    """12 steps with Gaussian gradients. 1e-8 of the largest entry, since torch keeps a product of NAdam in float32."""
    fault = FAULTS[name]
    rule = claimed(fault.claim)
    for shape in (MATRIX, (4,)):
        points = [torch.nn.Parameter(normal(*shape, seed=99)) for _ in range(2)]
        optimizers = [corrected(name)(points[:1], **fault.kwargs), rule(points[1:])]
        for t in range(12):
            for x, optimizer in zip(points, optimizers, strict=True):
                x.grad = normal(*shape, seed=t)
                optimizer.step()
        assert gap(*(x.detach() for x in points)) <= 1e-8


def test_most_claims_are_compared_with_torch():
    assert len(TORCH) >= 45


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("which", [faulty, corrected])
def test_each_is_an_ordinary_optimizer(name, which):
    cls = which(name)
    assert pickle.loads(pickle.dumps(cls)) is cls
    assert cls.right == (which is corrected)
    assert isinstance(inspect.signature(cls).parameters["lr"].default, float)
    examined = subject(cls, FAULTS[name].kwargs)
    path = play(examined, normal(*MATRIX), [normal(*MATRIX, seed=t) for t in range(3)])
    assert path.isfinite().all() or which is faulty


def test_the_table_says_where_each_was_met():
    reported = [fault for fault in FAULTS.values() if not fault.invented]
    assert len(reported) == 31
    assert len(FAULTS) - len(reported) >= 20
    assert all("#" in fault.source for fault in reported)
    assert not any(fault.source for fault in FAULTS.values() if fault.invented)
    assert len({fault.cls for fault in FAULTS.values()}) == len(FAULTS)
