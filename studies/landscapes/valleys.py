"""Manifolds of minimizers, of L = h^2/2 with quadratic forms h, for the study of SAM's drift along them."""

from __future__ import annotations

import math

import torch
from ratewitness.problems.problem import FiniteSum, deterministic
from torch import Tensor

FORMS = {
    "hyperbola": torch.tensor([[0.0, 0.5], [0.5, 0.0]], dtype=torch.float64),
    "ellipse": torch.diag(torch.tensor([1.0, 4.0], dtype=torch.float64)),
    "product": torch.kron(torch.tensor([[0.0, 0.5], [0.5, 0.0]]), torch.eye(2)).double(),
}


def valley(form: str, device: str) -> tuple[FiniteSum, Tensor]:
    """L = h^2/2, h = <w, A w> - 1, and A."""
    A = FORMS[form].to(device)
    d = len(A)

    def h(w: Tensor) -> Tensor:
        return (w @ A * w).sum(-1, keepdim=True) - 1

    problem = deterministic(
        name=form, shape=(d,), gap=lambda w: h(w)[..., 0] ** 2 / 2, grad=lambda w: h(w) * 2 * (w @ A),
        start=torch.ones(d, dtype=torch.float64, device=device), minimizer=None, smoothness=math.inf, convex=False,
        certificate="f*: 0, where h is", floor=1e-16,
    )  # fmt: skip
    return problem, A


def minimizers(A: Tensor, generator: torch.Generator, count: int) -> Tensor:
    """Random directions scaled onto h = 0, where <w, A w> is positive: (count, d)."""
    w = torch.randn(40 * count, len(A), generator=generator, dtype=torch.float64, device=generator.device)
    size = (w @ A * w).sum(-1)
    kept = size > 0.3 * w.square().sum(-1) * torch.linalg.eigvalsh(A)[-1]
    return (w[kept] / size[kept].sqrt().unsqueeze(-1))[:count]
