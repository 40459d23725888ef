r"""Is Shampoo's update what its formula says, and the spectral norm's step where nothing is accumulated?

    W - a L^{-1/4} G R^{-1/4},      L = eps I + sum_s G_s G_s^T,   R = eps I + sum_s G_s^T G_s      (or averages of them)
    (G G^T)^{-1/4} G (G^T G)^{-1/4} = U V^T,      G = U S V^T

The second line makes the step without accumulation -a U V^T, the minimizer of <G, X> over the ball of the operator norm. In
floating point G G^T squares the condition number of G, which costs twice as many digits.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.quadratics import random_rotation
from ratewitness.solvers.norms.shampoo import Shampoo
from ratewitness.solvers.solver import iterates
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import bound_holds
from ratewitness.studies.measuring.drawing import Panel, legend_below, panels
from ratewitness.studies.measuring.streams import Stream, normal
from scipy.linalg import fractional_matrix_power, svd
from torch import Tensor

UNIT = 2.0**-53
SIZES = ((4, 4), (8, 3), (3, 8), (16, 16))
PROVED = "proved for exact arithmetic with the closed forms of the Schatten norms"
LOOKS = {f"{m} × {n}": f"C{j}{marker}" for j, ((m, n), marker) in enumerate(zip(SIZES, "osv^", strict=True))}


def first_step(solver, gradient: Tensor) -> np.ndarray:
    """The displacement of the first step from 0."""
    x = torch.zeros_like(gradient)
    return solver.step(x, solver.init(x), Stream(lambda t, x: gradient))[0].cpu().numpy()


def statistics(gradients: list[np.ndarray], eps: float, beta: float | None) -> tuple[np.ndarray, np.ndarray]:
    """L and R written out as sums over the past: independent of the recursion in the solver."""
    k = len(gradients)
    weights = [1.0 if beta is None else (1 - beta) * beta ** (k - 1 - j) for j in range(k)]
    kept = eps * (1.0 if beta is None else beta**k)
    left = sum(w * g @ g.T for w, g in zip(weights, gradients, strict=True))
    right = sum(w * g.T @ g for w, g in zip(weights, gradients, strict=True))
    return kept * np.eye(len(left)) + left, kept * np.eye(len(right)) + right


@claim("exact", "S38; Gupta, Koren and Singer (2018), arXiv:1802.09568, algorithm 1")
@planted("powers -1/2", power=-0.5)
@planted("G^T G on the left", transposed=True, sizes=((5, 5),))
@planted("sums where averages are meant", average=False)
def update_is_its_formula(
    budget: Budget, power: float = -0.25, transposed: bool = False, average: bool = True, sizes=((5, 5), (3, 7), (8, 2))
) -> Verdict:
    """S38, as stated: Shampoo steps by -a L^{-1/4} G R^{-1/4}, L and R being averages or plain sums of G G^T and G^T G.

    For L = beta^k eps I + (1 - beta) sum_j beta^(k-1-j) G_j G_j^T after k gradients and R alike (EMA), or eps I plus the
    plain sums, the fourth step of both forms agrees within 1e-9 with the formula, recomputed by fractional powers of another
    library from the whole past."""
    errors = []
    for (m, n), beta in product(sizes, (None, 0.9)):
        sequence = 3 * normal(budget.shared("shampoo_update").generator(m, n), 4, m, n)
        solver, x = Shampoo(lr=0.1, eps=1e-3, beta=beta), torch.zeros_like(sequence[0])
        points = [x for _, x in zip(range(5), iterates(solver, Stream(lambda t, x, s=sequence: s[t]), x), strict=False)]
        past = list(sequence.cpu().numpy())
        L, R = statistics(past, 1e-3, beta if average else None)
        L, R = (R, L) if transposed else (L, R)
        expected = -0.1 * fractional_matrix_power(L, power) @ past[-1] @ fractional_matrix_power(R, power)
        errors.append(np.linalg.norm((points[4] - points[3]).cpu().numpy() - expected) / np.linalg.norm(expected))
    return bound_holds(errors, 1e-9)


@claim("upper bound", f"S38; {PROVED}; backward stability for the limit")
@planted("powers -1/2", power=2)
@planted("the gradient transposed", transposed=True, sizes=((4, 4), (16, 16)))
@planted("the maximizer", sign=1.0)
@planted("an eps of 1e-3", eps=1e-3)
def without_accumulation_is_the_spectral_lmo(
    budget: Budget, power: int = 4, eps: float = 0.0, transposed: bool = False, sign: float = -1.0, sizes=SIZES
) -> Verdict:
    """S38: Without accumulation and eps Shampoo's step is -U V^T, the minimizer of <G, X> over the operator norm's ball.

    For condition numbers kappa of G from 1 to 1e6 and four sizes it is within 10 d u kappa^2 of that relatively, d the
    larger side and u = 2^-53, as G G^T squares kappa and its eigenvalues carry errors of the order of u."""
    solver, rows = Shampoo(lr=1.0, eps=eps, power=power), []
    for (m, n), kappa in product(sizes, np.logspace(0, 6, 7)):
        generator, k = budget.shared("polar").generator(m, n, kappa), min(m, n)
        U, V = random_rotation(m, generator)[:, :k], random_rotation(n, generator)[:, :k]
        G = (U * torch.logspace(0, -math.log10(kappa), k, dtype=torch.float64, device=U.device)) @ V.mT
        left, _, right = svd(G.cpu().numpy(), full_matrices=False)
        step = first_step(solver, G.mT.contiguous() if transposed else G)
        error = np.linalg.norm(step - sign * left @ right) / math.sqrt(k)
        rows.append({"m": m, "n": n, "kappa": kappa, "error": error, "limit": 10 * max(m, n) * UNIT * kappa**2})
    table = pd.DataFrame(rows)
    return bound_holds(table["error"], table["limit"]).showing(table)


@claim("exact", "S38; derived in studies/norms/shampoo_update.py: L_0 = (1 - beta) G G^T, both roots of degree -1/2")
@planted("no factor", power=0.0)
@planted("(1 - beta)^(-1/4)", power=-0.25)
@planted("with bias correction", corrected=True)
def first_step_of_the_average(budget: Budget, power: float = -0.5, corrected: bool = False) -> Verdict:
    """S38: The first step of averaging Shampoo without bias correction is -a (1 - beta)^(-1/2) U V^T.

    With eps = 0 it is 3.2 times as long as a U V^T at beta = 0.9 and 32 times at 0.999. It agrees within 1e-9, for beta from
    0.5 to 0.999."""
    errors = []
    for m, n in SIZES:
        G = normal(budget.shared("first step").generator(m, n), m, n)
        left, _, right = svd(G.cpu().numpy(), full_matrices=False)
        for beta in (0.5, 0.9, 0.99, 0.999):
            step = first_step(Shampoo(lr=1.0, eps=0.0, beta=beta, bias_correction=corrected), G)
            expected = -((1 - beta) ** power) * left @ right
            errors.append(np.linalg.norm(step - expected) / np.linalg.norm(expected))
    return bound_holds(errors, 1e-9)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["without_accumulation_is_the_spectral_lmo"].table
    table = table.assign(size=[f"{m} × {n}" for m, n in zip(table["m"], table["n"], strict=True)])
    caption = (
        "Distance of Shampoo's step without accumulation to $-UV^T$ against the condition number of the gradient. Line: the "
        r"limit $10\,d\,u\,\kappa^2$ for $d = 16$, $u$ the unit roundoff."
    )
    labels = r"condition number $\kappa$ of $G$", "relative distance to $-UV^T$"
    figure = panels(caption, LOOKS, [Panel(table, "kappa", *labels, y="error", by="size")], legend="none", height=3.2)
    largest = table[table["m"] == 16]
    figure.axes[0].plot(largest["kappa"], largest["limit"], "0.3", lw=1, label="limit, $d = 16$")
    legend_below(figure)
    return {"polar": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
