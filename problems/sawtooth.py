r"""A sawtooth gradient: the worst smooth nonconvex function for gradient descent with step 1/L, in dimension one.

    f'(x) = x                              for x <= 1
            1 - min(x - j, j + 1 - x)      on [j, j + 1], j = 1, ..., N
            1                              for x >= N + 1

1-smooth, minimizer 0, start N + 1. Gradient descent with step 1 visits N + 1, N, ..., 1, 0: the gradient is 1 at the
first N + 1 iterates, each of the first N steps loses 3/4 and f(1) = 1/2, so that Delta = (3 N + 2)/4 and

    min_{k <= N} f'(x_k)^2 = 1 = 4 L Delta/(3 N + 2),

the exact bound with equality. In units of L and g the function is (g^2/L) f(L x/g). These units are not a choice: the
path runs over kinks and doubles a rounding error at every step, while here every iterate is an integer and exact.

H. Abbaszadehpeivasti, E. de Klerk and M. Zamani (2021), arXiv 2104.05468, for the bound.
"""

from __future__ import annotations

import torch
from ratewitness.problems.problem import FiniteSum, deterministic
from torch import Tensor


def sawtooth(N: int | Tensor) -> FiniteSum:
    """The function with N >= 0 teeth, shape (1,); N may be a tensor against x: one function per horizon.

    For every eps in [(3 N + 2)/(3 N + 5), 1), gradient descent with step 1 needs exactly N + 1 steps to
    ||f'||^2 <= eps, which is ceil((4 L Delta/eps - 2)/3). Raises ValueError where N is not a nonnegative integer.
    """
    N = torch.as_tensor(N, dtype=torch.float64)
    if not ((N >= 0) & (N % 1 == 0)).all():
        raise ValueError("N must be a nonnegative integer")
    start = N + torch.ones(1, dtype=torch.float64, device=N.device)

    def tooth(x):  # which tooth, and where in it
        j = torch.minimum(x.floor(), N).clamp(min=1)
        return j, x - j

    def gap(x):
        j, t = tooth(x)
        u = torch.minimum(t, 1 - t)
        half = u - u**2 / 2
        on_tooth = 0.75 * j - 0.25 + torch.where(t <= 0.5, half, 0.75 - half)
        beyond = 0.75 * N + 0.5 + (x - (N + 1))
        return torch.where(x <= 1, x**2 / 2, torch.where(x >= N + 1, beyond, on_tooth)).squeeze(-1)

    def grad(x):
        _, t = tooth(x)
        on_tooth = 1 - torch.minimum(t, 1 - t)
        return torch.where(x <= 1, x, torch.where(x >= N + 1, 1.0, on_tooth))

    return deterministic(
        name="sawtooth",
        shape=(1,),
        gap=gap,
        grad=grad,
        start=start,
        minimizer=torch.zeros_like(start),
        smoothness=1.0,
        convex=bool((N == 0).all()),
        certificate="L: f' is piecewise linear with slopes 1, -1 and 0, exact; mu: none, f grows without bound and "
        "f' does not; sigma2: one component; f*: f' has the sign of x, and f(0) = 0",
        floor=1e-290,  # on the quadratic piece f is a product; from integer points gradient descent reaches 0 exactly
    )
