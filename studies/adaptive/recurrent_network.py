r"""Why is RMSProp used for recurrent networks?

    f(x) = (1/n) sum_i (o_i - y_i)^2,        the adding problem of `problems/networks/recurrent_model.py`

A tanh network of 16 units reads 30 (quick: 10) pairs and must add two marked numbers far apart; ignoring the sequence costs
Var y, about 1/6. 1000 sequences, minibatches of 32, 1500 (quick: 300) steps of constant size. "Often used" says what people
do, which no run can check; what can be checked is whether it pays. An *advantage* is stated before the run as half the
training loss, in the geometric mean over seeds, after equally many steps.

Tuning is equal: 9 steps over four decades around a centre for each method and 2 more between the neighbours of the best, on
6 (quick: 2) seeds, all as one batch; the step of least geometric mean is taken, and a best one on an edge makes a verdict
inconclusive. 32 (quick: 3) other seeds are judged, with starts and minibatches of their own that all methods share; the
sequences are the same for all seeds. A run that diverged makes its comparisons inconclusive. What the choice of a step
leaves open is in no interval. Momentum is 0.9 where there is some; clipping scales a gradient of norm above 1 down to norm
1; RMSProp and Adam have their usual betas, 0.9 and 0.9, 0.999.

T. Tieleman and G. Hinton (2012); R. Pascanu, T. Mikolov and Y. Bengio (2013), arXiv:1211.5063, for clipping.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.networks.recurrent_model import Recurrent, adding
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.around.altered import Altered
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.solver import Solver, State, run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import exceeds, interval
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.studies.measuring.tuning import DECADES, Paired, Tuned, unless_on_edge
from torch import Tensor

HIDDEN, BATCH, ADVANTAGE = 16, 32, math.log(2)


@dataclass(frozen=True, eq=False)
class Clipped:
    """The step of `inner` on gradients (*batch, P) that are scaled down to `norm` where they are longer."""

    inner: Solver
    norm: float = 1.0

    def init(self, x: Tensor) -> State:
        return self.inner.init(x)

    def step(self, x: Tensor, state: State, oracle) -> tuple[Tensor, State]:
        def clip(x, g):
            return g * (self.norm / g.norm(dim=-1, keepdim=True)).clamp(max=1)

        return self.inner.step(x, state, Altered(oracle, clip))


METHODS = {  # the method without its step, and the centre of its grid
    "SGD": (GradientDescent, 3e-2),
    "SGD, momentum": (HeavyBall, 3e-3),
    "SGD, momentum, clipped": (lambda lr: Clipped(HeavyBall(lr)), 1e-2),
    "RMSProp": (RMSProp, 3e-3),
    "Adam": (Adam, 3e-3),
}


@dataclass(frozen=True, eq=False)
class Trained:
    """Training loss of a method with its tuned step along the test runs."""

    tuned: Tuned
    steps: list[int]
    losses: np.ndarray  # (records, seeds)
    diverged: int

    def table(self, method: str) -> pd.DataFrame:
        mean, low, high = np.exp(interval(np.log(self.losses)))
        part = {"method": method, "lr": self.tuned.lr, "on an edge": self.tuned.on_edge, "diverged": self.diverged}
        return pd.DataFrame(part | {"step": self.steps, "measured": mean, "low": low, "high": high})


def starts(budget: Budget, stage: str, seeds: int) -> Tensor:
    """Initial weights (seeds, P)."""
    return Recurrent(HIDDEN).initial(budget.generator("starts", stage), seeds)


@cache
def trained(method: str, budget: Budget) -> Trained:
    (build, centre), steps = METHODS[method], budget.pick(300, 1500)
    f = adding(Recurrent(HIDDEN), 1000, budget.pick(10, 30), budget.generator("sequences"))
    start = starts(budget, "tuning", budget.pick(2, 6))

    def losses(grid):
        oracle = Paired(Oracle.minibatch(f, BATCH, budget.generator("minibatches", "tuning")))
        lr = torch.as_tensor(grid, dtype=start.dtype, device=start.device).reshape(-1, 1, 1)
        trace = run(build(lr), oracle, start.expand(len(grid), *start.shape).clone(), steps, f.gap, at=[steps])
        return np.nan_to_num(trace.values[-1].double().cpu().numpy(), nan=np.inf, posinf=np.inf).prod(1) ** (1 / len(start))

    grid = centre * np.logspace(-DECADES / 2, DECADES / 2, 9)
    coarse = Tuned(grid, losses(grid))
    low, high = grid[max(coarse.best - 1, 0)], grid[min(coarse.best + 1, len(grid) - 1)]
    fine = np.geomspace(low, high, 4)[1:-1]
    order = np.argsort(both := np.concatenate([grid, fine]), kind="stable")
    tuned = Tuned(both[order], np.concatenate([coarse.losses, losses(fine)])[order], coarse.on_edge)

    start = starts(budget, "test", budget.pick(3, 32))
    oracle = Oracle.minibatch(f, BATCH, budget.generator("minibatches", "test"))
    trace = run(build(tuned.lr), oracle, start, steps, f.gap, at=range(0, steps + 1, steps // 15))
    values = trace.values.double().cpu().numpy()
    gone = ~np.isfinite(values)
    return Trained(tuned, trace.steps, np.where(gone, np.nan, values), int(gone[-1].sum()))


def lower(budget: Budget, first: str, second: str, by: float) -> Verdict:
    """The loss of `first` is at least exp(by) times below that of `second`, in the geometric mean over paired seeds."""
    one, other = (trained(method, budget.shared("recurrent_network")) for method in (first, second))
    effect = np.log(other.losses[-1] / one.losses[-1])
    shown = pd.concat([one.table(first), other.table(second)], ignore_index=True)
    verdict = exceeds(effect, by).noting(ratio=float(np.exp(effect.mean())), diverged=float(one.diverged + other.diverged))
    return unless_on_edge(verdict, one.tuned, other.tuned).showing(shown)


@claim(
    kind="phenomenon",
    source="S23; Tieleman and Hinton (2012)",
    planted={
        "SGD has it": lambda budget: lower(budget, "SGD", "RMSProp", ADVANTAGE),
        "a hundredth of the loss": lambda budget: lower(budget, "RMSProp", "SGD", math.log(100)),
    },
)
def advantage_over_sgd(budget: Budget) -> Verdict:
    """S23, as stated (RMSProp is often used for recurrent networks), read as a statement that can be checked: After equally
    many steps tuned RMSProp has at most half the training loss of tuned SGD, without momentum or clipping, on the adding
    problem, in the geometric mean over seeds. The evidence has the ratio to SGD with momentum, which is not judged."""
    momentum = lower(budget, "RMSProp", "SGD, momentum", ADVANTAGE).evidence["ratio"]
    return lower(budget, "RMSProp", "SGD", ADVANTAGE).noting(ratio_to_momentum=momentum)


@claim(
    kind="phenomenon",
    source="S23; Pascanu, Mikolov and Bengio (2013), arXiv:1211.5063",
    planted={
        "half of clipped SGD's loss": lambda budget: lower(budget, "RMSProp", "SGD, momentum, clipped", ADVANTAGE),
    },
)
def no_factor_of_two_over_clipped_momentum(budget: Budget) -> Verdict:
    """S23, refined: Over the older remedy no advantage of a factor 2 remains: RMSProp's training loss is more than half that
    of SGD with momentum and clipped gradients, both tuned, in the geometric mean over seeds."""
    return lower(budget, "SGD, momentum, clipped", "RMSProp", -ADVANTAGE)


@claim(
    kind="phenomenon",
    source="S23; Kingma and Ba (2015), arXiv:1412.6980",
    planted={"half of Adam's loss": lambda budget: lower(budget, "RMSProp", "Adam", ADVANTAGE)},
)
def no_factor_of_two_over_adam(budget: Budget) -> Verdict:
    """S23, refined: There is no advantage of a factor 2 over Adam: RMSProp's training loss is more than half of Adam's, both
    tuned, in the geometric mean over seeds."""
    return lower(budget, "Adam", "RMSProp", -ADVANTAGE)


@claim(
    kind="phenomenon",
    source="S23; Pascanu, Mikolov and Bengio (2013), arXiv:1211.5063",
    planted={"the other way round": lambda budget: lower(budget, "SGD", "SGD, momentum, clipped", ADVANTAGE)},
)
def momentum_and_clipping_have_it_too(budget: Budget) -> Verdict:
    """S23, contrast: No adaptive step is needed for the advantage: SGD with momentum and clipped gradients together has at
    most half the training loss of plain SGD, both tuned, in the geometric mean over seeds."""
    verdict = lower(budget, "SGD, momentum, clipped", "SGD", ADVANTAGE)
    unclipped = trained("SGD, momentum", budget.shared("recurrent_network")).table("SGD, momentum")
    return verdict.showing(pd.concat([verdict.table, unclipped], ignore_index=True))


def runs(verdicts: dict[str, Verdict]) -> pd.DataFrame:
    return pd.concat([v.table for v in verdicts.values()], ignore_index=True).drop_duplicates(["method", "step"])


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    seen = runs(verdicts)
    last = seen[seen["step"] == seen["step"].max()]
    rows = [
        {
            "method": row["method"],
            "tuned step": f"{row['lr']:.2g}",
            "best on an edge": "yes" if row["on an edge"] else "no",
            "diverged": row["diverged"],
            "training loss": f"{row['measured']:.3g}",
            "99 % interval": f"[{row['low']:.3g}, {row['high']:.3g}]",
        }
        for _, row in last.iterrows()
    ]
    return {"end": pd.DataFrame(rows)}


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, ax = plt.subplots(figsize=(5.2, 3.6), layout="constrained")
    figure.set_label(
        "The adding problem for a tanh network of 16 units: training loss of every method with its tuned step. Geometric "
        "means over seeds with 99 % intervals. Dotted: the loss of the best constant answer, about 1/6."
    )
    seen = runs(verdicts)
    for method, marker in zip(METHODS, "osv^D", strict=True):
        part = seen[(seen["method"] == method) & (seen["step"] > 0)]
        ax.errorbar(part["step"], part["measured"], whiskers(part), fmt=marker + "-", ms=3, lw=0.8, label=method)
    ax.axhline(1 / 6, color="k", ls=":", lw=1)
    ax.set(yscale="log", xlabel="steps (minibatches of 32)", ylabel="training loss")
    ax.legend(frameon=False, fontsize="small")
    return {"losses": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
