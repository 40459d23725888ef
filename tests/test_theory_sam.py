"""SAM in theory: what is proved, again by finite differences and by iterating the map itself."""

import numpy as np
import pytest
from ratewitness.theory.sam_quadratics import amplitude, drift_factor, multiplier, small_step_drift_factor
from ratewitness.theory.sharpness import linear_model, top_eigenvalue
from scipy.optimize import approx_fprime

ETA, RHO, LAM = 0.4, 0.05, np.array([3.0, 1.2, 0.5])


def step(w):
    g = LAM * w
    return w - ETA * LAM * (w + RHO * g / np.linalg.norm(g))


@pytest.mark.parametrize("i", range(3))
def test_a_cycle_returns_after_two_steps_and_its_multipliers_are_the_jacobian(i):
    w = amplitude(ETA, LAM[i], RHO) * np.eye(3)[i]
    np.testing.assert_allclose(step(w), -w, rtol=1e-14, atol=1e-17)
    np.testing.assert_allclose(step(step(w)), w, rtol=1e-14, atol=1e-17)
    jacobian = np.stack([approx_fprime(w, lambda v, j=j: step(v)[j], 1e-9) for j in range(3)])
    expected = np.diag([1 - ETA * LAM[i] if j == i else multiplier(ETA, LAM[i], LAM[j]) for j in range(3)])
    np.testing.assert_allclose(jacobian, expected, atol=1e-5)


def test_the_cycle_of_the_top_attracts():
    w = np.array([0.3, -0.7, 1.1])
    for _ in range(400):
        w = step(w)
    np.testing.assert_allclose(np.abs(w), [amplitude(ETA, 3.0, RHO), 0, 0], atol=1e-12)


def test_the_drift_of_small_steps_is_the_limit():
    assert drift_factor(1e-6, 1.0, 0.1) == pytest.approx(small_step_drift_factor(1e-6, 0.1), rel=1e-5)
    assert drift_factor(1.0, 1.0, 0.1) == pytest.approx(4 * small_step_drift_factor(1.0, 0.1))


@pytest.mark.parametrize("x", [0.3, 1.0, 2.5])
def test_the_top_eigenvalue_on_the_hyperbola(x):
    H = [[1 / x**2, 2 - 1], [2 - 1, x**2]]  # second derivatives of (xy - 1)^2/2 where xy = 1: y^2, 2xy - 1, x^2
    assert np.linalg.eigvalsh(H)[-1] == pytest.approx(top_eigenvalue(x))


def test_one_sample_is_worst_against_its_own_input():
    rng = np.random.default_rng(0)
    a, w, y = rng.normal(size=(20, 4)), rng.normal(size=4), rng.choice([-1, 1], 20)
    norms, margins = np.linalg.norm(a, axis=1), y * (a @ w)

    def loss(t):
        return np.logaddexp(0, -t)

    worst = linear_model(loss, margins, norms, 0.3)
    for _ in range(50):
        e = rng.normal(size=(20, 4))
        e *= 0.3 / np.linalg.norm(e, axis=1, keepdims=True)
        assert loss(y * ((w + e) * a).sum(1)).mean() < worst
    assert loss(y * ((w - 0.3 * (y / norms)[:, None] * a) * a).sum(1)).mean() == pytest.approx(worst)
