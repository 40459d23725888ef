r"""Does Adam learn classes of unequal size by heart earlier than gradient descent? Labels that are independent of the rows.

    2^i classes of 2^(m-i) samples each, i = 1, ..., m,    or as many classes of equal size;    dense rows

Tuned as in `gain_of_adam`, around 10/L for gradient descent and around a change of a score by 0.1 for Adam. Theory is silent
here, where rows are shared. This is a question of the first steps: the rows are separable, and after 100 steps gradient
descent with the largest steps has little left to learn.

Source: Kunstner, Yadav, Milligan, Schmidt and Bietti (2024), arXiv:2402.19449.
"""

from __future__ import annotations

import numpy as np
import torch
from ratewitness.problems.data import class_imbalance as groups_of_classes
from ratewitness.studies.adaptive.gain_of_adam import KUNSTNER, PAIRS, Setting, descended, least
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, exceeds
from torch.nn.functional import one_hot


@measured("class_imbalance")
def by_heart(budget: Budget, sizes: str) -> Setting:
    m = budget.pick(4, 5)
    y, group = (each.to(budget.device) for each in groups_of_classes.group_labels(m, even=sizes != "unequal"))
    again = ["again"] if sizes.endswith("again") else []
    A = groups_of_classes.grouped_rows(m, budget.generator("rows", *again), budget.pick(3, 5))
    problem, groups = groups_of_classes.grouped_softmax(A, y), one_hot(group).to(torch.float64) / len(y)
    centres = (10 / problem.constants.smoothness.reshape(-1, 1, 1), 0.1 / float(A.sum(-1).mean()))

    def losses(x):
        return groups_of_classes.sample_losses(A, y, x) @ groups

    return Setting(problem, problem.start, losses, 100, budget.pick(8, 16), centres)


def lead(budget: Budget, sizes: str, steps: int) -> dict[str, np.ndarray]:
    """By how large a share of the initial loss Adam is below gradient descent after `steps` steps, for both pairs."""
    left = {}
    for method in (name for pair in PAIRS for name in pair):
        losses = descended(budget, by_heart, (sizes,), method)
        left[method] = least(budget, losses, steps).sum(-1) / losses[0, 0].sum(-1)
    return {method: left[other] - left[method] for method, other in PAIRS}


@claim(
    "phenomenon",
    KUNSTNER,
    unit="fraction",
    units={
        "Adam, no momentum, unequal": "fraction of the initial loss",
        "Adam, unequal": "fraction of the initial loss",
        "Adam, no momentum, equal": "fraction of the initial loss",
        "Adam, equal": "fraction of the initial loss",
        "left_by_GD_after_100": "fraction of the initial loss",
    },
)
@planted("after 100 steps as well", steps=100)
@planted("equal classes on other rows in their place", sizes=("equal, again", "equal"))
def learns_unequal_classes_by_heart_earlier(
    budget: Budget, steps: int | None = None, sizes: tuple[str, str] = ("unequal", "equal")
) -> Verdict:
    """S28, read as: On dense rows Adam learns by heart earlier than gradient descent, the more so where class sizes differ.

    Of groups i = 1, ..., 5 (quick: 4) of 2^i classes with 2^(5-i) samples each, labels independent of the rows, Adam has
    learnt more by heart after 16 (quick: 8) steps than gradient descent, and by a share of the initial loss that is at least
    0.1 larger than on as many classes of equal size; with momentum on both sides and with none, in the mean over draws of
    rows. This is a statement on the first steps: the rows are separable, and after 100 steps gradient descent with the
    largest steps has little left to learn (`left_by_GD_after_100`, a share).
    """
    one, two = (lead(budget, size, steps or budget.pick(8, 16)) for size in sizes)
    leads = {f"{method}, {size}": of[method].mean() for size, of in zip(sizes, (one, two), strict=True) for method in one}
    ahead = {f"{method}, unequal": exceeds(one[method], 0.0) for method in one}
    verdict = all_of(ahead | {method: exceeds(one[method] - two[method], 0.1) for method in one}).noting(**leads)
    losses = descended(budget, by_heart, ("unequal",), "GD").sum(-1)
    return verdict.noting(left_by_GD_after_100=float((losses[100].min(0) / losses[0, 0]).mean()))


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
