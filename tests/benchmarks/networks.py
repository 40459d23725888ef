"""Networks of a batch trained at once, beside the same networks one after the other.

    python tests/benchmarks/networks.py

One thread, float32, minibatches of the digits or the full batch, the best of several rounds. The unit is one step of one
network; the last column is how many times as fast a network of the batch is as one alone. Where a network is so large that
its products fill a core by themselves, a batch saves the calls and nothing more.
"""

from __future__ import annotations

import time

import torch
from ratewitness.problems.data.digits import split_digits
from ratewitness.problems.networks.mlp import MLP, on_rows
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.adam import AdamW
from ratewitness.solvers.solver import iterates

SEEDS, STEPS, ROUNDS = 10, 60, 4
CASES = {  # widths, and rows of a minibatch
    "64-16-10, batch 32": ((64, 16, 10), 32),
    "64-32-32-10, batch 32": ((64, 32, 32, 10), 32),
    "64-32-32-10, batch 64": ((64, 32, 32, 10), 64),
    "64-128-128-10, batch 64": ((64, 128, 128, 10), 64),
    "64-40-40-10, full batch": ((64, 40, 40, 10), 1000),
}


def seconds(widths: tuple[int, ...], batch: int, networks: int) -> float:
    """Of one step of so many networks at once."""
    generator = torch.Generator().manual_seed(0)
    data, network = split_digits(1000, generator), MLP(widths)
    problem = on_rows(network, data.inputs, data.labels, generator)
    oracle = Oracle.full(problem) if batch == problem.n else Oracle.minibatch(problem, batch, generator, "reshuffled")
    best = float("inf")
    with torch.no_grad():
        path = iterates(AdamW(1e-3), oracle, network.initial(generator, networks))
        next(path)
        next(path)  # what a first call allocates and compiles is not timed
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            for _, _ in zip(range(STEPS), path, strict=False):
                pass
            best = min(best, (time.perf_counter() - begin) / STEPS)
    return best


def main() -> None:
    torch.set_num_threads(1)
    print(f"{'network':26}{'one (us)':>12}{f'{SEEDS} at once, each (us)':>26}{'times as fast':>16}")
    for name, (widths, batch) in CASES.items():
        alone, together = seconds(widths, batch, 1), seconds(widths, batch, SEEDS) / SEEDS
        print(f"{name:26}{1e6 * alone:12.0f}{1e6 * together:26.0f}{alone / together:16.1f}")


if __name__ == "__main__":
    main()
