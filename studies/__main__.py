"""The command line: `python -m studies list` and `python -m studies run [NAME ...]`.

Exit status 0 when every claim was judged, whatever the verdict; 1 when a claim broke; 2 for bad usage.
"""

from __future__ import annotations

import os
import pkgutil
import sys
import time
from collections import Counter
from dataclasses import replace
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column, Table
from typer.exceptions import TyperException

import studies
from problems.data import DataError, load_table
from studies.claims import FULL, QUICK, Claim
from studies.report import ledger_rows, read_ledger, write_ledger, write_study
from studies.runner import Result, run_claims

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
console = Console(width=None if sys.stdout.isatty() else 120)
COLOURS = {"proved": "green", "supported": "green", "refuted": "red", "inconclusive": "yellow"}


class BudgetName(StrEnum):
    quick = "quick"
    full = "full"


class Device(StrEnum):
    cpu = "cpu"
    cuda = "cuda"


@app.command("list")
def list_claims() -> None:
    """Every study and claim, one line each."""
    for module, claims in catalogue().items():
        title = (import_module(module).__doc__ or "").strip().partition("\n")[0]
        console.print(f"[bold]{module.rpartition('.')[2]}[/bold]  {title}", soft_wrap=True)
        for claim in claims:
            console.print(f"  {claim.id}  [dim]{claim.kind}[/dim]  {claim.statement}", soft_wrap=True, highlight=False)


@app.command("run")
def run_studies(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME ...]", help="Studies; all by default.")] = None,
    budget: Annotated[BudgetName, typer.Option(help="quick: a first look; full: for reports.")] = BudgetName.quick,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random stream.")] = 0,
    device: Annotated[Device, typer.Option(help="Where tensors live.")] = Device.cpu,
    jobs: Annotated[int, typer.Option(min=1, help="Parallel processes; all cores by default.")] = os.cpu_count() or 1,
    out: Annotated[Path | None, typer.Option(help="Folder to write; reports/BUDGET by default.")] = None,
    data: Annotated[Path | None, typer.Option(help="A LIBSVM or CSV file to include as real data.")] = None,
) -> None:
    """Check the claims of the studies and write the report. Finished claims are not done again."""
    known = catalogue()
    by_name = {module.rpartition(".")[2]: module for module in known}
    for name in names or []:
        if name not in by_name:
            raise typer.BadParameter(f"no study is called {name!r}; accepted are {', '.join(by_name)}")
    if device == Device.cuda and not torch.cuda.is_available():
        raise typer.BadParameter("device is 'cuda' but torch finds no CUDA device here; accepted is cpu")
    if data:
        try:
            load_table(data)
        except DataError as error:
            raise typer.BadParameter(str(error)) from None
    chosen = {by_name[name]: known[by_name[name]] for name in (names or by_name)}
    spending = replace(
        QUICK if budget == BudgetName.quick else FULL,
        seed=seed,
        device=str(device),
        data=str(data.resolve()) if data else None,
    )
    out = out or Path("reports") / str(budget)
    if out.exists() and not out.is_dir():
        raise typer.BadParameter(f"--out {out} is a file; accepted is a folder, which is made if there is none")

    begin, broken = time.perf_counter(), {}
    waiting = {module: {claim.id for claim in claims} for module, claims in chosen.items()}
    results: dict[str, Result] = {}
    total = sum(map(len, chosen.values()))
    with _progress() as progress:
        task = progress.add_task("checking", total=total)
        for result in run_claims([c for claims in chosen.values() for c in claims], spending, out, jobs):
            claim = result.claim
            results[claim.id] = result
            waiting[claim.module].discard(claim.id)
            progress.update(task, advance=1, description=claim.id.partition(".")[0])
            if result.error:
                broken[claim.id] = result.error
            if not sys.stdout.isatty():
                word = result.verdict.outcome if result.verdict else "BROKEN"
                print(f"[{len(results)}/{total}] {claim.id}: {word} ({result.seconds:.1f} s)", flush=True)
            if not waiting[claim.module]:
                judged = [results[c.id] for c in chosen[claim.module] if results[c.id].verdict]
                try:
                    write_ledger(ledger_rows(judged, spending), [claim.module], spending, out)
                    if len(judged) == len(chosen[claim.module]):
                        write_study(claim.module, judged, spending, out)
                except Exception as error:  # a page that cannot be written must not lose the other studies
                    broken[f"the page of {claim.module}"] = f"{type(error).__name__}: {error}"
    ledger = read_ledger(out / "ledger.csv")
    _print_ledger(ledger[ledger["claim"].str.partition(".")[0].isin(names or list(by_name))])
    console.print(f"{total - len(broken)} of {total} judged in {time.perf_counter() - begin:.0f} s; report in {out}")
    for name, error in broken.items():
        print(f"error: {name} broke:\n{error}", file=sys.stderr)
    if broken:
        raise typer.Exit(1)


def catalogue() -> dict[str, list[Claim]]:
    """Every study with its claims, in the order of the file: {module name: claims}."""
    found = {}
    for info in pkgutil.iter_modules(studies.__path__, "studies."):
        if info.name != __spec__.name:
            module = import_module(info.name)
            claims = [v for v in vars(module).values() if isinstance(v, Claim) and v.module == info.name]
            if claims:
                found[info.name] = claims
    return found


def script(file: str) -> None:
    """Run the study in `file` as if by `python -m studies run NAME`, with the options given to the script."""
    main(["run", Path(file).stem, *sys.argv[1:]])


def main(arguments: list[str] | None = None) -> None:
    try:
        sys.exit(app(arguments, standalone_mode=False))
    except TyperException as error:  # bad usage or bad data: one line, no usage screen
        if message := " ".join(error.format_message().split()):  # empty when the help was printed instead
            print(f"error: {message}", file=sys.stderr)
        sys.exit(2)


def _progress() -> Progress:
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    silent = not sys.stdout.isatty()
    return Progress(*columns, TextColumn("left:"), TimeRemainingColumn(), console=console, disable=silent)


def _print_ledger(ledger: pd.DataFrame) -> None:
    """One line a claim; the full statements stand in ledger.md."""
    columns = [Column("claim", no_wrap=True), Column("verdict", no_wrap=True), Column("statement", no_wrap=True, ratio=1)]
    table = Table(*columns, box=None, pad_edge=False, expand=True)
    for row in ledger[ledger["kind"] != "planted"].itertuples():
        table.add_row(row.claim, f"[{COLOURS[row.outcome]}]{row.outcome}[/]", escape(row.statement))
    console.print(table)
    for kind, rows in ledger.groupby(ledger["kind"].eq("planted").map({True: "planted false variants", False: "claims"})):
        counted = Counter(rows["outcome"])
        console.print(f"{kind}: " + ", ".join(f"{counted[word]} {word}" for word in COLOURS if counted[word]))


if __name__ == "__main__":
    main()
