r"""A small recurrent network, and two tasks for it: the adding problem, where it must remember, and imitating another one.

    f(x) = (1/n) sum_i (o_i - y_i)^2,      o = w h_T + c,      h_t = tanh(A s_t + W h_{t-1} + b),   h_0 = 0

A sequence of length T has the entries s_t = (u_t, m_t): u_t uniform on [0, 1], and marks m_t = 1 at two places, one in each
half of the sequence, else 0. The target y is the sum of the two marked numbers. Who ignores the sequence answers 1 and pays
Var y = 1/6; to do better, the network must carry a number over up to T - 1 steps.

The other task is to answer like a random network of the same kind, the teacher, on pairs of standard normal numbers: f* = 0.

x is the flat vector of all weights: A (H, 2), W (H, H), b, w (H,) and c. The gradient is backpropagation through time,

    d_T = (2/n) (o - y) w (1 - h_T^2),    d_{t-1} = W^T d_t (1 - h_{t-1}^2),    grad_W f = sum_t d_t h_{t-1}^T   and so on:

a product of T matrices W^T diag(1 - h^2), by which gradients vanish or explode. Every network of a batch has weights of its
own, and all of them advance together, one product of batches of matrices for each place in the sequence.

Networks are the exception to float64 at birth: float32 unless another dtype is asked for. Nothing is certified but 0 <= f*
<= Var y, which is 1/6 in the mean over sequences for the adding problem: `gap` is f itself, an upper bound of f - f*.

S. Hochreiter and J. Schmidhuber (1997), experiment on adding; R. Pascanu, T. Mikolov and Y. Bengio (2013), arXiv:1211.5063.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from ratewitness.problems.layout import Layout
from ratewitness.problems.problem import FiniteSum, uncertified
from torch import Generator, Tensor


def sequences(n: int, length: int, generator: Generator, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Numbers and marks (n, length, 2), and the sums of the marked numbers (n,). Raises ValueError for a length below 2."""
    if length < 2:
        raise ValueError(f"length is {length}; accepted are integers from 2 on: one mark for each half")
    options = {"generator": generator, "device": generator.device}
    half = length // 2
    numbers = torch.rand(n, length, dtype=dtype, **options)
    first, second = torch.randint(half, (n, 1), **options), torch.randint(half, length, (n, 1), **options)
    marks = torch.zeros_like(numbers).scatter(1, first, 1.0).scatter(1, second, 1.0)
    return torch.stack([numbers, marks], -1), (numbers * marks).sum(-1)


@dataclass(frozen=True)
class Recurrent:
    """A tanh network of `hidden` units that reads pairs and answers with a number. Raises ValueError for a size below 1."""

    hidden: int

    def __post_init__(self):
        if self.hidden < 1:
            raise ValueError(f"hidden is {self.hidden}; accepted are integers from 1 on")

    @property
    def layout(self) -> Layout:
        H = self.hidden
        return Layout({"A": (H, 2), "W": (H, H), "b": (H,), "w": (H,), "c": (1,)})

    def initial(self, generator: Generator, *replicates: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Random weights (*replicates, P): entries of variance 1/H in W and w, 1/2 in A; no biases."""
        options = {"generator": generator, "device": generator.device, "dtype": dtype}
        scale = {"A": 2**-0.5, "W": self.hidden**-0.5, "w": self.hidden**-0.5, "b": 0.0, "c": 0.0}
        shapes = self.layout.shapes
        return self.layout.join({name: scale[name] * torch.randn(*replicates, *s, **options) for name, s in shapes.items()})

    def answers(self, x: Tensor, s: Tensor) -> Tensor:
        """To sequences (*batch, n, T, 2), of weights (*batch, P): (*batch, n)."""
        return self._read(x, s)[1]

    def loss(self, x: Tensor, s: Tensor, y: Tensor) -> Tensor:
        """Mean squared error of weights (*batch, P) on sequences (*batch, n, T, 2) with sums (*batch, n): (*batch,)."""
        return (self.answers(x, s) - y).square().mean(-1)

    def gradient(self, x: Tensor, s: Tensor, y: Tensor) -> Tensor:
        """The gradient of `loss`, of the shape of x."""
        part = self.layout.split(x)
        W, w = part["W"], part["w"].unsqueeze(-2)
        h, out = self._read(x, s)
        error = 2 / y.shape[-1] * (out - y).unsqueeze(-1)
        back, later = [], error * w  # what the loss says of h_T, then of h_{T-1}, ...
        for after in reversed(h[1:]):
            back.append(d := later * (1 - after * after))
            later = d @ W
        d, before = torch.cat(back[::-1], -2), torch.cat(h[:-1], -2)  # (*batch, T n, H), place by place
        seen = s.transpose(-2, -3).flatten(-3, -2)
        return self.layout.join(
            {"A": d.mT @ seen, "W": d.mT @ before, "b": d.sum(-2), "w": (error * h[-1]).sum(-2), "c": error.sum(-2)}
        )

    def _read(self, x: Tensor, s: Tensor) -> tuple[list[Tensor], Tensor]:
        """The states h_0, ..., h_T (*batch, n, H) and the answers (*batch, n)."""
        part = self.layout.split(x)
        A, W, b = part["A"], part["W"].mT, part["b"].unsqueeze(-2)
        driven = s.transpose(-2, -3) @ A.mT.unsqueeze(-3) + b.unsqueeze(-3)  # (*batch, T, n, H)
        h = [torch.zeros_like(driven[..., 0, :, :])]
        for t in range(s.shape[-2]):
            h.append(torch.tanh(driven[..., t, :, :] + h[-1] @ W))
        return h, (h[-1] * part["w"].unsqueeze(-2)).sum(-1) + part["c"]


def adding(network: Recurrent, n: int, length: int, generator: Generator, dtype: torch.dtype = torch.float32) -> FiniteSum:
    """The adding problem on n sequences from a random start."""
    s, y = sequences(n, length, generator, dtype)
    return _fitting("adding problem", network, s, y, network.initial(generator, dtype=dtype))


def imitating(
    network: Recurrent, n: int, length: int, generator: Generator, dtype: torch.dtype = torch.float32
) -> FiniteSum:
    """Answers of a random teacher, of the size of the network, to n sequences of normal numbers, from a random start."""
    s = torch.randn(n, length, 2, generator=generator, dtype=dtype, device=generator.device)
    y = network.answers(network.initial(generator, dtype=dtype), s)
    return _fitting("imitation of a recurrent network", network, s, y, network.initial(generator, dtype=dtype))


def _fitting(name: str, network: Recurrent, s: Tensor, y: Tensor, start: Tensor) -> FiniteSum:
    def sample_grad(x, index):
        index = index.expand(*x.shape[:-1], index.shape[-1])
        return network.gradient(x, s[index], y[index])

    return FiniteSum(
        name=name,
        n=len(s),
        shape=(network.layout.size,),
        gap=lambda x: network.loss(x, s, y),
        grad=lambda x: network.gradient(x, s.expand(*x.shape[:-1], *s.shape), y),
        sample_grad=sample_grad,
        start=start,
        minimizer=None,
        constants=uncertified(
            float(y.var(unbiased=False)),
            "squares are at least 0, and the mean of y as answer pays its variance, so that f* lies between and the gap "
            "shown is f, too large by f*",
        ),
        floor=torch.finfo(s.dtype).eps,
    )
