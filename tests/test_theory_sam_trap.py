"""The trap of SAM at maxima of several curvatures: what is derived, again by iterating the map itself."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.theory.sam_trap import safe_step, transverse_exponent

RHO = 0.3


def step(x, mu, eta):
    norm = np.linalg.norm(mu * x, axis=-1, keepdims=True)
    return x * (1 + eta * mu - eta * RHO * mu**2 / norm)


@given(st.lists(st.floats(0.05, 2), min_size=1, max_size=4), st.integers(0, 1000))
def test_the_box_is_not_left_at_the_largest_safe_step(curvatures, seed):
    mu = np.array(curvatures)
    sides = safe_step(mu) * mu * RHO
    x = sides * np.random.default_rng(seed).uniform(-1, 1, (50, len(mu)))
    for _ in range(50):
        x = step(x, mu, safe_step(mu))
        assert (np.abs(x) <= sides * (1 + 1e-9)).all()


def test_a_larger_step_brings_some_corner_out_of_the_box():
    mu = np.array([1.0, 0.5])
    eta = 1.1 * safe_step(mu)
    corner = eta * mu * RHO * np.array([[0.999, 0.999]])
    assert (np.abs(step(corner, mu, eta)) > eta * mu * RHO).any()


@pytest.mark.parametrize("share", [0.37, 0.62, 0.95])
@pytest.mark.parametrize("ratio", [0.1, 0.45, 1.3])
def test_the_exponent_is_the_mean_along_the_axis(share, ratio):
    v, total, steps = np.random.default_rng(0).uniform(0, 1, 2000), 0.0, 1500
    for k in range(-200, steps):
        total += np.log(np.abs(1 + ratio * share - ratio**2 / v)).mean() / steps if k >= 0 else 0
        v = np.abs(1 - (1 + share) * v)
    assert transverse_exponent(ratio, share) == pytest.approx(total, abs=5e-3)


def test_the_flattest_direction_grows_as_without_perturbation():
    assert transverse_exponent(1e-6, 0.9) == pytest.approx(math.log1p(0.9e-6), rel=1e-3)


@pytest.mark.parametrize(("ratio", "share"), [(0, 0.5), (0.5, 0), (0.5, 1.1)])
def test_what_has_no_exponent_is_refused(ratio, share):
    with pytest.raises(ValueError, match="accepted are"):
        transverse_exponent(ratio, share)


def test_a_curvature_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="accepted are positive"):
        safe_step([1.0, 0.0])
