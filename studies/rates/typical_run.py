r"""What does SGD with a constant step typically do? Fast progress, then a plateau.

The seminar's picture is least squares with two parameters, y = 3 x + 4 + noise, and batches of 2. Its mean gap obeys an
exact linear recursion although the Hessian of a batch is random (`theory/moments.py`). How high the plateau is:
`noise_floor`.
"""

from __future__ import annotations

import numpy as np
import torch
from ratewitness.problems.data.least_squares import least_squares
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import iterates, run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, exceeds, mean_is
from ratewitness.studies.measuring.drawing import Panel, canvas, draw, legend_below
from ratewitness.studies.measuring.groups import rows
from ratewitness.theory.moments import least_squares_moments

GROUPS = 10
N, BATCH, STEP = 100, 2, 1.0  # the seminar's example
STEPS = 1000
PATH = 120  # iterations of the one path that is drawn


@measured("noise_floor")
def line(budget: Budget) -> tuple[torch.Tensor, torch.Tensor, FiniteSum]:
    """Rows, targets and problem for y = 3 x + 4 + N(0, 0.2^2), x uniform on (-1/2, 1/2), 100 points, from (5.5, 1.5)."""
    generator = budget.generator("line")
    options = {"generator": generator, "dtype": torch.float64, "device": generator.device}
    x = torch.rand(N, **options) - 0.5
    y = 3 * x + 4 + 0.2 * torch.randn(N, **options)
    A = torch.stack([x, torch.ones_like(x)], -1)
    start = torch.tensor([5.5, 1.5], dtype=torch.float64, device=generator.device)
    return A, y, least_squares(A, y, start, name="line through 100 points")


def batches(budget: Budget, claim: str, stream: str) -> Oracle:
    """Batches of two that only this claim draws."""
    generator = budget.shared(f"noise_floor.{claim}").generator(stream)
    return Oracle.minibatch(line(budget)[2], BATCH, generator, "without replacement")


@measured
def sampled_gaps(budget: Budget, claim: str) -> tuple[list[int], np.ndarray]:
    """Iterations and Monte Carlo mean gaps (records, groups) of batch-2 SGD on the line, on batches of this claim."""
    problem, oracle = line(budget)[2], batches(budget, claim, "batches")
    x0 = problem.starts(GROUPS, budget.replicates // GROUPS)
    trace = run(GradientDescent(STEP), oracle, x0, STEPS, lambda x: problem.gap(x).mean(-1))
    return trace.steps, trace.values.cpu().numpy()


@claim("exact", "S14; theory/moments.py")
@planted("moments of batch 1", batch=1)
@planted("moments of batch 3", batch=3)
def mean_gap_of_the_example(budget: Budget, batch: int = BATCH) -> Verdict:
    """S14, refined: The mean gap of SGD with batch 2 on a line fit follows its exact moment recursion.

    For least squares with two parameters and 100 points, step 1 and batches drawn without replacement, it does at every
    record of 1000 iterations, within 5 % (quick: 15 %).
    """
    A, y, problem = line(budget)
    A, best, start = A.cpu().numpy(), problem.minimizer.cpu().numpy(), problem.start.cpu().numpy()
    mean, square = least_squares_moments(A, y.cpu().numpy(), start, STEP, batch, STEPS)
    # E (x - x*)(x - x*)^T, whose product with the Hessian has trace 2 E gap
    centred = square - mean[:, :, None] * best - best[:, None] * mean[:, None, :] + np.outer(best, best)
    steps, gaps = sampled_gaps(budget, "mean_gap_of_the_example")
    exact = (np.einsum("ij,kji->k", A.T @ A / N, centred) / 2)[steps]
    return mean_is(gaps, exact, budget.pick(0.15, 0.05)).showing(rows(gaps, k=steps, theory=exact))


@claim("phenomenon", "S14; settings of the seminar's example", unit="ln ratio")
@planted("a plateau from the start", late=3)
@planted("a fall by 500 in 30 steps", drop=500.0)
def fast_progress_then_plateau(budget: Budget, drop: float = 10.0, late: int = 200) -> Verdict:
    """S14, as stated: SGD with batch 2 on a line fit reduces the mean gap tenfold in 30 iterations, and wanders on a plateau
    from iteration 200 on.

    The means of the two halves of the records from 200 to 1000 agree within 5 % (quick: 15 %). Shown are 120 iterations of
    one path, beside those of gradient descent with the step 0.3.
    """
    steps, gaps = sampled_gaps(budget, "fast_progress_then_plateau")
    at = dict(zip(steps, gaps, strict=True))
    fall = np.log(at[0] / at[min(at, key=lambda k: abs(k - 30))])
    ends = np.stack([at[k] for k in steps if k >= late])  # averaged: the records are nearly independent
    half = len(ends) // 2
    change = ends[half:].mean(0) / ends[:half].mean(0)
    verdict = all_of({"fall": exceeds(fall, np.log(drop)), "plateau": mean_is(change[None], [1.0], budget.pick(0.15, 0.05))})
    return verdict.showing(paths(budget))


def paths(budget: Budget) -> dict[str, np.ndarray]:
    """One path of GD and one of SGD from the start, by iteration."""
    problem, found = line(budget)[2], {"k": np.arange(PATH + 1)}
    sgd = batches(budget, "fast_progress_then_plateau", "path")
    for name, oracle, lr in (("gd", Oracle.full(problem), 0.3), ("sgd", sgd, STEP)):
        points = [x for _, x in zip(found["k"], iterates(GradientDescent(lr), oracle, problem.start), strict=False)]
        found[f"{name}_slope"], found[f"{name}_intercept"] = torch.stack(points).cpu().numpy().T
    return found


def figures(verdicts: dict[str, Verdict]) -> dict:
    caption = (
        "SGD with batch 2 on a line fit. One path of 120 iterations beside GD's, and the mean gap at every record with its "
        "exact value and 99 % intervals."
    )
    figure, (path, gap) = canvas(caption, 2)
    table = verdicts["fast_progress_then_plateau"].table
    for name, label, style in (("gd", "GD, step 0.3", "C0o-"), ("sgd", "SGD, batch 2, step 1", "C1s-")):
        path.plot(table[f"{name}_slope"], table[f"{name}_intercept"], style, ms=2, lw=0.8, label=label)
    path.plot(*table.loc[0, ["gd_slope", "gd_intercept"]], "k^", ms=6, label="start", ls="")
    path.set(xlabel="slope", ylabel="intercept", title="120 iterations")
    table = verdicts["mean_gap_of_the_example"].table
    table = table.assign(x=table["k"] + 1, method="SGD, mean over runs")
    axes = {"xlabel": "iteration $k + 1$", "ylabel": r"$\mathbb{E}\,f(x_k) - f^*$", "title": "mean gap"}
    draw(gap, Panel(table, "x", **axes), {"SGD, mean over runs": "C1D open"})
    legend_below(figure)
    return {"typical": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
