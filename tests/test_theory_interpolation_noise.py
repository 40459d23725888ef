"""Gains of noise against interpolation by scipy, direct sums and simulated fits; and the marks of rounding arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ratewitness.studies.claims import QUICK
from ratewitness.studies.landscapes import polynomial_runs
from ratewitness.theory.interpolation_noise import (
    aliased_variance,
    chebyshev_gain,
    chebyshev_nodes,
    equispaced_gain,
    gain,
    lobatto_gain,
    lobatto_nodes,
    mean_gain,
)
from scipy import integrate, interpolate
from scripted import assert_refused, every_row


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(-50, 50), min_size=2, max_size=7, unique=True), st.floats(-1, 1))
def test_a_gain_is_that_of_interpolated_unit_vectors(nodes, x):
    nodes = np.array(nodes) / 50
    direct = sum(interpolate.BarycentricInterpolator(nodes, unit)(x) ** 2 for unit in np.eye(len(nodes)))
    assert gain(nodes, [x])[0] == pytest.approx(direct, rel=1e-6)


@pytest.mark.parametrize("n", [2, 3, 8, 13])
def test_good_nodes(n):
    x = np.linspace(-1, 1, 41)
    np.testing.assert_allclose(gain(chebyshev_nodes(n), x), chebyshev_gain(n, x), rtol=1e-10)
    np.testing.assert_allclose(gain(lobatto_nodes(n), x), lobatto_gain(n, x), rtol=1e-10)
    for nodes in (chebyshev_nodes(n), lobatto_nodes(n)):
        assert mean_gain(nodes) == pytest.approx(integrate.quad(lambda t, at=nodes: gain(at, [t])[0] / 2, -1, 1)[0])
        assert (np.diff(nodes) > 0).all()


@pytest.mark.parametrize("n", [2, 5, 30])
def test_equispaced_nodes(n):
    assert equispaced_gain(n) == pytest.approx(gain(np.linspace(-1, 1, n), [-1 + 1 / (n - 1)])[0], rel=1e-10)


@pytest.mark.parametrize("d", [1, 3, 5, 6, 9, 10, 11, 15, 16, 37])
def test_aliases_share_what_least_norm_gives_them(d):
    A = np.polynomial.chebyshev.chebvander(chebyshev_nodes(5), d - 1) * np.where(np.arange(d), 2**0.5, 1)
    assert aliased_variance(5, d) == pytest.approx(np.square(np.linalg.pinv(A, rcond=1e-8)).sum())


REFUSED = [
    *(
        ("gain", lambda nodes=nodes: gain(nodes, [0.0]), "2 or more distinct")
        for nodes in ([0.0], [0, 0], [0, np.nan], [[0, 1]])
    ),
    *((each.__name__, lambda each=each: each(1), "n is 1; accepted are") for each in (chebyshev_nodes, lobatto_nodes)),
    ("equispaced_gain", lambda: equispaced_gain(0), "n is 0; accepted are"),
    ("aliased_variance", lambda: aliased_variance(4, 0), "d is 0; accepted are"),
]


@every_row(REFUSED)
def test_what_is_refused(call, parts):
    assert_refused(call, parts)


@pytest.mark.parametrize("count", [6, 12, 15])
def test_decimal_fits_and_simulated_ones_have_the_risk_of_the_fit(count):
    nodes = np.linspace(-1, 1, 12)
    fit = polynomial_runs.fit("Legendre", nodes, count)
    decimal = polynomial_runs.precise_fit("Legendre", nodes, count, digits=30)
    np.testing.assert_allclose(decimal.inverse, fit.inverse, rtol=1e-6, atol=1e-9)
    y = polynomial_runs.target(nodes) + polynomial_runs.DEVIATION * np.random.default_rng(0).standard_normal((40_000, 12))
    x, weights = np.polynomial.legendre.leggauss(60)
    lines = y @ fit.inverse.T @ polynomial_runs.features("Legendre", x, count).T
    assert sum(fit.risk()) == pytest.approx(((lines - polynomial_runs.target(x)) ** 2 @ weights / 2).mean(), rel=0.05)
    residual = y @ fit.inverse.T @ polynomial_runs.features("Legendre", nodes, count).T - y
    assert fit.training_risk() == pytest.approx(np.square(residual).mean(), rel=0.05, abs=1e-20)


def test_rounding_is_marked_and_never_judged():
    table = polynomial_runs.curves(QUICK, bases=("monomials",))
    lost = table["arithmetic"] == "rounding"
    assert lost[table["degree"] >= 45].all()
    assert not lost[table["degree"] <= 30].any()
    for column in ("risk", "variance", "training"):
        assert (np.isnan(polynomial_runs.along(table, column)["monomials"]) == lost).all()
