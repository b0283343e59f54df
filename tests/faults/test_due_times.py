"""Due times: each is in the ledger once and is one job at most, whoever is killed and however long nobody is there."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from checker import COMPLETED, read_effects
from world import ONCE, World

SCHEDULES = 40
MINUTE = timedelta(minutes=1)
#: How long the ledger may take to be complete once nothing is disturbed any more, in seconds.
SETTLES_S = 30
_DATE = re.compile(r"/Date\((-?\d+)")


@dataclass(frozen=True)
class Row:
    """What the ledger says of a due time."""

    due_at: datetime
    outcome: str
    job: str
    reason: str


def schedule(world: World, text: str, first: datetime, misfire: str = "once") -> str:
    """Submit a job that is due every minute from *first* on; return its id."""
    recurs = {"RecurringSchedule": f"DTSTART:{first:%Y%m%dT%H%M%SZ}\nRRULE:FREQ=MINUTELY"}
    when = {"Immediate": False, **recurs, "Recurrence": {"MisfireRule": misfire}}
    agent = world.ids[world.random.choice(sorted(world.ids))]
    deadline = time.monotonic() + SETTLES_S
    while not (job := world.client.submit(ONCE, agent, text, tries=1, When=when)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return job


def ledger(world: World, job: str) -> list[Row]:
    """Return the rows of a recurring job, the latest first; none while nobody answers."""

    def pages() -> Iterator[Any]:
        number, count = 1, 1
        while number <= count:
            status, page = world.client.call("GET", f"jobs/{job}/occurrences?page={number}&pagesize=100", None, {})
            if status != 200:
                return
            yield from page["Items"]
            number, count = number + 1, page["PageCount"]

    return [Row(moment(row["DueDateTime"]), row["Outcome"], row["JobID"] or "", row["Reason"]) for row in pages()]


def moment(text: str) -> datetime:
    """Return the moment that a date on the wire stands for."""
    found = _DATE.match(text)
    assert found is not None, text
    return datetime.fromtimestamp(int(found[1]) / 1000, UTC)


def every_minute(first: datetime, last: datetime) -> list[datetime]:
    """Return the due times from *first* to *last*, counted by hand."""
    return [first + number * MINUTE for number in range(int((last - first) / MINUTE) + 1)]


def settled_ledger(world: World, job: str, first: datetime, until: datetime) -> list[Row]:
    """Return the rows up to *until*, the earliest first, once all are there; each due time has exactly one."""
    expected = every_minute(first, until)
    deadline = time.monotonic() + SETTLES_S
    while True:
        rows = [row for row in reversed(ledger(world, job)) if row.due_at <= until]
        if len(rows) >= len(expected) and not any(row.outcome == "Held" for row in rows):
            break
        assert time.monotonic() < deadline, f"{len(rows)} rows of {len(expected)}"
        time.sleep(0.2)
    assert [row.due_at for row in rows] == expected
    return rows


def ended(world: World, job: str) -> int:
    """Return the state that *job* ends in."""
    deadline = time.monotonic() + SETTLES_S
    while True:
        status, found = world.client.call("GET", f"jobs/{job}", None, {})
        if status == 200 and found["Status"]["Type"] not in (0, 1, 2, 10):
            return int(found["Status"]["Type"])
        assert time.monotonic() < deadline, f"{job}: {status} {found}"
        time.sleep(0.1)


def stop(world: World, jobs: list[str]) -> None:
    """End the recurring jobs: nothing is due any more."""
    for job in jobs:
        status, _ = world.client.call("PUT", f"jobs/{job}", {"Type": 2}, {})
        assert status == 200


@pytest.mark.promise("P5")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_dispatchers_killed_while_jobs_are_due(
    request: pytest.FixtureRequest, make_world: Callable[..., World], times: Any, database: str
) -> None:
    datastore = "" if database == "sqlite" else request.getfixturevalue("postgresql_database")
    worlds = [make_world(datastore) for _ in range(1 if database == "sqlite" else 2)]
    world = worlds[0]
    world.prepare()
    for other in worlds[1:]:
        other.start_server()
    for name in ("one", "two"):
        world.start_agent(name, ",".join(each.agents_url for each in worlds))
    world.wait_for_agents()
    seconds = times(20, 300)
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    firsts = [start + timedelta(seconds=number * 60 // SCHEDULES) for number in range(SCHEDULES)]
    jobs = [schedule(world, f"s{number}", first) for number, first in enumerate(firsts)]
    kills, over = 0, time.monotonic() + seconds
    while time.monotonic() < over:
        time.sleep(world.random.uniform(0, 2))
        victim = world.random.choice(worlds)
        assert victim.server is not None
        victim.server.kill()
        time.sleep(world.random.choice((0, world.random.uniform(0, 2))))
        victim.start_server()
        kills += 1
    until = datetime.now(UTC)
    fired: Counter[str] = Counter()
    for number, (job, first) in enumerate(zip(jobs, firsts, strict=True)):
        if first <= until:
            rows = settled_ledger(world, job, first, until)
            # Nobody was away for as long as a minute: nothing has been missed.
            assert {row.outcome for row in rows} == {"Fired"}
            fired[f"s{number}"] = len(rows)
    stop(world, jobs)
    all_rows = [row for job in jobs for row in ledger(world, job) if row.outcome == "Fired"]
    assert len({row.job for row in all_rows}) == len(all_rows)
    assert {ended(world, row.job) for row in all_rows} == {COMPLETED}
    begun, done = read_effects(world.effects)
    # What became due after the last look has run, too: at least what the ledger said, each once for each row.
    assert (
        begun
        == done
        == Counter({f"s{number}": count for number, job in enumerate(jobs) if (count := len(ledger(world, job)))})
    )
    assert all(begun[text] >= count for text, count in fired.items())
    assert kills > 0
    assert fired


@pytest.mark.promise("P5")
@pytest.mark.timeout(300)
def test_ledger_after_two_hours_of_downtime(world: World, fake_clock: tuple[dict[str, str], Path]) -> None:
    environment, file = fake_clock
    world.environment |= environment
    world.prepare("one")
    assert world.server is not None
    first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=5)
    jobs = {misfire: schedule(world, misfire, first, misfire) for misfire in ("once", "skip", "all")}
    for job in jobs.values():
        settled_ledger(world, job, first, first)
    down_at = datetime.now(UTC)
    world.server.kill()
    file.write_text("+2h")
    world.start_server()
    up_at = datetime.now(UTC) + timedelta(hours=2)
    rows = {misfire: settled_ledger(world, job, first, up_at) for misfire, job in jobs.items()}
    made_up = {
        misfire: [row.due_at for row in found if row.outcome == "Fired" and row.due_at > down_at]
        for misfire, found in rows.items()
    }
    missed = [due for due in every_minute(first, up_at) if due > down_at]
    # The server may have come up in the minute in which the last of them was due: that one was not missed.
    assert made_up["skip"] in ([], missed[-1:])
    assert made_up["once"] in (missed[-1:], missed[-2:])
    assert len(made_up["all"]) in (60, 61)
    assert made_up["all"] == missed[-len(made_up["all"]) :]
    assert all("missed" in row.reason for found in rows.values() for row in found if row.outcome == "Skipped")
    stop(world, list(jobs.values()))
    fired = Counter({misfire: sum(row.outcome == "Fired" for row in ledger(world, jobs[misfire])) for misfire in jobs})
    assert {ended(world, row.job) for job in jobs.values() for row in ledger(world, job) if row.job} == {COMPLETED}
    assert read_effects(world.effects) == (fired, fired)
