r"""Does gradient descent converge with a constant step, and with line search?

    constant step h/L, 0 < h < 2:   (1/N) sum_{k<N} ||grad f(x_k)||^2 <= 2 L Delta/(h (2-h) N)
    Armijo backtracking:            a_k >= a_min = min{initial, 2 (1-c) shrink/L},  and with it
        any f        (1/N) sum_{k<N} ||grad f(x_k)||^2 <= Delta/(c a_min N)
        convex       f(x_N) - f* <= R^2/(2 a_min N),        c >= 1/2
        PL           f(x_N) - f* <= (1 - 2 mu c a_min)^N Delta

Hypotheses: f is L-smooth, on the sublevel set of the start where not everywhere. The descent lemma f(x - a g) <= f(x) -
a (1 - a L/2) ||g||^2 telescopes for a constant step. It passes every trial a <= 2 (1-c)/L, so a rejected trial is longer
and the accepted one at least shrink times that. What passed, f_{k+1} <= f_k - c a_k ||g_k||^2, telescopes, and contracts
by 1 - 2 mu c a_k where ||g||^2 >= 2 mu (f - f*). If f is convex and c >= 1/2, then f_{k+1} - f* <= <g_k, x_k - x*> -
(a_k/2) ||g_k||^2 = (||x_k - x*||^2 - ||x_{k+1} - x*||^2)/(2 a_k); sum, and f_k falls.

Attained on L x^2/2: the constant-step bound as N grows, a_min by a first trial just above 2 (1-c)/L, the bound for any f
as initial L -> 0 and c -> 1, the PL bound at N = 1 too. The convex bound is not: for accepted steps 1/L the exact
constant is L R^2/(4N+2), about half. What a search costs and saves: `line_search_cost`.

Sources: L. Armijo (1966); B. T. Polyak (1963); elementary, derived above.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.line_search import Armijo
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds
from ratewitness.studies.rates.deterministic_problems import RELIABLE, deterministic

STEPS = (0.1, 0.5, 1.0, 1.5, 1.9)  # h of the constant steps
JUST_REJECTED = -1.0  # stands for a first trial 2 (1-c)/L (1 + 1e-6)
SETTINGS = tuple(product((0.25, 0.5, 0.9), (0.5, 0.8), (0.1, 0.5, 10.0, JUST_REJECTED)))  # c, shrink, initial L
GROWTHS = (None, 2.0)  # search anew from `initial`, or from twice the last step


def judged(ratios: pd.DataFrame, *shown: str, factor: float = 1.0) -> Verdict:
    """measured/bound <= 1 on every record, for the bound divided by `factor`; the table has the worst of each group."""
    table = ratios.loc[ratios.groupby([*shown], sort=False)["ratio"].idxmax()]
    return bound_holds(factor * ratios["ratio"], 1.0).showing(table)


@measured
def constant_steps(budget: Budget, steps: tuple[float, ...], value: Callable) -> pd.DataFrame:
    """The mean of ||grad f||^2 over N steps h/L in units of value(h) L Delta/N."""
    frames, horizon = [], budget.pick(300, 3000) if max(steps) < 2 else 60
    for name, problem in deterministic(budget.seed).items():
        L, Delta, h = float(problem.constants.smoothness), float(problem.initial_gap), problem.start.new_tensor(steps)
        trace = run(
            GradientDescent(h.unsqueeze(-1) / L), Oracle.full(problem), problem.starts(len(h)), horizon,
            lambda x, grad=problem.grad: grad(x).square().sum(-1), over="mean",
        )  # fmt: skip
        for k, values in zip(trace.steps, trace.values, strict=True):
            ratio = values * (k + 1) / (L * Delta * value(h))
            frames.append(pd.DataFrame({"problem": name, "h": steps, "N": k + 1, "ratio": ratio.tolist()}))
    return pd.concat(frames, ignore_index=True)


@claim("upper bound", "S3; Polyak (1963)")
@planted("0.8 of the bound", factor=1.25)
@planted("the step 3/L is safe as well", steps=(3.0,), value=lambda h: 2.0)
def constant_step_below_two_over_L(
    budget: Budget, factor=1.0, steps=STEPS, value: Callable = lambda h: 2 / (h * (2 - h))
) -> Verdict:
    """S3, as stated: GD with a constant step h/L, 0 < h < 2, converges: its mean squared gradient is at most 2 L
    Delta/(h(2-h) N).

    On every deterministic problem, convex or not, real data included, (1/N) sum_{k<N} ||grad f(x_k)||^2 <= 2 L Delta/(h(2-h)
    N), for h = 0.1, 0.5, 1, 1.5, 1.9 and N up to 300 (full: 3000).
    """
    return judged(constant_steps(budget, steps, value), "problem", "h", factor=factor)


@claim("exact", "S3; elementary")
@planted("steps a hundredth shorter", rate=lambda h: (1 - 0.99 * h) ** 2)
@planted("the limit is 4/L", rate=lambda h: (1 - h / 2) ** 2)
def two_over_L_is_the_limit(budget: Budget, rate: Callable = lambda h: (1 - h) ** 2) -> Verdict:
    """S3: The gap on L x^2/2 after k steps h/L is exactly (1-h)^{2k} Delta, so that it vanishes below the step 2/L and
    diverges above.

    For k up to 20 and 11 values of h from 0.1 to 3, 1.99 and 2.01 among them, they are equal to 1e-9.
    """
    problem = quadratic(torch.ones(1), torch.ones(1))
    h = problem.start.new_tensor([0.1, 0.5, 0.9, 1.1, 1.5, 1.9, 1.99, 2.01, 2.1, 2.5, 3.0])
    solver, x0 = GradientDescent(h.unsqueeze(-1)), problem.starts(len(h))
    gaps = run(solver, Oracle.full(problem), x0, 20, problem.gap, at=range(21)).values
    return agrees(gaps.cpu(), (rate(h) ** torch.arange(21, device=h.device)[:, None] / 2).cpu())


@measured
def searched(budget: Budget) -> pd.DataFrame:
    """measured/bound of the shortest step so far and of the three bounds, for each problem, setting and recorded N."""
    c, shrink, first = torch.tensor(SETTINGS, dtype=torch.float64).T.unsqueeze(-1)
    first = torch.where(first == JUST_REJECTED, 2 * (1 - c) * (1 + 1e-6), first)
    frames = []
    for (name, problem), growth in product(deterministic(budget.seed).items(), GROWTHS):
        L, mu, Delta = (float(v) for v in (problem.constants.smoothness, problem.constants.pl, problem.initial_gap))
        R = np.inf if problem.minimizer is None or not problem.constants.convex else float(problem.radius)
        solver, a_min = Armijo(first / L, c, shrink, growth, trials=100), torch.minimum(first, 2 * (1 - c) * shrink) / L
        x, oracle, squares, shortest = problem.starts(len(SETTINGS)), Oracle.full(problem), 0.0, math.inf
        state = solver.init(x)
        for N in range(1, budget.pick(20, 200) + 1):
            comparable = (problem.gap(x) > RELIABLE * problem.floor).unsqueeze(-1)
            squares = squares + problem.grad(x).square().sum(-1, keepdim=True)
            x, state = solver.step(x, state, oracle)
            shortest = torch.where(comparable, state.lr, math.inf).clamp(max=shortest)
            if N in (1, 2, 3, 5, 10, 20, 50, 100, 200):
                gap = problem.gap(x).unsqueeze(-1)
                reliable = gap > RELIABLE * problem.floor
                for case, ratio, kept in (
                    ("step", a_min / shortest, shortest < math.inf),
                    ("any f", squares * c * a_min / Delta, c > 0),
                    ("convex", gap * 2 * a_min * N / R**2, reliable & (c >= 0.5) & math.isfinite(R)),
                    ("PL", gap / ((1 - 2 * mu * c * a_min) ** N * Delta), reliable & (mu > 0)),
                ):
                    seen = {"bound for": case, "problem": name, "N": N, "c": c[kept].tolist()}
                    frames.append(pd.DataFrame(seen | {"ratio": ratio[kept].tolist()}))
    return pd.concat(frames, ignore_index=True)


def every_case(budget: Budget, *cases: str, factor: float) -> Verdict:
    found = {case: part for case, part in searched(budget).groupby("bound for", sort=False) if case in cases}
    verdicts = {case: judged(found[case], "problem", factor=factor) for case in cases}
    return all_of(verdicts).showing(pd.concat([verdict.table for verdict in verdicts.values()]))


@claim("lower bound", "S3; Armijo (1966)")
@planted("steps a quarter longer", factor=1.25)
def accepted_step(budget: Budget, factor: float = 1.0) -> Verdict:
    """S3: Armijo backtracking accepts no step below a_min = min{initial, 2(1-c) shrink/L}.

    On every deterministic problem, for c = 1/4, 1/2, 9/10, shrink = 1/2, 4/5, initial = 0.1/L, 0.5/L, 10/L or just above
    2(1-c)/L, anew or from twice the last step, it accepts none in 20 steps (full: 200), as long as the gap is far above
    rounding.
    """
    return every_case(budget, "step", factor=factor)


@claim("upper bound", "S3; derived in studies/rates/line_search.py")
@planted("any f, 0.8 of the bound", cases=("any f",), factor=1.25)
@planted("PL, 0.8 of the bound", cases=("PL",), factor=1.25)
@planted("convex, bound over 2.5", cases=("convex",), factor=2.5)
def line_search_converges(budget: Budget, cases=("any f", "convex", "PL"), factor: float = 1.0) -> Verdict:
    """S3, as stated: Gradient descent with Armijo backtracking converges, with one bound for any smooth f, one for convex
    and one for PL functions.

    With the line searches of `accepted_step`, on every deterministic problem, the mean of ||grad f||^2 over N steps is at
    most Delta/(c a_min N); f(x_N) - f* is at most R^2/(2 a_min N) on convex functions with a minimizer if c >= 1/2, and at
    most (1 - 2 mu c a_min)^N Delta on PL functions, for N up to 20 (full: 200).
    """
    return every_case(budget, *cases, factor=factor)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
