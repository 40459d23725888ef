r"""How sharp are the constants of the six cells?

    GD:   N(eps) = ceil(ln(Delta/eps)/(-2 ln(1-mu/L))),  ceil((L R^2/eps - 2)/4),  ceil((4 L Delta/eps - 2)/3)
    SGD:  N(eps) ~ sigma^2/(2 mu eps),  0.0872 sigma^2 R^2/eps^2,  2 L Delta sigma^2/eps^2

On the witnesses the iteration counts of GD are these integers, and the leading terms of SGD are these numbers. The
integers are compared as integers; the leading terms are measured twice, by Monte Carlo hitting times and by the exact
second-moment recursion of `theory/moments.py`. 0.0872 is not quoted: it is the square of the maximum over c in
`theory/parabola_family.py`, for the textbook's step and among parabolas, not among all convex functions. For every
constant step h/L, 0 < h < 2, and not only for h = 1, the convex bound is attained, by the Huber function or by L x^2/2
(Kim 2024, arXiv:2412.04427); the best step h*(N) is where the two meet.
"""

from __future__ import annotations

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.huber import huber
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, all_of, equals_exactly, interval, mean_is
from ratewitness.studies.rates import cells
from ratewitness.theory import gradient_descent as gd
from ratewitness.theory import stochastic_gradient as sgd
from ratewitness.theory.moments import second_moments
from ratewitness.theory.parabola_family import averaged_parabola
from scipy.optimize import brentq

GROUPS = 10


@cache
def counted(cell: str, budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies over (quick, full) decades and the integer hitting times of a GD cell."""
    eps = 0.037 * np.logspace(0, -budget.pick(3.0, 3.6), budget.pick(13, 25))
    return eps, getattr(cells, cell)(eps)


def integers(cell: str, budget: Budget, predicted=None) -> Verdict:
    eps, times = counted(cell, budget)
    exact = getattr(cells, f"{cell}_count")(eps)
    predicted = exact if predicted is None else np.ceil(predicted(eps)).astype(int)
    return equals_exactly(times, predicted).showing({"eps": eps, "theory": predicted, "measured": times})


@claim(
    kind="exact",
    source="S4; theory/gradient_descent.py, proof for one dimension",
    planted={"Polyak's rate (1-mu/L)^N": lambda b: integers("gd_pl", b, lambda e: np.log(1 / e) / -np.log(1 - cells.MU))},
)
def gd_pl(budget: Budget) -> Verdict:
    """S4: On mu x^2/2 GD with step 1/L needs exactly ceil(ln(Delta/eps)/(-2 ln(1-mu/L))) steps: (1-mu/L)^2 is the exact
    PL rate in one dimension."""
    return integers("gd_pl", budget)


@claim(
    kind="exact",
    source="S6; Drori and Teboulle (2014)",
    planted={"the textbook's L R^2/(2N)": lambda b: integers("gd_convex", b, lambda e: 1 / (2 * e))},
)
def gd_convex(budget: Budget) -> Verdict:
    """S6: On the Huber witness GD with step 1/L needs exactly ceil((L R^2/eps - 2)/4) steps."""
    return integers("gd_convex", budget)


@claim(
    kind="exact",
    source="S8; Abbaszadehpeivasti, de Klerk and Zamani (2021), arXiv:2104.05468",
    planted={
        "the textbook's 2 L Delta/N": lambda b: integers("gd_nonconvex", b, lambda e: 2 / e),
        "4 L Delta/(3N), without the 2": lambda b: integers("gd_nonconvex", b, lambda e: 4 / (3 * e)),
    },
)
def gd_nonconvex(budget: Budget) -> Verdict:
    """S8: On the sawtooth witness GD with step 1/L needs exactly ceil((4 L Delta/eps - 2)/3) steps to ||grad f||^2 <=
    eps."""
    return integers("gd_nonconvex", budget)


@cache
def worst_gaps(budget: Budget) -> pd.DataFrame:
    """The gap after N steps h/L on both worst functions (L = R = 1), for every h of a grid in (0, 2) and several N."""
    h = torch.linspace(0.05, 1.95, budget.pick(20, 77), dtype=torch.float64).unsqueeze(-1)
    frames = []
    for N in budget.pick((1, 2, 5, 20), (1, 2, 3, 5, 10, 20, 50, 100)):
        bowl = quadratic([1.0], [1.0])
        gaps = []
        for problem in (huber(1.0, 1 / (2 * N * h + 1), 1.0), bowl):
            x0 = problem.start.expand(len(h), 1)
            gaps.append(run(GradientDescent(h), Oracle.full(problem), x0, N, problem.gap, at=[N]).values[0].cpu().numpy())
        steps = h.squeeze(-1).cpu().numpy()
        bound = gd.convex(L=1, R=1, h=steps, N=N)
        frames.append(pd.DataFrame({"N": N, "h": steps, "huber": gaps[0], "parabola": gaps[1], "bound": bound}))
    return pd.concat(frames, ignore_index=True)


def every_step(budget: Budget, factor: float) -> Verdict:
    table = worst_gaps(budget)
    # N steps on numbers of order 1 lose N roundings; (1-h)^(2N) at h = 1 is an exact zero and never the larger one
    return agrees(table[["huber", "parabola"]].max(axis=1), factor * table["bound"], 1e-12).showing(table)


@claim(
    kind="exact",
    source="S6; Kim (2024), arXiv:2412.04427, for h <= 1 Drori and Teboulle (2014)",
    planted={"bound halved": lambda budget: every_step(budget, 0.5)},
)
def every_constant_step(budget: Budget) -> Verdict:
    """S6: For every constant step h/L with 0 < h < 2 and every N the larger of the gaps on the Huber function with
    threshold R/(2Nh+1) and on L x^2/2 is (L R^2/2) max{1/(2Nh+1), (1-h)^(2N)}."""
    return every_step(budget, 1.0)


@cache
def measured_best_steps(budget: Budget) -> pd.DataFrame:
    """h where the two measured worst gaps cross, by bisection on runs, beside theory's h*(N)."""
    bowl = quadratic([1.0], [1.0])

    def difference(h, N):
        pair = [huber(1.0, 1 / (2 * N * h + 1), 1.0), bowl]
        gaps = [run(GradientDescent(h), Oracle.full(p), p.start, N, p.gap, at=[N]).values[0] for p in pair]
        return float(gaps[1] - gaps[0])

    counts = budget.pick((1, 2, 5, 10), (1, 2, 3, 5, 10, 20, 50, 100))
    steps = [brentq(difference, 1.0, 2.0 - 1e-9, args=(N,), xtol=1e-13) for N in counts]
    theory = gd.best_step_table(counts)
    return pd.DataFrame(
        {
            "N": counts,
            "measured": steps,
            "theory": [float(step) for _, step, _ in theory],
            "worst_gap_over_LR2": [float(rate) for *_, rate in theory],
            "gain_over_h_1": [1 / (4 * N + 2) / float(rate) for N, _, rate in theory],
        }
    )


def best_step(budget: Budget, shift: float) -> Verdict:
    table = measured_best_steps(budget)
    return agrees(table["measured"], table["theory"] + shift, 1e-8).showing(table)


@claim(
    kind="exact",
    source="S6; Kim (2024), arXiv:2412.04427; h*(N) derived in theory/gradient_descent.py",
    planted={"step off by 0.01": lambda budget: best_step(budget, 0.01)},
)
def best_constant_step(budget: Budget) -> Verdict:
    """S6: The best constant step for N steps is h*(N)/L, the root in (1, 2) of 1/(2Nh+1) = (1-h)^(2N); it gains less
    than a factor of 2 on h = 1 and the exponent stays 1."""
    return all_of(
        {
            "step": best_step(budget, 0.0),
            "gain": Verdict(
                "supported" if (measured_best_steps(budget)["gain_over_h_1"] < 2).all() else "refuted",
                {"largest": float(measured_best_steps(budget)["gain_over_h_1"].max())},
            ),
        }
    ).showing(measured_best_steps(budget))


@cache
def sampled(cell: str, budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies with N(eps) large enough for the leading term to be within 2 %, and Monte Carlo hitting times."""
    N, size = {
        "sgd_pl": (budget.pick((100, 300), (500, 1000, 2000)), budget.replicates),
        "sgd_convex": (budget.pick((2_000, 4_000), (20_000, 40_000)), budget.replicates // budget.pick(2, 5)),
        "sgd_nonconvex": (budget.pick((3_000, 10_000), (30_000, 100_000)), budget.pick(50, 200)),
    }[cell]
    power = 1 if cell == "sgd_pl" else 2
    unit = getattr(cells, f"{cell}_count")(1.0)
    eps = (unit / np.array(N, dtype=float)) ** (1 / power)
    return eps, getattr(cells, cell)(eps, GROUPS, size, budget.generator("noise"))


def leading_term(cell: str, budget: Budget, factor: float = 1.0) -> Verdict:
    """Both measurements of N(eps) against `factor` times the leading term: 3 % on the full budget, 10 % on quick."""
    eps, times = sampled(cell, budget)
    predicted, tolerance = factor * getattr(cells, f"{cell}_count")(eps), budget.pick(0.10, 0.03)
    recursion = np.array([exact_hitting_time(cell, e) for e in eps])
    ratios = (times / predicted[:, None]).mean(0, keepdims=True)  # the groups are independent, the accuracies too
    mean, low, high = interval(times)
    table = {"eps": eps, "theory": predicted, "monte_carlo": mean, "low": low, "high": high, "recursion": recursion}
    return all_of(
        {"monte_carlo": mean_is(ratios, [1.0], tolerance), "recursion": agrees(recursion, predicted, tolerance)}
    ).showing(table)


def exact_hitting_time(cell: str, eps: float) -> float:
    """N(eps) of the expectation itself, from the exact second moments, as a real number where they are smooth in N."""
    N = float(getattr(cells, f"{cell}_count")(eps))
    if cell == "sgd_pl":
        steps = [1 / (k + 1) for k in range(int(2 * N) + 2)]
        gaps = np.array(second_moments(1.0, steps, 1.0, 1.0, len(steps))) / 2
        return float(np.argmax(gaps <= eps))
    if cell == "sgd_convex":
        numbers = {"a": N**-0.5, "lam": cells.convex_curvature(N), "sigma": 1, "R": 1}
        return brentq(lambda k: averaged_parabola(N=k, **numbers) - eps, N / 4, 4 * N)
    numbers = {"a": (2 / N) ** 0.5, "lam": cells.two_mode_curvature(N), "L": 1, "Delta": 1, "sigma": 1}
    return brentq(lambda k: sgd.nonconvex_two_mode(N=k, **numbers) - eps, N / 4, 4 * N)


@claim(
    kind="constant",
    source="S5; exact second moments, proved in theory/witnesses.py",
    planted={"constant doubled": lambda budget: leading_term("sgd_pl", budget, 2.0)},
)
def sgd_pl(budget: Budget) -> Verdict:
    """S5: On mu x^2/2 +- sigma x SGD with steps 1/(mu(k+1)) needs sigma^2/(2 mu eps) steps, within 3 % (quick: 10 %)."""
    return leading_term("sgd_pl", budget)


@claim(
    kind="constant",
    source="S7; theory/parabola_family.py",
    planted={
        "the upper bound's constant 1": lambda b: leading_term("sgd_convex", b, 1 / float(cells.sgd_convex_count(1.0))),
        "the lower bound's constant 1/16": lambda b: leading_term("sgd_convex", b, 1 / 16 / cells.sgd_convex_count(1.0)),
    },
)
def sgd_convex(budget: Budget) -> Verdict:
    """S7: On lam x^2/2 +- sigma x with the worst lam for the step R/(sigma sqrt N), averaged SGD with that step needs
    0.0872 sigma^2 R^2/eps^2 iterations, within 3 % (quick: 10 %)."""
    return leading_term("sgd_convex", budget)


@claim(
    kind="constant",
    source="S9; exact second moments, theory/moments.py",
    planted={"the upper bound's constant 8": lambda budget: leading_term("sgd_nonconvex", budget, 4.0)},
)
def sgd_nonconvex(budget: Budget) -> Verdict:
    """S9: On the two-mode quadratic SGD with the best constant step needs 2 L Delta sigma^2/eps^2 steps until the mean
    of ||grad f||^2 is at most eps, within 3 % (quick: 10 %)."""
    return leading_term("sgd_nonconvex", budget)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    best = verdicts["best_constant_step"].table
    names = {"N": "$N$", "measured": r"$h^*$ measured", "theory": r"$h^*(N)$", "worst_gap_over_LR2": r"worst gap / $LR^2$"}
    rows = []
    for cell in ("sgd_pl", "sgd_convex", "sgd_nonconvex"):
        for row in verdicts[cell].table.itertuples():
            ratios = [value / row.theory for value in (row.monte_carlo, row.low, row.high, row.recursion)]
            rows.append([cell, row.theory, ratios[0], f"[{ratios[1]:.3f}, {ratios[2]:.3f}]", ratios[3]])
    columns = ["cell", r"$N(\varepsilon)$, leading term", "Monte Carlo / theory", "99 % interval", "recursion / theory"]
    return {
        "best-step": best.rename(columns=names | {"gain_over_h_1": "gain over $h = 1$"}),
        "constants": pd.DataFrame(rows, columns=columns),
    }


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), layout="constrained")
    figure.set_label(
        "Left: gap after N steps h/L on the two worst convex functions; the bound is the upper envelope, its minimum the "
        "best constant step. Right: measured N(eps) over the closed form on the witnesses."
    )
    table = verdicts["every_constant_step"].table
    for colour, (N, group) in enumerate(table[table["N"].isin([1, 5, 20])].groupby("N")):
        left.plot(group["h"], group["bound"], color=f"C{colour}", lw=1.2, label=f"bound, N = {N}")
        left.plot(group["h"], group["huber"], "o", ms=2.5, color=f"C{colour}")
        left.plot(group["h"], group["parabola"].where(group["parabola"] > 1e-5), "x", ms=3, color=f"C{colour}")
    left.set(yscale="log", ylim=(1e-3, 1), xlabel="step h = L a", ylabel="(f(x_N) - f*) / (L R^2)")
    left.set_title("circles: Huber, crosses: parabola")
    left.legend(frameon=False)
    for marker, cell in zip("osD^vP", ("gd_pl", "gd_convex", "gd_nonconvex", "sgd_pl", "sgd_convex", "sgd_nonconvex"),
                            strict=True):  # fmt: skip
        data = verdicts[cell].table
        measured = data["measured"] if "measured" in data else data["monte_carlo"]
        label = cell.replace("_", ", ", 1).replace("gd", "GD").replace("sGD", "SGD").replace("pl", "PL")
        right.plot(data["theory"], measured / data["theory"], marker, ms=3.5, label=label)
        if "low" in data:
            right.vlines(data["theory"], data["low"] / data["theory"], data["high"] / data["theory"], lw=0.8, color="0.4")
    right.axhline(1, color="0.3", lw=1)
    right.set(xscale="log", xlabel="N(eps), closed form (iterations)", ylabel="measured / closed form", ylim=(0.85, 1.15))
    right.legend(frameon=False, fontsize=7, ncols=2)
    return {"constants": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
