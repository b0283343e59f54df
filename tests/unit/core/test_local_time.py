"""Local time: one wall clock, and the moments at which it is reached around the earth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core import local_time
from dispatcher.core.errors import InvalidValue

ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
MOMENTS = st.integers(0, 2**31).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(MOMENTS, ZONES)
def test_what_is_written_can_be_read_again(moment: datetime, site: ZoneInfo) -> None:
    text = local_time.write(moment, site)

    assert local_time.asked_for(text) == moment
    assert text.startswith(moment.astimezone(site).strftime("%Y-%m-%dT%H:%M"))


@given(MOMENTS, ZONES, ZONES)
def test_the_clock_of_the_agent_shows_that_time_or_has_just_leapt_over_it(
    moment: datetime, site: ZoneInfo, zone: ZoneInfo
) -> None:
    text = local_time.write(moment, site)
    wanted = datetime.fromisoformat(text).replace(tzinfo=None)

    reached = local_time.moment_in(text, zone)

    shown = reached.astimezone(zone).replace(tzinfo=None)
    before = (reached - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    assert shown == wanted or before < wanted < shown


@given(MOMENTS, ZONES, ZONES)
def test_no_agent_is_earlier_than_the_first_clock_or_later_than_the_last(
    moment: datetime, site: ZoneInfo, zone: ZoneInfo
) -> None:
    text = local_time.write(moment, site)
    first = local_time.first_moment(text)
    a_leap = timedelta(hours=24)  # of a zone that has changed sides of the date line

    assert first - a_leap <= local_time.moment_in(text, zone) <= first + local_time.AROUND_THE_EARTH + a_leap


def test_of_a_time_that_comes_twice_the_first_one_counts() -> None:
    text = "2026-10-25T02:30:00+00:00"

    assert local_time.moment_in(text, ZoneInfo("Europe/Berlin")) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("year", [1, 9999])
def test_the_ends_of_the_calendar_are_refused(year: int) -> None:
    moment = datetime(year, 12, 31, 23, tzinfo=UTC)

    with pytest.raises(InvalidValue, match="out of range"):
        local_time.write(moment, timezone(timedelta(hours=14)))
