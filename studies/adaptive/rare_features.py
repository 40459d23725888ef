r"""Do rare features keep large steps?

Coordinate i takes part in a round with probability p_i, and then has the loss z x_i, z = +-1 of mean -1/2, on the box
[-1, 1]^d, from x = 0 (`problems/online/sparse_features.py`). A gradient has the size 1 where it is not 0. After t rounds
AdaGrad's effective step, what it would multiply a small gradient by, is

    lr / sqrt(sum_t g_{t,i}^2)  =  lr / sqrt(number of rounds with i)  ~  lr / sqrt(p_i t).

On a real text: `rare_words`.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.problems.online.slopes import play, sparse_features
from ratewitness.solvers.around.box import Box
from ratewitness.studies.adaptive.adagrad_and_sgd import METHODS, effective_steps
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, exponent_is, mean_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked

GROUPS = 10
LR = 0.5**0.5
SHOWN = ("AdaGrad", "AdaGradNorm", "SGD, a/sqrt(t)")


def log_spaced(budget: Budget) -> tuple[np.ndarray, int]:
    """13 frequencies from 1 down, and the number of rounds: the rarest feature takes part 40 (quick: 60) times."""
    return np.logspace(0, -budget.pick(2, 3), 13), budget.pick(6_000, 40_000)


@measured("sparse_features")
def steps_by_frequency(budget: Budget, method: str) -> np.ndarray:
    """Mean effective steps over lr after T/2 and T rounds, in groups of replicates: (2, d, groups)."""
    p, T = log_spaced(budget)
    features = sparse_features(torch.as_tensor(p, device=budget.device), "linear", pull=0.5)
    oracle, _ = play(features, budget.generator("features"))
    x0 = torch.zeros(GROUPS, budget.pick(20, 40), len(p), dtype=torch.float64, device=budget.device)
    found = effective_steps(Box(METHODS[method](LR), -1.0, 1.0), oracle, x0, (T // 2, T)) / LR
    return found.mean(2).mT.cpu().numpy()


@claim("law", "S17; Duchi, Hazan and Singer (2011); derived in studies/adaptive/rare_features.py")
@planted("to the power -0.54", exponent=0.54)
@planted("to the power -0.46", exponent=0.46)
@planted("of AdaGradNorm too", method="AdaGradNorm")
@planted("of SGD too", method="SGD, a/sqrt(t)")
def rare_features_keep_larger_steps(budget: Budget, exponent: float = 0.5, method: str = "AdaGrad") -> Verdict:
    """S17, refined: AdaGrad's effective step for a feature of frequency p is lr/sqrt(p t); those of AdaGradNorm and SGD are
    the same for every feature.

    With gradients of size 1 where they are not 0, features of 13 frequencies p over 3 decades (quick: 2) have effective
    steps of AdaGrad proportional to p^-0.5 (+- 0.02) after T = 40000 (quick: 6000) rounds, and equal to lr/sqrt(p t)
    within 10 % in the mean at t = T/2 and at T: a rare feature's step is larger, and falls at the same rate as any. The
    steps of AdaGradNorm and of SGD with a/sqrt(t) are the same for every feature."""
    (p, T), steps = log_spaced(budget), {each: steps_by_frequency(budget, each) for each in SHOWN}
    found, theory = steps[method], 1 / np.sqrt(p * T * np.array([[0.5], [1.0]]))
    others = np.stack([steps["AdaGradNorm"], steps["SGD, a/sqrt(t)"]])
    verdicts = {
        "slope": exponent_is(p, found[1], exponent, 0.02, decades=budget.pick(2, 3)),
        "size": mean_is(found, theory, 0.1),
        "others": agrees(others, np.broadcast_to(others[:, :, :1], others.shape)),
    }
    tables = {each: rows(at[1], p=p, theory=theory[1] if each == method else np.nan) for each, at in steps.items()}
    return all_of(verdicts).showing(stacked(tables))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["rare_features_keep_larger_steps"].table.replace("SGD, a/sqrt(t)", r"SGD, $a/\sqrt{t}$")
    caption = (
        "Effective step over lr after $T$ rounds, of features with gradients of size 1: means with 99 % intervals. "
        r"Line: AdaGrad's $1/\sqrt{p T}$."
    )
    looks = {"AdaGrad": "C0o", "AdaGradNorm": "C1s", r"SGD, $a/\sqrt{t}$": "C2v"}
    return {"steps": panels(caption, looks, [Panel(table, "p", "frequency $p$ of the feature", "effective step / lr")])}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
