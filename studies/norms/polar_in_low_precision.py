r"""What does orthogonalizing in float32 and bfloat16 leave?

    X converged:   ||X X^T - I||_2 of the order of eps,   ||X - U V^T||_2 of the order of eps kappa

Products in low precision give a matrix that is orthogonal to the precision, whatever the condition number kappa of G: the
iteration corrects its own rounding, because the fixed points of the last polynomials attract all singular values. It is
not the polar factor to that precision: rounding G alone moves the small singular vectors by eps kappa, and no method that
reads G in that precision can do better.

Sources: N. Higham (2008), Functions of Matrices; N. Amsel, D. Persson, C. Musco and R. Gower (2025), arXiv:2505.16932.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import torch
from ratewitness.solvers.norms.odd_polynomials import CUSHION
from ratewitness.solvers.norms.polar import PolarExpress
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted, revised
from ratewitness.studies.judges import bound_holds, exceeds, exponent_is, mean_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.norms.spectra import errors, geometric, with_singular_values

GROUPS = 8
SINGLE = np.logspace(1, 6, 11)  # conditions for float32
STEEP = slice(4, None)  # from 10^3: below, what the intermediate steps round away is more
SPACING = torch.finfo(torch.float32).eps  # of float32 at 1


@measured
def in_low_precision(budget: Budget, dtype: torch.dtype, size: int) -> tuple[np.ndarray, np.ndarray]:
    """||X X^T - I||_2 and ||X - U V^T||_2 (conditions, groups), size x 2 size, 16 published steps for l = 1e-8."""
    generator = budget.generator("precision", str(dtype), size)
    conditions = SINGLE if dtype == torch.float32 else SINGLE[:3]
    s = geometric(torch.tensor(conditions, dtype=torch.float64, device=generator.device), size)
    G, polar = with_singular_values(s.unsqueeze(1).expand(-1, GROUPS, -1), 2 * size, generator)
    X = PolarExpress(16, low=1e-8, dtype=dtype)(G)
    return errors(X @ X.mT, torch.eye(size, dtype=X.dtype, device=X.device)), errors(X, polar)


def is_the_polar_factor(budget: Budget) -> Verdict:
    """The float32 results are as near to U V^T as they are to being orthogonal."""
    return mean_is(in_low_precision(budget, torch.float32, 32)[1] / SPACING, np.ones(len(SINGLE)), 0.9)


@claim("upper bound", "S34; rounding of the last product")
@planted("to a quarter of the spacing", factor=0.25)
@planted("and as near to U V^T", is_the_polar_factor)
def low_precision_is_orthogonal(budget: Budget, factor: float = 8.0) -> Verdict:
    """S34: In float32 and bfloat16 the result of the published Polar Express is orthogonal within 8 spacings of floats at 1.

    For n x 2n matrices, n = 16, 32, 64, 128 (quick: 16, 32), once converged (16 steps), it has ||X X^T - I||_2 <= 8 eps at
    each condition from 10 to 10^6 in float32 and from 10 to 100 in bfloat16."""
    cells = list(product((torch.float32, torch.bfloat16), budget.pick((16, 32), (16, 32, 64, 128))))
    worst = [in_low_precision(budget, *cell)[0].max() for cell in cells]
    return bound_holds(worst, [factor * torch.finfo(dtype).eps for dtype, _ in cells])


@claim(
    "exponent",
    "S34; the condition of the polar factor is 1/sigma_min (Higham 2008)",
    units={"eps_at_condition_10": "distance"},
)
@planted("exponent 0.7", power=0.7)
@planted("exponent 1.3", power=1.3)
def low_precision_costs_the_condition(budget: Budget, power: float = 1.0) -> Verdict:
    """S34: The distance of the float32 result to U V^T is proportional to the condition number.

    The exponent is 1 +- 0.15 from 10^3 to 10^6. Below, some dozens of eps remain, more of them the smaller the l that the
    composition is made for."""
    distances = in_low_precision(budget, torch.float32, 32)[1]
    table = rows(distances, condition=SINGLE)
    verdict = exponent_is(1 / SINGLE[STEEP], distances[STEEP], power, 0.15, 3.0, 7)
    return verdict.noting(eps_at_condition_10=table["measured"][0] / SPACING).showing(table)


@measured("polar_in_low_precision, revision 1")
def without_cushion(budget: Budget, cushion: float) -> np.ndarray:
    """The distance to U V^T in float32 of the composition with that cushion and no safety factor, over that of the published
    one (groups,), both made for l = 1e-6, condition 10."""
    generator = budget.generator("cushion")
    s = geometric(torch.full((GROUPS,), 10.0, dtype=torch.float64, device=generator.device), 32)
    G, polar = with_singular_values(s, 64, generator)
    published = PolarExpress(16, low=1e-6, dtype=torch.float32)
    return errors(replace(published, cushion=cushion, safety=1.0)(G), polar) / errors(published(G), polar)


@claim("phenomenon", "S34; Amsel, Persson, Musco and Gower (2025), arXiv:2505.16932, on the cushion", unit="ln ratio")
@revised(1, "judged in logarithms: the groups are skewed")
@planted("three hundred times", factor=300.0)
@planted("with the published cushion, too", cushion=CUSHION)
def cushion_protects_from_rounding(budget: Budget, factor: float = 10.0, cushion: float = 0.0) -> Verdict:
    """S34, refined: In float32 the composition optimal in exact arithmetic ends at least ten times as far from U V^T as
    the cushioned one.

    At least ten times in the geometric mean over groups, both made for l = 1e-6, on matrices of condition 10, where both
    have converged: the optimal one presses values of the range onto the small end of the image, into rounding."""
    return exceeds(np.log(without_cushion(budget, cushion)), float(np.log(factor)))


def figures(verdicts: dict[str, Verdict]) -> dict:
    table = verdicts["low_precision_costs_the_condition"].table.assign(method="measured")
    last = table.iloc[-1]
    table["theory"] = last["measured"] * table["condition"] / last["condition"]
    caption = (
        "Distance of the float32 result of the published Polar Express to the polar factor against the condition number: "
        "measured with 99 % intervals (points), and proportional to the condition number (theory)."
    )
    panel = Panel(table, "condition", r"condition number $\kappa$ of $G$", r"$\Vert X - UV^{\top}\Vert_2$")
    return {"distance": panels(caption, {"measured": "C0o"}, [panel])}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
