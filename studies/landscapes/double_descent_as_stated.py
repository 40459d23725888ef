r"""Is what is said of double descent true of every predictor, or of those that interpolate?

    minimum norm          1/s                      of each singular value s of the features
    tuned ridge           s/(s^2 + lam)            lam with the least leave-one-out error on the training labels
    early stopping        (1 - exp(-s^2/lam))/s    gradient flow to the time 1/lam

S49 draws a curve that joins the classical U with a second descent, and says that predictors to the right of the threshold
have zero training risk; it names no method. Here three predictors from the same random features of the same digits are held
against its words: of the fit of least norm both are true, and of the two others, to the right of the same threshold, neither
is. So the first is judged as a statement that there is such a curve, and as one of every predictor; the second as it stands,
of predictors in general, and of those of least norm in `random_features`. Set-up: `feature_runs`; more on penalties:
`removing_the_peak`; on stopping: `early_stopping_and_ridge`.

Source: M. Belkin, D. Hsu, S. Ma and S. Mandal (2019), arXiv:1812.11118.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, bound_holds, exceeds
from ratewitness.studies.landscapes.feature_runs import METHODS, NOISES, TRAIN, runs
from ratewitness.studies.measuring.drawing import Panel, legend_below, panels
from ratewitness.studies.measuring.groups import rows, stacked

SOURCE = "S49; Belkin, Hsu, Ma and Mandal (2019), arXiv:1812.11118"
PLACES = (20, 60, TRAIN, 2000)  # few features, about the first minimum, the threshold, many
LEAST = (1.1, 3.0, 2.0)  # the factor of the first descent, of the ascent, and of the second descent
LOOKS = {"minimum norm": "C0o-", "tuned ridge": "C1s-", "early stopping": "C2^-"}


@claim("exact", SOURCE)
@planted("tuned ridge alone", methods=METHODS[1:2])
@planted("minimum norm from 200 features on", methods=METHODS[:1], first=200)
def predictors_to_the_right_have_zero_training_risk(budget: Budget, methods=METHODS, first: int = TRAIN) -> Verdict:
    """S49, read as: Every predictor to the right of the interpolation threshold has zero training risk, ridge and early
    stopping as well.

    Random features on 300 digits, p from 300 to 8000 (quick: 2000), clean labels and 20 % wrong ones, 12 (quick: 4) seeds:
    the mean squared residual of the fit of least norm, of ridge with its penalty tuned on the training labels and of
    gradient flow that stops at its inverse is at most 1e-15. It is refuted by the two that do not interpolate; of the fit of
    least norm it is true (`random_features.training_risk_is_zero`)."""
    found = runs(budget)
    right = found.widths >= first
    values = {
        method: np.stack([found.of("training risk", method, noise)[right] for noise in NOISES]).ravel() for method in methods
    }
    return all_of({method: bound_holds(each, 1e-15) for method, each in values.items()})


def double_descent(budget: Budget, method: str) -> Verdict:
    """Whether the risk falls, rises to the threshold and falls again, each by its factor, for clean and noisy labels."""
    found, parts = runs(budget), {}
    for noise in NOISES:
        logs = np.log([found.at(place, "test risk", method, noise) for place in PLACES])
        for move, (sign, least) in enumerate(zip((-1, 1, -1), LEAST, strict=True)):
            parts[f"{method}, {noise:g}, move {move + 1}"] = exceeds(sign * (logs[move + 1] - logs[move]), np.log(least))
    return all_of(parts)


@claim("phenomenon", SOURCE, unit="ln ratio")
@planted("of tuned ridge", method="tuned ridge")
@planted("of early stopping", method="early stopping")
def a_double_descent_curve_exists(budget: Budget, method: str = "minimum norm") -> Verdict:
    """S49, as stated: A double-descent curve joins the classical U with the descent of large models, the interpolation
    threshold between them.

    In the runs of `predictors_to_the_right_have_zero_training_risk`, for the fit of least norm, with clean and with noisy
    labels: the test risk falls from p = 20 to 60 by a factor of at least 1.1, rises to p = n = 300 by at least 3 and falls
    to 2000 by at least 2, in 99 % intervals of the logarithms over seeds. Null controls: tuned ridge and early stopping on
    the same features and labels."""
    return double_descent(budget, method).showing(table(budget))


@claim("phenomenon", SOURCE, unit="ln ratio")
@planted("of tuned ridge alone", methods=METHODS[1:2])
@planted("of early stopping alone", methods=METHODS[2:])
def every_predictor_descends_twice(budget: Budget, methods=METHODS) -> Verdict:
    """S49, read as: Whatever predictor is fitted to the features, its risk descends twice, with a peak at the threshold.

    As `a_double_descent_curve_exists`, for the fit of least norm, tuned ridge and early stopping. The sentence does not say
    whose the curve is; the peak is that of fits that interpolate, and goes with them."""
    return all_of({method: double_descent(budget, method) for method in methods})


def table(budget: Budget) -> pd.DataFrame:
    """Geometric means over seeds of the test risk and the training risk with noisy labels, at every width."""
    found, parts = runs(budget), {}
    for method in METHODS:
        of = [
            rows(found.of(what, method).clip(1e-30), geometric=True, p=found.widths).assign(quantity=what)
            for what in ("test risk", "training risk")
        ]
        parts[method] = pd.concat(of, ignore_index=True)
    return stacked(parts)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    shown = verdicts["a_double_descent_curve_exists"].table
    caption = (
        "Three predictors from random features of 300 digits, 20 % of the labels wrong: test risk, and training risk, which "
        "for the fit of least norm leaves the picture at the threshold. Geometric means over seeds with 99 % intervals. "
        "Dotted: as many features as samples."
    )
    limits = {"test risk": None, "training risk": (1e-3, 2)}
    row = [
        Panel(shown[shown["quantity"] == what], "p", "features $p$", what, options={"ylim": each} if each else {})
        for what, each in limits.items()
    ]
    figure = panels(caption, LOOKS, row, legend="none", height=3.0)
    for ax in figure.axes:
        ax.axvline(TRAIN, color="0.35", lw=1, ls=":", label="$p = n$")
    legend_below(figure)
    return {"predictors": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
