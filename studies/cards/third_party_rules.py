"""Are well-known optimizers of pytorch_optimizer what they are called?

    class(params)  =  a recursion in NumPy, written from the papers (studies/cards/methods.py)

As in `torch_rules`. Where a class breaks a law by design, its card says why (studies/cards/excuses.py). Those that are not
the rule of their name stand in `optimizer_findings`.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytorch_optimizer
from matplotlib.figure import Figure
from ratewitness.studies.cards import league
from ratewitness.studies.claims import Budget, Verdict, claim, planted


@claim("exact", "S36; pytorch_optimizer 4.1.0; Chen et al. (2023), arXiv:2302.06675")
@planted("beta1 0.899", rule="Lion(betas=(0.899, 0.99))")
def lion(budget: Budget, rule: str = "Lion()") -> Verdict:
    """S36: Lion of pytorch_optimizer is Lion.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; it breaks no law."""
    return league.is_rule(pytorch_optimizer.Lion, rule)


@claim("exact", "S24; pytorch_optimizer 4.1.0; Pagliardini et al. (2024), arXiv:2409.03137")
@planted("alpha 5.1", rule="AdEMAMix(alpha=5.1)")
def ademamix(budget: Budget, rule: str = "AdEMAMix()") -> Verdict:
    """S24: AdEMAMix of pytorch_optimizer is AdEMAMix without the schedules of its slow average.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; it breaks no law."""
    return league.is_rule(pytorch_optimizer.AdEMAMix, rule)


@claim("exact", "S36; pytorch_optimizer 4.1.0; Bernstein et al. (2018), arXiv:1802.04434")
@planted("momentum 0.899", rule="Signum(momentum=0.899)")
def signum(budget: Budget, rule: str = "Signum(momentum=0.9)") -> Verdict:
    """S36: SignSGD of pytorch_optimizer is Signum, the sign of an average.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; it breaks no law."""
    return league.is_rule(pytorch_optimizer.SignSGD, rule)


@claim("exact", "S36; pytorch_optimizer 4.1.0, Tiger")
@planted("momentum 0.964", rule="Signum(momentum=0.964)")
def tiger(budget: Budget, rule: str = "Signum(momentum=0.965)") -> Verdict:
    """S36: Tiger of pytorch_optimizer is Signum with beta 0.965 and a decoupled decay.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; it breaks no law."""
    return league.is_rule(pytorch_optimizer.Tiger, rule)


@claim("exact", "S24; pytorch_optimizer 4.1.0; Kingma and Ba (2015)")
@planted("beta2 0.998", rule="Adamax(betas=(0.9, 0.998))")
def adamax(budget: Budget, rule: str = "Adamax()") -> Verdict:
    """S24: AdaMax of pytorch_optimizer is Adamax.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; it breaks no law."""
    return league.is_rule(pytorch_optimizer.AdaMax, rule)


@claim("exact", "S10; pytorch_optimizer 4.1.0; Defazio et al. (2024), arXiv:2405.15682")
@planted("momentum 0.899", rule="ScheduleFreeSGD(momentum=0.899)")
def schedule_free_sgd(budget: Budget, rule: str = "ScheduleFreeSGD()") -> Verdict:
    """S10: ScheduleFreeSGD of pytorch_optimizer is schedule-free SGD, but has an eps that does nothing.

    At its output, in eval mode. On scripted gradients, 1000 steps and other shapes its steps are those of the recursion
    to 1e-9; of the laws it breaks one, that every setting does something."""
    return league.is_rule(pytorch_optimizer.ScheduleFreeSGD, rule, breaks=["settings"])


@claim("exact", "S38; pytorch_optimizer 4.1.0; Gupta et al. (2018), arXiv:1802.09568")
@planted("power 0.24", rule="Shampoo(power=0.24)")
def shampoo(budget: Budget, rule: str = "Shampoo()") -> Verdict:
    """S38: Shampoo of pytorch_optimizer sums G G^T and G^T G and takes their inverse fourth roots.

    To 1e-6, the accuracy of its roots. It breaks no law."""
    return league.is_rule(pytorch_optimizer.Shampoo, rule)


@claim("exact", "S40; pytorch_optimizer 4.1.0; Vyas et al. (2024), arXiv:2409.11321")
@planted("betas 0.945", rule="SOAP(betas=(0.945, 0.945))")
def soap(budget: Budget, rule: str = "SOAP()") -> Verdict:
    """S40: SOAP of pytorch_optimizer is Adam in a basis of eigenvectors that is renewed every tenth step.

    To 1e-4, the accuracy of its basis. It breaks no law; rounding decides its path in float32."""
    return league.is_rule(pytorch_optimizer.SOAP, rule)


@claim("exact", "S19; pytorch_optimizer 4.1.0; Zaheer et al. (2018)")
@planted("beta2 0.998", rule="Yogi(betas=(0.9, 0.998))")
def yogi(budget: Budget, rule: str = "Yogi()") -> Verdict:
    """S19: Yogi of pytorch_optimizer is Yogi whose first moment starts at 1e-6 as well.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; of the laws it
    breaks one, that nothing moves on zero gradients."""
    return league.is_rule(pytorch_optimizer.Yogi, rule, breaks=["rests on zero gradients"])


@claim("exact", "S16; pytorch_optimizer 4.1.0; You et al. (2017), arXiv:1708.03888")
@planted("momentum 0.899", rule="LARS(momentum=0.899)")
def lars(budget: Budget, rule: str = "LARS()") -> Verdict:
    """S16: LARS of pytorch_optimizer is LARS, but writes into p.grad.

    On scripted gradients, 1000 steps and other shapes its steps are those of the recursion to 1e-9; of the laws it
    breaks one, that p.grad is left as it was."""
    return league.is_rule(pytorch_optimizer.LARS, rule, breaks=["leaves gradients alone"])


def tables(verdicts: Mapping[str, Verdict]) -> dict[str, pd.DataFrame]:
    return {"league": league.table(verdicts)}


def figures(verdicts: Mapping[str, Verdict]) -> dict[str, Figure]:
    return {"league": league.drawn(verdicts, "Optimizers of pytorch_optimizer: what each does")}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
