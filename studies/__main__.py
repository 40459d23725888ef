"""The command line: `python -m ratewitness.studies list` and `python -m ratewitness.studies run [NAME ...]`.

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
from filelock import FileLock, Timeout
from ratewitness import studies
from ratewitness.problems.data.tables import DataError, from_file
from ratewitness.studies.claims import FULL, QUICK, Budget, Claim
from ratewitness.studies.running.report import (
    ledger_rows,
    origin,
    read_ledger,
    remove_study,
    study_of,
    write_ledger,
    write_provenance,
    write_study,
)
from ratewitness.studies.running.runner import Result, run_claims, write_atomically
from ratewitness.studies.running.sources import digest
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column, Table
from typer.exceptions import TyperException

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
            line = f"  {claim.id}  [dim]{claim.kind}[/dim]  {escape(claim.statement)}"
            console.print(line, soft_wrap=True, highlight=False)


@app.command("run")
def run_studies(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME ...]", help="Studies; all by default.")] = None,
    budget: Annotated[BudgetName, typer.Option(help="quick: a first look; full: for reports.")] = BudgetName.quick,
    seed: Annotated[int, typer.Option(min=0, max=2**62, help="Seed of every random stream.")] = 0,
    device: Annotated[Device, typer.Option(help="Where tensors live.")] = Device.cpu,
    jobs: Annotated[int | None, typer.Option(min=1, help="Parallel processes; default: all cores, 1 on cuda.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write; reports/BUDGET by default.")] = None,
    data: Annotated[Path | None, typer.Option(help="A LIBSVM or CSV file for bounds_on_every_problem.")] = None,
) -> None:
    """Check the claims of the studies and write the report. Finished claims are not done again."""
    known = catalogue()
    by_name = {module.rpartition(".")[2]: module for module in known}
    for name in names or []:
        if name not in by_name:
            raise typer.BadParameter(f"no study is called {name!r}; accepted are {', '.join(by_name)}", param_hint="NAME")
    if device == Device.cuda and not torch.cuda.is_available():
        raise typer.BadParameter("torch finds no CUDA device here; accepted is cpu", param_hint="--device")
    if data:
        try:
            from_file(data)
        except DataError as error:
            raise typer.BadParameter(str(error), param_hint="--data") from None
    chosen = {name: known[by_name[name]] for name in (names or by_name)}
    spending = replace(
        QUICK if budget == BudgetName.quick else FULL,
        seed=seed,
        device=str(device),
        data=str(data.resolve()) if data else None,
    )
    out = out or Path("reports") / str(budget)
    probe = out / ".finished/.writable"
    try:
        write_atomically(probe, "")
        probe.unlink()
        context.with_resource(FileLock(out / ".finished/.lock", blocking=False))  # two runs would lose ledger rows
    except Timeout:
        reason = f"another run is writing to {out}; accepted is a folder of its own for each run"
        raise typer.BadParameter(reason, param_hint="--out") from None
    except OSError as error:
        reason = f"cannot write to {out}: {error.strerror}; accepted is a folder"
        raise typer.BadParameter(reason, param_hint="--out") from None
    jobs = jobs or (1 if device == Device.cuda else os.cpu_count() or 1)  # processes would share one GPU

    begin, origins, broken = time.perf_counter(), origin([by_name[name] for name in chosen], spending), {}
    results: dict[str, dict[str, Result]] = {name: {} for name in chosen}
    total, done = sum(map(len, chosen.values())), 0
    with _progress() as progress:
        task = progress.add_task("checking", total=total)
        for result in run_claims([c for claims in chosen.values() for c in claims], spending, out, jobs):
            name, _, claim_name = result.claim.id.partition(".")
            results[name][claim_name], done = result, done + 1
            progress.update(task, advance=1, description=name)
            if result.error:
                broken[result.claim.id] = result.error
            if not sys.stdout.isatty():
                word = result.verdict.outcome if result.verdict else "BROKEN"
                print(f"[{done}/{total}] {result.claim.id}: {word} ({result.seconds:.1f} s)", flush=True)
            if len(results[name]) == len(chosen[name]):
                ordered = [results[name][claim.name] for claim in chosen[name]]
                try:
                    _write(name, by_name[name], ordered, spending, origins[name], out)
                except Exception as error:  # a page that cannot be written must not lose the other studies
                    broken[f"the report of {name}"] = f"{type(error).__name__}: {error}"
    judged = sum(result.verdict is not None for found in results.values() for result in found.values())
    for what, error in broken.items():
        print(f"error: {what} broke:\n{error}", file=sys.stderr)
    if (out / "ledger.csv").exists():
        ledger = read_ledger(out / "ledger.csv")
        _print_ledger(ledger[study_of(ledger).isin(chosen)])
    console.print(f"{judged} of {total} judged in {time.perf_counter() - begin:.0f} s; report in {out}")
    if broken:
        raise typer.Exit(1)


def _write(name: str, module: str, results: list[Result], budget: Budget, origin: dict, out: Path) -> None:
    """Ledger, page and provenance of one study whose claims are all done."""
    if digest(module) != origin["sources_sha256"]:
        raise RuntimeError("its sources changed during the run; run it again")
    judged = [result for result in results if result.verdict]
    write_ledger(ledger_rows(judged, budget), name, out)
    write_provenance(name, origin, out)
    remove_study(name, out)
    if len(judged) == len(results):
        write_study(module, judged, budget, out)


def catalogue() -> dict[str, list[Claim]]:
    """Every study with its claims, in the order of the file: {module name: claims}."""
    found = {}
    for info in pkgutil.walk_packages(studies.__path__, "ratewitness.studies."):
        if not info.ispkg and not info.name.endswith((".__main__", ".running.runner", ".running.report")):
            module = import_module(info.name)
            claims = [v for v in vars(module).values() if isinstance(v, Claim) and v.module == info.name]
            if claims:
                found[info.name] = claims
    return found


def script(file: str) -> None:
    """Run the study in `file` as if by `python -m ratewitness.studies run NAME`, with the options given to the script."""
    main(["run", Path(file).stem, *sys.argv[1:]])


def main(arguments: list[str] | None = None) -> None:
    try:
        sys.exit(app(arguments, standalone_mode=False))
    except TyperException as error:  # bad usage or bad data: one line, no usage screen
        if message := " ".join(error.format_message().split()):  # empty when the help was printed instead
            print(f"error: {message}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted; the same command goes on where this one stopped", file=sys.stderr)
        sys.exit(130)


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
