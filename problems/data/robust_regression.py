r"""Robust regression with the Geman-McClure loss: a nonconvex finite sum with bounded gradients and known f* = 0.

    f(x) = (1/n) sum_i phi(a_i^T x - b_i),        phi(r) = r^2 / (2 (1 + r^2))

phi'' = (1 - 3 r^2)/(1 + r^2)^3 lies in [-1/4, 1], so L <= ||A^T A||/n (equality at the minimizer, where every r = 0)
and L_i = ||a_i||^2. |phi'| = |r|/(1 + r^2)^2 <= 3 sqrt 3/16 bounds the variance by (27/256) (1/n) sum ||a_i||^2. The
model is planted without noise, and in the random one all numbers are multiples of 2^-10, so that b = A w even in
float64: f(w) = 0 = f*, and every component is minimal at w (interpolation).

S. Geman and D. McClure (1987), for the loss.
"""

from __future__ import annotations

import torch
from ratewitness.problems.problem import Constants, FiniteSum
from torch import Generator, Tensor


def robust_regression(A: Tensor, w: Tensor, start: Tensor | None = None) -> FiniteSum:
    """The problem with rows A (n, d), planted w (d,) and start (d,), by default 0; residuals are a_i^T (x - w)."""
    A, w = torch.as_tensor(A, dtype=torch.float64), torch.as_tensor(w, dtype=torch.float64)
    n, d = A.shape
    b = A @ w
    start = torch.zeros(d, dtype=torch.float64, device=A.device) if start is None else start.to(torch.float64)

    def gap(x):
        squares = ((x - w) @ A.mT) ** 2
        return (squares / (1 + squares)).mean(-1) / 2

    def grad(x):
        r = (x - w) @ A.mT
        return r / (1 + r**2) ** 2 @ A / n

    def sample_grad(x, index):
        a = A.index_select(0, index.flatten()).view(*index.shape, d)
        r = torch.linalg.vecdot(a, x.unsqueeze(-2)) - b.take(index)
        each = a * (r / (1 + r**2) ** 2).unsqueeze(-1)
        return each.squeeze(-2) if index.shape[-1] == 1 else each.mean(-2)

    squares = (A**2).sum(-1)
    L = float(torch.linalg.eigvalsh(A.mT @ A / n)[-1]) * (1 + 4 * (n + d) * 2.0**-53)
    return FiniteSum(
        name="robust regression",
        n=n,
        shape=(d,),
        gap=gap,
        grad=grad,
        sample_grad=sample_grad,
        start=start,
        minimizer=w,
        constants=Constants(
            smoothness=L,
            pl=0.0,
            strong_convexity=0.0,
            convex=False,
            component_smoothness=float(squares.max()) * (1 + d * 2.0**-53),
            variance=27 / 256 * float(squares.mean()),
            variance_at_minimizer=0.0,
            optimum=0.0,
            optimum_error=0.0,
            certificate="L: the largest eigenvalue of A^T A/n, since |phi''| <= 1, sharp at the minimizer; mu: none, f "
            "is bounded and has far stationary directions; sigma2: |phi'| <= 3 sqrt 3/16, not sharp; "
            "f*: nonnegative and exactly 0 at the planted point",
        ),
        floor=1e-30 * L * float(1 + w @ w),
    )


def random_robust_regression(n: int, d: int, generator: Generator) -> FiniteSum:
    """Gaussian rows and planted point, rounded to multiples of 2^-10."""

    def normal(*shape):
        draw = torch.randn(*shape, generator=generator, dtype=torch.float64, device=generator.device)
        return (draw * 1024).round() / 1024

    return robust_regression(normal(n, d), normal(d))
