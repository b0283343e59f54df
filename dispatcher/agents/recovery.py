"""Recovery: what is reported of a run whose agent or slot died, from what the spool knows of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from dispatcher.agents.protocol import Message, RunFinished, TaskFinished
from dispatcher.agents.slot_process import Assignment
from dispatcher.agents.spool import OpenRun


def is_harmless(run: OpenRun) -> bool:
    """Whether the run can be done again as if nothing had happened: nothing has, or only repeatable tasks began."""
    return all(run.tasks[position].repeatable for position in run.started)


def last_words_of(assignment: Assignment, run: OpenRun, at: datetime) -> list[Message]:
    """Return the events that end a run whose slot has died, or was killed because it stood still."""
    # Here: seldom needed, and an agent would keep it in memory for good.
    from dispatcher.agents.masking import Masker
    from dispatcher.agents.scopes import Scopes

    mask = Masker(Scopes(assignment.order).secrets).text
    return last_words(
        run,
        "the slot stood still" if assignment.is_late else "the slot died",
        at,
        state="aborted" if assignment.is_aborted else "timed_out" if assignment.is_late else "failed",
        has_begun=assignment.has_begun,
        killed=[mask(name) for name in assignment.killed],
    )


def last_words(
    run: OpenRun,
    what: str,
    at: datetime,
    *,
    state: Literal["failed", "timed_out", "aborted"] = "failed",
    has_begun: bool = True,
    killed: Sequence[str] = (),
) -> list[Message]:
    """Return the events that end a run which was cut off because of *what* ("the agent stopped").

    Nobody knows what its task has done: it has failed with an unknown outcome, unless it was to be ended anyway, or it
    is known that no task has begun although a start was written down. *killed* is what was killed for it.
    """
    unfinished = [position for position in run.started if position not in run.finished]
    if not run.started or not has_begun:
        reason = f"{what} before anything had started"
    elif unfinished:
        reason = f"outcome unknown: {what} while {run.tasks[unfinished[0]].name} ran"
    else:
        reason = f"outcome unknown: {what} after {run.tasks[run.finished[-1]].name}"
    identity = {"run_id": run.run_id, "fence": run.fence, "at": at, "state": state}
    events: list[Message] = [
        TaskFinished.model_validate({**identity, "position": position, "message": reason, "killed": killed})
        for position in unfinished
    ]
    return [*events, RunFinished.model_validate({**identity, "reason": reason})]
