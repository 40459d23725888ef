r"""Least squares on random Fourier features of the digits, at every width from one singular value decomposition.

    300 images, one-hot targets, w_j ~ N(0, (0.7/8)^2 I) for pixels of mean square 1, 10 to 8000 features

The minimum-norm fit, ridge regression and gradient flow are filters of the same singular values, so that they are compared
on the same features, images and labels. Each seed draws its own split, wrong labels and features; models of different widths
are nested. Clean labels and labels of which 20 % are wrong share everything else. Test labels are never changed. The ridge
penalty is chosen on the training labels alone, by leave-one-out error in closed form, for each seed and width; gradient flow
stops at t = 1/penalty. Widths whose condition number exceeds 1e14 would be rounding: they are marked, and not judged.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from ratewitness.problems.data.digits import CLASSES, split_digits
from ratewitness.problems.data.random_features import fourier_features, one_hot
from ratewitness.studies.claims import Budget, measured
from torch import Tensor

TRAIN, SCALE, NOISES = 300, 0.7 / 8, (0.0, 0.2)
WIDTHS = {
    "quick": (20, 60, 100, 200, 300, 400, 1000, 2000),
    "full": (10, 20, 40, 60, 80, 100, 150, 200, 250, 280, 290, 300, 310, 320, 350, 400, 600, 1000, 2000, 4000, 8000),
}
PENALTIES = np.logspace(-6, 1, 29)
METHODS = ("minimum norm", "tuned ridge", "early stopping")
LIMIT = 1e14  # of the condition number
QUANTITIES = ("test risk", "test error", "training risk")


class Runs(NamedTuple):
    """Results (widths, noises, methods, quantities, seeds), condition numbers (widths, seeds), tuned penalties (widths,
    noises, seeds), and test risks of flow over those of ridge (widths, noises, penalties, seeds)."""

    widths: np.ndarray
    results: np.ndarray
    conditions: np.ndarray
    penalties: np.ndarray
    flow_over_ridge: np.ndarray

    def of(self, quantity: str, method: str = "minimum norm", noise: float = 0.2) -> np.ndarray:
        """(widths, seeds), NaN where the arithmetic would be rounding."""
        found = self.results[:, NOISES.index(noise), METHODS.index(method), QUANTITIES.index(quantity)]
        return np.where(self.conditions > LIMIT, np.nan, found)

    def at(self, width: int, quantity: str, method: str = "minimum norm", noise: float = 0.2) -> np.ndarray:
        """(seeds,), at this width."""
        return self.of(quantity, method, noise)[list(self.widths).index(width)]


@measured("random_features")
def runs(budget: Budget) -> Runs:
    """Every width, label noise and method, over fresh seeds."""
    widths, seeds = WIDTHS[budget.name], budget.pick(4, 12)
    found = [[] for _ in range(4)]
    for seed in range(seeds):
        clean, noisy = (split_digits(TRAIN, budget.generator("split", seed), share, torch.float64) for share in NOISES)
        mean = clean.inputs.mean(0)
        size = (clean.inputs - mean).square().mean().sqrt()
        features = fourier_features(widths[-1], clean.inputs.shape[1], SCALE, budget.generator("features", seed))
        waves, test_waves = (features((x - mean) / size) for x in (clean.inputs, clean.test_inputs))
        targets = torch.stack([one_hot(each.labels, CLASSES) for each in (clean, noisy)])
        rows = [_width(waves, test_waves, p, targets, one_hot(clean.test_labels, CLASSES)) for p in widths]
        for part, values in zip(found, zip(*rows, strict=True), strict=True):
            part.append(np.stack(values))
    return Runs(np.array(widths), *(np.stack(part, -1) for part in found))


def _width(waves: Tensor, test_waves: Tensor, p: int, targets: Tensor, truth: Tensor) -> tuple[np.ndarray, ...]:
    """What one seed gives at width p."""
    rescaled = (waves.shape[1] / p) ** 0.5
    U, s, Vt = torch.linalg.svd(waves[:, :p] * rescaled, full_matrices=False)
    test = test_waves[:, :p] @ Vt.mT * rescaled  # (tests, rank)
    seen = U.mT @ targets  # (noises, rank, classes)
    squares, lam = s.square(), torch.as_tensor(PENALTIES, device=s.device).unsqueeze(-1)
    ridge, flow = s / (squares + lam), -torch.expm1(-squares / lam) / s  # (penalties, rank)

    shrunk = squares / (squares + lam)
    leverage = shrunk @ U.square().mT  # (penalties, n)
    residual = targets.unsqueeze(1) - U @ (shrunk.unsqueeze(-1) * seen.unsqueeze(1))  # (noises, penalties, n, classes)
    left_out = (residual / (1 - leverage).unsqueeze(-1)).square().sum(-1).mean(-1)
    best = left_out.argmin(-1)

    def risk(prediction):
        return (prediction - truth).square().sum(-1).mean(-1)

    def judged(weights):  # (noises, rank) -> (noises, quantities)
        given = weights.unsqueeze(-1) * seen
        prediction, fitted = test @ given, U @ (s.unsqueeze(-1) * given)
        error = (prediction.argmax(-1) != truth.argmax(-1)).double().mean(-1)
        return torch.stack([risk(prediction), error, (fitted - targets).square().sum(-1).mean(-1)], -1)

    results = torch.stack([judged(w) for w in ((1 / s).expand(2, -1), ridge[best], flow[best])], 1)
    pairs = zip(flow.unsqueeze(-1), ridge.unsqueeze(-1), strict=True)
    along = [risk(test @ (a * seen)) / risk(test @ (b * seen)) for a, b in pairs]
    return (
        results.cpu().numpy(),
        (s[0] / s[-1]).cpu().numpy(),
        PENALTIES[best.cpu().numpy()],
        torch.stack(along, -1).cpu().numpy(),
    )
