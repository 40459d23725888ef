"""Rows of a league of optimizers: whether a class is the rule it is named after, which laws it breaks, and what it does.

A row is measured as a card is, without rates and cost: the laws, the facts of LEAGUE, and the rule that is claimed. An
optimizer is what it is called if its steps are those of the recursion, and if it breaks no law.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.studies.cards.card import card
from ratewitness.studies.cards.examine import Asked
from ratewitness.studies.cards.examined import Examined
from ratewitness.studies.cards.laws import LAWS
from ratewitness.studies.cards.rule import claimed
from ratewitness.studies.cards.subject import subject
from ratewitness.studies.claims import Verdict
from ratewitness.studies.measuring.drawing import canvas

# What a column of the figure says, and the findings for which it is true.
LEAGUE = {
    "size of the gradient does not matter": ("scaling", ("degree 0",)),
    "every entry on its own": ("entrywise", ("yes",)),
    "every tensor on its own": ("tensors", ("apart",)),
    "turns with rotations": ("rotation", ("yes", "up to epsilon")),
    "free of where it is": ("translation", ("yes", "up to epsilon")),
    "decoupled decay": ("weight decay", ("decoupled",)),
    "order of gradients matters": ("order of gradients", ("matters",)),
    "a NaN stays in its entry": ("a NaN spreads", ("to its entry", "nowhere")),
}
SHOWN = ("first step", "steady step", "epsilon", "memory of directions", "memory of sizes", "forgetting", "weight decay")


def is_rule(cls: type, rule: str, breaks: Collection[str] = (), **kwargs) -> Verdict:
    """Whether the steps are those of the rule, and the laws that are broken those named."""
    found = card(cls, parts=("laws", "facts", "rule"), claims=rule, **kwargs)
    same, asked = found["claimed"], [fact for fact in found.of("laws") if fact.holds is not None]
    broken = {fact.name for fact in asked if fact.holds is False}
    differ = len(broken ^ set(breaks))
    evidence = {
        "worst_error": same.number,
        "tolerance": same.threshold,
        "compared": float(len(asked)),
        "differ": float(differ),
    }
    row = {
        "optimizer": cls.__name__,
        "arguments": ", ".join(f"{name}={value}" for name, value in kwargs.items()),
        "rule": same.finding if same.holds else f"{same.finding} ({same.reason})",
        "laws broken": ", ".join(sorted(broken)) or "none",
        **{name: found[name].finding for name in SHOWN},
        **{title: found[fact].finding.startswith(true) for title, (fact, true) in LEAGUE.items()},
    }
    return Verdict("supported" if same.holds and not differ else "refuted", evidence).showing([row])


def parts_from(cls: type, rule: str, **kwargs) -> Verdict:
    """Whether the steps are not those of the rule."""
    same = claimed(subject(cls, kwargs), rule)
    evidence = {"worst_error": same.number, "tolerance": same.threshold}
    row = {"optimizer": cls.__name__, "beside": rule, "finding": same.finding, "counterexample": same.reason}
    return Verdict("refuted" if same.holds else "supported", evidence).showing([row])


def breaks(cls: type, *laws: str, **kwargs) -> Verdict:
    """Whether each of these laws is broken; inconclusive where one does not apply."""
    ask = Asked(lambda name, part: None, frozenset())
    found = list(ask(Examined(subject(cls, kwargs)), {law: LAWS[law] for law in laws}, "laws"))
    kept = sum(fact.holds is True for fact in found)
    open_ = sum(fact.holds is None for fact in found)
    evidence = {"wrong": float(len(found) - kept - open_), "compared": float(len(found)), "undecided": float(open_)}
    rows = [{"optimizer": cls.__name__, "law": f.name, "finding": f.finding, "counterexample": f.reason} for f in found]
    return Verdict("refuted" if kept else "inconclusive" if open_ else "supported", evidence).showing(rows)


def table(verdicts: Mapping[str, Verdict]) -> pd.DataFrame:
    """All rows, without the columns of the figure."""
    rows = pd.concat([verdict.table for verdict in verdicts.values()], ignore_index=True)
    return rows.drop(columns=[title for title in LEAGUE if title in rows])


def drawn(verdicts: Mapping[str, Verdict], caption: str) -> Figure:
    """A matrix of classes and facts: filled where the fact holds, open where it does not."""
    rows = pd.concat([verdict.table for verdict in verdicts.values()], ignore_index=True)
    names = [
        f"{name}({arguments})" if arguments else name for name, arguments in zip(rows.optimizer, rows.arguments, strict=True)
    ]
    figure, (ax,) = canvas(caption, 1, height=0.26 * len(rows) + 1.7)
    holds = rows[list(LEAGUE)].to_numpy(dtype=bool)
    for value, face, label in ((True, "C0", "holds"), (False, "none", "does not")):
        y, x = np.nonzero(holds == value)
        ax.plot(x, y, "o", color="C0", markerfacecolor=face, label=label)
    ax.set_yticks(range(len(rows)), names)
    ax.set_xticks(range(len(LEAGUE)), LEAGUE, rotation=40, ha="right", rotation_mode="anchor")
    ax.set(xlim=(-0.5, len(LEAGUE) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    return figure
