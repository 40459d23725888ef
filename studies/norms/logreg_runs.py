r"""Methods for multiclass logistic regression on a matrix W of d features by K classes, tuned alike on the same data.

Every method is tuned with as many steps on a grid as wide (`studies/measuring/tuning.py`), on seeds of its own; only the
step is tuned. A replicate is a *group*: rows drawn afresh (of the digits: all of them, the same in every group), the step
tuned on these rows with a stream of minibatches of its own, and tested on them with another one; the number of a group is
the geometric mean over its test seeds, so that intervals over groups hold the scatter of rows, tuning and minibatches.

The centre of the grid is 10 R/(N u) for methods whose step has the size u whatever the gradient, R = ||W* - W_0||_F: N
steps in one direction would go ten times too far; u is the norm of a unit step at full rank, sqrt(min(d, K)) times the scale
for Muon, sqrt(d K) for AdamW, 1 for normalized GD. The step falls linearly to 0 over the run
(constant steps are the subject of `muon_untuned`). Muon: momentum 0.95, Nesterov, scale "original"; AdamW: betas 0.9, 0.999
and no decay, as f has its penalty (decoupled decay would move the minimizer); normalized GD: momentum 0.9. In a group all
methods see the same minibatches.

Cost is counted in flops: 4 b d K for a gradient; with r = min(d, K), s = max(d, K): 14 s r^2 + 8 r^3 for the singular value
decomposition (Golub and Van Loan) and 2 s r^2 for its product, 4 s r^2 + 2 r^3 for a quintic step, 4 s r^2 for a cubic one,
12 d K for AdamW's averages. Seconds stand in table and figure only: a ledger of timings could not be reproduced.

Sources: K. Jordan et al. (2024); I. Loshchilov and F. Hutter (2019), arXiv:1711.05101.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import torch
from ratewitness.problems.data.softmax import digits_rows, random_rows, softmax
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.quadratics import random_rotation
from ratewitness.solvers.adam import AdamW
from ratewitness.solvers.norms.lmo import FROBENIUS
from ratewitness.solvers.norms.lmo_descent import LMODescent
from ratewitness.solvers.norms.muon import SCALES, Muon
from ratewitness.solvers.norms.polar import MuonQuintic, NewtonSchulz, PolarExpress
from ratewitness.solvers.schedules import Trapezoid
from ratewitness.solvers.solver import log_spaced, run
from ratewitness.studies.claims import Budget
from ratewitness.studies.judges import interval
from ratewitness.studies.measuring.tuning import Decay, Tuned, tune
from torch import Tensor

BATCH = 128
METHODS = {
    "Muon, exact": Muon,
    "Muon, quintic": lambda lr: Muon(lr, orthogonalize=MuonQuintic(5)),
    "Muon, Polar Express": lambda lr: Muon(lr, orthogonalize=PolarExpress(5)),
    "Muon, cubic": lambda lr: Muon(lr, orthogonalize=NewtonSchulz(5, degree=3)),
    "AdamW": lambda lr: AdamW(lr, weight_decay=0.0),
    "normalized GD": lambda lr: LMODescent(lr, FROBENIUS, momentum=0.9),
}
DATA = ("digits", "tall, axes", "tall, rotated", "wide, rotated")
BOTH_BASES = ("Muon, exact", "Muon, quintic", "AdamW")  # the other methods would only repeat "tall, axes" on its rotation


@dataclass(frozen=True, eq=False)
class Data:
    A: Tensor
    y: Tensor
    problem: FiniteSum

    def measure(self, x: Tensor) -> Tensor:
        """The gap and the training accuracy: (*batch, d, K) -> (2, *batch)."""
        right = ((self.A @ x).argmax(-1) == self.y).double().mean(-1)
        return torch.stack([self.problem.gap(x), right])


@cache
def data(name: str, group: int, budget: Budget) -> Data:
    if name == "digits":
        if group > 0:
            return data(name, 0, budget)
        (A, y), l2 = digits_rows(), 1e-3
        A, y = A.to(budget.device), y.to(budget.device)
    else:
        generator = budget.generator(name.partition(",")[0], group)
        n, d, K = (budget.pick(1000, 2000), *(budget.pick((40, 10), (60, 10)) if name.startswith("tall") else (16, 32)))
        (A, y), l2 = random_rows(n, d, K, generator, condition=1e3), 1e-4
        A = A @ random_rotation(d, generator) if name.endswith("rotated") else A
    return Data(A, y, softmax(A, y, l2, name=name))


def centre(method: str, problem: FiniteSum, steps: int) -> float:
    """The middle of the grid, as stated above."""
    d, K = problem.shape
    unit = {"A": (d * K) ** 0.5, "M": min(d, K) ** 0.5 * SCALES["original"](d, K), "n": 1.0}[method[0]]
    return 10 * float(problem.radius) / (steps * unit)


def oracle(name: str, group: int, stage: str, budget: Budget) -> Oracle:
    """Minibatches that depend on group and stage: the same for every method, and for both bases."""
    stream = budget.generator(name.partition(",")[0], group, stage)
    return Oracle.minibatch(data(name, group, budget).problem, BATCH, stream)


def tried_on(name: str) -> tuple[str, ...]:
    """The methods that are run on these data."""
    return BOTH_BASES if name == "tall, rotated" else tuple(METHODS)


def horizon(budget: Budget) -> int:
    return budget.pick(80, 200)


def groups(budget: Budget) -> range:
    return range(budget.pick(5, 8))


def decay(steps: int) -> Decay:
    """Linearly to 0 over the run."""
    return lambda lr: Trapezoid(lr, steps, decay=steps)


@cache
def tuned(name: str, method: str, group: int, budget: Budget, steps: int) -> Tuned:
    problem = data(name, group, budget).problem
    where = centre(method, problem, steps)

    def minibatches():
        return oracle(name, group, "tuning", budget)

    return tune(METHODS[method], decay(steps), where, (7, 6), problem, minibatches, steps, seeds=1)


@dataclass(frozen=True, eq=False)
class Run:
    steps: list[int]
    gap: np.ndarray  # (records, groups), geometric means over the test seeds of a group
    accuracy: np.ndarray  # (records, groups), means over them
    tuned: list[Tuned]  # one for each group


@cache
def tested(name: str, method: str, budget: Budget, steps: int) -> Run:
    """Runs of every group with its tuned step on fresh minibatches."""
    at, gaps, accuracies, chosen = log_spaced(steps, 5), [], [], []
    for group in groups(budget):
        chosen.append(tuned(name, method, group, budget, steps))
        found, solver = data(name, group, budget), METHODS[method](decay(steps)(chosen[-1].lr))
        x0, minibatches = found.problem.starts(budget.pick(2, 4)), oracle(name, group, "test", budget)
        gap, accuracy = run(solver, minibatches, x0, steps, found.measure, at=at).values.movedim(1, 0).cpu().numpy()
        gaps.append(np.exp(np.log(gap).mean(-1)))
        accuracies.append(accuracy.mean(-1))
    return Run(at, np.stack(gaps, -1), np.stack(accuracies, -1), chosen)


def final(name: str, method: str, budget: Budget) -> Run:
    """After the number of steps that the claims are about."""
    return tested(name, method, budget.shared("muon_logreg"), horizon(budget))


def flops(method: str, shape: tuple[int, int]) -> int:
    """Of one step, as stated above."""
    (r, s), size = sorted(shape), shape[0] * shape[1]
    polar = {
        "Muon, exact": 16 * s * r**2 + 8 * r**3,
        "Muon, quintic": 5 * (4 * s * r**2 + 2 * r**3),
        "Muon, Polar Express": 5 * (4 * s * r**2 + 2 * r**3),
        "Muon, cubic": 5 * 4 * s * r**2,
        "AdamW": 12 * size,
    }
    return 4 * BATCH * size + polar.get(method, 0)


@cache
def seconds(name: str, method: str, budget: Budget) -> float:
    """Median time of a step without replicates."""
    problem, queries = data(name, 0, budget).problem, oracle(name, 0, "timing", budget)
    solver, x, taken = METHODS[method](1e-3), problem.start, []
    state = solver.init(x)
    for _ in range(40):
        begin = time.perf_counter()
        x, state = solver.step(x, state, queries)
        taken.append(time.perf_counter() - begin)
    return float(np.median(taken))


def records(budget: Budget) -> pd.DataFrame:
    """Every record of every run: mean and interval of gap and mean accuracy over groups, flops and seconds up to it."""
    shared, parts = budget.shared("muon_logreg"), []
    for name in DATA:
        shape = data(name, 0, shared).problem.shape
        for method in tried_on(name):
            found = final(name, method, budget)
            steps, (mean, low, high) = np.array(found.steps), interval(np.log(found.gap))
            part = {"data": name, "method": method, "step": steps, "flops": steps * flops(method, shape)}
            part |= {"seconds": steps * seconds(name, method, shared), "measured": np.exp(mean), "low": np.exp(low)}
            parts.append(pd.DataFrame(part | {"high": np.exp(high), "accuracy": found.accuracy.mean(1)}))
    return pd.concat(parts, ignore_index=True)


def grids(budget: Budget) -> pd.DataFrame:
    """The mean loss over the tuning seeds for every step of every grid, in every group."""
    parts = []
    for name in DATA:
        for method in tried_on(name):
            for group, found in enumerate(final(name, method, budget).tuned):
                part = {"data": name, "method": method, "group": group, "lr": found.grid, "gap": found.losses}
                parts.append(pd.DataFrame(part | {"chosen": found.lr, "on an edge": found.on_edge}))
    return pd.concat(parts, ignore_index=True)
