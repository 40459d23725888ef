r"""Gradient descent with the silver steps, and Nesterov's method, on the Huber function: faster than any constant step.

    steps h_k/L, h_k = 1 + rho^{nu(k)-1}, k = 1, ..., N = 2^m - 1,      rho = 1 + sqrt 2,  2^nu(k) the power of 2 in k
    f(x_N) - f* <= L R^2/(1 + sqrt(4 rho^{2m} - 3)),     and = L R^2/(4 rho^m - 2) on the Huber function
    N(eps) ~ eps^{-log_rho 2} = eps^{-0.786}

    Nesterov: f(x_N) - f* <= 2 L R^2/(N+1)^2,            and = L R^2/(4 D_N + 2) on the Huber function,  D_N ~ N^2/8

Hypotheses: f is L-smooth and convex, |x_0 - x*| = R. The schedule pi_{m+1} = [pi_m, 1 + rho^{m-1}, pi_m] sums to rho^m
- 1. As long as every gradient is L tau a method with the displacements D_N (in units of tau) ends at R - D_N tau, which
costs L R^2/(4 D_N + 2) at the worst threshold tau = R/(2 D_N + 1). For Nesterov's method D_{N+1} = D_N (1 - 1/t_N) +
t_N, where t_N^2 = t_{N-1}^2 + t_N, so that both constants agree as N grows.

    >>> [round(silver_huber(L=1, R=1, m=m), 5) for m in (1, 2, 3)]
    [0.1306, 0.04692, 0.01842]

Sources: Altschuler and Parrilo (2024), arXiv:2309.16530, for the schedule and its bound; Nesterov (1983), Beck and
Teboulle (2009); Huber functions after Drori and Teboulle (2014), the closed forms on them derived here.
"""

import sympy as sp
from ratewitness.theory.bounds import Bound, L, N, R, m, vanishes
from ratewitness.theory.identity import identity

rho = 1 + sp.sqrt(2)
exponent = sp.log(2) / sp.log(rho)  # of 1/eps, 0.7864
D, t, tau = sp.symbols("D t tau", positive=True)

silver = Bound(
    "silver",
    "f(x_N) - f*, N = 2^m - 1",
    L * R**2 / (1 + sp.sqrt(4 * rho ** (2 * m) - 3)),
    "upper",
    "f is L-smooth and convex",
    "GD, silver steps",
    "Altschuler and Parrilo (2024), arXiv:2309.16530",
)
silver_huber = Bound(
    "silver_huber",
    "f(x_N) - f*, N = 2^m - 1",
    L * R**2 / (4 * rho**m - 2),
    "lower",
    "f is L-smooth and convex",
    "GD, silver steps",
    "silver_sum and worst_threshold below",
    "Huber function with threshold R/(2 rho^m - 1)",
)
nesterov = Bound(
    "nesterov",
    "f(x_N) - f*",
    2 * L * R**2 / (N + 1) ** 2,
    "upper",
    "f is L-smooth and convex",
    "Nesterov's method, step 1/L, t_{k+1} = (1 + sqrt(1 + 4 t_k^2))/2",
    "Nesterov (1983); Beck and Teboulle (2009)",
)


def nesterov_displacement(steps: int) -> float:
    """D_N, how far N steps of Nesterov's method move under a constant gradient, in units of one step of GD.

    >>> nesterov_displacement(1), nesterov_displacement(2), round(nesterov_displacement(1000) / 1000**2, 3)
    (1.0, 2.0, 0.126)
    """
    moved, size = 0.0, 1.0
    for _ in range(steps):
        moved = moved * (1 - 1 / size) + size
        size = (1 + (1 + 4 * size**2) ** 0.5) / 2
    return moved


@identity(wrong={"another ratio": {"ratio": 2 + sp.sqrt(2)}, "no step of rho^m in the middle": {"middle": 0}})
def silver_sum(ratio=rho, middle=1) -> bool:
    """The sum rho^m - 1 is that of one step, sqrt 2, for m = 1, and doubling with 1 + rho^{m-1} goes over to m + 1."""
    power = sp.Symbol("power", positive=True)  # rho^(m-1)
    first = vanishes(ratio - 1 - sp.sqrt(2))
    return first and vanishes(2 * (power * ratio - 1) + 1 + middle * power - (power * ratio**2 - 1))


@identity(factor=3)
def worst_threshold(factor=4) -> bool:
    """L tau (R - D tau) - L tau^2/2 is largest at tau = R/(2D + 1), where x_N = R - D tau > tau still; there it is
    L R^2/(4D + 2)."""
    gap = L * tau * (R - D * tau) - L * tau**2 / 2
    (best,) = sp.solve(sp.diff(gap, tau), tau)
    stays = vanishes(R - D * best - best - D * best)  # x_N - tau = D tau > 0
    return stays and vanishes(gap.subs(tau, best) - L * R**2 / (factor * D + 2))


@identity(unit=2)
def nesterov_run(unit=1) -> bool:
    """Under a unit gradient t_k v_{k+1} + D_k = t_k^2, v_{k+1} = ((t_{k-1} - 1)/t_k) v_k + 1 the displacement of step k + 1.

    Induction over k with t_k^2 - t_k = t_{k-1}^2, from v_1 = 1, t_0 = 1, D_0 = 0; so D_{k+1} = D_k + (t_k^2 - D_k)/t_k.
    """
    before, v = sp.symbols("before v", positive=True)  # t_{k-1}, v_k
    moved = before**2 - before * v  # D_{k-1}, by the statement for k - 1
    after = (before - 1) / t * v + unit
    return vanishes(sp.expand(t * after + moved + v - t**2).subs(before**2, t**2 - t))


@identity(limit=4)
def silver_bound_is_twice_huber(limit=2) -> bool:
    """The upper bound over the gap on the Huber function tends to 2 as x = rho^m grows."""
    x = sp.Symbol("x", positive=True)
    return sp.limit((4 * x - 2) / (1 + sp.sqrt(4 * x**2 - 3)), x, sp.oo) == limit
