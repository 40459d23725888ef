"""Measures claims in parallel processes; what is finished survives a kill and is not done again.

Every worker keeps the record of a claim as soon as it has it (`records.py`). The next run reads the records whose key is
still today's and measures the others. One thread per process: results do not depend on the number of jobs. Workers write
what begins and ends into `<out>/.events`, which the run follows: a claim is reported when it ends, not when its study does.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import torch
from ratewitness.studies.claims import Budget, Claim
from ratewitness.studies.running import sources
from ratewitness.studies.running.history import note
from ratewitness.studies.running.records import Record, discard, finished, keys, write
from threadpoolctl import threadpool_limits

EVENTS = ".events"
DIED = "the worker died three times while checking this claim (out of memory or killed)"


@dataclass(frozen=True)
class Result:
    """A claim with its record, kept from before or new; or with the error that broke it."""

    claim: Claim
    record: Record | None = None
    kept: bool = False
    error: str = ""


def run_claims(
    claims: Sequence[Claim],
    budget: Budget,
    out: Path,
    jobs: int,
    origin: Mapping[str, object],
    expected: Mapping[str, float],
    watch: Callable[[dict], None],
) -> Iterator[Result]:
    """Yield a Result for every claim: what is kept first, the others as their shares of work finish.

    expected: seconds of a claim; what is expected to take longest is begun first. watch(event) hears at once what happens:
    {"event": "started" | "ended" | "broken", "claim": id, "seconds": ..., "outcome": ...}.
    A worker that dies (out of memory, killed) takes unfinished claims of its pool along: these are tried again, and then
    each alone, so that only a claim that kills its own worker is reported as broken.
    """
    key = keys(claims, budget)
    waiting = {claim.id: claim for claim in claims}
    for claim in claims:
        if record := finished(claim, key[claim.id], out):
            del waiting[claim.id]
            yield Result(claim, record, kept=True)
    with followed(out / EVENTS, watch):
        for attempt in ("together", "together", "alone"):
            batches = [[c] for c in waiting.values()] if attempt == "alone" else [list(waiting.values())]
            for batch in filter(None, batches):
                with contextlib.suppress(BrokenProcessPool):
                    for claim_id, error in _parallel(_shares(batch, jobs, expected), key, budget, out, jobs, origin):
                        claim = waiting.pop(claim_id)
                        if error:  # what an earlier run kept of it is in doubt
                            discard(claim_id, out)
                        yield Result(claim, None if error else finished(claim, key[claim_id], out), error=error)
                for claim in batch:  # kept by a worker whose answer was lost with the pool
                    if claim.id in waiting and (record := finished(claim, key[claim.id], out)):
                        del waiting[claim.id]
                        yield Result(claim, record)
    for claim in waiting.values():
        discard(claim.id, out)
        watch({"event": "broken", "claim": claim.id})
        yield Result(claim, error=DIED)


def _parallel(shares, key, budget, out, jobs, origin) -> Iterator[tuple[str, str]]:
    stamp = sources.stamp()
    work = (
        joblib.delayed(_measure_all)(
            [(c.module, c.name, key[c.id], sources.measured(c.module, c.name)) for c in share], budget, out, origin, stamp
        )
        for share in shares
    )
    if jobs > 1:
        with deaf_to_interrupts():  # workers inherit it: the run ends them, without a traceback of their own
            joblib.Parallel(n_jobs=jobs)(joblib.delayed(int)() for _ in range(jobs))
    try:
        for answers in joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(work):
            yield from answers
    except (KeyboardInterrupt, GeneratorExit):
        if jobs > 1:
            from joblib.externals.loky import get_reusable_executor

            get_reusable_executor().shutdown(wait=False, kill_workers=True)
        raise


@contextlib.contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _shares(claims: Sequence[Claim], jobs: int, expected: Mapping[str, float]) -> list[list[Claim]]:
    """The claims that one process takes at a time, longest first: those of a study, and of studies that measure in common.
    One process has all of them anyway, and where there are fewer such groups than processes each claim is a share."""
    together: list[tuple[set, list[Claim]]] = []
    for claim in claims:
        shared = {claim.module, *sources.measurements(claim.module, claim.name)}
        joined = [group for group in together if group[0] & shared]
        together = [group for group in together if not group[0] & shared]
        names = shared.union(*(group[0] for group in joined))
        together.append((names, [c for group in joined for c in group[1]] + [claim]))
    shares = [group for _, group in together] if 1 < jobs <= len(together) else [[claim] for claim in claims]
    return sorted(shares, key=lambda share: -sum(expected.get(claim.id, 0.0) for claim in share)) if jobs > 1 else shares


def _measure_all(
    claims: Sequence[tuple[str, str, str, str]], budget: Budget, out: Path, origin: Mapping[str, object], stamp: str
) -> list[tuple[str, str]]:
    """Measure the claims (module, name, key, digest) one after the other: their ids, each with what broke it or ''."""
    return [measure(*claim, budget, out, origin, stamp) for claim in claims]


def measure(
    module: str, name: str, key: str, digest: str, budget: Budget, out: Path, origin: Mapping[str, object], stamp: str
) -> tuple[str, str]:
    """Check one claim and its planted variants in this process, and keep the record.

    digest: of the definitions when the run began, under the stamp of the files of then; others may have been imported here.
    """
    torch.set_num_threads(1)
    claim: Claim = getattr(importlib.import_module(module), name)
    budget = replace(budget, scope=claim.streams)
    if budget.data and not sources.reads_data(module, name, Path(budget.data).is_dir()):
        budget = replace(budget, data=None)  # a table is no folder of shards, nor the other way around
    # entering torch.device slows every call down a little, so it is done only where it changes something
    device = torch.device(budget.device) if budget.device != "cpu" else contextlib.nullcontext()
    tell(out, event="started", claim=claim.id)
    begin = time.perf_counter()
    try:
        with threadpool_limits(1), device:
            verdict = claim.check(budget)
            planted = {variant: false_check(budget) for variant, false_check in claim.planted.items()}
        seconds = time.perf_counter() - begin
        if sources.stamp() != stamp:
            sources.forget()
            if sources.measured(module, name) != digest:
                tell(out, event="broken", claim=claim.id)
                return claim.id, "its sources changed during the run; run it again\n"
        record = Record(claim, verdict, planted, seconds, key, digest, origin)
        note(record, out)
        write(record, out)
    except Exception:
        tell(out, event="broken", claim=claim.id)
        return claim.id, traceback.format_exc(limit=-4)
    tell(out, event="ended", claim=claim.id, seconds=seconds, outcome=verdict.outcome)
    return claim.id, ""


def tell(out: Path, **event: object) -> None:
    """One line at the end of the file that the run follows; a single short write is not mixed with another's."""
    with (out / EVENTS).open("a") as file:
        file.write(json.dumps(event) + "\n")


@contextlib.contextmanager
def followed(path: Path, watch: Callable, every: float = 0.2) -> Iterator[None]:
    """Call watch(event) for every line that workers append to `path`, from a thread, until the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    over = threading.Event()

    def follow():
        with path.open() as file:
            rest = ""
            while True:
                last = over.wait(every)
                *lines, rest = (rest + file.read()).split("\n")
                for line in lines:
                    with contextlib.suppress(json.JSONDecodeError):  # a worker was killed as it wrote
                        watch(json.loads(line))
                if last:
                    return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        path.unlink(missing_ok=True)
