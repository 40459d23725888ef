r"""Can any method find a stationary point faster on a chain that shows one link at a time?

    exact gradients:                   N >= T queries for T links                              T ~ L Delta/eps
    a link shown with probability p:   E N >= T/p                                              p ~ eps/sigma^2

The gradient of a zero-chain F_T at x sees one coordinate beyond those that are already nonzero, and is large until the
last is reached; so a method whose iterates stay in the span of what it has seen (a zero-respecting method) pays a query
for each link. Hypotheses: smooth, bounded below, any dimension: it grows like 1/eps. With the probabilistic oracle the two
rows multiply to 1/eps * 1/eps, the law of the nonconvex stochastic cell. The mechanism is what is measured; the rigorous
constant (1e-8, theory/lower_bounds.py) is out of reach of any run. Every solver of the package is tried, with N counting
gradient queries, and a greedy method attains both rows.

Sources: Carmon, Duchi, Hinder and Sidford (2020), arXiv:1710.11606; Arjevani, Carmon, Duchi, Foster, Srebro and Woodworth
(2023), arXiv:1912.02365.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.zero_chain import zero_chain
from ratewitness.solvers.around.averaging import PolyakRuppert
from ratewitness.solvers.catalogue import catalogue
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.lbfgs import LBFGS
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.solver import CENSORED, hitting_times
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, bound_holds, exponent_is, interval, lower_bound_holds, mean_is
from ratewitness.studies.measuring.drawing import whiskers

GROUPS = 10


def tolerance(budget: Budget) -> float:
    """How far below a bound an interval may reach: a method that attains it cannot be told from one slightly below."""
    return budget.pick(0.1, 0.05)


@dataclass(frozen=True)
class Greedy:
    """Sets every coordinate that it sees for the first time to +-1, downhill: one link of the chain each time."""

    def init(self, x):
        return None

    def step(self, x, state, oracle):
        return torch.where(x == 0, -torch.sign(oracle.grad(x)), x), None


@dataclass(frozen=True, eq=False)
class Jittered:
    """Gradient descent with random kicks. It does not respect zeros: its coordinates move before they are seen."""

    generator: torch.Generator

    def init(self, x):
        return None

    def step(self, x, state, oracle):
        kick = torch.randn(x.shape, generator=self.generator, device=x.device, dtype=x.dtype)
        return x - oracle.grad(x) / 152 + 0.01 * kick, None


def discovered(x: torch.Tensor) -> torch.Tensor:
    """The last coordinate that is not zero: (*batch, T) -> (*batch,)."""
    return ((x != 0) * torch.arange(1, x.shape[-1] + 1, device=x.device)).amax(-1)


@cache
def chain_queries(name: str, solver, T: int) -> tuple[np.ndarray, float]:
    """Queries until each of the T links is discovered, and until ||grad F_T|| <= 1; inf where that did not happen."""
    problem = zero_chain(T, L=152.0)
    links = torch.arange(1.0, T + 1, dtype=torch.float64)

    def measure(x):  # one number for each threshold: every link, then the gradient
        return torch.cat([-discovered(x).expand(T).double(), problem.grad(x).norm(dim=-1, keepdim=True)])

    thresholds = torch.cat([-links, torch.ones_like(links[:1])])
    limit = 2 * T if name == "greedy" else 60 * T
    times = hitting_times(solver, Oracle.full(problem), problem.start, limit, measure, thresholds).cpu().numpy()
    queries = np.where(times == CENSORED, np.inf, times * (2 if "lbfgs" in name else 1))
    return queries[:-1], queries[-1]


@cache
def chain_runs(T: int) -> dict[str, tuple[np.ndarray, float]]:
    """Every solver for exact gradients, told L = 152 and, as a nonconvex function has no mu, L/100; and the greedy."""
    everyone = catalogue(152.0, 1.52) | {"greedy": Greedy()}
    return {name: chain_queries(name, solver, T) for name, solver in everyone.items()}


def chain(budget: Budget, per_query: float = 1.0, extra: dict | None = None) -> Verdict:
    """At most `per_query` links a query, and ||grad F_T|| > 1 for T/per_query queries."""
    T = budget.pick(40, 200)
    runs = chain_runs(T) | {name: chain_queries(name, solver, T) for name, solver in (extra or {}).items()}
    found = np.concatenate([np.arange(1, T + 1) / queries for queries, _ in runs.values()])
    earliest = np.array([T / until for _, until in runs.values()])
    verdicts = {"links per query": bound_holds(found, per_query), "gradient": bound_holds(earliest, per_query)}
    names = [name for name in runs for _ in range(T)]
    queries = np.concatenate([queries for queries, _ in runs.values()])
    table = {"solver": names, "link": [*range(1, T + 1)] * len(runs), "queries": queries}
    return all_of(verdicts).showing(table)


@claim(
    kind="lower bound",
    source="S12; Carmon, Duchi, Hinder and Sidford (2020), arXiv:1710.11606",
    planted={
        "half a link a query": lambda budget: chain(budget, 0.5),
        "a solver that does not respect zeros": lambda budget: chain(
            budget, extra={"jittered": Jittered(budget.generator("kicks"))}
        ),
    },
)
def one_link_a_query(budget: Budget) -> Verdict:
    """S12: On the zero-chain of T = 40 (full budget: 200) links every solver of the catalogue, fed with exact gradients,
    discovers at most one coordinate per gradient query, and ||grad F_T|| > 1 for the first T queries. All of them are
    zero-respecting: a coordinate of x_k is nonzero only if it was so in an earlier gradient."""
    return chain(budget)


def chain_exponent(budget: Budget, exponent: float) -> Verdict:
    T = budget.pick(40, 200)
    links = np.unique(np.geomspace(4, T, 10).round().astype(int))
    decades = budget.pick(1.0, 1.5)
    names = "gradient descent", "heavy ball", "nesterov", "greedy"
    return all_of(
        {name: exponent_is(1 / links, chain_runs(T)[name][0][links - 1], exponent, 0.1, decades) for name in names}
    )


@claim(
    kind="exponent",
    source="S12; Carmon, Duchi, Hinder and Sidford (2020), arXiv:1710.11606",
    planted={
        "exponent 0.5, an acceleration": lambda budget: chain_exponent(budget, 0.5),
        "exponent 1.5": lambda budget: chain_exponent(budget, 1.5),
    },
)
def linear_in_the_links(budget: Budget) -> Verdict:
    """S12: The queries to discover T links grow like T^(1 +- 0.1) over one decade (full budget: 1.5 and more) for gradient
    descent, heavy ball and Nesterov alike, and for the greedy method that needs exactly T: as T ~ L Delta/eps, momentum
    does not change the exponent of 1/eps, and the dimension grows like 1/eps."""
    return chain_exponent(budget, 1.0)


@cache
def noisy_chain_queries(budget: Budget, only: str = "") -> dict[tuple[str, float], np.ndarray]:
    """Queries times p/T until the chain is discovered, per solver and p: (steps, groups). An unfinished run counts with
    its limit, which only lowers the mean."""
    T, patience, times = 6, budget.pick(8, 12), {}
    lr = 0.02 * torch.tensor([0.25, 1.0, 4.0], dtype=torch.float64).reshape(-1, 1, 1, 1)
    for n in budget.pick((4, 16), (4, 16, 64)):
        problem = zero_chain(T, L=152.0, n=n)
        everyone = {
            "gradient descent": GradientDescent(lr / n),
            "averaged gradient descent": PolyakRuppert(GradientDescent(lr / n)),
            "heavy ball": HeavyBall(0.1 * lr / n, 0.9),
            "nesterov": Nesterov(0.1 * lr / n, 0.9),
            "lbfgs": LBFGS(0.1, scale=lr / n),
            "greedy": Greedy(),
        }
        for name, solver in everyone.items():
            if only not in ("", name):
                continue
            size = budget.pick(400, 1_000) if name == "greedy" else budget.pick(10, 20)
            x0 = problem.start.expand(1 if name == "greedy" else len(lr), GROUPS, size, T)
            oracle, limit = Oracle.minibatch(problem, 1, budget.generator("coins", name, n)), patience * T * n
            steps = hitting_times(solver, oracle, x0, limit, lambda x: T - discovered(x), torch.zeros(()))
            steps = torch.where(steps == CENSORED, limit, steps) * (2 if name == "lbfgs" else 1)
            times[name, 1 / n] = steps.double().mean(-1).cpu().numpy() / (T * n)
    return times


def noisy_chain(budget: Budget, factor: float = 1.0, power: float = 1.0) -> Verdict:
    """No mean below factor T/p^power."""
    times = noisy_chain_queries(budget)
    everything = np.concatenate(list(times.values()))
    bound = np.concatenate([np.full(len(values), factor * p ** (1 - power)) for (_, p), values in times.items()])
    rows = []
    for (name, p), values in times.items():
        mean, low, high = interval(values[values.mean(-1).argmin()])
        rows.append({"solver": name, "p": p, "measured": mean, "low": low, "high": high})
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    return lower_bound_holds(everything, bound, tolerance(budget)).showing(columns)


@claim(
    kind="lower bound",
    source="S12; Arjevani et al. (2023), arXiv:1912.02365",
    planted={
        "bound doubled": lambda budget: noisy_chain(budget, 2.0),
        "T/p^2": lambda budget: noisy_chain(budget, power=2.0),
    },
)
def probability_multiplies(budget: Budget) -> Verdict:
    """S12: When a query shows the next link of the chain only with probability p, no solver, at three steps over a
    factor 16, discovers its T = 6 links in fewer than T/p queries in the mean, for p = 1/4, 1/16 (and 1/64); tolerance
    10 % (full budget: 5 %). A query discovers at most one link: this is 1/eps links times 1/eps queries for each."""
    return noisy_chain(budget)


def greedy_mean(budget: Budget, factor: float = 1.0) -> Verdict:
    rows = np.concatenate(list(noisy_chain_queries(budget, only="greedy").values()))
    return mean_is(rows, np.full(len(rows), factor), tolerance(budget))


@claim(
    kind="exact",
    source="S12; mean of a negative binomial variable",
    planted={
        "half as many": lambda budget: greedy_mean(budget, 0.5),
        "twice as many": lambda budget: greedy_mean(budget, 2.0),
    },
)
def greedy_attains_it(budget: Budget) -> Verdict:
    """S12: The greedy method, which sets each new coordinate to 1 at once, needs T/p queries in the mean, so T/p cannot be
    raised; within 10 % (full budget: 5 %)."""
    return greedy_mean(budget)


STYLES = {
    "gradient descent": "C0o", "averaged gradient descent": "C1s", "heavy ball": "C2D", "nesterov": "C3^", "lbfgs": "C4v",
    "armijo": "C7X", "greedy": "C5*",
}  # fmt: skip


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, (exact, noisy) = plt.subplots(1, 2, figsize=(8.2, 4.2), layout="constrained")
    figure.set_label(
        "The zero-chain. Left: queries of exact gradients until a link is discovered; with gradient descent coincides its "
        "average. Right: mean queries until T = 6 links are discovered when a query shows the next one with probability "
        "p, in units of T/p, at the best of three steps, with 99 % intervals. No method can be below the line."
    )
    links, coins = verdicts["one_link_a_query"].table, verdicts["probability_multiplies"].table
    for solver, style in STYLES.items():
        part = links[(links["solver"] == solver) & np.isfinite(links["queries"])]
        exact.plot(part["link"], part["queries"], color=style[:2], lw=1.5, label=solver)
        part = coins[coins["solver"] == solver]
        noisy.errorbar(1 / part["p"], part["measured"], whiskers(part), color=style[:2], marker=style[2], ms=4, lw=0.8)
    exact.plot(links["link"], links["link"], color="0.2", lw=2, ls="--", label="lower bound")
    noisy.axhline(1, color="0.2", lw=2, ls="--")
    exact.set(title="exact gradients", xlabel="link", ylabel="gradient queries", xscale="log", yscale="log")
    noisy.set(title="next link shown with probability p", xlabel="1/p", ylabel="gradient queries, in units of T/p")
    noisy.set_xscale("log", base=4)
    noisy.set_ylim(0)
    figure.legend(*exact.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return {"chains": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
