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
