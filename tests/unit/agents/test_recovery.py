"""Recovery: what is said of a run that was cut off."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from dispatcher.agents import recovery
from dispatcher.agents.protocol import Value
from dispatcher.agents.slot_process import Assignment
from dispatcher.agents.spool import OpenRun, TakenTask
from dispatcher.core.parameters import ParameterType

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def a_run(*, started=(), finished=(), repeatable=()) -> OpenRun:
    tasks = [TakenTask(f"task {number}", number in repeatable) for number in range(3)]
    return OpenRun(uuid4(), 5, tasks, list(started), list(finished))


@pytest.mark.parametrize(
    ("run", "harmless"),
    [
        (a_run(), True),
        (a_run(started=[0]), False),
        (a_run(started=[0], repeatable=[0]), True),
        (a_run(started=[0, 1], finished=[0], repeatable=[1]), False),
        (a_run(finished=[0]), True),
    ],
)
def test_only_what_left_no_trace_may_be_done_again(run, harmless) -> None:
    assert recovery.is_harmless(run) is harmless


def test_running_task_has_an_unknown_outcome() -> None:
    run = a_run(started=[0, 1], finished=[0])
    task, end = recovery.last_words(run, "the agent stopped", NOW)
    assert (task.position, task.state, task.message) == (1, "failed", end.reason)
    assert (end.state, end.fence, end.at) == ("failed", 5, NOW)
    assert end.reason == "outcome unknown: the agent stopped while task 1 ran"


def test_run_cut_off_between_tasks() -> None:
    (end,) = recovery.last_words(a_run(started=[0], finished=[0]), "the slot died", NOW)
    assert end.reason == "outcome unknown: the slot died after task 0"
    # A task that its condition skipped has finished without a start.
    for run in (a_run(), a_run(finished=[0])):
        (end,) = recovery.last_words(run, "the slot died", NOW)
        assert end.reason == "the slot died before anything had started"


def test_aborted_run_is_aborted_however_it_ended() -> None:
    task, end = recovery.last_words(a_run(started=[0]), "the slot died", NOW, state="aborted", killed=["7 sleep"])
    assert (task.state, end.state) == ("aborted", "aborted")
    assert task.killed == ["7 sleep"]


def test_what_a_slot_left_behind_is_told_without_secrets(an_order) -> None:
    order = an_order("true", values=(Value(name="Key", type=ParameterType.PASSWORD, value="hush-hush"),))
    assignment = Assignment(order, is_late=True, has_begun=True, killed=["7 hush-hush"])
    task, end = recovery.last_words_of(assignment, a_run(started=[0]), NOW)
    assert (task.state, end.state, task.killed) == ("timed_out", "timed_out", ["7 ********"])
    assert end.reason == "outcome unknown: the slot stood still while task 0 ran"
