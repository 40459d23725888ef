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

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.data.tables import breast_cancer
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.schedules import InverseTime
from ratewitness.solvers.solver import log_spaced, run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, exceeds, mean_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import group_times, rows, stacked
from ratewitness.theory import gradient_descent as gd
from ratewitness.theory.moments import second_moments

GROUPS = 10
MU, L, DELTA = 0.1, 1.0, 1.0
EPS = np.logspace(-0.5, -5.5, 61)
REAL = np.logspace(-1, -4.5, 15)  # accuracies on the data, relative to the gap of the start
SGD = GradientDescent(InverseTime.for_pl(MU, L))


def accuracies(budget: Budget) -> np.ndarray:
    return EPS[budget.pick(1e-4, 2e-5) <= EPS]


@cache
def iterations(budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Iterations to each accuracy, of GD (E,) and of SGD (E, groups); the same for every n, on noise of each claim's own."""
    along_x = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    f = perturbed(quadratic([MU, L], [(2 * DELTA / MU) ** 0.5, 0.0]), 1.0, directions=along_x)
    eps, oracle = accuracies(budget), Oracle.minibatch(f, 1, budget.generator("noise"))
    full = group_times(GradientDescent(1 / L), Oracle.full(f), f, eps, (), 1000)[:, 0]
    return full, group_times(SGD, oracle, f, eps, (GROUPS, 400), int(2 * exact_sgd(budget)[-1]))


@measured
def exact_sgd(budget: Budget) -> np.ndarray:
    """First k with E f(x_k) - f* <= eps, from the exact second moments of SGD."""
    count = int(2 / (MU * accuracies(budget)[-1]))
    gaps = MU / 2 * np.array(second_moments(MU, [SGD.lr(k) for k in range(count)], 1.0, (2 * DELTA / MU) ** 0.5, count))
    return np.array([int(np.argmax(gaps <= e)) for e in accuracies(budget)])


@measured
def exact_gd(budget: Budget) -> np.ndarray:
    return np.array([int(gd.count_pl.exactly(Delta=DELTA, eps=float(e), mu="1/10", L=1, h=1)) for e in accuracies(budget)])


def meeting_point(full: np.ndarray, noisy: np.ndarray, n: int, budget: Budget) -> float:
    """eps*: where the log costs, interpolated between accuracies, change order; nan if they do not."""
    ahead, log_eps = np.log(noisy) - np.log(n * full), np.log(accuracies(budget))
    j = int(np.argmax(ahead > 0))  # the first accuracy at which SGD costs more
    return float(np.exp(np.interp(0, ahead[j - 1 : j + 1], log_eps[j - 1 : j + 1]))) if j else np.nan


@claim("constant", "S10; exact counts of both methods, theory/gradient_descent.py and theory/moments.py")
@planted("SGD dearer by a half", sgd_cost=1.5)
@planted("SGD cheaper by a third", sgd_cost=2 / 3)
def where_the_costs_meet(budget: Budget, sgd_cost: float = 1.0) -> Verdict:
    """S10, refined: GD and SGD need equally many component gradients at the eps*(n) of their exact counts: SGD fewer above,
    GD below.

    On (mu x^2 + L y^2)/2, kappa = 10, with noise of variance sigma^2 from n components, for GD with step 1/L and SGD with
    steps 2/(mu(2 kappa + k)), the costs meet there within 20 % (quick: 30 %), at n = 10, 100, 1000 (full budget: 3000,
    too)."""
    (full, noisy), sizes = iterations(budget), budget.pick((10, 100, 1_000), (10, 100, 1_000, 3_000))
    found = [[meeting_point(full, noisy[:, g], n, budget) for g in range(GROUPS)] for n in sizes]
    predicted = [meeting_point(exact_gd(budget), sgd_cost * exact_sgd(budget), n, budget) for n in sizes]
    return mean_is(found, predicted, budget.pick(0.3, 0.2)).showing(rows(found, n=sizes, theory=predicted))


@claim("cost", "S10; theory/gradient_descent.py, theory/moments.py", unit="ratio")
@planted("for n = 30", n=30)
@planted("for n = 1000", n=1000)
def cheap_iterations_slow_rate(budget: Budget, n: int = 100) -> Verdict:
    """S10, as stated: SGD is cheap and its rate slow: with n = 100 it costs a tenth of GD at eps = Delta/10, 5 times as much
    at Delta/10^4.

    On the same witness and with the same steps: the cost in component gradients of GD over SGD's is at least 10 at eps =
    Delta/10, that of SGD over GD's at least 5 at Delta/10^4."""
    full, noisy = iterations(budget)
    coarse, fine = (int(np.abs(np.log(accuracies(budget) / e)).argmin()) for e in (0.1, 1e-4))
    cheap, dear = exceeds(n * full[coarse] / noisy[coarse], 10.0), exceeds(noisy[fine] / (n * full[fine]), 5.0)
    table = rows(noisy, eps=accuracies(budget), theory=exact_sgd(budget), gd=full, gd_exact=exact_gd(budget))
    return all_of({"coarse": cheap, "fine": dear}).showing(table)


@measured("crossover.order_on_real_data")
def on_data(budget: Budget) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Component gradients of GD (E,) and SGD (E, groups) on breast cancer, logistic regression with l2 = 0.1, and how many
    groups of SGD are censored (E,): these have cost at least the limit, which is used in its place.

    The gap costs more than a step here, so it is looked at 60 times a decade: SGD's counts are too large by up to 4 %.
    """
    f = breast_cancer(l2=0.1)
    smoothness, mu = f.constants.smoothness, f.constants.pl
    eps, limit = REAL * float(f.initial_gap), budget.pick(100_000, 1_000_000)
    full = group_times(GradientDescent(1 / smoothness), Oracle.full(f), f, eps, (), 100_000)[:, 0]
    solver = GradientDescent(InverseTime.for_pl(mu, f.constants.component_smoothness))
    oracle, x0 = Oracle.minibatch(f, 1, budget.generator("data")), f.starts(GROUPS, budget.pick(4, 10))
    trace = run(solver, oracle, x0, limit, lambda x: f.gap(x).mean(-1), at=log_spaced(limit, 60))
    below = trace.values.cpu().numpy() <= eps[:, None, None]  # (E, records, groups)
    hit = below.any(1)
    return f.n * full, np.where(hit, np.array(trace.steps)[below.argmax(1)], limit), (~hit).sum(1)


@claim("cost", "S10; breast cancer data (scikit-learn)", unit="ln ratio")
@planted("SGD ahead by 30", coarse=30.0)
@planted("GD ahead by 10", fine=10.0)
@planted("GD in the place of SGD", sgd=False)
def order_on_real_data(budget: Budget, coarse: float = 2.0, fine: float = 2.0, sgd: bool = True) -> Verdict:
    """S10, refined: On breast cancer data SGD is at most half as dear as GD to a tenth of the initial gap, at least twice as
    dear to 10^-4.5.

    For l2-regularized (l2 = 0.1) logistic regression, SGD with steps 2/(mu(2 L_max/mu + k)) and GD with step 1/L, SGD takes
    at most half the component gradients of GD to a tenth of the initial gap, and at least twice as many to 10^-4.5 of it."""
    full, cost, censored = on_data(budget)
    if not sgd:
        cost = np.repeat(full[:, None], GROUPS, 1)
    ahead = exceeds(np.log(full[0] / cost[0]), np.log(coarse))
    behind = exceeds(np.log(cost[-1] / full[-1]), np.log(fine))
    return all_of({"coarse": ahead, "fine": behind}).showing(rows(cost, eps=REAL, gd=full, censored=censored))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    exact = verdicts["cheap_iterations_slow_rate"].table.iloc[::4]
    costs = {
        rf"GD, $n = {n}$": pd.DataFrame({"eps": exact["eps"], "theory": n * exact["gd_exact"], "measured": n * exact["gd"]})
        for n in (10, 100, 1000)
    }
    witness = stacked(costs | {"SGD": exact[["eps", "theory", "measured", "low", "high"]]})
    real = verdicts["order_on_real_data"].table
    data = stacked({"GD, $n = 569$": pd.DataFrame({"eps": real["eps"], "measured": real["gd"]}), "SGD": real})
    meeting = verdicts["where_the_costs_meet"].table.assign(method=r"$\varepsilon^*$")
    looks = {"GD, $n = 10$": "C0o", "GD, $n = 100$": "C2s", "GD, $n = 1000$": "C4D", "GD, $n = 569$": "C5^"}
    looks |= {"SGD": "C1v", r"$\varepsilon^*$": "C3P"}
    row = [
        Panel(witness.assign(x=1 / witness["eps"]), "x", r"$\Delta/\varepsilon$", "component gradients", title="witness"),
        Panel(meeting, "n", "components $n$", r"$\varepsilon^*/\Delta$", title="crossover"),
        Panel(data.assign(x=1 / data["eps"]), "x", r"initial gap$/\varepsilon$", "component gradients", title="real data"),
    ]
    caption = (
        r"Component gradients to accuracy $\varepsilon$ on the witness, of GD for several $n$ and of SGD; the accuracy "
        r"$\varepsilon^*$ at which the costs meet; and the costs on the breast cancer data, $n = 569$. "
        "Lines in the first two panels: exact counts."
    )
    return {"costs": panels(caption, looks, row)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
