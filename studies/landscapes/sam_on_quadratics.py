r"""What does SAM with a constant step do on a quadratic?

    w' = w - eta H (w + rho H w/||H w||):    from w = a e_i to -a e_i and back,    a = eta lam_i rho/(2 - eta lam_i)

Along every eigenvector there is such a 2-cycle. A step near it multiplies the coordinate j by m_ij = 1 - eta lam_j - (2 -
eta lam_i)(lam_j/lam_i)^2, which is inside (-1, 1) for every j only if lam_i is the largest eigenvalue. So SAM neither
converges to the minimizer nor prefers flat directions here: a quadratic has one curvature, and SAM ends by bouncing across
its sharpest direction. Flatness needs a curvature that varies: `sam_drift`.

Spectra lam_1 = 1 > lam_2 > ... > lam_5, drawn uniformly with lam_2 <= 0.95 and lam_5 >= 0.2, in the eigenbasis; rho = 0.1;
steps with eta lam_1 = 0.2, 0.5, 1.5, 1.8; starts 10 rho times normal vectors.

Sources: P. L. Bartlett, P. M. Long and O. Bousquet (2023), Journal of Machine Learning Research 24;
theory/sam_quadratics.py."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.sam import SAM
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds, mean_is
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal
from ratewitness.theory.sam_quadratics import amplitude, cycle, kick, multiplier, multipliers, objective, only_the_top_is

SOURCE = "S44; Bartlett, Long and Bousquet (2023)"
SYMBOLIC = (cycle, multipliers, only_the_top_is, kick, objective)
RHO, D, STEPS = 0.1, 5, 700
ETAS = np.array([0.2, 0.5, 1.5, 1.8])


def spectra(budget: Budget) -> torch.Tensor:
    """(K, 1, D), falling."""
    u = torch.rand(
        budget.pick(4, 20), D - 1, generator=budget.generator("spectra"), dtype=torch.float64, device=budget.device
    )
    rest = (0.2 + 0.75 * u).sort(-1, descending=True).values
    return torch.cat([torch.ones_like(rest[:, :1]), rest], -1).unsqueeze(1)


def sam(budget: Budget, lam: torch.Tensor, x0: torch.Tensor, measure, at=None):
    """Runs of STEPS steps with all steps ETAS: spectra (K, 1, D), starts (etas, K, starts, D)."""
    eta = torch.tensor(ETAS, device=budget.device).reshape(-1, 1, 1, 1)
    oracle = Oracle.full(quadratic(lam, torch.zeros_like(lam)))
    return run(SAM(GradientDescent(eta), RHO), oracle, x0, STEPS, measure, at or range(STEPS + 1))


def amplitudes(lam: torch.Tensor) -> torch.Tensor:
    """Of the cycles of all eigenvalues: (K, 1, D) -> (etas, K, 1, D)."""
    return amplitude(torch.tensor(ETAS, device=lam.device).reshape(-1, 1, 1, 1), lam, RHO)


@claim("proof", f"{SOURCE}; theory/sam_quadratics.py")
@falsified(*SYMBOLIC)
def cycles_are_proved(budget: Budget) -> Verdict:
    """S44, refined: On a quadratic SAM has one 2-cycle for each eigenvalue; only that of the largest is stable.

    For steps with 0 < eta lam < 2 its amplitude is eta lam rho/(2 - eta lam), and the multipliers near it are as in the
    module's docstring. SAM converges to the minimizer only from the starts of which an iterate hits it exactly: elsewhere
    two successive iterates are never both near it. On a quadratic SAM is gradient descent on L + rho ||grad L||, and
    elsewhere to first order in rho. Machine-checked: the cycle, its multipliers and their signs, the least kick for two
    eigenvalues, the gradients of the objective in two dimensions; cited: nothing; in prose: from these to stability, to more
    eigenvalues, and to the starts that converge."""
    return prove(*SYMBOLIC)


@claim("exact", f"{SOURCE}; theory/sam_quadratics.py")
@planted("the amplitude of small steps", small=True)
@planted("the cycle of the second eigenvalue", index=1)
@planted("radius larger by a tenth", times=1.1)
def ends_in_the_cycle_of_the_top(budget: Budget, small: bool = False, index: int = 0, times: float = 1.0) -> Verdict:
    """S44, refined: From random starts SAM with a constant step on a quadratic ends bouncing across its sharpest direction.

    After 700 steps |w| agrees with the amplitude eta lam rho/(2 - eta lam) of the largest eigenvalue, in norm, within 1e-8
    relative to it, for 4 steps, 4 (full budget: 20) spectra in 5 dimensions and 10 (50) starts of each."""
    spectrum = spectra(budget)
    x0 = 10 * RHO * normal(budget.generator("starts"), len(ETAS), len(spectrum), budget.pick(10, 50), D)
    end = sam(budget, spectrum, x0, lambda w: w.abs(), [STEPS]).x.abs().cpu().numpy()
    lam, eta = spectrum[:, 0].cpu().numpy(), ETAS[:, None]
    a = eta * lam[:, index] * times * RHO / 2 if small else amplitude(eta, lam[:, index], times * RHO)
    expected = np.zeros((*a.shape, D))
    expected[..., index] = a
    error = np.linalg.norm(end - expected[:, :, None], axis=-1) / a[..., None]
    return agrees(1 + error, np.ones_like(error), 1e-8)


def near(budget: Budget, lam: torch.Tensor) -> np.ndarray:
    """What two steps do to a distance along j from the cycle of i: (etas, K, i, j)."""
    unit = torch.eye(D, dtype=torch.float64, device=budget.device)
    a = amplitudes(lam).squeeze(-2)[..., None, None]  # (etas, K, i, 1, 1)
    at, size = a * unit.unsqueeze(1), 1e-6 * a  # the error is of this order
    eta = torch.tensor(ETAS, device=budget.device).reshape(-1, 1, 1, 1, 1)
    oracle = Oracle.full(quadratic(lam.unsqueeze(1), torch.zeros_like(lam.unsqueeze(1))))
    end = run(SAM(GradientDescent(eta), RHO), oracle, at + size * unit, 2, lambda w: w, [2]).values[0]
    return ((end - at) / size * unit).sum(-1).cpu().numpy()


def approach(budget: Budget, lam: torch.Tensor) -> np.ndarray:
    """The logarithm of the distance to the top cycle, per step, from 1e-5 to 1e-11: (etas, K, starts)."""
    a = amplitudes(lam)[..., :1]
    top = a * torch.eye(D, dtype=torch.float64, device=budget.device)[0]
    signs = normal(budget.generator("signs"), len(ETAS), len(lam), budget.pick(10, 50), D).sign()
    trace = sam(budget, lam, top + 1e-2 * a * signs, lambda w: (w.abs() - top).norm(dim=-1))
    distance = trace.values.cpu().numpy()
    first, last = ((distance > level).sum(0) for level in (1e-5, 1e-11))
    ends = [np.take_along_axis(distance, k[None], 0)[0] for k in (first, last)]
    return np.log(ends[1] / ends[0]) / (last - first)


@claim("constant", "S44; theory/sam_quadratics.py", units={"unstable": "count"})
@planted("the ratio of eigenvalues once", power=1.0)
@planted("its power 2.01", power=2.01)
def multipliers_are_measured(budget: Budget, power: float = 2.0) -> Verdict:
    """S44, refined: Near a cycle two steps of SAM multiply the coordinate j by m_ij^2, and the last approach has that rate.

    For every pair of eigenvalues, 4 steps and 4 (full budget: 20) spectra within 1e-4 (1 + m_ij^2), for distances of 1e-6
    of the amplitude; and from 1 % beside it the distance to the top cycle falls from 1e-5 to 1e-11 at max(|1 - eta lam_1|,
    max_j |m_1j|) a step, in logarithms within 5 %, on average over 10 (50) starts."""
    spectrum = spectra(budget)
    lam = spectrum[:, 0].cpu().numpy()
    eta, i, j = ETAS[:, None, None, None], lam[:, :, None], lam[:, None, :]
    m = multiplier(eta, i, j) + (2 - eta * i) * ((j / i) ** 2 - (j / i) ** power)
    m = np.where(np.eye(D, dtype=bool), 1 - eta * i, m)  # of the distance to the amplitude itself
    pairs = agrees(1 + (near(budget, spectrum) - m**2) / (1 + m**2), np.ones_like(m), 1e-4)
    rate = mean_is(approach(budget, spectrum), np.log(np.abs(m[:, :, 0]).max(-1)), 0.05)
    return all_of({"pairs": pairs, "rate": rate}).noting(unstable=float((np.abs(m) > 1).sum()))


@claim("lower bound", "S44; theory/sam_quadratics.py")
@planted("a floor higher by a twentieth", factor=1.05)
def never_near_the_minimizer_twice(budget: Budget, factor: float = 1.0) -> Verdict:
    """S44, refined: From random starts SAM with a constant step does not converge to the minimizer of a quadratic.

    Of two successive iterates one is at least eta rho lam_min/(1 + max_j |1 - eta lam_j|) from it, in every step of 4 times
    4 (full budget: 20) times 10 (50) runs of 700 steps in five dimensions, and of one run in one dimension, with eta lam =
    0.5, where it is the amplitude and attained."""
    lam = torch.cat([spectra(budget), torch.zeros_like(spectra(budget)[:1])])
    lam[-1, 0, 0] = 1.0
    x0 = 10 * RHO * normal(budget.generator("starts"), len(ETAS), len(lam), budget.pick(10, 50), D)
    x0[:, -1, :, 1:] = 0
    norms = sam(budget, lam, x0, lambda w: w.norm(dim=-1)).values
    least = torch.maximum(norms[1:], norms[:-1]).amin((0, 3)).cpu().numpy()
    spectrum = lam[:, 0].cpu().numpy()
    smallest = np.where(spectrum > 0, spectrum, np.inf).min(-1)
    worst = np.where(spectrum > 0, np.abs(1 - ETAS[:, None, None] * spectrum), 0).max(-1)
    floor = factor * ETAS[:, None] * RHO * smallest / (1 + worst)
    return bound_holds(floor.ravel(), least.ravel()).showing(picture())


def picture() -> pd.DataFrame:
    """A run in the plane, eigenvalues 1 and 0.5, eta = 0.9, from beside the cycle of the smaller one; and gradient
    descent."""
    x0, parts = torch.tensor([1e-4, amplitude(0.9, 0.5, RHO)], dtype=torch.float64), {}
    for name, rho in (("SAM", RHO), ("gradient descent", 0.0)):
        oracle = Oracle.full(quadratic(torch.tensor([1.0, 0.5]), torch.zeros(2)))
        w = run(SAM(GradientDescent(0.9), rho), oracle, x0, 60, lambda w: w, range(61)).values.numpy()
        loss = (w**2 * [1.0, 0.5]).sum(-1) / 2
        parts[name] = pd.DataFrame({"method": name, "step": range(61), "w1": w[:, 0], "w2": w[:, 1], "loss": loss})
    return pd.concat(parts.values(), ignore_index=True)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "SAM with a constant step on a quadratic with eigenvalues 1 and 0.5 ($\\eta = 0.9$, $\\rho = 0.1$), started "
        "beside the 2-cycle of the smaller one. Left: the iterates, which leave that cycle (squares) for the one "
        "across the sharpest direction (circles). Right: the loss, which stays at that cycle's, where gradient "
        "descent goes to 0."
    )
    table = verdicts["never_near_the_minimizer_twice"].table
    sam, plain = (table[table["method"] == name] for name in ("SAM", "gradient descent"))
    figure, (plane, losses) = canvas(caption, 2, height=3.0)
    plane.plot(sam["w1"], sam["w2"], color="0.75", lw=0.7, label="_")
    plane.plot(sam["w1"], sam["w2"], "C0.", ms=5, label="SAM")
    top, second = amplitude(0.9, 1.0, RHO), amplitude(0.9, 0.5, RHO)
    plane.plot([-top, top], [0, 0], "C3o", ms=9, mfc="none", label="stable 2-cycle")
    plane.plot([0, 0], [-second, second], "C4s", ms=9, mfc="none", label="unstable 2-cycle")
    plane.plot(0, 0, "k+", ms=9, label="minimizer")
    plane.set(xlabel="$w_1$ (curvature 1)", ylabel="$w_2$ (curvature 0.5)")
    losses.semilogy(sam["step"], sam["loss"], "C0.-", lw=0.8, ms=4, label="SAM")
    shown = plain[plain["loss"] > 1e-12]
    losses.semilogy(shown["step"], shown["loss"], "C2^-", lw=0.8, ms=3, label="gradient descent")
    losses.axhline(top**2 / 2, color="C3", lw=1, label=r"loss $\lambda_1 a_1^2/2$ of the stable cycle")
    losses.set(xlabel="step", ylabel="loss", ylim=(1e-10, None))
    legend_below(figure)
    return {"cycle": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
