"""Patterns: how OpsRamp says that a job repeats, and the recurrence that this is.

Days and the time of day are those of the start's own offset. The first due time of a start in the past is the next one
by the pattern; a pattern that does not repeat starts at once then.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from dispatcher.core import recurrence_kinds as kinds
from dispatcher.core.recurrence_text import RecurrenceText
from dispatcher.core.schedules import LONGEST_MISFIRE_WINDOW, Misfire, Overlap, RecurrenceRequest
from dispatcher.core.wallclock import fixed_zone_name

_SECOND = timedelta(seconds=1)


class Repeat(StrEnum):
    """The kinds of patterns. The values are stored and must never change."""

    EVERY_DAYS = "every days"
    EVERY_DAY = "every day"
    EVERY_WEEKDAY = "every weekday"  #: from Monday to Friday
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    MONTHLY_NTH = "monthly nth"
    RUN_ONCE = "run once"  #: and once more when that has ended
    NEVER = "never"  #: once only


class Pattern(BaseModel):
    """A pattern. ``days`` are weekdays from Monday, 0, or days of the month from 1, in the order they were given."""

    model_config = ConfigDict(frozen=True)

    repeat: Repeat
    interval: int = 1  #: of ``EVERY_DAYS``
    days: tuple[int, ...] = ()
    index: int = 0  #: which of the weekdays of a month, from 1; -1 is the last one


def to_recurrence(pattern: Pattern, start: datetime, now: datetime) -> RecurrenceRequest:
    """Return how a job with *pattern* recurs from the aware moment *start* on.

    :raises InvalidValue: if that is never.
    """
    if pattern.repeat in (Repeat.NEVER, Repeat.RUN_ONCE):
        return _once(max(start, _next_second(now)).astimezone(UTC), again=pattern.repeat is Repeat.RUN_ONCE)
    return RecurrenceRequest(
        _rule(pattern, start.replace(tzinfo=None), fixed_zone_name(start.utcoffset() or timedelta()))
    )


def _rule(pattern: Pattern, start: datetime, zone: str) -> str:
    match pattern.repeat:
        case Repeat.EVERY_WEEKDAY:
            return kinds.weekdays(start, zone)
        case Repeat.WEEKLY:
            return kinds.weekly(start, zone, pattern.days)
        case Repeat.MONTHLY:
            return kinds.monthly_days(start, zone, pattern.days)
        case Repeat.MONTHLY_NTH:
            return kinds.monthly_nth(start, zone, pattern.index, pattern.days[0])
    return kinds.every_n_days(start, zone, pattern.interval)


def _once(start: datetime, *, again: bool) -> RecurrenceRequest:
    local = start.replace(tzinfo=None)
    if not again:
        return RecurrenceRequest(kinds.once(local, "UTC"))
    # The second is due at once, and waits in the queue for the end of the first. Neither is left out after a downtime.
    text = RecurrenceText(local, "UTC", None, extra=(start + _SECOND,))
    return RecurrenceRequest(
        str(text), misfire=Misfire.ALL, misfire_window=LONGEST_MISFIRE_WINDOW, overlap=Overlap.QUEUE
    )


def _next_second(moment: datetime) -> datetime:
    """Return *moment*, rounded up to what a recurrence can say."""
    return moment if moment.microsecond == 0 else moment.replace(microsecond=0) + _SECOND
