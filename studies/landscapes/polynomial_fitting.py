r"""What is seen in the picture of double descent in polynomial fitting, and what is arithmetic in it?

    y_i = sin(4.5 x_i) + noise,    p = argmin ||w|| over least squares,    risk = E int (p - sin(4.5 x))^2 dx/2

with 50 equispaced points on [-1, 1], noise of standard deviation 0.25, 1 to 1000 coefficients, in three bases: T_k, P_k and
sqrt(2k+1) P_k. The risk is an expectation over the noise by linear algebra, and no average over draws, which at the peak
would show one of its own. Fits with a condition number above 1e14 are marked as rounding and never judged: among the three
bases there are none; monomials, which are drawn beside them, round from degree 36 on, and what float64 draws of
them there has no peak at the threshold. To the left of the threshold all bases are one: the same polynomials.

Set-up: `polynomial_runs`. Is it the nodes: `polynomial_nodes`. Is it float64: `polynomial_peak`. Random
designs: `double_descent_exact`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds
from ratewitness.studies.landscapes.polynomial_runs import (
    BASES,
    COUNTS,
    DEVIATION,
    SAMPLES,
    along,
    curves,
    fits,
)
from ratewitness.studies.measuring.drawing import Panel, canvas, draw, legend_below

NOISES = (0.05, 0.25, 1.0)
NOTHING = (1 - np.sin(9) / 9) / 2  # int sin(4.5 x)^2 dx/2, the risk of the prediction 0
FLAT = ("Chebyshev", "orthonormal")  # bases in which the norm does not prefer low degrees
SOURCE = "S50; M. Belkin, D. Hsu, S. Ma and S. Mandal (2019), arXiv:1812.11118"


@claim("lower bound", SOURCE)
@planted("threshold one coefficient lower", threshold=SAMPLES - 1)
@planted("threshold one coefficient higher", threshold=SAMPLES + 1)
@planted("Chebyshev nodes", nodes="Chebyshev")
def peak_at_the_threshold(budget: Budget, threshold: int = SAMPLES, nodes: str = "equispaced") -> Verdict:
    """S50, as stated: Polynomial fits on equispaced points have a peak of the risk where there are as many coefficients as
    samples.

    For the fits of least norm in T_k, P_k and sqrt(2k+1) P_k to 50 equispaced values of sin(4.5 x) with noise of standard
    deviation 0.25, of 119 numbers of coefficients from 1 to 1000, all up to 110 among them, 50 has the largest risk. It is
    more than 1e18 times the least risk to its left, and more than 1000 times that of every number further than 2 from it.
    Its neighbour, 51, is lower by 1 % only. Null control: Chebyshev nodes."""
    parts, here = {}, threshold == COUNTS
    for basis, risk in along(curves(budget, nodes), "risk").items():
        peak = risk[here][0]
        parts[f"largest, {basis}"] = bound_holds(risk[~here], peak)
        parts[f"far, {basis}"] = bound_holds(1e3 * risk[abs(COUNTS - threshold) > 2], peak)
        parts[f"high, {basis}"] = bound_holds([1e18 * risk[threshold > COUNTS].min()], peak)
    return all_of(parts).showing(pd.concat([curves(budget), curves(budget, bases=("monomials",))]))


@claim("upper bound", SOURCE)
@planted("Chebyshev nodes", nodes="Chebyshev")
@planted("to a quarter of the prediction 0 in every basis", share=0.25)
def risk_falls_again(budget: Budget, nodes: str = "equispaced", share: float = 0.5) -> Verdict:
    """S50, as stated: Beyond the threshold the risk of polynomial fits falls again, to less than half that of the prediction
    0.

    In the setting of `peak_at_the_threshold`, in each of the three bases, it falls from each of 50, ..., 65 coefficients to
    the next, by a factor above 1e10 in all, and its least value for 51 to 1000 coefficients is at most half the mean
    square of sin(4.5 x), 0.477. Null control: Chebyshev nodes, where there is nothing to fall from."""
    parts = {}
    for basis, risk in along(curves(budget, nodes), "risk").items():
        first = risk[(COUNTS >= SAMPLES) & (COUNTS <= 65)]
        parts[f"falls, {basis}"] = bound_holds(first[1:] / first[:-1], 1.0)
        parts[f"in all, {basis}"] = bound_holds([1e10 * first[-1]], first[0])
        parts[f"low, {basis}"] = bound_holds([risk[COUNTS > SAMPLES].min()], share * NOTHING)
    return all_of(parts)


@claim("upper bound", SOURCE)
@planted("Chebyshev nodes", nodes="Chebyshev")
def second_descent_beats_the_first(budget: Budget, nodes: str = "equispaced") -> Verdict:
    """S50, read as: The second descent of polynomial fitting ends below the first minimum.

    In the setting of `peak_at_the_threshold`, in each of the three bases: the least risk for 51 to 1000 coefficients is at
    most the least risk for 1 to 49."""
    found = along(curves(budget, nodes), "risk")
    sides = {basis: (risk[COUNTS < SAMPLES].min(), risk[COUNTS > SAMPLES].min()) for basis, risk in found.items()}
    return all_of({basis: bound_holds([right], left) for basis, (left, right) in sides.items()})


@claim("lower bound", SOURCE)
@planted("by a factor 3.5 for every noise", factor=3.5)
def first_minimum_is_lower(budget: Budget, factor: float = 2.0) -> Verdict:
    """S50, refined: In polynomial fitting the first minimum is lower than the second by more than a factor 2, in three bases
    and for three noises.

    In the setting of `peak_at_the_threshold`, for noise of standard deviation 0.05, 0.25 and 1, the least risk for 51 to
    1000 coefficients is more than 2 times the least for 1 to 49. For noise 0.25 the minima are 0.0085, at degree 5, and
    0.126 in T_k and sqrt(2k+1) P_k, 0.039 in P_k, whose norm prefers low degrees. Noise so large that predicting 0 would be
    best is another matter."""
    parts = {}
    for noise in NOISES:
        for basis, risk in along(curves(budget), "risk", noise).items():
            left, right = risk[COUNTS < SAMPLES].min(), risk[COUNTS > SAMPLES].min()
            parts[f"{basis}, {noise:g}"] = bound_holds([factor * left], right)
    return all_of(parts).showing(fits(budget))


@claim("law", "S50; theory/interpolation_noise.py")
@planted("in P_k as well", bases=BASES)
@planted("to five times", factor=5.0)
def second_descent_ends(budget: Budget, bases: tuple[str, ...] = FLAT, factor: float = 2.5) -> Verdict:
    """S50, refined: In bases of equal weights the second descent ends: with more coefficients the risk rises to that of the
    prediction 0.

    In the setting of `peak_at_the_threshold`, in T_k and sqrt(2k+1) P_k: the risk with 1000 coefficients is more than 2.5
    times the least beyond 50, and within 10 % of the mean square of sin(4.5 x). Between the samples such a fit is near 0: it
    has spikes at them. In P_k, of falling weights, it is not so."""
    parts = {}
    for basis, risk in along(curves(budget), "risk").items():
        if basis in bases:
            parts[f"rises, {basis}"] = bound_holds([factor * risk[COUNTS > SAMPLES].min()], risk[-1])
            parts[f"to 0, {basis}"] = agrees(risk[-1:], NOTHING, 0.1)
    return all_of(parts)


@claim("exact", "S50; theory/double_descent.py")
@planted("one coefficient earlier", threshold=SAMPLES - 1)
@planted("sigma^2 (1 - p/(n+1)) to the left", n=SAMPLES + 1)
def training_risk_is_zero(budget: Budget, threshold: int = SAMPLES, n: int = SAMPLES) -> Verdict:
    """S50: The training risk of polynomial fits is zero from the threshold on, and just before it sigma^2 (1 - p/n).

    In the setting of `peak_at_the_threshold`: E sum_i (p(x_i) - y_i)^2/n, from the residuals of the fits, is at most 1e-5
    sigma^2 from 50 coefficients on (condition numbers up to 3e12) and 1e-20 from 60 on; with 21 to 49 coefficients, where
    the bias is below 1e-9, it is sigma^2 (1 - p/n) within 1e-4."""
    parts, left = {}, (COUNTS > 20) & (COUNTS < SAMPLES)
    for basis, found in along(curves(budget), "training").items():
        parts[f"zero, {basis}"] = bound_holds(found[threshold <= COUNTS], 1e-5 * DEVIATION**2)
        parts[f"far, {basis}"] = bound_holds(found[COUNTS >= 60], 1e-20)
        parts[f"left, {basis}"] = agrees(found[left], DEVIATION**2 * (1 - COUNTS[left] / n), 1e-4)
    return all_of(parts)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    drawn, table = verdicts["first_minimum_is_lower"].table, verdicts["peak_at_the_threshold"].table
    caption = (
        "Above: fits of least norm in the Legendre polynomials $P_k$ to 50 samples of $\\sin(4.5x)$ with noise 0.25, at the "
        "first minimum of the risk, at the threshold, and at the second minimum; the second leaves the picture. Below: the "
        "risk in expectation over the noise along the degree. Crosses: the condition number is above $10^{14}$, the "
        "arithmetic is rounding and nothing is judged."
    )
    figure, axes = canvas(caption, 3, 1, height=2.3)
    samples, degrees = drawn[drawn["method"] == "samples"], [d for d in drawn["method"].unique() if d != "samples"]
    for ax, degree in zip(axes, degrees, strict=False):
        part = drawn[drawn["method"] == degree]
        ax.plot(samples["x"], samples["measured"], "k.", ms=4, label="samples")
        ax.plot(part["x"], part["theory"], "--", color="0.5", lw=1, label=r"$\sin(4.5x)$")
        ax.plot(part["x"], part["measured"], "-", color="C1", lw=1.2, label="fit")
        ax.set(title=degree, xlabel="$x$", ylim=(-2.2, 2.2))
    axes[0].set_ylabel("value")
    risk(axes[-1], table, degrees)
    legend_below(figure)
    return {"risk": figure}


def risk(ax: plt.Axes, table: pd.DataFrame, degrees: list[str]) -> None:
    """Curves of the four bases, the fits drawn above them as vertical lines."""
    names = {"Chebyshev": "$T_k$", "Legendre": "$P_k$", "orthonormal": r"$\sqrt{2k+1}\,P_k$", "monomials": "$x^k$"}
    names |= {"rounding": "$x^k$, rounding"}
    looks = dict(zip(names.values(), ("C0o-", "C1s-", "C2^- open", "C4D-", "C3x"), strict=True))
    lost = table["arithmetic"] == "rounding"
    shown = table.assign(method=table["basis"].where(~lost, "rounding").map(names))
    shown["measured"] = shown["bias"] + shown["variance"]
    turn = shown["basis"].map({name: j for j, name in enumerate(BASES)}).fillna(0)  # bases that coincide take turns
    place = shown["degree"].map({count - 1: j for j, count in enumerate(COUNTS)})
    shown = shown[(place % 3 == turn) | (shown["degree"] == SAMPLES - 1)]
    levels = {"prediction 0": NOTHING}
    options = {"ylim": (1e-3, 1e22), "xlim": (0.8, 1100), "yticks": 10.0 ** np.arange(0, 22, 5)}
    panel = Panel(shown[shown["degree"] > 0], "degree", "degree", "risk", levels=levels, options=options)
    draw(ax, panel, looks)
    for degree in degrees:
        ax.axvline(int(degree.split()[-1]), color="0.4", lw=1, ls=":", label="fits shown")


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
