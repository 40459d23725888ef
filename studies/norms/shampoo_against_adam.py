r"""Does Shampoo cost more per step than Adam, and does it need fewer steps?

    matrix regression   1/2 ||A^T (W - W*) B||_F^2,  cond(A) = cond(B) = c, hence condition c^4;     softmax regression
    steps until         f(W_k) - f* <= 1e-2 and 1e-4 of its initial value, full gradients, constant steps

Every method takes its best step on every instance and for every target from one grid of 19, three to a decade from 1e-4 to
100; a best step on the edge of the grid never supports a claim. Shampoo comes as in its paper, with sums, and with averages
(beta = 0.95, bias-corrected), both without momentum; Adam with its defaults, hence with momentum. Momentum alone can decide
such a comparison, so that like is compared with like on both sides of it: Shampoo with averages and the momentum of Adam,
beta1 = 0.9, and Adam without momentum, beta1 = 0. Diagonal AdaGrad is what is left of Shampoo with sums without the
Kronecker product. Ratios of steps are judged in natural logarithms.

The seconds to a target are the measured steps times the seconds of a bare step at d = 16, its gradient given: what the
method itself computes, without the problem. On the quick budget the problems are smaller (8 x 8) than the step timed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.data.matrix_regression import random_matrix_regression
from ratewitness.problems.data.softmax import random_softmax
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.norms.shampoo import Shampoo, Statistics
from ratewitness.solvers.solver import CENSORED, iterates
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, exceeds, exponent_is, interval
from ratewitness.studies.measuring.drawing import whiskers
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

GRID = torch.logspace(-4, 2, 19, dtype=torch.float64)
TARGETS = (1e-2, 1e-4)
CONDITIONS = tuple(10.0 ** np.array([0, 0.5, 1, 1.5]))


class Given:
    """An oracle that answers with one gradient."""

    def __init__(self, g: Tensor):
        self.g = g

    def grad(self, x: Tensor) -> Tensor:
        return self.g


@dataclass(frozen=True, eq=False)
class WithMomentum:
    """x - lr L^{-1/4} mhat R^{-1/4}: the statistics are those of the gradients, the direction that of their bias-corrected
    average, as in Adam."""

    shampoo: Shampoo
    beta1: float = 0.9

    def init(self, x: Tensor) -> tuple[Tensor, Statistics]:
        return torch.zeros_like(x), self.shampoo.init(x)

    def step(self, x: Tensor, state: tuple[Tensor, Statistics], oracle) -> tuple[Tensor, tuple[Tensor, Statistics]]:
        g = oracle.grad(x)
        m = self.beta1 * state[0] + (1 - self.beta1) * g
        _, statistics = self.shampoo.step(x, state[1], Given(g))
        mhat = m / (1 - self.beta1**statistics.k)
        return x - self.shampoo.lr * (statistics.left @ mhat @ statistics.right), (m, statistics)


def averaging(lr: Tensor | float) -> Shampoo:
    return Shampoo(lr, eps=1e-12, beta=0.95, bias_correction=True)


SOLVERS = {
    "Shampoo, sums": lambda lr: Shampoo(lr, eps=1e-12),
    "Shampoo, averages": averaging,
    "Shampoo, averages, momentum": lambda lr: WithMomentum(averaging(lr)),
    "Adam": lambda lr: Adam(lr),
    "Adam, no momentum": lambda lr: Adam(lr, beta1=0.0),
    "AdaGrad": lambda lr: AdaGrad(lr),
}


def steps_to_targets(name: str, problem: FiniteSum, limit: int) -> list[tuple[int, bool]]:
    """For each target the first k at which some step of the grid has reached it (else CENSORED), and whether no inner one
    has."""
    lr = GRID.to(problem.start.device).reshape(-1, 1, 1)
    found = {}
    with torch.no_grad():
        x0 = problem.starts(len(GRID))
        for k, x in zip(range(limit + 1), iterates(SOLVERS[name](lr), Oracle.full(problem), x0), strict=False):
            gap = problem.gap(x) / problem.initial_gap
            for target in TARGETS:
                reached = gap <= target  # a NaN has reached nothing
                if target not in found and reached.any():
                    found[target] = (k, not reached[1:-1].any())
            if len(found) == len(TARGETS):
                break
    return [found.get(target, (CENSORED, False)) for target in TARGETS]


def instances(budget: Budget) -> dict[str, list[FiniteSum]]:
    """The problems by name, one instance for each seed."""
    side, seeds = budget.pick(8, 16), range(budget.pick(4, 8))
    more = range(budget.pick(4, 16))
    named = {
        f"regression, c = {c:.3g}": [
            random_matrix_regression(side, side, c, budget.generator("regression", k, f"{c:.3g}")) for k in seeds
        ]
        for c in CONDITIONS
    }
    options = {"l2": 1e-3, "condition": 100.0}
    named["softmax"] = [
        random_softmax(budget.pick(100, 300), 10, 5, budget.generator("softmax", k), **options) for k in more
    ]
    return named


@cache
def measured(budget: Budget) -> pd.DataFrame:
    """Steps of every method to every target on every instance."""
    rows = []
    for problem, seeds in instances(budget).items():
        for name in SOLVERS:
            for seed, instance in enumerate(seeds):
                found = steps_to_targets(name, instance, budget.pick(400, 1000))
                for target, (steps, edge) in zip(TARGETS, found, strict=True):
                    row = {"problem": problem, "method": name, "target": target, "seed": seed}
                    rows.append(row | {"steps": steps, "edge": edge})
    return pd.DataFrame(rows)


def steps_of(budget: Budget, problem: str, method: str, target: float) -> np.ndarray:
    """Steps over the seeds; nan where the limit was reached or the best step is on the edge of the grid."""
    table = measured(budget.shared("shampoo_against_adam"))
    rows = table[(table["problem"] == problem) & (table["method"] == method) & (table["target"] == target)]
    return np.where((rows["steps"] < 0) | rows["edge"], np.nan, rows["steps"])


def saving(budget: Budget, problem: str, target: float, method: str, other: str) -> np.ndarray:
    """Logarithm of how many times as many steps `other` needs, over the seeds."""
    return np.log(steps_of(budget, problem, other, target) / steps_of(budget, problem, method, target))


def fewer(budget: Budget, problems: tuple[str, ...], method: str, other: str, factor: float, targets=TARGETS) -> Verdict:
    """The geometric mean of the steps of `other` over those of `method` is above `factor` on every problem and target."""
    judged = {
        f"{problem}, {target:g}": exceeds(saving(budget, problem, target, method, other), np.log(factor))
        for problem in problems
        for target in targets
    }
    return all_of(judged)


def table_of_steps(budget: Budget) -> pd.DataFrame:
    rows = []
    for (problem, target, method), part in measured(budget.shared("shampoo_against_adam")).groupby(
        ["problem", "target", "method"], sort=False
    ):
        steps = part["steps"].where(part["steps"] >= 0, np.nan).to_numpy()
        mean, low, high = np.exp(interval(np.log(steps)))
        row = {"problem": problem, "target": target, "method": method, "measured": mean, "low": low, "high": high}
        rows.append(row | {"censored": int((part["steps"] < 0).sum()), "on the edge": int(part["edge"].sum())})
    return pd.DataFrame(rows)


REGRESSION = tuple(f"regression, c = {c:.3g}" for c in CONDITIONS)
EVERYWHERE = (*REGRESSION, "softmax")
ILL_CONDITIONED = (*REGRESSION[1:], "softmax")


@claim(
    kind="phenomenon",
    source="S40; Gupta, Koren and Singer (2018), arXiv:1802.09568; Anil et al. (2020), arXiv:2002.09018, for averages",
    planted={"Adam needs fewer than Shampoo": lambda budget: fewer(budget, EVERYWHERE, "Adam", "Shampoo, sums", 1.0)},
)
def fewer_steps_as_stated(budget: Budget) -> Verdict:
    """S40, as stated: Shampoo as in its paper, without momentum, needs fewer steps than Adam with its defaults, beta1 = 0.9,
    whether it sums or averages its statistics, to 1e-2 and to 1e-4 of the initial gap, on matrix regression with c from 1 to
    10^1.5 and on softmax regression: geometric mean of the ratio of steps over seeds above 1 in every case, each method with
    its best step of one grid."""
    forms = {name: fewer(budget, EVERYWHERE, f"Shampoo, {name}", "Adam", 1.0) for name in ("sums", "averages")}
    return all_of(forms).showing(table_of_steps(budget))


@claim(
    kind="phenomenon",
    source="S40; Gupta, Koren and Singer (2018), arXiv:1802.09568",
    planted={
        "Adam needs fewer": lambda budget: fewer(budget, ILL_CONDITIONED, "Adam", "Shampoo, sums", 1.5),
        "averages as well": lambda budget: fewer(budget, ILL_CONDITIONED, "Shampoo, averages", "Adam", 1.5),
        "AdaGrad as well, without the Kronecker product": lambda budget: fewer(
            budget, ILL_CONDITIONED, "AdaGrad", "Adam", 1.5
        ),
    },
)
def fewer_steps_with_sums(budget: Budget) -> Verdict:
    """S40, refined: Shampoo as in its paper, with sums, which shorten its steps by themselves, and without momentum needs
    fewer steps than Adam with beta1 = 0.9 by a factor 1.5 or more (geometric mean over seeds) to both targets on softmax
    regression and on matrix regression with c from 10^0.5 to 10^1.5."""
    return fewer(budget, ILL_CONDITIONED, "Shampoo, sums", "Adam", 1.5).showing(table_of_steps(budget))


@claim(
    kind="phenomenon",
    source="S40; Anil et al. (2020), arXiv:2002.09018, for averages and momentum",
    planted={
        "Adam without momentum as well": lambda budget: fewer(budget, ILL_CONDITIONED, "Adam, no momentum", "Adam", 1.0),
        "by a factor of 10": lambda budget: fewer(budget, ILL_CONDITIONED, "Shampoo, averages, momentum", "Adam", 10.0),
        "Shampoo without momentum as well": lambda budget: fewer(budget, ILL_CONDITIONED, "Shampoo, averages", "Adam", 1.0),
    },
)
def fewer_steps_with_momentum_on_both_sides(budget: Budget) -> Verdict:
    """S40, refined: Like with like (averages of second moments, and momentum 0.9 on both sides), Shampoo needs fewer steps
    than Adam to both targets on softmax regression and on matrix regression with c from 10^0.5 to 10^1.5: geometric mean of
    the ratio of steps over seeds above 1 in every case."""
    return fewer(budget, ILL_CONDITIONED, "Shampoo, averages, momentum", "Adam", 1.0)


def gain_with_condition(budget: Budget, method: str, other: str) -> Verdict:
    """How much larger the saving (a logarithm) is at c = 10^1.5 than at c = 1, to the first target, against log 2."""
    ill, well = (saving(budget, problem, TARGETS[0], method, other) for problem in (REGRESSION[-1], REGRESSION[0]))
    return exceeds(ill - well, np.log(2))


@claim(
    kind="phenomenon",
    source="S40; derived from the shape of the Hessian A A^T (x) B B^T",
    planted={
        "AdaGrad's does over Adam": lambda budget: gain_with_condition(budget, "AdaGrad", "Adam, no momentum"),
        "it falls": lambda budget: gain_with_condition(budget, "Adam, no momentum", "Shampoo, averages"),
    },
)
def gain_grows_with_the_condition(budget: Budget) -> Verdict:
    """S40, refined: Like with like (averages, no momentum, first target), the factor by which Shampoo needs fewer steps than
    Adam at least doubles from c = 1 to c = 10^1.5 on matrix regression, whose Hessian is a Kronecker product in rotated
    axes."""
    return gain_with_condition(budget, "Shampoo, averages", "Adam, no momentum")


# what a step costs


class Flops(TorchDispatchMode):
    """Counts floating-point operations: 2 m k n for a product, 9 d^3 for an eigendecomposition with vectors (Golub and Van
    Loan), and one for each number that any other operation writes."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in ("mm", "bmm"):
            self.count += 2 * args[0].numel() * args[1].shape[-1]
        elif "eigh" in name:
            self.count += 9 * args[0].numel() * args[0].shape[-1]
        elif isinstance(out, Tensor) and not func.is_view and name != "_unsafe_view":
            self.count += out.numel()
        return out


def second_step(name: str, d: int):
    """A function that makes the second step of a method on a d x d matrix, given the gradient."""
    generator = torch.Generator().manual_seed(0)
    g = torch.randn(2, d, d, generator=generator, dtype=torch.float64)

    solver, x = SOLVERS[name](0.1), torch.zeros_like(g[0])
    oracle = Given(g[1])
    x, state = solver.step(g[0], solver.init(x), oracle)
    return lambda: solver.step(x, state, oracle)


def flops(name: str, d: int) -> int:
    step = second_step(name, d)
    with Flops() as counted:
        step()
    return counted.count


SIDES = np.array([12, 16, 24, 32, 48, 64, 96, 128, 192])


@cache
def operations() -> pd.DataFrame:
    return pd.DataFrame({"d": SIDES} | {name: [flops(name, int(d)) for d in SIDES] for name in ("Adam", "Shampoo, sums")})


def costs(shampoo: float, adam: float) -> Verdict:
    """Exponents of the flops of a step in d, and the ratio at the smallest d against 10."""
    table = operations()
    ratio = table["Shampoo, sums"] / table["Adam"]
    slopes = {
        name: exponent_is(1 / SIDES, table[name], exponent, 0.1, decades=1.2)
        for name, exponent in (("Shampoo, sums", shampoo), ("Adam", adam))
    }
    at_least = Verdict("supported" if ratio.min() >= 10 else "refuted", {"least": ratio.min(), "largest": ratio.max()})
    return all_of(slopes | {"ratio": at_least}).showing(table.assign(ratio=ratio))


@claim(
    kind="cost",
    source="S40; counted operation by operation; 9 d^3 for an eigendecomposition: Golub and Van Loan",
    planted={
        "Shampoo like d^2": lambda budget: costs(2.0, 2.0),
        "Adam like d^3": lambda budget: costs(3.0, 3.0),
    },
)
def flops_of_a_step(budget: Budget) -> Verdict:
    """S40: A step of Shampoo on a d x d matrix costs of the order of d^3 operations and one of Adam d^2, exponents 3 and 2
    +- 0.1 from d = 12 to 192, and Shampoo's at least ten times as many at every d."""
    return costs(3.0, 2.0)


ROUNDS = 3


@cache
def timed(budget: Budget) -> pd.DataFrame:
    """Least seconds of a step over the repeats of each round, on the CPU."""
    rows = []
    with torch.device("cpu"):
        for k in range(ROUNDS):
            for d in (16, 64, 128):
                row = {"round": k, "d": d}
                for name in ("Adam", "Shampoo, sums"):
                    step, best = second_step(name, d), np.inf
                    for _ in range(budget.pick(10, 40)):
                        begin = time.perf_counter()
                        step()
                        best = min(best, time.perf_counter() - begin)
                    row[name] = best
                rows.append(row)
    return pd.DataFrame(rows)


def slower(budget: Budget, method: str, other: str, factor: float) -> Verdict:
    """A step of `method` takes more than `factor` times as long as one of `other`, in every round; refuted if it does in
    none for some size; evidence without any measured time."""
    table = timed(budget.shared("shampoo_against_adam"))
    missed = [~(part[method] > factor * part[other]).to_numpy() for _, part in table.groupby("d")]
    refuted = any(size.all() for size in missed)
    outcome = "refuted" if refuted else "inconclusive" if np.any(missed) else "supported"
    return Verdict(outcome, {"factor": factor, "rounds": float(ROUNDS), "sizes": float(len(missed))}).showing(table)


@claim(
    kind="cost",
    source="S40; timed on one CPU core",
    planted={
        "Adam's step takes longer": lambda budget: slower(budget, "Adam", "Shampoo, sums", 1.0),
        "a factor of 10^4": lambda budget: slower(budget, "Shampoo, sums", "Adam", 1e4),
    },
)
def time_of_a_step(budget: Budget) -> Verdict:
    """S40: A step of Shampoo takes more than twice as long as one of Adam on d x d matrices, d = 16, 64 and 128, in each of
    3 rounds of timing (least of 10, full: 40, repeats, float64, one CPU core)."""
    return slower(budget, "Shampoo, sums", "Adam", 2.0)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    table = verdicts["fewer_steps_as_stated"].table
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.8), sharey=True, layout="constrained")
    figure.set_label(
        "Steps to 1e-2 and 1e-4 of the initial gap on matrix regression against the condition number c of both factors (c^4 "
        "of the problem), every method with its best step of one grid: geometric means over seeds with 99 % intervals. "
        "Hollow: where the best step of some seed is on the edge of the grid. Left out: where a seed did not reach the "
        "target in 1000 (quick: 400) steps."
    )
    for ax, target in zip(axes, TARGETS, strict=True):
        for k, name in enumerate(SOLVERS):
            part = table[(table["method"] == name) & (table["target"] == target)].set_index("problem").loc[[*REGRESSION]]
            c = np.array(CONDITIONS) * 1.04 ** (k - 2.5)
            style = {"fmt": "osv^DP"[k] + "-", "ms": 4, "lw": 0.8, "color": f"C{k}", "label": name}
            ax.errorbar(c, part["measured"], whiskers(part), **style)
            edge = (part["on the edge"] > 0).to_numpy()
            hollow = {"marker": "osv^DP"[k], "ms": 4, "ls": "", "color": f"C{k}", "mfc": "white", "zorder": 3}
            ax.plot(c[edge], part["measured"][edge], **hollow)
        ax.set(xscale="log", yscale="log", xlabel="condition number c of A and of B", title=f"to {target:g} of the gap")
    axes[0].set_ylabel("steps")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return {"steps": figure}


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    """Steps, and their product with the seconds of a step itself, timed at d = 16 with the gradient given."""
    steps, seconds = verdicts["fewer_steps_with_sums"].table, verdicts["time_of_a_step"].table
    each = seconds[seconds["d"] == 16].min()
    shown = steps[steps["method"].isin(["Adam", "Shampoo, sums"])].copy()
    shown["seconds in the method's own steps, $d = 16$"] = shown["measured"] * shown["method"].map(each)
    return {"time-to-target": shown.rename(columns={"measured": "steps"})}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
