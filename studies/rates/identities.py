"""Are the identities behind the table true? Symbolic proofs, for every value of the symbols.

The witnesses attain their bounds by short identities (a gradient that stays constant along a run, a recursion with a
closed form, a limit), and the bounds for any method come from others. sympy proves them in theory/; each proof is also
run with one constant falsified, where it must fail. What is proved here holds for every L, mu, R, sigma, N and h in
range; the other studies only sample these.
"""

from __future__ import annotations

from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory.witnesses import FALSE_VARIANTS, PROOFS

HUBER = ("huber_run", "huber_final_gap", "huber_count", "strongly_convex_huber")
SAWTOOTH = ("sawtooth_run", "sawtooth_step_loss", "sawtooth_total", "sawtooth_count")
MOMENTS = ("closed_forms", "limit_of_moments", "tuned_steps")
TWO_MODE = ("two_mode_closed_form", "two_mode_limit")
LOWER = ("least_squares_attains", "convex_supremum", "two_point", "zero_chain_scaling", "zero_chain_progress")


@claim(kind="proof", source="S4; theory/witnesses.py", planted=falsified(FALSE_VARIANTS, "parabola_descent"))
def parabola(budget: Budget) -> Verdict:
    """S4: On mu x^2/2 a GD step h/L multiplies f - f* by exactly (1 - mu h/L)^2."""
    return prove(PROOFS, "parabola_descent")


@claim(
    kind="proof",
    source="S5; theory/witnesses.py; Bottou, Curtis and Nocedal (2018) for the bound",
    planted=falsified(FALSE_VARIANTS, "parabola_sgd", "pl_induction"),
)
def noisy_parabola(budget: Budget) -> Verdict:
    """S5: On mu x^2/2 +- sigma x SGD with steps 1/(mu(k+1)) has E f(x_k) - f* = sigma^2/(2 mu k) from k = 1 on; and
    steps 2/(mu(2 kappa + k)) keep E f(x_k) - f* below max{2 L sigma^2/mu^2, (2 kappa + 1) Delta}/(2 kappa + k)."""
    return prove(PROOFS, "parabola_sgd", "pl_induction")


@claim(kind="proof", source="S6; Drori and Teboulle (2014); theory/huber.py", planted=falsified(FALSE_VARIANTS, *HUBER))
def huber(budget: Budget) -> Verdict:
    """S6: On the Huber function with threshold R/(2Nh+1) the gradient is constant for N steps h/L, h <= 1, and
    f(x_N) - f* = L R^2/(4Nh+2)."""
    return prove(PROOFS, *HUBER)


@claim(kind="proof", source="S7; theory/moments.py, theory/parabola_family.py", planted=falsified(FALSE_VARIANTS, *MOMENTS))
def averaged_parabola(budget: Budget) -> Verdict:
    """S7: The risk of the averaged iterate on lam x^2/2 +- sigma x has a closed form, whose limit for steps
    R/(sigma sqrt N) is sigma R/sqrt N times an elementary function of c = lam R sqrt N/sigma."""
    return prove(PROOFS, *MOMENTS)


@claim(
    kind="proof",
    source="S8; Abbaszadehpeivasti, de Klerk and Zamani (2021), arXiv:2104.05468; theory/sawtooth.py",
    planted=falsified(FALSE_VARIANTS, *SAWTOOTH),
)
def sawtooth(budget: Budget) -> Verdict:
    """S8: On the sawtooth with N teeth every one of N steps h/L, h <= 1, meets the same |f'| = g and loses
    (4h - h^2) g^2/(4L), so that Delta = g^2 (N (4h - h^2) + 2)/(4L)."""
    return prove(PROOFS, *SAWTOOTH)


@claim(
    kind="proof",
    source="S9; theory/moments.py, theory/stochastic_gradient.py",
    planted=falsified(FALSE_VARIANTS, *TWO_MODE),
)
def two_mode(budget: Budget) -> Verdict:
    """S9: The mean of ||grad f||^2 over N constant steps on the two-mode quadratic has a closed form, whose least value
    over the step is sqrt(2 L Delta sigma^2/N) to first order."""
    return prove(PROOFS, *TWO_MODE)


@claim(
    kind="proof",
    source="S6; theory/witnesses.py; Lee and Wright (2019), arXiv:1812.08485, for o(1/k)",
    planted=falsified(FALSE_VARIANTS, "power_law", "softplus"),
)
def fixed_functions(budget: Budget) -> Verdict:
    """S6: Along GD on |x|^p the gap falls as k^{-p/(p-2)}, and on log(1 + e^-x) with step 4 as 1/(4k)."""
    return prove(PROOFS, "power_law", "softplus")


@claim(kind="proof", source="S12; theory/lower_bounds.py", planted=falsified(FALSE_VARIANTS, *LOWER))
def any_method(budget: Budget) -> Verdict:
    """S12: The Bayes risk with noise of variance sigma^2 is attained by recursive least squares; its supremum over
    curvatures, and the two-point bound, are sigma R/(4 sqrt N); the zero-chains scale as 1/eps and 1/eps^2."""
    return prove(PROOFS, *LOWER)


@claim(kind="proof", source="S14; theory/witnesses.py", planted=falsified(FALSE_VARIANTS, "stationary_floor"))
def stationary_floor(budget: Budget) -> Verdict:
    """S14: Constant-step SGD on lam x^2/2 with noise of variance sigma^2 has the stationary gap a sigma^2/(2(2 - a
    lam))."""
    return prove(PROOFS, "stationary_floor")


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
