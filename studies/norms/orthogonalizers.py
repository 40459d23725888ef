r"""The orthogonalizations that studies compare, how many steps they take, and the error of what they return.

    polar factor of G = U S V^T (m x n, m >= n):    U V^T,  characterized by  X^T X = I  and  X^T G symmetric, X^T G >= 0

    SVD                      U V^T                                        any G
    Gram                     G (G^T G)^{-1/2} by an eigendecomposition    squares the condition number
    Muon                     five steps of its quintic                    to a band around 1, for kappa up to about 1e2
    Polar Express            five steps, as published                     the same, in one precision or another
    Newton-Schulz            as many steps as it takes                    T grows like log kappa

Errors need no reference: the larger of ||X^T X - I||_2 and the asymmetry ||H - H^T||_F/(2 ||G||_F), H = X^T G. The SVD of a
bfloat16 matrix is that of its float32 copy.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
import torch
from ratewitness.solvers.norms.inverse_root import inverse_root
from ratewitness.solvers.norms.odd_polynomials import greedy_composition, pade_polynomial
from ratewitness.solvers.norms.polar import ExactPolar, MuonQuintic, NewtonSchulz, PolarExpress
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.norms.spectra import geometric, with_singular_values
from torch import Tensor

DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}
MUON, EXPRESS, CUBIC, BEST = "Muon, 5 steps", "Polar Express, 5 steps", "Newton-Schulz 3", "Polar Express, converged"
SMALL = 64  # the size at which accuracy is measured
DONE = 1e-10  # the error of a singular value at which an iteration in float64 is done


def gram(g: Tensor) -> Tensor:
    """G (G^T G)^{-1/2}."""
    return g @ inverse_root(g.mT @ g, 2)


def newton_schulz_steps(degree: int, least: float, tolerance: float = DONE) -> int:
    """The first T with |1 - p(...p(least))| <= tolerance."""
    x, t, p = least, 0, pade_polynomial(degree)
    while abs(1 - x) > tolerance:
        x, t = x * np.polyval(p[::-1], x * x), t + 1
    return t


def polar_express(least: float, tolerance: float = DONE) -> PolarExpress:
    """The optimal composition of quintics on [least, 1], as long as it takes."""
    steps = next(t for t in range(1, 40) if greedy_composition(t, 5, least).errors[-1] <= tolerance)
    return PolarExpress(steps, low=least, cushion=0.0, safety=1.0, eps=0.0)


def methods(least: float, dtype: torch.dtype) -> dict[str, Callable[[Tensor], Tensor]]:
    """By name, for matrices whose smallest singular value is `least` when divided by the Frobenius norm."""
    tolerance = float(torch.finfo(dtype).eps)
    exact = {"SVD": ExactPolar()} | ({} if dtype is torch.bfloat16 else {"Gram": gram})
    converged = {f"Newton-Schulz {d}": NewtonSchulz(newton_schulz_steps(d, least, tolerance), d) for d in (3, 5)}
    return exact | converged | {BEST: polar_express(least, tolerance), EXPRESS: PolarExpress(5), MUON: MuonQuintic(5)}


def matrices(budget: Budget, kappa: float, count: int) -> tuple[Tensor, float]:
    """(count, SMALL, SMALL) with singular values log-spaced from 1 to 1/kappa and random singular vectors, and the least
    singular value after division by the Frobenius norm."""
    s = geometric(torch.full((count,), kappa, dtype=torch.float64, device=budget.device), SMALL)
    g, _ = with_singular_values(s, SMALL, budget.shared("matrices").generator(kappa, SMALL, SMALL))
    return g, float(s[0, -1] / s[0].norm())


def off_orthogonal(x: Tensor) -> np.ndarray:
    """||X^T X - I||_2 in float64, inf where X is not finite: (*batch, m, n) -> (*batch,)."""
    finite = x.isfinite().all(-1).all(-1)
    x = x.double().where(finite[..., None, None], 0.0)
    eye = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    return torch.linalg.matrix_norm(x.mT @ x - eye, 2).where(finite, torch.inf).cpu().numpy()


def error(x: Tensor, g: Tensor) -> np.ndarray:
    """The larger of ||X^T X - I||_2 and the asymmetry of X^T G: (*batch, m, n) twice -> (*batch,)."""
    H = x.double().mT @ g.double()
    asymmetry = torch.linalg.matrix_norm(H - H.mT) / (2 * torch.linalg.matrix_norm(g.double()))
    return np.fmax(off_orthogonal(x), asymmetry.cpu().numpy())


@measured
def errors(budget: Budget) -> pd.DataFrame:
    """Of each method, precision and condition number: the largest over ten matrices 64 x 64."""
    found = []
    for kappa, (name, dtype) in product((1e2, 1e6), DTYPES.items()):
        g, least = matrices(budget, kappa, 10)
        g = g.to(dtype)
        for method, f in methods(least, dtype).items():
            row = {"method": method, "dtype": name, "kappa": kappa}
            found.append(row | {"error": float(error(f(g), g).max()), "eps": torch.finfo(dtype).eps})
    return pd.DataFrame(found)
