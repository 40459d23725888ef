"""What the study of sparse features measures with: effective steps, frequencies, regrets, and gains after tuning."""

import math

import numpy as np
import pytest
import torch
from ratewitness.problems.online.slopes import sparse_features
from ratewitness.solvers.adagrad import AdaGrad, AdaGradNorm
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.schedules import InversePower
from ratewitness.studies.adaptive import sparse_features as study
from ratewitness.studies.adaptive import sparse_text
from ratewitness.studies.adaptive.adagrad_and_sgd import METHODS, SGD, effective_steps, recommended
from ratewitness.studies.claims import QUICK, Budget
from ratewitness.studies.measuring.tuning import Tuned
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


def test_mean_regret_is_that_of_a_plain_loop_on_the_same_rounds(monkeypatch):
    p, T, seeds = np.array([[0.9, 0.1], [0.5, 0.5], [1.0, 1.0]]), 40, 5
    monkeypatch.setattr(study, "frequencies", lambda budget: p)
    monkeypatch.setattr(study, "horizon", lambda budget: T)
    lr = torch.tensor([[0.1, 0.2, 0.3], [1.0, 0.5, 0.05]], dtype=torch.float64)
    found = study.mean_regret(QUICK, "AdaGrad", lr, seeds, "stage")
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


def test_the_gain_is_over_the_rival_that_tuning_prefers(monkeypatch):
    """And not over the one that turned out better on the fresh rounds."""
    found = {
        "AdaGrad": ([tuned(3, 1, 3), tuned(3, 1, 3)], np.array([[2.0, 4.0], [1.0, 1.0]])),
        "SGD, a": ([tuned(3, 2, 3), tuned(9, 8, 9)], np.array([[6.0, 6.0], [0.5, 0.5]])),
        "SGD, a/sqrt(t)": ([tuned(6, 5, 6), tuned(1, 2, 3)], np.array([[1.0, 1.0], [3.0, 5.0]])),
    }
    monkeypatch.setattr(study, "regrets", lambda budget, method: found[method])
    gain, chosen = study.compared(QUICK, "AdaGrad", SGD)
    assert gain.tolist() == [[3.0, 1.5], [3.0, 5.0]]
    assert [[one.on_edge for one in row] for row in chosen] == [[False] * 3, [False, False, True]]


@pytest.mark.parametrize(
    ("gap", "losses", "outcome"),
    [
        (1.0, (3, 1, 3), "supported"),
        (4.0, (3, 1, 3), "refuted"),
        (2.5, (3, 1, 3), "refuted"),
        (1.0, (1, 2, 3), "inconclusive"),
    ],
)
def test_a_gain_on_the_text_says_each_of_its_words(monkeypatch, gap, losses, outcome):
    spread = np.exp(np.linspace(-0.01, 0.01, 10))
    found = {
        "AdaGrad": (tuned(*losses), gap * spread),
        "SGD, a": (tuned(3, 2, 3), np.full(10, 4.0)),
        "SGD, a/sqrt(t)": (tuned(6, 5, 6), np.full(10, 1.0)),
    }
    monkeypatch.setattr(sparse_text, "gaps", lambda budget, method, output: found[method])
    assert sparse_text.gain(QUICK, "last", "AdaGrad", SGD, 2.0).outcome == outcome
