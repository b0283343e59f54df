"""Jobs of Symantec CCS on every database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from ccs_world import APACHE, GROUP, LIBRARY, STANDARD
from job_world import lease, report, work_off
from sqlalchemy import delete, select

from dispatcher.core.attempts import again
from dispatcher.core.errors import DispatcherError, JobNotFound
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.core.states import Event, State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.schedules import OCCURRENCES, SCHEDULES
from dispatcher.datastore.symantec_ccs import CCS_JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import RunFinished, RunStarted
from dispatcher.services.symantec_ccs.jobs import JobNameTaken
from dispatcher.services.symantec_ccs.orders import JobOrder
from dispatcher.services.symantec_ccs.suite import SymantecCcs, build_symantec_ccs

ORDER = JobOrder("Nightly", "CollectionJob", [STANDARD, APACHE], [GROUP], details={"JobName": "Nightly", "x": [1]})


@pytest.fixture
def ccs(hall: Hall) -> SymantecCcs:
    return build_symantec_ccs(hall)


@pytest.fixture
def agent(load_library: Callable[[str], None], enrol: Callable[..., UUID]) -> UUID:
    load_library(LIBRARY)
    return enrol("db-01")


def test_the_life_of_a_job(hall: Hall, ccs: SymantecCcs, agent: UUID, clock: Any) -> None:
    job, run = ccs.jobs.create(replace(ORDER, runs_now=True), SYSTEM)
    assert run is not None
    assert ccs.jobs.get(job.id, SYSTEM) == job == ccs.jobs.named("NIGHTLY", SYSTEM)
    assert (job.details, job.last_run) == ({"JobName": "Nightly", "x": [1]}, run)

    clock.turn(timedelta(seconds=1))
    [leased] = lease(hall, agent, 1)
    assert [one.document["name"] for one in leased.modules] == ["CIS Red Hat 9", "Apache"]
    report(hall, agent, leased, RunStarted(clock()), RunFinished(clock(), Event.FAIL, reason="disk full"))
    [ended] = ccs.runs.latest(job.id, 0, SYSTEM, with_messages=True)
    assert (ended.state, ended.ended, ended.has_begun) == (State.FAILED, {State.FAILED: 1}, True)
    assert [(one.text, one.count) for one in ended.messages or ()] == [("disk full", 1)]
    assert ccs.evaluations.get(str(agent), APACHE, SYSTEM).run_id == run.id

    changed, _ = ccs.jobs.update(job.id, lambda old: replace(ORDER, name=f"{old.name} 2"), SYSTEM)
    assert [(one.name, one.last_run and one.last_run.id) for one in ccs.jobs.all(SYSTEM, with_runs=True)] == [
        ("Nightly 2", run.id)
    ]
    assert changed.modified_at > job.modified_at
    clock.turn(timedelta(seconds=1))
    ccs.jobs.delete(job.id, SYSTEM, keeps_job=True)
    assert ccs.runs.latest(job.id, 0, SYSTEM) == []
    ccs.jobs.delete(job.id, SYSTEM)
    with pytest.raises(JobNotFound):
        ccs.jobs.get(job.id, SYSTEM)


def test_of_those_who_take_a_name_at_the_same_time_one_gets_it(
    ccs: SymantecCcs, agent: UUID, datastore: Datastore
) -> None:
    barrier = Barrier(4)

    def create(number: int) -> object:
        barrier.wait()
        try:
            name = "nightly" if number % 2 else "NIGHTLY"
            return again(lambda: ccs.jobs.create(replace(ORDER, name=name), SYSTEM))
        except DispatcherError as error:
            return type(error)

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(create, range(4)))
    assert made.count(JobNameTaken) == 3
    with datastore.read() as session:
        assert len(session.scalars(select(JOBS.c.id)).all()) == 1
        assert len(session.scalars(select(CCS_JOBS.c.job_id)).all()) == 1


def test_executions_at_the_same_time_are_runs_of_their_own(hall: Hall, ccs: SymantecCcs, agent: UUID) -> None:
    job, _ = ccs.jobs.create(ORDER, SYSTEM)
    barrier = Barrier(4)

    def execute(_: int) -> UUID:
        barrier.wait()
        return again(lambda: ccs.runs.execute(job.id, SYSTEM)).id

    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(execute, range(4)))
    assert len(made) == 4
    assert {run.id for run in ccs.runs.latest(job.id, 0, SYSTEM)} == made
    assert hall.schedules.ledger(job.id, 1, 9, SYSTEM).total == 4


def test_an_execution_and_the_engine_do_not_wait_for_each_other(
    hall: Hall, ccs: SymantecCcs, agent: UUID, clock: Any
) -> None:
    rule = RecurrenceRequest("DTSTART:20260301T000000Z\nRRULE:FREQ=MINUTELY")
    job, _ = ccs.jobs.create(replace(ORDER, recurrence=rule), SYSTEM)
    barrier = Barrier(2)

    def at_once(work: Callable[[], object]) -> None:
        barrier.wait()
        again(work)

    for _ in range(5):
        with ThreadPoolExecutor(2) as pool:
            works = (lambda: ccs.runs.execute(job.id, SYSTEM), hall.occurrences.fire_due)
            assert list(pool.map(at_once, works)) == [None, None]
        hall.occurrences.fire_due()
        clock.turn(timedelta(minutes=1))
    assert len(ccs.runs.latest(job.id, 0, SYSTEM)) == 10


def test_what_nobody_has_begun_is_aborted_at_once(hall: Hall, ccs: SymantecCcs, agent: UUID, clock: Any) -> None:
    job, _ = ccs.jobs.create(ORDER, SYSTEM)
    run = ccs.runs.execute(job.id, SYSTEM)
    ccs.runs.abort(run.id, SYSTEM)
    [ended] = ccs.runs.latest(job.id, 1, SYSTEM)
    assert (ended.state, ended.has_begun) == (State.ABORTED, False)
    with pytest.raises(DispatcherError, match="not running"):
        ccs.runs.abort(run.id, SYSTEM)
    assert work_off(hall, agent, clock()) == []


@pytest.mark.parametrize("ends", [True, False])
def test_old_runs_go_and_their_job_stays_until_it_is_deleted(
    hall: Hall, ccs: SymantecCcs, agent: UUID, clock: Any, *, ends: bool
) -> None:
    job, _ = ccs.jobs.create(replace(ORDER, runs_now=True), SYSTEM)
    work_off(hall, agent, clock())
    hall.occurrences.release_held()
    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED
    if ends:
        ccs.jobs.delete(job.id, SYSTEM)
    for name in ("jobs_days", "ledger_days"):
        hall.settings.set(f"retention.{name}", "1", SYSTEM)
    clock.turn(timedelta(days=2))
    while hall.retention.sweep() or clock() >= (hall.retention.next_moment() or clock()):
        clock.turn(timedelta(seconds=1))
    if ends:
        with pytest.raises(JobNotFound):
            hall.jobs.get(job.id, SYSTEM)
        return
    assert ccs.runs.latest(job.id, 0, SYSTEM) == []
    assert ccs.jobs.named("nightly", SYSTEM).id == job.id
    assert ccs.runs.execute(job.id, SYSTEM).state is State.ACTIVE


def test_what_is_said_of_a_job_goes_with_it(ccs: SymantecCcs, agent: UUID, datastore: Datastore) -> None:
    job, _ = ccs.jobs.create(ORDER, SYSTEM)
    with datastore.begin() as session:
        for statement in (
            delete(OCCURRENCES).where(OCCURRENCES.c.schedule_id == job.id),
            delete(SCHEDULES).where(SCHEDULES.c.job_id == job.id),
            delete(JOBS).where(JOBS.c.id == job.id),
        ):
            session.execute(statement)
    with datastore.read() as session:
        assert session.scalars(select(CCS_JOBS.c.job_id)).all() == []
