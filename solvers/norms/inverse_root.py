r"""Inverse p-th roots of symmetric positive semidefinite matrices.

    A^{-1/p} = U diag(lambda_i^{-1/p}) U^T,        A + eps I = U diag(lambda_i) U^T

eps >= 0 is absolute: eps I is added to A before the root, as in Shampoo and AdaGrad. Two methods:

"eigh", the eigendecomposition of A, any real p > 0. Negative eigenvalues of A are rounding of a semidefinite matrix and
count as 0 before eps is added. With eps = 0 the result is the pseudo-inverse root: an eigenvalue of at most
d u lambda_max, u the machine epsilon, counts as 0, and so does its inverse root.

"newton", the coupled Newton iteration for an integer p, matrix products only:

    X_0 = z^{1/p} I,   M_0 = z (A + eps I),   z = min{(p+1)/2, 2} / ||A + eps I||
    T_k = ((p+1) I - M_k)/p,   X_{k+1} = X_k T_k,   M_{k+1} = T_k^p M_k,        X_k -> (A + eps I)^{-1/p}, M_k -> I

X_k^p (A + eps I) = M_k throughout. ||.|| is the smaller of the Frobenius norm and the largest absolute row sum, so that
the eigenvalues of M_0 lie in (0, 2], inside the (0, p+1) that ensures convergence, and short of where a step would crush
the largest ones, to m e^{-m} or so for large p, and their digits with them. A small one grows by (1 + 1/p)^p < e a step,
hence about log kappa of steps at first, kappa the condition number; then convergence is quadratic. A matrix is done, and
frozen while the others of its batch go on, when

    ||M_k - I||_F <= 10 p d u

and a singular matrix never, or, rounding being what it is, with a root that shows a kappa beyond 1/(d u): ValueError.

Both lose what kappa takes: the relative error is of the order of u kappa. A NaN or infinite entry raises ValueError; with
strict=False, what solvers use, it makes the root of its matrix NaN and leaves the others of the batch alone.

C.-H. Guo and N. J. Higham (2006), doi:10.1137/050643374; B. Iannazzo (2006), doi:10.1137/050624790; in
R. Anil et al. (2020), arXiv:2002.09018, z is (p+1)/2 over the Frobenius norm for every p.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Literal, get_args

import torch
from ratewitness.solvers.ranges import at_least_zero, shown, tensors
from torch import Tensor

Method = Literal["eigh", "newton"]


def inverse_root(
    A: Tensor,
    power: float,
    eps: float | Tensor = 0.0,
    method: Method = "eigh",
    iterations: int = 100,
    strict: bool = True,
) -> Tensor:
    """(A + eps I)^{-1/power} of symmetric positive semidefinite A, float32 or float64: (*batch, d, d) -> (*batch, d, d).

    eps may be a tensor (*batch, 1, 1). Raises ValueError for an A that is not square, not real floating-point, not
    finite (unless strict=False), or, beyond rounding, not symmetric or (eigh) not semidefinite; for a power <= 0, or no
    integer for newton; for a negative eps, and an unknown method. newton raises it for A + eps I that is not definite or
    too ill conditioned, kappa > 1/(d u).
    """
    check_method(method=method)
    at_least_zero(eps=eps)
    if not (isinstance(power, Real) and power > 0) or (method == "newton" and power % 1 != 0):
        raise ValueError(f"power is {shown(power)}; accepted are {'integers >= 1' if method == 'newton' else 'numbers > 0'}")
    tensors(A=A)
    if A.ndim < 2 or A.shape[-1] != A.shape[-2] or A.shape[-1] == 0:
        raise ValueError(f"A has shape {tuple(A.shape)}; accepted are square matrices (*batch, d, d), d >= 1")
    if A.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"A has dtype {A.dtype}; accepted are float32 and float64")
    eps = torch.as_tensor(eps, dtype=A.dtype, device=A.device)
    if eps.ndim and eps.shape[-2:] != (1, 1):
        raise ValueError(f"eps has shape {tuple(eps.shape)}; accepted are numbers and tensors (*batch, 1, 1)")
    if not A.isfinite().all():
        finite = A.isfinite().all(-1, keepdim=True).all(-2, keepdim=True)
        if strict:
            raise ValueError(f"A contains {A[~A.isfinite()][0]:g}; accepted are finite entries")
        identity = torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)
        root = inverse_root(A.where(finite, identity), power, eps, method, iterations)
        return root.where(finite, math.nan)
    skew, rounding = (A - A.mT).abs().amax((-1, -2)), torch.finfo(A.dtype).eps ** 0.5
    if (skew > rounding * A.abs().amax((-1, -2))).any():
        raise ValueError(f"A is not symmetric: |A - A^T| reaches {skew.max():.2g}; accepted are symmetric matrices")
    A = torch.lerp(A, A.mT, 0.5)
    return _by_eigenvalues(A, power, eps) if method == "eigh" else _by_newton(A, int(power), eps, iterations)


def check_method(**methods: str) -> None:
    """Raises ValueError for a method of inverse roots that does not exist."""
    for name, method in methods.items():
        if method not in get_args(Method):
            raise ValueError(f"{name} is {method!r}; accepted are {', '.join(map(repr, get_args(Method)))}")


def _by_eigenvalues(A: Tensor, power: float, eps: Tensor) -> Tensor:
    eigenvalues, U = torch.linalg.eigh(A)
    u, eps = torch.finfo(A.dtype).eps, eps[..., 0] if eps.ndim else eps
    indefinite = eigenvalues[..., 0] < -(u**0.5) * eigenvalues.abs().amax(-1)
    if indefinite.any():
        least = eigenvalues[indefinite][0, 0]
        raise ValueError(f"A has the eigenvalue {least:.2g}; accepted are positive semidefinite matrices")
    zero = torch.where(eps == 0, A.shape[-1] * u * eigenvalues[..., -1:], 0)
    shifted = eigenvalues.clamp(min=0) + eps
    roots = torch.where(shifted > zero, shifted, math.inf) ** (-1 / power)
    return (U * roots.unsqueeze(-2)) @ U.mT


def _by_newton(A: Tensor, p: int, eps: Tensor, iterations: int) -> Tensor:
    d, u = A.shape[-1], torch.finfo(A.dtype).eps
    identity = torch.eye(d, dtype=A.dtype, device=A.device)
    B = A + eps * identity
    size = B.abs().amax((-1, -2), keepdim=True)  # taken out first: squares of tiny and huge entries leave the range
    B = (B / torch.where(size == 0, 1, size)).reshape(-1, d, d)
    norm = torch.minimum(torch.linalg.matrix_norm(B), B.abs().sum(-1).amax(-1))[:, None, None]
    z = min((p + 1) / 2, 2) / torch.where(norm == 0, 1, norm)
    X, M = z ** (1 / p) * identity, z * B
    root = torch.full_like(B, math.nan)
    active = torch.arange(len(B), device=A.device)
    for _ in range(iterations + 1):
        done = torch.linalg.matrix_norm(M - identity) <= 10 * p * d * u
        if done.any():
            root[active[done]] = X[done]
            active, X, M = active[~done], X[~done], M[~done]
        if not len(active):
            break
        T = ((p + 1) * identity - M) / p
        X, M = X @ T, torch.linalg.matrix_power(T, p) @ M
    condition = _largest_eigenvalue(torch.linalg.matrix_power(root, p)) * _largest_eigenvalue(B)
    if not (condition <= 1 / (d * u)).all():  # NaN where the iteration has not come to an end
        raise ValueError(
            f"A + eps I is singular, indefinite or has a condition number above 1/(d u) = {1 / (d * u):.1e}; accepted by "
            "'newton' are definite matrices: add a larger multiple of I, or use 'eigh'"
        )
    return ((root + root.mT) / 2).reshape(torch.broadcast_shapes(A.shape, eps.shape)) * size ** (-1 / p)


def _largest_eigenvalue(B: Tensor) -> Tensor:
    """||B^2||_F / ||B||_F, below it by d^{1/4} at most and usually by nothing to speak of: (N, d, d) -> (N,)."""
    return torch.linalg.matrix_norm(B @ B) / torch.linalg.matrix_norm(B)
