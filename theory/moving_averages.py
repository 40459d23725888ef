r"""Moving averages that start at 0: what they estimate, what the correction repairs, and how long the first steps are.

    m_k = beta m_{k-1} + (1 - beta) g_k,  m_0 = 0        m_k = (1 - beta) sum_{j<=k} beta^{k-j} g_j
    E m_k = (1 - beta^k) E g                             where E g_j = E g for every j
    E v_k = (1 - beta^k) E g_k^2 + zeta_k,               zeta_k = (1 - beta) sum_{j<=k} beta^{k-j} (E g_j^2 - E g_k^2)

k = 1, 2, 3, ... counts gradients; v averages squares. The gradients need not be independent. Divided by 1 - beta^k, m is
unbiased at every k if the means are equal, and v if the second moments are; and, unless beta = 0, only then: zeta_k = 0 for
every k makes them equal (`only_stationary`). A second moment that grows by c a step is in the limit underestimated by
c beta/(1 - beta), the growth over the mean age of a gradient in the average. Unbiased moments do not make an unbiased step:
the mean of mhat/sqrt(vhat) is not E g/sqrt(E g^2), and may have the other sign. Nor is an unbiased estimate more accurate in
the mean square: at k = 1 it is so exactly where Var g < (E g)^2 beta/(2 - beta) (`mean_square`).

Lengths of steps in units of the step size, epsilon 0, gradients all equal (at k = 1: any gradient):

    RMSProp  1/sqrt(1 - beta2^k)      Adam without correction  (1 - beta1^k)/sqrt(1 - beta2^k)      Adam  1

All of RMSProp's steps together exceed as many unit steps by sum_k (1/sqrt(1 - beta2^k) - 1) < 2 log 2/log(1/beta2), about
2 log 2/(1 - beta2): the summand falls with k, so that the sum is below the integral, with w = beta2^k.

Source: Kingma and Ba (2015), arXiv:1412.6980, for the corrections and zeta; proofs here.
"""

from collections.abc import Sequence

import sympy as sp
from ratewitness.theory.bounds import Bound, c, k, sigma, vanishes
from ratewitness.theory.identity import identity

beta = sp.Symbol("beta", positive=True)  # below 1
beta1, beta2 = sp.symbols("beta1 beta2", positive=True)
_mean, _s, _next, _zeta = sp.symbols("mean s s_next zeta", real=True)

_likely = sp.Rational(3, 4)

head_start = Bound(
    "head_start",
    "sum_k |x_k - x_{k-1}|/a - 1",
    2 * sp.log(2) / sp.log(1 / beta2),
    "upper",
    "equal gradients, 0 < beta2 < 1, epsilon 0",
    "RMSProp, step a",
    "proof here",
    domain=(beta2 > 0) & (beta2 < 1),
)


def length(beta1, beta2, k):
    """The length of step k at equal gradients without corrections, for Adam; beta1 = 0 is RMSProp's."""
    return (1 - beta1**k) / (1 - beta2**k) ** 0.5


def average(beta, terms: Sequence):
    """m_k of the terms g_1, ..., g_k, or E m_k of their means: numbers, arrays or sympy expressions.

    >>> average(sp.Rational(1, 2), [4, 4, 4])
    7/2
    """
    return (1 - beta) * sum(beta ** (len(terms) - j) * term for j, term in enumerate(terms, 1))


def zeta(beta, moments: Sequence):
    """zeta_k of the second moments E g_1^2, ..., E g_k^2.

    >>> zeta(sp.Rational(1, 2), [1, 1, 5]), zeta(sp.Rational(1, 2), [3, 3, 3])
    (-3/2, 0)
    """
    return average(beta, [moment - moments[-1] for moment in moments])


@identity(late=1)
def closed_form(late=0) -> bool:
    """E m_k = (1 - beta^k) E g for every k, by induction from m_0 = 0.

    >>> closed_form(), closed_form(late=1)
    (True, False)
    """

    def value(k):
        return (1 - beta ** (k - late)) * _mean

    return vanishes(value(sp.S.Zero)) and vanishes(beta * value(k) + (1 - beta) * _mean - value(k + 1))


@identity(total=1 - beta ** (k + 1))
def weights(total=1 - beta**k) -> bool:
    """(1 - beta) beta^{k-j} over j = 1, ..., k sum to 1 - beta^k: mhat_k is a weighted mean of the gradients."""
    i = sp.Symbol("i", integer=True, nonnegative=True)  # k - j
    geometric = sp.Sum(beta**i, (i, 0, k - 1)).doit().args[-1][0]  # beta != 1
    return vanishes((1 - beta) * geometric - total)


@identity(carried=1)
def nonstationary(carried=beta) -> bool:
    """E v_k = (1 - beta^k) E g_k^2 + zeta_k, by induction from zeta_1 = 0.

    In s = E g_k^2 and s_next = E g_{k+1}^2: the terms of zeta_{k+1} are beta times those of zeta_k, each moved by
    s - s_next, with weights of sum 1 - beta^k, and its last one is 0.
    """
    following = carried * (_zeta + (1 - beta**k) * (_s - _next))
    step = beta * ((1 - beta**k) * _s + _zeta) + (1 - beta) * _next
    start = zeta(beta, [_s]) + (1 - beta) * _s - average(beta, [_s])
    return vanishes(step - (1 - beta ** (k + 1)) * _next - following) and vanishes(start)


@identity(forgotten=0)
def only_stationary(forgotten=beta) -> bool:
    """zeta_k = zeta_{k+1} = 0 makes E g_{k+1}^2 = E g_k^2: unbiased at every k is stationary, unless beta = 0."""
    following = forgotten * (1 - beta**k) * (_s - _next)
    return sp.solve(following, _next) == [_s]


@identity(age=1 / (1 - beta))
def drift(age=beta / (1 - beta)) -> bool:
    """E g_j^2 = s + c j gives zeta_k/(1 - beta^k) = c k beta^k/(1 - beta^k) - c beta/(1 - beta), with k beta^k -> 0.

    By the recursion of `nonstationary`.
    """

    def value(k):
        return c * k * beta**k - c * age * (1 - beta**k)

    return vanishes(value(sp.S.One)) and vanishes(beta * (value(k) - c * (1 - beta**k)) - value(k + 1))


@identity(power=1)
def variance(power=2) -> bool:
    """Independent gradients of variance sigma^2: Var m_k = sigma^2 (1 - beta)(1 - beta^{2k})/(1 + beta), by induction.

    Hence Var mhat_k = sigma^2 (1 - beta)(1 + beta^k)/((1 + beta)(1 - beta^k)): sigma^2 at k = 1, which is the price of being
    unbiased, and (1 - beta)/(1 + beta) sigma^2 in the limit.
    """

    def value(k):
        return sigma**2 * (1 - beta) * (1 - beta ** (2 * k)) / (1 + beta)

    step = beta**power * value(k) + (1 - beta) ** 2 * sigma**2 - value(k + 1)
    first = vanishes(value(sp.S.One) / (1 - beta) ** 2 - sigma**2)
    return vanishes(value(sp.S.Zero)) and vanishes(step) and first


@identity(better=1)
def mean_square(better=2) -> bool:
    """E (mhat_k - E g)^2 - E (m_k - E g)^2 = q (s sigma^2 (2 - q) - q mean^2), q = beta^k, s = Var mhat_k/sigma^2:
    independent gradients of variance sigma^2. So the correction makes the mean-square error smaller exactly where
    sigma^2/mean^2 is below `noise_it_bears`, which at k = 1 is beta/(2 - beta) < 1."""
    q, s = sp.symbols("q s", positive=True)
    corrected, plain = s * sigma**2, (1 - q) ** 2 * s * sigma**2 + (q * _mean) ** 2
    difference = vanishes(corrected - plain - q * (s * sigma**2 * (better - q) - q * _mean**2))
    return difference and vanishes(noise_it_bears(beta, 1) - beta / (2 - beta))


def noise_it_bears(beta, k):
    """sigma^2/mean^2 up to which mhat_k has a smaller mean-square error than m_k.

    >>> round(noise_it_bears(0.999, 1), 3), round(noise_it_bears(0.999, 2), 2), round(noise_it_bears(0.999, 3), 2)
    (0.998, 1.99, 2.98)
    """
    q = beta**k
    return q * (1 + beta) * (1 - q) / ((1 - beta) * (1 + q) * (2 - q))


def mean_square_errors(beta, k, noise):
    """Of mhat_k and m_k over mean^2, for independent gradients with sigma^2/mean^2 = noise."""
    q = beta**k
    corrected = noise * (1 - beta) * (1 + q) / ((1 + beta) * (1 - q))
    return corrected, (1 - q) ** 2 * corrected + q**2


@identity(late=1)
def first_step(late=0) -> bool:
    """Adam's first step is sign g for any gradient g != 0; without corrections (1 - beta1)/sqrt(1 - beta2) sign g; and
    RMSProp's sign g/sqrt(1 - beta2).
    """
    g = sp.Symbol("g", real=True, nonzero=True)
    keep1, keep2 = sp.symbols("keep1 keep2", positive=True)  # 1 - beta1 and 1 - beta2
    m, v = keep1 * g, keep2 * g**2
    corrections = [1 - (1 - keep) ** (1 + late) for keep in (keep1, keep2)]
    adam = vanishes(sp.expand(m / corrections[0] / sp.sqrt(v / corrections[1])) - sp.sign(g))
    uncorrected = vanishes(m / sp.sqrt(v) - keep1 / sp.sqrt(keep2) * sp.sign(g))
    return adam and uncorrected and vanishes(g / sp.sqrt(v) - sp.sign(g) / sp.sqrt(keep2))


@identity(factor=1)
def head_start_integral(factor=2) -> bool:
    """int_0^1 ((1 - w)^{-1/2} - 1)/w dw = 2 log 2: the integrand has the antiderivative -2 log(1 + (1 - w)^{1/2})."""
    w = sp.Symbol("w", positive=True)
    antiderivative = -2 * sp.log(1 + sp.sqrt(1 - w))
    integrand = (1 / sp.sqrt(1 - w) - 1) / w
    whole = antiderivative.subs(w, 1) - antiderivative.subs(w, 0)
    return vanishes(sp.diff(antiderivative, w) - integrand) and vanishes(whole - factor * sp.log(2))


@identity(likely=sp.Rational(9, 10))
def step_is_biased(likely=_likely) -> bool:
    """g = 1 with probability p, else -4: E sign g = 2p - 1 and E g = 5p - 4 have opposite signs at p = 3/4.

    Adam's first step has mean -a E sign g: it then goes up the slope, although mhat and vhat are unbiased.
    """
    values = {1: likely, -4: 1 - likely}
    of_sign, of_g = (sum(p * f(g) for g, p in values.items()) for f in (sp.sign, sp.sympify))
    return bool(of_sign * of_g < 0)
