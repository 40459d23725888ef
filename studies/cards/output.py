"""A card as a table of the terminal, as Markdown, HTML, JSON, and as a row of a table of cards."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict

import jinja2
from ratewitness.studies.cards.card import PARTS, Card, without_series
from ratewitness.studies.cards.fact import Fact
from rich.console import Console
from rich.table import Table
from rich.text import Text

TITLES = {
    "rule": "Update rule",
    "laws": "Laws that any optimizer owes its users",
    "facts": "What the rule does",
    "rates": "Rates, lr tuned",
    "cost": "Cost",
}
ORDER = ("rule", "laws", "facts", "rates", "cost")
PAGES = jinja2.Environment(autoescape=False, keep_trailing_newline=True, trim_blocks=True)  # HTML by `| e`
PAGES.filters["cell"] = lambda text: " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")

MARKDOWN = PAGES.from_string(
    """\
# {{ title }}

{{ verdict }} {{ versions }}.

{% for name, file in figures.items() %}
![{{ name }}]({{ file }})

{% endfor %}
{% for title, facts in parts %}
## {{ title }}

| | finding | number | threshold |{% if facts[0].part == "laws" %} holds |{% endif %}

|---|---|---|---|{% if facts[0].part == "laws" %}---|{% endif %}

{% for fact in facts %}
| {{ fact.name }} | {{ words(fact) | cell }} | {{ number(fact.number) }} | {{ number(fact.threshold) }} |\
{% if facts[0].part == "laws" %} {{ holds(fact) }} |{% endif %}

{% endfor %}

{% endfor %}
"""
)
HTML = PAGES.from_string(
    """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title | e }}</title>
<style>
:root { color-scheme: light dark; --line: #8884; --bad: #b3261e; --good: #1b6e3c; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --good: #7bd6a0; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; width: 12rem; }
td { overflow-wrap: anywhere; }
.broken { color: var(--bad); font-weight: 600; }
.kept { color: var(--good); }
img { max-width: 100%; background: #fff; }
</style>
</head>
<body>
<h1>{{ title | e }}</h1>
<p>{{ verdict | e }} {{ versions | e }}.</p>
{% for name, file in figures.items() %}
<p><img src="{{ file | e }}" alt="{{ name | e }}"></p>
{% endfor %}
{% for title, facts in parts %}
<h2>{{ title | e }}</h2>
<table>
{% for fact in facts %}
<tr><th scope="row">{{ fact.name | e }}</th><td{% if fact.holds is false %} class="broken"{% elif fact.holds %} class="kept"\
{% endif %}>{{ words(fact) | e }}</td></tr>
{% endfor %}
</table>
{% endfor %}
</body>
</html>
"""
)


def title(found: Card) -> str:
    return f"{found.spec}({', '.join(f'{name}={value}' for name, value in found.kwargs.items())})"


def verdict(found: Card) -> str:
    """One sentence: the laws that it breaks."""
    asked = [fact for fact in found.facts if fact.part == "laws" and fact.holds is not None]
    broken = [fact.name for fact in found.broken]
    if broken:
        return f"Breaks {len(broken)}: {', '.join(broken)}."
    return f"Breaks none of {len(asked)} laws." if asked else "Its laws were not asked for."


def words(fact: Fact) -> str:
    return f"{fact.finding}: {fact.reason}" if fact.reason else fact.finding


def printed(found: Card, console: Console) -> None:
    """A table for each part; laws that hold are one line together."""
    console.print(Text(title(found), style="bold"))
    for part in ORDER:
        facts = found.of(part)
        if not facts:
            continue
        table = Table(title=TITLES[part], title_justify="left", show_header=False, box=None, pad_edge=False, expand=False)
        table.add_column(no_wrap=True, style="cyan")
        table.add_column(overflow="fold")
        if part == "laws":
            holding = [fact.name for fact in facts if fact.holds]
            table.add_row("kept", Text(", ".join(holding) or "none"))
            facts = [fact for fact in facts if not fact.holds]
        for fact in facts:
            style = "bold red" if fact.holds is False else "green" if fact.holds else ""
            table.add_row(Text(fact.name), Text(words(fact), style=style))
        console.print()
        console.print(table)
    seconds = ", ".join(f"{part} {value:.1f}" for part, value in found.seconds.items())
    console.print()
    console.print(Text(verdict(found), style="bold red" if found.broken else "bold green"))
    console.print(Text(f"{_versions(found)}; processor seconds: {seconds}", style="dim"))


def _versions(found: Card) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.versions.items())


def _page(template: jinja2.Template, found: Card, figures: Mapping[str, str]) -> str:
    return template.render(
        title=title(found),
        verdict=verdict(found),
        versions=_versions(found),
        figures=figures,
        parts=[(TITLES[part], found.of(part)) for part in ORDER if found.of(part)],
        words=words,
        number=lambda value: "" if value is None else f"{value:.4g}",
        holds=lambda fact: "" if fact.holds is None else "yes" if fact.holds else "**no**",
    )


def markdown(found: Card, figures: Mapping[str, str]) -> str:
    """figures: captions to files beside the page."""
    return _page(MARKDOWN, found, figures)


def html(found: Card, figures: Mapping[str, str]) -> str:
    return _page(HTML, found, figures)


def as_json(found: Card) -> str:
    plain = asdict(without_series(found))
    for line in plain["facts"]:
        line["number"] = line["number"] if line["number"] is None or math.isfinite(line["number"]) else str(line["number"])
    return json.dumps(plain, indent=1, ensure_ascii=False, default=repr, allow_nan=False) + "\n"


def row(found: Card) -> dict[str, str]:
    """Every line in a cell of its own, for a table of cards."""
    first = {"optimizer": found.spec, "arguments": ", ".join(f"{name}={value}" for name, value in found.kwargs.items())}
    breaks = ", ".join(fact.name for fact in found.broken)
    return {
        **first,
        "versions": _versions(found),
        "breaks": breaks,
        **{fact.name: words(fact) for part in PARTS for fact in found.of(part)},
    }
