r"""The norm of the weights along a run: what drives it outwards, and where decoupled decay holds it.

    homogeneous    <w, grad> = D mean(sum_c p_c z_c - z_y) <= 0 where every row is classified right
    scale-free     |w|^4 = eta^2 G^2/(1 - q^2),    angle of a step = arccos q,    q = 1 - eta lam
    fixed length   |w|^2 = eta^2 U^2/(1 - q^2)

1. Outputs z(c w) = c^D z(w), c > 0, as those of a ReLU network of D layers without biases; f is the mean cross-entropy and p
the softmax of z. Along a ray, r d/dr of log sum_c e^{z_c} - z_y is D (sum_c p_c z_c - z_y) (`euler`), which is -D sum_c p_c
(z_y - z_c) (`margins`), not positive if z_y is the largest. So a step of gradient descent from a point that fits, whatever
its length, does not bring w nearer to 0: |w - eta g|^2 = |w|^2 - 2 eta <w, g> + eta^2 |g|^2 (`steps`). The same number,
without D, is <W_l, grad_l> of every layer l (`layers`), since each layer may be scaled by itself.

2. f(c w) = f(w), as of weights before a normalization: <w, grad> = 0, and grad is that on the sphere over |w|
(`scale_free`). If its length on the sphere is a constant G, steps (1 - eta lam) w - eta grad have |w'|^2 = q^2 |w|^2 + eta^2
G^2/|w|^2. Its fixed point is the formula above, stable as the multiplier there is 2 q^2 - 1 (`equilibrium`), and there w
turns by arccos q in every step (`turn`), whatever eta and lam are apart from their product, and whatever G is.

3. Updates u of length U, orthogonal to w: |w_t|^2 = q^{2t} |w_0|^2 + (1 - q^{2t}) eta^2 U^2/(1 - q^2) (`fixed_length`).
Hypothesis: the update itself is orthogonal, and not only the gradient. Signs and polar factors of a tangential gradient are
not, but if they are so on average, E[<w, u> | w] = 0, the formula holds for E|w|^2. Momentum breaks it, as then u remembers
what w was made of.

4. Updates that agree from step to step are the other extreme: x -> (1 - eta lam) x + eta lmo(g) never leaves the ball of
radius 1/lam of the LMO's norm, and it rests only where x minimizes <grad f(x), .> over that ball, for convex f thus at a
minimizer over the ball. So the norm is at most 1/lam, and near that where updates agree; where they are orthogonal to the
weights it is near U sqrt(eta/(2 lam)).

Sources: K. Lyu and J. Li (2020), arXiv:1906.05890, for 1; T. van Laarhoven (2017), arXiv:1706.05350, and R. Wan et al.
(2021), arXiv:2006.08419, for 2; A. Kosson et al. (2024), arXiv:2305.17212, for 2 and 3; L. Chen et al. (2025),
arXiv:2506.15054, for Muon in 4. Derived here.
"""

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from ratewitness.theory.bounds import eta, lam, vanishes
from ratewitness.theory.identity import identity

_G, _U, _r, _D, _s = sp.symbols("G U r D s", positive=True)
_w, _g, _F = sp.symbols("w1 w2", real=True), sp.symbols("g1 g2", real=True), sp.Function("F")
_Q = 1 - eta * lam


def scale_free_norm(eta: ArrayLike, lam: ArrayLike, G: ArrayLike) -> ArrayLike:
    """|w| at rest, for gradients of length G on the unit sphere.

    >>> round(float(scale_free_norm(0.5, 1.0, 3.0)), 6)
    1.316074
    """
    return (eta * G) ** 0.5 / (1 - (1 - eta * lam) ** 2) ** 0.25


def fixed_length_square(eta: ArrayLike, lam: ArrayLike, U: ArrayLike, t: ArrayLike, start: ArrayLike) -> ArrayLike:
    """|w_t|^2 for orthogonal updates of length U and |w_0| = start.

    >>> [round(float(fixed_length_square(0.5, 1.0, 3.0, t, 2.0)), 6) for t in (0, 1, 100)]
    [4.0, 3.25, 3.0]
    """
    kept = (1 - eta * lam) ** (2 * np.asarray(t, dtype=float))
    return kept * start**2 + (1 - kept) * (eta * U) ** 2 / (1 - (1 - eta * lam) ** 2)


@identity(wrong={"degree D + 1": {"more": 1}, "without the right output": {"right": 0}})
def euler(more=0, right=1) -> bool:
    """r d/dr (log sum_c e^{z_c} - z_1) = D (sum_c p_c z_c - z_1) for z_c = r^D phi_c, three classes."""
    phi = sp.symbols("phi1:4", real=True)
    z = [_r**_D * each for each in phi]
    total = sum(map(sp.exp, z))
    slope = _r * sp.diff(sp.log(total) - z[0], _r)
    return vanishes(slope - (_D + more) * (sum(each * sp.exp(each) for each in z) / total - right * z[0]))


@identity(wrong={"shares that do not sum to 1": {"total": 2}})
def margins(total=1) -> bool:
    """sum_c p_c z_c - z_1 = -sum_c p_c (z_1 - z_c) for sum_c p_c = 1."""
    z, p = sp.symbols("z1:4", real=True), sp.symbols("p2:4", positive=True)
    shares = (total - sum(p), *p)
    return vanishes(
        sum(s * x for s, x in zip(shares, z, strict=True))
        - z[0]
        + sum(s * (z[0] - x) for s, x in zip(shares, z, strict=True))
    )


@identity(wrong={"a bias": {"bias": 1}, "a square between the layers": {"power": 2}})
def layers(bias=0, power=1) -> bool:
    """d/ds_l at 1 of s_3 (s_2 (s_1 x + bias))^power is the same for every layer l."""
    x, scales = sp.Symbol("x", positive=True), sp.symbols("s1:4", positive=True)
    z = scales[2] * (scales[1] * (scales[0] * x + bias)) ** power
    slopes = [sp.diff(z, each).subs(dict.fromkeys(scales, 1)) for each in scales]
    return all(vanishes(each - slopes[0]) for each in slopes)


@identity(wrong={"a mixed term without the 2": {"mixed": 1}, "decay not on the mixed term": {"on_mixed": 1}})
def steps(mixed=2, on_mixed=_Q) -> bool:
    """|q w - eta g|^2 = q^2 |w|^2 - 2 eta q <w, g> + eta^2 |g|^2, in the plane."""
    w, g = sp.Matrix(_w), sp.Matrix(_g)
    after = _Q * w - eta * g
    return vanishes(sp.expand(after.dot(after) - _Q**2 * w.dot(w) + mixed * eta * on_mixed * w.dot(g) - eta**2 * g.dot(g)))


@identity(wrong={"degree 1": {"degree": 1}, "as long at c w as at w": {"length": 0}})
def scale_free(degree=0, length=1) -> bool:
    """f = |w|^degree F(w_1/w_2): <w, grad> = 0, and grad(s w) = grad(w)/s^length."""
    x, y = sp.symbols("x y", positive=True)
    f = sp.sqrt(x**2 + y**2) ** degree * _F(x / y)
    slope = [sp.diff(f, each).doit() for each in (x, y)]
    scaled = [sp.simplify(each.subs({x: _s * x, y: _s * y}, simultaneous=True).doit()) for each in slope]
    tangential = vanishes(x * slope[0] + y * slope[1])
    return tangential and all(vanishes(a - b / _s**length) for a, b in zip(scaled, slope, strict=True))


@identity(wrong={"1 - q^2 to first order": {"lost": 2 * eta * lam}, "eta in place of eta^2": {"power": 1}})
def equilibrium(lost=1 - _Q**2, power=2) -> bool:
    """u = eta G/sqrt(1 - q^2) is a fixed point of q^2 u + eta^2 G^2/u, whose derivative there is 2 q^2 - 1."""
    u = sp.Symbol("u", positive=True)
    after = _Q**2 * u + eta**2 * _G**2 / u
    square = eta**power * _G**2 / lost  # of u
    fixed = vanishes(sp.expand((after - u) * u).subs(u**2, square).subs(u, sp.sqrt(square)))
    return fixed and vanishes(sp.diff(after, u).subs(u, sp.sqrt(square)) - (2 * _Q**2 - 1))


@identity(wrong={"1 - eta lam/2": {"cosine": 1 - eta * lam / 2}})
def turn(cosine=_Q) -> bool:
    """<w, w'>/(|w| |w'|) = q for w' = q w - eta g, <w, g> = 0, |w'| = |w|."""
    w = sp.Matrix([_r, 0])
    after = sp.Matrix([_Q * _r, -eta * _G / _r])
    return vanishes(after.dot(w) / _r**2 - cosine)


@identity(wrong={"q in place of q^2": {"power": 1}, "to first order": {"lost": 2 * eta * lam}})
def fixed_length(power=2, lost=1 - _Q**2) -> bool:
    """q^{2t} s^2 + (1 - q^{2t}) eta^2 U^2/(1 - q^2) solves u' = q^2 u + eta^2 U^2."""
    kept, rest = sp.Symbol("kept", positive=True), eta**2 * _U**2 / lost
    now, after = (each * _s**2 + (1 - each) * rest for each in (kept, kept * _Q**power))
    return vanishes(after - _Q**2 * now - eta**2 * _U**2)
