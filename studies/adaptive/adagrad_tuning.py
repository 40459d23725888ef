r"""Does AdaGrad need no tuning of its step, and what does a wrong step cost?

The methods, the problems and the step by theory, c = 1: `studies/adaptive/adagrad_steps.py`. What a wrong c costs
(theory/adagrad.py): a factor (c + 1/c)/2 in the bound on the regret on a box, for AdaGrad as for SGD. Without a box the
first step alone leads c eta away, and on a quadratic with exact gradients x/c has a limit as c grows: an overshoot of the
order c^2, of which a run forgets much or little, as the problem has it. But no c makes AdaGrad diverge there; GD does beyond
2/L. How many steps do about as well as the best one: `range_of_steps`.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.figure import Figure
from ratewitness.studies.adaptive.adagrad_steps import ADAPTIVE, DIVERGED, FACTORS, LEVELS, SGD, gaps, last_gaps, on_data
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, mean_is
from ratewitness.studies.measuring.drawing import Panel, legend_below, panels
from ratewitness.studies.measuring.groups import rows, stacked

SCALES, WITHIN = (1e-3, 1.0, 1e3), 10.0  # SCALES: s
SOURCE = "Duchi, Hazan and Singer (2011)"


@claim("phenomenon", f"S16; {SOURCE}")
@planted("SGD needs no tuning", method="SGD, a")
@planted("by norm, within a factor 1.1", method="AdaGradNorm", factor=1.1)
def no_tuning_as_stated(budget: Budget, method: str = "AdaGrad", factor: float = 2.0) -> Verdict:
    """S16, read as: Over four decades of steps AdaGrad's last gap stays within a factor 2 of its least, so that its step
    needs no tuning.

    The sentence says that AdaGrad does not require tuning the learning rate. For c from 1/100 to 100, on the family at
    every noise level nu = 0, 3, 10 and 30 and on diabetes and digits with minibatches of one."""
    by_problem = {f"family, nu = {nu:g}": gaps(budget, method)[:, i] for i, nu in enumerate(LEVELS)}
    by_problem |= on_data(budget, method, noisy=True)
    inside = np.abs(np.log10(FACTORS)) <= 2 + 1e-9
    ratios = {problem: gap[inside] / gap[inside].mean(-1).min() for problem, gap in by_problem.items()}
    table = stacked({problem: rows(ratio, c=FACTORS[inside]) for problem, ratio in ratios.items()}, "problem")
    verdict = bound_holds(np.concatenate([*ratios.values()]), np.full(len(table), factor))
    return verdict.noting(mildest_problem=table.groupby("problem")["measured"].max().min()).showing(table)


@measured("one step")
def relative_gaps(budget: Budget, name: str) -> np.ndarray:
    """Gaps over the least of all steps, after N/10 and N steps: (2, c, nu, s, 10 groups)."""
    absolute = name not in ADAPTIVE
    found = last_gaps(budget, name, SCALES, 10 if absolute else 20, absolute)
    groups = found.reshape(*found.shape[:-1], 10, -1).mean(-1)
    return (groups / groups.mean(-1).min(1)[:, None, ..., None]).clip(max=DIVERGED)


def one_step(budget: Budget, names: tuple[str, ...], sizes: slice = slice(None)) -> Verdict:
    """The gap of one step over the least of the method's own: c = 1 of an adaptive method, the best compromise of SGD."""
    parts, exact = [], []
    for name in names:
        ratio = relative_gaps(budget, name)[..., sizes, :]
        compromise = int(ratio[:, :, 1:].mean(-1).max((0, 2, 3)).argmin())
        chosen = len(FACTORS) // 2 if name in ADAPTIVE else compromise
        parts.append(ratio[:, chosen, 1:].reshape(-1, 10))
        exact.append(ratio[:, chosen, 0].max())
    groups = np.concatenate(parts)
    verdict = bound_holds(groups, np.full(len(groups), WITHIN))
    return verdict.noting(configurations=float(len(parts[0])), worst_with_exact_gradients=max(exact))


@claim("phenomenon", f"S16; {SOURCE}; theory/adagrad.py")
@planted("one constant step of SGD, the best compromise", partial(one_step, names=("SGD, a",)))
@planted("one a of SGD with a/sqrt(k+1)", partial(one_step, names=("SGD, a/sqrt(k+1)",)))
def one_step_for_all(budget: Budget) -> Verdict:
    """S16, refined: AdaGrad's one step D/sqrt 2 does well in noise, whatever the size of the gradients, the noise and
    the number of steps.

    In noise: what need not be tuned to is these three: the step leaves AdaGrad, diagonal and by norm, within a factor 10
    of its least last gap over all steps, for the loss multiplied by 1/1000, 1 and 1000, noise levels 3, 10 and 30, after
    N/10 and after N steps. No single step of SGD does that for all three sizes; at one size, one step of SGD does as
    well (the evidence has its worst factor). With exact gradients it is not so, and not judged: their worst factor is
    there, too."""
    at_one_size = {f"{name} at one size": one_step(budget, (name,), slice(1, 2)).evidence["power"] for name in SGD}
    return one_step(budget, ADAPTIVE).noting(**at_one_size)


@claim("law", "S16; theory/adagrad.py")
@planted("quadratic", power=2.0)
@planted("a root", power=0.5)
def price_of_an_overestimated_distance(budget: Budget, power: float = 1.0) -> Verdict:
    """S16, refined: A distance that is overestimated c times multiplies AdaGrad's last gap in noise by about c.

    D unknown: in noise (nu = sigma sqrt N/(R L) = 30), for c from 1 to 10, the last gap on rotated quadratics is
    multiplied by c^p, p = 1 within 25 %, diagonal and by norm. On these c that is steeper than the factor (c + 1/c)/2 of
    the regret bound, whose slope is 0.73."""
    part = (FACTORS > 0.99) & (FACTORS < 10.1)  # up to nu/3, where a step c eta/h is small against 1/L
    slopes = {name: np.polyfit(np.log(FACTORS[part]), np.log(gaps(budget, name)[part, 3]), 1)[0] for name in ADAPTIVE}
    return all_of({name: mean_is(slopes[name], power, 0.25) for name in ADAPTIVE})


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["no_tuning_as_stated"].table
    table = table.assign(problem=table["problem"].str.replace(r"nu = (\d+)", r"$\\nu = \1$", regex=True))
    looks = dict(zip(table["problem"].unique(), ("C0o-", "C1s-", "C2v-", "C3^-", "C4D-", "C5<-"), strict=True))
    caption = (
        r"AdaGrad with the step $c D/\sqrt{2}$: last gap over the least, with 99 % intervals over groups of seeds. Black: "
        r"the factor $(c + 1/c)/2$ of the bound."
    )
    panel = Panel(table, "c", "$c$", "last gap / least last gap", by="problem")
    figure = panels(caption, looks, [panel], legend="none", height=3.6)
    c = np.logspace(-2, 2, 50)
    figure.axes[0].plot(c, (c + 1 / c) / 2, "k-", lw=1, label="$(c + 1/c)/2$")
    legend_below(figure, 2)
    return {"steps": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
