r"""Does the barrier between independently trained networks depend on their width?

    networks 64-h-h-10 on the digits, h = 8, 32, 128:    the barrier of the straight line, before and after matching,
                                                         and of a trained Bezier curve

S46 has one width. What narrower and wider networks do is measured here with the pairs, steps and minibatches of
`mode_connectivity` (set-up: `studies/landscapes/curve_runs.py`); the step is the same for all widths, so that a wide network
is also a better trained one. The straight line becomes lower with the width as well, so that what a curve or a matching
gains is judged against it. For random neurons the barrier does not depend on the width at all (`permutation_barriers`).
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
FACTOR = 2.0
KINDS = {
    "straight line": ("line", "independent"),
    "matched line": ("line", "matched"),
    "Bezier curve": ("bezier", "independent"),
}
LOOKS = {"straight line": "C0o-", "matched line": "C3D-", "Bezier curve": "C1s-"}


def widths(budget: Budget) -> tuple[int, ...]:
    return budget.pick((8, 32), (8, 32, 128))


def barriers(budget: Budget, kind: str, stream: str = "pairs of widths") -> np.ndarray:
    """(widths, pairs), in nats."""
    shape, of = KINDS[kind]
    return np.stack([path(budget, width, shape, of, stream=stream).barrier() for width in widths(budget)])


def gains(budget: Budget, kind: str, factor: float, null: bool) -> Verdict:
    """Whether the ratio of the straight line's barrier to this one grows by the factor from the narrowest to the widest, in
    the geometric mean. A barrier below 1e-4 nats counts as 1e-4: a path may be lower than its ends. null: from the narrowest
    to other pairs of the same width."""
    line, other = (np.log(np.maximum(barriers(budget, each), 1e-4)) for each in ("straight line", kind))
    gain = line - other
    if null:
        gain = np.stack([gain[0, ::2], gain[0, 1::2]])
    return exceeds(gain[-1] - gain[0], np.log(factor))


@claim("phenomenon", SOURCE)
@planted("of the Bezier curve", kind="Bezier curve")
def the_straight_line_stays_high(budget: Budget, kind: str = "straight line") -> Verdict:
    """S46: The straight line between independently trained networks is above 0.3 nats at each width from 8 to 128.

    Networks 64-h-h-10 on the digits, h = 8, 32 and 128 (quick: 8, 32): its barrier is above 0.3 nats at each width, in 99 %
    intervals over 10 pairs (quick: 4). That it falls with the width is shown and not judged."""
    found = barriers(budget, kind)
    parts = {name: rows(barriers(budget, name), width=np.array(widths(budget))) for name in KINDS}
    verdict = all_of({f"width {width}": exceeds(each, HIGH) for width, each in zip(widths(budget), found, strict=True)})
    return verdict.showing(stacked(parts, "path"))


@claim("phenomenon", SOURCE)
@planted("a factor of 100", factor=100.0)
@planted("other pairs of the same width", null=True)
def curves_gain_in_wider_networks(budget: Budget, factor: float = FACTOR, null: bool = False) -> Verdict:
    """S46, refined: What a trained Bezier curve saves of the straight line's barrier grows with the width, at least twofold.

    Networks 64-h-h-10 on the digits: the ratio of the straight line's barrier to the Bezier curve's is larger at h = 128
    than at h = 8 (quick: at 32) by a factor of at least 2 in the geometric mean, in a 99 % interval over 10 (quick: 4)
    pairs, all after equally many steps: narrow networks are further from a minimum. An earlier design judged the curve's
    barrier alone; as the straight line's falls as well, this one judges their ratio, on pairs that were not seen before."""
    return gains(budget, "Bezier curve", factor, null)


@claim("phenomenon", SOURCE)
@planted("a factor of 100", factor=100.0)
@planted("other pairs of the same width", null=True)
def matching_gains_in_wider_networks(budget: Budget, factor: float = FACTOR, null: bool = False) -> Verdict:
    """S46, refined: What matching neurons saves of the straight line's barrier grows with the width, at least twofold.

    As `curves_gain_in_wider_networks`, with the straight line to the second network after a greedy matching of its neurons
    to the first, by their weights, in the place of the curve."""
    return gains(budget, "matched line", factor, null)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["the_straight_line_stays_high"].table
    shown = Panel(table, "width", "hidden width $h$", "barrier (nats)", by="path")
    caption = (
        "The largest training loss between two independently trained networks 64-h-h-10 less the mean of the ends: on the "
        "straight line, on the straight line after matching neurons, on a trained Bezier curve. 99 % intervals over pairs."
    )
    return {"widths": panels(caption, LOOKS, (shown,))}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
