"""What `make test-machines` calls a difference between machines."""

import pandas as pd
from machines import MACHINES, differences


def ledger(*rows):
    return pd.DataFrame(rows, columns=["claim", "kind", "outcome"])


def test_equal_words_differ_nowhere():
    one = ledger(("a", "exact", "supported"), ("a!halved", "planted", "refuted"))
    assert differences({"native": one, "default": one}) == []


def test_another_word_and_a_missing_claim_are_one_line_each():
    native = ledger(("a", "exact", "supported"), ("a!halved", "planted", "refuted"), ("b", "law", "refuted"))
    default = ledger(("a", "exact", "inconclusive"), ("a!halved", "planted", "refuted"))
    assert differences({"native": native, "default": default}) == [
        "a: supported on native, inconclusive on default",
        "b: refuted on native, missing on default",
    ]


def test_what_times_something_is_compared_with_no_other_machine():
    native, default = (ledger(("a", "cost", word), ("a!slower", "planted", word)) for word in ("supported", "refuted"))
    assert differences({"native": native, "default": default}) == []


def test_the_native_machine_sets_nothing():
    assert MACHINES["native"] == {}
