r"""How many iterations do GD and SGD need? The six cells of the complexity table.

    eps-accuracy        GD             SGD
    PL                  log(1/eps)     1/eps
    convex              1/eps          1/eps^2
    nonconvex           1/eps          1/eps^2

Each cell is measured on a witness that attains the exponent of its class (`studies/rates/cells.py`): hitting times N(eps) at
8 or more accuracies, a slope for each independent group of replicates, and the rival laws compared by AICc. The interval of
a slope is about that of the expectation over these accuracies, which exact recursions give and the evidence holds beside it;
that this is near the exponent is what is judged. So the classes
need no fewer steps than this; that they need no more is what the upper bounds of `bounds_on_every_problem` say, and what one
*fixed* function needs is the question of `fixed_functions`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import exponent_is, is_logarithmic
from ratewitness.studies.measuring.drawing import Panel, canvas, draw, legend_below
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.rates import cells

GROUPS = 10


@measured
def times(budget: Budget, cell: str) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies (E,) and hitting times (E, groups) of one cell, each cell on noise of its own."""
    if cell in cells.GD:
        eps = 0.05 * np.logspace(0, -budget.pick(3.0, 3.5), budget.pick(12, 16))
        return eps, cells.GD[cell](eps)
    sampled = {"sgd_pl": (0.05, 2.2, 1), "sgd_convex": (0.06, 2.0, 4), "sgd_nonconvex": (0.15, 2.0, 40)}
    largest, decades, dearer = sampled[cell]
    eps = largest * np.logspace(0, -budget.pick(1.5, decades), budget.pick(8, 12))
    noise = budget.shared(f"complexity_table.{cell}").generator("noise")
    return eps, cells.SGD[cell](eps, GROUPS, budget.replicates // (dearer * GROUPS), noise)


def grows(budget: Budget, cell: str, power: float) -> Verdict:
    """N(eps) like eps^-power; like log(1/eps) for the power 0."""
    eps, N = times(budget, cell)
    verdict = is_logarithmic(eps, N, 0.1)
    if power:
        verdict = exponent_is(eps, N, power, budget.pick(0.1, 0.05), budget.pick(1.5, 2.0))
    theory = cells.count(cell, eps)
    verdict = verdict.noting(measured_over_theory=float(N[-1].mean() / theory[-1]))
    if power:
        exact = cells.slope(eps, [cells.expected_time(cell, e) for e in eps])
        verdict = verdict.noting(slope_of_the_exact_recursion=exact)
    return verdict.showing(rows(N, eps=eps, theory=theory))


@claim("law", "S4; Polyak (1963); witness mu x^2/2")
@planted("exponent 0.2", power=0.2)
@planted("exponent 0.1", power=0.1)
def gd_pl(budget: Budget, power: float = 0.0) -> Verdict:
    """S4, refined: The logarithm is attained: on its PL witness GD needs a number of steps linear in log(1/eps).

    On mu x^2/2, kappa = 100, with step 1/L: as many steps per decade in the finer half of the accuracies as in the
    coarser, within 10 %, over 3 decades (full budget: 3.5)."""
    return grows(budget, "gd_pl", power)


@claim("exponent", "S5; witness mu x^2/2 +- sigma x, steps 1/(mu(k+1))")
@planted("exponent 1.2", power=1.2)
@planted("exponent 0.8", power=0.8)
def sgd_pl(budget: Budget, power: float = 1.0) -> Verdict:
    """S5, refined: The exponent is attained: SGD needs 1/eps steps on its PL witness.

    On mu x^2/2 +- sigma x with steps 1/(mu(k+1)): exponent 1 +- 0.1 over 1.5 decades (full budget: +- 0.05 over 2)."""
    return grows(budget, "sgd_pl", power)


@claim("exponent", "S6; Drori and Teboulle (2014); Huber witness")
@planted("exponent 1.2", power=1.2)
@planted("exponent 0.8", power=0.8)
def gd_convex(budget: Budget, power: float = 1.0) -> Verdict:
    """S6, refined: The exponent is attained: GD needs 1/eps steps on its convex witness.

    On the Huber function chosen for eps, with step 1/L: exponent 1 +- 0.1 over at least 1.5 decades (full budget: +-
    0.05 over at least 2)."""
    return grows(budget, "gd_convex", power)


@claim("exponent", "S7; Lan (2012), Bubeck (2015); witness lam x^2/2 +- sigma x")
@planted("exponent 1.8", power=1.8)
@planted("exponent 2.2", power=2.2)
def sgd_convex(budget: Budget, power: float = 2.0) -> Verdict:
    """S7, refined: The exponent is attained: SGD with averaging needs 1/eps^2 steps on its convex witness.

    On the noisy parabola chosen for eps, with the step R/(sigma sqrt N), the exponent is 2 +- 0.1 over 1.5 decades (full
    budget: +- 0.05 over 2)."""
    return grows(budget, "sgd_convex", power)


@claim("exponent", "S8; Abbaszadehpeivasti, de Klerk and Zamani (2021), arXiv:2104.05468; sawtooth witness")
@planted("exponent 1.2", power=1.2)
@planted("exponent 0.8", power=0.8)
def gd_nonconvex(budget: Budget, power: float = 1.0) -> Verdict:
    """S8, refined: The exponent is attained: GD needs 1/eps steps on its nonconvex witness until ||grad f||^2 <= eps.

    On the sawtooth gradient chosen for eps, with step 1/L: exponent 1 +- 0.1 over at least 1.5 decades (full budget: +-
    0.05 over at least 2)."""
    return grows(budget, "gd_nonconvex", power)


@claim("exponent", "S9; Ghadimi and Lan (2013), arXiv:1309.5549; Drori and Shamir (2020); two-mode witness")
@planted("exponent 1.8", power=1.8)
@planted("exponent 2.2", power=2.2)
def sgd_nonconvex(budget: Budget, power: float = 2.0) -> Verdict:
    """S9, refined: The exponent is attained: SGD needs 1/eps^2 steps on its nonconvex witness until the mean of ||grad
    f(x_k)||^2 is at most eps.

    On the two-mode quadratic chosen for eps, with the constant step tuned to the horizon, the exponent is 2 +- 0.1 over 1.5
    decades (full budget: +- 0.05 over 2). The mean over the run is the expectation at a random iterate."""
    return grows(budget, "sgd_nonconvex", power)


GAP, SQUARE = r"$f - f^*$", r"$\|\nabla f\|^2$"
CELLS = {  # title, law, N(eps) in full units, accuracy
    "gd_pl": ("GD, PL", r"$\log(1/\varepsilon)$", r"$\lceil \ln(\Delta/\varepsilon)/(-2\ln(1-\mu/L)) \rceil$", GAP),
    "sgd_pl": ("SGD, PL", r"$1/\varepsilon$", r"$\sigma^2/(2\mu\varepsilon)$", GAP),
    "gd_convex": ("GD, convex", r"$1/\varepsilon$", r"$\lceil (LR^2/\varepsilon - 2)/4 \rceil$", GAP),
    "sgd_convex": ("SGD, convex", r"$1/\varepsilon^2$", r"$0.0872\,\sigma^2R^2/\varepsilon^2$", GAP),
    "gd_nonconvex": ("GD, nonconvex", r"$1/\varepsilon$", r"$\lceil (4L\Delta/\varepsilon - 2)/3 \rceil$", SQUARE),
    "sgd_nonconvex": ("SGD, nonconvex", r"$1/\varepsilon^2$", r"$2L\Delta\sigma^2/\varepsilon^2$", SQUARE),
}
RIVALS = {0.5: "0.35", 1.0: "0.5", 1.5: "0.65", 2.0: "0.8"}  # exponents of the dotted lines, and their greys


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    shown = []
    for name, (title, law, count, accuracy) in CELLS.items():
        found, eps = verdicts[name].evidence, verdicts[name].table["eps"]
        power = "0, a logarithm"
        if "slope" in found:
            sampled = f" in [{found['low']:.3f}, {found['high']:.3f}]" if "low" in found else ""
            power = f"{found['slope']:.3f}{sampled}"
        shown.append(
            {
                "cell": title,
                "accuracy in": accuracy,
                "theory": law,
                r"$N(\varepsilon)$ on the witness": count,
                "measured exponent (SGD: in its 99 % interval)": power,
                "of the expectation, same range": f"{found.get('slope_of_the_exact_recursion', 0):.3f}",
                "rivals rejected by (AICc)": round(found["rival_margin"]),
                "measured / theory": round(found["measured_over_theory"], 3),
                r"$\varepsilon$ from": float(f"{eps.max():.2g}"),
                "to": float(f"{eps.min():.2g}"),
                "verdict": verdicts[name].outcome,
            }
        )
    return {"table": pd.DataFrame(shown)}


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        r"Iterations $N(\varepsilon)$ on the witness of each cell, with 99 % intervals over groups of replicates (GD is "
        r"deterministic). Dotted: powers of $1/\varepsilon$ through the first point."
    )
    figure, axes = canvas(caption, 2, 2, 2, height=2.2)
    for (name, (title, law, _, accuracy)), ax in zip(CELLS.items(), axes, strict=True):
        table = verdicts[name].table.assign(x=1 / verdicts[name].table["eps"], method="measured")
        labels = rf"$1/\varepsilon$,  $\varepsilon$ on {accuracy}", r"$N(\varepsilon)$"
        logarithmic = name == "gd_pl"  # a straight line on a linear axis
        options = {"log": "x" if logarithmic else "xy", "options": {"ymargin": 0.12}}
        draw(ax, Panel(table, "x", *labels, title=f"{title}: {law}", **options), {"measured": "C1o"})
        for power, grey in ({} if logarithmic else RIVALS).items():
            line = table["theory"][0] * (table["x"] / table["x"][0]) ** power
            ax.plot(table["x"], line, color=grey, lw=1, ls=":", zorder=0, label=rf"$\propto \varepsilon^{{-{power:g}}}$")
    legend_below(figure, ncols=3)
    return {"table": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
