"""Polar factor, Newton-Schulz bounds and Muon's band: proofs by degree, certificates, and numbers computed another way."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.theory import muon_quintic, newton_schulz


def test_proofs_accept_the_truth_and_nothing_else():
    for degree in (3, 5, 7, 9):
        q = (degree - 1) // 2
        assert newton_schulz.is_truncated_series(degree)
        assert newton_schulz.defect_is_small(degree)
        assert not newton_schulz.defect_is_small(degree, order=q)  # divisible, but the quotient begins with zero
        assert not newton_schulz.defect_is_small(degree, order=q + 2)


def test_the_printed_exponent_is_refuted_by_exact_numbers():
    l = Fraction(19, 20)
    cubic = l * (3 - l * l) / 2
    assert 1 - cubic > (1 - l * l) ** 4
    assert 1 - cubic <= (1 - l * l) ** 2
    assert newton_schulz.exponent_holds(2)
    assert not newton_schulz.exponent_holds(4)
    assert newton_schulz.exponent_holds(3, degree=5)
    assert not newton_schulz.exponent_holds(6, degree=5)


@given(st.integers(1, 4), st.fractions(Fraction(1, 100), 1), st.integers(1, 3))
def test_both_bounds_hold_in_exact_arithmetic(q, l, T):
    symbol = sp.Symbol("x")
    p = newton_schulz.pade(2 * q + 1, symbol)
    x = sp.Rational(l.numerator, l.denominator)
    for _ in range(T):
        x = p.subs(symbol, x)
    error = float(1 - x)
    rounding = 2.0**-51 * (q + 1) ** T / float(1 - l * l) if l < 1 else 0.0  # of float(l), as 1 - l^2 magnifies it
    slack = (1e-9 + rounding) * error + 1e-300
    assert error <= newton_schulz.upper_bound(l=float(l), q=q, T=T) + slack
    lower = newton_schulz.lower_bound(l=float(l), q=q, T=T, c=float(newton_schulz.leading(q)))
    assert lower <= error + slack


def test_the_bound_does_not_cancel_for_small_l_and_has_a_domain():
    assert newton_schulz.upper_bound(l=1e-9, q=1, T=60) == pytest.approx(np.exp(-(2.0**60) * 1e-18), rel=1e-9)
    assert np.isnan(newton_schulz.upper_bound(l=1.5, q=1, T=1))


def test_muons_points_are_those_of_numpy():
    a, b, c = 3.4445, -4.7750, 2.0315
    critical = np.sort(np.sqrt(np.roots([5 * c, 3 * b, a])))
    fixed = np.sort(np.sqrt(np.roots([c, b, a - 1])))
    for enclosures, floats in ((muon_quintic.critical_points(), critical), (muon_quintic.fixed_points(), fixed)):
        for (low, high), x in zip(enclosures, floats, strict=True):
            assert low < high
            assert high - low < Fraction(1, 10**30)
            assert float(low) == pytest.approx(x, rel=1e-12)


def test_muons_band_is_where_a_long_run_of_many_starts_lives():
    x = np.linspace(1e-6, 1.2637, 200_001)
    for _ in range(40):
        x = x * np.polyval([2.0315, -4.7750, 3.4445], x * x)
    low, high = map(float, muon_quintic.band())
    assert low - 1e-9 <= x.min() < low + 1e-3
    assert high - 1e-3 < x.max() <= high + 1e-9
    points = [float(sum(p) / 2) for p in muon_quintic.orbit(muon_quintic.image(muon_quintic.TRAP), 84)[-4:]]
    nearest = np.abs(x[:, None] - np.array(points)).min(1)
    assert (nearest < 1e-4).mean() > 0.95


def test_certificates_accept_the_truth_and_nothing_else():
    assert muon_quintic.positive()
    assert muon_quintic.no_fixed_point_attracts()
    assert muon_quintic.stays_below_the_boundary()
    assert muon_quintic.every_value_enters_the_band()
    assert muon_quintic.one_repelling_two_cycle()
    assert muon_quintic.critical_orbits_are_trapped()
    assert not muon_quintic.critical_orbits_are_trapped(steps=5)
    assert not muon_quintic.four_cycle_attracts(trap=(Fraction("0.70"), Fraction("0.71")))
    assert muon_quintic.blows_up_beyond(Fraction("1.26373"))
    assert not muon_quintic.blows_up_beyond(Fraction("1.26372"))


@given(st.fractions(0, Fraction(13, 10)), st.fractions(0, Fraction(13, 10)), st.floats(0, 1))
def test_images_enclose(a, b, share):
    low, high = min(a, b), max(a, b)
    x = low + (high - low) * Fraction(share)
    image, slopes = muon_quintic.image((low, high)), muon_quintic.slopes((low, high))
    assert image[0] <= muon_quintic.p(x) <= image[1]
    assert slopes[0] <= muon_quintic.slope(x) <= slopes[1]
    grid = [muon_quintic.p(low + (high - low) * Fraction(k, 200)) for k in range(201)]
    assert float(image[1]) == pytest.approx(float(max(grid)), abs=2e-3)  # and not much more
    assert float(image[0]) == pytest.approx(float(min(grid)), abs=2e-3)


def test_the_two_cycle_is_the_only_one():
    (low, _), (high, _) = muon_quintic.two_cycles()
    assert float(muon_quintic.p(low)) == pytest.approx(float(high), abs=1e-12)
    x = np.linspace(0.01, 1.26, 100_001)
    twice = np.array([x, *[x := x * np.polyval([2.0315, -4.7750, 3.4445], x * x) for _ in range(2)]])
    changes = np.count_nonzero(np.diff(np.sign(twice[2] - twice[0])))
    assert changes == 3  # the fixed point in the band and the two points of the cycle


@given(st.floats(1e-7, 1))
def test_the_certified_number_of_steps_is_the_first_that_a_fine_grid_needs(smallest):
    steps = muon_quintic.steps_to_band(Fraction(smallest))
    low, high = map(float, muon_quintic.band())
    x = np.concatenate([[smallest], np.geomspace(smallest, 1, 20_001)])
    inside = []
    for _ in range(steps + 2):
        inside.append(((low - 1e-12 <= x) & (x <= high + 1e-12)).all())
        x = x * np.polyval([2.0315, -4.7750, 3.4445], x * x)
    assert all(inside[steps:])
    assert not any(inside[:steps])


def test_reach_is_the_boundary_of_the_steps():
    for steps in (2, 5, 9):
        start = muon_quintic.reach(steps)
        assert muon_quintic.steps_to_band(start) == steps
        assert muon_quintic.steps_to_band(start * (1 - Fraction(1, 10**12))) == steps + 1


def test_multipliers_enclose_the_products_of_slopes():
    points = [(Fraction(low, 10), Fraction(high, 10)) for low, high in ((2, 5), (8, 8), (9, 10), (12, 12))]  # both signs
    low, high = muon_quintic.multiplier(points)
    for corner in np.ndindex(2, 2, 2, 2):
        product = np.prod([float(muon_quintic.slope(x[end])) for x, end in zip(points, corner, strict=True)])
        assert float(low) - 1e-12 <= product <= float(high) + 1e-12
