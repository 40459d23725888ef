r"""How many matrix products take an orthogonalization to full accuracy?

    a step of degree 2q + 1:    q + 1 products,    4 m n^2 + 2 (q - 1) n^3 flops  (m >= n)

An SVD takes about 6 m n^2 + 20 n^3 (Golub and Van Loan), but most of them are slower ones: `svd_bottleneck` times both.

Sources: N. Higham (2008), Functions of Matrices, chapter 8; N. Amsel, D. Persson, C. Musco and R. Gower (2025),
arXiv:2505.16932; G. Golub and C. Van Loan (2013).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pandas as pd
import torch
from ratewitness.solvers.norms.polar import MuonQuintic, NewtonSchulz, PolarExpress
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import equals_exactly
from ratewitness.studies.norms.orthogonalizers import DONE, matrices, newton_schulz_steps, polar_express
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode


def worst(x: Tensor) -> float:
    """The largest distance of a singular value from 1."""
    return float((torch.linalg.svdvals(x.double()) - 1).abs().max())


@measured
def first_accurate(budget: Budget) -> pd.DataFrame:
    """Steps of the matrix iterations until every singular value is within DONE of 1, and those of the scalar recursion."""
    found = []
    for kappa in (1e1, 1e2, 1e4, 1e6):
        g, least = matrices(budget, kappa, 1)
        best = polar_express(least)
        families = {f"Newton-Schulz {d}": (d, NewtonSchulz(1, d), newton_schulz_steps(d, least)) for d in (3, 5, 7)}
        for name, (degree, one, predicted) in {**families, "Polar Express": (5, best, best.steps)}.items():
            steps = next(t for t in range(1, 100) if worst(replace(one, steps=t)(g)) <= DONE)
            row = {"kappa": kappa, "least": least, "method": name, "measured": steps, "predicted": predicted}
            found.append(row | {"products": steps * (degree + 1) // 2})
    return pd.DataFrame(found)


@claim(
    "exact",
    "S35; Higham (2008); Amsel et al. (2025), arXiv:2505.16932",
    units={
        f"{method}, kappa 1e+0{k}": "products"
        for method in ("Newton-Schulz 3", "Newton-Schulz 5", "Polar Express")
        for k in (2, 6)
    },
)
@planted("one step less", law=lambda found: found["predicted"] - 1)
@planted("steps in proportion to kappa", law=lambda found: (found["predicted"] * found["kappa"] / 10).astype(int))
@planted("five steps are enough", law=lambda found: 0 * found["predicted"] + 5)
def products_to_full_accuracy(budget: Budget, law: Callable = lambda found: found["predicted"]) -> Verdict:
    """S35, refined: A matrix takes exactly as many steps to full accuracy as its smallest singular value in the scalar
    recursion.

    For kappa = 1e1 to 1e6, by Newton-Schulz of degree 3, 5 and 7 and the optimal composition of quintics, the steps until
    every singular value of a float64 matrix is within 1e-10 of 1 are those predicted, all integers equal. A step takes
    (degree + 1)/2 products, and the evidence has the products."""
    found = first_accurate(budget)
    shown = found[found["kappa"].isin([1e2, 1e6]) & (found["method"] != "Newton-Schulz 7")].itertuples()
    evidence = {f"{row.method}, kappa {row.kappa:.0e}": float(row.products) for row in shown}
    return equals_exactly(found["measured"], law(found)).noting(**evidence).showing(found)


@claim("cost", "S35; solvers/norms/polar.py")
@planted("q products a step", law=lambda T, q, m, n: T * (2 * m * n**2 + 2 * (q - 1) * n**3))
@planted("the larger Gram matrix", law=lambda T, q, m, n: T * (4 * n * m**2 + 2 * (q - 1) * m**3))
def flops_of_the_iterations(
    budget: Budget, law: Callable = lambda T, q, m, n: T * (4 * m * n**2 + 2 * (q - 1) * n**3)
) -> Verdict:
    """S35, refined: T steps of degree 2q + 1 on an m x n matrix, m >= n, take T (4 m n^2 + 2 (q-1) n^3) flops.

    Flops in products are counted as they are executed, on the transpose as well, 2 for a multiplication with an addition.
    For Muon's five steps on a square matrix they are 30 n^3."""
    counted, predicted = [], []
    for (m, n), T in product(((64, 64), (256, 64), (64, 256), (160, 10)), (1, 5)):
        for f, q in ((MuonQuintic(T), 2), (PolarExpress(T), 2), (NewtonSchulz(T, 3), 1), (NewtonSchulz(T, 7), 3)):
            with FlopCounterMode(display=False) as counter:
                f(torch.eye(m, n, dtype=torch.float64))
            counted.append(counter.get_total_flops())
            predicted.append(law(T, q, max(m, n), min(m, n)))
    return equals_exactly(counted, predicted)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = verdicts["products_to_full_accuracy"].table
    wide = found.pivot_table(index="method", columns="kappa", values="products", sort=False).astype(int)
    wide.columns = [rf"$\kappa$ = {kappa:.0e}" for kappa in wide.columns]
    return {"products": wide.reset_index()}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
