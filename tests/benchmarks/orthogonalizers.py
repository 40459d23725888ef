"""Speed of the batched orthogonalizers beside the plain torch expression of the same formula.

    python tests/benchmarks/orthogonalizers.py

The plain expression takes one matrix after another, as a script without a batch axis would, and writes each polynomial as
it stands: a X + (b A + c A A) X, A = X X^T. Ratios are plain over batched, above 1 where the batched one is faster; median
of five turns, processor time of one thread, results compared first.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from ratewitness.solvers.norms.odd_polynomials import MUON
from ratewitness.solvers.norms.polar import ExactPolar, MuonQuintic, NewtonSchulz, PolarExpress

SHAPES = [(100, 4, 4), (100, 8, 32), (20, 32, 32), (4, 128, 128), (1, 128, 512), (1, 512, 128), (1, 256, 256)]


def plain_svd(g):
    U, _, Vh = torch.linalg.svd(g, full_matrices=False)
    return U @ Vh


def plain_cubic(x):
    return 1.5 * x - 0.5 * (x @ x.mT) @ x


def plain_quintic(x, a, b, c):
    A = x @ x.mT
    return a * x + (b * A + c * A @ A) @ x


def plain_iteration(step, steps, divisor=1.0, plus=0.0):
    def one(g):
        x = g.mT if g.shape[0] > g.shape[1] else g
        x = x / (divisor * x.norm() + plus)
        for t in range(steps):
            x = step(x, t)
        return x.mT if g.shape[0] > g.shape[1] else x

    return one


POLAR_EXPRESS = PolarExpress(5)
PAIRS = {
    "exact polar": (ExactPolar(), plain_svd),
    "Newton-Schulz, 10 steps": (NewtonSchulz(10), plain_iteration(lambda x, t: plain_cubic(x), 10)),
    "Muon, 5 steps": (MuonQuintic(5), plain_iteration(lambda x, t: plain_quintic(x, *MUON), 5)),
    "Polar Express, 5 steps": (
        POLAR_EXPRESS,
        plain_iteration(lambda x, t: plain_quintic(x, *POLAR_EXPRESS.polynomials[t]), 5, 1.01, 1e-7),
    ),
}


def seconds(function, g, repeats):
    begin = time.thread_time()
    for _ in range(repeats):
        function(g)
    return (time.thread_time() - begin) / repeats


def ratio(batched, plain, g) -> float:
    """Median over five turns of time of plain over time of batched."""

    def one_by_one(g):
        return torch.stack([plain(each) for each in g])

    torch.testing.assert_close(batched(g), one_by_one(g), rtol=0, atol=1e-4 if g.dtype is torch.float32 else 1e-9)
    repeats = max(1, int(0.02 / max(seconds(batched, g, 1), 1e-6)))
    return float(np.median([seconds(one_by_one, g, repeats) / seconds(batched, g, repeats) for _ in range(5)]))


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    worst = np.inf
    for dtype in (torch.float64, torch.float32):
        for shape in SHAPES:
            g = torch.randn(*shape, generator=generator, dtype=dtype)
            for name, (batched, plain) in PAIRS.items():
                found = ratio(batched, plain, g)
                worst = min(worst, found)
                size = "x".join(map(str, shape))
                print(f"{name:24s} {str(dtype)[6:]:8s} {size:12s} plain/batched {found:6.2f}", flush=True)
    print(f"worst ratio {worst:.2f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
