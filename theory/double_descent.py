r"""Double descent of minimum-norm least squares on Gaussian features, for every number of samples and of features.

    excess risk E||bhat - b||^2    sigma^2 d/(n-d-1)                            d <= n - 2
                                   infinite                                     d = n - 1, n, n + 1
                                   r^2 (1 - n/d) + sigma^2 n/(d-n-1)            d >= n + 2

Hypotheses: n samples y = <x, b> + noise, x standard normal in d dimensions, noise N(0, sigma^2) with sigma > 0, r = ||b||,
bhat the least-squares fit of least norm. The risk of a prediction is sigma^2 more.

Where b has further coordinates that the fit does not see, they are noise of variance v: the risk of a prediction from p
features then is v + sigma^2 plus the excess risk with v + sigma^2 in the place of sigma^2 (`selected`).

What enters, taken from elsewhere: a diagonal entry of (X'X)^{-1} is the inverse of a chi-square variable with n - d + 1
degrees of freedom (the squared distance of a column from the span of the others), a block of two that of a Wishart matrix,
and the row space of X is uniformly distributed and independent of XX'. Proved here from these:
 1. moments 1/(k-2) and 1/((k-2)(k-4)) of an inverse chi-square variable, the first infinite for k <= 2 (`inverse_moments`):
    hence the risk on both sides, and infinity at exactly three d;
 2. second moments of (X'X)^{-1} (`second_moments`), hence the standard deviation of ||bhat - b||^2 (`deviation`), |n-d| > 3;
 3. for d >= n + 3 one more sample raises the risk if and only if (d-n-1)(d-n-2) < d(d-1) sigma^2/r^2 (`one_more_sample`);
 4. in the limit d/n -> g > 1 the risk has one local minimum, r sigma (2 - sigma/r) at g = r/(r - sigma), if r > sigma, and
    falls throughout to r^2 otherwise (`beyond`);
 5. left of the threshold the next feature lowers the risk if and only if its b_j^2 is more than the variance left over,
    divided by n-p-1 (`next_feature`). If b_j^2 never grows with j, a feature that does not help is followed by none that
    does (`one_minimum`): there is one minimum at most, the classical U. With equal b_j^2 the sign never changes (`no_u`).

Sources: Belkin, Hsu and Xu (2020), arXiv:1903.07571, for `selected`; Hastie, Montanari, Rosset and Tibshirani (2022),
arXiv:1903.08560, for the limits; Nakkiran (2019), arXiv:1912.07242, for 3 as a phenomenon. Proofs and 5 here.
"""

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from ratewitness.theory.bounds import k, n, sigma, vanishes
from ratewitness.theory.identity import identity

d, p = sp.symbols("d p", integer=True, positive=True)
r, gamma = sp.symbols("r gamma", positive=True)
_m, _v, _next, _fall = sp.symbols("m v b_1 fall", nonnegative=True)

below = sigma**2 * d / (n - d - 1)  # excess risk, d <= n - 2
above = r**2 * (1 - n / d) + sigma**2 * n / (d - n - 1)  # d >= n + 2
limit_above = r**2 * (1 - 1 / gamma) + sigma**2 / (gamma - 1)
left = _v * (n - 1) / (n - p - 1)  # risk of a prediction from p features, v the variance left over


def excess_risk(n: ArrayLike, d: ArrayLike, signal: ArrayLike, noise: ArrayLike) -> np.ndarray:
    """E||bhat - b||^2 for signal r^2 and noise sigma^2 > 0, arrays that broadcast; inf where |n - d| <= 1.

    >>> excess_risk(40, [20, 39, 40, 41, 80], 1.0, 0.25).round(4).tolist()
    [0.2632, inf, inf, inf, 0.7564]
    """
    n, d, signal, noise = _numbers(n, d, signal, noise)
    with np.errstate(divide="ignore"):
        far = signal * (1 - n / d) + noise * n / (d - n - 1)
        return np.where(abs(n - d) <= 1, np.inf, np.where(d < n, noise * d / (n - d - 1), far))


def selected(n: ArrayLike, p: ArrayLike, inside: ArrayLike, outside: ArrayLike, noise: ArrayLike) -> np.ndarray:
    """The risk of a prediction from p features that hold `inside` of the signal ||b||^2, the others `outside`.

    >>> selected(20, [5, 60], [5 / 60, 1.0], [55 / 60, 0.0], 0.25).round(4).tolist()
    [1.5833, 1.0449]
    """
    unseen = np.asarray(outside, dtype=float) + noise
    return unseen + excess_risk(n, p, inside, unseen)


def deviation(n: ArrayLike, d: ArrayLike, signal: ArrayLike, noise: ArrayLike) -> np.ndarray:
    """Standard deviation of ||bhat - b||^2; inf where |n - d| <= 3.

    Given X, the noise part is a quadratic form e'Me with tr M = tr W^{-1} and tr M^2 = tr W^{-2}, W the smaller of X'X and
    XX'; the part b'(I - P)b, independent of it, is r^2 times a beta variable with parameters (d-n)/2 and n/2.

    >>> deviation(40, [20, 42, 80], 1.0, 0.25).round(4).tolist()
    [0.126, inf, 0.1145]
    """
    n, d, signal, noise = _numbers(n, d, signal, noise)
    few, many = np.minimum(n, d), np.maximum(n, d)
    gap = many - few
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = few / (gap * (gap - 1) * (gap - 3))
        second = noise**2 * (2 * (many - 1) + few * (gap - 2) + 2) * scale  # 2 E tr W^-2 + E (tr W^-1)^2
        spread = second - (noise * few / (gap - 1)) ** 2
        bias = np.where(d > n, signal**2 * 2 * n * (d - n) / (d**2 * (d + 2)), 0.0)
        return np.where(gap <= 3, np.inf, np.sqrt(spread + bias))


def squared_norm(n: ArrayLike, d: ArrayLike, signal: ArrayLike, noise: ArrayLike) -> np.ndarray:
    """E||bhat||^2: r^2 and the excess risk for d < n, r^2 n/d and the variance for d > n; inf where |n - d| <= 1."""
    n, d, signal, noise = _numbers(n, d, signal, noise)
    return signal * np.minimum(1.0, n / d) + excess_risk(n, d, 0.0, noise)


def training_risk(n: ArrayLike, d: ArrayLike, noise: ArrayLike) -> np.ndarray:
    """E of the mean squared residual, sigma^2 (1 - d/n): zero from d = n on.

    >>> training_risk(40, [10, 40, 80], 1.0).tolist()
    [0.75, 0.0, 0.0]
    """
    return noise * np.maximum(0.0, 1 - np.asarray(d) / n)


def best_number_of_samples(d: int, signal: float, noise: float) -> int:
    """The n <= d - 2 of least excess risk: the first at which one more sample hurts.

    >>> best_number_of_samples(1000, 1.0, 0.01)
    899
    """
    if d < 3:
        raise ValueError(f"d is {d}; accepted are integers >= 3")
    few = np.arange(1, d - 1)
    return int(few[excess_risk(few, d, signal, noise).argmin()])


def _numbers(*values: ArrayLike) -> list[np.ndarray]:
    found = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values))
    n, d, signal, noise = found
    for name, value, allowed, accepted in (
        ("n", n, n >= 1, "numbers >= 1"),
        ("d", d, d >= 1, "numbers >= 1"),
        ("signal", signal, signal >= 0, "numbers >= 0"),
        ("noise", noise, noise > 0, "numbers > 0"),
    ):
        wrong = ~(allowed & np.isfinite(value))
        if wrong.any():
            raise ValueError(f"{name} is {value[wrong][0]:g}; accepted are finite {accepted}")
    return found


def _inverse_moment(power: int) -> sp.Expr:
    """E Q^{-power} for Q chi-square with k degrees of freedom, by Euler's integral of its density."""
    return sp.gammasimp(sp.gamma(k / 2 - power) / (2**power * sp.gamma(k / 2)))


@identity(wrong={"1/k": {"shift": 0}, "1/(k - 1)": {"shift": 1}, "infinite for k <= 1 only": {"last": 1}})
def inverse_moments(shift=2, last=2) -> bool:
    """E 1/Q = 1/(k-2), E 1/Q^2 = 1/((k-2)(k-4)); E 1/Q is infinite for k = 1, 2 and finite from k = 3 on.

    The density is q^{k/2-1} e^{-q/2} over a constant: 1/Q is integrable at 0 if and only if k/2 - 2 > -1. For d <= n that is
    k = n - d + 1 > 2, and for d > n, with XX' in the place of X'X, k = d - n + 1 > 2.
    """
    q = sp.Symbol("q", positive=True)
    first, second = _inverse_moment(1), _inverse_moment(2)
    exact = vanishes(first - 1 / (k - shift)) and vanishes(second - 1 / ((k - 2) * (k - 4)))
    at_zero = [sp.integrate(q ** (sp.Rational(j, 2) - 2), (q, 0, 1)) for j in (1, 2, 3)]
    infinite = [not each.is_finite for each in at_zero]
    return exact and infinite == [j <= last for j in (1, 2, 3)]


@identity(wrong={"sigma^2 d/(n-d)": {"shift": 0}, "no bias": {"kept": 1}})
def risk(shift=1, kept=n / d) -> bool:
    """`below` and `above`: sigma^2 times d, or n, entries of E W^{-1}, and the share 1 - n/d of r^2 that a uniformly
    distributed subspace of dimension n misses."""
    entry = _inverse_moment(1)
    classical = sigma**2 * d * entry.subs(k, n - d + 1)
    modern = r**2 * (1 - kept) + sigma**2 * n * entry.subs(k, d - n + 1)
    return vanishes(classical - sigma**2 * d / (n - d - shift)) and vanishes(modern - above)


@identity(wrong={"degrees of freedom not lowered": {"lower": 0}, "n in place of n - 1": {"shift": 0}})
def second_moments(lower=1, shift=1) -> bool:
    """E tr W^{-2} = d (n-1) c and E (tr W^{-1})^2 = d (d (n-d-2) + 2) c, c = 1/((n-d)(n-d-1)(n-d-3)).

    A block of two of W^{-1} is the inverse of L L', L = [[s, 0], [z, t]] with s^2, t^2 chi-square of m = n - d + 2 and m - 1
    degrees of freedom and z standard normal (Bartlett): entries (z^2 + t^2, -s z, s^2)/(s t)^2.
    """
    m = n - d + 2
    s1 = _inverse_moment(1).subs(k, m)
    t1, t2 = (_inverse_moment(j).subs(k, m - lower) for j in (1, 2))
    off_diagonal = s1 * t2  # E (s z)^2/(s t)^4
    product = s1 * (t2 + t1)  # E (z^2 + t^2) s^2/(s t)^4
    square = _inverse_moment(2).subs(k, n - d + 1)
    c = 1 / ((n - d) * (n - d - 1) * (n - d - 3))
    of_square = d * square + d * (d - 1) * off_diagonal
    of_trace = d * square + d * (d - 1) * product
    return vanishes(of_square - d * (n - shift) * c) and vanishes(of_trace - d * (d * (n - d - 2) + 2) * c)


@identity(wrong={"d^2 in place of d (d-1)": {"square": d**2}, "(d-n)(d-n-1)": {"ahead": 0}})
def one_more_sample(square=d * (d - 1), ahead=1) -> bool:
    """R(n+1) - R(n) is sigma^2 d (d-1) - r^2 (d-n-1)(d-n-2) over d (d-n-1)(d-n-2) > 0, d >= n + 3."""
    change = above.subs(n, n + 1) - above
    product = (d - n - ahead) * (d - n - ahead - 1)
    return vanishes(change - (sigma**2 * square - r**2 * product) / (d * product))


@identity(wrong={"minimum at SNR/(SNR - 1)": {"power": 2}, "risk r sigma": {"part": 0}})
def beyond(power=1, part=1) -> bool:
    """The derivative of the limit is r^2/g^2 - sigma^2/(g-1)^2, zero for g > 1 only where g - 1 = g sigma/r."""
    at = r**power / (r**power - sigma**power)
    rates = vanishes(sp.diff(limit_above, gamma) - r**2 / gamma**2 + sigma**2 / (gamma - 1) ** 2)
    root = vanishes((gamma - 1 - gamma * sigma / r).subs(gamma, at))
    value = vanishes(limit_above.subs(gamma, r / (r - sigma)) - r * sigma * (2 - part * sigma / r))
    return rates and root and value and sp.limit(limit_above, gamma, sp.oo) == r**2


@identity(wrong={"divided by n - p": {"shift": 0}, "divided by n - p - 2": {"shift": 2}})
def next_feature(shift=1) -> bool:
    """R(p) - R(p+1) is b^2 - v/(n-p-1), times (n-1)/(n-p-2) > 0: b^2 of the next feature, p <= n - 3."""
    change = left - left.subs({_v: _v - _next, p: p + 1}, simultaneous=True)
    return vanishes(change - (_next - _v / (n - p - shift)) * (n - 1) / (n - p - 2))


@identity(wrong={"coefficients that grow": {"fall": -1}, "a feature that helped": {"helps": 1}})
def one_minimum(fall=1, helps=-1) -> bool:
    """If v >= b_1^2 (m+1), m = n-p-2, then v - b_1^2 >= b_2^2 m whenever b_2^2 <= b_1^2: with v = b_1^2 (m+1) + s and b_2^2
    = b_1^2 - f, s and f >= 0, the difference s + f m is a sum of products of numbers >= 0."""
    spare = sp.Symbol("s", nonnegative=True)
    v, after = _next * (_m + 1) - helps * spare, _next - fall * _fall
    terms = sp.Add.make_args(sp.expand(v - _next - after * _m))
    return all(term.is_nonnegative is True for term in terms)


@identity(wrong={"only the next alike": {"rest": 2}})
def no_u(rest=1) -> bool:
    """With equal b_j^2 = c the sign of (n-p-1) c - v, v = v_0 - p c, is that of (n-1) c - v_0, whatever p."""
    c, start = sp.symbols("c v_0", positive=True)
    return vanishes((n - p - 1) * c - (start - rest * p * c) - ((n - 1) * c - start))
