r"""What measures of sharpness see of a change of parameters, and of the size of a batch.

    (x, y) -> (c x, y/c) leaves L = (xy - 1)^2/2 as it is, and with it every product network
    adaptive sharpness: D H D, D = diag|w|;    m-sharpness: S_m = mean over parts of m samples of max_{||e|| <= rho}
    L_part(w + e)

Hypotheses: none beyond those in the proofs. Proved here:

 1. At a minimizer (x, 1/x) of (xy - 1)^2/2 the largest eigenvalue of H is x^2 + 1/x^2, which is unbounded along the
    minimizers, and that of D H D is 2 at every one (`eigenvalues`).
 2. For any L(c x, y/c) = L(x, y): H at (c x, y/c) is C^-1 H C^-1, C = diag(c, 1/c), and D H D is the same (`rescaling`).
    ASAM's perturbation rho D^2 g/||D g|| is rescaled with the point; SAM's rho g/||g|| is not (`perturbations`).
 3. S_m of a union of two parts is at most the mean of theirs, max_e (f + g)/2 <= (max f + max g)/2: S_m falls as parts are
    joined, S_1 >= S_2 >= S_4 >= ... >= S_n for nested parts (`joined_parts`).
 4. A linear model, loss l(y <w, a>) falling: the worst point for one sample is w - rho y a/||a||, and S_1 = mean l(y <w, a>
    - rho ||a||) (`one_sample`).

Sources: Dinh et al. (2017), arXiv:1703.04933, for 1; Kwon et al. (2021), arXiv:2102.11600, for 2; Andriushchenko and
Flammarion (2022), arXiv:2206.06232, for m-sharpness; proofs here.
"""

import sympy as sp
from ratewitness.theory.bounds import c, vanishes
from ratewitness.theory.identity import identity
from ratewitness.theory.sam import rho

_x, _y = sp.symbols("x y", positive=True)


def top_eigenvalue(x):
    """Of the Hessian of (xy - 1)^2/2 at the minimizer (x, 1/x)."""
    return x**2 + 1 / x**2


def linear_model(losses, margins, norms, rho):
    """S_1: the mean of loss(margin_i - rho ||a_i||); `losses` maps margins to losses."""
    return losses(margins - rho * norms).mean()


_TOP = top_eigenvalue(_x)


def _hyperbola():
    """H and D of (xy - 1)^2/2 at (x, 1/x)."""
    H = sp.hessian((_x * _y - 1) ** 2 / 2, (_x, _y)).subs(_y, 1 / _x)
    return H, sp.diag(_x, 1 / _x)


@identity(wrong={"2 without scales": {"adaptive": False}, "1/x^2 alone": {"top": 1 / _x**2}})
def eigenvalues(adaptive=True, top=_TOP) -> bool:
    """Rank one each: 0 and the trace.

    >>> eigenvalues(), eigenvalues(adaptive=False)
    (True, False)
    """
    H, D = _hyperbola()
    scaled = D * H * D if adaptive else H
    rank_one = vanishes(H.det()) and vanishes(scaled.det())
    return rank_one and vanishes(H.trace() - top) and vanishes(scaled.trace() - 2)


@identity(wrong={"without scales": {"adaptive": False}})
def rescaling(adaptive=True) -> bool:
    """For an unspecified L(x, y) = f(xy, ...) it is the chain rule: M(w) = L(C w) has the Hessian C H(C w) C, and M = L;
    with D at C w equal to C D, the entries of D H D agree."""
    h = sp.Matrix(2, 2, sp.symbols("h11 h12 h12 h22", real=True))  # H at w
    C, D = sp.diag(c, 1 / c), sp.diag(_x, _y)
    there, scales = C.inv() * h * C.inv(), C * D  # at C w
    if not adaptive:
        D, scales = sp.eye(2), sp.eye(2)
    L = (_x * _y) ** 3 + sp.sin(_x * _y)  # an instance of the chain rule
    at = sp.hessian(L, (_x, _y)).subs({_x: c * _x, _y: _y / c}, simultaneous=True)
    chain = (at - C.inv() * sp.hessian(L, (_x, _y)) * C.inv()).applyfunc(sp.simplify) == sp.zeros(2, 2)
    return chain and (scales * there * scales - D * h * D).applyfunc(sp.simplify) == sp.zeros(2, 2)


@identity(wrong={"the perturbation of SAM": {"adaptive": False}})
def perturbations(adaptive=True) -> bool:
    """g at C w is C^-1 g: eps at C w is C eps."""
    g, C, D = sp.Matrix(sp.symbols("g1 g2", real=True)), sp.diag(c, 1 / c), sp.diag(_x, _y)

    def eps(D, g):
        D = D if adaptive else sp.eye(2)
        return rho * D**2 * g / sp.sqrt((D * g).dot(D * g))

    return (eps(C * D, C.inv() * g) - C * eps(D, g)).applyfunc(sp.simplify) == sp.zeros(2, 1)


@identity(wrong={"the mean of maxima is below": {"sign": -1}})
def joined_parts(sign=1) -> bool:
    """At the maximizer e of (f + g)/2: f(e) = F - u and g(e) = G - v with u, v >= 0, so that it is (F + G)/2 - (u + v)/2."""
    F, G = sp.symbols("F G", real=True)
    u, v = sp.symbols("u v", nonnegative=True)
    excess = sign * ((F + G) / 2 - ((F - u) + (G - v)) / 2)
    return bool(sp.expand(excess).is_nonnegative)


@identity(wrong={"rho ||a||^2": {"power": 2}})
def one_sample(power=1) -> bool:
    """<w - rho y a/||a||, y a> = y <w, a> - rho ||a||, y = +-1, which by Cauchy-Schwarz is the least margin in the ball."""
    w, a = sp.Matrix(sp.symbols("w1 w2", real=True)), sp.Matrix(sp.symbols("a1 a2", real=True))
    size = sp.sqrt(a.dot(a))

    def holds(y):
        margin = y * (w - rho * y * a / size).dot(a)
        return vanishes(sp.simplify(margin - (y * w.dot(a) - rho * size**power)))

    return all(map(holds, (1, -1)))
