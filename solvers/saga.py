r"""SAGA: stochastic gradients corrected by a table of the last gradient seen of each component.

    x_{k+1} = x_k - a ( (1/b) sum_{i in B} (grad f_i(x_k) - T_i) + (1/n) sum_{j=1}^n T_j )
    T_i = grad f_i(x_k) for i in B, afterwards

B: b independent uniform indices. The direction is unbiased whatever the table holds, and its variance
vanishes at the minimizer once the table has settled: linear convergence with a constant step (1/(3 max L_i))
on a smooth strongly convex finite sum. The table starts with all gradients at x_0 (n component gradients, at
the first step); every step costs b.

The oracle must be a minibatch of size 1, whose sample is one component index per replicate; b > 1 asks it b
times, because the table needs the gradients one by one. The table costs n times the memory of x and, as a
step changes nothing in place, is copied at each step.

A. Defazio, F. Bach and S. Lacoste-Julien (2014), arXiv:1407.0202 (b = 1, no proximal term).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ratewitness.solvers.schedules import Schedule, step_size
from torch import Tensor


class Table(NamedTuple):
    rows: Tensor | None  # (*batch, n, *shape), None before the first step
    mean: Tensor | None  # (*batch, *shape)
    k: int


@dataclass(frozen=True, eq=False)
class SAGA:
    """x - lr * (grad f_i(x) - table_i + mean of the table), averaged over `batch` draws of i.

    Raises ValueError if the oracle's sample is not one component index per replicate. `ndim` trailing axes of x
    form one point.
    """

    lr: Schedule
    batch: int = 1
    ndim: int = 1

    def init(self, x: Tensor) -> Table:
        return Table(None, None, 0)

    def step(self, x: Tensor, state: Table, oracle) -> tuple[Tensor, Table]:
        rows = oracle.component_grads(x) if state.rows is None else state.rows
        at = x.ndim - self.ndim  # the axis of the table that counts components
        old = rows
        mean = rows.mean(at) if state.mean is None else state.mean
        direction, new_mean = mean, mean
        for _ in range(self.batch):
            g = oracle.grad(x)
            place = self._place(x, oracle.sample)
            direction = direction + (g - old.gather(at, place).squeeze(at)) / self.batch
            # a component drawn twice in one step is replaced by itself the second time: `rows`, not `old`
            new_mean = new_mean + (g - rows.gather(at, place).squeeze(at)) / oracle.n
            rows = rows.scatter(at, place, g.unsqueeze(at))
        return x - step_size(self.lr, state.k) * direction, Table(rows, new_mean, state.k + 1)

    def _place(self, x: Tensor, sample) -> Tensor:
        """Where the table holds the drawn component: (*batch, 1) -> (*batch, 1, *shape)."""
        batch, shape = x.shape[: x.ndim - self.ndim], x.shape[x.ndim - self.ndim :]
        if sample is None or sample.is_floating_point() or sample.shape != (*batch, 1):
            raise ValueError("SAGA needs an oracle whose sample is one component index (a minibatch of size 1)")
        return sample.reshape(*batch, 1, *[1] * self.ndim).expand(*batch, 1, *shape)
