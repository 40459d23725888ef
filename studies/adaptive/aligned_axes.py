r"""Along the axes the condition number plays no part for RMSProp, Adam, AdaGrad and sign descent. Where does that end?

On the quadratics of `arrivals` with Q = I. With eps = 0 these methods do not change if a coordinate of every gradient is
multiplied by c > 0. Along the axes the gradient is lam_i x_i: the iterates at any kappa *are* those at kappa = 1 from the
same start, in binary arithmetic bit for bit, as a factor 2^-j commutes with every operation.

The freedom is one of starts with comparable distances, and of eps = 0. From starts of equal energies lam_i z_i^2, whose
distances span a factor sqrt kappa, a slope of 1/2 is expected: steps of one size walk the longest distance and end as short
as the shortest asks. Stretched starts have arrived where f(x_k) <= 10^-4 f(x_0).

T. Tieleman and G. Hinton (2012).
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.schedules import InversePower
from ratewitness.solvers.solver import CENSORED, run
from ratewitness.studies.adaptive.arrivals import ALL, DIAGONAL, LOOKS, METHODS, draw_arrivals, problem, tuned_arrivals
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, equals_exactly, exceeds
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.measuring.groups import stacked
from ratewitness.studies.measuring.tuning import unless_on_edge

SPOILED, STRETCHED = "RMSProp, eps = 1e-6", "RMSProp, stretched"


@measured("anisotropy.exactly_free_of_kappa_along_the_axes")
def differing(budget: Budget, method: str, axes: str) -> tuple[np.ndarray, int]:
    """How many numbers of the iterates differ from those at kappa = 1: (kappas,), and of how many in all."""
    build, centre = METHODS[method]
    power = torch.tensor([[0.0], [0.0], [0.5]], dtype=torch.float64, device=budget.device)
    lr = centre * torch.tensor([[0.1], [1.0], [1.0]], dtype=torch.float64, device=budget.device)
    f = problem(ALL, 3, budget.pick(6, 16), axes, budget.generator("identity"))
    x = run(build(InversePower(lr, power)), Oracle.full(f), f.start, 100, lambda x: x, at=range(0, 101, 10)).values
    return (x != x[:, :, :1]).sum((0, 1, 3, 4)).cpu().numpy(), x.numel()


@claim("exact", "S22; invariance to diagonal scaling, proved in studies/adaptive/aligned_axes.py")
@planted("with eps = 1e-6 as well", methods=(SPOILED,))
@planted("rotated as well", methods=("RMSProp",), axes="rotated")
def exactly_free_of_kappa_along_the_axes(budget: Budget, methods=DIAGONAL, axes: str = "along") -> Verdict:
    """S22, refined: Along the axes the iterates of RMSProp, Adam, AdaGrad and sign descent are the same for every kappa.

    The condition number plays no part: with eps = 0 the iterates of RMSProp, Adam, AdaGrad and sign descent from one start,
    every tenth of 100 with each of three schedules of the step (and above the range where numbers underflow), are bit for
    bit the same for all kappa = 4^0, ..., 4^10.
    """
    verdicts = {}
    for method in methods:
        differ, of = differing(budget, method, axes)
        verdicts[method] = equals_exactly(differ, np.zeros_like(differ)).noting(differ=float(differ.sum()), of=float(of))
    return all_of(verdicts).showing(stacked({m: tuned_arrivals(budget, m, "along", ALL).table() for m in DIAGONAL}))


@claim("phenomenon", "S22; the start of the invariance", unit="exponent")
@planted("free of kappa from there as well", sign=-1.0)
def not_free_from_a_stretched_start(budget: Budget, sign: float = 1.0) -> Verdict:
    """S22, refined: From starts of equal energies the steps of tuned RMSProp along the axes grow with the condition number.

    The freedom is one of starts with comparable distances: from starts of equal energies lam_i z_i^2, whose distances span a
    factor sqrt kappa, the tuned steps until f(x_k) <= 10^-4 f(x_0) grow with a slope above 1/4 (expected 1/2), kappa from
    4^4 to 4^8 (quick: 4^6).
    """
    seen = tuned_arrivals(budget, "RMSProp", "along", budget.pick((4, 5, 6), (4, 5, 6, 7, 8)), stretched=True)
    verdict = exceeds(sign * (seen.slopes - 0.25), 0.0).noting(slope=float(seen.slopes.mean()))
    return unless_on_edge(verdict, seen).showing(seen.table(method=STRETCHED))


@claim("phenomenon", "S22; the epsilon inside the root", unit="ln ratio")
@planted("eps = 0 as well", method="RMSProp")
def epsilon_ends_the_freedom(budget: Budget, method: str = SPOILED) -> Verdict:
    """S22, refined: With eps = 1e-6 inside the root RMSProp needs at least ten times as many steps at kappa = 4^8 as at
    kappa = 1.

    It is gradient descent with step 1000 lr wherever gradients are far below 1e-3: along the axes it needs at least ten
    times as many steps at kappa = 4^8 (quick 4^7) as at kappa = 1, in the geometric mean, its step tuned for both."""
    seen = tuned_arrivals(budget, method, "along", (0, budget.pick(7, 8)))
    ratio = np.log(np.where(seen.times == CENSORED, np.nan, seen.times)[1] / seen.times[0])
    verdict = exceeds(ratio, math.log(10)).noting(ratio=float(np.exp(ratio.mean())))
    return unless_on_edge(verdict, seen).showing(seen.table(method=method))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    figure, (ax,) = canvas(
        "Steps to the target along the axes, tuned for each condition number: geometric means over seeds with 99 % "
        "intervals (points set apart); runs that did not arrive count at the limit. Starts are at comparable distances, or "
        r"stretched to equal energies; $\varepsilon = 0$ where no other is named.",
        1,
        height=3.6,
    )
    spoiled = r"RMSProp, $\varepsilon = 10^{-6}$"
    runs = pd.concat([verdict.table for verdict in verdicts.values()]).replace({"method": {SPOILED: spoiled}})
    draw_arrivals(ax, runs, {**{m: LOOKS[m] for m in DIAGONAL}, spoiled: "C5P", STRETCHED: "C7*"}, apart=1.1)
    legend_below(figure)
    return {"steps": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
