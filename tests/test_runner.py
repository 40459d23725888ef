"""Claims run in processes: resumed after a kill, retried after a worker's death, the same for any number of jobs."""

import errno
import importlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest
from joblib.externals.loky import get_reusable_executor
from ratewitness.studies.claims import QUICK, Claim
from ratewitness.studies.running import runner
from ratewitness.studies.running.runner import run_claims, write_atomically

STUDY = '''
"""A study for the tests of the runner."""
import os, signal, time
from pathlib import Path
import torch
from studies.claims import Verdict, claim

LOG = Path({log!r})

def note(name):
    with LOG.open("a") as file:
        file.write(name + "\\n")

def no(budget):
    return Verdict("refuted", {{"draw": float(torch.rand(1, generator=budget.generator("no")))}})

@claim(kind="exact", source="S1", planted={{"no": no}})
def first(budget):
    """S1: First."""
    note("first")
    draw = float(torch.rand(1, generator=budget.generator("yes")))
    return Verdict("supported", {{"draw": draw}}).showing({{"x": [0.1, float("nan")], "name": ["a", "b"]}})

@claim(kind="exact", source="S2", planted={{"no": no}})
def second(budget):
    """S2: Second."""
    note("second")
    time.sleep({pause})
    return Verdict("supported", {{"threads": float(torch.get_num_threads())}})

@claim(kind="exact", source="S3", planted={{"no": no}})
def third(budget):
    """S3: Third."""
    note("third")
    {third}
    return Verdict("inconclusive", {{"nothing": float("nan")}})
'''


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A function that (re)writes a throw-away study and returns its claims in the order of the file."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    name = f"study_{abs(hash(tmp_path))}"

    def write(third="pass", pause=0.0) -> list[Claim]:
        path = tmp_path / f"{name}.py"
        path.write_text(STUDY.format(log=str(tmp_path / "log"), third=third, pause=pause))
        importlib.invalidate_caches()
        sys.modules.pop(name, None)
        module = importlib.import_module(name)
        return [value for value in vars(module).values() if isinstance(value, Claim)]

    yield write
    sys.modules.pop(name, None)
    get_reusable_executor().shutdown(wait=True)  # its workers know this study's folder, not the next one's


def checked(tmp_path) -> list[str]:
    log = tmp_path / "log"
    return sorted(log.read_text().split()) if log.exists() else []


def outcomes(results) -> dict:
    return {r.claim.name: r.verdict.outcome if r.verdict else r.error for r in results}


def test_a_result_survives_storage(study, tmp_path):
    claims = study()
    fresh = {r.claim.name: r for r in run_claims(claims, QUICK, tmp_path / "out", 1)}
    stored = {r.claim.name: r for r in run_claims(claims, QUICK, tmp_path / "out", 1)}
    assert checked(tmp_path) == ["first", "second", "third"], "the second run must not check anything"
    for name, result in fresh.items():
        assert result.verdict.outcome == stored[name].verdict.outcome
        assert str(result.verdict.evidence) == str(stored[name].verdict.evidence)
        assert result.verdict.table.equals(stored[name].verdict.table)
        assert result.planted == stored[name].planted


def test_the_ledger_does_not_depend_on_the_number_of_jobs(study, tmp_path):
    claims = study()
    for jobs in (1, 2):
        list(run_claims(claims, QUICK, tmp_path / f"out{jobs}", jobs))

    def numbers(jobs):
        files = sorted((tmp_path / f"out{jobs}/.finished").iterdir())
        return [{k: v for k, v in json.loads(f.read_text()).items() if k != "seconds"} for f in files]

    assert str(numbers(1)) == str(numbers(2))
    threads = json.loads(next((tmp_path / "out2/.finished").glob("*.second.json")).read_text())
    assert threads["verdict"]["evidence"]["threads"] == 1


@pytest.mark.parametrize(("jobs", "shares"), [(1, 4), (2, 2), (3, 4)])
def test_a_study_is_one_share_where_there_are_enough_studies(jobs, shares):
    """Two studies of two claims: for two processes a study each; one process has all, and three would wait for two."""
    claims = [Claim("S1", "S1", "exact", check, {}) for check in (_named(m, n) for m in "ab" for n in ("one", "two"))]
    divided = runner._shares(claims, jobs)
    assert len(divided) == shares
    assert [claim for share in divided for claim in share] == claims
    assert all(len({claim.module for claim in share}) == 1 for share in divided)


def _named(module, name):
    def check(budget):
        """S1: Yes."""

    check.__module__, check.__name__ = module, name
    return check


def test_two_studies_in_two_processes_lose_no_claim(study, tmp_path, monkeypatch):
    claims = study(third="raise ArithmeticError('planted')")
    monkeypatch.setattr(runner, "_shares", lambda claims, jobs: [claims[:2], claims[2:]])
    found = outcomes(run_claims(claims, QUICK, tmp_path / "out", 2))
    assert (found["first"], found["second"]) == ("supported", "supported")
    assert "ArithmeticError: planted" in found["third"]


@pytest.mark.parametrize("change", [{"seed": 1}, {"replicates": 5}])
def test_another_budget_is_done_again(study, tmp_path, change):
    claims = study()
    list(run_claims(claims, QUICK, tmp_path / "out", 1))
    list(run_claims(claims, replace(QUICK, **change), tmp_path / "out", 1))
    assert checked(tmp_path).count("first") == 2


def test_a_changed_source_is_done_again(study, tmp_path):
    list(run_claims(study(), QUICK, tmp_path / "out", 1))
    list(run_claims(study(third="x = 1"), QUICK, tmp_path / "out", 1))
    assert checked(tmp_path).count("first") == 2


def test_a_damaged_result_is_done_again(study, tmp_path):
    claims = study()
    list(run_claims(claims, QUICK, tmp_path / "out", 1))
    damaged = next((tmp_path / "out/.finished").glob("*.first.json"))
    damaged.write_text(damaged.read_text()[:50])
    assert outcomes(run_claims(claims, QUICK, tmp_path / "out", 1))["first"] == "supported"
    assert checked(tmp_path).count("first") == 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_claim_that_raises_breaks_alone(study, tmp_path, jobs):
    found = outcomes(run_claims(study(third="raise ArithmeticError('planted')"), QUICK, tmp_path / "out", jobs))
    assert (found["first"], found["second"]) == ("supported", "supported")
    assert "ArithmeticError: planted" in found["third"]


def test_a_worker_that_always_dies_is_reported_and_the_others_are_done(study, tmp_path):
    claims = study(third="os.kill(os.getpid(), signal.SIGKILL)")
    found = outcomes(run_claims(claims, QUICK, tmp_path / "out", 2))
    assert (found["first"], found["second"]) == ("supported", "supported")
    assert "died" in found["third"]


def test_a_worker_that_dies_once_is_replaced(study, tmp_path):
    mark = tmp_path / "died"
    once = f"Path({str(mark)!r}).exists() or (Path({str(mark)!r}).touch(), os.kill(os.getpid(), signal.SIGKILL))"
    assert outcomes(run_claims(study(third=once), QUICK, tmp_path / "out", 2))["third"] == "inconclusive"


def test_a_killed_run_is_resumed(study, tmp_path):
    claims = study(pause=60.0)
    script = textwrap.dedent(f"""
        import importlib
        from pathlib import Path
        from studies.claims import Claim, QUICK
        from studies.runner import run_claims
        module = importlib.import_module({claims[0].module!r})
        list(run_claims([module.first, module.second], QUICK, Path({str(tmp_path / "out")!r}), 2))
    """)
    process = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "out").glob(".finished/*.first.json")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert outcomes(run_claims(claims[:1], QUICK, tmp_path / "out", 2)) == {"first": "supported"}
    assert checked(tmp_path).count("first") == 1


def test_a_full_disk_breaks_the_claim_and_leaves_no_part(study, tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(runner.os, "replace", full)
    found = outcomes(run_claims(study()[:1], QUICK, tmp_path / "out", 1))
    assert "No space left" in found["first"]
    assert list((tmp_path / "out/.finished").iterdir()) == []


def test_writing_replaces_or_keeps(tmp_path, monkeypatch):
    path = tmp_path / "deep/file"
    write_atomically(path, "old")
    write_atomically(path, b"new")
    assert path.read_text() == "new"
    monkeypatch.setattr(runner.os, "replace", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "part")
    assert path.read_text() == "new"
    assert [p.name for p in path.parent.iterdir()] == ["file"]
