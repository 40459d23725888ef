r"""Least squares, of full rank or rank-deficient.

    f(x) = (1/2n) ||A x - b||^2,        f_i(x) = (a_i^T x - b_i)^2 / 2

Convex; L and mu are the largest and the smallest *nonzero* eigenvalue of A^T A/n: f - f* = (1/2n) ||A (x - x*)||^2
obeys the PL inequality with that mu even where A has no full rank and f is not strongly convex. L_i = ||a_i||^2. The
noise of a component grows with the distance from x*, so that the variance is unbounded; at x* it is
(1/n) sum r_i^2 ||a_i||^2 with r = A x* - b, and 0 up to rounding for interpolation.
"""

from __future__ import annotations

import math

import torch
from ratewitness.problems.problem import Constants, FiniteSum
from torch import Generator, Tensor

UNIT = 2.0**-53


def least_squares(A: Tensor, b: Tensor, start: Tensor | None = None, name: str = "least squares") -> FiniteSum:
    """Least squares with rows A (n, d), targets b (n,) and start (d,), by default 0.

    A singular value of A below max(n, d) eps times the largest counts as zero; the others are certified up to that
    same error of computing them. The minimizer is the one nearest to the start. Raises ValueError for A = 0, for
    shapes that do not fit, or for rows or targets that are not finite.
    """
    A, b = torch.as_tensor(A, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64)
    if A.ndim != 2 or b.shape != A.shape[:1]:
        raise ValueError(f"A {tuple(A.shape)} and b {tuple(b.shape)} do not fit; accepted are (n, d) and (n,)")
    if not (A.isfinite().all() and b.isfinite().all()):
        raise ValueError("A or b holds inf or nan; accepted are finite numbers")
    n, d = A.shape
    start = torch.zeros(d, dtype=torch.float64, device=A.device) if start is None else start.to(torch.float64)
    U, s, Vt = torch.linalg.svd(A, full_matrices=False)
    error = 2 * max(n, d) * UNIT * s[0]
    rank = int((s > error).sum())
    if rank == 0:
        raise ValueError("A is zero")
    U, s, Vt = U[:, :rank], s[:rank], Vt[:rank]

    shortest = Vt.mT @ (U.mT @ b / s)
    shortest = shortest + Vt.mT @ (U.mT @ (b - A @ shortest) / s)  # one refinement
    minimizer = shortest + start - Vt.mT @ (Vt @ start)
    residual = A @ minimizer - b
    squares = (A**2).sum(-1)
    # f - f* = ||S (x - x*)||^2 / 2: d numbers instead of n, and no cancellation
    S = s.unsqueeze(-1) * Vt / n**0.5
    H = S.mT @ S
    L, mu = float(s[0] + error) ** 2 / n, float(s[-1] - error) ** 2 / n

    def sample_grad(x, index):
        a = A.index_select(0, index.flatten()).view(*index.shape, d)
        error = torch.linalg.vecdot(a, x.unsqueeze(-2)) - b.take(index)
        each = a * error.unsqueeze(-1)
        return each.squeeze(-2) if index.shape[-1] == 1 else each.mean(-2)

    optimum = float((residual**2).mean()) / 2
    slack = float((A.mT @ residual / n).square().sum()) / (2 * mu)  # PL at the computed minimizer
    scale = float((A.abs() @ minimizer.abs() + b.abs()).square().mean())
    return FiniteSum(
        name=name,
        n=n,
        shape=(d,),
        gap=lambda x: ((x - minimizer) @ S.mT).square().sum(-1) / 2,
        grad=lambda x: (x - minimizer) @ H,
        sample_grad=sample_grad,
        start=start,
        minimizer=minimizer,
        constants=Constants(
            smoothness=L,
            pl=mu,
            strong_convexity=mu if rank == d else 0.0,
            convex=True,
            component_smoothness=float(squares.max()) * (1 + d * UNIT),
            variance=math.inf if n > 1 else 0.0,
            variance_at_minimizer=float((squares * residual**2).mean()),
            optimum=optimum,
            optimum_error=slack + (d + 8) * UNIT * (optimum + scale * (d + 8) * UNIT),
            certificate=f"L: largest eigenvalue of A^T A/n plus the error of computing it; mu: the smallest of the "
            f"{rank} nonzero ones less that error; sigma2: unbounded, at the minimizer computed; "
            "f*: residual of the normal equations, PL and rounding",
        ),
        floor=max(slack, 1e-30 * L * float((start - minimizer).square().sum() + minimizer.square().sum()), 1e-290),
    )


def random_least_squares(
    n: int, d: int, generator: Generator, noise: float = 1.0, rank: int | None = None, condition: float = 10.0
) -> FiniteSum:
    """b = A w + noise * N(0, I), w ~ N(0, I/d), with nonzero eigenvalues of A^T A/n log-spaced in [1/condition, 1].

    noise 0 is interpolation. rank <= min(n, d) is the number of nonzero eigenvalues, by default all.
    """
    rank = min(n, d) if rank is None else rank
    if not 1 <= rank <= min(n, d):
        raise ValueError(f"rank is {rank}; accepted are 1 to min(n, d) = {min(n, d)}")

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64, device=generator.device)

    left, right = torch.linalg.qr(normal(n, rank)).Q, torch.linalg.qr(normal(d, rank)).Q
    s = torch.logspace(0, -math.log10(condition) / 2, rank, dtype=torch.float64, device=left.device)
    A = n**0.5 * (left * s) @ right.mT
    b = A @ normal(d) / d**0.5 + noise * normal(n)
    return least_squares(A, b, name="random least squares")
