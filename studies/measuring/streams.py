"""Gradients that are shown one after the other, whatever a solver does with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from ratewitness.solvers.solver import Solver, run
from torch import Tensor


class Stream:
    """An oracle whose t-th query answers with slope(t, x), and remembers it."""

    calls = component_gradients = values = 0  # nothing is counted

    def __init__(self, slope):
        self.slope, self.seen = slope, []

    def grad(self, x: Tensor) -> Tensor:
        self.seen.append(self.slope(len(self.seen), x))
        return self.seen[-1]


def visited(solver: Solver, slope: Callable, x0: Tensor, at: Sequence[int]) -> Tensor:
    """The iterates of these increasing numbers (len(at), *shape), where the t-th query is answered with slope(t, x)."""
    return run(solver, Stream(slope), x0, max(at), lambda x: x, at).values


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64, device=generator.device)


def sequences(generator: torch.Generator, m: int, n: int, r: int, count: int, T: int = 8) -> dict[str, Tensor]:
    """Gradient sequences (count, T, m, n) of rank at most r: random ones, and those that should be hard."""
    left, right = normal(generator, count, T, m, r), normal(generator, count, T, r, n)
    random = left @ right / math.sqrt(r)
    U, V = (torch.linalg.qr(normal(generator, count, 1, d, r)).Q for d in (m, n))
    size = normal(generator, count, T, 1, 1)
    time = torch.arange(T, dtype=torch.float64, device=random.device).reshape(T, 1, 1)
    return {
        "random": random,
        "rank one": left[..., :1] @ right[..., :1, :],
        "one direction": random[:, :1] * size,
        "one matrix": random[:, :1].expand_as(random),
        "growing": random * 1.5**time,
        "shrinking": random * 0.5**time,
        "common frames": (U * normal(generator, count, T, 1, r)) @ V.mT,
        "one isometry": (U @ V.mT) * size,
    }
