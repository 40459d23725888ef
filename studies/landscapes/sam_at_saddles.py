r"""Does SAM leave a maximum, or a saddle point?

    L = -lam x^2/2:    x' - rho = (1 + s)(x - rho) for x > 0,    s = eta lam <= 1

so that no start inside (-rho, rho) leaves it: the perturbation jumps over the maximum, and the gradient there points back.
At a saddle of a quadratic the coordinate of an eigenvalue -mu is multiplied by 1 + eta mu (1 - rho mu/||grad L||): it grows
where the gradient is longer than rho mu, or so short that the step overshoots. Gradient descent leaves both from almost
every start. The saddle here is the origin of (xy - 1)^2/2, with eigenvalues 1 and -1, between the two branches of
minimizers. Exact gradients; noise is another question.

Sources: H. Kim, J. Park, Y. Choi and J. Lee (2023), arXiv:2301.06308; theory/sam_quadratics.py.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.sam import SAM
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, equals_exactly, exceeds
from ratewitness.studies.landscapes.escape_runs import leaving, maximum, plain
from ratewitness.studies.measuring.drawing import canvas, legend_below, look, whiskers
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory.sam_quadratics import saddle, trap

SOURCE = "S44; Kim et al. (2023), arXiv:2301.06308; theory/sam_quadratics.py"
RHO, GROUPS = 0.1, 20
SHARES = np.array([0.1, 0.3, 0.6, 0.9])  # eta lam
ETAS = (0.02, 0.1, 0.3, 0.6, 0.9)
LOOKS = {"SAM": "C0o-", "SAM from 1.5 rho": "C1s-", "gradient descent": "C2^-"}


def product(device: str) -> FiniteSum:
    def residual(w):
        return w[..., :1] * w[..., 1:] - 1

    return plain("product", 2, lambda w: residual(w)[..., 0] ** 2 / 2, lambda w: residual(w) * w.flip(-1), device)


@claim("proof", SOURCE)
@falsified(trap, saddle)
def trap_is_proved(budget: Budget) -> Verdict:
    """S44, refined: SAM never leaves the interval of radius rho at a quadratic maximum; at a saddle it moves off where
    gradients are long, or overshoots.

    In one dimension, for L = -lam x^2/2 and eta lam <= 1, every start inside (-rho, rho) stays there. For a quadratic with
    an eigenvalue -mu that coordinate grows in a step iff ||grad L|| > rho mu, or its factor is below -1. Machine-checked:
    the factors of x' - rho and x' + s rho, and of the coordinate at a saddle; cited: nothing; in prose: which side of rho
    these put x' on."""
    return prove(trap, saddle).showing(grid(budget))


@claim("exact", SOURCE)
@planted("the interval of 1.02 rho is not left", reach=1.02)
@planted("that of 0.98 rho is all that is not left", beyond=0.98)
def maximum_is_never_left(budget: Budget, reach: float = 1.0, beyond: float = 1.001) -> Verdict:
    """S44, refined: SAM stays at a maximum in one dimension from every start nearer than rho, and leaves from those beyond.

    Along a line only; several curvatures: `sam_at_maxima`. For L = -x^2/2, rho = 0.1 and eta = 0.1, 0.3, 0.6 and 0.9: of 200
    starts of 0.1 % to 99.9 % of rho none is at 3 rho within 500 (full budget: 4000) steps, and of 200 from 1.001 rho to 2
    rho each is."""
    eta = torch.tensor(SHARES, device=budget.device).reshape(-1, 1, 1)
    share = torch.linspace(0.001, 0.999, 200, dtype=torch.float64, device=budget.device)
    starts = {"inside": RHO * reach * share, "beyond": RHO * (beyond + (2 - beyond) * share)}
    problem = maximum(torch.ones(1, dtype=torch.float64, device=budget.device))
    verdicts = {}
    for name, x0 in starts.items():
        x0 = x0.reshape(1, -1, 1).expand(len(SHARES), -1, 1).clone()
        left = leaving(SAM(GradientDescent(eta), RHO), problem, x0, 3 * RHO, budget.pick(500, 4000)) >= 0
        verdicts[name] = equals_exactly(left.sum(-1), np.full(len(SHARES), 0 if name == "inside" else 200))
    return all_of(verdicts)


def grid(budget: Budget) -> pd.DataFrame:
    """Steps until 3 rho from starts on a grid around the saddle point, eta = 0.1, -1 where there are none."""
    line = torch.linspace(-2, 2, 33, dtype=torch.float64, device=budget.device) * RHO
    x0 = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)
    columns = {"x": x0[..., 0].flatten().cpu().numpy(), "y": x0[..., 1].flatten().cpu().numpy()}
    for name, rho in (("sam", RHO), ("descent", 0.0)):
        columns[name] = leaving(SAM(GradientDescent(0.1), rho), product(budget.device), x0, 3 * RHO, 1000).ravel()
    return pd.DataFrame(columns)


@measured
def staying(budget: Budget, rho: float, distance: float, etas: tuple[float, ...]) -> np.ndarray:
    """The share of starts at distance times RHO that stay nearer than 3 RHO to the saddle point: (etas, groups)."""
    angle = 2 * math.pi * torch.rand(
        GROUPS, budget.pick(20, 50), 1, generator=budget.generator("directions"), dtype=torch.float64, device=budget.device
    )  # fmt: skip
    x0 = distance * RHO * torch.cat([angle.cos(), angle.sin()], -1).expand(len(etas), -1, -1, -1)
    eta = torch.tensor(etas, dtype=torch.float64, device=budget.device).reshape(-1, 1, 1, 1)
    left = leaving(SAM(GradientDescent(eta), rho), product(budget.device), x0, 3 * RHO, budget.pick(1000, 4000))
    return (left < 0).mean(-1)


@claim("phenomenon", SOURCE, unit="fraction")
@planted("so does gradient descent", rho=0.0)
@planted("also from 1.5 rho", distance=1.5)
@planted("also with eta = 1.2", etas=(1.2,))
def saddle_is_not_left(budget: Budget, rho: float = RHO, distance: float = 0.9, etas: tuple[float, ...] = ETAS) -> Verdict:
    """S44, refined: From near the saddle point of (xy - 1)^2/2 SAM stays there, with constant steps from 0.02 to 0.9.

    From starts uniform in directions at 0.9 rho from the origin, rho = 0.1 and eta = 0.02, 0.1, 0.3, 0.6 and 0.9, where the
    curvatures are 1 and -1, more than 95 % are nearer than 3 rho for 1000 (full budget: 4000) steps: for each eta in the 99
    % interval over 20 groups of 20 (50) starts. Gradient descent leaves from all but the directions (1, -1), SAM from many
    starts at 1.5 rho, and with eta = 1.2 from everywhere."""
    stays = staying(budget, rho, distance, etas)
    cases = {"SAM": (rho, distance), "SAM from 1.5 rho": (rho, 1.5), "gradient descent": (0.0, distance)}
    table = stacked({name: rows(staying(budget, *case, ETAS), eta=np.array(ETAS)) for name, case in cases.items()})
    return all_of({f"eta {eta:g}": exceeds(own, 0.95) for eta, own in zip(etas, stays, strict=True)}).showing(table)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "Starts around the saddle point of $(xy - 1)^2/2$ (at the origin; minimizers lie far outside, up right and down "
        "left), $\\rho = 0.1$. First: the steps until a distance of $3\\rho$, $\\eta = 0.1$; white: not in 1000. Inside the "
        "circle the gradient is shorter than $\\rho\\mu$. Last: the share of starts that stay, from a distance of "
        "$0.9\\rho$ unless another is named, with 99 % intervals."
    )
    table, shares = verdicts["trap_is_proved"].table, verdicts["saddle_is_not_left"].table
    figure, (*axes, sweep) = canvas(caption, 3, height=2.9)
    x, y = np.unique(table["x"]) / RHO, np.unique(table["y"]) / RHO
    for ax, (column, title) in zip(axes, (("sam", "SAM"), ("descent", "gradient descent")), strict=True):
        steps = table.sort_values(["y", "x"])[column].to_numpy(dtype=float).reshape(len(y), len(x))
        shown = ax.pcolormesh(x, y, np.where(steps < 0, np.nan, steps), vmin=0, vmax=80, cmap="viridis", rasterized=True)
        turn = np.linspace(0, 2 * np.pi, 200)
        ax.plot(np.cos(turn), np.sin(turn), "k--", lw=1.2, label=r"$\|\nabla L\| = \rho\mu$")
        ax.set(title=title, xlabel=r"$x/\rho$", ylabel=r"$y/\rho$", aspect="equal")
        ax.grid(visible=False)
    figure.colorbar(shown, ax=axes, label=r"steps until $3\rho$", shrink=0.8)
    for name, style in LOOKS.items():
        part = shares[shares["method"] == name]
        label = name.replace("1.5 rho", r"$1.5\rho$")
        sweep.errorbar(part["eta"], part["measured"], whiskers(part), ms=4, lw=1, label=label, **look(style))
    sweep.set(xscale="log", xlabel=r"$\eta$", ylabel="share that stays", ylim=(-0.05, 1.05), xticks=(0.02, 0.1, 0.3, 0.9))
    sweep.xaxis.set_major_formatter("{x:g}")
    sweep.xaxis.set_minor_formatter("")
    legend_below(figure)
    return {"saddle": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
