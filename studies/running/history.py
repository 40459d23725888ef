"""What became of verdicts: a row for every claim that got another word than it had, or whose revision was raised, appended
as it is measured.

    claim, date, was, outcome, measured, revision, why

`measured` is the digest of the definitions that gave the new word. The reason is that of the claim's `@revised` where its
revision was raised; otherwise definitions changed that are no design (a mistake was mended), or none did (another machine,
or other versions). Rows are never changed. A run with another budget, seed or device is another question, and gives none.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
from datetime import date
from pathlib import Path

from ratewitness.studies.running.records import Damaged, Record, answered
from ratewitness.studies.running.sources import ROOT

COLUMNS = ("claim", "date", "was", "outcome", "measured", "revision", "why")
SAME_QUESTION = ("budget", "seed", "device", "data_sha256")
MENDED, ELSEWHERE = "its definitions were mended", "the same definitions on another machine or with other versions"


def file(out: Path) -> Path:
    """Beside the report that is committed; inside any other."""
    committed = ROOT / "reports" / "full"
    return committed.parent / "history.csv" if out.resolve() == committed else out / "history.csv"


def rows(out: Path) -> list[dict[str, str]]:
    path = file(out)
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return [*csv.DictReader(stream)]


def note(record: Record, out: Path) -> None:
    """Append a row if the record that will be replaced holds another word for the same question, or an older design."""
    claim = record.claim
    try:
        before = answered(claim.id, out)
    except Damaged:
        return
    if not before or any(before["origin"][part] != record.origin[part] for part in SAME_QUESTION):
        return
    was, now = before["verdict"]["outcome"], record.verdict.outcome
    known = [row for row in rows(out) if row["claim"] == claim.id]
    raised = claim.revision > max((int(row["revision"]) for row in known), default=0)
    noted = bool(known) and (known[-1]["measured"], known[-1]["outcome"]) == (record.measured, now)  # and killed since
    if (was != now or raised) and not noted:
        why = claim.why if raised else MENDED if before["measured"] != record.measured else ELSEWHERE
        _append([claim.id, date.today().isoformat(), was, now, record.measured, claim.revision, why], file(out))


def _append(row: list, path: Path) -> None:
    """One short write at the end, below a header that is there as soon as the file is: rows of processes do not mix."""
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
        with contextlib.suppress(FileExistsError):  # another process was faster
            os.link(fresh, path)
        fresh.unlink()
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(row)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(line.getvalue())
