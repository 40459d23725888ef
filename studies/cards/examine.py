"""The lines of a card, one after the other: each law, fact, rate and cost asked of a subject, errors included."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from ratewitness.studies.cards.bench import bench
from ratewitness.studies.cards.decay import DECAYS
from ratewitness.studies.cards.examined import Examined
from ratewitness.studies.cards.excuses import excuse
from ratewitness.studies.cards.fact import Fact, Part
from ratewitness.studies.cards.laws import LAWS
from ratewitness.studies.cards.lengths import LENGTHS
from ratewitness.studies.cards.memory import MEMORY
from ratewitness.studies.cards.numerics import NUMERICS
from ratewitness.studies.cards.rates import RATES, rate
from ratewitness.studies.cards.rule import claimed, differences, nearest
from ratewitness.studies.cards.subject import Refused, Subject, said
from ratewitness.studies.cards.symmetries import SYMMETRIES
from ratewitness.studies.claims import Budget

Checks = Mapping[str, Callable[[Examined], Fact]]
FACTS: Checks = {**SYMMETRIES, **LENGTHS, **MEMORY, **DECAYS, **NUMERICS}
COMPARED = {
    "signs of rows and columns",
    "strides",
    "implementations",
    "maximize",
}  # laws that compare runs in which random numbers may fall otherwise
OF_A_SCRIPT = {*LENGTHS, *MEMORY} - {"first step", "lr 0"}  # of a closure, these say nothing on gradients given in advance


@dataclass(frozen=True)
class Asked:
    """Asks one check after the other. begin is told each name and part before it is measured; those in skip are left out."""

    begin: Callable[[str, str], None]
    skip: frozenset[str]

    def __call__(self, it: Examined, checks: Checks, part: Part) -> Iterator[Fact]:
        for name, check in checks.items():
            if name not in self.skip:
                self.begin(name, part)
                start = time.process_time()
                found = _asked(it, name, check)
                yield replace(found, name=name, part=part, seconds=time.process_time() - start)


def _asked(it: Examined, name: str, check: Callable[[Examined], Fact]) -> Fact:
    if it.subject.closure and name in OF_A_SCRIPT:
        return Fact("", "does not apply", reason="its step needs gradients that follow the parameters")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = check(it)
        except Refused:
            raise
        except Exception as error:
            found = Fact("", f"not decided: {said(error)}")
            if name in LAWS:
                found = Fact("", "raises", holds=False, reason=said(error))
    drew = found.holds is False and name in COMPARED and it.draws
    why = excuse(it.subject, name) or ("it draws random numbers, other ones here" if drew else "")
    return replace(found, holds=None, reason=f"{why} ({found.reason})") if found.holds is False and why else found


def rules(facts: Mapping[str, Fact], claim: str, other: Subject | None) -> Checks:
    """What the rule is; whether it is the one claimed; where it parts from another optimizer."""
    measured = [facts[name].number for name in ("memory of directions", "memory of sizes") if name in facts]
    betas = [round(beta, 4) for beta in measured if beta is not None and 0 < beta < 1]
    checks: dict[str, Callable[[Examined], Fact]] = {"rule": lambda it: nearest(it.subject, betas)}
    if claim:
        checks["claimed"] = lambda it: claimed(it.subject, claim)
    if other is not None:
        checks["against"] = lambda it: against(it.subject, other)
    return checks


def against(examined: Subject, other: Subject) -> Fact:
    """All differences from another optimizer in one line."""
    found = differences(examined, other)
    worst = max((fact.number for fact in found), key=lambda gap: gap if math.isfinite(gap) else math.inf)
    return Fact("against", "; ".join(fact.finding for fact in found), worst, found[0].threshold)


def measured_rates(it: Examined, budget: Budget) -> Checks:
    """Rates on one bench, which is built with as few optimizers as the symmetries of the subject allow."""
    entrywise = SYMMETRIES["entrywise"](it).finding == "yes"
    apart = SYMMETRIES["tensors"](it).finding == "apart"
    place = bench(it.subject, entrywise, apart, budget)
    return {name: lambda it, name=name: rate(name, place) for name in RATES}
