r"""Pairs of networks on the digits, and the paths between them: straight, trained curves, controls.

ReLU networks 64-h-h-10 on 1200 digits (quick: 600), the rest for testing: cross-entropy with an l2 penalty of 1e-4 by Adam,
minibatches of 100, constant step 0.003 for half of the steps, then linear decay to 0. Pairs are independent: each network
has a start and minibatches of its own, the data are the same. The free point of a curve starts half-way and is trained on
E_{t ~ U(0,1)} of the same objective, *with* the penalty, one t a step, by Adam from 0.01; what is judged is the loss
*without* it, and both are in the tables. Paths are looked at in 61 points; a barrier is the largest loss on the path less
the mean of its ends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from ratewitness.problems.data.digits import CLASSES, Digits, split_digits
from ratewitness.problems.networks.curves import along, curve_oracle, matched, renumbered
from ratewitness.problems.networks.mlp import MLP, accuracy, cross_entropy, on_rows
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.schedules import Trapezoid
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, measured

L2, BATCH, STEP, FREE_STEP = 1e-4, 100, 3e-3, 1e-2
POINTS = 61
T = torch.linspace(0, 1, POINTS)


class Path(NamedTuple):
    """Along a path, all (POINTS, pairs): training loss, the same with the penalty, test error."""

    loss: np.ndarray
    penalized: np.ndarray
    error: np.ndarray

    def barrier(self, of: str = "loss") -> np.ndarray:
        """The largest value on the path less the mean of its ends (pairs,)."""
        values = getattr(self, of)
        return values.max(0) - (values[0] + values[-1]) / 2


def network(width: int) -> MLP:
    return MLP((64, width, width, CLASSES))


@measured("mode_connectivity")
def digits(budget: Budget) -> Digits:
    return split_digits(budget.pick(600, 1200), budget.generator("digits"))


def trained(solver_step: float, steps: int, oracle, x0):
    schedule = Trapezoid(solver_step, steps, warm_up=1, decay=steps // 2)
    return run(Adam(schedule), oracle, x0, steps, lambda x: x[..., 0], at=[steps]).x


@measured("mode_connectivity")
def ends(budget: Budget, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two networks for every pair, (pairs, P) each."""
    data, pairs, steps = digits(budget), budget.pick(4, 10), budget.pick(300, 800)
    net, generator = network(width), budget.generator("ends", width)
    problem = on_rows(net, data.inputs, data.labels, generator, l2=L2)
    oracle = Oracle.minibatch(problem, BATCH, generator, "reshuffled")
    x = trained(STEP, steps, oracle, net.initial(generator, 2 * pairs))
    return x[:pairs], x[pairs:]


@measured("mode_connectivity")
def second_end(budget: Budget, width: int, of: str) -> torch.Tensor:
    """The other end of the path (pairs, P): "independent", "matched" to the first, or the first itself "renumbered"."""
    first, second = ends(budget, width)
    if of == "matched":
        return torch.stack([matched(network(width), b, a) for a, b in zip(first, second, strict=True)])
    if of == "renumbered":
        generator = budget.generator("orders", width)

        def order():
            return torch.randperm(width, generator=generator, device=first.device)

        return torch.stack([renumbered(network(width), a, [order(), order()]) for a in first])
    return second


@measured("mode_connectivity")
def free_point(budget: Budget, width: int, shape: str, of: str) -> torch.Tensor:
    """The trained free point of a curve (pairs, P); half-way between the ends for a line."""
    data, (first, _), second = digits(budget), ends(budget, width), second_end(budget, width, of)
    half_way = (first + second) / 2
    if shape == "line":
        return half_way
    generator = budget.generator("curve", width, shape, of)
    problem = on_rows(network(width), data.inputs, data.labels, generator, l2=L2)
    steps = budget.pick(300, 800)
    return trained(FREE_STEP, steps, curve_oracle(problem, shape, first, second, BATCH, generator), half_way)


@measured("mode_connectivity")
def path(budget: Budget, width: int, shape: str, of: str = "independent", train: bool = True) -> Path:
    """The path of this shape between the ends; without training its free point stays half-way."""
    data, net, (first, _) = digits(budget), network(width), ends(budget, width)
    second = second_end(budget, width, of)
    theta = free_point(budget, width, shape if train else "line", of)
    found = []
    for x in along(shape, first, theta, second, T.to(first.device)):
        loss = cross_entropy(net.outputs(x, data.inputs), data.labels)
        error = 1 - accuracy(net.outputs(x, data.test_inputs), data.test_labels)
        found.append(torch.stack([loss, loss + L2 / 2 * x.square().sum(-1), error]))
    return Path(*torch.stack(found, 1).double().cpu().numpy())


@measured("mode_connectivity")
def plane(budget: Budget, width: int, side: int = 41) -> dict[str, np.ndarray]:
    """The training loss of the first pair in the plane through both ends and the free point of the Bezier curve.

    Coordinates u, v are in an orthonormal basis from the first end, along the straight line and towards the free point.
    """
    data, net = digits(budget), network(width)
    first, second = (each[0] for each in ends(budget, width))
    theta = free_point(budget, width, "bezier", "independent")[0]
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
    return cells | {"corners": corners.double().cpu().numpy()}
