r"""How many digits do orthogonalizations by matrix products give?

    error:  the larger of ||X^T X - I||_2 and the asymmetry of X^T G,    singular values log-spaced from 1 to 1/kappa

The methods stand in `orthogonalizers`. For kappa = 1e6 the SVD in float32 (and so in bfloat16) and Gram in float32 have
error 1: singular values below n eps of the largest, squared ones for Gram, count as zero and are dropped. The optimal
quintics without a cushion turn infinite there in bfloat16: rounding carries singular values beyond the interval on which the
next quintic is bounded. Nor are they as accurate as the SVD in float64: their large first steps lose digits for kappa = 1e6.

Sources: N. Higham (2008), Functions of Matrices, chapter 8; K. Jordan (2024); N. Amsel, D. Persson, C. Musco and R. Gower
(2025), arXiv:2505.16932.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from ratewitness.solvers.norms.polar import ExactPolar
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, exponent_is
from ratewitness.studies.norms.orthogonalizers import (
    BEST,
    CUBIC,
    EXPRESS,
    MUON,
    SMALL,
    errors,
    gram,
    matrices,
    off_orthogonal,
)  # fmt: skip

STABLE = ("SVD", CUBIC, "Newton-Schulz 5")
LIMITS = {1e2: (0.1, 0.9), 1e6: (0.99, 1.01)}  # of the error of five steps, by condition number


@claim("upper bound", "S35; Higham (2008)")
@planted("a hundredth of it", factor=0.01)
@planted("the Gram matrix as well", also="Gram")
@planted("the optimal quintics as well", also=BEST)
@planted("five steps of Muon as well", also=MUON)
@planted("five steps of Polar Express as well", also=EXPRESS)
def accuracy_at_convergence(budget: Budget, factor: float = 1.0, also: str = "SVD") -> Verdict:
    """S35, refined: Newton-Schulz, with as many steps as its scalar recursion asks for, is as accurate as the SVD.

    In degrees 3 and 5 the error is at most n eps, n = 64, for kappa = 1e2 in float64 and float32 and for kappa = 1e6 in
    float64. The optimal composition of quintics, without the published cushion, is not as accurate: its large first steps
    lose digits for kappa = 1e6."""
    found = errors(budget)
    # where kappa n eps > 1 the SVD cannot tell the smallest singular values from zero, and drops them
    judged = found[found["method"].isin((*STABLE, also)) & (found["kappa"] * SMALL * found["eps"] < 0.1)]
    return bound_holds(judged["error"], factor * SMALL * judged["eps"]).showing(found)


@claim("lower bound", "S35; Jordan (2024); Amsel et al. (2025), arXiv:2505.16932")
@planted("exact to a per cent", limits={1e2: (0.0, 0.01)})
@planted("as good for kappa = 1e6", limits={1e6: (0.1, 0.9)})
def accuracy_of_five_steps(budget: Budget, limits: Mapping[float, tuple[float, float]] = LIMITS) -> Verdict:
    """S35, refined: Five steps of Muon's quintic or of Polar Express do not replace the SVD, not even its first digit.

    They leave ||X^T X - I||_2 between 0.1 and 0.9 for kappa = 1e2 and above 0.99 for kappa = 1e6 (64 x 64), with Polar
    Express as published, in float64, float32 and bfloat16 alike."""
    found, verdicts = errors(budget), {}
    for kappa, (low, high) in limits.items():
        here = found.loc[(found["kappa"] == kappa) & found["method"].isin([MUON, EXPRESS]), "error"]
        verdicts[f"kappa {kappa:.0e}, above"] = bound_holds(low / here, 1.0)
        verdicts[f"kappa {kappa:.0e}, below"] = bound_holds(here, high)
    return all_of(verdicts)


@measured
def in_float64(budget: Budget) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Condition numbers, and ||X^T X - I||_2 (kappas, groups of 10 matrices) of Gram and of the SVD."""
    kappas = np.logspace(3, 6, 10)
    every = [matrices(budget, float(kappa), 50)[0] for kappa in kappas]
    both = {"Gram": gram, "SVD": ExactPolar()}
    return kappas, {name: np.stack([off_orthogonal(f(g)).reshape(5, 10).mean(1) for g in every]) for name, f in both.items()}


@claim("exponent", "S35; Higham (2008)")
@planted("exponent 1.5", power=1.5)
@planted("exponent 2.4", power=2.4)
@planted("the SVD as well", method="SVD")
def gram_loses_twice_the_digits(budget: Budget, method: str = "Gram", power: float = 2.0) -> Verdict:
    """S35, refined: The Gram matrix loses twice the digits: the error of G (G^T G)^{-1/2} grows like kappa^2.

    For ||X^T X - I||_2 by an eigendecomposition the exponent of kappa is between 1.75 and 2.25 in float64, for kappa from
    1e3 to 1e6, where it stands clear of the rounding errors that any method makes."""
    kappas, found = in_float64(budget)
    means = {name: groups.mean(1) for name, groups in found.items()}
    return exponent_is(1 / kappas, found[method], power, 0.25).showing({"kappa": kappas} | means)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = verdicts["accuracy_at_convergence"].table
    digits = found.pivot_table(index="method", columns=["dtype", "kappa"], values="error", sort=False)
    digits.columns = [rf"{dtype}, $\kappa$ = {kappa:.0e}" for dtype, kappa in digits.columns]
    return {"errors": digits.map(lambda e: f"{e:.1e}" if e == e else "--").reset_index()}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
