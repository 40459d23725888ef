r"""Class imbalance: gradient flow learns a class of frequency pi_k at the pace of pi_k, sign flow learns all at once.

    f(W) = sum_k pi_k l_k,    l_k = -log softmax(W e_k)_k,    c classes, inputs e_k of frequency pi_k, W(0) = 0

Row k of W, the scores of input k, moves alone, and its c - 1 wrong scores stay equal. With m_k the margin of the right one,
l_k = log(1 + (c-1) e^{-m_k}), and of gradient flow W' = -grad f and sign flow W' = -sign(grad f) there remains

    gradient flow    m_k' = c pi_k / (e^{m_k} + c - 1),    e^{m_k} - 1 + (c-1) m_k = c pi_k t     a function of pi_k t
    sign flow        m_k' = 2,                             l_k = log(1 + (c-1) e^{-2t})           free of the frequency

The left side of the implicit solution is the `potential` G. Of gradient flow follow l_k ~ (c-1)/(c pi_k t) for t -> oo, the
exact time at which a class reaches a loss, and two bounds at every t. Gradient descent with step h > 0, large or small, has

    c pi_k h n  <=  G(m_k after n steps)  <=  c pi_k h n (1 + theta),    theta = (e^x - 1 - x)/x,  x = h pi_k

and so is exactly where the flow is at some time between h n and h n (1 + theta). Sign descent has m_k = 2 h n: the flow
itself. Of methods that divide by the size of the gradients, Adam with eps = 0 does not see the frequency either
(`scale_free`), as the gradients in row k are pi_k times something that depends on the row only.

Proved here for every number of classes c >= 2 and every frequency. Taken from elsewhere: solutions of these ordinary
differential equations are unique, the margin starts at 0 and grows, and log is monotone.

Source: Kunstner, Yadav, Milligan, Schmidt and Bietti (2024), arXiv:2402.19449, for the rates Theta(1/(pi_k t)) and the
contrast with sign descent; the constants and the discrete statements here.
"""

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from ratewitness.theory.bounds import Bound, c, eps, vanishes
from ratewitness.theory.identity import identity
from scipy.special import wrightomega

frequency, t, margin = sp.symbols("frequency t margin", positive=True)
_q, _x, _h = sp.symbols("q x h", positive=True)  # c = 1 + q, so that sympy knows c > 1

_FLOW = "linear softmax, c classes, inputs e_k of the frequency, W(0) = 0"
_KUNSTNER = "Kunstner et al. (2024), arXiv:2402.19449, for the order; constants here"

loss = sp.log(1 + (c - 1) * sp.exp(-margin))
potential = sp.exp(margin) - 1 + (c - 1) * margin
rate = c * frequency / (sp.exp(margin) + c - 1)  # of the margin under gradient flow
_wrong = (c - 1) / (sp.exp(margin) + c - 1)  # the probability of all wrong classes together

_elapsed = c * frequency * t
time_to_loss = Bound(
    "time_to_loss",
    "t with l_k(t) = eps",
    ((c - 1) / (sp.exp(eps) - 1) - 1 + (c - 1) * sp.log((c - 1) / (sp.exp(eps) - 1))) / (c * frequency),
    "tight",
    _FLOW,
    "gradient flow",
    _KUNSTNER,
    "itself",
    domain=sp.exp(eps) <= c,
)
loss_above = Bound("loss_above", "l_k(t)", sp.log(1 + (c - 1) / (1 + _elapsed)), "lower", _FLOW, "gradient flow", _KUNSTNER)
loss_below = Bound(
    "loss_below",
    "l_k(t)",
    sp.log(1 + (c - 1) / (1 + _elapsed - (c - 1) * sp.log(1 + _elapsed))),
    "upper",
    _FLOW,
    "gradient flow",
    _KUNSTNER,
    domain=1 + _elapsed > (c - 1) * sp.log(1 + _elapsed),
)
sign_flow = Bound(
    "sign_flow", "l_k(t)", sp.log(1 + (c - 1) * sp.exp(-2 * t)), "tight", _FLOW, "sign flow", _KUNSTNER, "itself"
)
late = Bound("late", "l_k(t), t -> oo", (c - 1) / _elapsed, "tight", _FLOW, "gradient flow", _KUNSTNER, "in the limit")


def flow_loss(frequency: ArrayLike, t: ArrayLike, c: ArrayLike) -> np.ndarray:
    """l_k(t) of gradient flow as floats that broadcast: v = e^m/(c-1) solves v + log v = (1 + c pi t)/(c-1) - log(c-1).

    >>> np.round(flow_loss(0.5, [0.0, 1.0], 2), 6).tolist()  # e^m + m = 1 + t
    [0.693147, 0.496037]
    """
    frequency, t, c = np.broadcast_arrays(*(np.asarray(each, dtype=float) for each in (frequency, t, c)))
    return np.log1p(1 / wrightomega((1 + c * frequency * t) / (c - 1) - np.log(c - 1)))


def overshoot(step: ArrayLike, frequency: ArrayLike) -> np.ndarray:
    """theta, by which gradient descent is ahead of its time at most: (e^x - 1 - x)/x at x = step times frequency."""
    x = np.asarray(step, dtype=float) * np.asarray(frequency, dtype=float)
    return np.expm1(x) / x - 1


@identity(others=c - 1)
def one_row(others=c - 2) -> bool:
    """Minus the gradient of pi_k l_k in row k: equal in all wrong scores, and its margin grows at `rate`.

    Scores: a right one, one wrong one, c - 2 others that equal it. sympy differentiates by the one, and sets it equal.
    """
    a, b, one = sp.symbols("a b one", real=True)
    f = frequency * (sp.log(sp.exp(a) + sp.exp(one) + others * sp.exp(b)) - a)
    right, wrong = (-sp.diff(f, score).subs(one, b).subs(a, b + margin) for score in (a, one))
    own_loss = (f / frequency).subs(one, b).subs(a, b + margin)
    fits = vanishes(sp.exp(own_loss) - sp.exp(loss))
    gradient = vanishes(right - frequency * _wrong) and vanishes(wrong + right / (c - 1))
    return fits and gradient and vanishes(right - wrong - rate)


@identity(pace=c - 1)
def implicit_solution(pace=c) -> bool:
    """G = e^m - 1 + (c-1) m is 0 at the start and grows at the constant speed c pi_k; `flow_loss` solves it."""
    v = sp.exp(margin) / (c - 1)
    solved = sp.expand_log(v + sp.log(v) - (1 + potential) / (c - 1) + sp.log(c - 1), force=True)
    constant = vanishes(sp.diff(potential, margin) * rate - pace * frequency)
    return constant and vanishes(potential.subs(margin, 0)) and vanishes(solved)


@identity(power=1)
def law_of_the_loss(power=2) -> bool:
    """l_k' = -(c pi_k/(c-1)) (1 - e^{-l_k})^2: near 0 that is -(c pi_k/(c-1)) l_k^2, of solution (c-1)/(c pi_k t)."""
    slope = sp.diff(loss, margin) * rate
    return vanishes(slope + c * frequency / (c - 1) * (1 - sp.exp(-loss)) ** power)


@identity(factor=c - 1)
def late_law(factor=c) -> bool:
    """l_k over (c-1)/(c pi_k t) tends to 1 as t, and with it m, goes to infinity; written in u = e^m.

    log(1 + (c-1)/u) lies between (c-1)/(u+c-1) and (c-1)/u, and both times c pi_k t/(c-1), which is (u - 1 + (c-1) log u)/
    (c-1), tend to 1.
    """
    u = sp.Symbol("u", positive=True)
    elapsed = (potential.subs(margin, sp.log(u)) * factor / c).subs(c, 1 + _q) / _q  # factor pi_k t/(c-1)
    return all(sp.limit(bound * elapsed, u, sp.oo) == 1 for bound in (_q / (u + _q), _q / u))


@identity(offset=0)
def exact_time(offset=1) -> bool:
    """At time_to_loss the margin is log((c-1)/(e^eps - 1)), whose loss is eps and whose G is c pi_k times that time."""
    u = (c - 1) / (sp.exp(eps) - 1)
    at = {margin: sp.log(u)}
    elapsed = u - offset + (c - 1) * sp.log(u)  # G at this margin
    return (
        vanishes(sp.exp(loss.subs(at)) - sp.exp(eps))
        and vanishes(c * frequency * time_to_loss.value - elapsed)
        and vanishes(potential.subs(at) - elapsed)
    )


@identity(share=2)
def bounds_at_every_time(share=1) -> bool:
    """1 + T - (c-1) log(1 + T) <= e^m <= 1 + T for T = c pi_k t: the losses at these margins bound l_k from both sides.

    With u = e^m >= 1 and T = G: 1 + T - u = (c-1) log u >= 0, and u - (1 + T - (c-1) log(1+T)) = (c-1) log((1+T)/u) >= 0.
    """
    u = 1 + _x  # all of u >= 1
    T = potential.subs(margin, sp.log(u))
    above, below = 1 + T - u, u - (1 + T - share * (c - 1) * sp.log(1 + T))
    return (
        vanishes(above - (c - 1) * sp.log(u))
        and vanishes(below - (c - 1) * (sp.log(1 + T) - sp.log(u)))
        and (above.subs(c, 1 + _q)).is_positive is True
    )


@identity(excess=0)
def step_of_descent(excess=1) -> bool:
    """A step of gradient descent moves m by d = h rate, and G by c pi_k h + e^m (e^d - 1 - d), where

    0 <= e^d - 1 - d <= d theta, as (e^y - 1 - y)/y grows with y and d <= h pi_k, and e^m d <= c pi_k h.
    """
    d = _h * rate
    gained = potential.subs(margin, margin + _x) - potential - _x * (sp.exp(margin) + c - 1)  # at _x = d: minus c pi_k h
    ratio = (sp.exp(_x) - 1 - _x) / _x
    # its slope has the sign of a numerator that is 0 at 0 and has the slope y e^y > 0
    numerator = sp.simplify(sp.diff(ratio, _x) * _x**2)
    grows = vanishes(numerator.subs(_x, 0)) and vanishes(sp.diff(numerator, _x) - _x * sp.exp(_x))
    small = _h * frequency - d  # h pi_k - d = h pi_k (e^m - 1)/(e^m + c - 1)
    left = c * frequency * _h - sp.exp(margin) * d  # c pi_k h (c-1)/(e^m + c - 1)
    return (
        vanishes(gained - excess * sp.exp(margin) * (sp.exp(_x) - 1 - _x))
        and vanishes(d * (sp.exp(margin) + c - 1) - c * frequency * _h)
        and grows
        and vanishes(small - _h * frequency * (sp.exp(margin) - 1) / (sp.exp(margin) + c - 1))
        and vanishes(left - c * frequency * _h * _wrong)
    )


@identity(speed=2 * frequency)
def signs(speed=2) -> bool:
    """Minus the gradient is positive in the right score and negative in the wrong ones, so m_k' = 1 + 1, from m_k = 0."""
    right = (frequency * _wrong).subs(c, 1 + _q)
    wrong = -right / _q
    solved = vanishes(loss.subs(margin, speed * t) - sign_flow.value)
    return right.is_positive is True and wrong.is_negative is True and solved


@identity(epsilon=eps)
def scale_free(epsilon=0) -> bool:
    """M/(sqrt V + eps) for gradients times pi_k, M a linear and V a quadratic form in them: free of pi_k for eps = 0."""
    M, V = sp.symbols("M V", positive=True)
    return vanishes(frequency * M / (sp.sqrt(frequency**2 * V) + epsilon) - M / (sp.sqrt(V) + epsilon))
