"""What `ratewitness card` and `ratewitness cards` do: ask for the lines in another process, print them, write the files."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from ratewitness.studies.cards import output, plots
from ratewitness.studies.cards.apart import lines_apart
from ratewitness.studies.cards.card import PARTS, Card
from ratewitness.studies.cards.subject import Refused
from ratewitness.studies.running.page import drawn_as
from ratewitness.studies.running.records import write_atomically
from rich.console import Console

TORCH = "Adadelta Adafactor Adagrad Adam AdamW Adamax ASGD LBFGS Muon NAdam RAdam RMSprop Rprop SGD"
OTHERS = """AdaBelief Adan AdEMAMix ADOPT AdaFactor Kron Lamb LaProp LARS Lion MARS Prodigy RAdam Ranger ScheduleFreeAdamW
SCION Shampoo SignSGD SOAP StableAdamW Tiger Yogi"""
# What reports/cards holds: every dense optimizer of torch, and well-known ones of pytorch_optimizer.
ROSTER: tuple[tuple[str, str], ...] = (
    *((f"torch.optim:{name}", "") for name in TORCH.split()),
    ("torch.optim:SGD", "momentum=0.9"),
    ("torch.optim:SGD", "momentum=0.9, nesterov=True"),
    ("torch.optim:Adam", "amsgrad=True"),
    ("torch.optim:RMSprop", "centered=True, momentum=0.9"),
    *((f"pytorch_optimizer:{name}", "") for name in OTHERS.split()),
)
INDEX = ("optimizer", "arguments", "rule", "breaks", "scaling", "entrywise", "rotation", "tensors", "weight decay", "state")


def examined(spec: str, arguments: str, wanted: dict, out: Path | None) -> int:
    """Exit status: 0, 1 where a law is broken or a claim is not met, 2 where nothing can be examined."""
    try:
        with Console(stderr=True).status(f"{spec} ..."):
            found = made(spec, arguments, wanted)
    except Refused as why:
        print(f"error: {why}", file=sys.stderr)
        return 2
    output.printed(found, Console())
    if out is not None:
        print(f"written: {', '.join(str(path) for path in written(found, out))}")
    return int(bool(found.broken))


def made(spec: str, arguments: str, wanted: dict) -> Card:
    """The card, from another process. Raises Refused."""
    answers = lines_apart(spec, arguments, wanted)
    about, facts = next(answers, {"refused": f"the process that examines {spec} does not start"}), []
    if not isinstance(about, dict):
        raise Refused(f"{spec}, before anything is measured: {about.finding}")
    for answer in (about, *answers):
        if isinstance(answer, dict) and "refused" in answer:
            raise Refused(answer["refused"])
        if not isinstance(answer, dict):
            facts.append(answer)
    return Card(about["spec"], about["kwargs"], tuple(facts), about["versions"])


def written(found: Card, out: Path) -> list[Path]:
    """The card as files of its own, and as a row of cards.csv."""
    out.mkdir(parents=True, exist_ok=True)
    name, figures = file_name(found), {}
    for caption, pictures in drawn_as(lambda: plots.figures(found), ["svg"]).values():
        write_atomically(out / f"{name}.svg", pictures["svg"])
        figures[caption] = f"{name}.svg"
    pages = {"md": output.markdown(found, figures), "html": output.html(found, figures), "json": output.as_json(found)}
    for kind, text in pages.items():
        write_atomically(out / f"{name}.{kind}", text)
    table = out / "cards.csv"
    rows = pd.DataFrame([{"card": f"{name}.md", **output.row(found)}])
    if table.exists():
        before = pd.read_csv(table, dtype=str, keep_default_na=False)
        same = (before["optimizer"] == found.spec) & (before["arguments"] == rows["arguments"][0])
        rows = pd.concat([before[~same], rows]).fillna("")
    write_atomically(table, rows.to_csv(index=False))
    return [*(out / f"{name}.{kind}" for kind in (*pages, *(["svg"] if figures else []))), table]


def roster(out: Path, jobs: int) -> None:
    """The cards of ROSTER, several at a time, and a page that lists them."""
    wanted = {"parts": list(PARTS), "claims": "", "against": "", "budget": "quick"}
    print(f"{len(ROSTER)} cards into {out}, about half a minute each")
    with ThreadPoolExecutor(jobs) as pool:
        for found in pool.map(lambda each: made(*each, wanted), ROSTER):
            written(found, out)
            print(f"{output.title(found)}: {output.verdict(found)}", flush=True)
    indexed(out)


def indexed(out: Path) -> None:
    """Sort cards.csv, and write the page that lists the cards."""
    table = pd.read_csv(out / "cards.csv", dtype=str, keep_default_na=False).sort_values(["optimizer", "arguments"])
    write_atomically(out / "cards.csv", table.to_csv(index=False))
    links = [f"[{row.optimizer}]({row.card})" for row in table.itertuples()]
    page = table[list(INDEX)].assign(optimizer=links).map(lambda text: " ".join(text.split()).replace("|", "\\|"))
    write_atomically(out / "README.md", f"{ABOUT}\n{page.to_markdown(index=False)}\n")


ABOUT = """\
# Cards of optimizers

What each class does, measured by `ratewitness card` on the quick budget: the rule that its steps follow, the laws that it
breaks, and some of its facts. All lines stand in [cards.csv](cards.csv), and on the card of each with its plots. Rules and
laws are judged as claims of the ledger: `torch_rules`, `third_party_rules`, `optimizer_findings`. `ratewitness cards` makes
this folder anew.
"""


def file_name(found: Card) -> str:
    words = [found.spec.replace(":", "."), *(f"{name}={value}" for name, value in found.kwargs.items())]
    return ",".join(re.sub(r"[^\w.=+-]+", "_", word) for word in words)
