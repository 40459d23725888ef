"""Which studies and claims there are, read off the files: fast, since nothing of them is imported.

A study is a file under studies/ that states claims. An id that was split or renamed keeps a line in reports/renamed.csv.
"""

from __future__ import annotations

import ast
import csv
import difflib
import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from ratewitness.studies.running.sources import NAME, ROOT

if TYPE_CHECKING:
    from ratewitness.studies.claims import Claim

STUDIES = ROOT / "studies"
RENAMED = ROOT / "reports/renamed.csv"


@dataclass(frozen=True)
class Entry:
    """A claim as its file states it."""

    id: str
    kind: str
    statement: str
    line: int


@dataclass(frozen=True)
class Study:
    """A file that states claims; `title` is the first line of its docstring, a question."""

    name: str
    module: str
    title: str
    claims: tuple[Entry, ...]

    @property
    def theme(self) -> str:
        return self.module.split(".")[-2]

    @property
    def file(self) -> str:
        """Its path from the root of the checkout."""
        return "/".join(self.module.split(".")[1:]) + ".py"


class UnknownName(Exception):
    """Asked for a study or claim that there is not; says what is meant perhaps, or accepted."""


# parsing all files takes longer than a command line may take to answer; a test holds this against what is imported
CLAIM = re.compile(
    r"""^@claim\(\s*"(?P<kind>[^"]+)".*?"""
    r'''^def (?P<name>\w+)\(.*?(?P<doc>r?"""(?:[^"\\]|\\.|"(?!""))*""")''',
    re.MULTILINE | re.DOTALL,
)
TITLE = re.compile(r'''\Ar?"""(.*)''')


@cache
def studies() -> dict[str, Study]:
    """Every study by its name, room by room."""
    found = {}
    for file in sorted(STUDIES.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        claims = tuple(
            Entry(f"{file.stem}.{each['name']}", each["kind"], _headline(each["doc"]), text.count("\n", 0, each.start()) + 1)
            for each in CLAIM.finditer(text)
        )
        if claims and "running" not in file.parts:
            module = ".".join((NAME, *file.relative_to(ROOT).with_suffix("").parts))
            found[file.stem] = Study(file.stem, module, TITLE.match(text)[1], claims)
    return found


def _headline(literal: str) -> str:
    return " ".join(inspect.cleandoc(ast.literal_eval(literal)).partition("\n\n")[0].split())


def chosen(names: Iterable[str]) -> dict[str, list[str]]:
    """Names of studies and ids of claims -> the claims (by function) of every study asked for; all for none."""
    wanted: dict[str, list[str]] = {}
    for name in list(names) or studies():
        study, _, claim = name.partition(".")
        every = [each.id.partition(".")[2] for each in studies()[study].claims] if study in studies() else []
        if not every or (claim and claim not in every):
            raise UnknownName(_unknown(name))
        kept = wanted.setdefault(study, [])
        kept += [each for each in ([claim] if claim else every) if each not in kept]
    return wanted


def _unknown(name: str) -> str:
    if now := renamed().get(name):
        return f"{name} is now {' and '.join(now)}"
    ids = [each.id for study in studies().values() for each in study.claims]
    what, known = ("claim", ids) if "." in name else ("study", [*studies()])
    by_name = {each.partition(".")[2]: each for each in ids} if what == "study" else {}
    if close := difflib.get_close_matches(name, [*known, *by_name], n=3):
        meant = " or ".join(dict.fromkeys(by_name.get(each, each) if each not in known else each for each in close))
        return f"no {what} is called {name!r}; did you mean {meant}?"
    return f"no {what} is called {name!r}; `ratewitness list` shows all"


@cache
def renamed() -> dict[str, list[str]]:
    """Ids that are no more -> what they are now."""
    found: dict[str, list[str]] = {}
    if RENAMED.exists():
        with RENAMED.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found.setdefault(row["old"], []).append(row["new"])
    return found


def load(study: str, names: Iterable[str] | None = None) -> list[Claim]:
    """The claims of a study, which is imported for that: those of these names, or all."""
    entry = studies()[study]
    module = import_module(entry.module)
    every = [each.id.partition(".")[2] for each in entry.claims]
    return [getattr(module, name) for name in every if names is None or name in names]
