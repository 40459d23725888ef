"""What a run says while it goes on: a bar on a terminal, lines in a log; every claim when it begins and when it ends.

How long is left is estimated from the seconds that the last records of the same claims took, on whatever machine, times how
much longer or shorter today's claims take than theirs did.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

UNKNOWN = 5.0  # seconds of a claim that no record tells of


class Watch:
    """Counts claims, and says what happens. `hear` is called from the thread that follows the workers."""

    def __init__(self, claims: Sequence[str], expected: Mapping[str, float], jobs: int, console: Console):
        usual = median(expected.values()) if expected else UNKNOWN
        self._expected = {claim: expected.get(claim, usual) for claim in claims}
        self._waiting, self._running = dict.fromkeys(claims), {}
        self._jobs, self._total = jobs, len(claims)
        self._known = self._taken = 0.0  # seconds that claims done now were expected to take, and took
        self._lock, self._log = threading.Lock(), not sys.stdout.isatty()
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
        self._bar = Progress(*columns, TextColumn("{task.fields[left]}"), console=console, disable=self._log)
        self._task = self._bar.add_task("starting", total=self._total, left="")

    def __enter__(self):
        self._bar.__enter__()
        return self

    def __exit__(self, *error):
        self._bar.__exit__(*error)

    def kept(self, claim: str, outcome: str) -> None:
        with self._lock:
            self._done(claim)
            self._say(claim, f"{outcome} (kept)")

    def hear(self, event: Mapping) -> None:
        claim = event["claim"]
        with self._lock:
            if event["event"] == "started":
                self._running[claim] = time.monotonic()
                self._say(claim, "started")
                return
            self._running.pop(claim, None)
            if claim not in self._waiting:  # a retry that was done before its worker died
                return
            if event["event"] == "ended":
                self._known += self._expected[claim]
                self._taken += event["seconds"]
            self._done(claim)
            self._say(claim, f"{event['outcome']} ({event['seconds']:.1f} s)" if event["event"] == "ended" else "BROKEN")

    def _done(self, claim: str) -> None:
        self._waiting.pop(claim, None)
        self._bar.advance(self._task)

    def _say(self, claim: str, words: str) -> None:
        done = self._total - len(self._waiting)
        if self._log:
            print(f"[{done}/{self._total}] {claim}: {words}", flush=True)
        else:
            running = " ".join(self._running) or claim
            self._bar.update(self._task, description=running[:60], left=self._left())

    def _left(self) -> str:
        pace = self._taken / self._known if self._known else 1.0
        begun = sum(time.monotonic() - since for since in self._running.values())
        left = max(pace * sum(self._expected[claim] for claim in self._waiting) - begun, 0.0) / self._jobs
        return f"about {left:.0f} s left" if left < 100 else f"about {left / 60:.0f} min left"
