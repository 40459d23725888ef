r"""The catapult: gradient descent on f = u v, L = f^2/2, with a step too large for the curvature where it starts.

    f' = f (1 - eta kappa + eta^2 f^2),        kappa' = kappa + eta f^2 (eta kappa - 4),        kappa = u^2 + v^2

kappa is the curvature of L at a minimum (f = 0), and there the eigenvalue of the Hessian along (v, u); a minimum holds
gradient descent where eta kappa < 2. Proved: the recursion of (f, kappa), which is closed (`function`, `curvature`);
u^2 - v^2 is multiplied by 1 - eta^2 f^2 (`imbalance`); near f = 0 the factor of f is 1 - eta kappa (`linear`). Hence, while
f != 0, kappa falls where eta kappa < 4 and grows where eta kappa > 4: started between 2/eta and 4/eta with a small f, the
loss grows until kappa has fallen below 2/eta, and gradient descent ends in a flatter minimum than the one it left. That it
does so from every small f below 4/eta, and diverges above, is measured (studies/landscapes/catapult.py) and not proved here.

A. Lewkowycz, Y. Bahri, E. Dyer, J. Sohl-Dickstein and G. Gur-Ari (2020), arXiv:2003.02218.
"""

import sympy as sp
from ratewitness.theory.bounds import vanishes
from ratewitness.theory.identity import identity

u, v = sp.symbols("u v", real=True)
eta = sp.Symbol("eta", positive=True)
_f, _kappa = u * v, u**2 + v**2
_u_next, _v_next = u - eta * _f * v, v - eta * _f * u


def step(f, kappa, eta):
    """(f, kappa) after one step of gradient descent.

    >>> step(1.0, 2.0, 0.5)
    (0.25, 0.5)
    """
    return f * (1 - eta * kappa + eta**2 * f**2), kappa + eta * f**2 * (eta * kappa - 4)


@identity(wrong={"without the square of the step": {"second": 0}})
def function(second=1) -> bool:
    """u' v' = f (1 - eta kappa + eta^2 f^2)."""
    return vanishes(_u_next * _v_next - _f * (1 - eta * _kappa + second * eta**2 * _f**2))


@identity(wrong={"threshold 2": {"threshold": 2}, "threshold 3": {"threshold": 3}})
def curvature(threshold=4) -> bool:
    """u'^2 + v'^2 = kappa + eta f^2 (eta kappa - 4)."""
    return vanishes(_u_next**2 + _v_next**2 - (_kappa + eta * _f**2 * (eta * _kappa - threshold)))


@identity(sign=-1)
def imbalance(sign=1) -> bool:
    """u'^2 - v'^2 = (u^2 - v^2)(1 - eta^2 f^2)."""
    return vanishes(_u_next**2 - _v_next**2 - (u**2 - v**2) * (1 - sign * eta**2 * _f**2))


@identity(wrong={"half the curvature": {"share": sp.Rational(1, 2)}})
def linear(share=1) -> bool:
    """d f'/d f at f = 0 is 1 - eta kappa, along any curve of constant kappa."""
    f, kappa = sp.symbols("f kappa", positive=True)
    return vanishes(sp.diff(step(f, kappa, eta)[0], f).subs(f, 0) - (1 - share * eta * kappa))
