"""Schedules on the wire as recurrences of the core. Total and pure, as ``translate``.

What the samples of the vendor do not show is a choice (docs/dialects/symantec-ccs.rst): ``RecurrenceType`` 0 is every
so many days, 1 weekly, 2 monthly; weekdays count from Sunday, 0, as in .NET; ordinals from 1, and 5 is the last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from dispatcher.bindings.symantec_ccs import contract
from dispatcher.core import recurrence_kinds
from dispatcher.core.errors import InvalidValue
from dispatcher.core.options import MAX_TIME_S
from dispatcher.core.recurrence_text import MAX_INTERVAL, YEARS
from dispatcher.core.schedules import DEMAND, RecurrenceRequest
from dispatcher.core.wallclock import fixed_zone_name

_DAILY, _WEEKLY, _MONTHLY = range(3)
_LAST = 5
#: [d.]hh:mm:ss[.fraction], as .NET writes a TimeSpan
_SPAN = re.compile(r"(?:([0-9]{1,5})\.)?([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.[0-9]{1,7})?)?")


@dataclass(frozen=True, slots=True)
class Timing:
    """When a job runs: at once, by a recurrence, or both; without either only on demand. ``limit`` is for each run."""

    runs_now: bool
    recurrence: RecurrenceRequest
    limit: timedelta | None


def to_timing(schedule: contract.Schedule, now: datetime, site_zone: tzinfo) -> Timing:
    """Return when a job with this *schedule* runs, as it is understood at *now* (aware).

    RunNow comes first, then RunPeriodically, then RunOnce; RunOnce at a time that is over already is at once.

    :raises InvalidValue: if a member that counts is missing or impossible.
    """
    limit = _limit(schedule)
    rule = DEMAND
    runs_now = bool(schedule.RunNow)
    if not runs_now and schedule.RunPeriodically:
        rule = _periodic(schedule, *_start(schedule, now, site_zone))
    elif not runs_now and schedule.RunOnce:
        if not (schedule.StartDate or "").strip():
            raise InvalidValue("Schedule.StartDate", "is missing")
        start, zone, moment = _start(schedule, now, site_zone)
        runs_now = moment <= now
        rule = DEMAND if runs_now else recurrence_kinds.once(start, zone)
    return Timing(runs_now, RecurrenceRequest(rule), limit)


def _periodic(schedule: contract.Schedule, start: datetime, zone: str, _: datetime) -> str:
    kind = schedule.RecurrenceType or _DAILY
    if schedule.RunEveryNDays or (kind == _DAILY and not schedule.RepeatMinutes):
        days = _within("RepeatDays", schedule.RepeatDays, 1, MAX_INTERVAL)
        return recurrence_kinds.every_n_days(start, zone, days)
    if kind == _DAILY:
        minutes = _within("RepeatMinutes", schedule.RepeatMinutes, 1, MAX_INTERVAL)
        return recurrence_kinds.every_n_minutes(start, zone, minutes)
    if kind == _WEEKLY:
        weeks = _within("WeeklyRecurEvery", schedule.WeeklyRecurEvery or 1, 1, MAX_INTERVAL)
        return recurrence_kinds.weekly(start, zone, [_weekday("WeeklyDay", schedule.WeeklyDay)], weeks)
    if kind != _MONTHLY:
        raise InvalidValue("Schedule.RecurrenceType", f"{kind} is none of 0 (days), 1 (weekly), 2 (monthly)")
    months = _within("MonthlyRecurEvery", schedule.MonthlyRecurEvery or 1, 1, MAX_INTERVAL)
    if schedule.MonthlyIsByOrdinalDay:
        ordinal = _within("MonthlyOrdinalDay", schedule.MonthlyOrdinalDay, 1, _LAST)
        day = _weekday("MonthlyDayOfTheWeek", schedule.MonthlyDayOfTheWeek)
        return recurrence_kinds.monthly_nth(start, zone, -1 if ordinal == _LAST else ordinal, day, months)
    return recurrence_kinds.monthly_days(start, zone, [_within("MonthlyDay", schedule.MonthlyDay, 1, 31)], months)


def _start(schedule: contract.Schedule, now: datetime, site_zone: tzinfo) -> tuple[datetime, str, datetime]:
    """Return the start on the wall clock, the name of its zone, and as a moment; without a StartDate that is *now*.

    The zone is the site's where its clocks show what the StartDate says, else one that is always that far from UTC.
    """
    text = (schedule.StartDate or "").strip()
    try:
        start = datetime.fromisoformat(text) if text else now.astimezone(site_zone)
        if start.tzinfo is None:
            start = start.replace(tzinfo=site_zone)
        if start.year not in YEARS:
            raise ValueError(f"the year is not from {YEARS[0]} to {YEARS[-1]}")
        moment = start.astimezone(UTC).replace(microsecond=0)
        at_site = moment.astimezone(site_zone)
        offset = start.utcoffset() or timedelta()
        name = _name(site_zone) if at_site.utcoffset() == offset else fixed_zone_name(offset)
    except (ValueError, OverflowError) as error:
        raise InvalidValue("Schedule.StartDate", f"{text[:50]!r} is no date: {error}") from None
    return start.replace(tzinfo=None, microsecond=0), name, moment


def _name(zone: tzinfo) -> str:
    return zone.key if isinstance(zone, ZoneInfo) else "UTC"


def _limit(schedule: contract.Schedule) -> timedelta | None:
    """Return after which time each run is to end, if it is to."""
    if not schedule.EndJobRunConfigured:
        return None
    text = (schedule.EndJobRunTimeInterval or "").strip()
    if not text:
        raise InvalidValue("Schedule.EndJobRunTimeInterval", "is missing")
    match = _SPAN.fullmatch(text)
    if match is None:
        raise InvalidValue("Schedule.EndJobRunTimeInterval", f"{text[:50]!r} is no time such as 02:30:00")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    limit = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta() < limit <= timedelta(seconds=MAX_TIME_S):
        raise InvalidValue("Schedule.EndJobRunTimeInterval", f"{text} is not above zero and up to a year")
    return limit


def _weekday(member: str, number: int | None) -> int:
    """Return the weekday that .NET calls *number*, from Sunday, 0, on as the core counts it: from Monday, 0, on."""
    return (_within(member, number, 0, 6) - 1) % 7


def _within(member: str, number: int | None, low: int, high: int) -> int:
    if number is None:
        raise InvalidValue(f"Schedule.{member}", "is missing")
    if not low <= number <= high:
        raise InvalidValue(f"Schedule.{member}", f"{number} is not from {low} to {high}")
    return number
