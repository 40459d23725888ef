r"""Stochastic gradient descent, x_{k+1} = x_k - a_k g_k, with noise of bounded variance.

    PL:         E f(x_k) - f*  <=  max{2 L sigma^2/mu^2, (2 kappa+1) Delta} / (2 kappa + k),   a_k = 2/(mu(2 kappa+k))
    convex:     E f(xbar) - f* <=  L R^2/(2N) + sigma R/sqrt N,                       a = 1/(L + sigma sqrt N/R)
    nonconvex:  (1/N) sum_{k<N} E||grad f(x_k)||^2 <= 2 L Delta/N + 2 sigma sqrt(2 L Delta/N)

Hypotheses: f is L-smooth, kappa = L/mu; given the past E g_k = grad f(x_k) and E ||g_k - grad f(x_k)||^2 <=
sigma^2.  The witnesses are finite sums of two components whose noise is +-sigma: with them the exponents 1,
2, 2 of 1/eps are attained: the PL one on one fixed function; the nonconvex one too for the tuned step, while
against every constant step the curvature has to depend on eps; the convex one only by a function that depends
on eps.  The constants of the upper bounds are not attained.

    >>> pl_parabola(sigma=2, mu=1, k=[1, 10]).tolist(), int(count_pl_parabola.exactly(sigma=1, mu=1, eps="1/100"))
    ([2.0, 0.2], 50)

Proofs.  PL: E Delta_{k+1} <= (1 - mu a) E Delta_k + L a^2 sigma^2/2 for a <= 1/L, by the descent lemma.
Convex, x_1..x_N: descent lemma, three-point identity, Young with 1/eta = 1/a - L on <g - grad f, x_{k+1} -
x_k>.  Convex, x_0..x_{N-1}: <grad f, x - x*> >= f - f* + ||grad f||^2/(2L) pays for a^2 ||grad f||^2 when a
<= 1/L.  Nonconvex: telescope.

Sources: Bottou, Curtis and Nocedal (2018), arXiv:1606.04838; Karimi, Nutini and Schmidt (2016),
arXiv:1608.04636 (second moments C^2, not variances); Lan (2012); Bubeck (2015), arXiv:1405.4980; Ghadimi and
Lan (2013), arXiv:1309.5549; Drori and Shamir (2020); the exact values are derived in ``moments.py``.
"""

import sympy as sp
from ratewitness.theory import moments
from ratewitness.theory.bounds import Bound, C, Delta, L, N, R, a, eps, k, lam, mu, sigma, vanishes
from ratewitness.theory.identity import identity

_NOISE = "unbiased stochastic gradient of variance at most sigma^2"
_kappa = L / mu

pl_decreasing = Bound(
    "pl_decreasing",
    "E f(x_k) - f*",
    sp.Max(2 * L * sigma**2 / mu**2, (2 * _kappa + 1) * Delta) / (2 * _kappa + k),
    "upper",
    f"f is L-smooth and mu-PL; {_NOISE}; the start is x_1, with gap Delta",
    "SGD, a_k = 2/(mu(2 kappa + k)), k >= 1",
    "Bottou, Curtis and Nocedal (2018); proof above",
    domain=mu <= L,
)
pl_constant = Bound(
    "pl_constant",
    "E f(x_k) - f*",
    (1 - mu * a) ** k * Delta + a * L * sigma**2 / (2 * mu),
    "upper",
    f"f is L-smooth and mu-PL; {_NOISE}; a <= 1/L; kappa to 2 kappa times the floor of the parabola with curvature L",
    "SGD, constant step a",
    "Bottou, Curtis and Nocedal (2018); proof above",
    domain=(mu <= L) & (a * L <= 1),
)
pl_second_moment = Bound(
    "pl_second_moment",
    "E f(x_k) - f*",
    L * C**2 / (2 * k * mu**2),
    "upper",
    "f is L-smooth and mu-PL; E||g_k||^2 <= C^2 along the path, the second moment and not the variance",
    "SGD, a_k = (2k+1)/(2 mu (k+1)^2), k >= 0",
    "Karimi, Nutini and Schmidt (2016), arXiv:1608.04636",
    domain=mu <= L,
)
pl_parabola = Bound(
    "pl_parabola",
    "E f(x_k) - f*",
    sigma**2 / (2 * mu * k),
    "tight",
    "f = mu x^2/2 with additive noise of variance sigma^2; any x_0, which the first step forgets",
    "SGD, a_k = 1/(mu(k+1)), k >= 0",
    "witnesses.py",
    "f_+- = mu x^2/2 +- sigma x",
)
quadratic_floor = Bound(
    "quadratic_floor",
    "lim E f(x_k) - f*",
    a * sigma**2 / (2 * (2 - a * lam)),
    "tight",
    "f = lam x^2/2 with additive noise of variance sigma^2; a lam < 2",
    "SGD, constant step a",
    "moments.py",
    "f_+- = lam x^2/2 +- sigma x",
    domain=a * lam < 2,
)
pl_floor = Bound(
    "pl_floor",
    "limsup E f(x_k) - f*",
    a * L * sigma**2 / (2 * mu),
    "upper",
    f"f is L-smooth and mu-PL; {_NOISE}; a <= 1/L; kappa to 2 kappa times the floor of the parabola with curvature L",
    "SGD, constant step a",
    "pl_constant, k to infinity",
    domain=(mu <= L) & (a * L <= 1),
)
convex_tuned = Bound(
    "convex_tuned",
    "E f(mean of x_1..x_N) - f*",
    L * R**2 / (2 * N) + sigma * R / sp.sqrt(N),
    "upper",
    f"f is L-smooth and convex; {_NOISE}",
    "SGD, a = 1/(L + sigma sqrt N/R), average of x_1..x_N",
    "Lan (2012), Bubeck (2015); proof above",
)
convex_constant = Bound(
    "convex_constant",
    "E f(mean of x_1..x_N) - f*",
    R**2 / (2 * a * N) + a * sigma**2 / (2 * (1 - a * L)),
    "upper",
    f"f is L-smooth and convex; {_NOISE}; a < 1/L",
    "SGD, constant step a, average of x_1..x_N",
    "Lan (2012), Bubeck (2015); proof above",
    domain=a * L < 1,
)
convex_constant_head = Bound(
    "convex_constant_head",
    "E f(mean of x_0..x_{N-1}) - f*",
    R**2 / (2 * a * N) + a * sigma**2 / 2,
    "upper",
    f"f is L-smooth and convex; {_NOISE}; a <= 1/L",
    "SGD, constant step a, average of x_0..x_{N-1}",
    "proof above",
    domain=a * L <= 1,
)
nonconvex_constant = Bound(
    "nonconvex_constant",
    "(1/N) sum_{k<N} E||grad f(x_k)||^2",
    2 * Delta / (a * N) + a * L * sigma**2,
    "upper",
    f"f is L-smooth and bounded below; {_NOISE}; a <= 1/L; no single iterate is controlled",
    "SGD, constant step a",
    "Ghadimi and Lan (2013), arXiv:1309.5549; proof above",
    domain=a * L <= 1,
)
nonconvex_tuned = Bound(
    "nonconvex_tuned",
    "(1/N) sum_{k<N} E||grad f(x_k)||^2",
    2 * L * Delta / N + 2 * sigma * sp.sqrt(2 * L * Delta / N),
    "upper",
    f"f is L-smooth and bounded below; {_NOISE}",
    "SGD, a = min{1/L, sqrt(2 Delta/(L N sigma^2))}",
    "Ghadimi and Lan (2013), arXiv:1309.5549; proof above",
)
nonconvex_two_mode = Bound(
    "nonconvex_two_mode",
    "(1/N) sum_{k<N} E||grad f(x_k)||^2",
    moments.two_mode_average,
    "tight",
    "f = lam x^2/2 + L y^2/2, noise +-sigma on y only, lam x_0^2/2 = Delta, y_0 = 0; a L < 2",
    "SGD, constant step a",
    "moments.py",
    "f_+- = lam x^2/2 + L y^2/2 +- sigma y",
    domain=(lam <= L) & (a * L < 2),
)
nonconvex_two_mode_best = Bound(
    "nonconvex_two_mode_best",
    "(1/N) sum_{k<N} E||grad f(x_k)||^2, leading term",
    sp.sqrt(2 * L * Delta * sigma**2 / N),
    "lower",
    "least value over a of the supremum over lam <= L of nonconvex_two_mode, to first order as N grows; half of "
    "nonconvex_tuned",
    "SGD, any constant step",
    "moments.py; Drori and Shamir (2020) for the exponent",
    "lam between 1/(a N) and 1/a on a logarithmic scale",
)

count_pl_parabola = Bound(
    "count_pl_parabola",
    "first k with E f(x_k) - f* <= eps",
    sp.ceiling(sigma**2 / (2 * mu * eps)),
    "tight",
    "as pl_parabola",
    "SGD, a_k = 1/(mu(k+1))",
    "pl_parabola solved for k",
    "f_+- = mu x^2/2 +- sigma x",
)
count_nonconvex_two_mode = Bound(
    "count_nonconvex_two_mode",
    "N(eps), leading term",
    2 * L * Delta * sigma**2 / eps**2,
    "lower",
    "as nonconvex_two_mode_best; nonconvex_tuned gives 8 in place of 2",
    "SGD, the best constant step",
    "nonconvex_two_mode_best solved for N",
    "f_+- = lam x^2/2 + L y^2/2 +- sigma y, lam depending on eps",
)


@identity(numerator=3)
def pl_induction(numerator=2) -> bool:
    """With s = 2 kappa + k and Delta_k <= v/s, the step 2/(mu s) leaves at most v/(s+1), if v >= 2 L
    sigma^2/mu^2.

    (1 - 2/s) v/s + 2 L sigma^2/(mu s)^2 <= (1 - 2/s) v/s + v/s^2 = v/(s+1) - v/(s^2 (s+1)).
    """
    s, v = sp.symbols("s v", positive=True)
    step = numerator / (mu * s)
    noise = L * step**2 * sigma**2 / 2 - 2 * L * sigma**2 / (mu * s) ** 2
    remainder = (1 - mu * step) * v / s + v / s**2 - v / (s + 1) + v / (s**2 * (s + 1))
    return vanishes(noise) and vanishes(remainder)


@identity(sign=1)
def any_step_on_a_parabola(sign=-1) -> bool:
    """With u = E x_k^2 every step a leaves at least u sigma^2/(sigma^2 + mu^2 u) on mu x^2/2 +- sigma x, whose inverse is
    1/u + mu^2/sigma^2.

    (1 - a mu)^2 u + a^2 sigma^2 exceeds it by (sigma^2 + mu^2 u) (a - mu u/(sigma^2 + mu^2 u))^2, and it grows with u.
    So E f(x_N) - f* >= (mu/2)/(1/R^2 + N mu^2/sigma^2), for steps fixed in advance: N >= sigma^2/(2 mu eps) -
    sigma^2/(mu^2 R^2).
    """
    u = sp.Symbol("u", positive=True)
    precision = sigma**2 + mu**2 * u
    least = u * sigma**2 / precision
    excess = (1 - a * mu) ** 2 * u + a**2 * sigma**2 - least - precision * (a + sign * mu * u / precision) ** 2
    grows = vanishes(sp.diff(least, u) - sigma**4 / precision**2)
    return vanishes(excess) and grows and vanishes(1 / least - 1 / u - mu**2 / sigma**2)


@identity(factor=1)
def any_step_on_two_modes(factor=2) -> bool:
    """Delta/(a N) + a L sigma^2/2 >= sqrt(2 L Delta sigma^2/N): the excess is the square of the difference of the roots."""
    bias, spread = Delta / (a * N), a * L * sigma**2 / 2
    excess = bias + spread - sp.sqrt(factor * L * Delta * sigma**2 / N)
    return vanishes(sp.expand(excess - (sp.sqrt(bias) - sp.sqrt(spread)) ** 2))


@identity(factor=3)
def tuned_steps(factor=2) -> bool:
    """The constant-step bounds at the tuned steps are the tuned bounds; for the nonconvex one at a = 1/L as
    well.

    There sigma^2 <= sigma sqrt(2 L Delta/N), which is what a = 1/L <= sqrt(2 Delta/(L N sigma^2)) says.
    """
    convex = convex_constant.value.subs(a, 1 / (L + sigma * sp.sqrt(N) / R)) - convex_tuned.value
    long = nonconvex_constant.value.subs(a, sp.sqrt(2 * Delta / (L * N)) / sigma)
    noise = factor * sigma * sp.sqrt(2 * L * Delta / N)
    short = nonconvex_constant.value.subs(a, 1 / L) - sigma**2 + noise - nonconvex_tuned.value
    return all(vanishes(gap) for gap in (convex, long - noise, short))


@identity(noise=1)
def two_mode_limit(noise=2) -> bool:
    """sqrt N times the two-mode average at a = s/sqrt N tends to Delta/s + s L sigma^2/2 for each fixed lam
    <= L.

    q^(2N) and p^(2N) vanish.  Its least value over s is sqrt(2 L Delta sigma^2), half of what nonconvex_tuned
    says.
    """
    s, x = sp.symbols("s x", positive=True)  # x = 1/sqrt N
    bias, spread = (
        moment.replace(lambda e: e.is_Pow and e.exp == 2 * N, lambda e: sp.Integer(0)).subs({a: s * x, N: x**-2})
        for moment in (moments.gradient_square_bias, moments.gradient_square_noise)
    )
    limit = sp.limit(sp.cancel(bias / x), x, 0) + sp.limit(sp.cancel(spread / x), x, 0)
    (best,) = sp.solve(sp.diff(limit, s), s)
    least = nonconvex_two_mode_best.value * sp.sqrt(N)
    upper = (nonconvex_tuned.value - 2 * L * Delta / N) * sp.sqrt(N)
    gaps = (limit - Delta / s - s * L * sigma**2 / noise, limit.subs(s, best) - least, 2 * least - upper)
    return all(vanishes(gap) for gap in gaps)
