r"""What the drift predicts of Adam and AMSGrad in the experiment of Reddi, Kale and Kumar, and runs to hold it against.

    f_t(x) = g_t x on [-1, 1],     g_t = 1010 where t mod 101 = 0, else -10,     beta1 = 0.9, beta2 = 0.99

The runs are 64 configurations as one batch: 8 starts by 8 step rules, half of them constant, half a/sqrt(t + 1). The drift D
of a period of P rounds says to which end x goes, and the cycle there where exactly it then is (theory/adam_drift.py). The
first T0 rounds, in which the averages fill up and the excursions of large a/sqrt(t + 1) do not fit into the box, are
followed one by one, by a recursion of its own. With S the sum of the slopes of a period, U the distance from the end after
T0 rounds and U' how far that is from its place in the cycle, x is there after T1 rounds, and the total regret of the rounds
T0 to T is

    constant a    (end + 1) (S/P) (T - T0) - end (S/P) A + a (k (T1 - T0) + k' (T - T1))             T1 = T0 + U' P/(a |D|)
    a/sqrt        the same with 2 a (k (sqrt T1 - sqrt T0) + k' (sqrt T - sqrt T1))      sqrt T1 = sqrt T0 + U' P/(2 a |D|)

where A is the sum of the distances on the way, as an integral, and k and k' are what the excursions of a period cost in
motion and at the end. The steps are 1.2 to 20 (quick: 2) times those that go from end to end in half of all rounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from ratewitness.problems.online.rounds import play, regret
from ratewitness.problems.online.slopes import experiment
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.amsgrad import AMSGrad
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.solver import Solver, log_spaced, run
from ratewitness.studies.claims import Verdict
from ratewitness.studies.judges import agrees, all_of, bound_holds
from ratewitness.theory import adam_drift as drifts
from torch import Tensor

SLOPES = [1010.0] + [-10.0] * 100
P, MEAN = len(SLOPES), sum(SLOPES) / len(SLOPES)
BETA1, BETA2 = 0.9, 0.99
STARTS = np.linspace(-1, 1, 8)
FILLED = 20  # periods after which the averages are periodic, but for 0.99^2020
SLACK = 0.01
LONG = 20_000  # periods: AMSGrad is below Adam's limit of the regret by then


@dataclass(frozen=True, eq=False)
class Steps:
    """constant + root/sqrt(k + 1): two kinds of rule in one batch, at less cost than a power."""

    constant: Tensor
    root: Tensor

    def __call__(self, k: int) -> Tensor:
        return self.constant + self.root * (k + 1) ** -0.5


def solver(method: str, lr, beta2: float = BETA2) -> Solver:
    """Adam, AMSGrad (raw maximum) or AMSGrad with the corrected maximum, by names such as "AMSGrad, corrected maximum"."""
    corrected = method.endswith("corrected maximum")
    if method.startswith("Adam"):
        return Adam(lr, BETA1, beta2, bias_correction="bias" in method)
    maximum = "corrected" if corrected else "raw"
    return AMSGrad(lr, BETA1, beta2, bias_correction=corrected or "bias" in method, maximum=maximum)


def relative_steps(method: str) -> list[float]:
    return drifts.relative_steps(SLOPES, BETA1, BETA2, amsgrad=method.startswith("AMSGrad"))


def rules(like: str, periods: int) -> tuple[np.ndarray, np.ndarray]:
    """a of the eight step rules, and whether each is constant: for a method with the drift of `like`."""
    rounds, speed = periods * P, abs(sum(relative_steps(like))) / P
    factors = np.array([1.2, 3.0, 8.0, 20.0] if periods == LONG else [1.2, 1.4, 1.7, 2.0])
    a = np.concatenate([4 / (speed * rounds) * factors, (2 / rounds) ** 0.5 / speed * factors])
    return a, np.repeat([True, False], len(factors))


@cache
def runs(method: str, like: str, periods: int, beta2: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rounds, average regret after each (records, starts, rules), and the last point (starts, rules)."""
    a, constant = (torch.as_tensor(v).unsqueeze(-1) for v in rules(like, periods))
    problem, rounds = experiment(), periods * P
    oracle, loss = play(problem)
    steps = Steps(a * constant, a * ~constant)
    x0 = torch.as_tensor(STARTS).reshape(-1, 1, 1).expand(-1, len(a), 1).clone()
    whole = sorted({P * max(1, round(k / P)) - 1 for k in log_spaced(rounds)})  # whole periods
    at = [*whole, rounds]
    trace = run(Box(solver(method, steps, beta2), -1.0, 1.0), oracle, x0, rounds, loss, at, over="mean")
    return np.array(whole) + 1, regret(problem, trace.steps, trace.values)[:-1].numpy(), trace.x[..., 0].numpy()


def forecast(like: str, periods: int, excursions: bool = True) -> np.ndarray:
    """The average regret by the formulas above, for every start and rule."""
    (a, constant), T, steps = rules(like, periods), periods * P, relative_steps(like)
    end, distances = drifts.cycle(steps)
    speed, limit = abs(sum(steps)) / P, drifts.regret_in_cycle(SLOPES, steps)
    moving, ending = drifts.regret_in_motion(SLOPES, steps), drifts.regret_in_cycle(SLOPES, steps, 1.0) - limit
    until_they_fit = (a[~constant].max() * distances.max() / 2) ** 2
    T0 = P * (FILLED + math.ceil(until_they_fit / P))
    early = drifts.steps_from_rest(SLOPES, BETA1, BETA2, T0, "bias" in like, "raw" if end < 0 else None)
    x0 = np.add.outer(STARTS, 0 * a)
    x, cost = drifts.clipped_path(SLOPES, early, lambda t: np.where(constant, a, a / math.sqrt(t + 1)), x0)
    U, root = np.abs(end - x), math.sqrt(T0)
    beyond = np.maximum(U - a * distances[0] / np.where(constant, 1, root), 0)  # its place in the cycle
    T1 = np.where(constant, T0 + beyond / (a * speed), (root + beyond / (2 * a * speed)) ** 2)
    slowed = 2 * (T1**1.5 - T0**1.5) / 3 - root * (T1 - T0)  # the integral of sqrt(t) - sqrt(T0)
    on_the_way = U * (T1 - T0) - a * speed * np.where(constant, (T1 - T0) ** 2 / 2, 2 * slowed)
    first, then = (np.where(constant, t1 - t0, 2 * (np.sqrt(t1) - np.sqrt(t0))) for t0, t1 in ((T0, T1), (T1, T)))
    beside = a * (moving * first + ending * then) if excursions else 0.0
    return (cost + limit * (T - T0) - end * MEAN * on_the_way + beside) / T


def as_forecast(
    method: str,
    periods: int,
    like: str | None = None,
    scale: float = 1.0,
    beta2: float = BETA2,
    excursions: bool = True,
) -> Verdict:
    """The last points and average regrets of a method against what the drift predicts of `like` (itself, if None), times
    `scale`, and with or without what excursions cost."""
    like = like or method
    (a, constant), steps = rules(like, periods), relative_steps(like)
    end, distances = drifts.cycle(steps)
    limit = float(drifts.regret_in_cycle(SLOPES, steps))
    times, measured, last = runs(method, like, periods, beta2)
    final = np.where(constant, a, a / (periods * P) ** 0.5)
    off = np.abs(last - end * (1 - final * distances[0]))
    near = np.broadcast_to(1e-6 + SLACK * final * distances.max(), off.shape)
    expected = scale * forecast(like, periods, excursions)
    records, starts, count = measured.shape
    cells = {"rounds": np.repeat(times, starts * count), "start": np.tile(np.repeat(STARTS, count), records)}
    cells |= {"a": np.tile(a, records * starts), "constant": np.tile(constant, records * starts)}
    return (
        all_of({"point": bound_holds(off.ravel(), near.ravel(), -1.0), "regret": agrees(measured[-1], expected, SLACK)})
        .noting(rounds=periods * P, farthest=float(np.abs(last - end).max()), nearest=float(np.abs(last - end).min()))
        .noting(limit=limit, least_regret=float(measured[-1].min()), largest_regret=float(measured[-1].max()))
        .showing({"method": method} | cells | {"average regret": measured.ravel()})
    )
