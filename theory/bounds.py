r"""What a convergence bound is.

    measure(method, N)  <=  value(L, mu, R, Delta, sigma, N, ...)     under the hypotheses

The symbols are shared by every file of the folder, and mean the same thing everywhere: f is L-smooth, R =
||x_0 - x*||, Delta = f(x_0) - f*, a is the step, h = L a the step in units of 1/L, sigma^2 bounds the
variance of the stochastic gradient, eps is the accuracy in the measure the bound names (beware: in ||grad
f||^2, not ||grad f||, where f is not convex).  A bound is ``tight`` when ``attained_by`` names an instance on
which it is an equality for these very constants; ``upper`` when it holds and no such instance is claimed;
``lower`` when no method of the class can beat it.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Literal

import mpmath
import numpy as np
import sympy as sp

L, mu, R, Delta, sigma, h, a, eps = sp.symbols("L mu R Delta sigma h a eps", positive=True)
lam, eta, c, C, L_max = sp.symbols("lam eta c C L_max", positive=True)
N, k, n, b, m, T = sp.symbols("N k n b m T", integer=True, positive=True)


def vanishes(expression: sp.Expr) -> bool:
    """Whether sympy proves that the expression is zero: the last line of every proof of this folder.

    >>> vanishes((L + mu) ** 2 - L**2 - 2 * L * mu - mu**2), vanishes(L - mu)
    (True, False)
    """
    return bool(sp.simplify(expression) == 0)


@cache
def _compiled(expression: sp.Basic, names: tuple[str, ...]):
    by_name = {symbol.name: symbol for symbol in expression.free_symbols}
    return sp.lambdify([by_name.get(name, sp.Symbol(name)) for name in names], expression, "numpy")


@dataclass(frozen=True)
class Bound:
    """A bound with its hypotheses; calling it evaluates ``value`` at floats or broadcastable numpy arrays.

    ``domain`` is the numeric part of the hypotheses.  Outside it a call gives nan, which no judge takes for
    support.

    >>> descent = Bound("descent", "f(x_1) - f*", Delta * (1 - mu / L), "upper", "f is L-smooth and mu-PL",
    ...                 "GD, step 1/L", "Polyak (1963)", domain=mu <= L)
    >>> descent(L=2, mu=1, Delta=3), descent(L=1, mu=2, Delta=3)
    (1.5, nan)
    >>> descent(L=2, mu=1)
    Traceback (most recent call last):
    ValueError: descent takes Delta, L, mu; missing: Delta
    """

    name: str
    measure: str
    value: sp.Expr
    kind: Literal["upper", "tight", "lower"]
    hypotheses: str
    method: str
    source: str
    attained_by: str = ""
    domain: sp.Basic = sp.true

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names a call takes, in alphabetical order."""
        return tuple(sorted(s.name for s in self.value.free_symbols | self.domain.free_symbols))

    def _checked(self, numbers: dict) -> None:
        missing = sorted(set(self.symbols) - set(numbers))
        unknown = sorted(set(numbers) - set(self.symbols))
        if missing or unknown:
            wrong = [f"missing: {', '.join(missing)}"] * bool(missing)
            wrong += [f"unknown: {', '.join(unknown)}"] * bool(unknown)
            raise ValueError(f"{self.name} takes {', '.join(self.symbols)}; {'; '.join(wrong)}")

    def __call__(self, **numbers):
        """The value in float64: a float for numbers, an array for arrays; ValueError for wrong names."""
        self._checked(numbers)
        # one common shape first: select and maximum do not broadcast their branches against each other
        arrays = np.broadcast_arrays(*(np.asarray(numbers[name], dtype=float) for name in self.symbols))
        with np.errstate(all="ignore"):  # a rate below the smallest double is rightly zero
            value = _compiled(self.value, self.symbols)(*arrays)
            inside = _compiled(self.domain, self.symbols)(*arrays)
        shape = arrays[0].shape if arrays else ()
        result = np.where(inside, value, np.nan) * np.ones(shape)
        return result if result.ndim else float(result)

    def exactly(self, **numbers) -> sp.Expr:
        """The value at exact numbers: int, Fraction, "1/10" and sympy numbers as they are, floats as the
        binary fractions they are.  A ceiling is rounded from the exact argument, so at an integer it stays
        there.

        >>> value = sp.ceiling(sp.log(Delta / eps) / sp.log(1 / (1 - mu / L)))
        >>> count = Bound("count", "N(eps)", value, "tight", "f is L-smooth and mu-PL", "GD", "")
        >>> count.exactly(Delta=1, eps="1/8", mu=1, L=2), count.exactly(Delta=1, eps="0.1249", mu=1, L=2)
        (3, 4)
        """
        self._checked(numbers)
        symbols = self.value.free_symbols | self.domain.free_symbols
        at = {symbol: _exact(numbers[symbol.name]) for symbol in symbols}
        if self.domain.subs(at) is not sp.true:
            raise ValueError(f"{self.name} holds for {self.domain}, not at {at}")
        rounded = self.value.replace(sp.ceiling, lambda argument: _ceiling(argument.subs(at)))
        return rounded.subs(at)


def _exact(number) -> sp.Expr:
    if isinstance(number, Fraction):
        return sp.Rational(number.numerator, number.denominator)
    return number if isinstance(number, sp.Basic) else sp.Rational(number)


def _ceiling(argument: sp.Expr) -> sp.Integer:
    """The ceiling of a rational or of a ratio of their logarithms; ValueError where undecided."""
    if argument.is_Rational:
        return sp.ceiling(argument)
    digits = 60 + int(mpmath.log10(abs(argument.evalf(15)) + 1))
    with mpmath.workdps(digits):
        value = mpmath.mpf(argument.evalf(digits)._mpf_)
        nearest = int(mpmath.nint(value))
        if abs(value - nearest) > mpmath.mpf(10) ** -40:
            return sp.Integer(int(mpmath.ceil(value)))
    # Logarithms of primes are linearly independent over the rationals, so this decides equality.
    if sp.cancel(sp.expand_log(argument - nearest, factor=True)) == 0:
        return sp.Integer(nearest)
    raise ValueError(f"cannot decide whether {argument} exceeds {nearest}")
