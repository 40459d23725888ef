r"""What Adam's averages estimate, read off from its steps, for gradients of several laws.

Reading steps shows what a step really uses: with a step size and an epsilon of 1e9 Adam's step is mhat, with a step size of
1 and epsilon 0 it is mhat/sqrt(vhat). Expectations are means over replicates, in 20 groups of them. The laws are
those of `bias_correction`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.solver import Solver
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.measuring.streams import Stream, normal
from torch import Tensor

BETAS = torch.tensor([(0.9, 0.999), (0.5, 0.9)], dtype=torch.float64)  # beta1, beta2
RECORDS = (1, 2, 3, 5, 10, 20, 50)
GROUPS = 20
FAR = 1e9  # a step size and an epsilon beside which vhat vanishes
SECOND = {"normal": 2.0, "skewed": (2.5**2 + 2 * 0.25**2) / 3, "correlated": 2.0, "constant": 2.0}
CHANGING = {"growing": lambda k: 1 + k / 10, "falling": lambda k: 0.93**k, "jumping": lambda k: 1.0 if k <= 20 else 100.0}


def stationary(generator: torch.Generator, count: int) -> Iterator[Tensor]:
    """g_1, g_2, ..., each (laws, 1, count), of mean 1 and second moments SECOND."""
    first = latent = normal(generator, count)
    while True:
        rare = torch.rand(count, generator=generator, device=generator.device) < 1 / 3
        skewed = 0.25 + 2.25 * rare.double()
        yield torch.stack([1 + normal(generator, count), skewed, 1 + latent, 1 + first]).unsqueeze(1)
        latent = 0.9 * latent + math.sqrt(1 - 0.9**2) * normal(generator, count)


def changing(generator: torch.Generator, count: int) -> Iterator[Tensor]:
    """g_1, g_2, ..., each (laws, 1, count), of mean 0 and second moments CHANGING."""
    for k in itertools.count(1):
        yield torch.stack([math.sqrt(moment(k)) * normal(generator, count) for moment in CHANGING.values()]).unsqueeze(1)


def steps(solver: Solver, gradients: Iterator[Tensor], x: Tensor) -> Iterator[Tensor]:
    """-(x_k - x_{k-1}) for k = 1, 2, ..., at gradients that do not depend on the point."""
    oracle, state, zero = Stream(lambda k, x: next(gradients)), solver.init(x), torch.zeros_like(x)
    while True:
        step, state = solver.step(zero, state, oracle)
        oracle.seen.clear()  # millions of numbers a step
        yield -step


def grouped(values: Tensor) -> np.ndarray:
    """Means of GROUPS groups of replicates: (..., count) -> (..., GROUPS)."""
    return values.unflatten(-1, (GROUPS, -1)).mean(-1).cpu().numpy()


@measured("bias_correction")
def estimates(budget: Budget, source: Callable, corrected: bool) -> dict[str, np.ndarray]:
    """mhat and vhat (laws, betas, records, GROUPS) for `stationary` or `changing`; m and v where not corrected."""
    laws, count = tuple(SECOND if source is stationary else CHANGING), budget.pick(60_000, 400_000)
    beta1, beta2 = (b.unsqueeze(-1).to(budget.device) for b in BETAS.unbind(-1))
    settings = {"beta1": beta1, "beta2": beta2, "bias_correction": corrected}
    x = torch.zeros(len(laws), len(BETAS), count, dtype=torch.float64, device=budget.device)
    for_m, for_step = itertools.tee(source(budget.generator(*laws), count))
    found = {"m": [], "v": []}
    of_m, of_step = steps(Adam(FAR, eps=FAR, **settings), for_m, x), steps(Adam(1.0, eps=0.0, **settings), for_step, x)
    for k, m, step in zip(range(1, RECORDS[-1] + 1), of_m, of_step, strict=False):
        if k in RECORDS:
            found["m"].append(grouped(m))
            found["v"].append(grouped((m / step).square()))
    return {name: np.stack(records, 2) for name, records in found.items()}
