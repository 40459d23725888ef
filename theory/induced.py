r"""Induced norms of matrices: l_1 -> l_p, l_p -> l_inf, and the same with root-mean-square lengths.

    ||A||_{l_1 -> l_p} = max_j ||A_:j||_p,      ||A||_{l_p -> l_inf} = max_i ||A_i:||_q,   1/p + 1/q = 1

    norm of an m x n matrix             dual norm                       lmo(G)                          unique iff
    l_1 -> l_2 = max column norm        sum of column norms             -G_:j / ||G_:j||                no zero column
    l_2 -> l_inf = max row norm         sum of row norms                -G_i: / ||G_i:||                no zero row
    l_1 -> l_inf = max |A_ij|           sum |G_ij|                      -sign(G)                        no zero entry
    RMS -> RMS = sqrt(n/m) spectral     sqrt(m/n) nuclear               -sqrt(m/n) U V^T                full rank
    l_1 -> RMS = max column / sqrt m    sqrt m sum of column norms      -sqrt m G_:j / ||G_:j||         no zero column
    RMS -> l_inf = sqrt n max row       sum of row norms / sqrt n       -G_i: / (sqrt n ||G_i:||)       no zero row
    n max |A_ij| (Scion's "Sign")       sum |G_ij| / n                  -sign(G)/n                      no zero entry

Hypotheses: ||x||_RMS = ||x||_2/sqrt(dim x); blocks (columns, rows, entries) B.  A norm max_B ||X_B|| composes two norms
of norms.py: <G, X> >= -sum_B ||G_B||_* ||X_B|| >= -(sum_B ||G_B||_*) max_B ||X_B||, two certificates of hoelder.py in a row.
Proved for matrices of positive symbols of the sizes in `SHAPES` (signs as in norms.signed_permutations).

Source: Bernstein and Newhouse (2024), arXiv:2409.20325; Pethick et al. (2025), arXiv:2502.07529; derived here.
"""

from itertools import combinations

import sympy as sp
from ratewitness.theory.bounds import vanishes
from ratewitness.theory.hoelder import certified, l2_certificate, linf_certificate, lp_certificate
from ratewitness.theory.identity import identity
from ratewitness.theory.norms import L1, L2, LINF, Norm, P, Q, dot, lp
from ratewitness.theory.words import S, U, Ut, V, Vt, reduced

SHAPES = ((2, 3), (3, 2), (1, 3), (3, 1))
_ARGMAX, _TRANSPOSED = {"argmax": {"sign": -1}}, {"rows for columns": {"transposed": True}}
_UNSCALED = {"unscaled": {"unscaled": True}}


def inner(A: sp.Matrix, B: sp.Matrix) -> sp.Expr:
    """<A, B> = tr(A^T B)."""
    return (A.T * B).trace()


def columns(A: sp.Matrix) -> list[list]:
    return [list(A[:, j]) for j in range(A.cols)]


def rows(A: sp.Matrix) -> list[list]:
    return columns(A.T)


def entries(A: sp.Matrix) -> list[list]:
    return [[entry] for entry in A]


def largest_block(norm: Norm, blocks, c=lambda m, n: 1) -> Norm:
    """c(m, n) max_B ||X_B||, with its dual sum_B ||G_B||_*/c and its oracle lmo(G_B)/c in every block."""

    def lmo(G):
        parts = [[entry / c(*G.shape) for entry in norm.lmo(block)] for block in blocks(G)]
        flat = sp.Matrix(parts)
        return flat.T if blocks is columns else sp.Matrix(*G.shape, list(flat))

    return Norm(
        value=lambda A: c(*A.shape) * sp.Max(*map(norm.value, blocks(A))),
        dual=lambda G: sp.Add(*map(norm.dual, blocks(G))) / c(*G.shape),
        lmo=lmo,
    )


COLUMN = largest_block(L2, columns)
ROW = largest_block(L2, rows)
MAX_ABS = largest_block(LINF, entries)
L1_TO_RMS = largest_block(L2, columns, lambda m, n: 1 / sp.sqrt(m))
RMS_TO_LINF = largest_block(L2, rows, lambda m, n: sp.sqrt(n))
SIGN = largest_block(LINF, entries, lambda m, n: sp.Integer(n))


def positive_matrix(m: int, n: int) -> sp.Matrix:
    return sp.Matrix(m, n, sp.symbols(f"g1:{m * n + 1}", positive=True))


def _attains(norm: Norm, sign=1, against: Norm | None = None) -> bool:
    """<G, lmo(G)> = -||G||_* and ||lmo(G)|| = 1, here or with the oracle of another norm, for every shape."""

    def holds(m, n):
        G = positive_matrix(m, n)
        X = sign * (against or norm).lmo(G)
        return vanishes(inner(G, X) + norm.dual(G)) and vanishes(norm.value(X) - 1)

    return all(holds(m, n) for m, n in SHAPES)


@identity(wrong={"dual exponent": {"p": Q}})
def from_l1(p=P) -> bool:
    """||A x||_p <= sum |x_j| c_j (``triangle``), c_j = ||A_:j||_p, <= max c sum |x_j|, as sum (max c - c_j)|x_j| >= 0; and
    A e_j = A_:j attains it (2 x 3, columns in order of their norms)."""
    c, x = sp.symbols("c1:4", positive=True), sp.symbols("x1:4", nonnegative=True)
    lengths = [c[0] + c[1] + c[2], c[1] + c[2], c[2]]
    slack = [(lengths[0] - length, entry) for length, entry in zip(lengths, x, strict=True)]
    bounded = certified(lengths[0] * sp.Add(*x), dot(lengths, x), slack)
    A = positive_matrix(2, 3)
    units = [[int(i == j) for i in range(3)] for j in range(3)]
    lengths = [(A[0, j] ** P + A[1, j] ** P) ** (1 / P) for j in range(3)]
    attained = all(
        vanishes(lp(p).value(list(A * sp.Matrix(unit))) - length) for unit, length in zip(units, lengths, strict=True)
    )
    return bounded and triangle() and attained and all(L1.value(unit) == 1 for unit in units)


@identity(wrong={"power 2": {"factor": 2}})
def triangle(factor=1) -> bool:
    """Minkowski, term by term for every n: ||u + v||_p^p = sum (u_i + v_i)(u_i + v_i)^(p-1) <= (||u||_p + ||v||_p)
    ||(u + v)^(p-1)||_q by Hoelder twice, and the last factor is ||u + v||_p^(p-1)."""
    w, W = sp.symbols("w W", positive=True)  # u_i + v_i, and the sum of its p-th powers
    split = vanishes(sp.powsimp(w * w ** (P - 1) - w**P))
    conjugate = vanishes(sp.powsimp((w ** (P - 1)) ** Q) - w**P)
    divided = vanishes(sp.powsimp(W / (W ** (1 / Q) * W ** (1 / P)) ** factor) - 1)
    return split and conjugate and divided and lp_certificate()


@identity(wrong={"the same exponent": {"exponent": P}})
def to_linf(exponent=Q) -> bool:
    """|<A_i:, x>| <= ||A_i:||_q ||x||_p by Hoelder, and x = -lmo_p(A_i:) attains it in row i (2 x 3)."""
    A = positive_matrix(2, 3)
    x = [-entry for entry in lp(P).lmo(rows(A)[0])]
    reached = sp.powsimp((A * sp.Matrix(x))[0] - lp(exponent).value(rows(A)[0]))
    return lp_certificate() and vanishes(reached) and vanishes(lp(P).value(x) - 1)


@identity(wrong={"sqrt(m/n)": {"power": -1}})
def rms_lengths(power=1) -> bool:
    """||A x||_RMS/||x||_RMS = sqrt(n/m) ||A x||_2/||x||_2, ||A x||_RMS = ||A x||_2/sqrt m, ||x||_2 = sqrt n ||x||_RMS: the
    three scale factors of the table."""
    m, n, Ax, x = sp.symbols("m n Ax x", positive=True)
    image, point = Ax / sp.sqrt(m), x / sp.sqrt(n)  # the RMS lengths
    both = vanishes(image / point - sp.sqrt(n / m) ** power * Ax / x)
    return both and vanishes(image / x - Ax / x / sp.sqrt(m)) and vanishes(Ax / point - sp.sqrt(n) * Ax / x)


@identity(wrong={"argmax": {"sign": -1}})
def blockwise(sign=1) -> bool:
    """The certificate of a largest block: <G, X> + sum_B ||G_B|| t is what Cauchy-Schwarz leaves in each block, plus
    sum_B ||G_B|| (t - ||X_B||), the slack of l_inf, with t the largest block."""
    g, b = sp.symbols("g1:4", positive=True), sp.symbols("b1:4", nonnegative=True)  # ||G_B||; what each block leaves
    x = sp.symbols("y1:4", nonnegative=True)
    lengths = [x[0] + x[1] + x[2], x[1] + x[2], x[2]]
    pairing = sp.Add(*(length * weight - left for length, weight, left in zip(lengths, g, b, strict=True)))
    slack = [(left, 1) for left in b]
    slack += [(weight, lengths[0] - length) for weight, length in zip(g, lengths, strict=True)]
    slack = [tuple(map(sp.sympify, factors)) for factors in slack]
    return certified(sign * lengths[0] * sp.Add(*g), pairing, slack) and l2_certificate() and linf_certificate()


@identity(wrong=_ARGMAX | _TRANSPOSED)
def column(sign=1, transposed=False) -> bool:
    """l_1 -> l_2: columns divided by their lengths."""
    return _attains(COLUMN, sign, ROW if transposed else None)


@identity(wrong=_ARGMAX | _TRANSPOSED)
def row(sign=1, transposed=False) -> bool:
    """l_2 -> l_inf: rows divided by their lengths."""
    return _attains(ROW, sign, COLUMN if transposed else None)


@identity(wrong=_ARGMAX)
def max_abs(sign=1) -> bool:
    """l_1 -> l_inf: the signs."""
    return _attains(MAX_ABS, sign)


@identity(wrong=_ARGMAX | _UNSCALED)
def l1_to_rms(sign=1, unscaled=False) -> bool:
    """l_1 -> RMS: columns of length sqrt m."""
    return _attains(L1_TO_RMS, sign, COLUMN if unscaled else None)


@identity(wrong=_ARGMAX | _UNSCALED)
def rms_to_linf(sign=1, unscaled=False) -> bool:
    """RMS -> l_inf: rows of length 1/sqrt n."""
    return _attains(RMS_TO_LINF, sign, ROW if unscaled else None)


@identity(wrong=_ARGMAX | _UNSCALED)
def scion_sign(sign=1, unscaled=False) -> bool:
    """n max |A_ij|: signs over n."""
    return _attains(SIGN, sign, MAX_ABS if unscaled else None)


@identity(wrong={"scale sqrt(n/m)": {"power": -1}})
def rms_to_rms(power=1) -> bool:
    """RMS -> RMS = sqrt(n/m) spectral, for every size: X = -c U V^T, c = sqrt(m/n), has <G, X> = -c tr S = -||G||_*, as
    G^T X = -c V S V^T, and all its singular values are c, as X^T X = c^2 V V^T, so its norm is sqrt(n/m) c = 1."""
    m, n = sp.symbols("m n", positive=True)
    c = sp.sqrt(m / n) ** power
    pairing = reduced(V * S * Ut * (-c * U * Vt) + sp.sqrt(m / n) * V * S * Vt) == 0
    return pairing and reduced(c**2 * V * Ut * U * Vt - m / n * V * Vt) == 0 and vanishes(sp.sqrt(n / m) * c - 1)


@identity(wrong={"last entries 1": {"zero": 1}})
def zero_blocks(zero=0) -> bool:
    """A zero column, row or entry leaves its block of X free in the ball: "unique iff" in the table, its "only if".  "If":
    equality in `blockwise` forces ||X_B|| = t where ||G_B|| > 0, and Cauchy-Schwarz then leaves -G_B/||G_B|| alone."""
    a, b, f = sp.symbols("a b f", positive=True)
    G = sp.Matrix([[a, zero], [b, zero]])
    X = -sp.Matrix([[a, 0], [b, f]]) * sp.diag(1 / sp.sqrt(a**2 + b**2), 1)  # f in (0, 1]
    free = vanishes(inner(G, X) + COLUMN.dual(G)) and vanishes(inner(G.T, X.T) + ROW.dual(G.T))
    g, x = sp.symbols("g1:4", positive=True), sp.symbols("x1:4", real=True)
    parallel = sp.solve([g[i] * x[j] - g[j] * x[i] for i, j in combinations(range(3), 2)], x[1:], dict=True)
    entry = vanishes(inner(sp.Matrix([[a, zero]]), sp.Matrix([[-1, f]])) + L1.value([a, zero]))
    return free and entry and parallel == [{x[1]: g[1] * x[0] / g[0], x[2]: g[2] * x[0] / g[0]}]
