r"""SAM, sharpness-aware minimization: another solver on the gradients at a perturbed point.

    grad f_S(x + eps)  in place of  grad f_S(x),    both on one sample S,    g = grad f_S(x)

    p in [1, inf]            eps = -rho lmo_p(g) = argmax_{||e||_p <= rho} <g, e>;  p = 2: rho g / ||g||
    normalized=False         eps = rho g                                            (USAM)
    adaptive=True            eps = rho D u(D g), D = diag|x|, where it was rho u(g) (ASAM)
    second_order=True        + (d eps/dx)^T grad f_S(x + eps), so that it is the whole gradient of x -> f_S(x + eps(x))
    part=m                   S in parts of m components, in order, each with its own eps; the mean of the gradients (m-SAM)

The dropped term is a product of the Hessian on S at x with a vector: for eps = rho u(g), u = the gradient of ||g||_q,
1/p + 1/q = 1, it is rho H J grad f_S(x + eps), with J = the Hessian of ||.||_q at g. It is 0 for p = 1 and p = inf, where
eps is piecewise constant; where an entry of g is 0 and J has none of it (p > 2), that entry of J is taken as 0.

ASAM is pinned with D = diag|x|, so that a weight that is 0 is not perturbed; the authors' code adds 0.01 to it.

g = 0 gives eps = 0, and rho = 0 gives the steps of `inner`. Nothing but gradients is perturbed: `inner` remembers, averages
and decays its own iterate x. Function values and single components are not passed on.

A step costs twice that of `inner`; with second_order four times, because a product with a Hessian counts as two gradients.
In parts, k points are held for a sample of k m components. Inside ToTorch each parameter is a point with an eps of its own
length rho; SAM as published has one eps for all parameters: one flat vector.

P. Foret, A. Kleiner, H. Mobahi and B. Neyshabur (2021), arXiv:2010.01412; without normalization: M. Andriushchenko and
N. Flammarion (2022), arXiv:2206.06232; adaptive: J. Kwon, J. Kim, H. Park and I. K. Choi (2021), arXiv:2102.11600.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from ratewitness.solvers.around.inner import solvers
from ratewitness.solvers.norms.lmo import lp
from ratewitness.solvers.ranges import at_least_zero, positive_integer, shown
from ratewitness.solvers.solver import Solver, State, dot
from torch import Tensor


@dataclass(frozen=True, eq=False)
class SAM:
    """The step of `inner` on gradients at x + eps; rho a number, or a tensor that broadcasts against x.

    Raises ValueError for an `inner` that is no solver, a negative rho, p below 1, a p other than 2 without normalization,
    and a part or ndim that is no integer >= 1.
    """

    inner: Solver
    rho: float | Tensor
    p: float = 2.0
    normalized: bool = True
    second_order: bool = False
    adaptive: bool = False
    part: int | None = None
    ndim: int = 1

    def __post_init__(self):
        solvers(inner=self.inner)
        at_least_zero(rho=self.rho)
        lp(self.p)
        if not self.normalized and self.p != 2:
            raise ValueError(f"p is {shown(self.p)} without normalization, which has no norm; accepted is 2")
        positive_integer(ndim=self.ndim, **({} if self.part is None else {"part": self.part}))

    def init(self, x: Tensor) -> State:
        return self.inner.init(x)

    def step(self, x: Tensor, state: State, oracle) -> tuple[Tensor, State]:
        return self.inner.step(x, state, _Perturbed(oracle, self))

    def perturbation(self, x: Tensor, g: Tensor) -> Tensor:
        """eps at x, where the gradient is g: (*batch, *shape) twice -> (*batch, *shape)."""
        if self.adaptive:
            return self.rho * x.abs() * self._direction(x.abs() * g)
        return self.rho * self._direction(g)

    def dropped(self, x: Tensor, g: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """(d eps/dx)^T v = a + H b as the pair (a, b), for the gradient g and the Hessian H at x: all (*batch, *shape)."""
        if not self.adaptive:
            return torch.zeros_like(x), self.rho * self._derivative(g, v)
        D, sign = x.abs(), x.sign()
        w = self._derivative(D * g, D * v)
        return self.rho * sign * (self._direction(D * g) * v + g * w), self.rho * D * w

    def _direction(self, g: Tensor) -> Tensor:
        """u = -lmo_p(g), the gradient of the dual norm; g itself without normalization."""
        if not self.normalized:
            return g
        return -lp(self.p).lmo(g.flatten(-self.ndim), strict=False).reshape(g.shape)

    def _derivative(self, g: Tensor, v: Tensor) -> Tensor:
        """J v, J the derivative of u, which is symmetric: (q-1)/||g||_q (|g/||g||_q|^(q-2) v - u <u, v>)."""
        if not self.normalized:
            return v
        if self.p in (1, math.inf):
            return torch.zeros_like(g)
        q = self.p / (self.p - 1)
        u = self._direction(g)
        length = lp(q).value(g.flatten(-self.ndim), strict=False).reshape(*g.shape[: g.ndim - self.ndim], *[1] * self.ndim)
        moved = length != 0
        length = length.where(moved, 1)
        weight = torch.ones_like(g) if q == 2 else (g.abs() / length).pow(q - 2).where(g != 0, 0)
        return ((q - 1) / length * (weight * v - u * dot(u, v, self.ndim))).where(moved, 0)


class _Perturbed:
    """An oracle that answers with the gradients of SAM."""

    def __init__(self, oracle, sam: SAM):
        self._oracle, self._sam = oracle, sam

    def grad(self, x: Tensor, redraw: bool = True) -> Tensor:
        oracle, sam = self._oracle, self._sam
        if sam.part is not None:
            return self._in_parts(x.unsqueeze(0), redraw).mean(0)
        g = oracle.grad(x, redraw=redraw)
        ahead = oracle.grad(x + sam.perturbation(x, g), redraw=False)
        if not sam.second_order:
            return ahead
        of_x, of_g = sam.dropped(x, g, ahead)
        return ahead + of_x + oracle.hessian_vector(x, of_g)

    def _in_parts(self, x: Tensor, redraw: bool) -> Tensor:
        """All parts on a new first axis, where x has length 1."""
        oracle, sam = self._oracle, self._sam
        g = oracle.part_grads(x, sam.part, redraw=redraw)
        ahead = oracle.part_grads(x + sam.perturbation(x, g), sam.part, redraw=False)
        if not sam.second_order:
            return ahead
        of_x, of_g = sam.dropped(x, g, ahead)
        return ahead + of_x + oracle.hessian_vector(x, of_g, part=sam.part)

    def full_grad(self, x: Tensor) -> Tensor:
        if self._sam.second_order or self._sam.part is not None:
            raise ValueError("a solver asks for full_grad; accepted inside SAM in parts or of second order are others")
        return self._oracle.full_grad(x + self._sam.perturbation(x, self._oracle.full_grad(x)))
