r"""How slow averaged SGD is on parabolas, exactly: the constant of the 1/eps^2 cell.

    sqrt N (E f(xbar_N) - f*)/(sigma R)  ->  (c/2) [ ((1-e^-t)/t)^2 + (s/t)^2 (1 - 2(1-e^-t)/t + (1-e^-2t)/(2t)) ]

Hypotheses: f_+- = lam x^2/2 +- sigma x drawn uniformly, |x_0| = R, constant step a = s R/(sigma sqrt N),
curvature lam = c sigma/(R sqrt N) chosen against it, t = s c = a lam N; xbar averages x_1..x_N (or
x_0..x_{N-1}: same limit).

The textbook step is s = 1.  Maximizing over c gives the worst parabola; squaring the value v gives the
witness's N(eps) ~ v^2 sigma^2 R^2/eps^2.  A longer step, minimizing the maximum, does better: for fixed t the
bracket is B/s + s V, convex in s, so the maximum is convex in s and its stationary point is the minimum:
0.0754 in place of 0.0872 for v^2, when no method can have less than 1/16 (``lower_bounds.py``).

Source: derived here from ``moments.average_moment``.
"""

import mpmath
import sympy as sp
from ratewitness.theory import moments
from ratewitness.theory.bounds import Bound, N, R, a, c, eps, lam, sigma, vanishes
from ratewitness.theory.identity import identity

s, t = sp.symbols("s t", positive=True)
_bias = ((1 - sp.exp(-t)) / t) ** 2
_spread = (1 - 2 * (1 - sp.exp(-t)) / t + (1 - sp.exp(-2 * t)) / (2 * t)) / t**2
scaled_gap = c / 2 * (_bias + s**2 * _spread).subs(t, s * c)


@identity(spread=2)
def limit_of_moments(spread=1) -> bool:
    """The limit N -> infinity of the exact average moment is ``scaled_gap``, for both averages.

    With a lam = t/N the moment is rational in t, N and Q = (1 - t/N)^N -> e^-t, and continuous there.
    """
    inverse = sp.Symbol("x", positive=True)  # 1/N
    for head in (False, True):
        total = moments.closed(1 - t * inverse, sp.exp(-t), s**2 * R**2 * inverse, 1 / inverse, head)[2]
        limit = sp.limit(sp.cancel((total * inverse**2).subs(moments.x0, R)), inverse, 0)
        if not vanishes(limit / R**2 - _bias - spread * s**2 * _spread):
            return False
    return True


@identity(wrong={"a value of 0.2746": {"value": "0.2746"}, "steps of another root": {"power": 1}})
def any_step(value="0.2745", power=2) -> bool:
    """Whatever the step s, on the parabola c = t/s the limit is at least t sqrt(B V), which exceeds 0.2745 at t = 1.51.

    (c/2) (B + s^2 V) - t sqrt(B V) = (t/2) (sqrt(B/s) - sqrt(s V))^2, B and V the two brackets; the value by interval
    arithmetic. So no constant step needs fewer than 0.0753 sigma^2 R^2/eps^2 iterations on every parabola.
    """
    bias, spread = sp.symbols("B V", positive=True)
    gap = t / (2 * s) * (bias + s**power * spread) - t * sp.sqrt(bias * spread)
    square = vanishes(sp.expand(gap - t / 2 * (sp.sqrt(bias / s) - sp.sqrt(s * spread)) ** 2))
    at = mpmath.iv.mpf("1.51")
    exact = sp.lambdify(t, t * sp.sqrt(_bias * _spread), [{"exp": mpmath.iv.exp, "sqrt": mpmath.iv.sqrt}])(at)
    return square and bool(exact.a > mpmath.iv.mpf(value).b)


def _maximum(value: sp.Expr, digits: int):
    """The maximizer over t of ``value``, polished from a grid on (0, 20), and the maximum there."""
    slope = sp.lambdify(t, sp.diff(value, t), "mpmath")
    with mpmath.workdps(2 * digits + 20):
        height = sp.lambdify(t, value, "mpmath")
        start = max((mpmath.mpf(j) / 8 for j in range(1, 160)), key=height)
        top = mpmath.findroot(slope, (start - mpmath.mpf(1) / 8, start + mpmath.mpf(1) / 8), solver="anderson")
        radius = mpmath.mpf(10) ** (-digits)
        if not slope(top - radius) > 0 > slope(top + radius):
            raise ArithmeticError(f"no maximum bracketed near t = {mpmath.nstr(top, 10)}")
        return top, height(top)


def worst_parabola(digits: int = 15) -> tuple[mpmath.mpf, mpmath.mpf]:
    """(c, v): the worst curvature c sigma/(R sqrt N) for the step R/(sigma sqrt N), and its gap v sigma R/sqrt N.

    >>> curvature, value = worst_parabola()
    >>> mpmath.nstr(curvature, 15), mpmath.nstr(value, 15), mpmath.nstr(value**2, 10)
    ('1.40460407662829', '0.295269369785889', '0.08718400073')
    """
    return _maximum(scaled_gap.subs({s: 1, c: t}), digits)


def best_step_scale(digits: int = 15) -> tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]:
    """(s, c, v): the step s R/(sigma sqrt N) whose worst case is least, its worst c, the value v.

    The maximum over t of the minimum over s, t sqrt(B V) at s = sqrt(B/V); a saddle, so the order is
    immaterial.

    >>> [mpmath.nstr(number, 10) for number in best_step_scale()]
    ['1.464263183', '1.031728137', '0.2745044218']
    """
    top, value = _maximum(t * sp.sqrt(_bias * _spread), digits)
    with mpmath.workdps(2 * digits + 20):
        scale = mpmath.sqrt(sp.lambdify(t, _bias / _spread, "mpmath")(top))
        return scale, top / scale, value


averaged_parabola = Bound(
    "averaged_parabola",
    "E f(mean of x_1..x_N) - f*",
    (lam / 2 * moments.average_moment).subs(moments.x0, R),
    "tight",
    "f = lam x^2/2 with additive noise of variance sigma^2; |x_0| = R; a lam < 2",
    "SGD, constant step a, average of x_1..x_N",
    "moments.py",
    "f_+- = lam x^2/2 +- sigma x",
    domain=a * lam < 2,
)
averaged_parabola_limit = Bound(
    "averaged_parabola_limit",
    "E f(mean of x_1..x_N) - f*, leading term",
    sigma * R / sp.sqrt(N) * scaled_gap,
    "tight",
    "f = lam x^2/2, lam = c sigma/(R sqrt N), additive noise of variance sigma^2; |x_0| = R; N to infinity",
    "SGD, a = s R/(sigma sqrt N), average of x_1..x_N",
    "this file",
    "f_+- = lam x^2/2 +- sigma x",
)
count_convex_parabola = Bound(
    "count_convex_parabola",
    "N(eps), leading term",
    sp.Float(str(worst_parabola()[1] ** 2), 15) * sigma**2 * R**2 / eps**2,
    "lower",
    "as averaged_parabola_limit with s = 1 and the worst c; convex_tuned gives 1 in place of 0.087",
    "SGD, a = R/(sigma sqrt N), average of x_1..x_N",
    "worst_parabola",
    "f_+- = lam x^2/2 +- sigma x, lam by eps",
)
