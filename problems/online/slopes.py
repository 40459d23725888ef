r"""Online sequences: linear losses with slopes of two values on which Adam fails, and by import the other sequences.

    two_slopes      f_t(x) = big x where t mod period = 0, else small x
    drawn_slopes    f_t(x) = big x with probability p, else small x, independently in every round

on a box [low, high]. A paper that counts rounds from 1 has its round t + 1 here: its "t mod 3 = 1" is t mod 3 = 0. The best
fixed point is not unique where the slopes so far cancel, as C and -1 do for C = 1 after two rounds; it is `low` then.

What a sequence is and how it is played: `problems/online/rounds.py`; sparse features: `problems/online/sparse_features.py`;
minimizers and gradient scales that change: `problems/online/moving_parabola.py`. All of them can be imported from here.

S. J. Reddi, S. Kale and S. Kumar (2018), arXiv:1904.09237, for the sequences on [-1, 1] and the experiment.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from ratewitness.problems.online.moving_parabola import drifting_minimizer, dropping_scale
from ratewitness.problems.online.ranges import above_zero, below, shares, shown, whole
from ratewitness.problems.online.rounds import Online, play, regret
from ratewitness.problems.online.sparse_features import sparse_features
from ratewitness.problems.problem import Number, against_x
from torch import Tensor

__all__ = [
    "Online",
    "drawn_slopes",
    "drifting_minimizer",
    "dropping_scale",
    "experiment",
    "experiment_stochastic",
    "negative_family",
    "periodic",
    "play",
    "reddi_stochastic",
    "regret",
    "sparse_features",
    "three_periodic",
    "two_slopes",
]


def two_slopes(
    name: str, big: Number, small: Number, period: int | Tensor, low: Number = -1.0, high: Number = 1.0
) -> Online:
    """f_t(x) = big x where t mod period = 0, else small x, shape (1,); parameters are numbers or tensors (*batch, 1).

    The best point is `low` where the slopes so far have a sum >= 0, else `high`. Raises ValueError unless period is an
    integer >= 2 and low < high.
    """
    whole(2, period=period)
    below(low=low, high=high)
    big, small, bottom, top = against_x(big=big, small=small, low=low, high=high)
    period = int(period) if not isinstance(period, Tensor) or period.ndim == 0 else period

    @lru_cache(maxsize=8)
    def slopes(shape, dtype, device):
        return tuple(s.to(device, dtype).expand(shape).contiguous() for s in (big, small))

    def grad(t, x):
        pair = slopes(x.shape, x.dtype, x.device)
        if isinstance(period, Tensor):
            return torch.where(t % period == 0, *pair)
        return pair[0] if t % period == 0 else pair[1]

    def best(T):
        whole(0, T=T)
        often = (T + period - 1) // period
        total = often * big + (T - often) * small
        point = torch.where(total >= 0, bottom, top)
        return point, (total * point).squeeze(-1)

    start = (bottom + top) / 2 + torch.zeros_like(big * small * period)
    return Online(name, (1,), low, high, lambda t, x: (grad(t, x) * x).squeeze(-1), grad, start, best, period)


def three_periodic(C: Number) -> Online:
    """f_t(x) = C x where t mod 3 = 0 (the paper's t mod 3 = 1), else -x, on [-1, 1]: Theorem 1 of the paper.

    The best point is -1 for C > 2, after every T. For C < 2 it is 1 from some T on; at C = 2 three rounds cancel and it is
    not unique. Raises ValueError for C <= 0.
    """
    above_zero(C=C)
    return two_slopes("three-periodic", C, -1.0, 3)


def periodic(C: int | Tensor) -> Online:
    """f_t(x) = C x where t mod C = 0 (the paper's t mod C = 1), else -x, on [-1, 1]: Theorem 2 of the paper.

    C rounds have the sum x, so that the best point is -1 after every T. Raises ValueError unless C is an integer >= 2.
    """
    whole(2, C=C)
    return two_slopes("C-periodic", C, -1.0, C)


def negative_family(n: int | Tensor) -> Online:
    """Slopes (n, -1, ..., -1), n rounds a period, on [-1, 1]: `periodic` by the name of a sum of n components."""
    whole(2, n=n)
    return replace(periodic(n), name="(n, -1, ..., -1)")


def experiment() -> Online:
    """f_t(x) = 1010 x where t mod 101 = 0 (the paper's t mod 101 = 1), else -10 x, on [-1, 1]; the best point is -1."""
    return two_slopes("1010/-10", 1010.0, -10.0, 101)


def drawn_slopes(
    name: str, big: Number, small: Number, probability: Number, low: Number = -1.0, high: Number = 1.0
) -> Online:
    """f_t(x) = big x with the given probability, else small x, shape (1,); every replicate draws for itself.

    The best point, for the expected losses, is `low` where the mean slope is >= 0, else `high`. Raises ValueError unless
    the probability is in (0, 1] and low < high.
    """
    shares(probability=probability)
    below(low=low, high=high)
    big, small, p, bottom, top = against_x(big=big, small=small, probability=probability, low=low, high=high)
    mean = p * big + (1 - p) * small
    point = torch.where(mean >= 0, bottom, top)

    def best(T):
        whole(0, T=T)
        return point, (T * mean * point).squeeze(-1)

    def draw(batch, generator):
        return torch.rand(*batch, 1, generator=generator, device=generator.device, dtype=torch.float64) < p

    return Online(
        name=name,
        shape=(1,),
        low=low,
        high=high,
        loss=lambda t, x: (mean * x).squeeze(-1),
        grad=lambda t, x: mean.expand(x.shape),
        start=(bottom + top) / 2 + torch.zeros_like(mean),
        best=best,
        draw=draw,
        sample_grad=lambda t, x, is_big: torch.where(is_big, big, small).expand(x.shape),
    )


def reddi_stochastic(C: Number, delta: Number) -> Online:
    """C x with probability (1 + delta)/(C + 1), else -x, on [-1, 1]: the mean slope is delta, the best point -1.

    Theorem 3 of the paper. Raises ValueError unless C > 0 and 0 < delta <= C.
    """
    above_zero(C=C, delta=delta)
    if not (torch.as_tensor(delta) <= torch.as_tensor(C)).all():
        raise ValueError(f"delta is {shown(delta)} and C {shown(C)}; accepted are delta <= C, where it is a probability")
    return drawn_slopes("C x or -x", C, -1.0, (1 + delta) / (C + 1))


def experiment_stochastic() -> Online:
    """1010 x with probability 0.01, else -10 x, on [-1, 1]: the mean slope is 0.2, the best point -1."""
    return drawn_slopes("1010/-10 drawn", 1010.0, -10.0, 0.01)
