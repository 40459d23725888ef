"""Moments against brute force: every sign sequence, every batch sequence, in exact arithmetic where it can be."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.theory import moments, sampling

calm = settings(deadline=None, derandomize=True)  # time limits measure the machine, not the theory
fraction = st.fractions(min_value=Fraction(1, 9), max_value=2, max_denominator=9)


def every_run(lam, steps, sigma, start):
    """All runs over sign sequences of the two-component sum, equally likely."""
    for signs in itertools.product((-1, 1), repeat=len(steps)):
        path = [start]
        for step, sign in zip(steps, signs, strict=True):
            path.append(path[-1] - step * (lam * path[-1] + sign * sigma))
        yield path


@calm
@given(lam=fraction, sigma=fraction, start=fraction, steps=st.lists(fraction, min_size=1, max_size=6))
def test_second_moments_and_averages_by_enumeration(lam, sigma, start, steps):
    runs = list(every_run(lam, steps, sigma, start))
    N = len(steps)
    squares = [sum(path[k] ** 2 for path in runs) / len(runs) for k in range(N + 1)]
    assert moments.second_moments(lam, steps, sigma, start, N) == squares
    tail = sum(sum(path[1:]) ** 2 for path in runs) / len(runs) / N**2
    head = sum(sum(path[:-1]) ** 2 for path in runs) / len(runs) / N**2
    assert moments.average_second_moment(lam, steps, sigma, start, N) == tail
    assert moments.average_second_moment(lam, steps, sigma, start, N, head=True) == head


@calm
@given(
    lam=fraction,
    step=st.fractions(min_value=Fraction(1, 9), max_value=Fraction(8, 9), max_denominator=9),
    sigma=fraction,
    start=fraction,
    N=st.integers(1, 8),
)
def test_closed_forms_equal_the_recursion(lam, step, sigma, start, N):
    numbers = {"lam": lam, "a": step, "sigma": sigma, "x0": start, "N": N, "k": N}

    def value(closed):
        at = {s: sp.Rational(numbers[s.name].numerator, numbers[s.name].denominator) for s in closed.free_symbols}
        return Fraction(str(closed.subs(at)))

    assert value(moments.second_moment) == moments.second_moments(lam, step, sigma, start, N)[-1]
    assert value(moments.average_moment) == moments.average_second_moment(lam, step, sigma, start, N)
    assert value(moments.head_average_moment) == moments.average_second_moment(lam, step, sigma, start, N, head=True)


@calm
@given(
    lam=fraction,
    L=fraction,
    step=st.fractions(min_value=Fraction(1, 9), max_value=Fraction(8, 9), max_denominator=9),
    sigma=fraction,
    x=fraction,
    N=st.integers(1, 8),
)
def test_two_mode_average_equals_the_sum(lam, L, step, sigma, x, N):
    along = moments.second_moments(lam, step, 0, x, N - 1)
    across = moments.second_moments(L, step, sigma, 0, N - 1)
    average = sum(lam**2 * u + L**2 * v for u, v in zip(along, across, strict=True)) / N
    numbers = {"lam": lam, "L": L, "a": step, "sigma": sigma, "Delta": lam * x**2 / 2, "N": Fraction(N)}
    at = {
        s: sp.Rational(numbers[s.name].numerator, numbers[s.name].denominator) for s in moments.two_mode_average.free_symbols
    }
    if 2 not in (step * lam, step * L):
        assert Fraction(str(moments.two_mode_average.subs(at))) == average


def every_momentum_run(lam, steps, momentum, sigma, start, lookahead):
    for signs in itertools.product((-1, 1), repeat=len(steps)):
        path = [start, start]
        for step, sign in zip(steps, signs, strict=True):
            y = path[-1] + momentum * (path[-1] - path[-2])
            path.append(y - step * (lam * (y if lookahead else path[-1]) + sign * sigma))
        yield path[1:]


@calm
@given(
    lam=fraction,
    sigma=fraction,
    start=fraction,
    momentum=st.fractions(min_value=0, max_value=1, max_denominator=9),
    steps=st.lists(fraction, min_size=1, max_size=5),
    lookahead=st.booleans(),
)
def test_second_moments_with_momentum_by_enumeration(lam, sigma, start, momentum, steps, lookahead):
    runs = list(every_momentum_run(lam, steps, momentum, sigma, start, lookahead))
    squares = [sum(path[k] ** 2 for path in runs) / len(runs) for k in range(len(steps) + 1)]
    assert moments.momentum_second_moments(lam, steps, momentum, sigma, start, len(steps), lookahead) == squares


def draws(n, b, replacement):
    return list(itertools.product(range(n), repeat=b) if replacement else itertools.combinations(range(n), b))


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize(("n", "b"), [(1, 1), (2, 1), (4, 1), (4, 2), (4, 3), (4, 4), (5, 3)])
def test_weights_and_variance_factor_by_enumeration(n, b, replacement):
    rng = np.random.default_rng(n + b)
    g = rng.normal(size=(n, 3))
    means = [g[list(draw)].mean(0) for draw in draws(n, b, replacement)]
    own, shared = sampling.pair_weights(n, b, replacement)
    total = g.sum(0)
    np.testing.assert_allclose(
        np.mean([np.outer(m, m) for m in means], 0), own * g.T @ g + shared * np.outer(total, total), atol=1e-14
    )
    np.testing.assert_allclose(np.mean(means, 0), g.mean(0), atol=1e-14)
    variance = np.mean([np.sum((m - g.mean(0)) ** 2) for m in means])
    single = np.mean(np.sum((g - g.mean(0)) ** 2, 1))
    assert variance == pytest.approx(sampling.variance_factor(n, b, replacement) * single, abs=1e-14)


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize(("n", "b"), [(4, 1), (4, 2), (4, 4), (3, 2)])
def test_least_squares_moments_by_enumeration(n, b, replacement):
    """Every sequence of three batches; the step changes at each iteration, and the Hessian of a batch is random."""
    rng = np.random.default_rng(10 * n + b)
    features, targets, start = rng.normal(size=(n, 2)), rng.normal(size=n), rng.normal(size=2)
    steps = [0.3, 0.5, 0.2]
    if replacement and b == 4:
        steps = steps[:1]  # 256 batches a step
    ends = [start[None]]
    for step in steps:
        here = ends[-1]
        there = []
        for draw in draws(n, b, replacement):
            A, y = features[list(draw)], targets[list(draw)]
            there.append(here - step * (here @ A.T - y) @ A / b)
        ends.append(np.concatenate(there))
    mean, square = moments.least_squares_moments(features, targets, start, steps, b, len(steps), replacement)
    for k, x in enumerate(ends):
        np.testing.assert_allclose(mean[k], x.mean(0), atol=1e-13)
        np.testing.assert_allclose(square[k], np.einsum("ri,rj->ij", x, x) / len(x), atol=1e-13)


def test_full_batch_is_deterministic():
    rng = np.random.default_rng(1)
    features, targets = rng.normal(size=(6, 3)), rng.normal(size=6)
    mean, square = moments.least_squares_moments(features, targets, np.ones(3), 0.1, 6, 40)
    np.testing.assert_allclose(square[-1], np.outer(mean[-1], mean[-1]), atol=1e-13)
