r"""Weight decay, coupled and decoupled: where they are the same iterates, and what each of them minimizes.

    coupled       x - a M (g + l x)              an l2 penalty (l/2)||x||^2 in the objective
    decoupled     (1 - lam) x - a M g            lam = a w in torch's form, lam itself in the paper's

Hypotheses: M is the preconditioner of the step, symmetric and positive definite; g the gradient at x; a > 0, 0 < lam < 1.

Proved here:
 1. M = I (SGD): the same iterates for l = lam/a (`sgd`), as long as the two are kept at that ratio in every step. Momentum
    that remembers displacements remembers the decay as well, and changes nothing (`displacement_momentum`); momentum that
    averages gradients makes them differ from the second step on, whatever l, if x_0 != 0, and moves the minimizer
    (`gradient_momentum`).
 2. M not a multiple of I: no l gives the same step for every x (`no_coefficient`). Nor for Adam, whose preconditioner
    depends on the penalty: where g x > 0 its first step with a penalty, -a sign(g + l x), is that without (`adam`).
 3. M = diag(s)^{-1}, fixed: the decoupled step is the plain one for f + (l/2)||x sqrt s||^2 with l = lam/a
    (`scale_adjusted`); the coefficient is l/2, not l/(2 a).
 4. Minimizers, for f = (h/2)(x - c)^2: h c/(h + l) of the coupled step, whatever M; h c/(h + l s) of the decoupled one with
    M = 1/s (`minimizers`).
 5. Sign descent with decoupled decay, and Adam where gradients change so little that its steps are signs: its stationary
    points, sign(0) being any number in [-1, 1], are the KKT points of min f over ||x||_inf <= a/lam (`box`), 1/w in torch's
    form. With sign(0) = 0, as in code, a KKT point where g = 0 is not kept unless it is 0. From inside and for lam <= 1 that
    box is never left (`stays_in_the_box`).
 6. A step of length at most a in any norm, with decay w in torch's form, never leaves the ball of radius 1/w of that norm,
    whatever the gradients, and draws near to it from outside (`ball_is_invariant`): Lion in l_inf, Muon in the spectral
    norm.
 7. Adam with gradients m + xi, E xi = 0, E xi^2 = sigma^2, and averages at their means: a penalty changes the step by
    -a l x sigma^2/(m^2 + sigma^2)^{3/2} to first order in l (`shrinkage`). It is -a l x/sqrt(v) only for m = 0: the penalty
    is in v as well, and where gradients are without noise it changes nothing.
 8. The paper's form is torch's if and only if lam = a w, for every schedule (`paper_and_torch`).

Source: Loshchilov and Hutter (2019), arXiv:1711.05101, for 1 to 3; Xie and Li (2024), arXiv:2404.04454, for 5; Chen et al.
(2024), arXiv:2310.05898, and (2025), arXiv:2506.15054, for 6; proofs here.
"""

import sympy as sp
from ratewitness.theory.bounds import a, c, h, lam, sigma, vanishes
from ratewitness.theory.identity import identity

l, w, s, beta, share = sp.symbols("l w s beta share", positive=True)
_x, _g, _next_g, _back, _m = sp.symbols("x g g_next x_back m", real=True)
_M1, _M2 = sp.symbols("M1 M2", positive=True)
_SHARE_OF_NOISE = sigma**2 / (_m**2 + sigma**2) ** sp.Rational(3, 2)


def minimizer(h, c, l, s=1):
    """Of (h/2)(x - c)^2 + (l s/2) x^2: the coupled one for s = 1, the decoupled one for l = lam/a and M = 1/s."""
    return h * c / (h + l * s)


def normalized_mean(mean, deviation):
    """Adam's step over -a for gradients of this mean and standard deviation, with both averages at their means."""
    return mean / (mean**2 + deviation**2) ** 0.5


@identity(factor=1)
def slope_of_the_penalty(factor=2) -> bool:
    """The i-th entry of the gradient of lam ||x||^2 is 2 lam x_i: with r the sum of the other squares, r free of x_i."""
    r = sp.Symbol("r", nonnegative=True)
    return vanishes(sp.diff(lam * (_x**2 + r), _x) - factor * lam * _x)


@identity(coefficient=lam)
def sgd(coefficient=lam / a) -> bool:
    """(1 - lam) x - a g = x - a (g + l x) for l = lam/a.

    >>> sgd(), sgd(coefficient=lam)
    (True, False)
    """
    return vanishes((1 - lam) * _x - a * _g - (_x - a * (_g + coefficient * _x)))


@identity(coefficient=lam / (a * (1 - beta)))
def displacement_momentum(coefficient=lam / a) -> bool:
    """Polyak's form: (1 - lam) x - a g + beta (x - x_back) = x - a (g + l x) + beta (x - x_back) for l = lam/a."""
    displacement = beta * (_x - _back)
    return vanishes((1 - lam) * _x - a * _g + displacement - (_x - a * (_g + coefficient * _x) + displacement))


@identity(momentum=0)
def gradient_momentum(momentum=beta) -> bool:
    """x' = x - a m', m' = beta m + g: the first step fixes l = lam/a, and the second then differs by beta lam x.

    So do the minimizers: at rest m' = g/(1 - beta), and g = -(1 - beta)(lam/a) x decoupled, g = -l x coupled.
    """

    def two_steps(shrink, penalty):
        m = _g + penalty * _x
        x = (1 - shrink) * _x - a * m
        return x, (1 - shrink) * x - a * (momentum * m + _next_g + penalty * x)

    coupled, decoupled = two_steps(0, l), two_steps(lam, 0)
    only = sp.solve(sp.expand(coupled[0] - decoupled[0]), l) == [lam / a]
    second = sp.expand((decoupled[1] - coupled[1]).subs(l, lam / a))
    at_rest = sp.solve(lam * _x + a * _g / (1 - momentum), _g) == [-(1 - momentum) * lam * _x / a]
    return only and second != 0 and vanishes(second - momentum * lam * _x) and at_rest


@identity(other=_M1)
def no_coefficient(other=_M2) -> bool:
    """lam x = a l M x for every x takes l = lam/(a M1), l = lam/(a M2) in eigenvectors of eigenvalues M1, M2: M1 = M2.

    >>> no_coefficient(), no_coefficient(other=_M1)
    (True, False)
    """
    (one,), (another,) = (sp.solve(lam - a * l * eigenvalue, l) for eigenvalue in (_M1, other))
    return sp.solve(one - another, _M2) == [_M1]


@identity(sign=-1)
def adam(sign=1) -> bool:
    """The first step, for g > 0: x - a sign(g + l x) is x - a sign g for x > 0 and every l, and misses lam x."""
    x, g = sp.symbols("x g", positive=True)
    coupled, decoupled = sign * x - a * sp.sign(g + l * sign * x), (1 - lam) * sign * x - a * sp.sign(g)
    return vanishes(coupled - decoupled - lam * x)


@identity(coefficient=l / (2 * a))
def scale_adjusted(coefficient=l / 2) -> bool:
    """(1 - lam) x - (a/s) g = x - (a/s) grad(f + (l/2) s x^2) for l = lam/a, in each coordinate."""
    penalty = sp.diff(coefficient * s * _x**2, _x)
    plain = _x - a / s * (_g + penalty)
    return vanishes(((1 - lam) * _x - a / s * _g - plain).subs(l, lam / a))


@identity(decoupled_scale=1 / s)
def minimizers(decoupled_scale=s) -> bool:
    """Where the steps a M (h (x - c) + l x) and a M h (x - c) + lam x, M = 1/s and lam = a l, are 0."""
    coupled = sp.solve(a / s * (h * (_x - c) + l * _x), _x)
    decoupled = sp.solve(a / s * h * (_x - c) + a * l * _x, _x)
    found = [vanishes(root - minimizer(h, c, l, at)) for (root,), at in ((coupled, 1), (decoupled, decoupled_scale))]
    return all(found)


@identity(radius=1 / lam)
def box(radius=a / lam) -> bool:
    """lam x + a u = 0 with u in Sign(g) are the KKT conditions of |x| <= a/lam: g + nu sign x = 0, nu (|x| - a/lam) = 0.

    Where g is not 0, nu = |g| > 0, hence |x| = a/lam and sign x = -sign g; where it is 0, nu = 0 and |x| <= a/lam, as u in
    [-1, 1] gives. Both are conditions on one coordinate at a time.
    """
    return all(vanishes(sp.solve(lam * _x + a * u, _x)[0] + radius * u) for u in (-1, 0, 1))


@identity(radius=1 / lam)
def stays_in_the_box(radius=a / lam) -> bool:
    """|x| <= a/lam gives |(1 - lam) x - a u| <= (1 - lam) a/lam + a = a/lam for |u| <= 1."""
    return vanishes((1 - lam) * radius + a - radius)


@identity(factor=1 / sp.sqrt(_m**2 + sigma**2))
def shrinkage(factor=_SHARE_OF_NOISE) -> bool:
    """d/dl of (m + l x)/sqrt(sigma^2 + (m + l x)^2) at l = 0 is x sigma^2/(m^2 + sigma^2)^{3/2}."""
    step = sp.nsimplify(normalized_mean(_m + l * _x, sigma))
    return vanishes(sp.diff(step, l).subs(l, 0) - factor * _x)


@identity(torch_decay=w / a)
def paper_and_torch(torch_decay=w) -> bool:
    """(1 - share lam) x - share a d of the paper is (1 - share a w) x - share a d of torch if and only if lam = a w."""
    d = sp.Symbol("d", real=True)
    paper, torch = (1 - share * lam) * _x - share * a * d, (1 - share * a * torch_decay) * _x - share * a * d
    return sp.solve(sp.expand(paper - torch), lam) == [a * w]


@identity(wrong={"a radius of 1/(2 w)": {"radius": 1 / (2 * w)}})
def ball_is_invariant(radius=1 / w) -> bool:
    """||(1 - a w) x + a s|| <= (1 - a w) ||x|| + a for ||s|| <= 1 and a w <= 1, in any norm: the excess ||x|| - 1/w shrinks
    by the factor 1 - a w at least, so that the ball of radius 1/w is never left, and drawn near from outside; with x =
    ||x|| s it is an equality. Momentum only chooses s: Lion's sign in l_inf, Muon's polar factor in the spectral norm."""
    size = sp.Symbol("size", positive=True)
    return vanishes(((1 - a * w) * size + a - radius) - (1 - a * w) * (size - radius))
