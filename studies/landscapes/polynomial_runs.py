"""Polynomials of least norm through noisy values of sin(4.5 x): their risk, in expectation over the noise.

    p = phi' A^+ y,    risk = int (f - phi' A^+ f)^2 dx/2 + sigma^2 int ||(A^+)' phi(x)||^2 dx/2       (bias and variance)

A holds the basis at the nodes, A^+ is its pseudo-inverse from singular values, none of them cut off. So no draw of the noise
enters, and the peak has the height that it has in expectation. Integrals are Gauss quadratures with more points than
coefficients. Digits are lost in proportion to the condition number of A: where that is above ROUNDING a fit counts as
rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import mpmath
import numpy as np
import pandas as pd
from numpy.polynomial import chebyshev, legendre
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.measuring.groups import stacked
from ratewitness.studies.measuring.streams import normal
from ratewitness.theory.interpolation_noise import chebyshev_nodes, lobatto_nodes

DEVIATION = 0.25  # of the noise
SAMPLES = 50
ROUNDING = 1e14
BASES = ("Chebyshev", "Legendre", "orthonormal")
COUNTS = np.unique([*range(1, 111), 120, 140, 160, 200, 250, 300, 400, 600, 1000])  # of coefficients
EQUISPACED = np.linspace(-1, 1, SAMPLES)
NODES = {"equispaced": EQUISPACED, "Chebyshev": chebyshev_nodes(SAMPLES), "Lobatto": lobatto_nodes(SAMPLES)}


def target(x: np.ndarray) -> np.ndarray:
    return np.sin(4.5 * x)


def features(basis: str, x: np.ndarray, count: int) -> np.ndarray:
    """(points, count): T_k, P_k, or sqrt(2k+1) P_k, orthonormal in dx/2; or x^k, which lose all digits."""
    if basis == "monomials":
        return np.vander(x, count, increasing=True)
    if basis == "Chebyshev":
        return chebyshev.chebvander(x, count - 1)
    scale = np.sqrt(2 * np.arange(count) + 1) if basis == "orthonormal" else 1.0
    return legendre.legvander(x, count - 1) * scale


@cache
def quadrature(points: int) -> tuple[np.ndarray, np.ndarray]:
    return legendre.leggauss(points)


@dataclass(frozen=True, eq=False)
class Fit:
    """The pseudo-inverse (count, nodes) of a basis at the nodes, with the condition number."""

    basis: str
    nodes: np.ndarray
    inverse: np.ndarray
    condition: float

    @property
    def rounding(self) -> bool:
        return not self.condition < ROUNDING

    def risk(self) -> tuple[float, float]:
        """Squared bias and variance, without the noise of a new value."""
        count = len(self.inverse)
        x, weights = quadrature(-(-(count + 40) // 64) * 64)
        phi = features(self.basis, x, count)
        bias = (phi @ (self.inverse @ target(self.nodes)) - target(x)) ** 2
        return float(bias @ weights) / 2, DEVIATION**2 * float(((phi @ self.inverse) ** 2).sum(1) @ weights) / 2

    def training_risk(self) -> float:
        """E sum_i (p(x_i) - y_i)^2/n, from the residuals of the fit itself."""
        hat = features(self.basis, self.nodes, len(self.inverse)) @ self.inverse - np.eye(len(self.nodes))
        return float((np.square(hat @ target(self.nodes)).sum() + DEVIATION**2 * np.square(hat).sum()) / len(self.nodes))


def fit(basis: str, nodes: np.ndarray, count: int) -> Fit:
    """In float64, with `count` coefficients."""
    U, s, V = np.linalg.svd(features(basis, nodes, count), full_matrices=False)
    return Fit(basis, nodes, (V.T / s) @ U.T, float(s[0] / s[-1]))


def precise_fit(basis: str, nodes: np.ndarray, count: int, digits: int = 60) -> Fit:
    """The same in decimal arithmetic, by the normal equations; the entries are rounded to float64 at the end.

    For T_k and P_k, whose three-term recurrences have no error but that of the arithmetic.
    """
    with mpmath.workdps(digits):
        x = np.array([mpmath.mpf(float(node)) for node in nodes], dtype=object)
        columns = [x**0, x]
        for k in range(1, count - 1):
            a, b, c = (2, 1, 1) if basis == "Chebyshev" else (2 * k + 1, k, k + 1)
            columns.append((a * x * columns[-1] - b * columns[-2]) / c)
        A = np.stack(columns[:count], 1)
        wide = count >= len(nodes)
        inverse = A.T @ _inverted(A @ A.T) if wide else _inverted(A.T @ A) @ A.T
        return Fit(basis, nodes, inverse.astype(float), fit(basis, nodes, count).condition)


def _inverted(K: np.ndarray) -> np.ndarray:
    """Of a positive definite matrix of numbers of any precision: Gauss and Jordan, in place and without pivots."""
    K = K.copy()
    for i in range(len(K)):
        column, others = K[:, i].copy(), np.arange(len(K)) != i
        K[:, i] = 0 * column
        K[i, i] += 1
        K[i] /= column[i]
        K[others] -= column[others, None] * K[i]
    return K


def curve(basis: str, nodes: np.ndarray, counts: np.ndarray) -> pd.DataFrame:
    """One row a number of coefficients: degree, bias, variance, risk, training, condition, arithmetic.

    arithmetic is "float64", or "rounding".
    """
    table = []
    for count in counts:
        found = fit(basis, nodes, int(count))
        bias, variance = found.risk()
        row = (count - 1, bias, variance, bias + variance, found.training_risk(), found.condition)
        table.append((*row, "rounding" if found.rounding else "float64"))
    return pd.DataFrame(table, columns=("degree", "bias", "variance", "risk", "training", "condition", "arithmetic"))


@measured
def curves(budget: Budget, nodes: str = "equispaced", bases: tuple[str, ...] = BASES) -> pd.DataFrame:
    """Rows of `curve` along COUNTS for each basis, at 50 nodes of one of the three kinds."""
    return stacked({basis: curve(basis, NODES[nodes], COUNTS) for basis in bases}, "basis")


def along(table: pd.DataFrame, column: str, noise: float = DEVIATION) -> dict[str, np.ndarray]:
    """Basis -> a column along COUNTS, with this deviation of the noise; NaN, which no judge supports, for rounding."""
    louder = table["variance"] * ((noise / DEVIATION) ** 2 - 1)
    values = (table[column] + (louder if column == "risk" else 0)).where(table["arithmetic"] == "float64")
    return {basis: values[table["basis"] == basis].to_numpy() for basis in table["basis"].unique()}


def fits(budget: Budget) -> pd.DataFrame:
    """One draw of the noise, and the fits in P_k of the first minimum, of the threshold and of the second minimum."""
    noise = DEVIATION * normal(budget.generator("noise"), SAMPLES).cpu().numpy()
    y, x, parts = target(EQUISPACED) + noise, np.cos(np.linspace(np.pi, 0, 401)), {}
    risk = along(curves(budget), "risk")["Legendre"]
    for side in (COUNTS < SAMPLES, COUNTS == SAMPLES, COUNTS > SAMPLES):
        count = int(COUNTS[np.where(side, risk, np.inf).argmin()])
        line = features("Legendre", x, count) @ (fit("Legendre", EQUISPACED, count).inverse @ y)
        parts[f"degree {count - 1}"] = pd.DataFrame({"x": x, "measured": line, "theory": target(x)})
    return stacked(parts | {"samples": pd.DataFrame({"x": EQUISPACED, "measured": y, "theory": target(EQUISPACED)})})
