r"""Quadratics with a given spectrum, possibly rotated.

    f(x) = (1/2) (x - x*)^T Q diag(lam) Q^T (x - x*),        n = 1

L = max lam and mu = the smallest *nonzero* lam are exact: ||grad f||^2 = sum lam_j^2 z_j^2 >= lam_min^+ sum lam_j z_j^2
= 2 lam_min^+ f with z = Q^T (x - x*). Noise is added by `ratewitness.problems.perturbation.perturbed`.

The log-spaced spectrum lam_j = L 2^{-j}, j < J, with equal distances along its axes is a *fixed* function on which
gradient descent needs 1/eps steps over many decades (until the smallest eigenvalue is resolved).

Log-spaced from mu = 1 to kappa, with equal energies, are the quadratics on which conditioning is varied.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from ratewitness.problems.problem import FiniteSum, deterministic
from torch import Tensor


def quadratic(spectrum: Tensor, start: Tensor, rotation: Tensor | None = None) -> FiniteSum:
    """The quadratic with eigenvalues `spectrum` (*sweep, d) >= 0, minimizer 0 and start (*sweep, d).

    rotation: orthogonal Q (d, d); None is the identity. Raises ValueError for a negative or all-zero spectrum.
    """
    lam = torch.as_tensor(spectrum, dtype=torch.float64)
    start = torch.as_tensor(start, dtype=torch.float64)
    if not (lam >= 0).all() or not (lam > 0).any(-1).all():
        raise ValueError("spectrum must be nonnegative with a positive entry")

    def coordinates(x):
        return x if rotation is None else x @ rotation

    def gap(x):
        return (lam * coordinates(x) ** 2).sum(-1) / 2

    def grad(x):
        z = lam * coordinates(x)
        return z if rotation is None else z @ rotation.mT

    # the nearest minimizer keeps the components of the start along the null space
    null = coordinates(start) * (lam == 0)
    smallest = torch.where(lam > 0, lam, torch.inf).amin(-1)
    L = lam.amax(-1)
    return deterministic(
        name="quadratic" if rotation is None else "rotated quadratic",
        shape=tuple(start.shape[-1:]),
        gap=gap,
        grad=grad,
        start=start,
        minimizer=null if rotation is None else null @ rotation.mT,
        smoothness=L,
        pl=smallest,
        strong_convexity=lam.amin(-1),
        smoothness_in={"linf": lam.sum(-1), "l1": L} if rotation is None else {},  # max of |H| over signs, over entries
        convex=True,
        certificate="L: largest eigenvalue, exact; mu: smallest nonzero eigenvalue, exact; sigma2: one component; "
        "f*: a sum of squares that vanishes at the minimizer",
        # unrotated, every term is a product and keeps full relative accuracy; rotated, x carries rounding errors
        floor=1e-290 if rotation is None else float(1e-30 * (L * (start**2).sum(-1)).max()),
    )


def log_spaced(L: float = 1.0, modes: int = 24, energies: str = "equal distances") -> FiniteSum:
    """The fixed quadratic with lam_j = L 2^{-j}, j < modes, and x_0 with equal distances, or equal energies, per axis.

    Distances: x_{0,j} = 1/sqrt(modes), so R = 1 (the convex cell). Energies: lam_j x_{0,j}^2 / 2 = 1/modes, so
    Delta = 1 (the nonconvex cell).
    """
    lam = L * 2.0 ** -torch.arange(modes, dtype=torch.float64)
    starts = {"equal distances": torch.ones_like(lam) / modes**0.5, "equal energies": (2 / (modes * lam)).sqrt()}
    if energies not in starts:
        raise ValueError(f"energies is {energies!r}; accepted are {', '.join(map(repr, starts))}")
    return quadratic(lam, starts[energies])


def conditioned(kappas: ArrayLike, modes: int, axes: int = 0, Delta: float = 1.0) -> FiniteSum:
    """The quadratics of all condition numbers (K,) at once, lam_j = kappa^{j/(modes-1)}, j < modes: mu = 1 and L = kappa.

    Equal energies lam_j x_{0,j}^2 / 2 = Delta/modes. axes: of length 1 between the sweep and the point, for replicates.

    >>> conditioned([10.0, 100.0], 4, axes=2).constants.smoothness.squeeze()
    tensor([ 10., 100.], dtype=torch.float64)
    """
    spectrum = np.asarray(kappas, dtype=float)[:, None] ** (np.arange(modes) / (modes - 1))
    lam = torch.as_tensor(spectrum).reshape(-1, *[1] * axes, modes)
    return quadratic(lam, (2 * Delta / (modes * lam)).sqrt())


def random_rotation(d: int, generator: torch.Generator) -> Tensor:
    """A Haar-distributed orthogonal matrix (d, d)."""
    gaussian = torch.randn(d, d, generator=generator, dtype=torch.float64, device=generator.device)
    q, r = torch.linalg.qr(gaussian)
    return q * torch.diagonal(r).sign()
