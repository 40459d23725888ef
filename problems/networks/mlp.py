r"""Fully connected networks on a fixed data set.

    f(x) = (1/n) sum_i loss(z(x; a_i), y_i) + (l2/2) ||x||^2,        z = W_L s(... s(W_1 a + b_1) ...) + b_L

x is the flat vector of all weights (`layout`): W_j of shape (out, in), then b_j. Every leading axis of x is a batch of
networks of its own, and all of them are trained at once by batched products: inputs are (n, d), the same for all networks,
or (*batch, n, d), for each its own.

Losses are the cross-entropy in nats with labels (n,) or (*batch, n), and half the squared distance of the outputs to targets
(n, c), summed over the outputs, so that its gradient in z is z - y. The gradient comes from torch.func, and so may be
differentiated again: Hessian-vector products are exact (`problems/curvature.py`).

Networks are the exception to float64 at birth: float32 unless another dtype is asked for. Nothing is certified but f* >= 0:
`gap` is f itself, an upper bound of f - f*.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from ratewitness.problems.layout import Layout
from ratewitness.problems.problem import FiniteSum, uncertified
from torch import Generator, Tensor

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "square": lambda z: z * z,  # cheaper to differentiate than torch.square
    "linear": lambda z: z,
}


@dataclass(frozen=True)
class MLP:
    """The architecture: widths (d, h_1, ..., c). Raises ValueError for fewer than two widths, or an unknown activation."""

    widths: tuple[int, ...]
    activation: str = "relu"
    bias: bool = True

    def __post_init__(self):
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise ValueError(f"widths is {self.widths}; accepted are two or more integers from 1 on")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation is {self.activation!r}; accepted are {', '.join(map(repr, ACTIVATIONS))}")

    @property
    def layout(self) -> Layout:
        """W1, b1, W2, b2, ...; without the b where there is no bias."""
        shapes = {}
        for j, (d, h) in enumerate(pairwise(self.widths), 1):
            shapes[f"W{j}"] = (h, d)
            if self.bias:
                shapes[f"b{j}"] = (h,)
        return Layout(shapes)

    def initial(
        self, generator: Generator, *replicates: int, dtype: torch.dtype = torch.float32, gain: float = 1.0
    ) -> Tensor:
        """Random weights (*replicates, P): W_j of variance gain^2/in (twice that for relu), biases 0."""
        options = {"generator": generator, "device": generator.device, "dtype": dtype}
        scale = gain * (math.sqrt(2) if self.activation == "relu" else 1.0)
        parts = {}
        for name, shape in self.layout.shapes.items():
            drawn = torch.randn(*replicates, *shape, **options)
            parts[name] = drawn * scale / math.sqrt(shape[-1]) if name.startswith("W") else torch.zeros_like(drawn)
        return self.layout.join(parts)

    def outputs(self, x: Tensor, inputs: Tensor) -> Tensor:
        """z: x (*batch, P), inputs (n, d) or (*batch, n, d) -> (*batch, n, c)."""
        part, act, last = self.layout.split(x), ACTIVATIONS[self.activation], len(self.widths) - 1
        h = inputs
        for j in range(1, last + 1):
            h = h @ part[f"W{j}"].mT
            if self.bias:
                h = h + part[f"b{j}"].unsqueeze(-2)
            h = act(h) if j < last else h
        return h


def cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    """Mean over the rows: outputs (*batch, n, c), labels (n,) or (*batch, n) -> (*batch,)."""
    chosen = z.gather(-1, y.expand(z.shape[:-1]).unsqueeze(-1)).squeeze(-1)
    return (z.logsumexp(-1) - chosen).mean(-1)


def half_square(z: Tensor, y: Tensor) -> Tensor:
    """Mean over the rows of half the squared distance: (*batch, n, c), (n, c) or (*batch, n, c) -> (*batch,)."""
    return (z - y).square().sum(-1).mean(-1) / 2


def accuracy(z: Tensor, y: Tensor) -> Tensor:
    """The share of rows whose largest output is at the label: (*batch, n, c), (n,) or (*batch, n) -> (*batch,)."""
    return (z.argmax(-1) == y).to(z.dtype).mean(-1)


def gradient_of(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The gradient in x of f(x, *data): (*batch,), where every network of a batch has a value of its own."""
    return torch.func.grad(lambda x, *data: f(x, *data).sum())


def on_rows(
    network: MLP,
    inputs: Tensor,
    y: Tensor,
    generator: Generator,
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
    l2: float | Tensor = 0.0,
    name: str = "network",
) -> FiniteSum:
    """The loss of a network on inputs (n, d) with labels (n,) or targets (n, c), from a random start of the inputs' dtype.

    Inputs (*data, n, d) with labels (*data, n) or targets (*data, n, c) are data sets of their own for the networks x of
    shape (*sweep, *data, P). l2: a number, or a tensor (*batch,) that broadcasts against the losses, so that a sweep of
    decays is one run.
    """
    n, sets = inputs.shape[-2], inputs.shape[:-2]
    penalized = isinstance(l2, Tensor) or l2 != 0
    rows, answers = inputs.flatten(0, -2), y.flatten(0, len(sets))
    first = n * torch.arange(sets.numel(), device=inputs.device).reshape(*sets, 1)  # row of every data set

    def value(x, a, y):
        found = loss(network.outputs(x, a), y)
        return found + l2 / 2 * x.square().sum(-1) if penalized else found

    grad = gradient_of(value)

    def sample_grad(x, index):
        index = index.expand(*x.shape[:-1], index.shape[-1]) + first
        return grad(x, rows[index], answers[index])

    return FiniteSum(
        name=name,
        n=n,
        shape=(network.layout.size,),
        gap=lambda x: value(x, inputs, y),
        grad=lambda x: grad(x, inputs, y),
        sample_grad=sample_grad,
        start=network.initial(generator, dtype=inputs.dtype),
        minimizer=None,
        constants=uncertified(math.inf, "losses and squares are at least 0, so that the gap shown is f, too large by f*"),
        floor=torch.finfo(inputs.dtype).eps,
    )
