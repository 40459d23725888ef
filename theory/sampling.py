r"""Drawing components: why a minibatch is unbiased, what its noise is, what it costs.

    P(i in B) = b/n,    P(i, j in B) = b(b-1)/(n(n-1)),    E ||g_B - g||^2 = (n-b)/(b(n-1)) E_i ||g_i - g||^2

Hypotheses: B is a uniform subset of size b of n components (without replacement), or b independent uniform
draws; the point at which the gradients g_i are taken does not depend on B.  g = (1/n) sum_i g_i, g_B the mean
over the draw.

All of it follows from the inclusion probabilities, which are ratios of binomial coefficients:
C(n-1,b-1)/C(n,b) and C(n-2,b-2)/C(n,b).  Textbook facts (Cochran 1977 has the finite-population factor).
"""

import sympy as sp
from ratewitness.theory.bounds import b, n, vanishes
from ratewitness.theory.identity import identity

_i = sp.Symbol("i", integer=True, positive=True)
_g = sp.IndexedBase("g")
single_inclusion = sp.binomial(n - 1, b - 1) / sp.binomial(n, b)
pair_inclusion = sp.binomial(n - 2, b - 2) / sp.binomial(n, b)


def pair_weights(n, b, replacement=False):
    """(w1, w2) with E[g_B g_B^T] = w1 sum_i g_i g_i^T + w2 (sum_i g_i)(sum_i g_i)^T, for numbers or symbols.

    >>> pair_weights(sp.Integer(5), sp.Integer(5))
    (0, 1/25)
    """
    if replacement:
        return 1 / (b * n), (b - 1) / (b * n**2)
    if n == 1:  # a single component is drawn for certain
        return 0 * n, n / n
    pair = (b - 1) / (b * n * (n - 1))
    return 1 / (b * n) - pair, pair


def variance_factor(n, b, replacement=False):
    """The minibatch variance over the variance of one draw: 1/b, times (n-b)/(n-1) without replacement.

    >>> variance_factor(5, 5), variance_factor(10, 2, replacement=True)
    (0.0, 0.5)
    """
    if replacement:
        return 1 / b
    return (n - b) / (b * (n - 1)) if n != 1 else 0 * n


@identity(drawn=b / (n - 1))
def unbiased_without_replacement(drawn=single_inclusion) -> bool:
    """E g_B = (1/b) sum_i P(i in B) g_i equals g for symbolic n, b and components g_1, ..., g_n."""
    weight = sp.combsimp(drawn) / b - 1 / n
    return sp.Sum(sp.simplify(weight) * _g[_i], (_i, 1, n)).doit() == 0


@identity(probability=1 / (n + 1))
def unbiased_with_replacement(probability=1 / n) -> bool:
    """b independent draws, each with E g_I = sum_i P(I = i) g_i, average to g for symbolic n and b."""
    draw = sp.Symbol("j", integer=True, positive=True)
    weight = sp.Sum(probability, (draw, 1, b)).doit() / b - 1 / n
    return sp.Sum(sp.simplify(weight) * _g[_i], (_i, 1, n)).doit() == 0


@identity(factor=(n - b) / (b * n))
def finite_population_factor(factor=(n - b) / (b * (n - 1))) -> bool:
    """The variance of the minibatch mean, from the covariances of the inclusion indicators.

    With centred d_i, sum_i d_i = 0, so sum_{i != j} <d_i, d_j> = -sum_i ||d_i||^2 =: -n s.
    """
    pair = sp.combsimp(pair_inclusion)
    single = sp.combsimp(single_inclusion)
    variance = (single * n - pair * n) / b**2  # E ||sum_{i in B} d_i||^2 / b^2 in units of s
    return vanishes(variance - factor) and vanishes(variance_factor(n, b) - variance)


@identity(shift=1 / n**2)
def pair_weights_exact(shift=0) -> bool:
    """``pair_weights`` from the first and second inclusion probabilities, symbolic n and b."""
    pair = sp.combsimp(pair_inclusion) / b**2 + shift
    single = sp.combsimp(single_inclusion) / b**2
    return all(vanishes(w - e) for w, e in zip((single - pair, pair), pair_weights(n, b), strict=True))


@identity(drawn=b + 1)
def expected_components(full=n, drawn=b) -> bool:
    """A full gradient touches n components, a minibatch sum_i P(i in B) = b of them, one for SGD."""
    every = sp.Sum(1, (_i, 1, n)).doit()
    batch = sp.Sum(sp.combsimp(single_inclusion), (_i, 1, n)).doit()
    return vanishes(every - full) and vanishes(batch - drawn) and batch.subs(b, 1) == 1
