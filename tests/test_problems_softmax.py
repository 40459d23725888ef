"""Softmax regression against autograd, torch's cross-entropy, scikit-learn and scipy, and its certificates."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp
from ratewitness.problems.certify.certify import ratios, violations
from ratewitness.problems.data.logistic import logistic
from ratewitness.problems.data.softmax import (
    _bregman,
    _certified,
    _hessian,
    _loss,
    digits_rows,
    random_rows,
    random_softmax,
    softmax,
)
from ratewitness.problems.quadratics import random_rotation
from scipy.optimize import minimize
from scripted import normal, seeded
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import cross_entropy


def labels(n, K, seed=1):
    return torch.cat([torch.arange(K), torch.randint(K, (n - K,), generator=seeded(seed))])


def with_intercept(K=3, l2=0.01, push=0.0):
    """80 rows with a constant column; `push` starts with all but two classes out of the game, where L is attained."""
    A = torch.cat([normal(80, 3) * torch.tensor([1.0, 0.5, 0.3]), torch.ones(80, 1, dtype=torch.float64)], -1)
    start = torch.zeros(4, K, dtype=torch.float64)
    start[-1, 2:] = -push
    return softmax(A, labels(80, K), l2, start=start)


PROBLEMS = {
    "plain": random_softmax(120, 4, 3, seeded()),
    "l2": random_softmax(80, 5, 4, seeded(1), condition=100.0, l2=0.02),
    "two classes": random_softmax(80, 4, 2, seeded(2), l2=0.01),
    "pushed": with_intercept(push=12.0),
    "separable": random_softmax(30, 4, 3, seeded(3), signal=1e3),
    "rank-deficient": softmax(normal(60, 2) @ normal(2, 4, seed=5), labels(60, 3)),
}
every_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS.keys())


def objective(A, y, l2, x):
    """f in torch's own words."""
    return cross_entropy(A @ x, y) + l2 / 2 * x.square().sum()


@pytest.mark.parametrize("l2", [0.0, 0.03])
def test_gap_and_gradient_are_those_of_the_cross_entropy(l2):
    A, y, x = normal(50, 4), labels(50, 3), normal(4, 3, seed=9).requires_grad_()
    problem = softmax(A, y, l2)
    f = objective(A, y, l2, x)
    torch.testing.assert_close(problem.gap(x.detach()) + problem.constants.optimum, f.detach(), rtol=1e-13, atol=0)
    torch.testing.assert_close(problem.grad(x.detach()), torch.autograd.grad(f, x)[0], rtol=1e-12, atol=1e-14)


def test_a_component_is_the_loss_of_its_row():
    A, y, x = normal(50, 4), labels(50, 3), normal(4, 3, seed=9).requires_grad_()
    problem, i = softmax(A, y, 0.03), 17
    expected = torch.autograd.grad(objective(A[i : i + 1], y[i : i + 1], 0.03, x), x)[0]
    torch.testing.assert_close(problem.sample_grad(x.detach(), torch.tensor([i])), expected, rtol=1e-12, atol=1e-14)


@every_problem
def test_a_batch_is_its_single_points(problem):
    x = 0.5 * normal(2, 3, *problem.shape)
    index = torch.randint(problem.n, (2, 3, 5), generator=seeded(4))
    gap, grad, sample = problem.gap(x), problem.grad(x), problem.sample_grad(x, index)
    assert gap.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(gap[i, j], problem.gap(x[i, j]), rtol=1e-12, atol=1e-14)
            torch.testing.assert_close(grad[i, j], problem.grad(x[i, j]), rtol=1e-12, atol=1e-14)
            single = sum(problem.sample_grad(x[i, j], k.reshape(1)) for k in index[i, j]) / 5
            torch.testing.assert_close(sample[i, j], single, rtol=1e-12, atol=1e-14)


def test_the_hessian_is_that_of_autograd():
    A, y = normal(20, 3), labels(20, 4)
    x = normal(3, 4, seed=2)
    exact = torch.autograd.functional.hessian(lambda w: objective(A, y, 0.1, w), x).reshape(12, 12)
    torch.testing.assert_close(_hessian(A, (A @ x).softmax(-1), 0.1), exact, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("l2", [0.0, 0.05])
def test_the_minimum_is_that_of_scipy_and_scikit_learn(l2):
    A, y = normal(150, 4), labels(150, 3)
    problem = softmax(A, y, l2)

    def value_and_slope(w):
        x = torch.tensor(w).reshape(4, 3).requires_grad_()
        f = objective(A, y, l2, x)
        return f.item(), torch.autograd.grad(f, x)[0].flatten().numpy()

    found = minimize(value_and_slope, np.zeros(12), jac=True, method="BFGS", options={"gtol": 1e-10})
    assert problem.constants.optimum == pytest.approx(found.fun, rel=1e-12)
    np.testing.assert_allclose(problem.minimizer.flatten(), found.x, atol=1e-7)  # both start at 0: the nearest minimizer
    C = 1 / (150 * l2) if l2 else np.inf
    oracle = LogisticRegression(C=C, fit_intercept=False, tol=1e-12, max_iter=10_000).fit(A, y)
    np.testing.assert_allclose(
        problem.minimizer.mT - problem.minimizer.mean(-1), oracle.coef_ - oracle.coef_.mean(0), atol=2e-6
    )


def test_two_classes_are_binary_logistic_regression():
    A, y = normal(60, 4), labels(60, 2)
    two, one = softmax(A, y), logistic(A, 2.0 * y - 1)
    torch.testing.assert_close(two.minimizer[:, 1] - two.minimizer[:, 0], one.minimizer, rtol=1e-9, atol=1e-12)
    assert two.constants.optimum == pytest.approx(one.constants.optimum, rel=1e-13)
    assert two.constants.smoothness == pytest.approx(2 * one.constants.smoothness, rel=1e-9)  # W is (-w, w)/2


def test_without_penalty_a_row_may_be_shifted_and_the_nearest_minimizer_is_taken():
    A, y, start = normal(60, 4), labels(60, 3), normal(4, 3, seed=8)
    problem = softmax(A, y, start=start)
    x, shift = normal(4, 3, seed=9), normal(4, 1, seed=10)
    torch.testing.assert_close(problem.gap(x + shift), problem.gap(x), rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(problem.minimizer.sum(-1), start.sum(-1), rtol=1e-10, atol=1e-10)
    assert problem.constants.strong_convexity == problem.constants.pl == 0


@given(size=st.floats(-8, 1), seed=st.integers(0, 100))
@settings(deadline=None)
def test_the_gap_has_full_relative_precision(size, seed):
    z, delta = normal(5, seed=seed), 10**size * normal(5, seed=seed + 1000)
    with mp.workdps(60):
        weights = [mp.exp(mp.mpf(float(v))) for v in z]
        p = [w / mp.fsum(weights) for w in weights]
        change = [mp.mpf(float(v)) for v in delta]
        exact = mp.log(mp.fsum(a * mp.exp(b) for a, b in zip(p, change, strict=True)))
        exact = float(exact - mp.fsum(a * b for a, b in zip(p, change, strict=True)))
    assert float(_bregman(z.softmax(-1), delta)) == pytest.approx(exact, rel=1e-12)


def test_far_away_the_gap_neither_overflows_nor_vanishes():
    p = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64)
    assert float(_bregman(p, torch.tensor([4e3, 0.0, 0.0], dtype=torch.float64))) == pytest.approx(2e3 - math.log(2))
    z, Y = torch.tensor([[0.0, 800.0, 0.0]], dtype=torch.float64), torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    assert float(_loss(z, Y)) == 0.0
    assert float(_loss(z / 20, Y)) == pytest.approx(2 * math.exp(-40), rel=1e-12)


def test_separable_data_have_no_minimizer():
    problem = PROBLEMS["separable"]
    assert problem.minimizer is None
    assert problem.constants.optimum == 0
    x = problem.start
    for _ in range(20_000):
        x = x - problem.grad(x) / problem.constants.smoothness
    assert 0 < problem.gap(x) < 0.05 * problem.initial_gap


# One more point on the boundary between the two classes, in both of them: f* > 0 is not attained.
@pytest.mark.parametrize(("share", "certified"), [(0.2, True), (0.3, False)])
def test_a_point_is_certified_up_to_a_quarter_of_what_its_curvature_allows(share, certified):
    """r ||grad f|| <= m/4 with r = sqrt 2 max ||a_i||, away from the minimizer to where it is `share` m."""
    A, y = normal(60, 3), labels(60, 3)
    problem, direction, Y = softmax(A, y), normal(3, 3, seed=2), torch.nn.functional.one_hot(y, 3).double()
    near, far = 0.0, 10.0
    for _ in range(60):
        x = problem.minimizer + (near + far) / 2 * direction
        m = torch.linalg.eigvalsh(_hessian(A, (A @ x).softmax(-1), 0.0))[-6]  # the rows may be shifted: 3 * 2 that count
        reached = 2**0.5 * A.norm(dim=-1).max() * problem.grad(x).norm() / m
        near, far = ((near + far) / 2, far) if reached < share else (near, (near + far) / 2)
    assert reached == pytest.approx(share)
    if certified:
        f, error, _ = _certified(A, Y, 0.0, x, problem.grad(x))
        assert f - error <= problem.constants.optimum <= f
    else:
        with pytest.raises(ValueError, match="no minimizer certified"):
            _certified(A, Y, 0.0, x, problem.grad(x))


@every_problem
def test_the_certificates_hold(problem):
    assert violations(problem, seeded(7), points=8, climbs=6) == []


SHARP = {
    "smoothness": ("pushed", "two classes"),
    "component_smoothness": ("plain", "pushed", "two classes", "separable"),
    "pl": ("pushed", "two classes"),
    "strong_convexity": ("l2", "pushed", "two classes"),
    "variance_at_minimizer": ("plain", "l2", "pushed"),
    "spectral": ("two classes",),
}
CHECK = {"pl": "PL", "strong_convexity": "convexity", "variance_at_minimizer": "variance at the minimizer"}


@pytest.mark.parametrize(("constant", "name"), [(c, name) for c, names in SHARP.items() for name in names])
def test_constants_five_per_cent_too_good_are_found(constant, name):
    c = PROBLEMS[name].constants
    if constant == "spectral":
        planted, check = {"smoothness_in": {"spectral": 0.95 * c.smoothness_in["spectral"]}}, "smoothness in spectral"
    else:
        factor = 1.05 if constant in ("pl", "strong_convexity") else 0.95
        planted, check = {constant: factor * getattr(c, constant)}, CHECK.get(constant, constant.replace("_", " "))
    found = violations(replace(PROBLEMS[name], constants=replace(c, **planted)), seeded(7), points=8, climbs=12)
    assert any(f": {check} is violated" in line for line in found), found


def test_the_spectral_constant_needs_the_sum_of_eigenvalues():
    """For K > 2 neither lambda_1/2, which is L in l2, nor a single eigenvalue less will do."""
    problem = random_softmax(200, 4, 3, seeded(5))  # nearly isotropic
    claimed = replace(problem.constants, smoothness_in={"spectral": problem.constants.smoothness})
    assert ratios(replace(problem, constants=claimed), seeded(7), points=8, climbs=12)["smoothness in spectral"] > 1.2


def test_a_rotation_of_the_features_rotates_the_minimizer():
    A, y = random_rows(200, 6, 3, seeded(), condition=50.0)
    Q = random_rotation(6, seeded(1))
    axes, rotated = softmax(A, y, 0.01), softmax(A @ Q, y, 0.01)
    for field in ("optimum", "smoothness", "component_smoothness", "variance", "variance_at_minimizer"):
        assert getattr(rotated.constants, field) == pytest.approx(getattr(axes.constants, field), rel=1e-10)
    torch.testing.assert_close(Q @ rotated.minimizer, axes.minimizer, rtol=0, atol=1e-11)


def test_features_and_labels_have_the_stated_law():
    A, y = random_rows(20_000, 5, 4, seeded(6), condition=100.0)
    torch.testing.assert_close(A.var(0), torch.logspace(0, -2, 5, dtype=torch.float64), rtol=0.05, atol=0)
    generator = seeded(6)
    torch.randn(20_000, 5, generator=generator, dtype=torch.float64)
    true = torch.randn(5, 4, generator=generator, dtype=torch.float64) * 2 / 5**0.5  # on features of variance 1
    fitted = softmax(A, y).minimizer * torch.logspace(0, -1, 5, dtype=torch.float64).unsqueeze(-1)
    torch.testing.assert_close(fitted, true - true.mean(-1, keepdim=True), rtol=0, atol=0.12)


def test_digits_are_ten_classes_with_a_certified_minimum():
    problem = softmax(*digits_rows(), l2=0.01)
    assert problem.shape == (62, 10)
    assert problem.n == 1797
    assert problem.constants.optimum_error < 1e-11
    assert problem.grad(problem.minimizer).norm() < 1e-13
    assert problem.initial_gap + problem.constants.optimum == pytest.approx(math.log(10), rel=1e-12)
