r"""Recurrent networks trained by SGD, with momentum and clipping, by RMSProp and by Adam, all tuned: two studies' set-up.

    f(x) = (1/n) sum_i (o_i - y_i)^2,        the two tasks of `problems/networks/recurrent_model.py`

A tanh network of 16 units and 1000 sequences, in minibatches of 32. *Adding*: it reads 30 (quick: 10) pairs and must add two
marked numbers far apart; 1500 (quick: 300) steps of constant size. *Imitating*: it must answer 10 normal pairs as a random
network of its kind does; 1000 (quick: 300) steps.

Tuning is equal, and repeated: each of 16 (quick: 8) seeds chooses for itself, out of 9 steps over four decades around a
centre for each method and 2 more between the neighbours of the best, by a run from one start (imitating: from three, lest
the step be one with which the next run diverges), and is judged by a run from another, on other minibatches; all methods
share starts and minibatches, and all seeds the sequences. So what the choice of a step leaves open is in the intervals. A
best step on an edge of the grid, or a run that diverged, makes a comparison inconclusive. Momentum is 0.9 where there is
some; clipping scales a gradient of norm above 1 down to norm 1; RMSProp and Adam have their usual betas, 0.9 and 0.9,
0.999.

T. Tieleman and G. Hinton (2012); R. Pascanu, T. Mikolov and Y. Bengio (2013), arXiv:1211.5063, for clipping.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from ratewitness.problems.networks.recurrent_model import Recurrent, adding, imitating
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.around.altered import Altered
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.solver import Solver, State, run
from ratewitness.studies.claims import Budget, Verdict, measured
from ratewitness.studies.judges import exceeds
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.tuning import Chosen, Paired, around, each_chosen, unless_on_edge
from torch import Tensor

HIDDEN, BATCH, ADVANTAGE = 16, 32, math.log(2)
CLIPPED = "SGD, momentum, clipped"


@dataclass(frozen=True, eq=False)
class Clipped:
    """The step of `inner` on gradients (*batch, P) that are scaled down to `norm` where they are longer."""

    inner: Solver
    norm: float = 1.0

    def init(self, x: Tensor) -> State:
        return self.inner.init(x)

    def step(self, x: Tensor, state: State, oracle) -> tuple[Tensor, State]:
        def clip(x, g):
            return g * (self.norm / g.norm(dim=-1, keepdim=True)).clamp(max=1)

        return self.inner.step(x, state, Altered(oracle, clip))


METHODS = {  # the method without its step, and the centre of its grid
    "SGD": (GradientDescent, 3e-2),
    "SGD, momentum": (HeavyBall, 3e-3),
    CLIPPED: (lambda lr: Clipped(HeavyBall(lr)), 1e-2),
    "RMSProp": (RMSProp, 3e-3),
    "Adam": (Adam, 3e-3),
}
LOOKS = dict(zip(METHODS, ("C0o-", "C1s-", "C2v-", "C3^-", "C4D-"), strict=True))


@dataclass(frozen=True, eq=False)
class Trained:
    """Training loss of a method along the test runs, every seed with the step it chose."""

    chosen: Chosen
    steps: list[int]
    losses: np.ndarray  # (records, seeds)
    constant: float  # loss of the best constant answer

    @property
    def on_edge(self) -> int:
        return self.chosen.on_edge

    @property
    def diverged(self) -> int:
        return int(np.isnan(self.losses[-1]).sum())

    def table(self) -> pd.DataFrame:
        found = {"lr": np.exp(np.log(self.chosen.lr).mean()), "on an edge": self.on_edge, "diverged": self.diverged}
        return rows(self.losses, geometric=True, step=self.steps).assign(**found)


def task(budget: Budget, name: str) -> tuple[FiniteSum, int, int]:
    """The task, its number of steps, and of tuning runs of a seed."""
    network = Recurrent(HIDDEN)
    if name == "adding":
        return adding(network, 1000, budget.pick(10, 30), budget.generator("sequences")), budget.pick(300, 1500), 1
    return imitating(network, 1000, 10, budget.generator("imitating", "sequences")), budget.pick(300, 1000), 3


@measured("recurrent_network, revision 1")
def trained(budget: Budget, name: str, method: str) -> Trained:
    (build, centre), (f, steps, repeats), seeds = METHODS[method], task(budget, name), budget.pick(8, 16)

    def losses(stage, grid, at, repeats=1):
        """(records, points, seeds) for steps (points, seeds or 1), geometric means over so many runs of each seed."""
        start = Recurrent(HIDDEN).initial(budget.generator("starts", stage), seeds, repeats)
        oracle = Paired(Oracle.minibatch(f, BATCH, budget.generator("minibatches", stage)))
        lr = torch.as_tensor(grid, dtype=start.dtype, device=start.device)[..., None, None]
        x0 = start.expand(len(grid), *start.shape).clone()
        found = run(build(lr), oracle, x0, steps, f.gap, at=at).values.double().log().mean(-1).exp().cpu().numpy()
        return np.where(np.isfinite(found), found, np.nan)

    chosen = each_chosen(lambda grid: losses("tuning", grid, [steps], repeats)[-1], around(centre, 9), 2)
    records = range(0, steps + 1, steps // 15)
    return Trained(chosen, [*records], losses("test", chosen.lr[None], records)[:, 0], f.constants.optimum_error)


def lower(budget: Budget, name: str, first: str, second: str, by: float) -> Verdict:
    """The loss of `first` is at least exp(by) times below that of `second`, in the geometric mean over paired seeds."""
    one, other = trained(budget, name, first), trained(budget, name, second)
    effect = np.log(other.losses[-1] / one.losses[-1])
    verdict = exceeds(effect, by).noting(ratio=float(np.exp(effect.mean())), diverged=float(one.diverged + other.diverged))
    return unless_on_edge(verdict, one, other).showing(stacked({first: one.table(), second: other.table()}))
