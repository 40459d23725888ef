r"""Gradient descent with a constant step, x_{k+1} = x_k - (h/L) grad f(x_k).

    PL:          f(x_N) - f* <= (1 - mu h (2-h)/L)^N Delta;  in one dimension (1 - mu h/L)^(2N) Delta, exact
    convex:      f(x_N) - f* <= (L R^2/2) max{ 1/(2Nh+1), (1-h)^(2N) },                exact for every step
    nonconvex:   min_{k<=N} ||grad f(x_k)||^2 <= 4 L Delta / (N min{4h-h^2, 4h-h^3} + 2),              exact

Hypotheses: f is L-smooth; PL means ||grad f||^2 >= 2 mu (f - f*).  "Constant step" is part of the statements:
variable steps (the silver schedule) and momentum beat the convex row.  To our knowledge the exact PL rate in
several dimensions is open.  Polyak's is not it, nor is the one of the three step ranges, often called tight:
stronger necessary conditions give less (Rubbens, Hendrickx and Taylor 2025).  The iteration counts at the end
are worst-case counts: for each eps another instance attains them.

One dimension, h <= 1: f' keeps its sign between x_k and x_{k+1}, as it is L-Lipschitz, so y = sqrt(2(f -
f*)), whose slope is at least sqrt(mu), falls by at least sqrt(mu) (h/L) |f'(x_k)| >= (mu h/L) y_k.

Sources: Polyak (1963); Abbaszadehpeivasti, de Klerk and Zamani (2023), Theorem 3, arXiv:2204.00647; the same
(2021), arXiv:2104.05468; Taylor, Hendrickx and Glineur (2018); Drori and Teboulle (2014) and, for every step,
Kim (2024), arXiv:2412.04427; Rubbens, Hendrickx and Taylor (2025), arXiv:2504.14377.
"""

import mpmath
import sympy as sp
from ratewitness.theory.bounds import Bound, Delta, L, N, R, eps, h, mu

_u = mu / L
_short = ((_u * (1 - h) + sp.sqrt(4 - 2 * (1 + _u) * _u * h * (2 - h))) / (2 + _u)) ** 2
_middle = 1 - _u * h * (4 - h**2) / (2 + _u * h)
_long = (h - 1) ** 2 / ((h - 1) ** 2 + _u * h * (2 - h))
pl_factor = sp.Piecewise((_short, h < 1), (_middle, h <= sp.sqrt(3)), (_long, True))
pl_factor_at_one = sp.simplify(_middle.subs(h, 1))  # 2 (L - mu) / (2 L + mu)

pl_polyak = Bound(
    "pl_polyak",
    "f(x_N) - f*",
    (1 - _u * h * (2 - h)) ** N * Delta,
    "upper",
    "f is L-smooth and mu-PL; 0 < h < 2",
    "GD, step h/L",
    "Polyak (1963)",
    domain=(h < 2) & (mu <= L),
)
pl_step_ranges = Bound(
    "pl_step_ranges",
    "f(x_N) - f*",
    pl_factor**N * Delta,
    "upper",
    "f is L-smooth and mu-PL; 0 < h < 2; not attained, and for h near 2 not even the N-step value of its own relaxation",
    "GD, step h/L",
    "Abbaszadehpeivasti, de Klerk and Zamani (2023), Theorem 3, arXiv:2204.00647",
    domain=(h < 2) & (mu <= L),
)
pl_line = Bound(
    "pl_line",
    "f(x_N) - f*",
    (1 - _u * h) ** (2 * N) * Delta,
    "tight",
    "f on the real line is L-smooth and mu-PL; 0 < h <= 1",
    "GD, step h/L",
    "proof in this file's docstring",
    "f = mu x^2/2",
    domain=(h <= 1) & (mu <= L),
)
strongly_convex_gap = Bound(
    "strongly_convex_gap",
    "f(x_N) - f*",
    sp.Max((1 - _u * h) ** (2 * N), (1 - h) ** (2 * N)) * Delta,
    "tight",
    "f is L-smooth and mu-strongly convex; 0 < h < 2",
    "GD, step h/L",
    "Taylor, Hendrickx and Glineur (2018)",
    "f = mu x^2/2 or f = L x^2/2",
    domain=(h < 2) & (mu <= L),
)
strongly_convex_distance = Bound(
    "strongly_convex_distance",
    "f(x_N) - f*",
    L * R**2 / 2 * sp.Max(mu / (mu + L * ((1 - _u * h) ** (-2 * N) - 1)), (1 - h) ** (2 * N)),
    "tight",
    "f is L-smooth and mu-strongly convex; 0 < h < 2",
    "GD, step h/L",
    "Kim (2024), arXiv:2412.04427",
    "Huber function plus a parabola (curvature L inside, mu outside), or f = L x^2/2",
    domain=(h < 2) & (mu <= L),
)
convex = Bound(
    "convex",
    "f(x_N) - f*",
    L * R**2 / 2 * sp.Max(1 / (2 * N * h + 1), (1 - h) ** (2 * N)),
    "tight",
    "f is L-smooth and convex; 0 < h < 2",
    "GD, step h/L",
    "Drori and Teboulle (2014) for h <= 1; Kim (2024), arXiv:2412.04427, for every h",
    "Huber function with threshold R/(2Nh+1), or f = L x^2/2",
    domain=h < 2,
)
nonconvex = Bound(
    "nonconvex",
    "min_{k<=N} ||grad f(x_k)||^2",
    4 * L * Delta / (N * sp.Min(4 * h - h**2, 4 * h - h**3) + 2),
    "tight",
    "f is L-smooth and bounded below; 0 < h <= sqrt 3; the minimum over the iterates, not the last one",
    "GD, step h/L",
    "Abbaszadehpeivasti, de Klerk and Zamani (2021), arXiv:2104.05468",
    "the sawtooth gradient on the line for h <= 1; the worst function for h > 1 is not written out here",
    domain=h <= sp.sqrt(3),
)
best_nonconvex_step = 2 / sp.sqrt(3)  # the maximum of 4h - h^3; the bound is 6 sqrt3 L Delta/(8N + 3 sqrt3)


def best_step(steps: int, digits: int = 30) -> mpmath.mpf:
    """The step h*(N) in (1, 2) where both worst functions of ``convex`` agree, to ``digits`` certified
    digits.

    (2Nh+1)(h-1)^(2N) - 1 increases on (1, 2) from -1 to 4N, so its sign change, certified in interval
    arithmetic, is the only root; left of it the first term of the maximum falls with h, right of it the
    second one grows.

    >>> mpmath.nstr(best_step(1), 12), mpmath.nstr(best_step(100), 12)
    ('1.5', '1.97054664706')
    """
    if steps < 1:
        raise ValueError(f"steps must be a positive integer, got {steps}")

    def excess(step, one):
        return (2 * steps * step + one) * (step - one) ** (2 * steps) - one

    with mpmath.workdps(digits + 15):
        root = mpmath.findroot(
            lambda s: excess(s, mpmath.mpf(1)),
            (1, 2),
            solver="anderson",
            maxsteps=10_000,
            tol=mpmath.mpf(10) ** (-2 * digits),
        )
        radius = mpmath.mpf(10) ** (-digits)
        before, after = (mpmath.iv.mpf(root - radius), mpmath.iv.mpf(root + radius))
        precision, mpmath.iv.dps = mpmath.iv.dps, digits + 15
        try:
            certified = excess(before, mpmath.iv.mpf(1)).b < 0 < excess(after, mpmath.iv.mpf(1)).a
        finally:
            mpmath.iv.dps = precision
        if not certified:
            raise ArithmeticError(f"the bracket of the best step for {steps} steps could not be certified")
        return root


def best_step_table(counts, digits: int = 15) -> list[tuple[int, mpmath.mpf, mpmath.mpf]]:
    """Rows (N, h*(N), worst gap in units of L R^2); the gain over h = 1 tends to a factor of two only.

    >>> [(N, mpmath.nstr(rate, 6)) for N, step, rate in best_step_table([1, 10])]
    [(1, '0.125'), (10, '0.0132693')]
    """
    rows = [(steps, best_step(steps, digits)) for steps in counts]
    return [(steps, step, 1 / (4 * steps * step + 2)) for steps, step in rows]


count_pl = Bound(
    "count_pl",
    "first N with f(x_N) - f* <= eps",
    sp.Max(0, sp.ceiling(sp.log(Delta / eps) / (-2 * sp.log(1 - _u * h)))),
    "tight",
    "f on the real line is L-smooth and mu-PL; 0 < h <= 1; mu h < L",
    "GD, step h/L",
    "pl_line solved for N",
    "f = mu x^2/2, the same function for every eps",
    domain=(h <= 1) & (mu * h < L),
)
count_convex = Bound(
    "count_convex",
    "first N with f(x_N) - f* <= eps",
    sp.Max(0, sp.ceiling((L * R**2 / eps - 2) / (4 * h))),
    "tight",
    "f is L-smooth and convex; 0 < h <= 1",
    "GD, step h/L",
    "convex solved for N",
    "for count T the Huber function with threshold R/(2(T-1)h+1)",
    domain=h <= 1,
)
count_nonconvex = Bound(
    "count_nonconvex",
    "first N with ||grad f(x_N)||^2 <= eps",
    sp.Max(0, sp.ceiling((4 * L * Delta / eps - 2) / (4 * h - h**2))),
    "tight",
    "f is L-smooth and bounded below; 0 < h <= 1",
    "GD, step h/L",
    "nonconvex solved for N",
    "for count T the sawtooth gradient with T-1 teeth",
    domain=h <= 1,
)
