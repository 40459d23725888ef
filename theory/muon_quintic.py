r"""Where Muon's quintic takes a singular value, in exact rational arithmetic.

    p(x) = 3.4445 x - 4.7750 x^3 + 2.0315 x^5,      x_{t+1} = p(x_t),   0 < x_0

For x > 0, p is positive; it rises to p(e) = M at the critical point e = 0.5545, falls to p(f) = m at f = 1.0501 and rises
again. Proved below, every decimal standing for a rational enclosure of width below 1e-30:

    fixed points  0.8680 (multiplier -1.58) and r = 1.2637 (multiplier 6.47): neither attracts, nor does 0 (3.4445)
    blow-up       x_0 > r grows without bound; 0 < x_0 < r never leaves (0, r); 0 < x_0 <= M = 1.2024 stays <= M
    band          [m, p(m)] = [0.6818, 1.1344] is mapped onto itself, and every x_0 in (0, r) enters it
    cycles        one 2-cycle, 0.7093 and 1.1040, repelling (-1.28); a 4-cycle 1.0469, 0.6819, 1.1343, 0.7529, attracting

All critical points of p are real, so p has a negative Schwarzian derivative, and the basin of an attracting cycle
contains a critical point (Singer 1978). The orbits of e and f both end in the 4-cycle: no other cycle attracts. The
iteration does not converge to 1, and U S' V^T with "S' ~ Uniform(0.5, 1.5)" (docstrings in circulation) is not its
result for any matrix: 30 % of that distribution lies above M, which no value exceeds that starts in (0, 1].

Intervals are pairs of rationals rounded outwards to multiples of 2^-120.

The three coefficients: K. Jordan (2024), github.com/KellerJordan/Muon. The analysis is done here.
"""

from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import ceil, floor

import sympy as sp
from ratewitness.theory.identity import identity

Interval = tuple[Fraction, Fraction]

A, B, C = Fraction("3.4445"), Fraction("-4.7750"), Fraction("2.0315")
_GRID = 2**120


def p(x: Fraction) -> Fraction:
    return x * (A + x * x * (B + C * x * x))


def slope(x: Fraction) -> Fraction:
    return A + x * x * (3 * B + 5 * C * x * x)


def _rounded(low: Fraction, high: Fraction) -> Interval:
    return Fraction(floor(low * _GRID), _GRID), Fraction(ceil(high * _GRID), _GRID)


def _zero(function, low: Fraction, high: Fraction) -> Interval:
    """An enclosure of the zero of a function that changes sign once in [low, high]."""
    rising = function(high) > 0
    while (high - low) * _GRID > 2:
        middle = _rounded((low + high) / 2, (low + high) / 2)[0]
        low, high = (low, middle) if (function(middle) > 0) == rising else (middle, high)
    return low, high


@cache
def critical_points() -> tuple[Interval, Interval]:
    """The maximum e and the minimum f: slope(0) > 0, slope(4/5) < 0, slope(6/5) > 0, of degree 2 in x^2."""
    return _zero(slope, Fraction(0), Fraction(4, 5)), _zero(slope, Fraction(4, 5), Fraction(6, 5))


@cache
def fixed_points() -> tuple[Interval, Interval]:
    """The positive solutions of p(x) = x: p(x) - x is of degree 2 in x^2, up to the factor x."""

    def excess(x):
        return p(x) / x - 1

    return _zero(excess, Fraction(1, 2), Fraction(1)), _zero(excess, Fraction(1), Fraction(3, 2))


def image(x: Interval) -> Interval:
    """An enclosure of {p(s): s in x} for 0 <= x <= 3/2, exact up to 2^-119: ends and critical values."""
    values = [p(end) for end in x]
    for low, high in critical_points():
        if low <= x[1] and x[0] <= high:
            # |p'| < 1 on an enclosure of width 2^-119, where p' has its zero and |p''| < 150
            values += [p(low) - (high - low), p(low) + (high - low)]
    return _rounded(min(values), max(values))


def slopes(x: Interval) -> Interval:
    """An enclosure of {p'(s): s in x}, 0 <= x: A + 3 B s^2 + 5 C s^4 term by term."""
    low, high = (end * end for end in x)
    return _rounded(A + 3 * B * high + 5 * C * low * low, A + 3 * B * low + 5 * C * high * high)


def _product(x: Interval, y: Interval) -> Interval:
    ends = [s * t for s in x for t in y]
    return _rounded(min(ends), max(ends))


def multiplier(orbit: list[Interval]) -> Interval:
    """The product of the slopes along a cycle: it attracts if this lies inside (-1, 1), repels if outside."""
    total = (Fraction(1), Fraction(1))
    for x in orbit:
        total = _product(total, slopes(x))
    return total


def orbit(x: Interval, length: int) -> list[Interval]:
    """x, p(x), ..., `length` intervals in all."""
    points = [x]
    while len(points) < length:
        points.append(image(points[-1]))
    return points


@cache
def band() -> Interval:
    """[m, p(m)], as the lower and the upper end's outer enclosure."""
    m = image(critical_points()[1])
    return m[0], image(m)[1]


@cache
def largest() -> Fraction:
    """M = p(e) rounded upwards: no value in (0, M] is mapped higher, as p(M) < M. In (M, r) some are."""
    return image(critical_points()[0])[1]


def positive() -> bool:
    """p(x)/x > 0: as a quadratic in x^2 it has no real zero."""
    return C > 0 and B * B - 4 * A * C < 0


def no_fixed_point_attracts() -> bool:
    """Both positive fixed points and 0 have multipliers outside [-1, 1]."""
    inner, outer = (slopes(x) for x in fixed_points())
    return A > 1 and inner[1] < -1 and outer[0] > 1


def blows_up_beyond(boundary: Fraction) -> bool:
    """Whether every x > `boundary` grows without bound: p(x) > x there, as p(x)/x - 1 rises beyond its largest zero r."""
    return boundary >= fixed_points()[1][1]


def stays_below_the_boundary() -> bool:
    """(0, r) is mapped into itself: f < r, p rises from f to r = p(r), and the only other maximum M lies below r."""
    r = fixed_points()[1][0]
    return positive() and critical_points()[1][1] < r and largest() < r


@identity(wrong={"the band [0.7, p(0.7)]": {"low": Fraction(7, 10)}})
def band_is_invariant(low: Fraction | None = None) -> bool:
    """p maps [m, p(m)] onto itself: e < m < f < p(m), so p falls from p(m) to m and rises to p(p(m)) < p(m).

    With another lower end `low`: whether p maps [low, p(low)] into itself.

    >>> band_is_invariant(), band_is_invariant(low=Fraction(7, 10))
    (True, False)
    """
    m = image(critical_points()[1])
    if low is not None:
        reached = image((low, p(low)))
        return low <= reached[0] and reached[1] <= p(low)
    (_, e), (f_low, f_high) = critical_points()
    top = image(m)
    return e < m[0] and m[1] < f_low and f_high < top[0] and image(top)[1] < top[0]


def every_value_enters_the_band() -> bool:
    """Below m a value grows by more than 1.6 a step, from p(m) to M one step suffices; (M, r) falls to M or less.

    On (0, m), p(x)/x >= A + B m^2 + C m^4: the quadratic A + B y + C y^2 falls up to y = 1.17 > m^2. p maps [m, M] into
    the band: it falls from p(m) to m and rises to p(M) < p(m). In (M, r), p(x) < x: p(x)/x - 1 is a quadratic in x^2 whose
    positive zeros are the two fixed points, negative at 1 between them, and M exceeds the inner one. So the sequence
    decreases while it is above M, and cannot stay there: its limit would be a fixed point in [M, r).
    """
    m = image(critical_points()[1])
    growth = p(m[1]) / m[1]
    falls = m[1] ** 2 < -B / (2 * C)
    one_step = image((largest(), largest()))[1] < image(m)[0]
    inner, outer = fixed_points()
    between = inner[1] < 1 < outer[0] and p(Fraction(1)) < 1
    decreases = between and inner[1] < image(critical_points()[0])[0]
    return falls and growth > Fraction(8, 5) and one_step and decreases and stays_below_the_boundary()


@cache
def two_cycles() -> tuple[Interval, ...]:
    """Enclosures of all positive points of period exactly 2, by Sturm's theorem.

    p(p(x)) = x, without its fixed points, is a polynomial of degree 10 in y = x^2.
    """
    y = sp.Symbol("y")
    a, b, c = (sp.Rational(z.numerator, z.denominator) for z in (A, B, C))
    g = a + b * y + c * y**2
    twice = sp.Poly(g * g.subs(y, y * g**2) - 1, y)
    pure, rest = sp.div(twice, sp.Poly(g - 1, y))
    if not rest.is_zero:
        raise ArithmeticError("fixed points must be points of period 2")
    squares = [ends for ends, _ in pure.intervals(eps=sp.Rational(1, _GRID)) if ends[0] > 0]
    return tuple(tuple(_root(Fraction(int(s.p), int(s.q))) for s in ends) for ends in squares)


def _root(square: Fraction) -> Fraction:
    """The square root of a rational, to 2^-120."""
    low, high = _zero(lambda s: s * s - square, Fraction(0), square + 1)
    return (low + high) / 2


def one_repelling_two_cycle() -> bool:
    """There are exactly two points of period 2, each the other's image, and their multiplier lies below -1."""
    points = [(low - Fraction(1, 2**100), high + Fraction(1, 2**100)) for low, high in two_cycles()]
    if len(points) != 2:
        return False
    (low, high), reached = points[1], image(points[0])
    return reached[0] < high and low < reached[1] and multiplier(points)[1] < -1


TRAP: Interval = (Fraction("1.0459"), Fraction("1.0479"))  # around the 4-cycle's point next to f


@identity(wrong={"a cycle of length 2 attracts": {"length": 2}})
def four_cycle_attracts(trap: Interval = TRAP, length: int = 4) -> bool:
    """p^4 maps the trap into its interior and |(p^4)'| < 1 on it: one attracting point of period 4 (Banach).

    The four images are disjoint, so no shorter period is possible.

    >>> four_cycle_attracts(), four_cycle_attracts(length=2)
    (True, False)
    """
    *points, back = orbit(trap, length + 1)
    low, high = multiplier(points)
    ordered = sorted(points)
    disjoint = all(left[1] < right[0] for left, right in pairwise(ordered))
    return trap[0] < back[0] and back[1] < trap[1] and low > -1 and high < 1 and disjoint


def critical_orbits_are_trapped(steps: int = 40) -> bool:
    """The orbits of both critical points enter the trap; with Singer's theorem no other cycle attracts."""
    return all(any(TRAP[0] < low and high < TRAP[1] for low, high in orbit(point, steps)) for point in critical_points())


def steps_to_band(smallest: Fraction) -> int:
    """The number of steps after which every start in [smallest, 1] is in the band for good; ValueError unless 0 <
    smallest <= 1.

    The image of an interval is computed exactly up to 2^-119, so the count is that of exact arithmetic.

    >>> steps_to_band(Fraction(1, 1000)), steps_to_band(Fraction(1, 10))
    (7, 3)
    """
    if not 0 < smallest <= 1:
        raise ValueError(f"smallest is {smallest}; accepted are rationals in (0, 1]")
    low, high = band()
    x, steps = (Fraction(smallest), Fraction(1)), 0
    while not (low <= x[0] and x[1] <= high):
        x, steps = image(x), steps + 1
    return steps


def reach(steps: int) -> Fraction:
    """The smallest start that is in the band after `steps` >= 2 steps, together with all of [start, 1], to 2^-119.

    steps - 1 steps must lift it to m, and the last one brings down what is above p(m).
    """
    target = image(critical_points()[1])[1]
    for _ in range(steps - 1):
        target = _zero(lambda x, target=target: p(x) - target, Fraction(0), Fraction(1, 2))[1]
    return target
