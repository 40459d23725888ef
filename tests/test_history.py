"""Verdicts that change leave a row behind, and those of several seeds stand beside one another."""

import re

import pytest
from made_up import Package
from ratewitness.studies.claims import Verdict, claim, planted, revised
from ratewitness.studies.running import history, repeated
from test_running import ledger, replace

STATED = 'def second(budget, outcome="supported"):'


@pytest.fixture
def package(tmp_path):
    return Package(tmp_path)


def rows(package) -> list[dict]:
    return history.rows(package.out)


def test_another_word_is_noted_once_and_a_wording_is_not(package):
    package.run()
    replace(package.study, '"""S2: The second holds."""', '"""S2: The second holds, in other words."""')
    package.run()
    assert rows(package) == []
    replace(package.study, STATED, STATED.replace("supported", "refuted"))
    package.run()
    package.run()
    (row,) = rows(package)
    assert (row["claim"], row["was"], row["outcome"]) == ("made_up.second", "supported", "refuted")
    assert (row["revision"], row["why"]) == ("0", history.MENDED)
    found = ledger(package)
    assert found["made_up.second"]["revised"] == "1"
    assert found["made_up.first"]["revised"] == ""
    assert re.search(r"`made_up.second` \| refuted, revised \|", (package.out / "ledger.md").read_text())


def test_a_revision_gives_its_reason_and_draws_other_numbers(package):
    replace(package.study, "found = shift(draws(budget))", 'found = torch.rand(1, generator=budget.generator("x")).numpy()')
    replace(package.study, "import Verdict, claim, measured, planted", "import Verdict, claim, measured, planted, revised")
    package.run()
    before = ledger(package)["made_up.first"]["evidence"]
    replace(
        package.study, "def first(budget, limit=LIMIT):", '@revised(1, "it was too wide")\ndef first(budget, limit=-LIMIT):'
    )
    package.run()
    (row,) = rows(package)
    assert (row["claim"], row["outcome"], row["revision"], row["why"]) == (
        "made_up.first",
        "refuted",
        "1",
        "it was too wide",
    )
    assert ledger(package)["made_up.first"]["evidence"] != before


def test_a_revision_that_gives_the_same_word_is_noted_once(package):
    package.run()
    replace(package.study, "import Verdict, claim, measured, planted", "import Verdict, claim, measured, planted, revised")
    replace(package.study, "def second(budget", '@revised(1, "it was too wide")\ndef second(budget')
    package.run()
    replace(package.study, STATED, STATED.replace('"supported"', '"suppor" + "ted"'))
    package.run()
    (row,) = rows(package)
    assert (row["was"], row["outcome"], row["revision"], row["why"]) == ("supported", "supported", "1", "it was too wide")


def test_another_seed_is_another_question(package):
    package.run()
    replace(package.study, STATED, STATED.replace("supported", "refuted"))
    package.run("--seed", "1")
    assert rows(package) == []


def test_a_kill_between_the_row_and_the_record_doubles_nothing(package):
    package.run()
    kept = (package.out / "records/made_up.second.json").read_bytes()
    replace(package.study, STATED, STATED.replace("supported", "refuted"))
    package.run()
    (package.out / "records/made_up.second.json").write_bytes(kept)
    package.run()
    assert len(rows(package)) == 1


@pytest.mark.parametrize(("revision", "why"), [(0, "too wide"), (-1, "too wide"), (1, "")])
def test_a_revision_has_a_number_and_a_reason(revision, why):
    with pytest.raises(ValueError, match="accepted are numbers from 1 on, and a reason"):
        revised(revision, why)


def test_a_revised_claim_has_streams_of_its_own():
    @claim("exact", "us")
    @revised(2, "too wide")
    @planted("no", outcome="refuted")
    def it(budget, outcome="supported"):
        """S1: It holds."""
        return Verdict(outcome, {})

    assert it.streams == f"{it.id}, revision 2"


def test_several_seeds_are_judged_and_counted(package):
    replace(
        package.study,
        'return Verdict(outcome, {"threads"',
        'return Verdict("refuted" if budget.seed == 5 else outcome, {"threads"',
    )
    said = package.run("--seeds", "3-5,9").stdout
    assert "made_up.second: supported on 3, 4, 9 (threads 1); refuted on 5 (threads 1)" in said
    assert "the same word on all of 4 seeds: 2 of 3 claims" in said
    found = ledger(package)
    assert {row["seed"] for row in found.values()} == {"3"}
    assert [found[f"made_up.{name}"]["seeds"] for name in ("first", "second", "third")] == ["4/4", "3/4", "4/4"]
    package.noted()
    package.run("--seeds", "3-5,9")
    assert package.noted() == []
    replace(package.study, STATED, STATED.replace("supported", "inconclusive"))
    package.run("--seed", "3")
    assert ledger(package)["made_up.second"]["seeds"] == "", "of other definitions"
    assert [*repeated.kept(package.out).columns] == repeated.COLUMNS


@pytest.mark.parametrize("seeds", ["", "3", "a-b", "3-1", "1,1", "-1", "0-1;3"])
def test_what_are_no_seeds_is_refused(package, seeds):
    said = package.call("run", f"--seeds={seeds}", status=2).stderr
    assert re.fullmatch(r"error: .*accepted are two seeds or more, such as 0-19 or 0,3,8-9\n", said)
