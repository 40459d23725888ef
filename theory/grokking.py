r"""Grokking that can be computed: a circuit for modular addition, a delay in ridge regression, losses that round to 0.

    four neurons     h = ((cos a + cos b)^2, (sin a - sin b)^2, (cos a + sin b)^2, (sin a + cos b)^2),  angles 2 pi k/p
                     z_c = cos c (h_1 + h_2 - 2)/2 + sin c (h_3 + h_4 - 2)/2 = cos(a + b - c)
    ridge            the component of the start outside the rows of X is multiplied by 1 - eta lam in every step, and
                     nothing else moves it: a test risk |w_0|^2 q^(2t) reaches eps after ln(|w_0|/sqrt eps)/(-ln q) steps
    cross-entropy    log(1 + (C - 1) e^-g) of a gap g between the right logit and C - 1 equal others rounds to 0 in an
                     arithmetic of b bits where (C - 1) e^-g <= 2^-b

So the largest output of the circuit is the right answer for every modulus p >= 2, with margin 1 - cos(2 pi/p)
(`four_neurons`).
The delay of ridge regression times eta lam tends to ln(|w_0|/sqrt eps), which depends on no data that are seen
(`null_component`): the teacher must lie in the row space, else the test risk has a floor. The sum 1 + u rounds to 1 for
u <= 2^-b (half a unit in the last place, ties to even), hence the gap b ln 2 + ln(C - 1) (`collapse`), where b is 24 in
float32 and 53 in float64. Terms that are added to 1 one by one are each lost from b ln 2 on: the order of the sum decides
where between the two the loss becomes 0.

A. Gromov (2023), arXiv:2301.02679, for circuits of cosines; L. Prieto et al. (2025), arXiv:2501.04697, for the collapse;
derived here.
"""

import math

import sympy as sp
from ratewitness.theory.bounds import vanishes
from ratewitness.theory.identity import identity

_a, _b, _c = sp.symbols("a b c", real=True)


def null_delay(start: float, eps: float, eta: float, lam: float) -> float:
    """Steps until |start|^2 (1 - eta lam)^(2t) = eps.

    >>> round(null_delay(10.0, 0.01, 0.1, 0.1), 6)
    458.210577
    """
    return math.log(start / math.sqrt(eps)) / -math.log1p(-eta * lam)


def collapse_gap(bits: int, classes: int) -> float:
    """The logit gap from which cross-entropy is exactly 0 in an arithmetic whose sums have so many bits.

    >>> round(collapse_gap(24, 2), 4), round(collapse_gap(53, 2), 4)
    (16.6355, 36.7368)
    """
    return bits * math.log(2) + math.log(classes - 1)


@identity(wrong={"a plus in the second neuron": {"sign": 1}, "without the constant": {"constant": 0}})
def four_neurons(sign=-1, constant=2) -> bool:
    """cos c (h1 + h2 - 2)/2 + sin c (h3 + h4 - 2)/2 = cos(a + b - c)."""
    h = (
        (sp.cos(_a) + sp.cos(_b)) ** 2,
        (sp.sin(_a) + sign * sp.sin(_b)) ** 2,
        (sp.cos(_a) + sp.sin(_b)) ** 2,
        (sp.sin(_a) + sp.cos(_b)) ** 2,
    )
    z = sp.cos(_c) * (h[0] + h[1] - constant) / 2 + sp.sin(_c) * (h[2] + h[3] - constant) / 2
    return sp.simplify(sp.expand_trig(sp.expand(z - sp.cos(_a + _b - _c)))) == 0


@identity(wrong={"coupled twice": {"factor": 2}, "without decay": {"factor": 0}})
def null_component(factor=1) -> bool:
    """w - eta (X^T (X w - y)/n + lam w) off the rows of X is (1 - eta lam) times w off them: one row, two columns."""
    eta, lam, x1, x2, y, n = sp.symbols("eta lam x1 x2 y n", positive=True)
    w = sp.Matrix(sp.symbols("w1 w2", real=True))
    row, off = sp.Matrix([x1, x2]), sp.Matrix([-x2, x1])
    step = w - eta * (row * (row.dot(w) - y) / n + lam * w)
    return vanishes(off.dot(step) - (1 - factor * eta * lam) * off.dot(w))


@identity(wrong={"ln C": {"shift": 0}, "one bit more": {"more": 1}})
def collapse(shift=1, more=0) -> bool:
    """(C - 1) e^-g = 2^-b at g = b ln 2 + ln(C - 1)."""
    C, bits = sp.symbols("C b", integer=True, positive=True)
    g = (bits + more) * sp.log(2) + sp.log(C - shift)
    return sp.simplify((C - 1) * sp.exp(-g) - 2 ** (-bits)) == 0
