"""Inverse p-th roots against scipy, pseudo-inverses and constructed spectra, by both methods."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.solvers.norms.inverse_root import inverse_root
from scripted import from_spectrum
from threadpoolctl import threadpool_limits

METHODS = ["eigh", "newton"]
both = pytest.mark.parametrize("method", METHODS)


def error(root, exact):
    return float((root.double() - exact).norm() / exact.norm())


@both
@pytest.mark.parametrize("p", [1, 2, 3, 4, 7])
@threadpool_limits.wrap(limits=1)  # scipy's own threads wait for each other on a busy machine
def test_it_is_the_fractional_power_of_scipy(method, p):
    A = from_spectrum([3.0, 1.0, 1.0, 0.4, 0.05])
    expected = scipy.linalg.fractional_matrix_power((A + 0.1 * torch.eye(5, dtype=torch.float64)).numpy(), -1 / p)
    np.testing.assert_allclose(inverse_root(A, p, 0.1, method), expected, rtol=0, atol=1e-13 * np.abs(expected).max())


@pytest.mark.parametrize("p", [0.5, 2.5, math.pi])
@threadpool_limits.wrap(limits=1)
def test_eigenvalues_allow_any_power(p):
    A = from_spectrum([2.0, 1.0, 0.3])
    expected = scipy.linalg.fractional_matrix_power(A.numpy(), -1 / p)
    np.testing.assert_allclose(inverse_root(A, p), expected, rtol=1e-12, atol=1e-12)


@both
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("p", [1, 2, 4])
@pytest.mark.parametrize("decades", [0, 2, 5, 11])
def test_the_error_is_of_the_order_of_u_kappa(method, dtype, p, decades):
    """d u kappa, and d u for the rounding of a well-conditioned product; newton refuses kappa > 1/(d u)."""
    d, u, kappa = 20, torch.finfo(dtype).eps, 10.0**decades
    spectrum = torch.logspace(0, -decades, d, dtype=torch.float64)
    A = from_spectrum(spectrum).to(dtype)
    if d * u * kappa > 1:
        if method == "newton":
            with pytest.raises(ValueError, match="A \\+ eps I is singular, indefinite or has a condition number above"):
                inverse_root(A, p, method=method)
        return
    root = inverse_root(A, p, method=method)
    assert root.dtype == dtype
    assert torch.equal(root, root.mT) or method == "eigh"
    assert error(root, from_spectrum(spectrum, p)) <= d * u * kappa


@both
def test_a_batch_equals_its_singles_although_its_members_end_at_different_times(method):
    """Condition numbers 1 to 1e8 in one batch with two leading axes: the quick ones are not spoiled by waiting."""
    spectra = [torch.logspace(0, -k, 6, dtype=torch.float64) for k in (0, 1, 3, 5, 7, 8)]
    A = torch.stack([from_spectrum(s, seed=i) for i, s in enumerate(spectra)]).reshape(2, 3, 6, 6)
    root = inverse_root(A, 4, method=method)
    assert root.shape == A.shape
    for i in range(2):
        for j in range(3):
            spectrum = spectra[3 * i + j]
            kappa = float(spectrum[0] / spectrum[-1])
            assert error(root[i, j], from_spectrum(spectrum, 4, seed=3 * i + j)) <= 6 * 2.3e-16 * kappa
            alone = inverse_root(A[i, j], 4, method=method)
            torch.testing.assert_close(root[i, j], alone, rtol=0, atol=2e-15 * kappa * float(alone.abs().max()))


@both
@given(
    spectrum=st.lists(st.floats(0.01, 100.0), min_size=1, max_size=6),
    p=st.integers(1, 6),
    eps=st.floats(0.0, 10.0),
    decades=st.integers(-60, 30),
    seed=st.integers(0, 1000),
)
def test_its_power_inverts(method, spectrum, p, eps, decades, seed):
    """X^p (A + eps I) = I for A of any scale that leaves X^p in range, eps on the scale of A."""
    scale = 10.0**decades
    A = scale * from_spectrum(spectrum, seed=seed)
    root = inverse_root(A, p, scale * eps, method)
    shifted = A + scale * eps * torch.eye(len(spectrum), dtype=torch.float64)
    identity = torch.linalg.matrix_power(root, p) @ shifted
    torch.testing.assert_close(identity, torch.eye(len(spectrum), dtype=torch.float64), rtol=0, atol=1e-10)


@both
@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_tiny_and_huge_matrices_stay_in_range(method, scale):
    """The square of an entry would under- or overflow, the root does not: (c A)^{-1/4} = c^{-1/4} A^{-1/4}."""
    A = from_spectrum([2.0, 1.0, 0.5])
    expected = scale**-0.25 * inverse_root(A, 4)
    torch.testing.assert_close(inverse_root(scale * A, 4, method=method), expected, rtol=1e-12, atol=1e-14 * scale**-0.25)


@both
def test_eps_is_absolute_and_may_differ_in_a_batch(method):
    A = torch.stack([from_spectrum([4.0, 1.0, 0.0], seed=i) for i in range(3)])
    eps = torch.tensor([1.0, 0.1, 1e-3], dtype=torch.float64)[:, None, None]
    together = inverse_root(A, 2, eps, method)
    for i in range(3):
        expected = from_spectrum(torch.tensor([4.0, 1.0, 0.0], dtype=torch.float64) + eps[i, 0, 0], 2, seed=i)
        torch.testing.assert_close(together[i], expected, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(inverse_root(torch.zeros_like(A), 2, eps, method), eps**-0.5 * torch.eye(3).double())
    assert inverse_root(A[0], 2, eps, method).shape == (3, 3, 3)  # one matrix, three values of eps


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("zeros", [1, 3, 5])
def test_a_singular_matrix_has_a_pseudo_inverse_root(dtype, zeros):
    spectrum = torch.cat([torch.linspace(1, 2, 6 - zeros), torch.zeros(zeros)])
    A = from_spectrum(spectrum).to(dtype)
    expected = np.linalg.pinv(from_spectrum(spectrum).numpy(), rcond=1e-10, hermitian=True)
    torch.testing.assert_close(
        inverse_root(A, 1).double(), torch.as_tensor(expected), rtol=0, atol=50 * torch.finfo(dtype).eps
    )
    root = inverse_root(A, 4).double()
    fourth = torch.linalg.matrix_power(root, 4)
    torch.testing.assert_close(fourth, torch.as_tensor(expected), rtol=0, atol=200 * torch.finfo(dtype).eps)
    assert torch.linalg.matrix_rank(root, rtol=1e-3) == 6 - zeros


def test_what_counts_as_zero():
    """d u lambda_max from both sides; with eps > 0 nothing does, and negative rounding counts as 0."""
    u = torch.finfo(torch.float64).eps
    root = inverse_root(torch.diag(torch.tensor([1.0, 5 * u, 3 * u], dtype=torch.float64)), 2)
    expected = torch.diag(torch.tensor([1.0, (5 * u) ** -0.5, 0.0], dtype=torch.float64))
    torch.testing.assert_close(root, expected, rtol=4 * u, atol=0)  # a power and two products; what counts as 0 is 0
    tiny = torch.diag(torch.tensor([1.0, u, -u], dtype=torch.float64))
    expected = torch.diag(torch.tensor([1.0, (2 * u) ** -0.5, u**-0.5], dtype=torch.float64))
    torch.testing.assert_close(inverse_root(tiny, 2, u), expected, rtol=1e-12, atol=0)
    assert torch.equal(inverse_root(torch.zeros(3, 3), 4), torch.zeros(3, 3))


@pytest.mark.parametrize("p", [1, 2, 4])
@pytest.mark.parametrize("decades", [0, 4, 8])
def test_newton_takes_the_steps_of_its_recursion_on_numbers(p, decades):
    """On diagonal matrices: m -> ((p+1-m)/p)^p m from min{(p+1)/2, 2} times each eigenvalue; one step less is too few.

    About log kappa/log((1+1/p)^p) of the steps are growth, the handful left is quadratic convergence.
    """
    d, u = 5, torch.finfo(torch.float64).eps
    A = torch.diag(torch.logspace(0, -decades, d, dtype=torch.float64))
    m, steps = min((p + 1) / 2, 2) * torch.diag(A), 0
    while (m - 1).norm() > 10 * p * d * u:
        m, steps = ((p + 1 - m) / p) ** p * m, steps + 1
    assert abs(steps - decades * math.log(10) / (p * math.log(1 + 1 / p))) < 8
    inverse_root(A, p, method="newton", iterations=steps)
    if steps:
        with pytest.raises(ValueError, match="A \\+ eps I"):
            inverse_root(A, p, method="newton", iterations=steps - 1)


def test_a_root_that_is_done_is_frozen():
    """Bit for bit the same beside a quick matrix as beside one that takes twice the steps.

    All quick ones are one matrix and done at once, so that until then both batches have one shape, and the same products.
    """
    spectrum = torch.linspace(1.0, 2.0, 8, dtype=torch.float64)
    quick, slow = [from_spectrum(spectrum)] * 10, from_spectrum(spectrum**-30)
    alike, mixed = (inverse_root(torch.stack([*quick, other]), 4, method="newton") for other in (quick[0], slow))
    assert torch.equal(alike[:10], mixed[:10])


@pytest.mark.parametrize("p", [32, 64])
def test_newton_keeps_the_digits_for_high_powers(p):
    """From (p+1)/2 instead of 2 the first step would crush the largest eigenvalue: errors of 1e-9, or no end."""
    spectrum = torch.tensor([1.0, 1e-2], dtype=torch.float64)
    for seed in range(20):
        root = inverse_root(from_spectrum(spectrum, seed=seed), p, method="newton")
        assert error(root, from_spectrum(spectrum, p, seed=seed)) < 1e-12


@both
def test_a_matrix_that_is_not_finite_is_refused_or_answered_alone(method):
    A = torch.stack([from_spectrum([2.0, 1.0])] * 3)
    A[1, 0, 1] = math.nan
    with pytest.raises(ValueError, match="A contains nan; accepted are finite entries"):
        inverse_root(A, 2, method=method)
    root = inverse_root(A, 2, method=method, strict=False)
    assert root[1].isnan().all()
    torch.testing.assert_close(root[[0, 2]], inverse_root(A[[0, 2]], 2, method=method), rtol=1e-14, atol=1e-15)


@both
def test_the_input_is_left_alone(method):
    A = from_spectrum([2.0, 1.0])
    held = A.clone()
    inverse_root(A, 4, 0.1, method)
    assert torch.equal(A, held)
