r"""How far can estimates of curvature be trusted? Judged on Hessians whose spectrum is known exactly.

    some eigenvalue lies within ||H u - theta u|| of theta;        Var(v^T H v) = 2 (||H||_F^2 - sum_i H_ii^2)  (signs),
                                                                                  2 ||H||_F^2  (normal probes)

S44 speaks of flat minima, and flatness is measured by estimates: the largest eigenvalue of a Hessian that nobody can write
down, and its trace. The Hessians here are Q diag(lam) Q^T with a random orthogonal Q, so that both are known. What public
code does instead is judged beside it: the method of powers returns the eigenvalue of the largest modulus, and stopping where
an estimate changes by less than a thousandth bounds no error.

C. Lanczos (1950); M. F. Hutchinson (1989); variances: H. Avron and S. Toledo (2011).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.curvature import hutchinson, lanczos
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds, mean_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.streams import normal

STEPS = (2, 4, 8, 16, 32)
DIMENSION, MATRICES = 200, 100
THOUSANDTH = 1e-3


@measured
def hessians(budget: Budget) -> tuple[torch.Tensor, torch.Tensor]:
    """Matrices (MATRICES, d, d) in random bases, and their spectra in rising order.

    Like those of networks: a bulk of both signs near 0, of standard deviation 0.1, and ten outliers from 1 to 10; in every
    second one the spectrum ends at -12 instead of its least value, so that the largest modulus is a negative one.
    """
    generator = budget.generator("hessians")
    bulk = 0.1 * normal(generator, MATRICES, DIMENSION - 10)
    outliers = torch.linspace(1, 10, 10, dtype=torch.float64, device=bulk.device).expand(MATRICES, -1)
    values = torch.cat([bulk, outliers], -1).sort(-1).values
    values[::2, 0] = -12.0
    Q = torch.linalg.qr(normal(generator, MATRICES, DIMENSION, DIMENSION)).Q
    return (Q * values.unsqueeze(-2)) @ Q.mT, values


def product(H: torch.Tensor):
    return lambda v: (H @ v.unsqueeze(-1)).squeeze(-1)


def by_powers(H: torch.Tensor, start: torch.Tensor, change: float, most: int = 10_000) -> torch.Tensor:
    """The Rayleigh quotients (*batch,) at which the method of powers stops changing, relative to its last value."""
    v, old, done = start / start.norm(dim=-1, keepdim=True), None, None
    for _ in range(most):
        image = product(H)(v)
        theta = (v * image).sum(-1)
        if old is None:
            done, kept = torch.zeros_like(theta, dtype=torch.bool), theta
        else:
            still = (theta - old).abs() < change * theta.abs()
            kept = torch.where(done, kept, theta)
            done = done | still
        if done.all():
            break
        v, old = image / image.norm(dim=-1, keepdim=True), theta
    return kept


@measured
def tops(budget: Budget) -> pd.DataFrame:
    """Lanczos on every matrix: error, residual and distance to the nearest eigenvalue, all relative to the top."""
    H, values = hessians(budget)
    start, top, parts = normal(budget.generator("start"), MATRICES, DIMENSION), values[:, -1], []
    for steps in STEPS:
        found = lanczos(product(H), start, steps)
        nearest = (values - found.value.unsqueeze(-1)).abs().min(-1).values
        columns = {"error": top - found.value, "residual": found.residual, "nearest": nearest}
        parts.append(pd.DataFrame({name: (x / top).cpu().numpy() for name, x in columns.items()}).assign(steps=steps))
    return pd.concat(parts, ignore_index=True)


@claim("upper bound", "S44; Parlett, The Symmetric Eigenvalue Problem; H symmetric")
@planted("half the residual", share=0.5)
def an_eigenvalue_is_within_the_residual(budget: Budget, share: float = 1.0) -> Verdict:
    """S44, refined: Some eigenvalue of the Hessian lies within the residual of the Lanczos estimate of sharpness.

    100 random 200 x 200 Hessians with known spectra, after 2, 4, 8, 16 and 32 Lanczos steps: the distance to the nearest
    eigenvalue is at most ||H u - theta u||, where this is above 1e-12 of the top. It is attained by diag(1, -1) at (1, 1),
    theta = 0. The bound says nothing about which eigenvalue it is."""
    table = tops(budget)
    worst = table.groupby("steps")[["error", "residual", "nearest"]].max().rename(columns={"nearest": "nearest eigenvalue"})
    shown = worst.reset_index().melt("steps", var_name="what", value_name="measured")
    return bound_holds(table["nearest"], share * table["residual"], 1e-12).showing(shown)


@claim("exact", "S44; studies/landscapes/curvature_estimators.py")
@planted("the method of powers", powers=True)
@planted("12 steps", steps=12)
def lanczos_finds_the_largest_algebraic_eigenvalue(budget: Budget, powers: bool = False, steps: int = 60) -> Verdict:
    """S44, refined: Sixty Lanczos steps give the largest eigenvalue even where the one of largest modulus is negative.

    100 random 200 x 200 Hessians with outliers 1 to 10, of which 50 have the eigenvalue -12: from one random start each the
    value agrees with the largest eigenvalue to 1e-6. The method of powers, stopped at changes below 1e-9, returns -12 on
    the 50."""
    H, values = hessians(budget)
    start = normal(budget.generator("start"), MATRICES, DIMENSION)
    found = by_powers(H, start, 1e-9) if powers else lanczos(product(H), start, steps).value
    return agrees((found / values[:, -1]).cpu(), 1.0, 1e-6)


@claim("upper bound", "S44, read as in public code: stop where the estimate changes by less than 1e-3")
@planted("stopped at a third of that change", change=THOUSANDTH / 3)
def small_changes_bound_the_error(budget: Budget, change: float = THOUSANDTH) -> Verdict:
    """S44, read as: A sharpness by powers that changes by less than a thousandth is right up to a thousandth.

    The 50 Hessians of `lanczos_finds_the_largest_algebraic_eigenvalue` without the eigenvalue -12, so that the top is the
    largest in modulus as well: the relative error where two values in a row differ by less than 1e-3 is at most 1e-3."""
    H, values = (each[1::2] for each in hessians(budget))
    start = normal(budget.generator("start of powers"), len(H), DIMENSION)
    error = 1 - by_powers(H, start, change) / values[:, -1]
    return bound_holds(error.cpu(), np.full(len(error), THOUSANDTH))


@claim("constant", "S44; Avron and Toledo (2011); Hutchinson (1989)")
@planted("the diagonal counted", counted=True)
@planted("the constants swapped", swapped=True)
def probes_spread_as_predicted(budget: Budget, counted: bool = False, swapped: bool = False) -> Verdict:
    """S44, refined: A probe v^T H v has variance 2(||H||_F^2 - sum H_ii^2) for random signs, 2||H||_F^2 for normal entries.

    One 20 x 20 Hessian with a dominant diagonal, 100 groups of 1000 probes (quick: 50 of 500): the variance in each group
    over the predicted one is 1 in the mean, within 5 % (quick: 8 %), in a 99 % interval, for both kinds of probes."""
    generator, tolerance = budget.generator("probes"), budget.pick(0.08, 0.05)
    A = normal(generator, 20, 20)
    H = A + A.mT + 8 * torch.eye(20, dtype=torch.float64, device=A.device)
    square, diagonal = H.square().sum().item(), H.diagonal().square().sum().item()
    predicted = {"signs": 2 * (square - (0 if counted else diagonal)), "normal": 2 * square}
    if swapped:
        predicted = dict(zip(predicted, reversed(predicted.values()), strict=True))
    groups, probes = budget.pick((50, 500), (100, 1000))
    found = {}
    for kind, variance in predicted.items():
        like = torch.ones(groups, 20, dtype=torch.float64, device=A.device)  # a batch of the same Hessian
        error = hutchinson(product(H.expand(groups, 20, 20)), like, probes, generator, kind, batch=probes).error
        found[kind] = mean_is((error.square() * probes).cpu().numpy(), variance, tolerance)
    return all_of(found)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["an_eigenvalue_is_within_the_residual"].table
    shown = Panel(table, "steps", "Lanczos steps", "relative to the largest eigenvalue", by="what")
    caption = (
        "The Lanczos estimate of the largest eigenvalue on 100 Hessians with known spectra: the largest error, the largest "
        "residual, and the largest distance to the nearest eigenvalue, which the residual bounds."
    )
    return {"lanczos": panels(caption, {"error": "C0o-", "residual": "C1s--", "nearest eigenvalue": "C2^-"}, (shown,))}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
