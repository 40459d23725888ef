"""One step of named methods whose entries do not see each other: the update u of x - lr u.

Each takes its state (numbers that are 0 until set, and the step t = 1, 2, ...), the gradient, the point and the settings.
Where papers and well-known code differ, the docstring says which one this is. NumPy alone, and written apart from solvers:
one is the check of the other.
"""

from __future__ import annotations

import math

import numpy as np
from numpy import ndarray as Array


class State:
    """0 until set."""

    def __init__(self):
        self.t = 0

    def __getattr__(self, name: str) -> float:
        return 0.0


def lerp(m: Array | float, g: Array, b: float) -> Array:
    """One step of a moving average."""
    return b * m + (1 - b) * g


def sgd(s, g, x, c):
    """The form of torch: the first velocity is g whatever the dampening."""
    if not c.momentum:
        return g
    s.m = g if s.t == 1 else c.momentum * s.m + (1 - c.dampening) * g
    return g + c.momentum * s.m if c.nesterov else s.m


def adam(s, g, x, c):
    """Kingma and Ba; amsgrad: the maximum of the raw moment, corrected afterwards, as in torch.

    eps_hat: their shorter form, in which epsilon is added before the correction.
    """
    b1, b2 = c.betas
    s.m, s.v = lerp(s.m, g, b1), lerp(s.v, g * g, b2)
    v = s.u = np.maximum(s.u, s.v) if c.amsgrad else s.v
    c2 = 1 - b2**s.t
    return s.m / (1 - b1**s.t) / (np.sqrt(v / c2) + (c.eps / math.sqrt(c2) if c.eps_hat else c.eps))


def nadam(s, g, x, c):
    """The form of torch, with its schedule of momentum."""
    b1, b2 = c.betas
    mu, ahead = (b1 * (1 - 0.5 * 0.96 ** (k * c.momentum_decay)) for k in (s.t, s.t + 1))
    s.product = mu * (s.product if s.t > 1 else 1.0)
    s.m, s.v = lerp(s.m, g, b1), lerp(s.v, g * g, b2)
    numerator = (1 - mu) / (1 - s.product) * g + ahead / (1 - s.product * ahead) * s.m
    return numerator / (np.sqrt(s.v / (1 - b2**s.t)) + c.eps)


def radam(s, g, x, c):
    """The form of torch: the corrected average alone while rho <= 5; or no step then, where degenerated_to_sgd is false."""
    b1, b2 = c.betas
    s.m, s.v = lerp(s.m, g, b1), lerp(s.v, g * g, b2)
    m, longest = s.m / (1 - b1**s.t), 2 / (1 - b2) - 1
    rho = longest - 2 * s.t * b2**s.t / (1 - b2**s.t)
    if rho <= 5:
        return m if c.degenerated_to_sgd else np.zeros_like(m)
    rectified = (rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho)
    return m * math.sqrt(rectified) * math.sqrt(1 - b2**s.t) / (np.sqrt(s.v) + c.eps)


def adamax(s, g, x, c):
    """The form of torch: epsilon inside the maximum."""
    b1, b2 = c.betas
    s.m, s.u = lerp(s.m, g, b1), np.maximum(b2 * s.u, np.abs(g) + c.eps)
    return s.m / (1 - b1**s.t) / s.u


def adagrad(s, g, x, c):
    s.v = s.v + g * g + (c.initial_accumulator_value if s.t == 1 else 0.0)
    root = np.sqrt(s.v + c.eps) if c.eps_inside else np.sqrt(s.v) + c.eps
    return g / root / (1 + (s.t - 1) * c.lr_decay)


def rmsprop(s, g, x, c):
    """The form of torch: epsilon outside the root, momentum after the division."""
    s.v, s.a = lerp(s.v, g * g, c.alpha), lerp(s.a, g, c.alpha)
    u = g / (np.sqrt(np.maximum(s.v - s.a**2, 0) if c.centered else s.v) + c.eps)
    if not c.momentum:
        return u
    s.m = c.momentum * s.m + u
    return s.m


def adadelta(s, g, x, c):
    s.v = lerp(s.v, g * g, c.rho)
    u = np.sqrt(s.d + c.eps) / np.sqrt(s.v + c.eps) * g
    s.d = lerp(s.d, u * u, c.rho)
    return u


def rprop(s, g, x, c):
    """Without backtracking: after a change of sign the entry rests, as in torch."""
    (less, more), (least, most) = c.etas, c.step_sizes
    turn = np.sign(g * s.g)
    s.size = np.full_like(g, c.lr) if s.t == 1 else s.size
    s.size = np.clip(s.size * np.where(turn > 0, more, np.where(turn < 0, less, 1.0)), least, most)
    s.g = np.where(turn < 0, 0.0, g)
    return np.sign(s.g) * s.size / c.lr


def asgd(s, g, x, c):
    """The iterates of torch's ASGD, whose average is kept apart and never handed out."""
    eta = c.lr / (1 + c.lambd * c.lr * (s.t - 1)) ** c.alpha
    return eta / c.lr * (g + c.lambd * x)


def adopt(s, g, x, c):
    """Clipped ADOPT: the gradient over the previous v, cut at k^clip in the k-th step; the first gradient only starts v.

    present: over v with the present gradient in it, which is not ADOPT.
    """
    b1, b2 = c.betas
    if s.t == 1:
        s.v = g * g
        return np.zeros_like(g)
    v, s.v = s.v, lerp(s.v, g * g, b2)
    u = g / np.maximum(np.sqrt(s.v if c.present else v), c.eps)
    bound = np.inf if c.clip is None else (s.t - 2 + c.clip_from) ** c.clip
    s.m = lerp(s.m, np.clip(u, -bound, bound), b1)
    return s.m


def lion(s, g, x, c):
    b1, b2 = c.betas
    u = np.sign(lerp(s.m, g, b1))
    s.m = lerp(s.m, g, b2)
    return u


def signum(s, g, x, c):
    s.m = lerp(s.m, g, c.momentum)
    return np.sign(s.m)


def adabelief(s, g, x, c):
    """keep_eps: epsilon is added to the kept variance at every step, as the authors' code does, instead of to a copy."""
    b1, b2 = c.betas
    s.m = lerp(s.m, g, b1)
    v = lerp(s.v, (g - s.m) ** 2, b2) + c.eps
    s.v = v if c.keep_eps else v - c.eps
    return s.m / (1 - b1**s.t) / (np.sqrt(v / (1 - b2**s.t)) + c.eps)


def yogi(s, g, x, c):
    """Zaheer et al. (2018) with corrections, both moments started at initial_accumulator as in their code."""
    b1, b2 = c.betas
    m, v = (np.full_like(g, c.initial_accumulator),) * 2 if s.t == 1 else (s.m, s.v)
    s.m, s.v = lerp(m, g, b1), v - (1 - b2) * np.sign(v - g * g) * g * g
    return s.m / (1 - b1**s.t) / (np.sqrt(s.v / (1 - b2**s.t)) + c.eps)


def laprop(s, g, x, c):
    b1, b2 = c.betas
    s.v = lerp(s.v, g * g, b2)
    s.m = lerp(s.m, g / (np.sqrt(s.v / (1 - b2**s.t)) + c.eps), b1)
    return s.m / (1 - b1**s.t)


def adan(s, g, x, c):
    """The authors' code: the first difference is 0."""
    b1, b2, b3 = c.betas
    d = g - s.g if s.t > 1 else np.zeros_like(g)
    s.m, s.d, s.v, s.g = lerp(s.m, g, b1), lerp(s.d, d, b2), lerp(s.v, (g + b2 * d) ** 2, b3), g
    return (s.m / (1 - b1**s.t) + b2 * s.d / (1 - b2**s.t)) / (np.sqrt(s.v / (1 - b3**s.t)) + c.eps)


def ademamix(s, g, x, c):
    """Without warm-up of alpha and beta3; the slow average is not corrected."""
    b1, b2, b3 = c.betas
    s.m, s.v, s.slow = lerp(s.m, g, b1), lerp(s.v, g * g, b2), lerp(s.slow, g, b3)
    return (s.m / (1 - b1**s.t) + c.alpha * s.slow) / (np.sqrt(s.v / (1 - b2**s.t)) + c.eps)


def diffgrad(s, g, x, c):
    b1, b2 = c.betas
    s.m, s.v = lerp(s.m, g, b1), lerp(s.v, g * g, b2)
    friction, s.g = 1 / (1 + np.exp(-np.abs(s.g - g))), g
    return friction * s.m / (1 - b1**s.t) / (np.sqrt(s.v / (1 - b2**s.t)) + c.eps)


def lookahead(s, g, x, c):
    """Zhang et al. (2019) around SGD: every k steps a share alpha of the way is kept."""
    s.slow = x if s.t == 1 else s.slow
    u = sgd(s, g, x, c)
    if s.t % c.k:
        return u
    s.slow = s.slow + c.alpha * (x - c.lr * u - s.slow)
    return (x - s.slow) / c.lr


def schedule_free(s, x, u, b, c):
    """Defazio et al. (2024), at its output x: z goes by u and decay at y, x is the mean of z so far."""
    s.z = s.y = x if s.t == 1 else s.z
    y = (1 - b) * s.z + b * x
    s.z = s.z - c.lr * (u + c.weight_decay * y)
    return (x - s.z) / s.t / c.lr


def schedule_free_sgd(s, g, x, c):
    return schedule_free(s, x, g, c.momentum, c)


def schedule_free_adamw(s, g, x, c):
    b1, b2 = c.betas
    s.v = lerp(s.v, g * g, b2)
    return schedule_free(s, x, g / (np.sqrt(s.v / (1 - b2**s.t) + c.inside) + c.eps), b1, c)
