"""Runs claims in parallel processes; what is finished survives a kill and is not done again.

Every worker writes its result to `<out>/.finished/<claim>.json` as soon as it has one, under a key made of the sources
the claim depends on, the budget, the seed, the device, the data file and the versions of the numerical packages. The
next run reads a result whose key still fits and computes the others. One thread per process: results do not depend on
the number of jobs.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import joblib
import numpy
import pandas as pd
import scipy
import sympy
import torch
from ratewitness.studies.claims import Budget, Claim, Verdict
from ratewitness.studies.running.sources import digest
from threadpoolctl import threadpool_limits


@dataclass(frozen=True)
class Result:
    """A judged claim with its planted variants, or the error that broke it."""

    claim: Claim
    seconds: float = 0.0
    verdict: Verdict | None = None
    planted: dict[str, Verdict] | None = None
    error: str = ""


def run_claims(claims: Sequence[Claim], budget: Budget, out: Path, jobs: int) -> Iterator[Result]:
    """Yield a Result for every claim, finished ones first, the others as they finish.

    A worker that dies (out of memory, killed) takes unfinished claims of its pool along: these are tried again, and
    then each alone, so that only a claim that kills its own worker is reported as broken.
    """
    keys = _keys(claims, budget)
    waiting = {claim.id: claim for claim in claims}
    for claim in claims:
        if result := _read(claim, keys[claim.id], out):
            del waiting[claim.id]
            yield result
    for attempt in ("together", "together", "alone"):
        batches = [[c] for c in waiting.values()] if attempt == "alone" else [list(waiting.values())]
        for batch in filter(None, batches):
            with contextlib.suppress(BrokenProcessPool):
                for result in _parallel(batch, keys, budget, out, jobs):
                    del waiting[result.claim.id]
                    yield result
            for claim in batch:  # written by a worker whose answer was lost with the pool
                if claim.id in waiting and (result := _read(claim, keys[claim.id], out)):
                    del waiting[claim.id]
                    yield result
    for claim in waiting.values():
        yield Result(claim, error="the worker died three times while checking this claim (out of memory or killed)")


def _parallel(claims, keys, budget, out, jobs) -> Iterator[Result]:
    by_id = {claim.id: claim for claim in claims}
    work = (
        joblib.delayed(_check_all)([(claim.module, claim.name, keys[claim.id]) for claim in share], budget, out)
        for share in _shares(claims, jobs)
    )
    for answers in joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(work):
        for claim_id, answer in answers:
            yield _result(by_id[claim_id], answer)


def _shares(claims: Sequence[Claim], jobs: int) -> list[list[Claim]]:
    """The claims that one process takes at a time: those of a study, which cache what they measure together. One process
    has all of them anyway, and where there are fewer studies than processes each claim is a share of its own."""
    studies: dict[str, list[Claim]] = {}
    for claim in claims:
        studies.setdefault(claim.module, []).append(claim)
    return list(studies.values()) if 1 < jobs <= len(studies) else [[claim] for claim in claims]


def _check_all(claims: Sequence[tuple[str, str, str]], budget: Budget, out: Path) -> list[tuple[str, dict]]:
    """Check the claims (module, name, key) one after the other."""
    return [check(module, name, budget, out, key) for module, name, key in claims]


def check(module: str, name: str, budget: Budget, out: Path, key: str) -> tuple[str, dict]:
    """Check one claim and its planted variants in this process, and store the answer under its key."""
    torch.set_num_threads(1)
    claim: Claim = getattr(importlib.import_module(module), name)
    budget = replace(budget, scope=claim.id)
    # entering torch.device slows every call down a little, so it is done only where it changes something
    device = torch.device(budget.device) if budget.device != "cpu" else contextlib.nullcontext()
    begin = time.perf_counter()
    try:
        with threadpool_limits(1), device:
            verdict = claim.check(budget)
            planted = {variant: false_check(budget) for variant, false_check in claim.planted.items()}
        answer = {
            "key": key,
            "seconds": time.perf_counter() - begin,
            "verdict": _to_json(verdict),
            "planted": {variant: _to_json(verdict) for variant, verdict in planted.items()},
        }
        write_atomically(_path(claim, out), json.dumps(answer))
    except Exception:
        answer = {"error": traceback.format_exc(limit=-4)}
    return claim.id, answer


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader, or a kill at any moment, finds the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _keys(claims: Sequence[Claim], budget: Budget) -> dict[str, str]:
    """What each claim's result depends on, by id; one digest of sources serves all claims of a module."""
    data = hashlib.sha256(Path(budget.data).read_bytes()).hexdigest() if budget.data else ""
    versions = [package.__version__ for package in (numpy, scipy, sympy, torch, pd)]
    shared = [*map(str, {**asdict(budget), "data": data}.values()), *versions]
    keys = {
        module: hashlib.sha256("\x1f".join([digest(module), *shared]).encode()).hexdigest()
        for module in {claim.module for claim in claims}
    }
    return {claim.id: keys[claim.module] for claim in claims}


def _path(claim: Claim, out: Path) -> Path:
    return out / ".finished" / f"{claim.id}.json"


def _read(claim: Claim, key: str, out: Path) -> Result | None:
    try:
        answer = json.loads(_path(claim, out).read_text())
    except (OSError, ValueError):
        return None
    return _result(claim, answer) if answer.get("key") == key else None


def _result(claim: Claim, answer: dict) -> Result:
    if "error" in answer:
        return Result(claim, error=answer["error"])
    planted = {variant: _from_json(verdict) for variant, verdict in answer["planted"].items()}
    return Result(claim, answer["seconds"], _from_json(answer["verdict"]), planted)


def _to_json(verdict: Verdict) -> dict:
    return {
        "outcome": verdict.outcome,
        "evidence": {name: float(value) for name, value in verdict.evidence.items()},
        "table": {column: values.tolist() for column, values in verdict.table.items()},
    }


def _from_json(answer: dict) -> Verdict:
    return Verdict(answer["outcome"], answer["evidence"], pd.DataFrame(answer["table"]))
