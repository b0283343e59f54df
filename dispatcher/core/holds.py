"""Holds: why no agent may fetch a run yet, and how the runs of a job are let go batch by batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import IntEnum

from dispatcher.core.jobs import Options
from dispatcher.core.states import FINISHED, State


class Hold(IntEnum):
    """Why a run is held. The numbers are stored and must never change."""

    MOMENT = 1  #: the clock of its agent has not come to the time of the job: until ``due_at``
    BOOT = 2  #: its agent has not been booted since the run was made
    BATCH = 3  #: the batch before it has not ended
    WINDOW = 4  #: the launch window of its agent is closed: until ``due_at``
    QUEUE = 5  #: others are before it in the queue of its resource
    APPROVAL = 6  #: nobody has approved its job

    @property
    def text(self) -> str:
        """What the run waits for, in words."""
        return _TEXTS[self]


_TEXTS = {
    Hold.MOMENT: "Waiting for the time of the agent's clock",
    Hold.BOOT: "Waiting for the agent's next boot",
    Hold.BATCH: "Waiting for the batch before it",
    Hold.WINDOW: "Waiting for the launch window",
    Hold.QUEUE: "Waiting in the queue",
    Hold.APPROVAL: "Waiting for approval",
}


#: How a run that counts for a batch has ended well.
_GOOD = frozenset({State.COMPLETED})


def batch_size(options: Options | None, runs: int) -> int | None:
    """Return how many of *runs* work at once, at least 1; None if all do."""
    if options and "batch_size" in options:
        return max(options["batch_size"], 1)
    if options and "batch_share" in options:
        # Rounded first: 0.07 of 100 is 7, not the 8 that the error of the multiplication makes of it.
        return max(math.ceil(round(options["batch_share"] * runs, 6)), 1)
    return None


def stop_reason(options: Options, runs: Mapping[State, int]) -> str:
    """Return why no further batch of a job may start, empty if it may. *runs* says how many runs are in each state.

    Counted are the runs that have ended; one that was skipped had nothing to do and does not count. Every other one
    that did not complete has failed here, one whose agent never fetched it among them.
    """
    ended = {state: count for state, count in runs.items() if state in FINISHED and state is not State.SKIPPED}
    total = sum(ended.values())
    failed = sum(count for state, count in ended.items() if state not in _GOOD)
    share = options.get("stop_at_share")
    if share is None or not failed or failed < round(share * total, 6):
        return ""
    return f"stopped: {failed} of {total} failed"
