"""`ratewitness card`: lines, files, exit status; and what it says of code that cannot be examined, hangs or crashes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from faulty_optimizers import corrected, faulty
from hostile_optimizers import Climbs
from ratewitness.studies.cards import apart, output
from ratewitness.studies.cards.arguments import parsed
from ratewitness.studies.cards.card import card
from ratewitness.studies.cards.laws import LAWS
from ratewitness.studies.cards.rule import claimed
from ratewitness.studies.cards.subject import Refused, resolve
from ratewitness.studies.cards.testing import assert_optimizer

HERE = Path(__file__).parent
LAWS_ALONE = {"parts": ["laws"], "claims": "", "against": "", "budget": "quick"}


def command(*arguments, cwd=HERE):
    call = [sys.executable, "-m", "ratewitness.studies", "card", *arguments]
    return subprocess.run(call, cwd=cwd, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})


def lines(spec, monkeypatch, patience=5.0):
    monkeypatch.chdir(HERE)
    monkeypatch.setattr(apart, "PATIENCE", {"quick": patience})
    _, *facts = apart.lines_apart(spec, "", LAWS_ALONE)
    return {fact.name: fact for fact in facts}


def test_the_card_of_a_known_optimizer(tmp_path):
    done = command("torch.optim:Adam", "--parts", "facts,rule", "--claims", "Adam(lr=1e-3)", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    for words in (
        "equals Adam(b1=0.9, b2=0.999, eps=1e-08)",
        "Breaks none of",
        "coupled: it enters like a gradient",
        "claimed",
    ):
        assert words in done.stdout
    found = json.loads((tmp_path / "torch.optim.Adam.json").read_text())
    assert {fact["part"] for fact in found["facts"]} == {"laws", "facts", "rule"}
    page = (tmp_path / "torch.optim.Adam.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "http" not in page  # nothing from outside
    assert (tmp_path / "torch.optim.Adam.svg").exists()
    assert "| rule | equals Adam" in (tmp_path / "torch.optim.Adam.md").read_text()
    assert pd.read_csv(tmp_path / "cards.csv").optimizer.tolist() == ["torch.optim:Adam"]


def test_what_breaks_a_law_or_a_claim_ends_with_1():
    climbing = command("hostile_optimizers:Climbs", "--parts", "facts")
    assert climbing.returncode == 1
    assert "descends" in climbing.stdout
    other = command("torch.optim:Adam", "--parts", "rule", "--claims", "AdamW(lr=1e-3)")
    assert other.returncode == 1
    assert "no: decay is added to the gradient; first difference at step 1" in other.stdout


REFUSED = [  # the class, its arguments, the claim
    ("torch.optim", "", "", "accepted is MODULE:CLASS"),
    ("no_such_module:Adam", "", "", "there is no module no_such_module"),
    ("torch.optim:Adamm", "", "", "torch.optim has no Adamm"),
    ("torch:nn", "", "", "is no optimizer class"),
    ("torch.optim:Adam", "lr", "", "are not all named"),
    ("torch.optim:Adam", "lr=open('x')", "", "is no number, word or tuple"),
    ("torch.optim:Adam", "speed=1", "", "cannot be built with speed=1"),
    ("torch.optim:SparseAdam", "", "", "it wants sparse gradients"),
    ("hostile_optimizers:WantsMore", "", "", "missing 1 required positional argument: 'total_steps'"),
    ("torch.optim:Adam", "", "Adamm()", "there is no rule Adamm"),
]


@pytest.mark.parametrize(("spec", "arguments", "claim", "words"), REFUSED)
def test_what_cannot_be_examined_is_refused_in_one_line(spec, arguments, claim, words):
    with pytest.raises(Refused, match=re.escape(words)) as refusal:
        claimed(resolve(spec, parsed(arguments)), claim)
    assert "\n" not in str(refusal.value)


def test_a_refusal_in_the_other_process_is_one_line(monkeypatch):
    monkeypatch.chdir(HERE)
    (answer,) = apart.lines_apart("torch.optim:Adam", "", {**LAWS_ALONE, "claims": "Adamm()"})
    assert "there is no rule Adamm" in answer["refused"]


def test_bad_input_is_one_line_and_exit_status_2():
    for arguments, words in (
        (["torch.optim:Adamm"], "has no Adamm"),
        (["torch.optim:Adam", "--parts", "speed"], "accepted are"),
    ):
        done = command(*arguments)
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1


def test_a_hang_is_a_line(monkeypatch):
    found = lines("hostile_optimizers:Hangs", monkeypatch)
    hanging = {name for name, fact in found.items() if fact.finding.startswith("hangs: no answer within 5 s")}
    assert hanging == {"implementations", "maximize"}
    assert all(found[name].holds is False for name in hanging)
    assert set(found) == set(LAWS)  # the others are measured all the same


def test_a_crash_is_a_line(monkeypatch):
    found = lines("hostile_optimizers:Crashes", monkeypatch)
    crashing = {name for name, fact in found.items() if fact.finding == "dies: SIGABRT"}
    assert crashing == {"implementations", "maximize"}
    assert set(found) == set(LAWS)


def test_what_it_prints_is_not_the_card(monkeypatch):
    assert set(lines("hostile_optimizers:Prints", monkeypatch)) == set(LAWS)


def test_arguments():
    assert parsed("lr=1e-3, betas=(.9, .95), nesterov=True, base='torch.optim:SGD'") == {
        "lr": 1e-3,
        "betas": (0.9, 0.95),
        "nesterov": True,
        "base": torch.optim.SGD,
    }
    assert parsed("") == {}
    for text in ("lr=1e-3; x", "1e-3", "**{}", "lr=__import__('os')", "base='torch.optim:Nothing'"):
        with pytest.raises(Refused):
            parsed(text)


def test_assert_optimizer_shows_the_counterexample():
    assert_optimizer(torch.optim.AdamW, claims="AdamW()")
    assert_optimizer(corrected("adam_counter_not_saved"), laws=["reload"])
    with pytest.raises(
        AssertionError, match=r"reload: it goes on differently. float64, saved and loaded after step 13: step 14"
    ):
        assert_optimizer(faulty("adam_counter_not_saved"), laws=["reload"])
    with pytest.raises(AssertionError, match=r"claimed: no: decay is applied after the step; first difference at step 1"):
        assert_optimizer(faulty("adamw_decays_after_the_step"), laws=[], claims="AdamW(weight_decay=0.5)", weight_decay=0.5)
    assert_optimizer(Climbs, laws=["descends"], excused={"descends": "it climbs"})
    with pytest.raises(ValueError, match="there is no law speed"):
        assert_optimizer(torch.optim.Adam, laws=["speed"])


def test_a_card_in_python():
    found = card(torch.optim.SGD, parts=("laws", "rule"), momentum=0.9)
    assert found.rule.startswith("equals heavy ball(b1=0.9)")
    assert not found.broken
    with pytest.raises(KeyError, match="the card has no line 'drift'"):
        found["drift"]
    row = output.row(found)
    assert row["optimizer"] == "torch.optim.sgd:SGD"
    assert row["breaks"] == ""


def test_one_optimizer_beside_another():
    found = card(torch.optim.Adam, parts=("rule",), against=torch.optim.NAdam)
    assert "not torch.optim.nadam:NAdam" in found["against"].finding
