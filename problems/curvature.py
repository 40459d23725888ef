r"""Curvature of a function at a point: products with the Hessian, its extreme eigenvalues, its trace.

    hessian_vector       H v, exact, from the gradient
    lanczos              the largest *algebraic* eigenvalue of a symmetric H, with a residual
    hutchinson           tr H = E v^T H v for E v v^T = I, with a standard error

Points are flat, x and v of shape (*batch, d), and every leading axis is a batch of Hessians of its own. `product` maps v to
H v; it is called on (*batch, d), and by `hutchinson` on (probes, *batch, d).

The residual r = ||H u - theta u|| of a unit vector u with theta = u^T H u says that *some* eigenvalue lies within r of theta
(H symmetric), and theta <= lambda_max always. It does not say that this eigenvalue is the largest: a start orthogonal to the
top eigenvector never sees it. A random start has a part of it with probability 1, and the Lanczos method amplifies that part
more than any other. The method of powers, in contrast, goes to the eigenvalue of the largest *modulus*; and that its value
changes little from one product to the next bounds no error (studies/landscapes/curvature_estimators.py).

For H with entries H_ij a probe has the variance 2 (||H||_F^2 - sum_i H_ii^2) with independent signs (Rademacher), and
2 ||H||_F^2 with normal entries: signs are never worse.

C. Lanczos (1950); B. N. Parlett, The Symmetric Eigenvalue Problem; M. F. Hutchinson (1989).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Generator, Tensor

Product = Callable[[Tensor], Tensor]
FEWEST = 16  # probes before their spread is believed


def hessian_vector(grad: Callable[[Tensor], Tensor], x: Tensor, v: Tensor) -> Tensor:
    """H v for the Hessian H of the function whose gradient is `grad`: (*batch, d) twice -> (*batch, d).

    The gradient is differentiated once more (reverse mode; H is symmetric), which costs about two gradients.
    """
    x, v = torch.broadcast_tensors(x, v)
    return torch.func.vjp(grad, x)[1](v)[0]


class Eigenpair(NamedTuple):
    """An approximate eigenvalue (*batch,), its unit vector (*batch, d), ||H u - theta u|| (*batch,), and products taken."""

    value: Tensor
    vector: Tensor
    residual: Tensor
    products: int


def lanczos(
    product: Product, start: Tensor, steps: int, tolerance: float = 0.0, which: Literal["largest", "smallest"] = "largest"
) -> Eigenpair:  # fmt: skip
    """The largest (or smallest) algebraic eigenvalue by at most `steps` Lanczos steps from `start` (*batch, d).

    Stops when the residual is at most tolerance * |theta| in every Hessian of the batch, or the Krylov space is exhausted.
    All basis vectors are kept and orthogonalized against twice: steps * x of memory. The residual is measured with one more
    product, not taken from the recurrence. Where H is not finite all three are NaN, and the other Hessians of the batch are
    what they are without it. Raises ValueError for steps below 1, a negative tolerance, a start that is 0
    somewhere, and another `which`.
    """
    if steps < 1 or steps != int(steps):
        raise ValueError(f"steps is {steps}; accepted are integers from 1 on")
    if not tolerance >= 0:
        raise ValueError(f"tolerance is {tolerance}; accepted are numbers from 0 on")
    if which not in ("largest", "smallest"):
        raise ValueError(f"which is {which!r}; accepted are 'largest' and 'smallest'")
    length = start.norm(dim=-1, keepdim=True)
    if not (length > 0).all():
        raise ValueError("start is 0 or NaN for some Hessian of the batch; accepted are starts with a positive length")
    steps = min(steps, start.shape[-1])
    basis, diagonal, off = [start / length], [], []
    done, y = torch.zeros_like(length.squeeze(-1), dtype=torch.bool), start[..., :0]
    for k in range(steps):
        w = product(basis[-1])
        diagonal.append((w * basis[-1]).sum(-1))
        Q = torch.stack(basis, -1)  # (*batch, d, k + 1)
        for _ in range(2):  # once is not enough in floating point
            w = w - (Q @ (Q.mT @ w.unsqueeze(-1))).squeeze(-1)
        norm = w.norm(dim=-1)
        T = _tridiagonal(diagonal, off)
        values, vectors = torch.linalg.eigh(T.nan_to_num(0.0, 0.0, 0.0))  # it refuses the whole batch for one NaN
        at = -1 if which == "largest" else 0
        theta = values[..., at]
        # where nothing was left the pair stays as it was: T has zeros there, which are no eigenvalues of H
        y = torch.where(done.unsqueeze(-1), torch.nn.functional.pad(y, (0, 1)), vectors[..., at])
        y = y.where(norm.isfinite().unsqueeze(-1), math.nan)
        estimate = norm * y[..., -1].abs()  # the residual, in exact arithmetic
        scale = T.abs().amax((-1, -2))
        exhausted = norm <= 10 * math.sqrt(start.shape[-1]) * torch.finfo(start.dtype).eps * scale
        done = done | exhausted | ~norm.isfinite()
        if k == steps - 1 or (done | (estimate <= tolerance * theta.abs())).all():
            break
        off.append(norm.where(~done, 0))
        # where the space is exhausted a zero vector goes on, which changes nothing
        basis.append(torch.where(done.unsqueeze(-1), 0, w / norm.where(~done, 1).unsqueeze(-1)))
    u = (Q @ y.unsqueeze(-1)).squeeze(-1)
    u = u / u.norm(dim=-1, keepdim=True)
    image = product(u)
    theta = (u * image).sum(-1)
    return Eigenpair(theta, u, (image - theta.unsqueeze(-1) * u).norm(dim=-1), len(diagonal) + 1)


def _tridiagonal(diagonal: list[Tensor], off: list[Tensor]) -> Tensor:
    T = torch.diag_embed(torch.stack(diagonal, -1))
    if off:
        side = torch.stack(off, -1)
        T = T + torch.diag_embed(side, 1) + torch.diag_embed(side, -1)
    return T


class Trace(NamedTuple):
    """The mean over probes (*batch,), its standard error (*batch,), and how many probes were drawn."""

    value: Tensor
    error: Tensor
    probes: int


def hutchinson(
    product: Product,
    like: Tensor,
    probes: int,
    generator: Generator,
    distribution: Literal["signs", "normal"] = "signs",
    tolerance: float = 0.0,
    batch: int = 32,
) -> Trace:
    """tr H from at most `probes` random v of the shape of `like` (*batch, d), with a standard error from their spread.

    Drawn `batch` at a time; stops when the standard error is at most tolerance * |mean| for every Hessian of the batch (a
    rule on the spread of the probes, not on how little the mean changed), and not before 16 of them: a few random signs
    often agree. Raises ValueError for fewer than 2 probes, a negative tolerance, a batch below 1 and another distribution.
    """
    if probes < 2 or batch < 1:
        raise ValueError(f"probes is {probes} and batch {batch}; accepted are 2 or more, in batches from 1 on")
    if not tolerance >= 0:
        raise ValueError(f"tolerance is {tolerance}; accepted are numbers from 0 on")
    if distribution not in ("signs", "normal"):
        raise ValueError(f"distribution is {distribution!r}; accepted are 'signs' and 'normal'")
    seen: list[Tensor] = []
    while True:
        count = min(batch, probes - len(seen))
        shape, options = (count, *like.shape), {"generator": generator, "device": generator.device}
        if distribution == "signs":
            v = (2 * torch.randint(2, shape, **options) - 1).to(like.dtype)
        else:
            v = torch.randn(shape, dtype=like.dtype, **options)
        seen += (v * product(v)).sum(-1)
        values = torch.stack(seen)
        mean = values.mean(0)
        error = values.std(0) / math.sqrt(len(seen)) if len(seen) > 1 else torch.full_like(mean, math.inf)
        settled = len(seen) >= FEWEST and (error <= tolerance * mean.abs()).all()
        if settled or len(seen) == probes:
            return Trace(mean, error, len(seen))
