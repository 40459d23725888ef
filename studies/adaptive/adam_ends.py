r"""To which end Adam goes on (C, -1, ..., -1), by the sign of its drift and by runs.

    slopes (C, -1, ..., -1), n rounds a period, on [-1, 1], C > n - 1;     D(beta1, beta2) = sum_j m_j/sqrt v_j

Adam goes to +1, the wrong end, where D < 0, and to -1 where D > 0 (theory/adam_drift.py). A run plays many (beta1, beta2, C,
n) as one batch from -1, 0 and 1, with a constant step each: large enough to move four units in all rounds, and small enough
for a period's excursions to fit into half of the box. It must end where the cycle at the end that is predicted says.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from ratewitness.problems.online.rounds import play
from ratewitness.problems.online.slopes import two_slopes
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Verdict
from ratewitness.studies.judges import all_of, bound_holds, equals_exactly
from ratewitness.theory.adam_drift import cycle, relative_steps, roots, spike

SOURCE = "S25; S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237; theory/adam_drift.py"
BETA1 = (0.0, 0.5, 0.9)
Configuration = tuple[float, float, float, int]  # beta1, beta2, C, n


@cache
def critical(beta1: float, C: float, n: int) -> tuple[list[float], list[int]]:
    """The roots of D in beta2, to 1e-9, and its certified signs between them."""
    found, signs = roots(spike(C, n), beta1)
    return [(low + high) / 2 for low, high in found], signs


def ends(configurations: tuple[Configuration, ...], rounds: int, bias_correction: bool = True) -> pd.DataFrame:
    """One row each: the predicted `end`, the end that all three runs have `reached` (0: none), how far the worst of them is
    `off` its place in the cycle, in steps, and the widest `excursion` that is predicted."""
    beta1, beta2, C, n = (np.array(values) for values in zip(*configurations, strict=True))
    steps = [relative_steps(spike(c, p), b1, b2) for b1, b2, c, p in configurations]
    cycles = [cycle(relative) for relative in steps]
    lr = np.array([4 * len(relative) / (abs(sum(relative)) * rounds) for relative in steps])
    a, b1, b2, c, period = (torch.as_tensor(values).reshape(-1, 1, 1) for values in (lr, beta1, beta2, C, n))
    same = int(n[0]) if (n == n[0]).all() else period  # one period for all costs less
    oracle, _ = play(two_slopes("(C, -1, ..., -1)", c, -1.0, same))
    x0 = torch.tensor([-1.0, 0.0, 1.0]).double().reshape(1, -1, 1).expand(len(lr), -1, 1).clone()
    solver = Box(Adam(a, b1, b2, bias_correction=bias_correction), -1.0, 1.0)
    x = run(solver, oracle, x0, rounds, lambda x: x, at=[rounds]).x[..., 0].numpy()
    end = np.array([end for end, _ in cycles])
    place = np.array([distances[rounds % len(distances)] for _, distances in cycles])
    return pd.DataFrame(
        {
            "beta1": beta1,
            "beta2": beta2,
            "C": C,
            "n": n,
            "D": [sum(relative) for relative in steps],
            "end": end,
            "reached": np.where((x > 0).all(-1), 1, np.where((x < 0).all(-1), -1, 0)),
            "off": np.abs(x - (end * (1 - lr * place))[:, None]).max(-1) / lr,
            "excursion": lr * np.array([distances.max() for _, distances in cycles]),
        }
    )


def reach(table: pd.DataFrame, end: ArrayLike) -> Verdict:
    """Whether the runs are at this end, to a thousandth of a step where the cycle of the predicted end says."""
    reached = equals_exactly(table["reached"] + 1, np.broadcast_to(end, len(table)) + 1)
    place = bound_holds(table["off"], np.full(len(table), 1e-3), floor=-1.0)
    excursion = bound_holds(table["excursion"], np.ones(len(table)))
    return all_of({"end": reached, "place": place, "excursion": excursion}).showing(table)
