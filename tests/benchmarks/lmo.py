"""Speed of the linear minimization oracles, beside the plain torch expression of the same formula.

    python tests/benchmarks/lmo.py

One thread, best of many rounds in which both take turns; a ratio above 1 means that `ratewitness.solvers.norms.lmo` is the
faster. The plain expressions do without everything else: no check for NaN, no zero or rank-deficient input, no scaling
against overflow. "unchecked" is `lmo_of`, without the check for NaN, which reads g once. Batched: 64 points of 4096 entries
(32 x 32 where there are singular values); single: one point of 512^2 entries (128 x 128). The last column is what the batch
axis saves: a loop over 1000 points with 4 or 4 x 4 entries, over the same as one batch.
"""

from __future__ import annotations

import math
import time

import torch
from ratewitness.solvers.norms import lmo

SIZES = {1: ((64, 4096), (512 * 512,)), 2: ((64, 64, 64), (512, 512))}
SINGULAR = ((64, 32, 32), (128, 128))
ENTRYWISE = {"frobenius", "column", "row", "max_abs", "l1_to_rms", "rms_to_linf", "sign"}


def plain_lp(p):
    q = p / (p - 1)
    return lambda g: -g.sign() * g.abs() ** (q - 1) / (g.abs() ** q).sum(-1, keepdim=True) ** (1 / p)


def plain_l1(g):
    i = g.abs().argmax(-1, keepdim=True)
    return torch.zeros_like(g).scatter(-1, i, -g.gather(-1, i).sign())


def plain_ky_fan(k):
    def plain(g):
        a = g.abs()
        return torch.where(a.sum(-1, keepdim=True) >= k * a.amax(-1, keepdim=True), -g.sign() / k, plain_l1(g))

    return plain


def plain_spectral(g):
    u, _, vh = torch.linalg.svd(g, full_matrices=False)
    return -u @ vh


def plain_nuclear(g):
    u, _, vh = torch.linalg.svd(g, full_matrices=False)
    return -u[..., :1] @ vh[..., :1, :]


def plain_schatten(p):
    q = p / (p - 1)

    def plain(g):
        u, s, vh = torch.linalg.svd(g, full_matrices=False)
        weights = s ** (q - 1) / (s**q).sum(-1, keepdim=True) ** (1 / p)
        return -(u * weights.unsqueeze(-2)) @ vh

    return plain


def plain_ky_fan_spectral(k):
    def plain(g):
        u, s, vh = torch.linalg.svd(g, full_matrices=False)
        spread = s.sum(-1) >= k * s[..., 0]
        return torch.where(spread[..., None, None], -u @ vh / k, -u[..., :1] @ vh[..., :1, :])

    return plain


PLAIN = {
    "l1": plain_l1,
    "l2": lambda g: -g / g.norm(dim=-1, keepdim=True),
    "linf": lambda g: -g.sign(),
    "frobenius": lambda g: -g / g.norm(dim=(-2, -1), keepdim=True),
    "spectral": plain_spectral,
    "nuclear": plain_nuclear,
    "column": lambda g: -g / g.norm(dim=-2, keepdim=True),
    "row": lambda g: -g / g.norm(dim=-1, keepdim=True),
    "max_abs": lambda g: -g.sign(),
    "rms_to_rms": lambda g: math.sqrt(g.shape[-2] / g.shape[-1]) * plain_spectral(g),
    "l1_to_rms": lambda g: -math.sqrt(g.shape[-2]) * g / g.norm(dim=-2, keepdim=True),
    "rms_to_linf": lambda g: -g / g.norm(dim=-1, keepdim=True) / math.sqrt(g.shape[-1]),
    "sign": lambda g: -g.sign() / g.shape[-1],
    "l1.5": plain_lp(1.5),
    "l3": plain_lp(3),
    "ky_fan_2": plain_ky_fan(2),
    "schatten_1.5": plain_schatten(1.5),
    "schatten_3": plain_schatten(3),
    "ky_fan_spectral_2": plain_ky_fan_spectral(2),
}


def fastest(functions, g, rounds=15) -> list[float]:
    """Seconds of each function on g, the best of many rounds in which they take turns."""
    calls = []
    for function in functions:
        function(g)
        begin = time.perf_counter()
        function(g)
        calls.append(max(1, int(0.004 / (time.perf_counter() - begin))))
    best = [math.inf] * len(functions)
    for _ in range(rounds):
        for j, function in enumerate(functions):
            begin = time.perf_counter()
            for _ in range(calls[j]):
                function(g)
            best[j] = min(best[j], (time.perf_counter() - begin) / calls[j])
    return best


def main() -> None:
    torch.empty(30 * 2**17, dtype=torch.float64)  # from now on the allocator keeps what is freed: no page faults below
    generator = torch.Generator().manual_seed(0)
    print("plain / ours         batched  unchecked     single  unchecked   singles / batched")
    for name, norm in lmo.NORMS.items():
        sizes = SIZES[norm.ndim] if norm.ndim == 1 or name in ENTRYWISE else SINGULAR
        ratios = []
        for shape in sizes:
            g = torch.randn(*shape, generator=generator, dtype=torch.float64)
            plain, ours, unchecked = fastest([PLAIN[name], norm.lmo, norm.lmo_of], g)
            ratios += [plain / ours, plain / unchecked]
        g = torch.randn(1000, *[4] * norm.ndim, generator=generator, dtype=torch.float64)
        batched, loop = fastest([norm.lmo, lambda g, norm=norm: [norm.lmo(x) for x in g]], g)
        print(f"{name:17s} " + "".join(f"{ratio:11.2f}" for ratio in ratios) + f"{loop / batched:20.0f}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
