r"""What does SAM's bracket, the worst loss in a ball less the loss, measure: and what changes it?

    S_m = mean over parts of m samples of max_{||e|| <= rho} L_part(w + e),    less L(w)

The statement calls the bracket a measure of sharpness. It is one of the parameters as they are written: (x, y) -> (c x, y/c)
changes it and no output, and it depends on how many samples share one e. Measured on two-class linear softmax on the digits
3 and 8, 64 rows, w a random matrix (2, 64), where a sample's worst loss is log(1 + exp(-margin + sqrt 2 rho ||a||)) in
closed form. For m > 1 the maxima are found by e <- rho g/||g|| at w + e, 30 times, which climbs, because the loss is
convex.

Sources: L. Dinh et al. (2017), arXiv:1703.04933; J. Kwon et al. (2021), arXiv:2102.11600; M. Andriushchenko and N.
Flammarion (2022), arXiv:2206.06232; theory/sharpness.py."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.networks.mlp import MLP, cross_entropy, on_rows
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.sam import SAM
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal
from ratewitness.theory.sharpness import eigenvalues, joined_parts, linear_model, one_sample, perturbations, rescaling

SOURCE = "S41; Dinh et al. (2017), arXiv:1703.04933"
RHO, ROWS, PARTS = 0.1, 64, (1, 2, 4, 8, 16, 32, 64)
MODEL = MLP((64, 2), bias=False)


@claim("proof", f"{SOURCE}; theory/sharpness.py")
@falsified(eigenvalues, rescaling, perturbations)
def rescaling_changes_sharpness(budget: Budget) -> Verdict:
    """S41, refined: Rescaling (x, y) to (c x, y/c) changes the curvature without bound, and no output; adaptive sharpness
    stays.

    On the minimizers of (xy - 1)^2/2 the largest eigenvalue is x^2 + 1/x^2 and that of D H D, D = diag|w|, is 2. ASAM's
    perturbation is rescaled with the point, and SAM's is not. Machine-checked: both eigenvalues, the rescaled Hessians of an
    unspecified L, both perturbations; cited: nothing; in prose: that x^2 + 1/x^2 has no bound."""
    return prove(eigenvalues, rescaling, perturbations)


@claim("proof", "S41; Andriushchenko and Flammarion (2022), arXiv:2206.06232; theory/sharpness.py")
@falsified(joined_parts, one_sample)
def larger_parts_are_less_sharp(budget: Budget) -> Verdict:
    """S41, refined: The bracket falls as more samples share one perturbation.

    The mean over parts of the worst loss falls where parts are joined; with one sample a part it is loss(margin - rho ||a||)
    for a linear model with a falling loss. Machine-checked: the two differences; cited: Cauchy-Schwarz; in prose: that a
    joint maximizer is a point of the ball of either part."""
    return prove(joined_parts, one_sample)


@measured
def brackets(budget: Budget) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """S_m - L for m in PARTS (parts, groups), S_1 - L in closed form, and the losses (groups,)."""
    from sklearn.datasets import load_digits

    pixels, target = load_digits(return_X_y=True)
    chosen = np.flatnonzero(np.isin(target, (3, 8)))[:ROWS]
    device = budget.device
    inputs = torch.as_tensor(pixels[chosen] / 16, dtype=torch.float64, device=device)
    labels = torch.as_tensor(target[chosen] == 8, dtype=torch.int64, device=device)
    problem = on_rows(MODEL, inputs, labels, budget.generator("start"))
    x = 0.3 * normal(budget.generator("weights"), budget.pick(5, 20), MODEL.layout.size)
    oracle, found, loss = Oracle.full(problem), [], problem.gap(x)
    for m in PARTS:
        e = torch.zeros(ROWS // m, *x.shape, dtype=torch.float64, device=device)
        for _ in range(30):
            g = oracle.part_grads(x + e, m)
            e = RHO * g / g.norm(dim=-1, keepdim=True)
        rows = torch.arange(ROWS, device=device).reshape(-1, 1, m)
        worst = cross_entropy(MODEL.outputs(x + e, inputs[rows]), labels[rows].expand(-1, len(x), -1))
        found.append((worst.mean(0) - loss).cpu().numpy())
    z = MODEL.outputs(x, inputs)
    margins = (z[..., 1] - z[..., 0]) * (2 * labels - 1)
    norms = np.sqrt(2) * inputs.norm(dim=-1).cpu().numpy()
    closed = [linear_model(lambda t: np.logaddexp(0, -t), each, norms, RHO) for each in margins.cpu().numpy()]
    return np.stack(found), np.array(closed) - loss.cpu().numpy(), loss.cpu().numpy()


@claim("upper bound", "S41; theory/sharpness.py")
@planted("it rises", order=-1)
@planted("one class moves", closed=0.7)
def bracket_depends_on_the_parts(budget: Budget, order: int = 1, closed: float = 1.0) -> Verdict:
    """S41, refined: On digits the bracket falls with the number of samples that share one perturbation.

    For m = 1, 2, 4, ..., 64 and 5 (full budget: 20) random linear models, S_2m <= S_m; and S_1 agrees with its closed form
    within 1e-9."""
    found, theory, _ = brackets(budget)
    series = found[::order]
    falls = bound_holds(series[1:].ravel(), series[:-1].ravel())
    table = pd.DataFrame({"method": "digits", "m": PARTS, "measured": found.mean(-1)})
    return all_of({"falls": falls, "closed form": agrees(found[0], closed * theory)}).showing(table)


@claim("exact", "S41; Kwon et al. (2021), arXiv:2102.11600; solvers/sam.py")
@planted("so does SAM's", adaptive=False)
def adaptive_perturbation_is_rescaled(budget: Budget, adaptive: bool = True) -> Verdict:
    """S41, refined: ASAM's perturbation is rescaled with the parameters of a product, so that its worst loss stays.

    At 100 (full budget: 1000) random points (x, y) of (xy - 1)^2/2 and scales c from 0.1 to 10 the solver's perturbation at
    (c x, y/c) is C times that at (x, y) within 1e-9."""
    count = budget.pick(100, 1000)
    w = normal(budget.generator("points"), count, 2)
    c = torch.logspace(-1, 1, count, dtype=torch.float64, device=w.device).unsqueeze(-1)
    C = torch.cat([c, 1 / c], -1)
    solver = SAM(GradientDescent(0.1), RHO, adaptive=adaptive)

    def eps(w):
        return solver.perturbation(w, (w.prod(-1, keepdim=True) - 1) * w.flip(-1))

    return agrees((eps(C * w) / C).cpu().numpy(), eps(w).cpu().numpy())


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "The bracket $S_m - L$ against the number $m$ of samples that share one perturbation of length $\\rho = 0.1$:"
        " a linear model of 64 digits, mean over random weights."
    )
    panel = Panel(verdicts["bracket_depends_on_the_parts"].table, "m", "samples a part $m$", "$S_m - L$", log="x")
    return {"parts": panels(caption, {"digits": "C0o-"}, [panel])}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
