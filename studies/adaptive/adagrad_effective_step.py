r"""Does AdaGrad's effective step decrease by itself, and can a step be so large that the method diverges?

    x_{k+1} = x_k - eta g_k/h_k,     h_k = (eps + sum_{j<=k} g_j^2)^{1/2},     effective step eta/h_k

In noise with E ||xi||^2 = sigma^2 an h_k is ~ sigma sqrt(k/d), by norm sigma sqrt k: the effective step falls as k^(-1/2).
With exact gradients of an L-smooth f it does not go to 0 (theory/adagrad.py): with n = d denominators, or one by norm,

    f(x_k) - f*  <=  Delta + q,    h_k  <=  max(eta L, eps^{1/2}) + (2/eta) (Delta + q)
    q = n L eta^2 log^+(eta L/(2 eps^{1/2}))

for every k, every eta, convex or not. GD diverges beyond 2/L.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12; R. Ward, X. Wu and L. Bottou (2019), arXiv:1806.01811.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.data import tables as data
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.sine import sine
from ratewitness.solvers.adagrad import AdaGrad, AdaGradNorm
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import Solver
from ratewitness.studies.adaptive.rotated_family import rotated_family
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import bound_holds, exponent_is, interval
from ratewitness.studies.measuring.drawing import whiskers
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import adagrad
from torch import Tensor

METHODS = {"diagonal": AdaGrad, "norm": AdaGradNorm}
SAFETY = (adagrad.descent, adagrad.logarithm, adagrad.rises, adagrad.root_grows)
EPS, DIVERGED = 1e-6, 1e100
WARD = "after Ward, Wu and Bottou (2019), arXiv:1806.01811; theory/adagrad.py"


@claim(kind="proof", source=f"S16; {WARD}", planted=falsified(*SAFETY))
def safety_is_proved(budget: Budget) -> Verdict:
    """S16, refined: With exact gradients of an L-smooth f, convex or not, and any step eta, AdaGrad keeps f - f* below
    Delta + q, q = n L eta^2 log^+(eta L/(2 sqrt eps)), and h below max(eta L, sqrt eps) + (2/eta) (Delta + q), with n = d
    denominators, by norm n = 1: it cannot diverge, and its effective step eta/h does not decrease to 0."""
    return prove(*SAFETY)


def highest(solver: Solver, problem: FiniteSum, x: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """The largest gap of a run with exact gradients (*batch,), and the sums of their squares (*batch, d)."""
    state, oracle, gap, squares = solver.init(x), Oracle.full(problem), problem.gap(x), torch.zeros_like(x)
    for _ in range(steps):
        squares = squares + problem.grad(x) ** 2
        x, state = solver.step(x, state, oracle)
        gap = torch.maximum(gap, problem.gap(x))
    return gap, squares


def any_step(budget: Budget, gap_limit: str = "", root_limit: str = "", descend: bool = False) -> Verdict:
    """The largest gap of a run and the largest root h over their bounds, for steps over ten decades."""
    rows, steps, factors = [], budget.pick(300, 3_000), np.logspace(-5, 5, 31)
    for problem in (rotated_family(budget), data.diabetes(), data.digits(l2=0.01), sine(4.0, 3.0)):
        L, Delta = float(problem.constants.smoothness), float(problem.initial_gap)
        eta = factors * (2 * Delta / L) ** 0.5
        lr = torch.as_tensor(eta, device=problem.start.device).unsqueeze(-1)
        for name, build in METHODS.items():
            solver = GradientDescent(lr / L) if descend else build(lr, eps=EPS)
            gap, squares = highest(solver, problem, problem.starts(len(eta)), steps)
            root = ((squares.amax(-1) if name == "diagonal" else squares.sum(-1)) + EPS).sqrt()
            count = problem.shape[0] if name == "diagonal" else 1
            numbers = {"Delta": Delta, "L": L, "eta": eta, "count": count, "epsilon": EPS}
            limits = {
                "gap": np.full(len(eta), Delta) if gap_limit == "start" else adagrad.largest_gap(**numbers),
                "root": eta * L if root_limit == "eta L" else adagrad.largest_root(**numbers),
            }
            for what, found, start in (("gap", gap, Delta), ("root", root, EPS**0.5)):
                measured = np.nan_to_num(found.cpu().numpy(), nan=DIVERGED, posinf=DIVERGED).clip(max=DIVERGED)
                part = {"problem": problem.name, "method": name, "what": what, "step": eta * L, "start": start}
                rows.append(pd.DataFrame({**part, "measured": measured, "bound": limits[what]}))
    table = pd.concat(rows, ignore_index=True)
    risen = table[table["bound"] > 1.01 * table["start"]]  # a step so small that nothing happens attains the bound
    power = ((risen["measured"] - risen["start"]) / (risen["bound"] - risen["start"])).groupby(risen["what"]).max()
    verdict = bound_holds(table["measured"], table["bound"]).showing(table)
    return verdict.noting(**{f"power_of_the_rise_of_the_{what}": float(worst) for what, worst in power.items()})


@claim(
    kind="upper bound",
    source=f"S16; {WARD}",
    planted={
        "never above the start": lambda budget: any_step(budget, gap_limit="start"),
        "h below eta L": lambda budget: any_step(budget, root_limit="eta L"),
        "GD with steps eta/L": lambda budget: any_step(budget, descend=True),
    },
)
def any_step_is_safe(budget: Budget) -> Verdict:
    """S16, refined, exact gradients: Both bounds, of the gap and of the root h, hold in every run over ten decades of steps,
    on the rotated quadratic, diabetes, digits and a nonconvex sine, eps = 1e-6; GD with steps eta/L breaks them."""
    return any_step(budget)


def effective_steps(budget: Budget, power: float, nu: float = 30.0) -> Verdict:
    """eta/h_k, the mean over coordinates, as k grows, in 10 groups of seeds; nu = sigma sqrt N/(R L)."""
    N, problem = budget.pick(1_000, 10_000), rotated_family(budget)
    at = np.geomspace(N / 100, N, 12).round().astype(int).tolist()
    eta, oracle = 2**-0.5, Oracle.gaussian(problem, nu / N**0.5, budget.generator("noise"))
    solver, x, found = AdaGrad(eta), problem.starts(10, 8), []
    state = solver.init(x)
    for k in range(1, N + 1):
        x, state = solver.step(x, state, oracle)
        if k in at:
            found.append((eta / state.G.sqrt()).mean((-1, -2)).cpu().numpy())
    # the law eta/h ~ k^-power, read as a time 1/step against the accuracy 1/k
    mean, low, high = interval(np.stack(found))
    verdict = exponent_is(1 / np.array(at), 1 / np.stack(found), power, 0.05)
    return verdict.showing({"k": at, "measured": mean, "low": low, "high": high})


@claim(
    kind="exponent",
    source="S16; Duchi, Hazan and Singer (2011)",
    planted={
        "like 1/k": lambda budget: effective_steps(budget, 1.0),
        "like k^(-1/4)": lambda budget: effective_steps(budget, 0.25),
        "without noise": lambda budget: effective_steps(budget, 0.5, nu=0.0),
    },
)
def decreases_in_noise(budget: Budget) -> Verdict:
    """S16, refined: In noise (sigma sqrt N = 30 R L, rotated quadratic) the effective step decreases by itself, as k^(-1/2)
    within 0.05 of the exponent over the last two decades of N steps; without noise it does not."""
    return effective_steps(budget, 0.5)


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.4), layout="constrained")
    figure.set_label(
        "Left: the largest gap of AdaGrad by norm with exact gradients against its step, and its bound (lines). Right: the "
        "effective step in noise, mean over coordinates with 99 % intervals; line: the slope -1/2."
    )
    found = verdicts["any_step_is_safe"].table.query("method == 'norm' and what == 'gap'")
    for k, (name, part) in enumerate(found.groupby("problem", sort=False)):
        left.plot(part["step"], part["bound"], color=f"C{k}", lw=0.8)
        left.plot(part["step"], part["measured"], "osv^"[k], color=f"C{k}", ms=3.5, label=name)
    left.set(xscale="log", yscale="log", xlabel=r"$\eta L$", ylabel="largest $f(x_k) - f^*$")
    left.legend(frameon=False, fontsize=8)
    part = verdicts["decreases_in_noise"].table
    right.errorbar(part["k"], part["measured"], whiskers(part), fmt="o", ms=4, elinewidth=0.8)
    right.plot(part["k"], part["measured"].iloc[-1] * (part["k"] / part["k"].iloc[-1]) ** -0.5, "k-", lw=1)
    right.set(xscale="log", yscale="log", xlabel="k", ylabel=r"effective step $\eta/h_k$")
    return {"steps": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
