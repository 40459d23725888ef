r"""Which way is down? The unit balls of norms, and the step that each of them takes against one gradient.

    normalized      argmin_{||d|| <= a} <g, d>                    = a lmo(g)
    regularized     argmin_d <g, d> + ||d||^2 / (2 a)             = a ||g||_* lmo(g),   minimum -(a/2) ||g||_*^2

The balls are those of l_p in the plane and of the spectral, Frobenius and nuclear norm on symmetric 2 x 2 matrices. The
latter are drawn in coordinates in which <A, B> = tr A^T B is the dot product,

    A = ((t + u, v), (v, t - u)) / sqrt 2,      r = sqrt(u^2 + v^2),      eigenvalues (t +- r)/sqrt 2,

a rotation about the axis of multiples of I turns eigenvectors only, and the balls are a double cone, a sphere and a
cylinder. (A symmetric g loses nothing by symmetric steps: X and (X + X^T)/2 have the same <g, X>.) Here both problems
are solved by a search in polar coordinates (length and direction) that knows the norm itself and neither its dual nor
its LMO; what it finds is compared with `solvers/norms/lmo.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.solvers.norms import lmo
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, all_of, bound_holds

STEP = 0.5  # a
ROUNDS, SHRINK = 80, 0.7  # of the search: 0.7^80 is 4e-13
Points = np.ndarray  # (*batch, 2) in the plane, (*batch, 3) for the coordinates u, v, t of matrices


@dataclass(frozen=True, eq=False)
class Ball:
    """A norm in coordinates, and what `solvers/norms/lmo.py` says about it."""

    dim: int
    size: Callable[[Points], np.ndarray]
    norm: lmo.Norm

    def value(self, x: Points) -> np.ndarray:
        return self.norm.value(to_tensor(x)).numpy()

    def dual(self, g: Points) -> np.ndarray:
        return self.norm.dual(to_tensor(g)).numpy()

    def lmo(self, g: Points) -> Points:
        a = self.norm.lmo(to_tensor(g)).numpy()
        if self.dim == 2:
            return a
        return np.stack([a[..., 0, 0] - a[..., 1, 1], 2 * a[..., 0, 1], a[..., 0, 0] + a[..., 1, 1]], -1) / np.sqrt(2)


def to_tensor(z: Points) -> torch.Tensor:
    """Coordinates u, v, t as symmetric matrices; points of the plane as they are."""
    if z.shape[-1] == 3:
        u, v, t = np.moveaxis(z, -1, 0)
        z = np.stack([np.stack([t + u, v], -1), np.stack([v, t - u], -1)], -2) / np.sqrt(2)
    return torch.from_numpy(z)


def radius(z: Points) -> np.ndarray:
    return np.hypot(z[..., 0], z[..., 1])


def plane(p: float) -> Ball:
    size = (lambda x: np.abs(x).max(-1)) if p == np.inf else (lambda x: (np.abs(x) ** p).sum(-1) ** (1 / p))
    return Ball(2, size, lmo.lp(p))


P = (1.0, 1.5, 2.0, 4.0, np.inf)
PLANE = {rf"$\ell_{{{p:g}}}$".replace("inf", r"\infty"): plane(p) for p in P}
MATRICES = {
    "nuclear": Ball(3, lambda z: np.sqrt(2) * np.maximum(np.abs(z[..., 2]), radius(z)), lmo.NUCLEAR),
    "Frobenius": Ball(3, lambda z: np.hypot(radius(z), z[..., 2]), lmo.FROBENIUS),
    "spectral": Ball(3, lambda z: (np.abs(z[..., 2]) + radius(z)) / np.sqrt(2), lmo.SPECTRAL),
}
BALLS = PLANE | MATRICES
SHOWN = {2: np.array([1.2, 0.55]), 3: np.array([1.0, 0.55, 0.7])}  # the gradients of the figures


def direction(angles: np.ndarray) -> Points:
    """Euclidean unit vectors from an angle (*batch, 1), or from azimuth and polar angle (*batch, 2)."""
    around = np.stack([np.cos(angles[..., 0]), np.sin(angles[..., 0])], -1)
    if angles.shape[-1] == 1:
        return around
    polar = angles[..., 1:]
    return np.concatenate([around * np.sin(polar), np.cos(polar)], -1)


def boundary(ball: Ball, angles: np.ndarray) -> Points:
    w = direction(angles)
    return w / ball.size(w)[..., None]


def net(dim: int, count: int) -> np.ndarray:
    """Angles (points, dim - 1) all around; where 8 divides count, the corners and edges of the balls are among them."""
    around = np.linspace(-np.pi, np.pi, count, endpoint=False)
    if dim == 2:
        return around[:, None]
    return np.stack(np.meshgrid(around, np.linspace(0, np.pi, count // 2 + 1), indexing="ij"), -1).reshape(-1, 2)


def zoom(value: Callable[[np.ndarray], np.ndarray], place: np.ndarray, width: np.ndarray) -> np.ndarray:
    """argmin of value: (count, tried, k) -> (count, tried), by a grid that moves to its best point and shrinks."""
    ticks = np.linspace(-1, 1, 11)
    offsets = np.stack(np.meshgrid(*[ticks] * place.shape[1], indexing="ij"), -1).reshape(-1, place.shape[1])
    for _ in range(ROUNDS):
        tried = place[:, None] + width[:, None] * offsets
        place, width = tried[np.arange(len(place)), value(tried).argmin(1)], SHRINK * width
    return place


def downhill(ball: Ball, g: Points) -> tuple[np.ndarray, np.ndarray]:
    """The best angles of a coarse net, and the slope <g, y> of its boundary point: where the searches start."""
    coarse = net(ball.dim, 64)
    slopes = g @ boundary(ball, coarse).T
    return coarse[slopes.argmin(1)], slopes.min(1)


def searched_normalized(ball: Ball, g: Points) -> Points:
    """argmin of <g, d> over ||d|| = a, for every g (count, dim), by its direction."""
    start, _ = downhill(ball, g)
    angles = zoom(lambda angles: (g[:, None] * boundary(ball, angles)).sum(-1), start, np.full_like(start, 0.3))
    return STEP * boundary(ball, angles)


def searched_regularized(ball: Ball, g: Points) -> Points:
    """argmin of <g, d> + ||d||^2/(2 a), for every g (count, dim), by length and direction of d = rho y, ||y|| = 1."""
    angles, slopes = downhill(ball, g)
    rho = -STEP * slopes[:, None]

    def model(tried):
        rho, y = tried[..., 0], boundary(ball, tried[..., 1:])
        return rho * (g[:, None] * y).sum(-1) + rho**2 / (2 * STEP)

    found = zoom(model, np.hstack([rho / 2, angles]), np.hstack([rho, np.full_like(angles, 0.3)]))
    return found[:, :1] * boundary(ball, found[:, 1:])


@cache
def surface(budget: Budget, ball: Ball) -> Points:
    """A dense net over the boundary."""
    return boundary(ball, net(ball.dim, budget.pick(4_096, 65_536) if ball.dim == 2 else budget.pick(128, 512)))


@cache
def gradients(budget: Budget, dim: int) -> Points:
    """The gradient of the figures, and random ones whose length varies."""
    generator = budget.shared("unit_balls").generator("gradients", dim)
    drawn = torch.randn(budget.pick(12, 100), dim, generator=generator, dtype=torch.float64, device=generator.device)
    return np.vstack([SHOWN[dim], drawn.cpu().numpy()])


@cache
def searched(budget: Budget, name: str, regularized: bool) -> Points:
    ball = BALLS[name]
    return (searched_regularized if regularized else searched_normalized)(ball, gradients(budget, ball.dim))


def swapped(name: str, g: Points) -> Points:
    """The LMO of the norm at the other end of the list, scaled into this ball."""
    family = PLANE if name in PLANE else MATRICES
    x = family[list(family)[::-1][list(family).index(name)]].lmo(g)
    return x / BALLS[name].size(x)[..., None]


def exponent_of_the_norm(name: str, g: Points) -> Points:
    """-sign(g) |g|^(p-1) instead of |g|^(q-1), scaled into the ball; the LMO where p is 1 or inf or there is none."""
    p = BALLS[name].norm.name.removeprefix("l")
    if p not in ("1.5", "4"):
        return BALLS[name].lmo(g)
    x = -np.sign(g) * np.abs(g) ** (float(p) - 1)
    return x / BALLS[name].size(x)[..., None]


def right(name: str, g: Points) -> Points:
    return BALLS[name].lmo(g)


def uphill(name: str, g: Points) -> Points:
    return -BALLS[name].lmo(g)


def normalized_is(budget: Budget, formula: Callable[[str, Points], Points]) -> Verdict:
    apart = {}
    for name, ball in BALLS.items():
        found = searched(budget, name, False)
        predicted = STEP * formula(name, gradients(budget, ball.dim))
        apart[name] = np.linalg.norm(found - predicted, axis=1) / np.linalg.norm(found, axis=1)
    return bound_holds(np.concatenate([*apart.values()]), 1e-5)


@claim(
    kind="exact",
    source="S31; Bernstein and Newhouse (2024), arXiv:2409.20325; solvers/norms/lmo.py",
    planted={
        "sign flipped": lambda budget: normalized_is(budget, uphill),
        "swapped norms": lambda budget: normalized_is(budget, swapped),
        "dual exponent wrong": lambda budget: normalized_is(budget, exponent_of_the_norm),
    },
)
def normalized_step(budget: Budget) -> Verdict:
    """S31: For l_1, l_1.5, l_2, l_4 and l_inf in the plane and the nuclear, Frobenius and spectral norm on symmetric 2 x 2
    matrices, the minimizer of <g, d> over ||d|| <= a that a direct search finds is a lmo(g), within 1e-5 of its length, for
    100 random gradients (quick: 12)."""
    return normalized_is(budget, right)


def regularized_is(budget: Budget, scale: Callable[[Ball, Points], np.ndarray], sign: float = 1.0) -> Verdict:
    apart, reached, predicted = [], [], []
    for name, ball in BALLS.items():
        g, found = gradients(budget, ball.dim), searched(budget, name, True)
        step = STEP * scale(ball, g)[:, None] * sign * ball.lmo(g)
        apart.append(np.linalg.norm(found - step, axis=1) / np.linalg.norm(found, axis=1))
        reached.append((g * found).sum(1) + ball.size(found) ** 2 / (2 * STEP))
        predicted.append(-STEP / 2 * scale(ball, g) ** 2)
    steps = bound_holds(np.concatenate(apart), 1e-5)
    return all_of({"step": steps, "minimum": agrees(np.concatenate(reached), np.concatenate(predicted))})


@claim(
    kind="exact",
    source="S31; Bernstein and Newhouse (2024), arXiv:2409.20325; solvers/norms/lmo.py",
    planted={
        "sign flipped": lambda budget: regularized_is(budget, Ball.dual, -1.0),
        "without the dual norm": lambda budget: regularized_is(budget, lambda ball, g: np.ones(len(g))),
        "the norm of g for its dual norm": lambda budget: regularized_is(budget, Ball.value),
    },
)
def regularized_step(budget: Budget) -> Verdict:
    """S31: For the same norms and gradients the minimizer of <g, d> + ||d||^2/(2a) that a direct search finds is
    a ||g||_* lmo(g), within 1e-5 of its length, and the minimum is -(a/2) ||g||_*^2, within 1e-9."""
    return regularized_is(budget, Ball.dual)


def support_is(budget: Budget, formula: Callable[[str, Points], Points]) -> Verdict:
    lowest, touching, sizes = [], [], []
    for name, ball in BALLS.items():
        g = gradients(budget, ball.dim)
        touch = formula(name, g)
        lowest.append(-(g @ surface(budget, ball).T).min(1))
        touching.append(-(g * touch).sum(1))
        sizes.append(ball.size(touch))
    support = bound_holds(np.concatenate(lowest), np.concatenate(touching))
    return all_of({"support": support, "on_the_boundary": agrees(np.concatenate(sizes), 1.0)})


@claim(
    kind="upper bound",
    source="S31; solvers/norms/lmo.py",
    planted={
        "sign flipped": lambda budget: support_is(budget, uphill),
        "swapped norms": lambda budget: support_is(budget, swapped),
        "dual exponent wrong": lambda budget: support_is(budget, exponent_of_the_norm),
    },
)
def level_line_supports_the_ball(budget: Budget) -> Verdict:
    """S31: lmo(g) is on the boundary of the ball, and the level line of <g, .> through it supports the ball: none of 65536
    (matrices: 131584) points of a net over the boundary lies below it (quick: 4096 and 8320)."""
    return support_is(budget, right)


def nested_in_order(budget: Budget, families: tuple[list[Ball], ...], dimension: float) -> Verdict:
    """Each ball in the next one, and the best factor that turns this around."""
    ratios, factors, predicted = [], [], []
    for family, exponents in zip(families, (P, (1.0, 2.0, np.inf)), strict=True):
        for inner, outer, p, q in zip(family, family[1:], exponents, exponents[1:], strict=False):
            sizes = outer.size(surface(budget, inner))
            ratios.append(sizes.max())
            factors.append(1 / sizes.min())
            predicted.append(dimension ** (1 / p - 1 / q))
    return all_of({"inside": bound_holds(ratios, 1.0), "factor": agrees(factors, predicted)})


def families(turned: bool = False) -> tuple[list[Ball], ...]:
    return tuple(list(family.values())[:: -1 if turned else 1] for family in (PLANE, MATRICES))


@claim(
    kind="upper bound",
    source="S31; power means",
    planted={
        "order reversed": lambda budget: nested_in_order(budget, families(turned=True), 2),
        "nuclear and Frobenius swapped": lambda budget: nested_in_order(
            budget, (families()[0], [MATRICES[name] for name in ("Frobenius", "nuclear", "spectral")]), 2
        ),
        "factor of dimension 4": lambda budget: nested_in_order(budget, families(), 4),
    },
)
def balls_are_nested(budget: Budget) -> Verdict:
    """S31: The ball of l_p lies in that of l_q for p < q, the nuclear ball in the Frobenius ball and that in the spectral
    one, on a net of 65536 (matrices: 131584) boundary points (quick: 4096 and 8320). The least factor by which the inner
    ball must grow to cover the next is 2^(1/p-1/q), with p = 1, 2, inf for the three matrix norms."""
    return nested_in_order(budget, families(), 2)


def shapes_are(budget: Budget, names: tuple[str, str, str]) -> Verdict:
    measured = []
    for name, shape in zip(MATRICES, names, strict=True):
        measured.append(MATRICES[name].value(surface(budget, MATRICES[shape])))
    return agrees(np.concatenate(measured), 1.0)


@claim(
    kind="exact",
    source="S31; worked out here",
    planted={
        "cone and cylinder swapped": lambda budget: shapes_are(budget, ("spectral", "Frobenius", "nuclear")),
        "cylinder and sphere swapped": lambda budget: shapes_are(budget, ("Frobenius", "nuclear", "spectral")),
    },
)
def cylinder_sphere_and_cone(budget: Budget) -> Verdict:
    """S31: In the coordinates of the figure, in which tr A^T B is the dot product, the unit spheres of the nuclear,
    Frobenius and spectral norm on symmetric 2 x 2 matrices are the cylinder max(|t|, r) = 1/sqrt 2, the sphere
    r^2 + t^2 = 1 and the double cone |t| + r = sqrt 2."""
    return shapes_are(budget, tuple(MATRICES))


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    rows = []
    for name, ball in BALLS.items():
        g = SHOWN[ball.dim]
        x, dual = ball.lmo(g), float(ball.dual(g))
        rows.append(
            {
                "norm": name,
                "$g$": written(g),
                r"$\lVert g\rVert$": f"{float(ball.value(g)):.3f}",
                r"$\lVert g\rVert_*$": f"{dual:.3f}",
                r"$\mathrm{lmo}(g)$": written(x),
                rf"$a\lVert g\rVert_*\mathrm{{lmo}}(g)$, $a={STEP}$": written(STEP * dual * x),
                r"minimum of the model, $-(a/2)\lVert g\rVert_*^2$": f"{-STEP / 2 * dual**2:.3f}",
            }
        )
    return {"steps": pd.DataFrame(rows)}


def written(z: Points) -> str:
    """A point of the plane, or the matrix of the coordinates, as text."""
    rows = np.atleast_2d(to_tensor(z).numpy())
    return "(" + "; ".join(", ".join(f"{x + 0.0:.3f}" for x in row) for row in rows) + ")"


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    return {"plane": drawn_plane(), "matrices": drawn_matrices()}


def drawn_plane() -> plt.Figure:
    figure, axes = plt.subplots(3, 2, figsize=(7.2, 10.6), layout="constrained")
    figure.set_label(
        f"Unit balls of l_p and one gradient g = ({SHOWN[2][0]:g}, {SHOWN[2][1]:g}). Dashed: the level line of <g, .> that "
        f"supports the ball. It touches at lmo(g), the dot; the arrow has the direction of -g. Square: the normalized step "
        f"a lmo(g). Diamond: the regularized step a ||g||_* lmo(g). a = {STEP:g}. Last panel: all balls with their lmo(g)."
    )
    g = SHOWN[2]
    for ax, (name, ball) in zip(axes.flat, PLANE.items(), strict=False):
        outline, x = boundary(ball, net(2, 720)), ball.lmo(g)
        ax.fill(*outline.T, color="C0", alpha=0.15, lw=0)
        ax.plot(*_closed(outline).T, color="C0", lw=1.4)
        _level_line(ax, x, -g)
        _steps(ax, x, float(ball.dual(g)))
        ax.set_title(rf"{name}:   $\|g\|_* = {float(ball.dual(g)):.3f}$")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    for j, (name, ball) in enumerate(PLANE.items()):
        axes.flat[-1].plot(*_closed(boundary(ball, net(2, 720))).T, color=f"C{j}", lw=1.4, label=name)
        axes.flat[-1].plot(*ball.lmo(g), "o", color=f"C{j}", ms=6)
    axes.flat[-1].legend(frameon=False, loc="center")
    axes.flat[-1].set_title("nested, each with its lmo(g)")
    for ax in axes.flat:
        ax.set(aspect="equal", xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), xlabel="$x_1$", ylabel="$x_2$")
    return figure


def _closed(outline: Points) -> Points:
    return np.concatenate([outline, outline[:1]])


def _level_line(ax: plt.Axes, x: Points, down: Points, color: str = "0.35") -> None:
    """The line through x across `down`, and an arrow that way."""
    down = 0.4 * down / np.linalg.norm(down)
    ax.axline(x, x + np.array([-down[1], down[0]]), color=color, ls="--", lw=1, label="level line")
    ax.annotate("", x + down, x, arrowprops={"arrowstyle": "-|>", "color": color, "lw": 1.4, "shrinkA": 0, "shrinkB": 0})


def _steps(ax: plt.Axes, x: Points, dual: float, color: str = "C3", **options) -> None:
    ax.plot(*np.stack([0 * x, x]).T, color=color, lw=1, **options)
    ax.plot(*x[:, None], "o", color=color, ms=7, label="lmo(g)", **options)
    ax.plot(*(STEP * x)[:, None], "s", color=color, ms=6, label="normalized", **options)
    ax.plot(*(STEP * dual * x)[:, None], "D", color=color, mfc="none", mew=1.6, ms=9, label="regularized", **options)


def drawn_matrices() -> plt.Figure:
    g = SHOWN[3]
    figure = plt.figure(figsize=(7.2, 7.6), layout="constrained")
    figure.set_label(
        f"Unit balls on symmetric 2 x 2 matrices ((t + u, v), (v, t - u))/sqrt 2 and one gradient g = {written(g)}. Dot: "
        f"lmo(g), with an arrow in the direction of -g. Square: the normalized step a lmo(g). Diamond: the regularized step "
        f"a ||g||_* lmo(g). a = {STEP:g}. Last panel: the plane through g and the axis of multiples of I, with the level "
        f"lines that support the balls; r is signed, positive along g."
    )
    for j, (name, ball) in enumerate(MATRICES.items()):
        ax = figure.add_subplot(2, 2, j + 1, projection="3d", computed_zorder=False)
        shell, x = _closed(boundary(ball, net(3, 64).reshape(64, -1, 2))), ball.lmo(g)
        ax.plot_surface(*np.moveaxis(shell, -1, 0), color=f"C{j}", alpha=0.22, rstride=4, cstride=4, lw=0.3, ec="0.5")
        ax.quiver(*x, *(-0.5 * g / np.linalg.norm(g)), color="0.35", lw=1.6, arrow_length_ratio=0.35, zorder=5)
        _steps(ax, x, float(ball.dual(g)), zorder=6)
        ax.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), zlim=(-1.2, 1.2), xlabel="u", ylabel="v", zlabel="t")
        ax.set(xticks=(-1, 0, 1), yticks=(-1, 1), zticks=(-1, 0, 1))
        ax.set_title(rf"{name}:   $\|g\|_* = {float(ball.dual(g)):.3f}$")
        ax.set_box_aspect((1, 1, 1), zoom=1.05)
        ax.view_init(elev=18, azim=255)
    _meridian(figure.add_subplot(2, 2, 4), g)
    return figure


def _meridian(ax: plt.Axes, g: Points) -> None:
    """The plane of r and t: all balls, each with its level line, lmo(g) and steps."""
    axes = np.array([[*g[:2] / radius(g), 0], [0, 0, 1]])
    w = direction(net(2, 720)) @ axes
    for j, (name, ball) in enumerate(MATRICES.items()):
        x = axes @ ball.lmo(g)
        ax.plot(*_closed(w / ball.size(w)[:, None] @ axes.T).T, color=f"C{j}", lw=1.4)
        _level_line(ax, x, -axes @ g, f"C{j}")
        _steps(ax, x, float(ball.dual(g)), f"C{j}")
        ax.text(*{"nuclear": (-0.25, 0.55), "Frobenius": (-0.35, 0.78), "spectral": (0.5, 1.15)}[name], name, color=f"C{j}")
    ax.set(aspect="equal", xlim=(-1.9, 1.6), ylim=(-1.6, 1.6), xlabel="r", ylabel="t")
    ax.set_title("plane through g and I")


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
