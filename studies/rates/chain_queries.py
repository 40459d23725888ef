"""How many queries solvers need along a zero-chain, with exact gradients and where a query shows a link with probability p.

The gradient sees one coordinate beyond those that are already nonzero. N counts queries; L-BFGS makes two a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.zero_chain import zero_chain
from ratewitness.solvers.around.averaging import PolyakRuppert
from ratewitness.solvers.catalogue import catalogue
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.lbfgs import LBFGS
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.solver import CENSORED, Solver, hitting_times
from ratewitness.studies.claims import Budget, measured

GROUPS, LIPSCHITZ = 10, 152.0
LINKS = 6  # of the chain whose links are shown with probability p


@dataclass(frozen=True)
class Greedy:
    """Sets every coordinate that it sees for the first time to +-1, downhill: one link of the chain each time."""

    def init(self, x):
        return None

    def step(self, x, state, oracle):
        return torch.where(x == 0, -torch.sign(oracle.grad(x)), x), None


@dataclass(frozen=True, eq=False)
class Jittered:
    """Gradient descent with random kicks. It does not respect zeros: its coordinates move before they are seen."""

    generator: torch.Generator

    def init(self, x):
        return None

    def step(self, x, state, oracle):
        kick = torch.randn(x.shape, generator=self.generator, device=x.device, dtype=x.dtype)
        return x - oracle.grad(x) / 152 + 0.01 * kick, None


def discovered(x: torch.Tensor) -> torch.Tensor:
    """The last coordinate that is not zero: (*batch, T) -> (*batch,)."""
    return ((x != 0) * torch.arange(1, x.shape[-1] + 1, device=x.device)).amax(-1)


def queries(name: str, solver: Solver, T: int) -> tuple[np.ndarray, float]:
    """Queries until each of the T links is discovered, and until ||grad F_T|| <= 1; inf where that did not happen."""
    problem = zero_chain(T, L=LIPSCHITZ)
    links = torch.arange(1.0, T + 1, dtype=torch.float64)

    def measure(x):  # one number for each threshold: every link, then the gradient
        return torch.cat([-discovered(x).expand(T).double(), problem.grad(x).norm(dim=-1, keepdim=True)])

    thresholds = torch.cat([-links, torch.ones_like(links[:1])])
    limit = 2 * T if name == "greedy" else 60 * T
    times = hitting_times(solver, Oracle.full(problem), problem.start, limit, measure, thresholds).cpu().numpy()
    found = np.where(times == CENSORED, np.inf, times * (2 if "lbfgs" in name else 1))
    return found[:-1], found[-1]


@measured
def exact_queries(budget: Budget) -> dict[str, tuple[np.ndarray, float]]:
    """Of every solver for exact gradients, told L = 152 and, as a nonconvex function has no mu, L/100; and of the greedy."""
    everyone = catalogue(LIPSCHITZ, LIPSCHITZ / 100) | {"greedy": Greedy()}
    return {name: queries(name, solver, budget.pick(40, 200)) for name, solver in everyone.items()}


def components(budget: Budget) -> tuple[int, ...]:
    """1/p: how many components the sum has, of which one shows the next link."""
    return budget.pick((4, 16), (4, 16, 64))


def noisy_solvers(n: int) -> dict[str, Solver]:
    """At three steps over a factor 16, (3, 1, 1, 1)."""
    lr = 0.02 * torch.tensor([0.25, 1.0, 4.0], dtype=torch.float64).reshape(-1, 1, 1, 1)
    return {
        "gradient descent": GradientDescent(lr / n),
        "averaged gradient descent": PolyakRuppert(GradientDescent(lr / n)),
        "heavy ball": HeavyBall(0.1 * lr / n, 0.9),
        "nesterov": Nesterov(0.1 * lr / n, 0.9),
        "lbfgs": LBFGS(0.1, scale=lr / n),
        "greedy": Greedy(),
    }


@cache
def noisy_queries(budget: Budget, name: str, n: int) -> np.ndarray:
    """Queries times p/T until the chain is discovered, (steps, groups), on coins that every claim tosses for itself. An
    unfinished run counts with its limit, which only lowers the mean."""
    problem, greedy = zero_chain(LINKS, L=LIPSCHITZ, n=n), name == "greedy"
    size = budget.pick(400, 1_000) if greedy else budget.pick(10, 20)
    x0 = problem.start.expand(1 if greedy else 3, GROUPS, size, LINKS)
    oracle, limit = Oracle.minibatch(problem, 1, budget.generator("coins", name, n)), budget.pick(8, 12) * LINKS * n
    steps = hitting_times(noisy_solvers(n)[name], oracle, x0, limit, lambda x: LINKS - discovered(x), torch.zeros(()))
    steps = torch.where(steps == CENSORED, limit, steps) * (2 if name == "lbfgs" else 1)
    return steps.double().mean(-1).cpu().numpy() / (LINKS * n)
