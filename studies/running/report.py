"""Writes what was found: ledger, tables, figures, one page a study, and where it all came from.

    ledger.csv, ledger.md      every claim and every planted variant, one row each
    <study>.md                 the study's page, with its figures and tables
    figures/<study>-*.svg/.pdf, tables/<study>-*.csv/.tex
    provenance.json            for each study command, commit, versions, budget, seed, device, data, digest of its sources

A study may define `figures(verdicts) -> {name: Figure}` and `tables(verdicts) -> {name: DataFrame}`, where `verdicts`
maps the names of its claims to their verdicts. Tables of single claims are written in any case.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module, metadata
from pathlib import Path

import jinja2
import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from ratewitness.studies.claims import Budget, Verdict
from ratewitness.studies.running.runner import Result, write_atomically
from ratewitness.studies.running.sources import digest

COLUMNS = ["claim", "outcome", "kind", "statement", "source", "evidence", "budget", "seed", "device", "seconds"]
ROOT = Path(__file__).parents[2]
LONGEST_TEX = 60  # rows: a longer table is data for a plot, not for a page


def plain(text: str) -> str:
    """Text for a cell of a Markdown table: its bars and stars are mathematics."""
    return text.replace("|", "\\|").replace("*", "\\*")


PAGES = jinja2.Environment(keep_trailing_newline=True, autoescape=False)
PAGES.filters["plain"] = plain
PAGE = PAGES.from_string(
    """\
# {{ title }}

{{ text }}

| claim | verdict | statement | evidence |
|---|---|---|---|
{% for row in rows -%}
| {{ row.claim }} | **{{ row.outcome }}** | {{ row.statement | plain }} *({{ row.source | plain }})* | {{ row.numbers }} |
{% endfor %}
{% for row in planted -%}
{% if loop.first %}Planted false variants, none of which may be supported:

| variant | verdict |
|---|---|
{% endif -%}
| {{ row.claim | plain }} | {{ row.outcome }} |
{% endfor %}
{% for name, caption in figures %}
![{{ name }}](figures/{{ name }}.svg)

{{ caption }}
{% endfor %}
{% for name, table in tables %}
### {{ name }}

{{ table }}
{% endfor %}"""
)


def ledger_rows(results: Sequence[Result], budget: Budget) -> list[dict]:
    """The rows of the ledger: each judged claim, followed by its planted variants."""
    rows = []
    for result in results:
        claim = result.claim
        shared = {"source": claim.source, "budget": budget.name, "seed": budget.seed, "device": budget.device}
        rows.append(
            shared
            | {"claim": claim.id, "kind": claim.kind, "statement": claim.statement, "seconds": f"{result.seconds:.2f}"}
            | {"outcome": result.verdict.outcome, "evidence": _evidence(result.verdict)}
        )
        for variant, verdict in result.planted.items():
            rows.append(
                shared
                | {"claim": f"{claim.id}!{variant.replace(' ', '_')}", "kind": "planted", "seconds": ""}
                | {"statement": f"False on purpose, {variant}: {claim.statement}"}
                | {"outcome": verdict.outcome, "evidence": _evidence(verdict)}
            )
    return rows


def write_study(module: str, results: Sequence[Result], budget: Budget, out: Path) -> None:
    """Write one study's page, figures and tables."""
    study, name = import_module(module), module.rpartition(".")[2]
    verdicts = {result.claim.name: result.verdict for result in results}
    tables = {claim: verdict.table for claim, verdict in verdicts.items() if len(verdict.table)}
    presented = study.tables(verdicts) if hasattr(study, "tables") else {}
    for part, table in (tables | presented).items():
        write_atomically(out / f"tables/{name}-{part}.csv", table.to_csv(index=False, lineterminator="\n"))
        if len(table) <= LONGEST_TEX:
            write_atomically(out / f"tables/{name}-{part}.tex", _latex(table))
    drawn = _draw(study, verdicts) if hasattr(study, "figures") else {}
    for part, (_, files) in drawn.items():
        for kind, content in files.items():
            write_atomically(out / f"figures/{name}-{part}.{kind}", content)
    title, _, text = (study.__doc__ or name).strip().partition("\n")
    rows = ledger_rows(results, budget)
    page = PAGE.render(
        title=title.rstrip("."),
        text=text.strip("\n"),  # the spaces before a formula make it a block
        rows=[row | {"numbers": _readable(row["evidence"])} for row in rows if row["kind"] != "planted"],
        planted=[row for row in rows if row["kind"] == "planted"],
        figures=[(f"{name}-{part}", caption) for part, (caption, _) in drawn.items()],
        tables=[(part, _markdown(table)) for part, table in presented.items()],
    )
    write_atomically(out / f"{name}.md", page)


def study_of(ledger: pd.DataFrame) -> pd.Series:
    """The study of each row."""
    return ledger["claim"].str.split(".").str[0]


def write_ledger(rows: Sequence[Mapping], name: str, out: Path) -> None:
    """Put the rows of the study `name` into the ledger of `out`, in place of those it had."""
    new = pd.DataFrame(rows, columns=COLUMNS, dtype=str)
    path = out / "ledger.csv"
    if path.exists():
        old = read_ledger(path)
        new = pd.concat([old[study_of(old) != name], new])
        new = new.iloc[study_of(new).argsort(kind="stable")]
    write_atomically(path, new.to_csv(index=False, lineterminator="\n"))
    lines = [
        f"| {plain(row.claim)} | {row.outcome} | {row.kind} | {plain(row.statement)} *({plain(row.source)})* "
        f"| {_readable(row.evidence)} | {row.budget}, {row.seed}, {row.device} |"
        for row in new.itertuples()
    ]
    head = "# Ledger\n\nWhat the words mean stands in reports/README.md.\n\n"
    head += "| claim | verdict | kind | statement | evidence | budget, seed, device |\n|---|---|---|---|---|---|\n"
    write_atomically(out / "ledger.md", head + "\n".join(lines) + "\n")


def remove_study(name: str, out: Path) -> None:
    """Remove the page, figures and tables of a study, which a broken claim has made out of date."""
    for path in [out / f"{name}.md", *out.glob(f"figures/{name}-*"), *out.glob(f"tables/{name}-*")]:
        path.unlink(missing_ok=True)


def read_ledger(path: Path) -> pd.DataFrame:
    """The ledger, every column as text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def origin(modules: Sequence[str], budget: Budget) -> dict[str, dict]:
    """Where the verdicts of a run that begins now come from, by study."""
    commit, dirty = _git()
    packages = ["numpy", "scipy", "sympy", "torch", "pandas", "scikit-learn", "matplotlib", "seaborn", "joblib"]
    shared = {
        "command": " ".join(["python -m ratewitness.studies", *sys.argv[1:]]),
        "commit": commit,
        "dirty": dirty,
        "budget": budget.name,
        "seed": budget.seed,
        "device": budget.device,
        "data_sha256": hashlib.sha256(Path(budget.data).read_bytes()).hexdigest() if budget.data else None,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {package: metadata.version(package) for package in packages},
    }
    return {module.rpartition(".")[2]: {"sources_sha256": digest(module), **shared} for module in modules}


def write_provenance(name: str, entry: Mapping, out: Path) -> None:
    """Put the origin of one study into the provenance of `out`."""
    path = out / "provenance.json"
    studies = json.loads(path.read_text())["studies"] if path.exists() else {}
    record = {"studies": dict(sorted({**studies, name: entry}.items()))}
    write_atomically(path, json.dumps(record, indent=2) + "\n")


def _git() -> tuple[str, bool]:
    def git(*words):
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True).stdout

    try:
        # reports are what is being written; they do not make the code that writes them dirty
        return git("rev-parse", "HEAD").strip(), bool(git("status", "--porcelain", "--", ".", ":!reports").strip())
    except (OSError, subprocess.CalledProcessError):
        return "unknown (not a git checkout)", True


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


def _draw(study, verdicts: Mapping[str, Verdict]) -> dict[str, tuple[str, dict[str, bytes]]]:
    """The caption of each figure and its files by kind."""
    matplotlib.use("Agg")
    drawn = {}
    # a colour such as C1 is looked up when the figure is rendered, so that must happen under the palette as well
    with sns.axes_style("whitegrid"), sns.plotting_context("paper"), sns.color_palette("colorblind"):
        for part, figure in study.figures(verdicts).items():
            drawn[part] = figure.get_label(), {kind: _render(figure, kind) for kind in ("svg", "pdf")}
            plt.close(figure)
    return drawn


def _render(figure: Figure, kind: str) -> bytes:
    # without dates and random identifiers the same numbers give the same bytes
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "ratewitness", "svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(buffer, format=kind, metadata=undated, bbox_inches="tight")
    return buffer.getvalue()
