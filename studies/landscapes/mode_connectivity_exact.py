r"""Where are minima connected, and what does the straight line between them cost? Witnesses that can be computed by hand.

    f = (xy - 1)^2/2, minima (x, 1/x):    straight line: barrier ((r + 1/r - 2)/4)^2/2, r = x1/x2;  a curve: almost none
    minima of opposite signs:             every path has a point with f >= 1/2
    f = (<x, y> - 1)^2/2 in R^k, k >= 2:  all minima are connected, by chains on which f = 0

S46 speaks of networks (`mode_connectivity`); these are the smallest functions on which its sentence, its curves and its
limits can be seen exactly. The end points are (2, 1/2) and (1/2, 2), and their mirror images for opposite signs.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.problems.networks.curves import along
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds, lower_bound_holds
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import mode_connectivity as theory
from scipy.optimize import minimize

GARIPOV = "Garipov et al. (2018), arXiv:1802.10026"
T = torch.linspace(0, 1, 1001, dtype=torch.float64)
LEFT, RIGHT = (torch.tensor(p, dtype=torch.float64) for p in ((2.0, 0.5), (0.5, 2.0)))
PROVED = (theory.line, theory.highest_half_way, theory.chain_of_minima, theory.ends_and_tangents)


def loss(points: torch.Tensor) -> torch.Tensor:
    """(xy - 1)^2/2: (..., 2) -> (...)."""
    return (points.prod(-1) - 1).square() / 2


def highest(shape: str, theta, end: torch.Tensor = RIGHT) -> float:
    """The largest loss at 1001 points of the curve from LEFT to end."""
    theta = torch.as_tensor(np.asarray(theta), dtype=torch.float64)
    return float(loss(along(shape, LEFT, theta, end, T)).max())


def best(shape: str, end: torch.Tensor = RIGHT, start=(1.0, 1.0)) -> tuple[np.ndarray, float]:
    """The free point with the lowest maximum that the simplex method finds, and that maximum."""
    options = {"xatol": 1e-9, "fatol": 1e-14, "maxiter": 2000, "maxfev": 4000}
    found = minimize(lambda theta: highest(shape, theta, end), start, method="Nelder-Mead", options=options)
    return found.x, float(found.fun)


@claim("proof", f"S46; {GARIPOV}; proofs in theory/mode_connectivity.py")
@falsified(*PROVED)
def lines_and_chains_are_proved(budget: Budget) -> Verdict:
    """S46, refined: Between minima of (xy - 1)^2/2 the straight line has the barrier ((r + 1/r - 2)/4)^2/2, r = x1/x2.

    For minima (x, 1/x) with symbolic x1, x2 > 0, r = x1/x2, the maximum being half-way. For (<x, y> - 1)^2/2 with x and y in
    the plane a chain of five straight pieces leads from (e1, e1) to (-e1, -e1) with loss exactly 0. Bezier curve and chain
    run from w1 to w2. Machine-checked: the loss on the line and its maximum, the five pieces, the ends of both curves;
    cited: nothing; in prose: nothing that is claimed here."""
    return prove(*PROVED)


@claim("exact", "S46; derived in theory/mode_connectivity.py")
@planted("r + 1/r - 1", constant=1.0)
@planted("half the barrier", factor=0.5)
def the_line_has_its_barrier(budget: Budget, constant: float = 2.0, factor: float = 1.0) -> Verdict:
    """S46: On (xy - 1)^2/2 the straight line between two minima leads over a barrier, of the size that the formula gives.

    Between (x1, 1/x1) and (x2, 1/x2) with r = x1/x2 = 1.5, 4, 16 and 100, at 1001 points: the largest loss agrees with
    ((r + 1/r - 2)/4)^2/2 to 1e-9."""
    r = np.array([1.5, 4.0, 16.0, 100.0])
    ends = [torch.tensor([[x, 1 / x] for x in at], dtype=torch.float64) for at in (np.sqrt(r), 1 / np.sqrt(r))]
    measured = loss(along("line", ends[0], ends[0], ends[1], T)).max(0).values.numpy()
    return agrees(measured, factor * ((r + 1 / r - constant) / 4) ** 2 / 2, 1e-9)


@claim("upper bound", f"S46; {GARIPOV}")
@planted("the straight line", shapes=("line",))
@planted("each bent as the other", swapped=True)
@planted("bent a tenth less", bend=0.9)
def curves_avoid_it(budget: Budget, shapes=("bezier", "chain"), swapped: bool = False, bend: float = 1.0) -> Verdict:
    """S46: A Bezier curve and a chain with one bend avoid the barrier of the straight line on (xy - 1)^2/2 almost entirely.

    From (2, 1/2) to (1/2, 2) the best Bezier curve that the simplex method finds has a largest loss of at most 1e-4, the
    best chain of at most 5e-3, at 1001 points; the straight line's is 0.158, as that of either curve with its free point
    half-way is. There is no penalty."""
    allowed = {"bezier": 1e-4, "chain": 5e-3, "line": 5e-3}
    half_way = (LEFT + RIGHT).numpy() / 2
    thetas = [half_way + bend * (best(shape)[0] - half_way) for shape in shapes][:: -1 if swapped else 1]
    tops = [highest(shape, theta) for shape, theta in zip(shapes, thetas, strict=True)]
    x, y = np.transpose(thetas)
    return bound_holds(tops, [allowed[shape] for shape in shapes]).showing(
        {"shape": shapes, "x": x, "y": y, "measured": tops}
    )


@claim("lower bound", "S46; derived in theory/mode_connectivity.py")
@planted("a bound of 0.51", bound=0.51)
@planted("minima of one sign", end=RIGHT)
def opposite_signs_are_not_connected(budget: Budget, bound: float = 0.5, end: torch.Tensor = -LEFT) -> Verdict:
    """S46, refined: Between minima of (xy - 1)^2/2 of opposite signs every path has a point of loss 1/2; the best attain it.

    x must change its sign, and where it is 0 the loss is 1/2. Bezier curves and chains from (2, 1/2) to (-2, -1/2), the free
    point chosen by the simplex method from 10 starts each: their largest loss at 1001 points is at least 1/2, up to the
    spacing of the points (1e-4), and the least of them is below 0.5001."""
    generator = budget.generator("starts")
    starts = 2 * torch.randn(10, 2, generator=generator, dtype=torch.float64)
    tops = np.array([best(shape, end, start.numpy())[1] for shape in ("bezier", "chain") for start in starts])
    above = lower_bound_holds(np.repeat(tops[:, None], 2, 1), np.full(len(tops), bound), 1e-4)
    return all_of({"above": above, "attained": bound_holds([tops.min()], [bound + 1e-4])})


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["curves_avoid_it"].table
    figure, (plane, height) = canvas(
        "Minima of (xy - 1)^2/2 joined by the straight line, the best Bezier curve and the best chain with one bend. First: "
        "in the plane, with the hyperbola of minima. Second: the loss along the paths.",
        2,
    )
    x = np.linspace(0.35, 2.4, 200)
    plane.plot(x, 1 / x, color="0.3", lw=1, label="minima")
    looks = {"line": ("C0", "-"), "bezier": ("C1", "--"), "chain": ("C2", "-.")}
    names = {"line": "straight line", "bezier": "Bezier curve", "chain": "chain"}
    free = {row["shape"]: torch.tensor([row["x"], row["y"]]).double() for _, row in table.iterrows()}
    for (shape, (colour, dashes)), marker in zip(looks.items(), "os^", strict=True):
        path = along(shape, LEFT, free.get(shape, LEFT), RIGHT, T)
        plane.plot(*path.T, color=colour, ls=dashes, marker=marker, markevery=100, ms=4, label=names[shape])
        height.semilogy(T, loss(path).clamp(min=1e-9), color=colour, ls=dashes, marker=marker, markevery=100, ms=4)
    plane.set(xlabel="$x$", ylabel="$y$", ylim=(0.2, 2.6))
    height.set(xlabel="$t$", ylabel="loss", ylim=(1e-9, 1))
    legend_below(figure)
    return {"witness": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
