"""What the report writes, from verdicts made up here."""

import json
import math
import sys
import types

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from studies import report
from studies.claims import QUICK, Claim, Verdict
from studies.report import COLUMNS, ledger_rows, read_ledger, write_ledger, write_study
from studies.runner import Result


@pytest.fixture
def study(monkeypatch):
    """A module `studies.made_up` with a figure and a table, and the results of its one claim."""
    module = types.ModuleType("studies.made_up")
    module.__doc__ = "Is it so?\n\nText of the page."

    def figures(verdicts):
        figure, ax = plt.subplots()
        figure.set_label("A caption.")
        ax.plot(verdicts["so"].table["x"])
        return {"line": figure}

    def so(budget):
        """S1: It is so."""

    so.__module__ = "studies.made_up"
    module.figures, module.tables = figures, lambda verdicts: {"short": pd.DataFrame({"$x$": [1.5]})}
    monkeypatch.setitem(sys.modules, "studies.made_up", module)
    monkeypatch.setattr(report, "digest", lambda name: "0" * 64)
    verdict = Verdict("supported", {"power": 0.123456789, "none": math.nan, "wide": math.inf})
    claim = Claim("S1: It is so.", "S1; us", "exact", so, {"not so": lambda budget: None})
    planted = {"not so": Verdict("refuted", {})}
    yield [Result(claim, 1.0, verdict.showing({"x": [1.0, 2.0]}), planted)]
    plt.close("all")


def test_the_ledger_has_a_row_for_the_claim_and_one_for_its_false_variant(study, tmp_path):
    ledger = write_ledger(ledger_rows(study, QUICK), ["studies.made_up"], QUICK, tmp_path)
    assert list(ledger.columns) == COLUMNS
    assert ledger["claim"].tolist() == ["made_up.so", "made_up.so!not_so"]
    assert ledger["kind"].tolist() == ["exact", "planted"]
    assert ledger["statement"][1].startswith("False on purpose, not so:")
    pd.testing.assert_frame_equal(read_ledger(tmp_path / "ledger.csv"), ledger)


def test_evidence_is_strict_json(study, tmp_path):
    write_ledger(ledger_rows(study, QUICK), ["studies.made_up"], QUICK, tmp_path)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    text = read_ledger(tmp_path / "ledger.csv")["evidence"][0]
    assert json.loads(text, parse_constant=refuse) == {"power": 0.123457, "none": None, "wide": "inf"}


def test_a_second_study_is_merged_and_the_first_replaced(study, tmp_path):
    write_ledger(ledger_rows(study, QUICK), ["studies.made_up"], QUICK, tmp_path)
    rows = [row | {"claim": "another.claim"} for row in ledger_rows(study, QUICK)[:1]]
    write_ledger(rows, ["studies.another"], QUICK, tmp_path)
    ledger = write_ledger(ledger_rows(study, QUICK), ["studies.made_up"], QUICK, tmp_path)
    assert ledger["claim"].tolist() == ["another.claim", "made_up.so", "made_up.so!not_so"]
    assert sorted(json.loads((tmp_path / "provenance.json").read_text())["studies"]) == ["another", "made_up"]


def test_a_study_writes_page_figures_and_tables(study, tmp_path):
    write_study("studies.made_up", study, QUICK, tmp_path)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*")) == [
        "figures/made_up-line.pdf", "figures/made_up-line.svg", "made_up.md",
        "tables/made_up-short.csv", "tables/made_up-short.tex", "tables/made_up-so.csv", "tables/made_up-so.tex",
    ]  # fmt: skip
    page = (tmp_path / "made_up.md").read_text()
    for part in ("# Is it so?", "Text of the page.", "**supported**", "A caption.", "figures/made_up-line.svg", "not_so"):
        assert part in page
    assert r"\toprule" in (tmp_path / "tables/made_up-short.tex").read_text()


def test_the_same_verdicts_give_the_same_bytes(study, tmp_path):
    for out in ("a", "b"):
        write_study("studies.made_up", study, QUICK, tmp_path / out)
    for path in (tmp_path / "a").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes(), path.name


def test_provenance_says_where_the_report_comes_from(study, tmp_path):
    write_ledger(ledger_rows(study, QUICK), ["studies.made_up"], QUICK, tmp_path)
    record = json.loads((tmp_path / "provenance.json").read_text())
    assert {"command", "python", "machine", "versions", "studies"} <= record.keys()
    assert record["versions"]["torch"]
    entry = record["studies"]["made_up"]
    assert entry.keys() == {"sources_sha256", "budget", "seed", "device", "commit", "dirty"}
