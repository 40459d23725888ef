r"""Paths between minima: the barrier of the straight line, curves that avoid it, and what a permutation costs.

    f = (xy - 1)^2/2, minima (x, 1/x):    on the line from (x1, 1/x1) to (x2, 1/x2), r = x1/x2,
                                          f = (t (1-t) (r + 1/r - 2))^2/2,   at most ((r + 1/r - 2)/4)^2/2, at t = 1/2
    f = (<x, y> - 1)^2/2, x, y in R^k:    the minima are connected if and only if k >= 2 (below)
    two-layer networks of h -> oo neurons, the end points a permutation or independent:   f_t = (t^2 + (1-t)^2) f

Hypotheses of the last line: f = (1/h) sum_j a_j s(<w_j, .>), the pairs (a_j, w_j) independent of one another, of one law
for both end points; either s is the identity and the mean of (a, w) is 0, or s = ReLU, w is normal with mean 0 and
a = <w, v>. By the law of large numbers f_t then tends to its mean: of the product of two interpolated neurons the mixed
terms have mean 0 (`mixed_terms_vanish`); an interpolated normal neuron is a normal neuron times s, s^2 = t^2 + (1-t)^2, and
both factors scale (`normal_neurons_shrink`). So the loss relative to that of the zero function is (2 t (1-t))^2
(`loss_of_a_permutation`), 1/4 half-way, and does *not* vanish with the width. Where a network is linear in its parameters
and the loss convex, there is no barrier at all, by convexity: a barrier that shrinks with the width says that training
became lazy.

Proved besides: the loss on the line and its maximum (`line`, `highest_half_way`); a chain of loss 0 between (x, y) = (e1,
e1) and (-e1, -e1) for k = 2 (`chain_of_minima`). Any two minima (x, y), (x', y') are connected for k >= 2: if x and x' are
independent, some z has <x, z> = <x', z> = 1, and (x, y) -> (x, z) -> (x', z) -> (x', y') are three straight pieces on which
<x, y> is affine and 1 at both ends; else go through a third x''. For k = 1 every path between minima of opposite signs has a
point with loss >= 1/2: x changes its sign, and where it is 0, so is xy (the intermediate value theorem). The curves of
`curves`: they run from w1 to w2, the Bezier curve tangent to the legs of its triangle (`ends_and_tangents`).

T. Garipov, P. Izmailov, D. Podoprikhin, D. Vetrov and A. G. Wilson (2018), arXiv:1802.10026, for the curves; derived here.
"""

from itertools import pairwise

import sympy as sp
from ratewitness.theory.bounds import vanishes
from ratewitness.theory.identity import identity

t = sp.Symbol("t", real=True)
HALF = sp.Rational(1, 2)
_x1, _x2, _r = sp.symbols("x1 x2 r", positive=True)
_w1, _w2, _theta = sp.symbols("w1 w2 theta", real=True)


def line_barrier(r):
    """The largest loss on the straight line, for r = x1/x2 > 0.

    >>> line_barrier(4.0)
    0.158203125
    """
    return ((r + 1 / r - 2) / 4) ** 2 / 2


def permuted_loss(t):
    """(2 t (1-t))^2, of the loss of the zero function.

    >>> permuted_loss(0.5)
    0.25
    """
    return (2 * t * (1 - t)) ** 2


def curves(w1, w2, theta, t) -> dict:
    """Points at t of the Bezier curve and of the two legs of the chain with one bend."""
    return {
        "bezier": (1 - t) ** 2 * w1 + 2 * t * (1 - t) * theta + t**2 * w2,
        "first leg": 2 * (t * theta + (HALF - t) * w1),
        "second leg": 2 * ((t - HALF) * w2 + (1 - t) * theta),
    }


def _on_the_line():
    x = (1 - t) * _x1 + t * _x2
    y = (1 - t) / _x1 + t / _x2
    return ((x * y - 1) ** 2 / 2).subs(_x1, _r * _x2)


@identity(wrong={"r + 1/r": {"constant": 0}, "r + 1/r - 1": {"constant": 1}})
def line(constant=2) -> bool:
    """On the line f = (t (1-t) (r + 1/r - 2))^2/2."""
    return vanishes(_on_the_line() - (t * (1 - t) * (_r + 1 / _r - constant)) ** 2 / 2)


@identity(wrong={"a third of the way": {"where": sp.Rational(1, 3)}})
def highest_half_way(where=HALF) -> bool:
    """f is highest at t = 1/2, with the value of `line_barrier`: t (1-t) <= 1/4, the difference being (t - 1/2)^2."""
    square = vanishes(sp.Rational(1, 4) - t * (1 - t) - (t - where) ** 2)
    return square and vanishes(_on_the_line().subs(t, where) - line_barrier(_r))


CHAIN = (  # x and y at the corners
    ((1, 0), (1, 0)),
    ((1, 1), (1, 0)),
    ((1, 1), (0, 1)),
    ((-1, 1), (0, 1)),
    ((-1, 1), (-1, 0)),
    ((-1, 0), (-1, 0)),
)


@identity(wrong={"the third corner left out": {"corners": CHAIN[:2] + CHAIN[3:]}, "straight": {"corners": CHAIN[::5]}})
def chain_of_minima(corners=CHAIN) -> bool:
    """<x, y> = 1 on every straight piece between the corners."""
    holds = True
    for (x, y), (x_next, y_next) in pairwise(corners):
        at = [(1 - t) * sp.Matrix(a) + t * sp.Matrix(b) for a, b in ((x, x_next), (y, y_next))]
        holds = holds and vanishes(at[0].dot(at[1]) - 1)
    return holds


_A = sp.symbols("a a_other", real=True)
_W = sp.symbols("w w_other", real=True)


@identity(wrong={"dependent end points": {"mixed": sp.Symbol("c")}})
def mixed_terms_vanish(mixed=0) -> bool:
    """E ((1-t) a + t a')((1-t) w + t w') = (t^2 + (1-t)^2) E a w, where E a w' = E a' w = E a E w' = 0."""
    mean = sp.Symbol("c")
    a, w = ((1 - t) * first + t * other for first, other in (_A, _W))
    product = sp.Poly(sp.expand(a * w), *_A, *_W)
    moments = {(1, 0, 1, 0): mean, (0, 1, 0, 1): mean, (1, 0, 0, 1): mixed, (0, 1, 1, 0): mixed}  # exponents of a a' w w'
    return vanishes(sum(c * moments[powers] for powers, c in product.terms()) - (t**2 + (1 - t) ** 2) * mean)


@identity(wrong={"one factor scales": {"power": 1}})
def normal_neurons_shrink(power=2) -> bool:
    """E w ReLU(w) of a normal w of deviation s is s^2/2, and s^2 = t^2 + (1-t)^2 of (1-t) w + t w', w and w' independent."""
    s, z = sp.symbols("s z", positive=True)
    mean = sp.integrate(z * z * sp.exp(-(z**2) / (2 * s**2)) / (sp.sqrt(2 * sp.pi) * s), (z, 0, sp.oo))
    square = sp.Poly(sp.expand(((1 - t) * _W[0] + t * _W[1]) ** 2), *_W)
    variance = sum(c * {(2, 0): 1, (0, 2): 1, (1, 1): 0}[powers] for powers, c in square.terms())
    return vanishes(mean - s**power / 2) and vanishes(variance - (t**2 + (1 - t) ** 2))


@identity(wrong={"(t (1-t))^2": {"factor": 1}, "not squared": {"power": 1}})
def loss_of_a_permutation(factor=2, power=2) -> bool:
    """(f_t - f)^2/f^2 = (2 t (1-t))^2."""
    return vanishes((1 - t**2 - (1 - t) ** 2) ** 2 - (factor * t * (1 - t)) ** power)


@identity(wrong={"tangent of length 1": {"speed": 1}})
def ends_and_tangents(speed=2) -> bool:
    """Both curves are at w1 for t = 0, at w2 for t = 1, the chain at theta half-way; Bezier starts as 2 (theta - w1) t."""
    at = curves(_w1, _w2, _theta, t)
    return all(
        vanishes(difference)
        for difference in (
            at["bezier"].subs(t, 0) - _w1,
            at["bezier"].subs(t, 1) - _w2,
            at["first leg"].subs(t, 0) - _w1,
            at["second leg"].subs(t, 1) - _w2,
            at["first leg"].subs(t, HALF) - _theta,
            at["second leg"].subs(t, HALF) - _theta,
            sp.diff(at["bezier"], t).subs(t, 0) - speed * (_theta - _w1),
            sp.diff(at["bezier"], t).subs(t, 1) - speed * (_w2 - _theta),
        )
    )
