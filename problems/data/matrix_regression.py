r"""Matrix regression, whose Hessian is a Kronecker product.

    f(W) = 1/2 ||A^T (W - W*) B||_F^2,        grad f(W) = A A^T (W - W*) B B^T,        n = 1

With vec by rows the Hessian is A A^T (x) B B^T, with eigenvalues sigma_i(A)^2 sigma_j(B)^2: L is the largest, mu the
smallest *nonzero* one, which is PL even where A or B has no full row rank and f is not strongly convex. A condition number
c of A and of B makes one of c^4 for f. The gradient has the rank of W - W* at most. Noise is added by
`ratewitness.problems.perturbation.perturbed`.
"""

from __future__ import annotations

import math

import torch
from ratewitness.problems.problem import FiniteSum, deterministic
from ratewitness.problems.quadratics import random_rotation
from torch import Generator, Tensor

UNIT = 2.0**-53


def matrix_regression(A: Tensor, B: Tensor, target: Tensor, start: Tensor | None = None) -> FiniteSum:
    """The problem with A (*sweep, m, p), B (*sweep, n, q), W* = target (m, n) and start (m, n), by default 0.

    In a sweep A and B keep axes of length 1 for the replicates. A singular value below max(m, p) eps times the largest
    counts as zero; the others are certified up to that same error of computing them. The minimizer is the one nearest
    to the start. Raises ValueError for shapes that do not fit, for entries that are not finite, for A = 0 or B = 0.
    """
    A, B, target = (torch.as_tensor(matrix, dtype=torch.float64) for matrix in (A, B, target))
    start = torch.zeros_like(target) if start is None else torch.as_tensor(start, dtype=torch.float64)
    if A.ndim < 2 or B.ndim < 2 or start.shape != target.shape or target.shape != (A.shape[-2], B.shape[-2]):
        raise ValueError(
            f"A {tuple(A.shape)}, B {tuple(B.shape)}, target {tuple(target.shape)} and start {tuple(start.shape)} do not "
            f"fit; accepted are (*sweep, m, p), (*sweep, n, q), (m, n) and (m, n)"
        )
    for name, matrix in (("A", A), ("B", B), ("target", target), ("start", start)):
        if not matrix.isfinite().all():
            raise ValueError(f"{name} holds inf or nan; accepted are finite numbers")
    (A, onto_A, high_A, low_A, full_A), (B, onto_B, high_B, low_B, full_B) = _factor("A", A), _factor("B", B)
    H, K = A @ A.mT, B @ B.mT
    L, mu = high_A**2 * high_B**2, low_A**2 * low_B**2
    # start less its component in the range of the Hessian, plus that of the target
    minimizer = start + onto_A @ (target - start) @ onto_B
    if full_A and full_B:
        minimizer = target.expand_as(minimizer)
    R2 = (start - minimizer).square().sum((-2, -1)) + minimizer.square().sum((-2, -1))
    floor = 1e-30 * L * R2 + 1e-290
    sweep = minimizer.shape[:-2]
    return deterministic(
        name="matrix regression",
        shape=tuple(target.shape),
        gap=lambda W: (A.mT @ (W - target) @ B).square().sum((-2, -1)) / 2,
        grad=lambda W: H @ (W - target) @ K,
        start=start.expand(*sweep, *start.shape),
        minimizer=minimizer,
        smoothness=_number(L),
        pl=_number(mu),
        strong_convexity=_number(mu if full_A and full_B else 0.0 * mu),
        convex=True,
        certificate="L: product of the largest squared singular values of A and B plus the error of computing them; mu: "
        "product of the smallest nonzero ones less that error; sigma2: one component; f*: a square that vanishes at W*",
        floor=_number(floor),
    )


def random_matrix_regression(
    m: int, n: int, condition: float | Tensor, generator: Generator, rank: int | None = None
) -> FiniteSum:
    """A (m, m) and B (n, n) random rotations of singular values log-spaced in [1/condition, 1], so L = 1 and, for m, n
    >= 2, mu = condition^-4; W* a Gaussian matrix of this rank with ||W*||_F = 1, start 0.

    condition: a number >= 1, or a tensor (*sweep, 1, 1) of them with a further axis of length 1 for each replicate axis,
    as in (6, 1, 1, 1) against W of shape (6, replicates, m, n). Raises ValueError for others, or a rank out of range.
    """
    condition = torch.as_tensor(condition, dtype=torch.float64, device=generator.device)
    if not ((condition >= 1) & condition.isfinite()).all() or (condition.ndim and condition.shape[-2:] != (1, 1)):
        raise ValueError(f"condition is {condition.tolist()}; accepted are finite numbers >= 1, or a tensor (*sweep, 1, 1)")
    rank = min(m, n) if rank is None else rank
    if not 1 <= rank <= min(m, n):
        raise ValueError(f"rank is {rank}; accepted are 1 to min(m, n) = {min(m, n)}")

    def factor(d):
        decay = torch.linspace(0, 1, d, dtype=torch.float64, device=generator.device)
        left, right = random_rotation(d, generator), random_rotation(d, generator)
        return (left * condition**-decay) @ right.mT

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64, device=generator.device)

    target = normal(m, rank) @ normal(rank, n)
    return matrix_regression(factor(m), factor(n), target / target.norm())


def _factor(name: str, matrix: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, bool]:
    """A factor with the same A A^T, the projection onto the range, bounds of the largest and smallest nonzero singular
    value, and whether the rows are independent."""
    U, s, _ = torch.linalg.svd(matrix, full_matrices=False)
    error = 2 * max(matrix.shape[-2:]) * UNIT * s[..., :1]
    nonzero = s > error
    if not nonzero.any(-1).all():
        raise ValueError(f"{name} is zero")
    kept = torch.where(nonzero, s, 0.0).unsqueeze(-2)
    smallest = torch.where(nonzero, s, math.inf).amin(-1)
    full = bool(nonzero.all()) and matrix.shape[-2] <= matrix.shape[-1]
    onto = (U * nonzero.unsqueeze(-2)) @ U.mT
    return U * kept, onto, s[..., 0] + error[..., 0], smallest - error[..., 0], full


def _number(constant: Tensor) -> float | Tensor:
    return constant if constant.ndim else float(constant)
