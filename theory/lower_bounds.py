r"""What no method can beat: the information in N noisy gradients.

    PL:         Bayes risk (mu/2) / (1/R^2 + N mu^2/sigma^2),  attained by recursive least squares, which is SGD
    convex:     sup over lam of the same for curvature lam  =  sigma R/(4 sqrt N),  so N >= sigma^2 R^2/(16 eps^2)
    nonconvex:  zero chain of length T ~ L Delta/eps, each link found with probability p ~ eps/sigma^2:  N >~ T/p

Hypotheses of the first two: f = lam (x - x*)^2/2 with prior x* ~ N(x_0, R^2) (so R is a root mean square
distance) and Gaussian noise of variance sigma^2; any method, any queries, as a query y = lam (x - x*) + noise
tells the same about x* wherever it is made.  On the finite sum with noise +-sigma the statement fails for
methods that see the index.

Hypotheses of the third: eps bounds E ||grad f||^2, zero-respecting methods (published for all randomized
ones, through a random rotation); dimension T.  The chain F_T has F_T(0) - inf F_T <= 12 T, gradient
152-Lipschitz, entries at most 23, and ||grad F_T|| > 1 until the last link is found; these published
constants make it about 3e-8 L Delta sigma^2/eps^2.

Sources: Carmon, Duchi, Hinder and Sidford (2020), arXiv:1710.11606; Arjevani, Carmon, Duchi, Foster, Srebro
and Woodworth (2023), arXiv:1912.02365; the two-point method is Le Cam's; the rest is derived here.
"""

import sympy as sp
from mpmath import iv
from ratewitness.theory.bounds import Bound, Delta, L, N, R, T, eps, k, lam, mu, sigma, vanishes
from ratewitness.theory.identity import identity

CHAIN_GAP, CHAIN_LIPSCHITZ, CHAIN_ENTRY = 12, 152, 23  # published constants of the chain F_T

_PRIOR = "prior x* ~ N(x_0, R^2), Gaussian noise of variance sigma^2"
delta = sp.Symbol("delta", positive=True)  # slope of the two-point instance delta |x - v R|, v = +-1
scale = sp.Symbol("scale", positive=True)  # the chain is f(x) = (L scale^2/152) F_T(x/scale)


def bayes_risk(curvature):
    """E f - f* of the best estimate from N gradients of curvature (x - x*)^2/2: half the curvature over the
    precision.

    >>> sp.limit(bayes_risk(mu), R, sp.oo)
    sigma**2/(2*N*mu)
    """
    return curvature / 2 / (1 / R**2 + N * curvature**2 / sigma**2)


pl_any_method = Bound(
    "pl_any_method",
    "E f(x_N) - f*",
    bayes_risk(mu),
    "lower",
    f"f = mu (x - x*)^2/2, {_PRIOR}",
    "any method, N stochastic gradients",
    "derived here",
    "SGD, a_k = mu/(sigma^2/R^2 + (k+1) mu^2)",
)
convex_any_method = Bound(
    "convex_any_method",
    "E f(x_N) - f*",
    sigma * R / (4 * sp.sqrt(N)),
    "lower",
    f"f = lam (x - x*)^2/2, lam = sigma/(R sqrt N), {_PRIOR}",
    "any method, N stochastic gradients",
    "derived here",
    "SGD, a_k = lam/(sigma^2/R^2 + (k+1) lam^2)",
)
count_convex_any_method = Bound(
    "count_convex_any_method",
    "N(eps)",
    sigma**2 * R**2 / (16 * eps**2),
    "lower",
    "as convex_any_method, N a whole number at least this large",
    "any method",
    "convex_any_method solved for N",
)
chain_length = sp.floor(L * Delta / (CHAIN_GAP * CHAIN_LIPSCHITZ * eps))
noisy_chain_length = sp.floor(L * Delta / (4 * CHAIN_GAP * CHAIN_LIPSCHITZ * eps))
noisy_chain_probability = sp.Min(1, 4 * CHAIN_ENTRY**2 * eps / sigma**2)
nonconvex_chain = Bound(
    "nonconvex_chain",
    "N(eps): ||grad f(x_k)||^2 > eps for k < N",
    chain_length,
    "lower",
    "f is L-smooth, f(x_0) - inf f <= Delta",
    "any zero-respecting first-order method",
    "Carmon, Duchi, Hinder and Sidford (2020), arXiv:1710.11606",
    domain=chain_length >= 1,
)
nonconvex_noisy_chain = Bound(
    "nonconvex_noisy_chain",
    "N(eps): E||grad f(x_k)||^2 > eps for k < N",
    noisy_chain_length / (2 * noisy_chain_probability),
    "lower",
    "f is L-smooth, f(x_0) - inf f <= Delta, unbiased noise of variance at most sigma^2",
    "any zero-respecting stochastic first-order method",
    "Arjevani et al. (2023), arXiv:1912.02365; constant from zero_chain_progress",
    domain=noisy_chain_length >= 1,
)


@identity(offset=2)
def least_squares_attains(offset=1) -> bool:
    """Induction: the error of SGD with a_k = mu/(sigma^2/R^2 + (k+1) mu^2) is the posterior variance, at every k."""

    def posterior(queries):
        return 1 / (1 / R**2 + queries * mu**2 / sigma**2)

    step = mu / (sigma**2 / R**2 + (k + offset) * mu**2)
    after = (1 - step * mu) ** 2 * posterior(k) + step**2 * sigma**2
    induction = vanishes(after - posterior(k + 1))
    return induction and posterior(0) == R**2 and vanishes(mu / 2 * posterior(N) - bayes_risk(mu))


@identity(constant=3)
def convex_supremum(constant=4) -> bool:
    """The Bayes risk increases in lam up to sigma/(R sqrt N) and decreases after, with maximum sigma R/(4 sqrt N)."""
    risk = bayes_risk(lam)
    worst = sigma / (R * sp.sqrt(N))
    prior, data = 1 / R**2, N * lam**2 / sigma**2
    slope = sp.diff(risk, lam) - (prior - data) / (2 * (prior + data) ** 2)
    return vanishes(slope) and vanishes(risk.subs(lam, worst) - sigma * R / (constant * sp.sqrt(N)))


@identity(constant=3)
def two_point(constant=4) -> bool:
    """Le Cam: slopes differ by 2 delta, Pinsker bounds TV by sqrt N delta/sigma, delta R (1 - TV) peaks alike.

    max_v E gap >= (1/2) int min(p_+, p_-) (gap_+ + gap_-) and the two gaps add up to at least 2 delta R.
    """
    divergence = N * (2 * delta) ** 2 / (2 * sigma**2)
    risk = delta * R * (1 - sp.sqrt(divergence / 2))
    (best,) = sp.solve(sp.diff(risk, delta), delta)
    peak = vanishes(risk.subs(delta, best) - sigma * R / (constant * sp.sqrt(N)))
    return peak and sp.diff(risk, delta, 2).is_negative and vanishes(best - sigma / (2 * sp.sqrt(N)))


@identity(lipschitz=150)
def zero_chain_scaling(lipschitz=CHAIN_LIPSCHITZ) -> bool:
    """f = (L s^2/152) F_T(x/s) is L-smooth; s sets the gradient norm, T spends Delta, p spends sigma.

    The norm is sqrt eps, or 2 sqrt eps when noisy.
    """
    height = L * scale**2 / lipschitz
    length = L * Delta / (CHAIN_GAP * CHAIN_LIPSCHITZ * eps)
    for norm, links in ((sp.sqrt(eps), length), (2 * sp.sqrt(eps), length / 4)):
        (size,) = sp.solve(height / scale - norm, scale)
        spent = height.subs(scale, size) * CHAIN_GAP * links - Delta
        if not (vanishes(spent) and vanishes(height / scale**2 * CHAIN_LIPSCHITZ - L)):
            return False
    # a Bernoulli mask has variance entry^2 (1-p)/p, at most entry^2/p, and only one entry is masked at a time
    masked = (2 * sp.sqrt(eps) * CHAIN_ENTRY) ** 2 / noisy_chain_probability.args[1]
    return vanishes(masked - sigma**2)


@identity(queries=T)
def zero_chain_progress(queries=T / 2) -> bool:
    """T/(2p) queries find all T links with probability at most 1/2 (Markov), so E||grad f||^2 > 2 eps.

    With probability 1 - 1/2 the gradient norm exceeds 2 sqrt eps, and (1 - 1/2) 4 eps = 2 eps > eps.
    """
    p = sp.Symbol("p", positive=True)
    found = (queries / p) * p / T
    return bool((1 - found) * 4 * eps - 2 * eps == 0)


@identity(wrong={"gap 11 T": {"gap": 11}, "Lipschitz 151": {"lipschitz": 151}, "entries 22": {"entry": 22}})
def zero_chain_constants(gap=CHAIN_GAP, lipschitz=CHAIN_LIPSCHITZ, entry=CHAIN_ENTRY) -> bool:
    """The published constants of F_T hold: where its two functions are largest by sympy, how large by interval arithmetic.

    With v = 1/(2x - 1)^2: Psi = e^{1-v}, Psi' = 4 v^{3/2} e^{1-v}, Psi'' = 8 v^2 (2v - 3) e^{1-v}; Phi' = sqrt e
    e^{-x^2/2}, 0 < Phi < sqrt(2 pi e), |Phi''| <= 1. As Psi(x) Psi(-x) = 0, an entry of the gradient is at most e sqrt e +
    max Psi' Phi(oo), a row of the (tridiagonal) Hessian e + max |Psi''| Phi(oo) + 2 max Psi' sqrt e in absolute sum, and
    F_T(0) - inf F_T at most Phi(oo)/2 + e Phi(oo) (T - 1). Psi(1) = Phi'(1) = 1, and both are monotone there: the gradient
    exceeds 1 where |x_{i-1}| >= 1 > |x_i|. Psi and Psi' vanish up to 1/2: where x_{i-1} = x_i = 0 the i-th entry is 0.
    """
    v, x = sp.symbols("v x", positive=True)
    psi, bend = sp.exp(1 - 1 / (2 * x - 1) ** 2), sp.sqrt(sp.E) * sp.exp(-(x**2) / 2)  # Psi and Phi'
    slopes = 4 * v ** sp.Rational(3, 2) * sp.exp(1 - v), 8 * v**2 * (2 * v - 3) * sp.exp(1 - v)
    derived = all(vanishes((f - sp.diff(psi, x, n)).subs(x, (1 + 1 / sp.sqrt(v)) / 2)) for n, f in enumerate(slopes, 1))
    tops = [{*sp.solve(sp.expand(sp.diff(f, v) * sp.exp(v - 1)), v)} for f in slopes]
    root = sp.sqrt(33)
    derived &= tops == [{sp.Rational(3, 2)}, {(9 - root) / 4, (9 + root) / 4}]
    derived &= sp.solve(sp.diff(bend, x, 2), x) == [1] and vanishes(sp.diff(bend, x).subs(x, 1) + 1)  # |Phi''| <= 1
    derived &= vanishes(bend.subs(x, 1) - 1) and psi.subs(x, 1) == 1
    e, ceiling = iv.exp(1), iv.sqrt(2 * iv.pi * iv.exp(1))
    steep, curved = (sp.lambdify(v, f, [{"exp": iv.exp, "sqrt": iv.sqrt}]) for f in (slopes[0].subs(v, v**2), slopes[1]))
    steepest = steep(iv.sqrt(iv.mpf("1.5")))
    sharpest = max(abs(curved((9 + sign * iv.sqrt(33)) / 4)).b for sign in (-1, 1))
    sizes = {
        gap: e * ceiling,
        lipschitz: e + sharpest * ceiling + 2 * steepest * iv.sqrt(e),
        entry: e * iv.sqrt(e) + steepest * ceiling,
    }
    return bool(derived) and all(size.b < most for most, size in sizes.items())
