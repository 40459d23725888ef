"""The adding problem against torch's own recurrent layer, autograd and finite differences."""

import pytest
import torch
from ratewitness.problems.networks.recurrent_model import Recurrent, adding, imitating, sequences
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import run
from scripted import assert_a_batch_is_its_singles, seeded
from torch import nn

NETWORK = Recurrent(5)


def tiny(n=7, length=6):
    return adding(NETWORK, n, length, seeded(1), torch.float64)


def weights(*batch, seed=2):
    return 0.7 * torch.randn(*batch, NETWORK.layout.size, generator=seeded(seed), dtype=torch.float64)


@pytest.mark.parametrize("length", [2, 7, 30])
def test_a_sequence_has_one_mark_in_each_half_and_its_sum(length):
    s, y = sequences(200, length, seeded())
    marks, half = s[..., 1], length // 2
    assert s.shape == (200, length, 2)
    assert ((marks == 0) | (marks == 1)).all()
    assert (marks[:, :half].sum(1) == 1).all()
    assert (marks[:, half:].sum(1) == 1).all()
    assert (marks.mean(0) > 0).all()  # every place is drawn
    by_hand = [sum(u for u, m in row if m == 1) for row in s.tolist()]
    torch.testing.assert_close(y, torch.tensor(by_hand))


def test_a_constant_answer_pays_the_variance_which_is_about_a_sixth():
    problem = adding(NETWORK, 20_000, 4, seeded(), torch.float64)
    mean = 1.0  # E y
    x = torch.zeros(NETWORK.layout.size, dtype=torch.float64)
    x[NETWORK.layout.slices["c"]] = mean
    assert float(problem.gap(x)) == pytest.approx(1 / 6, rel=0.03)
    assert problem.constants.optimum_error == pytest.approx(float(problem.gap(x)), rel=1e-3)


def test_loss_is_that_of_torchs_recurrent_layer_and_gradient_that_of_autograd():
    s, y = sequences(7, 6, seeded(3), torch.float64)
    x = weights().requires_grad_()
    w = NETWORK.layout.split(x)
    layer = nn.RNN(2, 5, nonlinearity="tanh", batch_first=True).double()
    names = {"weight_ih_l0": w["A"], "weight_hh_l0": w["W"], "bias_ih_l0": w["b"], "bias_hh_l0": torch.zeros_like(w["b"])}
    states, _ = torch.func.functional_call(layer, names, (s,))
    reference = (states[:, -1] @ w["w"] + w["c"] - y).square().mean()
    torch.testing.assert_close(NETWORK.loss(x, s, y), reference, rtol=1e-12, atol=0)
    derivative = torch.autograd.grad(reference, x)[0]
    torch.testing.assert_close(NETWORK.gradient(x.detach(), s, y), derivative, rtol=1e-10, atol=1e-13)


def test_the_gradient_is_the_slope_of_the_gap():
    problem, x, v, h = tiny(), weights(), weights(seed=9), 1e-5
    slope = (problem.gap(x + h * v) - problem.gap(x - h * v)) / (2 * h)
    assert float(problem.grad(x) @ v) == pytest.approx(float(slope), rel=1e-6)


def test_a_batch_is_its_single_points():
    problem = tiny()
    x, index = weights(2, 3), torch.randint(7, (2, 3, 4), generator=seeded())
    assert_a_batch_is_its_singles(problem, x, index)
    shared = problem.sample_grad(x, index[:1])  # the same samples for every row, as tuning asks
    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(shared[i, j], problem.sample_grad(x[i, j], index[0, j]))


def test_the_components_average_to_the_gradient():
    problem, x = tiny(), weights(2)
    every = problem.sample_grad(x, torch.arange(7).expand(2, 7))
    single = torch.stack([problem.sample_grad(x, torch.full((2, 1), i)) for i in range(7)]).mean(0)
    torch.testing.assert_close(every, problem.grad(x), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(single, problem.grad(x), rtol=1e-12, atol=1e-14)


def test_starts_differ_between_replicates_repeat_with_the_seed_and_have_their_scales():
    network = Recurrent(40)
    x = network.initial(seeded(3), 2, 3)
    assert x.shape == (2, 3, network.layout.size)
    assert x.dtype == torch.float32
    assert torch.equal(x, network.initial(seeded(3), 2, 3))
    assert not torch.equal(x[0, 0], x[0, 1])
    w = network.layout.split(x)
    assert float(w["W"].std()) == pytest.approx(40**-0.5, rel=0.05)
    assert float(w["A"].std()) == pytest.approx(2**-0.5, rel=0.1)
    assert not w["b"].any()
    assert not w["c"].any()


def test_gradient_descent_learns_short_sequences():
    problem = adding(Recurrent(8), 200, 2, seeded(1))
    trace = run(
        GradientDescent(0.1), Oracle.minibatch(problem, 16, seeded(2)), problem.starts(2), 600, problem.gap, at=[600]
    )
    assert trace.x.dtype == torch.float32
    assert (trace.values[0] < 0.03).all()


def test_who_answers_as_the_teacher_pays_nothing():
    """The teacher is the first that is drawn after the sequences; the start is another."""
    problem, generator = imitating(NETWORK, 50, 6, seeded(4), torch.float64), seeded(4)
    s = torch.randn(50, 6, 2, generator=generator, dtype=torch.float64)
    teacher = NETWORK.initial(generator, dtype=torch.float64)
    assert float(problem.gap(teacher)) < 1e-28
    assert float(problem.grad(teacher).abs().max()) < 1e-14
    assert float(problem.gap(problem.start)) > 0.01
    assert problem.constants.optimum_error == pytest.approx(float(NETWORK.answers(teacher, s).var(unbiased=False)))
