"""Decoupled decay: what is proved, again in exact fractions and by finite differences."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ratewitness.theory.decoupled_decay import minimizer, normalized_mean
from scipy.optimize import minimize_scalar

number = st.fractions(-5, 5, max_denominator=7)
positive = st.fractions(Fraction(1, 7), 5, max_denominator=7)
decay = st.fractions(Fraction(1, 9), Fraction(8, 9), max_denominator=9)
gradients = st.lists(st.tuples(number, number), min_size=3, max_size=4)
few = settings(max_examples=30)  # of exact fractions that grow


def path(x, gradients, a, M, shrink=0, penalty=0, momentum=0):
    """Iterates of preconditioned SGD in two coordinates, with momentum that averages gradients."""
    m, seen = [0, 0], []
    for g in gradients:
        m = [momentum * m_ + g_ + penalty * x_ for m_, g_, x_ in zip(m, g, x, strict=True)]
        x = [(1 - shrink) * x_ - a * M_ * m_ for x_, M_, m_ in zip(x, M, m, strict=True)]
        seen.append(x)
    return seen


@few
@given(x=st.tuples(positive, positive), g=gradients, a=positive, lam=decay, M=st.tuples(positive, positive))
def test_the_same_iterates_for_a_multiple_of_the_identity_only(x, g, a, lam, M):
    decoupled = path(x, g, a, M, shrink=lam)
    coupled = path(x, g, a, M, penalty=lam / (a * M[0]))
    assert (decoupled == coupled) == (M[0] == M[1])


@few
@given(x=number, g=gradients, a=positive, lam=decay, beta=decay, factor=st.sampled_from([1, Fraction(1, 2), 2]))
def test_gradient_momentum_separates_them_in_the_second_step(x, g, a, lam, beta, factor):
    assume(x != 0)
    decoupled = path((x, x), g, a, (1, 1), shrink=lam, momentum=beta)
    coupled = path((x, x), g, a, (1, 1), penalty=factor * lam / a, momentum=beta)
    assert (decoupled[0] == coupled[0]) == (factor == 1)
    assert decoupled[:2] != coupled[:2]


@given(h=st.floats(0.1, 9), c=st.floats(-5, 5), l=st.floats(0, 9), s=st.floats(0.1, 9))
def test_minimizer(h, c, l, s):
    found = minimize_scalar(lambda x: h / 2 * (x - c) ** 2 + l * s / 2 * x * x, (-6, 6), tol=1e-12).x
    assert minimizer(h, c, l, s) == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 2.0), (1.0, 1.0), (-3.0, 0.5)])
def test_normalized_mean_has_the_slope_of_shrinkage(mean, deviation):
    """And is the sign where nothing deviates."""
    slope = (normalized_mean(mean + 1e-6, deviation) - normalized_mean(mean - 1e-6, deviation)) / 2e-6
    assert slope == pytest.approx(deviation**2 / np.hypot(mean, deviation) ** 3, rel=1e-6)
    assert normalized_mean(mean or 1.0, 0.0) == np.sign(mean or 1.0)
