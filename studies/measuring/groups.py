"""What studies measure, in groups of replicates, and the one table that every judge, page and figure reads.

measured, low, high      the mean over independent groups with its 99 % interval; one row a cell. A single group has no
                         interval: nothing was sampled
theory                   what was predicted for the cell, where something was
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.solver import CENSORED, Over, Solver, hitting_times
from ratewitness.studies.judges import interval


def group_times(
    solver: Solver, oracle, problem: FiniteSum, eps: ArrayLike, replicates: tuple[int, ...], limit: int,
    measure: Callable | None = None, over: Over = "last",
) -> np.ndarray:  # fmt: skip
    """The first k <= limit at which the mean over a group is at most eps: (E, *cells, groups), NaN where there is none.

    eps: (E, *cells), or ones in place of cells that share it. replicates: the last two axes of x before the point, (groups,
    size), after further cells; () for a deterministic run, which counts as one group. measure: by default the gap.
    """
    measure, eps = measure or problem.gap, torch.as_tensor(np.asarray(eps), device=problem.start.device)
    mean = (lambda x: measure(x).mean(-1)) if replicates else (lambda x: measure(x).unsqueeze(-1))
    x0 = problem.starts(*replicates) if replicates else problem.start
    times = hitting_times(solver, oracle, x0, limit, mean, eps.unsqueeze(-1), over).cpu().numpy()
    return np.where(times == CENSORED, np.nan, times)


def rows(groups: ArrayLike, geometric: bool = False, **columns: ArrayLike) -> pd.DataFrame:
    """A table of groups (*cells, groups), the first axis of the cells running fastest; columns broadcast against cells.

    geometric: the mean over groups is the geometric one, with the interval that their logarithms have.
    """
    mean, low, high = np.exp(interval(np.log(groups))) if geometric else interval(groups)
    cells = {name: np.broadcast_to(np.asarray(c), np.shape(mean)).T.ravel() for name, c in columns.items()}
    limits = {"low": low.T.ravel(), "high": high.T.ravel()} if np.shape(groups)[-1] > 1 else {}
    return pd.DataFrame(cells | {"measured": mean.T.ravel()} | limits)


def stacked(tables: dict[str, pd.DataFrame], name: str = "method") -> pd.DataFrame:
    """Tables below one another, with what tells them apart in a first column."""
    return pd.concat([table.assign(**{name: key}) for key, table in tables.items()], ignore_index=True)
