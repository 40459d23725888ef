"""The only thing a solver sees of a problem: gradients on demand, each of them counted.

An oracle draws a *sample* (nothing, component indices, or a noise vector) and answers with the gradient on that sample.
`redraw=False` repeats the last sample, which variance reduction and curvature pairs need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from ratewitness.problems.curvature import hessian_vector
from ratewitness.problems.problem import FiniteSum, Point
from torch import Generator, Tensor

Sampling = Literal["with replacement", "without replacement", "reshuffled"]


class Oracle:
    """Answers queries about one problem and counts them, per replicate.

    Build one with `Oracle.full`, `Oracle.minibatch` or `Oracle.gaussian`. `calls` counts gradient queries,
    `component_gradients` what they cost in gradients of single f_i, `values` function values (n components each).
    """

    def __init__(self, problem: FiniteSum, draw: Callable, query: Callable, cost: int):
        self.n = problem.n
        self.sample = None  # the last sample drawn: for a minibatch the component indices (*batch, b)
        self.calls = self.component_gradients = self.values = 0
        self._problem, self._draw, self._query, self._cost = problem, draw, query, cost

    @classmethod
    def full(cls, problem: FiniteSum) -> Oracle:
        """Exact gradients; each costs n component gradients."""
        return cls(problem, lambda batch: None, lambda x, sample: problem.grad(x), problem.n)

    @classmethod
    def minibatch(
        cls, problem: FiniteSum, batch_size: int, generator: Generator, sampling: Sampling = "with replacement"
    ) -> Oracle:
        """Mean gradient of `batch_size` components; independent draws for every replicate.

        sampling: "with replacement" (independent uniform indices), "without replacement" (a fresh uniform subset each
        time) or "reshuffled" (consecutive blocks of a random permutation, renewed when used up).
        """
        samplers = {"with replacement": _independent, "without replacement": _subset, "reshuffled": _reshuffled}
        if sampling not in samplers:
            raise ValueError(f"sampling is {sampling!r}; accepted are {', '.join(map(repr, samplers))}")
        if batch_size < 1 or (batch_size > problem.n and sampling != "with replacement"):
            accepted = "integers from 1 on" if sampling == "with replacement" else f"1 to n = {problem.n}"
            raise ValueError(f"batch_size is {batch_size}; accepted are {accepted} for sampling {sampling!r}")
        draw = samplers[sampling](problem.n, batch_size, generator)
        return cls(problem, draw, problem.sample_grad, batch_size)

    @classmethod
    def gaussian(cls, problem: FiniteSum, sigma: float | Tensor, generator: Generator) -> Oracle:
        """grad f + xi with xi ~ N(0, sigma^2/d I), so E||xi||^2 = sigma^2: noise whose sample reveals nothing else.

        A tensor sigma broadcasts against x, as the lr of a solver does: (12, 1, 1) against (12, replicates, d). The sigma
        of `perturbed` broadcasts against (*batch,) instead: (12, 1). Raises ValueError for points that are dicts.
        """
        if isinstance(problem.shape, Mapping):
            raise ValueError(f"points of {problem.name} are dicts; accepted are problems over tensors, as `flattened` makes")
        scale = sigma / torch.Size(problem.shape).numel() ** 0.5

        def draw(batch):
            return scale * torch.randn(
                *batch, *problem.shape, generator=generator, device=generator.device, dtype=torch.float64
            )

        return cls(problem, draw, lambda x, xi: problem.grad(x) + xi, 1)

    def grad(self, x: Point, redraw: bool = True) -> Point:
        """The gradient at x on a fresh sample, or on the last one again: (*batch, *shape) -> (*batch, *shape)."""
        self._sample(self._problem.batch(x), redraw)
        self.calls += 1
        self.component_gradients += self._cost
        return self._query(x, self.sample)

    def part_grads(self, x: Tensor, part: int, redraw: bool = True) -> Tensor:
        """The gradients of all parts of the sample, `part` components each, in order, each at a point of its own.

        x (k, *batch, *shape) -> (k, *batch, *shape) for k parts, or (1, *batch, *shape) for one point that they share. Costs
        what `grad` does, which is the mean of them. Raises ValueError for parts that do not make up the sample.
        """
        self._sample(self._problem.batch(x)[1:], redraw)
        index = self._parts(x, part)
        self.calls += 1
        self.component_gradients += self._cost
        return self._problem.sample_grad(x.expand(len(index), *x.shape[1:]), index)

    def hessian_vector(self, x: Tensor, v: Tensor, part: int | None = None) -> Tensor:
        """H v at x, H the Hessian on the last sample: (*batch, *shape) twice -> (*batch, *shape).

        With `part`, the Hessians of all parts: x and v (k or 1, *batch, *shape) -> (k, *batch, *shape), as in `part_grads`.
        Exact, by differentiating the gradient; counted as two gradients, which is about its cost.
        """
        if part is None:
            self._sample(self._problem.batch(x), redraw=False)

            def grad(y):
                return self._query(y, self.sample)

        else:
            self._sample(self._problem.batch(x)[1:], redraw=False)
            index = self._parts(x, part)
            x = x.expand(len(index), *x.shape[1:])

            def grad(y):
                return self._problem.sample_grad(y, index)

        self.calls += 2
        self.component_gradients += 2 * self._cost
        return hessian_vector(grad, x, v)

    def full_grad(self, x: Point) -> Point:
        """The exact gradient, whatever the sampling (the anchor of SVRG); costs n component gradients."""
        self.calls += 1
        self.component_gradients += self.n
        return self._problem.grad(x)

    def component_grads(self, x: Tensor) -> Tensor:
        """All n component gradients (the table of SAGA): (*batch, *shape) -> (*batch, n, *shape); costs n."""
        self.calls += 1
        self.component_gradients += self.n
        batch = self._problem.batch(x)
        # the components come first while they are asked, so that parameters of the problem still broadcast against x
        index = torch.arange(self.n, device=x.device).reshape(-1, *[1] * (len(batch) + 1)).expand(-1, *batch, 1)
        return self._problem.sample_grad(x.expand(self.n, *x.shape), index).movedim(0, len(batch))

    def value(self, x: Tensor) -> Tensor:
        """f(x) up to the constant f*, for line search on the full function: (*batch, *shape) -> (*batch,)."""
        self.values += 1
        return self._problem.gap(x)

    def _sample(self, batch: torch.Size, redraw: bool) -> None:
        if redraw or self.sample is None:
            self.sample = self._draw(batch)

    def _parts(self, x: Tensor, part: int) -> Tensor:
        """The components of the sample in parts (k, *batch, part), for x (k or 1, *batch, *shape)."""
        index, batch = self.sample, self._problem.batch(x)[1:]
        if index is None:
            index = torch.arange(self.n, device=x.device).expand(*batch, self.n)
        if index.is_floating_point():
            raise ValueError("a sample of noise has no parts; accepted are oracles of full gradients and minibatches")
        b = index.shape[-1]
        if part not in range(1, b + 1) or b % part or len(x) not in (1, b // part):
            raise ValueError(
                f"part is {part} at {len(x)} points; accepted are divisors of the {b} components of the sample, at one "
                "point or one for each part"
            )
        return index.unflatten(-1, (-1, part)).movedim(-2, 0)


def _independent(n: int, b: int, generator: Generator) -> Callable:
    return lambda batch: torch.randint(n, (*batch, b), generator=generator, device=generator.device)


def _subset(n: int, b: int, generator: Generator) -> Callable:
    def draw(batch):  # Floyd's algorithm: a uniform b-subset from b draws
        chosen = torch.empty(*batch, b, dtype=torch.int64, device=generator.device)
        for j, top in enumerate(range(n - b, n)):
            new = torch.randint(top + 1, batch, generator=generator, device=generator.device)
            seen = (chosen[..., :j] == new.unsqueeze(-1)).any(-1)
            chosen[..., j] = torch.where(seen, top, new)
        return chosen

    return draw


def _reshuffled(n: int, b: int, generator: Generator) -> Callable:
    order, used = None, n

    def draw(batch):
        nonlocal order, used
        if used + b > n or order.shape[:-1] != batch:  # a remainder shorter than b is dropped: every batch has b
            order = torch.rand(*batch, n, generator=generator, device=generator.device).argsort(-1)
            used = 0
        used += b
        return order[..., used - b : used]

    return draw
