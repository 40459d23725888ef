r"""What of grokking can be computed exactly? A circuit that generalizes, a delay, and a loss that rounds to 0.

    z_c = cos(a + b - c) by four neurons;    ridge: |null|^2 (1 - eta lam)^(2t);    loss 0 from a gap near b ln 2 on

S47 speaks of networks on algorithmic data (`grokking`, measured). Here is why a network *can* generalize on modular
addition, why decay sets the time of it in the simplest model, linear regression with more weights than rows, and where
cross-entropy stops to train in float32. The derivations are in theory/grokking.py. Further: a circuit without biases
(`grokking_circuit`), the law of the delay with its controls and without decay (`grokking_delay`), a delay in which features
change (`grokking_diagonal`), the collapse in four formats and StableMax (`softmax_collapse`).

A. Gromov (2023), arXiv:2301.02679; L. Prieto et al. (2025), arXiv:2501.04697.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.problems.networks.mlp import cross_entropy
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import deterministic
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import hitting_times
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds, equals_exactly
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal
from ratewitness.theory import grokking as theory

GROMOV = "Gromov (2023), arXiv:2301.02679"
PRIETO = "Prieto et al. (2025), arXiv:2501.04697"
PROVED = (theory.four_neurons, theory.null_component, theory.collapse)
MODULI = (2, 3, 5, 12, 59, 97, 113)
ROWS, WEIGHTS, ETA, EPS = 20, 60, 0.1, 1e-3
DECAYS = (0.03, 0.01, 0.003)
BITS = {torch.float32: 24, torch.float64: 53}


@claim("proof", f"S47; {GROMOV}; proofs in theory/grokking.py")
@falsified(*PROVED)
def formulas_are_proved(budget: Budget) -> Verdict:
    """S47, refined: Four neurons with squares add modulo any p, and decay alone moves what ridge regression cannot see.

    The outputs of the circuit are cos(a + b - c) for symbolic angles; a step of ridge regression multiplies the component
    off the rows by 1 - eta lam (one row in the plane, symbolic); (C - 1) e^-g = 2^-b at g = b ln 2 + ln(C - 1).
    Machine-checked: these three identities; cited: rounding to the nearest number, ties to even; in prose: any number of
    rows."""
    return prove(*PROVED)


@claim("exact", f"S47; {GROMOV}")
@planted("three neurons", neurons=3)
@planted("the margin of p + 1", shift=1)
def circuit_answers_every_pair(budget: Budget, neurons: int = 4, shift: int = 0) -> Verdict:
    """S47, refined: A circuit of four neurons answers every pair of modular addition, with the margin 1 - cos(2 pi/p).

    In float64 for p = 2, 3, 5, 12, 59, 97 and 113, all p^2 pairs: no largest output is wrong, and the least margin over the
    other outputs agrees with 1 - cos(2 pi/p) to 1e-9."""
    wrong, margins = [], []
    for p in MODULI:
        angle = 2 * np.pi * np.arange(p) / p
        a, b = np.meshgrid(angle, angle, indexing="ij")
        h = np.stack([np.cos(a) + np.cos(b), np.sin(a) - np.sin(b), np.cos(a) + np.sin(b), np.sin(a) + np.cos(b)]) ** 2
        h[neurons:] = 1.0  # its mean
        cosine, sine = (h[0] + h[1] - 2) / 2, (h[2] + h[3] - 2) / 2
        z = cosine[..., None] * np.cos(angle) + sine[..., None] * np.sin(angle)
        right = (np.arange(p)[:, None] + np.arange(p)) % p
        chosen = np.take_along_axis(z, right[..., None], -1)
        np.put_along_axis(z, right[..., None], -np.inf, -1)
        margins.append((chosen[..., 0] - z.max(-1)).min())
        wrong.append((z.max(-1) >= chosen[..., 0]).sum())
    predicted = 1 - np.cos(2 * np.pi / (np.array(MODULI) + shift))
    table = {"modulus": MODULI, "measured": margins, "theory": predicted}
    verdicts = {"pairs": equals_exactly(wrong, np.zeros(len(MODULI))), "margin": agrees(margins, predicted, 1e-9)}
    return all_of(verdicts).showing(table)


@measured
def ridge(budget: Budget) -> tuple[np.ndarray, np.ndarray, float]:
    """First steps with a small test and a small training risk (decays,), and the length off the rows at the start."""
    generator = budget.generator("ridge")
    X = normal(generator, ROWS, WEIGHTS)
    H, unit = X.T @ X / ROWS, torch.linalg.matrix_norm(X, 2).square() / ROWS
    teacher = X.T @ normal(generator, ROWS) / (10 * ROWS)
    decay = unit * torch.tensor(DECAYS, dtype=H.dtype, device=H.device).unsqueeze(-1)
    start = 10 * normal(generator, WEIGHTS)
    rows = torch.linalg.qr(X.T).Q
    problem = deterministic(
        name="ridge regression",
        shape=(WEIGHTS,),
        gap=lambda x: ((x - teacher) @ X.T).square().mean(-1) / 2 + (decay * x.square()).sum(-1) / 2,
        grad=lambda x: (x - teacher) @ H + decay * x,
        start=start,
        minimizer=None,
        smoothness=float(unit * (1 + max(DECAYS))),
        convex=True,
        certificate="L: largest eigenvalue of X^T X/n and decay; mu: decay; sigma2: one component; f*: not 0, unused",
        floor=0.0,
    )

    def risks(x):
        off = x - (x @ rows) @ rows.T
        return torch.stack([off.square().sum(-1), ((x - teacher) @ X.T).square().mean(-1)])

    x0 = start.expand(len(DECAYS), -1).clone()
    times = hitting_times(GradientDescent(ETA / unit), Oracle.full(problem), x0, 60_000, risks, torch.tensor(EPS))
    test, training = np.where(times.cpu().numpy() < 0, np.nan, times.cpu().numpy())
    return test, training, float((start - rows @ (rows.T @ start)).norm())


@claim("exact", "S47; derived in theory/grokking.py")
@planted("decay doubled", factor=2.0)
@planted("a start larger by a tenth", larger=1.1)
def ridge_generalizes_when_decay_has_worked(budget: Budget, factor: float = 1.0, larger: float = 1.0) -> Verdict:
    """S47, refined: Ridge regression by gradient descent has a small test risk long after a small training risk.

    20 normal rows in 60 dimensions, the teacher in the row space, start 10 times a normal vector; step 0.1 and decays 0.03,
    0.01 and 0.003 in units of the largest eigenvalue: the first step at which the squared length off the rows, which is
    the rest of the test risk for normal inputs, is at most 1e-3 is ln(|null|/sqrt(1e-3)) over -ln(1 - eta lam), within one
    step; the mean squared training residual is at most 1e-3 at least 3 times earlier."""
    test, training, null = ridge(budget)
    predicted = [theory.null_delay(larger * null, EPS, ETA, factor * lam) for lam in DECAYS]
    table = {"decay": DECAYS, "measured": test, "theory": predicted, "training": training}
    delay = bound_holds(np.abs(test - np.array(predicted)), np.ones(len(DECAYS)), -1.0)
    return all_of({"delay": delay, "earlier": bound_holds(3 * training / test, np.ones(len(DECAYS)))}).showing(table)


@claim("exact", f"S47; {PRIETO}; derived in theory/grokking.py")
@planted("two more bits", more=2)
@planted("one bit less", more=-1)
def cross_entropy_rounds_to_zero(budget: Budget, more: int = 0) -> Verdict:
    """S47, refined: Cross-entropy is exactly 0 from a logit gap between b ln 2 and b ln 2 + ln(C - 1) on, 16.6 in float32.

    C = 2, 10 and 113 classes, float32 (b = 24) and float64 (b = 53): the least gap, by bisection, at which the loss
    log(sum e^z) - z_y of logits (g, 0, ..., 0) is 0 lies in that interval up to 0.01; where in it depends on the order of
    the sum, and for two classes it is a point."""
    found, predicted, table = [], [], []
    for dtype, bits in BITS.items():
        for C in (2, 10, 113):
            low, high = 1.0, 80.0
            for _ in range(60):
                g = (low + high) / 2
                z = torch.zeros(1, C, dtype=dtype)
                z[0, 0] = g
                shifted = z - z.max()  # as a stable implementation does
                loss = shifted.exp().sum().log()
                low, high = (low, g) if float(loss) == 0 else (g, high)
            found.append(high)
            predicted.append([theory.collapse_gap(bits + more, each) for each in (2, C)])
            table.append({"bits": bits, "classes": C, "measured": high, "theory": predicted[-1][1]})
    low, high = np.array(predicted).T
    verdicts = {
        "above": bound_holds(low / np.array(found), np.full(len(found), 1 + 6e-4)),
        "below": bound_holds(found, high + 0.01),
    }
    return all_of(verdicts).showing({key: [row[key] for row in table] for key in table[0]})


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["circuit_answers_every_pair"].table
    figure, (left, right) = canvas(
        "First: the least margin of the circuit of four neurons over all pairs, and 1 - cos(2 pi/p). Second: cross-entropy "
        "of two classes against their gap in float32 and float64; where a curve ends, the loss is exactly 0.",
        2,
    )
    left.loglog(table["modulus"], table["measured"], "C0o", ms=4, label="least margin")
    left.loglog(table["modulus"], table["theory"], color="0.3", lw=1, label=r"$1-\cos(2\pi/p)$")
    left.set(xlabel="modulus $p$", ylabel="margin")
    gaps = np.linspace(1, 45, 89)
    for (dtype, look), name in zip(
        {torch.float32: "C1s-", torch.float64: "C2^-"}.items(), ("float32", "float64"), strict=True
    ):
        z = torch.zeros(len(gaps), 1, 2, dtype=dtype)
        z[:, 0, 0] = torch.as_tensor(gaps)
        loss = cross_entropy(z - z.amax(-1, keepdim=True), torch.zeros(1, dtype=torch.int64)).double().numpy()
        right.semilogy(gaps[loss > 0], loss[loss > 0], look, ms=3, lw=1, markevery=4, label=name)
    right.set(xlabel="gap of the logits", ylabel="cross-entropy")
    legend_below(figure)
    return {"circuit": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
