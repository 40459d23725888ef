r"""ADOPT on linear losses: its drift, where it converges for every beta2, and where it does for none.

    f_t(x) = g_t x on [-1, 1],      u_t = g_t/sqrt(v_{t-1}),      m_t the average of u,      x_{t+1} = clip(x_t - a m_t)

Adam averages g_t and divides by sqrt(v_t), which holds g_t; ADOPT divides by what came before g_t, and averages then. What
that is worth depends on who draws the losses.

Drawn independently: v_{t-1} does not depend on g_t, so that E u_t = E g_t E 1/sqrt(v_{t-1}), in the direction of E g_t for
any beta2 (`independent_of_the_past`).

Given in advance, with a period of P rounds: a period moves x by -a D, D = u_0 + ... + u_{P-1} for the periodic averages, as
in theory/adam_drift.py, and D does not depend on beta1 (`any_beta1`).
 1. On (C, -1, ..., -1), n rounds, C > n - 1, D >= (C - n + 1)/sqrt(v_{n-1}) > 0 for every beta2: ADOPT goes to the best
    point -1, also where Adam fails (`right_end_on_spikes`).
 2. On (-1, c, 0, ..., 0), n >= 3 rounds, c > 1, where -1 is the best point as well, D < 0 exactly where c^4 beta2^(n-2) < 1:
    it goes to the worst point. For every beta2 < 1 that is so from some n on. Adam with beta1 = 0 fails there on exactly the
    same condition (`fails_after_silence`). So no ADOPT converges on all losses that are given in advance.

Machine-checked: these identities, for symbolic n, beta1, beta2, c, and in `independent_of_the_past` for every history of
three draws. In prose: that x follows the sign of D (theory/adam_drift.py), and the general form of independence.

Sources: S. Taniguchi et al. (2024), arXiv:2411.02853, for the method; S. J. Reddi, S. Kale and S. Kumar (2018),
arXiv:1904.09237, for (C, -1, ..., -1); proofs here.
"""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import sympy as sp
from ratewitness.theory.adam_drift import steady_average
from ratewitness.theory.bounds import C, n, vanishes
from ratewitness.theory.identity import identity


def relative_steps(g: Sequence, beta1, beta2, root: Callable = np.sqrt) -> list:
    """ADOPT's m_j over one period, when the averages have become periodic.

    >>> bool(sum(relative_steps([3.0, -1.0, -1.0], 0.9, 0.1)) > 0 > sum(relative_steps([-1.0, 2.0, 0.0], 0.9, 0.06)))
    True
    """
    v = steady_average([slope**2 for slope in g], beta2)
    return steady_average([slope / root(before) for slope, before in zip(g, [v[-1], *v[:-1]], strict=True)], beta1)


def silence(c: float, rounds: int) -> list[float]:
    """The slopes -1, c, 0, ..., 0 of one period of at least three rounds."""
    if rounds < 3:
        raise ValueError(f"rounds is {rounds}; accepted are integers >= 3")
    return [-1.0, float(c)] + [0.0] * (rounds - 2)


def critical_beta2(c: float, rounds: int) -> float:
    """c^(-4/(n-2)): ADOPT, and Adam with beta1 = 0, fail on `silence` exactly below it.

    >>> critical_beta2(2, 6)
    0.5
    """
    return float(c) ** (-4 / (rounds - 2))


@identity(last=n - 1)
def any_beta1(last=n) -> bool:
    """The weights (1 - b) b^i/(1 - b^n), i < n, of a periodic average sum to 1: by telescoping sums S_i = (1 - b^i)/(1 -
    b^n), S_0 = 0, S_n = 1. So sum_j m_j = sum_i weight_i sum_j u_{j-i} = sum_j u_j, whatever beta1 = b."""
    b, i = sp.symbols("b i", positive=True)

    def sums(i):
        return (1 - b**i) / (1 - b**n)

    step = sums(i + 1) - sums(i) - (1 - b) * b**i / (1 - b**n)
    return vanishes(step) and vanishes(sums(sp.S.Zero)) and vanishes(sums(last) - 1)


@identity(ups=n)
def right_end_on_spikes(ups=n - 1) -> bool:
    """v_j = 1 + (C^2 - 1) w_j falls in j, as w_j - w_{j+1} = (1 - b) w_j > 0 for w_j = (1 - b) b^j/(1 - b^n). With r =
    1/sqrt(v_{n-1}), the largest of all 1/sqrt(v_j), and their sum R over j < n - 1, D = C r - R and D - (C - n + 1) r = (n -
    1) r - R >= 0."""
    b, j, r, R = sp.symbols("b j r R", positive=True)

    def weight(j):
        return (1 - b) * b**j / (1 - b**n)

    falls = vanishes(weight(j) - weight(j + 1) - (1 - b) * weight(j))
    return falls and vanishes((C * r - R) - (C - (n - 1)) * r - (ups * r - R))


_b, _c, _k = sp.symbols("b c k", positive=True)  # beta2, c and beta2^(n-2)


def _after_silence(method: str) -> tuple[sp.Expr, sp.Expr]:
    """The squares of 1/(step up) and c/(step down), in b, c and k = b^(n-2)."""
    largest = (1 - _b) * (_c**2 + _b) / (1 - _b**2 * _k)  # v after c, the periodic average of 1, c^2, 0, ..., 0
    before, between = _k * largest, _b * _k * largest + 1 - _b  # v before -1, and before c
    return (before, between) if method == "ADOPT" else (between, largest)


@identity(power=3)
def fails_after_silence(power=4) -> bool:
    """D = -1/sqrt(V) + c/sqrt(W) < 0 iff W > c^2 V, and W - c^2 V = (1 - b)(1 - c^4 k)/(1 - b^n) times 1 for ADOPT and b for
    Adam with beta1 = 0, k = b^(n-2): both fail exactly where c^4 b^(n-2) < 1."""
    margin = (1 - _b) * (1 - _c**power * _k) / (1 - _b**2 * _k)
    found = {method: W - _c**2 * V for method, (V, W) in ((name, _after_silence(name)) for name in ("ADOPT", "Adam"))}
    return vanishes(found["ADOPT"] - margin) and vanishes(found["Adam"] - _b * margin)


@identity(lag=0)
def independent_of_the_past(lag=1) -> bool:
    """E[g_t/sqrt(v_{t-lag})] = E g E[1/sqrt(v_{t-lag})] for lag 1, over all histories of three draws of C or -1 after v = 1;
    for lag 0, Adam's division, it is not so."""
    p, b = sp.symbols("p b", positive=True)
    slopes, chances = (C, sp.S.NegativeOne), (p, 1 - p)
    mean = p * C - (1 - p)
    left = right = sp.S.Zero
    for draws in product((0, 1), repeat=3):
        chance, v, squares = sp.prod(chances[d] for d in draws), sp.S.One, [sp.S.One]
        for d in draws:
            v = b * v + (1 - b) * slopes[d] ** 2
            squares.append(v)
        inverse = 1 / sp.sqrt(squares[-1 - lag])
        left += chance * slopes[draws[-1]] * inverse
        right += chance * mean * inverse
    return sp.expand(left - right) == 0
