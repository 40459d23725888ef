r"""Is the gradient of a random component unbiased, and how much cheaper is it?

    E grad f_I(x) = (1/n) sum_i grad f_i(x) = grad f(x),        cost of a step:  GD n,  SGD 1  component gradients

Hypotheses: the components are drawn independently of x; a minibatch is a uniform subset, independent uniform draws, or
a block of a uniformly random permutation (`samplers`).

Unbiasedness is proved for symbolic n, batch size and components (`theory/sampling.py`), and computed and measured on
samplers in `samplers`. The cost in component gradients is a definition, to which tests hold the oracle; in seconds it
is timed on least squares, where the sum over n is taken although A^T A, the luxury of quadratics, could replace it.
Seconds, processor time of the one thread, appear in table and figure only: a ledger of timings could not be reproduced.

Sources: H. Robbins and S. Monro (1951); W. Cochran (1977) for sampling without replacement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import torch
from ratewitness.problems.catalogue import catalogue
from ratewitness.problems.data.least_squares import least_squares
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted, revised
from ratewitness.studies.judges import bound_holds
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import stacked
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.timing import ROUNDS, in_every_round, seconds
from ratewitness.theory.sampling import unbiased_with_replacement, unbiased_without_replacement

TOLERANCE = 1e-10  # of an average of gradients, relative to the mean norm of the gradients averaged
LINEAR, QUADRATIC, NONE = (0.7, 1.3), (1.7, 2.3), (-np.inf, 0.25)  # slopes of log time in log n that count as such growth


def problems(budget: Budget) -> dict:
    """The catalogue, its deterministic members as sums of four components with noise of variance 1."""
    return {name: perturbed(p, 1.0, n=4) if p.n == 1 else p for name, p in catalogue(budget.seed, flat=True).items()}


@claim("proof", "S1; theory/sampling.py")
@falsified(unbiased_with_replacement, named="probability 1/(n+1)")
@falsified(unbiased_without_replacement, named="inclusion b/(n-1)")
def minibatch_is_unbiased(budget: Budget) -> Verdict:
    """S1, as stated: The gradient of a uniformly drawn component, or minibatch, has expectation grad f.

    For symbolic n, b and components, so has the mean over a minibatch of any size b <= n drawn with or without
    replacement."""
    return prove(unbiased_with_replacement, unbiased_without_replacement)


@claim("exact", "S1; definition of a finite sum")
@planted("all but one of the components", weights=lambda n: [1 / (n - 1)] * (n - 1) + [0])
@planted("weights proportional to i", weights=lambda n: [2 * (i + 1) / (n * (n + 1)) for i in range(n)])
def on_every_problem(budget: Budget, weights: Callable = lambda n: [1 / n] * n) -> Verdict:
    """S1: The average of all n component gradients is the full gradient on every problem of the catalogue.

    At random points, real data included, they are equal up to 1e-10 of the mean norm of a component gradient."""
    found = []
    for name, problem in problems(budget).items():
        generator, x = budget.generator("points", name), problem.starts(4)
        x = x + torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device)
        each = Oracle.full(problem).component_grads(x)  # (4, n, d)
        mean = torch.einsum("i,kid->kd", torch.as_tensor(weights(problem.n), dtype=x.dtype, device=x.device), each)
        error = (mean - problem.grad(x)).norm(dim=-1) / each.norm(dim=-1).mean(-1)
        found.append({"problem": name, "n": problem.n, "error": float(error.max())})
    table = pd.DataFrame(found)
    return bound_holds(table["error"], TOLERANCE, floor=-1.0).showing(table)  # an error of exactly 0 is a record


def seconds_per_step(oracle: Oracle, problem, repeats: int) -> np.ndarray:
    solver, x, steps = GradientDescent(0.1 / problem.constants.component_smoothness), problem.start, 1

    def several():
        for k in range(steps):
            solver.step(x, k, oracle)

    while seconds(several) < 1e-3:  # each repeat takes as many steps as last for a millisecond
        steps *= 2
    return np.array([seconds(several) / steps for _ in range(repeats)])


@measured("unbiased_and_cheap.time_of_a_step, revision 1")
def timed(budget: Budget) -> pd.DataFrame:
    """Seconds per step of GD and SGD on least squares with d = 20, on the CPU: minimum and median over the repeats of
    each round."""
    generator = replace(budget, device="cpu").generator("rows")
    sizes = np.geomspace(1e3, 1e6, 7).round().astype(int).tolist() + budget.pick([], [2_000_000, 4_000_000])
    repeats, found = budget.pick(15, 40), []
    with torch.device("cpu"):
        A = torch.randn(sizes[-1], 20, generator=generator, dtype=torch.float64)
        b = A.sum(1)
        few = least_squares(A[:1000], b[:1000])
        for k, n in product(range(ROUNDS), sizes):

            def grad(x, A=A[:n], b=b[:n]):
                return (A @ x - b) @ A / len(b)

            def sample_grad(x, index):
                a = A[index[0]]
                return a * (a @ x - b[index[0]])

            problem, row = replace(few, n=n, grad=grad, sample_grad=sample_grad), {"round": k, "n": n}
            for method, oracle in (("GD", Oracle.full(problem)), ("SGD", Oracle.minibatch(problem, 1, generator))):
                times = seconds_per_step(oracle, problem, repeats)
                row |= {method: times.min(), f"{method}, median": np.median(times)}
            found.append(row)
    return pd.DataFrame(found)


@claim("cost", "S2; timed on one CPU core")
@revised(1, "five rounds of timing in place of three")
@planted("the SGD step grows linearly as well", SGD=LINEAR)
@planted("the GD step does not grow", GD=NONE)
@planted("the GD step grows like n^2", GD=QUADRATIC)
@planted("n times the GD step is linear as well", power=1.0, SGD=(-np.inf, np.inf))
def time_of_a_step(budget: Budget, GD=LINEAR, SGD=NONE, power: float = 0.0) -> Verdict:
    """S2, as stated: The time of a GD step grows in proportion to n, and that of an SGD step does not grow.

    As n grows from 10^3 to 10^6 (full budget: 4 10^6), the slope of log time in log n is from 0.7 to 1.3 for GD and at most
    0.25 for SGD, in each of 5 rounds of timing. The problem is least squares with d = 20 on one CPU core, with the least of
    15 (full: 40) repeats a round, each of a millisecond or more. The claim is refuted only if all rounds pass the same
    limit, and inconclusive if the rounds disagree."""
    found, holds, evidence = timed(budget), [], {}
    for method, ends in {"GD": GD, "SGD": SGD}.items():
        times = found.assign(time=found[method] * found["n"] ** power).groupby("round")
        slopes = np.array([np.polyfit(np.log(each["n"]), np.log(each["time"]), 1)[0] for _, each in times])
        for end, sign, limit in zip(("least", "most"), (1, -1), ends, strict=True):
            if np.isfinite(limit):
                evidence[f"slope_{method}_at_{end}"] = limit
                holds.append(sign * slopes >= sign * limit)
    evidence |= {"n_from": float(found["n"].min()), "n_to": float(found["n"].max()), "rounds": float(ROUNDS)}
    return Verdict(in_every_round(np.array(holds)).outcome, evidence).showing(found)


@claim("cost", "S2; timed on one CPU core", unit="ratio")
@planted("at least n/100", least=1e4)
@planted("at most n/10^5", share=1e-5)
def fewer_than_n_in_seconds(budget: Budget, least: float = 100.0, share: float = 0.01) -> Verdict:
    """S2, refined: In seconds an SGD step is more than 100 times cheaper than a GD step at n = 10^6, but less than n/100
    times.

    By definition it is n times cheaper in component gradients. At n = 10^6, on least squares with d = 20 on one CPU core, in
    each round of the timing of `time_of_a_step`: a step of one component pays for being asked, a full gradient for
    memory."""
    found = timed(budget).query("n == 1_000_000")
    ratio = (found["GD"] / found["SGD"]).to_numpy()
    return in_every_round(np.stack([ratio >= least, ratio <= share * 1e6])).noting(n=1e6).showing(found)


def figures(verdicts: dict[str, Verdict]) -> dict:
    rounds, drawn = verdicts["time_of_a_step"].table.groupby("n"), {}
    for method, power in (("GD", 1), ("SGD", 0)):
        least = rounds[method].min()
        table = pd.DataFrame({"measured": least, "low": least, "high": rounds[f"{method}, median"].max()}).reset_index()
        drawn[method] = table.assign(theory=least.iloc[-1] * (table["n"] / table["n"].iloc[-1]) ** power)
    caption = (
        "Time of a step on least squares with $d = 20$ as the number $n$ of components grows. Points: least time over the "
        "repeats of the rounds, whiskers up to the largest of the rounds' medians. Lines: theory, through the last point, "
        "proportional to $n$ for GD, constant for SGD."
    )
    panel = Panel(stacked(drawn), "n", "number of components $n$", "time per step (s)")
    return {"time": panels(caption, {"GD": "C0o", "SGD": "C1s"}, [panel])}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
