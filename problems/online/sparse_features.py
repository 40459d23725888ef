r"""Sparse features: coordinate i takes part in a round with probability p_i, on the box [-D, D]^d.

    absolute   f_t(x) = sum_{i takes part} |x_i - D u_i|                      the best point is D u, with total loss 0
    linear     f_t(x) = sum_{i takes part} z_i x_i, z_i = +-1 of mean -u_i    the best point is D sign(u)

Every |g_i| <= 1, the setting in which the regret bounds of AdaGrad and of one step for all coordinates differ by the factor
sum_i sqrt(p_i)/sqrt(d sum_i p_i).

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12, for the setting.
"""

from __future__ import annotations

from typing import Literal

import torch
from ratewitness.problems.online.ranges import above_zero, shares, shown, whole
from ratewitness.problems.online.rounds import Online
from ratewitness.problems.problem import Number
from torch import Tensor


def sparse_features(
    frequencies: Tensor, losses: Literal["linear", "absolute"] = "absolute", D: float = 1.0, pull: Number = 0.5
) -> Online:
    """The absolute or the linear losses of coordinates with frequencies p of shape (d,) or (*batch, d).

    `pull` u in [-1, 1] is a number or broadcasts against p; where u_i = 0 the best point of the linear losses is not unique,
    and 0 is named. |g_i| <= 1, and |x_i - D u_i| has the gradient 0 at its minimizer. Raises ValueError for frequencies
    outside (0, 1], other losses, D <= 0 and a pull outside [-1, 1].
    """
    shares(frequencies=frequencies)
    above_zero(D=D)
    p = torch.atleast_1d(torch.as_tensor(frequencies, dtype=torch.float64))
    u = torch.as_tensor(pull, dtype=torch.float64, device=p.device).expand(p.shape)
    if not (u.abs() <= 1).all():
        raise ValueError(f"pull is {shown(pull)}; accepted are numbers in [-1, 1]")

    def uniform(batch, generator):
        return torch.rand(*batch, p.shape[-1], generator=generator, device=generator.device, dtype=torch.float64)

    if losses == "absolute":
        point, total = D * u, torch.zeros_like(p).sum(-1)

        def loss(t, x):
            return (p * (x - point).abs()).sum(-1)

        def grad(t, x):
            return p * (x - point).sign()

        def draw(batch, generator):
            return (uniform(batch, generator) < p).to(p.dtype)

        def sample_grad(t, x, active):
            return active * (x - point).sign()

    elif losses == "linear":
        mean = -p * u
        point, total = D * u.sign(), -D * (p * u.abs()).sum(-1)

        def loss(t, x):
            return (mean * x).sum(-1)

        def grad(t, x):
            return mean.expand(x.shape)

        def draw(batch, generator):
            where = uniform(batch, generator)  # one number decides whether i takes part, and with which sign
            return (where < p).to(p.dtype) - 2 * (where < p * (1 + u) / 2).to(p.dtype)

        def sample_grad(t, x, slope):
            return slope.expand(x.shape)

    else:
        raise ValueError(f"losses is {losses!r}; accepted are 'linear' and 'absolute'")

    def best(T):
        whole(0, T=T)
        return point, T * total

    start = torch.zeros_like(p)
    name = f"sparse {losses} losses"
    return Online(name, p.shape[-1:], -D, D, loss, grad, start, best, draw=draw, sample_grad=sample_grad)
