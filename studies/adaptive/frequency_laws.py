r"""At which pace are classes learnt? Gradient descent at that of their frequency, sign descent and Adam all at once.

    gradient flow    e^{m_k} - 1 + (c-1) m_k = c pi_k t,    l_k = log(1 + (c-1) e^{-m_k}) ~ (c-1)/(c pi_k t)
    sign flow        m_k = 2 t,                             l_k = log(1 + (c-1) e^{-2t})

Linear softmax on one-hot inputs of frequency pi_k, each with a class of its own, from 0: here Zipf's frequencies, exact
gradients. `theory/class_imbalance.py` has the laws, also for finite steps. These are laws of given steps and say nothing
about tuned ones: the problem is separable, and one huge step solves it; `class_imbalance` compares tuned methods elsewhere.

Source: Kunstner, Yadav, Milligan, Schmidt and Bietti (2024), arXiv:2402.19449.
"""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import torch
from ratewitness.problems.data.bigram import divergences, population_softmax, zipf
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.sign_descent import SignSGD
from ratewitness.solvers.solver import hitting_times, run
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, all_of, bound_holds, equals_exactly, exponent_is
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import class_imbalance as theory
from ratewitness.theory.identity import identities
from torch import Tensor

KUNSTNER = "S28; Kunstner et al. (2024), arXiv:2402.19449"


def classes(budget: Budget) -> int:
    return budget.pick(32, 100)


def one_hot_problem(budget: Budget) -> tuple[FiniteSum, Tensor, Callable[[Tensor], Tensor]]:
    """Classes with Zipf's frequencies: the problem, the frequencies, and the loss of every class."""
    P = torch.diag(zipf(classes(budget))).to(budget.device)
    return population_softmax(P), P.diagonal(), lambda x: divergences(P, x)


@claim(
    kind="proof",
    source=KUNSTNER + "; theory/class_imbalance.py",
    planted=falsified(*identities(theory).values()),
)
def laws_proved(budget: Budget) -> Verdict:
    """S28: Linear softmax on one-hot inputs from 0, any frequencies pi_k and any number of classes c: gradient flow reduces
    to m_k' = c pi_k/(e^{m_k} + c - 1), hence e^{m_k} - 1 + (c-1) m_k = c pi_k t, hence l_k ~ (c-1)/(c pi_k t) with bounds at
    every t; gradient descent with any step h is where the flow is at a time between h n and h n (1 + theta), theta =
    (e^x - 1 - x)/x at x = h pi_k; sign flow has l_k = log(1 + (c-1) e^{-2t}) for every k, and Adam with eps = 0 does not see
    pi_k."""
    return prove(*identities(theory).values())


def between_two_times(budget: Budget, late: float = 1.0, power: float = 1.0) -> Verdict:
    """Gradient descent's losses against the flow at h n and h n (1 + theta), times to a loss against the frequency."""
    problem, pi, losses = one_hot_problem(budget)
    h, c, limit, x0 = 0.5 / problem.constants.smoothness, classes(budget), budget.pick(6000, 10_000), problem.starts()
    trace = run(GradientDescent(h), Oracle.full(problem), x0, limit, losses)
    measured, frequencies = trace.values[1:].cpu().numpy(), pi.cpu().numpy()
    time = h * np.array(trace.steps[1:])[:, None]
    eps = torch.cat([torch.tensor([0.1]), torch.logspace(-2, -3.6, 10)]).to(pi)
    times = hitting_times(GradientDescent(h), Oracle.full(problem), x0, limit, losses, eps.unsqueeze(-1)).cpu().numpy()
    slow = theory.flow_loss(frequencies, late * time, c)
    fast = theory.flow_loss(frequencies, time * (1 + theory.overshoot(h, frequencies)), c)
    table = {"frequency": np.tile(frequencies, len(time)), "steps": np.repeat(trace.steps[1:], c), "loss": measured.ravel()}
    verdict = all_of(
        {
            "above": bound_holds(measured.ravel(), slow.ravel()),
            "below": bound_holds(fast.ravel(), measured.ravel()),
            "in pi": exponent_is(frequencies, times[0], power, 0.05, decades=1.5),
            "in t": exponent_is(eps[1:].cpu().numpy(), times[1:, 0], power, 0.05, decades=1.5),
        }
    )
    last = measured[-1] * c * frequencies * time[-1] / (c - 1)
    return verdict.noting(last_over_late_law=float(np.abs(last - 1).max())).showing(table | {"h": h, "c": c})


@claim(
    kind="law",
    source=KUNSTNER + "; constants in theory/class_imbalance.py",
    planted={
        "twice as fast": lambda budget: between_two_times(budget, late=2.0),
        "times with half the exponent": lambda budget: between_two_times(budget, power=0.5),
    },
)
def gradient_descent_learns_at_the_pace_of_the_frequency(budget: Budget) -> Verdict:
    """S28: On one-hot inputs with Zipf's frequencies, c = 100 (quick: 32), gradient descent with step h = 1/(2L) has the
    loss l_k of every class between those of the flow at h n and at h n (1 + theta), at every record; the steps until l_k <=
    0.1 go as pi_k^-1 over the classes, and those until l_1 <= eps as eps^-1 from 1e-2 to 2.5e-4, exponents within 0.05."""
    return between_two_times(budget)


def at_every_frequency(budget: Budget, method: str = "sign", pace: float = 2.0) -> Verdict:
    """The losses of all classes along a run, against the law of sign flow or the mean over classes."""
    problem, _, losses = one_hot_problem(budget)
    h, steps, c = 0.02, 200, classes(budget)
    solver = {
        "sign": SignSGD(h),
        "Adam": Adam(h, eps=0.0),
        "Adam, no momentum": Adam(h, beta1=0.0, eps=0.0),
        "AdaGrad": AdaGrad(h, eps=0.0),
        "Adam, eps = 0.01": Adam(h, eps=1e-2),
        "GD, momentum": HeavyBall(0.1 / problem.constants.smoothness, 0.9),
    }[method]
    trace = run(solver, Oracle.full(problem), problem.starts(), steps, losses, at=range(1, steps + 1))
    measured = trace.values.cpu().numpy()
    if method != "sign":
        return agrees(measured, measured.mean(-1, keepdims=True), 1e-6)
    law = theory.sign_flow(t=pace / 2 * h * np.arange(1, steps + 1)[:, None] * np.ones(c), c=c)
    targets = np.log(c) * np.array([0.5, 0.1, 0.01])[:, None]
    hit = np.where((measured <= targets[..., None]).any(1), (measured <= targets[..., None]).argmax(1) + 1, -1)
    predicted = np.ceil(np.log((c - 1) / np.expm1(targets)) / (pace * h)) * np.ones(c)
    return all_of({"law": agrees(measured, law, 1e-6), "steps": equals_exactly(hit, predicted)})


@claim(
    kind="exact",
    source=KUNSTNER,
    planted={
        "gradient descent with momentum as well": lambda budget: at_every_frequency(budget, "GD, momentum"),
        "Adam with eps = 0.01 as well": lambda budget: at_every_frequency(budget, "Adam, eps = 0.01"),
        "sign flow half as fast": lambda budget: at_every_frequency(budget, pace=1.0),
    },
)
def sign_descent_and_adam_are_free_of_the_frequency(budget: Budget) -> Verdict:
    """S28: On the same problem sign descent with step h = 0.02 has l_k = log(1 + (c-1) e^{-2 h n}) for every class and n <=
    200, and the exact number of steps to a half, a tenth and a hundredth of the initial loss; Adam, with and without
    momentum, and AdaGrad, all with eps = 0, have the same loss in every class: relative differences below 1e-6."""
    methods = ("sign", "Adam", "Adam, no momentum", "AdaGrad")
    return all_of({method: at_every_frequency(budget, method) for method in methods})


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    table = verdicts["gradient_descent_learns_at_the_pace_of_the_frequency"].table
    h, c, last = table["h"].iloc[0], int(table["c"].iloc[0]), table["steps"].max()
    figure, (over_time, over_frequency) = plt.subplots(1, 2, figsize=(7.2, 3.4), layout="constrained", sharey=True)
    figure.set_label(
        f"Loss of single classes under gradient descent, c = {c} classes of Zipf's frequencies. Points: measured. Lines: "
        "the gradient flow, dashed its late law (c-1)/(c pi_k t). Left: along the run. Right: against the frequency."
    )
    for colour, marker, k in zip(("C0", "C1", "C2"), "osv", (0, c // 10, c - 1), strict=True):
        pi = np.sort(table["frequency"].unique())[::-1][k]
        part = table[table["frequency"] == pi]
        t = h * part["steps"].to_numpy()
        over_time.plot(t, theory.flow_loss(pi, t, c), color=colour, lw=1)
        over_time.plot(t, theory.late(frequency=pi, t=t, c=c), color=colour, lw=0.8, ls="--")
        over_time.plot(t[::3], part["loss"].to_numpy()[::3], marker, color=colour, ms=3, label=f"class {k + 1}")
    for colour, marker, share in zip(("C3", "C4", "C5"), "osv", (0.01, 0.1, 1.0), strict=True):
        steps = table["steps"][(table["steps"] - share * last).abs().idxmin()]
        part = table[table["steps"] == steps]
        over_frequency.plot(part["frequency"], theory.flow_loss(part["frequency"], h * steps, c), color=colour, lw=1)
        over_frequency.plot(part["frequency"], part["loss"], marker, color=colour, ms=3, label=f"t = {h * steps:.3g}")
    # the late law starts above every loss
    over_time.set(xscale="log", yscale="log", ylim=(None, 2 * np.log(c)), xlabel="time t = h n", ylabel="loss $l_k$ (nats)")
    over_frequency.set(xscale="log", xlabel=r"frequency $\pi_k$")
    for ax in (over_time, over_frequency):
        ax.legend(frameon=False)
    return {"laws": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
