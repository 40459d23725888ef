"""The commands `ratewitness run`, `list`, `render`, `card`, `cards` and `cite`.

Exit status 0 when every claim was judged, whatever the verdict; 1 when a claim broke; 2 for bad usage; 130 when interrupted.
torch and sympy are imported when something runs, not before.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

SETTINGS = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(pretty_exceptions_enable=False, no_args_is_help=True, context_settings=SETTINGS)
OUTCOMES = ("proved", "supported", "refuted", "inconclusive")


class BudgetName(StrEnum):
    quick = "quick"
    full = "full"


class Device(StrEnum):
    cpu = "cpu"
    cuda = "cuda"


class Width(StrEnum):
    page = "page"
    column = "column"


Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME ...]", help="Studies or claim ids; all by default.")]
Out = Annotated[Path | None, typer.Option(help="Folder of the report; reports/BUDGET by default.")]


@app.callback(invoke_without_command=True)
def about(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    """ratewitness checks what optimization theory promises; every claim is judged by code that anyone can rerun."""
    if version:
        from ratewitness.studies import __version__

        print(f"ratewitness {__version__}")
        raise typer.Exit


@app.command("list")
def list_claims(
    names: Names = None,
    statement: Annotated[str | None, typer.Option(help="Only claims about this statement, such as S25.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only claims of this kind, such as exponent.")] = None,
    verdict: Annotated[str | None, typer.Option(help="Only claims with this verdict in the ledger of --out.")] = None,
    titles: Annotated[bool, typer.Option("--titles", help="Only the questions, one line a study.")] = False,
    out: Annotated[Path, typer.Option(help="The report whose verdicts --verdict reads.")] = Path("reports/full"),
) -> None:
    """Every study and claim, one line each."""
    import re

    from ratewitness.studies.running.catalogue import chosen, studies

    wanted = {f"{name}.{claim}" for name, claims in chosen(names or []).items() for claim in claims}
    claims = [each for study in studies().values() for each in study.claims if each.id in wanted]
    if statement is not None:
        about = _one_of("--statement", statement.upper(), {n for c in claims for n in re.findall(r"S\d+", c.statement)})
        claims = [each for each in claims if re.search(rf"\b{about}\b", each.statement)]
    if kind is not None:
        kind = _one_of("--kind", kind, {each.kind for each in claims})
        claims = [each for each in claims if each.kind == kind]
    if verdict is not None:
        verdict, found = _one_of("--verdict", verdict, set(OUTCOMES)), _outcomes(out / "ledger.csv")
        claims = [each for each in claims if found.get(each.id) == verdict]
    bold, dim, off = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")
    for study in studies().values():
        kept = [each for each in claims if each.id.partition(".")[0] == study.name]
        if kept:
            print(f"{bold}{study.name}{off}  {study.title}")
            for each in kept if not titles else ():
                print(f"  {each.id}  {dim}{each.kind}{off}  {each.statement}")


def _one_of(option: str, value: str, accepted: set[str]) -> str:
    if value not in accepted:
        order = sorted(accepted, key=lambda word: (len(word), word) if word[1:].isdigit() else (0, word))
        raise typer.BadParameter(f"there is nothing of {value!r}; accepted are {', '.join(order)}", param_hint=option)
    return value


def _outcomes(ledger: Path) -> dict[str, str]:
    import csv

    if not ledger.exists():
        raise typer.BadParameter(f"there is no {ledger}; accepted is the folder of a report", param_hint="--out")
    with ledger.open(newline="", encoding="utf-8") as file:
        return {row["claim"]: row["outcome"] for row in csv.DictReader(file)}


@app.command("run")
def run_studies(
    context: typer.Context,
    names: Names = None,
    budget: Annotated[BudgetName, typer.Option(help="quick: a first look; full: for reports.")] = BudgetName.quick,
    seed: Annotated[int, typer.Option(min=0, max=2**62, help="Seed of every random stream.")] = 0,
    seeds: Annotated[str | None, typer.Option(help="Judge on all of these, such as 0-19 or 0,3,8-9.")] = None,
    device: Annotated[Device, typer.Option(help="Where tensors live.")] = Device.cpu,
    jobs: Annotated[int | None, typer.Option(min=1, help="Parallel processes; default: all cores, 1 on cuda.")] = None,
    out: Out = None,
    data: Annotated[Path | None, typer.Option(help="A LIBSVM or CSV file, or a folder of shards of tokens.")] = None,
) -> None:
    """Check the claims of the studies and write the report. Finished claims are not done again."""
    from ratewitness.studies.running.catalogue import chosen

    wanted = chosen(names or [])
    several = _seeds(seeds) if seeds is not None else []
    if several and seed:
        raise typer.BadParameter(f"{seeds} with --seed {seed}; accepted is one of both", param_hint="--seeds")
    _import_what_runs()
    from filelock import FileLock, Timeout
    from ratewitness.studies.claims import FULL, QUICK
    from ratewitness.studies.running.catalogue import load
    from ratewitness.studies.running.records import write_atomically
    from ratewitness.studies.running.run import repeat, run

    claims = [claim for name, of in wanted.items() for claim in load(name, of)]
    if device == Device.cuda:
        _need_cuda()
    if data:
        _need_readable(data, claims)
    out = out or Path("reports") / str(budget)
    probe = out / ".writable"
    try:
        write_atomically(probe, "")
        probe.unlink()
        context.with_resource(FileLock(out / ".lock", blocking=False))  # two runs would lose ledger rows
    except Timeout:
        reason = f"another run is writing to {out}; accepted is a folder of its own for each run"
        raise typer.BadParameter(reason, param_hint="--out") from None
    except OSError as error:
        reason = f"cannot write to {out}: {error.strerror}; accepted is a folder"
        raise typer.BadParameter(reason, param_hint="--out") from None
    spending = QUICK if budget == BudgetName.quick else FULL
    spending = replace(spending, seed=seed, device=str(device), data=str(data.resolve()) if data else None)
    jobs = jobs or (1 if device == Device.cuda else os.cpu_count() or 1)  # processes would share one GPU
    whole = repeat(wanted, claims, spending, several, out, jobs) if several else run(wanted, claims, spending, out, jobs)
    if not whole:
        raise typer.Exit(1)


def _seeds(text: str) -> list[int]:
    """0-3,7 -> 0, 1, 2, 3, 7."""
    import re

    ranges = [re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip()) for part in text.split(",")]
    found = []
    for each in ranges if all(ranges) else ():
        found += range(int(each[1]), int(each[2] or each[1]) + 1)
    if len(found) < 2 or len({*found}) < len(found):
        raise typer.BadParameter(f"{text!r}; accepted are two seeds or more, such as 0-19 or 0,3,8-9", param_hint="--seeds")
    return found


def _import_what_runs() -> None:
    print("loading the numerical packages ...", file=sys.stderr, end="\r" if sys.stderr.isatty() else "\n", flush=True)
    import torch  # noqa: F401


def _need_cuda() -> None:
    import torch

    if not torch.cuda.is_available():
        raise typer.BadParameter("torch finds no CUDA device here; accepted is cpu", param_hint="--device")


def _need_readable(data: Path, claims: list) -> None:
    from ratewitness.problems.data.shards import Shards
    from ratewitness.problems.data.tables import DataError, from_file
    from ratewitness.studies.running.catalogue import studies
    from ratewitness.studies.running.sources import reads_data

    if not data.exists():
        reason = f"{data}: no such file or folder; accepted are a table, and a folder of shards"
        raise typer.BadParameter(reason, param_hint="--data")
    folder = data.is_dir()

    def reads(module: str, names: list[str]) -> bool:
        return any(reads_data(module, name, folder) for name in names)

    if not any(reads(claim.module, [claim.name]) for claim in claims):
        reading = [s.name for s in studies().values() if reads(s.module, [c.id.partition(".")[2] for c in s.claims])]
        what = "folder" if folder else "file"
        reason = f"none of these studies reads a {what}; accepted is it with {', '.join(reading)}"
        raise typer.BadParameter(reason, param_hint="--data")
    try:
        for part in ("train", "val") if folder else ():
            Shards.in_folder(data, part)
        if not folder:
            from_file(data)
    except DataError as error:
        raise typer.BadParameter(str(error), param_hint="--data") from None


@app.command("render")
def render_report(
    names: Names = None,
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("reports/full"),
    format: Annotated[str, typer.Option(help="Formats of figures: some of svg, pdf, png.")] = "svg,pdf",
    width: Annotated[Width, typer.Option(help="What figures are drawn for: a page or one of two columns.")] = Width.page,
) -> None:
    """Write pages, figures, tables and ledger again, from what is kept. Nothing is measured."""
    from ratewitness.studies.running.catalogue import chosen

    formats = [_one_of("--format", word.strip(), {"svg", "pdf", "png"}) for word in format.split(",")]
    if width == Width.page:  # the report has these in any case
        formats = [*dict.fromkeys(["svg", "pdf", *formats])]
    wanted = chosen(names or [])
    if not (out / "records").is_dir():
        raise typer.BadParameter(f"{out} holds no records; accepted is the folder of a report", param_hint="--out")
    _import_what_runs()
    from ratewitness.studies.running.records import Damaged
    from ratewitness.studies.running.report import render

    try:
        made = render(wanted, out, formats, str(width))
    except Damaged as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(f"{len(made)} of {len(wanted)} studies rendered from their records; report in {out}")
    if missing := [name for name in wanted if name not in made]:
        print(f"not measured, or with other definitions than today's: `ratewitness run {' '.join(missing)}` does that")


@app.command("card")
def card_of_an_optimizer(
    spec: Annotated[str, typer.Argument(metavar="MODULE:CLASS", help="An optimizer class, such as torch.optim:NAdam.")],
    kwargs: Annotated[str, typer.Option(help="Its arguments, such as 'lr=1e-3, betas=(.9, .95)'.")] = "",
    claims: Annotated[str, typer.Option(help="The rule that it says it is, such as 'AdamW(lr=1e-3)'.")] = "",
    against: Annotated[str, typer.Option(help="Another MODULE:CLASS: where do both part?")] = "",
    parts: Annotated[str, typer.Option(help="Some of facts, rule, rates, cost.")] = "facts,rule,rates,cost",
    budget: Annotated[BudgetName, typer.Option(help="quick: two minutes; full: for reports.")] = BudgetName.quick,
    out: Annotated[Path | None, typer.Option(help="Folder for the card as Markdown, HTML, JSON, CSV and plots.")] = None,
) -> None:
    """What any torch optimizer does; exit status 1 where it breaks a law or is not what it claims to be."""
    from ratewitness.studies.running.card import examined

    chosen = [_one_of("--parts", word.strip(), {"facts", "rule", "rates", "cost"}) for word in parts.split(",")]
    wanted = {
        "parts": [*(["laws"] if "facts" in chosen else []), *dict.fromkeys(chosen)],
        "claims": claims,
        "against": against,
        "budget": str(budget),
    }
    if claims and "rule" not in chosen:
        wanted["parts"].append("rule")
    status = examined(spec, kwargs, wanted, out)
    if status:
        raise typer.Exit(status)


@app.command("cards")
def cards_of_many(
    out: Annotated[Path, typer.Option(help="Folder of the cards.")] = Path("reports/cards"),
    jobs: Annotated[int | None, typer.Option(min=1, help="Cards at a time; default: all cores.")] = None,
) -> None:
    """The cards of torch's optimizers and of well-known ones, and a table of all: what reports/cards holds."""
    from ratewitness.studies.running.card import roster

    roster(out, jobs or os.cpu_count() or 1)


@app.command("cite")
def cite_claim(
    claim: Annotated[str, typer.Argument(metavar="CLAIM", help="The id of a claim, such as momentum.heavy_ball.")],
    out: Annotated[Path, typer.Option(help="The report whose verdict is cited.")] = Path("reports/full"),
) -> None:
    """BibTeX of a claim with its verdict."""
    from ratewitness.studies.running.catalogue import chosen
    from ratewitness.studies.running.cite import NotInReport, bibtex

    if "." not in claim:
        raise typer.BadParameter(f"{claim!r} is no id of a claim; accepted is study.claim", param_hint="CLAIM")
    chosen([claim])
    try:
        print(bibtex(claim, out))
    except NotInReport as error:
        raise typer.BadParameter(str(error), param_hint="--out") from None


def run_command(arguments: list[str]) -> int:
    """Run one command; its exit status. Bad usage is one line."""
    from ratewitness.studies.running.catalogue import UnknownName

    try:
        return app(arguments, standalone_mode=False) or 0
    except UnknownName as error:
        print(f"error: {error}", file=sys.stderr)
    except USAGE as error:
        if message := " ".join(error.format_message().split()):  # empty when the help was printed instead
            print(f"error: {message}", file=sys.stderr)
    except typer.Abort:
        return 130
    except SystemExit as stop:  # some versions of typer end so when interrupted
        return stop.code
    return 2


# what every error of usage is, wherever this version of typer has it
USAGE = next(each for each in reversed(typer.BadParameter.__mro__) if hasattr(each, "format_message"))
