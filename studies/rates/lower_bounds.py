r"""Can any method beat the stochastic rates?

    strongly convex    E f - f* >= (mu/2) / (1/R^2 + N mu^2/sigma^2)        Bayes risk, x* ~ N(x_0, R^2); attained by SGD
    convex             E f - f* >= sigma R/(4 sqrt N),  N(eps) >= sigma^2 R^2/(16 eps^2)             Bayes, and Le Cam

Hypotheses: an unbiased oracle of variance sigma^2 whose noise says nothing else (Gaussian, drawn afresh for every
sample), and instances chosen for N or eps. The prior moves the minimizer, so that a method cannot profit from where its
author put it. Not proofs but a search for counterexamples: every solver of the package that lives on stochastic
gradients runs against each bound, on a grid of steps where steps matter, and each bound is also met by a method that
attains it, or by a power that says how near the solvers came. What the hypotheses on the noise are worth:
`revealing_oracles`. The nonconvex row is the subject of `zero_chains`.

N counts samples; a second gradient on the same sample (L-BFGS) tells only the curvature of a parabola, which the bound
lets a method know. The constants are proved in `identities`.
"""

from __future__ import annotations

from functools import cache
from math import erfc

import numpy as np
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of, lower_bound_holds, mean_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.rates.priors import FLAT, MU, SIGMA, STEPS, R, gaps, moved, normal, tuned, two_functions, untuned
from ratewitness.theory import lower_bounds as theory
from ratewitness.theory.moments import second_moments

EVERYONE = (*untuned(),)


def judged(measured: dict[str, np.ndarray], N: np.ndarray, bound: np.ndarray, budget: Budget, factor: float) -> Verdict:
    """No solver at any of its steps, measured {solver: (N, steps, groups)}, below factor * bound (N,). The table has the
    best step of each, and whether it is on the edge of the grid."""
    everything = np.stack([*measured.values()])
    limits = np.broadcast_to(factor * bound[:, None], everything.shape[:-1])
    best = everything.mean(-1).argmin(-1)  # (solvers, N)
    shown = np.take_along_axis(everything, best[..., None, None], 2).squeeze(2)
    edge = (everything.shape[2] > 1) & np.isin(best, (0, len(STEPS) - 1))
    table = rows(shown, solver=np.array([*measured])[:, None], N=N, bound=bound, edge=edge)
    means = everything.reshape(-1, everything.shape[-1])
    return lower_bound_holds(means, limits.ravel(), budget.pick(0.1, 0.05)).showing(table)


def samples(budget: Budget) -> np.ndarray:
    return np.array((1, 10, 100, *budget.pick((300,), (300, 1000))))


@cache
def on_random_parabolas(budget: Budget, name: str, noise: float) -> np.ndarray:
    """Mean gaps (N, groups) of a solver; every claim draws its own parabolas and noise."""
    minimizer = normal(budget, budget.pick(3, 1) * budget.replicates)
    problem, solver = moved(quadratic([MU], [0.0]), minimizer), untuned()[name]
    oracle = Oracle.gaussian(problem, noise, budget.generator("noise"))
    return gaps(solver, problem, oracle, samples(budget).tolist(), torch.zeros_like(minimizer))[1]


@claim("lower bound", "S12; Bayes risk of a Gaussian prior, derived in theory/lower_bounds.py")
@planted("bound 1.25 times as large", factor=1.25)
@planted("noise removed", noise=0.0, names=("gradient descent",))
def bayes_risk(budget: Budget, factor=1.0, noise=SIGMA, names=EVERYONE) -> Verdict:
    """S12, as stated: With an unbiased oracle of bounded variance no solver comes below the Bayes risk (mu/2)/(1/R^2 + N
    mu^2/sigma^2) of random parabolas.

    The oracle is a Gaussian one, an unbiased oracle of bounded variance: the bound is about what some such oracle hides. The
    mean gap E f - f* is that after N stochastic gradients of mu (x - x*)^2/2 with x* ~ N(x_0, R^2), at N = 1, 10, 100, 300
    (full budget: and 1000); the tolerance is 10 % (full budget: 5 %).
    """
    measured = {name: on_random_parabolas(budget, name, noise)[:, None] for name in names}
    bound = theory.pl_any_method(mu=MU, sigma=SIGMA, R=R, N=samples(budget))
    return judged(measured, samples(budget), bound, budget, factor)


@claim("exact", "S12; recursive least squares, the posterior mean")
@planted("risk 0.8 times as large", factor=0.8)
@planted("risk 1.25 times as large", factor=1.25)
def attained_by_least_squares(budget: Budget, factor: float = 1.0) -> Verdict:
    """S12, refined: SGD with the steps of recursive least squares attains the Bayes risk of random parabolas at every N.

    With a_k = mu/(sigma^2/R^2 + (k+1) mu^2), on the instances of `bayes_risk`, the exact recursion of second moments attains
    it to rounding, and the sampled mean gap within 10 % (full budget: 5 %).
    """
    N = samples(budget)
    bound = factor * theory.pl_any_method(mu=MU, sigma=SIGMA, R=R, N=N)
    steps = [MU / (SIGMA**2 / R**2 + (k + 1) * MU**2) for k in range(N[-1])]
    exact = MU / 2 * np.array(second_moments(MU, steps, SIGMA, R, int(N[-1])))[N]
    sampled = mean_is(on_random_parabolas(budget, "least squares", SIGMA), bound, budget.pick(0.1, 0.05))
    return all_of({"sampled": sampled, "exact": agrees(exact, bound)})


@cache
def chosen_for_each_horizon(budget: Budget, two_point: bool) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Mean gaps (N, steps, groups) of every solver on the instances of each N: parabolas or two Huber functions."""
    horizons, measured = np.array(budget.pick((10, 30, 100), (10, 30, 100, 300))), {}
    for N in horizons:
        minimizer = normal(budget, budget.pick(3, 1) * budget.replicates, N)
        lam = None if two_point else SIGMA / (R * N**0.5)
        problem = two_functions(SIGMA / (2 * N**0.5), minimizer) if two_point else moved(quadratic([lam], [0.0]), minimizer)
        x0 = torch.zeros(len(STEPS), *minimizer.shape, dtype=torch.float64)
        for name, solver in tuned(R / (SIGMA * N**0.5), lam).items():
            oracle = Oracle.gaussian(problem, SIGMA, budget.generator("noise", N))
            measured.setdefault(name, []).append(gaps(solver, problem, oracle, [int(N)], x0)[1][0])
    return horizons, {name: np.stack(values) for name, values in measured.items()}


@claim("lower bound", "S12; supremum over the curvature of the Bayes risk")
@planted("bound 1.25 times as large", factor=1.25)
@planted("rate N^(-0.4)", power=0.4)
def convex(budget: Budget, factor: float = 1.0, power: float = 0.5) -> Verdict:
    """S12, as stated: With an unbiased oracle of bounded variance no solver comes below sigma R/(4 sqrt N) on random
    parabolas chosen for N.

    The oracle is Gaussian. On lam (x - x*)^2/2 with lam = sigma/(R sqrt N), x* ~ N(x_0, R^2), and 8 constant steps over two
    decades around R/(sigma sqrt N), E f - f* is not below it: accuracy eps takes at least sigma^2 R^2/(16 eps^2) samples.
    The tolerance is 10 % (full budget: 5 %).
    """
    N, measured = chosen_for_each_horizon(budget, two_point=False)
    return judged(measured, N, theory.convex_any_method(sigma=SIGMA, R=R, N=N ** (2 * power)), budget, factor)


@claim("lower bound", "S12; Le Cam's two-point method")
@planted("bound 1.75 times as large", factor=1.75)
@planted("rate N^(-0.3)", power=0.3)
def two_points(budget: Budget, factor: float = 1.0, power: float = 0.5) -> Verdict:
    """S12, refined: No solver that asks one gradient a sample comes below Le Cam's bound, sigma R/(4 sqrt N) less 2.5 %, in
    the mean of two functions.

    The bound is sigma R/(4 sqrt N) (1 - tau/(2R)), where tau/(2R) = 2.5 % is the share of the rounded tip, in the mean
    over the two functions delta |x - v R|, v = +-1, rounded for |x - v R| <= tau = R/20, with delta = sigma/(2 sqrt N),
    at any of the same 8 steps. Tolerance 10 % (full budget: 5 %)."""
    N, measured = chosen_for_each_horizon(budget, two_point=True)
    bound = theory.convex_any_method(sigma=SIGMA, R=R, N=N ** (2 * power)) * (1 - FLAT / (2 * R))  # the tip: delta FLAT/2
    verdict = judged(measured, N, bound, budget, factor)
    # Le Cam's bound uses 1 - TV >= 1/2 (Pinsker); with N Gaussian samples 1 - TV is 2 Phi(-1/2) = 0.617
    return verdict.noting(power_with_exact_tv=verdict.evidence["power"] / (2 * erfc(0.5 / 2**0.5)))


LOOKS = {
    "gradient descent": "C0o-", "averaged gradient descent": "C1s-", "heavy ball": "C2D-", "nesterov": "C3^-",
    "lbfgs": "C4v-", "least squares": "C5X-",
}  # fmt: skip


def figures(verdicts: dict[str, Verdict]) -> dict:
    caption = (
        "Mean gap over the any-method lower bound, for the solvers that use nothing but stochastic gradients. Strongly "
        "convex: decreasing steps, random parabolas. Convex: the best of 8 constant steps for each $N$, on parabolas and on "
        "Le Cam's two functions. Points with 99 % intervals, set apart along the axis."
    )
    axes = {"x": "N", "xlabel": "samples $N$", "ylabel": r"$(\mathbb{E}\,f - f^*)$ / bound", "unit": "bound", "by": "solver"}
    axes |= {"levels": {"lower bound": 1.0}, "apart": 1.05}
    narrow = axes | {"log": "x", "options": {"ylim": (0.9, 1.8)}}
    shown = [
        Panel(verdicts["bayes_risk"].table, title="strongly convex", **axes),
        Panel(verdicts["convex"].table, title="convex, parabolas", **narrow),
        Panel(verdicts["two_points"].table, title="convex, two points", **narrow),
    ]
    return {"bounds": panels(caption, LOOKS, shown)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
