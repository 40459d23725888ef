"""Turns records into files: ledger, tables, figures, one page a study, and where it all came from. Never measures.

ledger.csv, ledger.md      every claim; the table has a row for every planted variant as well. `revised` is how often its
                           word has changed (`history.py`), `seeds` on how many seeds it is the same (`repeated.py`), `p`,
                           `margin` and `family` how firm a sampled word is (`family.py`), `evidence` what decided
planted.md                 the planted variants
<study>.md                 the study's page, with its figures and tables
figures/<study>-*          as SVG for the page and PDF for a paper, at the width of a page; others on demand
tables/<study>-*           what was measured, in full (.csv), and tables to present (.csv, .tex)
tables/<study>-evidence.csv  every number of the evidence, with its unit (`evidence.py`)
provenance.json            for each claim digest, seconds and run; for each run command, version, commit, machine
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from ratewitness.studies.running import history, repeated, sources
from ratewitness.studies.running.catalogue import Study, load, studies
from ratewitness.studies.running.evidence import readable
from ratewitness.studies.running.family import SURVIVES, judged_together
from ratewitness.studies.running.page import FORMATS, PAGES, ledger_rows, source_link, write_study
from ratewitness.studies.running.records import Damaged, answered, current, write_atomically
from ratewitness.studies.running.records import file as record_file
from ratewitness.studies.running.statements import STATEMENTS

COLUMNS = [
    "claim", "outcome", "revised", "seeds", "p", "margin", "family", "kind", "statement", "precisely", "source", "evidence",
    "budget", "seed", "device", "seconds",
]  # fmt: skip


LEDGER = PAGES.from_string(
    """\
# Ledger

What the words mean stands in reports/README.md; the planted false variants stand in [planted.md](planted.md); every number,
the full statements among them, in ledger.csv and in the tables of evidence. {{ counts }}
{% for number, words, found in statements %}
## {{ number }}

{{ words | plain }}
{% for study, title, figure, source, rows in found %}
### {{ number }} in [{{ study }}]({{ study }}.md)

{{ title | plain }}
{%- if figure %} [Figure](figures/{{ figure }}.svg).{% endif %}{% if source %} [Source]({{ source }}).{% endif %}

| claim | outcome | margin | kind | statement | evidence | budget, seed, device |
|---|---|---|---|---|---|---|
{% for row in rows -%}
| `{{ row.claim | barred }}` | {{ row.outcome }}{{ ", revised" if row.revised }}\
{{ " (" ~ row.seeds ~ ")" if row.seeds }} | {{ row.margin }}{{ ", alone" if row.family == "alone" }} | {{ row.kind }} |\
 {{ row.statement | plain }} | {{ row.numbers | plain }} | {{ row.budget }}, {{ row.seed }}, {{ row.device }} |
{% endfor %}{% endfor %}{% endfor %}"""
)
PLANTED = PAGES.from_string(
    """\
# Planted false variants

Each is a claim of the [ledger](ledger.md) with something changed that makes it false. They show what a check can see.
{% for study, rows in studies %}
## {{ study }}

| variant | outcome | evidence |
|---|---|---|
{% for row in rows -%}
| `{{ row.claim | barred }}` | {{ row.outcome }} | {{ row.numbers | plain }} |
{% endfor %}{% endfor %}"""
)


def render(
    names: Iterable[str], out: Path, formats: Sequence[str] = FORMATS, width: str = "page", drawing: bool = True
) -> list[str]:
    """Write what follows from the records of these studies: pages, figures and tables, rows of the ledger, provenance.

    A record that was measured with other definitions than today's counts for nothing. A study has a page when every claim
    of it has a record. Returns the studies that have one.
    """
    rows, complete, drawn = {}, [], {}
    if not len(read_ledger(out / "ledger.csv")):  # there was none, or it is damaged: rebuild it
        measured = {path.name.partition(".")[0] for path in out.glob("records/*.json")}
        names = [name for name in studies() if name in measured]
    for name in names:
        study = studies()[name]
        records = [record for claim in load(name) if (record := current(claim, out))]
        rows[name] = ledger_rows(records)
        if len(records) == len(study.claims):
            complete.append(name)
            drawn[name] = write_study(study, records, rows[name], out, formats, width) if drawing else []
    write_ledger(rows, out)
    write_provenance(drawn, set(rows) - set(drawn), out)
    return complete


def up_to_date(name: str, out: Path) -> bool:
    """Whether the page of a study, with its files and its rows, is what rendering it would write."""
    study = studies()[name]
    try:
        entry = json.loads((out / "provenance.json").read_text())["studies"][name]
        drawn = entry["written"], entry["records_sha256"]
        there = all((out / path).exists() for path in entry["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    rows = set(read_ledger(out / "ledger.csv")["claim"])
    today = sources.written(study.module), records_digest(study, out)
    return drawn == today and there and {each.id for each in study.claims} <= rows


def records_digest(study: Study, out: Path) -> str:
    """Of the records that a page is drawn from."""
    total = hashlib.sha256()
    for each in study.claims:
        path = record_file(each.id, out)
        total.update(path.read_bytes() if path.exists() else b"")
    return total.hexdigest()


def write_ledger(new: Mapping[str, Sequence[Mapping]], out: Path) -> None:
    """Put the rows of studies into the ledger of `out`, in place of those they had; what is no study of today goes."""
    path, known = out / "ledger.csv", [*studies()]
    ids = {each.id for study in studies().values() for each in study.claims}
    table = pd.DataFrame([row for rows in new.values() for row in rows], columns=COLUMNS, dtype=str)
    if path.exists():
        old = read_ledger(path)
        table = pd.concat([old[~study_of(old).isin(new) & old["claim"].str.split("!").str[0].isin(ids)], table])
    table = table.iloc[study_of(table).map(known.index).argsort(kind="stable")]
    changes = pd.Series([row["claim"] for row in history.rows(out)], dtype=str)
    table["revised"] = table["claim"].map(changes.value_counts()).map("{:.0f}".format, na_action="ignore").fillna("")
    table["seeds"] = repeated.agreement(table, out)
    table[["margin", "family"]] = judged_together(table)
    write_atomically(path, table.to_csv(index=False, lineterminator="\n"))
    table["numbers"] = table["evidence"].map(readable)
    table["study"] = study_of(table)
    claims, planted = table[table["kind"] != "planted"], table[table["kind"] == "planted"]
    numbers = claims["statement"].str.extract(r"(S\d+)", expand=False)
    found = [
        (number, STATEMENTS.get(number, ""), [_section(name, rows, out) for name, rows in part.groupby("study", sort=False)])
        for number, part in sorted(claims.groupby(numbers), key=lambda pair: int(pair[0][1:]))
    ]
    counted = claims["outcome"].value_counts()
    counts = f"{len(claims)} claims: " + ", ".join(f"{counted[w]} {w}" for w in OUTCOMES if w in counted) + "."
    sampled, survive = (claims["family"] != "").sum(), (claims["family"] == SURVIVES).sum()
    counts += f" Of these words {sampled} rest on samples; {survive} survive Holm's test at 1 %, the others stand alone."
    write_atomically(out / "ledger.md", LEDGER.render(statements=found, counts=counts if len(claims) else ""))
    by_study = [(name, [*rows.itertuples()]) for name, rows in planted.groupby("study", sort=False)]
    write_atomically(out / "planted.md", PLANTED.render(studies=by_study))


OUTCOMES = ("proved", "supported", "refuted", "inconclusive")


def _section(name: str, rows: pd.DataFrame, out: Path) -> tuple:
    study = studies()[name]
    drawn = sorted(path.stem for path in out.glob(f"figures/{name}-*.svg"))
    return name, study.title, next(iter(drawn), ""), source_link(study, out), [*rows.itertuples()]


def study_of(ledger: pd.DataFrame) -> pd.Series:
    """The study of each row."""
    return ledger["claim"].str.split(".").str[0]


def read_ledger(path: Path) -> pd.DataFrame:
    """The ledger, every column as text; one that is damaged is rebuilt from the records, hence empty."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError):
        table = pd.DataFrame()
    return table if [*table.columns] == COLUMNS else pd.DataFrame(columns=COLUMNS, dtype=str)


def write_provenance(drawn: Mapping[str, Sequence[str]], incomplete: Iterable[str], out: Path) -> None:
    """Put where studies come from into the provenance of `out`; files that a study wrote before and not now go."""
    path = out / "provenance.json"
    try:
        entries = json.loads(path.read_text())["studies"]
    except (OSError, ValueError, KeyError, TypeError):
        entries = {}
    runs, made = [], {}
    gone = (set(entries) - set(studies())) | set(incomplete)
    for name, study in studies().items():
        kept = {}
        for each in study.claims:
            with contextlib.suppress(Damaged):  # it is measured again when its turn comes
                kept |= {each.id: answer} if (answer := answered(each.id, out)) else {}
        if not kept:
            continue
        for answer in kept.values():
            if answer["origin"] not in runs:
                runs.append(answer["origin"])
        claims = {
            id_: {"measured": answer["measured"], "run": runs.index(answer["origin"]), "seconds": answer["seconds"]}
            for id_, answer in kept.items()
        }
        before = entries.get(name, {})
        files = {*before.get("files", ())} if name not in gone else set()
        if name in drawn:
            column = any(Path(file).stem.endswith("-column") for file in drawn[name])
            files = {*drawn[name], *(file for file in files if column or Path(file).stem.endswith("-column"))}
        page = {part: before.get(part) for part in ("written", "records_sha256")}
        if name in drawn:
            page = {"written": sources.written(study.module), "records_sha256": records_digest(study, out)}
        made[name] = {**page, "claims": claims, "files": sorted(files)}
    for name, entry in entries.items():
        for path_before in {*entry.get("files", ())} - {*made.get(name, {}).get("files", ())}:
            if (out / path_before).resolve().is_relative_to(out.resolve()):
                (out / path_before).unlink(missing_ok=True)
    write_atomically(path, json.dumps({"runs": runs, "studies": made}, indent=1) + "\n")
