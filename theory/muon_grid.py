r"""Exact Muon with a constant step on a quadratic: a walk on a grid, which stalls at the scale of its step.

    f(W) = <E, A E B>/2,  E = W - W*,       E' = E - a polar(A E B)

    E = U D V^T in eigenvectors of A and B:    d_i' = d_i - a sign(d_i)              every signed singular value by itself
    in any basis, for any f, with momentum:    ||E||_F^2 + ||E'||_F^2 >= r a^2/2,    r the rank of the step

Hypotheses: A, B symmetric and positive definite, a > 0 constant, polar(G) = U V^T of G = U S V^T. In the first line A U = U
Lambda, B V = V M with diagonal Lambda, M > 0: then G = A E B = U C P V^T with C = sign D and P = Lambda |D| M, polar(G) = U
C V^T, and A and B are not in the walk at all. From |d_i| = r_i + n a, 0 < r_i < a, it takes n steps to r_i, and then goes to
and fro between r_i and r_i - a for ever: however long the run, the gap stays above the sum of lambda_i mu_i times half the
square of the smaller of r_i and a - r_i. But toward larger curvature the walk is not stable there:
what an error has outside, in an eigenvector of A whose eigenvalue is rho lambda_i, is multiplied by 1 - rho a/|d_i| in a
step, hence by 1 + rho (rho - 1) a^2/(r_i (a - r_i)) when d_i has gone to and fro (to first order): more than 1 for rho > 1,
and for rho < 1 at most 1 in modulus unless r_i (a - r_i) < rho (1 - rho) a^2/2, which is near either end of the cell.

The second line is the parallelogram law for two points that are a step of length a sqrt r apart; where f - f* >= (mu/2)
||E||_F^2, two gaps in a row sum to at least mu r a^2/4. It is attained by E = (a/2) polar(G).

Source: A. Gonon, A.-A. Musat and N. Boumal (2026), arXiv:2602.11948, for the confinement to a grid; proofs here.
"""

import numpy as np
import sympy as sp
from ratewitness.theory.bounds import a, vanishes
from ratewitness.theory.identity import identity
from ratewitness.theory.words import ORTHONORMAL, U, V, Vt, X, Y, inner, reduced, transposed

_C, _P, _I, _D = sp.symbols("C P P^-1 D", commutative=False)  # diagonal: sign and modulus of G, |D| is D
_SIGNS = ORTHONORMAL | {_C * _C: sp.S.One, _P * _C: _C * _P, _I * _C: _C * _I, _P * _I: sp.S.One, _I * _P: sp.S.One}


@identity(wrong={"power -1": {"power": 2}, "the gradient itself": {"power": 0}})
def polar_of_an_aligned_gradient(power=1) -> bool:
    """G = U C P V^T has (G^T G)^{-1/2} = V P^{-1} V^T, as its square times G^T G is V V^T, and so the polar factor U C V^T,
    whatever P > 0: with E = U C D V^T, D > 0, the next error is U C (D - a) V^T."""
    G, R = U * _C * _P * Vt, V * _I**power * Vt
    is_root = reduced(R * R * transposed(G) * G - V * Vt, _SIGNS) == 0
    step = reduced(G * R - U * _C * Vt, _SIGNS) == 0
    after = U * _C * _D * Vt - a * U * _C * Vt - U * _C * (_D - a) * Vt
    return is_root and step and sp.expand(after) == 0


@identity(wrong={"half the step": {"share": sp.S.Half}, "a grid of 2 a": {"share": 2}})
def walk(share=1) -> bool:
    """d - a sign d leads from r + (n + 1) a to r + n a, from r to r - a and from r - a back to r, for 0 < r < a, n >= 0."""
    gap, rest = sp.symbols("gap rest", positive=True)
    n = sp.Symbol("n", nonnegative=True, integer=True)
    step, remainder = rest + gap, rest  # r < a

    def after(d):
        return d - share * step * sp.sign(d)

    down = vanishes(after(remainder + (n + 1) * step) - (remainder + n * step))
    return down and vanishes(after(remainder) + gap) and vanishes(after(-gap) - remainder)


@identity(wrong={"d not alternating": {"back": 0}})
def to_and_fro(back=1) -> bool:
    """e - a rho e/|d|, from normalizing (d, rho e) to first order in e, at |d| = r and then at |d| = a - r."""
    d, e, rho, length = sp.symbols("d e rho a", positive=True)
    once = sp.diff(e - length * rho * e / sp.sqrt(d**2 + (rho * e) ** 2), e).subs(e, 0)
    twice = once * once.subs(d, length - d if back else d)
    return vanishes(sp.simplify(twice - 1 - rho * (rho - 1) * length**2 / (d * (length - d))))


@identity(wrong={"twice the sum": {"share": 1}})
def two_in_a_row(share=sp.S.Half) -> bool:
    """||E||^2 + ||E - a P||^2 = ||2 E - a P||^2/2 + a^2 ||P||^2/2, so >= r a^2/2 for ||P||_F^2 = r; equal at 2 E = a P."""
    after, middle = X - a * Y, 2 * X - a * Y  # P is Y
    total = inner(X, X) + inner(after, after) - inner(middle, middle) / 2
    return sp.expand(total - share * a**2 * inner(Y, Y)) == 0


def on_the_grid(d, a, k):
    """d_k from d_0 after k steps of d - a sign d: arrays that broadcast, 0 at 0.

    >>> [round(float(on_the_grid(-1.3, 0.5, k)), 12) for k in range(5)]
    [-1.3, -0.8, -0.3, 0.2, -0.3]
    """
    size = np.abs(d)
    steps = np.floor(size / a)  # until it is below a
    rest = size - steps * a
    late = np.where(((k - steps) % 2 == 1) & (rest > 0), rest - a, rest)
    return np.sign(d) * np.where(k <= steps, size - k * a, late)
