"""What a solver is, and the two ways to watch one: record a measure along a run, or time when it falls below eps.

A solver is a frozen dataclass of hyperparameters with two pure methods. Hyperparameters may be tensors that
broadcast to the shape of x (x already has every sweep axis), so that one run is a whole sweep. A step
receives the oracle, not the gradient, and so decides itself what it asks for; calls are counted by the
oracle. Measuring is never counted.

A solver does not know where the batch axes of x end. One that needs inner products, or a number per
replicate, has a field `ndim`: that many trailing axes of x form one point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

State = Any
CENSORED = -1  # the hitting time of a run that ended above the threshold
Over = Literal["last", "min", "mean"]


class Solver(Protocol):
    def init(self, x: Tensor) -> State:
        """The state before the first step from x."""

    def step(self, x: Tensor, state: State, oracle) -> tuple[Tensor, State]:
        """One iteration: the next iterate and state. Changes neither x nor state in place."""


@dataclass(frozen=True, eq=False)
class Trace:
    """What `run` saw: `values[j]` is the measure at iteration `steps[j]`; `x` is the last iterate."""

    steps: list[int]
    values: Tensor  # (len(steps), *measure)
    x: Tensor
    calls: list[int]  # gradient queries made before each record, per replicate
    component_gradients: list[int]  # and their cost
    value_queries: list[int]  # function values asked for (line search); each costs n component values


def dot(a: Tensor, b: Tensor, ndim: int) -> Tensor:
    """<a, b> of each point, ready to broadcast against it: (*batch, *shape) twice -> (*batch, 1, ..., 1)."""
    return (a * b).sum(dim=tuple(range(-ndim, 0)), keepdim=True)


def iterates(solver: Solver, oracle, x: Tensor) -> Iterator[Tensor]:
    """x_0, x_1, x_2, ... without end."""
    state = solver.init(x)
    while True:
        yield x
        x, state = solver.step(x, state, oracle)


def run(
    solver: Solver,
    oracle,
    x0: Tensor,
    steps: int,
    measure: Callable[[Tensor], Tensor],
    at: Sequence[int] | None = None,
    over: Over = "last",
) -> Trace:
    """Run `steps` iterations and record `measure` at the iterations `at` (default: about 20 a decade).

    over: "last" records measure(x_k), "min" its running minimum and "mean" its running mean over x_0, ..., x_k;
    a NaN stays in both. Raises ValueError for another `over`, or an iteration in `at` beyond `steps`.
    Memory does not grow with `steps`, only with the number of records.
    """
    wanted = log_spaced(steps) if at is None else sorted({*at})
    if not wanted or wanted[0] < 0 or wanted[-1] > steps:
        raise ValueError(f"at must name iterations from 0 to steps = {steps}; got {wanted[:1]} to {wanted[-1:]}")
    watch, seen = _running(measure, over), set(wanted)
    values, calls, cost, queries = [], [], [], []
    with torch.no_grad():
        for k, x in zip(range(steps + 1), iterates(solver, oracle, x0), strict=False):
            if over != "last" or k in seen:
                value = watch(x)
            if k in seen:
                values.append(value)
                calls.append(oracle.calls)
                cost.append(oracle.component_gradients)
                queries.append(oracle.values)
    return Trace(wanted, torch.stack(values), x, calls, cost, queries)


def hitting_times(
    solver: Solver,
    oracle,
    x0: Tensor,
    limit: int,
    measure: Callable[[Tensor], Tensor],
    thresholds: Tensor,
    over: Over = "last",
) -> Tensor:
    """The first k <= limit with measure(x_k) <= threshold, tested at every iteration; CENSORED where there is none.

    thresholds broadcasts against measure(x): (E, 1) against (G,) or (E, G) gives (E, G). The run ends as soon as
    every threshold is hit. A NaN hits nothing.
    """
    watch = _running(measure, over)
    times = None
    with torch.no_grad():
        for k, x in zip(range(limit + 1), iterates(solver, oracle, x0), strict=False):
            hit = watch(x) <= thresholds
            if times is None:
                times = torch.full(hit.shape, CENSORED, dtype=torch.int64, device=hit.device)
                pending = torch.ones_like(hit)
            new = hit & pending
            if new.any():  # most iterations hit nothing, and pay for two cheap operations only
                times = torch.where(new, k, times)
                pending = pending & ~new
                if not pending.any():
                    break
    return times


def log_spaced(steps: int, per_decade: int = 20) -> list[int]:
    """0 and about `per_decade` integers a decade up to `steps`."""
    if steps == 0:
        return [0]
    count = max(2, int(per_decade * np.log10(max(steps, 10))))
    return sorted({0, steps, *np.geomspace(1, steps, count).round().astype(int).tolist()})


def _running(measure: Callable[[Tensor], Tensor], over: Over) -> Callable[[Tensor], Tensor]:
    if over == "last":
        return measure
    if over not in ("min", "mean"):
        raise ValueError(f"over is {over!r}; accepted are 'last', 'min' and 'mean'")
    seen, count = None, 0

    def watch(x):
        nonlocal seen, count
        value, count = measure(x), count + 1
        if seen is not None:
            value = torch.minimum(seen, value) if over == "min" else torch.lerp(seen, value, 1 / count)
        seen = value
        return seen

    return watch
