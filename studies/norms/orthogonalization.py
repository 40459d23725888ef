r"""In how many steps do matrix products alone orthogonalize a matrix?

    G = U S V^T,  ||G||_F = 1,  l = its smallest singular value;   error = ||X_T - U V^T||_2 = max_i |1 - sigma_i(X_T)|

Newton-Schulz of degree 2q + 1 stays below (1 - l^2)^{(q+1)^T}, and q + 1 is its exact order (`newton_schulz_order`). The
greedy composition of optimal polynomials (Polar Express without cushion and safety factor) leaves 1 - l_{T+1}. Conditioning
costs steps in proportion to log(1/l): each step multiplies small singular values by p'(0), divided by 2 for a greedy step,
whose image is twice as long. Normalizing by the Frobenius norm is part of the methods: l is below 1/kappa, and 1/sqrt(n) for
a flat spectrum of n values. The counts of the greedy compositions are those of an oracle that knows l; elsewhere: what a few
steps do (`few_steps`), why the compositions are optimal (`optimal_compositions`), where Muon's quintic ends (`muon_band`),
what low precision leaves (`polar_in_low_precision`), what all this costs in time (`svd_bottleneck`).

Source: N. Amsel, D. Persson, C. Musco and R. Gower (2025), arXiv:2505.16932.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from ratewitness.solvers.norms.odd_polynomials import greedy_composition, optimal_odd_polynomial, pade_polynomial
from ratewitness.solvers.norms.polar import NewtonSchulz
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, equals_exactly
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.norms.matrix_runs import CONDITIONS, GREEDY, PRODUCTS, ROUNDING_FLOOR, SOURCE, STEPS, runs
from ratewitness.studies.norms.spectra import errors, two_values, with_singular_values

ACCURACIES = (1e-2, 1e-6, 1e-12)
LOOKS = {"NS 3": "C0o", "NS 5": "C1s", "greedy 3": "C2^", "greedy 5": "C3D"}


def first(error: np.ndarray, eps: float) -> int:
    """The number of steps until the error is at most eps; -1 where it never is."""
    return int(np.argmax(error <= eps)) + 1 if (error <= eps).any() else -1


def predicted_errors(method: str, l: float) -> np.ndarray:
    """After 1, 2, ... steps, from the smallest singular value alone."""
    degree = int(method[-1])
    if method.startswith("greedy"):
        return np.array(greedy_composition(STEPS[method], degree, float(l)).errors)
    x, path = l, []
    for _ in range(STEPS[method]):
        x = np.polyval(np.insert(pade_polynomial(degree)[::-1], range(1, (degree + 3) // 2), 0), x)
        path.append(1 - x)
    return np.array(path)


@measured
def counts(budget: Budget) -> pd.DataFrame:
    """Steps to each accuracy on every matrix, measured and predicted."""
    found = []
    for method in STEPS:
        for condition, run in runs(budget, method).groupby("condition"):
            l = run["l"].iloc[0]
            paths = {"measured": run["error"].to_numpy(), "predicted": predicted_errors(method, l)}
            for eps in ACCURACIES:
                if eps > 10 * ROUNDING_FLOOR * condition:
                    row = {"method": method, "condition": condition, "l": l, "eps": eps}
                    found.append(row | {name: first(path, eps) for name, path in paths.items()})
    return pd.DataFrame(found)


def with_the_reciprocal_condition(budget: Budget) -> Verdict:
    """The steps of the greedy quintic to 1e-2 predicted with 1/kappa in place of l."""
    measured = counts(budget).query("method == 'greedy 5' and eps == 1e-2")["measured"]
    return equals_exactly(measured, [first(predicted_errors("greedy 5", 1 / kappa), 1e-2) for kappa in CONDITIONS])


@claim("exact", f"S34; {SOURCE}; scalar recurrences")
@planted("one step fewer", fewer=1)
@planted("with 1/kappa for the smallest singular value, greedy 5 to 1e-2", with_the_reciprocal_condition)
def steps_are_predicted(budget: Budget, fewer: int = 0) -> Verdict:
    """S34, refined: How many steps an orthogonalization takes is decided by l = sigma_min/||G||_F alone.

    For the steps to 1e-2, 1e-6 and 1e-12, on matrices of condition 1 to 1e8, the counts are those of the scalar recurrence
    at l (Newton-Schulz) and of 1 - l_{T+1} (greedy), wherever float64 can tell (eps > 1e-13 kappa)."""
    table = counts(budget)
    return equals_exactly(table["measured"], table["predicted"] - fewer).showing(table)


def half_way(error: np.ndarray) -> float:
    """The number of steps until the error is 1/2, interpolated between steps as if 1 - error grew geometrically."""
    grown = np.maximum.accumulate(np.log(1 - error))
    return float(np.interp(np.log(0.5), grown, np.arange(1, len(error) + 1), left=np.nan, right=np.nan))


@measured
def slopes(budget: Budget) -> pd.DataFrame:
    """Steps to the error 1/2 per decade of 1/l, fitted from l = 1e-3 to 1e-8 on matrices with the singular values l,
    sqrt(1-l^2): measured, and ln 10/ln(growth)."""
    generator = budget.generator("slopes")
    l = torch.logspace(-3, -8, budget.pick(6, 21), dtype=torch.float64, device=generator.device)
    G, polar = with_singular_values(two_values(l), 2, generator)
    steps, growth = {}, []
    for degree, longest in ((3, 60), (5, 40), (7, 32)):
        paths = np.stack([errors(NewtonSchulz(T, degree)(G), polar) for T in range(1, longest)])
        steps[f"NS {degree}"] = [half_way(path) for path in paths.T]
        made = [replace(GREEDY, degree=degree, low=float(low)) for low in l]
        steps[f"greedy {degree}"] = [
            half_way(np.array([errors(replace(method, steps=T)(g), p) for T in range(1, longest // 2)]))
            for method, g, p in zip(made, G, polar, strict=True)
        ]
        growth += [pade_polynomial(degree)[0], optimal_odd_polynomial(1e-9, 1.0, degree)[0] / 2]
    measured = np.polyfit(-np.log10(l.cpu().numpy()), np.array(list(steps.values())).T, 1)[0]
    return pd.DataFrame({"method": list(steps), "measured": measured, "predicted": np.log(10) / np.log(growth)})


@claim("constant", f"S34; {SOURCE}; slopes at zero")
@planted("the rate of the bound, ln 100/ln(q+1)", law=lambda predicted: np.log(100) / np.log([2, 2, 3, 3, 4, 4]))
@planted(
    "greedy steps that do not double the interval",
    law=lambda predicted: 1 / (1 / predicted + np.log10(2)), judged=slice(1, None, 2),
)  # fmt: skip
def a_decade_costs_steps(
    budget: Budget, law: Callable = lambda predicted: predicted, judged: slice = slice(None)
) -> Verdict:
    """S34, refined: Conditioning costs steps in proportion to its logarithm.

    For degrees 3, 5, 7 and l from 1e-3 to 1e-8 each factor 10 in 1/l costs, within 5 %, ln 10/ln p'(0) steps of
    Newton-Schulz and ln 10/ln(p'(0)/2) greedy steps, p in the latter the limit, as l -> 0, of the optimal polynomials on [l,
    1] (computed at l = 1e-9)."""
    table = slopes(budget)
    return agrees(table["measured"][judged], law(table["predicted"])[judged], 0.05).showing(table)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    table = verdicts["steps_are_predicted"].table
    table = table.assign(products=table["measured"] * table["method"].map(PRODUCTS))
    wide = table.pivot_table(index=["eps", "condition"], columns="method", values="products", aggfunc="first")
    wide = wide.reset_index().sort_values(["eps", "condition"], ascending=[False, True])
    return {"products": wide.rename(columns={"eps": r"$\varepsilon$", "condition": r"$\kappa$"})}


def figures(verdicts: dict[str, Verdict]) -> dict:
    steps = verdicts["steps_are_predicted"].table.query("eps == 1e-2")
    products = steps["method"].map(PRODUCTS)
    steps = steps.assign(products=steps["measured"] * products, theory=steps["predicted"] * products)
    caption = (
        "Matrix products to the error $10^{-2}$ against the smallest singular value, measured on matrices (points) and "
        "predicted (theory). NS: Newton-Schulz, by degree; greedy: the composition of optimal polynomials, by degree."
    )
    x, options = r"smallest singular value $\ell$", {"ylim": (0, None)}
    panel = Panel(steps, "l", x, "matrix products", y="products", log="x", options=options)
    return {"products": panels(caption, LOOKS, [panel], height=3.0)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
