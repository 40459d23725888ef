r"""Steepest descent in any norm, x_{k+1} = x_k + (1/L) ||g||_* lmo(g) with g = grad f(x_k).

    f(x_{k+1}) <= f(x_k) - ||g||_*^2/(2 L)                                         decrease of a step
    f(x_N) - f* <= 2 L R^2/(N + 4)                                                 convex
    f(x_N) - f* <= (1 - mu/L)^N Delta                                              strongly convex

Hypotheses: ||grad f(x) - grad f(y)||_* <= L ||x - y||, f convex in the second line, and f(y) >= f(x) + <grad f(x), y -
x> + (mu/2) ||y - x||^2 in the
last line, all in the norm of the method. R >= ||x_k - x*|| for k <= N: unlike in l_2 the distance may grow, and what is
known before the run is the radius of the level set of x_0. At N = 0 the convex bound is L R^2/2, which a quadratic attains;
an instance that attains it for an N > 0 is not known to us.

Proof, in words; the functions below check its algebra only. With d = lmo(g), <g, d> = -||g||_* and ||d|| = 1,
smoothness along the step gives the decrease. Convexity and the dual
norm give delta = f(x_k) - f* <= ||g||_* R, so delta' <= delta - delta^2/(2 L R^2), and 1/delta grows by at least
1/(2 L R^2) a step from at least 2/(L R^2). Minimizing both sides of strong convexity over y gives ||g||_*^2 >= 2 mu delta.

On the quadratic (1/2) sum_i lam_i x_i^2: L = max lam in l_1 and l_2 and sum lam in l_inf; mu = min lam in l_2 and l_inf and
1/sum(1/lam) in l_1. A step of sign descent (l_inf) then attains the decrease where no entry of g is zero; one of gradient
descent decreases f by less than ||g||_2^2/L_2. So from the same point sign descent gains more if ||g||_1^2/||g||_2^2 > 2
L_inf/L_2, and less if ||g||_1^2/||g||_2^2 < L_inf/L_2 and no entry of g is zero (with zeros it may gain more).

Kelner, Lee, Orecchia and Sidford (2014), arXiv:1304.2338 (convex); Balles, Pedregosa and Le Roux (2020), arXiv:2002.08056
(the comparison of the two steps); the band of factor 2 is worked out here.
"""

import sympy as sp
from ratewitness.theory.bounds import Bound, Delta, L, N, R, mu, vanishes
from ratewitness.theory.identity import identity

decrease = Bound(
    "decrease",
    "f(x_{k+1}) - f(x_k)",
    -(sp.Symbol("dual", nonnegative=True) ** 2) / (2 * L),
    "tight",
    "f is L-smooth in the norm; dual = ||grad f(x_k)||_*",
    "steepest descent in the norm, step 1/L",
    "proof in this file's docstring",
    "f = sum_i lam_i x_i^2/2 in l_inf, for any gradient without zeros",
)
convex = Bound(
    "convex",
    "f(x_N) - f*",
    2 * L * R**2 / (N + 4),
    "upper",
    "f is convex and L-smooth in the norm; ||x_k - x*|| <= R in the norm for k <= N",
    "steepest descent in the norm, step 1/L",
    "Kelner, Lee, Orecchia and Sidford (2014), arXiv:1304.2338",
)
strongly_convex = Bound(
    "strongly_convex",
    "f(x_N) - f*",
    (1 - mu / L) ** N * Delta,
    "upper",
    "f is L-smooth and mu-strongly convex in the norm",
    "steepest descent in the norm, step 1/L",
    "proof in this file's docstring",
    domain=mu <= L,
)


@identity(wrong={"a step of twice the length": {"factor": 2}, "half a step": {"factor": sp.S.Half}})
def decrease_of_a_step(factor=1) -> bool:
    """<g, s> + (L/2) ||s||^2 at s = (factor/L) ||g||_* lmo(g) is -||g||_*^2/(2 L).

    >>> decrease_of_a_step(), decrease_of_a_step(factor=2)
    (True, False)
    """
    dual = sp.Symbol("dual", positive=True)
    length = factor * dual / L
    return vanishes(-dual * length + L * length**2 / 2 - decrease.value.subs(sp.Symbol("dual", nonnegative=True), dual))


@identity(wrong={"1/delta from delta - delta/c": {"power": 1}, "1/delta from delta - delta^3/c": {"power": 3}})
def convex_recursion(power=2) -> bool:
    """delta' = delta - delta^power/c, c = 2 L R^2, has 1/delta' - 1/delta - 1/c = delta/(c (c - delta)) > 0 for delta < c;
    N such steps from 1/delta = 4/c give ``convex``.

    >>> convex_recursion(), convex_recursion(power=1)
    (True, False)
    """
    delta, c = sp.symbols("delta c", positive=True)
    after = delta - delta**power / c
    grows = vanishes(1 / after - 1 / delta - 1 / c - delta / (c * (c - delta)))
    return grows and vanishes(1 / (4 / c + N / c) - convex.value.subs(L, c / (2 * R**2)))


@identity(wrong={"rate 1 - 2 mu/L": {"factor": 2}})
def strongly_convex_minimum(factor=1) -> bool:
    """The least of -||g||_* t + (mu/2) t^2 over t = ||y - x|| is -||g||_*^2/(2 mu): so delta' <= (1 - factor mu/L) delta.

    >>> strongly_convex_minimum(), strongly_convex_minimum(factor=2)
    (True, False)
    """
    dual, t = sp.symbols("dual t", positive=True)
    lower = -dual * t + mu * t**2 / 2
    (at,) = sp.solve(sp.diff(lower, t), t)
    gap = -lower.subs(t, at)  # the largest gap that a gradient of this dual norm allows
    return vanishes((gap - dual**2 / (2 * L)) / gap * Delta - strongly_convex.value.subs({N: 1, mu: factor * mu}))
