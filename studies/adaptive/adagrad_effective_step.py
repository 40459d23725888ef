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

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.data import tables as data
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.problems.sine import sine
from ratewitness.solvers.adagrad import AdaGrad, AdaGradNorm
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import Solver
from ratewitness.studies.adaptive.rotated_family import rotated_family
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import bound_holds, exponent_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import adagrad
from torch import Tensor

METHODS = {"diagonal": AdaGrad, "norm": AdaGradNorm}
SAFETY = (adagrad.descent, adagrad.logarithm, adagrad.rises, adagrad.root_grows)
EPS, DIVERGED = 1e-6, 1e100
WARD = "after Ward, Wu and Bottou (2019), arXiv:1806.01811; theory/adagrad.py"


@claim("proof", f"S16; {WARD}")
@falsified(*SAFETY)
def safety_is_proved(budget: Budget) -> Verdict:
    """S16, refined: AdaGrad with exact gradients of a smooth f cannot diverge, whatever its step, and its effective step
    does not decrease to 0.

    With exact gradients of an L-smooth f, convex or not, and any step eta, AdaGrad keeps f - f* below Delta + q, q = n L
    eta^2 log^+(eta L/(2 sqrt eps)), and h below max(eta L, sqrt eps) + (2/eta) (Delta + q), with n = d denominators, by
    norm n = 1: so eta/h stays away from 0."""
    return prove(*SAFETY)


def highest(solver: Solver, problem: FiniteSum, x: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """The largest gap of a run with exact gradients (*batch,), and the sums of their squares (*batch, d)."""
    state, oracle, gap, squares = solver.init(x), Oracle.full(problem), problem.gap(x), torch.zeros_like(x)
    for _ in range(steps):
        squares = squares + problem.grad(x) ** 2
        x, state = solver.step(x, state, oracle)
        gap = torch.maximum(gap, problem.gap(x))
    return gap, squares


@measured
def largest(budget: Budget, descend: bool = False) -> pd.DataFrame:
    """The largest gap of a run and the largest root h, with their bounds and first values, for steps over ten decades;
    descend: those of GD with steps eta/L."""
    found, steps, factors = [], budget.pick(300, 3_000), np.logspace(-5, 5, 31)
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
            for what, values, start, bound in (
                ("gap", gap, Delta, adagrad.largest_gap(**numbers)),
                ("root", root, EPS**0.5, adagrad.largest_root(**numbers)),
            ):
                ends = np.nan_to_num(values.cpu().numpy(), nan=DIVERGED, posinf=DIVERGED).clip(max=DIVERGED)
                part = {"problem": problem.name, "method": name, "what": what, "step": eta * L, "start": start}
                found.append(pd.DataFrame({**part, "measured": ends, "bound": bound}))
    return pd.concat(found, ignore_index=True)


@claim("upper bound", f"S16; {WARD}")
@planted("never above the start", gap="start")
@planted("h below eta L", root="step")
@planted("GD with steps eta/L", descend=True)
def any_step_is_safe(budget: Budget, gap: str = "bound", root: str = "bound", descend: bool = False) -> Verdict:
    """S16, refined: AdaGrad's largest gap and largest root h stay below their bounds for steps over ten decades; GD with
    the large ones diverges.

    With exact gradients both bounds, of the gap and of the root h, hold in every run over ten decades of steps, on the
    rotated quadratic, diabetes, digits and a nonconvex sine, eps = 1e-6, for 3000 (quick: 300) iterations. GD with the
    same steps eta/L breaks them, which is a planted variant."""
    table = largest(budget, descend)
    table = table.assign(bound=np.where(table["what"] == "gap", table[gap], table[root]))
    risen = table[table["bound"] > 1.01 * table["start"]]  # a step so small that nothing happens attains the bound
    power = ((risen["measured"] - risen["start"]) / (risen["bound"] - risen["start"])).groupby(risen["what"]).max()
    verdict = bound_holds(table["measured"], table["bound"]).showing(table)
    return verdict.noting(**{f"power_of_the_rise_of_the_{what}": float(worst) for what, worst in power.items()})


@claim("exponent", "S16; Duchi, Hazan and Singer (2011)")
@planted("like k^(-0.6)", power=0.6)
@planted("like k^(-0.4)", power=0.4)
@planted("without noise", nu=0.0)
def decreases_in_noise(budget: Budget, power: float = 0.5, nu: float = 30.0) -> Verdict:
    """S16, refined: AdaGrad's effective step decreases by itself in noise, as k^(-1/2).

    In noise (nu = sigma sqrt N/(R L) = 30, rotated quadratic) the mean effective step over coordinates falls as k^(-1/2)
    within 0.05 of the exponent over the last two decades of N = 10000 (quick: 1000) steps, in 10 groups of 8 seeds;
    without noise it does not."""
    N, problem = budget.pick(1_000, 10_000), rotated_family(budget)
    at = np.geomspace(N / 100, N, 12).round().astype(int)
    eta, oracle = 2**-0.5, Oracle.gaussian(problem, nu / N**0.5, budget.generator("noise"))
    solver, x, found = AdaGrad(eta), problem.starts(10, 8), []
    state = solver.init(x)
    for k in range(1, N + 1):
        x, state = solver.step(x, state, oracle)
        if k in at:
            found.append((eta / state.G.sqrt()).mean((-1, -2)).cpu().numpy())
    steps = np.stack(found)
    # the law eta/h ~ k^-power, read as a time 1/step against the accuracy 1/k
    return exponent_is(1 / at, 1 / steps, power, 0.05).showing(rows(steps, k=at))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    gaps = verdicts["any_step_is_safe"].table.query("method == 'norm' and what == 'gap'").rename(columns={"bound": "theory"})
    gaps = gaps.replace({"x^2 + a sin^2 x": r"$x^2 + a \sin^2 x$"})
    steps = verdicts["decreases_in_noise"].table.assign(problem="effective step in noise")
    names = [*gaps["problem"].unique(), "effective step in noise"]
    looks = dict(zip(names, ("C0o", "C1s", "C2v", "C3^", "C4D"), strict=True))
    caption = (
        "Left: the largest gap of AdaGrad by norm with exact gradients against its step; lines: the bound $\\Delta + q$. "
        "Right: the effective step in noise, mean over coordinates with 99 % intervals, and the slope $-1/2$."
    )
    left = Panel(gaps, "step", r"$\eta L$", "largest $f(x_k) - f^*$", by="problem")
    right = Panel(steps, "k", "$k$", r"effective step $\eta/h_k$", by="problem", guides={-0.5: r"slope $-1/2$"})
    return {"steps": panels(caption, looks, [left, right])}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
