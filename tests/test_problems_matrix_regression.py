"""Matrix regression against autograd and the dense Hessian; its certificate against the search that tries to break it."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.problems.certify.certify import violations
from ratewitness.problems.data.matrix_regression import matrix_regression, random_matrix_regression
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.problem import norm
from scripted import normal, seeded


def low_rank():
    """A of rank 2 with 4 rows, B tall: many minimizers."""
    return normal(4, 2, seed=1) @ normal(2, 3, seed=2), normal(3, 2, seed=3), normal(4, 3, seed=4), normal(4, 3, seed=5)


@given(m=st.integers(1, 5), n=st.integers(1, 5), p=st.integers(1, 5), q=st.integers(1, 5), seed=st.integers(0, 10**6))
def test_constants_are_extreme_eigenvalues_of_the_dense_hessian(m, n, p, q, seed):
    A, B = normal(m, p, seed=seed), normal(n, q, seed=seed + 1)
    problem = matrix_regression(A, B, normal(m, n, seed=seed + 2))
    W = normal(m, n, seed=seed + 3)
    hessian = torch.autograd.functional.hessian(lambda w: problem.gap(w.reshape(m, n)), W.flatten())
    eigenvalues = torch.linalg.eigvalsh(hessian)
    largest = float(eigenvalues[-1])
    nonzero = eigenvalues[-(min(m, p) * min(n, q)) :]  # the others vanish for A and B in general position
    c = problem.constants
    assert c.smoothness == pytest.approx(largest, rel=1e-10)
    assert c.pl == pytest.approx(float(nonzero[0]), rel=1e-6, abs=1e-12 * largest)
    assert c.strong_convexity == (c.pl if m <= p and n <= q else 0.0)


def test_gap_and_gradient_are_those_of_the_formula():
    A, B, target, start = low_rank()
    problem = matrix_regression(A, B, target, start)
    W = normal(6, 4, 3, seed=9).requires_grad_()
    value = torch.linalg.matrix_norm(A.T @ (W - target) @ B) ** 2 / 2
    (slope,) = torch.autograd.grad(value.sum(), W)
    torch.testing.assert_close(problem.gap(W), value)
    torch.testing.assert_close(problem.grad(W), slope)


def test_minimizer_is_the_nearest_one():
    problem = matrix_regression(*low_rank())
    steps = problem.start
    for _ in range(20_000):  # gradient descent ends at the minimizer nearest to its start
        steps = steps - problem.grad(steps) / problem.constants.smoothness
    torch.testing.assert_close(problem.minimizer, steps, rtol=1e-6, atol=1e-8)
    assert problem.gap(problem.minimizer) < problem.floor


@pytest.mark.parametrize("condition", [1.0, 3.0, 10**1.5])
def test_random_instance_has_the_constants_asked_for(condition):
    problem = random_matrix_regression(6, 4, condition, seeded())
    assert problem.constants.smoothness == pytest.approx(1, rel=1e-12)
    assert problem.constants.pl == pytest.approx(condition**-4, rel=1e-9)
    assert problem.radius == pytest.approx(1)
    assert torch.linalg.matrix_rank(random_matrix_regression(6, 4, 3.0, seeded(), rank=2).minimizer) == 2


HONEST = {
    "square": lambda: random_matrix_regression(4, 3, 2.0, seeded()),
    "low rank": lambda: matrix_regression(*low_rank()),
    "noisy": lambda: perturbed(random_matrix_regression(3, 2, 2.0, seeded()), 0.5, n=12),
}


@pytest.mark.parametrize("name", HONEST)
def test_certificate_survives_the_search(name):
    assert violations(HONEST[name](), seeded(7)) == []


@pytest.mark.parametrize("name", HONEST)
@pytest.mark.parametrize(
    ("constant", "factor", "check"),
    [("smoothness", 0.95, "smoothness"), ("pl", 1.05, "PL"), ("strong_convexity", 1.05, "convexity")],
)
def test_constants_five_per_cent_too_good_are_found(name, constant, factor, check):
    problem = HONEST[name]()
    claimed = getattr(problem.constants, constant) * factor
    if claimed == 0:
        return
    planted = replace(problem, constants=replace(problem.constants, **{constant: claimed}))
    assert any(f": {check} is violated" in line for line in violations(planted, seeded(7)))


def test_a_sweep_is_its_instances():
    conditions = torch.tensor([1.0, 5.0, 20.0], dtype=torch.float64)
    family = random_matrix_regression(4, 3, conditions.reshape(3, 1, 1, 1), seeded())
    W = normal(2, 4, 3)
    x = family.starts(2) + W
    assert x.shape == (3, 2, 4, 3)
    for k, condition in enumerate(conditions):
        alone = random_matrix_regression(4, 3, float(condition), seeded())
        torch.testing.assert_close(family.gap(x)[k], alone.gap(W))
        torch.testing.assert_close(family.grad(x)[k], alone.grad(W))
        assert family.constants.smoothness[k] == pytest.approx(alone.constants.smoothness)
        assert family.constants.pl[k] == pytest.approx(alone.constants.pl)


def test_noise_has_the_variance_asked_for():
    problem = perturbed(random_matrix_regression(3, 2, 2.0, seeded()), 0.7, n=12)
    oracle = Oracle.minibatch(problem, 1, seeded())
    x = problem.starts(20_000)
    noise = norm(oracle.grad(x) - problem.grad(x), problem.shape)
    torch.testing.assert_close(noise, torch.full_like(noise, 0.7))
