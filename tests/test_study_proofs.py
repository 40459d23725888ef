"""Identities as a claim: proved as they are stated, refuted in rows that are named after their slips."""

import pytest
from ratewitness.studies.claims import QUICK
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory.identity import identity


@identity(factor=3)
def double(factor=2) -> bool:
    return factor == 2


@identity(wrong={"argmax": {"sign": -1}, "half the step": {"step": 0.5}})
def descends(sign=1, step=1.0) -> bool:
    return sign * step == 1


@identity(factor=3)
def untrue(factor=2) -> bool:
    return False


def test_all_are_proved_and_counted():
    verdict = prove(double, descends)
    assert (verdict.outcome, dict(verdict.evidence)) == ("proved", {"identities": 2})
    assert prove(double, untrue).outcome == prove(untrue, double).outcome == "refuted"
    assert prove().outcome == "inconclusive"


def planted(*identities, **named):
    """The variants that `falsified` plants in a check."""

    def stated(budget):
        return prove(*identities)

    return falsified(*identities, **named)(stated).planted


def test_one_row_a_slip():
    rows = planted(double, descends)
    assert list(rows) == ["double with a wrong constant", "descends with argmax", "descends with half the step"]
    assert {check(QUICK).outcome for check in rows.values()} == {"refuted"}
    assert list(planted(double, named="{name} falsified")) == ["double falsified"]


def test_two_rows_of_one_name_are_refused():
    with pytest.raises(ValueError, match="accepted is one name a row"):
        falsified(descends, named="{name} falsified")
