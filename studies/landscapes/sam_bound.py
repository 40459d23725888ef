r"""What does the bound behind SAM say, and about which models?

    L_D(w) <= max_{||e|| <= rho} L_S(w + e) + h(||w||^2/rho^2),    h increasing

with the constants of theory/sam_bound.py, delta = 0.01, and the share of wrong answers as the loss: the theorem needs one in
[0, 1]. It is evaluated along runs of SAM and SGD, for two models: linear classifiers of Gaussian inputs in R^5, of which L_D
is known, and digits networks of 3466 weights (`sam_runs`). The largest loss in the ball is not computed: L_S(w) lies below
it, and above it the share of samples that some e of its own in the ball gets wrong, y_i <w, x_i> <= rho ||x_i||. A bound is
seen to hold with the first in the place of the maximum, to fail with the second. The bracket max L_S(w + e) - L_S(w) is the
sharpness.

Sources: P. Foret, A. Kleiner, H. Mobahi and B. Neyshabur (2021), arXiv:2010.01412; theory/sam_bound.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.data.digits import CLASSES
from ratewitness.problems.networks.mlp import MLP, on_rows
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.sam import SAM
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds
from ratewitness.studies.landscapes.sam_runs import BATCH, NETWORK, RADII, TRAIN, epochs, seeds, training_loss
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.tuning import Paired
from ratewitness.theory import sam_bound as theory
from ratewitness.theory.sam_bound import h, least_right_side

SOURCE = "S41; Foret et al. (2021), arXiv:2010.01412; theory/sam_bound.py"
PROOFS = (
    theory.moment, theory.pinsker, theory.divergence, theory.best_prior, theory.shares, theory.next_prior, theory.tail,
    theory.increasing, theory.assembled,
)  # fmt: skip
INPUTS, SAMPLES, RHO, DELTA, EPOCHS = 5, 2000, 0.3, 0.01, 10
FLIPPED = np.array([0.1, 0.3, 0.5])  # shares of labels; 1/2 leaves nothing to learn
SOLVERS = {"SGD": GradientDescent(1.0), "SAM": SAM(GradientDescent(1.0), RHO)}
TRIED = np.array([0.0, *RADII])
SIDES = {"right side": "C0o-", "$h$": "C3v-", "$L_D$": "C1s-", "$L_S$": "C2^- open"}
LOOKS = SIDES | dict(zip((f"$\\rho = {rho:.3g}$" for rho in RADII), ("C4o-", "C5s-", "C6^-", "C8v-"), strict=True))


@claim("proof", SOURCE)
@falsified(*PROOFS)
def proved_with_constants(budget: Budget) -> Verdict:
    """S41, as stated: With high probability a loss in [0, 1] is at most the worst sample loss in a ball plus an increasing
    function of ||w||^2/rho^2.

    For a loss in [0, 1], n >= 8 independent samples, rho and delta fixed before they are seen, with probability at least 1 -
    delta for all w in R^k at once with L_D(w) <= E L_D(w + e), e ~ N(0, s^2 I), s = rho/(sqrt k + sqrt(log n)). The function
    h is in theory/sam_bound.py with the steps of its proof. Machine-checked: in symbols the divergence of the Gaussians, the
    best prior, the grid of priors, the tail of e, Pinsker's inequality, that h increases, in exact arithmetic E exp(n kl) <=
    2 sqrt n for n up to 100, in numbers that h is what these add up to; cited: that inequality for larger n and the change
    of measure (Maurer 2004, arXiv:cs/0411099); in prose: how the steps follow from one another."""
    return prove(*PROOFS)


@measured
def sides(budget: Budget) -> dict[str, np.ndarray]:
    """Along the runs of both methods, over data sets of their own: each array (shares, methods, records, data sets)."""
    sets, generator = budget.pick(20, 200), budget.generator("data")
    options = {"generator": generator, "device": generator.device, "dtype": torch.float64}
    found, network = {"L_D": [], "lower": [], "upper": [], "v": []}, MLP((INPUTS, 1), bias=False)
    for share in FLIPPED:
        x = torch.randn(sets, SAMPLES, INPUTS, **options)
        y = x[..., 0].sign() * torch.where(torch.rand(sets, SAMPLES, **options) < share, -1.0, 1.0)
        problem = on_rows(network, x, y, generator, lambda z, y: torch.nn.functional.softplus(-z.squeeze(-1) * y).mean(-1))
        start = network.initial(generator, sets, dtype=torch.float64)
        for solver in SOLVERS.values():
            oracle = Oracle.minibatch(problem, 200, budget.generator("batches", share), "reshuffled")
            at = [SAMPLES // 200 * epoch for epoch in range(1, EPOCHS + 1)]
            w = run(solver, oracle, start, at[-1], lambda w: w, at).values
            margins = y * network.outputs(w, x).squeeze(-1)
            angle = torch.arccos((w[..., 0] / w.norm(dim=-1)).clamp(-1, 1))
            found["L_D"].append(share + (1 - 2 * share) * angle / torch.pi)
            found["lower"].append((margins <= 0).double().mean(-1))
            found["upper"].append((margins <= RHO * x.norm(dim=-1)).double().mean(-1))
            found["v"].append(w.square().sum(-1) / RHO**2)
    shape = len(FLIPPED), len(SOLVERS), EPOCHS, sets
    return {name: torch.stack(each).reshape(shape).cpu().numpy() for name, each in found.items()}


def is_bounded(measured: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> Verdict:
    """measured <= bound on every record, where the bound is known to lie between `lower` and `upper`."""
    holds, fails = (bound_holds(measured.ravel(), side.ravel()) for side in (lower, upper))
    outcome = "refuted" if fails.outcome == "refuted" else "inconclusive"
    verdict = holds if holds.outcome == "supported" else replace(holds, outcome=outcome)
    return verdict.noting(power_at_least=fails.evidence["power"])


@claim("upper bound", SOURCE, units={"hypothesis_met": "fraction"})
@planted("a third of the largest loss", first=1 / 3)
@planted("the bracket in place of the largest loss", bracket=True)
def holds_where_the_loss_is_known(budget: Budget, first: float = 1.0, bracket: bool = False) -> Verdict:
    """S41: The bound holds along runs of SAM and SGD on data whose population loss is known.

    Linear classifiers of 2000 samples of N(0, I) in R^5 have labels sign x_1 of which a share of 0.1, 0.3 or 0.5 is flipped,
    so that L_D is 0.1 + 0.8 angle/pi, 0.3 + 0.4 angle/pi and 0.5. SAM with rho = 0.3 and SGD minimize the logistic loss,
    step 1, minibatches of 200, for 10 epochs, after each of which the bound with rho = 0.3 and delta = 0.01 holds on each of
    200 (quick: 20) data sets a share. The hypothesis is met where L_D <= 1/2, as everywhere here (theory/sam_bound.py)."""
    each = sides(budget)
    rest = h(each["v"], INPUTS, SAMPLES, DELTA)
    lower, upper = (first * each[name] - bracket * each["lower"] + rest for name in ("lower", "upper"))
    met = each["L_D"] <= 0.5
    return is_bounded(np.where(met, each["L_D"], np.nan), lower, upper).noting(hypothesis_met=float(met.mean()))


@claim("upper bound", SOURCE, units={"largest_loss_known": "fraction"})
@planted("three times h", factor=3.0)
@planted("three tenths of the labels flipped", share=1)
def below_one_for_five_weights(budget: Budget, factor: float = 1.0, share: int = 0) -> Verdict:
    """S41, refined: For a linear classifier of 5 weights and 2000 samples the right side is at most 0.6.

    In the setting of `holds_where_the_loss_is_known` with a tenth of the labels flipped, where L_D is about 0.1, the right
    side is at most 0.6 after each of 10 epochs of SAM and SGD on each of 200 (quick: 20) data sets."""
    each = {name: array[share] for name, array in sides(budget).items()}
    rest = factor * h(each["v"], INPUTS, SAMPLES, DELTA)
    table = [
        rows(array[j], epoch=np.arange(1, EPOCHS + 1)).assign(solver=solver, side=side)
        for j, solver in enumerate(SOLVERS)
        for side, array in zip(SIDES, (each["upper"] + rest, rest, each["L_D"], each["lower"]), strict=True)
    ]
    verdict = bound_holds((each["upper"] + rest).ravel(), 0.6)
    return verdict.noting(largest_loss_known=float(each["L_D"].max())).showing(pd.concat(table))


@measured
def along_networks(budget: Budget) -> np.ndarray:
    """||w||^2 (records, TRIED, seeds) every second epoch, a fifth of the labels wrong; SAM with radius 0 is SGD."""
    problem = training_loss(budget, "noisy")
    x0 = NETWORK.initial(budget.generator("networks"), seeds(budget)).expand(len(TRIED), -1, -1)
    rho = torch.as_tensor(TRIED, dtype=x0.dtype, device=x0.device).reshape(-1, 1, 1)
    oracle = Paired(Oracle.minibatch(problem, BATCH, budget.generator("network batches"), "reshuffled"))
    at = [epoch * TRAIN // BATCH for epoch in range(0, epochs(budget) + 1, 2)]
    squares = run(SAM(GradientDescent(0.125), rho), oracle, x0, at[-1], lambda x: x.double().square().sum(-1), at).values
    return squares.cpu().numpy()


@claim("lower bound", SOURCE, units=dict.fromkeys(("least_h_along_runs", "least_right_side"), "loss in [0, 1]"))
@planted("three times as many images", samples=3 * TRAIN)
@planted("a third of the weights", weights=NETWORK.layout.size // 3)
def above_one_for_networks(budget: Budget, samples: int = TRAIN, weights: int = NETWORK.layout.size) -> Verdict:
    """S41, refined: For a network of 3466 weights on 500 digits the right side is above 1, whatever the weights and rho.

    With delta = 0.01, both h(1), which h is at least for rho <= ||w||, and 0.9 + h(0), for a ball that holds a network
    with the constant answer that is rarest, are above 1; h(1) is so from 4 n/log 2 weights on, for n up to 1000. Along
    runs of SGD and of SAM with radii 0.1, 0.25, 0.625 and 1.56, step 0.125, on 500 digits of which a fifth have wrong
    labels, h is above 2 at every second of 50 (quick: 6) epochs, for 12 (quick: 2) seeds, splits and starts of one data
    set, and the bound with each of these radii as rho."""
    squares, everywhere = along_networks(budget), least_right_side(weights, samples, DELTA, CLASSES)
    along = np.stack([h(squares / rho**2, weights, samples, DELTA) for rho in RADII])  # (rho, records, SAM's radii, seeds)
    verdicts = {"any rho": bound_holds([1 / everywhere], 1.0), "along runs": bound_holds(2 / along.ravel(), 1.0)}
    epoch = 2 * np.arange(along.shape[1])
    table = [rows(along[j, :, 1 + j], epoch=epoch).assign(rho=f"$\\rho = {rho:.3g}$")[::3] for j, rho in enumerate(RADII)]
    verdict = all_of(verdicts).noting(least_h_along_runs=float(along.min()), least_right_side=everywhere)
    return verdict.showing(pd.concat(table))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table, of_networks = (verdicts[name].table for name in ("below_one_for_five_weights", "above_one_for_networks"))
    caption = (
        "The bound along runs, means over data sets with 99 % intervals. First two: linear classifiers of 5 weights, 2000 "
        "samples, a tenth of the labels flipped, $\\rho = 0.3$; the right side is at most that. Third: $h$ alone for "
        "networks of 3466 weights that SAM trains with radius $\\rho$ on 500 digits; a share of wrong answers is at most 1."
    )
    at = {"xticks": range(0, EPOCHS + 1, 2)}
    shown = [
        Panel(table[table["solver"] == name], "epoch", "epoch", "share of errors", by="side", log="", title=name, options=at)
        for name in SOLVERS
    ]
    last = Panel(of_networks, "epoch", "epoch", "$h$", by="rho", log="", levels={"1": 1.0}, title="networks")
    last = replace(last, options={"ylim": (0, 1.05 * of_networks["measured"].max())})
    return {"right_side": panels(caption, LOOKS, [*shown, last], height=3.4)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
