"""Evidence as people read it: the numbers that decide, each with its unit, and all of them in a table.

A verdict's evidence is a flat mapping; `part.quantity` belongs to one part of a claim, and the part that decided stands
first (`all_of`). Its cell in a ledger holds what its judge compared: the estimate, its interval and what it was held to. All
numbers stand in tables/<study>-evidence.csv: claim, part, quantity, value, unit.

Factors have one scale, the ratio: what was judged as a logarithm (of unit "ln ratio") is written as its exponential.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping

import pandas as pd
from ratewitness.studies.claims import Claim, Verdict

COUNT, RATIO, PROBABILITY = "count", "ratio", "probability"
# What a judge compares, by the quantity that tells it: the estimate, then the ends of its interval, then what it is held to.
COMPARED = {
    "effect": ("effect", "low", "high", "threshold"),
    "ratio": ("ratio", "low", "high", "tolerance"),
    "late_over_early": ("late_over_early", "low", "high"),
    "slope": ("slope", "low", "high", "least_local", "greatest_local", "expected"),
    "worst_error": ("worst_error", "tolerance"),
    "power": ("power", "power_upper", "low", "tolerance"),
    "wrong": ("wrong", "censored", "compared"),
}
ENDS = {"low": "high", "least_local": "greatest_local"}
# The unit of a quantity by its name, the same in all studies; a claim names those of its own (`claims.py`).
UNITS = {
    PROBABILITY: "p",
    COUNT: "records|compared|wrong|points|identities|rounds|runs|cells|sizes|seeds|arrived|diverged|differ|of|regrets"
    "|n|n_from|n_to|censored.*|searches.*|elsewhere.*|steps_of_.*|(steps_)?on_an_edge|tuning_runs_diverged|never_in_tuning"
    "|cut_off|configurations|left_the_ball|undecided|with_zeros|found_by_search",
    "exponent": "slope.*|expected|curvature|(least|greatest)_local|power of .*",
    RATIO: "(.*_)?power(_.*)?|(.*_)?ratio(_.*)?|exact ratio.*|.* over .*|.*_over_.*|tolerance|worst_error|.*_saving"
    "|(.*_)?factor(_.*)?|least of .*",
    "step size": "(mean_)?step(_.*)?|lr|alpha",
    "decades": "decades_of_.*",
    "distance": "farthest|nearest",
    "loss": "(other_)?loss(_.*)?",
    "average regret": "(least|largest)_regret",
    "AICc": "rival_margin",
    "standard errors": "worst_z",
}


def table(claim: Claim, name: str, verdict: Verdict) -> list[dict]:
    """Every number of a verdict, one row each; `name` is the id of the claim, or of a variant of it."""
    split = {key: _split(key) for key in verdict.evidence}
    rows = []
    for key, (part, quantity) in split.items():
        quantities = {q for p, q in split.values() if p == part}
        value, unit = _on_one_scale(verdict.evidence[key], _unit(claim, part, quantity, quantities))
        rows.append({"claim": name, "part": part, "quantity": quantity, "value": value, "unit": unit})
    return rows


def as_csv(rows: Iterable[Mapping]) -> str:
    found = pd.DataFrame(rows, columns=["claim", "part", "quantity", "value", "unit"])
    return found.to_csv(index=False, lineterminator="\n", na_rep="nan", float_format="%.6g")


def deciding(claim: Claim, verdict: Verdict) -> str:
    """The numbers that decided, as JSON: {"part": ..., quantity: value, ..., "unit": ...}; "part" if there are several."""
    rows = [row for row in table(claim, claim.id, verdict) if row["quantity"] != "p" or row["part"]]
    if not rows:
        return "{}"
    parts = {row["part"] for row in rows}
    first = rows[0]["part"]
    own = {row["quantity"]: row for row in rows if row["part"] == first}
    wanted = next((compared for main, compared in COMPARED.items() if main in own), tuple(own)[:3])
    shown = [own[name] for name in wanted if name in own]
    numbers = {row["quantity"]: _tidy(row["value"]) for row in shown}
    return json.dumps(({"part": first} if len(parts) > 1 and first else {}) | numbers | {"unit": shown[0]["unit"]})


def p_value(verdict: Verdict) -> str:
    """As it stands in a ledger; '' where nothing was sampled."""
    return f"{verdict.evidence['p']:.3g}" if "p" in verdict.evidence else ""


def readable(numbers: str) -> str:
    """The numbers that decided, in words: effect 5.8 [4.6, 7.2], threshold 2 (ratio)."""
    found = json.loads(numbers)
    part, unit = found.pop("part", ""), found.pop("unit", "")
    words = []
    for name, value in found.items():
        if name in ENDS and ENDS[name] in found and words:
            words[-1] += f" [{_short(value)}, {_short(found[ENDS[name]])}]"
        elif name not in ENDS.values():
            words.append(f"{name} {_short(value)}")
    return (f"{part}: " if part else "") + ", ".join(words) + (f" ({unit})" if unit and unit != COUNT else "")


def _split(key: str) -> tuple[str, str]:
    """Part and quantity; the point of a number, as in `beta1 0.9`, separates nothing."""
    found = re.fullmatch(r"(.*)\.(?!\d)(.+)", key)
    return (found[1], found[2]) if found else ("", key)


def _unit(claim: Claim, part: str, quantity: str, beside: set[str]) -> str:
    if quantity in claim.units:
        return claim.units[quantity]
    if quantity in ("effect", "threshold") or (quantity in ("low", "high") and "effect" in beside):
        return claim.units.get(part, claim.unit)
    if quantity in ("low", "high"):
        return "exponent" if "slope" in beside else RATIO
    return next((unit for unit, names in UNITS.items() if re.fullmatch(names, quantity)), "")


def _on_one_scale(value: float, unit: str) -> tuple[float, str]:
    return (math.exp(min(value, 700.0)), RATIO) if unit == "ln ratio" else (value, unit)


def _tidy(value: float) -> float | str | None:
    """JSON knows neither NaN nor infinity."""
    return None if math.isnan(value) else str(value) if math.isinf(value) else float(f"{value:.6g}")


def _short(value: float | str | None) -> str:
    return "nan" if value is None else value if isinstance(value, str) else f"{value:.4g}"
