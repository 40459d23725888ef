r"""Steepest descent in any norm, and the methods that are norms.

    argmin_d <g, d> + ||d||^2/(2a) = a ||g||_* lmo(g),   with value -(a/2) ||g||_*^2      (regularized step)
    argmin_{||d|| = t} <g, d>      = t lmo(g),           with value -t ||g||_*            (normalized step)

    l_2        gradient descent; normalized gradient descent
    l_inf      sign descent; Adam with beta1 = beta2 = 0 and eps = 0
    l_1        greedy coordinate descent (Gauss and Southwell)
    spectral   Muon with the exact polar factor; Shampoo without accumulation: (G G^T)^{-1/4} G (G^T G)^{-1/4} = U V^T

Hypotheses: a, t > 0, ||.||_* the dual norm, so <g, d> >= -||g||_* ||d|| with equality at lmo(g) (hoelder.py, schatten.py,
induced.py).  The steps are unique iff the LMO is: equality below forces ||d|| = a ||g||_* and then d/||d|| to be an LMO.
Methods: no momentum, no weight decay; G of full column rank and m >= n (or transposed).  Dropping accumulation drops the
factor ||g||_*: sign descent and Muon take normalized steps.  The steps of l_2, of the spectral norm and the algebra for any
norm are proved for every size; what is checked on the closed forms of particular norms, for the sizes that it names.

Source: Bernstein and Newhouse (2024), arXiv:2409.20325; Gupta, Koren and Singer (2018), arXiv:1802.09568, for Shampoo;
Kingma and Ba (2015), arXiv:1412.6980, for Adam; derived here.
"""

import sympy as sp
from ratewitness.theory import induced
from ratewitness.theory.bounds import a, vanishes
from ratewitness.theory.identity import identity
from ratewitness.theory.norms import L1, L2, LINF, Norm, P, chamber, dot, ky_fan, lp
from ratewitness.theory.words import S, U, Ut, V, Vt, X, Y, reduced, transposed

_t = sp.Symbol("t", nonnegative=True)  # ||d||
_D = sp.Symbol("D", positive=True)  # ||g||_*
_g, _d = X, Y  # vectors of any length


@identity(wrong={"half the step": {"scale": sp.S.Half}})
def regularized_step(scale=1) -> bool:
    """In any norm: <g, d> + t^2/(2a) >= -D t + t^2/(2a) = (t - a D)^2/(2a) - a D^2/2, t = ||d||, least at t = a D only."""
    model = -_D * _t + _t**2 / (2 * a)
    square = sp.expand(model - (_t - scale * a * _D) ** 2 / (2 * a) + a * _D**2 / 2)
    return square == 0 and sp.solve(sp.diff(model, _t), _t) == [a * _D]


@identity(wrong={"argmax": {"sign": -1}})
def normalized_step(sign=1) -> bool:
    """On the sphere ||d|| = t, <g, d> >= -D t, by the definition of D, attained by t lmo(g): checked for l_1, l_2 and
    l_inf, n = 3; and regularized and normalized steps agree where t = a D."""
    g, t = chamber(3), sp.Symbol("t", positive=True)

    def attained(norm: Norm) -> bool:
        d = [sign * t * entry for entry in norm.lmo(g)]
        return vanishes(norm.value(d) - t) and vanishes(dot(g, d) + t * norm.dual(g))

    return all(map(attained, (L1, L2, LINF))) and vanishes((_D * -_t + _t**2 / (2 * a)).subs(_t, a * _D) + a * _D**2 / 2)


@identity(wrong={"value -a ||g||_*^2": {"divisor": 1}})
def regularized_value(divisor=2) -> bool:
    """Every closed form takes the value -(a/2)||g||_*^2 at its step a ||g||_* lmo(g): vectors of three entries, and 2 x 3
    matrices in the norms of induced.py (the singular values of a matrix are such a vector)."""

    def reached(norm: Norm, g, flat) -> bool:
        d = norm.lmo(g)
        value = a * norm.dual(g) * dot(flat(g), flat(d)) + (a * norm.dual(g) * norm.value(d)) ** 2 / (2 * a)
        return vanishes(sp.powsimp(value + a * norm.dual(g) ** 2 / divisor))

    x, y, z = sp.symbols("x y z", positive=True)
    vectors = all(reached(norm, chamber(3), list) for norm in (L1, L2, LINF)) and reached(lp(P), (x, y, z), list)
    spread = reached(ky_fan(2), [x + 2 * y, x + y, x + y], list) and reached(ky_fan(2), [x + y + z, x, y], list)
    blocks = (induced.COLUMN, induced.ROW, induced.MAX_ABS, induced.L1_TO_RMS, induced.RMS_TO_LINF, induced.SIGN)
    return vectors and spread and all(reached(norm, induced.positive_matrix(2, 3), list) for norm in blocks)


def _square(d: sp.Expr) -> sp.Expr:
    """||d||_2^2 = d^T d of a sum of vectors."""
    return sp.expand(transposed(d) * d)


@identity(wrong={"twice the step": {"factor": 2}})
def gradient_descent(factor=1) -> bool:
    """l_2: <g, d> + ||d||^2/(2a) = ||d + a g||^2/(2a) - (a/2)||g||^2, so x - a g is the one minimizer; for every n."""
    linear = (transposed(_g) * _d + transposed(_d) * _g) / 2
    return sp.expand(linear + _square(_d) / (2 * a) - _square(_d + factor * a * _g) / (2 * a) + a * _square(_g) / 2) == 0


@identity(wrong={"argmax": {"sign": -1}})
def gradient_descent_on_the_sphere(sign=1) -> bool:
    """l_2: <g, d> + t ||g|| = ||g|| ||d + t g/||g|| ||^2/(2t) on ||d|| = t, so -t g/||g|| is the one minimizer; every n."""
    length, t = sp.symbols("G t", positive=True)
    linear = (transposed(_g) * _d + transposed(_d) * _g) / 2
    left = linear + t * length - length * _square(_d + sign * t * _g / length) / (2 * t)
    return sp.expand(sp.expand(left).subs({_square(_d): t**2, _square(_g): length**2})) == 0


@identity(wrong={"eps = 1": {"eps": 1}, "v without a root": {"power": 1}})
def adam_is_sign_descent(eps=0, power=sp.S.Half) -> bool:
    """Adam's first step, and with beta1 = beta2 = 0 every step, is m/((sqrt v) + eps) with m = g, v = g^2: sign(g), the
    step t lmo(g) of l_inf with t = lr, bias corrections included; eps = 0, g without zeros. The first: m = v = 0, k = 1."""
    beta1, beta2, m, v = sp.symbols("beta1 beta2 m v", real=True)
    g, k = sp.Symbol("g", real=True, nonzero=True), sp.Symbol("k", positive=True, integer=True)
    first = (beta1 * m + (1 - beta1) * g) / (1 - beta1**k)
    second = (beta2 * v + (1 - beta2) * g**2) / (1 - beta2**k)
    step = -first / (second**power + eps)
    memoryless = sp.simplify(step.subs({beta1: 0, beta2: 0}))
    at_start = sp.simplify(step.subs({m: 0, v: 0, k: 1}))
    signs = vanishes(memoryless + sp.sign(g)) and vanishes(at_start + sp.sign(g))
    return signs and _is_step(LINF, lambda g: [-sp.sign(e) for e in g])


@identity(wrong={"divided by ||g||^2": {"power": 2}})
def normalized_gradient_descent(power=1) -> bool:
    """-g/||g||_2 is the LMO of l_2."""
    return _is_step(L2, lambda g: [-e / sp.sqrt(dot(g, g)) ** power for e in g])


@identity(wrong={"the second coordinate": {"chosen": 1}})
def greedy_coordinate_descent(chosen=0) -> bool:
    """Moving only the coordinate with the largest |g_i|, by -sign(g_i), is the LMO of l_1; by -a g_i its regularized
    step a ||g||_inf lmo(g)."""

    def coordinate(g, move):
        return [-move(e) if i == chosen else 0 for i, e in enumerate(g)]

    g = chamber(3)
    regularized = [a * L1.dual(g) * e for e in L1.lmo(g)]
    moved = all(vanishes(x - y) for x, y in zip(coordinate(g, lambda e: a * e), regularized, strict=True))
    return moved and _is_step(L1, lambda g: coordinate(g, sp.sign))


def _is_step(norm: Norm, direction) -> bool:
    g = chamber(3)
    return all(vanishes(x - y) for x, y in zip(direction(g), norm.lmo(g), strict=True))


def _power(factor, transposed, exponent):
    """U f(S) U^T with f(s) = s^exponent: the power exponent/2 of G G^T (or, with V, of G^T G) on its range."""
    return factor * S**exponent * transposed


@identity(wrong={"power -1/2": {"root": 2}, "transposed factor V U^T": {"transposed": True}})
def shampoo_is_spectral(root=4, transposed=False) -> bool:
    """L = U S^{-1/2} U^T is (G G^T)^{-1/4}, symmetric and positive with L^4 G G^T = U U^T, the projector onto the range of G
    (I if G is square and regular); so is R = V S^{-1/2} V^T; and L G R = U V^T, minus the LMO of the spectral norm.  For
    matrices of every size, as products of symbols that do not commute."""
    G, Gt, exponent = U * S * Vt, V * S * Ut, sp.Rational(-2, root)
    L, R = _power(U, Ut, exponent), _power(V, Vt, exponent)
    left, right = sp.Mul(*[L] * root) * G * Gt, sp.Mul(*[R] * root) * Gt * G
    roots = reduced(left - U * Ut) == 0 and reduced(right - V * Vt) == 0
    return roots and reduced(L * G * R - (V * Ut if transposed else U * Vt)) == 0


@identity(wrong={"power -1/2": {"root": 2}})
def shampoo_with_epsilon(root=4) -> bool:
    """(G G^T + eps I)^{-1/4} = U (S^2 + eps)^{-1/4} U^T + eps^{-1/4} (I - U U^T) for every shape; the second part kills G,
    and L G R = U diag(s (s^2 + eps)^{-1/2}) V^T -> U V^T as eps -> 0, s > 0."""
    c, sigma, eps = sp.symbols("c sigma eps", positive=True)
    M, G = sp.Symbol("M", commutative=False), U * S * Vt  # M = (S^2 + eps)^{-1/4}, c = eps^{-1/4}
    L, R = U * M * Ut + c * (1 - U * Ut), V * M * Vt + c * (1 - V * Vt)
    entry = sigma * (sigma**2 + eps) ** sp.Rational(-2, root)
    return reduced(L * G * R - U * M * S * M * Vt) == 0 and vanishes(entry.subs(eps, 0) - 1)  # continuous at eps = 0


@identity(wrong={"power -1/4": {"root": 4}, "power -1": {"root": 1}})
def muon_is_spectral(root=2) -> bool:
    """The polar factor G (G^T G)^{-1/2} is U V^T for every size: R = V S^{-1} V^T is (G^T G)^{-1/2}, as R^2 G^T G = V V^T,
    and G R = U V^T; so exact Muon steps along the LMO of the spectral norm."""
    G, Gt, R = U * S * Vt, V * S * Ut, _power(V, Vt, sp.Rational(-2, root))
    return reduced(sp.Mul(*[R] * root) * Gt * G - V * Vt) == 0 and reduced(G * R - U * Vt) == 0
