r"""Where does momentum help in noise? Before the noise dominates.

    N(eps), the best of 16 constant steps for each eps and kappa:    heavy ball against SGD, from Delta = 100 sigma^2/mu

on the quadratics of `momentum`, at kappa = 10 and 100. S13 speaks of the bottleneck with no word about eps; here it is read
at every accuracy, from those that the bias decides (eps large against sigma^2/mu) to those that the noise decides.

Sources: S13; Polyak (1964); the terms of bias and noise in `momentum`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import conditioned
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, exceeds
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import group_times, rows, stacked

GROUPS, MODES = 10, 4
KAPPAS = np.array([10.0, 100.0])
ACCURACIES = np.logspace(1, -3, 9)  # in units of sigma^2/mu; Delta = 100


@measured("momentum")
def tuned(budget: Budget) -> dict[str, np.ndarray]:
    """N(eps) with the best of the steps, chosen for each eps and kappa: (E, K, groups) per method."""
    f = perturbed(conditioned(KAPPAS, MODES, axes=3, Delta=100.0), 1.0, n=2 * MODES)
    L = torch.as_tensor(KAPPAS).reshape(-1, 1, 1, 1, 1)
    grid = 2.0 ** (-torch.arange(16, dtype=torch.float64) / 2).reshape(-1, 1, 1, 1)
    ball = HeavyBall.for_quadratic(torch.ones_like(L), L)
    solvers = {"gradient descent": GradientDescent(grid / L), "heavy ball": replace(ball, lr=grid * ball.lr)}
    replicates, times = (len(grid), GROUPS, budget.pick(60, 200)), {}
    for method, solver in solvers.items():
        oracle = Oracle.minibatch(f, 1, budget.generator("noise"))
        found = group_times(solver, oracle, f, ACCURACIES[:, None, None], replicates, 6_000)
        times[method] = np.nan_to_num(found, nan=np.inf).min(2)
    return times


@claim("phenomenon", "S13, refined", unit="ratio")
@planted("helps 6 times at eps = 10", early=6.0)
@planted("SGD in the place of heavy ball", method="gradient descent")
def momentum_pays_before_the_noise(budget: Budget, early=3.0, late=1.25, method: str = "heavy ball") -> Verdict:
    """S13, refined: Momentum does help as long as the bias dominates.

    From Delta = 100 sigma^2/mu at kappa = 100, each with the best of 16 constant steps, heavy ball is more than 3 times
    as fast as SGD to eps = 10 sigma^2/mu and less than 1.25 times as fast to eps = 0.001 sigma^2/mu."""
    times = tuned(budget)
    faster = (times["gradient descent"] / times[method])[:, 1]  # at kappa = 100
    verdict = all_of({"eps 10": exceeds(faster[0], early), "eps 0.001": exceeds(-faster[-1], -late)})
    return verdict.showing(stacked({m: rows(t, kappa=KAPPAS, eps=ACCURACIES[:, None]) for m, t in times.items()}))


@claim("phenomenon", "S13, read at every accuracy", unit="exponent")
@planted("at eps = 10 alone", accuracies=slice(1))
def as_stated(budget: Budget, accuracies: slice = slice(None)) -> Verdict:
    """S13, read as: At every accuracy the bottleneck of SGD is the variance, not the condition number.

    The sentence is about rates, that is, about eps -> 0; this reads it with no word about eps: at every accuracy from 10
    sigma^2/mu to 0.001 sigma^2/mu the stochastic gradients that tuned SGD needs do not grow with the condition number,
    exponent of kappa below 0.05 from kappa = 10 to 100."""
    times = tuned(budget)["gradient descent"]
    slopes = np.log(times[:, 1] / times[:, 0]) / np.log(KAPPAS[1] / KAPPAS[0])
    chosen = zip(ACCURACIES[accuracies], slopes[accuracies], strict=True)
    return all_of({f"eps {e:.2g}": exceeds(0.05 - s, 0.0).noting(slope=float(s.mean())) for e, s in chosen})


def figures(verdicts: dict[str, Verdict]) -> dict:
    found = verdicts["momentum_pays_before_the_noise"].table.query("kappa == 100")
    found = found.replace({"method": {"gradient descent": "SGD"}}).assign(x=1 / found["eps"])
    panel = Panel(found, "x", r"$1/\varepsilon$   ($\varepsilon$ in units of $\sigma^2/\mu$)", r"$N(\varepsilon)$")
    caption = (
        r"SGD and heavy ball at $\kappa = 100$, each with its best constant step for $\varepsilon$: momentum helps until "
        "the noise dominates. Points with 99 % intervals."
    )
    return {"steps": panels(caption, {"SGD": "C0o-", "heavy ball": "C2s-"}, [panel])}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
