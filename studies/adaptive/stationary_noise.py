r"""Is it a flaw that AdaGrad's step decreases? In stationary noise, where nothing moves, the decrease is what converges.

    f(x) = x^2/2 from its minimizer 0, gradient seen x +- 1;    effective step |x_{k+1} - x_k|/|g_k|,  gap x_k^2/2

Expected: AdaGrad's effective step and gap fall as k^{-1/2}, RMSProp's stay. A small constant step alpha has E x^2 =
alpha sigma^2/2, and so the gap alpha/4; that of AdaGrad follows its step. Steps are 0.03 after 300 rounds for both.

T. Tieleman and G. Hinton (2012), lecture 6.5.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.noisy_quadratics import noisy_parabola
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.solver import iterates
from ratewitness.studies.adaptive.forgetting import ALPHA, LOOKS, METHODS, PAPERS, matched, slopes, within
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, exceeds
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked

SETTLED = 300  # rounds after which an average with beta2 has left its start
EXPONENTS = {"AdaGrad": -0.5, "RMSProp": 0.0}
OTHERS = ("AdaDelta", "Adam", "AMSGrad")


@measured("moving_target")
def in_stationary_noise(budget: Budget, name: str) -> dict[str, np.ndarray]:
    """Rounds (K,), effective steps and gaps (K, groups)."""
    last = budget.pick(10_000, 30_000)
    rounds = np.unique(np.geomspace(SETTLED, last, 40).round().astype(int))
    with torch.device(budget.device):
        problem = noisy_parabola(1.0, 1.0, 0.0)
    oracle = Oracle.minibatch(problem, 1, budget.generator("stationary"))
    steps, gaps, before = [], [], None
    path = iterates(METHODS[name](matched(name, SETTLED)), oracle, problem.starts(*budget.pick((10, 100), (20, 200))))
    for k, x in zip(range(last + 2), path, strict=False):
        if k - 1 in rounds:
            steps.append(((x - before).abs() / oracle.grad(before, redraw=False).abs()).mean((-2, -1)))
            gaps.append(problem.gap(before).mean(-1))
        before = x
    return {"round": rounds, "step": torch.stack(steps).cpu().numpy(), "gap": torch.stack(gaps).cpu().numpy()}


def over_time(budget: Budget, what: str, exponents: Mapping[str, float], tolerance: float) -> Verdict:
    """Log-log slopes over time of the effective step or the gap of every method against its exponent."""
    verdicts, tables, start = {}, {}, {"step": ALPHA, "gap": ALPHA / 4}[what]
    for name, exponent in exponents.items():
        seen = in_stationary_noise(budget, name)
        verdicts[name] = within(slopes(seen["round"], seen[what]), exponent - tolerance, exponent + tolerance)
        tables[name] = rows(seen[what], round=seen["round"], theory=start * (seen["round"] / SETTLED) ** exponent)
    return all_of(verdicts).showing(stacked(tables))


@claim("exponent", "S21; Tieleman and Hinton (2012), lecture 6.5", unit="exponent")
@planted("an average that never forgets", exponents={"no forgetting": 0.0})
def effective_step(budget: Budget, exponents: Mapping[str, float] = EXPONENTS) -> Verdict:
    """S21, as stated: In stationary noise AdaGrad's effective step falls as k^{-1/2}, and RMSProp's moving average keeps its
    own.

    The log-log slopes of |x_{k+1} - x_k|/|g_k| against k are within 0.05 of -1/2 and of 0, for k from 300 to 30000 (quick:
    10000).
    """
    return over_time(budget, "step", exponents, 0.05)


@claim(
    "exponent", "S21; the setting of the statement; E x^2 = alpha sigma^2/2 for small steps alpha on x^2/2", unit="exponent"
)
@planted("RMSProp's gap falls slowly", exponents={"AdaGrad": -0.5, "RMSProp": -0.3})
def decrease_is_what_converges(budget: Budget, exponents: Mapping[str, float] = EXPONENTS) -> Verdict:
    """S21, refined: Where nothing moves AdaGrad's mean gap falls as k^{-1/2} with its step, and RMSProp's stays.

    In the runs of `effective_step` the slopes are within 0.15 of -1/2 and of 0. The decrease is no flaw there.
    """
    return over_time(budget, "gap", exponents, 0.15)


@claim("phenomenon", PAPERS, unit="exponent")
@planted("an average that never forgets", others=("no forgetting",))
@planted("AMSGrad accumulates", first="AMSGrad")
def others_do_not_accumulate(budget: Budget, first: str = "AdaGrad", others: tuple[str, ...] = OTHERS) -> Verdict:
    """S19, as stated: In bounded stationary noise AdaGrad's accumulation makes its steps fall as k^{-1/2}; those of
    AdaDelta, Adam and AMSGrad do not.

    The noise is +-1. The log-log slope of |x_{k+1} - x_k|/|g_k| against k, for k from 300 to 30000 (quick: 10000), is within
    0.05 of -1/2 for AdaGrad, and above -0.05 for each of the three: Adam's average forgets, AMSGrad's maximum grows no more
    once it has seen the noise, which is bounded, and AdaDelta's steps grow at first. Whether that is an improvement depends
    on what changes: `moving_target`, `falling_gradients`."""
    verdict = over_time(budget, "step", {first: -0.5}, 0.05)
    seen = {name: in_stationary_noise(budget, name) for name in others}
    kept = {name: exceeds(slopes(at["round"], at["step"]), -0.05) for name, at in seen.items()}
    tables = {name: rows(at["step"], round=at["round"]) for name, at in seen.items()}
    return all_of({"falls": verdict, **kept}).showing(pd.concat([verdict.table, stacked(tables)], ignore_index=True))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    names = ("effective_step", "others_do_not_accumulate", "decrease_is_what_converges")
    step, others, gap = (verdicts[name].table for name in names)
    step = pd.concat([step, others[others["method"] != "AdaGrad"]])
    caption = (
        "Effective step and mean gap against time in stationary noise: means over groups of runs with 99 % intervals. "
        "Lines: $k^{-1/2}$ and $k^0$ from the step 0.03, and a quarter of that, after 300 rounds; momentum makes steps "
        "shorter."
    )
    axes = (Panel(step, "round", "round $k$", "effective step"), Panel(gap, "round", "round $k$", "mean gap"))
    return {"over_time": panels(caption, LOOKS, axes)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
