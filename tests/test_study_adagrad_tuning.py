"""What the studies of AdaGrad measure with: the reference, the adversary, widths of ranges of steps, first steps."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.studies.adaptive import (
    adagrad_adversary,
    adagrad_effective_step,
    adagrad_epsilon,
    adagrad_regret,
    adagrad_steps,
    adagrad_tuning,
    adagrad_update,
    range_of_steps,
)
from ratewitness.studies.adaptive.rotated_family import rotated_family
from ratewitness.studies.claims import QUICK
from scripted import gradients

torch.set_num_threads(1)


@pytest.mark.parametrize("norm", [False, True])
def test_reference_is_exact_where_the_roots_are_rational(norm):
    """Gradients (3, 0), (4, 0), (12, 0), so that the roots are 3, 5 and 13."""
    g = torch.tensor([[3.0, 0.0], [4.0, 0.0], [12.0, 0.0]], dtype=torch.float64)
    path = np.cumsum([float(Fraction(-3, 3)), float(Fraction(-4, 5)), float(Fraction(-12, 13))])
    found = adagrad_update.reference(torch.stack([g[:, 0], g[:, 0]], -1) if not norm else g, 1.0, 0.0, norm)
    np.testing.assert_allclose(found[:, 0], path, rtol=1e-15)


def test_reference_tells_the_places_of_epsilon_apart():
    g = gradients(20, 3, seed=1)
    expected = adagrad_update.reference(g, 0.5, 1e-2, False)
    np.testing.assert_allclose(adagrad_update.moves(AdaGrad(0.5, eps=1e-2), g), expected, rtol=0, atol=1e-13)
    assert np.abs(adagrad_update.moves(AdaGrad(0.5, eps=1e-2, eps_inside=False), g) - expected).max() > 1e-3


@pytest.mark.parametrize("method", adagrad_regret.METHODS)
def test_play_is_the_regret_of_a_plain_loop(method):
    g = gradients(30, 1, 1, 3, seed=2)
    rows = adagrad_regret.play(method, torch.ones(1, 1, 3, dtype=torch.float64), lambda t, x: g[t], 30)
    for row in (row for row in rows if row["T"] == 30):
        size = 2.0 if method == "diagonal" else 2 * 3**0.5
        eta, x, squares, won = row["c"] * size / 2**0.5, np.ones(3), np.full(3, 1e-12), 0.0
        for grad in g[:, 0, 0].numpy():
            won, squares = won + grad @ x, squares + (grad**2 if method == "diagonal" else grad @ grad)
            x = np.clip(x - eta * grad / np.sqrt(squares), -1, 1)
        regret = won + g.sum(0).abs().sum().item()
        roots = np.sqrt(squares).sum() if method == "diagonal" else np.sqrt(squares[0])
        assert row["bound"] == pytest.approx(regret / ((size**2 / (2 * eta) + eta) * roots), rel=1e-9)


def test_the_adversary_comes_nearer_with_smaller_gradients_and_never_beyond():
    table = adagrad_adversary.shuttled(QUICK).pivot(index="c", columns="delta", values="ratio")
    assert (table[0.02] > table[0.05]).all()
    assert (table[0.05] > table[0.1]).all()
    assert (table <= 1).all().all()


def test_width_of_a_known_curve():
    """|log10 c| as the logarithm of the gap is within a factor 10 of its least for two decades."""
    c = np.log10(adagrad_steps.FACTORS)
    found, edge = range_of_steps.width(10 ** np.stack([np.abs(c), 2 * np.abs(c), np.abs(c - 2.5)], -1))
    np.testing.assert_allclose(found, [2, 1, 1.5], atol=0.05)
    assert edge.tolist() == [False, False, True]


def test_width_takes_a_diverged_run_for_one_outside():
    c = np.log10(adagrad_steps.FACTORS)
    found, _ = range_of_steps.width(np.where(c > 0, np.inf, 10 ** np.abs(c)))
    assert found == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("name", [*adagrad_steps.ADAPTIVE, *adagrad_steps.SGD])
def test_last_gaps_do_not_depend_on_the_scale_for_scale_free_steps(name, monkeypatch):
    monkeypatch.setattr(adagrad_steps, "FACTORS", np.array([0.1, 1.0]))
    monkeypatch.setattr(adagrad_steps, "horizon", lambda budget: 20)
    found = adagrad_steps.last_gaps(QUICK, name, (1.0, 1e3), seeds=20)
    assert found.shape == (2, 2, 4, 2, 20)
    agree = np.allclose(found[:, :, 0, 0], found[:, :, 0, 1], rtol=1e-9)  # without noise, which each scale draws anew
    assert agree == (name in adagrad_steps.ADAPTIVE)


def test_a_sweep_of_rotations_is_the_single_ones():
    batch, single = rotated_family(QUICK, rotations=3), rotated_family(QUICK)
    assert float(single.radius) == pytest.approx(1)
    assert float(single.initial_gap) == pytest.approx(float(batch.initial_gap[0, 0]))
    torch.testing.assert_close(batch.grad(batch.start)[0, 0], single.grad(single.start))
    assert batch.start.shape == (3, 1, 12)


def test_highest_sees_the_largest_gap_and_the_sum_of_squares():
    """A long first step overshoots; the largest gap is neither the first nor the last."""
    problem = rotated_family(QUICK)
    solver, x, gaps, total = AdaGrad(5.0), problem.start, [], 0
    gap, squares = adagrad_effective_step.highest(solver, problem, problem.starts(1), 30)
    state = solver.init(x)
    for _ in range(30):
        gaps.append(float(problem.gap(x)))
        total = total + problem.grad(x) ** 2
        x, state = solver.step(x, state, Oracle.full(problem))
    assert max(gaps) > 2 * max(gaps[0], gaps[-1])
    assert float(gap) == pytest.approx(max(gaps))
    torch.testing.assert_close(squares[0], total)


def test_first_steps_and_their_laws():
    table = adagrad_epsilon.first_steps(QUICK, "inside", "inside")
    row = table[(table["eps"] == 1e-6) & np.isclose(table["gradient"], 1e-3)].iloc[0]
    assert row["measured"] == pytest.approx(1 / math.sqrt(2))
    outside = adagrad_epsilon.first_steps(QUICK, "outside", "outside")
    row = outside[(outside["eps"] == 1e-6) & np.isclose(outside["gradient"], 1e-6)].iloc[0]
    assert row["measured"] == pytest.approx(0.5)


def test_ratios_against_alpha_are_those_of_the_nearest_steps(monkeypatch):
    """At an alpha that is on both grids; a loss that is 1000 times as large makes SGD's alpha 1000 times as long."""
    rng = np.random.default_rng(0)
    logs = rng.random((len(adagrad_steps.FACTORS), 3))
    monkeypatch.setattr(adagrad_tuning, "noisy_gaps", lambda budget, method: {"a problem": (0.1, 5 + logs)})
    logs = logs - logs.mean(-1).min()
    where = [np.abs(np.log(adagrad_tuning.ALPHAS / alpha)).argmin() for alpha in (1.0, 1e-3, 1e-6)]
    c = np.abs(np.log10(adagrad_steps.FACTORS) - 1).argmin()  # c = 10 is alpha = 1
    for s in adagrad_tuning.SCALES:
        np.testing.assert_allclose(adagrad_tuning.by_alpha(QUICK, "AdaGrad")["a problem", s][where[0]], logs[c], rtol=1e-6)
    large = adagrad_tuning.by_alpha(QUICK, "SGD, a")["a problem", 1e3]
    np.testing.assert_allclose(large[where[1]], logs[c], rtol=1e-6)
    np.testing.assert_allclose(large[where[2]], logs[np.abs(np.log10(adagrad_steps.FACTORS) + 2).argmin()], rtol=1e-6)


@pytest.mark.parametrize("share", [1, 0])
def test_at_zero(share):
    assert adagrad_epsilon.division_by_zero.check(QUICK, share).outcome == ("supported" if share else "refuted")
