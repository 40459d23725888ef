"""Budgets, streams, and the laws that hold for every claim of the package."""

import pkgutil
import re
from dataclasses import replace
from importlib import import_module

import pytest
import ratewitness.studies
import torch
from ratewitness.studies.claims import FULL, QUICK, Budget, Claim, Verdict, claim, measured, planted
from ratewitness.studies.running.catalogue import load, studies

CLAIMS = [claim for name in studies() for claim in load(name)]


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


def test_the_catalogue_reads_off_the_files_what_importing_them_gives():
    read = [(e.id, e.kind, e.statement) for study in studies().values() for e in study.claims]
    assert read == [(c.id, c.kind, c.statement) for c in CLAIMS]
    assert len({c.id for c in CLAIMS}) == len(CLAIMS)


def test_every_claim_is_in_the_catalogue():
    """Whatever way it was made: no claim may hide from the ledger."""
    found = set()
    for info in pkgutil.walk_packages(ratewitness.studies.__path__, "ratewitness.studies."):
        if not info.name.endswith("__main__"):
            module = import_module(info.name)
            found |= {v.id for v in vars(module).values() if isinstance(v, Claim) and v.module == info.name}
    assert found == {c.id for c in CLAIMS}


@pytest.mark.parametrize("c", CLAIMS, ids=lambda c: c.id)
def test_a_claim_names_the_statement_it_covers(c: Claim):
    number = re.match(r"S\d+", c.statement)
    assert number, f"the statement of {c.id} begins with no S-number"
    assert number[0] in re.findall(r"S\d+", c.source), f"the source of {c.id} names other statements"
    assert c.statement.endswith(".")


@pytest.mark.parametrize("c", CLAIMS, ids=lambda c: c.id)
def test_a_statement_has_a_headline_and_says_precisely(c: Claim):
    """One fact that can be read aloud; where, how many and with what tolerance come after it."""
    assert len(c.statement) <= 160
    assert len(c.statement.split()) <= 30
    assert c.precisely


def test_the_statements_are_covered():
    covered = {int(n) for c in CLAIMS for n in re.findall(r"\bS(\d+)", c.statement)}
    assert covered >= {*range(1, 41)}
