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


@pytest.fixture(params=["sqlite", "postgresql"])
def worlds(request: pytest.FixtureRequest, make_world: Callable[..., World]) -> list[World]:
    """One dispatcher on SQLite, or two on one PostgreSQL; agents know all of them."""
    datastore = "" if request.param == "sqlite" else request.getfixturevalue("postgresql_database")
    made = [make_world(datastore) for _ in range(2 if datastore else 1)]
    made[0].prepare()
    for other in made[1:]:
        other.start_server()
    for name in ("one", "two"):
        made[0].start_agent(name, ",".join(each.agents_url for each in made))
    made[0].wait_for_agents()
    return made


def kill_for(seconds: float, worlds: list[World]) -> int:
    """Kill dispatchers and start them again for so many *seconds*; return how often."""
    chance = worlds[0].random
    kills, over = 0, time.monotonic() + seconds
    while time.monotonic() < over:
        time.sleep(chance.uniform(0, 2))
        victim = chance.choice(worlds)
        assert victim.server is not None
        victim.server.kill()
        time.sleep(chance.choice((0, chance.uniform(0, 2))))
        victim.start_server()
        kills += 1
    return kills


@pytest.mark.promise("P5")
@pytest.mark.timeout(900)
def test_dispatchers_killed_while_jobs_are_due(worlds: list[World], times: Any) -> None:
    world = worlds[0]
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    firsts = {f"s{number}": start + timedelta(seconds=number * 60 // SCHEDULES) for number in range(SCHEDULES)}
    jobs = {text: schedule(world, text, first) for text, first in firsts.items()}
    assert kill_for(times(20, 120), worlds) > 0
    until = datetime.now(UTC)
    for text, first in firsts.items():
        if first <= until:
            # Nobody was away for as long as a minute: nothing has been missed.
            assert {row.outcome for row in settled_ledger(world, jobs[text], first, until)} == {"Fired"}
    stop(world, list(jobs.values()))
    ledgers = {text: [row.job for row in ledger(world, job) if row.outcome == "Fired"] for text, job in jobs.items()}
    fired = [job for of_one in ledgers.values() for job in of_one]
    assert len(set(fired)) == len(fired) > 0
    assert {ended(world, job) for job in fired} == {COMPLETED}
    # Each entry of the ledger was done, and once.
    done = Counter({text: len(of_one) for text, of_one in ledgers.items() if of_one})
    assert read_effects(world.effects) == (done, done)


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
