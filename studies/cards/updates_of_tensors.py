"""One step of named methods that see a tensor as a whole: trust ratios, factors, orthogonalized and preconditioned matrices.

As in updates.py, each takes its state, the gradient, the point and the settings, and gives the update u of x - lr u.
"""

from __future__ import annotations

import math

import numpy as np
from numpy import ndarray as Array
from ratewitness.studies.cards.recursions import MAPS, SCALINGS, polar, quintic
from ratewitness.studies.cards.updates import adam, lerp


def norm(x: Array) -> float:
    """Euclidean, of all entries."""
    return math.sqrt(float((x * x).sum()))


def adafactor(s, g, x, c):
    """The form of torch: steps relative to the size of x, the update clipped at d."""
    eps1 = np.finfo(np.float64).eps if c.eps[0] is None else c.eps[0]
    b = 1 - s.t**c.beta2_decay
    if g.ndim > 1:
        s.r, s.c = lerp(s.r, (g * g).mean(-1, keepdims=True), b), lerp(s.c, (g * g).mean(-2, keepdims=True), b)
        v = s.r * s.c / np.maximum(s.r.mean(-2, keepdims=True), eps1)
    else:
        v = s.v = lerp(s.v, g * g, b)
    u = g / np.sqrt(np.maximum(v, eps1 * eps1))
    size = max(c.eps[1], norm(x) / x.size**0.5) * min(c.lr, s.t**-0.5)
    return size / c.lr * u / max(1.0, norm(u) / (x.size**0.5 * c.d))


def factored_rmsprop(s, g, x, c):
    """The gradient over the root of Adafactor's factored average, and nothing else of Adafactor."""
    s.r, s.c = lerp(s.r, (g * g).mean(-1, keepdims=True), c.beta2), lerp(s.c, (g * g).mean(-2, keepdims=True), c.beta2)
    return g / np.sqrt(s.r * s.c / s.r.mean(-2, keepdims=True) + c.eps)


def lars(s, g, x, c):
    """You, Gitman and Ginsburg: the ratio is 1 where a norm is 0, and momentum comes after it."""
    size, slope = norm(x), norm(g) + c.weight_decay * norm(x)
    ratio = c.trust_coefficient * size / slope if size > 0 and slope > 0 else 1.0
    s.m = c.momentum * s.m + (1 - c.dampening if c.momentum else 1) * ratio * (g + c.weight_decay * x)
    return ratio * (g + c.weight_decay * x) + c.momentum * s.m if c.nesterov else s.m


def lamb(s, g, x, c):
    """You et al. (2020), algorithm 2: both moments corrected, the decay inside the ratio."""
    u = adam(s, g, x, c) + c.weight_decay * x
    size, length = norm(x), norm(u)
    return u * (size / length if size > 0 and length > 0 else 1.0)


ORTHOGONALIZERS = {"quintic": quintic, "svd": polar}
ADJUSTMENTS = {
    None: SCALINGS["max(1, rows/columns)^(1/2)"],
    "original": SCALINGS["max(1, rows/columns)^(1/2)"],
    "match_rms_adamw": SCALINGS["0.2 max(rows, columns)^(1/2)"],
    "none": SCALINGS[""],
}


def muon(s, g, x, c):
    """The form of torch: the average of gradients, Nesterov's look ahead, and a scaling by the shape."""
    s.m = lerp(s.m, g, c.momentum)
    m = lerp(g, s.m, 1 - c.momentum) if c.nesterov else s.m
    return ADJUSTMENTS[c.adjust_lr_fn](*g.shape) * ORTHOGONALIZERS[c.orthogonalizer](m)


NORMS = {
    "sign": "sign",
    "euclidean": "Euclidean unit",
    "spectral": "polar factor",
    "row": "unit rows",
    "column": "unit columns",
}


def scion(s, g, x, c):
    """The minimizer of <m, u> over the unit ball of a norm, at the average m with the given memory; u is its negative."""
    s.m = lerp(s.m, g, c.memory)
    return MAPS[NORMS[c.norm]](s.m[None])[0]


def power(a: Array, exponent: float) -> Array:
    """Of a symmetric positive definite matrix."""
    values, vectors = np.linalg.eigh(a)
    return (vectors * values**exponent) @ vectors.T


def shampoo(s, g, x, c):
    """Gupta, Koren and Singer (2018): sums, and -1/4 a factor; power: another exponent of each factor."""
    s.l = (s.l if s.t > 1 else c.matrix_eps * np.eye(len(g))) + g @ g.T
    s.r = (s.r if s.t > 1 else c.matrix_eps * np.eye(g.shape[1])) + g.T @ g
    return power(s.l, -c.power) @ g @ power(s.r, -c.power)


def soap(s, g, x, c):
    """Vyas et al. (2025), as their code has it: the first gradient only starts the bases; one power step and QR renew them,
    and the decay comes after the step.

    exact: a new eigenbasis at every step, before it is used, none skipped. one_sided: columns are left as they are.
    """
    b1, b2 = c.betas
    memory = b2 if c.shampoo_beta is None else c.shampoo_beta
    start = s.t == 1
    if start or c.exact:
        s.l, s.r = lerp(s.l, g @ g.T, memory), lerp(s.r, g.T @ g, memory)
        s.p, s.q = np.linalg.eigh(s.l)[1], np.eye(g.shape[1]) if c.one_sided else np.linalg.eigh(s.r)[1]
    if start and not c.exact:
        return np.zeros_like(g)
    k = s.t if c.exact else s.t - 1
    s.m, s.v = lerp(s.m, g, b1), lerp(s.v, (s.p.T @ g @ s.q) ** 2, b2)
    u = s.p @ (s.p.T @ s.m @ s.q / (np.sqrt(s.v) + c.eps)) @ s.q.T
    if not c.exact:
        _renew(s, g, memory, k % c.precondition_frequency == 0)
    u = u * math.sqrt(1 - b2**k) / (1 - b1**k) if c.correct_bias else u
    return u + c.weight_decay * (x - c.lr * u)


def _renew(s, g, memory, due):
    s.l, s.r = lerp(s.l, g @ g.T, memory), lerp(s.r, g.T @ g, memory)
    if due:
        left, right = (np.argsort(-(o * (a @ o)).sum(0)) for a, o in ((s.l, s.p), (s.r, s.q)))
        s.v = s.v[left][:, right]
        s.p, s.q = np.linalg.qr((s.l @ s.p)[:, left])[0], np.linalg.qr((s.r @ s.q)[:, right])[0]
