r"""AdaGrad, GD and SGD with steps over six decades, on a rotated quadratic and on data, for the studies of tuning.

    x_{k+1} = x_k - c eta g_k/h_k,    h_k = (eps + sum_{j<=k} g_j^2)^{1/2},    eta = ||x_0 - x*||_inf/sqrt 2 (by norm: l_2)

The step by theory, c = 1, takes a distance, and neither L nor the size of the noise nor the number of steps N.

The family: s times the rotated quadratic of `studies/adaptive/rotated_family.py`, L = R = 1 at s = 1, with Gaussian noise
xi, E ||xi||^2 = s^2 sigma^2. The noise level nu = sigma sqrt N/(R L) says whether noise or curvature limits a step: the step
by theory of SGD is 1/(L + sigma sqrt N/R) = 1/(L (1 + nu)), and with a/sqrt(k+1) 1/(L + sigma/R). Data: least squares on
diabetes, l2-regularized logistic regression on digits. All steps c of a method see the same noise.
"""

from __future__ import annotations

import numpy as np
import torch
from ratewitness.problems.data import tables as data
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.adagrad import AdaGrad, AdaGradNorm
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.schedules import InversePower, horizon_tuned
from ratewitness.solvers.solver import run
from ratewitness.studies.adaptive.rotated_family import rotated_family
from ratewitness.studies.claims import Budget, Verdict, measured
from ratewitness.studies.judges import bound_holds, interval
from ratewitness.studies.measuring.tuning import Paired
from torch import Tensor

ADAPTIVE, SGD = ("AdaGrad", "AdaGradNorm"), ("SGD, a", "SGD, a/sqrt(k+1)")
PER_DECADE, EPS = 6, 1e-24
FACTORS = np.logspace(-3, 3, 6 * PER_DECADE + 1)  # c
LEVELS = (0.0, 3.0, 10.0, 30.0)  # nu
FLOOR = 1e-25  # what float64 leaves of the gap of the rotated family
DIVERGED = 1e100
WITHIN = 10.0  # what does well: a last gap of at most so many times the least, for a sentence and its refinements
METHODS = {
    "AdaGrad": lambda lr: AdaGrad(lr, eps=EPS),
    "AdaGradNorm": lambda lr: AdaGradNorm(lr, eps=EPS),
    "SGD, a": GradientDescent,
    "SGD, a/sqrt(k+1)": lambda lr: GradientDescent(InversePower(lr)),
}


def by_theory(name: str, problem: FiniteSum, sigma: float | Tensor, N: int) -> float | Tensor:
    """The step c = 1, which broadcasts against x where sigma does."""
    L, away = problem.constants.smoothness, problem.start - problem.minimizer
    R = away.norm(dim=-1, keepdim=True)
    return {
        "AdaGrad": away.abs().amax(-1, keepdim=True) / 2**0.5,
        "AdaGradNorm": R / 2**0.5,
        "SGD, a": horizon_tuned(L, R, sigma, N),
        "SGD, a/sqrt(k+1)": 1 / (L + sigma / R),
    }[name]


def horizon(budget: Budget) -> int:
    return budget.pick(1_000, 10_000)


def against(values: tuple[float, ...] | np.ndarray, axis: int, device: str) -> Tensor:
    """Values along one of the axes (c, nu, s, seeds, d) of x."""
    return torch.as_tensor(values, dtype=torch.float64, device=device).reshape([-1 if i == axis else 1 for i in range(5)])


def last_gaps(budget: Budget, name: str, scales: tuple[float, ...], seeds: int, absolute: bool = False) -> np.ndarray:
    """(f - f*)/s after N/10 and N steps: (2, c, nu, s, seeds). absolute: c times 1/L at s = 1, over ten decades."""
    N, factors = horizon(budget), np.logspace(-6, 4, 10 * PER_DECADE + 1) if absolute else FACTORS
    c, nu, s = (against(v, i, budget.device) for i, v in enumerate((factors, LEVELS, scales)))
    problem, unit, sigma = rotated_family(budget, s), rotated_family(budget), nu / N**0.5
    lr = c * (1.0 if absolute else by_theory(name, unit, sigma, N))
    x0 = unit.start.expand(len(factors), len(LEVELS), len(scales), seeds, 12).clone()
    oracle = Oracle.gaussian(problem, sigma * s, budget.generator("noise"))
    trace = run(METHODS[name](lr), Paired(oracle), x0, N, lambda x: problem.gap(x) / s[..., 0], at=[N // 10, N])
    return judged(trace.values)


def judged(gap: Tensor) -> np.ndarray:
    """What float64 can tell of a gap; DIVERGED where it is more, or no number."""
    return np.nan_to_num(gap.cpu().numpy(), nan=DIVERGED, posinf=DIVERGED).clip(FLOOR, DIVERGED)


@measured("adagrad_tuning, revision 1")
def gaps(budget: Budget, name: str) -> np.ndarray:
    """The last gaps of the family with s = 1, as means over 10 groups of seeds: (c, nu, groups)."""
    found = last_gaps(budget, name, (1.0,), budget.pick(50, 100))[1, :, :, 0]
    return found.reshape(*found.shape[:-1], 10, -1).mean(-1)


@measured("adagrad_tuning, revision 1")
def on_data(budget: Budget, name: str, noisy: bool) -> dict[str, np.ndarray]:
    """The last gaps on data: minibatches of one example, in 10 groups of 3 seeds, (c, 10), or exact gradients, (c, 1)."""
    found, steps = {}, horizon(budget) if noisy else 300
    for problem in (data.diabetes(), data.digits(l2=0.01)):
        sigma = problem.constants.variance_at_minimizer**0.5 if noisy else 0.0
        oracle = Oracle.minibatch(problem, 1, budget.generator(problem.name)) if noisy else Oracle.full(problem)
        lr = torch.as_tensor(FACTORS).reshape(-1, 1, 1, 1) * by_theory(name, problem, sigma, steps)
        x0 = problem.starts(len(FACTORS), *((10, 3) if noisy else (1, 1)))
        trace = run(METHODS[name](lr), Paired(oracle), x0, steps, problem.gap, at=[steps])
        found[problem.name] = judged(trace.values[-1]).mean(-1)
    return found


def noisy_gaps(budget: Budget, method: str) -> dict[str, tuple[float, np.ndarray]]:
    """Of every noisy problem the step c = 1, and the logarithms of last gaps (c, groups)."""
    N, family = horizon(budget), rotated_family(budget)
    levels = {f"family, nu = {nu:g}": (i, nu) for i, nu in enumerate(LEVELS) if nu}
    steps = {name: by_theory(method, family, nu / N**0.5, N) for name, (_, nu) in levels.items()}
    for problem in (data.diabetes(), data.digits(l2=0.01)):
        steps[problem.name] = by_theory(method, problem, problem.constants.variance_at_minimizer**0.5, N)
    found = {name: gaps(budget, method)[:, i] for name, (i, _) in levels.items()} | on_data(budget, method, noisy=True)
    return {name: (float(steps[name]), np.log(gap)) for name, gap in found.items()}


def at_most(logs: np.ndarray, factor: float) -> Verdict:
    """Ratios of last gaps, given as logarithms (records, groups), are at most `factor`: geometric means over groups. The
    evidence has the largest."""
    verdict = bound_holds(logs, np.full(len(logs), np.log(factor)), floor=-DIVERGED)
    effect, low, high = (float(part) for part in interval(logs[logs.mean(-1).argmax()]))
    numbers = {"effect": effect, "low": low, "high": high, "threshold": float(np.log(factor)), "p": verdict.evidence["p"]}
    return Verdict(verdict.outcome, numbers | {"records": float(len(logs))})
