r"""Runs of networks on addition modulo p until they generalize: many methods, settings and seeds in one batch.

    learnt: the first step with 99 % of the training pairs right;    generalized: the first with 95 % of the others right

A batch is a list of runs, each with its own split of the table, start and settings (a step, a decay, ...). Accuracies are
looked at every few steps. A run that has done both leaves the batch, so that a batch costs the sum of its hitting times;
one that ends at the limit without is censored (NaN), and one whose weights are no longer finite has diverged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from ratewitness.problems.networks.mlp import cross_entropy
from ratewitness.problems.networks.modular_addition import Table, TwoHot, addition, on_table
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.adam import Adam, AdamW
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.around.grokfast import Grokfast
from ratewitness.solvers.around.layerwise import Layerwise, Part
from ratewitness.solvers.around.orthograd import OrthoGrad
from ratewitness.solvers.solver import Solver
from ratewitness.studies.measuring.progress import Progress
from torch import Generator, Tensor

LEARNT, GENERALIZED = 0.99, 0.95
EVERY = 5  # steps between two looks at the accuracies
NETWORK = TwoHot(23, 64)
SHARE = 0.6
BETAS = (0.9, 0.98)

Knobs = Mapping[str, Tensor]  # settings by name, (runs, 1) each
Method = Callable[[Knobs], Solver]


def adamw(knobs: Knobs) -> AdamW:
    return AdamW(knobs["lr"], *BETAS, weight_decay=knobs["decay"])


def adam(knobs: Knobs) -> Adam:
    return Adam(knobs["lr"], *BETAS)


def coupled(knobs: Knobs) -> CoupledDecay:
    return CoupledDecay(adam(knobs), knobs["decay"])


def grokfast(knobs: Knobs) -> Grokfast:
    return Grokfast(adam(knobs), 0.98, knobs["strength"])


def grokfast_with_decay(knobs: Knobs) -> Grokfast:
    return Grokfast(adamw(knobs), 0.98, 2.0)


def grokfast_with_penalty(knobs: Knobs) -> Grokfast:
    return Grokfast(coupled(knobs), 0.98, 2.0)


def orthogonal(inner: Method) -> Method:
    """OrthoGrad for each of A, B and V, as published."""

    def build(knobs: Knobs) -> Layerwise:
        parts = NETWORK.layout
        solver = OrthoGrad(inner({name: knob.unsqueeze(-1) for name, knob in knobs.items()}), ndim=2)
        return Layerwise([Part(where, parts.shapes[name], solver) for name, where in parts.slices.items()])

    return build


@dataclass(frozen=True, eq=False)
class Runs:
    """Splits (runs, .) and starts (runs, P)."""

    table: Table
    start: Tensor

    def __getitem__(self, index: Tensor) -> Runs:
        return Runs(Table(*(part[index] for part in self.table)), self.start[index])


def drawn(
    generator: Generator, runs: int, share: float = SHARE, shuffled: bool = False, dtype: torch.dtype = torch.float32
) -> Runs:
    """Of one stream the same splits and, but for rounding, starts in every precision."""
    table = addition(NETWORK.p, share, generator, runs, shuffled=shuffled)
    return Runs(table, NETWORK.initial(generator, runs, dtype=torch.float64).to(dtype))


def repeated(settings: Sequence[Mapping[str, float]], runs: Runs) -> tuple[dict[str, Tensor], Runs]:
    """Every setting on every run, the runs running fastest: knobs (settings x runs,), and the runs."""
    count = len(runs.start)
    knobs = {name: torch.tensor([each[name] for each in settings]).repeat_interleave(count) for name in settings[0]}
    return knobs, runs[torch.arange(count).repeat(len(settings))]


def bounded(times: np.ndarray, limit: int) -> np.ndarray:
    """Hitting times with the limit, a lower bound, in the place of those that are censored."""
    return np.where(np.isnan(times), limit, times)


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Steps (runs,), NaN where there is none within the limit; the validation accuracy of the last look; who diverged."""

    learnt: np.ndarray
    generalized: np.ndarray
    accuracy: np.ndarray
    diverged: np.ndarray


def arrivals(
    method: Method,
    knobs: Mapping[str, Tensor],
    runs: Runs,
    limit: int,
    loss: Callable = cross_entropy,
    groups: Tensor | None = None,
    patience: float = 1.0,
) -> Arrivals:
    """When each run learnt and generalized. knobs: (runs,) each.

    groups: integers (runs,) from 0 on; a run leaves after `patience` times the steps in which the first of its group has
    generalized.
    """
    device, count = runs.start.device, len(runs.start)
    times = torch.full((2, count), torch.nan, device=device)
    seen, diverged = torch.zeros(count, device=device), torch.zeros(count, dtype=torch.bool, device=device)
    here = torch.arange(count, device=device)  # the runs that are still in the batch
    thresholds = torch.tensor([[LEARNT], [GENERALIZED]], device=device)
    x, state, speak = runs.start, None, Progress(f"addition modulo {NETWORK.p}, {count} runs", limit)
    with torch.no_grad():
        for k in range(limit + 1):
            if k % EVERY == 0:
                accuracy = NETWORK.accuracies(x, Table(*(part[here] for part in runs.table)))
                new = (accuracy >= thresholds) & times[:, here].isnan()
                times[:, here] = torch.where(new, float(k), times[:, here])
                seen[here], diverged[here] = accuracy[1], ~x.isfinite().all(-1)
                gone = ~times[:, here].isnan().any(0) | diverged[here]
                if groups is not None:
                    gone |= patience * firsts(times[1], groups)[groups[here]] <= k
                if gone.any() or state is None:
                    here, x = here[~gone], x[~gone]
                    if not len(here):
                        break
                    solver = method({name: knob[here].unsqueeze(-1).to(x) for name, knob in knobs.items()})
                    state = solver.init(x) if state is None else of_rows(state, ~gone)
                    now = runs[here]
                    problem = on_table(NETWORK, now.table, now.start, loss)
                    oracle = Oracle.full(problem)
            speak(k, partial(problem.gap, x))
            x, state = solver.step(x, state, oracle)
    return Arrivals(*(part.cpu().numpy() for part in (*times.double(), seen.double(), diverged)))


def firsts(times: Tensor, groups: Tensor) -> Tensor:
    """The least time of each group, inf where all are NaN."""
    never = times.new_full((int(groups.max()) + 1,), torch.inf)
    return never.scatter_reduce(0, groups, times.nan_to_num(torch.inf), "amin")


def of_rows(state: object, kept: Tensor) -> object:
    """The state of the runs that are kept: tensors lose rows, whatever holds them."""
    if isinstance(state, Tensor):
        return state[kept]
    if isinstance(state, tuple):
        parts = [of_rows(part, kept) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    return state
