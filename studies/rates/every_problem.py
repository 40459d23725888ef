"""Every problem on which the upper bounds of the six cells are checked, and the runs of GD and SGD held against them.

A table of records has a row for each problem, step or horizon `at`, and iteration N: what was measured, its bound, and the
certified constants. The user's own table, `--data FILE`, is one more problem, named "file ...".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ratewitness.problems.catalogue import catalogue
from ratewitness.problems.data.tables import from_file
from ratewitness.problems.huber import huber
from ratewitness.problems.noisy_quadratics import noisy_parabola, two_mode
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.quadratics import quadratic
from ratewitness.problems.sawtooth import sawtooth
from ratewitness.solvers.around.averaging import PolyakRuppert
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.schedules import InverseTime, horizon_tuned
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.rates import cells
from ratewitness.theory import gradient_descent as gd
from ratewitness.theory import stochastic_gradient as sgd

STEPS = (0.5, 1.0, 1.5)  # h of the GD rows
HORIZONS = (10, 100, 1000)  # N of the SGD convex and nonconvex cells
GROUPS = 10
SMALLEST = 1e-240  # a linear rate soon leaves the range of float64; records below are left out
RANDOM = ("quadratic, rotated", "least squares", "logistic", "robust", "softmax", "matrix")  # drawn anew for every seed


@cache
def problems(seed: int, seeds: int, data: str | None, device: str) -> dict[str, FiniteSum]:
    """The catalogue with more draws of its random members, the user's own data, and the witnesses of the GD cells."""
    with torch.device(device):
        found = catalogue(seed, flat=True)
        for draw in range(2, seeds + 1):
            more = catalogue(seed_of(seed, draw), flat=True).items()
            found |= {f"{name} ({draw})": problem for name, problem in more if name.startswith(RANDOM)}
        if data:
            found[f"file {Path(data).name}"] = from_file(data)
        found |= {f"worst Huber, h = {h}": huber(1.0, 1 / (20 * h + 1), 1.0) for h in STEPS}
        found |= {"unit parabola": quadratic(torch.ones(1), torch.ones(1)), "worst sawtooth": sawtooth(20)}
    for name, problem in found.items():
        check_numbers(name, problem)
    return found


def seed_of(seed: int, draw: int) -> int:
    """Of a further draw: neighbouring seeds share none."""
    words = hashlib.sha256(f"{seed}\x1f{draw}".encode()).digest()
    return int.from_bytes(words[:8], "little") >> 2


def check_numbers(name: str, problem: FiniteSum) -> None:
    """Raise ValueError for numbers with which `meets` or the floor would drop a problem unseen: nan, inf, Delta = 0."""
    c = problem.constants
    numbers = {"L": c.smoothness, "mu": c.pl, "Delta": problem.initial_gap, "floor": problem.floor}
    for symbol, number in numbers.items():
        if not np.isfinite(float(number)):
            raise ValueError(f"{name}: {symbol} = {float(number)}; accepted are finite numbers")
    if np.isnan(float(c.variance)) or not float(problem.initial_gap) > float(problem.floor):
        raise ValueError(
            f"{name}: sigma^2 = {float(c.variance)}, Delta = {float(problem.initial_gap)}; accepted are no nan and a Delta "
            f"above the floor {float(problem.floor):.2g}"
        )


def recorded(records: pd.DataFrame, members: list[str]) -> pd.DataFrame:
    """The records, if every member of the cell has some."""
    if missing := set(members) - set(records["problem"]):
        raise RuntimeError(f"no record above the floor of {', '.join(sorted(missing))}")
    return records


def facts(problem: FiniteSum) -> dict[str, float]:
    """The certified constants of a problem, its number of components and its dimension."""
    c = problem.constants
    known = {"L": float(c.smoothness), "mu": float(c.pl), "sigma": float(c.variance) ** 0.5}
    return known | {"n": problem.n, "d": problem.shape[0]}


def meets(cell: str, problem: FiniteSum) -> bool:
    c = problem.constants
    noisy = not cell.startswith("sgd") or 0 < c.variance < np.inf
    kind = {"pl": float(c.pl) > 0, "convex": c.convex and problem.minimizer is not None, "nonconvex": True}
    return noisy and kind[cell.partition("_")[2].partition(",")[0]] and ("line" not in cell or problem.shape == (1,))


def evaluate(bound, problem: FiniteSum, **numbers) -> np.ndarray:
    """A bound at the certified constants of a problem."""
    c = problem.constants
    numbers |= {"L": float(c.smoothness), "mu": float(c.pl), "Delta": float(problem.initial_gap)}
    numbers |= {"sigma": float(c.variance) ** 0.5, "R": np.nan if problem.minimizer is None else float(problem.radius)}
    return bound(**{name: numbers[name] for name in bound.symbols})


GD = {"gd_pl": gd.pl_polyak, "gd_pl, step ranges": gd.pl_step_ranges, "gd_pl, line": gd.pl_line}
GD |= {"gd_convex": gd.convex, "gd_nonconvex": gd.nonconvex}


@measured
def descents(budget: Budget, cell: str, actual: float | None = None) -> pd.DataFrame:
    """GD with steps h/L (or `actual`/L while the bound is told h) on every problem of a cell, one row a record above the
    floor; `squared` is the square of Polyak's rate."""
    frames, members, steps = [], [], budget.pick(300, 3000) if actual is None else 60
    allowed = [h for h in STEPS if "line" not in cell or h <= 1]
    for name, problem in problems(budget.seed, budget.pick(1, 4), budget.data, budget.device).items():
        if not meets(cell, problem):
            continue
        members.append(name)
        L, Delta = float(problem.constants.smoothness), float(problem.initial_gap)
        floor = float(problem.floor) * (2 * L if "nonconvex" in cell else 1)  # ||grad f||^2 <= 2 L (f - f*)
        h = problem.start.new_tensor(allowed if actual is None else [actual] * len(allowed)).unsqueeze(-1)
        measure, over = (squares(problem), "min") if "nonconvex" in cell else (problem.gap, "last")
        trace = run(GradientDescent(h / L), Oracle.full(problem), problem.starts(len(h)), steps, measure, over=over)
        N, found = np.array(trace.steps[1:]), trace.values[1:].cpu().numpy().T
        bound = evaluate(GD[cell], problem, N=N, h=np.array(allowed)[:, None]).clip(SMALLEST)
        for row, values, bounds in zip(allowed, found, bound, strict=True):
            frame = pd.DataFrame({"problem": name, "at": row, "N": N, "measured": values, "bound": bounds})
            frame = frame.assign(squared=(bounds**2 / Delta).clip(SMALLEST), **facts(problem))
            frames.append(frame[~(values <= max(floor, SMALLEST))])
    # with the wrong step a problem may well end below the floor at once: |x|^4 from 1 does with 3/L
    return recorded(pd.concat(frames, ignore_index=True), members if actual is None else [])


def squares(problem: FiniteSum) -> Callable:
    return lambda x: problem.grad(x).square().sum(-1)


def sizes(problem: FiniteSum, budget: Budget) -> int:
    """Replicates per group: fewer where x is long or the full gradient, which the measure takes, is dear."""
    return max(4, budget.replicates // (GROUPS * problem.shape[0] * max(1, problem.n // 200)))


@cache
def sampled(budget: Budget, cell: str, steps: Callable = InverseTime.for_pl) -> pd.DataFrame:
    """SGD with batch 1 on every problem of an SGD cell, `measured` being the means of independent groups, on samples that
    every claim draws for itself; `noiseless` is the bound without its noise term."""
    witnesses = {"unit noisy parabola": noisy_parabola(1.0, 1.0)}
    if cell == "sgd_convex":
        witnesses |= {f"worst parabola, N = {N}": noisy_parabola(cells.convex_curvature(N), 1.0) for N in HORIZONS}
        witnesses |= {f"Huber of slope 1.5/sqrt {N}": perturbed(huber(1.0, 1.5 / N**0.5, 1.0), 1.0) for N in HORIZONS}
    if cell == "sgd_nonconvex":
        witnesses |= {f"worst modes, N = {N}": two_mode(cells.two_mode_curvature(N), 1.0, 1.0, 1.0) for N in HORIZONS}
    runner = {"sgd_pl": partial(decreasing, steps), "sgd_convex": averaged, "sgd_nonconvex": random_iterate}[cell]
    rows, members = [], []
    for name, problem in (problems(budget.seed, budget.pick(1, 2), budget.data, budget.device) | witnesses).items():
        if not meets(cell, problem):
            continue
        members.append(name)
        for horizon in [budget.pick(300, 1000)] if cell == "sgd_pl" else HORIZONS[: budget.pick(2, 3)]:
            oracle = Oracle.minibatch(problem, 1, budget.generator(cell, name, horizon))
            N, means, bound, noiseless = runner(problem, oracle, problem.starts(GROUPS, sizes(problem, budget)), horizon)
            for row in zip(N, means.cpu().numpy(), bound, strict=True):
                rows.append((name, horizon, *row, noiseless, *facts(problem).values()))
    columns = ["problem", "at", "N", "measured", "bound", "noiseless", "L", "mu", "sigma", "n", "d"]
    return recorded(pd.DataFrame(rows, columns=columns), members)


def decreasing(steps, problem: FiniteSum, oracle: Oracle, x0: torch.Tensor, N: int):
    """Steps 2/(mu(2 kappa + k)), the start being x_1."""
    solver = GradientDescent(steps(float(problem.constants.pl), float(problem.constants.smoothness)))
    trace = run(solver, oracle, x0, N, lambda x: problem.gap(x).mean(-1))
    k = np.array(trace.steps[1:]) + 1
    return k, trace.values[1:], evaluate(sgd.pl_decreasing, problem, k=k), np.nan


def averaged(problem: FiniteSum, oracle: Oracle, x0: torch.Tensor, N: int):
    """The average of N steps 1/(L + sigma sqrt N/R); also the bound without its noise term."""
    L, R, sigma = float(problem.constants.smoothness), float(problem.radius), float(problem.constants.variance) ** 0.5
    solver = PolyakRuppert(GradientDescent(horizon_tuned(L, R, sigma, N)))
    trace = run(solver, oracle, x0, N, lambda x: problem.gap(x).mean(-1), at=[N])
    return [N], trace.values, [evaluate(sgd.convex_tuned, problem, N=N)], L * R**2 / (2 * N)


def random_iterate(problem: FiniteSum, oracle: Oracle, x0: torch.Tensor, N: int):
    """The mean of ||grad f||^2 over N steps min{1/L, sqrt(2 Delta/(L N sigma^2))}; also the bound without noise term."""
    L, Delta, variance = float(problem.constants.smoothness), float(problem.initial_gap), float(problem.constants.variance)
    solver, measure = GradientDescent(min(1 / L, (2 * Delta / (L * N * variance)) ** 0.5)), squares(problem)
    trace = run(solver, oracle, x0, N - 1, lambda x: measure(x).mean(-1), at=[N - 1], over="mean")
    return [N], trace.values, [evaluate(sgd.nonconvex_tuned, problem, N=N)], 2 * L * Delta / N
