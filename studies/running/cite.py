"""BibTeX of a claim: statement, verdict, budget and seed of the report that is cited, version and commit of the code."""

from __future__ import annotations

import csv
import json
import re
from datetime import date
from pathlib import Path

from ratewitness.studies.running.sources import ROOT

FIELDS = ("author", "title", "year", "version", "url", "note")


def bibtex(claim: str, out: Path) -> str:
    """An entry of the type software, which biblatex knows; styles that do not know it take it as misc."""
    row = _row(claim, out)
    run = _run(claim, out)
    said = f"Claim {claim}: {row['statement']} Verdict: {row['outcome']} ({row['budget']} budget, seed {row['seed']})."
    said += f" Precisely: {row['precisely']}" if row["precisely"] else ""
    commit = f", commit {run['commit'][:12]}" if run.get("commit") else ""
    entry = {
        "author": "{The ratewitness authors}",
        "title": f"{{ratewitness}}: {{{_tex(claim)}}}",
        "year": str(_released().year),
        "version": f"{run['version']}{commit}",
        "url": _cff("url"),
        "note": _tex(said),
    }
    lines = ",\n".join(f"  {name:8} = {{{entry[name]}}}" for name in FIELDS if entry[name])
    return f"@software{{ratewitness:{claim},\n{lines}\n}}"


class NotInReport(Exception):
    """The report holds no verdict of that claim."""


def _row(claim: str, out: Path) -> dict[str, str]:
    path = out / "ledger.csv"
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row.get("claim") == claim and row.get("precisely") is not None:
                    return row
    raise NotInReport(f"{path} has no verdict of {claim}; run it, or name the folder of another report by --out")


def _run(claim: str, out: Path) -> dict:
    path = out / "provenance.json"
    try:
        provenance = json.loads(path.read_text(encoding="utf-8"))
        return provenance["runs"][provenance["studies"][claim.partition(".")[0]]["claims"][claim]["run"]]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        raise NotInReport(f"{path} does not say where the verdict of {claim} comes from; run it again") from None


def _released() -> date:
    found = _cff("date-released")
    return date.fromisoformat(found) if found else date.today()


def _cff(field: str) -> str:
    """A field of CITATION.cff; '' in an installed copy, which has none."""
    path = ROOT / "CITATION.cff"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = re.search(rf"^{field}: *(.+)$", text, re.MULTILINE)
    return found[1].strip('"') if found else ""


def _tex(text: str) -> str:
    text = text.replace("\\", r"\textbackslash ")
    return re.sub(r"([%&#_{}$])", r"\\\1", text).replace("^", r"\^{}").replace("~", r"\~{}")
