r"""Is the risk of minimum-norm least squares what the closed form says, on both sides of the interpolation threshold?

    p <= n - 2    v (1 + p/(n-p-1))
    p >= n + 2    b_T^2 (1 - n/p) + v (1 + n/(p-n-1))            v = noise + the part of ||b||^2 that the fit does not see

The risk of a prediction from the first p features, b_T^2 being the part of ||b||^2 that they hold; it is infinite for p =
n-1, n and n+1, and not for p = n alone. n = 40 samples, up to 120 standard normal features, ||b||^2 = 1, noise of variance
1/4. Where the sample means of few runs seem to have a finite peak there, the height of that peak is an artefact. Set-up:
`gaussian_fits`; shape of the left branch: `classical_u_shape`.

Sources: M. Belkin, D. Hsu and J. Xu (2020), arXiv:1903.07571; T. Hastie, A. Montanari, S. Rosset and R. Tibshirani (2022),
arXiv:1903.08560; theory/double_descent.py.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, bound_holds, mean_is
from ratewitness.studies.landscapes.gaussian_fits import NOISE, SIGNAL, WIDTHS, N, as_predicted, fits, table
from ratewitness.studies.measuring.drawing import Panel, legend_below, panels
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory.double_descent import excess_risk, inverse_moments, risk, second_moments, squared_norm, training_risk

SYMBOLIC = (inverse_moments, risk, second_moments)
ORDERS = ("falling", "equal", "growing")
APART = abs(WIDTHS - N) >= 7  # for intervals from sample deviations: there the fits have third moments


@claim("proof", "S49; theory/double_descent.py")
@falsified(*SYMBOLIC)
def closed_forms(budget: Budget) -> Verdict:
    """S49: On Gaussian features the risk of minimum-norm least squares has a closed form on both sides of the threshold; it
    is infinite at n-1, n and n+1.

    For n samples y = <x, b> + noise, x standard normal in d dimensions and noise N(0, sigma^2), E||bhat - b||^2 is sigma^2
    d/(n-d-1) for d <= n-2, infinite for |d-n| <= 1, and ||b||^2 (1 - n/d) + sigma^2 n/(d-n-1) for d >= n+2, for every n and
    d. The standard deviation of ||bhat - b||^2 is exact as well, for |n-d| > 3. Machine-checked: these risks and second
    moments, from the moments of inverse chi-square variables; cited: the laws of Wishart blocks, invariance under rotations;
    in prose: which degrees of freedom enter."""
    return prove(*SYMBOLIC)


@claim("exact", "S49; Belkin, Hsu and Xu (2020), arXiv:1903.07571")
@planted("noise 10 % larger", noise=1.1 * NOISE)
@planted("the threshold one sample lower", shift=1)
def risk_of_all_features(budget: Budget, noise: float = NOISE, shift: int = 0) -> Verdict:
    """S49: Where the fit sees every feature that matters, simulated risks equal the closed form left and right of the
    threshold.

    The risk of a prediction is compared at 22 widths from 1 to 120, all at distance at least 5 from n = 40, within 5 %: in
    99 % intervals from the exact standard deviation, with 20 000 (quick: 4000) fits a width. Left of the threshold this
    risk only rises, from the first feature on; right of it, it falls to a minimum at twice the threshold (SNR 4) and rises
    towards that of the prediction 0."""
    if shift:
        inner = WIDTHS[abs(WIDTHS - N + shift) >= 5]
        exact = NOISE + excess_risk(N - shift, inner, SIGNAL, NOISE)
        means = fits(budget)["all"][np.isin(WIDTHS, inner)]
        return mean_is(means, exact, 0.05)
    return as_predicted(budget, ("all",), WIDTHS, noise, 0.05).showing(table(budget, ("all", *ORDERS)))


@claim("exact", "S49; Belkin, Hsu and Xu (2020), arXiv:1903.07571")
@planted("noise 20 % larger", noise=1.2 * NOISE)
def risk_of_selected_features(budget: Budget, noise: float = NOISE) -> Verdict:
    """S49: Where the fit sees the first p of 120 features, simulated risks equal the closed form in three orders of the
    features.

    The squared coefficients fall by a factor 0.85 each, are equal, or grow; widths, fits and tolerance are those of
    `risk_of_all_features`."""
    return as_predicted(budget, ORDERS, WIDTHS, noise, 0.05)


@claim("exact", "S49; theory/double_descent.py")
@planted("zero from 35 features on", threshold=35)
@planted("left of it sigma^2 (1 - p/(n+1))", n=N + 1)
def training_risk_is_zero(budget: Budget, threshold: int = N, n: int = N) -> Verdict:
    """S49, as stated: Predictors to the right of the threshold, of least norm on Gaussian features, have zero training risk;
    left of it the mean is sigma^2 (1 - p/n).

    The mean squared residual of 20 000 (quick: 4000) minimum-norm fits a width is at most 1e-20 for p from 45 to 120, with n
    = 40, and sigma^2 (1 - p/n) within 5 % for p from 1 to 35, in 99 % intervals. It holds for the fit of least norm, as for
    every fit that minimizes the training risk; a penalty gives it up (`removing_the_peak`)."""
    found, right = fits(budget)["training"], threshold <= WIDTHS
    zero = bound_holds(found[right].mean(-1), 1e-20)
    return all_of({"right": zero, "left": mean_is(found[WIDTHS < N], training_risk(n, WIDTHS[WIDTHS < N], NOISE), 0.05)})


@claim("exact", "S49; theory/double_descent.py")
@planted("nothing lost to the right", lost=0.0)
@planted("distance 2.1 for 2", distance=4.41)
def norm_peaks_as_well(budget: Budget, lost: float = 1.0, distance: float = 4.0) -> Verdict:
    """S49, refined: The norm of the fit peaks at the threshold as the risk does, and the start of gradient descent decides
    on the bias beyond it.

    E||bhat||^2 is ||b||^2 + sigma^2 p/(n-p-1) left of the threshold and ||b||^2 n/p + sigma^2 n/(p-n-1) right of it. The
    interpolating fit nearest to a start at distance 2 from b, which is where gradient descent ends, has the excess risk of
    the closed form with 4 in the place of ||b||^2. Both hold within 5 % for |p - n| >= 7, in 99 % intervals."""
    p = WIDTHS[APART]
    shrunk = squared_norm(N, p, SIGNAL, NOISE) + (1 - lost) * SIGNAL * np.maximum(0, 1 - N / p)
    started = excess_risk(N, p, distance, NOISE)
    found = fits(budget)
    norm, end = mean_is(found["norm"][APART], shrunk, 0.05), mean_is(found["started"][APART], started, 0.05)
    return all_of({"norm": norm, "start": end})


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    shown = verdicts["risk_of_all_features"].table
    looks = {"all": "C0o", "falling": "C2s", "equal": "C1^", "growing": "C3D"}
    caption = (
        f"Risk of minimum-norm least squares from $p$ Gaussian features, {N} samples: means with 99 % intervals from the "
        "exact standard deviation, and the exact risk. First panel: these features hold everything. Second panel: they are "
        "the first of 120 whose squared coefficients fall, are equal, or grow. Dotted: the threshold, where it is infinite."
    )
    common = {"x": "p", "xlabel": "features $p$", "ylabel": "risk", "by": "order", "log": "y"}
    levels = {"noise": NOISE, "prediction 0": SIGNAL + NOISE}
    whole = Panel(shown[shown["order"] == "all"], **common, levels=levels, title="all features seen")
    part = Panel(shown[shown["order"] != "all"], **common, levels=levels, title="first $p$ of 120 features")
    figure = panels(caption, looks, [whole, part], legend="none", height=3.0)
    for ax in figure.axes:
        ax.axvline(N, color="0.35", lw=1, ls=":", label="$p = n$")
        ax.set_ylim(0.2, 40)
    figure.axes[0].plot([2 * N], [excess_risk(N, 2 * N, SIGNAL, NOISE) + NOISE], "v", color="0.2", ms=8, mfc="none",
                        label="minimum, $p = 2 n$")  # fmt: skip
    legend_below(figure)
    return {"double_descent": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
