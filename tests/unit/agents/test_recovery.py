"""Recovery: what is said of a run that was cut off."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from dispatcher.agents import recovery
from dispatcher.agents.spool import OpenRun, TakenTask

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
    task, end = recovery.last_words(a_run(started=[0]), "the slot died", NOW, is_aborted=True)
    assert (task.state, end.state) == ("aborted", "aborted")
