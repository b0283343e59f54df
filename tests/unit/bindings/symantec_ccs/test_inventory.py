"""Translation of what jobs are about: folders, versions, and results as clients of the original read them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from dispatcher.bindings.symantec_ccs import inventory
from dispatcher.bindings.symantec_ccs.contract import FolderSearch
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import What, WhatKind
from dispatcher.core.results import TaskResult
from dispatcher.core.states import State
from dispatcher.services.symantec_ccs.results import Evaluation

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("folder", "container", "subtree", "found"),
    [
        ("Predefined/UNIX", None, False, True),
        ("Predefined/UNIX", "standards\\predefined\\unix", False, True),
        ("Predefined/UNIX", "/Predefined/Unix/", False, True),
        ("Predefined/UNIX/Web", "predefined\\unix", False, False),
        ("Predefined/UNIX/Web", "predefined\\unix", True, True),
        ("Predefined/UNIXES", "predefined\\unix", True, False),
        ("", "Standards", False, True),
        ("Predefined", "Standards", False, False),
        ("Predefined", "Standards", True, True),
        ("", "", False, True),
    ],
)
def test_folders(folder: str, container: str | None, subtree: bool, found: bool) -> None:
    search = FolderSearch(ContainerPath=container, searchsubtree=subtree)
    assert inventory.is_in(folder, search, inventory.STANDARDS) == found


@pytest.mark.parametrize(("text", "number"), [("3.0.0", 3), ("3", 3), (" 12.0 ", 12)])
def test_versions(text: str, number: int) -> None:
    assert inventory.to_version(text) == number


@pytest.mark.parametrize("text", ["", "1.3.0", "x", "-1", "1.0.0.x", "9" * 10])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(InvalidValue, match="StandardVersion"):
        inventory.to_version(text)


def test_checks_are_told_by_what_has_become_of_them() -> None:
    module = What(UUID(int=9), "S", WhatKind.MODULE)
    states = (State.PENDING, State.FAILED, State.TIMED_OUT, State.SKIPPED, State.COMPLETED)
    checks = tuple(
        TaskResult(UUID(int=place), state.text, "command", module, place, state, output="seen")
        for place, state in enumerate(states, 1)
    )
    found = Evaluation("S", 2, "db-01", UUID(int=7), State.FAILED, NOW, checks)
    result = inventory.to_wire_result(found, None).model_dump(by_alias=True)["RawEvaluationResult"]
    assert {name: [one["Check name"] for one in kind] for name, kind in result.items() if "hecks" in name} == {
        "Checks to be manually reviewed": [State.PENDING.text],
        "Exempted Checks": [],
        "Failed Checks": [State.FAILED.text, State.TIMED_OUT.text],
        "NotApplicable Checks": [State.SKIPPED.text],
        "Passed Checks": [State.COMPLETED.text],
    }
    assert result["Compliance Statistics"] == {
        "Data collected on date": "2026-03-01T00:00:00.0000000Z",
        "Compliance score": 33.33,
        "Total checks": 5,
    }
    only = inventory.to_wire_result(found, [str(UUID(int=5)).upper()]).RawEvaluationResult
    assert [one.CheckID for one in only.passed] == [str(UUID(int=5))]
    assert (only.statistics.total, only.statistics.score) == (1, 100)
