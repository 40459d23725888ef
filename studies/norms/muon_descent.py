r"""How much descent do a few steps of matrix products lose against the exact polar factor?

    <g, f(g)>/||g||_* >= m,    ||f(g)||_2 <= p(m),    [m, p(m)] = [0.6818, 1.1344]  the band of `muon_band`

The result is f(g) = U S' V^T with the singular vectors of g, so what is lost against the exact oracle U V^T is a weighted
mean of S', and what is gained by leaving the unit ball of the spectral norm must not be counted. How near the steps come to
U V^T is the distance ||f(g) - U V^T||_F/||U V^T||_F: 0 of U V^T, 1/2 of U V^T/2, 1 of nothing. To a small error:
`few_steps`.

Source: K. Jordan (2024), github.com/KellerJordan/Muon.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import torch
from ratewitness.solvers.norms.polar import ExactPolar, MuonQuintic, NewtonSchulz, PolarExpress
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds
from ratewitness.studies.norms.spectra import geometric, with_singular_values
from ratewitness.theory import muon_quintic
from torch import Tensor

LOW, HIGH = map(float, muon_quintic.band())
METHODS = {
    "exact": ExactPolar(),
    "no step": lambda g: g / torch.linalg.matrix_norm(g, 2, keepdim=True),
    "cubic Newton-Schulz, 2 steps": NewtonSchulz(2),
    "Muon, 5 steps": MuonQuintic(),
    "Muon, 10 steps": MuonQuintic(10),
    "cubic Newton-Schulz, 5 steps": NewtonSchulz(5),
    "Polar Express, 5 steps": PolarExpress(5),
    "Polar Express, 8 steps": PolarExpress(8),
}


def drawn(generator: torch.Generator, count: int) -> dict[str, Tensor]:
    """That many matrices of each spectrum."""
    n = 128
    options = {"generator": generator, "device": generator.device, "dtype": torch.float64}
    spectra = {"Gaussian, square": torch.randn(count, n, n, **options)}
    spectra["Gaussian, 1:4"] = torch.randn(count, n, 4 * n, **options)
    for k in (1, 3, 5):
        s = geometric(torch.full((count,), 10.0**k, dtype=torch.float64, device=generator.device), n)
        spectra[f"geometric, condition 1e{k}"] = with_singular_values(s, n, generator)[0]
    low_rank = torch.randn(count, n, 4, **options) @ torch.randn(count, 4, n, **options)
    return spectra | {"rank 4 and noise": low_rank + 0.01 * torch.randn(count, n, n, **options)}


@measured("muon_band")
def descent(budget: Budget) -> pd.DataFrame:
    """<g, f(g)>/||g||_* and ||f(g)||_2 for several spectra, and their quotient, the descent of a feasible step: the worst of
    several matrices."""
    found = []
    for spectrum, G in drawn(budget.generator("descent"), budget.pick(2, 16)).items():
        s = torch.linalg.svdvals(G)
        least = float((s[..., -1] / torch.linalg.matrix_norm(G)).min())
        for name, method in METHODS.items():
            X = method(G)
            ratio, norm = (G * X).sum((-2, -1)) / s.sum(-1), torch.linalg.matrix_norm(X, 2)
            row = {"spectrum": spectrum, "method": name, "l": least, "descent": float(ratio.min())}
            found.append(row | {"norm": float(norm.max()), "feasible_descent": float((ratio / norm).min())})
    return pd.DataFrame(found)


STEPS = (0, 5, 10)
ITERATIONS = {"Newton-Schulz": NewtonSchulz, "Polar Express": PolarExpress, "Muon": MuonQuintic}


@measured
def distances(budget: Budget) -> pd.DataFrame:
    """||f(g) - U V^T||_F/||U V^T||_F after STEPS, of each spectrum and matrix."""
    found = []
    for spectrum, G in drawn(budget.generator("distances"), budget.pick(2, 16)).items():
        polar = ExactPolar()(G)
        for (name, made), steps in product(ITERATIONS.items(), STEPS):
            X = made(steps)(G) if steps else G / torch.linalg.matrix_norm(G, keepdim=True)
            off = torch.linalg.matrix_norm(X - polar) / torch.linalg.matrix_norm(polar)
            part = {"spectrum": spectrum, "method": name, "steps": steps, "matrix": range(len(off)), "distance": off.cpu()}
            found.append(pd.DataFrame(part))
    return pd.concat(found, ignore_index=True)


BOTH = ("Newton-Schulz", "Polar Express")
DISTANCES = {f"{name}, {k} steps": "distance" for name in ITERATIONS for k in STEPS[1:]}


@claim("upper bound", "S34; K. Jordan (2024); Amsel et al. (2025), arXiv:2505.16932", units=DISTANCES)
@planted("Polar Express alone", methods=BOTH[1:])
@planted("Muon's quintic", methods=("Muon",))
@planted("square Gaussian matrices alone", spectra=("Gaussian, square",))
def near_as_stated(budget: Budget, methods: tuple[str, ...] = BOTH, spectra: tuple[str, ...] | None = None) -> Verdict:
    """S34, read as: On every spectrum five steps of Newton-Schulz and of Polar Express end nearer to U V^T than U V^T/2
    is.

    "An approximation" is read as a relative distance of at most 1/2 in the Frobenius norm, where nothing at all has 1,
    on ill-conditioned spectra as well, and "few" as five, Muon's number: the cubic iteration and Polar Express as
    published, on Gaussian matrices n x n and n x 4n, on geometric spectra of condition 10, 1e3 and 1e5, and on rank 4
    with noise of 0.01; n = 128, 16 of each (quick: 2). With an error of 1e-2: `few_steps.few_steps_as_stated`."""
    found = distances(budget).query("steps == 5 and method in @methods")
    mine = found if spectra is None else found.query("spectrum in @spectra")
    worst = mine.groupby("method")["distance"].max()
    verdict = bound_holds(mine["distance"], 0.5)
    return verdict.noting(**{f"{name}, 5 steps": float(value) for name, value in worst.items()})


@claim("upper bound", "S34; K. Jordan (2024); Amsel et al. (2025), arXiv:2505.16932", units=DISTANCES)
@planted("Muon's quintic as well", methods=tuple(ITERATIONS))
@planted("half the distance each time", share=0.5)
def nearer_with_more_steps(budget: Budget, methods: tuple[str, ...] = BOTH, share: float = 1.0) -> Verdict:
    """S34, as stated: Newton-Schulz and Polar Express approximate U V^T: five steps bring every matrix nearer to it, and
    ten steps nearer still.

    On the matrices of `near_as_stated`, in the Frobenius norm, beginning with g/||g||_F: how near depends on the
    spectrum. Muon's quintic stays at a distance (`muon_values`)."""
    found = distances(budget).query("method in @methods")
    each = found.pivot_table(index=["method", "spectrum", "matrix"], columns="steps", values="distance")
    before, after = each[[0, 5]].to_numpy().ravel(), each[[5, 10]].to_numpy().ravel()
    worst = each.groupby("method")[[5, 10]].max().stack()
    verdict = bound_holds(after, share * before)
    return verdict.noting(**{f"{name}, {k} steps": float(value) for (name, k), value in worst.items()})


FIVE = ("Muon, 5 steps", "cubic Newton-Schulz, 5 steps", "Polar Express, 5 steps")


@claim("lower bound", "S34; K. Jordan (2024), github.com/KellerJordan/Muon; Amsel et al. (2025), arXiv:2505.16932")
@planted("g itself, without a step", methods=("no step",))
@planted("two steps of the cubic", methods=("cubic Newton-Schulz, 2 steps",))
@planted("0.7 of it", share=0.7)
def approximate_as_stated(budget: Budget, methods: tuple[str, ...] = FIVE, share: float = 0.6) -> Verdict:
    """S34, refined: Scaled into the unit ball, five steps of Newton-Schulz, of Muon's quintic and of Polar Express keep 0.6
    of the descent of U V^T.

    On some spectra so does no step: g/||g||_2 keeps about 0.8 on rank 4 with noise, 0.7 on Gaussian n x 4n matrices, 0.6 on
    square ones and 0.51 to 0.55 on the geometric spectra. How near the steps come to U V^T itself: `near_as_stated`. Judged
    is <g, f(g)>/(||g||_* ||f(g)||_2) >= 0.6 for the cubic iteration, the quintic and Polar Express as published, on Gaussian
    matrices n x n and n x 4n, on geometric spectra of condition 10, 1e3 and 1e5, and on rank 4 with noise of 0.01; n = 128,
    16 of each (quick: 2). U V^T itself has 1; 0.601 is what is certified of the band."""
    table = descent(budget)
    mine = table[table["method"].isin(methods)]
    least = mine.groupby("method")["feasible_descent"].min()
    verdict = bound_holds(np.full(len(mine), share), mine["feasible_descent"])
    return verdict.noting(**{f"least of {name}": float(value) for name, value in least.items()})


@claim("lower bound", "S34; K. Jordan (2024), github.com/KellerJordan/Muon; theory/muon_quintic.py")
@planted("nothing is lost", share=1.0)
@planted("the step stays in the ball", norm=1.0)
@planted("a feasible step keeps 95 %", feasible=0.95)
def descent_lost(budget: Budget, share: float = LOW, norm: float = HIGH, feasible: float = LOW / HIGH) -> Verdict:
    """S34: Once all singular values are in the band, Muon's step, scaled into the unit ball, keeps at least 0.601 of the
    exact descent.

    With m = 0.6818 and p(m) = 1.1344, <g, f(g)> is at least m of the exact oracle's ||g||_*, and the step leaves the
    unit ball of the spectral norm by at most the factor p(m); m/p(m) = 0.601. Ten steps on Gaussian, geometric and
    nearly low-rank gradients; spectra whose least value is not in the band after ten steps are left out."""
    table = descent(budget)
    mine = table[(table["method"] == "Muon, 10 steps") & (table["l"] >= float(muon_quintic.reach(10)))]
    parts = {
        "descent": bound_holds(np.full(len(mine), share), mine["descent"]),
        "norm": bound_holds(mine["norm"], norm),
        "feasible": bound_holds(np.full(len(mine), feasible), mine["feasible_descent"]),
    }
    return all_of(parts).showing(table)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    names = {"l": r"least $\sigma/\lVert G\rVert_F$", "norm": r"$\lVert f(g)\rVert_2$"}
    names["descent"] = r"$\langle g, f(g)\rangle/\lVert g\rVert_*$"
    return {"descent": verdicts["descent_lost"].table.rename(columns=names | {"feasible_descent": "their quotient"})}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
