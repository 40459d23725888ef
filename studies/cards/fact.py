"""What a line of a card says: a fact that was measured, and where it is a law, whether it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Part = Literal["laws", "facts", "rule", "rates", "cost"]


@dataclass(frozen=True)
class Fact:
    """finding: in words, numbers with their units. number: what was compared with the threshold, both fixed beforehand.

    holds: of a law, whether it does; None where this is no law, or where the law does not apply, and reason says why.
    reason: of a broken law, its counterexample: stream, step and numbers. series: curves for the plots, by name.
    """

    name: str
    finding: str
    number: float | None = None
    threshold: float | None = None
    holds: bool | None = None
    reason: str = ""
    part: Part = "facts"
    seconds: float = 0.0
    series: Mapping[str, list[float]] = field(default_factory=dict)
