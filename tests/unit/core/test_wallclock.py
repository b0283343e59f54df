"""The wall clock: zones by name, those too whose clocks are never changed."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core import recurrence
from dispatcher.core.wallclock import find_zone, fixed_zone_name

FIRST, LAST = datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("2399-12-30")
OFFSETS = st.integers(-24 * 60 + 1, 24 * 60 - 1).map(lambda minutes: timedelta(minutes=minutes))


@given(OFFSETS, st.datetimes(FIRST, LAST))
def test_a_zone_of_an_offset_always_has_it(offset: timedelta, local: datetime) -> None:
    zone = find_zone(fixed_zone_name(offset))
    assert zone.key == fixed_zone_name(offset)
    assert local.replace(tzinfo=zone).utcoffset() == offset
    assert (local - offset).replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) == local


@pytest.mark.parametrize(
    ("hours", "name"), [(0, "UTC"), (-8, "UTC-0800"), (5.5, "UTC+0530"), (-0.25, "UTC-0015"), (14, "UTC+1400")]
)
def test_names_of_offsets(hours: float, name: str) -> None:
    assert fixed_zone_name(timedelta(hours=hours)) == name


@pytest.mark.parametrize("offset", [timedelta(hours=24), timedelta(seconds=30), timedelta(days=-1)])
def test_no_clock_is_that_far(offset: timedelta) -> None:
    with pytest.raises(ValueError, match="no clock"):
        fixed_zone_name(offset)


@pytest.mark.parametrize("name", ["UTC+2400", "UTC+0060", "UTC+530", "UTC 0530", "utc+0530", "UTC+0530 "])
def test_what_is_no_offset_is_no_zone(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        find_zone(name)


def test_recurrences_go_by_such_a_clock() -> None:
    rule = recurrence.parse("DTSTART;TZID=UTC-0800:20260131T200000\nRRULE:FREQ=MONTHLY;BYMONTHDAY=31")
    assert rule.between(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, 12, tzinfo=UTC), 9) == [
        datetime(2026, 2, 1, 4, tzinfo=UTC),
        datetime(2026, 4, 1, 4, tzinfo=UTC),
        datetime(2026, 6, 1, 4, tzinfo=UTC),
    ]
    assert recurrence.parse(str(rule)) == rule


def test_every_zone_is_found() -> None:
    assert all(find_zone(name).key == name for name in zoneinfo.available_timezones())


# Deep ones: Python looks for each part as a package in a package, until its stack is full.
@pytest.mark.parametrize(
    "name", ["", "Europe", "Nowhere/Land", "../UTC", "/etc/passwd", "UTC\n", "A/" * 5000 + "B", "a" * 5000]
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        find_zone(name)
