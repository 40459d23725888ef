"""Risks of least squares against simulations, direct sums and other derivations of the same numbers; and random features."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.problems.data.random_features import FourierFeatures, fourier_features, one_hot
from ratewitness.studies.claims import QUICK
from ratewitness.studies.judges import expectation_is
from ratewitness.studies.landscapes import classical_u_shape, feature_runs, gaussian_fits
from ratewitness.theory.double_descent import (
    best_number_of_samples,
    deviation,
    excess_risk,
    selected,
    squared_norm,
    training_risk,
)
from ratewitness.theory.early_stopping import WORST_RATIO, deviation_at, flow_over_ridge, risk_at
from ratewitness.theory.ridge_risk import best_limit, best_penalty_of, equivalent, ridge_risk
from scipy import integrate, optimize
from scripted import assert_refused, every_row

torch.set_num_threads(1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("n", "d"), [(30, 12), (12, 30)])
def test_risk_norm_and_deviation_are_those_of_a_simulation(n, d):
    rng, count = np.random.default_rng(1), 4000
    X, e = rng.standard_normal((count, n, d)), 0.7 * rng.standard_normal((count, n))
    b = rng.standard_normal(d)
    w = (np.linalg.pinv(X) @ (X @ b + e)[..., None])[..., 0]
    signal, noise = b @ b, 0.49
    errors, exact = ((w - b) ** 2).sum(-1), deviation(n, d, signal, noise)
    assert abs(errors.mean() - excess_risk(n, d, signal, noise)) < 4 * exact / count**0.5
    assert errors.std() == pytest.approx(exact, rel=0.1)
    assert (w**2).sum(-1).mean() == pytest.approx(squared_norm(n, d, signal, noise), rel=0.05)
    residual = ((X @ w[..., None])[..., 0] - X @ b - e) ** 2
    assert residual.mean() == pytest.approx(training_risk(n, d, noise), rel=0.05, abs=1e-20)


def test_unseen_features_are_noise():
    p = np.array([3, 5, 30, 60])
    held = np.array([0.1, 0.3, 0.8, 1.0])
    direct = np.where(
        p <= 18,
        (1 - held + 0.25) * (1 + p / (20 - p - 1.0)),
        held * (1 - 20 / p) + (1 - held + 0.25) * (1 + 20 / (p - 21.0)),
    )
    np.testing.assert_allclose(selected(20, p, held, 1 - held, 0.25), direct)


@settings(deadline=None, max_examples=50)
@given(st.integers(5, 400), st.floats(1e-4, 10.0))
def test_the_best_number_of_samples_is_where_the_condition_first_holds(d, noise):
    n = np.arange(1, d - 2)
    hurts = (d - n - 1.0) * (d - n - 2) < d * (d - 1) * noise
    expected = n[hurts][0] if hurts.any() else d - 2
    found = best_number_of_samples(d, 1.0, noise)
    tie = np.isclose(excess_risk(found, d, 1.0, noise), excess_risk(expected, d, 1.0, noise), rtol=1e-12)
    assert found == expected or tie


def test_ridge_is_best_at_its_penalty_and_that_of_explicit_matrices():
    rng = np.random.default_rng(2)
    X, signal, noise, lam = rng.standard_normal((7, 11)), 2.0, 0.3, 1.7
    squares = np.linalg.eigvalsh(X @ X.T)
    R = np.linalg.inv(X.T @ X + lam * np.eye(11))
    direct = signal / 11 * lam**2 * np.trace(R @ R) + noise * np.trace(R @ X.T @ X @ R)
    assert ridge_risk(squares, 11, lam, signal, noise) == pytest.approx(direct)
    found = optimize.minimize_scalar(lambda t: ridge_risk(squares, 11, math.exp(t), signal, noise), bounds=(-5, 5))
    assert math.exp(found.x) == pytest.approx(best_penalty_of(11, signal, noise), rel=1e-4)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_the_limit_of_the_best_ridge_is_an_integral_over_marchenko_and_pastur(gamma):
    low, high, shift = (1 - gamma**0.5) ** 2, (1 + gamma**0.5) ** 2, 0.25 * gamma

    def density(s):
        return math.sqrt((high - s) * (s - low)) / (2 * math.pi * gamma * s)

    mass = max(0.0, 1 - 1 / gamma) / shift
    trace = integrate.quad(lambda s: density(s) / (s + shift), low, high)[0] + mass
    assert best_limit(gamma, 1.0, 0.25) == pytest.approx(0.25 * gamma * trace, rel=1e-6)


def test_the_equivalent_of_equal_features_is_the_isotropic_risk_but_for_a_one():
    bias, variance = equivalent(np.full(90, 3.0), np.full(90, 1 / 90), 30, 0.2)
    assert bias == pytest.approx(3 * (1 - 1 / 3))
    assert variance == pytest.approx(0.2 * 30 / 60)


def test_early_stopping():
    found = optimize.minimize_scalar(lambda x: -flow_over_ridge(x), bounds=(0.1, 10), method="bounded")
    assert -found.fun == pytest.approx(WORST_RATIO, rel=1e-9)
    rng, energy, s = np.random.default_rng(3), np.array([0.3, 0.1]), np.array([0.9, 0.05])
    w, theta = np.zeros((20_000, 2)), np.sqrt(energy / s)
    z = rng.standard_normal(w.shape) * np.sqrt(0.02 / s)
    for _ in range(6):
        w -= 0.8 * s * (w - theta - z)
    risks = (s * (w - theta) ** 2).sum(-1)
    exact = deviation_at(6, energy, s, 0.02, 0.8)
    assert abs(risks.mean() - risk_at(6, energy, s, 0.02, 0.8)) < 4 * exact / len(w) ** 0.5
    assert risks.std() == pytest.approx(exact, rel=0.05)


def test_random_features_approach_the_gaussian_kernel_and_are_nested():
    x = torch.randn(6, 5, generator=generator(), dtype=torch.float64)
    features = fourier_features(50_000, 5, 0.4, generator(1))
    phi = features(x)
    kernel = torch.exp(-0.08 * torch.cdist(x, x) ** 2)
    torch.testing.assert_close(phi @ phi.mT, kernel, atol=0.02, rtol=0)
    torch.testing.assert_close(features.first(50)(x), phi[:, :50] * (50_000 / 50) ** 0.5)
    assert one_hot(torch.tensor([1, 0]), 2).tolist() == [[0, 1], [1, 0]]


ROWS = [
    ("excess_risk", lambda: excess_risk([10, 0], 5, 1.0, 1.0), "n is 0; accepted are finite numbers >= 1"),
    ("deviation", lambda: deviation(10, 5, 1.0, 0.0), "noise is 0; accepted are finite numbers > 0"),
    ("squared_norm", lambda: squared_norm(10, 5, -1.0, 1.0), "signal is -1; accepted are finite numbers >= 0"),
    ("equivalent", lambda: equivalent([1.0, 1.0], [1.0, 0.0], 2, 1.0), "n is 2; accepted are integers from 1 to 1"),
    ("best_number_of_samples", lambda: best_number_of_samples(2, 1.0, 1.0), "d is 2; accepted are integers >= 3"),
    ("ridge_risk", lambda: ridge_risk([1.0], 3, 0.0, 1.0, 1.0), "accepted are penalties > 0"),
    ("best_limit", lambda: best_limit(0.0, 1.0, 1.0), "gamma is 0; accepted are numbers > 0"),
    ("flow_over_ridge", lambda: flow_over_ridge(0.0), "st is 0; accepted are numbers > 0"),
    ("risk_at", lambda: risk_at(1, [1.0], [2.0], 0.1, 0.5), "accepted are 0 < step s < 1"),
    ("fourier_features", lambda: fourier_features(0, 5, 1.0, generator()), "p is 0; accepted are integers >= 1"),
    ("fourier_features", lambda: fourier_features(3, 5, math.inf, generator()), "scale is inf; accepted are finite"),
    ("FourierFeatures", lambda: fourier_features(3, 5, 1.0, generator())(torch.ones(2, 4)), r"accepted are \(\*batch, 5\)"),
    ("first", lambda: fourier_features(3, 5, 1.0, generator()).first(4), "p is 4; accepted are 1 to 3"),
]


@every_row(ROWS)
def test_a_bad_argument_is_named_in_one_line(call, parts):
    assert_refused(call, parts)


def test_a_fit_has_the_least_norm():
    for n, p in ((9, 4), (4, 9)):
        A = torch.randn(3, n, p, generator=generator(n), dtype=torch.float64)
        y = torch.randn(3, n, 2, generator=generator(p), dtype=torch.float64)
        torch.testing.assert_close(gaussian_fits.fit(A, y), torch.linalg.pinv(A) @ y)


def test_filters_and_leave_one_out_are_those_of_refitted_models(monkeypatch):
    penalties = np.logspace(-2, 3, 11)
    monkeypatch.setattr(feature_runs, "PENALTIES", penalties)
    x, test = (torch.randn(k, 40, generator=generator(k), dtype=torch.float64) for k in (12, 5))
    targets = x[:, :3] + torch.tensor([0.5, 3.0])[:, None, None] * torch.randn(2, 12, 3, generator=generator(2))
    truth = test[:, :3]
    results, condition, chosen, over = feature_runs._width(x, test, 20, targets, truth)
    A, T = x[:, :20] * 2**0.5, test[:, :20] * 2**0.5

    def ridge(A, y, lam):
        return A.mT @ torch.linalg.solve(A @ A.mT + lam * torch.eye(len(A), dtype=A.dtype), y)

    for k in range(2):
        left_out = torch.zeros(len(penalties))
        for i in range(12):
            kept = torch.arange(12) != i
            for j, lam in enumerate(penalties):
                left_out[j] += (A[i] @ ridge(A[kept], targets[k, kept], lam) - targets[k, i]).square().sum()
        assert chosen[k] == penalties[left_out.argmin()]
        for j, lam in enumerate((0.0, chosen[k])):
            w = ridge(A, targets[k], lam)
            assert results[k, j, 0] == pytest.approx(float((T @ w - truth).square().sum(-1).mean()))
            assert results[k, j, 2] == pytest.approx(
                float((A @ w - targets[k]).square().sum(-1).mean()), abs=1e-20, rel=1e-9
            )
    assert np.searchsorted(penalties, chosen).min() > 0
    assert condition == pytest.approx(float(torch.linalg.cond(A)))
    assert over.shape == (2, 11)


def test_expectations_with_known_errors_are_judged():
    assert expectation_is([1.01, 0.99], [0.005, 0.005], 1.0, 0.05).outcome == "supported"
    assert expectation_is([1.2, 0.99], [0.005, 0.005], 1.0, 0.05).outcome == "refuted"
    assert expectation_is([1.04, 0.99], [0.05, 0.005], 1.0, 0.05).outcome == "inconclusive"
    assert expectation_is([np.nan], [0.1], 1.0, 0.05).outcome == "inconclusive"
    assert expectation_is([1.0], [0.0], 1.0, 0.05).outcome == "inconclusive"
    assert expectation_is([], [], 1.0, 0.05).outcome == "inconclusive"


def test_minima_are_counted_with_the_ends():
    assert [classical_u_shape.minima(np.array(c)) for c in ([1, 2, 3], [3, 1, 2], [1, 2, 0, 3], [2.0])] == [1, 1, 2, 1]


def test_rounding_is_never_judged():
    nothing = np.full((1, 2, 3, 3, 2), 0.5)
    runs = feature_runs.Runs(np.array([300]), nothing, np.array([[1e15, 10.0]]), None, None)
    assert np.isnan(runs.at(300, "test risk")).tolist() == [True, False]


def test_features_are_float64_whatever_the_images_are():
    one = FourierFeatures(torch.ones(2, 1, dtype=torch.float64), torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(one(torch.zeros(1, 1)), torch.ones(1, 2, dtype=torch.float64))
    assert QUICK.name in feature_runs.WIDTHS
