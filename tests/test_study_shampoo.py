"""What the studies of Shampoo measure with: flops, steps to a target, the Loewner comparison, gradient sequences."""

import math

import numpy as np
import pytest
import torch
from ratewitness.problems.data.matrix_regression import random_matrix_regression
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.solver import CENSORED, hitting_times
from ratewitness.studies.measuring.streams import sequences
from ratewitness.studies.norms.inverse_roots import exact_root
from ratewitness.studies.norms.shampoo_cost import Flops
from ratewitness.studies.norms.shampoo_kronecker import compared
from ratewitness.studies.norms.shampoo_methods import SOLVERS
from ratewitness.studies.norms.shampoo_regret import worst_regret
from ratewitness.studies.norms.shampoo_runs import GRID, TARGETS, steps_to_targets


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda a, b: a @ b, 2 * 3 * 4 * 5),
        (lambda a, b: a.expand(2, 3, 4) @ b.expand(2, 4, 5), 2 * 2 * 3 * 4 * 5),
        (lambda a, b: torch.linalg.eigh(b[:, :4]), 9 * 4**3),
        (lambda a, b: a + 1, 12),
        (lambda a, b: a.mT.reshape(2, 6)[0], 12),  # a transposed copy is written, the views are not
        (lambda a, b: a.mT[1:], 0),
    ],
)
def test_flops(operation, expected):
    a, b = torch.ones(3, 4), torch.ones(4, 5)
    with Flops() as counted:
        operation(a, b)
    assert counted.count == expected


@pytest.mark.parametrize("name", SOLVERS)
def test_steps_to_targets_are_the_least_hitting_times_over_the_grid(name):
    problem = random_matrix_regression(3, 3, 2.0, seeded())
    solver = SOLVERS[name](GRID.reshape(-1, 1, 1))
    thresholds = torch.tensor(TARGETS, dtype=torch.float64).reshape(-1, 1) * problem.initial_gap
    times = hitting_times(solver, Oracle.full(problem), problem.starts(len(GRID)), 60, problem.gap, thresholds)
    for (steps, edge), hit in zip(steps_to_targets(name, problem, 60), times, strict=True):
        reached = hit[hit != CENSORED]
        assert steps == (int(reached.min()) if len(reached) else CENSORED)
        if len(reached):
            best = np.flatnonzero(hit.numpy() == steps)
            assert edge == (set(best) <= {0, len(GRID) - 1})


def test_no_step_is_no_success():
    assert steps_to_targets("Adam", random_matrix_regression(3, 3, 2.0, seeded()), 0) == [(CENSORED, False)] * 2


@pytest.mark.parametrize("eps", [0.01, 1.0])
def test_comparison_at_an_isometry(eps):
    """Both sides have the eigenvalue eps + sigma^2 along it; without the 1/r the left one has eps + r sigma^2."""
    G = 3 * torch.eye(4, 3, dtype=torch.float64).expand(1, 1, 4, 3)
    assert compared(G, 3, eps, 1.0)[0].item() == pytest.approx(1)
    assert compared(G, 3, eps, 1.0, share=1.0)[0].item() == pytest.approx((eps + 27) / (eps + 9))
    assert compared(G, 3, eps, 0.5)[0].item() == pytest.approx(1)


@pytest.mark.parametrize("r", [1, 2])
def test_sequences_have_the_rank_asked_for(r):
    for family, G in sequences(seeded(), 4, 3, r, 5).items():
        assert G.shape == (5, 8, 4, 3)
        assert torch.linalg.matrix_rank(G).max() == (1 if family == "rank one" else r)


def test_the_regret_of_a_run_that_is_nan_is_judged():
    """It has not left the ball: its ratio must reach the judge."""
    X = torch.randn(10, 3, 1, 4, 3, generator=seeded(), dtype=torch.float64)
    best = -X.sum(0) / torch.linalg.matrix_norm(X.sum(0), keepdim=True)
    assert not np.isnan([row["ratio"] for row in worst_regret("diagonal", "linear", X, best, 1)]).any()
    X[3, 0, 0, 0, 0] = math.nan
    for row in worst_regret("diagonal", "linear", X, best, 1):
        assert math.isnan(row["ratio"]) == (row["T"] >= 4)
        assert row["runs"] + row["outside"] == 3 * 5


def test_exact_root_of_a_diagonal_matrix():
    assert np.allclose(exact_root(np.diag([16.0, 1e-8, 1.0])), np.diag([0.5, 100.0, 1.0]), rtol=1e-15)
    assert math.isclose(np.linalg.norm(exact_root(np.array([[2.0, 1.0], [1.0, 2.0]])), 2), 1.0)
