"""Edges of stability by bisection on the matrices that the methods iterate, and the catapult by autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.theory import catapult, stability_edges

STEPS, MOMENTA = st.floats(1e-3, 10), st.floats(0, 0.95)
METHODS = {  # the matrix of one step on lam x^2/2, written down from the method, and its edge
    "gradient descent": (lambda s, b: [[1 - s]], lambda eta, b: stability_edges.gradient_descent_edge(eta)),
    "heavy ball": (lambda s, b: [[1 - s + b, -b], [1, 0]], stability_edges.heavy_ball_edge),  # of (x, x_back)
    "nesterov": (lambda s, b: [[(1 + b) * (1 - s), -b * (1 - s)], [1, 0]], stability_edges.nesterov_edge),
    "averaged": (lambda s, b: [[1 - (1 - b) * s, -b], [(1 - b) * s, b]], stability_edges.averaged_edge),  # of (x, eta m)
}


def bisected(unstable, low, high):
    """Where `unstable` turns true, to 1e-9 relative."""
    assert not unstable(low)
    assert unstable(high)
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if unstable(middle) else (middle, high)
    return high


@pytest.mark.parametrize("method", METHODS)
@given(STEPS, MOMENTA)
def test_the_spectral_radius_is_one_at_the_edge(method, eta, b):
    matrix, edge = METHODS[method]
    found = bisected(lambda lam: abs(np.linalg.eigvals(matrix(eta * lam, b))).max() > 1, 0.01 / eta, 200 / eta)
    assert edge(eta, b) == pytest.approx(found, rel=1e-7)


@given(STEPS, st.floats(0.01, 3), st.floats(0.01, 10))
def test_sam_turns_over_at_its_edge(eta, rho, norm):
    found = bisected(lambda lam: eta * lam * (1 + rho * lam / norm) > 2, 1e-9, 2.1 / eta)
    assert stability_edges.sam_edge(eta, rho, norm) == pytest.approx(found, rel=1e-6)
    assert stability_edges.usam_edge(eta, rho / norm) == pytest.approx(found, rel=1e-6)


@given(st.floats(0.05, 1.9), st.floats(0.01, 3), st.floats(0.01, 10))
def test_in_the_cycle_of_sam_the_edge_is_the_curvature(s, rho, lam):
    eta = s / lam
    x = s * rho / (2 - s)
    assert x - eta * lam * (x + rho) == pytest.approx(-x, rel=1e-9)
    assert stability_edges.sam_edge(eta, rho, lam * x) == pytest.approx(lam, rel=1e-7)


@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(0.01, 1))
def test_a_step_of_the_catapult(u, v, eta):
    x = torch.tensor([u, v], dtype=torch.float64, requires_grad=True)
    (x.prod().square() / 2).backward()
    after = x.detach() - eta * x.grad
    f, kappa = catapult.step(u * v, u**2 + v**2, eta)
    assert f == pytest.approx(after.prod().item(), rel=1e-9, abs=1e-12)
    assert kappa == pytest.approx(after.square().sum().item(), rel=1e-9, abs=1e-12)
