r"""Norms and their duals by name, in plain numpy: the second entry against which an LMO is tested.

    l1, l1.5, ..., linf     l_p,                       dual l_q, 1/p + 1/q = 1
    ky_fan_k                the k largest |x_i|,       dual max(l_inf, l_1/k)
    schatten_p, ky_fan_spectral_k, nuclear, frobenius, spectral      the same of the singular values; operator is spectral
    row, column             the largest l_2 norm of a row, of a column,      dual their sum
    max_abs                 the largest entry,         dual the sum of all
    rms_to_rms, l1_to_rms, rms_to_linf, sign           sqrt(n/m) spectral, column/sqrt(m), sqrt(n) row, n max_abs

Shares nothing with `solvers/norms/lmo.py`, on purpose. Points should be of order 1: nothing is scaled here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Batched = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # (count, *shape) -> (count,)


def lp(p: float) -> tuple[Batched, Batched]:
    """Norm and dual norm of vectors (count, d)."""
    q = np.inf if p == 1 else 1.0 if p == np.inf else p / (p - 1)
    return lambda x: np.linalg.norm(x, p, axis=-1), lambda g: np.linalg.norm(g, q, axis=-1)


def ky_fan(k: int) -> tuple[Batched, Batched]:
    """Norm and dual norm of vectors (count, d)."""

    def dual(g):
        return np.maximum(np.abs(g).max(-1), np.abs(g).sum(-1) / k)

    return lambda x: np.sort(np.abs(x), -1)[:, -k:].sum(-1), dual


def entries(x):
    return x.reshape(len(x), -1)


def rows(x):
    return np.sqrt((x * x).sum(-1))


def columns(x):
    return np.sqrt((x * x).sum(-2))


def singular_values(x):
    return np.linalg.svd(x, compute_uv=False)


# of matrices (count, m, n): the vector that is taken of each, norm and dual norm of it, and the factor of the norm
MATRIX_NORMS = {
    "frobenius": (entries, *lp(2), lambda m, n: 1.0),
    "max_abs": (entries, *lp(np.inf), lambda m, n: 1.0),
    "sign": (entries, *lp(np.inf), lambda m, n: n),
    "spectral": (singular_values, *lp(np.inf), lambda m, n: 1.0),
    "operator": (singular_values, *lp(np.inf), lambda m, n: 1.0),
    "nuclear": (singular_values, *lp(1), lambda m, n: 1.0),
    "rms_to_rms": (singular_values, *lp(np.inf), lambda m, n: np.sqrt(n / m)),
    "column": (columns, *lp(np.inf), lambda m, n: 1.0),
    "l1_to_rms": (columns, *lp(np.inf), lambda m, n: 1 / np.sqrt(m)),
    "row": (rows, *lp(np.inf), lambda m, n: 1.0),
    "rms_to_linf": (rows, *lp(np.inf), lambda m, n: np.sqrt(n)),
}
NUMBER = r"([1-9]\d*(?:\.\d+)?(?:e\+\d+)?)"
FAMILIES = {  # pattern: number of axes of a point, norm and dual norm for a parameter
    rf"l{NUMBER}": (1, lambda p: lp(float(p))),
    r"l(inf)": (1, lambda p: lp(float(p))),
    r"ky_fan_([1-9]\d*)": (1, lambda k: ky_fan(int(k))),
    rf"schatten_{NUMBER}": (2, lambda p: lp(float(p))),
    r"ky_fan_spectral_([1-9]\d*)": (2, lambda k: ky_fan(int(k))),
}


def named(name: str, shape: tuple[int, ...]) -> tuple[Batched, Batched]:
    """Norm and dual norm of points of that shape; raises ValueError for a name that is none or does not fit them."""
    family = next(((f, match[1]) for pattern, f in FAMILIES.items() if (match := re.fullmatch(pattern, name))), None)
    if name not in MATRIX_NORMS and family is None:
        accepted = ", ".join(("l1", "l1.5", "linf", "ky_fan_2", "schatten_3", "ky_fan_spectral_2", *MATRIX_NORMS))
        raise ValueError(f"norm is {name!r}; accepted are functions and names such as {accepted}")
    ndim = 2 if family is None else family[0][0]
    if len(shape) != ndim:
        accepted = "vectors (d,)" if ndim == 1 else "matrices (m, n)"
        raise ValueError(f"g has shape {shape}; the norm {name!r} takes {accepted}")
    if "ky_fan" in name and int(family[1]) > min(shape):
        raise ValueError(f"norm is {name!r}; accepted are integers k from 1 to d = {min(shape)}")
    if family is None:
        vector, norm, dual, factor = MATRIX_NORMS[name]
        c = factor(*shape)
    else:
        (norm, dual), vector, c = family[0][1](family[1]), singular_values if ndim == 2 else entries, 1.0
    return lambda x: c * norm(vector(x)), lambda g: dual(vector(g)) / c
