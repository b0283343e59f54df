"""Recurrence: due times by the rules of RFC 5545, across every change of the clocks."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st
from work import assert_linear

from dispatcher.core import recurrence, recurrence_kinds
from dispatcher.core.errors import InvalidValue
from dispatcher.core.recurrence import END, parse
from dispatcher.core.recurrence_text import MAX_LENGTH
from dispatcher.core.wallclock import Fold, Gap

BERLIN = "Europe/Berlin"
LONG_AGO = datetime(1971, 1, 1, tzinfo=UTC)
#: On a wall clock.
EIGHT = datetime.fromisoformat("2026-03-01T08:00:00")


def local(text: str, start: str, count: int, **rules: Gap | Fold) -> list[str]:
    """Return the first *count* due times from *start* (UTC) on, as the wall clock of the rule shows them."""
    found = parse(text, **rules)
    after = datetime.fromisoformat(start).replace(tzinfo=UTC) - timedelta(microseconds=1)
    return [f"{one.astimezone(found.zone):%m-%d %H:%M %z}" for one in found.between(after, END, count)]


def rule(value: str, start: str = "20200101T023000", zone: str = BERLIN) -> str:
    return f"DTSTART;TZID={zone}:{start}\nRRULE:{value}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("FREQ=DAILY", ["03-02 02:30 +0100", "03-03 02:30 +0100", "03-04 02:30 +0100"]),
        ("FREQ=DAILY;INTERVAL=10", ["03-10 02:30 +0100", "03-20 02:30 +0100", "03-30 02:30 +0200"]),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", ["03-02 02:30 +0100", "03-03 02:30 +0100", "03-04 02:30 +0100"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO", ["03-02 02:30 +0100", "03-08 02:30 +0100", "03-16 02:30 +0100"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU", ["03-02 02:30 +0100", "03-15 02:30 +0100", "03-16 02:30 +0100"]),
        ("FREQ=WEEKLY", ["03-04 02:30 +0100", "03-11 02:30 +0100", "03-18 02:30 +0100"]),
        ("FREQ=MONTHLY;BYMONTHDAY=15,31", ["03-15 02:30 +0100", "03-31 02:30 +0200", "04-15 02:30 +0200"]),
        ("FREQ=MONTHLY;BYDAY=2TU", ["03-10 02:30 +0100", "04-14 02:30 +0200", "05-12 02:30 +0200"]),
        ("FREQ=MONTHLY;BYDAY=-1FR", ["03-27 02:30 +0100", "04-24 02:30 +0200", "05-29 02:30 +0200"]),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            ["03-31 02:30 +0200", "04-30 02:30 +0200", "05-29 02:30 +0200"],
        ),
        ("FREQ=MONTHLY;BYDAY=SU,2TU", ["03-08 02:30 +0100", "03-10 02:30 +0100", "03-15 02:30 +0100"]),
        ("FREQ=MONTHLY;BYDAY=1MO,8TU,-6WE,53SU", ["03-02 02:30 +0100", "04-06 02:30 +0200", "05-04 02:30 +0200"]),
        ("FREQ=YEARLY;BYMONTH=12;BYDAY=31FR,-1FR", ["12-25 02:30 +0100", "12-31 02:30 +0100", "12-29 02:30 +0100"]),
        ("FREQ=YEARLY;BYDAY=53TH", ["12-31 02:30 +0100", "12-30 02:30 +0100", "12-31 02:30 +0100"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", ["03-31 02:30 +0200", "04-30 02:30 +0200", "05-31 02:30 +0200"]),
        ("FREQ=MONTHLY;INTERVAL=5", ["04-01 02:30 +0200", "09-01 02:30 +0200", "02-01 02:30 +0100"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", ["02-29 02:30 +0100"] * 3),
        ("FREQ=YEARLY", ["01-01 02:30 +0100"] * 3),
        ("FREQ=YEARLY;BYYEARDAY=-1", ["12-31 02:30 +0100"] * 3),
        ("FREQ=DAILY;BYHOUR=8,20;BYMINUTE=0", ["03-02 08:00 +0100", "03-02 20:00 +0100", "03-03 08:00 +0100"]),
    ],
)
def test_rule_of_the_calendar(value: str, expected: list[str]) -> None:
    assert local(rule(value), "2026-03-02", 3) == expected


def test_without_a_rule_it_occurs_once() -> None:
    assert local(f"DTSTART;TZID={BERLIN}:20260301T080000", "2020-01-01", 9) == ["03-01 08:00 +0100"]


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (Gap.SHIFT, ["03-28 02:30 +0100", "03-29 03:00 +0200", "03-30 02:30 +0200"]),
        (Gap.SKIP, ["03-28 02:30 +0100", "03-30 02:30 +0200", "03-31 02:30 +0200"]),
    ],
)
def test_local_time_that_the_clocks_leap_over(gap: Gap, expected: list[str]) -> None:
    assert local(rule("FREQ=DAILY"), "2026-03-28", 3, gap=gap) == expected


@pytest.mark.parametrize(
    ("fold", "expected"),
    [
        (Fold.FIRST, ["10-25 02:30 +0200", "10-26 02:30 +0100"]),
        (Fold.SECOND, ["10-25 02:30 +0100", "10-26 02:30 +0100"]),
        (Fold.BOTH, ["10-25 02:30 +0200", "10-25 02:30 +0100"]),
    ],
)
def test_local_time_that_comes_twice(fold: Fold, expected: list[str]) -> None:
    assert local(rule("FREQ=DAILY"), "2026-10-24 12:00", 2, fold=fold) == expected


def test_times_that_come_twice_come_in_the_order_of_time() -> None:
    text = rule("FREQ=DAILY;BYHOUR=2;BYMINUTE=0,30")
    assert local(text, "2026-10-25 00:00", 4, fold=Fold.BOTH) == [
        "10-25 02:00 +0200",
        "10-25 02:30 +0200",
        "10-25 02:00 +0100",
        "10-25 02:30 +0100",
    ]


def test_times_shifted_to_the_same_moment_are_one() -> None:
    text = rule("FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30")
    assert local(text, "2026-03-29 00:00", 3) == ["03-29 03:00 +0200", "03-29 03:30 +0200", "03-30 02:00 +0200"]


@pytest.mark.parametrize(("value", "step"), [("FREQ=HOURLY;INTERVAL=5", 300), ("FREQ=MINUTELY;INTERVAL=45", 45)])
def test_hours_and_minutes_are_those_that_pass(value: str, step: int) -> None:
    found = parse(rule(value))
    due = found.between(datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC), 500)

    assert {later - earlier for earlier, later in pairwise(due)} == {timedelta(minutes=step)}
    assert (due[0] - datetime(2020, 1, 1, 1, 30, tzinfo=UTC)) % timedelta(minutes=step) == timedelta()


def test_count_counts_due_times() -> None:
    assert len(local(rule("FREQ=DAILY;COUNT=5", "20260327T023000"), "2020-01-01", 9, gap=Gap.SKIP)) == 5
    assert local(rule("FREQ=HOURLY;COUNT=2"), "2020-01-01", 9) == ["01-01 02:30 +0100", "01-01 03:30 +0100"]
    assert len(local(rule("FREQ=DAILY;COUNT=4", "20261024T023000"), "2020-01-01", 9, fold=Fold.BOTH)) == 4


@pytest.mark.parametrize(
    ("until", "count"),
    [("20260303", 3), ("20260303T023000", 3), ("20260303T022959", 2), ("20260303T013000Z", 3), ("20260303T012959Z", 2)],
)
def test_until_is_the_last_moment_of_all(until: str, count: int) -> None:
    assert len(local(rule(f"FREQ=DAILY;UNTIL={until}", "20260301T023000"), "2020-01-01", 9)) == count


def test_periods_can_be_left_out() -> None:
    text = f"DTSTART;TZID={BERLIN}:20260301T080000\nRRULE:FREQ=MINUTELY\n"
    text += f"EXDATE;value=period;TZID={BERLIN}:20260301T080100/20310301T090000,20310301T090200/20310301T090300\n"
    text += "EXDATE;VALUE=PERIOD:20310301T080300Z/20310301T080500Z"
    found = parse(text)
    due = found.between(datetime(2026, 1, 1, tzinfo=UTC), END, 5)
    assert [f"{one:%Y %H:%M}" for one in due] == [
        "2026 07:00",
        "2031 08:00",
        "2031 08:01",
        "2031 08:05",
        "2031 08:06",
    ]
    assert parse(str(found)) == found
    assert found.after(datetime(2026, 3, 1, 8, 0, tzinfo=UTC)) == datetime(2031, 3, 1, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("period", ["20260301", "20260302/20260301", "20260301/20260302T000000Z", "1/2/3", "/"])
def test_what_is_no_period_is_refused(period: str) -> None:
    with pytest.raises(InvalidValue, match="EXDATE"):
        parse(f"DTSTART;TZID={BERLIN}:20260301T080000\nRRULE:FREQ=DAILY\nEXDATE;VALUE=PERIOD:{period}")


def test_dates_can_be_left_out_and_added() -> None:
    text = rule("FREQ=DAILY;COUNT=3", "20260301T080000")
    text += f"\nEXDATE;TZID={BERLIN}:20260302T080000\nRDATE:20260302T090000Z,20260310T070000Z"
    assert local(text, "2026-01-01", 9) == [
        "03-01 08:00 +0100",
        "03-02 10:00 +0100",
        "03-03 08:00 +0100",
        "03-10 08:00 +0100",
    ]


def test_next_due_time_is_found_as_fast_for_an_old_rule() -> None:
    rules = ["FREQ=MINUTELY", "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=TU", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=YEARLY"]
    for value in rules:
        young, old = parse(rule(value, "23900101T000000")), parse(rule(value, "19700101T000000"))
        costs = []
        for found in (young, old):
            begin = time.thread_time()
            for day in range(300):
                assert found.after(datetime(2391, 1, 1, tzinfo=UTC) + timedelta(days=day)) is not None
            costs.append(time.thread_time() - begin)
        assert costs[1] < 5 * costs[0] + 0.05, value


def test_last_due_times_of_all_are_found_and_none_after_them() -> None:
    found = parse(rule("FREQ=DAILY"))

    assert found.between(datetime(2399, 12, 30, tzinfo=UTC), datetime(2500, 1, 1, tzinfo=UTC), 9)[-1].year == 2399
    assert found.after(datetime(2400, 1, 1, tzinfo=UTC)) is None
    assert found.after(datetime(9999, 12, 30, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "one DTSTART"),
        ("RRULE:FREQ=DAILY", "one DTSTART"),
        ("DTSTART:20260301T080000", "names no zone"),
        ("DTSTART;TZID=Europe/Berlin:20260301T080000Z", "names a zone as well"),
        ("DTSTART;TZID=Mars/Olympus:20260301T080000", "DTSTART/TZID"),
        ("DTSTART;TZID=../../../etc/passwd:20260301T080000", "DTSTART/TZID"),
        ("DTSTART;VALUE=DATE:20260301", "only TZID"),
        ("DTSTART:20260230T080000Z", "calendar"),
        ("DTSTART:00010101T080000Z", "1970 to 2399"),
        ("DTSTART:20260301T080000Z\nEXRULE:FREQ=DAILY", "none of DTSTART"),
        (rule("INTERVAL=2"), "RRULE/FREQ: is missing"),
        (rule("FREQ=SECONDLY"), "RRULE/FREQ"),
        (rule("FREQ=DAILY;INTERVAL=0"), "RRULE/INTERVAL"),
        (rule("FREQ=DAILY;INTERVAL=1;INTERVAL=2"), "RRULE/INTERVAL: stands there twice"),
        (rule("FREQ=DAILY;COUNT=3;UNTIL=20300101"), "RRULE/UNTIL"),
        (rule("FREQ=DAILY;COUNT=10001"), "RRULE/COUNT"),
        (rule("FREQ=DAILY;BYDAY=1MO"), "RRULE/BYDAY"),
        (rule("FREQ=MONTHLY;BYDAY=0MO"), "RRULE/BYDAY"),
        (rule("FREQ=MONTHLY;BYMONTHDAY=32"), "RRULE/BYMONTHDAY"),
        (rule("FREQ=MONTHLY;BYMONTHDAY=0"), "RRULE/BYMONTHDAY"),
        (rule("FREQ=WEEKLY;BYMONTHDAY=1"), "RRULE/BYMONTHDAY"),
        (rule("FREQ=MINUTELY;BYHOUR=8"), "RRULE/BYHOUR"),
        (rule("FREQ=DAILY;BYSETPOS=1"), "RRULE/BYSETPOS"),
        (rule("FREQ=DAILY;BYSECOND=1"), "RRULE/BYSECOND"),
        (rule("FREQ=DAILY;BYMINUTE=" + ",".join(map(str, range(60))) + ";BYHOUR=1,2"), "RRULE/BYMINUTE"),
        (rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "never occurs"),
        (rule("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), "never occurs"),
        (rule("FREQ=MONTHLY;BYDAY=8MO,-53SU"), "never occurs"),
        (rule("FREQ=DAILY;UNTIL=20190101"), "never occurs"),
        (rule("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;COUNT=9999"), "RRULE/COUNT"),
        (rule("FREQ=DAILY") + "\n" + rule("FREQ=DAILY"), "one DTSTART"),
        ("x" * (MAX_LENGTH + 1), "characters"),
        (f"DTSTART;TZID={'x' * 4_000}:20260301T080000\nRDATE:20260401T080000", "in every line"),
    ],
)
def test_what_is_no_recurrence_is_refused_soon_and_named(text: str, problem: str) -> None:
    begin = time.thread_time()

    with pytest.raises(InvalidValue, match=problem):
        parse(text)

    assert time.thread_time() - begin < 2


@pytest.mark.parametrize("part", ["BYDAY=MO,", "BYMONTHDAY=1,", "EXDATE", "A=B;"])
def test_hostile_text_costs_time_in_proportion_to_its_length(part: str) -> None:
    def read(size: int) -> None:
        with pytest.raises(InvalidValue):
            recurrence.recurrence_text.parse_rule("FREQ=MONTHLY;" + part * (size // len(part)) + "!")

    assert_linear(read)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (recurrence_kinds.once(EIGHT, BERLIN), None),
        (recurrence_kinds.every_n_days(EIGHT, BERLIN, 3), "FREQ=DAILY;INTERVAL=3"),
        (recurrence_kinds.weekdays(EIGHT, BERLIN), "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        (recurrence_kinds.weekly(EIGHT, BERLIN, {6, 0}, 2), "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU"),
        (
            recurrence_kinds.monthly_days(EIGHT, BERLIN, [31, 1]),
            "FREQ=MONTHLY;BYMONTHDAY=1,31",
        ),
        (recurrence_kinds.monthly_nth(EIGHT, BERLIN, -1, 4), "FREQ=MONTHLY;BYDAY=-1FR"),
        (recurrence_kinds.end_of_month(EIGHT, BERLIN, 3), "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=-1"),
        (recurrence_kinds.every_n_hours(EIGHT, BERLIN, 6), "FREQ=HOURLY;INTERVAL=6"),
        (
            recurrence_kinds.every_n_minutes(EIGHT, BERLIN, 5, EIGHT.replace(month=4, hour=0)),
            "FREQ=MINUTELY;INTERVAL=5;UNTIL=20260401T000000",
        ),
    ],
)
def test_kind_that_people_ask_for_by_name(text: str, value: str | None) -> None:
    lines = text.split("\n")

    assert lines == [f"DTSTART;TZID={BERLIN}:20260301T080000", *([f"RRULE:{value}"] if value else [])]
    assert parse(text).after(LONG_AGO) is not None


def test_impossible_kinds_are_refused() -> None:
    for make in (
        lambda: recurrence_kinds.weekly(EIGHT, BERLIN, []),
        lambda: recurrence_kinds.weekly(EIGHT, BERLIN, [7]),
        lambda: recurrence_kinds.monthly_days(EIGHT, BERLIN, [32]),
        lambda: recurrence_kinds.monthly_days(EIGHT, BERLIN, []),
        lambda: recurrence_kinds.monthly_nth(EIGHT, BERLIN, 6, 0),
        lambda: recurrence_kinds.every_n_days(EIGHT, BERLIN, 0),
    ):
        with pytest.raises(InvalidValue):
            make()


@st.composite
def values(draw: st.DrawFn) -> str:
    """Rules of every frequency that occur within a few years of any start."""
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.integers(1, 4))}"]
    days = draw(st.sets(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), max_size=3))
    if frequency in ("MONTHLY", "YEARLY"):
        if draw(st.booleans()):
            days = {f"{draw(st.sampled_from([1, 2, 3, 4, -1, -2]))}{day}" for day in days}
        elif not days:
            numbers = draw(st.sets(st.integers(1, 28) | st.integers(-28, -1), min_size=1, max_size=3))
            parts.append("BYMONTHDAY=" + ",".join(map(str, sorted(numbers))))
    if days:
        parts.append("BYDAY=" + ",".join(sorted(days)))
        # In the first week dateutil counts positions from the start on, where the standard counts whole weeks.
        if frequency != "WEEKLY" and draw(st.booleans()):
            parts.append(f"BYSETPOS={draw(st.sampled_from([1, -1]))}")
    if draw(st.booleans()):
        parts.append("BYHOUR=" + ",".join(map(str, sorted(draw(st.sets(st.integers(0, 23), min_size=1, max_size=3))))))
    return ";".join(parts)


STARTS = st.datetimes(EIGHT.replace(year=1990), EIGHT.replace(year=2039)).map(lambda one: one.replace(microsecond=0))


@settings(max_examples=150, deadline=None)
@given(values(), STARTS, st.integers(0, 6_000))
def test_rules_agree_with_dateutil_read_from_their_start(value: str, start: datetime, days: int) -> None:
    text = f"DTSTART:{start:%Y%m%dT%H%M%S}Z\nRRULE:{value}"
    after = start.replace(tzinfo=UTC) + timedelta(days=days)

    expected = rrulestr(text).xafter(after, count=4)

    assert parse(text).between(after, END, 4) == list(expected)


@settings(max_examples=100, deadline=None)
@given(values(), STARTS, st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC"]))
def test_text_gives_itself_again(value: str, start: datetime, zone: str) -> None:
    found = parse(rule(value, f"{start:%Y%m%dT%H%M%S}", zone))

    assert parse(str(found)) == found
    assert str(parse(str(found))) == str(found)


@settings(max_examples=100, deadline=None)
@given(values(), STARTS, st.sampled_from([*Gap]), st.sampled_from([*Fold]))
def test_due_times_rise_and_after_walks_along_them(value: str, start: datetime, gap: Gap, fold: Fold) -> None:
    found = parse(rule(value, f"{start:%Y%m%dT%H%M%S}"), gap, fold)
    due = found.between(LONG_AGO, END, 30)

    assert all(earlier < later for earlier, later in pairwise(due))
    for earlier, later in pairwise(due):
        assert found.after(earlier) == later
        assert found.after(later - timedelta(microseconds=1)) == later
    assert all(one >= start.replace(tzinfo=ZoneInfo(BERLIN)) - timedelta(hours=1) for one in due)


FREQUENCIES = st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY", "MINUTELY", "SECONDLY", "x"])
PARTS = {
    "INTERVAL": st.integers(-1, 100_001),
    "COUNT": st.integers(0, 60),
    "UNTIL": st.sampled_from(["20260301", "20260301T080000Z", "23991231T235959", "20269999", ""]),
    "BYMONTH": st.lists(st.integers(0, 13), max_size=3).map(lambda ones: ",".join(map(str, ones))),
    "BYYEARDAY": st.integers(-367, 367),
    "BYMONTHDAY": st.lists(st.integers(-32, 32), max_size=3).map(lambda ones: ",".join(map(str, ones))),
    "BYDAY": st.from_regex(r"[+-]?[0-9]{0,2}(MO|SU|XX)(,-?[0-9]{0,2}TU)?", fullmatch=True),
    "BYHOUR": st.integers(-1, 24),
    "BYMINUTE": st.integers(-1, 60),
    "BYSETPOS": st.integers(-367, 367),
    "WKST": st.sampled_from(["SU", "MO", "XX"]),
}


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({"FREQ": FREQUENCIES}, optional=PARTS), STARTS)
def test_any_combination_of_parts_is_understood_or_refused(parts: dict[str, object], start: datetime) -> None:
    text = rule(";".join(f"{name}={value}" for name, value in parts.items()), f"{start:%Y%m%dT%H%M%S}")
    try:
        found = parse(text)
    except InvalidValue:
        return

    due = found.between(LONG_AGO, END, 5)
    assert due == sorted({*due})
    assert parse(str(found)) == found


@given(st.text(max_size=200) | st.text(alphabet="DTSAR:;=ULEFQ0123456789Z,\n", max_size=200))
def test_any_text_is_understood_or_refused(text: str) -> None:
    with suppress(InvalidValue):
        assert str(parse(str(parse(text)))) == str(parse(text))
