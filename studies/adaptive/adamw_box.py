r"""What does AdamW minimize where there is no noise, so that its steps are nearly signs?

    f over the box ||x||_inf <= 1/w                        in the paper's form ||x||_inf <= a/lam, which moves with the step

Convex quadratics in five rotated axes, eigenvalues 1 to 10, minimizers normal of standard deviation 2, steps 0.1/sqrt k; the
minimizer over the box by an active-set method (scipy). With beta2 = 0.999, whose average remembers large early gradients,
AdamW needs longer: its farthest distance is noted, and not judged. Proved: `stationary_points` of `decay_minimizers`.

Sources: S. Xie and Z. Li (2024), arXiv:2404.04454, for the box; I. Loshchilov and F. Hutter (2019), arXiv:1711.05101;
theory/decoupled_decay.py.
"""

from __future__ import annotations

import numpy as np
import torch
from ratewitness.problems.quadratics import random_rotation
from ratewitness.solvers.adam import Adam, AdamW, AdamWPaper
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.schedules import InversePower
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds
from ratewitness.studies.measuring.streams import normal, visited
from scipy.optimize import lsq_linear
from torch import Tensor

STEP = InversePower(0.1)
METHODS = {  # by the decay w
    "betas 0 and 0": lambda w: AdamW(STEP, 0.0, 0.0, eps=0.0, weight_decay=w),
    "betas 0.9 and 0.9": lambda w: AdamW(STEP, 0.9, 0.9, eps=0.0, weight_decay=w),
    "default betas": lambda w: AdamW(STEP, eps=0.0, weight_decay=w),
    "coupled": lambda w: CoupledDecay(Adam(STEP, 0.9, 0.9, eps=0.0), w),
}


@measured("decay_minimizers_box")
def quadratics(budget: Budget) -> tuple[Tensor, Tensor, np.ndarray]:
    """Hessians (50, 5, 5), minimizers (50, 5), and minimizers over ||x||_inf <= 1 (50, 5)."""
    generator = budget.generator()
    Q = torch.stack([random_rotation(5, generator) for _ in range(50)])
    H, c = Q * torch.logspace(0, 1, 5, dtype=Q.dtype, device=Q.device) @ Q.mT, 2 * normal(generator, 50, 5)
    roots = torch.linalg.cholesky(H).mT.cpu().numpy()
    within = [lsq_linear(R, R @ p, (-1, 1), method="bvls", tol=1e-14).x for R, p in zip(roots, c.cpu().numpy(), strict=True)]
    return H, c, np.array(within)


@measured
def distances(budget: Budget, method: str, w: float) -> np.ndarray:
    """To the minimizer over ||x||_inf <= 1 at the end of the run, over its norm: (50,)."""
    H, c, within = quadratics(budget)
    end = [budget.pick(4000, 20_000)]
    x = visited(METHODS[method](w), lambda k, x: ((x - c).unsqueeze(-2) @ H).squeeze(-2), torch.zeros_like(c), end)[0]
    return np.linalg.norm(x.cpu().numpy() - within, axis=-1) / np.linalg.norm(within, axis=-1)


@claim(
    "law",
    "S29; Xie and Li (2024), arXiv:2404.04454",
    units={"farthest_with_default_betas": "ratio", "at_a_wall": "fraction"},
)
@planted("the box of half the size", w=2.0)
@planted("coupled decay", methods=("coupled",))
@planted("no decay", w=0.0)
def without_noise(budget: Budget, w: float = 1.0, methods=("betas 0 and 0", "betas 0.9 and 0.9")) -> Verdict:
    """S29: Without noise AdamW's steps become signs, and its decay is no penalty but a constraint, the box ||x||_inf <= 1/w.

    On every one of 50 convex quadratics it comes within 2 % of the minimizer of f over ||x||_inf <= 1/w, relative to the
    norm of it, in 20 000 (quick: 4000) steps, for betas (0, 0), which is sign descent, and (0.9, 0.9). With the default
    (0.9, 0.999) the farthest distance is noted, and not judged."""
    verdict = all_of({name: bound_holds(distances(budget, name, w), 0.02) for name in methods})
    farthest, at_a_wall = distances(budget, "default betas", 1.0).max(), np.abs(quadratics(budget)[-1]) > 1 - 1e-9
    return verdict.noting(farthest_with_default_betas=float(farthest), at_a_wall=float(at_a_wall.mean()))


@claim("exact", "S29; theory/decoupled_decay.py")
@planted("the paper's box does not depend on the step", power=0.0)
def the_box_of_each_form(budget: Budget, power: float = 1.0) -> Verdict:
    """S29: Equal gradients take AdamW to the wall of its box, which is at 1/w in torch's form and at a/lam in the paper's.

    For w = 1 and lam = 0.01 it is so to rounding: in torch's form the wall does not depend on the step a, and in the paper's
    it is ten times farther for a step ten times larger (a = 0.01, 0.03, 0.1)."""
    a = torch.tensor([0.01, 0.03, 0.1], dtype=torch.float64)
    forms = {"torch": AdamW(a, eps=0.0, weight_decay=1.0), "paper": AdamWPaper(a, eps=0.0, weight_decay=0.01)}
    expected = {"torch": np.ones(3), "paper": 100 * a.numpy() ** power}
    ends = {name: visited(form, lambda k, x: -torch.ones_like(x), 0 * a, [4000])[0].numpy() for name, form in forms.items()}
    return all_of({name: agrees(ends[name], expected[name]) for name in forms})


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
