r"""What is the optimal odd cubic on [l, u], and does an exchange iteration find it?

    p = argmin over odd cubics of max_{[l, u]} |1 - p|  =  beta (3 alpha x - (alpha x)^3)/2

The exchange iteration (`solvers/norms/odd_polynomials.py`) derives optimal odd polynomials of every degree; those of degree
3 to 9 are compared with a linear program in `optimal_compositions`, where they are composed.

Source: N. Amsel, D. Persson, C. Musco and R. Gower (2025), arXiv:2505.16932.
"""

from __future__ import annotations

from collections.abc import Callable

from ratewitness.solvers.norms.odd_polynomials import optimal_odd_polynomial
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.norms.matrix_runs import SOURCE
from ratewitness.theory import newton_schulz


@claim("proof", f"S34; {SOURCE}; theory/newton_schulz.py")
@falsified(newton_schulz.optimal_cubic_alternates, named="{slip}")
def optimal_cubic(budget: Budget) -> Verdict:
    """S34: The optimal odd cubic on [l, u] is beta p(alpha x), the rescaled cubic p = (3x - x^3)/2 of Newton-Schulz.

    With alpha = sqrt(3/(u^2 + l u + l^2)), beta = 4/(2 + l u (l + u) alpha^3) its error is E > 0 at l, -E at 1/alpha, its
    only critical point inside, and E at u: it takes +-E alternately at three points of [l, u] and is no larger between them,
    so it is the optimal odd cubic. Machine-checked: values and critical point, in symbols. Cited: Chebyshev's theorem, that
    what alternates is optimal."""
    return prove(newton_schulz.optimal_cubic_alternates)


@claim("exact", f"S34; {SOURCE}; theory/newton_schulz.py")
@planted("Newton-Schulz: alpha = beta = 1", closed_form=lambda low, high: (1, 1))
@planted("scaled to the slope only", closed_form=lambda low, high: (newton_schulz.optimal_cubic(low, high)[0], 1))
def exchange_finds_the_cubic(budget: Budget, closed_form: Callable = newton_schulz.optimal_cubic) -> Verdict:
    """S34: The exchange iteration gives the coefficients of the closed form for degree 3.

    For l = 1e-8 to 0.99, u = 1, both coefficients agree within 1e-14."""
    mine, theirs = [], []
    for low in (1e-8, 1e-6, 1e-4, 0.01, 0.1, 0.3, 0.6, 0.9, 0.99):
        alpha, beta = map(float, closed_form(low, 1.0))
        mine += optimal_odd_polynomial(low, 1.0, 3)
        theirs += [1.5 * alpha * beta, -0.5 * alpha**3 * beta]
    return agrees(mine, theirs, 1e-14)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
