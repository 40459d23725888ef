"""Numerators over denominators: the pieces of first-order rules, in NumPy, each on a whole stream of gradients at once.

    x_{t+1} = x_t - lr u_t,    u = map(N(g) / D(g))    or, divided first,    u = map(N(g / D(g)))

g is (steps, *shape), and so is every u. N averages, D is a root of averaged squares with an epsilon somewhere, map is a sign
or a minimizer over a ball. What is none of these (Rprop, Adadelta, Shampoo, ...) is in methods.py. Written apart from
solvers: one is the check of the other. A further piece is a function and a line in its table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy import ndarray as Array

HUGE = 1e300  # for what is divided by 0
A_LITTLE = 1e-15  # what pytorch_optimizer adds inside its roots
MUON = (3.4445, -4.7750, 2.0315)  # quintic of Jordan et al. (2024)


class Rule(NamedTuple):
    """One composition; second "" is no denominator, and b1, b2, eps are None where the rule has none."""

    numerator: str
    second: str = ""
    place: str = ""
    first: str = "average"  # what is done first: average or divide
    map: str = ""
    b1: float | None = None
    b2: float | None = None
    eps: float | None = None
    scaling: str = ""


def filtered(g: Array, keep: float, add: float, first: float | None = None) -> Array:
    """m_t = keep m_{t-1} + add g_t from m_0 = 0, or from m_1 = first g_1."""
    m = np.empty_like(g)
    m[0] = (add if first is None else first) * g[0]
    for t in range(1, len(g)):
        m[t] = keep * m[t - 1] + add * g[t]
    return m


def average(g: Array, b: float) -> Array:
    """Exponential moving average from zero, without correction."""
    return filtered(g, b, 1 - b)


def counts(g: Array) -> Array:
    """1, 2, ..., in a shape that broadcasts against g."""
    return np.arange(1.0, len(g) + 1).reshape(-1, *[1] * (g.ndim - 1))


def corrected(g: Array, b: float) -> Array:
    """Exponential moving average over 1 - b^t."""
    return average(g, b) / (1 - b ** counts(g))


def previous(v: Array) -> Array:
    """v one step late, 0 at first."""
    return np.concatenate([np.zeros_like(v[:1]), v[:-1]])


def nadam(g: Array, b: float, twice: bool = False) -> Array:
    """Dozat's numerator with torch's schedule mu_t = b (1 - 0.96^{0.004 t} / 2); twice: with mu_t once too often."""
    t = counts(g)
    mu, ahead = (b * (1 - 0.5 * 0.96 ** (0.004 * k)) for k in (t, t + 1))
    product = np.cumprod(mu, axis=0)
    later = product * ahead * (mu if twice else 1)
    return (1 - mu) / (1 - product) * g + ahead / (1 - later) * average(g, b)


NUMERATORS: dict[str, Callable[[Array, float, float], Array]] = {
    "gradient": lambda g, b, b2: g,
    "average": lambda g, b, b2: average(g, b),
    "corrected average": lambda g, b, b2: corrected(g, b),
    "average corrected at 2t": lambda g, b, b2: average(g, b) / (1 - b ** (2 * counts(g))),
    "average corrected at t + 1": lambda g, b, b2: average(g, b) / (1 - b ** (counts(g) + 1)),
    "average over -b^t": lambda g, b, b2: average(g, b) / -(b ** counts(g)),
    "average started at g_1": lambda g, b, b2: filtered(g, b, 1 - b, first=1.0),
    "heavy ball": lambda g, b, b2: filtered(g, b, 1.0),
    "heavy ball, decayed after adding": lambda g, b, b2: filtered(g, b, b),
    "Nesterov": lambda g, b, b2: g + b * filtered(g, b, 1.0),
    "Nesterov average": lambda g, b, b2: (1 - b) * g + b * average(g, b),
    "corrected Nesterov average": lambda g, b, b2: ((1 - b) * g + b * average(g, b)) / (1 - b ** counts(g)),
    "Nesterov average, g corrected at t, m at t + 1": lambda g, b, b2: (
        (1 - b) * g / (1 - b ** counts(g)) + b * average(g, b) / (1 - b ** (counts(g) + 1))
    ),
    "NAdam's average": lambda g, b, b2: nadam(g, b),
    "NAdam's average, mu twice in the product": lambda g, b, b2: nadam(g, b, twice=True),
    "Lion's average": lambda g, b, b2: b * previous(average(g, b2)) + (1 - b) * g,
}


def factored(squares: Array, b: Array | float) -> Array:
    """Row means times column means over the mean, each averaged with weight b, which may depend on t."""
    if squares.ndim != 3:
        return weighted(squares, b)
    rows, columns = weighted(squares.mean(2, keepdims=True), b), weighted(squares.mean(1, keepdims=True), b)
    return rows * columns / rows.mean(1, keepdims=True)


def weighted(g: Array, b: Array | float) -> Array:
    """Moving average from zero whose weight b may depend on t."""
    b, m = np.broadcast_to(np.ravel(b), len(g)), np.zeros_like(g)
    for t in range(len(g)):
        m[t] = b[t] * m[t - 1] + (1 - b[t]) * g[t]
    return m


def decayed_maximum(g: Array, b: float) -> Array:
    """u_t = max(b u_{t-1}, g_t), of sizes g."""
    u = g.copy()
    for t in range(1, len(g)):
        u[t] = np.maximum(b * u[t - 1], g[t])
    return u


def per_tensor(squares: Array) -> Array:
    """The mean over all entries, in the shape of the entries."""
    axes = tuple(range(1, squares.ndim))
    return np.broadcast_to(squares.mean(axes, keepdims=True), squares.shape) if axes else squares


def belief(g: Array, b1: float, b2: float, eps: float = 0.0) -> Array:
    """Average of the squared distance from the average, eps added to it at every step."""
    return filtered((g - average(g, b1)) ** 2 + eps / (1 - b2), b2, 1 - b2)


def _plain(v):
    return lambda g, b1, b2, eps: (v(g, b1, b2), 1.0)


def _both(v, c):
    return lambda g, b1, b2, eps: (v(g, b1, b2), c(counts(g), b2))


def _bias(t, b):
    return 1 - b**t


# Each gives v and its correction c: the denominator is the root of v / c.
SECONDS: dict[str, Callable[[Array, float, float, float], tuple[Array, Array | float]]] = {
    "corrected average": _both(lambda g, b1, b2: average(g * g, b2), _bias),
    "average": _plain(lambda g, b1, b2: average(g * g, b2)),
    "average corrected at 2t": _both(lambda g, b1, b2: average(g * g, b2), lambda t, b: 1 - b ** (2 * t)),
    "average corrected at t + 1": _both(lambda g, b1, b2: average(g * g, b2), lambda t, b: 1 - b ** (t + 1)),
    "average corrected by b^t": _both(lambda g, b1, b2: average(g * g, b2), lambda t, b: b**t),
    "average corrected twice": _both(lambda g, b1, b2: average(g * g, b2), lambda t, b: (1 - b**t) ** 2),
    "average started at g_1^2": _plain(lambda g, b1, b2: filtered(g * g, b2, 1 - b2, first=1.0)),
    "sum": _plain(lambda g, b1, b2: np.cumsum(g * g, 0)),
    "corrected maximum": _both(lambda g, b1, b2: np.maximum.accumulate(average(g * g, b2)), _bias),
    "maximum": _plain(lambda g, b1, b2: np.maximum.accumulate(average(g * g, b2))),
    "maximum of the corrected": _plain(lambda g, b1, b2: np.maximum.accumulate(corrected(g * g, b2))),
    "centred average": _plain(lambda g, b1, b2: average(g * g, b2) - average(g, b2) ** 2),
    "decayed maximum": _plain(lambda g, b1, b2: decayed_maximum(np.abs(g), b2) ** 2),
    "decayed maximum of |g| + eps": lambda g, b1, b2, eps: (decayed_maximum(np.abs(g) + eps, b2) ** 2, 1.0),
    "belief": _plain(belief),
    "corrected belief": _both(belief, _bias),
    "corrected belief with eps kept": lambda g, b1, b2, eps: (belief(g, b1, b2, eps), _bias(counts(g), b2)),
    "average of the momentum": _plain(lambda g, b1, b2: average(corrected(g, b1) ** 2, b2)),
    "corrected average of the momentum": _both(lambda g, b1, b2: average(corrected(g, b1) ** 2, b2), _bias),
    "corrected average of the raw momentum": _both(lambda g, b1, b2: average(average(g, b1) ** 2, b2), _bias),
    "factored average": _plain(lambda g, b1, b2: factored(g * g, b2)),
    "corrected factored average": _both(lambda g, b1, b2: factored(g * g, b2), _bias),
    "factored average, 1 - t^-0.8": _plain(lambda g, b1, b2: factored(g * g, 1 - counts(g) ** -0.8)),
    "average over the tensor": _plain(lambda g, b1, b2: average(per_tensor(g * g), b2)),
    "corrected average over the tensor": _both(lambda g, b1, b2: average(per_tensor(g * g), b2), _bias),
}
NEEDS_B1 = {"belief", "corrected belief", "corrected belief with eps kept"} | {s for s in SECONDS if "momentum" in s}
WITHOUT_B2 = {"sum", "factored average, 1 - t^-0.8"}
OF_A_TENSOR = {s for s in SECONDS if "factored" in s or "tensor" in s}


def _late(v: Array) -> Array:
    return np.concatenate([np.full_like(v[:1], np.inf), v[:-1]])


PLACES: dict[str, Callable[[Array, Array | float, float], Array]] = {
    "outside": lambda v, c, eps: np.sqrt(v / c) + eps,
    "inside": lambda v, c, eps: np.sqrt(v / c + eps),
    "squared inside": lambda v, c, eps: np.sqrt(v / c + eps**2),
    "before the correction": lambda v, c, eps: (np.sqrt(v) + eps) / np.sqrt(c),
    "inside before the correction": lambda v, c, eps: np.sqrt((v + eps) / c),
    "inside before the correction and outside": lambda v, c, eps: np.sqrt((v + eps) / c) + eps,
    "a little inside": lambda v, c, eps: np.sqrt(v / c + A_LITTLE) + eps,
    "a little inside, before the correction": lambda v, c, eps: (np.sqrt(v + A_LITTLE) + eps) / np.sqrt(c),
    "clamp": lambda v, c, eps: np.maximum(np.sqrt(v / c), eps),
    "clamp, previous v": lambda v, c, eps: _late(np.maximum(np.sqrt(v / c), eps)),
    "multiplied": lambda v, c, eps: 1 / np.sqrt(v / c),
}
NEEDS_CORRECTION = {p for p in PLACES if "correction" in p}
WITHOUT_EPS = {"multiplied"}


def polar(m: Array) -> Array:
    """The nearest semi-orthogonal matrices, by singular value decomposition; 0 for 0."""
    u, s, v = np.linalg.svd(m, full_matrices=False)
    return u * (s > 1e-12 * s[..., :1])[..., None, :] @ v


def quintic(m: Array, steps: int = 5, coefficients: tuple[float, float, float] = MUON) -> Array:
    """Muon's Newton-Schulz iteration, in float64: singular values near 1, not at it."""
    a, b, c = coefficients
    tall = m.shape[-2] > m.shape[-1]
    x = m.swapaxes(-1, -2) if tall else m
    x = x / np.maximum(np.linalg.norm(x, axis=(-2, -1), keepdims=True), 1e-7)
    for _ in range(steps):
        gram = x @ x.swapaxes(-1, -2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.swapaxes(-1, -2) if tall else x


def unit(m: Array, axes: tuple[int, ...]) -> Array:
    """Over the Euclidean norm along the axes; 0 for 0."""
    size = np.sqrt((m * m).sum(axes, keepdims=True))
    return m / np.where(size == 0, 1, size)


def corner(m: Array, axes: tuple[int, ...]) -> Array:
    """The sign of the largest entry along the axes, 0 elsewhere."""
    size = np.abs(m)
    return np.sign(m) * (size == size.max(axes, keepdims=True))


def nuclear(m: Array) -> Array:
    """u_1 v_1^T of the largest singular value."""
    u, _, v = np.linalg.svd(m, full_matrices=False)
    return u[..., :1] @ v[..., :1, :]


def whole(m: Array) -> tuple[int, ...]:
    """The axes of one tensor in a stream."""
    return tuple(range(1, m.ndim))


MAPS: dict[str, Callable[[Array], Array]] = {
    "": lambda m: m,
    "sign": np.sign,
    "Euclidean unit": lambda m: unit(m, whole(m)),
    "largest entry": lambda m: corner(m, whole(m)),
    "unit rows": lambda m: unit(m, (2,)),
    "unit columns": lambda m: unit(m, (1,)),
    "largest of each row": lambda m: corner(m, (2,)),
    "largest of each column": lambda m: corner(m, (1,)),
    "polar factor": polar,
    "first singular pair": nuclear,
    "quintic of Muon": quintic,
}
OF_MATRICES = {"unit rows", "unit columns", "largest of each row", "largest of each column"} | {
    "polar factor",
    "first singular pair",
    "quintic of Muon",
}

SCALINGS: dict[str, Callable[[int, int], float]] = {
    "": lambda rows, columns: 1.0,
    "max(1, rows/columns)^(1/2)": lambda rows, columns: max(1, rows / columns) ** 0.5,
    "0.2 max(rows, columns)^(1/2)": lambda rows, columns: 0.2 * max(rows, columns) ** 0.5,
    "(rows/columns)^(1/2)": lambda rows, columns: (rows / columns) ** 0.5,
    "max(rows, columns)^(1/2)": lambda rows, columns: max(rows, columns) ** 0.5,
    "columns^(-1/2)": lambda rows, columns: columns**-0.5,
    "rows^(1/2)": lambda rows, columns: rows**0.5,
}


class Stream:
    """Scripted gradients (steps, *shape), and what has been made of them."""

    def __init__(self, g: Array):
        self.g, self._kept = g, {}

    def numerator(self, name: str, b1: float | None, b2: float | None) -> Array:
        """N(g) of that name, kept."""
        if (key := (name, b1, b2)) not in self._kept:
            self._kept[key] = NUMERATORS[name](self.g, b1, b2)
        return self._kept[key]

    def denominator(self, second: str, place: str, b1: float | None, b2: float | None, eps: float) -> Array:
        """D(g) of that name and place, kept with its v."""
        if (key := (second, place, b1, b2, eps)) not in self._kept:
            if (moment := (second, b1, b2, eps)) not in self._kept:
                self._kept[moment] = SECONDS[second](self.g, b1, b2, eps)
            v, c = self._kept[moment]
            self._kept[key] = PLACES[place](np.maximum(v, 0), c, eps)
        return self._kept[key]

    def over(self, rule: Rule) -> Array | float:
        """The denominator of a rule."""
        if not rule.second:
            return 1.0
        b1 = rule.b1 if rule.second in NEEDS_B1 else None
        b2 = None if rule.second in WITHOUT_B2 else rule.b2
        return self.denominator(rule.second, rule.place, b1, b2, rule.eps)

    def directions(self, rule: Rule) -> Array:
        """u (steps, *shape) of the rule; 0 where it divides 0 by 0."""
        with np.errstate(all="ignore"):
            over = self.over(rule)
            if rule.first == "divide":
                divided = np.nan_to_num(self.g / over, nan=0.0, posinf=HUGE, neginf=-HUGE)
                u = NUMERATORS[rule.numerator](divided, rule.b1, rule.b2)
            else:
                u = self.numerator(rule.numerator, rule.b1, rule.b2 if rule.numerator == "Lion's average" else None) / over
            u = np.nan_to_num(MAPS[rule.map](u), nan=0.0, posinf=HUGE, neginf=-HUGE)
            return SCALINGS[rule.scaling](*self.g.shape[1:]) * u if rule.scaling else u
