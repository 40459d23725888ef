r"""Does the risk of random features on real data descend twice?

    argmin ||w|| over the least-squares fits of one-hot targets to phi(x) in R^p,    p = 10, ..., 8000,    300 digits

Test risk is the squared error over the ten classes, test error the share of wrong digits, both on the images that were not
drawn and with their true labels. Each statement about the picture is a claim of its own: there is a peak at the threshold p
= n; beyond it the risk falls; the training risk there is zero; the second descent ends lower than the first minimum. The
null control is ridge regression with its penalty chosen by leave-one-out error, in the same runs. Widths are those of a
grid: the first minimum is the best of it for each seed, seen on the test images, which favours the first descent. Set-up:
`feature_runs`.

Sources: M. Belkin, D. Hsu, S. Ma and S. Mandal (2019), arXiv:1812.11118; A. Rahimi and B. Recht (2007).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, bound_holds, exceeds
from ratewitness.studies.landscapes.feature_runs import METHODS, NOISES, QUANTITIES, TRAIN, runs
from ratewitness.studies.measuring.drawing import Panel, legend_below, panels
from ratewitness.studies.measuring.groups import rows

SOURCE = "S49; Belkin, Hsu, Ma and Mandal (2019), arXiv:1812.11118"
LABELS = dict(zip(NOISES, ("clean labels", "noisy labels"), strict=True))


@claim(
    "phenomenon",
    SOURCE,
    unit="ln ratio",
    units={f"error, {name}": "fraction" for name in LABELS.values()} | {"largest_condition": "ratio"},
)
@planted("tuned ridge", method="tuned ridge")
@planted("the peak at 200 features", peak=200, sides=(100, 300))
@planted("the peak at 400 features", peak=400, sides=(300, 1000))
def a_peak_at_the_threshold(budget: Budget, method: str = "minimum norm", peak: int = TRAIN, sides=(200, 400)) -> Verdict:
    """S49: Random features on the digits have a peak of the test risk where there are as many features as samples.

    At p = n = 300 the risk is at least 3 times, and the test error at least 15 points above, what they are at p = 200 and at
    p = 400, with clean labels and with 20 % of them wrong; 99 % intervals of the logarithm, or of the difference, over 12
    (quick: 4) seeds. The condition number is at most 1e14 wherever something is judged, its largest value is noted. Null
    control: ridge tuned on the training labels."""
    found, parts = runs(budget), {}
    for noise, name in LABELS.items():
        risk, error = (
            [found.at(p, quantity, method, noise) for p in (peak, *sides)] for quantity in ("test risk", "test error")
        )
        parts[f"risk, {name}"] = exceeds(np.log(risk[0] / np.maximum(*risk[1:])), np.log(3))
        parts[f"error, {name}"] = exceeds(error[0] - np.maximum(*error[1:]), 0.15)
    return all_of(parts).noting(largest_condition=float(found.conditions.max())).showing(table(budget))


@claim("phenomenon", SOURCE, unit="ln ratio")
@planted("tuned ridge", method="tuned ridge")
@planted("from 200 features on", first=200)
def risk_falls_beyond(budget: Budget, method: str = "minimum norm", first: int = TRAIN) -> Verdict:
    """S49: Beyond the threshold the test risk of random features falls at every larger width, and by more than half from 400
    features on.

    From p = 300 to 8000 (quick: 2000) each of the nested widths on the grid has a lower risk than the one before, in 99 %
    intervals of the logarithm over 12 (quick: 4) seeds, and the last is below half of that at p = 400; clean and noisy
    labels. That no later width rises again is not said."""
    found, parts = runs(budget), {}
    for noise, name in LABELS.items():
        logs = np.log(found.of("test risk", method, noise)[found.widths >= first])
        steps = [exceeds(drop, 0.0) for drop in -np.diff(logs, axis=0)]
        parts |= {f"{name}, step {k + 1}": step for k, step in enumerate(steps)}
        half = np.log(found.at(400, "test risk", method, noise)) - logs[-1]
        parts[f"{name}, from 400"] = exceeds(half, np.log(2))
    return all_of(parts)


@claim("exact", "S49", unit="squared residual")
@planted("tuned ridge", method="tuned ridge")
@planted("from 200 features on", first=200)
def training_risk_is_zero(budget: Budget, method: str = "minimum norm", first: int = TRAIN) -> Verdict:
    """S49, as stated: Minimum-norm predictors from random features have zero training risk to the right of the threshold.

    In every run, for p from 300 to 8000 (quick: 2000), clean and noisy labels, the mean squared residual is at most 1e-15,
    where rounding makes it about (1e-16 times the condition number)^2; for p <= 290 (quick: 200) it exceeds 5e-4. It is a
    statement on fits without a penalty: to the right of the threshold tuned ridge does not interpolate, and is better
    (`removing_the_peak`).
    """
    found = runs(budget)
    values = np.stack([found.of("training risk", method, noise) for noise in NOISES])
    right = bound_holds(values[:, found.widths >= first].ravel(), 1e-15)
    left = exceeds(values[:, found.widths < first].min((0, 1)), 5e-4)
    return all_of({"right": right, "left": left})


def gain(budget: Budget, quantity: str, noise: float, method: str = "minimum norm", width: int | None = None) -> np.ndarray:
    """Logarithm of the least value left of the threshold over that at a width, by default the largest (seeds,)."""
    found = runs(budget)
    values = found.of(quantity, method, noise)
    return np.log(values[found.widths < TRAIN].min(0) / values[found.widths == (width or found.widths[-1])][0])


@claim("phenomenon", SOURCE, unit="ln ratio")
@planted("with clean labels, already at 400 features", noises=NOISES[:1], width=400)
def second_descent_is_lower(budget: Budget, noises=NOISES, width: int | None = None) -> Verdict:
    """S49, read as: Far beyond the threshold test risk and test error of random features are below their first minima,
    however noisy the labels.

    At 8000 (quick: 2000) features, with clean labels and with 20 % wrong ones, without any penalty: 99 % intervals of the
    logarithms of the ratios over 12 (quick: 4) seeds above 0. The picture suggests it, and the sentence does not say it."""
    parts = {
        f"{what}, {LABELS[noise]}": exceeds(gain(budget, what, noise, width=width), 0.0)
        for noise in noises
        for what in QUANTITIES[:2]
    }
    return all_of(parts)


@claim("phenomenon", SOURCE, unit="ln ratio")
@planted("the labels exchanged", noises=NOISES[::-1])
@planted("tuned ridge", method="tuned ridge")
def label_noise_decides(budget: Budget, noises=NOISES, method: str = "minimum norm") -> Verdict:
    """S49, refined: With clean labels the second descent of random features ends below the first minimum, with 20 % wrong
    ones above it.

    In the runs of `second_descent_is_lower` test risk and test error fall at least by a factor 1.5 from the first minimum to
    8000 (quick: 2000) features with clean labels, and are at least 1.1 times as large with wrong ones. Null control: tuned
    ridge gains with either."""
    clean, noisy = noises
    parts = {f"{what}, lower": exceeds(gain(budget, what, clean, method), np.log(1.5)) for what in QUANTITIES[:2]}
    parts |= {f"{what}, higher": exceeds(-gain(budget, what, noisy, method), np.log(1.1)) for what in QUANTITIES[:2]}
    return all_of(parts)


def table(budget: Budget) -> pd.DataFrame:
    """Geometric means over seeds of the risks, means of the errors, and the largest condition number, at every width."""
    found, parts = runs(budget), []
    for noise, name in LABELS.items():
        for method in METHODS[:2]:
            for quantity in QUANTITIES[:2]:
                values = found.of(quantity, method, noise)
                part = rows(values, geometric=quantity == "test risk", p=found.widths)
                parts.append(part.assign(labels=name, method=method, quantity=quantity, condition=found.conditions.max(-1)))
    return pd.concat(parts, ignore_index=True)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    shown = verdicts["a_peak_at_the_threshold"].table
    shown = shown.assign(curve=shown["method"] + ", " + shown["labels"].str.removesuffix(" labels"))
    looks = {
        "minimum norm, noisy": "C3o-",
        "minimum norm, clean": "C0s-",
        "tuned ridge, noisy": "C1^-- open",
        "tuned ridge, clean": "C2D-- open",
    }
    caption = (
        "Random Fourier features on 300 digits, one-hot least squares: test risk and test error against the number of "
        "features, for clean labels and 20 % wrong ones; 99 % intervals over seeds. Dotted: as many features as samples."
    )
    common = {"x": "p", "xlabel": "features $p$", "by": "curve"}
    row = [
        Panel(shown[shown["quantity"] == quantity], ylabel=quantity, log="xy" if quantity == "test risk" else "x", **common)
        for quantity in QUANTITIES[:2]
    ]
    figure = panels(caption, looks, row, legend="none", height=3.0)
    for ax in figure.axes:
        ax.axvline(TRAIN, color="0.35", lw=1, ls=":", label="$p = n$")
    legend_below(figure)
    return {"digits": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
