"""The committed report is what this code produces, and a fresh quick run does not contradict it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from ratewitness.studies.running import history, sources
from ratewitness.studies.running.catalogue import renamed, studies
from ratewitness.studies.running.report import COLUMNS, read_ledger

ROOT = Path(__file__).parent.parent
FULL = ROOT / "reports/full"
IDS = {claim.id for study in studies().values() for claim in study.claims}
LARGEST = 1_000_000  # bytes of a committed file
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
    again, before = read_ledger(tmp_path / "ledger.csv"), quick[quick["claim"].str.startswith("noise_floor.")]
    others = ["seconds", "family"]  # the family is that of all claims of a ledger
    pd.testing.assert_frame_equal(again.drop(columns=others), before.drop(columns=others).reset_index(drop=True))


def test_every_number_has_a_unit():
    tables = [pd.read_csv(path, keep_default_na=False) for path in FULL.glob("tables/*-evidence.csv")]
    found = pd.concat(tables)
    claims = found[~found["claim"].str.contains("!")]
    assert set(claims["claim"].str.partition(".")[0]) == {name for name in studies()}
    assert claims.loc[claims["unit"] == "", ["claim", "part", "quantity"]].to_numpy().tolist() == []


def test_the_history_ends_with_the_ledger_and_no_word_became_better_on_the_same_data(full):
    """But for the first four, which are why there is a history; a proof rests on no data."""
    last = {row["claim"]: row for row in history.rows(FULL)}
    assert {claim: row["outcome"] for claim, row in last.items()} == {c: outcomes(full).get(c) for c in last}
    assert {claim for claim, row in last.items() if not int(row["revision"]) and row["outcome"] == "supported"} == set()
    assert {c for c in full.loc[full["revised"] != "", "claim"]} == {*last}


@pytest.fixture(scope="module")
def provenance() -> dict:
    return json.loads((FULL / "provenance.json").read_text())


def test_the_full_report_was_measured_with_these_definitions(provenance):
    recorded = {id_: entry["measured"] for study in provenance["studies"].values() for id_, entry in study["claims"].items()}
    today = {
        claim.id: sources.measured(study.module, claim.id.partition(".")[2])
        for study in studies().values()
        for claim in study.claims
    }
    stale = sorted(id_ for id_ in today if recorded.get(id_) != today[id_])
    assert stale == [], "run `make reports BUDGET=full`, which measures these claims and no others"


def test_the_full_report_was_written_with_these_words_and_figures(provenance):
    recorded = {name: entry["written"] for name, entry in provenance["studies"].items()}
    stale = [name for name, study in studies().items() if recorded.get(name) != sources.written(study.module)]
    assert stale == [], "run `.venv/bin/ratewitness render`, which measures nothing"


def test_the_full_report_was_made_from_committed_sources(provenance):
    assert [run["commit"] for run in provenance["runs"] if run["dirty"]] == []
    assert all(run["commit"] and run["version"] for run in provenance["runs"])


@pytest.mark.parametrize("name", studies())
def test_every_page_shows_the_files_it_names(name):
    named = re.findall(r"\]\(([^)#:]+)\)", (FULL / f"{name}.md").read_text())
    assert [target for target in named if not (FULL / target).exists()] == []
    figures = [target for target in named if target.startswith("figures/")]
    assert all((FULL / target.replace(".svg", ".pdf")).exists() for target in figures)


def test_no_committed_file_is_large():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in tracked.stdout.split("\0") if name]
    assert [str(path) for path in files if path.exists() and path.stat().st_size > LARGEST] == []


def test_ids_that_are_no_more_point_to_ids_of_today():
    assert {*renamed()} & IDS == set()
    assert {new for names in renamed().values() for new in names} <= IDS


@pytest.mark.parametrize("path", sorted(FULL.glob("*.md")), ids=lambda path: path.stem)
def test_tables_are_intact(path):
    """As many cells in every row; and no bar inside mathematics, which Markdown would take out of its backslash."""
    cells = None
    for line in path.read_text().splitlines():
        count = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else None
        assert None in (cells, count) or count == cells, line
        if path.stem not in ("ledger", "planted"):  # whose cells hold no mathematics between dollar signs
            assert count is None or not re.search(r"\$[^$]*\|[^$|]*\$", line.replace(" | ", " ")), line
        cells = count


def test_nothing_in_the_full_report_is_left_over(provenance):
    """Every file belongs to a study of today."""
    allowed = {"ledger.csv", "ledger.md", "planted.md", "provenance.json"}
    allowed |= {file for study in provenance["studies"].values() for file in study["files"]}
    allowed |= {f"records/{id_}.json" for id_ in IDS} | {f"tables/{id_.replace('.', '-')}.csv" for id_ in IDS}
    files = {p.relative_to(FULL).as_posix() for p in FULL.rglob("*") if p.is_file()} - {".lock", ".events"}
    assert files - allowed == set()
