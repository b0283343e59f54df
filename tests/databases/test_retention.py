"""What is old goes, a little at a time; what has not ended stays, on every database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, RINGS, a_request, lease, on, report, work_off
from sqlalchemy import func, insert, select, update

from dispatcher.core.jobs import Stage, WhatKind, When, WhoChoice
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import CHUNKS, RUNS, TASK_RESULTS
from dispatcher.datastore.schedules import OCCURRENCES, SCHEDULES
from dispatcher.datastore.submits import SUBMITS
from dispatcher.services import retention
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import Output, RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.retention import Retention
from dispatcher.services.submits import SubmitKey


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@pytest.fixture
def days(hall: Hall) -> Callable[..., None]:
    """Set how many days things are kept."""

    def days(**settings: int) -> None:
        for name, value in settings.items():
            hall.settings.set(f"retention.{name}_days", str(value), SYSTEM)

    return days


@pytest.fixture
def count(datastore: Any) -> Callable[[Any], int]:
    def count(table: Any) -> int:
        with datastore.read() as session:
            return int(session.scalar(select(func.count()).select_from(table)))

    return count


def sweep(hall: Hall, clock: Any) -> list[int]:
    """Sweep until there is nothing to do for a while; return how many rows went in each batch."""
    batches = []
    while True:
        batches.append(hall.retention.sweep())
        until = hall.retention.next_moment()
        assert until is not None
        if until - clock() >= retention.REST:
            return batches
        clock.moment = until


def do_a_job(hall: Hall, agent: UUID, now: datetime, output: bytes = b"hello\n") -> UUID:
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    (run,) = lease(hall, agent, 1)
    report(hall, agent, run, RunStarted(now), TaskStarted(0, now), Output(0, 0, output))
    report(hall, agent, run, TaskFinished(0, now, Event.COMPLETE, 0), RunFinished(now, Event.COMPLETE))
    return job.id


def test_without_settings_everything_is_kept(hall: Hall, enrol: Callable[..., UUID], clock: Any, count: Any) -> None:
    do_a_job(hall, enrol("one"), clock())
    clock.turn(timedelta(days=10_000))
    assert sum(sweep(hall, clock)) == 0
    assert [count(table) for table in (JOBS, RUNS, TASK_RESULTS, CHUNKS)] == [1, 1, 1, 1]


def test_old_jobs_go_with_all_that_belongs_to_them(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, days: Any, count: Any
) -> None:
    agent = enrol("one")
    do_a_job(hall, agent, clock())
    days(jobs=30)
    clock.turn(timedelta(days=20))
    young = do_a_job(hall, agent, clock())
    clock.turn(timedelta(days=11))
    sweep(hall, clock)
    assert [job.id for job in hall.jobs.page(Stage.ALL, True, True, 1, 10, SYSTEM).items] == [young]
    assert [count(table) for table in (JOBS, RUNS, TASK_RESULTS, CHUNKS)] == [1, 1, 1, 1]


def test_what_has_not_ended_stays(hall: Hall, enrol: Callable[..., UUID], clock: Any, days: Any, count: Any) -> None:
    agent = enrol("one")
    days(jobs=1, output=1, ledger=1)
    running = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    (run,) = lease(hall, agent, 1)
    report(hall, agent, run, RunStarted(clock()), TaskStarted(0, clock()), Output(0, 0, b"still here"))
    waiting = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    later = When(immediate=False, starts_at=clock() + timedelta(days=100))
    hall.scheduling.submit(a_request(who=on(agent), when=later), SYSTEM)
    clock.turn(timedelta(days=50))
    assert sum(sweep(hall, clock)) == 0
    assert hall.jobs.get(running.id, SYSTEM).state is hall.jobs.get(waiting.id, SYSTEM).state is State.ACTIVE
    assert count(CHUNKS) == 1


def test_a_run_book_goes_with_its_steps_and_only_when_it_has_ended(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, days: Any, count: Any
) -> None:
    agent = enrol("two")
    days(jobs=1)
    ask = [WhoChoice([agent], one.kind) for one in on(agent)]
    hall.scheduling.submit(a_request(RINGS, WhatKind.RUNBOOK, who=ask), SYSTEM)
    (first,) = lease(hall, agent, 1)
    report(hall, agent, first, RunStarted(clock()), RunFinished(clock(), Event.COMPLETE))
    clock.turn(timedelta(days=5))
    assert sum(sweep(hall, clock)) == 0
    work_off(hall, agent, clock())
    assert count(JOBS) == 3
    clock.turn(timedelta(days=2))
    sweep(hall, clock)
    assert [count(table) for table in (JOBS, RUNS, TASK_RESULTS)] == [0, 0, 0]


def test_output_may_go_before_its_job(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, days: Any, count: Any
) -> None:
    agent = enrol("one")
    days(output=7)
    old = [do_a_job(hall, agent, clock()) for _ in range(3)]
    clock.turn(timedelta(days=8))
    do_a_job(hall, agent, clock())
    sweep(hall, clock)
    assert [count(table) for table in (JOBS, RUNS, TASK_RESULTS, CHUNKS)] == [4, 4, 4, 1]
    [result] = hall.results.collect(old[0], True, SYSTEM)
    assert (result.runs[0].tasks[0].output, result.runs[0].tasks[0].output_bytes) == ("", 6)
    assert hall.output.read(old[0], agent, 0, 0, 100, SYSTEM).data == b""


def test_much_goes_in_small_batches_and_lists_stay_right_meanwhile(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, days: Any, count: Any, datastore: Any
) -> None:
    agent = enrol("one")
    for _ in range(3):
        do_a_job(hall, agent, clock())
    big = do_a_job(hall, agent, clock())
    with datastore.begin() as session:
        run = session.scalar(select(RUNS.c.id).where(RUNS.c.job_id == big))
        session.execute(
            insert(CHUNKS),
            [{"run_id": run, "position": 1, "offset": n, "data": b"x" * 300_000} for n in range(40)]
            + [{"run_id": run, "position": 2, "offset": n, "data": b"y"} for n in range(450)],
        )
    days(jobs=1)
    clock.turn(timedelta(days=2))
    young = do_a_job(hall, agent, clock())
    batches = []
    while hall.retention.next_moment() is None or batches[-1]:
        batches.append(hall.retention.sweep())
        page = hall.jobs.page(Stage.ALL, True, True, 1, 10, SYSTEM)
        assert page.total == len(page.items) == count(JOBS)
        assert page.items[0].id == young
        for job in page.items:
            hall.results.collect(job.id, True, SYSTEM)
        clock.moment = max(clock(), hall.retention.next_moment())
    # 12 MB in parts of at most 4 MiB, hundreds of rows in parts of at most 200.
    assert max(batches) <= retention.BATCH_ROWS
    assert len(batches) >= 6
    assert [count(table) for table in (JOBS, RUNS, TASK_RESULTS, CHUNKS)] == [1, 1, 1, 1]


def test_submit_keys_go_after_a_day(hall: Hall, enrol: Callable[..., UUID], clock: Any, count: Any) -> None:
    request = a_request(who=on(enrol("one")))
    for number in range(3):
        key = SubmitKey.of(str(number), b"")
        hall.submits.once(SYSTEM, "ScheduleJob", key, lambda: hall.scheduling.submit(request, SYSTEM))
    clock.turn(timedelta(hours=23))
    sweep(hall, clock)
    assert count(SUBMITS) == 3
    clock.turn(timedelta(hours=1))
    sweep(hall, clock)
    assert count(SUBMITS) == 0


def test_the_ledger_goes_before_its_recurring_job_and_that_only_when_nothing_is_left_of_it(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, days: Any, count: Any, datastore: Any
) -> None:
    pattern = hall.scheduling.submit(
        a_request(who=on(enrol("one")), when=When(immediate=False, starts_at=clock() + timedelta(days=1))), SYSTEM
    )
    row = {"misfire": "skip", "misfire_window_s": 0, "overlap": "allow", "gap": "after", "fold": "first"}
    noted = {"schedule_id": pattern.id, "outcome": 1, "reason": "", "job_id": None, "noted_at": clock()}
    with datastore.begin() as session:
        session.execute(update(JOBS).where(JOBS.c.id == pattern.id).values(is_recurring=True))
        session.execute(insert(SCHEDULES), {"job_id": pattern.id, "rule": "FREQ=DAILY", **row})
        due = [clock() + timedelta(hours=n) for n in range(450)]
        session.execute(insert(OCCURRENCES), [{"due_at": one, "held_since": None, **noted} for one in due])
        held = {"due_at": clock() - timedelta(days=1), "held_since": clock(), **noted}
        session.execute(insert(OCCURRENCES), held)
    days(ledger=1, jobs=1)
    clock.turn(timedelta(hours=24 + 400, minutes=30))
    sweep(hall, clock)
    assert (count(OCCURRENCES), count(JOBS)) == (50, 1)
    with datastore.begin() as session:
        stopped = {"state": State.CANCELLED, "stopped_at": clock()}
        session.execute(update(JOBS).where(JOBS.c.id == pattern.id).values(**stopped))
        session.execute(update(OCCURRENCES).values(held_since=None))
    clock.turn(timedelta(days=30))
    sweep(hall, clock)
    assert (count(OCCURRENCES), count(SCHEDULES), count(JOBS)) == (0, 0, 0)


def test_two_dispatchers_may_clean_at_the_same_time(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, days: Any, count: Any, datastore: Any, ports: Any
) -> None:
    agent = enrol("one")
    for _ in range(60):
        do_a_job(hall, agent, clock())
    days(jobs=1)
    clock.turn(timedelta(days=2))
    young = do_a_job(hall, agent, clock())
    both = [Retention(datastore, ports, hall.settings) for _ in range(2)]

    def clean(one: Retention) -> int:
        removed = idle = 0
        while idle < 5:  # it may be that only the other one has something to do
            swept = one.sweep()
            removed, idle = removed + swept, 0 if swept else idle + 1
            one._next_at = None  # the clock stands still
        return removed

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(clean, both)) >= 200
    assert [job.id for job in hall.jobs.page(Stage.ALL, True, True, 1, 10, SYSTEM).items] == [young]
    assert [count(table) for table in (JOBS, RUNS, TASK_RESULTS, CHUNKS)] == [1, 1, 1, 1]
