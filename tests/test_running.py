"""From claims to files: what is measured again and what is kept, what survives a kill, what a page is made of."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from filelock import FileLock
from made_up import Package

ALL = ["draws", "first", "first", "second", "second", "third", "third"]


@pytest.fixture
def package(tmp_path):
    return Package(tmp_path)


def ledger(package) -> dict[str, dict]:
    with (package.out / "ledger.csv").open(newline="") as file:
        return {row["claim"]: row for row in csv.DictReader(file)}


def outcomes(package) -> dict[str, str]:
    return {name.partition(".")[2]: row["outcome"] for name, row in ledger(package).items() if "!" not in name}


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# Kept and measured again.


def test_what_is_finished_is_kept_and_says_so(package):
    said = package.run().stdout
    assert package.noted() == ALL
    assert "[0/3] made_up.first: started" in said
    assert re.search(r"\[1/3\] made_up\.first: supported \(\d+\.\d s\)", said)
    before = package.files()
    again = package.run()
    assert package.noted() == []
    assert "[1/3] made_up.first: supported (kept)" in again.stdout
    assert "3 of 3 judged" in again.stdout
    assert package.files() == before
    assert outcomes(package) == {"first": "supported", "second": "supported", "third": "inconclusive"}


def test_a_claim_alone_is_measured_and_has_its_row(package):
    package.run("made_up.second")
    assert package.noted() == ["second", "second"]
    assert outcomes(package) == {"second": "supported"}
    assert not (package.out / "made_up.md").exists(), "a page shows all claims of its study"
    package.run("made_up")
    assert package.noted() == ["draws", "first", "first", "third", "third"]
    assert (package.out / "made_up.md").exists()


def test_words_comments_and_files_cost_no_measurement_and_tolerances_only_their_users(package):
    package.run()
    package.noted()
    written = json.loads((package.out / "provenance.json").read_text())["studies"]["made_up"]["written"]

    replace(package.study, "S1: The first holds.", "S1: The first is true.")
    replace(package.study, 'note("first")', 'note("first")  # why')
    replace(package.study, "def draws(budget):", 'def draws(budget: "Budget") -> object:\n    """Three numbers."""')
    replace(package.study, "rooms.made_up_setup import LIMIT, shift", "rooms.made_up_moved import LIMIT, shift")
    package.setup.rename(package.setup.with_name("made_up_moved.py"))
    package.run()
    assert package.noted() == []
    assert ledger(package)["made_up.first"]["statement"] == "S1: The first is true."
    assert "The first is true." in (package.out / "made_up.md").read_text()
    assert json.loads((package.out / "provenance.json").read_text())["studies"]["made_up"]["written"] != written

    replace(package.setup.with_name("made_up_moved.py"), "LIMIT = 2.0", "LIMIT = 3.0")
    package.run()
    assert package.noted() == ["draws", "first", "first"]
    replace(package.study, 'outcome="inconclusive"', 'outcome="supported"')
    package.run()
    assert package.noted() == ["third", "third"]


def test_another_seed_is_measured_again_and_says_what_it_replaces(package):
    package.run()
    package.noted()
    said = package.run("--seed", 1).stdout
    assert "replaces 3 claims of budget quick, seed 0, cpu" in said
    assert package.noted() == ALL
    assert {row["seed"] for row in ledger(package).values()} == {"1"}
    before = package.files()
    (package.out / "made_up.md").write_text("mine")
    (package.out / "figures/made_up-line.pdf").unlink()
    package.run("--seed", 1)
    assert package.files() == before, "what is missing is rendered from the records"


def test_the_records_do_not_depend_on_the_number_of_jobs(package):
    def records():
        found = {p.name: json.loads(p.read_text()) for p in (package.out / "records").iterdir()}
        for record in found.values():
            for name in ("seconds", "origin", "sha256"):
                del record[name]
        return found

    package.run(jobs=1)
    one = records()
    for file in (package.out / "records").iterdir():
        file.unlink()
    package.run(jobs=2)
    assert str(records()) == str(one)
    assert one["made_up.second.json"]["verdict"]["evidence"]["threads"] == 1


def test_what_is_damaged_is_made_again(package):
    package.run()
    package.noted()
    record, table = package.out / "records/made_up.second.json", package.out / "tables/made_up-first.csv"
    record.write_text(record.read_text().replace('"supported"', '"refuted"'))
    table.write_text(table.read_text().replace("0.1", "0.2"))
    failed = package.call("render", "--out", package.out, status=1)
    assert failed.stderr.splitlines()[-1].startswith("error:")
    assert "tables/made_up-first.csv is not what was measured; run made_up.first again" in failed.stderr
    package.run()
    assert package.noted() == ["draws", "first", "first", "second", "second"]
    assert outcomes(package)["second"] == "supported"


def test_a_damaged_ledger_or_provenance_is_rebuilt(package):
    package.write("other")
    package.run()
    before = package.files()
    for content in (b"", b"[]", b"a,b\n1", b"\xff\xfe{\x00"):
        for name in ("ledger.csv", "provenance.json"):
            (package.out / name).write_bytes(content)
        package.call("render", "made_up", "--out", package.out)
        after = package.files()
        assert {name for name in before if after.get(name) != before[name]} <= {"provenance.json"}
    (package.out / "tables/made_up-first.csv").write_bytes(b"\xff\xfe")
    package.noted()
    package.run("made_up")
    assert package.noted() == ["draws", "first", "first"]


def test_a_record_of_other_definitions_stands_under_no_words_of_today(package):
    package.run()
    replace(package.setup, "LIMIT = 2.0", "LIMIT = 0.1")
    said = package.call("render", "--out", package.out).stdout
    assert "0 of 1 studies rendered" in said
    assert "`ratewitness run made_up` does that" in said
    assert outcomes(package) == {"second": "supported", "third": "inconclusive"}
    assert not (package.out / "made_up.md").exists()
    package.run()
    assert outcomes(package)["first"] == "refuted"


# What goes wrong.


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_claim_that_raises_breaks_alone(package, jobs):
    package.write(third="raise ArithmeticError('planted')")
    done = package.run(jobs=jobs, status=1)
    assert "ArithmeticError: planted" in done.stderr
    assert "made_up.third: BROKEN" in done.stdout
    assert "2 of 3 judged" in done.stdout
    assert outcomes(package) == {"first": "supported", "second": "supported"}
    package.write()
    package.run(jobs=jobs)
    assert (package.out / "made_up.md").exists()
    package.write(third="raise ArithmeticError('planted')")
    package.run(jobs=jobs, status=1)
    assert outcomes(package) == {"first": "supported", "second": "supported"}, "no word of before stands for a broken claim"
    assert not (package.out / "made_up.md").exists()


def test_a_worker_that_always_dies_is_reported_and_the_others_are_done(package):
    package.write(third="os.kill(os.getpid(), signal.SIGKILL)")
    done = package.run(jobs=2, status=1)
    assert "the worker died three times" in done.stderr
    assert outcomes(package) == {"first": "supported", "second": "supported"}


def test_a_worker_that_dies_once_is_replaced(package):
    mark = package.folder / "died"
    once = f"Path({str(mark)!r}).exists() or (Path({str(mark)!r}).touch(), os.kill(os.getpid(), signal.SIGKILL))"
    package.write(third=once)
    package.run(jobs=2)
    assert outcomes(package)["third"] == "inconclusive"


def begun(package, what: str, jobs: int) -> subprocess.Popen:
    """A run in a process group of its own, that has printed `what`."""
    process = subprocess.Popen(
        package.command("run", "--jobs", jobs, "--out", package.out), env=package.environment, cwd=package.folder,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    process.said = ""
    for line in process.stdout:
        process.said += line
        if what in line:
            return process
    raise AssertionError(process.said)


def test_a_killed_run_is_resumed(package):
    package.write(pause=60.0)
    process = begun(package, "made_up.first: supported", 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    package.noted()
    package.write()
    package.run(jobs=2)
    assert "first" not in package.noted()


@pytest.mark.parametrize(("at", "jobs"), [("loading", 1), ("second: started", 1), ("second: started", 2)])
def test_an_interrupt_is_one_line_and_status_130(package, at, jobs):
    package.write(pause=60.0)
    process = begun(package, at, jobs)
    os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    lines = [line for line in rest.splitlines() if line and not re.match(r"\[\d/3\]", line)]
    assert lines == ["interrupted; the same command goes on where this one stopped"]


def test_sources_that_change_during_a_run_are_not_believed(package):
    change = f"p = Path({str(package.setup)!r}); p.write_text(p.read_text().replace('+ 0.5', '+ 0.25'))"
    replace(package.study, 'note("first")', f'note("first"); {change}')
    done = package.run(status=1)
    assert "error: made_up.first broke:\nits sources changed during the run; run it again" in done.stderr
    assert outcomes(package) == {"second": "supported", "third": "inconclusive"}
    package.noted()
    package.run()
    assert package.noted() == ["draws", "first", "first"]


def test_two_runs_into_one_folder_are_refused(package):
    package.out.mkdir()
    with FileLock(package.out / ".lock"):
        failed = package.run(status=2)
    assert failed.stderr.splitlines()[-1].startswith("error: Invalid value for --out: another run is writing to")
    package.run()


# Rendering.


def test_rendering_gives_the_same_bytes_and_measures_nothing(package):
    package.run()
    package.noted()
    before = package.files()
    for name in before:
        if not name.startswith("records/") and name != "tables/made_up-first.csv":
            (package.out / name).unlink()
    package.call("render", "--out", package.out)
    assert package.noted() == []
    assert package.files() == before


def test_a_figure_for_a_column_stands_beside_the_one_of_the_page(package):
    package.run()
    before = package.files()
    package.call("render", "--out", package.out, "--width", "column", "--format", "png,pdf")
    after = package.files()
    assert {*after} - {*before} == {"figures/made_up-line-column.png", "figures/made_up-line-column.pdf"}
    box = rb"/MediaBox \[ ?0 0 ([\d.]+) "
    page, column = (float(re.search(box, after[f"figures/made_up-line{w}.pdf"])[1]) for w in ("", "-column"))
    assert (page, column) == (7.0 * 72, pytest.approx(3.4 * 72))
    failed = package.call("render", "--out", package.out, "--format", "gif", status=2)
    assert "accepted are pdf, png, svg" in failed.stderr


def test_what_a_study_no_longer_writes_is_removed_and_nothing_else(package):
    package.run()
    (package.out / "figures/mine.svg").write_text("mine")
    (package.out / "figures/made_up-mine.svg").write_text("mine")
    replace(package.study, '{"line": figure}', '{"curve": figure}')
    package.call("render", "--out", package.out)
    assert {n for n in package.files() if n.startswith("figures/")} == {
        "figures/made_up-curve.pdf", "figures/made_up-curve.svg", "figures/made_up-mine.svg", "figures/mine.svg"
    }  # fmt: skip


def test_pages(package):
    package.run()
    files = {name: content.decode() for name, content in package.files().items() if name.endswith((".md", ".tex", ".csv"))}
    page = files["made_up.md"]
    for part in (
        "# Is it so?", "    x_1 = a_1 b_2", r"Text of the page: a\_1 is not a \* b\_2.", "**supported**", "A caption.",
        "figures/made_up-line.svg", "`made_up.first!no`", r"Precisely: \|\|g\|\|^2 <= limit".replace("<", r"\<"),
    ):  # fmt: skip
        assert part in page
    assert "(../package/" not in page, "no link to sources from a report elsewhere"
    book = files["ledger.md"]
    assert "## S1\n\nthe gradient of a uniformly drawn component" in book
    assert "### S3 in [made_up](made_up.md)" in book
    assert "!no" not in book
    assert "`made_up.third!no`" in files["planted.md"]
    tex = files["tables/made_up-short.tex"]
    assert r"\toprule" in tex
    assert r"$x_0^2$, 99 \%" in tex
    assert r"at\_50 \%" in tex
    for name in ("made_up.md", "ledger.md", "planted.md"):  # a bar of mathematics splits no cell
        for table in re.findall(r"(?:^\|.*\n)+", files[name], re.MULTILINE):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, name
    row = ledger(package)["made_up.first"]
    assert row["precisely"] == "Precisely: ||g||^2 <= limit, a * b."

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    evidence = json.loads(row["evidence"], parse_constant=refuse)
    assert (evidence["none"], evidence["wide"]) == (None, "inf")


def test_the_ledger_is_merged_study_by_study(package):
    package.write("other")
    package.run("other")
    package.run("made_up")
    assert {name.partition(".")[0] for name in ledger(package)} == {"made_up", "other"}
    assert next(iter(ledger(package))).startswith("made_up")
    (package.root / "studies/rooms/other.py").unlink()
    package.call("render", "--out", package.out)
    assert {name.partition(".")[0] for name in ledger(package)} == {"made_up"}
    assert not (package.out / "other.md").exists()


# Where it comes from, and how it is asked for.


def test_provenance_names_the_package_and_not_the_repository_around_it(package):
    subprocess.run(["git", "init", "-q", package.folder], check=True)
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run(["git", "-C", package.folder, *who, "commit", "-q", "--allow-empty", "-m", "mine"], check=True)
    package.run("made_up.third")
    found = json.loads((package.out / "provenance.json").read_text())
    (run,) = found["runs"]
    assert run["commit"] is None
    assert re.fullmatch(r"\d+\.\d+\.\d+", run["version"])
    assert len(run["sources_sha256"]) == 64
    assert run["command"] == f"ratewitness run made_up.third --jobs 1 --out {package.out}"
    assert {"budget", "seed", "device", "data_sha256", "python", "machine", "versions"} <= run.keys()
    assert found["studies"]["made_up"]["claims"]["made_up.third"]["run"] == 0


def test_provenance_names_the_commit_of_its_own_checkout(package):
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for words in (["init", "-q"], ["add", "studies"], [*who, "commit", "-q", "-m", "own"]):
        subprocess.run(["git", "-C", package.root, *words], check=True)
    package.run("made_up.third")
    head = subprocess.run(["git", "-C", package.root, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    (run,) = json.loads((package.out / "provenance.json").read_text())["runs"]
    assert run["commit"] == head


def test_the_old_id_of_a_claim_says_the_new_one(package):
    (package.root / "reports").mkdir()
    (package.root / "reports/renamed.csv").write_text("old,new\nold.claim,made_up.first\nold.claim,made_up.second\n")
    for command in ("run", "cite", "list"):
        failed = package.call(command, "old.claim", status=2)
        assert failed.stderr == "error: old.claim is now made_up.first and made_up.second\n"
    assert package.call("run", "made_u", status=2).stderr == "error: no study is called 'made_u'; did you mean made_up?\n"


def test_data_are_refused_where_no_study_reads_them(package):
    (package.folder / "mine.csv").write_text("1,2\n2,1\n5,3\n")
    failed = package.run("--data", package.folder / "mine.csv", status=2)
    assert "none of these studies reads a file" in failed.stderr


def test_a_claim_is_cited_with_its_verdict(package):
    package.run()
    entry = package.call("cite", "made_up.first", "--out", package.out).stdout
    assert entry.startswith("@software{ratewitness:made_up.first,")
    assert r"Claim made\_up.first: S1: The first holds. Verdict: supported (quick budget, seed 0). Precisely: " in entry
    assert "no verdict of made_up.first" in package.call("cite", "made_up.first", status=2).stderr


def test_list_filters(package):
    package.run()

    def listed(*arguments):
        return re.findall(r"^  (made_up\.\w+)", package.call("list", *arguments).stdout, re.MULTILINE)

    assert listed() == ["made_up.first", "made_up.second", "made_up.third"]
    assert listed("--statement", "S3") == ["made_up.third"]
    assert listed("--kind", "exact") == ["made_up.first", "made_up.second"]
    assert listed("--verdict", "inconclusive", "--out", package.out) == ["made_up.third"]
    assert listed("--titles") == []
    assert "accepted are exact, exponent" in package.call("list", "--kind", "law", status=2).stderr


def test_a_study_is_a_script_from_any_folder(package):
    command = [sys.executable, package.study, "--out", package.out]
    done = subprocess.run(command, env=package.environment, cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (package.out / "made_up.md").exists()


def test_listing_imports_nothing_heavy(package):
    code = "import sys; from ratewitness.studies.__main__ import main\ntry: main(['list'])\nexcept SystemExit: pass\n"
    heavy = "print({'torch', 'sympy', 'pandas', 'numpy', 'matplotlib', 'joblib'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code + heavy], env=package.environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_an_estimate_learns_from_records():
    from ratewitness.studies.running.progress import Watch
    from rich.console import Console

    watch = Watch(["a", "b", "c"], {"a": 10.0, "b": 30.0}, 1, Console())
    assert watch._left() == "about 60 s left"  # c is unknown: the median
    watch.hear({"event": "started", "claim": "a"})
    watch.hear({"event": "ended", "claim": "a", "seconds": 20.0, "outcome": "supported"})
    assert watch._left() == "about 100 s left".replace("100 s", "2 min")  # twice as long as expected
    begun = time.monotonic() - 40.0
    watch._running["b"] = begun
    assert watch._left() == "about 60 s left"
