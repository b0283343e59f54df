"""Approvals on every database: nothing begins before it, everything as ever after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import GREET, LIBRARY, RINGS, a_request, lease, on, report, work_off
from runbook_world import World, a_book, a_library, a_step

from dispatcher.core.errors import Forbidden, InvalidValue, JobNotFound
from dispatcher.core.jobs import Options, WhatKind, When
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.core.states import Event, State
from dispatcher.services.approvals import OwnJob
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import RunFinished, RunStarted

NEEDED: Options = {"approval": "required"}


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


def test_nothing_begins_before_it(hall: Hall, enrol: Callable[..., UUID], clock: Any, wakeup: Any) -> None:
    agent = enrol("one")
    job = hall.scheduling.submit(a_request(who=on(agent), options={**NEEDED, "timeout_s": 60}), SYSTEM)
    assert lease(hall, agent, 5) == []
    (result,) = hall.results.collect(job.id, False, SYSTEM)
    assert result.runs[0].activity == "Waiting for approval"
    clock.turn(timedelta(days=30))
    hall.clockwork.time_out()
    hall.clockwork.cancel_overdue()
    assert hall.jobs.get(job.id, SYSTEM).state is State.ACTIVE  # no time runs meanwhile

    wakeup.agent_ids.clear()
    assert hall.approvals.approve(job.id, SYSTEM).state is State.ACTIVE
    assert wakeup.agent_ids == [agent]
    hall.clockwork.cancel_overdue()
    assert len(lease(hall, agent, 5)) == 1
    clock.turn(timedelta(seconds=61))
    assert hall.clockwork.time_out() == 1  # but from then on it does
    hall.approvals.approve(job.id, SYSTEM)  # said twice, it is done once


def test_all_that_waits_of_a_recurring_job_is_approved_at_once(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent = enrol("one")
    when = When(recurrence=RecurrenceRequest("DTSTART:20260301T120000Z\nRRULE:FREQ=HOURLY"))
    pattern = hall.scheduling.submit(a_request(who=on(agent), options=NEEDED, when=when), SYSTEM)
    for _ in range(2):
        hall.occurrences.fire_due()
        clock.turn(timedelta(hours=1))
    assert lease(hall, agent, 5) == []
    hall.approvals.approve(pattern.id, SYSTEM)
    assert len(work_off(hall, agent, clock())) == 2
    hall.occurrences.fire_due()
    assert lease(hall, agent, 5) == []  # each one needs its own


def test_a_run_book_waits_before_its_first_step(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    one, two = enrol("one"), enrol("two")
    book = hall.scheduling.submit(a_request(RINGS, WhatKind.RUNBOOK, who=on(one), options=NEEDED), SYSTEM)
    assert lease(hall, one, 5) == []
    hall.approvals.approve(book.id, SYSTEM)
    assert len(work_off(hall, one, clock())) == len(work_off(hall, two, clock())) == 1
    assert hall.jobs.get(book.id, SYSTEM).state is State.COMPLETED


def test_a_run_book_waits_where_a_step_says_so(
    hall: Hall, enrol: Callable[..., UUID], load_library: Callable[[str], None], clock: Any
) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b", "wait_for_approval: true"))))
    world = World(hall, clock, [enrol("one"), enrol("two")])
    book = world.start(*world.agents)
    world.end("a")
    assert world.running() == set()
    hall.approvals.approve(book.id, SYSTEM)
    world.end("b")
    assert hall.jobs.get(book.id, SYSTEM).state is State.COMPLETED


def test_what_the_window_says_counts_after_it(
    hall: Hall, enrol: Callable[..., UUID], load_library: Callable[[str], None], clock: Any
) -> None:
    agent = enrol("one")
    load_library("agents: [{name: one, launch_window: 'Mon-Fri 20:00-21:00'}]")
    job = hall.scheduling.submit(
        a_request(who=on(agent), options=NEEDED, outside_launch_window="LaunchWindowFailJob"), SYSTEM
    )
    assert hall.approvals.approve(job.id, SYSTEM).state is State.FAILED


def test_it_can_be_given_before_the_time_comes(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    agent = enrol("one")
    when = When(immediate=False, starts_at=clock() + timedelta(hours=1))
    job = hall.scheduling.submit(a_request(who=on(agent), options=NEEDED, when=when), SYSTEM)
    hall.approvals.approve(job.id, SYSTEM)
    clock.turn(timedelta(hours=1))
    hall.clockwork.activate_due()
    (run,) = lease(hall, agent, 5)
    report(hall, agent, run, RunStarted(clock()), RunFinished(clock(), Event.FAIL))
    again = hall.rerun.rerun(job.id, False, SYSTEM)
    assert lease(hall, agent, 5) == []  # another job, another approval
    hall.approvals.approve(again.id, SYSTEM)
    assert len(lease(hall, agent, 5)) == 1


def test_who_may_not_schedule_may_not_approve(
    hall: Hall, enrol: Callable[..., UUID], bob: Callable[..., Caller]
) -> None:
    agent = enrol("one")
    job = hall.scheduling.submit(a_request(GREET, who=on(agent), options=NEEDED), SYSTEM)
    with pytest.raises(Forbidden):
        hall.approvals.approve(job.id, bob({"Jobs/Scheduling": Right.READ}))
    with pytest.raises(JobNotFound):
        hall.approvals.approve(UUID(int=5), SYSTEM)
    with pytest.raises(InvalidValue, match="Options/approval"):
        hall.scheduling.submit(a_request(GREET, who=on(agent), options={"approval": "given"}), SYSTEM)


def test_alerts_tell_of_begin_and_end(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    agent = enrol("one")
    job = hall.scheduling.submit(
        a_request(who=on(agent), options={**NEEDED, "alert": True}, description="Install"), SYSTEM
    )
    hall.approvals.approve(job.id, SYSTEM)
    work_off(hall, agent, clock())
    told = [(alert.kind, alert.message, alert.job_id) for alert in reversed(hall.alerts.list(SYSTEM))]
    assert told == [
        ("job.started", "Install: started on 1 computers", job.id),
        ("job.awaits_approval", "Install: awaits approval", job.id),
        ("job.ended", "Install: Completed", job.id),
    ]


def test_the_settings_may_want_another_login_to_approve(hall: Hall, enrol: Callable[..., UUID]) -> None:
    agent = enrol("one")
    ann, ben = (Caller(name, dict.fromkeys(Node, Right.MODIFY)) for name in ("ann", "ben"))
    own = hall.scheduling.submit(a_request(who=on(agent), options=NEEDED), ann)
    hall.approvals.approve(own.id, ann)  # usually she may
    assert len(lease(hall, agent, 5)) == 1
    hall.settings.set("jobs.approved_by_invoker", "NO", SYSTEM)
    job = hall.scheduling.submit(a_request(who=on(agent), options=NEEDED), ann)
    with pytest.raises(OwnJob, match="login ann has ordered the job: another one must approve it"):
        hall.approvals.approve(job.id, ann)
    assert lease(hall, agent, 5) == []
    hall.approvals.approve(job.id, ben)
    assert len(lease(hall, agent, 5)) == 1
