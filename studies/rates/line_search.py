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
constant is L R^2/(4N+2), about half. Cost is counted in evaluations of f or its gradient, of n components each.
N steps with T trials altogether cost N gradients, T values and f(x_0); at least 2N + 1.

Sources: L. Armijo (1966); B. T. Polyak (1963); elementary, derived above.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.catalogue import catalogue
from ratewitness.problems.huber import huber_witness
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.line_search import Armijo
from ratewitness.solvers.solver import iterates, run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, all_of, bound_holds, equals_exactly

RELIABLE = 1e8  # floors: so far above its floor a gap is exact to 1e-4, and comparing two of them means something
STEPS = (0.1, 0.5, 1.0, 1.5, 1.9)  # h of the constant steps
JUST_REJECTED = -1.0  # stands for a first trial 2 (1-c)/L (1 + 1e-6)
SETTINGS = tuple(product((0.25, 0.5, 0.9), (0.5, 0.8), (0.1, 0.5, 10.0, JUST_REJECTED)))  # c, shrink, initial L
GROWTHS = (None, 2.0)  # search anew from `initial`, or from twice the last step
SEARCHES = tuple(product((1.25, 2.0), (0.1, 0.5), (0.5, 0.8)))  # growth, c, shrink of the searches on real data
ACCURACIES = np.logspace(-1, -6, 6)  # of the gap, relative to Delta
FLAT = ("power 4", "power 8", "softplus")
REAL = ("breast cancer, l2", "digits 3/8, l2", "digits odd/even, l2")


@cache
def deterministic(seed: int) -> dict[str, FiniteSum]:
    """Every problem of the catalogue but its copies with noise, and two on which bounds are attained, or nearly."""
    noisy = ("noisy", "horizon", "probabilistic")
    found = {name: p for name, p in catalogue(seed, flat=True).items() if not any(word in name for word in noisy)}
    return {"unit parabola": quadratic(torch.ones(1), torch.ones(1)), "huber, 21 steps": huber_witness(21)} | found


def judged(ratios: pd.DataFrame, factor: float = 1.0) -> Verdict:
    """measured/bound <= 1 on every record, for the bound divided by `factor`; the table shows the worst of each group."""
    groups = ["problem", "h"] if "h" in ratios else ["bound for", "problem"]
    table = ratios.loc[ratios.groupby(groups, sort=False)["ratio"].idxmax()]
    return bound_holds(factor * ratios["ratio"], 1.0).showing(table)


def constant_steps(budget: Budget, steps=STEPS, value=lambda h: 2 / (h * (2 - h))) -> pd.DataFrame:
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


@claim(
    kind="upper bound",
    source="S3; Polyak (1963)",
    planted={
        "bound halved": lambda budget: judged(constant_steps(budget), 2.0),
        "the step 3/L is safe as well": lambda budget: judged(constant_steps(budget, (3.0,), lambda h: 2.0)),
    },
)
def constant_step_below_two_over_L(budget: Budget) -> Verdict:
    """S3: GD with any constant step h/L, 0 < h < 2, converges: (1/N) sum_{k<N} ||grad f(x_k)||^2 <= 2 L Delta/(h(2-h) N),
    on every deterministic problem, convex or not, real data included, for h = 0.1, 0.5, 1, 1.5, 1.9 and N up to 300 (full:
    3000)."""
    return judged(constant_steps(budget))


def falls_like(rate) -> Verdict:
    """Gaps of 20 steps h/L on L x^2/2 against rate(h)^k Delta."""
    problem = quadratic(torch.ones(1), torch.ones(1))
    h = problem.start.new_tensor([0.1, 0.5, 0.9, 1.1, 1.5, 1.9, 1.99, 2.01, 2.1, 2.5, 3.0])
    solver, x0 = GradientDescent(h.unsqueeze(-1)), problem.starts(len(h))
    gaps = run(solver, Oracle.full(problem), x0, 20, problem.gap, at=range(21)).values
    return agrees(gaps.cpu(), (rate(h) ** torch.arange(21, device=h.device)[:, None] / 2).cpu())


@claim(
    kind="exact",
    source="S3; elementary",
    planted={
        "half the rate, (1-h)^k": lambda budget: falls_like(lambda h: (1 - h).abs()),
        "the limit is 4/L": lambda budget: falls_like(lambda h: (1 - h / 2) ** 2),
    },
)
def two_over_L_is_the_limit(budget: Budget) -> Verdict:
    """S3: On L x^2/2 the gap after k steps h/L is exactly (1-h)^{2k} Delta, so it vanishes below the step 2/L and
    diverges above: k up to 20, 11 values of h from 0.1 to 3, 1.99 and 2.01 among them."""
    return falls_like(lambda h: (1 - h) ** 2)


@cache
def searched(seed: int, horizon: int) -> pd.DataFrame:
    """measured/bound of the shortest step so far and of the three bounds, for each problem, setting and recorded N."""
    c, shrink, first = torch.tensor(SETTINGS, dtype=torch.float64).T.unsqueeze(-1)
    first = torch.where(first == JUST_REJECTED, 2 * (1 - c) * (1 + 1e-6), first)
    frames = []
    for (name, problem), growth in product(deterministic(seed).items(), GROWTHS):
        L, mu, Delta = (float(v) for v in (problem.constants.smoothness, problem.constants.pl, problem.initial_gap))
        R = np.inf if problem.minimizer is None or not problem.constants.convex else float(problem.radius)
        solver, a_min = Armijo(first / L, c, shrink, growth, trials=100), torch.minimum(first, 2 * (1 - c) * shrink) / L
        x, oracle, squares, shortest = problem.starts(len(SETTINGS)), Oracle.full(problem), 0.0, math.inf
        state = solver.init(x)
        for N in range(1, horizon + 1):
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


def line_search(budget: Budget, *cases: str, factor: float = 1.0) -> Verdict:
    found = searched(budget.seed, budget.pick(20, 200))
    return all_of({case: judged(found[found["bound for"] == case], factor) for case in cases}).showing(
        judged(found[found["bound for"].isin(cases)]).table
    )


@claim(
    kind="lower bound",
    source="S3; Armijo (1966)",
    planted={"steps twice as long": lambda budget: line_search(budget, "step", factor=2.0)},
)
def accepted_step(budget: Budget) -> Verdict:
    """S3: Armijo backtracking accepts no step below a_min = min{initial, 2(1-c) shrink/L}, on every deterministic problem,
    for c = 1/4, 1/2, 9/10, shrink = 1/2, 4/5, initial = 0.1/L, 0.5/L, 10/L or just above 2(1-c)/L, anew or from twice the
    last step: in 20 steps (full: 200), as long as the gap is far above rounding."""
    return line_search(budget, "step")


@claim(
    kind="upper bound",
    source="S3; derived in the docstring",
    planted={
        "any f, bound halved": lambda budget: line_search(budget, "any f", factor=2.0),
        "PL, bound halved": lambda budget: line_search(budget, "PL", factor=2.0),
        "convex, bound over 2.5": lambda budget: line_search(budget, "convex", factor=2.5),
    },
)
def line_search_converges(budget: Budget) -> Verdict:
    """S3: GD with the line searches of `accepted_step` converges, on every deterministic problem: the mean of
    ||grad f||^2 over N steps is at most Delta/(c a_min N); f(x_N) - f* at most R^2/(2 a_min N) on convex functions with a
    minimizer if c >= 1/2, and at most (1 - 2 mu c a_min)^N Delta on PL functions, for N up to 20 (full: 200)."""
    return line_search(budget, "any f", "convex", "PL")


@cache
def costs(seed: int, limit: int) -> pd.DataFrame:
    """Steps and evaluations to each accuracy on every problem: with the constant step 1/L, and searching (c = 1/4,
    halving, from twice the last step, first from 1/L). Accuracies not reached, or below what is reliable, are left out.
    With c = 1/2 rounding would decide on quadratics, where the step 1/L then attains the condition with equality."""
    rows = []
    for name, problem in deterministic(seed).items():
        L, Delta = float(problem.constants.smoothness), float(problem.initial_gap)
        fixed = cost_to(GradientDescent(1 / L), problem, Delta * ACCURACIES, limit)
        search = cost_to(Armijo(1 / L, c=0.25, growth=2.0), problem, Delta * ACCURACIES, limit)
        for eps, a, b in zip(ACCURACIES, fixed, search, strict=False):
            if eps * Delta > RELIABLE * float(problem.floor):
                rows.append((name, eps, *a, *b, a[1] / b[1]))
    columns = ["problem", "accuracy", "steps", "evaluations", "steps, search", "evaluations, search", "saving"]
    return pd.DataFrame(rows, columns=columns)


def cost_to(solver, problem: FiniteSum, thresholds: np.ndarray, limit: int) -> list[tuple[int, int]]:
    """(steps, evaluations) when the gap first reaches each falling threshold, as far as it does within `limit` steps."""
    oracle, found = Oracle.full(problem), []
    for k, x in zip(range(limit + 1), iterates(solver, oracle, problem.start), strict=False):
        gap = float(problem.gap(x))
        while len(found) < len(thresholds) and gap <= thresholds[len(found)]:
            found.append((k, oracle.calls + oracle.values))
        if len(found) == len(thresholds):
            break
    return found


def saves(factor: float, budget: Budget, names: tuple[str, ...], accuracy: float) -> Verdict:
    """Evaluations with search against those with the constant step over `factor`, at one accuracy."""
    found = costs(budget.seed, budget.pick(4_000, 40_000))
    kept = found[found["problem"].isin(names) & np.isclose(found["accuracy"], accuracy)]
    return judged_saving(kept, factor, len(names)).showing(found)


def judged_saving(kept: pd.DataFrame, factor: float, wanted: int) -> Verdict:
    """Every one of the `wanted` records needs at most 1/factor of the evaluations with the constant step."""
    if len(kept) < wanted:  # not all of them were solved
        return Verdict("inconclusive", {"solved": float(len(kept))})
    verdict = bound_holds(kept["evaluations, search"], kept["evaluations"] / factor)
    return verdict.noting(least_saving=kept["saving"].min(), largest_saving=kept["saving"].max())


@claim(
    kind="cost",
    source="S3; theory/witnesses.py for the constant step on |x|^p and softplus",
    planted={
        "also on well-conditioned least squares": lambda b: saves(5, b, (*FLAT, "least squares"), 1e-4),
        "a thousand times fewer": lambda b: saves(1000, b, FLAT, 1e-4),
    },
)
def pays_where_curvature_vanishes(budget: Budget) -> Verdict:
    """S3: Where the curvature along the way falls far below L a line search pays: on |x|^4, |x|^8 and log(1 + e^-x) the
    one with c = 1/4, halving, from twice the last step (first 1/L), reaches the relative accuracy 10^-4 with at least 5
    times fewer evaluations of f and its gradient than the constant step 1/L."""
    return saves(5, budget, FLAT, 1e-4)


@cache
def on_real_data(seed: int, limit: int) -> pd.DataFrame:
    """Evaluations to the relative accuracy 10^-3 with the constant step 1/L and with each of SEARCHES, first from 1/L."""
    rows = []
    for name in REAL:
        problem = deterministic(seed)[name]
        a, threshold = 1 / float(problem.constants.smoothness), np.array([1e-3 * float(problem.initial_gap)])
        fixed = cost_to(GradientDescent(a), problem, threshold, limit)
        for growth, c, shrink in SEARCHES:
            search = cost_to(Armijo(a, c, shrink, growth), problem, threshold, limit)
            rows += [
                (name, growth, c, shrink, before, after, before / after)
                for (_, before), (_, after) in zip(fixed, search, strict=False)
            ]
    columns = ["problem", "growth", "c", "shrink", "evaluations", "evaluations, search", "saving"]
    return pd.DataFrame(rows, columns=columns)


def every_search_saves(factor: float, budget: Budget) -> Verdict:
    found = on_real_data(budget.seed, budget.pick(4_000, 40_000))
    verdict = judged_saving(found, factor, len(REAL) * len(SEARCHES)).showing(found)
    least = found.groupby(["growth", "c", "shrink"])["saving"].min()
    return verdict.noting(searches=float(len(least)), searches_that_do=float((least >= factor).sum()))


def one_search_saves(factor: float, budget: Budget) -> Verdict:
    """The one of SEARCHES that saves most where it saves least."""
    found = on_real_data(budget.seed, budget.pick(4_000, 40_000))
    if len(found) < len(REAL) * len(SEARCHES):
        return Verdict("inconclusive", {"solved": float(len(found))}).showing(found)
    settings = ["growth", "c", "shrink"]
    best = found.groupby(settings)["saving"].min().idxmax()
    kept = found.set_index(settings).loc[[best]]
    return judged_saving(kept, factor, len(REAL)).showing(found).noting(**dict(zip(settings, best, strict=True)))


@claim(
    kind="cost",
    source="S3; as one might hope, without a theorem",
    planted={"a hundred times fewer": lambda budget: every_search_saves(100, budget)},
)
def halves_the_cost_on_real_data(budget: Budget) -> Verdict:
    """S3: On regularized logistic regression on real data (breast cancer, digits 3/8, digits odd/even) a line search at
    least halves the evaluations of f and its gradient that the constant step 1/L needs to the relative accuracy 10^-3,
    with each of 8 settings: c = 1/10 or 1/2, shrink = 1/2 or 4/5, from 5/4 or 2 times the last step (first 1/L)."""
    return every_search_saves(2, budget)


@claim(
    kind="cost",
    source="S3; as one might hope, without a theorem",
    planted={"one of them saves a factor 5": lambda budget: one_search_saves(5, budget)},
)
def a_chosen_search_halves_the_cost_on_real_data(budget: Budget) -> Verdict:
    """S3: One of the 8 settings of `halves_the_cost_on_real_data`, the same for its three problems but chosen in hindsight,
    at least halves the evaluations that the constant step 1/L needs to the relative accuracy 10^-3."""
    return one_search_saves(2, budget)


def cost_when_never_rejected(budget: Budget, per_step: int, first: int, steps: int = 20) -> Verdict:
    """Evaluations of N = 1, ..., steps steps of a search that starts from 1/L with c = 1/4 against per_step N + first; -1,
    censored, where its iterates are not GD's."""
    counted, expected = [], per_step * np.arange(1, steps + 1) + first
    for problem in deterministic(budget.seed).values():
        a, at = 1 / float(problem.constants.smoothness), range(1, steps + 1)
        found = run(Armijo(a, c=0.25), Oracle.full(problem), problem.start, steps, lambda x: x, at)
        fixed = run(GradientDescent(a), Oracle.full(problem), problem.start, steps, lambda x: x, at)
        same = torch.equal(found.values, fixed.values)
        counted.append(np.add(found.calls, found.value_queries) if same else np.full(steps, -1))
    return equals_exactly(np.stack(counted), np.stack([expected] * len(counted)))


@claim(
    kind="cost",
    source="S3; descent lemma",
    planted={
        "the search is free": lambda budget: cost_when_never_rejected(budget, 1, 0),
        "f(x_0) is known": lambda budget: cost_when_never_rejected(budget, 2, 0),
        "f(x_k) is asked for anew": lambda budget: cost_when_never_rejected(budget, 3, 0),
    },
)
def costs_where_it_gains_nothing(budget: Budget) -> Verdict:
    """S3: A line search that starts every step from 1/L with c = 1/4 accepts the first trial always: it makes the steps of
    GD with the step 1/L, and N of them cost exactly 2N + 1 evaluations instead of N, a gradient and a value each and the
    value at the start: for N = 1, ..., 20 on every deterministic problem."""
    return cost_when_never_rejected(budget, 2, 1)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    rows = []
    for name, group in verdicts["pays_where_curvature_vanishes"].table.groupby("problem", sort=False):
        saving = {round(-np.log10(eps)): f"{s:.2g}" for eps, s in zip(group["accuracy"], group["saving"], strict=True)}
        last = group.iloc[-1]
        row = {"problem": name, "finest reached": f"$10^{{-{max(saving)}}}$", "steps $1/L$": int(last["steps"])}
        row |= {"steps, search": int(last["steps, search"]), "evaluations": int(last["evaluations, search"])}
        rows.append(row | {rf"saving at $10^{{-{k}}}$": saving.get(k, "--") for k in (1, 2, 4, 6)})
    return {"cost": pd.DataFrame(rows)}


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, ax = plt.subplots(figsize=(5.6, 3.8), layout="constrained")
    figure.set_label(
        "What a line search saves: evaluations that GD needs with the constant step 1/L over those with Armijo "
        "backtracking (c = 1/4, halving, from twice the last step), against the accuracy. Horizontal lines: no gain, and "
        "1/2, which a search that makes N steps 1/L itself approaches from below, N/(2N + 1). Deterministic, hence without "
        "intervals."
    )
    found = verdicts["pays_where_curvature_vanishes"].table
    shown = ("power 4", "softplus", "breast cancer, l2", "digits odd/even, l2", "diabetes", "sine", "unit parabola")
    for name, marker in zip(shown, "osD^vPX", strict=True):
        group = found[found["problem"] == name]
        ax.plot(group["accuracy"], group["saving"], marker=marker, ms=4, lw=0.8, label=name)
    ax.axhline(1, color="0.3", lw=1)
    ax.axhline(1 / 2, color="0.3", lw=1, ls=":")
    ax.set(xscale="log", yscale="log", xlabel="accuracy (f - f*)/Delta", ylabel="evaluations, 1/L over search")
    ax.invert_xaxis()
    ax.legend(frameon=False, fontsize="small", ncols=2)
    return {"saving": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
