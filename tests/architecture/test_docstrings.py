"""Docstrings: every module says what it is about, and what is public says what it does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from sources import Definition, files, parse, public_definitions, relative

MODULES = [path for path in files("dispatcher", suffix=".py") if path.read_text(encoding="utf-8").strip()]
DOCUMENTED = files("dispatcher/core", "dispatcher/services", "dispatcher/wire", suffix=".py")


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_module_says_in_its_first_line_what_it_is(path: Path) -> None:
    first = (ast.get_docstring(parse(path)) or "").partition("\n")[0]

    assert re.match(r"[A-Z`].{10,}", first), first


@pytest.mark.parametrize("path", DOCUMENTED, ids=relative)
def test_public_definition_has_a_docstring(path: Path) -> None:
    undocumented = [
        name for name, node in public_definitions(path) if not ast.get_docstring(node) and not _is_bare(node)
    ]

    assert undocumented == []


def _is_bare(node: Definition) -> bool:
    """Whether the body is ``...``: a member of a protocol, which the protocol's docstring explains."""
    return [ast.unparse(one) for one in node.body] == ["..."]
