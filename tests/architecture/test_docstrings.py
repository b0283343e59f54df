"""Docstrings: every module says what it is about, and what is public says what it does."""

from __future__ import annotations

import ast
import re

from sources import Definition, files, parse, public_definitions, relative

MODULES = [path for path in files("dispatcher", suffix=".py") if path.read_text(encoding="utf-8").strip()]
DOCUMENTED = files("dispatcher/core", "dispatcher/services", "dispatcher/wire", suffix=".py")


def test_modules_say_in_their_first_line_what_they_are() -> None:
    first = {relative(path): (ast.get_docstring(parse(path)) or "").partition("\n")[0] for path in MODULES}

    assert first
    assert {path: line for path, line in first.items() if not re.match(r"[A-Z`].{10,}", line)} == {}


def test_public_definitions_have_docstrings() -> None:
    definitions = [definition for path in DOCUMENTED for definition in public_definitions(path)]

    assert definitions
    assert [name for name, node in definitions if not ast.get_docstring(node) and not _is_bare(node)] == []


def _is_bare(node: Definition) -> bool:
    """Whether the body is ``...``: a member of a protocol, which the protocol's docstring explains."""
    return [ast.unparse(one) for one in node.body] == ["..."]
