r"""Does the barrier between independently trained networks depend on their width?

    networks 64-h-h-10 on the digits, h = 8, 32, 128:    the barrier of the straight line, before and after matching,
                                                         and of a trained Bezier curve

S46 has one width. What narrower and wider networks do is measured here with the pairs, steps and minibatches of
`mode_connectivity` (set-up: `studies/landscapes/curve_runs.py`). Steps and their number are the same for all widths, so that
a wide network is also a better trained one: what is width and what is training is separated in `barriers_at_equal_loss`. The
straight line becomes lower with the width as well, so that what a curve or a matching gains is judged against it. For random
neurons the barrier does not depend on the width at all (`permutation_barriers`).
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, exceeds
from ratewitness.studies.landscapes.curve_runs import KINDS, Pairs, Path, path, widths
from ratewitness.studies.landscapes.width_runs import HIGH, LOOKS, SOURCE, gains, pictured
from ratewitness.studies.measuring.groups import rows, stacked


def paths(budget: Budget, kind: str) -> list[Path]:
    """One for each width."""
    return [path(budget, Pairs(width, "pairs of widths"), *KINDS[kind]) for width in widths(budget)]


def saved(budget: Budget, kind: str, null: bool) -> Verdict:
    return gains(paths(budget, "straight line"), paths(budget, kind), null)


@claim("phenomenon", SOURCE, unit="nats")
@planted("of the line to a matched network", kind="matched line")
@planted("of the Bezier curve", kind="Bezier curve")
def the_straight_line_stays_high(budget: Budget, kind: str = "straight line") -> Verdict:
    """S46: The straight line between independently trained networks is above 0.3 nats at each width from 8 to 128.

    Networks 64-h-h-10 on the digits, h = 8, 32 and 128 (quick: 8, 32), each trained for 800 steps (quick: 300): its barrier,
    without the penalty, is above 0.3 nats at each width, in 99 % intervals over 10 pairs (quick: 4). That it falls with the
    width is shown here, and judged in `barriers_at_equal_loss`."""
    at = widths(budget)
    found = {name: np.stack([each.barrier() for each in paths(budget, name)]) for name in {*LOOKS, kind}}
    parts = {name: rows(found[name], width=np.array(at)) for name in LOOKS}
    verdict = all_of({f"width {width}": exceeds(each, HIGH) for width, each in zip(at, found[kind], strict=True)})
    return verdict.showing(stacked(parts, "path"))


@claim("phenomenon", SOURCE, unit="ln ratio")
@planted("bent as the curve of another pair", kind="bent as another")
@planted("other pairs of the same width", null=True)
def curves_gain_in_wider_networks(budget: Budget, kind: str = "Bezier curve", null: bool = False) -> Verdict:
    """S46, refined: After equally many steps, what a trained Bezier curve saves of the straight line's barrier at least
    doubles from narrow to wide networks.

    Networks 64-h-h-10 on the digits: the ratio of the straight line's barrier to the Bezier curve's is larger at h = 128
    than at h = 8 (quick: at 32) by a factor of at least 2 in the geometric mean, in a 99 % interval over 10 (quick: 4)
    pairs, all after equally many steps, in which narrow networks come less near to a minimum. An earlier design judged the
    curve's barrier alone; as the straight line's falls as well, this one judges their ratio, on pairs not seen before."""
    return saved(budget, kind, null)


@claim("phenomenon", SOURCE, unit="ln ratio")
@planted("matched to the first network of another pair", kind="matched to another")
@planted("other pairs of the same width", null=True)
def matching_gains_in_wider_networks(budget: Budget, kind: str = "matched line", null: bool = False) -> Verdict:
    """S46, refined: After equally many steps, what matching neurons saves of the straight line's barrier at least doubles
    from narrow to wide networks.

    As `curves_gain_in_wider_networks`, with the straight line to the second network after a greedy matching of its neurons
    to the first, by their weights, in the place of the curve. At equal loss it is less: `barriers_at_equal_loss`."""
    return saved(budget, kind, null)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    return pictured(verdicts["the_straight_line_stays_high"].table, "All were trained for equally many steps.")


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
