"""Holds, batches and limits on every database, also when everything happens at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, a_request, lease, on, report, work_off
from sqlalchemy import func, select

from dispatcher.core.attempts import again
from dispatcher.core.jobs import Invoker, Options, Stage, When
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.core.schedules import BOOT, RecurrenceRequest
from dispatcher.core.states import Event, State
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.reporting import RunFinished
from dispatcher.services.secrets import Secrets


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@pytest.fixture
def other_hall(datastore: Datastore, ports: Ports, secrets: Secrets) -> Hall:
    """A second dispatcher on the same datastore."""
    return build_hall(datastore, ports, secrets, lease=timedelta(seconds=30))


def at_once(*bodies: Callable[[], Any]) -> list[Any]:
    """Call all *bodies* in threads of their own, as nearly at once as can be; return what they return."""
    barrier = threading.Barrier(len(bodies))
    results: list[Any] = [None] * len(bodies)

    def run(place: int, body: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results[place] = again(body)
        except Exception as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=one) for one in enumerate(bodies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_runs_are_held_and_let_go(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    hall.settings.set("jobs.launch_window", "Mon-Fri 00:00-24:00", SYSTEM)
    one, two = enrol("one", boot_id="a", time_zone="Asia/Tokyo"), enrol("two", time_zone="Europe/Berlin")
    windowed = hall.scheduling.submit(a_request(who=on(one, two)), SYSTEM)
    booted = hall.scheduling.submit(
        a_request(who=on(one), outside_launch_window="continue", options={"boot": "next"}), SYSTEM
    )
    when = When(immediate=False, starts_at=clock() + timedelta(days=2), is_local_time=True)
    local = hall.scheduling.submit(a_request(who=on(one, two), when=when), SYSTEM)
    assert hall.leasing.has_orders([one, two]) == set()
    clock.turn(timedelta(hours=3))
    assert hall.holds.release_due() == 1
    hall.enrolment.note_facts(one, Facts(os="linux", time_zone="Asia/Tokyo", boot_id="b"))
    assert {run.job_id for run in work_off(hall, one, clock())} == {windowed.id, booted.id}

    clock.turn(timedelta(days=2))
    hall.clockwork.activate_due()
    while hall.holds.release_due():
        pass
    work_off(hall, one, clock())
    work_off(hall, two, clock())

    assert {hall.jobs.get(job.id, SYSTEM).state for job in (windowed, booted, local)} == {State.COMPLETED}
    assert hall.holds.next_moment() is None


def test_runs_whose_moment_has_come_are_let_go_once_by_two_dispatchers(
    hall: Hall, other_hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent = enrol("one")
    when = When(immediate=False, starts_at=clock() + timedelta(hours=1), is_local_time=True)
    for _ in range(10):
        hall.scheduling.submit(a_request(who=on(agent), when=when), SYSTEM)
    clock.turn(timedelta(hours=1))

    let_go = at_once(hall.holds.release_due, other_hall.holds.release_due)

    assert sum(let_go) == 10
    assert len(work_off(hall, agent, clock())) == 10


def test_two_dispatchers_never_give_an_agent_more_runs_than_it_may_have(
    hall: Hall, other_hall: Hall, enrol: Callable[..., UUID], datastore: Datastore
) -> None:
    hall.settings.set("agents.parallel_runs", "3", SYSTEM)
    agent = enrol("one")
    for _ in range(8):
        hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)

    given = at_once(*(lambda one=one: lease(one, agent, 2) for one in (hall, other_hall) * 3))

    assert sum(map(len, given)) == 3
    with datastore.read() as session:
        assert session.scalar(select(func.count()).where(RUNS.c.leased_until.is_not(None))) == 3


def test_of_a_batch_whose_runs_end_at_once_the_last_one_lets_the_next_go(
    hall: Hall, other_hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    agents = [enrol(f"agent {number}") for number in range(6)]
    options = Options(batch_size=3, stop_at_share=1)
    job = hall.scheduling.submit(a_request(who=on(*agents), options=options), SYSTEM)

    for batch in (agents[:3], agents[3:]):
        leased = [(agent, run) for agent in batch for run in lease(hall, agent, 1)]
        ends = [
            lambda agent=agent, run=run, one=one: report(one, agent, run, RunFinished(clock(), Event.COMPLETE))
            for (agent, run), one in zip(leased, (hall, other_hall, hall), strict=True)
        ]
        assert [type(result).__name__ for result in at_once(*ends)] == ["Standing"] * 3

    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED


def test_a_batch_with_too_many_failures_is_the_last(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    agents = [enrol(f"agent {number}") for number in range(4)]
    options = Options(batch_share=0.5, stop_at_share=0.5)
    job = hall.scheduling.submit(a_request(who=on(*agents), options=options), SYSTEM)

    work_off(hall, agents[0], clock(), Event.FAIL)
    work_off(hall, agents[1], clock())

    ended = hall.jobs.get(job.id, SYSTEM)
    assert (ended.state, ended.reason) == (State.COMPLETED_WITH_ERRORS, "stopped: 1 of 2 failed")
    again = hall.rerun.rerun(job.id, True, SYSTEM)
    assert [who.name for who in again.who] == ["agent 0", "agent 2", "agent 3"]


def test_many_agents_that_boot_at_once_each_have_their_row_in_the_ledger(
    hall: Hall, other_hall: Hall, enrol: Callable[..., UUID]
) -> None:
    agents = [enrol(f"agent {number}", boot_id="a") for number in range(4)]
    when = When(immediate=False, recurrence=RecurrenceRequest(BOOT))
    pattern = hall.scheduling.submit(a_request(who=on(*agents), when=when), SYSTEM)
    facts = Facts(os="linux", boot_id="b")

    boots = [
        lambda agent=agent, one=one: one.enrolment.note_facts(agent, facts)
        for agent in agents
        for one in (hall, other_hall)
    ]
    assert at_once(*boots) == [None] * 8

    entries = hall.schedules.ledger(pattern.id, 1, 10, SYSTEM).items
    jobs = [job for job in hall.jobs.page(Stage.ALL, False, True, 1, 50, SYSTEM).items if job.invoker is Invoker.BOOT]
    assert len({entry.due_at for entry in entries}) == 4
    assert {entry.job_id for entry in entries} == {job.id for job in jobs}
    assert sorted(job.who[0].name for job in jobs) == [f"agent {number}" for number in range(4)]
