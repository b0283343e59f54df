"""YAML texts: what is YAML, and that saying so takes no longer than reading it."""

from __future__ import annotations

import time

import pytest

from dispatcher.tasks.ansible_playbook import TYPE
from dispatcher.tasks.yaml_texts import yaml_problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ""),
        ("%YAML 1.1\n---\n- {a: b}\n", ""),
        ("a: |\n  %TAG !a! b\n", ""),
        ("[[a]]", ""),
        ("[[[a]]]", "nested deeper than 2"),
        ("[" * 4000, "nested deeper than 2"),
        ("{a: " * 4000, "nested deeper than 2"),
        ("- " * 4000, "nested deeper than 2"),
        ("a: 1\nb: [\n", "while parsing a flow node did not find expected node content, line 3, column 1"),
        ("a: \0", "a character that YAML does not allow, at 3"),
        ("- &a [*a]\n- {b: &b 1}\n- *b\n", ""),
        ("- a: *x\n", "found undefined alias, line 1, column 6"),
        ("--- &a 1\n--- *a\n", "found undefined alias, line 2, column 5"),
        ("- &a 1\n- &a 2\n", "found duplicate anchor, line 2, column 3"),
        ("%TAG !a! b\n---\na\n", "%TAG is not allowed"),
        ("\ufeff%TAG !a! b\n---\na\n", "%TAG is not allowed"),
        ("a\r...\r%TAG !a! b\r---\ra\r", "%TAG is not allowed"),
        ("a\n...\n\u2028%TAG !a! b\n---\na\n", "%TAG is not allowed"),
    ],
)
def test_what_is_no_yaml_is_told(text: str, problem: str) -> None:
    assert yaml_problem(text, 2) == problem


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"%TAG !{number:x}! b\n" for number in range(40_000)) + "---\na\n",
        f"%TAG !a! {'b' * 490_000}\n---\n" + "- !a!x y\n" * 40_000,
    ],
    ids=["many", "long"],
)
def test_tags_keep_nobody_busy(text: str) -> None:
    """Parsers compare each directive with all before it, and write out each tag: seconds, in which nobody else runs."""
    start = time.process_time()
    with pytest.raises(ValueError, match="is no YAML: %TAG is not allowed"):
        TYPE.Settings.model_validate({"playbook": text})
    assert time.process_time() - start < 0.5
