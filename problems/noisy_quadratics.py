r"""The witnesses of the stochastic cells: quadratics with noise of exactly known variance.

    parabola    f_{+-}(x) = lam x^2/2 +- sigma x
    two modes   f_{+-}(x, y) = lam x^2/2 + L y^2/2 +- sigma y

Each has n = 2 components and E ||noise||^2 = sigma^2 at every point, so that the second moments of SGD follow a linear
recursion: E x_{k+1}^2 = (1 - a lam)^2 E x_k^2 + a^2 sigma^2 in the noisy mode, without the last term in the other.

PL cell: the parabola with lam = mu; steps 1/(mu (k + 1)) give E f(x_k) - f* = sigma^2/(2 mu k) for every k >= 1.
Convex cell: a parabola whose curvature depends on the horizon, lam = c sigma/(R sqrt N). Nonconvex cell: two modes, the
first carrying all the distance and no noise, the second all the noise (Y. Drori and O. Shamir, 2020, show that the rate
of SGD cannot be improved even on convex quadratics).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.problem import FiniteSum, Number, against_x, over_batch
from ratewitness.problems.quadratics import quadratic


def noisy_parabola(lam: Number, sigma: Number, start: Number = 1.0) -> FiniteSum:
    """lam x^2/2 +- sigma x, shape (1,); each parameter is a number or a tensor (*batch, 1) against x."""
    lam, sigma, start = against_x(lam=lam, sigma=sigma, start=start)
    parabola = quadratic(lam, start + torch.zeros_like(lam * sigma))
    return replace(perturbed(parabola, over_batch(sigma, (1,))), name="noisy parabola")


def horizon_parabola(N: Number, sigma: Number = 1.0, R: Number = 1.0, c: Number = 1.0) -> FiniteSum:
    """The noisy parabola with lam = c sigma/(R sqrt N) and start R, the convex cell's instance for N steps.

    c = 1 is the least favourable curvature of the any-method lower bound sigma R/(4 sqrt N).
    """
    N, sigma, R, c = against_x(N=N, sigma=sigma, R=R, c=c)
    return noisy_parabola(c * sigma / (R * N.sqrt()), sigma, R)


def two_mode(lam: Number, L: Number, sigma: Number, Delta: Number = 1.0) -> FiniteSum:
    """lam x^2/2 + L y^2/2 +- sigma y from x_0 = sqrt(2 Delta/lam), y_0 = 0, so that f(start) - f* = Delta; shape (2,).

    Each parameter is a number or a tensor (*batch, 1) against x. Raises ValueError unless 0 < lam <= L.
    """
    lam, L, sigma, Delta = torch.broadcast_tensors(*against_x(lam=lam, L=L, sigma=sigma, Delta=Delta))
    if not ((lam > 0) & (lam <= L)).all():
        raise ValueError("two_mode needs 0 < lam <= L")
    start = torch.cat([(2 * Delta / lam).sqrt(), torch.zeros_like(lam)], -1)
    along_y = torch.tensor([[0.0, 1.0], [0.0, -1.0]], dtype=torch.float64, device=start.device)
    modes = quadratic(torch.cat([lam, L], -1), start)
    return replace(perturbed(modes, over_batch(sigma, (1,)), directions=along_y), name="two noisy modes")
