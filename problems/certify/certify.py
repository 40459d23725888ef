"""Tries to break every constant that a problem certifies.

Each check is a measured/certified ratio that an honest problem keeps at or below 1. It is evaluated at the points of
`problems/certify/search.py`, climbs from all of them, and `violations` reports what ends above 1. A search that finds
nothing proves nothing: the proof is the certificate. But a sharp constant that is a few per cent too good is found, and the
tests plant some.

Where no L is claimed (it is inf), the largest curvature that was seen says in its place what may be rounding, so that a
gradient, a minimizer or a convexity that is false is found all the same. Pairs of points are compared as well, across which
a jump or a kink of the wrong sign shows that no point shows alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from ratewitness.problems.certify.search import climb, descended, directions, eigenvectors, sampled, secant, spokes
from ratewitness.problems.problem import FiniteSum, Number, norm
from torch import Generator, Tensor

TOLERANCE = 1e-6  # relative, for rounding on the measured side
ENOUGH = 400_000  # numbers in a tensor of all component gradients: bounds the points where averages are taken
PARTNERS = 64  # of each point: most pairs of the points of one problem in few dimensions


def violations(problem: FiniteSum, generator: Generator, points: int = 48, climbs: int = 40) -> list[str]:
    """One line for every certified property that was seen to be false; [] for an honest problem."""
    return [
        f"{problem.name}: {check} is violated, worst ratio {ratio:.9g} > 1"
        for check, ratio in ratios(problem, generator, points, climbs).items()
        if not ratio <= 1 + TOLERANCE  # a NaN is a violation too
    ]


def ratios(problem: FiniteSum, generator: Generator, points: int = 48, climbs: int = 40) -> dict[str, float]:
    """The worst measured/certified ratio of each check: above 1 is false, near 1 says that the constant is sharp."""
    shape, problem = problem.shape, _with_vectors(problem)
    c = problem.constants
    near = sampled(problem, generator, points)
    curved = near[..., : max(2, 10 * ENOUGH // (problem.n * near.shape[-1])), :]
    lowest, largest = eigenvectors(problem.grad, problem, curved)
    few = near[..., : max(2, ENOUGH // (problem.n * near.shape[-1])), :]
    L = _curvature(problem, secant(problem.grad, problem, curved, largest))
    x = torch.cat([near, *_lower(problem, near, L), *spokes(problem)], -2)

    def worst(ratio, x):
        return climb(ratio, x, problem, climbs)

    def along(u, x):
        return secant(problem.grad, problem, x, u)

    found = {
        "smoothness": worst(lambda x: norm(along(largest, x), (1,)) / c.smoothness, curved),
        "component smoothness": _component_smoothness(problem, few, generator, worst),
        "PL": worst(lambda x: _flatness(problem, x), x),
        "variance": worst(lambda x: _noise(problem, x)[0] / c.variance, few) if not _zero(c.variance) else 0.0,
        "smoothness between points": _between(problem, x, c.smoothness),
        **_exact_properties(problem, x, few, L),
    }
    for name, L in c.smoothness_in.items():
        found[f"smoothness in {name}"] = _smoothness_in(_furthest(name, shape), L, problem, curved, largest, worst)
    if c.convex or not _zero(c.strong_convexity):
        found["convexity"] = worst(
            lambda x: 1 + (c.strong_convexity - (lowest * along(lowest, x)).sum(-1)) / L,
            curved,
        )
        found["convexity between points"] = _between(problem, x, L, convex=True)
    return found


def _curvature(problem: FiniteSum, change: Tensor) -> Number:
    """L where it is claimed; where it is inf, the largest length of these changes of the gradient, (*sweep, 1)."""
    L = torch.as_tensor(problem.constants.smoothness)
    return torch.where(L.isinf(), norm(change, (1,)).amax(-1, keepdim=True).clamp(min=1e-300), L)


def _lower(problem: FiniteSum, x: Tensor, L: Number) -> list[Tensor]:
    """The points of gradient descent; the point itself where its steps, for a curvature that was only seen, went up."""
    found = descended(problem, x, L)
    unknown = torch.as_tensor(problem.constants.smoothness).isinf()
    return [torch.where((~unknown | (problem.gap(y) <= problem.gap(x))).unsqueeze(-1), y, x) for y in found]


def _between(problem: FiniteSum, x: Tensor, L: Number, convex: bool = False) -> float:
    """f(y) - f(x) - <grad f(x), y - x> of pairs of these points, against +- L/2 ||y - x||^2; if `convex`, against
    mu/2 ||y - x||^2 from below."""
    gap, slope, found = problem.gap(x), problem.grad(x), []
    for shift in range(1, min(x.shape[-2], PARTNERS + 1)):
        y, other = x.roll(shift, -2), gap.roll(shift, -1)
        square, rise = (y - x).square().sum(-1) / 2, (slope * (y - x)).sum(-1)
        rounding = 1e-9 * L * square + 1e-12 * (gap.abs() + other.abs() + rise.abs()) + 100 * problem.floor
        rest = other - gap - rise
        if convex:
            ratio = 1 + (problem.constants.strong_convexity * square - rest - rounding) / (L * square + rounding)
        else:
            ratio = rest.abs() / (L * square + rounding)
        ratio = torch.where(square > 0, ratio, 0.0)
        found.append((ratio if problem.domain is None else torch.where(_inside(problem, x, y), ratio, 0.0)).max())
    return float(torch.stack(found).max())  # NaN if one is


def _inside(problem: FiniteSum, x: Tensor, y: Tensor) -> Tensor:
    """Whether the segment stays in the domain, at nine of its points."""
    return torch.stack([problem.domain(torch.lerp(x, y, t / 8)) for t in range(9)]).all(0)


def _exact_properties(problem: FiniteSum, x: Tensor, few: Tensor, L: Number) -> dict[str, float]:
    """What must hold up to rounding: its error over the error allowed."""
    c = problem.constants
    reach = norm(x - problem.start, (1,)) + norm(problem.start, (1,)) + 1e-3
    at = x.clone().requires_grad_()
    slope = torch.autograd.grad(problem.gap(at).sum(), at)[0]
    g = problem.grad(x)
    _, bias, size = _noise(problem, few)
    found = {
        "gap's gradient": norm(slope - g, (1,)) / (1e-7 * norm(g, (1,)) + 1e-9 * L * reach),
        "unbiasedness": bias / (1e-10 * size + 1e-14 * L * reach[..., : few.shape[-2]]),
        "f* as infimum": -problem.gap(x) / (c.optimum_error + problem.floor),
        "noise without variance": _noise(problem, few)[0] / (1e-24 * size**2 + 1e-300) if _zero(c.variance) else 0.0,
    }
    if problem.domain is not None:
        found["start in the domain"] = 2.0 - 2.0 * problem.domain(problem.start).double()
    if problem.minimizer is not None:
        minimizer = problem.minimizer.unsqueeze(0) if problem.minimizer.ndim == 1 else problem.minimizer
        noise, _, size = _noise(problem, minimizer)
        rounding = 1e-24 * (size + L * (norm(minimizer, (1,)) + 1)) ** 2
        found["gap at the minimizer"] = problem.gap(minimizer).abs() / problem.floor
        found["gradient at the minimizer"] = norm(problem.grad(minimizer), (1,)) ** 2 / (2 * L * problem.floor)
        found["variance at the minimizer"] = noise / (c.variance_at_minimizer + rounding)
        if problem.domain is not None:
            found["minimizer in the domain"] = 2.0 - 2.0 * problem.domain(minimizer).double()
    return {check: float(torch.as_tensor(ratio).max()) for check, ratio in found.items()}


def _flatness(problem: FiniteSum, x: Tensor) -> Tensor:
    gap, squared = problem.gap(x), problem.grad(x).square().sum(-1)
    # a gap at the floor is rounding; the floor also keeps 0/0 out
    return torch.where(gap > 100 * problem.floor, 2 * problem.constants.pl * gap / (squared + 1e-300), 0.0)


def _noise(problem: FiniteSum, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """E||grad f_i - grad f||^2, ||E grad f_i - grad f|| and max_i ||grad f_i||, over all components: (*batch,)."""
    repeated, index = _for_each_component(problem, x)
    each = problem.sample_grad(repeated, index).unflatten(-2, (x.shape[-2], problem.n))
    g = problem.grad(x)
    variance = (each - g.unsqueeze(-2)).square().sum(-1).mean(-1)
    return variance, norm(each.mean(-2) - g, (1,)), norm(each, (1,)).amax(-1)


def _component_smoothness(problem: FiniteSum, x: Tensor, generator: Generator, worst: Callable) -> float:
    if torch.as_tensor(problem.constants.component_smoothness).isinf().all():
        return 0.0
    x, index = _for_each_component(problem, x)

    def each(x):
        return problem.sample_grad(x, index)

    u = directions(x.shape, generator)
    for _ in range(15):  # power iteration
        change = secant(each, problem, x, u)
        u = change / norm(change, (1,)).clamp(min=1e-300).unsqueeze(-1)
    u = torch.where(u.square().sum(-1, keepdim=True) > 0.5, u, directions(x.shape, generator))
    return worst(lambda x: norm(secant(each, problem, x, u), (1,)) / problem.constants.component_smoothness, x)


def _smoothness_in(furthest: Callable, L: Number, problem: FiniteSum, x: Tensor, largest: Tensor, worst: Callable) -> float:
    """max ||H u||_* / L over the unit ball, by u <- argmax of <H u, v> over v in it, which climbs; from the largest
    eigenvector, from (1, ..., 1) and from the axes in turn."""

    def dual(g):
        return (furthest(g).detach() * g).sum(-1)  # the gradient of a maximum is that of the piece that attains it

    turns = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)[torch.arange(x.shape[-2]) % x.shape[-1]]
    found = []
    for first in (largest, torch.ones_like(x), turns.expand_as(x)):
        u = furthest(first)
        for _ in range(15):
            u = furthest(secant(problem.grad, problem, x, u))
        found.append(worst(lambda x, u=u: dual(secant(problem.grad, problem, x, u)) / L, x))
    return max(found)


def _furthest(name: str, shape: tuple[int, ...]) -> Callable:
    """g -> argmax of <g, u> over the unit ball of the norm, for vectors and flattened matrices: (*batch, d) -> same."""

    def corner(g):
        return torch.nn.functional.one_hot(g.abs().argmax(-1), g.shape[-1]) * g.sign()

    def singular(choose):
        def furthest(g):
            U, S, Vh = torch.linalg.svd(g.unflatten(-1, shape), full_matrices=False)
            return (U * choose(S).unsqueeze(-2) @ Vh).flatten(-2)

        return furthest

    known = {"linf": torch.sign, "l1": corner}
    if len(shape) == 2:
        known |= {"spectral": singular(torch.ones_like), "nuclear": singular(lambda S: corner(S + 1e-300))}
    if name not in known:
        accepted = ", ".join(map(repr, known))
        raise ValueError(f"smoothness_in names {name!r}; certified for points of shape {tuple(shape)} are {accepted}")
    return known[name]


def _for_each_component(problem: FiniteSum, x: Tensor) -> tuple[Tensor, Tensor]:
    """Each point n times, and the component indices: (*batch, p, d) -> (*batch, p n, d) and (*batch, p n, 1)."""
    index = torch.arange(problem.n, device=x.device).repeat(x.shape[-2]).unsqueeze(-1)
    repeated = x.repeat_interleave(problem.n, dim=-2)
    return repeated, index.expand(*repeated.shape[:-1], 1)


def _zero(number: Number) -> bool:
    return bool((torch.as_tensor(number) == 0).all())


def _with_vectors(problem: FiniteSum) -> FiniteSum:
    """The same problem with points of shape (d,)."""
    shape, k = problem.shape, len(problem.shape)
    if k == 1:
        return problem
    domain = problem.domain
    return replace(
        problem,
        shape=(torch.Size(shape).numel(),),
        gap=lambda x: problem.gap(x.unflatten(-1, shape)),
        grad=lambda x: problem.grad(x.unflatten(-1, shape)).flatten(-k),
        sample_grad=lambda x, index: problem.sample_grad(x.unflatten(-1, shape), index).flatten(-k),
        start=problem.start.flatten(-k),
        minimizer=None if problem.minimizer is None else problem.minimizer.flatten(-k),
        domain=None if domain is None else lambda x: domain(x.unflatten(-1, shape)),
    )
