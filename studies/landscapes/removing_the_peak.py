r"""Is the peak at the interpolation threshold there to stay, or does a penalty remove it?

    min ||X b' - y||^2 + lam ||b'||^2,    lam* = d sigma^2/||b||^2:    risk sigma^2 tr(X'X + lam* I)^{-1}

falls with every sample. The peak belongs to the fit of least norm on a random design, and not to n = d as such. Of the other
remedies early stopping is the question of `early_stopping_and_ridge`, a regular design that of `regular_design`, and better
nodes for polynomials that of `polynomial_nodes`.

Sources: P. Nakkiran, P. Venkat, S. Kakade and T. Ma (2021), arXiv:2003.01897; theory/ridge_risk.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, exceeds, mean_is
from ratewitness.studies.landscapes.feature_runs import NOISES, TRAIN, runs
from ratewitness.studies.measuring.drawing import Panel, legend_below, panels
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal
from ratewitness.theory.double_descent import excess_risk
from ratewitness.theory.ridge_risk import best_limit, best_penalty, one_more_row

SOURCE = "S49; Nakkiran, Venkat, Kakade and Ma (2021), arXiv:2003.01897"
SYMBOLIC = (best_penalty, one_more_row)
D, NOISE, BEST = 500, 0.25, 125.0
SAMPLES = (100, 200, 300, 400, 500, 600, 800, 1000)
FACTOR = 1.6  # between penalties that are compared


@claim("proof", "S49; Nakkiran et al. (2021), arXiv:2003.01897; theory/ridge_risk.py")
@falsified(*SYMBOLIC)
def ridge_has_no_peak(budget: Budget) -> Verdict:
    """S49, refined: With the best ridge penalty, d sigma^2/||b||^2 whatever the number of samples, every further sample
    lowers the risk.

    For y = X b + noise of variance sigma^2, the mean of ||bhat - b||^2 over noise and rotations of b is least at that
    penalty for every design X, n and d, is then sigma^2 tr(X'X + lam* I)^{-1}, and falls with every row that is added to X.
    Machine-checked: the derivative of the share of one eigenvalue, and the formula of Sherman and Morrison in three
    dimensions; cited: that formula in any; in prose: the mean over rotations."""
    return prove(*SYMBOLIC)


@measured
def ridge_risks(budget: Budget) -> np.ndarray:
    """||bhat - b||^2 for each of SAMPLES and penalties (0, BEST/FACTOR, BEST, BEST FACTOR): (sizes, penalties, designs).

    Rows are added to the same design. Given its singular values, b and the noise have their distributions in the singular
    vectors, in which they are drawn.
    """
    designs, draws = budget.pick((5, 50), (20, 200))
    found = np.empty((len(SAMPLES), 4, designs))
    for design in range(designs):
        generator = budget.generator("design", design)
        X = normal(generator, SAMPLES[-1], D)
        b, e = normal(generator, draws, D), NOISE**0.5 * normal(generator, draws, D)
        b /= b.norm(dim=-1, keepdim=True)
        for i, n in enumerate(SAMPLES):
            A = X[:n] @ X[:n].mT if n < D else X[:n].mT @ X[:n]
            s = torch.cat([torch.linalg.eigvalsh(A).clamp(min=0).sqrt(), A.new_zeros(max(0, D - n))])
            for j, lam in enumerate((0.0, BEST / FACTOR, BEST, BEST * FACTOR)):
                w = torch.where(s > 0, s / (s.square() + lam), 0.0) * (s * b + e)
                found[i, j, design] = float((w - b).square().sum(-1).mean())
    return found


@claim("constant", SOURCE, unit="excess risk")
@planted("200", best=3)
@planted("78", best=1)
@planted("no penalty falls as well", falling=0)
def best_penalty_is_the_same_for_every_number(budget: Budget, best: int = 2, falling: int = 2) -> Verdict:
    """S49, refined: In 500 dimensions with noise 0.5 the best ridge penalty is 125 for every number of samples, and with it
    the risk only falls.

    The setting is that of figure 1 of Nakkiran et al. (2021). Over 20 designs with 200 draws of b and the noise each (quick:
    5 with 50), at 8 numbers of samples from 100 to 1000, penalty 125 has a lower risk than 125/1.6 and 125 times 1.6, and
    the risk falls from each number of samples to the next, in 99 % intervals over designs."""
    found, parts = ridge_risks(budget), {}
    for i, n in enumerate(SAMPLES):
        others = [j for j in (1, 2, 3) if j != best]
        parts |= {f"{n}, other {k}": exceeds(found[i, j] - found[i, best], 0.0) for k, j in enumerate(others)}
    falls = found[:-1, falling] - found[1:, falling]
    parts |= {f"from {n}": exceeds(fall, 0.0) for n, fall in zip(SAMPLES, falls, strict=False)}
    return all_of(parts).showing(ridge_table(found))


@claim("law", "S49; Hastie et al. (2022), arXiv:1903.08560; theory/ridge_risk.py")
@planted("noise 6 % larger", noise=1.06 * NOISE)
def risk_of_the_best_ridge(budget: Budget, noise: float = NOISE) -> Verdict:
    """S49, refined: The risk of the best ridge in 500 dimensions is its limit for n, d to infinity, finite at n = d.

    In the runs of `best_penalty_is_the_same_for_every_number`, within 2 % at 8 numbers of samples from 100 to 1000, in 99 %
    intervals over designs; at n = d it is 0.39, where the fit of least norm has infinite risk."""
    return mean_is(ridge_risks(budget)[:, 2], best_limit(D / np.array(SAMPLES), 1.0, noise), 0.02)


@claim("phenomenon", SOURCE, unit="ln ratio")
@planted("no penalty", method="minimum norm")
def tuned_ridge_removes_it(budget: Budget, method: str = "tuned ridge") -> Verdict:
    """S49, refined: On random features of the digits ridge tuned on the training labels has no peak: past the threshold its
    risk goes on to fall.

    Over 12 (quick: 4) seeds, with clean labels and with 20 % wrong ones, the risk at p = n = 300 is at most 1.1 times the
    geometric mean of those at p = 200 and 400, and falls from the least width, 10 (quick: 20), to p = 300 and from there to
    8000 (quick: 2000), each by at least 2 %: 99 % intervals of the logarithms. The penalty minimizes the leave-one-out error
    for each seed and width. Null control: no penalty."""
    found, parts = runs(budget), {}
    for noise in NOISES:
        at = {
            p: np.log(found.at(p, "test risk", method, noise)) for p in (found.widths[0], 200, TRAIN, 400, found.widths[-1])
        }
        parts[f"no peak, {noise:g}"] = exceeds((at[200] + at[400]) / 2 - at[TRAIN], -np.log(1.1))
        parts[f"falls to it, {noise:g}"] = exceeds(at[found.widths[0]] - at[TRAIN], np.log(1.02))
        parts[f"falls from it, {noise:g}"] = exceeds(at[TRAIN] - at[found.widths[-1]], np.log(1.02))
    return all_of(parts)


def ridge_table(found: np.ndarray) -> pd.DataFrame:
    """Risks along the number of samples; the exact one of the fit of least norm, the limit of the best ridge."""
    n, fine = np.array(SAMPLES), np.unique(np.concatenate([np.arange(60, 1041, 20), D + np.arange(-12, 13, 3)]))
    parts = {}
    for name, j, theory in (
        ("no penalty", 0, lambda m: excess_risk(m, D, 1.0, NOISE)),
        ("best ridge", 2, lambda m: best_limit(D / m, 1.0, NOISE)),
    ):
        line = theory(fine)
        table = rows(found[:, j], n=n)
        table = table[~((j == 0) & (table["n"] == D))]  # an average of something without a mean
        parts[name] = pd.DataFrame({"n": fine, "theory": np.where(np.isfinite(line), line, np.nan)}).merge(table, how="left")
    return stacked(parts)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "Excess risk in 500 dimensions, noise 0.5, along the number of samples: the fit of least norm with its exact risk, "
        "and ridge with penalty 125 with the limit for large dimensions. Means over designs with 99 % intervals."
    )
    table = verdicts["best_penalty_is_the_same_for_every_number"].table
    panel = Panel(table, "n", "samples $n$", "excess risk", log="y", options={"ylim": (0.1, 20)})
    figure = panels(caption, {"no penalty": "C0o", "best ridge": "C1s"}, [panel], legend="none", height=3.2)
    figure.axes[0].axvline(D, color="0.35", lw=1, ls=":", label="$n = d$")
    legend_below(figure)
    return {"ridge": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
