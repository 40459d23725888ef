"""How measured over bound is shown: the problems of each cell in strips, the user's own data in a figure and in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.claims import Verdict
from ratewitness.studies.measuring.drawing import Panel, canvas, legend_below, panels

OWN = "file "  # how the problem of the user's table is named
LEAST = 1e-6  # a ratio below is drawn here
CELLS = {"pl": "PL", "convex": "convex", "nonconvex": "nonconvex"}
LOOKS = {"PL": "C0o-", "convex": "C1s-", "nonconvex": "C2D-"}
FAMILIES = {
    "own data": (OWN,),
    "real data": ("diabetes", "breast cancer", "digits", "which testament"),
    "quadratics": ("parabola", "quadratic", "modes"),
    "Huber": ("huber", "Huber"),
    "sawtooth": ("sawtooth",),
    "zero-chain": ("zero-chain",),
    "sines": ("sine",),
    "flat minima": ("softplus", "power", "smooth max"),
    "regression": ("least squares", "robust", "matrix"),
    "classification": ("logistic", "softmax", "bigrams", "classes"),
}


def family(problem: str) -> str:
    return next((name for name, words in FAMILIES.items() if any(word in problem for word in words)), "others")


def named(claim: str) -> str:
    """gd_pl -> GD, PL."""
    method, _, kind = claim.partition("_")
    return f"{method.upper()}, {CELLS[kind]}"


def strips(method: str, verdicts: dict[str, Verdict]) -> Figure:
    """A panel for each cell, a strip for each family, a point for each problem."""
    caption = (
        f"{method.upper()}: measured over bound on every problem of each cell, by family. Points: the largest ratio over "
        "steps or horizons and records, with 99 % intervals where it was sampled; bars: the least ratio at the end of a "
        f"run, drawn at {LEAST:g} where smaller."
    )
    figure, axes = canvas(caption, 3, height=3.0, shared="y")
    found = {kind: verdicts[f"{method}_{kind}"].table.groupby("problem") for kind in CELLS}
    seen = {family(problem) for table in found.values() for problem in table.groups}
    names = [name for name in (*FAMILIES, "others") if name in seen][::-1]
    for ax, (kind, table) in zip(axes, found.items(), strict=True):
        shown = table.agg(power=("power", "max"), low=("low", "max"), high=("high", "max"), last=("last", "min"))
        shown = shown.clip(lower=LEAST).sort_values("power").reset_index()
        strip = shown["problem"].map(family)
        place, size = shown.groupby(strip).cumcount(), strip.map(strip.value_counts())
        y = strip.map(names.index) + 0.7 * ((place + 0.5) / size - 0.5)
        style, bars = LOOKS[CELLS[kind]], np.abs(shown[["low", "high"]].to_numpy().T - shown["power"].to_numpy())
        ax.hlines(y, shown["last"], shown["power"], color="0.75", lw=0.7)
        ax.plot(shown["last"], y, "|", color="0.4", ms=4, label="end of the run")
        options = {"fmt": style[2], "color": style[:2], "label": f"worst record, {CELLS[kind]}"}
        ax.errorbar(shown["power"], y, xerr=bars, ms=3, elinewidth=0.8, **options)
        ax.axvline(1, color="0.3", lw=1, ls="--", label="bound")
        ax.set(xscale="log", xlim=(LEAST / 2, 4), xlabel="measured / bound", title=CELLS[kind])
        ax.set_yticks(range(len(names)), names)
        ax.label_outer()
    legend_below(figure)
    return figure


def own_rows(verdicts: dict[str, Verdict]) -> pd.DataFrame:
    """The records on the user's own data of every cell, without rows where there are none."""
    found = []
    for name, verdict in verdicts.items():
        if "problem" in verdict.table:
            method, cell = named(name).split(", ")
            rows = verdict.table[verdict.table["problem"].str.startswith(OWN)]
            found.append(rows.assign(claim=name, method=method, cell=cell))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def own_figure(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    """The worst measured over bound along k, over the steps or horizons of each cell; nothing without own data."""
    if not len(own := own_rows(verdicts)):
        return {}
    caption = (
        f"Measured over bound on {own['problem'].iloc[0].removeprefix(OWN)}: the worst over steps or horizons at each $k$, "
        f"with 99 % intervals where it was sampled; drawn at {LEAST:g} where smaller."
    )
    worst = own.groupby(["method", "cell", "N"], as_index=False)[["power", "low", "high"]].max()
    worst[["power", "low", "high"]] = worst[["power", "low", "high"]].clip(lower=LEAST)
    axes = {"x": "N", "xlabel": "$k$", "ylabel": "measured / bound", "y": "power", "by": "cell", "levels": {"bound": 1.0}}
    shown = [Panel(part, title=method, **axes) for method, part in worst.groupby("method")]
    return {"own_data": panels(caption, LOOKS, shown)}


def on_data(verdicts: dict[str, Verdict]) -> list[str]:
    """What was measured on the user's own data, and what was skipped and why, in lines for the terminal."""
    own = own_rows(verdicts)
    if not len(own):
        return []
    one = own.iloc[0]
    constants = ", ".join(f"{symbol} = {one[symbol]:.3g}" for symbol in ("L", "mu", "sigma"))
    lines = [f"{one['problem'].removeprefix(OWN)}: n = {one['n']}, d = {one['d']} with the intercept; certified {constants}"]
    for name in verdicts:
        rows = own[own["claim"] == name]
        lines.append(f"  {named(name)}: {in_words(rows) if len(rows) else f'skipped, {why_not(name, one)}'}")
    return lines


def in_words(rows: pd.DataFrame) -> str:
    """Where the bound was nearest, how near it is when the run ends, and the steps or horizons that were tried."""
    worst, last = rows.loc[rows["power"].idxmax()], rows.loc[rows["N"].idxmax()]
    power, where, runs = f"{worst['power']:.2g}", f"k = {worst['N']}", ", ".join(f"{run:g}" for run in rows["at"].unique())
    if worst["claim"].startswith("gd"):
        where, runs = f"h = {worst['at']:g} and {where}", f"steps h/L, h = {runs}"
    else:
        power, runs = f"{power} [{worst['low']:.2g}, {worst['high']:.2g}]", f"N = {runs}"
    return f"at most {power} of the bound, at {where}; {last['last']:.2g} at the last record, k = {last['N']} ({runs})"


def why_not(cell: str, constants: pd.Series) -> str:
    """The hypothesis of a cell that the certified constants do not meet."""
    if cell.startswith("sgd") and not 0 < constants["sigma"] < np.inf:
        return "as the noise of least squares has no uniform variance" if constants["sigma"] else "as it has no noise"
    unmet = {"pl": "as mu = 0", "convex": "as it is not convex with a minimizer"}
    return unmet.get(cell.partition("_")[2], "as no record was above the floor")
