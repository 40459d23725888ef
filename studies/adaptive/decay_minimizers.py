r"""What do Adam with an l2 penalty, and AdamW, minimize?

    Adam with l2                          f + (l/2)||x||^2
    AdamW, s = sqrt(E g^2) nearly fixed   f + (w/2)||x sqrt s||^2
    AdamW, steps nearly signs             f over the box ||x||_inf <= 1/w

In the first two cases noise is large: f(x) = sum_i (c_i/2)(x_i - 1)^2 with gradients c_i (x_i - 1 + z), z standard normal,
scales c_i from 0.01 to 100, l = 1 and w = 1/2. In each coordinate AdamW's minimizer then is the root of (x - 1)/s + w x = 0,
s = sqrt((x - 1)^2 + 1), whatever c_i; that of the penalty is c_i/(c_i + l). Iterates are averaged over the second half of a
run.

In the third case there is no noise: convex quadratics in five rotated axes, eigenvalues 1 to 10, minimizers normal of
standard deviation 2, steps 0.1/sqrt k; the minimizer over the box by an active-set method (scipy). With beta2 = 0.999, whose
average remembers large early gradients, AdamW needs longer: its farthest distance is noted, and not judged. In the paper's
form the box is ||x||_inf <= a/lam, which moves with the step.

Sources: I. Loshchilov and F. Hutter (2019), arXiv:1711.05101; S. Xie and Z. Li (2024), arXiv:2404.04454, for the box;
theory/decoupled_decay.py.
"""

from __future__ import annotations

from functools import cache
from itertools import islice

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.quadratics import random_rotation
from ratewitness.solvers.adam import Adam, AdamW, AdamWPaper
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.schedules import InversePower
from ratewitness.solvers.solver import iterates
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, all_of, bound_holds, interval, mean_is
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import Stream, normal
from ratewitness.theory.decoupled_decay import box, minimizer, minimizers, normalized_mean, stays_in_the_box
from scipy.optimize import brentq, lsq_linear
from torch import Tensor

SCALES = np.logspace(-2, 2, 9)
L2, DECAY, STEP, GROUPS = 1.0, 0.5, 2e-3, 20
NOISY = {
    "Adam with l2": CoupledDecay(Adam(STEP), L2),
    "AdamW": AdamW(STEP, weight_decay=DECAY),
}


class Noisy:
    """An oracle that answers with c_i (x_i - 1 + z)."""

    def __init__(self, generator: torch.Generator):
        self.generator, self.scales = generator, torch.tensor(SCALES, device=generator.device)

    def grad(self, x: Tensor) -> Tensor:
        return self.scales * (x - 1 + normal(self.generator, *x.shape))


@cache
def all_averages(budget: Budget) -> dict[str, np.ndarray]:
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


def averages_at(budget: Budget, laws: dict[str, str]) -> Verdict:
    """Averages of the iterates against the minimizers of a law, by method, within 5 %."""
    found, verdicts, parts = all_averages(budget.shared("decay_minimizers")), {}, []
    for name, law in laws.items():
        verdicts[name] = mean_is(found[name], predicted(law), 0.05)
        mean, low, high = interval(found[name])
        part = {"method": name, "scale": SCALES, "measured": mean, "low": low, "high": high, "predicted": predicted(law)}
        parts.append(pd.DataFrame(part))
    return all_of(verdicts).showing(pd.concat(parts, ignore_index=True))


@claim(
    kind="law",
    source="S29; theory/decoupled_decay.py",
    planted={
        "AdamW minimizes the penalized function": lambda budget: averages_at(budget, {"AdamW": "penalty"}),
        "Adam with l2 settles where AdamW does": lambda budget: averages_at(budget, {"Adam with l2": "scaled penalty"}),
    },
)
def with_noise(budget: Budget) -> Verdict:
    """S29: On f(x) = sum_i (c_i/2)(x_i - 1)^2 with noise of standard deviation c_i and scales c_i from 0.01 to 100, Adam on
    g + l x settles at the minimizer of f + (l/2)||x||^2, which leaves large scales alone and takes small ones to 0; AdamW
    settles at the minimizer of f + (w/2)||x sqrt s||^2, s = sqrt(E g^2) there, which shrinks every coordinate by the same
    share: within 5 %, for l = 1, w = 1/2 and step 0.002."""
    return averages_at(budget, {"Adam with l2": "penalty", "AdamW": "scaled penalty"})


SIGNS = {
    "betas 0 and 0": lambda w: AdamW(InversePower(0.1), 0.0, 0.0, eps=0.0, weight_decay=w),
    "betas 0.9 and 0.9": lambda w: AdamW(InversePower(0.1), 0.9, 0.9, eps=0.0, weight_decay=w),
}


@cache
def quadratics(budget: Budget) -> tuple[Tensor, Tensor, np.ndarray]:
    """Hessians (50, 5, 5), minimizers (50, 5), and minimizers over ||x||_inf <= 1 (50, 5)."""
    generator = budget.generator()
    Q = torch.stack([random_rotation(5, generator) for _ in range(50)])
    H, c = Q * torch.logspace(0, 1, 5, dtype=Q.dtype, device=Q.device) @ Q.mT, 2 * normal(generator, 50, 5)
    roots = torch.linalg.cholesky(H).mT.cpu().numpy()
    within = [lsq_linear(R, R @ p, (-1, 1), method="bvls", tol=1e-14).x for R, p in zip(roots, c.cpu().numpy(), strict=True)]
    return H, c, np.array(within)


def distances(budget: Budget, solver) -> np.ndarray:
    """To the minimizer over ||x||_inf <= 1 at the end of the run, over its norm: (50,)."""
    H, c, within = quadratics(budget.shared("decay_minimizers_box"))
    oracle = Stream(lambda k, x: ((x - c).unsqueeze(-2) @ H).squeeze(-2))
    path = iterates(solver, oracle, torch.zeros_like(c))
    x = next(islice(path, budget.pick(4000, 20_000), None)).cpu().numpy()
    return np.linalg.norm(x - within, axis=-1) / np.linalg.norm(within, axis=-1)


def boxed(budget: Budget, w: float = 1.0, build=SIGNS) -> Verdict:
    return all_of({name: bound_holds(distances(budget, solver(w)), 0.02) for name, solver in build.items()})


@claim(
    kind="law",
    source="S29; Xie and Li (2024), arXiv:2404.04454",
    planted={
        "the box of half the size": lambda budget: boxed(budget, w=2.0),
        "coupled decay": lambda budget: boxed(
            budget, build={"coupled": lambda w: CoupledDecay(Adam(InversePower(0.1), 0.9, 0.9, eps=0.0), w)}
        ),
        "no decay": lambda budget: boxed(budget, w=0.0),
    },
)
def without_noise(budget: Budget) -> Verdict:
    """S29: Without noise AdamW's steps become signs, and its decay is no penalty but a constraint: on every one of 50 convex
    quadratics it comes within 2 % of the minimizer of f over ||x||_inf <= 1/w, relative to the norm of it, in 20 000 (quick:
    4000) steps, for betas (0, 0), which is sign descent, and (0.9, 0.9). With the default (0.9, 0.999) the farthest distance
    is noted, and not judged."""
    default = distances(budget, AdamW(InversePower(0.1), eps=0.0, weight_decay=1.0)).max()
    within = quadratics(budget.shared("decay_minimizers_box"))[-1]
    return boxed(budget).noting(
        farthest_with_default_betas=float(default), at_a_wall=float((np.abs(within) > 1 - 1e-9).mean())
    )


def walls(budget: Budget, paper_power: float = 1.0) -> Verdict:
    """Where equal gradients take the two forms of AdamW, for w = 1 and lam = 0.01, over 1 and a^`paper_power`/lam."""
    a = torch.tensor([0.01, 0.03, 0.1], dtype=torch.float64)
    forms = AdamW(a, eps=0.0, weight_decay=1.0), AdamWPaper(a, eps=0.0, weight_decay=0.01)
    ends = [next(islice(iterates(f, Stream(lambda k, x: -torch.ones_like(x)), 0 * a), 4000, None)).numpy() for f in forms]
    expected = np.ones(3), 100 * a.numpy() ** paper_power
    return all_of({name: agrees(*pair) for name, *pair in zip(("torch", "paper"), ends, expected, strict=True)})


@claim(
    kind="exact",
    source="S29; theory/decoupled_decay.py",
    planted={"the paper's box does not depend on the step": lambda budget: walls(budget, paper_power=0.0)},
)
def the_box_of_each_form(budget: Budget) -> Verdict:
    """S29: Under equal gradients AdamW ends at the wall of its box, 1/w in torch's form whatever the step a, and a/lam in
    the paper's, ten times farther for a step ten times larger, to rounding."""
    return walls(budget)


SYMBOLIC = (minimizers, box, stays_in_the_box)


@claim(kind="proof", source="S29; theory/decoupled_decay.py", planted=falsified(*SYMBOLIC))
def stationary_points(budget: Budget) -> Verdict:
    """S29: Coupled decay is stationary where grad f + l x = 0, whatever the fixed preconditioner, and decoupled decay with
    diag(s)^{-1} where grad f + (lam/a) s x = 0. Sign descent with decoupled decay, sign(0) any number in [-1, 1], is
    stationary exactly at the KKT points of min f over ||x||_inf <= a/lam, which is 1/w in torch's form, and for lam <= 1 a
    run that starts in that box never leaves it. With sign(0) = 0, as in code, a KKT point with grad f = 0 is not kept."""
    return prove(*SYMBOLIC)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, ax = plt.subplots(figsize=(4.8, 3.4), layout="constrained")
    figure.set_label(
        "Where noisy Adam with l = 1 and AdamW with w = 1/2 settle on (c/2)(x - 1)^2, against c: averages of the iterates "
        "with 99 % intervals. Lines: c/(c + l), and the minimizer with the penalty scaled by sqrt(E g^2)."
    )
    for marker, (method, part) in zip("os", verdicts["with_noise"].table.groupby("method", sort=False), strict=True):
        bars = ax.errorbar(part["scale"], part["measured"], whiskers(part), fmt=marker, ms=4, label=method)
        ax.plot(part["scale"], part["predicted"], lw=0.8, color=bars[0].get_color())
    ax.set(xscale="log", ylim=(0, 1.05), xlabel="scale c of the coordinate", ylabel="x, without decay 1")
    ax.legend(frameon=False)
    return {"minimizers": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
