"""What a result depends on: every definition that a claim's check can reach; and what its page is made of.

    measured(module, name)   changes when a number could change: then the claim is checked again
    written(module)          changes when a word or a picture could: then the page is rendered again, from the kept record

A definition is a statement at the top of a file that binds a name. It reaches every name that it uses: in its own file, by
import, or as `module.name`; where a module itself is handed on (`getattr(cells, name)`), all of that module. An object's
class is reached where the object is built, so that methods need no types; what the runner hands in is in GIVEN. Comments,
docstrings, annotations, layout, the order of definitions, the words of a claim, and the file that a definition stands in
are in no digest: a refactor that moves, splits, merges or documents leaves every report as it is.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

NAME = "ratewitness"
ROOT = Path(__file__).resolve().parents[2]  # of the layers: the checkout, or the installed package
LAYERS = ("theory", "problems", "solvers", "studies")
GIVEN = tuple((f"{NAME}.studies.claims", name) for name in ("Budget", "Verdict", "QUICK", "FULL"))
PAGE = ("figures", "tables", "on_data")

Name = tuple[str, str]  # a module and a name in it; "" for what the module does when it is imported


class Bare(ast.NodeTransformer):
    """Without docstrings, annotations, and what makes a claim of a check: its kind and source are words."""

    def generic_visit(self, node):
        super().generic_visit(node)
        for place in ("returns", "annotation"):
            if getattr(node, place, None) is not None and not isinstance(node, ast.AnnAssign):
                setattr(node, place, None)
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and is_text(body[0]):
            node.body = body[1:] or [ast.Pass()]
        if made := getattr(node, "decorator_list", None):
            node.decorator_list = [each for each in made if getattr(getattr(each, "func", each), "id", "") != "claim"]
        return node


def is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


@cache
def definitions(module: str) -> tuple[dict[str, list[ast.stmt]], dict[str, Name]]:
    """The statements that bind each name of a module, and what its imports mean."""
    bound: dict[str, list[ast.stmt]] = {"": []}
    imports: dict[str, Name] = {}
    tree = ast.parse(path(module).read_text(encoding="utf-8"))
    for node in ast.walk(tree):  # an import inside a function is one as well
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                whole = alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}"
                own = alias.asname or alias.name.partition(".")[0]
                imports[own] = (whole, "*") if path(whole) else (getattr(node, "module", whole), alias.name)
    for node in tree.body:
        script = isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)
        if not (isinstance(node, ast.Import | ast.ImportFrom) or script or is_text(node)):
            for name in names_bound(node):
                bound.setdefault(name, []).append(Bare().visit(node))
    return bound, imports


def names_bound(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    stored = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return stored if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and stored else [""]


@cache
def path(module: str) -> Path | None:
    """The file of a module of this package; None for any other."""
    package, _, inner = module.partition(".")
    if package != NAME or inner.partition(".")[0] not in LAYERS:
        return None
    found = ROOT.joinpath(*inner.split("."))
    return next((p for p in (found.with_suffix(".py"), found / "__init__.py") if p.exists()), None)


@cache
def reached(name: Name) -> frozenset[Name]:
    """The names that a definition uses, one step away."""
    module, own = name
    bound, imports = definitions(module)
    if own == "*":
        return frozenset((module, each) for each in bound)
    found = {(module, "")} if own and bound[""] else set()
    for node in bound.get(own, []):
        through = set()  # modules that are only asked for one of their names
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
                target, kind = imports.get(part.value.id, ("", ""))
                if kind == "*" and any(part.attr in names for names in definitions(target)):
                    found.add((target, part.attr))
                    through.add(id(part.value))
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and id(part) not in through:
                if part.id in imports and path(imports[part.id][0]):
                    found.add(imports[part.id])
                elif part.id in bound:
                    found.add((module, part.id))
    return frozenset(follow(each) for each in found)


def follow(name: Name) -> Name:
    """Where a name that a module only hands on is defined."""
    bound, imports = definitions(name[0])
    if name[1] not in ("*", "") and name[1] not in bound and name[1] in imports and path(imports[name[1]][0]):
        return follow(imports[name[1]])
    return name


@cache
def closure(*start: Name) -> frozenset[Name]:
    seen, queue = set(), list(start)
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            queue += reached(name)
    return frozenset(seen)


@cache
def shape(name: Name) -> str:
    """The syntax of a definition, and which imports from outside the project its names are."""
    bound, imports = definitions(name[0])
    nodes = bound.get(name[1], [])
    used = {part.id for node in nodes for part in ast.walk(node) if isinstance(part, ast.Name)}
    outside = sorted((own, *imports[own]) for own in used & set(imports) if not path(imports[own][0]))
    made = {getattr(decorator, "id", "") for node in nodes for decorator in getattr(node, "decorator_list", [])}
    stream = name[0].rpartition(".")[2] if "measured" in made else ""  # a measurement that names none has its study's
    return _sha(repr((name[1], [syntax(node) for node in nodes], outside, stream)))


def syntax(node: object) -> object:
    """A tree as nested tuples, the same for every version of Python: what is empty is left out, as newer ones do."""
    if isinstance(node, ast.AST):
        fields = ((field, syntax(value)) for field, value in ast.iter_fields(node) if field not in ("ctx", "type_params"))
        return type(node).__name__, *((field, value) for field, value in fields if value not in (None, ()))
    return tuple(map(syntax, node)) if isinstance(node, list) else node


def digest(*start: Name) -> str:
    """A digest of what can be reached, whatever files it stands in. Each definition is hashed with those that it uses, in
    rounds, so that two of one name stay apart and recursion needs no order."""
    names = closure(*start)
    found = {name: shape(name) for name in names}
    while True:
        new = {name: _sha(found[name], *sorted(found[each] for each in reached(name))) for name in names}
        if len(set(new.values())) == len(set(found.values())):
            return _sha(*sorted(new.values()))
        found = new


@cache
def measured(module: str, name: str) -> str:
    """Of what the result of the claim `name` of a study depends on; its streams, on its id."""
    return _sha(module.rpartition(".")[2], name, digest((module, name), *GIVEN))


@cache
def measurements(module: str, name: str) -> frozenset[Name]:
    """The measurements that a claim can reach, which claims have in common: what stands under @measured."""
    found = set()
    for each in closure((module, name)):
        for node in definitions(each[0])[0].get(each[1], ()):
            made = (getattr(d, "func", d) for d in getattr(node, "decorator_list", []))
            if any(getattr(decorator, "id", "") == "measured" for decorator in made):
                found.add(each)
    return frozenset(found)


@cache
def reads_data(module: str, name: str, folder: bool) -> bool:
    """Whether a claim can reach `budget.data`, the user's own: a folder if it can reach a reader of shards, else a file."""
    if folder != ((f"{NAME}.problems.data.shards", "Shards") in closure((module, name))):
        return False
    statements = (node for each in closure((module, name)) for node in definitions(each[0])[0].get(each[1], ()))
    attributes = (node for each in statements for node in ast.walk(each) if isinstance(node, ast.Attribute))
    return any(node.attr == "data" and getattr(node.value, "id", "") == "budget" for node in attributes)


@cache
def written(module: str) -> str:
    """Of the words and pictures of a study: its text as it stands, and what its page is drawn with."""
    drawn = digest(*((module, part) for part in PAGE if part in definitions(module)[0]))
    return _sha(drawn, *_texts(module))


def _texts(module: str) -> list[str]:
    tree = ast.parse(path(module).read_text(encoding="utf-8"))
    found = [ast.get_docstring(tree) or ""]
    for node in tree.body:
        made = getattr(node, "decorator_list", [])
        if any(getattr(getattr(decorator, "func", decorator), "id", "") == "claim" for decorator in made):
            found += [ast.get_docstring(node) or "", *map(ast.unparse, made)]
    return found


def stamp() -> str:
    """Changes when a source file may have changed; `forget` then makes the digests see it."""
    files = sorted(p for layer in LAYERS for p in (ROOT / layer).rglob("*.py"))
    return _sha(*(str((p.relative_to(ROOT), p.stat().st_mtime_ns, p.stat().st_size)) for p in files))


def forget() -> None:
    for remembered in (definitions, path, reached, closure, shape, measured, measurements, written, reads_data, all_files):
        remembered.cache_clear()


@cache
def all_files() -> str:
    """Of every source file of the package: what a copy without version control can be cited by."""
    files = sorted(p for layer in LAYERS for p in (ROOT / layer).rglob("*.py"))
    return _sha(*(part for p in files for part in (p.relative_to(ROOT).as_posix(), p.read_text(encoding="utf-8"))))


def _sha(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
