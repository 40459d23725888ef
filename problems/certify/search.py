"""Where a certificate might break: points to try, directions to look along, and a climb to something worse.

Points are sampled around the start and the minimizer at many scales; gradient descent adds points where the function is
flat, and the eigenvectors of the Hessian at the minimizer the extreme directions. All problems here have vectors as
points, shape (d,), and points lie along the last batch axis: (*sweep, points, d).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from ratewitness.problems.problem import FiniteSum, Number, norm
from torch import Generator, Tensor


def secant(grad: Callable, problem: FiniteSum, x: Tensor, u: Tensor) -> Tensor:
    """(grad(x + h u) - grad(x - h u))/2h for a small h, 0 where that leaves the domain: (*batch, d) -> (*batch, d)."""
    h = 1e-4 * (norm(x - problem.start, (1,)) + 1e-2 * (1 + norm(problem.start, (1,)))).detach().unsqueeze(-1)
    change = (grad(x + h * u) - grad(x - h * u)) / (2 * h)
    if problem.domain is None:
        return change
    inside = problem.domain(x + h * u) & problem.domain(x) & problem.domain(x - h * u)
    return torch.where(inside.unsqueeze(-1), change, 0.0)


def eigenvectors(grad: Callable, problem: FiniteSum, x: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvectors of the Hessian of least and of absolutely largest eigenvalue: (*batch, p, d) twice."""
    p, d = x.shape[-2:]
    axes = torch.eye(d, dtype=x.dtype, device=x.device).repeat(p, 1).expand(*x.shape[:-2], p * d, d)
    H = secant(grad, problem, x.repeat_interleave(d, dim=-2), axes).unflatten(-2, (p, d))
    values, vectors = torch.linalg.eigh((H + H.mT) / 2)
    worst = values.abs().argmax(-1)[..., None, None].expand(*x.shape[:-1], d, 1)
    return vectors[..., 0], vectors.gather(-1, worst).squeeze(-1)


def climb(ratio: Callable, x: Tensor, problem: FiniteSum, steps: int) -> float:
    """The largest value of `ratio` met on the way up from every point; steps double on success, else quarter."""
    step = (1e-2 * (norm(x - problem.start, (1,)) + 1e-2 * (1 + norm(problem.start, (1,))))).unsqueeze(-1)
    best = ratio(x)
    if not best.isfinite().all():
        return float("inf")
    for _ in range(steps):
        at = x.clone().requires_grad_()
        value = ratio(at)
        if not value.requires_grad:  # the ratio does not depend on x
            break
        uphill = torch.autograd.grad(value.sum(), at)[0].nan_to_num()
        trial = x + step * uphill / norm(uphill, (1,)).clamp(min=1e-300).unsqueeze(-1)
        reached = ratio(trial)
        better = reached > best
        if problem.domain is not None:
            better = better & problem.domain(trial)
        x = torch.where(better.unsqueeze(-1), trial, x)
        best = torch.where(better, reached, best)
        step = torch.where(better.unsqueeze(-1), 2 * step, step / 4)
    return float(best.max())


def sampled(problem: FiniteSum, generator: Generator, points: int) -> Tensor:
    """The start, the minimizer and points around both at distances of 1e-3 to 10 times R: (*sweep, points, d)."""
    start = problem.starts(points)
    centre = start.clone()
    if problem.minimizer is not None:
        centre[..., 1::2, :] = problem.minimizer
    reach = norm(start - centre, (1,)).amax(-1, keepdim=True)
    reach = torch.where(reach > 0, reach, 1 + norm(start, (1,)))
    size = reach * 10 ** (4 * torch.rand(reach.shape, generator=generator, dtype=start.dtype, device=start.device) - 3)
    size[..., :2] = 0
    x = centre + size.unsqueeze(-1) * directions(start.shape, generator)
    return x if problem.domain is None else torch.where(problem.domain(x).unsqueeze(-1), x, 0.9 * start + 0.1 * centre)


def descended(problem: FiniteSum, x: Tensor, smoothness: Number) -> list[Tensor]:
    """The points after 10 and after 100 steps of gradient descent with 1/smoothness."""
    L, kept = torch.as_tensor(smoothness), []
    for k in range(1, 101):
        x = x - problem.grad(x) / L.unsqueeze(-1)
        if k in (10, 100):
            kept.append(x)
    return kept


def spokes(problem: FiniteSum) -> list[Tensor]:
    """Points around the minimizer along the Hessian's eigenvectors: [(*sweep, d, d)], [] without minimizer."""
    if problem.minimizer is None:
        return []
    d = problem.shape[0]
    minimizer = problem.minimizer if problem.minimizer.ndim > 1 else problem.minimizer.unsqueeze(0)
    axes = torch.eye(d, dtype=minimizer.dtype, device=minimizer.device)
    H = secant(problem.grad, problem, minimizer.expand(*minimizer.shape[:-2], d, d), axes)
    vectors = torch.linalg.eigh((H + H.mT) / 2).eigenvectors.mT
    x = minimizer + 0.1 * (problem.radius.reshape(*minimizer.shape[:-1], 1) + 1e-3) * vectors
    return [x if problem.domain is None else torch.where(problem.domain(x).unsqueeze(-1), x, minimizer)]


def directions(shape: torch.Size, generator: Generator) -> Tensor:
    u = torch.randn(shape, generator=generator, dtype=torch.float64, device=generator.device)
    return u / norm(u, (1,)).unsqueeze(-1)
