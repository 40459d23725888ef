"""What laws and facts share: a subject with its streams, the path on them, and how two paths are compared.

The streams have full rank and no ties, and their sizes stay near 1; a law that needs others makes its own. A law holds up to
EXACT, the relative rounding of a few hundred float64 operations; where that is more than zero, it is written beside the law.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import torch
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.cards.subject import F64, Subject, gap, normal, play, steps_of
from torch import Tensor

EXACT = 1e-9  # relative: some hundred roundings of float64 with room
ABOUT = 3e-2  # what a symmetry may miss and still be called one "about"
STEPS = 25


class Examined:
    """A subject and the one stream that most laws and facts play to it."""

    def __init__(self, subject: Subject, output: bool = False):
        """output: read the points in eval mode, where a schedule-free optimizer has its output."""
        self.subject, self.bare, self.shape, self.output = subject, subject.bare, subject.shape, output
        self.x0 = 0.5 * normal(*self.shape, seed=1)
        self.g = [normal(*self.shape, seed=10 + t) for t in range(STEPS)]
        self.other = [normal(*self.shape, seed=50 + t) for t in range(STEPS)]  # of another tensor
        self.y0 = normal(*self.shape, seed=2)

    def play(self, grads=None, x0=None, **options) -> Tensor | list[Tensor]:
        """The path of the bare subject, from x0 along the stream unless told otherwise, at a seed of its own."""
        torch.manual_seed(0)
        options = {"output": self.output, **options}
        return play(self.bare, self.x0 if x0 is None else x0, self.g if grads is None else grads, **options)

    @cached_property
    def path(self) -> Tensor:
        return self.play()

    @cached_property
    def draws(self) -> bool:
        """Whether its steps depend on the seed of torch."""
        torch.manual_seed(1)
        return gap(steps_of(self.path), steps_of(play(self.bare, self.x0, self.g, output=self.output))) > EXACT

    @cached_property
    def free_of_place(self) -> bool:
        """Whether its steps depend on the gradients alone."""
        moved = self.play(x0=self.x0 + normal(*self.shape, seed=3))
        return gap(steps_of(self.path), steps_of(moved)) <= EXACT

    @cached_property
    def first(self) -> int:
        """The first step that moves."""
        moving = steps_of(self.path).flatten(1).abs().amax(1) > 0
        return int(moving.nonzero()[0]) if moving.any() else STEPS

    def groups_run(self, own: dict, everywhere: dict) -> Tensor:
        """The path of the second of two tensors, in a group with settings of its own, others for all."""
        params = [torch.nn.Parameter(4 * x) for x in (self.x0, self.y0)]
        optimizer = self.subject.build([{"params": [params[0]]}, {"params": [params[1]], **own}], **everywhere)
        points = [params[1].detach().clone()]
        for grads in zip(self.g, self.other, strict=True):
            for p, g in zip(params, grads, strict=True):
                p.grad = g.clone()
            optimizer.step()
            points.append(params[1].detach().clone())
        return torch.stack(points)

    def scaled(self, scale: float) -> list[Tensor]:
        return [scale * g for g in self.g]

    def symmetric(self, points: Callable, grads: Callable, steps: Callable, power: int | None = None) -> tuple[str, float]:
        """How nearly the steps commute with a map: "yes", "up to epsilon", "about" or "no", and the gap of the worst step.

        Where the gap at gradients near 1 is more than EXACT, gradients 10^6 times as large tell whether an epsilon does it.
        """
        found = []
        for scale in (1.0, 1e6):
            plain = self.path if scale == 1.0 else self.play(self.scaled(scale))
            mapped = self.play([grads(scale * g) for g in self.g], points(self.x0))
            pairs = zip(steps_of(plain), steps_of(mapped), strict=True)
            gaps = [gap(steps(should), is_) for should, is_ in pairs]  # by itself: some steps are much longer
            found.append(max(gaps) if all(map(math.isfinite, gaps)) else math.nan)
            if found[-1] <= EXACT:
                return ("yes" if scale == 1.0 else "up to epsilon"), found[0]
        return ("about" if found[0] <= ABOUT else "no"), found[0]


def fact(finding: str, number: float | None = None, threshold: float | None = None, **series: Sequence[float]) -> Fact:
    return Fact("", finding, number, threshold, series={name: list(map(float, values)) for name, values in series.items()})


def kept(finding: str = "yes", number: float | None = None, threshold: float | None = None) -> Fact:
    return replace(fact(finding, number, threshold), holds=True)


def broken(finding: str, example: str, number: float | None = None, threshold: float | None = None) -> Fact:
    return replace(fact(finding, number, threshold), holds=False, reason=example)


def excused(why: str) -> Fact:
    return replace(fact("does not apply"), reason=why)


def same(is_: Tensor, should: Tensor, words: tuple[str, str], stream: str, threshold: float = EXACT) -> Fact:
    """A law that demands two paths to be equal: words say it where they are and where they are not."""
    apart = gap(steps_of(is_), steps_of(should))
    if apart <= threshold:
        return kept(words[0], apart, threshold)
    return broken(words[1], f"{stream}: {difference(is_, should, threshold)}", apart, threshold)


def difference(is_: Tensor, should: Tensor, threshold: float = EXACT) -> str:
    """Where two paths part: the first step at which an entry differs, and both values of its change."""
    a, b = steps_of(is_).flatten(1), steps_of(should).flatten(1)
    size = max(float(b.nan_to_num().abs().max()), 1e-300)
    off = (a - b).abs() / size
    off = torch.where(torch.isfinite(off), off, torch.full_like(off, math.inf))
    off = torch.where(torch.isnan(a) & torch.isnan(b), torch.zeros_like(off), off)
    late = (off > threshold).any(1).nonzero()
    step = int(late[0]) if len(late) else int(off.amax(1).argmax())
    entry = int(off[step].argmax())
    place = tuple(int(i) for i in torch.unravel_index(torch.tensor(entry), should.shape[1:])) if should.ndim > 1 else ()
    where = f" at entry {place[0] if len(place) == 1 else place}" if place else ""
    return f"step {step + 1}{where} is {float(a[step, entry]):.6g}, should be {float(b[step, entry]):.6g}"


def zeros(shape: Sequence[int]) -> Tensor:
    return torch.zeros(tuple(shape), dtype=F64)
