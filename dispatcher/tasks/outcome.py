"""The outcome of a run, from how its tasks ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dispatcher.tasks.types import TaskState

RunState = Literal["completed", "failed", "stopped", "completed_with_errors", "timed_out", "aborted", "skipped"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a task ended whose turn had come, and what an error in it means for the tasks after it."""

    state: TaskState
    stops: bool

    @property
    def stopped(self) -> bool:
        """Whether no task may follow."""
        return self.state == "aborted" or (self.state not in ("completed", "skipped") and self.stops)


def run_state(ended: Sequence[Ended], tasks: int, modules: int) -> RunState:
    """Return the outcome of a run of *tasks* tasks in *modules* modules; *ended* are those whose turn came, in order.

    A task that its condition skipped says nothing, unless all were. A failure that stopped the run gives STOPPED only
    for a project, and only before its last task; one that did not gives COMPLETED_WITH_ERRORS, unless nothing else
    happened.
    """
    states = {one.state for one in ended} - {"skipped"}
    if not states:
        return "skipped" if ended else "completed"
    if "aborted" in states:
        return "aborted"
    if states == {"completed"}:
        return "completed"
    last = ended[-1]
    if last.stopped:
        if last.state == "timed_out":
            return "timed_out"
        return "stopped" if modules > 1 and len(ended) < tasks else "failed"
    if "completed" in states:
        return "completed_with_errors"
    return "timed_out" if states == {"timed_out"} else "failed"
