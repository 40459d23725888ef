r"""How long do adaptive methods take to recover when gradients become smaller?

    f_t(x) = s_t (x - c_t)^2/2, gradient seen s_t (x - c_t +- 1); after T0 rounds c_t jumps by 1 and s_t drops to 1/s

as in `moving_target`, with the effective step alpha = 0.03 before the drop. Where the mean distance shrinks by 1 - alpha a
round, the time to come half way is, before any run:

    AdaGrad and AMSGrad    n = s ln 2/alpha: alpha/s from then on
    RMSProp and Adam       n = 2/(1 - beta2) ln(1 + s (1 - beta2) ln 2/(2 alpha)): alpha beta2^{-n/2}/s

the last until the old gradients are forgotten, after 2 ln s/(1 - beta2) rounds.

The laws are derived here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.problems.online.slopes import dropping_scale
from ratewitness.studies.adaptive.forgetting import ALPHA, BETA2, HALF, LOOKS, METHODS, PAPERS, matched, recovery
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, exceeds, mean_is
from ratewitness.studies.measuring.drawing import Panel, canvas, draw, legend_below
from ratewitness.studies.measuring.groups import rows, stacked

HISTORIES = (500, 2000)  # rounds before the drop
DROPS = (10.0, 30.0, 100.0)
LAWS = {"AdaGrad": "sum", "AMSGrad": "maximum", "RMSProp": "forgets", "Adam": "forgets"}  # what the denominator keeps


@measured("moving_target")
def after_a_drop(budget: Budget, name: str) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Recovery times (histories, factors, groups) with effective step ALPHA after 500 rounds, and by the round after these
    the mean distances (groups,) of the largest drop."""
    with torch.device(budget.device):
        at = torch.tensor(HISTORIES, dtype=torch.float64).reshape(-1, 1, 1, 1, 1)
        factor = torch.tensor(DROPS, dtype=torch.float64).reshape(-1, 1, 1, 1)
        problem = dropping_scale(at, factor, after=1.0, noise=1.0)
    first, path, limit = HISTORIES[0], [], 4 * HISTORIES[1] + 4000
    solver, groups = METHODS[name](matched(name, first)), budget.pick((6, 50), (20, 200))
    times = recovery(solver, problem, at, limit, groups, budget.generator("drop"), path)
    return times, {k - first: far[0, -1].cpu().numpy() for k, far in path if k >= first}


@claim("phenomenon", PAPERS, unit="ratio")
@planted("AdaGrad itself", names=("AdaGrad",))
def all_recover_from_a_drop_as_stated(budget: Budget, names: tuple[str, ...] = ("AdaDelta", "Adam", "AMSGrad")) -> Verdict:
    """S19, read as: AdaDelta, Adam and AMSGrad each recover at least twice as fast as AdaGrad after gradients drop.

    They improve on the monotone accumulation where the scale of gradients drops: with equal effective steps before it, each
    of them recovers at least twice as fast as AdaGrad when gradients fall to 1/100 after 500 rounds and the minimizer jumps.
    AMSGrad's maximum never decreases, either.
    """
    adagrad = after_a_drop(budget, "AdaGrad")[0][0, -1]
    verdict = all_of({name: exceeds(adagrad / after_a_drop(budget, name)[0][0, -1], 2.0) for name in names})
    paths = {name: after_a_drop(budget, name)[1] for name in dict.fromkeys(("AdaGrad", *names))}
    return verdict.showing(stacked({name: rows(np.stack([*p.values()]), n=[*p]) for name, p in paths.items()}))


@claim("law", "S19; laws derived in studies/adaptive/falling_gradients.py")
@planted("AMSGrad forgets", laws={"AMSGrad": "forgets"})
@planted("Adam keeps its maximum", laws={"Adam": "maximum"})
@planted("AdaGrad whatever T0", laws={"AdaGrad": "maximum"})
def laws_of_recovery_from_a_drop(budget: Budget, laws: Mapping[str, str] = LAWS) -> Verdict:
    """S19, refined: After gradients fall to 1/s, AMSGrad is as slow as AdaGrad; RMSProp and Adam need log s in place of s.

    After gradients fall to 1/s, s = 10, 30 and 100, AMSGrad is as slow as AdaGrad with the same effective step alpha = 0.03
    before: both need s ln 2/alpha rounds, AdaGrad sqrt(T0/500) times that after T0 = 500 and 2000 rounds. RMSProp and Adam
    need 2/(1 - beta2) ln(1 + s (1 - beta2) ln 2/(2 alpha)), the logarithm of s in place of s, whatever T0. All of these hold
    within 15 %.
    """
    s, T0 = np.array(DROPS), np.array(HISTORIES, dtype=float)[:, None]
    predicted = {
        "sum": s * HALF / ALPHA * np.sqrt(T0 / T0[0]),
        "maximum": s * HALF / ALPHA * np.ones_like(T0),
        "forgets": 2 / (1 - BETA2) * np.log(1 + s * (1 - BETA2) * HALF / (2 * ALPHA)) * np.ones_like(T0),
    }
    times = {name: after_a_drop(budget, name)[0] for name in laws}
    verdict = all_of({name: mean_is(found, predicted[laws[name]], 0.15) for name, found in times.items()})
    return verdict.showing(stacked({m: rows(found, T0=T0, s=s, theory=predicted[laws[m]]) for m, found in times.items()}))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    times, paths = (verdicts[n].table for n in ("laws_of_recovery_from_a_drop", "all_recover_from_a_drop_as_stated"))
    figure, (left, right) = canvas(
        "After a jump with gradients that fall to $1/s$, equal effective steps before; means over groups of runs with 99 % "
        "intervals. Left: rounds until the mean has come half way to the new minimizer (points set apart). Right: distance "
        "of the mean to it at $s = 100$, $T_0 = 500$; AMSGrad's points lie on AdaGrad's.",
        2,
    )
    for rounds, filling in zip(HISTORIES, ("", " open"), strict=True):
        part, labels = times[times["T0"] == rounds], ("drop $s$ of the gradient scale", "recovery time in rounds")
        draw(left, Panel(part, "s", *labels, apart=1.06), {name: code + filling for name, code in LOOKS.items()})
        left.plot([], [], "o", color="0.3", mfc="white" if filling else None, ms=4, label=f"$T_0 = {rounds}$")
    shown = paths[(paths["n"] % 100 == 0) & (paths["n"] <= 2500)]
    labels, levels = ("rounds after the change", "distance of the mean"), {"half way": 0.5}
    draw(right, Panel(shown, "n", *labels, levels=levels, log="", options={"ylim": (-0.1, 1.1)}), LOOKS)
    legend_below(figure)
    return {"recovery": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
