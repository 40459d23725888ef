"""Are the closed forms of linear minimization oracles right, and do the solvers attain them?

    lmo(g) = argmin_{||x|| <= 1} <g, x>:     <g, lmo(g)> = -||g||_*,     ||lmo(g)|| = 1

sympy proves every row of the table in theory/: value, dual norm, oracle, the certificate that nothing in the ball does
better, and when the oracle is unique. solvers/norms/lmo.py was written without them. It is held against dual norms computed
here with numpy (exact scaling by a power of two, extended precision, another SVD driver), and entry by entry against
the formulas of theory/ in 50 digits. u is the unit roundoff of a dtype: 2^-53, 2^-24, 2^-8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import matplotlib.pyplot as plt
import mpmath
import numpy as np
import pandas as pd
import scipy.linalg
import sympy as sp
import torch
from ratewitness.solvers.norms.lmo import NORMS
from ratewitness.studies.claims import Budget, Check, Verdict, claim
from ratewitness.studies.judges import all_of, bound_holds, proved
from ratewitness.studies.measuring.proofs import falsified
from ratewitness.theory import hoelder, induced, norms, schatten, steepest_descent
from ratewitness.theory.identity import Identity
from torch import Tensor


def prove(*identities: Identity) -> Verdict:
    return all_of({each.name: proved(each) for each in identities}).noting(proofs=len(identities))


S30 = (steepest_descent.gradient_descent, steepest_descent.gradient_descent_on_the_sphere)
ANY_NORM = (steepest_descent.regularized_step, steepest_descent.normalized_step, steepest_descent.regularized_value)
REDUCTION = (norms.rearrangement, norms.signed_permutations, norms.scaling)
LP = (
    *(hoelder.young, hoelder.lp_certificate, hoelder.lp_attained, hoelder.lp_at_size, hoelder.lp_unique),
    norms.gradient_of_the_dual,
)
POLYHEDRAL = (
    *(hoelder.l2_certificate, hoelder.l1_certificate, hoelder.l1_unique),
    *(hoelder.linf_certificate, hoelder.linf_unique),
)
KY_FAN = (hoelder.ky_fan_certificate, hoelder.ky_fan_lmo, hoelder.ky_fan_unique, schatten.ky_fan_of_matrices)
VON_NEUMANN = (
    *(schatten.unitary_invariance, schatten.trace_in_singular_bases, schatten.bessel),
    *(schatten.summation_by_parts, schatten.equality_in_von_neumann),
)
SINGULAR = (
    *(schatten.frobenius, schatten.spectral, schatten.spectral_unique, schatten.nuclear, schatten.nuclear_unique),
    schatten.schatten,
)
INDUCED = (
    *(induced.triangle, induced.from_l1, induced.to_linf, induced.blockwise),
    *(induced.column, induced.row, induced.max_abs, induced.zero_blocks),
)
RMS = (induced.rms_lengths, induced.rms_to_rms, induced.l1_to_rms, induced.rms_to_linf, induced.scion_sign)
METHODS = (
    *(steepest_descent.adam_is_sign_descent, steepest_descent.normalized_gradient_descent),
    *(steepest_descent.greedy_coordinate_descent, steepest_descent.shampoo_is_spectral),
    *(steepest_descent.shampoo_with_epsilon, steepest_descent.muon_is_spectral),
)


@claim(kind="proof", source="S30; theory/steepest_descent.py", planted=falsified(*S30))
def gradient_descent(budget: Budget) -> Verdict:
    """S30: x - a g is the one minimizer of the linear model plus ||x - x_k||_2^2/(2a), and x - t g/||g||_2 the one minimizer
    of the linear model on the sphere of radius t (n = 3)."""
    return prove(*S30)


@claim(
    kind="proof",
    source="S31; Bernstein and Newhouse (2024), arXiv:2409.20325; theory/steepest_descent.py",
    planted=falsified(*ANY_NORM),
)
def steps_in_any_norm(budget: Budget) -> Verdict:
    """S31: In any norm a ||g||_* lmo(g) minimizes <g, d> + ||d||^2/(2a), with value -(a/2)||g||_*^2, and t lmo(g) minimizes
    <g, d> on the sphere of radius t; every other minimizer has the same length. The algebra of it, given <g, d> >=
    -||g||_* ||d|| with equality at lmo(g), is
    proved; that the closed forms attain it, for vectors of three entries and 2 x 3 matrices."""
    return prove(*ANY_NORM)


@claim(kind="proof", source="S32; theory/norms.py", planted=falsified(*REDUCTION))
def one_chamber_is_enough(budget: Budget) -> Verdict:
    """S32: Values, dual norms and pairings carry over from the chamber g_1 > ... > g_n > 0 by signed permutations,
    which change
    none of them (n = 2, 3, 4; l_p, l_1, l_2, l_inf and Ky Fan with k = 2), and to ties and zeros by continuity; uniqueness
    does not. No order or signs of x pair better than the sorted moduli (n = 2, 3); c ||.|| has oracle lmo/c (n = 3)."""
    return prove(*REDUCTION)


@claim(kind="proof", source="S32; Hoelder, Young; theory/hoelder.py", planted=falsified(*LP))
def lp(budget: Budget) -> Verdict:
    """S32: For every p in (1, oo), 1/p + 1/q = 1 and every n the dual of l_p is l_q, and -sign(g)|g|^(q-1)/||g||_q^(q-1) is
    its one LMO where g != 0, by Hoelder's inequality through Young's; it is minus the gradient of the dual (n = 3)."""
    return prove(*LP)


@claim(kind="proof", source="S32; theory/hoelder.py", planted=falsified(*POLYHEDRAL))
def l1_l2_linf(budget: Budget) -> Verdict:
    """S32: The LMO of l_1 is -sign(g_i) e_i at the largest |g_i|, unique iff that is attained once; of l_2 -g/||g||_2; of
    l_inf -sign(g), unique iff g has no zero entry; the duals are l_inf, l_2 and l_1 (n = 2, 3, 4)."""
    return prove(*POLYHEDRAL)


@claim(kind="proof", source="S32, S33; theory/hoelder.py, theory/schatten.py", planted=falsified(*KY_FAN))
def ky_fan(budget: Budget) -> Verdict:
    """S32: The dual of the Ky Fan norm, the sum of the k largest moduli or singular values, is max(g_1, ||g||_1/k); its LMO
    is that of l_1 where g_1 is the maximum, and that of l_inf over k where it is not (vectors n = 2, 3, 4, every k,
    the choice of the case at n = 3, k = 2; three singular
    values, k = 2)."""
    return prove(*KY_FAN)


@claim(
    kind="proof",
    source="S33; von Neumann (1937), Mirsky (1975); theory/schatten.py",
    planted=falsified(*VON_NEUMANN),
)
def von_neumann(budget: Budget) -> Verdict:
    """S33: <A, B> = tr(A^T B) is at most the sum of sigma_i(A) sigma_i(B) (each step of the proof in symbols: the trace and
    Bessel's inequality for two singular values, the summation by parts for two to four), and U diag(d) V^T attains
    it, so that every LMO of the singular values is one of matrices."""
    return prove(*VON_NEUMANN)


@claim(kind="proof", source="S33; theory/schatten.py", planted=falsified(*SINGULAR))
def singular_values(budget: Budget) -> Verdict:
    """S33: The LMO of the Frobenius norm is -G/||G||_F, of the spectral norm -U V^T, unique iff G has full rank, of the
    nuclear norm -u_1 v_1^T, unique iff sigma_1 > sigma_2, of Schatten-p -U S^(q-1) V^T/||S||_q^(q-1); the duals are the
    Frobenius, nuclear, spectral and Schatten-q norm (two and three singular values; uniqueness: spectral for 2 x 2
    rotations U and V, nuclear for three singular values, its tie for 2 x 2; at least two singular values)."""
    return prove(*SINGULAR)


@claim(
    kind="proof",
    source="S31; Bernstein and Newhouse (2024), arXiv:2409.20325; theory/induced.py",
    planted=falsified(*INDUCED),
)
def induced_norms(budget: Budget) -> Verdict:
    """S31: The norm of A from l_1 to l_p is its largest column in l_p, from l_p to l_inf its largest row in l_q; the LMO of
    l_1 to l_2 divides columns by their lengths, of l_2 to l_inf rows, of l_1 to l_inf entries; each unique iff none
    is 0 (2 x 3 for
    the norms, 2 x 3, 3 x 2, 1 x 3 and 3 x 1 for the LMO, three blocks and 2 x 2 for uniqueness)."""
    return prove(*INDUCED)


@claim(
    kind="proof",
    source="S31; Pethick et al. (2025), arXiv:2502.07529; theory/induced.py",
    planted=falsified(*RMS),
)
def rms_scalings(budget: Budget) -> Verdict:
    """S31: For m x n matrices RMS to RMS is sqrt(n/m) times the spectral norm with LMO -sqrt(m/n) U V^T; l_1 to RMS gives
    columns of length sqrt m, RMS to l_inf rows of length 1/sqrt n, and n max |A_ij| the LMO -sign(G)/n (the first for every
    size, the others for 2 x 3, 3 x 2, 1 x 3 and 3 x 1)."""
    return prove(*RMS)


@claim(
    kind="proof",
    source="S31, S38; Gupta, Koren and Singer (2018), arXiv:1802.09568; Bernstein and Newhouse (2024), arXiv:2409.20325; "
    "theory/steepest_descent.py",
    planted=falsified(*METHODS),
)
def methods_are_norms(budget: Budget) -> Verdict:
    """S31: Adam with beta1 = beta2 = eps = 0 is sign descent where g has no zero entry (so is its first step
    for all betas) and steps along the LMO of l_inf, normalized GD of l_2, greedy
    coordinate descent of l_1, exact Muon and Shampoo without accumulation, (G G^T)^{-1/4} G (G^T G)^{-1/4} = U V^T, of the
    spectral norm, for G of full rank and every size, roots taken on the range (pseudo-inverse); vectors: n = 3."""
    return prove(*METHODS)


# The norms, written a second time.


def entries(A: np.ndarray) -> np.ndarray:
    return np.abs(A).ravel()


def columns(A: np.ndarray) -> np.ndarray:
    return np.sqrt((A * A).sum(0))


def rows(A: np.ndarray) -> np.ndarray:
    return columns(A.T)


def singular(A: np.ndarray) -> np.ndarray:
    return scipy.linalg.svd(A.T.astype(float), compute_uv=False, lapack_driver="gesvd")


def length(x: np.ndarray, p: float) -> float:
    powers = x if p == 1 else x * x if p == 2 else (x.astype(float) ** p).astype(np.longdouble)
    return x.max() if p == np.inf else powers.sum() ** (1 / np.longdouble(p))


@dataclass(frozen=True)
class Form:
    """||A|| = scale(m, n) times l_p, or the sum of the k largest, of the parts of A; and what the table says of it."""

    parts: Callable[[np.ndarray], np.ndarray]
    p: float | None
    dual_text: str
    lmo_text: str
    unique: str
    k: int = 0
    scale: Callable[[int, int], float] = lambda m, n: 1.0

    @property
    def q(self) -> float:
        if self.p is None or self.p == 1:
            return np.inf
        return 1.0 if self.p == np.inf else self.p / (self.p - 1)

    def value(self, parts: np.ndarray, m: int, n: int) -> float:
        """||A|| from the parts of A."""
        return self.scale(m, n) * (length(parts, self.p) if self.p else np.sort(parts)[-self.k :].sum())

    def dual(self, parts: np.ndarray, m: int, n: int, exponent: float | None = None) -> float:
        """||A||_* from the parts of A; exponent: a wrong one in place of q."""
        each = length(parts, exponent or self.q) if self.p else max(parts.max(), parts.sum() / self.k)
        return each / self.scale(m, n)

    def allowed(self, m: int, n: int, dtype: str) -> float:
        """The stated tolerance in units of u."""
        if dtype == "bfloat16":
            return 2 * np.sqrt(min(m, n)) + 1
        amplified = max(q for q in (self.q, 2.0) if q < np.inf)
        return 8 * (m + n + amplified) + 2 * m * n if self.parts is singular else 4 * (m * n + amplified + 4)


POWERS = r"$-\mathrm{sign}(g)\,\lvert g\rvert^{q-1}/\lVert g\rVert_q^{q-1}$"
SPECTRAL_POWERS = r"$-U S^{q-1} V^\top/\lVert S\rVert_q^{q-1}$"
FULL, NONZERO, ONCE = "full rank", "$g \\ne 0$", r"$\max_i \lvert g_i\rvert$ attained once"
NO_ZERO, NO_COLUMN, NO_ROW = "no zero entry", "no zero column", "no zero row"
KY = r"$g_1 > \lVert g\rVert_1/k$ and $g_1 > g_2$, or $g_1 < \lVert g\rVert_1/k$ and no zero"
COLUMNS, ROWS = r"G_{:j}/\lVert G_{:j}\rVert_2$ in every column", r"G_{i:}/\lVert G_{i:}\rVert_2$ in every row"
FORMS: dict[str, Form] = {
    "l1": Form(entries, 1, r"$\lVert g\rVert_\infty$", r"$-\mathrm{sign}(g_i) e_i$, $i = \arg\max \lvert g_i\rvert$", ONCE),
    "l1.5": Form(entries, 1.5, r"$\lVert g\rVert_q$, $1/p + 1/q = 1$", POWERS, NONZERO),
    "l2": Form(entries, 2, r"$\lVert g\rVert_2$", r"$-g/\lVert g\rVert_2$", NONZERO),
    "l3": Form(entries, 3, r"$\lVert g\rVert_q$, $1/p + 1/q = 1$", POWERS, NONZERO),
    "linf": Form(entries, np.inf, r"$\lVert g\rVert_1$", r"$-\mathrm{sign}(g)$", NO_ZERO),
    "ky_fan_2": Form(
        *(entries, None),
        r"$\max(\lVert g\rVert_\infty, \lVert g\rVert_1/k)$", r"as $\ell_1$, or $-\mathrm{sign}(g)/k$",
        unique=KY,
        k=2,
    ),
    "frobenius": Form(entries, 2, r"$\lVert G\rVert_F$", r"$-G/\lVert G\rVert_F$", r"$G \ne 0$"),
    "spectral": Form(singular, np.inf, r"$\sum_i \sigma_i$", r"$-U V^\top$", FULL),
    "nuclear": Form(singular, 1, r"$\sigma_1$", r"$-u_1 v_1^\top$", r"$\sigma_1 > \sigma_2$"),
    "schatten_1.5": Form(singular, 1.5, r"$\lVert \sigma\rVert_q$", SPECTRAL_POWERS, r"$G \ne 0$"),
    "schatten_3": Form(singular, 3, r"$\lVert \sigma\rVert_q$", SPECTRAL_POWERS, r"$G \ne 0$"),
    "ky_fan_spectral_2": Form(
        *(singular, None, r"$\max(\sigma_1, \sum_i \sigma_i/k)$", r"$-u_1 v_1^\top$ or $-U V^\top/k$"),
        unique=f"{KY}, of $\\sigma$",
        k=2,
    ),
    "column": Form(columns, np.inf, r"$\sum_j \lVert G_{:j}\rVert_2$", f"$-{COLUMNS}", NO_COLUMN),
    "row": Form(rows, np.inf, r"$\sum_i \lVert G_{i:}\rVert_2$", f"$-{ROWS}", NO_ROW),
    "max_abs": Form(entries, np.inf, r"$\sum_{ij} \lvert G_{ij}\rvert$", r"$-\mathrm{sign}(G)$", NO_ZERO),
    "rms_to_rms": Form(
        *(singular, np.inf, r"$\sqrt{m/n} \sum_i \sigma_i$", r"$-\sqrt{m/n}\, U V^\top$", FULL),
        scale=lambda m, n: np.sqrt(n / m),
    ),
    "l1_to_rms": Form(
        *(columns, np.inf, r"$\sqrt{m} \sum_j \lVert G_{:j}\rVert_2$", f"$-\\sqrt{{m}}\\, {COLUMNS}", NO_COLUMN),
        scale=lambda m, n: 1 / np.sqrt(m),
    ),
    "rms_to_linf": Form(
        *(rows, np.inf, r"$\sum_i \lVert G_{i:}\rVert_2/\sqrt{n}$", f"$-\\frac{{1}}{{\\sqrt{{n}}}}\\, {ROWS}", NO_ROW),
        scale=lambda m, n: np.sqrt(n),
    ),
    "sign": Form(
        *(entries, np.inf, r"$\sum_{ij} \lvert G_{ij}\rvert/n$", r"$-\mathrm{sign}(G)/n$", NO_ZERO),
        scale=lambda m, n: float(n),
    ),
}

# What the solvers attain.

DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}
ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24, "bfloat16": 2.0**-8}
MEASURES = ["gap", "length", "dual"]
SIZES = ((1, 1), (1, 7), (5, 5), (7, 1), (32, 8), (8, 32), (64, 64), (256, 64))


@cache
def inputs(dtype: str, m: int, n: int, budget: Budget) -> dict[str, Tensor]:
    """Hard matrices (draws, m, n) by kind; vector norms take them flattened."""
    generator = budget.shared("lmo_closed_forms").generator("inputs", m, n)
    draws, k, kind = budget.pick(1, 8), min(m, n), DTYPES[dtype]
    options = {"generator": generator, "dtype": torch.float64, "device": generator.device}
    info = torch.finfo(kind)
    reach = 150 if dtype == "float64" else 30

    def normal(*shape):
        return torch.randn(draws, *shape, **options)

    def with_singular_values(s):
        u, v = (torch.linalg.qr(normal(size, k)).Q for size in (m, n))
        return (u * s) @ v.mT

    ones, first = torch.ones(k, dtype=torch.float64, device=generator.device), torch.arange(k) == 0
    first = first.to(generator.device)
    holes = normal(m, n) * (torch.rand(draws, m, n, **options) < 0.5)
    holes[:, m // 2], holes[..., n // 2], holes[:, 0, 0] = 0, 0, 1
    uniform = 2 * torch.rand(draws, m, n, **options) - 1
    kinds = {
        "gaussian": normal(m, n),
        "ties": normal(m, n).sign(),
        "zeros": holes,
        "rank deficient": normal(m, (k + 1) // 2) @ normal((k + 1) // 2, n),
        "repeated singular values": with_singular_values(ones + (torch.arange(k, device=ones.device) < k // 2)),
        "ill-conditioned": with_singular_values(torch.logspace(0, np.log10(info.eps), k, dtype=ones.dtype).to(ones)),
        "just dropped": with_singular_values(torch.where(first, ones, 0.9 * max(m, n) * info.eps)),
        "huge": normal(m, n) * 10.0**reach,
        "tiny": normal(m, n) / 10.0**reach,
        "denormal": (99 * torch.rand(draws, m, n, **options)).ceil() * (info.tiny * info.eps),
        "many scales": normal(m, n).sign() * 10 ** (reach / 1.5 * uniform),
    }
    return {name: values.to(kind) for name, values in kinds.items()}


def scaled(g: Tensor) -> tuple[np.ndarray, int]:
    """g over a power of two, exactly, and its exponent: no square overflows or vanishes, and the oracle is the same."""
    g = g.double().cpu().numpy()
    exponent = int(np.frexp(np.abs(g).max())[1])
    return np.ldexp(g, -exponent).astype(np.longdouble), exponent


def answered(name: str, g: Tensor, planted: str) -> Tensor:
    """The solver's oracle at (draws, m, n), or a wrong one."""
    norm = NORMS["spectral" if (name, planted) == ("nuclear", "UV^T of the full SVD for the nuclear norm") else name]
    x = norm.lmo(g.flatten(-2) if norm.ndim == 1 else g).reshape(g.shape)
    transposed = planted == "transposed factor V U^T" and FORMS[name].parts is singular and g.shape[-1] == g.shape[-2]
    return -x if planted == "argmax" else x.mT if transposed else x


@cache
def measured(dtype: str, budget: Budget, planted: str = "") -> pd.DataFrame:
    """The worst of |<g, lmo> + dual|/dual, | ||lmo|| - 1 | and |solver's dual/dual - 1| in units of u, a row for each norm,
    size and kind; a dual norm that is itself denormal has no relative accuracy and is left out."""
    found = []
    for m, n in SIZES[2:3] if planted else SIZES:
        for kind, batch in inputs(dtype, m, n, budget).items():
            references, exponents = zip(*map(scaled, batch), strict=True)
            parts = {part: [part(g) for g in references] for part in (entries, columns, rows, singular)}
            for name, form in FORMS.items():
                if form.k > (m * n if form.parts is entries else min(m, n)):
                    continue
                wrong = form.p if planted == "dual exponent p" else None
                duals = np.array([form.dual(of_g, m, n, wrong) for of_g in parts[form.parts]])
                answers = [x.double().cpu().numpy().astype(np.longdouble) for x in answered(name, batch, planted)]
                pairings = np.array([(g * x).sum() for g, x in zip(references, answers, strict=True)])
                lengths = np.array([form.value(form.parts(x), m, n) for x in answers])
                claimed = NORMS[name].dual(batch.flatten(-2) if NORMS[name].ndim == 1 else batch).double().cpu().numpy()
                claimed = np.ldexp(claimed.astype(np.longdouble), np.negative(exponents))
                errors = pairings / duals + 1, lengths - 1, 0 * duals if kind == "denormal" else claimed / duals - 1
                found.append((name, m, n, kind, *(np.abs(e).max() for e in errors), form.allowed(m, n, dtype)))
    table = pd.DataFrame(found, columns=["norm", "m", "n", "input", *MEASURES, "allowed"])
    table[MEASURES] = table[MEASURES].astype(float) / ROUNDOFF[dtype]
    return table


def attained(dtype: str, budget: Budget, planted: str = "") -> Verdict:
    table = measured(dtype, budget, planted)
    worst = table[MEASURES].max(axis=1, skipna=False)
    shown = table.assign(worst=worst).groupby(["norm", "m", "n"], sort=False)[[*MEASURES, "worst", "allowed"]].max()
    median = float((worst / table["allowed"]).median())
    return bound_holds(worst, table["allowed"], floor=-1).noting(median_ratio=median).showing(shown.reset_index())


def planted_in(dtype: str) -> dict[str, Check]:
    names = ("argmax", "dual exponent p", "transposed factor V U^T", "UV^T of the full SVD for the nuclear norm")
    return {name: lambda budget, name=name: attained(dtype, budget, name) for name in names}


@claim(kind="upper bound", source="S33, S32; solvers/norms/lmo.py", planted=planted_in("float64"))
def attained_in_float64(budget: Budget) -> Verdict:
    """S33: In float64 |<g, lmo(g)> + ||g||_*|/||g||_*, | ||lmo(g)|| - 1 | and the relative error of the solvers' own dual
    norm are at most T u for every norm of the table, 1 x 1 to 256 x 64 and every hard input (ties, zeros, rank deficiency,
    repeated and barely dropped singular values, scales 1e+-150, denormals): T = 4 (mn + q + 4) for norms of entries, rows
    and columns (one rounding a summand, q for the power), T = 8 (m + n + q) + 2 mn for singular values (a backward stable
    SVD, and singular values of up to 2u max(m, n) sigma_1 that count as zero). On denormals the dual norm is not judged."""
    return attained("float64", budget)


@claim(kind="upper bound", source="S33, S32; solvers/norms/lmo.py", planted=planted_in("float32"))
def attained_in_float32(budget: Budget) -> Verdict:
    """S33: The same in float32, with scales 1e+-30, its own denormals (dual norm not judged on them) and u = 2^-24."""
    return attained("float32", budget)


@claim(kind="upper bound", source="S33, S32; solvers/norms/lmo.py", planted=planted_in("bfloat16"))
def attained_in_bfloat16(budget: Budget) -> Verdict:
    """S33: In bfloat16, computed in float32, the same three are at most (2 sqrt min(m, n) + 1) u, u = 2^-8, twice what
    rounding the entries of lmo(g) costs; the dual norm is not judged on denormals."""
    return attained("bfloat16", budget)


# Value by value against theory.

DIGITS = 50
VECTORS = {  # the solver's norm, and the formulas of theory/ for vectors or singular values
    "l1": norms.L1, "l1.5": norms.lp(sp.Rational(3, 2)), "l2": norms.L2, "l3": norms.lp(3), "linf": norms.LINF,
    "ky_fan_2": norms.ky_fan(2),
}  # fmt: skip
SPECTRA = {
    "nuclear": norms.L1, "schatten_1.5": norms.lp(sp.Rational(3, 2)), "frobenius": norms.L2, "schatten_3": norms.lp(3),
    "spectral": norms.LINF, "rms_to_rms": norms.LINF, "ky_fan_spectral_2": norms.ky_fan(2),
}  # fmt: skip
BLOCKS = {
    "column": induced.COLUMN, "row": induced.ROW, "max_abs": induced.MAX_ABS, "l1_to_rms": induced.L1_TO_RMS,
    "rms_to_linf": induced.RMS_TO_LINF, "sign": induced.SIGN,
}  # fmt: skip
WRONG_EXPONENT = {"l1.5": 1.5, "l3": 3, "schatten_1.5": 1.5, "schatten_3": 3}


def of_moduli(norm: norms.Norm, moduli: list) -> list:
    """theory's oracle at nonnegative numbers in any order; zeros stay zero."""
    order = sorted((i for i, s in enumerate(moduli) if s > mpmath.mpf(10) ** (10 - DIGITS)), key=lambda i: -moduli[i])
    found = norm.lmo([sp.Float(moduli[i], DIGITS) for i in order])
    answer = [mpmath.mpf(0)] * len(moduli)
    for i, value in zip(order, found, strict=True):
        answer[i] = mpmath.mpf(str(sp.N(value, DIGITS)))
    return answer


def in_theory(name: str, g: np.ndarray, planted: str) -> tuple[np.ndarray, float]:
    """theory's oracle at an m x n matrix of floats, in 50 digits, and the condition number of the question."""
    norm = (VECTORS | SPECTRA | BLOCKS)[name]
    if planted == "dual exponent p" and name in WRONG_EXPONENT:
        p = sp.Rational(WRONG_EXPONENT[name])
        norm = norms.lp(p, p)
    sign = -1 if planted == "argmax" else 1
    with mpmath.workdps(DIGITS):
        if name in SPECTRA:
            u, s, vt = mpmath.svd_r(mpmath.matrix(g.tolist()), full_matrices=False)
            s = list(s)
            kept = [e for e in s if e > s[0] * mpmath.mpf(10) ** (15 - DIGITS)]
            weights = of_moduli(norm, s)
            if planted == "UV^T of the full SVD" and name == "spectral":
                weights = [mpmath.mpf(-1)] * len(s)
            if name == "rms_to_rms":
                weights = [weight * mpmath.sqrt(mpmath.mpf(g.shape[0]) / g.shape[1]) for weight in weights]
            x = u * mpmath.diag(weights) * vt
            x = x.T if planted == "transposed factor V U^T" and x.rows == x.cols else x
            gaps = [a - b for a, b in zip(kept, [*kept[1:], mpmath.mpf(0)], strict=True)]
            condition = float(kept[0] / min(gaps))
        elif name in VECTORS:
            x = mpmath.matrix([of_moduli(norm, [abs(mpmath.mpf(e)) for e in g.ravel()])])
            x = mpmath.matrix([[abs(e) * -np.sign(f) for e, f in zip(x, g.ravel(), strict=True)]])
            condition = 1.0
        else:
            moduli = norm.lmo(sp.Matrix(*g.shape, [sp.Float(abs(e), DIGITS) for e in g.ravel().tolist()]))
            x = mpmath.matrix(g.shape[0], g.shape[1])
            for i, j in np.ndindex(*g.shape):
                x[i, j] = mpmath.mpf(str(sp.N(moduli[i, j], DIGITS))) * np.sign(g[i, j])
            condition = 1.0
        return sign * np.array(x.tolist(), dtype=float).reshape(g.shape), condition


@cache
def questions(dtype: str, budget: Budget) -> list[Tensor]:
    """Small matrices with distinct singular values, and matrices of integers of half the rank."""
    generator = budget.shared("lmo_closed_forms").generator("questions")
    options = {"generator": generator, "dtype": torch.float64, "device": generator.device}
    found = []
    for m, n in ((4, 4), (6, 4), (4, 6), (1, 5), (5, 1)):
        k = min(m, n)
        for _ in range(budget.pick(1, 6)):
            u, v = (torch.linalg.qr(torch.randn(size, k, **options)).Q for size in (m, n))
            s = (0.5 + torch.rand(k, **options)).cumsum(0)
            found.append((u * s) @ v.mT)
            if k > 1:
                left, right = (torch.randint(-3, 4, shape, **options) for shape in ((m, k // 2), (k // 2, n)))
                found.append(left @ right)
    return [g.to(DTYPES[dtype]) for g in found]


@cache
def compared(budget: Budget, planted: str = "") -> pd.DataFrame:
    """The largest error of an entry of the solver's oracle over the largest entry of theory's, in units of u."""
    found = []
    for dtype in ("float64",) if planted else ("float64", "float32"):
        for g in questions(dtype, budget):
            deficient = min(g.shape) > 1 and bool((g == g.round()).all())
            for name in VECTORS | SPECTRA | BLOCKS:
                # with rank to spare or entries tied only the stated convention of the spectral norm has one answer
                if (deficient and name != "spectral") or FORMS[name].k > min(g.shape):
                    continue
                expected, condition = in_theory(name, g.double().cpu().numpy(), planted)
                got = answered(name, g[None], "")[0].double().cpu().numpy()
                error = np.abs(got - expected).max() / np.abs(expected).max() / ROUNDOFF[dtype]
                m, n = g.shape
                found.append((name, dtype, m, n, deficient, error, 16 * (m + n) * condition))
    return pd.DataFrame(found, columns=["norm", "dtype", "m", "n", "rank deficient", "error", "allowed"])


def equal_to_theory(budget: Budget, planted: str = "") -> Verdict:
    table = compared(budget, planted)
    worst = table.groupby(["norm", "dtype"], sort=False)[["error", "allowed"]].max().reset_index()
    return bound_holds(table["error"], table["allowed"], floor=-1).showing(worst)


@claim(
    kind="exact",
    source="S33, S32; solvers/norms/lmo.py, theory/norms.py, theory/schatten.py, theory/induced.py",
    planted={
        name: lambda budget, name=name: equal_to_theory(budget, name)
        for name in ("argmax", "dual exponent p", "transposed factor V U^T", "UV^T of the full SVD")
    },
)
def value_by_value(budget: Budget) -> Verdict:
    """S33: Entry by entry the solvers' LMO is that of theory/ in 50 digits, for every norm of the table, up to 16 (m + n)
    kappa u times the largest entry in float64 and float32, kappa = sigma_1 over the smallest gap of the singular values
    (1 where they do not enter); in the spectral norm also at matrices of half the rank, where the null directions are
    left out."""
    return equal_to_theory(budget)


# The page.

def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = {dtype: verdicts[f"attained_in_{dtype}"].table.groupby("norm")["worst"].max() for dtype in DTYPES}
    rows = [
        {"norm": name.replace("_", " "), "dual norm": form.dual_text, "LMO": form.lmo_text, "unique iff": form.unique}
        | {f"worst error, {dtype}, in $u$": f"{worst[name]:.3g}" for dtype, worst in found.items()}
        for name, form in FORMS.items()
    ]
    return {"norms": pd.DataFrame(rows)}


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.6), layout="constrained", sharey=True)
    figure.set_label(
        "Worst of |<g, lmo> + dual|/dual, | ||lmo|| - 1 | and the error of the solvers' dual norm, over norms and inputs, "
        "against the number of entries of g (points; exact ones at the lower edge). Lines: the tolerance stated before."
    )
    for ax, singular_ones in zip(axes, (False, True), strict=True):
        for colour, (dtype, u) in enumerate(ROUNDOFF.items()):
            table = verdicts[f"attained_in_{dtype}"].table
            table = table[[(FORMS[name].parts is singular) == singular_ones for name in table["norm"]]]
            worst = table.assign(size=table["m"] * table["n"]).groupby("size")[["worst", "allowed"]].max() * u
            ax.plot(worst.index, worst["allowed"], color=f"C{colour}", lw=1)
            ax.plot(worst.index, worst["worst"].clip(1e-19), "o", ms=4, color=f"C{colour}", label=dtype)
        ax.set(xscale="log", yscale="log", xlabel="entries of g, m n", ylim=(1e-19, 10))
        ax.set_title("norms of singular values" if singular_ones else "norms of entries, columns and rows")
    axes[0].set_ylabel("relative error")
    axes[0].legend(frameon=False, ncols=3, loc="lower right", fontsize=8)
    return {"gaps": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
