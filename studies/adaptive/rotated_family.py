"""A rotated quadratic with eigenvalues 1, 1/2, ..., 2^-11, for the studies of AdaGrad: L = 1, and R = 1 from its start.

The start is equally far from the minimizer 0 along every eigenvector. Not rotated, a diagonal method would solve the problem
coordinate by coordinate.
"""

from __future__ import annotations

import torch
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.quadratics import quadratic, random_rotation
from ratewitness.studies.claims import Budget
from torch import Tensor


def rotated_family(budget: Budget, s: float | Tensor = 1.0, rotations: int | None = None) -> FiniteSum:
    """The quadratic times s, a number or a tensor that broadcasts against x; one rotation for a seed, or a sweep of them.

    A sweep of rotations has x of shape (*batch, rotations, 1, 12).
    """
    j = torch.arange(12, dtype=torch.float64, device=budget.device)
    generator = budget.shared("rotated_family").generator()
    rotation = torch.stack([random_rotation(12, generator) for _ in range(rotations or 1)])
    rotation = rotation if rotations else rotation[0]
    start = torch.ones(*rotation.shape[:-2], 1, 12, dtype=j.dtype, device=j.device) / 12**0.5 @ rotation.mT
    return quadratic(s * 2.0**-j, start if rotations else start[0], rotation)
