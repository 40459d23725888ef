"""Grokking in closed form against iterations and integrators, and the study's regression against autograd."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.problems.networks.stablemax import stablemax_cross_entropy
from ratewitness.studies.landscapes.grokking_delay import Regression
from ratewitness.theory.grokking import collapse_gap, late_delay, null_delay
from ratewitness.theory.stablemax import softmax_time, stablemax_time
from scipy.integrate import solve_ivp


@given(start=st.floats(1, 100), eta=st.floats(0.01, 0.5), lam=st.floats(0.01, 0.5))
def test_null_delay_counts_multiplications(start, eta, lam):
    length, steps = start, 0
    while length**2 > 1e-3:
        length, steps = length * (1 - eta * lam), steps + 1
    assert steps - 1 - 1e-6 <= null_delay(start, 1e-3, eta, lam) <= steps + 1e-6


@given(s=st.floats(0.01, 0.9), eta=st.floats(0.05, 1))
def test_late_delay_counts_multiplications(s, eta):
    hits = [math.log(1e-6 / weight) / (2 * math.log(1 - eta * s)) for weight in (1, s)]
    assert late_delay(s, eta) == pytest.approx(hits[0] - hits[1], rel=1e-9)


@pytest.mark.parametrize(("dtype", "bits"), [(torch.float32, 24), (torch.float64, 53)])
@pytest.mark.parametrize("classes", [2, 113])
def test_collapse_gap(dtype, bits, classes):
    others = [(classes - 1) * math.exp(-collapse_gap(bits, classes) * (1 + shift)) for shift in (1e-6, -1e-6)]
    beyond, before = (torch.tensor(1.0, dtype=dtype) + torch.tensor(each, dtype=dtype) for each in others)
    assert beyond == 1
    assert before > 1


@pytest.mark.parametrize(
    ("loss", "ratio", "time"),
    [
        (lambda z: torch.nn.functional.cross_entropy(z, torch.tensor([0])), lambda z: math.exp(2 * z), softmax_time),
        (lambda z: stablemax_cross_entropy(z, torch.tensor([0])), lambda z: (1 + z) ** 2, stablemax_time),
    ],
)
def test_flows_of_the_losses_themselves(loss, ratio, time):
    def slope(_, z):
        z = torch.tensor(z, requires_grad=True)
        (g,) = torch.autograd.grad(loss(torch.stack([z, -z], -1)), z)
        return -g.numpy()

    z = solve_ivp(slope, (0, 50), np.zeros(1), rtol=1e-8, atol=1e-10).y[0, -1]
    assert time(ratio(z)) == pytest.approx(50, rel=1e-6)


@pytest.mark.parametrize(("n", "apart"), [(20, False), (60, False), (60, True)])
def test_regression(n, apart):
    problem = Regression(torch.Generator().manual_seed(3), 2, n, apart)
    w = problem.start.clone().requires_grad_()
    (g,) = torch.autograd.grad(problem.training(w).sum() / 2, w)
    torch.testing.assert_close(problem.grad(w.detach()), g)
    null = problem.nulled(problem.start)
    torch.testing.assert_close(null @ problem.S, torch.zeros_like(null))
    torch.testing.assert_close(problem.nulled(problem.beta), torch.zeros_like(null))
    assert (null.norm() > 1) == (n < 40)
    if apart:
        s = torch.linalg.eigvalsh(problem.S)
        assert (s[:, 0] <= 0.05).all()
        assert (s[:, 1] >= 0.0999).all()
