r"""A parabola whose minimizer moves, or whose gradient scale drops, at a given round.

    f_t(x) = s_t h (x - c_t)^2/2,     gradient seen s_t (h (x - c_t) +- noise), signs drawn fairly

The noise is bounded and has the scale of the gradient, so that a drop of s_t divides all that is seen.
"""

from __future__ import annotations

import torch
from ratewitness.problems.online.ranges import above_zero, below, shown, whole
from ratewitness.problems.online.rounds import Online
from ratewitness.problems.problem import Number, against_x
from torch import Tensor


def moving_parabola(
    name: str,
    at: int | Tensor,
    before: Number,
    after: Number,
    over: int,
    factor: Number,
    curvature: Number,
    noise: Number,
    low: Number | None,
    high: Number | None,
) -> Online:
    """f_t(x) = s_t h (x - c_t)^2/2, shape (1,), with s_t (+-noise) added to the gradient that is seen, signs drawn fairly.

    c_t is `before` until round `at`, then moves in `over` equal steps to `after` (1: it jumps), and s_t falls from 1 to
    1/factor at that round. Parameters are numbers or tensors (*batch, 1); nothing is drawn for a noise that is the number 0.
    The best point is the mean of the c_t, weighted by s_t and clipped to the box. Raises ValueError unless at >= 0 and
    over >= 1 are integers, factor and curvature > 0, noise >= 0 and low < high.
    """
    whole(0, at=at)
    whole(1, over=over)
    above_zero(factor=factor, curvature=curvature)
    if not (torch.as_tensor(noise) >= 0).all():
        raise ValueError(f"noise is {shown(noise)}; accepted are numbers >= 0")
    if (low is None) != (high is None):
        raise ValueError(f"low is {shown(low)} and high {shown(high)}; accepted are two bounds, or None twice")
    if low is not None:
        below(low=low, high=high)
    is_drawn = isinstance(noise, Tensor) or noise > 0
    at, before, after, factor, h, noise = against_x(
        at=at, before=before, after=after, factor=factor, curvature=curvature, noise=noise
    )
    way, weight = after - before, 1 / factor

    def scale(t):
        return torch.where(t < at, torch.ones_like(weight), weight)

    def centre(t):
        return before + way * ((t + 1 - at) / over).clamp(0, 1)

    def loss(t, x):
        return (scale(t) * h * (x - centre(t)).square() / 2).squeeze(-1)

    def grad(t, x):
        return scale(t) * h * (x - centre(t))

    def best(T):
        whole(0, T=T)
        still = at.clamp(max=T)
        moved = T - still
        ramp = moved.clamp(max=over)  # rounds within the move; the later ones have gone all the way
        first = ramp * (ramp + 1) / (2 * over) + moved - ramp  # sum of the share of the way gone, and of its square
        second = ramp * (ramp + 1) * (2 * ramp + 1) / (6 * over**2) + moved - ramp
        mass = still + weight * moved
        gone = way * weight * first / torch.where(mass > 0, mass, 1.0)
        point = before + gone if low is None else torch.clamp(before + gone, torch.as_tensor(low), torch.as_tensor(high))
        y = point - before
        squares = still * y**2 + weight * (moved * y**2 - 2 * y * way * first + way**2 * second)
        return point, (h * squares / 2).squeeze(-1)

    def draw(batch, generator):
        heads = torch.rand(*batch, 1, generator=generator, device=generator.device, dtype=torch.float64) < 0.5
        return 2 * heads.to(torch.float64) - 1

    def sample_grad(t, x, sign):
        return scale(t) * (h * (x - centre(t)) + noise * sign)

    start = before + torch.zeros_like(at * way * factor * h * noise)
    drawn = {"draw": draw, "sample_grad": sample_grad} if is_drawn else {}
    return Online(name, (1,), low, high, loss, grad, start, best, **drawn)


def drifting_minimizer(
    at: int | Tensor,
    before: Number = 0.0,
    after: Number = 1.0,
    over: int = 1,
    curvature: Number = 1.0,
    noise: Number = 0.0,
    low: Number | None = None,
    high: Number | None = None,
) -> Online:
    """h (x - c_t)^2/2 with a minimizer that jumps at round `at`, or moves over `over` rounds: see `moving_parabola`."""
    return moving_parabola("drifting minimizer", at, before, after, over, 1.0, curvature, noise, low, high)


def dropping_scale(
    at: int | Tensor,
    factor: Number,
    before: Number = 0.0,
    after: Number = 0.0,
    curvature: Number = 1.0,
    noise: Number = 0.0,
    low: Number | None = None,
    high: Number | None = None,
) -> Online:
    """The parabola whose gradients, noise included, are divided by `factor` from round `at` on: see `moving_parabola`.

    With after != before its minimizer jumps at that round as well, so that there is something to recover from.
    """
    return moving_parabola("dropping scale", at, before, after, 1, factor, curvature, noise, low, high)
