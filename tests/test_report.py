"""What the report writes, from verdicts made up here."""

import json
import math
import re
import sys
import types
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import seaborn
from ratewitness.studies.claims import QUICK, Claim, Verdict
from ratewitness.studies.running import report
from ratewitness.studies.running.report import (
    COLUMNS,
    ledger_rows,
    origin,
    read_ledger,
    write_ledger,
    write_provenance,
    write_study,
)
from ratewitness.studies.running.runner import Result


@pytest.fixture
def study(monkeypatch):
    """A module `studies.made_up` with a figure and a table, and the results of its one claim."""
    module = types.ModuleType("ratewitness.studies.made_up")
    module.__doc__ = "Is it so?\n\nText of the page."

    def figures(verdicts):
        figure, ax = plt.subplots()
        figure.set_label("A caption.")
        ax.plot(verdicts["so"].table["x"], color="C1")
        return {"line": figure}

    def so(budget):
        """S1: It is so."""

    so.__module__ = "ratewitness.studies.made_up"
    module.figures = figures
    module.tables = lambda verdicts: {"short": pd.DataFrame({"$x_0^2$, 99 %": ["at_50 %"], r"$\|g\|$": [1.0]})}
    monkeypatch.setitem(sys.modules, "ratewitness.studies.made_up", module)
    monkeypatch.setattr(report, "digest", lambda name: "0" * 64)
    verdict = Verdict("supported", {"power": 0.123456789, "none": math.nan, "wide": math.inf})
    claim = Claim("S1: It is so.", "S1; us", "exact", so, {"not so": lambda budget: None})
    planted = {"not so": Verdict("refuted", {})}
    yield [Result(claim, 1.0, verdict.showing({"x": [1.0, 2.0]}), planted)]
    plt.close("all")


def test_the_ledger_has_a_row_for_the_claim_and_one_for_its_false_variant(study, tmp_path):
    write_ledger(ledger_rows(study, QUICK), "made_up", tmp_path)
    ledger = read_ledger(tmp_path / "ledger.csv")
    assert list(ledger.columns) == COLUMNS
    assert ledger["claim"].tolist() == ["made_up.so", "made_up.so!not_so"]
    assert ledger["kind"].tolist() == ["exact", "planted"]
    assert ledger["statement"][1].startswith("False on purpose, not so:")


def test_evidence_is_strict_json(study, tmp_path):
    write_ledger(ledger_rows(study, QUICK), "made_up", tmp_path)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    text = read_ledger(tmp_path / "ledger.csv")["evidence"][0]
    assert json.loads(text, parse_constant=refuse) == {"power": 0.123457, "none": None, "wide": "inf"}


def test_a_second_study_is_merged_and_the_first_replaced(study, tmp_path):
    write_ledger(ledger_rows(study, QUICK), "made_up", tmp_path)
    write_ledger([row | {"claim": "another.claim"} for row in ledger_rows(study, QUICK)[:1]], "another", tmp_path)
    write_ledger(ledger_rows(study, QUICK), "made_up", tmp_path)
    assert read_ledger(tmp_path / "ledger.csv")["claim"].tolist() == ["another.claim", "made_up.so", "made_up.so!not_so"]


def test_an_empty_ledger_can_be_merged_into(study, tmp_path):
    write_ledger([], "made_up", tmp_path)
    write_ledger(ledger_rows(study, QUICK), "made_up", tmp_path)
    assert len(read_ledger(tmp_path / "ledger.csv")) == 2


def test_the_bars_of_a_norm_do_not_split_a_table(study, tmp_path):
    norm = "S1: ||grad f||^2 <= eps at x*, 2 * 3."
    study[0] = replace(study[0], claim=replace(study[0].claim, statement=norm))
    write_ledger(ledger_rows(study, QUICK), "made_up", tmp_path)
    write_study("ratewitness.studies.made_up", study, QUICK, tmp_path)
    for page in ("ledger.md", "made_up.md"):
        tables = re.findall(r"(?:^\|.*\n)+", (tmp_path / page).read_text(), re.M)
        for table in tables:
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, page


def test_figures_are_drawn_in_colours_that_the_colour_blind_can_tell_apart(study, tmp_path):
    write_study("ratewitness.studies.made_up", study, QUICK, tmp_path)
    assert seaborn.color_palette("colorblind").as_hex()[1] in (tmp_path / "figures/made_up-line.svg").read_text()
    assert not plt.get_fignums()


def test_a_study_writes_page_figures_and_tables(study, tmp_path):
    write_study("ratewitness.studies.made_up", study, QUICK, tmp_path)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*")) == [
        "figures/made_up-line.pdf", "figures/made_up-line.svg", "made_up.md",
        "tables/made_up-short.csv", "tables/made_up-short.tex", "tables/made_up-so.csv", "tables/made_up-so.tex",
    ]  # fmt: skip
    page = (tmp_path / "made_up.md").read_text()
    for part in ("# Is it so?", "Text of the page.", "**supported**", "A caption.", "figures/made_up-line.svg", "not_so"):
        assert part in page
    tex = (tmp_path / "tables/made_up-short.tex").read_text()
    assert r"\toprule" in tex
    assert r"$x_0^2$, 99 \%" in tex
    assert r"at\_50 \%" in tex


def test_the_same_verdicts_give_the_same_bytes(study, tmp_path):
    for out in ("a", "b"):
        write_study("ratewitness.studies.made_up", study, QUICK, tmp_path / out)
    for path in (tmp_path / "a").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes(), path.name


def test_provenance_says_where_each_study_comes_from(study, tmp_path):
    for name, seed in (("made_up", 0), ("another", 5), ("made_up", 1)):
        write_provenance(name, origin(["ratewitness.studies.made_up"], replace(QUICK, seed=seed))["made_up"], tmp_path)
    record = json.loads((tmp_path / "provenance.json").read_text())["studies"]
    assert {name: entry["seed"] for name, entry in record.items()} == {"another": 5, "made_up": 1}
    assert record["made_up"]["sources_sha256"] == "0" * 64
    wanted = {"command", "commit", "dirty", "budget", "device", "data_sha256", "python", "machine", "versions"}
    assert wanted <= record["made_up"].keys()
    assert record["made_up"]["versions"]["torch"]
