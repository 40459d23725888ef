r"""Gradient descent on least squares, mode by mode: descents in time, and early stopping against ridge.

    R(t) = sum_i [theta_i^2 s_i q_i^{2t} + (sigma^2/n)(1 - q_i^t)^2],    q_i = 1 - eta s_i

Hypotheses: y = X theta + N(0, sigma^2 I), X'X/n = diag(s), gradient descent from 0 on ||X w - y||^2/(2n) with step eta <
1/max s, or gradient flow, for which q_i^t is e^{-s_i t}. R is the expected excess risk sum_i s_i (w_i - theta_i)^2.

Proved here:
 1. R(t) as above: w_i - theta_i = -q^t theta_i + (1 - q^t) z_i, z_i ~ N(0, sigma^2/(n s_i)) (`descent`);
 2. each mode, as a function of u = q^t that falls from 1 to 0, is a parabola with its minimum at u = B/(A + B), A = theta^2
    s, B = sigma^2/n: it falls, then rises (`one_mode`). So modes of one curvature s descend once at most; two descents take
    two time scales;
 3. gradient flow at t = 1/lam is within a factor C = 1.685909... of ridge regression with penalty lam, for every design,
    theta and lam: its bias is the smaller one, as e^{-x} <= 1/(1+x), and its variance at most C = sup ((1 - e^{-x})(1 +
    x)/x)^2 times as large. C = ((1+x)^2/(1+x+x^2))^2 at the root x = 1.79328 of e^x = 1 + x + x^2 (`stationary`), between
    1.685908 and 1.685910 by interval arithmetic (`constant`), and it is attained by noise alone, theta = 0, on modes with s
    t = x.

Sources: Ali, Kolter and Tibshirani (2019), arXiv:1810.10082, for 3 with the constant 1.69; Heckel and Yilmaz (2021),
arXiv:2007.10099, for several time scales as a cause of two descents; proofs here.
"""

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from ratewitness.theory.bounds import eta, vanishes
from ratewitness.theory.identity import identity

s, t, x, u = sp.symbols("s t x u", positive=True)
_A, _B = sp.symbols("A B", positive=True)
_theta, _z = sp.symbols("theta z", real=True)
_ratio = (1 - sp.exp(-x)) * (1 + x) / x  # of the two shares of noise, flow over ridge
WORST_MODE = float(mpmath.findroot(lambda y: mpmath.e**y - 1 - y - y**2, 1.8))
WORST_RATIO = ((1 + WORST_MODE) ** 2 / (1 + WORST_MODE + WORST_MODE**2)) ** 2


def risk_at(t: ArrayLike, energy: ArrayLike, s: ArrayLike, share: float, step: float) -> np.ndarray:
    """R(t) at steps t (*sweep,), for energies theta_i^2 s_i and curvatures s_i (modes,) and share sigma^2/n.

    >>> risk_at([0, 1, 1000], [1.0], [0.5], 0.1, 1.0).round(4).tolist()
    [1.0, 0.275, 0.1]
    """
    bias, variance = _parts(t, energy, s, share, step)
    return (bias + variance).sum(-1)


def deviation_at(t: ArrayLike, energy: ArrayLike, s: ArrayLike, share: float, step: float) -> np.ndarray:
    """The standard deviation of sum_i s_i (w_i - theta_i)^2, of squares of independent normal variables.

    >>> deviation_at([0, 1000], [1.0], [0.5], 0.1, 1.0).round(4).tolist()  # nothing is random yet; sqrt 2 of the mean
    [0.0, 0.1414]
    """
    bias, variance = _parts(t, energy, s, share, step)
    return np.sqrt((2 * variance**2 + 4 * variance * bias).sum(-1))


def _parts(t, energy, s, share, step) -> tuple[np.ndarray, np.ndarray]:
    s, energy = np.asarray(s, dtype=float), np.asarray(energy, dtype=float)
    if not (s.ndim == energy.ndim == 1 and (s > 0).all() and (step * s < 1).all()):
        raise ValueError(f"step {step} and curvatures up to {s.max()} do not fit; accepted are 0 < step s < 1, in one axis")
    left = (1 - step * s) ** np.asarray(t, dtype=float)[..., None]
    return energy * left**2, share * (1 - left) ** 2


def flow_over_ridge(st: ArrayLike) -> np.ndarray:
    """The variance of gradient flow at time t over that of ridge with penalty 1/t, in a mode of curvature s: s t -> ratio.

    >>> flow_over_ridge([WORST_MODE]).round(6).tolist()
    [1.685909]
    """
    st = np.asarray(st, dtype=float)
    if not (st > 0).all():
        raise ValueError(f"st is {st.min():g}; accepted are numbers > 0")
    return (-np.expm1(-st) * (1 + st) / st) ** 2


@identity(wrong={"the noise at once": {"grown": 1}, "the step not taken": {"moves": 0}})
def descent(grown=1 - (1 - eta * s) ** t, moves=1) -> bool:
    """w_t = theta - q^t theta + (1 - q^t) z solves w' = w - eta s (w - theta - z) from w_0 = 0."""
    q = 1 - moves * eta * s
    w = _theta - q**t * _theta + grown * _z
    follows = sp.simplify(w.subs(t, t + 1) - (w - eta * s * (w - _theta - _z)))
    return vanishes(sp.powsimp(sp.expand(follows))) and vanishes(w.subs(t, 0))


@identity(wrong={"minimum at A/(A + B)": {"at": _A / (_A + _B)}})
def one_mode(at=_B / (_A + _B)) -> bool:
    """A u^2 + B (1 - u)^2 has slope 2 (A + B)(u - B/(A + B)): it falls as u falls to B/(A + B), and rises from there."""
    return vanishes(sp.diff(_A * u**2 + _B * (1 - u) ** 2, u) - 2 * (_A + _B) * (u - at))


@identity(wrong={"root of e^x = 1 + x + x^2/2": {"square": x**2 / 2}, "the ratio not squared": {"power": 1}})
def stationary(square=x**2, power=2) -> bool:
    """The slope of the ratio is (e^{-x}/x^2)(1 + x + x^2 - e^x), and the squared ratio there ((1+x)^2/(1+x+x^2))^2.

    e^x - 1 - x - x^2 is 0 with slope 0 at x = 0, concave up to ln 2 and convex from there: it has one positive root, at
    which the ratio stops to rise. Of the bias: (1 + x) e^{-x} has slope -x e^{-x} < 0, and is 1 at 0.
    """
    slope = vanishes(sp.diff(_ratio, x) - sp.exp(-x) / x**2 * (1 + x + square - sp.exp(x)))
    value = vanishes(_ratio.subs(sp.exp(-x), 1 / (1 + x + x**2)) ** 2 - ((1 + x) ** 2 / (1 + x + x**2)) ** power)
    curved = vanishes(sp.diff(sp.exp(x) - 1 - x - square, x, 2) - sp.exp(x) + 2)
    return slope and value and curved and vanishes(sp.diff((1 + x) * sp.exp(-x), x) + x * sp.exp(-x))


@identity(wrong={"1.6862": {"low": "1.6861", "high": "1.6863"}})
def constant(low="1.685908", high="1.685910") -> bool:
    """The root lies in [1.7932, 1.7934], where e^x - 1 - x - x^2 changes sign, and C in [low, high], in interval arithmetic.

    C is ((1+x)^2/(1+x+x^2))^2 at the root, and there falls with x: the interval is narrowed by bisection.
    """
    iv = mpmath.iv
    a, b = mpmath.mpf("1.7932"), mpmath.mpf("1.7934")

    def sign(point):
        value = iv.exp(iv.mpf(point)) - 1 - iv.mpf(point) - iv.mpf(point) ** 2
        return 1 if value.a > 0 else -1 if value.b < 0 else 0

    if (sign(a), sign(b)) != (-1, 1):
        return False
    for _ in range(30):
        middle = (a + b) / 2
        a, b = (middle, b) if sign(middle) < 0 else (a, middle)
    root = iv.mpf([a, b])
    value = ((1 + root) ** 2 / (1 + root + root**2)) ** 2
    return bool(value.a >= iv.mpf(low).b and value.b <= iv.mpf(high).a)
