r"""The norms of the table, written a second time: numpy and scipy, in extended precision, without the solvers' code.

    ||A|| = scale(m, n) times l_p, or the sum of the k largest, of the parts of A

Parts are moduli of entries, lengths of columns or rows, or singular values, from another SVD driver than the solvers'. Each
form says as well what the table states of its dual, its LMO and its uniqueness.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import torch
from ratewitness.solvers.norms.lmo import NORMS
from torch import Tensor

DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}
ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24, "bfloat16": 2.0**-8}  # u

# slips of which a check must not approve
ARGMAX, EXPONENT, TRANSPOSED = "argmax", "dual exponent p", "transposed factor V U^T"
NUCLEAR_FULL = "UV^T of the full SVD for the nuclear norm"


def entries(A: np.ndarray) -> np.ndarray:
    return np.abs(A).ravel()


def columns(A: np.ndarray) -> np.ndarray:
    return np.sqrt((A * A).sum(0))


def rows(A: np.ndarray) -> np.ndarray:
    return columns(A.T)


def singular(A: np.ndarray) -> np.ndarray:
    return scipy.linalg.svd(A.T.astype(float), compute_uv=False, lapack_driver="gesvd")


def length(x: np.ndarray, p: float) -> float:
    """||x||_p of nonnegative numbers."""
    powers = x if p == 1 else x * x if p == 2 else (x.astype(float) ** p).astype(np.longdouble)
    return x.max() if p == np.inf else powers.sum() ** (1 / np.longdouble(p))


@dataclass(frozen=True)
class Form:
    """||A|| = scale(m, n) times l_p, or the sum of the k largest, of the parts of A; and what the table says of it."""

    parts: Callable[[np.ndarray], np.ndarray]
    p: float | None
    dual_text: str
    lmo_text: str
    unique: str
    k: int = 0
    scale: Callable[[int, int], float] = lambda m, n: 1.0

    @property
    def q(self) -> float:
        if self.p is None or self.p == 1:
            return np.inf
        return 1.0 if self.p == np.inf else self.p / (self.p - 1)

    def value(self, parts: np.ndarray, m: int, n: int) -> float:
        """||A|| from the parts of A."""
        return self.scale(m, n) * (length(parts, self.p) if self.p else np.sort(parts)[-self.k :].sum())

    def dual(self, parts: np.ndarray, m: int, n: int, exponent: float | None = None) -> float:
        """||A||_* from the parts of A; exponent: a wrong one in place of q."""
        each = length(parts, exponent or self.q) if self.p else max(parts.max(), parts.sum() / self.k)
        return each / self.scale(m, n)

    def allowed(self, m: int, n: int, dtype: str) -> float:
        """The stated tolerance in units of u."""
        if dtype == "bfloat16":
            return 2 * np.sqrt(min(m, n)) + 1
        amplified = max(q for q in (self.q, 2.0) if q < np.inf)
        return 8 * (m + n + amplified) + 2 * m * n if self.parts is singular else 4 * (m * n + amplified + 4)

    def applies(self, m: int, n: int) -> bool:
        """Whether an m x n matrix has k parts."""
        return self.k <= (m * n if self.parts is entries else min(m, n))


def answered(name: str, g: Tensor, slip: str = "") -> Tensor:
    """The solver's oracle at (draws, m, n), or a wrong one."""
    norm = NORMS["spectral" if (name, slip) == ("nuclear", NUCLEAR_FULL) else name]
    x = norm.lmo(g.flatten(-2) if norm.ndim == 1 else g).reshape(g.shape)
    transposed = slip == TRANSPOSED and FORMS[name].parts is singular and g.shape[-1] == g.shape[-2]
    return -x if slip == ARGMAX else x.mT if transposed else x


LP_DUAL = r"$\lVert g\rVert_q$, $1/p + 1/q = 1$"
POWERS = r"$-\mathrm{sign}(g)\,\lvert g\rvert^{q-1}/\lVert g\rVert_q^{q-1}$"
SPECTRAL_POWERS = r"$-U S^{q-1} V^\top/\lVert S\rVert_q^{q-1}$"
FULL, NONZERO, ONCE = "full rank", "$g \\ne 0$", r"$\max_i \lvert g_i\rvert$ attained once"
NO_ZERO, NO_COLUMN, NO_ROW = "no zero entry", "no zero column", "no zero row"
KY = r"$g_1 > \lVert g\rVert_1/k$ and $g_1 > g_2$, or $g_1 < \lVert g\rVert_1/k$ and no zero"
COLUMNS, ROWS = r"G_{:j}/\lVert G_{:j}\rVert_2$ in every column", r"G_{i:}/\lVert G_{i:}\rVert_2$ in every row"
FORMS: dict[str, Form] = {
    "l1": Form(entries, 1, r"$\lVert g\rVert_\infty$", r"$-\mathrm{sign}(g_i) e_i$, $i = \arg\max \lvert g_i\rvert$", ONCE),
    "l1.5": Form(entries, 1.5, LP_DUAL, POWERS, NONZERO),
    "l2": Form(entries, 2, r"$\lVert g\rVert_2$", r"$-g/\lVert g\rVert_2$", NONZERO),
    "l3": Form(entries, 3, LP_DUAL, POWERS, NONZERO),
    "linf": Form(entries, np.inf, r"$\lVert g\rVert_1$", r"$-\mathrm{sign}(g)$", NO_ZERO),
    "ky_fan_2": Form(entries, None, r"$\max(\lVert g\rVert_\infty, \lVert g\rVert_1/k)$",
                     r"as $\ell_1$, or $-\mathrm{sign}(g)/k$", KY, k=2),
    "frobenius": Form(entries, 2, r"$\lVert G\rVert_F$", r"$-G/\lVert G\rVert_F$", r"$G \ne 0$"),
    "spectral": Form(singular, np.inf, r"$\sum_i \sigma_i$", r"$-U V^\top$", FULL),
    "nuclear": Form(singular, 1, r"$\sigma_1$", r"$-u_1 v_1^\top$", r"$\sigma_1 > \sigma_2$"),
    "schatten_1.5": Form(singular, 1.5, r"$\lVert \sigma\rVert_q$", SPECTRAL_POWERS, r"$G \ne 0$"),
    "schatten_3": Form(singular, 3, r"$\lVert \sigma\rVert_q$", SPECTRAL_POWERS, r"$G \ne 0$"),
    "ky_fan_spectral_2": Form(singular, None, r"$\max(\sigma_1, \sum_i \sigma_i/k)$", r"$-u_1 v_1^\top$ or $-U V^\top/k$",
                              f"{KY}, of $\\sigma$", k=2),
    "column": Form(columns, np.inf, r"$\sum_j \lVert G_{:j}\rVert_2$", f"$-{COLUMNS}", NO_COLUMN),
    "row": Form(rows, np.inf, r"$\sum_i \lVert G_{i:}\rVert_2$", f"$-{ROWS}", NO_ROW),
    "max_abs": Form(entries, np.inf, r"$\sum_{ij} \lvert G_{ij}\rvert$", r"$-\mathrm{sign}(G)$", NO_ZERO),
    "rms_to_rms": Form(singular, np.inf, r"$\sqrt{m/n} \sum_i \sigma_i$", r"$-\sqrt{m/n}\, U V^\top$", FULL,
                       scale=lambda m, n: np.sqrt(n / m)),
    "l1_to_rms": Form(columns, np.inf, r"$\sqrt{m} \sum_j \lVert G_{:j}\rVert_2$", f"$-\\sqrt{{m}}\\, {COLUMNS}", NO_COLUMN,
                      scale=lambda m, n: 1 / np.sqrt(m)),
    "rms_to_linf": Form(rows, np.inf, r"$\sum_i \lVert G_{i:}\rVert_2/\sqrt{n}$", f"$-\\frac{{1}}{{\\sqrt{{n}}}}\\, {ROWS}",
                        NO_ROW, scale=lambda m, n: np.sqrt(n)),
    "sign": Form(entries, np.inf, r"$\sum_{ij} \lvert G_{ij}\rvert/n$", r"$-\mathrm{sign}(G)/n$", NO_ZERO,
                 scale=lambda m, n: float(n)),
}  # fmt: skip
