r"""Shampoo in three forms, Adam in two, and diagonal AdaGrad, for matrices of parameters.

Shampoo comes as in its paper, with sums, and with averages (beta = 0.95, bias-corrected), both without momentum; Adam with
its defaults, hence with momentum. Momentum alone can decide a comparison, so that like is compared with like on both sides
of it: Shampoo with averages and the momentum of Adam, beta1 = 0.9, and Adam without momentum, beta1 = 0. Diagonal AdaGrad
is what is left of Shampoo with sums without the Kronecker product.

Sources: V. Gupta, T. Koren and Y. Singer (2018), arXiv:1802.09568; R. Anil et al. (2020), arXiv:2002.09018, for averages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.norms.shampoo import Shampoo, Statistics
from ratewitness.solvers.schedules import Schedule, step_size
from ratewitness.studies.measuring.timing import seconds
from torch import Tensor


class Given:
    """An oracle that answers with one gradient."""

    def __init__(self, g: Tensor):
        self.g = g

    def grad(self, x: Tensor) -> Tensor:
        return self.g


@dataclass(frozen=True, eq=False)
class WithMomentum:
    """x - lr L^{-1/4} mhat R^{-1/4}: the statistics are those of the gradients, the direction that of their bias-corrected
    average, as in Adam."""

    shampoo: Shampoo
    beta1: float = 0.9

    def init(self, x: Tensor) -> tuple[Tensor, Statistics]:
        return torch.zeros_like(x), self.shampoo.init(x)

    def step(self, x: Tensor, state: tuple[Tensor, Statistics], oracle) -> tuple[Tensor, tuple[Tensor, Statistics]]:
        g = oracle.grad(x)
        m = self.beta1 * state[0] + (1 - self.beta1) * g
        _, statistics = self.shampoo.step(x, state[1], Given(g))
        mhat = m / (1 - self.beta1**statistics.k)
        lr = step_size(self.shampoo.lr, statistics.k - 1)
        return x - lr * (statistics.left @ mhat @ statistics.right), (m, statistics)


def averaging(lr: Schedule) -> Shampoo:
    return Shampoo(lr, eps=1e-12, beta=0.95, bias_correction=True)


SUMS = "Shampoo, sums"
SOLVERS = {
    SUMS: lambda lr: Shampoo(lr, eps=1e-12),
    "Shampoo, averages": averaging,
    "Shampoo, averages, momentum": lambda lr: WithMomentum(averaging(lr)),
    "Adam": lambda lr: Adam(lr),
    "Adam, no momentum": lambda lr: Adam(lr, beta1=0.0),
    "AdaGrad": lambda lr: AdaGrad(lr),
}


def second_step(name: str, d: int) -> Callable:
    """A function that makes the second step of a method on a d x d matrix, given the gradient."""
    generator = torch.Generator().manual_seed(0)
    g = torch.randn(2, d, d, generator=generator, dtype=torch.float64)
    solver, x = SOLVERS[name](0.1), torch.zeros_like(g[0])
    oracle = Given(g[1])
    x, state = solver.step(g[0], solver.init(x), oracle)
    return lambda: solver.step(x, state, oracle)


def least_seconds(name: str, d: int, repeats: int) -> float:
    """Of that step, on the CPU."""
    with torch.device("cpu"):
        step = second_step(name, d)
        return min(seconds(step) for _ in range(repeats))
