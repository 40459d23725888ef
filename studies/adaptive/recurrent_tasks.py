r"""Does RMSProp train recurrent networks, and does it pay on a second task what it pays on the adding problem?

    f(x) = (1/n) sum_i (o_i - y_i)^2,        y_i the answers of a random network of the same kind

The sentence says "often used in training neural networks, especially recurrent ones". That people do is no matter of a run;
that it works is: after a run its training loss is well below what the best constant answer pays, which ignores the sequence.
Whether it works better than SGD is another question, asked for the adding problem in `recurrent_network` and here for
imitating a teacher, with the same threshold. The tasks, the methods and how they are tuned:
`studies/adaptive/recurrent_runs.py`.

T. Tieleman and G. Hinton (2012); R. Pascanu, T. Mikolov and Y. Bengio (2013), arXiv:1211.5063, for clipping.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.adaptive.recurrent_runs import ADVANTAGE, CLIPPED, LOOKS, lower, trained
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, exceeds
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.tuning import unless_on_edge

TASKS = ("adding", "imitating")


@claim("phenomenon", "S23; Tieleman and Hinton (2012)", unit="ln ratio")
@planted("before the first step", record=0)
@planted("to a tenth when adding", tasks=("adding",), by=math.log(10))
def it_trains_them(budget: Budget, tasks=TASKS, record: int = -1, by: float = math.log(1.25)) -> Verdict:
    """S23, as stated: RMSProp trains recurrent networks: on two tasks its training loss falls below that of the best
    constant answer.

    Often used in training recurrent networks, of which a run can show that it works: on adding and on imitating, with tuned
    steps, the training loss is at least 1.25 times below that of the best constant answer, in the geometric mean over
    seeds. A constant is a weak rival: an affine function of the last pair beats it as well on imitating."""
    seen = {name: trained(budget, name, "RMSProp") for name in tasks}
    verdict = all_of({name: exceeds(np.log(one.constant / one.losses[record]), by) for name, one in seen.items()})
    return unless_on_edge(verdict, *seen.values())


@claim("phenomenon", "S23; Tieleman and Hinton (2012)", unit="ln ratio")
@planted("SGD has it", first="SGD", second="RMSProp")
@planted("RMSProp against itself", second="RMSProp")
def advantage_over_sgd_when_imitating(budget: Budget, first: str = "RMSProp", second: str = "SGD") -> Verdict:
    """S23, read as: Imitating a recurrent network tuned RMSProp ends at half the training loss of tuned SGD, or less.

    After equally many steps, SGD without momentum or clipping, in the geometric mean over paired seeds."""
    return lower(budget, "imitating", first, second, ADVANTAGE)


@claim("phenomenon", "S23; Pascanu, Mikolov and Bengio (2013), arXiv:1211.5063", unit="ln ratio")
@planted("half of clipped SGD's loss", first="RMSProp", second=CLIPPED, by=ADVANTAGE)
def no_factor_of_two_over_clipped_momentum_when_imitating(
    budget: Budget, first: str = CLIPPED, second: str = "RMSProp", by: float = -ADVANTAGE
) -> Verdict:  # fmt: skip
    """S23, refined: Imitating a recurrent network tuned RMSProp has more than half the training loss of tuned SGD with
    momentum and clipped gradients.

    Over the older remedy no advantage of a factor 2 remains: in the geometric mean over paired seeds."""
    return lower(budget, "imitating", first, second, by)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    names = ("advantage_over_sgd_when_imitating", "no_factor_of_two_over_clipped_momentum_when_imitating")
    seen = pd.concat([verdicts[name].table for name in names]).drop_duplicates(["method", "step"])
    caption = (
        "Imitating a random tanh network of 16 units: training loss of every method with its tuned step. Geometric means "
        "over seeds with 99 % intervals."
    )
    panel = Panel(seen[seen["step"] > 0], "step", "steps (minibatches of 32)", "training loss", log="y")
    return {"losses": panels(caption, LOOKS, [panel], height=3.2)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
