"""What weight decay is: coupled to the gradients or not, in which unit, before or after the step.

The difference of two runs, with decay and without, is fitted in every step by

    x - rho y,    y = x (before the step)    or    y = x + d (after it),

and rho is compared at twice the weight_decay and twice the lr.
"""

from __future__ import annotations

import math

import torch
from ratewitness.studies.cards.examined import EXACT, STEPS, Examined, excused, fact
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.cards.subject import gap, play, steps_of
from torch import Tensor

DECAY = 0.1
FIT = 1e-6  # a residual below this is a decoupled decay
LAW = 0.05  # how near rho's ratio is to a power of lr or weight_decay


def decay(it: Examined) -> Fact:
    if "weight_decay" not in it.subject.accepts:
        return excused("it has no weight_decay")
    default, lr = it.subject.setting("weight_decay"), it.subject.lr
    about = f"; {default:g} by default" if isinstance(default, int | float) else ""
    fits = _fitted(it, DECAY, lr)
    if not fits:
        return fact(f"no effect{about}", 0.0)
    form = min(fits, key=lambda name: fits[name][1])
    rho, residual = fits[form]
    if not residual <= FIT:
        return fact(f"coupled: it enters like a gradient{about}", residual, FIT)
    linear = gap(8 * steps_of(it.path), steps_of(it.play(it.scaled(8.0)))) <= EXACT
    if linear and form == "before the step" and lr and abs(rho / (DECAY * lr) - 1) < FIT:
        return fact(f"the same coupled or decoupled: the rule is linear and forgets at once{about}", rho, FIT)
    double = _fitted(it, 2 * DECAY, lr)[form][0] / rho
    faster = _fitted(it, DECAY, 2 * lr)[form][0] / rho if lr else 1.0
    if rho < 0 or abs(double / 2 - 1) > LAW:
        law = f"rho = {rho:.3g} at weight_decay {DECAY}"
    elif abs(faster / 2 - 1) < LAW:
        law = f"{rho / (DECAY * lr):.4g} lr weight_decay"
    elif abs(faster - 1) < LAW:
        law = f"{rho / DECAY:.4g} weight_decay, free of lr"
    else:
        law = f"rho = {rho:.3g} at weight_decay {DECAY}, with lr to the power {math.log2(faster):.2g}"
    return fact(f"decoupled, {form}: {law}{about}", rho, FIT)


def _fitted(it: Examined, weight_decay: float, lr: float | None) -> dict[str, tuple[float, float]]:
    """rho and the relative residual of both forms; nothing where the decay has no effect.

    Of a rule whose steps depend on where the parameters are, only the first that moves is read.
    """
    x0, steps = 4 * it.x0, STEPS if it.free_of_place else it.first + 1
    settings = {} if lr is None else {"lr": lr}
    torch.manual_seed(0)
    with_it = play(it.subject, x0, it.g[:steps], weight_decay=weight_decay, **settings)[it.first :]
    torch.manual_seed(0)
    free = steps_of(play(it.bare, x0, it.g[:steps], **settings)[it.first :])
    change = steps_of(with_it) - free
    if float(change.abs().max()) == 0:
        return {}
    return {
        "before the step": _multiple(change, with_it[:-1]),
        "after the step": _multiple(change, with_it[:-1] + free),
    }


def _multiple(change: Tensor, y: Tensor) -> tuple[float, float]:
    """The rho of change = -rho y, and the largest residual over the largest change."""
    rho = -float((change * y).sum() / (y * y).sum())
    return rho, float((change + rho * y).abs().max() / change.abs().max())


DECAYS = {"weight decay": decay}
