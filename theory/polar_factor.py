r"""U V^T is the polar factor of G = U S V^T, and the orthogonal matrix nearest to G.

    G = (U V^T) H,   H = V S V^T = (G^T G)^{1/2} positive semidefinite
    ||G - Q||_F^2 - ||G - U V^T||_F^2 = 2 sum_i s_i (1 - w_ii) >= 0,   W = U^T Q V orthogonal

Hypotheses: G square or with orthonormal columns in U and V, s_i >= 0. An orthogonal W has |w_ii| <= 1, its columns being
unit vectors. H is unique, and U V^T is where all s_i > 0. The identities are proved for 2 x 2 matrices with U, V and Q
any rotations or reflections; in every dimension the same cancellation of U^T U and V^T V
is read off, not proved here.

Each proof returns True iff sympy reduces the difference of both sides to zero.

Source: Fan and Hoffman (1955); Higham (2008), Functions of Matrices, chapter 8.
"""

import sympy as sp
from ratewitness.theory.identity import identity

_s1, _s2 = sp.symbols("s_1 s_2", positive=True)
_circles = [sp.symbols(f"c_{i} s_{i}") for i in range(3)]  # cosine and sine


def _orthogonal(circle, sign) -> sp.Matrix:
    """The rotation, or (sign = -1) a reflection, with this cosine and sine."""
    cosine, sine = circle
    return sp.Matrix([[cosine, -sign * sine], [sine, sign * cosine]])


def _vanishes(expression: sp.Expr) -> bool:
    """Whether the polynomial is zero for all angles: its remainder modulo every c^2 + s^2 - 1, a Groebner basis."""
    relations = [cosine**2 + sine**2 - 1 for cosine, sine in _circles]
    return sp.reduced(expression, relations, *sum(_circles, ()))[1] == 0


def _cases():
    """U, S, V for every pair of rotation and reflection."""
    for first in (1, -1):
        for second in (1, -1):
            yield _orthogonal(_circles[0], first), sp.diag(_s1, _s2), _orthogonal(_circles[1], second)


@identity(wrong={"the transposed factor V U^T": {"transposed": True}})
def factorizes(transposed=False) -> bool:
    """G = (U V^T) H with H^2 = G^T G, H symmetric with the eigenvalues s_i.

    >>> factorizes(), factorizes(transposed=True)
    (True, False)
    """
    for U, S, V in _cases():
        G, H = U * S * V.T, V * S * V.T
        factor = V * U.T if transposed else U * V.T
        differences = [*(factor * H - G), *(H * H - G.T * G), *(H - H.T), *(H * V - V * S)]
        if not all(_vanishes(entry) for entry in differences):
            return False
    return True


@identity(wrong={"half the difference": {"factor": 1}, "three halves of the difference": {"factor": 3}})
def is_nearest(factor=2) -> bool:
    """The difference of the squared distances is 2 sum s_i (1 - w_ii), for rotations and reflections Q; and 1 - w_ii^2 is
    the square of the other entry of its column, so |w_ii| <= 1 and no summand is negative.

    >>> is_nearest(), is_nearest(factor=1)
    (True, False)
    """
    for U, S, V in _cases():
        G = U * S * V.T
        for sign in (1, -1):
            Q = _orthogonal(_circles[2], sign)
            W = U.T * Q * V
            gain = factor * sum(S[i, i] * (1 - W[i, i]) for i in range(2))
            difference = sum(z**2 for z in G - Q) - sum(z**2 for z in G - U * V.T)
            unit = all(_vanishes(1 - W[i, i] ** 2 - W[1 - i, i] ** 2) for i in range(2))
            if not (unit and _vanishes(difference - gain)):
                return False
    return True
