"""Time of the two inverse fourth roots, and of a step of Shampoo beside one of Adam.

    python tests/benchmarks/roots.py [cpu|cuda]

One thread on the CPU; the best call within 0.2 s, or one call where that is longer. The matrices of the roots are
G G^T/d + 0.01 I with Gaussian square G, condition number about 400; a worse one costs the Newton iteration about one
step, four products, per factor (1 + 1/4)^4 = 2.4. A step is that of a square matrix of weights with a full gradient that
costs nothing; both roots of Shampoo are renewed at every step.
"""

from __future__ import annotations

import sys
import time

import torch
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.norms.inverse_root import inverse_root
from ratewitness.solvers.norms.shampoo import Shampoo

SIZES = [64, 128, 256, 512, 1024]
DTYPES = [torch.float64, torch.float32]


class Constant:
    """Answers every query with the same gradient."""

    def __init__(self, g: torch.Tensor):
        self.g = g

    def grad(self, x: torch.Tensor) -> torch.Tensor:
        return self.g


def seconds(function, device: str, at_least: float = 0.2) -> float:
    """The best call of at least `at_least` seconds of them, after one to warm up."""
    times: list[float] = []
    while sum(times[1:]) < at_least:
        begin = time.perf_counter()
        function()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return min(times[1:])


def gaussian(d: int, dtype: torch.dtype, device: str) -> torch.Tensor:
    return torch.randn(d, d, generator=torch.Generator().manual_seed(d), dtype=torch.float64).to(device, dtype)


def roots(device: str) -> None:
    print("A^{-1/4}         size    eigh, ms  newton, ms   ratio")
    for dtype in DTYPES:
        for d in SIZES:
            G = gaussian(d, dtype, device)
            A = G @ G.mT / d + 0.01 * torch.eye(d, dtype=dtype, device=device)
            eigh, newton = (
                1e3 * seconds(lambda A=A, method=method: inverse_root(A, 4, method=method), device)
                for method in ("eigh", "newton")
            )
            print(f"{str(dtype)[6:]:14s}{d:7d}{eigh:12.2f}{newton:12.2f}{newton / eigh:8.2f}", flush=True)


def steps(device: str) -> None:
    solvers = {
        "Adam": Adam(1e-3),
        "Shampoo, eigh": Shampoo(1e-3, ridge=1e-2),
        "Shampoo, newton": Shampoo(1e-3, root="newton", ridge=1e-2),
    }
    print("step             size" + "".join(f"{name + ', ms':>20s}" for name in solvers))
    for dtype in DTYPES:
        for d in SIZES:
            g, row = gaussian(d, dtype, device) / d**0.5, ""
            for solver in solvers.values():
                oracle, x = Constant(g), torch.zeros_like(g)
                _, state = solver.step(x, solver.init(x), oracle)
                once = seconds(lambda s=solver, x=x, state=state, oracle=oracle: s.step(x, state, oracle), device)
                row += f"{1e3 * once:20.3f}"
            print(f"{str(dtype)[6:]:14s}{d:7d}{row}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    chosen = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    with torch.no_grad():
        roots(chosen)
        steps(chosen)
