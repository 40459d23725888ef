r"""Do rare features keep large steps, and is that why AdaGrad beats SGD on sparse problems?

Features. Coordinate i takes part in a round with probability p_i, and then has the loss z x_i, z = +-1 of mean -1/2, on the
box [-1, 1]^d, from x = 0; the best point is (1, ..., 1) (`problems/online/slopes.py`). A gradient has the size 1 where it is
not 0. After t rounds AdaGrad's effective step, what it would multiply a small gradient by, is

    lr / sqrt(sum_t g_{t,i}^2)  =  lr / sqrt(number of rounds with i)  ~  lr / sqrt(p_i t).

Regret, of the expected losses. With step D_inf/sqrt 2 AdaGrad has the bound sqrt 2 D_inf sum_i sqrt(p_i T), and with a step
common to all coordinates (a/sqrt(t), or AdaGradNorm) the bound is sqrt 2 D_2 sqrt(T sum_i p_i), D the diameters of the box,
D_2 = sqrt(d) D_inf. The bounds have the ratio (Cauchy and Schwarz)

    h(p) = sum_i sqrt(p_i) / sqrt(d sum_i p_i)  <=  1,        equal to 1 only where all p_i are equal:

they promise a gain for features of *different* frequencies, and none for rare ones as such. Here p_i is proportional to
i^-alpha, i = 1, ..., 48 (quick: 24; Zipf's law), with 1.6 features a round at every alpha from 0 (all equal) to 2 (0.98
to 0.0004; quick: to 0.0017); and the contrast "dense", p_i = 1. The gain is the regret of SGD with a tuned step, constant or
a/sqrt(t), whichever is better, over that of tuned AdaGrad. Every method gets a grid of 13 steps over 3 decades around the
step that its bound recommends, constant steps being those of the known horizon; a step is chosen on seeds of its own, and
judged on fresh ones. All methods see the same rounds.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12.
"""

from __future__ import annotations

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.online.slopes import Online, play, sparse_features
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.solver import run
from ratewitness.studies.adaptive.adagrad_and_sgd import METHODS, SGD, effective_steps, recommended
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, all_of, exceeds, exponent_is, interval, mean_is
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.studies.measuring.tuning import Paired, Tuned, unless_on_edge
from ratewitness.theory.adagrad import heterogeneity
from torch import Tensor

GROUPS = 10
LR = 0.5**0.5


def signs(p: Tensor) -> Online:
    return sparse_features(p, "linear", pull=0.5)


def log_spaced(budget: Budget) -> tuple[np.ndarray, int]:
    """13 frequencies from 1 down, and the number of rounds: the rarest feature takes part 40 (quick: 60) times."""
    return np.logspace(0, -budget.pick(2, 3), 13), budget.pick(6_000, 40_000)


@cache
def steps_by_frequency(method: str, budget: Budget) -> np.ndarray:
    """Mean effective steps over lr after T/2 and T rounds, in groups of replicates: (2, d, groups)."""
    p, T = log_spaced(budget)
    oracle, _ = play(signs(torch.as_tensor(p, device=budget.device)), budget.generator("features"))
    x0 = torch.zeros(GROUPS, budget.pick(20, 40), len(p), dtype=torch.float64, device=budget.device)
    found = effective_steps(Box(METHODS[method](LR), -1.0, 1.0), oracle, x0, (T // 2, T)) / LR
    return found.mean(2).mT.cpu().numpy()


def step_law(budget: Budget, exponent: float, method: str = "AdaGrad") -> Verdict:
    shared, (p, T) = budget.shared("sparse_features"), log_spaced(budget)
    found, theory = steps_by_frequency(method, shared), 1 / np.sqrt(p * T * np.array([[0.5], [1.0]]))
    others = np.stack([steps_by_frequency(other, shared) for other in ("AdaGradNorm", "SGD, a/sqrt(t)")])
    mean, low, high = interval(found[1])
    table = {"p": p, "measured": mean, "low": low, "high": high, "theory": theory[1]}
    table |= dict(zip(("AdaGradNorm", "SGD"), others[:, 1].mean(-1), strict=True))
    return all_of(
        {
            "slope": exponent_is(p, found[1], exponent, 0.02, decades=budget.pick(2, 3)),
            "size": mean_is(found, theory, 0.1),
            "others": agrees(others, np.broadcast_to(others[:, :, :1], others.shape)),
        }
    ).showing(table)


@claim(
    kind="law",
    source="S17; Duchi, Hazan and Singer (2011); derived above",
    planted={
        "proportional to 1/p": lambda budget: step_law(budget, 1.0),
        "the same for every p": lambda budget: step_law(budget, 0.0),
        "of AdaGradNorm too": lambda budget: step_law(budget, 0.5, "AdaGradNorm"),
        "of SGD too": lambda budget: step_law(budget, 0.5, "SGD, a/sqrt(t)"),
    },
)
def rare_features_keep_larger_steps(budget: Budget) -> Verdict:
    """S17: With gradients of size 1 where they are not 0, features of 13 frequencies p over 3 decades (quick: 2) have
    effective steps of AdaGrad proportional to p^-0.5 (+- 0.02) after T = 40000 (quick: 6000) rounds, and equal to
    lr/sqrt(p t) within 10 % in the mean at t = T/2 and at T: a rare feature's step is larger, and falls at the same rate as
    any. The steps of AdaGradNorm and of SGD with a/sqrt(t) are the same for every feature."""
    return step_law(budget, 0.5)


ACTIVE = 1.6  # features a round, in the mean


def horizon(budget: Budget) -> int:
    """Rounds: at alpha = 2 the rarest feature takes part 5 times."""
    return budget.pick(3_000, 12_000)


def frequencies(budget: Budget) -> np.ndarray:
    """One row for each alpha from 0 to 2, and the dense contrast: (instances, d)."""
    d = budget.pick(24, 48)
    zipf = np.arange(1, d + 1.0) ** -np.linspace(0, 2, budget.pick(3, 5))[:, None]
    return np.vstack([ACTIVE * zipf / zipf.sum(1, keepdims=True), np.ones(d)])


def mean_regret(method: str, lr: Tensor, seeds: int, stage: str, budget: Budget) -> np.ndarray:
    """Regret/T for steps lr (points, instances): (points, instances, seeds); inf where it is none."""
    p, T = torch.as_tensor(frequencies(budget), device=budget.device), horizon(budget)
    problem, (oracle, _) = signs(p.unsqueeze(1)), play(signs(p.unsqueeze(1)), budget.generator(stage))
    best, solver = problem.best(1)[1], Box(METHODS[method](lr[..., None, None]), -1.0, 1.0)
    x0 = torch.zeros(len(lr), len(p), seeds, p.shape[-1], dtype=p.dtype, device=p.device)
    trace = run(solver, Paired(oracle), x0, T - 1, lambda x: problem.loss(0, x) - best, at=[T - 1], over="mean")
    return np.nan_to_num(trace.values[0].cpu().numpy(), nan=np.inf)


@cache
def regrets(method: str, budget: Budget) -> tuple[list[Tuned], np.ndarray]:
    """What tuning found on each instance, and the regret/T with the chosen step on fresh rounds: (instances, seeds)."""
    p, T = frequencies(budget), horizon(budget)
    centre = recommended(method, 2.0, 2 * p.shape[-1] ** 0.5, p.sum(-1), T)
    grid = torch.as_tensor(centre * np.ones(len(p)) * np.logspace(-1.5, 1.5, 13)[:, None], device=budget.device)
    losses = mean_regret(method, grid, budget.pick(8, 10), "tuning", budget).mean(-1)
    tuned = [Tuned(*column) for column in zip(grid.T.cpu().numpy(), losses.T, strict=True)]
    lr = torch.tensor([[found.lr for found in tuned]], dtype=torch.float64, device=budget.device)
    return tuned, mean_regret(method, lr, budget.pick(20, 40), "test", budget)[0]


def compared(budget: Budget, ahead: str, behind: tuple[str, ...]) -> tuple[np.ndarray, list[list[Tuned]]]:
    """The gain of one method over the best of others, chosen on each instance by the tuning: (instances, seeds); and what
    tuning found for all of them on each instance."""
    shared = budget.shared("sparse_features")
    (first, regret), *others = (regrets(method, shared) for method in (ahead, *behind))
    best = [min(others, key=lambda other: other[0][i].losses.min())[1][i] for i in range(len(regret))]
    return np.stack(best) / regret, [[first[i], *(tuned[i] for tuned, _ in others)] for i in range(len(regret))]


def far_ahead(budget: Budget, ahead: str = "AdaGrad", instance: int = 0) -> Verdict:
    gain, tuned = compared(budget, ahead, SGD)
    return unless_on_edge(exceeds(np.log(gain[instance]), np.log(2)), *tuned[instance])


@claim(
    kind="phenomenon",
    source="S18; Duchi, Hazan and Singer (2011)",
    planted={
        "AdaGradNorm as well": lambda budget: far_ahead(budget, "AdaGradNorm"),
        "with dense features": lambda budget: far_ahead(budget, instance=-1),
    },
)
def far_ahead_as_stated(budget: Budget) -> Verdict:
    """S18, as stated for every sparse problem: With 48 (quick: 24) features of which each takes part in one round of 30
    (quick: 15), AdaGrad's regret after 12000 (quick: 3000) rounds is at least 2 times smaller than SGD's, both tuned;
    geometric mean over seeds."""
    return far_ahead(budget)


def no_gain(budget: Budget, instance: int = 0, ratio: float = 1.0) -> Verdict:
    pairs = [compared(budget, "AdaGrad", (other,)) for other in ("AdaGradNorm", "SGD, a/sqrt(t)")]
    gains = np.stack([gain[instance] for gain, _ in pairs])
    verdict = mean_is(gains, np.full(len(gains), ratio), 0.1)
    return unless_on_edge(verdict, *(one for _, tuned in pairs for one in tuned[instance]))


def bounds_gain(budget: Budget) -> np.ndarray:
    return 1 / heterogeneity(frequencies(budget))


@claim(
    kind="phenomenon",
    source="S18; Cauchy and Schwarz, as derived above",
    planted={
        "at the most different frequencies too": lambda budget: no_gain(budget, instance=-2),
        "the gain of the bounds for alpha = 2": lambda budget: no_gain(budget, ratio=float(bounds_gain(budget)[-2])),
    },
)
def none_at_equal_frequencies(budget: Budget) -> Verdict:
    """S18, refined: On the same features, each in one round of 30 (quick: 15), the regrets of AdaGradNorm and of SGD with
    a/sqrt(t) are those of AdaGrad within 10 % in the mean over seeds, all tuned: rare features alone make no difference."""
    return no_gain(budget)


def grows(budget: Budget, ahead: str = "AdaGrad", instance: int = -2, share: float = 0.5) -> Verdict:
    gain, tuned = compared(budget, ahead, SGD)
    promised = np.log(bounds_gain(budget))[:-1]
    slope = np.polyfit(promised, np.log(gain[:-1]), 1)[0]
    effects = {"largest": np.log(gain[instance]) / promised[-1], "slope": slope}
    verdict = all_of({name: exceeds(effect, share) for name, effect in effects.items()})
    return unless_on_edge(verdict, *(one for row in tuned for one in row))


@claim(
    kind="phenomenon",
    source="S18; the bounds of Duchi, Hazan and Singer (2011); their ratio as derived above",
    planted={
        "of AdaGradNorm too": lambda budget: grows(budget, "AdaGradNorm"),
        "at equal frequencies too": lambda budget: grows(budget, instance=0),
        "with dense features too": lambda budget: grows(budget, instance=-1),
        "three times what the bounds promise": lambda budget: grows(budget, share=3.0),
    },
)
def gain_grows_with_heterogeneity(budget: Budget) -> Verdict:
    """S18, refined: AdaGrad's gain over SGD grows as the frequencies become more different, at the same number of features a
    round: log gain has in log 1/h a slope of at least 1/2 over alpha from 0 to 2, and at alpha = 2 the gain is at least
    (1/h)^{1/2}, where the bounds promise 1/h; means over seeds."""
    return grows(budget).showing(gains(budget))


def gains(budget: Budget) -> pd.DataFrame:
    """Gains of both AdaGrads over SGD on every instance, with what the bounds promise and the chosen steps."""
    parts, p = [], frequencies(budget)
    for method in ("AdaGrad", "AdaGradNorm"):
        gain, tuned = compared(budget, method, SGD)
        mean, low, high = interval(np.log(gain))
        part = {"method": method, "alpha": [*np.linspace(0, 2, len(p) - 1), np.nan], "promised": bounds_gain(budget)}
        part |= {"measured": np.exp(mean), "low": np.exp(low), "high": np.exp(high)}
        chosen = {f"lr of {name}": [row[k].lr for row in tuned] for k, name in enumerate(("itself", *SGD))}
        parts.append(pd.DataFrame(part | chosen | {"on an edge": [any(one.on_edge for one in row) for row in tuned]}))
    return pd.concat(parts, ignore_index=True)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    return {
        "steps": _steps(verdicts["rare_features_keep_larger_steps"].table),
        "gain": _gain(verdicts["gain_grows_with_heterogeneity"].table),
    }


def _steps(table: pd.DataFrame) -> plt.Figure:
    figure, ax = plt.subplots(figsize=(4.4, 3.3), layout="constrained")
    figure.set_label(
        "Effective step over lr after T rounds, of features with gradients of size 1: means with 99 % intervals. "
        "Line: AdaGrad's 1/sqrt(p T)."
    )
    ax.plot(table["p"], table["theory"], color="k", lw=1, label="theory")
    ax.errorbar(table["p"], table["measured"], whiskers(table), fmt="o", ms=3, color="C0", label="AdaGrad")
    for method, look in {"AdaGradNorm": "C1s", "SGD": "C2v"}.items():
        ax.plot(table["p"], table[method], look, ms=3, label="SGD, a/sqrt(t)" if method == "SGD" else method)
    ax.set(xscale="log", yscale="log", xlabel="frequency p of the feature", ylabel="effective step / lr")
    ax.legend(frameon=False)
    return figure


def _gain(table: pd.DataFrame) -> plt.Figure:
    figure, ax = plt.subplots(figsize=(4.4, 3.3), layout="constrained")
    figure.set_label(
        "How much smaller the regret is than that of SGD, all tuned, as the frequencies grow apart: alpha = 0 to 2. Lines: "
        "the ratio 1/h of the bounds, and the threshold h^(-1/2). Geometric means over seeds, 99 % intervals."
    )
    for method, look in {"AdaGrad": "C0o", "AdaGradNorm": "C1s"}.items():
        part = table[(table["method"] == method) & table["alpha"].notna()]
        ax.errorbar(part["promised"], part["measured"], whiskers(part), fmt=look, ms=4, lw=1, label=method)
    ends = np.array([1.0, table["promised"].max()])
    ax.plot(ends, ends, color="k", lw=1, label="ratio of the bounds")
    ax.plot(ends, ends**0.5, color="k", lw=1, ls=":", label="threshold")
    ax.set(xscale="log", yscale="log", xlabel="1/h, from equal frequencies to $i^{-2}$", ylabel="regret of SGD / regret")
    ticks = np.arange(1.0, ends[1] + 0.3, 0.2).round(1)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(plt.FixedLocator(ticks))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(plt.NullLocator())
    ax.legend(frameon=False)
    return figure


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = verdicts["gain_grows_with_heterogeneity"].table
    gain = pd.DataFrame(
        {
            "method": found["method"],
            "frequencies": ["dense" if np.isnan(alpha) else f"$i^{{-{alpha:g}}}$" for alpha in found["alpha"]],
            "gain": found["measured"].map("{:.2f}".format),
            "99 % interval": [f"[{low:.2f}, {high:.2f}]" for low, high in zip(found["low"], found["high"], strict=True)],
            "of the bounds": found["promised"].map("{:.2f}".format),
            "step": found["lr of itself"].map("{:.2g}".format),
            **{f"step of {name}": found[f"lr of {name}"].map("{:.2g}".format) for name in SGD},
            "on an edge": np.where(found["on an edge"], "yes", "no"),
        }
    )
    return {"gain": gain}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
