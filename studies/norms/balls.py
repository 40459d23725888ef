r"""Norms whose unit balls can be drawn, and a direct search for the steps that they take.

The balls are those of l_p in the plane and of the spectral, Frobenius and nuclear norm on symmetric 2 x 2 matrices. The
latter are drawn in coordinates in which <A, B> = tr A^T B is the dot product,

    A = ((t + u, v), (v, t - u)) / sqrt 2,      r = sqrt(u^2 + v^2),      eigenvalues (t +- r)/sqrt 2,

a rotation about the axis of multiples of I turns eigenvectors only, and the balls are a double cone, a sphere and a
cylinder. (A symmetric g loses nothing by symmetric steps: X and (X + X^T)/2 have the same <g, X>.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from ratewitness.solvers.norms import lmo

STEP = 0.5  # a
ROUNDS, SHRINK = 80, 0.7  # of the search: 0.7^80 is 4e-13
Points = np.ndarray  # (*batch, 2) in the plane, (*batch, 3) for the coordinates u, v, t of matrices


@dataclass(frozen=True, eq=False)
class Ball:
    """A norm in coordinates, and what `solvers/norms/lmo.py` says about it."""

    dim: int
    size: Callable[[Points], np.ndarray]
    norm: lmo.Norm

    def value(self, x: Points) -> np.ndarray:
        return self.norm.value(to_tensor(x)).numpy()

    def dual(self, g: Points) -> np.ndarray:
        return self.norm.dual(to_tensor(g)).numpy()

    def lmo(self, g: Points) -> Points:
        a = self.norm.lmo(to_tensor(g)).numpy()
        if self.dim == 2:
            return a
        return np.stack([a[..., 0, 0] - a[..., 1, 1], 2 * a[..., 0, 1], a[..., 0, 0] + a[..., 1, 1]], -1) / np.sqrt(2)


def to_tensor(z: Points) -> torch.Tensor:
    """Coordinates u, v, t as symmetric matrices; points of the plane as they are."""
    if z.shape[-1] == 3:
        u, v, t = np.moveaxis(z, -1, 0)
        z = np.stack([np.stack([t + u, v], -1), np.stack([v, t - u], -1)], -2) / np.sqrt(2)
    return torch.from_numpy(z)


def radius(z: Points) -> np.ndarray:
    return np.hypot(z[..., 0], z[..., 1])


def plane(p: float) -> Ball:
    size = (lambda x: np.abs(x).max(-1)) if p == np.inf else (lambda x: (np.abs(x) ** p).sum(-1) ** (1 / p))
    return Ball(2, size, lmo.lp(p))


P = (1.0, 1.5, 2.0, 4.0, np.inf)
PLANE = {rf"$\ell_{{{p:g}}}$".replace("inf", r"\infty"): plane(p) for p in P}
MATRICES = {
    "nuclear": Ball(3, lambda z: np.sqrt(2) * np.maximum(np.abs(z[..., 2]), radius(z)), lmo.NUCLEAR),
    "Frobenius": Ball(3, lambda z: np.hypot(radius(z), z[..., 2]), lmo.FROBENIUS),
    "spectral": Ball(3, lambda z: (np.abs(z[..., 2]) + radius(z)) / np.sqrt(2), lmo.SPECTRAL),
}
BALLS = PLANE | MATRICES
SHOWN = {2: np.array([1.2, 0.55]), 3: np.array([1.0, 0.55, 0.7])}  # the gradients of the figures


def direction(angles: np.ndarray) -> Points:
    """Euclidean unit vectors from an angle (*batch, 1), or from azimuth and polar angle (*batch, 2)."""
    around = np.stack([np.cos(angles[..., 0]), np.sin(angles[..., 0])], -1)
    if angles.shape[-1] == 1:
        return around
    polar = angles[..., 1:]
    return np.concatenate([around * np.sin(polar), np.cos(polar)], -1)


def boundary(ball: Ball, angles: np.ndarray) -> Points:
    w = direction(angles)
    return w / ball.size(w)[..., None]


def net(dim: int, count: int) -> np.ndarray:
    """Angles (points, dim - 1) all around; where 8 divides count, the corners and edges of the balls are among them."""
    around = np.linspace(-np.pi, np.pi, count, endpoint=False)
    if dim == 2:
        return around[:, None]
    return np.stack(np.meshgrid(around, np.linspace(0, np.pi, count // 2 + 1), indexing="ij"), -1).reshape(-1, 2)


def zoom(value: Callable[[np.ndarray], np.ndarray], place: np.ndarray, width: np.ndarray) -> np.ndarray:
    """argmin of value: (count, tried, k) -> (count, tried), by a grid that moves to its best point and shrinks."""
    ticks = np.linspace(-1, 1, 11)
    offsets = np.stack(np.meshgrid(*[ticks] * place.shape[1], indexing="ij"), -1).reshape(-1, place.shape[1])
    for _ in range(ROUNDS):
        tried = place[:, None] + width[:, None] * offsets
        place, width = tried[np.arange(len(place)), value(tried).argmin(1)], SHRINK * width
    return place


def found_by_search(ball: Ball, g: Points, regularized: bool) -> Points:
    """argmin over d = rho y, ||y|| = 1, for every g (count, dim): of <g, d> with rho = a or, regularized, of
    <g, d> + ||d||^2/(2 a) over rho as well. Knows the norm itself, neither its dual nor its LMO."""
    coarse = net(ball.dim, 64)
    slopes = g @ boundary(ball, coarse).T
    place = coarse[slopes.argmin(1)]
    width = np.full_like(place, 0.3)
    if regularized:
        rho = -STEP * slopes.min(1)[:, None]  # right, were this direction the best
        place, width = np.hstack([rho / 2, place]), np.hstack([rho, width])

    def step(tried):
        return (tried[..., :1], boundary(ball, tried[..., 1:])) if regularized else (STEP, boundary(ball, tried))

    def model(tried):
        rho, y = step(tried)
        linear = rho * (g[:, None] * y).sum(-1, keepdims=True)
        return (linear + rho**2 / (2 * STEP) if regularized else linear)[..., 0]

    rho, y = step(zoom(model, place, width))
    return rho * y


# what is compared with a search: the oracle of the solvers, and wrong ones


def right(name: str, g: Points) -> Points:
    return BALLS[name].lmo(g)


def uphill(name: str, g: Points) -> Points:
    return -BALLS[name].lmo(g)


def swapped(name: str, g: Points) -> Points:
    """The LMO of the norm at the other end of the list, scaled into this ball."""
    family = PLANE if name in PLANE else MATRICES
    x = family[list(family)[::-1][list(family).index(name)]].lmo(g)
    return x / BALLS[name].size(x)[..., None]


def exponent_of_the_norm(name: str, g: Points) -> Points:
    """-sign(g) |g|^(p-1) instead of |g|^(q-1), scaled into the ball; the LMO where p is 1 or inf or there is none."""
    p = BALLS[name].norm.name.removeprefix("l")
    if p not in ("1.5", "4"):
        return BALLS[name].lmo(g)
    x = -np.sign(g) * np.abs(g) ** (float(p) - 1)
    return x / BALLS[name].size(x)[..., None]
