"""The names of compositions: what a rule is usually called, and what is special about this one."""

from __future__ import annotations

from collections.abc import Sequence

from ratewitness.studies.cards.recursions import NEEDS_B1, WITHOUT_B2, WITHOUT_EPS, Rule
from ratewitness.studies.cards.search import Candidate, Named

MOVES = {
    ("gradient", ""): "gradient descent",
    ("average", ""): "momentum as an average",
    ("heavy ball", ""): "heavy ball",
    ("Nesterov", ""): "Nesterov's momentum",
    ("gradient", "sign"): "sign descent",
    ("average", "sign"): "Signum",
    ("Lion's average", "sign"): "Lion",
    ("gradient", "Euclidean unit"): "normalized gradient descent",
    ("Nesterov average", "quintic of Muon"): "Muon",
    ("Nesterov average", "polar factor"): "Muon with the exact polar factor",
    ("average", "quintic of Muon"): "Muon without Nesterov's look ahead",
    ("average", "polar factor"): "Muon with the exact polar factor, without Nesterov's look ahead",
    ("gradient", "quintic of Muon"): "Muon without momentum",
    ("gradient", "polar factor"): "Muon with the exact polar factor, without momentum",
}

PLACES = {
    "outside": "",
    "inside": "epsilon inside the root",
    "squared inside": "epsilon squared inside the root",
    "before the correction": "epsilon before the correction",
    "inside before the correction": "epsilon inside the root before the correction",
    "inside before the correction and outside": "epsilon inside the root before the correction, and outside",
    "a little inside, before the correction": "1e-15 inside the root, epsilon before the correction",
    "a little inside": "1e-15 inside the root",
    "clamp": "epsilon a clamp",
    "clamp, previous v": "previous v, epsilon a clamp",
    "multiplied": "multiplied by the root instead of divided",
}

# Both averages of Adam: what differs from the usual.
FIRST = {
    "corrected average": "",
    "average": "without correction of m",
    "average corrected at 2t": "m corrected at 2t",
    "average corrected at t + 1": "m corrected at t + 1",
    "average over -b^t": "m divided by -b1^t",
    "gradient": "without momentum",
    "NAdam's average": "Nesterov's momentum as in NAdam",
    "NAdam's average, mu twice in the product": "NAdam's momentum with mu twice in the product",
}
SECOND = {
    "corrected average": ("Adam", ""),
    "average": ("Adam", "without correction of v"),
    "average corrected at 2t": ("Adam", "v corrected at 2t"),
    "average corrected at t + 1": ("Adam", "v corrected at t + 1"),
    "average corrected by b^t": ("Adam", "v over b2^t, the complement of its correction"),
    "average corrected twice": ("Adam", "v corrected twice"),
    "average started at g_1^2": ("Adam", "v started at the first square"),
    "sum": ("Adam", "v a sum"),
    "corrected maximum": ("AMSGrad", ""),
    "maximum": ("AMSGrad", "without correction of v"),
    "maximum of the corrected": ("AMSGrad", "maximum of the corrected v"),
    "centred average": ("Adam", "v centred, without correction"),
    "decayed maximum": ("Adamax", "epsilon outside the maximum"),
    "decayed maximum of |g| + eps": ("Adamax", ""),
    "belief": ("AdaBelief", "without correction of v"),
    "corrected belief": ("AdaBelief", ""),
    "corrected belief with eps kept": ("AdaBelief", "epsilon kept in v at every step"),
    "average of the momentum": ("Adam", "v of the momentum, without correction"),
    "corrected average of the momentum": ("Adam", "v of the momentum"),
    "corrected average of the raw momentum": ("Adam", "v of the momentum before its correction"),
    "factored average": ("Adam", "v factored, without correction"),
    "corrected factored average": ("Adam", "v factored"),
    "factored average, 1 - t^-0.8": ("Adam", "v factored, with weights 1 - t^-0.8"),
    "average over the tensor": ("Adam", "one v a tensor, without correction"),
    "corrected average over the tensor": ("Adam", "one v a tensor"),
}
TOGETHER = {
    ("average", "average"): ("Adam", "without corrections"),
    ("average corrected at 2t", "average corrected at 2t"): ("Adam", "whose counter runs twice as fast"),
    ("average corrected at t + 1", "average corrected at t + 1"): ("Adam", "whose counter is one ahead"),
    ("NAdam's average", "corrected average"): ("NAdam", ""),
    ("NAdam's average, mu twice in the product", "corrected average"): ("NAdam", "mu twice in the product"),
    ("gradient", "average"): ("RMSprop", ""),
    ("gradient", "centred average"): ("RMSprop", "centred"),
    ("gradient", "sum"): ("Adagrad", ""),
    ("gradient", "corrected average"): ("RMSprop", "v corrected"),
}


def _family(rule: Rule) -> list[str]:
    if pair := TOGETHER.get((rule.numerator, rule.second)):
        return list(pair)
    name, special = SECOND[rule.second]
    if rule.numerator in FIRST:
        return [name, FIRST[rule.numerator], special]
    return [f"{rule.numerator} over the root of {name}'s v", special]


def _divided(rule: Rule, swapped: bool) -> list[str]:
    parts = _family(rule)
    if rule.first == "divide":
        usual = (rule.numerator, rule.second) == ("corrected average", "corrected average")
        parts = ["LaProp"] if usual else [*parts, "divided before it is averaged"]
    place = PLACES[rule.place]
    if rule.second == "decayed maximum of |g| + eps":  # which is at least epsilon, so that a clamp changes nothing
        place = {"clamp": "", "outside": "epsilon inside the maximum and outside"}.get(rule.place, place)
    return [*parts, place, "betas swapped" if swapped else ""]


def _moved(rule: Rule) -> list[str]:
    usual = MOVES.get((rule.numerator, rule.map))
    mapped = f"{rule.map} of the {rule.numerator}" if rule.map else rule.numerator
    scaled = f"times {rule.scaling}" if rule.scaling else ""
    return [usual or mapped, scaled]


def called(candidate: Candidate, betas: Sequence[float] = ()) -> str:
    """The name of a candidate with its numbers; betas: as the optimizer's settings have them, to see them swapped."""
    if isinstance(candidate, Named):
        shown = [f"{key}={value!r}" for key, value in candidate.settings if value is not None and value is not False]
        return f"{candidate.name}({', '.join(shown)})"
    rule = candidate
    swapped = len(betas) > 1 and betas[0] != betas[1] and (rule.b1, rule.b2) == (betas[1], betas[0])
    parts = _divided(rule, swapped) if rule.second else _moved(rule)
    b2 = rule.second not in WITHOUT_B2
    eps = rule.second and rule.place not in WITHOUT_EPS
    shown = [("b1", rule.b1, True), ("b2", rule.b2, b2), ("eps", rule.eps, eps)]
    values = ", ".join(f"{name}={value:.6g}" for name, value, has in shown if has and value is not None)
    return ", ".join(part for part in parts if part) + (f"({values})" if values else "")


def plainness(candidate: Candidate) -> tuple[int, ...]:
    """An order in which the simpler of two equal rules comes first."""
    if isinstance(candidate, Named):
        return (1, len(candidate.settings))
    rule = candidate
    parts = _divided(rule, False) if rule.second else _moved(rule)
    special = sum(bool(part) for part in parts[1:])
    if not rule.second:
        usual = (rule.numerator, rule.map) in MOVES and not (rule.numerator == "Lion's average" and rule.b1 == rule.b2)
        return (0 if usual else 2, special, len(parts[0]))
    return (0 if special == 0 and len(parts[0]) < 10 else 2, special, len(parts[0]), rule.second in NEEDS_B1)
