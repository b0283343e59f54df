"""Moments: text in SQLite, as SQLAlchemy itself would store it, so that texts compare as moments do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis.strategies import datetimes as moments
from hypothesis.strategies import timezones
from sqlalchemy import DateTime
from sqlalchemy.dialects import sqlite

from dispatcher.datastore.base import Moment

DIALECT = sqlite.dialect()
stored = Moment().dialect_impl(DIALECT).bind_processor(DIALECT)
read = Moment().dialect_impl(DIALECT).result_processor(DIALECT, None)
plain = DateTime().dialect_impl(DIALECT).bind_processor(DIALECT)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 3, 1, 8, 0, tzinfo=UTC),
        datetime(1, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
        datetime(2026, 3, 1, 1, 30, 0, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    ],
)
def test_a_moment_is_text_in_utc(moment: datetime) -> None:
    assert plain is not None
    assert stored(moment) == plain(moment.astimezone(UTC).replace(tzinfo=None))
    assert read(stored(moment)) == moment
    assert read(stored(moment)).tzinfo is UTC


@given(moments(timezones=timezones()))
@settings(max_examples=50, deadline=None)
def test_a_moment_of_any_zone_is_text_as_sqlalchemy_writes_it(moment: datetime) -> None:
    assume(1 < moment.year < 9999)  # else it may be none in UTC
    assert plain is not None
    assert stored(moment) == plain(moment.astimezone(UTC).replace(tzinfo=None))


def test_an_hour_that_comes_twice_is_two_hours() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    texts = [stored(first), stored(first.replace(fold=1))]
    assert texts == ["2026-10-25 00:30:00.000000", "2026-10-25 01:30:00.000000"]


def test_a_moment_without_a_zone_is_none() -> None:
    with pytest.raises(ValueError, match="naive"):
        stored(datetime(2026, 3, 1))  # noqa: DTZ001 - that is what is refused
    assert stored(None) is None
