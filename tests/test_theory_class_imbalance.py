"""Class imbalance: the flow against an integrator, gradient descent between two times of it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.theory.class_imbalance import (
    flow_loss,
    late,
    loss_above,
    loss_below,
    overshoot,
    sign_flow,
    time_to_loss,
)
from scipy.integrate import solve_ivp
from scipy.special import softmax

classes, frequencies, times = st.integers(2, 10**4), st.floats(1e-6, 1), st.floats(1e-3, 1e9)


def test_the_flow_of_all_rows_at_once():
    """The whole matrix W' = -grad f by a general integrator, against the law of each class."""
    pi, T = np.array([0.6, 0.3, 0.1]), 40.0

    def slope(_, w):
        W = w.reshape(3, 3)
        return -(pi[:, None] * (softmax(W, axis=1) - np.eye(3))).ravel()

    W = solve_ivp(slope, (0, T), np.zeros(9), rtol=1e-10, atol=1e-12).y[:, -1].reshape(3, 3)
    measured = -np.log(np.diag(softmax(W, axis=1)))
    assert measured == pytest.approx(flow_loss(pi, T, 3), rel=1e-7)


@given(pi=frequencies, t=times, c=classes)
def test_bounds_hold_and_meet(pi, t, c):
    loss, low, high = flow_loss(pi, t, c), loss_above(frequency=pi, t=t, c=c), loss_below(frequency=pi, t=t, c=c)
    assert low <= loss * (1 + 1e-6)
    assert math.isnan(high) or loss <= high * (1 + 1e-6)  # log(1 + x) is rounded at small x
    elapsed = c * pi * t
    if elapsed > 100 * c * math.log(elapsed + 1):
        assert loss / late(frequency=pi, t=t, c=c) == pytest.approx(1, rel=0.03)
        assert high <= 1.03 * low


@given(pi=frequencies, share=st.floats(0.001, 0.999), c=classes)
def test_the_time_to_a_loss_inverts_the_law(pi, share, c):
    eps = share * math.log(c)
    assert flow_loss(pi, time_to_loss(frequency=pi, eps=eps, c=c), c) == pytest.approx(eps, rel=1e-6)


@given(pi=st.floats(1e-3, 1), step=st.floats(1e-3, 50), c=st.integers(2, 1000))
def test_gradient_descent_is_the_flow_at_a_later_time_within_theta(pi, step, c):
    """Whatever the step: by the recursion of the margin, for 200 steps."""
    m, n = 0.0, np.arange(201)
    margins = [m]
    for _ in n[1:]:
        m = m + step * c * pi / (math.exp(min(m, 700)) + c - 1)
        margins.append(m)
    measured = np.log1p((c - 1) * np.exp(-np.array(margins)))
    slow, fast = flow_loss(pi, step * n, c), flow_loss(pi, step * n * (1 + overshoot(step, pi)), c)
    # the flow's own law is rounded where c is large
    assert (measured <= slow * (1 + 1e-7)).all()
    assert (measured >= fast * (1 - 1e-7)).all()


def test_values_by_hand():
    assert flow_loss(0.3, 0.0, 7) == pytest.approx(math.log(7))
    assert sign_flow(t=0.0, c=7.0) == pytest.approx(math.log(7))
    assert sign_flow(t=math.log(6) / 2, c=7.0) == pytest.approx(math.log(2))
    assert overshoot(1.0, 1.0) == pytest.approx(math.e - 2)
    assert math.isnan(time_to_loss(frequency=0.5, eps=2.0, c=2.0))  # above log c, the loss at the start
