"""Budgets, streams, and the laws that hold for every claim of the package."""

import re
from dataclasses import replace

import pytest
import torch
from ratewitness.studies.__main__ import catalogue
from ratewitness.studies.claims import FULL, QUICK, Budget, Claim, Verdict, claim, measured, planted

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
    def silent(budget, factor=1.0):
        return Verdict("proved", {})

    with pytest.raises(ValueError, match="planted false variant"):
        claim("exact", "S1")(planted("halved", factor=0.5)(silent))
    silent.__doc__ = "S1: It holds."
    del silent.planted
    with pytest.raises(ValueError, match="planted false variant"):
        claim("exact", "S1")(silent)


def test_a_claim_is_its_check_and_its_variants_change_one_argument():
    @claim("exact", "S1")
    @planted("halved", factor=0.5)
    @planted("another computation", lambda budget: Verdict("inconclusive", {}))
    def attained(budget: Budget, factor: float = 1.0) -> Verdict:
        """S1: The bound is
        attained.

        Precisely here,
        and there.
        """
        return Verdict("supported" if factor == 1 else "refuted", {})

    assert isinstance(attained, Claim)
    assert (attained.statement, attained.precisely) == ("S1: The bound is attained.", "Precisely here, and there.")
    assert attained.check(QUICK).outcome == "supported"
    found = {name: check(QUICK).outcome for name, check in attained.planted.items()}
    assert found == {"halved": "refuted", "another computation": "inconclusive"}
    assert [*attained.planted] == ["halved", "another computation"]


@pytest.mark.parametrize("changed", [{}, {"missing": 1}, {"check": print, "factor": 0.5}])
def test_a_variant_changes_an_argument_or_is_a_check(changed):
    with pytest.raises(ValueError, match="accepted are factor"):

        @planted("wrong", **changed)
        def attained(budget: Budget, factor: float = 1.0) -> Verdict: ...


def test_a_measurement_is_made_once_on_streams_that_only_the_study_names():
    @measured
    def noise(budget, size):
        made.append(size)
        return torch.rand(size, generator=budget.generator("noise")).tolist()

    @measured("test_claims")
    def moved(budget, size):
        return torch.rand(size, generator=budget.generator("noise")).tolist()

    made = []
    one, other = replace(QUICK, scope="test_claims.one"), replace(QUICK, scope="test_claims.other")
    assert noise(one, 3) == noise(other, 3) == moved(one, 3) != noise(replace(one, seed=1), 3)
    assert made == [3, 3]


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
