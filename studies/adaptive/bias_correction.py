r"""What does Adam's bias correction repair, and what does it not?

    E m_k = (1 - beta1^k) E g,     E v_k = (1 - beta2^k) E g_k^2 + zeta_k,     mhat_k = m_k/(1 - beta1^k),  vhat_k likewise

Both estimates are read off from steps, which shows what a step really uses: with a step size and an epsilon of 1e9 Adam's
step is mhat, with a step size of 1 and epsilon 0 it is mhat/sqrt(vhat). Expectations are means over replicates, with
intervals over 20 groups of them.

Gradients of mean 1 and equal second moments: `normal` 1 + z with z standard normal; `skewed` 2.5 with probability 1/3 and
else 0.25; `correlated` 1 + z_k with z_k = 0.9 z_{k-1} + noise, stationary; `constant` 1 + z, one for all k. Changing second
moments, mean 0: `growing` 1 + k/10, `falling` 0.93^k, `jumping` from 1 to 100 after 20 gradients.

Sources: D. P. Kingma and J. Ba (2015), arXiv:1412.6980; theory/moving_averages.py.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.solvers.adam import Adam
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, interval, mean_is
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import Stream, normal
from ratewitness.theory import moving_averages as theory
from ratewitness.theory.moving_averages import zeta
from torch import Tensor

BETAS = torch.tensor([(0.9, 0.999), (0.5, 0.9)], dtype=torch.float64)  # beta1, beta2
RECORDS = (1, 2, 3, 5, 10, 20, 50)
GROUPS = 20
FAR = 1e9  # a step size and an epsilon beside which vhat vanishes
SECOND = {"normal": 2.0, "skewed": (2.5**2 + 2 * 0.25**2) / 3, "correlated": 2.0, "constant": 2.0}
CHANGING = {"growing": lambda k: 1 + k / 10, "falling": lambda k: 0.93**k, "jumping": lambda k: 1.0 if k <= 20 else 100.0}
UPHILL, LATE = (1.0, -4.0), 1000  # gradients with probability 3/4 and 1/4, of mean -1/4 and second moment 19/4


def stationary(generator: torch.Generator, count: int) -> Iterator[Tensor]:
    """g_1, g_2, ..., each (laws, 1, count), of mean 1 and second moments SECOND."""
    first = latent = normal(generator, count)
    while True:
        rare = torch.rand(count, generator=generator, device=generator.device) < 1 / 3
        skewed = 0.25 + 2.25 * rare.double()
        yield torch.stack([1 + normal(generator, count), skewed, 1 + latent, 1 + first]).unsqueeze(1)
        latent = 0.9 * latent + math.sqrt(1 - 0.9**2) * normal(generator, count)


def changing(generator: torch.Generator, count: int) -> Iterator[Tensor]:
    """g_1, g_2, ..., each (laws, 1, count), of mean 0 and second moments CHANGING."""
    for k in itertools.count(1):
        yield torch.stack([math.sqrt(moment(k)) * normal(generator, count) for moment in CHANGING.values()]).unsqueeze(1)


def steps(solver, gradients: Iterator[Tensor], x: Tensor) -> Iterator[Tensor]:
    """-(x_k - x_{k-1}) for k = 1, 2, ..., at gradients that do not depend on the point."""
    oracle, state, zero = Stream(lambda k, x: next(gradients)), solver.init(x), torch.zeros_like(x)
    while True:
        step, state = solver.step(zero, state, oracle)
        oracle.seen.clear()  # millions of numbers a step
        yield -step


def grouped(values: Tensor) -> np.ndarray:
    """Means of GROUPS groups of replicates: (..., count) -> (..., GROUPS)."""
    return values.unflatten(-1, (GROUPS, -1)).mean(-1).cpu().numpy()


@cache
def all_estimates(budget: Budget, source, laws: tuple[str, ...], corrected: bool) -> dict[str, np.ndarray]:
    """mhat and vhat (laws, betas, records, groups); m and v where not corrected."""
    count = budget.pick(60_000, 400_000)
    beta1, beta2 = (b.unsqueeze(-1).to(budget.device) for b in BETAS.unbind(-1))
    settings = {"beta1": beta1, "beta2": beta2, "bias_correction": corrected}
    x = torch.zeros(len(laws), len(BETAS), count, dtype=torch.float64, device=budget.device)
    for_m, for_step = itertools.tee(source(budget.generator(*laws), count))
    found = {"m": [], "v": []}
    of_m, of_step = steps(Adam(FAR, eps=FAR, **settings), for_m, x), steps(Adam(1.0, eps=0.0, **settings), for_step, x)
    for k, m, step in zip(range(1, RECORDS[-1] + 1), of_m, of_step, strict=False):
        if k in RECORDS:
            found["m"].append(grouped(m))
            found["v"].append(grouped((m / step).square()))
    return {name: np.stack(records, 2) for name, records in found.items()}


def estimates(budget: Budget, source=stationary, corrected=True) -> dict[str, np.ndarray]:
    laws = tuple(SECOND if source is stationary else CHANGING)
    return all_estimates(budget.shared("bias_correction"), source, laws, corrected)


def compared(budget: Budget, measured: np.ndarray, expected: np.ndarray) -> Verdict:
    """mean_is within 2 % (quick: 5 %), for measured (..., records, groups) and what broadcasts against (..., records)."""
    return mean_is(measured, np.broadcast_to(expected, measured.shape[:-1]), budget.pick(0.05, 0.02))


def unbiased(budget: Budget, corrected=True, factor=lambda beta, k: 1.0 + 0 * beta * k) -> Verdict:
    """m and v against `factor` times E g = 1 and E g^2."""
    found, k = estimates(budget, corrected=corrected), np.array(RECORDS)
    second = np.array(list(SECOND.values())).reshape(-1, 1, 1)
    of_m, of_v = (factor(beta.unsqueeze(-1).numpy(), k) for beta in BETAS.unbind(-1))
    return all_of({"m": compared(budget, found["m"], of_m), "v": compared(budget, found["v"], second * of_v)})


SYMBOLIC = (
    *(theory.closed_form, theory.weights, theory.nonstationary, theory.only_stationary, theory.drift, theory.variance),
    theory.step_is_biased,
)


@claim(
    kind="proof",
    source="S24; Kingma and Ba (2015); theory/moving_averages.py",
    planted=falsified(*SYMBOLIC),
)
def moments(budget: Budget) -> Verdict:
    """S24: E m_k = (1 - beta1^k) E g and E v_k = (1 - beta2^k) E g^2 for every k where the means and the second moments are
    the same for every gradient; else E v_k = (1 - beta2^k) E g_k^2 + zeta_k, and zeta_k = 0 for every k only where they are.
    For independent gradients of equal variance that of mhat falls from that of one gradient at k = 1 to (1 - beta1)/(1 +
    beta1) of it."""
    return prove(*SYMBOLIC)


@claim(
    kind="law",
    source="S24; Kingma and Ba (2015)",
    planted={
        "without the correction": lambda budget: unbiased(budget, corrected=False),
        "corrected for one gradient more": lambda budget: unbiased(
            budget, factor=lambda beta, k: (1 - beta**k) / (1 - beta ** (k + 1))
        ),
    },
)
def unbiased_from_the_first_step(budget: Budget) -> Verdict:
    """S24, as stated, for gradients of equal means and equal second moments (normal, skewed, correlated, constant): what
    Adam's step uses has E mhat_k = E g and E vhat_k = E g^2 at k = 1, 2, 3, 5, 10, 20 and 50 within 2 % (quick: 5 %), for
    betas (0.9, 0.999) and (0.5, 0.9); without the correction they are (1 - beta1^k) E g and (1 - beta2^k) E g^2."""
    raw = unbiased(budget, corrected=False, factor=lambda beta, k: 1 - beta**k)
    return all_of({"corrected": unbiased(budget), "uncorrected": raw}).showing(records(budget))


def records(budget: Budget) -> pd.DataFrame:
    """Corrected and uncorrected averages over E g and E g^2, for `normal` and the default betas."""
    parts = []
    for corrected, (name, values) in itertools.product((True, False), (("m", 1.0), ("v", SECOND["normal"]))):
        mean, low, high = interval(estimates(budget, corrected=corrected)[name][0, 0] / values)
        part = {"average": name, "corrected": corrected, "k": RECORDS, "measured": mean, "low": low, "high": high}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def second_moment(budget: Budget, sign: float) -> Verdict:
    """vhat against E g_k^2 + sign zeta_k/(1 - beta2^k), laws with changing second moments."""
    rows = []
    for (law, moment), (_, beta2), k in itertools.product(CHANGING.items(), BETAS.tolist(), RECORDS):
        bias = zeta(beta2, [moment(j) for j in range(1, k + 1)]) / (1 - beta2**k)
        rows.append({"law": law, "beta2": beta2, "k": k, "E g^2": moment(k), "expected": moment(k) + sign * bias})
    table, measured = pd.DataFrame(rows), estimates(budget, changing)["v"].reshape(len(rows), GROUPS)
    mean, low, high = interval(measured)
    return compared(budget, measured, table["expected"]).showing(table.assign(measured=mean, low=low, high=high))


@claim(
    kind="law",
    source="S24; Kingma and Ba (2015)",
    planted={"biased the other way": lambda budget: second_moment(budget, -1.0)},
)
def unbiased_as_stated(budget: Budget) -> Verdict:
    """S24, as stated for any gradients: E vhat_k = E g_k^2 from the first step on within 2 % (quick: 5 %), also where the
    second moment grows, falls or jumps."""
    return second_moment(budget, 0.0)


@claim(
    kind="law",
    source="S24; Kingma and Ba (2015), for zeta; its exact value from theory/moving_averages.py",
    planted={
        "no zeta": lambda budget: second_moment(budget, 0.0),
        "zeta with the other sign": lambda budget: second_moment(budget, -1.0),
    },
)
def nonstationary(budget: Budget) -> Verdict:
    """S24, refined: E vhat_k = E g_k^2 + zeta_k/(1 - beta2^k), zeta_k = (1 - beta2) sum_{j<=k} beta2^{k-j} (E g_j^2 - E
    g_k^2), within 2 % (quick: 5 %), where the second moment grows, falls or jumps: too small for growing gradients, too
    large for falling ones, and unbiased at k = 1."""
    return second_moment(budget, 1.0)


@cache
def all_mean_steps(budget: Budget) -> dict[int, np.ndarray]:
    """-E(x_k - x_{k-1})/a of Adam for gradients UPHILL, in groups (GROUPS,), at k from 1 to LATE."""
    count, generator = budget.pick(60_000, 400_000), budget.generator()
    x = torch.zeros(count, dtype=torch.float64, device=budget.device)
    likely, unlikely = torch.tensor(UPHILL, dtype=x.dtype, device=x.device)

    def gradients():
        while True:
            yield torch.where(torch.rand(count, generator=generator, device=x.device) < 0.75, likely, unlikely)

    taken = zip(range(1, LATE + 1), steps(Adam(1.0, eps=0.0), gradients(), x), strict=False)
    at = {1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, LATE}
    return {k: grouped(step) for k, step in taken if k in at}


RATIO = (0.75 - 1) / math.sqrt(0.75 + 4)  # E g/sqrt(E g^2)


def mean_steps(budget: Budget, first: float, late: float) -> Verdict:
    found = all_mean_steps(budget.shared("bias_correction_uphill"))
    mean, low, high = interval(np.stack(list(found.values())))
    table = {"k": list(found), "measured": mean, "low": low, "high": high}
    return mean_is(np.stack([found[1], found[LATE]]), [first, late], 0.05).showing(table)


@claim(
    kind="law",
    source="S24; theory/moving_averages.py",
    planted={
        "unbiased from the first step": lambda budget: mean_steps(budget, RATIO, RATIO),
        "never unbiased": lambda budget: mean_steps(budget, 0.5, 0.5),
    },
)
def the_step_is_not_unbiased(budget: Budget) -> Verdict:
    """S24, refined: Unbiased moments make no unbiased step. For g = 1 with probability 3/4 and -4 else, E g = -1/4, Adam's
    first step has mean -a E sign g = -a/2: up the slope. After 1000 steps with betas (0.9, 0.999) it is -a E g/sqrt(E g^2) =
    0.115 a, both within 5 %."""
    return mean_steps(budget, 0.5, RATIO)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    moments, axes = plt.subplots(1, 2, figsize=(7.2, 3.3), layout="constrained")
    moments.set_label(
        "Left: Adam's averages of gradients 1 + z over what they estimate, with the bias correction (filled) and without "
        "(open); lines: 1 and 1 - beta^k. Right: E vhat_k for beta2 = 0.999 and gradients whose second moment changes "
        "(dashed); lines: E g_k^2 + zeta_k/(1 - beta2^k). Means over replicates with 99 % intervals."
    )
    table, k = verdicts["unbiased_from_the_first_step"].table, np.geomspace(1, RECORDS[-1], 100)
    looks = {"m": ("C0", "o", "m, $\\beta_1 = 0.9$", 0.9), "v": ("C1", "s", "v, $\\beta_2 = 0.999$", 0.999)}
    for (name, corrected), part in table.groupby(["average", "corrected"], sort=False):
        colour, marker, label, beta = looks[name]
        fill = {"mfc": colour if corrected else "w", "label": label if corrected else None}
        axes[0].errorbar(part["k"], part["measured"], whiskers(part), fmt=marker, ms=4, color=colour, **fill)
        axes[0].plot(k, 0 * k + 1 if corrected else 1 - beta**k, lw=0.8, color=colour)
    axes[0].set(xscale="log", yscale="log", xlabel="gradients k", ylabel="average / expectation", title="equal moments")
    table = verdicts["nonstationary"].table.query("beta2 == 0.999")
    for colour, (law, part) in zip(("C0", "C1", "C2"), table.groupby("law", sort=False), strict=True):
        axes[1].errorbar(part["k"], part["measured"], whiskers(part), fmt="o", ms=4, color=colour, label=law)
        axes[1].plot(part["k"], part["expected"], lw=0.8, color=colour)
        axes[1].plot(part["k"], part["E g^2"], lw=0.8, ls="--", color=colour)
    axes[1].set(xscale="log", yscale="log", xlabel="gradients k", ylabel="second moment", title="changing moments")
    for ax in axes:
        ax.legend(frameon=False)
    mean_step, ax = plt.subplots(figsize=(4.8, 3.3), layout="constrained")
    mean_step.set_label(
        "Mean of Adam's step -(x_k - x_{k-1})/a for gradients 1 with probability 3/4 and -4 else, betas 0.9 and 0.999, with "
        "99 % intervals. Lines: E sign g and E g/sqrt(E g^2). Above 0 the mean step goes up the slope."
    )
    table = verdicts["the_step_is_not_unbiased"].table
    ax.errorbar(table["k"], table["measured"], whiskers(table), fmt="o", ms=4)
    for value, label, k in ((0.5, "$E$ sign $g$", 10), (RATIO, "$E g/\\sqrt{E g^2}$", 1), (0.0, "", 1)):
        ax.axhline(value, color="k", lw=0.8, ls="-" if label else ":")
        ax.annotate(label, (k, value), xytext=(0, 4), textcoords="offset points")
    ax.set(xscale="log", ylim=(-0.2, 0.6), xlabel="step k", ylabel="mean step / a")
    return {"moments": moments, "mean_step": mean_step}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
