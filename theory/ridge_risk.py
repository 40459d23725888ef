r"""Ridge regression without a peak: the best penalty, what it gives, and designs that need none.

    bhat = argmin ||X b' - y||^2 + lam ||b'||^2,    lam* = d sigma^2/r^2,    risk  sigma^2 tr(X'X + lam* I)^{-1}

Hypotheses: y = X b + noise of mean 0 and covariance sigma^2 I, X any n x d matrix, b uniformly distributed on the sphere of
radius r, or fixed and X of a distribution that no rotation changes. The risk is the mean of ||bhat - b||^2.

Proved here:
 1. lam* is the best penalty for every X, hence for every n, and the risk there is the trace above (`best_penalty`); that
    trace falls with every row that is added (`one_more_row`), so more data never hurt and there is no peak;
 2. of all designs with ||X||_F^2 = n d the least trace of (X'X)^{-1} have those with orthogonal columns, d <= n, sigma^2
    d/n; for n <= d those with orthogonal rows, r^2 (1 - n/d) + sigma^2 n/d (`orthogonal`): a peak of height sigma^2 and no
    pole.

As formulas, numerically verified in studies: the limit of the risk at lam* for Gaussian X with d/n -> g (`best_limit`), and
the deterministic equivalent of minimum-norm least squares for Gaussian x of any covariance (`equivalent`), an approximation
whose error falls with n.

Sources: Nakkiran, Venkat, Kakade and Ma (2021), arXiv:2003.01897, for 1; Hastie, Montanari, Rosset and Tibshirani (2022),
arXiv:1903.08560, for the limits; proofs and 2 here.
"""

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from ratewitness.theory.bounds import lam, n, sigma, vanishes
from ratewitness.theory.double_descent import d, r
from ratewitness.theory.identity import identity
from scipy.optimize import brentq

_s, _q, _x1, _x2, _x3 = sp.symbols("s q x_1 x_2 x_3", positive=True)


def best_penalty_of(d: ArrayLike, signal: ArrayLike, noise: ArrayLike) -> np.ndarray:
    """lam* = d sigma^2/r^2.

    >>> float(best_penalty_of(500, 1.0, 0.25))
    125.0
    """
    return np.asarray(d) * noise / signal


def ridge_risk(squares: ArrayLike, d: int, penalty: ArrayLike, signal: float, noise: float) -> np.ndarray:
    """The mean of ||bhat - b||^2 given X, over the noise and rotations of b: penalties (*sweep,) -> (*batch, *sweep).

    squares: the nonzero eigenvalues (*batch, min(n, d)) of X'X; the others, d of them in all, are zero.

    >>> ridge_risk([4.0, 4.0], 2, [0.5, 1.0], 1.0, 0.5).round(4).tolist()  # at lam* = 1: sigma^2 tr(X'X + I)^-1
    [0.2099, 0.2]
    """
    squares, penalty = np.asarray(squares, dtype=float), np.asarray(penalty, dtype=float)
    if not ((penalty > 0).all() and (squares >= 0).all() and squares.shape[-1] <= d):
        raise ValueError(
            f"{squares.shape[-1]} squares, d {d} and penalties do not fit; accepted are penalties > 0, squares >= 0"
        )
    s = squares.reshape(*squares.shape[:-1], *[1] * penalty.ndim, squares.shape[-1])
    bias, variance = penalty[..., None] ** 2 * signal / d, noise * s
    return ((bias + variance) / (s + penalty[..., None]) ** 2).sum(-1) + signal * (1 - squares.shape[-1] / d)


def best_limit(gamma: ArrayLike, signal: float, noise: float) -> np.ndarray:
    """The risk at lam* as d, n -> oo, d/n -> gamma > 0, for standard normal rows.

    >>> best_limit([0.5, 1.0, 2.0, 5.0], 1.0, 0.25).round(4).tolist()
    [0.1754, 0.3904, 0.6404, 0.8456]
    """
    gamma = np.asarray(gamma, dtype=float)
    if not (gamma > 0).all():
        raise ValueError(f"gamma is {gamma.min():g}; accepted are numbers > 0")
    scaled = noise * gamma / signal  # lam*/n
    shift = 1 - gamma + scaled
    return noise * (np.sqrt(shift**2 + 4 * gamma * scaled) - shift) / (2 * scaled)


def equivalent(spectrum: ArrayLike, squares: ArrayLike, n: int, noise: float) -> tuple[float, float]:
    """Bias and variance of minimum-norm least squares for x of covariance diag(spectrum) (d,), d > n, approximately.

    squares: b_i^2 (d,). The bias is E of the prediction's squared error without noise, the variance what noise adds. With
    isotropic covariance they are r^2 (1 - n/d) and sigma^2 n/(d - n), exact but for the 1 that the second one lacks.

    >>> np.round(equivalent([1.0] * 80, [1 / 80] * 80, 40, 0.25), 9).tolist()
    [0.5, 0.25]
    """
    spectrum, squares = np.asarray(spectrum, dtype=float), np.asarray(squares, dtype=float)
    if not 1 <= n < len(spectrum):
        raise ValueError(f"n is {n}; accepted are integers from 1 to {len(spectrum) - 1}, less than there are features")
    top = spectrum.sum() / n  # sum lam/(lam + kappa) < sum lam/kappa
    kappa = brentq(lambda c: (spectrum / (spectrum + c)).sum() - n, top * 1e-12, top, xtol=1e-300, rtol=1e-14)
    share = ((spectrum / (spectrum + kappa)) ** 2).sum() / n
    bias = kappa**2 * (spectrum * squares / (spectrum + kappa) ** 2).sum() / (1 - share)
    return float(bias), float(noise * share / (1 - share))


@identity(wrong={"sigma^2/r^2": {"best": sigma**2 / r**2}, "without sigma^2": {"value": 1 / (_s + d * sigma**2 / r**2)}})
def best_penalty(best=d * sigma**2 / r**2, value=sigma**2 / (_s + d * sigma**2 / r**2)) -> bool:
    """An eigenvalue s of X'X contributes (lam^2 r^2/d + sigma^2 s)/(s + lam)^2, whose derivative 2 s (lam r^2/d -
    sigma^2)/(s + lam)^3 changes sign at lam*, the same for every s (and is 0 for s = 0)."""
    term = (lam**2 * r**2 / d + sigma**2 * _s) / (_s + lam) ** 2
    slope = vanishes(sp.diff(term, lam) - 2 * _s * (r**2 / d) * (lam - best) / (_s + lam) ** 3)
    return slope and vanishes(term.subs(lam, d * sigma**2 / r**2) - value)


@identity(wrong={"the row counted twice": {"weight": 2}})
def one_more_row(weight=1) -> bool:
    """tr (A + x x')^{-1} = tr A^{-1} - ||A^{-1} x||^2/(1 + x' A^{-1} x) in eigenvectors of A, here in three dimensions.

    In d dimensions it is the formula of Sherman and Morrison; what is subtracted is positive unless x = 0.
    """
    values, x = sp.symbols("a_1 a_2 a_3", positive=True), sp.Matrix([_x1, _x2, _x3])
    A = sp.diag(*values)
    inverse = A.inv()
    falls = ((inverse * x).T * (inverse * x))[0] / (1 + (x.T * inverse * x)[0])
    return vanishes((A + weight * x * x.T).inv().trace() - inverse.trace() + falls)


@identity(wrong={"a mean that is not n": {"mean": n - 1}, "no bias": {"missed": 0}})
def orthogonal(mean=n, missed=1 - n / d) -> bool:
    """sum_i 1/s_i >= d/n if the s_i have mean n: 1/s lies above its tangent 2/n - s/n^2 by (s-n)^2/(s n^2) (d <= n).

    For n <= d the n eigenvalues of XX' have mean d, and the variance is sigma^2 n/d by the same tangent; the bias is the
    share of dimensions that n rows do not span. Both meet at d = n in sigma^2.
    """
    tangent = 2 / n - _s / n**2
    tight = vanishes(1 / _s - tangent - (_s - n) ** 2 / (_s * n**2)) and vanishes(d * tangent.subs(_s, mean) - d / n)
    modern = r**2 * missed + sigma**2 * n / d
    return tight and vanishes(modern.subs(d, n) - sigma**2) and vanishes(modern - orthogonal_risk())


def orthogonal_risk() -> sp.Expr:
    """With orthogonal rows, n <= d: what a subspace of dimension n misses of b on average, and noise."""
    return r**2 * (d - n) / d + sigma**2 * n / d
