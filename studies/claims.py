r"""What a claim is, what a budget gives to check it with, and what a verdict says.

A claim is its judge: a check with a kind and a source, whose docstring states it. The first paragraph is the headline, one
fact that begins with the number of the statement it covers; the second says precisely where, how many, and with what
tolerance. The arguments after `budget` have the true values as defaults, and a planted variant is the check itself with one
of them changed:

    @claim("exact", "S6; Drori and Teboulle (2014)")
    @planted("bound halved", factor=0.5)
    def attained_by_huber(budget: Budget, factor: float = 1.0) -> Verdict:
        '''S6: Gradient descent on the Huber function needs exactly as many steps as its bound allows.

        ceil((L R^2/eps - 2)/4) steps of size 1/L to f - f* <= eps, at 25 accuracies over 3.6 decades.'''

Each variant must come out refuted or inconclusive, and stands in the ledger beside its claim with the kind "planted". What
several claims measure in common is one function under `@measured`. A claim whose design was changed after a verdict was seen
is `@revised`, and judged on fresh data. The ledger is every `Claim` found under studies/.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial, wraps
from typing import Literal

import pandas as pd
import torch

Outcome = Literal["proved", "supported", "refuted", "inconclusive"]
Kind = Literal["proof", "upper bound", "lower bound", "exact", "constant", "exponent", "law", "cost", "phenomenon"]


@dataclass(frozen=True)
class Budget:
    """How much may be spent on a check, and the randomness it may use."""

    name: Literal["quick", "full"]
    replicates: int  # Monte Carlo replicates of a stochastic cell
    seed: int = 0
    device: str = "cpu"
    data: str | None = None  # a file of the user's own data
    scope: str = ""  # the claim that is being checked; set by the runner

    def pick(self, quick, full):
        """`quick` on the quick budget, `full` on the full one."""
        return quick if self.name == "quick" else full

    def generator(self, *stream: object) -> torch.Generator:
        """A generator of its own for (seed, claim, stream): the same whatever runs before or beside it."""
        key = "\x1f".join(map(str, (self.seed, self.scope, *stream)))
        words = hashlib.sha256(key.encode()).digest()
        return torch.Generator(self.device).manual_seed(int.from_bytes(words[:8], "little") >> 1)

    def shared(self, name: str) -> Budget:
        """The budget for data that several claims share: its streams depend on `name` and not on the claim."""
        return replace(self, scope=name)


QUICK = Budget("quick", replicates=4_000)
FULL = Budget("full", replicates=40_000)


@dataclass(frozen=True)
class Verdict:
    """The outcome with the numbers it rests on. `table` holds what was measured, one row a record."""

    outcome: Outcome
    evidence: Mapping[str, float]
    table: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False, repr=False)

    def showing(self, table: pd.DataFrame | Mapping) -> Verdict:
        """The same verdict with its table."""
        return replace(self, table=pd.DataFrame(table))

    def noting(self, **evidence: float) -> Verdict:
        """The same verdict with further numbers in its evidence, which did not decide it."""
        return replace(self, evidence={**self.evidence, **evidence})


Check = Callable[..., Verdict]  # of a budget, and of arguments whose defaults are the true values


@dataclass(frozen=True)
class Claim:
    """A statement, where it comes from, and the code that checks it. `id` is study.function."""

    statement: str  # the headline
    precisely: str
    source: str
    kind: Kind
    check: Check
    planted: Mapping[str, Check]
    revision: int = 0
    why: str = ""  # the design was changed
    unit: str = ""  # of the effect that `exceeds` judges and of its threshold; "ln ratio" for logarithms of factors
    units: Mapping[str, str] = field(default_factory=dict)  # of an effect of one part, or of further numbers, by name

    @property
    def module(self) -> str:
        return self.check.__module__

    @property
    def name(self) -> str:
        return self.check.__name__

    @property
    def study(self) -> str:
        return self.module.rpartition(".")[2]

    @property
    def id(self) -> str:
        return f"{self.study}.{self.name}"

    @property
    def streams(self) -> str:
        """Names the random streams of its check: others after each revision."""
        return f"{self.id}, revision {self.revision}" if self.revision else self.id


def claim(kind: Kind, source: str, unit: str = "", units: Mapping[str, str] | None = None) -> Callable[[Check], Claim]:
    """Make a Claim of a check, whose docstring states it, and of the variants planted under it."""

    def decorate(check: Check) -> Claim:
        statement, precisely = worded(inspect.getdoc(check) or "")
        variants = getattr(check, "planted", {})
        if not (statement and variants):
            raise ValueError(f"the claim {check.__name__} needs a docstring that states it and a planted false variant")
        revision, why = getattr(check, "revised", (0, ""))
        return Claim(statement, precisely, source, kind, check, variants, revision, why, unit, units or {})

    return decorate


def worded(doc: str) -> tuple[str, str]:
    """The headline, and what the docstring says precisely."""
    headline, _, precisely = doc.strip().partition("\n\n")
    return " ".join(headline.split()), " ".join(precisely.split())


def planted(name: str, check: Check | None = None, **changed: object) -> Callable[[Check], Check]:
    """Stands under @claim: a variant that must not come out supported. `changed` are arguments of the check, whose defaults
    are the true ones; `check` is for the rare variant that is another computation."""

    def note(stated: Check) -> Check:
        accepted = [*inspect.signature(stated).parameters][1:]
        if (check is None) == (not changed) or not {*changed} <= {*accepted}:
            raise ValueError(f"{name!r} changes {', '.join(changed) or 'nothing'}; accepted are {', '.join(accepted)}")
        stated.planted = {name: check or partial(stated, **changed), **getattr(stated, "planted", {})}  # from below upwards
        return stated

    return note


def revised(revision: int, why: str) -> Callable[[Check], Check]:
    """Stands under @claim: its design was changed, for the reason given, after a verdict had been seen, so that the next one
    must stand on fresh data. Each such change raises the revision, and with it the streams of the check; a measurement that
    it shares takes a new name: @measured("momentum, revision 1")."""
    if revision < 1 or not why:
        raise ValueError(f"revision {revision}, because {why!r}; accepted are numbers from 1 on, and a reason")

    def note(stated: Check) -> Check:
        stated.revised = revision, why
        return stated

    return note


def measured(stream: Callable | str) -> Callable:
    """What several claims measure in common: once for each budget and cell, on streams that only the study names.

    A measurement that moved from another file keeps that file's streams: @measured("momentum").
    """
    if isinstance(stream, str):
        return partial(_measured, stream)
    return _measured(stream.__module__.rpartition(".")[2], stream)


def _measured(stream: str, function: Callable) -> Callable:
    remembered = cache(function)

    @wraps(function)
    def once(budget: Budget, *cell, **options):
        return remembered(budget.shared(stream), *cell, **options)

    return once
