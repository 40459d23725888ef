"""The command line: one clear line and exit status 2 for bad usage, 1 for a broken claim, 0 otherwise."""

import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from ratewitness.studies import __main__ as cli
from ratewitness.studies.claims import Claim, Verdict
from ratewitness.studies.running.report import read_ledger
from ratewitness.studies.running.runner import Result

ROOT = Path(__file__).parent.parent


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(list(map(str, arguments)))
    captured = capsys.readouterr()
    return stop.value.code or 0, captured.out, captured.err


@pytest.mark.parametrize(
    ("arguments", "named", "accepted"),
    [
        (["run", "nope"], "'nope'", "complexity_table"),
        (["run", "--budget", "huge"], "huge", "quick"),
        (["run", "--jobs", "0"], "--jobs", "1"),
        (["run", "--jobs", "two"], "--jobs", ""),
        (["run", "--seed", "-1"], "--seed", "0"),
        (["run", "--device", "tpu"], "tpu", "cuda"),
        (["run", "--data", "missing.csv"], "missing.csv", "LIBSVM"),
        (["run", "--out", "README.md"], "README.md", "folder"),
        (["run", "--out", "README.md/deeper"], "README.md", "folder"),
        (["run", "--seed", str(2**64)], "--seed", ""),
        (["run", "--speed", "9"], "--speed", ""),
        (["walk"], "walk", ""),
    ],
)
def test_bad_usage_is_one_line_and_status_2(capsys, monkeypatch, arguments, named, accepted):
    monkeypatch.chdir(ROOT)
    code, out, err = call(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert named in err
    assert accepted in err


def test_bad_data_is_one_line_and_status_2(capsys, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("1,2,1\n3,nan,0\n4,5,1\n")
    code, _, err = call(capsys, "run", "--data", table)
    assert code == 2
    assert "line 2" in err
    assert err.count("\n") == 1


def test_list_names_every_study_and_claim(capsys):
    code, out, _ = call(capsys, "list")
    assert code == 0
    for module, claims in cli.catalogue().items():
        assert module.rpartition(".")[2] in out
        assert all(claim.id in out and claim.statement in out for claim in claims)  # brackets are no markup


def made_up(name):
    def check(budget):
        """S1: Made up."""

    check.__name__, check.__module__ = name, "ratewitness.studies.rates.identities"
    return Claim("S1: Made up.", "S1; us", "exact", check, {"no": check})


@pytest.fixture
def two_claims(monkeypatch):
    """A study of two claims whose checks are not run; a function sets their results."""
    both = made_up("good"), made_up("bad")
    verdict, no = Verdict("refuted", {"x": 1.0}), {"no": Verdict("refuted", {})}
    monkeypatch.setattr(cli, "catalogue", lambda: {"ratewitness.studies.rates.identities": both})

    def finish(*broken):
        results = [Result(c, error="Traceback\nBoom") if c.name in broken else Result(c, 0.5, verdict, no) for c in both]
        monkeypatch.setattr(cli, "run_claims", lambda *arguments: iter(results))

    return finish


def test_a_run_that_judged_everything_exits_0_whatever_the_verdict(capsys, tmp_path, two_claims):
    two_claims()
    code, out, _ = call(capsys, "run", "--out", tmp_path)
    assert code == 0
    assert "[2/2] identities.bad: refuted" in out
    assert "2 of 2 judged" in out
    assert (tmp_path / "identities.md").exists()


def test_two_runs_into_one_folder_are_refused(capsys, tmp_path, two_claims):
    two_claims()
    with FileLock(tmp_path / ".finished/.lock"):
        code, _, err = call(capsys, "run", "--out", tmp_path)
    assert code == 2
    assert "another run" in err
    assert str(tmp_path) in err
    assert err.count("\n") == 1
    assert call(capsys, "run", "--out", tmp_path)[0] == call(capsys, "run", "--out", tmp_path)[0] == 0


def test_a_broken_claim_exits_1_and_the_others_are_kept(capsys, tmp_path, two_claims):
    two_claims("bad")
    code, out, err = call(capsys, "run", "--out", tmp_path)
    assert code == 1
    assert "1 of 2 judged" in out
    assert "identities.bad" in err
    assert "Boom" in err
    assert "identities.good,refuted" in (tmp_path / "ledger.csv").read_text()


def test_a_study_whose_claims_all_break_says_so_and_does_not_spoil_the_folder(capsys, tmp_path, two_claims):
    two_claims("good", "bad")
    code, out, err = call(capsys, "run", "--out", tmp_path)
    assert code == 1
    assert "0 of 2 judged" in out
    assert err.count("Boom") == 2
    two_claims()
    assert call(capsys, "run", "--out", tmp_path)[0] == 0


def test_a_broken_claim_removes_the_page_that_it_made_out_of_date(capsys, tmp_path, two_claims):
    two_claims()
    call(capsys, "run", "--out", tmp_path)
    two_claims("bad")
    call(capsys, "run", "--out", tmp_path)
    assert not (tmp_path / "identities.md").exists()


def test_sources_that_change_during_a_run_spoil_its_report(capsys, tmp_path, two_claims, monkeypatch):
    two_claims()
    monkeypatch.setattr(cli, "digest", lambda module: "another")
    code, _, err = call(capsys, "run", "--out", tmp_path)
    assert code == 1
    assert "sources changed" in err


def test_a_study_runs_as_a_script(tmp_path):
    command = [sys.executable, ROOT / "studies/rates/identities.py", "--seed", "-3", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: Invalid value for '--seed'")


@pytest.mark.cuda
def test_the_table_takes_a_cuda_device(tmp_path):
    command = [sys.executable, "-m", "ratewitness.studies", "run", "complexity_table", "--device", "cuda", "--jobs", "1"]
    done = subprocess.run([*command, "--out", tmp_path], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    ledger = read_ledger(tmp_path / "ledger.csv")
    assert set(ledger.loc[ledger["kind"] != "planted", "outcome"]) == {"supported"}
