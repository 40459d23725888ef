r"""Is the peak of polynomial fitting a property of polynomials, or of the points where they are sampled?

    variance at the threshold = sigma^2 int sum_j l_j(x)^2 dx/2

whatever the basis, since there is one polynomial of degree below n through n values. At Chebyshev nodes the sum is at most
2 - 1/n and at Legendre-Lobatto nodes at most 1, for every n: no peak. At equispaced nodes it grows by a factor 4 a node, and
random nodes have it in the density of Chebyshev nodes as well: what matters is that gaps are regular.

Gains come from products of differences of nodes, to nearly full accuracy whatever their size. That fits have this variance
at the threshold, in float64 and in 60 digits: `polynomial_peak`.

Source: theory/interpolation_noise.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds, exceeds
from ratewitness.studies.landscapes.polynomial_runs import (
    COUNTS,
    DEVIATION,
    EQUISPACED,
    SAMPLES,
    along,
    curves,
)
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory.interpolation_noise import (
    aliases,
    chebyshev,
    chebyshev_gain,
    chebyshev_nodes,
    equispaced,
    equispaced_gain,
    gain,
    lobatto,
    lobatto_gain,
    lobatto_nodes,
    mean_gain,
)

SYMBOLIC = (chebyshev, lobatto, equispaced, aliases)
SOURCE = "S50; theory/interpolation_noise.py"
NUMBERS = (2, 3, 5, 10, 20, 50, 100)
GROWING = np.arange(40, 161, 10)
DRAWN = (10, 20, 30, 40, 50)


@claim("proof", SOURCE)
@falsified(*SYMBOLIC)
def gains_in_closed_form(budget: Budget) -> Verdict:
    """S50, refined: Interpolating polynomials multiply noise by at most 2 - 1/n at Chebyshev nodes, at most 1 at Lobatto
    nodes, and exponentially at equispaced ones.

    The variance of the interpolating polynomial of degree below n at x, over that of the noise in its n values, is 1 +
    (U_{2n-2} - 1)/(2n) at the zeros of T_n and 1 - (1 - x^2) P'_{n-1}^2/(n (n-1)) at those of (1 - x^2) P'_{n-1}. At
    equispaced nodes it is at least 4^N/(8 N^{3/2} (2N-1)^2) half a step from an end, N = n-1. At Chebyshev nodes T_{2nm+k}
    and T_{2nm-k} are (-1)^m T_k. Machine-checked: by exact traces for n up to 6 (equispaced: 8); for every n the cosines,
    the Lobatto maxima, the equispaced bound, the aliases; cited: nothing; in prose: the rest."""
    return prove(*SYMBOLIC)


@claim("exact", SOURCE)
@planted("maximum 2 at Chebyshev nodes", lost=0.0)
@planted("Lobatto means 1 - 1/(2n)", fewer=0)
@planted("Lobatto nodes for Chebyshev nodes", nodes=lobatto_nodes)
def gain_of_good_nodes(budget: Budget, lost: float = 1.0, fewer: int = 1, nodes=chebyshev_nodes) -> Verdict:
    """S50, refined: The largest gain of noise in interpolation is 2 - 1/n at n Chebyshev nodes and 1 at n Legendre-Lobatto
    nodes.

    For n = 2, 3, 5, 10, 20, 50, 100, from Lagrange's products: the gain at 401 points with both ends is the closed form
    within 1e-9, its maximum there and at the nodes 2 - 1/n and 1, and its mean over [-1, 1] is 1 - (n-1)/(n (2n-1)) and 1 -
    1/(2n-1)."""
    x, parts = np.cos(np.linspace(np.pi, 0, 401)), {}
    for n in NUMBERS:
        one, other = nodes(n), lobatto_nodes(n)
        tops = [gain(at, np.concatenate([x, at])).max() for at in (one, other)]
        means = [1 - (n - 1) / (n * (2 * n - 1)), 1 - 1 / (2 * n - fewer)]
        parts[f"curves, {n}"] = agrees([gain(one, x), gain(other, x)], [chebyshev_gain(n, x), lobatto_gain(n, x)])
        parts[f"maxima, {n}"] = agrees(tops, [2 - lost / n, 1.0])
        parts[f"means, {n}"] = agrees([mean_gain(one), mean_gain(other)], means)
    return all_of(parts)


@claim("law", SOURCE, units={"rate": "ratio"})
@planted("by a factor 4.2", factor=4.2)
@planted("by a factor 3.8", factor=3.8)
@planted("Chebyshev nodes", nodes=chebyshev_nodes)
def equispaced_gain_grows_fourfold(budget: Budget, factor: float = 4.0, nodes=None) -> Verdict:
    """S50, refined: At equispaced nodes the gain of noise in interpolation grows by a factor 4 with each node.

    The mean gain over [-1, 1] at n = 40, 50, ..., 160 nodes, fitted by C r^n n^b in logarithms: r is 4 within 1 %. Half a
    step from an end the gain is the closed form within 1e-9. The mean is 3.9e21 for 50 nodes."""
    at = nodes or (lambda n: np.linspace(-1, 1, n))
    means = np.array([mean_gain(at(n)) for n in GROWING])
    regressors = np.stack([np.ones(len(GROWING)), GROWING, np.log(GROWING)], 1)
    rate = np.exp(np.linalg.lstsq(regressors, np.log(means), rcond=None)[0][1])
    half = [gain(at(n), np.array([1 - 1 / (n - 1)]))[0] for n in GROWING]
    exact = [equispaced_gain(int(n)) for n in GROWING]
    return all_of({"growth": agrees([rate], factor, 0.01), "half a step": agrees(half, exact)}).noting(rate=rate)


@measured
def random_gains(budget: Budget) -> dict[str, np.ndarray]:
    """Mean gains (DRAWN, draws) of independent nodes, uniform or of Chebyshev's density, and of nodes that are shaken.

    Shaken: the angles of Chebyshev nodes, each moved uniformly by up to a quarter of their distance.
    """
    found = {name: np.empty((len(DRAWN), budget.pick(40, 200))) for name in ("uniform", "Chebyshev density", "shaken")}
    for i, n in enumerate(DRAWN):
        u = torch.rand(
            found["uniform"].shape[1], n, generator=budget.generator(n), dtype=torch.float64, device=budget.device
        )
        u = u.cpu().numpy()
        shaken = (np.arange(n) + 0.5 + 0.25 * (2 * u - 1)) / n
        kinds = {"uniform": 2 * u - 1, "Chebyshev density": np.cos(np.pi * u), "shaken": np.cos(np.pi * shaken)}
        for name, nodes in kinds.items():
            found[name][i] = [mean_gain(each) for each in nodes]
    return found


@claim("phenomenon", SOURCE, unit="ln ratio")
@planted("shaken Chebyshev nodes", kinds=("shaken",))
@planted("Chebyshev density against equispaced nodes", kinds=("Chebyshev density",), against="equispaced")
def random_nodes_have_the_peak(
    budget: Budget, kinds: tuple[str, ...] = ("uniform", "Chebyshev density"), against: str = "theorem"
) -> Verdict:
    """S50, refined: Independent random nodes have the peak of polynomial fitting, in the density of Chebyshev nodes too;
    uniform ones exceed equispaced ones.

    Over 200 (quick: 40) draws of 50 nodes, the geometric mean of the mean gain over [-1, 1] is above 1e10 for both
    densities, and for uniform nodes above 1e5 times that of equispaced ones, in 99 % intervals. Null control: Chebyshev
    nodes with angles moved by up to a quarter of their distance, whose gain stays near 1."""
    found, parts = random_gains(budget), {}
    equal = np.log(mean_gain(EQUISPACED))
    for kind in kinds:
        logs = np.log(found[kind][-1])
        parts[f"{kind}, high"] = exceeds(logs, np.log(1e10))
        if kind == "uniform" or against == "equispaced":
            parts[f"{kind}, against equispaced"] = exceeds(logs - equal, np.log(1e5))
    return all_of(parts).showing(gain_table(found))


@claim("upper bound", SOURCE)
@planted("equispaced nodes", nodes=("equispaced",))
@planted("98 % of the noise", part=0.98)
def no_peak_at_good_nodes(
    budget: Budget, nodes: tuple[str, ...] = ("Chebyshev", "Lobatto"), part: float = 1.0
) -> Verdict:  # fmt: skip
    """S50, refined: At Chebyshev and Lobatto nodes polynomial fits of degrees up to 999 have a variance at most that of
    the noise: no peak.

    For fits of least norm in T_k, P_k and sqrt(2k+1) P_k to 50 values with independent noise, at 119 numbers of
    coefficients from 1 to 1000, 50 among them: the variance, averaged over [-1, 1]. At the threshold it is 99 % of it."""
    parts, tables = {}, {}
    for kind in nodes:
        tables[kind] = curves(budget, kind)
        for basis, variance in along(tables[kind], "variance").items():
            parts[f"{kind}, {basis}"] = bound_holds(variance, part * DEVIATION**2)
    table = stacked(tables | {"equispaced": curves(budget)}, "nodes")
    return all_of(parts).showing(table[table["basis"] == "Chebyshev"])


def gain_table(found: dict[str, np.ndarray]) -> pd.DataFrame:
    """Mean gains along the number of nodes: random ones as geometric means with intervals, and three kinds of fixed ones."""
    parts = {name: rows(gains, geometric=True, n=DRAWN) for name, gains in found.items()}
    fixed = {"equispaced": lambda n: np.linspace(-1, 1, n), "Chebyshev": chebyshev_nodes, "Lobatto": lobatto_nodes}
    for name, nodes in fixed.items():
        table = pd.DataFrame({"n": DRAWN, "measured": [mean_gain(nodes(n)) for n in DRAWN]})
        parts[name] = table.assign(low=table["measured"], high=table["measured"])
    return stacked(parts)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    risks = verdicts["no_peak_at_good_nodes"].table
    risks = risks.assign(measured=risks["risk"], method=risks["nodes"])[["method", "degree", "measured"]]
    place = risks["degree"].map({count - 1: j for j, count in enumerate(COUNTS)})
    turn = risks["method"].map({"equispaced": 1, "Chebyshev": 0, "Lobatto": 2})  # curves that coincide take turns
    peak = (risks["method"] == "equispaced") & (abs(risks["degree"] - SAMPLES) < 8)
    risks = risks[((place % 4 == turn) | peak) & (risks["degree"] > 0)]
    looks = {"equispaced": "C0o-", "Chebyshev": "C1s-", "Lobatto": "C2^-"}
    looks |= {"uniform": "C3D-", "Chebyshev density": "C4v-", "shaken": "C5P-"}
    caption = (
        f"First: risk of fits of least norm in $T_k$ to {SAMPLES} noisy values of $\\sin(4.5x)$ at three kinds of nodes, "
        "along the degree. Second: mean gain of noise in interpolation, the height of the peak over the variance of the "
        "noise, along the number of nodes; random nodes with 99 % intervals of geometric means; shaken ones are "
        "Chebyshev nodes moved by up to a quarter of their distance. Kinds are set apart."
    )
    left = Panel(risks, "degree", "degree", "risk", options={"ylim": (3e-3, 1e22)})
    right = Panel(verdicts["random_nodes_have_the_peak"].table, "n", "nodes $n$", "mean gain", log="y", apart=1.012)
    return {"nodes": panels(caption, looks, [left, right], height=3.0)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
