r"""Does the risk of gradient descent descend twice along the epochs, and why?

    R(t) = sum_i [theta_i^2 s_i q_i^{2t} + (sigma^2/n)(1 - q_i^t)^2],    q_i = 1 - a s_i

for least squares with X'X/n = diag(s) and step a, exactly. Each mode falls to a minimum of its own and then rises: modes of
one curvature descend once. Two descents take two time scales, here fast modes of little signal, which first learn, then
overfit, before slow modes with more signal have begun. No threshold is crossed, and nothing is interpolated: n = 200, 120
parameters. Set-up: `epoch_runs`.

Sources: R. Heckel and F. Yilmaz (2021), arXiv:2007.10099, for the cause; theory/early_stopping.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, equals_exactly, exceeds, expectation_is
from ratewitness.studies.landscapes.epoch_runs import CURVATURES, ENERGY, SHARE, STEP, TIMES, TURNS, along_the_epochs
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory.early_stopping import descent, deviation_at, one_mode, risk_at

SYMBOLIC = (descent, one_mode)
SOURCE = "S49; Heckel and Yilmaz (2021), arXiv:2007.10099; theory/early_stopping.py"


def exact(t, scales: str = "two time scales", share: float = SHARE, step: float = STEP) -> np.ndarray:
    return risk_at(t, ENERGY, CURVATURES[scales], share, step)


@claim("proof", SOURCE)
@falsified(*SYMBOLIC)
def one_time_scale_descends_once(budget: Budget) -> Verdict:
    """S49, refined: Along the epochs of least squares each mode of the risk falls, then rises: modes of one curvature
    descend once at most.

    For X'X/n = diag(s), noise N(0, sigma^2) and gradient descent from 0 with step a < 1/max s, the expected excess risk is
    R(t), for every n, s and signal; each term is a parabola in q^t, least at q^t = B/(A + B), A = theta^2 s, B = sigma^2/n.
    Machine-checked: the solution of the recursion, and the slope of one mode; cited: nothing; in prose: the mean over the
    noise, and that modes of one curvature share q^t."""
    return prove(*SYMBOLIC)


@claim("exact", SOURCE)
@planted("noise 5 % larger", share=1.05 * SHARE)
@planted("step 0.45 for 0.5", step=0.45)
def risk_along_the_epochs(budget: Budget, share: float = SHARE, step: float = STEP) -> Verdict:
    """S49: The measured risk of gradient descent along the epochs equals its closed form, with one and with two time scales.

    At 39 steps from 1 to 6000, within 3 % (quick: inconclusive), in 99 % intervals from the exact standard deviation over
    800 (quick: 120) runs on one orthogonal design of 200 samples with 120 modes."""
    parts = {}
    for scales, s in CURVATURES.items():
        t, risks = along_the_epochs(budget, scales)
        error = deviation_at(t, ENERGY, s, SHARE, STEP) / risks.shape[1] ** 0.5
        parts[scales] = expectation_is(risks.mean(-1), error, exact(t, scales, share, step), 0.03)
    return all_of(parts)


@claim("phenomenon", SOURCE, unit="excess risk")
@planted("one time scale", scales="one time scale")
@planted("turns at 1, 5 and 1386", turns=(1, 5, 1386))
def descends_twice(budget: Budget, scales: str = "two time scales", turns=TURNS) -> Verdict:
    """S49, refined: With two time scales the risk of gradient descent falls, rises, falls below half of its peak, and rises
    again.

    The exact risk is least at step 1, largest after it at step 8, least again at step 1386: 1.050, 1.011, 1.183, 0.525,
    and 0.60 at step 6000. In 800 (quick: 120) runs the risk falls to step 1 by at least 0.02, rises from there to step 8
    by at least 0.1, falls by at least 0.4 to step 1386 and rises by at least 0.03 to step 6000, in 99 % intervals of the
    paired differences. Control: one time scale for the same signal."""
    curve = exact(np.arange(6001), scales)
    inner = 1 + np.flatnonzero((np.diff(curve[:-1]) > 0) != (np.diff(curve[1:]) > 0))
    t, risks = along_the_epochs(budget, scales)
    at = [np.full(risks.shape[1], ENERGY.sum())] + [risks[list(t).index(k)] for k in (*TURNS, TIMES[-1])]
    least = (0.02, 0.1, 0.4, 0.03)
    signs = (1, -1, 1, -1)
    moves = {f"move {k + 1}": exceeds(signs[k] * (at[k] - at[k + 1]), least[k]) for k in range(4)}
    places = equals_exactly(np.resize(inner, 3) if len(inner) == 3 else [0, 0, 0], turns)
    return all_of({"turns": places, **moves}).showing(table(budget))


def table(budget: Budget) -> pd.DataFrame:
    """Means over runs with intervals, and the exact risk, for one and for two time scales."""
    parts = {}
    for scales in CURVATURES:
        t, risks = along_the_epochs(budget, scales)
        parts[scales] = rows(risks, t=t).assign(theory=exact(t, scales))
    return stacked(parts)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "Excess risk of gradient descent on least squares against the number of steps: means over runs with 99 % intervals, "
        "and the exact risk. With two time scales it descends twice, with one once, for the same signal and noise."
    )
    shown = verdicts["descends_twice"].table
    levels = {"step 0": ENERGY.sum()}
    panel = Panel(shown, "t", "steps $t$", "excess risk", log="x", levels=levels, options={"ylim": (0.0, 1.3)})
    return {"epochs": panels(caption, {"two time scales": "C0o", "one time scale": "C1s"}, [panel], height=3.2)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
