"""Turns records into files: ledger, tables, figures, one page a study, and where it all came from. Never measures.

    ledger.csv, ledger.md      every claim; the table has a row for every planted variant as well
    planted.md                 the planted variants
    <study>.md                 the study's page, with its figures and tables
    figures/<study>-*          as SVG for the page and PDF for a paper, at the width of a page; others on demand
    tables/<study>-*           what was measured, in full (.csv), and tables to present (.csv, .tex)
    provenance.json            for each claim digest, seconds and run; for each run command, version, commit, machine

A study may define `figures(verdicts) -> {name: Figure}` and `tables(verdicts) -> {name: DataFrame}`, where `verdicts`
maps the names of its claims to their verdicts.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

import jinja2
import pandas as pd
from ratewitness.studies.claims import Verdict
from ratewitness.studies.running import sources
from ratewitness.studies.running.catalogue import Study, load, studies
from ratewitness.studies.running.records import Damaged, Record, answered, current, file, write_atomically
from ratewitness.studies.running.statements import STATEMENTS

COLUMNS = [
    "claim", "outcome", "kind", "statement", "precisely", "source", "evidence", "budget", "seed", "device", "seconds"
]  # fmt: skip
LONGEST_TEX = 60  # rows: a longer table is data for a plot, not for a page
FORMATS = ("svg", "pdf")


def plain(text: str) -> str:
    """Text for Markdown: outside backticks its bars, stars and underscores are mathematics."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([|*_<])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def prose(text: str) -> str:
    """The docstring of a module: indented lines are formulas, the others text."""
    return "\n".join(line if line.startswith("    ") else plain(line) for line in text.splitlines())


PAGES = jinja2.Environment(keep_trailing_newline=True, autoescape=False)
PAGES.filters["plain"] = plain
PAGE = PAGES.from_string(
    """\
# {{ title }}

{{ text }}

{% if source %}Source: [{{ study.file }}]({{ source }}). {% endif %}All verdicts: [ledger.md](ledger.md).

| claim | outcome | statement | evidence |
|---|---|---|---|
{% for row in rows -%}
| `{{ row.claim }}` | **{{ row.outcome }}** | {{ row.statement | plain }} | {{ row.numbers | plain }} |
{% endfor %}
{% for row in rows -%}
**`{{ row.claim }}`** *({{ row.kind }}; {{ row.source | plain }})* {{ row.precisely | plain }}

{% endfor -%}
{% for name, caption in figures %}
![{{ name }}](figures/{{ name }}.svg)

{{ caption }}
{% endfor %}
{% for name, table in tables %}
### {{ name }}

{{ table }}
{% endfor %}
Planted false variants, none of which may be supported:

| variant | outcome |
|---|---|
{% for row in planted -%}
| `{{ row.claim }}` | {{ row.outcome }} |
{% endfor %}"""
)
LEDGER = PAGES.from_string(
    """\
# Ledger

What the words mean stands in reports/README.md; the planted false variants stand in [planted.md](planted.md); every number,
the full statements among them, in ledger.csv. {{ counts }}
{% for number, words, found in statements %}
## {{ number }}

{{ words | plain }}
{% for study, title, figure, source, rows in found %}
### {{ number }} in [{{ study }}]({{ study }}.md)

{{ title | plain }}
{%- if figure %} [Figure](figures/{{ figure }}.svg).{% endif %}{% if source %} [Source]({{ source }}).{% endif %}

| claim | outcome | kind | statement | evidence | budget, seed, device |
|---|---|---|---|---|---|
{% for row in rows -%}
| `{{ row.claim }}` | {{ row.outcome }} | {{ row.kind }} | {{ row.statement | plain }} | {{ row.numbers | plain }} |\
 {{ row.budget }}, {{ row.seed }}, {{ row.device }} |
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
| `{{ row.claim }}` | {{ row.outcome }} | {{ row.numbers | plain }} |
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
        names = [name for name, study in studies().items() if any(file(each.id, out).exists() for each in study.claims)]
    for name in names:
        study = studies()[name]
        records = [record for claim in load(name) if (record := current(claim, out))]
        rows[name] = ledger_rows(records)
        if len(records) == len(study.claims):
            complete.append(name)
            drawn[name] = write_study(study, records, out, formats, width) if drawing else []
    write_ledger(rows, out)
    write_provenance(drawn, set(rows) - set(drawn), out)
    return complete


def ledger_rows(records: Sequence[Record]) -> list[dict]:
    """The rows of the ledger: each judged claim, followed by its planted variants."""
    rows = []
    for record in records:
        claim = record.claim
        shared = {"precisely": claim.precisely, "source": claim.source}
        shared |= {name: str(record.origin[name]) for name in ("budget", "seed", "device")}
        rows.append(
            shared
            | {"claim": claim.id, "kind": claim.kind, "statement": claim.statement, "seconds": f"{record.seconds:.2f}"}
            | {"outcome": record.verdict.outcome, "evidence": _evidence(record.verdict)}
        )
        for variant, verdict in record.planted.items():
            rows.append(
                shared
                | {"claim": f"{claim.id}!{variant.replace(' ', '_')}", "kind": "planted", "seconds": "", "precisely": ""}
                | {"statement": f"False on purpose, {variant}: {claim.statement}"}
                | {"outcome": verdict.outcome, "evidence": _evidence(verdict)}
            )
    return rows


def write_study(study: Study, records: Sequence[Record], out: Path, formats: Sequence[str], width: str) -> list[str]:
    """Write one study's page, figures and tables to present; the files written, relative to `out`."""
    module, name, files = import_module(study.module), study.name, []

    def keep(path: str, content: str | bytes) -> None:
        write_atomically(out / path, content)
        files.append(path)

    verdicts = {record.claim.name: record.verdict for record in records}
    presented = module.tables(verdicts) if hasattr(module, "tables") else {}
    if taken := {*presented} & {*verdicts}:
        raise ValueError(f"{name} presents tables under the names of claims: {', '.join(sorted(taken))}")
    for part, table in presented.items():
        keep(f"tables/{name}-{part}.csv", table.to_csv(index=False, lineterminator="\n"))
    for part, table in ({c: v.table for c, v in verdicts.items() if len(v.table)} | presented).items():
        if len(table) <= LONGEST_TEX:
            keep(f"tables/{name}-{part}.tex", _latex(table))
    drawn = _draw(module, verdicts, formats, width) if hasattr(module, "figures") else {}
    for part, (_, pictures) in drawn.items():
        for kind, content in pictures.items():
            keep(f"figures/{name}-{part}{'' if width == 'page' else '-' + width}.{kind}", content)
    title, _, text = (module.__doc__ or name).strip().partition("\n")
    rows = [row | {"numbers": _readable(row["evidence"])} for row in ledger_rows(records)]
    page = PAGE.render(
        title=plain(title.rstrip(".")),
        text=prose(text.strip("\n")),  # the spaces before a formula make it a block
        study=study,
        source=_link(study, out),
        rows=[row for row in rows if row["kind"] != "planted"],
        planted=[row for row in rows if row["kind"] == "planted"],
        figures=[(f"{name}-{part}", caption) for part, (caption, _) in drawn.items()],
        tables=[(part, _markdown(table)) for part, table in presented.items()],
    )
    keep(f"{name}.md", page)
    return files


def write_ledger(new: Mapping[str, Sequence[Mapping]], out: Path) -> None:
    """Put the rows of studies into the ledger of `out`, in place of those they had; what is no study of today goes."""
    path, known = out / "ledger.csv", [*studies()]
    ids = {each.id for study in studies().values() for each in study.claims}
    table = pd.DataFrame([row for rows in new.values() for row in rows], columns=COLUMNS, dtype=str)
    if path.exists():
        old = read_ledger(path)
        table = pd.concat([old[~study_of(old).isin(new) & old["claim"].str.partition("!")[0].isin(ids)], table])
    table = table.iloc[study_of(table).map(known.index).argsort(kind="stable")]
    write_atomically(path, table.to_csv(index=False, lineterminator="\n"))
    table["numbers"] = table["evidence"].map(_readable)
    table["study"] = study_of(table)
    claims, planted = table[table["kind"] != "planted"], table[table["kind"] == "planted"]
    numbers = claims["statement"].str.extract(r"(S\d+)", expand=False)
    found = [
        (number, STATEMENTS.get(number, ""), [_section(name, rows, out) for name, rows in part.groupby("study", sort=False)])
        for number, part in sorted(claims.groupby(numbers), key=lambda pair: int(pair[0][1:]))
    ]
    counted = claims["outcome"].value_counts()
    counts = f"{len(claims)} claims: " + ", ".join(f"{counted[w]} {w}" for w in OUTCOMES if w in counted) + "."
    write_atomically(out / "ledger.md", LEDGER.render(statements=found, counts=counts if len(claims) else ""))
    by_study = [(name, [*rows.itertuples()]) for name, rows in planted.groupby("study", sort=False)]
    write_atomically(out / "planted.md", PLANTED.render(studies=by_study))


OUTCOMES = ("proved", "supported", "refuted", "inconclusive")


def _section(name: str, rows: pd.DataFrame, out: Path) -> tuple:
    study = studies()[name]
    drawn = sorted(path.stem for path in out.glob(f"figures/{name}-*.svg"))
    return name, study.title, next(iter(drawn), ""), _link(study, out), [*rows.itertuples()]


def _link(study: Study, out: Path) -> str:
    """The source of a study, seen from a report in the same checkout; '' for reports elsewhere."""
    inside = out.resolve().is_relative_to(sources.ROOT)
    return os.path.relpath(sources.ROOT / study.file, out.resolve()).replace(os.sep, "/") if inside else ""


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
        made[name] = {"written": sources.written(study.module) if name in drawn else before.get("written"), "claims": claims}
        made[name] |= {"files": sorted(files)}
    for name, entry in entries.items():
        for path_before in {*entry.get("files", ())} - {*made.get(name, {}).get("files", ())}:
            if (out / path_before).resolve().is_relative_to(out.resolve()):
                (out / path_before).unlink(missing_ok=True)
    write_atomically(path, json.dumps({"runs": runs, "studies": made}, indent=1) + "\n")


def _evidence(verdict: Verdict) -> str:
    def tidy(value):  # JSON knows neither NaN nor infinity
        return None if math.isnan(value) else str(value) if math.isinf(value) else float(f"{value:.6g}")

    return json.dumps({name: tidy(value) for name, value in verdict.evidence.items()})


def _readable(evidence: str) -> str:
    def short(value):
        return "nan" if value is None else value if isinstance(value, str) else f"{value:.4g}"

    return ", ".join(f"{name} {short(value)}" for name, value in json.loads(evidence).items())


def _markdown(table: pd.DataFrame) -> str:
    """A table of a page. Norms are written without bars: Markdown takes \\| for a bar of text."""

    def written(text):
        return text.replace("\\|", r"\Vert ") if isinstance(text, str) else text

    return table.map(written).rename(columns=written).to_markdown(index=False, floatfmt=".4g")


def _latex(table: pd.DataFrame) -> str:
    """A booktabs table; what stands between dollar signs is mathematics already."""

    def escape(text):
        if not isinstance(text, str):
            return text
        parts = text.split("$")
        parts[::2] = [re.sub(r"([%&#_{}])", r"\\\1", part).replace("^", r"\^{}") for part in parts[::2]]
        return "$".join(parts)

    return table.map(escape).rename(columns=escape).to_latex(index=False, escape=False, float_format="%.4g")


def _draw(study, verdicts: Mapping[str, Verdict], formats: Sequence[str], width: str) -> dict[str, tuple[str, dict]]:
    """The caption of each figure and its files by kind."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns
    from ratewitness.studies.measuring.drawing import printed_at

    drawn = {}
    # a colour such as C1 is looked up when the figure is rendered, so that must happen under the palette as well
    style = sns.axes_style("whitegrid"), sns.plotting_context("paper"), sns.color_palette("colorblind")
    with style[0], style[1], style[2], printed_at(width):
        for part, figure in study.figures(verdicts).items():
            figure.draw_without_rendering()  # lays it out, once for all formats
            figure.set_layout_engine("none")
            drawn[part] = figure.get_label(), {kind: _picture(figure, kind) for kind in formats}
            plt.close(figure)
    return drawn


def _picture(figure, kind: str) -> bytes:
    import matplotlib

    # without dates and random identifiers the same numbers give the same bytes
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[kind]
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "ratewitness", "svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(buffer, format=kind, metadata=undated, dpi=200)
    return buffer.getvalue()
