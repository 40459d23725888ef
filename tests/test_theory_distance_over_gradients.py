"""DoG's bound on exact runs: sums, distances and roots in fractions and in 50 digits, with every gradient and comparator."""

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.theory.distance_over_gradients import weighted_regret


@given(
    g=st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)).filter(any), min_size=1, max_size=12),
    comparator=st.tuples(st.integers(-50, 50), st.integers(-50, 50)),
    first=st.sampled_from([0.001, 0.1, 10.0]),
)
def test_the_bound_holds_for_any_gradients_and_comparator(g, comparator, first):
    with mpmath.workdps(50):
        x, r, total, won, farthest = [mpmath.mpf(0)] * 2, mpmath.mpf(first), mpmath.mpf(0), mpmath.mpf(0), mpmath.mpf(0)

        def away(x):
            return [a - b for a, b in zip(x, comparator, strict=True)]

        for each in g:
            r = max(r, mpmath.hypot(*x))
            farthest = max(farthest, mpmath.hypot(*away(x)))
            total += sum(e * e for e in each)
            won += r * sum(e * d for e, d in zip(each, away(x), strict=True))
            x = [a - r * e / mpmath.sqrt(total) for a, e in zip(x, each, strict=True)]
        r, farthest = max(r, mpmath.hypot(*x)), max(farthest, mpmath.hypot(*away(x)))
        bound = weighted_regret(D=float(farthest), r_T=float(r), gradient_norm=float(mpmath.sqrt(total)))
        assert float(won) <= bound * (1 + 1e-12)


def test_the_bound_by_hand():
    assert weighted_regret(D=3, r_T=2, gradient_norm=5) == pytest.approx(2 * (6 + 2) * 5)
