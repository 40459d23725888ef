r"""The problems on which steepest descent in l_inf, l_2 and l_1 is compared, and how many steps it takes.

    x_{k+1} = x_k + (1/L) ||g||_* lmo(g):   l_inf (sign descent), l_2 (gradient descent), l_1 (greedy coordinate descent)

L is that of the norm, certified by the problem. On quadratics f = (1/2) sum_i lam_i x_i^2; "dense" starts have independent
entries, uniform in size between 1/2 and 1, and GROUPS of them are drawn.
"""

from __future__ import annotations

import numpy as np
import torch
from ratewitness.problems.huber import huber_witness
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.quadratics import quadratic
from ratewitness.problems.smooth_max import smooth_max
from ratewitness.solvers.norms.lmo import L1, L2, LINF, Norm
from ratewitness.solvers.norms.steepest_descent import SteepestDescent
from ratewitness.solvers.solver import hitting_times
from ratewitness.studies.claims import Budget, measured

NORMS = {"l_inf": LINF, "l_2": L2, "l_1": L1}
GROUPS, TARGET, TAU = 10, 1e-4, 0.2
WINS_BY = {"smooth max": 1, "smooth max, random start": 1, "spike": 1, "flat, one axis": -1, "flat, dense": 0}
STREAM = "descent in a norm"  # of all studies of these problems: they measure on the same instances


def instance(name: str, d: int, budget: Budget) -> FiniteSum:
    """A problem of dimension d with its start (d,), or (GROUPS, d) where the start is random; the Huber witness is on the
    line, its d a length."""
    generator = budget.shared(STREAM).generator(name, d)
    ones = torch.ones(d, dtype=torch.float64, device=budget.device)
    size, sign = torch.rand(2, GROUPS, d, generator=generator, dtype=torch.float64, device=budget.device)
    dense = (0.5 + size / 2) * (sign - 0.5).sign()
    first, even = (torch.arange(d, device=budget.device) == 0), torch.arange(d, device=budget.device) % 2 == 0
    return {
        "smooth max": lambda: smooth_max(d, TAU, ones),
        "smooth max, random start": lambda: smooth_max(d, TAU, dense),
        "spike": lambda: quadratic(ones.where(first, 1 / d), dense),
        "flat, one axis": lambda: quadratic(ones.where(~first, 0.25), first.double()),
        "flat, dense": lambda: quadratic(ones.where(~even, 0.25), dense),
        "huber": lambda: huber_witness(d),
    }[name]()


def smoothness(problem: FiniteSum, norm: Norm) -> float:
    """L in the norm; on the line all norms are one."""
    euclidean = norm is L2 or problem.shape == (1,)
    return float(problem.constants.smoothness if euclidean else problem.constants.smoothness_in[norm.name])


@measured(STREAM)
def steps(budget: Budget, name: str, norm: str, d: int) -> np.ndarray:
    """Steps to the target (groups,), one group where the start is not random."""
    problem = instance(name, d, budget)
    solver = SteepestDescent(1 / smoothness(problem, NORMS[norm]), NORMS[norm])
    target = TARGET * problem.gap(problem.start)
    found = hitting_times(solver, Oracle.full(problem), problem.start, 80 * d + 400, problem.gap, target)
    return np.atleast_1d(found.cpu().numpy())
