r"""AdaGrad and methods with one step for all coordinates on sparse problems, all tuned: what studies of S18 measure with.

Drawn features. Coordinate i takes part in a round with probability p_i, and then has the loss z x_i, z = +-1 of mean -1/2,
on the box [-1, 1]^d, from x = 0 (`problems/online/sparse_features.py`). Regret is that of the expected losses. Every method
gets a grid of 13 steps over 3 decades around the step that its bound recommends, constant steps being those of the known
horizon; a step is chosen on seeds of its own, and judged on fresh ones. All methods see the same rounds.

A text. The Old and the New Testament are told apart by the words of a paragraph (`problems/data/which_testament.py`), one
paragraph a step, from 0; the outputs are the average of all iterates and the last one. Each of 8 groups (quick: 4) of two
runs tunes for itself, out of 7 steps over four decades around the step that the bound recommends for the distances of the
minimizer from 0, and 4 more between the neighbours of the best; it is judged on paragraphs drawn anew. All methods see the
same paragraphs. A method is represented by its better output, and many methods by the best of them, chosen by the tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ratewitness.problems.data.which_testament import Words, which_testament
from ratewitness.problems.online.slopes import play, sparse_features
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.solver import iterates, run
from ratewitness.studies.adaptive.adagrad_and_sgd import METHODS, SGD, recommended
from ratewitness.studies.claims import Budget, Verdict, measured
from ratewitness.studies.judges import exceeds
from ratewitness.studies.measuring.tuning import Chosen, Paired, Tuned, around, each_chosen, unless_on_edge
from torch import Tensor

OUTPUTS, REPEATS = ("average", "last"), 2  # REPEATS: runs of a group, whose geometric mean counts
ONE_STEP = ("AdaGradNorm", *SGD)  # the methods with one step for all coordinates


def mean_regret(budget: Budget, method: str, lr: Tensor, p: np.ndarray, T: int, seeds: int, stage: str) -> np.ndarray:
    """Regret/T for steps lr (points, instances), p (instances, d): (points, instances, seeds); inf where it is none."""
    frequencies = torch.as_tensor(p, device=budget.device)
    problem = sparse_features(frequencies.unsqueeze(1), "linear", pull=0.5)
    oracle, _ = play(problem, budget.generator(stage))
    best, solver = problem.best(1)[1], Box(METHODS[method](lr[..., None, None]), -1.0, 1.0)
    x0 = torch.zeros(len(lr), len(p), seeds, p.shape[-1], dtype=frequencies.dtype, device=frequencies.device)
    trace = run(solver, Paired(oracle), x0, T - 1, lambda x: problem.loss(0, x) - best, at=[T - 1], over="mean")
    return np.nan_to_num(trace.values[0].cpu().numpy(), nan=np.inf)


def tuned_regrets(
    budget: Budget, method: str, p: np.ndarray, T: int, seeds: tuple[int, int]
) -> tuple[list[Tuned], np.ndarray]:
    """What tuning on seeds[0] found on each instance, and regret/T with the chosen step on seeds[1]: (instances, seeds)."""
    centre = recommended(method, 2.0, 2 * p.shape[-1] ** 0.5, p.sum(-1), T)
    grid = torch.as_tensor(centre * np.ones(len(p)) * np.logspace(-1.5, 1.5, 13)[:, None], device=budget.device)
    losses = mean_regret(budget, method, grid, p, T, seeds[0], "tuning").mean(-1)
    tuned = [Tuned(*column) for column in zip(grid.T.cpu().numpy(), losses.T, strict=True)]
    lr = torch.tensor([[found.lr for found in tuned]], dtype=torch.float64, device=budget.device)
    return tuned, mean_regret(budget, method, lr, p, T, seeds[1], "test")[0]


def best_of(
    ahead: tuple[list[Tuned], np.ndarray], others: Sequence[tuple[list[Tuned], np.ndarray]]
) -> tuple[np.ndarray, list[list[Tuned]]]:
    """The gain of one method over the best of others, chosen on each instance by the tuning: (instances, seeds); and what
    tuning found for all of them on each instance."""
    first, regret = ahead
    best = [min(others, key=lambda other: other[0][i].losses.min())[1][i] for i in range(len(regret))]
    return np.stack(best) / regret, [[first[i], *(tuned[i] for tuned, _ in others)] for i in range(len(regret))]


def text(budget: Budget, weights: str = "tf-idf") -> Words:
    """600 words (quick: 300, but 600 of the counts)."""
    return which_testament(600 if weights == "counts" else budget.pick(300, 600), weights=weights)


@dataclass(frozen=True, eq=False)
class Ends:
    """Where the runs of a method with one of its outputs end, every group with the step it chose."""

    chosen: Chosen
    gaps: np.ndarray  # (groups,)


@measured("sparse_text, revision 1")
def ends(budget: Budget, weights: str, method: str) -> dict[str, Ends]:
    """By output; after one pass (quick: 1000 paragraphs), of the counts after two (quick: one)."""
    words, count, passes = text(budget, weights), budget.pick(4, 8), 1 + (weights == "counts")
    problem, T = words.problem, budget.pick((1_000, 4_635)[passes - 1], passes * 4_635)
    energy = float(words.mean_squares.sum()) / 4  # E||g||^2 at the start
    centre = recommended(method, float(problem.minimizer.abs().max()), float(problem.radius), energy, T)

    def gaps(steps, stage):
        """Of the average in the first half of the columns, of the last iterate in the second; steps as they are there."""
        lr = torch.as_tensor(steps, device=budget.device)[..., None, None]
        oracle = Paired(Oracle.minibatch(problem, 1, budget.generator(stage)))
        path = iterates(METHODS[method](lr), oracle, problem.starts(len(steps), 2 * count, REPEATS))
        mean = next(path)[:, :count]
        for k, x in zip(range(1, T + 1), path, strict=False):
            mean = torch.lerp(mean, x[:, :count], 1 / k)  # of x_1, ..., x_k
        return problem.gap(torch.cat([mean, x[:, count:]], 1)).log().mean(-1).exp().cpu().numpy()

    chosen = each_chosen(lambda steps: gaps(steps, "tuning"), around(centre, 7), 4)
    found, parts = gaps(chosen.lr[None], "test")[0], (slice(0, count), slice(count, None))
    return {output: Ends(chosen.of(part), found[part]) for output, part in zip(OUTPUTS, parts, strict=True)}


def better(outputs: Sequence[Ends]) -> Ends:
    """The one that tuning prefers."""
    return min(outputs, key=lambda end: np.log(end.chosen.losses).mean())


def ahead_on_text(budget: Budget, weights: str, ahead: str, behind: Sequence[str], factor: float) -> Verdict:
    """The gap of the best of some methods is `factor` times that of another, each with its better output: the logarithm of
    their ratio, over groups."""
    first, rivals = (
        ends(budget, weights, ahead),
        [end for method in behind for end in ends(budget, weights, method).values()],
    )
    effect = np.log(better(rivals).gaps / better([*first.values()]).gaps)
    return unless_on_edge(exceeds(effect, np.log(factor)), *(end.chosen for end in (*first.values(), *rivals)))
