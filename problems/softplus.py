r"""The logistic loss of one sample: a fixed function on which gradient descent has exponent exactly 1.

    f(x) = log(1 + e^{-x})

Convex, 1/4-smooth (f'' = s(1 - s) with s = 1/(1 + e^x), equality at 0), infimum 0 not attained: no minimizer, so the
bound L R^2/(4 N + 2) is void and so is the o(1/k) that a minimizer would grant. With step 4, 4 k f(x_k) -> 1.
"""

from __future__ import annotations

import math

import torch

from problems.problem import Constants, FiniteSum, Number


def softplus(start: Number = 0.0) -> FiniteSum:
    """log(1 + e^{-x}), shape (1,)."""

    def gap(x):
        return torch.logaddexp(-x, torch.zeros_like(x)).squeeze(-1)

    def grad(x):
        return -torch.sigmoid(-x)

    return FiniteSum(
        name="softplus",
        n=1,
        shape=(1,),
        gap=gap,
        grad=grad,
        sample_grad=lambda x, index: grad(x),
        start=torch.atleast_1d(torch.as_tensor(start, dtype=torch.float64)),
        minimizer=None,
        constants=Constants(
            smoothness=0.25,
            pl=0.0,
            strong_convexity=0.0,
            convex=True,
            component_smoothness=0.25,
            variance=0.0,
            variance_at_minimizer=math.nan,
            optimum=0.0,
            optimum_error=0.0,
            certificate="L: s(1 - s) <= 1/4, exact at 0; mu: none, f'^2/f -> 0 at infinity; sigma2: one component; "
            "f*: the limit at infinity, not attained",
        ),
        floor=1e-290,
    )
