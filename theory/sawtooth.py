r"""The sawtooth gradient attains the nonconvex rate of gradient descent on the line.

    f'(x) = L x on [0, g/L];   f'(x) = g - L min(x - l, r - x) on each of N teeth [l, r], r - l = h g/L;   then g
    f'(x_k) = g for k <= N,   f(x_k) - f(x_{k+1}) = (4h-h^2) g^2/(4L),   Delta = g^2 (N(4h-h^2)+2)/(4L)

Hypotheses: step h/L, 0 < h <= 1, x_0 at the right end of the last tooth, so that x_N = g/L and ||g_k||^2
equals 4 L Delta/(N(4h-h^2)+2) for every k <= N.  The path sits on the kinks and is unstable: rounding errors
double at every step, so a run needs integers or fractions.

Each proof returns True iff sympy reduces the difference of both sides to zero for symbolic parameters.

Source: the rate is Abbaszadehpeivasti, de Klerk and Zamani (2021), arXiv:2104.05468; the proofs are worked
out here.
"""

import sympy as sp
from ratewitness.theory import gradient_descent
from ratewitness.theory.bounds import Delta, L, N, T, h, vanishes
from ratewitness.theory.identity import identity

_g = sp.Symbol("g", positive=True)


@identity(dip=2)
def sawtooth_run(dip=1) -> bool:
    """The teeth: f' = g at both ends of a piece of length h g/L, slopes +-L, so GD lands on the next kink.

    f' = g - L min(x - l, r - x) on [l, r], r - l = h g/L; on the last piece f' = L x and x_N = g/L.
    """
    left, width = sp.symbols("l width", positive=True)
    right = left + width
    rise = [_g - dip * L * (x - left) for x in (left, (left + right) / 2)]
    fall = [_g - L * (right - x) for x in ((left + right) / 2, right)]
    (landing,) = sp.solve(right - h / L * rise[0] - left, width)
    continuous = vanishes(rise[1] - fall[0]) and rise[0] == _g and fall[1] == _g
    return continuous and vanishes(landing - h * _g / L)


@identity(factor=3)
def sawtooth_step_loss(factor=4) -> bool:
    """The integral of f' over one piece is (4h-h^2) g^2/(4L).

    >>> sawtooth_step_loss(), sawtooth_step_loss(factor=3)
    (True, False)
    """
    x = sp.Symbol("x", positive=True)
    half = sp.integrate(_g - L * x, (x, 0, h * _g / (2 * L)))
    return vanishes(2 * half - (factor * h - h**2) * _g**2 / (4 * L))


@identity(last=1)
def sawtooth_total(last=2) -> bool:
    """N losses and the last parabola (g/L)^2 L/2 add up to Delta = g^2 (N(4h-h^2)+2)/(4L): the bound with equality."""
    total = N * (4 * h - h**2) * _g**2 / (4 * L) + L * (_g / L) ** 2 / 2
    bound = gradient_descent.nonconvex.value.subs(sp.Min(4 * h - h**2, 4 * h - h**3), 4 * h - h**2)
    delta = _g**2 * (N * (4 * h - h**2) + last) / (4 * L)
    return vanishes(total - delta) and vanishes(bound.subs(Delta, delta) - _g**2)


@identity(power=1)
def sawtooth_count(power=2) -> bool:
    """One step more is enough: it leaves (1-h) g, and (1-h)^2 (T c + 2) <= (T-1) c + 2 for c = 4h - h^2.

    The difference is at least its value at T = 1, h^2 (h^2 - 6h + 7) = h^2 ((3-h)^2 - 2) > 0, as c
    (1-(1-h)^2) > 0.
    """
    slack = (T - 1) * (4 * h - h**2) + 2 - (1 - h) ** power * (T * (4 * h - h**2) + 2)
    growth = (4 * h - h**2) * (1 - (1 - h) ** 2)
    return vanishes(slack.subs(T, 1) - h**2 * ((3 - h) ** 2 - 2)) and vanishes(sp.diff(slack, T) - growth)
