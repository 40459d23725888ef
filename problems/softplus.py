r"""The logistic loss of one sample: a fixed function on which gradient descent has exponent exactly 1.

    f(x) = log(1 + e^{-x})

Convex, 1/4-smooth (f'' = s(1 - s) with s = 1/(1 + e^x), equality at 0), infimum 0 not attained: no minimizer, so the
bound L R^2/(4 N + 2) is void and so is the o(1/k) that a minimizer would grant. With step 4, 4 k f(x_k) -> 1.
"""

from __future__ import annotations

import torch
from ratewitness.problems.problem import FiniteSum, Number, deterministic


def softplus(start: Number = 0.0) -> FiniteSum:
    """log(1 + e^{-x}), shape (1,)."""

    def gap(x):
        return torch.logaddexp(-x, torch.zeros_like(x)).squeeze(-1)

    def grad(x):
        return -torch.sigmoid(-x)

    return deterministic(
        name="softplus",
        shape=(1,),
        gap=gap,
        grad=grad,
        start=torch.atleast_1d(torch.as_tensor(start, dtype=torch.float64)),
        minimizer=None,
        smoothness=0.25,
        convex=True,
        certificate="L: s(1 - s) <= 1/4, exact at 0; mu: none, f'^2/f -> 0 at infinity; sigma2: one component; "
        "f*: the limit at infinity, not attained",
        floor=1e-290,
    )
