"""Matrices with prescribed singular values, for the studies of orthogonalization."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def with_singular_values(s: Tensor, columns: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """G = U diag(s) V^T and its polar factor U V^T, both (*batch, m, columns), for s (*batch, m) and random U, V."""
    *batch, m = s.shape
    options = {"generator": generator, "device": generator.device, "dtype": torch.float64}
    U = torch.linalg.qr(torch.randn(*batch, m, m, **options)).Q
    V = torch.linalg.qr(torch.randn(*batch, columns, m, **options)).Q
    return (U * s.unsqueeze(-2)) @ V.mT, U @ V.mT


def geometric(condition: Tensor, count: int) -> Tensor:
    """`count` singular values from 1 to 1/condition in geometric progression, (*batch, count)."""
    exponents = torch.linspace(0, 1, count, dtype=torch.float64, device=condition.device)
    return condition.unsqueeze(-1) ** -exponents


def two_values(smallest: Tensor) -> Tensor:
    """The pair (sqrt(1 - l^2), l) of Frobenius norm 1: what normalization leaves as it is, (*batch, 2)."""
    return torch.stack([(1 - smallest.square()).sqrt(), smallest], -1)


def errors(x: Tensor, target: Tensor) -> np.ndarray:
    """||x - target||_2 of matrices (*batch, m, n), as an array (*batch,)."""
    return torch.linalg.matrix_norm(x - target, 2).cpu().numpy()
