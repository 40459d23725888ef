r"""Norms of the singular values: Frobenius, spectral, nuclear, Schatten-p, Ky Fan k of matrices.

    ||X|| = ||sigma(X)||,     ||G||_* = ||sigma(G)||_*,     lmo(G) = U diag(lmo(s)) V^T     for G = U diag(s) V^T
    von Neumann:   tr(A^T B) <= sum_i sigma_i(A) sigma_i(B)

Hypotheses: U (m x k) and V (n x k), k = min(m, n), have orthonormal columns, s_1 >= ... >= s_k >= 0, and the norm of s is
one of norms.py.  Von Neumann's inequality makes lmo(G) optimal: <G, X> >= -<s, sigma(X)> >= -||s||_* ||sigma(X)||.  Its
proof takes the singular value decomposition from outside and each step in symbols at the sizes it names (k <= 4): with
A = U diag(s) V^T, B = P diag(t) Q^T, X = U^T P and Y = V^T Q,

    tr(A^T B) = sum_ij s_i t_j X_ij Y_ij,   |X_ij Y_ij| <= W_ij = (X_ij^2 + Y_ij^2)/2,   W has row and column sums <= 1,
    sum_ij s_i t_j W_ij <= sum_i s_i t_i   by summation by parts

Products of U, U^T, V, V^T and S are reduced as words of symbols that do not commute, for every size; where entries are
needed, U and V are rotations of the plane.  The LMO is unique iff

    spectral: rank G = k;     nuclear: sigma_1 > sigma_2;     Frobenius, Schatten-p, 1 < p < oo: G != 0

(Schatten-p: proved where the singular values differ; at repeated ones by the strict convexity of the norm, cited).

Source: von Neumann (1937); Mirsky (1975) for proofs of this kind; McCarthy (1967) for strict convexity; derived here.
"""

from itertools import product

import sympy as sp
from ratewitness.theory.bounds import vanishes
from ratewitness.theory.identity import identity
from ratewitness.theory.norms import L1, L2, LINF, Norm, P, Q, attains, chamber, dot, ky_fan, lp

U, Ut, V, Vt, S, D = sp.symbols("U Ut V Vt S D", commutative=False)  # Ut is U^T; S and D are diagonal


def rotation(t: sp.Symbol) -> sp.Matrix:
    """The rotation of the plane by 2 arctan t, in rational functions."""
    return sp.Matrix([[1 - t**2, -2 * t], [2 * t, 1 - t**2]]) / (1 + t**2)


_WRONG = {"argmax": {"sign": -1}, "transposed factor V U^T": {"factors": "VU"}}
_rotations = tuple(map(rotation, sp.symbols("t1:3", real=True)))


def inner(A: sp.Matrix, B: sp.Matrix) -> sp.Expr:
    """<A, B> = tr(A^T B)."""
    return (A.T * B).trace()


def reduced(product: sp.Expr) -> sp.Expr:
    """A sum of products of the symbols U, Ut, V, Vt, S, D, which do not commute, after Ut U = Vt V = I."""
    product = sp.expand(product)
    while (shorter := sp.expand(product.subs({Ut * U: 1, Vt * V: 1}))) != product:
        product = shorter
    return product


@identity(wrong={"transposed factor V U^T": {"factors": "VU"}})
def unitary_invariance(factors: str = "UV") -> bool:
    """For G = U S V^T and X = U D V^T of every size: X^T X = V D^2 V^T, so that |d| are the singular values of X; and
    G^T X = V S D V^T, whose trace is tr(S D V^T V) = <s, d>.  This carries each LMO of vectors to one of matrices."""
    X, Xt = (U * D * Vt, V * D * Ut) if factors == "UV" else (V * D * Ut, U * D * Vt)
    left, right = (V, Vt) if factors == "UV" else (U, Ut)
    A, B = sp.Matrix(3, 2, sp.symbols("a1:7")), sp.Matrix(2, 3, sp.symbols("b1:7"))
    cyclic = sp.expand((A * B).trace() - (B * A).trace()) == 0
    return cyclic and reduced(Xt * X - left * D**2 * right) == 0 and reduced(V * S * Ut * X - V * S * D * Vt) == 0


@identity(wrong={"transposed Y": {"transposed": True}})
def trace_in_singular_bases(transposed=False) -> bool:
    """tr(A^T B) = sum_ij s_i t_j (U^T P)_ij (V^T Q)_ij for any factors: 3 x 2 matrices in symbols, nothing orthonormal."""
    U, P_, V, Q_ = (sp.Matrix(m, 2, sp.symbols(f"{c}1:{2 * m + 1}")) for c, m in zip("upvq", (3, 3, 2, 2), strict=True))
    s, t = sp.symbols("s1:3"), sp.symbols("z1:3")
    X, Y = U.T * P_, (Q_.T * V if transposed else V.T * Q_)
    A, B = U * sp.diag(*s) * V.T, P_ * sp.diag(*t) * Q_.T
    pairs = sp.Add(*(s[i] * t[j] * X[i, j] * Y[i, j] for i, j in product(range(2), repeat=2)))
    return sp.expand(inner(A, B) - pairs) == 0


@identity(wrong={"half the projection": {"share": sp.Rational(1, 2)}})
def bessel(share=1) -> bool:
    """Row sums of X_ij^2 are at most one: ||u||^2 - ||P^T u||^2 = ||u - P P^T u||^2 + <P^T u, (I - P^T P) P^T u>, where
    P^T P = I (P 3 x 2 in symbols); and (x^2 + y^2)/2 -+ x y = (x -+ y)^2/2, so W bounds |X_ij Y_ij|."""
    p, u = sp.Matrix(3, 2, sp.symbols("p1:7")), sp.Matrix(sp.symbols("u1:4"))
    c = p.T * u
    rest, defect = u - p * c, c - p.T * p * c
    row = sp.expand(inner(u, u) - share * inner(c, c) - inner(rest, rest) - inner(c, defect)) == 0
    x, y = sp.symbols("x y")
    return row and all(sp.expand((x**2 + y**2) / 2 - e * x * y - (x - e * y) ** 2 / 2) == 0 for e in (1, -1))


@identity(wrong={"max for min": {"block": max}})
def summation_by_parts(block=min) -> bool:
    """sum_ij s_i t_j W_ij <= sum_i s_i t_i for s, t in the chamber and W with rows and columns of sum at most one.

    With a_k, b_l >= 0 the increments of s and t, both sides are sum_kl a_k b_l (...): on the left the leading k x l block
    of W, on the right min(k, l); and k - block = slack of its rows + the entries right of it, as l - block in columns.
    Sizes 2, 3, 4.
    """

    def holds(n):
        W = sp.Matrix(n, n, sp.symbols(f"w1:{n * n + 1}"))
        a, b = sp.symbols(f"a1:{n + 1}"), sp.symbols(f"b1:{n + 1}")
        s, t = ([sp.Add(*c[i:]) for i in range(n)] for c in (a, b))

        def total(weight):
            return sp.Add(*(a[i] * b[j] * weight(i + 1, j + 1) for i, j in product(range(n), repeat=2)))

        def leading(i, j):
            return sp.Add(*W[:i, :j])

        left = sp.Add(*(s[i] * t[j] * W[i, j] for i, j in product(range(n), repeat=2)))
        rows = all(
            sp.expand(i - leading(i, j) - sum(1 - sum(W[k, :]) for k in range(i)) - sp.Add(*W[:i, j:])) == 0
            for i, j in product(range(1, n + 1), repeat=2)
        )  # the same for columns, by W^T
        return rows and sp.expand(left - total(leading)) == 0 and sp.expand(dot(s, t) - total(block)) == 0

    return all(map(holds, (2, 3, 4)))


@identity(wrong={"blocks larger by one": {"excess": 1}})
def equality_in_von_neumann(excess=0) -> bool:
    """Where s and t decrease strictly to positive values, equality makes every leading block min(k, l), hence W = I, hence
    X = Y = diag(+-1), as (x - y)^2 = 0 and x^2 = 1 on the diagonal and x^2 + y^2 = 0 off it: the same singular vectors."""

    def block(i, j):
        return min(i, j) + (excess if i * j else 0)

    differences = all(
        block(i, j) - block(i - 1, j) - block(i, j - 1) + block(i - 1, j - 1) == int(i == j)
        for i, j in product(range(1, 5), repeat=2)
    )
    x, y = sp.symbols("x y", real=True)
    diagonal = sp.solve([x - y, (x**2 + y**2) / 2 - 1], [x, y])
    return differences and set(diagonal) == {(1, 1), (-1, -1)} and sp.solve([x - y, x**2 + y**2], [x, y]) == [(0, 0)]


def through_singular_values(norm: Norm, sign, factors) -> bool:
    """<G, lmo(G)> = -||G||_* and ||lmo(G)|| = 1 for a norm of singular values in the chamber, k = 2 and 3."""
    return all(attains(norm, chamber(k), sign) for k in (2, 3)) and unitary_invariance(factors=factors)


@identity(wrong={"power 1": {"power": 1}, "argmax": {"sign": -1}})
def frobenius(power=2, sign=1) -> bool:
    """||G||_F^2 = tr(G^T G) = sum s_i^2, and lmo(G) = -G/||G||_F = -U diag(s) V^T/||s||_2."""
    squares = reduced(V * S * Ut * U * S * Vt - V * S**power * Vt) == 0  # G^T G, similar to S^2
    return squares and all(attains(L2, chamber(k), sign) for k in (2, 3))


@identity(wrong=_WRONG)
def spectral(sign=1, factors="UV") -> bool:
    """The dual of the spectral norm is the nuclear norm, and lmo(G) = -U V^T."""
    return through_singular_values(LINF, sign, factors)


@identity(wrong=_WRONG)
def nuclear(sign=1, factors="UV") -> bool:
    """The dual of the nuclear norm is the spectral norm, and lmo(G) = -u_1 v_1^T."""
    return through_singular_values(L1, sign, factors)


@identity(wrong=_WRONG | {"dual exponent p": {"conjugate": P}})
def schatten(conjugate=Q, sign=1, factors="UV") -> bool:
    """The dual of Schatten-p is Schatten-q, and lmo(G) = -U diag(s^(q-1)) V^T/||s||_q^(q-1)."""
    values = [sp.symbols(f"s1:{k + 1}", positive=True) for k in (2, 3)]
    return all(attains(lp(P, conjugate), s, sign) for s in values) and unitary_invariance(factors=factors)


@identity(wrong=_WRONG)
def ky_fan_of_matrices(sign=1, factors="UV") -> bool:
    """Ky Fan 2 of three singular values: -u_1 v_1^T if s_1 > s_2 + s_3, and -U V^T/2 if s_1 < s_2 + s_3."""
    a, b, c = sp.symbols("a b c", positive=True)
    cases = [a + b + c, a, b], [a + 2 * b, a + b, a + b]
    return all(attains(ky_fan(2), s, sign) for s in cases) and unitary_invariance(factors=factors)


@identity(wrong={"full rank": {"rank_one": 1}})
def spectral_unique(rank_one=0) -> bool:
    """Y = U^T X V: <G, X> + ||G||_nuc = sum s_i (1 + Y_ii) with |Y_ii| <= 1, so equality at full rank forces Y_ii = -1, and
    rows and columns of norm at most one leave zero elsewhere: X = -U V^T.  If s_k = 0, the last entry is free (2 x 2)."""
    y, z, free = sp.symbols("y z f", real=True)
    s = sp.symbols("s1:3", positive=True)
    U, V = _rotations
    Y = sp.Matrix(2, 2, sp.symbols("y1:5", real=True))
    gap = inner(U * sp.diag(*s) * V.T, U * Y * V.T) + sp.Add(*s) - s[0] * (1 + Y[0, 0]) - s[1] * (1 + Y[1, 1])
    row = sp.solveset((1 - y**2 - z**2).subs(y, -1), z, sp.S.Reals)  # 1 - y^2 - z^2 >= 0 is -z^2 >= 0 at y = -1
    G, X = U * sp.diag(s[0], rank_one) * V.T, U * sp.diag(-1, free) * V.T
    return sp.cancel(gap) == 0 and row == {0} and sp.cancel(inner(G, X) + s[0] + rank_one) == 0


@identity(wrong={"no tie": {"tie": 1}})
def nuclear_unique(tie=0) -> bool:
    """Rank one X = -a b^T in singular bases, |a| = |b| = 1: <G, X> + s_1 = sum_i (s_1 - s_i)(a_i^2 + b_i^2)/2 +
    s_i (a_i - b_i)^2/2, zero only at a = b = +-e_1 if s_1 > s_2.  If s_1 = s_2, -u_2 v_2^T and all between attain it.

    That X has rank one is the equality case of l_1, applied to its singular values.
    """
    s, a, b = chamber(3), sp.symbols("a1:4", real=True), sp.symbols("b1:4", real=True)
    ones = s[0] * (dot(a, a) + dot(b, b)) / 2  # s_1, as |a| = |b| = 1
    squares = sp.Add(*((s[0] - e) * (x**2 + y**2) / 2 + e * (x - y) ** 2 / 2 for e, x, y in zip(s, a, b, strict=True)))
    split = sp.expand(ones - dot(s, [x * y for x, y in zip(a, b, strict=True)]) - squares) == 0
    strict = all((s[0] - e).is_positive for e in s[1:])
    U, V = _rotations
    top, w = sp.symbols("s w", positive=True)
    G, X = U * sp.diag(top + tie, top) * V.T, -U * sp.diag(w, 1 - w) * V.T
    return split and strict and vanishes(sp.cancel(inner(G, X) + top + tie))
