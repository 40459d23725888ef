r"""Does AdaGrad beat SGD on sparse problems because features are rare?

Features. Coordinate i takes part in a round with probability p_i, and then has the loss z x_i, z = +-1 of mean -1/2, on the
box [-1, 1]^d, from x = 0; the best point is (1, ..., 1) (`problems/online/sparse_features.py`).

Regret, of the expected losses. With step D_inf/sqrt 2 AdaGrad has the bound sqrt 2 D_inf sum_i sqrt(p_i T), and with a step
common to all coordinates (a/sqrt(t), or AdaGradNorm) the bound is sqrt 2 D_2 sqrt(T sum_i p_i), D the diameters of the box,
D_2 = sqrt(d) D_inf. The bounds have the ratio (Cauchy and Schwarz)

    h(p) = sum_i sqrt(p_i) / sqrt(d sum_i p_i)  <=  1,        equal to 1 only where all p_i are equal:

they promise a gain for features of *different* frequencies, and none for rare ones as such. Here p_i is proportional to
i^-alpha, i = 1, ..., 48 (quick: 24; Zipf's law), with 1.6 features a round at every alpha from 0 (all equal) to 2 (0.98
to 0.0004; quick: to 0.0017); and the contrast "dense", p_i = 1. The gain is the regret of SGD with a tuned step, constant or
a/sqrt(t), whichever is better, over that of tuned AdaGrad. How all are tuned: `studies/adaptive/sparse_runs.py`.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.adaptive.adagrad_and_sgd import SGD
from ratewitness.studies.adaptive.sparse_runs import best_of, tuned_regrets
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, exceeds, mean_is
from ratewitness.studies.measuring.drawing import Panel, legend_below, panels
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.tuning import Tuned, unless_on_edge
from ratewitness.theory.adagrad import heterogeneity

ACTIVE = 1.6  # features a round, in the mean


def horizon(budget: Budget) -> int:
    """Rounds: at alpha = 2 the rarest feature takes part 5 times."""
    return budget.pick(3_000, 12_000)


def frequencies(budget: Budget) -> np.ndarray:
    """One row for each alpha from 0 to 2, and the dense contrast: (instances, d)."""
    d = budget.pick(24, 48)
    zipf = np.arange(1, d + 1.0) ** -np.linspace(0, 2, budget.pick(3, 5))[:, None]
    return np.vstack([ACTIVE * zipf / zipf.sum(1, keepdims=True), np.ones(d)])


@measured
def regrets(budget: Budget, method: str) -> tuple[list[Tuned], np.ndarray]:
    """What tuning found on each instance, and the regret/T with the chosen step on fresh rounds: (instances, seeds)."""
    return tuned_regrets(budget, method, frequencies(budget), horizon(budget), budget.pick((8, 20), (10, 40)))


@measured
def steep(budget: Budget, method: str) -> tuple[list[Tuned], np.ndarray]:
    """The same on one instance, of 24 features with frequencies as i^-2.25, after 12000 rounds."""
    p = np.arange(1, 25.0)[None] ** -2.25
    return tuned_regrets(budget, method, 0.98 * p, 12_000, (8, 20))


def compared(budget: Budget, ahead: str, behind: tuple[str, ...] = SGD, runs=regrets):
    """The gain of one method over the best of others on each instance, and what tuning found, as in `best_of`."""
    return best_of(runs(budget, ahead), [runs(budget, method) for method in behind])


def promised(budget: Budget) -> np.ndarray:
    """The gain 1/h of the bounds on each instance."""
    return 1 / heterogeneity(frequencies(budget))


@claim("phenomenon", "S18; Duchi, Hazan and Singer (2011)", unit="ln ratio")
@planted("AdaGradNorm is", ahead="AdaGradNorm")
@planted("three times", factor=3.0)
def far_ahead_at_different_frequencies(budget: Budget, ahead: str = "AdaGrad", factor: float = 2.0) -> Verdict:
    """S18, as stated: There is a sparse problem on which AdaGrad's regret is at least 2 times smaller than SGD's.

    AdaGrad can significantly outperform SGD in sparse problems, which one shows: 24 features with frequencies 0.98 i^-2.25,
    from 0.98 to 0.0008, 12000 rounds; SGD with steps a or a/sqrt(t), whichever tuning prefers, all tuned; geometric mean
    over 20 seeds. A real one: `sparse_text`."""
    gain, (tuned,) = compared(budget, ahead, runs=steep)
    return unless_on_edge(exceeds(np.log(gain[0]), np.log(factor)), *tuned)


@claim("phenomenon", "S18; Duchi, Hazan and Singer (2011)", unit="ln ratio")
@planted("AdaGradNorm as well", ahead="AdaGradNorm")
@planted("with dense features", instance=-1)
def far_ahead_as_stated(budget: Budget, ahead: str = "AdaGrad", instance: int = 0) -> Verdict:
    """S18, read as: On every sparse problem AdaGrad's regret is at least 2 times smaller than SGD's.

    For every sparse problem. With 48 (quick: 24) features of which each takes part in one round of 30 (quick: 15),
    AdaGrad's regret after 12000 (quick: 3000) rounds is at least 2 times smaller than SGD's, both tuned; geometric mean
    over seeds."""
    gain, tuned = compared(budget, ahead)
    return unless_on_edge(exceeds(np.log(gain[instance]), np.log(2)), *tuned[instance])


@claim("constant", "S18; Cauchy and Schwarz, as in studies/adaptive/sparse_features.py")
@planted("at the most different frequencies too", instance=-2)
@planted("the gain of the bounds for alpha = 2", as_promised=True)
def none_at_equal_frequencies(budget: Budget, instance: int = 0, as_promised: bool = False) -> Verdict:
    """S18, refined: Rare features alone make no difference: at equal frequencies AdaGradNorm and SGD have AdaGrad's
    regret.

    On the same features, each in one round of 30 (quick: 15), the regrets of AdaGradNorm and of SGD with a/sqrt(t) are
    those of AdaGrad within 10 % in the mean over seeds, all tuned."""
    pairs = [compared(budget, "AdaGrad", (other,)) for other in ("AdaGradNorm", "SGD, a/sqrt(t)")]
    gains, ratio = np.stack([gain[instance] for gain, _ in pairs]), promised(budget)[-2] if as_promised else 1.0
    verdict = mean_is(gains, np.full(len(gains), ratio), 0.1)
    return unless_on_edge(verdict, *(one for _, tuned in pairs for one in tuned[instance]))


@claim(
    "phenomenon",
    "S18; the bounds of Duchi, Hazan and Singer (2011); their ratio in studies/adaptive/sparse_features.py",
    unit="exponent",
)
@planted("of AdaGradNorm too", ahead="AdaGradNorm")
@planted("at equal frequencies too", instance=0)
@planted("with dense features too", instance=-1)
@planted("half as much again as the bounds promise", share=1.5)
def gain_grows_with_heterogeneity(
    budget: Budget, ahead: str = "AdaGrad", instance: int = -2, share: float = 0.5
) -> Verdict:  # fmt: skip
    """S18, refined: AdaGrad's gain over SGD grows as the frequencies of the features become more different.

    At the same number of features a round, log gain has in log 1/h a slope of at least 1/2 over alpha from 0 to 2, and
    at alpha = 2 the gain is at least (1/h)^{1/2}, where the bounds promise 1/h; means over seeds."""
    gain, tuned = compared(budget, ahead)
    bounds = np.log(promised(budget))[:-1]
    slope = np.polyfit(bounds, np.log(gain[:-1]), 1)[0]
    effects = {"largest": np.log(gain[instance]) / bounds[-1], "slope": slope}
    verdict = all_of({name: exceeds(effect, share) for name, effect in effects.items()})
    return unless_on_edge(verdict, *(one for row in tuned for one in row)).showing(gains(budget))


def gains(budget: Budget) -> pd.DataFrame:
    """Gains of both AdaGrads over SGD on every instance, with what the bounds promise and the chosen steps."""
    tables, p = {}, frequencies(budget)
    for method in ("AdaGrad", "AdaGradNorm"):
        gain, tuned = compared(budget, method)
        table = rows(gain, geometric=True, alpha=[*np.linspace(0, 2, len(p) - 1), np.nan], promised=promised(budget))
        chosen = {f"lr of {name}": [row[k].lr for row in tuned] for k, name in enumerate(("itself", *SGD))}
        tables[method] = table.assign(**chosen, **{"on an edge": [any(one.on_edge for one in row) for row in tuned]})
    return stacked(tables)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["gain_grows_with_heterogeneity"].table.query("alpha == alpha")  # without the dense contrast
    caption = (
        r"How much smaller the regret is than that of SGD, all tuned, as the frequencies grow apart: $\alpha = 0$ to 2. "
        "Geometric means over seeds, 99 % intervals."
    )
    panel = Panel(table, "promised", "$1/h$, from equal frequencies to $i^{-2}$", "regret of SGD / regret", log="")
    figure = panels(caption, {"AdaGrad": "C0o", "AdaGradNorm": "C1s"}, [panel], legend="none", height=3.3)
    x = np.linspace(1, table["promised"].max())
    figure.axes[0].plot(x, x, color="k", lw=1, label="ratio $1/h$ of the bounds")
    figure.axes[0].plot(x, x**0.5, color="k", lw=1, ls=":", label="threshold $h^{-1/2}$")
    legend_below(figure, 2)
    return {"gain": figure}


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = verdicts["gain_grows_with_heterogeneity"].table
    gain = {
        "method": found["method"],
        "frequencies": ["dense" if np.isnan(alpha) else f"$i^{{-{alpha:g}}}$" for alpha in found["alpha"]],
        "gain": found["measured"].map("{:.2f}".format),
        "99 % interval": [f"[{low:.2f}, {high:.2f}]" for low, high in zip(found["low"], found["high"], strict=True)],
        "of the bounds": found["promised"].map("{:.2f}".format),
        "step": found["lr of itself"].map("{:.2g}".format),
        **{f"step of {name}": found[f"lr of {name}"].map("{:.2g}".format) for name in SGD},
        "on an edge": np.where(found["on an edge"], "yes", "no"),
    }
    return {"gain": pd.DataFrame(gain)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
