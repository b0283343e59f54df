"""Clockwork: jobs that waited or worked too long come to their end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import GREET, LIBRARY, NOBODY, RINGS, a_request, lease, on, report, standing, work_off
from sqlalchemy import select
from statements import statements

from dispatcher.core.jobs import GivenSet, Job, WhatKind, When, WhoKind
from dispatcher.core.options import REQUIRED
from dispatcher.core.parameters import GivenValue
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import clockwork
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import RunFinished, RunStarted

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def agent(enrol: Callable[..., UUID], load_library: Callable[[str], None]) -> UUID:
    load_library(LIBRARY)
    return enrol("one")


def submit(hall: Hall, agent: UUID, **options: Any) -> Job:
    return hall.scheduling.submit(a_request(who=on(agent), options=options or None), SYSTEM)


def show(hall: Hall, job: Job) -> Job:
    return hall.jobs.get(job.id, SYSTEM)


def test_job_out_of_time_is_timed_out_once_its_agent_has_stopped(hall: Hall, clock: Any, agent: UUID) -> None:
    job = submit(hall, agent, timeout_s=90.0)
    (run,) = lease(hall, agent, 1)
    report(hall, agent, run, RunStarted(NOON))

    assert hall.clockwork.time_out() == 0
    clock.turn(timedelta(seconds=90))
    assert hall.clockwork.time_out() == 1
    assert show(hall, job).state is State.ABORTING
    assert standing(hall, agent, [(run.id, run.fence)]).aborts == [run.id]

    report(hall, agent, run, RunFinished(clock(), Event.CONFIRM_ABORT))
    ended = show(hall, job)
    assert (ended.state, ended.reason) == (State.TIMED_OUT, "not done within 1 min 30 s")


def test_job_of_which_nothing_has_started_is_timed_out_at_once(hall: Hall, clock: Any, agent: UUID) -> None:
    job = submit(hall, agent, timeout_s=1.0)
    clock.turn(timedelta(seconds=1))

    assert hall.clockwork.time_out() == 1

    assert show(hall, job).state is State.TIMED_OUT
    assert lease(hall, agent, 1) == []


@pytest.mark.parametrize(
    ("what", "kind", "wait"),
    [(GREET, WhatKind.MODULE, timedelta(hours=15)), (RINGS, WhatKind.RUNBOOK, timedelta(hours=22))],
)
def test_time_of_a_job_in_local_time_begins_when_it_is_that_time_on_its_agents(
    hall: Hall, clock: Any, enrol: Callable[..., UUID], agent: UUID, what: UUID, kind: WhatKind, wait: timedelta
) -> None:
    far = enrol("two", time_zone="America/New_York")
    when = When(immediate=False, starts_at=NOON + timedelta(hours=10), is_local_time=True)
    request = a_request(what, kind, who=on(agent, far), when=when, options={"timeout_s": 60.0})
    job = hall.scheduling.submit(request, SYSTEM)
    assert job.state is State.ACTIVE

    clock.turn(wait + timedelta(seconds=59))
    assert hall.clockwork.time_out() == 0
    clock.turn(timedelta(seconds=1))
    assert hall.clockwork.time_out() == 1

    assert (show(hall, job).state, show(hall, job).reason) == (State.TIMED_OUT, "not done within 1 min")


def test_time_of_a_job_begins_when_the_launch_windows_that_it_waits_for_open(
    hall: Hall, clock: Any, enrol: Callable[..., UUID], agent: UUID, load_library: Callable[[str], None]
) -> None:
    late = enrol("two")
    windows = ("{name: one, launch_window: 'Sun 14:00-15:00'}", "{name: two, launch_window: 'Sun 16:00-17:00'}")
    load_library(f"agents: [{', '.join(windows)}]")
    request = a_request(who=on(enrol("free"), agent, late), options={"timeout_s": 60.0})
    job = hall.scheduling.submit(request, SYSTEM)

    clock.turn(timedelta(hours=4, seconds=59))
    assert hall.clockwork.time_out() == 0
    clock.turn(timedelta(seconds=1))
    assert hall.clockwork.time_out() == 1

    assert show(hall, job).state is State.TIMED_OUT


def test_time_of_a_job_runs_while_it_waits_for_a_boot(hall: Hall, clock: Any, agent: UUID) -> None:
    job = submit(hall, agent, timeout_s=60.0, boot="next")
    clock.turn(timedelta(seconds=60))
    assert hall.clockwork.time_out() == 1
    assert show(hall, job).state is State.TIMED_OUT


def test_run_book_out_of_time_takes_its_step_along(hall: Hall, clock: Any, agent: UUID) -> None:
    target = [GivenSet(None, [GivenValue("Target", "one")])]
    request = a_request(RINGS, WhatKind.RUNBOOK, who=on(agent), parameters=target, options={"timeout_s": 5.0})
    job = hall.scheduling.submit(request, SYSTEM)
    (run,) = lease(hall, agent, 1)
    report(hall, agent, run, RunStarted(NOON))
    clock.turn(timedelta(seconds=5))

    assert hall.clockwork.time_out() == 1
    report(hall, agent, run, RunFinished(clock(), Event.CONFIRM_ABORT))

    assert show(hall, job).state is State.TIMED_OUT
    assert lease(hall, agent, 1) == []


def test_abort_by_a_caller_stays_one_though_the_time_runs_out_meanwhile(hall: Hall, clock: Any, agent: UUID) -> None:
    job = submit(hall, agent, timeout_s=5.0)
    (run,) = lease(hall, agent, 1)
    report(hall, agent, run, RunStarted(NOON))
    hall.aborting.abort(job.id, SYSTEM)
    clock.turn(timedelta(seconds=10))

    assert hall.clockwork.time_out() == 0
    report(hall, agent, run, RunFinished(clock(), Event.CONFIRM_ABORT))

    assert show(hall, job).state is State.ABORTED


def test_job_that_ends_in_time_is_left_alone(hall: Hall, clock: Any, agent: UUID) -> None:
    job = submit(hall, agent, timeout_s=5.0)
    assert hall.clockwork.next_end() == NOON + timedelta(seconds=5)
    work_off(hall, agent, NOON)
    clock.turn(timedelta(seconds=10))

    assert hall.clockwork.time_out() == 0
    assert hall.clockwork.next_end() is None
    assert show(hall, job).state is State.COMPLETED


def test_launch_timeout_is_the_setting_or_the_job_s_own(hall: Hall, clock: Any, agent: UUID) -> None:
    week, own = submit(hall, agent), submit(hall, agent, launch_timeout_s=30)

    clock.turn(timedelta(seconds=29))
    assert hall.clockwork.cancel_overdue() == 0
    clock.turn(timedelta(seconds=1))
    assert hall.clockwork.cancel_overdue() == 1
    assert show(hall, own).state is State.CANCELLED
    assert hall.results.collect(own.id, False, SYSTEM)[0].runs[0].reason == "no agent fetched it within 30 s"
    assert show(hall, week).state is State.ACTIVE

    clock.turn(timedelta(days=7))
    assert hall.clockwork.cancel_overdue() == 1
    assert show(hall, week).state is State.CANCELLED
    assert lease(hall, agent, 9) == []


def test_longer_launch_timeout_of_a_job_outlives_the_setting_and_it_is_not_looked_at(
    hall: Hall, clock: Any, agent: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(hall, agent, launch_timeout_s=1_000_000)
    monkeypatch.setattr(hall.clockwork, "_is_overdue", lambda _: pytest.fail("it has time"))

    clock.turn(timedelta(days=8))
    assert hall.clockwork.cancel_overdue() == 0
    assert show(hall, job).state is State.ACTIVE


def test_one_call_cancels_all_that_are_overdue(
    hall: Hall, clock: Any, agent: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clockwork, "BATCH", 2)
    jobs = [submit(hall, agent, launch_timeout_s=60 if number % 2 else 90) for number in range(7)]

    clock.turn(timedelta(seconds=60))
    assert hall.clockwork.cancel_overdue() == 3
    clock.turn(timedelta(seconds=30))
    assert hall.clockwork.cancel_overdue() == 4

    assert {show(hall, job).state for job in jobs} == {State.CANCELLED}


def test_jobs_that_wait_for_an_approval_are_passed_over_however_many_they_are(
    hall: Hall, clock: Any, agent: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clockwork, "BATCH", 2)
    for _ in range(5):
        submit(hall, agent, launch_timeout_s=60, approval=REQUIRED)
    last = submit(hall, agent, launch_timeout_s=60)

    clock.turn(timedelta(seconds=60))
    assert hall.clockwork.cancel_overdue() == 1
    assert show(hall, last).state is State.CANCELLED


def test_what_has_ended_is_not_looked_at_again(hall: Hall, clock: Any, agent: UUID, datastore: Datastore) -> None:
    done = submit(hall, agent, launch_timeout_s=60, timeout_s=90.0)
    work_off(hall, agent, NOON)
    late = submit(hall, agent, launch_timeout_s=60)
    clock.turn(timedelta(seconds=60))
    assert hall.clockwork.cancel_overdue() == 1

    assert (show(hall, done).state, show(hall, late).state) == (State.COMPLETED, State.CANCELLED)
    options = {"launch_timeout_s": 60, "timeout_s": 90.0}
    over = hall.scheduling.submit(a_request(who=on(NOBODY, kind=WhoKind.TEAM), options=options), SYSTEM)
    assert show(hall, over).state is State.SKIPPED
    with datastore.read() as session:
        assert session.execute(select(JOBS.c.ends_by, JOBS.c.fetch_by).distinct()).all() == [(None, None)]


def test_no_duty_goes_through_all_jobs_that_wait(hall: Hall, datastore: Datastore) -> None:
    duties = {
        hall.clockwork.time_out: ["ix_job_ends_by"],
        hall.clockwork.next_end: ["ix_job_ends_by"],
        hall.clockwork.cancel_overdue: ["ix_job_state_is_recurring_starts_at", "ix_job_fetch_by"],
        hall.waking.look: ["ix_job_use_wake_on_lan_state"],
    }
    for duty, indexes in duties.items():
        with statements(datastore) as sent:
            duty()
        queries = [statement for statement in sent if "FROM job" in statement or "JOIN job" in statement]
        for query, index in zip(queries, indexes, strict=True):
            with datastore.read() as session:
                explain = f"EXPLAIN QUERY PLAN {query}"
                steps = session.connection().exec_driver_sql(explain, (0,) * query.count("?")).all()
            (of_jobs,) = [step[3] for step in steps if " job " in step[3]]
            assert index in of_jobs, duty
            assert "starts_at<" in of_jobs or not index.endswith("starts_at"), duty
