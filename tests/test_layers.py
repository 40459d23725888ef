"""The layers of the package, read off its syntax trees: who may import whom, and what a solver may ask of an oracle."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("theory", "problems", "solvers", "studies")
NAME = "ratewitness"
FORBIDDEN = {
    "theory": {"torch", "problems", "solvers", "studies", "reports", "tests"},
    "problems": {"theory", "solvers", "studies", "reports", "tests"},
    "solvers": {"theory", "problems", "studies", "reports", "tests"},
    "studies": {"reports", "tests"},
}
QUERIES = {"grad", "full_grad", "component_grads", "part_grads", "hessian_vector", "value", "sample", "n"}
RUNNING = {"running", "__main__"}  # what turns claims into files; no study needs it
COUNTERS = {"calls", "component_gradients", "values"}  # read by solvers/solver.py, which watches a run


def imported(tree: ast.AST, package: str) -> set[str]:
    """Dotted names of everything a module of `package` imports, wherever in the file; `from a import b` gives a.b."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else None
            stem = ".".join(part for part in (above, node.module) if part)
            names |= {f"{stem}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and _called(node) in {"import_module", "__import__"}:
            target = node.args[0] if node.args else None
            # a computed name could be anything
            names.add(target.value if isinstance(target, ast.Constant) else "?")
    return names


def _called(node: ast.Call) -> str | None:
    return getattr(node.func, "id", None) or getattr(node.func, "attr", None)


def bad_imports(source: str, module: str, stating: frozenset = frozenset()) -> set[str]:
    """What the file `module` (layer.room.leaf) imports and must not. stating: the modules that state claims."""
    bad, layer = set(), module.partition(".")[0]
    for name in imported(ast.parse(source), f"{NAME}.{module}".rpartition(".")[0]):
        top, _, rest = name.partition(".")
        bare = top in LAYERS  # a user's own project has folders of these names
        own = rest if top == NAME else name
        study = layer == "studies" and {own, own.rpartition(".")[0]} & (stating - {module})
        running = layer == "studies" and own.startswith("studies.running") and module.split(".")[1] not in RUNNING
        computed = name == "?" and layer != "studies"  # the runner finds studies by name
        if bare or own.partition(".")[0] in FORBIDDEN[layer] or study or running or computed:
            bad.add(name)
    return bad


def bad_attributes(source: str, queries: set[str]) -> set[str]:
    """Attributes of `oracle` beyond its queries, private ones of anything but self, and reflection on `oracle`."""
    bad = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = getattr(node.value, "id", None) or getattr(node.value, "attr", None)
            private = node.attr.startswith("_") and not node.attr.startswith("__") and owner not in {"self", "cls"}
            if private or (owner == "oracle" and node.attr not in queries):
                bad.add(f"{owner}.{node.attr}")
        if isinstance(node, ast.Call) and _called(node) in {"getattr", "setattr", "vars"}:
            bad |= {f"{_called(node)}(oracle)" for arg in node.args[:1] if getattr(arg, "id", None) == "oracle"}
    return bad


def states_claims(source: str) -> bool:
    """Whether a file decorates a function with `claim`."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return any(isinstance(d, ast.Call) and _called(d) == "claim" for f in functions for d in f.decorator_list)


def files(layer: str) -> list[Path]:
    return sorted((ROOT / layer).rglob("*.py"))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


STATING = frozenset(dotted(path) for path in files("studies") if states_claims(path.read_text()))


@pytest.mark.parametrize("path", [p for layer in LAYERS for p in files(layer)], ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_respect_the_layers(path):
    assert not bad_imports(path.read_text(), dotted(path), STATING)


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda p: p.name)
def test_tests_use_the_import_name(path):
    assert not {n for n in imported(ast.parse(path.read_text()), "tests") if n.partition(".")[0] in LAYERS}


@pytest.mark.parametrize("path", files("solvers"), ids=lambda p: p.stem)
def test_solvers_touch_only_the_queries_of_an_oracle(path):
    assert not bad_attributes(path.read_text(), QUERIES | (COUNTERS if path.stem == "solver" else set()))


def test_a_planted_claim_is_found():
    assert states_claims("@claim(kind='exact')\ndef attained(budget):\n    return 1")
    assert not states_claims("def claim(kind):\n    return kind\n\nx = claim(1)")


def test_every_layer_has_files():
    assert all(len(files(layer)) > 1 for layer in LAYERS)


@pytest.mark.parametrize(
    ("source", "layer"),
    [
        ("import torch", "theory"),
        ("from torch.linalg import norm", "theory"),
        ("def f():\n    import ratewitness.problems.huber", "theory"),
        ("from ratewitness.theory.bounds import L", "solvers"),
        ("from ratewitness.problems import oracle", "solvers"),
        ("import ratewitness.solvers.sam as s", "problems"),
        ("from problems.oracle import Oracle", "problems"),  # without the import name
        ("from ratewitness.studies.claims import Claim", "problems"),
        ("from tests.test_run import Scripted", "studies"),
        ("from ratewitness.studies.rates.saddle import slope", "studies"),
        ("from ratewitness.studies.rates import saddle", "studies"),
        ("from . import saddle", "studies"),
        ("from .saddle import slope", "studies"),
        ("from ratewitness.studies.running.report import write_study", "studies"),
        ("import importlib\nimportlib.import_module('ratewitness.theory.bounds')", "solvers"),
        ("__import__(name)", "solvers"),
    ],
)
def test_a_planted_import_is_found(source, layer):
    assert bad_imports(source, f"{layer}.rates.leaf", frozenset({"studies.rates.saddle", "studies.rates.leaf"}))


@pytest.mark.parametrize(
    ("source", "layer"),
    [
        ("import torch\nfrom torch import Tensor", "solvers"),
        ("from ratewitness.solvers.solver import run\nfrom ..schedules import Schedule", "solvers"),
        ("from ratewitness.studies.claims import Claim\nfrom . import cells", "studies"),
        ("import ratewitness.studies.rates.leaf", "studies"),  # itself
        ("import ratewitness.theory.bounds\nfrom ratewitness.problems.huber import huber\nimport torch", "studies"),
    ],
)
def test_an_allowed_import_passes(source, layer):
    assert not bad_imports(source, f"{layer}.rates.leaf", frozenset({"studies.rates.saddle", "studies.rates.leaf"}))


@pytest.mark.parametrize(
    "source", ["oracle._problem.grad(x)", "oracle.calls", "self.oracle.minimizer", "o._draw(x)", "getattr(oracle, name)"]
)
def test_a_planted_peek_is_found(source):
    assert bad_attributes(source, QUERIES)


def test_queries_pass():
    assert not bad_attributes("oracle.grad(x, redraw=False) + self._place(oracle.sample) / oracle.n", QUERIES)
