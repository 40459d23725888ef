"""Cells and tables of evidence: what decided, with units; and which words survive the family of all."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.studies.claims import Claim, Verdict
from ratewitness.studies.judges import all_of, bound_holds, equals_exactly, exceeds, exponent_is
from ratewitness.studies.running.evidence import deciding, readable, table
from ratewitness.studies.running.family import holm, judged_together

GAINS = [math.log(2.0), math.log(2.2), math.log(1.8)]


def stated(unit="", **units):
    def happens(budget):
        return None

    return Claim("S1: It happens.", "", "us", "phenomenon", happens, {}, unit=unit, units=units)


def test_a_cell_holds_what_decided():
    weak, strong = exceeds([1.0, 1.2, 0.8, 1.1], 0.5), exceeds([3.0, 3.01, 2.99, 3.0], 0.5)
    found = json.loads(deciding(stated("nats"), all_of({"strong": strong, "weak": weak})))
    assert found.pop("part") == "weak"
    assert found.pop("unit") == "nats"
    assert found == pytest.approx({q: weak.evidence[q] for q in ("effect", "low", "high", "threshold")}, rel=1e-5)
    assert "part" not in json.loads(deciding(stated(), strong))


def test_factors_are_ratios_whatever_was_judged():
    verdict = exceeds(GAINS, math.log(1.5))
    rows = {row["quantity"]: row for row in table(stated("ln ratio"), "x.y", verdict)}
    assert rows["effect"]["value"] == pytest.approx(np.prod([2.0, 2.2, 1.8]) ** (1 / 3))
    assert rows["threshold"]["value"] == pytest.approx(1.5)
    assert {rows[q]["unit"] for q in ("effect", "low", "high", "threshold")} == {"ratio"}
    assert rows["p"]["unit"] == "probability"
    assert readable(deciding(stated("ln ratio"), verdict)).startswith("effect 1.993 [")


def test_each_number_has_the_unit_of_its_judge():
    times = np.logspace(1, 3.2, 10)[:, None] * np.exp(0.01 * np.random.default_rng(0).standard_normal((10, 8)))
    verdict = all_of({
        "bound": bound_holds([0.5, 0.9], [1.0, 1.0]),
        "steps": equals_exactly([3], [3]),
        "slope": exponent_is(np.logspace(-1, -3.2, 10), times, 1.0, 0.05),
    }).noting(farthest=1.0)  # fmt: skip
    units = {(row["part"], row["quantity"]): row["unit"] for row in table(stated(farthest="distance"), "x.y", verdict)}
    assert units["bound", "power"] == "ratio"
    assert units["steps", "wrong"] == "count"
    assert units["slope", "low"] == units["slope", "slope"] == "exponent"
    assert units["", "farthest"] == "distance"
    assert all(units.values())


def test_parts_may_have_units_of_their_own():
    verdict = all_of({"slope": exceeds([1.0, 1.1, 0.9], 0.0), "gain": exceeds([1.0, 1.1, 0.9], 0.0)})
    rows = table(stated("exponent", gain="ratio"), "x.y", verdict)
    assert {(r["part"], r["unit"]) for r in rows if r["quantity"] == "low"} == {("slope", "exponent"), ("gain", "ratio")}


def test_the_point_of_a_number_separates_no_part():
    rows = table(stated(), "x.y", Verdict("supported", {"at beta 0.9": 1.0, "beta 0.9.power": 2.0, "a.b.at 0.5": 3.0}))
    found = [(row["part"], row["quantity"]) for row in rows]
    assert found == [("", "at beta 0.9"), ("beta 0.9", "power"), ("a.b", "at 0.5")]


def test_a_cell_without_numbers_is_empty():
    assert readable(deciding(stated(), Verdict("refuted", {}))) == ""
    assert readable(deciding(stated(), Verdict("refuted", {"x": math.nan, "y": math.inf}))) == "x nan, y inf"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_rejects_as_defined(p):
    """H_(i) is rejected if p_(j) <= level/(m - j + 1) for all j <= i."""
    rejected, order, m = holm(np.array(p), 0.05), np.argsort(p), len(p)
    for i in range(m):
        assert rejected[order[i]] == all(p[order[j]] <= 0.05 / (m - j) for j in range(i + 1))


def test_holm_makes_a_false_rejection_as_seldom_as_it_says():
    rng = np.random.default_rng(0)
    false = np.mean([holm(rng.uniform(size=50), 0.1).any() for _ in range(2000)])
    assert 0.07 <= false <= 0.12  # 1 - (1 - 0.1/50)^50 = 0.0953, +- 3.5 binomial standard deviations


def test_undecided_and_certain_words_are_no_members():
    ledger = pd.DataFrame({
        "p": ["1e-9", "0.004", "0.3", "", "0"], "outcome": ["supported", "refuted", "inconclusive", "supported", "supported"]
    })  # fmt: skip
    found = judged_together(ledger)
    assert list(found["family"]) == ["survives", "survives", "", "", "survives"]
    assert list(found["margin"]) == ["6", "2.65", "", "", "inf"]
    many = pd.DataFrame({"p": ["0.004"] * 50, "outcome": ["supported"] * 50})
    assert set(judged_together(many)["family"]) == {"alone"}
