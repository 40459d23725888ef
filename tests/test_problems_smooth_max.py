"""The smoothed maximum norm: its values against mpmath, its constants against brute force."""

import math
from itertools import product

import mpmath as mp
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.problems.certify.certify import ratios, violations
from ratewitness.problems.smooth_max import smooth_max


def hessian(problem, x):
    return torch.autograd.functional.hessian(problem.gap, x)


@given(
    st.lists(st.floats(-6, 6), min_size=1, max_size=5),
    st.sampled_from([1e-9, 1e-3, 1.0, 49.9, 50.1, 1e5]),
    st.sampled_from([0.1, 1.0, 7.0]),
)
def test_values_and_gradients_are_exact_at_every_scale(x, scale, tau):
    x = [value * scale for value in x]
    problem = smooth_max(len(x), tau)
    with mp.workdps(400):
        total = mp.fsum(mp.cosh(mp.mpf(value) / tau) for value in x)
        value = float(tau * mp.log(total / len(x)))
        slope = [float(mp.sinh(mp.mpf(each) / tau) / total) for each in x]
    at = torch.tensor(x, dtype=torch.float64)
    rounding = 1e-14 + 1e-15 * max(map(abs, x)) / tau  # that of x/tau in the exponent
    assert float(problem.gap(at)) == pytest.approx(value, rel=rounding, abs=1e-290)
    assert problem.grad(at).tolist() == pytest.approx(slope, rel=rounding, abs=1e-290)


@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("tau", [0.2, 1.0])
def test_constants_bound_the_hessian_everywhere(d, tau):
    problem, generator = smooth_max(d, tau), torch.Generator().manual_seed(0)
    c = problem.constants
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=d)), dtype=torch.float64)
    for k in range(60):
        x = 3 * tau * torch.randn(d, generator=generator, dtype=torch.float64)
        if k % 2:
            x[1:] = 0
        H = hessian(problem, x)
        assert torch.linalg.eigvalsh(H)[-1] <= c.smoothness * (1 + 1e-12)
        assert torch.einsum("ki,ij,kj->k", signs, H, signs).max() <= c.smoothness_in["linf"] * (1 + 1e-12)
        assert H.abs().max() <= c.smoothness_in["l1"] * (1 + 1e-12)


@pytest.mark.parametrize("d", [1, 2, 3, 7])
def test_constants_are_attained(d):
    problem, zero = smooth_max(d, 0.5), torch.zeros(d, dtype=torch.float64)
    c = problem.constants
    assert float(hessian(problem, zero).abs().sum()) == pytest.approx(c.smoothness_in["linf"])
    far = zero.clone()
    far[:2] = 20.0
    at_l1 = zero.clone()
    if d > 2:
        at_l1[0] = 0.5 * math.acosh(d - 1 - 2 / (d - 1))
    assert float(hessian(problem, at_l1).abs().max()) == pytest.approx(c.smoothness_in["l1"])
    assert float(torch.linalg.eigvalsh(hessian(problem, zero if d == 1 else far))[-1]) == pytest.approx(c.smoothness)


@pytest.mark.parametrize("d", [1, 2, 4])
def test_the_certifier_finds_no_violation_and_sees_that_l_inf_and_l_1_are_sharp(d):
    problem = smooth_max(d)
    assert violations(problem, torch.Generator().manual_seed(0)) == []
    found = ratios(problem, torch.Generator().manual_seed(0))
    assert found["smoothness in linf"] > 1 - 1e-5
    assert found["smoothness in l1"] > 1 - 1e-3


def test_it_is_the_maximum_norm_up_to_tau_log_2d():
    x = 5 * torch.randn(100, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    largest, f = x.abs().amax(-1), smooth_max(9, 0.3).gap(x)
    assert (f <= largest).all()
    assert (f >= largest - 0.3 * math.log(18)).all()
