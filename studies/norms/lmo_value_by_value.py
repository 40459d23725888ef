"""Are the solvers' linear minimization oracles those of theory/, entry by entry?

    |lmo(g) - exact|_ij <= 16 (m + n) kappa u max |exact|,      kappa = sigma_1 over the smallest gap of singular values

The formulas of theory/ are evaluated in 50 digits at small matrices of floats; solvers/norms/lmo.py was written without
them. u is the unit roundoff: 2^-53 in float64, 2^-24 in float32. With entries tied or rank to spare an oracle is not unique;
only the convention of the spectral norm, which leaves null directions out, has one answer there.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pandas as pd
import sympy as sp
import torch
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import bound_holds
from ratewitness.studies.norms.norm_forms import ARGMAX, DTYPES, EXPONENT, FORMS, ROUNDOFF, TRANSPOSED, answered
from ratewitness.theory import induced, norms
from torch import Tensor

DIGITS = 50
FULL_SVD = "UV^T of the full SVD"
VECTORS = {  # the solver's norm, and the formulas of theory/ for vectors or singular values
    "l1": norms.L1, "l1.5": norms.lp(sp.Rational(3, 2)), "l2": norms.L2, "l3": norms.lp(3), "linf": norms.LINF,
    "ky_fan_2": norms.ky_fan(2),
}  # fmt: skip
SPECTRA = {
    "nuclear": norms.L1, "schatten_1.5": norms.lp(sp.Rational(3, 2)), "frobenius": norms.L2, "schatten_3": norms.lp(3),
    "spectral": norms.LINF, "rms_to_rms": norms.LINF, "ky_fan_spectral_2": norms.ky_fan(2),
}  # fmt: skip
BLOCKS = {
    "column": induced.COLUMN, "row": induced.ROW, "max_abs": induced.MAX_ABS, "l1_to_rms": induced.L1_TO_RMS,
    "rms_to_linf": induced.RMS_TO_LINF, "sign": induced.SIGN,
}  # fmt: skip
WRONG_EXPONENT = {"l1.5": 1.5, "l3": 3, "schatten_1.5": 1.5, "schatten_3": 3}


def of_moduli(norm: norms.Norm, moduli: list) -> list:
    """theory's oracle at nonnegative numbers in any order; zeros stay zero."""
    order = sorted((i for i, s in enumerate(moduli) if s > mpmath.mpf(10) ** (10 - DIGITS)), key=lambda i: -moduli[i])
    found = norm.lmo([sp.Float(moduli[i], DIGITS) for i in order])
    answer = [mpmath.mpf(0)] * len(moduli)
    for i, value in zip(order, found, strict=True):
        answer[i] = mpmath.mpf(str(sp.N(value, DIGITS)))
    return answer


@mpmath.workdps(DIGITS)
def in_theory(name: str, g: np.ndarray, slip: str = "") -> tuple[np.ndarray, float]:
    """theory's oracle at an m x n matrix of floats, in 50 digits, and the condition number of the question."""
    norm, condition = (VECTORS | SPECTRA | BLOCKS)[name], 1.0
    if slip == EXPONENT and name in WRONG_EXPONENT:
        p = sp.Rational(WRONG_EXPONENT[name])
        norm = norms.lp(p, p)
    if name in SPECTRA:
        u, s, vt = mpmath.svd_r(mpmath.matrix(g.tolist()), full_matrices=False)
        s = list(s)
        kept = [e for e in s if e > s[0] * mpmath.mpf(10) ** (15 - DIGITS)]
        weights = [mpmath.mpf(-1)] * len(s) if (slip, name) == (FULL_SVD, "spectral") else of_moduli(norm, s)
        if name == "rms_to_rms":
            weights = [weight * mpmath.sqrt(mpmath.mpf(g.shape[0]) / g.shape[1]) for weight in weights]
        x = u * mpmath.diag(weights) * vt
        x = x.T if slip == TRANSPOSED and x.rows == x.cols else x
        condition = float(kept[0] / min(a - b for a, b in zip(kept, [*kept[1:], mpmath.mpf(0)], strict=True)))
    elif name in VECTORS:
        moduli = of_moduli(norm, [abs(mpmath.mpf(e)) for e in g.ravel()])
        x = mpmath.matrix([[abs(e) * -np.sign(f) for e, f in zip(moduli, g.ravel(), strict=True)]])
    else:
        moduli = norm.lmo(sp.Matrix(*g.shape, [sp.Float(abs(e), DIGITS) for e in g.ravel().tolist()]))
        x = mpmath.matrix(*g.shape)
        for i, j in np.ndindex(*g.shape):
            x[i, j] = mpmath.mpf(str(sp.N(moduli[i, j], DIGITS))) * np.sign(g[i, j])
    return (-1 if slip == ARGMAX else 1) * np.array(x.tolist(), dtype=float).reshape(g.shape), condition


@measured("lmo_closed_forms")
def questions(budget: Budget, dtype: str) -> list[Tensor]:
    """Small matrices with distinct singular values, and matrices of integers of half the rank."""
    generator, found = budget.generator("questions"), []
    options = {"generator": generator, "dtype": torch.float64, "device": generator.device}
    for m, n in ((4, 4), (6, 4), (4, 6), (1, 5), (5, 1)):
        k = min(m, n)
        for _ in range(budget.pick(1, 6)):
            u, v = (torch.linalg.qr(torch.randn(size, k, **options)).Q for size in (m, n))
            s = (0.5 + torch.rand(k, **options)).cumsum(0)
            found.append((u * s) @ v.mT)
            if k > 1:
                left, right = (torch.randint(-3, 4, shape, **options) for shape in ((m, k // 2), (k // 2, n)))
                found.append(left @ right)
    return [g.to(DTYPES[dtype]) for g in found]


@claim("exact", "S33, S32; solvers/norms/lmo.py, theory/norms.py, theory/schatten.py, theory/induced.py")
@planted(ARGMAX, slip=ARGMAX)
@planted(EXPONENT, slip=EXPONENT)
@planted(TRANSPOSED, slip=TRANSPOSED)
@planted(FULL_SVD, slip=FULL_SVD)
def value_by_value(budget: Budget, slip: str = "") -> Verdict:
    """S33: Entry by entry the solvers' LMO is that of theory in 50 digits, for every norm of the table.

    Up to 16 (m + n) kappa u times the largest entry in float64 and float32, kappa = sigma_1 over the smallest gap of the
    singular values (1 where they do not enter); in the spectral norm also at matrices of half the rank, where the null
    directions are left out. Matrices from 1 x 5 to 6 x 4, 6 of a kind (quick: one)."""
    found = []
    for dtype in ("float64",) if slip else ("float64", "float32"):
        for g in questions(budget, dtype):
            m, n = g.shape
            deficient = min(m, n) > 1 and bool((g == g.round()).all())
            for name in VECTORS | SPECTRA | BLOCKS:
                if (deficient and name != "spectral") or FORMS[name].k > min(m, n):
                    continue
                expected, condition = in_theory(name, g.double().cpu().numpy(), slip)
                got = answered(name, g[None])[0].double().cpu().numpy()
                error = np.abs(got - expected).max() / np.abs(expected).max() / ROUNDOFF[dtype]
                found.append((name, dtype, m, n, error, 16 * (m + n) * condition))
    table = pd.DataFrame(found, columns=["norm", "dtype", "m", "n", "error", "allowed"])
    worst = table.groupby(["norm", "dtype"], sort=False)[["error", "allowed"]].max().reset_index()
    return bound_holds(table["error"], table["allowed"], floor=-1).showing(worst)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
