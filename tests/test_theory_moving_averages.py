"""Moving averages: the recursion in exact fractions, the head start by summation."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.theory.moving_averages import average, head_start, length, mean_square_errors, noise_it_bears, zeta

betas = st.fractions(0, Fraction(99, 100), max_denominator=100)
numbers = st.lists(st.fractions(-9, 9, max_denominator=9), min_size=1, max_size=8)
few = settings(max_examples=30)  # of exact fractions that grow


def recursion(beta, terms):
    m = Fraction(0)
    for term in terms:
        m = beta * m + (1 - beta) * term
    return m


@pytest.mark.parametrize("k", [1, 2, 3])
@given(beta=st.fractions(Fraction(1, 9), Fraction(8, 9), max_denominator=9), spread=st.fractions(0, 3, max_denominator=4))
def test_the_mean_square_errors_by_enumeration(k, beta, spread):
    """Gradients 1 - spread and 1 + spread, equally likely: all 2^k sequences."""
    plain = [average(beta, draw) for draw in itertools.product((1 - spread, 1 + spread), repeat=k)]
    errors = [sum((scale * m - 1) ** 2 for m in plain) / 2**k for scale in (1 / (1 - beta**k), 1)]
    assert tuple(errors) == mean_square_errors(beta, k, spread**2)
    assert (errors[0] < errors[1]) == (spread**2 < noise_it_bears(beta, k))


@few
@given(beta=betas, terms=numbers)
def test_the_weighted_sum_is_the_recursion(beta, terms):
    assert average(beta, terms) == recursion(beta, terms)


@few
@given(beta=betas, terms=numbers)
def test_the_second_moment_is_the_last_one_and_zeta(beta, terms):
    assert recursion(beta, terms) == (1 - beta ** len(terms)) * terms[-1] + zeta(beta, terms)


@few
@given(beta=st.fractions(Fraction(1, 100), Fraction(99, 100), max_denominator=100), terms=numbers)
def test_zeta_vanishes_at_every_step_only_for_equal_moments(beta, terms):
    biased = any(zeta(beta, terms[:k]) for k in range(1, len(terms) + 1))
    assert biased == (len({*terms}) > 1)


@few
@given(beta=betas, start=st.fractions(0, 9, max_denominator=9), c=st.fractions(-1, 1, max_denominator=9))
def test_a_drift_lags_by_the_mean_age(beta, start, c):
    k = 12
    exact = zeta(beta, [start + c * j for j in range(1, k + 1)])
    assert exact == c * k * beta**k - c * beta / (1 - beta) * (1 - beta**k)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_moments_and_variance_over_every_sequence(k):
    """Gradients 1, 1, 1 and -4, equally likely and independent: the expectation is a mean over 4^k sequences."""
    beta, values = Fraction(2, 3), [1, 1, 1, -4]
    averages = [recursion(beta, terms) for terms in itertools.product(values, repeat=k)]
    mean, square = sum(averages) / 4**k, sum(m * m for m in averages) / 4**k
    sigma2 = Fraction(19, 4) - Fraction(1, 16)
    assert mean == (1 - beta**k) * Fraction(-1, 4)
    assert square - mean**2 == sigma2 * (1 - beta) * (1 - beta ** (2 * k)) / (1 + beta)


@pytest.mark.parametrize("beta2", [0.5, 0.9, 0.99, 0.999])
def test_head_start_bounds_the_sum_and_is_nearly_attained(beta2):
    total = float((length(0.0, beta2, np.arange(1, int(40 / (1 - beta2)))) - 1).sum())
    bound = head_start(beta2=beta2)
    assert bound == pytest.approx(2 * math.log(2) / -math.log(beta2))
    assert bound - 1.47 / math.sqrt(-math.log(beta2)) < total < bound  # Euler-Maclaurin: zeta(1/2) = -1.4603...


def test_head_start_outside_its_domain_is_nan():
    assert math.isnan(head_start(beta2=1.0))


def test_lengths_by_hand():
    assert length(0.0, 0.75, 1) == 2.0
    assert length(0.9, 0.999, 1) == pytest.approx(0.1 / math.sqrt(0.001))
