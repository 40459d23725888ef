"""The unit balls of `balls` as figures and as a table: one gradient, and the steps of each norm against it."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.norms import balls
from ratewitness.studies.norms.balls import BALLS, MATRICES, PLANE, SHOWN, STEP, Ball, Points, boundary, net

INK = "0.25"
STEPS = (
    rf"Circle: $\mathrm{{lmo}}(g)$, with an arrow in the direction of $-g$. Square: the normalized step "
    rf"$a\,\mathrm{{lmo}}(g)$. Diamond: the regularized step $a\,\|g\|_*\mathrm{{lmo}}(g)$. $a = {STEP:g}$."
)


def written(z: Points) -> str:
    """A point of the plane, or the matrix of the coordinates, as text."""
    rows = np.atleast_2d(balls.to_tensor(z).numpy())
    return "(" + "; ".join(", ".join(f"{x + 0.0:.3f}" for x in row) for row in rows) + ")"


def tabulated_steps() -> pd.DataFrame:
    """The step of each norm against the gradient of the figures."""
    rows = []
    for name, ball in BALLS.items():
        g = SHOWN[ball.dim]
        x, dual = ball.lmo(g), float(ball.dual(g))
        row = {"norm": name, "$g$": written(g), r"$\lVert g\rVert$": f"{float(ball.value(g)):.3f}"}
        row |= {r"$\lVert g\rVert_*$": f"{dual:.3f}", r"$\mathrm{lmo}(g)$": written(x)}
        row[rf"$a\lVert g\rVert_*\mathrm{{lmo}}(g)$, $a={STEP}$"] = written(STEP * dual * x)
        row[r"minimum of the model, $-(a/2)\lVert g\rVert_*^2$"] = f"{-STEP / 2 * dual**2:.3f}"
        rows.append(row)
    return pd.DataFrame(rows)


def drawn_plane() -> Figure:
    """Every ball of the plane with its level line and steps, and all of them in one another."""
    g = SHOWN[2]
    figure, (*single, nested) = canvas(
        rf"Unit balls of $\ell_p$ and one gradient $g = ({g[0]:g}, {g[1]:g})$. Dashed: the level line of "
        rf"$\langle g, \cdot\rangle$ that supports the ball, at $\mathrm{{lmo}}(g)$. {STEPS} Last panel: all balls with "
        r"their $\mathrm{lmo}(g)$.",
        *(3, 3), narrow=(2, 2, 2), shared="xy",
    )  # fmt: skip
    for j, (ax, (name, ball)) in enumerate(zip(single, PLANE.items(), strict=True)):
        outline, x = _closed(boundary(ball, net(2, 720))), ball.lmo(g)
        ax.fill(*outline.T, color=f"C{j}", alpha=0.15, lw=0)
        for each in (ax, nested):
            each.plot(*outline.T, color=f"C{j}", lw=1.4, label=name)
        nested.plot(*x, "o", color=f"C{j}", ms=4)
        _level_line(ax, x, -g, INK)
        _steps(ax, x, ball, g, INK)
        ax.set_title(rf"{name}:  $\|g\|_* = {float(ball.dual(g)):.3f}$")
    nested.set_title("nested")
    for ax in (*single, nested):
        ax.set(aspect="equal", xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), xlabel="$x_1$", ylabel="$x_2$")
        ax.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    legend_below(figure)
    return figure


def drawn_matrices() -> Figure:
    """The balls of symmetric matrices in space, and the plane through g and the axis of multiples of I."""
    g = SHOWN[3]
    figure, axes = canvas(
        r"Unit balls on symmetric $2 \times 2$ matrices $((t + u, v), (v, t - u))/\sqrt{2}$ and one gradient "
        rf"$g$ = {written(g)}. {STEPS} Last panel: the plane through $g$ and the axis of multiples of $I$, with the level "
        r"lines that support the balls; $r$ is signed, positive along $g$.",
        *(3, 1), height=2.3,
    )  # fmt: skip
    for j, (flat, (name, ball)) in enumerate(zip(axes, MATRICES.items(), strict=False)):
        flat.remove()
        ax = figure.add_subplot(flat.get_subplotspec(), projection="3d", computed_zorder=False)
        shell, x = _closed(boundary(ball, net(3, 64).reshape(64, -1, 2))), ball.lmo(g)
        ax.plot_surface(*np.moveaxis(shell, -1, 0), color=f"C{j}", alpha=0.22, rstride=4, cstride=4, lw=0.3, ec="0.5")
        ax.quiver(*x, *(-0.5 * g / np.linalg.norm(g)), color=INK, lw=1.6, arrow_length_ratio=0.35, zorder=5)
        _steps(ax, x, ball, g, INK, zorder=6)
        ax.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), zlim=(-1.2, 1.2))
        ax.set(xticks=(-1, 0, 1), yticks=(-1, 1), zticks=(-1, 0, 1))
        ax.tick_params(pad=-3)
        ax.set_xlabel("$u$", labelpad=-9)
        ax.set_ylabel("$v$", labelpad=-9)
        ax.set_zlabel("$t$", labelpad=-9)
        ax.set_title(rf"{name}:  $\|g\|_* = {float(ball.dual(g)):.3f}$")
        ax.set_box_aspect((1, 1, 1), zoom=1.1)
        ax.view_init(elev=18, azim=255)
    _meridian(axes[-1], g)
    legend_below(figure)
    return figure


def _meridian(ax: plt.Axes, g: Points) -> None:
    """The plane of r and t: all balls, each with its level line, lmo(g) and steps."""
    axes = np.array([[*g[:2] / balls.radius(g), 0], [0, 0, 1]])
    w = balls.direction(net(2, 720)) @ axes
    for j, (name, ball) in enumerate(MATRICES.items()):
        x = ball.lmo(g)
        ax.plot(*_closed(w / ball.size(w)[:, None] @ axes.T).T, color=f"C{j}", lw=1.4, label=name)
        _level_line(ax, axes @ x, -axes @ g, f"C{j}")
        _steps(ax, axes @ x, ball, g, f"C{j}")
    ax.set(aspect="equal", xlim=(-1.9, 1.6), ylim=(-1.6, 1.6), xlabel="$r$", ylabel="$t$", title="plane through $g$ and $I$")


def _closed(outline: Points) -> Points:
    return np.concatenate([outline, outline[:1]])


def _level_line(ax: plt.Axes, x: Points, down: Points, color: str) -> None:
    """The line through x across `down`, and an arrow that way."""
    down = 0.4 * down / np.linalg.norm(down)
    ax.axline(x, x + np.array([-down[1], down[0]]), color=color, ls="--", lw=1, label="level line")
    ax.annotate("", x + down, x, arrowprops={"arrowstyle": "-|>", "color": color, "lw": 1.2, "shrinkA": 0, "shrinkB": 0})


def _steps(ax: plt.Axes, x: Points, ball: Ball, g: Points, color: str, **options) -> None:
    """lmo(g) = x and both steps, on the way from the centre."""
    ax.plot(*np.stack([0 * x, x]).T, color=color, lw=1, **options)
    ax.plot(*x[:, None], "o", color=color, ms=5, label=r"$\mathrm{lmo}(g)$", **options)
    ax.plot(*(STEP * x)[:, None], "s", color=color, ms=4.5, label="normalized step", **options)
    far = STEP * float(ball.dual(g)) * x
    ax.plot(*far[:, None], "D", color=color, mfc="none", mew=1.3, ms=7, label="regularized step", **options)
    ax.plot(*np.full((len(x), 1), np.nan), "->", color=INK, ms=4, label="direction of $-g$")
