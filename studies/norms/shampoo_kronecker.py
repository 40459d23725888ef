r"""Does Shampoo's Kronecker product dominate the Gram sum of the gradients, and how tightly?

    eps I + (1/r) sum_s g_s g_s^T  <=  L^{1/2} (x) R^{1/2},      g_s = vec(G_s) by rows, rank G_s <= r
    L = eps I + sum_s G_s G_s^T,   R = eps I + sum_s G_s^T G_s

in the Loewner order: the inequality behind Shampoo's regret bound. It is an equality along g where the gradients are
multiples of one partial isometry of rank r, so that the 1/r is sharp; on random sequences of rank one it is nearly one, and
far from one on random sequences of full rank.
"""

from __future__ import annotations

from itertools import product

import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal, sequences
from ratewitness.theory import kronecker
from ratewitness.theory.identity import identities
from torch import Tensor

SHAPES = ((4, 3), (2, 6), (5, 5), (1, 4))
EPS = (1e-2, 1.0)
EIGENVECTOR = "g = sigma sum_k u_k (x) v_k is an eigenvector of both sides, with eps + sum_s sigma_s^2"
GUPTA = "S39; Gupta, Koren and Singer (2018), arXiv:1802.09568"
STEPS = tuple(identities(kronecker).values())


@claim("proof", f"{GUPTA}; theory/kronecker.py says what is taken from elsewhere")
@falsified(*STEPS, named="{name} falsified")
def steps_of_the_proof(budget: Budget) -> Verdict:
    """S39: The identities on which the Loewner inequality and Shampoo's regret bound rest hold.

    For every size, unless one is named. Machine-checked: Cauchy-Schwarz over the r singular pairs for any r, the Schur
    complement and the square root of noncommuting matrices, the geometric mean of L (x) I and I (x) R, one step of the
    online method, its potential and the best step; vectorization for 2 x 3, one matrix for 3 x 4. Cited: the spectral
    theorem, that congruence keeps the Loewner order. In prose (theory/kronecker.py): how they combine, and the
    telescoping of the regret."""
    return prove(*STEPS)


def power_of(matrix: Tensor, exponent: float) -> Tensor:
    lam, Q = torch.linalg.eigh(matrix)
    return (Q * lam.clamp(min=0).unsqueeze(-2) ** exponent) @ Q.mT


def kron(left: Tensor, right: Tensor) -> Tensor:
    """Kronecker products (*batch, m, m) and (*batch, n, n) -> (*batch, m n, m n)."""
    m, n = left.shape[-1], right.shape[-1]
    return torch.einsum("...ij,...kl->...ikjl", left, right).reshape(*left.shape[:-2], m * n, m * n)


def compared(
    G: Tensor, r: int, eps: float, root: float, power: float = 0.5, share: float | None = None, by_rows: bool = True
) -> tuple[Tensor, Tensor]:
    """Largest eigenvalue of left relative to right, and the smallest of right - left over the norm of right, for left =
    (eps I + share sum g g^T)^root and right = L^(power root) (x) R^(power root): (count, T, m, n) -> (count,) twice."""
    m, n = G.shape[-2:]
    eye = {d: eps * torch.eye(d, dtype=G.dtype, device=G.device) for d in (m, n, m * n)}
    L, R = eye[m] + (G @ G.mT).sum(1), eye[n] + (G.mT @ G).sum(1)
    g = (G if by_rows else G.mT).flatten(-2)
    left = power_of(eye[m * n] + (1 / r if share is None else share) * g.mT @ g, root)
    right = kron(power_of(L, power * root), power_of(R, power * root))
    whitening = power_of(right, -0.5)
    ratio = torch.linalg.eigvalsh(whitening @ left @ whitening)[:, -1]
    margin = torch.linalg.eigvalsh(right - left)[:, 0] / torch.linalg.matrix_norm(right, 2)
    return ratio, margin


def climbed(generator: torch.Generator, m: int, n: int, r: int, eps: float, steps: int) -> Tensor:
    """The most critical sequences of three gradients that a random search from 16 starts finds: (16, 3, m, n)."""
    factors = normal(generator, 16, 3, m, r), normal(generator, 16, 3, r, n)
    best, size = compared(factors[0] @ factors[1], r, eps, 1.0)[0], torch.full((16, 1, 1, 1), 0.5).to(factors[0])
    for _ in range(steps):
        tried = [f + size * normal(generator, *f.shape) for f in factors]
        ratio = compared(tried[0] @ tried[1], r, eps, 1.0)[0]
        better = ratio > best
        best = torch.where(better, ratio, best)
        at = better.reshape(-1, 1, 1, 1)
        factors = [torch.where(at, new, old) for new, old in zip(tried, factors, strict=True)]
        size = (size * torch.where(at, 1.5, 0.9)).clamp(max=1.0)  # balanced at one success in five
    return factors[0] @ factors[1]


@measured
def hard_sequences(budget: Budget) -> list[tuple[str, int, float, Tensor]]:
    """(family, r, eps, gradients) over sizes and ranks."""
    generator, found = budget.generator("sequences"), []
    for m, n in SHAPES:
        for r, eps in product(sorted({1, min(m, n)}), EPS):
            families = sequences(generator, m, n, r, budget.pick(10, 50))
            families["searched"] = climbed(generator, m, n, r, eps, budget.pick(40, 200))
            found += [(family, r, eps, G) for family, G in families.items()]
    return found


@claim(
    "upper bound",
    f"{GUPTA}; proof in theory/kronecker.py",
    units={"worst_margin": "eigenvalue", "least_found_by_search": "eigenvalue"},
)
@planted("without the 1/r", share=1.0)
@planted("exponents 1/4", power=0.25)
@planted("vec by columns, factors not swapped", by_rows=False)
def loewner_inequality(budget: Budget, power: float = 0.5, share: float | None = None, by_rows: bool = True) -> Verdict:
    """S39: L^{1/2} (x) R^{1/2} dominates eps I + (1/r) sum g_s g_s^T in the Loewner order, and so do their square roots.

    With vec by rows and the 1/r, full-matrix AdaGrad's matrix is below L^{1/4} (x) R^{1/4}. On eight families of sequences
    of rank 1 and of full rank (random, aligned, repeated, growing, one isometry, ...) and on what a random search makes as
    critical as it can, no generalized eigenvalue exceeds 1 and the margin is at least -1e-12 of the norm."""
    rows = []
    for (family, r, eps, G), root in product(hard_sequences(budget), (1.0, 0.5)):
        ratio, margin = compared(G, r, eps, root, power, share, by_rows)
        row = {"sequence": family, "m": G.shape[-2], "n": G.shape[-1], "r": r, "eps": eps, "root": root}
        rows.append(row | {"ratio": float(ratio.max()), "margin": float(margin.min())})
    table = pd.DataFrame(rows)
    margin = bound_holds(-table["margin"], 1e-12, floor=-2.0)
    verdict = all_of({"ratio": bound_holds(table["ratio"], 1.0), "negative_margin": margin})
    found = table.loc[(table["sequence"] == "searched") & (table["root"] == 1), "ratio"]
    by_search = {"found_by_search": found.max(), "least_found_by_search": found.min()}
    return verdict.noting(worst_margin=table["margin"].min(), **by_search).showing(table)


@claim("constant", f"S39; derived in studies/norms/shampoo_kronecker.py: {EIGENVECTOR}")
@planted("1/(r+1) is attained", missing=1)
def loewner_inequality_is_attained(budget: Budget, missing: int = 0) -> Verdict:
    """S39: The 1/r of the inequality is sharp: gradients that are multiples of one partial isometry of rank r attain it.

    On 4 x 3, 2 x 6, 5 x 5 and 1 x 4 matrices, for every rank r that these can have and eps = 0.01 and 1, the largest
    generalized eigenvalue is 1 there."""
    ratios = []
    for m, n in SHAPES:
        for r in range(1, min(m, n) + 1):
            G = sequences(budget.shared("isometries").generator(m, n, r), m, n, r, 20)["one isometry"]
            ratios += [compared(G, r, eps, 1.0, share=1 / (r + missing))[0] for eps in EPS]
    return agrees(torch.cat(ratios).cpu().numpy(), 1.0)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        r"The largest eigenvalue of $\varepsilon I + \frac{1}{r}\sum g g^T$ relative to $L^{1/2} \otimes R^{1/2}$: a point "
        r"is the largest over the sequences of one kind, size, rank and $\varepsilon$."
    )
    figure, (ax,) = canvas(caption, 1, height=3.4)
    table = verdicts["loewner_inequality"].table.query("root == 1")
    kinds = list(table["sequence"].unique())
    for shift, marker, label, part in (
        (0.15, "o", "rank 1", table[table["r"] == 1]),
        (-0.15, "s", "full rank", table[table["r"] > 1]),
    ):
        ax.plot(part["ratio"], part["sequence"].map(kinds.index) + shift, marker, ms=4, alpha=0.7, label=label)
    ax.axvline(1, color="0.3", lw=1, ls="--", label="the inequality")
    ax.set(yticks=range(len(kinds)), yticklabels=kinds, xlim=(0, 1.04), xlabel="largest generalized eigenvalue")
    legend_below(figure)
    return {"eigenvalues": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
