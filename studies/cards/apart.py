"""A card made in a process of its own, with limits on time and memory: what hangs or crashes there is a line of the card.

The other process is told what is wanted on its standard input, and answers one line of JSON for each line of the card, after
one that says which is being measured. Where it falls silent or dies, that line says so, and a new process goes on after it.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace

from ratewitness.studies.cards.fact import Fact

PATIENCE = {"quick": 60.0, "full": 900.0}  # seconds that a line may take
FIRST = 120.0  # and imports before the first
MEMORY = 6 * 2**30  # bytes of data
TRIES = 6  # processes that may die before the rest is given up


def lines_apart(spec: str, arguments: str, wanted: dict) -> Iterator[Fact | dict]:
    """First a dict (spec, kwargs in words, versions), or {"refused": why}; then the lines of the card as they come."""
    done: list[str] = []
    told = False
    for _ in range(TRIES):
        end, last = None, None
        for answer in _answers(spec, arguments, wanted, done, PATIENCE[wanted["budget"]]):
            if isinstance(answer, str):
                end = answer
            elif "begin" in answer:
                last = answer["begin"]
            elif "fact" in answer:
                fact = Fact(**answer["fact"])
                done.append(fact.name)
                yield fact
            elif "refused" in answer:
                yield answer
                return
            elif not told:
                told = True
                yield answer
        if end is None:
            return
        if last is None:
            yield Fact("the start", end, holds=False, reason="before anything is measured", part="laws")
            return
        done.append(last["name"])
        law = last["part"] == "laws"
        why = "in a process of its own" if law else ""
        yield Fact(last["name"], end, holds=False if law else None, reason=why, part=last["part"])
    yield Fact("all others", f"not measured: {TRIES} processes hung or died", holds=False, part="laws")


def _answers(spec: str, arguments: str, wanted: dict, done: list[str], patience: float) -> Iterator[dict | str]:
    """What one process says; in the end a word on why it is no more, where it did not finish."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ratewitness.studies.cards.apart"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    said: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: [*map(said.put, process.stdout), said.put("")], daemon=True).start()
    try:
        with contextlib.suppress(BrokenPipeError):
            json.dump({"spec": spec, "arguments": arguments, "wanted": wanted, "done": done}, process.stdin)
            process.stdin.close()
        limit = FIRST
        while True:
            try:
                line = said.get(timeout=limit)
            except queue.Empty:
                yield f"hangs: no answer within {limit:.0f} s"
                return
            if not line:
                break
            answer = json.loads(line)
            if "end" in answer:
                return
            if "ended" in answer:
                yield f"ends: {answer['ended']}"
                return
            limit = patience
            yield answer
        code = process.wait()
        yield f"dies: {signal.Signals(-code).name}" if code < 0 else f"dies: exit status {code}"
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def _serve() -> None:
    """The other process."""
    given = json.load(sys.stdin)
    voice = os.fdopen(os.dup(1), "w")  # what is examined may print
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))

    def say(**answer) -> None:
        voice.write(json.dumps(answer) + "\n")
        voice.flush()

    import torch

    torch.set_num_threads(1)
    from ratewitness.studies.cards import claim
    from ratewitness.studies.cards.arguments import parsed
    from ratewitness.studies.cards.card import Wanted, lines, versions
    from ratewitness.studies.cards.subject import Refused, resolve, said

    try:
        kwargs = parsed(given["arguments"])
        examined = resolve(given["spec"], kwargs)
        wanted = Wanted(**{**given["wanted"], "parts": tuple(given["wanted"]["parts"])})
        if wanted.claims:
            claim.parsed(wanted.claims)  # refused at once, before anything is measured
        say(spec=examined.spec, kwargs={name: repr(value) for name, value in kwargs.items()}, versions=versions(examined))

        def begin(name: str, part: str) -> None:
            say(begin={"name": name, "part": part})

        for fact in lines(examined, wanted, begin, frozenset(given["done"])):
            say(fact=asdict(replace(fact, series=dict(fact.series))))
    except Refused as why:
        say(refused=str(why))
    except Exception as error:
        say(ended=said(error))
    say(end=True)


if __name__ == "__main__":
    _serve()
