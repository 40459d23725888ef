"""StableMax: its cross-entropy against the definition, and its gradient by finite differences."""

import torch
from ratewitness.problems.networks.stablemax import stablemax_cross_entropy
from scripted import seeded


def test_it_is_the_cross_entropy_of_lines_and_hyperbolas():
    z = 3 * torch.randn(2, 7, 5, generator=seeded(), dtype=torch.float64)
    y = torch.randint(5, (2, 7), generator=seeded())
    s = torch.where(z >= 0, 1 + z, 1 / (1 - z.clamp(max=0)))
    shares = (s / s.sum(-1, keepdim=True)).take_along_dim(y.unsqueeze(-1), -1)
    torch.testing.assert_close(stablemax_cross_entropy(z, y), -shares.log().mean((-1, -2)))
    assert torch.autograd.gradcheck(lambda z: stablemax_cross_entropy(z, y), z.requires_grad_())


def test_outputs_of_zero_have_the_slope_of_the_line():
    """s(0) = 1 and s'(0) = 1: there it is softmax, so that an output layer that starts at 0 is trained."""
    y = torch.tensor([0, 2])
    z = torch.zeros(2, 3, dtype=torch.float64)
    found = torch.func.grad(stablemax_cross_entropy)(z, y)
    torch.testing.assert_close(found, torch.func.grad(torch.nn.functional.cross_entropy)(z, y))
