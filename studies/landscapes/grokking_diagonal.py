r"""Does a diagonal network grok, and why after a time log(alpha)/lam? Decay moves it from the lazy to the rich regime.

    beta(t) = argmin {Q_a(b) : X b = X beta(t)},    a = alpha e^{-lam t},    hence late by log(alpha/a_c)/lam

beta = u^2 - v^2 with u = v = alpha at the start, data of `diagonal_runs`: 20 rows in 40 dimensions, a teacher with two
nonzero entries. From alpha = 1 it soon fits by the interpolator of nearly least l2 norm, whose risk is large. Decay lam
keeps the iterate a minimizer of the potential (`lazy_to_rich`), whose scale falls like e^{-lam t}, and the risk becomes
small when the scale has reached a_c, that of an interpolator with this risk. So the delay is inverse to decay, as in ridge
regression (`grokking_delay`), but here features change, and it grows with the start as its logarithm.

That is the mechanism of T. Kumar et al. (2024), arXiv:2310.06110, and the form of the times that K. Lyu et al. (2023),
arXiv:2311.18817, prove for such networks. It needs a teacher that the rich end suits, which a control shows, and proves
nothing about the networks of `grokking`. Derived in theory/lazy_to_rich.py.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import CENSORED, hitting_times, log_spaced, run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, exceeds, exponent_is, mean_is
from ratewitness.studies.landscapes.diagonal_runs import FITTED, LEARNT, Diagonal, beta, critical_scale, flow
from ratewitness.studies.measuring.drawing import Panel, canvas, draw, legend_below
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import lazy_to_rich as theory

LYU = "S47; Lyu et al. (2023), arXiv:2311.18817; theory/lazy_to_rich.py"
PROVED = (theory.logarithms, theory.gradient, theory.resting, theory.step)
ALPHA, STEP, DECAY = 1.0, 0.02, 0.05
LATER = 30.0  # times as many steps
STARTS = (0.5, 1.0, 2.0, 4.0)


def decays(budget: Budget) -> np.ndarray:
    return np.geomspace(0.03, budget.pick(3e-3, 3e-4), budget.pick(4, 9))


@measured
def problems(budget: Budget) -> Diagonal:
    return Diagonal.drawn(budget.generator("data"), budget.pick(4, 8))


@measured
def delays(budget: Budget, alpha: float, decay: float) -> np.ndarray:
    """Times of the flow from a mean squared residual of FITTED to a risk of LEARNT, (seeds,)."""
    events = [flow(X, t, alpha, decay, 20 / decay, LEARNT).t_events for X, t in problems(budget).each()]
    return np.array([learns[0] - fits[0] if len(learns) else np.nan for fits, learns in events])


@measured
def critical_scales(budget: Budget, risk: float) -> np.ndarray:
    return np.array([critical_scale(*one, risk) for one in problems(budget).each()])


@claim("proof", "S47; proofs in theory/lazy_to_rich.py")
@falsified(*PROVED)
def decay_lowers_the_scale(budget: Budget) -> Verdict:
    """S47, refined: Decay lam lowers the scale of a diagonal network's potential as e^(-lam t) and leaves all else of it as
    it is.

    For flow from u = v, symbolic in each entry: log(u/v) changes by -4 times the gradient whatever lam is, and uv by the
    factor e^(-2 lam t); log(u/v) is the gradient of Q_a at beta for a^2 = uv. Gradient descent multiplies uv by (1 - eta
    lam)^2 - 4 eta^2 g^2. At rest the penalty is (lam/2) ||beta||_1. Machine-checked: the derivatives of log(u/v) and
    log(uv), the gradient of Q_a, the step, the least penalty; cited: nothing; in prose: that log(u/v) stays in the row
    space, so that beta is a minimizer."""
    return prove(*PROVED)


@claim("exact", "S47; derived in theory/lazy_to_rich.py")
@planted("the scale of the start", power=0.0)
@planted("a scale e^(-2 lam t)", power=2.0)
@planted("a scale e^(-0.9 lam t)", power=0.9)
def the_path_minimizes_the_potential(budget: Budget, power: float = 1.0) -> Verdict:
    """S47, refined: With decay, flow on a diagonal network minimizes Q_a for the outputs it has, a = alpha e^(-lam t), at
    every time.

    8 seeds (quick: 4), alpha = 1, decay 0.05, 8 times from 0.1 to 100: the entries of beta(t) differ from those of the
    minimizer of Q_a over X b = X beta(t), by Newton's method, by at most 1e-5 times the largest one."""
    times, off = np.geomspace(0.1, 100, 8), []
    for X, teacher in problems(budget).each():
        found = beta(flow(X, teacher, ALPHA, DECAY, times[-1], at=times).y.T)
        for t, b in zip(times, found, strict=True):
            predicted = theory.interpolator(X, X @ b, ALPHA * np.exp(-power * DECAY * t))
            off.append(np.abs(b - predicted).max() / np.abs(b).max())
    return bound_holds(off, np.full(len(off), 1e-5), -1.0)


@claim("phenomenon", LYU, unit="ln ratio", units={"fit": "steps", "generalized": "steps"})
@planted("no decay", decay=0.0)
@planted("a start of 0.03", alpha=0.03)
@planted("a teacher that is not sparse", sparse=False)
def generalizes_long_after_fitting(
    budget: Budget, decay: float = DECAY, alpha: float = ALPHA, sparse: bool = True
) -> Verdict:
    """S47, refined: A diagonal network groks: with small decay it needs at least 30 times as many steps to generalize as to
    fit.

    Gradient descent with step 0.02 and decay 0.05 from alpha = 1, at most 8000 steps: the geometric mean of the ratio of the
    steps to a risk of 0.1 and to a mean squared residual of 0.01 is above 30 in a 99 % interval over 8 seeds (quick: 4).
    Controls: without decay, or for a teacher with entries of one size, the risk is not small by then; a start of 0.03 is not
    late."""
    problem = problems(budget) if sparse else Diagonal.drawn(budget.generator("dense"), budget.pick(4, 8), sparse=False)
    solver, start = CoupledDecay(GradientDescent(STEP), decay), problem.start(alpha)[0]
    limit = 8_000 if sparse and decay else budget.pick(2_000, 8_000)

    def seen(w):
        return torch.stack([problem.training(w), problem.risk(w)])

    levels = torch.tensor([[FITTED], [LEARNT]], dtype=start.dtype, device=start.device)
    found = hitting_times(solver, problem, start, limit, seen, levels).cpu().numpy()
    fit, general = np.where(found == CENSORED, np.nan, found)
    verdict = exceeds(np.log(general / fit), np.log(LATER)).noting(fit=fit.mean(), generalized=general.mean())
    if not np.isfinite(general).all():
        return verdict
    at = log_spaced(round(1.5 * general.max()), 12)
    values = run(solver, problem, start, at[-1], seen, at).values.cpu().numpy()
    parts = {name: rows(values[:, j], True, step=np.array(at)) for j, name in enumerate(("training loss", "risk"))}
    return verdict.showing(stacked(parts))


@claim("law", LYU)
@planted("the power 0.8", power=0.8)
@planted("the power 1.2", power=1.2)
@planted("uv is the scale", factor=2.0)
@planted("the scale of a risk of 0.2", risk=0.2)
def the_delay_is_a_logarithm_over_decay(
    budget: Budget, power: float = 1.0, factor: float = 1.0, risk: float = LEARNT
) -> Verdict:
    """S47, refined: The delay of a diagonal network is log(alpha/a_c)/lam, a_c the scale whose interpolator has the wanted
    risk.

    Flow, 8 seeds (quick: 4), delay from a mean squared residual of 0.01 to a risk of 0.1: for decays from 0.03 to 0.0003
    (quick: 0.003, which are never enough) its power is -1 +- 0.1, and at the smallest decay lam times the delay agrees with
    the logarithm within 5 %, for alpha = 0.5, 1, 2 and 4, in intervals over seeds."""
    lam = decays(budget)
    by_decay = np.array([delays(budget, ALPHA, each) for each in lam])
    by_start = np.array([delays(budget, alpha, lam[-1]) for alpha in STARTS])
    scale = critical_scales(budget, risk)
    over = factor * lam[:, None] * by_decay / np.log(ALPHA / scale)
    predicted = np.log(np.array(STARTS)[:, None] / scale) / factor
    verdict = all_of(
        {
            "power": exponent_is(lam, by_decay, power, 0.1),
            "logarithm": mean_is(lam[-1] * by_start / predicted, np.ones(len(STARTS)), 0.05),
        }
    )
    parts = {
        "decay": rows(over, x=lam, theory=1.0),
        "start": rows(lam[-1] * by_start + np.log(scale), x=STARTS, theory=np.log(STARTS)),
    }
    return verdict.showing(stacked(parts))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    figure, axes = canvas(
        "A diagonal network on 20 samples in 40 dimensions. First: training loss and risk of gradient descent with decay "
        f"{DECAY}, geometric means over seeds with 99 % intervals. Then, for the flow: $\\lambda$ times the delay over "
        "$\\log(\\alpha/a_c)$, which tends to 1 with the decay; and $\\lambda$ times the delay $+ \\log a_c$ at the least "
        "decay against the start, which is $\\log \\alpha$. Means over seeds with 99 % intervals.",
        3,
    )
    curves = verdicts["generalizes_long_after_fitting"].table
    levels = {"risk asked for": LEARNT, "fitted": FITTED}
    looks = {"training loss": "C0o-", "risk": "C1s-", "decay": "C2^", "start": "C3D"}  # as the tables name them
    draw(axes[0], Panel(curves[curves["step"] > 0], "step", "step", "loss, risk", levels=levels), looks)
    laws = verdicts["the_delay_is_a_logarithm_over_decay"].table
    by_decay, by_start = (laws[laws["method"] == name] for name in ("decay", "start"))
    draw(axes[1], Panel(by_decay, "x", "decay $\\lambda$", "$\\lambda$ delay / log", log="x"), looks)
    draw(axes[2], Panel(by_start, "x", "start $\\alpha$", "$\\lambda$ delay $+ \\log a_c$", log="x"), looks)
    axes[2].set_xticks(STARTS, [f"{each:g}" for each in STARTS])
    legend_below(figure)
    return {"delay": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
