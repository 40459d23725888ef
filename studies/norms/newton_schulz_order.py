r"""How fast does the Newton-Schulz iteration converge?

    p(x) = x sum_{j <= q} a_j (1 - x^2)^j  (Pade, degree 2q + 1),    1 - sigma_min(X_T) <= (1 - l^2)^{(q+1)^T}

with l = sigma_min/||G||_F: q + 1 is the exact order. For large T the error is smaller by a constant, that of the lower bound
(1/2) (c/(q+1))^{((q+1)^T-1)/q} (1-l^2)^{(q+1)^T}, c = (2q+1) binom(2q, q)/4^q. In print the exponent is (d+1)^T, d = 2q + 1
the degree: too large, as planted variants show. How many steps that makes: `orthogonalization`.

Source: N. Amsel, D. Persson, C. Musco and R. Gower (2025), arXiv:2505.16932.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from ratewitness.solvers.norms.polar import NewtonSchulz
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, proved
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.norms.matrix_runs import ROUNDING_FLOOR, SOURCE, runs
from ratewitness.studies.norms.spectra import errors, two_values, with_singular_values
from ratewitness.theory import newton_schulz

SHOWN = dict(zip((0, 2, 4, 6), ("C0o", "C1s", "C2^", "C3D"), strict=True))  # powers of ten of the condition number


@claim("proof", f"S34; {SOURCE}, Theorem 4.3; proof in theory/newton_schulz.py")
@planted("order q + 2", order=2)
@planted("the exponent (d+1)^T in print, d = 3", exponent=4)
@planted("the exponent (d+1)^T in print, d = 5", exponent=6, degree=5)
def pade_bound(budget: Budget, order: int = 1, exponent: int = 2, degree: int = 3) -> Verdict:
    """S34: T steps of Newton-Schulz of degree 2q + 1 from l leave at most (1-l^2)^{(q+1)^T}, for every q.

    For the Pade polynomial p of degree 2q + 1 and 0 <= x <= 1, (c/(q+1)) (1-x^2)^{q+1} <= 1 - p(x)^2 <= (1-x^2)^{q+1}, c =
    (2q+1) binom(2q, q)/4^q, from which the bound follows. Machine-checked: the polynomial and its defect in degrees 3 to 9,
    the coefficients of the defect for symbolic q, that orders multiply, and in rational numbers that the exponent printed
    elsewhere is false. In prose (theory/newton_schulz.py): that positive coefficients of sum 1 give both sides, and the
    induction over T. Nothing is cited."""
    return proved(
        lambda: (
            all(newton_schulz.is_truncated_series(2 * q + 1) for q in (1, 2, 3, 4))
            and all(newton_schulz.defect_is_small(2 * q + 1, order=q + order) for q in (1, 2, 3, 4))
            and newton_schulz.defect_in_general()
            and newton_schulz.orders_multiply()
            and newton_schulz.exponent_holds(exponent, degree=degree)
        )
    ).noting(identities=5)


@claim("upper bound", f"S34; {SOURCE}, Theorem 4.3; proof in theory/newton_schulz.py")
@planted("the exponent (d+1)^T in print", order=lambda q: 2 * q + 2)
@planted("order q + 2", order=lambda q: q + 2)
@planted("bound halved", factor=0.5)
def newton_schulz_below_its_bound(budget: Budget, order: Callable = lambda q: q + 1, factor: float = 1.0) -> Verdict:
    """S34: Newton-Schulz of degree 2q + 1 stays below (1-l^2)^{(q+1)^T} at every step.

    In degrees 3, 5, 7, 9 and on matrices of condition 1 to 1e8 it holds down to rounding (1e-14 kappa). The bound is
    attained in the limit l -> 0 at fixed T; where the error is small it is smaller by the constant of the lower bound."""
    table = pd.concat([runs(budget, f"NS {d}") for d in (3, 5, 7, 9)], ignore_index=True)
    q = (table["method"].str[-1].astype(int) - 1) // 2
    bound = np.maximum(factor * newton_schulz.upper_bound(l=table["l"], q=order(q) - 1, T=table["T"]), 1e-300)
    verdict = bound_holds(table["error"], bound, ROUNDING_FLOOR * table["condition"])
    return verdict.showing(table.assign(bound=bound))


@measured("orthogonalization")
def on_two_values(budget: Budget) -> pd.DataFrame:
    """Newton-Schulz on 2 x 2 matrices with singular values l and sqrt(1-l^2), while the error is above 1e-12."""
    generator = budget.generator("two values")
    l = torch.tensor([1e-3, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], dtype=torch.float64, device=generator.device)
    G, polar = with_singular_values(two_values(l), 2, generator)
    frames = []
    for q in (1, 2, 3, 4):
        for T in range(1, budget.pick(12, 24)):
            error = errors(NewtonSchulz(T, 2 * q + 1)(G), polar)
            frames.append(pd.DataFrame({"q": q, "l": l.cpu().numpy(), "T": T, "error": error}))
    table = pd.concat(frames, ignore_index=True)
    return table[~(table["error"] <= 1e-12)].reset_index(drop=True)


@claim("law", "S34; theory/newton_schulz.py")
@planted("order q + 2", order=2)
@planted("lower bound doubled", factor=2.0)
def order_is_exact(budget: Budget, order: int = 1, factor: float = 1.0) -> Verdict:
    """S34: The order of Newton-Schulz of degree 2q + 1 is q + 1, no more and no less.

    On a matrix with the singular values l and sqrt(1-l^2) the error lies between (1/2) (c/(q+1))^{((q+1)^T-1)/q}
    (1-l^2)^{(q+1)^T} and (1-l^2)^{(q+1)^T}, c = (2q+1) binom(2q, q)/4^q, for ten l from 1e-3 to 0.7, q = 1 to 4 and T <= 23
    (quick: 11), wherever it exceeds 1e-12."""
    table = on_two_values(budget)
    at = {"l": table["l"], "T": table["T"]}
    upper = np.maximum(newton_schulz.upper_bound(q=table["q"] + order - 1, **at), 1e-300)
    leading = table["q"].map(lambda q: float(newton_schulz.leading(q)))
    lower = factor * newton_schulz.lower_bound(q=table["q"], c=leading, **at)
    verdict = all_of({"upper": bound_holds(table["error"], upper), "lower": bound_holds(lower, table["error"])})
    return verdict.showing(table.assign(upper=upper, lower=lower))


def figures(verdicts: dict[str, Verdict]) -> dict:
    cubic = verdicts["newton_schulz_below_its_bound"].table.query("method == 'NS 3'")
    cubic = cubic[cubic["error"] > ROUNDING_FLOOR * cubic["condition"]].rename(columns={"bound": "theory"})
    names = {10.0**k: rf"$\kappa = 10^{k}$" for k in SHOWN}
    cubic["condition"] = cubic["condition"].map(names)
    panel = Panel(
        cubic, "T", "steps $T$", r"error $\Vert X_T - UV^{\top}\Vert_2$", y="error", by="condition", log="y",
        options={"ylim": (1e-14, 3)},
    )  # fmt: skip
    caption = r"Error of cubic Newton-Schulz (points) under its bound (theory), by the condition number $\kappa$."
    return {"error": panels(caption, dict(zip(names.values(), SHOWN.values(), strict=True)), [panel], height=3.0)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
