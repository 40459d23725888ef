r"""Is SGD sublinear even on strongly convex functions?

    noise at the minimizer:      N(eps) ~ 1/eps                                          sublinear
    interpolation:               E ||x_k - x*||^2 <= (1 - mu/L_max)^k R^2                linear, constant step 1/L_max
    variance reduction:          SVRG and SAGA are linear on any finite sum              at the price of n

Two least squares problems with the same rows, one with noisy targets and one that can be interpolated, answer the
statement as made and as refined: what decides is not strong convexity but sigma*^2 = (1/n) sum_i ||grad f_i(x*)||^2. A
constant step on noisy targets stops at a floor proportional to sigma*^2; SVRG and SAGA, which make the noise vanish at
the minimizer, do not. Hypotheses of the bounds: f_i convex and L_max-smooth, f mu-strongly convex.
"""

from __future__ import annotations

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import torch

from problems.least_squares import random_least_squares
from problems.oracle import Oracle
from problems.problem import FiniteSum, norm
from solvers.gradient_descent import GradientDescent
from solvers.saga import SAGA
from solvers.schedules import InverseTime
from solvers.solver import hitting_times, run
from solvers.svrg import SVRG
from studies.claims import Budget, Verdict, claim
from studies.judges import all_of, bound_holds, exponent_is, interval, law_is
from theory import variance_reduction

GROUPS = 10
ROWS, FEATURES = 40, 4


def problem(budget: Budget, noise: float) -> FiniteSum:
    """The same rows whatever the noise: n = 40, d = 4, condition number 4 of A^T A/n."""
    return random_least_squares(ROWS, FEATURES, budget.generator("rows"), noise=noise, condition=4.0)


def method(name: str, f: FiniteSum):
    """A solver with the step its theory gives, from L_max and mu."""
    L, mu = f.constants.component_smoothness, f.constants.pl
    return {
        "sgd, decreasing step": GradientDescent(InverseTime.for_pl(mu, L)),
        "sgd, constant step": GradientDescent(1 / L),
        "saga": SAGA(1 / (3 * L)),
        "svrg": SVRG(1 / (10 * L), 2 * f.n),
    }[name]


@cache
def measured(name: str, noise: float, budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies relative to the start and hitting times (E, groups) in iterations."""
    f = problem(budget, noise)
    if "decreasing" in name:
        eps, limit = 3e-3 * np.logspace(0, -budget.pick(1.5, 2.0), budget.pick(8, 10)), budget.pick(200_000, 1_000_000)
    else:
        eps, limit = 1e-2 * np.logspace(0, -8, budget.pick(10, 14)), 20_000
    oracle = Oracle.minibatch(f, 1, budget.generator(name, noise))
    x0 = f.starts(GROUPS, budget.pick(20, 50))
    thresholds = torch.as_tensor(eps * float(f.initial_gap), device=x0.device).unsqueeze(-1)
    times = hitting_times(method(name, f), oracle, x0, limit, lambda x: f.gap(x).mean(-1), thresholds)
    return eps, times.cpu().numpy()


def judged(name: str, noise: float, law: str, budget: Budget) -> Verdict:
    eps, times = measured(name, noise, budget)
    mean, low, high = interval(np.where(times < 0, np.nan, times))
    decades = budget.pick(1.5, 2.0)
    return law_is(eps, times, law, decades).showing({"eps": eps, "measured": mean, "low": low, "high": high})


@claim(
    kind="law",
    source="S11; Bottou, Curtis and Nocedal (2018), arXiv:1606.04838",
    planted={
        "log(1/eps)": lambda budget: judged("sgd, decreasing step", 1.0, "log(1/eps)", budget),
        "1/eps^2": lambda budget: judged("sgd, decreasing step", 1.0, "1/eps^2", budget),
    },
)
def sublinear_with_noise(budget: Budget) -> Verdict:
    """S11, refined: On strongly convex least squares with noisy targets SGD with steps 2/(mu(2 kappa + k)) needs 1/eps
    iterations, not log(1/eps)."""
    return judged("sgd, decreasing step", 1.0, "1/eps", budget)


@claim(
    kind="law",
    source="S11, without a hypothesis on the noise",
    planted={"1/eps^2": lambda budget: judged("sgd, constant step", 0.0, "1/eps^2", budget)},
)
def sublinear_as_stated(budget: Budget) -> Verdict:
    """S11, as stated: SGD needs 1/eps iterations on every strongly convex finite sum, least squares that can be
    interpolated included."""
    return judged("sgd, constant step", 0.0, "1/eps", budget)


@cache
def distances(name: str, noise: float, budget: Budget) -> tuple[list[int], np.ndarray, FiniteSum]:
    """E ||x_k - x*||^2 (records, groups) along a run."""
    f = problem(budget, noise)
    oracle = Oracle.minibatch(f, 1, budget.generator("distance", name, noise))
    x0 = f.starts(GROUPS, budget.pick(20, 50))
    trace = run(method(name, f), oracle, x0, 3000, lambda x: norm(x - f.minimizer, f.shape).square().mean(-1))
    return trace.steps, trace.values.cpu().numpy(), f


def contracts(name: str, noise: float, bound, budget: Budget, **falsified: float) -> Verdict:
    """The distance against a bound of theory/variance_reduction.py, from k = 1 on (at k = 0 both sides are R^2)."""
    steps, squares, f = distances(name, noise, budget)
    known = {
        "L_max": f.constants.component_smoothness,
        "mu": f.constants.pl,
        "R": float(f.radius),
        "Delta": float(f.initial_gap),
        "n": f.n,
        "k": np.array(steps[1:]),
    } | falsified
    floor = 1e-28 * float(f.radius) ** 2  # x carries rounding errors of 1e-16 |x*|
    return bound_holds(squares[1:], bound(**{s: known[s] for s in bound.symbols}), floor)


@claim(
    kind="law",
    source="S11; Vaswani, Bach and Schmidt (2019), arXiv:1810.07288; proof in theory/variance_reduction.py",
    planted={
        "with noisy targets": lambda budget: judged("sgd, constant step", 1.0, "log(1/eps)", budget),
        "contraction by mu/L_max with mu tripled": lambda budget: contracts(
            "sgd, constant step", 0.0, variance_reduction.interpolation_strongly_convex, budget,
            mu=3 * problem(budget, 0.0).constants.pl,
        ),
    },
)  # fmt: skip
def linear_under_interpolation(budget: Budget) -> Verdict:
    """S11, refined: Where every component is minimized at x*, SGD with constant step 1/L_max needs log(1/eps) iterations
    over 8 decades, and E ||x_k - x*||^2 <= (1 - mu/L_max)^k R^2."""
    law = judged("sgd, constant step", 0.0, "log(1/eps)", budget)
    bound = contracts("sgd, constant step", 0.0, variance_reduction.interpolation_strongly_convex, budget)
    return all_of({"law": law, "bound": bound}).showing(law.table)


@claim(
    kind="law",
    source="S11; Johnson and Zhang (2013); Defazio, Bach and Lacoste-Julien (2014), arXiv:1407.0202",
    planted={
        "1/eps for SAGA": lambda budget: judged("saga", 1.0, "1/eps", budget),
        "1/eps for SVRG": lambda budget: judged("svrg", 1.0, "1/eps", budget),
        "plain SGD with the same constant step": lambda budget: judged("sgd, constant step", 1.0, "log(1/eps)", budget),
    },
)
def linear_with_variance_reduction(budget: Budget) -> Verdict:
    """S11, contrast: On the noisy least squares SAGA (step 1/(3 L_max)) and SVRG need log(1/eps) iterations over 8
    decades, and SAGA obeys its bound (1 - min{1/(4n), mu/(3 L_max)})^k (R^2 + 2 n Delta/(3 L_max))."""
    parts = {name: judged(name, 1.0, "log(1/eps)", budget) for name in ("saga", "svrg")}
    bound = contracts("saga", 1.0, variance_reduction.saga, budget)
    frame = {"eps": parts["saga"].table["eps"]}
    for name, verdict in parts.items():
        frame |= {f"{name}_{column}": verdict.table[column] for column in ("measured", "low", "high")}
    return all_of({**parts, "saga_bound": bound}).showing(frame)


NOISES = tuple(np.logspace(-2, 0, 9))


@cache
def floors(budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """sigma* and the late mean gap (noises, groups) of SGD with constant step 1/(2 L_max)."""
    sigmas, gaps = [], []
    for noise in NOISES:
        f = problem(budget, noise)
        L, mu = f.constants.component_smoothness, f.constants.pl
        burn_in = int(20 * L / mu)
        oracle = Oracle.minibatch(f, 1, budget.generator("floor", noise))
        x0 = f.minimizer.expand(GROUPS, budget.pick(20, 50), FEATURES)
        records = np.linspace(burn_in, 4 * burn_in, 60).astype(int).tolist()
        solver = GradientDescent(1 / (2 * L))
        trace = run(solver, oracle, x0, 4 * burn_in, lambda x, f=f: f.gap(x).mean(-1), at=records)
        sigmas.append(f.constants.variance_at_minimizer**0.5)
        gaps.append(trace.values.mean(0).cpu().numpy())
    return np.array(sigmas), np.stack(gaps)


def floor_slope(budget: Budget, exponent: float) -> Verdict:
    sigmas, gaps = floors(budget)
    mean, low, high = interval(gaps)
    verdict = exponent_is(sigmas, gaps, -exponent, budget.pick(0.1, 0.05), 1.9)
    return verdict.showing({"sigma_star": sigmas, "measured": mean, "low": low, "high": high})


@claim(
    kind="exponent",
    source="S11; exact second moments",
    planted={"floor like sigma*": lambda budget: floor_slope(budget, 1.0)},
)
def floor_vanishes_with_the_noise(budget: Budget) -> Verdict:
    """S11, exactly when: With a constant step the mean gap stops at a floor proportional to sigma*^2, over two decades of
    sigma*; it is zero, and the rate linear, only for sigma* = 0."""
    return floor_slope(budget, 2.0)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.3), layout="constrained")
    figure.set_label(
        "Least squares with n = 40. Left: iterations to accuracy eps; a straight line on these axes is log(1/eps), 1/eps "
        "bends upwards. Right: the floor of constant-step SGD against the noise at the minimizer; line: slope 2."
    )
    both = verdicts["linear_with_variance_reduction"].table
    curves = {
        "SGD, noisy, decreasing step": verdicts["sublinear_with_noise"].table,
        "SGD, interpolation": verdicts["linear_under_interpolation"].table,
        **{n.upper() + ", noisy": both.rename(columns=lambda c, n=n: c.removeprefix(f"{n}_")) for n in ("saga", "svrg")},
    }
    for colour, (label, table) in enumerate(curves.items()):
        whiskers = np.stack([table["measured"] - table["low"], table["high"] - table["measured"]])
        left.errorbar(1 / table["eps"], table["measured"], whiskers, fmt="osD^"[colour] + "-", ms=3, lw=0.8, label=label)
    left.set(xscale="log", ylim=(0, 5000), xlabel="1 / eps   (eps = gap / initial gap)", ylabel="iterations N(eps)")
    table = verdicts["floor_vanishes_with_the_noise"].table
    sigma, floor = table["sigma_star"], table["measured"]
    right.plot(sigma, floor.iloc[-1] * (sigma / sigma.iloc[-1]) ** 2, color="C0", label="slope 2")
    right.errorbar(sigma, floor, np.stack([floor - table["low"], table["high"] - floor]), fmt="o", ms=3.5, color="C1",
                   label="measured")  # fmt: skip
    right.set(xscale="log", yscale="log", xlabel="sigma*  (noise at the minimizer)", ylabel="floor of E f(x_k) - f*")
    for ax in (left, right):
        ax.legend(frameon=False, fontsize=7)
    return {"rates": figure}


if __name__ == "__main__":
    from studies.__main__ import script

    script(__file__)
