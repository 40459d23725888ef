"""What the two studies of barriers and widths judge and draw alike, from the paths (`curve_runs`) of every width."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.claims import Verdict
from ratewitness.studies.judges import exceeds
from ratewitness.studies.landscapes.curve_runs import Path
from ratewitness.studies.measuring.drawing import Panel, panels

SOURCE = "S46; Garipov et al. (2018), arXiv:1802.10026; matching: Ainsworth et al. (2022), arXiv:2209.04836"
HIGH, FACTOR = 0.3, 2.0  # nats; from the narrowest to the widest
LOOKS = {"straight line": "C0o-", "matched line": "C3D-", "Bezier curve": "C1s-"}


def logarithms(found: Sequence[Path], null: bool) -> np.ndarray:
    """Of the barriers (widths, pairs) in nats, those below 1e-4 taken for 1e-4: a path may be lower than its ends.

    null: two halves of the narrowest pairs, in the place of the narrowest and the widest.
    """
    logs = np.log(np.maximum([each.barrier() for each in found], 1e-4))
    return np.stack([logs[0, ::2], logs[0, 1::2]]) if null else logs


def gains(line: Sequence[Path], other: Sequence[Path], null: bool) -> Verdict:
    """Whether the straight line's barrier over the other one grows by FACTOR from the narrowest to the widest networks."""
    gain = logarithms(line, null) - logarithms(other, null)
    return exceeds(gain[-1] - gain[0], np.log(FACTOR))


def pictured(table: pd.DataFrame, trained: str) -> dict[str, Figure]:
    """Barriers by width, of networks that were trained so."""
    at = sorted(table["width"].unique())
    ticks = {"xticks": at, "xticklabels": [f"{width:g}" for width in at]}
    shown = Panel(table, "width", "hidden width $h$", "barrier (nats)", by="path", options=ticks)
    caption = (
        "The largest training loss between two independently trained networks 64-h-h-10 less the mean of the ends: on the "
        f"straight line, on the straight line after matching neurons, on a trained Bezier curve. {trained} 99 % intervals "
        "over pairs."
    )
    return {"widths": panels(caption, LOOKS, (shown,))}
