r"""Do momentum and quasi-Newton methods improve the stochastic rate?

    gradient descent   N ~ kappa      log(1/eps)  +  sigma^2/(mu eps)
    momentum           N ~ sqrt kappa log(1/eps)  +  sigma^2/(mu eps)
    any method         N >=                          sum_j sigma_j^2/(2 lam_j eps)      (information, mode by mode)

on strongly convex quadratics with eigenvalues mu = lam_1 <= ... <= lam_4 = kappa mu, log-spaced, and additive noise of
variance sigma_j^2 = sigma^2/4 along each axis; mu, sigma and Delta are fixed as kappa varies (with L fixed instead,
1/mu brings kappa into the noise term). The first terms are what conditioning costs and what momentum mends; the second
ones are what the noise costs, the same for all up to a constant. So the statement is about eps below about
sigma^2/(mu kappa), and the last claims look at the other side of it.

Steps a_k = 2/(mu (2 kappa + k)), for momentum beta = (sqrt kappa - 1)/(sqrt kappa + 1) times 1 - beta, for stochastic
L-BFGS (two gradients on each sample, memory 8) 2/(k + 10). To first order SGD then needs N(eps) = C/eps - 2 kappa with

    C = sum_j sigma_j^2/(2 mu) * 4 r_j/(4 r_j - 1),        r_j = lam_j/mu.

Momentum gains sqrt kappa on strongly convex quadratics only: on smooth PL functions no first-order method does (Yue,
Fang and Lin 2023, arXiv:2212.13551).

Sources: Polyak (1964); Nesterov (2004); Schraudolph, Yu and Guenter (2007); the constants are derived here.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.catalogue import catalogue
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.solver import CENSORED, hitting_times
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, bound_holds, exceeds, exponent_is, interval, lower_bound_holds, mean_is
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.theory.lower_bounds import pl_any_method

GROUPS, MODES = 10, 4
MU = SIGMA = 1.0
KAPPAS = np.array([2.0, 8.0, 32.0])
METHODS = {"gradient descent": "C0", "heavy ball": "C2", "nesterov": "C3", "lbfgs": "C4"}


def spectrum(kappas: np.ndarray, modes: int = MODES) -> np.ndarray:
    """Log-spaced eigenvalues from mu to kappa mu: (K, modes)."""
    return MU * kappas[:, None] ** (np.arange(modes) / (modes - 1))


def problem(kappas: np.ndarray, axes: int, Delta: float = 1.0, modes: int = MODES):
    """The quadratics of all kappas at once, (K, 1, ..., 1, modes) with `axes` ones, with Delta shared by the modes."""
    lam = torch.as_tensor(spectrum(kappas, modes)).reshape(-1, *[1] * axes, modes)
    return quadratic(lam, (2 * Delta / (modes * lam)).sqrt())


def sgd_constant(kappas: np.ndarray) -> np.ndarray:
    """C of N(eps) = C/eps for steps 2/(mu (2 kappa + k)): (K,)."""
    r = spectrum(kappas) / MU
    return (SIGMA**2 / MODES / (2 * MU) * 4 * r / (4 * r - 1)).sum(-1)


def information(kappas: np.ndarray) -> np.ndarray:
    """C of N(eps) = C/eps for the best estimate from N samples, without prior knowledge: (K,)."""
    return pl_any_method(mu=spectrum(kappas), sigma=SIGMA / MODES**0.5, R=np.inf, N=1).sum(-1)


@cache
def stochastic(method: str, budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies (E, K) and the samples N(eps) until the mean gap of a group is below: (E, K, groups).

    Every method meets the same noise, whichever claim asks. The coarsest accuracy is one that SGD reaches after 10 kappa
    (full budget: 20 kappa) steps, when its transient is over; for L-BFGS, without that transient, after 100 (150). A
    mean over 50 (100) replicates fluctuates, and so is first below eps about a tenth early: alike for all methods, and
    harmless in a lower bound on N.
    """
    axes = [1] * 3
    kappa = torch.as_tensor(KAPPAS).reshape(-1, *axes)
    f = perturbed(problem(KAPPAS, 2), SIGMA, n=2 * MODES)
    solver = catalogue(kappa * MU, MU, noisy=True)[method]
    first = budget.pick(10, 20) * KAPPAS
    if method == "lbfgs":
        solver, first = replace(solver, memory=8), budget.pick(100, 150) * np.ones_like(KAPPAS)
    scale = 4 / 3 * information(KAPPAS) if method == "lbfgs" else sgd_constant(KAPPAS)
    eps = np.logspace(0, -budget.pick(1.5, 2.0), budget.pick(8, 12))[:, None] * scale / first
    oracle = Oracle.minibatch(f, 1, budget.generator("noise"))
    thresholds = torch.as_tensor(eps).unsqueeze(-1)
    x0, limit = f.starts(GROUPS, budget.pick(50, 100)), int(4 * (scale / eps).max())
    return eps, hitting_times(solver, oracle, x0, limit, lambda x: f.gap(x).mean(-1), thresholds).cpu().numpy()


def measured(method: str, budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    return stochastic(method, budget.shared("momentum"))  # one run for all claims


def constants(method: str, budget: Budget) -> np.ndarray:
    """N(eps) eps at the finest accuracy: (K, groups)."""
    eps, times = measured(method, budget)
    return np.where(times[-1] == CENSORED, np.nan, times[-1]) * eps[-1][:, None]


def record(method: str, budget: Budget) -> pd.DataFrame:
    """kappa, eps and N(eps) with its interval, one row each."""
    eps, times = measured(method, budget)
    mean, low, high = interval(times)
    columns = {"kappa": KAPPAS + 0 * eps, "eps": eps, "measured": mean, "low": low, "high": high}
    return pd.DataFrame({name: values.T.ravel() for name, values in columns.items()})


def exponent(method: str, expected: float, budget: Budget) -> Verdict:
    eps, times = measured(method, budget)
    tolerance, decades = budget.pick(0.1, 0.05), budget.pick(1.5, 2.0)
    verdicts = {
        f"kappa {kappa:g}": exponent_is(eps[:, j], times[:, j], expected, tolerance, decades)
        for j, kappa in enumerate(KAPPAS)
    }
    return all_of(verdicts).showing(record(method, budget))


@claim(
    kind="exponent",
    source="S13; steps 2/(mu (2 kappa + k)) times 1 - beta",
    planted={
        "exponent 0.5": lambda budget: exponent("heavy ball", 0.5, budget),
        "exponent 1.5": lambda budget: exponent("heavy ball", 1.5, budget),
    },
)
def heavy_ball(budget: Budget) -> Verdict:
    """S13: Heavy ball needs N(eps) ~ 1/eps stochastic gradients, as SGD does, at kappa = 2, 8 and 32: exponent 1 +- 0.1
    over 1.5 decades (full budget: +- 0.05 over 2)."""
    return exponent("heavy ball", 1.0, budget)


@claim(
    kind="exponent",
    source="S13; steps 2/(mu (2 kappa + k)) times 1 - beta",
    planted={
        "exponent 0.5": lambda budget: exponent("nesterov", 0.5, budget),
        "exponent 1.5": lambda budget: exponent("nesterov", 1.5, budget),
    },
)
def nesterov(budget: Budget) -> Verdict:
    """S13: Nesterov's method needs N(eps) ~ 1/eps stochastic gradients, at kappa = 2, 8 and 32: exponent 1 +- 0.1 over
    1.5 decades (full budget: +- 0.05 over 2)."""
    return exponent("nesterov", 1.0, budget)


@claim(
    kind="exponent",
    source="S13; Schraudolph, Yu and Guenter (2007)",
    planted={
        "exponent 0.5": lambda budget: exponent("lbfgs", 0.5, budget),
        "exponent 1.5": lambda budget: exponent("lbfgs", 1.5, budget),
    },
)
def lbfgs(budget: Budget) -> Verdict:
    """S13: Stochastic L-BFGS with memory 8 needs N(eps) ~ 1/eps samples in 4 dimensions, at kappa = 2, 8 and 32: exponent
    1 +- 0.1 over 1.5 decades (full budget: +- 0.05 over 2)."""
    return exponent("lbfgs", 1.0, budget)


def relative(budget: Budget, predicted: float) -> Verdict:
    """Samples of the momentum methods over those of SGD, at the finest accuracy and for every kappa."""
    sgd = constants("gradient descent", budget)
    ratios = np.concatenate([constants(method, budget) / sgd for method in ("heavy ball", "nesterov")])
    theory = constants("gradient descent", budget).mean(-1) / sgd_constant(KAPPAS)
    verdict = mean_is(ratios, np.full(len(ratios), predicted), budget.pick(0.1, 0.05))
    verdict = verdict.noting(**{f"sgd over theory, kappa {k:g}": t for k, t in zip(KAPPAS, theory, strict=True)})
    return verdict.showing(record("gradient descent", budget))


@claim(
    kind="constant",
    source="S13; derived here",
    planted={
        "momentum saves a third": lambda budget: relative(budget, 2 / 3),
        "momentum costs a third more": lambda budget: relative(budget, 4 / 3),
    },
)
def momentum_keeps_the_constant(budget: Budget) -> Verdict:
    """S13: As the steps decrease, heavy ball and Nesterov need as many stochastic gradients as SGD with the step
    a_k = lr_k/(1 - beta): ratio 1 within 10 % (full budget: 5 %) at the finest accuracy, for kappa = 2, 8 and 32."""
    return relative(budget, 1.0)


def quasi_newton(budget: Budget, gain: float = 1.0, factor: float = 1.0, queries: float = 2.0) -> Verdict:
    sgd, own = constants("gradient descent", budget), constants("lbfgs", budget)
    verdicts = {
        "samples saved": exceeds(sgd[-1] / own[-1], gain),
        "queries lost": exceeds(queries * own[-1] / sgd[-1], 1.0),
        "information": lower_bound_holds(own, factor * information(KAPPAS), budget.pick(0.1, 0.05)),
    }
    return all_of(verdicts).noting(most_that_can_be_saved=float((sgd_constant(KAPPAS) / information(KAPPAS))[-1]))


@claim(
    kind="constant",
    source="S13; information bound from theory/lower_bounds.py",
    planted={
        "a tenfold gain": lambda budget: quasi_newton(budget, gain=10.0),
        "information doubled": lambda budget: quasi_newton(budget, factor=2.0),
        "one query a step": lambda budget: quasi_newton(budget, queries=1.0),
    },
)
def quasi_newton_changes_the_constant(budget: Budget) -> Verdict:
    """S13: Where the spectrum is spread (kappa = 32, 4 dimensions) stochastic L-BFGS with memory 8 needs fewer samples than
    SGD with steps 2/(mu (2 kappa + k)), but, as each step asks twice, no fewer gradient queries; and at no kappa fewer
    samples than the information bound sum_j sigma_j^2/(2 lam_j eps), tolerance 10 % (full budget: 5 %). Over SGD with
    steps 1/(mu (kappa + k)) the gain is smaller."""
    return quasi_newton(budget)


def growth(budget: Budget, slope: float, sign: int) -> Verdict:
    """The exponent of kappa in the constants of every method, below (sign 1) or above (-1) `slope`."""
    verdicts = {}
    for method in METHODS:
        slopes = np.polyfit(np.log(KAPPAS), np.log(constants(method, budget)), 1)[0]
        verdicts[method] = exceeds(sign * (slope - slopes), 0.0).noting(slope=float(slopes.mean()))
    return all_of(verdicts)


@claim(
    kind="exponent",
    source="S13; derived here",
    planted={
        "sqrt kappa": lambda budget: growth(budget, 0.4, -1),
        "kappa": lambda budget: growth(budget, 0.9, -1),
    },
)
def variance_is_the_bottleneck(budget: Budget) -> Verdict:
    """S13: The constant of the noise term, N(eps) eps at the finest accuracy of each kappa, does not grow with the
    condition number at fixed mu and sigma, for SGD, heavy ball, Nesterov and L-BFGS: exponent of kappa below 0.05 from
    kappa = 2 to 32 for each of them."""
    return growth(budget, 0.05, 1)


@cache
def deterministic(modes: int = MODES) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """kappas (K,) and the steps to a gap of 1e-8 Delta with exact gradients, per method; L-BFGS has memory 10."""
    kappas = np.logspace(1, 3, 9)
    f, column = problem(kappas, 0, modes=modes), torch.as_tensor(kappas * MU).unsqueeze(-1)
    everyone, times = catalogue(column, torch.full_like(column, MU)), {}
    for method in METHODS:
        found = hitting_times(everyone[method], Oracle.full(f), f.start, 20_000, f.gap, 1e-8)
        times[method] = found.cpu().numpy()
    return kappas, times


def in_kappa(expected: dict[str, float]) -> Verdict:
    kappas, times = deterministic()
    verdicts = {name: exponent_is(1 / kappas, times[name], power, 0.1) for name, power in expected.items()}
    rows = [(name, k, t) for name in METHODS for k, t in zip(kappas, times[name], strict=True)]
    return all_of(verdicts).showing(dict(zip(("method", "kappa", "steps"), zip(*rows, strict=True), strict=True)))


@claim(
    kind="exponent",
    source="S13, the contrast; Polyak (1964), Nesterov (2004)",
    planted={
        "no acceleration": lambda budget: in_kappa({"heavy ball": 1.0, "nesterov": 1.0}),
        "gradient descent accelerated": lambda budget: in_kappa({"gradient descent": 0.5}),
    },
)
def without_noise_momentum_pays(budget: Budget) -> Verdict:
    """S13, the contrast: With exact gradients the steps to 1e-8 Delta grow like kappa^(1 +- 0.1) for gradient descent and
    like kappa^(0.5 +- 0.1) for heavy ball and Nesterov, on quadratics with kappa from 10 to 1000."""
    return in_kappa({"gradient descent": 1.0, "heavy ball": 0.5, "nesterov": 0.5})


def flat(method: str, modes: int = MODES) -> Verdict:
    times = deterministic(modes)[1][method]
    return bound_holds(np.where(times == CENSORED, np.nan, times), 3.0 * times[0])


@claim(
    kind="upper bound",
    source="S13, the contrast; Nocedal (1980)",
    planted={"L-BFGS in 64 dimensions": lambda budget: flat("lbfgs", 64)}
    | {method: lambda budget, m=method: flat(m) for method in ("gradient descent", "heavy ball", "nesterov")},
)
def lbfgs_pays_in_few_dimensions(budget: Budget) -> Verdict:
    """S13, the contrast: With exact gradients, in 4 dimensions and with memory 10, the steps of L-BFGS to 1e-8 Delta are at
    no kappa up to 1000 more than 3 times those at kappa = 10 (sqrt kappa would be 10 times)."""
    return flat("lbfgs")


def lbfgs_growth(exponent: float) -> Verdict:
    kappas, times = deterministic(64)
    verdict = exponent_is(1 / kappas, times["lbfgs"], exponent, 0.15)
    return verdict.showing({"kappa": kappas, "steps": times["lbfgs"]})


@claim(
    kind="exponent",
    source="S13, the contrast; Nocedal (1980)",
    planted={"no growth": lambda budget: lbfgs_growth(0.0), "kappa": lambda budget: lbfgs_growth(1.0)},
)
def lbfgs_in_many_dimensions(budget: Budget) -> Verdict:
    """S13, the contrast: In 64 dimensions, many more than its memory of 10, the steps of L-BFGS to 1e-8 Delta grow like
    kappa^(0.5 +- 0.15), as those of momentum do: its freedom from conditioning is one of few dimensions."""
    return lbfgs_growth(0.5)


ILL = np.array([10.0, 100.0])  # condition numbers of the crossover
ACCURACIES = np.logspace(1, -3, 9)  # in units of sigma^2/mu; Delta = 100


@cache
def tuned(budget: Budget) -> dict[str, np.ndarray]:
    """N(eps) with the best of 16 constant steps, chosen for each eps and kappa: (E, K, groups) per method."""
    f = perturbed(problem(ILL, 3, Delta=100.0), SIGMA, n=2 * MODES)
    L = torch.as_tensor(ILL * MU).reshape(-1, 1, 1, 1, 1)
    grid = 2.0 ** (-torch.arange(16, dtype=torch.float64) / 2).reshape(-1, 1, 1, 1)
    fastest = HeavyBall.for_quadratic(torch.full_like(L, MU), L)
    solvers = {
        "gradient descent": GradientDescent(grid / L),
        "heavy ball": HeavyBall(grid * fastest.lr, fastest.momentum),
    }
    x0 = f.start.expand(len(ILL), len(grid), GROUPS, budget.pick(60, 200), MODES)
    thresholds, times = torch.as_tensor(ACCURACIES).reshape(-1, 1, 1, 1), {}
    for method, solver in solvers.items():
        oracle = Oracle.minibatch(f, 1, budget.generator("noise"))
        found = hitting_times(solver, oracle, x0, 6_000, lambda x: f.gap(x).mean(-1), thresholds).cpu().numpy()
        times[method] = np.where(found == CENSORED, np.inf, found).min(2)
    return times


def shared(budget: Budget) -> dict[str, np.ndarray]:
    return tuned(budget.shared("momentum"))


def crossover(budget: Budget, early: float = 3.0, late: float = 1.25) -> Verdict:
    times = shared(budget)
    speedup = times["gradient descent"] / times["heavy ball"]
    verdicts = {"eps 10": exceeds(speedup[0, 1], early), "eps 0.001": exceeds(-speedup[-1, 1], -late)}
    rows = []
    for j, kappa in enumerate(ILL):
        for method, values in times.items():
            rows += [(method, kappa, e, *interval(t)) for e, t in zip(ACCURACIES, values[:, j], strict=True)]
    columns = "method", "kappa", "eps", "measured", "low", "high"
    return all_of(verdicts).showing(dict(zip(columns, zip(*rows, strict=True), strict=True)))


@claim(
    kind="phenomenon",
    source="S13, refined",
    planted={
        "helps as much at eps = 0.001": lambda budget: exceeds(
            (shared(budget)["gradient descent"] / shared(budget)["heavy ball"])[-1, 1], 3.0
        ),
        "helps 30 times at eps = 10": lambda budget: crossover(budget, early=30.0),
    },
)
def momentum_pays_before_the_noise(budget: Budget) -> Verdict:
    """S13, refined: Momentum does help as long as the bias dominates. From Delta = 100 sigma^2/mu at kappa = 100, each with
    the best of 16 constant steps, heavy ball is more than 3 times as fast as SGD to eps = 10 sigma^2/mu and less than
    1.25 times as fast to eps = 0.001 sigma^2/mu."""
    return crossover(budget)


def conditioning(budget: Budget, records: slice) -> Verdict:
    """The exponent of kappa in the steps of tuned SGD is below 0.05 at the accuracies `records`."""
    times = shared(budget)["gradient descent"]
    slopes = np.log(times[:, 1] / times[:, 0]) / np.log(ILL[1] / ILL[0])
    chosen = zip(ACCURACIES[records], slopes[records], strict=True)
    return all_of({f"eps {e:.2g}": exceeds(0.05 - s, 0.0).noting(slope=float(s.mean())) for e, s in chosen})


@claim(
    kind="phenomenon",
    source="S13, as stated",
    planted={"at eps = 10 alone": lambda budget: conditioning(budget, slice(1))},
)
def as_stated(budget: Budget) -> Verdict:
    """S13, as stated (variance is the bottleneck, not conditioning, with no word about eps): at every accuracy from
    10 sigma^2/mu to 0.001 sigma^2/mu the stochastic gradients that tuned SGD needs do not grow with the condition number,
    exponent of kappa below 0.05 from kappa = 10 to 100."""
    return conditioning(budget, slice(None))


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.7), layout="constrained")
    figure.set_label(
        "Left: exact gradients, steps to 1e-8 Delta against the condition number. Middle: noisy gradients at kappa = 32, "
        "samples to accuracy eps over C/eps, what SGD needs to first order (points set apart along the axis). Right: SGD "
        "and heavy ball at kappa = 100, each with its best constant step for eps: momentum helps until the noise "
        "dominates. Points with 99 % intervals."
    )
    exact = verdicts["without_noise_momentum_pays"].table
    for method, colour in METHODS.items():
        part = exact[exact["method"] == method]
        axes[0].plot(part["kappa"], part["steps"], "o-", ms=4, lw=1, color=colour, label=method)
    ends = exact["kappa"].min(), exact["kappa"].max()
    for power in (0.5, 1.0):
        anchor = exact[(exact["method"] == "gradient descent") & (exact["kappa"] == ends[0])]["steps"].iloc[0]
        line = anchor * (np.array(ends) / ends[0]) ** power / (1 if power == 1 else 3)
        axes[0].plot(ends, line, color="0.6", lw=0.8, ls=":")
        middle = (100, np.sqrt(line[0] * line[1]))
        axes[0].annotate(rf"$\kappa^{{{power:g}}}$", middle, (0, -16), textcoords="offset points", color="0.4")
    axes[0].set(title="exact gradients", xlabel="condition number", ylabel="steps", xscale="log", yscale="log")

    constant, least = sgd_constant(KAPPAS)[-1], information(KAPPAS)[-1]
    axes[1].axhline(1, color="C0", lw=1.5, label="SGD, theory")
    axes[1].axhline(least / constant, color="0.2", lw=1.5, ls="--", label="information bound")
    for j, (method, colour) in enumerate(METHODS.items()):
        table = verdicts[{"gradient descent": "momentum_keeps_the_constant"}.get(method, method.replace(" ", "_"))].table
        points(axes[1], table[table["kappa"] == KAPPAS[-1]], colour, constant, 1.06 ** (j - 1))
    axes[1].set(title="noisy gradients", xlabel="1 / eps   (eps in units of sigma^2/mu)", ylabel="N(eps) eps / C")
    axes[1].legend(frameon=False, fontsize="small", loc="lower left")
    axes[1].set_xscale("log")
    axes[1].set_ylim(0)

    tuned_steps = verdicts["momentum_pays_before_the_noise"].table
    for method in ("gradient descent", "heavy ball"):
        part = tuned_steps[(tuned_steps["method"] == method) & (tuned_steps["kappa"] == ILL[-1])]
        points(axes[2], part, METHODS[method])
        axes[2].plot(1 / part["eps"], part["measured"], color=METHODS[method], lw=1)
    axes[2].set(title="tuned constant steps", xlabel="1 / eps   (eps in units of sigma^2/mu)", ylabel="N(eps)")
    axes[2].set(xscale="log", yscale="log")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return {"momentum": figure}


def points(ax, part: pd.DataFrame, colour: str, constant: float | None = None, shift: float = 1.0) -> None:
    """N(eps) with its interval against 1/eps (times `shift`); with `constant`, N(eps) eps in units of it."""
    unit = 1.0 if constant is None else constant / part["eps"]
    style = {"color": colour, "marker": "o", "ms": 4, "ls": "none", "lw": 0.8}
    ax.errorbar(shift / part["eps"], part["measured"] / unit, whiskers(part, unit=unit), **style)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    rows = []
    for method in ("heavy ball", "nesterov", "lbfgs"):
        verdict = verdicts[method.replace(" ", "_")]
        for j, kappa in enumerate(KAPPAS):
            low, high = (verdict.evidence[f"kappa {kappa:g}.{end}"] for end in ("low", "high"))
            table = verdict.table[verdict.table["kappa"] == kappa]
            finest = table.loc[table["eps"].idxmin()]
            rows.append(
                {
                    "method": method,
                    r"$\kappa$": f"{kappa:g}",
                    "exponent": f"{verdict.evidence[f'kappa {kappa:g}.slope']:.3f}",
                    "99 % interval": f"[{low:.3f}, {high:.3f}]",
                    r"$N(\varepsilon)\,\varepsilon\,\mu/\sigma^2$": f"{finest['measured'] * finest['eps']:.3f}",
                    "SGD, to first order": f"{sgd_constant(KAPPAS)[j]:.3f}",
                    "information": f"{information(KAPPAS)[j]:.3f}",
                }
            )
    return {"constants": pd.DataFrame(rows)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
