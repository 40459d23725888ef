"""How many slips the tests catch: one constant, sign, comparison or index of the code changed at a time.

    python tests/mutation.py [--mutants 240] [--seed 0] [--only PART ...] [--claims 100] [--kept FOLDER] [--out FILE]

Mutants are drawn with a fixed seed from the syntax trees of theory/, problems/, solvers/ and studies/judges.py, some from
every file, all kinds alike:

    constant     an integer by one, a number by a tenth (a small tolerance by a factor 10), True for False
    sign         + for -, - for +, a minus left out
    comparison   < for <= or >=, == for !=, `is` for `is not`, `in` for `not in`
    index        an integer inside brackets, or that names an axis, by one

What no test can or should see is not drawn: docstrings, annotations, what an error says, seeds, the slips that a proof
names (`@identity(...)`: another slip is as wrong), decorators. Nothing on the disk is changed: a fork of this process, which
has imported the other packages already, imports the changed module in the place of the true one, and runs the tests that
reach the changed line until one fails, the fast ones and those of few modules first. A test that takes much longer than it
should counts as failed. Which tests reach a line is found out once, by running all with marks in the functions, and kept
(--kept). Tests of the program itself are left out: most run it in other processes, which see no mutant.

With --claims the cheapest claims that reach the changed definition are judged as well, on the quick budget: whether the word
of one of them changes, one breaks, or a planted variant is supported. Exit status 1: a mutant survived.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import gc
import hashlib
import importlib
import itertools
import json
import math
import os
import pickle
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType

if __name__ == "__main__":
    os.environ |= {"CI": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # reproducible examples, one thread

import hypothesis
import pytest
from machines import APART
from ratewitness.studies.running import sources

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
VOICE = os.dup(1)
OF_THE_PROGRAM = {*APART, "test_layers.py", "test_machines.py"} - {"test_theory_identities.py"}
PATIENCE = 20.0  # seconds of processor time that any mutant may take, beyond five times what its tests took without it
SPENT = (10.0, 60.0, 20.0)  # seconds that the tests of each stage may take together
FIRST = 3  # files of tests that are tried before all others
CLAIMS_EACH = 2  # claims that are judged for a mutant, the cheapest that reach it
DEAR = 30.0  # seconds that a claim took on the full budget: dearer ones are not judged
COMMON = 12  # mutants of studies/judges.py, on which every verdict hangs
FEWEST = 1  # mutants of any file, where it has one

SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add}
NEGATED = {
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
EDGED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
AXES = {"dim", "axis", "dims", "axes", "dim0", "dim1"}
WORDS = {"seed", "stacklevel", "maxsize", "message", "strict"}  # arguments that change no result
SEEDED = {"manual_seed", "default_rng", "warn"}


@dataclass(frozen=True)
class Mutant:
    """A changed node of a file's syntax tree: the `node`-th of ast.walk."""

    file: str  # from the root of the checkout
    line: int
    node: int
    kind: str
    change: str  # what takes its place, in words of `changed`
    definition: str  # the name that the statement at the top of the file binds
    function: bool  # inside a function's body, which tests run; else done once, on import

    @property
    def module(self) -> str:
        return ".".join((sources.NAME, *Path(self.file).with_suffix("").parts))


def files() -> list[str]:
    found = [path for layer in ("theory", "problems", "solvers") for path in sorted((ROOT / layer).rglob("*.py"))]
    return [path.relative_to(ROOT).as_posix() for path in [*found, ROOT / "studies/judges.py"] if path.stat().st_size]


# --- what can be changed -------------------------------------------------------------------------------------------------


def changes(node: ast.AST, index: bool) -> Iterator[tuple[str, str]]:
    """The (kind, change) that there are of a node."""
    match node:
        case ast.Constant(value=bool()):
            yield "constant", "flipped"
        case ast.Constant(value=int()):
            yield from (("index" if index else "constant", each) for each in ("+1", "-1"))
        case ast.Constant(value=float(value)):
            yield from (("constant", each) for each in (("*10", "/10") if abs(value) < 1e-4 else ("*1.1", "*0.9")) if value)
        case ast.BinOp(op=ast.Add() | ast.Sub()) if not (is_words(node.left) or is_words(node.right)):
            yield "sign", "swapped"
        case ast.UnaryOp(op=ast.USub()):
            yield "sign", "dropped"
        case ast.Compare():
            for place, operator in enumerate(node.ops):
                yield "comparison", f"negated {place}"
                if type(operator) in EDGED:
                    yield "comparison", f"edged {place}"


def is_words(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def changed(node: ast.AST, change: str) -> ast.AST:
    """The node after the change, as a new one."""
    new = copy.deepcopy(node)
    what, _, place = change.partition(" ")
    match what:
        case "flipped":
            new.value = not node.value
        case "+1" | "-1":
            new.value = node.value + int(change)
        case "*10" | "/10" | "*1.1" | "*0.9":
            new.value = node.value / 10 if change == "/10" else node.value * float(change[1:])
        case "swapped":
            new.op = SWAPPED[type(node.op)]()
        case "dropped":
            return new.operand
        case "negated" | "edged":
            table = NEGATED if what == "negated" else EDGED
            new.ops[int(place)] = table[type(node.ops[int(place)])]()
    return new


class Marker(ast.NodeVisitor):
    """Finds what is left alone, what stands in brackets or names an axis, and what is done when a function is called."""

    def __init__(self):
        self.alone, self.index, self.inside = set(), set(), set()

    def mark(self, where: set, *parts: ast.AST | None) -> None:
        where |= {id(node) for part in parts if part is not None for node in ast.walk(part)}

    def visit_FunctionDef(self, node):
        self.mark(self.alone, *node.decorator_list, node.returns)
        self.mark(self.inside, *node.body)
        if node.name in ("__repr__", "__str__"):
            self.mark(self.alone, node)
        self.generic_visit(node)

    def visit_Lambda(self, node):
        self.mark(self.inside, node.body)
        self.generic_visit(node)

    def visit_ClassDef(self, node):
        self.mark(self.alone, *node.decorator_list)
        self.generic_visit(node)

    def visit_arg(self, node):
        self.mark(self.alone, node.annotation)

    def visit_AnnAssign(self, node):
        self.mark(self.alone, node.annotation)
        self.generic_visit(node)

    def visit_Raise(self, node):
        self.mark(self.alone, node)

    def visit_JoinedStr(self, node):
        self.mark(self.alone, node)

    def visit_Assert(self, node):
        self.mark(self.alone, node.msg)
        self.generic_visit(node)

    def visit_If(self, node):
        if "__main__" in ast.unparse(node.test) or "TYPE_CHECKING" in ast.unparse(node.test):
            self.mark(self.alone, node)
        self.generic_visit(node)

    def visit_Subscript(self, node):
        self.mark(self.index, node.slice)
        self.generic_visit(node)

    def visit_keyword(self, node):
        self.mark(self.index, node.value if node.arg in AXES else None)
        self.mark(self.alone, node if node.arg in WORDS else None)
        self.generic_visit(node)

    def visit_Call(self, node):
        if called(node) in SEEDED:
            self.mark(self.alone, *node.args)
        self.generic_visit(node)


def called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def possible(file: str) -> list[Mutant]:
    """Every mutant that there is of a file."""
    tree = original(file)
    marker = Marker()
    marker.visit(tree)
    top = {id(part): (sources.names_bound(each) or [""])[0] for each in tree.body for part in ast.walk(each)}
    return [
        Mutant(file, node.lineno, number, kind, change, top[id(node)], id(node) in marker.inside)
        for number, node in enumerate(ast.walk(tree))
        if id(node) not in marker.alone
        for kind, change in changes(node, id(node) in marker.index)
    ]


def shown(mutant: Mutant) -> tuple[str, str]:
    """The expression around a mutant's node before and after the change, as wide as a line of a report may be."""
    tree = original(mutant.file)
    parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    node = list(ast.walk(tree))[mutant.node]
    new, before, after = changed(node, mutant.change), "", ""
    while isinstance(node, ast.expr | ast.keyword | ast.Slice) and (len(ast.unparse(node)) <= 60 or not before):
        before, after = ast.unparse(node), ast.unparse(new)
        parent = parents[id(node)]
        wider = copy.copy(parent)
        for field, value in ast.iter_fields(parent):
            if value is node:
                setattr(wider, field, new)
            elif isinstance(value, list):
                setattr(wider, field, [new if each is node else each for each in value])
        node, new = parent, wider
    return before, after


def original(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def mutated(mutant: Mutant) -> ast.Module:
    tree = original(mutant.file)
    old = list(ast.walk(tree))[mutant.node]
    new = changed(old, mutant.change)

    class Replacing(ast.NodeTransformer):
        def visit(self, node):
            return new if node is old else self.generic_visit(node)

    return ast.fix_missing_locations(Replacing().visit(tree))


def drawn(count: int, seed: int) -> list[Mutant]:
    """`count` mutants: of every file some, then more of those where more can be changed."""
    every = {file: possible(file) for file in files()}
    places = {file: len({each.node for each in found}) for file, found in every.items()}
    shares = {file: min(most, COMMON if file == "studies/judges.py" else FEWEST) for file, most in places.items()}
    while sum(shares.values()) < min(count, sum(places.values())):
        open_ones = [file for file in shares if shares[file] < places[file]]
        shares[max(open_ones, key=lambda file: places[file] / (shares[file] + 1))] += 1
    return [mutant for file, share in shares.items() for mutant in of_one(every[file], share, f"{seed}:{file}")]


def of_one(found: list[Mutant], share: int, seed: str) -> list[Mutant]:
    """Mutants of a file, at most one of each node, kind by kind as long as there are."""
    rng, kept = random.Random(seed), []
    while len(kept) < share:
        left = [each for each in found if each.node not in {one.node for one in kept}]
        kind = rng.choice(sorted({each.kind for each in left}))
        node = rng.choice(sorted({each.node for each in left if each.kind == kind}))
        kept.append(rng.choice([each for each in left if each.node == node]))
    return sorted(kept, key=lambda each: (each.line, each.node))


# --- forks ---------------------------------------------------------------------------------------------------------------


def apart(work: Callable[[], object], limit: float) -> object:
    """What work() returns in a fork of this process; a word where it gives no answer, or needs more than `limit` seconds of
    processor time, however slowly these pass."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit), math.ceil(limit) + 5))
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(quiet, stream)
            try:
                answer = True, work()
            except Exception:
                answer = False, traceback.format_exc()
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(answer, pipe)
        finally:
            os._exit(0)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGTERM)  # it, where this is interrupted, and what it has started
        status = os.waitpid(child, 0)[1]
    if answer:
        whole, answer = pickle.loads(answer)
        if not whole:
            raise RuntimeError(answer)
        return answer
    return "too long" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU else "died"


def say(text: str) -> None:
    """To the terminal, also in a fork, which has no other words."""
    os.write(VOICE, f"{text}\n".encode())


class Changed(SourceFileLoader):
    """Loads a module from the tree that `trees` makes of its file."""

    trees: Mapping[str, Callable[[], ast.Module]]

    def get_code(self, fullname):
        return compile(self.trees[fullname](), self.path, "exec", dont_inherit=True)


class Finder:
    """Hands the modules named in `trees` to `Changed`; first of sys.meta_path."""

    def __init__(self, trees):
        self.trees = trees

    def find_spec(self, name, path=None, target=None):
        if name not in self.trees:
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not self else None
            if spec is not None:
                spec.loader = Changed(name, spec.origin)
                spec.loader.trees = self.trees
                return spec
        return None


def importing(trees: Mapping[str, Callable[[], ast.Module]]) -> None:
    """From now on, in this process, import these modules from trees; of the package nothing stays imported."""
    for name in [name for name in sys.modules if name.partition(".")[0] == sources.NAME]:
        del sys.modules[name]
    sys.meta_path.insert(0, Finder(trees))


# --- which tests reach what ----------------------------------------------------------------------------------------------


class Marked(ast.NodeTransformer):
    """Puts a mark, __reached__((file, line)), before every statement and every lambda's value inside functions."""

    def __init__(self, file: str):
        self.file, self.depth = file, 0

    def mark(self, node: ast.AST) -> ast.Call:
        key = ast.Tuple([ast.Constant(self.file), ast.Constant(node.lineno)], ast.Load())
        return ast.copy_location(ast.Call(ast.Name("__reached__", ast.Load()), [key], []), node)

    def visit_FunctionDef(self, node):
        self.depth += 1
        node.body = self.marked(node.body)
        self.depth -= 1
        return node

    def visit_ClassDef(self, node):
        outside, self.depth = self.depth, 0
        self.generic_visit(node)
        self.depth = outside
        return node

    def visit_Lambda(self, node):
        self.generic_visit(node)
        node.body = ast.copy_location(ast.BoolOp(ast.Or(), [self.mark(node.body), node.body]), node.body)
        return node

    def marked(self, body: list[ast.stmt]) -> list[ast.stmt]:
        found = []
        for number, each in enumerate(body):
            docstring = number == 0 and isinstance(each, ast.Expr) and is_words(each.value)
            if not docstring:
                found.append(ast.copy_location(ast.Expr(self.mark(each)), each))
            found.append(self.visit(each))
        return found

    def generic_visit(self, node):
        super().generic_visit(node)
        if self.depth and not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            for field in ("body", "orelse", "finalbody"):
                body = getattr(node, field, None)
                if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                    marked = []
                    for each in body:
                        marked += [ast.copy_location(ast.Expr(self.mark(each)), each), each]
                    setattr(node, field, marked)
        return node


def with_marks(file: str) -> ast.Module:
    return ast.fix_missing_locations(Marked(file).visit(original(file)))


class Plugin:
    """Examples are found as in CI, and not made smaller; the tests `wanted` run in their order."""

    def __init__(self, wanted: Iterable[str] | None = None):
        self.wanted = None if wanted is None else {name: place for place, name in enumerate(wanted)}
        self.failed, self.ran, self.broken = "", 0, ""

    def pytest_internalerror(self, excrepr):
        self.broken = str(excrepr)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self):
        phases, slow = (hypothesis.Phase.explicit, hypothesis.Phase.generate), [hypothesis.HealthCheck.too_slow]
        parent = hypothesis.settings.get_profile("ci")
        hypothesis.settings.register_profile("mutation", parent, phases=phases, suppress_health_check=slow)
        hypothesis.settings.load_profile("mutation")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        if self.wanted is not None:
            items[:] = sorted((i for i in items if i.nodeid in self.wanted), key=lambda i: self.wanted[i.nodeid])

    def pytest_collectreport(self, report):
        if report.failed:
            self.failed = self.failed or f"import of {report.nodeid}"

    def pytest_runtest_logreport(self, report):
        self.ran += report.when == "call"
        if report.failed:
            self.failed = self.failed or report.nodeid


class Recorder(Plugin):
    """Also keeps what each test reached and its seconds, and what was reached while its file was set up."""

    def __init__(self, reached: set):
        super().__init__()
        self.reached, self.setup, self.tests, self.seconds = reached, set(), {}, defaultdict(float)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self):
        self.setup |= self.reached

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef, request):
        before = set(self.reached)
        try:
            return (yield)
        finally:
            if fixturedef.scope != "function":
                self.setup |= self.reached - before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.reached.clear()
        begin = time.process_time()
        try:
            return (yield)
        finally:
            self.tests[item.nodeid] = frozenset(self.reached)
            self.seconds[item.nodeid] = time.process_time() - begin

    def pytest_runtest_logreport(self, report):
        super().pytest_runtest_logreport(report)
        if report.failed or report.skipped:
            self.seconds[report.nodeid] = float("nan")  # of no use here


def run_pytest(tests: Iterable[str], plugin: Plugin, *options: str) -> None:
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))  # as `python -m pytest` does
    known = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what this process has imported already
    options = [*options, *known, "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
    plugin.status = pytest.main([*options, *tests], plugins=[plugin])


def record(test: str) -> dict:
    """Run one file of tests with marks in the package."""
    reached: set[tuple[str, int]] = set()
    import builtins

    builtins.__reached__ = reached.add
    importing({module_of(file): (lambda file=file: with_marks(file)) for file in files()})
    before = set(sys.modules)
    recorder = Recorder(reached)
    run_pytest([test], recorder)
    failing = {name for name, seconds in recorder.seconds.items() if seconds != seconds}
    others = [n for n in sorted(set(sys.modules) - before) if not is_own(sys.modules.get(n))]
    return {
        "tests": {name: lines for name, lines in recorder.tests.items() if name not in failing},
        "seconds": {name: seconds for name, seconds in recorder.seconds.items() if name not in failing},
        "setup": recorder.setup,
        "failed": recorder.failed,
        "imports": others,
    }


def is_own(module) -> bool:
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    return origin is None or str(ROOT) in origin or sources.NAME in module.__name__


def module_of(file: str) -> str:
    return ".".join((sources.NAME, *Path(file).with_suffix("").parts))


def coverage(kept: Path) -> dict[str, dict]:
    """What the tests of each file reach; files that have not changed since are not run again."""
    kept.mkdir(parents=True, exist_ok=True)
    support = [path for path in sorted(TESTS.glob("*.py")) if not path.name.startswith("test_") and path != Path(__file__)]
    package = hashlib.sha256("".join([sources.all_files(), *map(Path.read_text, support)]).encode())
    found = {}
    for path in sorted(TESTS.glob("test_*.py")):
        if path.name in OF_THE_PROGRAM:
            continue
        key = hashlib.sha256(package.digest() + path.read_bytes()).hexdigest()
        file = kept / f"{path.stem}-{key[:20]}.pickle"
        if not file.exists():
            begin = time.monotonic()
            found_now = apart(lambda path=path: record(f"tests/{path.name}"), 1e6)
            if isinstance(found_now, str) or not found_now["tests"]:
                raise SystemExit(f"{path.name} cannot be run without any mutant: {found_now}")
            file.write_bytes(pickle.dumps(found_now))
            seconds = time.monotonic() - begin
            say(f"{path.name}: {len(found_now['tests'])} tests, {seconds:.0f} s {found_now['failed']}")
        found[f"tests/{path.name}"] = pickle.loads(file.read_bytes())
        for name in found[f"tests/{path.name}"]["imports"]:  # the next file finds them there
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    return found


class Reach:
    """Which tests see a mutant, in the order in which they are tried."""

    def __init__(self, found: Mapping[str, dict]):
        self.found = found
        self.of_line: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        self.width: dict[str, int] = {}  # how many modules the tests of a file reach
        for test, each in found.items():
            self.seconds |= each["seconds"]
            for name, lines in each["tests"].items():
                for line in lines:
                    self.of_line[line].add(name)
            for line in each["setup"]:
                self.of_line[line] |= set(each["tests"])
            self.width[test] = len({line[0] for lines in each["tests"].values() for line in lines})
        self.users: dict[sources.Name, set[sources.Name]] = defaultdict(set)
        for module in map(module_of, files()):
            for name in sources.definitions(module)[0]:
                for used in sources.reached((module, name)):
                    self.users[used].add((module, name))

    def lines(self, mutant: Mutant) -> set[tuple[str, int]]:
        """The marks that say that the changed expression is used."""
        tree = original(mutant.file)
        if mutant.function:
            around = [s for s in ast.walk(tree) if isinstance(s, ast.stmt | ast.Lambda)]
            within = [s for s in around if s.lineno <= mutant.line <= s.end_lineno]
            starts = {(s.body.lineno if isinstance(s, ast.Lambda) else s.lineno) for s in within}
            for start in sorted(starts, reverse=True):  # the innermost statement that has a mark
                if (mutant.file, start) in self.of_line:
                    return {(mutant.file, start)}
            return set()
        names, queue = set(), [(mutant.module, mutant.definition)]
        while queue:
            name = queue.pop()
            if name not in names:
                names.add(name)
                queue += self.users[name] if not self.called(name) or name[1] == mutant.definition else ()
        return {line for name in names for line in self.called(name)}

    def called(self, name: sources.Name) -> set[tuple[str, int]]:
        """The marks inside a definition."""
        file = "/".join(name[0].split(".")[1:]) + ".py"
        nodes = sources.definitions(name[0])[0].get(name[1], [])
        spans = [(node.lineno, node.end_lineno) for node in nodes]
        return {(file, line) for low, high in spans for line in range(low, high + 1) if (file, line) in self.of_line}

    def stages(self, mutant: Mutant) -> list[list[str]]:
        """The tests that reach a mutant: fast ones of the files that reach little else, all others, and at last the rest of
        these files, whose tests may use what another one of them has computed."""
        reaching = set().union(*(self.of_line[line] for line in self.lines(mutant)))
        by_file = defaultdict(list)
        for name in sorted(reaching, key=self.seconds.get):
            by_file[name.partition("::")[0]].append(name)
        own = sorted(by_file, key=lambda file: (not self.about(file, mutant), self.width[file]))[:FIRST]
        quick = self.affordable((name for file in own for name in by_file[file]), 0)
        others = self.affordable(reaching - set(quick), 1)
        rest = self.affordable((name for file in by_file for name in self.found[file]["tests"] if name not in reaching), 2)
        return [stage for stage in (quick, others, rest) if stage]

    def affordable(self, names: Iterable[str], stage: int) -> list[str]:
        """The fastest of these tests, the first five at least."""
        found, spent = sorted(names, key=self.seconds.get), 0.0
        for place, name in enumerate(found):
            spent += self.seconds[name]
            if spent > SPENT[stage] and place >= 5:
                return found[:place]
        return found

    def about(self, test: str, mutant: Mutant) -> bool:
        return any(Path(mutant.file).stem == word for word in (Path(test).stem.split("_", 2)[-1], Path(test).stem[5:]))


# --- one mutant ----------------------------------------------------------------------------------------------------------


def alive() -> dict[tuple, list[FunctionType]]:
    """Every function of the package that there is, by what tells its code."""
    found = defaultdict(list)
    for each in gc.get_objects():
        if type(each) is FunctionType and str(each.__module__).startswith(f"{sources.NAME}."):
            found[identity(each.__code__)].append(each)
    return found


def identity(code: CodeType) -> tuple:
    return Path(code.co_filename).resolve(), code.co_qualname, tuple(code.co_positions())


def codes(code: CodeType) -> list[CodeType]:
    """A code and all inside, in the order of the file."""
    return [code, *(inner for each in code.co_consts if isinstance(each, CodeType) for inner in codes(each))]


class Server(Plugin):
    """Collects all tests once, and then runs, in forks, what reaches each mutant, with the code of its function exchanged in
    everything that holds it. What was computed as the tests were collected stays as it was: a mutant that is not caught in
    this way has yet to be imported."""

    def __init__(self, mutants: Iterable[Mutant], reach: Reach):
        super().__init__()
        self.mutants, self.reach, self.answers = mutants, reach, {}

    def pytest_runtestloop(self, session):
        self.items = {item.nodeid: item for item in session.items}
        functions = alive()
        gc.freeze()  # forks share what they only read
        for mutant in self.mutants:
            trees = original(mutant.file), mutated(mutant)
            old, new = (codes(compile(tree, str(ROOT / mutant.file), "exec", dont_inherit=True)) for tree in trees)
            if len(old) == len(new):
                exchanged = [(f, after) for before, after in zip(old, new, strict=True) for f in functions[identity(before)]]
                tests = [name for stage in self.reach.stages(mutant) for name in stage if name in self.items]
                answer = tried(tests, self.reach, lambda tests, changed, e=exchanged: self.run(tests, e if changed else ()))
                self.answers[mutant] = answer
                if answer[0]:
                    say(f"{place(mutant)}: caught by {answer[0]}")
        return True

    def run(self, tests: list[str], exchanged: Iterable[tuple[FunctionType, CodeType]]) -> tuple[str, int]:
        for function, code in exchanged:
            function.__code__ = code
        items = [self.items[name] for name in tests]
        for item, following in itertools.zip_longest(items, items[1:]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                break
        return self.failed, self.ran


def tried(tests: list[str], reach: Reach, run: Callable[[list[str], bool], tuple[str, int]]) -> tuple[str, int]:
    """The first test that fails with the mutant, but not after the same tests without it, and how many were run."""
    while tests:
        limit = PATIENCE + 5 * sum(map(reach.seconds.get, tests))
        answer = apart(partial(run, tests, True), limit)
        failed, ran = (f"({answer})", 0) if isinstance(answer, str) else answer
        if failed not in tests:  # none, or no test: it cannot be imported, or does not end
            return failed, ran
        until = tests[: tests.index(failed) + 1]
        if apart(partial(run, until, False), limit) == ("", len(until)):
            return failed, ran
        say(f"{failed} fails without a mutant too")
        tests = [name for name in tests if name != failed]
    return "", 0


def serve(mutants: list[Mutant], reach: Reach) -> dict[Mutant, tuple[str, int]]:
    server = Server(mutants, reach)
    run_pytest(reach.found, server)
    if server.broken or server.failed:
        raise RuntimeError(server.broken or server.failed)
    return server.answers


def imported(mutant: Mutant, reach: Reach) -> tuple[str, int]:
    """The test that fails ("" where none does) and how many were run, where the package is imported with the mutant."""
    ran = 0
    for stage in reach.stages(mutant):
        failed, now = tried(stage, reach, lambda tests, changed: run_imported(mutant if changed else None, tests))
        ran += now
        if failed:
            return failed, ran
    return "", ran


def run_imported(mutant: Mutant | None, tests: list[str]) -> tuple[str, int]:
    importing({mutant.module: lambda: mutated(mutant)} if mutant else {})
    plugin = Plugin(tests)
    run_pytest(sorted({name.partition("::")[0] for name in tests}), plugin, "-x")
    return plugin.failed or ("(pytest broke)" if plugin.status not in (0, 1, 5) else ""), plugin.ran


# --- verdicts ------------------------------------------------------------------------------------------------------------


class Claims:
    """The claims of the ledger, what they reach, and their quick words without any mutant."""

    def __init__(self):
        from ratewitness.studies.running.catalogue import studies

        self.closure, self.seconds, self.words = {}, {}, {}
        for study in studies().values():
            for entry in study.claims:
                record = ROOT / f"reports/full/records/{entry.id}.json"
                seconds = json.loads(record.read_text())["seconds"] if record.exists() else float("inf")
                if seconds <= DEAR and entry.kind != "cost":  # what times something is not the same twice
                    name = study.module, entry.id.partition(".")[2]
                    self.closure[name], self.seconds[name] = sources.closure(name), seconds

    def reaching(self, mutant: Mutant) -> list[sources.Name]:
        found = [name for name, reached in self.closure.items() if (mutant.module, mutant.definition) in reached]
        return sorted(found, key=self.seconds.get)[:CLAIMS_EACH]

    def differ(self, mutant: Mutant) -> str | None:
        """The first claim whose judgement differs; None where no cheap claim reaches the mutant."""
        names = self.reaching(mutant)
        for name in names:
            if name not in self.words:
                begin = time.monotonic()
                self.words[name] = apart(lambda name=name: judged(name, None), 600.0), time.monotonic() - begin
            (word, _), seconds = self.words[name]
            answer = apart(lambda name=name: judged(name, mutant), PATIENCE + 5 * seconds)
            now, escaped = (answer, []) if isinstance(answer, str) else answer
            if now != word or escaped:
                return f"{name[1]}: {word} -> {now}" + "".join(f", {variant} is believed" for variant in escaped)
        return "" if names else None


def judged(name: sources.Name, mutant: Mutant | None) -> tuple[str, list[str]]:
    """The word of a claim on the quick budget, and the planted variants that come out supported."""
    importing({mutant.module: lambda: mutated(mutant)} if mutant else {})
    import torch

    torch.set_num_threads(1)
    try:
        claim = getattr(importlib.import_module(name[0]), name[1])
        quick = importlib.import_module(f"{sources.NAME}.studies.claims").QUICK
        budget = replace(quick, scope=claim.streams)
        word = claim.check(budget).outcome
        believed = [v for v, check in claim.planted.items() if check(budget).outcome in ("supported", "proved")]
    except Exception as error:
        return f"broke with {type(error).__name__}", []
    return word, believed


# --- the report ----------------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--mutants", type=int, default=240, help="how many; default: 240")
    parser.add_argument("--seed", type=int, default=0, help="of the sample; default: 0")
    parser.add_argument(
        "--only", nargs="+", default=(), metavar="PART", help="those of the sample with one of these in file:line"
    )
    parser.add_argument("--claims", type=int, default=0, help="mutants for which claims are judged as well; default: 0")
    kept = Path(tempfile.gettempdir()) / "ratewitness-mutation"
    parser.add_argument("--kept", type=Path, default=kept, help=f"folder for what tests reach; default: {kept}")
    parser.add_argument("--out", type=Path, help="file for one line of JSON a mutant")
    given = parser.parse_args(arguments)
    begin = time.monotonic()
    reach, mutants = Reach(coverage(given.kept)), drawn(given.mutants, given.seed)
    mutants = [each for each in mutants if not given.only or any(part in place(each) for part in given.only)]
    say(f"{len(mutants)} mutants; which tests reach what is known after {time.monotonic() - begin:.0f} s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no fork outlives this
    random.Random(given.seed).shuffle(mutants)  # what was done before an interrupt is a fair sample
    inside = [each for each in mutants if each.function]
    found = apart(lambda: serve(inside, reach), 1e6)
    if isinstance(found, str):
        raise SystemExit(f"the tests cannot be collected: {found}")
    rows = []
    for mutant in mutants:
        test, ran = found.get(mutant, ("", 0))
        if not test:
            test, ran = imported(mutant, reach)
            say(f"{place(mutant)}: {'caught by ' + test if test else f'SURVIVED {ran} tests'}")
        before, after = shown(mutant)
        row = {"file": mutant.file, "line": mutant.line, "kind": mutant.kind, "before": before, "after": after}
        rows.append(row | {"caught": test, "ran": ran, "verdict": None})
        keep(rows, given.out)
    if given.claims:
        claims = Claims()
        touching = [number for number, mutant in enumerate(mutants) if claims.reaching(mutant)]
        for number in sorted(random.Random(given.seed).sample(touching, min(given.claims, len(touching)))):
            rows[number]["verdict"] = claims.differ(mutants[number])
            say(f"{place(mutants[number])}: {rows[number]['verdict'] or 'the same verdicts'}")
            keep(rows, given.out)
    say(f"{summary(rows)}\n{time.monotonic() - begin:.0f} s")
    return int(any(not row["caught"] for row in rows))


def keep(rows: list[dict], out: Path | None) -> None:
    if out:
        out.write_text("".join(json.dumps(row) + "\n" for row in rows))


def place(mutant: Mutant) -> str:
    return f"{mutant.file}:{mutant.line}: {mutant.kind}: {' -> '.join(shown(mutant))}"


def summary(rows: list[dict]) -> str:
    """Counts by layer and by kind, and of tests beside verdicts."""
    lines = []
    for title, of in (("layer", lambda row: row["file"].partition("/")[0]), ("kind", lambda row: row["kind"])):
        counts, hit = Counter(map(of, rows)), Counter(of(row) for row in rows if row["caught"])
        lines += [f"{title} {name}: {hit[name]} of {count} caught" for name, count in counts.items()]
    lines.append(f"all: {sum(bool(row['caught']) for row in rows)} of {len(rows)} caught by the tests")
    judged = Counter((bool(row["caught"]), bool(row["verdict"])) for row in rows if row["verdict"] is not None)
    words = {(True, True): "both", (True, False): "caught by tests only", (False, True): "changes a verdict only"}
    words[False, False] = "neither"
    lines += [f"{word}: {judged[key]} of {judged.total()} with claims" for key, word in words.items() if judged]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
