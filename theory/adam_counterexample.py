r"""Theorem 1 on Adam's failure, proved for every t: it stays at the worst point of a box, and AMSGrad leaves it.

    f_t(x) = C x if t mod 3 = 1, else -x, on [-1, 1];      beta1 = 0, beta2 = 1/(1 + C^2), a_t = a/sqrt t, t = 1, 2, ...
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2, v_0 = 0;      x_{t+1} = clip(x_t - a_t g_t/sqrt v_t)

    x_{3t+1} = 1 for every t, if x_1 = 1
    0 <= R_{3T}/(3T) - (2C - 4)/3 <= 2 a sqrt(1 + 1/C^2) (1 + 2 sqrt(3T - 2))/(9T)

where R_{3T} is the regret against the best fixed point -1 (C > 2). So the average regret tends to (2C - 4)/3.

Proved for every t and every real C >= 1 (C > 2 is needed for the regret only: it makes -1 the best fixed point):
 1. With u = v_{3t} in [0, C^2], v_{3t+1} >= (1 - beta2) C^2 and v_{3t+2}, v_{3t+3} <= 2 C^2/(1 + C^2) (`second_moments`).
 2. Hence the two steps up together exceed the step down for t >= 1 (`later_periods`), and for t = 0, where v_0 = 0, too
    (`first_period`). Clipping at -1 can only raise x, and clipping at 1 during the two steps up ends at 1: x_{3t+4} = 1.
    So the usual condition a < sqrt(1 - beta2), which keeps x away from -1, is not needed.
 3. The displacement stays above a multiple of 1/sqrt(3t + 1) (`reaches_the_end`), which has an infinite sum: from any x_1
    some x_{3t+1} is 1, and all later ones are.
 4. The regret of a period is 2 (C - 2) + d + d' with 0 <= d' <= d <= a sqrt(1 + 1/C^2)/sqrt(3t + 1) (`regret_of_a_period`),
    and the sum of 1/sqrt(3t + 1) over t < T is at most (1 + 2 sqrt(3T - 2))/3 (`sum_of_roots`).
 5. Bias correction multiplies 1/sqrt v_t by sqrt(1 - beta2^t), which increases with t, and so favours the steps up
    (`bias_correction`). For constant steps 2. reads 2/sqrt 2 > 1, with 1. unchanged: they stay at 1 as well.
 6. AMSGrad with the paper's maximum, or with the corrected one, has denominators h that never decrease, h <= C^2: with steps
    that never increase a period lowers x by at least (C - 2) a_{3t+1}/C as long as it is not clipped (`amsgrad_descends`),
    for every beta2. At -1 its two steps up are at most 2 a_{3t+1}/sqrt(1 - beta2)/C together, as (1 - beta2) C^2 <= h
    (`amsgrad_denominators`). So x_t -> -1, and R_T/T -> 0, where a_t -> 0 with an infinite sum, as for a/sqrt t.
 7. The original convergence proof of Adam needs sqrt(v_t)/a_t never to decrease; here it does between the first two rounds
    of every period, for every C > 2 (`the_condition_fails`).
Not proved here: anything for beta1 > 0 or another beta2 (theory/adam_drift.py has both in the limit t -> oo), and AMSGrad
with bias correction after a raw maximum for every t, whose denominators decrease at first.

`exact_run` follows a run in rational intervals that contain the irrational a/sqrt(t v_t): once an interval lies above 1 the
clipped point is exactly 1.

Source: Reddi, Kale and Kumar (2018), arXiv:1904.09237; proofs here.
"""

from fractions import Fraction
from math import isqrt

import sympy as sp
from ratewitness.theory.bounds import Bound, C, T, a, vanishes
from ratewitness.theory.identity import identity

beta2 = 1 / (1 + C**2)
_c, _w = sp.symbols("c w", nonnegative=True)  # C^2 = 1 + c; u = C^2 - w
_k = sp.Symbol("k", integer=True, nonnegative=True)  # t - 1
_s = C**2

limit_of_regret = (2 * C - 4) / 3
three_periodic_regret = Bound(
    "three_periodic_regret",
    "R_{3T}/(3T)",
    limit_of_regret + 2 * a * sp.sqrt(1 + 1 / C**2) * (1 + 2 * sp.sqrt(3 * T - 2)) / (9 * T),
    "upper",
    "f_t = C x, -x, -x in turn on [-1, 1], x_1 = 1",
    "Adam without bias correction, beta1 = 0, beta2 = 1/(1 + C^2), a_t = a/sqrt t",
    "Reddi, Kale and Kumar (2018), arXiv:1904.09237, for the instance; bound and proof here",
    domain=C > 2,
)


def positive(expression: sp.Expr, strict: bool = True) -> bool:
    """Whether a rational function of c, w, k >= 0 is a quotient of polynomials without negative coefficients, and so >= 0;
    strict: with a constant term above, and so > 0.

    >>> positive((_c + 1) ** 2 / (_c + 2)), positive(_c), positive(_c, strict=False), positive((_c - 1) ** 2)
    (True, False, True, False)
    """
    over, under = (sp.Poly(part, _c, _w, _k) for part in sp.fraction(sp.cancel(sp.together(expression))))
    signs = all(coefficient >= 0 for part in (over, under) for coefficient in part.coeffs())
    return signs and (not strict or bool(over.nth(0, 0, 0) > 0))


def _shifted(expression: sp.Expr) -> sp.Expr:
    return expression.subs(C, sp.sqrt(1 + _c))


def _moments(before: sp.Expr) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """v_{3t+1}, v_{3t+2} and v_{3t+3} from v_{3t}."""
    first = beta2 * before + (1 - beta2) * _s
    second = beta2 * first + 1 - beta2
    return first, second, beta2 * second + 1 - beta2


@identity(growth=sp.Rational(3, 2))
def second_moments(growth=2) -> bool:
    """v_{3t+1} >= (1 - beta2) C^2, and v_{3t+2}, v_{3t+3} <= growth C^2/(1 + C^2), and v_{3t+3} <= C^2 again (induction)."""
    first, second, third = _moments(_s - _w)
    top = growth * _s / (1 + _s)
    below = first - (1 - beta2) * _s - beta2 * (_s - _w)  # beta2 u, and u >= 0
    return vanishes(below) and all(
        positive(_shifted(margin), strict=False) for margin in (top - second, top - third, _s - third)
    )


@identity(growth=3)
def later_periods(growth=2) -> bool:
    """1/sqrt(growth (3t+2)) + 1/sqrt(growth (3t+3)) > 1/sqrt(3t+1) for t >= 1: each is at least half of the right side.

    Times a sqrt(1 + 1/C^2), this bounds the displacement over the period from below.
    """
    t = 1 + _k
    return all(positive(4 * (3 * t + 1) - growth * (3 * t + j)) for j in (2, 3))


@identity(down=sp.Rational(11, 10))
def first_period(down=1) -> bool:
    """p + q > down for p = 1/sqrt(2 V_2), q = 1/sqrt(3 V_3) with V = v/(1 - beta2) and v_0 = 0, where V_1 = C^2.

    It follows from 4 p^2 q^2 > (down^2 - p^2 - q^2)^2, a rational inequality in C^2.
    """
    _, second, third = _moments(sp.S.Zero)
    p, q = (_shifted((1 - beta2) / (j * v)) for j, v in ((2, second), (3, third)))  # the squares
    return positive(4 * p * q - (down**2 - p - q) ** 2)


@identity(growth=4)
def reaches_the_end(growth=2) -> bool:
    """sqrt(3t+1) times the margin of `later_periods` tends to 2/sqrt(growth) - 1 = sqrt 2 - 1 > 0."""
    t = sp.Symbol("t", positive=True)
    up = [sp.sqrt((3 * t + 1) / (growth * (3 * t + j))) for j in (2, 3)]
    limit = sp.limit(sum(up) - 1, t, sp.oo)
    return bool(limit > 0)


@identity(limit=(2 * C - 2) / 3)
def regret_of_a_period(limit=limit_of_regret) -> bool:
    """From x = 1 down by d, and up to 1 - d' <= 1: a period costs 3 times the limit, and d + d' more, against -1."""
    d, after = sp.symbols("d d'", nonnegative=True)
    points, slopes = (1, 1 - d, 1 - after), (C, -1, -1)
    cost = sum(slope * (x + 1) for slope, x in zip(slopes, points, strict=True))
    return vanishes(cost - d - after - 3 * limit)


@identity(factor=1)
def sum_of_roots(factor=2) -> bool:
    """sum_{t<T} 1/sqrt(3t+1) <= (1 + factor sqrt(3T-2))/3 by induction: 1 at T = 1, and the margin of a step, in p =
    sqrt(3T-2) < q = sqrt(3T+1), is (q - p)^2/(3 q) >= 0 where 3 = q^2 - p^2."""
    p, q = sp.symbols("p q", positive=True)
    growth = factor * (q - p) / 3 - (q**2 - p**2) / (3 * q)
    return (1 + factor) / sp.S(3) == 1 and vanishes(growth - (q - p) ** 2 / (3 * q))


@identity(sign=-1)
def bias_correction(sign=1) -> bool:
    """1 - beta2^{t+1} is larger than 1 - beta2^t, by beta2^t (1 - beta2)."""
    b, t = sp.symbols("b t", positive=True)
    return vanishes((1 - b ** (t + 1)) - (1 - b**t) - sign * b**t * (1 - b))


@identity(ups=1)
def amsgrad_descends(ups=2) -> bool:
    """-C s_1 + s_2 + s_3 = -(C - ups) s_1 - (s_1 - s_2) - (s_1 - s_3) for s_j = a_j/sqrt h_j, s_1 >= s_2 >= s_3."""
    s = sp.symbols("s1:4", positive=True)
    displacement = -C * s[0] + s[1] + s[2]
    return vanishes(displacement + (C - ups) * s[0] + (s[0] - s[1]) + (s[0] - s[2]))


@identity(largest=1)
def amsgrad_denominators(largest=C**2) -> bool:
    """No average v of squares 1 <= g^2 <= C^2 exceeds C^2, by induction: C^2 - (b v + (1 - b) g^2) = b w + (1 - b)(C^2 -
    g^2) for v = C^2 - w. So h <= C^2; and h >= v_1 = (1 - beta2) C^2, its first entry."""
    b, w, g2 = sp.symbols("b w g2", positive=True)
    margin = largest - (b * (_s - w) + (1 - b) * g2)
    return vanishes(margin - b * w - (1 - b) * (_s - g2))


@identity(rounds=2)
def the_condition_fails(rounds=1) -> bool:
    """(3t+1) v_{3t+1} > (3t+2) v_{3t+2} for C > 2, t >= 0: by `second_moments` the left is at least (3t+1) C^4/(1 + C^2),
    and the right at most 2 (3t+2) C^2/(1 + C^2), so that (3t+1) C^2 >= 2 (3t+2) is enough; here C^2 = 4 + c, t = k."""
    return positive((3 * _k + 1) * (4 + _c) - 2 * (3 * _k + 1 + rounds), strict=False)


Enclosure = tuple[Fraction, Fraction]


def reciprocal_root(q: Fraction, digits: int = 40) -> Enclosure:
    """Rationals low <= 1/sqrt q <= high, 10^-digits apart, for q > 0.

    >>> reciprocal_root(Fraction(4), 2)
    (Fraction(1, 2), Fraction(51, 100))
    """
    scale = 10**digits
    whole = isqrt(scale**2 * q.denominator // q.numerator)
    return Fraction(whole, scale), Fraction(whole + 1, scale)


def exact_run(C: Fraction, a: Fraction, start: Fraction, rounds: int, beta2: Fraction | None = None) -> list[Enclosure]:
    """Rational enclosures of x_1, ..., x_{rounds+1} of Adam without bias correction, beta1 = 0, a_t = a/sqrt t.

    beta2 is 1/(1 + C^2) unless it is given. The ends of an interval are rounded outwards to 30 digits.
    """
    beta2 = 1 / (1 + C**2) if beta2 is None else beta2
    v, low, high, scale = Fraction(0), start, start, 10**30
    path = [(low, high)]
    for t in range(1, rounds + 1):
        g = C if t % 3 == 1 else Fraction(-1)
        v = beta2 * v + (1 - beta2) * g**2
        least, most = (a * g * end for end in reciprocal_root(t * v))
        low, high = low - max(least, most), high - min(least, most)
        low, high = Fraction(low * scale // 1, scale), Fraction(-(-high * scale // 1), scale)
        low, high = (min(max(end, Fraction(-1)), Fraction(1)) for end in (low, high))
        path.append((low, high))
    return path
