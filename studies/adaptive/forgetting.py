r"""Methods that forget old gradients, and those that do not, with comparable steps: what three studies measure with.

With noisy gradients of mean square 1 the effective step is lr/sqrt(k) for AdaGrad, the constant lr for RMSProp, Adam and
AMSGrad, and lr sqrt(EPS (1 + (1 - RHO) k)) for AdaDelta. `matched` gives the steps with which it is the same for all.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from ratewitness.problems.online.slopes import Online, play
from ratewitness.solvers.adadelta import AdaDelta
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.amsgrad import AMSGrad
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.solver import CENSORED, Solver, hitting_times
from ratewitness.studies.claims import Verdict
from ratewitness.studies.judges import all_of, exceeds
from torch import Tensor

PAPERS = "S19; Zeiler (2012), arXiv:1212.5701; Kingma and Ba (2015); Reddi, Kale and Kumar (2018), arXiv:1904.09237"
BETA2, RHO, EPS = 0.99, 0.9, 1e-6  # of RMSProp, Adam and AMSGrad; of AdaDelta
FORGOTTEN = 1 - 1e-6  # the beta2 of an average that never forgets
ALPHA = 0.03  # the effective step
HALF = math.log(2)
METHODS = {  # step -> solver
    "AdaGrad": AdaGrad,
    "AMSGrad": partial(AMSGrad, beta2=BETA2),
    "RMSProp": partial(RMSProp, beta2=BETA2),
    "Adam": partial(Adam, beta2=BETA2),
    "AdaDelta": partial(AdaDelta, rho=RHO, eps=EPS),
    "no forgetting": partial(RMSProp, beta2=FORGOTTEN, eps=1e-16),
}
LOOKS = {"AdaGrad": "C0o", "AMSGrad": "C1s", "RMSProp": "C2v", "Adam": "C3^", "AdaDelta": "C4D"}


def matched(name: str, rounds: int) -> float:
    """The step with which the effective step is ALPHA after so many noisy rounds with g^2 = 1."""
    steps = {
        "AdaGrad": ALPHA * math.sqrt(rounds),
        "no forgetting": ALPHA * math.sqrt(rounds * (1 - FORGOTTEN)),
        "AdaDelta": ALPHA / math.sqrt(EPS * (1 + (1 - RHO) * rounds)),
    }
    return steps.get(name, ALPHA)


def recovery(
    solver: Solver, problem: Online, at: Tensor, limit: int, groups: tuple[int, int], generator: torch.Generator, path: list
) -> np.ndarray:
    """Rounds until the mean of x over a group has come half way to 1: (*sweep, groups), NaN where it has not.

    `at` (*sweep, 1, 1, 1) is the round of the change; path collects (round, mean distance (*sweep, groups)) of every 25th.
    """
    oracle, _ = play(problem, generator)
    x0 = torch.zeros(*problem.start.shape[:-3], *groups, 1, dtype=torch.float64, device=at.device)
    change, rounds = at[..., 0, 0], iter(range(limit + 1))

    def distance(x):
        k = next(rounds)
        far = 1 - x.mean((-2, -1))
        if k % 25 == 0:
            path.append((k, far))
        return torch.where(k < change, torch.inf, far)

    times = hitting_times(solver, oracle, x0, limit, distance, torch.full_like(change, 0.5))
    return torch.where(times == CENSORED, torch.nan, times - change).cpu().numpy()


def slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log-log slopes of y (points, groups) against x (points,): (groups,)."""
    return np.polyfit(np.log(x), np.log(y), 1)[0]


def within(effects: np.ndarray, low: float, high: float) -> Verdict:
    """The mean effect over groups lies between two numbers stated before the run."""
    return all_of({"above": exceeds(effects, low), "below": exceeds(-effects, -high)})
