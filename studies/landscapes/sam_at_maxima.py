r"""Does SAM stay at a maximum with several curvatures?

    L = -sum_j mu_j x_j^2/2:    x_j' = (1 + s_j - s_j rho mu_j/||Hx||) x_j,    s_j = eta mu_j

With one curvature it does (`sam_at_saddles`). With several, small steps are trapped as well, in a box |x_j| <= s_j rho that
is never left if eta <= min mu_j/sqrt(sum_j mu_j^4). With larger steps the axis of the largest curvature mu_1 decides: beside
it the coordinate of mu_2 is multiplied in a step by exp(chi) in the mean, where chi is known in closed form. Close to the
axis an iterate is drawn to it and trapped where chi < 0; where chi > 0 it slides off along the flat direction, in which the
perturbation hardly moves it, unless a box holds it. That is local: from a disc, and in finitely many steps, other shares
leave (at ratio 0.05 and eta mu_1 = 0.3, where chi < 0, some 40 % of the starts in a disc did within 4000 steps; at 0.2 and
0.9, where chi > 0, few). Exact gradients; rho = 1, which is the unit of length.

Sources: H. Kim, J. Park, Y. Choi and J. Lee (2023), arXiv:2301.06308, for saddles; theory/sam_trap.py for the rest.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.sam import SAM
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, exceeds, mean_is
from ratewitness.studies.landscapes.escape_runs import leaving, maximum
from ratewitness.studies.measuring.drawing import canvas, legend_below, whiskers
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory.sam_trap import box, integral, safe_step, transfer, transverse_exponent
from torch import Tensor

SOURCE = "S44; Kim et al. (2023), arXiv:2301.06308; theory/sam_trap.py"
SPECTRA = torch.tensor(
    [[1.0, 0.1, 0.1], [1.0, 0.3, 0.3], [1.0, 0.5, 0.5], [1.0, 0.8, 0.8], [1.0, 0.9, 0.1], [1.0, 0.6, 0.3]],
    dtype=torch.float64,
)
SHARES, RATIOS, GROUPS = np.array([0.3, 0.6, 0.9]), np.array([0.05, 0.1, 0.2, 0.3, 0.5, 0.8]), 20
LOOKS = {0.3: "C0o", 0.6: "C1s", 0.9: "C2^"}


def cells(values: object, budget: Budget, axes: int) -> Tensor:
    """With so many axes behind it, for starts and coordinates."""
    each = torch.as_tensor(values, dtype=torch.float64, device=budget.device)
    return each.reshape(*each.shape, *[1] * axes)


def uniform(budget: Budget, name: str, *shape: int) -> Tensor:
    """In [-1, 1]."""
    drawn = torch.rand(shape, generator=budget.generator(name), dtype=torch.float64, device=budget.device)
    return 2 * drawn - 1


@claim("proof", SOURCE)
@falsified(box, transfer, integral)
def box_and_exponent_are_proved(budget: Budget) -> Verdict:
    """S44, refined: At a strict maximum of a quadratic SAM with a small step never leaves a box around it, whatever its
    curvatures.

    For curvatures mu_j > 0 and eta <= min mu_j/sqrt(sum_j mu_j^4) a start with |x_j| <= eta mu_j rho for every j stays in
    that box. Also derived: the mean logarithm chi of the factor of another coordinate beside an axis, from the invariant
    density of SAM's map along the axis. Machine-checked: the sums of products behind the box, the invariance of that
    density, the integral of the logarithm; cited: that there is no other density; in prose: that the box exists up to this
    step."""
    return prove(box, transfer, integral)


@claim("upper bound", SOURCE)
@planted("steps larger by a tenth", times=1.1)
@planted("sides smaller by a tenth", side=0.9)
def small_steps_stay(budget: Budget, times: float = 1.0, side: float = 1.0) -> Verdict:
    """S44, refined: At maxima with three curvatures SAM stays in the derived box up to the largest step that it allows.

    Six spectra with least curvature 0.1 to 0.8 of the largest, eta = min mu_j/sqrt(sum_j mu_j^4): from 100 (full budget:
    300) starts uniform in the box |x_j| <= eta mu_j rho no coordinate is outside of it within 500 (2000) steps."""
    mu = SPECTRA.to(budget.device)
    eta = times * cells(safe_step(SPECTRA.numpy()), budget, 2)
    sides = eta * mu.unsqueeze(1)
    x0 = sides * uniform(budget, "box", len(mu), budget.pick(100, 300), 3)
    limit, largest = budget.pick(500, 2000), torch.zeros_like(x0)

    def farthest(x: Tensor) -> Tensor:
        torch.maximum(largest, x.abs().nan_to_num(nan=np.inf).clamp(max=10), out=largest)  # what left may overflow
        return largest.sum((1, 2))

    run(SAM(GradientDescent(eta), 1.0), Oracle.full(maximum(mu.unsqueeze(1))), x0, limit, farthest, range(limit + 1))
    return bound_holds((largest / sides).amax((1, 2)).cpu().numpy(), np.full(len(mu), side))


@claim("constant", SOURCE)
@planted("as if v were uniform", uniformly=True)
@planted("a ratio larger by a twentieth", times=1.05)
def exponent_is_measured(budget: Budget, uniformly: bool = False, times: float = 1.0) -> Verdict:
    """S44, refined: Beside the axis of the largest curvature the other coordinate grows at the derived mean exponent.

    Two curvatures with ratio 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, and eta mu_1 = 0.3, 0.6, 0.9: the logarithm of the growth per
    step over 400 steps, after 200, is chi within 0.01 in the 99 % interval over 20 groups of 50 (full budget: 200) starts
    uniform in |x_1| < rho, with x_2 = 1e-150 rho."""
    s, r = cells(SHARES, budget, 4), cells(RATIOS, budget, 3)
    mu = torch.cat([torch.ones_like(r), r], -1)  # (ratios, 1, 1, 2)
    x1 = uniform(budget, "along", len(SHARES), len(RATIOS), GROUPS, budget.pick(50, 200), 1)
    x0 = torch.cat([x1, torch.full_like(x1, 1e-150)], -1)
    seen = run(SAM(GradientDescent(s), 1.0), Oracle.full(maximum(mu)), x0, 600, lambda x: x[..., 1].abs(), [200, 600]).values
    grown = ((seen[1] / seen[0]).log() / 400).mean(-1).cpu().numpy()
    exponent = uniform_exponent if uniformly else transverse_exponent
    chi = np.array([[exponent(times * ratio, share) for ratio in RATIOS] for share in SHARES])
    table = rows(grown, share=SHARES[:, None], ratio=RATIOS, theory=chi)
    return mean_is(1 + grown - chi[..., None], np.ones_like(chi), 0.01).showing(table)


def uniform_exponent(ratio: float, share: float) -> float:
    """The exponent with v uniform on [0, 1]."""
    c = ratio**2 / (1 + ratio * share)
    return np.log1p(ratio * share) + (1 - c) * np.log(1 - c) + c * np.log(c)


@measured
def left(budget: Budget, ratio: float, share: float) -> np.ndarray:
    """The share of starts that leave: (groups,)."""
    count = budget.pick(10, 50)
    angle = np.pi * uniform(budget, "angle", GROUPS, count, 1)
    x0 = uniform(budget, "radius", GROUPS, count, 1).abs().sqrt() / 2 * torch.cat([angle.cos(), angle.sin()], -1)
    mu = torch.tensor([1.0, ratio], dtype=torch.float64, device=budget.device)
    return (leaving(SAM(GradientDescent(share), 1.0), maximum(mu), x0, 3.0, 4000) >= 0).mean(-1)


@claim("phenomenon", SOURCE, unit="fraction")
@planted("so it does with ratio 0.2", ratios=(0.2,), shares=(0.9,))
@planted("so it does with eta mu_1 = 0.3", ratios=(0.05,), shares=(0.3,))
def flat_direction_carries_it_off(
    budget: Budget, ratios: tuple[float, ...] = (0.05, 0.1), shares: tuple[float, ...] = (0.9,)
) -> Verdict:
    """S44, refined: A maximum with curvatures 1 and a tenth or a twentieth does not hold SAM with step 0.9 over the largest.

    Curvatures 1 and 0.1 or 0.05, eta = 0.9: of starts uniform in the disc of radius rho/2 more than 95 % are at 3 rho
    within 4000 steps, in the 99 % interval over 20 groups of 10 (full budget: 50). With curvatures 1 and 0.5 and the same
    step fewer than 5 % are."""
    verdicts = {}
    for ratio in ratios:
        for share in shares:
            gone = left(budget, ratio, share)
            verdicts[f"{ratio:g}, {share:g}"] = exceeds(gone, 0.95)
    verdicts["0.5, 0.9 stays"] = exceeds(1 - left(budget, 0.5, 0.9), 0.95)
    return all_of(verdicts)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "SAM at a maximum with curvatures $\\mu_1$ and $\\mu_2 < \\mu_1$. Mean logarithm $\\chi$ of the factor by which a "
        "step beside the axis of $\\mu_1$ multiplies the other coordinate: derived (lines) and measured, with 99 % "
        "intervals. Below 0 an iterate close to the axis is drawn to it; above, it leaves it. Filled: the box of small "
        "steps holds it all the same."
    )
    table = verdicts["exponent_is_measured"].table
    figure, (ax,) = canvas(caption, 1, height=3.0)
    for share, style in LOOKS.items():
        part = table[table["share"] == share]
        held = share <= safe_step(np.stack([np.ones(len(part)), part["ratio"]], -1))
        for kept, filling, label in ((~held, "white", f"$\\eta\\mu_1 = {share:g}$"), (held, style[:2], "_")):
            own = part[kept]
            ax.errorbar(
                own["ratio"], own["measured"], whiskers(own), fmt=style[2:], color=style[:2], ms=5, mfc=filling, label=label
            )
        fine = np.geomspace(0.04, 0.9, 200)
        ax.plot(fine, [transverse_exponent(r, share) for r in fine], color=style[:2], lw=1, label="_")
    ax.plot([], [], color="0.3", lw=1, label="theory")
    ax.axhline(0, color="0.3", lw=1, ls="--", label="$\\chi = 0$")
    ax.set(xscale="log", xlabel=r"$\mu_2/\mu_1$", ylabel=r"$\chi$", xticks=RATIOS)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")
    legend_below(figure)
    return {"exponent": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
