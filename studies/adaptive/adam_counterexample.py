r"""Does Adam converge on every convex problem? Theorem 1 of Reddi, Kale and Kumar: proved, in fractions, and in floats.

    f_t(x) = C x where t mod 3 = 0, else -x, on [-1, 1];   beta1 = 0, beta2 = 1/(1 + C^2), a_t = a/sqrt(t + 1), t = 0, 1, ...

For C > 2 the best fixed point is -1. theory/adam_counterexample.py proves that Adam without bias correction is at +1 after
every period from some period on, and AMSGrad tends to -1. Here a run in rational arithmetic shows it: v_t is an exact
fraction, a/sqrt(t v_t) lies between two fractions 1e-40 apart (an integer square root), x in an interval, and clipping makes
an interval above 1 the point 1. torch.optim.Adam itself: `adam_of_torch`; longer runs: `adam_experiment`; other betas:
`critical_beta2`.

Source: S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pandas as pd
import sympy as sp
import torch
from matplotlib.figure import Figure
from ratewitness.problems.online.rounds import play, regret
from ratewitness.problems.online.slopes import three_periodic
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.schedules import InversePower
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, equals_exactly
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import adam_counterexample as theory
from ratewitness.theory import bounds
from ratewitness.theory.adam_counterexample import exact_run, limit_of_regret, three_periodic_regret
from ratewitness.theory.identity import identities

SOURCE = "S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237"
PAPER = "theory/adam_counterexample.py; " + SOURCE
AMSGRAD = (theory.amsgrad_descends, theory.amsgrad_denominators)
ADAM = tuple(each for each in identities(theory).values() if each not in (*AMSGRAD, theory.the_condition_fails))
A = Fraction(1, 2)
SLOPES = (2.1, 2.5, 3.0, 5.0, 10.0)  # C


@claim("proof", "S25; " + PAPER)
@falsified(*ADAM)
def theorem_1(budget: Budget) -> Verdict:
    """S25, as stated: Adam of Theorem 1 ends at the worst point +1 of linear losses on a box, with an average regret that
    tends to (2C - 4)/3.

    For every C >= 1, a > 0 and t Adam without bias correction, beta1 = 0, beta2 = 1/(1 + C^2), steps a/sqrt(t + 1) is at
    exactly 1 after every period if it starts there, and from any other start after some period. For C > 2, where -1 is the
    best point, its average regret after T periods from 1 is at least (2C - 4)/3 and at most that plus 2 a sqrt(1 + 1/C^2)
    (1 + 2 sqrt(3T - 2))/(9T), so that it tends to (2C - 4)/3. The condition a < sqrt(1 - beta2) of the source is not needed.
    Machine-checked (sympy; inequalities as polynomials without negative coefficients): the bounds of v in a period, by an
    induction step; two steps up exceed the step down, for t = 0 and t >= 1, by a margin whose multiple sqrt(3t + 1) tends to
    a positive limit; the regret of a period; the sum of 1/sqrt(3t + 1), by an induction step. In prose: what clipping does,
    and that displacements of infinite sum reach 1."""
    return prove(*ADAM)


@claim("proof", "S25; " + PAPER)
@falsified(theory.the_condition_fails)
def the_condition_of_the_first_proof_fails(budget: Budget) -> Verdict:
    """S25, as stated: The original proof of Adam needs sqrt(v_t)/a_t never to decrease; on the losses of Theorem 1 it does
    in every period.

    For every C > 2 and a/sqrt t, between the first and the second round of each period, from v_0 = 0. Machine-checked
    (sympy): (3t+1) C^2 >= 2 (3t+2) for C^2 >= 4, t >= 0. By the bounds of v in `theorem_1`: (3t+1) v_{3t+1} > (3t+2)
    v_{3t+2}. Cited: that the proof of Kingma and Ba (2015) needs the condition (Reddi, Kale and Kumar 2018)."""
    return prove(theory.the_condition_fails)


@claim("proof", "S26; " + PAPER)
@falsified(*AMSGRAD)
def amsgrad_on_theorem_1(budget: Budget) -> Verdict:
    """S26, as stated: AMSGrad moves down, towards the best point -1, in every period of the losses of Theorem 1 that the box
    does not clip.

    For C > 2, beta1 = 0 and any beta2, with steps that never increase and a maximum that never decreases (raw without bias
    correction, or corrected), it moves down by at least (C - 2) a_t/C. Machine-checked (sympy): the displacement of a
    period, as -(C - 2) s_1 and terms that are not positive where s_1 >= s_2 >= s_3, s_j = a_j/sqrt h_j; and h <= C^2, by an
    induction step. In prose: that s_j never increases, and so, for steps a_t -> 0 of infinite sum, x_t -> -1 and R_T/T ->
    0."""
    return prove(*AMSGRAD)


def returns_to_one(budget: Budget, C: Fraction, beta2: Fraction) -> Verdict:
    """Rational enclosures of runs from 1, 0 and -1, and the float64 runs of the solver, which must lie in them."""
    periods, stay = budget.pick(100, 300), 40
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
    near = bound_holds(outside, np.full(len(outside), 1e-12), floor=-1.0)
    return all_of({"exact": equals_exactly(at_one, np.ones(len(at_one))), "floats": near})


@claim("exact", "S25; " + SOURCE)
@planted("beta2 above the critical value", beta2=lambda C: Fraction(3, 5))
def in_rational_arithmetic(budget: Budget, beta2: Callable = lambda C: 1 / (1 + C**2)) -> Verdict:
    """S25: Adam of Theorem 1, run in rational intervals, is at exactly 1 after every period, and the solver's run in floats
    agrees with it.

    For C = 5/2, 3 and 10, a = 1/2 and 300 (quick: 100) periods it is at exactly 1 after every period from the start 1, and
    after each of the last 40 periods from 0 and -1. The float64 run of the solver stays within 1e-12 of the intervals in
    every round."""
    return all_of({f"C={C}": returns_to_one(budget, C, beta2(C)) for C in (Fraction(5, 2), Fraction(3), Fraction(10))})


@measured
def average_regrets(budget: Budget, slopes: tuple[float, ...]) -> pd.DataFrame:
    """R/rounds of float64 runs from 1, by C and number of periods."""
    periods = (10, 100, 1000, budget.pick(3000, 30_000))
    C = torch.tensor(slopes, dtype=torch.float64).unsqueeze(-1)
    problem, rounds = three_periodic(C), [3 * T - 1 for T in periods]
    oracle, loss = play(problem)
    solver = Adam(InversePower(float(A)), 0.0, 1 / (1 + C**2), eps=0.0, bias_correction=False)
    trace = run(Box(solver, -1.0, 1.0), oracle, torch.ones_like(C), rounds[-1], loss, at=rounds, over="mean")
    found = regret(problem, trace.steps, trace.values).numpy()
    cells = {"C": np.tile(slopes, len(periods)), "periods": np.repeat(periods, len(slopes))}
    return pd.DataFrame(cells | {"average regret": found.ravel()})


@claim("constant", "S25; theory/adam_counterexample.py", units={"smallest": "ratio"})
@planted("the limit (2C - 3.95)/3", limit=(2 * bounds.C - sp.Rational(395, 100)) / 3)
@planted("the limit (2C - 4.05)/3", limit=(2 * bounds.C - sp.Rational(405, 100)) / 3)
@planted("C < 2", slopes=(1.5, 1.9))
def regret_tends_to_its_limit(budget: Budget, slopes=SLOPES, limit: sp.Expr = limit_of_regret) -> Verdict:
    """S25: The average regret of Adam of Theorem 1 is at least its limit (2C - 4)/3, and exceeds it by no more than its
    bound allows.

    In float64 from the start 1, with a = 1/2 and C = 2.1, 2.5, 3, 5 and 10, the average regret is taken after 10, 100, 1000
    and 30000 (quick: 3000) periods. What is judged is the share that is used of the way from the limit to the limit plus
    what theory allows above it."""
    table = average_regrets(budget, slopes)
    C, average, T = (table[name].to_numpy(dtype=float) for name in ("C", "average regret", "periods"))
    lowest, true = (np.array([float(expression.subs(bounds.C, c)) for c in C]) for expression in (limit, limit_of_regret))
    bound = three_periodic_regret(C=C, a=float(A), T=T)
    share = (average - lowest) / (bound - true)
    verdict = bound_holds(np.abs(2 * share - 1), np.ones(len(share))).noting(smallest=average.min())
    return verdict.showing(table.assign(limit=lowest, bound=bound, share=share))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "Theorem 1: the average regret of Adam from x = 1 after T periods. It does not fall like that of a method with "
        "regret of order $\\sqrt{T}$, but tends to $(2C - 4)/3$, as its proved upper bound does."
    )
    figure, (ax,) = canvas(caption, 1, height=3.6)
    table = verdicts["regret_tends_to_its_limit"].table
    for j, ((C, part), marker) in enumerate(zip(table.groupby("C"), "osv^D", strict=True)):
        ax.plot(part["periods"], part["average regret"], marker, color=f"C{j}", ms=4, label=f"$C = {C:g}$")
        ax.plot(part["periods"], part["bound"], color=f"C{j}", lw=1)
        ax.axhline(part["limit"].iloc[0], color=f"C{j}", lw=0.8, ls="--")
    T = np.array([10.0, table["periods"].max()])
    ax.plot(T, 2 * (T / 10) ** -0.5, color="0.35", lw=1, ls=":", label="$1/\\sqrt{T}$")
    ax.plot([], [], color="0.3", lw=1, label="upper bound")
    ax.plot([], [], color="0.3", lw=0.8, ls="--", label="limit $(2C - 4)/3$")
    ax.set(xscale="log", yscale="log", xlabel="periods $T$", ylabel="average regret")
    legend_below(figure)
    return {"regret": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
