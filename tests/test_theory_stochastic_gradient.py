"""Stochastic rates against exact moments in rationals, worst recursions, and numerical optimization."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.theory import moments, parabola_family, variance_reduction
from ratewitness.theory import stochastic_gradient as sgd
from scipy.optimize import minimize_scalar

calm = settings(deadline=None, derandomize=True)  # time limits measure the machine, not the theory
unit = st.floats(0.01, 1)


@calm
@given(mu=unit, sigma=st.floats(0.01, 10), start=st.floats(0, 100), steps=st.integers(1, 200))
def test_pl_decreasing_dominates_its_recursion(mu, sigma, start, steps):
    """Run the worst case of the one-step inequality itself: the bound has to hold at its equality."""
    gap = start
    for k in range(1, steps + 1):
        step = 2 / (mu * (2 / mu + k))
        assert step <= 1
        gap = (1 - mu * step) * gap + step**2 * sigma**2 / 2
    bound = sgd.pl_decreasing(mu=mu, L=1, sigma=sigma, Delta=start, k=steps + 1)
    assert gap <= bound * (1 + 1e-12)


@pytest.mark.parametrize("kappa", [1, 10, 200])
def test_pl_decreasing_is_not_far_from_its_recursion(kappa):
    gap, steps = 0.0, 20_000 * kappa // 10 + 2000
    for k in range(1, steps):
        step = 2 * kappa / (2 * kappa + k)
        gap = (1 - step / kappa) * gap + step**2 / 2
    bound = sgd.pl_decreasing(mu=1 / kappa, L=1, sigma=1, Delta=1e-9, k=steps)
    assert 0.8 < gap / bound <= 1


@calm
@given(mu=unit, a=unit, sigma=st.floats(0.01, 10), start=st.floats(0, 100), steps=st.integers(1, 100))
def test_pl_constant_is_its_recursion_solved(mu, a, sigma, start, steps):
    gap = start
    for _ in range(steps):
        gap = (1 - mu * a) * gap + a**2 * sigma**2 / 2
    numbers = {"mu": mu, "a": a, "L": 1, "sigma": sigma}
    floor = sgd.pl_floor(**numbers)
    exact = sgd.pl_constant(**numbers, Delta=start, k=steps)
    assert gap <= exact * (1 + 1e-12)
    assert exact - gap == pytest.approx((1 - mu * a) ** steps * floor, abs=1e-9 * (exact + 1))


def test_pl_parabola_exact_for_every_start():
    mu, sigma = Fraction(3, 7), Fraction(2)
    for start in (0, Fraction(5), Fraction(-100)):
        steps = [1 / (mu * (j + 1)) for j in range(50)]
        squares = moments.second_moments(mu, steps, sigma, start, 50)
        for k in range(1, 51):
            assert mu / 2 * squares[k] == Fraction(str(sgd.pl_parabola.exactly(mu=mu, sigma=sigma, k=k)))
    assert sgd.count_pl_parabola.exactly(mu=mu, sigma=sigma, eps=sigma**2 / (2 * mu * 49)) == 49
    assert sgd.count_pl_parabola.exactly(mu=mu, sigma=sigma, eps="1/1000") == math.ceil(Fraction(14_000, 3))


def test_second_moment_schedule_approaches_its_constant_on_the_parabola():
    """With C^2 read as sigma^2 and L = mu the bound is right asymptotically: the ratios 0.445 ... 1 rise to one."""
    steps = [Fraction(2 * j + 1, 2 * (j + 1) ** 2) for j in range(200)]
    squares = moments.second_moments(Fraction(1), steps, Fraction(1), Fraction(0), 200)
    ratios = [float(squares[k] / 2) / sgd.pl_second_moment(L=1, mu=1, C=1, k=k) for k in range(1, 201)]
    assert np.all(np.diff(ratios) > 0)
    assert 0.99 < ratios[-1] < 1


@pytest.mark.parametrize(("a", "lam"), [(0.1, 1.0), (1.5, 1.0), (0.01, 30.0)])
def test_quadratic_floor_is_the_limit(a, lam):
    end = moments.second_moments(lam, a, 2.0, 5.0, 5000)[-1]
    assert lam / 2 * end == pytest.approx(sgd.quadratic_floor(a=a, lam=lam, sigma=2), rel=1e-10)


@calm
@given(lam=unit, a=st.floats(0.01, 0.99), R=st.floats(0.1, 10), sigma=st.floats(0, 10), N=st.integers(1, 60))
def test_convex_bounds_hold_on_parabolas(lam, a, R, sigma, N):
    def gap(step, head):
        return lam / 2 * moments.average_second_moment(lam, step, sigma, R, N, head)

    sigma = sigma + 1e-3
    numbers = {"L": 1, "R": R, "sigma": sigma, "N": N}
    assert gap(a, False) <= sgd.convex_constant(a=a, **numbers) * (1 + 1e-12)
    head_bound = sgd.convex_constant_head(a=a, R=R, sigma=sigma, N=N, L=1)
    assert gap(a, True) <= head_bound * (1 + 1e-12)
    tuned = 1 / (1 + sigma * math.sqrt(N) / R)
    assert gap(tuned, False) <= sgd.convex_tuned(**numbers) * (1 + 1e-12)


def test_head_bound_is_almost_reached_without_noise():
    """N = 1, a = 1/L: f(x_0) - f* <= L R^2/2 is an equality on the parabola, so the constant 1/2 cannot be less."""
    assert sgd.convex_constant_head(a=1, L=1, R=3, sigma=1e-9, N=1) == pytest.approx(4.5)


@calm
@given(a=unit, x=st.floats(-5, 5), y=st.floats(-5, 5), lam=unit, sigma=st.floats(0.001, 5), N=st.integers(1, 80))
def test_nonconvex_bounds_hold_on_quadratics(a, x, y, lam, sigma, N):
    def average(step):
        xs = moments.second_moments(lam, step, 0.0, x, N - 1)
        ys = moments.second_moments(1.0, step, sigma, y, N - 1)
        return sum(lam**2 * u + v for u, v in zip(xs, ys, strict=True)) / N

    Delta = (lam * x * x + y * y) / 2
    if Delta > 1e-9:
        numbers = {"L": 1, "Delta": Delta, "sigma": sigma, "N": N}
        assert average(a) <= sgd.nonconvex_constant(a=a, **numbers) * (1 + 1e-12)
        tuned = min(1, math.sqrt(2 * Delta / (N * sigma**2)))
        assert average(tuned) <= sgd.nonconvex_tuned(**numbers) * (1 + 1e-12)


@pytest.mark.parametrize(("N", "ratio"), [(10**3, 1.44), (10**5, 1.4167)])
def test_two_mode_minimax_tends_to_half_the_upper_bound(N, ratio):
    """Minimize over a the supremum over lam, numerically; in units of sqrt(L Delta sigma^2/N) it tends to sqrt 2."""
    lams = np.geomspace(1e-6, 1, 4000)

    def worst(log_step):
        return np.max(sgd.nonconvex_two_mode(a=math.exp(log_step), lam=lams, L=1, Delta=1, sigma=1, N=N))

    centre = math.log(math.sqrt(2 / N))
    least = minimize_scalar(worst, bounds=(centre - 2, centre + 2), method="bounded").fun * math.sqrt(N)
    assert least == pytest.approx(ratio, abs=3e-3)
    assert least >= math.sqrt(N) * sgd.nonconvex_two_mode_best(L=1, Delta=1, sigma=1, N=N)
    upper = sgd.nonconvex_tuned(L=1, Delta=1, sigma=1, N=N) * math.sqrt(N)
    assert upper / least == pytest.approx(2, abs=0.09)
    assert sgd.count_nonconvex_two_mode(L=1, Delta=1, sigma=1, eps=math.sqrt(2 / N)) == pytest.approx(N)


def test_worst_parabola_by_quadrature_and_by_search():
    """The limit is also an integral: B = (int e^-tu)^2 and V = int ((1 - e^-tu)/t)^2 over u in [0, 1]."""
    curvature, value = parabola_family.worst_parabola(digits=30)

    def gap(c):
        first = mpmath.quad(lambda u: mpmath.exp(-c * u), [0, 1]) ** 2
        second = mpmath.quad(lambda u: ((1 - mpmath.exp(-c * u)) / c) ** 2, [0, 1])
        return c / 2 * (first + second)

    assert abs(gap(curvature) - value) < 1e-14
    grid = np.linspace(0.01, 60, 60_000)
    limits = parabola_family.averaged_parabola_limit(c=grid, s=1, sigma=1, R=1, N=1)
    assert limits.max() == pytest.approx(float(value), abs=1e-8)
    assert grid[limits.argmax()] == pytest.approx(float(curvature), abs=2e-3)
    eps = 0.01
    count = parabola_family.count_convex_parabola(sigma=2, R=3, eps=eps)
    assert count * eps**2 / 36 == pytest.approx(float(value) ** 2, rel=1e-13)


def test_best_step_scale_is_the_minimax():
    scale, curvature, value = (float(number) for number in parabola_family.best_step_scale())
    grid = np.geomspace(1e-3, 1e3, 100_000)

    def worst(s):
        return parabola_family.averaged_parabola_limit(c=grid, s=s, sigma=1, R=1, N=1).max()

    search = minimize_scalar(worst, bounds=(0.5, 4), method="bounded", options={"xatol": 1e-10})
    assert search.fun == pytest.approx(value, rel=1e-7)
    assert search.x == pytest.approx(scale, abs=2e-3)
    at_best = parabola_family.averaged_parabola_limit(c=curvature, s=scale, sigma=1, R=1, N=1)
    assert at_best == pytest.approx(value, rel=1e-12)
    assert value < float(parabola_family.worst_parabola()[1])


@pytest.mark.parametrize("c", [0.3, 1.4, 5.0])
def test_finite_horizons_tend_to_the_limit(c):
    N, sigma, R = 20_000, 2.0, 3.0
    lam, a = c * sigma / (R * math.sqrt(N)), R / (sigma * math.sqrt(N))
    exact = parabola_family.averaged_parabola(lam=lam, a=a, sigma=sigma, R=R, N=N)
    limit = parabola_family.averaged_parabola_limit(c=c, s=1, sigma=sigma, R=R, N=N)
    assert exact == pytest.approx(limit, rel=1e-3)
    assert exact != limit


def test_interpolation_rates_hold_on_interpolating_least_squares():
    """E ||x_k - x*||^2 by exact moments, for features with a common zero; a b = 1 draw of n unequal components."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(8, 3))
    top = float((features**2).sum(1).max())
    spectrum = np.linalg.eigvalsh(features.T @ features / 8)
    start = np.ones(3)
    square = moments.least_squares_moments(features, np.zeros(8), start, 1 / top, 1, 60)[1]
    k = np.arange(1, 61)
    distance = np.trace(square, axis1=1, axis2=2)[1:]
    bound = variance_reduction.interpolation_strongly_convex(mu=spectrum[0], L_max=top, R=math.sqrt(3), k=k)
    assert np.all(distance <= bound)

    hessian = features.T @ features / 8
    numbers = {"mu": spectrum[0], "L": spectrum[-1], "L_max": top, "Delta": start @ hessian @ start / 2}
    for name, step in (("interpolation_pl", spectrum[0] / (spectrum[-1] * top)), ("interpolation_pl_step", 0.3 / top)):
        square = moments.least_squares_moments(features, np.zeros(8), start, step, 1, 60)[1]
        gap = np.einsum("kij,ij->k", square, hessian)[1:] / 2
        extra = {"a": step} if name == "interpolation_pl_step" else {}
        assert np.all(gap <= getattr(variance_reduction, name)(**numbers, **extra, k=k))


def test_interpolation_rates_at_known_numbers():
    bound = variance_reduction.interpolation_strongly_convex(mu=0.5, L_max=1, R=1, k=3)
    assert bound == 0.125
    assert variance_reduction.interpolation_pl(mu=1, L=1, L_max=2, Delta=8, k=3) == 1.0


def test_variance_reduction_rates():
    assert variance_reduction.saga(L_max=3, mu=0.9, n=2, R=1, Delta=9, k=2) == pytest.approx(0.9**2 * 5)
    assert variance_reduction.saga(L_max=3, mu=2.7, n=5, R=1, Delta=0, k=1) == pytest.approx(0.95)
    factor = variance_reduction.svrg(L_max=1, mu=0.01, eta=0.1, m=1000, T=1, Delta=1)
    assert factor == pytest.approx(1 / (0.01 * 0.1 * 0.8 * 1000) + 0.25)
    assert math.isnan(variance_reduction.svrg(L_max=1, mu=0.01, eta=0.5, m=1000, T=1, Delta=1))
