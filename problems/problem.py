r"""What a problem is: a finite sum with certified constants.

    f(x) = (1/n) sum_{i=1}^n f_i(x),        x of shape `shape`.

Every function of x is batched: each leading axis of x is a batch axis (sweep axes first, then replicates). A parameter
of a problem (a spectrum, a threshold, a noise level) may be a tensor that broadcasts against x, so that one problem
object is a whole family of instances, one per sweep index; its constants are then tensors over the batch axes. Such a
parameter, and with it `start`, keeps an axis of length 1 for every replicate axis: (12, 1, 1) is a sweep of 12 against
x of shape (12, replicates, d), and constants, R and Delta of shape (12, 1) then broadcast against gap(x).

A point may also be a dict of tensors with the same leading batch axes, as the weights of a network are; then `shape` maps
each name to its shape, and `flattened` gives the same problem over one vector, which every solver takes.

The constants are one-sided numbers that the problem *certifies*, each with its reason: a bound is judged against these
and never against an estimate. `problems/certify/certify.py` tries to break them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from ratewitness.problems.layout import Layout
from torch import Tensor

Number = float | Tensor
Point = Tensor | Mapping[str, Tensor]
Shape = tuple[int, ...] | Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Constants:
    """Numbers that a problem certifies.

    They hold on the whole space or, where the problem has a `domain`, on that set (smoothness and convexity: for pairs
    whose segment stays in it). `certificate` gives one reason for each, as "L: ...; mu: ...; sigma2: ...; f*: ...".
    `smoothness_in` gives L in other norms by name, of which `problems/certify/certify.py` lists those that it can check, and
    `certificate` the reasons in the same place as for L.
    """

    smoothness: Number  # L in l2, an upper bound; inf where the gradient is not Lipschitz
    pl: Number  # mu of ||grad f||^2 >= 2 mu (f - f*), a lower bound; 0 where there is none
    strong_convexity: Number  # of f, a lower bound; 0 where there is none
    convex: bool
    component_smoothness: Number  # max_i L_i, an upper bound
    variance: Number  # sigma^2 >= E_i ||grad f_i(x) - grad f(x)||^2 for every x; inf where unbounded
    variance_at_minimizer: Number  # sigma*^2, the same at the minimizer; nan where there is no minimizer
    optimum: Number  # f*, the infimum of f
    optimum_error: Number  # |f* - optimum| is at most this
    certificate: str
    smoothness_in: Mapping[str, Number] = field(default_factory=dict)  # by norm: ||grad f(x) - grad f(y)||_* <= L ||x - y||


@dataclass(frozen=True, eq=False)
class FiniteSum:
    """A function f = (1/n) sum_i f_i that knows its constants. Build one with a function of a leaf such as `huber`."""

    name: str
    n: int
    shape: Shape
    gap: Callable[[Tensor], Tensor]  # x -> f(x) - f*, without cancellation     (*batch, *shape) -> (*batch,)
    grad: Callable[[Tensor], Tensor]  # x -> grad f(x)                           (*batch, *shape) -> (*batch, *shape)
    sample_grad: Callable[[Tensor, Tensor], Tensor]  # x, index (*batch, b) -> mean of grad f_i over the b drawn i
    start: Tensor  # (*sweep, *shape), sweep with its axes of length 1 for the replicates
    minimizer: Tensor | None  # one minimizer (*sweep, *shape), the nearest to `start` where there are many
    constants: Constants
    floor: Number  # below this gap float64 rounding speaks, not the algorithm
    domain: Callable[[Tensor], Tensor] | None = None  # x -> bool (*batch,): where the constants hold; None: everywhere

    def __post_init__(self):
        for what, point in (("start", self.start), ("minimizer", self.minimizer)):
            if isinstance(self.shape, Mapping):
                found = None if point is None else {name: tuple(part.shape) for name, part in point.items()}
                if found not in (None, {name: tuple(shape) for name, shape in self.shape.items()}):
                    raise ValueError(
                        f"{what} of {self.name} has shapes {found}; accepted are {dict(self.shape)}, without a sweep"
                    )
            elif point is not None and tuple(point.shape[-len(self.shape) :]) != tuple(self.shape):
                raise ValueError(
                    f"{what} of {self.name} has shape {tuple(point.shape)}; accepted are (*sweep, "
                    f"{', '.join(map(str, self.shape))}): a parameter of a sweep of 12 has shape (12, 1), not (12,)"
                )

    @property
    def radius(self) -> Tensor:
        """R = ||start - minimizer||, of shape (*sweep,)."""
        if self.minimizer is None:
            raise ValueError(f"{self.name} has no minimizer, hence no distance R to it")
        return norm(self.start - self.minimizer, self.shape)

    def batch(self, x: Point) -> torch.Size:
        """The batch axes of a point, which are those that its shape does not have."""
        if isinstance(self.shape, Mapping):
            name, shape = next(iter(self.shape.items()))
            return x[name].shape[: x[name].ndim - len(shape)]
        return x.shape[: x.ndim - len(self.shape)]

    @property
    def initial_gap(self) -> Tensor:
        """Delta = f(start) - f*, of shape (*sweep,)."""
        return self.gap(self.start)

    def starts(self, *replicates: int) -> Point:
        """The start for each replicate: (*replicates, *shape) for one instance, else (*sweep, *replicates, *shape).

        Raises ValueError for a family of instances whose parameters keep no axes of length 1 for the replicates.
        """
        if isinstance(self.shape, Mapping):
            return {name: part.expand(*replicates, *part.shape).clone() for name, part in self.start.items()}
        at = self.start.ndim - len(self.shape)
        sweep, kept = self.start.shape[:at], max(at - len(replicates), 0)
        if any(length != 1 for length in sweep[kept:]):
            raise ValueError(
                f"the parameters of {self.name} have batch shape {tuple(sweep)}; {len(replicates)} replicate axes "
                f"need as many trailing axes of length 1, as in (12, 1, 1) against x of shape (12, replicates, d)"
            )
        return self.start.expand(*sweep[:kept], *replicates, *self.shape).clone()


def deterministic(
    *,
    name: str,
    shape: tuple[int, ...],
    gap: Callable[[Tensor], Tensor],
    grad: Callable[[Tensor], Tensor],
    start: Tensor,
    minimizer: Tensor | None,
    smoothness: Number,
    convex: bool,
    certificate: str,
    floor: Number,
    pl: Number = 0.0,
    strong_convexity: Number = 0.0,
    smoothness_in: Mapping[str, Number] | None = None,
    domain: Callable[[Tensor], Tensor] | None = None,
) -> FiniteSum:
    """A function with infimum 0 as a sum of one component, without noise; the arguments as in the two classes above."""
    return FiniteSum(
        name=name,
        n=1,
        shape=shape,
        gap=gap,
        grad=grad,
        sample_grad=lambda x, index: grad(x),
        start=start,
        minimizer=minimizer,
        constants=Constants(
            smoothness=smoothness,
            pl=pl,
            strong_convexity=strong_convexity,
            convex=convex,
            component_smoothness=smoothness,
            variance=0.0,
            variance_at_minimizer=math.nan if minimizer is None else 0.0,
            optimum=0.0,
            optimum_error=0.0,
            certificate=certificate,
            smoothness_in=smoothness_in or {},
        ),
        floor=floor,
        domain=domain,
    )


def uncertified(optimum_error: Number, reason: str) -> Constants:
    """Of a function f >= 0 of which no more is known, as of networks: f* = 0 up to `optimum_error`, for this reason."""
    return Constants(
        smoothness=math.inf,
        pl=0.0,
        strong_convexity=0.0,
        convex=False,
        component_smoothness=math.inf,
        variance=math.inf,
        variance_at_minimizer=math.nan,
        optimum=0.0,
        optimum_error=optimum_error,
        certificate=f"L: none known; mu: none; sigma2: none known; f*: {reason}",
    )


def flattened(problem: FiniteSum) -> FiniteSum:
    """The same problem over vectors (d,), d the number of entries of a point; the parts of a dict in its order."""
    shape, named = problem.shape, isinstance(problem.shape, Mapping)
    if not named and len(shape) == 1:
        return problem
    layout = Layout(shape if named else {"x": shape})

    def point(x):
        return layout.split(x) if named else layout.split(x)["x"]

    def vector(x):
        return layout.join(x if named else {"x": x})

    return replace(
        problem,
        shape=(layout.size,),
        gap=lambda x: problem.gap(point(x)),
        grad=lambda x: vector(problem.grad(point(x))),
        sample_grad=lambda x, index: vector(problem.sample_grad(point(x), index)),
        start=vector(problem.start),
        minimizer=None if problem.minimizer is None else vector(problem.minimizer),
        domain=None if problem.domain is None else lambda x: problem.domain(point(x)),
    )


def norm(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Euclidean norm over the trailing axes `shape`: (*batch, *shape) -> (*batch,)."""
    return x.flatten(-len(shape)).norm(dim=-1)


def against_x(**parameters: Number) -> list[Tensor]:
    """Parameters by name as float64 tensors (*batch, 1) that broadcast against x; a number becomes (1,).

    Raises ValueError for a tensor whose last axis is longer: it would be read as coordinates of x.
    """
    found = {name: torch.atleast_1d(torch.as_tensor(p, dtype=torch.float64)) for name, p in parameters.items()}
    for name, tensor in found.items():
        if tensor.shape[-1] != 1:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}; accepted are numbers and tensors (*batch, 1)")
    return list(found.values())


def over_batch(parameter: Number, shape: tuple[int, ...]) -> Number:
    """A parameter that broadcasts against x, as one that broadcasts against gap(x): (*batch, 1, ...) -> (*batch,)."""
    is_tensor = isinstance(parameter, Tensor) and parameter.ndim > 0
    return parameter[(..., *[0] * len(shape))] if is_tensor else parameter
