r"""Shampoo's analysis: a Kronecker product dominates the Gram sum of the gradients, and bounds the regret.

    eps I + (1/r) sum_s g_s g_s^T  <=  L^{1/2} (x) R^{1/2},   L = eps I + sum_s G_s G_s^T,  R = eps I + sum_s G_s^T G_s
    sum_t f_t(W_t) - f_t(W*)  <=  sqrt(2 r) D Tr(L^{1/4}) Tr(R^{1/4})        for W - (D/sqrt(2 r)) L^{-1/4} G R^{-1/4}

Hypotheses: rank G_s <= r, g_s = vec(G_s) by *rows* (by columns the factors swap), eps > 0 and at least 0 in the first line,
f_t convex, G_t a subgradient of f_t at W_t, D >= ||W_t - W*||_F for t <= T.

Proved here, for matrices of any size unless a size is named:
 1. In the singular coordinates of G the form r ||X G^T||_F^2 - <G, X>^2 is a sum of squares, hence (1/r) g g^T <= I (x)
    G^T G, and <= G G^T (x) I by transposing (`cauchy_schwarz` for every r by induction, `one_matrix` for 3 x 4, where the
    certificate shows the form of every size). `vectorization` carries any G there: the orthogonal U (x) V takes vec(S) to
    vec(U S V^T). Summed over s and with eps I added: the left side is below X = L (x) I and below Y = I (x) R.
 2. A <= X and A <= Y give [[X, A], [A, Y]] >= 0, so Y >= A X^{-1} A (`schur_complement`); hence with square roots, which are
    monotone (`square_root_is_monotone`), A <= X^{1/2} (X^{-1/2} Y X^{-1/2})^{1/2} X^{1/2} = L^{1/2} (x) R^{1/2}
    (`geometric_mean`). This is Ando's theorem in the case that is needed.
 3. The regret: `online_step`, `potential` and `best_step`.
Taken from elsewhere: congruence keeps the Loewner order, symmetric matrices have an orthonormal eigenbasis, and for
the bounds of AdaGrad their theorems; the telescoping of sum_t ||W_t - W*||^2 in growing norms is Abel summation, with
lambda_max <= Tr.

Source: Gupta, Koren and Singer (2018), arXiv:1802.09568; Ando (1979); Duchi, Hazan and Singer (2011) for AdaGrad.
"""

from itertools import combinations

import sympy as sp
from ratewitness.theory.bounds import Bound, eta, vanishes
from ratewitness.theory.identity import identity

r = sp.Symbol("r", integer=True, positive=True)
D, D_inf = sp.symbols("D D_inf", positive=True)
trace_L, trace_R, trace_full, column_norms = sp.symbols("trace_L trace_R trace_full column_norms", positive=True)
_H, _K, _S, _T, _A, _X, _Y = sp.symbols("H K S T A X Y", commutative=False)  # matrices of any size

_CONVEX = "f_t convex, G_t a subgradient at W_t, "
_SHAMPOO = "W - eta L^{-1/4} G R^{-1/4}, L = eps I + sum G G^T, R = eps I + sum G^T G"
_RANK = _CONVEX + "rank G_t <= r, ||W_t - W*||_F <= D, trace_L = Tr(L_T^{1/4}), trace_R = Tr(R_T^{1/4})"
_GUPTA = "Gupta, Koren and Singer (2018), arXiv:1802.09568; proof here"
_DUCHI = "Duchi, Hazan and Singer (2011)"
_REGRET = "sum_t f_t(W_t) - f_t(W*)"

shampoo_any_step = Bound(
    "shampoo_any_step", _REGRET, (D**2 / (2 * eta) + eta * r) * trace_L * trace_R, "upper", _RANK, _SHAMPOO, _GUPTA
)
shampoo = Bound(
    "shampoo", _REGRET, sp.sqrt(2 * r) * D * trace_L * trace_R, "upper", _RANK, _SHAMPOO + ", eta = D/sqrt(2 r)", _GUPTA
)
full_adagrad = Bound(
    "full_adagrad",
    _REGRET,
    sp.sqrt(2) * D * trace_full,
    "upper",
    _CONVEX + "||w_t - w*||_2 <= D, trace_full = Tr (eps I + sum g g^T)^{1/2}",
    "w - eta (eps I + sum g g^T)^{-1/2} g, eta = D/sqrt 2",
    _DUCHI,
)
diagonal_adagrad = Bound(
    "diagonal_adagrad",
    _REGRET,
    sp.sqrt(2) * D_inf * column_norms,
    "upper",
    _CONVEX + "||w_t - w*||_inf <= D_inf, column_norms = sum_i (eps + sum_t g_{t,i}^2)^{1/2}",
    "w - eta g / (eps + sum g^2)^{1/2} entrywise, eta = D_inf/sqrt 2",
    _DUCHI,
)


@identity(by_rows=False)
def vectorization(by_rows=True) -> bool:
    """(A (x) B) vec X = vec(A X B^T) with vec by rows, all entries symbolic, A 2 x 2, X 2 x 3, B 3 x 3.

    >>> vectorization(), vectorization(by_rows=False)
    (True, False)
    """
    sizes = {"a": (2, 2), "b": (3, 3), "x": (2, 3)}
    left, right, x = (sp.Matrix(m, k, sp.symbols(f"{name}:{m * k}")) for name, (m, k) in sizes.items())

    def vec(matrix):
        return sp.Matrix(list(matrix if by_rows else matrix.T))

    return (sp.kronecker_product(left, right) * vec(x) - vec(left * x * right.T)).expand().is_zero_matrix is True


@identity(count=r - 1)
def cauchy_schwarz(count=r) -> bool:
    """(a_1 + ... + a_r)^2 <= r (a_1^2 + ... + a_r^2), by induction: from r to r + 1 the margin grows by sum_k (a_k - b)^2.

    In total = sum a_k, squares = sum a_k^2 over k <= r and b = a_{r+1}; r = 1 is an equality.
    """
    total, squares, b = sp.symbols("total squares b", real=True)
    margin = count * squares - total**2
    after = (count + 1) * (squares + b**2) - (total + b) ** 2
    growth = squares - 2 * b * total + r * b**2  # sum_k (a_k - b)^2
    start = margin.subs({r: 1, squares: total**2})
    return vanishes(after - margin - growth) and vanishes(start)


@identity(factor=2)
def one_matrix(rank=3, factor=3) -> bool:
    """factor ||X S^T||_F^2 - <S, X>^2 is a sum of squares where S = diag(s_1, ..., s_rank), 3 x 4, and factor = rank.

    >>> one_matrix(), one_matrix(rank=2, factor=2), one_matrix(rank=3, factor=2)
    (True, True, False)
    """
    m, n = 3, 4
    s = sp.symbols(f"s:{rank}", positive=True)
    S = sp.Matrix(m, n, lambda i, j: s[i] if i == j < rank else 0)
    X = sp.Matrix(m, n, sp.symbols(f"x:{m * n}", real=True))
    form = factor * sum((X * S.T).applyfunc(lambda entry: entry**2)) - sum(S.multiply_elementwise(X)) ** 2
    along = [s[k] * X[k, k] for k in range(rank)]
    squares = rank * sum(s[k] ** 2 * X[i, k] ** 2 for k in range(rank) for i in range(m) if i != k)
    squares += sum((a - b) ** 2 for a, b in combinations(along, 2))
    return sp.expand(form - squares) == 0


@identity(sign=1)
def schur_complement(sign=-1) -> bool:
    """[[X, A], [A, Y]] = [[A, A], [A, A]] + diag(X - A, Y - A) is congruent to diag(X, Y - A X^{-1} A).

    The first is >= 0 for 0 <= A <= X, Y, so the second is: Y >= A X^{-1} A where X > 0.
    """
    block = sp.Matrix([[_A, _A], [_A, _A]]) + sp.Matrix([[_X - _A, 0], [0, _Y - _A]])
    lower = sp.Matrix([[1, 0], [-_A * _X**-1, 1]])
    upper = sp.Matrix([[1, -(_X**-1) * _A], [0, 1]])
    target = sp.Matrix([[_X, 0], [0, _Y + sign * _A * _X**-1 * _A]])
    return (lower * block * upper - target).expand() == sp.zeros(2, 2)


@identity(share=1)
def square_root_is_monotone(share=sp.S.Half) -> bool:
    """T^2 - S^2 = ((T - S)(T + S) + (T + S)(T - S))/2, so T^2 >= S^2 gives T >= S for T > 0, S >= 0.

    For an eigenvector v of T - S with eigenvalue lambda, 0 <= v^T (T^2 - S^2) v = lambda v^T (T + S) v. With T =
    (X^{-1/2} Y X^{-1/2})^{1/2} and S = X^{-1/2} A X^{-1/2}, where S^2 = X^{-1/2} A X^{-1} A X^{-1/2}.
    """
    half = _X ** sp.Rational(-1, 2)
    symmetrized = share * ((_T - _S) * (_T + _S) + (_T + _S) * (_T - _S))
    squared = (half * _A * half) ** 2 - half * _A * _X**-1 * _A * half
    return sp.expand(_T**2 - _S**2 - symmetrized) == 0 and sp.expand(squared) == 0


@identity(power=sp.Rational(1, 4))
def geometric_mean(power=sp.S.Half) -> bool:
    """X^{1/2} (X^{-1/2} Y X^{-1/2})^{1/2} X^{1/2} = L^{1/2} (x) R^{1/2} for X = L (x) I and Y = I (x) R.

    In the eigenbases of L and R all are diagonal, with entries in l_i > 0 and r_j > 0.
    """
    left, right = sp.symbols("l_i r_j", positive=True)  # the entry (i, j) of X is l_i, of Y r_j
    middle = sp.sqrt(left ** sp.Rational(-1, 2) * right * left ** sp.Rational(-1, 2))
    return vanishes(sp.sqrt(left) * middle * sp.sqrt(left) - left**power * right**power)


@identity(factor=1)
def online_step(factor=2) -> bool:
    """||d - eta H^{-1} g||_H^2 = ||d||_H^2 - 2 eta <g, d> + eta^2 ||g||_{H^{-1}}^2 for d = w_t - w*.

    Solved for <g, d> >= f_t(w_t) - f_t(w*) and summed, it gives the regret.
    """
    d, g, d_T, g_T = sp.symbols("d g d^T g^T", commutative=False)
    after = (d_T - eta * g_T * _H**-1) * _H * (d - eta * _H**-1 * g)
    inner = d_T * g + g_T * d  # twice <g, d>
    return sp.expand(after - (d_T * _H * d - sp.Rational(factor, 2) * eta * inner + eta**2 * g_T * _H**-1 * g)) == 0


@identity(factor=1)
def potential(factor=2) -> bool:
    """Tr H_t^{-1}(H_t^2 - H_{t-1}^2) <= 2 Tr(H_t - H_{t-1}), hence sum_t g_t^T H_t^{-1} g_t <= 2 Tr H_T, for H_t^2 =
    H_{t-1}^2 + g_t g_t^T: under the trace the margin is that of (H - K) H^{-1} (H - K) >= 0, K = H_{t-1}.
    """
    margin = factor * (_H - _K) - (_H - _K * _H**-1 * _K)  # Tr H^{-1} K K = Tr K H^{-1} K
    return sp.expand(margin - (_H - _K) * _H**-1 * (_H - _K)) == 0


@identity(factor=1)
def best_step(factor=2) -> bool:
    """D^2/(2 eta) + eta r is least at eta = D/sqrt(2 r), where it is sqrt(2 r) D: `shampoo_any_step` becomes `shampoo`.

    The first term is the sum of the distances, the second of the gradients: with F = (r eps I + sum g g^T)^{1/2} <= sqrt r H
    it is (eta/2) sum g^T H^{-1} g <= (eta/2) sqrt r 2 Tr F <= eta r Tr H, and Tr H = Tr(L^{1/4}) Tr(R^{1/4}).
    """
    (best,) = sp.solve(sp.diff(shampoo_any_step.value, eta), eta)
    at_best = shampoo_any_step.value.subs(eta, best)
    return vanishes(best - D / sp.sqrt(factor * r)) and vanishes(at_best - shampoo.value)
