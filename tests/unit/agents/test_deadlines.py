"""Deadlines: how long a task may take at most, and when its slot has to be done."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import time
from typing import Any

import pytest

from dispatcher.agents import foreman, slot_process
from dispatcher.agents.deadlines import END_S, STOPPED_S, longest_s
from dispatcher.agents.processes import KILL_TIMEOUT_S, STOP_TIMEOUT_S
from dispatcher.agents.slot_process import Assignment, SlotProcess
from dispatcher.agents.supervisor import TERMINATE_GRACE_S

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
    assert assignment.end_by == 100 + STOPPED_S
    assignment.check()
    assert assignment.end_by == 100 + END_S


@pytest.mark.parametrize("is_stopped", [True, False])
def test_slot_of_an_aborted_run_has_the_rest_of_its_time_once_unless_it_is_stopped(
    an_order: Any, is_stopped: bool
) -> None:
    assignment = Assignment(an_order("true"))
    process = subprocess.Popen(["sleep", "60"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    slot = SlotProcess(process, assignment)
    try:
        assert not slot.may_go_on()
        assignment.abort()
        if is_stopped:
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert slot.may_go_on() is not is_stopped
        assert not slot.may_go_on()
    finally:
        slot.end()


def test_slot_that_has_told_something_has_time_to_make_an_end(an_order: Any) -> None:
    assignment = Assignment(an_order("true"), is_aborted=True, end_by=0.0)
    slot = SlotProcess(subprocess.Popen(["echo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0), assignment)
    now = time.monotonic()
    slot.read()
    slot.end()
    assert slot.end_by is not None
    assert slot.end_by >= now + END_S


def test_time_that_a_slot_has_is_not_shortened_by_what_it_tells(an_order: Any) -> None:
    assignment = Assignment(an_order("true"), end_by=math.inf)
    assignment.hear()
    assert assignment.end_by == math.inf


def test_slot_that_may_take_for_ever_gets_no_deadline(an_order: Any) -> None:
    assignment = Assignment(an_order("true"))
    assignment.hear()
    assignment.put_off(5)
    assert assignment.end_by is None


def test_orderly_end_fits_in_the_time_for_it() -> None:
    # While time to kill is left, new ones are looked for once more.
    assert END_S > TERMINATE_GRACE_S + STOP_TIMEOUT_S + KILL_TIMEOUT_S + STOP_TIMEOUT_S
    assert foreman.STOP_TIMEOUT_S > END_S
    assert STOPPED_S > TERMINATE_GRACE_S
