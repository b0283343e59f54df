"""Deadlines: when a slot must be done with what it was told. One that is not stands still: its task stopped it, say."""

from __future__ import annotations

from dispatcher.agents.processes import KILL_TIMEOUT_S, STOP_TIMEOUT_S
from dispatcher.agents.protocol import TaskOrder
from dispatcher.agents.supervisor import TERMINATE_GRACE_S

#: How long a slot may take to make an end of a task, in seconds: it asks, it stops what is left, it kills that and
#: what appears until the last moment, and it tells.
END_S = TERMINATE_GRACE_S + STOP_TIMEOUT_S + KILL_TIMEOUT_S + STOP_TIMEOUT_S + 1.0
#: When after an abort a slot that is stopped is not waited for any longer, in seconds: all is to be gone after ten.
STOPPED_S = TERMINATE_GRACE_S + 1.0


def longest_s(task: TaskOrder) -> float | None:
    """Return how long *task* may take with all its attempts, in seconds; None if it has no time limit."""
    if task.timeout_s is None:
        return None
    once_s = task.timeout_s + END_S
    if task.retry is None:
        return once_s
    return once_s + task.retry.times * (task.retry.max_delay_s + once_s)
