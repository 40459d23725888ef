r"""Newton-Schulz iterations: the Pade family on a singular value, and the optimal cubic.

    p(x) = int_0^x (1 - t^2)^q dt / int_0^1 (1 - t^2)^q dt,        degree d = 2q + 1
    1 - p(x)^2 = c_q (z^{q+1}/(q+1) + ... + a_q z^{2q+1}/(2q+1)),  z = 1 - x^2,  a_j = binom(2j, j)/4^j,  c_q = (2q+1) a_q
    x_0 = l:   (1/2) (c_q/(q+1))^{((q+1)^T - 1)/q} (1 - l^2)^{(q+1)^T}  <=  |1 - x_T|  <=  (1 - l^2)^{(q+1)^T}

Hypotheses: exact arithmetic, 0 < l <= 1, l the smallest singular value after normalization and 1 at least the largest.
All coefficients of the second line are positive and sum to 1 (z = 1 is x = 0), which gives (c_q/(q+1)) z^{q+1} <= 1 - p^2
<= z^{q+1}, hence p in [0, 1], and by induction both bounds, as 1 - x = (1 - x^2)/(1 + x). So the order is q + 1 exactly.
The upper bound holds for the greedy composition of optimal polynomials too, whose error is at most that of any
composition (Amsel, Persson, Musco and Gower 2025, arXiv:2505.16932, theorem 4.3, version of 29 September 2025). That
version prints (d + 1)^T in the proof; this is false, see ``exponent_holds``.

Each proof returns True iff sympy finds what it says, and takes an argument that makes it false.

Source: Higham (2008), Functions of Matrices, chapter 8, for the family; the defect and the lower bound are derived here.
"""

import sympy as sp
from ratewitness.theory.bounds import Bound, T, c, vanishes
from ratewitness.theory.identity import identity
from sympy.codegen.cfunctions import log1p

l = sp.Symbol("l", positive=True)
q, j = sp.symbols("q j", integer=True, positive=True)
_x, _z, _t = sp.symbols("x z t", positive=True)

_power = sp.exp((q + 1) ** T * log1p(-(l**2)))  # (1-l^2)^((q+1)^T) without cancellation for small l
_family = {
    "measure": "|1 - x_T|, the largest error of a singular value",
    "method": "T steps of the Pade polynomial of degree 2q + 1",
    "source": "Amsel, Persson, Musco and Gower (2025), arXiv:2505.16932, theorem 4.3 (version of 29 September 2025); "
    "proof in this file",
    "domain": l <= 1,
}
upper_bound = Bound(
    name="Newton-Schulz, upper", value=_power, kind="upper", hypotheses="singular values in [l, 1]", **_family
)


def leading(order: int) -> sp.Rational:
    """c_q/(q+1), the factor of the lowest power of z in 1 - p^2: 3/4 for the cubic, 5/8 for the quintic."""
    return sp.Rational(2 * order + 1, order + 1) * sp.binomial(2 * order, order) / 4**order


lower_bound = Bound(
    name="Newton-Schulz, lower",
    value=c ** (((q + 1) ** T - 1) / q) * _power / 2,
    kind="lower",
    hypotheses="one singular value is l; c = leading(q)",
    **_family,
)


def pade(degree: int, x: sp.Expr = _x) -> sp.Expr:
    """The polynomial of odd degree with p(1) = 1 whose derivative is a multiple of (1 - x^2)^q.

    >>> pade(3), pade(5)
    (-x**3/2 + 3*x/2, 3*x**5/8 - 5*x**3/4 + 15*x/8)
    """
    weight = sp.expand((1 - _t**2) ** ((degree - 1) // 2))
    return sp.expand(sp.integrate(weight, (_t, 0, x)) / sp.integrate(weight, (_t, 0, 1)))


def is_truncated_series(degree: int, last: int = 0) -> bool:
    """p(x) = x times the binomial series of (1 - z)^{-1/2} up to z^q: it is the sign function, cut off.

    >>> [is_truncated_series(d) for d in (3, 5, 7)], is_truncated_series(5, last=1)
    ([True, True, True], False)
    """
    order = (degree - 1) // 2 + 1 + last
    series = sp.series((1 - _z) ** sp.Rational(-1, 2), _z, 0, order).removeO()
    return vanishes(_x * series.subs(_z, 1 - _x**2) - pade(degree))


def defect_is_small(degree: int, order: int | None = None) -> bool:
    """1 - p^2 = z^order h(z), h with positive coefficients of sum 1, the first leading(q): 0 <= 1 - p^2 <= z^order.

    >>> all(defect_is_small(d) for d in (3, 5, 7, 9)), defect_is_small(5, order=4)
    (True, False)
    """
    order = (degree + 1) // 2 if order is None else order
    defect = sp.expand(sp.expand(1 - pade(degree) ** 2).subs(_x, sp.sqrt(1 - _z)))
    quotient, rest = sp.div(sp.Poly(defect, _z), sp.Poly(_z**order, _z))
    positive = all(factor > 0 for factor in quotient.coeffs())
    return rest.is_zero and positive and quotient.eval(1) == 1 and quotient.eval(0) == leading(order - 1)


@identity(halves=2)
def defect_in_general(halves=1) -> bool:
    """The same for symbolic q. With f the sum of a_j z^j over j <= q, 1 - p^2 = 1 - (1-z) f^2 vanishes at z = 0, and

        d/dz (1 - (1-z) f^2) = f (f - 2 (1-z) f') = f c_q z^q,

    since (j+1) a_{j+1} = (j + 1/2) a_j cancels every other power: 1 - p^2 is the integral of positive terms.

    >>> defect_in_general(), defect_in_general(halves=2)
    (True, False)
    """
    a = sp.binomial(2 * j, j) / 4**j
    return bool(sp.gammasimp(sp.combsimp(((j + 1) * a.subs(j, j + 1) - (j + sp.Rational(halves, 2)) * a) / a)) == 0)


@identity(wrong={"order q + 2": {"order": q + 2}})
def orders_multiply(order=q + 1) -> bool:
    """Induction: ((1-l^2)^{(q+1)^T})^{q+1} = (1-l^2)^{(q+1)^{T+1}}, and likewise for the constant of the lower bound.

    >>> orders_multiply(), orders_multiply(order=q + 2)
    (True, False)
    """

    def constant(steps):
        return ((q + 1) ** steps - 1) / q

    return vanishes((q + 1) ** T * order - (q + 1) ** (T + 1)) and vanishes(order * constant(T) + 1 - constant(T + 1))


def optimal_cubic(low, high) -> tuple[sp.Expr, sp.Expr]:
    """alpha, beta of the cubic beta p(alpha x), p = (3x - x^3)/2, that is closest to 1 on [low, high]."""
    alpha = sp.sqrt(3 / (high**2 + low * high + low**2))
    return alpha, 4 / (2 + low * high * (low + high) * alpha**3)


@identity(wrong={"a wrong sign at the maximum": {"sign": -1}})
def optimal_cubic_alternates(sign=1) -> bool:
    """Its error is E > 0 at low, -E at 1/alpha, E at high: +-E alternately at three points. It is no larger in between, as
    1/alpha is its only critical point there; so it is optimal (Chebyshev, for the two coefficients of x and x^3).

    >>> optimal_cubic_alternates(), optimal_cubic_alternates(sign=-1)
    (True, False)
    """
    low, width = sp.symbols("l w", positive=True)
    high = low + width
    alpha, beta = optimal_cubic(low, high)
    errors = [1 - beta * pade(3).subs(_x, alpha * at) for at in (low, 1 / alpha, high)]
    # low < 1/alpha < high: 3 low^2 < high^2 + low high + low^2 < 3 high^2
    inside = (high**2 + high * low + low**2 - 3 * low**2, 3 * high**2 - high**2 - high * low - low**2)
    between = all(factor > 0 for gap in inside for factor in sp.Poly(gap, low, width).coeffs())
    at = sp.Symbol("x", positive=True)
    derivative = sp.diff(beta * pade(3).subs(_x, alpha * at), at)
    one_critical_point = vanishes(derivative - sp.Rational(3, 2) * alpha * beta * (1 - alpha * at) * (1 + alpha * at))
    # E = beta - 1 > 0: low high (low + high) alpha^3 < 2, squared
    gap = 4 * (high**2 + low * high + low**2) ** 3 - 27 * (low * high * (low + high)) ** 2
    positive = vanishes(errors[1] + beta - 1) and all(factor > 0 for factor in sp.Poly(gap, low, width).coeffs())
    alternates = vanishes(errors[0] + sign * errors[1]) and vanishes(errors[0] - errors[2])
    return alternates and between and one_critical_point and positive


def exponent_holds(exponent: int, degree: int = 3) -> bool:
    """Whether one step from [19/20, 1] leaves an error of at most (1-l^2)^exponent, l = 19/20, in exact arithmetic.

    Degree 3 is judged on the optimal cubic, the most favourable one, higher degrees on the Pade polynomial. The exponent
    q + 1 holds, d + 1 fails:

    >>> exponent_holds(2), exponent_holds(4), exponent_holds(3, degree=5), exponent_holds(6, degree=5)
    (True, False, True, False)
    """
    smallest = sp.Rational(19, 20)
    error = optimal_cubic(smallest, 1)[1] - 1 if degree == 3 else 1 - pade(degree).subs(_x, smallest)
    return bool(error <= (1 - smallest**2) ** exponent)
