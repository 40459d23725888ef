r"""What does orthogonalizing in float32 and bfloat16 leave?

    X converged:   ||X X^T - I||_2 of the order of eps,   ||X - U V^T||_2 of the order of eps kappa

Products in low precision give a matrix that is orthogonal to the precision, whatever the condition number kappa of G: the
iteration corrects its own rounding, because the fixed points of the last polynomials attract all singular values. It is
not the polar factor to that precision: rounding G alone moves the small singular vectors by eps kappa, and no method that
reads G in that precision can do better.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import torch
from ratewitness.solvers.norms.polar import PolarExpress
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import bound_holds, exceeds, exponent_is, interval, mean_is
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.studies.norms.spectra import errors, geometric, with_singular_values

GROUPS = 8
SINGLE = np.logspace(1, 6, 11)  # conditions for float32
STEEP = slice(4, None)  # from 10^3: below, what the intermediate steps round away is more


@cache
def in_low_precision(budget: Budget, dtype: torch.dtype, size: int) -> tuple[np.ndarray, np.ndarray]:
    """||X X^T - I||_2 and ||X - U V^T||_2 (conditions, groups), size x 2 size, 16 published steps for l = 1e-8."""
    generator = budget.shared("polar_in_low_precision").generator("precision", str(dtype), size)
    conditions = SINGLE if dtype == torch.float32 else SINGLE[:3]
    s = geometric(torch.tensor(conditions, dtype=torch.float64, device=generator.device), size)
    G, polar = with_singular_values(s.unsqueeze(1).expand(-1, GROUPS, -1), 2 * size, generator)
    X = PolarExpress(16, low=1e-8, dtype=dtype)(G)
    return errors(X @ X.mT, torch.eye(size, dtype=X.dtype, device=X.device)), errors(X, polar)


def orthogonal_to(budget: Budget, factor: float) -> Verdict:
    """The worst orthogonality defect against factor times the spacing of floats at 1, over sizes and conditions."""
    worst, bounds = [], []
    for dtype in (torch.float32, torch.bfloat16):
        for size in budget.pick((16, 32), (16, 32, 64, 128)):
            worst.append(in_low_precision(budget, dtype, size)[0].max())
            bounds.append(factor * torch.finfo(dtype).eps)
    return bound_holds(worst, bounds)


def loss_grows(budget: Budget, exponent: float) -> Verdict:
    measured = in_low_precision(budget, torch.float32, 32)[1]
    mean, low, high = interval(measured)
    table = {"condition": SINGLE, "measured": mean, "low": low, "high": high}
    verdict = exponent_is(1 / SINGLE[STEEP], measured[STEEP], exponent, 0.15, 3.0, 7)
    return verdict.noting(eps_at_condition_10=mean[0] / torch.finfo(torch.float32).eps).showing(table)


@claim(
    kind="phenomenon",
    source="S34; rounding of the last product",
    planted={
        "to a quarter of the spacing": lambda budget: orthogonal_to(budget, 0.25),
        "and as near to U V^T": lambda budget: mean_is(
            in_low_precision(budget, torch.float32, 32)[1] / torch.finfo(torch.float32).eps, np.ones(11), 0.9
        ),
    },
)
def low_precision_is_orthogonal(budget: Budget) -> Verdict:
    """S34: In float32 (condition 10 to 10^6) and in bfloat16 (10 to 100) the result of the published Polar Express, once
    converged (16 steps), is orthogonal within 8 spacings of floats at 1: ||X X^T - I||_2 <= 8 eps at each of these
    conditions and for n x 2n matrices, n = 16, 32, 64, 128 (quick: 16, 32)."""
    return orthogonal_to(budget, 8.0)


@claim(
    kind="exponent",
    source="S34; the condition of the polar factor is 1/sigma_min (Higham 2008)",
    planted={
        "like its square root": lambda budget: loss_grows(budget, 0.5),
        "like its square": lambda budget: loss_grows(budget, 2.0),
    },
)
def low_precision_costs_the_condition(budget: Budget) -> Verdict:
    """S34: The distance of the float32 result to U V^T is proportional to the condition number from 10^3 to 10^6: exponent
    1 +- 0.15. Below, some dozens of eps remain, more of them the smaller the l that the composition is made for."""
    return loss_grows(budget, 1.0)


@cache
def without_cushion(budget: Budget) -> np.ndarray:
    """The distance to U V^T in float32 of the optimal composition over that of the published one (groups,), both made for
    l = 1e-6, condition 10."""
    generator = budget.shared("polar_in_low_precision").generator("cushion")
    s = geometric(torch.full((GROUPS,), 10.0, dtype=torch.float64, device=generator.device), 32)
    G, polar = with_singular_values(s, 64, generator)
    published = PolarExpress(16, low=1e-6, dtype=torch.float32)
    optimal = replace(published, cushion=0.0, safety=1.0)
    return errors(optimal(G), polar) / errors(published(G), polar)


@claim(
    kind="phenomenon",
    source="S34; Amsel, Persson, Musco and Gower (2025), arXiv:2505.16932, on the cushion",
    planted={
        "a thousand times nearer": lambda budget: exceeds(without_cushion(budget), 1000.0),
        "the optimal composition is the nearer one": lambda budget: exceeds(1 / without_cushion(budget), 1.0),
    },
)
def cushion_protects_from_rounding(budget: Budget) -> Verdict:
    """S34, refined: Optimal in exact arithmetic is not optimal in float32: made for l = 1e-6, the optimal composition ends
    at least ten times as far from U V^T as the cushioned one on matrices of condition 10, where both have converged: it
    presses values of the range onto the small end of the image, into rounding."""
    return exceeds(without_cushion(budget), 10.0)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    table = verdicts["low_precision_costs_the_condition"].table
    figure, ax = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
    figure.set_label(
        "Distance of the float32 result of the published Polar Express to the polar factor against the condition number: "
        "measured with 99 % intervals (points), and proportional to the condition number (line)."
    )
    last = table.iloc[-1]
    ax.plot(table["condition"], last["measured"] * table["condition"] / last["condition"], color="C0", label="proportional")
    ax.errorbar(table["condition"], table["measured"], whiskers(table), fmt="o", ms=3.5, color="C1", label="measured")
    ax.set(xscale="log", yscale="log", xlabel="condition number of G", ylabel="distance to U V^T, spectral norm")
    ax.legend(frameon=False)
    return {"distance": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
