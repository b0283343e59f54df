"""The kinds of recurrence that people ask for by name, as texts that ``core.recurrence`` reads.

``start`` is the earliest due time on the wall clock of ``zone`` (without a zone of its own), and gives the time of day;
``end``, in the same way, is the latest. Weekdays count from Monday, 0.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from dispatcher.core.errors import InvalidValue
from dispatcher.core.recurrence_text import Frequency, RecurrenceText, RuleText, parse

_WORKING_DAYS = range(5)
#: Days that people say "the last" of the month of, and up to which they count.
_NTH = (1, 2, 3, 4, 5, -1)


def once(start: datetime, zone: str) -> str:
    """At *start* only."""
    return _text(start, zone, None)


def every_n_days(start: datetime, zone: str, days: int = 1, end: datetime | None = None) -> str:
    """Every so many *days*, at the same time of day."""
    return _text(start, zone, RuleText(Frequency.DAILY, days, until=end))


def weekdays(start: datetime, zone: str, end: datetime | None = None) -> str:
    """On every day from Monday to Friday."""
    return weekly(start, zone, _WORKING_DAYS, end=end)


def weekly(start: datetime, zone: str, days: Collection[int], weeks: int = 1, end: datetime | None = None) -> str:
    """On these *days* of every week, or of every so many *weeks*.

    :raises InvalidValue: if a day is not from 0 to 6, or there is none.
    """
    return _text(start, zone, RuleText(Frequency.WEEKLY, weeks, until=end, days=_days(days)))


def monthly_days(
    start: datetime, zone: str, days: Collection[int], months: int = 1, end: datetime | None = None
) -> str:
    """On these *days*, from 1 to 31, of every month, or of every so many *months*; a month without one leaves it out.

    :raises InvalidValue: if there is no such day.
    """
    if not days:
        raise InvalidValue("days", "are missing")
    return _text(start, zone, RuleText(Frequency.MONTHLY, months, until=end, month_days=tuple(sorted({*days}))))


def monthly_nth(start: datetime, zone: str, index: int, day: int, months: int = 1, end: datetime | None = None) -> str:
    """On the weekday *day* of every month (or of every so many): the first to fifth by *index*, -1 for the last.

    :raises InvalidValue: if *index* or *day* is none of these.
    """
    if index not in _NTH:
        raise InvalidValue("index", f"{index} is none of {', '.join(map(str, _NTH))}")
    ((number, _),) = _days([day])
    return _text(start, zone, RuleText(Frequency.MONTHLY, months, until=end, days=((number, index),)))


def end_of_month(start: datetime, zone: str, months: int = 1, end: datetime | None = None) -> str:
    """On the last day of every month, or of every so many *months*."""
    return _text(start, zone, RuleText(Frequency.MONTHLY, months, until=end, month_days=(-1,)))


def every_n_hours(start: datetime, zone: str, hours: int = 1, end: datetime | None = None) -> str:
    """Every so many *hours* of time that passes, whatever the clocks show."""
    return _text(start, zone, RuleText(Frequency.HOURLY, hours, until=end))


def every_n_minutes(start: datetime, zone: str, minutes: int, end: datetime | None = None) -> str:
    """Every so many *minutes* of time that passes, whatever the clocks show."""
    return _text(start, zone, RuleText(Frequency.MINUTELY, minutes, until=end))


def _days(days: Collection[int]) -> tuple[tuple[int, int], ...]:
    if not days or not all(0 <= day < 7 for day in days):
        raise InvalidValue("days", "must be weekdays from 0, Monday, to 6")
    return tuple((day, 0) for day in sorted({*days}))


def _text(start: datetime, zone: str, rule: RuleText | None) -> str:
    """Return the text, after it has been read as anybody's would be."""
    return str(parse(str(RecurrenceText(start, zone, rule))))
