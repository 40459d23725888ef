"""The study of moving targets: recovery times against a loop round by round, the laws against the mean recursion."""

import math

import numpy as np
import pytest
import torch
from ratewitness.problems.online.slopes import drifting_minimizer
from ratewitness.solvers.adagrad import AdaGrad
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.studies.adaptive.forgetting import ALPHA, HALF, METHODS, matched, recovery, slopes, within
from ratewitness.studies.adaptive.stationary_noise import in_stationary_noise
from ratewitness.studies.claims import QUICK

torch.set_num_threads(1)


def times(solver, T0, noise=0.0, limit=2000, groups=(1, 1), path=None):
    at = torch.as_tensor(T0, dtype=torch.float64).reshape(-1, 1, 1, 1)
    problem = drifting_minimizer(at, noise=torch.as_tensor([noise], dtype=torch.float64))
    return recovery(solver, problem, at, limit, groups, torch.Generator().manual_seed(0), [] if path is None else path)


@pytest.mark.parametrize("alpha", [0.3, 0.05, 0.01])
def test_a_constant_step_needs_the_rounds_of_its_geometric_decay(alpha):
    path = []
    found = times(GradientDescent(alpha), [25, 50], path=path)
    assert (found == math.ceil(math.log(0.5) / math.log1p(-alpha))).all()
    assert path[0][0] == 0
    for k, far in path[1:3]:  # after 25 rounds only the first minimizer is about to move
        torch.testing.assert_close(far[1], torch.ones(1, dtype=torch.float64), msg=str(k))
    torch.testing.assert_close(path[2][1][0].item(), (1 - alpha) ** 25, rtol=1e-12, atol=0)


def test_no_recovery_is_nan():
    assert np.isnan(times(GradientDescent(0.0), [5, 7], limit=40)).all()


def test_recovery_is_that_of_the_mean_round_by_round():
    solver, at, groups = AdaGrad(0.5), 12, (2, 3)
    found = times(solver, [at], noise=1.0, groups=groups)
    generator = torch.Generator().manual_seed(0)
    x, total, expected = torch.zeros(2, 3, dtype=torch.float64), 1e-10, [None, None]
    for k in range(2000):
        for group in range(2):
            if k >= at and expected[group] is None and abs(1 - x[group].mean()) <= 0.5:
                expected[group] = k - at
        heads = torch.rand(1, 2, 3, 1, generator=generator, dtype=torch.float64)[0, ..., 0] < 0.5
        g = x - (1.0 if k >= at else 0.0) + 2 * heads.double() - 1
        total = total + g**2
        x = x - 0.5 * g / total.sqrt()
    assert found[0].tolist() == expected


def mean_recursion(alpha):
    """Rounds until prod (1 - alpha_n) is at most 1/2."""
    far, n = 1.0, 0
    while far > 0.5:
        far, n = far * (1 - alpha(n)), n + 1
    return n


@pytest.mark.parametrize("T0", [300, 3000, 30000])
def test_law_of_adagrad_after_a_jump(T0):
    kappa = HALF / 0.3
    assert mean_recursion(lambda n: 0.3 / math.sqrt(T0 + n)) == pytest.approx(kappa * math.sqrt(T0) + kappa**2 / 4, rel=0.05)


@pytest.mark.parametrize("s", [10, 30, 100])
def test_law_of_an_average_after_a_drop(s):
    beta2 = 0.99
    law = 2 / (1 - beta2) * math.log(1 + s * (1 - beta2) * HALF / (2 * ALPHA))
    assert law < 2 * math.log(s) / (1 - beta2)  # before the old gradients are forgotten
    assert mean_recursion(lambda n: ALPHA / math.sqrt(s**2 * beta2**n + 1 - beta2**n)) == pytest.approx(law, rel=0.05)


@pytest.mark.parametrize("name", ["AdaGrad", "no forgetting", "AdaDelta", "RMSProp", "Adam", "AMSGrad"])
def test_effective_steps_are_equal_before_a_drop(name):
    solver, x = METHODS[name](matched(name, 500)), torch.zeros(1, dtype=torch.float64)

    class Alternating:
        rounds, constant = 0, None

        def grad(self, x):
            self.rounds += 1
            return torch.full_like(x, self.constant or (-1.0) ** self.rounds)

    oracle, state = Alternating(), solver.init(x)
    for _ in range(500):
        x, state = solver.step(x, state, oracle)
    oracle.constant, start = 1.0, x
    for _ in range(100):  # g = 1 for so long that a momentum is 1 as well
        x, state = solver.step(x, state, oracle)
    # AdaGrad's step falls by sqrt(1.2) meanwhile, AdaDelta's rises by as much, above what its start from v = 0 has added
    assert (start - x).item() / 100 == pytest.approx(ALPHA, rel=0.15)


def test_the_effective_step_is_that_of_the_update():
    seen = in_stationary_noise(QUICK, "AdaGrad")
    lr = matched("AdaGrad", 300)
    # g^2 = 1 + 2 x xi + x^2 with E x^2 = alpha/2, so that the sum of squares is a little more than k
    np.testing.assert_allclose(seen["step"].mean(-1), lr / np.sqrt(seen["round"]), rtol=0.04)
    assert (np.diff(seen["round"]) > 0).all()


def test_slopes_and_ranges():
    x = np.array([1.0, 10.0, 100.0])
    np.testing.assert_allclose(slopes(x, np.stack([x**0.5, 3 * x**-1], -1)), [0.5, -1])
    assert within(np.array([0.5, 0.51, 0.49]), 0.3, 0.7).outcome == "supported"
    assert within(np.array([0.5, 0.51, 0.49]), 0.6, 0.7).outcome == "refuted"
    assert within(np.array([0.5, 0.51, 0.49]), 0.2, 0.4).outcome == "refuted"
    assert within(np.array([0.5, 0.61, 0.39]), 0.45, 0.55).outcome == "inconclusive"
