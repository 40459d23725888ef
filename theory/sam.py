r"""SAM: its perturbation, its gradient, and the second-order term that is dropped from it.

    eps = rho sign(g) |g|^(q-1) / (||g||_q^q)^(1/p) = -rho lmo_p(g),    1/p + 1/q = 1,    g = grad L(w)
    grad of w -> L(w + eps(w))  =  v + J^T v,    v = grad L(w + eps),    J = d eps/dw = rho (d^2 ||g||_q / dg^2) H

Hypotheses: L is twice differentiable at w, H its Hessian there, and g != 0. Proved here:

 1. The printed perturbation is -rho lmo_p(g) for every 1 < p < oo (`perturbation`), so that theory/hoelder.py holds for it:
    it maximizes <g, eps> over ||eps||_p <= rho and is the only one that does. It tends to rho sign(g) as p -> oo and, where
    one entry is largest, to rho sign(g_1) e_1 as p -> 1 (`limits`): these are the maximizers for p = oo and p = 1. Where m
    entries are tied for the largest, the limit p -> 1 shares rho among them equally, and so does not tend to the maximizer
    that takes the first of them: both reach rho ||g||_oo (`ties`).
 2. p = 2: J = (rho/||g||)(I - ghat ghat^T) H (`jacobian`). The term is J^T v = (rho/||g||) H (v - ghat <ghat, v>): with J in
    the place of J^T, as (d eps/dw) v may be read, it is another vector (`whole_gradient`).
 3. It is 0 iff v - ghat <ghat, v> is in the null space of H. On a quadratic that is iff g is an eigenvector of H, singular H
    included (`vanishes_on_eigenvectors`), so in one dimension always. For p = 1 and p = oo it is 0 wherever eps is constant.
    In general it is (rho^2/||g||) H (I - ghat ghat^T) H ghat + O(rho^3): of second order in rho, where SAM differs from the
    plain gradient by rho H ghat, of first order (`second_order_in_rho`). Without normalization it is rho H g + O(rho^2), as
    large as that difference itself (`unnormalized`).
 4. Danskin: for a maximizer e(w) of L(w + e) over ||e|| <= rho that is differentiable in w and on the sphere, v is a
    multiple of e, and (de/dw)^T v = 0 (`danskin`): the term belongs to the linearized maximizer. That needs e to be unique:
    for L = lam w^2/2 the worst loss lam (|w| + rho)^2/2 has one-sided slopes -lam rho and lam rho at the minimizer, where
    the two maximizers are -rho and rho, and no gradient (`danskin_needs_one_maximizer`).

Sources: Foret et al. (2021), arXiv:2010.01412, for the formulas; proofs here. Danskin (1967) for 4.
"""

import sympy as sp
from ratewitness.theory.bounds import lam, m, vanishes
from ratewitness.theory.identity import identity
from ratewitness.theory.norms import L1, LINF, P, Q, chamber, dot, lp

rho = sp.Symbol("rho", positive=True)
_w = sp.symbols("w1 w2", real=True)
_q, _s = sp.symbols("q s", positive=True)


def printed(g, p=P, q=Q, outer=None) -> list:
    """rho |g|^(q-1) / (||g||_q^q)^(1/p) for positive entries."""
    power = sp.Add(*(entry**q for entry in g))
    return [rho * entry ** (q - 1) / power ** (1 / p if outer is None else outer) for entry in g]


@identity(wrong={"the root 1/q": {"outer": 1 / Q}, "the argmin": {"sign": 1}})
def perturbation(outer=1 / P, sign=-1) -> bool:
    """The printed formula is -rho lmo_p(g), its l_p norm is rho and <g, eps> = rho ||g||_q: at n = 2, 3, 4, and for every n
    since the root is (||g||_q^q)^(1/p) = ||g||_q^(q-1).

    >>> perturbation(), perturbation(outer=1 / Q)
    (True, False)
    """

    def holds(n):
        g, norm = sp.symbols(f"g1:{n + 1}", positive=True), lp(P, Q)
        eps = printed(g, outer=outer)
        return all(vanishes(sp.powsimp(e - sign * rho * o)) for e, o in zip(eps, norm.lmo(g), strict=True)) and vanishes(
            sp.powsimp(dot(g, eps) - rho * norm.dual(g))
        )

    G = sp.Symbol("G", positive=True)  # ||g||_q^q
    return all(map(holds, (2, 3, 4))) and vanishes(G**outer - (G ** (1 / Q)) ** (Q - 1))


def _logarithm(depth, tied=1):
    """log(eps_i/rho) for g_i = e^-depth, where `tied` entries are 1, the largest, and one is e^-s: each is g_i^(q-1) over
    (||g||_q^q)^((q-1)/q)."""
    return -(_q - 1) * depth - (_q - 1) / _q * sp.log(tied + sp.exp(-_q * _s))


@identity(wrong={"limits exchanged": {"exchanged": True}})
def limits(exchanged=False) -> bool:
    """q -> 1 gives rho (1, 1) and q -> oo gives rho e_1, in the ratio g_2/g_1 = e^-s < 1, and so -rho lmo_oo and -rho lmo_1;
    a third entry adds a summand to ||g||_q^q that tends as the second does."""
    ends = (sp.oo, 1) if exchanged else (1, sp.oo)
    found = [[sp.exp(sp.limit(_logarithm(depth), _q, end)) for depth in (0, _s)] for end in ends]
    return found == [[-entry for entry in norm.lmo(chamber(2))] for norm in (LINF, L1)]


@identity(wrong={"all of rho for each": {"share": 1}})
def ties(share=1 / m) -> bool:
    """m entries tied at g and one below: each of the m tends to rho/m as q -> oo, the other to 0; their l_1 norm is rho and
    the pairing rho g = rho ||g||_oo, as for rho e_1."""
    limit = sp.exp(sp.limit(_logarithm(0, m), _q, sp.oo))
    below = sp.exp(sp.limit(_logarithm(_s, m), _q, sp.oo))
    return vanishes(limit - share) and below == 0 and vanishes(m * limit - 1)


def _general():
    """L(w1, w2) as a function that is not specified: its gradient and Hessian at w."""
    L = sp.Function("L")(*_w)
    return sp.Matrix([sp.diff(L, w) for w in _w]), sp.hessian(L, _w)


@identity(wrong={"without the projection": {"projected": False}, "1/||g||^2": {"power": 2}})
def jacobian(projected=True, power=1) -> bool:
    """d/dw of rho g/||g|| is (rho/||g||)(I - ghat ghat^T) H, for an unspecified L of two variables."""
    g, H = _general()
    length = sp.sqrt(g.dot(g))
    P_ = sp.eye(2) - (g * g.T / length**2 if projected else sp.zeros(2))
    J = (rho * g / length).jacobian(list(_w))
    return (J - rho / length**power * P_ * H).applyfunc(sp.simplify) == sp.zeros(2)


@identity(wrong={"J in the place of J^T": {"transposed": False}, "the term dropped": {"kept": 0}})
def whole_gradient(transposed=True, kept=1) -> bool:
    """The gradient of w -> L(w + eps(w)) is v + J^T v: L = w1^2 w2 + 2 w1 w2^2 + w2, exactly, at w = (1, 1), where g = (4,
    6), and with (1, 2), where g = (12, 10); rho is symbolic."""
    w1, w2 = _w

    def L(x, y):
        return x**2 * y + 2 * x * y**2 + y

    g = sp.Matrix([sp.diff(L(w1, w2), w) for w in _w])
    eps = rho * g / sp.sqrt(g.dot(g))
    J = eps.jacobian(list(_w))
    v = g.subs({w1: w1 + eps[0], w2: w2 + eps[1]}, simultaneous=True)
    whole = sp.Matrix([sp.diff(L(w1 + eps[0], w2 + eps[1]), w) for w in _w])
    for at in ({w1: 1, w2: 1}, {w1: 1, w2: 2}):
        here = J.subs(at)
        difference = whole.subs(at) - v.subs(at) - kept * (here.T if transposed else here) * v.subs(at)
        if difference.applyfunc(lambda e: sp.simplify(sp.expand(e))) != sp.zeros(2, 1):
            return False
    return True


@identity(wrong={"only where H is invertible": {"singular": False}, "where H g is in the null space": {"power": 1}})
def vanishes_on_eigenvectors(singular=True, power=2) -> bool:
    """On a quadratic v = g + rho H ghat, and the term is (rho^2/||g||) H (I - ghat ghat^T) H ghat: 0 iff H^2 ghat = c H
    ghat, c = <ghat, H ghat>. In the eigenbasis of H, with l_i the distinct eigenvalues of the i with ghat_i != 0, that is
    l_i^2 = c l_i for each: all the l_i that are not 0 are c. Then c = <ghat, H ghat> = c s, s the share of ||ghat||^2 = 1
    on them, so that s = 1 or c = 0: g is an eigenvector."""
    c, s, l = sp.symbols("c s l", real=True)
    kept = sp.solve(l**power - c * l ** (power - 1), l)
    shares = sp.solve(sp.expand(c - c * s), s)
    return set(kept) == ({0, c} if singular else {c}) and shares == [1]


@identity(wrong={"first order": {"order": 1}, "unprojected": {"projected": False}})
def second_order_in_rho(order=2, projected=True) -> bool:
    """J^T v = (rho/||g||) H P (g + rho H ghat + O(rho^2)), P g = 0, for any symmetric H in two dimensions."""
    a, b, d, g1, g2 = sp.symbols("a b d g1 g2", real=True)
    H, g = sp.Matrix([[a, b], [b, d]]), sp.Matrix([g1, g2])
    length = sp.sqrt(g.dot(g))
    P_ = sp.eye(2) - g * g.T / length**2
    v = g + rho * H * g / length
    term = rho / length * H * P_ * v
    leading = rho**order / length * H * (P_ if projected else sp.eye(2)) * H * g / length
    return (term - leading).applyfunc(sp.simplify) == sp.zeros(2, 1)


@identity(wrong={"half of it": {"factor": sp.Rational(1, 2)}})
def unnormalized(factor=1) -> bool:
    """eps = rho g: J = rho H, and v = g + rho H g + O(rho^2) differs from g by what the term J^T v = rho H g + O(rho^2) adds
    once more, so that the whole gradient is that of L + rho ||g||^2, and v that of L + (rho/2) ||g||^2, to first order."""
    g, H = _general()
    square = g.dot(g)
    slope = sp.Matrix([sp.diff(square, w) for w in _w]) * rho
    of_v, of_term = rho * H * g, factor * rho * H * g
    same = (slope - of_v - of_term).applyfunc(sp.expand) == sp.zeros(2, 1)
    return same and (slope / 2 - of_v).applyfunc(sp.expand) == sp.zeros(2, 1)


@identity(wrong={"off the sphere": {"radius": 2}})
def danskin(radius=1) -> bool:
    """e(t) on a sphere for every t: e'.e = 0, and stationarity on the sphere is v = mu e, so that <de/dt, v> = 0.

    In three dimensions by the angles of the sphere, each an unspecified function of t."""
    t, mu = sp.symbols("t mu", real=True)
    first, second = (sp.Function(name)(t) for name in ("a", "b"))
    size = rho if radius == 1 else rho * (1 + t)
    e = size * sp.Matrix([sp.cos(first) * sp.cos(second), sp.sin(first) * sp.cos(second), sp.sin(second)])
    return sp.simplify(mu * e.diff(t).dot(e)) == 0


@identity(wrong={"one slope": {"left": 1}})
def danskin_needs_one_maximizer(left=-1) -> bool:
    """max over |e| <= rho of lam (w + e)^2/2 is lam (|w| + rho)^2/2; from the right and the left of 0 its slopes are lam rho
    and -lam rho."""
    w = sp.Symbol("w", positive=True)
    slopes, better = [], []
    for side in (1, -1):
        worst = lam * (side * w + side * rho) ** 2 / 2
        slopes.append(sp.limit(side * sp.diff(worst, w), w, 0))
        better.append(bool(sp.expand(worst - lam * (side * w - side * rho) ** 2 / 2).is_positive))
    return all(better) and slopes == [lam * rho, left * lam * rho]
