"""A study depends on what it imports, directly or not, and on nothing else."""

from ratewitness.studies.running.sources import dependencies, digest


def names(module):
    return {f"{path.parent.name}/{path.name}" for path in dependencies(module)}


def test_dependencies_follow_imports_to_the_end():
    found = names("ratewitness.studies.rates.complexity_table")
    assert {
        "studies/rates/complexity_table.py",
        "studies/rates/cells.py",
        "studies/judges.py",
        "problems/huber.py",
        "problems/problem.py",
        "solvers/around/averaging.py",
        "theory/parabola_family.py",
    } <= found
    assert not found & {"studies/rates/crossover.py", "problems/sine.py", "solvers/saga.py"}


def test_a_study_run_as_a_script_does_not_depend_on_the_command_line():
    found = names("ratewitness.studies.rates.identities")
    assert found >= {"theory/witnesses.py", "theory/bounds.py", "studies/judges.py"}
    assert not found & {"studies/__main__.py", "studies/running/report.py", "studies/running/runner.py"}


def test_the_digest_changes_with_any_dependency(tmp_path, monkeypatch):
    (tmp_path / "leaf_one.py").write_text("from problems import huber\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = digest("leaf_one")
    (tmp_path / "leaf_one.py").write_text("from problems import huber  # changed\n")
    assert digest("leaf_one") != before
