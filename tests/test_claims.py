"""Budgets, streams, and the laws that hold for every claim of the package."""

import re
from dataclasses import replace

import pytest
import torch
from ratewitness.studies.__main__ import catalogue
from ratewitness.studies.claims import FULL, QUICK, Budget, Claim, Verdict, claim

CLAIMS = [claim for claims in catalogue().values() for claim in claims]


def draw(budget, *stream):
    return torch.rand(3, generator=budget.generator(*stream)).tolist()


def test_a_stream_depends_on_seed_claim_and_name_and_on_nothing_else():
    budget = replace(QUICK, scope="study.claim")
    first = draw(budget, "noise", 1)
    torch.rand(10)
    assert draw(budget, "noise", 1) == first == draw(replace(budget, replicates=7), "noise", 1)
    others = [
        draw(budget, "noise", 2),
        draw(budget, "start", 1),
        draw(replace(budget, seed=1), "noise", 1),
        draw(replace(budget, scope="study.other"), "noise", 1),
    ]
    assert len({tuple(values) for values in [first, *others]}) == 5


def test_a_budget_picks():
    assert (QUICK.pick(1, 2), FULL.pick(1, 2)) == (1, 2)


def test_a_claim_needs_a_false_variant_and_a_statement():
    with pytest.raises(ValueError, match="planted false variant"):
        claim(kind="exact", source="S1", planted={})
    with pytest.raises(ValueError, match="docstring"):

        @claim(kind="exact", source="S1", planted={"no": lambda budget: None})
        def silent(budget: Budget) -> Verdict:
            return Verdict("proved", {})


def test_ids_are_unique():
    assert len({c.id for c in CLAIMS}) == len(CLAIMS)


@pytest.mark.parametrize("c", CLAIMS, ids=lambda c: c.id)
def test_a_claim_names_the_statement_it_covers(c: Claim):
    number = re.match(r"S\d+", c.statement)
    assert number, f"the statement of {c.id} begins with no S-number"
    assert number[0] in re.findall(r"S\d+", c.source), f"the source of {c.id} names other statements"
    assert "\n" not in c.statement
    assert c.statement.endswith(".")


def test_the_statements_are_covered():
    covered = {int(n) for c in CLAIMS for n in re.findall(r"\bS(\d+)", c.statement)}
    assert covered >= {*range(1, 15), *range(30, 41)}
