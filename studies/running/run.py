"""A run as its user sees it: what it replaces, how far it is, the report study by study, and the verdicts at its end."""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from ratewitness.studies.claims import Budget, Claim
from ratewitness.studies.running import repeated
from ratewitness.studies.running.catalogue import load, studies
from ratewitness.studies.running.progress import Watch
from ratewitness.studies.running.records import Damaged, answered, current, origin
from ratewitness.studies.running.report import read_ledger, render, up_to_date, write_ledger
from ratewitness.studies.running.runner import run_claims
from ratewitness.studies.running.sources import ROOT
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

PAGES = 10.0  # seconds between the times at which the pages of finished studies are written
COLOURS = {"proved": "green", "supported": "green", "refuted": "red", "inconclusive": "yellow"}


def run(wanted: dict[str, list[str]], claims: list[Claim], budget: Budget, out: Path, jobs: int, pages: bool = True) -> bool:
    """Measure, and write the report study by study; whether every claim was judged. pages: False keeps records alone."""
    warnings.filterwarnings("ignore", "tasks .*cancelled|A worker stopped", module="joblib")  # a run says so itself
    console = Console(width=None if sys.stdout.isatty() else 120)
    for line in _replaced(claims, budget, out):
        console.print(line, style="yellow", markup=False, highlight=False)
    begin, broken, judged, ready = time.perf_counter(), {}, 0, []
    written = begin
    left = {name: len(of) for name, of in wanted.items()}
    expected = _expected(claims, out, budget.name)
    source = origin(budget, " ".join(["ratewitness", *sys.argv[1:]]))
    with Watch([claim.id for claim in claims], expected, jobs, console) as watch:
        for result in run_claims(claims, budget, out, jobs, source, expected, watch.hear):
            name = result.claim.study
            if result.kept:
                watch.kept(result.claim.id, result.record.verdict.outcome)
            judged, left[name] = judged + (result.record is not None), left[name] - 1
            if not result.record:
                broken[result.claim.id] = result.error or "its record was removed during the run; run it again\n"
            ready += [name] if pages and not left[name] else []
            if ready and time.perf_counter() - written > PAGES:
                broken |= _reported(ready, budget, out)
                ready, written = [], time.perf_counter()
    broken |= _reported(ready, budget, out)
    for what, error in broken.items():
        print(f"error: {what} broke:\n{error}", file=sys.stderr)
    if pages:
        _summary(wanted, out, console)
    console.print(f"{judged} of {len(claims)} judged in {time.perf_counter() - begin:.0f} s; report in {out}", markup=False)
    return not broken


def repeat(
    wanted: dict[str, list[str]], claims: list[Claim], budget: Budget, seeds: list[int], out: Path, jobs: int
) -> bool:
    """Judge on every seed, the first of which gives the report; the ledger says on how many the word is the same."""
    first, *others = seeds
    whole = run(wanted, claims, replace(budget, seed=first), out, jobs)
    for seed in others:
        whole &= run(wanted, claims, replace(budget, seed=seed), repeated.folder(out, seed), jobs, pages=False)
    found = repeated.collect(claims, seeds, out)
    write_ledger({}, out)
    for line in repeated.differing(found):
        print(line)
    return whole


def _replaced(claims: list[Claim], budget: Budget, out: Path) -> list[str]:
    """What a run with another budget, seed or device puts in place of."""
    before = Counter()
    for claim in claims:
        try:
            found = answered(claim.id, out)
        except Damaged as error:
            return [f"{error}: that is done now"]
        if found and (was := tuple(found["origin"][part] for part in ("budget", "seed", "device"))) != (
            budget.name, budget.seed, budget.device
        ):  # fmt: skip
            before[was] += 1
    return [f"replaces {n} claims of budget {b}, seed {s}, {d} in {out}" for (b, s, d), n in before.items()]


def _expected(claims: list[Claim], out: Path, budget: str) -> dict[str, float]:
    """Seconds that the claims took last time: in this report, else in the one that is committed."""
    found = {}
    for claim in claims:
        for folder in (out, ROOT / "reports" / budget):
            try:
                answer = answered(claim.id, folder)
            except Damaged:
                continue
            if answer and answer["origin"]["budget"] == budget:
                found[claim.id] = answer["seconds"]
                break
    return found


def _reported(names: list[str], budget: Budget, out: Path) -> dict[str, str]:
    """Write the report of studies whose claims are done; what broke, for a page that fails must not lose the others."""
    changed, broken = [name for name in names if not up_to_date(name, out)], {}
    try:
        if changed:
            render(changed, out)
    except Exception as error:
        if len(names) > 1:
            return {k: v for name in names for k, v in _reported([name], budget, out).items()}
        broken = {f"the report of {names[0]}": f"{type(error).__name__}: {error}"}
    for name in names if budget.data else ():
        print("\n".join(_on_data(name, out)))
    return broken


def _on_data(name: str, out: Path) -> list[str]:
    """What a study says about the user's own data."""
    module = import_module(studies()[name].module)
    found = {claim.name: record.verdict for claim in load(name) if (record := current(claim, out))}
    return module.on_data(found) if hasattr(module, "on_data") and len(found) == len(studies()[name].claims) else []


def _summary(wanted: dict[str, list[str]], out: Path, console: Console) -> None:
    """One line a claim; the full statements stand in ledger.md."""
    ledger = read_ledger(out / "ledger.csv")
    ids = {f"{name}.{claim}" for name, of in wanted.items() for claim in of}
    ledger = ledger[ledger["claim"].str.split("!").str[0].isin(ids)]
    columns = [Column("claim", no_wrap=True), Column("verdict", no_wrap=True), Column("statement", no_wrap=True, ratio=1)]
    table = Table(*columns, box=None, pad_edge=False, expand=True)
    for row in ledger[ledger["kind"] != "planted"].itertuples():
        table.add_row(row.claim, f"[{COLOURS[row.outcome]}]{row.outcome}[/]", escape(row.statement))
    console.print(table)
    for kind, rows in ledger.groupby(ledger["kind"].eq("planted").map({True: "planted false variants", False: "claims"})):
        counted = Counter(rows["outcome"])
        console.print(f"{kind}: " + ", ".join(f"{counted[word]} {word}" for word in COLOURS if counted[word]))
