r"""Does Shampoo step in the direction of full-matrix AdaGrad?

    full-matrix AdaGrad   (sum_s g_s g_s^T)^{-1/2} g              Shampoo   L^{-1/4} G R^{-1/4} = (L (x) R)^{-1/4} g

Gradients with covariance C_L (x) C_R have L ~ C_L and R ~ C_R up to factors: full-matrix AdaGrad divides by the square root
of the covariance, and Shampoo by its fourth root. Powers -1/2 on both sides have full-matrix AdaGrad's direction; -1/4 keeps
half of the exponent. Where the covariance is no Kronecker product neither has it.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.quadratics import random_rotation
from ratewitness.solvers.adagrad import AdaGrad, FullAdaGrad, Sums
from ratewitness.solvers.norms.shampoo import Shampoo, Statistics
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, exceeds
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.measuring.streams import Stream, normal
from torch import Tensor

SIDE, CONDITION = 8, 1e4  # matrices 8 x 8, condition number of the covariance of their 64 entries
LAWS = ("Kronecker", "diagonal", "unstructured")
CLOSE, CLOSER, DIAGONAL = 0.95, 0.1, "diagonal AdaGrad"
OF_OTHERS = "Shampoo after other gradients"
LOOKS = {"Shampoo": "C0o", "powers -1/2": "C1s", DIAGONAL: "C2v", "gradient": "C3^"}


def drawn(law: str, generator: torch.Generator, count: int, T: int) -> Tensor:
    """Gaussian gradients (count, T, 8, 8), replicates with covariances of their own, spectrum log-spaced in [1e-4, 1]."""
    z = normal(generator, count, T, SIDE, SIDE)
    if law == "Kronecker":
        half = torch.logspace(0, -math.log10(CONDITION) / 4, SIDE, dtype=z.dtype, device=z.device)
        left, right = (_rotations(generator, count, SIDE) * half for _ in range(2))
        return left.unsqueeze(1) @ z @ right.mT.unsqueeze(1)
    scales = torch.logspace(0, -math.log10(CONDITION) / 2, SIDE**2, dtype=z.dtype, device=z.device)
    order = torch.rand(count, 1, SIDE**2, generator=generator, device=generator.device).argsort(-1)
    g = z.flatten(-2) * scales[order]
    if law == "unstructured":
        g = g @ _rotations(generator, count, SIDE**2).mT
    return g.unflatten(-1, (SIDE, SIDE))


def _rotations(generator: torch.Generator, count: int, d: int) -> Tensor:
    return torch.stack([random_rotation(d, generator) for _ in range(count)])


@measured
def cosines(budget: Budget) -> dict[tuple[str, str], np.ndarray]:
    """Cosine of others' directions to full-matrix AdaGrad's on a fresh gradient: (law, method) -> (replicates,)."""
    count, T, found, eps = budget.pick(10, 40), budget.pick(1000, 4000), {}, 1e-8
    for law in LAWS:
        G = drawn(law, budget.generator("angles", law), count, T + 1)
        past, fresh = G[:, :-1], G[:, -1]
        oracle, x = Stream(lambda t, x, g=fresh: g), torch.zeros_like(fresh)
        flat = past.flatten(-2)
        eye = eps * torch.eye(SIDE, dtype=x.dtype, device=x.device)
        L, R = eye + (past @ past.mT).sum(1), eye + (past.mT @ past).sum(1)
        history = Statistics(L, R, L, R, 0)

        def direction(solver, state, x=x, oracle=oracle):
            return solver.step(x, state, oracle)[0].flatten(-2)

        full = direction(FullAdaGrad(1.0, eps, ndim=2), Sums(flat.mT @ flat, T))
        for method, step in {
            "Shampoo": direction(Shampoo(1.0, eps), history),
            "powers -1/2": direction(Shampoo(1.0, eps, power=2), history),
            DIAGONAL: direction(AdaGrad(1.0, eps), Sums(past.square().sum(1), T)),
            OF_OTHERS: direction(Shampoo(1.0, eps), history._replace(L=L.roll(1, 0), R=R.roll(1, 0))),
            "gradient": -fresh.flatten(-2),
        }.items():
            found[law, method] = torch.cosine_similarity(step, full, dim=-1).cpu().numpy()
    return found


def close(budget: Budget, method: str, laws: tuple[str, ...]) -> Verdict:
    found = cosines(budget)
    table = pd.concat([rows(c, covariance=law, direction=each) for (law, each), c in found.items()], ignore_index=True)
    return all_of({law: exceeds(found[law, method], CLOSE) for law in laws}).showing(table)


def closer(budget: Budget, law: str, method: str, other: str, by: float = CLOSER) -> Verdict:
    """How much larger the cosine of one method is, replicate by replicate."""
    return exceeds(cosines(budget)[law, method] - cosines(budget)[law, other], by)


@claim("phenomenon", "S39; Gupta, Koren and Singer (2018), arXiv:1802.09568", unit="cosine")
@planted("after the gradients of another replicate", method=OF_OTHERS)
@planted("the gradient is closer", method="gradient", other="Shampoo")
def approximates_as_stated(budget: Budget, method: str = "Shampoo", other: str = "gradient") -> Verdict:
    """S39, as stated: Shampoo's direction is nearer to full-matrix AdaGrad's than the gradient is, though hardly so where
    the covariance has no structure.

    Read with "approximates" as better than no preconditioner: after 4000 (quick: 1000) Gaussian gradients of size 8 x 8
    whose covariance has condition 1e4, the cosine to full-matrix AdaGrad's direction on a fresh gradient is larger than that
    of this gradient itself, in the mean over 40 (quick: 10) replicates, whether the covariance is a Kronecker product,
    diagonal or neither. Where it is neither, the gain is about 0.006: `approximates_by_a_hundredth`. In the Loewner order:
    `shampoo_kronecker`; how near: `same_direction_as_stated`."""
    return all_of({law: closer(budget, law, method, other, 0.0) for law in LAWS})


@claim("phenomenon", "S39; Gupta, Koren and Singer (2018), arXiv:1802.09568", unit="cosine")
@planted("after the gradients of another replicate", method=OF_OTHERS)
@planted("on unstructured covariances alone", laws=LAWS[2:])
def approximates_by_a_hundredth(budget: Budget, method: str = "Shampoo", laws: tuple[str, ...] = LAWS) -> Verdict:
    """S39, read as: Shampoo's direction is nearer to full-matrix AdaGrad's than the gradient is, by a hundredth of cosine,
    whatever the covariance.

    As in `approximates_as_stated`, with a margin of 0.01."""
    return all_of({law: closer(budget, law, method, "gradient", 0.01) for law in laws})


@claim("phenomenon", "S39; Gupta, Koren and Singer (2018), arXiv:1802.09568", unit="cosine")
@planted("diagonal AdaGrad does", method=DIAGONAL)
def same_direction_as_stated(budget: Budget, method: str = "Shampoo") -> Verdict:
    """S39, read as: After many gradients Shampoo sends a fresh one to nearly the direction of full-matrix AdaGrad.

    That Shampoo approximates full-matrix AdaGrad by a Kronecker product is read as a statement on directions. After 4000
    (quick: 1000) Gaussian gradients of size 8 x 8 whose covariance has condition 1e4 the mean cosine is above 0.95, whether
    the covariance is a Kronecker product, diagonal or neither."""
    return close(budget, method, LAWS)


@claim("phenomenon", "S39; Morwani et al. (2024), arXiv:2406.17748, for the square", unit="cosine")
@planted("the powers -1/4 do", method="Shampoo")
@planted("without the Kronecker product", laws=LAWS[1:])
def powers_of_a_half_have_the_direction(budget: Budget, method: str = "powers -1/2", laws=LAWS[:1]) -> Verdict:
    """S39, refined: Powers -1/2 in place of -1/4 give Shampoo full-matrix AdaGrad's direction where the covariance is a
    Kronecker product.

    For a covariance C_L (x) C_R the statistics are L ~ C_L and R ~ C_R up to factors, so that Shampoo divides by the
    *fourth* root of the covariance and full-matrix AdaGrad by its square root; mean cosine above 0.95 in the settings of the
    claim `same_direction_as_stated`."""
    return close(budget, method, laws)


@claim("phenomenon", "S39; the settings of `same_direction_as_stated`", unit="cosine")
@planted("the other way round", on_kronecker=DIAGONAL, on_diagonal="Shampoo")
@planted("closer on a diagonal covariance, too", lambda budget: closer(budget, "diagonal", "Shampoo", DIAGONAL))
def closer_than_the_diagonal(budget: Budget, on_kronecker: str = "Shampoo", on_diagonal: str = DIAGONAL) -> Verdict:
    """S39, refined: Shampoo is closer to full-matrix AdaGrad's direction than diagonal AdaGrad on a Kronecker covariance,
    and diagonal AdaGrad on a diagonal one.

    Where the covariance is a Kronecker product in rotated axes, Shampoo is closer by at least 0.1 in the mean cosine; where
    it is diagonal without such structure, diagonal AdaGrad is closer by at least 0.1."""
    other = {"Shampoo": DIAGONAL, DIAGONAL: "Shampoo"}
    best = {"Kronecker": on_kronecker, "diagonal": on_diagonal}
    return all_of({law: closer(budget, law, method, other[method]) for law, method in best.items()})


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["same_direction_as_stated"].table.query("direction in @LOOKS")
    place = table["covariance"].map(LAWS.index) + table["direction"].map([*LOOKS].index) * 0.13 - 0.2
    caption = (
        "Cosine between full-matrix AdaGrad's direction and others on a fresh gradient after many Gaussian ones, by their "
        "covariance: means over replicates with 99 % intervals."
    )
    ticks = {"xticks": range(len(LAWS)), "xticklabels": LAWS, "xlim": (-0.4, len(LAWS) - 0.6), "ylim": (0, 1.02)}
    labels, levels = ("covariance of the gradients", "cosine"), {f"the claims' {CLOSE}": CLOSE}
    shown = Panel(table.assign(place=place), "place", *labels, by="direction", levels=levels, log="", options=ticks)
    return {"cosines": panels(caption, LOOKS, [shown], height=3.2)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
