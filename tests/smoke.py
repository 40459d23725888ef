"""What must work with any accepted versions of the dependencies: `python tests/smoke.py`, a minute, no pytest.

`make test-oldest` runs it with the lowest versions that pyproject.toml accepts.
"""

import pkgutil
import subprocess
import sys
import tempfile
from importlib import import_module, metadata
from pathlib import Path

import pandas as pd
import ratewitness
import torch
from hypothesis import given, settings
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.adam import Adam
from ratewitness.solvers.around.to_torch import ToTorch
from ratewitness.solvers.norms.lmo import SPECTRAL
from ratewitness.solvers.norms.testing import assert_lmo, matrices
from ratewitness.solvers.solver import run


def every_module_is_imported():
    for module in pkgutil.walk_packages(ratewitness.__path__, "ratewitness."):
        import_module(module.name)


def the_command_line_lists_and_runs():
    command = [sys.executable, "-m", "ratewitness.studies"]
    listed = subprocess.run([*command, "list"], check=True, capture_output=True, text=True).stdout
    assert "identities" in listed
    studies = ["identities", "adagrad_effective_step"]  # proofs; bounds on runs, with figures and tables
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([*command, "run", *studies, "--budget", "quick", "--out", out], check=True)
        ledger = pd.read_csv(Path(out, "ledger.csv"))
        planted = ledger["kind"] == "planted"
        assert set(ledger.loc[~planted, "outcome"]) <= {"proved", "supported", "refuted"}
        assert set(ledger.loc[ledger["kind"] == "proof", "outcome"]) == {"proved"}
        assert planted.any()
        assert not ledger.loc[planted, "outcome"].isin(["proved", "supported"]).any()
        assert all(Path(out, f"{study}.md").exists() for study in studies)


@settings(deadline=None, max_examples=30)
@given(g=matrices(dtype=torch.float64))
def a_property_is_tested(g):
    assert_lmo(SPECTRAL.lmo, "spectral", g)


def a_solver_descends():
    problem = quadratic(torch.tensor([1.0, 0.1]), torch.ones(2))
    trace = run(Adam(0.1), Oracle.full(problem), problem.start, 50, problem.gap)
    assert trace.values[-1] < trace.values[0] / 2


def a_network_is_trained():
    torch.manual_seed(0)
    network, inputs = torch.nn.Linear(3, 2), torch.ones(4, 3)
    optimizer, losses = ToTorch(network.parameters(), Adam(0.1)), []
    for _ in range(30):
        optimizer.zero_grad()
        loss = network(inputs).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


if __name__ == "__main__":
    names = ("numpy", "scipy", "sympy", "torch", "pandas", "matplotlib", "scikit-learn", "typer", "rich")
    print(*(f"{name} {metadata.version(name)}" for name in names), sep=", ")
    for check in (
        every_module_is_imported,
        the_command_line_lists_and_runs,
        a_property_is_tested,
        a_solver_descends,
        a_network_is_trained,
    ):
        check()
        print("passed:", check.__name__.replace("_", " "), flush=True)
