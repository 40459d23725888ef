r"""Where the noise vanishes at the minimizer, or is made to vanish, SGD is linear.

    interpolation, strongly convex:  E ||x_k - x*||^2 <= (1 - mu/L_max)^k R^2,                 step 1/L_max
    interpolation, PL:               E f(x_k) - f*    <= (1 - mu^2/(L L_max))^k Delta,         step mu/(L L_max)
    SAGA:                            E ||x_k - x*||^2 <= (1 - min{1/(4n), mu/(3L)})^k (R^2 + 2 n Delta/(3L))
    SVRG, per epoch of m steps:      E f - f* shrinks by 1/(mu eta (1 - 2 L eta) m) + 2 L eta/(1 - 2 L eta)

Hypotheses: f = (1/n) sum_i f_i, every f_i L_max-smooth.  Interpolation: every f_i is minimized at x*.  The
first row needs f_i convex and f mu-strongly convex, the second only f mu-PL and L-smooth.  SAGA and SVRG need
no interpolation, but f_i convex and f mu-strongly convex; L there is L_max, SAGA's step 1/(3 L_max), SVRG's
eta.  These are upper bounds: no instance attaining them is claimed.

Proofs of the interpolation rows: <g_i, x - x*> >= ||g_i||^2/L_max by cocoercivity, so a = 1/L_max leaves
1 - a mu; and E||g_i||^2 <= 2 L_max (f - f*), so E Delta_{k+1} <= (1 - 2 a mu + a^2 L L_max) Delta_k.

    >>> saga(L_max=1, mu=0.03, n=5, R=1, Delta=0, k=1), round(saga(L_max=1, mu=1, n=5, R=1, Delta=0, k=1), 10)
    (0.99, 0.95)

Sources: Bassily, Belkin and Ma (2018), arXiv:1811.02564; Vaswani, Bach and Schmidt (2019), arXiv:1810.07288;
Defazio, Bach and Lacoste-Julien (2014), arXiv:1407.0202; Johnson and Zhang (2013).
"""

import sympy as sp
from ratewitness.theory.bounds import Bound, Delta, L, L_max, R, T, a, eta, k, m, mu, n, vanishes
from ratewitness.theory.identity import identity

_finite_sum = "f is a mean of n convex L_max-smooth functions and mu-strongly convex"
_interpolation = "f is L-smooth and mu-PL, components L_max-smooth with a common minimizer"

interpolation_strongly_convex = Bound(
    "interpolation_strongly_convex",
    "E ||x_k - x*||^2",
    (1 - mu / L_max) ** k * R**2,
    "upper",
    f"{_finite_sum}; every component is minimized at x*",
    "SGD, step 1/L_max",
    "proof above",
    domain=mu <= L_max,
)
interpolation_pl_step = Bound(
    "interpolation_pl_step",
    "E f(x_k) - f*",
    (1 - 2 * a * mu + a**2 * L * L_max) ** k * Delta,
    "upper",
    _interpolation,
    "SGD, constant step a",
    "proof above",
    domain=(mu <= L) & (L_max >= L),
)
interpolation_pl = Bound(
    "interpolation_pl",
    "E f(x_k) - f*",
    (1 - mu**2 / (L * L_max)) ** k * Delta,
    "upper",
    _interpolation,
    "SGD, step mu/(L L_max)",
    "Bassily, Belkin and Ma (2018), arXiv:1811.02564; proof above",
    domain=(mu <= L) & (L_max >= L),
)
saga = Bound(
    "saga",
    "E ||x_k - x*||^2",
    (1 - sp.Min(1 / (4 * n), mu / (3 * L_max))) ** k * (R**2 + 2 * n * Delta / (3 * L_max)),
    "upper",
    f"{_finite_sum}; table of gradients started at x_0",
    "SAGA, step 1/(3 L_max)",
    "Defazio, Bach and Lacoste-Julien (2014), arXiv:1407.0202",
    domain=mu <= L_max,
)
svrg_factor = 1 / (mu * eta * (1 - 2 * L_max * eta) * m) + 2 * L_max * eta / (1 - 2 * L_max * eta)
svrg = Bound(
    "svrg",
    "E f(snapshot after T epochs) - f*",
    svrg_factor**T * Delta,
    "upper",
    f"{_finite_sum}; the next snapshot is a uniformly drawn iterate of the epoch; useful where the factor is below 1",
    "SVRG, step eta < 1/(2 L_max), epochs of m steps",
    "Johnson and Zhang (2013)",
    domain=(2 * L_max * eta < 1) & (mu <= L_max),
)


@identity(factor=2)
def best_interpolation_step(factor=1) -> bool:
    """a = mu/(L L_max) minimizes 1 - 2 a mu + a^2 L L_max, with minimum 1 - mu^2/(L L_max)."""
    contraction = 1 - 2 * a * mu + a**2 * L * L_max
    (best,) = sp.solve(sp.diff(contraction, a), a)
    least = 1 - factor * mu**2 / (L * L_max)
    return vanishes(best - mu / (L * L_max)) and vanishes(contraction.subs(a, best) - least)
