"""g / sqrt(v), with the epsilon of an adaptive method inside or outside of the root."""

from __future__ import annotations

from torch import Tensor


def over_root(g: Tensor, v: Tensor, eps: float | Tensor, eps_inside: bool) -> Tensor:
    """g / sqrt(v + eps), or g / (sqrt(v) + eps): (*batch, *shape) -> (*batch, *shape), v >= 0.

    Raises ValueError for 0/0: eps = 0 where v is 0, because every gradient so far was 0 or has a square that underflows.
    """
    root = (v + eps).sqrt() if eps_inside else v.sqrt() + eps
    if (isinstance(eps, Tensor) or eps == 0) and (root == 0).any():
        raise ValueError(
            "eps is 0 where the gradients so far are 0, and 0/0 is no step; accepted are eps > 0, or gradients other than 0 "
            f"(whose squares do not underflow in {str(v.dtype).removeprefix('torch.')})"
        )
    return g / root
