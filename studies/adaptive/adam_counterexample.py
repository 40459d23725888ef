r"""Does Adam converge on every convex problem? Theorem 1 of Reddi, Kale and Kumar: proved, in fractions, and in floats.

    f_t(x) = C x where t mod 3 = 0, else -x, on [-1, 1];   beta1 = 0, beta2 = 1/(1 + C^2), a_t = a/sqrt(t + 1), t = 0, 1, ...

For C > 2 the best fixed point is -1. theory/adam_counterexample.py proves that Adam without bias correction is at +1 after
every period from some period on, and AMSGrad tends to -1. Here a run in rational arithmetic shows it: v_t is an exact
fraction, a/sqrt(t v_t) lies between two fractions 1e-40 apart (an integer square root), x in an interval, and clipping makes
an interval above 1 the point 1. The solver of this package and torch.optim.Adam itself are held against it, and against
the periodic cycle that the drift predicts (theory/adam_drift.py). Longer runs: adam_experiment; other betas: critical_beta2.

Source: S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import sympy as sp
import torch
from ratewitness.problems.online.rounds import play, regret
from ratewitness.problems.online.slopes import three_periodic
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.amsgrad import AMSGrad
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.around.from_torch import FromTorch
from ratewitness.solvers.schedules import InversePower
from ratewitness.solvers.solver import Solver, run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, bound_holds, equals_exactly
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import adam_counterexample as theory
from ratewitness.theory import bounds
from ratewitness.theory.adam_counterexample import exact_run, limit_of_regret, three_periodic_regret
from ratewitness.theory.adam_drift import cycle, regret_in_cycle, relative_steps, spike
from ratewitness.theory.identity import identities
from torch import Tensor

SOURCE = "S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237"
PAPER = "theory/adam_counterexample.py; " + SOURCE
ADAM = tuple(each for each in identities(theory).values() if each is not theory.amsgrad_descends)
A = Fraction(1, 2)
SLOPES = (2.1, 2.5, 3.0, 5.0, 10.0)  # C
LR = 0.01
ON_TORCH = (3.0, 10.0)  # C


@claim(kind="proof", source="S25; " + PAPER, planted=falsified(*ADAM))
def theorem_1(budget: Budget) -> Verdict:
    """S25: For every C >= 1, a > 0 and t Adam without bias correction, beta1 = 0, beta2 = 1/(1 + C^2), steps a/sqrt(t + 1)
    is at exactly 1 after every period if it starts there, and from any other start after some period. For C > 2, where -1 is
    the best point, its average regret after T periods from 1 is at least (2C - 4)/3 and at most that plus
    2 a sqrt(1 + 1/C^2) (1 + 2 sqrt(3T - 2))/(9T), so that it tends to (2C - 4)/3. The condition a < sqrt(1 - beta2) of the
    source is not needed."""
    return prove(*ADAM)


@claim(kind="proof", source="S26; " + PAPER, planted=falsified(theory.amsgrad_descends))
def amsgrad_on_theorem_1(budget: Budget) -> Verdict:
    """S26: On the losses of Theorem 1, C > 2, beta1 = 0 and any beta2, with steps that never increase, AMSGrad with
    a maximum that never decreases (raw without bias correction, or corrected) moves down by at least (C - 2) a_t/C in
    every period that the box does not clip."""
    return prove(theory.amsgrad_descends)


def returns_to_one(budget: Budget, C: Fraction, beta2: Fraction | None = None) -> Verdict:
    """Rational enclosures of runs from 1, 0 and -1, and the float64 runs of the solver, which must lie in them."""
    periods, stay = budget.pick(100, 300), 40
    beta2 = 1 / (1 + C**2) if beta2 is None else beta2
    starts = [Fraction(1), Fraction(0), Fraction(-1)]
    exact = [exact_run(C, A, start, 3 * periods, beta2) for start in starts]
    solver = Adam(InversePower(float(A)), 0.0, float(beta2), eps=0.0, bias_correction=False)
    oracle, _ = play(three_periodic(float(C)))
    x0 = torch.tensor([[float(start)] for start in starts], dtype=torch.float64)
    trace = run(Box(solver, -1.0, 1.0), oracle, x0, 3 * periods, lambda x: x[..., 0], at=range(3 * periods + 1))
    low, high = np.array([[[float(end) for end in ends] for ends in path] for path in exact]).transpose(2, 1, 0)
    floats = trace.values.numpy()
    outside = np.maximum(low - floats, floats - high).clip(0).ravel()
    at_one = [int(ends == (1, 1)) for path in exact for ends in path[3 * (periods - stay) :: 3]]
    at_one += [int(ends == (1, 1)) for ends in exact[0][::3]]
    return all_of(
        {
            "exact": equals_exactly(at_one, np.ones(len(at_one))),
            "floats": bound_holds(outside, np.full(len(outside), 1e-12), floor=-1.0),
        }
    )


@claim(
    kind="exact",
    source="S25; " + SOURCE,
    planted={"beta2 above the critical value": lambda budget: returns_to_one(budget, Fraction(3), Fraction(3, 5))},
)
def in_rational_arithmetic(budget: Budget) -> Verdict:
    """S25: In rational intervals, for C = 5/2, 3 and 10, a = 1/2 and 300 (quick: 100) periods, Adam of Theorem 1 is at
    exactly 1 after every period from the start 1, and in the last 40 periods from 0 and -1; and the float64 run of
    the solver stays within 1e-12 of the intervals in every round."""
    return all_of({f"C={C}": returns_to_one(budget, C) for C in (Fraction(5, 2), Fraction(3), Fraction(10))})


@cache
def measured_regret(slopes: tuple[float, ...], periods: tuple[int, ...]) -> np.ndarray:
    """R/rounds (periods, slopes) of float64 runs from 1."""
    C = torch.tensor(slopes, dtype=torch.float64).unsqueeze(-1)
    problem = three_periodic(C)
    oracle, loss = play(problem)
    solver = Adam(InversePower(float(A)), 0.0, 1 / (1 + C**2), eps=0.0, bias_correction=False)
    rounds = [3 * T - 1 for T in periods]
    trace = run(Box(solver, -1.0, 1.0), oracle, torch.ones_like(C), rounds[-1], loss, at=rounds, over="mean")
    return regret(problem, trace.steps, trace.values).numpy()


def average_regret(budget: Budget, slopes: tuple[float, ...], limit: sp.Expr = limit_of_regret) -> Verdict:
    """The average regret as a share of the way from `limit` to `limit` plus what theory allows above it."""
    periods = (10, 100, 1000, budget.pick(3000, 30_000))
    measured = measured_regret(slopes, periods)
    lowest = np.array([float(limit.subs(bounds.C, c)) for c in slopes])
    true = np.array([float(limit_of_regret.subs(bounds.C, c)) for c in slopes])
    allowed = three_periodic_regret(C=np.array(slopes), a=float(A), T=np.array(periods, dtype=float)[:, None]) - true
    share = (measured - lowest) / allowed
    table = pd.DataFrame(
        {
            "C": np.tile(slopes, len(periods)),
            "periods": np.repeat(periods, len(slopes)),
            "average regret": measured.ravel(),
            "limit": np.tile(lowest, len(periods)),
            "share": share.ravel(),
        }
    )
    return bound_holds(np.abs(2 * share - 1).ravel(), np.ones(share.size)).noting(smallest=measured.min()).showing(table)


@claim(
    kind="constant",
    source="S25; theory/adam_counterexample.py",
    planted={
        "the limit (2C - 2)/3": lambda budget: average_regret(budget, SLOPES, (2 * bounds.C - 2) / 3),
        "the limit 0": lambda budget: average_regret(budget, SLOPES, sp.S.Zero),
        "C < 2": lambda budget: average_regret(budget, (1.5, 1.9)),
    },
)
def regret_tends_to_its_limit(budget: Budget) -> Verdict:
    """S25: In float64 the average regret of Adam of Theorem 1 from the start 1, a = 1/2, after 10, 100, 1000 and 30000
    (quick: 3000) periods is at least (2C - 4)/3 and exceeds it by no more than the bound allows: C = 2.1, 2.5, 3, 5, 10."""
    return average_regret(budget, SLOPES)


def path(solver: Solver, rounds: int) -> Tensor:
    """The points (rounds + 1, C, starts) from -1, 0 and 1."""
    C = torch.tensor(ON_TORCH, dtype=torch.float64).reshape(-1, 1, 1)
    x0 = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64).reshape(1, -1, 1).expand(len(C), -1, 1)
    oracle, _ = play(three_periodic(C))
    return run(Box(solver, -1.0, 1.0), oracle, x0, rounds, lambda x: x[..., 0], at=range(rounds + 1)).values


@cache
def on_torch_and_here(amsgrad: bool, rounds: int) -> tuple[Tensor, Tensor]:
    """The path of torch.optim.Adam itself, and of the solver of this package."""
    beta2 = 1 / (1 + torch.tensor(ON_TORCH, dtype=torch.float64).reshape(-1, 1, 1) ** 2)
    theirs = FromTorch(torch.optim.Adam, LR, {"betas": (0.0, beta2), "amsgrad": amsgrad})
    return path(theirs, rounds), path((AMSGrad if amsgrad else Adam)(LR, 0.0, beta2), rounds)


def on_torch(budget: Budget, amsgrad: bool, expected: bool) -> Verdict:
    """The last period against the cycle expected of AMSGrad or Adam; and all of the path against the solver."""
    theirs, ours = on_torch_and_here(amsgrad, 3 * budget.pick(700, 5000))
    far, costs = [], []
    for C, last in zip(ON_TORCH, theirs[-4:-1].numpy().swapaxes(0, 1), strict=True):
        g = [float(slope) for slope in spike(C, 3)]
        steps = relative_steps(g, 0.0, 1 / (1 + C**2), amsgrad=expected)
        end, distances = cycle(steps)
        far.append(np.abs(last - end * (1 - LR * distances[:, None])).max())
        cost = (np.array(g)[:, None] * (last + 1)).mean(0)
        costs.append(np.abs(cost - regret_in_cycle(g, steps, LR)).max())
    apart = [float((ours - theirs).abs().max())]
    return all_of(
        {
            name: bound_holds(found, np.full(len(found), limit), floor=-1.0)
            for name, found, limit in (("position", far, 1e-6), ("regret", costs, 1e-5), ("solver", apart, 1e-9))
        }
    )


@claim(
    kind="exact",
    source="S25; torch.optim.Adam; " + SOURCE,
    planted={"with AMSGrad's maximum": lambda budget: on_torch(budget, amsgrad=True, expected=False)},
)
def torch_adam_fails(budget: Budget) -> Verdict:
    """S25: torch.optim.Adam with betas (0, 1/(1 + C^2)) and lr 0.01, clamped to [-1, 1] after every step, on the losses of
    Theorem 1 with C = 3 and 10, ends from -1, 0 and 1 in the cycle at +1 that the drift predicts (to 1e-6), and its
    regret in a period is what the cycle costs (to 1e-5); Adam of this package takes the same path to 1e-9."""
    return on_torch(budget, amsgrad=False, expected=False)


@claim(
    kind="exact",
    source="S26; torch.optim.Adam; " + SOURCE,
    planted={"maximum dropped": lambda budget: on_torch(budget, amsgrad=False, expected=True)},
)
def torch_amsgrad_goes_to_the_right_end(budget: Budget) -> Verdict:
    """S26: With amsgrad=True torch.optim.Adam ends on the same losses, from the same starts, in the cycle at -1 that the
    drift predicts (to 1e-6), and its regret in a period is what the cycle costs (to 1e-5), of the order of lr; AMSGrad of
    this package takes the same path to 1e-9."""
    return on_torch(budget, amsgrad=True, expected=True)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, ax = plt.subplots(figsize=(4.8, 3.4), layout="constrained")
    figure.set_label(
        "Theorem 1: the average regret of Adam above its limit (2C - 4)/3, as a share of what the bound allows above it "
        "(line), after T periods from x = 1."
    )
    table = verdicts["regret_tends_to_its_limit"].table
    for (C, part), marker in zip(table.groupby("C"), "osv^D", strict=True):
        ax.plot(part["periods"], part["share"], marker + "-", ms=4, lw=0.8, label=f"C = {C:g}")
    ax.axhline(1, color="k", lw=1)
    ax.set(xscale="log", ylim=(0, 1.05), xlabel="periods T", ylabel="(average regret - limit) / bound")
    ax.legend(frameon=False, ncols=2)
    return {"regret": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
