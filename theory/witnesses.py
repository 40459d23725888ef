r"""The identities by which the witnesses attain their bounds, proved.

    parabola:   x -> (1 - mu h/L) x and (1 - h) x;   a_k = 1/(mu(k+1)):  E x_k^2 = sigma^2/(mu^2 k) for every x_0
    |x|^p:      N(eps) ~ eps^(-(p-2)/p)/(a p (p-2)) for p > 2
    softplus:   f = log(1 + e^-x), step 4 = 1/L:  4 k f(x_k) -> 1, exponent one on a fixed function, without minimizer

The Huber function and the sawtooth have files of their own, as have sampling, moments and lower bounds;
PROOFS gathers the proofs of the complexity table; those on norms stand in theory/steepest_descent.py,
those on Shampoo in theory/kronecker.py.  A proof is a function that returns True iff sympy reduces the
difference of both sides to zero for symbolic parameters; it takes the constant in question as an argument, so
that FALSE_VARIANTS can hand it a wrong one, and then it returns False.

    >>> all(proof() for proof in PROOFS.values()), any(variant() for variant in FALSE_VARIANTS.values())
    (True, False)

Source: elementary, derived here.
"""

from collections.abc import Callable
from functools import partial

import sympy as sp
from ratewitness.theory import (
    huber,
    lower_bounds,
    moments,
    parabola_family,
    sampling,
    sawtooth,
    stochastic_gradient,
    variance_reduction,
)
from ratewitness.theory.bounds import L, T, a, eps, h, k, mu, sigma, vanishes

_u, _w = sp.symbols("u w", positive=True)


def parabola_descent(factor=1) -> bool:
    """On mu x^2/2 each step multiplies x by 1 - mu h/L, on L x^2/2 by 1 - h: the other tight deterministic rates."""
    x = sp.Symbol("x", real=True)
    slow = sp.diff(x - h / L * sp.diff(mu * x**2 / 2, x), x) - (1 - factor * mu * h / L)
    fast = sp.diff(x - h / L * sp.diff(L * x**2 / 2, x), x) - (1 - h)
    return vanishes(slow) and vanishes(fast)


def parabola_sgd(offset=1) -> bool:
    """Induction for a_k = 1/(mu(k+offset)): x_1 forgets x_0, and E x_k^2 = sigma^2/(mu^2 k) goes over to k + 1."""
    def after(count, square):
        step = 1 / (mu * (count + offset))
        return (1 - mu * step) ** 2 * square + step**2 * sigma**2

    claim = sigma**2 / (mu**2 * k)
    return vanishes(after(0, moments.x0**2) - claim.subs(k, 1)) and vanishes(after(k, claim) - claim.subs(k, k + 1))


def stationary_floor(factor=2) -> bool:
    """a sigma^2/(lam (2 - a lam)) is the fixed point of E x^2 -> (1-a lam)^2 E x^2 + a^2 sigma^2."""
    floor = a * sigma**2 / (moments.lam * (factor - a * moments.lam))
    return vanishes((1 - a * moments.lam) ** 2 * floor + a**2 * sigma**2 - floor)


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


def softplus(step=4) -> bool:
    """GD on log(1+e^-x): u = e^x grows by ``step`` per step as u -> infinity, and f ~ 1/u, so 4 k f(x_k) -> 1 at 4."""
    growth = sp.limit(_u * (sp.exp(step / (1 + _u)) - 1), _u, sp.oo)
    return growth == 4 and sp.limit(_u * sp.log(1 + 1 / _u), _u, sp.oo) == 1


_n, _b = sampling.n, sampling.b
_IDENTITIES: dict[Callable[..., bool], tuple] = {
    # the proof, and an argument that makes the identity false
    huber.huber_run: (3,),
    huber.huber_final_gap: (3,),
    huber.huber_count: (2,),
    huber.strongly_convex_huber: (2,),
    sawtooth.sawtooth_run: (2,),
    sawtooth.sawtooth_step_loss: (3,),
    sawtooth.sawtooth_total: (1,),
    sawtooth.sawtooth_count: (1,),
    parabola_descent: (2,),
    parabola_sgd: (2,),
    stationary_floor: (1,),
    power_law: (2,),
    softplus: (2,),
    sampling.unbiased_without_replacement: (_b / (_n - 1),),
    sampling.unbiased_with_replacement: (1 / (_n + 1),),
    sampling.finite_population_factor: ((_n - _b) / (_b * _n),),
    sampling.pair_weights_exact: (1 / _n**2,),
    sampling.expected_components: (_n, _b + 1),
    moments.closed_forms: (1,),
    moments.two_mode_closed_form: (2,),
    stochastic_gradient.pl_induction: (3,),
    stochastic_gradient.tuned_steps: (3,),
    stochastic_gradient.two_mode_limit: (1,),
    parabola_family.limit_of_moments: (2,),
    variance_reduction.best_interpolation_step: (2,),
    lower_bounds.least_squares_attains: (2,),
    lower_bounds.convex_supremum: (3,),
    lower_bounds.two_point: (3,),
    lower_bounds.zero_chain_scaling: (150,),
    lower_bounds.zero_chain_progress: (T,),
}
PROOFS: dict[str, Callable[[], bool]] = {proof.__name__: proof for proof in _IDENTITIES}
FALSE_VARIANTS: dict[str, Callable[[], bool]] = {
    proof.__name__: partial(proof, *wrong) for proof, wrong in _IDENTITIES.items()
}
