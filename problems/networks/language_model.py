r"""A language model that reads its batches from disk: GPT-2 124M, what a gradient of it costs, and how memory holds it.

    f(x) = E_w[ -(1/T) sum_t log softmax(logits_t(x; w))[w_t+1] ],        w a window of a stream of tokens

GPT-2 124M is the transformer of `character_model.py` at the sizes of Radford et al. (2019): 12 layers, width 768, 12 heads,
context 1024, the head tied to the embedding, and a vocabulary of 50257 padded to 50304, a multiple of 128; without the
biases, the gains of its layer normalizations and the tanh in its GELU. P = 124354560.

A batch is a mean over micro-batches, whose gradients are added up: memory is that of one of them. With `compute` bfloat16
products of matrices are taken in it (torch.autocast), while weights, gradients and the residual stream stay float32.

Operations in products of matrices: a weight that multiplies costs 2 forward and 4 backward for each token, and attention
4 d T forward in each layer, as if it were not causal, and twice that backward:

    operations a token = 6 N + 12 layers d T,        N = 12 layers d^2 + vocabulary d

positions, and an embedding that is no head, are looked up and not multiplied. Model-flops utilization is this times the
tokens a second over the operations a second that the device reaches in one large product (Chowdhery et al. 2022,
arXiv:2204.02311, appendix B, with N all weights; Kaplan et al. 2020, arXiv:2001.08361).
"""

from __future__ import annotations

import torch
from ratewitness.problems.data.shards import Stream
from ratewitness.problems.networks.character_model import Transformer
from torch import Tensor

GPT2_124M = Transformer(vocabulary=50304, context=1024, width=768, heads=12, layers=12, tied=True)


def operations(network: Transformer) -> int:
    """Floating-point operations in products of matrices of a gradient, a token."""
    d, layers = network.width, network.layers
    return 6 * (12 * layers * d**2 + network.vocabulary * d) + 12 * layers * d * network.context


class Streamed:
    """An oracle whose samples are the next `batch` windows of a stream, the last axis of x being one network.

    micro: windows at once, the whole batch by default; compute: the dtype of products, that of x by default. Counts as an
    `Oracle` does, in windows. Raises ValueError for a batch below 1 or a micro-batch that does not divide it.
    """

    values = 0  # it answers no queries for them

    def __init__(
        self,
        network: Transformer,
        stream: Stream,
        batch: int,
        micro: int | None = None,
        compute: torch.dtype | None = None,
    ):
        micro = micro or batch
        if batch < 1 or micro < 1 or batch % micro:
            raise ValueError(f"batch is {batch} and micro {micro}; accepted are batches from 1 on, and divisors of them")
        self.network, self.stream, self.batch, self.micro, self.compute = network, stream, batch, micro, compute
        self.sample = None
        self.calls = self.component_gradients = 0

    def grad(self, x: Tensor, redraw: bool = True) -> Tensor:
        """(*sweep, replicates, P) or (P,), and of that shape: each replicate on windows of its own, which a sweep shares."""
        if redraw or self.sample is None:
            self.sample = self.stream.next(*x.shape[-2:-1], self.batch)  # (*replicates, batch, T + 1)
        self.calls += 1
        self.component_gradients += self.batch
        return self._mean(self.network.gradient, x, self.sample)

    def loss(self, x: Tensor, windows: Tensor) -> Tensor:
        """The cross-entropy on windows (n, T + 1), a micro-batch at a time: (*batch, P) -> (*batch,)."""
        return self._mean(self.network.cross_entropy, x, windows)

    def _mean(self, function, x: Tensor, windows: Tensor) -> Tensor:
        given = windows.expand(*x.shape[:-1], *windows.shape[-2:]).flatten(0, -3) if x.ndim > 1 else [windows]
        found = [self._of_one(function, point, w) for point, w in zip(x.reshape(-1, x.shape[-1]), given, strict=True)]
        return torch.stack(found).view((*x.shape[:-1], *found[0].shape))

    def _of_one(self, function, x: Tensor, windows: Tensor) -> Tensor:
        total = 0.0
        for part in windows.split(self.micro):
            with torch.autocast(x.device.type, dtype=self.compute, enabled=self.compute is not None):
                total = total + function(x, part.to(x.device)) * (len(part) / len(windows))
        return total

    @property
    def state(self) -> dict:
        """What a run goes on from."""
        return self.stream.state

    def restore(self, state: dict) -> None:
        self.stream.restore(state)
        self.sample = None
