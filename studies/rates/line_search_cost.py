r"""What does a line search cost, and where does it pay?

    constant step 1/L       N steps cost N evaluations
    Armijo backtracking     N steps with T trials altogether cost N gradients, T values and f(x_0); at least 2N + 1

Cost is counted in evaluations of f or its gradient, of n components each. A search that accepts every first trial 1/L makes
the steps of gradient descent and so pays twice for nothing; it pays where the curvature along the way falls far below L.
On real data some searches halve the cost and others do not. That the searches converge: `line_search`.

Sources: L. Armijo (1966); theory/witnesses.py for the constant step on |x|^p and softplus.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.line_search import Armijo
from ratewitness.solvers.solver import Solver, iterates, run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import bound_holds, equals_exactly
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.rates.deterministic_problems import RELIABLE, deterministic

SEARCHES = tuple(product((1.25, 2.0), (0.1, 0.5), (0.5, 0.8)))  # growth, c, shrink of the searches on real data
ACCURACIES = np.logspace(-1, -6, 6)  # of the gap, relative to Delta
FLAT = ("power 4", "power 8", "softplus")
REAL = ("breast cancer, l2", "digits 3/8, l2", "digits odd/even, l2")


def cost_to(solver: Solver, problem: FiniteSum, accuracies: np.ndarray, budget: Budget) -> list[tuple[int, int]]:
    """(steps, evaluations) when the gap first reaches each falling accuracy, as far as it does in 4,000 steps (40,000)."""
    oracle, found, thresholds = Oracle.full(problem), [], float(problem.initial_gap) * accuracies
    for k, x in zip(range(budget.pick(4_000, 40_000) + 1), iterates(solver, oracle, problem.start), strict=False):
        gap = float(problem.gap(x))
        while len(found) < len(thresholds) and gap <= thresholds[len(found)]:
            found.append((k, oracle.calls + oracle.values))
        if len(found) == len(thresholds):
            break
    return found


def saves(kept: pd.DataFrame, factor: float, wanted: int) -> Verdict:
    """Every one of the `wanted` records needs at most 1/factor of the evaluations with the constant step."""
    if len(kept) < wanted:  # not all of them were solved
        return Verdict("inconclusive", {"solved": float(len(kept))})
    verdict = bound_holds(kept["evaluations, search"], kept["evaluations"] / factor)
    return verdict.noting(least_saving=kept["saving"].min(), largest_saving=kept["saving"].max())


@measured
def costs(budget: Budget) -> pd.DataFrame:
    """Steps and evaluations to each accuracy on every problem: with the constant step 1/L, and searching (c = 1/4,
    halving, from twice the last step, first from 1/L). Accuracies not reached, or below what is reliable, are left out.
    With c = 1/2 rounding would decide on quadratics, where the step 1/L then attains the condition with equality."""
    rows = []
    for name, problem in deterministic(budget.seed).items():
        a = 1 / float(problem.constants.smoothness)
        fixed = cost_to(GradientDescent(a), problem, ACCURACIES, budget)
        search = cost_to(Armijo(a, c=0.25, growth=2.0), problem, ACCURACIES, budget)
        for eps, before, after in zip(ACCURACIES, fixed, search, strict=False):
            if eps * float(problem.initial_gap) > RELIABLE * float(problem.floor):
                rows.append((name, eps, *before, *after, before[1] / after[1]))
    columns = ["problem", "accuracy", "steps", "evaluations", "steps, search", "evaluations, search", "saving"]
    return pd.DataFrame(rows, columns=columns)


@claim("cost", "S3; theory/witnesses.py for the constant step on |x|^p and softplus")
@planted("also on well-conditioned least squares", names=(*FLAT, "least squares"))
@planted("12 times fewer", factor=12)
def pays_where_curvature_vanishes(budget: Budget, factor: float = 5, names=FLAT) -> Verdict:
    """S3, refined: A line search needs at least 5 times fewer evaluations than the step 1/L where the curvature along the
    way falls far below L.

    On |x|^4, |x|^8 and log(1 + e^-x) the search has c = 1/4, halving, from twice the last step (first 1/L). Evaluations of f
    and its gradient are counted, to the relative accuracy 10^-4.
    """
    found = costs(budget)
    kept = found[found["problem"].isin(names) & np.isclose(found["accuracy"], 1e-4)]
    return saves(kept, factor, len(names)).showing(found)


@measured
def on_real_data(budget: Budget) -> pd.DataFrame:
    """Evaluations to the relative accuracy 10^-3 with the constant step 1/L and with each of SEARCHES, first from 1/L."""
    rows, accuracy = [], np.array([1e-3])
    for name in REAL:
        problem = deterministic(budget.seed)[name]
        a = 1 / float(problem.constants.smoothness)
        fixed = cost_to(GradientDescent(a), problem, accuracy, budget)
        for growth, c, shrink in SEARCHES:
            search = cost_to(Armijo(a, c, shrink, growth), problem, accuracy, budget)
            for (_, before), (_, after) in zip(fixed, search, strict=False):
                rows.append((name, growth, c, shrink, before, after, before / after))
    columns = ["problem", "growth", "c", "shrink", "evaluations", "evaluations, search", "saving"]
    return pd.DataFrame(rows, columns=columns)


@claim("cost", "S3; as one might hope, without a theorem")
@planted("none of them halves it", lambda budget: bound_holds(on_real_data(budget)["saving"], 2.0))
def halves_the_cost_on_real_data(budget: Budget, factor: float = 2) -> Verdict:
    """S3, read as: With every setting of 8 a line search at least halves the evaluations that the step 1/L needs for
    logistic regression on real data.

    For regularized logistic regression on breast cancer, digits 3/8 and digits odd/even, evaluations of f and its gradient
    are counted to the relative accuracy 10^-3. The settings are c = 1/10 or 1/2, shrink = 1/2 or 4/5, from 5/4 or 2 times
    the last step (first 1/L).
    """
    found = on_real_data(budget)
    least = found.groupby(["growth", "c", "shrink"])["saving"].min()
    verdict = saves(found, factor, len(REAL) * len(SEARCHES)).showing(found)
    return verdict.noting(searches=float(len(least)), searches_that_do=float((least >= factor).sum()))


@claim("cost", "S3; as one might hope, without a theorem", units={"growth": "ratio", "c": "ratio", "shrink": "ratio"})
@planted("one of them saves a factor 4", factor=4)
def a_chosen_search_halves_the_cost_on_real_data(budget: Budget, factor: float = 2) -> Verdict:
    """S3, read as: With the setting of 8 that is best in hindsight a line search at least halves the evaluations of the step
    1/L on real data.

    It is one of the 8 settings of `halves_the_cost_on_real_data`, the same for its three problems, to the relative accuracy
    10^-3: the one that saves most where it saves least.
    """
    found, settings = on_real_data(budget), ["growth", "c", "shrink"]
    if len(found) < len(REAL) * len(SEARCHES):
        return Verdict("inconclusive", {"solved": float(len(found))}).showing(found)
    best = found.groupby(settings)["saving"].min().idxmax()
    verdict = saves(found.set_index(settings).loc[[best]], factor, len(REAL))
    return verdict.showing(found).noting(**dict(zip(settings, best, strict=True)))


@claim("cost", "S3; descent lemma")
@planted("the search is free", per_step=1, first=0)
@planted("f(x_0) is known", first=0)
@planted("f(x_k) is asked for anew", per_step=3, first=0)
def costs_where_it_gains_nothing(budget: Budget, per_step: int = 2, first: int = 1) -> Verdict:
    """S3, refined: A line search whose first trials 1/L are all accepted makes the steps of GD, and N of them cost 2N + 1
    evaluations instead of N.

    With c = 1/4, from 1/L at every step, the first trial is accepted always: a gradient and a value a step, and the value at
    the start; for N = 1, ..., 20 on every deterministic problem. A run whose iterates are not those of
    gradient descent with the step 1/L counts as censored.
    """
    counted, N = [], np.arange(1, 21)
    for problem in deterministic(budget.seed).values():
        a = 1 / float(problem.constants.smoothness)
        found = run(Armijo(a, c=0.25), Oracle.full(problem), problem.start, N[-1], lambda x: x, N)
        fixed = run(GradientDescent(a), Oracle.full(problem), problem.start, N[-1], lambda x: x, N)
        same = torch.equal(found.values, fixed.values)
        counted.append(np.add(found.calls, found.value_queries) if same else np.full(len(N), -1))
    return equals_exactly(np.stack(counted), np.stack([per_step * N + first] * len(counted)))


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    rows = []
    for name, group in verdicts["pays_where_curvature_vanishes"].table.groupby("problem", sort=False):
        saving = {round(-np.log10(eps)): f"{s:.2g}" for eps, s in zip(group["accuracy"], group["saving"], strict=True)}
        last = group.iloc[-1]
        row = {"problem": name, "finest reached": f"$10^{{-{max(saving)}}}$", "steps $1/L$": int(last["steps"])}
        row |= {"steps, search": int(last["steps, search"]), "evaluations": int(last["evaluations, search"])}
        rows.append(row | {rf"saving at $10^{{-{k}}}$": saving.get(k, "--") for k in (1, 2, 4, 6)})
    return {"cost": pd.DataFrame(rows)}


LOOKS = {
    "power 4": "C0o-", "softplus": "C1s-", "breast cancer": "C2D-", "digits odd/even": "C3^-", "diabetes": "C4v-",
    "sine": "C5P-", "unit parabola": "C6X-",
}  # fmt: skip


def figures(verdicts: dict[str, Verdict]) -> dict:
    caption = (
        "What a line search saves: evaluations that GD needs with the constant step $1/L$ over those with Armijo "
        "backtracking ($c = 1/4$, halving, from twice the last step), against the accuracy. A search that makes $N$ steps "
        "$1/L$ itself, no trial rejected, saves $N/(2N + 1)$, and comes to 1/2 from below. Deterministic: no intervals."
    )
    found = verdicts["pays_where_curvature_vanishes"].table
    found = found.assign(problem=found["problem"].str.removesuffix(", l2"))
    options = {"xlim": (2e-1, 5e-7)}  # from coarse to fine
    axes = {"x": "accuracy", "y": "saving", "by": "problem", "xlabel": r"$(f - f^*)/\Delta$", "ylabel": "saving"}
    levels = {"no gain": 1.0, "no trial rejected": 1 / 2}
    return {"saving": panels(caption, LOOKS, [Panel(found, **axes, levels=levels, options=options)], height=3.6)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
