r"""What does SGD need where the function is not smooth, and which iterate may one stop at?

    linear decay      a_k = (R/B) (N - k)/(N + 1)^{3/2}, k < N:   f(x_N) - f* <= B R/sqrt(N + 1),    the last iterate
    schedule-free     a = R/(B sqrt(N + 1)), any beta:            E f(x_N) - f* <= B R/sqrt(N + 1),  x_N a mean by its making
    largest coordinate, d = N + 1:                                f(x_N) - f* = B R/sqrt(N + 1),     every such method

Hypotheses: f is convex with subgradients of mean square at most B^2, |x_0 - x*| = R. So the exponent 2 of the convex
cell needs no smoothness, and no averaging: a schedule does as well in the worst case. On the largest coordinate no
method that stays in the span of the gradients does better (Drori and Teboulle): six that end there attain the bounds.

Sources: Zamani and Glineur (2023), arXiv:2307.11134; with noise Defazio, Cutkosky, Mehta and Mishchenko (2023),
arXiv:2310.07831; schedule-free Defazio et al. (2024), arXiv:2405.15682; Drori and Teboulle (2016).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.polyhedral import largest_coordinate, polyhedral, random_polyhedral
from ratewitness.solvers.around.averaging import PolyakRuppert
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.schedule_free import ScheduleFree
from ratewitness.solvers.schedules import Trapezoid
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked

GROUPS, SIGMA = 10, 1.0
BETAS = (0.0, 0.5, 0.9, 1.0)
DECAY, FREE = "linear decay", tuple(f"schedule-free, {beta:g}" for beta in BETAS)


def solver(method: str, N: int, B: float):
    """For N steps from distance 1."""
    constant = 1 / (B * (N + 1) ** 0.5)
    if method == DECAY:
        return GradientDescent(Trapezoid(constant * N / (N + 1), N, decay=N))
    if method == "average":
        return PolyakRuppert(GradientDescent(constant))
    return ScheduleFree(constant, float(method.split(", ")[1]))


def horizons(budget: Budget) -> tuple[int, ...]:
    return budget.pick((1, 3, 10, 30, 100), (1, 3, 10, 30, 100, 300, 1000))


@measured
def final_gaps(budget: Budget, method: str) -> pd.DataFrame:
    """f(x_N) - f* over its bound on every instance and horizon: nothing is drawn but the random pieces."""
    generator, found = budget.generator("pieces"), []
    instances = {f"random {j}": random_polyhedral(m, d, generator) for j, (m, d) in enumerate([(3, 2), (9, 5), (40, 9)] * 4)}
    instances["absolute value"] = polyhedral([[1.0], [-1.0]], [1.0], [1.0, 1.0])
    for N in horizons(budget):
        for name, f in (instances | {"largest coordinate": largest_coordinate(N + 1)}).items():
            gap = run(solver(method, N, 1.0), Oracle.full(f), f.start, N, f.gap, at=[N]).values[0]
            found.append({"problem": name, "N": N, "measured": float(gap), "bound": (N + 1) ** -0.5})
    return pd.DataFrame(found)


def with_noise(budget: Budget, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean gaps (N, groups) on |x| with gradients +-1 +- sigma, and the bounds with B^2 = 1 + sigma^2."""
    f, B, found = perturbed(polyhedral([[1.0], [-1.0]], [1.0], [1.0, 1.0]), SIGMA), (1 + SIGMA**2) ** 0.5, []
    for N in horizons(budget):
        oracle, x0 = Oracle.minibatch(f, 1, budget.generator(method, N)), f.starts(GROUPS, budget.pick(100, 400))
        found.append(run(solver(method, N, B), oracle, x0, N, lambda x: f.gap(x).mean(-1), at=[N]).values[0].cpu().numpy())
    return np.array(found), B / (np.array(horizons(budget)) + 1) ** 0.5


def bounded(budget: Budget, methods: tuple[str, ...], factor: float) -> Verdict:
    each, tables = {}, {}
    for method in methods:
        table, (gaps, bound) = final_gaps(budget, method), with_noise(budget, method)
        each[method] = bound_holds(table["measured"], table["bound"] / factor, floor=1e-14)
        each[f"{method}, noise"] = bound_holds(gaps, bound / factor)
        worst = table.loc[table.groupby("problem")["measured"].idxmax()]
        noisy = rows(gaps, N=np.array(horizons(budget)), bound=bound).assign(problem="|x| + noise")
        tables[method] = pd.concat([worst, noisy], ignore_index=True)
    return all_of(each).showing(stacked(tables))


@claim("upper bound", "S7, without smoothness; Zamani and Glineur (2023), arXiv:2307.11134")
@planted("0.95 of the bound", factor=1 / 0.95)
@planted("half the bound", factor=2.0)
def the_last_iterate_is_enough(budget: Budget, factor: float = 1.0) -> Verdict:
    """S7, contrast: Without smoothness or averaging the last iterate of N linearly decaying steps stays below B R/sqrt(N +
    1).

    Subgradient steps (R/B)(N - k)/(N + 1)^{3/2} on 12 random maxima of linear functions, |x| and the largest coordinate,
    which attains the bound; and in the mean on |x| with noise +-1, 10 groups of 100 (full budget: 400) runs. N = 1, 3, 10,
    30, 100 (full budget: 300 and 1000, too)."""
    return bounded(budget, (DECAY,), factor)


@claim("upper bound", "S7, without smoothness; Defazio et al. (2024), arXiv:2405.15682")
@planted("0.95 of the bound", factor=1 / 0.95)
@planted("half the bound", factor=2.0)
def schedule_free_needs_no_decay(budget: Budget, factor: float = 1.0) -> Verdict:
    """S7, contrast: Schedule-free SGD with a constant step stays below the same B R/sqrt(N + 1), whatever its beta.

    With the step R/(B sqrt(N + 1)) and beta = 0, 0.5, 0.9, 1, on the instances and with the noise of
    `the_last_iterate_is_enough`."""
    return bounded(budget, FREE, factor)


@claim("exact", "S7, without smoothness; Drori and Teboulle (2016); problems/polyhedral.py")
@planted("B R/sqrt N", shift=0)
@planted("one dimension less", spare=0)
@planted("B R/sqrt(N + 2)", shift=2)
def all_end_at_the_bound(budget: Budget, shift: int = 1, spare: int = 1) -> Verdict:
    """S7, contrast: On the largest of N + 1 coordinates linear decay, schedule-free SGD and averaging all end at exactly
    B R/sqrt(N + 1).

    An oracle that answers with the first of equals shows one coordinate a step, and one is never seen. Six methods
    are run, schedule-free SGD with four betas, at N = 1, 3, 10, 30, 100 (full budget: 300 and 1000, too), to 1e-12. That no
    method whose iterates stay in the span of the gradients ends lower is cited, not checked."""
    found = []
    for N in horizons(budget):
        f = largest_coordinate(N + spare)
        for method in (DECAY, "average", *FREE):
            gap = run(solver(method, N, 1.0), Oracle.full(f), f.start, N, f.gap, at=[N]).values[0]
            found.append({"method": method, "N": N, "measured": float(gap), "theory": (N + shift) ** -0.5})
    table = pd.DataFrame(found)
    return agrees(table["measured"], table["theory"], 1e-12).showing(table)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    names = ("the_last_iterate_is_enough", "schedule_free_needs_no_decay")
    found = pd.concat([verdicts[name].table for name in names]).query("problem == '|x| + noise'")
    looks = {DECAY: "C0o"} | dict(zip(FREE, ("C1s", "C2D", "C3^", "C4v"), strict=True))
    labels = "horizon $N$", r"$\mathbb{E}\,f(x_N) - f^*$ over $B R/\sqrt{N+1}$"
    panel = Panel(found, "N", *labels, unit="bound", levels={"bound": 1.0}, log="x", apart=1.06, options={"ylim": (0, 1.1)})
    caption = (
        r"Final gap on $|x|$ with noise over the bound that all methods share, with 99 % intervals (points set apart along "
        r"the axis); schedule-free SGD for several $\beta$."
    )
    return {"decay": panels(caption, looks, [panel], height=3.4)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
