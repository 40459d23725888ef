r"""Gradient descent on least squares with two time scales, run for run, and risks along the samples.

    X'X/n = diag(s),    60 modes of curvature 1 with signal 0.15 in all, 60 of curvature 0.002 with 0.9;    n = 200, noise 1,
    step 1/2

The signal of a mode is theta_i^2 s_i, its part of the risk of the prediction 0. A control has curvature 1 in all modes. The
second measurement is the fit of least norm in 60 dimensions, along the number of samples.
"""

from __future__ import annotations

import numpy as np
import torch
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.landscapes.gaussian_fits import fit
from ratewitness.studies.measuring.streams import normal, visited

SAMPLES, MODES, STEP, SHARE = 200, 60, 0.5, 1 / 200  # SHARE = sigma^2/n
TIMES = np.unique(np.round(np.geomspace(1, 6000, 40)).astype(int))
TURNS = (1, 8, 1386)  # first minimum, peak, second minimum
CURVATURES = {"two time scales": np.repeat([1.0, 0.002], MODES), "one time scale": np.ones(2 * MODES)}
ENERGY = np.repeat([0.15 / MODES, 0.9 / MODES], MODES)
DIMENSIONS, NOISE = 60, 0.05
SIZES = np.array([5, 10, 20, 30, 40, 46, 50, 54, 66, 70, 80, 100, 120, 150])


@measured("epoch_wise_descent")
def along_the_epochs(budget: Budget, scales: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and excess risks (steps, runs) of gradient descent from 0 on one orthogonal design with fresh noise a run."""
    generator, runs = budget.generator(), budget.pick(120, 800)
    s = torch.tensor(CURVATURES[scales], device=budget.device)
    X = SAMPLES**0.5 * torch.linalg.qr(normal(generator, SAMPLES, 2 * MODES)).Q * s.sqrt()
    theta = torch.tensor(ENERGY, device=budget.device).div(s).sqrt()
    y = X @ theta + normal(generator, runs, SAMPLES)
    H, slope = X.mT @ X / SAMPLES, y @ X / SAMPLES
    at = np.unique(np.concatenate([TIMES, TURNS]))
    path = visited(GradientDescent(STEP), lambda k, w: w @ H - slope, torch.zeros_like(slope), at.tolist())
    return at, (s * (path - theta).square()).sum(-1).cpu().numpy()


@measured("epoch_wise_descent")
def along_the_samples(budget: Budget) -> np.ndarray:
    """Excess risks (SIZES, runs) of the fit of least norm; a run adds samples to its own."""
    generator, runs = budget.generator(), budget.pick(1000, 10_000)
    X, e = normal(generator, runs, SIZES[-1], DIMENSIONS), NOISE**0.5 * normal(generator, runs, SIZES[-1], 1)
    b = torch.eye(DIMENSIONS, 1, dtype=X.dtype, device=X.device)
    found = [(fit(X[:, :n], X[:, :n] @ b + e[:, :n]) - b).square().sum((-2, -1)) for n in SIZES]
    return torch.stack(found).cpu().numpy()
