"""Schedules: OpsRamp's words for when a job starts and how it repeats (contract section 4.3), both ways."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from dispatcher.bindings.opsramp.contract import PatternBody, PatternWords, Schedule, ScheduleBody
from dispatcher.core.errors import InvalidValue
from dispatcher.core.recurrence_text import MAX_INTERVAL, YEARS
from dispatcher.services.opsramp.orders import Timing
from dispatcher.services.opsramp.patterns import Pattern, Repeat

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY_NUMBERS = {name.casefold(): number for number, name in enumerate(_DAYS)}
_INDEXES = {"First": 1, "Second": 2, "Third": 3, "Fourth": 4, "Last": -1}
_INDEX_NUMBERS = {name.casefold(): number for name, number in _INDEXES.items()}
_INDEX_NAMES = {number: name for name, number in _INDEXES.items()}
_START = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:Z|([+-][0-9]{2}):?([0-5][0-9]))", re.ASCII
)
#: The members of a pattern, as errors call them.
_PATTERN = "schedule.pattern"


def to_timing(words: ScheduleBody) -> Timing:
    """Return what *words* mean.

    :raises InvalidValue: if they mean nothing; the error names the member.
    """
    start = None if words.startDate is None else to_start(words.startDate)
    return Timing(start=start, pattern=to_pattern(words.pattern))


def to_wire_schedule(timing: Timing) -> Schedule:
    """Return *timing*, whose start is known, in OpsRamp's words."""
    assert timing.start is not None  # noqa: S101 - a stored job has one
    return Schedule(startDate=to_wire_moment(timing.start), pattern=to_wire_pattern(timing.pattern))


def to_start(text: str) -> datetime:
    """Return the moment that *text* says, to the minute, with its own offset.

    :raises InvalidValue: if it is none, or has no offset.
    """
    match = _START.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError(text)
        moment = datetime.fromisoformat(f"{match[1]}{match[2]}:{match[3]}" if match[2] else f"{match[1]}+00:00")
        in_utc = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidValue("schedule.startDate", "must be a date such as 2031-03-01T08:30:00+0000") from None
    if in_utc.year not in YEARS or moment.year not in YEARS:
        raise InvalidValue("schedule.startDate", f"must be in the years {YEARS.start} to {YEARS.stop - 1}")
    return moment.replace(second=0)


def to_wire_moment(moment: datetime) -> str:
    """Return *moment* as OpsRamp writes it: in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}+0000"


def to_pattern(words: PatternBody) -> Pattern:
    """Return the pattern that *words* mean.

    :raises InvalidValue: if they mean none; the error names the member.
    """
    match words.type.strip().casefold():
        case "daily":
            return _daily(words)
        case "weekly":
            return Pattern(repeat=Repeat.WEEKLY, days=_weekdays(words))
        case "monthly":
            return _monthly(words)
        case "run once":
            return Pattern(repeat=Repeat.RUN_ONCE)
        case "never":
            return Pattern(repeat=Repeat.NEVER)
    raise _wrong("type", "must be daily, weekly, monthly, run once or never")


def to_wire_pattern(pattern: Pattern) -> PatternWords:
    """Return *pattern* in OpsRamp's words, spelled as its pages do."""
    match pattern.repeat:
        case Repeat.EVERY_DAY:
            return PatternWords(type="daily", frequency="everyday")
        case Repeat.EVERY_WEEKDAY:
            return PatternWords(type="daily", frequency="every weekday")
        case Repeat.EVERY_DAYS:
            return PatternWords(
                type="daily", frequency="recurrence", repeatFrequency=pattern.interval, repeatType="days"
            )
        case Repeat.WEEKLY:
            return PatternWords(type="weekly", weekDays=", ".join(_DAYS[day] for day in pattern.days))
        case Repeat.MONTHLY:
            return PatternWords(type="monthly", dayOfMonth=", ".join(map(str, pattern.days)))
        case Repeat.MONTHLY_NTH:
            index, day = _INDEX_NAMES[pattern.index], _DAYS[pattern.days[0]]
            return PatternWords(type="monthly", weekIndex=index, dayOfWeek=day)
    return PatternWords(type=pattern.repeat.value)


def _daily(words: PatternBody) -> Pattern:
    match (words.frequency or "").strip().casefold():
        case "everyday":
            return Pattern(repeat=Repeat.EVERY_DAY)
        case "every weekday":
            return Pattern(repeat=Repeat.EVERY_WEEKDAY)
        case "recurrence":
            if (words.repeatType or "days").strip().casefold() != "days":
                raise _wrong("repeatType", "must be days")
            if words.repeatFrequency is None or not 1 <= words.repeatFrequency <= MAX_INTERVAL:
                raise _wrong("repeatFrequency", f"must be a number of days from 1 to {MAX_INTERVAL}")
            return Pattern(repeat=Repeat.EVERY_DAYS, interval=words.repeatFrequency)
    raise _wrong("frequency", "must be everyday, every weekday or recurrence")


def _weekdays(words: PatternBody) -> tuple[int, ...]:
    """Return the days of a weekly pattern. Seed: "type as weekly, then frequency is the day on which the job is run"
    (so ``frequency`` may hold them, too).
    """
    member = "frequency" if words.weekDays is None and words.frequency is not None else "weekDays"
    days = [_DAY_NUMBERS.get(name.casefold()) for name in _parts(words.weekDays or words.frequency or "")]
    known = tuple(dict.fromkeys(day for day in days if day is not None))
    if not days or None in days:
        raise _wrong(member, "must be days such as Monday, Friday")
    others = {_DAY_NUMBERS.get(name.casefold()) for name in _parts(words.frequency or "")} - {None}
    if others and others != set(known):
        raise _wrong("frequency", f"is not the days that weekDays are: {words.weekDays}")
    return known


def _monthly(words: PatternBody) -> Pattern:
    index_name, numbers = _said(words.weekIndex), _said(words.dayOfMonth)
    weekday = _agreed("dayOfIndex", _said(words.dayOfWeek), _said(words.dayOfIndex))
    if numbers and index_name and (weekday is None or numbers.casefold() in _DAY_NUMBERS):
        # Seed: "Provide weekIndex as First and dayOfMonth as Sunday".
        weekday, numbers = _agreed("dayOfMonth", weekday, numbers), None
    if index_name is None and weekday is None:
        return Pattern(repeat=Repeat.MONTHLY, days=_month_days(numbers))
    if numbers is not None:
        raise _wrong("dayOfMonth", "cannot be given together with weekIndex and dayOfWeek")
    index = _INDEX_NUMBERS.get((index_name or "").casefold())
    if index is None:
        raise _wrong("weekIndex", f"must be {', '.join(_INDEXES)}")
    day = _DAY_NUMBERS.get((weekday or "").casefold())
    if day is None:
        raise _wrong("dayOfWeek", "must be a day such as Monday")
    return Pattern(repeat=Repeat.MONTHLY_NTH, index=index, days=(day,))


def _said(text: str | None) -> str | None:
    return (text or "").strip() or None


def _agreed(member: str, one: str | None, other: str | None) -> str | None:
    """Return the day that is said as *one* or as *other*, which is called *member*.

    :raises InvalidValue: if both are said, and differ.
    """
    if one and other and one.casefold() != other.casefold():
        raise _wrong(member, f"is not the day that is said besides: {one[:100]}")
    return one or other


def _month_days(text: str | None) -> tuple[int, ...]:
    parts = _parts(text or "")
    days = [int(part) if re.fullmatch("[0-9]{1,2}", part) else 0 for part in parts]
    if not days or not all(1 <= day <= 31 for day in days):
        raise _wrong("dayOfMonth", "must be days from 1 to 31")
    return tuple(dict.fromkeys(days))


def _parts(text: str) -> Sequence[str]:
    """Return the parts of a comma list; an empty part is one, too, unless there is nothing else."""
    return [part.strip() for part in text.split(",")] if text.strip() else []


def _wrong(member: str, problem: str) -> InvalidValue:
    return InvalidValue(f"{_PATTERN}.{member}", problem)
