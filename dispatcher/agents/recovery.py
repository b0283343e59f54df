"""Recovery: what is reported of a run whose agent or slot died, from what the spool knows of it."""

from __future__ import annotations

from datetime import datetime

from dispatcher.agents.protocol import Message, RunFinished, TaskFinished
from dispatcher.agents.spool import OpenRun


def is_harmless(run: OpenRun) -> bool:
    """Whether the run can be done again as if nothing had happened: nothing has, or only repeatable tasks began."""
    return all(run.tasks[position].repeatable for position in run.started)


def last_words(
    run: OpenRun, what: str, at: datetime, *, is_aborted: bool = False, has_begun: bool = True
) -> list[Message]:
    """Return the events that end a run which was cut off because of *what* ("the agent stopped").

    Nobody knows what its task has done: it has failed with an unknown outcome, unless it was to be aborted, or it is
    known that no task has begun although a start was written down.
    """
    state = "aborted" if is_aborted else "failed"
    unfinished = [position for position in run.started if position not in run.finished]
    if not run.started or not has_begun:
        reason = f"{what} before anything had started"
    elif unfinished:
        reason = f"outcome unknown: {what} while {run.tasks[unfinished[0]].name} ran"
    else:
        reason = f"outcome unknown: {what} after {run.tasks[run.finished[-1]].name}"
    identity = {"run_id": run.run_id, "fence": run.fence, "at": at, "state": state}
    events: list[Message] = [
        TaskFinished.model_validate({**identity, "position": position, "message": reason}) for position in unfinished
    ]
    return [*events, RunFinished.model_validate({**identity, "reason": reason})]
