r"""Where does rounding stop the training of a classifier, and does StableMax prevent it?

    sum = 1 + (C - 1) e^{-z} in b bits is 1:    from z = b log 2 on if 1 is added first, b log 2 + log(C - 1) if last
    two logits (z, -z):                         loss 1/(4 t) of softmax, 1/sqrt(8 t) of StableMax

z is the lead of the right logit over C - 1 equal others. Order and arithmetic of the sum are written out here, so that the
result is that of the format and not of a library; torch's own sums lie between (`grokking_exact`). Gradient descent on z
follows the flows of theory/stablemax.py: both losses round to 0 at the same value, StableMax only later. That networks
stop to generalize for this reason is not claimed here.

Sources: L. Prieto, M. Barsbey, P. A. M. Mediano and T. Birdal (2025), arXiv:2501.04697; theory/grokking.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.networks.mlp import cross_entropy
from ratewitness.problems.networks.stablemax import stablemax_cross_entropy
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import CENSORED, hitting_times
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, equals_exactly, exponent_is
from ratewitness.studies.measuring.drawing import Panel, canvas, draw, legend_below
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import stablemax as theory
from ratewitness.theory.grokking import collapse_gap
from torch import Tensor

PRIETO = "S47; Prieto et al. (2025), arXiv:2501.04697"
BITS = {torch.bfloat16: 8, torch.float16: 11, torch.float32: 24, torch.float64: 53}
CLASSES = (2, 10, 113)
FORMATS = {str(dtype).removeprefix("torch."): dtype for dtype in BITS}
LOSSES = {"softmax": cross_entropy, "StableMax": stablemax_cross_entropy}
TIMES = {"softmax": theory.softmax_time, "StableMax": theory.stablemax_time}
STEPS = {"softmax": 0.1, "StableMax": 0.5}
LARGEST = {"softmax": 0.02, "StableMax": 0.2}  # loss of the first hitting time
IN_BFLOAT16 = np.log1p(2.0**-8)  # the loss that rounds to 0
PROVED = (theory.as_softmax, theory.softmax_flow, theory.stablemax_flow, theory.later)


def collapsed(z: float, classes: int, dtype: torch.dtype, last: bool) -> bool:
    """Whether 1 + (classes - 1) e^{-z} is 1, with 1 added last to an exact sum, or first and then one term at a time."""
    each = torch.tensor(np.exp(-z) * (classes - 1 if last else 1), dtype=dtype)
    total = torch.ones_like(each)
    for _ in range(1 if last else classes - 1):
        total = total + each
    return bool(total == 1)


def least_gap(*arithmetic) -> float:
    """The least collapsed z, by bisection."""
    low, high = 1.0, 100.0
    for _ in range(45):
        middle = (low + high) / 2
        low, high = (low, middle) if collapsed(middle, *arithmetic) else (middle, high)
    return high


@claim("exact", f"{PRIETO}; theory/grokking.py")
@planted("a bit less", more=-1)
@planted("a bit more", more=1)
@planted("C in place of C - 1", others=0)
@planted("1 is added first, always", last=(False, False))
def every_format_has_its_gap(budget: Budget, more: int = 0, others: int = 1, last: tuple = (False, True)) -> Verdict:
    """S47, refined: In b bits cross-entropy is 0 from a lead of b log 2 on, or b log 2 + log(C - 1) if the largest term
    comes last.

    For bfloat16, float16, float32 and float64 (b = 8, 11, 24, 53) and 2, 10 and 113 classes: the least lead of the right
    logit at which the sum of exponentials rounds to 1, with 1 added first and then one term at a time, or last to the exact
    sum of the others, agrees with the formula to 0.2 %."""
    table = []
    for order, is_last in zip(("first", "last"), last, strict=True):
        for name, dtype in FORMATS.items():
            for C in CLASSES:
                predicted = collapse_gap(BITS[dtype] + more, C + 1 - others if order == "last" else 2)
                measured_gap = least_gap(C, dtype, is_last)
                table.append({"classes": C, "format": name, "order": order, "measured": measured_gap, "theory": predicted})
    table = pd.DataFrame(table)
    return agrees(table["measured"], table["theory"], 2e-3).showing(table)


@claim("exact", f"{PRIETO}; derived here")
@planted("before the collapse", gaps=(12.0, 14.0))
@planted("float64 with the leads of float32", dtype=torch.float64)
@planted("a gradient that sums to 0", total=1e-12)
def the_right_logit_has_no_gradient(
    budget: Budget, gaps: tuple[float, float] = (21.0, 60.0), dtype: torch.dtype = torch.float32, total: float = 1.0
) -> Verdict:
    """S47, refined: After the collapse the gradient in the right logit is exactly 0, and those in the others are not.

    In float32, with 113 classes and 40 leads z from 21 to 60: the gradient of torch's cross-entropy is 0 in the right logit,
    and those in the others sum to 112 e^{-z}, to 1e-4, so that the gradient no longer sums to 0. Controls: leads from 12 to
    14, and float64, where the right logit's is not 0."""
    z = torch.zeros(40, 113, dtype=dtype, device=budget.device)
    z[:, 0] = torch.linspace(*gaps, 40, dtype=dtype)
    z.requires_grad_()
    loss = torch.nn.functional.cross_entropy(z, torch.zeros(40, dtype=torch.int64, device=z.device), reduction="sum")
    g = torch.autograd.grad(loss, z)[0].double().cpu()
    predicted = total * 112 * np.exp(-z[:, 0].detach().double().cpu().numpy())
    right = equals_exactly([int((g[:, 0] != 0).sum())], [0])
    return all_of({"right": right, "others": agrees(g[:, 1:].sum(1).numpy(), predicted, 1e-4)})


@claim("proof", f"{PRIETO}; proofs in theory/stablemax.py")
@falsified(*PROVED)
def stablemax_is_proved(budget: Budget) -> Verdict:
    """S47, refined: StableMax is softmax of sign(z) log(1 + |z|), and its loss falls like 1/sqrt(8 t) where softmax's falls
    like 1/(4 t).

    For gradient flow on z from 0, with the logits (z, -z), both solved in closed form; the time to a ratio r of the shares
    is longer by a factor that grows like r/2, so that a sum of b bits rounds to 1 about 2^(b - 1) times later.
    Machine-checked: the form as a softmax, both flows with their limits, the ratio of times; cited: nothing; in prose: from
    which share a sum of b bits is 1."""
    return prove(*PROVED)


class TwoLogits:
    """The slope in z (1,) of a loss of the logits (z, -z)."""

    calls = component_gradients = values = 0  # nothing is counted

    def __init__(self, loss):
        self.loss = loss

    def value(self, z: Tensor) -> Tensor:
        return self.loss(torch.stack([z, -z], -1), torch.zeros(1, dtype=torch.int64, device=z.device))

    def grad(self, z: Tensor) -> Tensor:
        with torch.enable_grad():
            z = z.requires_grad_()
            return torch.autograd.grad(self.value(z), z)[0]


@measured
def times(budget: Budget, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Losses over `pick` decades, last the one that rounds to 0 in bfloat16, and the times at which they are reached."""
    losses = np.append(np.geomspace(LARGEST[name], LARGEST[name] / budget.pick(10, 100), 9), IN_BFLOAT16)
    oracle, start = TwoLogits(LOSSES[name]), torch.zeros(1, dtype=torch.float64, device=budget.device)
    thresholds, limit = torch.from_numpy(losses).to(start), budget.pick(2_000, 70_000)
    found = hitting_times(GradientDescent(STEPS[name]), oracle, start, limit, oracle.value, thresholds).cpu().numpy()
    return losses, np.where(found == CENSORED, np.nan, STEPS[name] * found)


@claim("law", f"{PRIETO}; theory/stablemax.py")
@planted("the power 1.8", powers=(1.0, 1.8))
@planted("the power 2.2", powers=(1.0, 2.2))
@planted("the power 1.2 of softmax", powers=(1.2, 2.0))
@planted("2^b times later", later=2.0)
def stablemax_collapses_later(budget: Budget, powers: tuple[float, float] = (1.0, 2.0), later: float = 1.0) -> Verdict:
    """S47, refined: On two logits StableMax gains time against rounding: its loss is one that bfloat16 rounds to 0, but 127
    times as late.

    Gradient descent on z from 0, logits (z, -z), steps 0.1 and 0.5, step times number as the time t: t grows like the loss
    to the power -1 (softmax, losses from 0.02 on) and -2 (StableMax, from 0.2 on), each +- 0.1 over two decades (quick: one,
    which is not enough); the times of the loss log(1 + 2^-8) and their ratio agree with those of the flow to 2 %. With a
    step of 1 StableMax's first time is 2 steps, too coarse for the power, and the same judge is inconclusive."""
    verdicts, table, at_collapse = {}, [], {}
    for (name, power), time in zip(zip(LOSSES, powers, strict=True), TIMES.values(), strict=True):
        losses, t = times(budget, name)
        predicted = time(1 / np.expm1(losses))
        verdicts[name] = exponent_is(losses[:-1], t[:-1], power, 0.1)
        verdicts[f"{name}, collapse"] = agrees(t[-1:], predicted[-1:], 0.02)
        at_collapse[name] = t[-1], predicted[-1]
        table.append(pd.DataFrame({"method": name, "loss": losses, "measured": t, "theory": predicted})[:-1])
    measured_ratio, ratio = (a / b for a, b in zip(at_collapse["StableMax"], at_collapse["softmax"], strict=True))
    verdicts["later"] = agrees([measured_ratio], [later * ratio], 0.02)
    return all_of(verdicts).noting(ratio=measured_ratio).showing(pd.concat(table, ignore_index=True))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    figure, (gaps, decay) = canvas(
        "First: the least lead of the right logit from which cross-entropy rounds to 0, the 1 added last (filled) or first "
        "(open). Second: the time at which a loss is reached by gradient descent on two logits, and gradient flow.",
        2,
    )
    table = verdicts["every_format_has_its_gap"].table
    table = table.assign(method=table["format"] + table["order"].map({"last": "", "first": ", 1 first"}))
    looks = dict(zip(FORMATS, ("C0o", "C1s", "C2^", "C3D"), strict=True))
    looks |= {f"{name}, 1 first": f"{code} open" for name, code in looks.items()}
    draw(gaps, Panel(table, "classes", "classes $C$", "lead $z$", options={"ylim": (4, 60)}), looks)
    runs = verdicts["stablemax_collapses_later"].table
    draw(decay, Panel(runs, "loss", "loss", "time $t$"), {"softmax": "C4v", "StableMax": "C5P"})
    legend_below(figure)
    return {"collapse": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
