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

The other components go to the ridge solution at rates 1 - eta (s + lam), s > 0 an eigenvalue of S = X^T X/n
(`row_component`), so that the time to fit has a limit as lam falls, while the delay grows like 1/(eta lam) (`decay_law`).
Without decay, for S of full rank and once its slowest direction is alone, the risk passes eps log(1/s)/(-2 log(1 - eta s))
steps after the training loss sum_i s_i e_i^2 does (`late`).

Without a bias six neurons cos(a + j pi/3) + cos(b + 4 j pi/3), squared, with weights cos(c + 5 j pi/3)/3, do what the four
do (`six_neurons`). The margin: cos(2 pi/p) - cos(2 pi k/p) >= 0 for 1 <= k <= p - 1 (`margin`).

A. Gromov (2023), arXiv:2301.02679, for circuits of cosines; L. Prieto et al. (2025), arXiv:2501.04697, for the collapse; N.
Levi et al. (2023), arXiv:2310.16441, for the delay of linear estimators without decay, in continuous time; derived here.
"""

import math

import sympy as sp
from ratewitness.theory.bounds import eps, eta, lam, vanishes
from ratewitness.theory.identity import identity

_HALF = sp.Rational(1, 2)
_a, _b, _c, _start, _beta = sp.symbols("a b c w0 beta", real=True)
_s, _nu, _c0 = sp.symbols("s nu c0", positive=True)


def null_delay(start: float, eps: float, eta: float, lam: float) -> float:
    """Steps until |start|^2 (1 - eta lam)^(2t) = eps.

    >>> round(null_delay(10.0, 0.01, 0.1, 0.1), 6)
    458.210577
    """
    return math.log(start / math.sqrt(eps)) / -math.log1p(-eta * lam)


def late_delay(s: float, eta: float) -> float:
    """Steps from a training loss of eps to a risk of eps without decay, for the smallest eigenvalue s.

    >>> round(late_delay(0.01, 0.2))
    1150
    """
    return math.log(1 / s) / (-2 * math.log1p(-eta * s))


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
    x1, x2, y, n = sp.symbols("x1 x2 y n", positive=True)
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


@identity(wrong={"the teacher as the limit": {"limit": _beta}, "the rate 1 - eta s": {"penalty": 0}})
def row_component(limit=_s * _beta / (_s + lam), penalty=lam) -> bool:
    """w(t) = f + (1 - eta (s + lam))^t (w_0 - f), f = s beta/(s + lam), solves w' = w - eta (s (w - beta) + lam w)."""
    q, power = 1 - eta * (_s + penalty), sp.Symbol("q_t", positive=True)  # of q at t
    now, after = (limit + factor * power * (_start - limit) for factor in (1, q))
    return vanishes(after - (now - eta * (_s * (now - _beta) + lam * now)))


@identity(wrong={"eps in place of sqrt eps": {"root": 1}, "half the law": {"root": sp.Rational(1, 4)}})
def decay_law(root=_HALF) -> bool:
    """eta lam null_time -> log(nu/sqrt eps), and (1 - eta (s + lam))^t falls to eps in a time with a limit, as lam -> 0."""
    bound = sp.log(_nu / sp.sqrt(eps)) / -sp.log(1 - eta * lam)
    fit = sp.log(1 / eps) / -sp.log(1 - eta * (_s + lam))
    limit = sp.limit(eta * lam / -sp.log(1 - eta * lam), lam, 0) * sp.log(_nu / sp.sqrt(eps))
    solved = vanishes(sp.expand_log(2 * bound * sp.log(1 - eta * lam) + 2 * sp.log(_nu) - sp.log(eps), force=True))
    finite = vanishes(fit.subs(lam, 0) - sp.log(1 / eps) / -sp.log(1 - eta * _s))
    return solved and finite and vanishes(sp.expand_log(limit - sp.log(_nu / eps**root), force=True))


@identity(wrong={"without the 2": {"power": 1}, "s^2 in place of s": {"weight": 2}})
def late(power=2, weight=1) -> bool:
    """c^2 (1 - eta s)^(2 t) = eps and s c^2 (1 - eta s)^(2 t') = eps have t - t' = log(1/s)/(-2 log(1 - eta s))."""
    rate = -power * sp.log(1 - eta * _s)
    test, train = (sp.log(factor * _c0**2 / eps) / rate for factor in (1, _s**weight))
    return vanishes(sp.expand_log(test - train - sp.log(1 / _s) / (-2 * sp.log(1 - eta * _s)), force=True))


@identity(wrong={"equal phases": {"phases": (1, 1)}, "phases 1 and 3": {"phases": (1, 3)}, "five": {"count": 5}})
def six_neurons(count=6, phases=(1, 4)) -> bool:
    """(1/3) sum_j cos(c + 5 j pi/3) (cos(a + j pi/3) + cos(b + 4 j pi/3))^2 = cos(a + b - c)."""
    turn, (k, l) = 2 * sp.pi / count, phases
    z = sum(
        sp.cos(_c + j * (k + l) * turn) * (sp.cos(_a + j * k * turn) + sp.cos(_b + j * l * turn)) ** 2 for j in range(count)
    )
    values = {_a: sp.Rational(1, 3), _b: sp.Rational(3, 4), _c: sp.Rational(2, 5)}
    difference = 2 * z / count - sp.cos(_a + _b - _c)
    if abs(difference.subs(values).evalf()) > sp.Rational(1, 10**9):  # false: no need to simplify
        return False
    expanded = sp.expand(sp.expand_trig(difference))
    for x in (_a, _b):
        expanded = sp.expand(expanded.subs(sp.sin(x) ** 2, 1 - sp.cos(x) ** 2))
    return expanded == 0


@identity(factor=1)
def margin(factor=2) -> bool:
    """cos(2 pi/p) - cos(2 pi k/p) = 2 sin(pi (k + 1)/p) sin(pi (k - 1)/p), not negative for 1 <= k <= p - 1."""
    x, k = sp.symbols("x k", real=True)  # x = pi/p
    gap = sp.cos(2 * x) - sp.cos(2 * k * x) - factor * sp.sin((k + 1) * x) * sp.sin((k - 1) * x)
    return vanishes(sp.expand(gap.rewrite(sp.exp)))
