"""Gradients given in advance, so that two implementations of a method see the same."""

import torch
from ratewitness.solvers.solver import iterates


class Scripted:
    """An oracle that answers with given gradients, whatever the point."""

    def __init__(self, gradients):
        self.remaining = iter(gradients)

    def grad(self, x, redraw=True):
        return next(self.remaining)


def gradients(count, *shape, seed=0, spread=1.0):
    """Gaussian tensors (count, *shape), each with a scale of its own between e^-spread and e^spread."""
    generator = torch.Generator().manual_seed(seed)
    scales = torch.exp(spread * (2 * torch.rand(count, generator=generator, dtype=torch.float64) - 1))
    g = torch.randn(count, *shape, generator=generator, dtype=torch.float64)
    return scales.reshape(-1, *[1] * len(shape)) * g


def path(solver, g, x0=None):
    """The iterates after x0, or after zero, one for each gradient: (count, *shape)."""
    x0 = torch.zeros_like(g[0]) if x0 is None else x0
    return torch.stack([x for _, x in zip(range(len(g) + 1), iterates(solver, Scripted(g), x0), strict=False)][1:])
