r"""The figures of studies: panels of curves, all read from tables with the columns `measured`, `low`, `high` and `theory`.

A figure is drawn at the size at which it is printed: across a page, or one column of a two-column paper, where panels stand
below one another. So letters have the same size in both. A caption is the figure's label. What a line, a marker or an open
marker means stands in a legend.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

INCHES = {"page": 7.0, "column": 3.4}
TALLEST = 9.0  # inches that a page has for a figure
WIDTH: ContextVar[str] = ContextVar("width", default="page")


@contextmanager
def printed_at(width: str):
    """Draw for the width of a page or of a column."""
    token = WIDTH.set(width)
    try:
        yield
    finally:
        WIDTH.reset(token)


def canvas(
    caption: str, *rows: int, height: float = 2.6, shared: str = "", narrow: Sequence[int] = ()
) -> tuple[Figure, list[plt.Axes]]:  # fmt: skip
    """A figure with rows of so many axes, and the axes in reading order; in a column, one below the other.

    height: of a row, in inches, or less where a page would not hold all rows. shared: "x", "y" or "xy", the scales that all
    axes have in common. narrow: the rows in a column instead, for pictures so small that some stand beside one another; they
    are as much lower as they are narrower.
    """
    if WIDTH.get() == "column":
        if narrow:
            height *= INCHES["column"] / max(narrow) / (INCHES["page"] / max(rows))
        rows = tuple(narrow) or (1,) * sum(rows)
    height = min(height, TALLEST / len(rows))
    share = 0.62 if max(rows) == 1 and WIDTH.get() == "page" else 1.0  # one panel alone would be too wide on a page
    figure = plt.figure(figsize=(share * INCHES[WIDTH.get()], height * len(rows)), layout="constrained", label=caption)
    grid = figure.add_gridspec(len(rows), int(np.lcm.reduce(rows)))
    axes: list[plt.Axes] = []
    for i, count in enumerate(rows):
        span = grid.ncols // count
        for j in range(count):
            first = axes[0] if axes else None
            common = {f"share{axis}": first for axis in shared}
            axes.append(figure.add_subplot(grid[i, j * span : (j + 1) * span], **common))
    return figure, axes


def legend_below(figure: Figure, ncols: int | None = None) -> None:
    """One legend under all panels: every label once."""
    found = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    letters = [re.sub(r"[${}^_]", "", re.sub(r"\\[A-Za-z]+", "x", label)) for label in found]  # as mathematics is drawn
    longest = max(map(len, letters), default=1)
    fitting = max(1, int(15 * figure.get_figwidth() / (longest + 7)))
    figure.legend(
        found.values(), found.keys(), loc="outside lower center", ncols=ncols or min(fitting, len(found)), frameon=False
    )


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes: a curve for each value of the column `by`, with whiskers where the table has an interval."""

    table: pd.DataFrame
    x: str
    xlabel: str
    ylabel: str
    y: str = "measured"
    by: str = "method"
    unit: str | float = 1.0  # a column, or a number, that y is divided by
    title: str = ""
    theory: bool = True  # the column of that name as a line, where there is one
    guides: Mapping[float, str] = field(default_factory=dict)  # slope -> its name, dotted, from the first point of all
    levels: Mapping[str, float] = field(default_factory=dict)  # horizontal lines
    log: str = "xy"
    apart: float = 1.0  # curves are set apart by this factor along x
    options: Mapping[str, object] = field(default_factory=dict)  # of ax.set


def panels(
    caption: str, looks: Mapping[str, str], *rows: Sequence[Panel], legend="below", height: float = 2.6, shared=""
) -> Figure:  # fmt: skip
    """Rows of panels. looks: value of `by` -> its look, see `look`; legend: below, or in each panel."""
    figure, axes = canvas(caption, *map(len, rows), height=height, shared=shared)
    for ax, panel in zip(axes, (panel for row in rows for panel in row), strict=True):
        draw(ax, panel, looks)
        if legend == "each":
            ax.legend(frameon=False, fontsize="small")
    if legend == "below":
        legend_below(figure)
    return figure


def look(text: str) -> dict[str, object]:
    """What `ax.errorbar` takes: "C0o-" is a colour, a marker and a line; "C0o- open" has open markers."""
    code, _, filling = text.partition(" ")
    style = {"color": code[:2], "fmt": code[2:]}
    return style | {"markerfacecolor": "white"} if filling == "open" else style


def draw(ax: plt.Axes, panel: Panel, looks: Mapping[str, str]) -> None:
    """The curves of a panel, each with its theory, then guides and levels."""
    curves = [(name, panel.table[panel.table[panel.by] == name]) for name in looks]
    curves = [(name, part) for name, part in curves if len(part)]
    for j, (name, part) in enumerate(curves):
        x = part[panel.x].to_numpy() * panel.apart ** (j - len(curves) // 2)
        unit = part[panel.unit].to_numpy() if isinstance(panel.unit, str) else panel.unit
        bars = whiskers(part, panel.y, unit) if "low" in part else None
        style = look(looks[name])
        ax.errorbar(x, part[panel.y] / unit, bars, ms=4, lw=1, elinewidth=0.8, label=name, **style)
        if panel.theory and "theory" in part and part["theory"].notna().any():
            ax.plot(x, part["theory"] / unit, color=style["color"], lw=1, label="_")
            if j == 0:
                ax.plot([], [], color="0.3", lw=1, label="theory")
        if j == 0:
            draw_guides(ax, x, np.asarray(part[panel.y] / unit), panel.guides)
    for dashes, (text, level) in zip(("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))), panel.levels.items(), strict=False):
        ax.axhline(level, color="0.3", lw=1.1, ls=dashes, label=text)
    ax.set(title=panel.title, xlabel=panel.xlabel, ylabel=panel.ylabel, **{f"{axis}scale": "log" for axis in panel.log})
    if "x" in panel.log:
        ax.xaxis.set_minor_formatter("")  # over less than two decades matplotlib would label every minor tick
    ax.set(**panel.options)


def draw_guides(ax: plt.Axes, x: np.ndarray, y: np.ndarray, guides: Mapping[float, str]) -> None:
    """Dotted power laws through the first point, each with its name in the legend."""
    for shade, (power, text) in zip(("0.35", "0.55", "0.7"), guides.items(), strict=False):
        ax.plot(x, y[0] * (x / x[0]) ** power, color=shade, lw=1, ls=":", label=text)


def whiskers(table: pd.DataFrame, column: str = "measured", unit: ArrayLike = 1.0) -> np.ndarray:
    """Lengths (2, records) of error bars around `column` from the columns `low` and `high`, divided by `unit`."""
    # an interval may miss its centre by a rounding error where all groups agree
    return np.stack([table[column] - table["low"], table["high"] - table[column]]).clip(0) / np.asarray(unit)
