r"""Does the risk have a pole at the interpolation threshold if the design is regular?

    ||b||^2 (1 - n/d)_+ + sigma^2 min(n, d)/max(n, d)

is the excess risk of the fit of least norm where the columns (d <= n) or the rows (d >= n) of the design are orthogonal,
with entries of mean square 1 and directions that b does not know: at n = d it is sigma^2. No design of that size has less
variance. So the pole is that of random designs, whose least singular value comes near to 0. Fits of trigonometric
polynomials on equispaced points, and of polynomials on good nodes, are of this kind: `polynomial_nodes`.

Source: theory/ridge_risk.py.
"""

from __future__ import annotations

import numpy as np
import torch
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import mean_is
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal
from ratewitness.theory.double_descent import excess_risk
from ratewitness.theory.ridge_risk import orthogonal

NOISE = 0.25
FEW, DIMENSIONS, GROUPS = 40, (10, 20, 35, 39, 40, 41, 45, 60, 120), 20


@claim("proof", "S49; theory/ridge_risk.py")
@falsified(orthogonal)
def least_variance(budget: Budget) -> Verdict:
    """S49, refined: Of all designs of one size those with orthogonal columns, or rows, have the least variance, at most that
    of the noise.

    Over designs X with n rows in d dimensions and ||X||_F^2 = n d, the variance sigma^2 tr(X'X)^+ of the fit of least norm
    is at least sigma^2 min(n, d)/max(n, d) where X has full rank, with equality for orthogonal columns or rows: the tangent
    of 1/s. Machine-checked: that 1/s lies above its tangent, and the bias; cited: nothing; in prose: the sum over the
    eigenvalues of X'X, or XX'."""
    return prove(orthogonal)


@claim("exact", "S49; theory/ridge_risk.py")
@planted("noise 10 % larger", noise=1.1 * NOISE)
@planted("the pole of a random design", random=True)
def orthogonal_design_has_no_pole(budget: Budget, noise: float = NOISE, random: bool = False) -> Verdict:
    """S49, refined: With an orthogonal design the risk has no pole at the threshold: where n = d it is the variance of the
    noise.

    With 40 samples, ||b|| = 1 and noise of variance 1/4, on uniformly distributed designs with orthogonal columns (d <= n)
    or rows (d >= n), entries of mean square 1, in d = 10 to 120 dimensions, 40 among them: ||b||^2 (1 - n/d)_+ + sigma^2
    min(n, d)/max(n, d) within 5 %, over 20 groups of 200 (quick: 30) fits each."""
    d, found = np.array(DIMENSIONS), np.empty((len(DIMENSIONS), GROUPS))
    for i, dimension in enumerate(DIMENSIONS):
        generator, size = budget.generator(dimension), GROUPS * budget.pick(30, 200)
        tall = normal(generator, size, max(FEW, dimension), min(FEW, dimension))
        Q = torch.linalg.qr(tall).Q * max(FEW, dimension) ** 0.5
        X, b = Q if dimension <= FEW else Q.mT, torch.eye(dimension, 1, dtype=Q.dtype, device=Q.device)
        y = X @ b + NOISE**0.5 * normal(generator, size, FEW, 1)
        w = X.mT @ y / max(FEW, dimension)
        found[i] = (w - b).square().sum((-2, -1)).unflatten(0, (GROUPS, -1)).mean(-1).cpu().numpy()
    exact = np.maximum(0.0, 1 - FEW / d) + noise * np.minimum(FEW, d) / np.maximum(FEW, d)
    kept = abs(d - FEW) > (1 if random else -1)
    return mean_is(found[kept], excess_risk(FEW, d, 1.0, noise)[kept] if random else exact[kept], 0.05)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
