r"""What does Adam's bias correction repair, and what does it not?

    E m_k = (1 - beta1^k) E g,     E v_k = (1 - beta2^k) E g_k^2 + zeta_k,     mhat_k = m_k/(1 - beta1^k),  vhat_k likewise

Both estimates are read off from Adam's steps (`adam_estimates`), with 99 % intervals over 20 groups of replicates.

Gradients of mean 1 and equal second moments: `normal` 1 + z with z standard normal; `skewed` 2.5 with probability 1/3 and
else 0.25; `correlated` 1 + z_k with z_k = 0.9 z_{k-1} + noise, stationary; `constant` 1 + z, one for all k. Changing second
moments, mean 0: `growing` 1 + k/10, `falling` 0.93^k, `jumping` from 1 to 100 after 20 gradients. Whether unbiased moments
make an unbiased step: `mean_step`; how long the first steps are: `first_steps`.

Sources: D. P. Kingma and J. Ba (2015), arXiv:1412.6980; theory/moving_averages.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.adaptive.adam_estimates import (
    BETAS,
    CHANGING,
    GROUPS,
    RECORDS,
    SECOND,
    changing,
    estimates,
    stationary,
)
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, mean_is
from ratewitness.studies.measuring.drawing import Panel, canvas, draw, legend_below
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import moving_averages as theory

SYMBOLIC = (theory.closed_form, theory.weights, theory.nonstationary, theory.only_stationary, theory.drift)
SYMBOLIC += (theory.variance, theory.step_is_biased)
KINGMA = "S24; Kingma and Ba (2015)"
LOOKS = {
    "$m$, corrected": "C0o",
    "$m$, uncorrected": "C0o open",
    "$v$, corrected": "C1s",
    "$v$, uncorrected": "C1s open",
    **{law: f"C{2 + j}{marker}" for j, (law, marker) in enumerate(zip(CHANGING, "^vD", strict=True))},
}


@claim("proof", f"{KINGMA}; theory/moving_averages.py")
@falsified(*SYMBOLIC)
def moments(budget: Budget) -> Verdict:
    """S24, refined: Averages that start at 0 are too small by the factor 1 - beta^k, which the correction repairs exactly
    where the moments do not change.

    Where the means and the second moments are the same for every gradient, E m_k = (1 - beta1^k) E g and E v_k = (1 -
    beta2^k) E g^2 for every k; else E v_k = (1 - beta2^k) E g_k^2 + zeta_k, and zeta_k = 0 for every k only where they are.
    For independent gradients of equal variance that of mhat falls from that of one gradient at k = 1 to (1 - beta1)/(1 +
    beta1) of it. Machine-checked (sympy): each closed form in k, by its value at 0 or 1 and an induction step; the sum of
    the weights; that zeta_k = zeta_{k+1} = 0 makes two moments equal. In prose: that expectations are linear."""
    return prove(*SYMBOLIC)


def unbiased(budget: Budget, corrected: bool, factor: Callable) -> Verdict:
    """m and v against `factor` times E g = 1 and E g^2."""
    found, k = estimates(budget, stationary, corrected), np.array(RECORDS)
    second = np.array(list(SECOND.values())).reshape(-1, 1, 1)
    of_m, of_v = (factor(beta.unsqueeze(-1).numpy(), k) for beta in BETAS.unbind(-1))
    expected = {"m": np.ones_like(second) * of_m, "v": second * of_v}
    return all_of({name: mean_is(found[name], expected[name], budget.pick(0.05, 0.02)) for name in found})


@claim("law", KINGMA)
@planted("without the correction", corrected=False)
@planted("corrected for one gradient more", factor=lambda beta, k: (1 - beta**k) / (1 - beta ** (k + 1)))
def unbiased_from_the_first_step(
    budget: Budget, corrected: bool = True, factor: Callable = lambda beta, k: 1.0 + 0 * beta * k
) -> Verdict:
    """S24, refined: With the bias correction Adam's averages estimate E g and E g^2 without bias from the first step on,
    where these do not change.

    For gradients of equal means and equal second moments (normal, skewed, correlated, constant) what Adam's step uses has E
    mhat_k = E g and E vhat_k = E g^2 at k = 1, 2, 3, 5, 10, 20 and 50 within 2 % (quick: 5 %), for betas (0.9, 0.999) and
    (0.5, 0.9); without the correction they are (1 - beta1^k) E g and (1 - beta2^k) E g^2."""
    judged = {"corrected": unbiased(budget, corrected, factor)}
    judged["uncorrected"] = unbiased(budget, False, lambda beta, k: 1 - beta**k)
    parts, k = [], np.array(RECORDS)
    for true, (name, beta, unit) in itertools.product((True, False), (("m", 0.9, 1.0), ("v", 0.999, SECOND["normal"]))):
        part = rows(estimates(budget, stationary, true)[name][0, 0] / unit, k=k)  # normal, with the default betas
        parts.append(part.assign(average=name, corrected=true, theory=1.0 if true else 1 - beta**k))
    return all_of(judged).showing(pd.concat(parts, ignore_index=True))


def second_moment(budget: Budget, sign: float) -> Verdict:
    """vhat against E g_k^2 + sign zeta_k/(1 - beta2^k), laws with changing second moments."""
    cells = []
    for (law, moment), (_, beta2), k in itertools.product(CHANGING.items(), BETAS.tolist(), RECORDS):
        bias = theory.zeta(beta2, [moment(j) for j in range(1, k + 1)]) / (1 - beta2**k)
        cells.append({"law": law, "beta2": beta2, "k": k, "E g^2": moment(k), "theory": moment(k) + sign * bias})
    table, found = pd.DataFrame(cells), estimates(budget, changing, True)["v"].reshape(len(cells), GROUPS)
    return mean_is(found, table["theory"], budget.pick(0.05, 0.02)).showing(rows(found, **table))


@claim("law", KINGMA)
@planted("biased the other way", sign=-1.0)
def unbiased_as_stated(budget: Budget, sign: float = 0.0) -> Verdict:
    """S24, read as: for any gradients, E vhat_k = E g_k^2 from the first step on.

    The equality holds within 2 % (quick: 5 %), at k = 1, 2, 3, 5, 10, 20 and 50, also where the second moment grows, falls
    or jumps. The seminar says that Adam corrects the bias towards zero in the first moments of time."""
    return second_moment(budget, sign)


@claim("law", f"{KINGMA}, for zeta; its exact value from theory/moving_averages.py")
@planted("no zeta", sign=0.0)
@planted("zeta with the other sign", sign=-1.0)
def nonstationary(budget: Budget, sign: float = 1.0) -> Verdict:
    """S24, refined: Where the second moment changes, vhat_k is too small for growing gradients and too large for falling
    ones, by zeta_k/(1 - beta2^k).

    Where the second moment grows, falls or jumps, E vhat_k = E g_k^2 + zeta_k/(1 - beta2^k), zeta_k = (1 - beta2) sum_{j<=k}
    beta2^{k-j} (E g_j^2 - E g_k^2), within 2 % (quick: 5 %). At k = 1 it is unbiased."""
    return second_moment(budget, sign)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "Left: Adam's averages of gradients $1 + z$, $\\beta_1 = 0.9$ and $\\beta_2 = 0.999$, over what they estimate (set "
        "apart); theory: 1 with the bias correction, and $1 - \\beta^k$ without. Right: $E \\hat v_k$ for gradients whose "
        "second moment changes; theory: $E g_k^2 + \\zeta_k/(1 - \\beta_2^k)$. Means over replicates with 99 % intervals."
    )
    figure, (left, right) = canvas(caption, 2, height=3.4)
    table = verdicts["unbiased_from_the_first_step"].table
    curves = dict(zip((("m", True), ("m", False), ("v", True), ("v", False)), LOOKS, strict=False))
    table = table.assign(method=[curves[key] for key in zip(table["average"], table["corrected"], strict=True)])
    equal = Panel(table, "k", "gradients $k$", "average / expectation", title="equal moments", apart=1.05)
    table = verdicts["nonstationary"].table.query("beta2 == 0.999")
    changed = Panel(table, "k", "gradients $k$", "second moment", by="law", title="changing moments", theory=False)
    draw(left, equal, LOOKS)
    draw(right, changed, LOOKS)
    every = np.arange(1, RECORDS[-1] + 1)
    for law, moment in CHANGING.items():
        second = [moment(k) for k in every]
        bias = [theory.zeta(0.999, second[:k]) / (1 - 0.999**k) for k in every]
        right.plot(every, np.add(second, bias), lw=1, color=LOOKS[law][:2])
        right.plot(every, second, lw=0.9, ls="--", color="0.3", label="$E g_k^2$")
    legend_below(figure)
    return {"moments": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
