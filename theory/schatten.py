r"""Norms of the singular values: Frobenius, spectral, nuclear, Schatten-p, Ky Fan k of matrices.

    ||X|| = ||sigma(X)||,     ||G||_* = ||sigma(G)||_*,     lmo(G) = U diag(lmo(s)) V^T     for G = U diag(s) V^T
    von Neumann:   tr(A^T B) <= sum_i sigma_i(A) sigma_i(B)

Hypotheses: U (m x k) and V (n x k), k = min(m, n), have orthonormal columns, s_1 >= ... >= s_k >= 0, and the norm of s is
one of norms.py.  Von Neumann's inequality makes lmo(G) optimal: <G, X> >= -<s, sigma(X)> >= -||s||_* ||sigma(X)||.  The
singular value decomposition is taken from outside; the identities are proved for matrices of every size, as words of
symbols that do not commute (words.py).  With A = U S V^T, B = P T Q^T, X = U^T P, Y = V^T Q,

    tr(A^T B) = tr(S X T Y^T),    S = sum_k a_k E_k,  T = sum_l b_l E_l,    a_k, b_l >= 0,  E_k the first k axes,
    2 tr E - 2 tr(E X F Y^T) = ||E (X - Y) F||_F^2 + tr E (I - X F X^T) E + tr E (I - Y F Y^T) E

for E = E_k, F = E_l.  No term on the right is negative: I - X F X^T = U^T (I - P P^T) U + X (I - F) X^T.  So the left trace
is at most k, and by the same with the sides exchanged at most l; summed, tr(A^T B) <= sum_kl a_k b_l min(k, l) = tr(S T).
Where all a_k and b_l are positive and this is an equality, every right side vanishes, also at E = F = E_k: X and Y map the
first k axes to themselves for each k, and agree there, so that they are one diagonal matrix of signs, and A and B have the
same singular vectors.

Spectral and nuclear norm have a certificate of their own, a sum of squares (`sum_of_squares`): in the first G = U H^2 V^T
and X^T X <= I, in the second X = U H^2 V^T with tr H^2 = 1 and G^T G <= sigma_1^2 I. Where it vanishes X V H = -U H, so X =
-U V^T if H is regular (rank G = k; transpose G if U is square and V is not); in the second the columns of V with h_j > 0
are eigenvectors of G^T G for sigma_1^2, hence +-v_1 alone where sigma_1 > sigma_2. So the LMO is unique iff

    spectral: rank G = k;     nuclear: sigma_1 > sigma_2;     Frobenius, Schatten-p, 1 < p < oo: G != 0

("only if": `spectral_unique` and `nuclear_unique` write down other minimizers; Schatten-p: by the equality in von Neumann's
inequality where the singular values differ; at repeated ones by the strict convexity of the norm, cited).

Source: von Neumann (1937); Mirsky (1975) for proofs of this kind; McCarthy (1967) for strict convexity; derived here.
"""

import sympy as sp
from ratewitness.theory import hoelder
from ratewitness.theory.bounds import vanishes
from ratewitness.theory.identity import identity
from ratewitness.theory.norms import P, Q, attains, ky_fan
from ratewitness.theory.words import D, H, S, U, Ut, V, Vt, X, Xt, Y, Yt, inner, reduced, trace, transposed

_T, _E, _F, _P, _Pt, _Q, _Qt = sp.symbols("T E F P Pt Q Qt", commutative=False)
_sigma = sp.Symbol("sigma", positive=True)
_WRONG = {"argmax": {"sign": -1}, "transposed factor V U^T": {"factors": "VU"}}
_PROJECTORS = {_E * _E: _E, _F * _F: _F}


def _point(middle: sp.Expr, factors: str) -> sp.Expr:
    return U * middle * Vt if factors == "UV" else V * middle * Ut


@identity(wrong={"transposed factor V U^T": {"factors": "VU"}})
def unitary_invariance(factors: str = "UV") -> bool:
    """For G = U S V^T and X = U D V^T: X^T X = V D^2 V^T, so that |d| are the singular values of X; and <G, X> = tr(S D) =
    <s, d>.  This carries each LMO of vectors to one of matrices."""
    point = _point(D, factors)
    return reduced(transposed(point) * point - V * D**2 * Vt) == 0 and inner(U * S * Vt, point) == trace(S * D)


@identity(wrong={"X and Y exchanged": {"order": (Y, X)}, "Y without transposition": {"order": (X, Yt)}})
def trace_in_singular_bases(order=(X, Y)) -> bool:
    """tr(A^T B) = tr(S X T Y^T) = sum_ij s_i t_j X_ij Y_ij for A = U S V^T, B = P T Q^T, X = U^T P, Y = V^T Q."""
    first, second = order
    meaning = {X: Ut * _P, Yt: _Qt * V, Y: Vt * _Q, Xt: _Pt * U}
    word = (S * first * _T * transposed(second)).subs(meaning, simultaneous=True)
    return trace(V * S * Ut * _P * _T * _Qt - word, {}) == 0


@identity(wrong={"half the projection": {"share": sp.S.Half}})
def bessel(share=1) -> bool:
    """I - X F X^T = U^T (I - P P^T) U + X (I - F) X^T for X = U^T P: both terms are >= 0, as (I - P P^T)^2 = I - P P^T for
    orthonormal columns of P and (I - F)^2 = I - F for a projector."""
    relations = {Ut * U: sp.S.One, _Pt * _P: sp.S.One} | _PROJECTORS
    left, right, rest = Ut * _P, _Pt * U, 1 - share * _P * _Pt
    split = 1 - left * _F * right - Ut * rest * U - left * (1 - _F) * right
    return all(reduced(each, relations) == 0 for each in (split, rest * rest - rest, (1 - _F) ** 2 - (1 - _F)))


@identity(wrong={"without the projections": {"share": 0}, "X + Y": {"sign": -1}})
def leading_blocks(share=1, sign=1) -> bool:
    """2 tr E - 2 tr(E X F Y^T) = ||E (X - Y) F||_F^2 + tr E (I - X F X^T) E + tr E (I - Y F Y^T) E for projectors E, F."""
    square = _E * (X - sign * Y) * _F
    rest = _E * (1 - X * _F * Xt) * _E + _E * (1 - Y * _F * Yt) * _E
    left = trace(2 * _E - 2 * _E * X * _F * Yt, _PROJECTORS)
    return sp.expand(left - inner(square, square, _PROJECTORS) - share * trace(rest, _PROJECTORS)) == 0


@identity(wrong={"max for min": {"sign": -1}})
def summation_by_parts(sign=1) -> bool:
    """sum_kl a_k b_l min(k, l) = sum_i s_i t_i for the increments s_i = a_i + a_{i+1} + ..., t_i alike, by induction: with
    one entry more in front, a_0 + s_1 and b_0 + t_1, both sides grow by (a_0 + s_1)(b_0 + t_1). On the left, where s_1 = sum
    a_k and t_1 = sum b_l, each min(k, l) = (k + l - |k - l|)/2 grows by 1 and the new pairs have the minimum 1."""
    k, l = sp.symbols("k l", integer=True, positive=True)
    a0, b0, s1, t1 = sp.symbols("a_0 b_0 s_1 t_1")

    def least(i, j):
        return (i + j - sign * sp.Abs(i - j)) / 2

    old = vanishes(least(k + 1, l + 1) - least(k, l) - 1)
    growth = s1 * t1 + a0 * b0 * least(1, 1) + a0 * t1 * least(1, l + 1) + b0 * s1 * least(k + 1, 1)
    return old and vanishes(growth - (a0 + s1) * (b0 + t1))


@identity(wrong={"argmax": {"sign": -1}, "without the projection": {"share": 0}})
def sum_of_squares(sign=1, share=1) -> bool:
    """2 sigma (sigma tr H^2 + <A, U H^2 V^T>) = ||A V H + sigma U H||_F^2 + tr H V^T (sigma^2 I - A^T A) V H.

    With sigma = 1, A = X, U H^2 V^T = G: <G, X> >= -||G||_nuc where ||X||_2 <= 1. With A = G, U H^2 V^T = X: <G, X> >=
    -sigma_1 ||X||_nuc where sigma_1 = ||G||_2. No term on the right is negative."""
    square = X * V * H + sign * _sigma * U * H  # X is A
    rest = H * Vt * (_sigma**2 - Xt * X) * V * H
    left = 2 * _sigma * (_sigma * trace(H**2) + inner(X, U * H**2 * Vt))
    return sp.expand(left - inner(square, square) - share * trace(rest)) == 0


@identity(wrong={"argmax": {"sign": -1}, "divided by ||G||_F^2": {"power": 2}})
def frobenius(sign=1, power=1) -> bool:
    """||G||_F^2 = tr S^2 = ||s||_2^2 and, with g = ||G||_F and ||X||_F = 1, 2 (g + <G, X>) = g ||X + G/g||_F^2 >= 0, an
    equality at lmo(G) = -G/g only."""
    G, norm = U * S * Vt, sp.Symbol("g", positive=True)
    rest = X + sign * G / norm**power
    total = sp.expand(2 * (norm + inner(G, X)) - norm * inner(rest, rest))
    lengths = {trace(S**2): norm**2, trace(Xt * X): 1}
    return sp.expand(total.subs(lengths)) == 0 and inner(G, G) == trace(S**2)


@identity(wrong=_WRONG)
def spectral(sign=1, factors="UV") -> bool:
    """The dual of the spectral norm is the nuclear norm: by `sum_of_squares` nothing in the ball does better than lmo(G) =
    -U V^T, which is in it, X^T X = V V^T being a projector, with <G, lmo(G)> = -tr S."""
    point = -sign * _point(sp.S.One, factors)
    gram = transposed(point) * point
    feasible = reduced(gram * gram - gram) == 0 and reduced(gram - V * Vt) == 0
    return feasible and inner(U * S * Vt, point) == -trace(S) and sum_of_squares()


@identity(wrong=_WRONG)
def nuclear(sign=1, factors="UV") -> bool:
    """The dual of the nuclear norm is the spectral norm: by `sum_of_squares` nothing in the ball does better than lmo(G) =
    -U E V^T = -u_1 v_1^T, E the first axis: S E = sigma_1 E, so <G, lmo(G)> = -sigma_1 tr E = -sigma_1."""
    relations = {Ut * U: sp.S.One, Vt * V: sp.S.One, S * _E: _sigma * _E, _E * S: _sigma * _E, _E * _E: _E}
    point = -sign * _point(_E, factors)
    values = reduced(transposed(point) * point - V * _E * Vt, relations) == 0  # its one singular value is that of E
    return values and inner(U * S * Vt, point, relations) == -_sigma * trace(_E, {}) and sum_of_squares()


@identity(wrong=_WRONG | {"dual exponent p": {"conjugate": P}})
def schatten(conjugate=Q, sign=1, factors="UV") -> bool:
    """The dual of Schatten-p is Schatten-q, and lmo(G) = -U diag(s^(q-1)) V^T/||s||_q^(q-1): by Hoelder's inequality for
    the singular values (theory/hoelder.py, every k) and von Neumann's."""
    vectors = hoelder.lp_certificate(conjugate=conjugate) and hoelder.lp_attained(conjugate=conjugate, sign=sign)
    return vectors and unitary_invariance(factors=factors)


@identity(wrong=_WRONG)
def ky_fan_of_matrices(sign=1, factors="UV") -> bool:
    """Ky Fan 2 of three singular values: -u_1 v_1^T if s_1 > s_2 + s_3, and -U V^T/2 if s_1 < s_2 + s_3."""
    a, b, c = sp.symbols("a b c", positive=True)
    cases = [a + b + c, a, b], [a + 2 * b, a + b, a + b]
    return all(attains(ky_fan(2), s, sign) for s in cases) and unitary_invariance(factors=factors)


@identity(wrong={"X V = -U": {"sign": 1}, "full rank": {"kernel": 1}})
def spectral_unique(sign=-1, kernel=0) -> bool:
    """X = -U V^T gives X V H + U H = 0, the equality of `sum_of_squares`, and for square V only it does where H is regular:
    X V = -U, so X = X V V^T = -U V^T. Where s_k = 0, with E the last axis and S E = 0, also X = -U (I - 2 E) V^T is in the
    ball and <G, X> = -tr S."""
    relations = {Ut * U: sp.S.One, Vt * V: sp.S.One, S * _E: kernel * _E, _E * S: kernel * _E, _E * _E: _E}
    other = -U * (1 - 2 * _E) * Vt
    gram = reduced(transposed(other) * other - V * Vt, relations) == 0
    same = inner(U * S * Vt, other, relations) == -trace(S, relations)
    return reduced(sign * U * Vt * V * H + U * H) == 0 and gram and same


@identity(wrong={"no tie": {"second": sp.Symbol("sigma_2", positive=True)}})
def nuclear_unique(second=_sigma) -> bool:
    """Where sigma_2 = sigma_1 the second axis does as well as the first: <G, -U E V^T> = -sigma_1, S E = sigma_2 E."""
    relations = {Ut * U: sp.S.One, Vt * V: sp.S.One, S * _E: second * _E, _E * S: second * _E}
    return inner(U * S * Vt, -U * _E * Vt, relations) == -_sigma * trace(_E, {})
