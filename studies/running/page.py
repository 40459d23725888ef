"""The page of a study, with its figures and tables, from the verdicts of its claims.

A study may define `figures(verdicts) -> {name: Figure}` and `tables(verdicts) -> {name: DataFrame}`, where `verdicts`
maps the names of its claims to their verdicts.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

import jinja2
import pandas as pd
from ratewitness.studies.claims import Claim
from ratewitness.studies.running import evidence, sources
from ratewitness.studies.running.catalogue import Study
from ratewitness.studies.running.records import Record, write_atomically

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
PAGES.filters["barred"] = lambda code: code.replace("|", "\\|")  # a bar would end the cell, even between backticks
PAGE = PAGES.from_string(
    """\
# {{ title }}

{{ text }}

{% if source %}Source: [{{ study.file }}]({{ source }}). {% endif %}All verdicts: [ledger.md](ledger.md). All numbers: \
[tables/{{ study.name }}-evidence.csv](tables/{{ study.name }}-evidence.csv).

| claim | outcome | statement | evidence |
|---|---|---|---|
{% for row in rows -%}
| `{{ row.claim | barred }}` | **{{ row.outcome }}** | {{ row.statement | plain }} | {{ row.numbers | plain }} |
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
| `{{ row.claim | barred }}` | {{ row.outcome }} |
{% endfor %}"""
)


def write_study(
    study: Study, records: Sequence[Record], ledger: Sequence[Mapping], out: Path, formats: Sequence[str], width: str
) -> list[str]:
    """Write one study's page, figures and tables to present, from records and their rows of the ledger; the files written,
    relative to `out`."""
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
    drawn = drawn_as(partial(module.figures, verdicts), formats, width) if hasattr(module, "figures") else {}
    for part, (_, pictures) in drawn.items():
        for kind, content in pictures.items():
            keep(f"figures/{name}-{part}{'' if width == 'page' else '-' + width}.{kind}", content)
    title, _, text = (module.__doc__ or name).strip().partition("\n")
    every = [row for record in records for row in _every_number(record)]
    keep(f"tables/{name}-evidence.csv", evidence.as_csv(every))
    rows = [row | {"numbers": evidence.readable(row["evidence"])} for row in ledger]
    page = PAGE.render(
        title=plain(title.rstrip(".")),
        text=prose(text.strip("\n")),  # the spaces before a formula make it a block
        study=study,
        source=source_link(study, out),
        rows=[row for row in rows if row["kind"] != "planted"],
        planted=[row for row in rows if row["kind"] == "planted"],
        figures=[(f"{name}-{part}", caption) for part, (caption, _) in drawn.items()],
        tables=[(part, _markdown(table)) for part, table in presented.items()],
    )
    keep(f"{name}.md", page)
    return files


def ledger_rows(records: Sequence[Record]) -> list[dict]:
    """The rows of the ledger: each judged claim, followed by its planted variants, which repeat nothing of it."""
    rows = []
    for record in records:
        claim = record.claim
        shared = {name: str(record.origin[name]) for name in ("budget", "seed", "device")}
        rows.append(
            shared
            | {"claim": claim.id, "kind": claim.kind, "statement": claim.statement, "precisely": claim.precisely}
            | {"source": claim.source, "seconds": f"{record.seconds:.2f}"}
            | {"outcome": record.verdict.outcome, "evidence": evidence.deciding(claim, record.verdict)}
            | {"p": evidence.p_value(record.verdict)}
        )
        for variant, verdict in record.planted.items():
            rows.append(
                shared
                | {"claim": _variant(claim, variant), "kind": "planted", "seconds": ""}
                | {"statement": f"False on purpose: {variant}", "precisely": "", "source": ""}
                | {"outcome": verdict.outcome, "evidence": evidence.deciding(claim, verdict), "p": ""}
            )
    return rows


def _variant(claim: Claim, variant: str) -> str:
    return f"{claim.id}!{variant.replace(' ', '_')}"


def _every_number(record: Record) -> list[dict]:
    """The rows of the table of evidence: of the claim, and of its planted variants."""
    rows = evidence.table(record.claim, record.claim.id, record.verdict)
    for variant, verdict in record.planted.items():
        rows += evidence.table(record.claim, _variant(record.claim, variant), verdict)
    return rows


def source_link(study: Study, out: Path) -> str:
    """The source of a study, seen from a report in the same checkout; '' for reports elsewhere."""
    inside = out.resolve().is_relative_to(sources.ROOT)
    return os.path.relpath(sources.ROOT / study.file, out.resolve()).replace(os.sep, "/") if inside else ""


def _markdown(table: pd.DataFrame) -> str:
    """A table of a page. Norms of formulas are written without bars; others are escaped, as Markdown ends a cell at them."""

    def written(text):
        return text.replace("\\|", r"\Vert ").replace("|", "\\|") if isinstance(text, str) else text

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


def drawn_as(draw: Callable[[], Mapping], formats: Sequence[str], width: str = "page") -> dict[str, tuple[str, dict]]:
    """The caption of each figure that draw() gives by name, and its files by kind, in the style of the reports."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns
    from ratewitness.studies.measuring.drawing import printed_at

    drawn = {}
    # a colour such as C1 is looked up when the figure is rendered, so that must happen under the palette as well
    style = sns.axes_style("whitegrid"), sns.plotting_context("paper"), sns.color_palette("colorblind")
    with style[0], style[1], style[2], printed_at(width):
        for part, figure in draw().items():
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
