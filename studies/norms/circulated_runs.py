r"""Muon and AdamW on binary logistic regression, with the steps in circulation and with tuned ones.

    f(w) = (1/n) sum_i log(1 + exp(-y_i a_i^T w)),    n = 5000, w in R^100 reshaped to 10 by 10 for Muon

A comparison in circulation: minibatches of 128, 15 epochs of 39 whole minibatches, constant steps, Muon with 0.02 and AdamW
with 3e-4, judged by training accuracy. The rows are not stated with it; here they are standard Gaussian, with labels drawn
from a logistic model. Both start at 0. Muon: momentum 0.95, Nesterov, five quintic steps; AdamW: betas 0.9 and 0.999, decay
0.01, and none where it is tuned, as Muon has none. A weight vector has no rows and columns: the reshaping is arbitrary, and
Muon sees it.

The contrast tunes both steps, constant as before, on equal grids (`studies/measuring/tuning.py`): four decades around the
step that is in circulation, chosen by the training loss on minibatches of its own.

A replicate is a group: rows and labels drawn afresh, both steps tuned on them, and one run of each on minibatches that all
methods share. Intervals are over 20 (quick: 6) groups.

Sources: K. Jordan et al. (2024); I. Loshchilov and F. Hutter (2019), arXiv:1711.05101.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from ratewitness.problems.data.logistic import logistic
from ratewitness.problems.data.softmax import random_rows
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.adam import AdamW
from ratewitness.solvers.norms.muon import Muon
from ratewitness.solvers.norms.polar import MuonQuintic
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.measuring.tuning import Tuned, tune

N, D, BATCH, EPOCHS = 5000, 100, 128, 15
EPOCH = N // BATCH
STEPS = EPOCHS * EPOCH
AGAIN = "test again"  # other minibatches
DRAWN_AGAIN = "drawn again: `muon_untuned.as_shown`, which shares the data, lost a margin that nobody stated"
IN_CIRCULATION = {"Muon": 0.02, "AdamW": 3e-4}


def method(name: str, lr, decay: float):
    return Muon(lr, orthogonalize=MuonQuintic(5)) if name == "Muon" else AdamW(lr, weight_decay=decay)


@measured("muon_untuned, revision 1")
def data(budget: Budget, group: int) -> tuple[torch.Tensor, FiniteSum]:
    """Rows times labels (n, d), and the problem with its point as a 10 by 10 matrix."""
    A, y = random_rows(N, D, 2, budget.generator("rows", group))
    f = logistic(A, 2.0 * y - 1)
    return (2.0 * y - 1).unsqueeze(-1) * A, replace(
        f,
        shape=(10, 10),
        gap=lambda x: f.gap(x.flatten(-2)),
        grad=lambda x: f.grad(x.flatten(-2)).unflatten(-1, (10, 10)),
        sample_grad=lambda x, index: f.sample_grad(x.flatten(-2), index).unflatten(-1, (10, 10)),
        start=f.start.unflatten(-1, (10, 10)),
        minimizer=f.minimizer.unflatten(-1, (10, 10)),
    )


def groups(budget: Budget) -> range:
    return range(budget.pick(6, 20))


def oracle(budget: Budget, stage: str, group: int) -> Oracle:
    return Oracle.minibatch(data(budget, group)[1], BATCH, budget.generator(stage, group), "reshuffled")


@measured("muon_untuned, revision 1")
def tuned(budget: Budget, name: str) -> list[Tuned]:
    """Of each group."""

    def of(group):
        def minibatches():
            return oracle(budget, "tuning", group)

        build, problem = (lambda lr: method(name, lr, 0.0)), data(budget, group)[1]
        return tune(build, lambda lr: lr, IN_CIRCULATION[name], (7, 6), problem, minibatches, STEPS, seeds=1)

    return [of(group) for group in groups(budget)]


@measured("muon_untuned, revision 1")
def found(budget: Budget, name: str, step: str, stage: str = "test") -> tuple[np.ndarray, np.ndarray]:
    """Gap and training accuracy (epochs, groups), after each epoch with the step "in circulation" or the "tuned" one; on the
    minibatches that all methods share, or on those of another `stage`."""
    runs = []
    for group in groups(budget):
        signed, problem = data(budget, group)
        lr, decay = (IN_CIRCULATION[name], 0.01) if step == "in circulation" else (tuned(budget, name)[group].lr, 0.0)

        def measure(x, signed=signed, problem=problem):
            return torch.stack([problem.gap(x), (x.flatten(-2) @ signed.mT > 0).double().mean(-1)])

        at, x0 = range(0, STEPS + 1, EPOCH), problem.starts(1)
        trace = run(method(name, lr, decay), oracle(budget, stage, group), x0, STEPS, measure, at=at)
        runs.append(trace.values[..., 0].mT.cpu().numpy())
    gap, accuracy = np.stack(runs, -1)
    return gap, accuracy
