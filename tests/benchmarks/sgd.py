"""Speed and memory of batched SGD, beside a NumPy loop and a torch.optim.SGD loop over replicates.

    python tests/benchmarks/sgd.py

Least squares with n = 1000, d = 20, batch 1, float64, one thread. The unit is one iteration of one replicate. The loops
do the same arithmetic one replicate at a time, as a script without a batch axis would. Times are the best of several
repeats; memory is the peak of a process of its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import numpy as np
import torch
from ratewitness.problems.data.least_squares import random_least_squares
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import iterates, run

N, D, REPLICATES, STEP = 1000, 20, 1000, 1e-3


def problem():
    return random_least_squares(N, D, torch.Generator().manual_seed(0))


def batched(steps: int, replicates: int = REPLICATES) -> float:
    """Seconds for `steps` iterations of all replicates, without measuring anything along the way."""
    f = problem()
    oracle = Oracle.minibatch(f, 1, torch.Generator().manual_seed(1))
    with torch.no_grad():
        path = iterates(GradientDescent(STEP), oracle, f.starts(replicates))
        next(path)
        begin = time.perf_counter()
        for _, _ in zip(range(steps), path, strict=False):
            pass
        return time.perf_counter() - begin


def arrays() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((N, D)), rng.standard_normal(N)


def numpy_loop(steps: int) -> float:
    """Seconds for `steps` iterations of one replicate in plain NumPy."""
    (A, b), rng, x = arrays(), np.random.default_rng(1), np.zeros(D)
    begin = time.perf_counter()
    for _ in range(steps):
        i = rng.integers(N)
        x = x - STEP * (A[i] @ x - b[i]) * A[i]
    return time.perf_counter() - begin


def torch_loop(steps: int) -> float:
    """Seconds for `steps` iterations of one replicate with autograd and torch.optim.SGD."""
    A, b = map(torch.as_tensor, arrays())
    generator = torch.Generator().manual_seed(1)
    x = torch.zeros(D, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=STEP)
    begin = time.perf_counter()
    for _ in range(steps):
        i = torch.randint(N, (1,), generator=generator)
        optimizer.zero_grad()
        loss = (A[i] @ x - b[i]).square().mean() / 2
        loss.backward()
        optimizer.step()
    return time.perf_counter() - begin


def best(function, *arguments, repeats: int = 5) -> float:
    return min(function(*arguments) for _ in range(repeats))


def slope(sizes, seconds) -> float:
    return np.polyfit(np.log(sizes), np.log(seconds), 1)[0]


def peak_memory(steps: int, replicates: int) -> float:
    """Peak MiB of a process that runs and records `steps` iterations of `replicates` replicates."""
    command = [sys.executable, __file__, "--memory", str(steps), str(replicates)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def report_memory(steps: int, replicates: int) -> None:
    f = problem()
    oracle = Oracle.minibatch(f, 1, torch.Generator().manual_seed(1))
    run(GradientDescent(STEP), oracle, f.starts(replicates), steps, f.gap)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    batched(100)  # warm up
    rates = {
        "batched (1000 replicates)": REPLICATES * 2000 / best(batched, 2000),
        "NumPy loop": 20_000 / best(numpy_loop, 20_000),
        "torch.optim.SGD loop": 2_000 / best(torch_loop, 2_000),
    }
    top = rates["batched (1000 replicates)"]
    for name, rate in rates.items():
        print(f"{name:28s} {rate:14,.0f} replicate-iterations/s   1/{top / rate:,.0f} of batched")
    steps, replicates = [500, 1000, 2000, 4000], [2_000, 4_000, 8_000, 16_000]
    print(f"log-log slope of time in steps       {slope(steps, [best(batched, s) for s in steps]):.2f}")
    print(f"log-log slope of time in replicates  {slope(replicates, [best(batched, 200, r) for r in replicates]):.2f}")
    for s, r in ((100, 1000), (10_000, 1000), (100, 100_000)):
        print(f"peak memory, {s:6d} steps of {r:6d} replicates: {peak_memory(s, r):6.0f} MiB")


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--memory"]:
        report_memory(*map(int, sys.argv[2:]))
    else:
        main()
