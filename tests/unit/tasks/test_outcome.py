"""The outcome of a run: the table of the design, and what must hold for any run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.tasks.outcome import Ended, run_state

OK, FAILED, GONE_ON = Ended("completed", True), Ended("failed", True), Ended("failed", False)
SKIPPED = Ended("skipped", True)
LATE, LATE_GONE_ON, ABORTED = Ended("timed_out", True), Ended("timed_out", False), Ended("aborted", True)


@pytest.mark.parametrize(
    ("ended", "tasks", "modules", "state"),
    [
        ([], 0, 1, "completed"),
        ([OK, OK], 2, 2, "completed"),
        ([FAILED], 1, 1, "failed"),
        ([OK, FAILED], 3, 1, "failed"),
        ([OK, FAILED], 3, 2, "stopped"),
        ([OK, FAILED], 2, 2, "failed"),
        ([GONE_ON, OK], 2, 1, "completed_with_errors"),
        ([OK, GONE_ON], 2, 1, "completed_with_errors"),
        ([GONE_ON, GONE_ON], 2, 2, "failed"),
        ([GONE_ON, OK, FAILED], 4, 2, "stopped"),
        ([LATE], 2, 2, "timed_out"),
        ([LATE_GONE_ON, OK], 2, 1, "completed_with_errors"),
        ([LATE_GONE_ON], 1, 1, "timed_out"),
        ([LATE_GONE_ON, GONE_ON], 2, 1, "failed"),
        ([OK, ABORTED], 3, 1, "aborted"),
        ([SKIPPED, SKIPPED], 2, 2, "skipped"),
        ([SKIPPED, OK], 2, 1, "completed"),
        ([OK, SKIPPED], 2, 1, "completed"),
        ([SKIPPED, FAILED], 2, 2, "failed"),
        ([SKIPPED, FAILED], 3, 2, "stopped"),
        ([GONE_ON, SKIPPED], 2, 1, "failed"),
        ([SKIPPED, ABORTED], 2, 1, "aborted"),
    ],
)
def test_table(ended: list[Ended], tasks: int, modules: int, state: str) -> None:
    assert run_state(ended, tasks, modules) == state


STATES = st.sampled_from(["completed", "failed", "timed_out", "aborted", "skipped"])
ENDED = st.builds(Ended, STATES, st.booleans())


@given(st.lists(ENDED, max_size=6), st.integers(0, 3), st.integers(1, 3))
def test_completed_means_every_task_completed_or_was_skipped(ended: list[Ended], left: int, modules: int) -> None:
    state = run_state(ended, len(ended) + left, modules)
    states = {one.state for one in ended}
    assert (state == "completed") == (states <= {"completed", "skipped"} and states != {"skipped"})
    assert (state == "skipped") == (states == {"skipped"})
    assert (state == "aborted") == any(one.state == "aborted" for one in ended)
    assert (state != "stopped") or modules > 1
