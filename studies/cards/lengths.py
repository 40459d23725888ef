"""How long steps are: in the gradient's size, in lr, at first, in the steady state, at worst; and where epsilon stands.

The step as a function of the size c of one gradient, over 36 decades, is flat where the size does not matter and falls to 0
below epsilon. With A the flat length and h the size at which it is A/2, the length at 2 h tells the place of epsilon:

    c / (c + eps):           2/3 A      outside the root
    c / sqrt(c^2 + eps):     2/sqrt(7) A = 0.756 A      inside the root
    c / max(c, eps):         A      a clamp
"""

from __future__ import annotations

import math

import numpy as np
import torch
from ratewitness.solvers.norms.lmo import NORMS
from ratewitness.studies.cards.examined import EXACT, Examined, excused, fact, zeros
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.cards.subject import F64, gap, normal, play, steps_of
from torch import Tensor

STEADY = 400
DECADES = (-24.0, 12.0)
HALVINGS = 45
PLACE = 1e-3  # how near the length at 2 h is to one of the three
RATES = (1.001, 1.003, 1.01, 1.03, 1.06, 1.1, 1.11, 1.15, 1.2, 1.3, 1.6, 2.0)
FALLS = (0.7, 0.9, 0.97, 0.99)
QUIET = 3000  # steps after which a denominator has forgotten that it began at 0


def _norms(path: Tensor) -> np.ndarray:
    return steps_of(path).flatten(1).norm(dim=1).numpy()


def degree(it: Examined) -> Fact:
    """The exponent of the step's length in the gradients' size, at the first step and later."""
    base, up = _norms(it.path), _norms(it.play(it.scaled(8.0)))
    moving = (base > 0) & (up > 0)
    slopes = np.log(up[moving] / base[moving]) / math.log(8.0)
    first, last = float(slopes[0]), float(slopes[-1])
    return fact(f"{_short(last)}" if abs(first - last) < 5e-3 else f"{_short(first)} at first, {_short(last)} later", last)


def _short(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3g}"


def degree_in_lr(it: Examined) -> Fact:
    lr = it.subject.lr
    if lr is None:
        return excused("it has no lr")
    a, b = (steps_of(it.play(lr=value)) for value in (lr, 2 * lr))
    number = gap(2 * a, b)
    if number <= EXACT:
        return fact("1", number, EXACT)
    if gap(a, b) <= EXACT:
        return fact("0: lr does not matter", number, EXACT)
    slopes = [math.log2(float(b[t].norm() / a[t].norm())) for t in (it.first, len(a) - 1)]
    return fact(f"{_short(slopes[0])} at first, {_short(slopes[1])} later", number, EXACT)


def no_lr(it: Examined) -> Fact:
    if it.subject.lr is None:
        return excused("it has no lr")
    try:
        path = it.play(lr=0.0)
    except Exception:
        return fact("refused")
    moved = float((path[-1] - path[0]).abs().max())
    return fact("still" if moved == 0 else "moves" if moved == moved else "NaN", moved)


def first_step(it: Examined) -> Fact:
    """The first step that moves, against the gradient and the linear minimization oracle of every norm."""
    step, g = steps_of(it.path)[it.first], it.g[it.first]
    directions = {"the gradient": -g}
    for name, norm in NORMS.items():
        if norm.ndim <= g.ndim:
            try:
                directions[f"LMO of {name}"] = norm.lmo(g if norm.ndim == g.ndim else g.flatten()).reshape(g.shape)
            except ValueError:
                continue
    if g.ndim == 2:
        square = g.square()
        factors = square.mean(1, keepdim=True) * square.mean(0, keepdim=True) / square.mean()
        directions["factored second moments"] = -g / factors.sqrt()
    cosine = {name: float((step * d).sum() / (step.norm() * d.norm())) for name, d in directions.items()}
    best = max(cosine, key=cosine.get)
    size = float(step.norm() / directions[best].norm()) / (it.subject.lr or 1.0)
    near = "" if 1 - cosine[best] < EXACT else f" (cosine {cosine[best]:.4f})"
    late = f", at step {it.first + 1}" if it.first else ""
    unit = " lr" if it.subject.lr else ""
    return fact(f"{size:.4g}{unit} times {best}{near}{late}", 1 - cosine[best], EXACT)


def steady_step(it: Examined) -> Fact:
    """Lengths on one repeated gradient: l_t / l_1, whether corrected for its start, and the law of the tail."""
    lengths = _norms(it.play([it.g[0]] * STEADY))
    if not (lengths[it.first] > 0 and np.isfinite(lengths).all()):
        return fact("not finite")
    l = lengths / lengths[it.first]
    half = STEADY // 2
    tail = float(np.polyfit(np.log(np.arange(half, STEADY) + 1), np.log(np.maximum(l[half:], 1e-300)), 1)[0])
    words = f"l2/l1 = {l[it.first + 1]:.4g}, l10/l1 = {l[it.first + 9]:.4g}, l{STEADY}/l1 = {l[-1]:.4g}"
    law = f", then t^{tail:.2f}" if abs(tail) > 0.01 else ", constant in the end"
    return fact(words + law, tail, steps=np.arange(1, STEADY + 1), lengths=l)


def epsilon(it: Examined) -> Fact:
    sizes = np.logspace(*DECADES, 37)
    unit = it.g[0] / it.g[0].abs().max()
    curve = np.array([_norms(it.play([size * unit] * 12, zeros(it.shape))) for size in sizes])
    if not np.isfinite(curve).all():
        return fact("steps are not finite", sizes=sizes)
    first = int((curve[-1] > 0).argmax())
    series = {"sizes": sizes, "first": curve[:, first], "twelfth": curve[:, -1]}
    slope = np.diff(np.log(np.maximum(curve[:, first], 1e-320))) / np.diff(np.log(sizes))
    if abs(slope[-6:].mean()) > 0.01:
        return fact(f"none seen: the degree is {_short(slope[-6:].mean())} at large gradients", **series)
    if curve[0, first] > 0.99 * curve[-1, first]:
        return fact("none seen down to gradients of 1e-24", **series)
    h, doubled = _knee(it, first)
    places = {"outside the root": (2 / 3, 1.0), "inside the root": (2 / 7**0.5, 3**0.5), "a clamp": (1.0, 2.0)}
    place = next((name for name, (ratio, _) in places.items() if abs(doubled - ratio) < PLACE), None)
    if place is None:
        return fact(f"half the length at |g| = {h:.4g}, {doubled:.4f} of it at twice that: no known place", h, **series)
    size = h * places[place][1]
    late = _knee(it, 59 if first < 59 else first)[0] / h
    grown = "" if abs(late - 1) < 1e-6 else f"; at step 60 {late:.4g} times as large"
    square = f" ({size**2:.3g} squared)" if place == "inside the root" else ""
    return fact(f"{place}, at |g| = {size:.4g}{square}{grown}", size, **series)


def _knee(it: Examined, step: int) -> tuple[float, float]:
    """The size of one entry's gradient at which step number `step` has half its length, and its length at twice that."""
    one = zeros(it.shape)
    one.view(-1)[0] = 1.0

    def length(size: float) -> float:
        return float(_norms(it.play([size * one] * (step + 1), zeros(it.shape)))[step])

    whole, low, high = length(10.0 ** DECADES[1]), *DECADES
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if length(10**middle) > whole / 2 else (middle, high)
    h = 10 ** ((low + high) / 2)
    return h, length(2 * h) / whole


def longest_step(it: Examined) -> Fact:
    """The largest move of an entry in one step, in lr, over streams made to be bad."""
    lr, unit, n = it.subject.lr or 1.0, it.g[0] / it.g[0].abs().max(), 300
    t = torch.arange(n, dtype=F64)
    last = (t == n - 1).double()
    streams = {
        "constant": torch.ones(n, dtype=F64),
        "alternating": (-1.0) ** t,
        "a spike after quiet": last + (1 - last) * 1e-3 * normal(n, seed=1),
        "Gaussian": normal(n, seed=2),
        "one in 50": (t % 50 == 0).double(),
        "zeros, then constant": (t >= 200).double(),
        **{f"growing by {rate:g}": rate ** (t - n) for rate in RATES},
        **{f"falling by {rate:g}": rate**t for rate in FALLS},
    }
    longest = {name: _longest(it, stream, unit) for name, stream in streams.items()}
    if max(each for each in longest.values() if math.isfinite(each)) > 1.05 * longest["constant"]:
        for rate in (1.05, 1.08, 1.11, 1.15, 1.2):
            grown = torch.cat([torch.zeros(QUIET, dtype=F64), rate ** (torch.arange(200, dtype=F64) - 200)])
            longest[f"{QUIET} zeros, then growing by {rate:g}"] = _longest(it, grown, unit)
    worst = max(longest, key=lambda name: longest[name] if math.isfinite(longest[name]) else math.inf)
    number = longest[worst] / lr
    if not math.isfinite(number):
        return fact(f"without bound: not finite on a stream that is {worst}", math.inf)
    unit_word = " lr" if it.subject.lr else ""
    usual = longest["constant"] / lr
    return fact(f"{number:.4g}{unit_word} ({worst}); {usual:.4g}{unit_word} on a constant gradient", number)


def _longest(it: Examined, stream: Tensor, unit: Tensor) -> float:
    return float(steps_of(play(it.bare, it.x0, [float(size) * unit for size in stream])).abs().max())


LENGTHS = {
    "degree": degree,
    "degree in lr": degree_in_lr,
    "lr 0": no_lr,
    "first step": first_step,
    "steady step": steady_step,
    "epsilon": epsilon,
    "longest step": longest_step,
}
