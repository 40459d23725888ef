"""An optimizer class with its arguments, and how scripted gradients are played to it.

The class is driven as its users drive it: built around parameters, p.grad set, step() called. Nothing of its code is read.
A step that needs a closure gets one, of the linear loss 1000 + <g, x> with the gradients g of that step. A schedule-free
optimizer is put into train mode for its steps; where its output is asked for, it is read in eval mode.
"""

from __future__ import annotations

import importlib
import inspect
import math
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

F64 = torch.float64
MATRIX = (5, 3)  # of most streams: full rank, no ties, more rows than columns
VECTOR = (15,)
LOSS = 1e3  # so that it stays positive
DECAYS = ("weight_decay", "lambd", "wd", "decay", "l2")
SHAPES = (MATRIX, VECTOR, (3,), (), (2, 3, 2, 2), (1, 1))
Grads = Sequence[Tensor | None] | Sequence[Sequence[Tensor | None]]


class Refused(Exception):
    """One clear line: what cannot be examined, and what can."""


@dataclass(frozen=True, eq=False)
class Subject:
    """cls(params, **kwargs), and what a first look has shown of it."""

    spec: str
    cls: type[Optimizer]
    kwargs: Mapping[str, object] = field(default_factory=dict)
    closure: bool = False  # step(closure) is the only way
    shape: tuple[int, ...] = MATRIX  # of the points of most streams
    takes: Mapping[tuple[int, ...], str] = field(default_factory=dict)  # of each shape tried: "" or why it is refused

    def build(self, params, **settings) -> Optimizer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimizer = self.cls(params, **{**self.kwargs, **settings})
        if swaps(optimizer):
            optimizer.train()
        return optimizer

    def having(self, **settings) -> Subject:
        return replace(self, kwargs={**self.kwargs, **settings})

    @property
    def accepts(self) -> dict[str, object]:
        """The named arguments after the parameters, with their defaults; inspect.Parameter.empty where there is none."""
        arguments = list(inspect.signature(self.cls).parameters.values())[1:]
        named = {each.name: each.default for each in arguments if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)}
        if all(each.kind is not each.VAR_KEYWORD for each in arguments):
            return named
        return {**named, **self._forwarded}  # of a class that passes its arguments on, what its groups hold and it takes

    @cached_property
    def _forwarded(self) -> dict[str, object]:
        found = {}
        for name, value in self.settings.items():
            try:
                self.build([torch.nn.Parameter(torch.ones(self.shape, dtype=F64))], **{name: value})
            except Exception:
                continue
            found[name] = value
        return found

    @property
    def settings(self) -> dict[str, object]:
        """What the first param group holds before the first step."""
        group = self.build([torch.nn.Parameter(torch.ones(self.shape, dtype=F64))]).param_groups[0]
        return {name: value for name, value in group.items() if name != "params"}

    def setting(self, *names: str) -> object | None:
        """The value of the first of these names that it has."""
        given = {name: value for name, value in self.accepts.items() if value is not inspect.Parameter.empty}
        known = {**given, **self.settings, **self.kwargs}
        return next((known[name] for name in names if name in known), None)

    @property
    def lr(self) -> float | None:
        value = self.setting("lr")
        return float(value) if isinstance(value, int | float | Tensor) else None

    @property
    def bare(self) -> Subject:
        """Without its weight decay, where that is an argument."""
        decays = [name for name in DECAYS if name in self.accepts]
        return self.having(**dict.fromkeys(decays, 0.0)) if decays else self

    @property
    def uphill(self) -> float:
        """-1 where its arguments say maximize=True, else 1: the sign of the gradients that it goes down on."""
        return -1.0 if self.kwargs.get("maximize") is True else 1.0

    def takes_shape(self, shape: tuple[int, ...]) -> bool:
        return not self.takes.get(shape, "")


def swaps(optimizer: Optimizer) -> bool:
    """Whether it has a train and an eval mode, between which the parameters change places."""
    return callable(getattr(optimizer, "eval", None)) and callable(getattr(optimizer, "train", None))


def resolve(spec: str, kwargs: Mapping[str, object] | None = None) -> Subject:
    """module:Class as a subject that has taken a few steps. Raises Refused."""
    module, colon, name = spec.partition(":")
    if not (module and colon and name):
        raise Refused(f"{spec!r} is no optimizer; accepted is MODULE:CLASS, such as torch.optim:NAdam")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        cls = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise Refused(f"there is no module {error.name}; accepted is one that python can import from here") from None
    except Exception as error:
        raise Refused(f"importing {module} raises {said(error)}") from None
    for part in name.split("."):
        if not hasattr(cls, part):
            raise Refused(f"{module} has no {name}; accepted is a class derived from torch.optim.Optimizer")
        cls = getattr(cls, part)
    return subject(cls, kwargs, spec)


def subject(cls: type[Optimizer], kwargs: Mapping[str, object] | None = None, spec: str | None = None) -> Subject:
    """A class as a subject that has taken a few steps. Raises Refused."""
    if not (isinstance(cls, type) and issubclass(cls, Optimizer) and cls is not Optimizer):
        raise Refused(f"{spec or cls!r} is no optimizer class; accepted is one derived from torch.optim.Optimizer")
    found = Subject(spec or f"{cls.__module__}:{cls.__qualname__}", cls, dict(kwargs or {}))
    try:
        found.build([torch.nn.Parameter(torch.ones(MATRIX, dtype=F64))])
    except Exception as error:
        first = said(error)
        try:  # some take vectors alone
            found.build([torch.nn.Parameter(torch.ones(VECTOR, dtype=F64))])
        except Exception:
            raise Refused(f"{found.spec} cannot be built with {_shown(found.kwargs)}: {first}") from None
    takes = {shape: _tried(found, shape) for shape in SHAPES}
    if all(takes.values()):
        wanting = replace(found, closure=True)
        again = {shape: _tried(wanting, shape) for shape in SHAPES}
        if all(again.values()):
            raise Refused(f"{found.spec} takes no step on dense gradients: {_reason(takes[MATRIX])}")
        found, takes = wanting, again
    shape = next(shape for shape in SHAPES if not takes[shape])
    found = replace(found, shape=shape, takes=takes)
    if found.lr == 0:
        raise Refused(f"{found.spec} with lr = 0 moves nothing; accepted is a positive lr")
    return found


def _tried(found: Subject, shape: tuple[int, ...]) -> str:
    """Why it takes no steps from a point of this shape; nothing if it does."""
    try:
        play(found, torch.ones(shape, dtype=F64), [normal(*shape, seed=k) for k in range(4)])
    except Exception as error:
        return said(error)
    return ""


def _reason(error: str) -> str:
    if "sparse" in error.lower():
        return f"{error}; it wants sparse gradients, which are not examined"
    return error


def said(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:200]}" if words else type(error).__name__


def _shown(kwargs: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in kwargs.items()) or "its defaults"


def play(
    examined: Subject,
    x0: Tensor | Sequence[Tensor],
    grads: Grads,
    hook: Callable[[int, Optimizer, list[Tensor]], Optimizer | None] | None = None,
    output: bool = False,
    **settings,
) -> Tensor | list[Tensor]:
    """The path (steps + 1, *shape) from x0 along the gradients; of several tensors, a list of paths.

    grads[t] is one gradient, or one for each tensor, where None is a tensor without a gradient; or a function of the list of
    parameters that gives the list of gradients. hook(t, optimizer, parameters) is called before step t, and may return
    another optimizer to go on with. output: read in eval mode.
    """
    several = not isinstance(x0, Tensor)
    params = [torch.nn.Parameter(x.clone()) for x in (x0 if several else [x0])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = examined.build(params, **settings)
        path = [[p.detach().clone()] for p in params]
        for t, given in enumerate(grads):
            own = given if several or callable(given) else [given]

            def closure(own=own):
                loss = torch.full((), LOSS, dtype=params[0].dtype)
                for p, g in zip(params, own([p.detach() for p in params]) if callable(own) else own, strict=True):
                    p.grad = None if g is None else g.to(p.dtype).clone()
                    if p.grad is not None:
                        loss = loss + (p.grad * p.detach()).sum()
                return loss

            closure()
            if hook is not None:
                optimizer = hook(t, optimizer, params) or optimizer
            optimizer.step(closure) if examined.closure else optimizer.step()
            for points, p in zip(path, read(optimizer, params) if output else params, strict=True):
                points.append(p.detach().clone())
    stacked = [torch.stack(points) for points in path]
    return stacked if several else stacked[0]


def read(optimizer: Optimizer, params: list[Tensor]) -> list[Tensor]:
    """The parameters where the optimizer wants them evaluated."""
    if not swaps(optimizer):
        return params
    optimizer.eval()
    found = [p.detach().clone() for p in params]
    optimizer.train()
    return found


def steps_of(path: Tensor) -> Tensor:
    return path[1:] - path[:-1]


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Gaussian float64 entries, the same on every machine but for rounding."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def gap(a: Tensor, b: Tensor) -> float:
    """The largest distance of an entry over the largest size of an entry; NaN where one is not finite."""
    size = max(float(a.abs().max()), float(b.abs().max()))
    if size == 0:
        return 0.0
    distance = float((a - b).abs().max())
    return distance / size if math.isfinite(distance) and math.isfinite(size) else math.nan
