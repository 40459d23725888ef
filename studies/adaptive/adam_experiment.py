r"""The experiment of Reddi, Kale and Kumar: where do Adam and AMSGrad go, how fast, and at what regret?

    f_t(x) = g_t x on [-1, 1],     g_t = 1010 where t mod 101 = 0, else -10   (drawn sequences: `adam_drawn`)

with beta1 = 0.9, beta2 = 0.99 and without bias correction unless it is named. The best fixed point is -1. The runs are 64
configurations as one batch: 8 starts by 8 step rules, half of them constant, half a/sqrt(t + 1). What they must show is
computed before the run (theory/adam_drift.py): the drift D of a period of P rounds says to which end x goes, and the cycle
there where exactly it then is. With S the sum of the slopes of a period, U the distance of the start from the end, and T1
the rounds that it takes, the average regret after T rounds is

    constant a    (end + 1) S/P - end U (S/P) T1/(2T) + a (k T1 + k' (T - T1))/T                  T1 = U P/(a |D|)
    a/sqrt        (end + 1) S/P - end U (S/P) T1/(3T) + 2 a (k sqrt T1 + k' (sqrt T - sqrt T1))/T   T1 = (U P/(2 a |D|))^2

where k and k' are what the excursions of a period cost in motion and at the end. In the first rounds the averages fill up,
and the excursions of large a/sqrt(t + 1) do not fit into the box: these rounds are uncertain by all that their excursions
cost, and U is in [0, 2]. A constant step is shifted at first by what `steps_from_rest` sums up, which clipping may undo: U
is between the distance without the shift and with it. The steps are 1.2 to 20 (quick: 2) times those with T1 = T/2 for U =
2; on the quick budget those of AMSGrad are so large that the excursions, and not the limit, are most of its regret.

Source: S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237; its steps are not known to us.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.online.rounds import play, regret
from ratewitness.problems.online.slopes import experiment
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.amsgrad import AMSGrad
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.solver import Solver, log_spaced, run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, all_of, bound_holds
from ratewitness.theory import adam_drift as drifts
from torch import Tensor

SOURCE = "S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237; theory/adam_drift.py"
SLOPES = [1010.0] + [-10.0] * 100
P, MEAN = len(SLOPES), sum(SLOPES) / len(SLOPES)
BETA1, BETA2 = 0.9, 0.99
STARTS = np.linspace(-1, 1, 8)
FILLED = 20 * P  # rounds after which the averages are periodic, but for 0.99^2020
SLACK = 0.01
LONG, MEDIUM, SHORT, BRIEF = 60_000, 3000, 300, 200  # periods


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
    table = pd.DataFrame(
        {
            "method": method,
            "rounds": np.repeat(times, starts * count),
            "start": np.tile(np.repeat(STARTS, count), records),
            "a": np.tile(a, records * starts),
            "constant": np.tile(constant, records * starts),
            "average regret": measured.ravel(),
        }
    )
    return (
        all_of({"point": bound_holds(off.ravel(), near.ravel(), -1.0), "regret": bound_holds(wrong.ravel(), half.ravel())})
        .noting(rounds=periods * P, farthest=float(np.abs(last - end).max()), nearest=float(np.abs(last - end).min()))
        .noting(limit=limit, least_regret=float(measured[-1].min()), largest_regret=float(measured[-1].max()))
        .showing(table)
    )


@claim(
    kind="exact",
    source="S25; " + SOURCE,
    planted={
        "regret tends to twice the limit": lambda budget: as_forecast("Adam", budget.pick(SHORT, LONG), scale=2.0),
        "regret tends to 0": lambda budget: as_forecast("Adam", budget.pick(SHORT, LONG), scale=0.0),
        "beta2 above the critical value": lambda budget: as_forecast("Adam", BRIEF, beta2=0.9999),
        "the maximum added": lambda budget: as_forecast("AMSGrad", BRIEF, like="Adam"),
    },
)
def adam_goes_to_the_wrong_end(budget: Budget) -> Verdict:
    """S25: On 1010/-10 Adam(0.9, 0.99) goes to +1 from each of 8 starts under each of 8 step rules, as the drift predicts:
    after 60000 (quick: 300) periods it is in the cycle at +1, to 1 per cent of its excursions, and its average regret is
    the predicted one, to 1 per cent and what the start leaves open; for small steps that tends to 20/101."""
    return as_forecast("Adam", budget.pick(SHORT, LONG))


@claim(
    kind="exact",
    source="S26; " + SOURCE,
    planted={
        "maximum dropped": lambda budget: as_forecast("Adam", BRIEF, like="AMSGrad"),
        "to the other end": lambda budget: as_forecast("AMSGrad", BRIEF, like="Adam"),
    },
)
def amsgrad_goes_to_the_right_end(budget: Budget) -> Verdict:
    """S26: On 1010/-10 AMSGrad(0.9, 0.99), raw maximum, goes to -1 from each of 8 starts under each of 8 step rules, as the
    drift predicts: after 60000 (quick: 300) periods it is in the cycle at -1, to 1 per cent of its excursions, and its
    average regret is the predicted one, to 1 per cent and what the start leaves open; for small steps that tends to 0."""
    return as_forecast("AMSGrad", budget.pick(SHORT, LONG))


@claim(
    kind="exact",
    source="S25, S26; " + SOURCE,
    planted={
        "Adam then goes to -1": lambda budget: as_forecast("Adam, bias corrected", BRIEF, like="AMSGrad, bias corrected"),
        "AMSGrad then goes to +1": lambda budget: as_forecast("AMSGrad, bias corrected", BRIEF, like="Adam, bias corrected"),
    },
)
def bias_correction_changes_neither(budget: Budget) -> Verdict:
    """S25, S26: With bias correction Adam goes to +1 and AMSGrad, raw maximum, to -1 all the same: in the settings of the
    long runs, after 3000 (quick: 300) periods, points and average regrets are those that the same drifts predict."""
    periods = budget.pick(SHORT, MEDIUM)
    return all_of({name: as_forecast(f"{name}, bias corrected", periods) for name in ("Adam", "AMSGrad")})


@cache
def drift_in_motion(method: str) -> np.ndarray:
    """How far a period moves x, in units of -a, between periods 30 and 60 of a run that no end clips."""
    lr, oracle = torch.tensor([1e-4, 1e-3]).double().unsqueeze(-1), play(experiment())[0]
    start = torch.tensor([-0.5, 0.0, 0.5]).double().reshape(-1, 1, 1).expand(-1, 2, 1).clone()
    trace = run(Box(solver(method, lr), -1.0, 1.0), oracle, start, 60 * P, lambda x: x, at=[30 * P, 60 * P])
    return ((trace.values[0] - trace.values[1]) / (30 * lr))[..., 0].numpy().ravel()


def moves_as(predicted: dict[str, float]) -> Verdict:
    measured = {method: drift_in_motion(method) for method in predicted}
    found = {method: agrees(values, np.full(6, predicted[method]), 1e-6) for method, values in measured.items()}
    raw, corrected = (drift_in_motion(name).mean() for name in ("AMSGrad", "AMSGrad, corrected maximum"))
    means = [values.mean() for values in measured.values()]
    table = pd.DataFrame({"method": list(predicted), "D": list(predicted.values()), "measured": means})
    return all_of(found).noting(slower=float(raw / corrected)).showing(table)


def predicted_drifts() -> dict[str, float]:
    adam, amsgrad = (float(sum(relative_steps(name))) for name in ("Adam", "AMSGrad"))
    names = {"Adam": adam, "Adam, bias corrected": adam, "AMSGrad": amsgrad, "AMSGrad, bias corrected": amsgrad}
    return names | {"AMSGrad, corrected maximum": sum(SLOPES) / drifts.frozen_maximum(SLOPES)}


@claim(
    kind="constant",
    source="S26; " + SOURCE,
    planted={
        "the corrected maximum is as fast": lambda budget: moves_as(
            {"AMSGrad, corrected maximum": predicted_drifts()["AMSGrad"]}
        ),
        "maximum dropped": lambda budget: moves_as({"Adam": predicted_drifts()["AMSGrad"]}),
    },
)
def the_corrected_maximum_is_slower(budget: Budget) -> Verdict:
    """S26: Away from the ends of 1010/-10 a period moves x by -a D to 1e-6, with D = -1.901 for Adam, 10/sqrt(max v) =
    0.0788 for AMSGrad with the raw maximum, each with bias correction and without, and 10/1010 for AMSGrad with the
    corrected maximum, which is 1010^2 from the first round on: it is slower by the factor 1010/sqrt(max v) = 7.96."""
    return moves_as(predicted_drifts())


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.2), sharey=True, layout="constrained")
    figure.set_label(
        "The experiment 1010/-10, Adam (left) and AMSGrad (right): average regret after T rounds under the smallest "
        "constant step and the smallest a/sqrt(t), from all starts (bands: least to largest). Each method's steps are "
        "scaled to its own drift, AMSGrad's are 24 times Adam's. Dashed: Adam's limit 20/101."
    )
    for ax, name in zip(axes, ("adam_goes_to_the_wrong_end", "amsgrad_goes_to_the_right_end"), strict=True):
        table = verdicts[name].table
        for constant, colour, label in ((True, "C0", "constant"), (False, "C1", "a/sqrt(t)")):
            part = table[table["constant"] == constant]
            part = part[part["a"] == part["a"].min()].groupby("rounds")["average regret"]
            ax.fill_between(part.min().index, part.min(), part.max(), color=colour, alpha=0.3, lw=0)
            ax.plot(part.mean().index, part.mean(), color=colour, ls="-" if constant else "-.", label=label)
        ax.axhline(2 * MEAN, color="k", lw=1, ls="--")
        ax.set(xscale="log", yscale="log", xlim=(10 * P, None), xlabel="rounds T", title=table["method"].iloc[0])
    axes[0].set_ylabel("average regret")
    axes[1].legend(frameon=False)
    return {"regret": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
