r"""The zero-chain: every first-order method discovers its coordinates one by one, nonconvex lower bounds rest on it.

    F_T(x) = -Psi(1) Phi(x_1) + sum_{i=2}^T [Psi(-x_{i-1}) Phi(-x_i) - Psi(x_{i-1}) Phi(x_i)]
    Psi(x) = exp(1 - 1/(2x - 1)^2) for x > 1/2, else 0,        Phi(x) = sqrt(e) int_{-inf}^x e^{-t^2/2} dt
    f(x)   = (L scale^2/152) F_T(x/scale)

F_T has 152-Lipschitz gradient, and ||grad F_T|| > 1 as long as |x_T| < 1. With c = sqrt(2 pi e) = Phi(inf), each
bracket is at least -e c, and all approach it as x goes to infinity along (1, ..., 1): inf F_T = -c (1 + e (T - 1)),
exactly and not attained. So F_T(0) - inf = c (1/2 + e (T - 1)) < 11.24 T (published: 12 T).

The probabilistic oracle, with p = 1/n, shows the coordinates beyond the progress prog = max {i: |x_i| > scale/4} only
when z = 1, and then n-fold: [g]_i = d_i f(x) (1 + 1{i > prog} (z/p - 1)). Component 0 has z = 1, the n - 1 others 0.
Only coordinate prog + 1 is affected, there |d_i F_T| <= e^{3/2}: the variance is at most (n - 1) e^3 (L scale/152)^2.
Its components are gradient estimates, not gradients of functions: there is no component smoothness.

Y. Carmon, J. Duchi, O. Hinder and A. Sidford (2020); Y. Arjevani, Y. Carmon, J. Duchi, D. Foster, N. Srebro and
B. Woodworth (2023).
"""

from __future__ import annotations

import math

import torch
from ratewitness.problems.problem import Constants, FiniteSum, Number, against_x, over_batch
from torch import Tensor

LIPSCHITZ = 152.0
CEILING = math.sqrt(2 * math.pi * math.e)  # Phi(inf)


def zero_chain(T: int, L: Number = 1.0, scale: Number = 1.0, n: int = 1) -> FiniteSum:
    """The chain of T links, shape (T,), from 0; L and scale are numbers or tensors (*batch, 1) against x.

    n = 1/p > 1 is the probabilistic oracle. Raises ValueError for T < 1 or n < 1.
    """
    if T < 1 or n < 1:
        raise ValueError(f"T = {T} and n = {n} must be at least 1")
    L, scale = against_x(L=L, scale=scale)
    height, slope = L * scale**2 / LIPSCHITZ, L * scale / LIPSCHITZ

    def gap(x):
        x = x / scale
        shown, lost = _psi_before(x), _psi_deficit_before(x)
        mirrored = _psi_before(-x)
        mirrored[..., 0] = 0  # the first link has no mirror image
        return over_batch(height, (T,)) * (CEILING * lost + (shown + mirrored) * _phi(-x)).sum(-1)

    def grad(x):
        x = x / scale
        shown, mirrored = _psi_before(x), _psi_before(-x)
        mirrored[..., 0] = 0
        own = -(shown + mirrored) * math.sqrt(math.e) * torch.exp(-(x**2) / 2)
        following = torch.zeros_like(x)
        here, after = x[..., :-1], x[..., 1:]
        following[..., :-1] = -_psi_slope(-here) * _phi(-after) - _psi_slope(here) * _phi(after)
        return slope * (own + following)

    def sample_grad(x, index):
        g = grad(x)
        known = ((x / scale).abs() > 1 / 4).flip(-1).cummax(-1).values.flip(-1)  # i <= prog
        share = n * (index == 0).to(x.dtype).mean(-1, keepdim=True)
        return torch.where(known, g, g * share)

    smoothness = over_batch(L, (T,))
    variance = (n - 1) * math.e ** (3 if T > 1 else 1) * over_batch(slope, (T,)) ** 2
    start = torch.zeros(T, dtype=torch.float64, device=height.device) + torch.zeros_like(height)
    return FiniteSum(
        name="zero-chain",
        n=n,
        shape=(T,),
        gap=gap,
        grad=grad,
        sample_grad=sample_grad if n > 1 else lambda x, index: grad(x),
        start=start,
        minimizer=None,
        constants=Constants(
            smoothness=smoothness,
            pl=0.0,
            strong_convexity=0.0,
            convex=False,
            component_smoothness=smoothness if n == 1 else math.inf,
            variance=variance,
            variance_at_minimizer=math.nan,
            optimum=-over_batch(height, (T,)) * CEILING * (1 + math.e * (T - 1)),
            optimum_error=0.0,
            certificate="L: the published constant 152, not sharp; mu: none; sigma2: one coordinate of size e^{3/2}, "
            "the exact supremum; f*: every bracket approaches its bound at infinity, exact and not attained",
        ),
        floor=1e-290,
    )


def _psi_before(x: Tensor) -> Tensor:
    """Psi(x_{i-1}) for i = 1, ..., T, with Psi(1) = 1 in front."""
    previous = x[..., :-1]
    inside = torch.where(previous > 0.5, 2 * previous - 1, 1.0)
    psi = torch.where(previous > 0.5, torch.exp(1 - inside**-2), 0.0)
    return torch.cat([torch.ones_like(x[..., :1]), psi], -1)


def _psi_deficit_before(x: Tensor) -> Tensor:
    """e - Psi(x_{i-1}), without cancellation far out; 0 for the first link, which has reached its ceiling Psi(1)."""
    previous = x[..., :-1]
    inside = torch.where(previous > 0.5, 2 * previous - 1, 1.0)
    deficit = torch.where(previous > 0.5, -math.e * torch.expm1(-(inside**-2)), math.e)
    return torch.cat([torch.zeros_like(x[..., :1]), deficit], -1)


def _psi_slope(x: Tensor) -> Tensor:
    inside = torch.where(x > 0.5, 2 * x - 1, 1.0)
    return torch.where(x > 0.5, 4 * torch.exp(1 - inside**-2) / inside**3, 0.0)


def _phi(x: Tensor) -> Tensor:
    return CEILING / 2 * torch.erfc(-x / math.sqrt(2))
