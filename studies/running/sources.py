"""Which source files a study depends on, and a digest of them: what makes a finished claim or a report out of date."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path


def dependencies(module: str) -> list[Path]:
    """The files of `module` and of everything it imports, directly or not, from the four layers; sorted."""
    seen: dict[str, Path] = {}
    queue = [module]
    while queue:
        name = queue.pop()
        path = _file(name)
        if name in seen or path is None:
            continue
        seen[name] = path
        queue += _imports(path)
    return sorted(seen.values())


def digest(module: str) -> str:
    """sha256 over the names and contents of the dependencies of `module`."""
    return _digest(dependencies(module))


def _digest(paths: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(path.parent.name.encode() + b"/" + path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def _file(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # `from problems.huber import huber` also asks for the module problems.huber.huber
        return None
    return Path(spec.origin) if spec and spec.origin else None


def _imports(path: Path) -> list[str]:
    found, queue = [], [ast.parse(path.read_text(encoding="utf-8"))]
    while queue:
        node = queue.pop()
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"):
            queue += ast.iter_child_nodes(node)  # what a study imports only to run as a script decides no verdict
    return [name for name in found if name.startswith("ratewitness.")]
