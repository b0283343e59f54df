"""Schedules on every database: several dispatchers fire the same due times, and each becomes one job."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, work_off
from schedule_world import MINUTES, NOON, QUARTER, QUARTERS, World
from sqlalchemy import func, select

from dispatcher.core.attempts import again
from dispatcher.core.jobs import Invoker
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.core.schedules import Misfire, Outcome, Overlap
from dispatcher.core.states import State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.schedules import OCCURRENCES
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import occurrences
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.secrets import Secrets

SCHEDULES, DISPATCHERS = 12, 3


@pytest.fixture
def world(hall: Hall, clock: Any, enrol: Callable[..., UUID], load_library: Callable[[str], None]) -> World:
    load_library(LIBRARY)
    return World(hall, clock, enrol("one"))


@pytest.mark.promise("P5")
def test_dispatchers_that_fire_together_give_each_due_time_one_job(
    world: World,
    datastore: Datastore,
    ports: Ports,
    secrets: Secrets,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(occurrences, "BATCH", 5)
    recurring = [world.recur(MINUTES, misfire=Misfire.ALL) for _ in range(SCHEDULES)]
    world.clock.turn(timedelta(minutes=9))
    datastores = [Datastore(datastore.url) for _ in range(DISPATCHERS)]
    together = threading.Barrier(DISPATCHERS)
    failures: list[BaseException] = []

    def fire(datastore: Datastore) -> None:
        try:
            hall = build_hall(datastore, ports, secrets, lease=timedelta(seconds=30))
            together.wait(timeout=60)
            while (moment := hall.occurrences.next_moment()) is not None and moment <= NOON + timedelta(minutes=9.5):
                again(hall.occurrences.fire_due)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=fire, args=(datastore,)) for datastore in datastores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for one in datastores:
        one.close()

    assert failures == []
    with datastore.read() as session:
        ledger = session.execute(select(OCCURRENCES)).all()
        jobs = set(session.scalars(select(JOBS.c.id).where(JOBS.c.invoker == Invoker.RECURRENCE)))
    assert Counter(row.schedule_id for row in ledger) == {job.id: 10 for job in recurring}
    assert {row.outcome for row in ledger} == {Outcome.FIRED}
    assert {row.job_id for row in ledger} == jobs
    assert len(jobs) == 10 * SCHEDULES


@pytest.mark.parametrize("overlap", Overlap)
def test_overlap_rule(world: World, overlap: Overlap) -> None:
    job = world.recur(overlap=overlap)
    world.turn()
    world.turn(QUARTER)
    work_off(world.hall, world.agent, NOON)
    world.turn()
    work_off(world.hall, world.agent, NOON)
    world.turn()

    states = [one.state for one in world.jobs(job)]
    expected = {
        Overlap.ALLOW: [State.COMPLETED, State.COMPLETED],
        Overlap.SKIP: [State.COMPLETED],
        Overlap.QUEUE: [State.COMPLETED, State.COMPLETED],
        Overlap.CANCEL: [State.ABORTED, State.COMPLETED],
    }
    assert states == expected[overlap]


def test_life_of_a_recurring_job(world: World) -> None:
    job = world.recur(QUARTERS + ";COUNT=52", misfire=Misfire.SKIP)
    world.turn()
    world.hall.schedules.pause(job.id, None, SYSTEM)
    world.turn(QUARTER)
    world.hall.schedules.resume(job.id, SYSTEM)
    world.turn(timedelta(minutes=20))
    world.turn(timedelta(minutes=10))

    assert world.outcomes(job) == [("12:00", "FIRED"), ("12:15", "SKIPPED"), ("12:30", "SKIPPED"), ("12:45", "FIRED")]
    assert world.state(job) is State.COMPLETED
    page = world.hall.schedules.ledger(job.id, 2, 3, SYSTEM)
    assert ([one.due_at for one in page.items], page.total) == ([NOON], 4)


@pytest.mark.parametrize("aborts", [True, False])
def test_recurring_job_that_ends_as_its_last_one(world: World, aborts: bool) -> None:
    once = "DTSTART:20260301T120000Z\nRRULE:FREQ=DAILY;COUNT=1"
    pattern = world.recur(once, options={"ends_as_last": True})
    world.turn(QUARTER)
    world.hall.on_demand.run(pattern.id, SYSTEM)
    assert (world.state(pattern), len(world.jobs(pattern))) == (State.ACTIVE, 2)
    if aborts:
        world.hall.aborting.abort(pattern.id, SYSTEM)
    else:
        work_off(world.hall, world.agent, world.clock())
    world.hall.occurrences.release_held()
    assert world.state(pattern) is (State.ABORTED if aborts else State.COMPLETED)


def test_jobs_out_of_time_are_timed_out(world: World, datastore: Datastore) -> None:
    job = world.recur(options={"timeout_s": 60.0})
    world.turn()

    assert world.hall.clockwork.next_end() == NOON + timedelta(minutes=1)
    world.clock.turn(timedelta(minutes=1))
    assert world.hall.clockwork.time_out() == 1

    assert [one.state for one in world.jobs(job)] == [State.TIMED_OUT]
    assert world.hall.clockwork.next_end() is None
    with datastore.read() as session:
        assert session.scalar(select(func.count()).select_from(JOBS).where(JOBS.c.ends_by.is_not(None))) == 0
