"""Seconds, which no ledger holds: methods take turns in rounds, and a claim counts in how many rounds its factor was met."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
import torch
from ratewitness.studies.claims import Verdict

ROUNDS = 5
Call = Callable[[], object]
Calls = Callable[[int], dict[str, Call]]  # of a round, by name


def race(
    cells: Mapping[tuple, Calls], columns: Sequence[str], repeats: Callable, warm: Mapping[tuple, Calls] | None = None
) -> pd.DataFrame:
    """Median seconds of each call in each round of each cell: a table of `columns` (of the cell), method, round, seconds.

    A cell gives its calls by name for every round. They take turns in an order that rotates, after one of each that is not
    timed, as often as `repeats` says of the cell, and once at least. warm: shorter calls in place of those that are not
    timed, where a call is long beside what a first one allocates and loads.
    """
    found = []
    for k, (cell, calls) in product(range(ROUNDS), cells.items()):
        ready = calls(k)
        taken, names = {name: [] for name in ready}, list(ready)
        for call in (warm[cell](k) if warm else ready).values():
            call()
        for j in range(max(1, repeats(cell))):
            first = (k + j) % len(names)
            for name in names[first:] + names[:first]:
                taken[name].append(seconds(ready[name]))
        row = dict(zip(columns, cell, strict=True)) | {"round": k}
        found += [row | {"method": name, "seconds": float(np.median(times))} for name, times in taken.items()]
    return pd.DataFrame(found)


def seconds(call: Call) -> float:
    """Of one call: processor time of this thread or, with CUDA in use, of the clock between two synchronizations."""
    if not torch.cuda.is_initialized():
        begin = time.thread_time()  # what other processes take of the core does not count
        call()
        return time.thread_time() - begin
    torch.cuda.synchronize()
    begin = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - begin


def takes_at_most(table: pd.DataFrame, fast: str, slow: str, share: float) -> Verdict:
    """`fast` takes at most `share` of the time of `slow` in every cell of every round; refuted where a cell has it in none.
    The evidence holds the factor 1/share, and no measured time."""
    cell = [c for c in table if c not in ("method", "round", "seconds")]
    wide = table.pivot_table(index=cell, columns=["method", "round"], values="seconds", dropna=False)
    ratio = (wide[fast] / wide[slow]).dropna(how="all").to_numpy()  # (cells, rounds)
    return in_every_round(np.where(np.isfinite(ratio), ratio <= share, np.nan)).noting(factor=1 / share)


def in_every_round(holds: np.ndarray) -> Verdict:
    """holds: (cells, rounds), NaN where nothing was measured. Supported if it holds everywhere, refuted if some cell misses
    it in every round; rounds that disagree decide nothing."""
    outcome = "inconclusive"
    if holds.size and np.isfinite(holds).all():
        outcome = "supported" if holds.all() else "inconclusive" if holds.any(1).all() else "refuted"
    return Verdict(outcome, {"cells": float(holds.shape[0]), "rounds": float(holds.shape[1])})
