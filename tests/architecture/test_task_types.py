"""Task types: each is documented with every setting, and the examples are right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dispatcher.tasks.registry import task_type, task_types

DOCUMENT = Path(__file__).parents[2] / "docs" / "tasks.rst"
TEXT = DOCUMENT.read_text("utf-8")
SECTIONS = dict(re.findall(r"^(\w+)\n-+\n\n(.*?)(?=^\w+\n-+\n|\Z)", TEXT, re.MULTILINE | re.DOTALL))
EXAMPLES = re.findall(r"code-block:: yaml\n\n((?: {3}.*\n|\n)+)", TEXT)


@pytest.mark.parametrize("name", [kind.name for kind in task_types()])
def test_every_setting_is_described(name: str) -> None:
    settings = task_type(name).Settings.model_fields
    shared = "directory environment success_codes" if name == "script" else ""
    described = set(re.findall(r"``(\w+)``", SECTIONS[name])) | set(shared.split())
    assert set(settings) <= described


def test_every_type_has_an_example() -> None:
    examples = [task["type"] for text in EXAMPLES for task in yaml.safe_load(text)]
    assert set(examples) == {kind.name for kind in task_types()}


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_are_right(text: str) -> None:
    for task in yaml.safe_load(text):
        kind: Any = task_type(task["type"])
        settings = kind.Settings.model_validate(task["settings"])
        kind.references(settings, ["LINUX"])
        assert kind.summary(settings)
