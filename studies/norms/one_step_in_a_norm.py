r"""Which step gains more, one of sign descent or one of gradient descent from the same point?

    density = ||g||_1^2/||g||_2^2:     sign descent if density > 2 L_inf/L_2,     gradient descent if density < L_inf/L_2

on diagonal quadratics, each step of size 1/L of its norm; the second where no entry of g is zero. Between the two limits
either may gain more, and both limits are needed.

Sources: L. Balles, F. Pedregosa and N. Le Roux (2020), arXiv:2002.08056; theory/norm_descent.py.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.norms.lmo import L2, LINF
from ratewitness.solvers.norms.steepest_descent import SteepestDescent
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import equals_exactly
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.norms.norm_instances import STREAM

SHOWN = 3_000  # points of the figure, evenly spaced in the order in which they were drawn


def both_steps(lam: torch.Tensor, x: torch.Tensor) -> pd.DataFrame:
    """One row for each quadratic of eigenvalues lam (count, d) with its point x: what both steps gain, and what decides."""
    f = quadratic(lam, x)
    g, before = f.grad(f.start), f.gap(f.start)
    columns = {"density": g.abs().sum(-1) ** 2 / g.square().sum(-1), "least entry": g.abs().amin(-1)}
    columns["peak"] = g.square().sum(-1) / g.abs().amax(-1) ** 2  # in place of density, were the dual norm l_inf
    columns["ratio"] = f.constants.smoothness_in["linf"] / f.constants.smoothness
    for name, norm, L in (("l_inf", LINF, f.constants.smoothness_in["linf"]), ("l_2", L2, f.constants.smoothness)):
        after, _ = SteepestDescent(1 / L.unsqueeze(-1), norm).step(f.start, 0, Oracle.full(f))
        columns[name] = (before - f.gap(after)) / before
    return pd.DataFrame({key: value.cpu().numpy() for key, value in columns.items()})


@measured(STREAM)
def single_steps(budget: Budget) -> pd.DataFrame:
    """One step of both methods from the same random points of random diagonal quadratics."""
    generator, tables = budget.generator("single steps"), []
    count = budget.pick(2_000, 20_000)
    for d, spread, sparsity in product((2, 8, 64), (0.0, 2.0, 6.0), (0.0, 1.0, 3.0)):
        draws = torch.randn(2, count, d, generator=generator, dtype=torch.float64, device=generator.device)
        tables.append(both_steps((spread * draws[0]).exp(), (sparsity * draws[1] - 0.5 * spread * draws[0]).exp()))
    return pd.concat(tables, ignore_index=True)


def many_zeros(budget: Budget) -> pd.DataFrame:
    """One large eigenvalue, 10^4 tiny ones with small entries of g, and 125 large ones where g is zero: density 120 is below
    L_inf/L_2 = 126, and yet sign descent gains more."""
    counts = torch.tensor([1, 10_000, 125])
    lam, g = torch.tensor([[1.0, 1e-9, 1.0], [1.0, 1e-3, 0.0]], dtype=torch.float64).repeat_interleave(counts, 1)
    return both_steps(lam.unsqueeze(0).to(budget.device), (g / lam).unsqueeze(0).to(budget.device))


@claim(
    "exact",
    "S31; Balles, Pedregosa and Le Roux (2020), arXiv:2002.08056; theory/norm_descent.py",
    units={"l_inf_gains": "fraction"},
)
@planted("the norms swapped", swapped=True)
@planted("already where density > L_inf/L_2", high=1.0)
@planted("still where density < 2 L_inf/L_2", low=2.0)
@planted("||g||_2^2/||g||_inf^2 in place of ||g||_1^2/||g||_2^2", by="peak")
@planted("less also where entries of g are zero", points=many_zeros)
def density_decides_a_step(
    budget: Budget, by: str = "density", low: float = 1.0, high: float = 2.0, swapped: bool = False, points=single_steps
) -> Verdict:
    """S31, refined: On diagonal quadratics a step of sign descent gains more than one of gradient descent where
    ||g||_1^2/||g||_2^2 > 2 L_inf/L_2.

    From the same point the step lowers f more if ||g||_1^2/||g||_2^2 > 2 L_inf/L_2, and less if ||g||_1^2/||g||_2^2 <
    L_inf/L_2 and no entry of g is zero. No exception among random spectra and points without zeros, d = 2, 8, 64 and
    nine kinds of 20000 points each (quick: 2000). Both limits are needed: between them either may gain more. In the
    table every 180th point (quick: every 18th)."""
    found = points(budget)
    finite = np.isfinite(found).all(axis=1)
    if not finite.all():
        return Verdict("inconclusive", {"not_finite": float((~finite).sum())})
    quotient = found[by] / found["ratio"]
    sure = (quotient < low * (1 - 1e-9)) | (quotient > high * (1 + 1e-9))
    l_inf_gains = (found["l_inf"] > found["l_2"]).astype(int)[sure]
    predicted = ((quotient < low) if swapped else (quotient > high)).astype(int)[sure]
    counted = {"l_inf_gains": l_inf_gains.sum(), "undecided": (~sure).sum(), "with_zeros": (found["least entry"] == 0).sum()}
    verdict = equals_exactly(l_inf_gains, predicted).noting(**{name: float(count) for name, count in counted.items()})
    thinned = pd.DataFrame({"quotient": quotient, "gain": found["l_inf"] / found["l_2"]})
    return verdict.showing(thinned.iloc[:: max(1, len(thinned) // SHOWN)])


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    found = verdicts["density_decides_a_step"].table
    figure, (ax,) = canvas(
        "What one step of sign descent gains over one of gradient descent, from random points of random quadratics, against "
        r"density, $\|g\|_1^2/\|g\|_2^2$, over $L_\infty/L_2$. Between the two limits either may gain more.",
        1, height=3.0,
    )  # fmt: skip
    ax.scatter(found["quotient"], found["gain"], s=2, color="C0", rasterized=True, label="a random point")
    ax.axvline(1, color="k", lw=0.9, ls="--", label=r"density $= L_\infty/L_2$")
    ax.axvline(2, color="k", lw=0.9, ls="-.", label=r"density $= 2 L_\infty/L_2$")
    ax.axhline(1, color="0.5", lw=0.9, label="equal gains")
    ax.set(xscale="log", yscale="log", xlabel=r"density / ($L_\infty / L_2$)")
    ax.set(ylabel=r"gain of $\ell_\infty$ / gain of $\ell_2$")
    legend_below(figure, ncols=2)
    return {"gains": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
