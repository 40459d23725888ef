r"""Can any method beat the stochastic rates?

    strongly convex    E f - f* >= (mu/2) / (1/R^2 + N mu^2/sigma^2)        Bayes risk, x* ~ N(x_0, R^2); attained by SGD
    convex             E f - f* >= sigma R/(4 sqrt N),  N(eps) >= sigma^2 R^2/(16 eps^2)             Bayes, and Le Cam

Hypotheses: an unbiased oracle of variance sigma^2 whose noise says nothing else (Gaussian, drawn afresh for every
sample), and instances chosen for N or eps. The prior moves the minimizer, so that a method cannot profit from where its
author put it. Not proofs but a search for counterexamples: every solver of the package that lives on stochastic
gradients runs against each bound, on a grid of steps where steps matter, and each bound is also met by a method that
attains it, or by a power that says how near the solvers came. Line search asks for exact function values, SVRG and SAGA
for a finite sum: they answer to other oracles, and the last claims show what that is worth. The nonconvex row is the
subject of `zero_chains`.

N counts samples; a second gradient on the same sample (L-BFGS) tells only the curvature of a parabola, which the bound
lets a method know. The constants are proved in `identities`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import erfc

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.huber import huber
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.around.averaging import PolyakRuppert
from ratewitness.solvers.catalogue import catalogue
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.lbfgs import LBFGS
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.schedules import InverseTime
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, all_of, bound_holds, exceeds, interval, lower_bound_holds, mean_is
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.theory import lower_bounds as theory
from ratewitness.theory.moments import second_moments

GROUPS = 10
SIGMA, R, MU = 2.0, 3.0, 0.5
L = 10 * MU  # what the solvers are told: the parabola of curvature mu is one member of the class
STEPS = np.logspace(-1, 1, 8)  # in units of R/(sigma sqrt N), the same for every solver
FLAT = R / 20  # half the width of the Huber function's parabola


def tolerance(budget: Budget) -> float:
    """How far below a bound an interval may reach: a method that attains it cannot be told from one slightly below."""
    return budget.pick(0.1, 0.05)


def solvers(L: float, mu: float, n: int | None = None) -> dict:
    """Every solver of the package that needs nothing but stochastic gradients, with decreasing and constant steps."""
    constant = {f"{name}, constant": s for name, s in catalogue(L, mu).items() if name != "armijo"}
    return catalogue(L, mu, noisy=True, n=n) | constant


def tuned(unit: float, curvature: float | None = None) -> dict:
    """Solvers with constant steps on the grid, (8, 1, 1, 1) against x (8, groups, size, 1)."""
    lr = unit * torch.as_tensor(STEPS).reshape(-1, 1, 1, 1)
    grid = {
        "gradient descent": GradientDescent(lr),
        "averaged gradient descent": PolyakRuppert(GradientDescent(lr)),
        "heavy ball": HeavyBall(0.1 * lr, 0.9),  # moves like the step lr
        "nesterov": Nesterov(0.1 * lr, 0.9),
    }
    if curvature:
        grid["lbfgs"] = LBFGS(curvature * lr, memory=1, scale=1 / curvature)
        grid["least squares"] = least_squares(curvature)
    return grid


def least_squares(mu: float) -> GradientDescent:
    """SGD with a_k = mu/(sigma^2/R^2 + (k+1) mu^2): the mean of the posterior, that is recursive least squares."""
    return GradientDescent(InverseTime(mu, 1.0, 1 + (SIGMA / (mu * R)) ** 2))


def moved(problem, minimizer: torch.Tensor):
    """`problem`, whose minimizer is 0, with another minimizer for every replicate."""
    gap, grad = problem.gap, problem.grad
    return replace(problem, gap=lambda x: gap(x - minimizer), grad=lambda x: grad(x - minimizer), minimizer=minimizer)


def normal(budget: Budget, size: int, *stream) -> torch.Tensor:
    """Draws from the prior N(0, R^2), (groups, size, 1)."""
    generator = budget.generator("prior", *stream)
    return R * torch.randn(GROUPS, size, 1, generator=generator, device=generator.device, dtype=torch.float64)


def parabola(curvature: float):
    """curvature x^2/2 on the line."""
    one = torch.ones(1, dtype=torch.float64)
    return quadratic(curvature * one, 0 * one)


def gaps(solver, problem, oracle, at, x0) -> tuple[np.ndarray, np.ndarray]:
    """Component gradients asked for (len(at),) and E f(x_k) - f* (len(at), ..., groups) at the iterations `at`."""
    trace = run(solver, oracle, x0, at[-1], lambda x: problem.gap(x).mean(-1), at=at)
    return np.array(trace.component_gradients), trace.values.cpu().numpy()


def judged(measured: dict[str, np.ndarray], N, bound: np.ndarray, budget: Budget, factor: float = 1.0) -> Verdict:
    """No solver at any of its steps, measured {solver: (N, steps, groups)}, below factor * bound (N,)."""
    everything = np.stack(list(measured.values()))
    limits = np.broadcast_to(factor * np.asarray(bound)[:, None], everything.shape[:-1])
    verdict = lower_bound_holds(everything.reshape(-1, GROUPS), limits.ravel(), tolerance(budget))
    rows = []
    for name, values in measured.items():
        best = values.mean(-1).argmin(1)
        for j, count in enumerate(N):
            mean, low, high = interval(values[j, best[j]])
            edge = values.shape[1] > 1 and best[j] in (0, len(STEPS) - 1)
            rows.append((name, int(count), bound[j], mean, low, high, edge))
    columns = ("solver", "N", "bound", "measured", "low", "high", "edge")
    return verdict.showing(dict(zip(columns, zip(*rows, strict=True), strict=True)))


@cache
def strongly_convex_gaps(budget: Budget, noise: float = SIGMA, only: str = "") -> tuple[tuple, dict[str, np.ndarray]]:
    """Records N and mean gaps (N, 1, groups) of every solver, or of `only` one."""
    minimizer = normal(budget, budget.pick(3, 1) * budget.replicates // GROUPS)
    problem, at = moved(parabola(MU), minimizer), (1, 10, 100, *budget.pick((300,), (300, 1000)))
    everyone = solvers(L, MU) | {"least squares": least_squares(MU)}
    measured = {}
    for name in [only] if only else everyone:
        oracle = Oracle.gaussian(problem, noise, budget.generator("noise"))
        _, values = gaps(everyone[name], problem, oracle, at, torch.zeros_like(minimizer))
        measured[name] = values[:, None]
    return at, measured


def strongly_convex(budget: Budget, factor: float = 1.0, **choice) -> Verdict:
    N, measured = strongly_convex_gaps(budget, **choice)
    return judged(measured, N, theory.pl_any_method(mu=MU, sigma=SIGMA, R=R, N=np.array(N)), budget, factor)


@claim(
    kind="lower bound",
    source="S12; Bayes risk of a Gaussian prior, derived in theory/lower_bounds.py",
    planted={
        "bound doubled": lambda budget: strongly_convex(budget, factor=2.0),
        "bound 1.25 times as large": lambda budget: strongly_convex(budget, factor=1.25),
        "noise removed": lambda budget: strongly_convex(budget, noise=0.0, only="gradient descent"),
    },
)
def bayes_risk(budget: Budget) -> Verdict:
    """S12: No solver comes below (mu/2)/(1/R^2 + N mu^2/sigma^2) in E f - f* after N Gaussian stochastic gradients of
    mu (x - x*)^2/2 with x* ~ N(x_0, R^2), at N = 1, 10, 100, 300 (and 1000); tolerance 10 % (full budget: 5 %)."""
    return strongly_convex(budget)


def least_squares_risk(budget: Budget, factor: float = 1.0) -> Verdict:
    N, measured = strongly_convex_gaps(budget, only="least squares")
    bound = factor * theory.pl_any_method(mu=MU, sigma=SIGMA, R=R, N=np.array(N))
    steps = [MU / (SIGMA**2 / R**2 + (k + 1) * MU**2) for k in range(N[-1])]
    exact = MU / 2 * np.array(second_moments(MU, steps, SIGMA, R, N[-1]))[list(N)]
    sampled = mean_is(measured["least squares"][:, 0], bound, tolerance(budget))
    return all_of({"sampled": sampled, "exact": agrees(exact, bound)})


@claim(
    kind="exact",
    source="S12; recursive least squares, the posterior mean",
    planted={
        "bound halved": lambda budget: least_squares_risk(budget, 0.5),
        "risk 1.25 times as large": lambda budget: least_squares_risk(budget, 1.25),
    },
)
def attained_by_least_squares(budget: Budget) -> Verdict:
    """S12: SGD with a_k = mu/(sigma^2/R^2 + (k+1) mu^2) attains that bound at every N: the exact recursion of second
    moments to rounding, and the sampled mean gap within 10 % (full budget: 5 %)."""
    return least_squares_risk(budget)


def signs(like: torch.Tensor) -> torch.Tensor:
    """Half +1 and half -1 in every group (groups, size, 1)."""
    return torch.ones_like(like) - 2 * (torch.arange(like.shape[1], device=like.device) % 2).unsqueeze(-1)


@cache
def convex_gaps(budget: Budget, two_point: bool) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Mean gaps (N, steps, groups) of every solver on the instances of each N: parabolas or two Huber functions."""
    horizons, measured = np.array(budget.pick((10, 30, 100), (10, 30, 100, 300))), {}
    for N in horizons:
        minimizer = normal(budget, budget.pick(3, 1) * budget.replicates // GROUPS, N)
        lam = None if two_point else SIGMA / (R * N**0.5)
        if two_point:
            slope, minimizer = SIGMA / (2 * N**0.5), R * signs(minimizer)
        problem = moved(huber(slope / FLAT, FLAT, 0.0) if two_point else parabola(lam), minimizer)
        x0 = torch.zeros(len(STEPS), *minimizer.shape, dtype=torch.float64)
        for name, solver in tuned(R / (SIGMA * N**0.5), lam).items():
            oracle = Oracle.gaussian(problem, SIGMA, budget.generator("noise", N))
            _, values = gaps(solver, problem, oracle, [int(N)], x0)
            measured.setdefault(name, []).append(values[0])
    return horizons, {name: np.stack(values) for name, values in measured.items()}


def convex_bound(budget: Budget, two_point: bool, factor: float = 1.0, power: float = 0.5) -> Verdict:
    N, measured = convex_gaps(budget, two_point)
    bound = theory.convex_any_method(sigma=SIGMA, R=R, N=N ** (2 * power))
    if two_point:
        bound = bound * (1 - FLAT / (2 * R))  # the rounded tip costs delta FLAT/2
    return judged(measured, N, bound, budget, factor)


@claim(
    kind="lower bound",
    source="S12; supremum over the curvature of the Bayes risk",
    planted={
        "bound doubled": lambda budget: convex_bound(budget, False, factor=2.0),
        "the constant of the upper bound": lambda budget: convex_bound(budget, False, factor=4.0),
        "rate N^(-1/4)": lambda budget: convex_bound(budget, False, power=0.25),
    },
)
def convex(budget: Budget) -> Verdict:
    """S12: No solver, at any of 8 constant steps over two decades around R/(sigma sqrt N), comes below
    sigma R/(4 sqrt N) in E f - f* on lam (x - x*)^2/2 with lam = sigma/(R sqrt N), x* ~ N(x_0, R^2): accuracy eps takes
    at least sigma^2 R^2/(16 eps^2) samples. Tolerance 10 % (full budget: 5 %)."""
    return convex_bound(budget, False)


@claim(
    kind="lower bound",
    source="S12; Le Cam's two-point method",
    planted={
        "bound doubled": lambda budget: convex_bound(budget, True, factor=2.0),
        "the constant of the upper bound": lambda budget: convex_bound(budget, True, factor=4.0),
        "rate N^(-1/4)": lambda budget: convex_bound(budget, True, power=0.25),
    },
)
def two_points(budget: Budget) -> Verdict:
    """S12: The same bound, less the share tau/(2R) of the rounded tip, holds in the mean over the two functions
    delta |x - v R|, v = +-1, rounded for |x - v R| <= tau = R/20, with delta = sigma/(2 sqrt N), for every solver that
    asks one gradient a sample, at any of the same 8 steps. Tolerance 10 % (full budget: 5 %)."""
    verdict = convex_bound(budget, True)
    # Le Cam's bound uses 1 - TV >= 1/2 (Pinsker); with N Gaussian samples 1 - TV is 2 Phi(-1/2) = 0.617
    return verdict.noting(power_with_exact_tv=verdict.evidence["power"] / (2 * erfc(0.5 / 2**0.5)))


@cache
def two_component_gaps(budget: Budget, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Bayes risk after as many samples as component gradients were asked for, and mean gap of a solver: (records,) and
    (records, groups), on mu x^2/2 +- sigma x.

    x_0 ~ N(0, R^2): the solvers are translation equivariant, so this is the prior on the minimizer.
    """
    problem, x0 = perturbed(parabola(MU), SIGMA), normal(budget, budget.pick(4_000, 20_000) // GROUPS)
    oracle = Oracle.minibatch(problem, 1, budget.generator("indices"))
    asked, values = gaps(solvers(L, MU, n=2)[name], problem, oracle, (30, 100, 300, 1000), x0)
    return theory.pl_any_method(mu=MU, sigma=SIGMA, R=R, N=asked), values


def two_components(budget: Budget, *names: str) -> Verdict:
    """The Bayes risk against every solver, or those named, on the two-component sum."""
    bounds, measured = zip(*(two_component_gaps(budget, name) for name in names or solvers(L, MU, n=2)), strict=True)
    return lower_bound_holds(np.concatenate(measured), np.concatenate(bounds), tolerance(budget))


@claim(
    kind="lower bound",
    source="S12, as stated",
    planted={
        "only SVRG": lambda budget: two_components(budget, "svrg"),
        "only SAGA": lambda budget: two_components(budget, "saga"),
    },
)
def as_stated(budget: Budget) -> Verdict:
    """S12, as stated, instance by instance (wherever the oracle is unbiased and of bounded variance): on
    mu (x - x*)^2/2 +- sigma x, the witness on which SGD needs 1/eps steps, no solver of the package, SVRG and SAGA
    included, comes below the Bayes risk for as many samples as it has asked component gradients, in 1000 steps;
    tolerance 10 % (full budget: 5 %)."""
    return two_components(budget)


def advantage(budget: Budget, *names: str) -> Verdict:
    """log10 of Bayes risk over gap at the last record."""
    runs = {name: two_component_gaps(budget, name) for name in names}
    effects = {name: exceeds(np.log10(bound[-1] / values[-1]), 1.0) for name, (bound, values) in runs.items()}
    return all_of(effects)


@claim(
    kind="phenomenon",
    source="S12, refined; Johnson and Zhang (2013), Defazio, Bach and Lacoste-Julien (2014)",
    planted={
        "gradient descent": lambda budget: advantage(budget, "gradient descent"),
        "averaged gradient descent": lambda budget: advantage(budget, "averaged gradient descent"),
    },
)
def index_breaks_it(budget: Budget) -> Verdict:
    """S12, refined: The noise must say nothing but itself. On the same witness SVRG and SAGA, who may ask twice for the
    same component, come below the Bayes risk by more than a factor of 10 after 1000 steps."""
    return advantage(budget, "svrg", "saga")


@dataclass(frozen=True)
class Difference:
    """Two queries, at 2R and at 0, tell v: on one sample the noise cancels in their difference."""

    slope: float
    redraw: bool

    def init(self, x):
        return None

    def step(self, x, state, oracle):
        far = oracle.grad(torch.full_like(x, 2 * R))
        return R * ((far - oracle.grad(torch.zeros_like(x), redraw=self.redraw)) / self.slope - 1).clamp(-1, 1), None


def difference(budget: Budget, redraw: bool, factor: float = 0.1) -> Verdict:
    N = 100
    slope, v = SIGMA / (2 * N**0.5), signs(torch.zeros(GROUPS, budget.replicates // GROUPS, 1, dtype=torch.float64))
    problem = moved(huber(slope / FLAT, FLAT, 0.0), R * v)
    oracle = Oracle.gaussian(problem, SIGMA, budget.generator("noise"))
    _, values = gaps(Difference(slope, redraw), problem, oracle, [1], torch.zeros_like(v))
    return bound_holds(values, factor * theory.convex_any_method(sigma=SIGMA, R=R, N=np.array([N])))


@claim(
    kind="phenomenon",
    source="S12, refined",
    planted={"a fresh sample for the second query": lambda budget: difference(budget, redraw=True)},
)
def sample_twice_breaks_it(budget: Budget) -> Verdict:
    """S12, refined: Each sample must be asked only once. Two gradients on *one* sample of additive noise tell the two
    functions of Le Cam's bound for N = 100 apart: the gap is then below a tenth of that bound."""
    return difference(budget, redraw=False)


COLOURS = {
    "gradient descent": "C0", "averaged gradient descent": "C1", "heavy ball": "C2", "nesterov": "C3", "lbfgs": "C4",
    "least squares": "C5",
}  # fmt: skip
MARKERS = dict(zip(COLOURS, "osD^vX", strict=True))


def points(ax, part: pd.DataFrame, solver: str, across, unit) -> None:
    """Measured means in units of `unit`, with their intervals."""
    style = {"color": COLOURS[solver], "marker": MARKERS[solver], "ms": 4, "lw": 0.8, "label": solver}
    ax.errorbar(across, part["measured"] / unit, whiskers(part, unit=unit), **style)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    bounds, axes = plt.subplots(1, 3, figsize=(9.6, 3.6), layout="constrained")
    bounds.set_label(
        "Mean gap over the any-method lower bound, for the solvers that use nothing but stochastic gradients. Left: "
        "decreasing steps, random parabolas. Middle, right: the best of 8 constant steps for each N, on parabolas and on "
        "Le Cam's two functions. Points with 99 % intervals, set apart along the axis; the line is the bound."
    )
    titles = {"bayes_risk": "strongly convex", "convex": "convex, parabolas", "two_points": "convex, two points"}
    for (name, title), ax in zip(titles.items(), axes, strict=True):
        table = verdicts[name].table
        ax.axhline(1, color="0.2", lw=2, ls="--", label="lower bound")
        for j, solver in enumerate(COLOURS):
            part = table[table["solver"] == solver]
            if len(part):
                points(ax, part, solver, part["N"] * 1.05 ** (j - 3), part["bound"])
        ax.set(title=title, xlabel="samples N", xscale="log")
        ax.set(yscale="log") if name == "bayes_risk" else ax.set_ylim(0.9, 1.8)
    axes[0].set_ylabel("E f - f*, in units of the bound")
    bounds.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)

    return {"bounds": bounds}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
