"""Mean gaps of SGD, momentum methods and L-BFGS after given numbers of samples, on the quadratics of `momentum`.

The gap is looked at after k samples, and not timed until its mean is below some eps: the mean of a group of runs fluctuates
and is first below about a tenth too early. The exact second moments of all but L-BFGS stand in `theory/moments.py`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import conditioned
from ratewitness.solvers.catalogue import catalogue
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.measuring.groups import rows
from ratewitness.theory.lower_bounds import pl_any_method
from ratewitness.theory.moments import momentum_second_moments

GROUPS, MODES = 10, 4
MU = SIGMA = 1.0
KAPPAS = np.array([2.0, 8.0, 32.0])
METHODS = ("gradient descent", "heavy ball", "nesterov", "lbfgs")
R = KAPPAS[:, None] ** (np.arange(MODES) / (MODES - 1))  # eigenvalues over mu (K, modes)
C = (SIGMA**2 / MODES / (2 * MU) * 4 * R / (4 * R - 1)).sum(-1)  # k (E f(x_k) - f*) of SGD (K,)
LEAST = pl_any_method(mu=MU * R, sigma=SIGMA / MODES**0.5, R=np.inf, N=1).sum(-1)  # of any method without prior knowledge
LATE = 3  # so many of the last records make a constant


@measured("momentum, revision 1")
def noisy(budget: Budget, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of samples (T, K), and the mean gaps of groups of runs after so many: (T, K, groups).

    Every method meets the same noise. The first number is 10 kappa (full: 20 kappa), when the transient of SGD is over; for
    L-BFGS, without that transient, 100 (150).
    """
    solver = catalogue(torch.as_tensor(KAPPAS).reshape(-1, 1, 1, 1) * MU, MU, noisy=True)[method]
    first = budget.pick(10, 20) * KAPPAS
    if method == "lbfgs":
        solver, first = replace(solver, memory=8), np.full(len(KAPPAS), budget.pick(100, 150))
    grid = np.logspace(0, budget.pick(1.5, 2.0), budget.pick(8, 12))[:, None]
    k = (first * grid).round().astype(int)
    f = perturbed(conditioned(KAPPAS, MODES, axes=2), SIGMA, n=2 * MODES)
    oracle, x0 = Oracle.minibatch(f, 1, budget.generator("noise")), f.starts(GROUPS, budget.pick(100, 200))
    at = np.unique(k)
    gaps = run(solver, oracle, x0, int(at[-1]), lambda x: f.gap(x).mean(-1), at=at.tolist()).values.cpu().numpy()
    return k, np.stack([gaps[np.searchsorted(at, k[:, j]), j] for j in range(len(KAPPAS))], 1)


@measured("momentum, revision 1")
def exact(budget: Budget, method: str) -> np.ndarray:
    """E f(x_k) - f* after those numbers of samples (T, K), from the exact second moments; NaN for L-BFGS."""
    k = noisy(budget, method)[0]
    if method == "lbfgs":
        return np.full(k.shape, np.nan)
    root = KAPPAS[:, None] ** -0.5
    beta = 0.0 if method == "gradient descent" else (1 - root) / (1 + root)
    steps = [2 * (1 - beta) / (MU * (2 * KAPPAS[:, None] + j)) for j in range(1, k[-1, -1] + 1)]
    start = (2 / (MODES * MU * R)) ** 0.5  # equal energies, Delta = 1
    noise, lookahead = SIGMA / MODES**0.5, method == "nesterov"
    squares = momentum_second_moments(MU * R, steps, beta, noise, start, len(steps), lookahead)
    return np.array([[(MU * R * squares[count] / 2).sum(-1)[j] for j, count in enumerate(row)] for row in k])


def record(budget: Budget, method: str) -> pd.DataFrame:
    k, gaps = noisy(budget, method)
    return rows(gaps, kappa=KAPPAS, k=k, theory=exact(budget, method))


def constants(budget: Budget, method: str) -> np.ndarray:
    """k (E f(x_k) - f*), the mean over the latest records: (K, groups)."""
    k, gaps = noisy(budget, method)
    return (k[-LATE:, :, None] * gaps[-LATE:]).mean(0)


def in_kappa(constants: np.ndarray) -> np.ndarray:
    """The exponent of kappa in constants (K, ...)."""
    return np.polyfit(np.log(KAPPAS), np.log(constants), 1)[0]
