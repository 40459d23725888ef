"""Norms at rest against iterations, and the points of balls that a study uses against their variational inequality."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.solvers.norms.lmo import FROBENIUS, MAX_ABS, NUCLEAR, SPECTRAL
from ratewitness.studies.landscapes.norm_equilibria import across
from ratewitness.studies.norms.decay_in_a_ball import nearest
from ratewitness.theory.norm_equilibria import fixed_length_square, scale_free_norm
from scripted import seeded

BALLS = {"entries": MAX_ABS, "singular values": SPECTRAL, "length": FROBENIUS, "their sum": NUCLEAR}


@given(turn=st.floats(0.05, 0.8), lam=st.floats(0.01, 2), G=st.floats(0.1, 10), start=st.floats(0.1, 10))
def test_scale_free_norm_attracts_every_start(turn, lam, G, start):
    eta, square = turn / lam, start**2
    for _ in range(300):
        square = (1 - turn) ** 2 * square + (eta * G) ** 2 / square
    assert math.sqrt(square) == pytest.approx(scale_free_norm(eta, lam, G), rel=1e-6)


@given(turn=st.floats(0.01, 1), lam=st.floats(0.01, 2), U=st.floats(0.1, 10), start=st.floats(0, 10), t=st.integers(0, 60))
def test_fixed_length_square_counts_steps(turn, lam, U, start, t):
    eta, square = turn / lam, start**2
    for _ in range(t):
        square = (1 - turn) ** 2 * square + (eta * U) ** 2
    assert fixed_length_square(eta, lam, U, t, start) == pytest.approx(square, rel=1e-9, abs=1e-12)


def test_fixed_length_square_broadcasts():
    assert fixed_length_square(0.1, 1.0, 1.0, np.arange(3), np.ones((2, 1))).shape == (2, 3)


@pytest.mark.parametrize("constraint", BALLS)
@pytest.mark.parametrize("radius", [0.7, 2.0, 100.0])
def test_nearest_points_of_balls(constraint, radius):
    """x is nearest to T if and only if <T - x, y - x> <= 0 for every y of the ball: for the best one, an LMO's."""
    norm, T = BALLS[constraint], torch.randn(30, 4, 6, generator=seeded(), dtype=torch.float64)
    x = nearest(T, radius, constraint)
    assert (norm.value(x) <= radius * (1 + 1e-12)).all()
    away = T - x
    assert (radius * norm.dual(away) - (away * x).sum((-2, -1)) <= 1e-9).all()
    if radius == 100:
        torch.testing.assert_close(x, T)


def test_what_is_across():
    w, g = torch.randn(2, 5, 3, 4, generator=seeded(), dtype=torch.float64)
    part = across(w, g, 2)
    torch.testing.assert_close((part * w).sum((-2, -1)), torch.zeros(5, dtype=torch.float64))
    off = (g - part).flatten(-2)
    torch.testing.assert_close(
        torch.nn.functional.cosine_similarity(off, w.flatten(-2), dim=-1).abs(), torch.ones(5).double()
    )
