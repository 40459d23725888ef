r"""Does Shampoo's Kronecker product dominate the Gram sum of the gradients, and how tightly?

    eps I + (1/r) sum_s g_s g_s^T  <=  L^{1/2} (x) R^{1/2},      g_s = vec(G_s) by rows, rank G_s <= r
    L = eps I + sum_s G_s G_s^T,   R = eps I + sum_s G_s^T G_s

in the Loewner order: the inequality behind Shampoo's regret bound. It is an equality along g where the gradients are
multiples of one partial isometry of rank r, so that the 1/r is sharp; on random sequences of rank one it is nearly one, and
far from one on random sequences of full rank.
"""

from __future__ import annotations

from functools import cache

import matplotlib.pyplot as plt
import pandas as pd
import torch
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, all_of, bound_holds
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal, sequences
from ratewitness.theory import kronecker
from ratewitness.theory.identity import identities
from torch import Tensor

STEPS = tuple(identities(kronecker).values())


@claim(
    kind="proof",
    source="S39; Gupta, Koren and Singer (2018), arXiv:1802.09568; theory/kronecker.py says what is taken from elsewhere",
    planted=falsified(*STEPS, named="{name} falsified"),
)
def steps_of_the_proof(budget: Budget) -> Verdict:
    """S39: The identities on which the Loewner inequality and Shampoo's regret bound rest: Cauchy-Schwarz over the r
    singular pairs for any r, the Schur complement and the square root of noncommuting matrices, the geometric mean of
    L (x) I and I (x) R, one step of the online method, its potential and the best step."""
    return prove(*STEPS)


SHAPES = ((4, 3), (2, 6), (5, 5), (1, 4))
EPS = (1e-2, 1.0)


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


@cache
def hard_sequences(budget: Budget) -> list[tuple[str, int, float, Tensor]]:
    """(family, r, eps, gradients) over sizes and ranks."""
    generator, found = budget.generator("sequences"), []
    for m, n in SHAPES:
        for r in sorted({1, min(m, n)}):
            for eps in EPS:
                families = sequences(generator, m, n, r, budget.pick(10, 50))
                families["searched"] = climbed(generator, m, n, r, eps, budget.pick(40, 200))
                found += [(family, r, eps, G) for family, G in families.items()]
    return found


def dominated(budget: Budget, **variant) -> Verdict:
    """The inequality and its square root on every sequence: largest ratio, and margin below rounding."""
    rows = []
    for family, r, eps, G in hard_sequences(budget.shared("shampoo_kronecker")):
        for root in (1.0, 0.5):
            ratio, margin = compared(G, r, eps, root, **variant)
            rows.append(
                {"sequence": family, "m": G.shape[-2], "n": G.shape[-1], "r": r, "eps": eps, "root": root}
                | {"ratio": float(ratio.max()), "margin": float(margin.min())}
            )
    table = pd.DataFrame(rows)
    judged = {
        "ratio": bound_holds(table["ratio"], 1.0),
        "negative_margin": bound_holds(-table["margin"], 1e-12, floor=-2.0),
    }
    searched = table.loc[(table["sequence"] == "searched") & (table["root"] == 1), "ratio"]
    return (
        all_of(judged)
        .noting(worst_margin=table["margin"].min(), found_by_search=searched.max(), least_found_by_search=searched.min())
        .showing(table)
    )


@claim(
    kind="upper bound",
    source="S39; Gupta, Koren and Singer (2018), arXiv:1802.09568; proof in theory/kronecker.py",
    planted={
        "without the 1/r": lambda budget: dominated(budget, share=1.0),
        "exponents 1/4": lambda budget: dominated(budget, power=0.25),
        "vec by columns, factors not swapped": lambda budget: dominated(budget, by_rows=False),
    },
)
def loewner_inequality(budget: Budget) -> Verdict:
    """S39: eps I + (1/r) sum g_s g_s^T <= L^{1/2} (x) R^{1/2} in the Loewner order, vec by rows, and the square roots of
    both sides alike: with the 1/r full-matrix AdaGrad's matrix is below L^{1/4} (x) R^{1/4}. On eight families of sequences
    of rank 1 and of full rank (random, aligned, repeated, growing, one isometry, ...) and on what a random search makes as
    critical as it can, no generalized eigenvalue exceeds 1 and the margin is at least -1e-12 of the norm."""
    return dominated(budget)


def at_isometries(budget: Budget, missing: int = 0) -> Verdict:
    """The largest generalized eigenvalue where all gradients are multiples of one partial isometry of rank r."""
    ratios = []
    for m, n in SHAPES:
        for r in range(1, min(m, n) + 1):
            G = sequences(budget.shared("isometries").generator(m, n, r), m, n, r, 20)["one isometry"]
            ratios += [compared(G, r, eps, 1.0, share=1 / (r + missing))[0] for eps in EPS]
    return agrees(torch.cat(ratios).cpu().numpy(), 1.0)


@claim(
    kind="constant",
    source="S39; derived here: g = sigma sum_k u_k (x) v_k is an eigenvector of both sides, with eps + sum_s sigma_s^2",
    planted={"1/(r+1) is attained": lambda budget: at_isometries(budget, missing=1)},
)
def loewner_inequality_is_attained(budget: Budget) -> Verdict:
    """S39: The 1/r is sharp on 4 x 3, 2 x 6, 5 x 5 and 1 x 4 matrices, for every rank r that these can have and eps = 0.01
    and 1: where the gradients are multiples of one partial isometry of rank r, the largest generalized eigenvalue is 1."""
    return at_isometries(budget)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, ax = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
    figure.set_label(
        "The largest eigenvalue of eps I + (1/r) sum g g^T relative to L^{1/2} (x) R^{1/2}: a point is the largest over the "
        "sequences of one kind, size, rank and eps. Line: the inequality."
    )
    table = verdicts["loewner_inequality"].table.query("root == 1")
    kinds = list(table["sequence"].unique())
    for shift, marker, label, part in (
        (0.15, "o", "rank 1", table[table["r"] == 1]),
        (-0.15, "s", "full rank", table[table["r"] > 1]),
    ):
        ax.plot(part["ratio"], part["sequence"].map(kinds.index) + shift, marker, ms=4, alpha=0.7, label=label)
    ax.axvline(1, color="k", lw=1)
    ax.set(yticks=range(len(kinds)), yticklabels=kinds, xlim=(0, 1.04), xlabel="largest generalized eigenvalue")
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return {"eigenvalues": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
