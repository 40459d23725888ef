"""A package of its own for the tests of what runs claims: the real code, and one study that is made up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHARED = {"measuring", "running"}  # the folders of studies/ that are no rooms

STUDY = '''r"""Is it so?

    x_1 = a_1 b_2       a formula

Text of the page: a_1 is not a * b_2."""

import os, signal, time
from pathlib import Path

import pandas as pd
import torch

from ratewitness.studies.claims import Verdict, claim, measured, planted
from ratewitness.studies.measuring.drawing import canvas
from ratewitness.studies.rooms.made_up_setup import LIMIT, shift

LOG = Path({log!r})


def note(name):
    with LOG.open("a") as file:
        file.write(name + "\\n")


@measured
def draws(budget):
    note("draws")
    return torch.rand(3, generator=budget.generator("draws"), dtype=torch.float64).numpy()


@claim("exact", "S1; us")
@planted("no", limit=-1.0)
def first(budget, limit=LIMIT):
    """S1: The first holds.

    Precisely: ||g||^2 <= limit, a * b."""
    note("first")
    found = shift(draws(budget))
    outcome = "supported" if found.max() <= limit else "refuted"
    evidence = {{"draw": found[0], "none": float("nan"), "wide": float("inf")}}
    return Verdict(outcome, evidence).showing({{"x": [0.1, float("nan"), 1 / 3], "name": ["a", "b", "c"]}})


@claim("exact", "S2; us")
@planted("no", outcome="refuted")
def second(budget, outcome="supported"):
    """S2: The second holds."""
    note("second")
    time.sleep({pause} if outcome == "supported" else 0)
    return Verdict(outcome, {{"threads": float(torch.get_num_threads())}})


@claim("exponent", "S2, S3; us")
@planted("no", outcome="refuted")
def third(budget, outcome="inconclusive"):
    """S3: The third is open."""
    note("third")
    {third}
    return Verdict(outcome, {{"nothing": float("nan")}})


def figures(verdicts):
    figure, axes = canvas("A caption.", 2)
    for ax in axes:
        ax.plot(verdicts["first"].table["x"], color="C1", label="x")
    return {{"line": figure}}


def tables(verdicts):
    return {{"short": pd.DataFrame({{"$x_0^2$, 99 %": ["at_50 %"], r"$\\\\|g\\\\|$": [1.0]}})}}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
'''
SETUP = '''"""What the study uses."""

LIMIT = 2.0


def shift(x):
    return x + 0.5
'''


class Package:
    """A copy of the package in a folder, whose only studies are `made_up` and, once written, `other`."""

    def __init__(self, folder: Path):
        self.folder, self.root, self.log = folder, folder / "package", folder / "log"
        self.out = folder / "out"
        rooms = {path.name for path in (ROOT / "studies").iterdir() if path.is_dir()} - SHARED
        leave = shutil.ignore_patterns(*rooms, "__pycache__")
        shutil.copytree(ROOT / "studies", self.root / "studies", ignore=leave)
        (folder / "names/ratewitness").mkdir(parents=True)
        for layer in ("theory", "problems", "solvers"):
            (self.root / layer).symlink_to(ROOT / layer)
        for layer in ("theory", "problems", "solvers", "studies"):
            (folder / "names/ratewitness" / layer).symlink_to(self.root / layer)
        (self.root / "studies/rooms").mkdir()
        (self.root / "studies/rooms/__init__.py").touch()
        self.setup = self.root / "studies/rooms/made_up_setup.py"
        self.setup.write_text(SETUP)
        self.study = self.write()

    def write(self, name: str = "made_up", third: str = "pass", pause: float = 0.0) -> Path:
        path = self.root / f"studies/rooms/{name}.py"
        path.write_text(STUDY.format(log=str(self.log), third=third, pause=pause))
        return path

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "ratewitness.studies", *map(str, arguments)]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(self.folder / "names")}

    def call(self, *arguments: object, status: int = 0) -> subprocess.CompletedProcess:
        """Run a command, which must end with that status."""
        done = subprocess.run(
            self.command(*arguments), env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def run(self, *arguments: object, jobs: int = 1, status: int = 0) -> subprocess.CompletedProcess:
        return self.call("run", *arguments, "--jobs", jobs, "--out", self.out, status=status)

    def noted(self) -> list[str]:
        """What was measured since the last call, in alphabetical order; a claim is noted for itself and its variant."""
        found = sorted(self.log.read_text().split()) if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return found

    def files(self) -> dict[str, bytes]:
        """What is in the report, without what locks it."""
        files = (p for p in sorted(self.out.rglob("*")) if p.is_file() and p.name != ".lock")
        return {str(p.relative_to(self.out)): p.read_bytes() for p in files}
