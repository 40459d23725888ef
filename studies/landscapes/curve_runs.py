r"""Pairs of networks on the digits, and the paths between them: straight, trained curves, controls.

ReLU networks 64-h-h-10 on 1200 digits (quick: 600), the rest for testing: cross-entropy with an l2 penalty of 1e-4 by Adam,
minibatches of 100, constant step 0.003 for half of the steps, then linear decay to 0. Networks that are to have the same
training loss keep the constant step, up to the first of every four iterates at which the loss without the penalty is low.
Pairs are independent: each network has a start and minibatches of its own, the data are the same.

The free point of a curve starts half-way and is trained on E_{t ~ U(0,1)} of the same objective, *with* the penalty, one t a
step, by Adam from 0.01; what is judged is the loss *without* it, and both are in the tables. Paths are looked at in 61
points; a barrier is the largest loss on the path less the mean of its ends.

Controls that are nearly such curves: trained for a tenth of the steps; bent as far in a random direction, or as the curve of
another pair is. With its free point half-way, untrained, either curve is the straight line.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from ratewitness.problems.data.digits import CLASSES, Digits, split_digits
from ratewitness.problems.networks.curves import along, curve_oracle, matched, renumbered
from ratewitness.problems.networks.mlp import MLP, accuracy, cross_entropy, on_rows
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.schedules import Trapezoid
from ratewitness.solvers.solver import iterates, run
from ratewitness.studies.claims import Budget, measured

L2, BATCH, STEP, FREE_STEP = 1e-4, 100, 3e-3, 1e-2
KINDS = {  # the shape, the second end, the bend
    "straight line": ("line", "independent", "trained"),
    "matched line": ("line", "matched", "trained"),
    "Bezier curve": ("bezier", "independent", "trained"),
    "matched to another": ("line", "matched to another", "trained"),
    "bent as another": ("bezier", "independent", "of another"),
}
POINTS, EVERY, SPARE = 61, 4, 4
T = torch.linspace(0, 1, POINTS)


class Pairs(NamedTuple):
    """Which pairs: their hidden width, another stream for other pairs, and the training loss at which training stops."""

    width: int
    stream: str = "ends"
    level: float | None = None


class Path(NamedTuple):
    """Along a path, all (POINTS, pairs): training loss, the same with the penalty, test error."""

    loss: np.ndarray
    penalized: np.ndarray
    error: np.ndarray

    def barrier(self, of: str = "loss") -> np.ndarray:
        """The largest value on the path less the mean of its ends (pairs,)."""
        values = getattr(self, of)
        return values.max(0) - (values[0] + values[-1]) / 2


def widths(budget: Budget) -> tuple[int, ...]:
    return budget.pick((8, 32), (8, 32, 128))


def network(width: int) -> MLP:
    return MLP((64, width, width, CLASSES))


@measured("mode_connectivity")
def digits(budget: Budget) -> Digits:
    return split_digits(budget.pick(600, 1200), budget.generator("digits"))


def trained(solver_step: float, steps: int, oracle, x0):
    schedule = Trapezoid(solver_step, steps, warm_up=1, decay=steps // 2)
    return run(Adam(schedule), oracle, x0, steps, lambda x: x[..., 0], at=[steps]).x


def trained_to(level: float, limit: int, oracle, x0: torch.Tensor, loss) -> torch.Tensor:
    """The first iterate of every network, of each EVERY, with a loss of at most this level; NaN where there is none."""
    found = torch.full_like(x0, torch.nan)
    with torch.no_grad():
        for k, x in zip(range(limit + 1), iterates(Adam(STEP), oracle, x0), strict=False):
            if k % EVERY == 0:
                new = (loss(x) <= level) & found[..., 0].isnan()
                found = torch.where(new.unsqueeze(-1), x, found)
                if not found.isnan().any():
                    break
    return found


@measured("mode_connectivity")
def ends(budget: Budget, pairs: Pairs) -> tuple[torch.Tensor, torch.Tensor]:
    """Two networks for every pair, (pairs, P) each; for a level the first of a few more that reach it, or NaN."""
    data, count, steps = digits(budget), budget.pick(4, 10), budget.pick(300, 800)
    net, generator = network(pairs.width), budget.generator(pairs.stream, pairs.width)
    problem = on_rows(net, data.inputs, data.labels, generator, l2=L2)
    oracle = Oracle.minibatch(problem, BATCH, generator, "reshuffled")
    if pairs.level is None:
        x = trained(STEP, steps, oracle, net.initial(generator, 2 * count))
    else:
        x0 = net.initial(generator, 2 * count + SPARE)
        x = trained_to(pairs.level, 4 * steps, oracle, x0, lambda x: cross_entropy(net.outputs(x, data.inputs), data.labels))
        x = x[x[:, 0].isnan().int().argsort(stable=True)]
    return x[:count], x[count : 2 * count]


@measured("mode_connectivity")
def second_end(budget: Budget, pairs: Pairs, of: str) -> torch.Tensor:
    """The other end of the path (pairs, P): "independent"; that "matched" to the first, or "matched to another" first; the
    first itself "renumbered", or renumbered by "two exchanged" neurons a layer."""
    (first, second), net = ends(budget, pairs), network(pairs.width)
    if of.startswith("matched"):
        targets = first if of == "matched" else first.roll(1, 0)
        both = zip(targets, second, strict=True)
        return torch.stack([matched(net, b, a) if (a + b).isfinite().all() else torch.nan * b for a, b in both])
    if of == "independent":
        return second
    generator = budget.generator("orders" if of == "renumbered" else of, pairs.width, pairs.stream)

    def order():
        drawn = torch.randperm(pairs.width, generator=generator, device=first.device)
        return drawn.sort().values.scatter(0, drawn[:2], drawn[:2].flip(0)) if of == "two exchanged" else drawn

    return torch.stack([renumbered(net, a, [order(), order()]) for a in first])


@measured("mode_connectivity")
def free_point(budget: Budget, pairs: Pairs, shape: str, of: str, share: float = 1.0) -> torch.Tensor:
    """The free point of a curve (pairs, P) after this share of the steps; half-way between the ends for a line."""
    data, (first, _), second = digits(budget), ends(budget, pairs), second_end(budget, pairs, of)
    half_way = (first + second) / 2
    if shape == "line":
        return half_way
    generator = budget.generator("curve", pairs.width, shape, of, pairs.stream)
    problem = on_rows(network(pairs.width), data.inputs, data.labels, generator, l2=L2)
    steps = round(share * budget.pick(300, 800))
    return trained(FREE_STEP, steps, curve_oracle(problem, shape, first, second, BATCH, generator), half_way)


def bent(budget: Budget, pairs: Pairs, shape: str, of: str, bend: str) -> torch.Tensor:
    """The free point: "trained", "after a tenth" of the steps, as far from half-way in a "random" direction, or bent as "of
    another" pair."""
    if bend == "after a tenth":
        return free_point(budget, pairs, shape, of, 0.1)
    theta, half_way = (free_point(budget, pairs, each, of) for each in (shape, "line"))
    away = theta - half_way
    if bend == "of another":
        return half_way + away.roll(1, 0)
    if bend == "random":
        generator = budget.generator(bend, pairs.width, shape, of, pairs.stream)
        drawn = torch.randn(away.shape, generator=generator, dtype=away.dtype, device=away.device)
        return half_way + away.norm(dim=-1, keepdim=True) * drawn / drawn.norm(dim=-1, keepdim=True)
    return theta


@measured("mode_connectivity")
def path(budget: Budget, pairs: Pairs, shape: str, of: str = "independent", bend: str = "trained") -> Path:
    """The path of this shape between the ends."""
    data, net, (first, _) = digits(budget), network(pairs.width), ends(budget, pairs)
    second, theta = second_end(budget, pairs, of), bent(budget, pairs, shape, of, bend)
    found = []
    for x in along(shape, first, theta, second, T.to(first.device)):
        loss = cross_entropy(net.outputs(x, data.inputs), data.labels)
        error = 1 - accuracy(net.outputs(x, data.test_inputs), data.test_labels)
        found.append(torch.stack([loss, loss + L2 / 2 * x.square().sum(-1), error]))
    return Path(*torch.stack(found, 1).double().cpu().numpy())


@measured("mode_connectivity")
def plane(budget: Budget, pairs: Pairs, shape: str, side: int = 41) -> pd.DataFrame:
    """The training loss of the first pair in the plane through both ends and the free point of the curve: u, v, loss, part.

    Coordinates u, v are in an orthonormal basis from the first end, along the straight line and towards the free point. part
    is "plane"; the last three rows are the "first" end, the "second" and the "free" point.
    """
    data, net = digits(budget), network(pairs.width)
    first, second = (each[0] for each in ends(budget, pairs))
    theta = free_point(budget, pairs, shape, "independent")[0]
    along_line = (second - first) / (second - first).norm()
    up = theta - first
    up = up - (up @ along_line) * along_line
    up = up / up.norm()
    corners = torch.stack([(p - first) @ torch.stack([along_line, up], -1) for p in (first, second, theta)])
    low, high = corners.min(0).values, corners.max(0).values
    margin = 0.25 * (high - low).max()
    u, v = (torch.linspace(float(low[k] - margin), float(high[k] + margin), side, device=first.device) for k in (0, 1))
    found = []
    for height in v:
        x = first + u.unsqueeze(-1) * along_line + height * up
        found.append(cross_entropy(net.outputs(x, data.inputs), data.labels))
    grid = np.meshgrid(u.cpu().numpy(), v.cpu().numpy())
    cells = {"u": grid[0].ravel(), "v": grid[1].ravel(), "loss": torch.stack(found).double().cpu().numpy().ravel()}
    x, y = corners.double().cpu().numpy().T
    points = pd.DataFrame({"u": x, "v": y, "part": ["first", "second", "free"]})
    return pd.concat([pd.DataFrame(cells).assign(part="plane"), points], ignore_index=True)
