"""What the studies of SAM measure, on functions and settings where it is known."""

import numpy as np
import pytest
import torch
from ratewitness.problems.quadratics import quadratic
from ratewitness.studies.landscapes.sam_bound import is_bounded
from ratewitness.studies.landscapes.sam_measures import RADIUS, rise, top_eigenvalue
from ratewitness.studies.landscapes.sam_runs import RADII, STEPS, Runs

SPECTRUM = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)


def test_the_rise_around_a_minimizer_is_that_along_the_top_eigenvector():
    problem, generator = quadratic(SPECTRUM, torch.ones(3, dtype=torch.float64)), torch.Generator().manual_seed(0)
    x = problem.minimizer.expand(2, -1)
    assert rise(problem, x, generator) == pytest.approx([4.0 * RADIUS**2 / 2] * 2, rel=1e-3)


def test_the_top_eigenvalue_of_a_quadratic():
    problem, generator = quadratic(SPECTRUM, torch.ones(3, dtype=torch.float64)), torch.Generator().manual_seed(0)
    assert top_eigenvalue(problem, problem.starts(2), generator) == pytest.approx([4.0, 4.0], rel=1e-6)


@pytest.mark.parametrize(
    ("step", "radius", "on_edge"), [(1, 1, False), (1, 0, False), (1, 3, True), (0, 1, True), (3, 1, True)]
)
def test_the_smallest_radius_is_no_edge_but_the_largest_and_both_ends_of_the_steps_are(step, radius, on_edge):
    settings = np.stack([each.ravel() for each in np.meshgrid(STEPS, RADII, indexing="ij")], 1)
    errors = np.ones((len(settings), 3))
    errors[len(RADII) * step + radius] = 0.5
    found = Runs(torch.zeros(1, 3, 1), settings, errors, errors.argmin(0))
    assert found.on_edge == on_edge


@pytest.mark.parametrize(
    ("lower", "upper", "outcome"), [(1.0, 2.0, "supported"), (0.5, 2.0, "inconclusive"), (0.5, 0.8, "refuted")]
)
def test_a_bound_known_between_two_numbers(lower, upper, outcome):
    assert is_bounded(np.array([0.9]), np.array([lower]), np.array([upper])).outcome == outcome
