r"""Is there a method that needs no tuning, as AdaGrad is said to need none?

    DoG:  x_{k+1} = x_k - r_k g_k/h_k,  h_k = (eps + sum_{j<=k} ||g_j||^2)^{1/2},  r_k = max(r_eps, max_{j<=k} ||x_j - x_0||)

AdaGrad by norm, with the distance that it has come in the place of the step. What AdaGrad's alpha must know is the distance
to the minimizer (`adagrad_tuning`): in a unit of x that is c times as small, alpha must be c times as large. DoG has r_eps,
a first move that must be small, and a bound in which it does not stand (theory/distance_over_gradients.py).

The problems are those of `adagrad_tuning`, with a minimizer at a distance near 1. Units of x from 100 to 1/100 are r_eps
from 1e-6 to 1e-2. Compared is the last iterate, as there; the table also has the mean of the iterates with weights r_k,
which the bound is about.

M. Ivgi, O. Hinder and Y. Carmon (2023), arXiv:2302.12022.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.data import tables as data
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.distance_over_gradients import DoG
from ratewitness.solvers.solver import iterates
from ratewitness.studies.adaptive.adagrad_steps import EPS, FACTORS, LEVELS, WITHIN, at_most, horizon, noisy_gaps
from ratewitness.studies.adaptive.rotated_family import rotated_family
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import bound_holds
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import Stream, normal
from ratewitness.studies.measuring.tuning import Paired
from ratewitness.theory import adagrad
from ratewitness.theory import distance_over_gradients as dog
from torch import Tensor

UNITS, FIRST = np.logspace(-2, 2, 5), 1e-4  # of x, and r_eps in the unit 1
PROOF = (adagrad.online_step, adagrad.growing_metric, adagrad.growing_root, dog.never_far_apart, dog.collected)
SOURCE = "S16; Ivgi, Hinder and Carmon (2023), arXiv:2302.12022; theory/distance_over_gradients.py"


@claim("proof", SOURCE)
@falsified(*PROOF)
def regret_is_proved(budget: Budget) -> Verdict:
    """S16, contrast: DoG, which has no step, has a regret weighted by r_k of at most r_T (2 D + r_T) h_{T-1}.

    For any gradients and any x*: sum_{k<T} r_k <g_k, x_k - x*> is at most that, D the largest distance of x_0, ..., x_T from
    x*. Machine-checked are the five identities that the proof is made of; their induction is prose in theory/."""
    return prove(*PROOF)


def streams(budget: Budget, T: int) -> dict[str, Callable[[int, Tensor], Tensor]]:
    """Gradients of each round, (t, x) -> (replicates, 4), from x_0 = 0: drawn ones, and such that look at x."""
    generator, shape = budget.generator("streams"), (20, 4)
    noise, away = normal(generator, T + 1, *shape), normal(generator, *shape).sign()
    return {
        "Gaussian": lambda t, x: noise[t],
        "one direction": lambda t, x: away,
        "growing": lambda t, x: away * 1.1 ** min(t, 200),
        "shrinking": lambda t, x: away / (t + 1),
        "absolute": lambda t, x: (x - away).sign(),
        "quadratic": lambda t, x: x - away + noise[t],
        "to and fro": lambda t, x: away * (-1.0) ** t,
    }


@measured
def played(budget: Budget) -> pd.DataFrame:
    """Weighted regret, r_T, D and h_{T-1} by stream, number of rounds and x* = 0 and s (1, 1, 1, 1), s from -1e3 to 1e3."""
    last, found, r_eps = budget.pick(300, 3_000), [], 1e-3
    at = np.unique(np.geomspace(1, last, 8).round().astype(int))
    sizes = torch.tensor([-1e3, -1.0, -1e-3, 0.0, 1e-3, 1.0, 1e3], dtype=torch.float64, device=budget.device)
    for name, slope in streams(budget, last).items():
        shown = Stream(slope)
        path = iterates(DoG(r_eps, eps=EPS), shown, torch.zeros(20, 4, dtype=torch.float64, device=budget.device))
        x = torch.stack([point for _, point in zip(range(last + 1), path, strict=False)])
        g = torch.stack(shown.seen[:last])
        r = x.norm(dim=-1, keepdim=True).cummax(0).values.clamp(min=r_eps)
        away = x.unsqueeze(-2) - sizes[:, None]  # (T + 1, replicates, sizes, 4)
        regret = (r[:-1] * (g.unsqueeze(-2) * away[:-1]).sum(-1)).cumsum(0)[at - 1]
        h = (EPS + g.square().sum(-1, keepdim=True).cumsum(0)).sqrt()[at - 1]
        parts = {"regret": regret, "r_T": r[at], "D": away.norm(dim=-1).cummax(0).values[at], "h": h}
        columns = {key: part.expand(regret.shape).cpu().numpy().ravel() for key, part in parts.items()}
        rounds = np.repeat(at, regret[0].numel())
        found.append(pd.DataFrame({"stream": name, "T": rounds, **columns}))
    return pd.concat(found, ignore_index=True)


@claim("upper bound", SOURCE)
@planted("a third of the bound", share=1 / 3)
@planted("the distance to x* left out", distance=0.0)
def regret_is_bounded(budget: Budget, share: float = 1.0, distance: float = 1.0) -> Verdict:
    """S16, contrast: DoG's weighted regret is below its bound for drawn gradients, such that look at x, and any comparator.

    Seven streams of gradients in 4 dimensions, 20 replicates, after up to 3000 (quick: 300) rounds, r_eps = 1/1000, against
    x* = 0 and s (1, 1, 1, 1), |s| = 1/1000, 1 and 1000; `power` is how near the worst comes."""
    found = played(budget)
    bound = dog.weighted_regret(D=distance * found["D"] + 1e-300, r_T=found["r_T"], gradient_norm=found["h"])
    worst = (found["regret"] / bound).groupby([found["stream"], found["T"]]).max().rename("measured").reset_index()
    return bound_holds(found["regret"], share * bound).showing(worst.assign(bound=1.0))


def ends(budget: Budget, problem: FiniteSum, oracle: Oracle, seeds: int) -> dict[str, np.ndarray]:
    """Logarithms of the gaps of DoG's last iterate and of the weighted mean after N steps, in every unit: (units, 10)."""
    r_eps = torch.as_tensor(FIRST / UNITS, device=problem.start.device).reshape(-1, 1, 1, 1)
    solver, oracle, x = DoG(r_eps, eps=EPS), Paired(oracle), problem.starts(len(UNITS), 10, seeds)
    state, mean, total = solver.init(x), torch.zeros_like(x), torch.zeros_like(r_eps)
    for _ in range(horizon(budget)):
        after, state = solver.step(x, state, oracle)
        total = total + state.r
        mean, x = torch.lerp(mean, x, state.r / total), after
    return {name: problem.gap(at).mean(-1).log().cpu().numpy() for name, at in (("last", x), ("weighted mean", mean))}


@measured
def in_units(budget: Budget) -> dict[str, dict[str, np.ndarray]]:
    """By problem and output."""
    N, family, found = horizon(budget), rotated_family(budget), {}
    for nu in (nu for nu in LEVELS if nu):
        oracle = Oracle.gaussian(family, nu / N**0.5, budget.generator("noise", nu))
        found[f"family, nu = {nu:g}"] = ends(budget, family, oracle, budget.pick(5, 10))
    for problem in (data.diabetes(), data.digits(l2=0.01)):
        found[problem.name] = ends(budget, problem, Oracle.minibatch(problem, 1, budget.generator(problem.name)), 3)
    return found


def over_tuned(budget: Budget, method: str, output: str = "last") -> dict[str, np.ndarray]:
    """Logarithms of last gaps over the least of AdaGrad by norm over all steps, in every unit: (units, groups)."""
    tuned = {name: logs for name, (_, logs) in noisy_gaps(budget, "AdaGradNorm").items()}
    least = {name: logs[logs.mean(-1).argmin()] for name, logs in tuned.items()}
    if method == "DoG":
        return {name: by_output[output] - least[name] for name, by_output in in_units(budget).items()}
    at = [np.abs(np.log(FACTORS * unit)).argmin() for unit in UNITS]  # the step D/sqrt 2 of the unit 1 in every one
    return {name: logs[at] - least[name] for name, logs in tuned.items()}


@claim("phenomenon", SOURCE, unit="ln ratio")
@planted("AdaGrad by norm with one step", method="AdaGradNorm")
@planted("within a factor 1.5", factor=1.5)
def no_unit_matters(budget: Budget, method: str = "DoG", factor: float = WITHIN) -> Verdict:
    """S16, contrast: In noise DoG's last gap is within a factor 10 of the tuned one of AdaGrad by norm, in units of x over
    four decades, with one r_eps.

    What the sentence claims of AdaGrad and `no_tuning_as_stated` refutes, on the same five noisy problems, N = 10000 (quick:
    1000) steps: r_eps from 1e-6 to 1e-2, where the minimizer is at a distance near 1, is one r_eps in units over four
    decades, and no more are judged; geometric means over 10 groups, over the least last gap of AdaGrad by norm over all
    steps."""
    logs = over_tuned(budget, method)
    tables = [
        rows(np.exp(log), True, unit=UNITS).assign(problem=name, output=output)
        for output in ("last", "weighted mean")
        for name, log in over_tuned(budget, method, output).items()
    ]
    return at_most(np.concatenate([*logs.values()]), factor).showing(pd.concat(tables, ignore_index=True))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["no_unit_matters"].table
    table = table.assign(problem=table["problem"].str.replace(r"nu = (\d+)", r"$\\nu = \1$", regex=True))
    looks = dict(zip(table["problem"].unique(), ("C0o-", "C1s-", "C2v-", "C3^-", "C4D-"), strict=True))
    caption = (
        "DoG with one $r_\\varepsilon$ in units of $x$ over four decades: last gap, and that of the mean of iterates with "
        "weights $r_k$, over the least last gap of AdaGrad by norm. Geometric means with 99 % intervals over groups."
    )
    axes = {"x": "unit", "xlabel": "unit of $x$", "ylabel": "gap / tuned gap", "by": "problem", "apart": 1.06}
    levels = {"a factor 10": WITHIN}
    shown = [Panel(table[table["output"] == o], title=o, levels=levels, **axes) for o in ("last", "weighted mean")]
    return {"units": panels(caption, looks, shown, shared="y")}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
