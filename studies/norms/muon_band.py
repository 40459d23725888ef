r"""Where does Muon's quintic take the singular values, and what does that cost?

    p(x) = 3.4445 x - 4.7750 x^3 + 2.0315 x^5,      X_0 = G/||G||_F,  X_{t+1} = p(X_t) = U p(S_t) V^T

Not to 1: no fixed point of p attracts. Every singular value enters the band [m, p(m)] = [0.6818, 1.1344] for good, after
a number of steps that its size decides, and there it tends, for nearly every start, to a cycle of length 4. All of this
is certified in exact rational arithmetic in `theory/muon_quintic.py`; here it is proved, then seen on matrices. The
result is U S' V^T with the singular vectors of G, so what is lost against the exact oracle U V^T is a weighted mean of
S', and what is gained by leaving the unit ball of the spectral norm must not be counted.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.solvers.norms.odd_polynomials import MUON
from ratewitness.solvers.norms.polar import ExactPolar, MuonQuintic, NewtonSchulz, PolarExpress
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, bound_holds, exceeds, mean_is, proved
from ratewitness.studies.norms.spectra import geometric, two_values, with_singular_values
from ratewitness.theory import muon_quintic

SOURCE = "S34; K. Jordan (2024), github.com/KellerJordan/Muon; theory/muon_quintic.py"
BAND = tuple(map(float, muon_quintic.band()))
GROUPS = 8
UNIFORM = (0.5, 1.5)  # the distribution in circulation


def singular_values(x: torch.Tensor) -> np.ndarray:
    return torch.linalg.svdvals(x).cpu().numpy()


@claim(
    kind="proof",
    source=SOURCE,
    planted={
        "the band [0.7, p(0.7)]": lambda budget: proved(lambda: muon_quintic.band_is_invariant(low=Fraction(7, 10))),
        "a cycle of length 2 attracts": lambda budget: proved(lambda: muon_quintic.four_cycle_attracts(length=2)),
        "everything above 1.26 blows up": lambda budget: proved(lambda: muon_quintic.blows_up_beyond(Fraction("1.26"))),
    },
)
def ends_in_a_band(budget: Budget) -> Verdict:
    """S34: Muon's quintic has no attracting fixed point and one repelling 2-cycle; it maps [m, p(m)] = [0.6818, 1.1344] onto
    itself, takes every start in (0, 1.2637) into it, has one attracting cycle, of length 4 (Singer's theorem), and grows
    without bound from starts above 1.26373."""
    return proved(
        lambda: muon_quintic.no_fixed_point_attracts()
        and muon_quintic.one_repelling_two_cycle()
        and muon_quintic.band_is_invariant()
        and muon_quintic.every_value_enters_the_band()
        and muon_quintic.four_cycle_attracts()
        and muon_quintic.critical_orbits_are_trapped()
        and muon_quintic.blows_up_beyond(Fraction("1.26373"))
    )


@cache
def lifted(budget: Budget, early: int) -> pd.DataFrame:
    """Least and largest singular value after the certified number of steps (less `early`), over a grid of smallest ones.

    Beside round values the grid has the starts that need all of their steps: just above `reach(N)`.
    """
    generator = budget.shared("muon_band").generator("lifted")
    starts = [Fraction(1, 10**k) for k in range(1, 7)]
    starts += [muon_quintic.reach(N) * (1 + Fraction(1, 10**6)) for N in budget.pick((3, 5, 7), (2, 3, 4, 5, 6, 7, 8, 9))]
    rows = []
    for start in starts:
        steps = muon_quintic.steps_to_band(start)
        l = torch.tensor([float(start)], dtype=torch.float64, device=generator.device)
        for s in (two_values(l)[0], many_values(l, budget.pick(15, 47))):
            G, _ = with_singular_values(s, len(s) + 8, generator)
            values = singular_values(MuonQuintic(steps - early)(G))
            rows.append([float(start), steps, len(s), values.min(), values.max()])
    return pd.DataFrame(rows, columns=["l", "steps", "size", "least", "largest"])


def many_values(l: torch.Tensor, most: int) -> torch.Tensor:
    """Singular values of Frobenius norm 1, l (1,) the smallest of them, the others in geometric progression above it."""
    count = max(1, min(most, int(0.25 / l**2)))  # more would not all be above l
    last = l * (count / (1 - l**2)) ** 0.5
    others = last ** torch.linspace(0, 1, count, dtype=l.dtype, device=l.device)
    return torch.cat([others * ((1 - l**2) / others.square().sum()) ** 0.5, l])


def in_band(budget: Budget, early: int = 0, low: float = BAND[0], high: float = BAND[1]) -> Verdict:
    table = lifted(budget, early)
    return all_of(
        {"low": bound_holds(np.full(len(table), low), table["least"]), "high": bound_holds(table["largest"], high)}
    ).showing(table)


@claim(
    kind="exact",
    source=SOURCE,
    planted={
        "one step fewer": lambda budget: in_band(budget, early=1),
        "the band [0.7, 1.1344]": lambda budget: in_band(budget, low=0.7),
        "the band [0.6818, 1.1]": lambda budget: in_band(budget, high=1.1),
    },
)
def matrices_reach_the_band(budget: Budget) -> Verdict:
    """S34: With the smallest singular value l = sigma_min/||G||_F, all singular values are in the certified band after the
    certified number of steps (3 for l = 0.1, 5 for 0.01, 7 for 0.001, 12 for 1e-6), on matrices of two sizes and l from
    0.1 to 1e-6, the starts that need every step included."""
    return in_band(budget)


@cache
def random_values(budget: Budget, steps: int) -> np.ndarray:
    """Singular values (groups, values) after `steps` steps, from square Gaussian matrices, from log-uniform and from uniform
    spectra."""
    generator = budget.shared("muon_band").generator("random")
    n = budget.pick(32, 64)
    options = {"generator": generator, "device": generator.device, "dtype": torch.float64}
    gaussian = torch.randn(GROUPS, budget.pick(2, 8), n, n, **options)
    spread = 10 ** (-2 * torch.rand(GROUPS, budget.pick(2, 8), n, **options))
    even = torch.rand(GROUPS, budget.pick(2, 8), n, **options)
    G = torch.cat([gaussian, *(with_singular_values(s, n, generator)[0] for s in (spread, even))], 1)
    return singular_values(MuonQuintic(steps)(G)).reshape(GROUPS, -1)


def near_a_cycle(budget: Budget, points: list[float], share: float = 0.99) -> Verdict:
    """The share of singular values within 1e-3 of one of the points after 200 steps, above `share`."""
    distance = np.abs(random_values(budget, 200)[..., None] - np.array(points)).min(-1)
    return exceeds((distance < 1e-3).mean(-1), share)


def four_cycle() -> list[float]:
    return [float(sum(x) / 2) for x in muon_quintic.orbit(muon_quintic.image(muon_quintic.critical_points()[1]), 84)[-4:]]


@claim(
    kind="phenomenon",
    source=SOURCE,
    planted={
        "the 2-cycle": lambda budget: near_a_cycle(budget, [float(x[0]) for x in muon_quintic.two_cycles()]),
        "the fixed point 0.868": lambda budget: near_a_cycle(budget, [float(muon_quintic.fixed_points()[0][0])]),
        "three points of the four": lambda budget: near_a_cycle(budget, four_cycle()[1:]),
    },
)
def ends_in_a_four_cycle(budget: Budget) -> Verdict:
    """S34: After 200 steps at least 99 % of the singular values of random matrices are within 1e-3 of one of the four
    points of the attracting cycle, 0.6819, 0.7529, 1.0469, 1.1343."""
    return near_a_cycle(budget, four_cycle())


def converges_to(budget: Budget, limit: float) -> Verdict:
    """Error to `limit` of all singular values after 5, 10, 20, 50, 100 steps, against 1e-2."""
    steps = (5, 10, 20, 50, 100)
    worst = [np.abs(random_values(budget, T) - limit).max() for T in steps]
    return bound_holds(worst, 1e-2).showing({"steps": steps, "error": worst})


@claim(
    kind="phenomenon",
    source="S34, read literally for Muon's iteration",
    planted={
        "it converges to its fixed point": lambda b: converges_to(b, float(muon_quintic.fixed_points()[0][0])),
        "it converges to zero": lambda budget: converges_to(budget, 0.0),
    },
)
def converges_as_stated(budget: Budget) -> Verdict:
    """S34, as stated (Muon's Newton-Schulz iteration converges to U V^T): after 5, 10, 20, 50 and 100 steps every singular
    value of random matrices is within 1e-2 of 1."""
    return converges_to(budget, 1.0)


def share_like_uniform(budget: Budget, low: float, high: float) -> Verdict:
    """The shares of singular values after five steps above M = 1.2024 and in the band, against those of U(low, high)."""
    values = random_values(budget, 5)
    top = float(muon_quintic.largest())
    measured = [(values > top).mean(-1), ((BAND[0] <= values) & (values <= BAND[1])).mean(-1)]
    uniform = [(high - top) / (high - low), (BAND[1] - BAND[0]) / (high - low)]
    verdict = mean_is(np.array(measured), uniform, 0.25)
    return verdict.noting(measured_above=measured[0].mean(), uniform_above=uniform[0], measured_in_band=measured[1].mean(),
                          uniform_in_band=uniform[1])  # fmt: skip


@claim(
    kind="phenomenon",
    source="S34; the docstring of torch.optim.Muon's iteration and of others",
    planted={
        "Uniform(0.7, 1.3)": lambda budget: share_like_uniform(budget, 0.7, 1.3),
        "Uniform(0, 2)": lambda budget: share_like_uniform(budget, 0.0, 2.0),
    },
)
def uniform_as_stated(budget: Budget) -> Verdict:
    """S34, as stated (five steps give U S' V^T with S' ~ Uniform(0.5, 1.5)): the shares of singular values above 1.2024 and
    in the band [0.6818, 1.1344] are those of that distribution, 30 % and 45 %, within a quarter. In exact arithmetic the
    first is zero, for every matrix and every number of steps."""
    return share_like_uniform(budget, *UNIFORM)


@claim(
    kind="upper bound",
    source=SOURCE,
    planted={
        "nothing exceeds 1": lambda budget: below_the_largest(budget, 1.0),
        "nothing exceeds p(m)": lambda budget: below_the_largest(budget, BAND[1]),
    },
)
def never_exceeds_its_maximum(budget: Budget) -> Verdict:
    """S34: No singular value ever exceeds M = 1.2024 after one or more steps, whatever the matrix, as normalized
    ones are at most 1 (after 1, 2, 3, 5 and 10 steps, on random matrices). Attained by the start 0.5545 after one step."""
    return below_the_largest(budget, float(muon_quintic.largest()))


def below_the_largest(budget: Budget, limit: float) -> Verdict:
    peak = torch.tensor([float(muon_quintic.critical_points()[0][0])], dtype=torch.float64)
    attained = singular_values(MuonQuintic(1)(torch.diag_embed(two_values(peak)))).max()
    return bound_holds([attained, *(random_values(budget, T).max() for T in (1, 2, 3, 5, 10))], limit)


@cache
def descent(budget: Budget) -> pd.DataFrame:
    """<g, f(g)>/||g||_* and ||f(g)||_2 for several spectra, and their quotient, the descent of a feasible step."""
    generator = budget.shared("muon_band").generator("descent")
    n, count = budget.pick((32, 8), (128, 16))
    options = {"generator": generator, "device": generator.device, "dtype": torch.float64}
    spectra = {"Gaussian, square": torch.randn(count, n, n, **options)}
    spectra["Gaussian, 1:4"] = torch.randn(count, n, 4 * n, **options)
    for k in (1, 3, 5):
        s = geometric(torch.full((count,), 10.0**k, dtype=torch.float64, device=generator.device), n)
        spectra[f"geometric, condition 1e{k}"] = with_singular_values(s, n, generator)[0]
    low_rank = torch.randn(count, n, 4, **options) @ torch.randn(count, 4, n, **options)
    spectra["rank 4 and noise"] = low_rank + 0.01 * torch.randn(count, n, n, **options)
    methods = {
        "exact": ExactPolar(),
        "Muon, 5 steps": MuonQuintic(),
        "Muon, 10 steps": MuonQuintic(10),
        "cubic Newton-Schulz, 5 steps": NewtonSchulz(5),
        "Polar Express, 5 steps": PolarExpress(5),
        "Polar Express, 8 steps": PolarExpress(8),
    }
    rows = []
    for spectrum, G in spectra.items():
        nuclear = torch.linalg.svdvals(G).sum(-1)
        smallest = (torch.linalg.svdvals(G)[..., -1] / torch.linalg.matrix_norm(G)).min()
        for name, method in methods.items():
            X = method(G)
            ratio, norm = (G * X).sum((-2, -1)) / nuclear, torch.linalg.matrix_norm(X, 2)
            numbers = (smallest, ratio.min(), norm.max(), (ratio / norm).min())
            rows.append([spectrum, name, *map(float, numbers)])
    return pd.DataFrame(rows, columns=["spectrum", "method", "l", "descent", "norm", "feasible_descent"])


def descent_above(budget: Budget, share: float, norm: float, feasible: float) -> Verdict:
    """Muon's records where all singular values have reached the band, with 10 steps: l >= reach(10)."""
    table = descent(budget)
    mine = table[(table["method"] == "Muon, 10 steps") & (table["l"] >= float(muon_quintic.reach(10)))]
    return all_of(
        {
            "descent": bound_holds(np.full(len(mine), share), mine["descent"]),
            "norm": bound_holds(mine["norm"], norm),
            "feasible": bound_holds(np.full(len(mine), feasible), mine["feasible_descent"]),
        }
    ).showing(table)


@claim(
    kind="lower bound",
    source=SOURCE,
    planted={
        "nothing is lost": lambda budget: descent_above(budget, 1.0, BAND[1], BAND[0] / BAND[1]),
        "the step stays in the ball": lambda budget: descent_above(budget, BAND[0], 1.0, BAND[0] / BAND[1]),
        "a feasible step keeps 95 %": lambda budget: descent_above(budget, BAND[0], BAND[1], 0.95),
    },
)
def descent_lost(budget: Budget) -> Verdict:
    """S34: Once all singular values are in the band, <g, f(g)> is at least m = 0.6818 of the exact oracle's ||g||_*, the
    step leaves the unit ball of the spectral norm by at most the factor p(m) = 1.1344, and scaled back into the ball it
    keeps at least m/p(m) = 0.601 of the descent (ten steps, Gaussian, geometric and nearly low-rank gradients)."""
    return descent_above(budget, BAND[0], BAND[1], BAND[0] / BAND[1])


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    names = {"l": r"least $\sigma/\lVert G\rVert_F$", "norm": r"$\lVert f(g)\rVert_2$"}
    names["descent"] = r"$\langle g, f(g)\rangle/\lVert g\rVert_*$"
    reach = [(N, float(muon_quintic.reach(N))) for N in range(2, 11)]
    return {
        "descent": verdicts["descent_lost"].table.rename(columns=names | {"feasible_descent": "their quotient"}),
        "reach": pd.DataFrame(reach, columns=["steps", "least start that is in the band"]),
    }


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.4), layout="constrained")
    figure.set_label(
        "Left: Muon's quintic with its certified band (square) and its attracting cycle of length 4 (points). Right: where "
        "five steps take a singular value; grey: the band."
    )
    x = np.linspace(0, 1.28, 400)
    left.plot(x, x * np.polyval(MUON[::-1], x * x), label="p(x)")
    left.plot(x, x, color="0.5", lw=0.8, label="x")
    low, high = BAND
    left.plot([low, high, high, low, low], [low, low, high, high, low], color="C1", lw=1.2, label="certified band")
    cycle = np.array(four_cycle())
    left.plot(cycle, cycle * np.polyval(MUON[::-1], cycle**2), "o", ms=4, color="C2", label="4-cycle")
    left.axvline(float(muon_quintic.fixed_points()[1][0]), color="C3", ls="--", lw=1, label="blow-up beyond")
    left.set(xlabel="singular value x", ylabel="p(x)", xlim=(0, 1.3), ylim=(0, 1.35))
    start = np.geomspace(1e-4, 1, 4000)
    right.axhspan(low, high, color="0.88")
    value = start
    for _ in range(5):
        value = value * np.polyval(MUON[::-1], value**2)
    right.plot(start, value, lw=0.9, color="C0", label="after 5 steps")
    right.axvline(float(muon_quintic.reach(5)), color="C1", lw=1, label="certified for 5 steps")
    right.axhline(1, color="0.3", lw=0.8, ls=":")
    right.set(xscale="log", xlabel="singular value of G/||G||_F", ylabel="singular value after 5 steps", ylim=(0, 1.35))
    for ax in (left, right):
        ax.legend(frameon=False, loc="lower right", fontsize=7)
    return {"map": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
