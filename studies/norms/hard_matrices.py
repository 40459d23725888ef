"""Matrices on which a linear minimization oracle is easily wrong: ties, zeros, lost rank, extreme scales."""

from __future__ import annotations

import numpy as np
import torch
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.norms.norm_forms import DTYPES
from torch import Tensor


@measured("lmo_closed_forms")
def inputs(budget: Budget, dtype: str, m: int, n: int) -> dict[str, Tensor]:
    """Hard matrices (draws, m, n) by kind; vector norms take them flattened."""
    generator = budget.generator("inputs", m, n)
    draws, k, kind = budget.pick(1, 8), min(m, n), DTYPES[dtype]
    options = {"generator": generator, "dtype": torch.float64, "device": generator.device}
    info = torch.finfo(kind)
    reach = 150 if dtype == "float64" else 30

    def normal(*shape):
        return torch.randn(draws, *shape, **options)

    def with_singular_values(s):
        u, v = (torch.linalg.qr(normal(size, k)).Q for size in (m, n))
        return (u * s) @ v.mT

    ones = torch.ones(k, dtype=torch.float64, device=generator.device)
    place = torch.arange(k, device=ones.device)
    holes = normal(m, n) * (torch.rand(draws, m, n, **options) < 0.5)
    holes[:, m // 2], holes[..., n // 2], holes[:, 0, 0] = 0, 0, 1
    uniform = 2 * torch.rand(draws, m, n, **options) - 1
    kinds = {
        "gaussian": normal(m, n),
        "ties": normal(m, n).sign(),
        "zeros": holes,
        "rank deficient": normal(m, (k + 1) // 2) @ normal((k + 1) // 2, n),
        "repeated singular values": with_singular_values(ones + (place < k // 2)),
        "ill-conditioned": with_singular_values(torch.logspace(0, np.log10(info.eps), k, dtype=ones.dtype).to(ones)),
        "just dropped": with_singular_values(torch.where(place == 0, ones, 0.9 * max(m, n) * info.eps)),
        "huge": normal(m, n) * 10.0**reach,
        "tiny": normal(m, n) / 10.0**reach,
        "denormal": (99 * torch.rand(draws, m, n, **options)).ceil() * (info.tiny * info.eps),
        "many scales": normal(m, n).sign() * 10 ** (reach / 1.5 * uniform),
    }
    return {name: values.to(kind) for name, values in kinds.items()}


def scaled(g: Tensor) -> tuple[np.ndarray, int]:
    """g over a power of two, exactly, and its exponent: no square overflows or vanishes, and the oracle is the same."""
    g = g.double().cpu().numpy()
    exponent = int(np.frexp(np.abs(g).max())[1])
    return np.ldexp(g, -exponent).astype(np.longdouble), exponent
