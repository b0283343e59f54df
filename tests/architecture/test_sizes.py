"""Sizes: nothing grows so long that it cannot be read at once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from sources import files, parse, relative

LONGEST_MODULE, LONGEST_TEST_MODULE = 400, 500
#: In lines, without the docstring: nobody shall save on that.
LONGEST_FUNCTION = 40
SOURCES = files("dispatcher", "bench", "docs", "tests", suffix=".py")


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_module_is_not_too_long(path: Path) -> None:
    longest = LONGEST_TEST_MODULE if path.name.startswith("test_") else LONGEST_MODULE

    assert len(path.read_text(encoding="utf-8").splitlines()) <= longest


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_function_is_not_too_long(path: Path) -> None:
    functions = [node for node in ast.walk(parse(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    assert {node.name: _length(node) for node in functions if _length(node) > LONGEST_FUNCTION} == {}


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    docstring = function.body[0] if ast.get_docstring(function, clean=False) else None
    lines = _lines(function)
    return lines - _lines(docstring) if docstring else lines


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1
