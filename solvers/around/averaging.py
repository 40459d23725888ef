r"""Outputs other than the last iterate: the running average, and one iterate drawn at random.

    PolyakRuppert:   xbar_N = (1/(N-s)) (x_{s+1} + ... + x_N)    or, with include_start, x_s + ... + x_{N-1}
    RandomIterate:   x_R,  R drawn before the run

Both wrap a solver, whose own iterate lives in the state and is not affected. The average needs no hypothesis;
that it is better than the last iterate does. skip_start = s > 0 is suffix averaging (for the last alpha N of
N known steps, s = (1 - alpha) N); up to step s the output is the newest iterate that will enter.

`RandomIterate` carries x_k while k <= R and stays at x_R afterwards, so the output at any k >= R is x_R. The
inner iterate runs on, because other replicates of the batch still need it: the oracle counts N steps where
the method needs R.

D. Ruppert (1988); B. T. Polyak and A. B. Juditsky (1992). Random iterate: S. Ghadimi and G. Lan (2013),
arXiv:1309.5549.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from ratewitness.solvers.solver import Solver, State
from torch import Generator, Tensor


class Inner(NamedTuple):
    x: Tensor  # the iterate of the wrapped solver
    state: State
    k: int


@dataclass(frozen=True, eq=False)
class PolyakRuppert:
    """The mean of x_{skip_start+1}, ..., x_k, or of x_{skip_start}, ..., x_{k-1} if `include_start`."""

    inner: Solver
    skip_start: int = 0
    include_start: bool = False

    def init(self, x: Tensor) -> Inner:
        return Inner(x, self.inner.init(x), 0)

    def step(self, x: Tensor, state: Inner, oracle) -> tuple[Tensor, Inner]:
        new, inner = self.inner.step(state.x, state.state, oracle)
        k = state.k + 1
        entering, count = state.x if self.include_start else new, k - self.skip_start
        mean = torch.lerp(x, entering, 1 / count) if count > 1 else entering
        return mean, Inner(new, inner, k)


@dataclass(frozen=True, eq=False)
class RandomIterate:
    """x_R for a given R >= 0, an integer tensor that broadcasts to the shape of x."""

    inner: Solver
    index: Tensor

    @classmethod
    def uniform(cls, inner: Solver, N: int, batch: tuple[int, ...], generator: Generator, ndim: int = 1) -> RandomIterate:
        """R uniform on 0, ..., N-1, independent for each member of `batch`; points of `ndim` axes."""
        index = torch.randint(N, (*batch, *[1] * ndim), generator=generator, device=generator.device)
        return cls(inner, index)

    def init(self, x: Tensor) -> Inner:
        return Inner(x, self.inner.init(x), 0)

    def step(self, x: Tensor, state: Inner, oracle) -> tuple[Tensor, Inner]:
        new, inner = self.inner.step(state.x, state.state, oracle)
        k = state.k + 1
        return torch.where(k <= self.index, new, x), Inner(new, inner, k)
