r"""Which way is down? The unit balls of norms, and the step that each of them takes against one gradient.

    normalized      argmin_{||d|| <= a} <g, d>                    = a lmo(g)
    regularized     argmin_d <g, d> + ||d||^2 / (2 a)             = a ||g||_* lmo(g),   minimum -(a/2) ||g||_*^2

in the norms of `balls`: l_p in the plane, and the nuclear, Frobenius and spectral norm on symmetric 2 x 2 matrices. Both
problems are solved by a search in polar coordinates (length and direction) that knows the norm itself and neither its dual
nor its LMO; what it finds is compared with `solvers/norms/lmo.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds
from ratewitness.studies.norms import balls
from ratewitness.studies.norms.ball_pictures import drawn_matrices, drawn_plane, tabulated_steps
from ratewitness.studies.norms.balls import BALLS, MATRICES, PLANE, STEP, Ball, Points, right, swapped, uphill

SOURCE = "S31; Bernstein and Newhouse (2024), arXiv:2409.20325; solvers/norms/lmo.py"


@measured
def surface(budget: Budget, ball: Ball) -> Points:
    """A dense net over the boundary."""
    count = budget.pick(4_096, 65_536) if ball.dim == 2 else budget.pick(128, 512)
    return balls.boundary(ball, balls.net(ball.dim, count))


@measured
def gradients(budget: Budget, dim: int) -> Points:
    """The gradient of the figures, and random ones whose length varies."""
    generator = budget.generator("gradients", dim)
    drawn = torch.randn(budget.pick(12, 100), dim, generator=generator, dtype=torch.float64, device=generator.device)
    return np.vstack([balls.SHOWN[dim], drawn.cpu().numpy()])


@measured
def searched(budget: Budget, name: str, regularized: bool) -> Points:
    return balls.found_by_search(BALLS[name], gradients(budget, BALLS[name].dim), regularized)


def apart(found: Points, predicted: Points) -> np.ndarray:
    """Distances over lengths."""
    return np.linalg.norm(found - predicted, axis=1) / np.linalg.norm(found, axis=1)


@claim("exact", SOURCE)
@planted("sign flipped", formula=uphill)
@planted("swapped norms", formula=swapped)
@planted("dual exponent wrong", formula=balls.exponent_of_the_norm)
def normalized_step(budget: Budget, formula: Callable[[str, Points], Points] = right) -> Verdict:
    """S31: The minimizer of <g, d> over ||d|| <= a is a lmo(g), as a direct search finds it.

    For l_1, l_1.5, l_2, l_4 and l_inf in the plane and the nuclear, Frobenius and spectral norm on symmetric 2 x 2
    matrices, within 1e-5 of its length, for the gradient of the figures and 100 random ones (quick: 12)."""
    g = {name: gradients(budget, ball.dim) for name, ball in BALLS.items()}
    errors = [apart(searched(budget, name, False), STEP * formula(name, g[name])) for name in BALLS]
    return bound_holds(np.concatenate(errors), 1e-5)


@claim("exact", SOURCE)
@planted("sign flipped", sign=-1.0)
@planted("without the dual norm", scale=lambda ball, g: np.ones(len(g)))
@planted("the norm of g for its dual norm", scale=Ball.value)
def regularized_step(budget: Budget, scale: Callable[[Ball, Points], np.ndarray] = Ball.dual, sign: float = 1.0) -> Verdict:
    """S31: The minimizer of <g, d> + ||d||^2/(2a) is a ||g||_* lmo(g), as a direct search finds it, with the minimum
    -(a/2) ||g||_*^2.

    For the norms and gradients of `normalized_step`; the minimizer within 1e-5 of its length, the minimum within 1e-9."""
    errors, reached, predicted = [], [], []
    for name, ball in BALLS.items():
        g, found = gradients(budget, ball.dim), searched(budget, name, True)
        errors.append(apart(found, STEP * scale(ball, g)[:, None] * sign * ball.lmo(g)))
        reached.append((g * found).sum(1) + ball.size(found) ** 2 / (2 * STEP))
        predicted.append(-STEP / 2 * scale(ball, g) ** 2)
    steps = bound_holds(np.concatenate(errors), 1e-5)
    return all_of({"step": steps, "minimum": agrees(np.concatenate(reached), np.concatenate(predicted))})


@claim("upper bound", "S31; solvers/norms/lmo.py")
@planted("sign flipped", formula=uphill)
@planted("swapped norms", formula=swapped)
@planted("dual exponent wrong", formula=balls.exponent_of_the_norm)
def level_line_supports_the_ball(budget: Budget, formula: Callable[[str, Points], Points] = right) -> Verdict:
    """S31: lmo(g) is on the boundary of the ball, and the level line of <g, .> through it supports the ball.

    None of 65536 (matrices: 131584) points of a net over the boundary lies below it (quick: 4096 and 8320), for the
    norms and gradients of `normalized_step`."""
    lowest, touching, sizes = [], [], []
    for name, ball in BALLS.items():
        g = gradients(budget, ball.dim)
        touch = formula(name, g)
        lowest.append(-(g @ surface(budget, ball).T).min(1))
        touching.append(-(g * touch).sum(1))
        sizes.append(ball.size(touch))
    support = bound_holds(np.concatenate(lowest), np.concatenate(touching))
    return all_of({"support": support, "on_the_boundary": agrees(np.concatenate(sizes), 1.0)})


NESTED = tuple(PLANE), tuple(MATRICES)


@claim("upper bound", "S31; power means")
@planted("order reversed", families=(NESTED[0][::-1], NESTED[1][::-1]))
@planted("nuclear and Frobenius swapped", families=(NESTED[0], ("Frobenius", "nuclear", "spectral")))
@planted("factor of dimension 4", dimension=4)
def balls_are_nested(budget: Budget, families: tuple[tuple[str, ...], ...] = NESTED, dimension: float = 2) -> Verdict:
    """S31: The ball of l_p lies in that of l_q for p < q, the nuclear ball in the Frobenius ball, and that in the
    spectral one.

    On a net of 65536 (matrices: 131584) boundary points (quick: 4096 and 8320). The least factor by which the inner ball
    must grow to cover the next is 2^(1/p-1/q), with p = 1, 2, inf for the three matrix norms."""
    ratios, factors, predicted = [], [], []
    for family, exponents in zip(families, (balls.P, (1.0, 2.0, np.inf)), strict=True):
        for inner, outer, p, q in zip(family, family[1:], exponents, exponents[1:], strict=False):
            sizes = BALLS[outer].size(surface(budget, BALLS[inner]))
            ratios.append(sizes.max())
            factors.append(1 / sizes.min())
            predicted.append(dimension ** (1 / p - 1 / q))
    return all_of({"inside": bound_holds(ratios, 1.0), "factor": agrees(factors, predicted)})


@claim("exact", "S31; worked out in studies/norms/balls.py")
@planted("cone and cylinder swapped", shapes=("spectral", "Frobenius", "nuclear"))
@planted("cylinder and sphere swapped", shapes=("Frobenius", "nuclear", "spectral"))
def cylinder_sphere_and_cone(budget: Budget, shapes: tuple[str, ...] = tuple(MATRICES)) -> Verdict:
    """S31: The unit spheres of the nuclear, Frobenius and spectral norm on symmetric 2 x 2 matrices are a cylinder, a
    sphere and a double cone.

    In the coordinates of the figure, in which tr A^T B is the dot product: the cylinder max(|t|, r) = 1/sqrt 2, the
    sphere r^2 + t^2 = 1 and the double cone |t| + r = sqrt 2, on the net of `balls_are_nested`."""
    sizes = [MATRICES[name].value(surface(budget, MATRICES[shape])) for name, shape in zip(MATRICES, shapes, strict=True)]
    return agrees(np.concatenate(sizes), 1.0)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    return {"steps": tabulated_steps()}


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    return {"plane": drawn_plane(), "matrices": drawn_matrices()}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
