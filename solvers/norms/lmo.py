r"""Norms as solvers see them: value, dual norm and linear minimization oracle (LMO).

    lmo(g) = argmin_{||x|| <= 1} <g, x>,      <g, lmo(g)> = -||g||_*,      ||lmo(g)|| = 1 unless g = 0

A step is x + a lmo(g) (normalized) or x + a ||g||_* lmo(g) (regularized). With q = p/(p-1) and the thin SVD g = U S V^T:

    norm                              dual                        lmo
    lp(p), 1 < p < inf                l_q                         -sign(g) |g|^(q-1) / || |g|^(q-1) ||_p
    L1                                l_inf                       -sign(g_i) e_i, i the first with |g_i| largest
    LINF                              l_1                         -sign(g)
    ky_fan(k): k largest |x_i|        max(l_inf, l_1/k)           -sign(g)/k if ||g||_1 >= k ||g||_inf, else as L1
    schatten(p), ky_fan_spectral(k)   as for the vector S         U diag(lmo(S)) V^T: -U V^T for SPECTRAL
    FROBENIUS, MAX_ABS (l1 -> linf)   l_2, l_1 of the entries     as L2, LINF on the entries
    COLUMN (l1 -> l2)                 sum of column norms         -g_:j / ||g_:j|| in every column
    ROW (l2 -> linf)                  sum of row norms            -g_i: / ||g_i:|| in every row
    c ||.||                           ||.||_* / c                 lmo / c

The last row gives, for m x n matrices (outputs x inputs), RMS_TO_RMS (c = sqrt(n/m), SPECTRAL), L1_TO_RMS (1/sqrt m,
COLUMN), RMS_TO_LINF (sqrt n, ROW) and SIGN (n, MAX_ABS).

Where the minimizer is not unique, one is fixed, always in the ball and always of value -||g||_*. g = 0: lmo(g) = 0, as
every point of the ball has value 0. A zero entry (LINF), column (COLUMN), row (ROW) or singular value (SPECTRAL) of g
leaves its part of x free, and that part is zero; the norm is still 1 through the other parts. A singular value counts
as zero if it is at most eps max(m, n) times the largest one, which costs at most that much per value. Ties of |g_i| go
to the first index; a tie of singular values to the pair that the SVD returns first.

Every point is divided by its largest entry before powers and squares, so that neither 1e200 nor denormals overflow or
vanish (a norm itself may, as any number). bfloat16 and float16 are computed in float32, everything else in its own
precision, and returned in the dtype of g.

A NaN or an infinite entry raises ValueError. With strict=False, what solvers use, it makes the answer for its point NaN
and leaves the others of the batch alone: one diverging replicate must not stop a sweep. Either way it is found by one
sum over all of g, the only cost as long as everything is finite.

J. Bernstein and L. Newhouse (2024), arXiv:2409.20325; T. Pethick et al. (2025), arXiv:2502.07529; A. S. Lewis (1995) for
norms of singular values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Real

import torch
from ratewitness.solvers.ranges import is_integer, real_floating, shown
from torch import Tensor

Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Norm:
    """A norm on vectors (*batch, d) if ndim is 1, on matrices (*batch, m, n) if it is 2.

    The three methods raise ValueError for a tensor that is no such point, has an axis of length 0 or is not real and
    floating; NaN and infinite entries as above. The fields `value_of`, `dual_of` and `lmo_of` are the same maps for
    finite float32 or float64 points, unchecked.
    """

    name: str
    ndim: int
    value_of: Map = field(repr=False)
    dual_of: Map = field(repr=False)
    lmo_of: Map = field(repr=False)

    def value(self, x: Tensor, strict: bool = True) -> Tensor:
        """||x||: (*batch, *shape) -> (*batch,)."""
        return self._applied(self.value_of, "x", x, strict)

    def dual(self, g: Tensor, strict: bool = True) -> Tensor:
        """||g||_* = max of <g, x> over ||x|| <= 1: (*batch, *shape) -> (*batch,)."""
        return self._applied(self.dual_of, "g", g, strict)

    def lmo(self, g: Tensor, strict: bool = True) -> Tensor:
        """argmin of <g, x> over ||x|| <= 1: (*batch, *shape) -> (*batch, *shape)."""
        return self._applied(self.lmo_of, "g", g, strict)

    def _applied(self, function: Map, what: str, point: Tensor, strict: bool) -> Tensor:
        real_floating(**{what: point})
        if point.ndim < self.ndim or 0 in point.shape[-self.ndim :]:
            accepted = "vectors (*batch, d)" if self.ndim == 1 else "matrices (*batch, m, n)"
            raise ValueError(f"{what} has shape {tuple(point.shape)}; the norm {self.name} accepts {accepted}, not empty")
        if point.dtype in (torch.bfloat16, torch.float16):
            return self._applied(function, what, point.float(), strict).to(point.dtype)
        # a finite sum has finite terms; an infinite one may still have
        if math.isfinite(point.sum()) or (finite := point.isfinite()).all():
            return function(point)
        if strict:
            raise ValueError(f"{what} contains {point[~finite][0]:g}; accepted are finite entries")
        answer = function(point.where(finite, 0))
        finite = finite.flatten(-self.ndim).all(-1)
        return answer.where(finite.reshape(*finite.shape, *[1] * (answer.ndim - finite.ndim)), math.nan)


def lp(p: float) -> Norm:
    """(sum |x_i|^p)^(1/p) for 1 <= p <= inf. Raises ValueError for another p."""
    if isinstance(p, bool) or not isinstance(p, Real) or not p >= 1:
        raise ValueError(f"p is {shown(p)}; accepted are numbers from 1 to inf")
    p = float(p)
    if p == 1:
        return Norm("l1", 1, _sum, _largest, _basis_vector)
    if p == math.inf:
        return Norm("linf", 1, _largest, _sum, lambda g: g.sign().neg_())
    lmo = _minus_direction if p == 2 else _powers(p)
    return Norm(f"l{p:g}", 1, _length(p), _length(p / (p - 1)), lmo)


def _minus_direction(g: Tensor) -> Tensor:
    """-g/||g||_2."""
    # vector_norm is up to ten times slower along an axis with a stride
    contiguous = g.stride(-1) == 1
    length = torch.linalg.vector_norm(g, 2, -1, keepdim=True) if contiguous else (g * g).sum(-1, keepdim=True).sqrt_()
    if length.numel():
        least, most = (limit.item() for limit in torch.aminmax(length))
        if least > torch.finfo(g.dtype).tiny ** 0.25 and most < math.inf:  # no square that matters vanished or overflowed
            return g / length.neg_()
    g = _unit(g)[0]
    return g.div_(torch.linalg.vector_norm(g, 2, -1, keepdim=True).clamp_(min=1).neg_())


def _powers(p: float) -> Map:
    def lmo(g: Tensor) -> Tensor:
        a = g.abs()
        a = a.div_(_nonzero(a.amax(-1, keepdim=True)))
        w = a.pow(1 / (p - 1))  # q - 1 = 1/(p - 1), and so w^p = a^q = a w
        # the largest entry of w is 1, and with it the norm at least 1, unless g = 0
        length = (a * w).sum(-1, keepdim=True).pow_(1 / p).clamp_(min=1).neg_()
        return g.sign().mul_(w.div_(length))

    return lmo


def ky_fan(k: int) -> Norm:
    """The sum of the k largest |x_i|; k = 1 is LINF, k = d is L1.

    Raises ValueError for k < 1 or no integer, and its methods for k > d.
    """
    if not is_integer(k) or k < 1:
        raise ValueError(f"k is {shown(k)}; accepted are integers from 1 to d")
    k = int(k)

    def checked(x: Tensor) -> Tensor:
        if k > x.shape[-1]:
            raise ValueError(f"k is {k}; accepted are integers from 1 to d = {x.shape[-1]}")
        return x

    def lmo(g: Tensor) -> Tensor:
        spread = _unit(checked(g))[0].abs().sum(-1, keepdim=True) >= k  # ||g||_1 >= k ||g||_inf, never for g = 0
        return torch.where(spread, g.sign().div_(-k), _basis_vector(g))

    return Norm(
        f"ky_fan_{k}",
        1,
        lambda x: checked(x).abs().topk(k, -1).values.sum(-1),
        lambda g: torch.maximum(_largest(checked(g)), _length(1)(g) / k),
        lmo,
    )


def schatten(p: float) -> Norm:
    """The l_p norm of the singular values: 1 nuclear, 2 Frobenius, inf spectral. Raises ValueError for p < 1."""
    if p == 2:
        return FROBENIUS
    if p == 1:
        return _of_singular_values("nuclear", lp(1), support=1)
    gauge = lp(p)
    return _of_singular_values("spectral" if p == math.inf else f"schatten_{p:g}", gauge)


def ky_fan_spectral(k: int) -> Norm:
    """The sum of the k largest singular values; raises ValueError as `ky_fan` does, with d = min(m, n)."""
    return _of_singular_values(f"ky_fan_spectral_{k}", ky_fan(k))


def _of_singular_values(name: str, gauge: Norm, support: int | None = None) -> Norm:
    """gauge(S) for a norm of vectors that ignores order and signs; support: the LMO of S has at most that many entries."""

    def lmo(g: Tensor) -> Tensor:
        u, s, vh = _thin_svd(_unit(g, 2)[0])
        s = s.where(s > torch.finfo(s.dtype).eps * max(g.shape[-2:]) * s[..., :1], 0)
        weights = gauge.lmo_of(s)[..., None, :support]
        return (u[..., :support] * weights) @ vh[..., :support, :]

    def of_singular_values(function: Map) -> Map:
        def composed(x: Tensor) -> Tensor:
            unit, scale = _unit(x, 2)
            return scale[..., 0, 0] * function(torch.linalg.svdvals(unit))

        return composed

    return Norm(name, 2, of_singular_values(gauge.value_of), of_singular_values(gauge.dual_of), lmo)


def _thin_svd(g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """U, S, V^T, of the transpose unless m > n: LAPACK takes columns, and is up to a fifth faster on tall matrices."""
    if g.shape[-2] > g.shape[-1]:
        return torch.linalg.svd(g, full_matrices=False)
    v, s, uh = torch.linalg.svd(g.mT, full_matrices=False)
    return uh.mT, s, v.mT


def _of_entries(name: str, norm: Norm) -> Norm:
    """The norm of the m n entries as one vector."""

    def lmo(g: Tensor) -> Tensor:
        return norm.lmo_of(g.flatten(-2)).reshape(g.shape)

    return Norm(name, 2, lambda x: norm.value_of(x.flatten(-2)), lambda g: norm.dual_of(g.flatten(-2)), lmo)


def _largest_row(name: str, norm: Norm) -> Norm:
    """The largest norm of a row, induced from the dual of `norm` to l_inf."""
    return Norm(name, 2, lambda x: norm.value_of(x).amax(-1), lambda g: norm.dual_of(g).sum(-1), norm.lmo_of)


def _of_transpose(name: str, norm: Norm) -> Norm:
    return Norm(name, 2, lambda x: norm.value_of(x.mT), lambda g: norm.dual_of(g.mT), lambda g: norm.lmo_of(g.mT).mT)


def _times(name: str, norm: Norm, factor: Callable[[int, int], float]) -> Norm:
    """factor(m, n) times a norm of m x n matrices."""

    def c(x: Tensor) -> float:
        return factor(*x.shape[-2:])

    return Norm(
        name,
        2,
        lambda x: c(x) * norm.value_of(x),
        lambda g: norm.dual_of(g) / c(g),
        lambda g: norm.lmo_of(g).div_(c(g)),
    )


def _unit(x: Tensor, ndim: int = 1) -> tuple[Tensor, Tensor]:
    """x / s, a new tensor, and s = the largest |entry| of each point (*batch, 1, ...); 0 stays 0."""
    s = x.abs().amax(tuple(range(-ndim, 0)), keepdim=True)
    return x / _nonzero(s), s


def _nonzero(s: Tensor) -> Tensor:
    return s.where(s > 0, 1)


def _largest(x: Tensor) -> Tensor:
    return x.abs().amax(-1)


def _sum(x: Tensor) -> Tensor:
    return x.abs().sum(-1)


def _length(p: float) -> Map:
    """x -> ||x||_p, without overflow on the way."""

    def length(x: Tensor) -> Tensor:
        unit, s = _unit(x)
        return s[..., 0] * torch.linalg.vector_norm(unit, p, -1)

    return length


def _basis_vector(g: Tensor) -> Tensor:
    """-sign(g_i) e_i for the first i with |g_i| largest; 0 for g = 0."""
    i = g.abs().max(-1, keepdim=True).indices
    return torch.zeros_like(g).scatter_(-1, i, g.gather(-1, i).sign().neg_())


L1, L2, LINF = lp(1), lp(2), lp(math.inf)
FROBENIUS = _of_entries("frobenius", L2)
NUCLEAR, SPECTRAL = schatten(1), schatten(math.inf)
ROW = _largest_row("row", L2)
COLUMN = _of_transpose("column", ROW)
MAX_ABS = _of_entries("max_abs", LINF)
RMS_TO_RMS = _times("rms_to_rms", SPECTRAL, lambda m, n: math.sqrt(n / m))
L1_TO_RMS = _times("l1_to_rms", COLUMN, lambda m, n: 1 / math.sqrt(m))
RMS_TO_LINF = _times("rms_to_linf", ROW, lambda m, n: math.sqrt(n))
SIGN = _times("sign", MAX_ABS, lambda m, n: n)  # the normalized one of Scion

NAMED = (
    *(L1, L2, LINF, FROBENIUS, SPECTRAL, NUCLEAR, COLUMN, ROW, MAX_ABS),
    *(RMS_TO_RMS, L1_TO_RMS, RMS_TO_LINF, SIGN),
)
PREFIXES = {"l": "lp", "ky_fan_": "ky_fan", "schatten_": "schatten", "ky_fan_spectral_": "ky_fan_spectral"}
FAMILIES = {"lp": (lp, "p"), "ky_fan": (ky_fan, "k"), "schatten": (schatten, "p"), "ky_fan_spectral": (ky_fan_spectral, "k")}
# every named norm, and members of each family: the list for laws that hold for every norm
NORMS = {n.name: n for n in (*NAMED, lp(1.5), lp(3), ky_fan(2), schatten(1.5), schatten(3), ky_fan_spectral(2))}


def norm(name: str, **parameters: float) -> Norm:
    """A norm by name: norm("spectral"), norm("lp", p=3), or as it prints, norm("l3").

    Raises ValueError for a name or parameter that is none.
    """
    if not parameters:
        if name in NORMS:
            return NORMS[name]
        if printed := re.fullmatch(rf"({'|'.join(PREFIXES)})(\d+(?:\.\d+)?(?:e\+\d+)?)", str(name)):
            prefix, number = printed.groups()
            return FAMILIES[PREFIXES[prefix]][0](int(number) if number.isdecimal() else float(number))
    family, parameter = FAMILIES.get(name, (None, None))
    if {parameter} != set(parameters):
        given = "".join(f", {key}={value!r}" for key, value in parameters.items())
        families = ", ".join(f"{family} with {parameter}" for family, (_, parameter) in FAMILIES.items())
        raise ValueError(f"norm is {name!r}{given}; accepted are {families}, and names such as {', '.join(NORMS)}")
    return family(**parameters)


def check_norm(**norms: Norm) -> None:
    """Raises ValueError for anything but a `Norm`."""
    for name, value in norms.items():
        if not isinstance(value, Norm):
            raise ValueError(f'{name} is {shown(value)}; accepted are norms such as solvers.lmo.norm("l2")')
