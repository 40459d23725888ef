r"""Do the upper bounds of the six cells hold on every problem, synthetic, random and real?

    GD, h/L     PL:         f(x_N) - f* <= rho(h, mu/L)^N Delta, Polyak's rho and that of the three step ranges
                convex:     f(x_N) - f* <= (L R^2/2) max{1/(2Nh+1), (1-h)^{2N}}
                nonconvex:  min_{k<=N} ||grad f(x_k)||^2 <= 4 L Delta/(N min{4h-h^2, 4h-h^3} + 2)
    SGD         PL:         E f(x_k) - f* <= max{2 L sigma^2/mu^2, (2 kappa+1) Delta}/(2 kappa+k),   2/(mu(2 kappa+k))
                convex:     E f(xbar_N) - f* <= L R^2/(2N) + sigma R/sqrt N,                 1/(L + sigma sqrt N/R)
                nonconvex:  (1/N) sum_{k<N} E ||grad f(x_k)||^2 <= 2 L Delta/N + 2 sigma sqrt(2 L Delta/N)

Hypotheses and sources stand with each bound in `theory/`. A problem takes part in a cell if the constants that it
*certifies* meet them: mu > 0; convex with a minimizer; anything smooth; in the SGD rows a finite certified variance,
which excludes least squares. Certified constants are one-sided, so a bound may look loose because a constant is.

The user's own table, `--data FILE`, is one more problem, "file ...": with two target values a logistic regression with
l2 = 0.01, in all six cells; otherwise least squares, in the GD cells only, since its noise has no uniform variance.

The power of a check is the largest measured/bound over its records. It is 1 for the GD convex and nonconvex bounds
(Huber, sawtooth) and on the line for PL; Polyak's rate and the step ranges have no attaining instance for mu < L. Nor
have the SGD bounds at finite N: the PL one is 3 times too large on the noisy parabola as k grows, the nonconvex one twice
on two modes; the convex one is 3.4 times too large on the worst parabola, and much less on a Huber function whose slope
is of the order sigma/(R sqrt N), where SGD spends its horizon on the slope and then rattles at the kink. On real data the
bounds hold with much to spare: worst cases are rare.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.solvers.schedules import InverseTime
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, bound_holds, interval
from ratewitness.studies.rates.every_problem import descents, sampled
from ratewitness.studies.rates.measured_over_bound import OWN, family, named, on_data, own_figure, strips

__all__ = ["on_data"]  # for the command line


def judged(records: pd.DataFrame, bound: str = "bound", factor: float = 1.0) -> Verdict:
    """The records against bound/factor. The table has the worst and the last measured/bound of each problem and step or
    horizon, and of the user's own data every record."""
    groups = np.stack(records["measured"]) if records["measured"].dtype == object else records["measured"].to_numpy()
    limits = interval(groups) if groups.ndim == 2 else (groups, groups, groups)
    mean, low, high = (limit / records[bound] for limit in limits)
    ends = records.assign(last=mean).groupby(["problem", "at"], sort=False)["last"].last()
    shown = records.assign(power=mean, low=low, high=high, single=records["N"].where(records["problem"].str.startswith(OWN)))
    table = shown.groupby(["problem", "at", "single"], sort=False, dropna=False).agg(
        records=("N", "size"), N=("N", "last"), power=("power", "max"), low=("low", "max"), high=("high", "max"),
        last=("power", "last"), **{name: (name, "first") for name in ("L", "mu", "sigma", "n", "d")},
    )  # fmt: skip
    verdict = bound_holds(groups, records[bound] / factor).noting(power_at_end=ends.max())
    return verdict.showing(table.reset_index().drop(columns="single"))


PL = ("gd_pl", "gd_pl, line", "gd_pl, step ranges")


@claim(
    "upper bound",
    "S4; Polyak (1963); Abbaszadehpeivasti, de Klerk and Zamani (2023), arXiv:2204.00647; 1-D: theory/",
)
@planted("Polyak's rate squared", rates=("gd_pl",), bound="squared")
@planted("on the line, half the bound", rates=("gd_pl, line",), factor=2.0)
@planted("with the step 3/L", rates=("gd_pl",), actual=3.0)
def gd_pl(budget: Budget, rates=PL, bound="bound", factor=1.0, actual: float | None = None) -> Verdict:
    """S4, as stated: GD needs at most O(log(1/eps)) steps on every PL problem: the gap stays below Polyak's rate and that of
    the three step ranges.

    On every PL problem, nonconvex ones included, the gap after N steps h/L, h = 0.5, 1, 1.5, is at most rho^N Delta for both
    rates rho, so that ln(Delta/eps)/ln(1/rho) steps are enough. On the line, for h <= 1, it is also below the exact (1 - mu
    h/L)^{2N} Delta.
    """
    found = {rate: judged(descents(budget, rate, actual), bound, factor) for rate in rates}
    return all_of(found).showing(found[rates[-1]].table)


@claim("upper bound", "S6; Drori and Teboulle (2014); Kim (2024), arXiv:2412.04427")
@planted("bound halved", factor=2.0)
@planted("with the step 3/L", actual=3.0)
def gd_convex(budget: Budget, factor: float = 1.0, actual: float | None = None) -> Verdict:
    """S6, as stated: GD needs at most O(1/eps) steps on every convex problem: the gap stays below (L R^2/2) max{1/(2Nh+1),
    (1-h)^{2N}}.

    On every convex problem with a minimizer, after N steps h/L, h = 0.5, 1, 1.5. The Huber function attains the bound.
    """
    return judged(descents(budget, "gd_convex", actual), factor=factor)


@claim("upper bound", "S8; Abbaszadehpeivasti, de Klerk and Zamani (2021), arXiv:2104.05468")
@planted("bound halved", factor=2.0)
@planted("with the step 3/L", actual=3.0)
def gd_nonconvex(budget: Budget, factor: float = 1.0, actual: float | None = None) -> Verdict:
    """S8, as stated: GD needs at most O(1/eps) steps on every problem: min ||grad f||^2 stays below 4 L Delta/(N min{4h-h^2,
    4h-h^3} + 2).

    On every problem, convex or not, over N steps h/L, h = 0.5, 1, 1.5. The sawtooth attains the bound.
    """
    return judged(descents(budget, "gd_nonconvex", actual), factor=factor)


@claim("upper bound", "S5; Bottou, Curtis and Nocedal (2018), arXiv:1606.04838")
@planted("a quarter of the bound", factor=4.0)
@planted("with the steps 1/(mu(k+1)), which exceed 1/L", steps=lambda mu, L: InverseTime(mu))
def sgd_pl(budget: Budget, factor: float = 1.0, steps: Callable = InverseTime.for_pl) -> Verdict:
    """S5, as stated: SGD needs at most O(1/eps) steps on every PL problem with noise of certified variance: E f - f* stays
    below a bound of order 1/k.

    With steps 2/(mu(2 kappa+k)), on nonconvex problems too: at every recorded k, E f - f* <= max{2 L sigma^2/mu^2,
    (2 kappa+1) Delta}/(2 kappa+k).
    """
    return judged(sampled(budget, "sgd_pl", steps), factor=factor)


@claim("upper bound", "S7; Lan (2012); Bubeck (2015), arXiv:1405.4980; proof in theory/stochastic_gradient.py")
@planted("half the bound", factor=2.0)
@planted("without the noise term", bound="noiseless")
def sgd_convex(budget: Budget, factor: float = 1.0, bound: str = "bound") -> Verdict:
    """S7, as stated: Averaged SGD needs at most O(1/eps^2) steps on every convex problem: E f - f* stays below L R^2/(2N) +
    sigma R/sqrt N.

    On every convex problem with a minimizer and noise of certified variance: the step is 1/(L + sigma sqrt N/R), and the
    average that of x_1, ..., x_N, for N = 10, 100 and, full, 1000.
    """
    return judged(sampled(budget, "sgd_convex"), bound, factor)


@claim("upper bound", "S9; Ghadimi and Lan (2013), arXiv:1309.5549")
@planted("a third of the bound", factor=3.0)
@planted("without the noise term", bound="noiseless")
def sgd_nonconvex(budget: Budget, factor: float = 1.0, bound: str = "bound") -> Verdict:
    """S9, as stated: SGD needs at most O(1/eps^2) steps on every problem: mean E ||grad f||^2 stays below 2 L Delta/N + 2
    sigma sqrt(2 L Delta/N).

    On every problem with noise of certified variance, convex or not: the mean is over N steps min{1/L, sqrt(2 Delta/(L N
    sigma^2))}, for N = 10, 100 and, full, 1000.
    """
    return judged(sampled(budget, "sgd_nonconvex"), bound, factor)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    """Measured over bound at its worst record and at the last: on real data for h = 1 and the longest horizon, and of each
    family on the problem that comes nearest to the bound."""
    real, nearest = [], []
    for name, verdict in verdicts.items():
        table = verdict.table.assign(cell=named(name), family=verdict.table["problem"].map(family))
        nearest.append(table.loc[table.groupby("family", sort=False)["power"].idxmax()])
        usual = 1.0 if name.startswith("gd") else table["at"].max()
        kept = table[table["family"].isin(["own data", "real data"]) & (table["at"] == usual)]
        shown = kept.groupby(["problem", "cell"], sort=False, as_index=False)
        real.append(shown.agg(N=("N", "last"), power=("power", "max"), last=("last", "last")))
    words = {"at": "$h$ or horizon", "N": "$N$", "power": "worst measured / bound", "last": "at $N$"}
    found = {
        "real_data": pd.concat(real).sort_values("problem", kind="stable"),
        "nearest_of_each_family": pd.concat(nearest)[["cell", "family", "problem", "at", "power"]],
    }
    digits = {"power": "{:.2g}".format, "last": "{:.2g}".format}
    for name, table in found.items():
        found[name] = table.assign(**{c: table[c].map(f) for c, f in digits.items() if c in table}).rename(columns=words)
    return found


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    return {method: strips(method, verdicts) for method in ("gd", "sgd")} | own_figure(verdicts)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
