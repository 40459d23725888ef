r"""What a claim is, what a budget gives to check it with, and what a verdict says.

A claim is a statement with a source and a check. Writing one takes a decorator on the check, whose docstring *is* the
statement (it begins with the number of the statement it covers, "S5: ..."):

    @claim(kind="exact", source="Drori and Teboulle (2014)", planted={"bound halved": lambda budget: ...})
    def attained_by_huber(budget: Budget) -> Verdict:
        '''S6: Gradient descent needs exactly ceil((L R^2/eps - 2)/4) steps on the Huber function.'''

`planted` names false variants of the statement; each must come out refuted or inconclusive, and each stands in the
ledger beside its claim with the kind "planted". The ledger is every `Claim` found in the modules of studies/.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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


Check = Callable[[Budget], Verdict]


@dataclass(frozen=True)
class Claim:
    """A statement, where it comes from, and the code that checks it. `id` is module.function."""

    statement: str
    source: str
    kind: Kind
    check: Check
    planted: Mapping[str, Check]

    @property
    def module(self) -> str:
        return self.check.__module__

    @property
    def name(self) -> str:
        return self.check.__name__

    @property
    def id(self) -> str:
        return f"{self.module.rpartition('.')[2]}.{self.name}"


def claim(*, kind: Kind, source: str, planted: Mapping[str, Check]) -> Callable[[Check], Claim]:
    """Make a Claim of a check function, whose docstring states it in one paragraph. At least one false variant."""
    if not planted:
        raise ValueError("a claim needs at least one planted false variant")

    def decorate(check: Check) -> Claim:
        statement = " ".join((inspect.getdoc(check) or "").split())
        if not statement:
            raise ValueError(f"the claim {check.__name__} needs a docstring that states it")
        return Claim(statement, source, kind, check, dict(planted))

    return decorate
