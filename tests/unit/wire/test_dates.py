"""Dates: every form that a client sends is read, and what is written is read back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_values import MOMENTS, OFFSETS, WHOLE_MILLISECONDS

from dispatcher.wire.dates import format_json, format_xml, parse_moment

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
MOMENT = datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "/Date(1760000000000)/",
        "/Date(1760000000000+0200)/",  # the milliseconds are UTC whatever the suffix says
        "/Date(1760000000000-0700)/",
        "/date(1760000000000)/",
        "  /Date(1760000000000)/\n",
        "2025-10-09T08:53:20Z",
        "2025-10-09T08:53:20+00:00",
        "2025-10-09T10:53:20+02:00",
        "2025-10-09T10:53:20.0000000+02:00",  # PowerShell 7 writes seven digits
        "20251009T085320Z",
    ],
)
def test_forms_that_name_their_zone(text: str) -> None:
    assert parse_moment(text, AMSTERDAM) == MOMENT


@pytest.mark.parametrize("text", ["2025-10-09T10:53:20", "2025-10-09 10:53:20", "2025-10-09T10:53:20.000"])
def test_without_a_zone_it_is_the_time_of_the_site(text: str) -> None:
    assert parse_moment(text, AMSTERDAM) == MOMENT


def test_date_alone_is_midnight_at_the_site() -> None:
    assert parse_moment("2025-10-09", AMSTERDAM) == datetime(2025, 10, 8, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00Z",
        "0002-01-01T00:00:00",  # in Amsterdam; it is year 1 in UTC
        "/Date(-62135596800000)/",
        "/Date(-62135596800000+0200)/",
    ],
)
def test_no_date_and_the_unset_date_of_net_are_none(text: str) -> None:
    assert parse_moment(text, AMSTERDAM) is None


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "/Date()/",
        "/Date(1.5)/",
        "/Date(\N{ARABIC-INDIC DIGIT ONE})/",
        "/Date(1760000000000)",
        "/Date(99999999999999999)/",
        "/Date(" + "9" * 5000 + ")/",
        "2025-02-30T00:00:00",
        "2025-10-09T25:00:00",
        "9999-12-31T23:59:59-14:00",
        "10000-01-01T00:00:00",
        "2025-10-09T08:53:20+99:00",
        "2025-10-09T08:53:20 Europe/Amsterdam",
    ],
)
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_moment(text, UTC)


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        found = parse_moment(text, AMSTERDAM)
    except ValueError:
        return
    assert found is None or found.tzinfo is UTC


def test_xml_shows_utc_without_a_zone_and_without_idle_zeros() -> None:
    assert format_xml(MOMENT) == "2025-10-09T08:53:20"
    assert format_xml(MOMENT + timedelta(milliseconds=120)) == "2025-10-09T08:53:20.12"
    assert format_xml(MOMENT.astimezone(AMSTERDAM)) == "2025-10-09T08:53:20"


def test_json_shows_milliseconds_and_the_offset_of_the_site() -> None:
    assert format_json(MOMENT, UTC) == "/Date(1760000000000+0000)/"


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        (AMSTERDAM, "/Date(1759992800000+0200)/"),
        (timezone(timedelta(hours=-3, minutes=-30)), "/Date(1760012600000-0330)/"),
        (ZoneInfo("UTC"), "/Date(1760000000000+0000)/"),
    ],
)
def test_json_takes_utc_for_local_time_as_the_original_does(zone: timezone, shown: str) -> None:
    assert format_json(MOMENT, zone) == shown


@given(MOMENTS)
def test_xml_is_read_back(moment: datetime) -> None:
    assert parse_moment(format_xml(moment), UTC) == moment


@given(WHOLE_MILLISECONDS)
def test_json_is_read_back(moment: datetime) -> None:
    assert parse_moment(format_json(moment, UTC), UTC) == moment


@given(MOMENTS)
def test_json_never_shows_a_later_millisecond(moment: datetime) -> None:
    shown = parse_moment(format_json(moment, UTC), UTC)

    assert shown is not None
    assert timedelta() <= moment - shown < timedelta(milliseconds=1)


@given(MOMENTS, OFFSETS)
def test_iso_with_any_offset_is_the_same_moment(moment: datetime, offset: timezone) -> None:
    assert parse_moment(moment.astimezone(offset).isoformat(), AMSTERDAM) == moment
