r"""How many iterations do GD and SGD need? The six cells of the complexity table.

    eps-accuracy        GD             SGD
    PL                  log(1/eps)     1/eps
    convex              1/eps          1/eps^2
    nonconvex           1/eps          1/eps^2

Each cell is measured on a witness that attains the exponent of its class (`studies/rates/cells.py`): hitting times N(eps) at
8 or more accuracies, a slope for each independent group of replicates, and the rival laws compared by AICc. So the classes
need no fewer steps than this; that they need no more is what the upper bounds of `bounds_on_every_problem` say, and what one
*fixed* function needs is the question of `fixed_functions`.
"""

from __future__ import annotations

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import exponent_is, interval, is_logarithmic
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.studies.rates import cells

GROUPS = 10


def accuracies(budget: Budget, largest: float, decades: tuple[float, float], points=(8, 12)) -> np.ndarray:
    """Log-spaced accuracies from `largest` down over (quick, full) decades."""
    return largest * np.logspace(0, -budget.pick(*decades), budget.pick(*points))


@cache
def measured(cell: str, budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies (E,) and hitting times (E, groups) of one cell."""
    if cell.startswith("gd"):
        eps = accuracies(budget, 0.05, (3.0, 3.5), (12, 16))
        return eps, getattr(cells, cell)(eps).reshape(len(eps), 1)
    eps, size = {
        "sgd_pl": (accuracies(budget, 0.05, (1.5, 2.2)), budget.replicates // GROUPS),
        "sgd_convex": (accuracies(budget, 0.06, (1.5, 2.0)), budget.replicates // (4 * GROUPS)),
        "sgd_nonconvex": (accuracies(budget, 0.15, (1.5, 2.0)), budget.replicates // (40 * GROUPS)),
    }[cell]
    return eps, getattr(cells, cell)(eps, GROUPS, size, budget.generator("noise"))


def judged(cell: str, exponent: float, budget: Budget) -> Verdict:
    """The exponent of one cell; quick: +-0.1 over 1.5 decades, full: +-0.05 over 2."""
    eps, times = measured(cell, budget)
    verdict = exponent_is(eps, times, exponent, budget.pick(0.1, 0.05), budget.pick(1.5, 2.0))
    return shown(verdict, cell, eps, times)


def shown(verdict: Verdict, cell: str, eps: np.ndarray, times: np.ndarray) -> Verdict:
    predicted = getattr(cells, f"{cell}_count")(eps)
    mean, low, high = interval(times) if times.shape[1] > 1 else (times[:, 0],) * 3
    ratio = times[-1].mean() / predicted[-1]
    table = {"eps": eps, "theory": predicted, "measured": mean, "low": low, "high": high}
    return verdict.noting(measured_over_theory=float(ratio)).showing(table)


@claim(
    kind="law",
    source="S4; Polyak (1963); witness mu x^2/2",
    planted={
        "exponent 1": lambda budget: judged("gd_pl", 1.0, budget),
        "exponent 0.5": lambda budget: judged("gd_pl", 0.5, budget),
    },
)
def gd_pl(budget: Budget) -> Verdict:
    """S4: On its witness mu x^2/2, kappa = 100, GD with step 1/L needs a number of steps linear in log(1/eps): as many per
    decade in the finer half of the accuracies as in the coarser, within 10 %."""
    eps, times = measured("gd_pl", budget)
    return shown(is_logarithmic(eps, times, 0.1), "gd_pl", eps, times)


@claim(
    kind="exponent",
    source="S5; witness mu x^2/2 +- sigma x, steps 1/(mu(k+1))",
    planted={
        "exponent 1.5": lambda budget: judged("sgd_pl", 1.5, budget),
        "exponent 0.5": lambda budget: judged("sgd_pl", 0.5, budget),
    },
)
def sgd_pl(budget: Budget) -> Verdict:
    """S5: On its witness mu x^2/2 +- sigma x SGD with steps 1/(mu(k+1)) needs 1/eps steps."""
    return judged("sgd_pl", 1.0, budget)


@claim(
    kind="exponent",
    source="S6; Drori and Teboulle (2014); Huber witness",
    planted={
        "exponent 1.5": lambda budget: judged("gd_convex", 1.5, budget),
        "exponent 0.5": lambda budget: judged("gd_convex", 0.5, budget),
    },
)
def gd_convex(budget: Budget) -> Verdict:
    """S6: On its witness, the Huber function chosen for eps, GD with step 1/L needs 1/eps steps."""
    return judged("gd_convex", 1.0, budget)


@claim(
    kind="exponent",
    source="S7; Lan (2012), Bubeck (2015); witness lam x^2/2 +- sigma x",
    planted={
        "exponent 1.5": lambda budget: judged("sgd_convex", 1.5, budget),
        "exponent 2.5": lambda budget: judged("sgd_convex", 2.5, budget),
    },
)
def sgd_convex(budget: Budget) -> Verdict:
    """S7: On its witness, the noisy parabola chosen for eps, SGD with averaging and the step R/(sigma sqrt N) needs 1/eps^2
    steps."""
    return judged("sgd_convex", 2.0, budget)


@claim(
    kind="exponent",
    source="S8; Abbaszadehpeivasti, de Klerk and Zamani (2021), arXiv:2104.05468; sawtooth witness",
    planted={
        "exponent 1.5": lambda budget: judged("gd_nonconvex", 1.5, budget),
        "exponent 2, as for eps on the norm": lambda budget: judged("gd_nonconvex", 2.0, budget),
    },
)
def gd_nonconvex(budget: Budget) -> Verdict:
    """S8: On its witness, the sawtooth gradient chosen for eps, GD with step 1/L needs 1/eps steps until ||grad f||^2 <=
    eps."""
    return judged("gd_nonconvex", 1.0, budget)


@claim(
    kind="exponent",
    source="S9; Ghadimi and Lan (2013), arXiv:1309.5549; Drori and Shamir (2020); two-mode witness",
    planted={
        "exponent 1.5": lambda budget: judged("sgd_nonconvex", 1.5, budget),
        "exponent 4, as for eps on the norm": lambda budget: judged("sgd_nonconvex", 4.0, budget),
    },
)
def sgd_nonconvex(budget: Budget) -> Verdict:
    """S9: On its witness, the two-mode quadratic chosen for eps, SGD with the constant step tuned to the horizon needs
    1/eps^2 steps until the mean of ||grad f(x_k)||^2 over the run, its expectation at a random iterate, is at most eps."""
    return judged("sgd_nonconvex", 2.0, budget)


CELLS = {  # title, law, N(eps) in full units, accuracy
    "gd_pl": ("GD, PL", r"$\log(1/\varepsilon)$", r"$\lceil \ln(\Delta/\varepsilon)/(-2\ln(1-\mu/L)) \rceil$", r"$f - f^*$"),
    "sgd_pl": ("SGD, PL", r"$1/\varepsilon$", r"$\sigma^2/(2\mu\varepsilon)$", r"$f - f^*$"),
    "gd_convex": ("GD, convex", r"$1/\varepsilon$", r"$\lceil (LR^2/\varepsilon - 2)/4 \rceil$", r"$f - f^*$"),
    "sgd_convex": ("SGD, convex", r"$1/\varepsilon^2$", r"$0.0872\,\sigma^2R^2/\varepsilon^2$", r"$f - f^*$"),
    "gd_nonconvex": (
        "GD, nonconvex", r"$1/\varepsilon$", r"$\lceil (4L\Delta/\varepsilon - 2)/3 \rceil$", r"$\|\nabla f\|^2$"
    ),
    "sgd_nonconvex": ("SGD, nonconvex", r"$1/\varepsilon^2$", r"$2L\Delta\sigma^2/\varepsilon^2$", r"$\|\nabla f\|^2$"),
}  # fmt: skip


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    rows = []
    for name, (title, law, count, accuracy) in CELLS.items():
        evidence, table = verdicts[name].evidence, verdicts[name].table
        power = "slope" in evidence  # the logarithmic law has no exponent
        slope = f"{evidence['slope']:.3f}" if power else "0, a logarithm"
        limits = f"[{evidence['low']:.3f}, {evidence['high']:.3f}]" if power else "--"
        rows.append(
            {
                "cell": title,
                "accuracy in": accuracy,
                "theory": law,
                r"$N(\varepsilon)$ on the witness": count,
                "measured exponent": slope,
                "99 % interval": limits,
                "rivals rejected by (AICc)": f"{evidence['rival_margin']:.0f}",
                "measured / theory": f"{evidence['measured_over_theory']:.3f}",
                r"$\varepsilon$ from": f"{table['eps'].max():.2g}",
                "to": f"{table['eps'].min():.2g}",
                "verdict": verdicts[name].outcome,
            }
        )
    return {"table": pd.DataFrame(rows)}


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, axes = plt.subplots(3, 2, figsize=(7.2, 8.2), layout="constrained")
    figure.set_label(
        "Iterations N(eps) on the witness of each cell. Line: theory. Points: measured, with 99 % intervals over "
        "groups of replicates (GD is deterministic). Grey: exponents 0.5, 1, 1.5 and 2 through the first point."
    )
    for (name, (title, law, _, accuracy)), ax in zip(CELLS.items(), axes.flat, strict=True):
        table = verdicts[name].table
        inverse = 1 / table["eps"]
        ax.plot(inverse, table["theory"], color="C0", lw=1.5, label=f"theory, {law}")
        ax.errorbar(inverse, table["measured"], whiskers(table), fmt="o", ms=4, color="C1", label="measured")
        ax.set_xscale("log")
        if name != "gd_pl":  # the logarithmic law is a straight line on a linear axis
            ax.set_yscale("log")
            for rival in {0.5, 1, 1.5, 2} - {2 if "^2" in law else 1}:
                ax.plot(inverse, table["theory"][0] * (inverse / inverse[0]) ** rival, color="0.75", lw=0.7, zorder=0)
        ax.xaxis.set_minor_formatter("")  # over less than two decades matplotlib would label every minor tick
        ax.set(title=title, xlabel=f"1 / eps   (eps on {accuracy})", ylabel="iterations N(eps)")
        ax.legend(frameon=False)
    return {"table": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
