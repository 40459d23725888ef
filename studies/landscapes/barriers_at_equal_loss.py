r"""Is it their width or their training that lowers barriers between wide networks?

    networks 64-h-h-10 on the digits, h = 8, 32, 128, each trained up to the same loss:    barriers of the straight line,
                                                                                           matched, and of a Bezier curve

After equally many steps wide networks are better trained, and barriers depend on both (`barriers_and_width`). Here every
network stops at the first of its iterates, of every fourth, whose training loss, without the penalty, is at most 0.1 nats
(quick: 0.2); the pairs are others, of networks that reach it: some narrow ones get stuck, so that four more are drawn than
needed. In a first design, with 0.05 nats, one of twenty did not come: one claim was inconclusive for that and two broke, so
that no effect was seen. A Bezier curve between the networks is trained for as many steps as there, and may lie lower than
its ends. Set-up: `studies/landscapes/curve_runs.py`.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, exceeds
from ratewitness.studies.landscapes.curve_runs import KINDS, Pairs, Path, path, widths
from ratewitness.studies.landscapes.width_runs import FACTOR, HIGH, LOOKS, SOURCE, gains, logarithms, pictured
from ratewitness.studies.measuring.groups import rows, stacked

LEVELS = (0.2, 0.1)  # training losses in nats, quick and full


def paths(budget: Budget, kind: str) -> list[Path]:
    """One for each width, NaN where a network does not reach the loss."""
    level = budget.pick(*LEVELS)
    return [path(budget, Pairs(width, "pairs stopped at a loss", level), *KINDS[kind]) for width in widths(budget)]


def saved(budget: Budget, kind: str, null: bool) -> Verdict:
    return gains(paths(budget, "straight line"), paths(budget, kind), null)


@claim("phenomenon", SOURCE, unit="nats", units={"loss_narrowest": "nats", "loss_widest": "nats", "falls": "ln ratio"})
@planted("other pairs of the same width", null=True)
@planted("by a factor of 6", factor=3 * FACTOR)
@planted("of the line to a matched network", kind="matched line")
def the_straight_line_falls_with_the_width(
    budget: Budget, kind: str = "straight line", null: bool = False, factor: float = FACTOR
) -> Verdict:  # fmt: skip
    """S46, refined: At about equal training loss the barrier of the straight line falls from width 8 to 128 at least by
    half, and stays above 0.3 nats.

    Networks 64-h-h-10 on the digits, h = 8, 32 and 128 (quick: 8, 32), stopped at 0.1 nats (quick: 0.2): in the geometric
    mean over 10 (quick: 4) pairs of each width the barrier at the largest width is at most half of that at 8, and its mean
    is above 0.3 nats at every width, in 99 % intervals. The mean training loss of the ends is noted for the narrowest and
    the widest."""
    found = paths(budget, kind)
    logs = logarithms(found, null)
    parts = {f"width {width}": exceeds(each.barrier(), HIGH) for width, each in zip(widths(budget), found, strict=True)}
    verdict = all_of(parts | {"falls": exceeds(logs[0] - logs[-1], np.log(factor))})
    loss = {f"loss_{name}": float(found[at].loss[[0, -1]].mean()) for name, at in (("narrowest", 0), ("widest", -1))}
    shown = {
        name: rows(np.stack([each.barrier() for each in paths(budget, name)]), width=np.array(widths(budget)))
        for name in LOOKS
    }
    return verdict.noting(**loss).showing(stacked(shown, "path"))


@claim("phenomenon", SOURCE, unit="ln ratio")
@planted("bent as the curve of another pair", kind="bent as another")
@planted("other pairs of the same width", null=True)
def curves_gain_at_equal_loss(budget: Budget, kind: str = "Bezier curve", null: bool = False) -> Verdict:
    """S46, refined: At equal training loss, too, what a trained Bezier curve saves of the straight line's barrier at least
    doubles from width 8 to 128.

    The ratio of the straight line's barrier to the Bezier curve's is larger at h = 128 (quick: 32) than at h = 8 by a factor
    of at least 2 in the geometric mean, in a 99 % interval over the pairs of `the_straight_line_falls_with_the_width`. The
    threshold is that of `barriers_and_width`."""
    return saved(budget, kind, null)


@claim("phenomenon", SOURCE, unit="ln ratio")
@planted("matched to the first network of another pair", kind="matched to another")
@planted("other pairs of the same width", null=True)
def matching_gains_at_equal_loss(budget: Budget, kind: str = "matched line", null: bool = False) -> Verdict:
    """S46, refined: At equal training loss, too, what matching neurons saves of the straight line's barrier at least doubles
    from width 8 to 128.

    As `curves_gain_at_equal_loss`, with the straight line to the second network after a greedy matching of its neurons to
    the first, by their weights, in the place of the curve. A pilot with other seeds put it near twofold, so that ten
    pairs may not decide, while after equally many steps they do: part of that gain is training."""
    return saved(budget, kind, null)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["the_straight_line_falls_with_the_width"].table
    return pictured(table, "All networks stopped at the same training loss.")


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
