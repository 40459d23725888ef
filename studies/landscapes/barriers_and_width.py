r"""Does the barrier between independently trained networks depend on their width?

    networks 64-h-h-10 on the digits, h = 8, 32, 128:    the barrier of the straight line, before and after matching,
                                                         and of a trained Bezier curve

S46 has one width. What narrower and wider networks do is measured here with the pairs, steps and minibatches of
`mode_connectivity` (set-up: `studies/landscapes/curve_runs.py`); the step is the same for all widths, so that a wide network
is also a better trained one. For random neurons the barrier does not depend on the width at all (`permutation_barriers`).
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, exceeds
from ratewitness.studies.landscapes.curve_runs import path
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked

SOURCE = "S46; Garipov et al. (2018), arXiv:1802.10026; matching: Ainsworth et al. (2022), arXiv:2209.04836"
HIGH = 0.3  # nats
KINDS = {
    "straight line": ("line", "independent"),
    "matched line": ("line", "matched"),
    "Bezier curve": ("bezier", "independent"),
}
LOOKS = {"straight line": "C0o-", "matched line": "C3D-", "Bezier curve": "C1s-"}


def widths(budget: Budget) -> tuple[int, ...]:
    return budget.pick((8, 32), (8, 32, 128))


def barriers(budget: Budget, kind: str) -> np.ndarray:
    """(widths, pairs), in nats."""
    return np.stack([path(budget, width, *KINDS[kind]).barrier() for width in widths(budget)])


def falls(found: np.ndarray, factor: float) -> Verdict:
    """Whether the barrier is lower by this factor at the widest than at the narrowest, in the geometric mean over pairs. A
    barrier below 1e-4 nats counts as 1e-4: a path may be lower than its ends."""
    low = np.log(np.maximum(found, 1e-4))
    return exceeds(low[0] - low[-1], np.log(factor))


@claim("phenomenon", SOURCE)
@planted("by a factor of 100 from 8 to 32", factor=100.0)
@planted("of the straight line", kind="straight line")
def curves_are_lower_in_wider_networks(
    budget: Budget, kind: str = "Bezier curve", factor: float = 3.0
) -> Verdict:  # fmt: skip
    """S46, refined: The barrier that is left on a trained Bezier curve falls with the width of the networks.

    Networks 64-h-h-10 on the digits: it is lower at h = 128 than at h = 8 (quick: at 32) by a factor of at least 3 in the
    geometric mean, in a 99 % interval over 10 pairs (quick: 4)."""
    parts = {name: rows(barriers(budget, name), width=np.array(widths(budget))) for name in KINDS}
    return falls(barriers(budget, kind), factor).showing(stacked(parts, "path"))


@claim("phenomenon", SOURCE)
@planted("of the Bezier curve", kind="Bezier curve")
def the_straight_line_stays_high(budget: Budget, kind: str = "straight line") -> Verdict:
    """S46, refined: The straight line between independently trained networks stays high at every width from 8 to 128.

    Networks 64-h-h-10 on the digits, h = 8, 32 and 128 (quick: 8, 32): its barrier is above 0.3 nats at each width, in 99 %
    intervals over 10 pairs (quick: 4)."""
    found = barriers(budget, kind)
    return all_of({f"width {width}": exceeds(each, HIGH) for width, each in zip(widths(budget), found, strict=True)})


@claim("phenomenon", SOURCE)
@planted("without matching", kind="straight line")
def matching_gains_in_wider_networks(budget: Budget, kind: str = "matched line") -> Verdict:
    """S46, refined: After matching their neurons the straight line between networks becomes lower with the width.

    Networks 64-h-h-10 on the digits, matched greedily by their weights: the barrier is lower at h = 128 than at h = 8
    (quick: at 32) by a factor of at least 3 in the geometric mean, in a 99 % interval over 10 pairs (quick: 4)."""
    return falls(barriers(budget, kind), 3.0)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["curves_are_lower_in_wider_networks"].table
    shown = Panel(table, "width", "hidden width $h$", "barrier (nats)", by="path")
    caption = (
        "The largest training loss between two independently trained networks 64-h-h-10 less the mean of the ends: on the "
        "straight line, on the straight line after matching neurons, on a trained Bezier curve. 99 % intervals over pairs."
    )
    return {"widths": panels(caption, LOOKS, (shown,))}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
