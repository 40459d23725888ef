"""Are the optimizers of torch what they are called?

    class(params)  =  a recursion in NumPy, written from the papers (studies/cards/methods.py)

Scripted gradients are played to each class as its users drive it, with and without weight decay, in single precision, from
x = 0, over 1000 steps. What holds here holds for the version of torch that provenance.json names.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.studies.cards import league
from ratewitness.studies.claims import Budget, Verdict, claim, planted


@claim("exact", "S13; torch 2.13.0, torch.optim.SGD")
@planted("momentum 0.899", rule="SGD(momentum=0.899, nesterov=True)")
def sgd(budget: Budget, rule: str = "SGD(momentum=0.9, nesterov=True)") -> Verdict:
    """S13: SGD of torch is gradient descent, with momentum Polyak's heavy ball or Nesterov's form of it.

    Momentum 0.9 and nesterov=True. On scripted gradients, 1000 steps and other shapes its steps are those of the
    recursion to 1e-9; it breaks no law."""
    return league.is_rule(torch.optim.SGD, rule, momentum=0.9, nesterov=True)


@claim("exact", "S15; torch 2.13.0, torch.optim.Adagrad")
@planted("epsilon doubled", rule="Adagrad(eps=2e-10)")
def adagrad(budget: Budget, rule: str = "Adagrad()") -> Verdict:
    """S15: Adagrad of torch divides by the root of the sum of squares, with epsilon outside the root.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; it breaks no law."""
    return league.is_rule(torch.optim.Adagrad, rule)


@claim("exact", "S19; torch 2.13.0, torch.optim.Adadelta")
@planted("rho 0.899", rule="Adadelta(rho=0.899)")
def adadelta(budget: Budget, rule: str = "Adadelta()") -> Verdict:
    """S19: Adadelta of torch is Zeiler's method, with epsilon inside both roots.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; it breaks no law."""
    return league.is_rule(torch.optim.Adadelta, rule)


@claim("exact", "S21; torch 2.13.0, torch.optim.RMSprop")
@planted("alpha 0.989", rule="RMSprop(alpha=0.989)")
def rmsprop(budget: Budget, rule: str = "RMSprop()") -> Verdict:
    """S21: RMSprop of torch divides by the root of a moving average that is not corrected for its start.

    With epsilon outside the root. On scripted gradients, 1000 steps and other shapes its steps are those of the
    recursion to 1e-9; it breaks no law."""
    return league.is_rule(torch.optim.RMSprop, rule)


@claim("exact", "S24; torch 2.13.0, torch.optim.Adam; Kingma and Ba (2015)")
@planted("beta2 0.998", rule="Adam(betas=(0.9, 0.998))")
@planted("decoupled decay", rule="AdamW()")
def adam(budget: Budget, rule: str = "Adam()") -> Verdict:
    """S24: Adam of torch is Adam with both corrections and epsilon outside the root, and l2 regularization coupled.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; it breaks no law."""
    return league.is_rule(torch.optim.Adam, rule)


@claim("exact", "S26; torch 2.13.0, torch.optim.Adam; Reddi et al. (2018)")
@planted("no maximum", rule="Adam(amsgrad=False)")
def amsgrad(budget: Budget, rule: str = "AMSGrad()") -> Verdict:
    """S26: Adam of torch with amsgrad=True keeps the maximum of the raw second moment, and corrects it after that.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; it breaks no law."""
    return league.is_rule(torch.optim.Adam, rule, amsgrad=True)


@claim("exact", "S29; torch 2.13.0, torch.optim.AdamW; Loshchilov and Hutter (2019)")
@planted("weight decay 0.011", rule="AdamW(weight_decay=0.011)")
@planted("coupled decay", rule="Adam(weight_decay=0.01)")
def adamw(budget: Budget, rule: str = "AdamW()") -> Verdict:
    """S29: AdamW of torch is Adam whose weights decay by lr weight_decay before the step, and not through the gradient.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; it breaks no law."""
    return league.is_rule(torch.optim.AdamW, rule)


@claim("exact", "S24; torch 2.13.0, torch.optim.Adamax; Kingma and Ba (2015)")
@planted("beta2 0.998", rule="Adamax(betas=(0.9, 0.998))")
def adamax(budget: Budget, rule: str = "Adamax()") -> Verdict:
    """S24: Adamax of torch is Adam with a decaying maximum in place of the second moment, epsilon inside it.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; it breaks no law."""
    return league.is_rule(torch.optim.Adamax, rule)


@claim("exact", "S24; torch 2.13.0, torch.optim.NAdam; Dozat (2016)")
@planted("momentum decay doubled", rule="NAdam(momentum_decay=0.008)")
def nadam(budget: Budget, rule: str = "NAdam()") -> Verdict:
    """S24: NAdam of torch is Dozat's method with his schedule of the momentum.

    To 1e-6, because the product of its momenta is kept in float32. On scripted gradients, 1000 steps and other shapes
    its steps are those of the recursion to 1e-6; it breaks no law."""
    return league.is_rule(torch.optim.NAdam, rule)


@claim("exact", "S24; torch 2.13.0, torch.optim.RAdam; Liu et al. (2020), arXiv:1908.03265")
@planted("beta2 0.998", rule="RAdam(betas=(0.9, 0.998))")
def radam(budget: Budget, rule: str = "RAdam()") -> Verdict:
    """S24: RAdam of torch is Adam with Liu's rectification, and momentum alone in its first five steps.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; it breaks no law."""
    return league.is_rule(torch.optim.RAdam, rule)


@claim("exact", "S19; torch 2.13.0, torch.optim.Adafactor; Shazeer and Stern (2018), arXiv:1804.04235")
@planted("clipped at 1.1", rule="Adafactor(d=1.1)")
def adafactor(budget: Budget, rule: str = "Adafactor()") -> Verdict:
    """S19: Adafactor of torch keeps row and column means of the squares, clips its update and scales it by the
    parameters.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; it breaks no law."""
    return league.is_rule(torch.optim.Adafactor, rule)


@claim("exact", "S37; torch 2.13.0, torch.optim.Muon; Jordan et al. (2024)")
@planted("momentum 0.9", rule="Muon(momentum=0.9)")
def muon(budget: Budget, rule: str = "Muon()") -> Verdict:
    """S37: Muon of torch orthogonalizes Nesterov's average by five steps of the quintic, in bfloat16.

    To 15 % of a step, which is what bfloat16 leaves of the quintic; momentum 0.9 is off by more. It breaks no law."""
    return league.is_rule(torch.optim.Muon, rule)


def tables(verdicts: Mapping[str, Verdict]) -> dict[str, pd.DataFrame]:
    return {"league": league.table(verdicts)}


def figures(verdicts: Mapping[str, Verdict]) -> dict[str, Figure]:
    return {"league": league.drawn(verdicts, "The optimizers of torch: what each does")}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
