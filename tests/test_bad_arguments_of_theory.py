"""Every bad argument of a theorem is refused by one line that names it: what refuses, the call, parts of the message."""

import math
from fractions import Fraction
from functools import partial

import sympy as sp
from ratewitness.theory import gradient_descent, muon_quintic, sam_bound
from ratewitness.theory.adagrad import heterogeneity
from ratewitness.theory.adam_drift import first_failing, frozen_maximum, spike
from ratewitness.theory.adopt import silence
from ratewitness.theory.bounds import Bound, L, mu
from ratewitness.theory.identity import identity
from scripted import assert_refused, every_row


def bound(value, domain=sp.true):
    return Bound("test", "f(x_N) - f*", value, "upper", "none", "GD", "here", domain=domain)


def twice(factor=2, shift=0) -> bool:
    """x + x is 2 x."""
    return factor == 2 and shift == 0


def proof(degree, last=0):
    return True


ROWS = [
    *(
        ("heterogeneity", partial(heterogeneity, p), "accepted are")
        for p in ([], [0, 0], [-1, 1], [math.nan, 1], [[1, 1], [0, 0]], 1.0)
    ),
    ("frozen_maximum", lambda: frozen_maximum([1.0, -2.0]), "first slope is a largest"),
    *(
        ("h", partial(sam_bound.h, 1.0, **({"k": 5, "n": 100, "delta": 0.01} | changed)), "accepted are k >= 1, n >= 8 and")
        for changed in ({"k": 0}, {"n": 7}, {"delta": 0.0}, {"delta": 1.0}, {"delta": math.nan})
    ),
    ("first_failing", lambda: first_failing(lambda n: False, 100), "no n up to 100"),
    ("spike", lambda: spike(3.0, 1), "n is 1; accepted are integers >= 2"),
    ("silence", lambda: silence(3.0, 2), "rounds is 2; accepted are integers >= 3"),
    ("Bound", lambda: bound(mu / L)(mu=1, nu=2), r"^test takes L, mu; missing: L; unknown: nu$"),
    ("Bound", lambda: bound(mu / L)(L=1, mu=1, nu=2), r"^test takes L, mu; unknown: nu$"),
    ("Bound.exactly", lambda: bound(L).exactly(), r"^test takes L; missing: L$"),
    ("Bound.exactly", lambda: bound(mu / L, mu <= L).exactly(L=1, mu=2), "test holds for"),
    (
        "Bound.exactly",
        lambda: bound(sp.ceiling(L * sp.sqrt(sp.exp(sp.Rational(1, 10**50))))).exactly(L=1),
        "cannot decide whether",
    ),
    ("best_step", lambda: gradient_descent.best_step(0), "steps must be a positive integer, got 0"),
    *(
        ("identity", lambda slips=slips: identity(**slips)(twice), f"^{said}$")
        for slips, said in (
            ({"sign": -1}, "a wrong constant of twice changes sign; accepted are factor, shift"),
            ({"wrong": {"argmax": {"sign": -1, "factor": 1}}}, "argmax of twice changes sign; accepted are factor, shift"),
            ({}, "twice needs a slip, and each must change one of factor, shift"),
            ({"wrong": {"nothing": {}}}, "twice needs a slip, and each must change one of factor, shift"),
        )
    ),
    ("identity", lambda: identity(last=1)(proof), r"^proof gives degree no default; accepted are true values$"),
    *(
        (
            "steps_to_band",
            partial(muon_quintic.steps_to_band, smallest),
            r"smallest is .*; accepted are rationals in \(0, 1\]",
        )
        for smallest in (Fraction(0), Fraction(-1), Fraction(2))
    ),
]


@every_row(ROWS)
def test_a_bad_argument_is_named_in_one_line(call, parts):
    assert_refused(call, parts)
