r"""Does RMSProp suit anisotropic problems?

    f(x) = (1/2) sum_i lam_i z_i^2,   z = Q^T x in R^10,   kappa = lam_max/lam_min,   Q = I or a random rotation

as in `arrivals`, which says how methods are tuned. Along the axes kappa plays no part (`aligned_axes`). Rotated, scaling the
diagonal of the Hessian to 1 changes the condition number by a small factor only, typically 1.5, and no diagonal scaling does
better by more than a factor d (van der Sluis 1969): the slope of log steps in log kappa is expected to be gradient
descent's. That method with its best step 2/(1 + 1/kappa) has z_k = (I - a diag lam)^k z_0, which gives its steps without a
run, about (kappa/2) log 100. Heavy ball with theory's parameters needs about sqrt kappa times a logarithm: its double root
at lam = 1 lets that mode grow like 2 k beta^(k/2) before it falls. Both are the same in all axes.

T. Tieleman and G. Hinton (2012); A. van der Sluis (1969), doi:10.1007/BF02165096; B. T. Polyak (1964).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.studies.adaptive.arrivals import (
    ALL,
    LOOKS,
    TARGET,
    Arrivals,
    arrival_times,
    draw_arrivals,
    eigenvalues,
    problem,
    starts,
    tuned_arrivals,
)
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, equals_exactly, exceeds, exponent_is
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.tuning import unless_on_edge
from torch import Tensor

LAW = 4  # slopes on rotated problems start at 4^4: before, arriving at all takes as long as kappa does
FULL = "full-matrix AdaGrad"
POWERS = {"gradient descent": 1.0, "heavy ball": 0.5}  # exponents of kappa


def rotated(budget: Budget) -> tuple[int, ...]:
    return budget.pick((4, 5), tuple(range(9)))


def both(along: Arrivals, turned: Arrivals) -> pd.DataFrame:
    return stacked({"along": along.table(), "rotated": turned.table()}, "axes")


def slope_below(threshold: float, **seen: Arrivals) -> Verdict:
    verdict = all_of({axes: exceeds(threshold - found.slopes, 0.0) for axes, found in seen.items()})
    slopes = {f"{axes}.slope": float(found.slopes.mean()) for axes, found in seen.items()}
    return unless_on_edge(verdict, *seen.values()).noting(**slopes)


@claim("phenomenon", "S22; Tieleman and Hinton (2012)", unit="exponent")
@planted("AdaGrad does", method="AdaGrad", turned=(4, 5))
def suits_as_stated(budget: Budget, method: str = "RMSProp", turned: tuple[int, ...] | None = None) -> Verdict:
    """S22, read as: In whatever axes, the steps of tuned RMSProp grow with the condition number at a slope below 1/2.

    The seminar says that RMSProp is suitable for non-isotropic problems, and names no axes: the steps that it needs grow
    with the condition number kappa with a slope below 1/2, which is what heavy ball pays in any axes up to a logarithm,
    along the axes (kappa from 1 to 4^10) and randomly rotated (kappa from 4^4 to 4^8, quick: 4^5).
    """
    along = tuned_arrivals(budget, method, "along", ALL)
    across = tuned_arrivals(budget, method, "rotated", turned or rotated(budget))
    return slope_below(0.5, along=along, rotated=across.since(LAW)).showing(both(along, across).assign(method=method))


@claim("phenomenon", "S22; van der Sluis (1969) for fixed scalings", unit="exponent")
@planted("a slope above gradient descent's", threshold=1.25, methods=("RMSProp",))
@planted("full-matrix AdaGrad has it as well", methods=(FULL,), turned=(4, 5))
def nearly_the_exponent_of_gradient_descent_rotated(
    budget: Budget, threshold: float = 0.75, methods=("RMSProp", "AdaGrad"), turned: tuple[int, ...] | None = None
) -> Verdict:
    """S22, refined: In random axes the exponent of kappa of tuned RMSProp and AdaGrad is above 3/4; gradient descent has 1.

    With tuned steps, constant or falling as (k + 1)^(-1/2), they have no exponent below 3/4, where gradient descent has 1:
    the slope of log steps in log kappa is above 3/4 for both, kappa from 4^4 to 4^8 (quick: 4^5).
    """
    seen = {method: tuned_arrivals(budget, method, "rotated", turned or rotated(budget)) for method in methods}
    judged = {method: found.since(LAW) for method, found in seen.items()}
    verdict = all_of({method: exceeds(found.slopes, threshold) for method, found in judged.items()})
    others = {"Adam": rotated(budget), "sign descent": budget.pick((2,), (0, 1, 2, 3, 4))}  # shown, not judged
    seen |= {method: tuned_arrivals(budget, method, "rotated", j) for method, j in others.items()}
    return unless_on_edge(verdict, *judged.values()).showing(stacked({m: found.table() for m, found in seen.items()}))


@claim("phenomenon", "S22; Duchi, Hazan and Singer (2011)", unit="exponent")
@planted("diagonal AdaGrad is", method="AdaGrad", j=(0, 2, 4))
def full_matrix_is_free_of_axes(budget: Budget, method: str = FULL, j: tuple[int, ...] | None = None) -> Verdict:
    """S22, contrast: The steps of tuned full-matrix AdaGrad hardly grow with the condition number, whatever the axes.

    What the diagonal lacks is the rotation: the steps that tuned full-matrix AdaGrad needs grow with a slope below 1/4 along
    the axes and randomly rotated, kappa from 1 to 4^10.
    """
    j = j or budget.pick((0, 5, 10), (0, 2, 4, 6, 8, 10))
    along, turned = (tuned_arrivals(budget, method, axes, j) for axes in ("along", "rotated"))
    return slope_below(0.25, along=along, rotated=turned).showing(both(along, turned).assign(method=method))


def exact_steps(j: tuple[int, ...], z: Tensor) -> np.ndarray:
    """The first k with ||(I - a diag lam)^k z|| <= TARGET, a = 2/(1 + 1/kappa), by bisection: (kappas, seeds)."""
    lam = eigenvalues(j, z.device)
    factor = 1 - 2 / (1 + lam.amin(-1, keepdim=True)) * lam  # (kappas, 1, D)
    z = z[:, 0, 0]  # (seeds, D)
    low = torch.zeros(len(j), len(z), dtype=torch.float64, device=z.device)
    high = torch.ceil(10 / lam.amin(-1)).expand_as(low)  # more than the worst (kappa/2) log 100 and 1
    while (high - low > 1).any():
        middle = ((low + high) / 2).floor()
        inside = (factor ** middle.unsqueeze(-1) * z).norm(dim=-1) <= TARGET
        low, high = torch.where(inside, low, middle), torch.where(inside, middle, high)
    return high.cpu().numpy()


@measured
def closed_form(budget: Budget, j: tuple[int, ...]) -> np.ndarray:
    """Steps (kappas, seeds) of gradient descent from the starts of `classical`."""
    return exact_steps(j, starts(budget.pick(6, 16), budget.generator("classical")))


@measured
def classical(budget: Budget, method: str, j: tuple[int, ...]) -> np.ndarray:
    """Steps (kappas, seeds) with theory's parameters in random axes."""
    f = problem(j, 1, budget.pick(6, 16), "rotated", budget.generator("classical"))
    mu = eigenvalues(j, budget.device).amin(-1, keepdim=True)
    solver = HeavyBall.for_quadratic(mu, 1.0) if method == "heavy ball" else GradientDescent(2 / (1 + mu))
    return arrival_times(solver, f, 20 * 4 ** max(j))[..., 0].T.cpu().numpy()


@claim("exponent", "S22; Polyak (1964); closed form in studies/adaptive/anisotropy.py")
@planted("gradient descent to the power 0.9", powers={"gradient descent": 0.9})
@planted("heavy ball to the power 0.7", powers={"heavy ball": 0.7})
def slopes_of_theory(budget: Budget, powers: Mapping[str, float] = POWERS) -> Verdict:
    """S22, contrast: In random axes gradient descent needs kappa steps and heavy ball sqrt kappa times a logarithm.

    In random axes, kappa from 16 to 4^10, gradient descent with the step 2/(L + mu) needs kappa^1 steps, and heavy ball with
    theory's parameters kappa^(1/2) times a logarithm, within 0.05 and 0.1 in the exponent. The steps of gradient descent are
    taken from its closed form, which its runs meet exactly up to kappa = 4^5.
    """
    few, j = ALL[:6], ALL[2:]
    exact = equals_exactly(classical(budget, "gradient descent", few), closed_form(budget, few))
    times = {"gradient descent": closed_form(budget, j), "heavy ball": classical(budget, "heavy ball", j)}
    kappas, tolerance = 4.0 ** np.array(j), {"gradient descent": 0.05, "heavy ball": 0.1}
    laws = {method: exponent_is(1 / kappas, times[method], power, tolerance[method]) for method, power in powers.items()}
    table = stacked({method: rows(found, geometric=True, kappa=kappas) for method, found in times.items()})
    return all_of({"closed form": exact, **laws}).showing(table)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    figure, axes = canvas(
        r"Steps until $\|x_k\|$ stays below $\|x_0\|/100$ on quadratics in 10 dimensions, tuned for each condition number, "
        r"$\varepsilon = 0$: geometric means over seeds with 99 % intervals. At an open marker some runs did not arrive, "
        "and count at the limit. Lines: gradient descent and heavy ball with theory's parameters, the same in all axes.",
        2,
        shared="y",
    )
    across = verdicts["nearly_the_exponent_of_gradient_descent_rotated"].table.assign(axes="rotated")
    tables = [verdicts["suits_as_stated"].table, across, verdicts["full_matrix_is_free_of_axes"].table]
    runs, lines = pd.concat(tables).drop_duplicates(["method", "axes", "kappa"]), verdicts["slopes_of_theory"].table
    for ax, where, title in zip(axes, ("along", "rotated"), ("along the axes", "randomly rotated"), strict=True):
        draw_arrivals(ax, runs[runs["axes"] == where], LOOKS, title=title)
        for style, (method, line) in zip(("-", "--"), lines.groupby("method"), strict=True):
            ax.plot(line["kappa"], line["measured"], style, color="0.3", lw=1, label=method)
    legend_below(figure)
    return {"steps": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
