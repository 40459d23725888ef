r"""When is SGD cheaper than GD? Cheap iterations against a slow rate.

    GD, step 1/L:                        n ln(Delta/eps)/(-2 ln(1 - mu/L))       component gradients
    SGD, steps 2/(mu (2 kappa + k)):     about (4/3) sigma^2/(2 mu eps) - 2 kappa
    equal at eps*(n), about 1/(n log n): SGD is cheaper above, GD below

The witness is (mu x^2 + L y^2)/2 with kappa = 10, started on the x axis, with zero-sum noise along it on n components: both
methods are given mu and L and use the steps of their theory for that class. Both counts are exact (the second one from the
recursion of `theory/moments.py`), hence so is the crossover; it is measured by running both and finding where their costs
meet. On real data (l2-regularized logistic regression) no exact count exists: there the claim is only that SGD is cheaper
at a coarse accuracy and GD at a fine one, each by a stated factor. The unit of cost is one component gradient; what a
unit costs in seconds is the question of `unbiased_and_cheap`.
"""

from __future__ import annotations

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.data.tables import breast_cancer
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.schedules import InverseTime
from ratewitness.solvers.solver import CENSORED, hitting_times, log_spaced, run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, exceeds, interval, mean_is
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.theory import gradient_descent as gd
from ratewitness.theory.moments import second_moments

GROUPS = 10
MU, L, DELTA = 0.1, 1.0, 1.0
EPS = np.logspace(-0.5, -5.5, 61)
SGD = GradientDescent(InverseTime.for_pl(MU, L))


def accuracies(budget: Budget) -> np.ndarray:
    return EPS[budget.pick(1e-4, 2e-5) <= EPS]


@cache
def iterations(budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Iterations to each accuracy, of GD (E,) and of SGD (E, groups); the same for every n."""
    along_x = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    f = perturbed(quadratic([MU, L], [(2 * DELTA / MU) ** 0.5, 0.0]), 1.0, directions=along_x)
    eps = torch.as_tensor(accuracies(budget))
    full = hitting_times(GradientDescent(1 / L), Oracle.full(f), f.start, 1000, f.gap, eps)
    oracle, x0 = Oracle.minibatch(f, 1, budget.generator("noise")), f.starts(GROUPS, 400)
    limit = int(2 * exact_sgd(budget)[-1])
    noisy = hitting_times(SGD, oracle, x0, limit, lambda x: f.gap(x).mean(-1), eps.unsqueeze(-1))
    return full.cpu().numpy(), noisy.cpu().numpy()


@cache
def exact_sgd(budget: Budget) -> np.ndarray:
    """First k with E f(x_k) - f* <= eps, from the exact second moments of SGD."""
    finest = accuracies(budget)[-1]
    count = int(2 / (MU * finest))
    gaps = MU / 2 * np.array(second_moments(MU, [SGD.lr(k) for k in range(count)], 1.0, (2 * DELTA / MU) ** 0.5, count))
    return np.array([int(np.argmax(gaps <= e)) for e in accuracies(budget)])


@cache
def exact_gd(budget: Budget) -> np.ndarray:
    return np.array([int(gd.count_pl.exactly(Delta=DELTA, eps=float(e), mu="1/10", L=1, h=1)) for e in accuracies(budget)])


def sizes(budget: Budget) -> tuple[int, ...]:
    return budget.pick((10, 100, 1_000), (10, 100, 1_000, 3_000))


def meeting_point(full: np.ndarray, noisy: np.ndarray, n: int, budget: Budget) -> float:
    """eps*: where the log costs, interpolated between accuracies, change order; nan if they do not."""
    ahead, log_eps = np.log(noisy) - np.log(n * full), np.log(accuracies(budget))
    j = int(np.argmax(ahead > 0))  # the first accuracy at which SGD costs more
    return float(np.exp(np.interp(0, ahead[j - 1 : j + 1], log_eps[j - 1 : j + 1]))) if j else np.nan


def located(budget: Budget, sgd_cost: float = 1.0) -> Verdict:
    """Measured meeting points against those of the exact counts, with SGD's multiplied by `sgd_cost`."""
    full, noisy = iterations(budget)
    found = [[meeting_point(full, noisy[:, g], n, budget) for g in range(GROUPS)] for n in sizes(budget)]
    predicted = [meeting_point(exact_gd(budget), sgd_cost * exact_sgd(budget), n, budget) for n in sizes(budget)]
    mean, low, high = interval(found)
    table = {"n": sizes(budget), "theory": predicted, "measured": mean, "low": low, "high": high}
    return mean_is(found, predicted, budget.pick(0.3, 0.2)).showing(table)


@claim(
    kind="constant",
    source="S10; exact counts of both methods, theory/gradient_descent.py and theory/moments.py",
    planted={
        "SGD twice as dear": lambda budget: located(budget, 2.0),
        "SGD twice as cheap": lambda budget: located(budget, 0.5),
    },
)
def where_the_costs_meet(budget: Budget) -> Verdict:
    """S10: On (mu x^2 + L y^2)/2, kappa = 10, with noise of variance sigma^2 from n components, GD with step 1/L and SGD
    with steps 2/(mu(2 kappa + k)) need equally many component gradients at the eps*(n) that follows from their exact
    counts, within 20 % (quick: 30 %): SGD fewer above, GD fewer below."""
    return located(budget)


def cheap_then_dear(budget: Budget, n: int) -> Verdict:
    """The cost of GD over SGD's at eps = Delta/10, and of SGD over GD's at Delta/10^4, against 10 and 5."""
    full, noisy = iterations(budget)
    coarse, fine = (int(np.abs(np.log(accuracies(budget) / e)).argmin()) for e in (0.1, 1e-4))
    return all_of(
        {
            "coarse": exceeds(n * full[coarse] / noisy[coarse], 10.0),
            "fine": exceeds(noisy[fine] / (n * full[fine]), 5.0),
        }
    )


@claim(
    kind="phenomenon",
    source="S10; theory/gradient_descent.py, theory/moments.py",
    planted={"the same for n = 1": lambda b: cheap_then_dear(b, 1), "for n = 10^5": lambda b: cheap_then_dear(b, 10**5)},
)
def cheap_iterations_slow_rate(budget: Budget) -> Verdict:
    """S10: With n = 100 components on the same witness and with the same steps SGD is at least 10 times cheaper than GD at
    eps = Delta/10 and at least 5 times as dear at eps = Delta/10^4."""
    full, noisy = iterations(budget)
    mean, low, high = interval(noisy)
    table = {"eps": accuracies(budget), "gd": full, "gd_exact": exact_gd(budget), "sgd": mean, "low": low, "high": high}
    return cheap_then_dear(budget, 100).showing({**table, "sgd_exact": exact_sgd(budget)})


REAL = np.logspace(-1, -4.5, 15)  # accuracies, relative to the gap of the start


@cache
def on_data(budget: Budget) -> tuple[np.ndarray, np.ndarray, int]:
    """Component gradients of GD (E,) and SGD (E, groups) on breast cancer, logistic regression with l2 = 0.1.

    The gap costs more than a step here, so it is looked at 60 times a decade: SGD's counts are too large by up to 4 %.
    """
    f = breast_cancer(l2=0.1)
    smoothness, mu = f.constants.smoothness, f.constants.pl
    thresholds = torch.as_tensor(REAL * float(f.initial_gap), device=f.start.device)
    full = hitting_times(GradientDescent(1 / smoothness), Oracle.full(f), f.start, 100_000, f.gap, thresholds)
    solver = GradientDescent(InverseTime.for_pl(mu, f.constants.component_smoothness))
    oracle, limit = Oracle.minibatch(f, 1, budget.generator("data")), budget.pick(100_000, 1_000_000)
    x0 = f.starts(GROUPS, budget.pick(4, 10))
    trace = run(solver, oracle, x0, limit, lambda x: f.gap(x).mean(-1), at=log_spaced(limit, 60))
    below = trace.values.cpu().numpy() <= thresholds.cpu().numpy()[:, None, None]  # (E, records, groups)
    first = np.array(trace.steps)[below.argmax(1)]
    return f.n * full.cpu().numpy(), np.where(below.any(1), first, CENSORED), limit


def order_on_data(budget: Budget, coarse: float, fine: float) -> Verdict:
    """GD's cost over SGD's at the coarsest accuracy, SGD's over GD's at the finest, against two factors. A censored run of
    SGD has cost at least `limit`, which is used in its place."""
    full, noisy, limit = on_data(budget)
    cost = np.where(noisy == CENSORED, limit, noisy)
    mean, low, high = interval(cost)
    table = {"eps": REAL, "gd": full, "sgd": mean, "low": low, "high": high, "censored": (noisy == CENSORED).sum(1)}
    return all_of(
        {
            "coarse": exceeds(np.log10(full[0] / cost[0]), np.log10(coarse)),
            "fine": exceeds(np.log10(cost[-1] / full[-1]), np.log10(fine)),
        }
    ).showing(table)


@claim(
    kind="phenomenon",
    source="S10; breast cancer data (scikit-learn)",
    planted={
        "SGD ahead by 10^4": lambda budget: order_on_data(budget, 1e4, 2.0),
        "GD ahead by 10^4": lambda budget: order_on_data(budget, 2.0, 1e4),
    },
)
def order_on_real_data(budget: Budget) -> Verdict:
    """S10: On l2-regularized (l2 = 0.1) logistic regression for the breast cancer data SGD with steps 2/(mu(2 L_max/mu + k))
    reaches a tenth of the initial gap with at most half the component gradients of GD with step 1/L, and 10^-4.5 of it
    with at least twice as many."""
    return order_on_data(budget, 2.0, 2.0)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, axes = plt.subplots(1, 3, figsize=(7.4, 2.9), layout="constrained")
    costs, meeting, data = axes
    figure.set_label(
        "Component gradients to accuracy eps. Left: the witness, GD for several n and SGD (lines: exact counts, points: "
        "measured). Middle: the accuracy at which the costs meet. Right: breast cancer data, n = 569."
    )
    table = verdicts["cheap_iterations_slow_rate"].table
    for colour, n in enumerate((10, 100, 1000)):
        costs.plot(1 / table["eps"], n * table["gd_exact"], color=f"C{colour}", lw=1, label=f"GD, n = {n}")
    costs.plot(1 / table["eps"], table["sgd_exact"], color="0.4", lw=1)
    costs.plot(1 / table["eps"], table["sgd"], "k.", ms=2.5, label="SGD")
    points = verdicts["where_the_costs_meet"].table
    meeting.plot(points["n"], points["theory"], color="C0", label="theory")
    _errorbar(meeting, points["n"], points, "measured", "measured")
    real = verdicts["order_on_real_data"].table
    data.plot(1 / real["eps"], real["gd"], "o-", ms=3, color="C0", label="GD")
    _errorbar(data, 1 / real["eps"], real, "sgd", "SGD")
    costs.set(xlabel="Delta / eps", ylabel="component gradients", title="witness")
    meeting.set(xlabel="components n", ylabel="eps* / Delta", title="crossover")
    data.set(xlabel="initial gap / eps", ylabel="component gradients", title="real data")
    for ax in axes:
        ax.set(xscale="log", yscale="log")
        ax.legend(frameon=False, fontsize=7)
    return {"costs": figure}


def _errorbar(ax, x, table: pd.DataFrame, column: str, label: str) -> None:
    ax.errorbar(x, table[column], whiskers(table, column), fmt="o", ms=3, color="C1", label=label)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
