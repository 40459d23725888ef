"""The nearest known rule: which recursion an optimizer follows, by its steps alone.

Scripted gradients are played to the optimizer without its weight decay and to thousands of compositions and named methods.
Equality on forty steps may be chance: it is confirmed on a thousand, on a large matrix and on other shapes, or taken back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy import ndarray as Array
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.cards.methods import EQUAL, HALF, METHODS, SQUARE
from ratewitness.studies.cards.naming import called, plainness
from ratewitness.studies.cards.recursions import A_LITTLE, OF_A_TENSOR, OF_MATRICES, Rule, Stream, unit, whole
from ratewitness.studies.cards.search import (
    OPEN,
    ROUNDING,
    Bench,
    Candidate,
    Named,
    Script,
    candidates,
    distances,
    numbers,
    scaled_by,
    settings_of,
    taken,
)
from ratewitness.studies.cards.subject import Subject, normal, said

NEARLY = 1e-5  # what single precision somewhere inside leaves of an equality
ROUGHLY = 1e-3  # numerators that differ by a number only, under a map that does not see it
CLOSE = 1e-2  # where nothing but the rule itself can be meant, and no further search is due
FAR = 0.5  # from where the nearest rule says nothing
FIRST = 1e-9  # where a step counts as the first that differs
LARGE = (128, 96)
SMALL = ((3,), (), (2, 3, 2, 2), (1, 1))
LONG = 1000

# Said of a gradient that is changed before the rule sees it; tried where no rule fits as it is.
PREPARED: dict[str, Callable[[Array], Array]] = {
    "of the gradient clipped to norm 1": lambda g: g / np.maximum(1, np.sqrt((g * g).sum(whole(g), keepdims=True))),
    "of the normalized gradient": lambda g: unit(g, whole(g)),
    "of the gradient less its mean over each row": lambda g: g - g.mean(-1, keepdims=True),
}
PLAIN = """SGD Adam AMSGrad NAdam RAdam Adamax Adagrad RMSprop Adadelta Rprop ASGD Adafactor ADOPT Lion Signum AdaBelief Yogi
LaProp Adan AdEMAMix DiffGrad LARS LAMB Shampoo Lookahead ScheduleFreeSGD ScheduleFreeAdamW"""
NAMED: tuple[tuple[str, dict[str, object]], ...] = (
    *((name, {}) for name in PLAIN.split()),
    ("ADOPT", {"clip": None}),
    ("ADOPT", {"clip": None, "present": True}),
    ("ADOPT", {"clip_from": 2}),
    ("AdaBelief", {"keep_eps": True}),
    ("Yogi", {"initial_accumulator": 0.0}),
    ("Shampoo", {"power": 0.5}),
    ("Shampoo", {"power": 1 / 3}),
    ("ScheduleFreeAdamW", {"inside": A_LITTLE}),
)
SOAPS: tuple[tuple[str, dict[str, object]], ...] = (
    ("SOAP", {}),
    ("SOAP", {"exact": True}),
    ("SOAP", {"correct_bias": False}),
)
HIDDEN = {"lr", "weight_decay", "maximize"}  # of a named method, in its name here


def nearest(examined: Subject, measured: Iterable[float] = ()) -> Fact:
    """The rule that the bare optimizer follows, in one sentence; measured: betas and epsilons found elsewhere."""
    start, measured = time.perf_counter(), list(measured)
    finding, number = _sentence(examined.bare, measured)
    return Fact("rule", finding, number, EQUAL, part="rule", seconds=time.perf_counter() - start)


def _sentence(bare: Subject, measured: list[float]) -> tuple[str, float | None]:
    betas, epsilons = numbers(bare, measured)
    declared, bench = numbers(bare)[0], Bench(bare)
    if not bench.done:
        return f"none{bench.aside}", None
    if not any(done.any() for done in bench.done.values()):
        return f"none; it does not move{bench.aside}", None
    rules = list(candidates(betas, epsilons, len(bare.shape)))
    found = Judged(bench, declared, *bench.survivors(rules, _named(bare, NAMED, epsilons)))
    if not found.near:
        found = _in_a_basis(bare, declared) or _prepared(bench, declared, rules) or found
    finding, number = found.sentence()
    return finding + bench.aside, number


def _prepared(bench: Bench, declared: list[float], rules: list[Rule]) -> Judged | None:
    """The same search with gradients that were changed first."""
    unchanged = bench.prepare
    for words, prepare in PREPARED.items() if bench.examined.shape else ():
        bench.prepared(prepare)
        found = Judged(bench, declared, *bench.survivors(rules, []), words=f" {words}")
        if found.fits:
            return found
    bench.prepared(unchanged)
    return None


def _in_a_basis(bare: Subject, declared: list[float]) -> Judged | None:
    """Methods that leave a basis open until a gradient of full rank has come: on square matrices."""
    if len(bare.shape) != 2:
        return None
    bench = Bench(replace(bare, shape=SQUARE))
    found = Judged(bench, declared, *bench.survivors([], _named(bare, SOAPS))) if bench.done else None
    return found if found and found.fits else None


def _named(bare: Subject, some: Iterable[tuple[str, dict[str, object]]], epsilons: Iterable[float] = ()) -> list[Named]:
    found = []
    for name, special in some:
        method = METHODS[name]
        if not method.entrywise and len(bare.shape) != 2:
            continue
        settings = {**settings_of(method, bare), **special}
        others = epsilons if isinstance(settings.get("eps"), float) else ()
        for own in [settings, *({**settings, "eps": eps} for eps in others if eps not in (0.0, settings["eps"]))]:
            found.append(Named(name, tuple((key, value) for key, value in own.items() if key not in HIDDEN)))
    return found


class Judged:
    """Survivors of the search, with what may be said about them."""

    def __init__(self, bench: Bench, betas: list[float], chosen: list[Candidate], d: Array, words: str = ""):
        self.bench, self.betas, self.chosen, self.words = bench, betas, chosen, words
        c = d[:, :, 2]
        alike = np.abs(c - c[:, :1]).max(1) <= 1e-6 * np.abs(c[:, 0])
        rough = np.array([isinstance(rule, Rule) and rule.map == "quintic of Muon" for rule in chosen], dtype=bool)
        self.exact, self.direction = d[:, :, 0].max(1), d[:, :, 3].max(1)
        self.scaled = np.where(alike | rough, d[:, :, 1].max(1), np.inf)
        self.c = np.median(c, 1)
        own = [NEARLY if isinstance(each, Rule) else max(NEARLY, 100 * METHODS[each.name].tolerance) for each in chosen]
        self.limit = np.where(rough, HALF, own)

    @property
    def near(self) -> bool:
        """Whether no other rule can be meant, though this one may not fit."""
        return self.fits or bool(self.exact.min() <= CLOSE)

    @property
    def fits(self) -> bool:
        """Whether one is equal, equal up to a factor, or equal in direction."""
        return any((way <= self.limit).any() for way in (self.exact, self.scaled, self.direction))

    def _plainest(self, way: Array) -> int | None:
        """The simplest of those that fit as well as the best one does, if one fits."""
        fitting = np.flatnonzero(way <= self.limit)
        if not len(fitting):
            return None
        least = way[fitting].min()
        limit = max(EQUAL, 3 * least) if least <= NEARLY else least * (1 + ROUGHLY)
        fitting = fitting[way[fitting] <= limit]
        sure = max(EQUAL, 3 * self.direction[fitting].min())  # which a rounded factor leaves alone
        if least <= NEARLY:
            fitting = fitting[self.direction[fitting] <= sure]
        return min((int(k) for k in fitting), key=lambda k: plainness(self.chosen[k]))

    def sentence(self) -> tuple[str, float]:
        """What is said, and the distance."""
        if (k := self._plainest(self.exact)) is not None:
            return self._equal(self.chosen[k], 1.0, float(self.exact[k]))
        if (k := self._plainest(self.scaled)) is not None:
            return self._equal(self.chosen[k], float(self.c[k]), float(self.scaled[k]))
        if (k := self._plainest(self.direction)) is not None:
            name, off = called(self.chosen[k], self.betas), float(self.direction[k])
            return f"the direction of {name}{self.words} to {off:.0e}, lengths of its own", off
        k = int(np.argmin(self.exact))
        name, off = called(self.chosen[k], self.betas), float(self.exact[k])
        if off > FAR:
            return f"none; no rule is nearer than {off:.2g}", off
        step, by = self._first(self.chosen[k])
        return f"none; nearest {name}, off {off:.2g}, first at step {step} by {by:.2g}", off

    def _first(self, candidate: Candidate) -> tuple[int, float]:
        """The first step that differs, over the scripts, and by how much of its length."""
        found = []
        for name, done in self.bench.done.items():
            u = self.bench.directions(candidate, name)
            off, *sizes = (np.abs(each).reshape(len(each), -1).max(1) for each in (done - u, done, u))
            off = off / np.maximum(np.maximum(*sizes), 1e-300)
            found += [(int(step) + 1, -float(off[step])) for step in np.flatnonzero(off > FIRST)[:1]]
        step, by = min(found)
        return step, -by

    def _equal(self, candidate: Candidate, c: float, gap: float) -> tuple[str, float]:
        if isinstance(candidate, Rule) and (scaled := scaled_by(candidate, c, self.bench.examined.shape)):
            candidate, c = scaled, 1.0
        times = "" if abs(c - 1) <= 1e-6 else f"{c:.6g} x "
        name = f"{times}{called(candidate, self.betas)}{self.words}"
        left = self._leaves(candidate, c, 100 * max(gap, EQUAL))
        if left:
            return f"none; {name} for {len(next(iter(self.bench.done.values())))} steps, but {left}", gap
        exact = f"equals {name} to {gap:.0e}"
        ill = candidate.name in ("Shampoo", "SOAP") if isinstance(candidate, Named) else candidate.map in OPEN
        if gap <= EQUAL or ill:  # conditioned as the matrices are
            return exact, gap
        return f"{exact}, in {'single' if gap <= NEARLY else 'half'} precision", gap

    def _leaves(self, candidate: Candidate, c: float, limit: float) -> str:
        """Where the equality ends: at which step of a long run, or at which shape."""
        own = self.bench.examined.shape
        for shape, steps in [(own, LONG), (LARGE, 6), *((shape, 8) for shape in SMALL)]:
            if _tells(candidate, self.bench.examined, shape):
                script = Script(normal(*shape, seed=5).numpy() / 2, normal(steps, *shape, seed=6).numpy())
                where = "" if shape == own else f" of shape {shape}"
                if left := self._leaves_at(candidate, c, limit, script, where):
                    return left
        return ""

    def _leaves_at(self, candidate: Candidate, c: float, limit: float, script: Script, where: str) -> str:
        try:
            points = taken(self.bench.examined, script)
        except Exception as error:
            return f"it raises {said(error)}{where}"
        steps = int(np.isfinite(points.reshape(len(points), -1)).all(1).sum()) - 1  # until it overflows
        points, script = points[: steps + 1], Script(script.x0, script.grads[:steps])
        done, u = -np.diff(points, axis=0) / self.bench.lr, c * self._directions(candidate, script)
        if distances(done, u[None], ROUNDING / self.bench.lr * np.abs(points).max(0))[0, 0] <= limit:
            return ""
        off = np.abs(done - u).reshape(steps, -1).max(1) / max(np.abs(done).max(), 1e-300)
        step = int(np.argmax(~(off <= limit))) + 1
        return f"it leaves that at step {step}{where} by {off[step - 1]:.1g}"

    def _directions(self, candidate: Candidate, script: Script) -> Array:
        if isinstance(candidate, Named):
            return candidate.directions(script, self.bench.lr)
        return Stream(self.bench.prepare(script.grads)).directions(candidate)


def _tells(candidate: Candidate, examined: Subject, shape: tuple[int, ...]) -> bool:
    """Whether the rule says something about this shape, and the optimizer takes it."""
    if shape == examined.shape:
        return True
    matrix = len(shape) == 2 and min(shape) > 1
    if not (examined.takes_shape(shape) if shape != LARGE else len(examined.shape) == 2):
        return False
    if isinstance(candidate, Named):
        return METHODS[candidate.name].entrywise
    apart = candidate.map in OF_MATRICES or candidate.second in OF_A_TENSOR
    return matrix or not (apart or candidate.map in ("Euclidean unit", "largest entry"))
