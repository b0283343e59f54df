"""Periods beside an oracle that shares no code with them: it walks day by day, and asks a calendar of paper."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core import recurrence
from dispatcher.core.errors import InvalidValue
from dispatcher.core.schedules import preview
from dispatcher.core.windows import Rule
from dispatcher.services.exastro_ita.periods import LAST, Period, Timetable, from_rule, to_rule

TOKYO = ZoneInfo("Asia/Tokyo")  # its clocks are never changed: the oracle knows nothing of that
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
#: How far the oracle walks.
DAYS, STEPS = 5_000, 3_000
START = datetime(2031, 1, 20, 3, 30, tzinfo=UTC)


def days_of(table: Timetable) -> Iterator[date]:
    """Give the days on which *table* is due, in order, whatever the time of day; of its calendar periods."""
    first = table.start.astimezone(TOKYO).date()
    sunday = first - (first.isoweekday() % 7) * DAY
    for number in range(DAYS):
        day = first + number * DAY
        month = (day.year - first.year) * 12 + day.month - first.month
        length = calendar.monthrange(day.year, day.month)[1]
        is_due = {
            Period.DAYS: number % table.interval == 0,
            Period.WEEKS: (day - sunday).days // 7 % table.interval == 0 and day.weekday() in table.weekdays,
            Period.MONTH_DAY: month % table.interval == 0 and day.day == table.day,
            Period.MONTH_END: month % table.interval == 0 and day.day == length,
            Period.MONTH_WEEKDAY: month % table.interval == 0
            and day.weekday() in table.weekdays
            and (day.day > length - 7 if table.week == LAST else (day.day - 1) // 7 + 1 == table.week),
        }[table.period]
        if is_due:
            yield day


def step_of(table: Timetable) -> timedelta:
    return table.interval * (timedelta(hours=1) if table.period is Period.HOURS else timedelta(minutes=1))


def horizon(table: Timetable) -> datetime:
    """Return up to when the oracle walks."""
    return table.start + ((STEPS - 1) * step_of(table) if table.period.counts else (DAYS - 2) * DAY)


def moments_of(table: Timetable) -> Iterator[datetime]:
    """Give all that comes by the period alone, of a few years."""
    if table.period.counts:
        for number in range(STEPS):
            yield table.start + number * step_of(table)
        return
    for day in days_of(table):
        yield datetime.combine(day, table.at, TOKYO).astimezone(UTC)


def expected(table: Timetable, count: int) -> list[datetime]:
    found: list[datetime] = []
    for moment in moments_of(table):
        is_stopped = table.stop is not None and table.stop[0] <= moment <= table.stop[1]
        is_over = table.end is not None and moment > table.end
        if moment >= table.start and not is_stopped and not is_over:
            found.append(moment)
        if len(found) == count:
            break
    return found


@st.composite
def tables(draw: st.DrawFn) -> Timetable:
    period = draw(st.sampled_from(Period))
    weekdays = draw(st.lists(st.integers(0, 6), min_size=1, max_size=4, unique=True))
    start = START + draw(st.integers(0, 400)) * DAY + draw(st.integers(0, 86_399)) * SECOND
    end = draw(st.none() | st.integers(0, 900).map(lambda days: start + days * DAY))
    stop = draw(
        st.none()
        | st.tuples(st.integers(-5, 60), st.integers(1, 300)).map(
            lambda pair: (start + pair[0] * DAY, start + (pair[0] + pair[1]) * DAY)
        )
    )
    return Timetable(
        period,
        draw(st.integers(1, 13)),
        start,
        end,
        draw(st.times().map(lambda one: one.replace(microsecond=0))),
        tuple(sorted(weekdays)) if period is Period.WEEKS else (weekdays[0],),
        draw(st.integers(1, 5)),
        draw(st.integers(1, 31)),
        stop,
    )


@settings(max_examples=150, deadline=None)
@given(tables())
def test_due_times_are_those_of_the_calendar(table: Timetable) -> None:
    wanted = expected(table, 12)
    rule = to_rule(table, TOKYO)
    if rule is None:
        assert wanted == []
        return
    found = recurrence.parse(rule)
    shown = [one.due_at for one in preview(found, START - DAY, 12, None, Rule.CONTINUE, UTC)]
    assert shown[: len(wanted)] == wanted
    assert all(one > horizon(table) for one in shown[len(wanted) :])


@settings(max_examples=60, deadline=None)
@given(tables())
def test_a_rule_is_read_as_a_table_of_the_same_due_times(table: Timetable) -> None:
    rule = to_rule(table, TOKYO)
    read = None if rule is None else from_rule(rule, TOKYO)
    if rule is None:
        return
    assert read is not None
    assert (read.period, read.interval, read.end, read.stop) == (table.period, table.interval, table.end, table.stop)
    again = to_rule(read, TOKYO)
    assert again is not None
    due = [recurrence.parse(one).between(START, START + 900 * DAY, 20) for one in (rule, again)]
    assert due[0] == due[1]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY",
        "FREQ=DAILY;BYHOUR=8,20;BYMINUTE=0",
        "FREQ=MONTHLY;BYMONTHDAY=1,15",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU",  # its weeks begin on Monday
        "FREQ=DAILY;COUNT=10",
        "FREQ=MONTHLY;BYMONTHDAY=-2",
    ],
)
def test_what_no_period_says_is_none(rule: str) -> None:
    assert from_rule(f"DTSTART;TZID=Asia/Tokyo:20310120T123000\nRRULE:{rule}", TOKYO) is None


def test_what_goes_by_other_clocks_is_none() -> None:
    daily = "DTSTART;TZID=Asia/Tokyo:20310120T123000\nRRULE:FREQ=DAILY"
    assert from_rule(daily, TOKYO) == Timetable(Period.DAYS, 1, START, at=time(12, 30), day=20)
    assert from_rule(daily, UTC) is None
    assert from_rule(daily.replace("DAILY", "HOURLY"), UTC) is not None
    assert from_rule("DEMAND", UTC) is None


def test_the_start_is_not_gone_before_on_its_own_day() -> None:
    table = Timetable(Period.DAYS, 2, START, at=time(12, 29, 59))  # 12:30 is the start in Tokyo
    assert expected(table, 1) == [START + 2 * DAY - SECOND]
    assert recurrence.parse(to_rule(table, TOKYO) or "").after(START - DAY) == START + 2 * DAY - SECOND


def test_what_never_comes_has_no_rule() -> None:
    assert to_rule(Timetable(Period.MONTH_DAY, 12, START.replace(month=2), day=30), TOKYO) is None


@pytest.mark.parametrize(
    "table",
    [
        Timetable(Period.DAYS, 1, START, end=START.replace(year=2900)),
        Timetable(Period.DAYS, 1, datetime.min.replace(tzinfo=UTC)),
        Timetable(Period.DAYS, 1, datetime.max.replace(tzinfo=UTC)),
        Timetable(Period.HOURS, 1, START, stop=(START, START.replace(year=2500))),
        Timetable(Period.MINUTES, 1, START.replace(year=1969)),
        Timetable(Period.DAYS, 1, START.replace(year=1970, month=1, day=1, hour=1)),  # in New York it is not 1970 yet
    ],
)
def test_years_that_no_rule_has_are_refused(table: Timetable) -> None:
    with pytest.raises(InvalidValue, match="years"):
        to_rule(table, ZoneInfo("America/New_York"))
