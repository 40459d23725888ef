r"""The Huber function attains the convex rate of gradient descent, and hides in the strongly convex one.

    f(x) = L x^2/2 for |x| <= tau,  L tau |x| - L tau^2/2 beyond,      tau = R/(2Nh+1),   x_0 = R
    x_k = R - k h tau,   f'(x_k) = L tau for k <= N,   f(x_N) - f* = L R^2/(4Nh+2)

Hypotheses: step h/L; 0 < h <= 1 where the count T = ceil((L R^2/eps - 2)/(4h)) is concerned (for larger h the
parabola L x^2/2 may be worse).  tau depends on N: on any fixed convex function with a minimizer the gap is
o(1/k).

Each proof returns True iff sympy reduces the difference of both sides to zero for symbolic parameters.

Source: Drori and Teboulle (2014); the count and the strongly convex variant are worked out here.
"""

import sympy as sp
from ratewitness.theory.bounds import L, N, R, T, h, mu, vanishes
from ratewitness.theory.identity import identity

_tau = R / (2 * N * h + 1)


@identity(factor=3)
def huber_run(factor=2) -> bool:
    """x_k = R - k h tau stays on the linear piece: x_N - tau = N h tau >= 0, so every gradient up to N is L tau."""
    tau = R / (factor * N * h + 1)
    return vanishes(R - N * h * tau - tau - N * h * tau)


@identity(factor=3)
def huber_final_gap(factor=4) -> bool:
    """L tau x_N - L tau^2/2 with x_N = R - N h tau is L R^2/(4Nh+2), as in ``gradient_descent.convex``.

    >>> huber_final_gap(), huber_final_gap(factor=3)
    (True, False)
    """
    end = R - N * h * _tau
    return vanishes(L * _tau * end - L * _tau**2 / 2 - L * R**2 / (factor * N * h + 2))


@identity(drop=2)
def huber_count(drop=1) -> bool:
    """One step more is enough: f(x_T) = L R^2 (A-2h)/(2A^2) < L R^2/(2(A+2h)), threshold R/A, A = 2(T-1)h+1.

    For T = 1 the start is on the kink and f(x_1) = L R^2 (1-h)^2/2 <= L R^2/(4h+2) as (1-h)^2 (2h+1) - 1 =
    h^2 (2h-3) < 0 for h <= 1.
    """
    A = 2 * (T - 1) * h + 1
    tau = R / A
    after = L * tau * (R - (T - 1) * h * tau - drop * h * tau) - L * tau**2 / 2
    margin = sp.factor(L * R**2 / (4 * T * h + 2) - after)
    first = (1 - h) ** 2 * (2 * h + 1) - 1 - h**2 * (2 * h - 3)
    return vanishes(margin - 2 * L * R**2 * h**2 / (A**2 * (A + 2 * h))) and vanishes(first)


@identity(factor=2)
def strongly_convex_huber(factor=1) -> bool:
    """Curvature L inside tau, mu outside: the best tau gives the first term of ``strongly_convex_distance``.

    q = 1 - mu h/L > 0.  Outside, x + (L-mu) tau/mu shrinks by q.  x_N - tau = (L/mu) tau (1/q^N - 1) >= 0.
    """
    power, tau = sp.symbols("q_N tau", positive=True)  # q^N
    shift = (L - mu) * tau / mu
    end = power * (R + shift) - shift
    gap = mu * end**2 / 2 + (L - mu) * tau * end - (L - mu) * tau**2 / 2
    (best,) = sp.solve(sp.diff(gap, tau), tau)
    value = L * R**2 / 2 * mu / (mu + factor * L * (power**-2 - 1))
    stays = (end - tau - L / mu * tau * (1 / power - 1)).subs(tau, best)
    return vanishes(gap.subs(tau, best) - value) and vanishes(stays)
