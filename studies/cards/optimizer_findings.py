"""What do well-known optimizers do that their documentation does not say?

Each was found by its card: a law that optimizers owe their users is broken, or the steps are not those of the rule of its
name. What is broken was then looked up in the source. A planted variant is the same class where another setting avoids it,
or another class that does the same work: there the finding must not be found.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytorch_optimizer
import torch
from ratewitness.studies.cards import league
from ratewitness.studies.cards.subject import F64, normal, play, subject
from ratewitness.studies.claims import Budget, Verdict, claim, planted


@claim("exact", "S20; torch 2.13.0, torch.optim.Adam in float16; its documentation names no smallest eps")
@planted("an eps that float16 holds", eps=1e-4)
def adam_in_half_precision(budget: Budget, eps: float = 1e-8) -> Verdict:
    """S20: Adam of torch makes NaN in float16 of an entry whose gradient is zero, because its eps = 1e-8 is zero there.

    One of 15 entries, at the first step. The smallest positive number of float16 is 6e-8."""
    grads = [normal(15, seed=t).half() for t in range(3)]
    for g in grads:
        g[0] = 0
    path = play(subject(torch.optim.Adam, {"eps": eps}), torch.zeros(15, dtype=torch.float16), grads)
    nan = int(torch.isnan(path[1]).sum())
    evidence = {"wrong": float(nan), "compared": 15.0}
    return Verdict("supported" if nan == 1 else "refuted", evidence).showing([{"optimizer": "Adam", "eps": eps, "NaN": nan}])


@claim("exact", "S19; torch 2.13.0, torch.optim.Adafactor")
@planted("Adam", cls="Adam")
def adafactor_and_empty_tensors(budget: Budget, cls: str = "Adafactor") -> Verdict:
    """S19: Adafactor of torch raises ZeroDivisionError beside a tensor without entries, which other classes pass over.

    A tensor of shape (0, 3) with a gradient of that shape."""
    empty = torch.zeros((0, 3), dtype=F64)
    try:
        play(subject(getattr(torch.optim, cls)), [empty], [[empty]])
        raised = "nothing"
    except ZeroDivisionError as error:
        raised = str(error)
    evidence = {"wrong": float(raised != "nothing"), "compared": 1.0}
    row = {"optimizer": cls, "raised": raised}
    return Verdict("supported" if evidence["wrong"] else "refuted", evidence).showing([row])


@claim("exact", "S13; torch 2.13.0, torch.optim.LBFGS")
@planted("SGD", cls="SGD")
def lbfgs_wants_contiguous_gradients(budget: Budget, cls: str = "LBFGS") -> Verdict:
    """S13: L-BFGS of torch raises for a parameter that is stored by columns, because it reads gradients as views.

    A 5 x 3 matrix and gradients with strides (1, 5), as autograd gives them for such a parameter."""
    return league.breaks(getattr(torch.optim, cls), "strides")


@claim("exact", "S19; pytorch_optimizer 4.1.0, Yogi; Zaheer et al. (2018)")
@planted("moments that start at 0", initial_accumulator=0.0)
def yogi_moves_without_gradients(budget: Budget, initial_accumulator: float = 1e-6) -> Verdict:
    """S19: Yogi of pytorch_optimizer moves although all gradients are zero: its first moment starts at 1e-6.

    In the paper the first moment starts at 0."""
    return league.breaks(pytorch_optimizer.Yogi, "rests on zero gradients", initial_accumulator=initial_accumulator)


@claim("exact", "S24; pytorch_optimizer 4.1.0, Ranger, degenerated_to_sgd=False")
@planted("degenerated to SGD", degenerated_to_sgd=True)
def ranger_goes_uphill(budget: Budget, degenerated_to_sgd: bool = False) -> Verdict:
    """S24: Ranger of pytorch_optimizer goes uphill at first: while the rectification is not defined, its step is negative.

    At the first step on Gaussian gradients from 1e-6 to 10, and on one repeated gradient."""
    slips = "descends", "keeps descending"
    return league.breaks(pytorch_optimizer.Ranger, *slips, degenerated_to_sgd=degenerated_to_sgd)


@claim("exact", "S24; pytorch_optimizer 4.1.0, SRMM")
@planted("SGD with momentum", cls="SGDP")
def srmm_jumps_to_zero(budget: Budget, cls: str = "SRMM") -> Verdict:
    """S24: SRMM of pytorch_optimizer moves on zero gradients: its average of the parameters starts at zero.

    12 zero gradients; SGDP is SGD with momentum and a projection."""
    return league.breaks(getattr(pytorch_optimizer, cls), "rests on zero gradients")


@claim("exact", "S24; pytorch_optimizer 4.1.0, Adan with maximize=True")
@planted("AdEMAMix", cls="AdEMAMix")
def adan_maximizes_otherwise(budget: Budget, cls: str = "Adan") -> Verdict:
    """S24: Adan of pytorch_optimizer with maximize=True is not Adan on negated gradients: it errs in the first difference.

    The gradient before the first is kept before it is negated, so that the first difference is twice the gradient."""
    return league.breaks(getattr(pytorch_optimizer, cls), "maximize")


@claim("exact", "S29; pytorch_optimizer 4.1.0, AdamS with weight_decay=0.1; Xie et al. (2020), arXiv:2011.11152")
@planted("AdamW", cls="AdamW")
def adams_explodes_without_gradients(budget: Budget, cls: str = "AdamS") -> Verdict:
    """S29: The weight decay of AdamS of pytorch_optimizer makes weights grow without bound where gradients are zero.

    Its decay is divided by the root of the mean second moment, which is zero there: 12 zero gradients."""
    return league.breaks(getattr(pytorch_optimizer, cls), "decay shrinks")


@claim("exact", "S10; pytorch_optimizer 4.1.0, ScheduleFreeSGD")
@planted("ScheduleFreeAdamW", cls="ScheduleFreeAdamW")
def schedule_free_sgd_has_an_idle_eps(budget: Budget, cls: str = "ScheduleFreeSGD") -> Verdict:
    """S10: ScheduleFreeSGD of pytorch_optimizer has a setting eps that changes nothing.

    eps = 1 in place of 1e-8: the same path, to the last bit, over 400 steps."""
    return league.breaks(getattr(pytorch_optimizer, cls), "settings")


@claim("exact", "S16; pytorch_optimizer 4.1.0, ApolloDQN")
@planted("no warm-up", warmup_steps=0)
def apollo_ignores_schedulers(budget: Budget, warmup_steps: int = 500) -> Verdict:
    """S16: ApolloDQN of pytorch_optimizer ignores an lr that a scheduler writes, for the 500 steps of its own warm-up.

    And an lr that a param group has of its own: it reads the one that it was built with."""
    return league.breaks(pytorch_optimizer.ApolloDQN, "schedulers", "lr of a group", warmup_steps=warmup_steps)


@claim("exact", "S36; pytorch_optimizer 4.1.0, LARS, ScheduleFreeAdamW, NovoGrad, Ranger")
@planted("four others", names=("Lion", "AdamW", "Yogi", "LaProp"))
def some_write_into_gradients(
    budget: Budget, names: tuple[str, ...] = ("LARS", "ScheduleFreeAdamW", "NovoGrad", "Ranger")
) -> Verdict:
    """S36: LARS, ScheduleFreeAdamW, NovoGrad and Ranger of pytorch_optimizer change p.grad in their steps.

    So that a norm of gradients that is logged after the step is not that of the gradients."""
    verdicts = [league.breaks(getattr(pytorch_optimizer, name), "leaves gradients alone") for name in names]
    wrong = sum(verdict.evidence["wrong"] for verdict in verdicts)
    evidence = {"wrong": wrong, "compared": float(len(names))}
    rows = pd.concat([verdict.table for verdict in verdicts], ignore_index=True)
    return Verdict("supported" if wrong == len(names) else "refuted", evidence).showing(rows)


@claim("exact", "S26; pytorch_optimizer 4.1.0, ADOPT; Taniguchi et al. (2024), arXiv:2411.02853, algorithm 2")
@planted("clipped from the second step on", rule="ADOPT(clip_from=2)")
def adopt_clips_by_the_next_bound(budget: Budget, rule: str = "ADOPT()") -> Verdict:
    """S26: ADOPT of pytorch_optimizer is not ADOPT with clipping: its bound is that of the next step.

    (k + 1)^(1/4) in place of k^(1/4) at step k, from the first step that moves on; with that its steps are those of the
    paper to 1e-9."""
    return league.parts_from(pytorch_optimizer.ADOPT, rule)


def tables(verdicts: Mapping[str, Verdict]) -> dict[str, pd.DataFrame]:
    """What was found, with its counterexample, of all classes together."""
    return {"counterexamples": pd.concat([verdict.table for verdict in verdicts.values()], ignore_index=True).fillna("")}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
