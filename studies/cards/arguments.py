"""Arguments of an optimizer as people type them: lr=1e-3, betas=(.9, .95), base_optimizer='torch.optim:SGD'."""

from __future__ import annotations

import ast
import importlib
import math
import re

from ratewitness.studies.cards.subject import Refused

CLASS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
NUMBERS = {"inf": math.inf, "nan": math.nan}
ACCEPTED = "accepted are NAME=VALUE, ..., such as lr=1e-3, betas=(0.9, 0.95)"


def parsed(text: str) -> dict[str, object]:
    """The names and values in a text; a string MODULE:CLASS is that class. Raises Refused; nothing is evaluated."""
    try:
        call = ast.parse(f"f({text})", mode="eval").body
    except SyntaxError:
        raise Refused(f"the arguments {text!r} cannot be read; {ACCEPTED}") from None
    if not isinstance(call, ast.Call) or call.args or any(keyword.arg is None for keyword in call.keywords):
        raise Refused(f"the arguments {text!r} are not all named; {ACCEPTED}")
    names = [keyword.arg for keyword in call.keywords]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise Refused(f"the arguments {text!r} name {', '.join(sorted(repeated))} twice; {ACCEPTED}")
    return {keyword.arg: _value(keyword.value, text) for keyword in call.keywords}


def _value(node: ast.expr, text: str) -> object:
    if isinstance(node, ast.Name) and node.id in NUMBERS:
        return NUMBERS[node.id]
    try:
        value = ast.literal_eval(node)
    except ValueError:
        raise Refused(f"{ast.unparse(node)} in {text!r} is no number, word or tuple; {ACCEPTED}") from None
    return _named(value) if isinstance(value, str) and CLASS.fullmatch(value) else value


def _named(spec: str) -> object:
    module, _, name = spec.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        raise Refused(f"there is no {spec}; accepted is MODULE:CLASS that python can import from here") from None
