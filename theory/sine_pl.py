r"""The best PL constant of a nonconvex function, enclosed in interval arithmetic.

    f(x) = x^2 + a sin^2 x,     mu(a) = inf f'^2/(2f) = f''(x*)     at a point x* with 2 f f'' = f'^2
    a = 3:  mu = 0.175530...,  5.6 times the valid 1/32 that was published

Hypotheses: 0 < a < 4.6033, where f is PL; L = 2 + 2a. The infimum is a minimum, for f'^2/(2f) is 2 + 2a at 0 and tends
to 2 as x grows, so that its slope vanishes there. From above it is bounded by the ratio at one point, from below by a
proof that phi = f'^2 - 2 mu f >= 0: on [0, pi/4] f'' >= 2, hence f'^2 >= 4f; on [pi/4, X] by subdivision, in mean-value
form; beyond X as (2x - a)^2 >= 2 mu (x^2 + a).

Sources: Karimi, Nutini and Schmidt (2016), arXiv:1608.04636, for the example and 1/32; the rest is derived here.
"""

import math

import mpmath
import sympy as sp
from mpmath import iv
from ratewitness.theory.bounds import a, vanishes
from ratewitness.theory.identity import identity


@identity(factor=1)
def minimum_is_a_curvature(factor=2) -> bool:
    """The slope of f'^2/(2f) is f' (2 f f'' - f'^2)/(2 f^2), and where 2 f f'' = f'^2 the ratio is f''."""
    x = sp.Symbol("x", positive=True)
    f = sp.Function("f")(x)
    first, second = sp.diff(f, x), sp.diff(f, x, 2)
    slope = sp.diff(first**2 / (2 * f), x) - first * (factor * f * second - first**2) / (2 * f**2)
    ratio, curvature = sp.symbols("ratio curvature")
    return vanishes(slope) and sp.solve(sp.Eq(factor * f * curvature, 2 * f * ratio), ratio) == [curvature]


def best_pl(amplitude, loss: float = 1e-6) -> tuple[float, float]:
    """(low, high), which enclose the best PL constant; low is high (1 - loss).

    Raises ValueError where that cannot be proved, as it cannot for a function that is not PL.

    >>> low, high = best_pl(3)
    >>> 0.17553 < low < high < 0.175532
    True
    """
    if not 0 < amplitude < 4.6033:
        raise ValueError(f"amplitude is {amplitude}; accepted are numbers between 0 and 4.6033")
    slope = sp.lambdify(sp.Symbol("x"), _excess().subs(a, sp.nsimplify(amplitude)), "mpmath")
    grid = [mpmath.mpf(j) / 50 for j in range(40, 200)]
    start = min(grid, key=lambda x: _ratio(x, amplitude, mpmath))
    point = mpmath.findroot(slope, start)
    high = _ratio(iv.mpf(point), iv.mpf(amplitude), iv).b
    low = iv.mpf(high) * (1 - iv.mpf(loss))
    if not _holds(iv.mpf(low.a), iv.mpf(amplitude)):
        raise ValueError(f"amplitude is {amplitude}: no proof that mu is within {loss:g} of {mpmath.nstr(high, 10)}")
    return math.nextafter(float(low.a), 0), math.nextafter(float(high), math.inf)


def _excess() -> sp.Expr:
    """2 f f'' - f'^2, which vanishes at the minimum of the ratio."""
    x = sp.Symbol("x")
    f = x**2 + a * sp.sin(x) ** 2
    return 2 * f * sp.diff(f, x, 2) - sp.diff(f, x) ** 2


def _ratio(x, amplitude, numbers):
    return (2 * x + amplitude * numbers.sin(2 * x)) ** 2 / (2 * (x**2 + amplitude * numbers.sin(x) ** 2))


def _holds(mu, amplitude) -> bool:
    """A proof that f'^2 >= 2 mu f everywhere (True), or none (False)."""
    end = 4 * amplitude + 4
    far = (2 * end - amplitude) ** 2 - 2 * mu * (end**2 + amplitude)
    grows = (4 - 2 * mu) * end - 2 * amplitude  # half the slope of that at `end`, and beyond
    if not (mu.b < 2 and far.a > 0 and grows.a > 0):
        return False
    cells = [(iv.mpf(0.78), iv.mpf(end.b))]  # 0.78 < pi/4
    while cells:
        left, right = cells.pop()
        middle = iv.mpf((left + right).mid / 2)
        cell = iv.mpf([left.a, right.b])
        value = (2 * middle + amplitude * iv.sin(2 * middle)) ** 2 - 2 * mu * (middle**2 + amplitude * iv.sin(middle) ** 2)
        slope = 2 * (2 * cell + amplitude * iv.sin(2 * cell)) * (2 + 2 * amplitude * iv.cos(2 * cell) - mu)
        if (value + slope * (cell - middle)).a > 0:
            continue
        if value.b <= 0 or (right - left).b < 1e-9:
            return False
        cells += [(left, middle), (middle, right)]
    return True
