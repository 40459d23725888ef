r"""What of the risk curve left of the interpolation threshold is U-shaped, and where is the lower minimum?

    the next feature helps    if and only if    b_{p+1}^2 > v_p/(n-p-1),    v_p = noise + sum_{j > p} b_j^2

For least squares on the first p of D standard normal features, p <= n-3. If b_j^2 never grows with j, a feature that does
not help is followed by none that does: the risk falls, then rises to infinity, once. The classical curve is that of features
in a good order. With equal b_j^2 and D >= n - 1 it has no descent at all, and in a random order it has several minima. Which
of the two descents of the whole curve ends lower is decided by the order, too; where b is known to the fit from the first
feature on, only the second descent exists.

Sources: M. Belkin, D. Hsu and J. Xu (2020), arXiv:1903.07571, who contrast both orders; T. Hastie, A. Montanari, S. Rosset
and R. Tibshirani (2022), arXiv:1903.08560, for the minimum beyond; theory/double_descent.py.
"""

from __future__ import annotations

import numpy as np
import torch
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds, equals_exactly, exceeds
from ratewitness.studies.landscapes.gaussian_fits import TOTAL, WIDTHS, N, fits, predicted
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory.double_descent import beyond, excess_risk, next_feature, no_u, one_minimum, selected

SYMBOLIC = (next_feature, one_minimum, no_u, beyond)
RATIOS = np.array([1.5, 2.0, 4.0, 9.0, 25.0])  # signal over noise
ENDS = {order: int(WIDTHS[WIDTHS < N][predicted(order, WIDTHS[WIDTHS < N]).argmin()]) for order in ("falling", "equal")}


@claim("proof", "S49; theory/double_descent.py")
@falsified(*SYMBOLIC)
def falling_coefficients_give_one_minimum(budget: Budget) -> Verdict:
    """S49: The classical curve is U-shaped where squared coefficients never grow along the features: left of the threshold
    it has one minimum.

    For least squares on the first p of D standard normal features, D >= n-1, with any noise sigma^2 > 0: feature p+1 lowers
    the risk if and only if b_{p+1}^2 > v_p/(n-p-1), v_p the variance left over, and for b_1^2 >= b_2^2 >= ... this never
    happens after it failed once (if it fails at once, the minimum is at p = 0); the risk is infinite at p = n-1. With equal
    b_j^2 the risk has no descent. Right of the threshold, with nothing left over and d/n -> g, it has one minimum, at g =
    r/(r - sigma) for r = ||b|| > sigma. Machine-checked: the change of the risk with a feature, the sum of products that
    keeps its sign, the zero of the derivative; cited: the laws of Wishart blocks; in prose: the induction over p, and the
    limit."""
    return prove(*SYMBOLIC)


def minima(curve: np.ndarray) -> int:
    """Local minima of a curve (points,), the ends among them."""
    padded = np.concatenate([[np.inf], curve, [np.inf]])
    return int(((padded[1:-1] < padded[:-2]) & (padded[1:-1] < padded[2:])).sum())


@claim("exact", "S49; theory/double_descent.py")
@planted("in a random order", order="random")
@planted("the first and the third exchanged", order="swapped")
def one_minimum_on_random_instances(budget: Budget, order: str = "falling") -> Verdict:
    """S49: Over a thousand random problems with features in falling order the exact risk has one minimum left of the
    threshold.

    Each has n from 10 to 60 samples, n to 3 n features with exponentially distributed b_j^2 to the power 3, in falling
    order, and noise from 0.001 to 1 of the signal; minima are counted on p = 0, ..., n-2. In random order many have several,
    and exchanging the largest coefficient with the third is enough for some."""
    generator, counts = budget.generator(), []
    for _ in range(1000):
        n = int(torch.randint(10, 61, (), generator=generator, device=generator.device))
        total = n + int(torch.randint(0, 2 * n + 1, (), generator=generator, device=generator.device))
        uniform = torch.rand(total + 1, generator=generator, dtype=torch.float64, device=generator.device).cpu().numpy()
        squares = (-np.log1p(-uniform[:-1])) ** 3
        squares = squares / squares.sum()
        if order != "random":
            squares = np.sort(squares)[::-1].copy()
        if order == "swapped":
            squares[[0, 2]] = squares[[2, 0]]
        noise, p = 10.0 ** (-3 * uniform[-1]), np.arange(1, n - 1)
        held = np.cumsum(squares)[p - 1]
        curve = np.concatenate([[1 + noise], selected(n, p, held, np.maximum(0.0, 1 - held), noise)])
        counts.append(minima(curve))
    return equals_exactly(counts, np.ones(1000))


@claim("phenomenon", "S49; Belkin, Hsu and Xu (2020), arXiv:1903.07571", unit="ln ratio")
@planted("of equal coefficients, already with 60 features", orders=("equal",), width=60)
def second_minimum_is_lower(budget: Budget, orders=("falling", "equal"), width: int = TOTAL) -> Verdict:
    """S49, read as: Far beyond the threshold the risk is lower than its first minimum, whatever the order of the features.

    Measured with all 120 features against the width of the first minimum of the exact risk, in the simulations of
    `double_descent_exact`, for falling and for equal coefficients; the logarithm of the ratio of risks has its 99 % interval
    over 20 groups above 0. The picture of the curve suggests it; the sentence does not say it."""
    return all_of({order: exceeds(gain(budget, order, width), 0.0) for order in orders})


def gain(budget: Budget, order: str, width: int = TOTAL) -> np.ndarray:
    """Logarithm of the risk at the first minimum over that at a width, by default with all features (groups,)."""
    risks = fits(budget)[order]
    first, then = (risks[list(WIDTHS).index(p)] for p in (ENDS[order], width))
    return np.log(first / then)


@claim("phenomenon", "S49; Belkin, Hsu and Xu (2020), arXiv:1903.07571", unit="ln ratio")
@planted("the orders exchanged", orders=("equal", "falling"))
def order_decides(budget: Budget, orders=("falling", "equal")) -> Verdict:
    """S49, refined: With equal coefficients the second descent ends below the first minimum, with falling ones above it.

    In the runs of `second_minimum_is_lower` the risk with all features is at least 1.3 times that of the first minimum in
    falling order, and at most 1/1.1 of it with equal coefficients, where the first minimum is at the first feature that is
    measured; 99 % intervals of the logarithm over 20 groups. All features together know of no order: only the left branch
    changes."""
    above, below = (gain(budget, order) for order in orders)
    return all_of({"above": exceeds(-above, np.log(1.3)), "below": exceeds(below, np.log(1.1))})


@claim("exact", "S49; Hastie et al. (2022), arXiv:1903.08560; theory/double_descent.py")
@planted("minimum at SNR/(SNR - 1)", power=1.0)
@planted("risk sigma (2 r - sigma) 5 % higher", factor=1.05)
def minimum_beyond_the_threshold(budget: Budget, power: float = 0.5, factor: float = 1.0) -> Verdict:
    """S49, refined: Right of the threshold the risk has a minimum of its own if the signal exceeds the noise, and falls
    throughout otherwise.

    With all features seen, n = 2000 and SNR = ||b||^2/sigma^2 of 1.5, 2, 4, 9, 25, the width of least exact excess risk is
    n sqrt(SNR)/(sqrt(SNR) - 1) within 1 %, and that risk sigma (2 ||b|| - sigma) within 1 %. For SNR = 0.25, 0.5, 1 the
    exact risk falls at every width from n+2 to 100 n, and stays above ||b||^2, the risk of the prediction 0."""
    n = 2000
    p, least = np.arange(n + 2, 100 * n), []
    for ratio in RATIOS:
        curve = excess_risk(n, p, 1.0, 1 / ratio)
        least.append((p[curve.argmin()] / n, curve.min()))
    root, deviation = RATIOS**power, RATIOS**-0.5
    steps = np.stack([np.diff(excess_risk(n, p, 1.0, 1 / ratio)) for ratio in (0.25, 0.5, 1.0)])
    return all_of(
        {
            "width": agrees([at for at, _ in least], root / (root - 1), 0.01),
            "risk": agrees([risk for _, risk in least], factor * deviation * (2 - deviation), 0.01),
            "falls": bound_holds(steps.max(-1) + 1, np.ones(3)),
        }
    )


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
