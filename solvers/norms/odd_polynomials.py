r"""Odd polynomials that take singular values to 1.

    Pade:      p(x) = x sum_{j <= q} binom(2j, j) (1 - x^2)^j / 4^j,  the start of x (1 - (1 - x^2))^{-1/2} = sign x
    optimal:   p = argmin over odd polynomials of degree 2q + 1 of  max_{l <= x <= u} |1 - p(x)|
    greedy:    p_t optimal on [l_t, u_t],  l_{t+1} = p_t(l_t),  u_{t+1} = 2 - l_{t+1}

A polynomial is the tuple of its coefficients of x, x^3, x^5, ... The greedy composition is optimal among all
compositions of T odd polynomials of that degree (Amsel, Persson, Musco and Gower 2025, Theorem 4.1, arXiv:2505.16932).
Its published list of quintics is not the greedy one: it solves on [max(l, c u), u] with the cushion c of `CUSHION`, then
rescales so that the image of [l, u] is centred at 1; `cushion=0` gives the optimal composition. Every polynomial but
Muon's three published numbers is derived here, the optimal ones by an exchange iteration in extended precision.
"""

from __future__ import annotations

from functools import cache
from math import comb, cos, pi
from typing import NamedTuple

import numpy as np
from mpmath import mp, mpf
from ratewitness.solvers.ranges import is_integer, positive_integer

Coefficients = tuple[float, ...]

MUON: Coefficients = (3.4445, -4.7750, 2.0315)  # K. Jordan (2024), github.com/KellerJordan/Muon, and torch.optim.Muon
CUSHION = 0.02407327424182761  # Amsel, Persson, Musco and Gower (2025), the code in the appendix


def _checked_degree(degree: int) -> int:
    if not (is_integer(degree) and degree >= 3 and degree % 2 == 1):
        raise ValueError(f"degree is {degree!r}; accepted are odd integers >= 3")
    return (degree - 1) // 2


def _checked_interval(low: float, high: float) -> None:
    if not 0 < low <= high < float("inf"):
        raise ValueError(f"low is {low!r} and high is {high!r}; accepted are 0 < low <= high < inf")


@cache
def pade_polynomial(degree: int) -> Coefficients:
    """Newton-Schulz of odd degree >= 3: (3x - x^3)/2, (15x - 10x^3 + 3x^5)/8, ...; ValueError for any other degree.

    >>> pade_polynomial(3), pade_polynomial(5)
    ((1.5, -0.5), (1.875, -1.25, 0.375))
    """
    q = _checked_degree(degree)
    terms = [[comb(2 * j, j) * comb(j, i) * (-1) ** i / 4**j for j in range(i, q + 1)] for i in range(q + 1)]
    return tuple(float(sum(column)) for column in terms)


def optimal_odd_polynomial(low: float, high: float, degree: int) -> Coefficients:
    """The odd polynomial of that degree that is closest to 1 on [low, high] in the maximum norm, rounded to float64.

    ValueError unless 0 < low <= high and degree is odd and >= 3.
    """
    return tuple(map(float, _exchange(low, high, degree)[0]))


class Composition(NamedTuple):
    """Polynomials in the order of their use, and the error left: |1 - p_t(...p_1(x))| <= errors[t-1] on [low, high]."""

    polynomials: tuple[Coefficients, ...]
    errors: tuple[float, ...]


@cache
def greedy_composition(
    steps: int, degree: int, low: float, high: float = 1.0, cushion: float = 0.0, safety: float = 1.0
) -> Composition:
    """`steps` polynomials, each solved for the image of [low, high] under those before.

    cushion > 0 is the published variant. safety > 1 replaces all but the last polynomial by p(x/safety), which keeps
    values up to safety * u inside; `errors` are those of safety = 1. ValueError for steps < 1, an even degree, 0 < low
    <= high violated, cushion outside [0, 1) or safety outside [1, inf).
    """
    _checked_interval(low, high)
    positive_integer(steps=steps)
    if not 0 <= cushion < 1:
        raise ValueError(f"cushion is {cushion!r}; accepted are numbers in [0, 1)")
    if not 1 <= safety < float("inf"):
        raise ValueError(f"safety is {safety!r}; accepted are finite numbers >= 1")
    polynomials, errors = [], []
    l, u = mpf(low), mpf(high)
    for t in range(steps):
        p, error = _exchange(max(l, cushion * u), u, degree)
        with mp.workdps(_digits(degree)):
            # the image of [l, u] is [p(l), 1 + error]; for q even 1 + error = p(u), the published formula
            scale = 2 / (_value(p, l) + 1 + error)
            p = [scale * c for c in p]
            l = min(_value(p, l), mpf(1))  # rounding may lift it above 1
            u = 2 - l
        shrink = safety if t < steps - 1 else 1.0
        polynomials.append(tuple(float(c) / shrink ** (2 * j + 1) for j, c in enumerate(p)))
        errors.append(float(abs(1 - l)))
    return Composition(tuple(polynomials), tuple(errors))


def _digits(degree: int) -> int:
    return 40 + 10 * degree


def _value(p: list, x):
    return x * mp.polyval(p[::-1], x * x)


@cache
def _exchange(low, high, degree: int) -> tuple[list, mpf]:
    """Coefficients and maximal error of the optimal odd polynomial, by Remez' exchange, to 25 digits.

    x, x^3, ..., x^(2q+1) is a Haar system on [low, high], so on every reference of q + 2 points there is one p whose
    error alternates between +E and -E. Then 1 - p has q + 1 zeros, and p' exactly one zero between two neighbours of
    them; p' has no more than q positive zeros. So the next reference is low, the zeros of p', high: no case is left out.
    """
    q = _checked_degree(degree)
    _checked_interval(low, high)
    with mp.workdps(_digits(degree)):
        l, u = mpf(low), mpf(high)
        if (u - l) / (u + l) < mpf(10) ** -10:  # the limit l -> u; its error is below 1e-19, less than float64 sees
            centre = (l + u) / 2
            p = [c / centre ** (2 * j + 1) for j, c in enumerate(map(mpf, pade_polynomial(degree)))]
            return p, max(abs(1 - _value(p, l)), abs(1 - _value(p, u)))
        reference = [(l + u) / 2 - (u - l) / 2 * mpf(cos(pi * i / (q + 1))) for i in range(q + 2)]
        reference[0], reference[-1] = l, u
        while True:
            rows = [[x ** (2 * j + 1) for j in range(q + 1)] + [(-1) ** i] for i, x in enumerate(reference)]
            *p, E = mp.lu_solve(mp.matrix(rows), mp.matrix([1] * (q + 2)))
            derivative = [(2 * j + 1) * c for j, c in enumerate(p)]
            reference = [l, *map(mp.sqrt, _zeros(derivative, l * l, u * u)), u]
            worst = max(abs(1 - _value(p, x)) for x in reference)
            if worst - E <= mpf(10) ** -25 * min(E, 1 - E):  # E <= the optimum <= worst (de la Vallee Poussin)
                return p, E


def _zeros(p: list, low: mpf, high: mpf) -> list:
    """The zeros of a polynomial that are all simple and in (low, high), in order.

    Found in float64 in the variable w, y = centre + half w, in which they are spread over (-1, 1), then refined by
    Newton's method.
    """
    centre, half = (high + low) / 2, (high - low) / 2
    shifted = list(p)
    for first in range(len(p) - 1):
        for j in reversed(range(first, len(p) - 1)):
            shifted[j] += centre * shifted[j + 1]
    shifted = [c * half**j for j, c in enumerate(shifted)]
    slopes = [j * c for j, c in enumerate(shifted)][1:]
    roots = [mpf(w) for w in np.sort(np.roots([float(c / shifted[-1]) for c in shifted[::-1]]).real)]
    for _ in range(3):
        roots = [w - mp.polyval(shifted[::-1], w) / mp.polyval(slopes[::-1], w) for w in roots]
    return [centre + half * w for w in roots]
