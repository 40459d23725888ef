"""The search for a rule: scripted gradients, the rules that are tried on them, and how far each is from what was done.

With s_t the steps that were taken over -lr and u_t those of a rule, entries weighted by their largest s,

    exact = max |s - u|,    scaled = max |s - c u|,    direction = max_t |s_t - c_t u_t| / |s_t|

with the best c, or the best c_t of each step. A small distance is no proof: nearest.py goes on for longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import torch
from numpy import ndarray as Array
from ratewitness.studies.cards.methods import EQUAL, METHODS, Method, path
from ratewitness.studies.cards.recursions import (
    HUGE,
    MAPS,
    NEEDS_B1,
    NEEDS_CORRECTION,
    NUMERATORS,
    OF_MATRICES,
    PLACES,
    SCALINGS,
    SECONDS,
    WITHOUT_B2,
    WITHOUT_EPS,
    Rule,
    Stream,
)
from ratewitness.studies.cards.subject import Subject, normal, play, said, swaps

STEPS = 40
ROUNDING = 2.0**-52
# Mistakes in a numerator, which are tried over Adam's denominators and their own kind alone.
RARE = {
    "average corrected at 2t",
    "average corrected at t + 1",
    "average over -b^t",
    "heavy ball, decayed after adding",
    "NAdam's average, mu twice in the product",
}
UNLIKE = ("average", "average started at g_1", "Nesterov average", "NAdam's average")  # by more than their length
USUAL_SECONDS = {"corrected average", "average", "average corrected at 2t", "average corrected at t + 1"}
OPEN = {"polar factor", "first singular pair"}  # maps that leave a choice at singular matrices
OPENING = 8  # steps of the first script on which every rule is tried
KEPT = (150, 40, 8)  # by each of the three distances: after the opening, after the first script, of named methods
USUAL_BETAS = (0.9, 0.95, 0.999)  # where the optimizer names none
USUAL_EPS = 1e-8
NO_BETAS = {"lr", "weight_decay", "dampening"}
LARGEST_EPS = 0.02  # a measured number below is an epsilon, above a beta

SYNONYMS = {
    "momentum": ("momentum", "beta", "mu"),
    "eps": ("eps", "epsilon"),
    "lambd": ("lambd", "lambda"),
    "rho": ("rho", "beta"),
}


@dataclass(frozen=True)
class Script:
    """Gradients (steps, *shape) and the point where they begin, near enough to zero that steps are not rounded away."""

    x0: Array
    grads: Array


def scripts(shape: tuple[int, ...], steps: int = STEPS, entrywise: bool = True) -> dict[str, Script]:
    """Streams by name, which depend on the shape alone: over decades, with zeros, tiny, and a fall to a constant.

    The decades are of the entries; or of the steps, where matrices should stay well conditioned.
    """
    noise = {k: normal(steps, *shape, seed=k).numpy() for k in range(4)}
    decades = np.tanh(normal(*(shape if entrywise else (steps, *[1] * len(shape))), seed=10).numpy())
    x0, one = normal(*shape, seed=11).numpy() / 2, np.ones(shape)
    rests = normal(steps, *shape, seed=12).numpy() < 0
    rests[0], rests[6] = False, True
    tiny = 10 ** (5.5 * decades - 4.5)
    fall = np.where(np.arange(steps) < steps // 3, 100.0, 0.1).reshape(-1, *[1] * len(shape))
    constant = (np.arange(steps) >= 3 * steps // 4).reshape(fall.shape)
    near, nearer = (np.minimum(10 ** (2 * decades), 1), np.minimum(tiny, 1)) if entrywise else (one, one / 10)
    return {
        "over four decades": Script(x0 * near, noise[0] * 10 ** (2 * decades)),
        "with zeros": Script(x0, np.where(rests, 0.0, noise[1])),
        "tiny": Script(x0 * nearer, noise[2] * tiny),
        "large, then small": Script(x0 * one, fall * np.where(constant, noise[3][0], noise[3])),
    }


def taken(examined: Subject, script: Script, dtype: torch.dtype = torch.float64) -> Array:
    """The points (steps + 1, *shape) of the optimizer along a script, at its output where it has one."""
    x0, grads = (torch.tensor(each, dtype=dtype) for each in (script.x0, script.grads))
    output = swaps(examined.build([torch.nn.Parameter(x0.clone())]))
    return play(examined, x0, list(grads), output=output).double().numpy()


@dataclass(frozen=True)
class Named:
    """A named method with its settings, as a candidate beside the compositions."""

    name: str
    settings: tuple[tuple[str, object], ...]

    def directions(self, script: Script, lr: float) -> Array:
        """u (steps, *shape) without decay, NaN where its settings allow none."""
        method, settings = METHODS[self.name], {**dict(self.settings), "lr": lr, "weight_decay": 0.0}
        try:
            points = path(method, script.x0, script.grads, settings, method.decay)
        except ArithmeticError:  # settings of the same name that mean something else
            return np.full_like(script.grads, np.nan)
        with np.errstate(invalid="ignore"):
            return -np.diff(points, axis=0) / lr


Candidate = Rule | Named


def candidates(betas: Sequence[float], epsilons: Sequence[float], ndim: int) -> Iterator[Rule]:
    """Every composition with these numbers."""
    maps = [m for m in MAPS if m not in OF_MATRICES or ndim == 2]
    averages = [n for n in NUMERATORS if n not in ("gradient", "Lion's average")]
    yield from (Rule("gradient", map=m) for m in maps)
    more = dict.fromkeys((*betas, *USUAL_BETAS))
    yield from (Rule(n, map=m, b1=b) for m in maps for b in more for n in (UNLIKE if m else averages))
    yield from (Rule("Lion's average", map=m, b1=b, b2=c) for m in ("", "sign") for b, c in product(betas, betas))
    for second, place, eps in product(SECONDS, PLACES, epsilons):
        if (eps == 0 and place != "outside" and place not in WITHOUT_EPS) or (eps != 0 and place in WITHOUT_EPS):
            continue
        if place in NEEDS_CORRECTION and "correct" not in second:
            continue
        for b2 in betas[:1] if second in WITHOUT_B2 else betas:
            if second not in NEEDS_B1:
                yield Rule("gradient", second, place, b2=b2, eps=eps)
            fitting = averages if second in USUAL_SECONDS else [n for n in averages if n not in RARE]
            for b1, n in product(betas, fitting):
                yield Rule(n, second, place, b1=b1, b2=b2, eps=eps)
                if second not in NEEDS_B1:
                    yield Rule(n, second, place, "divide", b1=b1, b2=b2, eps=eps)


def distances(s: Array, u: Array, rounding: Array | float = 0.0) -> Array:
    """(n, 4): exact, scaled, c and direction of the candidates u (n, steps, *shape) from s (steps, *shape).

    rounding (*shape): what the size of x alone makes uncertain in s; entries count for less where s is not much larger.
    """
    s, u = s.reshape(1, len(s), -1), u.reshape(len(u), len(s), -1)
    size = np.abs(s).max(1, keepdims=True)
    size = np.maximum(size, np.ravel(rounding) / EQUAL)
    weight = 1 / np.where(size > 0, size, 1)
    with np.errstate(all="ignore"):
        s, u = s * weight, u * weight
        along, square = (u * s).sum(2), (u * u).sum(2)
        c = along.sum(1) / square.sum(1)
        each = np.where(square > 0, along / square, 0.0)
        exact = np.abs(s - u).max((1, 2))
        scaled = np.abs(s - c[:, None, None] * u).max((1, 2))
        lengths = np.maximum(np.abs(s).max(2), 1e-300)
        direction = (np.abs(s - each[..., None] * u).max(2) / lengths).max(1)
    found = np.stack([exact, scaled, c, direction], 1)
    return np.where(np.isfinite(found), found, np.inf)


class Bench:
    """What an optimizer did on the scripts, and how far candidates are from it."""

    def __init__(self, examined: Subject):
        self.examined, self.lr = examined, examined.lr or 1.0
        self.scripts = scripts(examined.shape)
        self.done, self.rounding, self.aside = {}, {}, ""
        for name, script in list(self.scripts.items()):
            self._play(name, script)
        self.prepared(lambda g: g)

    def prepared(self, prepare: Callable[[Array], Array]) -> None:
        """Lets the candidates see other gradients than the optimizer did."""
        self.prepare = prepare
        self.streams = {name: Stream(prepare(script.grads)) for name, script in self.scripts.items()}

    def _play(self, name: str, script: Script) -> None:
        """Plays one script; one that ends in an error or beyond the finite numbers is set aside."""
        try:
            points = taken(self.examined, script)
        except Exception as error:
            end = f"raises {said(error)} on"
        else:
            finite = np.isfinite(points.reshape(len(points), -1)).all(1)
            if finite.all():
                self.done[name] = -np.diff(points, axis=0) / self.lr
                self.rounding[name] = ROUNDING / self.lr * np.abs(points).max(0)
                return
            end = f"not finite at step {int(np.argmin(finite))} of"
        self.aside += f"; {end} the gradients {name}"
        del self.scripts[name]

    def directions(self, candidate: Candidate, name: str) -> Array:
        """u (steps, *shape) of a candidate on one script."""
        if isinstance(candidate, Named):
            return candidate.directions(self.scripts[name], self.lr)
        return self.streams[name].directions(candidate)

    def survivors(self, rules: Sequence[Rule], named: Sequence[Named]) -> tuple[list[Candidate], Array]:
        """The nearest candidates, and their distances (n, scripts, 4)."""
        first = next(iter(self.scripts))
        rules = _best(rules, self._opening(first, rules), KEPT[0])
        rules = _best(rules, self._tried(first, self.streams[first].directions, rules), KEPT[1])
        named = _best(named, self._tried(first, partial(self.directions, name=first), named), KEPT[2])
        everyone = [*named, *rules]
        d = np.stack([self._tried(name, partial(self.directions, name=name), everyone) for name in self.scripts], 1)
        if "with zeros" in self.scripts:  # the polar factor of a singular matrix is not one matrix
            open_ones = [isinstance(each, Rule) and each.map in OPEN for each in everyone]
            d[open_ones, list(self.scripts).index("with zeros")] = d[open_ones, 0]
        return everyone, d

    def _opening(self, name: str, rules: Sequence[Rule]) -> Array:
        """The distances (n, 4) on the first steps: numerators are linear, and one product gives all over a denominator."""
        stream, found, averages = Stream(self.streams[name].g[:OPENING]), np.empty((len(rules), 4)), Averages(OPENING)
        done, rounding = self.done[name][:OPENING], self.rounding[name]
        for key, members in _together(rules).items():
            some = [rules[k] for k in members]
            if some[0].map or "Lion's average" in key:
                u = np.stack([stream.directions(rule) for rule in some])
            else:
                u = averages.over(stream, some)
            found[members] = distances(done, u, rounding)
        return found

    def _tried(self, name: str, directions: Callable[[Candidate], Array], some: Sequence[Candidate], steps=STEPS) -> Array:
        """The distances (n, 4), in pieces that stay in the cache."""
        done, pieces = self.done[name][:steps], [some[k : k + 64] for k in range(0, len(some), 64)]
        found = [distances(done, np.stack([directions(each) for each in piece]), self.rounding[name]) for piece in pieces]
        return np.concatenate(found) if found else np.empty((0, 4))


class Averages:
    """The numerators as matrices (steps, steps), by what they make of unit gradients."""

    def __init__(self, steps: int):
        self.units, self._kept = np.eye(steps), {}

    def matrices(self, rules: Sequence[Rule]) -> Array:
        """(n, steps, steps) of the numerators of these rules."""
        key = tuple((rule.numerator, rule.b1) for rule in rules)
        if key not in self._kept:
            self._kept[key] = np.stack([NUMERATORS[name](self.units, b1, None) for name, b1 in key])
        return self._kept[key]

    def over(self, stream: Stream, rules: Sequence[Rule]) -> Array:
        """u (n, steps, *shape) of rules with one denominator and one order."""
        a, g = self.matrices(rules), stream.g
        with np.errstate(all="ignore"):
            over = stream.over(rules[0])
            divide = rules[0].first == "divide"
            flat = (np.nan_to_num(g / over, nan=0.0, posinf=HUGE, neginf=-HUGE) if divide else g).reshape(len(g), -1)
            u = (a.reshape(-1, len(g)) @ flat).reshape(len(rules), *g.shape)
            return u if divide else np.nan_to_num(u / over, nan=0.0, posinf=HUGE, neginf=-HUGE)


def _together(rules: Sequence[Rule]) -> dict[tuple, list[int]]:
    """The positions of rules that share all but the numerator and its beta."""
    found: dict[tuple, list[int]] = {}
    for k, rule in enumerate(rules):
        lion = rule.numerator if rule.numerator == "Lion's average" else ""
        own = rule.b1 if rule.second in NEEDS_B1 else None
        found.setdefault((lion, rule.second, rule.place, rule.first, rule.map, own, rule.b2, rule.eps), []).append(k)
    return found


def _best(rules: Sequence[Candidate], d: Array, count: int) -> list[Candidate]:
    kept = {int(k) for column in (0, 1, 3) for k in np.argsort(d[:, column], kind="stable")[:count]}
    return [rules[k] for k in sorted(kept)]


def numbers(examined: Subject, measured: Iterable[float] = ()) -> tuple[list[float], list[float]]:
    """The betas and epsilons that are worth trying: those of its settings, and measured ones."""
    values = [value for name, value in examined.settings.items() if name not in NO_BETAS]
    flat = [v for value in values for v in (value if isinstance(value, tuple | list) else [value])]
    declared = [float(v) for v in flat if isinstance(v, float) and 0.3 < v < 1]
    betas = [*declared[:2], *(float(v) for v in measured if LARGEST_EPS < v < 1), *declared[2:]]
    epsilon = examined.setting("eps", "epsilon", "matrix_eps")
    said = [float(v) for v in (epsilon if isinstance(epsilon, tuple | list) else [epsilon]) if isinstance(v, float)]
    epsilons = [v for v in said if v > 0] + [float(v) for v in measured if 0 < v <= LARGEST_EPS]
    return list(dict.fromkeys(betas or USUAL_BETAS))[:4], [0.0, *dict.fromkeys(epsilons or [USUAL_EPS])][:4]


def scaled_by(rule: Rule, c: float, shape: tuple[int, ...]) -> Rule | None:
    """The rule with a known scaling by the shape of the matrix, where that is what c is."""
    if rule.map not in OF_MATRICES:
        return None
    fitting = (name for name, scaling in SCALINGS.items() if name and abs(scaling(*shape) - c) < 1e-2 * abs(c))
    return next((rule._replace(scaling=name) for name in fitting), None)


def alike(value: object, default: object) -> bool:
    """Whether a value is of the kind of the default: a flag, a number, or a tuple of as many."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, tuple | list):
        return isinstance(value, tuple | list) and len(value) == len(default)
    if isinstance(default, str) or isinstance(value, str):
        return isinstance(value, str) and (default is None or isinstance(default, str))
    return value is None or isinstance(value, float | int)


def settings_of(method: Method, examined: Subject) -> dict[str, object]:
    """The method's arguments as the optimizer has them, and the method's own where it has none."""
    found = dict(method.defaults)
    for key, default in method.defaults.items():
        value = examined.setting(*SYNONYMS.get(key, (key,)))
        if key == "betas" and value is None:
            value = (examined.setting("beta1"), examined.setting("beta2"))
            value = None if None in value else value
        if isinstance(value, torch.Tensor):
            value = value.item()
        if value is not None and alike(value, default):
            found[key] = tuple(value) if isinstance(value, list) else value
    return {**found, "lr": examined.lr if examined.lr is not None else 1.0}
