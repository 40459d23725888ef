r"""The oracles of norms.py are optimal: Hoelder's inequality for each norm, and when it is an equality.

    ||g||_* ||x|| - <g, x> = sum of products of nonnegative factors          (for l_p: Young's inequality)

Hypotheses: 1 < p < oo; l_p, l_1, l_2 and l_inf for all real g and x and every n, term by term or by bilinearity; the Ky Fan
norms in the chamber g_1 > ... > g_n > 0 and x_1 >= ... >= x_n >= 0, n = 2, 3, 4, written in sums of positive symbols
(norms.py carries this to all g and x).  So no point of the ball does better than -||g||_*, which lmo(g) attains.  The LMO
is unique iff

    l_p: g != 0;   l_1: max |g_i| attained once;   l_inf: no zero entry
    Ky Fan k, 1 < k < n: k g_1 > ||g||_1 and g_1 > g_2, or k g_1 < ||g||_1 and no zero entry

"If": equality forces the products to vanish one by one.  "Only if": a second minimizer is written down.  l_1 and l_inf are
limits of l_p (`lp_at_the_ends`).

Source: elementary, derived here; Young (1912) and Hoelder for the inequalities.
"""

from collections.abc import Sequence

import sympy as sp
from ratewitness.theory.bounds import vanishes
from ratewitness.theory.identity import identity
from ratewitness.theory.norms import L1, L2, P, Q, attains, chamber, dot, increments, ky_fan, lp, r, sorted_point

SIZES = (2, 3, 4)
_s = sp.symbols("s1:4", positive=True)


def certified(bound: sp.Expr, pairing: sp.Expr, slack: Sequence[tuple]) -> bool:
    """bound - pairing is the sum of the products in `slack`, whose factors sympy knows to be nonnegative."""
    total = sp.Add(*(sp.Mul(*factors) for factors in slack))
    return sp.expand(bound - pairing - total) == 0 and all(
        bool(sp.expand(factor).is_nonnegative) for factors in slack for factor in factors
    )


def equality(slack: Sequence[tuple], n: int) -> dict:
    """What x must satisfy, in its increments, where every (weight, factor) with a positive weight is zero."""
    bite = [factor for weight, factor in slack if sp.expand(weight).is_positive]
    return (sp.solve(bite, increments(n), dict=True) or [{}])[0]


@identity(wrong={"conjugate exponent p": {"conjugate": P}})
def young(conjugate=Q) -> bool:
    """Young: u^p/p + v^q/q - u v >= 0 for u, v > 0, with equality only at u = v^(q-1).

    In u it is strictly convex (its second derivative is positive), and zero at its critical point v^(q-1).
    """
    u, v = sp.symbols("u v", positive=True)
    excess = u**P / P + v**conjugate / conjugate - u * v
    convex = bool(sp.simplify(sp.diff(excess, u, 2)).is_positive)
    critical = vanishes(sp.powsimp(sp.diff(excess, u).subs(u, v**r)))
    return convex and critical and vanishes(sp.powsimp(sp.expand(excess.subs(u, v**r))))


@identity(wrong={"conjugate exponent p": {"conjugate": P}})
def lp_certificate(conjugate=Q) -> bool:
    """Hoelder for every n: Young at u_i = |x_i|/||x||_p, v_i = |g_i|/||g||_q, where sum u_i^p = sum v_i^q = 1, sums to
    1/p + 1/q - <|g|, |x|>/(||g||_q ||x||_p) >= 0, and 1/p + 1/q = 1."""
    x, g, X, G = sp.symbols("x g X G", positive=True)  # one term; X = sum |x_i|^p, G = sum |g_i|^q
    u, v = x / X ** (1 / P), g / G ** (1 / conjugate)
    weights = vanishes(sp.powsimp(u**P) - x**P / X) and vanishes(sp.powsimp(v**conjugate) - g**conjugate / G)
    return weights and vanishes(1 / P + 1 / conjugate - 1) and young()


@identity(wrong={"dual exponent p": {"conjugate": P}, "argmax": {"sign": -1}})
def lp_attained(conjugate=Q, sign=1) -> bool:
    """For every n: with w_i = g_i^q/||g||_q^q, which sum to one, g_i lmo_i = -||g||_q w_i and |lmo_i|^p = w_i."""
    g, G = sp.symbols("g G", positive=True)  # one term; G = sum g_i^q
    entry = -sign * g ** (conjugate - 1) / G ** ((conjugate - 1) / conjugate)
    weight = g**Q / G
    pairing = sp.powsimp(sp.powsimp(g * entry) + G ** (1 / Q) * weight)
    return vanishes(pairing) and vanishes(sp.powsimp(sp.Abs(entry) ** P - weight))


@identity(wrong={"dual exponent p": {"conjugate": P}, "argmax": {"sign": -1}})
def lp_at_size(conjugate=Q, sign=1) -> bool:
    """The formulas of `norms.lp`, at vectors of positive symbols."""
    return all(attains(lp(P, conjugate), sp.symbols(f"g1:{n + 1}", positive=True), sign) for n in SIZES)


@identity(wrong={"power q": {"power": Q}})
def lp_unique(power=r) -> bool:
    """Equality in Young's inequality at every i: |x_i|/||x||_p = (|g_i|/||g||_q)^(q-1), which is -lmo; 0 where g_i = 0."""
    g, G, u = sp.symbols("g G u", positive=True)
    only = (g / G ** (1 / Q)) ** power
    zero = (u**P / P).is_positive  # Young with v = 0 is strict unless u = 0
    return young() and bool(zero) and vanishes(sp.powsimp(only - g ** (Q - 1) / G ** ((Q - 1) / Q)))


@identity(wrong={"power 1": {"power": 1}})
def l2_certificate(power=2) -> bool:
    """Cauchy-Schwarz for every n: ||g||^2 ||x||^2 - <g, x>^2 = || ||g|| x - <g, x> g/||g|| ||^2 for real g != 0 and x, by
    bilinearity; -g/||g|| attains it (written out for n = 3)."""
    G, xx = sp.symbols("G xx", positive=True)  # ||g||, ||x||^2
    gx = sp.Symbol("gx", real=True)
    square = G**2 * xx - 2 * G * (gx / G) * gx + (gx / G) ** 2 * G**2  # ||G x - (gx/G) g||^2, by bilinearity
    return vanishes(G**2 * xx - gx**power - square) and attains(L2, chamber(3))


_u, _v = sp.symbols("u v", nonnegative=True)  # |g_i| and |x_i|: the certificates of l_1 and l_inf go term by term


def termwise(bound: sp.Expr, weight: sp.Expr) -> bool:
    """bound - e u v = weight + (1 - e) u v with weight >= 0, e = +-1 the sign of g_i x_i: a term of a certificate."""
    return all(certified(bound, e * _u * _v, [(weight,), (1 - e, _u, _v)]) for e in (1, -1))


@identity(wrong={"the second entry": {"excess": -1}, "argmax": {"sign": -1}})
def l1_certificate(excess=1, sign=1) -> bool:
    """For every n: max|g| |x_i| - g_i x_i = gap |x_i| + what signs that differ cost, gap = max|g| - |g_i|; in sum max|g|
    ||x||_1 >= <g, x>. -sign(g_1) e_1 attains it where |g_1| is the maximum."""
    g, gap = sp.Symbol("g", real=True, nonzero=True), excess * sp.Symbol("gap", positive=True)  # the case 0 by continuity
    attained = vanishes(-sign * sp.sign(g) * g + sp.Abs(g)) and vanishes(sp.Abs(sp.sign(g)) - 1)
    return termwise((_u + gap) * _v, gap * _v) and attained


@identity(wrong={"no tie": {"gap": 1}})
def l1_unique(gap=0) -> bool:
    """Equality needs (max|g| - |g_i|) |x_i| = 0: x_i = 0 unless |g_i| is the maximum, for every n; and where another |g_j| =
    max|g| as well, -sign(g_j) e_j attains it too."""
    strict, g = sp.Symbol("strict", positive=True), sp.Symbol("g", positive=True)
    return sp.solve(strict * _v, _v) == [0] and vanishes(-(g + gap) + g)


@identity(wrong={"half the dual norm": {"dual": sp.S.Half}, "argmax": {"sign": -1}})
def linf_certificate(sign=1, dual=1) -> bool:
    """For every n: max|x| |g_i| - g_i x_i = |g_i| (max|x| - |x_i|) + what signs that differ cost; in sum max|x| ||g||_1 >=
    <g, x>. -sign(g) attains it, entry by entry."""
    gap, g = sp.Symbol("gap", nonnegative=True), sp.Symbol("g", real=True, nonzero=True)
    attained = vanishes(-sign * sp.sign(g) * g + sp.Abs(g)) and vanishes(sp.Abs(sp.sign(g)) - 1)
    return termwise(dual * _u * (_v + gap), _u * gap) and attained


@identity(wrong={"last entry 1": {"zero": 1}})
def linf_unique(zero=0) -> bool:
    """Equality needs |g_i| (max|x| - |x_i|) = 0: |x_i| = max|x| where g_i is not zero, for every n; where it is zero, x_i is
    free in [-1, 1]."""
    gap, weight, free = sp.Symbol("gap", nonnegative=True), sp.Symbol("weight", positive=True), sp.Symbol("f", real=True)
    return sp.solve(weight * gap, gap) == [0] and vanishes(zero * free)


@identity(wrong={"power q": {"power": Q}, "a tie gives 1 to each": {"shared": 1}})
def lp_at_the_ends(power=r, shared=None) -> bool:
    """The oracle of l_p and its dual norm tend to those of l_inf as p -> oo and to those of l_1 as p -> 1, for every n.

    With r = q - 1. As p -> oo, r -> 0: |g_i|^r/||g||_q^r -> 1 where g_i != 0, and ||g||_q -> ||g||_1. As p -> 1, r -> oo: of
    n entries t are the largest, 1 after division by it, and each other one is in [0, rho], rho < 1; so ||g||_q^q is between
    t and t + (n - t) rho^q, which both tend to t: ||g||_q -> 1 = max|g|, a largest entry goes to 1/t, any other one to 0. So
    a tie of l_1 is shared equally, and without one the limit is -sign(g_1) e_1."""
    n, t = sp.symbols("n t", positive=True, integer=True)
    g, total, gap = sp.symbols("g total gap", positive=True)
    rho = 1 / (1 + gap)
    ends = [vanishes(sp.limit((g / total ** (1 / (1 + r))) ** power, r, 0) - 1)]
    ends.append(vanishes(sp.limit(total ** (1 / (1 + r)), r, 0) - total))
    for powers in (t, t + (n - t) * rho ** (1 + r)):  # a squeeze
        ends.append(vanishes(sp.limit(powers ** (1 / (1 + r)), r, sp.oo) - 1))
        ends.append(vanishes(sp.limit(powers ** (-r / (1 + r)), r, sp.oo) - 1 / (shared or t)))
        ends.append(sp.limit(rho**r * powers ** (-r / (1 + r)), r, sp.oo) == 0)
    return all(ends)


def _ky_fan_slack(n: int, k: int):
    """M, g, x and the slack for any M with M >= g_i, k M >= ||g||_1, g_i >= 0, each of these gaps a symbol:

    M K(x) - <g, x> = sum_{i<k} (M - g_i)(x_i - x_k) + (k M - ||g||_1) x_k + sum_{i>k} g_i (x_k - x_i)
    """
    below, excess = sp.symbols(f"a1:{k}", positive=True), sp.Symbol("b", positive=True)  # M - g_i and k M - ||g||_1
    last = sp.symbols(f"g{k}:{n + 1}", positive=True)
    M = excess - sp.Add(*below) + sp.Add(*last)
    g, x = [M - gap for gap in below] + list(last), sorted_point(n)
    slack = [(gap, x[i] - x[k - 1]) for i, gap in enumerate(below)] + [(excess, x[k - 1])]
    return M, g, x, slack + [(g[i], x[k - 1] - x[i]) for i in range(k, n)]


@identity(wrong={"share ||g||_1/(2k)": {"share": 2}})
def ky_fan_certificate(share=1) -> bool:
    """<g, x> <= M K(x) for M = max(g_1, ||g||_1/k), and -e_1 and -(1, ..., 1)/k attain its two cases."""

    def holds(n, k):
        M, g, x, slack = _ky_fan_slack(n, k)
        bounded = certified(M * sp.Add(*x[:k]), dot(g, x), slack)
        meant = vanishes(share * k * M - sp.Add(*g) - slack[k - 1][0])  # the k-th weight is k M - ||g||_1
        peak, flat = L1.lmo(g), [sp.Rational(-1, k)] * n
        feasible = all(vanishes(ky_fan(k).value(point) - 1) for point in (peak, flat))
        return bounded and meant and feasible and dot(g, peak) == -g[0] and vanishes(dot(g, flat) + sp.Add(*g) / k)

    return all(holds(n, k) for n in SIZES for k in range(1, n + 1))


@identity(wrong={"argmax": {"sign": -1}})
def ky_fan_lmo(sign=1) -> bool:
    """The formula picks the right case, k = 2: g_1 = g_2 + g_3 + s above ||g||_1/2, and g_1 = g_2 + s below it."""
    a, b, c = _s
    return attains(ky_fan(2), [a + b + c, a, b], sign) and attains(ky_fan(2), [a + 2 * b, a + b, a + b], sign)


@identity(wrong={"no tie": {"gap": 1}})
def ky_fan_unique(gap=0) -> bool:
    """1 < k < n: if g_1 = M > g_2 and k M > ||g||_1 only -e_1, if g_1 < M, k M = ||g||_1 and no zero entry only
    -(1, ..., 1)/k attains the dual norm; if k g_1 = ||g||_1 both do (ties and zeros as for l_1 and l_inf)."""

    def alone(n, k):
        *_, slack = _ky_fan_slack(n, k)
        without = [[(0 if i == j else weight, factor) for i, (weight, factor) in enumerate(slack)] for j in (0, k - 1)]
        peak, flat = (equality(part, n) for part in without)  # the weight M - g_1, then k M - ||g||_1, is zero
        return peak == dict.fromkeys(increments(n)[1:], 0) and flat == dict.fromkeys(increments(n)[:-1], 0)

    tied = [_s[0] + _s[1] + gap, *_s[:2]]  # 2 g_1 = ||g||_1
    both = all(vanishes(dot(tied, point) + tied[0]) for point in ([-1, 0, 0], [sp.Rational(-1, 2)] * 3))
    return both and all(alone(n, k) for n in (3, 4) for k in range(2, n))
