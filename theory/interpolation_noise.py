r"""How much noise the interpolating polynomial passes on: a property of the nodes.

    gain(x) = sum_j l_j(x)^2,        Var p(x) = sigma^2 gain(x),        gain(x_j) = 1

where p is the polynomial of degree below n through values with independent noise of variance sigma^2 at n distinct nodes of
[-1, 1], and l_j are their Lagrange polynomials. It is the variance of least squares with n coefficients, in whatever basis:
at the interpolation threshold. No nodes have a maximum below 1. The mean is that over [-1, 1].

Proved here, the sums over nodes in exact rational arithmetic (a trace), which no node enters:
 1. Chebyshev nodes, the zeros of T_n: gain = 1 + (U_{2n-2} - 1)/(2n), at most 2 - 1/n, attained at both ends, with mean
    1 - (n-1)/(n (2n-1)) (`chebyshev`: the sum of cosines for every n, the whole for n <= 6);
 2. Legendre-Lobatto nodes, the zeros of (1 - x^2) P'_{n-1}: gain = 1 - (1 - x^2) P'_{n-1}(x)^2/(n (n-1)), at most 1, with
    mean 1 - 1/(2n-1) (`lobatto`: why the maxima are at the nodes for every n, the whole for n <= 6);
 3. equispaced nodes: half a step from an end the gain is (C(2N,N)/4^N)^2 sum_j C(N,j)^2/(2j-1)^2, N = n-1, which is at least
    4^N/(8 N^{3/2} (2N-1)^2): exponential growth (`equispaced`: the formula for N <= 7, the bound for every N);
 4. fits of least norm in 1, sqrt2 T_1, ..., sqrt2 T_{d-1} at Chebyshev nodes: T_{2nm+k} and T_{2nm-k} are (-1)^m T_k there
    (`aliases`), so the squared norm of the noise in the coefficients, the mean square of the polynomial in the density
    1/(pi sqrt(1-x^2)), is `aliased_variance`: sigma^2 d/n up to sigma^2 at d = n, then it falls. A peak without a pole.

Sources: L. Fejer (1932), Ann. Scuola Norm. Sup. Pisa 1, for 2; L. N. Trefethen (2019), Approximation Theory and
Approximation Practice, for aliases and equispaced nodes; proofs here.
"""

import numpy as np
import sympy as sp
from numpy.polynomial import legendre
from numpy.typing import ArrayLike
from ratewitness.theory.bounds import N, vanishes
from ratewitness.theory.identity import identity
from scipy.special import comb, eval_chebyu, roots_jacobi
from sympy.polys.matrices import DomainMatrix

_x, _t = sp.symbols("x t", real=True)


def chebyshev_nodes(n: int) -> np.ndarray:
    """The zeros of T_n, cos((2j-1) pi/(2n)), ascending."""
    return -np.cos((2 * np.arange(_count(n)) + 1) * np.pi / (2 * n))


def lobatto_nodes(n: int) -> np.ndarray:
    """-1, the zeros of P'_{n-1}, and 1: the n points of [-1, 1] with the largest Vandermonde determinant (Fekete)."""
    return np.array([-1.0, *(roots_jacobi(n - 2, 1, 1)[0] if _count(n) > 2 else []), 1.0])


def gain(nodes: ArrayLike, x: ArrayLike) -> np.ndarray:
    """sum_j l_j(x)^2 for nodes (n,) at the points x (points,), from products, to relative accuracy about n eps.

    >>> gain([-1, 0, 1], [0.0, 0.5, 2.0]).tolist()
    [1.0, 0.71875, 19.0]
    """
    nodes, x = np.asarray(nodes, dtype=float), np.asarray(x, dtype=float)
    if nodes.ndim != 1 or len(nodes) < 2 or len(np.unique(nodes)) < len(nodes) or not np.isfinite(nodes).all():
        raise ValueError(f"nodes are {nodes.tolist()}; accepted are 2 or more distinct finite numbers in one axis")
    total = np.zeros(x.shape)
    for j, node in enumerate(nodes):
        others = np.delete(nodes, j)
        total += ((x[..., None] - others) / (node - others)).prod(-1) ** 2
    return total


def mean_gain(nodes: ArrayLike) -> float:
    """The mean of the gain over [-1, 1]: Gauss quadrature that is exact for its degree.

    >>> round(mean_gain([-1, 0, 1]), 12)  # Legendre-Lobatto: 1 - 1/5
    0.8
    """
    x, weights = legendre.leggauss(len(np.atleast_1d(nodes)))
    return float(gain(nodes, x) @ weights / 2)


def chebyshev_gain(n: int, x: ArrayLike) -> np.ndarray:
    """1 + (U_{2n-2}(x) - 1)/(2n).

    >>> chebyshev_gain(4, [-1.0, 1.0]).tolist()
    [1.75, 1.75]
    """
    return 1 + (eval_chebyu(2 * _count(n) - 2, np.asarray(x, dtype=float)) - 1) / (2 * n)


def lobatto_gain(n: int, x: ArrayLike) -> np.ndarray:
    """1 - (1 - x^2) P'_{n-1}(x)^2/(n (n-1)).

    >>> lobatto_gain(3, [0.0, 0.5, 1.0]).tolist()
    [1.0, 0.71875, 1.0]
    """
    x = np.asarray(x, dtype=float)
    slope = legendre.legval(x, legendre.legder(np.eye(_count(n))[-1]))
    return 1 - (1 - x**2) * slope**2 / (n * (n - 1))


def equispaced_gain(n: int) -> float:
    """Of n equispaced nodes, half a step from an end.

    >>> equispaced_gain(3), float(gain([-1, 0, 1], [-0.5])[0])
    (0.71875, 0.71875)
    """
    j = np.arange(_count(n))
    half = comb(2 * n - 2, n - 1) / 4.0 ** (n - 1)
    return float(half**2 * (comb(n - 1, j) ** 2 / (2.0 * j - 1) ** 2).sum())


def aliased_variance(n: int, d: int) -> float:
    """E||what - E what||^2 over sigma^2, for the fit of least norm in 1, sqrt2 T_1, ..., sqrt2 T_{d-1} at n Chebyshev nodes.

    (1/n) sum_k 1/M_k, where M_k counts the degrees below d that are k or -k modulo 2n, those of k = 0 but the first twice.

    >>> [aliased_variance(4, d) for d in (2, 4, 5, 6)]
    [0.5, 1.0, 1.0, 0.875]
    """
    if d < 1:
        raise ValueError(f"d is {d}; accepted are integers >= 1")
    degree = np.arange(d)
    first = np.minimum(degree % (2 * _count(n)), -degree % (2 * n))
    weights = np.bincount(first, np.where(degree == 0, 1, 2), n + 1)[:n]  # degree n is 0 at the nodes
    weights[1:] /= 2
    return float((1 / weights[weights > 0]).sum() / n)


def _count(n: int) -> int:
    if n < 2:
        raise ValueError(f"n is {n}; accepted are integers >= 2")
    return n


def exact_gain(nodal: sp.Expr) -> sp.Expr:
    """sum_j l_j(x)^2 over the zeros of a polynomial in x with rational coefficients and simple zeros, which it never finds.

    l_y(x) = (w(x) - w(y))/((x - y) w'(y)) is a polynomial in x whose coefficients are functions of the zero y; the sums of
    these over the zeros are traces of the same functions of the companion matrix.
    """
    w = [sp.QQ.from_sympy(each) for each in reversed(sp.Poly(nodal, _x).all_coeffs())]
    n = len(w) - 1
    A = [[sp.QQ(int(i == j + 1)) - (w[i] / w[n] if j == n - 1 else 0) for j in range(n)] for i in range(n)]
    A, I = DomainMatrix(A, (n, n), sp.QQ), DomainMatrix.eye(n, sp.QQ)
    powers = [I.to_dense()]
    for _ in range(n):
        powers.append(powers[-1] * A)
    slope = sum((powers[i - 1] * (i * w[i]) for i in range(2, n + 1)), powers[0] * w[1])
    inverse = slope.inv()
    parts = [sum((powers[i - 1 - k] * w[i] for i in range(k + 2, n + 1)), powers[0] * w[k + 1]) * inverse for k in range(n)]
    products = {(k, m): (parts[k] * parts[m]).to_Matrix().trace() for k in range(n) for m in range(k, n)}
    return sum(trace * (1 if k == m else 2) * _x ** (k + m) for (k, m), trace in products.items())


def _average(polynomial: sp.Expr) -> sp.Expr:
    return sp.integrate(sp.expand(polynomial), (_x, -1, 1)) / 2


@identity(wrong={"maximum 2": {"lost": 0}, "U_{2n-1}": {"degree": 1}})
def chebyshev(lost=1, degree=2) -> bool:
    """gain = (1/n) (1 + 2 sum_{k=1}^{n-1} T_k^2): cosines of even multiples of t, whose sum telescopes.

    2 sin t cos 2kt = sin (2k+1)t - sin (2k-1)t for every k, so the sum over 1 <= k < n is (U_{2n-2} - 1)/2, of which every
    term is largest at t = 0. Mean of U_{2n-2}: 1/(2n-1).
    """
    k = sp.Symbol("k", integer=True, positive=True)
    step = sp.expand_trig(sp.sin((2 * k + 1) * _t) - sp.sin((2 * k - 1) * _t) - 2 * sp.sin(_t) * sp.cos(2 * k * _t))
    if not vanishes(step):
        return False
    for n in range(2, 7):
        value = sp.expand(1 + (sp.chebyshevu(2 * n - degree, _x) - 1) / (2 * n))
        sums = (1 + 2 * sum(sp.chebyshevt(k, _x) ** 2 for k in range(1, n))) / n
        same = sp.expand(exact_gain(sp.chebyshevt(n, _x)) - value) == 0 == sp.expand(sums - value)
        top = value.subs(_x, 1) == 2 - sp.Rational(lost, n) == value.subs(_x, -1)
        if not (same and top and _average(value) == 1 - sp.Rational(n - 1, n * (2 * n - 1))):
            return False
    return True


@identity(wrong={"n^2 for n (n-1)": {"lower": 0}, "nodes of Gauss": {"ends": 0}})
def lobatto(lower=1, ends=1) -> bool:
    """1 - gain is a square times 1 - x^2: it has a double zero at each of the n-2 inner nodes and a zero at both ends.

    w = (1 - x^2) P' has w' = -N (N+1) P and so w'' = 0 at the inner nodes (N = n-1), where l_j' = w''/(2 w') = 0: with
    degree 2n-2 that leaves the factor, which the slope at 1 gives: l' = w''/(2 w') = N (N+1)/4 there.
    """
    P = sp.Function("P")(_x)
    bent = (N * (N + 1) * P - 2 * _x * P.diff(_x)) / (_x**2 - 1)  # P'' of Legendre's equation
    w = (1 - _x**2) * P.diff(_x)
    first = w.diff(_x).subs(P.diff(_x, 2), bent)
    if not vanishes(first + N * (N + 1) * P):
        return False
    for n in range(2, 7):
        slope = sp.legendre(n - 1, _x).diff(_x)
        nodal = sp.expand((1 - _x**2) * slope) if ends else sp.legendre(n, _x)
        value = 1 - (1 - _x**2) * slope**2 / (n * (n - lower))
        if sp.expand(exact_gain(nodal) - value) != 0 or _average(value) != 1 - sp.Rational(1, 2 * n - 1):
            return False
    return True


@identity(wrong={"a whole step from the end": {"at": 1}, "growth by more than 4": {"growth": sp.Rational(9, 2)}})
def equispaced(at=sp.S.Half, growth=4) -> bool:
    """The nodes 0, 1, ..., N at 1/2, in integers; the sum is at least C(2N,N)/(2N-1)^2, and C(2N,N) at least 4^N/(2 sqrt N).

    For sum_j C(N,j)^2 = C(2N,N), and C(2N,N) sqrt N/4^N is 1/2 for N = 1 and grows.
    """
    for last in range(1, 8):
        nodal = sp.prod([_x - i for i in range(last + 1)])
        half = sp.binomial(2 * last, last) / sp.Integer(4) ** last
        squares = [sp.binomial(last, j) ** 2 for j in range(last + 1)]
        value = half**2 * sum(square / sp.Integer(2 * j - 1) ** 2 for j, square in enumerate(squares))
        if exact_gain(sp.expand(nodal)).subs(_x, at) != value or sum(squares) != sp.binomial(2 * last, last):
            return False
    ratio = sp.factor((2 * (2 * N + 1) / (N + 1)) ** 2 * (N + 1) / (N * growth**2) - 1)  # of C(2N,N)^2 N/16^N, less 1
    following = sp.binomial(2 * N + 2, N + 1) / sp.binomial(2 * N, N) - 2 * (2 * N + 1) / (N + 1)
    return vanishes(sp.combsimp(following)) and bool(ratio.is_positive)


@identity(wrong={"period n": {"period": 1}, "no sign": {"sign": 1}})
def aliases(period=2, sign=-1) -> bool:
    """T_{2nm+k} = T_{2nm-k} = (-1)^m T_k at cos((2j-1) pi/(2n)), for every n, m, k and j; T_n is 0 there.

    The fit of least norm splits a value z over features a_i v of one class as a_i z/sum a^2, of squared norm z^2/sum a^2.
    """
    n, k, m, j = sp.symbols("n k m j", integer=True, positive=True)
    angle = (2 * j - 1) * sp.pi / (2 * n)
    turn = sp.expand(period * n * m * angle)
    for side in (1, -1):
        found = sp.cos(turn) * sp.cos(k * angle) - side * sp.sin(turn) * sp.sin(k * angle)  # of the sum of angles
        if not vanishes(found - sp.Integer(sign) ** m * sp.cos(k * angle)):
            return False
    a = sp.symbols("a1:4", positive=True)
    total = sum(each**2 for each in a)
    return vanishes(sum((each / total) ** 2 for each in a) - 1 / total) and vanishes(sp.cos(sp.expand(n * angle)))
