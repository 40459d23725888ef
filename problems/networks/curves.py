r"""Curves between two points of a problem, trained by their free point, and the order of hidden neurons.

    line      (1-t) w1 + t w2
    bezier    (1-t)^2 w1 + 2t(1-t) theta + t^2 w2
    chain     2 (t theta + (1/2 - t) w1) up to t = 1/2, then 2 ((t - 1/2) w2 + (1 - t) theta)

    minimize E_{t ~ U(0,1)} f(phi_theta(t)) over theta,        by c(t) grad f(phi_theta(t)), c = d phi/d theta

uniformly in t, not in the length of the arc. Where f has an l2 penalty, so has the objective: then the loss along a curve
may lie below that of its ends in f and not in the loss that f penalizes.

The hidden neurons of a network may be renumbered without changing what it computes; `matched` renumbers those of one network
so that its weights come near those of another.

T. Garipov, P. Izmailov, D. Podoprikhin, D. Vetrov and A. G. Wilson (2018), arXiv:1802.10026; matching of weights:
S. Ainsworth, J. Hayase and S. Srinivasa (2022), arXiv:2209.04836.
"""

from __future__ import annotations

import torch
from ratewitness.problems.networks.mlp import MLP
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from scipy.optimize import linear_sum_assignment
from torch import Generator, Tensor

SHAPES = ("line", "bezier", "chain")


def coefficients(shape: str, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of w1, theta and w2 at t (any shape). Raises ValueError for another shape of curve."""
    if shape == "line":
        return 1 - t, torch.zeros_like(t), t
    if shape == "bezier":
        return (1 - t).square(), 2 * t * (1 - t), t.square()
    if shape == "chain":
        return (1 - 2 * t).clamp(min=0), 1 - (2 * t - 1).abs(), (2 * t - 1).clamp(min=0)
    raise ValueError(f"shape is {shape!r}; accepted are {', '.join(map(repr, SHAPES))}")


def along(shape: str, w1: Tensor, theta: Tensor, w2: Tensor, t: Tensor) -> Tensor:
    """The points at t (k,), the same for all: three times (*batch, d) -> (k, *batch, d)."""
    a, b, c = (each.reshape(-1, *[1] * w1.ndim) for each in coefficients(shape, t))
    return a * w1 + b * theta + c * w2


def curve_oracle(
    problem: FiniteSum, shape: str, w1: Tensor, w2: Tensor, batch_size: int, generator: Generator
) -> Oracle:  # fmt: skip
    """Gradients in theta (*batch, d) of E_t f(phi_theta(t)): one t and a minibatch (with replacement) for each curve."""

    def draw(batch):
        options = {"generator": generator, "device": generator.device}
        return torch.rand(*batch, 1, dtype=w1.dtype, **options), torch.randint(problem.n, (*batch, batch_size), **options)

    def query(theta, sample):
        t, index = sample
        a, b, c = coefficients(shape, t)
        return b * problem.sample_grad(a * w1 + b * theta + c * w2, index)

    return Oracle(problem, draw, query, batch_size)


def renumbered(network: MLP, x: Tensor, orders: list[Tensor]) -> Tensor:
    """The weights x (P,) with the neurons of every hidden layer in the given orders, which compute the same."""
    part = network.layout.split(x)
    for j, order in enumerate(orders, 1):
        part[f"W{j}"] = part[f"W{j}"][order]
        if network.bias:
            part[f"b{j}"] = part[f"b{j}"][order]
        part[f"W{j + 1}"] = part[f"W{j + 1}"][:, order]
    return network.layout.join(part)


def matched(network: MLP, x: Tensor, target: Tensor, rounds: int = 20) -> Tensor:
    """x (P,) with its hidden neurons renumbered so that <x, target> is large: layer by layer the best assignment, the other
    layers fixed, until nothing changes. A local maximum for more than one hidden layer."""
    hidden = len(network.widths) - 2
    for _ in range(rounds):
        before = x
        for j in range(1, hidden + 1):
            mine, other = network.layout.split(x), network.layout.split(target)
            gain = other[f"W{j}"] @ mine[f"W{j}"].mT + other[f"W{j + 1}"].mT @ mine[f"W{j + 1}"]
            if network.bias:
                gain = gain + torch.outer(other[f"b{j}"], mine[f"b{j}"])
            order = torch.as_tensor(linear_sum_assignment(gain.cpu().numpy(), maximize=True)[1], device=x.device)
            orders = [torch.arange(width, device=x.device) for width in network.widths[1:-1]]
            orders[j - 1] = order
            x = renumbered(network, x, orders)
        if torch.equal(before, x):
            break
    return x
