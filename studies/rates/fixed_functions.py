r"""Is the exponent of the table seen on one fixed function?

    |x|^p:               N(eps) ~ eps^{-(p-2)/p}                  less than 1, whatever p
    sum_j L 2^-j x_j^2:  N(eps) ~ eps^-1 over many decades        until the smallest of the eigenvalues is resolved
    log(1 + e^-x):       N(eps) ~ eps^-1                          no minimizer, R = infinity

"1/eps" and "1/eps^2" are statements about a *class*: for every eps some function needs that many steps. On one function
with a minimizer the gap of GD is o(1/k) (Lee and Wright 2019, arXiv:1812.08485). So the statement "GD needs 1/eps steps
on a convex function", read for a fixed function, is checked as stated, and then with what is true in its place. The
same happens to averaged SGD, whose exponent on a fixed parabola is 1; while the *mean* of ||grad f||^2 over a run with
a constant step pays 1/eps^2 even there, because it never forgets its first iterates.
"""

from __future__ import annotations

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import torch
from ratewitness.problems.noisy_quadratics import noisy_parabola
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.power import power
from ratewitness.problems.quadratics import log_spaced
from ratewitness.problems.softplus import softplus
from ratewitness.solvers.around.averaging import PolyakRuppert
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import hitting_times
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, exponent_is
from ratewitness.studies.rates.cells import squared_gradient

GROUPS = 10
LIMIT = 300_000  # iterations after which a run is censored


def tolerance(budget: Budget) -> float:
    return budget.pick(0.1, 0.05)


def grid(budget: Budget, largest: float, smallest: float) -> np.ndarray:
    """Accuracies from `largest` to `smallest`; the quick budget stops earlier."""
    decades = np.log10(largest / smallest)
    return largest * np.logspace(0, -budget.pick(min(decades, 2.0), decades), budget.pick(10, 16))


def descend(problem, eps: np.ndarray, measure=None) -> np.ndarray:
    """Hitting times of GD with step 1/L at each accuracy."""
    solver = GradientDescent(1 / float(problem.constants.smoothness))
    times = hitting_times(
        solver, Oracle.full(problem), problem.start, LIMIT, measure or problem.gap, torch.as_tensor(eps)
    )
    return times.cpu().numpy()


def judged(eps: np.ndarray, times: np.ndarray, exponent: float, budget: Budget) -> Verdict:
    verdict = exponent_is(eps, times, exponent, tolerance(budget), budget.pick(1.5, 2.0))
    return verdict.showing({"eps": eps, "measured": times.reshape(len(eps), -1).mean(1)})


# |x|^p is met in its asymptotic regime, x_0^{p-2} >> eps^{(p-2)/p}, from these accuracies on
ASYMPTOTIC = {4.0: (1e-4, 1e-7), 8.0: (1e-3, 1e-6), 20.0: (1e-2, 1e-5)}


@cache
def on_powers(p: float, budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    eps = grid(budget, *ASYMPTOTIC[p])
    return eps, descend(power(p), eps)


def all_powers(budget: Budget, exponent) -> Verdict:
    verdicts = {f"p={p:g}": judged(*on_powers(p, budget), exponent(p), budget) for p in ASYMPTOTIC}
    columns = {"p": [], "eps": [], "measured": []}
    for p in ASYMPTOTIC:
        eps, times = on_powers(p, budget)
        columns["p"] += [p] * len(eps)
        columns["eps"] += eps.tolist()
        columns["measured"] += times.tolist()
    return all_of(verdicts).showing(columns)


@claim(
    kind="exponent",
    source="S6; theory/witnesses.py (power_law); Lee and Wright (2019), arXiv:1812.08485",
    planted={
        "exponent 1": lambda budget: all_powers(budget, lambda p: 1.0),
        "exponent p/(p+2)": lambda budget: all_powers(budget, lambda p: p / (p + 2)),
    },
)
def gd_on_powers(budget: Budget) -> Verdict:
    """S6, refined: On the fixed function |x|^p GD needs eps^{-(p-2)/p} steps: 1/2, 3/4 and 9/10 for p = 4, 8, 20."""
    return all_powers(budget, lambda p: (p - 2) / p)


@claim(
    kind="exponent",
    source="S6, read for a fixed function",
    planted={"exponent 1.5 on |x|^4": lambda budget: judged(*on_powers(4.0, budget), 1.5, budget)},
)
def gd_convex_as_stated(budget: Budget) -> Verdict:
    """S6, as stated for a single function: GD needs 1/eps steps on the convex function |x|^4."""
    return judged(*on_powers(4.0, budget), 1.0, budget)


@cache
def on_log_spectrum(energies: str, budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    problem = log_spaced(energies=energies)
    eps = grid(budget, 3e-3, 3e-6)
    measure = squared_gradient(problem) if energies == "equal energies" else problem.gap
    return eps, descend(problem, eps, measure)


@claim(
    kind="exponent",
    source="S6; witness with spectrum L 2^-j, equal distances",
    planted={"exponent 1.5": lambda b: judged(*on_log_spectrum("equal distances", b), 1.5, b)},
)
def gd_on_log_spectrum(budget: Budget) -> Verdict:
    """S6, on one function: On a quadratic with eigenvalues L 2^-j, j < 24, GD needs 1/eps steps over the decades of
    accuracy above the smallest eigenvalue."""
    return judged(*on_log_spectrum("equal distances", budget), 1.0, budget)


@claim(
    kind="exponent",
    source="S8; witness with spectrum L 2^-j, equal energies",
    planted={"exponent 2": lambda b: judged(*on_log_spectrum("equal energies", b), 2.0, b)},
)
def gradient_on_log_spectrum(budget: Budget) -> Verdict:
    """S8, on one function: On the same quadratic with equal energies GD needs 1/eps steps until ||grad f||^2 <= eps."""
    return judged(*on_log_spectrum("equal energies", budget), 1.0, budget)


@cache
def on_softplus(budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    eps = grid(budget, 1e-2, 1e-5)
    return eps, descend(softplus(), eps)


@claim(
    kind="exponent",
    source="S6; theory/witnesses.py (softplus)",
    planted={"exponent 0.5": lambda budget: judged(*on_softplus(budget), 0.5, budget)},
)
def gd_on_softplus(budget: Budget) -> Verdict:
    """S6, on one function without minimizer: On log(1 + e^-x) GD with step 1/L needs 1/eps steps."""
    return judged(*on_softplus(budget), 1.0, budget)


@cache
def on_fixed_parabola(budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Averaged SGD on x^2/2 +- x with the convex cell's step 1/sqrt(N); here E f(xbar_N) - f* tends to 1/N."""
    problem = noisy_parabola(1.0, 1.0)
    eps = 0.03 * np.logspace(0, -budget.pick(1.5, 2.3), budget.pick(8, 12))
    generator, times = budget.generator("noise"), []
    for e in eps:
        solver = PolyakRuppert(GradientDescent(e**0.5))
        oracle, x0 = Oracle.minibatch(problem, 1, generator), problem.starts(GROUPS, budget.replicates // GROUPS)
        found = hitting_times(
            solver, oracle, x0, LIMIT, lambda x: problem.gap(x).mean(-1), torch.as_tensor([e], device=x0.device)
        )
        times.append(found.cpu().numpy())
    return eps, np.stack(times)


@claim(
    kind="exponent",
    source="S7; exact second moments",
    planted={"exponent 2": lambda budget: judged(*on_fixed_parabola(budget), 2.0, budget)},
)
def sgd_on_a_parabola(budget: Budget) -> Verdict:
    """S7, refined: On one fixed parabola averaged SGD with step R/(sigma sqrt N) needs 1/eps steps, not 1/eps^2."""
    return judged(*on_fixed_parabola(budget), 1.0, budget)


@cache
def mean_gradient_on_fixed_parabola(budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """The running mean of ||grad f||^2 of SGD on x^2/2 +- x from f - f* = 1, step sqrt(2/N) tuned to N = 2/eps^2."""
    problem = noisy_parabola(1.0, 1.0, 2**0.5)
    square, generator, times = squared_gradient(problem), budget.generator("noise"), []
    eps = 0.2 * np.logspace(0, -budget.pick(1.5, 2.0), 8)
    for e in eps:
        oracle, x0 = Oracle.minibatch(problem, 1, generator), problem.starts(GROUPS, budget.pick(20, 40))
        found = hitting_times(
            GradientDescent(e), oracle, x0, int(8 / e**2), lambda x: square(x).mean(-1),
            torch.as_tensor([e], device=x0.device), over="mean",
        )  # fmt: skip
        times.append(1 + found.cpu().numpy())
    return eps, np.stack(times)


@claim(
    kind="exponent",
    source="S9; exact second moments (theory/moments.py)",
    planted={"exponent 1": lambda budget: judged(*mean_gradient_on_fixed_parabola(budget), 1.0, budget)},
)
def sgd_mean_gradient_on_a_parabola(budget: Budget) -> Verdict:
    """S9, on one function: With a constant step tuned to the horizon the mean of ||grad f||^2 over the run needs 1/eps^2
    steps even on one fixed parabola, since the mean keeps the transient: Delta/(aN) + a L sigma^2/2."""
    return judged(*mean_gradient_on_fixed_parabola(budget), 2.0, budget)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 4.2), layout="constrained")
    figure.set_label(
        "Iterations on fixed functions. Points: measured; lines: the exponent predicted for the function, through the "
        "last point. Left: GD. Right: quantities whose class-wide exponent is 2."
    )
    powers = verdicts["gd_on_powers"].table
    series = [(f"|x|^{p:g}", group, (p - 2) / p) for p, group in powers.groupby("p")]
    series += [
        ("spectrum L 2^-j", verdicts["gd_on_log_spectrum"].table, 1.0),
        ("same, gradient", verdicts["gradient_on_log_spectrum"].table, 1.0),
        ("log(1 + e^-x)", verdicts["gd_on_softplus"].table, 1.0),
    ]
    stochastic = [
        ("averaged SGD, gap", verdicts["sgd_on_a_parabola"].table, 1.0),
        ("SGD, mean squared gradient", verdicts["sgd_mean_gradient_on_a_parabola"].table, 2.0),
    ]
    for ax, group in ((left, series), (right, stochastic)):
        for colour, (label, table, exponent) in enumerate(group):
            inverse, times = 1 / table["eps"].to_numpy(), table["measured"].to_numpy()
            ax.plot(inverse, times, "osD^vP"[colour], ms=3.5, color=f"C{colour}", label=f"{label}: {exponent:g}")
            ax.plot(inverse, times[-1] * (inverse / inverse[-1]) ** exponent, color=f"C{colour}", lw=1)
        ax.set(xscale="log", yscale="log", xlabel="1 / eps", ylabel="iterations N(eps)")
        ax.legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, title="exponent")
    return {"exponents": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
