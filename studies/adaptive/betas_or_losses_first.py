r"""Does Adam fail for every beta1 < sqrt(beta2)? What is given first decides: the betas, or the losses.

    1010/-10, divided by 10:  slopes (101, -1, ..., -1), 101 rounds a period, on [-1, 1]         D = sum_j m_j/sqrt v_j

That Adam fails for beta1 < sqrt(beta2) is a statement about beta1 and beta2 that are given *first*, and losses that are
chosen after them. For losses that are given first, as those of the experiment 1010/-10 (n = C = 101), it is false: above a
critical beta2, below 1, Adam converges. The runs: `adam_ends`; the critical value elsewhere: `critical_beta2`.

Source: S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237, for the sequences.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
from ratewitness.studies.adaptive.adam_ends import BETA1, SOURCE, critical, ends, reach
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, equals_exactly
from ratewitness.theory.adam_drift import drift, drift_bounds, first_failing, spike, theorem_2

FAILS = {0.99: 1, 0.999: 1, 0.9999: 1}  # the end for each beta2
CONVERGES = {0.99: -1, 0.999: -1, 0.9999: -1}


@measured
def experiment_ends(budget: Budget) -> pd.DataFrame:
    """The ends of the runs on 1010/-10 divided by 10."""
    betas = product(BETA1, FAILS)
    return ends(tuple((beta1, beta2, 101.0, 101) for beta1, beta2 in betas), budget.pick(60_000, 200_000))


@claim("exact", SOURCE)
@planted("it always converges", end=CONVERGES)
def as_stated_for_given_losses(budget: Budget, end: Mapping[float, int] = FAILS) -> Verdict:
    """S25, read as: On the given losses 1010/-10 Adam fails for all betas with beta1 < sqrt(beta2).

    The seminar says that it does not converge on some simple problems; here the losses are given first, and the betas are
    chosen after them. For beta1 = 0, 0.5, 0.9 and beta2 = 0.99, 0.999, 0.9999, from -1, 0 and 1, it goes to +1."""
    table = experiment_ends(budget)
    return reach(table, table["beta2"].map(end))


@claim("exact", SOURCE, units={"critical_0.0": "beta2", "critical_0.5": "beta2", "critical_0.9": "beta2"})
@planted("between 0.9990 and 0.9995", between=(0.999, 0.9995))
@planted("0.9999 fails", end=FAILS)
@planted("0.999 converges", end={**FAILS, 0.999: -1})
def the_critical_value_of_the_experiment(
    budget: Budget, between: tuple[float, float] = (0.9995, 0.9997), end: Mapping[float, int] = {**FAILS, 0.9999: -1}
) -> Verdict:
    """S25, refined for given losses: On 1010/-10 Adam fails exactly below a critical beta2, which is between 0.9995 and
    0.9997.

    The critical value is certified for beta1 = 0, 0.5 and 0.9; from -1, 0 and 1 Adam goes to +1 for beta2 = 0.99 and 0.999,
    and to -1 for 0.9999."""
    found = {beta1: critical(beta1, 101.0, 101) for beta1 in BETA1}
    low, high = between
    inside = [int(len(roots) == 1 and low < roots[0] < high and signs == [-1, 1]) for roots, signs in found.values()]
    values = {f"critical_{beta1}": roots[0] for beta1, (roots, _) in found.items()}
    certified = equals_exactly(inside, np.ones(len(BETA1))).noting(**values)
    table = experiment_ends(budget)
    return all_of({"critical": certified, "runs": reach(table, table["beta2"].map(end))}).showing(table)


@measured
def first_failures(budget: Budget) -> pd.DataFrame:
    """The first n with D < 0 for C = n, and the first C that Theorem 2 guarantees, by pairs (beta1, beta2)."""
    rows = []
    for beta1, beta2 in product(BETA1, budget.pick((0.1, 0.5, 0.9, 0.99), (0.1, 0.5, 0.9, 0.99, 0.999))):
        first = next(n for n in range(2, 1000) if drift(spike(float(n), n), beta1, beta2) < 0)
        betas = Fraction(str(beta1)), Fraction(str(beta2))
        (before, _), (_, at) = (drift_bounds(spike(Fraction(n), n), *betas) for n in (first - 1, first))
        covered = beta1 < beta2**0.5
        guaranteed = first_failing(lambda C, b1=beta1, b2=beta2: theorem_2(b1, b2, C)) if covered else np.nan
        rows.append((beta1, beta2, first, int(before >= 0 > at), guaranteed))
    return pd.DataFrame(rows, columns=["beta1", "beta2", "first n", "certain", "Theorem 2"])


@claim("exact", SOURCE)
@planted("it converges", end=-1)
def every_pair_has_its_losses(budget: Budget, end: int = 1) -> Verdict:
    """S25, refined with the betas given first: For each pair of betas Adam fails on some (n, -1, ..., -1), also where beta1
    >= sqrt(beta2).

    For each beta1 of 0, 0.5, 0.9 and beta2 of 0.1, 0.5, 0.9, 0.99 (full: and 0.999) the change of sign of D to the first n
    with D < 0 is certain in exact arithmetic, and with twice that n Adam goes to +1 from -1, 0 and 1. The n that Theorem 2
    guarantees, by its conditions as recalled, is larger by the ratios of the evidence."""
    table = first_failures(budget)
    twice = [2 * int(n) for n in table["first n"]]
    configurations = zip(table["beta1"], table["beta2"], map(float, twice), twice, strict=True)
    reached = reach(ends(tuple(configurations), budget.pick(10_000, 40_000)), end)
    exact = equals_exactly(table["certain"], np.ones(len(table)))
    ratio = table["Theorem 2"] / table["first n"]
    verdict = all_of({"exact": exact, "runs": reached})
    return verdict.noting(least_ratio=float(ratio.min()), largest_ratio=float(ratio.max())).showing(table)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
