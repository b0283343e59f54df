"""Kept jobs: what a dispatcher has read before it shows as it is now, whoever changed it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, RINGS, a_request, lease, on, report, work_off
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from statements import statements

from dispatcher.core.errors import JobNotFound
from dispatcher.core.jobs import Job, Stage, WhatKind, When
from dispatcher.core.parameters import Parameter
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.core.states import Event, State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import job_rows, kept_jobs, kept_parts
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.job_rows import STORED, JobRows
from dispatcher.services.reporting import RunFinished, RunStarted


@pytest.fixture
def other(datastore: Datastore, ports: Any, secrets: Any) -> Iterator[Hall]:
    """The services of another process over the same datastore."""
    elsewhere = Datastore(datastore.url)
    yield build_hall(elsewhere, ports, secrets, lease=timedelta(seconds=30))
    elsewhere.close()


@pytest.fixture
def agent(enrol: Callable[..., UUID], load_library: Callable[[str], None]) -> UUID:
    load_library(LIBRARY)
    return enrol("one")


def page(hall: Hall) -> list[Job]:
    return hall.jobs.page(Stage.ALL, True, True, 1, 100, SYSTEM).items


@pytest.fixture
def check(hall: Hall, datastore: Datastore, ports: Any, secrets: Any) -> Callable[[str], None]:
    """Compare what services that remember show with what those do that have just come."""

    def check(step: str) -> None:
        fresh = build_hall(datastore, ports, secrets, lease=timedelta(seconds=30))
        expected = page(fresh)
        for _ in range(2):
            assert page(hall) == expected, step
            assert [hall.jobs.get(job.id, SYSTEM) for job in expected] == expected, step

    return check


def test_every_change_is_seen_at_once(
    hall: Hall, other: Hall, check: Callable[[str], None], agent: UUID, clock: Any
) -> None:
    who = on(agent)
    outputs = [[Parameter("Who", value1="you", is_output=True)]]
    other.scheduling.submit(a_request(who=who), SYSTEM)
    held = other.scheduling.submit(
        a_request(who=who, when=When(immediate=False, starts_at=clock() + timedelta(days=1))), SYSTEM
    )
    other.scheduling.submit(a_request(RINGS, WhatKind.RUNBOOK, who=who), SYSTEM)
    weekly = RecurrenceRequest("DTSTART:20300101T000000Z\nRRULE:FREQ=WEEKLY;COUNT=4")
    recurring = other.scheduling.submit(a_request(who=who, when=When(recurrence=weekly)), SYSTEM)
    check("submitted")
    (run,) = lease(other, agent, 1)
    report(other, agent, run, RunStarted(clock()))
    check("started")
    report(other, agent, run, RunFinished(clock(), Event.COMPLETE, "done", outputs))
    check("ended with an output")
    other.aborting.disable(held.id, SYSTEM)
    check("disabled")
    other.aborting.enable(held.id, SYSTEM)
    check("enabled")
    other.schedules.pause(recurring.id, clock() + timedelta(days=2), SYSTEM)
    check("paused")
    other.aborting.abort(held.id, SYSTEM)
    check("aborted")
    work_off(other, agent, clock())
    check("worked off")
    other.settings.set("retention.jobs_days", "30", SYSTEM)
    clock.turn(timedelta(days=40))
    while other.retention.sweep():
        clock.turn(timedelta(minutes=1))
    check("removed")
    with pytest.raises(JobNotFound):
        hall.jobs.get(run.job_id, SYSTEM)


def test_every_column_that_is_shown_tells(hall: Hall, datastore: Datastore, agent: UUID) -> None:
    job, alike = (hall.scheduling.submit(a_request(who=on(agent)), SYSTEM) for _ in range(2))
    shown, other = (hall.jobs.get(one.id, SYSTEM) for one in (job, alike))
    changes: dict[str, Any] = {
        "description": "another",
        "state": State.PENDING,
        "reason": "why",
        "who": [],
        "invoker_info": "somebody",
        "is_local_time": True,
        "outside_launch_window": "no",
        "tags": "red",
        "options": {"select_one": True},
        "stopped_at": job.started_at,
        "sorted_at": job.started_at + timedelta(microseconds=1),
    }
    for name, value in changes.items():
        with datastore.begin() as session:
            session.execute(update(JOBS).where(JOBS.c.id == job.id).values({name: value}))
        before, shown = shown, hall.jobs.get(job.id, SYSTEM)
        assert shown != before, name
        with datastore.read() as session:
            assert shown == hall.jobs.to_job(session, _typed(session, job.id), None), name
    assert hall.jobs.get(alike.id, SYSTEM) == other


def test_what_stays_is_made_once(hall: Hall, other: Hall, agent: UUID) -> None:
    first = other.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    (kept,) = page(hall)
    other.scheduling.submit(a_request(who=on(agent)), SYSTEM)

    assert next(job for job in page(hall) if job.id == first.id) is kept
    assert hall.jobs.get(first.id, SYSTEM) is kept


def test_what_is_rolled_back_is_seen_only_inside(hall: Hall, datastore: Datastore, agent: UUID) -> None:
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    kept = hall.jobs.get(job.id, SYSTEM)

    class ChangedMind(Exception):
        pass

    with pytest.raises(ChangedMind), datastore.begin() as session:
        session.execute(update(JOBS).where(JOBS.c.id == job.id).values(reason="none"))
        assert hall.jobs.get(job.id, SYSTEM).reason == "none"
        raise ChangedMind
    assert hall.jobs.get(job.id, SYSTEM) == kept


@pytest.mark.parametrize("options", [None, {"timeout_s": 1.5}])
def test_a_job_that_is_read_is_as_the_types_of_its_columns_have_it(
    hall: Hall, datastore: Datastore, agent: UUID, clock: Any, options: Any
) -> None:
    when = When(immediate=False, starts_at=clock() + timedelta(days=1))
    hall.scheduling.submit(a_request(who=on(agent), when=when, tags="a", options=options), SYSTEM)

    with datastore.read() as session:
        stored = tuple(session.execute(select(*STORED)).one())
        read = hall.jobs._rows.read(session, stored, None)
        made = hall.jobs.to_job(session, _typed(session, read.id), None)

    assert read == made
    assert repr(read) == repr(made)  # which tells 1 from True


def _typed(session: Session, job_id: UUID) -> Row:
    return session.connection().execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().one()


def test_what_jobs_have_in_common_is_made_once_unless_it_is_long(
    hall: Hall, agent: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*tags: str) -> int:
        """Submit a job for each of *tags*, read them all, and return how often something in common was made."""
        jobs = [hall.scheduling.submit(a_request(who=on(agent), tags=one), SYSTEM) for one in tags]
        times: list[object] = []
        make = JobRows._make_common
        noted = lambda self, stored: (times.append(stored), make(self, stored))[1]  # noqa: E731
        with monkeypatch.context() as patch:
            patch.setattr(JobRows, "_make_common", noted)
            assert [hall.jobs.get(job.id, SYSTEM).tags for job in jobs] == [*tags]
        return len(times)

    assert made("red", "red", "blue", "red") == 2
    assert made(*["x" * kept_parts.LONGEST] * 2) == 2
    monkeypatch.setattr(job_rows, "KEPT", 1)
    assert made("white", "green", "white", "white") == 3


def test_only_so_many_are_kept(hall: Hall, agent: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_jobs, "KEPT", 2)
    jobs = [hall.scheduling.submit(a_request(who=on(agent)), SYSTEM) for _ in range(3)]
    first, second, _third = [hall.jobs.get(job.id, SYSTEM) for job in jobs]

    assert hall.jobs.get(second.id, SYSTEM) is second
    again = hall.jobs.get(first.id, SYSTEM)
    assert again == first
    assert again is not first


def test_a_job_with_much_text_is_not_kept(hall: Hall, agent: UUID) -> None:
    long = hall.scheduling.submit(a_request(who=on(agent), description="x" * kept_jobs.LONGEST), SYSTEM)

    assert hall.jobs.get(long.id, SYSTEM) == hall.jobs.get(long.id, SYSTEM)
    assert hall.jobs.get(long.id, SYSTEM) is not hall.jobs.get(long.id, SYSTEM)


def test_a_job_with_many_parameters_is_not_kept(
    hall: Hall, agent: UUID, load_library: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    named = "".join(f"      - {{name: P{number}, type: text}}\n" for number in range(5))
    load_library(f"modules:\n  - name: Greet\n    parameters:\n{named}")
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    assert hall.jobs.get(job.id, SYSTEM) is hall.jobs.get(job.id, SYSTEM)

    monkeypatch.setattr(kept_parts, "PER_PARAMETER", kept_jobs.LONGEST // 5)
    hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    (new,) = (one for one in page(hall) if one.id != job.id)
    assert hall.jobs.get(new.id, SYSTEM) is not new


def test_a_kept_job_is_read_without_a_session_where_a_thread_has_its_own_connection(
    hall: Hall, datastore: Datastore, agent: UUID
) -> None:
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    kept = hall.jobs.get(job.id, SYSTEM)

    with statements(datastore) as sent:
        assert hall.jobs.get(job.id, SYSTEM) is kept

    assert bool(sent) is not datastore.traits.single_writer
