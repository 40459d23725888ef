"""Networks on addition modulo p, against plain loops, autograd, and weights with every answer right."""

import math

import pytest
import torch
from ratewitness.problems.networks.mlp import cross_entropy, half_square
from ratewitness.problems.networks.modular_addition import TwoHot, addition, on_table
from scripted import assert_refused, every_row, seeded
from torch.nn import functional

NETWORK = TwoHot(5, 4)


def setting(*replicates, activation="square", share=0.6):
    network, generator = TwoHot(5, 4, activation), seeded()
    table = addition(5, share, generator, *replicates)
    return network, table, network.initial(generator, *replicates, dtype=torch.float64)


def plain_loss(network, table, x):
    """The mean over the training pairs, one after another, of torch's cross-entropy."""
    w = network.layout.split(x)
    activation = {"square": torch.square, "relu": torch.relu}[network.activation]
    total = 0.0
    for pair in table.training.tolist():
        a, b = divmod(pair, network.p)
        z = activation(w["A"][a] + w["B"][b]) @ w["V"]
        total = total + functional.cross_entropy(z, torch.tensor((a + b) % network.p))
    return total / len(table.training)


@pytest.mark.parametrize("activation", ["square", "relu"])
def test_loss_and_gradient_are_those_of_a_plain_loop(activation):
    network, table, x = setting(activation=activation)
    problem = on_table(network, table, x)
    x = x.requires_grad_()
    expected = plain_loss(network, table, x)
    torch.testing.assert_close(problem.gap(x), expected)
    torch.testing.assert_close(problem.grad(x.detach()), *torch.autograd.grad(expected, x))


def test_the_gradient_is_the_mean_of_its_components_and_of_every_replicate_by_itself():
    network, table, x = setting(3)
    problem = on_table(network, table, x)
    x = torch.stack([x, 2 * x])  # a sweep before the replicates
    index = torch.arange(problem.n).expand(2, 3, problem.n)
    torch.testing.assert_close(problem.sample_grad(x, index), problem.grad(x))
    for j, own in enumerate(zip(*table, strict=True)):
        alone = on_table(network, type(table)(*own), x[0, j])
        torch.testing.assert_close(alone.grad(x[:, j]), problem.grad(x)[:, j])


def test_a_loss_on_targets():
    network, table, x = setting(2)
    problem = on_table(network, table, x, lambda z, y: half_square(z, functional.one_hot(y, 5).to(z)))
    kept = network.outputs(x).take_along_dim(table.training.unsqueeze(-1), 1)
    targets = functional.one_hot(table.labels.gather(-1, table.training), 5)
    torch.testing.assert_close(problem.gap(x), half_square(kept, targets.double()))


def test_some_pairs_have_the_outputs_of_the_table():
    network, table, x = setting(3)
    everything = network.outputs(x).take_along_dim(table.training.unsqueeze(-1), 1)
    torch.testing.assert_close(network.outputs_of(x, table.training), everything)


def test_a_split_has_its_size_differs_between_replicates_and_keeps_the_sums():
    table = addition(7, 0.5, seeded(), 4)
    assert table.training.shape == (4, round(0.5 * 49))
    assert (table.masked().sum(-1) == table.training.shape[-1]).all()
    assert not torch.equal(table.training[0].sort().values, table.training[1].sort().values)
    pairs = torch.arange(49)
    assert torch.equal(table.labels[2], (pairs // 7 + pairs % 7) % 7)


def test_shuffled_labels_keep_their_numbers():
    true, shuffled = (addition(7, 0.5, seeded(), 2, shuffled=how).labels for how in (False, True))
    assert torch.equal(true.sort().values, shuffled.sort().values)
    assert (true == shuffled).double().mean() < 0.5


def test_cosines_answer_every_pair():
    """Gromov (2023): cosines with random phases in A and B, and the sums of the phases in V."""
    p, width = 11, 400
    generator = seeded()
    k = torch.arange(width) % (p // 2) + 1
    phase = 2 * math.pi * torch.rand(2, width, generator=generator, dtype=torch.float64)
    angle = 2 * math.pi * torch.arange(p).unsqueeze(-1) * k / p
    outer = (angle + phase.sum(0)).cos().mT
    network, table = TwoHot(p, width), addition(p, 0.5, generator)
    x = network.layout.join({"A": (angle + phase[0]).cos(), "B": (angle + phase[1]).cos(), "V": outer})
    assert network.accuracies(x, table).tolist() == [1.0, 1.0]
    assert on_table(network, table, x).gap(x) < cross_entropy(torch.zeros(1, p), torch.zeros(1, dtype=torch.int64))


@every_row(
    [
        ("TwoHot", lambda: TwoHot(1, 4), "p is 1 and width 4; accepted are integers from 2"),
        ("TwoHot", lambda: TwoHot(5, 0), "p is 5 and width 0; accepted are integers from 2"),
        ("TwoHot", lambda: TwoHot(5, 4, "gelu"), "activation is 'gelu'; accepted are"),
        *(
            ("addition", lambda share=share: addition(5, share, seeded()), f"share is {share}; accepted are shares")
            for share in (0.0, 1.0, -0.5, math.nan, 0.001)
        ),
    ]
)
def test_a_bad_argument_is_named_in_one_line(call, parts):
    assert_refused(call, parts)
