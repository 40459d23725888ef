r"""Maxima of linear functions: convex, Lipschitz and not smooth, with the subgradient of the first active piece.

    f(x) = max_i <a_i, x>,        sum_i w_i a_i = 0 with weights w_i >= 0,    minimum 0 at 0,    B = max_i ||a_i||

f >= sum_i w_i <a_i, x>/sum_i w_i = 0. Ties go to the piece that comes first, which is the worst answer that an oracle
can give on the largest positive coordinate, f(x) = B max{0, x_1, ..., x_d} from (R/sqrt d) (1, ..., 1): every gradient
shows one coordinate, so that f(x_N) = B R/sqrt(N + 1) for d = N + 1 and every method that stays in the span of what it
has seen.

Y. Drori and M. Teboulle (2016), for the optimality of that constant.
"""

from __future__ import annotations

import math

import torch
from ratewitness.problems.problem import FiniteSum, deterministic
from torch import Tensor


def polyhedral(rows: Tensor, start: Tensor, weights: Tensor) -> FiniteSum:
    """max_i <a_i, x> for rows a_i (m, d), from start (d,). Raises ValueError unless weights >= 0 (m,), not all 0, balance
    the rows."""
    rows, start, weights = (torch.as_tensor(t, dtype=torch.float64) for t in (rows, start, weights))
    balanced = weights.shape == rows.shape[:1] and bool((weights >= 0).all() and weights.sum() > 0)
    if not balanced or (weights @ rows).abs().max() > 1e-12 * weights.sum() * rows.abs().max():
        raise ValueError(f"weights are {weights.tolist()}; accepted are numbers >= 0 with which the rows add up to 0")

    def gap(x):
        return (x @ rows.mT).amax(-1).clamp(min=0)  # rounding may leave a negative maximum at 0

    def grad(x):
        return rows[(x @ rows.mT).argmax(-1)]  # the first of equals

    B = rows.norm(dim=-1).max()
    return deterministic(
        name="maximum of linear functions",
        shape=tuple(start.shape),
        gap=gap,
        grad=grad,
        start=start,
        minimizer=torch.zeros_like(start),
        smoothness=math.inf,
        convex=True,
        certificate="L: none, f has kinks; mu: none; sigma2: one component; f*: a balanced sum of the pieces vanishes",
        floor=float(1e-15 * B * start.norm()),
    )


def largest_coordinate(d: int, B: float = 1.0, R: float = 1.0) -> FiniteSum:
    """B max{0, x_1, ..., x_d} from (R/sqrt d) (1, ..., 1). Raises ValueError for d < 1."""
    if d < 1:
        raise ValueError(f"d is {d}; accepted are integers from 1 on")
    rows = torch.cat([B * torch.eye(d, dtype=torch.float64), torch.zeros(1, d, dtype=torch.float64)])
    return polyhedral(rows, torch.full((d,), R / d**0.5, dtype=torch.float64), torch.eye(d + 1, dtype=torch.float64)[-1])


def random_polyhedral(m: int, d: int, generator: torch.Generator) -> FiniteSum:
    """m random directions of length at most 1, and what balances them; from a random point of norm 1."""
    options = {"generator": generator, "dtype": torch.float64, "device": generator.device}
    rows = torch.randn(m, d, **options)
    rows = rows / rows.norm(dim=-1, keepdim=True) * torch.rand(m, 1, **options)
    last = -rows.sum(0)
    share = max(1.0, float(last.norm()))
    start = torch.randn(d, **options)
    weights = torch.cat([torch.ones_like(rows[:, 0]), last.new_tensor([share])])
    return polyhedral(torch.cat([rows, last[None] / share]), start / start.norm(), weights)
