"""Are the identities behind the table true? Symbolic proofs, for every value of the symbols.

The witnesses attain their bounds by short identities (a gradient that stays constant along a run, a recursion with a
closed form, a limit), and the bounds for any method come from others. sympy proves them in theory/; each proof is also
run with one constant falsified, where it must fail. What is proved here holds for every L, mu, R, sigma, N and h in
range; the other studies only sample these.
"""

from __future__ import annotations

from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import lower_bounds, moments, parabola_family, stochastic_gradient, witnesses
from ratewitness.theory.huber import huber_count, huber_final_gap, huber_run, strongly_convex_huber
from ratewitness.theory.sawtooth import sawtooth_count, sawtooth_run, sawtooth_step_loss, sawtooth_total

NOISY = (witnesses.parabola_sgd, stochastic_gradient.pl_induction)
FIXED = (witnesses.power_law, witnesses.softplus)
HUBER = (huber_run, huber_final_gap, huber_count, strongly_convex_huber)
SAWTOOTH = (sawtooth_run, sawtooth_step_loss, sawtooth_total, sawtooth_count)
MOMENTS = (moments.closed_forms, parabola_family.limit_of_moments, stochastic_gradient.tuned_steps)
TWO_MODE = (moments.two_mode_closed_form, stochastic_gradient.two_mode_limit)
LOWER = (
    *(lower_bounds.least_squares_attains, lower_bounds.convex_supremum, lower_bounds.two_point),
    *(lower_bounds.zero_chain_scaling, lower_bounds.zero_chain_progress, lower_bounds.zero_chain_constants),
)
ZAMANI = "S8; Abbaszadehpeivasti, de Klerk and Zamani (2021), arXiv:2104.05468; theory/sawtooth.py"


@claim("proof", "S4; theory/witnesses.py")
@falsified(witnesses.parabola_descent)
def parabola(budget: Budget) -> Verdict:
    """S4: On mu x^2/2 a GD step h/L multiplies f - f* by exactly (1 - mu h/L)^2.

    This holds for every mu, L and h."""
    return prove(witnesses.parabola_descent)


@claim("proof", "S5; theory/witnesses.py; Bottou, Curtis and Nocedal (2018) for the bound")
@falsified(*NOISY)
def noisy_parabola(budget: Budget) -> Verdict:
    """S5: SGD with steps 1/(mu(k+1)) has E f(x_k) - f* = sigma^2/(2 mu k) on mu x^2/2 +- sigma x.

    This holds from k = 1 on; and steps 2/(mu(2 kappa + k)) keep E f(x_k) - f* below max{2 L sigma^2/mu^2, (2 kappa + 1)
    Delta}/(2 kappa + k)."""
    return prove(*NOISY)


@claim("proof", "S6; Drori and Teboulle (2014); theory/huber.py")
@falsified(*HUBER)
def huber(budget: Budget) -> Verdict:
    """S6: On its Huber function GD meets the same gradient in all N steps h/L, and f(x_N) - f* = L R^2/(4Nh+2).

    The Huber function has threshold R/(2Nh+1), and h <= 1."""
    return prove(*HUBER)


@claim("proof", "S7; theory/moments.py, theory/parabola_family.py")
@falsified(*MOMENTS)
def averaged_parabola(budget: Budget) -> Verdict:
    """S7: The risk of the averaged iterate on lam x^2/2 +- sigma x has a closed form and an elementary limit.

    The limit for steps R/(sigma sqrt N) is sigma R/sqrt N times an elementary function of c = lam R sqrt N/sigma."""
    return prove(*MOMENTS)


@claim("proof", ZAMANI)
@falsified(*SAWTOOTH)
def sawtooth(budget: Budget) -> Verdict:
    """S8: On the sawtooth with N teeth every one of N steps h/L meets the same |f'| = g and loses (4h - h^2) g^2/(4L).

    So Delta = g^2 (N (4h - h^2) + 2)/(4L). h <= 1."""
    return prove(*SAWTOOTH)


@claim("proof", "S9; theory/moments.py, theory/stochastic_gradient.py")
@falsified(*TWO_MODE)
def two_mode(budget: Budget) -> Verdict:
    """S9: The mean of ||grad f||^2 over N constant steps on the two-mode quadratic has a closed form.

    Its least value over the step is sqrt(2 L Delta sigma^2/N) to first order."""
    return prove(*TWO_MODE)


@claim("proof", "S6; theory/witnesses.py; Lee and Wright (2019), arXiv:1812.08485, for o(1/k)")
@falsified(*FIXED)
def fixed_functions(budget: Budget) -> Verdict:
    """S6: The gap of GD falls as k^{-p/(p-2)} on |x|^p, and as 1/(4k) on log(1 + e^-x).

    On log(1 + e^-x) the step is 4."""
    return prove(*FIXED)


@claim("proof", "S12; theory/lower_bounds.py")
@falsified(*LOWER)
def any_method(budget: Budget) -> Verdict:
    """S12: The Bayes risk with noisy gradients is attained, and its supremum over curvatures is sigma R/(4 sqrt N).

    With noise of variance sigma^2 it is attained by recursive least squares; the two-point bound is sigma R/(4 sqrt N)
    as well; the zero-chains scale as 1/eps and 1/eps^2. Machine-checked: these identities (sympy) and the constants 12, 152,
    23 of the zero-chain (suprema by sympy, sizes by interval arithmetic). Cited: Pinsker's inequality, Gershgorin's theorem,
    and the random rotation that extends the chain to methods that respect no zeros. Prose: that a posterior of Gaussians is
    what any method knows, and that a zero-respecting method finds a link a query (theory/lower_bounds.py)."""
    return prove(*LOWER)


@claim("proof", "S14; theory/witnesses.py")
@falsified(witnesses.stationary_floor)
def stationary_floor(budget: Budget) -> Verdict:
    """S14: Constant-step SGD on lam x^2/2 has the stationary gap a sigma^2/(2(2 - a lam)).

    The steps are a, and the noise is of variance sigma^2."""
    return prove(witnesses.stationary_floor)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
