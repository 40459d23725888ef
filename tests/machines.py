"""The same commit gives the same words on another processor: tests and the quick ledger under emulated machines.

    python tests/machines.py [tests | ledger] [--on NAME ...] [--out DIR] [-- PYTEST OPTIONS]

A processor decides how wide the vectors of torch and numpy are and which kernels the BLAS takes, and with them how sums,
products, exp and log are rounded. Environment variables make all of them behave as on a lesser processor:

    native      as it is: no variable is set
    avx2        no AVX-512
    default     no vectors beyond SSE: torch as it was compiled, OpenBLAS and numpy as on processors of 2009

Each setting runs the tests, but for those that no processor decides (APART: they run the program, or sympy alone), and then
the quick ledger into a folder of its own: below --out, where an interrupted run goes on, or below a temporary one. Every
claim whose outcome is not the same on all machines prints one line; that, a claim that broke and a test that failed make
the exit status 1. Claims of kind "cost", and their planted variants, are left out: what times something is compared with
no other machine. Variables that mean nothing to a processor (ARM, say) change nothing there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from numpy._core import _multiarray_umath as numpy_build  # no public name tells what it dispatches to

ROOT = Path(__file__).parent.parent
WIDE = {name for name in numpy_build.__cpu_dispatch__ if numpy_build.__cpu_features__.get(name)}  # of this processor
BEYOND_AVX2 = {name for name in WIDE if name.startswith("AVX512") or name == "X86_V4"}
MACHINES = {
    "native": {},
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "OPENBLAS_CORETYPE": "Haswell",
        "MKL_CBWR": "AVX2",
        "NPY_DISABLE_CPU_FEATURES": " ".join(sorted(BEYOND_AVX2)),
    },
    "default": {
        "ATEN_CPU_CAPABILITY": "default",
        "OPENBLAS_CORETYPE": "Nehalem",
        "MKL_CBWR": "COMPATIBLE",
        "NPY_DISABLE_CPU_FEATURES": " ".join(sorted(WIDE)),
    },
}
APART = [
    "test_reports.py",
    "test_running.py",
    "test_cards_command.py",
    "test_history.py",
    "test_package.py",
    "test_sources.py",
    "test_theory_identities.py",
]


def call(machine: str, arguments: list[str]) -> int:
    """The exit status of a Python command on a machine."""
    print(f"{machine}: python {' '.join(arguments)}", flush=True)
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=os.environ | MACHINES[machine]).returncode


def words(ledger: pd.DataFrame) -> dict[str, str]:
    """The outcome of every claim and planted variant, those of claims that time something left out."""
    timed = set(ledger.loc[ledger["kind"] == "cost", "claim"])
    return {
        claim: outcome
        for claim, outcome in zip(ledger["claim"], ledger["outcome"], strict=True)
        if claim.partition("!")[0] not in timed
    }


def differences(ledgers: dict[str, pd.DataFrame]) -> list[str]:
    """One line for each claim whose word is not the same in all ledgers."""
    found = {machine: words(ledger) for machine, ledger in ledgers.items()}
    claims = sorted(set().union(*found.values()))
    rows = {claim: {machine: word.get(claim, "missing") for machine, word in found.items()} for claim in claims}
    return [
        f"{claim}: " + ", ".join(f"{word} on {machine}" for machine, word in row.items())
        for claim, row in rows.items()
        if len(set(row.values())) > 1
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("what", nargs="?", choices=["tests", "ledger", "both"], default="both", help="default: both")
    parser.add_argument("--on", nargs="+", choices=MACHINES, default=list(MACHINES), help="machines; default: all")
    parser.add_argument("--out", type=Path, help="folder of the ledgers; default: a temporary one")
    arguments = sys.argv[1:] if arguments is None else arguments
    end = arguments.index("--") if "--" in arguments else len(arguments)
    chosen, options, failed = parser.parse_args(arguments[:end]), arguments[end + 1 :], False
    if chosen.what != "ledger":
        ignored = [f"--ignore=tests/{name}" for name in APART]
        for machine in chosen.on:
            failed |= call(machine, ["-m", "pytest", *ignored, *options]) != 0
    if chosen.what != "tests":
        with tempfile.TemporaryDirectory() as temporary:
            out, ledgers = chosen.out or Path(temporary), {}
            for machine in chosen.on:
                folder = (out / machine).resolve()
                failed |= call(machine, ["-m", "ratewitness.studies", "run", "--out", str(folder)]) != 0
                if (folder / "ledger.csv").exists():
                    ledgers[machine] = pd.read_csv(folder / "ledger.csv", dtype=str)
        lines = differences(ledgers)
        print("\n".join(lines) or f"the same words on {', '.join(ledgers)}")
        failed |= bool(lines)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
