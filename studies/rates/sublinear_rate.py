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
from ratewitness.problems.data.least_squares import least_squares
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.saga import SAGA
from ratewitness.solvers.schedules import InverseTime
from ratewitness.solvers.solver import CENSORED, hitting_times, run
from ratewitness.solvers.svrg import SVRG
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, bound_holds, exponent_is, interval, is_logarithmic
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.theory import variance_reduction
from ratewitness.theory.moments import least_squares_moments

GROUPS = 10
ROWS, FEATURES = 40, 4


def normal(budget: Budget, *stream: object) -> torch.Tensor:
    """Standard normal numbers (40, 5), the same for every claim: rows and targets."""
    generator = budget.shared("sublinear_rate").generator(*stream)
    return torch.randn(ROWS, FEATURES + 1, generator=generator, device=generator.device, dtype=torch.float64)


def problem(budget: Budget, noise: float, draw: int = 0) -> FiniteSum:
    """Least squares with the same Gaussian rows whatever the noise; `draw` numbers the realizations of the noise."""
    A, w = normal(budget, "rows")[:, :FEATURES], normal(budget, "w")[0, :FEATURES]
    return least_squares(A, A @ w + noise * normal(budget, "noise", draw)[:, 0])


def method(name: str, f: FiniteSum):
    """A solver with the step of its theory, from L_max and mu; for SVRG, the practical 1/(10 L_max) and 2n."""
    L, mu = f.constants.component_smoothness, f.constants.pl
    return {
        "sgd, decreasing step": GradientDescent(InverseTime.for_pl(mu, L)),
        "sgd, constant step": GradientDescent(1 / L),
        "saga": SAGA(1 / (3 * L)),
        "svrg": SVRG(1 / (10 * L), 2 * f.n),
    }[name]


def exact_moments(f: FiniteSum, budget: Budget, noise: float, steps, count: int) -> tuple[np.ndarray, np.ndarray]:
    """E ||x_k - x*||^2 and E f(x_k) - f* of SGD for k = 0, ..., count, from the exact recursion."""
    A, best = normal(budget, "rows")[:, :FEATURES].cpu().numpy(), f.minimizer.cpu().numpy()
    # around the minimizer: the start is x_0 - x*, the targets are the residuals
    w = normal(budget, "w")[0, :FEATURES].cpu().numpy()
    targets = A @ (w - best) + noise * normal(budget, "noise", 0)[:, 0].cpu().numpy()
    _, square = least_squares_moments(A, targets, f.start.cpu().numpy() - best, steps, 1, count)
    return np.einsum("kii->k", square), np.einsum("ij,kji->k", A.T @ A / ROWS, square) / 2


def band(times: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and interval of hitting times, with censored ones left out of the picture."""
    return dict(zip(("measured", "low", "high"), interval(np.where(times == CENSORED, np.nan, times)), strict=True))


@cache
def noisy_times(budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies relative to the start, the exact mean gaps of k = 10 kappa_max and later, and the hitting times (E, groups)
    of SGD with decreasing steps."""
    f = problem(budget, 1.0)
    solver = method("sgd, decreasing step", f)
    first = int(10 * f.constants.component_smoothness / f.constants.pl)
    at = (first * np.logspace(0, budget.pick(1.7, 2.2), budget.pick(8, 12))).astype(int)
    steps = [solver.lr(k) for k in range(at[-1])]
    eps = exact_moments(f, budget, 1.0, steps, int(at[-1]))[1][at]
    oracle, x0 = Oracle.minibatch(f, 1, budget.generator("draws")), f.starts(GROUPS, budget.pick(40, 100))
    thresholds = torch.as_tensor(eps, device=x0.device).unsqueeze(-1)
    times = hitting_times(solver, oracle, x0, int(3 * at[-1]), lambda x: f.gap(x).mean(-1), thresholds)
    return eps / float(f.initial_gap), times.cpu().numpy()


def power(budget: Budget, exponent: float) -> Verdict:
    eps, times = noisy_times(budget)
    verdict = exponent_is(eps, times, exponent, budget.pick(0.1, 0.05), budget.pick(1.5, 2.0))
    return verdict.showing({"eps": eps, **band(times)})


@claim(
    kind="exponent",
    source="S11; Bottou, Curtis and Nocedal (2018), arXiv:1606.04838",
    planted={"exponent 0.5": lambda b: power(b, 0.5), "exponent 2": lambda b: power(b, 2.0)},
)
def sublinear_with_noise(budget: Budget) -> Verdict:
    """S11, refined: On strongly convex least squares with noisy targets SGD with steps 2/(mu(2 kappa_max + k)) needs 1/eps
    iterations: exponent 1 +- 0.05 over 2 decades (quick: +- 0.1 over 1.5)."""
    return power(budget, 1.0)


@cache
def typical_times(name: str, noise: float, budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies relative to the start, over 8 decades, and the iterations until the geometric mean of the gap over a
    group is below. The arithmetic mean of a product of random factors is decided by a few lucky replicates."""
    f = problem(budget, noise)
    eps = 1e-2 * np.logspace(0, -8, budget.pick(10, 14))
    oracle, x0 = Oracle.minibatch(f, 1, budget.generator(name, noise)), f.starts(GROUPS, budget.pick(50, 100))
    thresholds = torch.as_tensor(np.log(eps * float(f.initial_gap)), device=x0.device).unsqueeze(-1)
    solver, limit = method(name, f), 20_000
    return eps, hitting_times(solver, oracle, x0, limit, lambda x: f.gap(x).log().mean(-1), thresholds).cpu().numpy()


def logarithmic(name: str, noise: float, budget: Budget) -> Verdict:
    eps, times = typical_times(name, noise, budget)
    return is_logarithmic(eps, times, 0.1).showing({"eps": eps, **band(times)})


def as_a_power(name: str, noise: float, exponent: float, budget: Budget) -> Verdict:
    return exponent_is(*typical_times(name, noise, budget), exponent, 0.1)


@claim(
    kind="exponent",
    source="S11, without a hypothesis on the noise",
    planted={"exponent 2": lambda budget: as_a_power("sgd, constant step", 0.0, 2.0, budget)},
)
def sublinear_as_stated(budget: Budget) -> Verdict:
    """S11, as stated for every strongly convex sum: SGD needs 1/eps iterations (exponent 1 +- 0.1) on least squares that
    can be interpolated, too."""
    return as_a_power("sgd, constant step", 0.0, 1.0, budget)


def contracts(budget: Budget, faster: float = 1.0) -> Verdict:
    """The exact E ||x_k - x*||^2 against (1 - mu/L_max)^k R^2, with mu multiplied by `faster`."""
    f = problem(budget, 0.0)
    L, count = f.constants.component_smoothness, 400
    squares = exact_moments(f, budget, 0.0, 1 / L, count)[0]
    known = {"L_max": L, "mu": faster * f.constants.pl, "R": float(f.radius), "k": np.arange(1, count + 1)}
    bound = variance_reduction.interpolation_strongly_convex(**known)
    # the rate, not the first steps: how many of the bound's decades the recursion has fallen at the end
    rates = np.log(squares[-1] / squares[0]) / np.log(bound[-1] / squares[0])
    return bound_holds(squares[1:], bound).noting(decades_over_bound=float(rates))


@claim(
    kind="law",
    source="S11; Vaswani, Bach and Schmidt (2019), arXiv:1810.07288; proof in theory/variance_reduction.py",
    planted={
        "with noisy targets": lambda budget: logarithmic("sgd, constant step", 1.0, budget),
        "exponent 0.5": lambda budget: as_a_power("sgd, constant step", 0.0, 0.5, budget),
        "contraction with mu tripled": lambda budget: contracts(budget, 3.0),
    },
)
def linear_under_interpolation(budget: Budget) -> Verdict:
    """S11, refined: Where every component is minimized at x*, SGD with constant step 1/L_max needs a number of iterations
    linear in log(1/eps) over 8 decades of the geometric mean gap (as many per decade late as early, within 10 %), and
    its exact E ||x_k - x*||^2 is below (1 - mu/L_max)^k R^2."""
    law = logarithmic("sgd, constant step", 0.0, budget)
    return all_of({"law": law, "bound": contracts(budget)}).showing(law.table)


@claim(
    kind="law",
    source="S11; Johnson and Zhang (2013); Defazio, Bach and Lacoste-Julien (2014), arXiv:1407.0202",
    planted={
        "exponent 0.5 for SAGA": lambda budget: as_a_power("saga", 1.0, 0.5, budget),
        "exponent 0.5 for SVRG": lambda budget: as_a_power("svrg", 1.0, 0.5, budget),
        "plain SGD with constant step": lambda budget: logarithmic("sgd, constant step", 1.0, budget),
    },
)
def linear_with_variance_reduction(budget: Budget) -> Verdict:
    """S11, contrast: On the noisy least squares SAGA (step 1/(3 L_max)) and SVRG (step 1/(10 L_max), period 2n) need a
    number of iterations linear in log(1/eps) over 8 decades of the geometric mean gap, within 10 %."""
    parts = {name: logarithmic(name, 1.0, budget) for name in ("saga", "svrg")}
    frame = {"eps": parts["saga"].table["eps"]}
    for name, verdict in parts.items():
        frame |= {f"{name}_{column}": verdict.table[column] for column in ("measured", "low", "high")}
    return all_of(parts).showing(frame)


NOISES = tuple(np.logspace(-2, 0, 9))


@cache
def floors(budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """sigma* and the late mean gap (noises, groups) of SGD with constant step 1/(2 L_max), from x_0 and with other
    realizations of the noise at every level, so that the problems are not multiples of each other."""
    sigmas, gaps = [], []
    for draw, noise in enumerate((0.0, *NOISES)):
        f = problem(budget, noise, draw)
        L, mu = f.constants.component_smoothness, f.constants.pl
        burn_in = int(100 * L / mu)
        oracle, x0 = Oracle.minibatch(f, 1, budget.generator("floor", noise)), f.starts(GROUPS, budget.pick(20, 50))
        records = np.linspace(burn_in, 2 * burn_in, 60).astype(int).tolist()
        solver = GradientDescent(1 / (2 * L))
        trace = run(solver, oracle, x0, 2 * burn_in, lambda x, f=f: f.gap(x).mean(-1), at=records)
        sigmas.append(f.constants.variance_at_minimizer**0.5)
        gaps.append(trace.values.mean(0).cpu().numpy())
    return np.array(sigmas), np.stack(gaps)


def floor_slope(budget: Budget, exponent: float) -> Verdict:
    sigmas, gaps = (values[1:] for values in floors(budget))
    mean, low, high = interval(gaps)
    # the realizations of the noise differ, and with them the floor at the same sigma*, by tens of per cent
    verdict = exponent_is(sigmas, gaps, -exponent, 0.1, 1.8)
    return verdict.showing({"sigma_star": sigmas, "measured": mean, "low": low, "high": high})


@claim(
    kind="exponent",
    source="S11; exact second moments",
    planted={"floor like sigma*": lambda b: floor_slope(b, 1.0), "floor like sigma*^3": lambda b: floor_slope(b, 3.0)},
)
def floor_vanishes_with_the_noise(budget: Budget) -> Verdict:
    """S11, exactly when: With a constant step the mean gap stops at a floor proportional to sigma*^(2 +- 0.1), over about
    two decades of sigma* and with another realization of the noise at each; and falls below 1e-20 for sigma* = 0."""
    slope = floor_slope(budget, 2.0)
    return all_of({"slope": slope, "zero": bound_holds(floors(budget)[1][:1], [1e-20])}).showing(slope.table)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.3), layout="constrained")
    figure.set_label(
        "Least squares with n = 40, the same rows throughout. Left: iterations to accuracy eps; a straight line on these "
        "axes is log(1/eps), 1/eps bends upwards and leaves the picture. Right: the floor of constant-step SGD against "
        "the noise at the minimizer; line: slope 2."
    )
    both = verdicts["linear_with_variance_reduction"].table
    curves = {
        "SGD, noisy, decreasing step": verdicts["sublinear_with_noise"].table,
        "SGD, interpolation": verdicts["linear_under_interpolation"].table,
        **{n.upper() + ", noisy": both.rename(columns=lambda c, n=n: c.removeprefix(f"{n}_")) for n in ("saga", "svrg")},
    }
    for colour, (label, table) in enumerate(curves.items()):
        style = {"fmt": "osD^"[colour] + "-", "ms": 3, "lw": 0.8, "label": label}
        left.errorbar(1 / table["eps"], table["measured"], whiskers(table), **style)
    left.set(xscale="log", ylim=(0, 5000), xlabel="initial gap / gap", ylabel="iterations N(eps)")
    table = verdicts["floor_vanishes_with_the_noise"].table
    sigma, floor = table["sigma_star"], table["measured"]
    right.plot(sigma, floor.iloc[-1] * (sigma / sigma.iloc[-1]) ** 2, color="C0", label="slope 2")
    right.errorbar(sigma, floor, whiskers(table), fmt="o", ms=3.5, color="C1", label="measured")
    right.set(xscale="log", yscale="log", xlabel="sigma*  (noise at the minimizer)", ylabel="floor of E f(x_k) - f*")
    for ax in (left, right):
        ax.legend(frameon=False, fontsize=7)
    return {"rates": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
