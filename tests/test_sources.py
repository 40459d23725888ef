"""Digests of definitions see everything that a claim can reach, because the files are written so that they can."""

import ast

import pytest
from ratewitness.studies.running import sources
from ratewitness.studies.running.catalogue import studies

FILES = sorted(path for layer in sources.LAYERS for path in (sources.ROOT / layer).rglob("*.py"))


def reached(study: str, claim: str) -> set[tuple[str, str]]:
    names = sources.closure((studies()[study].module, claim))
    return {(module.removeprefix("ratewitness."), name) for module, name in names}


def test_a_claim_reaches_through_every_layer_and_no_further_than_it_uses():
    found = reached("sharp_constants", "gd_convex")
    assert {("problems.huber", "huber_witness"), ("solvers.gradient_descent", "GradientDescent")} <= found
    assert any(module.startswith("theory.") for module, _ in found)
    assert not {module for module, _ in found} & {"studies.rates.crossover", "solvers.norms.muon", "studies.running.report"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(sources.ROOT).as_posix())
def test_a_name_means_one_thing_in_a_file(path):
    """A digest follows a name either to an import or to a definition of the file, and to one of them."""
    tree = ast.parse(path.read_text())
    imported: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
            whole = alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}"
            imported.setdefault(alias.asname or alias.name.partition(".")[0], set()).add(
                whole.partition(".")[0] if isinstance(node, ast.Import) and not alias.asname else whole
            )
    assert {name: meant for name, meant in imported.items() if len(meant) > 1} == {}
    own = (node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom))
    bound = {name for node in own for name in sources.names_bound(node)}
    assert bound & {*imported} == set()


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("a = 1", "a = 1  # why", True),
        ("def f(x):\n    return x", 'def f(x: float) -> float:\n    """Words."""\n    return x', True),
        ("def f(x=1):\n    return x", "def f(x=2):\n    return x", False),
        ("def f(x):\n    return x + 1", "def f(x):\n    return x - 1", False),
        ("class A:\n    b = 1", "class A:\n    b = 2", False),
        ("@claim('law', 'S1')\ndef f():\n    return 1", "@claim('exact', 'S2; us')\ndef f():\n    return 1", True),
        ("@planted('no', x=1)\ndef f(x):\n    return 1", "@planted('no', x=2)\ndef f(x):\n    return 1", False),
    ],
)
def test_what_changes_a_definition(old, new, same):
    def syntax(text):
        (node,) = ast.parse(text).body
        return sources.syntax(sources.Bare().visit(node))

    assert (syntax(old) == syntax(new)) == same
