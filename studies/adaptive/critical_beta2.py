r"""For which beta1, beta2, C and n does Adam go to the wrong end? The critical beta2, exact and confirmed by runs.

    slopes (C, -1, ..., -1), n rounds a period, on [-1, 1], C > n - 1;     D(beta1, beta2) = sum_j m_j/sqrt v_j

Adam goes to +1, the wrong end, where D < 0, and to -1 where D > 0 (theory/adam_drift.py). That Adam fails for beta1 <
sqrt(beta2) is a statement about beta1 and beta2 that are given *first*, and losses that are chosen after them. For losses
that are given first, as those of the experiment 1010/-10 (n = C = 101), it is false: above a critical beta2, below 1, Adam
converges. With momentum there can be a second, lower root, below which it converges as well.

A run plays many (beta1, beta2, C, n) as one batch from -1, 0 and 1, with a constant step each: large enough to move four
units in all rounds, and small enough for a period's excursions to fit into half of the box. It must end where the cycle at
the end that is predicted says.

Source: S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237, for the sequences.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from ratewitness.problems.online.rounds import play
from ratewitness.problems.online.slopes import two_slopes
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, bound_holds, equals_exactly
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import adam_drift as theory
from ratewitness.theory.adam_drift import (
    cycle,
    drift,
    drift_bounds,
    first_failing,
    relative_steps,
    roots,
    spike,
    theorem_2,
)
from ratewitness.theory.identity import identities

SOURCE = "S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237; theory/adam_drift.py"
BETA1 = (0.0, 0.5, 0.9)
ASIDE = 1.5  # runs on both sides of a root take its powers 1.5 and 1/1.5
Configuration = tuple[float, float, float, int]  # beta1, beta2, C, n


@cache
def critical(beta1: float, C: float, n: int) -> tuple[list[float], list[int]]:
    """The roots of D in beta2, to 1e-9, and its certified signs between them."""
    found, signs = roots(spike(C, n), beta1)
    return [(low + high) / 2 for low, high in found], signs


def ends(configurations: tuple[Configuration, ...], rounds: int, bias_correction: bool = True) -> pd.DataFrame:
    """One row each: the predicted `end`, the end that all three runs have `reached` (0: none), how far the worst of them is
    `off` its place in the cycle, in steps, and the widest `excursion` that is predicted."""
    beta1, beta2, C, n = (np.array(values) for values in zip(*configurations, strict=True))
    steps = [relative_steps(spike(c, p), b1, b2) for b1, b2, c, p in configurations]
    cycles = [cycle(relative) for relative in steps]
    lr = np.array([4 * len(relative) / (abs(sum(relative)) * rounds) for relative in steps])
    a, b1, b2, c, period = (torch.as_tensor(values).reshape(-1, 1, 1) for values in (lr, beta1, beta2, C, n))
    same = int(n[0]) if (n == n[0]).all() else period  # one period for all costs less
    oracle, _ = play(two_slopes("(C, -1, ..., -1)", c, -1.0, same))
    x0 = torch.tensor([-1.0, 0.0, 1.0]).double().reshape(1, -1, 1).expand(len(lr), -1, 1).clone()
    solver = Box(Adam(a, b1, b2, bias_correction=bias_correction), -1.0, 1.0)
    x = run(solver, oracle, x0, rounds, lambda x: x, at=[rounds]).x[..., 0].numpy()
    end = np.array([end for end, _ in cycles])
    place = np.array([distances[rounds % len(distances)] for _, distances in cycles])
    return pd.DataFrame(
        {
            "beta1": beta1,
            "beta2": beta2,
            "C": C,
            "n": n,
            "D": [sum(relative) for relative in steps],
            "end": end,
            "reached": np.where((x > 0).all(-1), 1, np.where((x < 0).all(-1), -1, 0)),
            "off": np.abs(x - (end * (1 - lr * place))[:, None]).max(-1) / lr,
            "excursion": lr * np.array([distances.max() for _, distances in cycles]),
        }
    )


def reach(table: pd.DataFrame, end: ArrayLike) -> Verdict:
    """Whether the runs are at this end, to a thousandth of a step where the cycle of the predicted end says."""
    reached = equals_exactly(table["reached"] + 1, np.broadcast_to(end, len(table)) + 1)
    place = bound_holds(table["off"], np.full(len(table), 1e-3), floor=-1.0)
    excursion = bound_holds(table["excursion"], np.ones(len(table)))
    return all_of({"end": reached, "place": place, "excursion": excursion}).showing(table)


@claim(
    kind="proof",
    source="S25; theory/adam_drift.py",
    planted=falsified(*identities(theory).values()),
)
def the_drift_and_its_limits(budget: Budget) -> Verdict:
    """S25: The drift D, the sum of Adam's m/sqrt v over a period (D < 0: it goes to +1), is on (C, -1, ..., -1), n rounds a
    period, sum_{j<n} (-1 + (C + 1) w_j(beta1))/sqrt(1 + (C^2 - 1) w_j(beta2)), w_j(beta) = (1 - beta) beta^j/(1 - beta^n).
    For n = 2 it is positive, whatever beta1 and beta2 > 0: Adam does not fail. For n >= 3 and beta1 = 0 it is negative at
    beta2 = 0. For C = n and any beta1 the largest root has n^2 (1 - beta2) -> 4. For C = n, any beta1 and 0 < beta2 < 1,
    beta1 < sqrt(beta2) or not, D/n -> -1: from some n on Adam fails."""
    return prove(*identities(theory).values())


@cache
def experiment_ends(budget: Budget) -> pd.DataFrame:
    """1010/-10 divided by 10."""
    betas = product(BETA1, (0.99, 0.999, 0.9999))
    return ends(tuple((beta1, beta2, 101.0, 101) for beta1, beta2 in betas), budget.pick(60_000, 200_000))


def on_the_experiment(budget: Budget, ends: dict[float, int]) -> Verdict:
    """Whether the runs with these beta2 are at these ends."""
    table = experiment_ends(budget.shared("critical_beta2"))
    table = table[table["beta2"].isin(ends)]
    return reach(table, table["beta2"].map(ends))


@claim(
    kind="phenomenon",
    source="S25; " + SOURCE,
    planted={"it always converges": lambda budget: on_the_experiment(budget, {0.99: -1, 0.999: -1, 0.9999: -1})},
)
def as_stated_for_given_losses(budget: Budget) -> Verdict:
    """S25, as stated with the losses given first (Adam fails on 1010/-10 whenever beta1 < sqrt(beta2)): it goes to +1 for
    beta1 = 0, 0.5, 0.9 and beta2 = 0.99, 0.999, 0.9999."""
    return on_the_experiment(budget, {0.99: 1, 0.999: 1, 0.9999: 1})


def critical_on_the_experiment(low: float, high: float) -> Verdict:
    found = [critical(beta1, 101.0, 101) for beta1 in BETA1]
    inside = [int(len(r) == 1 and low < r[0] < high and signs == [-1, 1]) for r, signs in found]
    values = {f"critical_{beta1}": r[0] for beta1, (r, _) in zip(BETA1, found, strict=True)}
    return equals_exactly(inside, np.ones(len(BETA1))).noting(**values)


@claim(
    kind="exact",
    source="S25; " + SOURCE,
    planted={
        "between 0.9990 and 0.9995": lambda budget: critical_on_the_experiment(0.999, 0.9995),
        "0.9999 fails": lambda budget: on_the_experiment(budget, {0.99: 1, 0.999: 1, 0.9999: 1}),
        "0.999 converges": lambda budget: on_the_experiment(budget, {0.99: 1, 0.999: -1, 0.9999: -1}),
    },
)
def the_critical_value_of_the_experiment(budget: Budget) -> Verdict:
    """S25, refined for given losses: On 1010/-10 Adam fails exactly below a critical beta2, which is between 0.9995 and
    0.9997 for beta1 = 0, 0.5 and 0.9 (certified); from -1, 0 and 1 it goes to +1 for beta2 = 0.99 and 0.999, and to -1 for
    0.9999."""
    runs = on_the_experiment(budget, {0.99: 1, 0.999: 1, 0.9999: -1})
    return all_of({"critical": critical_on_the_experiment(0.9995, 0.9997), "runs": runs}).showing(runs.table)


def fails_somewhere(expected: dict[float, int], most: int) -> Verdict:
    """Whether D < 0 for some beta2, at n = 2, ..., most with C = n, is as expected: for beta1 from its n on."""
    keys = [(beta1, n) for beta1 in expected for n in range(2, most + 1)]
    found = [critical(beta1, float(n), n) for beta1, n in keys]
    table = pd.DataFrame(keys, columns=["beta1", "n"]).assign(
        roots=[" ".join(f"{root:.6f}" for root in r) for r, _ in found],
        signs=["".join("-0+"[sign + 1] for sign in signs) for _, signs in found],
    )
    fails = [int(-1 in signs) for _, signs in found]
    return equals_exactly(fails, [int(n >= expected[beta1]) for beta1, n in keys]).showing(table)


@claim(
    kind="exact",
    source="S25; " + SOURCE,
    planted={"one n later": lambda budget: fails_somewhere({0.0: 4, 0.5: 5, 0.9: 9}, 12)},
)
def small_n_never_fails(budget: Budget) -> Verdict:
    """S25, refined: On (n, -1, ..., -1) Adam converges for every beta2 in (0, 1) exactly if n <= 2 for beta1 = 0, n <= 3 for
    beta1 = 0.5 and n <= 7 for beta1 = 0.9, among all n up to 24 (quick: 12): certified by interval arithmetic in beta2."""
    return fails_somewhere({0.0: 3, 0.5: 4, 0.9: 8}, budget.pick(12, 24))


@cache
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
    return pd.concat([ends(tuple(around), rounds, bias).assign(bias_correction=bias) for bias in (True, False)])


def as_the_drift_says(budget: Budget, sign: int = 1) -> Verdict:
    table = both_sides(budget.shared("critical_beta2"))
    return reach(table, sign * table["end"]).noting(up=float((table["end"] > 0).sum()), down=float((table["end"] < 0).sum()))


@claim(
    kind="exact",
    source="S25; " + SOURCE,
    planted={"the other end": lambda budget: as_the_drift_says(budget, sign=-1)},
)
def runs_on_both_sides(budget: Budget) -> Verdict:
    """S25, refined: At the powers 1.5 and 1/1.5 of the critical beta2 of (C, -1, ..., -1), for C = n = 3, 4, 5, 7, 10, 20,
    30 (quick: 3, 5, 10) with beta1 = 0, 0.5, 0.9 where there is one, and for n = 3, C = 2.1 to 5 with beta1 = 0 and 0.3,
    Adam from -1, 0 and 1 goes to the end that the sign of the drift predicts, with bias correction and without: the critical
    value does not depend on it."""
    return as_the_drift_says(budget)


@cache
def first_failures(largest: float) -> pd.DataFrame:
    """The first n with D < 0 for C = n, and the first C that Theorem 2 guarantees, by pairs (beta1, beta2)."""
    rows = []
    for beta1, beta2 in product(BETA1, (beta2 for beta2 in (0.1, 0.5, 0.9, 0.99, 0.999) if beta2 <= largest)):
        first = next(n for n in range(2, 1000) if drift(spike(float(n), n), beta1, beta2) < 0)
        betas = Fraction(str(beta1)), Fraction(str(beta2))
        (before, _), (_, at) = (drift_bounds(spike(Fraction(n), n), *betas) for n in (first - 1, first))
        covered = beta1 < beta2**0.5
        guaranteed = first_failing(lambda C, b1=beta1, b2=beta2: theorem_2(b1, b2, C)) if covered else np.nan
        rows.append((beta1, beta2, first, int(before >= 0 > at), guaranteed))
    return pd.DataFrame(rows, columns=["beta1", "beta2", "first n", "certain", "Theorem 2"])


def every_pair(budget: Budget, end: int = 1) -> Verdict:
    """Exact signs at the first n that fails, and runs with twice that n."""
    table = first_failures(budget.pick(0.99, 0.999))
    twice = [2 * int(n) for n in table["first n"]]
    configurations = zip(table["beta1"], table["beta2"], map(float, twice), twice, strict=True)
    reached = reach(ends(tuple(configurations), budget.pick(10_000, 40_000)), end)
    exact = equals_exactly(table["certain"], np.ones(len(table)))
    ratio = table["Theorem 2"] / table["first n"]
    verdict = all_of({"exact": exact, "runs": reached})
    return verdict.noting(least_ratio=float(ratio.min()), largest_ratio=float(ratio.max())).showing(table)


@claim(
    kind="exact",
    source="S25; " + SOURCE,
    planted={"it converges": lambda budget: every_pair(budget, end=-1)},
)
def every_pair_has_its_losses(budget: Budget) -> Verdict:
    """S25, refined with the betas given first: For each beta1 of 0, 0.5, 0.9 and beta2 of 0.1, 0.5, 0.9, 0.99 (full: and
    0.999), also where beta1 >= sqrt(beta2), Adam fails on some (n, -1, ..., -1): the change of sign of D to the first n with
    D < 0 is certain in exact arithmetic, and with twice that n Adam goes to +1 from -1, 0 and 1. The n that Theorem 2
    guarantees, by its conditions as recalled, is larger by the ratios of the evidence."""
    return every_pair(budget)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.4), layout="constrained")
    figure.set_label(
        "The critical beta2 of Adam (lines: exact). Left: on (n, -1, ..., -1), as 1 - beta2; dotted: 4/n^2. "
        "Right: on (C, -1, -1). Runs on both sides went to the wrong end (filled) and to the right one (open)."
    )
    runs = verdicts["runs_on_both_sides"].table
    looks = {0.0: ("#0072B2", "o"), 0.3: ("#E69F00", "v"), 0.5: ("#56B4E9", "s"), 0.9: ("k", "^")}
    for ax, key, mine, shown, values in (
        (left, "n", runs["C"] == runs["n"], BETA1, (3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30)),
        (right, "C", runs["n"] == 3, (0.0, 0.3), np.geomspace(2.01, 6, 25)),
    ):
        for beta1 in shown:
            colour, marker = looks[beta1]
            line = [(float(v), critical(beta1, float(v), v if ax is left else 3)[0]) for v in values]
            line = [(v, 1 - r[-1] if ax is left else r[-1]) for v, r in line if r]
            ax.plot(*zip(*line, strict=True), color=colour, lw=1, label=f"beta1 = {beta1:g}")
            for reached, face in ((1, colour), (-1, "none")):
                there = runs[mine & (runs["beta1"] == beta1) & (runs["reached"] == reached)]
                height = 1 - there["beta2"] if ax is left else there["beta2"]
                ax.plot(there[key], height, marker, ms=4, mec=colour, mfc=face)
    n = np.array([3.0, 30.0])
    left.plot(n, 4 / n**2, "k:", lw=1)
    left.set(xscale="log", yscale="log", xlabel="n = C", ylabel="1 - beta2")
    right.set(xlabel="C, n = 3", ylabel="beta2", ylim=(0, 1))
    left.set_xticks([3, 5, 10, 20, 30], labels=["3", "5", "10", "20", "30"], minor=False)
    left.minorticks_off()
    left.legend(frameon=False)
    right.legend(frameon=False)
    return {"map": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
