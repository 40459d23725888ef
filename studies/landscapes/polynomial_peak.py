r"""How high is the peak of polynomial fitting, and is that height arithmetic?

    sigma^2 int sum_j l_j(x)^2 dx/2    at the threshold;    sigma^2 (1/n) sum_k 1/M_k    at Chebyshev nodes, on both sides

The first comes from the nodes alone, without a basis or a system of equations, and from the singular values of three bases,
and from 60 digits. In monomials, with condition numbers above 1e14, float64 draws another curve: `polynomial_fitting`. The
second, with M_k aliases of degree k, is in the norm of the coefficients: it is sigma^2 at the threshold.

Sources: theory/interpolation_noise.py; set-up: `polynomial_runs`; other nodes: `polynomial_nodes`.
"""

from __future__ import annotations

import numpy as np
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of
from ratewitness.studies.landscapes.polynomial_runs import (
    BASES,
    DEVIATION,
    NODES,
    SAMPLES,
    features,
    fit,
    precise_fit,
)
from ratewitness.theory.interpolation_noise import aliased_variance, mean_gain

SOURCE = "S50; theory/interpolation_noise.py"


@claim("exact", SOURCE)
@planted("the aliases of the constant counted once", weight=1)
@planted("one node more", n=SAMPLES + 1)
def aliases_share_the_noise(budget: Budget, weight: int = 2, n: int = SAMPLES) -> Verdict:
    """S50, refined: At Chebyshev nodes the variance of fits of least norm in T_k is a sum of reciprocal numbers of aliases,
    without a pole.

    In 1, sqrt2 T_1, ..., sqrt2 T_{d-1} at 50 nodes, d = 1 to 400: the squared norm of the noise in the coefficients, from
    singular values, is sigma^2 (1/n) sum_k 1/M_k within 1e-9, M_k counting the degrees below d that are k or -k modulo 100,
    those of k = 0 but the first twice. It is sigma^2 d/n up to the threshold, where it is sigma^2, and falls from there."""
    d = np.arange(1, 401)
    A = features("Chebyshev", NODES["Chebyshev"], d[-1]) * np.where(np.arange(d[-1]) > 0, weight**0.5, 1)
    measured = []
    for count in d:
        s = np.linalg.svd(A[:, :count], compute_uv=False)
        measured.append((1 / s[s > 1e-6 * s[0]] ** 2).sum())
    return agrees(measured, [aliased_variance(n, int(count)) for count in d])


@claim("exact", SOURCE)
@planted("one coefficient more", count=SAMPLES + 1)
@planted("noise 1 % larger", noise=1.01)
def peak_is_the_gain_of_the_nodes(budget: Budget, count: int = SAMPLES, noise: float = 1.0) -> Verdict:
    """S50, refined: The height of the peak of polynomial fitting is the gain of its nodes, in three bases, and no rounding.

    With 50 coefficients on 50 equispaced, Chebyshev and Lobatto nodes, in T_k, P_k and sqrt(2k+1) P_k, the variance from
    singular values is sigma^2 times the mean gain from Lagrange's products within 0.5 %: 2.4e20 on equispaced nodes, where
    condition numbers are up to 3e12. There arithmetic of 60 digits (full: with 45, 51 and 60 coefficients as well, and in
    P_k) gives the same risk."""
    parts = {}
    for kind, nodes in NODES.items():
        for basis in BASES:
            found = fit(basis, nodes, count)
            variance = np.nan if found.rounding else noise**2 * found.risk()[1]
            parts[f"{kind}, {basis}"] = agrees([variance], DEVIATION**2 * mean_gain(nodes), 5e-3)
    for basis, p in budget.pick([("Chebyshev", 50)], [(b, p) for b in ("Chebyshev", "Legendre") for p in (45, 50, 51, 60)]):
        plain = sum(fit(basis, NODES["equispaced"], p).risk())
        parts[f"60 digits, {basis}, {p}"] = agrees([plain], decimal_risk(budget, basis, p), 5e-3)
    return all_of(parts)


@measured
def decimal_risk(budget: Budget, basis: str, count: int) -> float:
    return sum(precise_fit(basis, NODES["equispaced"], count).risk())


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
