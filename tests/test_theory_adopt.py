"""ADOPT's drift against a plain loop, and the two conditions under which it goes up or down."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.theory.adam_drift import drift, spike
from ratewitness.theory.adopt import critical_beta2, relative_steps, silence

betas = st.floats(0.01, 0.95)


def plain_loop(g, beta1, beta2, periods):
    """The steps of the last period."""
    v, m, steps = g[0] ** 2, None, []
    for t in range(1, periods * len(g)):
        slope = g[t % len(g)]
        u = slope / math.sqrt(v)
        m = u if m is None else beta1 * m + (1 - beta1) * u
        v = beta2 * v + (1 - beta2) * slope**2
        steps.append(m)
    return steps[-len(g) :]


@settings(max_examples=30)
@given(g=st.lists(st.integers(-9, 9).filter(bool), min_size=2, max_size=5), beta1=betas, beta2=betas)
def test_relative_steps_are_those_of_a_long_run(g, beta1, beta2):
    assert relative_steps([float(slope) for slope in g], beta1, beta2) == pytest.approx(
        plain_loop(g, beta1, beta2, 400), rel=1e-6, abs=1e-6
    )


@given(beta1=betas, beta2=betas, n=st.integers(2, 30), more=st.floats(0.01, 9.0))
def test_it_leads_to_the_right_end_of_spikes_whatever_the_betas(beta1, beta2, n, more):
    g = spike(max(n - 1, 1) + more, n)
    assert sum(relative_steps(g, beta1, beta2)) > 0
    assert sum(relative_steps(g, beta1, beta2)) == pytest.approx(sum(relative_steps(g, 0.0, beta2)), rel=1e-9)


@given(c=st.floats(1.2, 5.0), n=st.integers(3, 12), power=st.sampled_from([0.8, 1.25]))
def test_after_silence_it_fails_below_the_critical_beta2_as_adam_does(c, n, power):
    g, beta2 = silence(c, n), critical_beta2(c, n) ** power
    assert (sum(relative_steps(g, 0.5, beta2)) < 0) == (power > 1) == (drift(g, 0.0, beta2) < 0)
