"""The facts of a card: what is known of torch's optimizers, and numbers that are recovered from steps alone."""

import math

import pytest
import pytorch_optimizer
import torch
from faulty_optimizers import corrected, faulty
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.studies.cards.decay import decay
from ratewitness.studies.cards.examined import Examined
from ratewitness.studies.cards.lengths import degree, epsilon, first_step, longest_step, steady_step
from ratewitness.studies.cards.memory import direction, forgetting, order, prony, size
from ratewitness.studies.cards.numerics import clock, half_precision, not_a_number
from ratewitness.studies.cards.subject import gap, normal, play, steps_of, subject
from ratewitness.studies.cards.symmetries import SYMMETRIES, stacks


def it(cls, **kwargs):
    return Examined(subject(cls, kwargs), output=True)


def found(cls, *names, **kwargs):
    examined = it(cls, **kwargs)
    return [SYMMETRIES[name](examined).finding for name in names]


KNOWN = [
    # class, arguments: translation, entrywise, rotation, scaling, tensors
    ("SGD", {"momentum": 0.9}, ("yes", "yes", "yes", "degree 1", "apart")),
    ("Adam", {}, ("yes", "yes", "no", "degree 0, up to epsilon", "apart")),
    ("Adagrad", {"eps": 0.0}, ("yes", "yes", "no", "degree 0", "apart")),
    ("Rprop", {}, ("yes", "yes", "no", "degree 0", "apart")),
    ("Adafactor", {}, ("no", "no", "no", "degree 0", "apart")),
    ("Muon", {}, ("yes", "no", "no", "degree 0", "apart")),
]


@pytest.mark.parametrize(("name", "kwargs", "facts"), KNOWN, ids=lambda value: value if isinstance(value, str) else "")
def test_symmetries_of_torch(name, kwargs, facts):
    asked = "translation", "entrywise", "rotation", "scaling", "tensors"
    assert tuple(found(getattr(torch.optim, name), *asked, **kwargs)) == facts


def test_a_matrix_method_turns_with_rotations_of_either_side():
    sides = "rotation of rows", "rotation of columns", "rotation"
    assert found(corrected("muon_decay_has_no_effect"), *sides) == ["yes", "yes", "no"]


def test_tensors_that_see_each_other():
    assert found(pytorch_optimizer.Prodigy, "tensors") == ["together"]


def test_a_convolution_is_one_matrix_or_a_stack():
    assert stacks(it(torch.optim.Adam)).finding == "all alike"
    assert stacks(it(corrected("muon_stacks_together"))).finding == "as a stack of such matrices"


@settings(max_examples=10)
@given(st.floats(0.5, 0.98), st.floats(0.99, 0.9999))
def test_betas_are_recovered_to_four_digits(beta1, beta2):
    examined = it(torch.optim.Adam, betas=(beta1, beta2))
    assert direction(examined).number == pytest.approx(beta1, abs=1e-4)
    assert size(examined).number == pytest.approx(beta2, abs=1e-4)


@settings(max_examples=5)
@given(st.floats(0.5, 0.98))
def test_the_beta_of_a_rule_of_signs_is_recovered(beta):
    assert direction(it(pytorch_optimizer.SignSGD, momentum=beta)).number == pytest.approx(beta, abs=1e-3)


@settings(max_examples=20)
@given(st.lists(st.floats(0.2, 0.95), min_size=2, max_size=2, unique_by=lambda rate: round(rate, 1)), st.floats(0.3, 3.0))
def test_prony_recovers_two_exponentials(rates, weight):
    h = [rates[0] ** k + weight * rates[1] ** k for k in range(40)]
    z, a, residual = prony(torch.tensor(h, dtype=torch.float64).numpy(), 2)
    assert residual < 1e-6
    assert sorted(z.real) == pytest.approx(sorted(rates), rel=1e-4)
    assert a.real.sum() == pytest.approx(1 + weight, rel=1e-4)


@settings(max_examples=10)
@given(st.floats(-12, -2))
def test_epsilon_is_found_where_it_is(power):
    eps = 10**power
    outside = epsilon(it(torch.optim.Adam, eps=eps))
    assert outside.finding.startswith("outside the root")
    assert outside.number == pytest.approx(eps, rel=1e-6)


def test_epsilon_inside_and_where_there_is_none():
    assert epsilon(it(pytorch_optimizer.Shampoo)).finding.startswith("inside the root")
    assert epsilon(it(torch.optim.SGD)).finding.startswith("none seen: the degree is 1")
    assert epsilon(it(pytorch_optimizer.SignSGD)).finding.startswith("none seen down to")


@pytest.mark.parametrize(
    ("cls", "kwargs", "words"),
    [
        (torch.optim.SGD, {}, "the same coupled or decoupled"),
        (torch.optim.SGD, {"momentum": 0.9}, "coupled"),
        (torch.optim.Adam, {}, "coupled"),
        (torch.optim.AdamW, {}, "decoupled, before the step: 1 lr weight_decay"),
        (corrected("adamw_decay_not_times_lr"), {}, "decoupled, before the step: 1 lr weight_decay"),
    ],
)
def test_decay(cls, kwargs, words):
    assert decay(it(cls, **kwargs)).finding.startswith(words)


def test_decay_that_is_not_as_it_should_be():
    free = decay(it(faulty("adamw_decay_not_times_lr"))).finding
    assert free.startswith("decoupled, before the step: 1 weight_decay, free of lr")
    assert decay(it(faulty("adamw_decays_after_the_step"))).finding.startswith("decoupled, after the step")


def test_the_first_step_is_named():
    assert first_step(it(torch.optim.Adam)).finding == "1 lr times LMO of linf"
    assert first_step(it(torch.optim.SGD)).finding.endswith("times LMO of l2")
    assert "LMO of spectral" in first_step(it(corrected("muon_decay_has_no_effect"))).finding


def test_lengths():
    assert degree(it(torch.optim.RAdam)).finding == "1 at first, 0 later"
    assert "then t^-0.50" in steady_step(it(torch.optim.Adagrad)).finding
    # Cauchy and Schwarz bound an entry of Adam by 7.27 lr; no stream exceeds that, and one comes near
    assert 6.5 < longest_step(it(torch.optim.Adam)).number < 7.27


def test_memory_of_sums_and_of_averages():
    assert size(it(torch.optim.Adagrad)).finding == "a sum"
    assert order(it(torch.optim.Adagrad)).finding == "does not matter"
    assert order(it(torch.optim.Adam)).finding == "matters"
    assert forgetting(it(torch.optim.Adagrad)).number == math.inf
    assert forgetting(it(torch.optim.RMSprop, alpha=0.9)).number < 200


def test_edges_of_floating_point():
    assert not_a_number(it(torch.optim.Adam)).finding == "to its entry"
    assert not_a_number(it(torch.optim.Muon)).finding == "to its tensor"
    assert "NaN at zero gradients" in half_precision(it(torch.optim.Adam)).finding
    assert clock(it(torch.optim.Adam)).finding == "stands still"
    assert clock(it(pytorch_optimizer.Lamb)).finding.startswith("passes")


def test_a_schedule_free_path_is_read_at_its_output():
    examined = subject(pytorch_optimizer.ScheduleFreeSGD, {"momentum": 0.9})
    x0, grads = normal(5, 3), [normal(5, 3, seed=t) for t in range(4)]
    train, output = (play(examined, x0, grads, output=read) for read in (False, True))
    assert gap(steps_of(train), steps_of(output)) > 0.01
