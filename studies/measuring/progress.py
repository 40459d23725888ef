"""What a long run says of itself on stderr while it trains: the step, the loss, the pace, the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from torch import Tensor

SPEAKS = 20.0  # seconds between two lines


class Progress:
    """Of a run of so many steps that begins after `first`.

    Called at a step, with what computes the losses of the replicates, if there are some, it prints at most every 20 seconds:
    the mean of those that are finite.
    """

    def __init__(self, named: str, steps: int, first: int = 0):
        self.named, self.steps, self.first = named, steps, first
        self.began = self.spoke = time.monotonic()

    def __call__(self, k: int, losses: Callable[[], Tensor | None]) -> None:
        now = time.monotonic()
        if now - self.spoke < SPEAKS or k == self.first:
            return
        self.spoke = now
        pace = (now - self.began) / (k - self.first)
        left = pace * (self.steps - k)
        left = f"{left:.0f} s" if left < 100 else f"{left / 60:.0f} min"
        said = [f"step {k} of {self.steps}", _mean(losses()), f"{1e3 * pace:.0f} ms a step", f"about {left} left"]
        print(f"{self.named}: {', '.join(filter(None, said))}", file=sys.stderr, flush=True)


def watched(
    named: str, at: Sequence[int], losses: Callable[[Tensor], Tensor], measure: Callable[[Tensor], object] = lambda x: x
) -> Callable[[Tensor], object]:
    """What `run` takes for the measure at the steps `at`: it speaks of the losses there as well."""
    speak, left = Progress(named, at[-1]), iter(at)

    def seen(x: Tensor) -> object:
        speak(next(left), lambda: losses(x))
        return measure(x)

    return seen


def _mean(losses: Tensor | None) -> str:
    if losses is None:
        return ""
    finite = losses[losses.isfinite()]
    return f"loss {float(finite.mean()):.4f}" if len(finite) else "no loss is finite"
