r"""Where does Muon with the exact polar factor and a constant step end on a quadratic?

    f(W) = <E, A E B>/2,  E = W - W*:     d_i' = d_i - a sign(d_i) in the eigenvectors of A and B, whatever their eigenvalues

Every signed singular value of the error walks on a grid of its own, d_i(0) + a Z, and goes to and fro around 0 in the end:
no run is long enough for a gap below the scale of the step. In any basis and with momentum two gaps in a row sum to at
least mu r a^2/4, r the rank of the steps. A step that decreases, or a polar factor that is not exact, leaves the grid. So
do rounding errors toward larger curvature, where the grid is not stable: it is run for ||E||_F^2/2 (Gonon et al. find the
confinement; formulas, constants and the instability are derived in theory/muon_grid.py).

Source: A. Gonon, A.-A. Musat and N. Boumal (2026), arXiv:2602.11948.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from ratewitness.solvers.norms.muon import Muon
from ratewitness.solvers.norms.polar import ExactPolar, MuonQuintic
from ratewitness.solvers.schedules import InversePower
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds, equals_exactly
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal, visited
from ratewitness.theory import muon_grid
from torch import Tensor

GONON = "S31; Gonon, Musat and Boumal (2026), arXiv:2602.11948; theory/muon_grid.py"
STEP, ROWS, COLUMNS = 0.05, 6, 4
CONDITIONS = (1.0, 10.0, 100.0)  # of A and of B: up to 1e4 for f
PROOFS = muon_grid.polar_of_an_aligned_gradient, muon_grid.walk, muon_grid.to_and_fro, muon_grid.two_in_a_row


def constant(momentum: float = 0.0, orthogonalize: Callable = ExactPolar()) -> Muon:  # noqa: B008
    return Muon(STEP, momentum, False, orthogonalize=orthogonalize, scale=None)


EXACT, DECREASING = constant(), Muon(InversePower(STEP), 0.0, False, scale=None)


def eigenvectors(generator: torch.Generator, count: int, d: int) -> Tensor:
    return torch.linalg.qr(normal(generator, count, d, d)).Q


def hessians(generator: torch.Generator, count: int, c: float) -> tuple[Tensor, Tensor, Tensor]:
    """A (count, m, m) and B (count, n, n) of condition c, least eigenvalue 1, random eigenvectors, and those of A."""
    Q, R = (eigenvectors(generator, count, d) for d in (ROWS, COLUMNS))
    values = (torch.logspace(0, math.log10(c), d, dtype=Q.dtype, device=Q.device) for d in (ROWS, COLUMNS))
    A, B = (vectors * s @ vectors.mT for vectors, s in zip((Q, R), values, strict=True))
    return A, B, Q


@claim("proof", GONON)
@falsified(*PROOFS)
def walk_is_proved(budget: Budget) -> Verdict:
    """S31, refined: On a quadratic exact Muon's constant step a moves every singular value of an aligned error by a,
    whatever the conditioning.

    And two gaps in a row sum to at least mu r a^2/4 from any start. For every size. Machine-checked, as words of symbols
    that do not commute: the polar factor of an aligned gradient, hence the step d - a sign d of every signed singular
    value; the walk from r + n a to r, and to and fro between r and r - a; by how much that multiplies what is not aligned;
    the parallelogram law for two errors that are a step apart. Cited: that a matrix has singular values. In prose: the
    induction over n, and f - f* >= (mu/2) ||E||_F^2."""
    return prove(*PROOFS)


@claim("exact", GONON)
@planted("a step that is 1 % longer", step=1.01 * STEP)
@planted("five steps of the quintic in place of the polar factor", solver=constant(orthogonalize=MuonQuintic()))
@planted("momentum of 0.5", solver=constant(0.5))
@planted("a step that decreases", solver=DECREASING)
def walks_on_a_grid(budget: Budget, solver: Muon = EXACT, step: float = STEP) -> Verdict:
    """S31, refined: On ||W - W*||_F^2/2 exact Muon with a constant step a has each singular value on its grid for 60 steps,
    and is within a after max |d_i|/a.

    20 (quick: 5) random 6 x 4 matrices, signed singular values a (n_i + u_i), n_i up to 30, u_i in [0.1, 0.9], a = 0.05, no
    momentum: after 0, 1, ..., 60 steps they are those of d - a sign d, to 1e-8 of a, and all are below a for the first time
    after the largest n_i steps, as integers."""
    generator, count, at = budget.generator("aligned"), budget.pick(5, 20), np.arange(61)
    U, V = eigenvectors(generator, count, ROWS)[..., :COLUMNS], eigenvectors(generator, count, COLUMNS)
    uniform = torch.rand(3, count, 1, COLUMNS, generator=generator, dtype=U.dtype, device=U.device)
    d = STEP * ((31 * uniform[0]).floor() + 0.1 + 0.8 * uniform[1]) * torch.where(uniform[2] < 0.5, -1.0, 1.0)
    E = visited(solver, lambda k, E: E, (U * d) @ V.mT, at.tolist())
    seen, d = (U.mT @ E @ V).diagonal(dim1=-2, dim2=-1).cpu().numpy(), d[:, 0].cpu().numpy()
    near = np.linalg.norm(E.cpu().numpy(), 2, axis=(-2, -1)) < STEP
    arrived = np.where(near.any(0), near.argmax(0), -1)
    predicted = muon_grid.on_the_grid(d, step, at[:, None, None])
    verdicts = {"values": agrees(1 + (seen - predicted) / step, 1.0, 1e-8)}
    return all_of(verdicts | {"arrival": equals_exactly(arrived, np.floor(np.abs(d) / step).max(-1).astype(int))})


@claim("exact", GONON)
@planted("the grid is stable", growing=False)
@planted("the factor of one step, twice", alternating=False)
def grid_is_unstable(budget: Budget, growing: bool = True, alternating: bool = True) -> Verdict:
    """S31, refined: Toward larger curvature a misalignment grows as the walk on the grid goes to and fro.

    By the factor 1 + rho (rho - 1) a^2/(r (a - r)) in two steps. For one column (2 x 1, W = (r, 1e-7 a), A = diag(1, rho)),
    r/a from 0.1 to 0.9, rho = 0.25, 0.65, 1, 2, 5 and 10, a = 0.05: within 1e-4. For rho > 1 that is more than 1: the walk
    on the grid does not last. For rho < 1 it is at most 1 in modulus, and the walk lasts, unless r (a - r) < rho (1 - rho)
    a^2/2: of these cells, where r/a is 0.1 or 0.9."""
    options = {"dtype": torch.float64, "device": budget.device}
    grid = torch.linspace(0.1, 0.9, 9, **options), torch.tensor([0.25, 0.65, 1.0, 2.0, 5.0, 10.0], **options)
    r, rho = torch.meshgrid(*grid, indexing="ij")
    start = torch.stack([r, torch.full_like(r, 1e-7)], -1).unsqueeze(-1) * STEP
    A = torch.stack([torch.ones_like(rho), rho], -1).unsqueeze(-1)
    once, twice = (e[..., 1, 0] / start[..., 1, 0] for e in visited(EXACT, lambda k, E: A * E, start, [1, 2]))
    predicted = 1 + (rho * (rho - 1) / (r * (1 - r)) if growing else 0 * r)
    return agrees((twice if alternating else once**2).cpu(), predicted.cpu(), 1e-4)


@claim("lower bound", GONON)
@planted("1 % more", factor=1.01)
@planted("a step that decreases", solvers={"decreasing": DECREASING})
def stalls_in_any_basis(budget: Budget, factor: float = 1.0, solvers: dict | None = None) -> Verdict:
    """S31, refined: From any start, with momentum or without, two gaps in a row of exact Muon with a constant step a sum to
    mu r a^2/4 at least.

    On <E, A E B>/2, 6 x 4, r = 4, A and B of condition 1, 10 and 100 each, 20 (quick: 5) normal starts, momentum 0 and 0.9,
    all pairs of 400 (quick: 200) steps, a = 0.05; attained, to rounding, on ||E||_F^2/2 from a/2 times a matrix with
    orthonormal columns. The bound falls with a^2: for a gap that falls without end the step has to."""
    count, length, measured, bound = budget.pick(5, 20), budget.pick(200, 400), [], factor * COLUMNS * STEP**2 / 4
    solvers = solvers or {"momentum 0": EXACT, "momentum 0.9": constant(0.9)}
    for c in CONDITIONS:
        generator = budget.generator("any basis", c)
        A, B, Q = hessians(generator, count, c)
        starts = [normal(generator, count, ROWS, COLUMNS)] + ([STEP / 2 * Q[..., :COLUMNS]] if c == 1 else [])
        for solver, start in ((solver, start) for solver in solvers.values() for start in starts):
            E = visited(solver, lambda k, E, A=A, B=B: A @ E @ B, start, range(length + 1))
            gap = ((A @ E @ B) * E).sum((-2, -1)).cpu().numpy() / 2
            measured.append((gap[1:] + gap[:-1]).min(0))
    least = np.concatenate(measured)
    return bound_holds(np.full(least.shape, bound), least).noting(median_over_bound=float(np.median(least) / bound))


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
