"""A bound evaluates, is nan outside its hypotheses, and rounds exactly."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from ratewitness.theory import (
    bounds,
    gradient_descent,
    lower_bounds,
    parabola_family,
    silver,
    stochastic_gradient,
    variance_reduction,
)
from ratewitness.theory.bounds import Bound, Delta, L, N, eps, mu

MODULES = (gradient_descent, stochastic_gradient, parabola_family, variance_reduction, lower_bounds, silver)
EVERY = {name: value for module in MODULES for name, value in vars(module).items() if isinstance(value, Bound)}


def make(value, domain=sp.true):
    return Bound("test", "f(x_N) - f*", value, "upper", "none", "GD", "here", domain=domain)


def test_a_number_gives_a_float_and_arrays_broadcast():
    bound = make(Delta * (1 - mu / L) ** N)
    assert bound(Delta=2, mu=1, L=2, N=3) == 0.25
    assert type(bound(Delta=2, mu=1, L=2, N=3)) is float
    grid = bound(Delta=np.ones((3, 1)), mu=1, L=2, N=np.arange(4))
    np.testing.assert_array_equal(grid, np.tile(0.5 ** np.arange(4.0), (3, 1)))


def test_branches_of_a_maximum_broadcast_against_each_other():
    bound = make(sp.Max(L, Delta / N))
    values = bound(L=np.array([[1.0], [3.0]]), Delta=4, N=np.array([1, 2, 8]))
    np.testing.assert_array_equal(values, [[4, 2, 1], [4, 3, 3]])


def test_a_constant_bound_takes_the_shape_of_its_domain():
    np.testing.assert_array_equal(make(sp.Integer(3), domain=L >= 1)(L=np.array([0.5, 2])), [np.nan, 3])
    assert make(sp.Integer(3))() == 3.0


@pytest.mark.parametrize("steps", [10**4, 10**9])
def test_underflow_and_overflow_do_not_warn(steps):
    assert make((1 - mu / L) ** N)(L=2, mu=1, N=steps) == 0.0
    assert make((1 + mu / L) ** N)(L=2, mu=1, N=steps) == math.inf


def test_outside_the_domain_is_nan():
    bound = make(mu / L, domain=mu <= L)
    np.testing.assert_array_equal(bound(L=np.array([1, 2]), mu=2), [np.nan, 1])


def test_ceilings_are_exact_at_and_beside_an_integer():
    ratio = make(sp.ceiling(L / eps))
    assert ratio.exactly(L=1, eps="1/49") == 49  # in doubles 1/(1/49) exceeds 49
    assert ratio.exactly(L=1, eps=Fraction(10**30, 49 * 10**30 + 1)) == 50
    power = make(sp.ceiling(sp.log(Delta / eps) / sp.log(L / mu)))
    for m in (1, 2, 3, 17, 40):
        small = sp.Rational(2, 3) ** m
        assert power.exactly(Delta=1, eps=small, L=3, mu=2) == m
        assert power.exactly(Delta=1, eps=small * (1 - sp.Rational(1, 10**30)), L=3, mu=2) == m + 1
        assert power.exactly(Delta=1, eps=small * (1 + sp.Rational(1, 10**30)), L=3, mu=2) == m


def test_a_ceiling_of_an_integer_in_roots_is_exact():
    golden = make(sp.ceiling(L * (sp.sqrt(5) + 1) * (sp.sqrt(5) - 1)))
    assert golden.exactly(L=1) == 4


@pytest.mark.parametrize("name", EVERY)
def test_every_bound_is_complete_and_named_like_its_variable(name):
    bound = EVERY[name]
    assert bound.name == name
    for field in ("measure", "hypotheses", "method", "source"):
        assert getattr(bound, field)
    assert bound.kind in ("upper", "tight", "lower")
    assert bool(bound.attained_by) or bound.kind != "tight"
    assert all(symbol.is_positive for symbol in bound.value.free_symbols)
    value = bound(**dict.fromkeys(bound.symbols, 0.3))
    assert isinstance(value, float)
    with pytest.raises(dataclasses.FrozenInstanceError):
        bound.kind = "lower"


def test_the_symbols_are_shared():
    names = {symbol.name: symbol for bound in EVERY.values() for symbol in bound.value.free_symbols}
    shared = {symbol.name: symbol for symbol in vars(bounds).values() if isinstance(symbol, sp.Symbol)}
    assert all(shared.get(name, symbol) == symbol for name, symbol in names.items())
    assert set(names) - set(shared) <= {"s"}
