"""The committed report is what this code produces, and a fresh quick run does not contradict it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from ratewitness.studies.__main__ import catalogue
from ratewitness.studies.running.report import COLUMNS, read_ledger
from ratewitness.studies.running.sources import digest

ROOT = Path(__file__).parent.parent
FULL = ROOT / "reports/full"
IDS = {claim.id for claims in catalogue().values() for claim in claims}
AFFIRMED = {"proved", "supported"}


@pytest.fixture(scope="module")
def quick() -> pd.DataFrame:
    """The quick ledger; a finished reports/quick is taken as it is, otherwise this takes minutes."""
    done = subprocess.run([sys.executable, "-m", "ratewitness.studies", "run"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return read_ledger(ROOT / "reports/quick/ledger.csv")


@pytest.fixture(scope="module")
def full() -> pd.DataFrame:
    return read_ledger(FULL / "ledger.csv")


def outcomes(ledger: pd.DataFrame) -> dict[str, str]:
    return dict(zip(ledger["claim"], ledger["outcome"], strict=True))


@pytest.mark.parametrize("name", ["quick", "full"])
def test_the_ledger_holds_every_claim_once(name, request):
    ledger = request.getfixturevalue(name)
    assert list(ledger.columns) == COLUMNS
    claims = ledger.loc[ledger["kind"] != "planted", "claim"]
    assert sorted(claims) == sorted(IDS)
    assert ledger["claim"].is_unique
    assert set(ledger["budget"]) == {name}
    ledger["evidence"].map(json.loads)


@pytest.mark.parametrize("name", ["quick", "full"])
def test_no_planted_false_variant_is_affirmed(name, request):
    ledger = request.getfixturevalue(name)
    planted = ledger[ledger["kind"] == "planted"]
    assert {c.split("!")[0] for c in planted["claim"]} == IDS
    assert planted.loc[planted["outcome"].isin(AFFIRMED), "claim"].tolist() == []


def test_quick_verdicts_are_never_contrary_to_the_full_report(quick, full):
    """But for those that time something, and their planted variants: the full report was timed on another machine."""
    sure, timed = outcomes(full), set(quick.loc[quick["kind"] == "cost", "claim"])
    contrary = {
        name: (word, sure[name])
        for name, word in outcomes(quick).items()
        if name.partition("!")[0] not in timed
        and {word, sure[name]} - {"inconclusive"} and "inconclusive" not in (word, sure[name])
        and (word in AFFIRMED) != (sure[name] in AFFIRMED)
    }  # fmt: skip
    assert contrary == {}


def test_the_same_seed_gives_the_same_ledger_for_any_number_of_jobs(quick, tmp_path):
    """noise_floor alone with one job, against the run of everything with all cores."""
    command = [sys.executable, "-m", "ratewitness.studies", "run", "noise_floor", "--jobs", "1", "--out", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    again = (tmp_path / "ledger.csv").read_text().splitlines()
    before = (ROOT / "reports/quick/ledger.csv").read_text().splitlines()
    without_seconds = [[line.rpartition(",")[0] for line in lines] for lines in (again, before)]
    assert without_seconds[0] == [line for line in without_seconds[1] if line.startswith(("claim,", "noise_floor."))]


def test_the_full_report_is_not_older_than_its_sources():
    recorded = json.loads((FULL / "provenance.json").read_text())["studies"]
    stale = [m for m in catalogue() if recorded.get(m.rpartition(".")[2], {}).get("sources_sha256") != digest(m)]
    assert stale == [], "run `make reports BUDGET=full`: these studies changed since reports/full was made"


def test_the_full_report_was_made_from_committed_sources():
    recorded = json.loads((FULL / "provenance.json").read_text())["studies"]
    assert [name for name, study in recorded.items() if study["dirty"]] == []


@pytest.mark.parametrize("module", catalogue())
def test_every_page_shows_the_files_it_names(module):
    page = FULL / f"{module.rpartition('.')[2]}.md"
    named = re.findall(r"\]\(([^)]+\.svg)\)", page.read_text())
    assert all((FULL / name).exists() for name in named)
    assert all((FULL / name.replace(".svg", ".pdf")).exists() for name in named)


@pytest.mark.parametrize("path", sorted(FULL.glob("*.md")), ids=lambda path: path.stem)
def test_tables_are_intact(path):
    """As many cells in every row; and no bar inside mathematics, which Markdown would take out of its backslash."""
    cells = None
    for line in path.read_text().splitlines():
        count = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else None
        assert None in (cells, count) or count == cells, line
        if path.stem != "ledger":  # whose cells hold no mathematics between dollar signs
            assert count is None or not re.search(r"\$[^$]*\|[^$|]*\$", line.replace(" | ", " ")), line
        cells = count


def test_nothing_in_the_full_report_is_left_over():
    """Every file belongs to a study of today."""
    names = [m.rpartition(".")[2] for m in catalogue()]
    allowed = {"ledger.csv", "ledger.md", "provenance.json"}
    files = [p for p in FULL.rglob("*") if p.is_file() and ".finished" not in p.parts]
    odd = [p.name for p in files if p.name not in allowed and not any(p.name.startswith((f"{n}.", f"{n}-")) for n in names)]
    assert odd == []
