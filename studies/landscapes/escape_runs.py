"""Functions without a minimum at the origin, and when runs leave it, for the studies of SAM at maxima and saddle points."""

from __future__ import annotations

import math

import numpy as np
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum, deterministic
from ratewitness.solvers.solver import Solver, hitting_times
from torch import Tensor


def plain(name: str, d: int, gap, grad, device: str) -> FiniteSum:
    start = torch.zeros(d, dtype=torch.float64, device=device)
    return deterministic(
        name=name, shape=(d,), gap=gap, grad=grad, start=start, minimizer=None, smoothness=math.inf, convex=False,
        certificate="none: the minimizers are not the question", floor=0.0,
    )  # fmt: skip


def maximum(curvatures: Tensor) -> FiniteSum:
    """-<x, diag(curvatures) x>/2, curvatures (*cells, d)."""
    return plain(
        "maximum", curvatures.shape[-1], lambda x: -(curvatures * x**2).sum(-1) / 2, lambda x: -curvatures * x,
        curvatures.device,
    )  # fmt: skip


def leaving(solver: Solver, problem: FiniteSum, x0: Tensor, radius: float, limit: int) -> np.ndarray:
    """The first step at a distance of `radius` from 0, -1 where there is none: (*batch,)."""
    out = torch.full(x0.shape[:-1], -radius, dtype=torch.float64, device=x0.device)
    return hitting_times(solver, Oracle.full(problem), x0, limit, lambda x: -x.norm(dim=-1), out).cpu().numpy()
