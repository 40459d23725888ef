"""Curvature against autograd, and against matrices whose eigenvalues and traces are known."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.problems.curvature import hessian_vector, hutchinson, lanczos
from ratewitness.problems.networks.mlp import MLP, on_rows


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def symmetric(*shape, seed=0):
    """Random symmetric matrices with a fixed spectrum in a random basis: (*batch, d, d), and the spectrum (*batch, d)."""
    A = torch.randn(*shape, shape[-1], generator=generator(seed), dtype=torch.float64)
    values = torch.randn(*shape, generator=generator(seed + 1), dtype=torch.float64).sort(-1).values
    Q = torch.linalg.qr(A).Q
    return (Q * values.unsqueeze(-2)) @ Q.mT, values


def product(H):
    return lambda v: (H @ v.unsqueeze(-1)).squeeze(-1)


@given(st.integers(1, 12), st.integers(0, 100))
def test_the_whole_space_gives_both_ends_of_the_spectrum(d, seed):
    H, values = symmetric(3, d, seed=seed)
    start = torch.randn(3, d, generator=generator(seed + 2), dtype=torch.float64)
    for which, exact in (("largest", values[:, -1]), ("smallest", values[:, 0])):
        found = lanczos(product(H), start, d, which=which)
        torch.testing.assert_close(found.value, exact, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(product(H)(found.vector), exact[:, None] * found.vector, rtol=0, atol=1e-6)


def test_it_is_the_algebraically_largest():
    values = torch.tensor([-3.0, -1.0, 0.5, 2.0], dtype=torch.float64)
    found = lanczos(lambda v: values * v, torch.ones(4, dtype=torch.float64), 4)
    assert found.value.item() == pytest.approx(2.0)


def test_an_eigenvalue_lies_within_the_residual():
    H, values = symmetric(5, 60)
    start = torch.randn(5, 60, generator=generator(3), dtype=torch.float64)
    for steps in (1, 2, 5, 10):
        found = lanczos(product(H), start, steps)
        nearest = (values - found.value[:, None]).abs().min(-1).values
        assert (nearest <= found.residual * (1 + 1e-9) + 1e-12).all()
        assert (found.value <= values[:, -1] + 1e-12).all()
        assert found.products == steps + 1


def test_the_residual_is_attained():
    found = lanczos(lambda v: v * torch.tensor([1.0, -1.0]), torch.ones(2), 1)  # both eigenvalues are at distance 1 of 0
    assert found.value.item() == pytest.approx(0.0, abs=1e-6)
    assert found.residual.item() == pytest.approx(1.0)


def test_it_stops_at_the_tolerance():
    H, _ = symmetric(2, 80)
    start = torch.randn(2, 80, generator=generator(3), dtype=torch.float64)
    found = lanczos(product(H), start, 80, tolerance=1e-3)
    assert found.products < 60
    assert (found.residual <= 1.01e-3 * found.value.abs()).all()


def test_a_start_in_an_invariant_space_goes_on_beside_one_that_is_not():
    H = torch.diag(torch.tensor([3.0, 2.0, 1.0], dtype=torch.float64)).expand(2, 3, 3)
    start = torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    found = lanczos(product(H), start, 3)
    torch.testing.assert_close(found.value, torch.tensor([2.0, 3.0], dtype=torch.float64))
    assert found.residual.max() < 1e-9


@pytest.mark.parametrize("which", ["largest", "smallest"])
@pytest.mark.parametrize("sign", [1.0, -1.0, 0.0])
def test_an_exhausted_space_has_no_eigenvalue_zero(sign, which):
    full = torch.tensor([3.0, 2.0, 1.0], dtype=torch.float64)
    values = torch.stack([full, torch.ones_like(full), full])  # starts below: an eigenvector, any vector, all of the space
    start = torch.tensor([[0.0, 1.0, 0.0], [1.0, 2.0, 3.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    values, last = torch.cat([sign * values[:2], -values[2:], values[2:]]), start[2:]
    found = lanczos(lambda v: values * v, torch.cat([start, last]), 3, which=which)
    top = {"largest": [-1.0, 3.0], "smallest": [-3.0, 1.0]}[which]
    torch.testing.assert_close(found.value, torch.tensor([2 * sign, sign, *top], dtype=torch.float64))
    assert found.residual.max() < 1e-9


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_hessian_that_is_not_finite_spoils_no_other(bad):
    H, values = symmetric(3, 30)
    start = torch.randn(3, 30, generator=generator(3), dtype=torch.float64)
    alone = lanczos(product(H[1:]), start[1:], 30)
    H[0, 2, 5] = bad
    found = lanczos(product(H), start, 30)
    assert torch.stack([found.value[0], found.residual[0]]).isnan().all()
    torch.testing.assert_close(found.value[1:], alone.value)
    torch.testing.assert_close(found.value[1:], values[1:, -1])


def test_the_hessian_of_networks():
    network = MLP((3, 4, 2), "tanh")
    inputs = torch.randn(7, 3, generator=generator(), dtype=torch.float64)
    problem = on_rows(network, inputs, torch.arange(7) % 2, generator())
    x = network.initial(generator(1), 2, dtype=torch.float64)
    H = torch.stack([torch.autograd.functional.hessian(problem.gap, point) for point in x])
    v = torch.randn(x.shape, generator=generator(2), dtype=x.dtype)
    torch.testing.assert_close(hessian_vector(problem.grad, x, v), product(H)(v))
    found = lanczos(lambda v: hessian_vector(problem.grad, x, v), v, 20, tolerance=1e-8)
    torch.testing.assert_close(found.value, torch.linalg.eigvalsh(H)[:, -1])
    trace = hutchinson(lambda v: hessian_vector(problem.grad, x, v), x, 4000, generator(3))
    assert ((trace.value - H.diagonal(dim1=-1, dim2=-2).sum(-1)).abs() < 5 * trace.error).all()


@pytest.mark.parametrize(("distribution", "square"), [("signs", False), ("normal", True)])
def test_the_spread_of_probes(distribution, square):
    H, _ = symmetric(10)
    found = hutchinson(product(H), torch.ones(10, dtype=torch.float64), 20000, generator(), distribution, batch=5000)
    diagonal = H.diagonal()
    exact = 2 * (H.square().sum() - (0 if square else diagonal.square().sum()))
    assert found.error.item() ** 2 * found.probes == pytest.approx(exact.item(), rel=0.06)  # sd of it is 1 to 2 %
    assert abs(found.value - diagonal.sum()) < 5 * found.error


def test_signs_are_exact_on_a_diagonal_and_stop_when_there_are_enough():
    values = torch.tensor([1.0, 2.0, 3.0])
    found = hutchinson(lambda v: values * v, values, 1000, generator(), tolerance=1e-6, batch=4)
    assert (found.value.item(), found.probes) == (6.0, 16)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda H, x: lanczos(H, x, 0), "steps is 0; accepted are integers from 1 on"),
        (lambda H, x: lanczos(H, x, 3, tolerance=math.nan), "tolerance is nan"),
        (lambda H, x: lanczos(H, x, 3, which="top"), "which is 'top'"),
        (lambda H, x: lanczos(H, 0 * x, 3), "start is 0 or NaN"),
        (lambda H, x: hutchinson(H, x, 1, generator()), "probes is 1"),
        (lambda H, x: hutchinson(H, x, 4, generator(), "uniform"), "distribution is 'uniform'"),
        (lambda H, x: hutchinson(H, x, 4, generator(), tolerance=-1.0), "tolerance is -1.0"),
    ],
)
def test_refused(call, line):
    with pytest.raises(ValueError, match=line):
        call(lambda v: v, torch.ones(3))
