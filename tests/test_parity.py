"""Adaptive solvers to rounding: those of torch.optim, and the written formulas in exact fractions and in 50 digits."""

from fractions import Fraction
from functools import partial
from math import isqrt

import mpmath
import pytest
import scripted
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.solvers.adadelta import AdaDelta
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.solvers.adam import Adam, AdamW, AdamWPaper
from ratewitness.solvers.adopt import ADOPT
from ratewitness.solvers.amsgrad import AMSGrad
from ratewitness.solvers.around.ascent import Ascent
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.schedules import InversePower
from scripted import path, torch_path

gradients = partial(scripted.gradients, spread=3.0)
BETA1, BETA2, EPS = (
    st.sampled_from([0.0, 0.5, 0.9, 0.99]),
    st.sampled_from([0.5, 0.9, 0.999]),
    st.sampled_from([1e-10, 1e-3, 1.0]),
)


def adagrad(draw, lr):
    eps = draw(EPS)
    return AdaGrad(lr, eps, eps_inside=False), (torch.optim.Adagrad, {"eps": eps})


def adadelta(draw, lr):
    rho, eps = draw(BETA2), draw(EPS)
    return AdaDelta(lr, rho, eps), (torch.optim.Adadelta, {"rho": rho, "eps": eps})


def rmsprop(draw, lr):
    alpha, eps, momentum, centered = draw(BETA2), draw(EPS), draw(st.sampled_from([0.0, 0.5, 0.9])), draw(st.booleans())
    ours = RMSProp(lr, alpha, eps, eps_inside=False, centered=centered, momentum=momentum)
    return ours, (torch.optim.RMSprop, {"alpha": alpha, "eps": eps, "momentum": momentum, "centered": centered})


def adam(draw, lr):
    beta1, beta2, eps = draw(BETA1), draw(BETA2), draw(EPS)
    return Adam(lr, beta1, beta2, eps), (torch.optim.Adam, {"betas": (beta1, beta2), "eps": eps})


def amsgrad(draw, lr):
    beta1, beta2, eps = draw(BETA1), draw(BETA2), draw(EPS)
    return AMSGrad(lr, beta1, beta2, eps), (torch.optim.Adam, {"betas": (beta1, beta2), "eps": eps, "amsgrad": True})


def adamw(draw, lr):
    beta1, beta2, eps, decay = draw(BETA1), draw(BETA2), draw(EPS), draw(st.sampled_from([0.0, 0.01, 0.7]))
    return AdamW(lr, beta1, beta2, eps, decay), (
        torch.optim.AdamW,
        {"betas": (beta1, beta2), "eps": eps, "weight_decay": decay},
    )


def sgd(draw, lr):
    momentum = draw(st.sampled_from([0.0, 0.5, 0.9]))
    return HeavyBall(lr(0), momentum), (torch.optim.SGD, {"momentum": momentum})


def around(ours, decay, maximize):
    """torch's weight_decay is coupled, and keeps its sign under maximize."""
    ours = CoupledDecay(ours, decay) if decay else ours
    return Ascent(ours) if maximize else ours


@pytest.mark.parametrize("method", [sgd, adagrad, adadelta, rmsprop, adam, amsgrad, adamw], ids=lambda m: m.__name__)
@settings(max_examples=60)
@given(
    data=st.data(),
    seed=st.integers(0, 10_000),
    lr=st.floats(1e-3, 1.0),
    power=st.sampled_from([0.0, 0.5]),
    decay=st.sampled_from([0.0, 0.01, 0.7]),
    maximize=st.booleans(),
)
def test_the_methods_of_torch_with_decay_momentum_and_maximize(method, data, seed, lr, power, decay, maximize):
    g, x0 = gradients(20, 4, 3, seed=seed), gradients(1, 4, 3, seed=seed + 1)[0]
    rule = InversePower(lr, 0.0 if method is sgd else power)  # torch's momentum is Polyak's for a constant step
    ours, (theirs, options) = method(data.draw, rule)
    if method is adamw:  # decay of its own, not multiplied by anything that maximize changes
        ours = around(ours, 0.0, maximize)
    else:
        ours, options = around(ours, decay, maximize), {**options, "weight_decay": decay}
    expected = torch_path(theirs, g, x0, rule, maximize=maximize, **options)
    torch.testing.assert_close(path(ours, g, x0), expected, rtol=0, atol=1e-13 * float(expected.abs().max()))


# The formulas, one entry at a time, in whatever numbers come with their square root.


def adagrad_formula(g, x, root, lr, eps):
    total = 0
    for gk in g:
        total += gk * gk
        x -= lr * gk / root(eps + total)
        yield x


def rmsprop_formula(g, x, root, lr, beta2, eps):
    v = 0
    for gk in g:
        v = beta2 * v + (1 - beta2) * gk * gk
        x -= lr * gk / root(eps + v)
        yield x


def adadelta_formula(g, x, root, lr, rho, eps):
    v = u = 0
    for gk in g:
        v = rho * v + (1 - rho) * gk * gk
        d = root(u + eps) / root(v + eps) * gk
        u = rho * u + (1 - rho) * d * d
        x -= lr * d
        yield x


def adopt_formula(g, x, root, lr, beta1, beta2, eps):
    v, m = g[0] * g[0], None
    yield x
    for gk in g[1:]:
        u = gk / max(root(v), eps)
        m = u if m is None else beta1 * m + (1 - beta1) * u
        v = beta2 * v + (1 - beta2) * gk * gk
        x -= lr * m
        yield x


def adam_formula(g, x, root, lr, beta1, beta2, eps, decay=0, corrected=True, largest=None, schedule=None):
    """largest: None for Adam, "v" for the maximum of v, "vhat" for the maximum of the corrected v.

    schedule: where it is given, lr multiplies the direction and this the whole of the step, decay included.
    """
    m = v = u = 0
    for k, gk in enumerate(g, start=1):
        m, v = beta1 * m + (1 - beta1) * gk, beta2 * v + (1 - beta2) * gk * gk
        c1, c2 = (1 - beta1**k, 1 - beta2**k) if corrected else (1, 1)
        if largest == "v":
            u = max(u, v)
            denominator = root(u / c2) + eps
        elif largest == "vhat":
            u = max(u, v / c2)
            denominator = root(u) + eps
        else:
            denominator = root(v / c2) + eps
        direction = m / c1 / denominator
        x = x - lr * decay * x - lr * direction if schedule is None else x - schedule * (lr * direction + decay * x)
        yield x


def exact_root(value):
    """The square root of a fraction that is a square."""
    root = Fraction(isqrt(value.numerator), isqrt(value.denominator))
    assert root * root == value
    return root


# t and sqrt(1 + t^2) both rational
TRIPLES = [Fraction(a, b) for a, b in [(3, 4), (4, 3), (5, 12), (12, 5), (8, 15), (15, 8), (7, 24), (24, 7), (20, 21)]]
signed = st.lists(st.tuples(st.sampled_from(TRIPLES), st.sampled_from([-1, 1])), min_size=1, max_size=6)


def growing(ratios, start):
    """g_k with start^2 + g_0^2 + ... + g_k^2 a square for every k."""
    g, s = [], start
    for t, sign in ratios:
        g.append(sign * s * t)
        s *= exact_root(1 + t * t)
    return g


def averaging(ratios, beta2):
    """g_k with v_k a square for every k, where beta2 and 1 - beta2 are."""
    b, c, s, g = exact_root(beta2), exact_root(1 - beta2), Fraction(0), []
    for t, sign in ratios:
        g.append(sign * (b * s * t / c if s else t))
        s = b * s * exact_root(1 + t * t) if s else c * t
    return g


def in_floats(solver, g, x0):
    g, x0 = (torch.tensor([float(v) for v in values], dtype=torch.float64) for values in (g, [x0]))
    return path(solver, g[:, None], x0)[:, 0]


def assert_equal(seen, expected, tol=1e-14):
    expected = torch.tensor([float(x) for x in expected], dtype=torch.float64)
    torch.testing.assert_close(seen, expected, rtol=0, atol=tol * float(expected.abs().max()))


X, LR, B1, B2, E = Fraction(1, 2), Fraction(1, 8), Fraction(3, 4), Fraction(9, 25), Fraction(1, 16)


@given(ratios=signed)
def test_adagrad_in_fractions(ratios):
    """eps = 9 inside the root."""
    g = growing(ratios, Fraction(3))
    assert_equal(in_floats(AdaGrad(0.125, 9.0), g, X), adagrad_formula(g, X, exact_root, LR, 9))


@given(ratios=signed)
def test_the_averages_in_fractions(ratios):
    """beta2 = 9/25, so that v_k is a square; where eps is outside of the root it is 1/16."""
    g, b2 = averaging(ratios, B2), float(B2)
    adam = partial(adam_formula, g, X, exact_root, LR, B1, B2, corrected=False)
    assert_equal(in_floats(RMSProp(0.125, b2, 0.0), g, X), rmsprop_formula(g, X, exact_root, LR, B2, 0))
    assert_equal(in_floats(Adam(0.125, 0.75, b2, 0.0625, bias_correction=False), g, X), adam(E))
    assert_equal(in_floats(AMSGrad(0.125, 0.75, b2, 0.0, bias_correction=False), g, X), adam(0, largest="v"))


@given(g=st.lists(st.fractions(-5, 5, max_denominator=64).filter(bool), min_size=1, max_size=6))
def test_the_corrections_in_fractions(g):
    """beta2 = 0, where vhat = g^2; the mean is corrected all the same."""
    formula = partial(adam_formula, g, X, exact_root, LR, B1, 0, E)
    assert_equal(in_floats(Adam(0.125, 0.75, 0.0, 0.0625), g, X), formula())
    assert_equal(in_floats(AdamW(0.125, 0.75, 0.0, 0.0625, 0.5), g, X), formula(Fraction(1, 2)))
    paper = AdamWPaper(0.125, 0.75, 0.0, 0.0625, 0.5, schedule=0.25)
    assert_equal(in_floats(paper, g, X), formula(Fraction(1, 2), schedule=Fraction(1, 4)))
    for maximum, largest in (("raw", "v"), ("corrected", "vhat")):
        assert_equal(in_floats(AMSGrad(0.125, 0.75, 0.0, 0.0625, maximum=maximum), g, X), formula(largest=largest))


IN_50_DIGITS = {
    "AdaGrad": lambda lr, b1, b2, eps: (AdaGrad(lr, eps), adagrad_formula, (lr, eps), {}),
    "RMSProp": lambda lr, b1, b2, eps: (RMSProp(lr, b2, eps), rmsprop_formula, (lr, b2, eps), {}),
    "AdaDelta": lambda lr, b1, b2, eps: (AdaDelta(lr, b2, eps), adadelta_formula, (lr, b2, eps), {}),
    "Adam": lambda *s: (Adam(*s), adam_formula, s, {}),
    "Adam, uncorrected": lambda *s: (Adam(*s, bias_correction=False), adam_formula, s, {"corrected": False}),
    "AdamW": lambda *s: (AdamW(*s, 0.3), adam_formula, s, {"decay": 0.3}),
    "AdamW of the paper": lambda *s: (
        AdamWPaper(*s, 0.3, schedule=0.25),
        adam_formula,
        s,
        {"decay": 0.3, "schedule": 0.25},
    ),
    "AMSGrad": lambda *s: (AMSGrad(*s), adam_formula, s, {"largest": "v"}),
    "AMSGrad of the paper": lambda *s: (
        AMSGrad(*s, bias_correction=False),
        adam_formula,
        s,
        {"largest": "v", "corrected": False},
    ),
    "ADOPT": lambda *s: (ADOPT(*s), adopt_formula, s, {}),
    "AMSGrad, corrected maximum": lambda *s: (AMSGrad(*s, maximum="corrected"), adam_formula, s, {"largest": "vhat"}),
}


@pytest.mark.parametrize("name", IN_50_DIGITS)
@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), lr=st.floats(1e-3, 1.0), beta1=BETA1, beta2=BETA2, eps=EPS)
def test_the_formulas_in_50_digits(name, seed, lr, beta1, beta2, eps):
    """The seminar's: eps inside the root for AdaGrad, RMSProp and AdaDelta, outside for the others."""
    solver, formula, numbers, options = IN_50_DIGITS[name](lr, beta1, beta2, eps)
    g, x0 = gradients(12, 1, seed=seed)[:, 0], gradients(1, 1, seed=seed + 1)[0, 0]
    with mpmath.workdps(50):
        exact = [mpmath.mpf(v) for v in numbers]
        options = {name: mpmath.mpf(v) if isinstance(v, float) else v for name, v in options.items()}
        expected = [*formula([mpmath.mpf(v) for v in g.tolist()], mpmath.mpf(float(x0)), mpmath.sqrt, *exact, **options)]
    assert_equal(in_floats(solver, g, x0), expected, 1e-13)
