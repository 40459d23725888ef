r"""How sharp are the constants of the six cells?

    GD:   N(eps) = ceil(ln(Delta/eps)/(-2 ln(1-mu/L))),  ceil((L R^2/eps - 2)/4),  ceil((4 L Delta/eps - 2)/3)
    SGD:  N(eps) ~ sigma^2/(2 mu eps),  0.0872 sigma^2 R^2/eps^2,  2 L Delta sigma^2/eps^2

On the witnesses the iteration counts of GD are these integers, and the leading terms of SGD are these numbers. The
integers are compared as integers; the leading terms are measured twice, by Monte Carlo hitting times and by the exact
second-moment recursion of `theory/moments.py`. 0.0872 is not quoted: it is the square of the maximum over c in
`theory/parabola_family.py`, for the textbook's step and among parabolas, not among all convex functions. Other constant
steps of GD are the question of `constant_steps`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, equals_exactly, mean_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.rates import cells

GROUPS = 10
Law = Callable[[np.ndarray], np.ndarray]  # N of eps
CLOSED_FORMS = {cell: partial(cells.count, cell) for cell in (*cells.GD, *cells.SGD)}


@measured
def counted(budget: Budget, cell: str) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies over 3 (full budget: 3.6) decades and the integer hitting times of a GD cell, (E,) both."""
    eps = 0.037 * np.logspace(0, -budget.pick(3.0, 3.6), budget.pick(13, 25))
    return eps, cells.GD[cell](eps)[:, 0]


def integers(budget: Budget, cell: str, law: Law) -> Verdict:
    eps, times = counted(budget, cell)
    predicted = np.ceil(law(eps)).astype(int)
    return equals_exactly(times, predicted).showing({"eps": eps, "theory": predicted, "measured": times})


@claim("exact", "S4; theory/gradient_descent.py, proof for one dimension")
@planted("Polyak's rate (1-mu/L)^N", law=lambda eps: np.log(1 / eps) / -np.log(1 - cells.MU))
def gd_pl(budget: Budget, law: Law = CLOSED_FORMS["gd_pl"]) -> Verdict:
    """S4, refined: On mu x^2/2 GD with step 1/L needs exactly ceil(ln(Delta/eps)/(-2 ln(1-mu/L))) steps.

    (1-mu/L)^2 is the exact PL rate in one dimension. kappa = 100, 13 accuracies over 3 decades (full: 25 over 3.6)."""
    return integers(budget, "gd_pl", law)


@claim("exact", "S6; Drori and Teboulle (2014)")
@planted("the textbook's L R^2/(2N)", law=lambda eps: 1 / (2 * eps))
def gd_convex(budget: Budget, law: Law = CLOSED_FORMS["gd_convex"]) -> Verdict:
    """S6, refined: On the Huber witness GD with step 1/L needs exactly ceil((L R^2/eps - 2)/4) steps.

    At 13 accuracies over 3 decades (full budget: 25 over 3.6), each with the Huber function chosen for it."""
    return integers(budget, "gd_convex", law)


@claim("exact", "S8; Abbaszadehpeivasti, de Klerk and Zamani (2021), arXiv:2104.05468")
@planted("the textbook's 2 L Delta/N", law=lambda eps: 2 / eps)
@planted("4 L Delta/(3N), without the 2", law=lambda eps: 4 / (3 * eps))
def gd_nonconvex(budget: Budget, law: Law = CLOSED_FORMS["gd_nonconvex"]) -> Verdict:
    """S8, refined: On the sawtooth witness GD with step 1/L needs exactly ceil((4 L Delta/eps - 2)/3) steps to ||grad f||^2
    <= eps.

    At 13 accuracies over 3 decades (full budget: 25 over 3.6), each with the sawtooth chosen for it."""
    return integers(budget, "gd_nonconvex", law)


@measured
def sampled(budget: Budget, cell: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Accuracies with N(eps) large enough for the leading term to be within 2 %, Monte Carlo hitting times (E, groups), and
    those of the expectation itself (E,)."""
    N, size = {
        "sgd_pl": (budget.pick((100, 300), (500, 1000, 2000)), budget.replicates),
        "sgd_convex": (budget.pick((2_000, 4_000), (20_000, 40_000)), budget.replicates // budget.pick(2, 5)),
        "sgd_nonconvex": (budget.pick((3_000, 10_000), (30_000, 100_000)), budget.pick(50, 200)),
    }[cell]
    power = 1 if cell == "sgd_pl" else 2
    eps = (cells.count(cell, 1.0) / np.array(N, dtype=float)) ** (1 / power)
    noise = budget.shared(f"sharp_constants.{cell}").generator("noise")
    return eps, cells.SGD[cell](eps, GROUPS, size, noise), np.array([cells.expected_time(cell, e) for e in eps])


def leading_term(budget: Budget, cell: str, law: Law) -> Verdict:
    """Both measurements of N(eps) against the leading term: 3 % on the full budget, 10 % on quick."""
    (eps, times, recursion), tolerance = sampled(budget, cell), budget.pick(0.10, 0.03)
    predicted = law(eps)
    ratios = (times / predicted[:, None]).mean(0, keepdims=True)  # the groups are independent, the accuracies too
    both = {"monte_carlo": mean_is(ratios, [1.0], tolerance), "recursion": agrees(recursion, predicted, tolerance)}
    return all_of(both).showing(rows(times, eps=eps, theory=predicted, recursion=recursion))


@claim("constant", "S5; exact second moments, proved in theory/witnesses.py")
@planted("a quarter more", law=lambda eps: 0.625 / eps)
@planted("a fifth less", law=lambda eps: 0.4 / eps)
def sgd_pl(budget: Budget, law: Law = CLOSED_FORMS["sgd_pl"]) -> Verdict:
    """S5, refined: On mu x^2/2 +- sigma x SGD with steps 1/(mu(k+1)) needs sigma^2/(2 mu eps) steps.

    Within 3 % (quick: 10 %), at N from 500 to 2000 (quick: 100 and 300)."""
    return leading_term(budget, "sgd_pl", law)


@claim("constant", "S7; theory/parabola_family.py")
@planted("0.11", law=lambda eps: 0.11 / eps**2)
@planted("the lower bound's constant 1/16", law=lambda eps: 1 / (16 * eps**2))
def sgd_convex(budget: Budget, law: Law = CLOSED_FORMS["sgd_convex"]) -> Verdict:
    """S7, refined: Averaged SGD with the step R/(sigma sqrt N) needs 0.0872 sigma^2 R^2/eps^2 iterations on the worst
    parabola.

    On lam x^2/2 +- sigma x with the worst lam for that step: within 3 % (quick: 10 %), at N = 20 000 and 40 000 (quick:
    2000 and 4000)."""
    return leading_term(budget, "sgd_convex", law)


@claim("constant", "S9; exact second moments, theory/moments.py")
@planted("a quarter more", law=lambda eps: 2.5 / eps**2)
@planted("a fifth less", law=lambda eps: 1.6 / eps**2)
def sgd_nonconvex(budget: Budget, law: Law = CLOSED_FORMS["sgd_nonconvex"]) -> Verdict:
    """S9, refined: SGD needs 2 L Delta sigma^2/eps^2 steps on the two-mode quadratic until the mean of ||grad f||^2 is at
    most eps.

    With the best constant step: within 3 % (quick: 10 %), at N = 30 000 and 100 000 (quick: 3000 and 10 000)."""
    return leading_term(budget, "sgd_nonconvex", law)


LOOKS = {"GD, PL": "C0o", "GD, convex": "C1s", "GD, nonconvex": "C2D"}
LOOKS |= {"SGD, PL": "C3^", "SGD, convex": "C4v", "SGD, nonconvex": "C5P"}


def records(verdicts: dict[str, Verdict]) -> pd.DataFrame:
    tables = {name: verdicts[name.lower().replace(", ", "_")].table for name in LOOKS}
    return stacked(tables, "cell")


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = records(verdicts).dropna(subset="recursion")
    ratio = found[["measured", "low", "high", "recursion"]].div(found["theory"], axis=0)
    shown = {
        "cell": found["cell"],
        r"$N(\varepsilon)$, leading term": found["theory"],
        "Monte Carlo / theory": ratio["measured"],
        "99 % interval": [f"[{low:.3f}, {high:.3f}]" for low, high in ratio[["low", "high"]].to_numpy()],
        "recursion / theory": ratio["recursion"],
    }
    return {"constants": pd.DataFrame(shown)}


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    axes = {"x": "theory", "xlabel": r"$N(\varepsilon)$, closed form", "ylabel": "measured / closed form", "unit": "theory"}
    panel = Panel(records(verdicts), **axes, by="cell", theory=False, levels={"closed form": 1.0}, log="x")
    caption = (
        r"Measured $N(\varepsilon)$ over the closed form on the witnesses: the exact integers of GD, and the leading terms "
        "of SGD with 99 % intervals."
    )
    return {"constants": panels(caption, LOOKS, [panel], height=3.2)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
