r"""A small character model: a decoder-only transformer that predicts the next character of a text.

    f(x) = (1/n) sum_i f_i(x),        f_i(x) = -(1/T) sum_{t=1}^T log softmax(logits_t(x; w_i))[w_i,t+1]

x is the flat vector of all weights and w_i the i-th window of T + 1 characters of the training text (windows share
their last and first character, so that each character is predicted once). Before each half of a block and before the
head stands a layer normalization without parameters; attention is causal; the other half is a GELU network four times
as wide; the matrices that write into the residual stream start at 0; the head has weights of its own, or those of the
embedding where it is tied to it; there are no biases:

    h = embedding[w] + position;    h += o attention(q, k, v of norm(h));    h += contract GELU(expand norm(h))

Matrices have the shape (out, in). With 68 characters, T = 64, width 64, 4 heads and 2 layers P = 111104, of which 98304
are in the hidden matrices. That is a model of the shape of GPT-2 and a thousandth of its size.

Networks are the exception to float64 at birth: float32 unless another dtype is asked for; the functions follow x. Nothing
is certified but 0 <= f* <= log(vocabulary): no Lipschitz constant, no bound on the noise. `gap` is f itself, an upper
bound of f - f*; it and `grad` visit the whole text, which takes minutes; a study judges by `cross_entropy` on windows it
chooses. Replicates are a loop: on a CPU core one at a time took 31 ms a gradient of 32 windows, batched products 40 to 44
and torch.func.vmap 42, because a replicate fills the core and its cache.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from ratewitness.problems.layout import Layout
from ratewitness.problems.problem import FiniteSum, uncertified
from torch import Generator, Tensor
from torch.nn import functional as F

CHUNK = 256  # windows at once where the whole text is visited


@dataclass(frozen=True)
class Transformer:
    """The architecture. Raises ValueError for sizes below 1, or heads that do not divide the width."""

    vocabulary: int
    context: int = 64
    width: int = 64
    heads: int = 4
    layers: int = 2
    tied: bool = False  # the head is the embedding

    def __post_init__(self):
        for name in ("vocabulary", "context", "width", "heads", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; accepted are integers from 1 on")
        if self.width % self.heads:
            raise ValueError(f"heads is {self.heads}; accepted are divisors of the width {self.width}")

    @property
    def layout(self) -> Layout:
        """Embedding, position and head first, then the hidden matrices: q, k, v and o, expand, contract."""
        d = self.width
        head = {} if self.tied else {"head": (self.vocabulary, d)}
        return Layout(
            {
                "embedding": (self.vocabulary, d),
                "position": (self.context, d),
                **head,
                "attention": (self.layers, 4, d, d),
                "expand": (self.layers, 4 * d, d),
                "contract": (self.layers, d, 4 * d),
            }
        )

    def initial(self, generator: Generator, *replicates: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Random weights (*replicates, P): variance 1/width in q, k, v and expand, 0 in o and contract, else 0.02^2."""
        options = {"generator": generator, "device": generator.device, "dtype": dtype}
        parts = {name: torch.randn(*replicates, *s, **options) for name, s in self.layout.shapes.items()}
        scale = {"attention": self.width**-0.5, "expand": self.width**-0.5, "contract": 0.0}
        parts = {name: scale.get(name, 0.02) * part for name, part in parts.items()}
        parts["attention"][..., 3, :, :] = 0
        return self.layout.join(parts)

    def logits(self, x: Tensor, tokens: Tensor) -> Tensor:
        """x (P,), tokens (b, t) with t <= context -> (b, t, vocabulary), each row from the tokens up to it only."""
        w = self.layout.split(x)
        h = F.embedding(tokens, w["embedding"]) + w["position"][: tokens.shape[-1]]
        for qkvo, expand, contract in zip(w["attention"], w["expand"], w["contract"], strict=True):
            q, k, v = ((_norm(h) @ each.mT).unflatten(-1, (self.heads, -1)).transpose(-2, -3) for each in qkvo[:3])
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            h = h + mixed.transpose(-2, -3).flatten(-2) @ qkvo[3].mT
            h = h + F.gelu(_norm(h) @ expand.mT) @ contract.mT
        return _norm(h) @ w["embedding" if self.tied else "head"].mT

    def cross_entropy(self, x: Tensor, windows: Tensor) -> Tensor:
        """Mean loss in nats a character: x (*batch, P), windows (b, T + 1) or (*batch, b, T + 1) -> (*batch,)."""
        each = windows.expand(*x.shape[:-1], *windows.shape[-2:]).flatten(0, -3) if x.ndim > 1 else [windows]
        losses = [self._loss(point, w) for point, w in zip(x.reshape(-1, x.shape[-1]), each, strict=True)]
        return torch.stack(losses).view(x.shape[:-1])

    def gradient(self, x: Tensor, windows: Tensor) -> Tensor:
        """The gradient of `cross_entropy`, of the shape of x."""
        return torch.func.grad(lambda x: self.cross_entropy(x, windows).sum())(x)

    def _loss(self, x: Tensor, windows: Tensor) -> Tensor:
        return F.cross_entropy(self.logits(x, windows[:, :-1]).flatten(0, -2), windows[:, 1:].flatten())


def windows(tokens: Tensor, context: int) -> Tensor:
    """All whole windows, each starting with the last token of the one before: (length,) -> (n, context + 1).

    Raises ValueError for a text shorter than one window.
    """
    if len(tokens) <= context:
        raise ValueError(f"the text has {len(tokens)} tokens; accepted are more than the context {context}")
    return tokens.unfold(0, context + 1, context)


def character_model(
    network: Transformer, tokens: Tensor, generator: Generator, dtype: torch.dtype = torch.float32
) -> FiniteSum:
    """Next-character prediction on the windows of `tokens` (length,), int64 below the vocabulary, from a random start."""
    if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < network.vocabulary:
        raise ValueError(f"tokens reach from {tokens.min()} to {tokens.max()}; accepted are 0 to {network.vocabulary - 1}")
    text = windows(tokens.to(generator.device), network.context)
    n, largest = len(text), math.log(network.vocabulary)

    def over_text(function, x):
        return sum(len(chunk) / n * function(x, chunk) for chunk in text.split(CHUNK))

    return FiniteSum(
        name="character model",
        n=n,
        shape=(network.layout.size,),
        gap=lambda x: over_text(network.cross_entropy, x),
        grad=lambda x: over_text(network.gradient, x),
        sample_grad=lambda x, index: network.gradient(x, text[index]),
        start=network.initial(generator, dtype=dtype),
        minimizer=None,
        constants=uncertified(
            largest,
            "cross-entropy is at least 0, and a head of zeros has log(vocabulary), so that f* lies between and the gap "
            "shown is f, too large by f*",
        ),
        floor=torch.finfo(dtype).eps * largest,
    )


def _norm(h: Tensor) -> Tensor:
    return F.layer_norm(h, h.shape[-1:])
