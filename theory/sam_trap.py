r"""SAM at a strict maximum with several curvatures: a box that it never leaves, and the axis that it is drawn to or leaves.

    L = -sum_j mu_j x_j^2/2:   x_j' = (1 + s_j - s_j rho mu_j/||Hx||) x_j,   s_j = eta mu_j,   ||Hx||^2 = sum_j mu_j^2 x_j^2

With one curvature SAM stays in (-rho, rho) where s <= 1 (theory/sam_quadratics.py). With several, derived here:

 1. Where ||Hx|| <= rho mu_j, |x_j'| <= max(|x_j|, s_j rho) (`box`). So every box |x_j| <= b_j with b_j >= s_j rho and sum_j
    mu_j^2 b_j^2 <= (rho min_j mu_j)^2 is never left. There is such a box iff eta <= min_j mu_j/sqrt(sum_j mu_j^4), the
    `safe_step`: a maximum traps small steps, and the fewer of them the smaller its least curvature.
 2. Near the axis of mu_1, v = |x_1|/(s_1 rho) follows v' = T(v) = |1 - b v|, b = 1 + s_1, and a step multiplies another
    coordinate, with r = mu_2/mu_1, by 1 + r s_1 - r^2/v. T expands by b and has one invariant density, a sum of steps at the
    iterates of T(1) (`transfer`), so that the mean logarithm of the multiplier is a sum of integrals (`integral`): negative,
    the iterate is drawn to the axis, and is trapped; positive, it leaves the axis (`transverse_exponent`).

Sources: T.-Y. Li and J. A. Yorke (1978), Transactions of the American Mathematical Society 235, for one invariant density;
the rest is derived here.
"""

import math

import numpy as np
import sympy as sp
from ratewitness.theory.bounds import eta, mu, vanishes
from ratewitness.theory.identity import identity

_b, _c, _t, _y = sp.symbols("b c t y", positive=True)


def safe_step(curvatures):
    """The largest eta with an invariant box, curvatures (..., d) -> (...).

    >>> safe_step([[1.0], [0.5]]).tolist(), safe_step([1.0, 0.5]).round(3).item()
    ([1.0, 2.0], 0.485)
    """
    curvatures = np.asarray(curvatures, dtype=float)
    if not (curvatures > 0).all():
        raise ValueError(f"curvatures are {curvatures.tolist()}; accepted are positive ones")
    return curvatures.min(-1) / np.sqrt((curvatures**4).sum(-1))


def transverse_exponent(ratio: float, share: float) -> float:
    """The mean logarithm by which a step multiplies the coordinate of mu_2 = ratio mu_1 beside the axis of mu_1.

    ratio: r > 0; share: s_1 = eta mu_1 in (0, 1]. At s_1 = 1 v is uniform on [0, 1].

    >>> c = 0.25 / 1.5
    >>> abs(transverse_exponent(0.5, 1.0) - (math.log(1.5) + c * math.log(c) + (1 - c) * math.log(1 - c))) < 1e-12
    True
    """
    if not (ratio > 0 and 0 < share <= 1):
        raise ValueError(f"ratio is {ratio}, share {share}; accepted are ratios above 0 and shares in (0, 1]")
    b, free = 1 + share, 1 + ratio * share
    c = ratio**2 / free
    end, weight = share, 1 / b  # of the step 1_[0, end], beside 1 on all of [0, 1]
    mass, total = 1.0, _logarithm(1.0, c)
    while abs(weight) > 1e-17:
        mass, total = mass + weight * end, total + weight * _logarithm(end, c)
        end, weight = abs(1 - b * end), weight / b * (1 if b * end >= 1 else -1)
    return math.log(free) + total / mass


def _logarithm(a: float, c: float) -> float:
    """The integral of log|1 - c/v| over [0, a]."""
    return sum(sign * x * math.log(abs(x)) for sign, x in ((1, a - c), (-1, a), (1, c)) if x)


@identity(wrong={"half the side": {"side": sp.Rational(1, 2)}, "twice the gradient": {"reach": 2}})
def box(side=1, reach=1) -> bool:
    """With n = ||Hx|| <= rho mu and x = c n/mu, 0 <= c <= 1: x' <= x and x' >= -s rho.

    rho mu = n + gap; x - x' = c s gap/mu, x' + s rho = c (1 + s) n/mu + (1 - c) s rho: sums of terms that are not negative.

    >>> box(), box(reach=2)
    (True, False)
    """
    n, gap, c, rest = sp.symbols("n gap c rest", nonnegative=True)  # c + rest = 1
    rho, s = (n + gap) / (reach * mu), eta * mu
    x = c * n / mu
    after = x + s * x - s * rho * c  # mu x/||Hx|| = c
    least = sp.expand(after + side * (c + rest) * s * rho)
    return bool(sp.expand(x - after).is_nonnegative) and bool(least.is_nonnegative)


@identity(wrong={"the other sign": {"sign": -1}, "slope 1": {"slope": 1}})
def transfer(sign=1, slope=_b) -> bool:
    """The mass that T brings from [0, a] to [0, y] is (y - min(y, t))/b for a < 1/b and (y + min(y, t))/b for a >= 1/b,
    where t = T(a): P 1_[0, a] = (1 -+ 1_[0, t])/b. T(w) <= y iff (1 - y)/b <= w <= (1 + y)/b.

    So with a_1 = T(1) = b - 1 and P 1 = (1 + 1_[0, a_1])/b, h = 1 + sum_k c_k 1_[0, a_k] has P h = const + sum_k c_k 1_[0,
    a_k], if c_1 = 1/b and c_k+1 = -+ c_k/b, and the constant is 1, as P keeps the mass.
    """
    low, high = (1 - _y) / _b, (1 + _y) / _b
    falling, rising = (1 - sign * _t) / slope, (1 + sign * _t) / slope  # a by t
    before = vanishes(falling - low - (_y - _t) / _b)  # t < y; for t >= y [0, a] has nothing above `low`
    after = vanishes(rising - low - (_y + _t) / _b) and vanishes(high - low - 2 * _y / _b)
    return before and after


@identity(wrong={"without c log c": {"start": 0}, "log|v - c| alone": {"power": 0}})
def integral(start=1, power=1) -> bool:
    """(v - c) log|v - c| - v log v + c log c is the integral of log|1 - c/v| from 0, on both sides of c."""
    v, c, d = sp.symbols("v c d", positive=True)
    shifted = (v - c) * sp.log((v - c) ** 2) / 2 + start * c * sp.log(c)
    total = shifted - power * v * sp.log(v)
    beyond = (sp.diff(total, v) - sp.log((v - c) ** 2) / 2 + sp.log(v)).subs(v, c + d)
    at_zero = sp.expand_log(shifted.subs(v, 0)) + sp.limit(v * sp.log(v), v, 0)
    return vanishes(sp.expand_log(sp.simplify(beyond))) and vanishes(at_zero)
