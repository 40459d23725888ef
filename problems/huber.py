r"""The Huber function: the worst smooth convex function for gradient descent with a constant step of at most 1/L.

    f(x) = L x^2 / 2  for |x| <= tau,        L tau |x| - L tau^2 / 2  beyond

Convex, L-smooth, minimizer 0. From x_0 = R, with tau = R/(2 N h + 1), gradient descent with step h/L meets the constant
gradient L tau during N steps, so x_N = R (N h + 1)/(2 N h + 1) and f(x_N) = L R^2/(4 N h + 2): the bound with equality.

Y. Drori and M. Teboulle (2014), Theorem 3.1, for h <= 1.
"""

from __future__ import annotations

import torch
from ratewitness.problems.problem import FiniteSum, Number, deterministic, over_batch
from torch import Tensor


def huber(L: Number, tau: Number, start: Number) -> FiniteSum:
    """The one-dimensional Huber function, shape (1,). Each parameter is a number or a tensor against x.

    Raises ValueError unless L > 0 and tau > 0.
    """
    L, tau, start = (torch.as_tensor(p, dtype=torch.float64) for p in (L, tau, start))
    if not ((L > 0).all() and (tau > 0).all()):
        raise ValueError("L and tau must be positive")
    start = start + torch.zeros_like(L * tau) + torch.zeros(1, dtype=torch.float64, device=start.device)

    def gap(x):
        r = x.abs()
        return torch.where(r <= tau, L * x**2 / 2, L * tau * (r - tau / 2)).squeeze(-1)

    def grad(x):
        return L * x.clamp(-tau, tau)

    smoothness = over_batch(L, (1,))
    return deterministic(
        name="Huber",
        shape=(1,),
        gap=gap,
        grad=grad,
        start=start,
        minimizer=torch.zeros_like(start),
        smoothness=smoothness,
        convex=True,
        certificate="L: f'' is L or 0, exact; mu: none, the gradient is bounded and f is not; "
        "sigma2: one component; f*: nonnegative and 0 at 0",
        # on the linear piece x carries an absolute rounding error of 1e-16 R, which the quadratic piece inherits
        floor=float(1e-30 * (L * start**2).max()),
    )


def huber_witness(steps: int | Tensor, L: float = 1.0, R: float = 1.0) -> FiniteSum:
    """The Huber function on which gradient descent with step 1/L needs exactly `steps` >= 1 steps to accuracy eps.

    This holds for every eps from L R^2/(4 steps + 2) to below L R^2/(4 steps - 2): since tau = R/(2 steps - 1), the gap
    after steps - 1 steps is still L R^2/(4 steps - 2). steps may be a tensor against x: one witness per accuracy.
    """
    steps = torch.as_tensor(steps, dtype=torch.float64)
    if not ((steps >= 1) & (steps % 1 == 0)).all():
        raise ValueError("steps must be integers from 1 on")
    return huber(L, R / (2 * steps - 1), R)
