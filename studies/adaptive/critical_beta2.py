r"""For which beta1, beta2, C and n does Adam go to the wrong end? The critical beta2, exact and confirmed by runs.

    slopes (C, -1, ..., -1), n rounds a period, on [-1, 1], C > n - 1;     D(beta1, beta2) = sum_j m_j/sqrt v_j

Adam goes to +1, the wrong end, where D < 0, and to -1 where D > 0 (theory/adam_drift.py). On given losses it does so below a
critical beta2, and converges above it. With momentum there can be a second, lower root, below which it converges as well.
The runs: `adam_ends`; what this says of losses or of betas that are given first: `betas_or_losses_first`.

Source: S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237, for the sequences.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from ratewitness.studies.adaptive.adam_ends import BETA1, SOURCE, critical, ends, reach
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, equals_exactly
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import adam_drift
from ratewitness.theory.adam_drift import drift, every_pair_bound, spike
from ratewitness.theory.identity import identities

DRIFT = tuple(identities(adam_drift).values())
ASIDE = 1.5  # runs on both sides of a root take its powers 1.5 and 1/1.5
LOOKS = {0.0: ("C0", "o"), 0.3: ("C1", "v"), 0.5: ("C2", "s"), 0.9: ("C3", "^")}  # beta1
WRONG, RIGHT = 1, -1


@claim("proof", "S25; theory/adam_drift.py")
@falsified(*DRIFT)
def the_drift_and_its_limits(budget: Budget) -> Verdict:
    """S25: The drift D, whose sign tells the end that Adam goes to, has a closed form; on (n, -1, ..., -1) it is
    negative from some n on.

    D is the sum of Adam's m/sqrt v over a period (D < 0: it goes to +1), on (C, -1, ..., -1), n rounds a period, sum_{j<n}
    (-1 + (C + 1) w_j(beta1))/sqrt(1 + (C^2 - 1) w_j(beta2)), w_j(beta) = (1 - beta) beta^j/(1 - beta^n). For n = 2 it is
    positive, whatever beta1 and beta2 > 0: Adam does not fail. For n >= 3 and beta1 = 0 it is negative at beta2 = 0. For C =
    n and any beta1 the largest root has n^2 (1 - beta2) -> 4. For C = n, any beta1 and 0 < beta2 < 1, beta1 < sqrt(beta2) or
    not, D/n -> -1: from some n on Adam fails. Machine-checked (sympy): the closed form by its recursion, for every n; n = 2;
    D at beta2 = 0; the limit of n e_0, and those of the three terms that bound D/n. In prose, and held against certified
    numbers by `limits_at_finite_n`: that errors are O(1/n) in the first limit, and the bounds of D by those terms. In prose:
    that the end follows the sign of D; runs: `runs_on_both_sides`."""
    return prove(*DRIFT)


@claim("upper bound", "S25; theory/adam_drift.py")
@planted("the limit 3.5", limit=3.5)
@planted("the limit 4.5", limit=4.5)
def limits_at_finite_n(budget: Budget, limit: float = 4.0) -> Verdict:
    """S25: On (n, -1, ..., -1) the largest root keeps n^2 (1 - beta2) within 20/(n (1 - beta1)) above 4, and D/n its proved
    bounds.

    The root is certified by interval arithmetic, for n = 20, 40 and 80 (quick: 20 and 40) and beta1 = 0, 0.5 and 0.9. D/n is
    at least -1 and at most 2 p + 2 beta1^k - q, whose limits `the_drift_and_its_limits` takes, for n = 10, 100 and 1000, the
    same beta1 and beta2 = 0.1, 0.5, 0.9 and 0.99. This holds in numbers what is prose in that proof."""
    over, allowed = [], []
    for n, beta1 in product(budget.pick((20, 40), (20, 40, 80)), BETA1):
        over.append(n**2 * (1 - critical(beta1, float(n), n)[0][-1]) - limit)
        allowed.append(20 / (n * (1 - beta1)))
    cells = [*product((10, 100, 1000), BETA1, (0.1, 0.5, 0.9, 0.99))]
    D = np.array([drift(spike(float(n), n), beta1, beta2) / n for n, beta1, beta2 in cells])
    bounds = np.array([every_pair_bound(*cell) for cell in cells])
    judged = {"root above": bound_holds(np.array(over), np.array(allowed), floor=-1e9)}
    judged |= {"root below": bound_holds(1 - np.array(over), np.ones(len(over)))}
    judged |= {"D above": bound_holds(1 + D - bounds, np.ones(len(D)), floor=-1e9)}
    return all_of(judged | {"D below": bound_holds(-D, np.ones(len(D)), floor=-1e9)})


@claim("exact", SOURCE)
@planted("one n later", first={0.0: 4, 0.5: 5, 0.9: 9})
def small_n_never_fails(budget: Budget, first: Mapping[float, int] = {0.0: 3, 0.5: 4, 0.9: 8}) -> Verdict:
    """S25, refined: Of n up to 24, Adam converges on (n, -1, ..., -1) for every beta2 exactly for n <= 2, 3, 7 at beta1
    = 0, 0.5, 0.9.

    Every beta2 in (0, 1): n <= 2 for beta1 = 0, n <= 3 for beta1 = 0.5 and n <= 7 for beta1 = 0.9, among all n up to 24
    (quick: 12): certified by interval arithmetic in beta2."""
    keys = [(beta1, n) for beta1 in first for n in range(2, budget.pick(12, 24) + 1)]
    found = [critical(beta1, float(n), n) for beta1, n in keys]
    fails = [int(-1 in signs) for _, signs in found]
    table = pd.DataFrame(keys, columns=["beta1", "n"]).assign(
        fails=fails,
        lower_root=[roots[0] if len(roots) > 1 else np.nan for roots, _ in found],
        critical_beta2=[roots[-1] if roots else np.nan for roots, _ in found],
        signs=["".join("-0+"[sign + 1] for sign in signs) for _, signs in found],
    )
    return equals_exactly(fails, [int(n >= first[beta1]) for beta1, n in keys]).showing(table)


@measured
def both_sides(budget: Budget) -> pd.DataFrame:
    """Runs around the largest root for C = n, and around that of n = 3 for other C."""
    instances = [(beta1, float(n), n) for beta1 in BETA1 for n in budget.pick((3, 5, 10), (3, 4, 5, 7, 10, 20, 30))]
    instances += [(beta1, C, 3) for beta1 in (0.0, 0.3) for C in (2.1, 2.5, 3.5, 5.0)]
    around = [
        (beta1, critical(beta1, C, n)[0][-1] ** power, C, n)
        for beta1, C, n in instances
        for power in (ASIDE, 1 / ASIDE)
        if critical(beta1, C, n)[0]
    ]
    rounds = budget.pick(10_000, 160_000)
    parts = [ends(tuple(around), rounds, bias).assign(bias_correction=bias) for bias in (True, False)]
    return pd.concat(parts, ignore_index=True)


@claim("exact", SOURCE, units={"up": "count", "down": "count"})
@planted("the other end", sign=-1)
def runs_on_both_sides(budget: Budget, sign: int = 1) -> Verdict:
    """S25, refined: Adam goes to the end that the sign of the drift predicts on both sides of the critical beta2, with bias
    correction and without.

    The runs are at the powers 1.5 and 1/1.5 of the critical beta2 of (C, -1, ..., -1), for C = n = 3, 4, 5, 7, 10, 20, 30
    (quick: 3, 5, 10) with beta1 = 0, 0.5, 0.9 where there is one, and for n = 3, C = 2.1 to 5 with beta1 = 0 and 0.3, from
    -1, 0 and 1. The critical value does not depend on bias correction."""
    table = both_sides(budget)
    return reach(table, sign * table["end"]).noting(up=float((table["end"] > 0).sum()), down=float((table["end"] < 0).sum()))


def draw_map(ax: Axes, runs: pd.DataFrame, key: str, exact: Mapping[float, list[tuple[float, float]]], height) -> None:
    """The exact critical value by beta1 as lines, and the runs on its two sides."""
    for beta1, line in exact.items():
        colour, marker = LOOKS[beta1]
        ax.plot(*zip(*((v, height(root)) for v, root in line), strict=True), color=colour, lw=1)
        for reached, face in ((WRONG, colour), (RIGHT, "none")):
            there = runs[(runs["beta1"] == beta1) & (runs["reached"] == reached)]
            ax.plot(there[key], height(there["beta2"]), marker, ms=4, mec=colour, mfc=face)


def roots_at(beta1: float, instances: Mapping[float, int]) -> list[tuple[float, float]]:
    """(C, the critical beta2) where there is one. instances: C -> n."""
    found = [(C, critical(beta1, float(C), n)[0]) for C, n in instances.items()]
    return [(C, roots[-1]) for C, roots in found if roots]


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "The critical $\\beta_2$ of Adam (lines: exact), and the ends to which runs on both sides went. Left: on "
        "$(n, -1, \\ldots, -1)$, as $1 - \\beta_2$. Right: on $(C, -1, -1)$."
    )
    figure, (left, right) = canvas(caption, 2, height=3.2)
    runs = verdicts["runs_on_both_sides"].table
    diagonal = {n: n for n in (3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30)}
    of_three = dict.fromkeys(np.geomspace(2.01, 6, 25).tolist(), 3)
    for beta1, (colour, marker) in LOOKS.items():
        left.plot([], [], color=colour, marker=marker, ms=4, lw=1, label=f"$\\beta_1 = {beta1:g}$")
    draw_map(left, runs[runs["C"] == runs["n"]], "n", {b: roots_at(b, diagonal) for b in BETA1}, lambda beta2: 1 - beta2)
    draw_map(right, runs[runs["n"] == 3], "C", {b: roots_at(b, of_three) for b in (0.0, 0.3)}, lambda beta2: beta2)
    n = np.array([3.0, 30.0])
    left.plot(n, 4 / n**2, color="0.35", ls=":", lw=1, label="$4/n^2$")
    left.plot([], [], "o", color="0.3", ms=4, label="wrong end reached")
    left.plot([], [], "o", color="0.3", ms=4, mfc="none", label="right end reached")
    left.set(xscale="log", yscale="log", xlabel="$n = C$", ylabel="$1 - \\beta_2$")
    left.set_xticks([3, 5, 10, 20, 30], labels=["3", "5", "10", "20", "30"], minor=False)
    left.minorticks_off()
    right.set(xlabel="$C$, for $n = 3$", ylabel="$\\beta_2$", ylim=(0, 1))
    legend_below(figure)
    return {"map": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
