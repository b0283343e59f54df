"""Sizes: nothing grows so long that it cannot be read at once."""

from __future__ import annotations

import ast

from sources import files, parse, relative

LONGEST_MODULE, LONGEST_TEST_MODULE = 400, 500
#: In lines, without the docstring: nobody shall save on that.
LONGEST_FUNCTION = 40
SOURCES = files("dispatcher", "bench", "docs", "tests", suffix=".py")


def test_no_module_is_too_long() -> None:
    lengths = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}

    assert lengths
    assert {path: length for path, length in lengths.items() if length > _longest(path)} == {}


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{relative(path)}: {node.name}": _length(node)
        for path in SOURCES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert lengths
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


def _longest(path: str) -> int:
    return LONGEST_TEST_MODULE if path.rpartition("/")[2].startswith("test_") else LONGEST_MODULE


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    docstring = function.body[0] if ast.get_docstring(function, clean=False) else None
    lines = _lines(function)
    return lines - _lines(docstring) if docstring else lines


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1
