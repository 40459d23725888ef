r"""Walks of networks on addition modulo p after zero training error, and their curvature (`grokking_random_walk`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from ratewitness.problems.curvature import hessian_vector, hutchinson, lanczos
from ratewitness.problems.networks.modular_addition import Table, on_table
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.solver import iterates
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.landscapes.grokking_runs import LEARNT, NETWORK, adamw, drawn

BEGIN = 150
LOOK, LAGS = 50, (50, 100, 200)  # steps; an average of AdamW with beta1 = 0.9 remembers about 10
CONDITIONS = {  # minibatch (None: all pairs), decay, shuffled labels
    "full batch, decay": (None, 1.0, False),
    "full batch, no decay": (None, 0.0, False),
    "minibatch, decay": (64, 1.0, False),
    "minibatch, no decay": (64, 0.0, False),
    "shuffled labels, decay": (None, 1.0, True),
}


@dataclass(frozen=True, eq=False)
class Walk:
    """Of seeds: the mean cosine (seeds,), mean squared displacements (lags, seeds), and by name what was recorded on the way
    (records, seeds) at `at`."""

    cosine: np.ndarray
    displacement: np.ndarray
    at: list[int]
    seen: dict[str, np.ndarray]

    @property
    def exponent(self) -> np.ndarray:
        """The slope of log displacement against log lag (seeds,)."""
        return np.polyfit(np.log(LAGS), np.log(self.displacement), 1)[0]


def paths(x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean cosine of successive displacements (seeds,) and mean squares of them by lag (lags, seeds), from points
    (looks, seeds, P), one every 50 steps."""
    d = x.diff(dim=0)
    cosine = torch.nn.functional.cosine_similarity(d[1:], d[:-1], dim=-1).mean(0)
    squares = [(x[lag // LOOK :] - x[: -(lag // LOOK)]).square().sum(-1).mean(0) for lag in LAGS]
    return cosine.cpu().numpy(), torch.stack(squares).cpu().numpy()


@measured("grokking_random_walk")
def walk(budget: Budget, condition: str, stream: str) -> Walk:
    """The run of every seed; NaN where fewer than 99 % of the training pairs are right at its beginning."""
    batch, decay, shuffled = CONDITIONS[condition]
    seeds, end, records = budget.pick((2, 350, 3), (4, 800, 5))
    runs = drawn(budget.generator(stream), seeds, shuffled=shuffled, dtype=torch.float64)
    problem = on_table(NETWORK, runs.table, runs.start)
    draws = budget.generator("batches")
    oracle = Oracle.minibatch(problem, batch, draws, "without replacement") if batch else Oracle.full(problem)
    at = sorted({LOOK * round(k / LOOK) for k in np.geomspace(BEGIN, end, records)})
    points, seen, probes = [], [], budget.generator("probes")
    with torch.no_grad():
        solver = adamw({"lr": 0.01, "decay": decay})
        for k, x in zip(range(end + 1), iterates(solver, oracle, runs.start), strict=False):
            if k >= BEGIN and k % LOOK == 0:
                points.append(x)
            if k in at:
                seen.append(recorded(problem, runs.table, x, probes))
    cosine, squares = paths(torch.stack(points))
    kept = {name: np.stack([each[name].cpu().numpy() for each in seen]) for name in seen[0]}
    learnt = kept["training"][0] >= LEARNT
    return Walk(np.where(learnt, cosine, np.nan), np.where(learnt, squares, np.nan), at, kept)


def recorded(problem: FiniteSum, table: Table, x: torch.Tensor, probes: torch.Generator) -> dict[str, torch.Tensor]:
    def product(v):
        return hessian_vector(problem.grad, x, v)

    training, validation = NETWORK.accuracies(x, table)
    start = torch.randn(x.shape, generator=probes, device=probes.device, dtype=x.dtype)
    top, loss = lanczos(product, start, 20, 0.02), problem.gap(x)
    trace = hutchinson(product, x, 8, probes, batch=4)
    found = {"loss": loss, "top eigenvalue": top.value, "residual": top.residual, "trace": trace.value, "error": trace.error}
    found |= {"top eigenvalue / loss": top.value / loss, "trace / loss": trace.value / loss, "norm": x.norm(dim=-1)}
    return found | {"training": training.double(), "validation": validation.double()}


def fall(budget: Budget, condition: str, measure: str = "top eigenvalue", stream: str = "walk") -> np.ndarray:
    """Logarithm of a measure at the beginning over that at the end (seeds,)."""
    found = walk(budget, condition, stream)
    kept = found.seen[measure]
    return np.where(np.isnan(found.cosine), np.nan, np.log(kept[0] / kept[-1]))


def simulated(budget: Budget, power: float) -> Walk:
    """Independent normal displacements (power 1), or the same one at every step (power 2), through the same pipeline."""
    seeds, looks = budget.pick((2, 5), (4, 14))
    steps = torch.randn(looks, seeds, 500, generator=budget.generator("simulated"), dtype=torch.float64)
    steps = steps[:1].expand_as(steps) if power == 2 else steps
    return Walk(*paths(steps.cumsum(0)), [], {})
