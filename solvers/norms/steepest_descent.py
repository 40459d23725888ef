r"""Steepest descent in any norm.

    x_{k+1} = x_k + a_k ||g_k||_* lmo(g_k) = argmin_x <g_k, x - x_k> + (1/(2 a_k)) ||x - x_k||^2

The model falls by (a_k/2) ||g_k||_*^2, and f does if it is 1/a_k-smooth in the norm. In l_2 it is gradient descent; in l_1
greedy coordinate descent; in l_inf sign descent scaled by ||g||_1; in the spectral norm -a ||g||_nuc U V^T. Where the
minimizer is not unique, `solvers/norms/lmo.py` says which one is taken.

Since <g, lmo(g)> = -||g||_*, one LMO gives the dual norm as well, and a step in a spectral norm costs one SVD.

A gradient that is not finite makes its own replicate NaN and leaves the others alone.

J. E. Kelner, Y. T. Lee, L. Orecchia and A. Sidford (2014), arXiv:1304.2338; J. Bernstein and L. Newhouse (2024),
arXiv:2409.20325.
"""

from __future__ import annotations

from dataclasses import dataclass

from ratewitness.solvers.norms.lmo import Norm, check_norm
from ratewitness.solvers.ranges import at_least_zero
from ratewitness.solvers.schedules import Schedule, step_size
from ratewitness.solvers.solver import dot
from torch import Tensor


@dataclass(frozen=True, eq=False)
class SteepestDescent:
    """x + lr * ||g||_* * lmo(g); the trailing `norm.ndim` axes of x form one point.

    Raises ValueError for a negative lr and for a norm that is no `Norm`.
    """

    lr: Schedule
    norm: Norm

    def __post_init__(self):
        at_least_zero(lr=self.lr)
        check_norm(norm=self.norm)

    def init(self, x: Tensor) -> int:
        return 0

    def step(self, x: Tensor, k: int, oracle) -> tuple[Tensor, int]:
        g = oracle.grad(x)
        best = self.norm.lmo(g, strict=False)
        dual = -dot(g, best, self.norm.ndim)
        return x + step_size(self.lr, k) * dual * best, k + 1
