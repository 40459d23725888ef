"""The card of an optimizer: what it is, in lines that were measured, and whether it breaks a law that it owes its users.

    from ratewitness.studies.cards.card import card

    found = card(torch.optim.NAdam, lr=1e-3)
    print(found.rule, found.broken)

The class runs in this process: for code that may hang or crash there is the command, which runs it in one of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata

import torch
from ratewitness.studies.cards import examine
from ratewitness.studies.cards.cost import cost
from ratewitness.studies.cards.examined import Examined
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.cards.laws import LAWS
from ratewitness.studies.cards.subject import Subject, resolve, subject
from ratewitness.studies.claims import FULL, QUICK

BUDGETS = {"quick": QUICK, "full": FULL}
PARTS = ("laws", "facts", "rule", "rates", "cost")
Begin = Callable[[str, str], None]


@dataclass(frozen=True)
class Wanted:
    """What a card is asked for. claims: a rule that the optimizer says it is. against: another optimizer."""

    parts: tuple[str, ...] = PARTS
    claims: str = ""
    against: str | type = ""
    budget: str = "quick"


@dataclass(frozen=True)
class Card:
    """All lines about one optimizer; `broken` are the laws that it breaks, or that it is not what it claims to be."""

    spec: str
    kwargs: Mapping[str, object]
    facts: tuple[Fact, ...]
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def broken(self) -> tuple[Fact, ...]:
        return tuple(fact for fact in self.facts if fact.holds is False)

    @property
    def rule(self) -> str:
        return self["rule"].finding

    @property
    def seconds(self) -> dict[str, float]:
        """Of processor time, by part."""
        return {part: sum(f.seconds for f in self.facts if f.part == part) for part in PARTS if self.of(part)}

    def of(self, part: str) -> tuple[Fact, ...]:
        return tuple(fact for fact in self.facts if fact.part == part)

    def __getitem__(self, name: str) -> Fact:
        for fact in self.facts:
            if fact.name == name:
                return fact
        raise KeyError(f"the card has no line {name!r}; it has {', '.join(fact.name for fact in self.facts)}")


def card(
    cls: type,
    *,
    parts: Sequence[str] = PARTS,
    claims: str = "",
    against: str | type = "",
    budget: str = "quick",
    **kwargs,
) -> Card:
    """The card of cls(params, **kwargs). Raises Refused for what cannot be examined."""
    for part in parts:
        if part not in PARTS:
            raise ValueError(f"there is no part {part}; accepted are {', '.join(PARTS)}")
    torch.set_num_threads(1)
    examined = subject(cls, kwargs)
    wanted = Wanted(tuple(parts), claims, against, budget)
    return Card(examined.spec, examined.kwargs, tuple(lines(examined, wanted)), versions(examined))


def lines(
    examined: Subject, wanted: Wanted, begin: Begin = lambda name, part: None, skip: frozenset[str] = frozenset()
) -> Iterator[Fact]:
    """The lines of a card. begin is told name and part of each before it is measured; those in skip are left out."""
    ask = examine.Asked(begin, skip)
    if "laws" in wanted.parts:
        yield from ask(Examined(examined), LAWS, "laws")
    it, found = Examined(examined, output=True), {}
    if "facts" in wanted.parts:
        for fact in ask(it, examine.FACTS, "facts"):
            found[fact.name] = fact
            yield fact
    if "rule" in wanted.parts:
        yield from ask(it, examine.rules(found, wanted.claims, _other(wanted.against)), "rule")
    if "rates" in wanted.parts:
        yield from ask(it, examine.measured_rates(it, BUDGETS[wanted.budget]), "rates")
    if "cost" in wanted.parts and "cost" not in skip:
        begin("cost", "cost")
        yield from (fact for fact in cost(examined) if fact.name not in skip)


def _other(against: str | type) -> Subject | None:
    if not against:
        return None
    return resolve(against) if isinstance(against, str) else subject(against)


def versions(examined: Subject) -> dict[str, str]:
    """Of torch, and of the distribution that the class comes from."""
    package = examined.cls.__module__.partition(".")[0]
    found = {"torch": torch.__version__.partition("+")[0]}
    for name in metadata.packages_distributions().get(package, ()):
        found[name] = metadata.version(name)
    return found


def without_series(found: Card) -> Card:
    """The card without the curves of its plots."""
    return replace(found, facts=tuple(replace(fact, series={}) for fact in found.facts))
