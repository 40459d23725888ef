"""The network on pairs of one-hot vectors is the one that `MLP` has on their concatenation."""

import torch
from ratewitness.problems.networks.mlp import MLP
from ratewitness.studies.landscapes.orthograd_at_113 import OneHotMLP
from scripted import seeded


def test_columns_of_the_first_weights_are_products_with_one_hot_vectors():
    p, widths = 5, (10, 7, 6, 5)
    network = OneHotMLP(widths, bias=False)
    x = network.initial(seeded(), 3, dtype=torch.float64)
    pairs = torch.randint(p, (3, 8, 2), generator=seeded())
    vectors = torch.nn.functional.one_hot(pairs, p).flatten(-2).double()
    torch.testing.assert_close(network.outputs(x, pairs.double()), MLP(widths, bias=False).outputs(x, vectors))
    assert (network.layout.split(x)["W1"].abs() <= 10**-0.5).all()
