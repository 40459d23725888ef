r"""Two-layer networks on the table of addition modulo p.

    f(x) = (1/n) sum_{(a, b) for training} loss(z(x; a, b), y_ab),    z = V^T s(A_a + B_b),    y_ab = (a + b) mod p

x is the flat vector of A and B (p, N), a row for each number, and V (N, p). A random share of the p^2 pairs is for training,
drawn for every replicate by itself; the others validate. Leading axes of x are networks of their own, trained at once. The
whole table is evaluated by one product, of which the training pairs are summed, so that one pass gives both accuracies.

shuffled: labels of random order, the same numbers of each, which leave nothing to generalize.

Losses are those of `problems/networks/mlp.py`. The gradient comes from torch.func, and may be differentiated again.
Networks are the exception to float64 at birth: float32 unless another dtype is asked for. Nothing is certified but f* >= 0:
`gap` is f itself, an upper bound of f - f*.

With s the square there are weights of cosines with every answer right: A. Gromov (2023), arXiv:2301.02679. The data set: A.
Power et al. (2022), arXiv:2201.02177.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from ratewitness.problems.layout import Layout
from ratewitness.problems.networks.mlp import ACTIVATIONS, cross_entropy, gradient_of
from ratewitness.problems.problem import FiniteSum, uncertified
from torch import Generator, Tensor


class Table(NamedTuple):
    """Labels of all pairs in the order a p + b, and the pairs to train on: (*replicates, p^2) and (*replicates, n)."""

    labels: Tensor
    training: Tensor

    def masked(self) -> Tensor:
        """True at the pairs to train on: (*replicates, p^2)."""
        return torch.zeros_like(self.labels, dtype=torch.bool).scatter(-1, self.training, True)


@dataclass(frozen=True)
class TwoHot:
    """The architecture. Raises ValueError for a p or width below 2 or 1, and for an unknown activation."""

    p: int
    width: int
    activation: str = "square"

    def __post_init__(self):
        if self.p < 2 or self.width < 1:
            raise ValueError(f"p is {self.p} and width {self.width}; accepted are integers from 2 and from 1 on")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation is {self.activation!r}; accepted are {', '.join(map(repr, ACTIVATIONS))}")

    @property
    def layout(self) -> Layout:
        """A, B and V."""
        return Layout({"A": (self.p, self.width), "B": (self.p, self.width), "V": (self.width, self.p)})

    def initial(
        self, generator: Generator, *replicates: int, dtype: torch.dtype = torch.float32, gain: float = 1.0
    ) -> Tensor:
        """Random weights (*replicates, P) of variance gain^2/(2 p) in A and B, gain^2/width in V."""
        options = {"generator": generator, "device": generator.device, "dtype": dtype}
        fan_in = {"A": 2 * self.p, "B": 2 * self.p, "V": self.width}
        shapes = self.layout.shapes.items()
        return self.layout.join({k: torch.randn(*replicates, *s, **options) * gain / fan_in[k] ** 0.5 for k, s in shapes})

    def outputs(self, x: Tensor) -> Tensor:
        """z of all pairs in the order a p + b: (*batch, P) -> (*batch, p^2, p)."""
        w = self.layout.split(x)
        h = ACTIVATIONS[self.activation](w["A"].unsqueeze(-2) + w["B"].unsqueeze(-3))
        return h.flatten(-3, -2) @ w["V"]

    def outputs_of(self, x: Tensor, pairs: Tensor) -> Tensor:
        """z of some pairs: (*batch, P), (*batch, b) -> (*batch, b, p)."""
        w = self.layout.split(x)
        a, b = (part.unsqueeze(-1) for part in (pairs // self.p, pairs % self.p))
        h = w["A"].take_along_dim(a, -2) + w["B"].take_along_dim(b, -2)
        return ACTIVATIONS[self.activation](h) @ w["V"]

    def accuracies(self, x: Tensor, table: Table) -> Tensor:
        """The shares of right answers in training and in validation: (*batch, P) -> (2, *batch)."""
        right, mask = self.outputs(x).argmax(-1) == table.labels, table.masked()
        return torch.stack([(right & kept).sum(-1) / kept.sum(-1) for kept in (mask, ~mask)])


def addition(p: int, share: float, generator: Generator, *replicates: int, shuffled: bool = False) -> Table:
    """The table with round(share p^2) pairs to train on, drawn for every replicate by itself.

    Raises ValueError for a share that leaves no pair to train on, or none to validate.
    """
    n = round(share * p * p) if math.isfinite(share) else 0
    if not 0 < n < p * p:
        raise ValueError(f"share is {share}; accepted are shares in (0, 1) that leave pairs of {p * p} on both sides")
    device = generator.device
    number = torch.arange(p, device=device)
    labels = (number.unsqueeze(-1) + number).remainder(p).flatten().expand(*replicates, p * p)
    if shuffled:
        labels = labels.gather(-1, torch.rand(*replicates, p * p, generator=generator, device=device).argsort(-1))
    order = torch.rand(*replicates, p * p, generator=generator, device=device).argsort(-1)
    return Table(labels, order[..., :n])


def on_table(
    network: TwoHot,
    table: Table,
    start: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
) -> FiniteSum:
    """The loss of a network on the training pairs of a table, whose replicates are the last axes of batches of x.

    loss: outputs (*batch, n, p), labels (*batch, n) -> the mean over the rows (*batch,). start: (P,) or (*replicates, P).
    """
    n, weight = table.training.shape[-1], table.masked().to(start.dtype)

    def value(x):
        each = loss(network.outputs(x).unsqueeze(-2), table.labels.unsqueeze(-1))  # a row is a mean of its own
        return (each * weight).sum(-1) / n

    def of_sample(x, pairs, labels):
        return loss(network.outputs_of(x, pairs), labels)

    grad, grad_of_sample = gradient_of(value), gradient_of(of_sample)

    def sample_grad(x, index):
        batch = torch.broadcast_shapes(x.shape[:-1], index.shape[:-1])
        pairs = table.training.expand(*batch, n).gather(-1, index.expand(*batch, index.shape[-1]))
        return grad_of_sample(x, pairs, table.labels.expand(*batch, -1).gather(-1, pairs))

    return FiniteSum(
        name=f"addition modulo {network.p}",
        n=n,
        shape=(network.layout.size,),
        gap=value,
        grad=grad,
        sample_grad=sample_grad,
        start=start,
        minimizer=None,
        constants=uncertified(math.inf, "losses are at least 0, so that the gap shown is f, too large by f*"),
        floor=torch.finfo(start.dtype).eps,
    )
