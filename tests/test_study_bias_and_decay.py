"""What the studies of bias correction and weight decay measure with, against exact averages, AdamW and KKT conditions."""

from itertools import islice

import numpy as np
import pytest
import torch
from ratewitness.solvers.adam import Adam, AdamW
from ratewitness.studies.adaptive import (
    adam_estimates,
    adamw_box,
    decay_forms,
    decay_minimizers,
    decoupled_decay,
    first_steps,
)
from ratewitness.studies.claims import QUICK
from ratewitness.theory.moving_averages import average
from scripted import gradients, path

torch.set_num_threads(1)


@pytest.mark.parametrize("corrected", [True, False])
def test_the_estimates_are_read_off_from_steps(corrected):
    g, (beta1, beta2) = gradients(9, 3, seed=4, spread=3.0), (0.8, 0.95)
    settings, zero = {"beta1": beta1, "beta2": beta2, "bias_correction": corrected}, torch.zeros(3, dtype=torch.float64)
    far = adam_estimates.steps(Adam(adam_estimates.FAR, eps=adam_estimates.FAR, **settings), iter(g), zero)
    unit = adam_estimates.steps(Adam(1.0, eps=0.0, **settings), iter(g), zero)
    for k, (m, step) in enumerate(islice(zip(far, unit, strict=True), len(g)), 1):
        totals = (1 - beta1**k, 1 - beta2**k) if corrected else (1, 1)
        expected_m, expected_v = average(beta1, g[:k]) / totals[0], average(beta2, g[:k].square()) / totals[1]
        torch.testing.assert_close(m, expected_m, rtol=1e-7, atol=0)
        torch.testing.assert_close((m / step).square(), expected_v, rtol=1e-7, atol=0)


def test_laws_have_the_moments_that_are_claimed():
    generator = torch.Generator().manual_seed(0)
    for g in islice(adam_estimates.stationary(generator, 100_000), 1, 3):
        assert g.mean(-1).flatten().tolist() == pytest.approx([1.0] * 4, abs=0.02)
        assert g.square().mean(-1).flatten().tolist() == pytest.approx(list(adam_estimates.SECOND.values()), rel=0.03)
    for k, g in enumerate(islice(adam_estimates.changing(generator, 100_000), 30), 1):
        if k in (1, 20, 21, 30):
            expected = [moment(k) for moment in adam_estimates.CHANGING.values()]
            assert g.square().mean(-1).flatten().tolist() == pytest.approx(expected, rel=0.03)


def test_lengths_are_those_of_the_steps():
    g = torch.tensor([[2.0, -3.0], [1.0, 5.0]], dtype=torch.float64)
    measured = first_steps.steps("Adam", g, 2)
    for j, (beta1, beta2) in enumerate(first_steps.BETAS.tolist()):
        x = path(Adam(1.0, beta1, beta2, eps=0.0), g)
        expected = torch.stack([-x[0], x[0] - x[1]], -1) * g[0].sign().unsqueeze(-1)
        np.testing.assert_allclose(measured[j], expected.numpy(), rtol=1e-12)


def test_decoupled_adam_is_adamw():
    g, x0 = gradients(30, 4, seed=1), torch.ones(4, dtype=torch.float64)
    ours = path(decay_forms.Decoupled(Adam(0.1), 0.1 * 0.3), g, x0)
    torch.testing.assert_close(ours, path(AdamW(0.1, weight_decay=0.3), g, x0), rtol=1e-12, atol=0)


def test_displacement_is_that_of_the_window(monkeypatch):
    monkeypatch.setattr(decoupled_decay, "START", 3)
    monkeypatch.setattr(decoupled_decay, "END", 8)
    g, x0 = gradients(8, 2, seed=2), torch.ones(2, dtype=torch.float64)
    x = path(Adam(0.1), g, x0)
    torch.testing.assert_close(decoupled_decay.displacements(Adam(0.1), g, x0), x[7] - x[2])


def test_the_predicted_minimizers_are_stationary():
    c = decay_minimizers.SCALES
    x = decay_minimizers.predicted("penalty")
    np.testing.assert_allclose(c * (x - 1) + decay_minimizers.L2 * x, 0, atol=1e-13)
    x = decay_minimizers.predicted("scaled penalty")
    mean = c * (x - 1)
    np.testing.assert_allclose(mean / np.hypot(mean, c) + decay_minimizers.DECAY * x, 0, atol=1e-11)
    assert np.ptp(x) < 1e-12


def test_the_minimizers_over_the_box_meet_the_kkt_conditions():
    H, c, within = adamw_box.quadratics(QUICK)
    g = ((torch.tensor(within) - c).unsqueeze(-2) @ H).squeeze(-2).numpy()
    free = np.abs(within) < 1 - 1e-9
    assert np.abs(within).max() <= 1 + 1e-12
    assert 0.2 < free.mean() < 0.8
    np.testing.assert_allclose(g[free], 0, atol=1e-9)
    assert (g[~free] * within[~free] <= 1e-9).all()
