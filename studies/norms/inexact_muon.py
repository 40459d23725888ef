r"""Does it matter to Muon how exactly its polar factor is computed?

    gap of Muon with five steps of an iteration / gap of Muon with the singular value decomposition,   f(W_N) - f*

on logistic regression, each method tuned for itself. The set-up is in `studies/norms/logreg_runs.py`; figures and table of
the runs: `muon_logreg`. The tall data are taken along their axes: to none of these methods their rotation matters.

Sources: K. Jordan et al. (2024); N. Amsel, D. Persson, C. Musco and R. Gower (2025), arXiv:2505.16932.
"""

from __future__ import annotations

import numpy as np
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, interval, mean_is
from ratewitness.studies.measuring.tuning import unless_on_edge
from ratewitness.studies.norms.logreg_runs import EXACT, final


def geometric_mean_is(effect: np.ndarray, ratio: float, tolerance: float) -> Verdict:
    """Whether the interval of the geometric mean of exp(effect), over groups, lies inside ratio (1 +- tolerance)."""
    low, high = np.log1p([-tolerance, tolerance])
    middle, half = (low + high) / 2, (high - low) / 2
    inside = mean_is(1 + effect - np.log(ratio) - middle, 1.0, half)
    evidence = dict(zip(("ratio", "low", "high"), map(float, np.exp(interval(effect))), strict=True))
    return Verdict(inside.outcome, {**evidence, "predicted": ratio, "tolerance": tolerance})


def as_good_as_exact(budget: Budget, method: str, ratio: float) -> Verdict:
    verdicts = {}
    for name in ("digits", "tall, axes", "wide, rotated"):
        exact, other = final(budget, name, EXACT), final(budget, name, method)
        same = geometric_mean_is(np.log(other.gap[-1] / exact.gap[-1]), ratio, budget.pick(0.2, 0.1))
        verdicts[name] = unless_on_edge(same, *exact.tuned, *other.tuned)
    return all_of(verdicts)


@claim("constant", "S34, S36; Amsel, Persson, Musco and Gower (2025), arXiv:2505.16932", units={"predicted": "ratio"})
@planted("normalized GD is as good, without any orthogonalization", method="normalized GD")
@planted("Polar Express ends a fifth lower", ratio=0.8)
def polar_express_is_as_good_as_exact(
    budget: Budget, method: str = "Muon, Polar Express", ratio: float = 1.0
) -> Verdict:  # fmt: skip
    """S36: Muon with five steps of Polar Express ends with the gap of Muon with the exact polar factor.

    On the digits, tall and wide data, after 200 (quick: 80) steps, each tuned in every group, the 99 % interval over groups
    of the geometric mean ratio is inside 1 +- 0.1 (quick: 0.2)."""
    return as_good_as_exact(budget, method, ratio)


@claim("constant", "S34, S36; Jordan et al. (2024)", units={"predicted": "ratio"})
@planted("the quintic ends a fifth lower", ratio=0.8)
def the_quintic_is_as_good_as_exact(budget: Budget, ratio: float = 1.0) -> Verdict:
    """S36, read as: Muon with five steps of its quintic, which does not converge, ends with the gap of Muon with the exact
    polar factor.

    That the quintic of Muon does not converge does not matter: on the digits, tall and wide data, after 200 (quick: 80)
    steps, each tuned in every group, the 99 % interval over groups of the geometric mean ratio is inside 1 +- 0.1 (quick:
    0.2)."""
    return as_good_as_exact(budget, "Muon, quintic", ratio)


@claim("constant", "S34, S36", units={"predicted": "ratio"})
@planted("the cubic ends a fifth lower", ratio=0.8)
def any_five_steps_will_do(budget: Budget, ratio: float = 1.0) -> Verdict:
    """S36, read as: Any iteration will do: Muon with five cubic Newton-Schulz steps ends with the gap of Muon with the exact
    polar factor.

    Cubic steps leave small singular values far below 1. On the digits, tall and wide data, after 200 (quick: 80) steps, each
    tuned in every group, the 99 % interval over groups of the geometric mean ratio is inside 1 +- 0.1 (quick: 0.2)."""
    return as_good_as_exact(budget, "Muon, cubic", ratio)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
