"""Periods: how a regular execution says when it runs, and the rule of the core (``core.recurrence``) that this is.

What each period means is what the vendor's ``ita_by_conductor_regularly`` makes of it: hours and minutes count from the
start; days, weeks and months go by the calendar from the day, week (from Sunday on) or month of the start, at ``time``;
a month without the day is left out. Nothing is due before the start, after the end, or within the stop, its ends
included.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

from dispatcher.core import recurrence, recurrence_text
from dispatcher.core.errors import InvalidValue
from dispatcher.core.recurrence_text import YEARS, Frequency, RecurrenceText, RuleText

_SECOND = timedelta(seconds=1)
_SUNDAY = 6
#: Which of the weekdays of a month is the last one, in the vendor's words.
LAST = 5


class Period(StrEnum):
    """The periods by the vendor's ids, which stand in records."""

    HOURS = "1"
    DAYS = "2"
    WEEKS = "3"
    MONTH_DAY = "4"
    MONTH_WEEKDAY = "5"
    MONTH_END = "6"
    MINUTES = "7"

    @property
    def counts(self) -> bool:
        """Whether it counts the time that passes, and needs no time of day."""
        return self in (Period.HOURS, Period.MINUTES)


_FREQUENCIES = {
    Period.HOURS: Frequency.HOURLY,
    Period.MINUTES: Frequency.MINUTELY,
    Period.DAYS: Frequency.DAILY,
    Period.WEEKS: Frequency.WEEKLY,
}


@dataclass(frozen=True, slots=True)
class Timetable:
    """When a regular execution runs. Moments are aware UTC in whole seconds, weekdays count from Monday, 0.

    ``weekdays`` are those of WEEKS, and the one of MONTH_WEEKDAY, of which ``week`` says which in the month: 1 to 4, or
    ``LAST``. ``day`` is that of MONTH_DAY. ``at`` is the time of day of all periods that do not count.
    """

    period: Period
    interval: int
    start: datetime
    end: datetime | None = None
    at: time = time()
    weekdays: tuple[int, ...] = ()
    week: int = 1
    day: int = 1
    stop: tuple[datetime, datetime] | None = None


def to_rule(table: Timetable, zone: tzinfo) -> str | None:
    """Return the rule for *table*, by the clocks of *zone*; None if nothing is ever due.

    :raises InvalidValue: if a moment is out of the years that a rule may have.
    """
    _check_years(table.start, table.end or table.start, *(table.stop or ()))
    start, name = table.start.replace(tzinfo=None), "UTC"
    left_out: tuple[datetime, ...] = ()
    if not table.period.counts:
        name = _name(zone)
        first = table.start.astimezone(zone).replace(tzinfo=None)
        start = datetime.combine(first.date(), table.at)
        left_out = (start,) if start < first else ()
        _check_years(start)
    stops = ((table.stop[0], table.stop[1] + _SECOND),) if table.stop else ()
    text = str(RecurrenceText(start, name, _rule(table), left_out=left_out, stops=stops))
    try:
        return str(recurrence.parse(text))
    except InvalidValue as error:
        if error.member == "RRULE":  # it never occurs
            return None
        raise


def _check_years(*moments: datetime) -> None:
    if not all(one.year in YEARS for one in moments):
        raise InvalidValue("start_date", f"the years are not from {YEARS[0]} to {YEARS[-1]}")


def _name(zone: tzinfo) -> str:
    return zone.key if isinstance(zone, ZoneInfo) else "UTC"


def _rule(table: Timetable) -> RuleText:
    frequency = _FREQUENCIES.get(table.period, Frequency.MONTHLY)
    month_days: tuple[int, ...] = ()
    days: tuple[tuple[int, int], ...] = ()
    match table.period:
        case Period.WEEKS:
            days = tuple((day, 0) for day in sorted(table.weekdays))
        case Period.MONTH_WEEKDAY:
            days = ((table.weekdays[0], -1 if table.week == LAST else table.week),)
        case Period.MONTH_DAY:
            month_days = (table.day,)
        case Period.MONTH_END:
            month_days = (-1,)
    week_start = _SUNDAY if table.period is Period.WEEKS else 0
    return RuleText(frequency, table.interval, until=table.end, month_days=month_days, days=days, week_start=week_start)


def from_rule(text: str, zone: tzinfo) -> Timetable | None:
    """Return the timetable that the rule *text* is, whoever has written it; None if no period says the same.

    What goes by other clocks than those of *zone* is none.
    """
    try:
        lines = recurrence_text.parse(text)
        found = recurrence.parse(text)
    except InvalidValue:  # it is none that has due times
        return None
    rule = lines.rule
    if rule is None or rule.count or rule.months or rule.year_days or rule.hours or rule.minutes or rule.positions:
        return None
    if lines.extra or len(found.stops) > 1 or set(lines.left_out) - {lines.start}:
        return None
    period, named = _period(rule)
    if period is None or not (period.counts or found.zone.key == _name(zone)):
        return None
    start = found.first_moment() + (_SECOND if lines.left_out else timedelta())
    weekdays = tuple(day for day, _ in rule.days)
    if period is Period.WEEKS:
        weekdays = weekdays or (lines.start.weekday(),)
        if rule.interval > 1 and rule.week_start != _SUNDAY:
            return None
    return Timetable(
        period,
        rule.interval,
        start,
        None if rule.until is None else found.until,
        lines.start.time(),
        weekdays,
        LAST if named == -1 else named or 1,
        rule.month_days[0] if period is Period.MONTH_DAY and rule.month_days else lines.start.day,
        (found.stops[0][0], found.stops[0][1] - _SECOND) if found.stops else None,
    )


def _period(rule: RuleText) -> tuple[Period | None, int]:
    """Return which period *rule* is, if one is, and which weekday of the month it names, if it does."""
    by_days = bool(rule.days) + bool(rule.month_days)
    for period, frequency in _FREQUENCIES.items():
        if rule.frequency is frequency:
            return (period, 0) if not by_days or period is Period.WEEKS else (None, 0)
    if rule.frequency is not Frequency.MONTHLY or by_days > 1 or len(rule.days) > 1 or len(rule.month_days) > 1:
        return None, 0
    if rule.days:
        number = rule.days[0][1]
        return (Period.MONTH_WEEKDAY, number) if number in (1, 2, 3, 4, -1) else (None, 0)
    if rule.month_days == (-1,):
        return Period.MONTH_END, 0
    return (None, 0) if rule.month_days and rule.month_days[0] < 0 else (Period.MONTH_DAY, 0)


def next_due(text: str, after: datetime) -> datetime | None:
    """Return the first due time of the rule *text* after *after*."""
    return recurrence.parse(text).after(after.astimezone(UTC))
