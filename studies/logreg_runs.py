r"""Methods for multiclass logistic regression on a matrix W of d features by K classes, tuned alike on the same data.

Every method is tuned with as many steps on a grid as wide (`studies/tuning.py`), on seeds of its own; only the step is
tuned. The centre of the grid is 10 R/(N u) for methods whose step has the size u whatever the gradient, R = ||W* - W_0||_F:
N steps in one direction would go ten times too far; u is the norm of a unit step at full rank, sqrt(min(d, K)) times the
scale for Muon, sqrt(d K) for AdamW, 1 for normalized GD. For SGD it is 1/L. The step falls linearly to 0 over the run
(constant steps are the subject of `muon_untuned`). Muon: momentum 0.95, Nesterov, scale "original"; AdamW: betas 0.9, 0.999
and no decay, as f has its penalty (decoupled decay would move the minimizer); SGD and normalized GD: momentum 0.9. All
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
from torch import Tensor

from problems.oracle import Oracle
from problems.problem import FiniteSum
from problems.quadratics import random_rotation
from problems.softmax import digits_rows, random_rows, softmax
from solvers.adam import AdamW
from solvers.heavy_ball import HeavyBall
from solvers.lmo import FROBENIUS
from solvers.lmo_descent import LMODescent
from solvers.muon import SCALES, Muon
from solvers.polar import MuonQuintic, NewtonSchulz, PolarExpress
from solvers.schedules import Trapezoid
from solvers.solver import log_spaced, run
from studies.claims import Budget
from studies.judges import interval
from studies.tuning import Decay, Tuned, tune

BATCH = 128
METHODS = {
    "Muon, exact": Muon,
    "Muon, quintic": lambda lr: Muon(lr, orthogonalize=MuonQuintic(5)),
    "Muon, Polar Express": lambda lr: Muon(lr, orthogonalize=PolarExpress(5)),
    "Muon, cubic": lambda lr: Muon(lr, orthogonalize=NewtonSchulz(5, degree=3)),
    "AdamW": lambda lr: AdamW(lr, weight_decay=0.0),
    "SGD": lambda lr: HeavyBall(lr, 0.9),
    "normalized GD": lambda lr: LMODescent(lr, FROBENIUS, momentum=0.9),
}
DATA = ("digits", "tall, axes", "tall, rotated", "wide, rotated")


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
def data(name: str, budget: Budget) -> Data:
    generator = budget.generator(name.partition(",")[0])
    if name == "digits":
        (A, y), l2 = digits_rows(), 1e-3
        A, y = A.to(budget.device), y.to(budget.device)
    else:
        n, d, K = budget.pick((2000, 50, 10), (5000, 100, 10)) if name.startswith("tall") else (2000, 16, 32)
        (A, y), l2 = random_rows(n, d, K, generator, condition=1e3), 1e-4
        A = A @ random_rotation(d, generator) if name.endswith("rotated") else A
    return Data(A, y, softmax(A, y, l2, name=name))


def centre(method: str, problem: FiniteSum, steps: int) -> float:
    """The middle of the grid, as stated above."""
    if method == "SGD":
        return 1 / problem.constants.smoothness
    d, K = problem.shape
    unit = {"A": (d * K) ** 0.5, "M": min(d, K) ** 0.5 * SCALES["original"](d, K), "n": 1.0}[method[0]]
    return 10 * float(problem.radius) / (steps * unit)


def oracle(name: str, stage: str, budget: Budget) -> Oracle:
    """Minibatches that depend on the rows and the stage: the same for every method, and for both bases."""
    return Oracle.minibatch(data(name, budget).problem, BATCH, budget.generator(name.partition(",")[0], stage))


def horizon(budget: Budget) -> int:
    return budget.pick(150, 400)


def decay(steps: int) -> Decay:
    """Linearly to 0 over the run."""
    return lambda lr: Trapezoid(lr, steps, decay=steps)


@cache
def tuned(name: str, method: str, budget: Budget, steps: int) -> Tuned:
    problem, points, seeds = data(name, budget).problem, budget.pick((7, 6), (9, 8)), budget.pick((1, 2), (2, 4))
    where = centre(method, problem, steps)
    return tune(METHODS[method], decay(steps), where, points, problem, oracle(name, "tuning", budget), steps, seeds)


@dataclass(frozen=True, eq=False)
class Run:
    steps: list[int]
    gap: np.ndarray  # (records, seeds)
    accuracy: np.ndarray
    tuned: Tuned


@cache
def tested(name: str, method: str, budget: Budget, steps: int) -> Run:
    """A run with the tuned step on fresh seeds."""
    chosen, found = tuned(name, method, budget, steps), data(name, budget)
    solver, x0 = METHODS[method](decay(steps)(chosen.lr)), found.problem.starts(budget.pick(8, 20))
    trace = run(solver, oracle(name, "test", budget), x0, steps, found.measure, at=log_spaced(steps, 5))
    gap, accuracy = trace.values.movedim(1, 0).cpu().numpy()
    return Run(trace.steps, gap, accuracy, chosen)


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
    problem, queries = data(name, budget).problem, oracle(name, "timing", budget)
    solver, x, taken = METHODS[method](1e-3), problem.start, []
    state = solver.init(x)
    for _ in range(40):
        begin = time.perf_counter()
        x, state = solver.step(x, state, queries)
        taken.append(time.perf_counter() - begin)
    return float(np.median(taken))


def records(budget: Budget) -> pd.DataFrame:
    """Every record of every run: mean and interval of gap and mean accuracy over seeds, flops and seconds up to it."""
    shared, parts = budget.shared("muon_logreg"), []
    for name in DATA:
        shape = data(name, shared).problem.shape
        for method in METHODS:
            found = final(name, method, budget)
            steps, (mean, low, high) = np.array(found.steps), interval(np.log(found.gap))
            part = {"data": name, "method": method, "step": steps, "flops": steps * flops(method, shape)}
            part |= {"seconds": steps * seconds(name, method, shared), "measured": np.exp(mean), "low": np.exp(low)}
            parts.append(pd.DataFrame(part | {"high": np.exp(high), "accuracy": found.accuracy.mean(1)}))
    return pd.concat(parts, ignore_index=True)


def grids(budget: Budget) -> pd.DataFrame:
    """The mean loss over the tuning seeds for every step of every grid."""
    parts = []
    for name in DATA:
        for method in METHODS:
            found = final(name, method, budget).tuned
            part = {"data": name, "method": method, "lr": found.grid, "gap": found.losses, "chosen": found.lr}
            parts.append(pd.DataFrame(part | {"on an edge": found.on_edge}))
    return pd.concat(parts, ignore_index=True)
