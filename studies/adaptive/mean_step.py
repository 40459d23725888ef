r"""Do unbiased moments make an unbiased step?

    g = 1 with probability 3/4, else -4:    E g = -1/4, E g^2 = 19/4      Adam's step x_k - x_{k-1} = -a mhat_k/sqrt(vhat_k)

No: at k = 1 the step is -a sign g, whose mean has the sign of the likely gradient and not of the mean one; when the averages
have forgotten it, the mean is -a E g/sqrt(E g^2). What the correction does for the moments themselves: `bias_correction`.

Sources: D. P. Kingma and J. Ba (2015), arXiv:1412.6980; theory/moving_averages.py.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.solvers.adam import Adam
from ratewitness.studies.adaptive.adam_estimates import grouped, steps
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import mean_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows

LIKELY, UNLIKELY, LATE = 1.0, -4.0, 1000  # gradients with probability 3/4 and 1/4
RATIO = (0.75 - 1) / math.sqrt(0.75 + 4)  # E g/sqrt(E g^2)


@measured("bias_correction_uphill")
def mean_steps(budget: Budget) -> dict[int, np.ndarray]:
    """-E(x_k - x_{k-1})/a of Adam, in groups (GROUPS,), at k from 1 to LATE."""
    count, generator = budget.pick(60_000, 400_000), budget.generator()
    x = torch.zeros(count, dtype=torch.float64, device=budget.device)
    likely, unlikely = torch.tensor((LIKELY, UNLIKELY), dtype=x.dtype, device=x.device)

    def gradients():
        while True:
            yield torch.where(torch.rand(count, generator=generator, device=x.device) < 0.75, likely, unlikely)

    taken = zip(range(1, LATE + 1), steps(Adam(1.0, eps=0.0), gradients(), x), strict=False)
    at = {1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, LATE}
    return {k: grouped(step) for k, step in taken if k in at}


@claim("law", "S24; theory/moving_averages.py")
@planted("unbiased from the first step", first=RATIO)
@planted("never unbiased", late=0.5)
def the_step_is_not_unbiased(budget: Budget, first: float = 0.5, late: float = RATIO) -> Verdict:
    """S24, refined: Unbiased moments make no unbiased step: Adam's first step can go up the slope in the mean.

    For g = 1 with probability 3/4 and -4 else, E g = -1/4, Adam's first step has mean -a E sign g = -a/2: up the slope.
    After 1000 steps with betas (0.9, 0.999) it is -a E g/sqrt(E g^2) = 0.115 a, both within 5 %."""
    found = mean_steps(budget)
    table = rows(np.stack(list(found.values())), k=list(found))
    return mean_is(np.stack([found[1], found[LATE]]), [first, late], 0.05).showing(table)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "Mean of Adam's step $-(x_k - x_{k-1})/a$ for gradients 1 with probability 3/4 and -4 else, betas 0.9 and 0.999, "
        "with 99 % intervals. Above 0 the mean step goes up the slope."
    )
    levels = {"$E$ sign $g$": 0.5, "$E g/\\sqrt{E g^2}$": RATIO, "0": 0.0}
    table = verdicts["the_step_is_not_unbiased"].table.assign(method="mean step")
    options = {"ylim": (-0.2, 0.6)}
    panel = Panel(table, "k", "step $k$", "mean step / $a$", levels=levels, log="x", options=options)
    return {"mean_step": panels(caption, {"mean step": "C0o"}, [panel], height=3.2)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
