r"""Do normalized weights that learn from data settle at the norm that theory gives, and go on turning?

    logits 3 W a/|W|_F:    |W|^2 = eta (E G^2/(1 - q^2))^{1/2},    1 - cos of a step = eta lam,    q = 1 - eta lam

The loss does not see the norm of W, but the step does: gradients have the length G/|W|. On minibatches of digits G does not
fall to 0, and SGD with decay comes to a balance in which it never stops to turn W, whatever it has learnt. G differs from
step to step and with the decay, and is measured on the same run: what is predicted is the norm given G. The identities with
one G, and steps of a fixed length: `norm_equilibria`.

Sources: T. van Laarhoven (2017), arXiv:1706.05350; R. Wan et al. (2021), arXiv:2006.08419; theory/norm_equilibria.py.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.problems.data.digits import split_digits
from ratewitness.problems.networks.mlp import cross_entropy, gradient_of
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import iterates
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, mean_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.streams import Stream, normal
from ratewitness.theory.norm_equilibria import scale_free_norm

STEP, TURNS = 0.5, np.array([0.005, 0.01, 0.02])  # eta, and eta lam
TRAINING, BATCH, SHARPNESS = 200, 10, 3.0


@measured
def balances(budget: Budget, normalized: bool) -> tuple[np.ndarray, ...]:
    """Means over the later half of a run of |W|^2, of |W|^2 |grad|^2 and of 1 - cos of a step: (TURNS, seeds) each."""
    generator, seeds, steps = budget.generator("digits"), budget.pick(5, 8), budget.pick(500, 3000)
    data = split_digits(TRAINING, generator, dtype=torch.float64)

    def loss(w, a, y):
        return cross_entropy(SHARPNESS * a @ (w / w.norm(dim=(-2, -1), keepdim=True) if normalized else w).mT, y)

    def slope(k, w):
        index = torch.randint(TRAINING, (*w.shape[:2], BATCH), generator=generator, device=budget.device)
        return gradient_of(loss)(w, data.inputs[index], data.labels[index])

    decay = torch.tensor(TURNS / STEP, device=budget.device).reshape(-1, 1, 1, 1)
    stream, solver = Stream(slope), CoupledDecay(GradientDescent(STEP), decay)
    start = normal(generator, len(TURNS), seeds, 10, 64) / 8
    before, total = start, 0.0
    for k, w in zip(range(steps + 1), iterates(solver, stream, start), strict=False):
        if k > steps // 2:
            square, g = before.square().sum((-2, -1)), stream.seen[-1]
            cosine = torch.nn.functional.cosine_similarity(before.flatten(-2), w.flatten(-2), dim=-1)
            total = total + torch.stack([square, square * g.square().sum((-2, -1)), 1 - cosine])
        before = w
        stream.seen.clear()
    return tuple((total / (steps - steps // 2)).cpu().numpy())


@claim("law", "S48; Wan et al. (2021), arXiv:2006.08419; theory/norm_equilibria.py")
@planted("weights that are not normalized", normalized=False)
@planted("decay 20 % larger", factor=1.2)
@planted("decay 20 % smaller", factor=0.8)
def settle_and_go_on_turning(budget: Budget, normalized: bool = True, factor: float = 1.0) -> Verdict:
    """S48, refined: Normalized weights that learn digits with decay settle at the norm that their mean squared gradient
    sets, and go on turning.

    Softmax regression on 200 digits, minibatches of 10, SGD with step 0.5 and eta lam = 0.005, 0.01 and 0.02, means over the
    later half of 3000 steps (quick: 500), 8 seeds (quick: 5): |W|^2 agrees with the formula for the mean of G^2, and 1
    minus the cosine of a step with eta lam, each within 5 %, in 99 % intervals."""
    square, gradient, turned = balances(budget, normalized)
    turn = factor * TURNS[:, None]
    predicted = scale_free_norm(STEP, turn / STEP, gradient**0.5) ** 2
    ones = np.ones(len(TURNS))
    verdict = all_of({"norm": mean_is(square / predicted, ones, 0.05), "turn": mean_is(turned / turn, ones, 0.05)})
    parts = {
        "squared norm": rows(square, x=TURNS, theory=predicted.mean(-1)),
        "1 - cosine": rows(turned, x=TURNS, theory=turn[:, 0]),
    }
    return verdict.showing(stacked(parts))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["settle_and_go_on_turning"].table
    caption = (
        "Normalized softmax regression on minibatches of digits: the squared norm of the weights at rest, and 1 minus the "
        "cosine of a step, against $\\eta \\lambda$; means over seeds with 99 % intervals. Theory: for the measured $E G^2$."
    )
    looks, xlabel = {"squared norm": "C0o", "1 - cosine": "C1s"}, "$\\eta \\lambda$"
    both = [Panel(table[table["method"] == name], "x", xlabel, name, log="", options={"xticks": TURNS}) for name in looks]
    return {"balance": panels(caption, looks, both)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
