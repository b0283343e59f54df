"""Moments: whatever clocks show is read as the moment that they show it at; at the ends of the calendar, too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.services.exastro_ita.moments import from_local, to_local

ZONES = [UTC, *map(ZoneInfo, ("Asia/Tokyo", "Pacific/Honolulu", "Pacific/Kiritimati", "Europe/Berlin"))]
LAST = datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 - what clocks show
SECONDS = st.datetimes(datetime(1000, 1, 1), LAST).map(lambda one: one.replace(microsecond=0))  # noqa: DTZ001


@settings(max_examples=50)
@given(SECONDS, st.sampled_from(ZONES), st.sampled_from(ZONES))
def test_every_moment_is_read_in_one_zone_and_shown_in_another(
    local: datetime, zone: ZoneInfo, other: ZoneInfo
) -> None:
    moment = from_local(local, zone)
    assert moment.utcoffset() == timedelta()
    assert from_local(to_local(moment, zone), zone) == moment
    assert to_local(moment, other) <= LAST


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_the_last_moment_of_the_calendar_is_shown_as_it_was_sent(zone: ZoneInfo) -> None:
    assert to_local(from_local(LAST, zone), zone) == LAST


def test_what_clocks_would_show_beyond_the_calendar_is_the_end_of_it() -> None:
    assert to_local(datetime(9999, 12, 31, 20, tzinfo=UTC), ZONES[1]) == LAST
    assert to_local(datetime(1, 1, 1, tzinfo=UTC), timezone(timedelta(hours=-1))) == datetime(1, 1, 1)  # noqa: DTZ001
