"""A run that survives a kill: what it needs to go on, bit for bit, is in a file that is replaced as a whole.

A checkpoint holds the iterate, the state of the solver, where the oracle stands in its data and its generator, and what was
measured so far. It is written beside its name and then given it, so that a kill at any moment leaves the last one or the
new one. On a CPU with as many threads what goes on is what was not interrupted; on a GPU as far as its kernels repeat.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from ratewitness.solvers.solver import Solver, State
from ratewitness.studies.measuring.progress import Progress
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Trained:
    """The measure at `steps`, and the seconds of training until then, of the processor or, on a GPU, of the clock; the last
    iterate with the state of its solver, or None where a run that had ended is read again."""

    x: Tensor | None
    state: State | None
    steps: list[int]
    values: Tensor  # (len(steps), *measure)
    seconds: list[float]


def trained(
    solver: Solver,
    oracle,
    x0: Tensor,
    measure: Callable[[Tensor], Tensor],
    at: Sequence[int],
    file: Path | None = None,
    every: int = 0,
    named: str = "",
) -> Trained:
    """Run to the last of the steps `at`, which increase, and measure at each of them.

    The oracle has a `state`, and `restore` for it. file: a checkpoint every so many steps, from which the same call goes on,
    and at the end the measures alone; `named` says what the run is, in progress on stderr, and a file of another name is
    refused. A run of which no replicate is finite any more stops; the measure of what it did not reach is inf. Raises
    ValueError for a damaged file.
    """
    x, state, k, taken, values, seconds = x0, solver.init(x0), 0, 0.0, [], []
    if file and file.exists():
        k, x, state, taken, values, seconds = _read(file, named, x0, state, oracle)
    begin, first, speak = _now(x0) - taken, k, Progress(named, at[-1], k)

    def last() -> Tensor | None:
        return values[-1] if values else None

    with torch.no_grad():
        while len(values) < len(at):
            if k == at[len(values)]:
                taken = _now(x) - begin
                values.append(measure(x))
                seconds.append(taken)
                begin = _now(x) - taken  # measuring is not training
                if not values[-1].isfinite().any():
                    missing = len(at) - len(values)
                    values += [torch.full_like(values[-1], torch.inf)] * missing
                    seconds += [seconds[-1]] * missing
            if len(values) == len(at):
                break
            if file and every and k % every == 0 and k > first:
                moving = {"x": x, "state": [*leaves(state)], "oracle": oracle.state}
                _write(
                    file, {"named": named, "k": k, "taken": _now(x) - begin, "values": values, "seconds": seconds, **moving}
                )
            x, state = solver.step(x, state, oracle)
            k += 1
            speak(k, last)
    if file:
        _write(file, {"named": named, "values": values, "seconds": seconds})
    return Trained(x, state, [*at], torch.stack(values), seconds)


def _now(x: Tensor) -> float:
    if not x.is_cuda:
        return time.thread_time()  # what other processes take of the core does not count
    torch.cuda.synchronize()
    return time.perf_counter()


def _write(file: Path, kept: dict) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.partial")  # one name: what a kill left is written over
    with partial.open("wb") as stream:
        torch.save(kept, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, file)


def _read(file: Path, named: str, x0: Tensor, state: State, oracle) -> tuple:
    try:
        kept = torch.load(file, map_location=x0.device, weights_only=True)
        found = kept["named"]
    except Exception as error:  # whatever a damaged archive makes torch say
        raise ValueError(f"{file}: is no whole checkpoint ({type(error).__name__}); accepted is to remove it") from None
    if found != named:
        raise ValueError(f"{file}: is a checkpoint of {found!r}; accepted is one of {named!r}")
    if "x" not in kept:
        return 0, None, None, 0.0, kept["values"], kept["seconds"]
    oracle.restore(kept["oracle"])
    return kept["k"], kept["x"], refilled(state, iter(kept["state"])), kept["taken"], kept["values"], kept["seconds"]


def leaves(state: State) -> Iterator[object]:
    """The tensors and numbers in nested tuples and dicts, in order."""
    if isinstance(state, tuple | dict):
        for part in state.values() if isinstance(state, dict) else state:
            yield from leaves(part)
    else:
        yield state


def refilled(state: State, left: Iterator) -> State:
    """Such a state with other leaves: its structure comes from the code, and only numbers from a file."""
    if isinstance(state, dict):
        return {name: refilled(part, left) for name, part in state.items()}
    if isinstance(state, tuple):
        parts = [refilled(part, left) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    return next(left)
