r"""Do matrix products remove the bottleneck of the singular value decomposition?

    time of U V^T of a Gaussian m x n matrix:    the SVD's, over that of each method in `orthogonalizers`

A step of degree 2q + 1 takes 4 m n^2 + 2 (q - 1) n^3 flops (`products_to_accuracy`), an SVD about 6 m n^2 + 20 n^3 (Golub
and Van Loan), but most of them are slower ones. Timed on Gaussian matrices, with as many steps as convergence takes for
kappa = 1e2; the accuracy that the time buys is measured in `orthogonal_digits`.

Seconds depend on the machine, which provenance.json names: they stand in tables and figures, never in the evidence. Methods
take turns within each of five rounds, in an order that rotates, after a call of each that is not timed; a claim about time
needs its factor in every cell of every round, and is refuted where some cell misses it in every round. The SVD of a bfloat16
matrix is that of its float32 copy. On a CPU: processor time of the one thread.

Sources: K. Jordan (2024); N. Amsel, D. Persson, C. Musco and R. Gower (2025), arXiv:2505.16932; G. Golub and C. Van Loan
(2013).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import torch
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted, revised
from ratewitness.studies.judges import all_of
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.timing import race, takes_at_most
from ratewitness.studies.norms.orthogonalizers import BEST, CUBIC, DTYPES, EXPRESS, MUON, errors, methods

SHARE = 1 / 1.3  # of the other's time, for a lead worth the name
SQUARE = {"aspects": (1,), "dtypes": ("float64",)}
PRODUCTS = (MUON, EXPRESS)
TALL = {"aspects": (4, 16), "dtypes": ("float64", "float32"), "least": 128}
LOOKS = {"SVD": "C7o-", "Gram": "C0s-", MUON: "C1^-", EXPRESS: "C2v-", CUBIC: "C3D-", BEST: "C4P-"}
SHOWN = ((1, "float64"), (4, "float32"))
FIVE = "five rounds of timing in place of three"


def cells(budget: Budget) -> list[tuple[int, int, str]]:
    """(m/n, n, dtype) that are timed; tall matrices end earlier, and on a CPU only float32 goes to 2048."""
    cuda = budget.device.startswith("cuda")
    last, tall = budget.pick(256, 16384 if cuda else 2048), budget.pick(256, 4096 if cuda else 512)
    sizes = [n for n in (64 * 2**j for j in range(9)) if n <= last]
    every = product((1, 4, 16), sizes, DTYPES)
    return [(a, n, t) for a, n, t in every if (a == 1 or n <= tall) and (n < 2048 or t == "float32" or cuda)]


def calls(budget: Budget, cell: tuple[int, int, str], k: int, columns: int | None = None) -> dict:
    """What is timed in round k on one Gaussian matrix, or on its first columns."""
    aspect, n, dtype = cell
    s = np.logspace(0, -2, n)  # kappa = 100 says how many steps convergence takes
    every, kept = methods(float(s[-1] / np.linalg.norm(s)), DTYPES[dtype]), {"SVD", "Gram", MUON, EXPRESS}
    kept |= {CUBIC, BEST} if aspect == 1 and dtype == "float64" else set()
    generator = budget.generator("gaussian", k, *cell)
    g = torch.randn(aspect * n, n, generator=generator, device=budget.device).to(DTYPES[dtype])[:, :columns]
    return {name: partial(f, g) for name, f in every.items() if name in kept}


@measured("seconds, revision 1")
def seconds(budget: Budget) -> pd.DataFrame:
    """Of each method in each cell and round, and the correct digits that it gives for kappa = 1e2 and n = 64."""
    timed = {cell: partial(calls, budget, cell) for cell in cells(budget)}
    warm = {cell: partial(calls, budget, cell, columns=512) for cell in timed}
    found = race(timed, ("aspect", "n", "dtype"), lambda cell: {64: 5, 128: 3}.get(cell[1], 1), warm)
    digits = -np.log10(errors(budget).query("kappa == 100").set_index(["method", "dtype"])["error"])
    return found.assign(digits=[digits[key] for key in zip(found["method"], found["dtype"], strict=True)])


def faster(
    budget: Budget, fast: str | tuple[str, ...], slow: str, aspects: Sequence[int] = (1, 4, 16),
    dtypes: Sequence[str] = tuple(DTYPES), least: int = 64, share: float = SHARE,
) -> Verdict:  # fmt: skip
    """Whether `fast`, or in each cell and round the fastest of several, takes at most that share of the time of `slow`
    wherever n >= least."""
    found = seconds(budget)
    chosen = found[found["aspect"].isin(aspects) & found["dtype"].isin(dtypes) & (found["n"] >= least)]
    chosen = chosen.drop(columns="digits")
    if not isinstance(fast, str):
        cell = [c for c in chosen if c not in ("method", "seconds")]
        least_of = chosen[chosen["method"].isin(fast)].groupby(cell, sort=False)["seconds"].min().reset_index()
        fast, chosen = "fastest", pd.concat([chosen, least_of.assign(method="fastest")], ignore_index=True)
    return takes_at_most(chosen, fast, slow, share).noting(n_to=float(chosen["n"].max())).showing(found)


@claim("cost", "S35; Jordan (2024); Amsel et al. (2025), arXiv:2505.16932")
@planted("the SVD is faster instead", fast="SVD", slow="Gram")
@planted("the products alone", fast=PRODUCTS)
def faster_as_stated(budget: Budget, fast=("Gram", *PRODUCTS), slow: str = "SVD") -> Verdict:
    """S35, read as: In float32 the fastest of three (an eigendecomposition, two sets of five products) takes at most 1/1.3
    of the time of the full SVD.

    "Can" is judged by exhibiting, and "much" left out: `much_faster_as_stated`. An eigendecomposition of G^T G and five
    steps of Muon's quintic or of Polar Express, of different accuracy (`orthogonal_digits`), for the same Gaussian matrix,
    at every size n from 256 on and m/n = 1, 4, 16 (quick: n = 256; full, on a CPU: square ones to 2048, tall ones to
    512)."""
    return faster(budget, fast, slow, dtypes=("float32",), least=256)


@claim("cost", "S35; Jordan (2024); Amsel et al. (2025), arXiv:2505.16932")
@planted("the SVD is faster instead", fast="SVD", slow=MUON)
@planted("the eigendecomposition as well", fast=("Gram", *PRODUCTS))
def much_faster_as_stated(budget: Budget, fast=PRODUCTS, slow: str = "SVD") -> Verdict:
    """S35, as stated: U V^T can be computed much faster than by the full SVD: in float32 five products take at most a
    quarter of its time.

    "Can" is judged by exhibiting the faster of five steps of Muon's quintic and of Polar Express, "much" as a factor 4, on
    the matrices of `faster_as_stated`. Not on training hardware: that is for a run with --device cuda to say."""
    return faster(budget, fast, slow, dtypes=("float32",), least=256, share=0.25)


@claim("cost", "S35; Jordan (2024); Amsel et al. (2025), arXiv:2505.16932")
@revised(1, FIVE)
@planted("the SVD is faster instead", fast="SVD", slow=MUON)
@planted("convergence in float64 as well", partial(faster, fast=CUBIC, slow="SVD", **SQUARE))
def products_beat_the_svd(budget: Budget, fast: str = MUON, slow: str = "SVD") -> Verdict:
    """S35, read as: For every matrix, five steps of Muon's quintic take at most 1/1.3 of the time of the SVD.

    Of the same Gaussian matrix, at every size n from 64 on and m/n = 1, 4, 16, in float64, float32 and bfloat16 (quick:
    n to 256; full, on a CPU: square ones to 1024 and in float32 to 2048, tall ones to 512)."""
    return faster(budget, fast, slow)


@claim("cost", "S35; one CPU core")
@revised(1, FIVE)
@planted("the other way round", partial(faster, fast="SVD", slow="Gram", **TALL))
@planted("five steps of Muon are faster than the Gram matrix", partial(faster, fast=MUON, slow="Gram", **TALL))
def gram_beats_both_on_tall_matrices(budget: Budget) -> Verdict:
    """S35, refined: On tall matrices it is the eigendecomposition of G^T G that saves time against the SVD and Muon's five
    steps.

    On Gaussian matrices, m/n = 4 and 16, n from 128 on (quick: to 256; full, on a CPU: to 512), in float64 and float32, it
    takes at most 1/1.3 of the SVD's time and of that of five steps of Muon's quintic."""
    return all_of({slow: faster(budget, "Gram", slow, **TALL) for slow in ("SVD", MUON)})


@claim("cost", "S35; one CPU core")
@revised(1, FIVE)
@planted("in a tenth of its time", share=0.1)
@planted("Newton-Schulz is faster", fast=CUBIC, slow="SVD")
def the_svd_wins_at_full_accuracy(budget: Budget, fast: str = "SVD", slow: str = CUBIC, share: float = SHARE) -> Verdict:
    """S35, refined: At the accuracy of float64 the SVD takes at most 1/1.3 of the time of the cubic Newton-Schulz iteration.

    On square Gaussian matrices, n from 128 on (quick: to 256; full, on a CPU: to 1024), the cubic is the slowest that is
    timed, with as many steps as the accuracy of float64 takes for kappa = 1e2."""
    return faster(budget, fast, slow, **SQUARE, least=128, share=share)


@claim("cost", "S35; Amsel et al. (2025), arXiv:2505.16932; one CPU core")
@revised(1, FIVE)
@planted("the cubic as well", fast=CUBIC)
@planted("ten times as fast as the cubic", slow=CUBIC, share=0.1)
def the_best_products_win_at_full_accuracy(budget: Budget, fast=BEST, slow="SVD", share=SHARE) -> Verdict:
    """S35, read as: At the accuracy of float64, the optimal composition of quintics takes at most 1/1.3 of the SVD's time.

    On square Gaussian matrices, n from 128 on (quick: to 256; full, on a CPU: to 1024), it takes the fewest products, with
    as many steps as the accuracy of float64 takes for kappa = 1e2."""
    return faster(budget, fast, slow, **SQUARE, least=128, share=share)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = verdicts["products_beat_the_svd"].table
    median = found.groupby(["aspect", "n", "dtype", "method"], sort=False)["seconds"].median().unstack("method")
    ratio = median.rdiv(median["SVD"], axis=0).drop(columns="SVD").map(lambda r: f"{r:.2f}" if r == r else "--")
    ratio.insert(0, "SVD (ms)", median["SVD"].map(lambda s: f"{1e3 * s:.3g}"))
    each = found.pivot_table(index=["aspect", "dtype", "n", "round"], columns="method", values="seconds")
    wins = (each.drop(columns="SVD").rdiv(each["SVD"], axis=0) >= 1 / SHARE).groupby(["aspect", "dtype", "n"]).all()
    sizes = wins.groupby(["aspect", "dtype"]).agg(lambda won: ", ".join(str(key[2]) for key in won.index[won]) or "--")
    names = {"aspect": "$m/n$", "n": "$n$"}
    return {
        "time-of-svd-over-time": ratio.reset_index().rename(columns=names),
        "sizes-that-win": sizes.reset_index().rename(columns=names),
    }


def figures(verdicts: dict[str, Verdict]) -> dict:
    found = verdicts["products_beat_the_svd"].table.groupby(["aspect", "dtype", "method", "n", "digits"], sort=False)
    found = found["seconds"].agg(measured="median", low="min", high="max").reset_index()
    sizes = sorted(found["n"].unique())
    ticks = {"xticks": sizes, "xticklabels": list(map(str, sizes))}
    above, below = [], []
    for aspect, dtype in SHOWN:
        part = found[(found["aspect"] == aspect) & (found["dtype"] == dtype)]
        shared = {"title": f"{dtype}, $m/n = {aspect}$", "options": ticks}
        above.append(Panel(part, "n", "size $n$", "time (s)", **shared))
        below.append(Panel(part, "n", "size $n$", "time per digit (s)", unit="digits", **shared))
    caption = (
        "Time of an orthogonalization of Gaussian matrices against the size $n$ (points: median of five rounds, whiskers: "
        r"least and largest), and below it per correct digit: of the error for $\kappa = 10^2$ and $n = 64$, 0.3 digits "
        "after five steps, say."
    )
    return {"time": panels(caption, LOOKS, above, below, height=2.2)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
