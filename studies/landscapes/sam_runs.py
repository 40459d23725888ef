r"""SAM, SGD and SGD with l2 regularization on the digits, tuned alike, for the studies of what SAM does.

    w <- w - a grad L_B(w + eps),    eps = r u_p(grad L_B(w)) / c_p,    u_p(g) = argmax_{||u||_p <= 1} <g, u>    (SAM)

A network 64-32-32-10 with ReLU is trained on 500 of the 8 x 8 digits with cross-entropy, minibatches of 50 and constant
steps for 50 (quick: 6) epochs; 400 images choose the setting, 897 others give the test error, both with clean labels. Each
seed has a split of the 1797 images, a start, minibatches and, where labels are noisy, exactly 100 wrong labels of its own,
the same for all methods: intervals over seeds are over splits and starts of one data set, not over data sets. Each method
has 16 settings, and every seed chooses for itself the one of least validation error, averaged over the last five records, of
which there is one every second epoch:

    SGD, also for twice the epochs       16 steps a from 0.00625 to 1.13, a factor sqrt 2 apart
    SGD with l2, SAM                     4 steps a from 0.05 to 0.78 with 4 penalties from 0.001 to 0.064 or radii r from 0.1
                                         to 1.6 each: steps and radii a factor 2.5 apart, penalties 4

SAM takes two gradients a step, as many as SGD in twice the epochs, of which SGD's runs are the first half. The radius r is
||eps||_2 of SAM's first perturbation, on the training loss at the start, whatever p: c_p = ||u_p(grad L(w_0))||_2, 1 for p =
2. Null controls are SGD with splits, starts and minibatches of its own, and SAM with a radius of a third of the least, r =
0.033, and 6 of the steps of SGD, 0.018 to 0.57.

All comparisons are asked of the same seeds. They are not the first: on others SAM's error was below that of SGD with l2, and
only some of the comparisons that those had not decided were asked again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from ratewitness.problems.data.digits import split_digits
from ratewitness.problems.networks.mlp import MLP, accuracy, cross_entropy, on_rows
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.norms.lmo import lp
from ratewitness.solvers.sam import SAM
from ratewitness.solvers.solver import Solver, run
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.measuring.progress import watched
from ratewitness.studies.measuring.tuning import Paired
from torch import Tensor

NETWORK = MLP((64, 32, 32, 10))
TRAIN, VALIDATION, BATCH = 500, 400, 50
NOISE = {"clean": 0.0, "noisy": 0.2}  # shares of wrong labels
CHOSEN_BY = 5  # records
FRESH = 1_000_003  # added to the seed
STEPS = 0.05 * 2.5 ** np.arange(4)
SGD_STEPS = 0.00625 * 2 ** (np.arange(16) / 2)
RADII = 0.1 * 2.5 ** np.arange(4)
NONE = np.zeros(1)
PENALTIES = np.array([1e-3, 4e-3, 1.6e-2, 6.4e-2])


class Method(NamedTuple):
    """A solver of step and knob, both tensors, the values of both that are tried, and epochs in those of SGD."""

    solver: Callable[[Tensor, Tensor], Solver]
    knobs: np.ndarray = NONE
    steps: np.ndarray = STEPS
    times: int = 1
    p: float = 2.0
    stream: str = "seeds"


def sgd(lr: Tensor, knob: Tensor) -> Solver:
    return GradientDescent(lr)


def penalized(lr: Tensor, penalty: Tensor) -> Solver:
    return CoupledDecay(GradientDescent(lr), penalty)


def sharpness_aware(p: float) -> Callable[[Tensor, Tensor], Solver]:
    return lambda lr, rho: SAM(GradientDescent(lr), rho, p)


TWICE = "SGD, twice the epochs"
METHODS = {
    "SGD": Method(sgd, steps=SGD_STEPS),
    TWICE: Method(sgd, steps=SGD_STEPS, times=2),
    "SGD with l2": Method(penalized, PENALTIES),
    "SAM": Method(sharpness_aware(2.0), RADII),
}
CONTROLS = ("SGD", TWICE, "SGD with l2")
OTHERS = {
    "SGD, other seeds": Method(sgd, steps=SGD_STEPS, stream="other seeds"),
    "SAM, small radius": Method(sharpness_aware(2.0), RADII[:1] / 3, SGD_STEPS[3:15:2]),
} | {f"SAM, p = {p:g}": Method(sharpness_aware(p), RADII, p=p) for p in (1.0, 1.5, 4.0, math.inf)}


class Data(NamedTuple):
    """Inputs (seeds, n, 64) and labels (seeds, n) to train on, to choose by and to test on."""

    inputs: Tensor
    labels: Tensor
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Runs:
    """What a method found: weights along the chosen run of every seed, and how it was chosen."""

    path: Tensor  # (records, seeds, P)
    settings: np.ndarray  # (settings, 2): step and knob
    errors: np.ndarray  # (settings, seeds): on validation data; inf where a run diverged
    chosen: np.ndarray  # (seeds,)

    @property
    def on_edge(self) -> bool:
        """Whether the setting of least mean error has the first or last step, or the last knob: the first is nearly none."""
        (step, knob), (steps, knobs) = self.settings[self.errors.mean(1).argmin()], self.settings.T
        return bool(step in (steps.min(), steps.max()) or knob == knobs.max() > knobs.min())


def seeds(budget: Budget) -> int:
    return budget.pick(2, 12)


def epochs(budget: Budget) -> int:
    return budget.pick(6, 50)


@measured("sam_runs")
def data(budget: Budget, labels: str, stream: str = "seeds") -> Data:
    budget = replace(budget, seed=budget.seed + FRESH)
    drawn = [split_digits(TRAIN, budget.generator(stream, "split", j), NOISE[labels]) for j in range(seeds(budget))]
    inputs, targets, rest, answers = map(torch.stack, zip(*drawn, strict=True))
    parts = [(rest[:, part], answers[:, part]) for part in (slice(VALIDATION), slice(VALIDATION, None))]
    return Data(inputs, targets, *parts)


def training_loss(budget: Budget, labels: str, stream: str = "seeds", dtype=torch.float32) -> FiniteSum:
    """Over weights (*sweep, seeds, P)."""
    found = data(budget, labels, stream)
    return on_rows(NETWORK, found.inputs.to(dtype), found.labels, budget.generator("unused"), cross_entropy)


def error(x: Tensor, rows: tuple[Tensor, Tensor]) -> np.ndarray:
    """The share of wrong answers: (*sweep, seeds, P) -> (*sweep, seeds)."""
    return 1 - accuracy(NETWORK.outputs(x, rows[0]), rows[1]).double().cpu().numpy()


def runs(budget: Budget, name: str, labels: str) -> Runs:
    return trained(budget, TWICE if name == "SGD" else name, labels)[(METHODS | OTHERS)[name].times]


@measured("sam_runs")
def trained(budget: Budget, name: str, labels: str) -> dict[int, Runs]:
    """What is chosen after as many epochs, and times as many: SGD for twice the epochs begins with SGD."""
    method, fresh = (METHODS | OTHERS)[name], replace(budget, seed=budget.seed + FRESH)
    settings = np.stack([each.ravel() for each in np.meshgrid(method.steps, method.knobs, indexing="ij")], 1)
    lr, knob = (torch.as_tensor(each, dtype=torch.float32, device=budget.device).reshape(-1, 1, 1) for each in settings.T)
    problem = training_loss(budget, labels, method.stream)
    x0 = NETWORK.initial(fresh.generator(method.stream, "start"), seeds(budget))
    if name.startswith("SAM"):
        first = lp(method.p).lmo(problem.grad(x0), strict=False).norm(dim=-1, keepdim=True)
        knob = knob / first
    oracle = Oracle.minibatch(problem, BATCH, fresh.generator(method.stream, "batches"), "reshuffled")
    at = [epoch * TRAIN // BATCH for epoch in range(0, method.times * epochs(budget) + 1, 2)]
    seen = watched(f"{name}, {labels} labels", at, problem.gap)
    path = run(method.solver(lr, knob), Paired(oracle), x0.expand(len(settings), *x0.shape), at[-1], seen, at).values
    validation, found = data(budget, labels, method.stream).validation, {}
    for times in range(1, method.times + 1):
        records = path[: times * epochs(budget) // 2 + 1 : times]
        errors = np.stack([error(x, validation) for x in records[-CHOSEN_BY:]]).mean(0)
        errors = np.where(np.isfinite(records[-1].sum(-1).cpu().numpy()), errors, np.inf)
        chosen = errors.argmin(0)
        found[times] = Runs(records[:, chosen, np.arange(len(chosen))], settings, errors, chosen)
    return found
