r"""Parameters by name inside a flat vector.

    x = (w_1, ..., w_k) in R^P,        w_j of shape s_j,        P = sum_j prod(s_j)

A network is a problem over one vector x, so that every solver takes it as it is; a layout says where its weights lie.
Leading axes of x are batch axes, as everywhere. A shape may stack equal weights: (layers, 4, d, d) is 4 square matrices
for each layer, which a solver for matrices reads as a batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """The shapes of the parts of a flat vector, by name and in their order."""

    shapes: Mapping[str, tuple[int, ...]]

    @property
    def slices(self) -> dict[str, slice]:
        """Where each part lies."""
        ends = accumulate(map(math.prod, self.shapes.values()), initial=0)
        return {name: slice(*ends) for name, ends in zip(self.shapes, pairwise(ends), strict=True)}

    @property
    def size(self) -> int:
        """P, the length of the flat vector."""
        return sum(map(math.prod, self.shapes.values()))

    def split(self, x: Tensor) -> dict[str, Tensor]:
        """Views of the parts by name: (*batch, P) -> (*batch, *shape) each. Raises ValueError for another length."""
        if x.shape[-1] != self.size:
            raise ValueError(f"x has shape {tuple(x.shape)}; accepted are vectors of length {self.size} in the last axis")
        parts = x.split([math.prod(shape) for shape in self.shapes.values()], -1)  # whose gradient is one concatenation
        return {
            name: part.unflatten(-1, shape) if shape else part.squeeze(-1)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def join(self, parts: Mapping[str, Tensor]) -> Tensor:
        """The flat vector of all parts, the inverse of `split`: (*batch, *shape) each -> (*batch, P)."""
        if parts.keys() != self.shapes.keys():
            raise ValueError(f"parts are {', '.join(parts)}; accepted are exactly {', '.join(self.shapes)}")
        flat = (
            parts[name].flatten(-len(shape)) if shape else parts[name].unsqueeze(-1) for name, shape in self.shapes.items()
        )
        return torch.cat([*flat], -1)
