"""Schedules: the judgement of due times, and the look ahead, as pure rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core import windows
from dispatcher.core.errors import InvalidValue
from dispatcher.core.recurrence import parse
from dispatcher.core.schedules import GRACE, MAX_MADE_UP, Misfire, RecurrenceRequest, judge, preview

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTES = "DTSTART:20260301T000000Z\nRRULE:FREQ=MINUTELY;INTERVAL={}"


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([*Misfire]),
    st.integers(1, 90),
    st.integers(0, 2_000),
    st.integers(0, 1_500),
    st.integers(1, 400),
    st.none() | st.integers(0, 2_000),
)
def test_judgement_does_not_depend_on_the_turns_it_is_made_in(
    misfire: Misfire, interval: int, minutes: int, window: int, limit: int, paused: int | None
) -> None:
    request = RecurrenceRequest(
        MINUTES.format(interval),
        misfire=misfire,
        misfire_window=timedelta(minutes=window),
        paused_until=None if paused is None else START + timedelta(minutes=paused),
    )
    found = parse(request.rule)
    now = START + timedelta(minutes=minutes, seconds=30)
    before = START - timedelta(seconds=1)
    whole, following = judge(request, found, before, now, 10_000)

    turns, after = [], before
    while True:
        verdicts, next_due = judge(request, found, after, now, limit)
        turns += verdicts
        if not verdicts:
            break
        after = verdicts[-1].due_at

    assert turns == whole
    assert next_due == following == START + timedelta(minutes=(minutes // interval + 1) * interval)
    assert [one.due_at for one in whole] == [START + timedelta(minutes=n) for n in range(0, minutes + 1, interval)]
    late = [one for one in whole if one.due_at < now - GRACE and not one.reason]
    most = {Misfire.SKIP: 0, Misfire.ONCE: 1, Misfire.ALL: MAX_MADE_UP}[misfire]
    assert len(late) <= most
    assert misfire is not Misfire.ALL or all(now - one.due_at <= request.misfire_window for one in late)
    if paused is not None:
        assert all(one.reason for one in whole if one.due_at <= request.paused_until)


def test_preview_shows_both_clocks_the_change_between_them_and_the_window() -> None:
    found = parse("DTSTART;TZID=Europe/Berlin:20260301T023000\nRRULE:FREQ=DAILY")
    window = windows.parse("Mon-Sat 00:00-24:00")

    seen = preview(found, datetime(2026, 3, 27, 12, tzinfo=UTC), 3, window, windows.Rule.WAIT, BERLIN)

    assert [f"{one.local:%a %H:%M}" for one in seen] == ["Sat 02:30", "Sun 03:00", "Mon 02:30"]
    assert [f"{one.due_at:%H:%M}" for one in seen] == ["01:30", "01:00", "00:30"]
    assert [one.note for one in seen] == ["", "the clocks go forward from 02:00 to 03:00", ""]
    assert [one.decision.action for one in seen] == [
        windows.Action.START,
        windows.Action.WAIT,
        windows.Action.START,
    ]
    assert seen[1].decision.until == datetime(2026, 3, 29, 22, tzinfo=UTC)


def test_preview_tells_the_first_from_the_second_time() -> None:
    text = "DTSTART;TZID=Europe/Berlin:20260301T023000\nRRULE:FREQ=HOURLY"

    seen = preview(parse(text), datetime(2026, 10, 25, tzinfo=UTC), 2, None, windows.Rule.FAIL, BERLIN)

    assert [one.note for one in seen] == [
        "02:30 comes twice: this is the first time",
        "02:30 comes twice: this is the second time",
    ]
    assert {one.decision.action for one in seen} == {windows.Action.START}


def test_preview_ends_where_the_rule_does() -> None:
    found = parse("DTSTART:20260301T023000Z\nRRULE:FREQ=DAILY;COUNT=2")

    assert len(preview(found, START, 10, None, windows.Rule.FAIL, BERLIN)) == 2
    with pytest.raises(InvalidValue, match="count"):
        preview(found, START, 0, None, windows.Rule.FAIL, BERLIN)
