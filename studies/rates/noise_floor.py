r"""What does SGD with a constant step typically do? Fast progress, then a plateau.

    lam x^2/2 with noise of variance sigma^2:   E f(x_k) - f*  ->  a sigma^2 / (2 (2 - a lam))
    L-smooth, mu-PL:                            limsup E f(x_k) - f*  <=  a L sigma^2 / (2 mu)

The seminar's picture is least squares with two parameters, y = 3 x + 4 + noise, and batches of 2. Its mean gap obeys an
exact linear recursion although the Hessian of a batch is random (`theory/moments.py`). The plateau is linear in the step
and in 1/batch; drawn without replacement a batch of b has (n-b)/(n-1) of the variance. The upper bound for PL functions
holds; on a quadratic with its noise on the mode L it is kappa (a = 1/L) to 2 kappa (a -> 0) times too large.
"""

from __future__ import annotations

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.data.least_squares import least_squares
from ratewitness.problems.data.tables import breast_cancer
from ratewitness.problems.noisy_quadratics import noisy_parabola
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.quadratics import quadratic
from ratewitness.problems.sine import sine
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import iterates, log_spaced, run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, bound_holds, exceeds, exponent_is, interval, mean_is
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.theory import stochastic_gradient as sgd
from ratewitness.theory.moments import least_squares_moments

GROUPS = 10
N, BATCH, STEP = 100, 2, 1.0  # the seminar's example
STEPS = 1000


@cache
def line(budget: Budget) -> tuple[torch.Tensor, torch.Tensor, FiniteSum]:
    """Rows, targets and problem for y = 3 x + 4 + N(0, 0.2^2), x uniform on (-1/2, 1/2), 100 points, from (5.5, 1.5)."""
    generator = budget.shared("noise_floor").generator("line")  # one line for all claims and the figure
    options = {"generator": generator, "dtype": torch.float64, "device": generator.device}
    x = torch.rand(N, **options) - 0.5
    y = 3 * x + 4 + 0.2 * torch.randn(N, **options)
    rows = torch.stack([x, torch.ones_like(x)], -1)
    start = torch.tensor([5.5, 1.5], dtype=torch.float64, device=generator.device)
    return rows, y, least_squares(rows, y, start, name="line through 100 points")


def oracle_on_line(budget: Budget, stream: str) -> Oracle:
    return Oracle.minibatch(line(budget)[2], BATCH, budget.generator(stream), "without replacement")


@cache
def on_line(budget: Budget) -> tuple[list[int], np.ndarray]:
    """Iterations and Monte Carlo mean gaps (records, groups) of batch-2 SGD on the line."""
    problem = line(budget)[2]
    x0 = problem.starts(GROUPS, budget.replicates // GROUPS)
    trace = run(GradientDescent(STEP), oracle_on_line(budget, "batches"), x0, STEPS, lambda x: problem.gap(x).mean(-1))
    return trace.steps, trace.values.cpu().numpy()


def exact_gaps(budget: Budget, batch: int) -> np.ndarray:
    """E f(x_k) - f* for k = 0, ..., STEPS from the exact moments."""
    rows, y, problem = line(budget)
    A, best = rows.cpu().numpy(), problem.minimizer.cpu().numpy()
    mean, square = least_squares_moments(A, y.cpu().numpy(), problem.start.cpu().numpy(), STEP, batch, STEPS)
    # E (x - x*)(x - x*)^T, whose product with the Hessian has trace 2 E gap
    centred = square - mean[:, :, None] * best - best[:, None] * mean[:, None, :] + np.outer(best, best)
    return np.einsum("ij,kji->k", A.T @ A / N, centred) / 2


def against_moments(budget: Budget, batch: int) -> Verdict:
    steps, gaps = on_line(budget)
    exact = exact_gaps(budget, batch)[steps]
    mean, low, high = interval(gaps)
    table = {"k": steps, "exact": exact, "monte_carlo": mean, "low": low, "high": high}
    return mean_is(gaps, exact, budget.pick(0.15, 0.05)).showing(table)


@claim(
    kind="exact",
    source="S14; theory/moments.py",
    planted={"moments of batch 1": lambda budget: against_moments(budget, 1)},
)
def mean_gap_of_the_example(budget: Budget) -> Verdict:
    """S14: Along SGD with batch 2 on a line fit the mean gap follows its exact moment recursion at every record, within
    5 % (quick: 15 %)."""
    return against_moments(budget, BATCH)


def progress_then_plateau(budget: Budget, drop: float, early: int, late: int) -> Verdict:
    """log10 of the fall of the mean gap in `early` iterations, and its change from `late` to the last iteration."""
    steps, gaps = on_line(budget)
    at = dict(zip(steps, gaps, strict=True))
    fall = np.log10(at[0] / at[min(at, key=lambda k: abs(k - early))])
    ends = np.stack([at[k] for k in steps if k >= late])  # averaged: the records are nearly independent
    half = len(ends) // 2
    change = ends[half:].mean(0) / ends[:half].mean(0)
    return all_of(
        {"fall": exceeds(fall, drop), "plateau": mean_is(change[None], [1.0], budget.pick(0.15, 0.05))}
    )


@claim(
    kind="phenomenon",
    source="S14; settings of the seminar's example",
    planted={
        "a plateau from the start": lambda budget: progress_then_plateau(budget, 1.0, 30, 3),
        "no plateau: a fall by 1000 in 30 steps": lambda budget: progress_then_plateau(budget, 3.0, 30, 200),
    },
)
def fast_progress_then_plateau(budget: Budget) -> Verdict:
    """S14: SGD with batch 2 on the line fit reduces the mean gap at least tenfold in 30 iterations, and from iteration 200
    on it no longer changes, within 5 % (quick: 15 %)."""
    paths = {}
    for name, oracle, solver in (
        ("gd", Oracle.full(line(budget)[2]), GradientDescent(0.3)),
        ("sgd", oracle_on_line(budget, "path"), GradientDescent(STEP)),
    ):
        points = [x for _, x in zip(range(121), iterates(solver, oracle, line(budget)[2].start), strict=False)]
        paths[f"{name}_slope"], paths[f"{name}_intercept"] = torch.stack(points).cpu().numpy().T
    return progress_then_plateau(budget, 1.0, 30, 200).showing({"k": np.arange(121), **paths})


SPECTRUM = (0.2, 0.5, 1.0)


@cache
def floors(budget: Budget, steps: tuple[float, ...], batch: int) -> np.ndarray:
    """The stationary mean gap (steps, groups) on a noisy quadratic (L = 1, mu = 0.2, sigma = 1): a run of 4/(a mu)
    iterations from the minimizer, then the mean over as many more."""
    lam = torch.tensor(SPECTRUM, dtype=torch.float64)
    problem = perturbed(quadratic(lam, torch.zeros_like(lam)), 1.0, n=6)
    lr = torch.tensor(steps, dtype=torch.float64).reshape(-1, 1, 1, 1)
    burn_in = int(4 / (min(steps) * min(SPECTRUM)))
    x0 = problem.start.expand(len(steps), GROUPS, budget.pick(100, 600), 3)
    oracle = Oracle.minibatch(problem, batch, budget.generator("floor", batch))
    records = np.linspace(burn_in, 2 * burn_in, 50).astype(int).tolist()
    trace = run(GradientDescent(lr), oracle, x0, 2 * burn_in, lambda x: problem.gap(x).mean(-1), at=records)
    return trace.values.mean(0).cpu().numpy()


def exact_floor(a, sigma2=1.0):
    """sum over the modes, each with a third of the noise."""
    return sum(sgd.quadratic_floor(a=a, sigma=(sigma2 / 3) ** 0.5, lam=lam) for lam in SPECTRUM)


def grid_of_steps(budget: Budget) -> tuple[float, ...]:
    return tuple(0.2 * np.logspace(0, -budget.pick(1.5, 2.0), 8))


@claim(
    kind="constant",
    source="S14; stationary second moment, proved in identities",
    planted={
        "the PL upper bound a L sigma^2/(2 mu) as an equality": lambda budget: mean_is(
            floors(budget, grid_of_steps(budget), 1), np.array(grid_of_steps(budget)) / (2 * 0.2), budget.pick(0.1, 0.03)
        )
    },
)
def floor_is_exact(budget: Budget) -> Verdict:
    """S14: The plateau on quadratics is sum_j a sigma_j^2/(2(2 - a lam_j)) for every step a, within 3 % (quick: 10 %)."""
    steps = np.array(grid_of_steps(budget))
    measured, exact = floors(budget, grid_of_steps(budget), 1), exact_floor(steps)
    mean, low, high = interval(measured)
    table = {"step": steps, "exact": exact, "measured": mean, "low": low, "high": high}
    return mean_is(measured, exact, budget.pick(0.1, 0.03)).showing(table)


def slope_in_step(budget: Budget, exponent: float) -> Verdict:
    steps = np.array(grid_of_steps(budget))
    return exponent_is(steps, floors(budget, grid_of_steps(budget), 1), -exponent, budget.pick(0.1, 0.05), 1.5)


@claim(
    kind="exponent",
    source="S14; exact second moments",
    planted={
        "floor like the square of the step": lambda budget: slope_in_step(budget, 2.0),
        "floor like the square root of the step": lambda budget: slope_in_step(budget, 0.5),
    },
)
def floor_is_linear_in_the_step(budget: Budget) -> Verdict:
    """S14: The plateau is proportional to the step, for steps up to 0.2/L: exponent 1 +- 0.05 (quick: +-0.1)."""
    return slope_in_step(budget, 1.0)


BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)


@cache
def floors_by_batch(budget: Budget) -> np.ndarray:
    return np.concatenate([floors(budget, (0.1,), b) for b in BATCHES])


def slope_in_batch(budget: Budget, exponent: float) -> Verdict:
    measured = floors_by_batch(budget)
    mean, low, high = interval(measured)
    exact = exact_floor(0.1, 1 / np.array(BATCHES))
    table = {"batch": BATCHES, "exact": exact, "measured": mean, "low": low, "high": high}
    return exponent_is(1 / np.array(BATCHES), measured, exponent, budget.pick(0.1, 0.05), 2.0).showing(table)


@claim(
    kind="exponent",
    source="S14; exact second moments",
    planted={"floor like 1/sqrt(batch)": lambda budget: slope_in_batch(budget, -0.5)},
)
def floor_is_inverse_in_the_batch(budget: Budget) -> Verdict:
    """S14: The plateau is proportional to 1/batch, drawn with replacement, from 1 to 128: exponent -1 +- 0.05 (quick:
    +-0.1)."""
    return slope_in_batch(budget, -1.0)


@cache
def bounded_gaps(budget: Budget) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, mean gaps (records, groups) and bounds (records,) along constant-step SGD on problems with bounded noise."""
    parabola = noisy_parabola(1.0, 1.0)
    problems = [parabola, perturbed(sine(4.0, 0.5), 0.3), perturbed(quadratic([0.1, 1.0], [1.0, 1.0]), 1.0, n=4)]
    names, gaps, bounds = [], [], []
    for problem in [*problems, breast_cancer(l2=0.1)]:
        L, mu, sigma2 = (float(c) for c in (problem.constants.smoothness, problem.constants.pl, problem.constants.variance))
        for share in (1.0, 0.2):
            a = share / L
            steps = int(min(8 / (a * mu), budget.pick(2_000, 10_000)))
            oracle = Oracle.minibatch(problem, 1, budget.generator("late", problem.name, share))
            x0, at = problem.starts(GROUPS, budget.pick(20, 40)), log_spaced(steps, 4)[1:]
            trace = run(GradientDescent(a), oracle, x0, steps, lambda x, f=problem: f.gap(x).mean(-1), at=at)
            names += [f"{problem.name}, a = {share:g}/L, k = {k}" for k in at]
            gaps.append(trace.values.cpu().numpy())
            known = {"L": L, "mu": mu, "a": a, "sigma": sigma2**0.5, "Delta": float(problem.initial_gap)}
            bounds.append(sgd.pl_constant(**known, k=np.array(at)))
    return names, np.concatenate(gaps), np.concatenate(bounds)


def floor_below(budget: Budget, factor: float) -> Verdict:
    names, gaps, bounds = bounded_gaps(budget)
    mean, low, high = interval(gaps)
    table = {"problem": names, "measured": mean, "low": low, "high": high, "bound": bounds, "power": mean / bounds}
    return bound_holds(gaps, factor * bounds).showing(table)


@claim(
    kind="upper bound",
    source="S14; Bottou, Curtis and Nocedal (2018), arXiv:1606.04838; proof in theory/stochastic_gradient.py",
    planted={"a quarter of the bound": lambda budget: floor_below(budget, 0.25)},
)
def floor_is_bounded(budget: Budget) -> Verdict:
    """S14: With constant step a <= 1/L the mean gap after k = 1, 2, ... steps is below (1 - mu a)^k Delta + a L
    sigma^2/(2 mu) on L-smooth mu-PL problems with noise of variance sigma^2. Attained by mu x^2/2 +- sigma x with a = 1/L
    = 1/mu; for kappa > 1 no instance that attains it is known to us."""
    return floor_below(budget, 1.0)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, ((path, gap), (step, batch)) = plt.subplots(2, 2, figsize=(7.2, 6.2), layout="constrained")
    figure.set_label(
        "SGD with batch 2 on a line fit: one path beside GD's, and the mean gap with its exact value. Below: the plateau on "
        "a quadratic against step and batch size; lines: exact values, points: measured with 99 % intervals."
    )
    table = verdicts["fast_progress_then_plateau"].table
    for colour, (name, label) in enumerate((("gd", "GD, step 0.3"), ("sgd", "SGD, batch 2, step 1"))):
        path.plot(table[f"{name}_slope"], table[f"{name}_intercept"], "o-", ms=2, lw=0.8, color=f"C{colour}", label=label)
    path.plot(*table.loc[0, ["gd_slope", "gd_intercept"]], "k^", ms=6, label="start")
    path.set(xlabel="slope", ylabel="intercept", title="120 iterations")
    table = verdicts["mean_gap_of_the_example"].table
    gap.plot(table["k"] + 1, table["exact"], color="C0", label="exact moments")
    _points(gap, table["k"] + 1, table, "monte_carlo")
    gap.set(xscale="log", yscale="log", xlabel="iteration k + 1", ylabel="E f(x_k) - f*", title="mean gap, batch 2")
    for ax, name, claim_name in (
        (step, "step", "floor_is_exact"),
        (batch, "batch", "floor_is_inverse_in_the_batch"),
    ):
        table = verdicts[claim_name].table
        ax.plot(table[name], table["exact"], color="C0", label="exact")
        _points(ax, table[name], table, "measured")
        ax.set(xscale="log", yscale="log", ylabel="stationary E f - f*")
    step.set(xlabel="step a  (1/L = 1)", title="plateau against step")
    batch.set(xlabel="batch size b", title="plateau against batch size, a = 0.1")
    for ax in (path, gap, step, batch):
        ax.legend(frameon=False)
    return {"typical": figure}


def _points(ax, x, table: pd.DataFrame, column: str) -> None:
    ax.errorbar(x, table[column], whiskers(table, column), fmt="o", ms=3.5, color="C1", label="measured")


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
