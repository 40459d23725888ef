r"""A PAC-Bayes bound with a worst loss in a ball: sharpness-aware minimization's theorem, with every constant.

    L_D(w) <= max_{||e|| <= rho} L_S(w + e) + h(||w||^2/rho^2)

    h(v) = 1/sqrt n + sqrt((T/2 + 1/4 + 2 log(2 + T/sqrt k) + log(pi^2 sqrt n/(3 delta)))/(2 n)),
    T    = k log(1 + v (1 + sqrt(log(n)/k))^2)

Hypotheses: a loss in [0, 1], and so not the cross-entropy; S has n >= 8 independent samples of D; w in R^k; rho > 0 and
delta are fixed before S is seen. Then with probability at least 1 - delta over S the inequality holds for all those w at
once that have L_D(w) <= E L_D(w + e), e ~ N(0, s^2 I), s = rho/(sqrt k + sqrt(log n)).

Proof. 1. For a prior P that does not depend on S, with probability 1 - delta for all Q at once, kl(L_S(Q), L_D(Q)) <=
(KL(Q, P) + log(2 sqrt n/delta))/n: change of measure, and E exp(n kl(L_S, L_D)) <= sum_m C(n, m) (m/n)^m (1 - m/n)^(n-m) <=
2 sqrt n, of which the second inequality is checked here for n up to 100 (`moment`) and cited beyond. With kl(q, p) >= 2 (p -
q)^2 (`pinsker`), L_D(Q) <= L_S(Q) + sqrt((KL(Q, P) + log(2 sqrt n/delta))/(2 n)).

2. Q = N(w, s^2 I) and P = N(0, t^2 I) have 2 KL = k s^2/t^2 + ||w||^2/t^2 - k + k log(t^2/s^2) (`divergence`), least at t^2
= s^2 + ||w||^2/k, where it is k log(1 + ||w||^2/(k s^2)) = T (`best_prior`). But t must not depend on S: it is taken from
the grid s^2 exp(j/sqrt k), j = 0, 1, ..., the j-th with 6 delta/(pi (j + 1))^2 in place of delta, which add up to delta
(`shares`). The next point above the best has j <= T/sqrt k + 1 and costs at most 1/4 (`next_prior`).

3. ||e|| > rho has a probability of at most 1/sqrt n (`tail`), so that L_S(Q) <= max_{||e|| <= rho} L_S(w + e) + 1/sqrt n.

h increases strictly (`increasing`); `assembled` compares it with the numbers of steps 1 to 3.

Where it says nothing: h(v) >= sqrt(k log(1 + v)/(4 n)), above 1 for every v >= 1 from k = 4 n/log 2 weights on. A ball of
radius rho > ||w|| holds 0, and for a classifier whose outputs have biases a point with the constant answer that is rarest in
S: its worst loss is at least 1 - 1/classes. So `least_right_side` bounds the right side from below for all w and all rho.

Where its hypothesis holds: x ~ N(0, I), labels sign <u, x> of which a share of eta < 1/2 is flipped, and the share of wrong
signs of <w, x> as the loss: L_D = eta + (1 - 2 eta) theta/pi, theta the angle between w and u. The direction of w + e is a
Brownian motion on the sphere at an independent time, and its angle to u, stopped at pi/2, a submartingale, as its drift (k -
2) cot(theta)/2 is not negative; past pi/2 the mean is pi/2 by symmetry. So theta <= pi/2 suffices, whatever s; for eta = 1/2
every w has L_D = 1/2.

Sources: P. Foret, A. Kleiner, H. Mobahi and B. Neyshabur (2021), arXiv:2010.01412, for the statement, with other constants;
A. Maurer (2004), arXiv:cs/0411099, for step 1; the rest is derived here.
"""

from fractions import Fraction
from math import comb

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from ratewitness.theory.bounds import k, n, sigma, vanishes
from ratewitness.theory.identity import identity

_t, _r, _y, _c, _v, _A, _q = sp.symbols("t r y c v A q", positive=True)
_w, _x = sp.symbols("w x", real=True)
_HALF = sp.Rational(1, 2)


def perturbation(rho: ArrayLike, k: int, n: int) -> ArrayLike:
    """The standard deviation s of the perturbations in the hypothesis."""
    return rho / (np.sqrt(k) + np.sqrt(np.log(n)))


def complexity(v: ArrayLike, k: int, n: int) -> ArrayLike:
    """T(v), twice the least divergence."""
    return k * np.log1p(v * (1 + np.sqrt(np.log(n) / k)) ** 2)


def h(v: ArrayLike, k: int, n: int, delta: float) -> ArrayLike:
    """What the theorem adds to the worst loss in the ball, for v = ||w||^2/rho^2.

    Raises ValueError for k < 1, n < 8 and a delta outside (0, 1).

    >>> round(float(h(100.0, 5, 2000, 0.01)), 4), round(float(h(100.0, 3466, 500, 0.01)), 2)
    (0.1103, 2.9)
    """
    if not (k >= 1 and n >= 8 and 0 < delta < 1):
        raise ValueError(f"k, n, delta are {k}, {n}, {delta}; accepted are k >= 1, n >= 8 and delta in (0, 1)")
    T = complexity(v, k, n)
    inside = T / 2 + 1 / 4 + 2 * np.log(2 + T / np.sqrt(k)) + np.log(np.pi**2 * np.sqrt(n) / (3 * delta))
    return 1 / np.sqrt(n) + np.sqrt(inside / (2 * n))


def least_right_side(k: int, n: int, delta: float, classes: int) -> float:
    """A lower bound of the right side over all rho and all w, for a classifier whose outputs have biases."""
    return float(min(h(1.0, k, n, delta), 1 - 1 / classes + h(0.0, k, n, delta)))


def _divergence(variance, prior, square, dimension=k):
    """KL(N(w, variance I), N(0, prior I)) for ||w||^2 = square."""
    return (dimension * variance / prior + square / prior - dimension + dimension * sp.log(prior / variance)) / 2


@identity(factor=2)
def moment(factor=1) -> bool:
    """sum_m C(n, m) (m/n)^m (1 - m/n)^(n-m) <= 2 sqrt n for n = 1, ..., 100, in exact arithmetic; not <= sqrt n."""

    def holds(n):
        total = sum(comb(n, m) * m**m * (n - m) ** (n - m) for m in range(n + 1))
        return Fraction(factor * total, n**n) ** 2 <= 4 * n

    return all(map(holds, range(1, 101)))


@identity(factor=3)
def pinsker(factor=2) -> bool:
    """kl(q, p) - 2 (p - q)^2 is 0 at p = q, with the derivative (p - q) (1 - 2 p)^2/(p (1 - p)) in p."""
    p, q = sp.symbols("p q", positive=True)
    excess = q * sp.log(q / p) + (1 - q) * sp.log((1 - q) / (1 - p)) - factor * (p - q) ** 2
    slope = (p - q) * (1 - 2 * p) ** 2 / (p * (1 - p))
    return excess.subs(p, q) == 0 and sp.cancel(sp.diff(excess, p) - slope) == 0


@identity(logarithm=2)
def divergence(logarithm=1) -> bool:
    """In one coordinate, E log(q(x)/p(x)) for x ~ N(w, sigma^2), p = N(0, t^2); coordinates add."""
    log_ratio = -((_x - _w) ** 2) / (2 * sigma**2) + _x**2 / (2 * _t**2) + logarithm * sp.log(_t**2 / sigma**2) / 2
    expected = sp.expand(log_ratio).subs(_x**2, _w**2 + sigma**2).subs(_x, _w)
    return vanishes(sp.expand_log(expected - _divergence(sigma**2, _t**2, _w**2, 1), force=True))


@identity(factor=2)
def best_prior(factor=1) -> bool:
    """In u = 1/t^2, 2 KL is linear minus k log u, convex; it is least at 1/u = sigma^2 + ||w||^2/k, with value T."""
    square, u = sp.symbols("square u", positive=True)
    twice, best = 2 * _divergence(sigma**2, 1 / u, square), sigma**2 + factor * square / k
    convex = vanishes(sp.diff(twice, u, 2) - k / u**2)
    value = sp.simplify(twice.subs(u, 1 / best) - k * sp.log(best / sigma**2))
    return convex and vanishes(sp.diff(twice, u).subs(u, 1 / best)) and value == 0


@identity(power=3)
def shares(power=2) -> bool:
    """sum_{j >= 1} 6/(pi j)^2 = 1, by zeta(2) = pi^2/6."""
    return 6 / sp.pi**2 * sp.zeta(power) == 1


@identity(curvature=_HALF)
def next_prior(curvature=1) -> bool:
    """At r times the best variance, log r = y <= 1/sqrt k, KL is more by (k/2)(e^-y - 1 + y) <= (k/2) y^2/2 <= 1/4.

    y^2/2 - (e^-y - 1 + y) and its derivative are 0 at 0, and with y = log(1 + q) its second one is q/(1 + q) > 0.
    """
    square = sp.Symbol("square", positive=True)
    best = sigma**2 + square / k
    more = _divergence(sigma**2, _r * best, square) - _divergence(sigma**2, best, square)
    gap = curvature * _y**2 / 2 - (sp.exp(-_y) - 1 + _y)
    second = sp.simplify(sp.diff(gap, _y, 2).subs(_y, sp.log(1 + _q)))
    return (
        sp.expand(sp.expand_log(sp.cancel(more - k / 2 * (1 / _r - 1 + sp.log(_r))), force=True)) == 0
        and gap.subs(_y, 0) == sp.diff(gap, _y).subs(_y, 0) == 0
        and second.is_positive is True
        and vanishes(k / 2 * curvature * (1 / sp.sqrt(k)) ** 2 / 2 - sp.Rational(1, 4))
    )


@identity(exponent=1)
def tail(exponent=_HALF) -> bool:
    """P(||z|| >= sqrt k + y) <= exp(-y^2/2) for z ~ N(0, I) in R^k, which is 1/sqrt n for y = sqrt(log n).

    E e^(theta z_1^2) = (1 - 2 theta)^(-1/2); at theta = (1 - k/b)/2, b = (sqrt k + y)^2, -log of the bound (1 - 2
    theta)^(-k/2) e^(-theta b) is y^2/2 + k (z - log(1 + z)) with z = y/sqrt k, and log(1 + z) <= z.
    """
    theta = sp.Symbol("theta", positive=True)
    scale = sp.Symbol("scale", positive=True)  # 1 - 2 theta
    moment_of_one = sp.integrate(sp.exp(-scale * _x**2 / 2) / sp.sqrt(2 * sp.pi), (_x, -sp.oo, sp.oo))
    z, b = _y / sp.sqrt(k), (sp.sqrt(k) + _y) ** 2
    log_bound = (-k * sp.log(1 - 2 * theta) / 2 - theta * b).subs(theta, (1 - k / b) / 2)
    excess = sp.expand_log(-log_bound - exponent * _y**2 - k * (z - sp.log(1 + z)), force=True)
    below = _q - sp.log(1 + _q)  # 0 at 0, and increasing
    at_log_n = sp.exp(-exponent * sp.sqrt(sp.log(n)) ** 2)
    return (
        vanishes(moment_of_one - 1 / sp.sqrt(scale))
        and vanishes(sp.expand_log(sp.simplify(excess), force=True))
        and sp.simplify(sp.diff(below, _q)).is_positive is True
        and vanishes(at_log_n - 1 / sp.sqrt(n))
    )


@identity(sign=-1)
def increasing(sign=1) -> bool:
    """dh/dv > 0, A > 0 being what does not depend on v: for n >= 8 and delta < 1 the last logarithm is positive."""
    T = k * sp.log(1 + sign * _c * _v)
    inside = T / 2 + 2 * sp.log(2 + T / sp.sqrt(k)) + _A
    return sp.diff(inside, _v).is_positive is True and inside.subs(_v, 0).is_positive is True


@identity(share=0.5)
def assembled(share=1.0) -> bool:
    """h is at least what steps 1 to 3 give with the prior that the grid has for w, for k and n over four decades."""
    for dimension in (1, 5, 100, 10_000):
        for samples in (8, 1000, 100_000):
            v = np.logspace(-6, 8, 57)
            s2 = perturbation(1.0, dimension, samples) ** 2  # rho = 1, ||w||^2 = v
            j = np.ceil(np.sqrt(dimension) * np.log1p(v / (dimension * s2)))
            t2 = s2 * np.exp(j / np.sqrt(dimension))
            kl = (dimension * s2 / t2 + v / t2 - dimension + dimension * np.log(t2 / s2)) / 2
            confidence = np.log(2 * np.sqrt(samples) * (np.pi * (j + 1)) ** 2 / (6 * 0.01))
            exactly = 1 / np.sqrt(samples) + np.sqrt((kl + confidence) / (2 * samples))
            if not (exactly <= share * h(v, dimension, samples, 0.01) * (1 + 1e-9)).all():
                return False
    return True


@identity(classes=1)
def says_nothing(classes=10) -> bool:
    """From 4 n/log 2 weights on h(1) > 1; and for 10 classes and n <= 1000 no rho brings the right side to 1."""
    samples = np.arange(8, 1001)
    weights = [int(np.ceil(4 * each / np.log(2))) for each in samples]
    return all(least_right_side(w, int(each), 0.01, classes) > 1 for w, each in zip(weights, samples, strict=True))
