r"""Methods for multiclass logistic regression on a matrix W of d features by K classes, tuned alike on the same data.

    f(W) = mean cross-entropy of W^T a_i + (l2/2) ||W||_F^2,   minibatches of 128

Data: the digits (62 by 10), and random rows with features of variances 1 to 1/1000, "tall" 60 (quick: 40) by 10 and "wide"
16 by 32, along their principal axes or rotated (the same rows times a random rotation). The measure is f(W_N) - f*, with f*
certified, after N = 200 (quick: 80) steps.

Every method is tuned with as many steps on a grid as wide (`studies/measuring/tuning.py`), on seeds of its own; only the
step is tuned. A replicate is a *group*: rows drawn afresh (of the digits: all of them, the same in every group), the step
tuned on these rows with a stream of minibatches of its own, and tested on them with another one; the number of a group is
the geometric mean over its test seeds, so that intervals over the 8 (quick: 5) groups, 99 % all of them, hold the scatter
of rows, tuning and minibatches. In a group all methods see the same minibatches.

The centre of the grid is 10 R/(N u) for methods whose step has the size u whatever the gradient, R = ||W* - W_0||_F: N
steps in one direction would go ten times too far; u is the norm of a unit step at full rank, sqrt(min(d, K)) times the scale
for Muon, sqrt(d K) for AdamW, 1 for normalized GD. The step falls linearly to 0 over the run
(constant steps are the subject of `muon_untuned`). Muon: momentum 0.95, Nesterov, scale "original"; AdamW: betas 0.9, 0.999
and no decay, as f has its penalty (decoupled decay would move the minimizer); normalized GD: momentum 0.9.

Cost is counted in flops: 4 b d K for a gradient; with r = min(d, K), s = max(d, K): 14 s r^2 + 8 r^3 for the singular value
decomposition (Golub and Van Loan) and 2 s r^2 for its product, 4 s r^2 + 2 r^3 for a quintic step, 4 s r^2 for a cubic one,
12 d K for AdamW's averages.

Sources: K. Jordan et al. (2024); I. Loshchilov and F. Hutter (2019), arXiv:1711.05101.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
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
from ratewitness.studies.claims import Budget, Verdict, measured
from ratewitness.studies.judges import exceeds
from ratewitness.studies.measuring.tuning import Decay, Tuned, tune, unless_on_edge
from torch import Tensor

BATCH = 128
EXACT = "Muon, exact"
METHODS = {
    EXACT: Muon,
    "Muon, quintic": lambda lr: Muon(lr, orthogonalize=MuonQuintic(5)),
    "Muon, Polar Express": lambda lr: Muon(lr, orthogonalize=PolarExpress(5)),
    "Muon, cubic": lambda lr: Muon(lr, orthogonalize=NewtonSchulz(5, degree=3)),
    "AdamW": lambda lr: AdamW(lr, weight_decay=0.0),
    "normalized GD": lambda lr: LMODescent(lr, FROBENIUS, momentum=0.9),
}
DATA = ("digits", "tall, axes", "tall, rotated", "wide, rotated")
AGAIN = "test again"  # other minibatches
AHEAD = float(np.log(1.1))  # a lead worth the name: gaps 10 % apart


@dataclass(frozen=True, eq=False)
class Data:
    A: Tensor
    y: Tensor
    problem: FiniteSum

    def measure(self, x: Tensor) -> Tensor:
        """The gap and the training accuracy: (*batch, d, K) -> (2, *batch)."""
        right = ((self.A @ x).argmax(-1) == self.y).double().mean(-1)
        return torch.stack([self.problem.gap(x), right])


@measured("muon_logreg")
def data(budget: Budget, name: str, group: int) -> Data:
    if name == "digits":
        if group > 0:
            return data(budget, name, 0)
        (A, y), l2 = digits_rows(), 1e-3
        A, y = A.to(budget.device), y.to(budget.device)
    else:
        generator = budget.generator(name.partition(",")[0], group)
        n, d, K = (budget.pick(1000, 2000), *(budget.pick((40, 10), (60, 10)) if name.startswith("tall") else (16, 32)))
        (A, y), l2 = random_rows(n, d, K, generator, condition=1e3), 1e-4
        A = A @ random_rotation(d, generator) if name.endswith("rotated") else A
    return Data(A, y, softmax(A, y, l2, name=name))


def oracle(budget: Budget, name: str, group: int, stage: str) -> Oracle:
    """Minibatches that depend on group and stage: the same for every method, and for both bases."""
    stream = budget.generator(name.partition(",")[0], group, stage)
    return Oracle.minibatch(data(budget, name, group).problem, BATCH, stream)


def centre(method: str, problem: FiniteSum, steps: int) -> float:
    """The middle of the grid, as stated above."""
    d, K = problem.shape
    unit = {"A": (d * K) ** 0.5, "M": min(d, K) ** 0.5 * SCALES["original"](d, K), "n": 1.0}[method[0]]
    return 10 * float(problem.radius) / (steps * unit)


def decay(steps: int) -> Decay:
    """Linearly to 0 over the run."""
    return lambda lr: Trapezoid(lr, steps, decay=steps)


def horizon(budget: Budget) -> int:
    return budget.pick(80, 200)


@measured("muon_logreg")
def tuned(budget: Budget, name: str, method: str, group: int, steps: int) -> Tuned:
    problem = data(budget, name, group).problem
    where = centre(method, problem, steps)

    def minibatches():
        return oracle(budget, name, group, "tuning")

    return tune(METHODS[method], decay(steps), where, (7, 6), problem, minibatches, steps, seeds=1)


@dataclass(frozen=True, eq=False)
class Run:
    steps: list[int]
    gap: np.ndarray  # (records, groups), geometric means over the test seeds of a group
    accuracy: np.ndarray  # (records, groups), means over them
    tuned: list[Tuned]  # one for each group


@measured("muon_logreg")
def tested(budget: Budget, name: str, method: str, steps: int, stage: str) -> Run:
    """Runs of every group with its tuned step on fresh minibatches, for each stage others."""
    at, gaps, accuracies, chosen = log_spaced(steps, 5), [], [], []
    for group in range(budget.pick(5, 8)):
        chosen.append(tuned(budget, name, method, group, steps))
        found, solver = data(budget, name, group), METHODS[method](decay(steps)(chosen[-1].lr))
        x0, minibatches = found.problem.starts(budget.pick(2, 4)), oracle(budget, name, group, stage)
        gap, accuracy = run(solver, minibatches, x0, steps, found.measure, at=at).values.movedim(1, 0).cpu().numpy()
        gaps.append(np.exp(np.log(gap).mean(-1)))
        accuracies.append(accuracy.mean(-1))
    return Run(at, np.stack(gaps, -1), np.stack(accuracies, -1), chosen)


def final(budget: Budget, name: str, method: str, stage: str = "test") -> Run:
    """After the number of steps that the claims are about."""
    return tested(budget, name, method, horizon(budget), stage)


def ahead(first: Run, second: Run) -> Verdict:
    """The log of the second gap over the first, against a threshold stated before the run."""
    effect = np.log(second.gap[-1] / first.gap[-1])
    verdict = exceeds(effect, AHEAD).noting(ratio=float(np.exp(effect.mean())))
    return unless_on_edge(verdict, *first.tuned, *second.tuned)


def flops(method: str, shape: tuple[int, int]) -> int:
    """Of one step, as stated above."""
    (r, s), size = sorted(shape), shape[0] * shape[1]
    polar = {
        EXACT: 16 * s * r**2 + 8 * r**3,
        "Muon, quintic": 5 * (4 * s * r**2 + 2 * r**3),
        "Muon, Polar Express": 5 * (4 * s * r**2 + 2 * r**3),
        "Muon, cubic": 5 * 4 * s * r**2,
        "AdamW": 12 * size,
    }
    return 4 * BATCH * size + polar.get(method, 0)
