"""Launch windows: the half-hours of a week in which jobs may start on an agent, and what happens outside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum
from functools import lru_cache

from dispatcher.core.errors import InvalidValue
from dispatcher.core.wallclock import change_between

HALF_HOUR = timedelta(minutes=30)
HALF_HOURS_A_DAY = 48
HALF_HOURS_A_WEEK = 7 * HALF_HOURS_A_DAY
#: How long the text of a window may be, in characters.
MAX_LENGTH = 2_000
#: After so many days without an open half-hour there is none: a change of the clock may take one away for a week.
_LOOK_AHEAD = timedelta(days=15)

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY_NUMBERS = {name.lower(): number for number, name in enumerate(_DAYS)}
_HEX = re.compile(r"[0-9A-Fa-f]{84}")
_PIECE = re.compile(
    r"(?:(?P<first>[A-Za-z]{3})(?:-(?P<last>[A-Za-z]{3}))?)?"
    r"(?:\s*(?P<start>[0-9]{1,2}:[0-9]{2})-(?P<end>[0-9]{1,2}:[0-9]{2}))?"
)


@dataclass(frozen=True, slots=True)
class Window:
    """A week of half-hours, Monday 00:00 first. Open at a moment if the half-hour on the wall clock there is.

    ``bits`` has one bit for each half-hour, the first one highest. The clock is that of the place asked about, or
    UTC everywhere if ``is_utc``.
    """

    bits: int
    is_utc: bool = False

    def is_open(self, moment: datetime, zone: tzinfo) -> bool:
        """Whether jobs may start at *moment* where the clocks show the time of *zone*."""
        return self._has(_half_hour(moment.astimezone(self._clock(zone))))

    def next_open(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return the first moment, from *moment* on, at which the window is open, in UTC; None if it never is."""
        clock = self._clock(zone)
        if self.is_open(moment, clock):
            return moment.astimezone(UTC)
        if not self.bits:
            return None
        local = moment.astimezone(clock)
        ahead = next(n for n in range(1, HALF_HOURS_A_WEEK + 1) if self._has(_half_hour(local) + n))
        opening = _next_boundary(moment, clock) + (ahead - 1) * HALF_HOUR
        if opening.astimezone(clock).utcoffset() == local.utcoffset():
            return opening
        # The clock is changed before that: look at every half-hour on the way.
        found = (at for at in _boundaries(moment, clock) if self.is_open(at, clock))
        return next(found, None)

    def __str__(self) -> str:
        """Return the window as ``parse`` reads it: the same text for the same window."""
        suffix = " UTC" if self.is_utc else ""
        if not self.bits:
            return "0" * 84 + suffix
        days_of: dict[tuple[tuple[int, int], ...], list[int]] = {}
        for day in range(7):
            if spans := tuple(self._spans(day)):
                days_of.setdefault(spans, []).append(day)
        lines = [
            f"{_day_text(days)} {_time_text(start)}-{_time_text(end)}"
            for spans, days in days_of.items()
            for start, end in spans
        ]
        text = ", ".join(lines) + suffix
        return text if len(text) <= MAX_LENGTH else f"{self.bits:084x}{suffix}"

    def _clock(self, zone: tzinfo) -> tzinfo:
        return UTC if self.is_utc else zone

    def _has(self, half_hour: int) -> bool:
        return bool(self.bits >> (HALF_HOURS_A_WEEK - 1 - half_hour % HALF_HOURS_A_WEEK) & 1)

    def _spans(self, day: int) -> Iterator[tuple[int, int]]:
        """Give the open stretches of *day* as half-hours from its midnight: start and end."""
        start = None
        for half_hour in range(HALF_HOURS_A_DAY + 1):
            is_open = half_hour < HALF_HOURS_A_DAY and self._has(day * HALF_HOURS_A_DAY + half_hour)
            if is_open and start is None:
                start = half_hour
            elif not is_open and start is not None:
                yield start, half_hour
                start = None


@lru_cache(maxsize=1_000)
def parse(text: str) -> Window:
    """Return the window in *text*, in time proportional to its length.

    It is either days and times, ``Mon-Fri 20:00-06:00, Sat,Sun 00:00-24:00``: a stretch that ends before it starts
    goes on into the next day. Or it is 84 hex digits, a bit for each half-hour of the week, highest first. Which
    half-hour the vendor's first bit stands for is not known; here it is Monday 00:00. Both may end in `` UTC``: they
    mean the clock of each agent otherwise.

    :raises InvalidValue: if it is neither, or empty.
    """
    if len(text) > MAX_LENGTH:
        raise _invalid(f"may have {MAX_LENGTH} characters")
    words = text.strip()
    is_utc = words[-4:].upper() == " UTC"
    if is_utc:
        words = words[:-4].rstrip()
    if not words:
        raise _invalid("is empty")
    if _HEX.fullmatch(words):
        return Window(int(words, 16), is_utc)
    return Window(_read(words), is_utc)


def _read(text: str) -> int:
    """Return the bits of the days and times in *text*."""
    bits = 0
    days: list[int] = []
    is_timed = False  # whether the days so far already have their times
    for piece in text.split(","):
        match = _PIECE.fullmatch(piece.strip())
        if match is None or not piece.strip():
            raise _invalid(f"{piece.strip()!r} is no days and times such as Mon-Fri 20:00-06:00")
        if match["first"]:
            days = _days(match["first"], match["last"]) + ([] if is_timed else days)
            is_timed = False
        if match["start"]:
            if not days:
                raise _invalid(f"{piece.strip()!r} has no day before it")
            start, end = _stretch(match["start"], match["end"])
            for day in days:
                for half_hour in range(day * HALF_HOURS_A_DAY + start, day * HALF_HOURS_A_DAY + end):
                    bits |= 1 << (HALF_HOURS_A_WEEK - 1 - half_hour % HALF_HOURS_A_WEEK)
            is_timed = True
    if not is_timed:
        raise _invalid("the last days have no times")
    return bits


def _days(first: str, last: str | None) -> list[int]:
    for name in filter(None, (first, last)):
        if name.lower() not in _DAY_NUMBERS:
            raise _invalid(f"{name!r} is none of {', '.join(_DAYS)}")
    start = _DAY_NUMBERS[first.lower()]
    end = _DAY_NUMBERS[(last or first).lower()]
    return [(start + n) % 7 for n in range((end - start) % 7 + 1)]


def _stretch(start_text: str, end_text: str) -> tuple[int, int]:
    """Return the half-hours from midnight on at which a stretch starts and ends; it ends after it starts."""
    start, end = _time(start_text), _time(end_text)
    if start in (end, HALF_HOURS_A_DAY):
        raise _invalid(f"{start_text}-{end_text} is no stretch of time")
    return start, end if end > start else end + HALF_HOURS_A_DAY


def _time(text: str) -> int:
    hour, minute = map(int, text.split(":"))
    if minute not in (0, 30) or hour * 60 + minute > 24 * 60:
        raise _invalid(f"{text!r} is no half-hour from 00:00 to 24:00")
    return hour * 2 + minute // 30


def _day_text(days: list[int]) -> str:
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(_DAYS[run[0]] if len(run) == 1 else f"{_DAYS[run[0]]}-{_DAYS[run[-1]]}" for run in runs)


def _time_text(half_hour: int) -> str:
    return f"{half_hour // 2:02}:{half_hour % 2 * 30:02}"


def _invalid(problem: str) -> InvalidValue:
    return InvalidValue("launch window", problem)


def _half_hour(local: datetime) -> int:
    """Return which half-hour of the week a wall clock shows, from 0."""
    return local.weekday() * HALF_HOURS_A_DAY + local.hour * 2 + local.minute // 30


def _next_boundary(moment: datetime, zone: tzinfo) -> datetime:
    """Return when the half-hour that *zone*'s clock shows at *moment* is over, if nobody changes the clock."""
    local = moment.astimezone(zone)
    gone = timedelta(minutes=local.minute % 30, seconds=local.second, microseconds=local.microsecond)
    return moment.astimezone(UTC) + HALF_HOUR - gone


def _boundaries(moment: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Give, in order, the moments after *moment* at which the clock comes to another half-hour, or is changed."""
    at, end = moment.astimezone(UTC), moment.astimezone(UTC) + _LOOK_AHEAD
    while at < end:
        following = _next_boundary(at, zone)
        if following.astimezone(zone).utcoffset() != at.astimezone(zone).utcoffset():
            following = change_between(at, following, zone)
        yield following
        at = following


class Rule(Enum):
    """What happens to a run that would start outside the launch window of its agent."""

    FAIL = "fail"
    CONTINUE = "continue"
    WAIT = "wait"


class Action(Enum):
    """What a run does now."""

    START = "start"
    WAIT = "wait"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a run. ``until`` is set if it waits; ``reason`` says why it does not start."""

    action: Action
    until: datetime | None = None
    reason: str = ""


def parse_rule(text: str) -> Rule:
    """Return the rule that *text* names: ``fail``, ``continue``, ``wait``, or as clients of the vendor call them.

    :raises InvalidValue: if it is none, or empty.
    """
    name = text.strip().lower().removeprefix("launchwindow").removesuffix("job")
    try:
        return Rule(name)
    except ValueError:
        raise InvalidValue("OutsideLaunchWindow", f"{text[:100]!r} is none of fail, continue, wait") from None


_START = Decision(Action.START)


def decide(window: Window | None, rule: Rule, now: datetime, zone: tzinfo) -> Decision:
    """Return what a run does *now* on an agent with this *window* (None: always open) in the time zone *zone*."""
    if window is None or rule is Rule.CONTINUE or window.is_open(now, zone):
        return _START
    if rule is Rule.FAIL:
        return Decision(Action.FAIL, reason=f"outside the launch window {window}")
    until = window.next_open(now, zone)
    if until is None:
        return Decision(Action.FAIL, reason="its launch window is never open")
    return Decision(Action.WAIT, until, f"waits for the launch window {window}")
