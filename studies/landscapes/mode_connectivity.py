r"""Are two independently trained networks connected by a curve of almost constant loss, where the straight line is high?

    minimize E_{t ~ U(0,1)} L(phi_theta(t)):    phi a quadratic Bezier curve or a chain with one bend, through a free point

S46 shows it for a ResNet-164 on CIFAR-100; here networks of 64-32-32-10 on the digits, 10 pairs (quick: 4), as
`studies/landscapes/curve_runs.py` describes. The objective that trains a curve contains an l2 penalty, and the sentence
speaks of the loss: barriers are judged without the penalty, and curves with it as well. Controls through the same
pipeline: a curve that was not trained, the first network renumbered as second end (which has a barrier although both ends
are one function), and second ends that were matched to the first. What the width does: `barriers_and_width`.

T. Garipov, P. Izmailov, D. Podoprikhin, D. Vetrov and A. G. Wilson (2018), arXiv:1802.10026.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, bound_holds, exceeds
from ratewitness.studies.landscapes.curve_runs import POINTS, path, plane
from ratewitness.studies.measuring.drawing import Panel, canvas, legend_below, panels
from ratewitness.studies.measuring.groups import rows, stacked

GARIPOV = "Garipov et al. (2018), arXiv:1802.10026"
WIDTH = 32
HIGH, FLAT, ERROR = 0.3, 0.05, 0.03  # nats, nats, share of the test images
PATHS = {"straight line": "line", "Bezier curve": "bezier", "chain": "chain"}
LOOKS = {"straight line": "C0o-", "Bezier curve": "C1s-", "chain": "C2^-"}


def drawn(budget: Budget) -> pd.DataFrame:
    """Loss and test error along the three paths, every second point."""
    t, parts = np.linspace(0, 1, POINTS)[::2], {}
    for name, shape in PATHS.items():
        found = path(budget, WIDTH, shape)
        of = [rows(getattr(found, what)[::2], t=t).assign(of=what) for what in ("loss", "penalized", "error")]
        parts[name] = pd.concat(of, ignore_index=True)
    return stacked(parts, "path")


@claim("phenomenon", f"S46; {GARIPOV}")
@planted("the trained Bezier curve", shape="bezier")
@planted("between networks and themselves", to_itself=True)
def the_straight_path_is_high(budget: Budget, shape: str = "line", to_itself: bool = False) -> Verdict:
    """S46, as stated: The straight path between two independently trained networks leads to high loss.

    The largest training cross-entropy on the line, less the mean of its ends, is above 0.3 nats in a 99 % interval over 10
    pairs (quick: 4) of networks 64-32-32-10 on the digits, 61 points a line; the uniform guess has 2.3 nats."""
    found = path(budget, WIDTH, shape)
    barrier = (found.loss[:1] - found.loss[0]).max(0) if to_itself else found.barrier()
    return exceeds(barrier, HIGH).showing(drawn(budget))


@claim("phenomenon", f"S46; {GARIPOV}")
@planted("the straight line", shapes=("line",))
@planted("curves that were not trained", train=False)
def curves_are_almost_flat(
    budget: Budget, shapes: tuple[str, ...] = ("bezier", "chain"), train: bool = True
) -> Verdict:  # fmt: skip
    """S46, as stated: A Bezier curve and a chain with one bend connect independently trained networks along almost constant
    loss.

    The largest training loss on the path, less the mean of its ends, is below 0.05 nats, both without the penalty and with
    it, in 99 % intervals over 10 pairs (quick: 4) of networks 64-32-32-10 on the digits, 61 points a path."""
    found = {shape: path(budget, WIDTH, shape, train=train) for shape in shapes}
    return all_of(
        {f"{shape} {of}": exceeds(-each.barrier(of), -FLAT) for shape, each in found.items() for of in ("loss", "penalized")}
    )


@claim("phenomenon", f"S46; {GARIPOV}")
@planted("the straight line", shapes=("line",))
@planted("curves that were not trained", train=False)
def error_stays_low_on_curves(
    budget: Budget, shapes: tuple[str, ...] = ("bezier", "chain"), train: bool = True
) -> Verdict:  # fmt: skip
    """S46, refined: Along trained curves the test error rises by less than 3 percentage points over that of the networks.

    The largest test error on the path, less the mean of its ends, is below 0.03 in 99 % intervals over 10 pairs (quick: 4)
    of networks 64-32-32-10 on the digits, Bezier curve and chain, 61 points a path."""
    found = {shape: path(budget, WIDTH, shape, train=train) for shape in shapes}
    return all_of({shape: exceeds(-each.barrier("error"), -ERROR) for shape, each in found.items()})


@claim("phenomenon", "S46; matching of weights: Ainsworth et al. (2022), arXiv:2209.04836")
@planted("independent ends as they are", matched="independent")
@planted("renumbered ends are not high", high="matched itself")
def numbering_is_much_of_the_barrier(
    budget: Budget, matched: str = "matched", high: str = "renumbered"
) -> Verdict:  # fmt: skip
    """S46, refined: A network and its own renumbering have a high straight path; matching independent ones halves theirs.

    Networks 64-32-32-10 on the digits: the straight path from a network to a random renumbering of its hidden neurons has a
    barrier above 0.3 nats; after a greedy matching of weights the barrier between independent networks is below half of what
    it was (mean of the logarithms of the ratios); 99 % intervals over 10 pairs (quick: 4)."""
    itself = path(budget, WIDTH, "line", "renumbered").barrier() if high == "renumbered" else np.zeros(2)
    before, after = (path(budget, WIDTH, "line", of).barrier() for of in ("independent", matched))
    ratio = np.log(np.maximum(before, 1e-12) / np.maximum(after, 1e-12))
    return all_of({"renumbered": exceeds(itself, HIGH), "matched": exceeds(ratio, np.log(2))}).noting(
        before=float(before.mean()), after=float(after.mean())
    )


@claim("phenomenon", f"S46; {GARIPOV}")
@planted("the straight line in the picture", shape="line")
def the_picture_is_of_a_flat_curve(budget: Budget, shape: str = "bezier") -> Verdict:
    """S46, refined: In the plane of two networks and the free point the Bezier curve stays where the loss is low.

    For the first pair: the largest training loss on its Bezier curve is below a tenth of that on its straight line, at 61
    points. One pair, without an interval: this is what the picture of the plane shows, and no more."""
    line, curve = (path(budget, WIDTH, each).loss[:, 0].max() for each in ("line", shape))
    cells = plane(budget, WIDTH)
    corners = cells.pop("corners")
    table = pd.DataFrame(cells).assign(part="plane")
    points = pd.DataFrame({"u": corners[:, 0], "v": corners[:, 1], "loss": np.nan, "part": ["first", "second", "free"]})
    return bound_holds([curve / line], [0.1]).showing(pd.concat([table, points], ignore_index=True))


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
    return {"paths": panels(caption, LOOKS, shown), "plane": _plane(verdicts["the_picture_is_of_a_flat_curve"].table)}


def _plane(table: pd.DataFrame) -> Figure:
    caption = (
        "The training loss in the plane through two independently trained networks and the free point of the Bezier curve "
        "between them, with the straight path. One pair."
    )
    figure, (ax,) = canvas(caption, 1, height=3.0)
    cells = table[table["part"] == "plane"].pivot(index="v", columns="u", values="loss")
    levels = np.geomspace(max(cells.to_numpy().min(), 1e-3), max(cells.to_numpy().max(), 1.0), 14)
    shades = ax.contourf(cells.columns, cells.index, np.log10(cells.clip(lower=levels[0])), np.log10(levels), cmap="viridis")
    figure.colorbar(shades, ax=ax, label=r"$\log_{10}$ training loss", format="%.1f")
    w1, w2, free = (table.loc[table["part"] == each, ["u", "v"]].to_numpy()[0] for each in ("first", "second", "free"))
    t = np.linspace(0, 1, 61)[:, None]
    curve = (1 - t) ** 2 * w1 + 2 * t * (1 - t) * free + t**2 * w2
    ax.plot(*np.stack([w1, w2], 1), color="white", ls="--", lw=1.2, label="straight line")
    ax.plot(*curve.T, color="C1", lw=1.6, label="Bezier curve")
    ax.plot(*np.stack([w1, w2], 1), "o", color="white", mec="0.2", ms=5, label="networks")
    ax.plot(*free, "X", color="C1", mec="0.2", ms=6, label="free point")
    ax.set(xlabel="along the straight line", ylabel="towards the free point")
    ax.grid(visible=False)
    legend_below(figure)
    return figure


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
