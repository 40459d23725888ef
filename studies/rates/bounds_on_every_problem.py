r"""Do the upper bounds of the six cells hold on every problem, synthetic, random and real?

    GD, h/L     PL:         f(x_N) - f* <= rho(h, mu/L)^N Delta, Polyak's rho and that of the three step ranges
                convex:     f(x_N) - f* <= (L R^2/2) max{1/(2Nh+1), (1-h)^{2N}}
                nonconvex:  min_{k<=N} ||grad f(x_k)||^2 <= 4 L Delta/(N min{4h-h^2, 4h-h^3} + 2)
    SGD         PL:         E f(x_k) - f* <= max{2 L sigma^2/mu^2, (2 kappa+1) Delta}/(2 kappa+k),   2/(mu(2 kappa+k))
                convex:     E f(xbar_N) - f* <= L R^2/(2N) + sigma R/sqrt N,                 1/(L + sigma sqrt N/R)
                nonconvex:  (1/N) sum_{k<N} E ||grad f(x_k)||^2 <= 2 L Delta/N + 2 sigma sqrt(2 L Delta/N)

Hypotheses and sources stand with each bound in `theory/`. A problem takes part in a cell if the constants that it
*certifies* meet them: mu > 0; convex with a minimizer; anything smooth; in the SGD rows a finite certified variance,
which excludes least squares. Certified constants are one-sided, so a bound may look loose because a constant is.

The user's own table, `--data FILE`, is one more problem, "file ...": with two target values a logistic regression with
l2 = 0.01, in all six cells; otherwise least squares, in the GD cells only, since its noise has no uniform variance.

The power of a check is the largest measured/bound over its records. It is 1 for the GD convex and nonconvex bounds
(Huber, sawtooth) and on the line for PL; Polyak's rate and the step ranges have no attaining instance for mu < L. Nor
have the SGD bounds at finite N: the PL one is 3 times too large on the noisy parabola as k grows, the nonconvex one twice
on two modes; the convex one is 3.4 times too large on the worst parabola, and much less on a Huber function whose slope
is of the order sigma/(R sqrt N), where SGD spends its horizon on the slope and then rattles at the kink. On real data the
bounds hold with much to spare: worst cases are rare.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.catalogue import catalogue
from ratewitness.problems.data.tables import from_file
from ratewitness.problems.huber import huber
from ratewitness.problems.noisy_quadratics import noisy_parabola, two_mode
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.quadratics import quadratic
from ratewitness.problems.sawtooth import sawtooth
from ratewitness.solvers.around.averaging import PolyakRuppert
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.schedules import InverseTime, horizon_tuned
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import all_of, bound_holds
from ratewitness.studies.rates import cells
from ratewitness.theory import gradient_descent as gd
from ratewitness.theory import stochastic_gradient as sgd

STEPS = (0.5, 1.0, 1.5)  # h of the GD rows
HORIZONS = (10, 100, 1000)  # N of the SGD convex and nonconvex cells
GROUPS = 10
SMALLEST = 1e-240  # a linear rate soon leaves the range of float64; records below are left out
RANDOM = ("quadratic, rotated", "least squares", "logistic", "robust", "softmax", "matrix")  # drawn anew for every seed
REAL = ("diabetes", "breast cancer", "digits", "file")


@cache
def problems(seed: int, seeds: int, data: str | None, device: str) -> dict[str, FiniteSum]:
    """The catalogue with more draws of its random members, the user's own data, and the witnesses of the GD cells."""
    with torch.device(device):
        found = catalogue(seed, flat=True)
        for extra in range(seed + 1, seed + seeds):
            more = {name: problem for name, problem in catalogue(extra, flat=True).items() if name.startswith(RANDOM)}
            found |= {f"{name} ({extra})": problem for name, problem in more.items()}
        if data:
            found[f"file {Path(data).name}"] = from_file(data)
        found |= {f"worst Huber, h = {h}": huber(1.0, 1 / (20 * h + 1), 1.0) for h in STEPS}
        found |= {"unit parabola": quadratic(torch.ones(1), torch.ones(1)), "worst sawtooth": sawtooth(20)}
    for name, problem in found.items():
        check_numbers(name, problem)
    return found


def check_numbers(name: str, problem: FiniteSum) -> None:
    """Raise ValueError for numbers with which `meets` or the floor would drop a problem unseen: nan, inf, Delta = 0."""
    c = problem.constants
    numbers = {"L": c.smoothness, "mu": c.pl, "Delta": problem.initial_gap, "floor": problem.floor}
    for symbol, number in numbers.items():
        if not np.isfinite(float(number)):
            raise ValueError(f"{name}: {symbol} = {float(number)}; accepted are finite numbers")
    if np.isnan(float(c.variance)) or not float(problem.initial_gap) > float(problem.floor):
        raise ValueError(
            f"{name}: sigma^2 = {float(c.variance)}, Delta = {float(problem.initial_gap)}; accepted are no nan and a Delta "
            f"above the floor {float(problem.floor):.2g}"
        )


def recorded(records: pd.DataFrame, members: list[str]) -> pd.DataFrame:
    """The records, if every member of the cell has some."""
    if missing := set(members) - set(records["problem"]):
        raise RuntimeError(f"no record above the floor of {', '.join(sorted(missing))}")
    return records


def meets(cell: str, problem: FiniteSum) -> bool:
    c = problem.constants
    noisy = not cell.startswith("sgd") or 0 < c.variance < np.inf
    kind = {"pl": float(c.pl) > 0, "convex": c.convex and problem.minimizer is not None, "nonconvex": True}
    return noisy and kind[cell.partition("_")[2].partition(",")[0]] and ("line" not in cell or problem.shape == (1,))


def evaluate(bound, problem: FiniteSum, **numbers) -> np.ndarray:
    """A bound at the certified constants of a problem."""
    c = problem.constants
    numbers |= {"L": float(c.smoothness), "mu": float(c.pl), "Delta": float(problem.initial_gap)}
    numbers |= {"sigma": float(c.variance) ** 0.5, "R": np.nan if problem.minimizer is None else float(problem.radius)}
    return bound(**{name: numbers[name] for name in bound.symbols})


GD = {"gd_pl": gd.pl_polyak, "gd_pl, step ranges": gd.pl_step_ranges, "gd_pl, line": gd.pl_line}
GD |= {"gd_convex": gd.convex, "gd_nonconvex": gd.nonconvex}


@cache
def descents(cell: str, budget: Budget, actual: float | None = None) -> pd.DataFrame:
    """GD with steps h/L (or `actual`/L while the bound is told h) on every problem of a cell, one row a record above the
    floor."""
    frames, members, steps = [], [], budget.pick(300, 3000) if actual is None else 60
    allowed = [h for h in STEPS if "line" not in cell or h <= 1]
    for name, problem in problems(budget.seed, budget.pick(1, 4), budget.data, budget.device).items():
        if not meets(cell, problem):
            continue
        members.append(name)
        L = float(problem.constants.smoothness)
        floor = float(problem.floor) * (2 * L if "nonconvex" in cell else 1)  # ||grad f||^2 <= 2 L (f - f*)
        h = problem.start.new_tensor(allowed if actual is None else [actual] * len(allowed)).unsqueeze(-1)
        measure, over = (squares(problem), "min") if "nonconvex" in cell else (problem.gap, "last")
        trace = run(GradientDescent(h / L), Oracle.full(problem), problem.starts(len(h)), steps, measure, over=over)
        N, measured = np.array(trace.steps[1:]), trace.values[1:].cpu().numpy().T
        bound = evaluate(GD[cell], problem, N=N, h=np.array(allowed)[:, None]).clip(SMALLEST)
        for row, values, bounds in zip(allowed, measured, bound, strict=True):
            frame = pd.DataFrame({"problem": name, "h": row, "N": N, "measured": values, "bound": bounds})
            frames.append(frame.assign(Delta=float(problem.initial_gap))[~(values <= max(floor, SMALLEST))])
    # with the wrong step a problem may well end below the floor at once: |x|^4 from 1 does with 3/L
    return recorded(pd.concat(frames, ignore_index=True), members if actual is None else [])


def squares(problem: FiniteSum):
    return lambda x: problem.grad(x).square().sum(-1)


def judged(records: pd.DataFrame, by: str, factor: float = 1.0) -> Verdict:
    """The records against bound/factor; the table has the worst and the last measured/bound of each problem and h or N."""
    groups = np.stack(records["measured"]) if records["measured"].dtype == object else records["measured"].to_numpy()
    ratio = (groups.mean(-1) if groups.ndim == 2 else groups) / records["bound"]
    table = records.assign(power=ratio).groupby(["problem", by], sort=False)
    table = table.agg(records=("N", "size"), N=("N", "last"), power=("power", "max"), last=("power", "last"))
    verdict = bound_holds(groups, records["bound"] / factor).showing(table.reset_index(names=["problem", "at"]))
    return verdict.noting(power_at_end=table["last"].max())


def descent_bounds(cell: str, budget: Budget, factor: float = 1.0, actual: float | None = None) -> Verdict:
    return judged(descents(cell, budget, actual), "h", factor)


@claim(
    kind="upper bound",
    source="S4; Polyak (1963); Abbaszadehpeivasti, de Klerk and Zamani (2023), arXiv:2204.00647; 1-D: theory/",
    planted={
        "Polyak's rate squared": lambda budget: judged(
            descents("gd_pl", budget).assign(bound=lambda r: (r["bound"] ** 2 / r["Delta"]).clip(SMALLEST)), "h"
        ),
        "on the line, half the bound": lambda budget: descent_bounds("gd_pl, line", budget, 2.0),
        "with the step 3/L": lambda budget: descent_bounds("gd_pl", budget, actual=3.0),
    },
)
def gd_pl(budget: Budget) -> Verdict:
    """S4: On every PL problem, nonconvex ones included, GD with step h/L, h = 0.5, 1, 1.5, stays below Polyak's rate and
    below the rate of the three step ranges, and on the line, for h <= 1, below the exact (1 - mu h/L)^{2N} Delta."""
    found = {cell: descent_bounds(cell, budget) for cell in GD if cell.startswith("gd_pl")}
    return all_of(found).showing(found["gd_pl, step ranges"].table)


@claim(
    kind="upper bound",
    source="S6; Drori and Teboulle (2014); Kim (2024), arXiv:2412.04427",
    planted={
        "bound halved": lambda budget: descent_bounds("gd_convex", budget, 2.0),
        "with the step 3/L": lambda budget: descent_bounds("gd_convex", budget, actual=3.0),
    },
)
def gd_convex(budget: Budget) -> Verdict:
    """S6: On every convex problem with a minimizer GD with step h/L, h = 0.5, 1, 1.5, stays below
    (L R^2/2) max{1/(2Nh+1), (1-h)^{2N}}; the Huber function attains it."""
    return descent_bounds("gd_convex", budget)


@claim(
    kind="upper bound",
    source="S8; Abbaszadehpeivasti, de Klerk and Zamani (2021), arXiv:2104.05468",
    planted={
        "bound halved": lambda budget: descent_bounds("gd_nonconvex", budget, 2.0),
        "with the step 3/L": lambda budget: descent_bounds("gd_nonconvex", budget, actual=3.0),
    },
)
def gd_nonconvex(budget: Budget) -> Verdict:
    """S8: On every problem, convex or not, the least ||grad f||^2 of N steps h/L, h = 0.5, 1, 1.5, stays below
    4 L Delta/(N min{4h-h^2, 4h-h^3} + 2); the sawtooth attains it."""
    return descent_bounds("gd_nonconvex", budget)


def sizes(problem: FiniteSum, budget: Budget) -> int:
    """Replicates per group: fewer where x is long or the full gradient, which the measure takes, is dear."""
    return max(4, budget.replicates // (GROUPS * problem.shape[0] * max(1, problem.n // 200)))


@cache
def sampled(cell: str, budget: Budget, steps=InverseTime.for_pl) -> pd.DataFrame:
    """SGD with batch 1 on every problem of an SGD cell, `measured` being the means of independent groups."""
    witnesses = {"unit noisy parabola": noisy_parabola(1.0, 1.0)}
    if cell == "sgd_convex":
        witnesses |= {f"worst parabola, N = {N}": noisy_parabola(cells.convex_curvature(N), 1.0) for N in HORIZONS}
        witnesses |= {f"Huber of slope 1.5/sqrt {N}": perturbed(huber(1.0, 1.5 / N**0.5, 1.0), 1.0) for N in HORIZONS}
    if cell == "sgd_nonconvex":
        witnesses |= {f"worst modes, N = {N}": two_mode(cells.two_mode_curvature(N), 1.0, 1.0, 1.0) for N in HORIZONS}
    runner = {"sgd_pl": partial(decreasing, steps), "sgd_convex": averaged, "sgd_nonconvex": random_iterate}[cell]
    rows, members = [], []
    for name, problem in (problems(budget.seed, budget.pick(1, 2), budget.data, budget.device) | witnesses).items():
        if not meets(cell, problem):
            continue
        members.append(name)
        for horizon in [budget.pick(300, 1000)] if cell == "sgd_pl" else HORIZONS[: budget.pick(2, 3)]:
            oracle = Oracle.minibatch(problem, 1, budget.generator(cell, name, horizon))
            N, means, bound, noiseless = runner(problem, oracle, problem.starts(GROUPS, sizes(problem, budget)), horizon)
            rows += [(name, horizon, *row, noiseless) for row in zip(N, means.cpu().numpy(), bound, strict=True)]
    columns = ["problem", "horizon", "N", "measured", "bound", "noiseless"]
    return recorded(pd.DataFrame(rows, columns=columns), members)


def decreasing(steps, problem: FiniteSum, oracle: Oracle, x0: torch.Tensor, N: int):
    """Steps 2/(mu(2 kappa + k)), the start being x_1."""
    solver = GradientDescent(steps(float(problem.constants.pl), float(problem.constants.smoothness)))
    trace = run(solver, oracle, x0, N, lambda x: problem.gap(x).mean(-1))
    k = np.array(trace.steps[1:]) + 1
    return k, trace.values[1:], evaluate(sgd.pl_decreasing, problem, k=k), np.nan


def averaged(problem: FiniteSum, oracle: Oracle, x0: torch.Tensor, N: int):
    """The average of N steps 1/(L + sigma sqrt N/R); also the bound without its noise term."""
    L, R, sigma = float(problem.constants.smoothness), float(problem.radius), float(problem.constants.variance) ** 0.5
    solver = PolyakRuppert(GradientDescent(horizon_tuned(L, R, sigma, N)))
    trace = run(solver, oracle, x0, N, lambda x: problem.gap(x).mean(-1), at=[N])
    return [N], trace.values, [evaluate(sgd.convex_tuned, problem, N=N)], L * R**2 / (2 * N)


def random_iterate(problem: FiniteSum, oracle: Oracle, x0: torch.Tensor, N: int):
    """The mean of ||grad f||^2 over N steps min{1/L, sqrt(2 Delta/(L N sigma^2))}; also the bound without noise term."""
    L, Delta, variance = float(problem.constants.smoothness), float(problem.initial_gap), float(problem.constants.variance)
    solver, measure = GradientDescent(min(1 / L, (2 * Delta / (L * N * variance)) ** 0.5)), squares(problem)
    trace = run(solver, oracle, x0, N - 1, lambda x: measure(x).mean(-1), at=[N - 1], over="mean")
    return [N], trace.values, [evaluate(sgd.nonconvex_tuned, problem, N=N)], 2 * L * Delta / N


def noisy_bounds(cell: str, budget: Budget, factor: float = 1.0) -> Verdict:
    return judged(sampled(cell, budget), "horizon", factor)


def without_noise(cell: str, budget: Budget) -> Verdict:
    return judged(sampled(cell, budget).assign(bound=lambda records: records["noiseless"]), "horizon")


@claim(
    kind="upper bound",
    source="S5; Bottou, Curtis and Nocedal (2018), arXiv:1606.04838",
    planted={
        "a quarter of the bound": lambda budget: noisy_bounds("sgd_pl", budget, 4.0),
        "with the steps 1/(mu(k+1)), which exceed 1/L": lambda budget: judged(
            sampled("sgd_pl", budget, lambda mu, L: InverseTime(mu)), "horizon"
        ),
    },
)
def sgd_pl(budget: Budget) -> Verdict:
    """S5: On every PL problem with noise of certified variance, nonconvex ones included, SGD with steps 2/(mu(2 kappa+k))
    stays below max{2 L sigma^2/mu^2, (2 kappa+1) Delta}/(2 kappa+k) in expectation, at every recorded k."""
    return noisy_bounds("sgd_pl", budget)


@claim(
    kind="upper bound",
    source="S7; Lan (2012); Bubeck (2015), arXiv:1405.4980; proof in theory/stochastic_gradient.py",
    planted={
        "half the bound": lambda budget: noisy_bounds("sgd_convex", budget, 2.0),
        "without the noise term": lambda budget: without_noise("sgd_convex", budget),
    },
)
def sgd_convex(budget: Budget) -> Verdict:
    """S7: On every convex problem with a minimizer and noise of certified variance, SGD with step 1/(L + sigma sqrt N/R)
    and the average of x_1, ..., x_N stays below L R^2/(2N) + sigma R/sqrt N in expectation, N = 10, 100 and, full, 1000."""
    return noisy_bounds("sgd_convex", budget)


@claim(
    kind="upper bound",
    source="S9; Ghadimi and Lan (2013), arXiv:1309.5549",
    planted={
        "a third of the bound": lambda budget: noisy_bounds("sgd_nonconvex", budget, 3.0),
        "without the noise term": lambda budget: without_noise("sgd_nonconvex", budget),
    },
)
def sgd_nonconvex(budget: Budget) -> Verdict:
    """S9: On every problem with noise of certified variance, convex or not, the mean of E ||grad f||^2 over N steps of SGD
    with the step min{1/L, sqrt(2 Delta/(L N sigma^2))} stays below 2 L Delta/N + 2 sigma sqrt(2 L Delta/N), N = 10, 100
    and, full, 1000."""
    return noisy_bounds("sgd_nonconvex", budget)


CELLS = {"pl": "PL", "convex": "convex", "nonconvex": "nonconvex"}


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    """On real data: measured over bound at its worst record and at the last, for h = 1 and the longest horizon."""
    rows = []
    for cell, verdict in verdicts.items():
        table = verdict.table[verdict.table["problem"].str.startswith(REAL)]
        kept = table[table["at"] == (1.0 if cell.startswith("gd") else table["at"].max())]
        method, _, kind = cell.partition("_")
        for row in kept.itertuples():
            line = {"problem": row.problem, "cell": f"{method.upper()}, {CELLS[kind]}", "$N$": row.N}
            rows.append(line | {"worst measured / bound": f"{row.power:.2g}", "at $N$": f"{row.last:.2g}"})
    return {"real_data": pd.DataFrame(rows).sort_values("problem", kind="stable")}


LEAST = 1e-6


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    return {method: _dots(method, verdicts) for method in ("gd", "sgd")}


def _dots(method: str, verdicts: dict[str, Verdict]) -> plt.Figure:
    tables = {kind: verdicts[f"{method}_{kind}"].table.groupby("problem", sort=False) for kind in CELLS}
    names = list(dict.fromkeys(name for table in tables.values() for name in table.groups))[::-1]
    figure, ax = plt.subplots(figsize=(6.4, 1.2 + 0.19 * len(names)), layout="constrained")
    figure.set_label(
        f"{method.upper()}: measured over bound on every problem of each cell. Points: the largest ratio over steps or "
        f"horizons and records; lines reach down to the least ratio at the end of a run, drawn at {LEAST:g} where smaller. "
        "At 1 a bound is attained; 99 % intervals of the SGD points are narrower than the markers."
    )
    for j, (kind, table) in enumerate(tables.items()):
        power, last = table["power"].max(), table["last"].min().clip(lower=LEAST)
        y = np.array([names.index(name) for name in power.index]) + 0.25 * (1 - j)
        ax.hlines(y, last, power, color=f"C{j}", lw=0.8)
        ax.plot(power, y, "osD"[j], ms=3.5, color=f"C{j}", label=CELLS[kind])
    ax.axvline(1, color="0.3", lw=1)
    ax.set(xscale="log", xlim=(LEAST, 3), xlabel="measured / bound", ylim=(-0.7, len(names) - 0.3))
    ax.set_yticks(range(len(names)), names, fontsize="small")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
