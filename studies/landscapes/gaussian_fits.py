r"""Minimum-norm fits on Gaussian features, and features of which a fit sees the first p.

    y = sum_{j <= 120} b_j x_j + noise,    40 samples,    ||b||^2 = 1,    noise of variance 1/4

The squared coefficients b_j^2 fall by a factor 0.85 each, are equal, or grow as they fell. "All" is the case without unseen
features: b = (1, 0, ..., 0), which the first p hold for every p. Widths p with |p - 40| < 5 are not measured: nearer to the
threshold means of samples say little, as the risk has no second moment for |p - 40| <= 3 and is infinite for |p - 40| <= 1.
Means are compared with the exact risk in units of the exact standard error, as sample deviations are too small as a rule.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from ratewitness.studies.claims import Budget, Verdict, measured
from ratewitness.studies.judges import expectation_is
from ratewitness.studies.measuring.streams import normal
from ratewitness.theory.double_descent import deviation, selected
from scipy import stats
from torch import Tensor

N, TOTAL, SIGNAL, NOISE = 40, 120, 1.0, 0.25
WIDTHS = np.array([1, 2, 3, 5, 8, 11, 14, 17, 20, 25, 30, 33, 35, 45, 47, 50, 55, 60, 70, 80, 100, 120])
GROUPS = 20
FITS = {"quick": 4000, "full": 20_000}  # a width
_POWERS = 0.85 ** np.arange(TOTAL)
SQUARES = {  # b_j^2
    "all": np.eye(TOTAL)[0],
    "falling": _POWERS / _POWERS.sum(),
    "equal": np.full(TOTAL, 1 / TOTAL),
    "growing": _POWERS[::-1] / _POWERS.sum(),
}


def inside(order: str, p: np.ndarray) -> np.ndarray:
    """The part of ||b||^2 that the first p features hold."""
    return np.cumsum(SQUARES[order])[np.asarray(p) - 1]


def predicted(order: str, p: np.ndarray, noise: float = NOISE) -> np.ndarray:
    """The exact risk of a prediction from the first p features."""
    return selected(N, p, inside(order, p), SIGNAL - inside(order, p), noise)


def fit(A: Tensor, y: Tensor) -> Tensor:
    """Least squares of least norm for A (*batch, n, p) of full rank, y (*batch, n, k) -> (*batch, p, k)."""
    if A.shape[-2] > A.shape[-1]:
        return torch.cholesky_solve(A.mT @ y, torch.linalg.cholesky(A.mT @ A))
    return A.mT @ torch.cholesky_solve(y, torch.linalg.cholesky(A @ A.mT))


@measured("double_descent_exact")
def fits(budget: Budget) -> dict[str, np.ndarray]:
    """(widths, GROUPS) each: the risk for each order of the features; of all features also the squared norm of the fit, its
    training risk, and the excess risk of the fit nearest to a point at squared distance 4 from b ("started")."""
    size, generator = FITS[budget.name] // GROUPS, budget.generator()
    b = torch.tensor(np.sqrt(np.stack(list(SQUARES.values()), -1)), device=budget.device)  # (TOTAL, orders)
    found = {name: np.empty((len(WIDTHS), GROUPS)) for name in (*SQUARES, "norm", "training", "started")}
    for group in range(GROUPS):
        X, e = normal(generator, size, N, TOTAL), NOISE**0.5 * normal(generator, size, N, 1)
        y = X @ b + e
        for i, p in enumerate(WIDTHS):
            A, kept = X[..., :p], b[:p]
            start = kept[:, :1] + 2 / int(p) ** 0.5
            w = fit(A, torch.cat([y, y[..., :1] - A @ start], -1))
            excess = (w[..., :-1] - kept).square().sum(-2) + (SIGNAL - kept.square().sum(0)).clamp(min=0)
            seen = {name: excess[:, j] + NOISE for j, name in enumerate(SQUARES)}
            seen["norm"] = w[..., 0].square().sum(-1)
            seen["training"] = (y[..., :1] - A @ w[..., :1]).square().mean((-2, -1))
            seen["started"] = (start[:, 0] + w[..., -1] - kept[:, 0]).square().sum(-1)
            for name, values in seen.items():
                found[name][i, group] = float(values.mean())
    return found


def as_predicted(budget: Budget, orders: tuple[str, ...], widths: np.ndarray, noise: float, tolerance: float) -> Verdict:
    """Whether the risks at these widths are the exact ones for this noise, in intervals from exact standard deviations."""
    at = np.isin(WIDTHS, widths)
    means = np.stack([fits(budget)[order][at].mean(-1) for order in orders])
    errors = np.stack([spread(order, WIDTHS[at]) for order in orders]) / FITS[budget.name] ** 0.5
    return expectation_is(means, errors, np.stack([predicted(order, WIDTHS[at], noise) for order in orders]), tolerance)


def spread(order: str, p: np.ndarray) -> np.ndarray:
    """The exact standard deviation of the risk of one fit."""
    return deviation(N, p, inside(order, p), SIGNAL - inside(order, p) + NOISE)


def table(budget: Budget, orders: tuple[str, ...]) -> pd.DataFrame:
    """The exact risk at every width where it is finite, and means with 99 % intervals where they were measured."""
    parts, p = [], np.arange(1, TOTAL + 1)
    at = np.isin(p, WIDTHS)
    for order in orders:
        theory, mean = predicted(order, p), np.full(TOTAL, np.nan)
        mean[at] = fits(budget)[order].mean(-1)
        half = stats.norm.ppf(0.995) * spread(order, p) / FITS[budget.name] ** 0.5
        columns = {"order": order, "p": p, "measured": mean, "low": mean - half, "high": mean + half}
        parts.append(pd.DataFrame(columns | {"theory": np.where(np.isfinite(theory), theory, np.nan)}))
    return pd.concat(parts, ignore_index=True)
