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
constant is L R^2/(4N+2), about half. Cost is counted in evaluations of f or its gradient, of n components each; Armijo
as implemented asks for f(x_k) anew at every step.

Sources: L. Armijo (1966); B. T. Polyak (1963); elementary, derived above.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from problems.catalogue import catalogue
from problems.oracle import Oracle
from problems.problem import FiniteSum
from problems.quadratics import quadratic
from solvers.gradient_descent import GradientDescent
from solvers.line_search import Armijo
from solvers.solver import iterates, run
from studies.claims import Budget, Verdict, claim
from studies.judges import agrees, bound_holds, equals_exactly

RELIABLE = 1e8  # floors: so far above its floor a gap is exact to 1e-4, and comparing two of them means something
STEPS = (0.1, 0.5, 1.0, 1.5, 1.9)  # h of the constant steps
JUST_REJECTED = -1.0  # stands for a first trial 2 (1-c)/L (1 + 1e-6)
SETTINGS = tuple(product((0.25, 0.5, 0.9), (0.5, 0.8), (0.1, 1.0, 30.0, JUST_REJECTED)))  # c, shrink, initial L
GROWTHS = (None, 2.0)  # restart every search from `initial`, or from twice the last step


@cache
def deterministic(seed: int) -> dict[str, FiniteSum]:
    """Every problem of the catalogue without added noise, and the parabola on which bounds are attained."""
    found = {name: p for name, p in catalogue(seed).items() if not name.endswith("noisy")}
    kept = {name: p for name, p in found.items() if "nois" not in name and "probabilistic" not in name}
    return {"unit parabola": quadratic(torch.ones(1), torch.ones(1))} | kept


def squares(problem: FiniteSum):
    return lambda x: problem.grad(x).square().sum(-1)


def constant_steps(budget: Budget, steps=STEPS, value=lambda h: 2 / (h * (2 - h))) -> Verdict:
    """The mean of ||grad f||^2 against value(h) L Delta/N on every problem, N up to 300 (quick) or 3000 (full)."""
    h = torch.tensor(steps, dtype=torch.float64)
    rows = []
    for name, problem in deterministic(budget.seed).items():
        L, Delta = float(problem.constants.smoothness), float(problem.initial_gap)
        solver, x0 = GradientDescent(h.unsqueeze(-1).to(problem.start.device) / L), problem.starts(len(h))
        trace = run(solver, Oracle.full(problem), x0, budget.pick(300, 3000), squares(problem), over="mean")
        for j, values in enumerate(trace.values.T.cpu().numpy()):
            bound = value(steps[j]) * L * Delta / (np.array(trace.steps) + 1)
            rows += [(name, steps[j], k + 1, m, b) for k, m, b in zip(trace.steps, values, bound, strict=True)]
    return worst(pd.DataFrame(rows, columns=["problem", "h", "N", "measured", "bound"]), ["problem", "h"])


def worst(records: pd.DataFrame, by: list[str], floor=0.0) -> Verdict:
    """Judge all records; the table keeps the one with the largest measured/bound of each group."""
    verdict = bound_holds(records["measured"], records["bound"], floor)
    records = records.assign(power=records["measured"] / records["bound"])
    return verdict.showing(records.loc[records.groupby(by, sort=False)["power"].idxmax()])


@claim(
    kind="upper bound",
    source="S3; Polyak (1963)",
    planted={
        "bound halved": lambda budget: constant_steps(budget, value=lambda h: 1 / (h * (2 - h))),
        "the step 3/L is safe as well": lambda budget: constant_steps(budget, (3.0,), value=lambda h: 2.0),
    },
)
def constant_step_below_two_over_L(budget: Budget) -> Verdict:
    """S3: GD with any constant step h/L, 0 < h < 2, converges: (1/N) sum_{k<N} ||grad f(x_k)||^2 <= 2 L Delta/(h(2-h) N),
    on every deterministic problem, convex or not, real data included, for h = 0.1, 0.5, 1, 1.5, 1.9."""
    return constant_steps(budget)


def falls(h: Tensor, steps: int = 20) -> Tensor:
    """Gaps (steps + 1, h) of GD with step h/L on L x^2/2."""
    problem = quadratic(torch.ones(1), torch.ones(1))
    solver = GradientDescent(h.unsqueeze(-1))
    return run(solver, Oracle.full(problem), problem.starts(len(h)), steps, problem.gap, at=range(steps + 1)).values


H = torch.tensor([0.1, 0.5, 0.9, 1.1, 1.5, 1.9, 1.99, 2.01, 2.1, 2.5, 3.0], dtype=torch.float64)


def threshold_is(limit: float) -> Verdict:
    gaps = falls(H)
    return equals_exactly((gaps[-1] < gaps[0]).int().tolist(), (limit > H).int().tolist())


@claim(
    kind="exact",
    source="S3; elementary",
    planted={
        "the limit is 1/L": lambda budget: threshold_is(1.0),
        "the limit is 3/L": lambda budget: threshold_is(3.0),
        "the gap falls like (1-h)^k": lambda budget: agrees(falls(H)[1:], (1 - H).abs() ** torch.arange(1, 21)[:, None] / 2),
    },
)
def two_over_L_is_the_limit(budget: Budget) -> Verdict:
    """S3: On L x^2/2 the gap after k steps h/L is exactly (1-h)^{2k} Delta: it vanishes below the step 2/L and diverges
    above, for 11 values of h from 0.1 to 3, 1.99 and 2.01 among them."""
    k = torch.arange(1, 21)[:, None]
    verdict = agrees(falls(H)[1:], (1 - H) ** (2 * k) / 2)
    return verdict if threshold_is(2.0).outcome == "supported" else threshold_is(2.0)


@cache
def searched(budget: Budget) -> pd.DataFrame:
    """One row for each problem, setting of the line search and recorded step N: a_N, gap, mean of ||grad f||^2, a_min."""
    frames = []
    c, shrink, first = torch.tensor(SETTINGS, dtype=torch.float64).T.unsqueeze(-1)
    first = torch.where(first == JUST_REJECTED, 2 * (1 - c) * (1 + 1e-6), first)
    for (name, problem), growth in product(deterministic(budget.seed).items(), GROWTHS):
        constants, measure = problem.constants, squares(problem)
        L, R = float(constants.smoothness), float(problem.radius) if problem.minimizer is not None else np.nan
        a_min = torch.minimum(first, 2 * (1 - c) * shrink) / L
        solver = Armijo(first / L, c, shrink, growth, trials=100)
        x, oracle = problem.starts(len(SETTINGS)), Oracle.full(problem)
        state, total, horizon = solver.init(x), 0.0, budget.pick(60, 400)
        for N in range(1, horizon + 1):
            before, total = problem.gap(x), total + measure(x)
            x, state = solver.step(x, state, oracle)
            if N in (1, 2, 3, 5, 10, 20, 40, 60, 100, 200, horizon):
                columns = (before, state.lr, problem.gap(x), total / N, c, a_min)
                frame = pd.DataFrame(
                    torch.stack([t.flatten() for t in columns], -1).cpu().numpy(),
                    columns=["before", "step", "gap", "square", "c", "a_min"],
                )
                frames.append(frame.assign(
                    problem=name, N=N, L=L, mu=float(constants.pl), convex=constants.convex, R=R,
                    Delta=float(problem.initial_gap), floor=RELIABLE * float(problem.floor),
                ))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def accepted(budget: Budget, factor: float = 1.0) -> Verdict:
    """1/a_k against 1/(factor a_min), wherever f can be compared reliably."""
    found = searched(budget)
    found = found[found["before"] > found["floor"]]
    found = found.assign(measured=1 / (found["step"] * found["L"]), bound=1 / (factor * found["a_min"] * found["L"]))
    return worst(found[["problem", "N", "c", "measured", "bound"]], ["problem"])


@claim(
    kind="lower bound",
    source="S3; Armijo (1966)",
    planted={"steps twice as long": lambda budget: accepted(budget, 2.0)},
)
def accepted_step(budget: Budget) -> Verdict:
    """S3: Armijo backtracking never accepts a step below min{initial, 2(1-c) shrink/L}, on every deterministic problem,
    c = 1/4, 1/2, 9/10, shrink = 1/2, 4/5, initial from 0.1/L to 30/L, restarted or grown from the last step."""
    return accepted(budget)


def converges(case: str, budget: Budget, factor: float = 1.0) -> Verdict:
    """The bound of one class of functions with factor a_min in place of a_min."""
    found = searched(budget)
    a, N, Delta = factor * found["a_min"], found["N"], found["Delta"]
    kept, measured, bound = {
        "any f": (found["N"] > 0, found["square"], Delta / (found["c"] * a * N)),
        "convex": (found["convex"] & (found["c"] >= 0.5) & found["R"].notna(), found["gap"], found["R"] ** 2 / (2 * a * N)),
        "PL": (found["mu"] > 0, found["gap"], (1 - 2 * found["mu"] * found["c"] * a).clip(lower=0) ** N * Delta),
    }[case]
    floor = found["floor"] if case != "any f" else 0.0 * N
    records = pd.DataFrame({"problem": found["problem"], "N": N, "c": found["c"], "measured": measured, "bound": bound})
    return worst(records[kept & (measured > floor)], ["problem"])


@claim(
    kind="upper bound",
    source="S3; derived in the docstring",
    planted={"a_min doubled": lambda budget: converges("any f", budget, 2.0)},
)
def line_search_on_any_function(budget: Budget) -> Verdict:
    """S3: GD with Armijo backtracking converges: (1/N) sum_{k<N} ||grad f(x_k)||^2 <= Delta/(c a_min N), on every
    deterministic problem and for every setting of `accepted_step`."""
    return converges("any f", budget)


@claim(
    kind="upper bound",
    source="S3; derived in the docstring",
    planted={"a_min times 2.5": lambda budget: converges("convex", budget, 2.5)},
)
def line_search_on_convex_functions(budget: Budget) -> Verdict:
    """S3: With Armijo backtracking, c >= 1/2, f(x_N) - f* <= R^2/(2 a_min N) on every convex problem with a minimizer;
    no instance attains it, the worst known reach half of it."""
    return converges("convex", budget)


@claim(
    kind="upper bound",
    source="S3; derived in the docstring",
    planted={"a_min doubled": lambda budget: converges("PL", budget, 2.0)},
)
def line_search_on_pl_functions(budget: Budget) -> Verdict:
    """S3: With Armijo backtracking f(x_N) - f* <= (1 - 2 mu c a_min)^N Delta on every problem with a PL constant, convex
    or not."""
    return converges("PL", budget)


ACCURACIES = np.logspace(-1, -6, 6)  # of the gap, relative to Delta


@cache
def costs(budget: Budget) -> pd.DataFrame:
    """Steps and evaluations to each accuracy on every problem: constant step 1/L, and Armijo with c = 1/2, halving,
    each search from twice the last step (the first from 1/L)."""
    limit, rows = budget.pick(3_000, 100_000), []
    for name, problem in deterministic(budget.seed).items():
        L, Delta = float(problem.constants.smoothness), float(problem.initial_gap)
        solvers = {"constant": GradientDescent(1 / L), "line search": Armijo(1 / L, growth=2.0)}
        reached = {key: cost_to(solver, problem, Delta * ACCURACIES, limit) for key, solver in solvers.items()}
        for j, eps in enumerate(ACCURACIES):
            (steps, cost), (searched_steps, searched_cost) = reached["constant"][j], reached["line search"][j]
            if steps > 0 and searched_steps > 0 and eps * Delta > RELIABLE * float(problem.floor):
                rows.append((name, eps, steps, cost, searched_steps, searched_cost, cost / searched_cost))
    columns = ["problem", "accuracy", "steps", "evaluations", "steps, search", "evaluations, search", "saving"]
    return pd.DataFrame(rows, columns=columns)


def cost_to(solver, problem: FiniteSum, thresholds: np.ndarray, limit: int) -> list[tuple[int, int]]:
    """(steps, evaluations) when the gap first reaches each threshold; (-1, -1) if it does not within `limit` steps."""
    oracle, waiting, found = Oracle.full(problem), list(thresholds), []
    for k, x in zip(range(limit + 1), iterates(solver, oracle, problem.start), strict=False):
        gap = float(problem.gap(x))
        while waiting and gap <= waiting[0]:
            waiting.pop(0)
            found.append((k, oracle.calls + oracle.values))
        if not waiting:
            break
    return found + [(-1, -1)] * len(waiting)
