r"""Are two independently trained networks connected by a curve of almost constant loss, where the straight line is high?

    minimize E_{t ~ U(0,1)} L(phi_theta(t)):    phi a quadratic Bezier curve or a chain with one bend, through a free point

S46 shows it for a ResNet-164 on CIFAR-100; here networks of 64-32-32-10 on the digits, 10 pairs (quick: 4), as
`studies/landscapes/curve_runs.py` describes. The objective that trains networks and curves contains an l2 penalty, and the
sentence speaks of the loss: barriers are judged without the penalty, and curves with it as well. Controls through the same
pipeline: the first network renumbered as second end (which has a barrier although both ends are one function), second ends
matched to the first or to another network, and curves that were trained for a tenth of the steps or are bent as far in
another direction. A curve that was not trained at all is the straight line. What the width does: `barriers_and_width`.

T. Garipov, P. Izmailov, D. Podoprikhin, D. Vetrov and A. G. Wilson (2018), arXiv:1802.10026.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, bound_holds, exceeds
from ratewitness.studies.landscapes.curve_runs import POINTS, Pairs, path, plane
from ratewitness.studies.measuring.drawing import Panel, canvas, legend_below, panels, whiskers
from ratewitness.studies.measuring.groups import rows, stacked

GARIPOV = "Garipov et al. (2018), arXiv:1802.10026"
PAIRS = Pairs(32)
HIGH, FLAT, ERROR = 0.3, 0.05, 0.03  # nats, nats, share of the test images
PATHS = {"straight line": "line", "Bezier curve": "bezier", "chain": "chain"}
LOOKS = {"straight line": "C0o-", "Bezier curve": "C1s-", "chain": "C2^-"}
CONTROLS = {name: (shape, "independent", "trained") for name, shape in PATHS.items()} | {
    "a tenth of the steps": ("bezier", "independent", "after a tenth"),
    "bent at random": ("bezier", "independent", "random"),
    "bent as another": ("bezier", "independent", "of another"),
    "line, matched": ("line", "matched", "trained"),
    "line, wrong match": ("line", "matched to another", "trained"),
    "line, renumbered": ("line", "renumbered", "trained"),
    "line, 2 exchanged": ("line", "two exchanged", "trained"),
    "curve, renumbered": ("bezier", "renumbered", "trained"),
}


def drawn(budget: Budget) -> pd.DataFrame:
    """Loss and test error along the three paths, every second point."""
    t, parts = np.linspace(0, 1, POINTS)[::2], {}
    for name, shape in PATHS.items():
        found = path(budget, PAIRS, shape)
        of = [rows(getattr(found, what)[::2], t=t).assign(of=what) for what in ("loss", "penalized", "error")]
        parts[name] = pd.concat(of, ignore_index=True)
    return stacked(parts, "path")


@claim("phenomenon", f"S46; {GARIPOV}", unit="nats")
@planted("the trained Bezier curve", shape="bezier")
@planted("to a second network matched to the first", of="matched")
@planted("to itself with two neurons a layer exchanged", of="two exchanged")
def the_straight_path_is_high(budget: Budget, shape: str = "line", of: str = "independent") -> Verdict:
    """S46, as stated: On digits the straight path between two independently trained networks leads to high loss.

    The largest training cross-entropy on the line, without the penalty, less the mean of its ends, is above 0.3 nats in a
    99 % interval over 10 pairs (quick: 4) of networks 64-32-32-10 on the digits, 61 points a line; the uniform guess has 2.3
    nats."""
    return exceeds(path(budget, PAIRS, shape, of).barrier(), HIGH).showing(drawn(budget))


@claim("phenomenon", f"S46; {GARIPOV}", unit="nats")
@planted("the straight line", shapes=("line",))
@planted("curves trained for a tenth of the steps", bend="after a tenth")
@planted("bent as far in a random direction", bend="random")
@planted("bent as the curves of another pair", bend="of another")
def curves_are_almost_flat(budget: Budget, shapes=("bezier", "chain"), bend: str = "trained") -> Verdict:
    """S46, as stated: On digits a Bezier curve and a chain with one bend connect independently trained networks along almost
    constant loss.

    The free point is trained on E_{t ~ U(0,1)} of cross-entropy plus l2 penalty, the objective of the networks. The largest
    training loss on the path, less the mean of its ends, is below 0.05 nats, both without the penalty and with it, in 99 %
    intervals over 10 pairs (quick: 4) of networks 64-32-32-10 on the digits, 61 points a path."""
    found = {shape: path(budget, PAIRS, shape, bend=bend) for shape in shapes}
    return all_of(
        {f"{shape} {of}": exceeds(-each.barrier(of), -FLAT) for shape, each in found.items() for of in ("loss", "penalized")}
    )


@claim("phenomenon", f"S46; {GARIPOV}", unit="fraction")
@planted("the straight line", shapes=("line",))
@planted("bent as far in a random direction", bend="random")
@planted("bent as the curves of another pair", bend="of another")
def error_stays_low_on_curves(budget: Budget, shapes=("bezier", "chain"), bend: str = "trained") -> Verdict:
    """S46, refined: Along trained curves the test error rises by less than 3 percentage points over that of the networks.

    The largest test error on the path, less the mean of its ends, is below 0.03 in 99 % intervals over 10 pairs (quick: 4)
    of networks 64-32-32-10 on the digits, Bezier curve and chain, 61 points a path, trained with the penalty. It is weaker
    than the statement on the loss: in a pilot a tenth of the training was nearly enough for it."""
    found = {shape: path(budget, PAIRS, shape, bend=bend) for shape in shapes}
    return all_of({shape: exceeds(-each.barrier("error"), -ERROR) for shape, each in found.items()})


@claim(
    "phenomenon",
    "S46; matching: Ainsworth et al. (2022), arXiv:2209.04836",
    unit="nats",
    units={"before": "nats", "after": "nats", "matched": "ln ratio"},
)
@planted("matched to the first network of another pair", matched="matched to another")
@planted("two neurons a layer exchanged", renumbered="two exchanged")
@planted("a curve trained for a tenth of the steps", bend="after a tenth")
def numbering_is_much_of_the_barrier(
    budget: Budget, matched: str = "matched", renumbered: str = "renumbered", bend: str = "trained"
) -> Verdict:  # fmt: skip
    """S46, refined: A network and its renumbering have a barrier that a curve removes; matching halves that of others.

    Networks 64-32-32-10 on the digits: the straight path from a network to a random renumbering of its hidden neurons has a
    barrier above 0.3 nats, a trained Bezier curve one below 0.05; after a greedy matching of weights the barrier between
    independent networks is below half of what it was (mean of the logarithms of the ratios); 99 % intervals over 10 pairs
    (quick: 4). The curve is trained with the penalty, barriers are without it."""
    itself = path(budget, PAIRS, "line", renumbered).barrier()
    around = path(budget, PAIRS, "bezier", renumbered, bend).barrier()
    before, after = (path(budget, PAIRS, "line", of).barrier() for of in ("independent", matched))
    parts = {"renumbered": exceeds(itself, HIGH), "curve": exceeds(-around, -FLAT)}
    verdict = all_of(parts | {"matched": exceeds(np.log(before / after), np.log(2))})
    shown = {name: rows(path(budget, PAIRS, *each).barrier()[None], at=np.zeros(1)) for name, each in CONTROLS.items()}
    return verdict.noting(before=float(before.mean()), after=float(after.mean())).showing(stacked(shown, "path"))


@claim("upper bound", f"S46; {GARIPOV}")
@planted("a curve trained for a tenth of the steps", bend="after a tenth")
@planted("bent as the curve of another pair", bend="of another")
def the_curve_is_far_below_the_line(budget: Budget, bend: str = "trained") -> Verdict:
    """S46, refined: The loss on the Bezier curve is below a tenth of the highest on the straight line, for every pair.

    The largest training loss without the penalty at 61 points of either path, for each of 10 pairs (quick: 4) of networks
    64-32-32-10 on the digits. The pictures show the planes through both networks and the free point of the Bezier curve, and
    of the chain, for the first pair."""
    line, curve = (path(budget, PAIRS, *each).loss.max(0) for each in (("line",), ("bezier", "independent", bend)))
    planes = {name: plane(budget, PAIRS, shape) for name, shape in PATHS.items() if shape != "line"}
    return bound_holds(curve / line, np.full(len(line), 0.1)).showing(stacked(planes, "path"))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["the_straight_path_is_high"].table
    shown = (
        Panel(table[table["of"] == "loss"], "t", "$t$", "training loss (nats)", by="path", log="y"),
        Panel(table[table["of"] == "error"], "t", "$t$", "test error", by="path", log=""),
    )
    caption = (
        "Training loss without the penalty and test error along the straight line, the trained Bezier curve and the trained "
        "chain between pairs of independently trained networks: means over pairs with 99 % intervals."
    )
    return {
        "paths": panels(caption, LOOKS, shown),
        "plane": _planes(verdicts["the_curve_is_far_below_the_line"].table),
        "controls": _controls(verdicts["numbering_is_much_of_the_barrier"].table),
    }


def _controls(table: pd.DataFrame) -> Figure:
    caption = (
        "Barriers of paths between two networks, with controls. Lines and curves lead to an independent network, to one "
        "matched to the first or to that of another pair, or to the first itself with all neurons renumbered, or two a "
        "layer exchanged. Means over pairs with 99 % intervals."
    )
    figure, (ax,) = canvas(caption, 1, height=3.2)
    at = np.arange(len(table))[::-1]
    ax.errorbar(table["measured"], at, xerr=whiskers(table), fmt="C0o", ms=4, elinewidth=0.8, label="barrier")
    for level, dashes in ((HIGH, "--"), (FLAT, ":")):
        ax.axvline(level, color="0.3", lw=1.1, ls=dashes, label=f"{level:g} nats")
    ax.set_xscale("symlog", linthresh=0.01, linscale=0.5)
    ax.set(yticks=at, yticklabels=table["path"], xlabel="barrier (nats)", xticks=[0, 0.01, 0.1, 1], xlim=(-0.005, 10))
    legend_below(figure)
    return figure


def _planes(table: pd.DataFrame) -> Figure:
    caption = (
        "The training loss, without the penalty, in the planes through two independently trained networks and the free "
        "point of the Bezier curve, or of the chain, between them, with the curve and the straight path. One pair."
    )
    figure, axes = canvas(caption, 2, height=3.0)
    losses = table.loc[table["part"] == "plane", "loss"]
    levels = np.linspace(np.log10(max(losses.min(), 1e-3)), np.log10(max(losses.max(), 1.0)), 14)
    for ax, (name, part) in zip(axes, table.groupby("path"), strict=True):
        cells = part[part["part"] == "plane"].pivot(index="v", columns="u", values="loss")
        shades = ax.contourf(cells.columns, cells.index, np.log10(cells.clip(lower=10 ** levels[0])), levels, cmap="viridis")
        w1, w2, free = (part.loc[part["part"] == each, ["u", "v"]].to_numpy()[0] for each in ("first", "second", "free"))
        t = np.linspace(0, 1, 61)[:, None]
        curve = (
            (1 - t) ** 2 * w1 + 2 * t * (1 - t) * free + t**2 * w2 if name == "Bezier curve" else np.stack([w1, free, w2])
        )
        ax.plot(*np.stack([w1, w2], 1), "o--", color="C4", mec="white", ms=5, lw=1.6, label="networks, straight line")
        ax.plot(*curve.T, color="C1", lw=1.6, label="curve")
        ax.plot(*free, "X", color="C1", mec="0.2", ms=6, label="free point")
        ax.set(title=name, xlabel="along the straight line", ylabel="towards the free point")
        ax.grid(visible=False)
    figure.colorbar(shades, ax=axes, label=r"$\log_{10}$ training loss", format="%.1f")
    legend_below(figure)
    return figure


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
