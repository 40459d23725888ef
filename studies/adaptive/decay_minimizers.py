r"""What do Adam with an l2 penalty, and AdamW, minimize where noise is large?

    Adam with l2                          f + (l/2)||x||^2
    AdamW, s = sqrt(E g^2) nearly fixed   f + (w/2)||x sqrt s||^2

f(x) = sum_i (c_i/2)(x_i - 1)^2 with gradients c_i (x_i - 1 + z), z standard normal, scales c_i from 0.01 to 100, l = 1 and w
= 1/2. In each coordinate AdamW's minimizer then is the root of (x - 1)/s + w x = 0, s = sqrt((x - 1)^2 + 1), whatever c_i;
that of the penalty is c_i/(c_i + l). Iterates are averaged over the second half of a run. Without noise AdamW minimizes f
over a box: `adamw_box`.

Sources: I. Loshchilov and F. Hutter (2019), arXiv:1711.05101; theory/decoupled_decay.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.solvers.adam import Adam, AdamW
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.solver import iterates
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, mean_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal
from ratewitness.theory.decoupled_decay import box, minimizer, minimizers, normalized_mean, stays_in_the_box
from scipy.optimize import brentq
from torch import Tensor

SYMBOLIC = (minimizers, box, stays_in_the_box)
SCALES = np.logspace(-2, 2, 9)
L2, DECAY, STEP, GROUPS = 1.0, 0.5, 2e-3, 20
NOISY = {
    "Adam with l2": CoupledDecay(Adam(STEP), L2),
    "AdamW": AdamW(STEP, weight_decay=DECAY),
}


@claim("proof", "S29; theory/decoupled_decay.py")
@falsified(*SYMBOLIC)
def stationary_points(budget: Budget) -> Verdict:
    """S29: Coupled decay stops where f with a penalty is stationary, decoupled decay where that penalty is scaled, and sign
    descent at KKT points of f over a box.

    Coupled decay is stationary where grad f + l x = 0, whatever the fixed preconditioner, and decoupled decay with
    diag(s)^{-1} where grad f + (lam/a) s x = 0. Sign descent with decoupled decay, sign(0) any number in [-1, 1], is
    stationary exactly at the KKT points of min f over ||x||_inf <= a/lam, which is 1/w in torch's form, and for lam <= 1 a
    run that starts in that box never leaves it. With sign(0) = 0, as in code, a KKT point with grad f = 0 is not kept.
    Machine-checked (sympy): the minimizer of a parabola with each penalty; stationarity and KKT conditions in one
    coordinate, case by case of the sign; that a step ends in the box. In prose: that coordinates separate."""
    return prove(*SYMBOLIC)


class Noisy:
    """An oracle that answers with c_i (x_i - 1 + z)."""

    def __init__(self, generator: torch.Generator):
        self.generator, self.scales = generator, torch.tensor(SCALES, device=generator.device)

    def grad(self, x: Tensor) -> Tensor:
        return self.scales * (x - 1 + normal(self.generator, *x.shape))


@measured
def averages(budget: Budget) -> dict[str, np.ndarray]:
    """Averages of the iterates over the second half of the run, by method (scales, GROUPS)."""
    steps, replicates, found = budget.pick(6000, 20_000), GROUPS * budget.pick(5, 20), {}
    for name, solver in NOISY.items():
        x0 = torch.ones(replicates, len(SCALES), dtype=torch.float64, device=budget.device)
        path = iterates(solver, Noisy(budget.generator(name)), x0)
        average = sum(islice(path, steps // 2, steps)) / (steps - steps // 2)
        found[name] = average.unflatten(0, (GROUPS, -1)).mean(1).mT.cpu().numpy()
    return found


def predicted(law: str) -> np.ndarray:
    """Minimizers in each coordinate, (scales,)."""
    if law == "penalty":
        return minimizer(SCALES, 1.0, L2)
    root = brentq(lambda x: normalized_mean(x - 1, 1.0) + DECAY * x, 0.0, 1.0)
    return minimizer(SCALES, 1.0, DECAY, SCALES * np.hypot(root - 1, 1.0))


@claim("law", "S29; theory/decoupled_decay.py")
@planted("AdamW minimizes the penalized function", laws={"AdamW": "penalty"})
@planted("Adam with l2 settles where AdamW does", laws={"Adam with l2": "scaled penalty"})
def with_noise(budget: Budget, laws: Mapping[str, str] = {"Adam with l2": "penalty", "AdamW": "scaled penalty"}) -> Verdict:
    """S29: With large noise Adam on g + l x settles at the minimizer of f + (l/2)||x||^2, and AdamW at that of f + (w/2)||x
    sqrt s||^2.

    The problem is f(x) = sum_i (c_i/2)(x_i - 1)^2 with noise of standard deviation c_i and scales c_i from 0.01 to 100. The
    penalty of Adam leaves large scales alone and takes small ones to 0; that of AdamW, with s = sqrt(E g^2) at its
    minimizer, shrinks every coordinate by the same share. This holds within 5 %, for l = 1, w = 1/2 and step 0.002."""
    found = averages(budget)
    verdict = all_of({name: mean_is(found[name], predicted(law), 0.05) for name, law in laws.items()})
    parts = {name: rows(found[name], scale=SCALES).assign(theory=predicted(law)) for name, law in laws.items()}
    return verdict.showing(stacked(parts))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "Where noisy Adam with $l = 1$ and AdamW with $w = 1/2$ settle on $(c/2)(x - 1)^2$, against $c$: averages of the "
        "iterates with 99 % intervals. Theory: $c/(c + l)$, and the minimizer with the penalty scaled by $\\sqrt{E g^2}$."
    )
    looks, options = {"Adam with l2": "C0o", "AdamW": "C1s"}, {"ylim": (-0.03, 1.05)}
    table = verdicts["with_noise"].table
    panel = Panel(table, "scale", "scale $c$ of the coordinate", "$x$, without decay 1", log="x", options=options)
    return {"minimizers": panels(caption, looks, [panel], height=3.2)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
