r"""A nonconvex function that satisfies the PL inequality, with its best constant computed and certified.

    f(x) = x^2 + a sin^2 x,        0 <= a < a* = 4.6033...

L = 2 + 2 a exactly (f'' = 2 + 2 a cos 2x at 0), nonconvex for a > 1, minimizer 0. A second critical point, x with
2x + a sin 2x = 0, appears at a* = min of -u/sin u over (pi, 2 pi): from there on f is not PL.

The best constant is mu(a) = inf f'^2/(2 f). Its certificate is a proof by subdivision: for phi = f'^2 - 2 mu f,

    phi >= phi(c) - |phi'(c)| r - M r^2/2 > 0    on [c - r, c + r],  M >= |phi''|,

with the rounding errors of phi and phi' bounded and subtracted, on cells that cover [pi/4, X]. On [0, pi/4] f'' >= 2,
so f is 2-strongly convex there and f'^2 >= 4 f >= 2 mu f; beyond X, f'^2/(2f) >= (2x - a)^2/(2 x^2 + 2 a) >= mu.

H. Karimi, J. Nutini and M. Schmidt (2016) give a = 3 as their example, with mu = 1/32, valid and not the best.
"""

from __future__ import annotations

from functools import lru_cache
from math import cos, pi, sin, sqrt

import numpy as np
import torch
from ratewitness.problems.problem import FiniteSum, Number, deterministic, over_batch
from scipy.optimize import brentq, minimize_scalar

LOSS = 5e-7  # relative: the certified mu is this much below the best value found
ROUNDING = 16 * 2.0**-53  # relative to the absolute values of the terms: a dozen operations and a libm sine


def critical_amplitude() -> float:
    """a*: the smallest a for which f has a second critical point; tan u = u in (pi, 3 pi/2) gives sqrt(1 + u^2)."""
    u = brentq(lambda u: sin(u) - u * cos(u), pi, 1.5 * pi, xtol=1e-15)
    return sqrt(1 + u**2)


@lru_cache
def best_pl(a: float) -> tuple[float, float]:
    """(mu, x): a certified lower bound on inf f'^2/(2f), and a point where the ratio is within 5e-7 mu above it.

    Raises ValueError outside 0 <= a < a*, and so close to a* that float64 cannot certify it.
    """
    if not 0 <= a < critical_amplitude():
        raise ValueError(f"a is {a}; x^2 + a sin^2 x is PL for 0 <= a < {critical_amplitude():.6f} only")

    def ratio(x):
        return (2 * x + a * np.sin(2 * x)) ** 2 / (2 * (x**2 + a * np.sin(x) ** 2))

    if a == 0:
        return 2.0, 1.0
    grid = np.linspace(0.1, 10 + a, 4001)
    x = grid[ratio(grid).argmin()]
    step = grid[1] - grid[0]
    x = float(minimize_scalar(ratio, bounds=(x - step, x + step), method="bounded", options={"xatol": 1e-12}).x)
    mu = float(ratio(x)) * (1 - LOSS)
    if not _is_pl_constant(mu, a):
        raise ValueError(f"a is {a}, too close to {critical_amplitude():.9f} for float64 to certify mu = {mu:.3g}")
    return mu, x


def _is_pl_constant(mu: float, a: float) -> bool:
    """A proof that f'^2 >= 2 mu f everywhere (True), or no proof (False)."""
    lead, mid, last = 4 - 2 * mu, 4 * a, a**2 - 2 * mu * a  # (2x - a)^2 - 2 mu (x^2 + a) = lead x^2 - mid x + last
    if lead <= 0:
        return False
    end = max(a / 2, (mid + sqrt(max(mid**2 - 4 * lead * last, 0))) / (2 * lead)) * (1 + 1e-9) + 1e-9
    cells = [(pi / 4 - 1e-9, end)] if end > pi / 4 else []
    while cells:
        left, right = cells.pop()
        c, r = (left + right) / 2, (right - left) / 2 * (1 + 1e-9)
        first, second = 2 * c + a * sin(2 * c), 2 + 2 * a * cos(2 * c)
        f = c**2 + a * sin(c) ** 2
        error = ROUNDING * (2 * c + a)  # of f'
        phi = first**2 - 2 * mu * f - (2 * abs(first) + error) * error - ROUNDING * (first**2 + 2 * mu * f)
        slope = 2 * (abs(first) + error) * (abs(second - mu) + ROUNDING * (4 + 2 * a))
        # phi'' = 2 f'' (f'' - mu) + 2 f' f''', bounded over the cell
        bend = 2 * (2 + 2 * a) * (2 + 2 * a + mu) + 2 * (2 * (c + r) + a) * 4 * a
        if phi - slope * r - bend * r**2 / 2 > 0:
            continue
        if phi <= 0 or r < 1e-13 * c:
            return False
        cells += [(left, c), (c, right)]
    return True


def sine(a: Number = 3.0, start: Number = 3.0) -> FiniteSum:
    """x^2 + a sin^2 x, shape (1,); a and start are numbers or tensors against x. Raises ValueError where not PL."""
    a, start = (torch.as_tensor(t, dtype=torch.float64) for t in (a, start))
    start = torch.atleast_1d(start + torch.zeros_like(a))
    mu = torch.tensor([best_pl(v)[0] for v in a.flatten().tolist()], dtype=torch.float64).to(a.device)
    mu, L = (over_batch(t, (1,)) for t in (mu.reshape(a.shape), 2 + 2 * a))

    def grad(x):
        return 2 * x + a * torch.sin(2 * x)

    return deterministic(
        name="x^2 + a sin^2 x",
        shape=(1,),
        gap=lambda x: (x**2 + a * torch.sin(x) ** 2).squeeze(-1),
        grad=grad,
        start=start,
        minimizer=torch.zeros_like(start),
        smoothness=L,
        pl=mu,
        strong_convexity=over_batch((2 - 2 * a).clamp(min=0), (1,)),
        convex=bool((a <= 1).all()),
        certificate="L: 2 + 2a is |f''| at 0 and its maximum, exact; mu: proved by subdivision, within 1e-6 of the "
        "best; sigma2: one component; f*: a sum of squares that vanishes at 0",
        floor=1e-290,
    )
