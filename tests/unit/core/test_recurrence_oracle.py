"""Recurrence beside an oracle that shares no code with it: it walks minute by minute and asks the calendar."""

from __future__ import annotations

import calendar
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest

from dispatcher.core.recurrence import parse
from dispatcher.core.wallclock import Fold, Gap

FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2041, 1, 1, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
#: How far around a change of the clocks is walked.
AROUND = timedelta(days=2)
#: A Monday on the wall clock.
START = datetime.fromisoformat("2023-12-04T02:30")
ALL_ZONES = os.environ.get("FAULTS") == "long"
#: How far it is from one look at the clocks to the next: nowhere are they changed, and changed back, within a week.
STEP = timedelta(days=1 if ALL_ZONES else 7)


@cache
def changes(name: str) -> tuple[tuple[datetime, int, int], ...]:
    """Return the changes of the clocks in a zone: the moment, and the offset in seconds before and after it."""
    zone = ZoneInfo(name)
    found = []
    at = FIRST
    before = _offset(at, zone)
    while at < LAST:
        after = _offset(at + STEP, zone)
        if after != before:
            first, last = 0, STEP // MINUTE
            while last - first > 1:
                middle = (first + last) // 2
                first, last = (middle, last) if _offset(at + middle * MINUTE, zone) == before else (first, middle)
            found.append((at + last * MINUTE, before, _offset(at + last * MINUTE, zone)))
            assert found[-1][2] == after, "two changes within a step"
        before = after
        at += STEP
    return tuple(found)


def _offset(moment: datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def groups() -> list[list[str]]:
    """Return the zones, those with the same changes together."""
    by_changes: dict[object, list[str]] = {}
    for name in sorted(available_timezones()):
        by_changes.setdefault((changes(name), _offset(FIRST, ZoneInfo(name))), []).append(name)
    return list(by_changes.values())


GROUPS = groups()
#: One zone for each distinct set of changes, or every zone.
ZONES = [name for group in GROUPS for name in (group if ALL_ZONES else group[:1])]

Fits = Callable[[datetime], bool]
#: Rules for a START at 2:30, and what the calendar says of a wall clock's minute.
RULES: list[tuple[str, Fits]] = [
    ("FREQ=DAILY", lambda at: (at.hour, at.minute) == (2, 30)),
    ("FREQ=DAILY;INTERVAL=3;BYHOUR=0;BYMINUTE=0", lambda at: _days(at) % 3 == 0 and (at.hour, at.minute) == (0, 0)),
    (
        "FREQ=DAILY;BYHOUR=0,1,2,3;BYMINUTE=0,15,30,45",
        lambda at: at.hour < 4 and at.minute % 15 == 0,
    ),
    (
        "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SU;BYHOUR=1,23;BYMINUTE=59",
        lambda at: at.weekday() != 5 and at.hour in (1, 23) and at.minute == 59,
    ),
    (
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,SA;BYHOUR=2;BYMINUTE=0",
        lambda at: _days(at) // 7 % 2 == 0 and at.weekday() >= 5 and (at.hour, at.minute) == (2, 0),
    ),
    (
        "FREQ=MONTHLY;BYDAY=-1SU,2SU,1SU;BYHOUR=1,2,3;BYMINUTE=30",
        lambda at: at.weekday() == 6 and at.hour in (1, 2, 3) and at.minute == 30 and (at.day <= 14 or _left(at) < 7),
    ),
    (
        "FREQ=MONTHLY;BYMONTHDAY=-1,1;BYHOUR=0;BYMINUTE=30",
        lambda at: (at.day == 1 or _left(at) == 0) and (at.hour, at.minute) == (0, 30),
    ),
    (
        "FREQ=YEARLY;BYMONTH=3,4,9,10,11;BYDAY=SU,SA;BYHOUR=2,3;BYMINUTE=0",
        lambda at: at.month in (3, 4, 9, 10, 11) and at.weekday() >= 5 and at.hour in (2, 3) and at.minute == 0,
    ),
]
#: Every way in which gaps and folds can be treated.
WAYS = [(Gap.SHIFT, Fold.FIRST), (Gap.SKIP, Fold.SECOND), (Gap.SHIFT, Fold.BOTH)]


def _days(at: datetime) -> int:
    return (at.date() - START.date()).days


def _left(at: datetime) -> int:
    return calendar.monthrange(at.year, at.month)[1] - at.day


@cache
def walk(change: tuple[datetime, int, int], fits: Fits, gap: Gap, fold: Fold) -> list[datetime]:
    """Return the due times around one change of the clocks."""
    return list(_walk(change, fits, gap, fold))


def _walk(change: tuple[datetime, int, int], fits: Fits, gap: Gap, fold: Fold) -> Iterator[datetime]:
    """Give the due times around one change of the clocks: every minute of time is asked what the clock shows.

    The wall clock is reckoned here from the two offsets; the zone itself is not asked.
    """
    moment, before, after = change
    leap = timedelta(seconds=after - before)
    at = moment - AROUND
    while at <= moment + AROUND:
        shown = (at + timedelta(seconds=before if at < moment else after)).replace(tzinfo=None)
        comes_again = leap < timedelta() and moment + leap <= at < moment
        came_before = leap < timedelta() and moment <= at < moment - leap
        wanted = not (comes_again and fold is Fold.SECOND) and not (came_before and fold is Fold.FIRST)
        left_out = at == moment and leap > timedelta() and gap is Gap.SHIFT and _any_within(shown - leap, shown, fits)
        if (fits(shown) and wanted) or left_out:
            yield at
        at += MINUTE


def _any_within(start: datetime, end: datetime, fits: Fits) -> bool:
    """Whether the rule names a time that the clocks leap over."""
    while start < end:
        if fits(start):
            return True
        start += MINUTE
    return False


@pytest.mark.parametrize("zone", [name for name in ZONES if changes(name)])
def test_due_times_around_changes_of_the_clocks(zone: str) -> None:
    place = next(number for number, group in enumerate(GROUPS) if zone in group)
    every = changes(zone) if ALL_ZONES else _sample(zone)
    for number, change in enumerate(every):
        # Each change with some of the rules: over the changes and zones all of them come round.
        for turn in range(3):
            value, fits = RULES[(place + number * 3 + turn) % len(RULES)]
            gap, fold = WAYS[(place + number + turn) % len(WAYS)]
            found = parse(f"DTSTART;TZID={zone}:{START:%Y%m%dT%H%M%S}\nRRULE:{value}", gap, fold)
            moment = change[0]
            expected = walk(change, fits, gap, fold)

            due = found.between(moment - AROUND - MINUTE, moment + AROUND, 10_000)

            assert due == expected, (zone, value, gap, fold, moment)


def _sample(zone: str) -> list[tuple[datetime, int, int]]:
    """Return every distinct kind of change of the zone, by month, offsets and time of day, and at most eight."""
    kinds = {
        (moment.month, moment.time(), before, after): (moment, before, after) for moment, before, after in changes(zone)
    }
    return list(kinds.values())[:8]


@pytest.mark.parametrize("zone", [name for name in ZONES if not changes(name)])
def test_due_times_where_the_clocks_are_never_changed(zone: str) -> None:
    change = (datetime(2030, 6, 15, tzinfo=UTC), *[_offset(FIRST, ZoneInfo(zone))] * 2)
    for value, fits in RULES[:3]:
        found = parse(f"DTSTART;TZID={zone}:{START:%Y%m%dT%H%M%S}\nRRULE:{value}")
        expected = walk(change, fits, Gap.SHIFT, Fold.FIRST)

        assert found.between(change[0] - AROUND - MINUTE, change[0] + AROUND, 10_000) == expected


def test_every_zone_is_in_a_group() -> None:
    assert {name for group in GROUPS for name in group} == available_timezones()
    assert sum(bool(changes(name)) for name in ZONES) > 30
