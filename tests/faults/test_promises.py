"""The promises: each is held to by tests that name it, and judged by a checker that knows nothing of the product."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PROMISES = [f"P{number}" for number in range(1, 11)]
_MARK = re.compile(r"mark\.promise\(\"(P\d+)\"\)")


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_is_named_by_a_test(promise: str) -> None:
    naming = [path.name for path in TESTS.rglob("test_*.py") if promise in _MARK.findall(path.read_text())]

    assert naming


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_is_written_down(promise: str) -> None:
    assert f"**{promise}**" in (TESTS.parent / "docs" / "faults.rst").read_text()


def test_checker_shares_no_code_with_the_product() -> None:
    tree = ast.parse(Path(__file__).with_name("checker.py").read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names
