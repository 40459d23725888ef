"""The asymptotic identities of the witnesses, seen in a run."""

import math

import pytest


@pytest.mark.parametrize("p", [3, 4, 8])
def test_power_law_in_a_run(p):
    """k f(x_k)^((p-2)/p) a p (p-2) -> 1 along gradient descent on |x|^p."""
    x, a, steps = 0.5, 0.05, 20_000
    for _ in range(steps):
        x -= a * p * x ** (p - 1)
    assert steps * a * p * (p - 2) * (x**p) ** ((p - 2) / p) == pytest.approx(1, abs=0.1)


def test_softplus_in_a_run():
    x, steps = 0.0, 20_000
    for _ in range(steps):
        x += 4 / (1 + math.exp(x))
    assert 4 * steps * math.log1p(math.exp(-x)) == pytest.approx(1, abs=2e-3)
