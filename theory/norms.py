r"""Norms of vectors: value, dual norm and linear minimization oracle, and the reduction to one chamber.

    lmo(g) = argmin_{||x|| <= 1} <g, x>,      <g, lmo(g)> = -||g||_*,      ||lmo(g)|| = 1

    norm        value                  dual                   lmo in the chamber g_1 > ... > g_n > 0
    l_p         (sum |x_i|^p)^(1/p)    l_q, 1/p + 1/q = 1     -g_i^(q-1) / ||g||_q^(q-1)
    l_1         sum |x_i|              max |g_i|              -e_1
    l_inf       max |x_i|              sum |g_i|              -(1, ..., 1)
    Ky Fan k    sum of k largest       max(g_1, ||g||_1/k)    -e_1 if g_1 is that maximum, else -(1, ..., 1)/k

Hypotheses: 1 < p < oo symbolic, through r = q - 1 > 0; 1 <= k <= n.  `rearrangement` and `signed_permutations` carry
what is proved in the chamber to every vector.  That these oracles are optimal, and when they are the only ones, is proved
in theory/hoelder.py.  In this and the other files on norms sympy proves identities and signs for the sizes each proof
names; that the same line holds at every size is read off it, not proved, except where a proof says "for every n".

Source: elementary, derived here; Bernstein and Newhouse (2024), arXiv:2409.20325, for the use made of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product

import sympy as sp
from ratewitness.theory.bounds import vanishes
from ratewitness.theory.identity import identity

r = sp.Symbol("r", positive=True)  # q - 1: p = 1 + 1/r and q = 1 + r run through all conjugate pairs
P, Q = 1 + 1 / r, 1 + r


@dataclass(frozen=True)
class Norm:
    """Formulas: `value` and `dual` of any real vector, `lmo` of one in the chamber g_1 >= ... >= g_n >= 0."""

    value: Callable[[Sequence], sp.Expr]
    dual: Callable[[Sequence], sp.Expr]
    lmo: Callable[[Sequence], list]


def dot(x: Sequence, y: Sequence) -> sp.Expr:
    return sp.Add(*(a * b for a, b in zip(x, y, strict=True)))


def lp(p, q=None) -> Norm:
    """l_p with 1 < p < oo; its dual exponent q is p/(p-1)."""
    q = sp.S(p) / (p - 1) if q is None else q

    def power(x, e):
        return sp.Add(*(sp.Abs(entry) ** e for entry in x)) ** (1 / sp.S(e))

    return Norm(
        value=lambda x: power(x, p),
        dual=lambda g: power(g, q),
        lmo=lambda g: [-(entry ** (q - 1)) / power(g, q) ** (q - 1) for entry in g],
    )


def ky_fan(k: int) -> Norm:
    """The sum of the k largest moduli: l_inf for k = 1, l_1 for k = n."""

    def dual(g):
        return sp.Max(*map(sp.Abs, g), sp.Add(*map(sp.Abs, g)) / k)

    def lmo(g):
        peaked = g[0] >= sp.Add(*g) / k
        return [-sp.Piecewise((1 if i == 0 else 0, peaked), (sp.Rational(1, k), True)) for i in range(len(g))]

    return Norm(lambda x: sp.Max(*(sp.Add(*map(sp.Abs, some)) for some in combinations(x, k))), dual, lmo)


L1 = Norm(
    value=lambda x: sp.Add(*map(sp.Abs, x)),
    dual=lambda g: sp.Max(*map(sp.Abs, g)),
    lmo=lambda g: [sp.Integer(-1)] + [sp.Integer(0)] * (len(g) - 1),
)
L2 = lp(2)
LINF = Norm(value=L1.dual, dual=L1.value, lmo=lambda g: [sp.Integer(-1)] * len(g))


def chamber(n: int) -> list[sp.Expr]:
    """g_1 > ... > g_n > 0 as sums of positive symbols."""
    parts = sp.symbols(f"s1:{n + 1}", positive=True)
    return [sp.Add(*parts[i:]) for i in range(n)]


def increments(n: int) -> tuple[sp.Symbol, ...]:
    """The steps y_j >= 0 between the entries of `sorted_point`."""
    return sp.symbols(f"y1:{n + 1}", nonnegative=True)


def sorted_point(n: int) -> list[sp.Expr]:
    """x_1 >= ... >= x_n >= 0: the moduli of any point, sorted."""
    return [sp.Add(*increments(n)[i:]) for i in range(n)]


def attains(norm: Norm, g: Sequence, sign=1) -> bool:
    """<g, lmo(g)> = -||g||_* and ||lmo(g)|| = 1; sign -1 is the argmax.

    >>> attains(L1, chamber(3)), attains(LINF, chamber(3), sign=-1)
    (True, False)
    """
    point = [sign * entry for entry in norm.lmo(g)]
    return vanishes(sp.powsimp(dot(g, point) + norm.dual(g))) and vanishes(norm.value(point) - 1)


@identity(wrong={"the worst order is the best": {"worst": -1}})
def rearrangement(worst=1) -> bool:
    """No order and no signs pair better with the chamber than the sorted moduli, and only these do where it matters.

    n <= 3.  For every permutation and signs of x_1 >= ... >= x_n >= 0, <g, x> - <g, signed permuted x> is a sum of
    increments y_j of x times coefficients, which are zero if {1, ..., j} is left alone without flips, and positive
    otherwise.
    """

    def holds(signs, order):
        n = len(order)
        g, x = chamber(n), sorted_point(n)
        loss = sp.expand(worst * (dot(g, x) - dot(g, [e * x[i] for e, i in zip(signs, order, strict=True)])))
        for j, part in enumerate(increments(n)):
            kept = all(signs[i] == 1 and order[i] <= j for i in range(n) if i <= j or order[i] <= j)
            weight = sp.expand(loss.coeff(part))
            if not (weight == 0 if kept else weight.is_positive):
                return False
        return True

    return all(holds(e, o) for n in (2, 3) for e in product((1, -1), repeat=n) for o in permutations(range(n)))


@identity(wrong={"a map that stretches": {"stretch": 2}})
def signed_permutations(stretch=1) -> bool:
    """The reduction to the chamber: a signed permutation S changes no <g, x>, no value and no dual norm, so lmo(S g) =
    S lmo(g): values, duals and pairings carry over, and to ties and zeros by continuity (uniqueness does not).  n =
    2, 3, 4; swaps of neighbours and one change of
    sign generate all S."""

    def holds(n, change):
        g, x = sp.symbols(f"g1:{n + 1}", real=True), sp.symbols(f"x1:{n + 1}", real=True)
        Sg, Sx = change(list(g)), change(list(x))
        norms = (lp(P), L1, L2, LINF, ky_fan(2))
        same = all(norm.value(Sx) == norm.value(x) and norm.dual(Sg) == norm.dual(g) for norm in norms)
        return same and sp.expand(dot(Sg, Sx) - dot(g, x)) == 0

    def swap(i):
        return lambda v: [*v[:i], v[i + 1], v[i], *v[i + 2 :]]

    def flip(v):
        return [-stretch * v[0], *v[1:]]

    return all(holds(n, change) for n in (2, 3, 4) for change in (flip, *map(swap, range(n - 1))))


@identity(wrong={"plus the gradient": {"sign": 1}})
def gradient_of_the_dual(sign=-1) -> bool:
    """Where the LMO is unique it is minus the gradient of the dual norm: a second derivation of the formulas (n = 3)."""
    g = sp.symbols("g1:4", positive=True)
    smooth = all(
        vanishes(sp.powsimp(sp.diff(norm.dual(g), entry) - sign * point))
        for norm in (lp(P), L2, LINF)
        for entry, point in zip(g, norm.lmo(g), strict=True)
    )
    s, value = sp.symbols("s1:4", positive=True), L1.dual(chamber(3))
    slopes = [sp.diff(value, s[i]) - (sp.diff(value, s[i - 1]) if i else 0) for i in range(3)]  # d/dg_i by the chain rule
    return smooth and all(vanishes(a - sign * b) for a, b in zip(slopes, L1.lmo(chamber(3)), strict=True))


@identity(wrong={"dual scaled by 1/c^2": {"power": 2}})
def scaling(power=1) -> bool:
    """The norm c ||.|| has the dual ||.||_*/c and the oracle lmo/c: its certificate is the same number, and in l_1, l_2
    and l_inf, n = 3, lmo/c has norm 1 and pairing -||g||_*/c."""
    c, value, dual, pairing = sp.symbols("c value dual pairing", positive=True)
    same = vanishes((dual / c**power) * (c * value) - pairing - (dual * value - pairing))
    g = chamber(3)

    def reached(norm):
        point = [entry / c for entry in norm.lmo(g)]
        return vanishes(c * norm.value(point) - 1) and vanishes(dot(g, point) + norm.dual(g) / c**power)

    return same and all(map(reached, (L1, L2, LINF)))
