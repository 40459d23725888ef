r"""Gradient descent with Armijo backtracking.

    x_{k+1} = x_k - a_k g_k,        a_k = the first a of t, t shrink, t shrink^2, ... with
    f(x_k - a g_k) <= f(x_k) - c a ||g_k||^2                              (sufficient decrease)

The first trial t is `initial` at every step or, with `growth`, growth times the step accepted before
(`initial` at k = 0). With g_k = grad f(x_k) and f L-smooth, every a <= 2(1-c)/L passes the test, since f(x -
a g) <= f(x) - a (1 - a L/2) ||g||^2; a rejected trial is therefore longer than that, and for growth >= 1

    a_k >= min{ initial, 2 (1-c) shrink / L }            for every k.

c = 1/2 guarantees a_k >= min{initial, shrink/L} and the decrease (a_k/2) ||g_k||^2. On a minibatch oracle the
direction is the sampled gradient while f is the full function: not a stochastic line search, and without the
bound on a_k.

Each replicate backtracks on its own. One that finds no step within `trials` trials (NaN, a sampled direction
that ascends, a decrease below rounding) stays where it is; a zero gradient passes the first trial.

A step costs one gradient and one value per trial; the first step also asks for f(x_0). The value at x_k for
k >= 1 is that of the last accepted trial, which the state holds: x must be the point that the step before gave.

L. Armijo (1966).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from ratewitness.solvers.solver import dot
from torch import Tensor


class Accepted(NamedTuple):
    lr: Tensor  # (*batch, 1, ..., 1), the last accepted step
    value: Tensor | None  # (*batch, 1, ..., 1), f at the current point; None before the first step
    values: Tensor  # (*batch, 1, ..., 1), function values needed; the oracle counts the slowest replicate


@dataclass(frozen=True, eq=False)
class Armijo:
    """Gradient descent whose step is found by backtracking; `ndim` trailing axes of x form one point."""

    initial: float | Tensor
    c: float = 0.5
    shrink: float = 0.5
    growth: float | None = None  # None: every search starts from `initial`
    trials: int = 60
    ndim: int = 1

    def init(self, x: Tensor) -> Accepted:
        one = torch.ones_like(x[(..., *[slice(1)] * self.ndim)])
        first = self.initial if self.growth is None else self.initial / self.growth
        return Accepted(first * one, None, torch.zeros_like(one, dtype=torch.int64))

    def step(self, x: Tensor, state: Accepted, oracle) -> tuple[Tensor, Accepted]:
        def value(at):
            return oracle.value(at).reshape(state.lr.shape)

        g, asked = oracle.grad(x), state.values
        if (f := state.value) is None:
            f, asked = value(x), asked + 1
        decrease = self.c * dot(g, g, self.ndim)
        a = self.initial + torch.zeros_like(f) if self.growth is None else self.growth * state.lr
        found = torch.zeros_like(f, dtype=torch.bool)
        for _ in range(self.trials):
            asked = asked + ~found
            tried = value(x - a * g)
            found = tried <= f - a * decrease  # stays true: a found step is kept
            if found.all():
                break
            a = torch.where(found, a, a * self.shrink)
        lr, f = torch.where(found, a, state.lr), torch.where(found, tried, f)
        return torch.where(found, x - a * g, x), Accepted(lr, f, asked)
