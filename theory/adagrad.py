r"""AdaGrad's analysis: its regret, diagonal and by norm, the price of a wrong step, and why no step makes it diverge.

    x_{t+1} = P(x_t - eta g_t/h_t),     h_t = (epsilon + sum_{s<=t} g_s^2)^{1/2},     d_t = x_t - x*

entrywise (diagonal), or with ||g_s||_2^2 and one number h_t (norm); P clips to a box that contains x*, or does nothing.

Regret, for convex f_t, g_t a subgradient of f_t at x_t, and D >= |d_t| for t <= T in every coordinate (norm: ||d_t||_2):

    sum_t f_t(x_t) - f_t(x*)  <=  sum_t <g_t, d_t>  <=  (D^2/(2 eta) + eta) sum_i h_{T,i}  -  eta sum_i epsilon^{1/2}

and the first term is least at eta = D/sqrt 2, where it is sqrt 2 D sum_i h_{T,i}. The proof is an induction with

    Phi_t = h_t (D^2 - d_{t+1}^2)/(2 eta) + eta h_t,
    Phi_t - Phi_{t-1} - g_t d_t = (h_t - h_{t-1}) (D^2 - d_t^2)/(2 eta) + eta (h_t - h_{t-1})^2/(2 h_t)  >=  0

(`one_round`), made of `online_step`, Abel summation in the growing metric h_t (`growing_metric`) and sum g_t^2/h_t <= 2 h_T
(`growing_root`); clipping only makes d_{t+1}^2 smaller (`clipping`), in every coordinate and so in both metrics. Nothing
better can be said with these constants: gradients +- delta h_{t-1} in turn at |d| = D, and then delta h_{t-1} until d = 0,
attain the bound in the limit of small delta and long play (`attained_by_shuttling`).

A wrong D: with eta = c D/sqrt 2 the bound grows by (c + 1/c)/2. So does that of a constant step c D/(G sqrt T) under
||g_t|| <= G (`wrong_step`). Not a smaller price, but less to know: D alone, where the constant step takes G and T as well.
The box matters: without it D is at least eta - |d_1|, the first step having the length eta, and the bound grows as c^2.

On a cube D_2 = sqrt d D_inf, and for eps = 0 and the same gradients the diagonal bound is `heterogeneity` times that by
norm, a number in [1/sqrt d, 1] that is 1 where all p_i = sum_t g_{t,i}^2 are equal, and only there (`equal_columns`).
Features that are active with probability p_i have sum_t g_{t,i}^2 ~ p_i T.

Exact gradients of an L-smooth f, convex or not, any step, with `count` = d denominators (diagonal) or 1 (norm), no box:

    f(x_t) - f*  <=  Delta + count L eta^2 log^+(eta L/(2 epsilon^{1/2}))                             for every t
    h_t          <=  max(eta L, epsilon^{1/2}) + (2/eta) (Delta + count L eta^2 log^+(eta L/(2 epsilon^{1/2})))

A step raises f by at most -eta g^2/h + L eta^2 g^2/(2 h^2) in each coordinate, which is positive only while h < eta L/2 and
at most -eta g^2/(2 h) once h >= eta L (`descent`). The rises add up to (L eta^2/2) sum_t g_t^2/h_t^2, and g_t^2/h_t^2 = 1 -
h_{t-1}^2/h_t^2 <= log h_t^2/h_{t-1}^2 (`logarithm`, `rises`); the falls bound the growth of h, as h_t - h_{t-1} <= g_t^2/h_t
(`root_grows`). So no step makes AdaGrad diverge where gradients are exact, as one beyond 2/L makes gradient descent: it
costs an overshoot of the order eta^2, and eta/h_t does not go to 0; for eta^2 >= Delta/L and epsilon^{1/2} <= eta L it stays
above 1/(count L) over a log.

No step is longer than eta in a coordinate, whatever epsilon and the gradients before: h_t^2 holds g_t^2 itself
(`longest_step`). A moving average holds 1 - beta2 of it, and bounds a step by (1 - beta2)^{-1/2} times that.

Sources: M. Streeter and H. B. McMahan (2010), arXiv:1002.4862; J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12; for smooth
f R. Ward, X. Wu and L. Bottou (2019), arXiv:1806.01811. Everything that is said to be proved is proved here.
"""

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from ratewitness.theory.bounds import Bound, Delta, L, T, c, eta, vanishes
from ratewitness.theory.identity import identity
from ratewitness.theory.kronecker import D, D_inf, cauchy_schwarz, column_norms, diagonal_adagrad, r

gradient_norm, epsilon, count, G = sp.symbols("gradient_norm epsilon count G", positive=True)

_PLAY = "f_t convex, g_t a subgradient at x_t, x* in the box, "
_DIAGONAL = _PLAY + "||x_t - x*||_inf <= D_inf, column_norms = sum_i (epsilon + sum_t g_{t,i}^2)^{1/2}"
_NORM = _PLAY + "||x_t - x*||_2 <= D, gradient_norm = (epsilon + sum_t ||g_t||_2^2)^{1/2}"
_METHODS = ("P(x - eta g/(epsilon + sum g^2)^{1/2}) entrywise", "P(x - eta g/(epsilon + sum ||g||_2^2)^{1/2})")
_REGRET = "sum_t f_t(x_t) - f_t(x*)"
_SOURCE = "Duchi, Hazan and Singer (2011); Streeter and McMahan (2010); proof here"
_SMOOTH = "f L-smooth, exact gradients, Delta = f(x_0) - f*, count = d (diagonal) or 1 (norm)"
_ANY = "x - eta g/(epsilon + sum g^2)^{1/2}, diagonal or by norm, any eta"
_WARD = "after Ward, Wu and Bottou (2019), arXiv:1806.01811; proof here"

diagonal_any_step = Bound(
    "diagonal_any_step", _REGRET, (D_inf**2 / (2 * eta) + eta) * column_norms, "upper", _DIAGONAL, _METHODS[0], _SOURCE
)
norm_any_step = Bound(
    "norm_any_step", _REGRET, (D**2 / (2 * eta) + eta) * gradient_norm, "upper", _NORM, _METHODS[1], _SOURCE
)
norm_adagrad = Bound(
    "norm_adagrad", _REGRET, sp.sqrt(2) * D * gradient_norm, "upper", _NORM, _METHODS[1] + ", eta = D/sqrt 2", _SOURCE
)
_rises = count * L * eta**2 * sp.Max(0, sp.log(eta * L / (2 * sp.sqrt(epsilon))))
largest_gap = Bound("largest_gap", "max_t f(x_t) - f*", Delta + _rises, "upper", _SMOOTH, _ANY, _WARD)
largest_root = Bound(
    "largest_root",
    "h_t = (epsilon + sum_{s<=t} g_s^2)^{1/2}, every entry",
    sp.Max(eta * L, sp.sqrt(epsilon)) + 2 / eta * largest_gap.value,
    "upper",
    _SMOOTH,
    _ANY,
    _WARD,
)


def heterogeneity(p: ArrayLike) -> np.ndarray:
    """sum_i sqrt p_i/sqrt(d sum_i p_i): AdaGrad's diagonal bound over that by norm, on a cube, for sum_t g_{t,i}^2 ~ p_i.

    Over the last axis, (*batch, d) -> (*batch,): 1 where all p_i are equal, 1/sqrt d where all but one are 0. Raises
    ValueError for p that are negative, not finite, or all 0 in a row.

    >>> heterogeneity([[0.1, 0.1, 0.1, 0.1], [1, 0, 0, 0]])
    array([1. , 0.5])
    """
    p = np.asarray(p, dtype=float)
    if not p.ndim or not p.size or not np.isfinite(p).all() or (p < 0).any() or not p.any(-1).all():
        raise ValueError(f"p is {p.tolist()}; accepted are d >= 1 finite numbers >= 0, not all 0")
    p = p / p.max(-1, keepdims=True)
    return np.sqrt(p).sum(-1) / np.sqrt(p.shape[-1] * p.sum(-1))


@identity(
    wrong={
        "a moving average, which holds a tenth of the present square": {"weight": sp.Rational(1, 10)},
        "half": {"longest": sp.S.Half},
    }
)
def longest_step(weight=1, longest=1) -> bool:
    """longest^2 (epsilon + S + weight g^2) - g^2 >= 0 for epsilon > 0, S >= 0 the squares before, with weight = longest = 1.

    It is a polynomial in epsilon, S and g^2 without a negative coefficient; so |eta g/h| <= longest eta.
    """
    S, square = sp.symbols("S square", nonnegative=True)
    margin = sp.Poly(sp.expand(longest**2 * (epsilon + S + weight * square) - square), epsilon, S, square)
    return all(coefficient >= 0 for coefficient in margin.coeffs())


@identity(factor=1)
def growing_root(factor=2) -> bool:
    """2 (v - u) - (v^2 - u^2)/v = (v - u)^2/v >= 0 for u = h_{t-1}, v = h_t, v^2 - u^2 = g_t^2.

    Summed over t <= T, by induction from h_0 = sqrt epsilon: sum_t g_t^2/h_t <= 2 (h_T - sqrt epsilon).
    """
    u, v = sp.symbols("u v", positive=True)
    return vanishes(factor * (v - u) - (v**2 - u**2) / v - (v - u) ** 2 / v)


@identity(factor=1)
def online_step(factor=2) -> bool:
    """h (d - eta g/h)^2 = h d^2 - 2 eta g d + eta^2 g^2/h: solved for g d >= f_t(x_t) - f_t(x*), one round of the regret.

    By norm h is a number, and <g, d> and ||.||_2 stand for the products.
    """
    h, d, g = sp.symbols("h d g", real=True, nonzero=True)
    return vanishes(h * (d - eta * g / h) ** 2 - (h * d**2 - factor * eta * g * d + eta**2 * g**2 / h))


@identity(factor=3)
def clipping(factor=2) -> bool:
    """(p + q)^2 - q^2 = p^2 + 2 p q >= 0: a point p beyond the face of the box is farther from x*, q inside of it."""
    p, q = sp.symbols("p q", nonnegative=True)
    return vanishes((p + q) ** 2 - q**2 - p**2 - factor * p * q)


@identity(sign=-1)
def growing_metric(sign=1) -> bool:
    """Abel summation: sum_{t<=T} h_t (d_t^2 - d_{t+1}^2) <= h_T (D^2 - d_{T+1}^2), by induction.

    Round T + 1 adds (h_{T+1} - h_T) (D^2 - d_{T+1}^2) >= 0 to the margin; the start is h_0 = 0, where both sides are 0.
    """
    h, h1, d1, d2 = sp.symbols("h_T h_T1 d_T1 d_T2", nonnegative=True)
    margin = h1 * (D**2 - d2**2) - h * (D**2 - d1**2) - h1 * (d1**2 - d2**2)
    return vanishes(margin - (h1 - sign * h) * (D**2 - d1**2))


@identity(share=1)
def one_round(share=sp.S.Half) -> bool:
    """Phi_t - Phi_{t-1} - <g_t, d_t> is a sum of two terms >= 0; g_t^2 = h_t^2 - h_{t-1}^2, d_{t+1} = d_t - eta g_t/h_t.

    In <g, d> and the squares only, so that it holds in a coordinate and by norm. Hence sum_t <g_t, d_t> <= Phi_T - Phi_0.
    """
    u, v = sp.symbols("u v", positive=True)  # h_{t-1} and h_t
    square, inner = sp.symbols("square inner", real=True)  # d_t^2 and <g_t, d_t>
    after = square - 2 * eta * inner / v + eta**2 * (v**2 - u**2) / v**2

    def potential(h, distance):
        return h * (D**2 - distance) / (2 * eta) + eta * h

    gain = (v - u) * (D**2 - square) / (2 * eta) + share * eta * (v - u) ** 2 / v
    return vanishes(potential(v, after) - potential(u, square) - inner - gain)


@identity(factor=1)
def best_step(factor=2) -> bool:
    """D^2/(2 eta) + eta is least at eta = D/sqrt 2, where it is sqrt 2 D: any step becomes the best."""
    pairs = ((diagonal_any_step, diagonal_adagrad, D_inf), (norm_any_step, norm_adagrad, D))
    found = [sp.solve(sp.diff(bound.value, eta), eta) for bound, _, _ in pairs]
    return all(
        vanishes(at - size / sp.sqrt(factor)) and vanishes(bound.value.subs(eta, at) - best.value)
        for (at,), (bound, best, size) in zip(found, pairs, strict=True)
    )


@identity(power=-2)
def wrong_step(power=-1) -> bool:
    """c times the best step multiplies the bound by (c + 1/c)/2: AdaGrad's, and D^2/(2 a) + a T G^2/2 of a constant step."""
    price = (c + c**power) / 2
    constant = D**2 / (2 * eta) + eta * T * G**2 / 2
    return vanishes(norm_any_step.value.subs(eta, c * D / sp.sqrt(2)) - price * norm_adagrad.value) and vanishes(
        constant.subs(eta, c * D / (G * sp.sqrt(T))) - price * D * G * sp.sqrt(T)
    )


@identity(number=r - 1)
def equal_columns(number=r) -> bool:
    """r sum_i p_i - (sum_i sqrt p_i)^2 = sum_{i<j} (sqrt p_i - sqrt p_j)^2: 0 where all p_i are equal, and only there.

    By induction over r in theory/kronecker.py, with a_i = sqrt p_i.
    """
    return cauchy_schwarz(count=number)


@identity(pull=2)
def attained_by_shuttling(pull=1) -> bool:
    """Regret over the growth of the bound in its two phases, in the limit delta -> 0, on [0, D] with x* = 0.

    A pair delta h, -delta h_1, with h_1^2 = (1 + delta^2) h^2, leaves d = D and takes h to (1 + delta^2) h: regret eta per
    unit of h, all that the bound has beyond D^2/(2 eta). Then gradients delta h move d by -eta delta/sqrt(1 + delta^2) each:
    regret h d/eta per unit of d, in all D^2 h/(2 eta), while h grows by exp(delta^2/2 D/(eta delta)) -> 1 only.
    """
    delta, h, d = sp.symbols("delta h d", positive=True)
    move = eta * delta / sp.sqrt(1 + delta**2)
    pair = delta * h * D - delta * h * sp.sqrt(1 + delta**2) * (D - move)
    per_root = sp.limit(pair / (h * delta**2), delta, 0)
    per_move = sp.limit(delta * h * d / move, delta, 0)
    growth = sp.limit(sp.exp(delta**2 / 2 * D / move), delta, 0)
    collected = per_root * h + pull * growth * sp.integrate(per_move, (d, 0, D))
    return vanishes(collected - norm_any_step.value.subs(gradient_norm, h))


@identity(threshold=2)
def descent(threshold=1) -> bool:
    """-eta g^2/h + L eta^2 g^2/(2 h^2) is 0 at h = eta L/2, and below -eta g^2/(2 h) by (eta g^2/(2 h)) (1 - eta L/h)."""
    h, g = sp.symbols("h g", positive=True)
    change = -eta * g**2 / h + L * eta**2 * g**2 / (2 * h**2)
    beyond = change + eta * g**2 / (2 * h) + eta * g**2 / (2 * h) * (threshold - eta * L / h)
    return vanishes(change.subs(h, eta * L / 2)) and vanishes(beyond)


@identity(power=1)
def logarithm(power=2) -> bool:
    """log q - 1 + 1/q is 0 at q = 1 and has the derivative (q - 1)/q^2 >= 0 beyond: 1 - 1/q <= log q for q >= 1."""
    q = sp.Symbol("q", positive=True)
    margin = sp.log(q) - 1 + 1 / q
    return vanishes(margin.subs(q, 1)) and vanishes(sp.diff(margin, q) - (q - 1) / q**power)


@identity(share=1)
def rises(share=sp.S.Half) -> bool:
    """(L eta^2/2) log h^2/epsilon at h = eta L/2 is L eta^2 log(eta L/(2 sqrt epsilon)); h starts at sqrt epsilon."""
    total = share * L * eta**2 * sp.expand_log(sp.log((eta * L / 2) ** 2 / epsilon))
    return vanishes(total - L * eta**2 * sp.expand_log(sp.log(eta * L / (2 * sp.sqrt(epsilon)))))


@identity(factor=2)
def root_grows(factor=1) -> bool:
    """(v^2 - u^2)/v - (v - u) = u (v - u)/v >= 0: h_t - h_{t-1} <= g_t^2/h_t."""
    u, v = sp.symbols("u v", positive=True)
    return vanishes((v**2 - u**2) / v - factor * (v - u) - u * (v - u) / v)
