r"""A power: a fixed convex function on which gradient descent is slower than linear and faster than 1/k.

    f(x) = |x|^p,  p > 2,        on |x| <= R = |start|

Convex, minimizer 0. f'' = p (p - 1) |x|^{p-2} is bounded on the domain only, by L = p (p - 1) R^{p-2}; a step of at
most 1/L never leaves it, since 0 <= f'(x)/x <= L. The gap decays like k^{-p/(p-2)}: on a fixed function the exponent 1
of the convex cell is approached as p grows and never attained.
"""

from __future__ import annotations

import torch
from ratewitness.problems.problem import FiniteSum, Number, deterministic, over_batch


def power(p: Number = 4.0, start: Number = 1.0) -> FiniteSum:
    """|x|^p, shape (1,); p and start are numbers or tensors against x. Raises ValueError for p <= 2 or start 0."""
    p, start = (torch.as_tensor(t, dtype=torch.float64) for t in (p, start))
    start = torch.atleast_1d(start + torch.zeros_like(p))
    if not ((p > 2).all() and (start != 0).all()):
        raise ValueError("power needs p > 2 and a nonzero start")
    R = start.abs()
    L = over_batch(p * (p - 1) * R ** (p - 2), (1,))

    def grad(x):
        return p * x * x.abs() ** (p - 2)

    return deterministic(
        name="power",
        shape=(1,),
        gap=lambda x: (x.abs() ** p).squeeze(-1),
        grad=grad,
        start=start,
        minimizer=torch.zeros_like(start),
        smoothness=L,
        convex=True,
        certificate="L: f'' is largest at the edge of the domain, exact; mu: none, f'^2/f -> 0 at 0; "
        "sigma2: one component; f*: nonnegative and 0 at 0",
        floor=1e-290,
        domain=lambda x: (x.abs() <= R * (1 + 1e-12)).squeeze(-1),
    )
