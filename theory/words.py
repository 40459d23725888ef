r"""Matrices of every size as symbols that do not commute: products are words, and a trace knows them up to rotation.

    U^T U = V^T V = I          tr(A B) = tr(B A),   tr(A^T) = tr(A)

What is proved by these rules alone is proved for all sizes for which the products make sense. U (m x k) and V (n x k) have
orthonormal columns, H is diagonal and nonnegative, S = H^2 holds the singular values of G = U S V^T. The number 1 stands for
the identity of any size, so that no trace of it is known: `trace` and `inner` raise where one is met.
"""

from collections.abc import Iterable, Iterator, Sequence

import sympy as sp

U, Ut, V, Vt, S, D, H = sp.symbols("U Ut V Vt S D H", commutative=False)  # Ut is U^T; S, D and H are diagonal
X, Xt, Y, Yt, Z, Zt = sp.symbols("X Xt Y Yt Z Zt", commutative=False)  # any matrices
ORTHONORMAL = {Ut * U: sp.S.One, Vt * V: sp.S.One}
_PAIRS = ((U, Ut), (V, Vt), (X, Xt), (Y, Yt), (Z, Zt))
_TRANSPOSES = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])}


def transposed(expression: sp.Expr) -> sp.Expr:
    """The transpose of a sum of words; S, D, H and every symbol without a partner are symmetric.

    >>> transposed(U * S * Vt)
    V*S*Ut
    """
    words = ((c, [_TRANSPOSES.get(f, f) for f in reversed(word)]) for c, word in _words(expression))
    return sp.Add(*(c * sp.Mul(*word) for c, word in words))


def reduced(expression: sp.Expr, relations: dict = ORTHONORMAL) -> sp.Expr:
    """A sum of words after the relations, by default that U and V have orthonormal columns.

    >>> reduced(Vt * V * S * Ut * U)
    S
    """
    expression = sp.expand(expression)
    while (shorter := sp.expand(expression.subs(relations))) != expression:
        expression = shorter
    return expression


def trace(expression: sp.Expr, relations: dict = ORTHONORMAL) -> sp.Expr:
    """The trace of a sum of words: each reduced, and standing for all its rotations and those of its transpose.

    ValueError where a word is a number, or becomes one: the trace of an identity is its size, and numbers of different
    sizes do not cancel.

    >>> trace(V * S * Ut * U * Vt - S), trace(Ut * X * V * S - Vt * Xt * U * S)
    (0, 0)
    """
    total, before = _summed((c, reduced(sp.Mul(*word), relations)) for c, word in _words(expression)), None
    while total != before:  # a rotation may bring together what the relations shorten
        before = total
        total = sp.Add(*(c * sp.Mul(*_least(word)) for c, word in _words(total)))
        total = _summed((c, _shortest(word, relations)) for c, word in _words(total))
    return total


def inner(A: sp.Expr, B: sp.Expr, relations: dict = ORTHONORMAL) -> sp.Expr:
    """<A, B> = tr(A^T B)."""
    return trace(transposed(A) * B, relations)


def _summed(parts: Iterable[tuple[sp.Expr, sp.Expr]]) -> sp.Expr:
    """The sum of coefficients times words, of which none may be a number: it would cancel one of another size."""
    parts = list(parts)
    for c, part in parts:
        if any(not word and c * number != 0 for number, word in _words(part)):
            raise ValueError(f"a word is the number {c * part}, an identity of unknown size; accepted are words of letters")
    return sp.expand(sp.Add(*(c * part for c, part in parts)))


def _words(expression: sp.Expr) -> Iterator[tuple[sp.Expr, list]]:
    """(coefficient, letters) of every term."""
    for term in sp.Add.make_args(sp.expand(expression)):
        commuting, rest = term.args_cnc()
        letters = []
        for factor in rest:
            base, exponent = factor.as_base_exp()
            whole = exponent.is_Integer and exponent > 0
            letters += [base] * int(exponent) if whole else [factor]
        yield sp.Mul(*commuting), letters


def _rotations(word: Sequence) -> list[list]:
    return [[*word[i:], *word[:i]] for i in range(len(word))] or [[]]


def _least(word: Sequence) -> list:
    """One representative of all words of the same trace."""
    back = [_TRANSPOSES.get(letter, letter) for letter in reversed(word)]
    return min(_rotations(word) + _rotations(back), key=lambda letters: [str(letter) for letter in letters])


def _shortest(word: Sequence, relations: dict) -> sp.Expr:
    """The word of a rotation that the relations shorten, if there is one."""
    for letters in _rotations(word):
        plain = sp.Mul(*letters)
        if (shorter := reduced(plain, relations)) != plain:
            return shorter
    return sp.Mul(*word)
