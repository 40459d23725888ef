r"""Steps to a target on quadratics along the axes or across them, every method with its step tuned: two studies' set-up.

    f(x) = (1/2) sum_i lam_i z_i^2,   z = Q^T x in R^10,   lam log-spaced in [1/kappa, 1] and rounded to powers of two

along the axes (Q = I) or randomly rotated (Q of the Haar measure). The start has ||x_0|| = 1 and comparable distances along
the eigenvectors: random signs times uniform numbers in [1/2, 1], normalized. A run has *arrived* at the first k from which
100 iterates in a row have ||x_k|| <= 0.01: a single one may be met in flight, between two jumps.

Tuning is equal: 13 steps over 4 decades around a centre for each method, constant and falling as (k + 1)^(-1/2), all as one
batch. For each kappa the candidate is chosen at which the last of 4 tuning seeds arrives first; other seeds, with starts and
rotations of their own, are judged. A choice on the edge of its grid makes a verdict inconclusive. A run that does not arrive
is never dropped: a slope with one is NaN, and inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.quadratics import quadratic, random_rotation
from ratewitness.solvers.adagrad import AdaGrad, FullAdaGrad
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.schedules import InversePower
from ratewitness.solvers.sign_descent import SignSGD
from ratewitness.solvers.solver import CENSORED, Solver, iterates
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.measuring.drawing import Panel, draw
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.measuring.tuning import DECADES
from torch import Tensor

D, TARGET, HOLD, POINTS, TUNING_SEEDS = 10, 0.01, 100, 13, 4
POWERS = (0.0, 0.5)  # of the decay of the step
METHODS = {  # the method without its step, and the centre of its grid
    "RMSProp": (lambda lr: RMSProp(lr, eps=0.0), 1e-1),
    "Adam": (lambda lr: Adam(lr, eps=0.0), 3e-2),
    "AdaGrad": (lambda lr: AdaGrad(lr, eps=0.0), 3e-1),
    "sign descent": (SignSGD, 1e-2),
    "full-matrix AdaGrad": (lambda lr: FullAdaGrad(lr, eps=0.0), 1e-1),
    "RMSProp, eps = 1e-6": (lambda lr: RMSProp(lr, eps=1e-6), 1e-1),
}
DIAGONAL = ("RMSProp", "Adam", "AdaGrad", "sign descent")
ALL = tuple(range(11))  # kappa = 4^j from 1 to about 10^6
LOOKS = dict(zip((*DIAGONAL, "full-matrix AdaGrad"), ("C0o", "C1s", "C2v", "C3^", "C4D"), strict=True))


def eigenvalues(j: tuple[int, ...], device: str = "cpu", d: int = D) -> Tensor:
    """Spectra of condition number 4^j: (kappas, 1, d), powers of two from 1 down to 4^-j."""
    share = torch.arange(d, dtype=torch.float64, device=device) / (d - 1)
    return (2.0 ** -torch.round(2 * torch.tensor(j, device=device)[:, None] * share)).unsqueeze(1)


def starts(seeds: int, generator: torch.Generator, d: int = D) -> Tensor:
    """Unit vectors (seeds, 1, 1, d) with entries of comparable size."""
    size = torch.rand(seeds, 1, 1, d, generator=generator, dtype=torch.float64, device=generator.device)
    sign = 2 * torch.randint(2, size.shape, generator=generator, device=generator.device) - 1
    return torch.nn.functional.normalize(sign * (1 + size), dim=-1)


def problem(
    j: tuple[int, ...], copies: int, seeds: int, axes: str, generator: torch.Generator, stretched: bool = False, d: int = D
) -> FiniteSum:
    """Quadratics with starts (seeds, kappas, copies, d). stretched: distances lam_i^(-1/2) times as large."""
    lam, z = eigenvalues(j, generator.device, d), starts(seeds, generator, d)
    Q, z = None, z * lam.rsqrt() if stretched else z.expand(-1, len(j), -1, -1)
    if axes == "rotated":
        Q = torch.stack([random_rotation(d, generator) for _ in range(seeds)]).unsqueeze(1)
        z = z @ Q.mT
    return quadratic(lam, z.expand(-1, -1, copies, -1).clone(), Q)


def arrival_times(solver: Solver, f: FiniteSum, limit: int, stretched: bool = False) -> Tensor:
    """First k <= limit from which HOLD iterates lie within the target, else CENSORED: (seeds, kappas, copies).

    The run ends when for every kappa all seeds of one copy have arrived. Stretched starts have ||diag(lam)^(1/2) z_k|| in
    place of ||z_k||, the root of f(x_k)/f(x_0).
    """
    start, streak, times = f.initial_gap, 0, torch.full(f.start.shape[:-1], CENSORED, device=f.start.device)
    with torch.no_grad():
        for k, x in zip(range(limit + HOLD), iterates(solver, Oracle.full(f), f.start), strict=False):
            distance = (f.gap(x) / start).sqrt() if stretched else x.norm(dim=-1)
            streak = (streak + 1) * (distance <= TARGET)
            new = streak == HOLD
            if new.any():
                times = torch.where(new & (times == CENSORED), k - HOLD + 1, times)
                if (times != CENSORED).all(0).any(-1).all():
                    break
    return times


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Steps to the target of a method whose step was tuned for each kappa = 4^j."""

    j: np.ndarray  # (kappas,)
    times: np.ndarray  # (kappas, seeds), CENSORED where a run did not arrive
    edges: np.ndarray  # (kappas,), whether the chosen step is on an edge of its grid, or no candidate arrived
    limit: int

    def since(self, first: int) -> Arrivals:
        kept = self.j >= first
        return Arrivals(self.j[kept], self.times[kept], self.edges[kept], self.limit)

    @property
    def on_edge(self) -> bool:
        return bool(self.edges.any())

    @property
    def slopes(self) -> np.ndarray:
        """Least-squares slopes of log time against log kappa, one for each seed; NaN where a run did not arrive."""
        if (self.times == CENSORED).any():
            return np.full(self.times.shape[1], np.nan)
        return np.polyfit(self.j * math.log(4), np.log(self.times), 1)[0]

    def table(self, **labels: str) -> pd.DataFrame:
        """Geometric means over seeds with intervals; a run that did not arrive counts at the limit, as a lower bound."""
        censored = self.times == CENSORED
        table = rows(np.where(censored, self.limit, self.times), geometric=True, kappa=4.0**self.j)
        return table.assign(**{"on an edge": self.edges, "not arrived": censored.sum(1), **labels})


@measured("anisotropy")
def tuned_arrivals(
    budget: Budget, method: str, axes: str, j: tuple[int, ...], stretched: bool = False, d: int = D
) -> Arrivals:
    """Tuned and tested within 20 000 steps; rotated within 20 times what gradient descent needs at the largest kappa."""
    (build, centre), device = METHODS[method], budget.device
    limit = 20_000 if axes == "along" else max(1000, math.ceil(10 * 4 ** max(j) * math.log(1 / TARGET)))
    grid = centre * torch.logspace(-DECADES / 2, DECADES / 2, POINTS, dtype=torch.float64, device=device)
    power = torch.tensor(POWERS, dtype=torch.float64, device=device).repeat_interleave(POINTS).unsqueeze(-1)
    # from a stretched start the longest axis has the length sqrt kappa and the shortest 1: the centre stands between
    stretch = eigenvalues(j, device, d).amin(-1, keepdim=True) ** (-0.25 * stretched)
    scale = stretch * grid.repeat(len(POWERS)).unsqueeze(-1)  # (kappas, candidates, 1)
    f = problem(j, len(power), TUNING_SEEDS, axes, budget.generator("tuning", axes, stretched), stretched, d)
    times = arrival_times(build(InversePower(scale, power)), f, limit, stretched)
    slowest = torch.where(times == CENSORED, limit + 1, times).amax(0)
    chosen, place = slowest.argmin(-1), slowest.argmin(-1) % POINTS
    edges = (slowest.amin(-1) > limit) | (place == 0) | (place == POINTS - 1)
    best = chosen.reshape(-1, 1, 1)
    f = problem(j, 1, budget.pick(12, 16), axes, budget.generator("test", axes, stretched), stretched, d)
    lr = InversePower(scale.take_along_dim(best, 1), power[chosen].unsqueeze(-1))
    times = arrival_times(build(lr), f, limit, stretched)[..., 0]
    return Arrivals(np.array(j), times.T.cpu().numpy(), edges.cpu().numpy(), limit)


def draw_arrivals(ax: Axes, runs: pd.DataFrame, looks: Mapping[str, str], **options) -> None:
    """Steps against kappa; an open marker is a lower bound, where some runs did not arrive and count at the limit."""
    for arrived, filling in ((True, ""), (False, " open")):
        part = runs[(runs["not arrived"] == 0) == arrived]
        part = part if arrived else part.drop(columns=["low", "high"])
        panel = Panel(part, "kappa", r"condition number $\kappa$", "steps to the target", **options)
        draw(ax, panel, {method: code + filling for method, code in looks.items()})
    if (runs["not arrived"] > 0).any():
        ax.plot([], [], "o", color="0.3", mfc="white", ms=4, label="open: lower bound")
