"""Schedules: how recurring jobs occur, what becomes of every due time, and a look ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import IntEnum, StrEnum
from uuid import UUID

from dispatcher.core import recurrence, windows
from dispatcher.core.durations import in_words
from dispatcher.core.errors import InvalidValue
from dispatcher.core.recurrence import END, Recurrence
from dispatcher.core.wallclock import Fold, Gap, describe

#: A due time that is noticed later than this after it came has been missed: nobody was there to see it.
GRACE = timedelta(minutes=1)
#: How old a missed due time may be to be made up for, at most.
LONGEST_MISFIRE_WINDOW = timedelta(days=31)
#: How many missed due times of a schedule are made up for, at most: a long downtime is no reason for a flood.
MAX_MADE_UP = 100
#: How many due times the longest misfire window can hold: one a minute.
MAX_IN_WINDOW = 50_000
#: Stored as the next due time where there is none: no database knows an earlier one that never comes.
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
#: The rule of a job that occurs at every boot of its agents: it has no due times of its own.
BOOT = "BOOT"
#: The rule of a job that occurs whenever somebody asks for it (``services.on_demand``), and never by itself.
DEMAND = "DEMAND"
_WITHOUT_DUE_TIMES = (BOOT, DEMAND)
#: How many due times a preview shows at most.
MAX_PREVIEW = 1_000


class Misfire(StrEnum):
    """What becomes of due times that were missed. The values are stored and must never change."""

    SKIP = "skip"  #: nothing is made up for
    ONCE = "once"  #: the latest one is made up for
    ALL = "all"  #: all that are younger than the misfire window are made up for


class Overlap(StrEnum):
    """What becomes of a due time while the job of the one before it is active. The values are stored."""

    ALLOW = "allow"  #: another job beside it
    SKIP = "skip"  #: no job
    QUEUE = "queue"  #: a job after it
    CANCEL = "cancel"  #: it is aborted, and another job starts


class Outcome(IntEnum):
    """What became of a due time. The numbers are stored and must never change."""

    FIRED = 1  #: it became a job
    HELD = 2  #: it waits for the job before it to end
    SKIPPED = 3  #: it became nothing, and the reason says why


@dataclass(frozen=True, slots=True)
class RecurrenceRequest:
    """How a caller wants a job to recur: ``rule`` as ``core.recurrence`` reads it, ``BOOT`` or ``DEMAND``.

    Due times up to ``paused_until`` are skipped.
    """

    rule: str
    gap: Gap = Gap.SHIFT
    fold: Fold = Fold.FIRST
    misfire: Misfire = Misfire.ONCE
    misfire_window: timedelta = timedelta(hours=1)
    overlap: Overlap = Overlap.ALLOW
    paused_until: datetime | None = None

    @property
    def has_due_times(self) -> bool:
        """Whether it occurs by itself."""
        return self.rule not in _WITHOUT_DUE_TIMES

    def read(self) -> Recurrence | None:
        """Return the recurrence that this describes; None for one that has no due times of its own.

        :raises InvalidValue: if it is none, or the misfire window is negative or too long.
        """
        if not timedelta() <= self.misfire_window <= LONGEST_MISFIRE_WINDOW:
            raise InvalidValue("When/MisfireWindow", f"is not from 0 to {LONGEST_MISFIRE_WINDOW.days} days")
        return recurrence.parse(self.rule, self.gap, self.fold) if self.has_due_times else None


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a recurring job occurs, and where it stands. ``next_due_at`` is None if nothing is due any more."""

    job_id: UUID
    recurrence: RecurrenceRequest
    next_due_at: datetime | None
    last_due_at: datetime | None
    is_paused: bool


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A due time and what became of it. ``job_id`` is set if it became a job."""

    due_at: datetime
    outcome: Outcome
    reason: str
    job_id: UUID | None
    noted_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """One page of a ledger. ``page`` is the page asked for, also past the end."""

    items: list[LedgerEntry]
    page: int
    page_size: int
    total: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """A due time to come: the wall clock of the rule's zone, the moment in UTC, and what the launch window makes of it.

    ``note`` says what a change of the clock has to do with it, or is empty.
    """

    local: datetime
    due_at: datetime
    note: str
    decision: windows.Decision


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of a due time: a job if there is no ``reason`` against it."""

    due_at: datetime
    reason: str = ""


def judge(
    request: RecurrenceRequest, found: Recurrence, after: datetime, now: datetime, limit: int
) -> tuple[list[Verdict], datetime | None]:
    """Return what is to become of the due times of *found* after *after* and up to *now*, and the one that follows.

    They are in order, and at most *limit*; what becomes of them does not depend on how many turns they are judged in.
    """
    dues, following = found.upto(after, now, limit)
    paused = request.paused_until
    # With the one that follows: whether a missed due time is the latest of them may show in that.
    known = dues if following is None else [*dues, following]
    missed = [due for due in known if due < now - GRACE and (paused is None or due > paused)]
    made_up_for = set(_made_up_for(request, found, missed, now))
    verdicts = []
    for due in dues:
        reason = ""
        if paused is not None and due <= paused:
            reason = paused_until(paused)
        elif due < now - GRACE and due not in made_up_for:
            reason = _missed(request, due, now)
        verdicts.append(Verdict(due, reason))
    return verdicts, following


def paused_until(moment: datetime) -> str:
    """Return why a due time up to *moment* becomes nothing."""
    return f"paused until {moment:%Y-%m-%d %H:%M:%S} UTC"


def _made_up_for(
    request: RecurrenceRequest, found: Recurrence, missed: Sequence[datetime], now: datetime
) -> Sequence[datetime]:
    """Return which of the *missed* due times are made up for."""
    if request.misfire is Misfire.SKIP or not missed:
        return ()
    if request.misfire is Misfire.ONCE:
        return missed[-1:]
    span = MAX_MADE_UP * timedelta(minutes=1)
    while True:  # the window may hold many more than are made up for: only its end is looked at then
        span = min(span, request.misfire_window)
        youngest = found.between(now - span, now - GRACE, MAX_IN_WINDOW)
        if len(youngest) >= MAX_MADE_UP or span == request.misfire_window:
            break
        span *= 4
    return [due for due in missed if due in youngest[-MAX_MADE_UP:]]


def _missed(request: RecurrenceRequest, due: datetime, now: datetime) -> str:
    late = now - due
    if request.misfire is Misfire.SKIP:
        rule = "nothing is made up for"
    elif request.misfire is Misfire.ONCE:
        rule = "only the latest is made up for"
    elif late > request.misfire_window:
        rule = f"only those of the last {in_words(request.misfire_window)} are made up for"
    else:
        rule = f"only the latest {MAX_MADE_UP} are made up for"
    return f"missed: noticed {in_words(late)} late, and {rule}"


def preview(
    found: Recurrence, after: datetime, count: int, window: windows.Window | None, outside: windows.Rule, zone: tzinfo
) -> list[Forecast]:
    """Return the next *count* due times of *found* after *after*, in order; fewer if it ends before.

    The launch *window* (None: always open) is that of an agent in *zone*, and *outside* is what happens outside it.

    :raises InvalidValue: if *count* is not from 1 to ``MAX_PREVIEW``.
    """
    if not 1 <= count <= MAX_PREVIEW:
        raise InvalidValue("count", f"{count} is not from 1 to {MAX_PREVIEW}")
    return [
        Forecast(
            due.astimezone(found.zone),
            due,
            describe(due, found.zone),
            windows.decide(window, outside, due, zone),
        )
        for due in found.between(after, END, count)
    ]
