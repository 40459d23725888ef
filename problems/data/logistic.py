r"""Logistic regression, plain or l2-regularized.

    f(x) = (1/n) sum_i log(1 + exp(-y_i a_i^T x)) + (l2/2) ||x||^2,        y_i = +-1

Convex, with L = ||A^T A||/(4n) + l2, L_i = ||a_i||^2/4 + l2 and mu = l2 (0 for the plain loss). The noise of a
component is s_i z_i - mean, with z_i = y_i a_i and s_i in (0, 1); writing s_i = 1/2 + t_i/2, |t_i| <= 1, the triangle
inequality gives sigma <= (std(z) + rms(z))/2 at every x.

The minimizer is found by Newton's method and its value certified. For l2 > 0, f - f* <= ||grad f||^2/(2 l2). For l2 = 0
the loss is self-concordant in the sense of Bach (2010): |f'''| <= r f'' along unit vectors, r = max ||a_i||. So
f(x + v) >= f(x) + <grad f(x), v> + m (e^{-s} + s - 1)/r^2 with s = r ||v|| and m the smallest eigenvalue of the Hessian
at x on the span of the rows. If r ||grad f(x)|| <= m/4, the right side exceeds f(x) for s > 0.61, while
e^{-s} + s - 1 >= 0.4 s^2 below: a minimizer exists, and f - f* <= ||grad f||^2/(1.6 m).

Separable data have f* = 0 and no minimizer, a linear program finds out.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from ratewitness.problems.problem import Constants, FiniteSum
from scipy.optimize import linprog
from torch import Tensor
from torch.nn.functional import softplus

UNIT = 2.0**-53


def logistic(A: Tensor, y: Tensor, l2: float = 0.0, start: Tensor | None = None, name: str = "logistic") -> FiniteSum:
    """Logistic regression with rows A (n, d), labels y (n,) in {-1, 1} and start (d,), by default 0.

    Raises ValueError for other labels, negative l2, shapes that do not fit, rows that are not finite, or plain data that
    are separable only with points on the boundary (f* > 0 is then not attained, and nothing here certifies it).
    """
    A, y = torch.as_tensor(A, dtype=torch.float64), torch.as_tensor(y, dtype=torch.float64)
    if A.ndim != 2 or y.shape != A.shape[:1] or not (y.abs() == 1).all() or not l2 >= 0:
        raise ValueError("logistic needs A (n, d), labels -1 and 1 of shape (n,), and l2 >= 0")
    if not A.isfinite().all():
        raise ValueError("A holds inf or nan; accepted are finite numbers")
    n, d = A.shape
    Z = y.unsqueeze(-1) * A
    start = torch.zeros(d, dtype=torch.float64, device=A.device) if start is None else start.to(torch.float64)

    def grad(x):
        return torch.sigmoid(-x @ Z.mT) @ Z / -n + l2 * x

    def sample_grad(x, index):
        z = Z.index_select(0, index.flatten()).view(*index.shape, d)
        weight = torch.sigmoid(-torch.linalg.vecdot(z, x.unsqueeze(-2)))
        each = z * weight.unsqueeze(-1)
        return l2 * x - (each.squeeze(-2) if index.shape[-1] == 1 else each.mean(-2))

    if l2 == 0 and _separable(Z):
        x, certified = None, (0.0, 0.0, 1e-290)

        def gap(x):
            return softplus(-x @ Z.mT, threshold=700).mean(-1)
    else:
        x = _newton(Z, l2, start)
        margin, certified = Z @ x, _certified(Z, l2, x, grad(x))

        def gap(at):
            return _bregman(margin, at @ Z.mT - margin).mean(-1) + l2 / 2 * (at - x).square().sum(-1)

    squares = (Z**2).sum(-1)
    spread = (Z - Z.mean(0)).square().sum(-1).mean()
    noise = None if x is None else torch.sigmoid(-margin).unsqueeze(-1) * Z
    L = float(torch.linalg.eigvalsh(Z.mT @ Z / n)[-1]) * (1 + 4 * (n + d) * UNIT) / 4 + l2
    return FiniteSum(
        name=name,
        n=n,
        shape=(d,),
        gap=gap,
        grad=grad,
        sample_grad=sample_grad,
        start=start,
        minimizer=x,
        constants=Constants(
            smoothness=L,
            pl=float(l2),
            strong_convexity=float(l2),
            convex=True,
            component_smoothness=float(squares.max()) * (1 + d * UNIT) / 4 + l2,
            variance=float((spread.sqrt() + squares.mean().sqrt()) / 2) ** 2,
            variance_at_minimizer=math.nan if x is None else float((noise - noise.mean(0)).square().sum(-1).mean()),
            optimum=certified[0],
            optimum_error=certified[1],
            certificate="L: the largest eigenvalue of A^T A/n over 4, plus l2; mu: the curvature l2 of the penalty; "
            "sigma2: weights in (0, 1) and the triangle inequality, not sharp; f*: "
            + ("separable, the infimum 0 is not attained" if x is None else "Newton, gradient norm and convexity"),
        ),
        floor=certified[2],
    )


def _bregman(margin: Tensor, delta: Tensor) -> Tensor:
    """l(m + delta) - l(m) - l'(m) delta >= 0 for l(m) = log(1 + e^{-m}), to full relative precision for small delta."""
    s = torch.sigmoid(-margin)
    w = s * (1 - s)
    series = w * delta**2 * (1 / 2 - delta * ((1 - 2 * s) / 6 - delta * (1 - 6 * w) / 24))
    mid = torch.log1p(s * torch.expm1(-delta.clamp(-1, 1))) + s * delta
    far = softplus(-margin - delta, threshold=700) - softplus(-margin, threshold=700) + s * delta
    return torch.where(delta.abs() < 1e-3, series, torch.where(delta.abs() < 1, mid, far))


def _separable(Z: Tensor) -> bool:
    """Whether some x has Z x > 0: maximize the least margin t over the unit cube, then look at the margins found."""
    rows = Z.cpu().numpy()
    n, d = rows.shape
    found = linprog(
        np.r_[np.zeros(d), -1.0],
        A_ub=np.c_[-rows, np.ones(n)],
        b_ub=np.zeros(n),
        bounds=[(-1, 1)] * d + [(0, None)],
        method="highs",
    )
    x = found.x[:d]
    return bool((rows @ x > 2 * d * UNIT * (np.abs(rows) @ np.abs(x))).all())


def _newton(Z: Tensor, l2: float, x: Tensor) -> Tensor:
    """Newton's method with halved steps until the value no longer falls, then three full steps."""
    n = len(Z)
    eye = torch.eye(len(x), dtype=Z.dtype, device=Z.device)

    def value(x):
        return softplus(-Z @ x, threshold=700).mean() + l2 / 2 * x @ x

    def direction(x):
        s = torch.sigmoid(-Z @ x)
        H = Z.mT @ (Z * (s * (1 - s)).unsqueeze(-1)) / n + l2 * eye
        # the pseudo-inverse leaves the null space of A alone, so that the minimizer stays the one nearest to the start
        return torch.linalg.pinv(H, hermitian=True) @ (l2 * x - s @ Z / n)

    for _ in range(200):
        v, t = direction(x), 1.0
        while t > 1e-10 and not value(x - t * v) < value(x):
            t /= 2
        if t <= 1e-10:
            break
        x = x - t * v
    for _ in range(3):
        x = x - direction(x)
    return x


def _certified(Z: Tensor, l2: float, x: Tensor, g: Tensor) -> tuple[float, float, float]:
    """(f*, error of f*, floor of the gap) from the gradient g at the computed minimizer x."""
    n, d = Z.shape
    s = torch.sigmoid(-Z @ x)
    eigenvalues = torch.linalg.eigvalsh(Z.mT @ (Z * (s * (1 - s)).unsqueeze(-1)) / n) + l2
    rounding = (d + 8) * UNIT
    g = float(g.norm()) + rounding * float(Z.norm(dim=-1).mean() + l2 * x.norm())
    error = 4 * max(n, d) * UNIT * float(eigenvalues[-1])  # of the eigenvalues computed
    m = float(eigenvalues[-int(torch.linalg.matrix_rank(Z))]) - error if l2 == 0 else l2
    r = float(Z.norm(dim=-1).max())
    if l2 == 0 and not r * g <= m / 4:
        raise ValueError(f"no minimizer certified: gradient {g:.2g}, curvature {m:.2g} (is the data quasi-separable?)")
    f = float(softplus(-Z @ x, threshold=700).mean() + l2 / 2 * x @ x)
    error = g**2 / (1.6 * m if l2 == 0 else 2 * m) + rounding * (f + float((Z.abs() @ x.abs()).mean()) + 1)
    # the computed gap ignores <grad f(x), at - x>: harmless while ||at - x|| is a thousand times g/m
    return f, error, float(eigenvalues[-1]) / 2 * (1e3 * g / m) ** 2
