"""Gradient descent in exact rationals on the witnesses, and in floats on functions drawn at random."""

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.theory import gradient_descent as gd
from scipy.optimize import brentq, minimize_scalar

calm = settings(deadline=None, derandomize=True)  # time limits measure the machine, not the theory
unit = st.floats(0.01, 1)


def descend(slope, start, step, count):
    path = [start]
    for _ in range(count):
        path.append(path[-1] - step * slope(path[-1]))
    return path


def huber(L, tau):
    def gap(x):
        return L * x * x / 2 if abs(x) <= tau else L * tau * abs(x) - L * tau * tau / 2

    def slope(x):
        return L * max(-tau, min(tau, x))

    return gap, slope


def sawtooth(L, g, h, teeth):
    """Slope of the sawtooth, its start, and its exact drop Delta, summed from trapezoids rather than a formula."""
    first, width = g / L, h * g / L

    def slope(x):
        if x <= first:
            return L * x
        piece = (x - first) // width
        if piece >= teeth:
            return g
        left = first + piece * width
        return g - L * min(x - left, left + width - x)

    kinks = [first + j * width / 2 for j in range(2 * teeth + 1)]
    drop = first * slope(first) / 2
    drop += sum((y - x) * (slope(x) + slope(y)) / 2 for x, y in itertools.pairwise(kinks))
    return slope, kinks[-1], drop


@pytest.mark.parametrize("h", [Fraction(1, 3), Fraction(1), Fraction(6, 5)])
@pytest.mark.parametrize("N", [1, 2, 5, 40])
def test_huber_attains_the_convex_bound_exactly(N, h):
    L, R = Fraction(3), Fraction(5, 2)
    gap, slope = huber(L, R / (2 * N * h + 1))
    path = descend(slope, R, h / L, N)
    assert {slope(x) for x in path} == {L * R / (2 * N * h + 1)}
    first = gap(path[-1])
    parabola = L * descend(lambda x: L * x, R, h / L, N)[-1] ** 2 / 2
    assert max(first, parabola) == Fraction(str(gd.convex.exactly(L=L, R=R, h=h, N=N)))


@pytest.mark.parametrize("h", [Fraction(1, 3), Fraction(1)])
@pytest.mark.parametrize("N", [1, 2, 7, 60])
def test_sawtooth_attains_the_nonconvex_bound_exactly(N, h):
    L, g = Fraction(3), Fraction(7, 5)
    slope, start, drop = sawtooth(L, g, h, N)
    path = descend(slope, start, h / L, N)
    assert {slope(x) for x in path} == {g}
    assert g**2 == Fraction(str(gd.nonconvex.exactly(L=L, Delta=drop, h=h, N=N)))


def hitting_time(path, measure, eps):
    return next(j for j, x in enumerate(path) if measure(x) <= eps)


@pytest.mark.parametrize("eps", [Fraction(1, 7), Fraction(1, 50), Fraction(1, 202), Fraction(1, 1000)])
@pytest.mark.parametrize("h", [Fraction(1, 3), Fraction(1)])
def test_counts_are_hit_exactly(h, eps):
    L, R, Delta, mu = Fraction(2), Fraction(1), Fraction(3, 2), Fraction(1, 5)
    T = int(gd.count_convex.exactly(L=L, R=R, h=h, eps=eps))
    gap, slope = huber(L, R / (2 * (T - 1) * h + 1))
    assert hitting_time(descend(slope, R, h / L, T + 1), gap, eps) == T

    T = int(gd.count_nonconvex.exactly(L=L, Delta=Delta, h=h, eps=eps))
    # a sawtooth with T-1 teeth, in its own units g = L = 1, then scaled so that its drop is Delta: g^2 = Delta L/drop
    slope, start, drop = sawtooth(Fraction(1), Fraction(1), h, T - 1)
    squared = L * Delta / drop
    assert hitting_time(descend(slope, start, h, T + 1), lambda x: slope(x) ** 2 * squared, eps) == T

    T = int(gd.count_pl.exactly(L=L, mu=mu, Delta=Delta, h=h, eps=eps))
    energy = descend(lambda x: mu * x, Fraction(1), h / L, T + 1)
    assert hitting_time(energy, lambda x: Delta * x * x, eps) == T


PAIRS = [
    (gd.count_pl, gd.pl_line, {"L": 3, "mu": "1/2", "Delta": 2}),
    (gd.count_convex, gd.convex, {"L": 3, "R": "1/2"}),
    (gd.count_nonconvex, gd.nonconvex, {"L": 3, "Delta": 2}),
]


@pytest.mark.parametrize("h", ["1/10", 1])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].name)
def test_counts_invert_their_bounds_at_the_boundary_itself(pair, h):
    count, bound, numbers = pair
    for N in (1, 2, 10, 77):
        eps = bound.exactly(**numbers, h=h, N=N)
        assert count.exactly(**numbers, h=h, eps=eps) == N
        assert count.exactly(**numbers, h=h, eps=eps * sp.Rational(999_999, 1_000_000)) == N + 1
    assert count.exactly(**numbers, h=h, eps=1000) == 0


@calm
@given(u=unit, h=st.floats(0.01, 1.99), N=st.integers(1, 30))
def test_pl_rates_are_ordered(u, h, N):
    """Parabola <= three step ranges <= Polyak, for every step, because that is what each of them claims."""
    numbers = {"mu": u, "L": 1, "h": h, "N": N, "Delta": 1}
    slack = 1 + 1e-9
    assert gd.strongly_convex_gap(**numbers) <= gd.pl_step_ranges(**numbers) * slack + 1e-300
    assert gd.pl_step_ranges(**numbers) <= gd.pl_polyak(**numbers) * slack + 1e-300
    if h <= 1:
        assert gd.pl_line(**numbers) <= gd.strongly_convex_gap(**numbers) * slack


@pytest.mark.parametrize("u", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("joint", [1.0, math.sqrt(3)])
def test_pl_ranges_join_continuously(joint, u):
    left, right = (gd.pl_step_ranges(mu=u, L=1, h=joint + d, N=1, Delta=1) for d in (-1e-9, 1e-9))
    assert left == pytest.approx(right, abs=1e-7)
    assert gd.pl_step_ranges(mu=u, L=1, h=1, N=1, Delta=1) == pytest.approx(2 * (1 - u) / (2 + u), abs=1e-15)
    beyond = 0.64 / (0.64 + 0.36 * u)
    assert gd.pl_step_ranges(mu=u, L=1, h=1.8, N=1, Delta=1) == pytest.approx(beyond, abs=1e-15)


@calm
@given(weights=st.lists(unit, min_size=1, max_size=6), start=st.floats(-20, 20), h=unit, N=st.integers(1, 30))
def test_pl_line_on_random_pl_functions(weights, start, h, N):
    """f = x^2 + sum w_j sin^2(x) is nonconvex for sum w > 1; on a grid its best mu is estimated from above."""
    total = sum(weights)
    L = 2 + 2 * total

    def gap(x):
        return x * x + total * np.sin(x) ** 2

    def slope(x):
        return 2 * x + total * np.sin(2 * x)

    grid = np.linspace(1e-3, 25, 50_001)
    mu = float(np.min(slope(grid) ** 2 / (2 * gap(grid)))) * (1 - 1e-3)
    if total < 4.5 and abs(start) > 1e-3:
        end = descend(slope, start, h / L, N)[-1]
        assert gap(end) <= gd.pl_line(mu=mu, L=L, h=h, N=N, Delta=gap(start)) * (1 + 1e-9)


@calm
@given(
    spectrum=st.lists(st.floats(0, 1), min_size=1, max_size=5),
    coordinates=st.lists(st.floats(-1, 1), min_size=5, max_size=5),
    threshold=st.floats(0.01, 2),
    h=st.floats(0.05, 1.95),
    N=st.integers(1, 25),
)
def test_convex_bound_on_random_separable_hubers(spectrum, coordinates, threshold, h, N):
    curvature, x = np.array(spectrum), np.array(coordinates[: len(spectrum)])
    R = float(np.linalg.norm(x))
    for _ in range(N):
        x = x - h * curvature * np.clip(x, -threshold, threshold)
    inside = np.minimum(np.abs(x), threshold)
    gap = float(np.sum(curvature * (inside**2 / 2 + threshold * (np.abs(x) - inside))))
    if R > 1e-6:
        assert gap <= gd.convex(L=1, R=R, h=h, N=N) * (1 + 1e-9)


@pytest.mark.parametrize(("L", "mu", "h", "N"), [(1, 0.1, 1, 3), (2, 0.5, 1.5, 4), (1, 1 / 3, 0.5, 6), (1, 0.1, 1.95, 2)])
def test_strongly_convex_distance_is_the_best_of_two_families(L, mu, h, N):
    """Maximize the final gap over the threshold numerically, with the run itself as the oracle."""

    def final_gap(tau):
        def slope(x):
            return L * x if x <= tau else mu * x + (L - mu) * tau

        x = descend(slope, 1.0, h / L, N)[-1]
        return L * x * x / 2 if x <= tau else mu * x * x / 2 + (L - mu) * tau * (x - tau / 2)

    coarse = max(np.linspace(0, 1, 2001)[1:], key=final_gap)
    family = -minimize_scalar(
        lambda tau: -final_gap(tau), bounds=(coarse - 1e-3, coarse + 1e-3), method="bounded", options={"xatol": 1e-12}
    ).fun
    parabola = L * (1 - h) ** (2 * N) / 2
    bound = gd.strongly_convex_distance(L=L, mu=mu, R=1, h=h, N=N)
    assert max(family, parabola) == pytest.approx(bound, rel=1e-8)


@pytest.mark.parametrize("N", [1, 2, 3, 10, 100, 1000])
def test_best_step_against_scipy(N):
    root = brentq(lambda h: math.log(2 * N * h + 1) + 2 * N * math.log(h - 1), 1 + 1e-9, 2, xtol=1e-14)
    assert float(gd.best_step(N)) == pytest.approx(root, rel=1e-12)
    worst = minimize_scalar(
        lambda h: gd.convex(L=1, R=1, h=h, N=N), bounds=(1, 2), method="bounded", options={"xatol": 1e-13}
    )
    ((count, step, rate),) = gd.best_step_table([N])
    assert count == N
    assert float(step) == pytest.approx(root, rel=1e-12)
    assert worst.fun == pytest.approx(float(rate), rel=1e-6)


def test_best_step_has_its_digits():
    with mpmath.workdps(80):
        h = gd.best_step(7, digits=60)
        assert abs((14 * h + 1) * (h - 1) ** 14 - 1) < mpmath.mpf(10) ** -57


def test_best_nonconvex_step():
    best = minimize_scalar(
        lambda h: gd.nonconvex(L=1, Delta=1, h=h, N=9), bounds=(0.1, 1.7), method="bounded", options={"xatol": 1e-12}
    )
    assert best.x == pytest.approx(float(gd.best_nonconvex_step), abs=1e-6)
    assert best.fun == pytest.approx(6 * math.sqrt(3) / (8 * 9 + 3 * math.sqrt(3)), rel=1e-10)
