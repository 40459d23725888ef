r"""How exact are inverse fourth roots, by eigendecomposition and by coupled Newton iteration?

    A^{-1/4},     spectrum of A in [1/kappa, 1]

A backward stable method returns the root of A + E with ||E|| of the order of d u, u the unit roundoff. The smallest
eigenvalue 1/kappa then carries a relative error of the order of d u kappa, and its power -1/4, which is the norm of the
root, a quarter of that: the error relative to ||A^{-1/4}|| is of the order of u kappa, not u kappa^{1/4}, although the root
itself has condition number kappa^{1/4}. Every digit is lost where d u kappa reaches 1.
"""

from __future__ import annotations

from itertools import product

import mpmath
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.quadratics import random_rotation
from ratewitness.solvers.norms.inverse_root import inverse_root
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, equals_exactly, exponent_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows
from torch import Tensor

SIDE = 8
METHODS = {"eigh": "eigendecomposition", "newton": "coupled Newton"}
UNIT = {"float64": 2.0**-53, "float32": 2.0**-24}
DTYPE = {"float64": torch.float64, "float32": torch.float32}
CONDITIONS = {"float64": np.logspace(0, 12, 13), "float32": np.logspace(0, 4.5, 10)}  # d u kappa < 0.02
FAR = 100.0  # on either side of kappa = 1/(d u)
LOOKS = {"eigendecomposition, float64": "C0o", "coupled Newton, float64": "C1s"}
LOOKS |= {"eigendecomposition, float32": "C2^", "coupled Newton, float32": "C3v"}


def matrices(budget: Budget, kappa: float, count: int) -> tuple[Tensor, Tensor]:
    """Rotated matrices (count, 8, 8) with spectrum log-spaced in [1/kappa, 1], and their inverse fourth roots."""
    generator = budget.generator("matrices", f"{kappa:.6g}")
    Q = torch.stack([random_rotation(SIDE, generator) for _ in range(count)])
    lam = kappa ** -torch.linspace(0, 1, SIDE, dtype=Q.dtype, device=Q.device)
    A, root = ((Q * lam**power) @ Q.mT for power in (1, -0.25))
    return (A + A.mT) / 2, root


def exact_root(A: np.ndarray, digits: int = 40) -> np.ndarray:
    """A^{-1/4} of this very matrix, in 40-digit arithmetic."""
    with mpmath.workdps(digits):
        lam, Q = mpmath.eigsy(mpmath.matrix(A.tolist()))
        root = Q * mpmath.diag([value ** mpmath.mpf(-0.25) for value in lam]) * Q.T
        return np.array(root.tolist(), dtype=float)


def root_error(A: Tensor, exact: np.ndarray, power: int, method: str) -> np.ndarray:
    """||X - exact||_2 / ||exact||_2 of each matrix; infinite where the method refuses it."""
    errors = []
    for matrix, reference in zip(A, exact, strict=True):
        try:
            X = inverse_root(matrix, power, method=method).double().cpu().numpy()
        except ValueError:  # singular to working precision
            X = np.full_like(reference, np.inf)
        infinite = not np.isfinite(X).all()
        errors.append(np.inf if infinite else np.linalg.norm(X - reference, 2) / np.linalg.norm(reference, 2))
    return np.array(errors)


@measured
def references(budget: Budget, precision: str) -> list[tuple[Tensor, np.ndarray]]:
    """For each condition number matrices rounded to the precision, and their exact roots."""
    found = []
    for kappa in CONDITIONS[precision]:
        A = matrices(budget, kappa, budget.pick(12, 24))[0].to(DTYPE[precision])
        found.append((A, np.stack([exact_root(matrix) for matrix in A.double().cpu().numpy()])))
    return found


@measured
def errors(budget: Budget, precision: str, method: str, power: int = 4) -> np.ndarray:
    """Relative errors (conditions, matrices) of a method that is meant to give inverse fourth roots."""
    return np.stack([root_error(A, exact, power, method) for A, exact in references(budget, precision)])


def limited(budget: Budget, method: str, factor: float, exponent: float, power: int) -> Verdict:
    """The worst error of the method against factor d u kappa^exponent, in both precisions; the errors of both methods."""
    judged, found = {}, []
    for precision, unit in UNIT.items():
        kappa = CONDITIONS[precision]
        bound = factor * SIDE * unit * kappa**exponent
        judged[precision] = bound_holds(errors(budget, precision, method, power).max(1), bound)
        for each, name in METHODS.items():
            every = errors(budget, precision, each)
            table = rows(every, kappa=kappa, worst=every.max(1), **{"d u kappa": SIDE * unit * kappa})
            found.append(table.assign(precision=precision, method=name))
    return all_of(judged).showing(pd.concat(found, ignore_index=True))


@claim("upper bound", "S40; backward stability of the symmetric eigenvalue problem")
@planted("4 d u kappa^(1/4)", exponent=0.25)
@planted("4 d u kappa^(1/2)", exponent=0.5)
@planted("the inverse square root in its place", power=2)
def error_by_eigendecomposition(budget: Budget, exponent: float = 1.0, power: int = 4) -> Verdict:
    """S40: The inverse fourth root by eigendecomposition has a relative error of at most 4 d u kappa.

    The error is in the operator norm, against 40-digit arithmetic on the same rounded matrix, d = 8, for kappa from 1 to
    1e12 in float64 and to 3e4 in float32."""
    return limited(budget, "eigh", 4, exponent, power)


@claim("upper bound", "S40; Guo and Higham (2006), doi:10.1137/050643374, for the stability of the coupled iteration")
@planted("40 d u kappa^(1/4)", exponent=0.25)
@planted("the inverse square root in its place", power=2)
def error_by_newton(budget: Budget, exponent: float = 1.0, power: int = 4) -> Verdict:
    """S40: The coupled Newton iteration, which multiplies matrices only, has a relative error of at most 40 d u kappa.

    As for `error_by_eigendecomposition`, the error is in the operator norm, against 40-digit arithmetic, d = 8, for kappa
    from 1 to 1e12 in float64 and to 3e4 in float32. The limit checked is ten times that of the eigendecomposition."""
    return limited(budget, "newton", 40, exponent, power)


@claim("exponent", "S40; derived in studies/norms/inverse_roots.py")
@planted("exponent 0.75", power=0.75)
@planted("exponent 1.25", power=1.25)
def error_is_linear_in_the_condition(budget: Budget, power: float = 1.0) -> Verdict:
    """S40: In float64 the error of both methods grows like kappa.

    The exponent is 1 +- 0.15 over ten decades from kappa = 100 on, below which the rounding of kappa = 1 shows. In float32
    that rounding and the breakdown leave too short a range for an exponent; there the bounds are checked."""
    used = CONDITIONS["float64"] >= 99
    accuracies = 1 / CONDITIONS["float64"][used]  # errors rise with kappa as hitting times do with 1/eps
    found = {method: errors(budget, "float64", method)[used] for method in METHODS}
    return all_of({method: exponent_is(accuracies, e, power, 0.15, decades=9) for method, e in found.items()})


@claim("law", "S40; derived in studies/norms/inverse_roots.py")
@planted("it breaks down at 1e-4/(d u)", edge=1e-4)
@planted("it holds to 1e4/(d u)", edge=1e4)
def both_break_down_at_the_reciprocal_of_rounding(budget: Budget, edge: float = 1.0) -> Verdict:
    """S40: Both methods give every inverse fourth root at kappa = 0.01/(d u), and neither gives any at 100/(d u).

    For d = 8 the roots are right to one digit before; beyond, the Newton iteration refuses the matrix, or the error is above
    1/10. The limit is kappa of about 1e15 in float64 and 2e6 in float32."""
    useless, found = {"before": [], "beyond": []}, []
    for (precision, unit), side in product(UNIT.items(), useless):
        kappa = edge * (FAR if side == "beyond" else 1 / FAR) / (SIDE * unit)
        A, exact = matrices(budget.shared("inverse_roots"), kappa, budget.pick(5, 20))
        for method, name in METHODS.items():
            error = root_error(A.to(DTYPE[precision]), exact.cpu().numpy(), 4, method)
            failed = (~(error <= 0.1)).astype(int)
            useless[side] += failed.tolist()
            row = {"precision": precision, "method": name, "kappa": kappa, "matrices": len(error)}
            found.append(row | {"refused": int(np.isinf(error).sum()), "useless": int(failed.sum())})
    before, beyond = map(np.array, useless.values())
    parts = {"before": equals_exactly(before, 0 * before), "beyond": equals_exactly(beyond, 0 * beyond + 1)}
    return all_of(parts).showing(pd.DataFrame(found))


def figures(verdicts: dict[str, Verdict]) -> dict:
    table = verdicts["error_by_eigendecomposition"].table
    table = table.assign(method=table["method"] + ", " + table["precision"], theory=table["d u kappa"])
    table["low"] = table["low"].clip(lower=table["measured"] / 10)  # an interval that reaches below zero has no logarithm
    caption = (
        r"Relative error of inverse fourth roots of $8 \times 8$ matrices against their condition number: means over "
        r"matrices with 99 % intervals. Lines (theory): $d\,u\,\kappa$, $u$ the unit roundoff of the precision."
    )
    y = "relative error of $A^{-1/4}$"
    panel = Panel(table, "kappa", r"condition number $\kappa$", y, options={"ylim": (1e-18, 1)})
    return {"errors": panels(caption, LOOKS, [panel], height=3.2)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
