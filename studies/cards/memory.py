"""How long a gradient is remembered, by its direction and by its size: impulse responses on a repeated gradient.

The direction's weights: one gradient of many equal ones is flipped, and the step j later changes by twice its weight in the
numerator. The size's weights: one is 10^-5 larger, and what the numerator does not explain is its weight in the logarithm of
the denominator. Both are fitted by exponentials (Prony): the rates are beta1 and beta2.

    m_t = sum_k w_k g_{t-k},    w_k = sum_i a_i z_i^k        and        v_t of weights (1 - b) b^k / (1 - b^t), or 1/t

A rule of signs hides its weights; there sizes of one opposite gradient that turn the step at lags 2, 12 and 22 give beta.
"""

from __future__ import annotations

import math

import numpy as np
from ratewitness.studies.cards.examined import EXACT, STEPS, Examined, fact, zeros
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.cards.subject import gap, steps_of
from scipy.optimize import minimize_scalar

BEFORE, LAGS = 300, 60  # steps before the impulse, and after
LOUDER = 1e-5
FITTED = 1e-6  # largest residual of a fit, relative to the largest weight
EXPONENTIAL = 1e-3  # the same of the size's weights, which come from a difference quotient
TURNING = (2, 12, 22)
FALL, AFTER = 1000.0, 1500
COAST = 60


def impulses(it: Examined) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (LAGS,) of the direction and of the size, and the step's lengths."""
    g, n = it.g[0], BEFORE + LAGS

    def after(factor: float) -> np.ndarray:
        path = it.play([factor * g if t == BEFORE else g for t in range(n)])
        return steps_of(path)[BEFORE:].flatten(1).numpy()

    plain = after(1.0)
    square = (plain * plain).sum(1)
    direction = ((plain - after(-1.0)) * plain).sum(1) / square / 2
    both = ((after(1 + LOUDER) - after(1 - LOUDER)) * plain).sum(1) / square / (2 * LOUDER)
    return direction, direction - both, np.sqrt(square)


def prony(h: np.ndarray, terms: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The rates z and weights a of sum_i a_i z_i^k nearest to h_k, and the residual relative to the largest h.

    From the singular vectors of the Hankel matrix of h (matrix pencil; Hua and Sarkar, 1990).
    """
    half = len(h) // 2
    hankel = np.array([h[i : i + half] for i in range(len(h) - half + 1)])
    U, s, Vt = np.linalg.svd(hankel[:, :-1], full_matrices=False)
    z = np.linalg.eigvals((U[:, :terms].T @ hankel[:, 1:] @ Vt[:terms].T) / s[:terms, None])
    powers = z[None, :] ** np.arange(len(h))[:, None]
    a = np.linalg.lstsq(powers, h.astype(complex), rcond=None)[0]
    order = np.argsort(-np.abs(a))
    return z[order], a[order], float(np.abs(powers @ a - h).max() / np.abs(h).max())


def direction(it: Examined) -> Fact:
    """Weights of past gradients in the step's direction: beta1."""
    h = impulses(it)[0]
    series = {"lags": np.arange(LAGS), "weights": h}
    if not np.isfinite(h).all():
        return fact("not finite")
    if np.abs(h).max() < 1e-12:
        return _turned(it)
    if np.abs(h[1:]).max() < EXACT * np.abs(h).max():
        if _turning_size(it, 1) is not None:  # one opposite gradient of equal size is too small to show
            return _turned(it)
        return fact(f"only the last gradient, with weight {h[0]:.4g}", 0.0, **series)
    for terms in (1, 2):
        z, a, residual = prony(h[1:41], terms)
        if residual < FITTED and np.abs(z.imag).max() < EXACT:
            a = a.real / z.real  # from lag 1 back to lag 0
            words = " + ".join(f"{weight:.4g} x {rate:.6g}^k" for weight, rate in zip(a, z.real, strict=True))
            excess = h[0] - a.sum()
            newest = f", the newest {excess:+.4g}" if abs(excess) > FITTED * abs(h).max() else ""
            return fact(words + newest, float(z.real[0]), **series)
    return fact(f"no sum of two exponentials (off by {residual:.1g}): {', '.join(f'{w:.3g}' for w in h[:4])}, ...", **series)


def _turned(it: Examined) -> Fact:
    """Of a rule of signs: the size of one opposite gradient that turns the step at once, and at later lags."""
    at_once = _turning_size(it, 0)
    if at_once is None:
        return fact("no single gradient turns a step")
    if _turning_size(it, 1) is None:
        return fact("only the last gradient: it alone turns the step", 0.0)
    sizes = [_turning_size(it, lag) for lag in TURNING]
    if None in sizes or not sizes[0] < sizes[1] < sizes[2]:
        return fact("no exponential: sizes that turn the step are " + ", ".join(str(size) for size in sizes))
    beta = ((sizes[1] - sizes[0]) / (sizes[2] - sizes[1])) ** 0.1
    return fact(f"signs; an opposite gradient {at_once:.4g} times as large turns the step: beta = {beta:.4f}", beta)


def _turning_size(it: Examined, lag: int) -> float | None:
    def turned(size: float) -> bool:
        path = it.play([-size * it.g[0] if t == BEFORE // 5 else it.g[0] for t in range(BEFORE // 5 + lag + 1)])
        return float(((path[-1] - path[-2]) * it.g[0]).sum()) > 0

    if not turned(1e12):
        return None
    low, high = -3.0, 12.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if turned(10**middle) else (middle, high)
    return 10 ** ((low + high) / 2)


def size(it: Examined) -> Fact:
    """Weights of past gradients in the step's normalization: beta2."""
    w = impulses(it)[1]
    if not np.isfinite(w).all():
        return fact("not finite")
    if np.abs(w).max() < 1e-8:
        return fact("none: nothing is normalized, or each gradient by itself")
    lags = np.arange(LAGS)
    series = {"lags": lags, "weights": w}

    def average(exponent: float) -> np.ndarray:
        beta = 1 - 10.0**exponent
        return (1 - beta) * beta**lags / (1 - beta ** (BEFORE + lags + 1))

    grid = np.linspace(-6, -0.01, 400)
    start = grid[np.argmin([np.abs(average(e) - w).max() for e in grid])]
    near = (start - 0.02, start + 0.02)
    fit = minimize_scalar(lambda e: np.square(average(e) - w).sum(), bounds=near, method="bounded", options={"xatol": 1e-13})
    candidates = {f"an average with beta = {1 - 10.0**fit.x:.6g}": average(fit.x), "a sum": 1 / (BEFORE + lags + 1)}
    off = {name: float(np.abs(each - w).max() / np.abs(w).max()) for name, each in candidates.items()}
    best = min(off, key=off.get)
    if off[best] < EXPONENTIAL:
        return fact(best, None if best == "a sum" else 1 - 10.0**fit.x, **series)
    return fact(
        f"neither an average nor a sum (off by {off[best]:.2g}): {', '.join(f'{x:.3g}' for x in w[:3])}, ...", **series
    )


def forgetting(it: Examined) -> Fact:
    """Steps after the gradients fell by 1000 until the length is within a factor 2 of that without the loud past."""
    at = 100
    loud = steps_of(it.play([it.g[0] * (FALL if t < at else 1.0) for t in range(at + AFTER)])).flatten(1).norm(dim=1)
    quiet = steps_of(it.play([it.g[0]] * (at + AFTER))).flatten(1).norm(dim=1)
    ratio = (loud / quiet)[at:].numpy()
    series = {"steps": np.arange(AFTER), "ratio": ratio}
    if not np.isfinite(ratio).all():
        return fact("not finite")
    outside = (~((ratio > 0.5) & (ratio < 2))).nonzero()[0]
    settled = int(outside[-1]) + 1 if len(outside) else 0
    if settled < AFTER:
        return fact(f"{settled} steps", float(settled), **series)
    if ratio[-1] <= 0:
        return fact(f"not in {AFTER} steps: no step left", math.inf, **series)
    spans = ((AFTER // 4, AFTER // 2), (3 * AFTER // 4, AFTER - 1))
    early, late = (math.log(ratio[b] / ratio[a]) / (b - a) for a, b in spans)
    if abs(late) > 1e-7 and early and abs(late / early - 1) < 0.1 and (more := math.log(0.5 / ratio[-1]) / late) > 0:
        return fact(f"about {AFTER + more:.0f} steps (extrapolated)", AFTER + more, **series)
    growth = "not growing" if abs(late) < 1e-7 else "growing ever slower"
    return fact(f"not in {AFTER} steps: a step is {ratio[-1]:.2g} of its length, {growth}", math.inf, **series)


def coasting(it: Examined) -> Fact:
    """How far it goes on when gradients are zero from now on, in lengths of the last step."""
    lengths = steps_of(it.play(it.g + [zeros(it.shape)] * COAST)).flatten(1).norm(dim=1)
    number = float(lengths[STEPS:].sum() / lengths[STEPS - 1])
    return fact(f"{number:.3g} steps", number)


def order(it: Examined) -> Fact:
    """Whether the last step depends on the order of the gradients before it."""
    reordered = [*reversed(it.g[:-1]), it.g[-1]]
    number = gap(steps_of(it.path)[-1], steps_of(it.play(reordered))[-1])
    return fact("does not matter" if number <= EXACT else "matters", number, EXACT)


MEMORY = {
    "memory of directions": direction,
    "memory of sizes": size,
    "forgetting": forgetting,
    "coasting": coasting,
    "order of gradients": order,
}
