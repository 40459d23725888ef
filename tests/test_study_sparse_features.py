"""What the study of sparse features measures with: effective steps, frequencies, regrets, and gains after tuning."""

import math

import numpy as np
import pytest
import torch
from ratewitness.problems.data.which_testament import which_testament
from ratewitness.problems.online.slopes import sparse_features
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.adagrad import AdaGrad, AdaGradNorm
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.schedules import InversePower
from ratewitness.studies.adaptive import sparse_features as study
from ratewitness.studies.adaptive import sparse_runs
from ratewitness.studies.adaptive.adagrad_and_sgd import METHODS, SGD, effective_steps, recommended
from ratewitness.studies.adaptive.sparse_runs import Ends
from ratewitness.studies.claims import QUICK, Budget
from ratewitness.studies.measuring.tuning import Chosen, Tuned
from ratewitness.theory.adagrad import heterogeneity
from scipy.optimize import minimize_scalar
from scripted import Scripted, gradients

torch.set_num_threads(1)

STEPS = {
    "AdaGrad": (AdaGrad(0.3), lambda g, k: 0.3 / g.square().sum(0).sqrt()),
    "AdaGradNorm": (AdaGradNorm(0.3), lambda g, k: 0.3 / g.square().sum((0, -1)).sqrt().unsqueeze(-1).expand(2, 4)),
    "SGD": (GradientDescent(InversePower(0.3)), lambda g, k: torch.full((2, 4), 0.3 / math.sqrt(k + 1))),
}


@pytest.mark.parametrize("method", STEPS)
def test_effective_steps_are_what_the_next_gradient_would_be_multiplied_by(method):
    """With eps = 1e-10 in the root, far below the gradients; more queries than gradients would exhaust the script."""
    (solver, expected), g = STEPS[method], gradients(7, 2, 4)
    found = effective_steps(solver, Scripted(g), torch.ones(2, 4, dtype=torch.float64), (3, 7))
    assert found.shape == (2, 2, 4)
    for k, steps in zip((3, 7), found, strict=True):
        torch.testing.assert_close(steps, expected(g[:k], k).to(torch.float64), rtol=1e-6, atol=0)


@pytest.mark.parametrize("budget", [QUICK, Budget("full", 1)], ids=lambda budget: budget.name)
def test_frequencies_differ_more_and_more_at_the_same_number_of_features(budget):
    p = study.frequencies(budget)
    h = heterogeneity(p)
    np.testing.assert_allclose(p[:-1].sum(1), study.ACTIVE)
    assert ((p > 0) & (p <= 1)).all()
    assert (p[-1] == 1).all()
    assert h[0] == pytest.approx(1)
    assert h[-1] == pytest.approx(1)
    assert (np.diff(h[:-1]) < 0).all()
    assert 4.9 < study.horizon(budget) * p[-2].min() < 6  # as the docstring of `horizon` has it


@pytest.mark.parametrize("method", METHODS)
def test_the_recommended_step_minimizes_the_bound(method):
    """Of step eta: D_inf^2/(2 eta) + eta or D^2/(2 eta) + eta, times a root; and of the two forms of SGD by their proofs."""
    D_inf, D_2, energy, T = 1.7, 3.0, 0.4, 50
    bound = {
        "AdaGrad": lambda a: D_inf**2 / (2 * a) + a,
        "AdaGradNorm": lambda a: D_2**2 / (2 * a) + a,
        "SGD, a": lambda a: D_2**2 / (2 * a) + a * energy * T / 2,
        "SGD, a/sqrt(t)": lambda a: D_2**2 * T**0.5 / (2 * a) + a * energy * T**0.5,
    }[method]
    best = minimize_scalar(bound, bounds=(1e-3, 10), method="bounded", options={"xatol": 1e-9}).x
    assert recommended(method, D_inf, D_2, energy, T) == pytest.approx(best, rel=1e-5)


def test_mean_regret_is_that_of_a_plain_loop_on_the_same_rounds():
    p, T, seeds = np.array([[0.9, 0.1], [0.5, 0.5], [1.0, 1.0]]), 40, 5
    lr = torch.tensor([[0.1, 0.2, 0.3], [1.0, 0.5, 0.05]], dtype=torch.float64)
    found = sparse_runs.mean_regret(QUICK, "AdaGrad", lr, p, T, seeds, "stage")
    rounds, generator = sparse_features(torch.as_tensor(p).unsqueeze(1), "linear"), QUICK.generator("stage")
    z = [rounds.draw((1, 3, seeds), generator)[0].numpy() for _ in range(T)]
    expected = np.zeros((2, 3, seeds))
    for i, j, s in np.ndindex(expected.shape):
        x, total = np.zeros(2), np.full(2, 1e-10)
        for t in range(T):
            expected[i, j, s] += (p[j] * (1 - x) / 2).sum() / T
            g = z[t][j, s]
            total = total + g**2
            x = np.clip(x - float(lr[i, j]) * g / np.sqrt(total), -1, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert (np.abs(np.stack(z)[:, 2]) == 1).all()  # the dense contrast takes part in every round


def tuned(*losses):
    return Tuned(np.arange(1.0, 1 + len(losses)), np.array(losses))


def test_the_gain_is_over_the_rival_that_tuning_prefers():
    """And not over the one that turned out better on the fresh rounds."""
    found = {
        "AdaGrad": ([tuned(3, 1, 3), tuned(3, 1, 3)], np.array([[2.0, 4.0], [1.0, 1.0]])),
        "SGD, a": ([tuned(3, 2, 3), tuned(9, 8, 9)], np.array([[6.0, 6.0], [0.5, 0.5]])),
        "SGD, a/sqrt(t)": ([tuned(6, 5, 6), tuned(1, 2, 3)], np.array([[1.0, 1.0], [3.0, 5.0]])),
    }
    gain, chosen = sparse_runs.best_of(found["AdaGrad"], [found[method] for method in SGD])
    assert gain.tolist() == [[3.0, 1.5], [3.0, 5.0]]
    assert [[one.on_edge for one in row] for row in chosen] == [[False] * 3, [False, False, True]]


def ended(gap, tuned=1.0, on_edge=0):
    spread = np.exp(np.linspace(-0.01, 0.01, 10))
    return Ends(Chosen(np.ones(10), np.full(10, tuned), np.arange(10) < on_edge), gap * spread)


@pytest.mark.parametrize(
    ("gap", "on_edge", "outcome"),
    [(1.0, 0, "supported"), (4.0, 0, "refuted"), (2.5, 0, "refuted"), (1.0, 1, "inconclusive")],
)
def test_a_gain_on_the_text_says_each_of_its_words(monkeypatch, gap, on_edge, outcome):
    """Of better outputs and the better rival as tuning has it, and not as they turned out."""
    found = {
        "AdaGrad": {"average": ended(9.0, 3.0), "last": ended(gap, 2.0, on_edge)},
        "SGD, a": {"average": ended(4.0, 2.0), "last": ended(1.0, 3.0)},
        "SGD, a/sqrt(t)": {"average": ended(0.1, 5.0), "last": ended(0.1, 6.0)},
    }
    monkeypatch.setattr(sparse_runs, "ends", lambda budget, weights, method: found[method])
    assert sparse_runs.ahead_on_text(QUICK, "counts", "AdaGrad", SGD, 2.0).outcome == outcome


def test_ends_are_those_of_plain_runs(monkeypatch):
    """The average of x_1, ..., x_T and x_T, of each group with its step, as the geometric mean of two runs."""
    problem = which_testament(20, 0.01).problem
    monkeypatch.setattr(sparse_runs, "text", lambda budget, weights: which_testament(20, 0.01))
    monkeypatch.setattr(Budget, "pick", lambda budget, quick, full: {(4, 8): 2}.get((quick, full), 30))
    budget = Budget("quick", 1, seed=12345)
    found = sparse_runs.ends(budget, "tf-idf", "AdaGradNorm")
    lr = np.concatenate([end.chosen.lr for end in found.values()])
    oracle = Oracle.minibatch(problem, 1, budget.shared("sparse_text, revision 1").generator("test"))
    x, total, path = problem.starts(1, 4, 2), torch.full((1, 4, 2, 1), 1e-10, dtype=torch.float64), []
    for _ in range(30):
        g = oracle.grad(x)
        total = total + g.square().sum(-1, keepdim=True)
        path.append(x := x - torch.as_tensor(lr)[:, None, None] * g / total.sqrt())
    ends = {"average": torch.stack(path).mean(0)[0, :2], "last": x[0, 2:]}
    for output, end in found.items():
        np.testing.assert_allclose(end.gaps, problem.gap(ends[output]).log().mean(-1).exp(), rtol=1e-9)
