"""The text of recurrences: the part of RFC 5545 that is understood, read and written. What it means: ``recurrence``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from dispatcher.core.errors import InvalidValue

#: How long the text may be, in characters.
MAX_LENGTH = 8_000
MAX_INTERVAL = 100_000
MAX_COUNT = 10_000
#: How many times of day a rule may name: every fifteen minutes.
MAX_TIMES_A_DAY = 96
#: The years that moments may lie in.
YEARS = range(1970, 2400)
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

_DATE = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z?))?")
_NUMBER = re.compile(r"[+-]?[0-9]{1,6}")
_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_LINE = re.compile(r"(DTSTART|RRULE|EXDATE|RDATE)((?:;[^:]*)?):(.*)")
#: What an EXDATE begins with that leaves out all between two moments; as RDATE has it in RFC 5545.
_PERIOD = ";VALUE=PERIOD"


class Frequency(StrEnum):
    """How often a rule occurs, before its other parts add to that or take away."""

    YEARLY = "YEARLY"
    MONTHLY = "MONTHLY"
    WEEKLY = "WEEKLY"
    DAILY = "DAILY"
    HOURLY = "HOURLY"
    MINUTELY = "MINUTELY"

    @property
    def is_calendar(self) -> bool:
        """Whether it goes by the wall clock: hours and minutes go by the time that passes."""
        return self not in (Frequency.HOURLY, Frequency.MINUTELY)


@dataclass(frozen=True, slots=True)
class RuleText:
    """The value of an RRULE. ``until`` is aware UTC, or naive: on the wall clock. Weekdays count from Monday, 0."""

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    months: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    days: tuple[tuple[int, int], ...] = ()  #: weekday, and which of them in the month or year (0: all)
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    week_start: int = 0

    def __str__(self) -> str:
        """Return the value, its parts in the order of their meaning."""
        parts = {
            "FREQ": str(self.frequency),
            "INTERVAL": "" if self.interval == 1 else str(self.interval),
            "COUNT": "" if self.count is None else str(self.count),
            "UNTIL": "" if self.until is None else format_date(self.until),
            "BYMONTH": _join(self.months),
            "BYYEARDAY": _join(self.year_days),
            "BYMONTHDAY": _join(self.month_days),
            "BYDAY": ",".join(f"{number or ''}{WEEKDAYS[day]}" for day, number in self.days),
            "BYHOUR": _join(self.hours),
            "BYMINUTE": _join(self.minutes),
            "BYSETPOS": _join(self.positions),
            "WKST": WEEKDAYS[self.week_start] if self.week_start else "",
        }
        return ";".join(f"{name}={value}" for name, value in parts.items() if value)


@dataclass(frozen=True, slots=True)
class RecurrenceText:
    """The lines of a recurrence. ``start`` is naive, on the wall clock of the zone; dates are so too, or aware UTC."""

    start: datetime
    zone: str
    rule: RuleText | None = None
    extra: tuple[datetime, ...] = ()
    left_out: tuple[datetime, ...] = ()
    stops: tuple[tuple[datetime, datetime], ...] = ()  #: periods left out, each without its end

    def __str__(self) -> str:
        """Return the text in its one form, lines joined by a line feed."""
        in_zone = f";TZID={self.zone}"
        is_utc = self.zone == "UTC"
        lines = [f"DTSTART{'' if is_utc else in_zone}:{format_date(self.start)}{'Z' if is_utc else ''}"]
        if self.rule is not None:
            lines.append(f"RRULE:{self.rule}")
        for name, dates in (("EXDATE", self.left_out), ("RDATE", self.extra)):
            local = [format_date(one) for one in dates if one.tzinfo is None]
            utc = [format_date(one) for one in dates if one.tzinfo is not None]
            lines += [f"{name}{in_zone}:{','.join(local)}"] if local else []
            lines += [f"{name}:{','.join(utc)}"] if utc else []
        for zone, is_utc in ((in_zone, False), ("", True)):
            stops = [
                f"{format_date(one)}/{format_date(end)}" for one, end in self.stops if (one.tzinfo is None) != is_utc
            ]
            lines += [f"EXDATE{_PERIOD}{zone}:{','.join(stops)}"] if stops else []
        return "\n".join(lines)


def parse(text: str) -> RecurrenceText:
    """Return what the lines of *text* say, in time proportional to its length; zones are not looked up.

    :raises InvalidValue: if something is missing, malformed, not understood, or too much; the error names the part.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidValue("recurrence", f"may have {MAX_LENGTH} characters")
    found: dict[str, list[tuple[str, str]]] = {"DTSTART": [], "RRULE": [], "EXDATE": [], "RDATE": [], _PERIOD: []}
    for line in filter(None, map(str.strip, text.split("\n"))):
        match = _LINE.fullmatch(line)
        if match is None:
            raise InvalidValue("recurrence", f"{line[:60]!r} is none of DTSTART, RRULE, EXDATE, RDATE")
        name, parameters = match[1], match[2]
        if name == "EXDATE" and parameters[: len(_PERIOD)].upper() == _PERIOD:
            found[_PERIOD].append((_zone_of(name, parameters[len(_PERIOD) :]), match[3]))
        else:
            found[name].append((_zone_of(name, parameters), match[3]))
    if len(found["DTSTART"]) != 1 or len(found["RRULE"]) > 1:
        raise InvalidValue("recurrence", "must have one DTSTART and at most one RRULE")
    zone, start = _start(*found["DTSTART"][0])
    read = RecurrenceText(
        start,
        zone,
        parse_rule(found["RRULE"][0][1]) if found["RRULE"] else None,
        extra=_dates("RDATE", found["RDATE"], zone),
        left_out=_dates("EXDATE", found["EXDATE"], zone),
        stops=_periods(found[_PERIOD], zone),
    )
    # What is stored and shown is the one form, which may be longer: a long zone stands in every line of it.
    if len(str(read)) > MAX_LENGTH:
        raise InvalidValue("recurrence", f"may have {MAX_LENGTH} characters, also with its zone in every line")
    return read


def parse_rule(text: str) -> RuleText:
    """Return the rule in *text*, the value of an RRULE.

    :raises InvalidValue: as ``parse``.
    """
    parts: dict[str, str] = {}
    for part in text.upper().rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise InvalidValue("RRULE", f"{part[:60]!r} is no part such as FREQ=DAILY")
        if name in parts:
            raise InvalidValue(f"RRULE/{name[:20]}", "stands there twice")
        parts[name] = value
    if "FREQ" not in parts:
        raise InvalidValue("RRULE/FREQ", "is missing")
    values: dict[str, Any] = {}
    for name, value in parts.items():
        if name not in _READERS:
            raise InvalidValue(f"RRULE/{name[:20]}", f"is none of {', '.join(_READERS)}")
        member, read = _READERS[name]
        try:
            values[member] = read(value)
        except ValueError as error:
            raise InvalidValue(f"RRULE/{name}", str(error)) from None
    rule = RuleText(**values)
    _check(rule)
    return rule


def _check(rule: RuleText) -> None:
    """Check that the parts of *rule* go together.

    :raises InvalidValue: if not.
    """
    frequency = rule.frequency
    by_parts = ("BYMONTH", "BYYEARDAY", "BYMONTHDAY", "BYDAY", "BYHOUR", "BYMINUTE", "BYSETPOS")
    given = [name for name in by_parts if getattr(rule, _READERS[name][0])]
    if given and not frequency.is_calendar:
        raise InvalidValue(f"RRULE/{given[0]}", f"does not go with {frequency}: use FREQ=DAILY with BYHOUR, BYMINUTE")
    if rule.count is not None and rule.until is not None:
        raise InvalidValue("RRULE/UNTIL", "does not go with COUNT")
    if rule.year_days and frequency is not Frequency.YEARLY:
        raise InvalidValue("RRULE/BYYEARDAY", "goes with YEARLY only")
    if rule.month_days and frequency is Frequency.WEEKLY:
        raise InvalidValue("RRULE/BYMONTHDAY", "does not go with WEEKLY")
    if any(number for _, number in rule.days) and frequency not in (Frequency.MONTHLY, Frequency.YEARLY):
        raise InvalidValue("RRULE/BYDAY", f"a number before the day does not go with {frequency}")
    if rule.positions and given == ["BYSETPOS"]:
        raise InvalidValue("RRULE/BYSETPOS", "needs another part to choose from")
    if (len(rule.hours) or 1) * (len(rule.minutes) or 1) > MAX_TIMES_A_DAY:
        raise InvalidValue("RRULE/BYMINUTE", f"with BYHOUR it gives more than {MAX_TIMES_A_DAY} times of day")


def _zone_of(name: str, parameters: str) -> str:
    """Return the TZID among the *parameters* of a line; empty if there is none."""
    if not parameters:
        return ""
    key, _, value = parameters[1:].partition("=")
    if key.upper() != "TZID" or not value or ";" in value:
        raise InvalidValue(name, f"{parameters[1:61]!r} is not understood: only TZID is")
    return value


def _start(zone: str, value: str) -> tuple[str, datetime]:
    start = _date("DTSTART", value)
    if start.tzinfo is not None:
        if zone:
            raise InvalidValue("DTSTART", "is in UTC and names a zone as well")
        return "UTC", start.replace(tzinfo=None)
    if not zone:
        raise InvalidValue("DTSTART", "names no zone: write ;TZID=Europe/Berlin, or Z after the time")
    return zone, start


def _dates(name: str, lines: list[tuple[str, str]], zone: str) -> tuple[datetime, ...]:
    found: list[datetime] = []
    for line_zone, value in lines:
        if line_zone not in ("", zone):
            raise InvalidValue(f"{name}/TZID", "is not the zone of DTSTART")
        found += [_date(name, one) for one in value.split(",")]
    # Times of the wall clock and in UTC are not compared: each kind is put in order by itself.
    return tuple(sorted(set(found), key=lambda one: (one.tzinfo is not None, one.replace(tzinfo=None))))


def _periods(lines: list[tuple[str, str]], zone: str) -> tuple[tuple[datetime, datetime], ...]:
    found: set[tuple[datetime, datetime]] = set()
    for line_zone, value in lines:
        if line_zone not in ("", zone):
            raise InvalidValue("EXDATE/TZID", "is not the zone of DTSTART")
        for one in value.split(","):
            first, _, last = one.partition("/")
            start, end = _date("EXDATE", first), _date("EXDATE", last)
            if start.tzinfo != end.tzinfo or start >= end:
                raise InvalidValue("EXDATE", f"{one[:60]!r} is no period such as 20260301T000000/20260302T000000")
            found.add((start, end))
    return tuple(
        sorted(found, key=lambda one: (one[0].tzinfo is not None, *(part.replace(tzinfo=None) for part in one)))
    )


def _date(name: str, text: str) -> datetime:
    try:
        return parse_date(text)
    except ValueError as error:
        raise InvalidValue(name, str(error)) from None


def parse_date(text: str, *, end_of_day: bool = False) -> datetime:
    """Return the date and time that *text* names: aware UTC with a ``Z`` at its end, else naive.

    A date alone means its midnight, or its last second at the *end_of_day*.

    :raises ValueError: if it is none, or its year is not from 1970 to 2399.
    """
    match = _DATE.fullmatch(text)
    if match is None or int(match[1][:4]) not in YEARS:
        raise ValueError(f"{text[:40]!r} is no date from {YEARS[0]} to {YEARS[-1]} such as 20260301T080000")
    midnight = "235959" if end_of_day else "000000"
    try:
        moment = datetime.strptime(match[1] + (match[2] or midnight), "%Y%m%d%H%M%S")  # noqa: DTZ007 - a wall clock's
    except ValueError:
        raise ValueError(f"{text!r} is no date and time of the calendar") from None
    return moment.replace(tzinfo=UTC) if match[3] else moment


def format_date(moment: datetime) -> str:
    """Return *moment* as ``parse_date`` reads it, in whole seconds."""
    return f"{moment:%Y%m%dT%H%M%S}{'' if moment.tzinfo is None else 'Z'}"


def _join(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


def _frequency(text: str) -> Frequency:
    try:
        return Frequency(text)
    except ValueError:
        raise ValueError(f"{text[:20]!r} is none of {', '.join(Frequency)}") from None


def _number(lowest: int, highest: int, *, signed: bool = False) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text) if _NUMBER.fullmatch(text) else 0 if lowest else -1
        if not lowest <= (abs(number) if signed else number) <= highest:
            either = f"{lowest} to {highest}" + (f" or -{highest} to -{lowest}" if signed else "")
            raise ValueError(f"{text[:20]!r} is no whole number from {either}")
        return number

    return read


def _numbers(lowest: int, highest: int, *, signed: bool = False) -> Callable[[str], tuple[int, ...]]:
    read_one = _number(lowest, highest, signed=signed)
    return lambda text: tuple(sorted({read_one(one) for one in text.split(",")}))


def _weekday(text: str) -> int:
    if text not in WEEKDAYS:
        raise ValueError(f"{text[:20]!r} is none of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(text)


def _weekdays(text: str) -> tuple[tuple[int, int], ...]:
    found = set()
    for one in text.split(","):
        match = _DAY.fullmatch(one)
        number = int(match[1] or 0) if match else 0
        if match is None or abs(number) > 53 or (match[1] and not number):
            raise ValueError(f"{one[:20]!r} is no weekday such as MO, 2TU or -1FR")
        found.add((WEEKDAYS.index(match[2]), number))
    return tuple(sorted(found))


#: The parts of a rule: the member that holds each, and what reads it (or raises ``ValueError``).
_READERS: dict[str, tuple[str, Callable[[str], object]]] = {
    "FREQ": ("frequency", _frequency),
    "INTERVAL": ("interval", _number(1, MAX_INTERVAL)),
    "COUNT": ("count", _number(1, MAX_COUNT)),
    "UNTIL": ("until", lambda text: parse_date(text, end_of_day=True)),
    "BYMONTH": ("months", _numbers(1, 12)),
    "BYYEARDAY": ("year_days", _numbers(1, 366, signed=True)),
    "BYMONTHDAY": ("month_days", _numbers(1, 31, signed=True)),
    "BYDAY": ("days", _weekdays),
    "BYHOUR": ("hours", _numbers(0, 23)),
    "BYMINUTE": ("minutes", _numbers(0, 59)),
    "BYSETPOS": ("positions", _numbers(1, 366, signed=True)),
    "WKST": ("week_start", _weekday),
}
