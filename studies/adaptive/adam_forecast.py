r"""What the drift predicts of Adam and AMSGrad in the experiment of Reddi, Kale and Kumar, and runs to hold it against.

    f_t(x) = g_t x on [-1, 1],     g_t = 1010 where t mod 101 = 0, else -10,     beta1 = 0.9, beta2 = 0.99

The runs are 64 configurations as one batch: 8 starts by 8 step rules, half of them constant, half a/sqrt(t + 1). The drift D
of a period of P rounds says to which end x goes, and the cycle there where exactly it then is (theory/adam_drift.py). With S
the sum of the slopes of a period, U the distance of the start from the end, and T1 the rounds that it takes, the average
regret after T rounds is

    constant a    (end + 1) S/P - end U (S/P) T1/(2T) + a (k T1 + k' (T - T1))/T                  T1 = U P/(a |D|)
    a/sqrt        (end + 1) S/P - end U (S/P) T1/(3T) + 2 a (k sqrt T1 + k' (sqrt T - sqrt T1))/T   T1 = (U P/(2 a |D|))^2

where k and k' are what the excursions of a period cost in motion and at the end. In the first rounds the averages fill up,
and the excursions of large a/sqrt(t + 1) do not fit into the box: these rounds are uncertain by all that their excursions
cost, and U is in [0, 2]. A constant step is shifted at first by what `steps_from_rest` sums up, which clipping may undo: U
is between the distance without the shift and with it. The steps are 1.2 to 20 (quick: 2) times those with T1 = T/2 for U =
2.
"""

from __future__ import annotations

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
from ratewitness.studies.judges import all_of, bound_holds
from ratewitness.theory import adam_drift as drifts
from torch import Tensor

SLOPES = [1010.0] + [-10.0] * 100
P, MEAN = len(SLOPES), sum(SLOPES) / len(SLOPES)
BETA1, BETA2 = 0.9, 0.99
STARTS = np.linspace(-1, 1, 8)
FILLED = 20 * P  # rounds after which the averages are periodic, but for 0.99^2020
SLACK = 0.01
LONG = 60_000  # periods


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


def forecast(like: str, periods: int) -> tuple[np.ndarray, np.ndarray]:
    """The average regret by the formulas above, for every start and rule: its middle and how far it may be from there."""
    (a, constant), T, steps = rules(like, periods), periods * P, relative_steps(like)
    end, distances = drifts.cycle(steps)
    speed, limit = abs(sum(steps)) / P, drifts.regret_in_cycle(SLOPES, steps)
    moving, ending = drifts.regret_in_motion(SLOPES, steps), drifts.regret_in_cycle(SLOPES, steps, 1.0) - limit

    def at_distance(U):
        T1 = np.where(constant, U / (a * speed), (U / (2 * a * speed)) ** 2)
        share = np.where(constant, T1 / T, np.sqrt(T1 / T))
        excursions = np.where(constant, a, 2 * a / np.sqrt(T)) * (moving * share + ending * (1 - share))
        return limit - end * U * MEAN * T1 / T / np.where(constant, 2, 3) + excursions

    early = drifts.steps_from_rest(SLOPES, BETA1, BETA2, FILLED, "bias" in like, "raw" if end < 0 else None)
    shift = end * a * (early.sum() - FILLED / P * sum(steps))
    far = np.abs(end - STARTS)[:, None] + np.zeros_like(a)
    shifted = np.clip(far + shift, 0, 2)
    low = at_distance(np.where(constant, np.minimum(far, shifted), 0.0))
    high = at_distance(np.where(constant, np.maximum(far, shifted), 2.0))
    first = np.maximum(FILLED, (a * distances.max() / 2) ** 2)  # rounds until the excursions fit
    uncertain = np.where(constant, a * FILLED, 2 * a * np.sqrt(first)) * max(moving, ending) / T
    return (low + high) / 2, np.abs(high - low) / 2 + uncertain + SLACK * np.maximum(low, high)


def as_forecast(method: str, periods: int, like: str | None = None, scale: float = 1.0, beta2: float = BETA2) -> Verdict:
    """The last points and average regrets of a method against what the drift predicts of `like` (itself, if None), with
    the limit of the regret multiplied by `scale`."""
    like = like or method
    (a, constant), steps = rules(like, periods), relative_steps(like)
    end, distances = drifts.cycle(steps)
    limit = float(drifts.regret_in_cycle(SLOPES, steps))
    times, measured, last = runs(method, like, periods, beta2)
    final = np.where(constant, a, a / (periods * P) ** 0.5)
    off = np.abs(last - end * (1 - final * distances[0]))
    near = np.broadcast_to(1e-6 + SLACK * final * distances.max(), off.shape)
    middle, half = forecast(like, periods)
    wrong = np.abs(measured[-1] - middle - (scale - 1) * limit)
    records, starts, count = measured.shape
    cells = {"rounds": np.repeat(times, starts * count), "start": np.tile(np.repeat(STARTS, count), records)}
    cells |= {"a": np.tile(a, records * starts), "constant": np.tile(constant, records * starts)}
    return (
        all_of({"point": bound_holds(off.ravel(), near.ravel(), -1.0), "regret": bound_holds(wrong.ravel(), half.ravel())})
        .noting(rounds=periods * P, farthest=float(np.abs(last - end).max()), nearest=float(np.abs(last - end).min()))
        .noting(limit=limit, least_regret=float(measured[-1].min()), largest_regret=float(measured[-1].max()))
        .showing({"method": method} | cells | {"average regret": measured.ravel()})
    )
