"""Each leaf against what is known of it, and against oracles that share no code with it."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpmath import iv, mp
from ratewitness.problems.catalogue import catalogue
from ratewitness.problems.data.least_squares import least_squares, random_least_squares
from ratewitness.problems.data.logistic import _bregman, logistic
from ratewitness.problems.data.robust_regression import random_robust_regression
from ratewitness.problems.data.tables import breast_cancer, diabetes
from ratewitness.problems.huber import huber_witness
from ratewitness.problems.noisy_quadratics import horizon_parabola, noisy_parabola, two_mode
from ratewitness.problems.polyhedral import largest_coordinate, random_polyhedral
from ratewitness.problems.power import power
from ratewitness.problems.quadratics import log_spaced, quadratic, random_rotation
from ratewitness.problems.sawtooth import sawtooth
from ratewitness.problems.sine import best_pl, critical_amplitude, sine
from ratewitness.problems.sine_valley import sine_valley
from ratewitness.problems.softplus import softplus
from ratewitness.problems.zero_chain import CEILING, zero_chain
from scipy.optimize import minimize, minimize_scalar
from scripted import normal, seeded
from sklearn.linear_model import LogisticRegression


def by_scipy(problem, x0, gtol):
    """The least gap that scipy finds."""
    return minimize(
        lambda x: (float(problem.gap(torch.as_tensor(x))), problem.grad(torch.as_tensor(x)).numpy()),
        x0,
        jac=True,
        options={"gtol": gtol, "maxiter": 5000},
        method="L-BFGS-B",
    )


def descend(problem, steps, h=1.0):
    """x_0, ..., x_steps of gradient descent, written out here."""
    x = [problem.start]
    for _ in range(steps):
        x.append(x[-1] - h / problem.constants.smoothness * problem.grad(x[-1]))
    return torch.stack(x)


# Huber


@given(T=st.integers(1, 60), L=st.floats(0.1, 10), R=st.floats(0.1, 10))
@settings(deadline=None, max_examples=60)
def test_huber_witness_attains_the_bound_and_the_count(T, L, R):
    eps = L * R**2 / (4 * T)
    problem = huber_witness(T, L, R)
    gaps = problem.gap(descend(problem, T))
    assert gaps[T - 1] == pytest.approx(L * R**2 / (4 * T - 2), rel=1e-12)
    assert gaps[T - 1] > eps >= gaps[T]


# Sawtooth


def test_sawtooth_is_exact_for_a_thousand_teeth():
    N = 1000
    problem = sawtooth(N)
    x = descend(problem, N + 1)
    assert x.squeeze(-1).tolist() == list(range(N + 1, -1, -1))
    assert problem.grad(x).squeeze(-1).tolist() == [1.0] * (N + 1) + [0.0]
    assert problem.gap(x).tolist() == [0.75 * j + 0.5 for j in range(N, -1, -1)] + [0.0]
    assert problem.initial_gap == (3 * N + 2) / 4


def test_sawtooth_is_the_integral_of_its_gradient():
    problem = sawtooth(4)
    x = torch.linspace(-2, 8, 200_001, dtype=torch.float64).unsqueeze(-1)
    g = problem.grad(x).squeeze(-1)
    integral = torch.cumulative_trapezoid(g, x.squeeze(-1))
    torch.testing.assert_close(problem.gap(x)[1:] - problem.gap(x)[0], integral, rtol=0, atol=1e-8)
    assert g[x.squeeze(-1) > 1].min() == pytest.approx(0.5, abs=1e-4)


# Quadratics


@pytest.mark.parametrize("rotated", [False, True])
def test_a_flat_quadratic_takes_the_nearest_minimizer(rotated):
    Q = random_rotation(4, seeded()) if rotated else None
    axes = torch.eye(4, dtype=torch.float64) if Q is None else Q
    torch.testing.assert_close(axes @ axes.mT, torch.eye(4, dtype=torch.float64))
    start = normal(4, seed=1)
    problem = quadratic(torch.tensor([2.0, 0.5, 0.0, 0.0]), start, Q)
    torch.testing.assert_close(axes.mT[2:] @ problem.minimizer, axes.mT[2:] @ start)
    torch.testing.assert_close(axes.mT[:2] @ problem.minimizer, torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-15)


def test_log_spaced_normalizes_distance_or_energy():
    assert log_spaced(L=3.0, modes=24).radius == pytest.approx(1)
    assert log_spaced(L=3.0, modes=24, energies="equal energies").initial_gap == pytest.approx(1)


# Noisy quadratics


def test_noisy_parabola_follows_its_exact_second_moment():
    mu, sigma, replicates = 0.5, 2.0, 40_000
    problem = noisy_parabola(mu, sigma, 3.0)
    x, generator = problem.starts(replicates), seeded()
    for k in range(30):
        index = torch.randint(2, (replicates, 1), generator=generator)
        x = x - problem.sample_grad(x, index) / (mu * (k + 1))
    gap = problem.gap(x)
    error = float(gap.std()) / replicates**0.5
    assert abs(float(gap.mean()) - sigma**2 / (2 * mu * 30)) < 4.5 * error


def test_horizon_parabola_and_two_mode_are_what_they_say():
    problem = horizon_parabola(400, sigma=3.0, R=2.0, c=1.4)
    assert problem.constants.smoothness == pytest.approx(1.4 * 3 / (2 * 20))
    assert problem.radius == 2
    problem = two_mode(0.02, 2.0, 0.7, Delta=5.0)
    assert problem.initial_gap == pytest.approx(5.0)
    noise = problem.sample_grad(problem.starts(2), torch.tensor([[0], [1]])) - problem.grad(problem.start)
    torch.testing.assert_close(noise, torch.tensor([[0.0, 0.7], [0.0, -0.7]], dtype=torch.float64))


# Sine


def test_the_critical_amplitude_is_a_minimum():
    u = np.linspace(math.pi + 1e-3, 2 * math.pi - 1e-3, 2_000_001)
    assert critical_amplitude() == pytest.approx((-u / np.sin(u)).min(), abs=1e-9)
    assert critical_amplitude() == pytest.approx(4.603338848757784, abs=1e-7)


@pytest.mark.parametrize("a", [0.3, 1.0, 3.0, 4.5])
def test_best_pl_against_interval_arithmetic(a):
    """Branch and bound with mpmath's outward rounding, on the ratio itself: an independent proof, a little coarser."""
    mu, witness = best_pl(a)
    target = mu * (1 - 1e-3)
    cells = [(0.7, 12.0)]
    while cells:
        left, right = cells.pop()
        x = iv.mpf([left, right])
        derivative, value = 2 * x + a * iv.sin(2 * x), x**2 + a * iv.sin(x) ** 2
        if (derivative**2 - 2 * target * value).a > 0:
            continue
        assert right - left > 1e-7, (left, right)
        middle = (left + right) / 2
        cells += [(left, middle), (middle, right)]
    mp.dps = 30
    exact = (2 * mp.mpf(witness) + a * mp.sin(2 * mp.mpf(witness))) ** 2 / (
        2 * (mp.mpf(witness) ** 2 + a * mp.sin(mp.mpf(witness)) ** 2)
    )
    assert mu < exact < mu * (1 + 1e-6)


@given(a=st.floats(0, 4.6), x=st.floats(-50, 50))
@example(a=0.0, x=1.7e-162)  # x^2 is rounded up to the least denormal, (2 x)^2 down to twice that
@settings(deadline=None, max_examples=60)
def test_sine_obeys_its_pl_inequality(a, x):
    """The relative slack is for a dozen roundings. Where a = 0 it is an equality, and gaps below the floor are denormals."""
    problem = sine(a)
    x = torch.tensor([x], dtype=torch.float64)
    bound = 2 * problem.constants.pl * problem.gap(x)
    assert problem.grad(x).square().sum() >= bound * (1 - 1e-12) or problem.gap(x) < problem.floor


def test_without_amplitude_sine_is_a_parabola():
    assert best_pl(0.0)[0] == 2.0


# Sine valley


@given(x=st.floats(-10, 10), y=st.floats(-4, 4))
@settings(deadline=None, max_examples=30)
def test_sine_valley_knows_its_nearest_minimizer(x, y):
    if abs(y - math.sin(x)) < 1e-3:
        return
    problem = sine_valley((x, y))
    s = np.linspace(x - 6, x + 6, 400_001)
    nearest = np.sqrt(((s - x) ** 2 + (np.sin(s) - y) ** 2).min())
    assert float(problem.radius) == pytest.approx(nearest, abs=1e-8 + 1e-9 / nearest)
    assert problem.gap(problem.minimizer) <= problem.floor
    (dx, dy), slope = (problem.start - problem.minimizer).tolist(), math.cos(problem.minimizer[0])
    if 1 + slope**2 + dy * math.sin(problem.minimizer[0]) > 0.1:  # a well-determined foot of a perpendicular
        assert dx + slope * dy == pytest.approx(0, abs=1e-9)


def test_sine_valley_bounds_the_hessian_closely():
    for rho in (0.1, 1.0, 3.0, 10.0):
        problem = sine_valley((0.0, rho))
        x = np.linspace(0, 2 * math.pi, 20_001)
        largest = 0.0
        for r in (rho, -rho, 0.0):
            H = np.array([[np.cos(x) ** 2 + r * np.sin(x), -np.cos(x)], [-np.cos(x), np.ones_like(x)]])
            largest = max(largest, np.abs(np.linalg.eigvalsh(H.transpose(2, 0, 1))).max())
        assert largest <= problem.constants.smoothness <= largest * (1 + 1e-3)

        def eigenvalue(x, rho=rho):
            top = math.cos(x) ** 2 + rho * math.sin(x)
            return (top + 1) / 2 + math.sqrt((top - 1) ** 2 / 4 + math.cos(x) ** 2)

        peak = minimize_scalar(lambda x: -eigenvalue(x), bounds=(0, math.pi / 2), method="bounded", options={"xatol": 1e-12})
        assert -peak.fun < problem.constants.smoothness  # the grid alone stays below the peak


# Softplus and power


def test_softplus_has_exponent_one():
    gaps = softplus().gap(descend(softplus(), 20_000))
    assert float(gaps[20_000] * 4 * 20_000) == pytest.approx(1, abs=2e-3)
    x = torch.tensor([[-800.0], [40.0], [700.0]], dtype=torch.float64)
    assert float(softplus().gap(x)[0]) == pytest.approx(800, rel=1e-15)
    assert float(softplus().gap(x)[1]) == pytest.approx(math.exp(-40), rel=1e-14)
    assert float(softplus().gap(x)[2]) == pytest.approx(math.exp(-700), rel=1e-12)


def test_power_has_its_smaller_exponent():
    problem = power(4.0)
    gaps = problem.gap(descend(problem, 40_000))
    slope = math.log(float(gaps[40_000] / gaps[10_000])) / math.log(4)
    assert slope == pytest.approx(-4 / 2, abs=0.02)
    assert not problem.domain(torch.tensor([1.1], dtype=torch.float64))


# Least squares


@pytest.mark.parametrize(("n", "d", "rank"), [(30, 4, None), (30, 6, 3), (5, 9, None), (40, 1, None)])
def test_least_squares_against_numpy(n, d, rank):
    problem = random_least_squares(n, d, seeded(3), rank=rank, condition=50.0)
    expected_rank = rank or min(n, d)
    rows = torch.arange(n).unsqueeze(-1)
    zero = torch.zeros(n, d, dtype=torch.float64)
    axes = torch.eye(d, dtype=torch.float64)
    minus = -problem.sample_grad(zero, rows)  # b_i a_i
    outer = torch.stack([problem.sample_grad(zero + e, rows) for e in axes], -1) + minus.unsqueeze(-1)
    H = outer.mean(0)
    eigenvalues = np.linalg.eigvalsh(H.numpy())
    assert problem.constants.smoothness == pytest.approx(eigenvalues[-1])
    assert problem.constants.pl == pytest.approx(eigenvalues[-expected_rank])
    if n > 1 and d > 1:
        assert problem.constants.smoothness / problem.constants.pl == pytest.approx(50)
    x = np.linalg.lstsq(H.numpy(), minus.mean(0).numpy(), rcond=1e-10)[0]
    torch.testing.assert_close(problem.minimizer, torch.as_tensor(x), rtol=1e-9, atol=1e-10)
    assert (problem.constants.strong_convexity > 0) == (expected_rank == d)


def test_least_squares_minimizer_is_the_nearest_and_f_star_is_right():
    A, b, start = normal(20, 3) @ normal(3, 7, seed=1), normal(20, seed=2), normal(7, seed=3)
    problem = least_squares(A, b, start)
    from_start = np.linalg.lstsq(A.numpy(), (b - A @ start).numpy(), rcond=1e-10)[0]
    torch.testing.assert_close(problem.minimizer, start + torch.as_tensor(from_start), rtol=1e-9, atol=1e-10)
    x = normal(5, 7, seed=4)
    value = ((x @ A.mT - b) ** 2).mean(-1) / 2
    torch.testing.assert_close(problem.gap(x) + problem.constants.optimum, value, rtol=1e-12, atol=0)
    residuals = A @ problem.minimizer - b
    assert problem.constants.variance_at_minimizer == pytest.approx(float((residuals**2 * (A**2).sum(-1)).mean()))


def test_interpolation_has_no_noise_at_the_minimizer():
    problem = random_least_squares(30, 5, seeded(), noise=0.0)
    assert problem.constants.variance_at_minimizer < 1e-28
    assert problem.constants.optimum <= 1e-30


def test_diabetes_against_numpy():
    problem = diabetes()
    result = by_scipy(problem, np.zeros(problem.shape), 1e-12)
    assert 0 <= result.fun < 1e-6


# Logistic regression


@pytest.mark.parametrize("l2", [0.0, 1e-3, 1.0])
def test_logistic_against_scikit_learn(l2):
    A, noise = normal(150, 4), normal(150, seed=1)
    y = (A[:, 0] - A[:, 1] + noise).sign()
    problem = logistic(A, y, l2)
    C = 1 / (150 * l2) if l2 else np.inf
    theirs = LogisticRegression(C=C, fit_intercept=False, tol=1e-10, max_iter=10_000).fit(A.numpy(), y.numpy())
    np.testing.assert_allclose(problem.minimizer.numpy(), theirs.coef_[0], atol=1e-5)


@given(l2=st.sampled_from([0.0, 0.01, 1.0]), seed=st.integers(0, 20), scale=st.floats(1e-2, 30))
@settings(deadline=None, max_examples=30)
def test_logistic_gap_is_value_minus_f_star(l2, seed, scale):
    A = normal(60, 3, seed=seed)
    y = (A[:, 0] + 2 * normal(60, seed=seed + 100)).sign()
    problem = logistic(A, y, l2)
    x = scale * normal(8, 3, seed=seed + 200)
    value = np.logaddexp(0, -(x @ (y.unsqueeze(-1) * A).mT).numpy()).mean(-1) + l2 / 2 * (x**2).sum(-1).numpy()
    np.testing.assert_allclose(problem.gap(x).numpy() + problem.constants.optimum, value, rtol=1e-13)


def test_logistic_f_star_in_fifty_digits():
    A = normal(25, 2)
    y = (A[:, 0] + normal(25, seed=1)).sign()
    Z = [[mp.mpf(v) for v in row] for row in (y.unsqueeze(-1) * A).tolist()]
    mp.dps = 50
    for l2 in (0.0, 0.125):
        problem = logistic(A, y, l2)
        x = mp.matrix(problem.minimizer.tolist())
        for _ in range(4):
            s = [1 / (1 + mp.exp(z[0] * x[0] + z[1] * x[1])) for z in Z]
            g = mp.matrix([l2 * x[j] - sum(si * z[j] for si, z in zip(s, Z, strict=True)) / 25 for j in (0, 1)])
            H = mp.matrix(2, 2)
            for j in (0, 1):
                for k in (0, 1):
                    H[j, k] = sum(si * (1 - si) * z[j] * z[k] for si, z in zip(s, Z, strict=True)) / 25
                H[j, j] += l2
            x = x - mp.lu_solve(H, g)
        value = sum(mp.log(1 + mp.exp(-z[0] * x[0] - z[1] * x[1])) for z in Z) / 25
        value += mp.mpf(l2) / 2 * (x[0] ** 2 + x[1] ** 2)
        assert abs(value - mp.mpf(problem.constants.optimum)) <= problem.constants.optimum_error < 1e-13
        # near the minimizer the gap keeps its relative accuracy down to the floor
        for distance in (1e-3, 1e-6, 1e-9):
            at = problem.minimizer + distance
            exact = sum(mp.log(1 + mp.exp(-z[0] * mp.mpf(float(at[0])) - z[1] * mp.mpf(float(at[1])))) for z in Z) / 25
            exact += mp.mpf(l2) / 2 * (mp.mpf(float(at[0])) ** 2 + mp.mpf(float(at[1])) ** 2)
            gap = float(problem.gap(at))
            assert gap > problem.floor
            assert abs(gap - float(exact - value)) < 1e-5 * gap + problem.floor


@given(m=st.floats(-5, 30), size=st.floats(-9, 3), sign=st.sampled_from([-1, 1]))
@settings(deadline=None, max_examples=200)
def test_bregman_keeps_its_relative_accuracy(m, size, sign):
    """One sample with label 1 and minimizer at margin m: what the gap averages."""
    mp.dps, delta = 60, sign * 10**size
    exact = mp.log(1 + mp.exp(-mp.mpf(m) - mp.mpf(delta))) - mp.log(1 + mp.exp(-mp.mpf(m)))
    exact += mp.mpf(delta) / (1 + mp.exp(mp.mpf(m)))
    measured = _bregman(torch.tensor(m, dtype=torch.float64), torch.tensor(delta, dtype=torch.float64))
    # in the middle range the error is 1e-16 |delta|, small against the gap of a sample whose margin moves by delta
    allowed = 2e-11 * float(exact) + (0 if abs(delta) < 1e-3 else 1e-15 * (abs(m) + abs(delta)))
    assert float(abs(exact - mp.mpf(float(measured)))) <= allowed


def test_logistic_knows_separable_data():
    A = normal(40, 3)
    separable = logistic(A, A[:, 0].sign())
    assert separable.minimizer is None
    assert separable.constants.optimum == 0
    far = 1e4 * torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    assert separable.gap(far) < 1e-4
    assert logistic(A, A[:, 0].sign(), l2=0.01).minimizer is not None


def test_rank_deficient_logistic_takes_the_nearest_minimizer():
    A = normal(60, 2) @ normal(2, 4, seed=1)
    y = (A[:, 0] + 3 * normal(60, seed=2)).sign()
    start = normal(4, seed=3)
    problem = logistic(A, y, start=start)
    null = torch.linalg.svd(A).Vh[2:]
    torch.testing.assert_close(null @ problem.minimizer, null @ start)
    assert problem.grad(problem.minimizer).norm() < 1e-14


def test_breast_cancer_f_star_against_scipy():
    problem = breast_cancer(l2=0.01)
    result = by_scipy(problem, np.ones(problem.shape), 1e-10)
    assert 0 <= result.fun < 1e-8
    np.testing.assert_allclose(result.x, problem.minimizer.numpy(), atol=1e-3)


# Robust regression


def test_robust_regression_interpolates_exactly():
    problem = random_robust_regression(80, 6, seeded(5))
    index = torch.arange(80).unsqueeze(-1)
    assert (problem.sample_grad(problem.minimizer.expand(80, 6), index) == 0).all()
    x = normal(3, 6)
    assert (problem.gap(100 * x) < 0.5).all()


# Zero-chain


def brute_force_chain(x):
    """F_T(x), from the formula as printed."""

    def psi(t):
        return math.exp(1 - 1 / (2 * t - 1) ** 2) if t > 0.5 else 0.0

    def phi(t):
        return math.sqrt(math.e) * math.sqrt(math.pi / 2) * (1 + math.erf(t / math.sqrt(2)))

    links = [psi(-a) * phi(-b) - psi(a) * phi(b) for a, b in pairwise(x)]
    return -psi(1) * phi(x[0]) + sum(links)


@given(x=st.lists(st.floats(-4, 4), min_size=1, max_size=8), L=st.floats(0.1, 200), scale=st.floats(0.1, 10))
@settings(deadline=None, max_examples=60)
def test_zero_chain_is_the_printed_formula(x, L, scale):
    problem = zero_chain(len(x), L, scale)
    value = L * scale**2 / 152 * brute_force_chain(x)
    at = scale * torch.tensor(x, dtype=torch.float64)
    assert float(problem.gap(at)) + problem.constants.optimum == pytest.approx(value, rel=1e-11, abs=1e-9 * L * scale**2)


def test_zero_chain_infimum_is_approached_and_not_passed():
    for T in (1, 2, 10):
        problem = zero_chain(T, L=152.0)
        assert problem.constants.optimum == pytest.approx(-CEILING * (1 + math.e * (T - 1)))
        assert float(problem.initial_gap) <= min(12 * T, 11.24 * T)
        assert 0 < float(problem.gap(torch.full((T,), 10.0, dtype=torch.float64))) < 0.05 * T
        assert 0 <= float(problem.gap(torch.full((T,), 100.0, dtype=torch.float64))) < 1e-3 * T


def test_zero_chain_reveals_one_coordinate_at_a_time():
    problem = zero_chain(9)
    support = [(x != 0).sum() for x in descend(problem, 12)]
    assert all(after <= before + 1 for before, after in pairwise(support))
    probabilistic = zero_chain(9, n=5)
    hidden = probabilistic.sample_grad(probabilistic.start, torch.tensor([3]))
    shown = probabilistic.sample_grad(probabilistic.start, torch.tensor([0]))
    assert (hidden == 0).all()
    assert shown[0] == 5 * problem.grad(problem.start)[0] != 0
    assert (shown[1:] == 0).all()
    for first, known in ((0.2, False), (0.3, True)):  # a coordinate counts as discovered from 1/4 on
        g = probabilistic.sample_grad(torch.tensor([first] + [0.0] * 8, dtype=torch.float64), torch.tensor([3]))
        assert bool(g[0] != 0) == known


def test_zero_chain_gradient_stays_large_until_the_end():
    problem = zero_chain(12, L=152.0)
    x = 3 * normal(200_000, 12)
    x[:, -1] = torch.rand(200_000, generator=seeded()) * 2 - 1
    assert problem.grad(x).norm(dim=-1).min() > 1


def test_a_maximum_of_linear_functions_is_convex_with_minimum_0_and_the_first_active_piece():
    f = random_polyhedral(9, 4, torch.Generator().manual_seed(0))
    x, y = torch.randn(2, 50, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert (f.gap(y) >= f.gap(x) + (f.grad(x) * (y - x)).sum(-1) - 1e-12).all()
    assert (f.gap(x) > 0).all()
    assert f.gap(f.minimizer) == 0
    assert (f.grad(x).norm(dim=-1) <= 1 + 1e-12).all()
    assert float(f.radius) == pytest.approx(1)


def test_the_largest_coordinate_shows_the_first_of_equals():
    f = largest_coordinate(3, B=2.0, R=3.0)
    assert float(f.radius) == pytest.approx(3)
    assert float(f.initial_gap) == pytest.approx(2 * 3 / 3**0.5)
    torch.testing.assert_close(f.grad(f.start), torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(f.grad(torch.tensor([0.0, 1.0, 1.0]).double()), torch.tensor([0.0, 2.0, 0.0]).double())
    assert (f.grad(-f.start) == 0).all()


def test_catalogue_covers_every_leaf():
    names = " ".join(problem.name for problem in catalogue().values())
    for leaf in ("Huber", "sawtooth", "parabola", "modes", "sin", "valley", "softplus", "power", "least squares"):
        assert leaf in names
    for leaf in ("logistic", "robust", "zero-chain", "digits", "breast", "diabetes"):
        assert leaf in names
