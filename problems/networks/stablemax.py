r"""StableMax: a softmax whose exponential is replaced by a function that grows like a line, and its cross-entropy.

    p_c = s(z_c) / sum_j s(z_j),      s(z) = 1 + z for z >= 0,  1/(1 - z) for z < 0;    loss = -log p_y

L. Prieto et al. (2025), arXiv:2501.04697.
"""

from __future__ import annotations

import torch
from torch import Tensor


def stablemax_cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    """Mean over the rows: outputs (*batch, n, c), labels (n,) or (*batch, n) -> (*batch,)."""
    # clamped, so that the branch that is not taken gives no NaN; a difference of relus would have no slope at 0
    log = torch.where(z < 0, -torch.log1p(-z.clamp(max=0)), torch.log1p(z.clamp(min=0)))
    chosen = log.gather(-1, y.expand(z.shape[:-1]).unsqueeze(-1)).squeeze(-1)
    return (log.logsumexp(-1) - chosen).mean(-1)
