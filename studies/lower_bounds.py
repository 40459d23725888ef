r"""Can any method beat the stochastic rates?

    strongly convex    E f - f* >= (mu/2) / (1/R^2 + N mu^2/sigma^2)        Bayes risk, x* ~ N(x_0, R^2); attained by SGD
    convex             E f - f* >= sigma R/(4 sqrt N),  N(eps) >= sigma^2 R^2/(16 eps^2)             Bayes, and Le Cam
    nonconvex          N >= T queries on a chain of T links, E N >= T/p if a query shows the next link with probability p

Hypotheses: an unbiased oracle of variance sigma^2 whose noise says nothing else (Gaussian, drawn afresh for every
sample), and instances chosen for N or eps. The prior moves the minimizer, so that a method cannot profit from where its
author put it. Not proofs but a search for counterexamples: every solver of the package that lives on stochastic
gradients runs against each bound, on a grid of steps where steps matter, and each bound is also met by a method that
attains it, or by a power that says how near the solvers came. Line search asks for exact function values, SVRG and SAGA
for a finite sum: they answer to other oracles, and the last claims show what that is worth.

N counts samples in the convex rows, where a second gradient on the same sample (L-BFGS) tells only the curvature, which
the bound lets a method know; in the nonconvex rows it counts gradient queries. With T ~ L Delta/eps and p ~ eps/sigma^2
the last row is the law 1/eps * 1/eps; the rigorous constant (1e-8, theory/lower_bounds.py) is out of reach of any run.

Sources: Le Cam's method; Carmon, Duchi, Hinder and Sidford (2020), arXiv:1710.11606; Arjevani, Carmon, Duchi, Foster,
Srebro and Woodworth (2023), arXiv:1912.02365.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import torch

from problems.huber import huber
from problems.noisy_quadratics import noisy_parabola
from problems.oracle import Oracle
from problems.quadratics import quadratic
from problems.zero_chain import zero_chain
from solvers.averaging import PolyakRuppert
from solvers.catalogue import catalogue
from solvers.gradient_descent import GradientDescent
from solvers.heavy_ball import HeavyBall
from solvers.lbfgs import LBFGS
from solvers.nesterov import Nesterov
from solvers.schedules import InverseTime
from solvers.solver import CENSORED, hitting_times, run
from studies.claims import Budget, Verdict, claim
from studies.judges import agrees, all_of, bound_holds, exceeds, exponent_is, interval, lower_bound_holds, mean_is, proved
from theory import lower_bounds as theory
from theory.moments import second_moments

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


def gaps(solver, problem, oracle, at, lead: tuple[int, ...] = ()) -> np.ndarray:
    """E f(x_k) - f* from start 0 at the iterations `at`, over groups of replicates: (len(at), *lead, groups)."""
    x0 = torch.zeros(*lead, *problem.minimizer.shape, dtype=torch.float64)
    trace = run(solver, oracle, x0, at[-1], lambda x: problem.gap(x).mean(-1), at=at)
    return trace.values.cpu().numpy()


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
            rows.append((name, int(count), bound[j], mean, low, high, best[j] in (0, len(STEPS) - 1)))
    columns = ("solver", "N", "bound", "measured", "low", "high", "edge")
    return verdict.showing(dict(zip(columns, zip(*rows, strict=True), strict=True)))


@cache
def strongly_convex_gaps(budget: Budget, noise: float = SIGMA) -> tuple[tuple[int, ...], dict[str, np.ndarray]]:
    size, generator = 2 * budget.pick(2, 1) * budget.replicates // GROUPS, budget.generator("prior")
    minimizer = R * torch.randn(GROUPS, size, 1, generator=generator, device=generator.device, dtype=torch.float64)
    problem = moved(quadratic(torch.tensor([MU], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)), minimizer)
    at = (1, 10, 100, *budget.pick((300,), (300, 1000)))
    everyone = solvers(L, MU) | {"least squares": least_squares(MU)}
    return at, {
        name: gaps(s, problem, Oracle.gaussian(problem, noise, budget.generator("noise")), at)[:, None]
        for name, s in everyone.items()
    }


def strongly_convex(budget: Budget, factor: float = 1.0, noise: float = SIGMA) -> Verdict:
    N, measured = strongly_convex_gaps(budget, noise)
    return judged(measured, N, theory.pl_any_method(mu=MU, sigma=SIGMA, R=R, N=np.array(N)), budget, factor)


@claim(
    kind="lower bound",
    source="S12; Bayes risk of a Gaussian prior, derived in theory/lower_bounds.py",
    planted={
        "bound doubled": lambda budget: strongly_convex(budget, factor=2.0),
        "bound 1.25 times as large": lambda budget: strongly_convex(budget, factor=1.25),
        "noise removed": lambda budget: strongly_convex(budget, noise=0.0),
    },
)
def bayes_risk(budget: Budget) -> Verdict:
    """S12: No solver comes below (mu/2)/(1/R^2 + N mu^2/sigma^2) in E f - f* after N Gaussian stochastic gradients of
    mu (x - x*)^2/2 with x* ~ N(x_0, R^2), at N = 1, 10, 100, 300 (and 1000); tolerance 10 % (full budget: 5 %)."""
    return strongly_convex(budget)


def least_squares_risk(budget: Budget, factor: float = 1.0) -> Verdict:
    N, measured = strongly_convex_gaps(budget)
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


@cache
def convex_gaps(budget: Budget, two_point: bool) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Mean gaps (N, steps, groups) of every solver on the instances of each N: parabolas or two Huber functions."""
    horizons, measured = np.array(budget.pick((10, 30, 100), (10, 30, 100, 300))), {}
    size, generator = budget.pick(3, 1) * budget.replicates // GROUPS, budget.generator("prior")
    for N in horizons:
        minimizer = torch.randn(GROUPS, size, 1, generator=generator, device=generator.device, dtype=torch.float64)
        if two_point:
            slope, lam = SIGMA / (2 * N**0.5), None
            minimizer = torch.where(torch.arange(size).unsqueeze(-1) % 2 == 0, R, -R) + 0 * minimizer
            problem = moved(huber(slope / FLAT, FLAT, 0.0), minimizer)
        else:
            lam = SIGMA / (R * N**0.5)
            zero = torch.zeros(1, dtype=torch.float64)
            problem = moved(quadratic(zero + lam, zero), R * minimizer)
        for name, solver in tuned(R / (SIGMA * N**0.5), lam).items():
            oracle = Oracle.gaussian(problem, SIGMA, budget.generator("noise", N))
            values = gaps(solver, problem, oracle, [int(N)], (len(STEPS),))[0]
            measured.setdefault(name, []).append(values)
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
    return convex_bound(budget, True)


@claim(
    kind="proof",
    source="S12; theory/lower_bounds.py",
    planted={
        "constant 3": lambda budget: proved(lambda: theory.convex_supremum(3) or theory.two_point(3)),
        "steps one query late": lambda budget: proved(lambda: theory.least_squares_attains(offset=2)),
    },
)
def constants(budget: Budget) -> Verdict:
    """S12: Symbolically: least squares attains the Bayes risk at every N, its supremum over the curvature is
    sigma R/(4 sqrt N), and Le Cam's two points with the best slope give the same constant."""
    proofs = theory.least_squares_attains, theory.convex_supremum, theory.two_point
    return all_of({proof.__name__: proved(proof) for proof in proofs})


@dataclass(frozen=True)
class Greedy:
    """Sets every coordinate that it sees for the first time to +-1, downhill: a link of the chain each time."""

    def init(self, x):
        return None

    def step(self, x, state, oracle):
        return torch.where(x == 0, -torch.sign(oracle.grad(x)), x), None


@dataclass(frozen=True)
class Jittered:
    """Gradient descent from a randomly perturbed point: it does not respect zeros."""

    generator: torch.Generator

    def init(self, x):
        return None

    def step(self, x, state, oracle):
        noise = torch.randn(x.shape, generator=self.generator, device=x.device, dtype=x.dtype)
        return x - oracle.grad(x) / 152 + 0.1 * noise, None


def discovered(x: torch.Tensor) -> torch.Tensor:
    """The last coordinate that is not zero: (*batch, T) -> (*batch,)."""
    return ((x != 0) * torch.arange(1, x.shape[-1] + 1, device=x.device)).amax(-1)


def chain_solvers() -> dict:
    """The solvers for exact gradients, told L = 152 and, as a nonconvex function has no mu, L/100."""
    return catalogue(152.0, 1.52) | {"greedy": Greedy()}


@cache
def explored(budget: Budget) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For every solver the queries, coordinates discovered and, where |x_T| < 1, ||grad F_T|| (else nan)."""
    problem, found = zero_chain(budget.pick(100, 400), L=152.0), {}
    steps = 60 * problem.shape[0]

    def measure(x):
        norm = problem.grad(x).norm(dim=-1)
        return torch.stack([discovered(x).to(norm), torch.where(x[..., -1].abs() < 1, norm, torch.nan)])

    for name, solver in chain_solvers().items():
        horizon = 2 * problem.shape[0] if name == "greedy" else steps
        trace = run(solver, Oracle.full(problem), problem.start, horizon, measure, at=range(horizon + 1))
        count, norm = trace.values.cpu().numpy().T
        found[name] = np.array(trace.calls), count, norm
    return found
