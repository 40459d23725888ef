"""Property-test an optimizer: the laws that any optimizer owes its users, and the rule that it says it is.

    from ratewitness.studies.cards.testing import assert_optimizer

    def test_my_optimizer():
        assert_optimizer(MyAdamW, claims="AdamW(betas=(0.9, 0.95))", lr=1e-3)

A failure shows the counterexample: the stream of gradients, the step, the entry, what it is and what it should be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ratewitness.studies.cards.card import card
from ratewitness.studies.cards.laws import LAWS


def assert_optimizer(
    cls: type, laws: Sequence[str] | None = None, claims: str = "", excused: Mapping[str, str] | None = None, **kwargs
) -> None:
    """Raise AssertionError, with the counterexamples, unless cls(params, **kwargs) keeps the laws and is what it claims.

    laws: names of those that are asked, all by default. excused: laws that it breaks by design, with the reason. claims: a
    rule with its arguments. Raises ValueError for a law that there is not, and Refused for what cannot be examined.
    """
    excused = excused or {}
    if laws is not None and not laws and not claims:
        raise ValueError("laws is empty and nothing is claimed; accepted are names of laws, or a claim")
    for name in (*(laws or ()), *excused):
        if name not in LAWS:
            raise ValueError(f"there is no law {name}; accepted are {', '.join(LAWS)}")
    found = card(cls, parts=("laws", "rule") if claims else ("laws",), claims=claims, **kwargs)
    asked = [*(laws if laws is not None else LAWS), "claimed"]
    broken = [fact for fact in found.broken if fact.name in asked and fact.name not in excused]
    if broken:
        lines = [f"{fact.name}: {fact.finding}. {fact.reason}" for fact in broken]
        raise AssertionError("\n".join([f"{found.spec} breaks {len(broken)} of {len(asked)} laws:", *lines]))
