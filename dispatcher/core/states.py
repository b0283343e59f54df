"""States of jobs, runs and tasks, and the moves between them (drawn in ``docs/states.rst``)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, IntEnum

from dispatcher.core.errors import InvalidMove


class State(IntEnum):
    """Where a job, a run or a task stands. The numbers are stored and must never change."""

    DISABLED = -1
    SCHEDULED = 0
    ACTIVE = 1
    ABORTING = 2
    ABORTED = 3
    COMPLETED = 4
    FAILED = 5
    STOPPED = 6  #: a project or run book that failed and was stopped before its last step
    CANCELLED = 7
    COMPLETED_WITH_ERRORS = 8
    SKIPPED = 9
    PENDING = 10  #: a run that waits for its agent
    TIMED_OUT = 11

    @property
    def text(self) -> str:
        """The state in words, as result documents and tables show it."""
        return _TEXTS.get(self, self.name.capitalize())


_TEXTS = {
    State.STOPPED: "Failed (job stopped)",
    State.COMPLETED_WITH_ERRORS: "Completed with errors",
    State.TIMED_OUT: "Timeout",
}


class Event(Enum):
    """What can happen to a job, a run or a task."""

    ENABLE = "enable"
    DISABLE = "disable"
    ACTIVATE = "activate"  #: a scheduled job is due
    START = "start"  #: a pending run was started by its agent
    REQUEUE = "requeue"  #: an active run was lost before anything had started
    ABORT = "abort"
    CONFIRM_ABORT = "confirm abort"  #: nothing of it is left running
    COMPLETE = "complete"
    COMPLETE_WITH_ERRORS = "complete with errors"
    FAIL = "fail"
    STOP = "stop"
    CANCEL = "cancel"  #: before anything of it had started
    SKIP = "skip"
    TIME_OUT = "time out"

    #: Each is there once, as the members of ``permissions.Node`` are.
    __hash__ = object.__hash__


FINISHED = frozenset(
    {
        State.ABORTED,
        State.COMPLETED,
        State.FAILED,
        State.STOPPED,
        State.CANCELLED,
        State.COMPLETED_WITH_ERRORS,
        State.SKIPPED,
        State.TIMED_OUT,
    }
)

_ENDS = {
    Event.COMPLETE: State.COMPLETED,
    Event.COMPLETE_WITH_ERRORS: State.COMPLETED_WITH_ERRORS,
    Event.FAIL: State.FAILED,
    Event.STOP: State.STOPPED,
    Event.TIME_OUT: State.TIMED_OUT,
    Event.CONFIRM_ABORT: State.ABORTED,
}

#: The one table of moves. A pair that is not here is refused.
MOVES: dict[State, dict[Event, State]] = {
    State.DISABLED: {
        Event.ENABLE: State.SCHEDULED,
        Event.ABORT: State.CANCELLED,
        Event.CANCEL: State.CANCELLED,
        Event.COMPLETE: State.COMPLETED,
    },
    State.SCHEDULED: {
        Event.DISABLE: State.DISABLED,
        Event.ACTIVATE: State.ACTIVE,
        Event.ABORT: State.CANCELLED,
        Event.CANCEL: State.CANCELLED,
        Event.SKIP: State.SKIPPED,
        Event.COMPLETE: State.COMPLETED,  # a recurring job that has no due time any more
    },
    State.PENDING: {
        Event.START: State.ACTIVE,
        Event.ABORT: State.CANCELLED,
        Event.CANCEL: State.CANCELLED,
        Event.SKIP: State.SKIPPED,
        Event.FAIL: State.FAILED,
    },
    State.ACTIVE: {
        **_ENDS,
        Event.ABORT: State.ABORTING,
        Event.REQUEUE: State.PENDING,
        Event.CANCEL: State.CANCELLED,
        Event.SKIP: State.SKIPPED,
    },
    # A run that ends by itself while it is being aborted is still reported as aborted.
    State.ABORTING: dict.fromkeys([*_ENDS, Event.CANCEL, Event.SKIP, Event.REQUEUE], State.ABORTED),
}


def move(state: int, event: Event) -> State:
    """Return the state that *event* leads to from *state*, a ``State`` or its number.

    :raises InvalidMove: if the table has no such arrow; a finished job never moves.
    """
    try:
        return MOVES[state][event]  # type: ignore[index]  # a number is found as its state is
    except KeyError:
        raise InvalidMove(f"{event.value}: not possible for something {State(state).text}") from None


def outcome(states: Iterable[State]) -> State:
    """Return the outcome of a job whose runs (or steps) ended in *states*.

    All alike give that state; none at all gives SKIPPED; any abort gives ABORTED; otherwise a mix is
    COMPLETED_WITH_ERRORS if something completed, else the worst of failure and time-out.
    """
    distinct = set(states)
    if not distinct:
        return State.SKIPPED
    if len(distinct) == 1:
        return distinct.pop()
    if State.ABORTED in distinct:
        return State.ABORTED
    if distinct & {State.COMPLETED, State.COMPLETED_WITH_ERRORS}:
        ended_well = distinct <= {State.COMPLETED, State.SKIPPED}
        return State.COMPLETED if ended_well else State.COMPLETED_WITH_ERRORS
    for worst in (State.FAILED, State.STOPPED, State.TIMED_OUT, State.CANCELLED):
        if worst in distinct:
            return worst
    return State.SKIPPED
