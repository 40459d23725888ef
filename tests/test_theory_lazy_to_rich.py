"""Interpolators of diagonal networks against a constrained minimizer, and the study's flow and gradient against others."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.studies.landscapes.diagonal_runs import LEARNT, Diagonal, beta, critical_scale, flow, least_l1
from ratewitness.theory.lazy_to_rich import interpolator, potential
from scipy.optimize import minimize
from scripted import seeded


def drawn(seed, n=3, d=7):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal(n)


@given(seed=st.integers(0, 1000), logarithm=st.floats(-7, 3))
def test_an_interpolator_fits_and_is_stationary(seed, logarithm):
    (X, y), alpha = drawn(seed), np.exp(logarithm)
    b = interpolator(X, y, alpha)
    assert X @ b == pytest.approx(y, rel=1e-8, abs=1e-8)
    slope = np.arcsinh(b / (2 * alpha**2))
    off = slope - np.linalg.pinv(X) @ (X @ slope)
    assert np.abs(off).max() <= 1e-7 * max(1, np.abs(slope).max())


@pytest.mark.parametrize("alpha", [0.3, 1.0, 5.0])
def test_an_interpolator_minimizes_the_potential(alpha):
    X, y = drawn(1)
    b, null = interpolator(X, y, alpha), np.linalg.svd(X)[2][3:]
    least = np.linalg.pinv(X) @ y
    found = minimize(lambda z: potential(least + z @ null, alpha) * max(1, alpha**2), np.zeros(4), tol=1e-12)
    assert least + found.x @ null == pytest.approx(b, abs=1e-5)


def test_its_ends():
    X, y = drawn(2, 4, 9)
    least = np.linalg.pinv(X) @ y
    assert interpolator(X, y, 1e3) == pytest.approx(least, rel=1e-6)
    signs = np.linalg.norm(interpolator(X, y, 1e-4), 1)
    assert signs == pytest.approx(minimize_l1(X, y), rel=1e-2)


def minimize_l1(X, y):
    """By trying every set of as many columns as rows, at which the least norm is attained."""
    sets = combinations(range(X.shape[1]), len(y))
    return min(np.abs(np.linalg.solve(X[:, list(each)], y)).sum() for each in sets)


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan")])
def test_bad_scales(alpha):
    with pytest.raises(ValueError, match="accepted are positive numbers"):
        interpolator(*drawn(0), alpha)


def test_the_gradient_of_the_study():
    problem = Diagonal.drawn(seeded(), 2)
    w = torch.randn(3, 2, 80, generator=seeded(), dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(problem.training(w).sum() / 2, w)
    torch.testing.assert_close(problem.grad(w.detach()), g)


def test_the_flow_of_the_study():
    """Gradient descent with two small steps, extrapolated to the step 0."""
    problem = Diagonal.drawn(seeded(), 1)
    ends = []
    for step in (2e-4, 1e-4):
        w = problem.start(0.5)[0]
        for _ in range(round(0.2 / step)):
            w = w - step * (problem.grad(w) + 0.3 * w)
        ends.append(beta(w)[0].numpy())
    found = beta(flow(*problem.each()[0], 0.5, 0.3, 0.2).y[:, -1])
    assert found == pytest.approx(2 * ends[1] - ends[0], abs=1e-6)


def test_scales_and_norms_of_the_study():
    X, teacher = Diagonal.drawn(seeded(), 1).each()[0]
    b = interpolator(X, X @ teacher, critical_scale(X, teacher, LEARNT))
    assert ((b - teacher) ** 2).sum() == pytest.approx(LEARNT, rel=1e-6)
    assert least_l1(X, teacher) <= np.abs(teacher).sum() + 1e-9
    end = beta(flow(X, teacher, 1.0, 0.1, 200.0, LEARNT).y[:, -1])
    assert ((end - teacher) ** 2).sum() == pytest.approx(LEARNT, rel=1e-3)
