r"""Do momentum and quasi-Newton methods improve the stochastic rate?

    gradient descent   N ~ kappa      log(1/eps)  +  sigma^2/(mu eps)
    momentum           N ~ sqrt kappa log(1/eps)  +  sigma^2/(mu eps)
    any method         N >=                          sum_j sigma_j^2/(2 lam_j eps)      (information, mode by mode)

on strongly convex quadratics with eigenvalues mu = lam_1 <= ... <= lam_4 = kappa mu, log-spaced, and additive noise of
variance sigma_j^2 = sigma^2/4 along each axis; mu, sigma and Delta are fixed as kappa varies (with L fixed instead,
1/mu brings kappa into the noise term). The first terms are what conditioning costs and what momentum mends; the second
ones are what the noise costs, the same for all up to a constant. So the statement is about eps below about
sigma^2/(mu kappa); the other side of it is the question of `early_momentum`, exact gradients that of `acceleration`.

Steps a_k = 2/(mu (2 kappa + k)), for momentum beta = (sqrt kappa - 1)/(sqrt kappa + 1) times 1 - beta, for stochastic
L-BFGS (two gradients on each sample, memory 8) 2/(k + 10). To first order SGD then needs N(eps) = C/eps - 2 kappa with

    C = sum_j sigma_j^2/(2 mu) * 4 r_j/(4 r_j - 1),        r_j = lam_j/mu.

Sources: Polyak (1964); Nesterov (2004); Schraudolph, Yu and Guenter (2007); the constants are derived here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import conditioned
from ratewitness.solvers.catalogue import catalogue
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, exceeds, exponent_is, lower_bound_holds, mean_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import group_times, rows, stacked
from ratewitness.theory.lower_bounds import pl_any_method

GROUPS, MODES = 10, 4
MU = SIGMA = 1.0
KAPPAS = np.array([2.0, 8.0, 32.0])
METHODS = ("gradient descent", "heavy ball", "nesterov", "lbfgs")
R = KAPPAS[:, None] ** (np.arange(MODES) / (MODES - 1))  # eigenvalues over mu (K, modes)
C = (SIGMA**2 / MODES / (2 * MU) * 4 * R / (4 * R - 1)).sum(-1)  # N(eps) eps of SGD (K,)
LEAST = pl_any_method(mu=MU * R, sigma=SIGMA / MODES**0.5, R=np.inf, N=1).sum(-1)  # of any method without prior knowledge


@measured
def noisy(budget: Budget, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies (E, K) and the samples N(eps) until the mean gap of a group is below: (E, K, groups).

    Every method meets the same noise. The coarsest accuracy is one that SGD reaches after 10 kappa (full: 20 kappa) steps,
    when its transient is over; for L-BFGS, without that transient, after 100 (150). A mean over 50 (100) replicates
    fluctuates, and so is first below eps about a tenth early: alike for all methods, and harmless in a lower bound on N.
    """
    solver = catalogue(torch.as_tensor(KAPPAS).reshape(-1, 1, 1, 1) * MU, MU, noisy=True)[method]
    first, scale = budget.pick(10, 20) * KAPPAS, C
    if method == "lbfgs":
        solver, first, scale = replace(solver, memory=8), budget.pick(100, 150), 4 / 3 * LEAST
    eps = np.logspace(0, -budget.pick(1.5, 2.0), budget.pick(8, 12))[:, None] * scale / first
    f = perturbed(conditioned(KAPPAS, MODES, axes=2), SIGMA, n=2 * MODES)
    oracle, replicates = Oracle.minibatch(f, 1, budget.generator("noise")), (GROUPS, budget.pick(50, 100))
    return eps, group_times(solver, oracle, f, eps, replicates, int(4 * (scale / eps).max()))


def record(budget: Budget, method: str) -> pd.DataFrame:
    eps, times = noisy(budget, method)
    return rows(times, kappa=KAPPAS, eps=eps)


def constants(budget: Budget, method: str) -> np.ndarray:
    """N(eps) eps at the finest accuracy: (K, groups)."""
    eps, times = noisy(budget, method)
    return times[-1] * eps[-1][:, None]


def exponent(budget: Budget, method: str, power: float) -> Verdict:
    (eps, times), tolerance, decades = noisy(budget, method), budget.pick(0.1, 0.05), budget.pick(1.5, 2.0)
    each = {f"kappa {k:g}": exponent_is(eps[:, j], times[:, j], power, tolerance, decades) for j, k in enumerate(KAPPAS)}
    return all_of(each).showing(record(budget, method))


@claim("exponent", "S13; steps 2/(mu (2 kappa + k)) times 1 - beta")
@planted("exponent 0.5", power=0.5)
@planted("exponent 1.5", power=1.5)
def heavy_ball(budget: Budget, power: float = 1.0) -> Verdict:
    """S13, as stated: Heavy ball does not improve the stochastic rate: it needs N(eps) ~ 1/eps stochastic gradients, as SGD
    does.

    At kappa = 2, 8 and 32: exponent 1 +- 0.1 over 1.5 decades (full budget: +- 0.05 over 2)."""
    return exponent(budget, "heavy ball", power)


@claim("exponent", "S13; steps 2/(mu (2 kappa + k)) times 1 - beta")
@planted("exponent 0.5", power=0.5)
@planted("exponent 1.5", power=1.5)
def nesterov(budget: Budget, power: float = 1.0) -> Verdict:
    """S13, as stated: Nesterov's method does not improve the stochastic rate: it needs N(eps) ~ 1/eps stochastic gradients,
    as SGD does.

    At kappa = 2, 8 and 32: exponent 1 +- 0.1 over 1.5 decades (full budget: +- 0.05 over 2)."""
    return exponent(budget, "nesterov", power)


@claim("exponent", "S13; Schraudolph, Yu and Guenter (2007)")
@planted("exponent 0.5", power=0.5)
@planted("exponent 1.5", power=1.5)
def lbfgs(budget: Budget, power: float = 1.0) -> Verdict:
    """S13, as stated: Stochastic L-BFGS does not improve the stochastic rate: it needs N(eps) ~ 1/eps samples, in 4
    dimensions.

    With memory 8, at kappa = 2, 8 and 32: exponent 1 +- 0.1 over 1.5 decades (full budget: +- 0.05 over 2)."""
    return exponent(budget, "lbfgs", power)


@claim("constant", "S13; derived in studies/rates/momentum.py")
@planted("momentum saves a third", ratio=2 / 3)
@planted("momentum costs a third more", ratio=4 / 3)
def momentum_keeps_the_constant(budget: Budget, ratio: float = 1.0) -> Verdict:
    """S13, refined: As the steps decrease, heavy ball and Nesterov need as many stochastic gradients as SGD.

    As SGD with the step a_k = lr_k/(1 - beta): ratio 1 within 10 % (full budget: 5 %) at the finest accuracy, for kappa = 2,
    8 and 32."""
    sgd = constants(budget, "gradient descent")
    found = np.concatenate([constants(budget, method) / sgd for method in ("heavy ball", "nesterov")])
    verdict = mean_is(found, np.full(len(found), ratio), budget.pick(0.1, 0.05))
    over_theory = {f"sgd over theory, kappa {k:g}": r for k, r in zip(KAPPAS, sgd.mean(-1) / C, strict=True)}
    return verdict.noting(**over_theory).showing(record(budget, "gradient descent"))


@claim("constant", "S13; information bound from theory/lower_bounds.py")
@planted("a tenfold gain", gain=10.0)
@planted("information doubled", factor=2.0)
@planted("one query a step", queries=1.0)
def quasi_newton_changes_the_constant(budget: Budget, gain=1.0, factor=1.0, queries=2.0) -> Verdict:
    """S13, as stated: Stochastic L-BFGS improves a constant: on a spread spectrum it needs fewer samples than SGD, but no
    fewer gradient queries.

    The spectrum is spread at kappa = 32, in 4 dimensions; the memory is 8, and each step asks twice. SGD has steps 2/(mu
    (2 kappa + k)); over SGD with steps 1/(mu (kappa + k)) the gain is smaller. At no kappa (2, 8, 32) does L-BFGS need
    fewer samples than the information bound sum_j sigma_j^2/(2 lam_j eps), tolerance 10 % (full budget: 5 %)."""
    sgd, own = constants(budget, "gradient descent"), constants(budget, "lbfgs")
    saved, lost = exceeds(sgd[-1] / own[-1], gain), exceeds(queries * own[-1] / sgd[-1], 1.0)
    bound = lower_bound_holds(own, factor * LEAST, budget.pick(0.1, 0.05))
    verdict = all_of({"samples saved": saved, "queries lost": lost, "information": bound})
    return verdict.noting(most_that_can_be_saved=float((C / LEAST)[-1]))


@claim("exponent", "S13; derived in studies/rates/momentum.py")
@planted("sqrt kappa", slope=0.4, sign=-1)
@planted("kappa", slope=0.9, sign=-1)
def variance_is_the_bottleneck(budget: Budget, slope: float = 0.05, sign: int = 1) -> Verdict:
    """S13, as stated: Variance is the bottleneck: the constant of the noise term does not grow with kappa, for SGD, heavy
    ball, Nesterov or L-BFGS.

    The constant is N(eps) eps at the finest accuracy of each kappa, at fixed mu and sigma. Exponent of kappa below 0.05
    from kappa = 2 to 32 for each of the four."""
    found = {method: np.polyfit(np.log(KAPPAS), np.log(constants(budget, method)), 1)[0] for method in METHODS}
    return all_of({m: exceeds(sign * (slope - s), 0.0).noting(slope=float(s.mean())) for m, s in found.items()})


def records(verdicts: dict[str, Verdict]) -> pd.DataFrame:
    """N(eps) of all methods."""
    names = {"SGD": "momentum_keeps_the_constant", "heavy ball": "heavy_ball", "Nesterov": "nesterov", "L-BFGS": "lbfgs"}
    return stacked({name: verdicts[claimed].table for name, claimed in names.items()})


def figures(verdicts: dict[str, Verdict]) -> dict:
    found = records(verdicts).query("kappa == 32")
    found = found.assign(x=1 / found["eps"], unit=C[-1] / found["eps"])
    looks = {"SGD": "C0o", "heavy ball": "C2s", "Nesterov": "C3D", "L-BFGS": "C4^"}
    axes = ("x", r"$1/\varepsilon$   ($\varepsilon$ in units of $\sigma^2/\mu$)", r"$N(\varepsilon)\,\varepsilon\,/\,C$")
    levels = {"SGD, theory": 1.0, "information bound": LEAST[-1] / C[-1]}
    caption = (
        r"Samples to accuracy $\varepsilon$ at $\kappa = 32$ over $C/\varepsilon$, what SGD needs to first order, with 99 % "
        "intervals (points set apart along the axis)."
    )
    panel = Panel(found, *axes, unit="unit", levels=levels, log="x", apart=1.06, options={"ylim": (0, None)})
    return {"momentum": panels(caption, looks, [panel])}


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = records(verdicts)
    found = found.loc[found.groupby(["method", "kappa"])["eps"].idxmin()]  # at the finest accuracy
    wide = found.assign(constant=found["measured"] * found["eps"]).pivot(index="kappa", columns="method", values="constant")
    wide = wide.assign(**{"SGD, to first order": C, "information": LEAST}).round(3).reset_index()
    return {"constants": wide.rename(columns={"kappa": r"$\kappa$"})}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
