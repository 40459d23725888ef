r"""One solver for each part of x, over one shared gradient.

    x = (w_1, ..., w_k),        w_j <- step_j(w_j, gradient of f in w_j)        for all j at once

A network's weights: Muon for the hidden matrices, AdamW for the rest. In one vector, each part is a slice of the last axis
of x with a shape, and a solver that sees its own part as (*batch, *shape); a shape may stack matrices, (layers, m, n),
which a solver for matrices reads as a batch. Where x is a dict of tensors (*batch, *shape), the solvers are a dict with the
same names. Hyperparameters that are tensors broadcast against (*batch, *shape).

The gradient is asked once a step, at x. A part's solver may ask for it once, at the point it was given: one that needs a
gradient elsewhere or on a second sample (Nesterov's method, L-BFGS), function values or the whole finite sum has none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from ratewitness.solvers.around.inner import solvers
from ratewitness.solvers.ranges import is_integer
from ratewitness.solvers.solver import Solver, State
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Part:
    """x[..., where], read as an array of shape `shape`, and the solver that moves it.

    Raises ValueError for a slice without a start and a stop, and for a shape that is no tuple of integers.
    """

    where: slice
    shape: tuple[int, ...]
    solver: Solver

    def __post_init__(self):
        if not (isinstance(self.where, slice) and is_integer(self.where.start) and is_integer(self.where.stop)):
            raise ValueError(f"where is {self.where!r}; accepted are slices with a start and a stop, such as slice(0, 6)")
        if not (isinstance(self.shape, tuple) and all(map(is_integer, self.shape))):
            raise ValueError(f"shape is {self.shape!r}; accepted are tuples of integers, such as (5,) and (2, 3)")

    def of(self, x: Tensor) -> Tensor:
        """(*batch, P) -> (*batch, *shape)."""
        return x[..., self.where].unflatten(-1, self.shape)


@dataclass(frozen=True, eq=False)
class Layerwise:
    """Each part by its own solver; together the parts make up x, in any order. A dict maps the names of x to solvers.

    `init` raises ValueError where they overlap or leave a gap, where a shape does not fit its slice, and for other names.
    """

    parts: Sequence[Part] | Mapping[str, Solver]

    def __post_init__(self):
        if isinstance(self.parts, Mapping):
            solvers(**self.parts)

    def init(self, x: Tensor | Mapping[str, Tensor]) -> tuple[State, ...] | dict[str, State]:
        named = isinstance(x, Mapping)
        if named != isinstance(self.parts, Mapping) or (named and x.keys() != self.parts.keys()):
            names = f"a dict of {', '.join(x)}" if named else "a tensor"
            accepted = f"dicts of {', '.join(self.parts)}" if isinstance(self.parts, Mapping) else "tensors"
            raise ValueError(f"x is {names}; accepted are {accepted}")
        if named:
            return {name: solver.init(x[name]) for name, solver in self.parts.items()}
        end = 0
        for part in sorted(self.parts, key=lambda part: part.where.start):
            if part.where.start != end or part.where.stop - end != math.prod(part.shape) or part.where.step is not None:
                raise ValueError(
                    f"a part of shape {part.shape} lies at {part.where}; accepted is one that begins at {end} "
                    f"and ends at {end + math.prod(part.shape)}"
                )
            end = part.where.stop
        if end != x.shape[-1]:
            raise ValueError(f"the parts end at {end}; accepted are parts that make up x, to {x.shape[-1]}")
        return tuple(part.solver.init(part.of(x)) for part in self.parts)

    def step(self, x, state, oracle):
        g = oracle.grad(x)
        if isinstance(x, Mapping):
            moved = {
                name: each.step(x[name], state[name], SharedGradient(x[name], g[name])) for name, each in self.parts.items()
            }
            return {name: moved[name][0] for name in x}, {name: own for name, (_, own) in moved.items()}
        new, states = torch.empty_like(x), []
        for part, own in zip(self.parts, state, strict=True):
            w = part.of(x)
            moved, own = part.solver.step(w, own, SharedGradient(w, part.of(g)))
            new[..., part.where] = moved.flatten(-len(part.shape))
            states.append(own)
        return new, tuple(states)


class SharedGradient:
    """An oracle that knows one gradient at one point, and answers one query."""

    def __init__(self, x: Tensor, g: Tensor):
        self.x, self.g, self.asked = x, g, False

    def grad(self, x: Tensor, redraw: bool = True) -> Tensor:
        """The gradient at the point of the step. Raises ValueError at another point, or for a second sample."""
        if x is not self.x or (redraw and self.asked):
            raise ValueError(
                "a part of Layerwise asked for a second gradient; accepted are solvers that ask for one a "
                "step, at the point they are given"
            )
        self.asked = True
        return self.g
