r"""Does the risk descend twice along features, along samples and along epochs alike?

    features    the first p of 120 in falling order, 40 samples                peak at p = n, infinite
    samples     n in 60 dimensions, noise of variance 0.05                     peak at n = d, infinite
    epochs      two time scales, 200 samples, 120 parameters                   peak at step 8, finite

All three curves have a closed form, and each has a control without the second descent or without the peak: features in equal
order have no first descent, one time scale no second. Along the epochs nothing is interpolated: the name is the same, the
mechanism is not. Widths and sizes nearer than 4 to a threshold are not measured.

Sources: M. Belkin, D. Hsu and J. Xu (2020), arXiv:1903.07571; P. Nakkiran (2019), arXiv:1912.07242; R. Heckel and F. Yilmaz
(2021), arXiv:2007.10099; theory/double_descent.py and theory/early_stopping.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, exceeds
from ratewitness.studies.landscapes.epoch_runs import (
    CURVATURES,
    DIMENSIONS,
    ENERGY,
    NOISE,
    SHARE,
    SIZES,
    STEP,
    TIMES,
    TURNS,
    along_the_epochs,
    along_the_samples,
)
from ratewitness.studies.landscapes.gaussian_fits import GROUPS, WIDTHS, N, fits, predicted
from ratewitness.studies.measuring.drawing import Panel, legend_below, panels
from ratewitness.studies.measuring.groups import rows
from ratewitness.theory.double_descent import excess_risk
from ratewitness.theory.early_stopping import risk_at

AXES = {"features": (1, 14, 35, 120), "samples": (5, 46, 54, 120), "epochs": (0, *TURNS[:2], TURNS[2])}


def measured_along(budget: Budget, axis: str, control: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Where, and risks (places, groups of runs) there."""
    if axis == "features":
        return WIDTHS, fits(budget)["equal" if control else "falling"]
    if axis == "samples":
        risks = along_the_samples(budget)
        return SIZES, risks.reshape(len(SIZES), GROUPS, -1).mean(-1)
    t, risks = along_the_epochs(budget, [*CURVATURES][int(control)])
    groups = np.concatenate([np.full((1, risks.shape[1]), ENERGY.sum()), risks]).reshape(len(t) + 1, GROUPS, -1).mean(-1)
    return np.concatenate([[0], t]), groups


@claim("phenomenon", "S49; Belkin, Hsu and Xu (2020), arXiv:1903.07571; Nakkiran (2019), arXiv:1912.07242", unit="ln ratio")
@planted("equal coefficients along the features", controls=("features",))
@planted("one time scale along the epochs", controls=("epochs",))
@planted("samples from 46 on", places={**AXES, "samples": (46, 54, 66, 120)})
def falls_rises_and_falls_along_each(budget: Budget, controls=(), places=AXES) -> Verdict:
    """S49, refined: Along features, along samples and along epochs of linear regression the risk falls, rises and falls
    again.

    Between four places each, p = 1, 14, 35, 120, n = 5, 46, 54, 120, and steps 0, 1, 8, 1386, the logarithm of the mean risk
    falls, rises and falls by at least 0.02 (epochs) or 0.1, in 99 % intervals over 20 groups of 1000 (quick: 200) fits, 500
    (quick: 50) fits, and 40 (quick: 6) runs. The places are those of the exact minima and of points near the peaks."""
    parts = {}
    for axis, chosen in places.items():
        at, risks = measured_along(budget, axis, axis in controls)
        logs = np.log(risks[[list(at).index(place) for place in chosen]])
        for k, sign in enumerate((1, -1, 1)):
            parts[f"{axis}, move {k + 1}"] = exceeds(sign * (logs[k] - logs[k + 1]), 0.02 if axis == "epochs" else 0.1)
    return all_of(parts).showing(table(budget))


def table(budget: Budget) -> pd.DataFrame:
    """Means over groups with intervals, and the exact curves at many more places."""
    scales = CURVATURES["two time scales"]
    curves = {
        "features": (np.arange(1, 121), lambda p: predicted("falling", p)),
        "samples": (np.arange(5, 151), lambda n: excess_risk(n, DIMENSIONS, 1.0, NOISE)),
        "epochs": (np.unique(np.append(TIMES, TURNS)), lambda t: risk_at(t, ENERGY, scales, SHARE, STEP)),
    }
    parts = []
    for axis, (fine, exact) in curves.items():
        at, risks = measured_along(budget, axis)
        line = exact(fine)
        line = pd.DataFrame({"at": fine, "theory": np.where(np.isfinite(line), line, np.nan)})
        parts.append(line.merge(rows(risks, at=at), how="left").assign(axis=axis))
    return pd.concat(parts, ignore_index=True)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    shown = verdicts["falls_rises_and_falls_along_each"].table
    caption = (
        "Three double descents of linear regression, measured with 99 % intervals, and exact: along the features that a fit "
        "sees, along the samples, and along the steps of gradient descent. Dotted: the threshold."
    )
    labels = {"features": ("features $p$", "y"), "samples": ("samples $n$", "y"), "epochs": ("steps $t$", "x")}
    limits = {"features": (0.4, 40), "samples": (0.02, 8), "epochs": (0.4, 1.3)}
    levels = {"features": {}, "samples": {}, "epochs": {"step 0": ENERGY.sum()}}
    row = [
        Panel(
            shown[shown["axis"] == axis],
            "at",
            label,
            "risk",
            by="axis",
            log=log,
            levels=levels[axis],
            options={"ylim": limits[axis]},
        )
        for axis, (label, log) in labels.items()
    ]
    figure = panels(caption, {"features": "C0o", "samples": "C1^", "epochs": "C2s"}, row, legend="none")
    for ax, threshold in zip(figure.axes, (N, DIMENSIONS), strict=False):
        ax.axvline(threshold, color="0.35", lw=1, ls=":", label="threshold")
    legend_below(figure)
    return {"three": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
