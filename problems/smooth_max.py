r"""The smoothed maximum norm: smooth in l_inf as on the line, whatever the dimension.

    f(x) = tau log( (1/d) sum_i cosh(x_i/tau) ),        ||x||_inf - tau log(2d) <= f(x) <= ||x||_inf,  minimum 0 at 0

Hess f = (1/tau) (diag(w) - p p^T) with S = sum_j cosh(x_j/tau), w_i = cosh(x_i/tau)/S and p_i = sinh(x_i/tau)/S.

L in l_inf is 1/tau: u^T Hess f u <= (1/tau) sum_i w_i u_i^2 <= ||u||_inf^2/tau, with equality at x = 0 for u = (1, ..., 1),
and since Hess f >= 0, |v^T Hess f u| is at most 1/tau too for ||u||_inf, ||v||_inf <= 1.

L in l_2 is 1/(2 tau) for d >= 2 (and 1/tau for d = 1). If no w_i exceeds 1/2, this is plain. If w_1 does, then diag(w) - 1/2
has one positive eigenvalue, and p p^T takes it away if sum_i p_i^2/(w_i - 1/2) >= 1. As p_i^2 = w_i^2 - 1/S^2, the terms
i >= 2 are -g(w_i), g(w) = (w^2 - 1/S^2)/(1/2 - w) = (1/4 - 1/S^2)/(1/2 - w) - 1/2 - w: convex, as S >= 2, increasing and
g(1/S) = 0. Given sum_i w_i = 1 and w_i >= 1/S, the sum of g(w_i) is largest when all w_i, i >= 2, but one are 1/S, and then
at most g(1 - w_1): what is left is at least (w_1^2 - (1 - w_1)^2)/(w_1 - 1/2) = 2. Attained everywhere for d = 2, along
u = (1, -1) at x = t (1, 1); for larger d only in the limit, at x = t (1, 1, 0, ..., 0) as t -> inf.

L in l_1 is the largest entry of Hess f, on the diagonal: (C M + 1)/(tau (C + M)^2) with C = cosh(x_i/tau) and M >= d - 1 the
sum of the others. For d >= 3 it is largest at M = d - 1, C = M - 2/M: (d - 1)^2/(4 d (d - 2) tau), attained with all other
x_j = 0; for d = 2 at x = 0: 1/(2 tau).

From (1, ..., 1), R = 1 in l_inf and sqrt d in l_2. There a step of sign descent does the same for every d, and one of
gradient descent a d-th of it.
"""

from __future__ import annotations

import math

import torch
from ratewitness.problems.problem import FiniteSum, deterministic

LARGE = 300.0  # cosh overflows at 710


def smooth_max(d: int, tau: float = 1.0, start: torch.Tensor | None = None) -> FiniteSum:
    """The smoothed maximum norm on R^d with start (*sweep, d), by default (1, ..., 1).

    Raises ValueError for d < 1, tau <= 0 or a start of another dimension.
    """
    if d < 1 or not 0 < tau < float("inf"):
        raise ValueError(f"d is {d} and tau is {tau}; accepted are integers d >= 1 and finite tau > 0")
    start = torch.ones(d, dtype=torch.float64) if start is None else start.to(torch.float64)
    if start.shape[-1:] != (d,):
        raise ValueError(f"start has shape {tuple(start.shape)}; accepted are (*sweep, d) with d = {d}")

    def gap(x):
        z, far = x / tau, _logarithms(x / tau)
        near = torch.log1p(2 * (z.clamp(-LARGE, LARGE) / 2).sinh().square().mean(-1))  # cosh z = 1 + 2 sinh(z/2)^2
        return tau * torch.where(z.abs().amax(-1) < LARGE, near, far.logsumexp(-1) - math.log(d))

    def grad(x):
        z, far = x / tau, _logarithms(x / tau)
        near = z.clamp(-LARGE, LARGE)
        near = near.sinh() / near.cosh().sum(-1, keepdim=True)
        return torch.where(z.abs().amax(-1, keepdim=True) < LARGE, near, z.tanh() * far.softmax(-1))

    L = 1 / (2 * tau) if d > 1 else 1 / tau
    L_1 = (d - 1) ** 2 / (4 * d * (d - 2) * tau) if d > 2 else L
    return deterministic(
        name="smooth max",
        shape=(d,),
        gap=gap,
        grad=grad,
        start=start,
        minimizer=torch.zeros_like(start),
        smoothness=L,
        smoothness_in={"linf": 1 / tau, "l1": L_1},
        convex=True,
        certificate="L: weights that sum to 1 (l_inf), inertia of the Hessian (l_2), its entries (l_1), sharp; mu: none, f "
        "grows linearly; sigma2: one component; f*: cosh >= 1, with equality at 0",
        floor=1e-290,
    )


def _logarithms(z: torch.Tensor) -> torch.Tensor:
    """log cosh z without overflow."""
    return z.abs() + torch.log1p((-2 * z.abs()).exp()) - math.log(2)
