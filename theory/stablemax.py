r"""StableMax: a softmax of a slower function, and how much later it meets the same rounding.

    p = s(z)/sum s,    s(z) = 1 + z for z >= 0,  1/(1 - z) for z < 0:    the softmax of sign(z) log(1 + |z|)

(`as_softmax`). Gradient flow on z for the logits (z, -z) and the class of the first, from z = 0, with r the ratio of its
share to the other one's, so that the loss is log(1 + 1/r):

    softmax      r = e^{2 z},        t = (log r + r - 1)/4,     loss ~ 1/(4 t)           (`softmax_flow`)
    StableMax    r = (1 + z)^2,      t = (r^2 + 2 r - 3)/8,     loss ~ 1/sqrt(8 t)       (`stablemax_flow`)

In arithmetic of b bits 1 + 1/r rounds to 1 from r = 2^b on (theory/grokking.py), hence for both at the same loss, only that
StableMax needs about 2^(b - 1) times as long to get there (`later`). So it does not remove the rounding: it delays it.

Sources: L. Prieto, M. Barsbey, P. A. M. Mediano and T. Birdal (2025), arXiv:2501.04697, for StableMax; flows derived here.
"""

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from ratewitness.theory.bounds import vanishes
from ratewitness.theory.identity import identity

_HALF = sp.Rational(1, 2)
_z, _r, _v, _x = sp.symbols("z r v x", positive=True)
_SOFTMAX, _STABLEMAX = (sp.log(_r) + _r - 1) / 4, (_r**2 + 2 * _r - 3) / 8


def softmax_time(r: ArrayLike) -> ArrayLike:
    """When e^{2 z} = r, from r = 1.

    >>> float(softmax_time(1.0))
    0.0
    """
    return (np.log(r) + r - 1) / 4


def stablemax_time(r: ArrayLike) -> ArrayLike:
    """When (1 + z)^2 = r, from r = 1.

    >>> stablemax_time(1.0), stablemax_time(16.0)
    (0.0, 35.625)
    """
    return (r**2 + 2 * r - 3) / 8


@identity(wrong={"log |x|": {"shift": 0}})
def as_softmax(shift=1) -> bool:
    """exp(sign(x) log(1 + |x|)) is 1 + x for x >= 0 and 1/(1 - x) for x < 0."""
    up, down = (sp.exp(sign * sp.log(shift + _x)) for sign in (1, -1))
    return vanishes(up - (1 + _x)) and vanishes(down - 1 / (1 + _x))


def _follows(ratio: sp.Expr, variable: sp.Symbol, time: sp.Expr) -> bool:
    """dt/dvariable = -1/(d loss/d variable), loss = log(1 + 1/ratio), and t = 0 at r = 1."""
    speed = -sp.diff(sp.log(1 + 1 / ratio), variable)
    return vanishes(sp.diff(time.subs(_r, ratio), variable) * speed - 1) and vanishes(time.subs(_r, 1))


@identity(wrong={"loss 1/(2 t)": {"limit": 2}, "without log r": {"time": (_r - 1) / 4}})
def softmax_flow(time=_SOFTMAX, limit=4) -> bool:
    """t = (log r + r - 1)/4 for r = e^{2 z}, and limit t loss -> 1."""
    return _follows(sp.exp(2 * _z), _z, time) and sp.limit(limit * time / _r, _r, sp.oo) == 1


@identity(wrong={"loss (4 t)^(-1/2)": {"limit": 4}, "without 2 r": {"time": (_r**2 - 1) / 8}})
def stablemax_flow(time=_STABLEMAX, limit=8) -> bool:
    """t = (r^2 + 2 r - 3)/8 for r = (1 + z)^2, and limit t loss^2 -> 1; loss r -> 1 in both flows."""
    tail = sp.limit(_r * sp.log(1 + 1 / _r), _r, sp.oo)
    return _follows(_v**2, _v, time) and sp.limit(limit * time / _r**2, _r, sp.oo) == tail == 1


@identity(factor=1)
def later(factor=_HALF) -> bool:
    """stablemax_time(r)/softmax_time(r) = factor r (1 + o(1))."""
    return sp.limit(_STABLEMAX / _SOFTMAX / (factor * _r), _r, sp.oo) == 1
