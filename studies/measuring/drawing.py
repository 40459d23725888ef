"""What the figures of several studies share."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


def whiskers(table: pd.DataFrame, column: str = "measured", unit: ArrayLike = 1.0) -> np.ndarray:
    """Lengths (2, records) of error bars around `column` from the columns `low` and `high`, divided by `unit`."""
    # an interval may miss its centre by a rounding error where all groups agree
    return np.stack([table[column] - table["low"], table["high"] - table[column]]).clip(0) / np.asarray(unit)
