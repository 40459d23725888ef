r"""What does Adam's step hold of an l2 penalty, literally, and of decoupled decay?

    l2        x_{k+1} = x_k - a (mean of g + l mean of x)/(sqrt(vhat_k) + eps),        vhat of g + l x
    AdamW     x_{k+1} = x_k - a (mean of g)/(sqrt(vhat_k) + eps) - a w x_k,            vhat of g

The means are the corrected ones of Adam: sum_j beta1^{k-j} (.)_j/sum_j beta1^{k-j}. So the term l x is averaged with the
gradient and divided by sqrt(vhat) + eps, and w x is not. What that does to x: `decoupled_decay`. How large the term is
depends on how the penalty is written: (lambda/2) ||x||^2 gives lambda x, and lambda ||x||^2 gives 2 lambda x.

Sources: I. Loshchilov and F. Hutter (2019), arXiv:1711.05101; theory/decoupled_decay.py.
"""

from __future__ import annotations

import torch
from ratewitness.solvers.adam import Adam, AdamW
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal, visited
from ratewitness.theory.decoupled_decay import slope_of_the_penalty
from torch import Tensor

SOURCE = "S29; Loshchilov and Hutter (2019), arXiv:1711.05101"
LR, BETA1, BETA2, EPS, DECAY, STEPS = 0.01, 0.9, 0.999, 1e-3, 0.1, 200
METHODS = {
    "l2": CoupledDecay(Adam(LR, BETA1, BETA2, EPS), DECAY),
    "AdamW": AdamW(LR, BETA1, BETA2, EPS, DECAY),
}


@measured
def path(budget: Budget, method: str) -> tuple[Tensor, Tensor]:
    """The points (STEPS + 1, 20, 10) of a run on noisy quadratics of scales 1e-3 to 1e3, and its gradients (STEPS, 20,
    10)."""
    generator = budget.generator("problems")
    scales = torch.logspace(-3, 3, 10, dtype=torch.float64, device=budget.device)
    c, noise = normal(generator, 20, 10), normal(generator, STEPS, 20, 10)
    x = visited(METHODS[method], lambda k, x: scales * (x - c + noise[k]), 3 * normal(generator, 20, 10), range(STEPS + 1))
    return x, scales * (x[:-1] - c + noise)


def corrected(values: Tensor, beta: float) -> Tensor:
    """The bias-corrected averages of values (STEPS, ...) written as sums, for every k."""
    k = torch.arange(len(values), dtype=values.dtype, device=values.device)
    weights = torch.tril(beta ** (k[:, None] - k).clamp(min=0))
    return torch.tensordot(weights / weights.sum(1, keepdim=True), values, 1)


@claim("exact", SOURCE)
@planted("the term l x is not divided", divided=0.0)
@planted("AdamW's is divided", decoupled=0.0)
@planted("vhat is that of the gradient alone", inside=0.0)
@planted("twice the term", factor=2.0)
def the_term_is_divided(
    budget: Budget, divided: float = 1.0, decoupled: float = 1.0, inside: float = 1.0, factor: float = 1.0
) -> Verdict:
    """S29, as stated: In Adam with l2 regularization the term l x is divided by sqrt(vhat) + eps; in AdamW w x is added
    after that, undivided.

    Every step of a run of 200 steps on 20 noisy quadratics of scales 1e-3 to 1e3, betas (0.9, 0.999), eps = 0.001 and decay
    0.1, is -a (mean of g + l mean of x)/(sqrt(vhat) + eps) with vhat that of g + l x, and for AdamW -a mean of g/(sqrt(vhat)
    + eps) - a w x with vhat that of g, to 1e-9 of the largest: means written as sums, next to a solver that updates
    them. For beta1 > 0 it is a mean of l x over the last points that is divided, and not l x at the last one."""
    judged = {}
    for method in METHODS:
        x, g = path(budget, method)
        seen = g + inside * DECAY * x[:-1] if method == "l2" else g
        under = corrected(seen.square(), BETA2).sqrt() + EPS
        share = divided if method == "l2" else 1 - decoupled  # of the decay that is divided
        mean = corrected(x[:-1], BETA1) if method == "l2" else x[:-1]
        step = corrected(g, BETA1) / under + factor * DECAY * (share * mean / under + (1 - share) * x[:-1])
        size = x.diff(dim=0).abs().amax()
        judged[method] = agrees((1 + (x.diff(dim=0) + LR * step).abs().amax((1, 2)) / size).cpu().numpy(), 1.0)
    return all_of(judged)


@claim("proof", "S29; theory/decoupled_decay.py")
@falsified(slope_of_the_penalty)
def the_penalty_gives_twice_the_term(budget: Budget) -> Verdict:
    """S29: The penalty lambda ||x||^2 adds 2 lambda x to the gradient, and not lambda x as the sentence says; half of that
    penalty does.

    For every lambda, dimension and x. Nothing else in the sentence depends on the factor. Machine-checked (sympy): one entry
    of the gradient, with the squares of the other entries as one symbol."""
    return prove(slope_of_the_penalty)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
