"""Previews of stored jobs: what was posted in the words of the seed's grammar is due when a calendar says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opsramp_calendar import DAY, Fits, by_calendar, offsets, patterns
from opsramp_world import FIRST, Client

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.schedules import preview
from dispatcher.core.windows import Rule
from dispatcher.services.hall import Hall

#: No due time is at this very moment: starts are cut to the minute.
NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
MONTHS = [(year, month) for year in (2024, 2026, 2027, 2028) for month in (2, 3, 5, 12)]
#: Starts before and after that, at the ends of months and in leap years among them.
STARTS = st.datetimes(datetime(2015, 1, 1), datetime(2045, 1, 1)) | st.sampled_from(  # noqa: DTZ001 - the offset is apart
    [datetime(year, month, 1, 23, 59) - DAY for year, month in MONTHS]  # noqa: DTZ001
)
COUNT = 24


def posted(client: Client, pattern: dict[str, Any], start: datetime) -> UUID:
    """Return the id of the job with that schedule."""
    schedule = {"startDate": f"{start:%Y-%m-%dT%H:%M:%S%z}", "pattern": pattern}
    resource = {"id": FIRST, "type": "DEVICE"}
    script = {"jobType": "adCheckList"}
    body = {"name": "a", "entities": [{"resource": resource}], "script": script, "schedule": schedule}
    return UUID(client.post("jobs", body)["id"])


def previewed(hall: Hall, job_id: UUID, count: int = COUNT) -> list[datetime]:
    """Return the due times to come of the stored job."""
    schedule = hall.schedules.get(job_id, SYSTEM)
    found = schedule.recurrence.read()
    assert found is not None
    due = [one.due_at for one in preview(found, NOW, count, None, Rule.CONTINUE, UTC)]
    assert schedule.next_due_at == due[0]
    return due


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pattern=patterns(), start=STARTS, minutes=offsets)
def test_due_times_of_the_stored_job_are_those_of_the_calendar(
    client: Client, hall: Hall, clock: Any, pattern: tuple[dict[str, Any], Fits], start: datetime, minutes: int
) -> None:
    clock.moment = NOW
    members, fits = pattern
    zone = timezone(timedelta(minutes=minutes))
    begin = start.replace(second=0, microsecond=0, tzinfo=zone)
    job_id = posted(client, members, start.replace(tzinfo=zone))
    assert previewed(hall, job_id) == list(by_calendar(fits, begin, NOW.astimezone(zone), COUNT))


@pytest.mark.parametrize("offset", ["+0000", "+0530", "-0930"])
@pytest.mark.parametrize(
    ("pattern", "days"),
    [
        # The patterns of the seed's page, word for word; the days are those of March and April 2026.
        ({"type": "daily", "frequency": "everyday"}, [(3, day) for day in range(5, 13)]),
        ({"type": "daily", "frequency": "every weekday"}, [(3, day) for day in (5, 6, 9, 10, 11, 12, 13, 16)]),
        (
            {"type": "daily", "frequency": "recurrence", "repeatType": "Days", "repeatFrequency": "2"},
            [(3, day) for day in (5, 7, 9, 11, 13, 15, 17, 19)],
        ),
        (
            {"type": "weekly", "weekDays": "Sunday, Tuesday, Thursday, Saturday"},
            [(3, day) for day in (5, 7, 8, 10, 12, 14, 15, 17)],
        ),
        (
            {"type": "monthly", "dayOfMonth": "1, 2, 3, 4, 5"},
            [(3, 5), *((4, day) for day in range(1, 6)), (5, 1), (5, 2)],
        ),
        (
            {"type": "monthly", "weekIndex": "Second", "dayOfWeek": "Sunday"},
            [(3, 8), (4, 12), (5, 10), (6, 14), (7, 12), (8, 9), (9, 13), (10, 11)],
        ),
        ({"type": "monthly", "dayOfMonth": "31"}, [(3, 31), (5, 31), (7, 31), (8, 31), (10, 31), (12, 31)]),
    ],
)
def test_patterns_of_the_page_fire_on_their_days(
    client: Client, hall: Hall, clock: Any, pattern: dict[str, Any], days: list[tuple[int, int]], offset: str
) -> None:
    """What is previewed is what the ledger has once its time has come."""
    clock.moment = NOW
    start = datetime.strptime(f"2026-03-05T10:10:10{offset}", "%Y-%m-%dT%H:%M:%S%z")
    job_id = posted(client, pattern, start)
    expected = [start.replace(month=month, day=day, second=0).astimezone(UTC) for month, day in days]
    assert previewed(hall, job_id, len(days)) == expected
    for due in expected:
        clock.moment = due
        while hall.occurrences.fire_due():
            pass
    ledger = hall.schedules.ledger(job_id, 1, 100, SYSTEM).items
    assert [one.due_at for one in reversed(ledger)] == expected


@pytest.mark.parametrize(("words", "times"), [("never", 1), ("run once", 2)])
@pytest.mark.parametrize("year", [2016, 2031])
def test_what_does_not_repeat_is_due_at_its_start_or_at_once(
    client: Client, hall: Hall, clock: Any, words: str, times: int, year: int
) -> None:
    clock.moment = NOW + timedelta(milliseconds=1)
    job_id = posted(client, {"type": words}, datetime(year, 4, 14, 10, 10, 10, tzinfo=UTC))
    first = datetime(2031, 4, 14, 10, 10, tzinfo=UTC) if year == 2031 else NOW + timedelta(seconds=1)
    assert previewed(hall, job_id) == [first + timedelta(seconds=n) for n in range(times)]
