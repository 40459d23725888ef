"""What an update of each adaptive method costs per element, beside torch.optim's, and beside the bytes it must move.

    python tests/benchmarks/adaptive.py

One thread, float64, the gradient given, the best of many rounds in which all take turns. "floor" is the time of a plain copy
of as many bytes as the update cannot avoid: x, the gradient and the state read, x and the state written. torch.optim updates
in place; "fused" is its single-pass kernel, where there is one. A solver changes nothing in place, and each of its torch
operations reads and writes whole tensors: that is the factor in the last column. The second table is the counterexample of
studies/adaptive/adam_counterexample.py: microseconds a step for 64 runs of one coordinate in one batch, where calls cost and
bytes do not, and the minutes for six million such steps.
"""

from __future__ import annotations

import math
import time

import torch
from ratewitness.problems.online.slopes import experiment, play
from ratewitness.solvers.adadelta import AdaDelta
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.solvers.adam import Adam, AdamW
from ratewitness.solvers.amsgrad import AMSGrad
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.lion import Lion
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.schedules import InversePower
from ratewitness.solvers.sign_descent import SignSGD
from ratewitness.solvers.solver import run

SIZES = (10**3, 10**5, 3 * 10**6)
STEPS = 6_000_000
# the solver, numbers of its state, and torch's class with its settings
METHODS = {
    "gradient descent": (GradientDescent(1e-3), 0, (torch.optim.SGD, {})),
    "AdaGrad": (AdaGrad(1e-3, eps_inside=False), 1, (torch.optim.Adagrad, {})),
    "RMSProp": (RMSProp(1e-3, eps_inside=False), 1, (torch.optim.RMSprop, {})),
    "AdaDelta": (AdaDelta(), 2, (torch.optim.Adadelta, {})),
    "Adam": (Adam(1e-3), 2, (torch.optim.Adam, {})),
    "AdamW": (AdamW(1e-3), 2, (torch.optim.AdamW, {})),
    "AMSGrad": (AMSGrad(1e-3), 3, (torch.optim.Adam, {"amsgrad": True})),
    "Lion": (Lion(1e-3), 1, None),
    "signSGD": (SignSGD(1e-3), 1, None),
}
FUSED = {torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad}


class Given:
    """An oracle that answers with one gradient."""

    def __init__(self, g):
        self.g = g

    def grad(self, x):
        return self.g


def of_solver(solver, g):
    oracle, x = Given(g), torch.zeros_like(g)
    state = solver.init(x)

    def step():
        nonlocal x, state
        x, state = solver.step(x, state, oracle)

    return step


def of_torch(optimizer, settings, g):
    x = torch.nn.Parameter(torch.zeros_like(g))
    x.grad = g
    return optimizer([x], **settings).step


def fastest(steps: dict, rounds: int = 9) -> dict[str, float]:
    """Seconds of a call of each, the best of many rounds in which they take turns."""
    best, calls = dict.fromkeys(steps, math.inf), {}
    for name, step in steps.items():
        step()
        begin = time.perf_counter()
        step()
        calls[name] = max(1, int(0.01 / (time.perf_counter() - begin)))
    for _ in range(rounds):
        for name, step in steps.items():
            begin = time.perf_counter()
            for _ in range(calls[name]):
                step()
            best[name] = min(best[name], (time.perf_counter() - begin) / calls[name])
    return best


def main() -> None:
    torch.empty(30 * 2**17, dtype=torch.float64)  # from now on the allocator keeps what is freed: no page faults below
    generator = torch.Generator().manual_seed(0)
    print("nanoseconds an element")
    print(f"{'':18s}{'elements':>10s}{'bytes':>7s}{'floor':>9s}{'ours':>9s}{'torch':>9s}{'fused':>9s}{'ours / floor':>14s}")
    for name, (solver, state, theirs) in METHODS.items():
        for size in SIZES:
            g = torch.randn(size, generator=generator, dtype=torch.float64)
            moved = 8 * (3 + 2 * state)  # bytes an element: x and g read, x written, the state both
            a, b = torch.empty(2, size, dtype=torch.float64)
            steps = {"copy": lambda a=a, b=b: a.copy_(b), "ours": of_solver(solver, g)}
            if theirs is not None:
                kind, settings = theirs
                steps["torch"] = of_torch(kind, settings, g)
                if kind in FUSED:
                    steps["fused"] = of_torch(kind, settings | {"fused": True}, g)
            seconds = fastest(steps)
            floor = seconds["copy"] / 16 * moved  # a copy moves 16 bytes an element
            shown = [floor, *(seconds.get(kind, math.nan) for kind in ("ours", "torch", "fused"))]
            numbers = "".join(f"{s / size * 1e9:9.2f}" for s in shown)
            print(f"{name:18s}{size:10d}{moved:7d}{numbers}{seconds['ours'] / floor:14.1f}", flush=True)
    print("\nthe 1010/-10 experiment, 64 runs in one batch           us a step    min for 6 million")
    lr = torch.logspace(-4, -1, 64, dtype=torch.float64).unsqueeze(-1)
    for name, solver in {
        "Adam": Adam(lr, 0.9, 0.99),
        "Adam, step a/sqrt t": Adam(InversePower(lr), 0.9, 0.99),
        "Adam without bias correction": Adam(lr, 0.9, 0.99, bias_correction=False),
        "AMSGrad of the paper": AMSGrad(lr, 0.9, 0.99, bias_correction=False),
    }.items():
        oracle, measure = play(experiment())
        begin, steps = time.perf_counter(), 50_000
        run(Box(solver, -1.0, 1.0), oracle, torch.zeros_like(lr), steps, measure, at=[steps], over="mean")
        each = (time.perf_counter() - begin) / steps
        print(f"{name:55s}{each * 1e6:10.1f}{each * STEPS / 60:21.1f}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
