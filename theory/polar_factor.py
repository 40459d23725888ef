r"""U V^T is the polar factor of G = U S V^T, and the nearest matrix with orthonormal columns.

    G = (U V^T) H,   H = V S V^T = (G^T G)^{1/2} positive semidefinite
    ||G - Q||_F^2 - ||G - U V^T||_F^2 = ||(Q V - U) S^{1/2}||_F^2 >= 0     whenever  Q^T Q = I

Hypotheses: G is m x n with m >= n (or transposed), U (m x n) and Q have orthonormal columns, V is orthogonal, s_i >= 0. H is
unique, and Q = U V^T is where all s_i > 0: then (Q V - U) S^{1/2} = 0 gives Q V = U. The identities are proved for matrices
of every size, as words of symbols that do not commute (words.py).

Source: Fan and Hoffman (1955); Higham (2008), Functions of Matrices, chapter 8.
"""

import sympy as sp
from ratewitness.theory.identity import identity
from ratewitness.theory.words import H, S, U, Ut, V, Vt, X, Xt, inner, reduced, transposed

_I = sp.Symbol("I_n", commutative=False)  # the identity of one size, whose trace is a letter: V is square, X is Q
_SQUARE = {Ut * U: _I, Vt * V: _I, V * Vt: _I, _I * _I: _I, _I * H: H, H * _I: H}
_SQUARE |= {a: b for left in (U, V, X, Vt) for a, b in ((left * _I, left), (_I * transposed(left), transposed(left)))}


@identity(wrong={"the transposed factor V U^T": {"factor": V * Ut}, "H = U S U^T": {"H": U * S * Ut}})
def factorizes(factor=U * Vt, H=V * S * Vt) -> bool:
    """G = (U V^T) H with H^2 = G^T G, H symmetric with the eigenvalues s_i: H V = V S.

    >>> factorizes(), factorizes(factor=V * Ut)
    (True, False)
    """
    G = U * S * Vt
    differences = [factor * H - G, H * H - transposed(G) * G, H - transposed(H), H * V - V * S]
    return all(reduced(each) == 0 for each in differences)


@identity(wrong={"half the difference": {"factor": sp.S.Half}, "Q^T Q = I/2": {"gram": sp.S.Half}})
def is_nearest(factor=1, gram=sp.S.One) -> bool:
    """||G - Q||_F^2 - ||G - U V^T||_F^2 = ||(Q V - U) H||_F^2 with H^2 = S.

    >>> is_nearest(), is_nearest(factor=2)
    (True, False)
    """
    relations = _SQUARE | {Xt * X: gram * _I}
    G, polar, rest = U * H**2 * Vt, U * Vt, (X * V - U) * H
    distances = inner(G - X, G - X, relations) - inner(G - polar, G - polar, relations)
    return sp.expand(distances - factor * inner(rest, rest, relations)) == 0
