"""Launch windows: half-hours of the week, on each agent's own clock or in UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from work import assert_linear

from dispatcher.core.errors import InvalidValue
from dispatcher.core.windows import Action, Rule, Window, decide, parse, parse_rule

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = "Mon-Fri 20:00-06:00, Sat,Sun 00:00-24:00"


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-03-02T05:59", False),  # a Monday: its night begins at 20:00
        ("2026-03-02T19:59", False),
        ("2026-03-02T20:00", True),
        ("2026-03-03T05:59", True),
        ("2026-03-03T06:00", False),
        ("2026-03-07T05:59", True),  # Friday's night goes on into Saturday
        ("2026-03-08T23:59", True),
    ],
)
def test_window_in_days_and_times(moment: str, is_open: bool) -> None:
    assert parse(NIGHTS).is_open(at(moment), BERLIN) is is_open


def test_window_over_the_end_of_the_week_begins_it() -> None:
    window = parse("Sun 22:00-02:00")

    assert window.is_open(at("2026-03-02T01:59"), BERLIN)
    assert not window.is_open(at("2026-03-02T02:00"), BERLIN)


def test_hex_digits_begin_on_monday_at_midnight_with_the_highest_bit() -> None:
    window = parse("8" + "0" * 82 + "1")

    assert str(window) == "Mon 00:00-00:30, Sun 23:30-24:00"
    assert parse("f" * 84) == parse("Mon-Sun 00:00-24:00")


def test_same_window_has_one_text() -> None:
    assert str(parse(" sat 0:00-24:00 , MON,Tue-Wed 08:00-09:30, Mon-Wed 09:30-10:00")) == (
        "Mon-Wed 08:00-10:00, Sat 00:00-24:00"
    )
    assert str(parse("Mon,Wed 08:00-09:00, 10:00-11:00 utc")) == "Mon,Wed 08:00-09:00, Mon,Wed 10:00-11:00 UTC"


def test_window_in_utc_does_not_ask_the_agent_for_its_clock() -> None:
    window = parse("Mon 08:00-09:00 UTC")

    assert window.is_open(at("2026-03-02T09:30"), BERLIN)
    assert not window.is_open(at("2026-03-02T08:30"), BERLIN)


@pytest.mark.parametrize(
    ("window", "moment", "opens"),
    [
        ("Mon 08:00-09:00", "2026-03-02T08:30", "2026-03-02T08:30"),
        ("Mon 08:00-09:00", "2026-03-02T09:00", "2026-03-09T08:00"),
        ("Mon 08:00-09:00", "2026-03-01T22:17:33", "2026-03-02T08:00"),
        # 2:00 to 3:00 does not exist on 29 March.
        ("Sun 02:00-02:30", "2026-03-28T12:00", "2026-04-05T02:00"),
        ("Sun 02:00-03:30", "2026-03-28T12:00", "2026-03-29T03:00"),
        ("Mon 08:00-09:00", "2026-03-28T12:00", "2026-03-30T08:00"),
        ("Mon 08:00-09:00", "2026-10-24T12:00", "2026-10-26T08:00"),
    ],
)
def test_next_opening(window: str, moment: str, opens: str) -> None:
    assert parse(window).next_open(at(moment), BERLIN) == at(opens)


def test_half_hour_that_comes_twice_is_open_twice() -> None:
    window = parse("Sun 02:00-02:30")

    first = window.next_open(at("2026-10-24T12:00"), BERLIN)
    second = window.next_open(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), BERLIN)

    assert first == datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    assert second == datetime(2026, 10, 25, 1, 0, tzinfo=UTC)


def test_window_without_an_open_half_hour_never_opens() -> None:
    window = parse("0" * 84)

    assert window.next_open(at("2026-03-02T08:30"), BERLIN) is None
    assert decide(window, Rule.WAIT, at("2026-03-02T08:30"), BERLIN).action is Action.FAIL
    assert parse(str(window)) == window


@pytest.mark.parametrize(
    ("rule", "action", "until"),
    [(Rule.FAIL, Action.FAIL, None), (Rule.CONTINUE, Action.START, None), (Rule.WAIT, Action.WAIT, "2026-03-02T20:00")],
)
def test_what_happens_outside_the_window(rule: Rule, action: Action, until: str | None) -> None:
    decision = decide(parse(NIGHTS), rule, at("2026-03-02T12:00"), BERLIN)

    assert decision.action is action
    assert decision.until == (at(until) if until else None)
    assert bool(decision.reason) is (action is not Action.START)


@pytest.mark.parametrize("rule", Rule)
def test_inside_a_window_and_without_one_it_starts(rule: Rule) -> None:
    assert decide(parse(NIGHTS), rule, at("2026-03-02T20:00"), BERLIN).action is Action.START
    assert decide(None, rule, at("2026-03-02T12:00"), BERLIN).action is Action.START


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("fail", Rule.FAIL),
        ("LaunchWindowFailJob", Rule.FAIL),
        ("launchwindowcontinuejob", Rule.CONTINUE),
        ("LaunchWindowWaitJob", Rule.WAIT),
        (" WAIT ", Rule.WAIT),
    ],
)
def test_rule_has_the_names_that_clients_send(text: str, rule: Rule) -> None:
    assert parse_rule(text) is rule


@pytest.mark.parametrize("text", ["", "later", "LaunchWindowJob"])
def test_unknown_rule_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="OutsideLaunchWindow"):
        parse_rule(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " UTC",
        "Mon",
        "08:00-09:00",
        "Mon 08:00",
        "Mon 08:15-09:00",
        "Mon 08:00-08:00",
        "Mon 24:00-01:00",
        "Mon 08:00-25:00",
        "Mon-Xyz 08:00-09:00",
        "Mon 08:00-09:00,",
        "Mon 08:00-09:00, Tue",
        "f" * 83,
        "g" * 84,
        "Mon 08:00-09:00 CET",
        "x" * 2_001,
    ],
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="launch window"):
        parse(text)


def test_long_text_is_refused_in_linear_time() -> None:
    def read(size: int) -> None:
        with pytest.raises(InvalidValue):
            parse("Mon," * (size // 4))

    assert_linear(read)


WINDOWS = st.builds(Window, st.integers(0, 2**336 - 1), st.booleans())
MOMENTS = st.datetimes(datetime.fromisoformat("2024-01-01"), datetime.fromisoformat("2040-01-01")).map(
    lambda one: one.replace(tzinfo=UTC)
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"])


@settings(deadline=None)
@given(WINDOWS)
def test_text_gives_the_window_again(window: Window) -> None:
    bits = f"{window.bits:084x}" + (" UTC" if window.is_utc else "")

    assert parse(bits) == window
    if len(str(window)) <= 2_000:
        assert parse(str(window)) == window


@settings(max_examples=200, deadline=None)
@given(st.sets(st.integers(0, 335), min_size=1, max_size=3), MOMENTS, ZONES)
def test_next_opening_is_the_first_open_minute(half_hours: set[int], moment: datetime, zone: str) -> None:
    window = Window(sum(1 << (335 - n) for n in half_hours))

    opens = window.next_open(moment, ZoneInfo(zone))

    assert opens is not None
    assert opens >= moment
    assert window.is_open(opens, ZoneInfo(zone))
    minute = moment
    while minute < opens:
        assert not window.is_open(minute, ZoneInfo(zone))
        minute += timedelta(minutes=7)
    assert opens == moment or not window.is_open(opens - timedelta(microseconds=1), ZoneInfo(zone))


def test_next_opening_is_found_quickly() -> None:
    window = parse("Sun 23:30-24:00")
    begin = time.thread_time()
    for _ in range(1_000):
        window.next_open(at("2026-03-02T00:00"), BERLIN)

    assert time.thread_time() - begin < 1


def test_a_window_of_many_short_stretches_has_a_text_that_can_be_read_again() -> None:
    days = ["01" * 24, "10" * 24, "01" * 23 + "00", "10" * 23 + "00", "01" * 22 + "0001", "10" * 22 + "0010", "01" * 24]
    window = Window(int("".join(days), 2), is_utc=True)

    assert parse(str(window)) == window
