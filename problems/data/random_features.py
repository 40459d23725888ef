r"""Random Fourier features and one-hot targets: linear regression on real data with as many features as one likes.

    phi_j(x) = sqrt(2/p) cos(<w_j, x> + u_j),    w_j ~ N(0, scale^2 I),    u_j uniform on [0, 2 pi],    j = 1, ..., p

For p -> oo the inner product of two such vectors tends to the Gaussian kernel exp(-scale^2 ||x - x'||^2/2). The first p of
more features are features themselves, so that one draw gives nested models.

Source: A. Rahimi and B. Recht (2007), Random Features for Large-Scale Kernel Machines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True, eq=False)
class FourierFeatures:
    """Frequencies (p, d) and phases (p,); calling it maps inputs (*batch, d) to features (*batch, p)."""

    frequencies: Tensor
    phases: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        if inputs.shape[-1:] != self.frequencies.shape[1:]:
            raise ValueError(f"inputs have shape {tuple(inputs.shape)}; accepted are (*batch, {self.frequencies.shape[1]})")
        waves = inputs.to(self.phases.dtype) @ self.frequencies.mT + self.phases
        return math.sqrt(2 / len(self.phases)) * waves.cos_()

    def first(self, p: int) -> FourierFeatures:
        """The model of the first p features. Raises ValueError where there are not so many."""
        if not 1 <= p <= len(self.phases):
            raise ValueError(f"p is {p}; accepted are 1 to {len(self.phases)}")
        return FourierFeatures(self.frequencies[:p], self.phases[:p])


def fourier_features(p: int, dimension: int, scale: float, generator: Generator) -> FourierFeatures:
    """p features of inputs (*batch, dimension), in float64. Raises ValueError for a p or dimension < 1 or a scale <= 0."""
    for name, value in (("p", p), ("dimension", dimension)):
        if value < 1:
            raise ValueError(f"{name} is {value}; accepted are integers >= 1")
    if not (scale > 0 and math.isfinite(scale)):
        raise ValueError(f"scale is {scale}; accepted are finite numbers > 0")
    options = {"generator": generator, "dtype": torch.float64, "device": generator.device}
    return FourierFeatures(scale * torch.randn(p, dimension, **options), 2 * math.pi * torch.rand(p, **options))


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Targets (*batch, classes) in float64: 1 for the label, 0 for the others.

    >>> one_hot(torch.tensor([2, 0]), 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    return torch.nn.functional.one_hot(labels, classes).to(torch.float64)
