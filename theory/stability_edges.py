r"""The curvature at which a method with a constant step loses its hold of a minimum, on lam x^2/2.

    gradient descent     2/eta
    heavy ball           (2 + 2b)/eta                      x' = x - eta g + b (x - x_back)
    Nesterov             (2 + 2b)/((1 + 2b) eta)           y = x + b (x - x_back),  x' = y - eta g(y)
    averaged gradients   (2 + 2b)/((1 - b) eta)            m' = b m + (1 - b) g,    x' = x - eta m'
    USAM                 (sqrt(1 + 8 rho/eta) - 1)/(2 rho)             x' = x - eta g(x + rho g)
    SAM                  (|g|/(2 rho)) (sqrt(1 + 8 rho/(eta |g|)) - 1)     USAM with rho/|g|, where |g| is given

Hypotheses: eta, rho > 0, 0 <= b < 1. Below its edge the method contracts to 0, above it diverges: every method here iterates
a polynomial z^2 + p z + q, and by the Routh-Hurwitz criterion (cited) for the polynomial in w of z = (1 + w)/(1 - w) both
roots lie in the unit disk if and only if 1 + p + q > 0, 1 - q > 0 and 1 - p + q > 0 (`disk`). The first is eta lam > 0, the
second holds for b < 1 (for Nesterov's method where the third does), and the third is that lam is below the edge
(`third_condition`); at the edge the roots are -1 and one inside the disk (`at_the_edge`). Adam with a frozen preconditioner
P is the fourth line for the curvature of P^{-1/2} H P^{-1/2}: 38/eta for b = 0.9.

For SAM |g| is a hypothesis about the run, and not a harmless one: in the 2-cycle on lam x^2/2, whose amplitude is
eta lam rho/(2 - eta lam), the edge at the gradient norm of the cycle *is* lam, whatever lam, eta and rho are
(`cycle_of_sam`). That the sharpness sits at SAM's edge says that the run bounces along its top eigenvector, and does not
predict where.

J. Cohen et al. (2021), arXiv:2103.00065, for the first three; J. Cohen et al. (2022), arXiv:2207.14484, for Adam; P. Long
and P. Bartlett (2023), arXiv:2309.12488, for SAM; proofs here.
"""

import sympy as sp
from ratewitness.theory.bounds import vanishes
from ratewitness.theory.identity import identity

eta, lam, rho, b, norm = sp.symbols("eta lam rho b |g|", positive=True)
_z, _w, _p, _q = sp.symbols("z w p q")


def gradient_descent_edge(eta):
    """2/eta."""
    return 2 / eta


def heavy_ball_edge(eta, b):
    """(2 + 2b)/eta."""
    return (2 + 2 * b) / eta


def nesterov_edge(eta, b):
    """(2 + 2b)/((1 + 2b) eta)."""
    return (2 + 2 * b) / ((1 + 2 * b) * eta)


def averaged_edge(eta, b):
    """(2 + 2b)/((1 - b) eta), of Adam for the preconditioned curvature.

    >>> round(averaged_edge(1.0, 0.9), 9)
    38.0
    """
    return (2 + 2 * b) / ((1 - b) * eta)


def usam_edge(eta, rho):
    """The lam with eta lam (1 + rho lam) = 2."""
    return ((1 + 8 * rho / eta) ** 0.5 - 1) / (2 * rho)


def sam_edge(eta, rho, norm):
    """The edge of USAM for rho/|g|, at a gradient of norm |g|."""
    return usam_edge(eta, rho / norm)


def polynomials(eta, lam, b) -> dict:
    """z^2 + p z + q of each method with momentum b, by name, and its edge."""
    s = 1 - eta * lam
    return {
        "heavy ball": (_z**2 - (1 + b - eta * lam) * _z + b, heavy_ball_edge(eta, b)),
        "nesterov": (_z**2 - (1 + b) * s * _z + b * s, nesterov_edge(eta, b)),
        "averaged": (_z**2 - (1 + b - (1 - b) * eta * lam) * _z + b, averaged_edge(eta, b)),
    }


@identity(wrong={"1 - p - q": {"last": -_q}, "1 - q once": {"middle": 1}})
def disk(last=_q, middle=2) -> bool:
    """(1 - w)^2 (z^2 + p z + q) at z = (1 + w)/(1 - w) is (1 - p + q) w^2 + 2 (1 - q) w + (1 + p + q)."""
    z = (1 + _w) / (1 - _w)
    return vanishes((1 - _w) ** 2 * (z**2 + _p * z + _q) - ((1 - _p + last) * _w**2 + middle * (1 - _q) * _w + 1 + _p + _q))


def _coefficients(polynomial):
    return sp.Poly(polynomial, _z).all_coeffs()[1:]


@identity(wrong={"momentum counted twice": {"counted": 2}, "without momentum": {"counted": 0}})
def third_condition(counted=1) -> bool:
    """1 - p + q has the sign of edge - lam, and 1 + p + q is eta lam, or (1 - b) eta lam for averaged gradients."""
    signs = {"heavy ball": eta, "nesterov": eta * (1 + 2 * b), "averaged": eta * (1 - b)}
    first = {"heavy ball": eta * lam, "nesterov": eta * lam, "averaged": (1 - b) * eta * lam}
    holds = True
    for name, (polynomial, edge) in polynomials(eta, lam, b).items():
        p, q = _coefficients(polynomial)
        stated = edge.subs(b, counted * b)
        holds = holds and vanishes(1 - p + q - signs[name] * (stated - lam)) and vanishes(1 + p + q - first[name])
    return holds


@identity(wrong={"the other root is b": {"sign": 1}})
def at_the_edge(sign=-1) -> bool:
    """There the roots are -1 and -b (heavy ball, averaged gradients), -1 and b/(1 + 2b) (Nesterov)."""
    other = {"heavy ball": sign * b, "averaged": sign * b, "nesterov": -sign * b / (1 + 2 * b)}
    return all(
        vanishes(polynomial.subs(lam, edge) - (_z + 1) * (_z - other[name]))
        for name, (polynomial, edge) in polynomials(eta, lam, b).items()
    )


@identity(wrong={"the step of gradient descent": {"momentum": 0}})
def averages_are_momentum(momentum=b) -> bool:
    """Averaged gradients with step eta are the heavy ball with step (1 - b) eta: x'' = x' - (1-b) eta g' + b (x' - x)."""
    x, m = sp.symbols("x m")
    first = x - eta * m
    m_next = b * m + (1 - b) * lam * first
    heavy = first - (1 - momentum) * eta * lam * first + momentum * (first - x)
    return vanishes(first - eta * m_next - heavy)


@identity(wrong={"rho doubled": {"factor": 2}})
def usam(factor=1) -> bool:
    """x' = -x for USAM at its edge: 1 - eta lam (1 + rho lam) = -1 there, and for SAM with rho/|g|."""
    at = sp.sqrt(1 + 8 * rho / eta)
    edge = (at - 1) / (2 * rho)
    return vanishes(sp.expand(eta * edge * (1 + factor * rho * edge) - 2))


@identity(wrong={"amplitude eta rho": {"amplitude": eta * rho}, "gradient norm of amplitude rho": {"amplitude": rho}})
def cycle_of_sam(amplitude=eta * lam * rho / (2 - eta * lam)) -> bool:
    """eta lam (1 + rho lam/|g|) = 2 with |g| = lam times the amplitude of the cycle: the edge there is lam itself."""
    return vanishes(eta * lam * (1 + rho * lam / (lam * amplitude)) - 2)
