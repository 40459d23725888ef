"""The code that README shows runs, and does what README says."""

import re
import traceback
from pathlib import Path

import pytest
import torch
from ratewitness.problems.certify import certify
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum, deterministic
from ratewitness.solvers.solver import run

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)


def block(word: str) -> str:
    (found,) = [text for text in BLOCKS if word in text]
    return found


def test_the_library_example_prints_what_it_promises(capsys):
    exec(block("noisy_parabola"), {})
    mean, theory = re.match(r"tensor\(([\d.e-]+), dtype=torch.float64\) ([\d.]+) L: ", capsys.readouterr().out).groups()
    assert abs(float(mean) / float(theory) - 1) < 0.15  # three standard deviations of the mean of 1000 chi-squares


def test_the_methods_of_norms_descend(capsys):
    exec(block("random_matrix_regression"), {})
    gaps = dict(re.findall(r"^(\w+) ([\d.e-]+)$", capsys.readouterr().out, re.M))
    assert gaps.keys() == {"Shampoo", "Muon", "LMODescent"}
    assert all(float(gap) < 0.01 for gap in gaps.values())


def test_adam_of_torch_fails_and_amsgrad_does_not(capsys):
    exec(block("FromTorch"), {})
    found = dict(re.findall(r"^(.+): x = ([+-]\d\.\d+), ", capsys.readouterr().out, re.M))
    assert found.keys() == {"Adam", "AMSGrad", "AMSGrad, ours"}
    assert found["Adam"] == "+1.00"
    assert float(found["AMSGrad"]) == float(found["AMSGrad, ours"]) < -0.9


def test_the_optimizer_example_keeps_the_laws_and_its_slip_is_told():
    names = {}
    exec(block("class MySGD"), names)
    names["test_my_sgd"]()
    slip = block("class MySGD").replace("p.grad + group", "p.grad - group")
    exec(slip, names)
    told = "decay shrinks: it makes them grow. weight_decay=0.1, 12 zero gradients: ||x|| from 5.26 to 5.927"
    with pytest.raises(AssertionError, match=re.escape(told)):
        names["test_my_sgd"]()
    assert " ".join(told.split()) in " ".join(README.replace("*", "").split())


def test_the_network_example_trains_and_sam_is_flatter(capsys):
    exec(block("module_problem"), {})
    found = re.findall(r"^(.+): loss (\d\.\d+)(?:, sharpness (\d+\.\d\d))?$", capsys.readouterr().out, re.M)
    assert [name for name, _, _ in found] == ["SGD", "SAM", "Muon and AdamW"]
    assert all(float(loss) < 1.5 for _, loss, _ in found)  # the uniform guess has 2.3
    assert 2 * float(found[1][2]) < float(found[0][2])


def test_the_problem_example_is_certified():
    names = {"torch": torch, "FiniteSum": FiniteSum, "deterministic": deterministic}
    exec(block("def half_square"), names)
    assert certify.violations(names["half_square"](), torch.Generator().manual_seed(0)) == []


def test_the_solver_example_descends():
    from dataclasses import dataclass

    from ratewitness.problems.quadratics import quadratic

    names = {"dataclass": dataclass}
    exec(block("class SignDescent"), names)
    problem = quadratic([1.0, 1.0], [1.0, -1.0])
    trace = run(names["SignDescent"](0.25), Oracle.full(problem), problem.start, 4, problem.gap)
    assert trace.values[-1] == 0


def test_the_lmo_example_passes_and_catches_the_slips_it_names():
    text = block("def my_lmo(g)")
    names = {}
    exec(text, names)
    names["test_my_lmo"]()
    for slip in ("return u @ vh", "u, _, vh = np.linalg.svd(g)\n    return -u @ vh", "return (-u @ vh).T"):
        wrong = (
            re.sub(r"return -u @ vh", slip, text)
            if slip.startswith("return")
            else re.sub(r"u, _, vh = .*\n    return -u @ vh", slip, text)
        )
        assert wrong != text
        names = {}
        exec(wrong, names)
        with pytest.raises((AssertionError, ValueError, ExceptionGroup)) as failed:
            names["test_my_lmo"]()
        assert "g = array" in "".join(traceback.format_exception(failed.value)), slip


def test_the_study_example_is_a_claim():
    import numpy as np
    from ratewitness.studies.claims import Budget, Verdict, claim, planted
    from ratewitness.studies.judges import bound_holds

    names = {"claim": claim, "planted": planted, "Budget": Budget, "Verdict": Verdict, "bound_holds": bound_holds, "np": np}
    exec(block("@claim("), names)
    made = names["holds_on_the_parabola"]
    assert made.check(None).outcome == "supported"
    assert made.planted["a quarter of the bound"](None).outcome == "refuted"


def test_readme_names_files_that_exist():
    for name in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / name).exists(), name
