"""Schedules of the wire: what they mean, against a calendar that is counted out day by day."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.bindings.symantec_ccs import contract
from dispatcher.bindings.symantec_ccs.schedule import to_timing
from dispatcher.core.errors import InvalidValue
from dispatcher.core.schedules import DEMAND

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OFFSETS = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
STARTS = st.builds(
    lambda seconds, zone: (NOW + timedelta(seconds=seconds)).astimezone(zone),
    st.integers(-(10**8), 10**8),
    OFFSETS,
)
_DAY = timedelta(days=1)


def due(members: dict[str, Any], count: int = 6) -> list[datetime]:
    """Return the first due times of a periodic schedule with these members."""
    schedule = contract.Schedule.model_validate({"RunPeriodically": True, **members})
    found = to_timing(schedule, NOW, UTC).recurrence.read()
    assert found is not None
    return found.between(datetime(1990, 1, 1, tzinfo=UTC), datetime(2399, 1, 1, tzinfo=UTC), count)


def days_from(start: datetime) -> Iterator[datetime]:
    """Give the wall clock's time of *start* on it and every day after that."""
    while True:
        yield start
        start += _DAY


def first(count: int, moments: Iterator[datetime]) -> list[datetime]:
    return [next(moments).replace(microsecond=0).astimezone(UTC) for _ in range(count)]


@given(STARTS, st.integers(1, 400))
def test_every_so_many_days(start: datetime, days: int) -> None:
    expected = first(6, (day for place, day in enumerate(days_from(start)) if place % days == 0))
    members = {"StartDate": start.isoformat(), "RepeatDays": days}
    assert due({**members, "RunEveryNDays": True, "RecurrenceType": 0, "RepeatMinutes": 0}) == expected
    assert due({**members, "RepeatDays": str(days)}) == expected


@given(STARTS, st.integers(1, 10_000))
def test_every_so_many_minutes(start: datetime, minutes: int) -> None:
    expected = [(start + n * timedelta(minutes=minutes)).replace(microsecond=0).astimezone(UTC) for n in range(6)]
    assert due({"StartDate": start.isoformat(), "RepeatMinutes": minutes, "RunEveryNDays": False}) == expected


def dotnet_weekday(day: datetime) -> int:
    return day.isoweekday() % 7


@given(STARTS, st.integers(0, 6), st.integers(0, 5))
def test_weekly(start: datetime, weekday: int, weeks: int) -> None:
    monday = start.date() - timedelta(days=start.weekday())
    expected = first(
        6,
        (
            day
            for day in days_from(start)
            if dotnet_weekday(day) == weekday and (day.date() - monday).days // 7 % (weeks or 1) == 0
        ),
    )
    members = {"RecurrenceType": 1, "WeeklyDay": weekday, "WeeklyRecurEvery": weeks}
    assert due({"StartDate": start.isoformat(), **members}) == expected


def months_since(start: datetime, day: datetime) -> int:
    return (day.year - start.year) * 12 + day.month - start.month


@given(STARTS, st.integers(1, 31), st.integers(0, 4))
def test_monthly_by_day(start: datetime, number: int, months: int) -> None:
    days = (day for day in days_from(start) if day.day == number and months_since(start, day) % (months or 1) == 0)
    members = {"RecurrenceType": 2, "MonthlyDay": number, "MonthlyRecurEvery": months}
    assert due({"StartDate": start.isoformat(), **members}, 3) == first(3, days)


@given(STARTS, st.integers(1, 5), st.integers(0, 6), st.integers(0, 4))
def test_monthly_by_ordinal(start: datetime, ordinal: int, weekday: int, months: int) -> None:
    def fits(day: datetime) -> bool:
        last = day.day + 7 > calendar.monthrange(day.year, day.month)[1]
        is_nth = last if ordinal == 5 else (day.day - 1) // 7 == ordinal - 1
        return dotnet_weekday(day) == weekday and is_nth and months_since(start, day) % (months or 1) == 0

    members = {
        "RecurrenceType": 2,
        "MonthlyIsByOrdinalDay": True,
        "MonthlyOrdinalDay": ordinal,
        "MonthlyDayOfTheWeek": weekday,
        "MonthlyRecurEvery": months,
    }
    assert due({"StartDate": start.isoformat(), **members}, 3) == first(3, filter(fits, days_from(start)))


def test_where_the_site_has_the_offset_its_clock_counts() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    members = {"RunPeriodically": True, "RepeatDays": 1, "StartDate": "2026-03-28T08:00:00+01:00"}
    timing = to_timing(contract.Schedule.model_validate(members), NOW, berlin)
    assert timing.recurrence.rule == "DTSTART;TZID=Europe/Berlin:20260328T080000\nRRULE:FREQ=DAILY"
    members["StartDate"] = "2026-03-28T08:00:00+02:00"
    timing = to_timing(contract.Schedule.model_validate(members), NOW, berlin)
    assert timing.recurrence.rule == "DTSTART;TZID=UTC+0200:20260328T080000\nRRULE:FREQ=DAILY"
    del members["StartDate"]
    timing = to_timing(contract.Schedule.model_validate(members), NOW, berlin)
    assert timing.recurrence.rule == "DTSTART;TZID=Europe/Berlin:20260301T130000\nRRULE:FREQ=DAILY"
    members["StartDate"] = "2026-03-28T08:00:00"
    timing = to_timing(contract.Schedule.model_validate(members), NOW, berlin)
    assert timing.recurrence.rule == "DTSTART;TZID=Europe/Berlin:20260328T080000\nRRULE:FREQ=DAILY"


@pytest.mark.parametrize(
    ("members", "runs_now", "rule"),
    [
        ({}, False, DEMAND),
        ({"RunNow": True}, True, DEMAND),
        ({"RunNow": True, "RunOnce": True, "RunPeriodically": True}, True, DEMAND),
        ({"RunOnce": True, "StartDate": "2026-03-01T12:00:00.9999999Z"}, True, DEMAND),
        ({"RunOnce": True, "StartDate": "2026-03-01T12:00:01Z"}, False, "DTSTART:20260301T120001Z"),
        ({"RunOnce": "true", "StartDate": "2026-03-01T13:00:00+01:00"}, True, DEMAND),
    ],
)
def test_what_comes_first(members: dict[str, Any], runs_now: bool, rule: str) -> None:
    timing = to_timing(contract.Schedule.model_validate(members), NOW, UTC)
    assert (timing.runs_now, timing.recurrence.rule, timing.limit) == (runs_now, rule, None)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("02:30:00", timedelta(hours=2, minutes=30)),
        ("1.00:00:01.5000000", timedelta(days=1, seconds=1)),
        ("0:45", timedelta(minutes=45)),
    ],
)
def test_the_end_of_a_run(text: str, limit: timedelta) -> None:
    schedule = contract.Schedule(EndJobRunConfigured=True, EndJobRunTimeInterval=text)
    assert to_timing(schedule, NOW, UTC).limit == limit


@pytest.mark.parametrize(
    "members",
    [
        {"RepeatDays": -1},
        {"RepeatDays": 100_001},
        {},
        {"RepeatMinutes": -5},
        {"RecurrenceType": 1, "WeeklyDay": 7},
        {"RecurrenceType": 1, "WeeklyRecurEvery": -1},
        {"RecurrenceType": 2, "MonthlyDay": 0},
        {"RecurrenceType": 2, "MonthlyIsByOrdinalDay": True, "MonthlyOrdinalDay": 6},
        {"RecurrenceType": 2, "MonthlyIsByOrdinalDay": True, "MonthlyOrdinalDay": 0},
        {"RecurrenceType": -1},
        {"RepeatDays": 1, "StartDate": "tomorrow"},
        {"RepeatDays": 1, "StartDate": "0001-01-01T00:00:00"},
        {"RepeatDays": 1, "StartDate": "9999-12-31T23:59:59-14:00"},
        {"RepeatDays": 1, "StartDate": "2026-01-01T00:00:00+01:00:30"},
        {"RepeatDays": 1, "EndJobRunConfigured": True},
        {"RepeatDays": 1, "EndJobRunConfigured": True, "EndJobRunTimeInterval": "500.00:00:00"},
        {"RepeatDays": 1, "EndJobRunConfigured": True, "EndJobRunTimeInterval": "soon"},
    ],
)
def test_what_cannot_be(members: dict[str, Any]) -> None:
    schedule = contract.Schedule.model_validate({"RunPeriodically": True, **members})
    with pytest.raises(InvalidValue, match=r"^Schedule\.|recurrence|RRULE|DTSTART"):
        to_timing(schedule, NOW, UTC)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=40))
            for name in contract.Schedule.model_fields
        },
    )
)
def test_anything_is_a_timing_or_refused(members: dict[str, Any]) -> None:
    try:
        schedule = contract.Schedule.model_validate(members)
    except ValueError:
        return
    try:
        to_timing(schedule, NOW, UTC)
    except InvalidValue:
        return
