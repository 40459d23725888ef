r"""Where Adam goes on linear losses of period P: the drift, its sign, and the critical beta2.

    f_t(x) = g_t x on a box, g_{t+P} = g_t, S = g_0 + ... + g_{P-1} > 0 (the lower end is best)
    m_j = sum_i beta1^i g_{j-i} / sum_i beta1^i,     v_j = sum_i beta2^i g_{j-i}^2 / sum_i beta2^i,     i = 0, ..., P - 1
    D = sum_j m_j / sqrt v_j  (Adam),      D = S / sqrt(max_j v_j)  (AMSGrad, raw maximum)

The gradients of linear losses do not depend on x. So m_t and v_t are given sequences, which tend to the periodic m_j and v_j
with errors of order beta1^t and beta2^t, and bias correction changes the step by sqrt(1 - beta2^t)/(1 - beta1^t) -> 1. Where
the box does not clip, P rounds move x by -a D + O(a (beta1^t + beta2^t)) for a constant step, and by -a_t D + O(a_t/t) for
a/sqrt t: for D < 0 Adam goes to the upper end, the wrong one, from wherever it starts, and for D > 0 to the lower one. No
small step is needed, but that the excursions of a period fit into the box. There it repeats a cycle (`cycle`): clipping at
an end is x = end -+ a e with e_{t+1} = max(0, e_t +- m_t/sqrt v_t), which is periodic after one period from e = 0 on. For
a/sqrt t the average regret tends to 2 S/P at +1 and to 0 at -1 on the box [-1, 1]; for a constant a to `regret_in_cycle`.

The sequence spike(C, n) = (C, -1, ..., -1) of period n, C > n - 1 and C > 1, covers the instances of the paper: n = 3 that
of Theorem 1, C = n that of Theorem 2 and, times 10, n = C = 101 the experiment with 1010 and -10. For it, with the weights
w_j(beta) = (1 - beta) beta^j/(1 - beta^n),

    D(beta1, beta2) = sum_{j<n} (-1 + (C + 1) w_j(beta1)) / sqrt(1 + (C^2 - 1) w_j(beta2))

Proved here: this closed form for every n (`closed_form`); D > 0 for n = 2 and every beta2 > 0 (`two_rounds`); D(beta1, 0) =
S - m_0 (1 - 1/C), so that for beta1 = 0 and every n >= 3 Adam fails for beta2 near 0 (`no_memory`); for C = n and every
beta1 the largest root in beta2 has n^2 (1 - root) -> 4 (`critical_constant`); for C = n, every beta1 and beta2 in
(0, 1), also where beta1 >= sqrt(beta2), D/n -> -1: Adam fails from some n on (`every_pair_fails`).
Certified for given beta1, C and n: intervals that contain every root, with the sign of D in between (`roots`), and signs at
rational points in exact arithmetic (`drift_bounds`).

Source: Reddi, Kale and Kumar (2018), arXiv:1904.09237, for the instances and Theorem 2; the rest is derived here.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from ratewitness.theory.adam_counterexample import Enclosure, reciprocal_root
from ratewitness.theory.bounds import C, n, vanishes
from ratewitness.theory.identity import identity

SLACK = 1e-12  # more than the relative rounding error of the sums below, for periods up to a thousand


def spike(C, n: int) -> list:
    """The slopes C, -1, ..., -1 of one period of n >= 2 rounds."""
    if n < 2:
        raise ValueError(f"n is {n}; accepted are integers >= 2")
    return [C] + [-1] * (n - 1)


def _horner(values: Sequence, beta):
    total = 0 * beta
    for value in values:
        total = total * beta + value
    return total


def steady_average(g: Sequence, beta) -> list:
    """The periodic exponential average of g, in the numbers of beta: floats, arrays, fractions or sympy.

    >>> steady_average([Fraction(3), -1, -1], Fraction(1, 2))
    [Fraction(9, 7), Fraction(1, 7), Fraction(-3, 7)]
    """
    first = _horner([*g[1:], g[0]], beta) / _horner([1] * len(g), beta)
    averages = [first]
    for slope in g[1:]:
        averages.append(beta * averages[-1] + (1 - beta) * slope)
    return averages


def relative_steps(g: Sequence, beta1, beta2, amsgrad: bool = False, root: Callable = np.sqrt) -> list:
    """m_j/sqrt v_j over one period, or m_j/sqrt(max v) for AMSGrad; beta1 and beta2 may be arrays that broadcast."""
    m, v = steady_average(g, beta1), steady_average([slope**2 for slope in g], beta2)
    if amsgrad:
        v = [np.maximum.reduce(np.broadcast_arrays(*v))] * len(g)
    return [up / root(down) for up, down in zip(m, v, strict=True)]


def drift(g: Sequence, beta1, beta2, amsgrad: bool = False, root: Callable = np.sqrt):
    """D: a period moves x by -a D. With floats, arrays, or sympy and root=sympy.sqrt.

    >>> bool(drift(spike(3.0, 3), 0.0, 0.47) < 0 < drift(spike(3.0, 3), 0.0, 0.48))
    True
    """
    return sum(relative_steps(g, beta1, beta2, amsgrad, root))


def steps_from_rest(
    g: Sequence[float],
    beta1: float,
    beta2: float,
    rounds: int,
    bias_correction: bool = False,
    maximum: str | None = None,
) -> np.ndarray:
    """m_t/sqrt v_t over the first rounds, with m = v = 0 before; maximum: None (Adam), "raw" or "corrected" (AMSGrad)."""
    m = v = u = 0.0
    steps = []
    for t in range(rounds):
        slope = g[t % len(g)]
        m, v = beta1 * m + (1 - beta1) * slope, beta2 * v + (1 - beta2) * slope**2
        over, under = (1 - beta1 ** (t + 1), 1 - beta2 ** (t + 1)) if bias_correction else (1.0, 1.0)
        u = max(u, v / under if maximum == "corrected" else v)
        denominator = {None: v / under, "raw": u / under, "corrected": u}[maximum]
        steps.append(m / over / denominator**0.5)
    return np.array(steps)


def clipped_path(g: Sequence[float], steps: ArrayLike, lr: Callable[[int], ArrayLike], x: ArrayLike) -> tuple:
    """The points after rounds of relative steps (rounds,) from x, clipped to [-1, 1], with the step size lr(t) in round t,
    and the total loss on the way beyond that of -1.

    >>> clipped_path([3.0, -1.0, -1.0], [1.0, -1.0, -1.0], lambda t: 0.25, np.array([0.0, 1.0]))
    (array([0.25, 1.  ]), array([1.25, 2.25]))
    """
    cost = 0.0 * x
    for t, step in enumerate(steps):
        cost = cost + g[t % len(g)] * (x + 1)
        x = np.clip(x - lr(t) * step, -1, 1)
    return x, cost


def frozen_maximum(g: Sequence) -> float:
    """The root of AMSGrad's corrected maximum where a largest slope comes first: |g_0| for ever, as no average is above."""
    if abs(g[0]) < max(abs(slope) for slope in g):
        raise ValueError("g begins with a smaller slope; accepted are sequences whose first slope is a largest one")
    return abs(g[0])


def cycle(steps: Sequence[float]) -> tuple[int, np.ndarray]:
    """The end +1 or -1 to which relative steps lead, and the distances e_j from it, in units of a, before round j."""
    end = -1 if sum(steps) > 0 else 1
    distance, distances = 0.0, []
    for step in [*steps, *steps]:
        distances.append(distance)
        distance = max(0.0, distance + end * step)
    return end, np.array(distances[len(steps) :])


def regret_in_cycle(g: Sequence[float], steps: Sequence[float], a: ArrayLike = 0.0) -> np.ndarray:
    """The average regret per round against -1, in the cycle at the end of the box [-1, 1] with the constant step a."""
    end, distances = cycle(steps)
    return (end + 1) * np.mean(g) - end * np.asarray(a) * np.mean(np.asarray(g) * distances)


def regret_in_motion(g: Sequence[float], steps: Sequence[float]) -> float:
    """What a period away from the ends costs per round and unit of a beyond the slope S/P at its first point."""
    return -float(np.mean(np.asarray(g) * (np.cumsum(steps) - steps)))


def drift_bounds(g: Sequence[Fraction], beta1: Fraction, beta2: Fraction, digits: int = 40) -> Enclosure:
    """Rationals low <= D <= high, in exact arithmetic: the sign of D is certain where they agree on it."""
    low = high = Fraction(0)
    m, v = steady_average(g, beta1), steady_average([slope**2 for slope in g], beta2)
    for up, down in zip(m, v, strict=True):
        ends = sorted(up * end for end in reciprocal_root(Fraction(down), digits))
        low, high = low + ends[0], high + ends[1]
    return low, high


def drift_range(g: Sequence[float], beta1: float, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of D over intervals low <= beta2 <= high (count,): sums of positive terms, each monotone in beta2."""
    m = steady_average(g, beta1)
    squares = [float(slope) ** 2 for slope in g]
    least = most = np.zeros(np.shape(low))
    mass = {end: _horner([1.0] * len(g), beta) for end, beta in (("low", low), ("high", high))}
    for j, up in enumerate(m):
        order = [squares[(j + 1 + i) % len(g)] for i in range(len(g))]  # g_{j+1}^2, ..., g_j^2: the oldest first
        smallest, largest = _horner(order, low) / mass["high"], _horner(order, high) / mass["low"]
        weak, strong = abs(up) / np.sqrt(largest) * (1 - SLACK), abs(up) / np.sqrt(smallest) * (1 + SLACK)
        least, most = (least + weak, most + strong) if up > 0 else (least - strong, most - weak)
    return least, most


def roots(g: Sequence[float], beta1: float, width: float = 1e-9) -> tuple[list[tuple[float, float]], list[int]]:
    """Intervals of beta2 in [0, 1], about `width` wide, that contain every root of D, and the sign of D between them.

    The signs are one more than the intervals, from beta2 = 0 to 1. By interval arithmetic in floats with a relative slack of
    1e-12: what is not in an interval has a certified sign. A root at the very end 0 or 1 stays within an interval there,
    with the sign 0 beyond it; two roots closer than `width` share an interval.
    """
    edges = np.linspace(0, 1, 65)
    low, high, settled = edges[:-1], edges[1:], []
    while True:
        least, most = drift_range(g, beta1, low, high)
        sign = np.where(least > 0, 1, np.where(most < 0, -1, 0))
        settled += [(a, int(s)) for a, s in zip(low, sign, strict=True) if s]
        low, high = low[sign == 0], high[sign == 0]
        if low.size == 0 or high[0] - low[0] <= width:
            break
        middle = (low + high) / 2
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
    found, signs = [], []
    pieces = sorted([*settled, *((a, 0) for a in low)])
    for (start, sign), end in zip(pieces, [a for a, _ in pieces[1:]] + [1.0], strict=True):
        if sign == 0:
            if found and found[-1][1] == start:
                found[-1] = (found[-1][0], float(end))
            else:
                signs += [0] if len(signs) == len(found) else []
                found.append((float(start), float(end)))
        elif len(signs) == len(found):
            signs.append(sign)
    return found, signs if len(signs) > len(found) else [*signs, 0]


def theorem_2(beta1: float, beta2: float, C: int) -> bool:
    """Whether C is large enough for the sufficient conditions of Theorem 2, as recalled from the paper's appendix; beta1 <
    sqrt(beta2). The conditions are not checked against the source: use them for nothing but a comparison."""
    if beta1 >= beta2**0.5:
        return False
    gamma, powers = beta1 / beta2**0.5, beta1 ** (C - 1)
    jump = 3 * (1 - beta1) / (2 * (1 - beta2) ** 0.5) * (1 + gamma * (1 - gamma ** (C - 1)) / (1 - gamma))
    return (
        (1 - beta1) * powers * C <= 1 - powers
        and beta2 ** ((C - 2) / 2) * C**2 <= 1
        and jump + beta1 ** (C / 2 - 1) / (1 - beta1) < C / 3
    )


def first_failing(fails: Callable[[int], bool], limit: int = 10**6) -> int:
    """The smallest n >= 3 with fails(n), found by doubling and bisection: for a condition that stays true once it is."""
    high = 3
    while not fails(high):
        high *= 2
        if high > limit:
            raise ValueError(f"no n up to {limit} fails; accepted are conditions that hold from some n on")
    low = max(2, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fails(middle) else (middle, high)
    return high


def every_pair_bound(n: int, beta1: float, beta2: float) -> float:
    """2 p + 2 beta1^k - q of `every_pair_fails`, for numbers in (0, 1), beta1 = 0 included: at least D/n for C = n.

    >>> drift(spike(1000.0, 1000), 0.5, 0.9) / 1000 < every_pair_bound(1000, 0.5, 0.9) < -0.7
    True
    """
    log2 = -np.log(beta2)
    p = 1 / (1 + (n**2 - 1) * (1 - beta2) * n**-0.5) ** 0.5
    tail = beta1 ** (0.5 * np.log(n) / log2) if beta1 else 0.0
    q = (1 - (3 * np.log(n) / log2 + 1) / n) / (1 + 1 / n) ** 0.5
    return float(2 * p + 2 * tail - q)


_beta, _b1, _b2, _x, _const = sp.symbols("beta beta1 beta2 x c", positive=True)


@identity(share=C)
def closed_form(share=C + 1) -> bool:
    """-1 + (C + 1) w_j(beta) is the periodic average of spike(C, n) for every n: it obeys the recursion in the rounds with
    slope -1 and, from j = n - 1 on to j = 0, in that with slope C. With C^2 - 1 it is that of the squares."""
    j = sp.Symbol("j", integer=True, positive=True)

    def average(j):
        return -1 + share * (1 - _beta) * _beta**j / (1 - _beta**n)

    within = average(j) - _beta * average(j - 1) + (1 - _beta)
    across = average(0) - _beta * average(n - 1) - (1 - _beta) * C
    return vanishes(within) and vanishes(across)


@identity(power=3)
def two_rounds(power=4) -> bool:
    """n = 2: m_0^2 v_1 - m_1^2 v_0 > 0 and m_0 > 0, hence D > 0, for C > 1, beta2 > 0 and every beta1.

    m_0 = (C - beta1)/(1 + beta1) and m_1 = (beta1 C - 1)/(1 + beta1): if m_1 >= 0 nothing is to be shown, and else m_0 + C
    m_1 = beta1 (C^2 - 1)/(1 + beta1) >= 0, so that it suffices that C^2 v_1 - v_0 = beta2 (C^4 - 1)/(1 + beta2) > 0.
    """
    m, v = steady_average([C, -1], _b1), steady_average([C**2, 1], _b2)
    larger = m[0] + C * m[1] - _b1 * (C**2 - 1) / (1 + _b1)
    return vanishes(larger) and vanishes(C**2 * v[1] - v[0] - _b2 * (C**power - 1) / (1 + _b2))


@identity(count=n)
def no_memory(count=n - 1) -> bool:
    """At beta2 = 0 the denominators are C, 1, ..., 1: D = m_0/C + (S - m_0), and for beta1 = 0, m_0 = C, D = 2 - n."""
    m_0 = sp.Symbol("m_0")
    D = m_0 / C + (C - count) - m_0
    return vanishes(D - (C - (n - 1)) + m_0 * (1 - 1 / C)) and vanishes(D.subs(m_0, C) - (2 - n))


@identity(constant=2)
def critical_constant(constant=4) -> bool:
    """For C = n and beta2 = 1 - c/n^2 the sign of D is that of 1 - c/4 for large n, whatever beta1.

    With V the mean of v_j and v_j = V (1 + e_j), e_j = O(1/n) uniformly, as w_j(beta2) differ from 1/n by O(1/n^2), and with
    sum_j |m_j| <= 2n + 1: sqrt(V) D = sum m_j - (1/2) sum m_j e_j + O(1/n), and sum m_j = 1. As sum_j e_j = 0, sum m_j e_j =
    (n + 1) sum_j w_j(beta1) e_j, where the weights w_j(beta1) sit at j = O(1), so that e_0 stands for all e_j in it, with an
    error (n + 1) O(1/n^2). So sum m_j e_j -> lim n e_0 = c/2, computed here in x = 1/n. It is uniform in c <= c_0: for
    large n no root has n^2 (1 - beta2) < 4 - delta, and there is one below 4 + delta.
    """
    weight = _const * _x**2 / (1 - sp.exp(sp.log(1 - _const * _x**2) / _x))  # w_0 = (1 - beta2)/(1 - beta2^n)
    squares = 1 / _x**2 - 1  # n^2 - 1
    e_0 = squares * (weight - _x) / (1 + squares * _x)
    limit = sp.limit(e_0 / _x, _x, 0)
    return vanishes(1 - limit / 2 - (1 - _const / constant))


@identity(power=2)
def every_pair_fails(power=0.5) -> bool:
    """For C = n, -n <= D <= n (2 p + 2 beta1^k - q) with p and beta1^k -> 0 and q -> 1 as n -> oo, for 0 < beta1, beta2 < 1.

    The positive part of D is at most (n + 1) sum_j w_j(beta1)/sqrt v_j with v_j >= 1 + (n^2 - 1)(1 - beta2) beta2^j: the
    weights of j < k sum to at most 1, those of j >= k to at most beta1^k, and (n + 1)/n <= 2. With k = log n/(2 log
    1/beta2), beta2^k = 1/sqrt n. The negative part is -sum_j 1/sqrt v_j, with v_j <= 1 + n^2 beta2^j <= 1 + 1/n for j >=
    3 log n/log(1/beta2); and v_j >= 1. For beta1 = 0 the term beta1^k is missing.
    """
    power = sp.nsimplify(power)
    N, log1, log2 = sp.symbols("N log1 log2", positive=True)  # log 1/beta1 and log 1/beta2, k = power log N/log2
    p = 1 / sp.sqrt(1 + (N**2 - 1) * (1 - sp.exp(-log2)) * N**-power)
    tail = sp.exp(-log1 * power * sp.log(N) / log2)
    q = (1 - (3 * sp.log(N) / log2 + 1) / N) / sp.sqrt(1 + 1 / N)
    return [sp.limit(part, N, sp.oo) for part in (p, tail, q)] == [0, 0, 1]
