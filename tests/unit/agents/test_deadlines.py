"""Deadlines: how long a task may take at most, and when its slot has to be done."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.agents import slot_process
from dispatcher.agents.deadlines import END_S, longest_s
from dispatcher.agents.slot_process import Assignment

RETRY = {"times": 2, "delay_s": 1, "factor": 2, "max_delay_s": 30}


@pytest.mark.parametrize(
    ("task", "longest"),
    [
        ({}, None),
        ({"retry": RETRY}, None),
        ({"timeout_s": 5}, 5 + END_S),
        ({"timeout_s": 5, "retry": RETRY}, 3 * (5 + END_S) + 2 * 30),
    ],
)
def test_time_that_a_task_may_take(an_order: Any, task: dict[str, Any], longest: float | None) -> None:
    order = an_order({"settings": {"command": "true"}, **task})
    assert longest_s(order.tasks[0]) == longest


def test_deadline_of_an_abort_is_not_put_off(an_order: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(slot_process.time, "monotonic", lambda: now)
    assignment = Assignment(an_order({"settings": {"command": "true"}, "timeout_s": 5}))
    assignment.begin(0)
    assert assignment.end_by == 105 + END_S
    assignment.end()
    assert assignment.end_by is None
    assignment.abort()
    now = 101.0
    assignment.abort()
    assignment.begin(0)
    assignment.end()
    assert assignment.end_by == 100 + END_S
