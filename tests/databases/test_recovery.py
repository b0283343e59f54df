"""What may go wrong in the life of a job, and what becomes of it then, on every database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import GREET, LIBRARY, WINDOWS, a_request, lapse, lease, on, orders, reclaim, report, standing, work_off
from sqlalchemy import select, update

from dispatcher.core.jobs import GivenSet, Stage, WhatKind, When
from dispatcher.core.parameters import GivenValue
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.services.activation import JOBS
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.reporting import Output, RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.secrets import Secrets


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


def test_a_scheduled_job_can_be_held_released_and_cancelled(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    when = When(immediate=False, starts_at=clock() + timedelta(hours=1))
    job = hall.scheduling.submit(a_request(who=on(enrol("one")), when=when), SYSTEM)
    assert hall.aborting.disable(job.id, SYSTEM).state is State.DISABLED
    clock.turn(timedelta(hours=2))
    assert hall.clockwork.activate_due() == 0
    assert hall.aborting.enable(job.id, SYSTEM).state is State.SCHEDULED
    assert hall.aborting.abort(job.id, SYSTEM).state is State.CANCELLED
    assert hall.aborting.abort(job.id, SYSTEM).state is State.CANCELLED
    assert hall.clockwork.activate_due() == 0


def test_a_lease_without_a_beginning_is_requeued_and_its_news_ignored(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent = enrol("one")
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    [lost] = lease(hall, agent, 1)
    assert lapse(hall, clock) == 1
    [again] = lease(hall, agent, 1)
    assert again.id == lost.id
    assert again.fence > lost.fence
    standing = report(hall, agent, lost, RunStarted(clock()), RunFinished(clock(), Event.FAIL))
    assert standing.lost == [lost.id]
    assert hall.jobs.get(job.id, SYSTEM).state is State.ACTIVE
    report(hall, agent, again, RunFinished(clock(), Event.COMPLETE))
    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED


def test_a_lease_with_a_beginning_ends_as_unknown(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    agent = enrol("one")
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    [run] = lease(hall, agent, 1)
    report(hall, agent, run, TaskStarted(0, clock()))
    clock.turn(timedelta(seconds=29))
    standing(hall, agent, [(run.id, run.fence)])
    clock.turn(timedelta(seconds=29))
    assert hall.recovery.take_back() == 0
    assert lapse(hall, clock, timedelta(seconds=2)) == 1
    assert hall.jobs.get(job.id, SYSTEM).state is State.FAILED
    assert "outcome unknown" in hall.results.collect(job.id, False, SYSTEM)[0].runs[0].reason


@pytest.mark.parametrize("hours", [1, 24])
def test_a_clock_that_is_set_ends_no_lease(hall: Hall, enrol: Callable[..., UUID], clock: Any, hours: int) -> None:
    agent = enrol("one")
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    [run] = lease(hall, agent, 1)
    report(hall, agent, run, TaskStarted(0, clock()))
    for by in (hours, -hours, -hours, hours):
        clock.set(timedelta(hours=by))
        for _ in range(5):  # nobody has noticed yet that the clock was set
            assert hall.recovery.take_back() == 0
            clock.turn(timedelta(seconds=10))
            standing(hall, agent, [(run.id, run.fence)])
    report(hall, agent, run, RunFinished(clock(), Event.COMPLETE))
    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED


def test_a_lease_that_may_be_over_is_looked_at_again_in_time(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent = enrol("one")
    hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    lease(hall, agent, 1)
    assert hall.recovery.next_moment() == clock() + timedelta(seconds=30)
    clock.turn(timedelta(seconds=31))
    assert hall.recovery.take_back() == 0
    clock.turn(timedelta(seconds=5))
    assert hall.recovery.next_moment() == clock() + timedelta(seconds=10)
    clock.turn(timedelta(seconds=10))
    assert hall.recovery.take_back() == 1
    assert hall.recovery.take_back() == 0


def test_a_lost_run_whose_begun_tasks_are_repeatable_is_done_again(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, load_library: Callable[[str], None]
) -> None:
    load_library(LIBRARY.replace("name: greet,", "name: greet, repeatable: true,"))
    agent = enrol("one")
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    [run] = lease(hall, agent, 1)
    report(hall, agent, run, TaskStarted(0, clock()), Output(0, 0, b"lost"))
    lapse(hall, clock)
    [again] = lease(hall, agent, 1)
    report(hall, agent, again, TaskStarted(0, clock()), Output(0, 0, b"kept"), TaskFinished(0, clock(), Event.COMPLETE))
    report(hall, agent, again, TaskStarted(1, clock()))
    [result] = hall.results.collect(job.id, True, SYSTEM)
    assert [task.output for task in result.runs[0].tasks] == ["kept", ""]
    lapse(hall, clock)
    assert hall.jobs.get(job.id, SYSTEM).state is State.FAILED


def test_output_that_was_lost_on_the_way_leaves_a_gap(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    agent = enrol("one")
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    [run] = lease(hall, agent, 1)
    report(hall, agent, run, TaskStarted(0, clock()), Output(0, 0, b"begin "), Output(0, 1_000, b"end"))
    report(hall, agent, run, Output(0, 1_000, b"end\n"))
    [result] = hall.results.collect(job.id, True, SYSTEM)
    assert (result.runs[0].tasks[0].output, result.runs[0].tasks[0].output_bytes) == ("begin end\n", 1_004)


def test_a_run_that_never_reached_the_agent_waits_again(hall: Hall, enrol: Callable[..., UUID]) -> None:
    agent = enrol("one")
    hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    [run] = lease(hall, agent, 1)
    reclaim(hall, agent, [(run.id, run.fence)])
    assert lease(hall, agent, 1) == []
    reclaim(hall, agent, [])
    assert [again.id for again in lease(hall, agent, 1)] == [run.id]


def test_what_no_agent_fetches_is_cancelled_in_the_end(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    one, two = enrol("one"), enrol("two")
    hall.settings.set("jobs.launch_timeout_s", "3600", SYSTEM)
    both = hall.scheduling.submit(a_request(who=on(one, two)), SYSTEM)
    alone = hall.scheduling.submit(a_request(who=on(two)), SYSTEM)
    work_off(hall, one, clock())
    assert hall.clockwork.cancel_overdue() == 0
    clock.turn(timedelta(hours=1))
    assert hall.clockwork.cancel_overdue() == 2
    assert hall.clockwork.cancel_overdue() == 0
    assert lease(hall, two, 5) == []
    assert hall.jobs.get(both.id, SYSTEM).state is State.COMPLETED_WITH_ERRORS
    assert hall.jobs.get(alone.id, SYSTEM).state is State.CANCELLED


def test_a_run_that_its_agent_ended_unasked_failed_or_is_done_again(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, load_library: Callable[[str], None]
) -> None:
    agent = enrol("one")
    stopped = RunFinished(clock(), Event.CONFIRM_ABORT, "the agent was stopped")
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    [run] = lease(hall, agent, 1)
    report(hall, agent, run, TaskStarted(0, clock()), stopped)
    assert hall.jobs.get(job.id, SYSTEM).state is State.FAILED
    assert hall.results.collect(job.id, False, SYSTEM)[0].runs[0].reason == "the agent was stopped"

    load_library(LIBRARY.replace("name: greet,", "name: greet, repeatable: true,"))
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    [run] = lease(hall, agent, 1)
    report(hall, agent, run, TaskStarted(0, clock()), stopped)
    assert len(work_off(hall, agent, clock())) == 1
    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED


def test_what_a_lost_attempt_still_reports_changes_nothing(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, load_library: Callable[[str], None]
) -> None:
    load_library(LIBRARY.replace("name: greet,", "name: greet, repeatable: true,"))
    agent = enrol("one")
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    [lost] = lease(hall, agent, 1)
    report(hall, agent, lost, TaskStarted(0, clock()))
    lapse(hall, clock)
    assert report(hall, agent, lost, RunFinished(clock(), Event.FAIL)).lost == [lost.id]
    assert hall.jobs.get(job.id, SYSTEM).state is State.ACTIVE
    assert len(work_off(hall, agent, clock())) == 1
    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED


def test_a_job_that_cannot_be_started_fails_and_keeps_no_other(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, datastore: Any
) -> None:
    when = When(immediate=False, starts_at=clock() + timedelta(hours=1))
    agent = enrol("one")
    bad = hall.scheduling.submit(a_request(who=on(agent), when=when), SYSTEM)
    good = hall.scheduling.submit(a_request(who=on(agent), when=when), SYSTEM)
    with datastore.begin() as session:
        session.execute(update(JOBS).where(JOBS.c.id == bad.id).values(what=[{"kind": 0, "definition": "broken"}]))
    clock.turn(timedelta(hours=1))
    assert hall.clockwork.activate_due() == 2
    with datastore.read() as session:
        stored = session.execute(select(JOBS.c.state, JOBS.c.reason).where(JOBS.c.id == bad.id)).one()
    assert stored == (State.FAILED, "it could not be started: see the log")
    assert hall.jobs.get(good.id, SYSTEM).state is State.ACTIVE


def test_a_long_run_book_of_steps_that_end_at_once_ends(hall: Hall, load_library: Callable[[str], None]) -> None:
    steps = "".join(f"      - {{name: s{number}, module: Greet, who: [{{team: Nobody}}]}}\n" for number in range(400))
    load_library(f"runbooks:\n  - name: Long\n    id: {UUID(int=77)}\n    steps:\n{steps}")
    job = hall.scheduling.submit(a_request(UUID(int=77), WhatKind.RUNBOOK), SYSTEM)
    assert job.state is State.SKIPPED
    assert len(hall.results.collect(job.id, False, SYSTEM)) == 401


def test_a_secret_that_cannot_be_opened_fails_its_run_and_hides_no_job(
    datastore: Any, ports: Any, hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent = enrol("one")
    given = [GivenSet(GREET, [GivenValue("Password", "hunter2")])]
    job = hall.scheduling.submit(a_request(who=on(agent), parameters=given), SYSTEM)
    other = build_hall(datastore, ports, Secrets(b"another key, of thirty-two bytes"), lease=timedelta(seconds=30))
    assert orders(other, agent, 1, [])[0] == []
    assert other.jobs.page(Stage.ALL, False, False, 1, 10, SYSTEM).items[0].state is State.FAILED
    [result] = other.results.collect(job.id, True, SYSTEM)
    assert result.runs[0].state is State.FAILED
    assert "secret" in result.runs[0].reason


def test_another_agent_cannot_report(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    one, two = enrol("one"), enrol("two")
    job = hall.scheduling.submit(a_request(who=on(one)), SYSTEM)
    [run] = lease(hall, one, 1)
    standing = report(hall, two, run, RunFinished(clock(), Event.COMPLETE))
    assert standing.lost == [run.id]
    assert hall.jobs.get(job.id, SYSTEM).state is State.ACTIVE


def test_reports_that_are_repeated_change_nothing(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    agent = enrol("one")
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    [run] = lease(hall, agent, 1)
    events = [
        RunStarted(clock()),
        TaskStarted(0, clock()),
        Output(0, 0, b"abc"),
        Output(0, 3, b"def"),
        TaskFinished(0, clock(), Event.COMPLETE, 0),
        RunFinished(clock(), Event.COMPLETE),
    ]
    for upto in range(1, len(events) + 1):
        report(hall, agent, run, *events[:upto])
        report(hall, agent, run, *events[:upto])
    [result] = hall.results.collect(job.id, True, SYSTEM)
    assert result.job.state is State.COMPLETED
    assert result.runs[0].tasks[0].output == "abcdef"


def test_a_run_that_cannot_be_given_keeps_no_other_from_its_agent(
    datastore: Any, ports: Any, hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent = enrol("one", "windows")
    secret = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    plain = hall.scheduling.submit(a_request(WINDOWS, who=on(agent)), SYSTEM)
    other = build_hall(datastore, ports, Secrets(b"another key, of thirty-two bytes"), lease=timedelta(seconds=30))

    assert [run.job_id for run in orders(other, agent, 5, [])[0]] == [plain.id]

    assert other.jobs.get(secret.id, SYSTEM).state is State.FAILED
    assert lease(other, agent, 5) == []
    assert lapse(other, clock) == 1
