"""Which sampled words of a ledger survive the family of all of them.

    margin = Phi^{-1}(1 - p)        survives where Holm's step-down test at 1 % rejects

p is the p-value of a word (judges.py): of the tests whose rejection supports or refutes the claim. Its margin says the same
on a scale that people read: how many standard errors of a normal estimate lie between it and the border of the word. Alone a
word needs 2.58. Over several hundred words at that level some are wrong; Holm's procedure at 1 % says which ones stand even
so: with at least 99 % none of those that survive is wrong, whatever the dependence between them. Words that nothing was
sampled for, and "inconclusive", which asserts nothing, are no members.

S. Holm (1979), A simple sequentially rejective multiple test procedure.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.01
SURVIVES, ALONE = "survives", "alone"


def holm(p: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Which of these (m,) Holm's test rejects: the smallest p at level/m, the next at level/(m - 1), until one is kept."""
    order = np.argsort(p)
    kept = p[order] <= level / np.arange(len(p), 0, -1)
    rejected = np.zeros(len(p), dtype=bool)
    rejected[order] = np.logical_and.accumulate(kept)
    return rejected


def margin(p: str) -> str:
    """Of a p-value as it stands in a ledger."""
    return f"{stats.norm.isf(float(p)):.3g}"


def judged_together(ledger: pd.DataFrame) -> pd.DataFrame:
    """margin and family of every row of a ledger, as text; '' for what is no member."""
    member = ledger["p"].ne("") & ledger["outcome"].isin(["supported", "refuted"])
    p = ledger.loc[member, "p"]
    found = pd.DataFrame("", index=ledger.index, columns=["margin", "family"])
    found.loc[member, "margin"] = p.map(margin)
    found.loc[member, "family"] = np.where(holm(p.astype(float).to_numpy()), SURVIVES, ALONE)
    return found
