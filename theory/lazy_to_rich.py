r"""From lazy to rich: which interpolator a diagonal network finds, and how decay moves it from one to the other.

    beta = u^2 - v^2 (entrywise),  u = v = alpha at the start,    u' = -2 u g - lam u,    v' = 2 v g - lam v

with g = X^T (X beta - y)/n, the gradient of |X beta - y|^2/(2 n) in beta: gradient flow with decay lam. For q(z) = 2 -
sqrt(4 + z^2) + z arcsinh(z/2), a >= 0 and Q_a(b) = a^2 sum_i q(b_i/a^2):

    beta(t) = argmin {Q_a(b) : X b = X beta(t)},    a = alpha e^{-lam t}

Proof. log(u/v)' = -4 g and log(uv)' = -2 lam (`logarithms`): decay does not touch the quotient, so that log(u/v) = -4 int g
is in the row space of X, and uv = a^2. Further beta = 2 uv sinh(log(u/v)), hence arcsinh(beta/(2 a^2)) = log(u/v), and that
is the gradient of Q_a at beta (`gradient`). A gradient in the row space is the stationarity of the problem above, and Q_a is
strictly convex (`gradient`).

Without decay a = alpha, and a flow that fits ends at argmin {Q_alpha(b) : X b = y} (Woodworth et al.). For alpha -> oo
alpha^2 Q_alpha -> ||b||^2/4, hence the least l2 norm, as in linear (lazy) regression; for alpha -> 0 Q_alpha/log(1/alpha^2)
-> ||b||_1 (`ends`). With small decay a falls from alpha on, and a network that has fitted in the lazy way comes to the
solution of the scale a_c after a time log(alpha/a_c)/lam, as long as it still fits: that is the form of the times
that Lyu et al. prove. The penalty that decay adds does not go away: where the flow rests with uv = 0 it is (lam/2)
||beta||_1, as min (u^2 + v^2)/2 over u^2 - v^2 = b is |b|/2 (`resting`).

Gradient descent with step eta multiplies uv by (1 - eta lam)^2 - 4 eta^2 g^2 (`step`): the flow, to first order in eta.

Sources: B. Woodworth et al. (2020), arXiv:2002.09277, for q and the limit without decay; K. Lyu et al. (2023),
arXiv:2311.18817, for the time of the transition; beta(t) with decay is derived here.
"""

import numpy as np
import sympy as sp
from ratewitness.theory.bounds import a, eta, lam, vanishes
from ratewitness.theory.identity import identity

_z, _g, _b = sp.symbols("z g beta", real=True)
_u, _v = sp.symbols("u v", positive=True)
_HALF, _QUARTER = sp.Rational(1, 2), sp.Rational(1, 4)


def _q(z: sp.Expr) -> sp.Expr:
    return 2 - sp.sqrt(4 + z**2) + z * sp.asinh(z / 2)


def potential(beta: np.ndarray, alpha: float) -> np.ndarray:
    """Q_alpha of vectors (*batch, d) -> (*batch,).

    >>> float(potential(np.zeros(3), 0.5)), round(float(potential(np.array([1.0]), 1e3)) * 1e6, 6)
    (0.0, 0.25)
    """
    z = beta / alpha**2
    return alpha**2 * (z * np.arcsinh(z / 2) - z**2 / (2 + np.sqrt(4 + z**2))).sum(-1)


def interpolator(X: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """argmin {Q_alpha(b) : X b = y}, for X (n, d) of rank n: b = 2 alpha^2 sinh(X^T nu), by Newton's method on nu.

    A step that changes an entry of X^T nu by more than 1 is shortened: within that, cosh changes by a factor of at most e.
    Raises ValueError for an alpha that is not positive, and if 500 steps do not suffice.

    >>> interpolator(np.array([[2.0, 0.0]]), np.array([3.0]), 0.1).round(12).tolist()
    [1.5, 0.0]
    """
    if not alpha > 0:
        raise ValueError(f"alpha is {alpha}; accepted are positive numbers")
    nu = np.zeros(len(y))
    for _ in range(500):
        s = X.T @ nu
        residual = y - 2 * alpha**2 * (X @ np.sinh(s))
        if np.linalg.norm(residual) <= 1e-13 * np.linalg.norm(y):
            break
        step = np.linalg.solve(2 * alpha**2 * (X * np.cosh(s)) @ X.T, residual)
        moved = np.abs(X.T @ step).max()
        nu = nu + step / max(1.0, moved)
        if moved < 1e-14 * (1 + np.abs(s).max()):
            break
    else:
        raise ValueError(f"alpha is {alpha}; accepted are scales at which 500 Newton steps suffice")
    return 2 * alpha**2 * np.sinh(X.T @ nu)


@identity(wrong={"arcsinh z": {"inside": 1}, "without the root": {"root": 0}, "a in place of a^2": {"scale": a}})
def gradient(inside=_HALF, root=1, scale=a**2) -> bool:
    """d/db of a^2 q(b/a^2) is arcsinh(b/(2 a^2)), and d/dz of that, z = b/a^2, is 1/sqrt(4 + z^2) > 0."""
    z = _b / scale
    Q = a**2 * (2 - root * sp.sqrt(4 + z**2) + z * sp.asinh(inside * z))
    slope = sp.asinh(_b / (2 * a**2))
    curved = sp.diff(sp.asinh(_z / 2), _z) - 1 / sp.sqrt(4 + _z**2)
    return vanishes(sp.diff(Q, _b) - slope) and vanishes(curved)


@identity(wrong={"decay moves the quotient": {"on_v": 2}, "log(uv)' = -lam": {"product": 1}, "half the flow": {"flow": 1}})
def logarithms(on_v=1, product=2, flow=2) -> bool:
    """log(u/v)' = -4 g, log(uv)' = -2 lam, and u^2 - v^2 = 2 uv sinh(log(u/v))."""
    u_log, v_log = -flow * _g - lam, flow * _g - on_v * lam  # u'/u and v'/v
    value = 2 * _u * _v * sp.sinh(sp.log(_u / _v)).rewrite(sp.exp)
    return all(map(vanishes, (u_log - v_log + 4 * _g, u_log + v_log + product * lam, _u**2 - _v**2 - value)))


@identity(wrong={"b^2/2": {"lazy": _HALF}, "|b|/2": {"rich": _HALF}})
def ends(lazy=_QUARTER, rich=1) -> bool:
    """a^4 q(b/a^2) -> b^2/4 for a -> oo, and a^2 q(b/a^2)/log(1/a^2) -> b for a -> 0, b > 0; q is even."""
    b, w = sp.symbols("b w", positive=True)  # w = a^2
    even = vanishes(_q(_z) - _q(-_z))
    large = sp.limit(w**2 * _q(b / w), w, sp.oo)
    root = sp.sqrt(4 * w**2 + b**2)
    explicit = 2 * w - root + b * (sp.log((b + root) / 2) + sp.log(1 / w))  # arcsinh as a logarithm
    same = vanishes(sp.sinh(sp.log((b + root) / (2 * w))).rewrite(sp.exp) - b / (2 * w))
    small = sp.limit(explicit / sp.log(1 / w), w, 0)
    return even and same and vanishes(large - lazy * b**2) and vanishes(small - rich * b)


@identity(wrong={"|b|": {"factor": 1}})
def resting(factor=_HALF) -> bool:
    """(u^2 + v^2)/2 = |b|/2 + v^2 for u^2 - v^2 = b >= 0, least at v = 0; likewise with u and v exchanged for b < 0."""
    return vanishes((_u**2 + _v**2) / 2 - (factor * (_u**2 - _v**2) + _v**2))


@identity(wrong={"without the square of the step": {"second": 0}, "decay once": {"power": 1}})
def step(second=4, power=2) -> bool:
    """(u - eta (2 u g + lam u)) (v - eta (-2 v g + lam v)) = ((1 - eta lam)^2 - 4 eta^2 g^2) uv."""
    u, v = (x * (1 - eta * (sign * 2 * _g + lam)) for x, sign in ((_u, 1), (_v, -1)))
    return vanishes(u * v - ((1 - eta * lam) ** power - second * eta**2 * _g**2) * _u * _v)
