"""Sources: the repository's own files, as the tests of its architecture read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dispatcher"
Definition = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
#: Not ours, or made by a tool.
_SKIPPED = {"build", "dist", "versions", "__pycache__"}


def files(*below: str, suffix: str = "") -> list[Path]:
    """Return the files under these folders of the repository (or everywhere), sorted; hidden folders are left out."""
    found: list[Path] = []
    for name in below or ("",):
        found += [path for path in (ROOT / name).rglob(f"*{suffix}") if path.is_file() and _is_ours(path)]
    return sorted(found)


def _is_ours(path: Path) -> bool:
    folders = path.relative_to(ROOT).parts[:-1]
    hidden = any(name.startswith(".") and name != ".ci" for name in folders)
    return not hidden and not _SKIPPED & {*folders} and not any(name.endswith(".egg-info") for name in folders)


def relative(path: Path) -> str:
    """Return *path* as messages show it."""
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def public_definitions(path: Path) -> Iterator[tuple[str, Definition]]:
    """Give the module, and every public class, function and method in it, with its dotted name."""
    module = parse(path)
    yield relative(path), module
    yield from _public_in(module, relative(path))


def _public_in(parent: Definition, place: str) -> Iterator[tuple[str, Definition]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            name = f"{place}: {node.name}"
            yield name, node
            if isinstance(node, ast.ClassDef):
                yield from _public_in(node, name)
