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

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.problems.data.bigram import divergences, population_softmax, zipf
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.sign_descent import SignSGD
from ratewitness.solvers.solver import hitting_times, run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds, equals_exactly, exponent_is
from ratewitness.studies.measuring.drawing import Panel, canvas, draw, legend_below
from ratewitness.studies.measuring.groups import stacked
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import class_imbalance as theory
from ratewitness.theory.identity import identities
from torch import Tensor

LAWS = identities(theory).values()
KUNSTNER = "S28; Kunstner et al. (2024), arXiv:2402.19449"
H = 0.02  # the step of a coordinate
METHODS = {  # of the largest frequency, which is the smoothness L
    "sign": lambda L: SignSGD(H),
    "Adam": lambda L: Adam(H, eps=0.0),
    "Adam, no momentum": lambda L: Adam(H, beta1=0.0, eps=0.0),
    "AdaGrad": lambda L: AdaGrad(H, eps=0.0),
    "Adam, eps = 0.01": lambda L: Adam(H, eps=1e-2),
    "GD, momentum": lambda L: HeavyBall(0.1 / L, 0.9),
}


def one_hot_problem(budget: Budget) -> tuple[FiniteSum, np.ndarray, Callable[[Tensor], Tensor]]:
    """100 (quick: 32) classes with Zipf's frequencies: the problem, the frequencies, and the loss of every class."""
    P = torch.diag(zipf(budget.pick(32, 100))).to(budget.device)
    return population_softmax(P), P.diagonal().cpu().numpy(), lambda x: divergences(P, x)


@claim("proof", KUNSTNER + "; theory/class_imbalance.py")
@falsified(*LAWS)
def laws_proved(budget: Budget) -> Verdict:
    """S28: Gradient flow learns each class at the pace of its frequency, sign flow and Adam learn all classes at one pace.

    For linear softmax on one-hot inputs from 0, any frequencies pi_k and any number of classes c, gradient flow reduces to
    m_k' = c pi_k/(e^{m_k} + c - 1), hence e^{m_k} - 1 + (c-1) m_k = c pi_k t, hence l_k ~ (c-1)/(c pi_k t) with bounds at
    every t. Gradient descent with any step h is where the flow is at a time between h n and h n (1 + theta), theta = (e^x -
    1 - x)/x at x = h pi_k. Sign flow has l_k = log(1 + (c-1) e^{-2t}) for every k, and Adam with eps = 0 does not see pi_k.
    Machine-checked (sympy): the slope of each score; the implicit solution by its derivative; the limit of l_k over its late
    law; bounds at every t and the step of descent by derivatives of one sign; that pi_k cancels in M/sqrt V. Cited: these
    differential equations have one solution. In prose: margins start at 0 and grow.
    """
    return prove(*LAWS)


@measured
def descent(budget: Budget) -> tuple[float, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of gradient descent with step h: h, the records (n,), the losses (n, c), and at accuracies (E,) the steps (E, c)."""
    problem, _, losses = one_hot_problem(budget)
    h, limit = 0.5 / problem.constants.smoothness, budget.pick(6000, 10_000)
    trace = run(GradientDescent(h), Oracle.full(problem), problem.starts(), limit, losses)
    eps = torch.cat([torch.tensor([0.1]), torch.logspace(-2, -3.6, 10)]).to(problem.start)
    times = hitting_times(GradientDescent(h), Oracle.full(problem), problem.starts(), limit, losses, eps.unsqueeze(-1))
    return h, np.array(trace.steps[1:]), trace.values[1:].cpu().numpy(), eps.cpu().numpy(), times.cpu().numpy()


@claim("law", KUNSTNER + "; constants in theory/class_imbalance.py")
@planted("twice as fast", late=2.0)
@planted("exponent 0.9", power=0.9)
def gradient_descent_learns_at_the_pace_of_the_frequency(budget: Budget, late: float = 1.0, power: float = 1.0) -> Verdict:
    """S28: Gradient descent learns a class in a number of steps that goes as one over its frequency.

    On one-hot inputs with Zipf's frequencies, c = 100 (quick: 32), gradient descent with step h = 1/(2L) has the loss l_k of
    every class between those of the flow at h n and at h n (1 + theta), at every record; the steps until l_k <= 0.1 go as
    pi_k^-1 over the classes, and those until l_1 <= eps as eps^-1 from 1e-2 to 2.5e-4, exponents within 0.05. Over this
    range the flow has the slope of the evidence in t, and 1 in pi_k.
    """
    pi, (h, steps, losses, eps, times) = one_hot_problem(budget)[1], descent(budget)
    t, c = h * steps[:, None], len(pi)
    slow = theory.flow_loss(pi, late * t, c)
    fast = theory.flow_loss(pi, t * (1 + theory.overshoot(h, pi)), c)
    verdict = all_of(
        {
            "above": bound_holds(losses.ravel(), slow.ravel()),
            "below": bound_holds(fast.ravel(), losses.ravel()),
            "in pi": exponent_is(pi, times[0], power, 0.05, decades=1.5),
            "in t": exponent_is(eps[1:], times[1:, 0], power, 0.05, decades=1.5),
        }
    )
    last = losses[-1] * c * pi * t[-1] / (c - 1)
    flow = np.polyfit(np.log(1 / eps[1:]), np.log(theory.time_to_loss(eps=eps[1:], frequency=pi[0], c=c)), 1)[0]
    columns = {"class": np.arange(1, c + 1), "frequency": pi, "t": t, "measured": losses}
    table = {name: np.broadcast_to(column, losses.shape).ravel() for name, column in columns.items()}
    verdict = verdict.noting(last_over_late_law=float(np.abs(last - 1).max()), slope_of_the_flow_in_t=float(flow))
    return verdict.showing(table)


@claim("exact", KUNSTNER)
@planted("gradient descent with momentum as well", methods=("GD, momentum",))
@planted("Adam with eps = 0.01 as well", methods=("Adam, eps = 0.01",))
@planted("sign flow half as fast", methods=("sign",), pace=1.0)
def sign_descent_and_adam_are_free_of_the_frequency(
    budget: Budget, methods=("sign", "Adam", "Adam, no momentum", "AdaGrad"), pace: float = 2.0
) -> Verdict:
    """S28: Sign descent, Adam and AdaGrad with eps = 0 learn all classes at one pace, whatever their frequencies.

    On one-hot inputs with Zipf's frequencies, c = 100 (quick: 32), sign descent with step h = 0.02 has l_k = log(1 + (c-1)
    e^{-2 h n}) for every class and n <= 200, and the exact number of steps to a half, a tenth and a hundredth of the initial
    loss. Adam, with and without momentum, and AdaGrad, all with eps = 0, have the same loss in every class. Relative
    differences are below 1e-6.
    """
    (problem, pi, losses), n, verdicts = one_hot_problem(budget), np.arange(1, 201), {}
    for method in methods:
        solver = METHODS[method](problem.constants.smoothness)
        found = run(solver, Oracle.full(problem), problem.starts(), n[-1], losses, at=n.tolist()).values.cpu().numpy()
        verdicts[method] = agrees(found, found.mean(-1, keepdims=True), 1e-6)
        if method == "sign":
            c = len(pi)
            law = theory.sign_flow(t=pace / 2 * H * n[:, None] * np.ones(c), c=c)
            targets = np.log(c) * np.array([0.5, 0.1, 0.01])[:, None]
            reached = found <= targets[..., None]
            hit = np.where(reached.any(1), reached.argmax(1) + 1, -1)
            predicted = np.ceil(np.log((c - 1) / np.expm1(targets)) / (pace * H)) * np.ones(c)
            verdicts[method] = all_of({"law": agrees(found, law, 1e-6), "steps": equals_exactly(hit, predicted)})
    return all_of(verdicts)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["gradient_descent_learns_at_the_pace_of_the_frequency"].table
    c, times = int(table["class"].max()), table["t"].unique()
    table = table.assign(theory=theory.flow_loss(table["frequency"], table["t"], c))
    figure, axes = canvas(
        f"Loss of single classes under gradient descent, {c} classes of Zipf's frequencies: along the run, and against the "
        r"frequency. Points: measured. Lines: the gradient flow; dashed: its late law $(c-1)/(c\,\pi_k t)$.",
        2,
        shared="y",
    )
    looks = {f"class {k}": code for k, code in zip((1, 1 + c // 10, c), ("C0o", "C1s", "C2v"), strict=True)}
    along = table[table["t"].isin(times[::3])].assign(method="class " + table["class"].astype(str))
    options = {"ylim": (None, 2 * np.log(c))}  # the late law starts above every loss
    draw(axes[0], Panel(along, "t", "time $t = h n$", "loss $l_k$ (nats)", options=options), looks)
    for name, code in looks.items():
        part = along[along["method"] == name]
        late = theory.late(frequency=part["frequency"], t=part["t"], c=c)
        axes[0].plot(part["t"], late, "--", color=code[:2], lw=0.8)
    axes[0].plot([], [], "--", color="0.3", lw=0.8, label="late law")
    shown = {f"$t = {t:.0f}$": t for t in (times[np.abs(times - share * times[-1]).argmin()] for share in (0.01, 0.1, 1.0))}
    across = stacked({name: table[table["t"] == t] for name, t in shown.items()})
    panel = Panel(across, "frequency", r"frequency $\pi_k$", "loss $l_k$ (nats)")
    draw(axes[1], panel, dict(zip(shown, ("C3^", "C4D", "C5P"), strict=True)))
    legend_below(figure)
    return {"laws": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
