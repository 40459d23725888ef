r"""The identities by which the witnesses attain their bounds, proved.

    parabola:   x -> (1 - mu h/L) x and (1 - h) x;   a_k = 1/(mu(k+1)):  E x_k^2 = sigma^2/(mu^2 k) for every x_0
    |x|^p:      N(eps) ~ eps^(-(p-2)/p)/(a p (p-2)) for p > 2
    softplus:   f = log(1 + e^-x), step 4 = 1/L:  4 k f(x_k) -> 1, exponent one on a fixed function, without minimizer

The Huber function and the sawtooth have files of their own, as have sampling, moments and lower bounds;
those on norms stand in theory/norms.py and what builds on it, those on Shampoo in theory/kronecker.py.

Source: elementary, derived here.
"""

import sympy as sp
from ratewitness.theory import moments
from ratewitness.theory.bounds import L, a, eps, h, k, mu, sigma, vanishes
from ratewitness.theory.identity import identity

_u, _w = sp.symbols("u w", positive=True)


@identity(factor=2)
def parabola_descent(factor=1) -> bool:
    """On mu x^2/2 each step multiplies x by 1 - mu h/L, on L x^2/2 by 1 - h: the other tight deterministic rates."""
    x = sp.Symbol("x", real=True)
    slow = sp.diff(x - h / L * sp.diff(mu * x**2 / 2, x), x) - (1 - factor * mu * h / L)
    fast = sp.diff(x - h / L * sp.diff(L * x**2 / 2, x), x) - (1 - h)
    return vanishes(slow) and vanishes(fast)


@identity(offset=2)
def parabola_sgd(offset=1) -> bool:
    """Induction for a_k = 1/(mu(k+offset)): x_1 forgets x_0, and E x_k^2 = sigma^2/(mu^2 k) goes over to k + 1."""

    def after(count, square):
        step = 1 / (mu * (count + offset))
        return (1 - mu * step) ** 2 * square + step**2 * sigma**2

    claim = sigma**2 / (mu**2 * k)
    return vanishes(after(0, moments.x0**2) - claim.subs(k, 1)) and vanishes(after(k, claim) - claim.subs(k, k + 1))


@identity(factor=1)
def stationary_floor(factor=2) -> bool:
    """a sigma^2/(lam (2 - a lam)) is the fixed point of E x^2 -> (1-a lam)^2 E x^2 + a^2 sigma^2."""
    floor = a * sigma**2 / (moments.lam * (factor - a * moments.lam))
    return vanishes((1 - a * moments.lam) ** 2 * floor + a**2 * sigma**2 - floor)


@identity(constant=2)
def power_law(constant=1) -> bool:
    """GD on |x|^p, p > 2: u = x^-(p-2) grows by a p (p-2) per step as x -> 0, so u_k/k tends to that too.

    With w = x^(p-2), u_{k+1} - u_k = ((1 - a p w)^-(p-2) - 1)/w (and Stolz-Cesaro); x^p = eps is then reached at
    k = eps^(-(p-2)/p)/(a p (p-2)).
    """
    r = sp.Symbol("r", positive=True)  # p - 2
    p = r + 2
    growth = sp.limit(((1 - a * p * _w) ** (-r) - 1) / _w, _w, 0)
    steps = eps ** (-r / p) / growth
    reached = sp.powsimp(sp.powdenest((growth * steps) ** (-p / r), force=True)) - eps
    return vanishes(growth - constant * a * p * r) and vanishes(reached)


@identity(step=2)
def softplus(step=4) -> bool:
    """GD on log(1+e^-x): u = e^x grows by ``step`` per step as u -> infinity, and f ~ 1/u, so 4 k f(x_k) -> 1 at 4."""
    growth = sp.limit(_u * (sp.exp(step / (1 + _u)) - 1), _u, sp.oo)
    return growth == 4 and sp.limit(_u * sp.log(1 + 1 / _u), _u, sp.oo) == 1
