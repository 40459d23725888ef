r"""Can more data hurt?

    R(n+1) > R(n)    if and only if    (d-n-1)(d-n-2) < d (d-1) sigma^2/||b||^2,    n <= d-3

for the expected excess risk R(n) of minimum-norm least squares in d dimensions, standard normal samples: up to some number
of samples the risk falls, from there to the threshold n = d it rises, beyond it it falls. The published picture has d =
1000, ||b|| = 1, sigma = 0.1. Measured in that setting: every run adds samples to the same samples. A ridge penalty that is
right for this noise is the control; with it more data never hurt (`removing_the_peak`).

Sources: P. Nakkiran (2019), arXiv:1912.07242; theory/double_descent.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, equals_exactly, exceeds, expectation_is
from ratewitness.studies.landscapes.gaussian_fits import fit
from ratewitness.studies.measuring.drawing import Panel, legend_below, panels
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal
from ratewitness.theory.double_descent import best_number_of_samples, deviation, excess_risk, one_more_sample

D, NOISE = 1000, 0.01
SAMPLES = {"quick": (500, 899, 990, 1100), "full": (100, 300, 500, 700, 800, 899, 950, 990, 1050, 1100, 1300, 1600, 2000)}
APART = 50  # at least, from the threshold, where means are compared
PENALTIES = {"minimum norm": 0.0, "best ridge": D * NOISE}


@claim("proof", "S49; theory/double_descent.py")
@falsified(one_more_sample)
def condition_for_every_number(budget: Budget) -> Verdict:
    """S49, refined: One more sample raises the risk of minimum-norm least squares exactly where n is near d: an inequality
    in n, d and the noise decides.

    For standard normal samples in d dimensions, noise N(0, sigma^2) and n <= d-3, R(n+1) > R(n) if and only if
    (d-n-1)(d-n-2) < d (d-1) sigma^2/||b||^2; for every n and d, and for every noise some n < d is hurt, if d is large
    enough. Machine-checked: the difference R(n+1) - R(n), from the closed forms; cited: the laws of Wishart blocks behind
    these; in prose: that for every noise some n is hurt."""
    return prove(one_more_sample)


@claim("exact", "S49; Nakkiran (2019), arXiv:1912.07242; theory/double_descent.py")
@planted("noise 0.105", noise=0.105**2)
@planted("signal 1.1", signal=1.21)
def published_picture(budget: Budget, noise: float = NOISE, signal: float = 1.0) -> Verdict:
    """S49, refined: In 1000 dimensions with noise 0.1 the risk is least at 899 samples, 0.1909, and 1.11 at 990 samples.

    The setting is that of figure 1 of Nakkiran (2019), the numbers are exact expectations: the number of samples is equal,
    the two risks agree within 0.05 %, the last digit. At d - n = 9 the risk of a run scatters by half of its mean."""
    at = best_number_of_samples(D, signal, noise)
    risks = excess_risk([at, 990], D, signal, noise)
    return all_of({"samples": equals_exactly([at], [899]), "risk": agrees(risks, [0.1909, 1.11], 5e-4)})


@measured
def risks(budget: Budget, method: str) -> np.ndarray:
    """||bhat - b||^2 for each of SAMPLES (sizes, runs); b = (1, 0, ..., 0), whose direction a normal design does not see."""
    sizes, runs, lam = SAMPLES[budget.name], budget.pick(4, 40), PENALTIES[method]
    found = np.empty((len(sizes), runs))
    for run in range(runs):
        generator = budget.generator("run", run)
        X, e = normal(generator, sizes[-1], D), NOISE**0.5 * normal(generator, sizes[-1], 1)
        b = torch.eye(D, 1, dtype=X.dtype, device=X.device)
        for i, n in enumerate(sizes):
            A, y = X[:n], X[:n] @ b + e[:n]
            if lam:
                smaller = A @ A.mT if n < D else A.mT @ A
                root = torch.linalg.cholesky(smaller + lam * torch.eye(len(smaller), dtype=X.dtype, device=X.device))
                w = A.mT @ torch.cholesky_solve(y, root) if n < D else torch.cholesky_solve(A.mT @ y, root)
            else:
                w = fit(A, y)
            found[i, run] = float((w - b).square().sum())
    return found


@claim("exact", "S49; theory/double_descent.py")
@planted("noise 0.115", noise=0.115**2)
@planted("signal 1.12", signal=1.12**2)
def risk_along_the_samples(budget: Budget, noise: float = NOISE, signal: float = 1.0) -> Verdict:
    """S49: Simulated risks along the number of samples equal the closed form on both sides of the threshold.

    In 1000 dimensions, at 12 (quick: 3) numbers of samples from 100 to 2000 at distance at least 50 from 1000, within 12 %,
    in 99 % intervals from the exact standard deviation over 40 (quick: 4) runs; in a run samples are added to the same
    samples."""
    sizes, found = np.array(SAMPLES[budget.name]), risks(budget, "minimum norm")
    apart = abs(sizes - D) >= APART
    error = deviation(sizes, D, 1.0, NOISE) / found.shape[1] ** 0.5
    exact = excess_risk(sizes, D, signal, noise)
    return expectation_is(found[apart].mean(-1), error[apart], exact[apart], 0.12)


@claim("phenomenon", "S49; Nakkiran (2019), arXiv:1912.07242", unit="ln ratio")
@planted("with the best ridge", method="best ridge")
@planted("from 500 to 899 samples", pair=(500, 899))
def ninety_one_more_samples_hurt(budget: Budget, method: str = "minimum norm", pair=(899, 990)) -> Verdict:
    """S49, refined: In 1000 dimensions 91 samples more than 899 at least triple the risk of minimum-norm least squares.

    Over 40 (quick: 4) runs that each add 91 samples to their own 899, noise 0.1, the logarithm of the ratio of excess risks
    has its 99 % interval above log 3; the exact means differ by a factor 5.8. Null control: ridge with penalty d
    sigma^2/||b||^2 on the same samples."""
    sizes, found = SAMPLES[budget.name], risks(budget, method)
    few, many = (found[sizes.index(n)] for n in pair)
    return exceeds(np.log(many / few), np.log(3)).showing(table(budget))


def table(budget: Budget) -> pd.DataFrame:
    """Measured risks of both methods, and the exact one of the minimum-norm fit at many more sizes."""
    sizes = np.array(SAMPLES[budget.name])
    parts = [rows(risks(budget, name), samples=sizes).assign(method=name) for name in PENALTIES]
    many = np.unique(np.concatenate([np.arange(100, 2001, 20), D + np.arange(-30, 31, 4), sizes]))
    exact = excess_risk(many, D, 1.0, NOISE)
    line = pd.DataFrame({"samples": many, "theory": np.where(np.isfinite(exact), exact, np.nan)})
    return pd.concat([parts[0].merge(line, how="right").assign(method="minimum norm"), parts[1]], ignore_index=True)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "Excess risk against the number of samples in 1000 dimensions, noise 0.1: means over runs with 99 % intervals, and "
        "the exact risk of the fit of least norm. From 899 samples to the threshold at 1000, dotted, every sample hurts."
    )
    shown = verdicts["ninety_one_more_samples_hurt"].table
    levels = {"prediction 0": 1.0}
    panel = Panel(shown, "samples", "samples $n$", "excess risk", log="y", levels=levels, options={"ylim": (0.004, 10)})
    figure = panels(caption, {"minimum norm": "C0o", "best ridge": "C1s-"}, [panel], legend="none", height=3.2)
    figure.axes[0].axvline(D, color="0.35", lw=1, ls=":", label="$n = d$")
    figure.axes[0].plot(
        [899], [excess_risk(899, D, 1.0, NOISE)], "v", color="0.2", ms=11, mfc="none", zorder=5, label="$n = 899$"
    )
    legend_below(figure)
    return {"samples": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
