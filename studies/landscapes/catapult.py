r"""The catapult: does gradient descent with a step too large for its start jump to a flatter minimum?

    f = u v,  L = f^2/2,  kappa = u^2 + v^2:    f' = f (1 - eta kappa + eta^2 f^2),  kappa' = kappa + eta f^2 (eta kappa - 4)

Minima are the points with f = 0, kappa is their curvature, and one holds gradient descent where eta kappa < 2. Started near
one with eta kappa_0 between 2 and 4 the loss first grows, kappa falls, and the run ends where eta kappa < 2; above 4 it
diverges. The recursion is proved, the threshold is measured from small f_0 only: from a large one it lies elsewhere.

A. Lewkowycz, Y. Bahri, E. Dyer, J. Sohl-Dickstein and G. Gur-Ari (2020), arXiv:2003.02218.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum, deterministic
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, equals_exactly
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import catapult as theory

SOURCE = "S44; Lewkowycz et al. (2020), arXiv:2003.02218"
STARTS = (0.5, 1.0, 1.5, 1.9, 2.1, 2.5, 3.0, 3.5, 3.9, 3.99, 4.01, 4.1, 4.5)  # eta kappa_0
F0, ETA = 1e-3, 1.0
PROVED = (theory.function, theory.curvature, theory.imbalance, theory.linear)


def product(starts: torch.Tensor) -> FiniteSum:
    """(u v)^2/2 on the plane from starts (..., 2)."""

    def grad(x):
        return x.prod(-1, keepdim=True) * x.flip(-1)

    return deterministic(
        name="product of two",
        shape=(2,),
        gap=lambda x: x.prod(-1).square() / 2,
        grad=grad,
        start=starts,
        minimizer=None,
        smoothness=float("inf"),
        convex=False,
        certificate="L: none, the Hessian grows with x; mu: none; sigma2: one component; f*: 0 where a factor is 0",
        floor=0.0,
    )


def start(eta_kappa: np.ndarray) -> torch.Tensor:
    """Points (len, 2) with u v = F0 and u^2 + v^2 = eta_kappa / ETA."""
    kappa = eta_kappa / ETA
    total, difference = np.sqrt(kappa + 2 * F0), np.sqrt(kappa - 2 * F0)
    return torch.as_tensor(np.stack([(total + difference) / 2, (total - difference) / 2], -1))


@cache
def ends() -> tuple[np.ndarray, np.ndarray]:
    """eta kappa and |f| after 100000 steps from each of STARTS; inf where the run diverged."""
    problem = product(start(np.array(STARTS)))
    x = run(GradientDescent(ETA), Oracle.full(problem), problem.start, 100_000, problem.gap, at=[0]).x
    kappa, f = ETA * x.square().sum(-1).numpy(), x.prod(-1).abs().numpy()
    return np.nan_to_num(kappa, nan=np.inf, posinf=np.inf), np.nan_to_num(f, nan=np.inf, posinf=np.inf)


@claim("proof", f"{SOURCE}; proofs in theory/catapult.py")
@falsified(*PROVED)
def recursion_is_proved(budget: Budget) -> Verdict:
    """S44, refined: On (u v)^2/2 gradient descent lowers the curvature u^2 + v^2 exactly while it is below 4/eta.

    For symbolic u, v and eta > 0: f' = f (1 - eta kappa + eta^2 f^2) and kappa' = kappa + eta f^2 (eta kappa - 4), while u^2
    - v^2 is multiplied by 1 - eta^2 f^2, and near f = 0 the factor of f is 1 - eta kappa. Machine-checked: the recursions of
    f, kappa and u^2 - v^2, and the factor near f = 0; cited: nothing; in prose: that eta kappa - 4 has the sign of the
    change of kappa while f is not 0."""
    return prove(*PROVED)


@claim("exact", f"{SOURCE}; recursion proved in theory/catapult.py")
@planted("threshold 3 in the recursion", threshold=3.0)
@planted("without the square of the step", second=0.0)
def the_recursion_is_the_run(budget: Budget, threshold: float = 4.0, second: float = 1.0) -> Verdict:
    """S44, refined: Gradient descent on (u v)^2/2 follows a recursion of two numbers, f = u v and the curvature u^2 + v^2.

    200 steps of size 1 from f = 0.1 with eta kappa = 1, 2.5 and 3.5, each step compared with that of the recursion from the
    same point: kappa' and f' - f agree with it up to 1e-12 relative to kappa and to |f|."""
    kappa0 = np.array([1.0, 2.5, 3.5])
    x = torch.as_tensor(np.stack([np.sqrt((kappa0 + np.sqrt(kappa0**2 - 0.04)) / 2)] * 2, -1))
    x[:, 1] = 0.1 / x[:, 0]
    path = run(GradientDescent(ETA), Oracle.full(product(x)), x, 200, lambda x: x, at=range(201)).values.numpy()
    f, kappa = path.prod(-1), (path**2).sum(-1)
    f_next = f[:-1] * (1 - ETA * kappa[:-1] + second * ETA**2 * f[:-1] ** 2)
    kappa_next = kappa[:-1] + ETA * f[:-1] ** 2 * (ETA * kappa[:-1] - threshold)
    moved = np.abs(f[:-1]) > 1e-3  # below, the terms in f^2 that are judged are smaller than the tolerance
    errors = [1 + (f[1:] - f_next)[moved] / np.abs(f[:-1][moved]), 1 + (kappa[1:] - kappa_next)[moved] / kappa[:-1][moved]]
    last = {"step": np.arange(41), "loss": f[:41, -1] ** 2 / 2, "curvature": ETA * kappa[:41, -1]}
    return agrees(np.concatenate(errors), 1.0, 1e-12).showing(last)


@claim("exact", SOURCE)
@planted("threshold 3.5", threshold=3.5)
@planted("threshold 4.2", threshold=4.2)
@planted("ends below 1/eta", final=1.0)
def it_lands_flatter_up_to_four(budget: Budget, threshold: float = 4.0, final: float = 2.0) -> Verdict:
    """S44, refined: From a small u v gradient descent on (u v)^2/2 ends at a curvature below 2/eta from a start below 4/eta,
    and else diverges.

    eta = 1 and f_0 = 1e-3, eta kappa_0 = 0.5, 1, 1.5, 1.9, 2.1, 2.5, 3, 3.5, 3.9, 3.99 below and 4.01, 4.1, 4.5 above the
    threshold: after 100000 steps |f| < 1e-8 and eta kappa < 2 below, and no finite number above. This is of small f_0."""
    kappa, f = ends()
    landed = (f < 1e-8) & (kappa < final)
    expected = np.array(STARTS) < threshold
    verdict = equals_exactly(landed.astype(int), expected.astype(int))
    shown = np.where(np.isfinite(kappa), kappa, np.nan)
    table = {"start": STARTS, "measured": shown, "diverged": (~np.isfinite(kappa)).astype(int)}
    return verdict.noting(diverged=float((~np.isfinite(kappa)).sum())).showing(table)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["it_lands_flatter_up_to_four"].table
    figure, (left, right) = canvas(
        "Gradient descent on (u v)^2/2 with step 1. First: the curvature at the end of the run against that at its "
        "start, both times the step; a cross is a run that diverged. Second: loss and curvature along the run that starts "
        "at u v = 0.1 and a curvature of 3.5.",
        2,
    )
    kept, lost = table[table["diverged"] == 0], table[table["diverged"] == 1]
    left.plot(kept["start"], kept["measured"], "C0o", ms=4, label="end of the run")
    left.plot(lost["start"], np.full(len(lost), 2.15), "C3x", label="diverged")
    left.plot([0.5, 2], [0.5, 2], color="0.3", lw=1, label="unchanged")
    left.axhline(2, color="0.3", lw=1, ls="--", label=r"edge $\eta\kappa = 2$")
    left.axvline(4, color="0.3", lw=1, ls=":", label=r"threshold $\eta\kappa_0 = 4$")
    left.set(xlabel=r"$\eta\kappa$ at the start", ylabel=r"$\eta\kappa$ at the end", ylim=(0, 2.4))
    path = verdicts["the_recursion_is_the_run"].table
    right.semilogy(path["step"], path["loss"], "C1s-", ms=3, lw=1, label="loss")
    right.semilogy(path["step"], path["curvature"], "C2^-", ms=3, lw=1, label=r"$\eta\kappa$")
    right.axhline(2, color="0.3", lw=1, ls="--")
    right.set(xlabel="steps", ylabel=r"loss, $\eta\kappa$", ylim=(1e-9, 20))
    legend_below(figure)
    return {"landing": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
