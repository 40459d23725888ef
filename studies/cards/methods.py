"""Named methods with their settings and their weight decay: what a claim is checked against.

    x_{t+1} = after (before x_t - lr u(g_t + coupled x_t)),    (before, coupled, after) = DECAYS[decay](lr, weight_decay)

A further method is its update and a line in METHODS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import SimpleNamespace

import numpy as np
from numpy import ndarray as Array
from ratewitness.studies.cards import updates as entries
from ratewitness.studies.cards import updates_of_tensors as tensors
from ratewitness.studies.cards.updates import State

EQUAL = 1e-9  # float64 and a thousand steps of rounding
SCALAR = 1e-6  # where torch keeps a scalar of the rule in float32
SINGLE = 1e-4  # for what is computed in float32 whatever the dtype
HALF = 0.15  # five steps of a steep quintic in bfloat16, which has 8 bits: .09 was met, another momentum is .4 away

# Before the step x is multiplied, the gradient receives so much of x, and after the step x is multiplied again.
DECAYS: dict[str, Callable[[float, float], tuple[float, float, float]]] = {
    "coupled": lambda lr, w: (1, w, 1),
    "decoupled": lambda lr, w: (1 - lr * w, 0, 1),
    "after": lambda lr, w: (1, 0, 1 - lr * w),
    "fixed": lambda lr, w: (1 - w, 0, 1),
    "fixed after": lambda lr, w: (1, 0, 1 - w),
    "proximal": lambda lr, w: (1, 0, 1 / (1 + lr * w)),
    "subtracted": lambda lr, w: (1, -w, 1),
    "twice": lambda lr, w: (1 - lr * w, 0, 1 - lr * w),
    "growing": lambda lr, w: (1 + lr * w, 0, 1),
    "none": lambda lr, w: (1, 0, 1),
    "own": lambda lr, w: (1, 0, 1),
}
SAID = {
    "coupled": "decay is added to the gradient",
    "decoupled": "decay is decoupled: x (1 - lr weight_decay) before the step",
    "after": "decay is applied after the step",
    "fixed": "decay is not multiplied by lr",
    "fixed after": "decay is applied after the step, and not multiplied by lr",
    "proximal": "decay divides by 1 + lr weight_decay after the step",
    "subtracted": "decay is subtracted from the gradient",
    "twice": "decay is applied before the step and after it",
    "growing": "decay has the wrong sign: x (1 + lr weight_decay)",
    "none": "decay has no effect",
}


@dataclass(frozen=True)
class Method:
    """An update with its default settings and decay.

    shape: of the points at which a claim is tried. entrywise: entries do not see each other. matrices: of nothing else.
    flags: the optimizer's own settings may say how the weights decay. output: the iterates are read in eval mode.
    """

    update: Callable[[State, Array, Array, SimpleNamespace], Array]
    defaults: Mapping[str, object]
    decay: str = "coupled"
    shape: tuple[int, ...] | None = None
    entrywise: bool = True
    matrices: bool = False
    tolerance: float = EQUAL
    flags: bool = True
    output: bool = False


def _with(update, decay="coupled", **kwargs) -> Method:
    names = {each.name for each in fields(Method)}
    options = {key: kwargs.pop(key) for key in tuple(kwargs) if key in names}
    return Method(update, {"lr": 1e-3, "weight_decay": 0.0, "maximize": False, **kwargs}, decay, **options)


ADAM = {"betas": (0.9, 0.999), "eps": 1e-8}
BALL = {"momentum": 0.0, "dampening": 0.0, "nesterov": False}
SQUARE = (4, 4)  # of full rank from the first gradient on: no basis is left open
NAMES_DECAY = {"flags": False}
TENSOR = {"entrywise": False}
OF_MATRICES = {**TENSOR, "matrices": True}
QUINTIC = {"orthogonalizer": "quintic", "adjust_lr_fn": None}

METHODS: dict[str, Method] = {
    "SGD": _with(entries.sgd, **BALL, **NAMES_DECAY),
    "SGDW": _with(entries.sgd, "decoupled", **BALL, **NAMES_DECAY),
    "Adam": _with(entries.adam, **ADAM, amsgrad=False, eps_hat=False, **NAMES_DECAY),
    "AdamW": _with(entries.adam, "decoupled", **{**ADAM, "weight_decay": 1e-2}, amsgrad=False, eps_hat=False, **NAMES_DECAY),
    "AMSGrad": _with(entries.adam, **ADAM, amsgrad=True, eps_hat=False),
    "NAdam": _with(entries.nadam, **ADAM, momentum_decay=4e-3, tolerance=SCALAR),
    "RAdam": _with(entries.radam, **ADAM, degenerated_to_sgd=True),
    "Adamax": _with(entries.adamax, **ADAM),
    "Adagrad": _with(entries.adagrad, eps=1e-10, lr_decay=0.0, initial_accumulator_value=0.0, eps_inside=False),
    "RMSprop": _with(entries.rmsprop, alpha=0.99, eps=1e-8, momentum=0.0, centered=False),
    "Adadelta": _with(entries.adadelta, rho=0.9, eps=1e-6),
    "Rprop": _with(entries.rprop, etas=(0.5, 1.2), step_sizes=(1e-6, 50)),
    "ASGD": _with(entries.asgd, lambd=1e-4, alpha=0.75, tolerance=SCALAR),
    "Adafactor": _with(tensors.adafactor, "decoupled", beta2_decay=-0.8, eps=(None, 1e-3), d=1.0, **TENSOR),
    "FactoredRMSprop": _with(tensors.factored_rmsprop, beta2=0.0, eps=1e-30, **OF_MATRICES),
    "ADOPT": _with(entries.adopt, betas=(0.9, 0.9999), eps=1e-6, clip=0.25, clip_from=1, present=False),
    "Lion": _with(entries.lion, "decoupled", betas=(0.9, 0.99)),
    "Signum": _with(entries.signum, "decoupled", momentum=0.9),
    "AdaBelief": _with(entries.adabelief, "decoupled", betas=(0.9, 0.999), eps=1e-16, keep_eps=False),
    "Yogi": _with(entries.yogi, betas=(0.9, 0.999), eps=1e-3, initial_accumulator=1e-6),
    "LaProp": _with(entries.laprop, "fixed after", betas=(0.9, 0.999), eps=1e-15),
    "Adan": _with(entries.adan, "proximal", betas=(0.98, 0.92, 0.99), eps=1e-8),
    "AdEMAMix": _with(entries.ademamix, "decoupled", betas=(0.9, 0.999, 0.9999), eps=1e-8, alpha=5.0),
    "DiffGrad": _with(entries.diffgrad, **ADAM),
    "LARS": _with(tensors.lars, "own", **{**BALL, "momentum": 0.9}, trust_coefficient=1e-3, **TENSOR),
    "LAMB": _with(tensors.lamb, "own", betas=(0.9, 0.999), eps=1e-6, amsgrad=False, eps_hat=False, **TENSOR),
    "Muon": _with(tensors.muon, "decoupled", momentum=0.95, nesterov=True, **QUINTIC, tolerance=HALF, **OF_MATRICES),
    "Scion": _with(tensors.scion, "decoupled", memory=0.9, norm="spectral", tolerance=SINGLE, **OF_MATRICES),
    "Shampoo": _with(tensors.shampoo, matrix_eps=1e-6, power=0.25, shape=SQUARE, tolerance=1e-6, **OF_MATRICES),
    "SOAP": _with(
        tensors.soap,
        "own",
        betas=(0.95, 0.95),
        shampoo_beta=None,
        eps=1e-8,
        precondition_frequency=10,
        correct_bias=True,
        exact=False,
        one_sided=False,
        shape=SQUARE,
        tolerance=SINGLE,
        **OF_MATRICES,
    ),
    "Lookahead": _with(entries.lookahead, **BALL, k=5, alpha=0.5),
    "ScheduleFreeSGD": _with(entries.schedule_free_sgd, "own", momentum=0.9, output=True),
    "ScheduleFreeAdamW": _with(entries.schedule_free_adamw, "own", **ADAM, inside=0.0, output=True),
}


def path(method: Method, x0: Array, grads: Sequence[Array], settings: Mapping[str, object], decay: str) -> Array:
    """The points (steps + 1, *shape) of the method from x0 along the gradients."""
    c, s, x = SimpleNamespace(**{**method.defaults, **settings}), State(), x0
    points = [x]
    before, coupled, after = DECAYS[decay](c.lr, c.weight_decay)
    with np.errstate(all="ignore"):
        for g in grads:
            s.t += 1
            g = (-g if c.maximize else g) + coupled * x
            x = after * (before * x - c.lr * method.update(s, g, x, c))
            points.append(x)
    return np.array(points)
