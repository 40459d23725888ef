r"""Do matrix products remove the bottleneck of the singular value decomposition, and at what accuracy?

    polar factor of G = U S V^T (m x n, m >= n):    U V^T,  characterized by  X^T X = I  and  X^T G symmetric, X^T G >= 0

    SVD                      U V^T                                        any G
    Gram                     G (G^T G)^{-1/2} by an eigendecomposition    squares the condition number
    Muon                     five steps of its quintic                    to a band around 1, for kappa up to about 1e2
    Polar Express            five steps, as published                     the same, in one precision or another
    Newton-Schulz            as many steps as it takes                    T grows like log kappa

Errors need no reference: the larger of ||X^T X - I||_2 and the asymmetry ||H - H^T||_F/(2 ||G||_F), H = X^T G. A step of
degree 2q + 1 takes q + 1 products: 4 m n^2 + 2 (q - 1) n^3 flops; an SVD takes about 6 m n^2 + 20 n^3 (Golub and Van
Loan), but most of them are slower ones.

Two kinds of matrices: errors are those of singular values log-spaced from 1 to 1/kappa. For kappa = 1e6 the SVD in float32
(and so in bfloat16) and Gram in float32 have error 1: singular values below n eps of the largest, squared ones for Gram,
count as zero and are dropped. The optimal quintics without a cushion turn infinite there in bfloat16: rounding carries
singular values beyond the interval on which the next quintic is bounded. Times are those of Gaussian matrices, with as many
steps as convergence takes for kappa = 1e2.

Seconds depend on the machine: they stand in tables and figures, never in the evidence. Methods take turns within each of
three rounds, in an order that rotates, after a call of each that is not timed; a claim about time needs its factor in every
cell of every round, and is refuted where some cell misses it in every round. The SVD of a bfloat16 matrix is that of its
float32 copy. On a CPU: processor time of the one thread.

Sources: K. Jordan (2024); N. Amsel, D. Persson, C. Musco and R. Gower (2025), arXiv:2505.16932; N. Higham (2008), Functions
of Matrices, chapter 8; G. Golub and C. Van Loan (2013).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.solvers.norms.inverse_root import inverse_root
from ratewitness.solvers.norms.odd_polynomials import greedy_composition, pade_polynomial
from ratewitness.solvers.norms.polar import ExactPolar, MuonQuintic, NewtonSchulz, PolarExpress
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, bound_holds, equals_exactly, exponent_is
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.studies.norms.spectra import geometric, with_singular_values
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}
FACTOR, ROUNDS = 1.3, 3
SMALL = 64  # the size at which accuracy is measured
DONE = 1e-10  # the error of a singular value at which an iteration in float64 is done


def gram(g: Tensor) -> Tensor:
    """G (G^T G)^{-1/2}."""
    return g @ inverse_root(g.mT @ g, 2)


def matrices(budget: Budget, kappa: float, count: int) -> tuple[Tensor, float]:
    """(count, SMALL, SMALL) with singular values log-spaced from 1 to 1/kappa and random singular vectors, and the least
    singular value after division by the Frobenius norm."""
    s = geometric(torch.full((count,), kappa, dtype=torch.float64, device=budget.device), SMALL)
    g, _ = with_singular_values(s, SMALL, budget.shared("matrices").generator(kappa, SMALL, SMALL))
    return g, float(s[0, -1] / s[0].norm())


def off_orthogonal(x: Tensor) -> np.ndarray:
    """||X^T X - I||_2 in float64, inf where X is not finite: (*batch, m, n) -> (*batch,)."""
    finite = x.isfinite().all(-1).all(-1)
    x = x.double().where(finite[..., None, None], 0.0)
    eye = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    return torch.linalg.matrix_norm(x.mT @ x - eye, 2).where(finite, torch.inf).cpu().numpy()


def error(x: Tensor, g: Tensor) -> np.ndarray:
    """The larger of ||X^T X - I||_2 and the asymmetry of X^T G: (*batch, m, n) twice -> (*batch,)."""
    H = x.double().mT @ g.double()
    asymmetry = torch.linalg.matrix_norm(H - H.mT) / (2 * torch.linalg.matrix_norm(g.double()))
    return np.fmax(off_orthogonal(x), asymmetry.cpu().numpy())


def steps_needed(polynomials, least: float, tolerance: float) -> int:
    """The first T with |1 - p_T(...p_1(least))| <= tolerance; polynomials: t -> coefficients of the t-th."""
    x, t = least, 0
    while abs(1 - x) > tolerance:
        x = x * np.polyval(polynomials(t)[::-1], x * x)
        t += 1
    return t


def newton_schulz_steps(degree: int, least: float, tolerance: float = DONE) -> int:
    return steps_needed(lambda t: pade_polynomial(degree), least, tolerance)


def polar_express(least: float, tolerance: float = DONE) -> PolarExpress:
    """The optimal composition of quintics on [least, 1], as long as it takes."""
    steps = next(t for t in range(1, 40) if greedy_composition(t, 5, least).errors[-1] <= tolerance)
    return PolarExpress(steps, low=least, cushion=0.0, safety=1.0, eps=0.0)


@cache
def first_accurate(budget: Budget) -> pd.DataFrame:
    """Steps of the matrix iterations until every singular value is within DONE of 1, and those of the scalar recursion."""
    rows = []
    for kappa in (1e1, 1e2, 1e4, 1e6):
        g, least = matrices(budget, kappa, 1)
        for name, degree in (("Newton-Schulz 3", 3), ("Newton-Schulz 5", 5), ("Newton-Schulz 7", 7)):
            measured = next(t for t in range(1, 100) if _worst(NewtonSchulz(t, degree)(g)) <= DONE)
            rows.append([kappa, least, name, (degree + 1) // 2, measured, newton_schulz_steps(degree, least)])
        optimal = polar_express(least)
        composed = [PolarExpress(t, low=least, cushion=0.0, safety=1.0, eps=0.0) for t in range(1, 20)]
        measured = next(f.steps for f in composed if _worst(f(g)) <= DONE)
        rows.append([kappa, least, "Polar Express", 3, measured, optimal.steps])
    found = pd.DataFrame(rows, columns=["kappa", "least", "method", "products a step", "measured", "predicted"])
    return found.assign(products=found["measured"] * found["products a step"])


def _worst(x: Tensor) -> float:
    return float((torch.linalg.svdvals(x.double()) - 1).abs().max())


def products_are(budget: Budget, change: Callable = lambda found: found["predicted"]) -> Verdict:
    found = first_accurate(budget.shared("products"))
    evidence = {
        f"{row.method}, kappa {row.kappa:.0e}": float(row.products)
        for row in found.itertuples()
        if row.kappa in (1e2, 1e6) and row.method != "Newton-Schulz 7"
    }
    return equals_exactly(found["measured"], change(found)).noting(**evidence).showing(found)


@claim(
    kind="exact",
    source="S35; Higham (2008); Amsel et al. (2025), arXiv:2505.16932",
    planted={
        "one step less": lambda budget: products_are(budget, lambda found: found["predicted"] - 1),
        "steps in proportion to kappa": lambda budget: products_are(
            budget, lambda found: (found["predicted"] * found["kappa"] / 10).astype(int)
        ),
        "five steps are enough": lambda budget: products_are(budget, lambda found: 0 * found["predicted"] + 5),
    },
)
def products_to_full_accuracy(budget: Budget) -> Verdict:
    """S35, refined: To bring every singular value of a float64 matrix within 1e-10 of 1, kappa = 1e1 to 1e6, Newton-Schulz
    of degree 3, 5 and 7 and the optimal composition of quintics take as many steps as the smallest singular value takes in
    their scalar recursion: all integers equal. A step takes (degree + 1)/2 products; evidence: the products."""
    return products_are(budget)


def counted(f: Callable, m: int, n: int) -> int:
    """Flops of the products of one call, 2 for a multiplication with an addition."""
    counter = FlopCounterMode(display=False)
    with counter:
        f(torch.eye(m, n, dtype=torch.float64))
    return counter.get_total_flops()


def flops_are(formula: Callable[[int, int, int, int], int]) -> Verdict:
    measured, predicted = [], []
    for (m, n), T in product(((64, 64), (256, 64), (64, 256), (160, 10)), (1, 5)):
        for f, q in ((MuonQuintic(T), 2), (PolarExpress(T), 2), (NewtonSchulz(T, 3), 1), (NewtonSchulz(T, 7), 3)):
            measured.append(counted(f, m, n))
            predicted.append(formula(T, q, max(m, n), min(m, n)))
    return equals_exactly(measured, predicted)


@claim(
    kind="cost",
    source="S35; solvers/norms/polar.py",
    planted={
        "q products a step": lambda budget: flops_are(lambda T, q, m, n: T * (2 * m * n**2 + 2 * (q - 1) * n**3)),
        "the larger Gram matrix": lambda budget: flops_are(lambda T, q, m, n: T * (4 * n * m**2 + 2 * (q - 1) * m**3)),
    },
)
def flops_of_the_iterations(budget: Budget) -> Verdict:
    """S35, refined: T steps of degree 2q + 1 on an m x n matrix, m >= n or its transpose, take T (4 m n^2 + 2 (q - 1) n^3)
    flops in products, counted as they are executed: for Muon's five steps on a square matrix 30 n^3."""
    return flops_are(lambda T, q, m, n: T * (4 * m * n**2 + 2 * (q - 1) * n**3))


def methods(least: float, dtype: torch.dtype) -> dict[str, Callable[[Tensor], Tensor]]:
    tolerance = float(torch.finfo(dtype).eps)
    every = {
        "SVD": ExactPolar(),
        "Gram": gram,
        "Newton-Schulz 3": NewtonSchulz(newton_schulz_steps(3, least, tolerance), 3),
        "Newton-Schulz 5": NewtonSchulz(newton_schulz_steps(5, least, tolerance), 5),
        "Polar Express, converged": polar_express(least, tolerance),
        "Polar Express, 5 steps": PolarExpress(5),
        "Muon, 5 steps": MuonQuintic(5),
    }
    if dtype is torch.bfloat16:
        del every["Gram"]
    return every


@cache
def errors(budget: Budget) -> pd.DataFrame:
    """Error of each method, precision and condition number: the largest over ten matrices 64 x 64."""
    rows = []
    for kappa, (name, dtype) in product((1e2, 1e6), DTYPES.items()):
        g, least = matrices(budget, kappa, 10)
        g = g.to(dtype)
        for method, f in methods(least, dtype).items():
            rows.append([method, name, kappa, float(error(f(g), g).max()), torch.finfo(dtype).eps])
    return pd.DataFrame(rows, columns=["method", "dtype", "kappa", "error", "eps"])


STABLE = ("SVD", "Newton-Schulz 3", "Newton-Schulz 5")


def as_accurate_as(budget: Budget, methods: tuple[str, ...], factor: float) -> Verdict:
    found = errors(budget.shared("errors"))
    # where kappa n eps > 1 the SVD cannot tell the smallest singular values from zero, and drops them
    judged = found[found["method"].isin(methods) & (found["kappa"] * SMALL * found["eps"] < 0.1)]
    return bound_holds(judged["error"], factor * judged["eps"]).showing(found)


@claim(
    kind="upper bound",
    source="S35; Higham (2008)",
    planted={
        "a hundredth of it": lambda budget: as_accurate_as(budget, STABLE, 0.01 * SMALL),
        "the Gram matrix as well": lambda budget: as_accurate_as(budget, (*STABLE, "Gram"), SMALL),
        "the optimal quintics as well": lambda budget: as_accurate_as(budget, (*STABLE, "Polar Express, converged"), SMALL),
        "five steps of Muon as well": lambda budget: as_accurate_as(budget, (*STABLE, "Muon, 5 steps"), SMALL),
        "five steps of Polar Express as well": lambda budget: as_accurate_as(
            budget, (*STABLE, "Polar Express, 5 steps"), SMALL
        ),
    },
)
def accuracy_at_convergence(budget: Budget) -> Verdict:
    """S35, refined: With as many steps as its scalar recursion asks for, Newton-Schulz (degree 3 and 5) is as accurate as
    the SVD: error at most n eps, n = 64, for kappa = 1e2 in float64 and float32 and for kappa = 1e6 in float64. The optimal
    composition of quintics, without the published cushion, is not: its large first steps lose digits for kappa = 1e6."""
    return as_accurate_as(budget, STABLE, SMALL)


def muon_reaches(budget: Budget, limits: dict[float, tuple[float, float]]) -> Verdict:
    """The error of five steps, in every precision, between the limits for each condition number."""
    found = errors(budget.shared("errors"))
    found = found[found["method"].isin(["Muon, 5 steps", "Polar Express, 5 steps"])]
    verdicts = {}
    for kappa, (low, high) in limits.items():
        here = found.loc[found["kappa"] == kappa, "error"]
        verdicts[f"kappa {kappa:.0e}, above"] = bound_holds(low / here, 1.0)
        verdicts[f"kappa {kappa:.0e}, below"] = bound_holds(here, high)
    return all_of(verdicts)


@claim(
    kind="phenomenon",
    source="S35; Jordan (2024); Amsel et al. (2025), arXiv:2505.16932",
    planted={
        "exact to a per cent": lambda budget: muon_reaches(budget, {1e2: (0.0, 0.01)}),
        "as good for kappa = 1e6": lambda budget: muon_reaches(budget, {1e6: (0.1, 0.9)}),
    },
)
def accuracy_of_five_steps(budget: Budget) -> Verdict:
    """S35, refined: Five steps, of Muon's quintic or of Polar Express as published, leave ||X^T X - I||_2 between 0.1 and
    0.9 for kappa = 1e2 and above 0.99 for kappa = 1e6 (64 x 64), in float64, float32 and bfloat16 alike: they do not
    replace the SVD, not even its first digit."""
    return muon_reaches(budget, {1e2: (0.1, 0.9), 1e6: (0.99, 1.01)})


@cache
def orthogonality(budget: Budget) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Condition numbers, and ||X^T X - I||_2 in float64 (kappas, groups of 10 matrices) of Gram and of the SVD."""
    kappas = np.logspace(3, 6, 10)
    found = {"Gram": [], "SVD": []}
    for kappa in kappas:
        g, _ = matrices(budget, float(kappa), 50)
        found["Gram"].append(off_orthogonal(gram(g)).reshape(5, 10).mean(1))
        found["SVD"].append(off_orthogonal(ExactPolar()(g)).reshape(5, 10).mean(1))
    return kappas, {name: np.stack(values) for name, values in found.items()}


def loses(budget: Budget, method: str, exponent: float) -> Verdict:
    kappas, found = orthogonality(budget.shared("orthogonality"))
    table = {"kappa": kappas, **{name: values.mean(1) for name, values in found.items()}}
    return exponent_is(1 / kappas, found[method], exponent, 0.25).showing(table)


@claim(
    kind="exponent",
    source="S35; Higham (2008)",
    planted={
        "like kappa": lambda budget: loses(budget, "Gram", 1.0),
        "the SVD as well": lambda budget: loses(budget, "SVD", 2.0),
    },
)
def gram_loses_twice_the_digits(budget: Budget) -> Verdict:
    """S35, refined: The error ||X^T X - I||_2 of G (G^T G)^{-1/2} by an eigendecomposition grows like a power of kappa with
    an exponent between 1.75 and 2.25 in float64, for kappa from 1e3 to 1e6, where it stands clear of the rounding errors
    that any method makes."""
    return loses(budget, "Gram", 2.0)


def cells(budget: Budget) -> list[tuple[int, int, str]]:
    """(m/n, n, dtype) that are timed; tall matrices end earlier, and on a CPU only float32 goes to 2048."""
    cuda = budget.device.startswith("cuda")
    last = {"quick": 256, "full": 16384 if cuda else 2048}[budget.name]
    sizes = [64 * 2**j for j in range(9) if 64 * 2**j <= last]
    tall = budget.pick(256, 4096 if cuda else 512)
    return [
        (aspect, n, dtype)
        for aspect, n, dtype in product((1, 4, 16), sizes, DTYPES)
        if (aspect == 1 or n <= tall) and (n < 2048 or dtype == "float32" or cuda)
    ]


def timed_methods(aspect: int, n: int, dtype: str) -> dict[str, Callable[[Tensor], Tensor]]:
    s = np.logspace(0, -2, n)  # kappa = 100 says how many steps convergence takes
    every = methods(float(s[-1] / np.linalg.norm(s)), DTYPES[dtype])
    kept = {"SVD", "Gram", "Muon, 5 steps", "Polar Express, 5 steps"}
    if aspect == 1 and dtype == "float64":
        kept |= {"Newton-Schulz 3", "Polar Express, converged"}
    return {name: f for name, f in every.items() if name in kept}


@cache
def seconds(budget: Budget) -> pd.DataFrame:
    """Median seconds of each method in each round, on Gaussian matrices."""
    rows, known = [], {cell: timed_methods(*cell) for cell in cells(budget)}
    for k, (cell, compared) in product(range(ROUNDS), known.items()):
        aspect, n, dtype = cell
        generator = budget.generator("gaussian", k, *cell)
        g = torch.randn(aspect * n, n, generator=generator, device=budget.device).to(DTYPES[dtype])
        taken = {name: [] for name in compared}
        for f in compared.values():  # a first call allocates and loads, which is little beside a run of n > 512
            f(g[:, :512])
        names = list(compared)
        for j in range(5 if n <= 64 else 3 if n <= 128 else 1):
            first = (k + j) % len(names)
            for name in names[first:] + names[:first]:
                taken[name].append(_seconds(compared[name], g))
        rows += [[k, *cell, name, float(np.median(values))] for name, values in taken.items()]
    return pd.DataFrame(rows, columns=["round", "aspect", "n", "dtype", "method", "seconds"])


def _seconds(f: Callable, g: Tensor) -> float:
    if not g.is_cuda:
        begin = time.thread_time()  # what other processes take of the core does not count
        f(g)
        return time.thread_time() - begin
    torch.cuda.synchronize()
    begin = time.perf_counter()
    f(g)
    torch.cuda.synchronize()
    return time.perf_counter() - begin


def faster(
    budget: Budget, fast: str, slow: str, aspects=(1, 4, 16), dtypes=tuple(DTYPES), least: int = 64, factor: float = FACTOR
) -> Verdict:
    """Whether `fast` takes at most 1/factor of the time of `slow`: in every cell of every round (supported), or in some cell
    of no round (refuted). Evidence without any measured time."""
    found = seconds(budget.shared("seconds"))
    chosen = found[found["aspect"].isin(aspects) & found["dtype"].isin(dtypes) & (found["n"] >= least)]
    wide = chosen.pivot_table(index=["aspect", "n", "dtype"], columns=["method", "round"], values="seconds", dropna=False)
    ratio = (wide[slow] / wide[fast]).dropna(how="all").to_numpy()  # (cells, rounds)
    enough = ratio >= factor  # NaN is not
    outcome = "inconclusive"
    if ratio.size and enough.all():
        outcome = "supported"
    elif ratio.size and np.isfinite(ratio).all() and not enough.any(1).all():
        outcome = "refuted"
    sizes = chosen["n"]
    evidence = {"factor": factor, "rounds": float(ROUNDS), "cells": float(len(ratio)), "n_to": float(sizes.max())}
    return Verdict(outcome, evidence).showing(found)


@claim(
    kind="cost",
    source="S35; Jordan (2024); Amsel et al. (2025), arXiv:2505.16932",
    planted={
        "the SVD is faster instead": lambda budget: faster(budget, "SVD", "Muon, 5 steps"),
        "convergence in float64 as well": lambda budget: faster(budget, "Newton-Schulz 3", "SVD", (1,), ("float64",)),
    },
)
def products_beat_the_svd(budget: Budget) -> Verdict:
    """S35, as stated for every matrix: Five steps of Muon's quintic take at most 1/1.3 of the time of the SVD of the same
    Gaussian matrix at every size n from 64 on (quick: to 256), m/n = 1, 4, 16, float64, float32 and bfloat16."""
    return faster(budget, "Muon, 5 steps", "SVD")


@claim(
    kind="cost",
    source="S35; one CPU core",
    planted={
        "the other way round": lambda budget: faster(budget, "SVD", "Gram", (4, 16), ("float64", "float32"), 128),
        "five steps of Muon are faster than the Gram matrix": lambda budget: faster(
            budget, "Muon, 5 steps", "Gram", (4, 16), ("float64", "float32"), 128
        ),
    },
)
def gram_beats_both_on_tall_matrices(budget: Budget) -> Verdict:
    """S35, refined: On tall Gaussian matrices, m/n = 4 and 16, n from 128 on, in float64 and float32, it is the
    eigendecomposition of G^T G that saves time: at most 1/1.3 of the SVD's and of that of five steps of Muon's quintic."""
    where = ((4, 16), ("float64", "float32"), 128)
    return all_of({slow: faster(budget, "Gram", slow, *where) for slow in ("SVD", "Muon, 5 steps")})


@claim(
    kind="cost",
    source="S35; one CPU core",
    planted={
        "Newton-Schulz is faster": lambda budget: faster(budget, "Newton-Schulz 3", "SVD", (1,), ("float64",), 128),
    },
)
def the_svd_wins_at_full_accuracy(budget: Budget) -> Verdict:
    """S35, refined: The SVD takes at most 1/1.3 of the time of the cubic Newton-Schulz iteration, the slowest that is timed,
    with as many steps as the accuracy of float64 takes for kappa = 1e2, on square Gaussian matrices, n from 128 on (quick:
    to 256; full: to 1024)."""
    return faster(budget, "SVD", "Newton-Schulz 3", (1,), ("float64",), 128)


@claim(
    kind="cost",
    source="S35; Amsel et al. (2025), arXiv:2505.16932; one CPU core",
    planted={
        "the cubic as well": lambda budget: faster(budget, "Newton-Schulz 3", "SVD", (1,), ("float64",), 128),
        "ten times as fast as the cubic": lambda budget: faster(
            budget, "Polar Express, converged", "Newton-Schulz 3", (1,), ("float64",), 128, 10.0
        ),
    },
)
def the_best_products_win_at_full_accuracy(budget: Budget) -> Verdict:
    """S35, as stated at full accuracy: The optimal composition of quintics, which takes the fewest products, with as many
    steps as the accuracy of float64 takes for kappa = 1e2, needs at most 1/1.3 of the time of the SVD on square Gaussian
    matrices, n from 128 on (quick: to 256; full: to 1024)."""
    return faster(budget, "Polar Express, converged", "SVD", (1,), ("float64",), 128)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = verdicts["products_beat_the_svd"].table
    median = found.groupby(["aspect", "n", "dtype", "method"], sort=False)["seconds"].median().unstack("method")
    ratio = median.rdiv(median["SVD"], axis=0).drop(columns="SVD").map(lambda r: f"{r:.2f}" if r == r else "--")
    ratio.insert(0, "SVD (ms)", median["SVD"].map(lambda s: f"{1e3 * s:.3g}"))
    ratio = ratio.reset_index().rename(columns={"aspect": "$m/n$", "n": "$n$"})
    every_round = found.pivot_table(index=["aspect", "dtype", "n", "round"], columns="method", values="seconds")
    wins = every_round.rdiv(every_round["SVD"], axis=0).groupby(["aspect", "dtype", "n"]).min() >= FACTOR
    sizes = wins.drop(columns="SVD").groupby(["aspect", "dtype"]).agg(_sizes).rename_axis(["$m/n$", "dtype"]).reset_index()
    found = verdicts["accuracy_at_convergence"].table
    digits = found.pivot_table(index="method", columns=["dtype", "kappa"], values="error", sort=False)
    digits.columns = [rf"{dtype}, $\kappa$ = {kappa:.0e}" for dtype, kappa in digits.columns]
    digits = digits.map(lambda e: f"{e:.1e}" if e == e else "--").reset_index()
    products = verdicts["products_to_full_accuracy"].table.pivot_table(
        index="method", columns="kappa", values="products", sort=False
    )
    products.columns = [rf"$\kappa$ = {kappa:.0e}" for kappa in products.columns]
    products = products.astype(int).reset_index()
    return {"time-of-svd-over-time": ratio, "sizes-that-win": sizes, "errors": digits, "products": products}


def _sizes(wins: pd.Series) -> str:
    """The sizes n at which it wins in every round."""
    return ", ".join(str(n) for n in wins.index.get_level_values("n")[wins]) or "--"


STYLE = {
    "SVD": "ko", "Gram": "C0s", "Muon, 5 steps": "C1^", "Polar Express, 5 steps": "C2v", "Newton-Schulz 3": "C3D",
    "Polar Express, converged": "C4P",
}  # fmt: skip


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    found = verdicts["products_beat_the_svd"].table
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 6.6), layout="constrained")
    figure.set_label(
        "Time of an orthogonalization of Gaussian matrices against the size n (points: median of three rounds, whiskers: "
        "least and largest), and below it per correct digit: of the error for kappa = 1e2 and n = 64, 0.3 digits after five "
        "steps, say."
    )
    accuracy = verdicts["accuracy_at_convergence"].table.query("kappa == 100").set_index(["method", "dtype"])["error"]
    for column, (aspect, dtype) in enumerate(((1, "float64"), (4, "float32"))):
        here = found[(found["aspect"] == aspect) & (found["dtype"] == dtype)]
        for name, rounds in here.groupby("method", sort=False):
            t = rounds.groupby("n")["seconds"].agg(measured="median", low="min", high="max")
            digits = -np.log10(accuracy[name, dtype])
            for ax, unit in ((axes[0, column], 1.0), (axes[1, column], digits)):
                style = {"fmt": f"{STYLE[name][-1]}-", "color": STYLE[name][:-1], "ms": 4, "lw": 1, "label": name}
                ax.errorbar(t.index, t["measured"] / unit, whiskers(t, unit=unit), **style)
        axes[0, column].set(title=f"{dtype}, m/n = {aspect}", ylabel="time (s)")
        axes[1, column].set(ylabel="time per correct digit (s)")
    for ax in axes.flat:
        ax.set(xscale="log", yscale="log", xlabel="size n")
        ax.set_xticks(sorted(found["n"].unique()), [str(n) for n in sorted(found["n"].unique())])
        ax.xaxis.set_minor_formatter("")
        ax.yaxis.set_minor_formatter("")
    for ax in axes[0]:
        ax.legend(frameon=False, fontsize=7)
    return {"time": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
