r"""A curved valley: nonconvex, PL with mu = 1 exactly, minimizers along a curve, and only locally smooth.

    f(x, y) = (y - sin x)^2 / 2

With r = y - sin x, ||grad f||^2 = r^2 (1 + cos^2 x) >= r^2 = 2 f, equality where cos x = 0. The Hessian

    [[cos^2 x + r sin x, -cos x], [-cos x, 1]]

grows with r: there is no global L. On the strip |r| <= rho = |r(start)| its norm is at most
L = max_x lambda_max at r sin x = rho |sin x|, since the matrix is monotone in r sin x and its least eigenvalue is at
least -rho. The strip is the sublevel set of the start, and gradient descent with a step a < 2/L stays inside: along the
segment of a step f falls, f(x - t g) <= f(x) - t (1 - L t/2) ||g||^2, for as long as the segment is in the strip, so
that it cannot leave.
"""

from __future__ import annotations

import math

import torch
from ratewitness.problems.problem import FiniteSum, deterministic
from torch import Tensor

GRID = 20_001


def sine_valley(start: Tensor | tuple[float, float] = (2.0, 3.0)) -> FiniteSum:
    """(y - sin x)^2/2, shape (2,), start (*sweep, 2) off the valley floor; constants hold on the start's sublevel set.

    Raises ValueError for a start with y = sin x.
    """
    start = torch.as_tensor(start, dtype=torch.float64)
    rho = _residual(start).abs()
    if not (rho > 0).all():
        raise ValueError("start lies on the valley floor y = sin x")

    def gap(x):
        return _residual(x) ** 2 / 2

    def grad(x):
        r = _residual(x)
        return torch.stack([-r * torch.cos(x[..., 0]), r], -1)

    L = _hessian_bound(rho)
    return deterministic(
        name="sine valley",
        shape=(2,),
        gap=gap,
        grad=grad,
        start=start,
        minimizer=_nearest_on_valley_floor(start, rho),
        smoothness=L,
        pl=1.0,
        convex=False,
        certificate="L: the Hessian's largest eigenvalue on the start's sublevel set, a grid plus its Lipschitz "
        "error; mu: 1 + cos^2 x >= 1, exact; sigma2: one component; f*: a square that vanishes on a curve",
        # r is a difference of numbers of order |y| <= 1 + rho, each rounded
        floor=float(((4 * 2.0**-53 * (1 + rho)) ** 2).max()),
        domain=lambda x: _residual(x).abs() <= rho * (1 + 1e-12),
    )


def _residual(x: Tensor) -> Tensor:
    return x[..., 1] - torch.sin(x[..., 0])


def _hessian_bound(rho: Tensor) -> Tensor:
    """max over x in [0, pi/2] of lambda_max at r sin x = rho |sin x|, from above: a grid, then the distance to it."""
    x = torch.linspace(0, math.pi / 2, GRID, dtype=torch.float64, device=rho.device)
    s, rho = torch.sin(x), rho.unsqueeze(-1)
    top, off = 1 - s**2 + rho * s, torch.cos(x)
    eigenvalue = (top + 1) / 2 + ((top - 1) ** 2 / 4 + off**2).sqrt()
    # the matrix moves by at most (|sin 2x| + rho + 1) dx, and a grid point is at most half a spacing away
    largest = eigenvalue.amax(-1) + (2 + rho.squeeze(-1)) * math.pi / (4 * (GRID - 1))
    return torch.maximum(largest, rho.squeeze(-1))


def _nearest_on_valley_floor(start: Tensor, rho: Tensor) -> Tensor:
    """The nearest (s, sin s): a grid over |s - x| <= rho, which holds it, then Newton's method on the best cell."""
    x, y = start[..., :1], start[..., 1:]
    rho = rho.unsqueeze(-1)
    s = x + rho * torch.linspace(-1, 1, GRID, dtype=torch.float64, device=start.device)
    best = ((s - x) ** 2 + (torch.sin(s) - y) ** 2).argmin(-1, keepdim=True)
    s = s.gather(-1, best)
    for _ in range(8):
        slope = s - x + (torch.sin(s) - y) * torch.cos(s)
        bend = 1 + torch.cos(s) ** 2 - (torch.sin(s) - y) * torch.sin(s)
        # where the distance is not convex, the grid point stays: half a spacing off at most
        s = torch.where(bend > 0, s - (slope / bend).clamp(-rho / GRID, rho / GRID), s)
    return torch.cat([s, torch.sin(s)], -1)
