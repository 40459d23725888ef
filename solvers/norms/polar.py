r"""The orthogonal polar factor U V^T of G = U S V^T, exactly and by matrix products only.

    ExactPolar:    U_r V_r^T from the singular value decomposition
    polynomials:   X_0 = G/||G||_F,  X_{t+1} = p_t(X_t),  p(X) = c_0 X + c_1 (X X^T) X + c_2 (X X^T)^2 X + ...

An odd polynomial acts on the singular values alone: p(U S V^T) = U p(S) V^T. A step of degree 2q + 1 takes q + 1 matrix
products. G is transposed when it has more rows than columns, so that X X^T is the smaller Gram matrix. Singular values
that are zero stay zero under every odd polynomial, and `ExactPolar` drops them likewise: what it returns for a matrix of
rank r is the partial isometry U_r V_r^T, zero for G = 0. Convergence of a polynomial method is that of the smallest
singular value of G/||G||_F: none reaches a value far below the range it was made for.

Orthogonalizers are called with matrices (*batch, m, n) and return (*batch, m, n) in the dtype of G; `dtype` is the
precision of the iteration. They raise ValueError for what is no real floating-point tensor of matrices, for an axis of
length 0, and for entries that are not finite.

Higham (2008), Functions of Matrices, chapter 8; K. Jordan (2024); Amsel, Persson, Musco and Gower (2025),
arXiv:2505.16932.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from ratewitness.solvers.norms.odd_polynomials import CUSHION, MUON, Coefficients, greedy_composition, pade_polynomial
from ratewitness.solvers.ranges import at_least_zero, matrices, positive_integer, shown
from torch import Tensor


def _checked(g: Tensor) -> Tensor:
    matrices(g=g)
    if not torch.isfinite(g).all():
        raise ValueError(f"g contains {g[~g.isfinite()][0]:g}; accepted are finite entries")
    return g


def _check_dtype(dtype: torch.dtype | None) -> None:
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise ValueError(f"dtype is {shown(dtype)}; accepted are floating-point dtypes of torch, and None for that of g")


def _scaled(g: Tensor) -> tuple[Tensor, Tensor]:
    """g/s and s (*batch, 1, 1), the power of two that brings the largest entry to [1, 2); s = 1 for g = 0.

    Exact, so that no norm of a matrix of floats overflows or underflows.
    """
    largest = g.abs().amax((-2, -1), keepdim=True)
    s = torch.where(largest > 0, largest / (2 * torch.frexp(largest).mantissa), 1.0)
    return g / s, s


@dataclass(frozen=True, eq=False)
class ExactPolar:
    """U_r V_r^T by SVD: a singular value counts as zero when it is at most max(m, n) * eps * the largest one.

    eps is that of the precision of the SVD, float32 for half precision.
    """

    dtype: torch.dtype | None = None

    def __post_init__(self):
        _check_dtype(self.dtype)

    def __call__(self, g: Tensor) -> Tensor:
        x, _ = _scaled(_checked(g))
        dtype = self.dtype or g.dtype
        x = x.to(dtype if dtype in (torch.float32, torch.float64) else torch.float32)
        U, S, Vh = torch.linalg.svd(x, full_matrices=False)
        tolerance = max(g.shape[-2:]) * torch.finfo(x.dtype).eps * S[..., :1]
        kept = U * (tolerance < S).to(x.dtype).unsqueeze(-2)
        return (kept @ Vh).to(g.dtype)


def _through(polynomials: tuple[Coefficients, ...], g: Tensor, dtype, safety=1.0, plus=0.0, least=0.0) -> Tensor:
    """p_T(...p_1(g/N)), N = max(safety ||g||_F + plus, least), and 1 for g = 0."""
    x, s = _scaled(_checked(g))
    x, s = x.to(dtype or g.dtype), s.to(torch.promote_types(g.dtype, torch.float32))
    wide = x.shape[-2] <= x.shape[-1]
    x = (x if wide else x.mT).reshape(-1, min(g.shape[-2:]), max(g.shape[-2:]))
    norm = torch.linalg.matrix_norm(x, keepdim=True)
    s = s.reshape(-1, 1, 1)
    # full_like: a number divided by a tensor is a multiplication by a reciprocal, which overflows for denormals
    plus, least = ((torch.full_like(s, number) / s).to(x.dtype) for number in (plus, least))
    divisor = (safety * norm + plus).maximum(least)
    x = x / torch.where(divisor > 0, divisor, 1.0)
    for first, *coefficients in polynomials:
        x = _step(x, first, coefficients)
    x = x.reshape(*g.shape[:-2], *x.shape[-2:])
    return (x if wide else x.mT).to(g.dtype)


def _step(x: Tensor, first: float, coefficients: list[float]) -> Tensor:
    """first x + (c_1 (x x^T) + c_2 (x x^T)^2 + ...) x by Horner's rule, for x (batch, m, n)."""
    gram = x @ x.mT
    *lower, leading = coefficients
    total = gram  # what leading multiplies; it is folded into the next product
    for c in reversed(lower):
        total = torch.baddbmm(gram, gram, total, beta=c, alpha=leading)
        leading = 1.0
    return torch.baddbmm(x, total, x, beta=first, alpha=leading)


@dataclass(frozen=True, eq=False)
class NewtonSchulz:
    """`steps` times the Pade polynomial of odd degree: order (degree + 1)/2 for singular values in (0, 1]."""

    steps: int
    degree: int = 3
    dtype: torch.dtype | None = None

    def __post_init__(self):
        positive_integer(steps=self.steps)
        pade_polynomial(self.degree)
        _check_dtype(self.dtype)

    @property
    def polynomials(self) -> tuple[Coefficients, ...]:
        return (pade_polynomial(self.degree),) * self.steps

    def __call__(self, g: Tensor) -> Tensor:
        return _through(self.polynomials, g, self.dtype)


@dataclass(frozen=True, eq=False)
class MuonQuintic:
    """`steps` times Muon's quintic: to a band around 1, never to 1. Divides by max(||G||_F, eps), as torch does."""

    steps: int = 5
    eps: float = 1e-7
    dtype: torch.dtype | None = None

    def __post_init__(self):
        positive_integer(steps=self.steps)
        at_least_zero(eps=self.eps)
        _check_dtype(self.dtype)

    @property
    def polynomials(self) -> tuple[Coefficients, ...]:
        return (MUON,) * self.steps

    def __call__(self, g: Tensor) -> Tensor:
        return _through(self.polynomials, g, self.dtype, least=self.eps)


@dataclass(frozen=True, eq=False)
class PolarExpress:
    """The greedy composition of optimal odd polynomials for singular values of G/||G||_F in [low, 1].

    As published: cushioned, with the safety factor 1.01 against rounding, and divided by 1.01 ||G||_F + 1e-7. The optimal
    composition itself is PolarExpress(..., cushion=0, safety=1, eps=0), for float64: in low precision it is far less
    accurate than the cushioned one when `low` is small.
    """

    steps: int
    degree: int = 5
    low: float = 1e-3
    cushion: float = CUSHION
    safety: float = 1.01
    eps: float = 1e-7
    dtype: torch.dtype | None = None

    def __post_init__(self):
        _ = self.polynomials  # derived once, cached; refuses what cannot be derived
        at_least_zero(eps=self.eps)
        _check_dtype(self.dtype)

    @property
    def polynomials(self) -> tuple[Coefficients, ...]:
        return greedy_composition(self.steps, self.degree, self.low, 1.0, self.cushion, self.safety).polynomials

    def __call__(self, g: Tensor) -> Tensor:
        return _through(self.polynomials, g, self.dtype, safety=self.safety, plus=self.eps)
