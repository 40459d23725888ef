r"""Is the gradient of a random component unbiased, and how much cheaper is it?

    E grad f_I(x) = (1/n) sum_i grad f_i(x) = grad f(x),        cost of a step:  GD n,  SGD 1  component gradients

Hypotheses: the components are drawn independently of x; a minibatch is a uniform subset, independent uniform draws, or
a block of a uniformly random permutation. A block of a permutation is unbiased before the permutation is known; given
the blocks before it in the same pass it is not, and a planted variant says so.

Unbiasedness is proved for symbolic n, batch size and components (`theory/sampling.py`), computed by enumeration of all
draws, and measured on the samplers that the oracle uses. The cost is counted twice, by the oracle and by the problem it
asks, and timed on least squares, where the sum over n is taken although A^T A, the luxury of quadratics, could replace
it. Seconds appear in table and figure only: a ledger of timings could not be reproduced.

Sources: H. Robbins and S. Monro (1951); W. Cochran (1977) for sampling without replacement.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache
from itertools import combinations, permutations, product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.catalogue import catalogue
from ratewitness.problems.data.least_squares import least_squares, random_least_squares
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, bound_holds, equals_exactly, mean_is, proved
from ratewitness.studies.measuring.proofs import falsified
from ratewitness.theory.sampling import unbiased_with_replacement, unbiased_without_replacement
from torch.nn.functional import one_hot

TOLERANCE = 1e-10  # of an average of gradients, relative to the mean norm of the gradients averaged
SMALL = 6  # components, where every draw can be written down
STEPS = 7  # of a counted run
LINEAR, QUADRATIC, NONE = (0.7, 1.3), (1.7, 2.3), (-np.inf, 0.25)  # slopes of log time in log n that count as such growth
ROUNDS = 3  # of timing, each with all sizes


def problems(budget: Budget) -> dict:
    """The catalogue, its deterministic members as sums of four components with noise of variance 1."""
    return {name: perturbed(p, 1.0, n=4) if p.n == 1 else p for name, p in catalogue(budget.seed, flat=True).items()}


def average_error(weights, budget: Budget) -> Verdict:
    """||sum_i w_i grad f_i - grad f|| over (1/n) sum_i ||grad f_i||, at random points of every problem."""
    rows = {"problem": [], "n": [], "error": []}
    for name, problem in problems(budget).items():
        generator, x = budget.generator("points", name), problem.starts(4)
        x = x + torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device)
        each = Oracle.full(problem).component_grads(x)  # (4, n, d)
        mean = torch.einsum("i,kid->kd", torch.as_tensor(weights(problem.n), dtype=x.dtype, device=x.device), each)
        error = (mean - problem.grad(x)).norm(dim=-1) / each.norm(dim=-1).mean(-1)
        for key, value in zip(rows, (name, problem.n, float(error.max())), strict=True):
            rows[key].append(value)
    return bound_holds(rows["error"], TOLERANCE, floor=-1.0).showing(rows)  # an error of exactly 0 is a record


@claim(
    kind="proof",
    source="S1; theory/sampling.py",
    planted={
        **falsified(unbiased_with_replacement, named="probability 1/(n+1)"),
        **falsified(unbiased_without_replacement, named="inclusion b/(n-1)"),
    },
)
def minibatch_is_unbiased(budget: Budget) -> Verdict:
    """S1: The gradient of a uniformly drawn component, and the mean over a minibatch of any size b <= n drawn with or
    without replacement, has expectation grad f, for symbolic n, b and components."""
    return all_of({each.name: proved(each) for each in (unbiased_with_replacement, unbiased_without_replacement)})


@claim(
    kind="exact",
    source="S1; definition of a finite sum",
    planted={
        "only the first half of the components": lambda budget: average_error(
            lambda n: [1 / (n // 2)] * (n // 2) + [0] * (n - n // 2), budget
        ),
        "weights proportional to i": lambda budget: average_error(
            lambda n: [2 * (i + 1) / (n * (n + 1)) for i in range(n)], budget
        ),
    },
)
def on_every_problem(budget: Budget) -> Verdict:
    """S1: On every problem of the catalogue, real data included, the average of all n component gradients is the full
    gradient, at random points, up to 1e-10 of the mean norm of a component gradient."""
    return average_error(lambda n: [1 / n] * n, budget)


def enumerated(draws, budget: Budget) -> Verdict:
    """Mean over all draws (M, b) of the minibatch gradient against the full one, for each b = 1, ..., SMALL."""
    generator = budget.generator("enumerated")
    problem = random_least_squares(SMALL, 3, generator)
    x = torch.randn(3, generator=generator, dtype=torch.float64, device=generator.device)
    errors = []
    for b in range(1, SMALL + 1):
        index = torch.tensor(list(draws(b)), device=x.device)
        mean = problem.sample_grad(x.expand(len(index), 3), index).mean(0)
        errors.append(float((mean - problem.grad(x)).norm() / problem.grad(x).norm()))
    return bound_holds(errors, TOLERANCE, floor=-1.0)


DRAWS = {  # every outcome of a draw of b from SMALL components, all equally likely; the last block of a pass
    "with replacement": lambda b: product(range(SMALL), repeat=b),
    "without replacement": lambda b: combinations(range(SMALL), b),
    "reshuffled": lambda b: (order[SMALL // b * b - b : SMALL // b * b] for order in permutations(range(SMALL))),
}


@claim(
    kind="exact",
    source="S1; enumeration",
    planted={
        "subsets of the first half": lambda budget: enumerated(lambda b: combinations(range(3), min(b, 3)), budget),
        "one component never drawn last": lambda budget: enumerated(
            lambda b: (draw for draw in permutations(range(SMALL), b) if draw[-1] != 0), budget
        ),
    },
)
def every_sampling_by_enumeration(budget: Budget) -> Verdict:
    """S1: Averaged over every possible draw of b = 1, ..., 6 from n = 6 components, with replacement (n^b draws),
    without (C(n, b) subsets) and as the last block of a reshuffled pass (n! orders), the minibatch gradient is the full
    gradient up to 1e-10."""
    return all_of({sampling: enumerated(draws, budget) for sampling, draws in DRAWS.items()})


def frequencies(sampling: str, b: int, budget: Budget, seen_first: bool = False) -> np.ndarray:
    """(n, groups): how often the second draw of the oracle holds each component, in units of b/n.

    seen_first: only in those replicates whose first draw held component 0.
    """
    problem = random_least_squares(SMALL, 1, budget.generator("tiny"))
    oracle = Oracle.minibatch(problem, b, budget.generator(sampling, b), sampling)
    x = problem.starts(20, budget.replicates)
    oracle.grad(x)
    kept = (oracle.sample == 0).any(-1) if seen_first else torch.ones_like(oracle.sample[..., 0], dtype=torch.bool)
    oracle.grad(x)
    counts = (one_hot(oracle.sample, SMALL).sum(-2) * kept.unsqueeze(-1)).sum(1)
    return (counts / kept.sum(1, keepdim=True) * SMALL / b).mT.cpu().numpy()


def equally_frequent(found, budget: Budget, expected=1.0) -> Verdict:
    found = np.stack(found)
    return mean_is(found, np.broadcast_to(expected, found.shape[:-1]), budget.pick(0.1, 0.03))


@claim(
    kind="exact",
    source="S1; problems/oracle.py",
    planted={
        "a block given the blocks before it in the pass": lambda budget: equally_frequent(
            [frequencies("reshuffled", 2, budget, seen_first=True)], budget
        ),
        "the first component twice as likely": lambda budget: equally_frequent(
            [frequencies("with replacement", 1, budget)], budget, np.array([2.0, 1, 1, 1, 1, 1])
        ),
    },
)
def samplers_of_the_oracle(budget: Budget) -> Verdict:
    """S1: Each of the three samplers of the oracle draws each of n = 6 components with frequency b/n, for batches
    b = 1, 2, 3: 99 % intervals over 20 groups within 10 % (quick) or 3 % (full)."""
    return equally_frequent([frequencies(sampling, b, budget) for sampling in DRAWS for b in (1, 2, 3)], budget)


def counted(budget: Budget) -> dict[str, np.ndarray]:
    """Component gradients per step, (problems,): of GD, of SGD with batches 1 and 3 as the oracle counts them, and of
    the latter two together as the problem sees them."""
    rows = []
    for name, problem in problems(budget).items():
        asked = []

        def watched(x, index, problem=problem, asked=asked):
            asked.append(index.shape[-1])
            return problem.sample_grad(x, index)

        watching = replace(problem, sample_grad=watched)
        oracles = [Oracle.full(problem)] + [Oracle.minibatch(watching, b, budget.generator(name, b)) for b in (1, 3)]
        traces = [run(GradientDescent(1e-3), o, problem.start, STEPS, problem.gap, at=[STEPS]) for o in oracles]
        rows.append([problem.n * STEPS, *(t.component_gradients[-1] for t in traces), sum(asked)])
    return dict(zip(("n", "GD", "SGD", "batch 3", "asked"), np.array(rows).T, strict=True))


def counts_are(budget: Budget, **per_step) -> Verdict:
    found = counted(budget)
    expected = {"GD": "n", "SGD": 1, "batch 3": 3, "asked": 4} | per_step
    predicted = [found["n"] if e == "n" else np.full_like(found["n"], e * STEPS) for e in expected.values()]
    return equals_exactly(np.stack([found[name] for name in expected]), np.stack(predicted))


@claim(
    kind="cost",
    source="S2; problems/oracle.py",
    planted={
        "SGD pays for n as well": lambda budget: counts_are(budget, SGD="n"),
        "GD pays for one": lambda budget: counts_are(budget, GD=1),
    },
)
def cost_in_component_gradients(budget: Budget) -> Verdict:
    """S2: A step of GD costs exactly n component gradients and a step of SGD one, b with batch b = 3, on every problem
    of the catalogue: counted by the oracle, and for SGD by the number of components that the problem is asked for."""
    return counts_are(budget)


@cache
def timed(budget: Budget) -> pd.DataFrame:
    """Seconds per step of GD and SGD on least squares with d = 20, on the CPU: minimum and median over the repeats of
    each round."""
    generator = replace(budget, device="cpu").generator("rows")
    sizes = np.geomspace(1e3, 1e6, 7).round().astype(int).tolist() + budget.pick([], [2_000_000, 4_000_000])
    repeats, rows = budget.pick(15, 40), []
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

            problem = replace(few, n=n, grad=grad, sample_grad=sample_grad)
            gd = seconds_per_step(Oracle.full(problem), problem, repeats)
            sgd = seconds_per_step(Oracle.minibatch(problem, 1, generator), problem, repeats)
            rows.append([k, n, gd.min(), np.median(gd), sgd.min(), np.median(sgd)])
    return pd.DataFrame(rows, columns=["round", "n", "GD", "GD, median", "SGD", "SGD, median"])


def seconds_per_step(oracle: Oracle, problem, repeats: int) -> np.ndarray:
    solver, x = GradientDescent(0.1 / problem.constants.component_smoothness), problem.start

    def seconds(steps):
        begin = time.perf_counter()
        for k in range(steps):
            solver.step(x, k, oracle)
        return time.perf_counter() - begin

    steps = 1
    while seconds(steps) < 1e-3:  # each repeat takes as many steps as last for a millisecond
        steps *= 2
    return np.array([seconds(steps) / steps for _ in range(repeats)])


def slopes_are(budget: Budget, exponent: float = 0.0, **allowed: tuple[float, float]) -> Verdict:
    """Slopes in log n of the log of n^exponent times the least time of each round, against the range allowed for GD and
    SGD. Supported if all are inside; refuted if one end of one range is passed in every round; evidence without any
    measured time."""
    found, missed, evidence = timed(budget), [], {}
    for name, ends in allowed.items():
        slope = [
            np.polyfit(np.log(group["n"]), np.log(group[name] * group["n"] ** exponent), 1)[0]
            for _, group in found.groupby("round")
        ]
        for end, sign, limit in zip(("least", "most"), (1, -1), ends, strict=True):
            if np.isfinite(limit):
                evidence[f"slope_{name}_at_{end}"] = limit
                missed.append([not sign * value >= sign * limit for value in slope])  # NaN is outside
    missed = np.array(missed)  # (ends of ranges, rounds)
    outcome = "refuted" if missed.all(1).any() else "inconclusive" if missed.any() else "supported"
    evidence |= {"n_from": float(found["n"].min()), "n_to": float(found["n"].max()), "rounds": float(missed.shape[1])}
    return Verdict(outcome, evidence).showing(found)


@claim(
    kind="cost",
    source="S2; timed on one CPU core",
    planted={
        "the SGD step grows linearly as well": lambda budget: slopes_are(budget, GD=LINEAR, SGD=LINEAR),
        "the GD step does not grow": lambda budget: slopes_are(budget, GD=NONE, SGD=NONE),
        "the GD step grows like n^2": lambda budget: slopes_are(budget, GD=QUADRATIC, SGD=NONE),
        "n times the GD step is linear as well": lambda budget: slopes_are(budget, 1.0, GD=LINEAR),
    },
)
def time_of_a_step(budget: Budget) -> Verdict:
    """S2: As n grows from 10^3 to 10^6 (full budget: 4 10^6) the time of a GD step grows in proportion to n, slope of
    log time in log n from 0.7 to 1.3, and that of an SGD step does not, slope at most 0.25, in each of 3 rounds of timing.
    Least squares with d = 20 on one CPU core; least of 15 (full: 40) repeats a round, each of a millisecond or more.
    Refuted only if all rounds pass the same limit; inconclusive if the rounds disagree."""
    return slopes_are(budget, GD=LINEAR, SGD=NONE)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    rounds = verdicts["time_of_a_step"].table.groupby("n")
    figure, ax = plt.subplots(figsize=(4.8, 3.4), layout="constrained")
    figure.set_label(
        "Time of one step of GD and of SGD on least squares with d = 20 as the number n of components grows. Points: "
        "least time over the repeats of 3 rounds, whiskers up to the largest of the rounds' medians. Lines: theory, through "
        "the last point."
    )
    n = np.array(sorted(rounds.groups))
    for colour, marker, name, power in (("C0", "o", "GD", 1), ("C1", "s", "SGD", 0)):
        least = rounds[name].min().to_numpy()
        law = "proportional to n" if power else "constant"
        whiskers = np.stack([0 * least, rounds[f"{name}, median"].max() - least])
        ax.plot(n, least[-1] * (n / n[-1]) ** power, color=colour, lw=1.2, label=f"{name}, {law}")
        ax.errorbar(n, least, whiskers, fmt=marker, ms=4, color=colour, label=f"{name}, measured")
    ax.set(xscale="log", yscale="log", xlabel="number of components n", ylabel="time per step (s)")
    ax.legend(frameon=False)
    return {"time": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
