r"""Steps of the methods of Shampoo and Adam to two targets, each with its best step on every instance.

    matrix regression   1/2 ||A^T (W - W*) B||_F^2,  cond(A) = cond(B) = c, hence condition c^4;     softmax regression
    steps until         f(W_k) - f* <= 1e-2 and 1e-4 of its initial value, full gradients, constant steps

Every method takes its best step on every instance and for every target from one grid of 19, three to a decade from 1e-4 to
100; a best step on the edge of the grid never supports a claim.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from ratewitness.problems.data.matrix_regression import random_matrix_regression
from ratewitness.problems.data.softmax import random_softmax
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.solver import CENSORED, iterates
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.norms.shampoo_methods import SOLVERS

GRID = torch.logspace(-4, 2, 19, dtype=torch.float64)
TARGETS = (1e-2, 1e-4)
REGRESSION = {f"regression, c = {c:.3g}": c for c in 10.0 ** np.array([0, 0.5, 1, 1.5])}


def steps_to_targets(name: str, problem: FiniteSum, limit: int) -> list[tuple[int, bool]]:
    """For each target the first k at which some step of the grid has reached it (else CENSORED), and whether no inner one
    has. The whole grid runs as one batch, and no longer than its best step needs."""
    lr = GRID.to(problem.start.device).reshape(-1, 1, 1)
    found = {}
    with torch.no_grad():
        x0 = problem.starts(len(GRID))
        for k, x in zip(range(limit + 1), iterates(SOLVERS[name](lr), Oracle.full(problem), x0), strict=False):
            gap = problem.gap(x) / problem.initial_gap
            for target in TARGETS:
                reached = gap <= target  # a NaN has reached nothing
                if target not in found and reached.any():
                    found[target] = (k, not reached[1:-1].any())
            if len(found) == len(TARGETS):
                break
    return [found.get(target, (CENSORED, False)) for target in TARGETS]


def instances(budget: Budget) -> dict[str, list[FiniteSum]]:
    """The problems by name, one instance for each seed."""
    side, seeds, more = budget.pick(8, 16), range(budget.pick(4, 8)), range(budget.pick(4, 16))

    def regression(c, k):
        return random_matrix_regression(side, side, c, budget.generator("regression", k, f"{c:.3g}"))

    def softmax(k):
        rows, generator = budget.pick(100, 300), budget.generator("softmax", k)
        return random_softmax(rows, 10, 5, generator, l2=1e-3, condition=100.0)

    return {name: [regression(c, k) for k in seeds] for name, c in REGRESSION.items()} | {"softmax": [*map(softmax, more)]}


@measured("shampoo_against_adam")
def steps(budget: Budget) -> dict[tuple[str, float, str], tuple[np.ndarray, np.ndarray]]:
    """(problem, target, method) -> steps over the seeds, NaN where the limit was reached, and whether on the grid's edge."""
    found, limit = {}, budget.pick(400, 1000)
    for problem, seeds in instances(budget).items():
        every = {name: np.array([steps_to_targets(name, each, limit) for each in seeds]) for name in SOLVERS}
        for (j, target), name in product(enumerate(TARGETS), SOLVERS):
            taken, edge = every[name][:, j].T
            found[problem, target, name] = np.where(taken == CENSORED, np.nan, taken), edge.astype(bool)
    return found
