r"""Does SAM leave a maximum, or a saddle point?

    L = -lam x^2/2:    x' - rho = (1 + s)(x - rho) for x > 0,    s = eta lam <= 1

so that no start inside (-rho, rho) leaves it: the perturbation jumps over the maximum, and the gradient there points back.
At a saddle the coordinate of an eigenvalue -mu is multiplied by 1 + eta mu (1 - rho mu/||grad L||): SAM moves away only
where the gradient is longer than rho mu. Gradient descent leaves both from almost every start. The saddle here is the
origin of (xy - 1)^2/2, with eigenvalues 1 and -1, between the two branches of minimizers. Exact gradients; noise is another
question.

Sources: H. Kim, J. Park, Y. Choi and J. Lee (2023), arXiv:2301.06308; theory/sam_quadratics.py.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum, deterministic
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.sam import SAM
from ratewitness.solvers.solver import hitting_times
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, equals_exactly, exceeds
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory.sam_quadratics import saddle, trap
from torch import Tensor

SOURCE = "S44; Kim et al. (2023), arXiv:2301.06308; theory/sam_quadratics.py"
RHO, GROUPS, ETA = 0.1, 20, 0.1
SHARES = np.array([0.1, 0.3, 0.6, 0.9])  # eta lam


def plain(name: str, d: int, gap, grad, device: str) -> FiniteSum:
    start = torch.zeros(d, dtype=torch.float64, device=device)
    return deterministic(
        name=name, shape=(d,), gap=gap, grad=grad, start=start, minimizer=None, smoothness=math.inf, convex=False,
        certificate="none: the minimizers are not the question", floor=0.0,
    )  # fmt: skip


def maximum(device: str) -> FiniteSum:
    return plain("maximum", 1, lambda x: -(x[..., 0] ** 2) / 2, lambda x: -x, device)


def product(device: str) -> FiniteSum:
    def residual(w):
        return w[..., :1] * w[..., 1:] - 1

    return plain("product", 2, lambda w: residual(w)[..., 0] ** 2 / 2, lambda w: residual(w) * w.flip(-1), device)


def leaving(solver, problem: FiniteSum, x0: Tensor, radius: float, limit: int) -> np.ndarray:
    """The first step at a distance of `radius` from 0, -1 where there is none: (*batch,)."""
    out = torch.full(x0.shape[:-1], -radius, dtype=torch.float64, device=x0.device)
    return hitting_times(solver, Oracle.full(problem), x0, limit, lambda x: -x.norm(dim=-1), out).cpu().numpy()


@claim("proof", SOURCE)
@falsified(trap, saddle)
def trap_is_proved(budget: Budget) -> Verdict:
    """S44, refined: At a maximum in one dimension SAM never leaves the interval of radius rho; at a saddle it moves off only
    where the gradient is long.

    In one dimension, for L = -lam x^2/2 and eta lam <= 1, every start inside (-rho, rho) stays there. For a quadratic with
    an eigenvalue -mu that coordinate grows in a step iff ||grad L|| > rho mu, or its factor is below -1."""
    return prove(trap, saddle)


@claim("exact", SOURCE)
@planted("so does gradient descent", rho=0.0)
@planted("the ball has radius 1.02 rho", reach=1.02)
def maximum_is_never_left(budget: Budget, rho: float = RHO, reach: float = 1.0) -> Verdict:
    """S44, refined: SAM stays at a maximum in one dimension from every start nearer than rho, and leaves from those beyond.

    Along a line only: where a maximum has two different curvatures, the coordinate of the smaller one can grow. For L =
    -x^2/2, rho = 0.1 and eta = 0.1, 0.3, 0.6 and 0.9: of 200 starts of 0.1 % to 99.9 % of rho none is at 3 rho
    within 500 (full budget: 4000) steps, and of 200 from 1.001 rho to 2 rho each is."""
    eta = torch.tensor(SHARES, device=budget.device).reshape(-1, 1, 1)
    share = torch.linspace(0.001, 0.999, 200, dtype=torch.float64, device=budget.device)
    starts = {"inside": RHO * reach * share, "beyond": RHO * (1.001 + 0.999 * share)}
    verdicts = {}
    for name, x0 in starts.items():
        x0 = x0.reshape(1, -1, 1).expand(len(SHARES), -1, 1).clone()
        left = leaving(SAM(GradientDescent(eta), rho), maximum(budget.device), x0, 3 * RHO, budget.pick(500, 4000)) >= 0
        verdicts[name] = equals_exactly(left.sum(-1), np.full(len(SHARES), 0 if name == "inside" else 200))
    return all_of(verdicts)


@measured
def grid(budget: Budget, limit: int) -> pd.DataFrame:
    """Steps until 3 rho from starts on a grid, -1 where there are none."""
    line = torch.linspace(-2, 2, 33, dtype=torch.float64, device=budget.device) * RHO
    x0 = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)
    columns = {"x": x0[..., 0].flatten().cpu().numpy(), "y": x0[..., 1].flatten().cpu().numpy()}
    for name, rho in (("sam", RHO), ("descent", 0.0)):
        columns[name] = leaving(SAM(GradientDescent(ETA), rho), product(budget.device), x0, 3 * RHO, limit).ravel()
    return pd.DataFrame(columns)


@claim("phenomenon", SOURCE)
@planted("so does gradient descent", rho=0.0)
@planted("also from twice the distance", distance=2.0)
def saddle_is_not_left(budget: Budget, rho: float = RHO, distance: float = 0.5) -> Verdict:
    """S44, refined: From near the saddle point of (xy - 1)^2/2 SAM with a small constant step stays there.

    From starts uniform in directions at rho/2 from the origin, with eta = rho = 0.1, more than 95 % are nearer than 3 rho
    for 500 (full budget: 4000) steps: interval over 20 groups of 20 (50) starts. Gradient descent leaves from all but the
    directions (1, -1), and SAM from many starts at 2 rho."""
    angle = 2 * math.pi * torch.rand(
        GROUPS, budget.pick(20, 50), 1, generator=budget.generator("directions"), dtype=torch.float64, device=budget.device
    )  # fmt: skip
    x0 = distance * RHO * torch.cat([angle.cos(), angle.sin()], -1)
    limit = budget.pick(500, 4000)
    stays = leaving(SAM(GradientDescent(ETA), rho), product(budget.device), x0, 3 * RHO, limit) < 0
    return exceeds(stays.mean(-1), 0.95).showing(grid(budget, limit))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "Starts around the saddle point of $(xy - 1)^2/2$ (at the origin; minimizers lie far outside, up right and "
        "down left), and the steps until a distance of $3\\rho$, $\\eta = \\rho = 0.1$. Crosses: never, in as many "
        "steps as the statement says. The circle has radius $\\rho$: inside it the gradient is shorter than "
        "$\\rho\\mu$."
    )
    table = verdicts["saddle_is_not_left"].table
    figure, axes = canvas(caption, 2, height=3.2, shared="xy")
    for ax, (column, title) in zip(axes, (("sam", "SAM"), ("descent", "gradient descent")), strict=True):
        left, never = table[table[column] >= 0], table[table[column] < 0]
        shown = ax.scatter(
            left["x"] / RHO, left["y"] / RHO, c=left[column], s=9, marker="s", vmin=0, vmax=80, label="leaves"
        )
        ax.plot(never["x"] / RHO, never["y"] / RHO, "x", color="C3", ms=3.5, label="never leaves")
        turn = np.linspace(0, 2 * np.pi, 200)
        ax.plot(np.cos(turn), np.sin(turn), "k--", lw=1.2, label=r"$\|\nabla L\| = \rho\mu$")
        ax.set(title=title, xlabel=r"$x/\rho$", ylabel=r"$y/\rho$", aspect="equal")
    figure.colorbar(shown, ax=axes, label=r"steps until $3\rho$", shrink=0.8)
    legend_below(figure)
    return {"saddle": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
