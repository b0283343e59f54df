"""Schedules: the words of the seed's grammar, what they mean on a calendar, and how they are shown again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opsramp_calendar import DAY, Fits, by_calendar, offsets, patterns, starts

from dispatcher.bindings.opsramp.contract import PatternBody, ScheduleBody
from dispatcher.bindings.opsramp.schedule import to_pattern, to_start, to_timing, to_wire_moment, to_wire_pattern
from dispatcher.core.errors import InvalidValue
from dispatcher.services.opsramp.patterns import Pattern, Repeat, to_recurrence


def words(**members: Any) -> PatternBody:
    return PatternBody.model_validate(members)


@given(pattern=patterns(), start=starts, minutes=offsets, later=st.integers(-3_000, 3_000))
def test_due_times_are_those_of_the_calendar(
    pattern: tuple[dict[str, Any], Fits], start: datetime, minutes: int, later: int
) -> None:
    members, fits = pattern
    zone = timezone(timedelta(minutes=minutes))
    begin = start.replace(second=0, microsecond=0, tzinfo=zone)
    after = min(begin + later * DAY, datetime(2385, 1, 1, tzinfo=zone))
    if after.year < 1971:
        after = begin
    found = to_recurrence(to_pattern(words(**members)), begin, after).read()
    assert found is not None
    due: list[datetime] = []
    moment = after.astimezone(UTC)
    for _ in range(5):
        following = found.after(moment)
        assert following is not None
        due.append(following)
        moment = following
    assert due == list(by_calendar(fits, begin, after.astimezone(zone), 5))


@given(pattern=patterns())
def test_shown_words_mean_the_same(pattern: tuple[dict[str, Any], Fits]) -> None:
    meant = to_pattern(words(**pattern[0]))
    shown = to_wire_pattern(meant).model_dump(exclude_none=True)
    assert to_pattern(words(**shown)) == meant
    assert to_wire_pattern(to_pattern(words(**shown))).model_dump(exclude_none=True) == shown


@pytest.mark.parametrize(
    ("given_words", "shown"),
    [
        # Forms send all their fields, some of them empty.
        (
            {"type": "monthly", "dayOfMonth": "5", "weekIndex": "", "dayOfWeek": ""},
            {"type": "monthly", "dayOfMonth": "5"},
        ),
        (
            {"type": "monthly", "dayOfMonth": " ", "weekIndex": "First", "dayOfWeek": "Monday", "dayOfIndex": ""},
            {"type": "monthly", "weekIndex": "First", "dayOfWeek": "Monday"},
        ),
        # The patterns of the seed's page, word for word.
        ({"type": "daily", "frequency": "everyday"}, None),
        ({"type": "weekly", "weekDays": "Sunday, Tuesday, Thursday, Saturday"}, None),
        ({"type": "monthly", "dayOfMonth": "1, 2, 3, 4, 5"}, None),
        ({"type": "monthly", "weekIndex": "Second", "dayOfWeek": "Sunday"}, None),
        ({"type": "run once"}, None),
        ({"type": "never"}, None),
        (
            {"type": "daily", "frequency": "recurrence", "repeatType": "Days", "repeatFrequency": "2"},
            {"type": "daily", "frequency": "recurrence", "repeatFrequency": 2, "repeatType": "days"},
        ),
        # Contract sections 4.3 and 4.8.
        ({"type": "DAILY", "frequency": "Every Weekday"}, {"type": "daily", "frequency": "every weekday"}),
        ({"type": "weekly", "weekDays": "monday,FRIDAY"}, {"type": "weekly", "weekDays": "Monday, Friday"}),
        ({"type": "weekly", "frequency": "Monday"}, {"type": "weekly", "weekDays": "Monday"}),
        ({"type": "monthly", "dayOfMonth": 4}, {"type": "monthly", "dayOfMonth": "4"}),
        (
            {"type": "monthly", "weekIndex": "First", "dayOfMonth": "Sunday"},
            {"type": "monthly", "weekIndex": "First", "dayOfWeek": "Sunday"},
        ),
        (
            {"type": "monthly", "weekIndex": "last", "dayOfIndex": "friday"},
            {"type": "monthly", "weekIndex": "Last", "dayOfWeek": "Friday"},
        ),
        ({"type": "Run Once", "somethingElse": 1}, {"type": "run once"}),
    ],
)
def test_words_are_shown_as_the_pages_spell_them(given_words: dict[str, Any], shown: dict[str, Any] | None) -> None:
    pattern = to_wire_pattern(to_pattern(words(**given_words)))
    assert list(pattern.model_dump(exclude_none=True).items()) == list((shown or given_words).items())


@pytest.mark.parametrize(
    ("given_words", "member"),
    [
        ({"type": "yearly"}, "type"),
        ({"type": ""}, "type"),
        ({"type": "daily"}, "frequency"),
        ({"type": "daily", "frequency": "sometimes"}, "frequency"),
        ({"type": "daily", "frequency": "recurrence"}, "repeatFrequency"),
        ({"type": "daily", "frequency": "recurrence", "repeatFrequency": 0}, "repeatFrequency"),
        ({"type": "daily", "frequency": "recurrence", "repeatFrequency": "-2"}, "repeatFrequency"),
        ({"type": "daily", "frequency": "recurrence", "repeatFrequency": 10**9}, "repeatFrequency"),
        ({"type": "daily", "frequency": "recurrence", "repeatFrequency": 2, "repeatType": "weeks"}, "repeatType"),
        ({"type": "weekly"}, "weekDays"),
        ({"type": "weekly", "weekDays": ""}, "weekDays"),
        ({"type": "weekly", "weekDays": "Mon"}, "weekDays"),
        ({"type": "weekly", "weekDays": "Monday,,Friday"}, "weekDays"),
        ({"type": "weekly", "frequency": "everyday"}, "frequency"),
        ({"type": "monthly"}, "dayOfMonth"),
        ({"type": "monthly", "dayOfMonth": "0"}, "dayOfMonth"),
        ({"type": "monthly", "dayOfMonth": "1, 32"}, "dayOfMonth"),
        ({"type": "monthly", "dayOfMonth": "Sunday"}, "dayOfMonth"),
        ({"type": "monthly", "dayOfMonth": "1,"}, "dayOfMonth"),
        ({"type": "monthly", "weekIndex": "Fifth", "dayOfWeek": "Sunday"}, "weekIndex"),
        ({"type": "monthly", "dayOfWeek": "Sunday"}, "weekIndex"),
        ({"type": "monthly", "weekIndex": "First"}, "dayOfWeek"),
        ({"type": "monthly", "weekIndex": "First", "dayOfMonth": "3"}, "dayOfWeek"),
        ({"type": "monthly", "weekIndex": "First", "dayOfWeek": "Sunday", "dayOfMonth": "3"}, "dayOfMonth"),
    ],
)
def test_words_that_mean_nothing(given_words: dict[str, Any], member: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        to_pattern(words(**given_words))
    assert raised.value.member == f"schedule.pattern.{member}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2016-04-14T10:10:10+0000", "2016-04-14T10:10:00+0000"),
        ("2031-03-01T08:30:45Z", "2031-03-01T08:30:00+0000"),
        ("2031-03-01T08:30:45+00:00", "2031-03-01T08:30:00+0000"),
        ("2031-03-01T02:30:45+0530", "2031-02-28T21:00:00+0000"),
        ("2031-03-01T23:30:45-0930", "2031-03-02T09:00:00+0000"),
    ],
)
def test_start_is_shown_in_utc_and_to_the_minute(text: str, shown: str) -> None:
    assert to_wire_moment(to_start(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "2031-03-01",
        "2031-03-01T08:30:45",
        "2031-03-01 08:30:45+0000",
        "2031-03-01T08:30+0000",
        "2031-02-30T08:30:45+0000",
        "2031-03-01T25:30:45+0000",
        "2031-03-01T08:30:45+2500",
        "2031-03-01T08:30:45+0",
        "2031-03-01T08:30:45+0099",
        "0001-01-01T00:00:00+1400",
        "1969-12-31T23:59:59+0000",
        "2400-01-01T00:00:00+0000",
        "9999-12-31T23:59:59-1400",
        "\N{ARABIC-INDIC DIGIT TWO}031-03-01T08:30:45+0000",
    ],
)
def test_start_that_is_none(text: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        to_timing(ScheduleBody(startDate=text, pattern=words(type="never")))
    assert raised.value.member == "schedule.startDate"


NOW = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)
SOON = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize("repeat", [Repeat.NEVER, Repeat.RUN_ONCE])
def test_what_does_not_repeat_starts_at_once_if_its_start_is_over(repeat: Repeat) -> None:
    found = to_recurrence(Pattern(repeat=repeat), datetime(2016, 4, 14, 10, 10, tzinfo=UTC), NOW).read()
    assert found is not None
    again = [SOON + timedelta(seconds=1)] if repeat is Repeat.RUN_ONCE else []
    assert found.between(datetime(1970, 1, 1, tzinfo=UTC), datetime(2399, 1, 1, tzinfo=UTC), 9) == [SOON, *again]


def test_what_repeats_goes_on_by_its_pattern_if_its_start_is_over() -> None:
    pattern = Pattern(repeat=Repeat.EVERY_DAYS, interval=2)
    found = to_recurrence(pattern, datetime(2016, 4, 14, 10, 10, tzinfo=UTC), NOW).read()
    assert found is not None
    due = datetime(2026, 3, 3, 10, 10, tzinfo=UTC)
    assert (due.date() - date(2016, 4, 14)).days % 2 == 0
    assert found.after(NOW) == due
